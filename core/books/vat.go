package books

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/money"
)

// Rate is a percentage of VAT, in thousandths: 20 % is 20_000.
type Rate int64

// Of is the tax on an amount, rounded down to a millionth.
func (r Rate) Of(net money.Micro) money.Micro {
	const all = 100_000
	return net/all*money.Micro(r) + net%all*money.Micro(r)/all
}

// String is the percentage without its sign: "20", "17.5".
func (r Rate) String() string {
	text := fmt.Sprintf("%d.%03d", r/1000, r%1000)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// From is a rate and the day from which it is in force; the zero day is always.
type From struct {
	Rate Rate
	Day  time.Time
}

// Rates are the rates of VAT in the order of their days.
type Rates []From

// ParseRates reads "20", or "17.5, 20 from 2011-01-04".
func ParseRates(text string) (Rates, error) {
	var out Rates
	for part := range strings.SplitSeq(text, ",") {
		number, day, dated := strings.Cut(strings.TrimSpace(part), " from ")
		n, err := money.Sterling.ParseAmount(strings.TrimSuffix(strings.TrimSpace(number), "%"))
		f := From{Rate: Rate(n / 1000)}
		if err == nil && (n%1000 != 0 || n < 0 || f.Rate > 100_000) {
			err = fmt.Errorf("%q is not a percentage of at most 100 with three decimals", number)
		}
		if err == nil && dated {
			f.Day, err = time.Parse(time.DateOnly, strings.TrimSpace(day))
		}
		if err != nil {
			return nil, fmt.Errorf(`VAT %q: %w (want "20", or "17.5, 20 from 2011-01-04")`, text, err)
		}
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b From) int { return a.Day.Compare(b.Day) })
	for i := 1; i < len(out); i++ {
		if out[i].Day.Equal(out[i-1].Day) {
			return nil, fmt.Errorf("VAT %q: two rates for one day", text)
		}
	}
	return out, nil
}

// On is the rate in force on the day of an instant, as its own zone has it; 0 before the first.
func (r Rates) On(at time.Time) (rate Rate) {
	day := at.Format(time.DateOnly)
	for _, f := range r {
		if f.Day.IsZero() || cmp.Compare(f.Day.Format(time.DateOnly), day) <= 0 {
			rate = f.Rate
		}
	}
	return rate
}
