package settle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringfence/core/books"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/settle"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// PlanFilter is the store's, for edges that must not know it.
type PlanFilter = store.PlanFilter

// Plans lists plans, newest first. customer is the identity of the customer whose people ask; "" is staff.
func (d *Desk) Plans(ctx context.Context, customer string, f PlanFilter) ([]settle.Plan, error) {
	if customer != "" {
		f.Customer = customer
	}
	return d.o.Store.Plans(ctx, f)
}

// Plan reads one. Another customer's is not there.
func (d *Desk) Plan(ctx context.Context, customer string, id int64) (settle.Plan, error) {
	p, err := d.o.Store.Plan(ctx, id)
	if err == nil && customer != "" && p.Customer != customer {
		return settle.Plan{}, notFound(nil, "plan", id)
	}
	return p, err
}

// NewPlan is a plan to make.
type NewPlan struct {
	Case   int64
	Amount money.Micro // with tax; 0 is what is to pay of the case
	Count  int
	First  time.Time // the day on which the first instalment is due
}

// MakePlan lets the rest of a case be paid in instalments. It replaces the plan that the case has.
func (d *Desk) MakePlan(ctx context.Context, by string, n NewPlan) (p settle.Plan, err error) {
	s, err := d.Look(ctx, "", n.Case, false)
	if err != nil {
		return p, err
	}
	if s.List.Disputed.Calls > 0 {
		return p, fmt.Errorf("%d calls of case %d are still in dispute: decide them first: %w", s.List.Disputed.Calls, n.Case, ErrStep)
	}
	most := s.ToPay
	for i := range s.Plans {
		most -= s.Plans[i].Banked()
	}
	if most, err = d.owed(ctx, &s, most); err != nil {
		return p, err
	}
	if n.Amount == 0 {
		n.Amount = most
	}
	if n.Amount > most || most <= 0 {
		return p, &book.Invalid{Field: "amount", Found: amount(n.Amount), Want: "at most what is to pay of the case and still owed, " + amount(max(0, most))}
	}
	zone := d.o.Book.Zone(s.Case.Customer)
	first := n.First.In(zone)
	if !first.After(time.Now()) {
		return p, &book.Invalid{Field: "first", Found: first.Format(time.DateOnly), Want: "a day that is still to come"}
	}
	list, err := settle.Instalments(n.Amount, n.Count, first)
	if err != nil {
		return p, &book.Invalid{Field: "count", Found: fmt.Sprint(n.Count), Want: err.Error()}
	}
	p = settle.Plan{Case: n.Case, Customer: s.Case.Customer, State: settle.PlanRunning, Amount: n.Amount, List: list, By: by, Made: time.Now()}
	return p, d.follow(ctx, &p)
}

// owed is as much of a sum as the customer of a case owes: what is in the books, with the calls of the case that are on no bill yet, less what the case
// has still to credit.
func (d *Desk) owed(ctx context.Context, x *Settled, most money.Micro) (money.Micro, error) {
	owes, err := d.o.Billing.Balance(ctx, x.Case.Customer)
	if err != nil {
		return 0, err
	}
	s, err := d.read(ctx, x.Case.ID)
	if err != nil {
		return 0, err
	}
	_, credited, err := d.booked(ctx, s)
	if err != nil {
		return 0, err
	}
	owes -= max(0, x.Charged-x.ToPay-credited)
	if owes >= most {
		return most, nil
	}
	var unbilled money.Micro
	for i := range x.Calls {
		switch _, err := d.o.Billing.BillOf(ctx, x.Calls[i].ID); {
		case errors.Is(err, billing.ErrNotFound):
			unbilled = unbilled.Add(x.Calls[i].Charged)
		case err != nil:
			return 0, err
		}
	}
	later, err := d.gross(ctx, s, unbilled)
	return min(most, max(0, owes.Add(later))), err
}

