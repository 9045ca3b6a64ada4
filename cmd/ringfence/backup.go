package main

import (
	"os/user"
	"strconv"
	"time"

	"ringfence/app"
	"ringfence/app/config"
)

type backupCmd struct {
	File   string `arg:"" help:"File to write." type:"path"`
	Force  bool   `help:"Overwrite the file."`
	Config string `help:"Configuration file (default: the one serve would read)." placeholder:"FILE"`
}

func (backupCmd) Help() string {
	return `Writes the whole store as it is at one moment, while the server goes on: an SQLite file, or for PostgreSQL a file of pg_dump. It holds sealed passwords and every call, so only you may read it. The key file is not in it: keep a copy of that elsewhere, for together they are all passwords, and without the key no phone can log in.

` + examples("ringfence backup /var/backups/ringfence.db", "ringfence backup --force /mnt/backup/ringfence.db")
}

// Run writes it.
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
		return s.say("%s: %s bytes, everything until %s. The key is not in it: keep %s apart.",
			out.File, strconv.FormatInt(out.Bytes, 10), second(out.At), displayPath(cfg.Secret.KeyFile))
	})
}

type restoreCmd struct {
	File      string `arg:"" optional:"" help:"Backup to put in the store's place." type:"path"`
	Yes       bool   `help:"Do it; without, only check the file and say what would be done."`
	AcceptGap bool   `help:"Take paid calls again although what was spent after the backup is not known."`
	Config    string `help:"Configuration file (default: the one serve would read)." placeholder:"FILE"`
}

func (restoreCmd) Help() string {
	return `Checks a backup (is it whole, ours, of no later version, and does the key open it) and puts it in the store's place. Every server must be stopped. What was there is kept under a dated name.

The restored store does not know what was spent after the backup, so the caps no longer bound it. The server then takes emergency and free calls only, until that is accepted. Compare the gap with the carriers' records first.

` + examples(
		"ringfence restore /var/backups/ringfence-2026-11-28.db",
		"ringfence restore /var/backups/ringfence-2026-11-28.db --yes",
		"ringfence restore --accept-gap",
	)
}

// Run restores, if told twice, or accepts the gap of a former restore.
func (c *restoreCmd) Run(s *session) error {
	if (c.File == "") != c.AcceptGap {
		return usagef("name a backup to restore, or give --accept-gap after it was restored")
	}
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	by := whoami()
	if c.AcceptGap {
		gap, err := app.AcceptGap(s.ctx, cfg, by)
		if err != nil {
			return err
		}
		return s.emit(gap, func() error {
			return s.say("Paid calls are taken again. What was spent from %s to %s stays unknown to the caps; the journal says that you accepted it.",
				second(gap.From), second(gap.Until))
		})
	}
	out, err := app.Restore(s.ctx, cfg, c.File, by, c.Yes)
	if err != nil {
		return err
	}
	return s.emit(out, func() error { return s.restored(&out) })
}

func (s *session) restored(r *app.Restored) error {
	if !r.Done {
		return s.dryRun("The store would be as it was at " + second(r.From) + ", with " + plural(r.Calls, "call", "calls") +
			" in progress; what was spent since would be forgotten. What is there now would be kept as " + r.Kept + ".")
	}
	return s.say("The store is as it was at %s, with %s in progress. What was there is kept as %s.\n"+
		"What was spent from then to %s is not known: the server takes no paid calls until you have compared the carriers' records and said: ringfence restore --accept-gap",
		second(r.From), plural(r.Calls, "call", "calls"), r.Kept, second(r.Until))
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
