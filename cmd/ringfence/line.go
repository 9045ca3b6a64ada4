package main

import (
	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type lineCmd struct {
	remote
	Add           lineAdd                                           `cmd:"" help:"Add a line; prints its password once." eg:"2001 --customer acme --number \"020 7946 0000\" --name \"Front desk\"; 2002 --customer acme national-ceiling=10p nets=192.0.2.0/24,2001:db8::/32; 2003 --customer acme --ask-password < password.txt"`
	Import        lineImport                                        `cmd:"" help:"Add lines from a CSV file: all of them, or none." eg:"lines.csv --dry-run; lines.csv -o passwords.csv" detail:"Columns, in any order: id and customer (required), number, name, courtesy, nets, any setting, and either password or ha1. ha1 is the MD5 of USER:REALM:PASSWORD in hexadecimal, as other switches store it, with ha1-sha256 beside it where there is one; the realm is sip.realm. Without either a password is generated and shown once. All lines are added, or none and every fault is named by row and column."`
	List          listRemoved[api.Line, api.LineFilter]             `cmd:"" help:"List lines." eg:"; --removed; --customer acme; --json | jq -r '.[] | select(.locked) | .id'"`
	Show          show[api.LineDetail, api.LineID]                  `cmd:"" eg:"2001"`
	Set           change[api.LineDetail, api.LineID, api.PatchLine] `cmd:"" help:"Change a line or its settings." set:"fields=name, number, courtesy (both, user-agent, off or inherit), honeypot (on or off), nets (\"none\" removes the IP lock), forward_always, forward_busy, forward_no_answer or forward_unreachable (a number that the line can dial, and pays for; \"none\" forwards no calls), forward_after (seconds of ringing), short (two to four digits by which the customer's other lines call it), numbers (further numbers and ranges of them), rings (lines that ring for its calls), ring (together or in-turn), ring_each (seconds), or a setting (\"inherit\" removes the line's own value)." eg:"2001 national-ceiling=10p; 2001 nets=\"192.0.2.0/24, 2001:db8::/32\"; 2001 international-ceiling=£1 max-international=1 --grant --until 2026-12-01; 2001 national-ceiling=inherit nets=none; 2001 name=\"Front desk\" number=\"020 7946 0000\"; 2001 courtesy=user-agent line-warning=£25; 2001 forward_no_answer=\"07700 900123\" forward_after=25; 2001 forward_always=none; sales short=21 numbers=\"020 7946 0100-0199\" rings=2001,2002 ring=in-turn ring_each=15; trap honeypot=on"`
	Password      linePassword                                      `cmd:"" help:"Give a line a new password; it is generated unless you enter one." eg:"2001; 2001 --ask-password; 2001 --ask-password < password.txt" detail:"The line's phones are dropped and must log in with the new password. A password is never taken from the command line, where others could see it."`
	Lock          act[api.LineLock, api.Locked]                     `cmd:"" help:"Close a line to all but emergency calls." route:"POST /v1/lines/{id}/lock" says:"Line {{.ID}} is locked: only emergency calls go out. {{.Calls.Text}}\nUnlock it with: ringfence line unlock {{.ID}}" eg:"2001 --why \"calls to Cuba at night\" --cut; 2001 --why \"moves out today\" --keep-calls" detail:"Nothing more is spent on a locked line: no further talk time is bought, and calls in progress end when the time already paid for runs out, within a minute. --cut ends them at once; --keep-calls lets them finish. Free and emergency calls continue in any case. Locking a locked line again changes how its calls are treated."`
	Unlock        lineUnlock                                        `cmd:"" help:"Unlock a line." eg:"2001" detail:"Also lists what still keeps the line's phones out, with the command that undoes it: the answer \"not me\" to a notice does more than lock the line."`
	Registrations list[api.Registration, api.RegistrationFilter]    `cmd:"" help:"List registered phones: address, product, last registration." eg:"; 2001; --customer acme --json" detail:"Lists the phones of the server that you ask: each node has its own."`
	Devices       whole[api.Device, api.LineID]                     `cmd:"" help:"List the places and phones that the line's login was used with." eg:"2001; 2001 --json"`
	Device        lineDevice                                        `cmd:"" help:"Record whether a device is the owner's." eg:"2001 198.51.100.0/24 --mine; 2001 203.0.113.0/24 --family MicroSIP --not-mine" detail:"For an owner who answers by telephone instead of using the link in the mail. Unlike the link, this does not lock the line: use line lock."`
	Advice        whole[api.Advice, api.LineID]                     `cmd:"" help:"List what the customer should change: settings, phones, the password." eg:"2001" detail:"From what is known of the line: its phones as registered, where its login was used, and the calls of a year. No network is probed. What changes a setting says what that does to the exposure."`
	Fit           lineFit                                           `cmd:"" help:"Find the tightest settings under which the line's own calls of a year would pass." eg:"2001; 2001 --stops 3; 2001 --apply" detail:"The calls of the year are made again in virtual time, through the engine that judges live ones, at today's prices. Nothing is proposed that would loosen anything. --stops N may give up N calls: those of which the loss lowers the exposure most; they are listed. --apply puts the settings in force, as line set and restriction add would."`
	Usage         show[api.Usage, api.LineID]                       `cmd:"" help:"Show un-billed usage, including calls in progress, and the next warning." route:"GET /v1/lines/{id}/usage" eg:"2001" detail:"The warning level is the setting line-warning: ringfence line set LINE line-warning=£25; 0 is off."`
	Request       lineRequest                                       `cmd:"" help:"Ask staff to loosen a setting, as the customer." eg:"2001 international-ceiling=50p --until +14d --why \"supplier in Cuba\""`
	Remove        remove[api.LineDetail, api.LineID]                `cmd:"" help:"Remove a line; its calls are cut." eg:"2001; 2001 --yes"`
}

type lineAdd struct {
	Body        api.NewLine `embed:""`
	AskPassword bool        `help:"Ask for the password (or read it from standard input) instead of generating one." xor:"password"`
	Set         []string    `arg:"" optional:"" name:"field=value" help:"Initial settings." predict:"setting"`
	grantFlags
}

func (c *lineAdd) Run(s *session) error {
	if err := assign(&c.Body.PatchLine, c.Set, c.grantFlags); err != nil {
		return err
	}
	if c.AskPassword {
		var err error
		if c.Body.Password, err = s.askPassword("line " + c.Body.ID); err != nil {
			return err
		}
	}
	return adding("line", c.Body.ID, perform(s, "POST /v1/lines", func(n *api.Created) error {
		s.say("Line %s added for %s.", n.Line.ID, n.Line.Customer)
		return s.password(n.Line.ID, n.Password)
	}, c))
}

type linePassword struct {
	api.LinePassword
	AskPassword bool `help:"Ask for the password (or read it from standard input) instead of generating one."`
}

func (c *linePassword) Run(s *session) (err error) {
	if c.AskPassword {
		if c.Body.Password, err = s.askPassword("line " + c.ID); err != nil {
			return err
		}
	}
	return perform(s, "POST /v1/lines/{id}/password", func(p *api.Password) error {
		s.say("Line %s has a new password; its phones must log in again.", p.Line)
		return s.password(p.Line, p.Password)
	}, c)
}

type lineUnlock struct{ api.LineID }

func (c *lineUnlock) Run(s *session) error {
	out, err := fetch[api.Unlocked](s, "POST /v1/lines/{id}/unlock", c)
	if err != nil {
		return err
	}
	if out.Opened {
		err = s.emit(out, func() error { return s.say("Line %s is open again.", out.ID) })
	} else {
		err = s.nothing(out, "Line %s was open already.", out.ID)
	}
	if len(out.Blocked) == 0 || s.json {
		return err
	}
	s.say("\n%s", s.out.Paint(table.Bold, "Still blocked"))
	for _, b := range out.Blocked {
		s.say("  - %s\n    Undo it with: %s", wrap(b.What, s.out.Width-4, "\n    "), b.Undo)
	}
	return err
}

type lineRequest struct {
	api.LineID
	Set  string         `arg:"" name:"field=value" help:"Setting and value requested." predict:"setting"`
	Body api.NewRequest `embed:""`
}

func (c *lineRequest) Run(s *session) error {
	var wanted struct{ Set []api.Change }
	if err := assign(&wanted, []string{c.Set}, grantFlags{}); err != nil {
		return err
	}
	c.Body.Field, c.Body.Value = wanted.Set[0].Field, wanted.Set[0].Value
	return perform(s, "POST /v1/lines/{id}/requests", func(r *api.Request) error {
		return s.say("Request %d is made. Staff decide with: ringfence request grant %d   or   ringfence request refuse %d", r.ID, r.ID, r.ID)
	}, c)
}
