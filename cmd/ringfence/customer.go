package main

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type customerCmd struct {
	remote
	Add     customerAdd    `cmd:"" help:"Add a customer."`
	Import  customerImport `cmd:"" help:"Add customers from a CSV file: all of them, or none."`
	List    customerList   `cmd:"" help:"List customers."`
	Show    customerShow   `cmd:"" help:"Show a customer with its settings and money."`
	Set     customerSet    `cmd:"" help:"Change a customer or its settings."`
	Lock    customerLock   `cmd:"" help:"Close every line of a customer to all but emergency calls."`
	Unlock  customerUnlock `cmd:"" help:"Open the lines that were locked with their customer."`
	Usage   customerUsage  `cmd:"" help:"Show un-billed usage, calls in progress counted, and the next warning."`
	Contact contactCmd     `cmd:"" help:"Who of a customer gets notices, and which."`
	Remove  customerRemove `cmd:"" help:"Remove a customer that has no lines."`
}

type customerAdd struct {
	ID     string   `arg:"" help:"Short name: a-z, 0-9 and -."`
	Name   string   `help:"Full name." placeholder:"NAME"`
	Zone   string   `help:"Time zone of its days and price bands (default: the provider's)." placeholder:"ZONE"`
	Tariff string   `help:"Retail deck (default: the provider's)." placeholder:"DECK" predict:"deck"`
	Set    []string `arg:"" optional:"" name:"field=value" help:"Settings to begin with." predict:"setting"`
	grantFlags
}

func (customerAdd) Help() string {
	return examples(`ringfence customer add acme --name "Acme Ltd"`,
		"ringfence customer add acme --zone Europe/Dublin account-day-cap=£20 nets=192.0.2.0/24")
}

// Run adds it.
func (c *customerAdd) Run(s *session) error {
	a, err := parseAssignments(c.Set, nil, c.grantFlags)
	if err != nil {
		return err
	}
	in := api.NewCustomer{ID: c.ID, Name: c.Name, Zone: c.Zone, Tariff: c.Tariff, Set: a.set}
	if a.nets != nil {
		in.Nets = *a.nets
	}
	var out api.Customer
	if err := s.do(http.MethodPost, pathOf("customers"), in, &out); err != nil {
		return adding("customer", c.ID, err)
	}
	return s.emit(out, func() error {
		return s.say("Customer %s added. Give it a line: ringfence line add LINE --customer %s", out.ID, out.ID)
	})
}

type customerList struct {
	Removed bool `help:"Customers that were removed, with the identity that their records are kept under."`
	Limit   int  `help:"Show no more than this (0: all)." placeholder:"N"`
}

func (customerList) Help() string {
	return examples("ringfence customer list", "ringfence customer list --removed", "ringfence customer list --json | jq -r '.[].id'")
}

// Run lists them.
func (c *customerList) Run(s *session) error {
	if c.Removed {
		return s.removed("customers", c.Limit)
	}
	items, more, err := all[api.Customer](s, pathOf("customers"), "after", c.Limit, nil)
	if err != nil {
		return err
	}
	return s.emit(items, func() error {
		t := table.New(table.Left("customer"), table.Cut("name"), table.Right("lines"), table.Left("tariff"), table.Left("zone"), table.Left("ip lock"))
		for _, x := range items {
			t.Row(x.ID, x.Name, strconv.Itoa(x.Lines), x.Tariff, x.Zone, netsText(x.Nets))
		}
		return s.cutList(t, more, "No customers yet: ringfence customer add ID --name NAME")
	})
}

type customerShow struct {
	ID string `arg:"" help:"Customer." predict:"customer"`
}

func (customerShow) Help() string { return examples("ringfence customer show acme") }

// Run shows it.
func (c *customerShow) Run(s *session) error {
	var out api.Customer
	if err := s.get(pathOf("customers", c.ID), &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.showCustomer(&out) })
}

func (s *session) showCustomer(c *api.Customer) error {
	t := table.New(table.Left(""), table.Left(""))
	t.Row("customer", table.Cell{Text: c.ID, Style: table.Bold})
	t.Row("name", c.Name)
	t.Row("lines", fmt.Sprintf("%d (ringfence line list --customer %s)", c.Lines, c.ID))
	t.Row("tariff", c.Tariff)
	t.Row("zone", c.Zone)
	t.Row("ip lock", netsText(c.Nets))
	t.Row("courtesy", cmp.Or(c.Courtesy, "both")+courtesyMeans)
	t.Row("contacts", "ringfence customer contact list "+c.ID)
	t.Row("since", moment(c.Created))
	t.Row("identity", c.Identity)
	if err := s.table(t, 0); err != nil {
		return err
	}
	if err := s.settings(c.Settings); err != nil {
		return err
	}
	return s.purses(c.Purses)
}

