package desk

import (
	"context"
	"errors"
	"slices"
	"time"

	"ringfence/core/casework"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/flow/watch"
	"ringfence/state/store"
)

// Close ends a case, and tells the rules whose findings led to it whether they were right.
func (c *Cases) Close(ctx context.Context, who Who, id int64, outcome casework.Outcome, why string) error {
	if err := c.settled(ctx, who, id); err != nil {
		return err
	}
	f, err := c.Case(ctx, who, id)
	if err != nil {
		return err
	}
	disputed, _ := f.Disputed()
	now := time.Now()
	var closed casework.Case
	err = c.change(ctx, who, id, func(x *casework.Case, items []casework.Item) (w store.CaseWrite, facts []store.Fact, err error) {
		waits := (&File{Items: items}).Undecided()
		if err := x.Close(outcome, why, int(disputed), waits, now); err != nil {
			return w, nil, err
		}
		closed = *x
		said := fact.CaseClosed{By: who.Actor, Case: id, Outcome: string(outcome), Why: x.Why}
		return store.CaseWrite{Case: x}, []store.Fact{said.Row(now, subjectOf(x))}, nil
	})
	if err != nil {
		return err
	}
	return c.teach(ctx, who, &closed)
}

// teach tells the rules of the findings that led to a case what came of it, and closes those findings.
func (c *Cases) teach(ctx context.Context, who Who, x *casework.Case) error {
	was, known := x.Outcome.TrueAlarm()
	if !known {
		return nil
	}
	led, err := c.ledTo(ctx, x)
	if err != nil {
		return err
	}
	for i := range led {
		f := &led[i]
		about := fact.Subject{Line: f.Line, Account: f.Account}
		if said := (&fact.CallsConfirmed{By: who.Actor, Key: f.Key, Case: x.ID}); was {
			if _, err := c.o.Store.Advance(ctx, store.Step{Stage: watch.Stage, Facts: []store.Fact{said.Row(time.Now(), about)}}); err != nil {
				return err
			}
		} else if f.Kind == detect.UnusualCalls.String() && c.o.Vouch != nil {
			if err := c.o.Vouch(ctx, who.Actor, f.Line, f.Account, f.Key); err != nil {
				return err
			}
		}
		if f.ClosedAt.IsZero() {
			if err := c.o.Watch().Close(ctx, f.ID, who.Actor); err != nil && !errors.Is(err, watch.ErrClosed) {
				return err
			}
		}
	}
	return nil
}

// ledTo are the findings behind a case: the one that it was opened from, and those about unusual calls of its lines while its calls were made.
func (c *Cases) ledTo(ctx context.Context, x *casework.Case) (all []Finding, err error) {
	if x.Finding != 0 {
		f, err := c.o.Store.Finding(ctx, x.Finding)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			all = append(all, f)
		}
	}
	s, err := c.scene(ctx, x)
	if err != nil {
		return nil, err
	}
	found, err := c.o.Store.Findings(ctx, store.FindingFilter{Account: x.Customer, Kind: detect.UnusualCalls.String(), Limit: maxQueue})
	for _, f := range found {
		ours := f.Line == "" || slices.Contains(s.lines, f.Line)
		if ours && f.ID != x.Finding && !f.Last.Before(s.from.Add(-lead)) && !f.At.After(s.until.Add(lead)) {
			all = append(all, f)
		}
	}
	return all, err
}
