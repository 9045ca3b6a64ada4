package rating

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
)

// WarningKind says what sort of thing is suspicious.
type WarningKind string

// Kinds of warnings.
const (
	WarnEncoding   WarningKind = "encoding"   // the file is not UTF-8
	WarnIgnored    WarningKind = "ignored"    // columns that were not used
	WarnMapping    WarningKind = "mapping"    // columns are named as at the last import
	WarnIncrements WarningKind = "increments" // how time is rounded is not given
	WarnDear       WarningKind = "dear"       // far above its country, or above any real rate: a lost decimal point?
	WarnCheap      WarningKind = "cheap"      // far below its country
	WarnFree       WarningKind = "free"       // a rate of zero where calls are never free
	WarnPremium    WarningKind = "premium"    // a premium or satellite range at an ordinary price
	WarnNowhere    WarningKind = "nowhere"    // no telephone number begins with these digits
)

// Warning is something that a person should look at before a deck is imported. It does not stop the import.
type Warning struct {
	Kind WarningKind
	Line int    // of the file, 0 when it is not about a row
	Text string // one sentence
	row  int    // index in the prices plus one
	rate money.Rate
}

// MaxWarnings bounds the warnings that are kept; the last one counts the rest.
const MaxWarnings = 1000

func (r *deckReader) warn(w Warning) { r.out.Warnings = append(r.out.Warnings, w) }

// Summary is what a person wants to know about a deck before its import.
type Summary struct {
	Rows       int // below the header, blank ones left out
	Prices     int // prefixes with a price
	Countries  int
	Free       int       // prices of nothing at all
	Blank      int       // rows without a rate: their destinations are unpriced
	Blocked    int       // rows whose status says so: likewise
	Gone       int       // rows that their status says are removed, left out
	NoStart    int       // rows that their status says are for later and that do not say when, left out
	NotYet     int       // rows that begin after At
	First      time.Time // the first of them; zero when there is none
	Expired    int       // rows that have ended by At
	Superseded int       // rows that others replace for their whole time in force
	Cheapest   Price     // least rate above zero; zero when there is none
	Dearest    Price
}

func (s *Summary) count(prices []Price) {
	countries := map[phone.Country]bool{}
	for i := range prices {
		p := &prices[i]
		if p.NoPrice {
			continue
		}
		s.Prices++
		if !p.Short {
			if country, _ := phone.OfPrefix(p.Prefix); country != (phone.Country{}) {
				countries[country] = true
			}
		}
		if p.IsFree() {
			s.Free++
		}
		if rate := p.Dearest(); rate > 0 {
			if s.Cheapest.Prefix == 0 || rate < s.Cheapest.Dearest() {
				s.Cheapest = *p
			}
			if rate > s.Dearest.Dearest() {
				s.Dearest = *p
			}
		}
	}
	s.Countries = len(countries)
}

// IsFree says that calls cost nothing whatever their length.
func (p *Price) IsFree() bool { return p.Dearest() == 0 && p.Connect == 0 && p.Minimum == 0 }

// Limits of suspicion. No real destination costs 20 per minute or more, except satellites, which stay under 50.
const (
	farFactor          = 100
	absurd             = 20_000_000_000
	absurdSatellite    = 50_000_000_000
	enoughForMedian    = 4
	premiumLikeCountry = 2
	premiumLeast       = 20 * money.PencePerMinute // of the codes without a country, for which there is no usual price to compare with
)

// Suspicious looks for prices that a person should check: a lost decimal point, a premium range priced as an ordinary one,
// free calls. Each price is compared with those of the same country.
func Suspicious(prices []Price) []Warning {
	medians := countryMedians(prices)
	var found []Warning
	for i := range prices {
		p := &prices[i]
		if p.Short || p.NoPrice {
			continue
		}
		country, class := phone.OfPrefix(p.Prefix)
		if kind, text := suspect(p, country, class, medians[country]); kind != "" {
			found = append(found, Warning{Kind: kind, row: i + 1, rate: p.FirstMinute(), Text: fmt.Sprintf("prefix %s: %s", titled(p), text)})
		}
	}
	slices.SortStableFunc(found, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(weight[a.Kind], weight[b.Kind]), cmp.Compare(b.rate, a.rate))
	})
	if over := len(found) - MaxWarnings; over > 0 {
		found = append(found[:MaxWarnings], Warning{Kind: found[MaxWarnings].Kind, Text: fmt.Sprintf("and %d more prices to check", over)})
	}
	return found
}

// weight puts the dangerous kinds first, and within a kind the dearest row.
var weight = map[WarningKind]int{WarnDear: 0, WarnPremium: 1, WarnCheap: 2, WarnFree: 3, WarnNowhere: 4}

func suspect(p *Price, country phone.Country, class phone.Class, median money.Rate) (WarningKind, string) {
	rate, whole := p.FirstMinute(), "a minute"
	if rate != p.Dearest() {
		whole = "for a first minute"
	}
	limit := money.Rate(absurd)
	if class == phone.Satellite {
		limit = absurdSatellite
	}
	special := class == phone.IntlPremium || class == phone.Satellite
	if strings.HasPrefix(p.Digits(), "448") { // 084 and 087, which the world calls premium, are not dear
		special = false
	}
	switch {
	case rate >= limit:
		return WarnDear, fmt.Sprintf("%s %s is more than any destination costs: has a decimal point been lost?", rate, whole)
	case median > 0 && !special && !namedDear(p.Name) && rate >= farFactor*median:
		return WarnDear, fmt.Sprintf("%s %s is %d times the %s usual in %s: has a decimal point been lost?", rate, whole, rate/median, median, country)
	case country == phone.Country{}:
		return WarnNowhere, "no telephone number begins with these digits"
	case rate == 0 && class != phone.IntlFreephone:
		return WarnFree, "calls are free"
	case special && country.String() == "001" && rate < premiumLeast:
		return WarnPremium, fmt.Sprintf("a %s range at %s a minute: no such range is that cheap", class, rate)
	case special && median > 0 && rate > 0 && rate <= premiumLikeCountry*median:
		return WarnPremium, fmt.Sprintf("a %s range at %s a minute, where %s is usual in %s for ordinary calls", class, rate, median, country)
	case rate > 0 && rate <= median/farFactor:
		return WarnCheap, fmt.Sprintf("%s a minute is far below the %s that is usual in %s", rate, median, country)
	}
	return "", ""
}

// namedDear says that a destination's name announces an unusual price, so that the price is no lost decimal point.
func namedDear(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"premium", "special", "satellite", "audiotext", "value added", "shared cost"}, func(word string) bool {
		return strings.Contains(name, word)
	})
}

// countryMedians are the middle rates of the ordinary ranges of each country with enough prices to tell.
func countryMedians(prices []Price) map[phone.Country]money.Rate {
	rates := map[phone.Country][]money.Rate{}
	for i := range prices {
		p := &prices[i]
		if p.Short || p.NoPrice || p.FirstMinute() == 0 {
			continue
		}
		country, class := phone.OfPrefix(p.Prefix)
		if class != phone.IntlPremium && class != phone.Satellite && country != (phone.Country{}) {
			rates[country] = append(rates[country], p.FirstMinute())
		}
	}
	medians := map[phone.Country]money.Rate{}
	for country, list := range rates {
		if len(list) >= enoughForMedian && country.String() != "001" {
			slices.Sort(list)
			medians[country] = list[len(list)/2]
		}
	}
	return medians
}
