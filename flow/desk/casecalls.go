package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Calls lists the calls of a case.
func (c *Cases) Calls(ctx context.Context, who Who, f CaseCallFilter) ([]casework.CaseCall, error) {
	if _, err := c.one(ctx, who, f.Case); err != nil {
		return nil, err
	}
	return c.o.Store.CaseCalls(ctx, f)
}

// Made are the records of calls of a case, of as many as there still are.
func (c *Cases) Made(ctx context.Context, calls []casework.CaseCall) (map[CallID]CDR, error) {
	out := make(map[CallID]CDR, len(calls))
	for i := range calls {
		r, err := c.o.Records.CDR(ctx, calls[i].Call)
		if err == nil {
			out[r.ID] = r
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return out, nil
}

// About are the disputes about some calls, of those who may see them.
func (c *Cases) About(ctx context.Context, who Who, calls []CallID) ([]casework.CaseCall, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	return c.o.Store.CaseCalls(ctx, CaseCallFilter{Calls: calls, Customer: who.Customer, Limit: 2 * len(calls)})
}

// Verdicts are what the calls of a case come to, by verdict.
func (c *Cases) Verdicts(ctx context.Context, who Who, id int64) ([]casework.VerdictSum, error) {
	if _, err := c.one(ctx, who, id); err != nil {
		return nil, err
	}
	return c.o.Store.CaseVerdicts(ctx, id)
}

// Numbers are the calls of a case by the number that was called, the dearest first. after is what a page before ended with; next is the same of this one, "" at the end.
func (c *Cases) Numbers(ctx context.Context, who Who, id int64, after string, limit int) (all []casework.NumberSum, next string, err error) {
	if _, err := c.one(ctx, who, id); err != nil {
		return nil, "", err
	}
	from, err := numberKey(after)
	if err != nil {
		return nil, "", err
	}
	all, err = c.o.Store.CaseNumbers(ctx, id, from, limit+1)
	if err == nil && len(all) > limit {
		all = all[:limit]
		last := &all[limit-1]
		next = strconv.FormatInt(int64(last.Retail), 10) + "," + last.Number
	}
	return all, next, err
}

// numberKey reads where a list of numbers goes on: the sum and the number after which it does.
func numberKey(after string) (x casework.NumberSum, err error) {
	if after == "" {
		return x, nil
	}
	sum, number, ok := strings.Cut(after, ",")
	n, err := strconv.ParseInt(sum, 10, 64)
	if err != nil || !ok || len(number) > maxNumber {
		return x, &book.Invalid{Field: "after", Found: casework.Cut(after, 40), Want: "what the page before ended with"}
	}
	return casework.NumberSum{Retail: money.Micro(n), Number: number, Calls: 1}, nil
}

const maxNumber = 64

// InCase wants a call to be in a case that somebody may see. store.ErrNotFound: it is in none.
func (c *Cases) InCase(ctx context.Context, who Who, id CallID) error {
	if who.staff() {
		return nil
	}
	all, err := c.o.Store.CaseCalls(ctx, CaseCallFilter{Calls: []CallID{id}})
	if err == nil && !slices.ContainsFunc(all, func(t casework.CaseCall) bool { return who.reaches(t.Customer) }) {
		err = fmt.Errorf("call %.40q in a case: %w", id, store.ErrNotFound)
	}
	return err
}
