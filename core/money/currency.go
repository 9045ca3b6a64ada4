package money

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// Currency is how amounts of an ISO 4217 currency are written and read.
type Currency struct {
	Code   string // three capitals: "GBP"
	Sign   string // put before an amount, "" for a currency that is written with its code: "£"
	Minor  string // put after hundredths, "" for a currency whose hundredths have no such letter: "p"
	Places int    // decimals of an amount: 2 for most, 0 for the yen, 3 for the dinar of Kuwait
}

// Sterling is the currency of a provider who names none.
var Sterling = Currency{"GBP", "£", "p", 2}

// codes are the currencies of ISO 4217 that money is kept in; funds, metals and test codes are not.
const codes = " AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP " +
	"CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES " +
	"KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD " +
	"OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY " +
	"TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG "

const (
	wholeOnly  = " BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF "
	thousandth = " BHD IQD JOD KWD LYD OMR TND "
	withCents  = " EUR USD AUD CAD NZD HKD SGD ZAR "
)

// Signs are the signs of one currency each. The dollar sign stands for that of the United States: the others are written
// with their codes.
var Signs = map[string]string{
	"£": "GBP", "€": "EUR", "$": "USD", "¥": "JPY", "₹": "INR", "₩": "KRW", "₪": "ILS", "₦": "NGN", "₴": "UAH", "₱": "PHP", "₺": "TRY", "₫": "VND",
}

// CurrencyOf finds a currency by its code, in capitals or not. The error wraps ErrSyntax.
func CurrencyOf(code string) (Currency, error) {
	upper := strings.ToUpper(strings.TrimSpace(code))
	if len(upper) != 3 || !has(codes, upper) {
		return Currency{}, fmt.Errorf("%w: %.10q is not an ISO 4217 currency (want three letters such as GBP or EUR)", ErrSyntax, code)
	}
	c := Currency{Code: upper, Places: 2}
	switch {
	case has(wholeOnly, upper):
		c.Places = 0
	case has(thousandth, upper):
		c.Places = 3
	case has(withCents, upper):
		c.Minor = "c"
	case upper == Sterling.Code:
		c.Minor = Sterling.Minor
	}
	for sign, owner := range Signs {
		if owner == upper {
			c.Sign = sign
		}
	}
	return c, nil
}

func has(list, code string) bool { return strings.Contains(list, " "+code+" ") }

// billing is the one currency that this process bills in. A provider has one; handing it to each of the texts that name an
// amount would put it in the signature of nearly every function and would let two of them differ.
var billing atomic.Pointer[Currency]

// Billing is the currency that all amounts are in: Sterling unless SetBilling named another.
func Billing() Currency {
	if c := billing.Load(); c != nil {
		return *c
	}
	return Sterling
}

// SetBilling says what the provider bills in: once, at the start of a process, before any amount is written or read.
func SetBilling(c Currency) { billing.Store(&c) }

// Amount writes an amount for people, exact: "£12.50", "-£0.0213", "CHF 3.00", "¥120".
func (c Currency) Amount(a Micro) string {
	text, negative := strings.CutPrefix(decimal(int64(a), 6, c.Places), "-")
	text = c.lead() + text
	if negative {
		return "-" + text
	}
	return text
}

// Number writes an amount without sign and code, exact, where they stand already.
func (c Currency) Number(a Micro) string { return decimal(int64(a), 6, c.Places) }

// Shown writes an amount to the last coin, rounded down, so that no text states more than was used, with thousands
// apart: "£1,234.56". What is less than a coin is written in full: "£0.0005".
func (c Currency) Shown(a Micro) string {
	coin := Pound
	for range c.Places {
		coin /= 10
	}
	if -coin < a && a < coin {
		return c.Amount(a)
	}
	text, negative := strings.CutPrefix(decimal(int64(a/coin*coin), 6, c.Places), "-")
	whole, frac, dotted := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dotted {
		whole += "." + frac
	}
	if whole = c.lead() + whole; negative {
		return "-" + whole
	}
	return whole
}

// lead stands before an amount.
func (c Currency) lead() string {
	if c.Sign != "" {
		return c.Sign
	}
	return c.Code + " "
}

// Rate writes a price per minute for people, exact, without the words "a minute": "2p", "2.5c", "CHF 0.02", "¥3".
func (c Currency) Rate(r Rate) string {
	if c.Minor != "" {
		return r.Pence() + c.Minor
	}
	return c.lead() + decimal(int64(r), 9, c.Places)
}

// Sum is a modest amount of the currency: n whole units of most, of those without decimals n hundred.
func (c Currency) Sum(n int64) Micro {
	if c.Places == 0 {
		n *= 100
	}
	return Micro(n) * Pound
}

// Coded is the currency written with its code instead of its sign, for texts that must be ASCII: SIP's reason phrases.
func (c Currency) Coded() Currency {
	c.Sign = ""
	return c
}

// ParseAmount reads what Amount writes, and plain numbers: "12.5", "£12.50", "12.50 GBP". More than six decimals are an
// error and no rounding, as is the sign of another currency.
func (c Currency) ParseAmount(text string) (Micro, error) {
	n, err := parseDecimal(c.bare(text), 6)
	return Micro(n), err
}

// ParseRate reads what Rate writes: "20p", "£0.20", "0.20 EUR", to a billionth. A number alone is in pence where the
// currency is Sterling; elsewhere it would be a guess and is an error.
func (c Currency) ParseRate(text string) (Rate, error) {
	text = strings.TrimSpace(text)
	number, minor := cutFoldSuffix(text, c.Minor)
	if minor = minor && !endsFold(text, c.Code); minor || c.Minor == Sterling.Minor && c.bare(text) == text {
		n, err := parseDecimal(strings.TrimSpace(number), 7)
		return Rate(n), err
	}
	if number = c.bare(text); number == text {
		return 0, fmt.Errorf("%w: %q does not say what it is in (want %q)", ErrSyntax, text, c.Amount(200_000))
	}
	n, err := parseDecimal(number, 9)
	return Rate(n), err
}

// bare takes sign or code off an amount.
func (c Currency) bare(text string) string {
	text = strings.TrimSpace(text)
	for _, mark := range []string{c.Sign, c.Code} {
		if cut, ok := cutFoldPrefix(text, mark); ok {
			return strings.TrimSpace(cut)
		}
		if cut, ok := cutFoldSuffix(text, mark); ok {
			return strings.TrimSpace(cut)
		}
	}
	return text
}

func endsFold(text, mark string) bool {
	_, ok := cutFoldSuffix(text, mark)
	return ok
}

func cutFoldPrefix(text, mark string) (string, bool) {
	if mark != "" && len(text) > len(mark) && strings.EqualFold(text[:len(mark)], mark) {
		return text[len(mark):], true
	}
	return text, false
}

func cutFoldSuffix(text, mark string) (string, bool) {
	if at := len(text) - len(mark); mark != "" && at > 0 && strings.EqualFold(text[at:], mark) {
		return text[:at], true
	}
	return text, false
}
