package rating

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"ringfence/core/money"
)

// unit is what a header, a mapping or a cell says of amounts.
type unit struct {
	hundredths bool
	whole      bool
	currency   string
	period     int64 // seconds that a price is for; 0: not said
	seconds    bool  // a time, or a price that forgot its "per"
}

func (u *unit) merge(other unit) {
	u.hundredths = u.hundredths || other.hundredths
	u.whole = u.whole || other.whole
	u.seconds = u.seconds || other.seconds
	if other.currency != "" {
		u.currency = other.currency
	}
}

// says is true when something is known of the unit of an amount.
func (u *unit) says() bool { return u.hundredths || u.whole }

// columns maps fields to cells.
type columns struct {
	at      [numFields]int // cell number from 1, 0 for none
	units   [numFields]unit
	twice   [][2]int // cells, from 0, that claim one field
	nothing []nothingColumn
	unknown []int          // cells, from 0, whose name says nothing
	unused  []int          // cells, from 0, that affect no bill
	minimum int            // cell number from 1 of a minimum of something, 0 for none
	mapped  map[int]string // cells, from 0, that the mapping names
}

// nothingColumn is one that must say nothing.
type nothingColumn struct {
	cell int // from 0
	meaning
}

func (c *columns) has(f field) bool { return c.at[f] > 0 }

// usable says that a row of names can be a header.
func (c *columns) usable() bool {
	return (c.has(fieldPrefix) || c.has(fieldCountryCode)) && (c.has(fieldRate) || c.has(fieldPeak) || c.has(fieldOffPeak))
}

// known is the number of fields that were found.
func (c *columns) known() int {
	n := 0
	for f := fieldName; f < numFields; f++ {
		if c.has(f) {
			n++
		}
	}
	return n
}

// claim is a column that says it is a field.
type claim struct {
	cell int
	unit unit
	meaning
}

// recognise reads a row of header names, as the mapping renames them.
func recognise(cells []string, m Mapping, kind Kind) columns {
	c := columns{mapped: map[int]string{}}
	var claims []claim
	gateway := slices.ContainsFunc(cells, func(cell string) bool { return strings.Join(headerWords(strings.ToLower(cell)), " ") == "lead strip" })
	for i, cell := range cells {
		name, mapped := m.rename(i, cell)
		if mapped {
			c.mapped[i] = name
		}
		if len(name) > MaxCellBytes {
			continue
		}
		mean, u := readHeader(name)
		if gateway && !mapped && dialledBefore(name) {
			mean = meaning{field: fieldUnused}
		}
		if mapped && mean.field == fieldEitherMinimum {
			mean.field = fieldMinimum
		}
		switch mean.field {
		case fieldNone:
			c.unknown = append(c.unknown, i)
		case fieldUnused:
			c.unused = append(c.unused, i)
		case fieldNothing:
			c.nothing = append(c.nothing, nothingColumn{i, mean})
		default:
			claims = append(claims, claim{i, u, mean})
		}
	}
	for _, cl := range c.oneSide(claims, kind) {
		c.give(cl)
	}
	return c
}

// dialledBefore holds for the columns of a routing table (mod_lcr, FusionPBX) that say what a gateway is sent instead of the number
// that "digits" stands for.
func dialledBefore(name string) bool {
	switch strings.Join(headerWords(strings.ToLower(name)), " ") {
	case "lead strip", "trail strip", "prefix", "suffix":
		return true
	}
	return false
}

// oneSide leaves out selling prices when the deck is one of costs, and buying prices otherwise, if the file has both.
func (c *columns) oneSide(claims []claim, kind Kind) []claim {
	want, other := selling, buying
	if kind == Cost {
		want, other = buying, selling
	}
	priced := func(s side) bool {
		return slices.ContainsFunc(claims, func(cl claim) bool { return cl.side == s && cl.field == fieldRate })
	}
	if !priced(want) && !priced(either) && priced(other) {
		want, other = other, want
	}
	return slices.DeleteFunc(claims, func(cl claim) bool {
		// Beside a buying rate, a rate without a side is the selling rate.
		if cl.side != other && (cl.field != fieldRate || cl.side != either || want != buying || !priced(buying)) {
			return false
		}
		c.unused = append(c.unused, cl.cell)
		return true
	})
}

