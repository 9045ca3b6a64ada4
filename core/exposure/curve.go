package exposure

import (
	"time"

	"ringfence/core/money"
	"ringfence/core/rating"
)

// curve is what a call costs the customer at the least, and a carrier at the most, by its length. Both are stairs; what can be had for nothing is
// between them, for example by calls of a second where a carrier charges whole minutes.
type curve struct {
	points    []point // where the carrier's stairs rise, from 0 on
	from      int     // from this point on both rise evenly
	each      int     // so many points are a period
	period    float64 // seconds
	low, cost float64 // what a second costs at the least and at the most, in millionths
}

// point is just after a length, in seconds; amounts are in millionths.
type point struct{ talk, retail, cost float64 }

const (
	somePoints = 256  // of an ordinary curve
	mostPoints = 4096 // of any
)

// curveOf follows two prices as far as they must be known. Without points it is too long, and a linear bound has to do.
func curveOf(p, k *rating.Price) curve {
	low, dear := min(p.Rates[0], p.Rates[1], p.Rates[2]), k.Dearest()
	c := curve{low: second(low), cost: second(dear)}
	retail, cost := flat(p, low), flat(k, dear)
	step := int64(max(k.Step, 1))
	period := lcm(step, int64(max(p.Step, 1)))
	even := max(int64(p.First), int64(k.First), uneven(p, low), uneven(k, dear))
	c.each, c.period = int(period/step), float64(period)
	before := int((even-int64(k.First)+step-1)/step) + 1
	if before < 1 {
		before = 1
	}
	if low == 0 && (p.Connect > 0 || p.Minimum > 0) || before+c.each > mostPoints {
		return curve{low: c.low, cost: c.cost}
	}
	c.from = before
	periods := max(1, (somePoints-before)/c.each)
	for i := range before + periods*c.each {
		talk := time.Duration(0)
		if i > 0 {
			talk = time.Duration(int64(max(k.First, 1))+int64(i-1)*step) * time.Second
		}
		c.points = append(c.points, point{talk.Seconds(), float64(retail.Charge(rating.Peak, talk+1)), float64(cost.Charge(rating.Peak, talk+1))})
	}
	return c
}

// flat is a price with one rate.
func flat(p *rating.Price, rate money.Rate) *rating.Price {
	x := *p
	x.Rates = [rating.NumBands]money.Rate{rate, rate, rate}
	return &x
}

// uneven is for how many seconds the minimum of a price may hide its rate.
func uneven(p *rating.Price, rate money.Rate) int64 {
	if p.Minimum <= p.Connect || rate == 0 {
		return 0
	}
	return int64(float64(p.Minimum-p.Connect)/second(rate)) + 2 + int64(p.Step)
}

func lcm(a, b int64) int64 {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}

// most is the most that a call costs the carrier's money beyond lambda times what it costs the customer and a rate for its length. The rate must be
// so high that this does not grow with the length for ever.
func (c *curve) most(lambda, rate float64) (most float64) {
	last := 0.0
	for i := range c.points {
		p := &c.points[i]
		g := p.cost - lambda*p.retail - rate*p.talk
		if most = max(most, g); i >= c.from && i < c.from+c.each {
			if i == c.from {
				last = g
			}
			last = max(last, g)
		}
	}
	// Beyond the points it falls from period to period, but for what rounding adds.
	periods := float64((len(c.points) - c.from) / c.each)
	return max(most, last+2*(1+lambda)-periods*c.period*(lambda*c.low+rate-c.cost))
}

// ratio is the highest that the carrier's money is of the customer's.
func (c *curve) ratio() (most float64) {
	for _, p := range c.points {
		if p.retail > 0 {
			most = max(most, p.cost/p.retail)
		}
	}
	return most
}
