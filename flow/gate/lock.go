package gate

import (
	"time"

	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/policy"
	"ringfence/flow/book"
)

// mayBuy says whether more money may be held for a call. The line says so in the book, so that it holds after a restart, for
// calls taken over, and on every node.
func (g *Gate) mayBuy(l *live) *Refusal {
	switch line, ok := g.o.Book.Line(l.Open.Line); {
	case g.o.Paid != nil && g.o.Paid() == policy.RecordsLost:
		return &Refusal{Reason: policy.RecordsLost}
	case !ok:
		return &Refusal{Reason: policy.CutRemoved}
	case line.NoMoreSpent():
		return &Refusal{Reason: policy.CutLocked}
	}
	return g.restricted(l)
}

// restricted is the restriction of its line that refuses a call in progress, or nil.
func (g *Gate) restricted(l *live) *Refusal {
	line, ok := g.o.Book.Line(l.Open.Line)
	if !ok || !l.Costs {
		return nil
	}
	now := clock()
	return l.Restricted(line.Effective(now), line.Zone(), now)
}

// Follow makes the gate obey changes of the book: what a lock, its end or the removal of a line means for calls in progress.
func (g *Gate) Follow(c book.Change) {
	switch c.Kind {
	case book.LineDeleted:
		go g.CutLine(c.Line, policy.CutRemoved) // the book's lock is held while it tells
	case book.LineLocked, book.LineUnlocked:
		go func() {
			if c.Cut { // also when the line was unlocked again meanwhile
				g.CutLine(c.Line, policy.CutLocked)
			}
			g.heedAll(func(l *live) bool { return l.Open.Line == c.Line })
		}()
	}
}

// HeedLocks applies locks and removals to every call: they may have come while this program was away.
func (g *Gate) HeedLocks() { g.heedAll(func(*live) bool { return true }) }

// heedAll applies to the calls that are wanted what the book says of their lines now. One at a time, so that of two changes
// of one line the last is what remains, in whatever order they are told.
func (g *Gate) heedAll(want func(*live) bool) {
	g.heeding.Lock()
	defer g.heeding.Unlock()
	for _, l := range g.outbound(want) {
		g.heed(l)
	}
}

// heed applies to one call what the book says of its line now.
func (g *Gate) heed(l *live) {
	line, ok := g.o.Book.Line(l.Open.Line)
	switch {
	case !ok:
		g.Cut(l.Open.ID, policy.CutRemoved, policy.Figures{}, "")
	case !l.Costs:
	case line.NoMoreSpent():
		g.step(l, func(now time.Time, t engine.Terms) engine.Step { return l.Locked(line.CutsCalls(), now, t) })
	default:
		g.step(l, func(now time.Time, _ engine.Terms) engine.Step { return l.Unlocked(now) })
	}
}

// CutLine ends the open calls of a line immediately, and returns how many: all but emergency calls, or for a lock those that cost.
func (g *Gate) CutLine(line string, reason policy.Reason) int {
	n := 0
	for _, l := range g.outbound(func(l *live) bool { return l.Open.Line == line }) {
		if (reason != policy.CutLocked || l.Costs) && g.Cut(l.Open.ID, reason, policy.Figures{}, "") {
			n++
		}
	}
	return n
}

// outbound lists the calls that are wanted of those which lines make, but emergency calls. want sees only what never changes.
func (g *Gate) outbound(want func(*live) bool) (all []*live) {
	for i := range g.calls {
		s := &g.calls[i]
		s.mu.Lock()
		for _, l := range s.m {
			if !l.Always && l.Open.Direction != call.In && want(l) {
				all = append(all, l)
			}
		}
		s.mu.Unlock()
	}
	return all
}
