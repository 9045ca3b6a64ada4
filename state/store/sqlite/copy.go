package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ringfence/state/lockfile"
	"ringfence/state/store"
	"ringfence/state/store/sqlstore"
)

// Beside opens the store at path without taking the process lock, beside a server that may be running: SQLite's own locks
// are enough to read it and for a small write. It makes nothing and brings nothing up to date.
func Beside(ctx context.Context, path string) (*Engine, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return nil, err
	}
	e := &Engine{path: path, o: Options{Sync: Full, CacheKiB: 8 << 10, Readers: 1, WALPages: 8000}}
	if err := e.beside(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", path, err), e.Close())
	}
	return e, nil
}

func (e *Engine) beside(ctx context.Context) error {
	db, err := sql.Open("sqlite", e.writerDSN())
	if err != nil {
		return err
	}
	p, err := provider(db)
	if err == nil {
		err = sqlstore.Current(ctx, p, false)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	e.w = newWriter(e.writerDSN(), &files{path: e.path})
	e.Queries = sqlstore.New(&database{e})
	return e.openReaders(ctx)
}

// Copy writes a snapshot of everything into a new file at to, while others continue to write.
func (e *Engine) Copy(ctx context.Context, path string) (err error) {
	if err := empty(path); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", e.dsn(5*time.Second))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", path)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	return sound(ctx, path)
}

// empty makes a file that only its owner may read, for SQLite to fill.
func empty(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// sound wants a whole database of this program in a file that nobody has open.
func sound(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", (&Engine{path: path, o: Options{Sync: Full}}).fileDSN("query_only(ON)"))
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return fmt.Errorf("it is no whole SQLite database: %w", err)
	}
	if verdict != "ok" {
		return fmt.Errorf("it is damaged: %s", verdict)
	}
	var n int
	const ours = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('goose_db_version', 'purse', 'open_call', 'cdr', 'fact', 'line')"
	if err := db.QueryRowContext(ctx, ours).Scan(&n); err != nil {
		return err
	}
	if n != 6 {
		return errors.New("it is not a database of this program")
	}
	return nil
}

// Staged is a copy beside the store, ready to take its place.
type Staged struct {
	*Engine
	at, path string
	lock     *os.File
}

// Stage takes the store's process lock, so that no server runs, and opens a copy of the file from, brought up to date. The
// store itself is as it was until Swap.
func Stage(ctx context.Context, path, from string) (s *Staged, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if info, err := os.Stat(from + "-wal"); err == nil && info.Size() > 0 {
		return nil, fmt.Errorf("%s-wal lies beside it: it is a database in use or a raw copy of one, which may lack the last calls; take a backup of it (ringfence backup)", from)
	}
	lock, err := lockfile.Take(path + ".lock")
	if errors.Is(err, lockfile.ErrHeld) {
		return nil, fmt.Errorf("a server runs on the store (%w): stop it first", err)
	}
	if err != nil {
		return nil, err
	}
	s = &Staged{at: path, path: path + ".restoring", lock: lock}
	s.sweep()
	err = copyFile(from, s.path)
	if err == nil {
		err = sound(ctx, s.path)
	}
	if err == nil {
		s.Engine, err = Open(ctx, s.path, Options{})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", from, err), s.Drop())
	}
	return s, nil
}

func (s *Staged) sweep() {
	for _, suffix := range [...]string{"", "-wal", "-shm", ".lock"} {
		_ = os.Remove(s.path + suffix) // a missing file need not be removed
	}
}

// Drop discards the copy.
func (s *Staged) Drop() error {
	var err error
	if s.Engine != nil {
		err = s.Engine.Close()
	}
	s.sweep()
	return errors.Join(err, s.lock.Close())
}

// Swap puts the copy in the store's place and keeps what was there under the name aside. At every moment there is either
// the old store or the new one, and never the log of one beside the other: SQLite would replay it.
func (s *Staged) Swap(ctx context.Context, aside string) (err error) {
	defer func() { err = errors.Join(err, s.Drop()) }()
	if err := s.Engine.Close(); err != nil {
		return err
	}
	dir := filepath.Dir(s.at)
	if info, err := os.Stat(dir); err == nil {
		own(info, s.path)
	}
	if _, err := os.Stat(s.at); err == nil {
		fold(ctx, s.at)
		if err := os.Rename(s.at+"-wal", aside+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Link(s.at, aside); err != nil {
			return err
		}
	}
	// An index without its database, and a log whose database was deleted, belong to no one.
	for _, suffix := range [...]string{"-wal", "-shm"} {
		if err := os.Remove(s.at + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := errors.Join(syncDir(dir), os.Rename(s.path, s.at)); err != nil {
		return err
	}
	return syncDir(dir)
}

// fold writes the log of an unused database into the database, if that is sound enough.
func fold(ctx context.Context, path string) {
	db, err := sql.Open("sqlite", (&Engine{path: path, o: Options{Sync: Full}}).fileDSN())
	if err != nil {
		return
	}
	_, _ = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)") // a damaged database stays as it is, with its log
	_ = db.Close()
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

var _ store.Store = (*Staged)(nil)
