package main

import (
	"fmt"
	"strings"
	"time"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type lineCmd struct {
	remote
	Add           lineAdd                       `cmd:"" help:"Add a line; prints its password once." eg:"2001 --customer acme --number \"020 7946 0000\" --name \"Front desk\"; 2002 --customer acme national-ceiling=10p nets=192.0.2.0/24,2001:db8::/32; 2003 --customer acme --ask-password < password.txt"`
	Import        lineImport                    `cmd:"" help:"Add lines from a CSV file: all of them, or none." eg:"lines.csv --dry-run; lines.csv -o passwords.csv"`
	List          lineList                      `cmd:"" help:"List lines." eg:"; --removed; --customer acme; --json | jq -r '.[] | select(.locked) | .id'"`
	Show          lineShow                      `cmd:"" help:"Show a line: settings, phones, calls, money." eg:"2001"`
	Set           lineSet                       `cmd:"" help:"Change a line or its settings." eg:"2001 national-ceiling=10p; 2001 nets=\"192.0.2.0/24, 2001:db8::/32\"; 2001 international-ceiling=£1 max-international=1 --grant --until 2026-12-01; 2001 national-ceiling=inherit nets=none; 2001 name=\"Front desk\" number=\"020 7946 0000\"; 2001 courtesy=user-agent line-warning=£25; trap honeypot=on"`
	Password      linePassword                  `cmd:"" help:"Give a line a new password, generated unless asked for." eg:"2001; 2001 --ask-password; 2001 --ask-password < password.txt"`
	Lock          lineLock                      `cmd:"" help:"Close a line to all but emergency calls." eg:"2001 --why \"calls to Cuba at night\" --cut; 2001 --why \"moves out today\" --keep-calls"`
	Unlock        lineUnlock                    `cmd:"" help:"Open a locked line." eg:"2001"`
	Registrations lineRegistrations             `cmd:"" help:"List every registered phone: where it is, what it is, when it was seen." eg:"; 2001; --customer acme --json"`
	Devices       whole[api.Device, api.LineID] `cmd:"" help:"List where and with what the line's login was used." eg:"2001; 2001 --json"`
	Device        lineDevice                    `cmd:"" help:"Say whose a device is." eg:"2001 198.51.100.0/24 --mine; 2001 203.0.113.0/24 --family MicroSIP --not-mine"`
	Usage         lineUsage                     `cmd:"" help:"Show un-billed usage, calls in progress counted, and the next warning." eg:"2001"`
	Request       lineRequest                   `cmd:"" help:"Ask staff to loosen a setting, as the customer." eg:"2001 international-ceiling=50p --until +14d --why \"supplier in Cuba\""`
	Remove        lineRemove                    `cmd:"" help:"Remove a line; its calls are cut." eg:"2001; 2001 --yes"`
}

type lineAdd struct {
	Body        api.NewLine `embed:""`
	AskPassword bool        `help:"Ask for the password (or read it from standard input) instead of generating one." xor:"password"`
	Set         []string    `arg:"" optional:"" name:"field=value" help:"Settings to begin with." predict:"setting"`
	grantFlags
}

// Run adds it.
func (c *lineAdd) Run(s *session) error {
	a, err := parseAssignments(c.Set, nil, c.grantFlags)
	if err != nil {
		return err
	}
	if c.Body.Set = a.set; a.nets != nil {
		c.Body.Nets = *a.nets
	}
	if c.AskPassword {
		if c.Body.Password, err = s.askPassword("line " + c.Body.ID); err != nil {
			return err
		}
	}
	return adding("line", c.Body.ID, perform(s, "POST /v1/lines", c, func(n *api.Created) error {
		s.say("Line %s added for %s.", n.Line.ID, n.Line.Customer)
		return s.password(n.Line.ID, n.Password)
	}))
}

type lineList struct {
	list[api.Line, api.LineFilter]
	Removed bool `help:"Lines that were removed, with the identity that their records are kept under." xor:"which"`
}

// Run lists them.
func (c *lineList) Run(s *session) error {
	if c.Removed {
		return s.removed("lines", c.Limit)
	}
	return c.list.Run(s)
}

// removed lists lines or customers that are gone.
func (s *session) removed(what string, limit int) error {
	page, err := fetch[api.List[api.Removed]](s, "GET /v1/removed/"+what, nil)
	if err != nil {
		return err
	}
	items, more := page.Items, false
	if limit > 0 && len(items) > limit {
		items, more = items[:limit], true
	}
	return s.emit(items, func() error { return s.cutList(rows(items...), more, "No "+what+" were removed.") })
}

// lockCallsText says what a lock does to calls in progress.
var lockCallsText = map[string]string{
	"end":  "paid calls end when their paid time ends, within a minute",
	"cut":  "paid calls are cut at once",
	"keep": "go on, and may still cost up to the caps",
}

type lineShow struct{ api.LineID }

// Run shows it.
func (c *lineShow) Run(s *session) error { return perform(s, "GET /v1/lines/{id}", c, s.showLine) }

func (s *session) showLine(l *api.LineDetail) error {
	t := table.New(table.Left(""), table.Left(""))
	t.Row("line", table.Cell{Text: l.ID, Style: table.Bold})
	t.Row("customer", l.Customer)
	t.Row("name", l.Name)
	t.Row("number", l.Number)
	t.Row("state", cellOf(l.State()))
	if l.Locked {
		t.Row("calls in progress", lockCallsText[l.LockCalls])
	}
	if !l.Login {
		t.Row("login", table.Cell{Text: "none: give it a password with ringfence line password " + l.ID, Style: table.Warn})
	}
	t.Row("tariff", l.Tariff)
	t.Row("zone", l.Zone)
	for _, n := range l.Nets {
		t.Row("ip lock", strings.Join(n.Nets, ", ")+" ("+n.From+")")
	}
	t.Row("courtesy", l.Courtesy+courtesyMeans)
	t.Row("since", api.Moment(l.Created))
	t.Row("identity", l.Identity)
	s.table(t, 0)
	s.settings(l.Settings)
	s.purses(l.Purses)
	s.phones(l.Phones)
	return s.section("Calls in progress", rows(l.Calls...))
}

func (s *session) phones(phones []api.Phone) error {
	t := table.New(table.Left("address"), table.Left("over"), table.Cut("user agent"), table.Left("since"), table.Left("until"), table.Cut("contact"))
	for _, p := range phones {
		t.Row(p.Received, p.Transport, p.UserAgent, api.Moment(p.Since), p.Expires.Local().Format(time.TimeOnly), p.Contact)
	}
	if t.Len() == 0 {
		return s.say("\nNo phone is registered.")
	}
	return s.section("Phones", t)
}

// lineTexts are the fields of a line that are no settings.
var lineTexts = []string{"name", "number", "courtesy", "honeypot"}

type lineSet struct {
	api.LineID
	Set []string `arg:"" name:"field=value" help:"name, number, courtesy (both, user-agent, off or inherit), honeypot (on or off), nets (\"none\" opens the lock), or a setting (\"inherit\" takes it back)." predict:"setting"`
	grantFlags
	Body map[string]any `kong:"-"`
}

// Run changes it.
func (c *lineSet) Run(s *session) error {
	a, err := parseAssignments(c.Set, lineTexts, c.grantFlags)
	if err != nil {
		return err
	}
	c.Body = a.body()
	if text := a.text("honeypot"); text != nil {
		if c.Body["honeypot"], err = parseYes(*text); err != nil {
			return usagef("honeypot: found %.40q, want on or off", *text)
		}
	}
	return perform(s, "PATCH /v1/lines/{id}", c, s.showLine)
}

type linePassword struct {
	api.LinePassword
	AskPassword bool `help:"Ask for the password (or read it from standard input) instead of generating one."`
}

func (linePassword) Help() string {
	return `The line's phones are dropped and must log in with the new password. A password is never taken from the command line, where others could see it.`
}

// Run sets it.
func (c *linePassword) Run(s *session) (err error) {
	if c.AskPassword {
		if c.Body.Password, err = s.askPassword("line " + c.ID); err != nil {
			return err
		}
	}
	return perform(s, "POST /v1/lines/{id}/password", c, func(p *api.Password) error {
		s.say("Line %s has a new password; its phones must log in again.", p.Line)
		return s.password(p.Line, p.Password)
	})
}

type lineLock struct{ api.LineLock }

func (lineLock) Help() string {
	return `Nothing more is spent on a locked line: no further talk time is bought, and calls in progress end when the time already paid for
runs out, a minute at most. --cut ends them at once, --keep-calls lets them finish. Free and emergency calls go on in any case.
Locking a locked line again changes how its calls are treated.`
}

// Run locks it, at once: there may be no time to lose, and unlock takes it back.
func (c *lineLock) Run(s *session) error {
	return perform(s, "POST /v1/lines/{id}/lock", c, func(l *api.Locked) error {
		return s.say("Line %s is locked: only emergency calls go out. %s\nOpen it with: ringfence line unlock %s", l.ID, l.Calls.Text, l.ID)
	})
}

type lineUnlock struct{ api.LineID }

func (lineUnlock) Help() string {
	return `Says what still keeps the line's phones out, and how to undo it: an answer "not me" to a notice does more than lock the line.`
}

// Run opens it.
func (c *lineUnlock) Run(s *session) error {
	out, err := fetch[api.Unlocked](s, "POST /v1/lines/{id}/unlock", c)
	if err != nil {
		return err
	}
	if !out.Opened {
		err := s.nothing(out, "Line %s was open already.", out.ID)
		if shown := s.stillBlocked(out); shown != nil {
			return shown
		}
		return err
	}
	return s.emit(out, func() error {
		s.say("Line %s is open again.", out.ID)
		return s.stillBlocked(out)
	})
}

// stillBlocked says what keeps the phones of an open line out; programs have it in what they got.
func (s *session) stillBlocked(u *api.Unlocked) error {
	if len(u.Blocked) == 0 || s.json {
		return nil
	}
	s.say("\n%s", s.out.Paint(table.Bold, "Still blocked"))
	for _, b := range u.Blocked {
		s.say("  - %s\n    Undo it with: %s", wrap(b.What, s.out.Width-4, "\n    "), b.Undo)
	}
	return nil
}

type lineRegistrations struct {
	list[api.Registration, api.RegistrationFilter]
}

func (lineRegistrations) Help() string {
	return `Those of the server that is asked; every node has phones of its own.`
}

type lineRequest struct {
	api.LineID
	Set  string         `arg:"" name:"field=value" help:"The setting wanted." predict:"setting"`
	Body api.NewRequest `embed:""`
}

// Run asks.
func (c *lineRequest) Run(s *session) (err error) {
	if c.Body.Field, c.Body.Value, err = oneSetting(c.Set); err != nil {
		return err
	}
	return perform(s, "POST /v1/lines/{id}/requests", c, func(r *api.Request) error {
		return s.say("Request %d is made. Staff decide with: ringfence request grant %d   or   ringfence request refuse %d", r.ID, r.ID, r.ID)
	})
}

type lineRemove struct {
	api.LineID
	Yes bool `help:"Do it; without, only say what would be done."`
}

// Run removes it, if told twice.
func (c *lineRemove) Run(s *session) error {
	out, err := fetch[api.LineDetail](s, "GET /v1/lines/{id}", c)
	if err != nil {
		return err
	}
	if !c.Yes {
		return s.dryRun(fmt.Sprintf("Line %s of %s would be removed: %s dropped, %s cut. Its call records stay.",
			out.ID, out.Customer, api.Count(len(out.Phones), "phone", "phones"), api.Count(len(out.Calls), "call", "calls")))
	}
	if _, err := fetch[none](s, "DELETE /v1/lines/{id}", c); err != nil {
		return err
	}
	return s.done("Line %s is removed. Its records stay: ringfence cdr list --line %s", out.ID, out.Identity)
}
