package fit

import (
	"fmt"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/exposure"
	"ringfence/core/money"
)

// littleOf says why too little is known of a line; "": enough is.
func littleOf(calls int, first, now time.Time) string {
	days := int(now.Sub(first) / (24 * time.Hour))
	switch {
	case calls == 0:
		return "The line has made no call within a year, so nobody knows what fits."
	case days < LeastDays:
		return fmt.Sprintf("The line made its first call %s ago. After %d days its own calls say what fits.", plural(days, "day"), LeastDays)
	case calls < LeastCalls:
		return fmt.Sprintf("The line has made %s within a year. After %d its own calls say what fits.", plural(calls, "call"), LeastCalls)
	}
	return ""
}

// Fits says that something is proposed.
func (a *Answer) Fits() bool { return len(a.Parts) > 0 || !a.Only.IsZero() }

// Part finds the proposal for a field.
func (a *Answer) Part(f account.Field) (Part, bool) {
	for _, p := range a.Parts {
		if p.Field == f {
			return p, true
		}
	}
	return Part{}, false
}

// Text is the answer in a sentence: "Your last year fits in: 12p ceiling, £6 a day, 2 concurrent calls, 5 countries; exposure falls from £310.00 to £9.00."
func (a *Answer) Text() string {
	switch {
	case a.Little != "":
		return a.Little
	case !a.Fits():
		return "Your settings fit already: nothing is tighter that lets the calls of your last year pass."
	}
	to := ""
	if a.Then != a.Now {
		to = fmt.Sprintf("; exposure falls from %s to %s", exposure.Amount(a.Now), exposure.Amount(a.Then))
	}
	return fmt.Sprintf("Your last year fits in: %s%s.", strings.Join(a.Words(), ", "), to)
}

// Words are the settings in a few words each, those that matter first.
func (a *Answer) Words() (all []string) {
	for _, x := range []struct {
		field account.Field
		words func(n int64) string
	}{
		{account.InternationalCeiling, func(n int64) string { return ceiling(n, "abroad") }},
		{account.NationalCeiling, func(n int64) string { return ceiling(n, "at home") }},
		{account.LineDayCap, func(n int64) string { return round(n) + " a day" }},
		{account.LineMonthCap, func(n int64) string { return round(n) + " a month" }},
		{account.MaxCalls, func(n int64) string { return plural(int(n), "concurrent call") }},
		{account.MaxInternational, func(n int64) string { return plural(int(n), "concurrent call") + " abroad" }},
		{account.CallsPerMinute, func(n int64) string { return plural(int(n), "call") + " a minute" }},
		{account.LongestCall, func(n int64) string { return "calls up to " + length(time.Duration(n)*time.Second) }},
		{account.Premium, func(int64) string { return "no premium numbers" }},
		{account.Satellite, func(int64) string { return "no satellites" }},
		{account.Personal, func(int64) string { return "no 070 numbers" }},
		{account.Pager, func(int64) string { return "no pagers" }},
	} {
		if p, ok := a.Part(x.field); ok {
			all = append(all, x.words(p.N))
		}
	}
	if n := len(a.Only.Countries); n > 0 {
		if n == 1 {
			return append(all, "1 country")
		}
		all = append(all, fmt.Sprintf("%d countries", n))
	}
	return all
}

func ceiling(n int64, where string) string {
	if n == 0 {
		return "only free calls " + where
	}
	return money.Billing().Rate(money.Rate(n)) + " ceiling " + where
}

// round leaves out the coins of a whole amount.
func round(n int64) string {
	return strings.TrimSuffix(money.Billing().Shown(money.Micro(n)), ".00")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// length writes how long something takes: "45 min", "1 h 30 min", "40 s".
func length(d time.Duration) string {
	switch minutes := int64((d + time.Minute - 1) / time.Minute); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int64(d/time.Second))
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	case minutes%60 == 0:
		return fmt.Sprintf("%d h", minutes/60)
	default:
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	}
}
