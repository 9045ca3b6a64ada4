package cooling

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"ringfence/core/account"
	"ringfence/core/person"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// contact is a change of who is notified. Without Put, the contact of that identity is taken away; without Was, it is a new one.
type contact struct {
	ID  string           `json:"id,omitempty"`
	Put *account.Contact `json:"put,omitempty"`
	Was *account.Contact `json:"was,omitempty"`
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
	held, text := &contact{Put: &k}, "a new contact: "+called(&k)
	if i := slices.IndexFunc(v.Contacts, func(x account.Contact) bool { return x.ID == k.ID }); i >= 0 {
		was := v.Contacts[i].Clone()
		held.Was, text = &was, "contact "+called(&was)+" changed"
		if was.Address != k.Address {
			text = "contact " + called(&was) + " changed to " + called(&k)
		}
	}
	return true, c.hold(ctx, who, customer, "", &edit{Contact: held}, text, cool)
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

// makeContact makes such a change and takes it away, in this order, as makePeople does.
func (c *Cooling) makeContact(ctx context.Context, w *store.Waiting, k *contact, facts []store.Fact) (err error) {
	v, _ := c.o.Book.Customer(w.Customer)
	if k.Put == nil {
		err = c.o.Book.DeleteContact(ctx, w.By, w.Customer, k.ID)
	} else if put, done, bad := c.toPut(v.Contacts, w.Customer, k); bad != nil {
		return bad
	} else if !done {
		err = c.o.Book.PutContact(ctx, w.By, w.Customer, put)
	}
	if err != nil && (k.Put != nil || !errors.Is(err, ErrNotFound)) {
		return err
	}
	if err = c.o.Store.DropWaiting(ctx, w.Code, facts...); errors.Is(err, ErrNotFound) { // another node made it
		return nil
	}
	return err
}

// toPut is the contact as it is to be: what was changed, on top of what it is by now; done says that it is so already. The lines of it that were removed meanwhile do not count.
func (c *Cooling) toPut(all []account.Contact, customer string, k *contact) (put account.Contact, done bool, err error) {
	put = k.Put.Clone()
	same := func(x account.Contact) bool { return x.ID == put.ID || k.Was == nil && account.Handle(x.ID) == put.ID }
	switch i := slices.IndexFunc(all, same); {
	case i >= 0 && k.Was == nil && reaches(&all[i], &put):
		return put, true, nil
	case i >= 0 && k.Was == nil:
		return put, false, &book.Invalid{Field: "contact", Found: put.ID, Want: "an id that no other contact has"}
	case i >= 0:
		put = onTop(&all[i], k.Was, k.Put)
	case k.Was != nil:
		return put, false, &book.Invalid{Field: "contact", Found: account.Handle(put.ID), Want: "a contact that was not removed meanwhile"}
	}
	had := len(put.Lines)
	put.Lines = slices.DeleteFunc(put.Lines, func(id string) bool {
		l, ok := c.o.Book.Line(id)
		return !ok || l.Customer() != customer
	})
	if had > 0 && len(put.Lines) == 0 { // without lines it would be notified of all
		return put, false, &book.Invalid{Field: "lines", Want: "lines that there are"}
	}
	return put, false, nil
}

// onTop is a contact as it is now with what somebody changed of it, so that what others changed while that waited stays.
func onTop(now, was, put *account.Contact) account.Contact {
	out := now.Clone()
	if put.Name != was.Name {
		out.Name = put.Name
	}
	if !reaches(was, put) {
		out.Channel, out.Address = put.Channel, put.Address
	}
	if !slices.Equal(put.Lines, was.Lines) {
		out.Lines = slices.Clone(put.Lines)
	}
	for kind := range merged(was.Kinds, put.Kinds) {
		switch p := put.Kinds[kind]; {
		case p == was.Kinds[kind]:
		case p == "":
			delete(out.Kinds, kind)
		default:
			out.Kinds = merged(out.Kinds, map[string]account.Preference{kind: p})
		}
	}
	return out
}

// reaches says that two contacts have one address.
func reaches(a, b *account.Contact) bool {
	channel := account.ChannelCalled(a.Channel)
	return a.Channel == b.Channel && channel.Same(a.Address, b.Address)
}

func merged(a, b map[string]account.Preference) map[string]account.Preference {
	all := map[string]account.Preference{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}
