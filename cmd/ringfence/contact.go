package main

import (
	"fmt"
	"reflect"
	"slices"

	"ringfence/edge/rest/api"
)

type contactCmd struct {
	Add    contactAdd                        `cmd:"" help:"Add a contact: a mail address or a webhook." eg:"acme office --mail office@example.com --name \"Anna Smith\"; acme boss --mail boss@example.com --kind usage-level=off --kind new-device=digest; acme pager --url https://example.com/hook --lines 2001,2002"`
	List   whole[api.Contact, api.ContactOf] `cmd:"" help:"List a customer's contacts and the notices that each receives." eg:"acme"`
	Set    contactSet                        `cmd:"" help:"Change a contact, or the notices that it receives." eg:"acme office --kind usage-level=off; acme office --mail desk@example.com --lines all; acme boss --kind \"*=digest\" --kind after-lockout=now" detail:"Critical notices are sent whatever the preference."`
	Remove contactRemove                     `cmd:"" help:"Remove a contact." eg:"acme office; acme office --yes"`
}

// contactLines are the flag for the lines of a contact.
type contactLines struct {
	Lines []string `help:"Only notices about these lines (default: all; \"all\" is every one)." placeholder:"LINE" predict:"line"`
}

// into is the list for a body; nil changes nothing.
func (c *contactLines) into() *[]string {
	switch {
	case len(c.Lines) == 0:
		return nil
	case slices.Equal(c.Lines, []string{"all"}):
		return &[]string{}
	}
	return &c.Lines
}

type contactAdd struct {
	api.ContactNew
	contactLines
}

func (c *contactAdd) Run(s *session) error {
	if c.Body.Reach == (api.Reach{}) {
		return usagef("say where notices go: give --mail, --url or --to")
	}
	c.Body.Lines = c.into()
	return perform(s, "POST /v1/customers/{id}/contacts", func(x *api.Contact) error {
		return s.say("Contact %s of %s added: notices go to %s. Try it with: ringfence notice test %s", x.ID, c.Customer, x.Address, x.Address)
	}, c)
}

type contactSet struct {
	api.ContactPatch
	contactLines
}

func (c *contactSet) Run(s *session) error {
	if c.Body.Lines = c.into(); reflect.ValueOf(c.Body).IsZero() {
		return usagef("nothing to change: give --mail, --url, --to, --name, --lines or --kind")
	}
	return perform(s, "PATCH /v1/customers/{id}/contacts/{contact}", func(x *api.Contact) error { return s.table(rows(*x), 0) }, c)
}

type contactRemove struct {
	api.ContactID
	Yes bool `help:"Do it. Without this flag, only say what would be done."`
}

func (c *contactRemove) Run(s *session) error {
	page, err := fetch[api.List[api.Contact]](s, "GET /v1/customers/{id}/contacts", c)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(page.Items, func(x api.Contact) bool { return x.ID == c.ID })
	if i < 0 {
		return fmt.Errorf("customer %s has no contact %.40q: ringfence customer contact list %s", c.Customer, c.ID, c.Customer)
	}
	if !c.Yes {
		x := page.Items[i]
		return s.dryRun(fmt.Sprintf("Contact %s of %s would be removed: no more notices to %s.", x.ID, c.Customer, x.Address))
	}
	if _, err := fetch[none](s, "DELETE /v1/customers/{id}/contacts/{contact}", c); err != nil {
		return err
	}
	return s.done("Contact %s of %s is removed.", c.ID, c.Customer)
}
