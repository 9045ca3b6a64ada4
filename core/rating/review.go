package rating

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
)

// Unpriced is a country of which a deck does not price some or all kinds of number.
type Unpriced struct {
	Country phone.Country
	Kinds   phone.Kinds
	Was     bool       // the version before priced them
	Name    string     // as a price list names the dearest of them
	Rate    money.Rate // the highest price of any deck for them
}

// Text is "CU fixed, mobile (up to 0.78 a minute: Cuba)".
func (u *Unpriced) Text() string {
	text := u.Country.String() + " " + KindNames(u.Kinds)
	if u.Rate > 0 {
		text += fmt.Sprintf(" (up to %s a minute: %s)", u.Rate, clip(u.Name))
	}
	return text
}

// KindNames are the names of kinds, as --covers takes them.
func KindNames(kinds phone.Kinds) string {
	var names []string
	for name, k := range coverKinds {
		if kinds&k != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// NotPriced lists what a deck does not price for calls at an instant: what the version before priced, and what a look at the
// digits alone would price with the row of another country or kind. Before may be nil; others say what it may cost. The dearest
// country is first.
func NotPriced(deck, before *Deck, others []*Deck, at time.Time) []Unpriced {
	r := review{deck: deck, before: before, others: others, at: at, found: map[unpricedKey]*Unpriced{}}
	for _, d := range []*Deck{before, deck} {
		if d != nil {
			r.look(d)
		}
	}
	return r.sorted()
}

// Elsewhere lists what a deck of costs prices, for calls at an instant, with the row of another country or kind, and counts those rows.
func Elsewhere(cost *Deck, at time.Time) (rows int, list []Unpriced) {
	r := review{deck: cost, others: []*Deck{cost}, at: at, found: map[unpricedKey]*Unpriced{}, rows: map[uint32]bool{}}
	r.look(cost)
	return len(r.rows), r.sorted()
}

// sorted is what was found: what the version before priced, and of that the dearest, first.
func (r *review) sorted() []Unpriced {
	out := make([]Unpriced, 0, len(r.found))
	for _, u := range r.found {
		out = append(out, *u)
	}
	slices.SortFunc(out, func(a, b Unpriced) int {
		if a.Was != b.Was {
			return map[bool]int{true: -1, false: 1}[a.Was]
		}
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(a.Country.String(), b.Country.String()))
	})
	return out
}

type unpricedKey struct {
	country phone.Country
	was     bool
}

type review struct {
	deck, before *Deck
	others       []*Deck
	at           time.Time
	found        map[unpricedKey]*Unpriced
	rows         map[uint32]bool // those that price what they do not stand for; nil: what has no price is looked for as well
}

// look asks for an example of every country and kind under each row of a deck that covers several or that the new deck may lack.
func (r *review) look(d *Deck) {
	at := MomentOf(r.at)
	for i := range d.prices {
		p := &d.prices[i]
		if p.Short || p.NoPrice || !p.InForce(at) {
			continue
		}
		under := phone.Under(p.Prefix)
		if d == r.deck && len(under) == 1 && d.coverages[d.covered[i]].kinds&under[0].Kinds == under[0].Kinds {
			continue // it prices all that begins with it, or a longer one does
		}
		for _, reach := range under {
			reach.Kinds.Each(func(k phone.Kinds) { r.example(p.Prefix, reach.Country, k) })
		}
	}
}

func (r *review) example(prefix uint64, country phone.Country, kind phone.Kinds) {
	n, ok := phone.Example(prefix, country, kind)
	if !ok || r.deck.answers(n, country, kind, r.at) {
		return
	}
	if r.rows != nil {
		row := r.deck.find(n, r.at)
		if row == 0 {
			return // a row says that there is no price
		}
		r.rows[row] = true
	}
	key := unpricedKey{country, r.before != nil && r.before.answers(n, country, kind, r.at)}
	u := r.found[key]
	if u == nil {
		u = &Unpriced{Country: country, Was: key.was}
		r.found[key] = u
	}
	u.Kinds |= kind
	for _, d := range append(r.others, r.before) {
		if d == nil {
			continue
		}
		if p, ok := d.Find(n, r.at); ok && p.Dearest() > u.Rate {
			u.Rate, u.Name = p.Dearest(), p.Name
		}
	}
}

// answers says that a deck has a price for a number of a country and kind.
func (d *Deck) answers(n phone.Number, country phone.Country, kind phone.Kinds, at time.Time) bool {
	i := d.find(n, at)
	return i != 0 && d.coverages[d.covered[i-1]].silence(country, kind) == Priced
}

// Lost counts the prefixes that a deck prices at an instant and another does not, and all prefixes that the deck prices then.
func Lost(before, after []Price, at time.Time) (lost, all int, examples []string) {
	moment := MomentOf(at)
	there := make(map[prefixOf]bool, len(after))
	for i := range after {
		if after[i].InForce(moment) && !after[i].NoPrice {
			there[prefixOf{after[i].Prefix, after[i].Short}] = true
		}
	}
	for i := range before {
		p := &before[i]
		if !p.InForce(moment) || p.NoPrice {
			continue
		}
		if all++; !there[prefixOf{p.Prefix, p.Short}] {
			if lost++; lost <= MaxExamples {
				examples = append(examples, titled(p))
			}
		}
	}
	if over := lost - len(examples); over > 0 {
		examples = append(examples, fmt.Sprintf("and %d more", over))
	}
	return lost, all, examples
}

// Below is a destination that is sold below its cost.
type Below struct {
	Sold, Bought Price
	Minute       [2]money.Micro // a first minute: what it brings, what it costs
}

// Text is "33 (France): a first minute brings 0.01 and costs 0.02".
func (b *Below) Text() string {
	return fmt.Sprintf("%s: a first minute brings %s and costs %s", titled(&b.Sold), b.Minute[0], b.Minute[1])
}

// BelowCost lists the prices of a retail deck whose first minute, or least call, brings less in some band than it costs by a
// carrier's deck, the greatest loss first, each row of the retail deck once. Destinations that only one of the two prices are
// left out.
func BelowCost(retail, cost *Deck, at time.Time) []Below {
	worst := map[uint32]Below{}
	for _, d := range []*Deck{retail, cost} {
		moment := MomentOf(at)
		for i := range d.prices {
			p := &d.prices[i]
			if p.Short || p.NoPrice || !p.InForce(moment) {
				continue
			}
			c := &d.coverages[d.covered[i]]
			for _, r := range phone.Under(p.Prefix) {
				n, ok := phone.Example(p.Prefix, r.Country, r.Kinds&c.kinds)
				if !ok || c.silence(r.Country, r.Kinds) != Priced {
					continue
				}
				sold, bought := retail.find(n, at), cost.find(n, at)
				if sold == 0 || bought == 0 {
					continue
				}
				b, is := below(&retail.prices[sold-1], &cost.prices[bought-1])
				if old, ok := worst[sold]; is && (!ok || b.loss() > old.loss()) {
					worst[sold] = b
				}
			}
		}
	}
	out := make([]Below, 0, len(worst))
	for _, b := range worst {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b Below) int {
		return cmp.Or(cmp.Compare(b.loss(), a.loss()), byPrefix(a.Sold, b.Sold))
	})
	return out
}

func (b *Below) loss() money.Micro { return b.Minute[1] - b.Minute[0] }

// below compares a first minute and the least call in each band.
func below(sold, bought *Price) (b Below, is bool) {
	b = Below{Sold: *sold, Bought: *bought}
	for band := range NumBands {
		brings, costs := sold.Charge(band, time.Minute), bought.Charge(band, time.Minute)
		least := bought.Charge(band, 0) > sold.Charge(band, 0)
		if (costs > brings || least) && (!is || costs-brings > b.loss()) {
			b.Minute, is = [2]money.Micro{brings, costs}, true
		}
	}
	return b, is
}
