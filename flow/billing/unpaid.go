package billing

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"ringfence/core/books"
	"ringfence/core/money"
)

// Unpaid is a bill of which something is still to be paid. Payments and credits go to the oldest bills first.
type Unpaid struct {
	Bill
	books.Open
}

// Overdue says that it should have been paid by now: what of it is in dispute or in a plan should not.
func (u *Unpaid) Overdue(now time.Time) bool { return u.Asked > 0 && now.After(u.Due) }

// Account is what a customer owes, and what of it is asked for.
type Account struct {
	Owes     money.Micro // what was paid ahead is negative
	Asked    money.Micro // to be paid on the days of the bills: the rest is in dispute or in a plan
	Overdue  money.Micro // the part of Asked whose day has passed
	Disputed money.Micro // not asked for until it is decided
	Planned  money.Micro // instalments to come
	Unpaid   []Unpaid    // newest first
}

// Of is what is left to pay of a bill.
func (a *Account) Of(number int64) (u Unpaid) {
	if i := slices.IndexFunc(a.Unpaid, func(u Unpaid) bool { return u.Number == number }); i >= 0 {
		u = a.Unpaid[i]
	}
	return u
}

// Account reads what a customer, by identity, owes.
func (b *Billing) Account(ctx context.Context, customer string, now time.Time) (Account, error) {
	owes, err := b.Balance(ctx, customer)
	if err != nil {
		return Account{}, err
	}
	return b.account(ctx, customer, owes, now)
}

// Accounts reads what the customers of bills owe.
func (b *Billing) Accounts(ctx context.Context, bills []Bill, now time.Time) (map[string]*Account, error) {
	owes, err := b.owes(ctx, bills)
	if err != nil {
		return nil, err
	}
	out := map[string]*Account{}
	for i := range bills {
		if customer := bills[i].Customer; out[customer] == nil {
			a, err := b.account(ctx, customer, owes[i], now)
			if err != nil {
				return nil, err
			}
			out[customer] = &a
		}
	}
	return out, nil
}

func (b *Billing) owes(ctx context.Context, bills []Bill) ([]money.Micro, error) {
	accounts := make([]string, len(bills))
	for i := range bills {
		accounts[i] = books.Customer(bills[i].Customer)
	}
	return b.o.Store.Balances(ctx, accounts...)
}

func (b *Billing) account(ctx context.Context, customer string, owes money.Micro, now time.Time) (a Account, err error) {
	if a.Owes = owes; owes <= 0 {
		return a, nil
	}
	bills, err := b.owedFor(ctx, customer, owes)
	if err != nil {
		return a, err
	}
	parts, err := b.parts(ctx, customer, owes, now, bills)
	if err != nil {
		return a, err
	}
	for i, o := range parts {
		u := Unpaid{bills[i], o}
		a.Unpaid = append(a.Unpaid, u)
		a.Asked, a.Disputed, a.Planned = a.Asked.Add(u.Asked), a.Disputed.Add(u.Disputed), a.Planned.Add(u.Planned)
		if u.Overdue(now) {
			a.Overdue = a.Overdue.Add(u.Asked)
		}
	}
	return a, nil
}

// owedFor are the bills of a customer that what it owes is for, newest first.
func (b *Billing) owedFor(ctx context.Context, customer string, owes money.Micro) (all []Bill, err error) {
	for f := (Filter{Customer: customer, State: Issued, Limit: page}); ; {
		some, err := b.Bills(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range some {
			if owes <= 0 {
				return all, nil
			}
			all, owes = append(all, some[i]), owes-some[i].Gross
		}
		if len(some) < f.Limit {
			return all, nil
		}
		f.Before = some[len(some)-1].Number
	}
}

// parts is what is left to pay of each of the bills that a customer owes for.
func (b *Billing) parts(ctx context.Context, customer string, owes money.Micro, now time.Time, bills []Bill) ([]books.Open, error) {
	later := money.Micro(0)
	if b.o.Later != nil {
		var err error
		if later, err = b.o.Later(ctx, customer, now); err != nil {
			return nil, err
		}
	}
	nets, err := b.o.Store.DisputedOnBills(ctx, customer)
	if err != nil {
		return nil, err
	}
	billed, disputed := make([]books.Billed, len(bills)), money.Micro(0)
	gross := func(bill *Bill) money.Micro { return books.Add(nets[bill.Number], bill.Rate, money.Billing()).Gross }
	for i := range bills {
		billed[i] = books.Billed{Gross: bills[i].Gross, Disputed: gross(&bills[i])}
		disputed = disputed.Add(billed[i].Disputed)
		delete(nets, bills[i].Number)
	}
	for number := range nets { // on bills that were paid before
		bill, err := b.Bill(ctx, number)
		if errors.Is(err, ErrNotFound) {
			continue // it is being made
		}
		if err != nil {
			return nil, err
		}
		disputed = disputed.Add(gross(&bill))
	}
	return books.Unpaid(owes, disputed, later, billed), nil
}

// Debts are what customers owe in all.
type Debts struct {
	Unpaid                                  []Unpaid // the longest due first
	Left, Asked, Disputed, Planned, Overdue money.Micro
	More                                    bool // there are further customers who owe something
}

// maxDebtors is of how many customers unpaid bills are listed at once.
const maxDebtors = 500

var errEnough = errors.New("enough debtors")

// Debts lists bills that are not paid, and what all of them come to.
func (b *Billing) Debts(ctx context.Context, now time.Time) (d Debts, err error) {
	owes := map[string]money.Micro{}
	prefix := books.Customer("")
	err = b.o.Store.EachBalance(ctx, prefix, func(account string, balance money.Micro) error {
		if balance <= 0 {
			return nil
		}
		if len(owes) == maxDebtors {
			return errEnough
		}
		owes[account[len(prefix):]] = balance
		return nil
	})
	if d.More = errors.Is(err, errEnough); err != nil && !d.More {
		return d, err
	}
	for customer, balance := range owes {
		a, err := b.account(ctx, customer, balance, now)
		if err != nil {
			return d, err
		}
		d.Unpaid = append(d.Unpaid, a.Unpaid...)
		d.Asked, d.Disputed, d.Planned, d.Overdue = d.Asked.Add(a.Asked), d.Disputed.Add(a.Disputed), d.Planned.Add(a.Planned), d.Overdue.Add(a.Overdue)
	}
	d.Left = d.Asked.Add(d.Disputed).Add(d.Planned)
	slices.SortFunc(d.Unpaid, func(a, b Unpaid) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Number, b.Number)) })
	return d, nil
}
