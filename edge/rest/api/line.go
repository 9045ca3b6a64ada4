package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ringfence/core/money"
)

// Line is a number with SIP credentials. The password is never in it.
type Line struct {
	ID        string    `json:"id" doc:"the SIP user name"`
	Identity  string    `json:"identity" doc:"key of its money and records; never reused, unlike its id"`
	Customer  string    `json:"customer"`
	Number    string    `json:"number" doc:"E.164 with +; empty is none"`
	Name      string    `json:"name"`
	Login     bool      `json:"login" doc:"has a password, so that a phone can log in"`
	Locked    bool      `json:"locked"`
	LockWhy   string    `json:"lock_why,omitempty"`
	LockCalls string    `json:"lock_calls,omitempty" enum:"end,cut,keep" doc:"of a locked line, what becomes of calls in progress that cost: end: nothing more is bought, and they end when their paid time ends, within a minute; cut: they end at once; keep: they go on, and may still cost up to the caps"`
	Created   time.Time `json:"created"`
	Courtesy  string    `json:"courtesy" enum:"both,user-agent,off" doc:"changes in its logins that the owner is notified of, as in force"`
	Own       bool      `json:"own_courtesy,omitempty" doc:"the value is the line's own, not its customer's"`
	Honeypot  bool      `json:"honeypot,omitempty" doc:"a decoy that nobody owns: any login to it is an attack"`
	Forwards  Forwards  `json:"forwards,omitzero" doc:"where its calls go that it does not take; the line pays for them"`
	Short     string    `json:"short,omitempty" doc:"two to four digits by which the lines of its customer call it"`
	Numbers   []string  `json:"numbers,omitempty" doc:"further numbers, and ranges of them, by which it is called: +442079460100-0199"`
	Group     Group     `json:"group,omitzero" doc:"the lines that ring with it"`
}

// Group are lines that ring for the calls to another.
type Group struct {
	Rings []string `json:"rings,omitempty" doc:"their ids, in the order in which they ring"`
	Ring  string   `json:"ring,omitempty" enum:"together,in-turn"`
	Each  int64    `json:"each_s,omitempty" doc:"with in-turn, how long each rings, in seconds"`
}

// Text writes it for people.
func (g *Group) Text() string {
	switch {
	case len(g.Rings) == 0:
		return ""
	case g.Ring == "in-turn":
		return strings.Join(g.Rings, ", ") + " ring in turn, each for " + strconv.FormatInt(g.Each, 10) + " s"
	}
	return strings.Join(g.Rings, ", ") + " ring together"
}

// Forwards are numbers as the line could dial them.
type Forwards struct {
	Always      string `json:"always,omitempty"`
	Busy        string `json:"busy,omitempty"`
	NoAnswer    string `json:"no_answer,omitempty"`
	Unreachable string `json:"unreachable,omitempty" doc:"when no phone of the line can be reached"`
	After       int64  `json:"after_s,omitempty" doc:"how long its phones ring before no_answer, in seconds"`
}

// Text writes them for people.
func (f *Forwards) Text() string {
	var parts []string
	for _, p := range []struct{ when, to string }{{"always", f.Always}, {"when busy", f.Busy}, {"after " + strconv.FormatInt(f.After, 10) + " s", f.NoAnswer}, {"when unreachable", f.Unreachable}} {
		if p.to != "" {
			parts = append(parts, p.when+" to "+p.to)
		}
	}
	return strings.Join(parts, ", ")
}

// Resource describes lines.
func (Line) Resource() Resource[Line] {
	return Resource[Line]{
		Name: "line", Path: "lines", Next: "after",
		List: "List lines", Get: "Show a line: settings, phones, calls, money", Add: "Add a line; a generated password is shown once",
		Change: "Change a line", Delete: "Delete a line; its calls are cut",
		Columns: "line: id, customer, number, name~, login, state~",
		Empty:   "No lines yet: ringfence line add LINE --customer CUSTOMER",
		Cells:   map[string]func(*Line) Cell{"state": (*Line).State},
		Named:   func(l *Line) (string, string) { return l.ID, strings.TrimSpace(l.Number + " " + l.Name) },
	}
}

// State says whether a line is open.
func (l *Line) State() Cell {
	switch {
	case l.Honeypot:
		return Cell{"honeypot: any login to it is an attack", "warn"}
	case l.Locked:
		return Cell{strings.TrimSuffix("locked: "+l.LockWhy, ": "), "bad"}
	}
	return Cell{"open", "good"}
}

// LineID says which.
type LineID struct {
	ID string `path:"id" maxLength:"80" arg:"" help:"Line." predict:"line"`
}

// Called is the id.
func (l *LineID) Called() string { return l.ID }

// LineFilter selects lines.
type LineFilter struct {
	Customer string `query:"customer" maxLength:"60" help:"Only this customer." placeholder:"CUSTOMER" predict:"customer" xor:"which"`
}

