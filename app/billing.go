package app

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"ringfence/core/books"
	"ringfence/flow/billing"
	"ringfence/flow/notify"
)

// billFile is a bill as mails have it attached.
func (a *App) billFile(ctx context.Context, customer string, number int64) (notify.File, error) {
	b, err := a.billing.Bill(ctx, number)
	if err == nil && b.Customer != customer {
		err = fmt.Errorf("bill %d is another customer's: %w", number, billing.ErrNotFound)
	}
	if err != nil {
		return notify.File{}, err
	}
	var out bytes.Buffer
	err = a.billing.WriteBill(ctx, &out, &b, billing.PDF)
	return notify.File{Name: fmt.Sprintf("bill-%d.pdf", number), Type: "application/pdf", Data: out.Bytes()}, err
}

// openBilling builds what makes bills and keeps customers' accounts, and what settles cases over them.
func (a *App) openBilling() error {
	c := &a.cfg.Billing
	o := billing.Options{
		Store: a.store, Book: a.book, Provider: a.cfg.Provider.Name, Address: c.Address, VATID: c.VATNumber, PayIn: c.DaysToPay, Secret: []byte(c.WebhookSecret), Day: c.Day, Node: a.cfg.Node, Alone: a.secondAbove, Log: a.log,
	}
	if c.VAT != "" {
		var err error
		if o.VAT, err = books.ParseRates(c.VAT); err != nil {
			return fmt.Errorf("billing.vat-percent: %w", err)
		}
	}
	if c.Reminders != "" {
		var err error
		if o.Remind, err = books.ParseReminders(c.Reminders); err != nil {
			return fmt.Errorf("billing.reminders: %w", err)
		}
	}
	if c.From != "" {
		zone, err := time.LoadLocation(a.cfg.Provider.Zone)
		if err == nil {
			o.From, err = time.ParseInLocation(time.DateOnly, c.From, zone)
		}
		if err != nil {
			return fmt.Errorf("billing.from: %w", err)
		}
	}
	o.Later, o.InCases = a.later, a.inCases
	a.billing = billing.New(o)
	return a.openSettling()
}
