package billing

import (
	"context"
	"errors"
	"slices"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
)

// Limits of looking for the credit notes of a bill: the newest of the customer are looked at, and a call may have begun so long before the period of the bill that it is on, because its
// record came late.
const (
	creditsAtOnce = 100
	mostCredits   = 1000
	longBefore    = 40 * 24 * time.Hour
)

// Credits are the credit notes for calls that are on a bill, newest first. One for calls of several bills is a credit note of each of them.
func (b *Billing) Credits(ctx context.Context, bill *Bill) (all []Entry, err error) {
	for before, seen := int64(0), 0; seen < mostCredits; {
		page, err := b.Entries(ctx, bill.Customer, books.KindCredit, before, creditsAtOnce)
		if err != nil {
			return nil, err
		}
		for i := range page {
			e := &page[i]
			if e.At.Before(bill.From) { // nobody is credited for a call before it was made
				return all, nil
			}
			on, err := b.credits(ctx, bill, e)
			if err != nil {
				return nil, err
			}
			if on {
				all = append(all, *e)
			}
		}
		if len(page) < creditsAtOnce {
			break
		}
		before, seen = page[len(page)-1].ID, seen+len(page)
	}
	return all, nil
}

// credits says whether a credit note is for a call of a bill.
func (b *Billing) credits(ctx context.Context, bill *Bill, e *Entry) (bool, error) {
	from, until := string(call.FirstID(bill.From.Add(-longBefore))), string(call.FirstID(bill.Until))
	for _, id := range slices.Backward(slices.Sorted(slices.Values(e.Calls))) { // those of the bill are more likely to be the later ones
		if id < from || id >= until {
			continue
		}
		on, err := b.BillOf(ctx, call.ID(id))
		if errors.Is(err, ErrNotFound) { // on none, or its record is gone
			continue
		}
		if err != nil || on.Number == bill.Number {
			return err == nil, err
		}
	}
	return false, nil
}
