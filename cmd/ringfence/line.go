package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type lineCmd struct {
	remote
	Add           lineAdd           `cmd:"" help:"Add a line; prints its password once."`
	Import        lineImport        `cmd:"" help:"Add lines from a CSV file: all of them, or none."`
	List          lineList          `cmd:"" help:"List lines."`
	Show          lineShow          `cmd:"" help:"Show a line: settings, phones, calls, money."`
	Set           lineSet           `cmd:"" help:"Change a line or its settings."`
	Password      linePassword      `cmd:"" help:"Give a line a new password, generated unless asked for."`
	Lock          lineLock          `cmd:"" help:"Close a line to all but emergency calls."`
	Unlock        lineUnlock        `cmd:"" help:"Open a locked line."`
	Registrations lineRegistrations `cmd:"" help:"List every registered phone: where it is, what it is, when it was seen."`
	Devices       lineDevices       `cmd:"" help:"List where and with what the line's login was used."`
	Device        lineDevice        `cmd:"" help:"Say whose a device is."`
	Usage         lineUsage         `cmd:"" help:"Show un-billed usage, calls in progress counted, and the next warning."`
	Request       lineRequest       `cmd:"" help:"Ask staff to loosen a setting, as the customer."`
	Remove        lineRemove        `cmd:"" help:"Remove a line; its calls are cut."`
}

type lineAdd struct {
	ID          string   `arg:"" help:"SIP user name: letters, digits, '.', '_', '-'."`
	Customer    string   `required:"" help:"Who owns it." placeholder:"CUSTOMER" predict:"customer"`
	Number      string   `help:"Its telephone number, presented to who is called." placeholder:"NUMBER"`
	Name        string   `help:"Where it is or whose." placeholder:"NAME"`
	AskPassword bool     `help:"Ask for the password (or read it from standard input) instead of generating one." xor:"password"`
	NoPassword  bool     `help:"No password: the line cannot log in." xor:"password"`
	Set         []string `arg:"" optional:"" name:"field=value" help:"Settings to begin with." predict:"setting"`
	grantFlags
}

func (lineAdd) Help() string {
	return examples(`ringfence line add 2001 --customer acme --number "020 7946 0000" --name "Front desk"`,
		"ringfence line add 2002 --customer acme national-ceiling=10p nets=192.0.2.0/24,2001:db8::/32",
		"ringfence line add 2003 --customer acme --ask-password < password.txt")
}

// Run adds it.
func (c *lineAdd) Run(s *session) error {
	a, err := parseAssignments(c.Set, nil, c.grantFlags)
	if err != nil {
		return err
	}
	in := api.NewLine{ID: c.ID, Customer: c.Customer, Number: c.Number, Name: c.Name, NoPassword: c.NoPassword, Set: a.set}
	if a.nets != nil {
		in.Nets = *a.nets
	}
	if c.AskPassword {
		if in.Password, err = s.askPassword("line " + c.ID); err != nil {
			return err
		}
	}
	var out api.Created
	if err := s.do(http.MethodPost, pathOf("lines"), in, &out); err != nil {
		return adding("line", c.ID, err)
	}
	return s.emit(out, func() error {
		if err := s.say("Line %s added for %s.", out.Line.ID, out.Line.Customer); err != nil {
			return err
		}
		return s.password(out.Line.ID, out.Password)
	})
}

type lineList struct {
	Customer string `query:"customer" help:"Only this customer's." placeholder:"CUSTOMER" predict:"customer" xor:"which"`
	Removed  bool   `help:"Lines that were removed, with the identity that their records are kept under." xor:"which"`
	Limit    int    `help:"Show no more than this (0: all)." placeholder:"N"`
}

func (lineList) Help() string {
	return examples("ringfence line list", "ringfence line list --removed", "ringfence line list --customer acme", "ringfence line list --json | jq -r '.[] | select(.locked) | .id'")
}

// Run lists them.
func (c *lineList) Run(s *session) error {
	if c.Removed {
		return s.removed("lines", c.Limit)
	}
	items, more, err := all[api.Line](s, pathOf("lines"), "after", c.Limit, c)
	if err != nil {
		return err
	}
	return s.emit(items, func() error {
		t := table.New(table.Left("line"), table.Left("customer"), table.Left("number"), table.Cut("name"), table.Left("login"), table.Cut("state"))
		for _, x := range items {
			t.Row(x.ID, x.Customer, x.Number, x.Name, yesNo(x.Login), lockCell(&x))
		}
		return s.cutList(t, more, "No lines yet: ringfence line add LINE --customer CUSTOMER")
	})
}

