package main

import (
	"strings"

	"ringfence/core/phone"
)

// tiers are fixed and mobile rates of countries in thousandths of a penny a minute. Invented.
var tiers = []struct {
	fixed, mobile int64
	countries     string
}{
	{1_200, 1_200, "US CA PR"},
	{1_400, 4_200, "FR DE IE ES IT NL BE PT SE DK NO"},
	{1_600, 3_500, "AU NZ AT CH LU PL GR CY CZ HU IL JP KR VA SM SJ AX"},
	{1_800, 1_900, "CN HK SG MY IN TH TW"},
	{2_900, 6_500, "BR AR MX CL CO PE ZA TR RO BG HR SI SK RU UA FI IS MT VE CR PA"},
	{4_500, 9_000, "AD LI MC GI FO GL BD PK PH VN ID KZ UZ KG MN SA AE KW BH QA JO EG NG KE GH"},
	{9_000, 14_000, "GG JE IM BO EC PY UY GT HN NI SV DO JM BS BB TT BM KY VI GU MP LB OM IQ IR SY YE PS GE AM AZ TM TJ BY MD LK NP MM KH LA BN MO"},
	{16_000, 24_000, "AL BA MK ME RS XK TZ UG ZM ZW MW MZ BW NA LS SZ AO CM CI SN TG BJ BF ML NE GA RE YT GF GP MQ MF BL PM AW CW BQ SX MA EH ET SS SD RW BI"},
	{28_000, 36_000, "EE LT AF BT DJ ER LR LY MR CV CF TD CG CD KM MU GQ AI AG DM GD KN LC VC MS VG TC BZ GY SR HT AS FJ PF NC WS TO"},
	{45_000, 62_000, "LV DZ TN GM GN GW SL ST MG SC SO CU MV TL PW FM MH"},
	{110_000, 120_000, "AC FK SH TA KP TK TV NR KI VU PG SB WF NU CK IO NF CC CX AQ"},
}

// exceptions to the tiers: the destinations that thieves like.
var exceptions = map[string][2]int64{
	"CU": {78_000, 78_000}, "SO": {62_000, 68_000}, "LV": {38_000, 52_000}, "MV": {85_000, 85_000}, "TN": {58_000, 66_000},
}

// unlisted is for a country that is not in the list.
const unlisted = 60_000

func ordinary(c phone.Country) (fixed, mobile int64) {
	code := c.String()
	if e, ok := exceptions[code]; ok {
		return e[0], e[1]
	}
	for _, t := range tiers {
		if strings.Contains(t.countries, code) {
			return t.fixed, t.mobile
		}
	}
	return unlisted, unlisted
}

// price makes the row of one kind of number.
func price(k kind, code int, prefixes []string) row {
	if k.country.String() == "001" {
		return worldwide(code, prefixes)
	}
	fixed, mobile := ordinary(k.country)
	r := row{name: countryName(k.country), prefixes: prefixes, first: 1, step: 1, costPercent: 70}
	rate := fixed
	switch k.class {
	case phone.IntlMobile:
		r.name += " - mobile"
		r.first, r.step = 30, 6
		rate = mobile
	case phone.IntlFreephone:
		r.name += " - freephone"
		r.first, r.step = 60, 60
	case phone.IntlShared:
		r.name += " - special services"
		r.first, r.step = 60, 60
		rate = max(15_000, 3*fixed)
	case phone.IntlPremium:
		r.name += " - premium rate"
		r.first, r.step, r.connect = 60, 60, 50_000
		rate = 180_000 + mobile
	default:
		if rate >= 16_000 {
			r.first, r.step = 60, 60
		}
	}
	r.rates = [3]int64{rate, rate, rate}
	return r
}

// worldwide are the codes that belong to no country.
func worldwide(code int, prefixes []string) row {
	r := row{prefixes: prefixes, first: 60, step: 60, costPercent: 80}
	rate := int64(0)
	switch code {
	case 800:
		r.name, rate = "International freephone", 12_000
	case 808:
		r.name, rate = "International shared cost", 25_000
	case 870:
		r.name, rate = "Satellite - Inmarsat", 650_000
	case 878:
		r.name, rate = "Universal personal numbers", 30_000
	case 881:
		r.name, rate = "Satellite - Iridium and Globalstar", 590_000
	case 882:
		r.name, rate = "Satellite and international networks - 882", 420_000
	case 883:
		r.name, rate = "Satellite and international networks - 883", 250_000
	case 888:
		r.name, rate = "Disaster relief", 60_000
	case 979:
		r.name, rate, r.connect = "International premium rate", 320_000, 100_000
	default:
		r.name, rate = "International networks", 250_000
	}
	r.rates = [3]int64{rate, rate, rate}
	return r
}
