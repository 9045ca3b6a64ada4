package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"sync"
	"sync/atomic"
)

// folder copies the write-ahead log back into the file. Most of it while the writer goes on (a PASSIVE checkpoint on a
// connection of its own), then, with the writer held for a moment, the little that was added meanwhile, so that the log
// begins anew (TRUNCATE). Left to SQLite, the writer would stop for all of it; PASSIVE alone would never
// catch up with a busy writer.
type folder struct {
	e    *Engine
	db   *sql.DB
	wake chan struct{}
	quit chan struct{}
	done sync.WaitGroup

	commits atomic.Int64 // since the size of the log was looked at
}

func newFolder(e *Engine) (*folder, error) {
	db, err := sql.Open("sqlite", e.dsn("busy_timeout(0)", "cache_size(-2048)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	f := &folder{e: e, db: db, wake: make(chan struct{}, 1), quit: make(chan struct{})}
	f.done.Go(f.run)
	return f, nil
}

// look is called after every commit; now and then it looks how long the log is.
func (f *folder) look() {
	if f == nil || f.commits.Add(1)&7 != 0 {
		return
	}
	if f.size() > int64(f.e.o.WALPages)*4120 {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

func (f *folder) size() int64 {
	info, err := os.Stat(f.e.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

func (f *folder) run() {
	for {
		select {
		case <-f.quit:
			return
		case <-f.wake:
			f.fold()
		}
	}
}

// fold fails when a reader is in the way or the disk is full; the log then grows until the next try.
func (f *folder) fold() {
	ctx := context.Background()
	if err := f.checkpoint(ctx, "PASSIVE"); err != nil {
		return
	}
	_ = f.e.w.with(ctx, func(*sql.Conn) error { return f.checkpoint(ctx, "TRUNCATE") })
}

func (f *folder) checkpoint(ctx context.Context, mode string) error {
	var busy, log, folded int64
	err := f.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &log, &folded)
	if err == nil && busy != 0 {
		err = errors.New("readers are in the way")
	}
	return err
}

func (f *folder) stop() error {
	close(f.quit)
	f.done.Wait()
	return f.db.Close()
}