// removed lists lines or customers that are gone.
func (s *session) removed(what string, limit int) error {
	var page api.List[api.Removed]
	if err := s.get(pathOf("removed", what), &page); err != nil {
		return err
	}
	items, more := page.Items, false
	if limit > 0 && len(items) > limit {
		items, more = items[:limit], true
	}
	return s.emit(items, func() error {
		t := table.New(table.Left("identity"), table.Left("was called"), table.Left("customer"), table.Left("until"))
		for _, r := range items {
			t.Row(r.Identity, r.ID, r.Customer, moment(r.Until))
		}
		return s.cutList(t, more, "No "+what+" were removed.")
	})
}

func lockCell(l *api.Line) table.Cell {
	if l.Honeypot {
		return table.Cell{Text: "honeypot: any login to it is an attack", Style: table.Warn}
	}
	if !l.Locked {
		return table.Cell{Text: "open", Style: table.Good}
	}
	return table.Cell{Text: strings.TrimSuffix("locked: "+l.LockWhy, ": "), Style: table.Bad}
}

// lockCallsText says what a lock does to calls in progress.
var lockCallsText = map[string]string{
	"end":  "paid calls end when their paid time ends, within a minute",
	"cut":  "paid calls are cut at once",
	"keep": "go on, and may still cost up to the caps",
}

type lineShow struct {
	ID string `arg:"" help:"Line." predict:"line"`
}

func (lineShow) Help() string { return examples("ringfence line show 2001") }

// Run shows it.
func (c *lineShow) Run(s *session) error {
	var out api.LineDetail
	if err := s.get(pathOf("lines", c.ID), &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.showLine(&out) })
}

func (s *session) showLine(l *api.LineDetail) error {
	t := table.New(table.Left(""), table.Left(""))
	t.Row("line", table.Cell{Text: l.ID, Style: table.Bold})
	t.Row("customer", l.Customer)
	t.Row("name", l.Name)
	t.Row("number", l.Number)
	t.Row("state", lockCell(&l.Line))
	if l.Locked {
		t.Row("calls in progress", lockCallsText[l.LockCalls])
	}
	if !l.Login {
		t.Row("login", table.Cell{Text: "none: give it a password with ringfence line password " + l.ID, Style: table.Warn})
	}
	t.Row("tariff", l.Tariff)
	t.Row("zone", l.Zone)
	for _, n := range l.Nets {
		t.Row("ip lock", netsText(n.Nets)+" ("+n.From+")")
	}
	t.Row("courtesy", l.Courtesy+courtesyMeans)
	t.Row("since", moment(l.Created))
	t.Row("identity", l.Identity)
	if err := s.table(t, 0); err != nil {
		return err
	}
	if err := s.settings(l.Settings); err != nil {
		return err
	}
	if err := s.purses(l.Purses); err != nil {
		return err
	}
	if err := s.phones(l.Phones); err != nil {
		return err
	}
	return s.section("Calls in progress", callTable(l.Calls))
}

func (s *session) phones(phones []api.Phone) error {
	t := table.New(table.Left("address"), table.Left("over"), table.Cut("user agent"), table.Left("since"), table.Left("until"), table.Cut("contact"))
	for _, p := range phones {
		t.Row(p.Received, p.Transport, p.UserAgent, moment(p.Since), p.Expires.Local().Format(time.TimeOnly), p.Contact)
	}
	if t.Len() == 0 {
		return s.say("\nNo phone is registered.")
	}
	return s.section("Phones", t)
}

// lineTexts are the fields of a line that are no settings.
var lineTexts = []string{"name", "number", "courtesy", "honeypot"}

type lineSet struct {
	ID  string   `arg:"" help:"Line." predict:"line"`
	Set []string `arg:"" name:"field=value" help:"name, number, courtesy (both, user-agent, off or inherit), honeypot (on or off), nets (\"none\" opens the lock), or a setting (\"inherit\" takes it back)." predict:"setting"`
	grantFlags
}

