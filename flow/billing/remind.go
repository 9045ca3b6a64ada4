package billing

import (
	"context"
	"errors"
	"time"

	"ringfence/core/books"
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
			switch done, err := b.remind(ctx, &all[i], owes[i], n, now); {
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

func (b *Billing) owes(ctx context.Context, bills []Bill) ([]money.Micro, error) {
	accounts := make([]string, len(bills))
	for i := range bills {
		accounts[i] = books.Customer(bills[i].Customer)
	}
	return b.o.Store.Balances(ctx, accounts...)
}

// remind marks a bill as reminded of, if something of it is to be paid.
func (b *Billing) remind(ctx context.Context, bill *Bill, owes money.Micro, n int64, now time.Time) (bool, error) {
	open, err := b.open(ctx, bill, owes, now)
	if err != nil || open <= 0 {
		return false, err
	}
	marked := *bill
	marked.Reminders, marked.Reminded = n, now
	said := fact.BillReminded{Bill: bill.Number, Reminder: n, Gross: open, Due: bill.Due}
	err = b.o.Store.MarkBill(ctx, *bill, marked, said.Row(now, fact.Subject{Account: bill.Customer}))
	if errors.Is(err, store.ErrMoved) { // another node was first
		return false, nil
	}
	return err == nil, err
}

// open is what of a bill is to be paid by now.
func (b *Billing) open(ctx context.Context, bill *Bill, owes money.Micro, now time.Time) (money.Micro, error) {
	asked, err := b.Asked(ctx, bill.Customer, now)
	if err != nil || asked == 0 {
		return 0, err
	}
	disputed, err := b.disputed(ctx, bill.Customer)
	if err != nil {
		return 0, err
	}
	var all []books.Billed
	at := -1
	for f, left := (Filter{Customer: bill.Customer, State: Issued, Limit: page}), owes; ; {
		some, err := b.Bills(ctx, f)
		if err != nil {
			return 0, err
		}
		for i := range some {
			x := &some[i]
			if x.Number == bill.Number {
				at = len(all)
			}
			all = append(all, books.Billed{Gross: x.Gross, Disputed: books.Add(disputed[x.Number], x.Rate, money.Billing()).Gross})
			left -= x.Gross
		}
		if len(some) < page || left <= 0 {
			break
		}
		f.Before = some[len(some)-1].Number
	}
	if at < 0 { // older than all that is owed for
		return 0, nil
	}
	return books.Unpaid(owes, asked, all)[at], nil
}

// disputed is what calls in dispute come to on each bill of a customer, without VAT.
func (b *Billing) disputed(ctx context.Context, customer string) (map[int64]money.Micro, error) {
	out := map[int64]money.Micro{}
	return out, b.eachDisputed(ctx, customer, func(c *casework.CaseCall) error {
		bill, err := b.BillOf(ctx, c.Call)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		out[bill.Number] = out[bill.Number].Add(c.Retail)
		return err
	})
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
