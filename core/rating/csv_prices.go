package rating

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/money"
)

// rates fills the bands, and says that the row has no price and is to be left out.
func (r *deckReader) rates(cells []string, p *Price, needed bool) (blank bool) {
	sources := r.columns.bandSources()
	for band, f := range sources {
		if i := slices.Index(sources[:band], f); i >= 0 {
			p.Rates[band] = p.Rates[i]
			continue
		}
		text := r.cell(cells, f)
		if !isNoRate(text) {
			p.Rates[band] = r.rate(cells, f)
			continue
		}
		blank = true
		if needed && !r.opt.SkipBlank {
			r.fieldFault(f, text, "a rate (rows without one can be left out on request: their destinations are then refused)")
		}
	}
	return blank
}

// bandSources is the column of each band's rate: its own, else the rate for all, else off-peak for weekends and any
// other there is.
func (c *columns) bandSources() (sources [NumBands]field) {
	orders := [NumBands][]field{
		Peak:    {fieldPeak, fieldRate, fieldOffPeak},
		OffPeak: {fieldOffPeak, fieldRate, fieldPeak},
		Weekend: {fieldWeekend, fieldOffPeak, fieldRate, fieldPeak},
	}
	for band, order := range orders {
		sources[band] = order[slices.IndexFunc(order, c.has)]
	}
	return sources
}

func isNoRate(text string) bool {
	switch strings.ToLower(text) {
	case "", "-", "--", "n/a", "na", "nil", "none", "blocked", "tba", "tbc", "#n/a":
		return true
	}
	return false
}

// rate reads a price for the period that its header or its row names, as one for a minute.
func (r *deckReader) rate(cells []string, f field) money.Rate {
	n, period := r.amount(cells, f, 9), r.columns.units[f].period
	if r.columns.has(fieldPeriod) && f != fieldFirstRate {
		period = int64(r.seconds(fieldPeriod, r.cell(cells, fieldPeriod)))
	}
	switch {
	case period == 0 || period == 60:
		return money.Rate(n)
	case n > math.MaxInt64/60:
		r.fieldFault(f, r.cell(cells, f), "a smaller number")
	case n*60%period != 0:
		r.fieldFault(f, r.cell(cells, f), "a price that is a number of billionths for a minute; this one is for "+strconv.FormatInt(period, 10)+" seconds")
	}
	return money.Rate(n * 60 / period)
}

// amount reads money as an integer of 10^-places of the currency, converted if need be, 0 after a fault.
func (r *deckReader) amount(cells []string, f field, places int) int64 {
	text, u := splitAmount(r.cell(cells, f))
	hundredths := u.hundredths || !u.whole && r.pence(f)
	if u.currency != "" && !r.sameCurrency(r.columns.at[f]-1, r.cell(cells, f), u.currency) {
		return 0
	}
	if u.whole && u.hundredths {
		r.fieldFault(f, r.cell(cells, f), "one unit, not a sign of pounds and one of pence")
		return 0
	}
	if u.whole && r.columns.units[f].hundredths {
		r.fieldFault(f, r.cell(cells, f), "hundredths, as the header says")
		return 0
	}
	switch {
	case hundredths:
		places -= 2
	case r.opt.Thousandths && !u.whole && !r.columns.units[f].whole:
		places -= 3
	}
	n, expected := r.numbers.parse(text, places)
	if expected != "" {
		r.fieldFault(f, r.cell(cells, f), expected)
		return 0
	}
	if r.opt.Exchange.From != "" {
		n = r.opt.Exchange.Convert(n)
	}
	return n
}

// charges fills what a call costs beside its minutes.
func (r *deckReader) charges(cells []string, p *Price) {
	if r.columns.has(fieldConnect) {
		p.Connect = r.micro(cells, fieldConnect)
	}
	if r.columns.has(fieldMinimum) {
		p.Minimum = r.micro(cells, fieldMinimum)
	}
	if r.columns.has(fieldFirstRate) {
		r.firstRate(cells, p)
	}
}

// micro reads a charge; blank is none.
func (r *deckReader) micro(cells []string, f field) money.Micro {
	if text := r.cell(cells, f); isNoRate(text) {
		return 0
	}
	return money.Micro(r.amount(cells, f, 6))
}

