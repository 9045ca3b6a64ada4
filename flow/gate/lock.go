package gate

import (
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/flow/book"
)

// lockGrace bounds how long a call may still use what was bought before its line was locked: a slice, but never longer than
// a minute. A long slice, or a price so low that a slice lasts for hours, would else keep a call of a locked line up.
const lockGrace = time.Minute

// mayBuy says whether more money may be held for a call. The line says so in the book, so that it holds after a restart, for
// calls taken over, and on every node.
func (g *Gate) mayBuy(l *live) (policy.Reason, bool) {
	switch line, ok := g.o.Book.Line(l.call.Line); {
	case g.o.Paid != nil && g.o.Paid() == policy.RecordsLost:
		return policy.RecordsLost, false
	case !ok:
		return policy.CutRemoved, false
	case line.NoMoreSpent():
		return policy.CutLocked, false
	}
	return policy.OK, true
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
			g.heedAll(func(l *live) bool { return l.call.Line == c.Line })
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

// heed applies to one call what the book says of its line now. A call that has not been answered has used nothing of what is
// held for it: on a locked line it ends at once, and so never begins to cost.
func (g *Gate) heed(l *live) {
	line, ok := g.o.Book.Line(l.call.Line)
	switch {
	case !ok:
		g.Cut(l.call.ID, policy.CutRemoved, policy.Figures{}, "")
		return
	case l.holds == nil:
		return
	case !line.NoMoreSpent():
		g.release(l)
		return
	}
	l.mu.Lock()
	atOnce := line.CutsCalls() || l.call.State != call.Answered
	if !atOnce && l.lockedAt.IsZero() {
		at := time.Now()
		l.lockedAt = at
		time.AfterFunc(min(g.o.Slice, lockGrace), func() { g.endLocked(l, at) })
	}
	l.mu.Unlock()
	if atOnce {
		g.Cut(l.call.ID, policy.CutLocked, policy.Figures{}, "")
	}
}

// release lets a call buy again: its line was unlocked, or its lock now lets calls go on.
func (g *Gate) release(l *live) {
	l.mu.Lock()
	was := !l.lockedAt.IsZero() || l.spentWhy == policy.CutLocked
	l.lockedAt = time.Time{}
	if l.spentWhy == policy.CutLocked {
		l.spentWhy, l.spentFig = policy.OK, policy.Figures{}
	}
	l.mu.Unlock()
	if was {
		g.meter.add(l.call.ID, time.Now())
	}
}

// endLocked ends a call whose grace is over, unless the lock that began at that instant was taken back.
func (g *Gate) endLocked(l *live, at time.Time) {
	l.mu.Lock()
	over := l.lockedAt.Equal(at)
	f := l.paidOut()
	l.mu.Unlock()
	if over {
		g.Cut(l.call.ID, policy.CutLocked, f, "")
	}
}

// paidOut are the figures of a call that ended with its paid time. l.mu is held.
func (l *live) paidOut() policy.Figures {
	return policy.Figures{Limit: max(int64(l.call.PaidFor/time.Second), 1), Value: int64(time.Since(l.since) / time.Second)}
}

// CutLine ends the open calls of a line at once, and says how many: all but emergency calls, or for a lock those that cost.
func (g *Gate) CutLine(line string, why policy.Reason) int {
	n := 0
	for _, l := range g.outbound(func(l *live) bool { return l.call.Line == line }) {
		if (why != policy.CutLocked || l.holds != nil) && g.Cut(l.call.ID, why, policy.Figures{}, "") {
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
			if !l.always && l.call.Direction != call.In && want(l) {
				all = append(all, l)
			}
		}
		s.mu.Unlock()
	}
	return all
}