// LineDetail is a line with all that staff want to see of it together.
type LineDetail struct {
	Line
	Settings []Setting `json:"settings"`
	Nets     []NetLock `json:"nets"`
	Phones   []Phone   `json:"phones"`
	Calls    []Call    `json:"calls"`
	Purses   []Purse   `json:"purses" doc:"the line's and its customer's, today's and this month's"`
	Zone     string    `json:"zone"`
	Tariff   string    `json:"tariff"`
	Closed   int       `json:"restrictions_in_force,omitempty" doc:"how many of the line, its customer and everybody apply now"`
	Does     []string  `json:"restrictions,omitempty" doc:"what these do, as sentences"`
	Habits   *Habits   `json:"habits,omitempty" doc:"what is known of its usual calls; absent: calls are not watched"`
}

// Habits are what the rules that watch calls know of a line and its customer.
type Habits struct {
	Days       int         `json:"days" doc:"that the customer is known"`
	Learning   bool        `json:"learning" doc:"too few to say what is usual"`
	Hours      string      `json:"hours,omitempty" doc:"of the week in which the customer calls, in its time zone"`
	Countries  []string    `json:"countries" doc:"abroad, long called"`
	Numbers    int         `json:"numbers" doc:"long called, which stay open at every step"`
	Networks   int         `json:"networks" doc:"from which the customer has long called"`
	Products   int         `json:"products" doc:"with which it has"`
	Step       string      `json:"step" doc:"of the ladder, in force for the line or its customer"`
	Allowances []Allowance `json:"allowances"`
}

// Allowance is what a rule has measured, and what it lets pass.
type Allowance struct {
	Rule  string `json:"rule"`
	Life  string `json:"life"`
	Used  int64  `json:"used_micro"`
	Least int64  `json:"allowance_micro"`
}

// known writes habits for people.
func (h *Habits) known() string {
	if h == nil {
		return ""
	}
	if h.Days == 0 && h.Hours == "" {
		return "nothing yet"
	}
	abroad := "nowhere abroad"
	if len(h.Countries) > 0 {
		abroad = strings.Join(h.Countries, " ")
	}
	text := fmt.Sprintf("known for %s: calls %s; %s, from %s with %s", Count(h.Days, "day", "days"), cmp.Or(h.Hours, "at no usual hour"), abroad,
		Count(h.Networks, "network", "networks"), Count(h.Products, "product", "products"))
	if h.Learning {
		text += "; still learning"
	}
	return text
}

// room writes what the rules still let pass.
func (h *Habits) room() string {
	if h == nil {
		return ""
	}
	var parts []string
	for _, a := range h.Allowances {
		if a.Life != "off" {
			parts = append(parts, fmt.Sprintf("%s %s of %s", a.Rule, Amount(money.Micro(a.Used)), Amount(money.Micro(a.Least))))
		}
	}
	return strings.Join(parts, ", ")
}

// Resource describes one line with all of that. The parts that are lists have descriptions of their own.
func (LineDetail) Resource() Resource[LineDetail] {
	return Resource[LineDetail]{
		Name: "line", Path: "lines", Get: "Show a line: settings, phones, calls, money", Delete: "Delete a line; its calls are cut",
		Fields: "line: id!, customer, name, number, state, calls in progress?, login: no login?, tariff, zone, short number: short?, further numbers: numbers?, group-?, forwards?, ip lock?, restrictions?, habits?, unusual: room?, courtesy, since: created, identity",
		Would: `Line {{.ID}} of {{.Customer}} would be removed: {{count (len .Phones) "phone" "phones"}} dropped, ` +
			`{{count (len .Calls) "call" "calls"}} cut. Its call records stay.`,
		Gone: "Line {{.ID}} is removed. Its records stay: ringfence cdr list --line {{.Identity}}",
		Cells: map[string]func(*LineDetail) Cell{
			"state":             func(l *LineDetail) Cell { return l.State() },
			"calls in progress": (*LineDetail).locked,
			"no login":          (*LineDetail).noLogin,
			"numbers":           func(l *LineDetail) Cell { return Cell{Text: strings.Join(l.Numbers, ", ")} },
			"group":             func(l *LineDetail) Cell { return Cell{Text: l.Group.Text()} },
			"forwards":          func(l *LineDetail) Cell { return Cell{Text: l.Forwards.Text()} },
			"ip lock":           func(l *LineDetail) Cell { return Cell{Text: locks(l.Nets)} },
			"restrictions":      func(l *LineDetail) Cell { return inForce(l.Closed, "--line "+l.ID) },
			"habits":            func(l *LineDetail) Cell { return Cell{Text: l.Habits.known()} },
			"room":              func(l *LineDetail) Cell { return Cell{Text: l.Habits.room()} },
			"courtesy":          func(l *LineDetail) Cell { return courtesyCell(l.Courtesy) },
		},
	}
}