// give enters a column. The first of two names is shown; every other field can have only one column.
func (c *columns) give(cl claim) {
	f := cl.field
	if (f == fieldMinimum || f == fieldEitherMinimum) && cl.unit.seconds {
		f = fieldFirst
	}
	if f == fieldEitherMinimum && cl.unit.says() {
		f = fieldMinimum
	}
	switch {
	case f == fieldEitherMinimum && c.minimum > 0:
		c.twice = append(c.twice, [2]int{c.minimum - 1, cl.cell})
	case f == fieldEitherMinimum:
		c.minimum = cl.cell + 1
	case c.has(f) && f == fieldName:
		c.unused = append(c.unused, cl.cell)
	case c.has(f):
		c.twice = append(c.twice, [2]int{c.at[f] - 1, cl.cell})
	default:
		c.at[f], c.units[f] = cl.cell+1, cl.unit
	}
}

// unitWords are words for units of amounts and times in a header, beside its name.
var unitWords = map[string]unit{
	"pence": {hundredths: true, currency: "GBP"}, "penny": {hundredths: true, currency: "GBP"}, "p": {hundredths: true, currency: "GBP"},
	"gbx": {hundredths: true, currency: "GBP"}, "cents": {hundredths: true}, "cent": {hundredths: true}, "c": {hundredths: true},
	"pounds": {whole: true, currency: "GBP"}, "sterling": {whole: true, currency: "GBP"}, "euros": {whole: true, currency: "EUR"},
	"euro": {whole: true, currency: "EUR"}, "dollars": {whole: true}, "dollar": {whole: true},
	"inc": {}, "incl": {}, "including": {}, "ex": {}, "excl": {}, "exc": {}, "excluding": {}, "vat": {}, "in": {}, "the": {},
	"s": {seconds: true}, "secs": {seconds: true}, "sec": {seconds: true}, "seconds": {seconds: true}, "second": {seconds: true},
}

// periods are times that a price can be for, in seconds.
var periods = map[string]int64{
	"second": 1, "sec": 1, "s": 1, "secs": 1, "seconds": 1, "minute": 60, "min": 60, "mins": 60, "m": 60, "minutes": 60, "hour": 3600, "hr": 3600, "h": 3600,
}

var headerSigns = strings.NewReplacer(
	"US$", " USD ", "A$", " AUD ", "AU$", " AUD ", "C$", " CAD ", "CA$", " CAD ", "NZ$", " NZD ", "HK$", " HKD ", "S$", " SGD ", "R$", " BRL ",
	"£", " GBP ", "€", " EUR ", "$", " USD ", "¥", " JPY ", "₹", " INR ", "¢", " cents ", "’s ", " ", "'s ", " ",
	"e.164", "e164", "E.164", "e164", "/", " per ", "%", " percent ", "(", " ( ", ")", " ) ", "[", " ( ", "]", " ) ",
)

// readHeader finds what a header name means: "Rate (GBP/min)" is the rate, in whole pounds for a minute.
func readHeader(cell string) (meaning, unit) {
	words := headerWords(cell)
	all, kept, u := splitUnits(words, strings.ContainsFunc(cell, unicode.IsLower))
	if mean, ok := names[all]; ok {
		switch all {
		case "ppm", "ppc":
			u.merge(unit{hundredths: true, currency: "GBP"})
		}
		if mean.field != fieldMinimum && mean.field != fieldEitherMinimum {
			u.seconds = false // a word of the name
		}
		return mean, u
	}
	if mean, ok := names[kept]; ok && kept != "" {
		return mean, u
	}
	if kept == "" && (u.period > 0 || u.currency != "") {
		return meaning{field: fieldRate}, u // "£ per minute"
	}
	return meaning{}, u
}

