package journal

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"ringfence/flow/keep"
	"ringfence/state/store"
)

// Fact and Filter are the store's, for edges that must not know it.
type (
	Fact   = store.Fact
	Filter = store.FactFilter
)

// Batch is how many facts a follower takes at once.
const Batch = 1000

// ErrAgain, alone or wrapped, has a follower ask again where to begin: another node, or an earlier try, has moved the cursor.
var ErrAgain = errors.New("the cursor has moved")

// Follower reads the journal in its order, in batches, from a cursor on. What fails is tried again; nothing is left out.
type Follower struct {
	Name  string // of who follows, for the log
	Every time.Duration
	// Wake, if it is not nil, says that facts were written: they are read within Gather, instead of at the next tick.
	Wake   <-chan struct{}
	Gather time.Duration
	Kinds  []string // what it reads; none is all. It should name no kind of fact.EachCall, so that an index finds its rows
	Read   func(ctx context.Context, f store.FactFilter) ([]store.Fact, error)
	// Begin says after which fact to begin.
	Begin func(ctx context.Context) (int64, error)
	// Take takes the facts after the cursor, which is at, and returns where it stands then, also beside an error. It is called without any
	// when there are none, for what is due from time to time; caughtUp says that none but these were there.
	Take func(ctx context.Context, at int64, facts []store.Fact, caughtUp bool) (int64, error)
	Log  *slog.Logger

	begun bool
	at    int64
	lag   atomic.Int64
}

// Run follows until ctx ends. It catches up without a pause.
func (f *Follower) Run(ctx context.Context) {
	outage := keep.Outage{
		Log: f.Log.With("follower", f.Name), Level: slog.LevelWarn,
		Failed: "the journal cannot be followed; it is tried again", Again: "the journal is followed again",
	}
	tick := time.NewTicker(f.Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		more, err := f.Turn(ctx)
		if ctx.Err() == nil {
			outage.Note(err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-tick.C:
		case <-f.Wake:
			pause(ctx, f.Gather)
		case <-ctx.Done():
		}
	}
}

// pause waits for company: facts come thick and fast.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// Turn takes one batch. more says that others are there, or that it is to begin again.
func (f *Follower) Turn(ctx context.Context) (more bool, err error) {
	if !f.begun {
		if f.at, err = f.Begin(ctx); err != nil {
			return false, err
		}
		f.begun = true
	}
	facts, err := f.Read(ctx, store.FactFilter{After: f.at, Kinds: f.Kinds, Limit: Batch})
	if err != nil {
		return false, err
	}
	more = len(facts) == Batch
	if f.lag.Store(0); more {
		f.lag.Store(int64(time.Since(facts[Batch-1].At)))
	}
	f.at, err = f.Take(ctx, f.at, facts, !more)
	if errors.Is(err, ErrAgain) {
		f.begun = false
		if err == ErrAgain { //nolint:errorlint // alone it is no failure
			return true, nil
		}
	}
	return more, err
}

// Lag is how old the last fact taken was, while more are there; 0: nothing waits.
func (f *Follower) Lag() time.Duration { return time.Duration(f.lag.Load()) }

// Reader is a stage that follows the journal with a cursor in the store. Kinds are what it reads; none is all.
type Reader struct {
	Stage string
	Kinds []string
}

// Unread is the first Seq that one of them may still have to read, if it is of that kind; 0: nobody reads it. A stage that has not begun reads from the first.
func Unread(cursors map[string]int64, readers []Reader, kind string) (first int64) {
	for i := range readers {
		if r := &readers[i]; len(r.Kinds) == 0 || slices.Contains(r.Kinds, kind) {
			if at := cursors[r.Stage] + 1; first == 0 || at < first {
				first = at
			}
		}
	}
	return first
}
