package gate

import (
	"context"
	"errors"
	"fmt"

	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/ledger"
	"ringfence/state/store"
)

// ErrGone says that the call is not open: it ended meanwhile.
var ErrGone = engine.ErrGone

// Trying says which route is being tried, with the SIP Call-ID of that leg. It never blocks.
func (g *Gate) Trying(id call.ID, route Route, bleg string) {
	l := g.get(id)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Trying(route.Trunk, bleg, g.costQuote(&l.Open, route.Trunk))
}

// costQuote is what a trunk's carrier charges, fixed now; zero when the trunk has no deck or the deck no price.
func (g *Gate) costQuote(c *call.Open, trunk string) rating.Quote {
	t, ok := g.o.Book.Trunk(trunk)
	if !ok || trunk == "" {
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
		if l.Open.Ringing.IsZero() {
			l.Open.Ringing = clock()
		}
	}
}

// Answered makes the answer durable and begins to meter. The edge calls it before the 200 goes to the caller, so that no
// call is ever up that a restart would not know; on an error it hangs up the callee and answers 503.
func (g *Gate) Answered(ctx context.Context, id call.ID, route Route, snapshot []byte) error {
	l := g.get(id)
	if l == nil {
		return ErrGone
	}
	if err := g.reprice(ctx, l); err != nil {
		return err
	}
	if r := g.restricted(l); r != nil { // it came while the call rang
		return r
	}
	l.mu.Lock()
	if err := l.Call.Answered(route.Trunk, g.anchor(), snapshot); err != nil {
		l.mu.Unlock()
		return fmt.Errorf("call %s: %w", id, err)
	}
	c := l.Open
	op := g.update(&c)
	op.Facts = []store.Fact{l.AnsweredBy()}
	l.mu.Unlock()
	if err := g.writeAnswer(ctx, l, op); err != nil {
		return err
	}
	l.mu.Lock()
	step, up := l.Heard(clock(), g.o.terms())
	l.mu.Unlock()
	if !up {
		return ErrGone
	}
	g.stats.answered.Add(1)
	g.do(l, step)
	return nil
}

// anchor is the present on clocks that outlive the process.
func (g *Gate) anchor() call.Anchor {
	if g.o.Anchor == nil {
		return call.Anchor{}
	}
	return g.o.Anchor()
}

// reprice prices the call from the moment of its answer. If what is held pays for nothing then, the difference is held now or the
// answer refused.
func (g *Gate) reprice(ctx context.Context, l *live) error {
	l.mu.Lock()
	ask, short := l.Reprice(clock())
	l.mu.Unlock()
	if !short {
		return nil
	}
	if r := g.mayBuy(l); r != nil {
		return r
	}
	holds, settings := g.holdsOf(&l.Open)
	out, err := g.hold(l, holds, settings, &ask)
	switch {
	case err != nil:
		return err
	case out.Missing || out.Moved:
		return ErrGone
	case out.Refused:
		return g.whichPurse(l.Open.ID, holds, out, ask.Least())
	}
	l.mu.Lock()
	l.Take(&ask)
	l.mu.Unlock()
	return nil
}

// writeAnswer waits for the answer to be durable, but for calls that cannot cost anything when the store fails.
func (g *Gate) writeAnswer(ctx context.Context, l *live, op store.Op) error {
	if l.Always {
		g.o.Ledger.Post(op)
		return nil
	}
	out, err := g.o.Ledger.Do(ctx, op)
	switch {
	case errors.Is(err, ledger.ErrUnavailable) && !l.Costs:
		g.o.Ledger.Post(op)
		return nil
	case err != nil:
		return err
	case (out.Missing || out.Moved) && l.Costs:
		return ErrGone
	}
	return nil
}

// Snapshot replaces the edge's own record of a call: its dialogs changed, or a route has begun to ring. It never blocks.
func (g *Gate) Snapshot(id call.ID, snapshot []byte) {
	l := g.get(id)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.Open.Snapshot
	l.Open.Snapshot = snapshot
	g.o.Ledger.PostOr(g.update(&l.Open), g.retaking(l, snapshot))
	l.Open.Snapshot = was
}

// Cut tells the edge to hang up both legs, again and again until it says that they are over; only then is the call
// settled. By staff, owner or the meter; note is who asked and why, for the journal. It reports whether the call is open. A
// second cut changes nothing of the first one's reason.
func (g *Gate) Cut(id call.ID, reason policy.Reason, f policy.Figures, note string) bool {
	l := g.get(id)
	if l == nil {
		return false
	}
	l.mu.Lock()
	s := l.Call.Cut(reason, f, note, clock())
	l.mu.Unlock()
	g.do(l, s)
	return true
}

// Cutting says that a call was told to end.
func (g *Gate) Cutting(id call.ID) bool {
	l := g.get(id)
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Cutting()
}
