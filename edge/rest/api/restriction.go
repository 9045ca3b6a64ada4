package api

import (
	"strconv"
	"time"
)

// Restriction closes destinations to a line, to all lines of a customer, or to every line.
type Restriction struct {
	ID       int64  `json:"id"`
	Line     string `json:"line,omitempty" doc:"absent: all lines of the customer"`
	Customer string `json:"customer,omitempty" doc:"absent: everybody"`
	Does     string `json:"does" doc:"what it does, as a sentence"`
	Closes   string `json:"closes" doc:"destinations, separated by commas; with only: those that stay open"`
	AtOnce   int    `json:"at_once,omitempty" doc:"it closes nothing: so many concurrent calls to these destinations, and no more; of calls abroad those abroad are counted, of others all calls of the line"`
	Ask      string `json:"ask,omitempty" doc:"it closes nothing: the caller hears the price of such a call and confirms it with a key (key), or with three spoken digits (digits)"`
	Login    bool   `json:"refuses_logins,omitempty" doc:"it refuses logins, and with them all but emergency calls, from phones and networks that are not long known"`
	Except   string `json:"except,omitempty" doc:"what stays open although closes names it"`
	// Strangers: a call from a network that the customer has long used is not restricted.
	Strangers bool      `json:"strangers,omitempty" doc:"only calls from networks that are new to the customer"`
	Only      bool      `json:"only" doc:"an allow list: every other paid destination is closed"`
	Hours     string    `json:"hours,omitempty" doc:"absent: always"`
	Since     time.Time `json:"since"`
	Until     time.Time `json:"until,omitzero" doc:"absent: until it is lifted"`
	Ends      bool      `json:"ends_calls" doc:"paid calls in progress that it refuses end with their paid time"`
	InForce   bool      `json:"in_force" doc:"it applies now"`
	By        string    `json:"by,omitempty"`
	Why       string    `json:"why,omitempty"`
	Finding   string    `json:"finding,omitempty" doc:"key of the finding that caused it"`
}

// inForce says how many restrictions apply, and how to see them.
func inForce(n int, whose string) Cell {
	if n == 0 {
		return Cell{}
	}
	return Cell{Count(n, "restriction", "restrictions") + " in force: ringfence restriction list " + whose, "warn"}
}

// RestrictionFilter says whose restrictions.
type RestrictionFilter struct {
	Line      string `query:"line" maxLength:"128" help:"Those of this line, and of its customer." placeholder:"LINE" predict:"line" xor:"which"`
	Customer  string `query:"customer" maxLength:"60" help:"Those of this customer." placeholder:"CUSTOMER" predict:"customer" xor:"which"`
	Everybody bool   `query:"everybody" help:"Those of every line." xor:"which"`
}

// RestrictionNew adds one.
type RestrictionNew struct {
	Body NewRestriction `embed:""`
}

// NewRestriction closes destinations to a line, to all lines of a customer, or to every line.
type NewRestriction struct {
	Line      string `json:"line,omitempty" maxLength:"128" help:"Line that it restricts." placeholder:"LINE" predict:"line" xor:"which"`
	Customer  string `json:"customer,omitempty" maxLength:"60" help:"Customer, all of whose lines it restricts." placeholder:"CUSTOMER" predict:"customer" xor:"which"`
	Everybody bool   `json:"everybody,omitempty" help:"Restrict every line of every customer." xor:"which"`
	Closes    string `json:"closes,omitempty" maxLength:"20000" doc:"as only, but these are closed" name:"close" help:"Destinations to close: paid, abroad, \"above 10p\" (abroad, by the price of a first minute), classes such as intl-mobile, countries such as LV, ranges such as +44843; separated by commas." placeholder:"LIST" xor:"names"`
	AtOnce    int    `json:"at_once,omitempty" minimum:"0" maximum:"1000" doc:"close nothing, but let so many concurrent calls be made to these destinations, and no more" help:"Close nothing, but allow N concurrent calls to these destinations, and no more." placeholder:"N"`
	Ask       string `json:"ask,omitempty" maxLength:"10" doc:"close nothing, but ask the caller of such a call to confirm its price with a key (key), or with three spoken digits (digits)" help:"Close nothing, but let a voice state the price, and ask the caller to confirm the call: key (a key) or digits (three spoken digits)." placeholder:"HOW"`
	Except    string `json:"except,omitempty" maxLength:"20000" doc:"what stays open although closes names it" help:"Destinations that stay open although the list names them." placeholder:"LIST"`
	Only      string `json:"only,omitempty" maxLength:"20000" doc:"paid, abroad, above 10p, a class of number, a country or a range, separated by commas: every other paid destination is closed" help:"Close every paid destination but these." placeholder:"LIST" xor:"names"`
	Hours     string `json:"hours,omitempty" maxLength:"1000" doc:"mon-fri 18:00-08:00, sat, sun, 2026-12-25: in the customer's time zone" help:"When it applies, in the customer's time zone: \"mon-fri 18:00-08:00, sat, sun, 2026-12-25\" (default: always)." placeholder:"HOURS"`
	Until     string `json:"until,omitempty" maxLength:"40" doc:"as in Change; absent: until it is lifted" type:"when" help:"When it ends by itself, that day included (default: when it is lifted)." placeholder:"WHEN"`
	Ends      bool   `json:"ends_calls,omitempty" name:"end-calls" help:"Paid calls in progress that it refuses end with their paid time."`
	Why       string `json:"why,omitempty" maxLength:"500" help:"Why, for the customer and the journal." placeholder:"TEXT"`
}

// RestrictionID says which.
type RestrictionID struct {
	ID int64 `path:"id" minimum:"1" arg:"" help:"Restriction."`
	RestrictionFilter
}

// Resource describes restrictions.
func (Restriction) Resource() Resource[Restriction] {
	return Resource[Restriction]{
		Name: "restriction", Path: "restrictions", List: "List the restrictions of a line, a customer or everybody",
		Get: "Show a restriction", Add: "Close destinations to a line, a customer or everybody", Delete: "Lift a restriction",
		Columns: "restriction: id, line, customer, closes~, except~?, hours~, until, now: in_force, by?, why~",
		Empty:   "No restrictions.",
		Cells: map[string]func(*Restriction) Cell{
			"line": func(r *Restriction) Cell {
				if r.Line == "" {
					return Cell{"all", "dim"}
				}
				return Cell{}
			},
			"customer": func(r *Restriction) Cell {
				if r.Customer == "" {
					return Cell{"all", "dim"}
				}
				return Cell{}
			},
			"closes": func(r *Restriction) Cell {
				switch {
				case r.Ask != "" && r.Only:
					return Cell{Text: "asks (" + r.Ask + "): all paid but " + r.Closes}
				case r.Ask != "":
					return Cell{Text: "asks (" + r.Ask + "): " + r.Closes}
				case r.Only:
					return Cell{Text: "all paid but " + r.Closes}
				case r.AtOnce > 0:
					return Cell{Text: "more than " + strconv.Itoa(r.AtOnce) + " at once: " + r.Closes}
				case r.Login:
					return Cell{Text: "logins not long known"}
				case r.Strangers:
					return Cell{Text: r.Closes + " from new networks"}
				}
				return Cell{}
			},
			"until": func(r *Restriction) Cell { return Cell{Text: End(r.Until)} },
		},
		Named: func(r *Restriction) (string, string) { return strconv.FormatInt(r.ID, 10), r.Closes },
	}
}
