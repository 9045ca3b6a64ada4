package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/ledger"
	"ringfence/state/store"
)

// ErrGone says that the call is not open: it ended meanwhile.
var ErrGone = errors.New("the call is not open")

// Trying tells which way is being tried, with the SIP Call-ID of that leg. It never blocks.
func (g *Gate) Trying(id call.ID, w Way, bleg string) {
	l := g.get(id)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.call.BLeg, l.call.Cost = bleg, g.costQuote(&l.call, w)
	if w.Trunk != "" {
		l.call.Trunk = w.Trunk
	}
}

// costQuote is what the way's carrier charges, fixed now; zero when its trunk has no deck or the deck no price.
func (g *Gate) costQuote(c *call.Open, w Way) rating.Quote {
	t, ok := g.o.Book.Trunk(w.Trunk)
	if !ok || w.Trunk == "" {
		return rating.Quote{}
	}
	deck, ok := g.o.Book.Cost(t)
	if !ok {
		return rating.Quote{}
	}
	n, problem := g.o.Plan.Parse(c.Number)
	if problem != 0 {
		return rating.Quote{}
	}
	p, ok := deck.Find(n.Number, c.Quote.Start)
	if !ok {
		return rating.Quote{}
	}
	return p.Quote(c.Quote.Calendar, c.Quote.Start)
}

// Ringing tells that the callee rings. It never blocks; only the first counts.
func (g *Gate) Ringing(id call.ID) {
	if l := g.get(id); l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.call.Ringing.IsZero() {
			l.call.Ringing = time.Now()
		}
	}
}

// Answered makes the answer durable and begins to meter. The edge calls it before the 200 goes to the caller, so that no
// call is ever up that a restart would not know; on an error it hangs up the callee and answers 503.
func (g *Gate) Answered(ctx context.Context, id call.ID, w Way, snapshot []byte) error {
	l := g.get(id)
	if l == nil {
		return ErrGone
	}
	if err := g.reprice(ctx, l, time.Now()); err != nil {
		return err
	}
	l.mu.Lock()
	switch l.call.State {
	case call.Answered:
		l.mu.Unlock()
		return fmt.Errorf("call %s was answered before", id)
	case call.Ending:
		l.mu.Unlock()
		return ErrGone
	}
	l.call.State, l.call.AnsweredAt, l.call.Snapshot = call.Answered, l.call.Quote.Start, snapshot
	l.call.Anchor, l.since = g.anchor(), l.call.Quote.Start
	if w.Trunk != "" {
		l.call.Trunk = w.Trunk
	}
	c := l.call
	l.mu.Unlock()
	op := store.Op{Kind: store.OpUpdate, ID: id, Node: g.o.Node, Call: &c, Facts: answered(&c)}
	if err := g.writeAnswer(ctx, l, op); err != nil {
		return err
	}
	// The caller hears it only now, and pays from now on. A restart would count from a few milliseconds before.
	l.mu.Lock()
	defer l.mu.Unlock()
	l.call.Snapshot = nil // with the store now; it is a good part of what a call takes
	if l.call.State == call.Ending {
		return ErrGone
	}
	l.call.AnsweredAt = time.Now()
	l.since = l.call.AnsweredAt
	l.call.Quote.Start, l.call.Cost.Start = l.call.AnsweredAt, l.call.AnsweredAt
	g.stats.answered.Add(1)
	g.meter.add(id, l.nextLook(g.o.Ahead))
	return nil
}

// anchor is the present on clocks that outlive the process.
func (g *Gate) anchor() call.Anchor {
	if g.o.Anchor == nil {
		return call.Anchor{}
	}
	return g.o.Anchor()
}

