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
	cost := g.costQuote(l, w)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.call.BLeg, l.call.Cost = bleg, cost
	if w.Trunk != "" {
		l.call.Trunk = w.Trunk
	}
}

// costQuote is what the way's carrier charges, fixed now; zero when its trunk has no deck or the deck no price.
func (g *Gate) costQuote(l *live, w Way) rating.Quote {
	t, ok := g.o.Book.Trunk(w.Trunk)
	if !ok || w.Trunk == "" {
		return rating.Quote{}
	}
	deck, ok := g.o.Book.Cost(t)
	if !ok {
		return rating.Quote{}
	}
	n, problem := g.o.Plan.Parse(l.call.Number)
	if problem != 0 {
		return rating.Quote{}
	}
	p, ok := deck.Find(n.Number)
	if !ok {
		return rating.Quote{}
	}
	return rating.Quote{Price: *p, Calendar: l.call.Quote.Calendar, Start: l.call.Quote.Start}
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
	if l.call.State == call.Answered {
		l.mu.Unlock()
		return fmt.Errorf("call %s was answered before", id)
	}
	l.call.State, l.call.AnsweredAt, l.call.Snapshot = call.Answered, l.call.Quote.Start, snapshot
	if w.Trunk != "" {
		l.call.Trunk = w.Trunk
	}
	c := l.call
	l.mu.Unlock()
	op := store.Op{Kind: store.OpUpdate, ID: id, Call: &c, Facts: answered(&c)}
	if err := g.writeAnswer(ctx, l, op); err != nil {
		return err
	}
	// The caller hears it only now, and pays from now on. A restart would count from a few milliseconds before.
	l.mu.Lock()
	l.call.Snapshot = nil // with the store now; it is a good part of what a call takes
	l.call.AnsweredAt = time.Now()
	l.call.Quote.Start, l.call.Cost.Start = l.call.AnsweredAt, l.call.AnsweredAt
	at := l.nextLook(g.o.Ahead)
	l.mu.Unlock()
	g.stats.answered.Add(1)
	g.meter.add(id, at)
	return nil
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
		out, err := g.hold(&c, holds, held, paid)
		switch {
		case err != nil:
			return err
		case out.Missing:
			return ErrGone
		case out.Refused:
			why, f := g.whichPurse(holds, out, held-c.Held)
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
	case out.Missing && l.holds != nil:
		return ErrGone
	}
	return nil
}

// Snapshot replaces the edge's own record of an answered call: its dialogs changed. It never blocks.
func (g *Gate) Snapshot(id call.ID, snapshot []byte) {
	l := g.get(id)
	if l == nil {
		return
	}
	l.mu.Lock()
	c := l.call
	l.mu.Unlock()
	c.Snapshot = snapshot
	if c.State == call.Answered {
		g.o.Ledger.Post(store.Op{Kind: store.OpUpdate, ID: id, Call: &c})
	}
}

// Cut tells the edge to hang up both legs; the call is settled when the edge says that it ended. By staff, owner or the
// meter; note is who asked and why, for the journal. It reports whether the call is open. A second cut changes nothing of the first one's reason.
func (g *Gate) Cut(id call.ID, why policy.Reason, f policy.Figures, note string) bool {
	l := g.get(id)
	if l == nil {
		return false
	}
	l.mu.Lock()
	first := l.cutWhy == policy.OK
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
	if g.onCut != nil {
		g.onCut(id, why, f)
	}
	g.settleIfDeaf(id)
	return true
}

// deaf is how long an edge may take to say that a call it was told to cut has ended.
const deaf = 40 * time.Second

// settleIfDeaf ends a call in the books even if its edge never says so: nothing leaks.
func (g *Gate) settleIfDeaf(id call.ID) {
	time.AfterFunc(deaf, func() {
		g.Ended(id, End{By: call.System, Reason: policy.PeerGone, Status: 200, At: time.Now()})
	})
}

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
