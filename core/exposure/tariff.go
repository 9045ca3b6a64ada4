// Package exposure says what a thief could cost at the very most from one instant to another, under settings, prices, purses and restrictions
// as they are: the most that any calls could cost which the gate would let begin in that time. It must not know who asks, storage or clocks.
package exposure

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
)

// Carrier is a trunk that calls may go out by, and what its carrier charges; without a Deck that is not known.
type Carrier struct {
	Name string
	Deck *rating.Deck
}

// Tariff is everything that can be called, at what price and cost. It is made once for a price list and safe for concurrent use.
type Tariff struct {
	retail   *rating.Deck
	carriers []Carrier
	sorts    []phone.Destination // of each beginning of a number that some deck has a price for
	changes  []time.Time         // when a row begins or ends

	mu    sync.Mutex
	menus map[int]*menu // by how many changes have come
	tries []float64     // for all of them: see dual
}

// NewTariff works out what can be called. A nil retail deck prices nothing.
func NewTariff(plan *phone.Plan, retail *rating.Deck, carriers []Carrier) *Tariff {
	t := &Tariff{retail: retail, carriers: carriers, menus: map[int]*menu{}}
	if retail == nil {
		return t
	}
	type beginning struct {
		digits uint64
		short  bool
	}
	seen := map[beginning]bool{}
	decks := []*rating.Deck{retail}
	for _, c := range carriers {
		if c.Deck != nil {
			decks = append(decks, c.Deck)
		}
	}
	for _, d := range decks {
		rows := d.Prices()
		for i := range rows {
			p := &rows[i]
			for _, m := range []rating.Moment{p.From, p.Until} {
				if m != 0 {
					t.changes = append(t.changes, m.Time())
				}
			}
			b := beginning{p.Prefix, p.Short}
			switch {
			case seen[b]:
			case p.Short:
				t.sorts = append(t.sorts, plan.ShortSorts(p.Prefix)...)
			default:
				t.sorts = append(t.sorts, plan.Sorts(p.Prefix)...)
			}
			seen[b] = true
		}
	}
	t.sorts = append(t.sorts, plan.ShortSorts(0)...)
	slices.SortFunc(t.changes, time.Time.Compare)
	t.changes = slices.CompactFunc(t.changes, time.Time.Equal)
	return t
}

// menu is what can be called between two changes of the prices.
type menu struct {
	offers  []*offer
	lambdas []float64
}

// offer is a price and cost of one sort of destination, and every beginning of a number that has them.
type offer struct {
	begins []phone.Destination
	price  *rating.Price
	curves []curve // of it with each carrier
	terms
}

// terms are what bounds the price and the cost of a call of an offer.
type terms struct {
	retail linear
	least  money.Micro // what an answered call costs at the very least
	charge money.Micro // to be connected
	low    money.Rate  // its cheapest band
	cost   linear
	lacks  string // the carrier that has no price for it, "" is none
	costs  string // what each carrier charges
}

// linear bounds what a call costs: over, and the rate for as long as it lasts. Increments, minimum and connection charge are in over.
type linear struct {
	over money.Micro
	rate money.Rate
}

// linearOf bounds a price by its dearest band. A call is billed for less than an increment beyond its length.
func linearOf(p *rating.Price) linear {
	rate := p.Dearest()
	if rate == 0 {
		return linear{max(p.Connect, p.Minimum), 0}
	}
	var sum money.Weighted
	over := sum.Plus(rate, max(int64(p.First), int64(p.Step), 1)).Amount()
	return linear{max(p.Minimum, p.Connect.Add(over).Add(1)), rate}
}

func (l linear) or(x linear) linear { return linear{max(l.over, x.over), max(l.rate, x.rate)} }

// alike is what makes two prices one offer.
type alike struct {
	price rating.Price
	terms
	class    phone.Class
	country  phone.Country
	national bool
}

// menu is what can be called at an instant.
func (t *Tariff) menu(at time.Time) *menu {
	n, there := slices.BinarySearchFunc(t.changes, at, time.Time.Compare)
	if there {
		n++
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.menus[n]
	if m == nil {
		m = t.makeMenu(at)
		t.menus[n] = m
	}
	return m
}

func (t *Tariff) makeMenu(at time.Time) *menu {
	m, same := &menu{}, map[alike]*offer{}
	for _, d := range t.sorts {
		p, silence := t.retail.Price(d, at)
		if silence != rating.Priced || d.Class == phone.Emergency {
			continue
		}
		x, costs := t.terms(d, p, at)
		key := alike{*p, x, d.Class, d.Country, d.National}
		key.price.Prefix, key.price.Name, key.price.From, key.price.Until = 0, "", 0, 0
		o := same[key]
		if o == nil {
			o = &offer{price: p, terms: key.terms}
			for _, k := range costs {
				o.curves = append(o.curves, curveOf(p, k))
			}
			same[key] = o
			m.offers = append(m.offers, o)
		}
		o.begins = append(o.begins, d)
	}
	if t.tries == nil {
		t.tries = lambdas(m.offers)
	}
	m.lambdas = t.tries
	return m
}

func (t *Tariff) terms(d phone.Destination, p *rating.Price, at time.Time) (x terms, costs []*rating.Price) {
	low := min(p.Rates[rating.Peak], p.Rates[rating.OffPeak], p.Rates[rating.Weekend])
	x = terms{retail: linearOf(p), least: flat(p, low).Charge(rating.Peak, 0), charge: p.Connect, low: low}
	for _, c := range t.carriers {
		if c.Deck == nil {
			x.lacks = c.Name
			continue
		}
		k, ok := c.Deck.Find(d.Number, at)
		if !ok {
			x.lacks = c.Name
			continue
		}
		if x.cost = x.cost.or(linearOf(k)); linearOf(k) == (linear{}) {
			continue
		}
		costs = append(costs, k)
		x.costs += fmt.Sprint(k.Connect, k.Minimum, k.Rates, k.First, k.Step, ";")
	}
	return x, costs
}
