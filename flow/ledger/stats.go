package ledger

import (
	"time"

	"ringfence/state/store"
)

// CommitBounds are the upper bounds of the classes of Stats.Commit; the last class has none.
var CommitBounds = [...]time.Duration{
	500 * time.Microsecond, time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond,
	20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, time.Second,
}

// Stats are counts since the start, and what is waiting now.
type Stats struct {
	Groups       uint64 // transactions that succeeded
	Ops          uint64 // ops in them
	Refused      uint64 // ops without room in a purse
	Failures     uint64 // transactions that failed
	Invalid      uint64 // ops that could never be applied
	Lost         uint64 // posted ops dropped by the bound of Options.Posted, or after Stop
	FactsDropped uint64 // by the bound of Options.Facts

	LargestGroup int
	CommitTime   time.Duration                 // sum over Groups
	Commit       [len(CommitBounds) + 1]uint64 // Groups by duration, see CommitBounds

	Waiting int // ops waited for in Do
	Posted  int // ops of Post not yet durable
	Facts   int // facts of Record not yet durable
}

// Stats gives a consistent copy.
func (l *Ledger) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Waiting, s.Posted, s.Facts = l.waiting, l.posted, l.facts
	return s
}

func (s *Stats) count(group []*entry, outs []store.Outcome, took time.Duration) {
	if len(group) == 0 {
		return
	}
	s.Groups++
	s.Ops += uint64(len(group))
	s.LargestGroup = max(s.LargestGroup, len(group))
	s.CommitTime += took
	class := 0
	for class < len(CommitBounds) && took > CommitBounds[class] {
		class++
	}
	s.Commit[class]++
	for i := range outs {
		if outs[i].Refused {
			s.Refused++
		}
	}
}
