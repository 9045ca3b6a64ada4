package gate

import (
	"context"
	"time"

	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/state/store"
)

// Ended says that a call is over for its parties: the first BYE was sent, or it was given up. Nothing is charged for what
// comes after, no further slice is held, and the line may call again. What the call holds stays held until Over, since a
// leg may still be up, or be answered in the very moment. Repeats change nothing. It never blocks.
func (g *Gate) Ended(id call.ID, e End) {
	l := g.get(id)
	if l == nil {
		return
	}
	l.mu.Lock()
	if l.Open.State == call.Ending {
		l.mu.Unlock()
		return
	}
	g.stats.ended(l.Call.Ended(e, clock()))
	if l.asked != nil { // an edge that says nothing of the question
		l.asked = nil
		g.trust.answered(l.Open.Line)
	}
	if e.From.IsValid() {
		g.o.Ledger.Record(l.EndedElsewhere(&e))
	}
	// If every leg is known to be over within a moment, the settlement takes the place of this update in the ledger's queue.
	g.o.Ledger.PostOr(g.update(&l.Open), g.retaking(l, nil))
	l.mu.Unlock()
	g.uncount(l)
}

// Over says that every leg of a call that ended is known to be over: it has confirmed, or its transactions have timed
// out. What the call held becomes what it cost, and it leaves its one record. legs are those that were answered or would not
// end. Repeats change nothing. It never blocks.
func (g *Gate) Over(id call.ID, legs []Leg) {
	l := g.get(id)
	if l == nil || !l.settles() {
		return
	}
	g.uncount(l)
	l.mu.Lock()
	l.legs = legs
	waits, bought := l.Unsettled() || l.shared, l.bought
	l.mu.Unlock()
	if !waits {
		g.settle(l)
		g.take(id) // not before: at each moment the record is seen here, with the ledger, or in the store
		return
	}
	go func() {
		if !g.hearsOut(l) {
			return // the next process settles it, or another node
		}
		g.take(id)
		if bought != nil {
			<-bought
		}
		g.listen(l)
		g.payUp(l)
		g.settle(l)
	}()
}

// hearsOut waits until a call has been here for a lease since it came from another node: that one may have ended it while the store did not
// answer, and within a lease each node that lives has spoken to the store. It is false if the call is not to be settled here after all.
func (g *Gate) hearsOut(l *live) bool {
	l.mu.Lock()
	wait := l.moved.Add(g.o.Lease).Sub(clock())
	l.mu.Unlock()
	if wait <= 0 {
		return true
	}
	g.until(func(ctx context.Context) error { return g.leave(ctx, l) }) // for the next process, if this one ends meanwhile
	select {
	case <-g.meter.quit:
		return false
	case <-time.After(wait):
		return g.get(l.Open.ID) == l
	}
}

// Heard says what is known of the legs of a call that ended, before all of them are over. It never blocks.
func (g *Gate) Heard(id call.ID, legs []Leg) {
	if l := g.get(id); l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.settling {
			l.legs = legs
		}
	}
}

// Priced says that a call that ended costs nothing more: everything that anyone charges for is known to be over, and only a
// phone has yet to confirm its end. The record is to be seen from now on (Records), and is stored by Over. It never blocks.
func (g *Gate) Priced(id call.ID, legs []Leg) {
	l := g.get(id)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Unsettled() || l.Open.State != call.Ending || l.priced != nil {
		return
	}
	cdr := g.record(l, legs)
	cdr.Unconfirmed = true
	l.priced = &cdr
}

// settles says, once, that the call is to be settled.
func (l *live) settles() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.settling
	l.settling = true
	return !was
}

// Records are those of calls that are over and not stored yet, in no order: calls that only wait for a phone to confirm its end, and calls that
// wait for the store. Who asks for these first, and then the store, misses none, and may see one twice.
func (g *Gate) Records() (all []call.CDR) {
	for i := range g.calls {
		s := &g.calls[i]
		s.mu.Lock()
		for _, l := range s.m {
			l.mu.Lock()
			if l.priced != nil {
				all = append(all, *l.priced)
			}
			l.mu.Unlock()
		}
		s.mu.Unlock()
	}
	return append(all, g.o.Ledger.Settling()...)
}

func (g *Gate) settle(l *live) {
	l.mu.Lock()
	silent := g.unconfirmed(&l.Call, l.legs, clock())
	l.mu.Unlock()
	op := func() store.Op {
		l.mu.Lock()
		defer l.mu.Unlock()
		cdr := g.record(l, l.legs)
		return store.Op{Kind: store.OpSettle, ID: cdr.ID, Node: g.o.Node, CDR: &cdr, Facts: engine.Settled(&cdr, silent...)}
	}
	g.o.Ledger.PostOr(op(), func() { g.retake(l, op) })
}

// update writes a call as it is known here.
func (g *Gate) update(c *call.Open) store.Op {
	return store.Op{Kind: store.OpUpdate, ID: c.ID, Node: g.o.Node, Call: c}
}

// payUp holds what was talked beyond what is paid for, as far as the purses go.
func (g *Gate) payUp(l *live) {
	l.mu.Lock()
	ask, owes := l.Arrears()
	l.mu.Unlock()
	if !owes || g.mayBuy(l) != nil {
		return
	}
	for holds, settings := g.holdsOf(&l.Open); ; {
		out, err := g.hold(l, holds, settings, &ask)
		if out.Refused && ask.Refused(out.Room) == engine.Again {
			continue
		}
		if err == nil && out == (store.Outcome{}) {
			l.mu.Lock()
			l.Take(&ask)
			l.mu.Unlock()
		}
		return
	}
}

// void gives back what an attempt may have held although it was refused: the store failed in between. If nothing was
// written, nothing happens.
func (g *Gate) void(l *live, reason policy.Reason) {
	now := clock()
	l.Call.Ended(End{By: call.System, Reason: reason, Status: reason.SIPStatus(), At: now}, now)
	cdr := g.record(l, nil)
	cdr.Refused = true
	g.o.Ledger.Post(store.Op{Kind: store.OpSettle, ID: cdr.ID, Node: g.o.Node, CDR: &cdr, Facts: engine.Settled(&cdr)})
}

// uncount gives the line its places back, once.
func (g *Gate) uncount(l *live) {
	l.mu.Lock()
	counted, abroad, tight := l.counted, l.abroad, l.tight
	l.counted, l.abroad, l.tight = false, false, ""
	line := l.Open.Line
	l.mu.Unlock()
	if counted {
		g.counts.Give(openKey(line))
	}
	if abroad {
		g.counts.Give(abroadKey(line))
	}
	if tight != "" {
		g.counts.Give(tightKey(tight))
	}
}

// record rates a call that ended. l.mu is held.
func (g *Gate) record(l *live, legs []Leg) call.CDR {
	bill := l.Bill(legs, g.o.terms(), func(trunk string) rating.Quote { return g.costQuote(&l.Open, trunk) })
	return l.Record(&bill)
}
