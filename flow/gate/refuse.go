package gate

import (
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/policy"
)

// A refused attempt has a record and a fact of its own, up to a number a line and minute; what comes beyond is written as counts. An
// attacker with a login must not be able to fill the disk.
const (
	refusalsEach   = 60
	refusalsWindow = time.Minute
)

type refusals struct {
	mu    sync.Mutex // owns lines
	lines map[string]*refusalCount
}

type refusalCount struct {
	account string
	began   time.Time
	n       int
	beyond  map[policy.Reason]int64
}

// refuse writes a refusal down and returns it.
func (g *Gate) refuse(s *subject, r *Refusal) *Refusal {
	g.stats.refused(r.Reason)
	if g.refusals.individually(s) {
		record := g.refusedRecord(s, r)
		g.o.Ledger.Refused(record, g.refusedFact(s, r, record.ID)...)
		return r
	}
	g.refusals.count(s.Line, r.Reason)
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

func (r *refusals) individually(s *subject) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lines == nil {
		r.lines = map[string]*refusalCount{}
	}
	c := r.lines[s.Line]
	if c == nil {
		c = &refusalCount{account: s.Account, began: s.Now, beyond: map[policy.Reason]int64{}}
		r.lines[s.Line] = c
	}
	c.n++
	return c.n <= refusalsEach
}

func (r *refusals) count(line string, why policy.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.lines[line]; c != nil {
		c.beyond[why]++
	}
}

// flushRefusals writes the counts of windows that have run out and forgets them.
func (g *Gate) flushRefusals(now time.Time) {
	r := &g.refusals
	r.mu.Lock()
	defer r.mu.Unlock()
	for line, c := range r.lines {
		if now.Sub(c.began) < refusalsWindow && !g.stopping.Load() {
			continue
		}
		delete(r.lines, line)
		if len(c.beyond) == 0 {
			continue
		}
		f := fact.CallsRefused{Since: c.began}
		for why, n := range c.beyond {
			f.Counts = append(f.Counts, fact.Count{Code: why.Code(), N: n})
		}
		g.o.Ledger.Record(f.Row(now, fact.Subject{Line: line, Account: c.account}))
	}
}
