// Package money holds amounts, rates and the one rounding rule. It must not know what is being paid for.
//
// Amounts are millionths of the billing currency in an int64; rates are billionths of it per minute.
// Products are formed exactly before the one division, and rounded once: to nearest, halves away from zero.
package money

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Micro is an amount in 1e-6 of the billing currency. £1 is 1_000_000.
type Micro int64

// Rate is a price per minute in 1e-9 of the billing currency. 2 pence a minute is 20_000_000.
type Rate int64

// Pound is one whole unit of the currency.
const Pound Micro = 1_000_000

// PencePerMinute is a rate of one hundredth of the currency a minute.
const PencePerMinute Rate = 10_000_000

// Max is the largest amount; adding to it saturates in Add.
const Max Micro = math.MaxInt64

// ErrSyntax says that a text is not an amount or does not fit in one.
var ErrSyntax = errors.New("not an amount")

// Add returns a+b, saturating at the ends of the range so that no overflow ever makes money.
func (a Micro) Add(b Micro) Micro {
	s := a + b
	if (s > a) == (b > 0) {
		return s
	}
	if b > 0 {
		return math.MaxInt64
	}
	return math.MinInt64
}

// String gives the shortest exact decimal with at least two places: "0.0213", "12.50".
func (a Micro) String() string { return decimal(int64(a), 6, 2) }

// Pence gives a rate in hundredths of the currency a minute, exact, without trailing zeros: "2", "45.125".
func (r Rate) Pence() string { return decimal(int64(r), 7, 0) }

// String gives the rate in whole units of the currency a minute: "0.02".
func (r Rate) String() string { return decimal(int64(r), 9, 2) }

// Weighted accumulates rate × seconds exactly, so that a call across price bands is rounded once.
type Weighted struct{ hi, lo uint64 }

// Plus adds seconds (≥ 0) at rate (≥ 0).
func (w Weighted) Plus(r Rate, seconds int64) Weighted {
	hi, lo := bits.Mul64(uint64(r), uint64(seconds))
	lo, carry := bits.Add64(w.lo, lo, 0)
	hi, _ = bits.Add64(w.hi, hi, carry)
	return Weighted{hi, lo}
}

// Amount divides by 60 (rates are per minute) and by 1000 (billionths to millionths) and rounds once.
// It saturates at Max.
func (w Weighted) Amount() Micro {
	const per = 60_000
	if w.hi >= per {
		return Max
	}
	q, rem := bits.Div64(w.hi, w.lo, per)
	if q >= math.MaxInt64 {
		return Max
	}
	if rem >= per/2 {
		q++
	}
	return Micro(q)
}

// Budget is the largest accumulation whose Amount is not more than a; none when a is negative.
func Budget(a Micro) (Weighted, bool) {
	if a < 0 {
		return Weighted{}, false
	}
	hi, lo := bits.Mul64(uint64(a), 60_000)
	lo, carry := bits.Add64(lo, 29_999, 0) // what rounds down to a
	return Weighted{hi + carry, lo}, true
}

// Seconds is how many whole seconds at rate r (≥ 0) fit in w, at most most.
func (w Weighted) Seconds(r Rate, most int64) int64 {
	if r <= 0 || w.hi >= uint64(r) {
		return most
	}
	q, _ := bits.Div64(w.hi, w.lo, uint64(r))
	return int64(min(q, uint64(most)))
}

// Minus takes seconds at rate r away again. The caller knows by Seconds that they fit.
func (w Weighted) Minus(r Rate, seconds int64) Weighted {
	hi, lo := bits.Mul64(uint64(r), uint64(seconds))
	lo, borrow := bits.Sub64(w.lo, lo, 0)
	hi, _ = bits.Sub64(w.hi, hi, borrow)
	return Weighted{hi, lo}
}

func decimal(n int64, places, least int) string {
	sign, u := "", uint64(n)
	if n < 0 {
		sign, u = "-", -u
	}
	digits := fmt.Sprintf("%0*d", places+1, u)
	whole, frac := digits[:len(digits)-places], digits[len(digits)-places:]
	for len(frac) > least && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	if frac == "" {
		return sign + whole
	}
	return sign + whole + "." + frac
}

func parseDecimal(s string, places int) (int64, error) {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, frac, dotted := strings.Cut(s, ".")
	if whole == "" && frac == "" || dotted && frac == "" || len(frac) > places || !allDigits(whole+frac) {
		return 0, fmt.Errorf("%w: %q (want digits with at most %d places)", ErrSyntax, s, places)
	}
	n, err := strconv.ParseInt(sign+whole+frac+strings.Repeat("0", places-len(frac)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %q does not fit", ErrSyntax, s)
	}
	return n, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
