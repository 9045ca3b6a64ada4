package exposure

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
)

// Memo keeps what has been worked out for settings that are the same, so that ten thousand lines with the provider's settings are worked out
// once. It is not safe for concurrent use.
type Memo struct{ reaches map[reachKey]*reach }

// NewMemo makes an empty one.
func NewMemo() *Memo { return &Memo{map[reachKey]*reach{}} }

type reachKey struct {
	menu     *menu
	values   [account.MaxCalls]int64 // ceilings and switches
	closed   string
	stranger bool
	hot      *restrict.Hot
	hotAt    time.Time
}

// home and away are where a destination counts.
const (
	home = iota
	away
)

// reach is what can be called under some settings: the dearest of each sort.
type reach struct {
	rates   [2][rating.NumBands]money.Rate
	over    [2]money.Micro
	dearest [2]*offer // by the price of a minute; nil: nothing that costs anything
	begins  [2]phone.Destination
	costs   bool   // some of it costs the carrier's money
	free    *offer // costs us and not the customer
	lacks   *offer // nobody knows what its carrier charges
	duals   []dual // by menu.lambdas
}

// dual is a price of each thing of which calls have a limited amount, when money of a purse is worth lambda: no call costs the carrier's money
// more than lambda times what it costs the customer, start, and a rate for its length. By the duality of linear programs no calls together cost
// more than lambda × purse + start × calls + rate × time, whatever lambda is. The best lambda gives a figure that can be reached.
type dual struct {
	start float64
	rate  [2]float64 // a second
}

// lambdas are worth trying: a general grid, and the ratios that prices have.
func lambdas(offers []*offer) []float64 {
	all := []float64{0, 1}
	for x := 1.0 / 64; x <= 256; x *= math.Sqrt2 {
		all = append(all, x)
	}
	top, worst := 0.0, 0.0
	for _, o := range offers {
		if o.low > 0 {
			top = max(top, float64(o.cost.rate)/float64(o.low))
		}
		if o.least > 0 {
			worst = max(worst, float64(o.cost.over)/(float64(o.least)-rounded))
		}
		for i := range o.curves {
			top = max(top, o.curves[i].ratio())
		}
	}
	for _, most := range []float64{top, max(top, worst)} {
		all = append(all, most*(1+1e-9), most*1.0001, most*1.001, most*1.01)
	}
	return all
}

// key finds what is the same.
func (q *Question) key(m *menu, e *account.Effective, zone *time.Location, at time.Time) reachKey {
	k := reachKey{menu: m, stranger: q.stranger, hot: q.Hot, hotAt: q.Until}
	copy(k.values[:], e.Values[:])
	if len(e.Restrictions) == 0 {
		return k
	}
	var b strings.Builder
	b.WriteString(e.Lists)
	for _, list := range e.Restrictions {
		for i := range list {
			b.WriteByte("01"[bit(list[i].InForce(at, zone))])
		}
	}
	k.closed = b.String()
	return k
}

func bit(is bool) int {
	if is {
		return 1
	}
	return 0
}

// reach is what settings let through at an instant.
func (q *Question) reach(t *Tariff, e *account.Effective, zone *time.Location, at time.Time) *reach {
	if t == nil || t.retail == nil {
		return &reach{}
	}
	m := t.menu(at)
	key := q.key(m, e, zone, at)
	if r := q.Memo.reaches[key]; r != nil {
		return r
	}
	r := &reach{duals: make([]dual, len(m.lambdas))}
	bare := *e
	bare.Nets, bare.Restrictions = nil, nil
	quote := rating.Quote{}
	for _, o := range m.offers {
		quote.Price = *o.price
		v := policy.Decide(&bare, policy.Facts{Zone: zone}, policy.Attempt{Dest: o.begins[0], Quote: &quote}, at)
		if !v.Allowed() || v.Always {
			continue
		}
		i := slices.IndexFunc(o.begins, func(d phone.Destination) bool { return !q.closed(e, &d, o.price, zone, at) })
		if i >= 0 {
			r.add(o, &o.begins[i], m.lambdas)
		}
	}
	q.Memo.reaches[key] = r
	return r
}

// closed says that every number beginning so is closed by a restriction or a hot list.
func (q *Question) closed(e *account.Effective, d *phone.Destination, p *rating.Price, zone *time.Location, at time.Time) bool {
	if l := q.Hot.Find(d.Number, restrict.Out, q.Until); l != nil { // what ends before then does not count
		return true
	}
	c := restrict.Call{Dest: *d, Price: p}
	if q.stranger {
		c.Origin = stranger
	}
	for _, list := range e.Restrictions {
		for i := range list {
			if r := &list[i]; r.RefusesAll(&c) && r.InForce(at, zone) {
				return true
			}
		}
	}
	return false
}

// stranger is a network that is no customer's.
const stranger = restrict.Nowhere

func (r *reach) add(o *offer, begins *phone.Destination, lambdas []float64) {
	where := home
	if !begins.National {
		where = away
	}
	for band := range o.price.Rates {
		r.rates[where][band] = max(r.rates[where][band], o.price.Rates[band])
	}
	r.over[where] = max(r.over[where], o.retail.over)
	if best := r.dearest[where]; o.retail.over > 0 && (best == nil || policy.Minute(o.price) > policy.Minute(best.price)) {
		r.dearest[where], r.begins[where] = o, *begins
	}
	if o.lacks != "" {
		r.lacks = o
	}
	if o.cost.over == 0 && o.cost.rate == 0 {
		return
	}
	r.costs = true
	if o.low == 0 {
		r.free = o
	}
	for i, lambda := range lambdas {
		r.duals[i].add(o, where, lambda)
	}
}

// add makes the prices of a dual high enough for an offer. A curve is followed only where its linear bound would raise the price: after the dearest
// few offers almost none does.
func (d *dual) add(o *offer, where int, lambda float64) {
	d.rate[where] = max(d.rate[where], second(o.cost.rate)-lambda*second(o.low))
	linear := o.linear(lambda, d.rate[where])
	if linear <= d.start {
		return
	}
	start := d.start
	for i := range o.curves {
		if c := &o.curves[i]; len(c.points) > 0 {
			start = max(start, c.most(lambda, d.rate[where]))
		} else {
			start = linear
		}
	}
	d.start = min(start, linear)
}

// linear is the most that a call costs the carrier's money beyond lambda times what it costs the customer and a rate for its length, without the
// curves: the carrier's price is at most linear, and the customer's, before it is rounded, at least least, and at least charge and its lowest rate.
func (o *offer) linear(lambda, rate float64) float64 {
	k, low := second(o.cost.rate), second(o.low)
	most := float64(o.cost.over) - lambda*(float64(o.least)-rounded)
	if low > 0 && k > rate { // it is worth talking as long as the least charge pays for it
		most += (k - rate) * float64(o.least-o.charge) / low
	}
	return most
}

// rounded is how much less than its price a call may cost, in millionths.
const rounded = 0.5

// second is a rate in millionths a second.
func second(r money.Rate) float64 { return float64(r) / 60_000 }

// Name is what people call a destination: "Cuba Mobile (+53)".
func (o *offer) name(d *phone.Destination) string {
	digits := "+" + fmt.Sprint(d.Number.Digits())
	if d.Number.Short() {
		digits = digits[1:]
	}
	if o.price.Name == "" {
		return digits
	}
	return o.price.Name + " (" + digits + ")"
}
