package gate

import (
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/state/store"
)

// Ended settles a call: what it held becomes what it cost, and it leaves its one record. Repeats change nothing.
// It never blocks.
func (g *Gate) Ended(id call.ID, e End) {
	l := g.take(id)
	if l == nil {
		return
	}
	l.mu.Lock()
	if l.cutWhy != policy.OK {
		e.Reason, e.By = l.cutWhy, cutter(l.cutWhy)
	}
	cdr := record(&l.call, e, l.cutFig)
	l.mu.Unlock()
	g.uncount(l)
	g.stats.ended(e.Reason)
	g.o.Ledger.Post(store.Op{Kind: store.OpSettle, ID: id, CDR: &cdr, Facts: settled(&cdr)})
}

// void gives back what an attempt may have held although it was refused: the store failed in between. If nothing was
// written, nothing happens.
func (g *Gate) void(l *live, why policy.Reason) {
	cdr := record(&l.call, End{By: call.System, Reason: why, Status: why.SIPStatus(), At: time.Now()}, policy.Figures{})
	g.o.Ledger.Post(store.Op{Kind: store.OpSettle, ID: cdr.ID, CDR: &cdr, Facts: settled(&cdr)})
}

func (g *Gate) uncount(l *live) {
	if l.counted {
		g.counts.Give(openKey(l.call.Line))
	}
	if l.abroad {
		g.counts.Give(abroadKey(l.call.Line))
	}
}

func cutter(why policy.Reason) call.Party {
	if why == policy.CutByStaff || why == policy.CutByOwner {
		return call.Operator
	}
	return call.System
}

// record rates a call that ended. Talk is billed only as far as it was paid ahead, so that the price never exceeds what
// is held, however late the end became known.
func record(c *call.Open, e End, f policy.Figures) call.CDR {
	end := e.At
	if end.IsZero() || end.Before(c.Begun) {
		end = time.Now()
	}
	r := call.CDR{
		ID: c.ID, Direction: c.Direction, Line: c.Line, Account: c.Account, Peer: c.Peer, Trunk: c.Trunk,
		Dialled: c.Dialled, Number: c.Number, Class: c.Class, Country: c.Country,
		Rate: c.Quote.Price.Name, Prefix: prefixText(&c.Quote.Price), PerMinute: perMinute(&c.Quote),
		Source: c.Source, UserAgent: c.UserAgent, ALeg: c.ALeg, BLeg: c.BLeg,
		Begun: c.Begun, Ended: end, By: e.By, Reason: e.Reason.Code(), Text: e.Reason.Text(f), Status: e.Status,
	}
	if c.State != call.Answered || e.Status != 200 { // the caller never heard an answer
		r.Ring = since(c.Ringing, end)
		return r
	}
	r.AnsweredAt = c.AnsweredAt
	r.Ring = since(c.Ringing, c.AnsweredAt)
	r.Talk = min(max(end.Sub(c.AnsweredAt), 0), c.PaidFor, c.Longest)
	r.Retail = min(c.Quote.Cost(r.Talk), c.Held)
	r.Cost = carrierCost(&c.Cost, r.Talk)
	return r
}

func since(from, till time.Time) time.Duration {
	if from.IsZero() {
		return 0
	}
	return max(till.Sub(from), 0)
}

func carrierCost(q *rating.Quote, talk time.Duration) money.Micro {
	if q.Price.First == 0 { // no deck, no price
		return 0
	}
	return q.Cost(talk)
}
