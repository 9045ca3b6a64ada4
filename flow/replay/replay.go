// Package replay plays past calls through rules, in virtual time and without a server: what each set of rules would have let through,
// refused or cut, and what that would have cost. A call is judged by what was known before it. It must not decide anything: that is core/engine's,
// in the shell of flow/play.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/play"
)

// Set is a set of rules that calls are played through.
type Set struct {
	Name     string
	Terms    engine.Terms
	Plan     *phone.Plan
	Block    func(phone.Number, time.Time) phone.Block // nil: no regulator's table
	Provider account.Settings
	Zone     *time.Location // of lines that have none of their own; not nil
	Deck     *rating.Deck
	Calendar rating.Calendar
}

// Options of a run.
type Options struct {
	Sets    []Set // at least one
	Lines   *Lines
	Source  Source
	Workers int
	// Verdicts is written a row for each row of the file, in its order, under the first set; nil: none.
	Verdicts io.Writer
	Labels   map[string]string // of calls by id: "honest", or an attack's name; nil: nothing is scored
	// Progress receives the number of rows read, at intervals; nil: nothing is reported.
	Progress func(rows int64)
	// Fault is given each row that cannot be read, as it comes; nil: they are only counted.
	Fault func(*Fault)
}

// Run plays the file. What it says of a call does not depend on how many workers there are. When ctx ends, the calls so far are
// reported, with ctx's error.
func Run(ctx context.Context, in io.Reader, o Options) (*Report, error) {
	r, err := newReader(in, o.Source)
	if err != nil {
		return nil, err
	}
	if o.Lines == nil {
		o.Lines = &Lines{}
	}
	run := &run{o: o, reader: r, report: newReport(&o), out: newWriter(o.Verdicts)}
	under := make([]play.Options, len(o.Sets))
	for i := range o.Sets {
		b := newBook(&o.Sets[i], o.Lines)
		under[i] = play.Options{Rules: b.rules(), Terms: o.Sets[i].Terms, Meet: b.meet, Done: run.done(i)}
	}
	play.Run(max(o.Workers, 1), func(yield func(play.Call) bool) { run.rows(ctx, yield) }, under...)
	run.report.finish()
	return run.report, errors.Join(run.err, run.out.flush())
}

type run struct {
	o      Options
	reader *reader
	report *Report
	out    *writer
	err    error

	seq    int64 // rows read
	window []play.Call
	last   time.Time // of the call that was played last
}

// window is how many rows may come in another order than that of time: their output keeps the file's.
const window = 1 << 16

// rows gives the calls in the order of time. A row that comes more than a window late is played at the present of its turn.
func (r *run) rows(ctx context.Context, yield func(play.Call) bool) {
	r.window = make([]play.Call, 0, 2*window)
	for {
		err := r.fill(ctx)
		if err != nil && !errors.Is(err, io.EOF) {
			r.err = err
		}
		n := len(r.window)
		if err == nil {
			n = min(n, window)
		}
		if !slices.IsSortedFunc(r.window, earlier) {
			slices.SortStableFunc(r.window, earlier)
		}
		for i := range r.window[:n] {
			c := &r.window[i]
			if c.At.Before(r.last) {
				r.report.Late++
				c.At = r.last
			}
			r.last = c.At
			if !yield(*c) {
				return
			}
		}
		r.window = r.window[:copy(r.window, r.window[n:])]
		if err != nil {
			return
		}
	}
}

func earlier(a, b play.Call) int { return a.At.Compare(b.At) }

// progressEvery is how many rows come between two words of progress.
const progressEvery = 1 << 14

// fill reads rows until the window is full, or an error ends the file.
func (r *run) fill(ctx context.Context) error {
	var row Row
	for len(r.window) < cap(r.window) {
		if r.seq%progressEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if r.o.Progress != nil {
				r.o.Progress(r.seq)
			}
		}
		err := r.reader.next(&row)
		var fault *Fault
		switch {
		case errors.As(err, &fault):
			r.fault(fault)
			continue
		case err != nil:
			return err
		}
		r.report.read(&row)
		r.window = append(r.window, play.Call{
			ID: call.ID(row.ID), Seq: r.seq, At: row.At, Line: row.Caller, Account: row.Customer, Dialled: row.Dialled,
			Rings: row.Rings, Unanswered: row.Unanswered, Inbound: row.Inbound, Wants: row.Talk,
		})
		r.seq++
	}
	return nil
}

// fault counts a row that cannot be read; its output says so.
func (r *run) fault(f *Fault) {
	r.report.faults(f)
	if r.o.Fault != nil {
		r.o.Fault(f)
	}
	r.out.put(verdict{seq: r.seq, id: f.ID, what: unreadable})
	r.seq++
}

// done takes the result of a call under a set.
func (r *run) done(set int) func(worker int, x *play.Result) {
	tally := r.report.Sets[set]
	return func(worker int, x *play.Result) {
		what := allowed
		switch {
		case x.Refused:
			what = refused
		case x.Reason != policy.Hangup && x.Reason != policy.Cancelled:
			what = cut
		}
		tally.count(worker, x, what)
		if set == 0 {
			r.out.put(verdict{seq: x.Call.Seq, id: string(x.Call.ID), what: what, reason: x.Reason, talk: x.Talk, cost: x.Cost})
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
