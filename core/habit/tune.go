package habit

import (
	"math"
	"slices"
	"time"

	"ringfence/core/money"
)

// Lives are all lives, the least trusted first.
func Lives() []Life { return []Life{Off, Shadow, Canary, Live} }

// Closings are the steps of the ladder that close something.
func Closings() []Step { return []Step{Tighten, OneRange, OneCountry, Narrow, Abroad, Paid, Login} }

// LongestAnswer is a bound of how long an answer may hold.
const LongestAnswer = longestAnswer * time.Minute

// AtMost are the rules with no rule trusted further than a life.
func (r *Rules) AtMost(life Life) *Rules {
	less := *r
	for kind := range less.Meters {
		less.Meters[kind].Life = min(less.Meters[kind].Life, life)
	}
	return &less
}

// Whole says that a meter is of all lines of a customer.
func (k MeterKind) Whole() bool { return k.whole() }

// Most is the highest level that a meter can show of calls that cost so much together; 0: it never counts any.
func (r *Rules) Most(kind MeterKind, spent money.Micro) money.Micro {
	factor, all := 256.0, Call{}
	for sign, f := range r.Signs {
		if f != NoFactor {
			all.signs.add(Sign(sign))
		}
		factor = min(factor*float64(f)/256, float64(r.MostFactor))
	}
	switch {
	case kind == Pace && !all.odd():
		return 0
	case kind == Pace:
		return spent
	}
	young := 2.0 // what a new customer's calls weigh more
	most := float64(spent) * young * float64(slices.Max(r.Weights[:])) / 256 * factor / 256
	return money.Micro(min(most, math.MaxInt64/2))
}
