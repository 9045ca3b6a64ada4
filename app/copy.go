package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"ringfence/app/config"
	"ringfence/flow/backfill"
	"ringfence/flow/health"
	"ringfence/state/store"
	"ringfence/state/store/postgres"
	"ringfence/state/store/sqlite"
)

// What the commands for backups show.
type (
	Restored   = health.Restored
	Backfilled = backfill.Report
)

// beside opens the store of a configuration beside a server that may be running, has use use it and closes it.
func beside(ctx context.Context, cfg *config.Config, use func(s health.Copier) error) (err error) {
	var s health.Copier
	if cfg.Store.Engine == "postgres" {
		s, err = postgres.Beside(ctx, string(cfg.Store.DSN))
	} else {
		s, err = sqlite.Beside(ctx, cfg.DatabasePath())
	}
	if err != nil {
		return err
	}
	return errors.Join(use(s), s.Close())
}

// archivesOf is the folder beside a backup that has the archives of old calls.
func archivesOf(file string) string { return file + ".archive" }

// Backup writes a copy of the store as it is at one moment, while servers go on, and then of the archives of this server: what left the store before is in them by then.
func Backup(ctx context.Context, cfg config.Config, file string, force bool) (out health.BackedUp, err error) {
	for _, path := range []string{file, archivesOf(file)} {
		if _, err := os.Lstat(path); err == nil && !force {
			return out, fmt.Errorf("%s exists: name another file, or overwrite it with --force", path)
		}
	}
	err = beside(ctx, &cfg, func(s health.Copier) (err error) {
		out, err = health.Backup(ctx, s, file)
		return err
	})
	if err == nil {
		out.Files, err = health.CopyFiles(cfg.ArchiveFolder(), archivesOf(file), true)
	}
	return out, err
}

// Restore puts a backup in the store's place, with the archives that are missing, if yes; else it does everything up to that, and gives it up.
func Restore(ctx context.Context, cfg config.Config, file, actor string, yes bool) (health.Restored, error) {
	box, err := presentKeys(&cfg)
	if err != nil {
		return health.Restored{}, err
	}
	s, err := stage(ctx, &cfg, file)
	if err != nil {
		return health.Restored{}, err
	}
	out, err := health.Restore(ctx, s, box, file, aside(&cfg, time.Now()), actor, yes)
	if err == nil && out.Done {
		out.Files, err = health.CopyFiles(archivesOf(file), cfg.ArchiveFolder(), false)
	}
	return out, err
}

// AcceptGap has paid calls taken again although records are lost.
func AcceptGap(ctx context.Context, cfg config.Config, actor string) (gap store.Gap, err error) {
	err = beside(ctx, &cfg, func(s health.Copier) (err error) {
		gap, err = health.AcceptGap(ctx, s, actor)
		return err
	})
	return gap, err
}

func stage(ctx context.Context, cfg *config.Config, file string) (health.Staged, error) {
	head := make([]byte, 16)
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	n, _ := f.Read(head) // an empty file is no backup either
	if err := f.Close(); err != nil {
		return nil, err
	}
	switch kind := string(head[:n]); {
	case cfg.Store.Engine == "postgres" && (n < 5 || kind[:5] != "PGDMP"):
		return nil, fmt.Errorf("%s is no backup of a PostgreSQL store (pg_dump, custom format), which the configuration names", file)
	case cfg.Store.Engine == "postgres":
		return postgres.Stage(ctx, string(cfg.Store.DSN), file)
	case kind != "SQLite format 3\x00":
		return nil, fmt.Errorf("%s is no backup of an SQLite store, which the configuration names", file)
	}
	return sqlite.Stage(ctx, cfg.DatabasePath(), file)
}

// aside is where what is replaced is kept.
func aside(cfg *config.Config, now time.Time) string {
	stamp := now.UTC().Format("20060102T150405Z")
	if cfg.Store.Engine == "postgres" {
		return "ringfence_before_" + stamp
	}
	return cfg.DatabasePath() + ".before-" + stamp
}
