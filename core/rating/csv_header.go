package rating

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
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
	fieldFirst
	fieldStep
	fieldIncrements
	fieldStart
	fieldEnd
	fieldStatus
	fieldCurrency
	fieldShort
	numFields
)

var fieldNames = [numFields]string{
	"", "name", "country", "prefix", "country code", "area code", "rate", "peak rate", "off-peak rate", "weekend rate",
	"connection charge", "minimum charge", "first interval", "sub interval", "increments", "start", "end", "status",
	"currency", "short number",
}

// synonyms are header names as real decks have them, in small letters, without punctuation, units and currencies.
var synonyms = func() map[string]field {
	m := map[string]field{}
	for f, names := range map[field]string{
		fieldName: "destination,destination name,destinations,description,destination description,name,location,zone," +
			"route,route name,region,call type,rate name,area name,destination country,operator name,calls to",
		fieldCountry: "country,country name",
		fieldPrefix: "prefix,prefixes,code,codes,dial code,dialcode,dial codes,dialing code,dialing codes,dialling code," +
			"dialling codes,destination code,destination codes,dest code,dest codes,breakout,breakouts,number prefix," +
			"dial prefix,prefix code,e164,e 164,digits,dialed digits,dialled digits,dial string,area prefix",
		fieldCountryCode: "country code,countrycode,country codes,cc,country prefix,country dial code,country dialling code,country dialing code",
		fieldAreaCode:    "area code,areacode,area codes,areacodes,city code,city codes,citycode,ndc,national code,national codes,operator code,operator codes,sub code",
		fieldRate: "rate,rates,price,prices,cost,tariff,charge,call rate,call price,call cost,call charge,new rate,new price," +
			"current rate,current price,standard rate,flat rate,anytime,anytime rate,all day,all day rate,sell rate," +
			"selling rate,buy rate,buying rate,unit price,unit rate,unit cost,price per,minute rate,minute price,ppm",
		fieldPeak: "peak,peak rate,peak price,peak cost,day,day rate,day price,daytime,daytime rate,daytime price,weekday,weekday rate,business rate",
		fieldOffPeak: "off peak,offpeak,off peak rate,offpeak rate,off peak price,offpeak price,off peak cost,evening,evening rate," +
			"evening price,eve,night,night rate,economy,evening weekend,evening and weekend,off peak and weekend,evening night",
		fieldWeekend: "weekend,weekend rate,weekend price,weekend cost,weekends",
		fieldConnect: "connection,connection charge,connection fee,connection cost,connection price,connect,connect charge," +
			"connect fee,connect cost,setup,setup charge,setup fee,setup cost,setup price,set up,set up charge,set up fee," +
			"call setup,call setup fee,call setup charge,call set up charge,call set up fee,flagfall,flag fall",
		fieldMinimum: "minimum charge,min charge,minimum cost,min cost,minimum price,min price,minimum fee,minimum call charge,min call charge,minimum",
		fieldFirst: "first interval,initial interval,initial,initial increment,first increment,minimum increment,min increment," +
			"interval 1,interval1,initial period,first period,minimum duration,min duration,minimum time,min time," +
			"initial unit,minimum interval,first,initial time",
		fieldStep: "sub interval,subinterval,sub increment,subsequent interval,subsequent increment,subsequent,next interval," +
			"next increment,interval n,intervaln,interval 2,interval2,additional increment,additional interval," +
			"recurring interval,recurring increment,next period,subsequent period,step,next,sub",
		fieldIncrements: "increment,increments,billing increment,billing increments,billing,interval,intervals,billing interval," +
			"billing intervals,billing unit,billing units,billing terms,pulse,rounding,charging increment,charging interval",
		fieldStart: "start,start date,start time,effective,effective date,effective from,effective start,valid from,from," +
			"from date,date from,begin date,activation date,effective as,date",
		fieldEnd: "end,end date,end time,expiry,expiry date,expires,expiration date,expire date,valid to,valid until,valid till," +
			"until,till,to,to date,date to,effective to,effective till,effective until,effective end,discontinue date",
		fieldStatus:   "status,rate status,row status,code status,state",
		fieldCurrency: "currency,currency code,ccy",
		fieldShort:    "short,short number,short code",
	} {
		for _, name := range strings.Split(names, ",") {
			if _, twice := m[name]; twice {
				panic("rating: header name given twice: " + name) // a constant of this package; every test would see it
			}
			m[name] = f
		}
	}
	return m
}()

// unit is what a header says of amounts.
type unit struct {
	hundredths bool
	whole      bool
	currency   string
	perOther   string // "second" or "hour"
}

// columns maps fields to cells.
type columns struct {
	at    [numFields]int // cell number from 1, 0 for none
	units [numFields]unit
	twice [][2]int // cells, from 0, that claim one field
	other []int    // cells, from 0, that are not understood
}

func (c *columns) has(f field) bool { return c.at[f] > 0 }

// usable says that a row of names can be a header.
func (c columns) usable() bool {
	return (c.has(fieldPrefix) || c.has(fieldCountryCode)) &&
		(c.has(fieldRate) || c.has(fieldPeak) || c.has(fieldOffPeak))
}

