package rest

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/account"
	"ringfence/core/person"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/people"
)

var _ = serves(func(s *Server) {
	const tag = "people"
	listed[api.Person](s, s.listPeople)
	added[api.Person](s, s.addPerson)
	changed[api.Person](s, s.changePerson)
	listed[api.Staff](s, s.listStaff)
	added[api.Staff](s, s.addStaff)
	changed[api.Staff](s, s.changeStaff)
	actsOn[api.PersonID](s, "/v1/customers/{id}/people/{person}", "person", s.person)
	actsOn[api.StaffID](s, "/v1/staff/{person}", "staff", s.staffMember)
	route(s, created(op(http.MethodPost, "/v1/customers/{id}/people/{person}/tokens", "add-person-token", tag, "Make a token for a program of a person's; its text is shown once")),
		func(ctx context.Context, in *api.PersonToken) (api.NewTokenText, error) {
			return addToken(ctx, s, s.person, &in.PersonID, &in.Body)
		})
	route(s, created(op(http.MethodPost, "/v1/staff/{person}/tokens", "add-staff-token", tag, "Make a token for a program of a member of staff; its text is shown once")),
		func(ctx context.Context, in *api.StaffToken) (api.NewTokenText, error) {
			return addToken(ctx, s, s.staffMember, &in.StaffID, &in.Body)
		})
	dropped(s, op(http.MethodDelete, "/v1/customers/{id}/people/{person}/tokens/{token}", "delete-person-token", tag, "Take a token back"),
		func(ctx context.Context, in *api.PersonTokenID) error {
			return dropToken(ctx, s, s.person, &in.PersonID, in.Token)
		})
	dropped(s, op(http.MethodDelete, "/v1/staff/{person}/tokens/{token}", "delete-staff-token", tag, "Take a token back"),
		func(ctx context.Context, in *api.StaffTokenID) error {
			return dropToken(ctx, s, s.staffMember, &in.StaffID, in.Token)
		})
	dropped(s, op(http.MethodDelete, "/v1/customers/{id}/people/{person}/totp", "delete-person-totp", tag, "Take the app of codes from a person; it waits, if too little would be left and the customer's people wait for what loosens"),
		func(ctx context.Context, in *api.PersonID) error { return dropTOTP(ctx, s, s.person, in) })
	dropped(s, op(http.MethodDelete, "/v1/staff/{person}/totp", "delete-staff-totp", tag, "Take the app of codes from a member of staff, but not their last second factor"),
		func(ctx context.Context, in *api.StaffID) error { return dropTOTP(ctx, s, s.staffMember, in) })
	dropped(s, op(http.MethodDelete, "/v1/customers/{id}/people/{person}/passkeys/{passkey}", "delete-person-passkey", tag, "Take a passkey from a person; the last second factor of one waits, if the customer's people wait for what loosens"),
		func(ctx context.Context, in *api.PersonPasskeyID) error {
			return dropPasskey(ctx, s, s.person, &in.PersonID, in.Passkey)
		})
	dropped(s, op(http.MethodDelete, "/v1/staff/{person}/passkeys/{passkey}", "delete-staff-passkey", tag, "Take a passkey from a member of staff, but not their last second factor"),
		func(ctx context.Context, in *api.StaffPasskeyID) error {
			return dropPasskey(ctx, s, s.staffMember, &in.StaffID, in.Passkey)
		})
	route(s, op(http.MethodGet, "/v1/me", "get-me", tag, "Show who asks, and what they may do"), s.me)
})

