// Package keep keeps what a stage holds in memory: over restarts, written behind to the store or to a file that is replaced
// whole, and among nodes, as marks in the counters that they share. What cannot be written or told stays in memory and is
// tried again. It must not know what is kept.
package keep

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Writer writes behind what changed. One write at a time, in order. Set the fields before the first Flush.
type Writer[B any] struct {
	Batches iter.Seq[B] // takes what is to be written, a transaction's worth at a time
	// Save writes a batch. One that fails may have been saved nevertheless; again says that this one may be.
	Save   func(ctx context.Context, b B, again bool) error
	Back   func(b B) // takes back what could not be saved; nil: it is saved as it is, before anything newer
	Outage Outage

	mu   sync.Mutex // owns Outage and held; one Flush at a time
	held []B        // at most one, which could not be saved
}

// Flush writes all changes now. What could not be written is taken back for the next time.
func (w *Writer[B]) Flush(ctx context.Context) error {
	return w.Alone(func() error {
		err := w.flush(ctx)
		w.Outage.Note(err)
		return err
	})
}

func (w *Writer[B]) flush(ctx context.Context) error {
	if len(w.held) > 0 {
		if err := w.Save(ctx, w.held[0], true); err != nil {
			return err
		}
		w.held = nil
	}
	for b := range w.Batches {
		err := w.Save(ctx, b, false)
		switch {
		case err == nil:
			continue
		case w.Back != nil:
			w.Back(b)
		default:
			w.held = []B{b}
		}
		return err
	}
	return nil
}

// Alone runs f while nothing is written.
func (w *Writer[B]) Alone(f func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return f()
}

// Outage is logged once when it begins, and once when it is over.
type Outage struct {
	Log           *slog.Logger
	Level         slog.Level
	Failed, Again string // what is said: "bans cannot be written; …", "bans are written again"
	On            bool   // it lasts
}

// Note takes the outcome of a try; nil is that it went well.
func (o *Outage) Note(err error) {
	was := o.On
	switch o.On = err != nil; {
	case o.On && !was:
		o.Log.Log(context.Background(), o.Level, o.Failed, "error", err) //nolint:sloglint // the words are the owner's
	case !o.On && was:
		o.Log.Info(o.Again) //nolint:sloglint // likewise
	}
}

// Every calls f again and again until ctx ends.
func Every(ctx context.Context, d time.Duration, f func(now time.Time)) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			f(now)
		}
	}
}

// Replace replaces a file: whatever happens meanwhile, it is the old one or the new one, mode 0600, durable before it
// returns. It returns the new size in bytes.
func Replace(path string, write func(io.Writer) error) (size int64, err error) {
	part := path + ".part" // one name: what a crash leaves is written over
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			os.Remove(part)
		}
	}()
	if err = errors.Join(write(f), f.Close()); err != nil {
		return 0, err
	}
	return Finish(part, path)
}

// Finish gives a finished file its name, in place of what has it, when all of it is on the disk. It returns its size in bytes.
func Finish(part, path string) (size int64, err error) {
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	if err := os.Rename(part, path); err != nil {
		return 0, err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return 0, err
	}
	return info.Size(), errors.Join(dir.Sync(), dir.Close())
}
