package billing

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/state/store"
)

const (
	chunk     = 50  // calls moved in one transaction: a live call waits for that long, and with 500 one in a hundred waited 8 ms
	customers = 200 // read at a time
	tries     = 5   // when another run of the same customer is at work
)

// Run is what a run of bills is for.
type Run struct {
	Customer string // identity; "" is all
	Now      bool   // what was used up to now; else up to the end of the last month, in each customer's zone
	By       string
	After    string // Report.After of the run that this one goes on with
	Limit    int    // customers to look at; 0 is all

	from call.ID      // the first call that may be billed; "": any
	held func() error // is asked after each transaction whether to go on; may be nil
}

// Report is what a run did.
type Report struct {
	Bills int
	Calls int64
	Net   money.Micro
	Gross money.Micro
	Last  int64  // number of the last bill
	After string // the last customer that was looked at, if Limit left some; else ""
	Left  int    // how many it left
}

// Run bills what is due. It can be broken off at any point and run again: each call is on one bill.
func (b *Billing) Run(ctx context.Context, run Run, now time.Time) (r Report, err error) {
	if run.from, err = b.from(ctx); err != nil {
		return r, err
	}
	if run.Customer != "" {
		if _, ok := b.o.Book.Customer(run.Customer); !ok {
			return r, fmt.Errorf("customer %s: %w", run.Customer, ErrNotFound)
		}
		return r, b.customers(ctx, run, []string{run.Customer}, now, &r)
	}
	below := call.FirstID(now)
	if !run.Now { // no zone is further ahead than 14 hours
		ahead := now.UTC().Add(14 * time.Hour)
		below = call.FirstID(time.Date(ahead.Year(), ahead.Month(), 1, 0, 0, 0, 0, time.UTC).Add(12 * time.Hour))
	}
	for after, seen := run.After, 0; ; {
		size := customers
		if run.Limit > 0 {
			size = min(size, run.Limit-seen)
		}
		due, err := b.o.Store.DueCustomers(ctx, below, after, size)
		if err != nil {
			return r, err
		}
		if err := b.customers(ctx, run, due, now, &r); err != nil {
			return r, err
		}
		if len(due) > 0 {
			after = due[len(due)-1]
		}
		if len(due) < size {
			return r, nil
		}
		if seen += len(due); seen == run.Limit {
			left, err := b.o.Store.DueCustomers(ctx, below, after, math.MaxInt32)
			if r.Left = len(left); r.Left > 0 {
				r.After = after
			}
			return r, err
		}
	}
}

// customers bills some, in their order and one at a time: a run that read while it wrote would finish a fifth sooner, and take both cores of a small
// machine from the calls.
func (b *Billing) customers(ctx context.Context, run Run, ids []string, now time.Time, r *Report) error {
	for _, id := range ids {
		if err := b.customer(ctx, run, id, now, r); err != nil {
			return fmt.Errorf("billing %s: %w", id, err)
		}
	}
	return ctx.Err()
}

// until is the instant before which calls are billed: now, or the end of the last month as the customer counts.
func (b *Billing) until(customer string, run Run, now time.Time) time.Time {
	here := now.In(b.o.Book.Zone(customer))
	if run.Now {
		return here.Truncate(time.Millisecond) // as exact as the ids of calls
	}
	return time.Date(here.Year(), here.Month(), 1, 0, 0, 0, 0, here.Location())
}

// from is the id below which calls are on no bill.
func (b *Billing) from(ctx context.Context) (call.ID, error) {
	if !b.o.From.IsZero() {
		return call.FirstID(b.o.From), nil
	}
	marks, err := b.o.Store.Marks(ctx)
	text := marks[store.MarkBillingFrom].Value
	if err != nil || text == "" {
		return "", err
	}
	at, err := time.Parse(time.RFC3339, text)
	return call.FirstID(at), err
}

// leave takes the calls from before the bills began off those that are due: they were billed by other means.
func (b *Billing) leave(ctx context.Context, customer string, from call.ID, now time.Time) error {
	for from != "" {
		old, err := b.o.Store.DueCalls(ctx, customer, "", from, chunk)
		if err != nil || len(old) == 0 {
			return err
		}
		said := fact.BillLeft{Count: int64(len(old))}
		for i := range old {
			said.Unbilled = said.Unbilled.Add(old[i].Net)
		}
		if err := b.o.Store.LeaveCalls(ctx, customer, old, said.Row(now, fact.Subject{Account: customer})); err != nil {
			return err
		}
	}
	return nil
}