// follow stores a new plan, and replaces the one before it.
func (d *Desk) follow(ctx context.Context, p *settle.Plan) error {
	for range tries {
		last, err := d.o.Store.LastPlan(ctx)
		if err != nil {
			return err
		}
		p.ID = last + 1
		w, facts := store.SettleWrite{}, []store.Fact{}
		before, err := d.o.Store.Plans(ctx, PlanFilter{Case: p.Case})
		if err != nil {
			return err
		}
		for _, x := range before {
			if x.State == settle.PlanRunning || x.State == settle.PlanBroken {
				x.State, x.Ended = settle.PlanReplaced, p.Made
				w.Plans, facts = append(w.Plans, x), append(facts, ended(&x, p.By, p.Made))
			}
		}
		said := fact.PlanMade{By: p.By, Case: p.Case, Plan: p.ID, Count: int64(len(p.List)), Amount: p.Amount, From: p.List[0].Due}
		w.Plans = append(w.Plans, *p)
		err = d.o.Store.WriteSettle(ctx, w, append(facts, said.Row(p.Made, fact.Subject{Account: p.Customer}))...)
		if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrMoved) {
			p.Version = 1
			return err
		}
	}
	return ErrMoved
}

func ended(p *settle.Plan, by string, now time.Time) store.Fact {
	s := p.Standing(now)
	said := fact.PlanEnded{By: by, Case: p.Case, Plan: p.ID, Ended: string(p.State), ToPay: s.Rest}
	return said.Row(now, fact.Subject{Account: p.Customer})
}

// PayPlan counts a payment that is in the books towards a plan, once.
func (d *Desk) PayPlan(ctx context.Context, by string, id int64, reference string) (p settle.Plan, err error) {
	if p, err = d.o.Store.Plan(ctx, id); err != nil {
		return p, err
	}
	e, err := d.o.Billing.Booked(ctx, books.KindPayment, reference)
	if err == nil && e.Customer != p.Customer {
		err = store.ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("payment %q of this customer: %w", reference, err)
	}
	x := settle.Payment{Reference: e.Reference, At: e.At, Amount: e.Net}
	if err := d.onceOnly(ctx, &p, x.Reference); err != nil {
		return p, err
	}
	now, was := time.Now(), p.State
	if err := p.Pay(x, now); err != nil {
		return p, err
	}
	said := fact.PlanPaid{By: by, Case: p.Case, Plan: p.ID, Reference: x.Reference, Amount: x.Amount}
	facts := []store.Fact{said.Row(now, fact.Subject{Account: p.Customer})}
	if p.State != was {
		facts = append(facts, ended(&p, by, now))
	}
	return p, d.o.Store.WriteSettle(ctx, store.SettleWrite{Plans: []settle.Plan{p}}, facts...)
}

// countNamed counts payments that name a running or broken plan of their customer towards it, each once. One that names several plans is left to staff.
func (d *Desk) countNamed(ctx context.Context) (err error) {
	for _, state := range []settle.PlanState{settle.PlanRunning, settle.PlanBroken} {
		for f := (PlanFilter{State: state, Limit: perPage}); ; {
			page, bad := d.o.Store.Plans(ctx, f)
			if bad != nil {
				return errors.Join(err, bad)
			}
			for i := range page {
				err = errors.Join(err, d.countTowards(ctx, &page[i]))
			}
			if len(page) < f.Limit {
				break
			}
			f.Before = page[len(page)-1].ID
		}
	}
	return err
}

// countTowards looks at the latest payments of a plan's customer. Those of days before the plan was made are for something else.
func (d *Desk) countTowards(ctx context.Context, p *settle.Plan) error {
	paid, err := d.o.Billing.Entries(ctx, p.Customer, books.KindPayment, 0, perPage)
	if err != nil {
		return err
	}
	for i := range slices.Backward(paid) {
		e := &paid[i]
		counts := slices.ContainsFunc(p.Payments, func(x settle.Payment) bool { return x.Reference == e.Reference })
		if counts || settle.Named(e.Reference+" "+e.Text) != p.ID || e.At.Before(p.Made.AddDate(0, 0, -1)) {
			continue
		}
		_, bad := d.PayPlan(ctx, auto, p.ID, e.Reference)
		if bad != nil && !errors.Is(bad, ErrStep) && !errors.Is(bad, ErrMoved) { // another node or a member of staff counted it, or the plan is paid
			err = errors.Join(err, bad)
		}
	}
	return err
}

