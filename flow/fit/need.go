package fit

import (
	"maps"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/restrict"
)

// need is the least that settings must allow for some calls to pass: as they were, without a margin.
type need struct {
	home, abroad         money.Rate
	calls, far, minute   int
	talk                 time.Duration
	dayOf                int // the dearest
	day, month           money.Micro
	classes              map[phone.Class]int   // paid calls by class
	countries            map[phone.Country]int // and by country
	nowhere              bool                  // some paid call is in no country that can be named, nor of a class
	unnamed              uint32                // classes of paid calls without a country
	busiest, busiestFar  []int                 // calls that began when most were up
	homeAt, abroadAt     []int                 // calls at the dearest rate
	longest              int                   // call; -1: none
	days                 map[int]money.Micro
	calledAbroad, isPaid bool
}

// needOf looks at calls in the order of time, without those that are left out.
func needOf(all []made, out []bool) *need {
	n := &need{classes: map[phone.Class]int{}, countries: map[phone.Country]int{}, days: map[int]money.Micro{}, longest: -1}
	months := map[int]money.Micro{}
	var up, far crowd
	var begun []time.Time
	for i := range all {
		m := &all[i]
		if out != nil && out[i] || m.free {
			continue
		}
		n.priced(i, m)
		if at := up.joined(m); at >= n.calls {
			n.busiest = most(n.busiest, &n.calls, at, i)
		}
		if m.abroad {
			if at := far.joined(m); at >= n.far {
				n.busiestFar = most(n.busiestFar, &n.far, at, i)
			}
		}
		for len(begun) > 0 && m.from.Sub(begun[0]) > time.Minute {
			begun = begun[1:]
		}
		begun = append(begun, m.from)
		n.minute = max(n.minute, len(begun))
		if m.talk > n.talk {
			n.talk, n.longest = m.talk, i
		}
		months[m.day/32] += m.cost
		n.days[m.day] += m.cost
	}
	for day, sum := range n.days {
		if sum > n.day || sum == n.day && day > n.dayOf {
			n.day, n.dayOf = sum, day
		}
	}
	for _, sum := range months {
		n.month = max(n.month, sum)
	}
	return n
}

// most notes a call with as many as there ever were.
func most(list []int, is *int, at, i int) []int {
	if at > *is {
		*is, list = at, list[:0]
	}
	return append(list, i)
}

// priced notes what a call asks of ceilings, switches and countries.
func (n *need) priced(i int, m *made) {
	if !m.paid {
		return
	}
	rate, at := &n.home, &n.homeAt
	if m.abroad {
		rate, at = &n.abroad, &n.abroadAt
		n.calledAbroad = true
	}
	if r := upTo(m.minute, money.PencePerMinute); r >= *rate {
		if r > *rate {
			*rate, *at = r, (*at)[:0]
		}
		*at = append(*at, i)
	}
	n.isPaid = true
	n.classes[m.class]++
	switch {
	case phone.CountryCode(m.country) != 0:
		n.countries[m.country]++
	case m.class == phone.ClassUnknown || m.class >= phone.NumClasses:
		n.nowhere = true
	default:
		n.unnamed |= 1 << m.class
	}
}

// names are the paid destinations that were called; ok: there are such, and all of them can be named.
func (n *need) names() (s restrict.Set, ok bool) {
	s.Classes = n.unnamed
	s.Countries = slices.SortedFunc(maps.Keys(n.countries), func(a, b phone.Country) int { return slices.Compare(a[:], b[:]) })
	return s, n.isPaid && !n.nowhere && s.Check() == nil
}

// upTo rounds up to whole steps.
func upTo[T ~int64](n, step T) T {
	if over := n % step; over > 0 {
		n += step - over
	}
	return n
}

