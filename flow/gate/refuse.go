package gate

import (
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/flow/journal"
)

// A refused attempt has a record and a fact of its own, up to a number a line and minute; what comes beyond is written as counts. An
// attacker with a login must not be able to fill the disk.
const (
	refusalsEach   = 60
	refusalsWindow = time.Minute
)

type refusals struct {
	mu    sync.Mutex // owns lines
	lines journal.Limit[string, counted]
}

// counted are refusals of a line that are not written one by one.
type counted struct {
	account string
	by      map[policy.Reason]int64
}

// refuse writes a refusal down and returns it.
func (g *Gate) refuse(s *subject, r *Refusal) *Refusal {
	g.stats.refused(r.Reason)
	if g.refusals.individually(s, r.Reason) {
		record := g.refusedRecord(s, r)
		g.o.Ledger.Refused(record, g.refusedFact(s, r, record.ID)...)
		return r
	}
	return r
}

// refusedRecord is the record that a refused call leaves, beside those of calls that were let out.
func (g *Gate) refusedRecord(s *subject, r *Refusal) *call.CDR {
	if s.id == "" {
		s.id = g.ids.next(s.Now)
	}
	c := &call.CDR{
		ID: s.id, Direction: s.Dir, Line: s.Line, Account: s.Account, Peer: s.Peer,
		Dialled: s.Dialled, Number: s.number, Class: s.Dest.Class.String(), Country: s.Dest.Country.String(),
		Source: s.Source.String(), UserAgent: s.UserAgent, ALeg: s.ALeg, Begun: s.Now, Ended: s.Now,
		By: call.System, Reason: r.Reason.Code(), Text: r.Error(), Status: r.Reason.SIPStatus(), Refused: true,
	}
	if s.Priced {
		c.Rate, c.Prefix, c.PerMinute = s.Quote.Price.Name, engine.PrefixText(&s.Quote.Price), engine.PerMinute(&s.Quote)
	}
	return c
}

func (r *refusals) individually(s *subject, why policy.Reason) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines.Most, r.lines.Window = refusalsEach, refusalsWindow
	span, told := r.lines.Take(s.Line, s.Now)
	if !told {
		if span.Sum.by == nil {
			span.Sum = counted{account: s.Account, by: map[policy.Reason]int64{}}
		}
		span.Sum.by[why]++
	}
	return told
}

// flushRefusals writes the counts of windows that have run out and forgets them.
func (g *Gate) flushRefusals(now time.Time) {
	r := &g.refusals
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines.Window = refusalsWindow
	r.lines.Close(now, g.stopping.Load(), func(line string, span *journal.Span[counted]) {
		f := fact.CallsRefused{Since: span.Began}
		for why, n := range span.Sum.by {
			f.Counts = append(f.Counts, fact.Count{Code: why.Code(), N: n})
		}
		g.o.Ledger.Record(f.Row(now, fact.Subject{Line: line, Account: span.Sum.account}))
	})
}
