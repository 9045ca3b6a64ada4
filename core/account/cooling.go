package account

import (
	"fmt"
	"net/netip"
	"time"

	"ringfence/core/restrict"
)

// Cooling is how long a customer's own people wait for what they loosen. Tightening never waits.
type Cooling struct {
	Wait  time.Duration `json:"wait,omitempty"` // 0: nothing waits
	Note  string        `json:"note,omitempty"` // what the owner wants to read when something is loosened
	Was   time.Duration `json:"was,omitempty"`  // the wait before it was made longer
	Since time.Time     `json:"since,omitzero"` // when that was
}

// Bounds of a wait, and how long a longer one can be undone, so that a thief cannot imprison the owner.
const (
	LeastWait = time.Hour
	MostWait  = 30 * 24 * time.Hour
	UndoWait  = 24 * time.Hour
)

// Set is the cooling with another wait and note. wait says that the change is itself a loosening, which has to wait: a shorter wait,
// unless it undoes a longer one of the last day, or another note in place of one.
func (c Cooling) Set(to time.Duration, note string, now time.Time) (next Cooling, wait bool) {
	next = c
	next.Wait, next.Note = to, note
	undoes := now.Before(c.Since.Add(UndoWait)) && to >= c.Was
	switch {
	case to > c.Wait:
		if !now.Before(c.Since.Add(UndoWait)) { // of several steps up within a day the first counts
			next.Was, next.Since = c.Wait, now
		}
	case to < c.Wait && undoes && to == c.Was:
		next.Was, next.Since = 0, time.Time{}
	}
	shorter := to < c.Wait && !undoes
	return next, c.Wait > 0 && (shorter || c.Note != "" && note != c.Note)
}

// Loosens says in words what a change of a link's settings allows that was not allowed before, now or when grants have ended. Restrictions that a
// finding caused, or whose time is over, are not the link's own.
func Loosens(was, is *Settings, now time.Time, above ...*Settings) (texts []string) {
	for f := range NumFields {
		for _, at := range []time.Time{now, now.AddDate(100, 0, 0)} {
			before, after := Resolve(at, append(above[:len(above):len(above)], was)...), Resolve(at, append(above[:len(above):len(above)], is)...)
			if f.Loosens(after.Values[f], before.Values[f]) {
				texts = append(texts, fmt.Sprintf("%s from %s to %s", f, Format(f, before.Values[f]), Format(f, after.Values[f])))
				break
			}
		}
	}
	if len(was.Nets) > 0 && !within(is.Nets, was.Nets) {
		to := "none"
		if len(is.Nets) > 0 {
			to = FormatNets(is.Nets)
		}
		texts = append(texts, "the IP lock from "+FormatNets(was.Nets)+" to "+to)
	}
	for i := range was.Restrictions {
		r := &was.Restrictions[i]
		if r.Finding == "" && !r.Ended(now) && !has(is.Restrictions, r.ID) {
			texts = append(texts, fmt.Sprintf("restriction %d (%s) lifted", r.ID, r.Names.String()))
		}
	}
	return texts
}

// within says that every network is inside one of the others; none at all is everywhere.
func within(nets, of []netip.Prefix) bool {
	for _, n := range nets {
		inside := false
		for _, o := range of {
			inside = inside || o.Bits() <= n.Bits() && o.Overlaps(n)
		}
		if !inside {
			return false
		}
	}
	return len(nets) > 0
}

func has(all []restrict.Restriction, id int64) bool {
	for i := range all {
		if all[i].ID == id {
			return true
		}
	}
	return false
}