// amount rounds an amount up to one that people set: whole units up to 20, then fives, then fifties.
func amount(n money.Micro) money.Micro {
	unit := money.Billing().Sum(1)
	switch {
	case n <= 20*unit:
		return max(upTo(n, unit), unit)
	case n <= 200*unit:
		return upTo(n, 5*unit)
	}
	return upTo(n, 50*unit)
}

// Margins, in the order in which they are told.
const (
	margin      = "half as much again, rounded up"
	marginRate  = "rounded up"
	marginCount = "and a quarter more"
	leastMinute = 5
	leastTalk   = 30 * time.Minute
	talkStep    = 15 * time.Minute
	quarterOf   = 4
	halfAgain   = 3 // halves
	marginNever = "never called"
)

// switches are the settings of classes of numbers.
var switches = []struct {
	field   account.Field
	classes []phone.Class
}{
	{account.Premium, []phone.Class{phone.Premium, phone.Directory, phone.IntlPremium}},
	{account.Satellite, []phone.Class{phone.Satellite}},
	{account.Personal, []phone.Class{phone.Personal}},
	{account.Pager, []phone.Class{phone.Pager}},
}

// parts are the settings that leave room for a need and a margin, whether they are tighter than those in force or not.
func (n *need) parts() []Part {
	unit := money.Billing()
	rate := func(r money.Rate) string {
		if r == 0 {
			return "nothing that costs anything"
		}
		return "the dearest cost " + unit.Rate(r)
	}
	all := []Part{
		{Field: account.NationalCeiling, N: int64(n.home), Seen: rate(n.home), Margin: marginRate},
		{Field: account.InternationalCeiling, N: int64(n.abroad), Seen: rate(n.abroad), Margin: marginRate},
		{Field: account.LineDayCap, N: int64(amount(n.day * halfAgain / 2)), Seen: "the dearest day cost " + unit.Shown(n.day), Margin: margin},
		{Field: account.LineMonthCap, N: int64(amount(n.month * halfAgain / 2)), Seen: "the dearest month cost " + unit.Shown(n.month), Margin: margin},
		{Field: account.MaxCalls, N: int64(more(n.calls)), Seen: "never more than " + plural(n.calls, "call"), Margin: quarter(n.calls)},
		{Field: account.CallsPerMinute, N: int64(max(more(n.minute), leastMinute)), Seen: "never more than " + plural(n.minute, "call") + " within a minute", Margin: quarter(n.minute)},
		{Field: account.LongestCall, N: int64(max(upTo(n.talk*halfAgain/2, talkStep), leastTalk) / time.Second), Seen: "the longest took " + length(n.talk), Margin: margin},
	}
	if n.calledAbroad {
		all = append(all, Part{Field: account.MaxInternational, N: int64(more(n.far)), Seen: "never more than " + plural(n.far, "call") + " abroad", Margin: quarter(n.far)})
	}
	for _, s := range switches {
		used := 0
		for _, c := range s.classes {
			used += n.classes[c]
		}
		if used == 0 {
			all = append(all, Part{Field: s.field, Seen: marginNever, Margin: ""})
		}
	}
	return all
}

// quarter is the margin of a count: small ones have none.
func quarter(n int) string {
	if n < quarterOf {
		return ""
	}
	return marginCount
}

func more(n int) int { return max(n, 1) + n/quarterOf }

// stops are the settings by which a call may end.
var stops = map[policy.Reason]account.Field{
	policy.OverNational: account.NationalCeiling, policy.OverInternational: account.InternationalCeiling,
	policy.PremiumBarred: account.Premium, policy.SatelliteBarred: account.Satellite, policy.PersonalBarred: account.Personal, policy.PagerBarred: account.Pager,
	policy.TooManyCalls: account.MaxCalls, policy.TooManyInternational: account.MaxInternational, policy.TooManyPerMinute: account.CallsPerMinute,
	policy.TooLong: account.LongestCall, policy.LineDaySpent: account.LineDayCap, policy.LineMonthSpent: account.LineMonthCap,
	policy.DestinationClosed: Places, policy.CutRestricted: Places,
}
