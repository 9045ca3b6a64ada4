package gate

import (
	"sync"
	"time"

	"ringfence/core/policy"
	"ringfence/state/store"
)

// A refused attempt is a fact of its own, up to a number a line and minute; what comes beyond is written as counts. An
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
		g.o.Ledger.Record(g.refusedFact(s, r)...)
		return r
	}
	g.refusals.count(s.line, r.Reason)
	return r
}

func (r *refusals) individually(s *subject) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lines == nil {
		r.lines = map[string]*refusalCount{}
	}
	c := r.lines[s.line]
	if c == nil {
		c = &refusalCount{account: s.account, began: s.now, beyond: map[policy.Reason]int64{}}
		r.lines[s.line] = c
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
		o := newObject().num("since_us", c.began.UnixMicro())
		for why, n := range c.beyond {
			o.num(why.Code(), n)
		}
		g.o.Ledger.Record(store.Fact{At: now, Kind: "call.refused.counted", Line: line, Account: c.account, Body: o.done()})
	}
}
