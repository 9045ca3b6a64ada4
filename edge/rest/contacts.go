package rest

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/account"
	"ringfence/edge/rest/api"
)

// contactID are path parameters.
type contactID struct {
	ID      string `path:"id" maxLength:"60"`
	Contact string `path:"contact" maxLength:"60"`
}

func (s *Server) contactRoutes() {
	const path, one, tag = "/v1/customers/{id}/contacts", "/v1/customers/{id}/contacts/{contact}", "contacts"
	huma.Register(s.api, op(http.MethodGet, path, "list-contacts", tag, "List a customer's contacts"), s.listContacts)
	huma.Register(s.api, created(op(http.MethodPost, path, "add-contact", tag, "Add a contact")), s.addContact)
	huma.Register(s.api, op(http.MethodPatch, one, "change-contact", tag, "Change a contact, or what it wants to hear of"), s.changeContact)
	huma.Register(s.api, op(http.MethodDelete, one, "delete-contact", tag, "Delete a contact"), s.deleteContact)
}

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
	for kind, wish := range c.Kinds {
		if v.Kinds == nil {
			v.Kinds = map[string]string{}
		}
		v.Kinds[kind] = string(wish)
	}
	return v
}

// contact is a copy of one, and the identity of its customer.
func (s *Server) contact(ctx context.Context, called, id string) (customer string, c account.Contact, err error) {
	v, err := s.customer(ctx, called)
	if err != nil {
		return "", c, err
	}
	i := slices.IndexFunc(v.Contacts, func(c account.Contact) bool { return account.Handle(c.ID) == id })
	if i < 0 {
		return "", c, missing("contact of "+called, id)
	}
	return v.ID, v.Contacts[i].Clone(), nil
}

func (s *Server) listContacts(ctx context.Context, in *customerID) (*answer[api.List[api.Contact]], error) {
	v, err := s.customer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := make([]api.Contact, len(v.Contacts))
	for i := range v.Contacts {
		out[i] = s.contactView(&v.Contacts[i])
	}
	return reply(api.List[api.Contact]{Items: out}, nil)
}

func (s *Server) addContact(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"60"`
	Body api.NewContact
},
) (*answer[api.Contact], error) {
	b := &in.Body
	s.contacts.Lock()
	defer s.contacts.Unlock()
	v, err := s.customer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(v.Contacts, func(c account.Contact) bool { return account.Handle(c.ID) == b.ID }) {
		return nil, newProblem(http.StatusConflict, api.ReasonExists, "contact "+clip(b.ID, 40)+" of "+in.ID+" exists already")
	}
	c := account.Contact{ID: b.ID, Name: b.Name, Lines: s.lineIDs(b.Lines)}
	if err := s.reach(&c, &b.Reach); err != nil {
		return nil, err
	}
	if err := s.wishes(&c, b.Kinds); err != nil {
		return nil, err
	}
	return s.putContact(ctx, v.ID, &c)
}

// reach puts in where a contact is reached. The book judges the address.
func (s *Server) reach(c *account.Contact, to *api.Reach) error {
	given := 0
	for channel, address := range map[string]*string{account.Mail: to.Mail, account.Webhook: to.URL, "": to.Address} {
		if address == nil {
			continue
		}
		if given++; given > 1 {
			return s.explain(invalid("address", *address, "one of mail, url and address: two contacts for both"))
		}
		if c.Channel, c.Address = channel, *address; channel == "" {
			of, _ := account.ChannelOf(*address)
			c.Channel = of.Code
		}
	}
	return nil
}

// wishes puts in what a contact wants to hear of; "inherit" takes its word on a kind back.
func (s *Server) wishes(c *account.Contact, kinds map[string]string) error {
	for kind, wish := range kinds {
		if kind != "*" && !isNoticeKind(kind) {
			return s.explain(invalid("kinds", kind, "* for all others, or "+noticeKinds()))
		}
		if isInherit(wish) {
			delete(c.Kinds, kind)
			continue
		}
		if c.Kinds == nil {
			c.Kinds = map[string]account.Wish{}
		}
		c.Kinds[kind] = account.Wish(wish)
	}
	return nil
}

func (s *Server) putContact(ctx context.Context, customer string, c *account.Contact) (*answer[api.Contact], error) {
	if err := s.d.Book.PutContact(ctx, by(ctx), customer, *c); err != nil {
		return nil, s.about(err, "customer", account.Handle(customer))
	}
	return reply(s.contactView(c), nil)
}

func (s *Server) changeContact(ctx context.Context, in *struct {
	ID      string `path:"id" maxLength:"60"`
	Contact string `path:"contact" maxLength:"60"`
	Body    api.PatchContact
},
) (*answer[api.Contact], error) {
	b := &in.Body
	s.contacts.Lock()
	defer s.contacts.Unlock()
	customer, c, err := s.contact(ctx, in.ID, in.Contact)
	if err != nil {
		return nil, err
	}
	if b.Name != nil {
		c.Name = *b.Name
	}
	if err := s.reach(&c, &b.Reach); err != nil {
		return nil, err
	}
	if b.Lines != nil {
		c.Lines = s.lineIDs(*b.Lines)
	} else if err := s.dropDeleted(customer, &c); err != nil {
		return nil, err
	}
	if err := s.wishes(&c, b.Kinds); err != nil {
		return nil, err
	}
	return s.putContact(ctx, customer, &c)
}

// dropDeleted takes lines that were deleted out of a contact's list, which the book would refuse. When none is left it must
// be said what the contact is about now: an empty list would be all lines.
func (s *Server) dropDeleted(customer string, c *account.Contact) error {
	left := slices.DeleteFunc(slices.Clone(c.Lines), func(id string) bool {
		l, ok := s.d.Book.Line(id)
		return !ok || l.Customer() != customer
	})
	if len(left) == 0 && len(c.Lines) > 0 {
		return s.explain(invalid("lines", account.Handle(c.Lines[0]), "lines of this customer, or all: those of this contact are deleted, so say whose notices it gets now"))
	}
	c.Lines = left
	return nil
}

func (s *Server) deleteContact(ctx context.Context, in *contactID) (*struct{}, error) {
	customer, c, err := s.contact(ctx, in.ID, in.Contact)
	if err != nil {
		return nil, err
	}
	if err := s.d.Book.DeleteContact(ctx, by(ctx), customer, c.ID); err != nil {
		return nil, s.about(err, "contact of "+in.ID, in.Contact)
	}
	return nil, nil
}
