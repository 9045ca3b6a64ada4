package rating

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/phone"
)

// Silence is why a deck has no price for a number.
type Silence uint8

// Silences. Zero is a price.
const (
	Priced       Silence = iota
	NoRow                // no row's prefix begins the number, or the row says that there is no price
	OtherCountry         // the row's prefix stands for another country
	OtherKind            // the row's prefix stands for another kind of number
)

// ordinary are the kinds that a row for a whole country prices.
const ordinary = phone.Fixed | phone.Cellular | phone.Nomadic | phone.Universal | phone.TollFree | phone.Voicemail

// coverage is what a row prices of the numbers that begin with its prefix.
type coverage struct {
	countries []phone.Country // nil: any
	kinds     phone.Kinds
	together  bool // numbers that are of no place are of one plan, whichever of its countries has them: 08, 09 and 070
}

func (c *coverage) silence(country phone.Country, kinds phone.Kinds) Silence {
	switch {
	case c.together && kinds&(phone.Fixed|phone.Cellular) == 0 && c.kinds&kinds != 0:
	case c.countries != nil && country != (phone.Country{}) && !slices.Contains(c.countries, country):
		return OtherCountry
	case c.kinds&kinds == 0:
		return OtherKind
	}
	return Priced
}

// Price is what a call to a destination at an instant costs: Find's row, and Priced where it stands for the country and the
// kind of the number. Otherwise the row says nothing of it (decision 31), and Silence says why.
func (d *Deck) Price(dest phone.Destination, at time.Time) (*Price, Silence) {
	i := d.find(dest.Number, at)
	if i == 0 {
		return nil, NoRow
	}
	p := &d.prices[i-1]
	if p.Short {
		return p, Priced
	}
	return p, d.coverages[d.covered[i-1]].silence(dest.Country, dest.Kinds())
}

// Covers says what prefixes price besides what they stand for, in the order of prefixes.
type Covers []Cover

// Cover is what the row of one prefix prices: these countries, if there are any, in place of those that it stands for; and
// these kinds besides its own.
type Cover struct {
	Prefix    uint64
	Countries []phone.Country
	Kinds     phone.Kinds
}

// coverKinds are the names of kinds in a Cover.
var coverKinds = map[string]phone.Kinds{
	"fixed": phone.Fixed, "mobile": phone.Cellular, "freephone": phone.TollFree, "premium": phone.PremiumRate, "shared": phone.SharedCost,
	"voip": phone.Nomadic, "personal": phone.PersonalNumber, "pager": phone.Paging, "universal": phone.Universal, "voicemail": phone.Voicemail,
}

const maxCovers = 1000

// ParseCovers reads "1=US,CA,PR 44=GB,IM,personal". An error says what to write.
func ParseCovers(text string) (Covers, error) {
	var all Covers
	for _, part := range strings.Fields(text) {
		prefix, list, _ := strings.Cut(part, "=")
		digits, err := strconv.ParseUint(prefix, 10, 64)
		if err != nil || digits == 0 || digits >= pow10[maxPrefixDigits] || prefix[0] == '0' || len(all) == maxCovers {
			return nil, fmt.Errorf("%.40q: want a prefix and what it covers, such as 1=US,CA,PR", part)
		}
		c := Cover{Prefix: digits}
		for _, word := range strings.Split(list, ",") {
			country := countryOf(strings.ToUpper(word))
			switch kinds := coverKinds[strings.ToLower(word)]; {
			case kinds != 0:
				c.Kinds |= kinds
			case len(word) == 2 && phone.CountryCode(country) != 0:
				c.Countries = append(c.Countries, country)
			default:
				return nil, fmt.Errorf("%.40q: %.20q is neither a country such as US nor one of fixed, mobile, freephone, shared, premium, voip, personal, pager", part, word)
			}
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Cover) int {
		return strings.Compare(strconv.FormatUint(a.Prefix, 10), strconv.FormatUint(b.Prefix, 10))
	})
	return all, nil
}

func (c Covers) of(prefix uint64) *Cover {
	for i := range c {
		if c[i].Prefix == prefix {
			return &c[i]
		}
	}
	return nil
}

