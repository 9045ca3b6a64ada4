package book

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/phone"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

// proved are the numbers that the lines of a customer may present, after an edit.
func (b *Book) proved(a *account.Customer, edit *CustomerEdit) ([]account.Proven, error) {
	if edit.Prove == nil && edit.Disown == "" {
		return a.Numbers, nil
	}
	if p := edit.Prove; p != nil {
		if err := p.Check(); err != nil {
			return nil, &Invalid{"number", clip(p.Number), err.Error()}
		}
		if err := b.MayProve(a.ID, p.Number); err != nil {
			return nil, err
		}
	}
	all := account.WithProven(a.Numbers, edit.Prove, edit.Disown)
	if len(all) > account.MaxProven {
		return nil, &Invalid{"number", "", fmt.Sprintf("at most %d numbers beside those of lines: take some away first", account.MaxProven)}
	}
	return all, nil
}

// Presentable reads a number that somebody wants to present, as people write it. It gives the E.164 digits.
func (b *Book) Presentable(text string) (string, error) {
	text = strings.TrimSpace(text)
	want := &Invalid{"number", clip(text), "a number that can be called, with its country code or as it is dialled here: +442079460000"}
	if text == "" || len(text) > 40 {
		return "", want
	}
	if text[0] >= '1' && text[0] <= '9' {
		text = "+" + text
	}
	d, problem := b.plan.Parse(text)
	if problem != phone.NoProblem || d.Number.Short() || d.Show != phone.AsSet || d.Relay != 0 || d.Class == phone.Premium || d.Class == phone.IntlPremium {
		return "", want
	}
	return d.Number.String()[1:], nil
}

// MayProve says whether a customer may prove a number at all: no line of another customer's has it, and no list says that nobody calls from it.
func (b *Book) MayProve(customer, number string) error {
	p := account.Proven{Number: number}
	if id, ok := b.ByNumber(p.Digits()); ok {
		if l, ok := b.Line(id); !ok || l.Customer() != customer {
			return &Invalid{"number", "+" + number, "a number that no line here has already"}
		}
	}
	n, ok := phone.FromDigits(p.Digits())
	if l := b.Hot().Find(n, restrict.Presented, stamp()); ok && l != nil {
		return &Invalid{"number", "+" + number, "a number that people call from: the list " + l.List + " says that nobody calls from this one"}
	}
	return nil
}

// disown takes numbers that lines of others have by now from the customers who proved them, so that they hear of it and must prove them again if
// the lines are gone one day. Without it Shows forbids to present them all the same: what cannot be written is left for the next number that a line
// is given. Who gave the line its number is another customer's business, and not in the fact.
func (b *Book) disown(ctx context.Context) {
	for _, c := range b.customers.All() {
		was := c.entry.Load().Customer
		a := was
		for _, p := range was.Numbers {
			if id, ok := b.ByNumber(p.Digits()); ok {
				if l, ok := b.Line(id); ok && l.Customer() != a.ID {
					a.Numbers = account.WithProven(a.Numbers, nil, p.Number)
				}
			}
		}
		if len(a.Numbers) == len(was.Numbers) {
			continue
		}
		f := factOf[fact.CustomerChanged](time.Now(), "auto", "", a.ID, customerFacts(was), customerFacts(a))
		if _, err := b.saveCustomer(ctx, a, false, f, CustomerEdited); err != nil {
			return
		}
	}
}

// AskedOf says how many codes were sent to a number since a time, by all customers, and when the latest was.
func (b *Book) AskedOf(number string, since time.Time) (sent int, last time.Time) {
	for _, c := range b.customers.All() {
		for _, a := range c.entry.Load().Asked {
			if a.Number != number || !a.At.After(since) {
				continue
			}
			if sent++; a.At.After(last) {
				last = a.At
			}
		}
	}
	return sent, last
}

// PutAsked replaces the codes that were sent for a customer.
func (b *Book) PutAsked(ctx context.Context, customer string, asked []account.Asked, f store.Fact) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.mu.Unlock()
	c, ok := b.customer(customer)
	if !ok {
		return store.ErrNotFound
	}
	a := c.entry.Load().Customer
	a.Asked = slices.Clone(asked)
	_, err := b.saveCustomer(ctx, a, false, f, CustomerEdited)
	return err
}
