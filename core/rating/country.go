package rating

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"ringfence/core/phone"
)

//go:generate go run ./gen

// countryNames is "GB=United Kingdom" line by line.
//
//go:embed countries.txt
var countryNames string

// otherNames are those that price lists have besides: "GB=UK,Great Britain", "CD,CG=Congo".
//
//go:embed other_names.txt
var otherNames string

// countryWords is what a name of a country may be, in plain words, and the countries that it may stand for.
var countryWords = sync.OnceValue(func() map[string][]phone.Country {
	words := map[string][]phone.Country{}
	for line := range strings.Lines(countryNames) {
		code, name, _ := strings.Cut(strings.TrimSpace(line), "=")
		words[plainWords(name)] = []phone.Country{countryOf(code)}
	}
	for line := range strings.Lines(otherNames) {
		codes, names, _ := strings.Cut(strings.TrimSpace(line), "=")
		var countries []phone.Country
		for _, code := range strings.Split(codes, ",") {
			countries = append(countries, countryOf(code))
		}
		for _, name := range strings.Split(names, ",") {
			words[plainWords(name)] = countries
		}
	}
	return words
})

const longestCountryName = 6 // words

func countryOf(code string) (c phone.Country) {
	copy(c[:], code)
	return c
}

// plainWords is a name in small letters without accents and punctuation: "St. Barthélemy" is "saint barthelemy".
func plainWords(name string) string {
	accents := transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)))
	if plain, _, err := transform.String(accents, name); err == nil {
		name = plain
	}
	name = strings.NewReplacer("&", " and ", "'", "", "’", "").Replace(strings.ToLower(name))
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		if w == "st" {
			words[i] = "saint"
		}
	}
	return strings.Join(words, " ")
}

// named is what the name of a destination says about its place and its kind of number.
type named struct {
	first     []phone.Country // of the country's name that it begins with; nil: it begins with none
	countries []phone.Country // all that it mentions
	kinds     phone.Kinds
	all       bool // it says that it is for all of them
	rest      bool // words that are neither
}

// kindWords are words for kinds of number in the names of destinations.
var kindWords = map[string]phone.Kinds{
	"mobile": phone.Cellular, "mobiles": phone.Cellular, "mob": phone.Cellular, "mobil": phone.Cellular, "cellular": phone.Cellular, "cell": phone.Cellular,
	"gsm": phone.Cellular, "movil": phone.Cellular, "pcs": phone.Cellular,
	"fixed": phone.Fixed, "landline": phone.Fixed, "landlines": phone.Fixed, "fixe": phone.Fixed, "geographic": phone.Fixed, "pstn": phone.Fixed,
	"premium": phone.PremiumRate, "audiotext": phone.PremiumRate, "prs": phone.PremiumRate,
	"shared": phone.SharedCost, "personal": phone.PersonalNumber, "pager": phone.Paging, "pagers": phone.Paging, "paging": phone.Paging,
	"freephone": phone.TollFree, "tollfree": phone.TollFree, "voip": phone.Nomadic, "voicemail": phone.Voicemail,
	"special":  phone.SharedCost | phone.PersonalNumber | phone.Paging | phone.Universal | phone.Nomadic | phone.Voicemail,
	"services": phone.SharedCost | phone.PersonalNumber | phone.Paging | phone.Universal | phone.Nomadic | phone.Voicemail,
}

// ordinaryWords say nothing about place or kind.
var ordinaryWords = map[string]bool{
	"other": true, "others": true, "proper": true, "national": true, "rest": true, "of": true, "country": true, "rate": true, "rates": true, "numbers": true,
	"and": true, "the": true, "incl": true, "including": true, "network": true, "networks": true, "line": true, "lines": true, "cost": true,
}

func readName(name string) (n named) {
	words := strings.Fields(plainWords(name))
	known := countryWords()
	for i := 0; i < len(words); {
		length := min(longestCountryName, len(words)-i)
		var found []phone.Country
		for ; length > 0; length-- {
			if found = known[strings.Join(words[i:i+length], " ")]; found != nil {
				break
			}
		}
		switch w := words[i]; {
		case found != nil:
			if i == 0 {
				n.first = found
			}
			n.countries = append(n.countries, found...)
			i += length
			continue
		case kindWords[w] != 0:
			n.kinds |= kindWords[w]
		case w == "all" || w == "any":
			n.all = true
		case !ordinaryWords[w]:
			n.rest = true
		}
		i++
	}
	return n
}

// mentions says that a name mentions a country.
func (n *named) mentions(c phone.Country) bool { return slices.Contains(n.countries, c) }

// elsewhere says that a name clearly is another country's than those whose numbers begin with its prefix. Countries that
// share a code are distinguished only where both are small: "USA" stands before many prefixes of the Caribbean. Towns in the
// United States are named after places all over the world.
func (n *named) elsewhere(prefix uint64, under []phone.Reach) bool {
	if n.first == nil || len(under) == 0 || under[0].Country.String() == "001" {
		return false
	}
	american := prefix == 1 || phone.CodeOf(prefix) == 1
	for _, r := range under {
		if n.mentions(r.Country) || american && n.rest {
			return false
		}
	}
	for _, c := range n.countries {
		if phone.CodeOf(prefix) == phone.CountryCode(c) && !(american && len(under) == 1 && !northAmerica(c) && !northAmerica(under[0].Country)) {
			return false
		}
	}
	return true
}

func northAmerica(c phone.Country) bool { return c.String() == "US" || c.String() == "CA" }
