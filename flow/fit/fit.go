// Package fit looks for the tightest settings of a line under which its own calls of the last year would still pass. Each answer was played: the calls
// through the engine that judges live ones, and the figure through flow/exposure. It must not know protocols or SQL, and decides nothing about a call.
package fit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/exposure"
	"ringfence/state/store"
)

// Options of a Desk. Book, Exposure and Calls are needed.
type Options struct {
	Book     *book.Book
	Exposure *exposure.Desk
	Calls    func(ctx context.Context, f store.CDRFilter) ([]call.CDR, error) // newest first
	Terms    engine.Terms
	Ring     time.Duration // for which a call may ring
	Log      *slog.Logger
}

// Desk answers which settings fit. Safe for concurrent use.
type Desk struct {
	o    Options
	ctx  context.Context //nolint:containedctx // that of its work, which goes on while nobody waits for it
	stop context.CancelFunc
	busy sync.WaitGroup
	room chan struct{} // holds one for each search that runs

	mu   sync.Mutex // owns jobs
	jobs map[key]*job
}

// Bounds of the work.
const (
	mostCalls = 150_000 // of a year: of more, the newest
	pageOf    = 1000
	atOnce    = 2
	longest   = 2 * time.Minute
	kept      = 10 * time.Minute
	mostKept  = 64
)

// How much must be known of a line.
const (
	LeastDays  = 60
	LeastCalls = 50
)

// MostStops bounds how many calls may be given up.
const MostStops = 50

// New makes a desk.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.Exposure == nil || o.Calls == nil {
		return nil, errors.New("fit: a book, a desk of exposure and calls are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Desk{o: o, room: make(chan struct{}, atOnce), jobs: map[key]*job{}}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d, nil
}

// Close ends the work that goes on.
func (d *Desk) Close() {
	d.stop()
	d.busy.Wait()
}

type key struct {
	line  string
	stops int
}

// job is a search, and what came of it.
type job struct {
	began  time.Time
	under  account.Effective // settings that were in force
	prices any               // and the price list
	read   atomic.Int64
	done   chan struct{}
	found  *found
	from   time.Time // first call
	all    int       // calls
	err    error
}

// Answer is what fits a line.
type Answer struct {
	Line        *book.Line
	From, Until time.Time // first call that was looked at, and when it was
	Calls       int       // that were looked at
	Before      int       // of them, those that what is in force would stop already
	Stops       int       // that might be given up
	Little      string    // why nothing is proposed, of a line of which little is known; "": enough is
	Parts       []Part
	Only        restrict.Set // paid destinations that stay open; the zero Set proposes no list
	Abroad      bool         // it called abroad
	Now, Then   money.Micro  // what a thief could cost tonight
	Stopped     []Stopped    // calls of the past that would not pass, the dearest first
}

// Of asks for what fits, and waits no longer than that; reading: it is not known yet, and so many calls were read. A caller who asks again is answered by the same search.
func (d *Desk) Of(ctx context.Context, l *book.Line, stops int, wait time.Duration) (a *Answer, reading int64, err error) {
	j := d.job(l, min(max(stops, 0), MostStops))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-j.done:
	case <-timer.C:
		return nil, j.read.Load(), nil
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	if j.err != nil {
		return nil, 0, j.err
	}
	a, err = d.answer(ctx, l, j)
	if a != nil {
		a.Stops = stops
	}
	return a, 0, err
}

// job is the search for a line that is wanted, a new one unless there is one that still holds.
func (d *Desk) job(l *book.Line, stops int) *job {
	now := time.Now()
	is, k := l.Effective(now), key{l.ID(), stops}
	deck, _ := l.Retail()
	d.mu.Lock()
	defer d.mu.Unlock()
	if j := d.jobs[k]; j != nil && now.Sub(j.began) < kept && j.under.Values == is.Values && j.under.Lists == is.Lists && j.prices == any(deck) {
		return j
	}
	for other, j := range d.jobs {
		if now.Sub(j.began) >= kept || len(d.jobs) >= mostKept {
			delete(d.jobs, other)
		}
	}
	j := &job{began: now, under: *is, prices: deck, done: make(chan struct{})}
	d.jobs[k] = j
	d.busy.Go(func() {
		defer close(j.done)
		if j.err = d.search(l, stops, j); j.err != nil {
			d.forget(k, j)
		}
	})
	return j
}

// forget drops a search that failed, so that the next one is made anew.
func (d *Desk) forget(k key, j *job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.jobs[k] == j {
		delete(d.jobs, k)
	}
}

func (d *Desk) search(l *book.Line, stops int, j *job) error {
	ctx, cancel := context.WithTimeout(d.ctx, longest)
	defer cancel()
	select {
	case d.room <- struct{}{}:
		defer func() { <-d.room }()
	case <-ctx.Done():
		return ctx.Err()
	}
	records, err := d.read(ctx, l, j)
	if err != nil {
		return err
	}
	if j.all = len(records); j.all > 0 {
		j.from = records[j.all-1].Begun
	}
	if littleOf(j.all, j.from, j.began) != "" {
		return nil
	}
	p := newPast(records, lineOf(l), j.began)
	p.line, p.rules, p.terms, p.ring = l.ID(), d.o.Book.Rules(), d.o.Terms, d.o.Ring
	trial, err := d.o.Exposure.Trial(ctx, l, exposure.Tonight)
	if err != nil {
		return err
	}
	s := searcher{past: p, now: j.began, trial: trial, stops: stops, is: &j.under, places: mayList(l)}
	s.draft = func(p *proposal) *book.Draft { return d.draft(l, p, j.began) }
	j.found, err = s.run(ctx)
	return err
}

