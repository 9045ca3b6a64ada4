package book

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// PutContact replaces the contact of c's identity, or adds one under c's handle. Its lines are identities and must be the
// customer's. store.ErrNotFound: no such customer.
func (b *Book) PutContact(ctx context.Context, actor, customer string, c account.Contact) error {
	return b.changeContacts(ctx, actor, customer, b.withContact(actor, customer, c.Clone()))
}

// CheckContact says what is wrong with a contact that is to be put later.
func (b *Book) CheckContact(customer string, c account.Contact) error {
	v, ok := b.Customer(customer)
	if !ok {
		return store.ErrNotFound
	}
	all, _, err := b.withContact("", customer, c.Clone())(slices.Clone(v.Contacts))
	if err != nil {
		return err
	}
	return checkContacts(all)
}

// withContact puts a contact among those of a customer: in place of the one that it is, or as a new one.
func (b *Book) withContact(actor, customer string, c account.Contact) func([]account.Contact) ([]account.Contact, store.Fact, error) {
	return func(was []account.Contact) ([]account.Contact, store.Fact, error) {
		for _, id := range c.Lines {
			if l, ok := b.Line(id); !ok || l.cust.id != customer {
				return nil, store.Fact{}, &Invalid{"lines", clip(account.Handle(id)), "lines of this customer"}
			}
		}
		i := contactIndex(was, c.ID)
		if i < 0 {
			if slices.ContainsFunc(was, func(k account.Contact) bool { return account.Handle(k.ID) == c.ID }) {
				return nil, store.Fact{}, fmt.Errorf("contact %s: %w", c.ID, store.ErrExists)
			}
			if err := account.CheckContactID(c.ID); err == nil {
				c.ID = b.identify(c.ID)
			}
			return append(was, c), factOf[fact.ContactAdded](stamp(), actor, "", customer, nil, contactFacts(c)), nil
		}
		f := factOf[fact.ContactChanged](stamp(), actor, "", customer, contactFacts(was[i]), contactFacts(c))
		was[i] = c
		return was, f, nil
	}
}

// DeleteContact takes a contact away. store.ErrNotFound: no such customer or contact.
func (b *Book) DeleteContact(ctx context.Context, actor, customer, id string) error {
	return b.changeContacts(ctx, actor, customer, func(was []account.Contact) ([]account.Contact, store.Fact, error) {
		i := contactIndex(was, id)
		if i < 0 {
			return nil, store.Fact{}, fmt.Errorf("contact %s: %w", clip(account.Handle(id)), store.ErrNotFound)
		}
		f := factOf[fact.ContactDeleted](stamp(), actor, "", customer, contactFacts(was[i]), nil)
		return slices.Delete(was, i, i+1), f, nil
	})
}

// SetPreference sets how a contact wants one kind of notice ("*" is every kind without a preference), and leaves the rest as it is:
// what the link at the end of a mail does. Repeating a preference changes nothing.
func (b *Book) SetPreference(ctx context.Context, actor, customer, id, kind string, preference account.Preference) error {
	return b.changeContacts(ctx, actor, customer, func(was []account.Contact) ([]account.Contact, store.Fact, error) {
		i := contactIndex(was, id)
		if i < 0 {
			return nil, store.Fact{}, fmt.Errorf("contact %s: %w", clip(account.Handle(id)), store.ErrNotFound)
		}
		if was[i].Kinds[kind] == preference && preference != "" {
			return nil, store.Fact{}, nil
		}
		c := was[i].Clone()
		if c.Kinds == nil {
			c.Kinds = map[string]account.Preference{}
		}
		c.Kinds[kind] = preference
		f := factOf[fact.ContactChanged](stamp(), actor, "", customer, contactFacts(was[i]), contactFacts(c))
		was[i] = c
		return was, f, nil
	})
}

// changeContacts is the one way in which a customer's contacts change. edit gets a list of its own, whose contacts it must
// not change in place; a nil list without an error changes nothing.
func (b *Book) changeContacts(ctx context.Context, actor, customer string,
	edit func([]account.Contact) ([]account.Contact, store.Fact, error),
) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.mu.Unlock()
	c, ok := b.customer(customer)
	if !ok {
		return store.ErrNotFound
	}
	a := c.entry.Load().Customer
	contacts, f, err := edit(slices.Clone(a.Contacts))
	if err != nil || contacts == nil && f.Kind == "" {
		return err
	}
	if err := checkContacts(contacts); err != nil {
		return err
	}
	a.Contacts = contacts
	_, err = b.saveCustomer(ctx, a, false, f, CustomerEdited)
	return err
}

func contactIndex(cs []account.Contact, id string) int {
	return slices.IndexFunc(cs, func(c account.Contact) bool { return c.ID == id })
}

// checkContacts gives each fault of the contacts as an *Invalid.
func checkContacts(cs []account.Contact) error {
	all, ok := account.CheckContacts(cs).(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	return errors.Join(invalids(all.Unwrap())...)
}

func invalids(errs []error) (out []error) {
	for _, err := range errs {
		if more, ok := err.(interface{ Unwrap() []error }); ok {
			out = append(out, invalids(more.Unwrap())...)
			continue
		}
		var f *account.ContactFault
		if errors.As(err, &f) {
			err = &Invalid{f.Part, f.Found, f.Want}
		}
		out = append(out, err)
	}
	return out
}
