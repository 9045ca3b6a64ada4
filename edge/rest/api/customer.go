package api

import (
	"fmt"
	"time"

	"ringfence/core/money"
)

// Customer owns lines and pays.
type Customer struct {
	ID       string    `json:"id"`
	Identity string    `json:"identity" doc:"key of its money and records; never reused, unlike its id"`
	Name     string    `json:"name"`
	Zone     string    `json:"zone" doc:"IANA time zone in force"`
	Tariff   string    `json:"tariff" doc:"retail deck in force"`
	Nets     []string  `json:"nets" doc:"IP lock at this level"`
	Courtesy string    `json:"courtesy,omitempty" enum:"both,user-agent,off" doc:"changes in logins that owners are notified of, for lines without their own value; absent: both"`
	Settings []Setting `json:"settings,omitempty" doc:"all fields as in force at this level; absent in lists"`
	Purses   []Purse   `json:"purses,omitempty" doc:"today's and this month's money; absent in lists"`
	Closed   int       `json:"restrictions_in_force,omitempty" doc:"how many of the customer and everybody apply now; absent in lists"`
	Lines    int       `json:"lines"`
	Reseller string    `json:"reseller,omitempty" doc:"whose customer it is; absent: the provider's own"`
	Created  time.Time `json:"created"`
}

// Resource describes customers.
func (Customer) Resource() Resource[Customer] {
	return Resource[Customer]{
		Name: "customer", Path: "customers", Next: "after",
		List: "List customers", Get: "Show a customer", Add: "Add a customer", Change: "Change a customer", Delete: "Delete a customer without lines",
		Columns: "customer: id, name~, lines, tariff, zone, ip lock: nets",
		Fields:  "customer: id!, name, reseller?, lines: its lines, tariff, zone, ip lock: nets, restrictions?, courtesy, contacts, since: created, identity",
		Would:   "Customer {{.ID}} ({{.Name}}) would be removed; its call records stay.", Gone: "Customer {{.ID}} is removed.",
		Cells: map[string]func(*Customer) Cell{
			"its lines": func(c *Customer) Cell {
				return Cell{Text: fmt.Sprintf("%d (ringfence line list --customer %s)", c.Lines, c.ID)}
			},
			"restrictions": func(c *Customer) Cell { return inForce(c.Closed, "--customer "+c.ID) },
			"courtesy":     func(c *Customer) Cell { return courtesyCell(c.Courtesy) },
			"contacts":     func(c *Customer) Cell { return Cell{Text: "ringfence customer contact list " + c.ID} },
		},
		Empty: "No customers yet: ringfence customer add ID --name NAME",
		Named: func(c *Customer) (string, string) { return c.ID, c.Name },
	}
}

// CustomerID says which.
type CustomerID struct {
	ID string `path:"id" maxLength:"60" arg:"" help:"Customer." predict:"customer"`
}

// Called is the id.
func (c *CustomerID) Called() string { return c.ID }

// NewCustomer is a customer to add.
type NewCustomer struct {
	ID string `json:"id" maxLength:"40" doc:"a-z, 0-9 and -; 1 to 40" arg:"" help:"Short name: a-z, 0-9 and -."`
	PatchCustomer
}

// PatchCustomer changes what is present in it, all or nothing.
type PatchCustomer struct {
	Name     *string   `json:"name,omitempty" maxLength:"200" help:"Full name." placeholder:"NAME"`
	Zone     *string   `json:"zone,omitempty" maxLength:"64" doc:"IANA time zone; empty is the provider's" help:"Time zone of its days and price bands (default: the provider's)." placeholder:"ZONE"`
	Tariff   *string   `json:"tariff,omitempty" maxLength:"64" doc:"retail deck; empty is the provider's" help:"Retail deck (default: the provider's)." placeholder:"DECK" predict:"deck"`
	Nets     *[]string `json:"nets,omitempty" maxItems:"256" doc:"replaces the IP lock; [] removes it" kong:"-"`
	Courtesy *string   `json:"courtesy,omitempty" enum:"both,user-agent,off,inherit" doc:"inherit: both" kong:"-"`
	Reseller *string   `json:"reseller,omitempty" maxLength:"60" doc:"whose customer it is; empty: the provider's own" help:"Reseller whose customer it is (default: none)." placeholder:"RESELLER"`
	Set      []Change  `json:"set,omitempty" maxItems:"64" kong:"-"`
}

// CustomerLock locks one.
type CustomerLock struct {
	CustomerID
	Body Lock `embed:""`
}

// CustomerLocked answers a lock or unlock of all lines of a customer.
type CustomerLocked struct {
	Customer string `json:"customer"`
	Locked   int    `json:"locked" doc:"lines that are locked with the customer now"`
	Opened   int    `json:"opened" doc:"lines that were opened"`
	Left     int    `json:"left" doc:"lines that are locked for a reason of their own, and stay so"`
}

// Purse is money that may be spent in a period.
type Purse struct {
	Owner  string `json:"owner" enum:"line,account,reseller"`
	Period string `json:"period" enum:"day,month"`
	Which  string `json:"which" doc:"the day or month: 2026-11-22, 2026-11"`
	Cap    int64  `json:"cap_micro"`
	Spent  int64  `json:"spent_micro"`
	Held   int64  `json:"held_micro" doc:"held for calls in progress"`
	Left   int64  `json:"left_micro"`
	Text   string `json:"text" doc:"£3.20 of £50.00 spent, £0.40 held"`
}

// Resource describes purses.
func (Purse) Resource() Resource[Purse] {
	return Resource[Purse]{
		Columns: "purse: owner, period: which, spent: spent_micro, held: held_micro, cap: cap_micro, left>",
		Cells: map[string]func(*Purse) Cell{"left": func(p *Purse) Cell {
			look := ""
			switch {
			case p.Left <= 0:
				look = "bad"
			case p.Left < p.Cap/5:
				look = "warn"
			}
			return Cell{Amount(money.Micro(p.Left)), look}
		}},
	}
}
