package settle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/settle"
	"ringfence/flow/billing"
	"ringfence/state/store"
)

// refunded is what decisions give back in a case besides its settlements; waiting: also those that wait for a second person.
func (s *scene) refunded(waiting bool) (sum money.Micro) {
	for i := range s.items {
		if refund(&s.items[i]) && (waiting || !s.items[i].Waits()) {
			sum = sum.Add(s.items[i].Amount)
		}
	}
	return sum
}

// refund says that an item gives a sum back, or will when it is agreed to.
func refund(i *casework.Item) bool {
	return i.Kind == casework.Decision && i.What == casework.Refund && (i.Waits() || i.How == casework.Made)
}

// settledSum is what the settlements of a case give, with the one that waits.
func (s *scene) settledSum() (sum money.Micro) {
	for i := range s.past {
		if s.past[i].State != settle.Refused {
			sum = sum.Add(s.past[i].Given)
		}
	}
	return sum
}

// charged is what the calls of a case are settled of.
func (s *scene) charged() (sum money.Micro) {
	for i := range s.calls {
		sum = sum.Add(s.price(&s.calls[i]))
	}
	return sum
}

// elsewhere is what was given for the calls of a case by hand, or in other cases: a dispute that was withdrawn in one case can be in another. No call is credited
// beyond its price by two of them.
func (d *Desk) elsewhere(ctx context.Context, s *scene) (map[call.ID]money.Micro, error) {
	ids := make([]call.ID, len(s.calls))
	for i := range s.calls {
		ids[i] = s.calls[i].Call
	}
	out, err := d.inCases(ctx, s.c.Customer, ids, s.c.ID)
	if err != nil {
		return nil, err
	}
	byHand, _, err := d.o.Billing.ByHand(ctx, s.c.Customer)
	for _, id := range ids {
		if given := byHand[id]; given > 0 {
			out[id] = out[id].Add(given)
		}
	}
	return out, err
}

// InCases is what cases have given for calls of a customer.
func (d *Desk) InCases(ctx context.Context, customer string, ids []call.ID) (map[call.ID]money.Micro, error) {
	return d.inCases(ctx, customer, ids, 0)
}

