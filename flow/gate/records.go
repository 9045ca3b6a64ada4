package gate

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"ringfence/core/call"
	"ringfence/state/store"
)

// CDRs is a page of stored records, newest first, with those that wait for a phone or for the store and fit the filter.
func (g *Gate) CDRs(ctx context.Context, f *store.CDRFilter) ([]call.CDR, error) {
	waiting := g.Records() // before the store is asked: in between a record may be stored, but none is missed
	stored, err := g.money.CDRs(ctx, *f)
	if err != nil {
		return nil, err
	}
	return withUnstored(stored, waiting, f), nil
}

func withUnstored(page, waiting []call.CDR, f *store.CDRFilter) []call.CDR {
	for i := range waiting {
		c := &waiting[i]
		if f.Matches(c) && !slices.ContainsFunc(page, func(r call.CDR) bool { return r.ID == c.ID }) {
			page = append(page, *c)
		}
	}
	slices.SortFunc(page, func(a, b call.CDR) int { return cmp.Compare(b.ID, a.ID) })
	if f.Limit > 0 && len(page) > f.Limit {
		page = page[:f.Limit]
	}
	return page
}

// CDR is one record, also if it waits. store.ErrNotFound.
func (g *Gate) CDR(ctx context.Context, id call.ID) (call.CDR, error) {
	waiting := g.Records() // first, as above
	c, err := g.money.CDR(ctx, id)
	if i := slices.IndexFunc(waiting, func(r call.CDR) bool { return r.ID == id }); i >= 0 && errors.Is(err, store.ErrNotFound) {
		return waiting[i], nil
	}
	return c, err
}
