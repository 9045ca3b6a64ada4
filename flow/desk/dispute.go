package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Pick says which calls: those named, or those of a line (or of all the customer's) in a time.
type Pick struct {
	Calls       []CallID
	Line        string // identity
	From, Until time.Time
	All         bool   // of those that are in the case
	Verdict     string // with All: those with this verdict
}

// Dispute puts calls into a case: they are not collected until it is decided who bears them. Those that cost nothing, were put into a case
// before or are not the customer's are left out; added says how many were not.
func (c *Cases) Dispute(ctx context.Context, who Who, id int64, p Pick, why string) (added int, err error) {
	x, err := c.one(ctx, who, id)
	if err != nil {
		return 0, err
	}
	if x.State == casework.Closed {
		return 0, fmt.Errorf("case %d is closed: %w", id, casework.ErrStep)
	}
	if p.Line == "" && len(p.Calls) == 0 {
		p.Line = x.Line
	}
	records, err := c.records(ctx, x.Customer, p)
	if err != nil {
		return 0, err
	}
	sums, err := c.o.Store.CaseSums(ctx, id, "")
	if err != nil {
		return 0, err
	}
	all := int64(len(records))
	for _, s := range sums {
		all += s.Calls
	}
	if all > casework.MaxCalls {
		return 0, &book.Invalid{Field: "calls", Found: fmt.Sprint(all), Want: fmt.Sprintf("at most %d calls in a case", casework.MaxCalls)}
	}
	for part := range slices.Chunk(records, perWrite) {
		n, err := c.dispute(ctx, who, &x, part, why)
		if added += n; err != nil {
			return added, err
		}
	}
	if added > 0 && !who.staff() && x.State == casework.Asked {
		open := casework.Open
		err = c.Edit(ctx, who, id, Edit{State: &open})
	}
	return added, err
}

// perWrite calls are written in one transaction, so that no call waits long for it.
const perWrite = 400

// dispute puts some calls into a case.
func (c *Cases) dispute(ctx context.Context, who Who, x *casework.Case, records []CDR, why string) (int, error) {
	ids := make([]call.ID, len(records))
	for i := range records {
		ids[i] = records[i].ID
	}
	there, err := c.o.Store.CaseCalls(ctx, CaseCallFilter{Calls: ids, Limit: 20 * len(ids)})
	if err != nil {
		return 0, err
	}
	taken, mine := map[call.ID]bool{}, map[call.ID]casework.CaseCall{}
	for _, t := range there {
		if t.State != casework.Withdrawn {
			taken[t.Call] = true
		} else if t.Case == x.ID {
			mine[t.Call] = t
		}
	}
	now := time.Now()
	var w store.CaseWrite
	var facts []store.Fact
	for i := range records {
		r := &records[i]
		if taken[r.ID] {
			continue
		}
		t, ok := mine[r.ID]
		if !ok {
			t = casework.CaseCall{Case: x.ID, Call: r.ID, Customer: x.Customer, Line: r.Line, Begun: r.Begun, Retail: r.Retail}
		}
		if err := t.Dispute(who.Actor, why, now); err != nil {
			return 0, err
		}
		said := fact.CallDisputed{By: who.Actor, Case: x.ID, Dispute: string(t.State), Why: casework.Cut(why, casework.MaxTitle)}
		w.Calls, facts = append(w.Calls, t), append(facts, said.Row(now, aboutCall(&t)))
	}
	if len(w.Calls) == 0 {
		return 0, nil
	}
	return len(w.Calls), c.o.Store.WriteCase(ctx, w, facts...)
}

func aboutCall(t *casework.CaseCall) fact.Subject {
	return fact.Subject{Line: t.Line, Account: t.Customer, Call: t.Call}
}

// records are the calls of a customer that a pick names and that cost something.
func (c *Cases) records(ctx context.Context, customer string, p Pick) (all []CDR, err error) {
	if len(p.Calls) > 0 {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(p.Calls))) {
			r, err := c.o.Records.CDR(ctx, id)
			if errors.Is(err, store.ErrNotFound) || err == nil && r.Account != customer {
				return nil, fmt.Errorf("call %s: %w", id, store.ErrNotFound)
			}
			if err != nil {
				return nil, err
			}
			if r.Retail > 0 {
				all = append(all, r)
			}
		}
		return all, nil
	}
	if p.From.IsZero() && p.Until.IsZero() {
		return nil, &book.Invalid{Field: "from", Want: "which calls: their ids, or from when and until when"}
	}
	f := store.CDRFilter{Account: customer, Line: p.Line, From: p.From, Until: p.Until, Least: 1, Limit: perPage}
	for {
		page, err := c.o.Records.CDRs(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			if r.Account == customer {
				all = append(all, r)
			}
		}
		if len(page) < perPage || len(all) > casework.MaxCalls {
			return all, nil
		}
		f.Before = page[len(page)-1].ID
	}
}

