// Package replay plays past calls through rules, in virtual time and without a server: what each set of rules would have let through,
// refused or cut, and what that would have cost. A call is judged by what was known before it. It must not decide anything: that is core/engine's,
// in the shell of flow/play.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"ringfence/core/account"
	"ringfence/core/engine"
	"ringfence/core/habit"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/flow/play"
)

// Set is a set of rules that calls are played through.
type Set struct {
	Name     string
	Terms    engine.Terms
	RingTime time.Duration // how long a call may ring; 0: as long as it likes
	Plan     *phone.Plan
	Block    func(phone.Number, time.Time) phone.Block // nil: no regulator's table
	Provider account.Settings
	Zone     *time.Location // of lines that have none of their own; not nil
	Deck     *rating.Deck
	Calendar rating.Calendar
	Hot      *restrict.Hot
	Habits   *habit.Rules // what watches calls; nil: nothing does
}

// Options of a run.
type Options struct {
	Sets    []Set // at least one
	Lines   *Lines
	Source  Source
	Workers int
	// Verdicts is written a row for each row of the file, in its order, under the first set; nil: none.
	Verdicts io.Writer
	// Before are the whole rows of Verdicts that a run wrote which was stopped: these calls are played again, their rows must be the same, and are not
	// written again. Nil: there are none.
	Before io.Reader
	Labels map[string]string // of calls by id: "honest", or an attack's name; nil: nothing is scored
	// Progress receives the number of rows read, at intervals; nil: nothing is reported.
	Progress func(rows int64)
	// Fault is given each row that cannot be read, as it comes; nil: they are only counted.
	Fault func(*Fault)
}

// Run plays the file. What it says of a call does not depend on how many workers there are. When ctx ends, the calls so far are
// reported, with ctx's error, and of the verdicts those are written that no later call could have changed.
func Run(ctx context.Context, in io.Reader, o Options) (*Report, error) {
	reader, file, first, err := begin(ctx, in, o.Source)
	if err != nil {
		return nil, err
	}
	if o.Lines == nil {
		o.Lines = &Lines{}
	}
	o.Workers = max(o.Workers, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	run := &run{o: o, report: newReport(&o), out: newWriter(o.Verdicts, o.Before, o.Workers), window: window{free: make(chan *batch, 64)}}
	under := make([]play.Options, len(o.Sets))
	books := make([]*book, len(o.Sets))
	for i := range o.Sets {
		books[i] = newBook(&o.Sets[i], o.Lines)
		under[i] = books[i].play()
		under[i].Done, under[i].Finding = run.done(i), run.report.Sets[i].found
	}
	pieces := reader.pieces(ctx, file, first, o.Workers, run.window.free)
	play.Run(o.Workers, func(yield func(*play.Call) bool) { run.rows(ctx, pieces, yield) }, under...)
	err = errors.Join(run.err, run.out.flush(run.err == nil))
	run.report.Written = max(run.out.rows-1, 0)
	for i, t := range run.report.Sets {
		t.finish(books[i].refusals())
	}
	return run.report, err
}

// begin reads the header, also of a file that does not come.
func begin(ctx context.Context, in io.Reader, src Source) (*reader, *chunks, chunk, error) {
	type begun struct {
		r     *reader
		file  *chunks
		first chunk
		err   error
	}
	done := make(chan begun, 1)
	go func() {
		var b begun
		b.r, b.file, b.first, b.err = newReader(in, src)
		done <- b
	}()
	select {
	case b := <-done:
		return b.r, b.file, b.first, b.err
	case <-ctx.Done():
		return nil, nil, chunk{}, ctx.Err()
	}
}

type run struct {
	o      Options
	report *Report
	out    *writer
	err    error

	seq    int64 // rows read
	window window
	last   time.Time // of the call that was played last
}

// windowRows is how many rows may come in another order than that of time: their output keeps the file's.
const windowRows = 1 << 16

// rows gives the calls in the order of time. A row that comes more than a window late is played at the present of its turn.
func (r *run) rows(ctx context.Context, pieces <-chan *piece, yield func(*play.Call) bool) {
	for most := windowRows; most > 0; {
		b, err := next(ctx, pieces)
		if r.out.failed.Load() {
			r.err = errFailed
			return
		}
		if err != nil {
			most = 0
			if !errors.Is(err, io.EOF) {
				r.err = err
			}
		} else {
			r.took(b)
		}
		for r.window.n > most {
			c := r.window.next()
			if c.At.Before(r.last) {
				r.report.Late++
				c.At = r.last
			}
			if r.last = c.At; !yield(c) {
				return
			}
		}
	}
}

// errFailed ends a run whose output cannot be written: the writer knows why.
var errFailed = errors.New("the verdicts cannot be written")

// next waits for a piece of the file, also of one that does not come.
func next(ctx context.Context, pieces <-chan *piece) (*batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case p := <-pieces:
		if p.err != nil {
			return nil, p.err
		}
		return <-p.done, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// took counts what a piece of the file holds. The output of a row that cannot be read says so.
func (r *run) took(b *batch) {
	r.report.read(b)
	for i := range b.faults {
		f := &b.faults[i]
		if r.o.Fault != nil {
			r.o.Fault(&f.Fault)
		}
		r.out.put(0, verdict{seq: r.seq + f.seq, id: f.ID, what: unreadable})
	}
	r.window.put(b, r.seq)
	if r.seq += b.rows; r.o.Progress != nil {
		r.o.Progress(r.seq)
	}
}

// done takes the result of a call under a set.
func (r *run) done(set int) func(worker int, x *play.Result) {
	tally := r.report.Sets[set]
	return func(worker int, x *play.Result) {
		what := allowed
		switch {
		case x.Refused:
			what = refused
		case x.Reason == policy.NoAnswer && x.Call.Unanswered: // nor would it have been
		case x.Reason != policy.Hangup && x.Reason != policy.Cancelled:
			what = cut
		}
		tally.count(worker, x, what)
		if set == 0 && !(x.Beyond && r.err != nil) {
			r.out.put(1+worker, verdict{seq: x.Call.Seq, id: string(x.Call.ID), what: what, reason: x.Reason, talk: x.Talk, cost: x.Cost, finding: x.Finding, until: x.Until})
		}
	}
}

// Deck reads a price list for a Set. Every fault of it is named.
func Deck(data []byte, opt rating.ReadOptions) (*rating.Deck, error) {
	im := rating.ReadCSV(data, opt)
	if !im.OK() {
		faults := make([]error, 0, len(im.Faults))
		for _, f := range im.Faults[:min(len(im.Faults), 20)] {
			faults = append(faults, errors.New(f.String()))
		}
		return nil, fmt.Errorf("%d faults:\n%w", im.FaultCount, errors.Join(faults...))
	}
	return rating.Build(im.Prices, nil)
}