// inCases is the same without one of the cases.
func (d *Desk) inCases(ctx context.Context, customer string, ids []call.ID, but int64) (map[call.ID]money.Micro, error) {
	out, others := map[call.ID]money.Micro{}, map[int64][]call.ID{}
	for part := range slices.Chunk(ids, 400) {
		all, err := d.o.Store.CaseCalls(ctx, store.CaseCallFilter{Calls: part, Customer: customer, Limit: 20 * len(part)})
		if err != nil {
			return nil, err
		}
		for i := range all {
			if all[i].Case != but {
				others[all[i].Case] = append(others[all[i].Case], all[i].Call)
			}
		}
	}
	for id, mine := range others {
		given, err := d.given(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, c := range mine {
			out[c] = out[c].Add(given[c])
		}
	}
	return out, nil
}

// given is what was given for each call of a case: by its settlements, and by its refunds in proportion to what is left.
func (d *Desk) given(ctx context.Context, id int64) (map[call.ID]money.Micro, error) {
	s := &scene{}
	var err error
	if s.items, err = d.o.Store.CaseItems(ctx, id); err != nil {
		return nil, err
	}
	if s.calls, err = d.calls(ctx, id); err != nil {
		return nil, err
	}
	if s.past, err = d.o.Store.Settlements(ctx, id); err != nil {
		return nil, err
	}
	out := map[call.ID]money.Micro{}
	for i := range slices.Backward(s.past) {
		if s.past[i].State == settle.Refused {
			continue
		}
		shares, err := unpacked(s.past[i].Shares)
		if err != nil {
			return nil, err
		}
		for n := range shares {
			out[shares[n].ID] = shares[n].Given() - shares[n].Refund
		}
		break
	}
	rests := make([]money.Micro, len(s.calls))
	for i := range s.calls {
		rests[i] = max(0, s.calls[i].Retail-out[s.calls[i].Call])
	}
	parts, _, err := settle.Spread(s.refunded(true), rests)
	for i := range parts {
		out[s.calls[i].Call] = out[s.calls[i].Call].Add(parts[i])
	}
	return out, err
}

// Left is what may still be given back of a case: what its calls were charged, without what was given or is about to be.
func (d *Desk) Left(ctx context.Context, id int64) (money.Micro, error) {
	s, err := d.read(ctx, id)
	if err != nil {
		return 0, err
	}
	return max(0, s.charged()-s.settledSum()-s.refunded(true)), nil
}

// first is the call whose bill says at what rate of VAT a case is settled.
func (s *scene) first() call.ID {
	if len(s.calls) == 0 {
		return ""
	}
	return s.calls[0].Call
}

func (d *Desk) gross(ctx context.Context, s *scene, net money.Micro) (money.Micro, error) {
	return d.o.Billing.Gross(ctx, s.c.Customer, s.first(), net)
}

// Reference is that of a settlement's credit note.
func Reference(x *settle.Settlement) string {
	return fmt.Sprintf(billing.OfCases+"%d SETTLEMENT %d", x.Case, x.N)
}

func decisionRef(i *casework.Item) string {
	return fmt.Sprintf(billing.OfCases+"%d DECISION %d", i.Case, i.N)
}

// booked are the credits of a case that are in the books, and what they come to.
func (d *Desk) booked(ctx context.Context, s *scene) (all map[string]bool, gross money.Micro, err error) {
	refs := []string{}
	for i := range s.past {
		refs = append(refs, Reference(&s.past[i]))
	}
	for i := range s.items {
		if refund(&s.items[i]) {
			refs = append(refs, decisionRef(&s.items[i]))
		}
	}
	all = map[string]bool{}
	for _, ref := range refs {
		e, err := d.o.Billing.Booked(ctx, books.KindCredit, ref)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		all[ref], gross = true, gross.Add(-e.Amount(books.Customer(s.c.Customer)))
	}
	return all, gross, nil
}

// credit books a credit note, once; more is what it gives beyond what is in force. Its gross is what is missing in the books until charge, credits
// and rest agree to the coin, each rounded as a bill is. A fraction of a coin is not booked: the next credit has it.
func (d *Desk) credit(ctx context.Context, s *scene, c billing.Credit, more money.Micro) error {
	done, gross, err := d.booked(ctx, s)
	if err != nil || done[c.Reference] || c.Net <= 0 {
		return err
	}
	charged, err := d.gross(ctx, s, s.charged())
	if err != nil {
		return err
	}
	given, _, _, _ := s.made()
	rest, err := d.gross(ctx, s, s.charged()-given-s.refunded(false)-more)
	if err != nil {
		return err
	}
	c.Customer, c.Of, c.Gross = s.c.Customer, s.first(), charged-gross-rest
	if c.Gross <= 0 {
		return nil
	}
	_, err = d.o.Billing.Credit(ctx, c)
	var off *billing.Invalid
	if errors.As(err, &off) { // another credit is still to be booked, or the rate of VAT has changed: each is rounded by itself
		if c.Gross, err = d.gross(ctx, s, c.Net); err != nil || c.Gross == 0 {
			return err
		}
		_, err = d.o.Billing.Credit(ctx, c)
	}
	if errors.Is(err, billing.ErrBooked) {
		return nil
	}
	return err
}

// give books the credit of a settlement. It returns the plan of the case if less is to pay now than the plan is over.
func (d *Desk) give(ctx context.Context, s *scene, x *settle.Settlement) ([]settle.Plan, error) {
	calls, err := unpacked(x.Shares)
	if err != nil {
		return nil, err
	}
	l, c := &x.List, billing.Credit{Net: x.Given, Reference: Reference(x), By: x.By}
	for i := range calls {
		if calls[i].Given() > 0 {
			c.Calls = append(c.Calls, calls[i].ID)
		}
	}
	c.Reason = reason(x.Case, l)
	if err := d.credit(ctx, s, c, x.Given); err != nil {
		return nil, err
	}
	return d.cover(ctx, s, c.Reference)
}

// reason is why a case is credited, for its customer.
func reason(id int64, l *settle.List) string {
	text := fmt.Sprintf("Case %d: %s was charged.", id, amount(l.Charged.Amount))
	for _, part := range []struct {
		sum  money.Micro
		says string
	}{{l.Ours.Amount, " We bear %s."}, {l.ToCost.Amount, " Our cost price takes off %s."}, {l.Credit.Amount, " The carrier has credited %s."}} {
		if part.sum > 0 {
			text += fmt.Sprintf(part.says, amount(part.sum))
		}
	}
	return text
}

// Refund gives back the sum of a decision, once, and never more than is left of what the calls of its case were charged.
func (d *Desk) Refund(ctx context.Context, x *casework.Case, i *casework.Item) error {
	s, err := d.read(ctx, x.ID)
	if err != nil {
		return err
	}
	left := s.charged() - s.settledSum()
	for n := range s.items {
		if y := &s.items[n]; refund(y) && y.N < i.N {
			left -= y.Amount
		}
	}
	c := billing.Credit{Net: min(i.Amount, left), Reference: decisionRef(i), By: i.By, Reason: i.Text}
	if err := d.credit(ctx, s, c, 0); err != nil {
		return err
	}
	plans, err := d.cover(ctx, s, c.Reference)
	if err != nil || len(plans) == 0 {
		return err
	}
	err = d.o.Store.WriteSettle(ctx, store.SettleWrite{Plans: plans}, covered(&plans[0], i.By, time.Now())...)
	if errors.Is(err, store.ErrMoved) { // somebody else changed the plan: who asks next does it
		return nil
	}
	return err
}

// cover lets a credit pay for what a plan is over beyond what is still to pay.
func (d *Desk) cover(ctx context.Context, s *scene, reference string) ([]settle.Plan, error) {
	plans, err := d.o.Store.Plans(ctx, PlanFilter{Case: s.c.ID})
	if err != nil {
		return nil, err
	}
	_, credited, err := d.booked(ctx, s)
	if err != nil {
		return nil, err
	}
	rest, err := d.gross(ctx, s, s.charged())
	if err != nil {
		return nil, err
	}
	rest -= credited
	for i := range plans {
		rest -= plans[i].Banked()
	}
	now := time.Now()
	for i := range plans {
		p := &plans[i]
		st := p.Standing(now)
		if p.State != settle.PlanRunning && p.State != settle.PlanBroken || st.Rest <= max(0, rest) {
			continue
		}
		return plans[i : i+1], p.Pay(settle.Payment{Reference: reference, At: now, Amount: st.Rest - max(0, rest), Credit: true}, now)
	}
	return nil, nil
}

// covered are the facts of a plan that a credit has paid for in part.
func covered(p *settle.Plan, by string, now time.Time) []store.Fact {
	x := p.Payments[len(p.Payments)-1]
	said := fact.PlanPaid{By: by, Case: p.Case, Plan: p.ID, Reference: x.Reference, Amount: x.Amount}
	facts := []store.Fact{said.Row(now, fact.Subject{Account: p.Customer})}
	if p.State == settle.PlanPaid {
		facts = append(facts, ended(p, by, now))
	}
	return facts
}
