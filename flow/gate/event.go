package gate

import "ringfence/core/call"

// What an edge notifies of a call, beside its End. Each says what the method of its name does.
type (
	Ringing  struct{}
	Proved   struct{}
	Snapshot []byte
	Priced   []Leg
	Heard    []Leg
	Over     []Leg
	Trying   struct {
		Route
		BLeg string // SIP Call-ID
	}
	AnsweredAfter struct{ Trunk, BLeg string }
	Questioned    struct {
		Pressed      string // how the caller answered: Passed and so on
		Wrong, Hasty int
	}
)

// Notify takes note of what happened to a call, or of a Crowd, and never blocks.
func (g *Gate) Notify(id call.ID, event any) {
	switch e := event.(type) {
	case Trying:
		g.Trying(id, e.Route, e.BLeg)
	case Ringing:
		g.Ringing(id)
	case Snapshot:
		g.Snapshot(id, e)
	case End:
		g.Ended(id, e)
	case Priced:
		g.Priced(id, e)
	case Heard:
		g.Heard(id, e)
	case Over:
		g.Over(id, e)
	case Proved:
		g.Proved(id)
	case AnsweredAfter:
		g.AnsweredAfter(id, e.Trunk, e.BLeg)
	case Questioned:
		g.Questioned(id, e)
	case Crowd:
		g.crowded(e)
	}
}
