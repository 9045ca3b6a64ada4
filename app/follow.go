package app

import (
	"context"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/flow/journal"
	"ringfence/flow/notify"
	"ringfence/flow/watch"
	"ringfence/state/store"
)

// followEvery is how soon a node hears of what another changed in the book.
const followEvery = time.Second

// bookKinds are what the book writes.
var bookKinds = slices.DeleteFunc(slices.Clone(fact.Kinds[:]), func(kind string) bool { return !fact.OfBook(kind) })

// followOthers puts in force what the journal says was changed in the book, by whatever node: several nodes share a PostgreSQL. A
// change of our own is read again too, which does no harm. It returns when ctx ends.
func (a *App) followOthers(ctx context.Context) {
	if a.config().Store.Engine != "postgres" {
		<-ctx.Done()
		return
	}
	a.following.Run(ctx)
}

// bookFollower begins about the journal's end: what is read twice does no harm.
func (a *App) bookFollower() *journal.Follower {
	return &journal.Follower{
		Name: "book", Every: followEvery, Kinds: bookKinds, Read: a.store.Facts, Take: a.followBook, Log: a.log,
		Begin: func(ctx context.Context) (int64, error) { return a.store.Cursor(ctx, watch.Stage) },
	}
}

// followBook takes facts of the book.
func (a *App) followBook(ctx context.Context, at int64, facts []store.Fact, _ bool) (int64, error) {
	if len(facts) == 0 {
		return at, nil
	}
	if err := a.book.Follow(ctx, facts); err != nil {
		return at, err
	}
	for i := range facts {
		switch f := &facts[i]; f.Kind {
		case fact.KindPasswordChanged:
			a.location.DropBefore(f.Line, f.At)
		case fact.KindLineLocked:
			a.followLock(f)
		}
		at = facts[i].Seq
	}
	return at, nil
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
