package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"ringfence/edge/rest/api"
)

type customerCmd struct {
	remote
	Add     customerAdd                                             `cmd:"" help:"Add a customer." eg:"acme --name \"Acme Ltd\"; acme --zone Europe/Dublin account-day-cap=£20 nets=192.0.2.0/24"`
	Import  customerImport                                          `cmd:"" help:"Add customers from a CSV file: all of them, or none." eg:"customers.csv --dry-run; customers.csv" detail:"Columns, in any order: id (required), name, zone, tariff, courtesy, nets, and any setting (national-ceiling, account-day-cap, …). All customers are added, or none and every fault is named by row and column."`
	List    listRemoved[api.Customer, api.CustomerFilter]           `cmd:"" help:"List customers." eg:"; --reseller north; --removed; --json | jq -r '.[].id'"`
	Show    show[api.Customer, api.CustomerID]                      `cmd:"" help:"Show a customer with its settings and money." eg:"acme"`
	Set     change[api.Customer, api.CustomerID, api.PatchCustomer] `cmd:"" help:"Change a customer or its settings." set:"fields=name, zone, tariff, reseller (\"none\": the provider's own), courtesy (both, user-agent or off), nets (\"none\" removes the IP lock), or a setting (\"inherit\" removes the customer's own value)." eg:"acme name=\"Acme Ltd\" zone=Europe/Dublin; acme account-month-cap=£100; acme international-ceiling=50p --grant --until 2026-12-01; acme nets=none; acme account-warning=£50 courtesy=user-agent"`
	Lock    customerLock                                            `cmd:"" help:"Close every line of a customer to all but emergency calls." eg:"acme --why \"bill not paid\"; acme --why \"stolen logins\" --cut" detail:"Calls in progress are treated as by line lock. Lines that are locked already keep their own reason, and stay locked at customer unlock. A line that is added later is open."`
	Unlock  customerUnlock                                          `cmd:"" help:"Unlock the lines that were locked with their customer." eg:"acme"`
	Usage   show[api.Usage, api.CustomerID]                         `cmd:"" help:"Show un-billed usage, including calls in progress, and the next warning." route:"GET /v1/customers/{id}/usage" eg:"acme" detail:"The warning level is the setting account-warning: ringfence customer set ID account-warning=£50; 0 is off."`
	Number  numberCmd                                               `cmd:"" help:"The numbers that the customer's lines may present beside their own."`
	Contact contactCmd                                              `cmd:"" help:"The customer's contacts, and the notices that each receives."`
	Cooling act[api.CustomerCooling, api.CoolingSet]                `cmd:"" name:"cooling-off" help:"Set how long a customer's own people wait for what they loosen." route:"POST /v1/customers/{id}/cooling-off" says:"{{if .Wait}}What {{.Customer}} loosens waits {{span .Wait}}.{{else}}Nothing of {{.Customer}} waits.{{end}}{{with .Waiting}} {{count (len .) \"change waits\" \"changes wait\"}}: ringfence change list{{end}}" eg:"acme --wait 24h --note \"Ring Sam first\"; acme --wait 0" detail:"Tightening never waits. A longer wait counts at once, and can be undone for a day; a shorter one waits itself, as does another note in place of one. Every contact is notified."`
	Person  personCmd                                               `cmd:"" help:"The customer's people, who may sign in, with their roles."`
	Export  customerExport                                          `cmd:"" help:"Write everything that is held about a customer and its people: a ZIP archive of JSON and CSV." eg:"acme; acme --out acme.zip" detail:"README.txt in it says what each file is. Secrets, notes of staff, what is between the provider and its carriers, and other customers are not in it. The journal says who took it."`
	Erase   customerErase                                           `cmd:"" help:"Erase the personal data of a customer and its people." eg:"acme; acme --yes" detail:"Without --yes it says what would be erased, what stays, and what keeps it. Nothing is erased while calls are not billed, a bill is not paid, a case or plan is not over, or staff hold something. The books stay, with the customer's name, as long as the law wants them; proofs of the journal still stand. It can be asked again at any time, and goes on by itself.\n\nThis cannot be taken back."`
	Remove  customerRemove                                          `cmd:"" help:"Remove a customer that has no lines." eg:"acme; acme --yes"`
}

type customerAdd struct {
	Body api.NewCustomer `embed:""`
	Set  []string        `arg:"" optional:"" name:"field=value" help:"Initial settings." predict:"setting"`
	grantFlags
}

