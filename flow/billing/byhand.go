package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/core/settle"
	"ringfence/state/store"
)

// tries of a credit by hand that somebody else came before.
const triesByHand = 8

// CreditByHand is Credit for somebody who credits a customer outside a case. The calls that it is for are the customer's, in no case, and each has that much left: no call is credited
// twice, neither by hand nor by a case and by hand.
func (b *Billing) CreditByHand(ctx context.Context, c Credit) (Entry, error) {
	if strings.HasPrefix(books.Plain(c.Reference), OfCases) {
		return Entry{}, &Invalid{"reference", c.Reference, "another one: credits of cases have those that begin with " + strings.TrimSpace(OfCases)}
	}
	for range triesByHand {
		given, seen, err := b.ByHand(ctx, c.Customer)
		if err != nil {
			return Entry{}, err
		}
		if before, err := b.Booked(ctx, books.KindCredit, c.Reference); err == nil {
			return b.booked(ctx, before, store.ErrExists)
		} else if !errors.Is(err, ErrNotFound) {
			return Entry{}, err
		}
		if err := b.alone(ctx, &c); err != nil { // after seen was read: what is booked from then on makes the write fail
			return Entry{}, err
		}
		if err := b.left(ctx, &c, given); err != nil {
			return Entry{}, err
		}
		e, said, err := b.credit(ctx, &c)
		if err != nil {
			return Entry{}, err
		}
		if e.Number, err = b.o.Store.BookCredit(ctx, e, seen, said); errors.Is(err, store.ErrMoved) {
			continue
		}
		return b.booked(ctx, e, err)
	}
	return Entry{}, store.ErrMoved
}

// ByHand is what was credited by hand for each call of a customer, and the ID of its last credit note. A credit for several calls is divided by what they were charged.
func (b *Billing) ByHand(ctx context.Context, customer string) (given map[call.ID]money.Micro, last int64, err error) {
	given = map[call.ID]money.Micro{}
	for before := int64(0); ; {
		all, err := b.Entries(ctx, customer, books.KindCredit, before, page)
		if err != nil {
			return nil, 0, err
		}
		for i := range all {
			e := &all[i]
			if last = max(last, e.ID); strings.HasPrefix(e.Reference, OfCases) || len(e.Calls) == 0 {
				continue
			}
			ids := make([]call.ID, len(e.Calls))
			for n := range e.Calls {
				ids[n] = call.ID(e.Calls[n])
			}
			parts, err := b.divided(ctx, e.Net, customer, ids)
			if err != nil {
				return nil, 0, err
			}
			for n, id := range ids {
				given[id] = given[id].Add(parts[n].part)
			}
		}
		if len(all) < page {
			return given, last, nil
		}
		before = all[len(all)-1].ID
	}
}

// part is what a credit gives for a call that was charged so much.
type part struct{ charged, part money.Micro }

// divided divides a sum over calls of a customer by what they were charged. What goes beyond that is for none of them.
func (b *Billing) divided(ctx context.Context, sum money.Micro, customer string, ids []call.ID) ([]part, error) {
	out, charged := make([]part, len(ids)), make([]money.Micro, len(ids))
	for i, id := range ids {
		r, err := b.o.Store.CDR(ctx, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if err == nil && r.Account == customer {
			charged[i] = max(r.Retail, 0)
		}
	}
	parts, _, err := settle.Spread(sum, charged)
	for i := range parts {
		out[i] = part{charged[i], parts[i]}
	}
	return out, err
}

// left wants each call of a credit to be the customer's, in no case, and to have so much left.
func (b *Billing) left(ctx context.Context, c *Credit, given map[call.ID]money.Micro) error {
	if len(c.Calls) == 0 {
		return nil
	}
	ids := slices.Compact(slices.Sorted(slices.Values(c.Calls)))
	if len(ids) < len(c.Calls) || len(ids) > maxCalls {
		return &Invalid{"calls", fmt.Sprint(len(c.Calls)), fmt.Sprintf("each call once, and at most %d", maxCalls)}
	}
	if err := b.inNoCase(ctx, c.Calls); err != nil {
		return err
	}
	inCases := map[call.ID]money.Micro{}
	if b.o.InCases != nil {
		var err error
		if inCases, err = b.o.InCases(ctx, c.Customer, c.Calls); err != nil {
			return err
		}
	}
	parts, err := b.divided(ctx, c.Net, c.Customer, c.Calls)
	if err != nil {
		return err
	}
	room, short := money.Micro(0), false
	for i, id := range c.Calls {
		if parts[i].charged == 0 {
			return &Invalid{"calls", string(id[:min(len(id), 40)]), "calls of this customer that cost something"}
		}
		left := max(0, parts[i].charged-given[id]-inCases[id])
		room, short = room.Add(left), short || parts[i].part > left
	}
	if short || room < c.Net {
		return &Invalid{"amount", money.Billing().Amount(c.Net), fmt.Sprintf("no more than is left of each call, and %s is left of them together: the rest was credited", money.Billing().Shown(room))}
	}
	return nil
}

// inNoCase wants calls to be in no case: it is settled there.
func (b *Billing) inNoCase(ctx context.Context, ids []call.ID) error {
	for some := range slices.Chunk(ids, 400) {
		all, err := b.o.Store.CaseCalls(ctx, store.CaseCallFilter{Calls: some, Limit: 20 * len(some)})
		if err != nil {
			return err
		}
		for i := range all {
			if all[i].State != casework.Withdrawn {
				return &Invalid{"calls", string(all[i].Call), fmt.Sprintf("calls that are in no case: settle it in case %d", all[i].Case)}
			}
		}
	}
	return nil
}

// CreditSpan is the time in which credits by hand are added up.
const CreditSpan = 30 * 24 * time.Hour

// alone keeps one member of staff from giving by hand, in one credit or several, what would need a second person in a case.
func (b *Billing) alone(ctx context.Context, c *Credit) error {
	if b.o.Alone == nil {
		return nil
	}
	limit, sum, since := b.o.Alone(), c.Net, time.Now().Add(-CreditSpan)
	for before := int64(0); ; {
		all, err := b.Entries(ctx, c.Customer, books.KindCredit, before, page)
		if err != nil {
			return err
		}
		for i := range all {
			e := &all[i]
			if e.At.After(since) && person.Same(e.By, c.By) && !strings.HasPrefix(e.Reference, OfCases) && e.Reference != books.Plain(c.Reference) {
				sum = sum.Add(e.Net)
			}
		}
		if len(all) < page || all[len(all)-1].At.Before(since) {
			break
		}
		before = all[len(all)-1].ID
	}
	if sum <= limit {
		return nil
	}
	shown := money.Billing().Shown
	return &Invalid{"amount", money.Billing().Amount(c.Net), fmt.Sprintf("no more than %s by one person within 30 days, and this makes it %s: give it as a refund in a case, to which a second person agrees", shown(limit), shown(sum))}
}
