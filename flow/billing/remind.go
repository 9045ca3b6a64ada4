package billing

import (
	"context"
	"errors"
	"time"

	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/state/store"
)

const (
	morning = 9                   // o'clock, in the customer's zone, when reminders are sent
	stale   = 30 * 24 * time.Hour // after the last reminder ought to have gone: what was not sent by then is not sent any more
	page    = 200                 // bills that are read at a time
)

// Remind sends the reminders that are due, each once: a reminder is a fact, written with the mark on its bill, and notices follow the facts. What is paid,
// in dispute or agreed to be paid later is not reminded of.
func (b *Billing) Remind(ctx context.Context, now time.Time) (sent int, err error) {
	days := b.o.Remind
	if len(days) == 0 {
		return 0, nil
	}
	first, last := days[0], days[len(days)-1]
	until := now.AddDate(0, 0, 1-first)
	for after := (Bill{Due: now.AddDate(0, 0, -last-1).Add(-stale)}); ; {
		all, err := b.o.Store.BillsDue(ctx, after, until, page)
		if err != nil {
			return sent, err
		}
		owes, err := b.owes(ctx, all)
		if err != nil {
			return sent, err
		}
		for i := range all {
			n := b.reminder(&all[i], now)
			if n <= all[i].Reminders || owes[i] <= 0 {
				continue
			}
			a, err := b.account(ctx, all[i].Customer, owes[i], now)
			if err != nil {
				return sent, err
			}
			u := a.Of(all[i].Number)
			switch done, err := b.remind(ctx, &all[i], u.Asked, n, now); {
			case err != nil:
				return sent, err
			case done:
				sent++
			}
		}
		if len(all) < page {
			return sent, nil
		}
		after = all[len(all)-1]
	}
}

// reminder is how many reminders of a bill ought to have gone by now.
func (b *Billing) reminder(bill *Bill, now time.Time) (n int64) {
	zone := b.o.Book.Zone(bill.Customer)
	due := bill.Due.In(zone)
	for _, days := range b.o.Remind {
		if !now.Before(time.Date(due.Year(), due.Month(), due.Day()+days, morning, 0, 0, 0, zone)) {
			n++
		}
	}
	return n
}

// remind marks a bill as reminded of, if something of it is to be paid.
func (b *Billing) remind(ctx context.Context, bill *Bill, open money.Micro, n int64, now time.Time) (bool, error) {
	if open <= 0 {
		return false, nil
	}
	marked := *bill
	marked.Reminders, marked.Reminded = n, now
	said := fact.BillReminded{Bill: bill.Number, Reminder: n, Gross: open, Due: bill.Due}
	err := b.o.Store.MarkBill(ctx, *bill, marked, said.Row(now, fact.Subject{Account: bill.Customer}))
	if errors.Is(err, store.ErrMoved) { // another node was first
		return false, nil
	}
	return err == nil, err
}

// eachDisputed gives the calls of a customer that are in dispute.
func (b *Billing) eachDisputed(ctx context.Context, customer string, yield func(*casework.CaseCall) error) error {
	f := store.CaseCallFilter{Customer: customer, States: []casework.Dispute{casework.Disputed, casework.Judged}, Limit: 1000}
	for {
		calls, err := b.o.Store.CaseCalls(ctx, f)
		if err != nil {
			return err
		}
		for i := range calls {
			if err := yield(&calls[i]); err != nil {
				return err
			}
		}
		if len(calls) < f.Limit {
			return nil
		}
		f.After = calls[len(calls)-1].Call
	}
}