// firstRate is the rate of the first interval, where it has its own. Each call is billed that whole interval, so that the
// difference from the other rate is a connection charge.
func (r *deckReader) firstRate(cells []string, p *Price) {
	text := r.cell(cells, fieldFirstRate)
	if isNoRate(text) {
		r.fieldFault(fieldFirstRate, text, "the rate of the first interval")
		return
	}
	more := (int64(r.rate(cells, fieldFirstRate)) - int64(p.Rates[Peak])) * int64(p.First)
	if more < 0 || more%60_000 != 0 {
		r.fieldFault(fieldFirstRate, text, "a rate of the first interval that is the other or more, by a whole number of millionths in all")
		return
	}
	p.Connect = p.Connect.Add(money.Micro(more / 60_000))
}

// increments come from "30/6" in one cell or from two columns; the file that has neither gets those of the options.
func (r *deckReader) increments(cells []string) (first, step uint16) {
	c := &r.columns
	switch {
	case c.has(fieldFirst) && (c.has(fieldStep) || c.has(fieldIncrements)):
		f := fieldStep
		if !c.has(f) {
			f = fieldIncrements
		}
		return r.twoIncrements(cells, f)
	case c.has(fieldIncrements) && c.has(fieldStep):
		first, _ = r.pair(fieldIncrements, r.cell(cells, fieldIncrements))
		return first, r.seconds(fieldStep, r.cell(cells, fieldStep))
	case c.has(fieldIncrements):
		return r.pair(fieldIncrements, r.cell(cells, fieldIncrements))
	case c.has(fieldFirst):
		return r.pair(fieldFirst, r.cell(cells, fieldFirst))
	case c.has(fieldStep):
		return r.pair(fieldStep, r.cell(cells, fieldStep))
	}
	return max(1, r.opt.First), max(1, r.opt.Step)
}

// twoIncrements has a column for the first and one, f, for the others or for both. A first of 0 is none of its own.
func (r *deckReader) twoIncrements(cells []string, f field) (first, step uint16) {
	text, further := r.cell(cells, fieldFirst), r.cell(cells, f)
	if before, after, both := cutPair(further); both {
		step = r.seconds(f, after)
		if first = r.seconds(fieldFirst, text); first != r.seconds(f, before) {
			r.fieldFault(f, further, "the first increment that its own column has, "+text+" s")
		}
		return first, step
	}
	if step = r.seconds(f, further); strings.Trim(text, "0.") == "" && strings.Contains(text, "0") {
		return step, step
	}
	return r.seconds(fieldFirst, text), step
}

// pair reads "30/6", "30+6", or one number that is both.
func (r *deckReader) pair(f field, text string) (first, step uint16) {
	a, b, both := cutPair(text)
	if !both {
		b = a
	}
	return r.seconds(f, a), r.seconds(f, b)
}

func cutPair(text string) (before, after string, found bool) {
	if strings.Count(text, ":") == 2 { // 00:00:30
		return text, "", false
	}
	if i := strings.IndexAny(text, "/+-:\\|;"); i >= 0 {
		return text[:i], text[i+1:], true
	}
	return text, "", false
}

// seconds reads a time: "30", "30s", "1 min", "1m0s", "per second". A spreadsheet's "30.0" is 30.
func (r *deckReader) seconds(f field, text string) uint16 {
	number := strings.ToLower(strings.TrimSpace(text))
	if whole, zeros, ok := strings.Cut(number, "."); ok && strings.Trim(zeros, "0") == "" && zeros != "" {
		number = whole
	}
	if n, err := strconv.ParseUint(number, 10, 16); err == nil && n > 0 {
		return uint16(n)
	}
	if n := spelledSeconds(number); n > 0 && n <= math.MaxUint16 {
		return uint16(n)
	}
	r.fieldFault(f, text, "seconds, 1 to 65535 (30/6 where one cell holds both)")
	return 1
}

func spelledSeconds(text string) int64 {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "per "), "/")
	if n, ok := periods[text]; ok {
		return n
	}
	if parts := strings.Split(text, ":"); len(parts) == 3 {
		text = parts[0] + "h" + parts[1] + "m" + parts[2] + "s"
	}
	if d, err := time.ParseDuration(text); err == nil && d%time.Second == 0 {
		return int64(d / time.Second)
	}
	digits := strings.TrimLeft(text, "0123456789")
	n, err := strconv.ParseInt(text[:len(text)-len(digits)], 10, 32)
	if err != nil {
		return 0
	}
	return n * periods[strings.TrimRight(strings.TrimSpace(digits), ".")]
}
