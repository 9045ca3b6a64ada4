package billing_test

import (
	"context"
	"testing"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/flow/billing"
	"ringfence/state/store"
)

// reminders reads what the journal has of them: which, of which bill, over what.
func (p *provider) reminders(t *testing.T) (out []fact.BillReminded) {
	t.Helper()
	all, err := p.db.Facts(t.Context(), store.FactFilter{Kind: fact.KindBillReminded})
	must(t, err)
	for i := range all {
		var f fact.BillReminded
		must(t, f.Decode(all[i].Body))
		out = append(out, f)
	}
	return out
}

func (p *provider) lastReminder(t *testing.T) (last fact.BillReminded) {
	t.Helper()
	for _, last = range p.reminders(t) {
	}
	return last
}

// TestReminders guards that a bill is reminded of on its days, once on all nodes together, of what is left to pay, and not any more when it is paid.
func TestReminders(t *testing.T) {
	p := newProvider(t)
	ctx := t.Context()
	later := money.Micro(0)
	o := billing.Options{Store: p.db, Book: p.book, Remind: books.Reminders{-3, 3, 14}, Later: func(context.Context, string, time.Time) (money.Micro, error) { return later, nil }}
	a, b := billing.New(o), billing.New(o)
	p.settle(t, "acme", "a-1", november, 100*money.Pound)
	_, err := a.Run(ctx, billing.Run{Now: true, By: "tom"}, november.Add(time.Hour))
	must(t, err)
	due := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	want := 0
	step := func(name string, at time.Time, sent int) {
		t.Helper()
		got := 0
		for _, node := range []*billing.Billing{a, b} {
			n, err := node.Remind(ctx, at)
			must(t, err)
			got += n
		}
		if want += sent; got != sent || len(p.reminders(t)) != want {
			t.Errorf("%s: %d reminders, want %d; in all %+v", name, got, sent, p.reminders(t))
		}
	}
	step("too early", due.AddDate(0, 0, -3).Add(-time.Minute), 0)
	step("before the day", due.AddDate(0, 0, -3), 1)
	step("again", due, 0)
	later = 100 * money.Pound
	step("all of it may be paid later", due.AddDate(0, 0, 3), 0)
	later = 70 * money.Pound
	step("a part may be", due.AddDate(0, 0, 4), 1)
	if last := p.lastReminder(t); last.Gross != 30*money.Pound || last.Reminder != 2 || last.Bill != 1 || last.Due.IsZero() {
		t.Errorf("reminded of %+v", last)
	}
	later = 0
	_, err = a.Pay(ctx, billing.Payment{Customer: "acme", Amount: 99 * money.Pound, Reference: "1", By: "tom"})
	must(t, err)
	step("the last, of the rest", due.AddDate(0, 0, 14), 1)
	if last := p.lastReminder(t); last.Gross != money.Pound || last.Reminder != 3 {
		t.Errorf("reminded of %+v", last)
	}
	step("there is no fourth", due.AddDate(0, 0, 20), 0)

	p.settle(t, "acme", "a-1", november.AddDate(0, 1, 0), 100*money.Pound)
	_, err = a.Run(ctx, billing.Run{Now: true, By: "tom"}, november.AddDate(0, 1, 0).Add(time.Hour))
	must(t, err)
	_, err = a.Pay(ctx, billing.Payment{Customer: "acme", Amount: 101 * money.Pound, Reference: "2", By: "tom"})
	must(t, err)
	step("paid in time", due.AddDate(0, 1, 0), 0)
	step("long after", due.AddDate(1, 0, 0), 0)
}

// TestABillSaysWhatOfItIsInDispute guards that nobody is asked to pay for calls that were in dispute when they were billed, and that other bills' calls are not counted.
func TestABillSaysWhatOfItIsInDispute(t *testing.T) {
	p := newProvider(t)
	ctx := t.Context()
	b := billing.New(billing.Options{Store: p.db, Book: p.book, VAT: books.Rates{{Rate: 20_000}}})
	before := p.settle(t, "acme", "a-0", november.Add(-time.Hour), 5*money.Pound)
	_, err := b.Run(ctx, billing.Run{Now: true, By: "tom"}, november)
	must(t, err)
	bad := p.settle(t, "acme", "a-1", november.Add(time.Minute), 60*money.Pound)
	p.settle(t, "acme", "a-2", november.Add(time.Minute), 40*money.Pound)
	c := casework.Case{ID: 1, Customer: "acme", State: casework.Open, Opened: november}
	calls := []casework.CaseCall{
		{Case: 1, Call: before, Customer: "acme", Line: "a-0", State: casework.Disputed, Retail: 5 * money.Pound},
		{Case: 1, Call: bad, Customer: "acme", Line: "a-1", State: casework.Disputed, Retail: 60 * money.Pound},
	}
	must(t, p.db.WriteCase(ctx, store.CaseWrite{Case: &c, Calls: calls}))
	_, err = b.Run(ctx, billing.Run{Now: true, By: "tom"}, november.Add(time.Hour))
	must(t, err)
	facts, err := p.db.Facts(ctx, store.FactFilter{Kinds: []string{fact.KindBillIssued}})
	must(t, err)
	var said []fact.BillIssued
	for i := range facts {
		var x fact.BillIssued
		must(t, x.Decode(facts[i].Body))
		said = append(said, x)
	}
	if len(said) != 2 || said[0].InDispute != 0 || said[1].Gross != 120*money.Pound || said[1].InDispute != 72*money.Pound {
		t.Errorf("%+v", said)
	}
}

