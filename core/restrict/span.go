package restrict

import (
	"cmp"
	"slices"

	"ringfence/core/phone"
)

// maxDigits of an E.164 number.
const maxDigits = 15

var powers = func() (p [maxDigits + 1]uint64) {
	p[0] = 1
	for i := range maxDigits {
		p[i+1] = 10 * p[i]
	}
	return p
}()

// digitsOf is how many digits a number has.
func digitsOf(n uint64) int {
	length := 0
	for x := n; x != 0; x /= 10 {
		length++
	}
	return length
}

// spans are ranges in the order of their numbers, none within another, so that one search finds the only one that may hold a number.
type spans []numberSpan

// numberSpan is a range as the numbers of 15 digits that begin with it.
type numberSpan struct {
	from, until uint64
	digits      int
}

func spansOf(ranges []Range) spans {
	all := make(spans, 0, len(ranges))
	for _, r := range ranges {
		p := powers[maxDigits-r.Digits]
		all = append(all, numberSpan{r.Prefix * p, (r.Prefix + 1) * p, r.Digits})
	}
	slices.SortFunc(all, func(a, b numberSpan) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.digits, b.digits)) })
	kept := all[:0]
	for _, s := range all {
		if n := len(kept); n == 0 || s.from >= kept[n-1].until {
			kept = append(kept, s)
		}
	}
	return slices.Clip(kept)
}

func (all spans) has(n phone.Number) bool {
	if len(all) == 0 || n.Short() || n.IsZero() {
		return false
	}
	length := digitsOf(n.Digits())
	at := n.Digits() * powers[maxDigits-length]
	i, exact := slices.BinarySearchFunc(all, at, func(s numberSpan, at uint64) int { return cmp.Compare(s.from, at) })
	if !exact {
		i--
	}
	return i >= 0 && at < all[i].until && length >= all[i].digits
}
