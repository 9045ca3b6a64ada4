package rest

import (
	"context"
	"net/http"
	"slices"

	"ringfence/core/account"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
)

var _ = serves(func(s *Server) {
	listed[api.Contact](s, named(s, "customer", s.customer, s.listContacts))
	added[api.Contact](s, s.addContact)
	changed[api.Contact](s, s.changeContact)
	deleted[api.Contact](s, s.deleteContact)
})

func (s *Server) contactView(c *account.Contact) api.Contact {
	v := api.Contact{ID: account.Handle(c.ID), Name: c.Name, Channel: c.Channel, Address: c.Address, Lines: []string{}}
	switch c.Channel {
	case account.Mail:
		v.Mail = c.Address
	case account.Webhook:
		v.URL = c.Address
	}
	for _, id := range c.Lines {
		shown := account.FullIdentity(id) // of a line that is gone: another may have its name now
		if l, ok := s.d.Book.Line(id); ok {
			shown = l.Handle()
		}
		v.Lines = append(v.Lines, shown)
	}
	for kind, preference := range c.Kinds {
		if v.Kinds == nil {
			v.Kinds = map[string]string{}
		}
		v.Kinds[kind] = string(preference)
	}
	return v
}

// contact is a copy of one, and the identity of its customer.
func (s *Server) contact(ctx context.Context, id *api.ContactID) (customer string, c account.Contact, err error) {
	v, err := s.customer(ctx, id.Customer)
	if err != nil {
		return "", c, err
	}
	i := slices.IndexFunc(v.Contacts, func(c account.Contact) bool { return account.Handle(c.ID) == id.ID })
	if i < 0 {
		return "", c, missing("contact of "+id.Customer, id.ID)
	}
	return v.ID, v.Contacts[i].Clone(), nil
}

func (s *Server) listContacts(_ context.Context, c book.CustomerView, _ *api.ContactOf) (api.List[api.Contact], error) {
	return api.List[api.Contact]{Items: views(c.Contacts, s.contactView)}, nil
}

func (s *Server) addContact(ctx context.Context, in *api.ContactNew) (out api.Contact, err error) {
	b := &in.Body
	s.contacts.Lock()
	defer s.contacts.Unlock()
	v, err := s.customer(ctx, in.Customer)
	if err != nil {
		return out, err
	}
	if slices.ContainsFunc(v.Contacts, func(c account.Contact) bool { return account.Handle(c.ID) == b.ID }) {
		return out, newProblem(http.StatusConflict, api.ReasonExists, "contact "+clip(b.ID, 40)+" of "+in.Customer+" exists already")
	}
	return s.putContact(ctx, v.ID, &account.Contact{ID: b.ID}, &b.PatchContact)
}

// reach puts in where a contact is reached. The book judges the address.
func reach(c *account.Contact, to *api.Reach) error {
	given := 0
	for channel, address := range map[string]*string{account.Mail: to.Mail, account.Webhook: to.URL, "": to.Address} {
		if address == nil {
			continue
		}
		if given++; given > 1 {
			return invalid("address", *address, "one of mail, url and address: two contacts for both")
		}
		if c.Channel, c.Address = channel, *address; channel == "" {
			of, _ := account.ChannelOf(*address)
			c.Channel = of.Code
		}
	}
	return nil
}

// prefer puts in how a contact wants each kind of notice; "inherit" removes its preference.
func prefer(c *account.Contact, kinds map[string]string) error {
	for kind, preference := range kinds {
		if kind != "*" && !isNoticeKind(kind) {
			return invalid("kinds", kind, "* for all others, or "+noticeKinds())
		}
		if isInherit(preference) {
			delete(c.Kinds, kind)
			continue
		}
		if c.Kinds == nil {
			c.Kinds = map[string]account.Preference{}
		}
		c.Kinds[kind] = account.Preference(preference)
	}
	return nil
}

// putContact changes a contact, new or not, and stores it.
func (s *Server) putContact(ctx context.Context, customer string, c *account.Contact, b *api.PatchContact) (out api.Contact, err error) {
	if b.Name != nil {
		c.Name = *b.Name
	}
	if err := reach(c, &b.Reach); err != nil {
		return out, err
	}
	if b.Lines != nil {
		c.Lines = s.lineIDs(*b.Lines)
	} else if err := s.dropDeleted(customer, c); err != nil {
		return out, err
	}
	if err := prefer(c, b.Kinds); err != nil {
		return out, err
	}
	waits, err := false, error(nil)
	if s.d.Cooling != nil {
		waits, err = s.d.Cooling.PutContact(ctx, whoAsks(ctx), customer, *c)
	} else {
		err = s.d.Book.PutContact(ctx, by(ctx), customer, *c)
	}
	if err != nil {
		return out, s.about(err, "customer", account.Handle(customer))
	}
	out = s.contactView(c)
	out.Waits = waits
	return out, nil
}

func (s *Server) changeContact(ctx context.Context, in *api.ContactPatch) (out api.Contact, err error) {
	s.contacts.Lock()
	defer s.contacts.Unlock()
	customer, c, err := s.contact(ctx, &in.ContactID)
	if err != nil {
		return out, err
	}
	return s.putContact(ctx, customer, &c, &in.Body)
}

// dropDeleted takes lines that were deleted out of a contact's list, which the book would refuse. When none is left it must
// be said what the contact is about now: an empty list would be all lines.
func (s *Server) dropDeleted(customer string, c *account.Contact) error {
	left := slices.DeleteFunc(slices.Clone(c.Lines), func(id string) bool {
		l, ok := s.d.Book.Line(id)
		return !ok || l.Customer() != customer
	})
	if len(left) == 0 && len(c.Lines) > 0 {
		return invalid("lines", account.Handle(c.Lines[0]), "lines of this customer, or all: those of this contact are deleted, so say whose notices it gets now")
	}
	c.Lines = left
	return nil
}

func (s *Server) deleteContact(ctx context.Context, in *api.ContactID) (none, error) {
	customer, c, err := s.contact(ctx, in)
	if err != nil {
		return none{}, err
	}
	if s.d.Cooling != nil {
		_, err = s.d.Cooling.DeleteContact(ctx, whoAsks(ctx), customer, c.ID)
	} else {
		err = s.d.Book.DeleteContact(ctx, by(ctx), customer, c.ID)
	}
	if err != nil {
		return none{}, s.about(err, "contact of "+in.Customer, in.ID)
	}
	return none{}, nil
}
