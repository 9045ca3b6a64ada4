package casefile

import (
	"context"
	"io"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/liability"
	"ringfence/state/store"
)

// casePage is how many calls of a case are read or written at once.
const casePage = 1000

// callsOf are the calls of a case, in their order.
func (c *Casefile) callsOf(ctx context.Context, id int64) (all []casework.CaseCall, err error) {
	for f := (store.CaseCallFilter{Case: id, Limit: casePage}); ; {
		page, err := c.o.Store.CaseCalls(ctx, f)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < casePage {
			return all, nil
		}
		f.After = page[len(page)-1].Call
	}
}

func idsOf(all []casework.CaseCall) []call.ID {
	ids := make([]call.ID, len(all))
	for i := range all {
		ids[i] = all[i].Call
	}
	return ids
}

// Case says who bears the calls of a case. store.ErrNotFound: there is no such case.
func (c *Casefile) Case(ctx context.Context, id int64) ([]liability.Verdict, error) {
	if _, err := c.o.Store.Case(ctx, id); err != nil {
		return nil, err
	}
	calls, err := c.callsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.Judge(ctx, idsOf(calls))
}

// JudgeCase judges the calls of a case: the verdicts go into the journal and stand with its calls. One that is decided keeps its decision.
func (c *Casefile) JudgeCase(ctx context.Context, actor string, id int64, now time.Time) (*Judgement, error) {
	if _, err := c.o.Store.Case(ctx, id); err != nil {
		return nil, err
	}
	calls, err := c.callsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	j, err := c.Record(ctx, actor, id, idsOf(calls), now)
	if err != nil {
		return nil, err
	}
	for i := range calls {
		v := &j.Verdicts[i]
		calls[i].Judge(string(v.Outcome), Why(v), actor, now)
	}
	for len(calls) > 0 {
		n := min(len(calls), casePage)
		if err := c.o.Store.WriteCase(ctx, store.CaseWrite{Calls: calls[:n]}); err != nil {
			return nil, err
		}
		calls = calls[n:]
	}
	return j, nil
}

// Why is the reason of a verdict in a few words.
func Why(v *liability.Verdict) string {
	switch broken := v.Broken(); {
	case len(broken) > 0:
		return "broken: " + strings.Join(texts(broken), ", ")
	case v.Outcome == liability.Undetermined:
		return "missing: " + strings.Join(v.Missing, "; ")
	}
	return "no promise was broken"
}

// ExportCase writes the file of a case.
func (c *Casefile) ExportCase(ctx context.Context, w io.Writer, id int64, now time.Time) error {
	k, err := c.o.Store.Case(ctx, id)
	if err != nil {
		return err
	}
	calls, err := c.callsOf(ctx, id)
	if err != nil {
		return err
	}
	q := &Request{Case: id, Title: k.Title, Customer: k.Customer, Name: handle(k.Customer), Provider: c.o.Provider, Version: c.o.Version, Changes: c.o.Changes, Calls: idsOf(calls)}
	if v, ok := c.o.Book.Customer(k.Customer); ok && v.Name != "" {
		q.Name = v.Name
	}
	if c.o.Checks != nil {
		q.Checks = c.o.Checks(ctx)
	}
	return c.Export(ctx, w, q, now)
}
