package app

import (
	"context"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/flow/settle"
)

// openSettling builds what settles cases, over the books.
func (a *App) openSettling() error {
	var err error
	a.settling, err = settle.New(settle.Options{Store: a.store, Book: a.book, Billing: a.billing, SecondAbove: a.secondAbove, Provider: a.cfg.Provider.Name, Address: a.cfg.Billing.Address, Log: a.log})
	return err
}

// secondAbove is what one member of staff may give away alone in a case.
func (a *App) secondAbove() money.Micro {
	return money.Billing().Sum(int64(a.config().Desk.SecondAbove))
}

// later is what of a customer's debt plans let be paid later.
func (a *App) later(ctx context.Context, customer string, now time.Time) (money.Micro, error) {
	return a.settling.NotDue(ctx, customer, now)
}

// inCases is what cases have given for calls of a customer.
func (a *App) inCases(ctx context.Context, customer string, calls []call.ID) (map[call.ID]money.Micro, error) {
	return a.settling.InCases(ctx, customer, calls)
}
