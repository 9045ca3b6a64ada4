package gate

import (
	"sync/atomic"

	"ringfence/core/policy"
)

// Stats counts what the gate did since it started.
type Stats struct {
	admitted, answered, extended, cut atomic.Uint64
	refusals, ends                    [policy.NumReasons]atomic.Uint64
}

func (s *Stats) refused(r policy.Reason) { s.refusals[r].Add(1) }
func (s *Stats) ended(r policy.Reason)   { s.ends[r].Add(1) }

// Counts are the gate's counters at one moment; the maps have an entry for each reason that occurred, by its code.
type Counts struct {
	Admitted, Answered, Extended, Cut uint64
	Refused, Ended                    map[string]uint64
}

// Counts reads the counters.
func (g *Gate) Counts() Counts {
	s := &g.stats
	return Counts{
		Admitted: s.admitted.Load(), Answered: s.answered.Load(), Extended: s.extended.Load(), Cut: s.cut.Load(),
		Refused: byCode(&s.refusals), Ended: byCode(&s.ends),
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
