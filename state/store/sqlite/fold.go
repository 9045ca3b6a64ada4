package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// folder copies the write-ahead log back into the file. Most of it while the writer goes on (a PASSIVE checkpoint on a
// connection of its own), then, with the readers and the writer held for a moment, the little that was added meanwhile, so
// that the log starts again at its beginning (RESTART). Left to SQLite, the writer would stop for all of it; PASSIVE alone would
// never catch up with a busy writer, and overlapping readers would keep the log from ever starting again.
// The log keeps its length, because a synchronous commit that overwrites blocks costs less than half of one that grows the file.
// Only a log that has grown far beyond the usual is truncated.
//
// Everything is asked of SQLite. A process that opens the database, its log or its index by itself loses all its locks on
// that file when it closes it (POSIX), and the next process believes that it is alone.
type folder struct {
	e    *Engine
	db   *sql.DB
	wake chan struct{}
	quit chan struct{}
	done sync.WaitGroup

	commits atomic.Int64
	rest    time.Time // a fold failed: nothing is held again before then
}

// How long further reads wait for those in progress to end; how long the writer then waits for other processes that read;
// and the pause before the next attempt when a reader did not end.
const (
	readersLeave = 2 * time.Second
	othersLeave  = 100 * time.Millisecond
	foldRest     = time.Second
	copies       = 10 // the most folds while the writer goes on
)

func newFolder(e *Engine) (*folder, error) {
	db, err := sql.Open("sqlite", e.dsn(othersLeave, "cache_size(-2048)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	f := &folder{e: e, db: db, wake: make(chan struct{}, 1), quit: make(chan struct{})}
	f.done.Go(f.run)
	return f, nil
}

// look is called after every commit, and at intervals has the length of the log checked.
func (f *folder) look() {
	if f == nil || f.commits.Add(1)&7 != 0 {
		return
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// mode is how a fold ends.
func (f *folder) mode() string {
	if info, err := os.Stat(f.e.path + "-wal"); err == nil && info.Size() > 8*4120*int64(f.e.o.WALPages) {
		return "TRUNCATE"
	}
	return "RESTART"
}

func (f *folder) run() {
	ctx := context.Background()
	for {
		select {
		case <-f.quit:
			return
		case <-f.wake:
		}
		if frames, folded, err := f.checkpoint(ctx, "NOOP"); err == nil && folded < frames && frames > int64(f.e.o.WALPages) && time.Now().After(f.rest) {
			f.fold(ctx)
		}
	}
}

// fold fails when a reader stays or the disk is full; the log then grows until the next try.
func (f *folder) fold(ctx context.Context) {
	err := f.copy(ctx)
	if err == nil {
		err = f.alone(ctx, func() error {
			_, _, err := f.checkpoint(ctx, f.mode())
			return err
		})
	}
	if err != nil {
		f.rest = time.Now().Add(foldRest)
	}
}

// copy folds while the writer goes on, until a fold ends at which nothing was written meanwhile: only such a fold has SQLite flush the file to disk.
// Left to the fold that holds the writer, that flush made calls wait for 6 to 40 ms.
func (f *folder) copy(ctx context.Context) error {
	for try := 1; ; try++ {
		_, _, err := f.checkpoint(ctx, "PASSIVE")
		if err != nil {
			return err
		}
		frames, folded, err := f.checkpoint(ctx, "NOOP")
		if err != nil || folded == frames || try == copies {
			return err
		}
	}
}

// alone runs a function while nothing in this process reads or writes: it takes the place of every reader, one after the other.
func (f *folder) alone(ctx context.Context, do func() error) error {
	soon, cancel := context.WithTimeout(ctx, readersLeave)
	defer cancel()
	for range f.e.o.Readers {
		if err := f.e.reading.begin(soon); err != nil {
			return err
		}
		defer f.e.reading.end()
	}
	return f.e.w.with(ctx, func(*sql.Conn) error { return do() })
}

// checkpoint gives the number of pages in the log, and how many of them are in the file too. NOOP only asks.
func (f *folder) checkpoint(ctx context.Context, mode string) (frames, folded int64, err error) {
	var busy int64
	err = f.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &frames, &folded)
	if err == nil && busy != 0 {
		err = errors.New("readers are in the way")
	}
	return frames, folded, err
}

func (f *folder) stop() error {
	close(f.quit)
	f.done.Wait()
	return f.db.Close()
}
