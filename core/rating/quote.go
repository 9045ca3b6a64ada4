package rating

import (
	"math"
	"time"

	"ringfence/core/money"
)

// Cost is the charge for an answered call of the given talk time: the connection charge, and the talk time rounded up to
// the first increment and then to further ones, each second at the rate of the band in which it begins, all rounded
// once; and never less than the minimum. A call that is answered and ended in the same second (0 s) is billed its
// first increment. Calls that were never answered cost nothing; do not ask for their cost. Cost never falls as talk grows.
func (q *Quote) Cost(talk time.Duration) money.Micro {
	var sum money.Weighted
	if rate, flat := q.flat(); flat {
		sum = sum.Plus(rate, q.Price.billed(talk))
	} else {
		for s := q.spans(q.Price.billed(talk)); s.next(); {
			sum = sum.Plus(q.Price.Rates[s.band], s.seconds)
		}
	}
	return max(q.Price.Minimum, q.Price.Connect.Add(sum.Amount()))
}

// Charge is the Cost of a call within one band. A talk of 0 is the least charge of an answered call.
func (p *Price) Charge(band Band, talk time.Duration) money.Micro {
	q := Quote{Price: *p}
	q.Price.Rates = [NumBands]money.Rate{p.Rates[band], p.Rates[band], p.Rates[band]}
	return q.Cost(talk)
}

// FirstMinute is the whole price of a first minute in the dearest band, with connection charge, minimum and increments: with an
// increment of an hour it is the price of an hour. No call of up to a minute costs more. It is exact where it is a rate alone,
// otherwise to a millionth of the currency, and it saturates.
func (p *Price) FirstMinute() money.Rate {
	rate, seconds := p.Dearest(), p.billed(time.Minute)
	if p.Connect == 0 && p.Minimum == 0 && seconds == 60 {
		return rate
	}
	var sum money.Weighted
	amount := max(p.Minimum, p.Connect.Add(sum.Plus(rate, seconds).Amount()))
	if amount > math.MaxInt64/1000 {
		return math.MaxInt64
	}
	return max(rate, money.Rate(amount)*1000)
}

// Affords is the longest talk time, not more than longest, whose Cost is not more than amount: whole billing increments,
// or longest itself. It is 0 when amount does not pay even for the first increment. The work grows with the price bands
// crossed (about three a day), not with the seconds.
func (q *Quote) Affords(amount money.Micro, longest time.Duration) time.Duration {
	if longest <= 0 || q.Price.Minimum > amount || q.Price.Connect > amount {
		return 0
	}
	budget, ok := money.Budget(amount - q.Price.Connect)
	if !ok {
		return 0
	}
	wanted := q.Price.billed(longest)
	paid := q.paidSeconds(budget, wanted)
	if paid == wanted {
		return longest
	}
	first, step := q.Price.increments()
	if paid < first {
		return 0
	}
	return time.Duration(first+(paid-first)/step*step) * time.Second
}

// paidSeconds is how many seconds, at most wanted, a budget pays.
func (q *Quote) paidSeconds(budget money.Weighted, wanted int64) int64 {
	if rate, flat := q.flat(); flat {
		return budget.Seconds(rate, wanted)
	}
	paid := int64(0)
	for s := q.spans(wanted); s.next(); {
		rate := q.Price.Rates[s.band]
		n := budget.Seconds(rate, s.seconds)
		paid += n
		if n < s.seconds {
			break
		}
		budget = budget.Minus(rate, n)
	}
	return paid
}

// flat is the one rate of a price whose bands all cost the same.
func (q *Quote) flat() (money.Rate, bool) {
	r := &q.Price.Rates
	return r[Peak], r[Peak] == r[OffPeak] && r[Peak] == r[Weekend]
}

// increments are in seconds; a price that gives none (a trunk without a deck) is per second.
func (p *Price) increments() (first, step int64) {
	return max(1, int64(p.First)), max(1, int64(p.Step))
}

// billed is the talk time in whole seconds, rounded up to increments.
func (p *Price) billed(talk time.Duration) int64 {
	first, step := p.increments()
	seconds := ceilSeconds(max(0, talk))
	if seconds <= first {
		return first
	}
	return first + (seconds-first+step-1)/step*step
}

func ceilSeconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}

// Band is the band of an instant, by local time in the calendar's zone.
func (c *Calendar) Band(at time.Time) Band {
	band, _ := c.bandFor(at)
	return band
}

const day = 24 * time.Hour

// bandFor is the band of an instant and how long it lasts at least. Between two changes of the zone's offset local
// time runs evenly, so that days of 23 and 25 hours need no special case.
func (c *Calendar) bandFor(at time.Time) (Band, time.Duration) {
	zone := c.Zone
	if zone == nil {
		zone = time.UTC
	}
	local := at.In(zone)
	_, offset := local.Zone()
	wall := local.Unix() + int64(offset)
	days := wall / 86400
	if wall%86400 < 0 {
		days--
	}
	clock := time.Duration(wall-days*86400)*time.Second + time.Duration(local.Nanosecond())
	band, lasts := c.bandOf((days%7+7+4)%7, clock) // 1970-01-01 was a Thursday
	if _, end := local.ZoneBounds(); !end.IsZero() {
		lasts = min(lasts, end.Sub(local))
	}
	return band, lasts
}

// bandOf takes the day of the week (0 is Sunday) and the local time.
func (c *Calendar) bandOf(weekday int64, clock time.Duration) (Band, time.Duration) {
	if weekday == 0 || weekday == 6 {
		return Weekend, day - clock
	}
	till := day
	for _, edge := range [...]time.Duration{c.PeakFrom, c.PeakTill} {
		if edge > clock {
			till = min(till, edge)
		}
	}
	if c.isPeak(clock) {
		return Peak, till - clock
	}
	return OffPeak, till - clock
}

// isPeak holds on Monday to Friday. A peak that ends before it begins goes over midnight.
func (c *Calendar) isPeak(clock time.Duration) bool {
	switch {
	case c.PeakFrom == c.PeakTill:
		return true
	case c.PeakFrom < c.PeakTill:
		return clock >= c.PeakFrom && clock < c.PeakTill
	}
	return clock >= c.PeakFrom || clock < c.PeakTill
}

// spans walks the seconds of a call, one band after the other. A second belongs to the band in which it begins.
type spans struct {
	calendar Calendar // a copy, so that a quote may stay on the stack
	at       time.Time
	left     int64
	band     Band
	seconds  int64
}

func (q *Quote) spans(seconds int64) spans {
	return spans{calendar: q.Calendar, at: q.Start, left: seconds}
}

func (s *spans) next() bool {
	if s.left == 0 {
		return false
	}
	band, lasts := s.calendar.bandFor(s.at)
	s.band, s.seconds = band, min(s.left, ceilSeconds(lasts))
	s.left -= s.seconds
	s.at = s.at.Add(time.Duration(s.seconds) * time.Second)
	return true
}
