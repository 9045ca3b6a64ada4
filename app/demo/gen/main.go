// Command gen writes retail.csv and cost.csv of package demo into the working folder: `go generate ./app/demo`.
// The prices are in prices.go and uk.go; which prefixes are of which country and kind is asked of core/phone.
package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"ringfence/core/phone"
)

// row is one line of both decks. Amounts are thousandths of a penny, so that they are exact.
type row struct {
	name        string
	prefixes    []string
	short       bool
	connect     int64 // of a call
	rates       [3]int64
	first, step int
	costPercent int64 // what the carrier takes of the retail price
}

func main() {
	rows := ukRows()
	for code := range phonenumbers.GetSupportedCallingCodes() {
		if code != 44 {
			rows = append(rows, countryRows(code)...)
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.name, b.name) })
	save("retail.csv", retail(rows))
	save("cost.csv", cost(rows))
}

func save(name string, lines [][]string) {
	var out bytes.Buffer
	if err := csv.NewWriter(&out).WriteAll(lines); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}

func retail(rows []row) [][]string {
	lines := [][]string{{"Destination", "Prefix", "Short", "Peak (p/min)", "Off-peak (p/min)", "Weekend (p/min)", "Connection charge (p)", "First interval", "Sub interval"}}
	for _, r := range rows {
		for _, cell := range cells(r.prefixes) {
			lines = append(lines, []string{
				r.name, cell, yes(r.short), decimal(r.rates[0], 3), decimal(r.rates[1], 3), decimal(r.rates[2], 3),
				decimal(r.connect, 3), strconv.Itoa(r.first), strconv.Itoa(r.step),
			})
		}
	}
	return lines
}

