package desk

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"ringfence/core/casework"
	"ringfence/core/money"
)

// Ranked is a case with its money: what its calls in dispute come to, and what thieves could still cost tonight with the line or the customer that
// it is about.
type Ranked struct {
	casework.Case
	Disputed, Risk money.Micro
}

// maxRanked is how many open cases are put in order; a desk with more looks at the dearest of the newest.
const maxRanked = 200

// CaseRisk is what thieves could still cost tonight with what a case is about.
func (d *Desk) CaseRisk(ctx context.Context, x *casework.Case) (money.Micro, error) {
	s := Subject{x.Line, x.Customer}
	all, err := d.risksOf(ctx, []Subject{s})
	return all[s.key()].retail, err
}

// ByRisk are the open cases, those with the most money at risk first. more: there are older ones.
func (d *Desk) ByRisk(ctx context.Context, c *Cases) (all []Ranked, more bool, err error) {
	open, err := c.o.Store.Cases(ctx, CaseFilter{Open: true, Limit: maxRanked + 1})
	if err != nil {
		return nil, false, err
	}
	more = len(open) > maxRanked
	open = open[:min(len(open), maxRanked)]
	subjects := make([]Subject, len(open))
	for i := range open {
		subjects[i] = Subject{open[i].Line, open[i].Customer}
	}
	risks, err := d.risksOf(ctx, subjects)
	if err != nil {
		return nil, false, err
	}
	for i := range open {
		f := File{Case: open[i]}
		if f.Sums, err = c.o.Store.CaseSums(ctx, open[i].ID, ""); err != nil {
			return nil, false, err
		}
		r := Ranked{Case: open[i], Risk: risks[subjects[i].key()].retail}
		_, r.Disputed = f.Disputed()
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b Ranked) int {
		return cmp.Or(cmp.Compare(b.Disputed.Add(b.Risk), a.Disputed.Add(a.Risk)), a.Deadline.Compare(b.Deadline))
	})
	return all, more, nil
}

// Places are what can be acted on from a case: the lines that its calls were made with, where they came from, and the numbers that were called, the
// dearest first.
type Places struct {
	Lines     []string // identities
	Addresses []netip.Addr
	Numbers   []string
}

// Places are those of a case.
func (c *Cases) Places(ctx context.Context, id int64) (p Places, err error) {
	x, err := c.o.Store.Case(ctx, id)
	if err != nil {
		return p, err
	}
	s, err := c.scene(ctx, &x)
	return Places{s.lines, s.addresses, s.numbers}, err
}