// TestNobodyIsRemindedOfWhatTheyDispute guards that the calls of a bill that are in dispute are left out, and come back when they are withdrawn.
func TestNobodyIsRemindedOfWhatTheyDispute(t *testing.T) {
	p := newProvider(t)
	ctx := t.Context()
	b := billing.New(billing.Options{Store: p.db, Book: p.book, Remind: books.Reminders{0}})
	bad := p.settle(t, "acme", "a-1", november, 60*money.Pound)
	p.settle(t, "acme", "a-2", november, 40*money.Pound)
	_, err := b.Run(ctx, billing.Run{Now: true, By: "tom"}, november.Add(time.Hour))
	must(t, err)
	c := casework.Case{ID: 1, Customer: "acme", State: casework.Open, Opened: november}
	calls := []casework.CaseCall{{Case: 1, Call: bad, Customer: "acme", Line: "a-1", State: casework.Disputed, Retail: 60 * money.Pound}}
	must(t, p.db.WriteCase(ctx, store.CaseWrite{Case: &c, Calls: calls}))
	due := november.AddDate(0, 0, 15)
	if n, err := b.Remind(ctx, due); err != nil || n != 1 || p.lastReminder(t).Gross != 40*money.Pound {
		t.Errorf("%d %v %+v", n, err, p.reminders(t))
	}
	_, err = b.Pay(ctx, billing.Payment{Customer: "acme", Amount: 40 * money.Pound, Reference: "1", By: "tom"})
	must(t, err)
	late := billing.New(billing.Options{Store: p.db, Book: p.book, Remind: books.Reminders{0, 7}})
	if n, err := late.Remind(ctx, due.AddDate(0, 0, 8)); err != nil || n != 0 {
		t.Errorf("the rest is in dispute: %d %v", n, err)
	}
	all, err := p.db.CaseCalls(ctx, store.CaseCallFilter{Case: 1, Calls: []call.ID{bad}})
	must(t, err)
	all[0].State = casework.Withdrawn
	must(t, p.db.WriteCase(ctx, store.CaseWrite{Calls: all}))
	if n, err := late.Remind(ctx, due.AddDate(0, 0, 9)); err != nil || n != 1 || p.lastReminder(t).Gross != 60*money.Pound {
		t.Errorf("withdrawn: %d %v %+v", n, err, p.reminders(t))
	}
}

// TestABalanceSaysWhatIsAskedFor guards that what is in dispute or in a plan is named, not asked for, and that the parts add up.
func TestABalanceSaysWhatIsAskedFor(t *testing.T) {
	p := newProvider(t)
	ctx := t.Context()
	later := money.Micro(0)
	b := billing.New(billing.Options{Store: p.db, Book: p.book, VAT: books.Rates{{Rate: 20_000}}, Later: func(context.Context, string, time.Time) (money.Micro, error) { return later, nil }})
	month := func(n int) time.Time { return november.AddDate(0, n, 0) }
	var bad call.ID
	for n := range 2 {
		bad = p.settle(t, "acme", "a-1", month(n), 50*money.Pound)
		_, err := b.Run(ctx, billing.Run{Now: true, By: "tom"}, month(n).Add(time.Hour))
		must(t, err)
	}
	c := casework.Case{ID: 1, Customer: "acme", State: casework.Open, Opened: november}
	calls := []casework.CaseCall{{Case: 1, Call: bad, Customer: "acme", Line: "a-1", Begun: month(1), State: casework.Judged, Retail: 50 * money.Pound}}
	must(t, p.db.WriteCase(ctx, store.CaseWrite{Case: &c, Calls: calls}))
	later = 20 * money.Pound
	now := month(1).Add(2 * time.Hour)
	a, err := b.Account(ctx, "acme", now)
	must(t, err)
	if a.Owes != 120*money.Pound || a.Asked != 40*money.Pound || a.Overdue != 40*money.Pound || a.Disputed != 60*money.Pound || a.Planned != 20*money.Pound {
		t.Errorf("%+v", a)
	}
	if u := a.Of(2); u.Left != 60*money.Pound || u.Asked != 0 || u.Overdue(now.AddDate(1, 0, 0)) {
		t.Errorf("the bill in dispute: %+v", u)
	}
	d, err := b.Debts(ctx, now)
	must(t, err)
	if len(d.Unpaid) != 2 || d.Unpaid[0].Number != 1 || d.Left != 120*money.Pound || d.Asked != 40*money.Pound || d.Disputed != 60*money.Pound || d.Planned != 20*money.Pound {
		t.Errorf("of all: %+v", d)
	}
	_, err = b.Pay(ctx, billing.Payment{Customer: "acme", Amount: 120 * money.Pound, Reference: "1", By: "tom"})
	must(t, err)
	if a, err = b.Account(ctx, "acme", now); err != nil || a.Asked != 0 || a.Disputed != 0 || len(a.Unpaid) != 0 {
		t.Errorf("paid: %+v %v", a, err)
	}
}