// cost takes its part of the cheapest band, all day, in pounds.
func cost(rows []row) [][]string {
	lines := [][]string{{"Destination", "Code", "Short code", "Rate (GBP/min)", "Setup fee (GBP)", "Billing increment"}}
	for _, r := range rows {
		rate, connect := slices.Min(r.rates[:])*r.costPercent/100, r.connect*r.costPercent/100
		for _, cell := range cells(r.prefixes) {
			lines = append(lines, []string{
				r.name, cell, yes(r.short), decimal(rate, 5), decimal(connect, 5),
				strconv.Itoa(r.first) + "/" + strconv.Itoa(r.step),
			})
		}
	}
	return lines
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func decimal(n int64, places int) string {
	digits := strconv.FormatInt(n, 10)
	for len(digits) <= places {
		digits = "0" + digits
	}
	cut := len(digits) - places
	return strings.TrimSuffix(strings.TrimRight(digits[:cut]+"."+digits[cut:], "0"), ".")
}

// cells writes prefixes as lists with ranges, in cells of at most 700 characters.
func cells(prefixes []string) []string {
	var out []string
	line := ""
	for i := 0; i < len(prefixes); {
		j := i + 1
		for j < len(prefixes) && follows(prefixes[j-1], prefixes[j]) {
			j++
		}
		item := prefixes[i]
		if j-i > 1 {
			item += "-" + prefixes[j-1]
		}
		switch {
		case line == "":
			line = item
		case len(line)+len(item) > 700:
			out, line = append(out, line), item
		default:
			line += ", " + item // without the space "573,579" would look like a number with thousands
		}
		i = j
	}
	return append(out, line)
}

func follows(a, b string) bool {
	x, _ := strconv.ParseUint(a, 10, 64)
	y, _ := strconv.ParseUint(b, 10, 64)
	return len(a) == len(b) && y == x+1
}

// kind is what has a price of its own within a country; dearer ones are greater.
type kind struct {
	country phone.Country
	class   phone.Class
}

// severity decides where numbers of several kinds share a prefix to the last digit looked at: the dearest wins.
var severity = map[phone.Class]int{
	phone.IntlFixed: 1, phone.IntlFreephone: 2, phone.IntlMobile: 3, phone.IntlShared: 4, phone.IntlPremium: 5, phone.Satellite: 6,
}

// survey collects the prefixes of each kind under a country code, the fewest that tell them apart.
type survey struct {
	depth   int // national digits looked at
	shared  bool
	main    phone.Country // of the code
	found   map[kind][]string
	weights map[string]map[kind]float64
}

// depth of a look by country code, where five digits are too many or too few.
var depths = map[int]int{1: 6, 39: 6, 61: 6, 262: 6, 590: 6}

func countryRows(code int) []row {
	depth := 5
	if d := depths[code]; d > 0 {
		depth = d
	}
	shared := len(phonenumbers.GetRegionCodesForCountryCode(code)) > 1
	prefix := strconv.Itoa(code)
	main, _ := ofPrefix(prefix)
	s := survey{depth: depth, shared: shared, main: main, found: map[kind][]string{}, weights: map[string]map[kind]float64{}}
	base := kind{main, phone.IntlFixed}
	if _, class := ofPrefix(prefix); class != phone.ClassUnknown {
		base.class = class
	}
	s.found[base] = append(s.found[base], prefix)
	s.look(prefix, 0, base)
	var rows []row
	for k, prefixes := range s.found {
		slices.Sort(prefixes)
		rows = append(rows, price(k, code, prefixes))
	}
	return rows
}

// look goes through the digits after a prefix whose numbers have the price of inherited, and writes down what differs.
func (s *survey) look(prefix string, depth int, inherited kind) {
	for digit := range 10 {
		next := prefix + strconv.Itoa(digit)
		weights := s.weigh(next, depth+1)
		if len(weights) == 0 {
			continue
		}
		most := heaviest(weights)
		if len(weights) == 1 && most == inherited {
			continue
		}
		here := inherited
		if most != inherited {
			s.found[most] = append(s.found[most], next)
			here = most
		}
		if len(weights) > 1 {
			s.look(next, depth+1, here)
		}
	}
}

// weigh says how much of a prefix each kind has. Answers are kept: look asks again at each digit.
func (s *survey) weigh(prefix string, depth int) map[kind]float64 {
	if known, ok := s.weights[prefix]; ok {
		return known
	}
	weights := map[kind]float64{}
	country, class := ofPrefix(prefix)
	switch {
	case country == (phone.Country{}):
		return nil
	case class != phone.ClassUnknown && (!s.shared || country != s.main || depth == s.depth): // main may stand for several
		weights[kind{country, class}] = 1
	case depth < s.depth:
		for digit := range 10 {
			for k, w := range s.weigh(prefix+strconv.Itoa(digit), depth+1) {
				weights[k] += w / 10
			}
		}
	default:
		weights[kind{country, dearest(prefix)}] = 1
	}
	s.weights[prefix] = weights
	return weights
}

// dearest is the dearest class among the numbers of a prefix, where only their length tells them apart. Services that share the prefixes
// of mobiles are their voice mail, which has one or two digits more: the mobiles' price it is, or most of Italy's would be special.
func dearest(prefix string) phone.Class {
	n, _ := strconv.ParseUint(prefix, 10, 64)
	_, classes := phone.ClassesOfPrefix(n)
	if mobile := uint32(1 << phone.IntlMobile); classes&mobile != 0 {
		classes &^= 1 << phone.IntlShared
	}
	worst := phone.IntlFixed
	for class := range phone.NumClasses {
		if classes&(1<<class) != 0 && severity[class] > severity[worst] {
			worst = class
		}
	}
	return worst
}

func heaviest(weights map[kind]float64) kind {
	var best kind
	for k, w := range weights {
		if w > weights[best] || w == weights[best] && less(best, k) {
			best = k
		}
	}
	return best
}

func less(a, b kind) bool {
	return cmp.Or(cmp.Compare(a.country.String(), b.country.String()), cmp.Compare(a.class, b.class)) < 0
}

func ofPrefix(prefix string) (phone.Country, phone.Class) {
	n, err := strconv.ParseUint(prefix, 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	return phone.OfPrefix(n)
}

func countryName(c phone.Country) string {
	region, err := language.ParseRegion(c.String())
	if err != nil {
		return c.String()
	}
	return display.English.Regions().Name(region)
}
