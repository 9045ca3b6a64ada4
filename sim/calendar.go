package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// day is a day of the provider's zone.
type day struct {
	midnight int64 // seconds since 1970
	weekday  time.Weekday
	month    time.Month
	bank     bool // a bank holiday: offices are closed
	school   bool // schools are
	feast    bool // families call one another
}

// calendar is the days from a Monday on.
func calendar(begin time.Time, zone *time.Location, weeks int) []day {
	year, month, date := begin.Date()
	days := make([]day, weeks*7)
	for i := range days {
		noon := time.Date(year, month, date+i, 12, 0, 0, 0, zone)
		d := &days[i]
		d.midnight, d.weekday, d.month = noon.Unix()-12*3600, noon.Weekday(), noon.Month()
		n := noon.YearDay()
		md := int(noon.Month())*100 + noon.Day()
		fromEaster := n - easter(noon.Year()).YearDay()
		d.bank = md == 101 || md == 1225 || md == 1226 || fromEaster == -2 || fromEaster == 1 ||
			noon.Weekday() == time.Monday && (md >= 501 && md <= 507 || md >= 525 && md <= 531 || md >= 825 && md <= 831)
		d.school = !(fromEaster > -10 && fromEaster < 8) && !(md > 720 && md < 903) && md > 105 && md < 1219 &&
			!(md >= 214 && md <= 222) && !(md >= 525 && md <= 531) && !(md >= 1025 && md <= 1101)
		d.feast = md == 101 || md == 1224 || md == 1225 || fromEaster == 0 || md == 320 || md == 527 || md == 1108
	}
	return days
}

// easter is the Sunday (the anonymous Gregorian computus).
func easter(year int) time.Time {
	a, b, c := year%19, year/100, year%100
	h := (19*a + b - b/4 - (b-(b+8)/25+1)/3 + 15) % 30
	l := (32 + 2*(b%4) + 2*(c/4) - h - c%4) % 7
	m := (a + 11*h + 22*l) / 451
	return time.Date(year, time.Month((h+l-7*m+114)/31), (h+l-7*m+114)%31+1, 12, 0, 0, 0, time.UTC)
}

// hours is when people call: a weight for each hour of the day.
type hours [24]float64

// clock draws instants of a day by hours: a table of 256 hours, so that a draw costs next to nothing.
type clock [256]uint8

func (h hours) clock() (c clock) {
	var sum, done float64
	for _, w := range h {
		sum += w
	}
	at := 0
	for hour, w := range h {
		for done += w; at < 256 && float64(at) < done/sum*256-0.5; at++ {
			c[at] = uint8(hour) //nolint:gosec // below 24
		}
	}
	for ; at < 256; at++ {
		c[at] = c[at-1]
	}
	return c
}

// draw is a second of the day.
func (c *clock) draw(r *rand.Rand) int {
	n := r.Uint64()
	return int(c[n&255])*3600 + int((n>>8)%3600)
}

// has says that people call at this second.
func (c *clock) has(second int) bool {
	for _, h := range c {
		if int(h) == second/3600 {
			return true
		}
	}
	return false
}

// poisson draws how many of what happens mean times on average.
func poisson(r *rand.Rand, mean float64) int {
	if mean > 40 {
		return max(int(mean+math.Sqrt(mean)*r.NormFloat64()+0.5), 0)
	}
	n, p, floor := 0, r.Float64(), math.Exp(-mean)
	for p > floor {
		n++
		p *= r.Float64()
	}
	return n
}

// swing draws a factor with median 1.
func swing(r *rand.Rand, sigma float64) float64 { return math.Exp(sigma * r.NormFloat64()) }

// within draws a whole number between two, both included.
func within(r *rand.Rand, span [2]int) int { return span[0] + r.IntN(span[1]-span[0]+1) }

// zipf draws an index below n; the first is drawn most.
func zipf(r *rand.Rand, n int) int {
	return min(int(math.Exp(r.Float64()*math.Log(float64(n+1))))-1, n-1)
}

// lengths of talk: log-normal.
type lengths struct {
	median float64 // seconds
	sigma  float64
}

func (l lengths) draw(r *rand.Rand) time.Duration {
	s := l.median * swing(r, l.sigma)
	return time.Duration(min(max(s, 1), 4*3600)) * time.Second
}

// mean is in minutes.
func (l lengths) mean() float64 { return l.median * math.Exp(l.sigma*l.sigma/2) / 60 }
