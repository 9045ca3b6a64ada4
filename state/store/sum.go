package store

import (
	"cmp"
	"slices"
	"time"

	"ringfence/core/call"
)

// SumUp sums records, for engines without SQL and for parts of a sum.
func SumUp(all []call.CDR, by SumBy) []CDRSum {
	parts := make([]CDRSum, len(all))
	for i := range all {
		parts[i] = sumOf(&all[i], by)
	}
	return MergeSums(parts)
}

func sumOf(c *call.CDR, by SumBy) CDRSum {
	s := CDRSum{Calls: 1, Talk: c.Talk, Retail: c.Retail}
	switch c.Outcome() {
	case call.Refused:
		s.Refused = 1
	case call.Talked:
		s.Answered = 1
	}
	switch by {
	case SumQuarter:
		s.Slot = c.Begun.UnixMicro() / int64(Quarter/time.Microsecond)
	case SumLineCountry:
		s.Line, s.Country = c.Line, c.Country
	case SumReason:
		s.Reason = c.Reason
	}
	return s
}

// MergeSums adds up sums of the same, and puts them in order.
func MergeSums(parts []CDRSum) (out []CDRSum) {
	slices.SortFunc(parts, func(a, b CDRSum) int {
		return cmp.Or(cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Country, b.Country), cmp.Compare(a.Reason, b.Reason))
	})
	for _, p := range parts {
		if n := len(out) - 1; n >= 0 && out[n].Slot == p.Slot && out[n].Line == p.Line && out[n].Country == p.Country && out[n].Reason == p.Reason {
			s := &out[n]
			s.Calls, s.Refused, s.Answered = s.Calls+p.Calls, s.Refused+p.Refused, s.Answered+p.Answered
			s.Talk, s.Retail = s.Talk+p.Talk, s.Retail.Add(p.Retail)
			continue
		}
		out = append(out, p)
	}
	return out
}
