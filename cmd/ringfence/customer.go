package main

import (
	"cmp"
	"fmt"
	"strings"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type customerCmd struct {
	remote
	Add     customerAdd    `cmd:"" help:"Add a customer." eg:"acme --name \"Acme Ltd\"; acme --zone Europe/Dublin account-day-cap=£20 nets=192.0.2.0/24"`
	Import  customerImport `cmd:"" help:"Add customers from a CSV file: all of them, or none." eg:"customers.csv --dry-run; customers.csv"`
	List    customerList   `cmd:"" help:"List customers." eg:"; --removed; --json | jq -r '.[].id'"`
	Show    customerShow   `cmd:"" help:"Show a customer with its settings and money." eg:"acme"`
	Set     customerSet    `cmd:"" help:"Change a customer or its settings." eg:"acme name=\"Acme Ltd\" zone=Europe/Dublin; acme account-month-cap=£100; acme international-ceiling=50p --grant --until 2026-12-01; acme nets=none; acme account-warning=£50 courtesy=user-agent"`
	Lock    customerLock   `cmd:"" help:"Close every line of a customer to all but emergency calls." eg:"acme --why \"bill not paid\"; acme --why \"stolen logins\" --cut"`
	Unlock  customerUnlock `cmd:"" help:"Open the lines that were locked with their customer." eg:"acme"`
	Usage   customerUsage  `cmd:"" help:"Show un-billed usage, calls in progress counted, and the next warning." eg:"acme"`
	Contact contactCmd     `cmd:"" help:"Who of a customer gets notices, and which."`
	Remove  customerRemove `cmd:"" help:"Remove a customer that has no lines." eg:"acme; acme --yes"`
}

type customerAdd struct {
	Body api.NewCustomer `embed:""`
	Set  []string        `arg:"" optional:"" name:"field=value" help:"Settings to begin with." predict:"setting"`
	grantFlags
}

// Run adds it.
func (c *customerAdd) Run(s *session) error {
	a, err := parseAssignments(c.Set, nil, c.grantFlags)
	if err != nil {
		return err
	}
	if c.Body.Set = a.set; a.nets != nil {
		c.Body.Nets = *a.nets
	}
	return adding("customer", c.Body.ID, perform(s, "POST /v1/customers", c, func(v *api.Customer) error {
		return s.say("Customer %s added. Give it a line: ringfence line add LINE --customer %s", v.ID, v.ID)
	}))
}

type customerList struct {
	list[api.Customer, struct{}]
	Removed bool `help:"Customers that were removed, with the identity that their records are kept under."`
}

// Run lists them.
func (c *customerList) Run(s *session) error {
	if c.Removed {
		return s.removed("customers", c.Limit)
	}
	return c.list.Run(s)
}

type customerShow struct{ api.CustomerID }

// Run shows it.
func (c *customerShow) Run(s *session) error {
	return perform(s, "GET /v1/customers/{id}", c, s.showCustomer)
}

func (s *session) showCustomer(c *api.Customer) error {
	t := table.New(table.Left(""), table.Left(""))
	t.Row("customer", table.Cell{Text: c.ID, Style: table.Bold})
	t.Row("name", c.Name)
	t.Row("lines", fmt.Sprintf("%d (ringfence line list --customer %s)", c.Lines, c.ID))
	t.Row("tariff", c.Tariff)
	t.Row("zone", c.Zone)
	t.Row("ip lock", strings.Join(c.Nets, ", "))
	t.Row("courtesy", cmp.Or(c.Courtesy, "both")+courtesyMeans)
	t.Row("contacts", "ringfence customer contact list "+c.ID)
	t.Row("since", api.Moment(c.Created))
	t.Row("identity", c.Identity)
	s.table(t, 0)
	s.settings(c.Settings)
	return s.purses(c.Purses)
}

type customerSet struct {
	api.CustomerID
	Set []string `arg:"" name:"field=value" help:"name, zone, tariff, courtesy (both, user-agent or off), nets (\"none\" opens the lock), or a setting (\"inherit\" takes it back)." predict:"setting"`
	grantFlags
	Body map[string]any `kong:"-"`
}

// Run changes it.
func (c *customerSet) Run(s *session) error {
	a, err := parseAssignments(c.Set, []string{"name", "zone", "tariff", "courtesy"}, c.grantFlags)
	if err != nil {
		return err
	}
	c.Body = a.body()
	return perform(s, "PATCH /v1/customers/{id}", c, s.showCustomer)
}

type customerLock struct{ api.CustomerLock }

func (customerLock) Help() string {
	return `Calls in progress are treated as by line lock. Lines that are locked already keep their own reason, and stay locked at customer unlock.
A line that is added later is open.`
}

// Run locks them, at once: there may be no time to lose, and unlock takes it back.
func (c *customerLock) Run(s *session) error {
	out, err := fetch[api.CustomerLocked](s, "POST /v1/customers/{id}/lock", c)
	if err != nil {
		return err
	}
	if out.Locked == 0 {
		return s.nothing(out, "Customer %s has no line that could be locked.%s", out.Customer, ownReasons(out.Left))
	}
	return s.emit(out, func() error {
		return s.say("%s of %s locked: only emergency calls go out.%s\nOpen them with: ringfence customer unlock %s",
			api.Count(out.Locked, "line", "lines"), out.Customer+" "+isAre(out.Locked), ownReasons(out.Left), out.Customer)
	})
}

// ownReasons says of lines that a lock of their customer leaves as they are.
func ownReasons(n int) string {
	if n == 0 {
		return ""
	}
	return " " + api.Count(n, "line stays locked for a reason of its own.", "lines stay locked for reasons of their own.")
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

type customerUnlock struct{ api.CustomerID }

// Run opens them.
func (c *customerUnlock) Run(s *session) error {
	out, err := fetch[api.CustomerLocked](s, "POST /v1/customers/{id}/unlock", c)
	if err != nil {
		return err
	}
	if out.Opened == 0 {
		return s.nothing(out, "No line of %s was locked with it.%s", out.Customer, ownReasons(out.Left))
	}
	return s.emit(out, func() error {
		return s.say("%s of %s open again.%s", api.Count(out.Opened, "line", "lines"), out.Customer+" "+isAre(out.Opened), ownReasons(out.Left))
	})
}

type customerRemove struct {
	api.CustomerID
	Yes bool `help:"Do it; without, only say what would be done."`
}

// Run removes it, if told twice.
func (c *customerRemove) Run(s *session) error {
	out, err := fetch[api.Customer](s, "GET /v1/customers/{id}", c)
	if err != nil {
		return err
	}
	if out.Lines > 0 {
		return fmt.Errorf("customer %s still has %s: remove them first (ringfence line list --customer %s)", c.ID, api.Count(out.Lines, "line", "lines"), c.ID)
	}
	if !c.Yes {
		return s.dryRun(fmt.Sprintf("Customer %s (%s) would be removed; its call records stay.", out.ID, out.Name))
	}
	if _, err := fetch[none](s, "DELETE /v1/customers/{id}", c); err != nil {
		return err
	}
	return s.done("Customer %s is removed.", c.ID)
}
