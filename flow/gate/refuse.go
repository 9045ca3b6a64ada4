package gate

import (
	"ringfence/core/call"
	"ringfence/core/engine"
)

// refuse writes a refusal down and returns it.
func (g *Gate) refuse(s *subject, r *Refusal) *Refusal {
	g.stats.refused(r.Reason)
	if g.limits.individually(s, r.Reason) {
		record := g.refusedRecord(s, r)
		g.o.Ledger.Refused(record, g.refusedFacts(s, r)...)
	} else if len(s.firstSeen) > 0 { // its purses have refused it, and what was to be written with it is not
		g.o.Ledger.Record(s.firstSeen...)
	}
	return r
}

// refusedRecord is the record that a refused call leaves, beside those of calls that were let out.
func (g *Gate) refusedRecord(s *subject, r *Refusal) *call.CDR {
	c := &call.CDR{
		ID: s.Text.ID, Direction: s.Dir, Line: s.Line, Account: s.Account, Peer: s.Peer,
		Dialled: s.Dialled, Number: s.Text.Number, Class: s.Dest.Class.String(), Country: s.Dest.Country.String(),
		Source: s.Text.Source, UserAgent: s.UserAgent, ALeg: s.ALeg, Cause: s.Cause, Parent: s.Parent, Begun: s.Now, Ended: s.Now,
		By: call.System, Reason: r.Reason.Code(), Text: r.Error(), Status: r.Reason.SIPStatus(), Refused: true,
	}
	if s.Priced {
		c.Rate, c.Prefix, c.PerMinute = s.Quote.Price.Name, s.Text.Prefix, engine.PerMinute(&s.Quote)
	}
	return c
}