// headerWords splits a name into words, with brackets as words of their own: "ConnectFee(USD)" is Connect, Fee, (, USD, ).
func headerWords(cell string) []string {
	text := headerSigns.Replace(cell)
	var b strings.Builder
	before := ' '
	for _, r := range text {
		switch {
		case unicode.IsUpper(r) && unicode.IsLower(before):
			b.WriteByte(' ')
		case r != '(' && r != ')' && !unicode.IsLetter(r) && !unicode.IsDigit(r):
			r = ' '
		}
		b.WriteRune(r)
		before = r
	}
	return strings.Fields(b.String())
}

// splitUnits gives all words of a name, those that are no unit, and what the units say.
func splitUnits(words []string, mixedCase bool) (all, kept string, u unit) {
	var every, rest []string
	brackets := 0
	for i := 0; i < len(words); i++ {
		word, w := words[i], strings.ToLower(words[i])
		switch w {
		case "(":
			brackets++
			continue
		case ")":
			brackets--
			continue
		}
		if w != "per" {
			every = append(every, w)
		}
		if (w == "per" || w == "a") && i+1 < len(words) {
			next := strings.ToLower(words[i+1])
			if seconds, used := periodOf(words[i+1:]); used > 0 {
				u.period = seconds
				for _, p := range words[i+1 : i+1+used] {
					every = append(every, strings.ToLower(p))
				}
				i += used
				continue
			}
			if w == "per" && next == "call" {
				every, rest = append(every, "per"), append(rest, "per")
			}
		}
		switch found, ok := unitWords[w]; {
		case w == "per":
		case ok:
			u.merge(found)
		case isCurrencyWord(word, mixedCase, brackets > 0):
			u.merge(unit{whole: true, currency: strings.ToUpper(w)})
		default:
			rest = append(rest, w)
		}
	}
	if u.hundredths {
		u.whole = false // "GBP pence" are pence
	}
	return strings.Join(every, " "), strings.Join(rest, " "), u
}

// periodOf reads the time after "per": "min", "60 seconds", "60s". It says how many words that took.
func periodOf(words []string) (seconds int64, used int) {
	w := strings.ToLower(words[0])
	if n, ok := periods[w]; ok {
		return n, 1
	}
	digits := strings.TrimRight(w, "abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 1 || n > 86_400 {
		return 0, 0
	}
	if scale, ok := periods[w[len(digits):]]; ok {
		return n * scale, 1
	}
	if digits == w && len(words) > 1 {
		if scale, ok := periods[strings.ToLower(words[1])]; ok {
			return n * scale, 2
		}
	}
	return 0, 0
}

// isCurrencyWord accepts codes that are not English words anywhere, and others only where a code would be expected.
func isCurrencyWord(word string, mixedCase, bracketed bool) bool {
	c, err := money.CurrencyOf(word)
	if err != nil {
		return false
	}
	switch c.Code {
	case "GBP", "EUR", "USD", "CHF", "AUD", "CAD", "NZD", "JPY", "SEK", "NOK", "DKK", "PLN", "CZK", "INR", "ZAR", "BRL", "AED", "HKD", "SGD", "CNY", "HUF", "ILS":
		return true
	case "ALL", "TOP", "PEN", "TRY", "MAD", "CUP":
		return bracketed && word == c.Code
	}
	return word == c.Code && (mixedCase || bracketed)
}

// amountFields hold money.
var amountFields = []field{fieldRate, fieldPeak, fieldOffPeak, fieldWeekend, fieldFirstRate, fieldConnect, fieldMinimum}

// rateFields hold money for a time.
var rateFields = []field{fieldRate, fieldPeak, fieldOffPeak, fieldWeekend, fieldFirstRate}

