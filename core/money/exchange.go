package money

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// Exchange turns amounts of another currency into the billing currency, at a rate that a person gave.
type Exchange struct {
	From string // ISO code
	Rate int64  // what one unit of From is worth, in 1e-9 of a unit of the billing currency
}

// ParseExchange reads "USD=0.79": one dollar is worth 0.79 of the billing currency. At most nine decimals.
func ParseExchange(text string) (Exchange, error) {
	code, number, ok := strings.Cut(text, "=")
	c, err := CurrencyOf(code)
	if !ok || err != nil {
		return Exchange{}, fmt.Errorf("%w: %.40q is not an exchange rate (want USD=0.79: one dollar is worth 0.79 of the provider's currency)", ErrSyntax, text)
	}
	n, err := parseDecimal(strings.TrimSpace(number), 9)
	if err == nil && n <= 0 {
		err = fmt.Errorf("%w: an exchange rate is more than 0", ErrSyntax)
	}
	return Exchange{c.Code, n}, err
}

// String is as ParseExchange reads it; "" for none.
func (e Exchange) String() string {
	if e.From == "" {
		return ""
	}
	return e.From + "=" + decimal(e.Rate, 9, 0)
}

// Convert turns n, not negative and in any fraction of a unit, into the same fraction of the billing currency: rounded once,
// to nearest. It saturates.
func (e Exchange) Convert(n int64) int64 {
	const one = 1_000_000_000
	hi, lo := bits.Mul64(uint64(n), uint64(e.Rate))
	lo, carry := bits.Add64(lo, one/2, 0)
	if hi += carry; hi >= one {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, one)
	return int64(min(q, math.MaxInt64))
}
