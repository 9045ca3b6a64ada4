package rating

import (
	_ "embed"
	"slices"
	"strings"
)

// field is what a column holds.
type field uint8

const (
	fieldNone field = iota
	fieldName
	fieldCountry
	fieldPrefix
	fieldCountryCode
	fieldAreaCode
	fieldRate
	fieldPeak
	fieldOffPeak
	fieldWeekend
	fieldConnect
	fieldMinimum
	fieldFirstRate
	fieldFirst
	fieldStep
	fieldIncrements
	fieldPeriod
	fieldStart
	fieldEnd
	fieldStatus
	fieldCurrency
	fieldShort
	numFields

	fieldEitherMinimum // a minimum charge or a minimum time: only the values can show which
	fieldNothing       // affects a bill in a way that our prices cannot: it must be empty
	fieldUnused        // affects no bill
)

var fieldNames = [numFields]string{
	"", "name", "country", "prefix", "country code", "area code", "rate", "peak rate", "off-peak rate", "weekend rate",
	"connection charge", "minimum charge", "first rate", "first interval", "sub interval", "increments", "rate period", "start", "end", "status",
	"currency", "short number",
}

// side is whose price a column is, in files that hold both.
type side uint8

const (
	either side = iota
	selling
	buying
)

// meaning is what a header name stands for.
type meaning struct {
	field field
	side  side
	why   string   // of fieldNothing: what the column would do
	says  []string // of fieldNothing: values that say nothing, beside those of saysNothing
}

// nameList has header names as real decks have them, under what each column holds.
//
//go:embed names.txt
var nameList string

// names are what header names mean, those of several words also written as one.
var names = func() map[string]meaning {
	m, joined := map[string]meaning{}, map[string]meaning{}
	add := func(mean meaning, list string) {
		for _, name := range strings.Split(list, ",") {
			if old, twice := m[name]; twice && (old.field != mean.field || old.side != mean.side) {
				panic("rating: header name given twice: " + name) // in a file of this package; every test would see it
			}
			m[name], joined[strings.ReplaceAll(name, " ", "")] = mean, mean
		}
	}
	var mean meaning
	for line := range strings.SplitSeq(strings.TrimSpace(nameList), "\n") {
		if list, isNames := strings.CutPrefix(line, "\t"); isNames {
			add(mean, list)
		} else {
			mean = heading(line)
		}
	}
	for f := fieldName; f < numFields; f++ { // what a mapping may call them
		add(meaning{field: f}, strings.ReplaceAll(fieldNames[f], "-", " "))
	}
	for name, mean := range joined {
		if _, ok := m[name]; !ok {
			m[name] = mean
		}
	}
	return m
}()

// heading reads what the names below a line of the list mean.
func heading(line string) (m meaning) {
	if why, ok := strings.CutPrefix(line, "nothing: "); ok {
		m.field = fieldNothing
		m.why, line, ok = strings.Cut(why, " | ")
		if ok {
			m.says = strings.Split(line, ",")
		}
		return m
	}
	for s, begins := range [...]string{selling: "selling ", buying: "buying "} {
		if rest, ok := strings.CutPrefix(line, begins); ok && begins != "" {
			line, m.side = rest, side(s)
		}
	}
	switch line {
	case "minimum":
		m.field = fieldEitherMinimum
	case "unused":
		m.field = fieldUnused
	default:
		m.field = field(max(0, slices.Index(fieldNames[:], line)))
	}
	return m
}

// billWords are words about money or time: an unknown column with one in its name may affect a bill.
var billWords = wordSet("rate rates price prices pricing cost costs charge charges charged fee fees surcharge tariff amount increment increments incr interval intervals min minimum " +
	"maximum max minute minutes second seconds sec secs duration billing bill billed block unit units pulse round rounding connect connection setup " +
	"free grace tax vat discount markup percent origin origination originating source eea eu row roaming surcharges peak off weekend night day hour hours period currency fx " +
	"commit volume tier ppm ppc pence cents per first next initial subsequent sub step rebate bonus valid effective start end expiry expires from until to date prefix code dial")

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}