// onceOnly wants a payment to count towards no other plan of the customer, nor to one that was replaced: the plan that follows is over less by it.
func (d *Desk) onceOnly(ctx context.Context, p *settle.Plan, reference string) error {
	all, err := d.o.Store.Plans(ctx, PlanFilter{Customer: p.Customer, Limit: perPage})
	if err != nil {
		return err
	}
	for i := range all {
		counts := slices.ContainsFunc(all[i].Payments, func(x settle.Payment) bool { return x.Reference == reference })
		if counts && all[i].ID != p.ID {
			return fmt.Errorf("payment %q counts towards plan %d: %w", reference, all[i].ID, ErrStep)
		}
	}
	return nil
}

// Due does what the time asks for: it counts payments that name a plan, reminds carriers and customers, ends plans whose instalment was missed, and carries out settlements
// that were agreed to. What it does is written with the fact that it was done, so that several nodes do it once.
func (d *Desk) Due(ctx context.Context, now time.Time) error {
	waiting, err := d.o.Store.WaitingSettlements(ctx)
	if err != nil {
		return err
	}
	for i := range waiting {
		err = errors.Join(err, d.CarryOut(ctx, waiting[i].Case))
	}
	err = errors.Join(err, d.countNamed(ctx)) // before anybody is reminded of what is paid
	return errors.Join(err, d.remindCarriers(ctx, now), d.remindCustomers(ctx, now))
}

// CarryOut does what the decisions of a case ask for: it carries out the settlement that was agreed to, passes on what carriers granted while
// it waited, and credits the calls that were decided to be free.
func (d *Desk) CarryOut(ctx context.Context, id int64) error {
	for range tries {
		if err := d.catchUp(ctx, id); err != nil {
			return err
		}
		s, err := d.scene(ctx, id)
		if err != nil {
			return err
		}
		w := store.SettleWrite{}
		facts, err := d.passOn(s, &w, auto, time.Now())
		if err != nil || len(facts) == 0 {
			return err
		}
		err = d.o.Store.WriteSettle(ctx, w, facts...)
		if err == nil {
			return d.catchUp(ctx, id)
		}
		if !errors.Is(err, store.ErrMoved) && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return ErrMoved
}

func (d *Desk) remindCarriers(ctx context.Context, now time.Time) error {
	f := ClaimFilter{State: settle.ClaimSent, Limit: perPage}
	for {
		page, err := d.o.Store.CarrierClaims(ctx, f)
		if err != nil {
			return err
		}
		for i := range page {
			if x := &page[i]; x.RemindDue(now) {
				x.Reminders, x.Reminded = x.Reminders+1, now
				text := fmt.Sprintf("Remind the carrier of claim %d: %s open, an answer was due on %s.", x.ID, amount(x.Claimed-x.Granted), x.AnswerBy.Format("2 January"))
				said := fact.ClaimReminded{Case: x.Case, Claim: x.ID, Trunk: x.Trunk, Count: x.Reminders}
				w := store.SettleWrite{Claims: []settle.Claim{*x}}
				if err := d.enter(ctx, w, x.Case, casework.Item{Kind: casework.Task, Text: text, Due: now}, now, said.Row(now, fact.Subject{Account: x.Customer})); err != nil {
					return err
				}
			}
		}
		if len(page) < f.Limit {
			return nil
		}
		f.Before = page[len(page)-1].ID
	}
}

// auto writes what nobody asked for.
const auto = "auto"

// enter writes an item into a case together with what it is about. Somebody who wrote in between comes first; the next turn does it.
func (d *Desk) enter(ctx context.Context, w store.SettleWrite, id int64, i casework.Item, now time.Time, facts ...store.Fact) error {
	items, err := d.o.Store.CaseItems(ctx, id)
	if err != nil {
		return err
	}
	i.Case, i.N, i.At, i.By = id, int64(len(items))+1, now, auto
	w.Case = &store.CaseWrite{Items: []casework.Item{i}}
	if len(w.Plans) > 0 { // the customer's contacts are notified
		said := fact.CaseNoted{By: auto, Case: id, Item: i.N, ItemKind: string(i.Kind), Text: i.Text, What: fact.AboutInstalment}
		facts = append(facts, said.Row(now, fact.Subject{Account: w.Plans[0].Customer}))
	}
	err = d.o.Store.WriteSettle(ctx, w, facts...)
	if errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrMoved) {
		return nil
	}
	return err
}

