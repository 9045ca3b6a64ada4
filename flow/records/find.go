package records

import (
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/state/store"
)

// find reads what somebody typed into a box: an amount, a number or a part of one, a country, a line. What is none of them finds what was dialled so.
func (r *Records) find(q *Query, f *store.CDRFilter) {
	text := strings.TrimSpace(q.Find)
	if text == "" {
		return
	}
	if least, below, ok := amount(text); ok {
		f.Least, f.Below = least, below
		return
	}
	if digits := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "", "\u00a0", "").Replace(text); strings.Trim(digits, "+*#0123456789") == "" {
		if d, problem := r.o.Book.Plan().Parse(digits); problem == phone.NoProblem && len(digits) > 6 {
			f.Number = d.Number.String()
		} else if l, ok := r.o.Book.LineCalled(digits); ok && l.Customer() == q.Customer && f.Line == "" {
			f.Line, f.Called = l.ID(), true
		} else {
			f.Digits = digits
		}
		return
	}
	if country, ok := Country(text); ok {
		f.Country = country
		return
	}
	for _, l := range r.o.Book.Lines(q.Customer, "", 1000) {
		if f.Line == "" && (strings.EqualFold(l.Name(), text) || strings.EqualFold(l.Handle(), text)) {
			f.Line, f.Called = l.ID(), true
			return
		}
	}
	f.Digits = text
}

// amount reads "£0.05", "5p" or "0.05": from that coin on, to the next.
func amount(text string) (least, below money.Micro, ok bool) {
	c := money.Billing()
	looks := strings.Contains(text, ".") && !strings.ContainsAny(text, "+ ") || c.Sign != "" && strings.HasPrefix(text, c.Sign)
	if pence, is := strings.CutSuffix(text, c.Minor); is && c.Minor != "" {
		r, err := c.ParseRate(pence + c.Minor)
		least = money.Micro(r / 1000)
		looks, ok = true, err == nil
	} else if looks {
		a, err := c.ParseAmount(text)
		least, ok = a, err == nil
	}
	coin := money.Micro(1_000_000)
	for range c.Places {
		coin /= 10
	}
	return least, least + coin, looks && ok && least > 0
}

// otherNames are what people call countries that the table of names calls otherwise.
var otherNames = map[string]string{
	"uk": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "britain": "GB", "great britain": "GB", "usa": "US", "america": "US", "holland": "NL",
	"czech republic": "CZ", "turkey": "TR", "burma": "MM", "ivory coast": "CI", "satellite": "001",
}

// Country is the code of a country by its code or its English name.
func Country(text string) (code string, ok bool) {
	for _, c := range phone.Countries() {
		code := c.String()
		if strings.EqualFold(text, code) || strings.EqualFold(text, CountryName(code)) {
			return code, true
		}
	}
	code, ok = otherNames[strings.ToLower(text)]
	return code, ok
}

// CountryName is a country in English; of networks without a country, their code.
func CountryName(code string) string {
	r, err := language.ParseRegion(code)
	if err != nil || code == "001" {
		return code
	}
	return display.English.Regions().Name(r)
}
