package gate

import "ringfence/core/call"

// What an edge notifies of. Each says what the method of its name does.
type (
	Ringing  struct{ ID call.ID }
	Proved   struct{ ID call.ID }
	Snapshot struct {
		ID   call.ID
		Text []byte
	}
	Trying struct {
		ID   call.ID
		Way  Way
		BLeg string // SIP Call-ID
	}
	Ended struct {
		ID call.ID
		End
	}
	Priced struct {
		ID   call.ID
		Legs []Leg
	}
	Over          Priced
	AnsweredAfter struct {
		ID    call.ID
		Trunk string
		Leg   string // SIP Call-ID
	}
)

// Notify takes note of what happened to a call, or of a Crowd, and never blocks.
func (g *Gate) Notify(event any) {
	switch e := event.(type) {
	case Trying:
		g.Trying(e.ID, e.Way, e.BLeg)
	case Ringing:
		g.Ringing(e.ID)
	case Snapshot:
		g.Snapshot(e.ID, e.Text)
	case Ended:
		g.Ended(e.ID, e.End)
	case Priced:
		g.Priced(e.ID, e.Legs)
	case Over:
		g.Over(e.ID, e.Legs)
	case Proved:
		g.Proved(e.ID)
	case AnsweredAfter:
		g.AnsweredAfter(e.ID, e.Trunk, e.Leg)
	case Crowd:
		g.crowded(e)
	}
}
