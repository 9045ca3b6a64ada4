// Package watch follows the journal through core/detect: it writes findings, keeps un-billed usage with calls in progress
// counted, and raises the warning levels. Each fact is taken exactly once, also across a crash and with several nodes
// (store.Advance). It must not know protocols, mail or SQL.
//
// What is kept in memory is a fold over the journal: usage as stored at the start, and every fact since. With several
// nodes each folds all facts, and the first one writes; the others' step is store.ErrMoved, and they take over what
// was written.
package watch

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/flow/book"
	"ringfence/flow/journal"
	"ringfence/state/store"
)

// Stage is the name of this stage's cursor.
const Stage = "watch"

// Options of New.
type Options struct {
	Store interface {
		store.Stages
		Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error)
	}
	Book *book.Book
	// Calls are those in progress on this node; nil: none. A call must leave here before its settlement is in the journal,
	// as gate.Calls does. The slice becomes the stage's own.
	Calls func() []call.Open
	// Others are open calls of other nodes, from the store; nil: there are none. Asked at most every few seconds. Calls of
	// this node may be among them. The slice becomes the stage's own.
	Others func(ctx context.Context) ([]call.Open, error)
	Every  time.Duration // how often the journal and the calls are looked at; 0 is 500 ms
	Log    *slog.Logger
}

const (
	// freshFor is how old a fact may be to lead to a finding. Usage counts all facts; but a first start on the journal of
	// years must not tell of every guess there ever was. Warning levels know no such limit: usage that is above its level is
	// so today, and told once, at its highest multiple.
	freshFor    = 24 * time.Hour
	othersEvery = 2 * time.Second
	sweepEvery  = 10 * time.Second // all levels are looked up afresh, for grants that end and configuration that changed
	sweepLeast  = time.Second      // and so often at most when the journal speaks of changed settings
)

// Watch is the stage. Make it with New and let one goroutine Run it; the questions are safe for concurrent use.
type Watch struct {
	o Options

	mu       sync.Mutex // owns all below but what Run alone uses
	loaded   bool
	at       int64               // Seq of the last fact folded in
	subjects map[string]*subject // with usage or with calls that cost: some 200 bytes each
	runs     map[call.ID]*run    // calls in progress that have cost something
	round    int64               // of looking at the calls
	touched  []*subject          // whose usage or level changed since levels were last looked at
	stats    Stats

	// Of the goroutine in Run alone.
	others        []call.Open
	othersAt      time.Time
	othersFailing bool
	levelsAt      time.Time
	sweptAt       time.Time
	sweepAgain    int // sweeps asked for by facts
	follower      journal.Follower
}

// New checks the options. Nothing is read before Run.
func New(o Options) (*Watch, error) {
	if o.Store == nil || o.Book == nil {
		return nil, errors.New("watch: a store and a book are needed")
	}
	o.Every = cmp.Or(max(o.Every, 0), 500*time.Millisecond)
	if o.Calls == nil {
		o.Calls = func() []call.Open { return nil }
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	w := &Watch{o: o, subjects: map[string]*subject{}, runs: map[call.ID]*run{}}
	read := func(ctx context.Context, f store.FactFilter) ([]store.Fact, error) { return w.o.Store.Facts(ctx, f) }
	w.follower = journal.Follower{Name: Stage, Every: o.Every, Read: read, Begin: w.begin, Take: w.take, Log: o.Log}
	return w, nil
}

// Run follows the journal until ctx ends. A store that fails is asked again; nothing is lost by it.
func (w *Watch) Run(ctx context.Context) { w.follower.Run(ctx) }

// begin reads usage as it stands at the cursor, unless what is in memory is still right.
func (w *Watch) begin(ctx context.Context) (int64, error) {
	if !w.loaded {
		if err := w.load(ctx); err != nil {
			return w.at, err
		}
	}
	return w.at, nil
}

// take takes a batch of the journal and, when it is time, looks at the levels.
func (w *Watch) take(ctx context.Context, _ int64, facts []store.Fact, caughtUp bool) (int64, error) {
	if err := w.advance(ctx, facts, time.Now()); err != nil {
		return w.at, err
	}
	// While an old journal is caught up with, usage is not yet what it is: levels told on the way would be a storm.
	now := time.Now()
	if caughtUp || now.Sub(facts[len(facts)-1].At) < behind && now.Sub(w.levelsAt) >= w.o.Every {
		w.levelsAt = now
		if err := w.levels(ctx, now); err != nil {
			return w.at, err
		}
	}
	if !w.loaded {
		return w.at, journal.ErrAgain
	}
	return w.at, nil
}

// behind is how old the facts of a full batch may be for levels to be looked at before the rest is read.
const behind = 10 * time.Second

// load reads usage as it stands at the cursor: again when another node moved the cursor meanwhile.
func (w *Watch) load(ctx context.Context) error {
	for {
		from, err := w.o.Store.Cursor(ctx, Stage)
		if err != nil {
			return err
		}
		subjects := map[string]*subject{}
		err = w.o.Store.Usage(ctx, func(u store.Usage) error {
			s := newSubject(u.Subject)
			s.settled, s.told = u.Unbilled, money.Micro(u.Told)
			subjects[u.Subject] = s
			return nil
		})
		if err != nil {
			return err
		}
		to, err := w.o.Store.Cursor(ctx, Stage)
		if err != nil {
			return err
		}
		if from != to {
			continue
		}
		w.mu.Lock()
		w.at, w.subjects, w.runs, w.touched, w.loaded = to, subjects, map[call.ID]*run{}, nil, true
		w.mu.Unlock()
		w.sweptAt = time.Time{}
		return nil
	}
}
