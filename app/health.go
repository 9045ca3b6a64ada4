package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"ringfence/core/policy"
	"ringfence/core/secret"
	"ringfence/state/store"
	"ringfence/state/store/postgres"
)

// health is what the probe last found of the store.
type health struct {
	fault    atomic.Pointer[string] // "" or nil is well
	closed   atomic.Uint32          // a policy.Reason: why no paid call is taken whatever the ledger says
	identity string                 // of the store that was opened
}

// The store is written to so often to see that it can be, and has so long to answer: a dead one is known within two
// seconds, also when no call is writing.
const (
	probeEvery  = 500 * time.Millisecond
	probeWithin = 1200 * time.Millisecond
)

// paid says why no paid call is taken at the moment.
func (h *health) paid() policy.Reason { return policy.Reason(h.closed.Load()) }

// openHealth refuses a store that another key seals, and remembers which store this is. A store from before there were
// marks gets them, if what is sealed in it opens.
func (a *App) openHealth(ctx context.Context) error {
	marks, err := a.store.Marks(ctx)
	if err != nil {
		return err
	}
	if _, there := marks[store.MarkKey]; !there {
		if opened, failed := a.book.CheckSecrets(); failed > 0 {
			return fmt.Errorf("%w: %d of %d passwords do not open with it", errOtherKey, failed, opened+failed)
		}
		if err := a.makeMarks(ctx); err != nil {
			return err
		}
		if marks, err = a.store.Marks(ctx); err != nil {
			return err
		}
	}
	if err := a.fits(marks); err != nil {
		return err
	}
	a.health.identity = marks[store.MarkIdentity].Value
	a.noteProbe(ctx, a.noteGap(marks)) // before anything is served
	return nil
}

// makeMarks writes the first marks. Another node may be quicker: then its marks count.
func (a *App) makeMarks(ctx context.Context) error {
	box, err := a.keys.box()
	if err != nil {
		return err
	}
	sealed, err := box.Seal(keyCheck, secret.NewPassword(keyCheck))
	if err != nil {
		return err
	}
	for _, m := range []store.Mark{{Name: store.MarkIdentity, Value: rand.Text()}, {Name: store.MarkKey, Value: keyCheck, Sealed: sealed}} {
		if err := a.store.PutMark(ctx, m, ""); err != nil && !errors.Is(err, store.ErrMoved) {
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
func (a *App) fits(marks map[string]store.Mark) error {
	box, err := a.keys.box()
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
	if id := marks[store.MarkIdentity].Value; a.health.identity != "" && id != a.health.identity {
		return fmt.Errorf("%w: it is another store than at the start. If it is the right one now, start this node again", store.ErrReplaced)
	}
	return nil
}

// noteGap closes paid calls while records are lost.
func (a *App) noteGap(marks map[string]store.Mark) (fault string) {
	gap, open := store.ReadGap(marks)
	if !open {
		a.health.closed.Store(uint32(policy.OK))
		return ""
	}
	a.health.closed.Store(uint32(policy.RecordsLost))
	return gapText(gap)
}

func gapText(g store.Gap) string {
	return fmt.Sprintf("the store was restored from a backup: what was spent from %s to %s is not known. "+
		"Book the carriers' records of that time with: ringfence restore --records FILE, or take paid calls again without them with: ringfence restore --accept-gap",
		g.From.Format(time.RFC3339), g.Until.Format(time.RFC3339))
}

// storeFault is "" while the store is well: neither the ledger nor the probe has failed since.
func (a *App) storeFault() string {
	if p := a.health.fault.Load(); p != nil && *p != "" {
		return *p
	}
	if err := a.ledger.Healthy(); err != nil {
		return err.Error()
	}
	return ""
}

// probe writes to the store now and then, so that a full disk is known before a call finds it.
func (a *App) probe(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		look, cancel := context.WithTimeout(ctx, probeWithin)
		answer := make(chan string, 1)
		go func() { answer <- a.look(look) }()
		fault := ""
		select {
		case fault = <-answer:
		case <-look.Done(): // a frozen disk does not return from its system call, whatever the context says
			a.noteProbe(ctx, "the store has not answered for "+probeWithin.String())
			fault = <-answer
		}
		cancel()
		a.noteProbe(ctx, fault)
	}
}

// look says what is wrong with the store.
func (a *App) look(ctx context.Context) string {
	if err := a.stillHeld(ctx); err != nil {
		return err.Error()
	}
	err := a.store.Ping(ctx)
	var marks map[string]store.Mark
	if err == nil {
		marks, err = a.store.Marks(ctx)
	}
	if err != nil {
		return err.Error()
	}
	if err := a.fits(marks); err != nil {
		a.health.closed.Store(uint32(policy.StoreUnavailable))
		return err.Error()
	}
	return a.noteGap(marks)
}

// stillHeld closes paid calls while it is not known whether this process is still the node, and ends the program when it
// is not: the process that is meters its calls.
func (a *App) stillHeld(ctx context.Context) error {
	if a.held == nil {
		return nil
	}
	err := a.held(ctx)
	if err == nil || errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	a.health.closed.Store(uint32(policy.StoreUnavailable))
	if errors.Is(err, postgres.ErrNodeTaken) {
		err = fmt.Errorf("this server is no longer the node and stops: %w", err)
		a.fail(err)
	}
	return err
}

func (a *App) noteProbe(ctx context.Context, text string) {
	if ctx.Err() != nil {
		return
	}
	old := a.health.fault.Swap(&text)
	switch {
	case text != "" && (old == nil || *old == ""):
		a.log.Error("the store is not well: new paid calls are refused, emergency calls connect", "err", text)
	case text == "" && old != nil && *old != "":
		a.log.Info("the store is well again")
	}
}