// locked says what a lock does to calls in progress.
func (l *LineDetail) locked() Cell {
	return Cell{Text: map[string]string{
		"end":  "paid calls end when their paid time ends, within a minute",
		"cut":  "paid calls are cut at once",
		"keep": "go on, and may still cost up to the caps",
	}[l.LockCalls]}
}

func (l *LineDetail) noLogin() Cell {
	if l.Login {
		return Cell{}
	}
	return Cell{"none: give it a password with ringfence line password " + l.ID, "warn"}
}

func locks(nets []NetLock) string {
	all := make([]string, len(nets))
	for i, n := range nets {
		all[i] = strings.Join(n.Nets, ", ") + " (" + n.From + ")"
	}
	return strings.Join(all, "; ")
}

// courtesyCell says what the word for a courtesy is about.
func courtesyCell(courtesy string) Cell {
	return Cell{Text: cmp.Or(courtesy, "both") + " (changes in logins that the owner is notified of)"}
}

// Removed is a line or customer that is gone. What is kept of it can be asked for by its identity in place of an id.
type Removed struct {
	ID       string          `json:"id" doc:"its former id, which another may have now"`
	Identity string          `json:"identity"`
	Customer string          `json:"customer,omitempty" doc:"of a line: its customer"`
	Account  string          `json:"customer_identity,omitempty"`
	Until    time.Time       `json:"until" doc:"when it was removed"`
	Body     json.RawMessage `json:"body,omitempty" doc:"of the journal: who removed it, and what it was"`
}

// Resource describes what was removed.
func (Removed) Resource() Resource[Removed] {
	return Resource[Removed]{Columns: "identity, was called: id, customer, until"}
}

// NewLine is a line to add. Without a password one is generated and returned once.
type NewLine struct {
	ID         string `json:"id" maxLength:"64" doc:"the SIP user name: a-z, A-Z, 0-9, . _ -" arg:"" help:"SIP user name: letters, digits, '.', '_', '-'."`
	Customer   string `json:"customer" maxLength:"40" required:"true" help:"Customer that owns the line." placeholder:"CUSTOMER" predict:"customer"`
	Password   string `json:"password,omitempty" maxLength:"128" doc:"empty: one is generated" kong:"-"`
	NoPassword bool   `json:"no_password,omitempty" doc:"the line cannot log in" help:"No password: the line cannot log in." xor:"password"`
	PatchLine
}

// Created is a new line and, when it was generated, its password. It cannot be read again.
type Created struct {
	Line     Line   `json:"line"`
	Password string `json:"password,omitempty" doc:"shown once"`
}

// PatchLine changes what is present in it, all or nothing.
type PatchLine struct {
	Name     *string   `json:"name,omitempty" maxLength:"200" help:"Description, such as its place or user." placeholder:"NAME"`
	Number   *string   `json:"number,omitempty" maxLength:"40" doc:"as people write it: 020 7946 0000, +442079460000; empty removes it" help:"Telephone number, presented to the called party." placeholder:"NUMBER"`
	Nets     *[]string `json:"nets,omitempty" maxItems:"256" doc:"replaces the line's own IP lock; [] removes it" kong:"-"`
	Courtesy *string   `json:"courtesy,omitempty" enum:"both,user-agent,off,inherit" doc:"inherit: as the customer says" kong:"-"`
	Honeypot *bool     `json:"honeypot,omitempty" doc:"a decoy that nobody owns: any login to it is an attack; its phones are dropped" kong:"-"`
	Set      []Change  `json:"set,omitempty" maxItems:"64" kong:"-"`

	ForwardAlways      *string `json:"forward_always,omitempty" maxLength:"40" doc:"forwards every call to a number that the line can dial, and for which it pays; empty forwards none" kong:"-"`
	ForwardBusy        *string `json:"forward_busy,omitempty" maxLength:"40" doc:"the same for calls that find the line busy" kong:"-"`
	ForwardNoAnswer    *string `json:"forward_no_answer,omitempty" maxLength:"40" doc:"the same for calls that nobody answers" kong:"-"`
	ForwardUnreachable *string `json:"forward_unreachable,omitempty" maxLength:"40" doc:"the same for calls that reach no phone of the line" kong:"-"`
	ForwardAfter       *int    `json:"forward_after,omitempty" minimum:"5" maximum:"90" doc:"for how many seconds phones ring before forward_no_answer" kong:"-"`

	Short    *string   `json:"short,omitempty" maxLength:"4" doc:"two to four digits by which the lines of its customer call it; empty removes it" kong:"-"`
	Numbers  *[]string `json:"numbers,omitempty" maxItems:"100" doc:"replaces its further numbers; each a number or a range, 020 7946 0100-0199; [] removes them" kong:"-"`
	Rings    *[]string `json:"rings,omitempty" maxItems:"16" doc:"replaces the lines of its customer that ring for its calls, by their ids; [] makes it no group" kong:"-"`
	Ring     *string   `json:"ring,omitempty" enum:"together,in-turn" doc:"how they ring: all together, or one after the other" kong:"-"`
	RingEach *int      `json:"ring_each,omitempty" minimum:"5" maximum:"90" doc:"with in-turn, for how many seconds each rings" kong:"-"`
}

