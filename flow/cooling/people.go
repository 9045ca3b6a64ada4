package cooling

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ringfence/core/person"
	"ringfence/flow/people"
	"ringfence/state/store"
)

// passkey is a second factor to remove.
type passkey struct {
	Person string `json:"person"`
	ID     string `json:"id"` // "" is the app of codes
}

// someone is a person to add (ID is ""), to change (with Role or Mail), or to remove.
type someone struct {
	ID     string       `json:"id,omitempty"`
	Handle string       `json:"handle,omitempty"`
	Name   string       `json:"name,omitempty"`
	Mail   *string      `json:"mail,omitempty"`
	Role   *person.Role `json:"role,omitempty"`
	Remove bool         `json:"remove,omitempty"`
}

// Left is what must be left of a customer's people's second factors when somebody removes one: while what loosens waits, one that has counted as long as that.
func (c *Cooling) Left(who *person.Who, customer string) people.Left {
	if cool := c.of(who, customer); cool.Wait > 0 {
		return people.Left(cool.Wait)
	}
	return people.EvenNone
}

// RemovePasskey takes a passkey of a person away. Where too little would be left it loosens: that of a customer's people waits, and staff keep theirs.
func (c *Cooling) RemovePasskey(ctx context.Context, who *person.Who, id, which string) (waits bool, err error) {
	p, err := c.o.People.Person(ctx, id)
	if err != nil {
		return false, err
	}
	err = c.o.People.RemovePasskey(ctx, who.Actor, id, which, c.Left(who, p.Customer))
	if !errors.Is(err, people.ErrLastFactor) || p.Customer == "" {
		return false, err
	}
	i := slices.IndexFunc(p.Passkeys, func(k people.Passkey) bool { return k.ID == which || k.Name == which })
	if i < 0 {
		return false, ErrNotFound
	}
	text := "a second factor of " + p.Login + ", passkey " + p.Passkeys[i].Name + ", removed"
	return true, c.hold(ctx, who, p.Customer, "", &edit{Passkey: &passkey{id, p.Passkeys[i].ID}}, text, c.of(who, p.Customer))
}

// RemoveTOTP is RemovePasskey for the app of codes.
func (c *Cooling) RemoveTOTP(ctx context.Context, who *person.Who, id string) (waits bool, err error) {
	p, err := c.o.People.Person(ctx, id)
	if err != nil {
		return false, err
	}
	err = c.o.People.RemoveTOTP(ctx, who.Actor, id, c.Left(who, p.Customer))
	if !errors.Is(err, people.ErrLastFactor) || p.Customer == "" {
		return false, err
	}
	return true, c.hold(ctx, who, p.Customer, "", &edit{Passkey: &passkey{Person: id}}, "a second factor of "+p.Login+", the app of codes, removed", c.of(who, p.Customer))
}

// leads are the roles whose people may loosen. Readers come and go at once.
func leads(r person.Role) bool { return r == person.Owner || r == person.Manager }

// AddPerson adds a person. One who may loosen waits, and gets a link when they are there.
func (c *Cooling) AddPerson(ctx context.Context, who *person.Who, n people.NewPerson) (p people.Person, l people.Link, waits bool, err error) {
	cool := c.of(who, n.Customer)
	if cool.Wait == 0 || !leads(n.Role) {
		p, l, err = c.o.People.Add(ctx, who.Actor, n)
		return p, l, false, err
	}
	if p, err = c.o.People.Check(ctx, n); err != nil {
		return p, l, false, err
	}
	text := fmt.Sprintf("%s may sign in, as %s", p.Login, n.Role)
	held := edit{Person: &someone{Handle: n.Handle, Name: n.Name, Mail: &n.Mail, Role: &n.Role}}
	return p, l, true, c.hold(ctx, who, n.Customer, "", &held, text, cool)
}

// ChangePerson changes a person. A role that may more, an owner who is none any more, and another address for sign-in links wait; the rest is made now.
func (c *Cooling) ChangePerson(ctx context.Context, who *person.Who, id string, e people.Edit) (p people.Person, waits bool, err error) {
	if p, err = c.o.People.Person(ctx, id); err != nil {
		return p, false, err
	}
	cool := c.of(who, p.Customer)
	held, texts := someone{ID: id}, ""
	if e.Role != nil && *e.Role != p.Role && (leads(*e.Role) || p.Role == person.Owner) {
		texts, held.Role, e.Role = fmt.Sprintf("%s from %s to %s", p.Login, p.Role, *e.Role), e.Role, nil
	}
	if e.Mail != nil && *e.Mail != p.Mail {
		if texts != "" {
			texts += ", "
		}
		texts, held.Mail, e.Mail = texts+"the mail address of "+p.Login, e.Mail, nil
	}
	if cool.Wait == 0 || texts == "" {
		if held.Role != nil {
			e.Role = held.Role
		}
		if held.Mail != nil {
			e.Mail = held.Mail
		}
		p, err = c.o.People.Change(ctx, who.Actor, id, e)
		return p, false, err
	}
	if err := c.o.People.CheckEdit(&p, people.Edit{Mail: held.Mail, Role: held.Role}); err != nil {
		return p, false, err
	}
	if p, err = c.o.People.Change(ctx, who.Actor, id, e); err != nil {
		return p, false, err
	}
	return p, true, c.hold(ctx, who, p.Customer, "", &edit{Person: &held}, texts, cool)
}

// RemovePerson removes a person. An owner waits: who has the login of one must not remove the other, who would call off what waits.
func (c *Cooling) RemovePerson(ctx context.Context, who *person.Who, id string) (waits bool, err error) {
	p, err := c.o.People.Person(ctx, id)
	if err != nil {
		return false, err
	}
	cool := c.of(who, p.Customer)
	if cool.Wait == 0 || p.Role != person.Owner {
		return false, c.o.People.Remove(ctx, who.Actor, id)
	}
	return true, c.hold(ctx, who, p.Customer, "", &edit{Person: &someone{ID: id, Remove: true}}, p.Login+", an owner, removed", cool)
}

// makePeople makes a change of people and takes it away, in this order, so that a crash between leaves it to be made again. What is so already is what was
// wanted.
func (c *Cooling) makePeople(ctx context.Context, w *store.Waiting, e *change, facts []store.Fact) (err error) {
	switch k, s := e.passkey, e.person; {
	case k != nil && k.ID == "":
		err = c.o.People.RemoveTOTP(ctx, w.By, k.Person, people.EvenNone)
	case k != nil:
		err = c.o.People.RemovePasskey(ctx, w.By, k.Person, k.ID, people.EvenNone)
	case s.Remove:
		err = c.o.People.Remove(ctx, w.By, s.ID)
	case s.ID != "":
		_, err = c.o.People.Change(ctx, w.By, s.ID, people.Edit{Mail: s.Mail, Role: s.Role})
	default:
		_, err = c.o.People.Admit(ctx, w.By, people.NewPerson{Customer: w.Customer, Handle: s.Handle, Name: s.Name, Mail: *s.Mail, Role: *s.Role})
	}
	gone := (e.passkey != nil || e.person.Remove) && errors.Is(err, ErrNotFound)
	if err != nil && !gone && !errors.Is(err, people.ErrExists) {
		return err
	}
	if err = c.o.Store.DropWaiting(ctx, w.Code, facts...); errors.Is(err, ErrNotFound) { // another node made it
		return nil
	}
	return err
}
