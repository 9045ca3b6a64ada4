// Package books holds the double-entry rules of customers' accounts: what an entry is, how a bill, a payment and a credit
// are posted, VAT, and the one rounding of a total. It must not know calls, storage or purses: nothing in here changes what may still be spent.
package books

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"ringfence/core/money"
)

// Kind says what happened. An entry is booked once for each Kind and Reference.
type Kind string

// Kinds of entries.
const (
	KindBill    Kind = "bill"    // calls were billed
	KindPayment Kind = "payment" // a customer paid
	KindCredit  Kind = "credit"  // a credit note
	KindCarrier Kind = "carrier" // a carrier granted a claim
)

// Accounts that are not of one customer or trunk. A positive balance of a customer is owed to us; one of bank is ours.
const (
	Income   = "income/calls"
	Credits  = "credits"         // income that was given up
	Granted  = "income/carriers" // what carriers gave back
	VAT      = "vat"
	Bank     = "bank"
	Rounding = "rounding"
)

// Customer is the account of a customer, by identity; Carrier that of a trunk.
func Customer(id string) string { return "customer/" + id }

// Carrier is the account of a trunk, by identity.
func Carrier(trunk string) string { return "carrier/" + trunk }

// Posting changes the balance of one account.
type Posting struct {
	Account string
	Amount  money.Micro
}

// Entry is one event in the books. Its postings come to 0.
type Entry struct {
	ID        int64 // set by the store, counts over all kinds
	Number    int64 // set by the store, counts without gaps within Kind: the number of a credit note
	At        time.Time
	Kind      Kind
	Reference string // the store sets that of a bill to its number
	Customer  string // identity; "" is nobody's
	By        string
	Text      string
	Net, VAT  money.Micro // of a bill or credit, exact
	Rate      Rate
	Calls     []string // of a credit: the calls that it is for, as many as are known
	Postings  []Posting
}

// ErrUnbalanced is an entry that must not be booked.
var ErrUnbalanced = errors.New("the entry does not balance")

// Check wants at least two postings that come to exactly 0.
func (e *Entry) Check() error {
	if e.Kind == "" || len(e.Postings) < 2 {
		return fmt.Errorf("%s %s: %w", e.Kind, e.Reference, ErrUnbalanced)
	}
	var sum money.Micro
	for _, p := range e.Postings {
		next := sum + p.Amount
		if p.Account == "" || p.Amount == 0 || (next > sum) != (p.Amount > 0) {
			return fmt.Errorf("%s %s: the posting on %q: %w", e.Kind, e.Reference, p.Account, ErrUnbalanced)
		}
		sum = next
	}
	if sum != 0 {
		return fmt.Errorf("%s %s: off by %s: %w", e.Kind, e.Reference, sum, ErrUnbalanced)
	}
	return nil
}

// Amount is what the entry changes on an account.
func (e *Entry) Amount(account string) (sum money.Micro) {
	for _, p := range e.Postings {
		if p.Account == account {
			sum = sum.Add(p.Amount)
		}
	}
	return sum
}

// Total is a net amount with its tax, as a bill or a credit note states it. Only Gross is rounded: down to the last coin, so that nothing is
// asked for that was not used, and credits of the parts of a bill never come to more than the bill.
type Total struct {
	Net, VAT, Gross money.Micro
}

// As is the same total with another rounding of Gross, which is a part of a larger total that was rounded once. False: it is off by two coins or more.
func (t Total) As(gross money.Micro, c money.Currency) (Total, bool) {
	off := t.Net + t.VAT - gross
	t.Gross = gross
	return t, gross > 0 && -2*Coin(c) < off && off < 2*Coin(c)
}

// Rounded is what the rounding took away; negative: what it added.
func (t Total) Rounded() money.Micro { return t.Net + t.VAT - t.Gross }

// Add sums a net amount (≥ 0) up at a rate of VAT, in a currency.
func Add(net money.Micro, vat Rate, c money.Currency) Total {
	t := Total{Net: net, VAT: vat.Of(net)}
	sum := t.Net.Add(t.VAT)
	t.Gross = sum - sum%Coin(c)
	return t
}

// Coin is the smallest amount of a currency that can be paid.
func Coin(c money.Currency) money.Micro {
	coin := money.Pound
	for range c.Places {
		coin /= 10
	}
	return coin
}

// Bill posts a total as owed by a customer.
func Bill(customer string, t Total) []Posting {
	return some(Posting{Customer(customer), t.Gross}, Posting{Income, -t.Net}, Posting{VAT, -t.VAT}, Posting{Rounding, t.Rounded()})
}

// Credit posts a total as no longer owed.
func Credit(customer string, t Total) []Posting {
	return some(Posting{Customer(customer), -t.Gross}, Posting{Credits, t.Net}, Posting{VAT, t.VAT}, Posting{Rounding, -t.Rounded()})
}

// Payment posts what a customer has paid.
func Payment(customer string, amount money.Micro) []Posting {
	return some(Posting{Bank, amount}, Posting{Customer(customer), -amount})
}

// Grant posts what a carrier grants: it owes that to us, also where the customer gets it in the end.
func Grant(trunk string, amount money.Micro) []Posting {
	return some(Posting{Carrier(trunk), amount}, Posting{Granted, -amount})
}

// some leaves out postings of nothing.
func some(all ...Posting) (out []Posting) {
	for _, p := range all {
		if p.Amount != 0 {
			out = append(out, p)
		}
	}
	return out
}

// Plain makes a reference comparable: banks change case and blanks on the way.
func Plain(reference string) string {
	return strings.ToUpper(strings.Join(strings.Fields(reference), " "))
}
