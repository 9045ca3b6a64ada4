// Package billing turns un-billed usage into bills, and books what customers pay and are credited. It reads call records and writes the
// books; it never touches a purse, so that no bill, dispute, credit or payment gives anybody a fresh cap. It must not know protocols or SQL.
package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/settle"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Store is what of the store is needed: the books, and the records of calls.
type Store interface {
	store.Accounts
	store.Marks
	CDR(ctx context.Context, id call.ID) (call.CDR, error)
	CaseCalls(ctx context.Context, f store.CaseCallFilter) ([]casework.CaseCall, error)
	Clock(ctx context.Context) (time.Time, error)
	ErasureOf(ctx context.Context, customer string) (store.Erasure, error)
}

// Options of New.
type Options struct {
	Store    Store
	Book     *book.Book
	Provider string      // as bills name it
	Address  string      // the same, its lines parted by newlines
	VATID    string      // "" is none
	VAT      books.Rates // none: bills have no VAT
	Secret   []byte      // of signed payments; shorter than 16 bytes: there are none
	PayIn    int         // days from a bill until it is to be paid; 0 is 14
	From     time.Time   // calls that began earlier are on no bill; zero: as the store says, which knows when it got its first bills
	Day      int         // of the month, in the provider's zone, on which the last one is billed; 0: only when somebody asks for it
	Node     string      // which node this is
	Remind   books.Reminders
	// Later is what of a balance instalments to come are over, which nobody is asked for yet. nil: nothing.
	Later func(ctx context.Context, customer string, now time.Time) (money.Micro, error)
	// InCases is what cases have given for calls of a customer. nil: nothing.
	InCases func(ctx context.Context, customer string, calls []call.ID) (map[call.ID]money.Micro, error)
	// Alone is what one member of staff may credit a customer by hand within CreditSpan. nil: any sum.
	Alone func() money.Micro
	Log   *slog.Logger
}

// Billing is safe for concurrent use, and on several nodes.
type Billing struct{ o Options }

// New makes it; nothing is read before it is asked.
func New(o Options) *Billing {
	o.PayIn = cmp.Or(o.PayIn, 14)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Billing{o}
}

// Names that edges use.
type (
	Bill   = store.Bill
	Sum    = store.BillSum
	Call   = store.DueCall
	Entry  = books.Entry
	Filter = store.BillFilter
)

// Issued is the state of a bill that a customer sees.
const Issued = store.BillIssued

// Errors that callers tell apart.
var (
	ErrNotFound = store.ErrNotFound
	ErrBooked   = errors.New("it was booked before")
)

// Invalid says what of an input is wrong.
type Invalid struct{ Field, Found, Want string }

// Error names the field.
func (e *Invalid) Error() string { return fmt.Sprintf("%s: %q; want %s", e.Field, e.Found, e.Want) }

// Balance is what a customer, by identity, owes; what it has paid ahead is negative.
func (b *Billing) Balance(ctx context.Context, customer string) (money.Micro, error) {
	all, err := b.o.Store.Balances(ctx, books.Customer(customer))
	if err != nil {
		return 0, err
	}
	return all[0], nil
}

// Entries are what was booked for a customer, or of a kind, newest first.
func (b *Billing) Entries(ctx context.Context, customer string, kind books.Kind, before int64, limit int) ([]Entry, error) {
	return b.o.Store.Entries(ctx, store.EntryFilter{Customer: customer, Kind: kind, Before: before, Limit: limit})
}

// EntryOf is a payment or a credit note by its number.
func (b *Billing) EntryOf(ctx context.Context, kind books.Kind, number int64) (Entry, error) {
	return b.o.Store.NumberedEntry(ctx, kind, number)
}

// Credit is what a customer is not asked for any more.
type Credit struct {
	Customer  string // identity
	Calls     []call.ID
	Net       money.Micro // without VAT, which is that of the bill of the first of Calls, or the one in force
	Reason    string
	Reference string // a reference is credited once
	By        string
	// Of is the call whose bill's VAT goes for all; "" is the first of Calls.
	Of call.ID
	// Gross is Net with VAT in whole coins, where the caller divides a larger sum so that the parts agree with it; 0: Net with VAT, rounded down.
	Gross money.Micro
}

// Gross is a net amount with VAT, at the rate of the bill that a call is on or else the one in force, rounded as a bill is.
func (b *Billing) Gross(ctx context.Context, customer string, of call.ID, net money.Micro) (money.Micro, error) {
	rate, err := b.rate(ctx, customer, of)
	return books.Add(max(net, 0), rate, money.Billing()).Gross, err
}