func (lineSet) Help() string {
	return examples("ringfence line set 2001 national-ceiling=10p", `ringfence line set 2001 nets="192.0.2.0/24, 2001:db8::/32"`,
		"ringfence line set 2001 international-ceiling=£1 max-international=1 --grant --until 2026-12-01",
		"ringfence line set 2001 national-ceiling=inherit nets=none", `ringfence line set 2001 name="Front desk" number="020 7946 0000"`,
		"ringfence line set 2001 courtesy=user-agent line-warning=£25", "ringfence line set trap honeypot=on")
}

// Run changes it.
func (c *lineSet) Run(s *session) error {
	a, err := parseAssignments(c.Set, lineTexts, c.grantFlags)
	if err != nil {
		return err
	}
	in := api.PatchLine{Name: a.text("name"), Number: a.text("number"), Courtesy: a.text("courtesy"), Nets: a.nets, Set: a.set}
	if text := a.text("honeypot"); text != nil {
		if in.Honeypot, err = parseYes(*text); err != nil {
			return usagef("honeypot: found %.40q, want on or off", *text)
		}
	}
	var out api.LineDetail
	if err := s.do(http.MethodPatch, pathOf("lines", c.ID), in, &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.showLine(&out) })
}

type linePassword struct {
	ID          string `arg:"" help:"Line." predict:"line"`
	AskPassword bool   `help:"Ask for the password (or read it from standard input) instead of generating one."`
}

func (linePassword) Help() string {
	return `The line's phones are dropped and must log in with the new password. A password is never taken from the command line, where others could see it.

` + examples("ringfence line password 2001", "ringfence line password 2001 --ask-password", "ringfence line password 2001 --ask-password < password.txt")
}

// Run sets it.
func (c *linePassword) Run(s *session) (err error) {
	var in api.SetPassword
	if c.AskPassword {
		if in.Password, err = s.askPassword("line " + c.ID); err != nil {
			return err
		}
	}
	var out api.Password
	if err := s.do(http.MethodPost, pathOf("lines", c.ID, "password"), in, &out); err != nil {
		return err
	}
	return s.emit(out, func() error {
		if err := s.say("Line %s has a new password; its phones must log in again.", out.Line); err != nil {
			return err
		}
		return s.password(out.Line, out.Password)
	})
}

type lineLock struct {
	ID        string `arg:"" help:"Line." predict:"line"`
	Why       string `required:"" help:"Reason, for staff and the customer." placeholder:"TEXT"`
	Cut       bool   `help:"Cut its calls in progress at once." xor:"calls"`
	KeepCalls bool   `help:"Let its calls in progress go on; they may still cost up to the caps." xor:"calls"`
}

func (lineLock) Help() string {
	return `Nothing more is spent on a locked line: no further talk time is bought, and calls in progress end when the time already paid for
runs out, a minute at most. --cut ends them at once, --keep-calls lets them finish. Free and emergency calls go on in any case.
Locking a locked line again changes how its calls are treated.

` + examples(`ringfence line lock 2001 --why "calls to Cuba at night" --cut`, `ringfence line lock 2001 --why "moves out today" --keep-calls`)
}

// Run locks it, at once: there may be no time to lose, and unlock takes it back.
func (c *lineLock) Run(s *session) error {
	var out api.Locked
	if err := s.do(http.MethodPost, pathOf("lines", c.ID, "lock"), api.Lock{Why: c.Why, Cut: c.Cut, KeepCalls: c.KeepCalls}, &out); err != nil {
		return err
	}
	return s.emit(out, func() error {
		return s.say("Line %s is locked: only emergency calls go out. %s\nOpen it with: ringfence line unlock %s", out.ID, out.Calls.Text, out.ID)
	})
}

type lineUnlock struct {
	ID string `arg:"" help:"Line." predict:"line"`
}

func (lineUnlock) Help() string {
	return `Says what still keeps the line's phones out, and how to undo it: an answer "not me" to a notice does more than lock the line.

` + examples("ringfence line unlock 2001")
}

