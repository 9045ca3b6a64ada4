// Package react is the stage that watches calls as they happen: it follows the journal through the rules of core/habit and closes what they say, on the
// line or for its customer. What it remembers is written with its cursor, so that after a restart it goes on where it was. It must not know protocols or SQL.
package react

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/journal"
	"ringfence/state/store"
)

// Stage is the name of the cursor.
const Stage = "react"

// Options of a React. Store, Book and Rules are needed.
type Options struct {
	Store interface {
		store.Stages
		Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error)
	}
	Book  *book.Book
	Rules *habit.Rules
	Every time.Duration // how often the journal is looked at when nobody calls Wake; 500 ms
	Save  time.Duration // how long what was learnt may wait to be written; 2 s. A finding is written immediately
	// Known are addresses and User-Agents from which a line's login has been used since before an instant; nil: what its calls have shown is all that is known.
	Known func(line string, before time.Time) (at []netip.Addr, agents []string)
	Log   *slog.Logger
}

const (
	freshFor    = time.Hour       // findings about older facts change nothing: they are only learnt from
	silence     = time.Hour       // after which a line's memory is dropped, and read again when it calls
	othersLead  = 3 * time.Second // for so long the cursor must stand before a node follows again that was overtaken
	othersApply = 5 * time.Second // after which another node's answer is applied, had that node no time to
	gather      = 20 * time.Millisecond
	dirtyMost   = 2000             // memories that wait to be written
	forgotten   = 48 * time.Hour   // after which a call is no longer waited for whose end the journal does not have
	sweepEvery  = 10 * time.Minute // by the facts' time
)

// React is the stage. Make it with New and let one goroutine Run it; Wake, Stats and Of are safe for concurrent use.
type React struct {
	o        Options
	follower journal.Follower
	wake     chan struct{}

	mu    sync.Mutex // owns all below; the goroutine in Run alone writes
	stats Stats

	at, saved int64 // the last fact taken, and the stored cursor
	loaded    bool
	overtaken bool // another node follows
	savedAt   time.Time
	sweptAt   time.Time // by the facts' time

	memories map[string]*memory // by "line/ID" and "account/ID"
	calls    map[call.ID]*watched
	world    habit.World
	hour     time.Time // the last full hour at which the world turned
	turned   bool      // since it was written
	heed     bool      // what it closes to everybody may have changed
	notes    habit.Notes
	noted    int   // notes that are written
	chunks   []int // of notes, by the fact up to which each was written
	dirty    map[string]*memory
	gone     map[string]bool // subjects to be forgotten in the store
	found    []fact.Row      // findings to be written
	answers  map[string]*answer
	rules    *habit.Rules // as far as they are trusted
	trust    habit.Trust
	trusted  bool // that has changed since it was written
	origins  origins

	figures  figures
	figured  bool                              // since it was written
	would    map[string][]restrict.Restriction // what shadows would have closed, by subject
	foreseen map[string]bool                   // subjects of would that have changed
	waits    [habit.NumMeters]bool             // rules that wait for somebody to agree
}

// memory is what is remembered of a line or customer.
type memory struct {
	habit.Memory
	used time.Time // of the last fact about it
}

// Stats is how the stage is doing.
type Stats struct {
	Seq      int64         // of the last fact taken
	Facts    int64         // taken since the start
	Bad      int64         // whose body was not what its kind promises
	Found    int64         // findings of this node
	Closed   int64         // answers that this node applied
	Lines    int           // lines and customers in memory
	Calls    int           // in progress
	Lag      time.Duration // how far the journal is ahead, while it is caught up with
	Reaction time.Duration // longest time from a fact to what it closed, since the start
}

// New checks the options. Nothing is read before Run.
func New(o Options) (*React, error) {
	if o.Store == nil || o.Book == nil || o.Rules == nil {
		return nil, errors.New("react: a store, a book and rules are needed")
	}
	o.Every, o.Save = cmp.Or(max(o.Every, 0), 500*time.Millisecond), cmp.Or(max(o.Save, 0), 2*time.Second)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	r := &React{o: o, wake: make(chan struct{}, 1)}
	r.follower = journal.Follower{
		Name: Stage, Every: o.Every, Wake: r.wake, Gather: gather, Read: o.Store.Facts, Begin: r.begin, Take: r.take, Log: o.Log,
	}
	return r, nil
}

// Run follows the journal until ctx ends, and then writes what was learnt.
func (r *React) Run(ctx context.Context) {
	r.follower.Run(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.loaded {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := r.save(ctx); err != nil {
		r.o.Log.Warn("what was learnt of the last calls is read again at the next start", "error", err)
	}
}

// Wake says that this node has written facts. It never blocks.
func (r *React) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Use has the facts from now on watched by other rules; nil: by none.
func (r *React) Use(rules *habit.Rules) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.o.Rules = rules
	if rules != nil {
		r.trustRules()
		r.trusted = true
	}
}

// Stats counts since the start.
func (r *React) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Seq, s.Lines, s.Calls, s.Lag = r.at, len(r.memories), len(r.calls), r.follower.Lag()
	return s
}

// begin says where to go on. A node that another has overtaken waits until that one follows no more.
func (r *React) begin(ctx context.Context) (int64, error) {
	if err := r.await(ctx); err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded {
		return r.at, nil
	}
	return r.at, r.load(ctx)
}

// await waits while another node moves the cursor.
func (r *React) await(ctx context.Context) error {
	if !r.overtaken {
		return nil
	}
	for was, since := int64(-1), time.Now(); time.Since(since) < othersLead; {
		cursor, err := r.o.Store.Cursor(ctx, Stage)
		if err != nil {
			return err
		}
		if cursor != was {
			was, since = cursor, time.Now()
		}
		select {
		case <-time.After(r.o.Every):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.overtaken = false
	return nil
}

// take takes facts, and writes what comes of them when something was found or it is time.
func (r *React) take(ctx context.Context, _ int64, facts []store.Fact, _ bool) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for i := range facts {
		if err := r.fact(ctx, &facts[i], now); err != nil {
			return r.at, err
		}
		r.at = facts[i].Seq
		r.stats.Facts++
	}
	if len(r.found) > 0 || len(r.dirty) >= dirtyMost || r.at != r.saved && now.Sub(r.savedAt) >= r.o.Save {
		if err := r.save(ctx); err != nil {
			return r.at, err
		}
	}
	r.apply(ctx, now)
	r.everybody(ctx, now)
	return r.at, nil
}