// actsOn registers what is done to a person in the same way whether they are a customer's or staff.
func actsOn[I any](s *Server, path, noun string, find func(context.Context, *I) (people.Person, error)) {
	const tag = "people"
	each := func(handle func(context.Context, people.Person) error) func(context.Context, *I) error {
		return func(ctx context.Context, in *I) error {
			p, err := find(ctx, in)
			if err == nil {
				err = handle(ctx, p)
			}
			return err
		}
	}
	route(s, op(http.MethodPost, path+"/link", "link-"+noun, tag, "Make a link that signs a person in once, within a day; one made before ends"), func(ctx context.Context, in *I) (out api.SignInLink, err error) {
		err = each(func(ctx context.Context, p people.Person) error {
			l, err := s.d.People.Link(ctx, by(ctx), p.ID, people.LinkLife)
			out = s.link(&p, l)
			return err
		})(ctx, in)
		return out, err
	})
	route(s, op(http.MethodPost, path+"/reset", "reset-"+noun, tag, "Take every password and second factor from a person who lost theirs, and make a link; look first at who asks"), func(ctx context.Context, in *I) (out api.SignInLink, err error) {
		err = each(func(ctx context.Context, p people.Person) error {
			l, err := s.d.People.Reset(ctx, by(ctx), p.ID)
			out = s.link(&p, l)
			return err
		})(ctx, in)
		return out, err
	})
	route(s, op(http.MethodPost, path+"/sign-out", "sign-out-"+noun, tag, "End every session of a person"), func(ctx context.Context, in *I) (out api.SignedOut, err error) {
		err = each(func(ctx context.Context, p people.Person) error {
			n, err := s.d.People.SignOut(ctx, by(ctx), p.ID, "", "")
			out = api.SignedOut{Person: p.Login, Ended: int(n)}
			return err
		})(ctx, in)
		return out, err
	})
	route(s, op(http.MethodGet, path+"/sessions", "list-"+noun+"-sessions", tag, "List the browsers that a person is signed in with"), func(ctx context.Context, in *I) (out api.List[api.Session], err error) {
		err = each(func(ctx context.Context, p people.Person) error {
			all, err := s.d.People.Sessions(ctx, p.ID, "")
			out.Items = views(all, s.sessionView)
			return err
		})(ctx, in)
		return out, err
	})
	route(s, op(http.MethodGet, path+"/tokens", "list-"+noun+"-tokens", tag, "List the tokens of a person"), func(ctx context.Context, in *I) (out api.List[api.Token], err error) {
		err = each(func(ctx context.Context, p people.Person) error {
			all, err := s.d.People.Tokens(ctx, p.ID)
			out.Items = views(all, tokenView)
			return err
		})(ctx, in)
		return out, err
	})
	route(s, op(http.MethodGet, path+"/passkeys", "list-"+noun+"-passkeys", tag, "List the passkeys of a person"), func(ctx context.Context, in *I) (out api.List[api.Passkey], err error) {
		err = each(func(_ context.Context, p people.Person) error {
			out.Items = views(p.Passkeys, func(k *people.Passkey) api.Passkey {
				return api.Passkey{ID: k.ID, Name: k.Name, Made: k.Made, Used: k.Used}
			})
			return nil
		})(ctx, in)
		return out, err
	})
	dropped(s, op(http.MethodDelete, path, "delete-"+noun, tag, "Remove a person, with every session, link and token; an owner waits, if the customer's people wait for what loosens"), each(func(ctx context.Context, p people.Person) error {
		if s.d.Cooling == nil {
			return s.d.People.Remove(ctx, by(ctx), p.ID)
		}
		_, err := s.d.Cooling.RemovePerson(ctx, whoAsks(ctx), p.ID)
		return err
	}))
}

// dropped registers what answers only that it is done.
func dropped[I any](s *Server, o huma.Operation, handle func(context.Context, *I) error) {
	huma.Register(s.api, o, func(ctx context.Context, in *I) (*struct{}, error) {
		if err := handle(ctx, in); err != nil {
			return nil, s.explain(err)
		}
		return nil, nil
	})
}

func personView(p *people.Person) api.Person {
	v := api.Person{
		ID: p.Handle(), Login: p.Login, Customer: account.Handle(p.Customer), Name: p.Name, Mail: p.Mail, Role: string(p.Role), Password: p.Password,
		TOTP: p.TOTP, Passkeys: []string{}, Recovery: p.Recovery, Made: p.Made,
	}
	for _, k := range p.Passkeys {
		v.Passkeys = append(v.Passkeys, k.Name)
	}
	return v
}

func (s *Server) sessionView(x *people.Session) api.Session {
	v := api.Session{ID: x.ID, Made: x.Made, Seen: x.Seen, Until: x.Until, From: x.From, Agent: x.Agent}
	if at, err := netip.ParseAddr(x.From); err == nil && s.d.Geo != nil {
		p := s.d.Geo(at, false)
		v.Place = strings.TrimSpace(p.Country + " " + p.Network)
	}
	return v
}