// customer makes a customer's bill, and another one if the first was begun by an earlier run, which died.
func (b *Billing) customer(ctx context.Context, run Run, id string, now time.Time, r *Report) error {
	for try := 0; ; try++ {
		bill, finished, err := b.bill(ctx, run, id, now)
		if err == nil && finished {
			r.Bills, r.Calls, r.Last = r.Bills+1, r.Calls+bill.Calls, bill.Number
			r.Net, r.Gross = r.Net.Add(bill.Net), r.Gross.Add(bill.Gross)
		}
		switch moved := errors.Is(err, store.ErrMoved) || errors.Is(err, store.ErrExists); {
		case err == nil && (!finished || !bill.Until.Before(b.until(id, run, now))):
			return nil
		case err != nil && (!moved || try == tries):
			return err
		}
	}
}

// bill makes one bill of a customer; not finished: nothing was due.
func (b *Billing) bill(ctx context.Context, run Run, id string, now time.Time) (bill Bill, finished bool, err error) {
	if err = b.leave(ctx, id, run.from, now); err != nil {
		return bill, false, err
	}
	if bill, err = b.next(ctx, id, run, now); err != nil {
		return bill, false, err
	}
	finished, err = b.fill(ctx, &bill, &run, now)
	return bill, finished, err
}

// next is the bill that is being made of a customer, or a new one.
func (b *Billing) next(ctx context.Context, customer string, run Run, now time.Time) (bill Bill, err error) {
	last, err := b.o.Store.Bills(ctx, store.BillFilter{Customer: customer, Limit: 1})
	if err != nil {
		return bill, err
	}
	bill = Bill{Customer: customer, Until: b.until(customer, run, now), By: run.By}
	if len(last) == 1 {
		if last[0].State == store.BillMaking {
			return last[0], nil
		}
		bill.From = last[0].Until
	}
	return bill, nil
}

// fill moves the calls to a bill that are due and issues it; false: there are none.
func (b *Billing) fill(ctx context.Context, bill *Bill, run *Run, now time.Time) (finished bool, err error) {
	for !finished {
		calls, err := b.o.Store.DueCalls(ctx, bill.Customer, run.from, call.FirstID(bill.Until), chunk)
		if err != nil || len(calls) == 0 && bill.Number == 0 {
			return false, err
		}
		if err := b.begin(ctx, bill, calls); err != nil {
			return false, err
		}
		step := store.BillStep{Bill: *bill, Calls: calls}
		step.Bill.Calls += int64(len(calls))
		for i := range calls {
			step.Bill.Net = step.Bill.Net.Add(calls[i].Net)
		}
		if finished = len(calls) < chunk; finished {
			b.total(&step, now)
			if err := b.withDisputes(ctx, &step, now); err != nil {
				return false, err
			}
		}
		if *bill, err = b.o.Store.StepBill(ctx, step); err != nil {
			return false, err
		}
		if run.held == nil {
			continue
		}
		if err := run.held(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// begin says from when the first bill of a customer is: from its first call.
func (b *Billing) begin(ctx context.Context, bill *Bill, calls []Call) error {
	if !bill.From.IsZero() || len(calls) == 0 {
		return nil
	}
	first, err := b.o.Store.CDR(ctx, calls[0].Call)
	bill.From = first.Begun
	return err
}

// total sums a bill up, for the books.
func (b *Billing) total(step *store.BillStep, now time.Time) {
	bill := &step.Bill
	zone := b.o.Book.Zone(bill.Customer)
	bill.Rate = b.o.VAT.On(bill.Until.Add(-time.Nanosecond).In(zone)) // the rate of the period that it is for
	t := books.Add(bill.Net, bill.Rate, money.Billing())
	bill.VAT, bill.Gross, bill.Made, bill.Due = t.VAT, t.Gross, now, now.In(zone).AddDate(0, 0, b.o.PayIn)
	step.Issue = true
	step.Entry = Entry{
		At: now, Kind: books.KindBill, Customer: bill.Customer, By: bill.By, Net: bill.Net, VAT: bill.VAT, Rate: bill.Rate, Postings: books.Bill(bill.Customer, t),
	}
}

// withDisputes has the journal say that a bill was issued, and what of it is in dispute, which nobody is asked to pay.
func (b *Billing) withDisputes(ctx context.Context, step *store.BillStep, now time.Time) error {
	var net money.Micro
	err := b.eachDisputed(ctx, step.Bill.Customer, func(c *casework.CaseCall) error {
		on := slices.ContainsFunc(step.Calls, func(x Call) bool { return x.Call == c.Call })
		if !on && step.Bill.Number > 0 { // an earlier part of the bill may have it
			bill, err := b.BillOf(ctx, c.Call)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			on = err == nil && bill.Number == step.Bill.Number
		}
		if on {
			net = net.Add(c.Retail)
		}
		return nil
	})
	disputed := books.Add(net, step.Bill.Rate, money.Billing()).Gross
	step.Facts = func(issued Bill) []store.Fact {
		said := fact.BillIssued{By: issued.By, Bill: issued.Number, Count: issued.Calls, Gross: issued.Gross, To: issued.Until, Due: issued.Due, InDispute: disputed}
		return []store.Fact{said.Row(now, fact.Subject{Account: issued.Customer})}
	}
	return err
}