func (b *Billing) rate(ctx context.Context, customer string, of call.ID) (books.Rate, error) {
	today := b.o.VAT.On(time.Now().In(b.o.Book.Zone(customer)))
	if of == "" {
		return today, nil
	}
	switch bill, err := b.BillOf(ctx, of); {
	case errors.Is(err, ErrNotFound):
		return today, nil
	default:
		return bill.Rate, err
	}
}

// Booked is a payment or a credit note by its reference.
func (b *Billing) Booked(ctx context.Context, kind books.Kind, reference string) (Entry, error) {
	return b.o.Store.Entry(ctx, kind, books.Plain(reference))
}

// OfCases is what the references of the credits begin with that follow from a case. Nobody else books one: the case would take its own for booked.
const OfCases = "CASE "

// Credit books a credit note, whose number is in the entry. ErrBooked: its reference was credited before, and the entry is that one.
func (b *Billing) Credit(ctx context.Context, c Credit) (Entry, error) {
	e, said, err := b.credit(ctx, &c)
	if err != nil {
		return Entry{}, err
	}
	return b.book(ctx, e, said)
}

// credit is the entry of a credit note, and what the journal says of it.
func (b *Billing) credit(ctx context.Context, c *Credit) (e Entry, said store.Fact, err error) {
	customer, ok := b.o.Book.Customer(c.Customer)
	switch {
	case !ok:
		return e, said, fmt.Errorf("customer %s: %w", c.Customer, ErrNotFound)
	case c.Net <= 0 || c.Net > most:
		return e, said, &Invalid{"amount", money.Billing().Amount(c.Net), "more than nothing, and at most " + money.Billing().Shown(most)}
	case strings.TrimSpace(c.Reason) == "":
		return e, said, &Invalid{"reason", c.Reason, "why the customer is credited, in a sentence"}
	case strings.TrimSpace(c.Reference) == "":
		return e, said, &Invalid{"reference", c.Reference, "what the credit is known by, once"}
	}
	if c.Of == "" && len(c.Calls) > 0 {
		c.Of = c.Calls[0]
	}
	now := time.Now()
	rate, err := b.rate(ctx, customer.ID, c.Of)
	if err != nil {
		return e, said, err
	}
	total := books.Add(c.Net, rate, money.Billing())
	if c.Gross != 0 {
		var ok bool
		if total, ok = total.As(c.Gross, money.Billing()); !ok {
			return e, said, &Invalid{"amount", money.Billing().Amount(c.Gross), "the net amount with VAT, to a coin"}
		}
	}
	e = Entry{
		At: now, Kind: books.KindCredit, Reference: books.Plain(c.Reference), Customer: customer.ID, By: c.By, Text: c.Reason,
		Net: total.Net, VAT: total.VAT, Rate: rate, Postings: books.Credit(customer.ID, total),
	}
	for _, id := range c.Calls[:min(len(c.Calls), maxCalls)] {
		e.Calls = append(e.Calls, string(id))
	}
	if total.Gross == 0 {
		return e, said, &Invalid{"amount", money.Billing().Amount(c.Net), "at least the smallest coin, with VAT"}
	}
	booked := fact.CreditBooked{By: c.By, Reference: e.Reference, Gross: total.Gross, Why: c.Reason}
	return e, booked.Row(now, fact.Subject{Account: customer.ID}), nil
}

const (
	most     = 1_000_000_000 * money.Pound // of one entry: more is a typing error
	maxCalls = 2000                        // that a credit note lists
)

// Payment is what a customer has paid.
type Payment struct {
	Customer  string // identity
	Amount    money.Micro
	At        time.Time // when it came; zero is now
	Reference string    // the bank's: each is booked once
	By, Text  string
}