// checkHeader refuses headers that are ambiguous, or that a price has no place for.
func (r *deckReader) checkHeader() bool {
	faults := r.out.FaultCount
	c := &r.columns
	for _, pair := range c.twice {
		r.cellFault(pair[1], r.header[pair[1]], fmt.Sprintf("one column for it only: column %d %q says the same; %s", pair[0]+1, clip(r.header[pair[0]]), r.mapHint(pair[1], "ignore")))
	}
	for _, f := range amountFields {
		at, u := c.at[f]-1, c.units[f]
		if at < 0 {
			continue
		}
		switch rate := slices.Contains(rateFields, f); {
		case rate && u.seconds && u.period == 0:
			r.cellFault(at, r.header[at], "a price that says what it is for; "+r.mapHint(at, fieldNames[f]+" per second"))
		case !rate && (u.period > 0 || u.seconds):
			r.cellFault(at, r.header[at], "a charge for each call, not for a time: a further price per minute has no place in a deck; "+r.mapHint(at, "ignore"))
		}
	}
	for _, clash := range []struct {
		f      field
		others []field
		what   string
	}{
		{fieldRate, []field{fieldPeak, fieldOffPeak, fieldWeekend}, "a rate for all hours or one for each part of the week, not both"},
		{fieldIncrements, []field{fieldFirst, fieldStep}, "first and further increments once"},
	} {
		if c.has(clash.f) && !slices.ContainsFunc(clash.others, func(f field) bool { return !c.has(f) }) {
			at := c.at[clash.f] - 1
			r.cellFault(at, r.header[at], clash.what+"; "+r.mapHint(at, "ignore"))
		}
	}
	if at := c.at[fieldFirstRate] - 1; at >= 0 && (c.has(fieldPeak) || c.has(fieldOffPeak) || c.has(fieldWeekend)) {
		r.cellFault(at, r.header[at], "one rate for all hours beside the rate of the first interval; "+r.mapHint(at, "ignore"))
	}
	return r.out.FaultCount == faults
}

// mapHint says how to name a column by hand.
func (r *deckReader) mapHint(cell int, meaning string) string {
	name := strings.TrimSpace(r.headerName(cell))
	if name == "" || strings.ContainsAny(name, "\"\n=") || len(name) > 60 {
		name = strconv.Itoa(cell + 1)
	}
	return fmt.Sprintf("--map %q says otherwise", name+"="+meaning)
}

func (r *deckReader) headerName(cell int) string {
	if cell < len(r.header) {
		return r.header[cell]
	}
	return ""
}

// describe notes for people how the header was understood, once the values have been read.
func (r *deckReader) describe() {
	format, c := &r.out.Format, &r.columns
	format.Pence = r.pence(fieldRate)
	if !c.has(fieldRate) {
		format.Pence = r.pence(fieldPeak)
	}
	title := func(cell int) string {
		if name := clip(strings.TrimSpace(r.headerName(cell))); name != "" {
			return name
		}
		return fmt.Sprintf("column %d", cell+1)
	}
	for f := fieldName; f < numFields; f++ {
		if c.has(f) {
			format.Columns = append(format.Columns, title(c.at[f]-1)+" → "+fieldNames[f])
		}
	}
	unused := append(slices.Clone(c.unused), c.unknown...)
	for _, n := range c.nothing {
		unused = append(unused, n.cell)
	}
	slices.Sort(unused)
	for _, i := range unused {
		if name := strings.TrimSpace(r.headerName(i)); name != "" {
			format.Ignored = append(format.Ignored, clip(name))
		}
	}
	if len(format.Ignored) > 0 {
		r.warn(Warning{Kind: WarnIgnored, Text: "columns not used: " + strings.Join(format.Ignored, ", ")})
	}
}

// pence says that an amount column is in hundredths: "p" beside a currency ("GBP pence") means pence.
func (r *deckReader) pence(f field) bool {
	u := r.columns.units[f]
	return u.hundredths || r.opt.Pence && !u.whole
}
