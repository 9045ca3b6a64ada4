package notify

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/guard"
	"ringfence/state/store"
)

// view is what templates see: finished, cleaned texts. Operators' templates may use all of it.
type view struct {
	Kind     Kind
	Notice   int64
	Title    string // heading
	Subject  string
	Provider string
	Name     string // of the person; "" is none
	Desk     bool   // for the fraud desk
	Told     string // for the desk: whether the customer was told too
	Critical bool

	Checkpoint string // mark of the newest checkpoint of the journal; "" is none

	Line     string // its handle; "" is none
	LineName string
	Number   string // "+442079460000"
	Customer string // name, else id
	When     string // "Monday 23 November 2026, 14:05 GMT (Europe/London)"

	Text      string   // what happened, of a finding
	Also      []string // further findings about the same login
	Meaning   string   // of a finding
	Advice    []string
	Rows      []row // what is known, for a table
	By, Why   string
	Calls     string // of a lock, what becomes of calls in progress: "end", "cut", "keep", or "all": cut, free ones and those to the line too
	Fewer     bool   // a restriction lets fewer calls be made at once
	Now       string // of a restriction: "closed", "lifted" or "ended"
	Only      bool   // it is an allow list
	EndsCalls bool   // it ends calls in progress too
	Seen      seen

	Used, Running, Level string // money, of usage-level

	Bill, Sum, Due string // of a bill: its number, what is to be paid of it, and by which day
	// Total of a bill, and how much of that need not be paid until a dispute is decided; "" when nothing is in dispute.
	Total, InDispute string
	AllDisputed      bool
	Late             bool   // that day is over
	Again            string // which reminder it is: "1"

	Request         string // its number
	Setting, Wanted string // what it asks for: "international-ceiling", "50p a minute"
	Granted         bool   // the answer
	Change          string // code of a change that waits
	Note            string // of staff, with the answer

	Items       []shownItem
	Count, More int  // notices in a digest, and those of them that are not in Items
	Urgent      bool // some of Items are, and came in such numbers that they had to be gathered

	Buttons []button
	Cap     string // of a login on probation, in all
	Code    string // what a usual phone dials to admit a login that is held
	Lasts   string // until when the buttons work
	Asks    string // what they do, with that
	OffURL  string
	OffText string // how to switch the notice off, without the URL
	Help    Help
	Shown   bool // for another person to read: links are left out, and a note says so
}

type row struct{ Label, Value string }

type button struct {
	Label, URL string
	Danger     bool
}

type shownItem struct {
	When, Line, Title, Text string
	Urgent                  bool
}

// seen is a login as it was seen.
type seen struct {
	Agent, Address, Where, New string
	Call, Hosting              bool
	Admitted                   bool // by the owner's word, not by a password beyond guessing
}

// look makes the view of a notice for one person.
func (n *Notifier) look(x *store.Notice, person string, shown bool) *view {
	d := draftOf(x)
	v := &view{
		Kind: d.info.Kind, Notice: x.ID, Title: d.info.Title, Provider: n.o.Help.provider(), Critical: d.critical(), Help: n.o.Help,
		Line: strange(account.Handle(d.line), 64), Cap: moneyText(policy.ProbationCap()), Code: guard.AdmitCode, Text: d.Text, Also: d.Also, By: strange(d.By, maxShown), Why: strange(d.Why, maxValue), Shown: shown,
	}
	customer, contact, owner := customerOf(person)
	if n.o.Checkpoint != nil {
		v.Checkpoint = n.o.Checkpoint()
	}
	if v.Desk = !owner && person != "" && !isSelf(person) && !strings.HasPrefix(person, formerMark); v.Desk {
		v.Told = n.told(&d)
	}
	if c := n.contact(customer, contact); owner && c != nil {
		v.Name = Clean(c.Name, 80)
	}
	zone := n.about(v, &d)
	v.When = when(x.At, zone)
	if k := d.info.finding; k != 0 {
		v.Meaning, v.Advice = k.Meaning(), k.Advice()
	}
	v.evidence(&d, zone)
	for _, it := range d.Items {
		info, _ := infoOf(it.Kind)
		v.Items = append(v.Items, shownItem{when(it.At, zone), strange(account.Handle(it.Line), 64), info.Title, it.Text, it.Urgent})
		v.Urgent = v.Urgent || it.Urgent
	}
	v.Count, v.More = len(d.Bundled), len(d.Bundled)-len(d.Items)
	n.answers(v, &d, person, zone)
	return v
}

