// Package sqlite is the store in one file on this machine: the default engine. One connection writes, a few read, and
// one process owns the file. It must not know rules; queries shared with PostgreSQL are in sqlstore.
package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pressly/goose/v3"

	"ringfence/state/lockfile"
	"ringfence/state/store/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// What a commit waits for. Normal survives a crash of the process but may lose the last commits with the power.
const (
	Full   = "full" // the default
	Normal = "normal"
)

// Options of an engine. The zero Options is usable.
type Options struct {
	Sync     string // Full or Normal; "" is Full
	CacheKiB int    // page cache of the writer; 0 is 64 MiB
	Readers  int    // connections that read; 0 is 4
	WALPages int    // pages of write-ahead log after which it is folded into the file; 0 is 8000 (32 MiB)
	MaxPages int    // the most the file may grow to, in pages of 4 KiB; 0 is no limit but the disk
}

// Engine is an open store. Safe for concurrent use.
type Engine struct {
	*sqlstore.Queries
	path    string
	o       Options
	lock    *os.File
	readers *sql.DB
	reading places // one for each connection of readers
	w       *writer
	fold    *folder

	closing sync.Once
	closed  error
}

// Open opens the store at path and makes it when it is not there, brings its tables up to date, and takes the process
// lock: a second process gets an error naming the first.
func Open(ctx context.Context, path string, o Options) (*Engine, error) {
	o.Sync = cmp.Or(o.Sync, Full)
	if o.Sync != Full && o.Sync != Normal {
		return nil, fmt.Errorf("store %s: sync %q is neither %q nor %q", path, o.Sync, Full, Normal)
	}
	setDefault(&o.CacheKiB, 64<<10)
	setDefault(&o.Readers, 4)
	setDefault(&o.WALPages, 8000)
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	lock, err := lockfile.Take(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	e := &Engine{path: path, o: o, lock: lock}
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", path, err), e.Close())
	}
	return e, nil
}

func setDefault(n *int, to int) {
	if *n <= 0 {
		*n = to
	}
}

func (e *Engine) open(ctx context.Context) error {
	// The file contains all calls and sealed passwords.
	f, err := os.OpenFile(e.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	e.w = newWriter(e.writerDSN(), &files{path: e.path})
	e.Queries = sqlstore.New(&database{e})
	if err := e.w.with(ctx, func(c *sql.Conn) error { return nil }); err != nil {
		return err
	}
	if err := migrate(ctx, e.writerDSN()); err != nil {
		return err
	}
	if err := e.openReaders(ctx); err != nil {
		return err
	}
	e.fold, err = newFolder(e)
	return err
}

func (e *Engine) openReaders(ctx context.Context) (err error) {
	if e.readers, err = sql.Open("sqlite", e.readerDSN()); err != nil {
		return err
	}
	e.reading = make(places, e.o.Readers)
	e.readers.SetMaxOpenConns(e.o.Readers)
	e.readers.SetMaxIdleConns(e.o.Readers)
	// All are opened now: one that is opened later might find another file under the name.
	for range e.o.Readers {
		c, err := e.readers.Conn(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.PingContext(ctx); err != nil {
			return err
		}
	}
	return nil
}

func migrate(ctx context.Context, dsn string) error {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	p, err := provider(db)
	if err == nil {
		err = sqlstore.Migrate(ctx, p)
	}
	return errors.Join(err, db.Close())
}

func provider(db *sql.DB) (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true))
}

// fileDSN is of a connection to a file that no server uses, in the journal mode that it has.
func (e *Engine) fileDSN(pragmas ...string) string {
	v := url.Values{"mode": {"rw"}, "_pragma": append([]string{"busy_timeout(5000)"}, pragmas...)}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: e.path}).EscapedPath(), RawQuery: v.Encode()}).String()
}

// dsn of a connection that waits for other processes for this long.
func (e *Engine) dsn(wait time.Duration, pragmas ...string) string {
	// Never created here: a connection that found no file would make an empty one beside the log of the deleted one.
	v := url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": append([]string{
		fmt.Sprintf("busy_timeout(%d)", wait.Milliseconds()), "journal_mode(WAL)", "foreign_keys(ON)", "synchronous(" + e.o.Sync + ")", "temp_store(MEMORY)",
	}, pragmas...)}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: e.path}).EscapedPath(), RawQuery: v.Encode()}).String()
}

// writerDSN leaves folding the log to the folder. SQLite does it by itself only if that has failed for a long time.
func (e *Engine) writerDSN() string {
	pragmas := []string{
		fmt.Sprintf("cache_size(-%d)", e.o.CacheKiB),
		fmt.Sprintf("wal_autocheckpoint(%d)", 16*e.o.WALPages),
	}
	if e.o.MaxPages > 0 {
		pragmas = append(pragmas, fmt.Sprintf("max_page_count(%d)", e.o.MaxPages))
	}
	return e.dsn(5*time.Second, pragmas...)
}

func (e *Engine) readerDSN() string {
	return e.dsn(5*time.Second, "query_only(ON)", "cache_size(-8192)")
}

// places are for readers, served in the order in which they come, which those of a sql.DB are not.
type places chan struct{}

func (p places) begin(ctx context.Context) error {
	select {
	case p <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p places) end() { <-p }

// Ping makes a durable write, so that a full disk or a lost one is seen.
func (e *Engine) Ping(ctx context.Context) error {
	return (&database{e}).Write(ctx, func(tx sqlstore.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE ping SET n = n + 1 WHERE id = 1")
		return err
	})
}

// Close folds the log into the file and releases the process lock. Repeats return the first result.
func (e *Engine) Close() error {
	e.closing.Do(func() {
		var errs []error
		if e.fold != nil {
			errs = append(errs, e.fold.stop())
		}
		if e.readers != nil {
			errs = append(errs, e.readers.Close())
		}
		if e.w != nil {
			errs = append(errs, e.w.close())
		}
		if e.lock != nil {
			errs = append(errs, e.lock.Close())
		}
		e.closed = errors.Join(errs...)
	})
	return e.closed
}