const perPage = 1000

func (p *Pick) has(t *casework.CaseCall) bool {
	if len(p.Calls) > 0 {
		return slices.Contains(p.Calls, t.Call)
	}
	if !p.From.IsZero() || !p.Until.IsZero() || p.Line != "" {
		return (p.Line == "" || p.Line == t.Line) && !t.Begun.Before(p.From) && (p.Until.IsZero() || t.Begun.Before(p.Until))
	}
	return p.All && (p.Verdict == "" || p.Verdict == t.Verdict)
}

// Withdraw says that calls are the customer's to pay after all. A call that waits for a decision stays with it.
func (c *Cases) Withdraw(ctx context.Context, who Who, id int64, p Pick, why string) (n int, err error) {
	if _, err := c.one(ctx, who, id); err != nil {
		return 0, err
	}
	return c.each(ctx, who, id, func(t *casework.CaseCall, now time.Time) (fact.Body, error) {
		if !p.has(t) || !t.State.Pending() || t.Decision != 0 {
			return nil, nil
		}
		err := t.Move(casework.Withdrawn, who.Actor, why, now)
		return &fact.CallDecided{By: who.Actor, Case: id, Dispute: string(t.State), Why: casework.Cut(why, casework.MaxTitle)}, err
	})
}

// Verdict is what the judge says of a call.
type Verdict struct{ Verdict, Why string }

// Judged notes verdicts about calls of a case.
func (c *Cases) Judged(ctx context.Context, who Who, id int64, verdicts map[CallID]Verdict) error {
	_, err := c.each(ctx, who, id, func(t *casework.CaseCall, now time.Time) (fact.Body, error) {
		v, ok := verdicts[t.Call]
		if !ok || t.Verdict == v.Verdict && t.Why == casework.Cut(v.Why, casework.MaxTitle) {
			return nil, nil
		}
		t.Judge(v.Verdict, v.Why, who.Actor, now)
		return &fact.CallJudged{By: who.Actor, Case: id, Dispute: string(t.State), Judgement: v.Verdict, Why: t.Why}, nil
	})
	return err
}

// each changes the calls of a case for which f gives a fact, some hundred in a transaction.
func (c *Cases) each(ctx context.Context, who Who, id int64, f func(t *casework.CaseCall, now time.Time) (fact.Body, error)) (n int, err error) {
	if _, err := c.one(ctx, who, id); err != nil {
		return 0, err
	}
	now := time.Now()
	var calls []casework.CaseCall
	var facts []store.Fact
	write := func() error {
		if len(calls) == 0 {
			return nil
		}
		err := c.o.Store.WriteCase(ctx, store.CaseWrite{Calls: calls}, facts...)
		n, calls, facts = n+len(calls), nil, nil
		return err
	}
	err = c.eachCall(ctx, CaseCallFilter{Case: id, Limit: perPage}, func(t *casework.CaseCall) error {
		said, err := f(t, now)
		if err != nil || said == nil {
			return err
		}
		calls, facts = append(calls, *t), append(facts, said.Row(now, aboutCall(t)))
		if len(calls) < perWrite {
			return nil
		}
		return write()
	})
	if err != nil {
		return n, err
	}
	return n, write()
}

// DisputeCalls opens a dispute about calls of a customer, in the newest case of theirs that is open, or in a new one.
func (c *Cases) DisputeCalls(ctx context.Context, who Who, calls []CallID, why string) (id int64, added int, err error) {
	records, err := c.records(ctx, who.Customer, Pick{Calls: calls})
	if err != nil {
		return 0, 0, err
	}
	if len(records) == 0 {
		return 0, 0, &book.Invalid{Field: "calls", Want: "calls that cost something"}
	}
	open, err := c.o.Store.Cases(ctx, CaseFilter{Customer: who.Customer, Open: true, Limit: 1})
	if err != nil {
		return 0, 0, err
	}
	if len(open) > 0 {
		id = open[0].ID
	} else {
		line := records[0].Line
		for i := range records {
			if records[i].Line != line {
				line = ""
			}
		}
		title := "Calls that the customer does not know"
		if line != "" {
			title += ", line " + account.Handle(line)
		}
		x, err := c.Open(ctx, who, NewCase{Customer: who.Customer, Line: line, Title: title, Origin: casework.FromReport, Text: why})
		if err != nil {
			return 0, 0, err
		}
		id = x.ID
	}
	added, err = c.Dispute(ctx, who, id, Pick{Calls: calls}, why)
	return id, added, err
}
