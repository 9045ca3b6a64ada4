package gate

import (
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
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
	if l.call.State == call.Ending {
		l.mu.Unlock()
		return
	}
	if l.cutWhy != policy.OK {
		e.Reason, e.By = l.cutWhy, cutter(l.cutWhy)
	}
	l.end(e)
	c := l.call
	l.mu.Unlock()
	g.uncount(l)
	g.stats.ended(e.Reason)
	if e.From.IsValid() {
		g.o.Ledger.Record(endedElsewhere(&c, &e)...)
	}
	// If every leg is known to be over within a moment, the settlement takes the place of this update in the ledger's queue.
	g.o.Ledger.PostOr(store.Op{Kind: store.OpUpdate, ID: id, Node: g.o.Node, Call: &c}, func() {
		g.retake(l, nil, func() store.Op { return g.update(l) })
	})
}

// end fixes how the call ended. l.mu is held.
func (l *live) end(e End) {
	if e.At.IsZero() || e.At.Before(l.call.Begun) {
		e.At = time.Now()
	}
	end := call.End{At: e.At, By: e.By, Reason: e.Reason.Code(), Text: e.Reason.Text(l.cutFig), Status: e.Status}
	if l.call.State == call.Answered && e.Status == 200 { // otherwise the caller never heard an answer
		end.Talk = max(e.At.Sub(l.since), 0)
		if e.Reason == policy.PeerGone && l.call.Unproven > 0 {
			// It was gone when it was first asked after the restart: when it hung up, nobody heard.
			end.Talk = min(end.Talk, l.call.Unproven)
		}
	}
	l.call.State, l.call.End = call.Ending, end
}

// Over says that every leg of a call that ended is known to be over: it has confirmed, or its transactions have timed
// out. What the call held becomes what it cost, and it leaves its one record. legs are those that were answered or would not
// end. Repeats change nothing. It never blocks.
func (g *Gate) Over(id call.ID, legs []Leg) {
	l := g.take(id)
	if l == nil {
		return
	}
	g.uncount(l)
	if l.mu.Lock(); !l.owes() {
		l.mu.Unlock()
		g.settle(l, legs)
		return
	}
	bought := l.bought
	l.mu.Unlock()
	go func() {
		if bought != nil {
			<-bought
		}
		g.payUp(l)
		g.settle(l, legs)
	}()
}

// Priced says that a call that ended costs nothing more: everything that anybody charges for is known to be over, and only a
// phone has yet to confirm its end. The record is to be seen from now on (Records), and is stored by Over. It never blocks.
func (g *Gate) Priced(id call.ID, legs []Leg) {
	l := g.get(id)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.call.State != call.Ending || l.priced != nil || l.owes() {
		return
	}
	cdr := g.record(l, legs)
	cdr.Unconfirmed = true
	l.priced = &cdr
}

// Records are those of calls that only wait for a phone to confirm its end, and are not stored yet, in no order.
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
	return all
}

func (g *Gate) settle(l *live, legs []Leg) {
	l.mu.Lock()
	silent := g.unconfirmed(&l.call, legs)
	l.mu.Unlock()
	op := func() store.Op {
		l.mu.Lock()
		defer l.mu.Unlock()
		cdr := g.record(l, legs)
		return store.Op{Kind: store.OpSettle, ID: cdr.ID, Node: g.o.Node, CDR: &cdr, Facts: append(silent[:len(silent):len(silent)], settled(&cdr)...)}
	}
	g.o.Ledger.PostOr(op(), func() { g.retake(l, legs, op) })
}

// update writes a call as it is known here.
func (g *Gate) update(l *live) store.Op {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.call
	return store.Op{Kind: store.OpUpdate, ID: c.ID, Node: g.o.Node, Call: &c}
}

// owes says that a call that a party hung up went on beyond what is paid for: the process or its machine was away, and no
// purse has refused. l.mu is held.
func (l *live) owes() bool {
	c := &l.call
	return len(l.holds) > 0 && c.End.Status == 200 && min(c.End.Talk, c.Longest) > c.PaidFor &&
		l.cutWhy == policy.OK && l.spentWhy == policy.OK && (c.End.By == call.Caller || c.End.By == call.Callee)
}

// payUp holds what was talked beyond what is paid for, as far as the purses go.
func (g *Gate) payUp(l *live) {
	l.mu.Lock()
	c, owes := l.call, l.owes()
	l.mu.Unlock()
	if _, may := g.mayBuy(l); !owes || !may {
		return
	}
	holds, want := g.capsNow(l), c.Quote.Cost(min(c.End.Talk, c.Longest))
	for range reserveTries {
		paid := c.Quote.Affords(want, c.Longest)
		out, err := g.hold(&c, l.since, holds, want, paid)
		switch {
		case out.Refused:
			if want = c.Quote.Cost(c.Quote.Affords(c.Held.Add(out.Room), c.Longest)); want <= c.Held {
				return
			}
			continue
		case err == nil && out == (store.Outcome{}):
			l.mu.Lock()
			l.call.Held, l.call.PaidFor = want, paid
			l.mu.Unlock()
		}
		return
	}
}

// void gives back what an attempt may have held although it was refused: the store failed in between. If nothing was
// written, nothing happens.
func (g *Gate) void(l *live, why policy.Reason) {
	l.end(End{By: call.System, Reason: why, Status: why.SIPStatus(), At: time.Now()})
	cdr := g.record(l, nil)
	cdr.Refused = true
	g.o.Ledger.Post(store.Op{Kind: store.OpSettle, ID: cdr.ID, Node: g.o.Node, CDR: &cdr, Facts: settled(&cdr)})
}

