// Package health says whether the store is well: it can be written, it is the one that was opened, this node's key seals it,
// this process is still the node, and no records are lost. While one of these fails, no paid call is taken. It also makes
// backups, and readies one that takes the store's place. It must not know engines, SQL or configuration.
package health

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"ringfence/core/check"
	"ringfence/core/policy"
	"ringfence/core/secret"
	"ringfence/flow/keep"
	"ringfence/state/store"
)

// The store is written to so often to see that it can be, and has so long to answer: a dead one is known within two
// seconds, also when no call is writing.
const (
	probeEvery  = 500 * time.Millisecond
	probeWithin = 1200 * time.Millisecond
)

// Options of Open; all but Engine, Held and Taken are needed.
type Options struct {
	Store   store.Store
	Engine  string                      // its name
	Money   store.Money                 // where money is kept: Store, or memory
	Box     func() (*secret.Box, error) // the present keys of this node
	Secrets func() (opened, failed int) // how many stored passwords open with them
	Ledger  func() error                // why the last transaction failed; nil: it did not
	Held    func(context.Context) error // whether this process is still the node; nil: nothing can take that from it
	Taken   error                       // what Held says when another process is the node
	Fail    func(error)                 // ends the program
	Log     *slog.Logger
}

// Health is what the probe last found of the store. Make it with Open; safe for concurrent use.
type Health struct {
	o        Options
	fault    atomic.Pointer[string] // "" or nil is well
	closed   atomic.Uint32          // a policy.Reason: why no paid call is taken whatever the ledger says
	identity string                 // of the store that was opened
}

// Open refuses a store that another key seals, and remembers which store this is. A store from before there were marks gets
// them, if what is sealed in it opens.
func Open(ctx context.Context, o Options) (*Health, error) {
	h := &Health{o: o}
	marks, err := o.Store.Marks(ctx)
	if err != nil {
		return nil, err
	}
	if _, there := marks[store.MarkKey]; !there {
		if opened, failed := o.Secrets(); failed > 0 {
			return nil, fmt.Errorf("%w: %d of %d passwords do not open with it", errOtherKey, failed, opened+failed)
		}
		if err := h.makeMarks(ctx); err != nil {
			return nil, err
		}
		if marks, err = o.Store.Marks(ctx); err != nil {
			return nil, err
		}
	}
	if err := h.fits(marks); err != nil {
		return nil, err
	}
	h.identity = marks[store.MarkIdentity].Value
	h.note(ctx, h.noteGap(marks)) // before anything is served
	return h, nil
}

// makeMarks writes the first marks. Another node may be quicker: then its marks count.
func (h *Health) makeMarks(ctx context.Context) error {
	box, err := h.o.Box()
	if err != nil {
		return err
	}
	sealed, err := box.Seal(keyCheck, secret.NewPassword(keyCheck))
	if err != nil {
		return err
	}
	for _, m := range []store.Mark{{Name: store.MarkIdentity, Value: rand.Text()}, {Name: store.MarkKey, Value: keyCheck, Sealed: sealed}} {
		if err := h.o.Store.PutMark(ctx, m, ""); err != nil && !errors.Is(err, store.ErrMoved) {
			return err
		}
	}
	return nil
}

// keyCheck is what the mark of the key seals, and whose it is.
const keyCheck = "store/key"

// errOtherKey says what to do. A login under a wrong key would look like a wrong password.
var errOtherKey = errors.New("the key of this node is not the one that seals the store's passwords: copy the key file (secret.key-file) of a node that works, or the copy kept beside the backup, and start again")

// fits wants the key and the store to belong together, and the store to be the one that was opened.
func (h *Health) fits(marks map[string]store.Mark) error {
	box, err := h.o.Box()
	if err != nil {
		return err
	}
	check, there := marks[store.MarkKey]
	if !there {
		return fmt.Errorf("%w: it no longer says which store it is. Restore a backup, or start this node again if it is the right one", store.ErrReplaced)
	}
	if _, err := box.Open(keyCheck, check.Sealed); err != nil {
		return errOtherKey
	}
	if id := marks[store.MarkIdentity].Value; h.identity != "" && id != h.identity {
		return fmt.Errorf("%w: it is another store than at the start. If it is the right one now, start this node again", store.ErrReplaced)
	}
	return nil
}