func (b *Billing) payment(p *Payment, now time.Time) (Entry, error) {
	switch {
	case p.Amount <= 0 || p.Amount > most:
		return Entry{}, &Invalid{"amount", money.Billing().Amount(p.Amount), "more than nothing, and at most " + money.Billing().Shown(most)}
	case p.Amount%books.Coin(money.Billing()) != 0:
		return Entry{}, &Invalid{"amount", p.Amount.String(), "whole coins"}
	case strings.TrimSpace(p.Reference) == "":
		return Entry{}, &Invalid{"reference", p.Reference, "the reference of the bank, so that nothing is booked twice"}
	case settle.NamesOnly(p.Reference):
		return Entry{}, &Invalid{"reference", p.Reference, "the bank's own reference, which no other payment has; the plan belongs into the text"}
	case len(p.Reference) > 100:
		return Entry{}, &Invalid{"reference", p.Reference[:20] + "…", "at most 100 bytes"}
	case p.At.After(now.Add(24 * time.Hour)):
		return Entry{}, &Invalid{"date", p.At.Format(time.DateOnly), "a day that has come"}
	case !p.At.IsZero() && p.At.Year() < firstYear:
		return Entry{}, &Invalid{"date", p.At.Format(time.DateOnly), "the day of the payment, such as 2026-11-30"}
	case len(p.Text) > maxText:
		return Entry{}, &Invalid{"text", p.Text[:20] + "…", fmt.Sprintf("at most %d bytes", maxText)}
	}
	if _, ok := b.o.Book.Customer(p.Customer); !ok {
		return Entry{}, fmt.Errorf("customer %s: %w", p.Customer, ErrNotFound)
	}
	at := p.At
	if at.IsZero() {
		at = now
	}
	return Entry{
		At: at, Kind: books.KindPayment, Reference: books.Plain(p.Reference), Customer: p.Customer, By: p.By, Text: p.Text,
		Net: p.Amount, Postings: books.Payment(p.Customer, p.Amount),
	}, nil
}

func paymentFact(e *Entry, now time.Time) store.Fact {
	said := fact.PaymentBooked{By: e.By, Reference: e.Reference, Gross: e.Net}
	return said.Row(now, fact.Subject{Account: e.Customer})
}

// Pay books a payment. ErrBooked: its reference was booked before, and the entry is that one.
func (b *Billing) Pay(ctx context.Context, p Payment) (Entry, error) {
	now := time.Now()
	e, err := b.payment(&p, now)
	if err != nil {
		return e, err
	}
	return b.book(ctx, e, paymentFact(&e, now))
}

// again is within what time a payment of the same amount looks like the same one, when a person enters it.
const again = 24 * time.Hour

// Twice is a payment of the same customer and amount that was booked within a day; ok is false when there is none.
func (b *Billing) Twice(ctx context.Context, customer string, amount money.Micro) (e Entry, ok bool, err error) {
	all, err := b.Entries(ctx, customer, books.KindPayment, 0, 20)
	if err != nil {
		return e, false, err
	}
	i := slices.IndexFunc(all, func(e Entry) bool { return e.Net == amount && time.Since(e.At) < again })
	if i < 0 {
		return e, false, nil
	}
	return all[i], true, nil
}

func (b *Billing) book(ctx context.Context, e Entry, facts ...store.Fact) (Entry, error) {
	numbers, err := b.o.Store.Book(ctx, []Entry{e}, facts...)
	if err == nil {
		e.Number = numbers[0]
	}
	return b.booked(ctx, e, err)
}

// booked says of an entry that was booked before which one it is.
func (b *Billing) booked(ctx context.Context, e Entry, err error) (Entry, error) {
	if !errors.Is(err, store.ErrExists) {
		return e, err
	}
	before, err := b.o.Store.Entry(ctx, e.Kind, e.Reference)
	if err != nil {
		return e, err
	}
	return before, fmt.Errorf("%s %s of %s: %w", e.Kind, e.Reference, before.At.Format(time.DateOnly), ErrBooked)
}

// BillOf is the bill that a call is on; ErrNotFound: on none yet.
func (b *Billing) BillOf(ctx context.Context, id call.ID) (Bill, error) {
	c, err := b.o.Store.CDR(ctx, id)
	if err != nil {
		return Bill{}, err
	}
	return b.o.Store.BillOf(ctx, c.Account, c.Line, c.Country, id)
}

// Record is the record of a call.
func (b *Billing) Record(ctx context.Context, id call.ID) (call.CDR, error) {
	return b.o.Store.CDR(ctx, id)
}

// Bills lists bills, newest first; Bill reads one.
func (b *Billing) Bills(ctx context.Context, f Filter) ([]Bill, error) {
	return b.o.Store.Bills(ctx, f)
}

// Bill reads one.
func (b *Billing) Bill(ctx context.Context, number int64) (Bill, error) {
	bill, err := b.o.Store.Bill(ctx, number)
	if err == nil && bill.State != store.BillIssued {
		err = fmt.Errorf("bill %s is being made: %w", strconv.FormatInt(number, 10), ErrNotFound)
	}
	return bill, err
}

// Sums are the sums of a bill by line and country.
func (b *Billing) Sums(ctx context.Context, number int64) ([]Sum, error) {
	return b.o.Store.BillSums(ctx, number)
}

// Calls are calls of a line to a country on a bill, after one.
func (b *Billing) Calls(ctx context.Context, number int64, line, country string, after call.ID, limit int) ([]Call, error) {
	return b.o.Store.BilledCalls(ctx, number, line, country, after, limit)
}
