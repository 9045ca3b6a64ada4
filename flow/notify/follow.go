package notify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"ringfence/core/fact"
	"ringfence/flow/journal"
	"ringfence/state/store"
)

// lag is how often the cursor is written where there is nothing else to write.
const lag = 10 * time.Second

// Follows are the kinds of fact that notices are made of.
var Follows = []string{
	fact.KindFindingRaised, fact.KindDeviceNew, fact.KindLoginHeld, fact.KindLoginProbation, fact.KindLineLocked, fact.KindBillIssued, fact.KindBillReminded, fact.KindPasswordChanged,
	fact.KindChangeWaiting, fact.KindRequestMade, fact.KindRequestGranted, fact.KindRequestRefused, fact.KindSettingChanged, fact.KindLineChanged, fact.KindCustomerChanged,
	fact.KindPersonAdded, fact.KindPersonChanged, fact.KindPersonRemoved, fact.KindTokenAdded, fact.KindPasskeyAdded, fact.KindPasskeyRemoved,
	fact.KindContactAdded, fact.KindContactChanged, fact.KindContactDeleted, fact.KindCaseNoted, fact.KindCreditBooked,
}

// follower reads the journal. Its fields belong to the one goroutine that runs it.
type follower struct {
	journal.Follower
	n       *Notifier
	cursor  int64 // as stored
	at      int64 // read so far; what lies between has made no notices
	written time.Time
}

func newFollower(n *Notifier) *follower {
	f := &follower{n: n}
	f.Follower = journal.Follower{Name: Stage, Every: n.o.Every, Kinds: Follows, Read: n.o.Store.Facts, Begin: f.open, Take: f.take, Log: n.log}
	return f
}

// take writes the notices that come of facts together with the cursor.
func (f *follower) take(ctx context.Context, _ int64, facts []store.Fact, _ bool) (int64, error) {
	now := f.n.now()
	if len(facts) == 0 && (f.at == f.cursor || now.Sub(f.written) < lag) {
		return f.at, nil
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
		return to, nil
	}
	err := f.n.advance(ctx, store.Step{Stage: Stage, From: f.cursor, To: to}, merge(drafts), now)
	if errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrExists) {
		err = f.oneByOne(ctx, to, drafts, now)
	}
	switch {
	case errors.Is(err, store.ErrMoved): // another node took the step, or this one did and did not hear of it
		return f.at, journal.ErrAgain
	case err != nil: // what is stored says where to go on
		return f.at, fmt.Errorf("%w: %w", journal.ErrAgain, err)
	}
	f.cursor, f.at, f.written = to, to, now
	return to, nil
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

// open finds where to go on. At the first start that is the journal's end, so that no mail is sent about history.
func (f *follower) open(ctx context.Context) (int64, error) {
	now := f.n.now()
	at, err := f.n.o.Store.Cursor(ctx, Stage)
	if err == nil && at == 0 {
		at, err = f.n.begin(ctx, now)
	}
	if err == nil {
		err = f.n.recall(ctx, now)
	}
	if err == nil {
		f.cursor, f.at, f.written = at, at, now
	}
	return at, err
}

// begin sets the cursor to the journal's end. A fact of its own makes sure that there is an end to set it to: a cursor
// that stays at 0 would skip, at the next start, what has happened since.
func (n *Notifier) begin(ctx context.Context, now time.Time) (int64, error) {
	var began fact.NotifyBegan
	if _, err := n.o.Store.Advance(ctx, store.Step{Stage: Stage, Facts: []store.Fact{began.Row(now.UTC(), fact.Subject{})}}); err != nil {
		return 0, err
	}
	end, err := n.o.Store.Facts(ctx, store.FactFilter{Before: math.MaxInt64, Limit: 1})
	if err != nil || len(end) == 0 {
		return 0, err
	}
	_, err = n.o.Store.Advance(ctx, store.Step{Stage: Stage, From: 0, To: end[0].Seq})
	if errors.Is(err, store.ErrMoved) { // another node began at the same time
		return n.o.Store.Cursor(ctx, Stage)
	}
	return end[0].Seq, err
}
