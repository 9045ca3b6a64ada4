package casefile

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/liability"
	"ringfence/flow/desk"
	"ringfence/state/store"
)

// casePage is how many calls of a case are read at once.
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
func (c *Casefile) JudgeCase(ctx context.Context, who desk.Who, id int64, now time.Time) (*Judgement, error) {
	if _, err := c.o.Store.Case(ctx, id); err != nil {
		return nil, err
	}
	calls, err := c.callsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	j, err := c.Record(ctx, who.Actor, id, idsOf(calls), now)
	if err != nil {
		return nil, err
	}
	verdicts := make(map[call.ID]desk.Verdict, len(calls))
	for i := range j.Verdicts {
		v := &j.Verdicts[i]
		verdicts[v.Call] = desk.Verdict{Verdict: string(v.Outcome), Why: Why(v)}
	}
	return j, c.o.Cases().Judged(ctx, who, id, verdicts)
}

// Why is the reason of a verdict in a few words.
func Why(v *liability.Verdict) string {
	switch broken := v.Broken(); {
	case len(broken) > 0:
		return "broken: " + strings.Join(texts(broken), ", ")
	case v.Outcome == liability.Undetermined:
		return "missing: " + strings.Join(v.Missing, "; ")
	case v.Refused:
		return "the call was refused"
	}
	return "no promise was broken"
}

// ExportCase writes the file of a case. checkpoints are numbers of those that its proofs must have, beside the newest.
func (c *Casefile) ExportCase(ctx context.Context, w io.Writer, id int64, checkpoints []int64, now time.Time) error {
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
	if q.Checkpoints, err = c.named(ctx, k.Customer, calls, checkpoints); err != nil {
		return err
	}
	if c.o.Checks != nil {
		q.Checks = c.o.Checks(ctx)
	}
	return c.Export(ctx, w, q, now)
}

// mostNamed bounds the checkpoints that a case file has because messages named them.
const mostNamed = 500

// named adds to the checkpoints that are asked for those that messages to the customer named since the first call: what somebody has in a mail must be in the file.
func (c *Casefile) named(ctx context.Context, customer string, calls []casework.CaseCall, asked []int64) ([]int64, error) {
	if len(calls) == 0 {
		return asked, nil
	}
	since := slices.MinFunc(calls, func(a, b casework.CaseCall) int { return a.Begun.Compare(b.Begun) }).Begun
	all := map[int64]bool{}
	for f := (store.NoticeFilter{Account: customer, Limit: 200}); len(all) < mostNamed; {
		page, err := c.o.Store.Notices(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range page {
			for _, d := range page[i].Deliveries {
				if d.Point > 0 {
					all[d.Point] = true
				}
			}
		}
		if len(page) < f.Limit || page[len(page)-1].At.Before(since) {
			break
		}
		f.Before = page[len(page)-1].ID
	}
	return append(slices.Sorted(maps.Keys(all)), asked...), nil
}