// about fills in whose line it is and gives the time zone to tell times in.
func (n *Notifier) about(v *view, d *draft) *time.Location {
	zone := n.o.Zone
	if l, ok := n.o.Book.Line(d.line); ok {
		v.Line, v.LineName, zone = l.Handle(), Clean(l.Name(), 80), l.Zone()
		if l.Number() != "" {
			v.Number = "+" + l.Number()
		}
	}
	if c, ok := n.o.Book.Customer(d.account); ok {
		v.Customer = Clean(c.Name, 80)
		if z, err := time.LoadLocation(c.ZoneInForce); err == nil {
			zone = z
		}
	}
	v.Customer = cmp.Or(v.Customer, strange(account.Handle(d.account), 64))
	return zone
}

// told says to the desk whether the owner knows.
func (n *Notifier) told(d *draft) string {
	switch {
	case !d.info.Owner || d.account == "":
		return ""
	case !slices.ContainsFunc(n.contacts(d), func(r recipient) bool { return n.decide(&r, d, 0, 0).state() != store.Off }):
		return "No contact of the customer gets this notice. It is written for the owner of the line."
	}
	return "The customer's contacts get this notice too, in the same words."
}

// answers fills in the buttons and how to switch the notice off.
func (n *Notifier) answers(v *view, d *draft, person string, zone *time.Location) {
	urls := n.urls(d, person)
	if v.Shown {
		for action := range urls {
			urls[action] = ""
		}
	}
	if u, ok := urls[Admit]; ok {
		v.Buttons = []button{{"Look at this login", u, false}, {"Not me: lock the line", urls[NotMine], true}}
		v.Lasts = when(d.at.Add(guard.HeldFor), zone)
		v.Asks = "Each opens a page that asks you to confirm. You can admit the login until " + v.Lasts + "."
	} else if u, ok := urls[Mine]; ok {
		v.Buttons = []button{{"That was me", u, false}, {"Not me: lock the line", urls[NotMine], true}}
		if d.info.Kind == UsageLevel {
			v.Buttons[0].Label, v.Buttons[1].Label = "These are our calls", "Not ours: lock the line"
		}
		v.Lasts = when(d.Until, zone)
		v.Asks = "Each opens a page that asks you to confirm. Only the first answer counts; you can answer until " + v.Lasts + "."
	}
	u, off := urls[Off]
	v.OffURL = u
	switch {
	case isSelf(person) && billed(v.Kind):
		v.OffText = "You get this because you are the owner of " + v.Customer + ", and no contact is there for bills."
	case isSelf(person):
		v.OffText = "You get this because it is about how you sign in. It cannot be switched off."
	case strings.HasPrefix(person, formerMark):
		v.OffText = "You get this because you were a contact of " + v.Customer + " until now."
	case v.Desk:
		v.OffText = "You get this because your address is set up as the fraud desk's."
	case off && v.Shown:
		v.OffText = "You get this because you are a contact of " + v.Customer + ". (Here the person's own message has a link that switches off notices of this kind.)"
	case off:
		v.OffText = "You get this because you are a contact of " + v.Customer + ". To switch off notices of this kind (" + offWords(d.info.Kind) + "):"
	case v.Critical:
		v.OffText = "You get this because you are a contact of " + v.Customer + ". Warnings as serious as this cannot be switched off. Tell us if they should go to somebody else."
	default:
		v.OffText = "You get this because you are a contact of " + v.Customer + ". To switch it off, tell us."
	}
}