// noteGap closes paid calls while records are lost.
func (h *Health) noteGap(marks map[string]store.Mark) (fault string) {
	gap, open := store.ReadGap(marks)
	if !open {
		h.closed.Store(uint32(policy.OK))
		return ""
	}
	h.closed.Store(uint32(policy.RecordsLost))
	return fmt.Sprintf("the store was restored from a backup: what was spent from %s to %s is not known. "+
		"Book the carriers' records of that time with: ringfence restore --records FILE, or take paid calls again without them with: ringfence restore --accept-gap",
		gap.From.Format(time.RFC3339), gap.Until.Format(time.RFC3339))
}

// Paid says why no paid call is taken at the moment.
func (h *Health) Paid() policy.Reason { return policy.Reason(h.closed.Load()) }

// Fault is "" while the store is well: neither the ledger nor the probe has failed since.
func (h *Health) Fault() string {
	if p := h.fault.Load(); p != nil && *p != "" {
		return *p
	}
	if err := h.o.Ledger(); err != nil {
		return err.Error()
	}
	return ""
}

// Run writes to the store now and then until ctx ends, so that a full disk is known before a call finds it. A frozen disk may
// keep it longer.
func (h *Health) Run(ctx context.Context) {
	keep.Every(ctx, probeEvery, func(time.Time) {
		look, cancel := context.WithTimeout(ctx, probeWithin)
		defer cancel()
		answer := make(chan string, 1)
		go func() { answer <- h.look(look) }()
		fault := ""
		select {
		case fault = <-answer:
		case <-look.Done(): // a frozen disk does not return from its system call, whatever the context says
			h.note(ctx, "the store has not answered for "+probeWithin.String())
			fault = <-answer
		}
		h.note(ctx, fault)
	})
}

// look says what is wrong with the store.
func (h *Health) look(ctx context.Context) string {
	if err := h.stillHeld(ctx); err != nil {
		return err.Error()
	}
	err := h.o.Store.Ping(ctx)
	var marks map[string]store.Mark
	if err == nil {
		marks, err = h.o.Store.Marks(ctx)
	}
	if err != nil {
		return err.Error()
	}
	if err := h.fits(marks); err != nil {
		h.closed.Store(uint32(policy.StoreUnavailable))
		return err.Error()
	}
	return h.noteGap(marks)
}

// stillHeld closes paid calls while it is not known whether this process is still the node, and ends the program when it
// is not: the process that is meters its calls.
func (h *Health) stillHeld(ctx context.Context) error {
	if h.o.Held == nil {
		return nil
	}
	err := h.o.Held(ctx)
	if err == nil || errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	h.closed.Store(uint32(policy.StoreUnavailable))
	if errors.Is(err, h.o.Taken) {
		err = fmt.Errorf("this server is no longer the node and stops: %w", err)
		h.o.Fail(err)
	}
	return err
}

func (h *Health) note(ctx context.Context, text string) {
	if ctx.Err() != nil {
		return
	}
	old := h.fault.Swap(&text)
	switch {
	case text != "" && (old == nil || *old == ""):
		h.o.Log.Error("the store is not well: new paid calls are refused, emergency calls connect", "err", text)
	case text == "" && old != nil && *old != "":
		h.o.Log.Info("the store is well again")
	}
}

// Check finds whether the store can be written, and whether its money adds up.
func (h *Health) Check(ctx context.Context) check.Findings {
	var out check.Findings
	if err := h.o.Store.Ping(ctx); err != nil {
		out.Fail("store", "cannot be written: %v. Paid calls are refused until it can", err)
	} else {
		out.OK("store", "%s answers and can be written", h.o.Engine)
	}
	faults, err := h.o.Money.Check(ctx)
	switch {
	case err != nil:
		out.Fail("money", "could not be checked: %v", err)
	case len(faults) == 0:
		out.OK("money", "every purse holds exactly what its open calls hold")
	}
	for _, f := range faults {
		out.Fail("money", "%s", f)
	}
	if h.o.Money != store.Money(h.o.Store) {
		out.Warn("configuration", "store.money is \"memory\": caps and calls are forgotten when the program ends")
	}
	return out
}
