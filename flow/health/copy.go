package health

import (
	"context"
	"errors"
	"os"
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
	At    time.Time `json:"at"` // everything until then is in it
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
	From  time.Time `json:"from"`  // what was spent from here
	Until time.Time `json:"until"` // to here is not known to the store any more
	Kept  string    `json:"kept"`  // where what was there is kept
	Calls int       `json:"calls"` // in progress when the backup was made
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