// evidence fills in what is known of the event, as rows and for the sentences of templates.
func (v *view) evidence(d *draft, zone *time.Location) {
	e := d.Evidence
	if v.Line != "" {
		v.row("Line", join(", ", v.Line, v.LineName, v.Number))
	}
	if v.Desk && d.account != "" {
		v.row("Customer", account.Handle(d.account))
	}
	v.row("When", v.When)
	v.Seen = readSeen(e, d.Source)
	v.row("Calls itself", v.Seen.Agent)
	v.row("Address", v.Seen.Address)
	v.row("Network", strange(scalar(e["net"]), 60))
	v.row("Where", v.Seen.Where)
	v.other("Before that", e["last"], zone)
	switch x := e["elsewhere"].(type) {
	case map[string]any:
		v.other("Also in use at", x, zone)
	case []any:
		for _, o := range x[:min(len(x), 5)] {
			v.other("Also in use at", o, zone)
		}
	}
	for i := range labels {
		l := &labels[i]
		v.row(l.label, l.value(e[l.key], zone))
	}
	v.usage(e)
	v.lock(e)
	v.request(e)
	v.bill(d, zone)
	v.restriction(e)
	theirs := d.account != "" && strings.HasPrefix(d.By, account.Handle(d.account)+"/")
	nobody := v.By == "" || v.By == fact.ByAnswer || v.By == fact.ByCode || v.By == fact.ByForwardCode // no person
	if !nobody && !v.Desk && !theirs {
		v.By = "our staff" // whose name or machine must not be known outside
	}
	v.row("Done by", v.By)
	v.row("Reason", v.Why)
	if v.Desk {
		v.row("Finding", strange(account.HandlePath(d.Finding), maxValue))
	}
}

func (v *view) row(label, value string) {
	if value != "" {
		v.Rows = append(v.Rows, row{label, value})
	}
}

type label struct{ key, label, unit string }

// labels of what evidence may say, beyond a login; what is not here is not shown.
var labels = []label{
	{"failures", "Wrong logins", ""},
	{"unconfirmed", "Calls not confirmed", "within an hour"},
	{"wrong_answers", "Wrong answers to the last", ""},
	{"early_keys", "Keys pressed before they were spoken", ""},
	{"sources", "Addresses", ""},
	{"lines", "Lines tried", ""},
	{"known", "Of these exist here", ""},
	{"days", "Within", "days"},
	{"budget", "Attempts allowed from new places", "a day"},
	{"until", "Locked out until", ""},
	{"setting", "Setting", ""},
	{"wanted", "Asked for", ""},
	{"wanted_until", "Only until", ""},
	{"closes", "Closed", ""},
	{"opens", "Open, and nothing else that costs", ""},
	{"does", "What it does", ""},
	{"hours", "At these times", ""},
	{"closed_until", "Until", ""},
	{"restriction", "Number of the restriction", ""},
	{"waits_until", "Can be admitted until", ""},
	{"limits_until", "Limits end", ""},
	{"loosens", "Loosens", ""},
	{"happens", "Happens", ""},
	{"change", "Number of the change", ""},
	{"guesses", "Passwords tried", ""},
	{"given_to", "The challenge went to", ""},
	{"replaced_at", "Password replaced", ""},
	{"km_at_least", "Distance, at least", "km"},
	{"minutes_between", "Time between", "minutes"},
	{"bans", "Sources blocked", ""},
	{"from", "From", ""},
	{"till", "Until", ""},
	{"sample", "Among them", ""},
	{"carrier", "Carrier", ""},
	{"closed", "Closed", ""},
	{"kept_open", "Stays open", ""},
	{"call_id", "Call", ""},
	{"leg_call_id", "Call-ID at the carrier", ""},
}

// value is one figure, time or list of evidence in words; "" is nothing to show.
func (l *label) value(x any, zone *time.Location) string {
	var s string
	switch x := x.(type) {
	case []any:
		for _, y := range x[:min(len(x), 10)] {
			s = join(", ", s, strange(scalar(y), 60))
		}
	default:
		s = strange(scalar(x), maxShown)
		if t, err := time.Parse(time.RFC3339Nano, scalar(x)); err == nil {
			s = when(t, zone)
			if l.key == "wanted_until" || l.key == "closed_until" {
				s = end(t, zone)
			}
		}
	}
	if s == "" || s == "0" {
		return ""
	}
	return join(" ", s, l.unit)
}

func (v *view) other(label string, x any, zone *time.Location) {
	o, _ := x.(map[string]any)
	if len(o) == 0 {
		return
	}
	s := readSeen(o, "")
	at := ""
	if t, err := time.Parse(time.RFC3339Nano, scalar(o["at"])); err == nil {
		at = when(t, zone)
	}
	v.row(label, join(", ", s.Address, s.Where, at))
}

