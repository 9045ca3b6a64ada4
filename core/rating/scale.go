package rating

import (
	"fmt"
	"slices"

	"ringfence/core/money"
)

// hundredfold is a little less than the hundred between a currency and its hundredths, for prices that changed besides.
const hundredfold = 50

// Prices below these fractions of their limits are too low to be real: as whole units, and as hundredths.
const (
	leastWhole      = 1.0 / 1000
	leastHundredths = 1.0 / 250
)

// askUnit asks for the unit of prices without one that are, as whole pounds or euros, dear for their destinations. A file
// that names its unit is believed, unless it says hundredths and the prices are then next to nothing.
func (r *deckReader) askUnit() {
	u := r.columns.units[r.columns.bandSources()[Peak]]
	u.hundredths = u.hundredths || r.saysMinor
	asksPence := r.saysPence != "" && !u.says()
	if r.unitGiven() || !asksPence && !u.hundredths && (u.whole || r.out.Format.Stated && !r.saysHalf) {
		return
	}
	file, err := money.CurrencyOf(r.wanted())
	times := levelOf(r.out.Prices).dearness(r.opt.Kind, r.currencyOf())
	switch {
	case err != nil:
	case asksPence:
		q := Ask(AskUnit, fmt.Sprintf("The rows above the header contain %q, and the rates do not state their unit: are they whole units of %s or %s?", clip(r.saysPence), file.Code, parts(file)), r.examples())
		q.Flag, q.Choices = "unit", []string{"whole", parts(file)}
		r.ask(q)
	case times == 0:
	case u.hundredths && times < leastHundredths:
		r.ask(Ask(AskScaled, "Most prices are far below what such calls cost anywhere: are they whole units, although the file says hundredths?", r.examples()))
	case times < leastWhole:
		r.ask(Ask(AskScaled, fmt.Sprintf("Most prices are far below what such calls cost anywhere: are they in %s, and per minute?", file.Code), r.examples()))
	case times >= 1 && file.Places > 0 && !u.hundredths:
		q := Ask(AskUnit, fmt.Sprintf("The file does not state the unit of its prices, and most are high for their destinations: are they whole units of %s or %s?",
			file.Code, parts(file)), r.examples())
		q.Flag, q.Choices = "unit", []string{"whole", parts(file)}
		r.ask(q)
	}
}

// unitGiven says that a person gave the unit of amounts that have none.
func (r *deckReader) unitGiven() bool { return r.opt.Pence || r.opt.Whole || r.opt.Thousandths }

// parts are what a currency is divided into.
func parts(c money.Currency) string {
	if c.Places == 3 {
		return "thousandths"
	}
	return "hundredths"
}

// askCharge asks about connection charges that only a premium number would have, and whose column names no unit: rates and
// charges are not always in the same.
func (r *deckReader) askCharge() {
	at := r.columns.at[fieldConnect] - 1
	if u := r.columns.units[fieldConnect]; at < 0 || u.says() || r.unitGiven() || worth[r.currencyOf().Code] == 0 {
		return
	}
	most := money.Micro(worth[r.currencyOf().Code] * 10_000) // the value of one pound
	ordinary, charges := 0, []money.Micro{}
	var examples []string
	for i := range r.out.Prices {
		p := &r.out.Prices[i]
		if g := levelKeyOf(p.Prefix).group; p.Short || p.NoPrice || g == groupNone || g >= groupPremium {
			continue
		}
		if ordinary++; p.Connect == 0 {
			continue
		}
		if charges = append(charges, p.Connect); p.Connect >= most {
			examples = append(examples, fmt.Sprintf("prefix %s: %s for each call", titled(p), p.Connect))
		}
	}
	slices.Sort(charges)
	if 4*len(charges) >= ordinary && len(charges) > 0 && charges[len(charges)/2] >= most {
		r.ask(Ask(AskScaled, "Most connection charges are high for their destinations, and their column does not state a unit: are they whole units? "+r.mapHint(at, "connection charge (p)")+".", examples))
	}
}

// examples are the prices that show most: destinations that are cheap with every carrier come first.
func (r *deckReader) examples() (texts []string) {
	var by [numGroups][]string
	for i := range r.out.Prices {
		p := &r.out.Prices[i]
		if g := levelKeyOf(p.Prefix).group; !p.Short && g != groupNone && p.Dearest() > 0 && len(by[g]) < 3 {
			by[g] = append(by[g], fmt.Sprintf("prefix %s: %s a minute", titled(p), p.Dearest()))
		}
	}
	texts = slices.Concat(by[:]...)
	return texts[:min(3, len(texts))]
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
// hundredth: pounds that were read as pence, or pence as pounds.
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
		examples = append(examples, fmt.Sprintf("prefix %s: %s a minute, %s before", titled(p), rate, old))
	}
	if both == 0 { // not one prefix in common
		times := levelOf(after).against(levelOf(before))
		if times == 0 {
			times = ratio(rated(after), rated(before))
		}
		both = 1
		switch {
		case times >= hundredfold:
			dearer++
		case times > 0 && times <= 1.0/hundredfold:
			cheaper++
		}
	}
	word := "dearer"
	if cheaper > dearer {
		word = "cheaper"
	}
	if 2*max(dearer, cheaper) <= both {
		return Question{}, false
	}
	return Ask(AskScaled, "Most prices are about a hundred times "+word+" than in the version before: have pence and pounds been confused?", examples), true
}

func ratio(after, before []money.Rate) float64 {
	if len(after) == 0 || len(before) == 0 {
		return 0
	}
	return float64(after[len(after)/2]) / float64(before[len(before)/2])
}

// SameScale says that the prices of two versions are in one unit: most of them are within an order of magnitude.
func SameScale(before, after []Price) bool {
	times := levelOf(after).against(levelOf(before))
	return times > 0.1 && times < 10
}

// scaleBounds limit the median ratio, over all countries, of the prices of one deck to those of another, if both are in one
// unit. Where calls cost next to nothing, a customer pays up to a hundred times what a carrier charges.
func scaleBounds(kind, other Kind) (least, most float64) {
	switch kind {
	case other:
		return 1.0 / 15, 15
	case Retail:
		return 1.0 / 5, 100
	}
	return 1.0 / 100, 5
}

// AskOther asks about a deck whose prices lie so far above or below those of another deck of the provider that pounds and
// pence must have been mistaken in one of them.
func AskOther(prices []Price, kind Kind, name string, others []Price, other Kind) (Question, bool) {
	mine, theirs := levelOf(prices), levelOf(others)
	times := mine.against(theirs)
	least, most := scaleBounds(kind, other)
	if times == 0 || times > least && times < most {
		return Question{}, false
	}
	text := fmt.Sprintf("Most prices are about %.0f times those of deck %s (%s): have pence and pounds been confused?", times, name, other)
	if times < 1 {
		text = fmt.Sprintf("Most prices of deck %s (%s) are about %.0f times these: have pence and pounds been confused?", name, other, 1/times)
	}
	var examples []string
	for key, rate := range mine {
		if was := theirs[key]; was > 0 {
			examples = append(examples, fmt.Sprintf("%s: %s a minute, %s in deck %s", key.country, rate, was, name))
		}
	}
	slices.Sort(examples)
	return Ask(AskScaled, text, examples), true
}