func tokenView(x *people.Session) api.Token {
	v := api.Token{ID: x.ID, Name: x.Name, Scopes: []string{}, Made: x.Made, Until: x.Until, Seen: x.Seen, From: x.From, Expired: !x.Until.After(time.Now())}
	for _, scope := range x.Scopes {
		v.Scopes = append(v.Scopes, string(scope))
	}
	return v
}

// link shows a link with the address of the pages, where there are any.
func (s *Server) link(p *people.Person, l people.Link) api.SignInLink {
	out := api.SignInLink{Person: p.Login, Link: l.Token, Until: l.Until}
	if s.d.SignIn != nil && l.Token != "" {
		out.Link = s.d.SignIn(l.Token)
	}
	return out
}

// person finds one of a customer's people. To others than the customer's own, and the provider, there is nobody.
func (s *Server) person(ctx context.Context, id *api.PersonID) (people.Person, error) {
	if s.d.People == nil {
		return people.Person{}, unavailable("the list of people")
	}
	c, err := s.customer(ctx, id.Customer)
	if err != nil {
		return people.Person{}, err
	}
	return s.personCalled(ctx, c.ID, id.ID, "person of "+clip(id.Customer, 60))
}

func (s *Server) staffMember(ctx context.Context, id *api.StaffID) (people.Person, error) {
	if s.d.People == nil {
		return people.Person{}, unavailable("the list of people")
	}
	return s.personCalled(ctx, "", id.ID, "member of staff")
}

func (s *Server) personCalled(ctx context.Context, customer, handle, what string) (people.Person, error) {
	p, err := s.d.People.Called(ctx, customer, handle)
	if errors.Is(err, people.ErrNotFound) {
		err = missing(what, handle)
	}
	return p, err
}

func (s *Server) listPeople(ctx context.Context, in *api.PeopleOf) (out api.List[api.Person], err error) {
	if s.d.People == nil {
		return out, unavailable("the list of people")
	}
	c, err := s.customer(ctx, in.Customer)
	if err != nil {
		return out, err
	}
	all, err := s.d.People.List(ctx, c.ID)
	out.Items = views(all, personView)
	return out, err
}

func (s *Server) listStaff(ctx context.Context, _ *struct{}) (out api.List[api.Staff], err error) {
	if s.d.People == nil {
		return out, unavailable("the list of people")
	}
	all, err := s.d.People.List(ctx, "")
	out.Items = views(all, func(p *people.Person) api.Staff { return api.Staff{Person: personView(p)} })
	return out, err
}

func (s *Server) addPerson(ctx context.Context, in *api.PersonNew) (out api.SignInLink, err error) {
	c, err := s.customer(ctx, in.Customer)
	if err != nil {
		return out, err
	}
	return s.newPerson(ctx, people.NewPerson{Customer: c.ID, Handle: in.Body.ID, Name: in.Body.Name, Mail: in.Body.Mail, Role: person.Role(in.Body.Role)})
}

func (s *Server) addStaff(ctx context.Context, in *struct{ Body api.NewStaff }) (api.SignInLink, error) {
	return s.newPerson(ctx, people.NewPerson{Handle: in.Body.ID, Name: in.Body.Name, Mail: in.Body.Mail, Role: person.Role(in.Body.Role)})
}

func (s *Server) newPerson(ctx context.Context, n people.NewPerson) (out api.SignInLink, err error) {
	if s.d.People == nil {
		return out, unavailable("the list of people")
	}
	var p people.Person
	var l people.Link
	waits := false
	if s.d.Cooling != nil {
		p, l, waits, err = s.d.Cooling.AddPerson(ctx, whoAsks(ctx), n)
	} else {
		p, l, err = s.d.People.Add(ctx, by(ctx), n)
	}
	if errors.Is(err, people.ErrExists) {
		return out, newProblem(http.StatusConflict, api.ReasonExists, "somebody is called "+clip(n.Handle, 60)+" already")
	}
	out = s.link(&p, l)
	out.Waits = waits
	return out, err
}