// recognise reads a row of header names.
func recognise(cells []string) columns {
	var c columns
	for i, cell := range cells {
		if len(cell) > MaxCellBytes {
			continue
		}
		name, u := plainHeader(cell)
		f := synonyms[name]
		switch {
		case name == "":
		case f == fieldNone:
			c.other = append(c.other, i)
		case c.has(f):
			c.twice = append(c.twice, [2]int{c.at[f] - 1, i})
		default:
			c.at[f], c.units[f] = i+1, u
		}
	}
	return c
}

// unitWords are taken out of a header name.
var unitWords = map[string]unit{
	"pence": {hundredths: true}, "penny": {hundredths: true}, "p": {hundredths: true}, "cents": {hundredths: true},
	"cent": {hundredths: true}, "c": {hundredths: true}, "ppm": {hundredths: true}, "pounds": {whole: true},
	"euros": {whole: true}, "dollars": {whole: true}, "gbp": {whole: true, currency: "GBP"},
	"sterling": {whole: true, currency: "GBP"}, "eur": {whole: true, currency: "EUR"}, "euro": {whole: true, currency: "EUR"},
	"usd": {whole: true, currency: "USD"}, "us": {}, "inc": {}, "incl": {}, "ex": {}, "excl": {}, "exc": {}, "vat": {}, "in": {},
	"of": {}, "the": {}, "s": {}, "secs": {}, "sec": {}, "seconds": {}, "second": {},
}

// plainHeader takes units and punctuation off a header name: "Rate (GBP/min)" is "rate" in whole GBP.
func plainHeader(cell string) (string, unit) {
	var u unit
	text := strings.ToLower(cell)
	for sign, code := range map[string]string{"£": "gbp", "€": "eur", "$": "usd"} {
		text = strings.ReplaceAll(text, sign, " "+code+" ")
	}
	text = strings.NewReplacer("e.164", "e164", "/", " per ").Replace(text)
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	var kept []string
	for i, w := range words {
		after := ""
		if i > 0 {
			after = words[i-1]
		}
		switch {
		case after == "per" && slices.Contains([]string{"second", "sec", "s", "hour", "hr", "h"}, w):
			u.perOther = w
			continue
		case w == "per", (after == "per" || after == "a") && slices.Contains([]string{"minute", "min", "mins", "m"}, w):
			continue
		}
		if found, ok := unitWords[w]; ok && !(w == "ppm" && len(words) == 1) {
			u.merge(found)
			continue
		}
		if w == "ppm" {
			u.hundredths = true
		}
		kept = append(kept, w)
	}
	return strings.Join(kept, " "), u
}

func (u *unit) merge(other unit) {
	u.hundredths = u.hundredths || other.hundredths
	u.whole = u.whole || other.whole
	if other.currency != "" {
		u.currency = other.currency
	}
}

// amountFields hold money.
var amountFields = []field{fieldRate, fieldPeak, fieldOffPeak, fieldWeekend, fieldConnect, fieldMinimum}

// checkHeader refuses headers that can be read in two ways, and notes what was understood.
func (r *deckReader) checkHeader() bool {
	faults := r.out.FaultCount
	c := &r.columns
	for _, pair := range c.twice {
		r.cellFault(pair[1], r.header[pair[1]], fmt.Sprintf("one column for it only: column %d %q says the same", pair[0]+1, clip(r.header[pair[0]])))
	}
	for _, f := range amountFields {
		at, u := c.at[f]-1, c.units[f]
		if at < 0 {
			continue
		}
		if u.perOther != "" {
			r.cellFault(at, r.header[at], "a price per minute")
		}
		if u.currency != "" {
			r.sameCurrency(at, u.currency)
		}
	}
	format := &r.out.Format
	format.Pence = r.pence(fieldRate)
	if !c.has(fieldRate) {
		format.Pence = r.pence(fieldPeak)
	}
	for f := fieldName; f < numFields; f++ {
		if c.has(f) {
			format.Columns = append(format.Columns, clip(strings.TrimSpace(r.header[c.at[f]-1]))+" → "+fieldNames[f])
		}
	}
	for _, i := range c.other {
		format.Ignored = append(format.Ignored, clip(strings.TrimSpace(r.header[i])))
	}
	if len(format.Ignored) > 0 {
		r.warn(Warning{Kind: WarnIgnored, Text: "columns not used: " + strings.Join(format.Ignored, ", ")})
	}
	return r.out.FaultCount == faults
}

// pence says that an amount column is in hundredths: "p" beside a currency ("GBP pence") means pence.
func (r *deckReader) pence(f field) bool {
	u := r.columns.units[f]
	return u.hundredths || r.opt.Pence && !u.whole
}

// sameCurrency faults a currency that is not the one asked for or seen before.
func (r *deckReader) sameCurrency(cell int, code string) {
	want := r.opt.Currency
	if want == "" {
		want = r.out.Format.Currency
	}
	if want != "" && want != code {
		r.cellFault(cell, code, "currency "+want)
		return
	}
	r.out.Format.Currency = code
}
