package api

import (
	"fmt"
	"time"

	"ringfence/core/money"
)

// Reseller has customers of its own in place of lines. Its settings stand between the provider's and theirs. What a customer has, people,
// contacts and restrictions, it has under the paths of customers.
type Reseller struct {
	ID        string    `json:"id"`
	Identity  string    `json:"identity" doc:"key of its money; never reused, unlike its id"`
	Name      string    `json:"name"`
	Zone      string    `json:"zone" doc:"IANA time zone in force: in it the days and months of its caps begin"`
	Tariff    string    `json:"tariff" doc:"retail deck of its customers that name none"`
	Nets      []string  `json:"nets" doc:"IP lock at this level"`
	DayCap    int64     `json:"day_cap_micro" doc:"what all its customers may spend together in a day; 0: there is no such cap"`
	MonthCap  int64     `json:"month_cap_micro" doc:"the same of a month"`
	Settings  []Setting `json:"settings,omitempty" doc:"all fields as in force at this level; absent in lists"`
	Purses    []Purse   `json:"purses,omitempty" doc:"what its customers spent of its caps; absent in lists and without a cap"`
	Customers int       `json:"customers"`
	Lines     int       `json:"lines" doc:"of all its customers"`
	Created   time.Time `json:"created"`
}

// Resource describes resellers.
func (Reseller) Resource() Resource[Reseller] {
	capCell := func(n int64) Cell {
		if n == 0 {
			return Cell{Text: "none"}
		}
		return Cell{Text: Amount(money.Micro(n))}
	}
	return Resource[Reseller]{
		Name: "reseller", Path: "resellers", Next: "after",
		List: "List resellers", Get: "Show a reseller", Add: "Add a reseller", Change: "Change a reseller", Delete: "Delete a reseller without customers",
		Columns: "reseller: id, name~, customers, lines, day cap>, month cap>",
		Fields:  "reseller: id!, name, customers: its customers, lines, day cap, month cap, tariff, zone, ip lock: nets, since: created, identity",
		Would:   "Reseller {{.ID}} ({{.Name}}) would be removed.", Gone: "Reseller {{.ID}} is removed.",
		Cells: map[string]func(*Reseller) Cell{
			"its customers": func(r *Reseller) Cell {
				return Cell{Text: fmt.Sprintf("%d (ringfence customer list --reseller %s)", r.Customers, r.ID)}
			},
			"day cap":   func(r *Reseller) Cell { return capCell(r.DayCap) },
			"month cap": func(r *Reseller) Cell { return capCell(r.MonthCap) },
		},
		Empty: "No resellers: ringfence reseller add ID --name NAME",
		Named: func(r *Reseller) (string, string) { return r.ID, r.Name },
	}
}

// ResellerID says which.
type ResellerID struct {
	ID string `path:"id" maxLength:"60" arg:"" help:"Reseller."`
}

// Called is the id.
func (r *ResellerID) Called() string { return r.ID }

// NewReseller is a reseller to add.
type NewReseller struct {
	ID string `json:"id" maxLength:"40" doc:"a-z, 0-9 and -; 1 to 40; no customer has it" arg:"" help:"Short name: a-z, 0-9 and -; no customer has it."`
	PatchReseller
}

// PatchReseller changes what is present in it, all or nothing.
type PatchReseller struct {
	Name     *string   `json:"name,omitempty" maxLength:"200" help:"Full name." placeholder:"NAME"`
	Zone     *string   `json:"zone,omitempty" maxLength:"64" doc:"IANA time zone; empty is the provider's" help:"Time zone of its days, and of its customers' (default: the provider's)." placeholder:"ZONE"`
	Tariff   *string   `json:"tariff,omitempty" maxLength:"64" doc:"retail deck of its customers that name none; empty is the provider's" help:"Retail deck of its customers (default: the provider's)." placeholder:"DECK" predict:"deck"`
	Nets     *[]string `json:"nets,omitempty" maxItems:"256" doc:"replaces the IP lock; [] removes it" kong:"-"`
	DayCap   *string   `json:"day_cap,omitempty" maxLength:"40" doc:"what all its customers may spend together in a day, such as 500; off: no such cap" help:"What all its customers may spend together in a day (\"off\": no such cap)." placeholder:"AMOUNT"`
	MonthCap *string   `json:"month_cap,omitempty" maxLength:"40" doc:"the same of a month" help:"The same of a month." placeholder:"AMOUNT"`
	Set      []Change  `json:"set,omitempty" maxItems:"64" kong:"-"`
}

// CustomerFilter says which customers a list has.
type CustomerFilter struct {
	Reseller string `query:"reseller" maxLength:"60" doc:"only those of a reseller" help:"Only those of a reseller." placeholder:"RESELLER" xor:"which"`
}
