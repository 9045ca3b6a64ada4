package rating

import (
	"fmt"
	"slices"

	"ringfence/core/money"
)

// hundredfold is a little less than the hundred between a currency and its hundredths, for prices that changed besides.
const hundredfold = 50

// askUnit asks for the unit of prices that nothing names and that would be very dear as whole pounds or euros.
func (r *deckReader) askUnit() {
	u := r.columns.units[r.columns.bandSources()[Peak]]
	if u.says() || r.out.Format.Stated || r.opt.Pence || r.opt.Whole {
		return
	}
	rates := rated(r.out.Prices)
	whole := money.Rate(r.currencyOf().Sum(1)) * 1000
	if len(rates) < 3 || rates[len(rates)/2] < whole {
		return
	}
	var examples []string
	for i := range r.out.Prices[:min(3, len(r.out.Prices))] {
		p := &r.out.Prices[i]
		examples = append(examples, fmt.Sprintf("prefix %s (%s): %s a minute", p.Digits(), clip(p.Name), p.Dearest()))
	}
	q := Ask(AskUnit, fmt.Sprintf("The file does not say what its prices are in, and half of them are %s or more a minute: are they whole units of %s or hundredths?",
		rates[len(rates)/2], r.wanted()), examples)
	q.Flag, q.Choices = "unit", []string{"whole", "hundredths"}
	r.ask(q)
}

func (r *deckReader) currencyOf() money.Currency {
	if r.opt.Billing.Code == "" {
		return money.Sterling
	}
	return r.opt.Billing
}

// rated are the rates above zero, the least first.
func rated(prices []Price) []money.Rate {
	rates := make([]money.Rate, 0, len(prices))
	for i := range prices {
		if rate := prices[i].Dearest(); rate > 0 {
			rates = append(rates, rate)
		}
	}
	slices.Sort(rates)
	return rates
}

// AskScale asks about a version of a deck most of whose prices are about a hundred times those of the version before, or a
// hundredth: pounds that were read as pence, or the other way round.
func AskScale(before, after []Price) (Question, bool) {
	was := make(map[prefixOf]money.Rate, len(before))
	for i := range before {
		was[prefixOf{before[i].Prefix, before[i].Short}] = before[i].Dearest()
	}
	both, dearer, cheaper := 0, 0, 0
	var examples []string
	for i := range after {
		p := &after[i]
		old, rate := was[prefixOf{p.Prefix, p.Short}], p.Dearest()
		if old == 0 || rate == 0 {
			continue
		}
		both++
		switch {
		case rate/hundredfold >= old:
			dearer++
		case old/hundredfold >= rate:
			cheaper++
		default:
			continue
		}
		examples = append(examples, fmt.Sprintf("prefix %s (%s): %s a minute, %s before", p.Digits(), clip(p.Name), rate, old))
	}
	if both == 0 { // not one prefix in common
		if a, b := rated(after), rated(before); len(a) > 0 && len(b) > 0 {
			both = 1
			switch rate, old := a[len(a)/2], b[len(b)/2]; {
			case rate/hundredfold >= old:
				dearer++
			case old/hundredfold >= rate:
				cheaper++
			}
		}
	}
	word := "dearer"
	if cheaper > dearer {
		word = "cheaper"
	}
	if 2*max(dearer, cheaper) <= both {
		return Question{}, false
	}
	return Ask(askScale, "Most prices are about a hundred times "+word+" than in the version before: are pence and pounds mistaken for each other?", examples), true
}
