package health

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/secret"
	"ringfence/flow/keep"
	"ringfence/state/store"
)

// Copier is a store opened beside a server that may be running.
type Copier interface {
	store.Store
	Copy(ctx context.Context, file string) error
}

// Staged is a copy that can take the store's place.
type Staged interface {
	store.Store
	Swap(ctx context.Context, aside string) error
	Drop() error
}

// BackedUp is what Backup wrote.
type BackedUp struct {
	File  string    `json:"file"`
	Bytes int64     `json:"bytes"`
	At    time.Time `json:"at"`            // everything until then is in it
	Files int       `json:"archive_files"` // beside it, of archives of old calls
}

// Backup writes a copy of the store as it is at one moment, while servers go on. The key is not in it.
func Backup(ctx context.Context, s Copier, file string) (out BackedUp, err error) {
	out.File = file
	if out.At, err = markBackup(ctx, s); err != nil {
		return out, err
	}
	partial := file + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, os.ErrNotExist) {
		return out, err
	}
	if err = s.Copy(ctx, partial); err == nil {
		out.Bytes, err = keep.Finish(partial, file)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(partial))
	}
	return out, err
}

// CopyFiles copies files from one folder into another, each whole or not at all, and says how many. Those that are there stay unless fresh says otherwise: then they are
// replaced, and others in there are removed. A folder that is not there has none.
func CopyFiles(from, to string, fresh bool) (n int, err error) {
	names, err := os.ReadDir(from)
	if errors.Is(err, os.ErrNotExist) {
		names, err = nil, nil
	}
	there, readErr := os.ReadDir(to)
	if err != nil || readErr != nil && !errors.Is(readErr, os.ErrNotExist) {
		return 0, errors.Join(err, readErr)
	}
	kept := map[string]bool{}
	for _, f := range names {
		kept[f.Name()] = f.Type().IsRegular() && strings.HasSuffix(f.Name(), ".gz")
	}
	for _, f := range there {
		if fresh && !kept[f.Name()] && f.Type().IsRegular() {
			if err := os.Remove(filepath.Join(to, f.Name())); err != nil {
				return 0, err
			}
		}
		kept[f.Name()] = kept[f.Name()] && fresh
	}
	for _, f := range names {
		if !kept[f.Name()] {
			continue
		}
		if err := errors.Join(os.MkdirAll(to, 0o700), copyFile(filepath.Join(from, f.Name()), filepath.Join(to, f.Name()))); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) { // its time came in between
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = keep.Replace(to, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
	return err
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

// Restored is what Restore did, or would do.
type Restored struct {
	Done  bool      `json:"done"`
	File  string    `json:"file"`
	From  time.Time `json:"from"`          // what was spent from here
	Until time.Time `json:"until"`         // to here is not known to the store any more
	Kept  string    `json:"kept"`          // where what was there is kept
	Calls int       `json:"calls"`         // in progress when the backup was made
	Files int       `json:"archive_files"` // of archives of old calls that were missing, and were put back
}

// Restore puts a staged backup in the store's place, if yes; else it does everything up to that, and gives it up. aside is
// where what was there is kept.
func Restore(ctx context.Context, s Staged, box *secret.Box, file, aside, actor string, yes bool) (Restored, error) {
	out := Restored{File: file, Kept: aside}
	if err := out.prepare(ctx, s, box, actor); err != nil || !yes {
		return out, errors.Join(err, s.Drop())
	}
	err := s.Swap(ctx, aside)
	out.Done = err == nil
	return out, err
}

// prepare looks whether the copy fits and writes into it what it does not know: the gap.
func (out *Restored) prepare(ctx context.Context, s store.Store, box *secret.Box, actor string) error {
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
	f := fact.StoreRestored{By: actor, From: gap.From, Until: gap.Until}
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
func AcceptGap(ctx context.Context, s store.Store, actor string) (store.Gap, error) {
	marks, err := s.Marks(ctx)
	if err != nil {
		return store.Gap{}, err
	}
	gap, open := store.ReadGap(marks)
	if !open {
		return gap, errors.New("no records are lost: there is nothing to accept")
	}
	f := fact.StoreGapAccepted{By: actor, From: gap.From, Until: gap.Until}
	return gap, s.PutMark(ctx, store.Mark{Name: store.MarkGap}, marks[store.MarkGap].Value, f.Row(time.Now().UTC(), fact.Subject{}))
}
