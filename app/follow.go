package app

import (
	"context"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/flow/notify"
	"ringfence/flow/watch"
	"ringfence/state/store"
)

// followEvery is how soon a node hears of what another changed in the book.
const followEvery = time.Second

// followOthers reads the book again when the journal says that it was changed, by whatever node: several nodes share a
// PostgreSQL. A change of our own is read again too, which does no harm. It returns when ctx ends.
func (a *App) followOthers(ctx context.Context) {
	if a.config().Store.Engine != "postgres" {
		<-ctx.Done()
		return
	}
	at, started := int64(0), false
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		var err error
		if !started {
			at, err = a.store.Cursor(ctx, watch.Stage) // about the end: what is read twice does no harm
			started = err == nil
		} else {
			at, err = a.followBook(ctx, at)
		}
		if err != nil && ctx.Err() == nil {
			a.log.Warn("what other nodes changed could not be read; it is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// followBook looks at the facts after a point and returns how far it came. On an error all of them are looked at again.
func (a *App) followBook(ctx context.Context, at int64) (int64, error) {
	changed, upTo := false, at
	var locked []store.Fact
	var relog []store.Fact
	for {
		facts, err := a.store.Facts(ctx, store.FactFilter{After: upTo, Limit: 1000})
		if err != nil {
			return at, err
		}
		for i := range facts {
			changed = changed || fact.OfBook(facts[i].Kind)
			if facts[i].Kind == fact.KindLineLocked {
				locked = append(locked, facts[i])
			}
			if facts[i].Kind == fact.KindPasswordChanged {
				relog = append(relog, facts[i])
			}
			upTo = facts[i].Seq
		}
		if len(facts) < 1000 {
			break
		}
	}
	if changed {
		if err := a.book.Reload(ctx); err != nil {
			return at, err
		}
	}
	for i := range relog {
		a.location.DropBefore(relog[i].Line, relog[i].At)
	}
	for i := range locked {
		a.followLock(&locked[i])
	}
	return upTo, nil
}

// followLock ends the calls of a line that another node locked with its calls, if it is locked still. Read again, the book
// has told the gate of the lock already, but not of one that came when the line was locked so before, and not whose it is.
func (a *App) followLock(f *store.Fact) {
	var body fact.LineLocked
	var after fact.Lock
	if body.Decode(f.Body) != nil || fact.Part(body.After, &after) != nil || !after.Cut && after.LockCalls != account.CallsCut.String() {
		return
	}
	switch l, ok := a.book.Line(f.Line); {
	case !ok || !l.Locked():
	case body.By == notify.ByAnswer:
		a.answers.CutCalls(f.Line)
	default:
		a.gate.CutLine(f.Line, policy.CutLocked)
	}
}