type customerSet struct {
	ID  string   `arg:"" help:"Customer." predict:"customer"`
	Set []string `arg:"" name:"field=value" help:"name, zone, tariff, courtesy (both, user-agent or off), nets (\"none\" opens the lock), or a setting (\"inherit\" takes it back)." predict:"setting"`
	grantFlags
}

func (customerSet) Help() string {
	return examples(`ringfence customer set acme name="Acme Ltd" zone=Europe/Dublin`, "ringfence customer set acme account-month-cap=£100",
		"ringfence customer set acme international-ceiling=50p --grant --until 2026-12-01", "ringfence customer set acme nets=none",
		"ringfence customer set acme account-warning=£50 courtesy=user-agent")
}

// Run changes it.
func (c *customerSet) Run(s *session) error {
	a, err := parseAssignments(c.Set, []string{"name", "zone", "tariff", "courtesy"}, c.grantFlags)
	if err != nil {
		return err
	}
	in := api.PatchCustomer{
		Name: a.text("name"), Zone: a.text("zone"), Tariff: a.text("tariff"), Courtesy: a.text("courtesy"), Nets: a.nets, Set: a.set,
	}
	var out api.Customer
	if err := s.do(http.MethodPatch, pathOf("customers", c.ID), in, &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.showCustomer(&out) })
}

type customerLock struct {
	ID        string `arg:"" help:"Customer." predict:"customer"`
	Why       string `required:"" help:"Reason, for staff and the customer." placeholder:"TEXT"`
	Cut       bool   `help:"Cut calls in progress at once." xor:"calls"`
	KeepCalls bool   `help:"Let calls in progress go on; they may still cost up to the caps." xor:"calls"`
}

func (customerLock) Help() string {
	return `Calls in progress are treated as by line lock. Lines that are locked already keep their own reason, and stay locked at customer unlock.
A line that is added later is open.

` + examples(`ringfence customer lock acme --why "bill not paid"`, `ringfence customer lock acme --why "stolen logins" --cut`)
}

// Run locks them, at once: there may be no time to lose, and unlock takes it back.
func (c *customerLock) Run(s *session) error {
	var out api.CustomerLocked
	if err := s.do(http.MethodPost, pathOf("customers", c.ID, "lock"), api.Lock{Why: c.Why, Cut: c.Cut, KeepCalls: c.KeepCalls}, &out); err != nil {
		return err
	}
	if out.Locked == 0 {
		return s.nothing(out, "Customer %s has no line that could be locked.%s", out.Customer, ownReasons(out.Left))
	}
	return s.emit(out, func() error {
		return s.say("%s of %s locked: only emergency calls go out.%s\nOpen them with: ringfence customer unlock %s",
			plural(out.Locked, "line", "lines"), out.Customer+" "+isAre(out.Locked), ownReasons(out.Left), out.Customer)
	})
}

// ownReasons says of lines that a lock of their customer leaves as they are.
func ownReasons(n int) string {
	if n == 0 {
		return ""
	}
	return " " + plural(n, "line stays locked for a reason of its own.", "lines stay locked for reasons of their own.")
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

type customerUnlock struct {
	ID string `arg:"" help:"Customer." predict:"customer"`
}

func (customerUnlock) Help() string { return examples("ringfence customer unlock acme") }

// Run opens them.
func (c *customerUnlock) Run(s *session) error {
	var out api.CustomerLocked
	if err := s.do(http.MethodPost, pathOf("customers", c.ID, "unlock"), nil, &out); err != nil {
		return err
	}
	if out.Opened == 0 {
		return s.nothing(out, "No line of %s was locked with it.%s", out.Customer, ownReasons(out.Left))
	}
	return s.emit(out, func() error {
		return s.say("%s of %s open again.%s", plural(out.Opened, "line", "lines"), out.Customer+" "+isAre(out.Opened), ownReasons(out.Left))
	})
}

type customerRemove struct {
	ID  string `arg:"" help:"Customer." predict:"customer"`
	Yes bool   `help:"Do it; without, only say what would be done."`
}

func (customerRemove) Help() string {
	return examples("ringfence customer remove acme", "ringfence customer remove acme --yes")
}

// Run removes it, if told twice.
func (c *customerRemove) Run(s *session) error {
	var out api.Customer
	if err := s.get(pathOf("customers", c.ID), &out); err != nil {
		return err
	}
	if out.Lines > 0 {
		return fmt.Errorf("customer %s still has %s: remove them first (ringfence line list --customer %s)", c.ID, plural(out.Lines, "line", "lines"), c.ID)
	}
	if !c.Yes {
		return s.dryRun(fmt.Sprintf("Customer %s (%s) would be removed; its call records stay.", out.ID, out.Name))
	}
	if err := s.do(http.MethodDelete, pathOf("customers", c.ID), nil, nil); err != nil {
		return err
	}
	return s.done("Customer %s is removed.", c.ID)
}
