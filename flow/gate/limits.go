package gate

import (
	"sync"
	"time"

	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/flow/journal"
)

// How many facts of one kind are written. A refused attempt has a record and a fact of its own, up to a number per line and minute; what
// comes beyond is written as counts. An attacker with a login must not be able to fill the disk.
const (
	refusalsEach = 60 // per line and minute
	eachSecond   = 20 // of what unknown sources may cause by sending what belongs to no call
)

type limits struct {
	mu             sync.Mutex // owns all below
	refused        journal.Limit[string, counted]
	crowds         journal.Limit[crowded, struct{}]
	after, seeking journal.Limit[struct{}, struct{}] // legs answered when their record was closed, and questions of Seek
}

// counted are refusals of a line that are not written one by one.
type counted struct {
	account string
	by      map[policy.Reason]int64
}

// crowded is a bound that calls met: that of a trunk, or of a line.
type crowded struct {
	trunk, line string
}

func newLimits() limits {
	return limits{
		refused: journal.Limit[string, counted]{Most: refusalsEach, Window: time.Minute},
		crowds:  journal.Limit[crowded, struct{}]{Most: 1, Window: time.Minute},
		after:   journal.Limit[struct{}, struct{}]{Most: eachSecond, Window: time.Second},
		seeking: journal.Limit[struct{}, struct{}]{Most: eachSecond, Window: time.Second},
	}
}

// pass asks after or seeking.
func (l *limits) pass(one *journal.Limit[struct{}, struct{}], now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return one.Pass(struct{}{}, now)
}

// crowd says whether a crowd is told: those of one bound once a minute. Emergency calls have no such limit.
func (l *limits) crowd(c *Crowd, now time.Time) bool {
	met := crowded{line: c.Line}
	switch {
	case c.Trunk == "":
		return true
	case c.Line == "":
		met.trunk = c.Trunk
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.crowds.Pass(met, now)
}

// individually says whether a refusal is written by itself; if not, it is counted.
func (l *limits) individually(s *subject, reason policy.Reason) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	span, told := l.refused.Take(s.Line, s.Now)
	if !told {
		if span.Sum.by == nil {
			span.Sum = counted{account: s.Account, by: map[policy.Reason]int64{}}
		}
		span.Sum.by[reason]++
	}
	return told
}

// closeLimits writes the counts of windows that have run out and forgets them.
func (g *Gate) closeLimits(now time.Time) {
	l := &g.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crowds.Close(now, false, nil)
	l.refused.Close(now, g.stopping.Load(), func(line string, span *journal.Span[counted]) {
		f := fact.CallsRefused{Since: span.Began}
		for why, n := range span.Sum.by {
			f.Counts = append(f.Counts, fact.Count{Code: why.Code(), N: n})
		}
		g.o.Ledger.Record(f.Row(now, fact.Subject{Line: line, Account: span.Sum.account}))
	})
}
