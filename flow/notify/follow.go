package notify

import (
	"context"
	"errors"
	"time"

	"ringfence/core/fact"
	"ringfence/state/store"
)

const (
	batch = 1000             // facts of one step
	lag   = 10 * time.Second // how often the cursor is written where there is nothing else to write
)

// follower reads the journal. Its fields belong to the one goroutine of follow.
type follower struct {
	n       *Notifier
	ready   bool
	cursor  int64 // as stored
	at      int64 // read so far; what lies between has made no notices
	written time.Time
	failing bool
}

// follow takes the facts of the journal in their order until ctx ends.
func (n *Notifier) follow(ctx context.Context) {
	f := &follower{n: n}
	tick := time.NewTicker(n.o.Every)
	defer tick.Stop()
	for {
		more, err := f.step(ctx)
		if ctx.Err() != nil {
			return
		}
		f.outage(err)
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f *follower) outage(err error) {
	if failing := err != nil; failing != f.failing {
		f.failing = failing
		if failing {
			f.n.log.Warn("the journal cannot be followed; notices wait", "error", err)
		} else {
			f.n.log.Info("the journal is followed again")
		}
	}
}

// step reads facts and writes the notices that come of them together with the cursor. more: there is probably more to read.
func (f *follower) step(ctx context.Context) (more bool, err error) {
	now := f.n.now()
	if !f.ready {
		if err := f.open(ctx, now); err != nil {
			return false, err
		}
	}
	facts, err := f.n.o.Store.Facts(ctx, store.FactFilter{After: f.at, Limit: batch})
	if err != nil || len(facts) == 0 && (f.at == f.cursor || now.Sub(f.written) < lag) {
		return false, err
	}
	to, drafts := f.at, []draft(nil)
	for i := range facts {
		if d, ok := f.n.read(&facts[i]); ok {
			drafts = append(drafts, d)
		}
		to = facts[i].Seq
	}
	if len(drafts) == 0 && now.Sub(f.written) < lag {
		f.at = to
		return len(facts) == batch, nil
	}
	err = f.n.advance(ctx, store.Step{Stage: Stage, From: f.cursor, To: to}, merge(drafts), now)
	if errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrExists) {
		err = f.oneByOne(ctx, to, drafts, now)
	}
	if err != nil {
		// Another node took the step, or this one did and did not hear of it: what is stored says where to go on.
		f.ready = false
		if errors.Is(err, store.ErrMoved) {
			err = nil
		}
		return err == nil, err
	}
	f.cursor, f.at, f.written = to, to, now
	return len(facts) == batch, nil
}

// oneByOne takes a step of which the store will never take the whole, so that one notice that cannot be kept does not hold
// up all that come after it. Notices that are there already are not written again.
func (f *follower) oneByOne(ctx context.Context, to int64, drafts []draft, now time.Time) error {
	for i := range drafts {
		err := f.n.advance(ctx, store.Step{Stage: Stage}, drafts[i:i+1], now)
		switch {
		case errors.Is(err, store.ErrInvalid), errors.Is(err, store.ErrExists):
			f.n.log.Error("a notice that cannot be kept is left out", "key", drafts[i].key, "error", err)
		case err != nil:
			return err
		}
	}
	return f.n.advance(ctx, store.Step{Stage: Stage, From: f.cursor, To: to}, nil, now)
}

// advance writes drafts as notices, with a step of the cursor or (From == To) without.
func (n *Notifier) advance(ctx context.Context, s store.Step, drafts []draft, now time.Time) error {
	count := newTally()
	for i := range drafts {
		s.Notices = append(s.Notices, n.notice(&drafts[i], now, count))
	}
	if _, err := n.o.Store.Advance(ctx, s); err != nil {
		return err
	}
	for of, mails := range count.mails {
		for range mails {
			n.storm.add(of, now, now)
		}
	}
	n.stats.made(count.kinds)
	if len(s.Notices) > 0 {
		n.wake()
	}
	return nil
}

// open finds where to go on. At the first start that is the journal's end: nobody wants mail about history.
func (f *follower) open(ctx context.Context, now time.Time) error {
	at, err := f.n.o.Store.Cursor(ctx, Stage)
	if err == nil && at == 0 {
		at, err = f.n.begin(ctx, now)
	}
	if err == nil {
		err = f.n.recall(ctx, now)
	}
	if err != nil {
		return err
	}
	f.ready, f.cursor, f.at, f.written = true, at, at, now
	return nil
}

// begin sets the cursor to the journal's end. A fact of its own makes sure that there is an end to set it to: a cursor
// that stays at 0 would skip, at the next start, what has happened since.
func (n *Notifier) begin(ctx context.Context, now time.Time) (int64, error) {
	var began fact.NotifyBegan
	if _, err := n.o.Store.Advance(ctx, store.Step{Stage: Stage, Facts: []store.Fact{began.Row(now.UTC(), fact.Subject{})}}); err != nil {
		return 0, err
	}
	end, err := n.journalEnd(ctx)
	if err != nil {
		return 0, err
	}
	_, err = n.o.Store.Advance(ctx, store.Step{Stage: Stage, From: 0, To: end})
	if errors.Is(err, store.ErrMoved) { // another node began at the same time
		return n.o.Store.Cursor(ctx, Stage)
	}
	return end, err
}

// journalEnd is the last Seq, found by halving: some sixty look-ups of one row.
func (n *Notifier) journalEnd(ctx context.Context) (int64, error) {
	after := func(seq int64) (int64, error) { // the first Seq after seq; 0 is none
		facts, err := n.o.Store.Facts(ctx, store.FactFilter{After: seq, Limit: 1})
		if err != nil || len(facts) == 0 {
			return 0, err
		}
		return facts[0].Seq, nil
	}
	last, step := int64(0), int64(1)
	for step > 0 {
		next, err := after(last + step - 1)
		switch {
		case err != nil:
			return 0, err
		case next > 0:
			last = next
			if step < 1<<60 {
				step *= 2
			}
		case step == 1:
			return last, nil
		default:
			step /= 2
		}
	}
	return last, nil
}
