package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"sync/atomic"
)

// folder copies the write-ahead log back into the file. Most of it while the writer goes on (a PASSIVE checkpoint on a
// connection of its own), then, with the writer held for a moment, the little that was added meanwhile, so that the log
// begins anew at its start (RESTART). Left to SQLite, the writer would stop for all of it; PASSIVE alone would never
// catch up with a busy writer. The log keeps its length: writing over blocks that are there costs a synchronous commit
// less than half of what growing the file does. Only what has grown far past the usual is truncated.
type folder struct {
	e    *Engine
	db   *sql.DB
	wake chan struct{}
	quit chan struct{}
	done sync.WaitGroup

	commits atomic.Int64
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
	if f.frames() > int64(f.e.o.WALPages) {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// frames is how many pages the log has in it, by the header of the wal-index (mxFrame in SQLite's "WAL-mode File Format");
// the length of the log itself says only how many it once had.
func (f *folder) frames() int64 {
	shm, err := os.Open(f.e.path + "-shm")
	if err != nil {
		return 0
	}
	defer shm.Close()
	var mxFrame [4]byte
	if _, err := shm.ReadAt(mxFrame[:], 16); err != nil {
		return 0
	}
	return int64(binary.NativeEndian.Uint32(mxFrame[:]))
}

// mode is how a fold ends.
func (f *folder) mode() string {
	if info, err := os.Stat(f.e.path + "-wal"); err == nil && info.Size() > 8*4120*int64(f.e.o.WALPages) {
		return "TRUNCATE"
	}
	return "RESTART"
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
	_ = f.e.w.with(ctx, func(*sql.Conn) error { return f.checkpoint(ctx, f.mode()) })
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
