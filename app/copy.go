package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ringfence/app/config"
	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/secret"
	"ringfence/flow/auth"
	"ringfence/state/store"
	"ringfence/state/store/postgres"
	"ringfence/state/store/sqlite"
)

// copier is a store opened beside a server that may be running.
type copier interface {
	store.Store
	Copy(ctx context.Context, to string) error
}

// staged is a copy that can take the store's place.
type staged interface {
	store.Store
	Swap(ctx context.Context, aside string) error
	Drop() error
}

func beside(ctx context.Context, cfg *config.Config) (copier, error) {
	if cfg.Store.Engine == "postgres" {
		return postgres.Beside(ctx, string(cfg.Store.DSN))
	}
	return sqlite.Beside(ctx, cfg.DatabasePath())
}

// BackedUp is what Backup wrote.
type BackedUp struct {
	File  string    `json:"file"`
	Bytes int64     `json:"bytes"`
	At    time.Time `json:"at"` // everything until then is in it
}

// Backup writes a copy of the store as it is at one moment, while servers go on. The key is not in it.
func Backup(ctx context.Context, cfg config.Config, file string, force bool) (out BackedUp, err error) {
	if _, err := os.Lstat(file); err == nil && !force {
		return out, fmt.Errorf("%s exists: name another file, or overwrite it with --force", file)
	}
	s, err := beside(ctx, &cfg)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	out.File = file
	if out.At, err = markBackup(ctx, s); err != nil {
		return out, err
	}
	tmp := file + ".partial"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return out, err
	}
	if err := s.Copy(ctx, tmp); err != nil {
		return out, errors.Join(err, os.Remove(tmp))
	}
	if out.Bytes, err = durable(tmp, file); err != nil {
		return out, errors.Join(err, os.Remove(tmp))
	}
	return out, nil
}

// markBackup writes the instant up to which the copy will know everything.
func markBackup(ctx context.Context, s store.Store) (time.Time, error) {
	now, err := s.Clock(ctx)
	if err != nil {
		return now, err
	}
	marks, err := s.Marks(ctx)
	if err != nil {
		return now, err
	}
	now = now.UTC().Truncate(time.Microsecond)
	err = s.PutMark(ctx, store.Mark{Name: store.MarkBackup, Value: now.Format(time.RFC3339Nano)}, marks[store.MarkBackup].Value)
	return now, err
}

// durable gives a finished file its name when all of it is on the disk.
func durable(tmp, file string) (int64, error) {
	f, err := os.OpenFile(tmp, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	if err := os.Rename(tmp, file); err != nil {
		return 0, err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return 0, err
	}
	return info.Size(), errors.Join(dir.Sync(), dir.Close())
}

// Restored is what Restore did, or would do.
type Restored struct {
	Done  bool      `json:"done"`
	File  string    `json:"file"`
	From  time.Time `json:"from"`  // what was spent from here
	Until time.Time `json:"until"` // to here is not known to the store any more
	Kept  string    `json:"kept"`  // where what was there is kept
	Calls int       `json:"calls"` // in progress when the backup was made
}

// Restore puts a backup in the store's place, if yes; else it does everything up to that, and gives it up.
func Restore(ctx context.Context, cfg config.Config, file, by string, yes bool) (out Restored, err error) {
	box, err := presentKeys(&cfg)
	if err != nil {
		return out, err
	}
	s, err := stage(ctx, &cfg, file)
	if err != nil {
		return out, err
	}
	out = Restored{File: file, Kept: aside(&cfg, time.Now())}
	if err := out.prepare(ctx, s, box, by); err != nil || !yes {
		return out, errors.Join(err, s.Drop())
	}
	if err := s.Swap(ctx, out.Kept); err != nil {
		return out, err
	}
	out.Done = true
	return out, nil
}

func stage(ctx context.Context, cfg *config.Config, file string) (staged, error) {
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

// presentKeys reads the keys and makes none: a new key would open nothing of the backup.
func presentKeys(cfg *config.Config) (*secret.Box, error) {
	if cfg.Secret.Key == "" {
		if _, err := os.Stat(cfg.Secret.KeyFile); err != nil {
			return nil, fmt.Errorf("the key that seals passwords: %w: put its copy back first", err)
		}
		keys, _, err := auth.OpenKeys(cfg.Secret.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("the key that seals passwords: %w", err)
		}
		return secret.NewBox(keys)
	}
	keys, err := secret.ParseKeys([]byte(string(cfg.Secret.Key)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", auth.KeyEnv, err)
	}
	return secret.NewBox(keys)
}

// prepare looks whether the copy fits and writes into it what it does not know: the gap.
func (out *Restored) prepare(ctx context.Context, s store.Store, box *secret.Box, by string) error {
	marks, err := s.Marks(ctx)
	if err != nil {
		return err
	}
	if err := opens(ctx, s, marks, box); err != nil {
		return err
	}
	if out.From, err = knownUntil(ctx, s, marks); err != nil {
		return err
	}
	calls, err := s.OpenCalls(ctx, "")
	if err != nil {
		return err
	}
	out.Calls, out.Until = len(calls), time.Now().UTC().Truncate(time.Second)
	gap := store.Gap{From: out.From, Until: out.Until}
	if older, open := store.ReadGap(marks); open {
		gap.From = older.From
	}
	f := fact.StoreRestored{By: by, From: gap.From, Until: gap.Until}
	return s.PutMark(ctx, store.Mark{Name: store.MarkGap, Value: gap.Text()}, marks[store.MarkGap].Value, f.Row(time.Now().UTC(), fact.Subject{}))
}

// knownUntil is the instant after which the copy knows nothing. One made by other means does not say, but its journal ends.
func knownUntil(ctx context.Context, s store.Store, marks map[string]store.Mark) (time.Time, error) {
	last, err := s.Last(ctx)
	if err != nil {
		return last, err
	}
	if at, err := time.Parse(time.RFC3339Nano, marks[store.MarkBackup].Value); err == nil && at.After(last) {
		last = at
	}
	return last.UTC(), nil
}

var errSealedOtherwise = errors.New("its passwords are sealed with a key that is not in this key file: put back the key file that was kept with the backup")

// opens wants the key to be the one that seals the copy.
func opens(ctx context.Context, s store.Store, marks map[string]store.Mark, box *secret.Box) error {
	if m, ok := marks[store.MarkKey]; ok {
		if _, err := box.Open(keyCheck, m.Sealed); err != nil {
			return errSealedOtherwise
		}
		return nil
	}
	return s.EachLine(ctx, func(l account.Line) error {
		if len(l.Sealed) == 0 {
			return nil
		}
		if _, err := box.Open(secret.LineOwner(l.ID), l.Sealed); err != nil {
			return errSealedOtherwise
		}
		return nil
	})
}

// AcceptGap has paid calls taken again although records are lost.
func AcceptGap(ctx context.Context, cfg config.Config, by string) (gap store.Gap, err error) {
	s, err := beside(ctx, &cfg)
	if err != nil {
		return gap, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	marks, err := s.Marks(ctx)
	if err != nil {
		return gap, err
	}
	gap, open := store.ReadGap(marks)
	if !open {
		return gap, errors.New("no records are lost: there is nothing to accept")
	}
	f := fact.StoreGapAccepted{By: by, From: gap.From, Until: gap.Until}
	return gap, s.PutMark(ctx, store.Mark{Name: store.MarkGap}, marks[store.MarkGap].Value, f.Row(time.Now().UTC(), fact.Subject{}))
}