// Run opens it.
func (c *lineUnlock) Run(s *session) error {
	var out api.Unlocked
	if err := s.do(http.MethodPost, pathOf("lines", c.ID, "unlock"), nil, &out); err != nil {
		return err
	}
	if !out.Opened {
		err := s.nothing(out, "Line %s was open already.", out.ID)
		if shown := s.stillBlocked(&out); shown != nil {
			return shown
		}
		return err
	}
	return s.emit(out, func() error {
		if err := s.say("Line %s is open again.", out.ID); err != nil {
			return err
		}
		return s.stillBlocked(&out)
	})
}

// stillBlocked says what keeps the phones of an open line out; programs have it in what they got.
func (s *session) stillBlocked(u *api.Unlocked) error {
	if len(u.Blocked) == 0 || s.json {
		return nil
	}
	if err := s.say("\n%s", s.out.Paint(table.Bold, "Still blocked")); err != nil {
		return err
	}
	for _, b := range u.Blocked {
		if err := s.say("  - %s\n    Undo it with: %s", wrap(b.What, s.out.Width-4, "\n    "), b.Undo); err != nil {
			return err
		}
	}
	return nil
}

type lineRegistrations struct {
	ID       string `query:"line" arg:"" optional:"" name:"line" help:"Only this line's phones." predict:"line"`
	Customer string `query:"customer" help:"Only this customer's." placeholder:"CUSTOMER" predict:"customer"`
	Limit    int    `help:"Show no more than this (0: all)." placeholder:"N"`
}

func (lineRegistrations) Help() string {
	return `Those of the server that is asked; every node has phones of its own.

` + examples("ringfence line registrations", "ringfence line registrations 2001", "ringfence line registrations --customer acme --json")
}

// Run lists them.
func (c *lineRegistrations) Run(s *session) error {
	items, more, err := all[api.Registration](s, pathOf("registrations"), "after", c.Limit, c)
	if err != nil {
		return err
	}
	return s.emit(items, func() error {
		t := table.New(table.Left("line"), table.Left("from"), table.Left("over"), table.Cut("user agent"), table.Left("seen"), table.Left("expires").AsSpare(), table.Cut("contact").AsSpare())
		for _, r := range items {
			t.Row(r.Line, r.Received, r.Transport, r.UserAgent, moment(r.Seen), moment(r.Expires), r.Contact)
		}
		return s.cutList(t, more, "No phone is registered.")
	})
}

type lineRequest struct {
	ID    string `arg:"" help:"Line." predict:"line"`
	Set   string `arg:"" name:"field=value" help:"The setting wanted." predict:"setting"`
	Until point  `help:"Wanted until then (\"friday\", \"2026-12-01\": that day included; default: for good)." placeholder:"WHEN"`
	Why   string `help:"What for." placeholder:"TEXT"`
}

func (lineRequest) Help() string {
	return examples(`ringfence line request 2001 international-ceiling=50p --until +14d --why "supplier in Cuba"`)
}

// Run asks.
func (c *lineRequest) Run(s *session) error {
	field, value, err := oneSetting(c.Set)
	if err != nil {
		return err
	}
	in := api.NewRequest{Field: field, Value: value, Until: string(c.Until), Why: c.Why}
	var out api.Request
	if err := s.do(http.MethodPost, pathOf("lines", c.ID, "requests"), in, &out); err != nil {
		return err
	}
	return s.emit(out, func() error {
		return s.say("Request %d is made. Staff decide with: ringfence request grant %d   or   ringfence request refuse %d", out.ID, out.ID, out.ID)
	})
}

type lineRemove struct {
	ID  string `arg:"" help:"Line." predict:"line"`
	Yes bool   `help:"Do it; without, only say what would be done."`
}

func (lineRemove) Help() string {
	return examples("ringfence line remove 2001", "ringfence line remove 2001 --yes")
}

// Run removes it, if told twice.
func (c *lineRemove) Run(s *session) error {
	var out api.LineDetail
	if err := s.get(pathOf("lines", c.ID), &out); err != nil {
		return err
	}
	if !c.Yes {
		return s.dryRun(fmt.Sprintf("Line %s of %s would be removed: %s dropped, %s cut. Its call records stay.",
			out.ID, out.Customer, plural(len(out.Phones), "phone", "phones"), plural(len(out.Calls), "call", "calls")))
	}
	if err := s.do(http.MethodDelete, pathOf("lines", c.ID), nil, nil); err != nil {
		return err
	}
	return s.done("Line %s is removed. Its records stay: ringfence cdr list --line %s", out.ID, out.Identity)
}