// usage fills in the amounts of detect.UsagePassed.
func (v *view) usage(e map[string]any) {
	level, ok := micro(e["level_micro"])
	settled, ok1 := micro(e["settled_micro"])
	running, ok2 := micro(e["running_micro"])
	if v.Kind != UsageLevel || !ok || !ok1 || !ok2 {
		return
	}
	v.Used, v.Level = moneyText(settled.Add(running)), moneyText(level)
	if running > 0 {
		v.Running = moneyText(running)
	}
	v.row("Used so far", v.Used)
	v.row("Of which calls in progress", v.Running)
	v.row("Warning level", v.Level)
}

// lock says what a lock does to calls in progress. A notice of the previous version does not say: its lock ends them now.
func (v *view) lock(e map[string]any) {
	if v.Kind != LineLocked {
		return
	}
	v.Calls = account.CallsEnd.String()
	switch s := scalar(e["calls"]); {
	case v.By == fact.ByAnswer:
		v.Calls = "all"
	case s == account.CallsCut.String() || s == account.CallsKept.String():
		v.Calls = s
	}
}

// request fills in what was asked for, and what the answer was.
func (v *view) request(e map[string]any) {
	if v.Kind == ChangeWaiting {
		v.Change, v.Wanted, v.Note = strange(scalar(e["change"]), 20), strange(scalar(e["loosens"]), maxValue), strange(scalar(e["note"]), maxValue)
	}
	if v.Kind != RequestMade && v.Kind != RequestAnswered {
		return
	}
	v.Request = strange(scalar(e["request"]), 20)
	v.Setting, v.Wanted = strange(scalar(e["setting"]), 40), strange(scalar(e["wanted"]), 40)
	v.Granted, v.Note = scalar(e["answer"]) == "granted", strange(scalar(e["note"]), maxValue)
	v.row("Note", v.Note)
}

func first(e map[string]any, keys ...string) any {
	for _, k := range keys {
		if x, ok := e[k]; ok {
			return x
		}
	}
	return nil
}

func micro(x any) (money.Micro, bool) {
	n, _ := x.(json.Number)
	m, err := n.Int64()
	return money.Micro(m), err == nil
}

// moneyText is an amount for people.
func moneyText(m money.Micro) string { return money.Billing().Shown(m) }

func readSeen(e map[string]any, source string) seen {
	s := seen{Agent: strange(scalar(e["agent"]), maxShown), Address: strange(scalar(first(e, "address", "source")), 60), New: scalar(e["new"])}
	s.Address = cmp.Or(s.Address, strange(source, 60))
	s.Call, _ = e["call"].(bool)
	s.Hosting, _ = e["hosting"].(bool)
	s.Admitted = scalar(e["how"]) == "admitted"
	network := strange(scalar(e["network"]), 80)
	if as := scalar(e["asn"]); as != "" && as != "0" {
		network = join(" ", network, "AS"+as)
	}
	s.Where = join(", ", Country(scalar(e["country"])), network)
	if s.Hosting && s.Where != "" {
		s.Where += " (a data centre)"
	}
	return s
}

// networkOf is the network that a login came from, in words: "203.0.113.0/24, Brazil, Example Telecom AS64500".
func networkOf(e map[string]any) string {
	return join(", ", strange(scalar(e["net"]), 60), readSeen(e, "").Where)
}

// Country is the English name of an ISO 3166-1 code; "" of none that there is.
func Country(code string) string {
	if len(code) != 2 {
		return ""
	}
	region, err := language.ParseRegion(code)
	if err != nil || !region.IsCountry() {
		return ""
	}
	return display.English.Regions().Name(region)
}

// scalar is a plain value in words; "" of what is none.
func scalar(x any) string {
	switch x := x.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	}
	return ""
}

func join(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

// when is a time for people, in their zone and with its name.
func when(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format("Monday 2 January 2006, 15:04 MST") + nameOf(zone)
}

// end is when for what ends: at midnight it is the end of the day before, because people would read the date as the last day.
func end(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	if h, m, s := t.Clock(); h+m+s > 0 {
		return when(t, zone)
	}
	return t.AddDate(0, 0, -1).Format("the end of Monday 2 January 2006") + nameOf(zone)
}

func nameOf(zone *time.Location) string {
	if name := zone.String(); name != "UTC" && name != "Local" {
		return " (" + name + ")"
	}
	return ""
}