// uncount gives the line its places back, once.
func (g *Gate) uncount(l *live) {
	l.mu.Lock()
	counted, abroad, tight := l.counted, l.abroad, l.tight
	l.counted, l.abroad, l.tight = false, false, ""
	line := l.call.Line
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

func cutter(why policy.Reason) call.Party {
	if why == policy.CutByStaff || why == policy.CutByOwner {
		return call.Operator
	}
	return call.System
}

// record rates a call that ended. Talk is billed only as far as it was paid ahead, so that the price never exceeds what
// is held, however late the end became known. l.mu is held.
func (g *Gate) record(l *live, legs []Leg) call.CDR {
	c := &l.call
	r := call.CDR{
		ID: c.ID, Direction: c.Direction, Line: c.Line, Account: c.Account, Peer: c.Peer, Trunk: c.Trunk,
		Dialled: c.Dialled, Number: c.Number, Class: c.Class, Country: c.Country,
		Rate: c.Quote.Price.Name, Prefix: prefixText(&c.Quote.Price), PerMinute: perMinute(&c.Quote),
		Source: c.Source, UserAgent: c.UserAgent, ALeg: c.ALeg, BLeg: c.BLeg,
		Begun: c.Begun, Ended: c.End.At, By: c.End.By, Reason: c.End.Reason, Text: c.End.Text, Status: c.End.Status,
		Ring: since(c.Ringing, c.End.At),
	}
	switch late := lateAnswer(c, legs); {
	case c.End.Status == 200 && !c.AnsweredAt.IsZero():
		r.AnsweredAt, r.Ring = c.AnsweredAt, since(c.Ringing, c.AnsweredAt)
		r.Talk = min(c.End.Talk, c.PaidFor, c.Longest)
		r.Retail = min(c.Quote.Cost(r.Talk), c.Held)
	case late != nil:
		g.chargeLate(&r, c, late)
	}
	for i := range legs {
		if talk := legs[i].charged(l); talk > 0 && legs[i].CallID != c.ALeg && legs[i].Trunk != "" {
			r.CarrierTalk += talk
			r.Cost = r.Cost.Add(carrierCost(g.costOf(c, &legs[i]), talk))
		}
	}
	if len(legs) == 0 && r.Talk > 0 { // nobody saw the leg end: it is taken to have ended with the talk
		r.CarrierTalk, r.Cost = c.End.Talk, carrierCost(&c.Cost, c.End.Talk)
	}
	return r
}

// charged is how long the carrier of a leg may charge for; 0: it was never answered.
func (g *Leg) charged(l *live) time.Duration {
	switch {
	case g.Joined && l.call.End.By == call.Callee && l.call.End.Status == 200: // its own BYE ended it
		return l.call.End.Talk
	case !g.Answered.IsZero():
		return max(g.Talk+g.Beyond, time.Nanosecond) // an answer costs at least its connection
	case g.Joined && !g.OverAt.IsZero(): // of a previous process: only the books know since when
		return max(g.OverAt.Sub(l.since), l.call.End.Talk)
	case g.Joined:
		return l.call.End.Talk
	}
	return 0
}

// lateAnswer is the leg that was answered although the caller never heard of it, or nil. Of several the first counts.
func lateAnswer(c *call.Open, legs []Leg) *Leg {
	if c.End.Status == 200 {
		return nil
	}
	for i := range legs {
		if !legs[i].Answered.IsZero() {
			return &legs[i]
		}
	}
	return nil
}

// chargeLate books an answer that came while the call was being given up. An answer is an answer: the carrier charges for
// it, so it costs what any call of that length costs, unless the provider waives that.
func (g *Gate) chargeLate(r *call.CDR, c *call.Open, leg *Leg) {
	r.AnsweredAt, r.Ring, r.Talk = leg.Answered, since(c.Ringing, leg.Answered), max(leg.Talk, time.Millisecond)
	r.Trunk, r.BLeg = leg.Trunk, leg.CallID
	switch why, _ := policy.ParseReason(c.End.Reason); why {
	case policy.Cancelled, policy.NoAnswer, policy.TrunksFailed, policy.Unknown, policy.Incomplete, policy.Incompatible, policy.Redirected, policy.FarRefused:
		r.Reason, r.Text = policy.AnsweredLate.Code(), policy.AnsweredLate.Text(policy.Figures{})
	}
	if g.o.WaiveLate {
		return
	}
	quote := c.Quote
	quote.Start = leg.Answered
	if len(c.Purses) > 0 { // as any talk, it is billed only as far as it is paid
		r.Talk = min(r.Talk, max(quote.Affords(c.Held, c.Longest), time.Millisecond))
	}
	r.Retail = min(quote.Cost(r.Talk), c.Held)
}

// costOf is what the carrier of a leg charges: fixed when the leg was tried if it is the call's own.
func (g *Gate) costOf(c *call.Open, leg *Leg) *rating.Quote {
	if leg.CallID == c.BLeg && c.BLeg != "" {
		return &c.Cost
	}
	q := g.costQuote(c, Way{Trunk: leg.Trunk})
	return &q
}

func since(from, until time.Time) time.Duration {
	if from.IsZero() {
		return 0
	}
	return max(until.Sub(from), 0)
}

func carrierCost(q *rating.Quote, talk time.Duration) money.Micro {
	if q.Price.First == 0 { // no deck, no price
		return 0
	}
	return q.Cost(talk)
}
