package gate

import (
	"maps"
	"sync"
	"sync/atomic"

	"ringfence/core/policy"
)

// Stats counts what the gate did since it started.
type Stats struct {
	admitted, answered, extended, cut atomic.Uint64
	refusals, ends                    [policy.NumReasons]atomic.Uint64
	adrift                            atomic.Int64

	mu          sync.Mutex // owns unconfirmed
	unconfirmed map[string]uint64
}

func (s *Stats) refusedEnd(trunk string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unconfirmed == nil {
		s.unconfirmed = map[string]uint64{}
	}
	s.unconfirmed[trunk]++
}

func (s *Stats) refused(r policy.Reason) { s.refusals[r].Add(1) }
func (s *Stats) ended(r policy.Reason)   { s.ends[r].Add(1) }

// Counts are the gate's counters at one moment; the maps have an entry for each reason that occurred, by its code.
type Counts struct {
	Admitted, Answered, Extended, Cut uint64
	Refused, Ended                    map[string]uint64
	// Unconfirmed counts the legs whose end was never confirmed, by trunk ("": a phone of ours).
	Unconfirmed map[string]uint64
	Adrift      int64 // calls in the books of which the last audit found no leg: 0 always, or something is wrong
}

// Counts reads the counters.
func (g *Gate) Counts() Counts {
	s := &g.stats
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counts{
		Admitted: s.admitted.Load(), Answered: s.answered.Load(), Extended: s.extended.Load(), Cut: s.cut.Load(),
		Refused: byCode(&s.refusals), Ended: byCode(&s.ends),
		Unconfirmed: maps.Clone(s.unconfirmed), Adrift: s.adrift.Load(),
	}
}

func byCode(all *[policy.NumReasons]atomic.Uint64) map[string]uint64 {
	m := map[string]uint64{}
	for r := range policy.NumReasons {
		if n := all[r].Load(); n > 0 {
			m[r.Code()] = n
		}
	}
	return m
}
