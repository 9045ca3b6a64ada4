package rating

import (
	"strings"

	"ringfence/core/money"
)

// billing is the code of the currency that prices are to be in.
func (r *deckReader) billing() string {
	if r.opt.Billing.Code == "" {
		return money.Sterling.Code
	}
	return r.opt.Billing.Code
}

// wanted is the currency that the whole file must be in.
func (r *deckReader) wanted() string {
	switch {
	case r.opt.Exchange.From != "":
		return r.opt.Exchange.From
	case r.opt.Currency != "":
		return strings.ToUpper(r.opt.Currency)
	}
	return r.billing()
}

// checkCurrency looks at what header and options say of the currency, before any row is read.
func (r *deckReader) checkCurrency() bool {
	faults := r.out.FaultCount
	from, stated := r.opt.Exchange.From, strings.ToUpper(r.opt.Currency)
	switch {
	case from != "" && from == r.billing():
		r.fault(Fault{Found: "a rate of " + from, Expected: "no exchange rate: that is the provider's own currency"})
	case from != "" && stated != "" && stated != from:
		r.fault(Fault{Found: "a rate of " + from, Expected: "the rate of " + stated + ", which the file is said to be in"})
	case from == "" && stated != "" && stated != r.billing():
		r.fault(Fault{Found: stated, Expected: r.currencyWanted(stated)})
	}
	r.out.Format.Currency = r.wanted()
	for _, f := range amountFields {
		if at, u := r.columns.at[f]-1, r.columns.units[f]; at >= 0 && u.currency != "" {
			r.sameCurrency(at, r.header[at], u.currency)
		}
	}
	return r.out.FaultCount == faults
}

// currencyWanted says what can be done about a file in another currency.
func (r *deckReader) currencyWanted(code string) string {
	want := "currency " + r.wanted()
	if r.opt.Exchange.From == "" {
		want += ", which the provider bills in: --rate " + code + "=1.23 converts at the rate that you state"
	}
	return want
}

// sameCurrency faults a currency that is not the one of the file.
func (r *deckReader) sameCurrency(cell int, found, code string) bool {
	if code != r.wanted() {
		r.cellFault(cell, found, r.currencyWanted(code))
		return false
	}
	r.out.Format.Stated = true
	return true
}

// currency looks at the row's currency column.
func (r *deckReader) currency(cells []string) {
	if !r.columns.has(fieldCurrency) {
		return
	}
	text := r.cell(cells, fieldCurrency)
	code := strings.ToUpper(text)
	if sign, ok := money.Signs[text]; ok {
		code = sign
	}
	switch text {
	case "GBp", "GBX", "p", "pence":
		r.fieldFault(fieldCurrency, text, "a currency; that amounts are in pence is said with --pence")
		return
	}
	if code == r.lastCurrency {
		return
	}
	if _, err := money.CurrencyOf(code); err != nil {
		r.fieldFault(fieldCurrency, text, "a currency of three letters such as GBP")
		return
	}
	if r.sameCurrency(r.columns.at[fieldCurrency]-1, text, code) {
		r.lastCurrency = strings.Clone(code)
	}
}
