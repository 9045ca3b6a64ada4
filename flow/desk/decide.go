package desk

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Ruling is a decision about calls of a case, or money back.
type Ruling struct {
	What   string // casework.Refund, or the state that calls get
	Pick   Pick   // which calls of the case
	Amount money.Micro
	Why    string
}

// Decide decides. The item that comes of it waits for a second person where it gives away more than one may alone.
func (c *Cases) Decide(ctx context.Context, who Who, id int64, r Ruling) (out casework.Item, err error) {
	if err := c.carryOut(ctx, who, id); err != nil {
		return out, err
	}
	if strings.TrimSpace(r.Why) == "" {
		return out, &book.Invalid{Field: "why", Want: "the reason, which the customer will read"}
	}
	about, err := c.ruled(ctx, id, &r)
	if err != nil {
		return out, err
	}
	now := time.Now()
	err = c.change(ctx, who, id, func(x *casework.Case, items []casework.Item) (w store.CaseWrite, facts []store.Fact, err error) {
		if x.State == casework.Closed {
			return w, nil, fmt.Errorf("case %d is closed: %w", id, casework.ErrStep)
		}
		if err := c.left(ctx, id, &r); err != nil {
			return w, nil, err
		}
		out = casework.Item{
			Case: id, N: int64(len(items)) + 1, Kind: casework.Decision, At: now, By: who.Actor, Text: casework.Cut(r.Why, casework.MaxText), What: r.What, Amount: r.Amount, Calls: int64(len(about)),
		}
		facts = []store.Fact{noted(x, &out)}
		if !casework.NeedsSecond(&out, casework.Alone(items), c.o.SecondAbove()) {
			if err := out.End(casework.Made, "", who.Actor, now); err != nil {
				return w, nil, err
			}
			facts = append(facts, answered(x, &out))
		}
		w = store.CaseWrite{Case: x, Items: []casework.Item{out}} // the case too: two who decide at once must see each other's
		for _, t := range about {
			t.Decision = out.N
			w.Calls = append(w.Calls, t)
		}
		return w, facts, nil
	})
	if err != nil {
		return out, err
	}
	return out, c.settled(ctx, who, id)
}

// left wants a refund to be no more than is left of what the calls of a case were charged.
func (c *Cases) left(ctx context.Context, id int64, r *Ruling) error {
	if r.What != casework.Refund || c.o.Left == nil {
		return nil
	}
	most, err := c.o.Left(ctx, id)
	if err == nil && r.Amount > most {
		shown := money.Billing().Amount
		err = &book.Invalid{Field: "amount", Found: shown(r.Amount), Want: "at most what is left of the price of the case's calls, " + shown(most)}
	}
	return err
}

// ruled are the calls that a decision is about, and what it comes to.
func (c *Cases) ruled(ctx context.Context, id int64, r *Ruling) (all []casework.CaseCall, err error) {
	to := casework.Dispute(r.What)
	switch {
	case r.What == casework.Refund:
		if r.Amount <= 0 {
			return nil, &book.Invalid{Field: "amount", Found: r.Amount.String(), Want: "how much is given back"}
		}
		return nil, nil
	case to != casework.Owed && !to.Free():
		return nil, &book.Invalid{Field: "what", Found: r.What, Want: "upheld, goodwill, owed or refund"}
	}
	r.Amount = 0
	f := CaseCallFilter{Case: id, Limit: perPage}
	if r.Pick.All {
		f.States = []casework.Dispute{casework.Disputed, casework.Judged}
	}
	err = c.eachCall(ctx, f, func(t *casework.CaseCall) error {
		if !r.Pick.has(t) {
			return nil
		}
		trial := *t
		if err := trial.Move(to, "", "", time.Time{}); err != nil {
			return err
		}
		if t.Decision != 0 {
			return fmt.Errorf("call %s waits for decision %d: %w", t.Call, t.Decision, casework.ErrStep)
		}
		if to.Free() {
			r.Amount = r.Amount.Add(t.Retail)
		}
		all = append(all, *t)
		return nil
	})
	if err == nil && len(all) == 0 {
		err = &book.Invalid{Field: "calls", Want: "calls of the case that this can be decided about"}
	}
	return all, err
}

// eachCall goes through the calls of a filter, a page at a time.
func (c *Cases) eachCall(ctx context.Context, f CaseCallFilter, each func(*casework.CaseCall) error) error {
	for {
		page, err := c.o.Store.CaseCalls(ctx, f)
		if err != nil {
			return err
		}
		for i := range page {
			if err := each(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < f.Limit {
			return nil
		}
		f.After = page[len(page)-1].Call
	}
}

// Second lets a second person agree to a decision, or refuse it.
func (c *Cases) Second(ctx context.Context, who Who, id, n int64, agree bool, why string) error {
	err := c.change(ctx, who, id, func(x *casework.Case, items []casework.Item) (w store.CaseWrite, facts []store.Fact, err error) {
		i, err := numbered(items, id, n)
		if err != nil {
			return w, nil, err
		}
		if err := i.Second(agree, why, who.Actor, time.Now()); err != nil {
			return w, nil, err
		}
		return store.CaseWrite{Case: x, Items: []casework.Item{*i}}, []store.Fact{answered(x, i)}, nil
	})
	if err == nil {
		err = c.settled(ctx, who, id)
	}
	return err
}

// settled carries out what was decided, and credits what comes of it.
func (c *Cases) settled(ctx context.Context, who Who, id int64) error {
	err := c.carryOut(ctx, who, id)
	if err == nil && c.o.Settle != nil {
		err = c.o.Settle(ctx, id)
	}
	return err
}

// carryOut does what decisions say that are in force, as far as it is not done yet: a crash in between leaves the rest for the next who asks.
func (c *Cases) carryOut(ctx context.Context, who Who, id int64) error {
	x, err := c.one(ctx, who, id)
	if err != nil {
		return err
	}
	items, err := c.o.Store.CaseItems(ctx, id)
	if err != nil {
		return err
	}
	for i := range items {
		d := &items[i]
		if d.Kind != casework.Decision || d.Waits() {
			continue
		}
		if d.What == casework.Refund && d.How == casework.Made && c.o.Credit != nil {
			if err := c.o.Credit(ctx, &x, d); err != nil {
				return err
			}
		}
		for {
			part, err := c.o.Store.CaseCalls(ctx, CaseCallFilter{Case: id, Decision: d.N, Limit: perWrite})
			if err != nil {
				return err
			}
			if len(part) == 0 {
				break
			}
			if err := c.carry(ctx, &x, d, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// carry does it to some calls.
func (c *Cases) carry(ctx context.Context, x *casework.Case, d *casework.Item, part []casework.CaseCall) error {
	var facts []store.Fact
	for i := range part {
		t := &part[i]
		t.Decision = 0
		if d.How != casework.Made {
			continue
		}
		if err := t.Move(casework.Dispute(d.What), d.By, d.Text, d.Ended); err != nil {
			continue // it was withdrawn in the meantime
		}
		said := fact.CallDecided{By: d.EndedBy, Case: x.ID, Dispute: d.What, Item: d.N, Why: casework.Cut(d.Text, casework.MaxTitle)}
		facts = append(facts, said.Row(d.Ended, aboutCall(t)))
	}
	return c.o.Store.WriteCase(ctx, store.CaseWrite{Calls: part}, facts...)
}