func (s *Server) changePerson(ctx context.Context, in *api.PersonPatch) (out api.Person, err error) {
	p, err := s.person(ctx, &in.PersonID)
	if err != nil {
		return out, err
	}
	return s.editPerson(ctx, p.ID, &in.Body)
}

func (s *Server) changeStaff(ctx context.Context, in *api.StaffPatch) (out api.Staff, err error) {
	p, err := s.staffMember(ctx, &in.StaffID)
	if err != nil {
		return out, err
	}
	out.Person, err = s.editPerson(ctx, p.ID, &in.Body)
	return out, err
}

func (s *Server) editPerson(ctx context.Context, id string, b *api.PatchPerson) (api.Person, error) {
	e := people.Edit{Name: b.Name, Mail: b.Mail}
	if b.Role != nil {
		role := person.Role(*b.Role)
		e.Role = &role
	}
	if s.d.Cooling == nil {
		p, err := s.d.People.Change(ctx, by(ctx), id, e)
		return personView(&p), err
	}
	p, _, err := s.d.Cooling.ChangePerson(ctx, whoAsks(ctx), id, e)
	return personView(&p), err
}

func addToken[I any](ctx context.Context, s *Server, find func(context.Context, *I) (people.Person, error), in *I, b *api.NewToken) (out api.NewTokenText, err error) {
	p, err := find(ctx, in)
	if err != nil {
		return out, err
	}
	until, err := instant(when.Until, "until", b.Until, s.d.Book.Zone(p.Customer))
	if err != nil {
		return out, err
	}
	scopes := make([]person.Scope, len(b.Scopes))
	for i, word := range b.Scopes {
		scopes[i] = person.Scope(word)
	}
	if mine := whoAsks(ctx).Scopes; mine != nil { // a token makes none that may more than itself
		for _, scope := range scopes {
			if !slices.Contains(mine, scope) {
				return out, newProblem(http.StatusForbidden, api.ReasonNotPermitted, "this token may not give what it has not: "+string(scope))
			}
		}
	}
	x, text, err := s.d.People.AddToken(ctx, by(ctx), p.ID, b.Name, scopes, until)
	if errors.Is(err, people.ErrExists) {
		return out, newProblem(http.StatusConflict, api.ReasonExists, "a token of that name exists already")
	}
	return api.NewTokenText{Token: tokenView(&x), Text: text}, err
}

func dropToken[I any](ctx context.Context, s *Server, find func(context.Context, *I) (people.Person, error), in *I, token string) error {
	p, err := find(ctx, in)
	if err != nil {
		return err
	}
	if err = s.d.People.RemoveToken(ctx, by(ctx), p.ID, token); errors.Is(err, book.ErrNotFound) {
		err = missing("token of "+p.Login, token)
	}
	return err
}

func dropPasskey[I any](ctx context.Context, s *Server, find func(context.Context, *I) (people.Person, error), in *I, which string) error {
	p, err := find(ctx, in)
	if err != nil {
		return err
	}
	_, err = s.d.Cooling.RemovePasskey(ctx, whoAsks(ctx), p.ID, which)
	if errors.Is(err, people.ErrNotFound) {
		err = missing("passkey of "+p.Login, which)
	}
	return err
}

func dropTOTP[I any](ctx context.Context, s *Server, find func(context.Context, *I) (people.Person, error), in *I) error {
	p, err := find(ctx, in)
	if err != nil {
		return err
	}
	_, err = s.d.Cooling.RemoveTOTP(ctx, whoAsks(ctx), p.ID)
	if errors.Is(err, people.ErrNotFound) {
		err = missing("app of codes of "+p.Login, "")
	}
	return err
}

func (s *Server) me(ctx context.Context, _ *struct{}) (api.Me, error) {
	w := whoAsks(ctx)
	out := api.Me{Name: w.Actor, Role: string(w.Role), Customer: account.Handle(w.Customer), May: []string{}}
	for _, scope := range w.Scopes {
		out.Scopes = append(out.Scopes, string(scope))
	}
	for _, o := range person.Operations() {
		if ok, _ := w.May(o); ok {
			out.May = append(out.May, o)
		}
	}
	return out, nil
}