// SetPassword gives a line a password; an empty one generates it. Phones that are registered are dropped.
type SetPassword struct {
	Password string `json:"password,omitempty" maxLength:"128" kong:"-"`
}

// LinePassword gives one a password.
type LinePassword struct {
	LineID
	Body SetPassword `embed:""`
}

// Password answers a change of password. The value is there only when it was generated, and only this once.
type Password struct {
	Line      string `json:"line"`
	Password  string `json:"password,omitempty" doc:"shown once"`
	Generated bool   `json:"generated"`
}

// Lock closes a line to all but emergency calls.
type Lock struct {
	Why       string `json:"why" maxLength:"200" doc:"for staff and the customer; required" required:"true" help:"Reason, for staff and the customer." placeholder:"TEXT"`
	Cut       bool   `json:"cut,omitempty" doc:"cut its calls in progress at once; else they end when their paid time ends, within a minute. Free and emergency calls go on" help:"Cut calls in progress at once." xor:"calls"`
	KeepCalls bool   `json:"keep_calls,omitempty" doc:"let its calls in progress go on, and go on costing up to the caps; not with cut" help:"Let calls in progress continue; they may still cost up to the caps." xor:"calls"`
}

// LineLock locks one.
type LineLock struct {
	LineID
	Body Lock `embed:""`
}

// Locked is a line that was just locked, and what that does to its calls in progress.
type Locked struct {
	Line
	Calls LockedCalls `json:"calls_in_progress"`
}

// Unlocked answers an unlock with what still keeps the line's phones out.
type Unlocked struct {
	Line
	Opened  bool      `json:"opened" doc:"false: it was open already"`
	Blocked []Blocked `json:"blocked"`
}

// Blocked is something that keeps a line's phones out although the line is open.
type Blocked struct {
	What string `json:"what"`
	Undo string `json:"undo" doc:"the command that undoes it"`
}

// LineRequest asks staff to loosen a setting of one.
type LineRequest struct {
	LineID
	Body NewRequest `embed:""`
}

// LineVerdict says whose a device of one is.
type LineVerdict struct {
	LineID
	Body Verdict `embed:""`
}

// Registration is a registered phone and whose it is.
type Registration struct {
	Line     string `json:"line"`
	Customer string `json:"customer"`
	Phone
}

// Resource describes registrations.
func (Registration) Resource() Resource[Registration] {
	return Resource[Registration]{
		Name: "registration", Path: "registrations", Tag: "lines", Next: "after", List: "List registered phones, by line",
		Columns: "line, from: received, over: transport, user agent: user_agent~, seen, expires?, contact~?",
		Empty:   "No phone is registered.",
	}
}

// RegistrationFilter selects registrations.
type RegistrationFilter struct {
	Line     string `query:"line" maxLength:"80" arg:"" optional:"" help:"Only this line's phones." predict:"line"`
	Customer string `query:"customer" maxLength:"60" help:"Only this customer." placeholder:"CUSTOMER" predict:"customer"`
}

// Resource describes registered phones, those of one line.
func (Phone) Resource() Resource[Phone] {
	return Resource[Phone]{
		Columns: "address: received, over: transport, user agent: user_agent~, since, until: expires, contact~",
		Cells:   map[string]func(*Phone) Cell{"expires": func(p *Phone) Cell { return Cell{Text: p.Expires.Local().Format(time.TimeOnly)} }},
	}
}

// LockedCalls counts the calls that a lock met on all nodes.
type LockedCalls struct {
	Cut    int    `json:"cut" doc:"end at once; without cut these are paid calls that were not answered yet"`
	Ending int    `json:"ending" doc:"end when their paid time ends, within a minute"`
	Kept   int    `json:"kept" doc:"go on, and may still cost up to the caps"`
	Free   int    `json:"free" doc:"cost the line nothing, and go on"`
	Text   string `json:"text" doc:"the same in words"`
}

// Phone is a registered contact.
type Phone struct {
	Contact   string    `json:"contact"`
	Received  string    `json:"received" doc:"address:port it is reached at"`
	Transport string    `json:"transport"`
	UserAgent string    `json:"user_agent"`
	Since     time.Time `json:"since"`
	Expires   time.Time `json:"expires"`
	Seen      time.Time `json:"seen" doc:"when it registered last"`
}
