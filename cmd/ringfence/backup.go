package main

import (
	"os/user"
	"strconv"
	"strings"
	"time"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/edge/rest/api"
)

type backupCmd struct {
	File   string `arg:"" help:"File to write." type:"path"`
	Force  bool   `help:"Overwrite the file."`
	Config string `help:"Configuration file (default: the one that serve would read)." placeholder:"FILE"`
}

func (c *backupCmd) Run(s *session) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	out, err := app.Backup(s.ctx, cfg, c.File, c.Force)
	if err != nil {
		return err
	}
	return s.emit(out, func() error {
		if out.Files > 0 {
			_ = s.say("%s.archive: %s of archives of old calls.", out.File, api.Count(out.Files, "file", "files"))
		}
		return s.say("%s: %s bytes, everything until %s. The key is not in it: keep %s apart.",
			out.File, strconv.FormatInt(out.Bytes, 10), second(out.At), displayPath(cfg.Secret.KeyFile))
	})
}

type restoreCmd struct {
	File      string   `arg:"" optional:"" help:"Backup that replaces the store." type:"path"`
	Yes       bool     `help:"Do it. Without this flag, only check the file and say what would be done."`
	AcceptGap bool     `help:"Accept paid calls again although the spending after the backup is not known."`
	Records   string   `help:"Book a carrier's records (CSV) of the calls after the backup, and accept paid calls again." placeholder:"FILE" type:"path"`
	Trunk     string   `help:"With --records: trunk of the carrier that they are from." placeholder:"NAME"`
	Map       []string `sep:"none" help:"With --records: name a column by hand, by its heading or number, and what it holds: start, date, time, caller, called, seconds, minutes, cost, cost (p), id or ignore. May be repeated." placeholder:"COLUMN=MEANING"`
	Dates     string   `help:"With --records: what comes first in 01/02/2026, when the file does not show it: dmy or mdy." enum:"dmy,mdy," default:"" placeholder:"ORDER"`
	Zone      string   `help:"With --records: time zone of times that carry none (default: the provider's)." placeholder:"ZONE"`
	More      bool     `help:"With --records: another carrier's file follows, so keep refusing paid calls."`
	Config    string   `help:"Configuration file (default: the one that serve would read)." placeholder:"FILE"`
}

func (restoreCmd) Help() string {
	return `Checks a backup (is it complete, from Ringfence, from no later version, and does the key open it?) and replaces the store with it. Every server must be stopped. The replaced store is kept under a dated name.

The restored store does not know what was spent after the backup, so caps cannot count it. The server then accepts emergency and free calls only, until the carriers' records of that time are booked, or the gap is accepted.

--records reads a carrier's list of calls, with columns for the start, the caller, the called number and the seconds; cost and Call-ID are used if present. The presented number identifies the line. Calls that are recorded already are left out, so a file can be given again; the others get a record and count towards the caps of their day and month. Rows that cannot be booked are named.

` + examples(
		"ringfence restore /var/backups/ringfence-2026-11-28.db",
		"ringfence restore /var/backups/ringfence-2026-11-28.db --yes",
		"ringfence restore --records carrier-a-november.csv --trunk carrier-a",
		"ringfence restore --records carrier-a-november.csv --trunk carrier-a --yes --more",
		`ringfence restore --records preise.csv --map "Anrufer=caller" --map "Dauer=seconds" --dates dmy --zone Europe/Berlin --yes`,
		"ringfence restore --accept-gap",
	)
}

// Run restores, with --yes, or accepts the gap of a former restore.
func (c *restoreCmd) Run(s *session) error {
	if err := c.check(); err != nil {
		return err
	}
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	by := whoami()
	if c.Records != "" {
		return c.book(s, cfg, by)
	}
	if c.AcceptGap {
		gap, err := app.AcceptGap(s.ctx, cfg, by)
		if err != nil {
			return err
		}
		return s.emit(gap, func() error {
			return s.say("Paid calls are accepted again. What was spent from %s to %s stays unknown to the caps; the journal says that you accepted it.",
				second(gap.From), second(gap.Until))
		})
	}
	out, err := app.Restore(s.ctx, cfg, c.File, by, c.Yes)
	if err != nil {
		return err
	}
	return s.emit(out, func() error { return s.restored(&out) })
}

// check wants one thing to do, and flags that belong to it.
func (c *restoreCmd) check() error {
	things := 0
	for _, given := range []bool{c.File != "", c.AcceptGap, c.Records != ""} {
		if given {
			things++
		}
	}
	switch {
	case things != 1:
		return usagef("name a backup to restore; after it was restored give --records FILE or --accept-gap")
	case c.Records == "" && (c.Trunk != "" || len(c.Map) > 0 || c.Dates != "" || c.Zone != "" || c.More):
		return usagef("--trunk, --map, --dates, --zone and --more go with --records FILE")
	}
	return nil
}

// book books a carrier's records.
func (c *restoreCmd) book(s *session, cfg config.Config, actor string) error {
	out, err := app.BookRecords(s.ctx, cfg, app.CarrierRecords{
		File: c.Records, Trunk: c.Trunk, Map: c.Map, Dates: c.Dates, Zone: c.Zone, By: actor, Yes: c.Yes, More: c.More,
	})
	if err != nil {
		return err
	}
	if err := s.emit(out, func() error { return s.booked(&out) }); err != nil {
		return err
	}
	if !out.Done {
		return errNothingDone
	}
	return nil
}

func (s *session) booked(b *app.Backfilled) error {
	verb := "would be booked"
	if b.Done {
		verb = "booked"
	}
	s.say("%s %s, %s; the carrier's cost is %s. In the books before: %d. Twice in the file: %d. Unanswered: %d. Outside %s to %s: %d.",
		api.Count(b.Booked, "call", "calls"), verb, b.Retail, b.Cost, b.Known, b.Same, b.Unanswered, second(b.From), second(b.Until), b.Outside)
	if b.Left > 0 {
		s.say("%s cannot be read, attributed or priced, and %s left out:", api.Count(b.Left, "row", "rows"), map[bool]string{true: "was", false: "would be"}[b.Done])
	}
	for _, why := range b.Why {
		s.say("  %s", why)
	}
	if over := b.Left - len(b.Why); over > 0 {
		s.say("  and %d more", over)
	}
	switch {
	case !b.Done:
		return s.say("Columns: %s. Nothing was changed: add --yes to do it.", strings.Join(b.Columns, ", "))
	case b.Open:
		return s.say("Paid calls are still refused: another file is to follow.")
	}
	return s.say("Paid calls are accepted again.")
}

func (s *session) restored(r *app.Restored) error {
	if !r.Done {
		return s.dryRun("The store would be as it was at " + second(r.From) + ", with " + api.Count(r.Calls, "call", "calls") +
			" in progress; what was spent since would be forgotten. What is there now would be kept as " + r.Kept + ".")
	}
	return s.say("The store is as it was at %s, with %s in progress. What was there is kept as %s.\n"+
		"What was spent from then to %s is not known: the server accepts no paid calls until the carriers' records of that time are booked (ringfence restore --records FILE), or you say: ringfence restore --accept-gap",
		second(r.From), api.Count(r.Calls, "call", "calls"), r.Kept, second(r.Until))
}

func second(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// whoami is the user of this process, for the journal.
func whoami() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}