func (c *customerAdd) Run(s *session) error {
	if err := assign(&c.Body.PatchCustomer, c.Set, c.grantFlags); err != nil {
		return err
	}
	return adding("customer", c.Body.ID, perform(s, "POST /v1/customers", func(v *api.Customer) error {
		return s.say("Customer %s added. Give it a line: ringfence line add LINE --customer %s", v.ID, v.ID)
	}, c))
}

type customerLock struct{ api.CustomerLock }

func (c *customerLock) Run(s *session) error {
	return s.lockAll("POST /v1/customers/{id}/lock", c, "No line of {{.Customer}} can be locked.",
		"{{count .Locked \"line\" \"lines\"}} of {{.Customer}} {{if eq .Locked 1}}is{{else}}are{{end}} locked: only emergency calls go out.",
		"\nUnlock them with: ringfence customer unlock {{.Customer}}")
}

type customerUnlock struct{ api.CustomerID }

func (c *customerUnlock) Run(s *session) error {
	return s.lockAll("POST /v1/customers/{id}/unlock", c, "No line of {{.Customer}} was locked with it.",
		"{{count .Opened \"line\" \"lines\"}} of {{.Customer}} {{if eq .Opened 1}}is{{else}}are{{end}} open again.", "")
}

// lockAll locks or unlocks all lines of a customer without a question: there may be no time to lose, and the opposite command undoes it.
func (s *session) lockAll(operation string, in any, none, some, next string) error {
	const left = `{{if .Left}} {{count .Left "line stays locked for a reason of its own." "lines stay locked for reasons of their own."}}{{end}}`
	out, err := fetch[api.CustomerLocked](s, operation, in)
	if err != nil {
		return err
	}
	if out.Locked+out.Opened == 0 {
		return s.nothing(out, "%s", sentence(none+left, out))
	}
	return s.emit(out, func() error { return s.say("%s", sentence(some+left+next, out)) })
}

type customerRemove struct {
	remove[api.Customer, api.CustomerID]
}

// Run removes it; lines are counted first, for a word on them even without --yes.
func (c *customerRemove) Run(s *session) error {
	v, err := fetch[api.Customer](s, "GET /v1/customers/{id}", &c.Which)
	if err != nil {
		return err
	}
	if v.Lines > 0 {
		return fmt.Errorf("customer %s still has %s: remove them first (ringfence line list --customer %s)", v.ID, api.Count(v.Lines, "line", "lines"), v.ID)
	}
	return c.remove.Run(s)
}

type customerExport struct {
	api.CustomerID
	Out string `query:"-" short:"o" help:"File to write (default: CUSTOMER.zip)." placeholder:"FILE"`
}

func (c *customerExport) Run(s *session) error {
	to := cmp.Or(c.Out, c.ID+".zip")
	err := s.writeTo(to, func(w io.Writer) error {
		return s.stream("POST /v1/customers/{id}/export", &c.CustomerID, "application/zip", w)
	})
	if err != nil || c.Out != "" || s.json { // who named the file knows, and it may be standard output
		return err
	}
	return s.say("Wrote %s. README.txt in it says what each file is.", to)
}

type customerErase struct {
	api.CustomerID
	Yes bool `help:"Do it. Without this flag, only say what would be done."`
}

func (c *customerErase) Run(s *session) error {
	plan, err := fetch[api.Erasure](s, "GET /v1/customers/{id}/erasure", &c.CustomerID)
	if err != nil {
		return err
	}
	if !c.Yes {
		if len(plan.Kept) > 0 {
			return fmt.Errorf("nothing of %s can be erased yet:\n  %s", plan.Customer, strings.Join(plan.Kept, "\n  "))
		}
		return s.dryRun(fmt.Sprintf("Everything about %s and its people would be erased: %s, %s, %s, %s, %s, and what archives, notices and the journal say of them. What the books have stays: %s.",
			plan.Customer, api.Count(len(plan.Lines), "line", "lines"), api.Count(plan.People, "person", "people"), api.Count(plan.Contacts, "contact", "contacts"),
			api.Count(int(plan.Calls), "call", "calls"), api.Count(plan.Cases, "case", "cases"), api.Count(int(plan.Books), "entry", "entries")))
	}
	return perform(s, "POST /v1/customers/{id}/erasure", func(e *api.Erasure) error {
		if e.Done {
			return s.say("Erasure %d: the personal data of %s is erased. The books keep %s.", e.Number, e.Customer, api.Count(int(e.Books), "entry", "entries"))
		}
		return s.say("Erasure %d of %s is under way, and goes on by itself. What is left:\n  %s", e.Number, e.Customer, strings.Join(e.Left, "\n  "))
	}, &c.CustomerID)
}
