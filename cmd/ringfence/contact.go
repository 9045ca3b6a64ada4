package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type contactCmd struct {
	Add    contactAdd    `cmd:"" help:"Add a contact: a mail address or a webhook."`
	List   contactList   `cmd:"" help:"List a customer's contacts and what they want to hear of."`
	Set    contactSet    `cmd:"" help:"Change a contact, or what it wants to hear of."`
	Remove contactRemove `cmd:"" help:"Remove a contact."`
}

// reach says where a contact is reached.
type reach struct {
	Mail *string `help:"Mail address." placeholder:"ADDRESS" xor:"way"`
	URL  *string `help:"URL of a webhook: https, at a public address or in notify.private-hooks." placeholder:"URL" name:"url" xor:"way"`
	To   *string `help:"Address of any channel, such as these." placeholder:"ADDRESS" xor:"way"`
}

func (r *reach) api() api.Reach { return api.Reach{Mail: r.Mail, URL: r.URL, Address: r.To} }

type contactAdd struct {
	Customer string            `arg:"" help:"Customer." predict:"customer"`
	ID       string            `arg:"" help:"Short name of the contact: a-z, 0-9 and -."`
	Reach    reach             `embed:""`
	Name     string            `help:"Whose it is." placeholder:"NAME"`
	Lines    []string          `help:"Only notices about these lines (default: all)." placeholder:"LINE" predict:"line"`
	Kind     map[string]string `help:"How a kind of notice is wanted: now, digest or off; \"*\" is all others." placeholder:"KIND=WISH" predict:"notice-kind"`
}

func (contactAdd) Help() string {
	return examples(`ringfence customer contact add acme office --mail office@example.com --name "Anna Smith"`,
		"ringfence customer contact add acme boss --mail boss@example.com --kind usage-level=off --kind new-device=digest",
		"ringfence customer contact add acme pager --url https://example.com/hook --lines 2001,2002")
}

// Run adds it.
func (c *contactAdd) Run(s *session) error {
	if c.Reach == (reach{}) {
		return usagef("say where notices go: give --mail, --url or --to")
	}
	in := api.NewContact{ID: c.ID, Name: c.Name, Reach: c.Reach.api(), Lines: c.Lines, Kinds: c.Kind}
	var out api.Contact
	if err := s.do(http.MethodPost, pathOf("customers", c.Customer, "contacts"), in, &out); err != nil {
		return err
	}
	return s.emit(out, func() error {
		return s.say("Contact %s of %s added: notices go to %s. Try it with: ringfence notice test %s", out.ID, c.Customer, out.Address, out.Address)
	})
}

type contactList struct {
	Customer string `arg:"" help:"Customer." predict:"customer"`
}

func (contactList) Help() string { return examples("ringfence customer contact list acme") }

// Run lists them.
func (c *contactList) Run(s *session) error {
	var page api.List[api.Contact]
	if err := s.get(pathOf("customers", c.Customer, "contacts"), &page); err != nil {
		return err
	}
	return s.emit(append([]api.Contact{}, page.Items...), func() error {
		return s.list(contactTable(page.Items), "Nobody of this customer gets notices: ringfence customer contact add "+c.Customer+" ID --mail ADDRESS")
	})
}

func contactTable(all []api.Contact) *table.Table {
	t := table.New(table.Left("contact"), table.Cut("name"), table.Cut("to"), table.Cut("lines"), table.Cut("wishes"))
	for _, x := range all {
		lines := strings.Join(x.Lines, ", ")
		if lines == "" {
			lines = "all"
		}
		t.Row(x.ID, x.Name, x.Address, lines, wishText(x.Kinds))
	}
	return t
}

func wishText(kinds map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		parts = append(parts, k+"="+kinds[k])
	}
	if len(parts) == 0 {
		return "all at once"
	}
	return strings.Join(parts, ", ")
}

type contactSet struct {
	Customer string            `arg:"" help:"Customer." predict:"customer"`
	ID       string            `arg:"" help:"Contact." predict:"contact"`
	Reach    reach             `embed:""`
	Name     *string           `help:"Whose it is." placeholder:"NAME"`
	Lines    []string          `help:"Only notices about these lines; \"all\" is every one." placeholder:"LINE" predict:"line"`
	Kind     map[string]string `help:"How a kind of notice is wanted: now, digest, off, or inherit to take the wish back; \"*\" is all others." placeholder:"KIND=WISH" predict:"notice-kind"`
}

func (contactSet) Help() string {
	return `Critical notices come whatever is wished.

` + examples("ringfence customer contact set acme office --kind usage-level=off", "ringfence customer contact set acme office --mail desk@example.com --lines all",
		`ringfence customer contact set acme boss --kind "*=digest" --kind after-lockout=now`)
}

// Run changes it.
func (c *contactSet) Run(s *session) error {
	in := api.PatchContact{Reach: c.Reach.api(), Name: c.Name, Kinds: c.Kind}
	if len(c.Lines) > 0 {
		lines := c.Lines
		if slices.Equal(lines, []string{"all"}) {
			lines = []string{}
		}
		in.Lines = &lines
	}
	if c.Reach == (reach{}) && in.Name == nil && in.Lines == nil && len(in.Kinds) == 0 {
		return usagef("nothing to change: give --mail, --url, --to, --name, --lines or --kind")
	}
	var out api.Contact
	if err := s.do(http.MethodPatch, pathOf("customers", c.Customer, "contacts", c.ID), in, &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.table(contactTable([]api.Contact{out}), 0) })
}

type contactRemove struct {
	Customer string `arg:"" help:"Customer." predict:"customer"`
	ID       string `arg:"" help:"Contact." predict:"contact"`
	Yes      bool   `help:"Do it; without, only say what would be done."`
}

func (contactRemove) Help() string {
	return examples("ringfence customer contact remove acme office", "ringfence customer contact remove acme office --yes")
}

// Run removes it, if told twice.
func (c *contactRemove) Run(s *session) error {
	var page api.List[api.Contact]
	if err := s.get(pathOf("customers", c.Customer, "contacts"), &page); err != nil {
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
	if err := s.do(http.MethodDelete, pathOf("customers", c.Customer, "contacts", c.ID), nil, nil); err != nil {
		return err
	}
	return s.done("Contact %s of %s is removed.", c.ID, c.Customer)
}