// coverer finds out what each row covers. Equal ones share one coverage.
type coverer struct {
	covers Covers
	mobile map[phone.Country]bool // has rows for its mobiles alone
	known  map[string]uint32      // index in all
	all    []coverage
	names  map[string]named
}

// cover fills in what every row of the deck covers.
func (d *Deck) cover(covers Covers) {
	c := &coverer{covers: covers, mobile: map[phone.Country]bool{}, known: map[string]uint32{}, names: map[string]named{}}
	reaches := make([][]phone.Reach, len(d.prices))
	for i := range d.prices {
		p := &d.prices[i]
		if p.Short {
			continue
		}
		if i > 0 && d.prices[i-1].Prefix == p.Prefix {
			reaches[i] = reaches[i-1]
		} else {
			reaches[i] = phone.Under(p.Prefix)
		}
		if under := reaches[i]; len(under) > 0 && kindsOf(under)&(phone.Fixed|phone.Cellular) == phone.Cellular {
			c.mobile[under[0].Country] = true
		}
	}
	d.covered = make([]uint32, len(d.prices))
	for i := range d.prices {
		if !d.prices[i].Short {
			d.covered[i] = c.intern(c.coverage(&d.prices[i], reaches[i]))
		}
	}
	d.coverages = c.all
}

func kindsOf(under []phone.Reach) (kinds phone.Kinds) {
	for _, r := range under {
		kinds |= r.Kinds
	}
	return kinds
}

func (c *coverer) intern(v coverage) uint32 {
	key := strconv.Itoa(int(v.kinds)) + strconv.FormatBool(v.countries == nil) + strconv.FormatBool(v.together)
	for _, country := range v.countries {
		key += string(country[:])
	}
	if i, ok := c.known[key]; ok {
		return i
	}
	i := uint32(len(c.all))
	c.known[key], c.all = i, append(c.all, v)
	return i
}

func (c *coverer) name(text string) *named {
	n, ok := c.names[text]
	if !ok {
		n = readName(text)
		c.names[text] = n
	}
	return &n
}

// coverage of a row: the country that its prefix stands for, and of that the ordinary kinds if there are any, else those that
// there are; and what its name or the operator says besides.
func (c *coverer) coverage(p *Price, under []phone.Reach) coverage {
	switch {
	case phone.CodeOf(p.Prefix) == 0:
		return coverage{countries: []phone.Country{}} // the beginning of many codes stands for none of them
	case len(under) == 0 || under[0].Country.String() == "001":
		return coverage{kinds: ^phone.Kinds(0)} // a range that the tables do not know, or one without a country
	}
	said := c.covers.of(p.Prefix)
	v := coverage{countries: []phone.Country{under[0].Country}, together: phone.CodeOf(p.Prefix) == 44}
	if len(under) > 1 {
		n := c.name(p.Name)
		var named []phone.Country
		for _, r := range under[1:] {
			if n.mentions(r.Country) {
				named = append(named, r.Country)
			}
			if n.mentions(r.Country) || northAmerica(under[0].Country) && northAmerica(r.Country) {
				v.countries = append(v.countries, r.Country)
			}
		}
		if len(named) > 0 && !n.mentions(under[0].Country) && !slices.ContainsFunc(named, northAmerica) {
			v.countries = named // Jamaica, 1 is no price of the United States
		}
	}
	if said != nil && len(said.Countries) > 0 {
		v.countries = said.Countries
	}
	var there phone.Kinds
	for _, r := range under {
		if slices.Contains(v.countries, r.Country) {
			there |= r.Kinds
		}
	}
	v.kinds = there
	if there&(phone.Fixed|phone.Cellular) != 0 && there&^ordinary != 0 || there&phone.Cellular != 0 && there&phone.Fixed != 0 {
		n := c.name(p.Name)
		v.kinds = there & (ordinary | n.kinds)
		if c.mobile[under[0].Country] && there&phone.Fixed != 0 && n.kinds&phone.Cellular == 0 && !n.all {
			v.kinds &^= phone.Cellular
		}
	}
	if said != nil {
		v.kinds |= said.Kinds
	}
	return v
}