func (d *Desk) remindCustomers(ctx context.Context, now time.Time) error {
	f := PlanFilter{State: settle.PlanRunning, Limit: perPage}
	for {
		page, err := d.o.Store.Plans(ctx, f)
		if err != nil {
			return err
		}
		for i := range page {
			if err := d.remind(ctx, &page[i], now); err != nil {
				return err
			}
		}
		if len(page) < f.Limit {
			return nil
		}
		f.Before = page[len(page)-1].ID
	}
}

// remind sends the notice that is due about a plan, as a message in its case.
func (d *Desk) remind(ctx context.Context, p *settle.Plan, now time.Time) error {
	s := p.Standing(now)
	kind, n, due := settle.Reminding(p.List, &s, now)
	mark := fmt.Sprintf("%s %d", kind, n)
	if !due || slices.Contains(p.Sent, mark) {
		return nil
	}
	if disputed, err := d.disputed(ctx, p.Case); err != nil || disputed {
		return err
	}
	facts := []store.Fact{}
	if p.Note(now) {
		facts = append(facts, ended(p, auto, now))
	}
	p.Sent = append(slices.Clone(p.Sent), mark)
	i := casework.Item{Kind: casework.Message, Text: reminder(p, &s, kind, d.o.Book.Zone(p.Customer))}
	return d.enter(ctx, store.SettleWrite{Plans: []settle.Plan{*p}}, p.Case, i, now, facts...)
}

// disputed says that calls of a case are in dispute. A call that its customer took back may be again, after the plan was made: nobody is asked to pay
// for it meanwhile, and the plan does not end.
func (d *Desk) disputed(ctx context.Context, id int64) (bool, error) {
	sums, err := d.o.Store.CaseSums(ctx, id, "")
	return slices.ContainsFunc(sums, func(s casework.Sum) bool { return s.State.Pending() && s.Calls > 0 }), err
}

func reminder(p *settle.Plan, s *settle.Standing, kind settle.Reminder, zone *time.Location) string {
	day := func(t time.Time) string { return t.In(zone).Format("Monday 2 January 2006") }
	if kind == settle.RemindBroken {
		return fmt.Sprintf("The plan of %s in %d instalments has ended, because an instalment was not paid within %d days. What is left, %s, is due now. Call us before you pay if you need more time.",
			amount(p.Amount), len(p.List), settle.Grace/(24*time.Hour), amount(s.Rest))
	}
	x := p.List[s.Next]
	last := day(x.GraceEnd().AddDate(0, 0, -1))
	if kind == settle.RemindLate {
		return fmt.Sprintf("Instalment %d of %d, %s, was due on %s and has not come. If it comes by %s the plan goes on. If not, the plan ends and the whole rest, %s, is due. Give %s as the reference.",
			s.Next+1, len(p.List), amount(s.NextSum), day(x.Due), last, amount(s.Rest), p.Name())
	}
	return fmt.Sprintf("Instalment %d of %d, %s, is due on %s. You may pay more, or all of %s, at any time; that costs nothing. Give %s as the reference.", s.Next+1, len(p.List), amount(s.NextSum), day(x.Due), amount(s.Rest), p.Name())
}

// every is how often Run looks what the time asks for.
const every = time.Minute

// Run does what is due until ctx ends.
func (d *Desk) Run(ctx context.Context) {
	for tick := time.NewTicker(every); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			if err := d.Due(ctx, time.Now()); err != nil && ctx.Err() == nil {
				d.o.Log.Warn("what is due in the settling of cases was not done", "error", err)
			}
		}
	}
}

// NotDue is the part of a customer's debt that plans let be paid later: bills of it are not reminded of so far.
func (d *Desk) NotDue(ctx context.Context, customer string, now time.Time) (sum money.Micro, err error) {
	all, err := d.o.Store.Plans(ctx, PlanFilter{Customer: customer, State: settle.PlanRunning, Limit: perPage})
	for i := range all {
		sum = sum.Add(all[i].NotDue(now))
	}
	return sum, err
}
