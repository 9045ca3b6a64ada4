package cooling

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"ringfence/core/account"
	"ringfence/core/person"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// contact is a change of who is notified. Without Put, the contact of that identity is taken away.
type contact struct {
	ID  string           `json:"id,omitempty"`
	Put *account.Contact `json:"put,omitempty"`
}

// PutContact adds a contact or changes one. Of a customer's own people it waits: a thief would first see to it that nobody else is notified, or
// that a friend is. The contacts in force are notified of the change that waits.
func (c *Cooling) PutContact(ctx context.Context, who *person.Who, customer string, k account.Contact) (waits bool, err error) {
	cool := c.of(who, customer)
	if cool.Wait == 0 {
		return false, c.o.Book.PutContact(ctx, who.Actor, customer, k)
	}
	if err := c.o.Book.CheckContact(customer, k); err != nil {
		return false, err
	}
	v, _ := c.o.Book.Customer(customer)
	text := "a new contact: " + called(&k)
	if i := slices.IndexFunc(v.Contacts, func(x account.Contact) bool { return x.ID == k.ID }); i >= 0 {
		text = "contact " + called(&v.Contacts[i]) + " changed"
		if was := &v.Contacts[i]; was.Address != k.Address {
			text = "contact " + called(was) + " changed to " + called(&k)
		}
	}
	return true, c.hold(ctx, who, customer, "", &edit{Contact: &contact{Put: &k}}, text, cool)
}

// DeleteContact takes a contact away, which waits as PutContact does.
func (c *Cooling) DeleteContact(ctx context.Context, who *person.Who, customer, id string) (waits bool, err error) {
	cool := c.of(who, customer)
	if cool.Wait == 0 {
		return false, c.o.Book.DeleteContact(ctx, who.Actor, customer, id)
	}
	v, _ := c.o.Book.Customer(customer)
	i := slices.IndexFunc(v.Contacts, func(x account.Contact) bool { return x.ID == id })
	if i < 0 {
		return false, ErrNotFound
	}
	return true, c.hold(ctx, who, customer, "", &edit{Contact: &contact{ID: id}}, "contact "+called(&v.Contacts[i])+" removed", cool)
}

// called is what people know a contact by. Of a webhook that is no secret.
func called(k *account.Contact) string {
	at := k.Channel
	if shown := account.ChannelCalled(k.Channel).Shown; shown != nil {
		at = shown(k.Address)
	}
	return cmp.Or(k.Name, account.Handle(k.ID)) + " (" + at + ")"
}

// makeContact makes such a change and takes it away, in this order, as makePeople does. The lines of a contact that were removed meanwhile do not count.
func (c *Cooling) makeContact(ctx context.Context, w *store.Waiting, k *contact, facts []store.Fact) (err error) {
	if k.Put == nil {
		err = c.o.Book.DeleteContact(ctx, w.By, w.Customer, k.ID)
	} else {
		put := k.Put.Clone()
		had := len(put.Lines)
		put.Lines = slices.DeleteFunc(put.Lines, func(id string) bool {
			l, ok := c.o.Book.Line(id)
			return !ok || l.Customer() != w.Customer
		})
		if had > 0 && len(put.Lines) == 0 { // without lines it would be notified of all
			return &book.Invalid{Field: "lines", Want: "lines that there are"}
		}
		err = c.o.Book.PutContact(ctx, w.By, w.Customer, put)
	}
	done := k.Put == nil && errors.Is(err, ErrNotFound) || errors.Is(err, store.ErrExists)
	if err != nil && !done {
		return err
	}
	if err = c.o.Store.DropWaiting(ctx, w.Code, facts...); errors.Is(err, ErrNotFound) { // another node made it
		return nil
	}
	return err
}
