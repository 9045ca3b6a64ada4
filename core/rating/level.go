package rating

import (
	"slices"
	"strings"

	"ringfence/core/money"
	"ringfence/core/phone"
)

// group is a kind of destination whose prices are similar all over the world.
type group uint8

const (
	groupNone   group = iota // free numbers, and those that cannot be called
	groupCheap               // landlines of countries that are cheap with every carrier
	groupMobile              // their mobiles
	groupOther               // all other ordinary numbers
	groupFar                 // islands, and countries with an income from calls
	groupPremium
	groupSatellite
	numGroups
)

const (
	cheapCountries = " AR AT AU BE BG BR CA CH CL CN CY CZ DE DK ES FI FR GB GR HK HU IE IL IN IT JP KR LU MX MY NL NO NZ PL PT RO SE SG SK TH TW US "
	farCountries   = " AC AQ CF CK CU DJ ER FK GL GM GN GW IO KI KM KP LR MG MV NF NR NU PG SB SH SL SO ST TA TD TK TL TN TO TV VU WF WS "
)

// limit is a rate in pounds between real prices in pounds and the same prices in pence. A factor of a hundred is larger than
// that between the cheapest and the dearest seller to one group. Carriers are far cheaper than those who sell to customers.
type limit struct{ retail, cost float64 }

var limits = [numGroups]limit{
	groupCheap:     {0.30, 0.10},
	groupMobile:    {0.80, 0.30},
	groupOther:     {1.50, 0.70},
	groupFar:       {6, 4},
	groupPremium:   {10, 10},
	groupSatellite: {60, 60},
}

// worth is the approximate value of £100. An error of a half moves no price from pence to pounds. For a currency that is not
// listed, no price counts as dear.
var worth = map[string]float64{
	"GBP": 100, "GIP": 100, "FKP": 100, "SHP": 100, "EUR": 115, "CHF": 107, "USD": 133, "BSD": 133, "PAB": 133, "BMD": 133, "AUD": 200, "CAD": 185, "NZD": 230, "SGD": 172,
	"HKD": 1030, "CNY": 950, "TWD": 4100, "JPY": 20_500, "KRW": 193_000, "THB": 4300, "MYR": 560, "IDR": 2_200_000, "PHP": 7800, "VND": 3_500_000, "INR": 11_800, "PKR": 37_500,
	"LKR": 40_000, "BDT": 16_000, "NPR": 18_800, "SEK": 1260, "NOK": 1350, "DKK": 860, "ISK": 16_500, "PLN": 490, "CZK": 2800, "HUF": 45_000, "RON": 585, "BGN": 225, "RSD": 13_600,
	"BAM": 225, "MKD": 7100, "ALL": 11_200, "MDL": 2270, "UAH": 5600, "RUB": 10_800, "GEL": 360, "AMD": 51_000, "AZN": 226, "KZT": 70_000, "TRY": 5500, "ILS": 440, "AED": 490, "SAR": 500,
	"QAR": 485, "KWD": 41, "BHD": 50, "OMR": 51, "JOD": 94, "EGP": 6400, "MAD": 1230, "TND": 390, "DZD": 17_300, "ZAR": 2350, "NAD": 2350, "BWP": 1850, "NGN": 200_000, "KES": 17_200,
	"GHS": 1500, "UGX": 470_000, "TZS": 330_000, "ZMW": 3100, "MUR": 6100, "XOF": 75_500, "XAF": 75_500, "BRL": 720, "MXN": 2450, "CLP": 125_000, "COP": 530_000, "PEN": 460, "UYU": 5300,
	"DOP": 8300, "JMD": 21_300, "TTD": 900, "BBD": 266, "XCD": 360, "FJD": 300, "PGK": 550,
}

// level is the price level of a deck: the median rate of each country's groups.
type level map[levelKey]money.Rate

type levelKey struct {
	country phone.Country
	group   group
}

func levelOf(prices []Price) level {
	rates := map[levelKey][]money.Rate{}
	for i := range prices {
		p := &prices[i]
		if rate := p.Dearest(); rate > 0 && !p.Short && !p.NoPrice {
			if key := levelKeyOf(p.Prefix); key.group != groupNone {
				rates[key] = append(rates[key], rate)
			}
		}
	}
	out := make(level, len(rates))
	for key, list := range rates {
		slices.Sort(list)
		out[key] = list[len(list)/2]
	}
	return out
}

func levelKeyOf(prefix uint64) levelKey {
	country, classes := phone.ClassesOfPrefix(prefix)
	has := func(c phone.Class) bool { return classes&(1<<c) != 0 }
	name := " " + country.String() + " "
	key := levelKey{country: country}
	switch {
	case country == phone.Country{}:
	case has(phone.Satellite):
		key.group = groupSatellite
	case !has(phone.IntlFixed) && !has(phone.IntlMobile) && has(phone.IntlPremium) && firstDigits(prefix, 3) != 448: // 084 and 087 cost little
		key.group = groupPremium
	case classes == 1<<phone.IntlFreephone:
	case strings.Contains(farCountries, name):
		key.group = groupFar
	case !has(phone.IntlFixed) && !has(phone.IntlMobile) || !strings.Contains(cheapCountries, name):
		key.group = groupOther
	case !has(phone.IntlMobile) || phone.CodeOf(prefix) == int(prefix):
		key.group = groupCheap // the row of a whole country has the price of its landlines
	default:
		key.group = groupMobile
	}
	return key
}

func firstDigits(prefix, n uint64) uint64 {
	for prefix >= pow10[n] {
		prefix /= 10
	}
	return prefix
}

// against is the ratio of these prices to those of another level: the median of those that both have, 0 for none.
func (l level) against(other level) float64 {
	var ratios []float64
	for key, rate := range l {
		if was := other[key]; was > 0 {
			ratios = append(ratios, float64(rate)/float64(was))
		}
	}
	return middle(ratios)
}

// dearness is the median ratio of these prices to their limits; 0 where that is not known.
func (l level) dearness(kind Kind, c money.Currency) float64 {
	var ratios []float64
	for key, rate := range l {
		most := limits[key.group].retail
		if kind == Cost {
			most = limits[key.group].cost
		}
		if pound := worth[c.Code] / 100; pound > 0 {
			ratios = append(ratios, float64(rate)/1e9/pound/most)
		}
	}
	return middle(ratios)
}

func middle(ratios []float64) float64 {
	if len(ratios) == 0 {
		return 0
	}
	slices.Sort(ratios)
	return ratios[(len(ratios)-1)/2]
}