// read gathers the calls that the line made within a year, newest first.
func (d *Desk) read(ctx context.Context, l *book.Line, j *job) (all []call.CDR, err error) {
	from := j.began.AddDate(-1, 0, 0)
	f := store.CDRFilter{Line: l.ID(), From: from, Since: call.FirstID(from), Limit: pageOf}
	for {
		page, err := d.o.Calls(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if c := &page[i]; c.Direction != call.In && !c.Refused {
				all = append(all, slim(c))
			}
		}
		j.read.Add(int64(len(page)))
		if len(page) < pageOf || len(all) >= mostCalls {
			return all, nil
		}
		f.Before = page[len(page)-1].ID
	}
}

// slim is what a search needs of a record, so that a year of them takes little memory.
func slim(c *call.CDR) call.CDR {
	return call.CDR{
		ID: c.ID, Line: c.Line, Dialled: c.Dialled, Number: c.Number, Source: c.Source, UserAgent: c.UserAgent, Begun: c.Begun, AnsweredAt: c.AnsweredAt, Ring: c.Ring, Talk: c.Talk,
	}
}

// mayList says that a list of countries may be added to a line: it has none, and room for one.
func mayList(l *book.Line) bool {
	own := l.Settings()
	return own.RoomForOwn(time.Now()) && len(own.Restrictions) < account.MaxRestrictions && !slices.ContainsFunc(own.Restrictions, func(r restrict.Restriction) bool {
		return r.Only && r.Until.IsZero() && r.Hours.IsZero() && len(r.Known) == 0
	})
}

// restriction is the list of a proposal.
func restriction(names restrict.Set, by string, now time.Time) *restrict.Restriction {
	if names.IsZero() {
		return nil
	}
	return &restrict.Restriction{Names: names, Only: true, By: by, Why: "where the line called within a year", Since: now.UTC().Truncate(time.Second)}
}

func (d *Desk) draft(l *book.Line, p *proposal, now time.Time) *book.Draft {
	var set []book.Setting
	for f, n := range p.n {
		if n >= 0 {
			set = append(set, book.Setting{Field: account.Field(f), N: n})
		}
	}
	draft, err := d.o.Book.Draft(l, now, set, restriction(p.names, "fit", now))
	if err != nil {
		return nil
	}
	return draft
}

// answer works out the figures of now for what a search found.
func (d *Desk) answer(ctx context.Context, l *book.Line, j *job) (*Answer, error) {
	a := &Answer{Line: l, From: j.from, Until: j.began, Calls: j.all, Little: littleOf(j.all, j.from, j.began)}
	trial, err := d.o.Exposure.Trial(ctx, l, exposure.Tonight)
	if err != nil {
		return nil, err
	}
	a.Now, a.Then = trial.Now.Retail, trial.Now.Retail
	if j.found == nil {
		return a, nil
	}
	f := j.found
	a.Before, a.Parts, a.Only, a.Stopped, a.Abroad = f.before, f.parts, f.names, f.stopped, f.need.calledAbroad
	if a.Little == "" && a.Calls-a.Before < LeastCalls {
		a.Little = fmt.Sprintf("Of %s that the line made within a year, only %d would pass what is in force. That is too few to say what fits.", plural(a.Calls, "call"), a.Calls-a.Before)
	}
	if len(a.Parts) > 0 || !a.Only.IsZero() {
		p := &proposal{names: a.Only}
		for f := range p.n {
			p.n[f] = -1
		}
		for _, part := range a.Parts {
			p.n[part.Field] = part.N
		}
		if draft := d.draft(l, p, j.began); draft != nil {
			a.Then = trial.Under(draft.Effective).Retail
		}
	}
	return a, nil
}

// Set is one setting of an answer that is applied.
type Set struct {
	Field account.Field
	N     int64
}

// Apply puts settings of an answer in force, all of them or none, and a list of destinations unless it is the zero Set. What loosens anything is refused with a
// *book.Loosening, of staff too.
func (d *Desk) Apply(ctx context.Context, actor string, l *book.Line, set []Set, only restrict.Set) (*book.Line, error) {
	edit := book.LineEdit{Careful: true, Restrict: restriction(only, actor, time.Now())}
	if !only.IsZero() && !mayList(l) {
		return nil, &book.Invalid{Field: "only", Found: only.String(), Want: "a line without a list of its own: lift that first"}
	}
	for _, s := range set {
		edit.Set = append(edit.Set, book.Setting{Field: s.Field, N: s.N})
	}
	return d.o.Book.EditLine(ctx, actor, l.ID(), edit)
}
