package settle

import (
	"errors"
	"math/bits"
	"slices"

	"ringfence/core/money"
)

// Spread divides what a carrier grants for a whole claim over its calls, in proportion to what was claimed for each. The parts add
// up exactly, and none is above what was claimed: what was granted beyond the claim is left, and stays with us.
func Spread(granted money.Micro, claimed []money.Micro) (parts []money.Micro, left money.Micro, err error) {
	total := money.Micro(0)
	for _, c := range claimed {
		if c < 0 {
			return nil, 0, errors.New("a claim below zero")
		}
		total = total.Add(c)
	}
	if granted < 0 {
		return nil, 0, errors.New("a grant below zero")
	}
	parts = make([]money.Micro, len(claimed))
	if total == 0 {
		return parts, granted, nil
	}
	share := min(granted, total)
	type fraction struct {
		rest uint64
		i    int
	}
	rests, given := make([]fraction, len(claimed)), money.Micro(0)
	for i, c := range claimed {
		hi, lo := bits.Mul64(uint64(share), uint64(c))
		q, rest := bits.Div64(hi, lo, uint64(total)) // share ≤ total, so that the quotient is at most c
		parts[i], rests[i] = money.Micro(q), fraction{rest, i}
		given += parts[i]
	}
	slices.SortStableFunc(rests, func(a, b fraction) int {
		switch {
		case a.rest > b.rest:
			return -1
		case a.rest < b.rest:
			return 1
		}
		return 0
	})
	for k := 0; given < share; k++ { // fewer micro-units are missing than there are calls with a remainder
		parts[rests[k].i]++
		given++
	}
	return parts, granted - share, nil
}
