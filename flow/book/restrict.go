package book

import (
	"slices"
	"strconv"
	"time"

	"ringfence/core/account"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

// restrictionsFrom is when ids of restrictions begin to count: they are seconds since then, so that none is used twice.
var restrictionsFrom = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// restricted is s with one restriction more, or without one, under mu. Those that have ended go with the next change.
func (b *Book) restricted(s account.Settings, add *restrict.Restriction, lift int64, now time.Time) (account.Settings, error) {
	if add == nil && lift == 0 {
		return s, nil
	}
	next, found := max(int64(now.Sub(restrictionsFrom)/time.Second), b.restriction+1), lift == 0
	kept := []restrict.Restriction{}
	for _, r := range s.Restrictions {
		next = max(next, r.ID+1)
		if found = found || r.ID == lift; r.ID != lift && !r.Ended(now) {
			kept = append(kept, r)
		}
	}
	if !found {
		return s, store.ErrNotFound
	}
	if add != nil {
		r := add
		if r.ID, r.Until = next, r.Until.UTC(); r.Since.IsZero() {
			r.Since = now.UTC().Truncate(time.Second)
		}
		if !r.Until.IsZero() && !r.Until.After(now) {
			return s, &Invalid{"until", r.Until.Format(time.RFC3339), "a time to come"}
		}
		if len(kept) >= account.MaxRestrictions {
			return s, &Invalid{"restrictions", strconv.Itoa(len(kept) + 1), "at most " + strconv.Itoa(account.MaxRestrictions) + ": lift one first"}
		}
		kept, b.restriction = append(kept, *r), next
	}
	s.Restrictions = slices.Clip(kept)
	return s, nil
}