// reprice prices the call from the moment of its answer: while it rang, a dearer band may have begun. What was held then
// pays for less, and if it does not even pay for the first increment, the difference is held now or the answer refused.
func (g *Gate) reprice(ctx context.Context, l *live, now time.Time) error {
	l.mu.Lock()
	l.call.Quote.Start, l.call.Cost.Start = now, now
	c := l.call
	l.mu.Unlock()
	if l.holds == nil {
		return nil
	}
	held, paid := c.Held, c.Quote.Affords(c.Held, c.Longest)
	if paid <= 0 {
		if why, ok := g.mayBuy(l); !ok {
			return &Refusal{Reason: why}
		}
		held = c.Quote.Cost(time.Nanosecond)
		paid = c.Quote.Affords(held, c.Longest)
		holds := g.capsNow(l)
		out, err := g.hold(&c, now, holds, held, paid)
		switch {
		case err != nil:
			return err
		case out.Missing || out.Moved:
			return ErrGone
		case out.Refused:
			why, f := g.whichPurse(c.ID, holds, out, held-c.Held)
			return &Refusal{Reason: why, Figures: f}
		}
	}
	l.mu.Lock()
	l.call.Held, l.call.PaidFor = held, paid
	l.mu.Unlock()
	return nil
}

// writeAnswer waits for the answer to be durable, but for calls that cannot cost anything when the store fails.
func (g *Gate) writeAnswer(ctx context.Context, l *live, op store.Op) error {
	if l.always {
		g.o.Ledger.Post(op)
		return nil
	}
	out, err := g.o.Ledger.Do(ctx, op)
	switch {
	case errors.Is(err, ledger.ErrUnavailable) && l.holds == nil:
		g.o.Ledger.Post(op)
		return nil
	case err != nil:
		return err
	case (out.Missing || out.Moved) && l.holds != nil:
		return ErrGone
	}
	return nil
}

// Snapshot replaces the edge's own record of a call: its dialogs changed, or a way out has begun to ring. It never blocks.
func (g *Gate) Snapshot(id call.ID, snapshot []byte) {
	l := g.get(id)
	if l == nil {
		return
	}
	l.mu.Lock()
	c := l.call
	l.mu.Unlock()
	c.Snapshot = snapshot
	g.o.Ledger.Post(store.Op{Kind: store.OpUpdate, ID: id, Node: g.o.Node, Call: &c})
}

// Cut tells the edge to hang up both legs, again and again until it says that they are over; only then is the call
// settled. By staff, owner or the meter; note is who asked and why, for the journal. It reports whether the call is open. A
// second cut changes nothing of the first one's reason.
func (g *Gate) Cut(id call.ID, why policy.Reason, f policy.Figures, note string) bool {
	l := g.get(id)
	if l == nil {
		return false
	}
	l.mu.Lock()
	first := l.cutWhy == policy.OK && l.call.State != call.Ending
	if first {
		l.cutWhy, l.cutFig = why, f
	}
	c := l.call
	l.mu.Unlock()
	if !first {
		return true
	}
	g.stats.cut.Add(1)
	g.o.Ledger.Record(cutFact(&c, why, f, note))
	g.tellCut(l)
	return true
}

// tellCut tells the edge, and plans to tell it again: it may not have the call yet, or not any more.
func (g *Gate) tellCut(l *live) {
	l.mu.Lock()
	if l.call.State == call.Ending {
		l.mu.Unlock()
		return
	}
	l.cutTries++
	id, why, f, again := l.call.ID, l.cutWhy, l.cutFig, min(time.Duration(l.cutTries)*cutAgain, lastCutAgain)
	l.mu.Unlock()
	if g.edge.Cut != nil {
		g.edge.Cut(id, why, f)
	}
	g.meter.add(id, time.Now().Add(again))
}

// How long after it was told the edge is told again to hang up a call.
const (
	cutAgain     = time.Second
	lastCutAgain = 10 * time.Second
)

// Cutting says that a call was told to end.
func (g *Gate) Cutting(id call.ID) bool {
	l := g.get(id)
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cutWhy != policy.OK
}
