// Package rerate works out what a call costs a second time, in another way and without a line of the first rater, its rounding or its calendar: it walks the call
// second by second, asks the calendar for each, and adds up with integers of any size. Where both agree on millions of calls, a fault would have to be in both.
// It must not import core/rating, core/engine or core/money.
package rerate

import (
	"math/big"
	"time"
)

// Price is what a price list says. Amounts are millionths of the currency, rates billionths a minute.
type Price struct {
	Connect, Minimum       int64
	Peak, OffPeak, Weekend int64
	First, Step            int64 // seconds of the first and of each further increment; 0 counts as 1
}

// Week says which hours of Monday to Friday are peak, by the clocks of Zone.
type Week struct {
	Zone                *time.Location
	PeakFrom, PeakUntil time.Duration // since midnight; the same: all of Monday to Friday
}

// Call is an answered call.
type Call struct {
	Price Price
	Week  Week
	Start time.Time // from which bands are counted
	Talk  time.Duration
}

// Cost is what an answered call costs, in millionths of the currency; nil for none that fits in 64 bits.
func Cost(c *Call) *big.Int {
	sum := new(big.Int)
	seconds := billed(&c.Price, c.Talk)
	if p := &c.Price; p.Peak == p.OffPeak && p.Peak == p.Weekend {
		sum.Mul(big.NewInt(p.Peak), big.NewInt(seconds))
	} else {
		perBand := map[int64]int64{} // seconds at each rate
		for i := int64(0); i < seconds; i++ {
			perBand[c.rateAt(c.Start.Add(time.Duration(i)*time.Second))]++
		}
		for rate, n := range perBand {
			sum.Add(sum, new(big.Int).Mul(big.NewInt(rate), big.NewInt(n)))
		}
	}
	// Billionths a minute times seconds: 60,000 of them are a millionth. Half of one is rounded up.
	exact := new(big.Rat).SetFrac(sum, big.NewInt(60_000))
	exact.Add(exact, new(big.Rat).SetInt64(c.Price.Connect))
	if least := new(big.Rat).SetInt64(c.Price.Minimum); exact.Cmp(least) < 0 {
		exact = least
	}
	return nearest(exact)
}

// nearest is the whole number nearest to one that is not negative, the upper of two.
func nearest(x *big.Rat) *big.Int {
	twice := new(big.Int).Lsh(x.Num(), 1)
	twice.Add(twice, x.Denom())
	return twice.Quo(twice, new(big.Int).Lsh(x.Denom(), 1))
}

// billed is how many seconds are charged: the first increment, and then as many further ones as the talk has begun.
func billed(p *Price, talk time.Duration) int64 {
	first, step := max(p.First, 1), max(p.Step, 1)
	n := first
	if rest := talk - time.Duration(first)*time.Second; rest > 0 {
		each := time.Duration(step) * time.Second
		n += int64(rest/each) * step
		if rest%each != 0 {
			n += step
		}
	}
	return n
}

// rateAt is the rate of the second that begins at an instant.
func (c *Call) rateAt(at time.Time) int64 {
	zone := c.Week.Zone
	if zone == nil {
		zone = time.UTC
	}
	local := at.In(zone)
	switch local.Weekday() {
	case time.Saturday, time.Sunday:
		return c.Price.Weekend
	}
	h, m, s := local.Clock()
	clock := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second + time.Duration(local.Nanosecond())
	from, until := c.Week.PeakFrom, c.Week.PeakUntil
	peak := from == until
	if from < until {
		peak = from <= clock && clock < until
	}
	if from > until { // over midnight
		peak = clock >= from || clock < until
	}
	if peak {
		return c.Price.Peak
	}
	return c.Price.OffPeak
}
