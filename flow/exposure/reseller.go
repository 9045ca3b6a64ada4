package exposure

import (
	"context"
	"math"
	"time"

	"ringfence/core/account"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/book"
)

// Reseller adds up the customers of a reseller. What they spend together is within its caps, where every call in progress draws on them: not one
// that began before there was a cap, or before its customer was the reseller's.
func (d *Desk) Reseller(ctx context.Context, reseller string, p Period) (*Total, error) {
	n, err := d.look(ctx)
	if err != nil {
		return nil, err
	}
	t, until, within := &Total{At: n.at}, n.at, true
	for _, c := range d.o.Book.CustomersOf(reseller, "", math.MaxInt) {
		s, err := d.share(ctx, n, c.ID, p)
		if err != nil {
			return nil, err
		}
		t.add(s)
		within = within && !n.beyond[c.ID]
		if s.Until.After(until) {
			until = s.Until
		}
	}
	pool := d.o.Book.Pool(reseller)
	if pool == nil || !within {
		return t, nil
	}
	left, err := d.poolLeft(ctx, pool, n.at, until)
	t.Retail, t.Elsewhere = min(t.Retail, left), min(t.Elsewhere, left)
	return t, err
}

// poolLeft is what the customers of a reseller may still spend together on calls that begin in a time, and on those in progress.
func (d *Desk) poolLeft(ctx context.Context, pool *account.Pool, from, until time.Time) (money.Micro, error) {
	left := money.Max
	for _, kind := range []policy.Purse{policy.ResellerDay, policy.ResellerMonth} {
		limit := engine.PoolCap(pool, kind)
		if limit == money.Max {
			continue
		}
		ids := pools(pool, kind, from, until)
		purses, err := d.o.Money.Purses(ctx, ids)
		if err != nil {
			return 0, err
		}
		sum, used := money.Micro(0), map[string]money.Micro{}
		for _, p := range purses {
			used[p.ID] = min(p.Spent, limit-p.Held) // what is held is still to be spent, also above a cap that was lowered
		}
		for _, id := range ids {
			sum = sum.Add(limit - used[id])
		}
		left = min(left, sum)
	}
	return left, nil
}

// pools are the purses of the days, or months, that a time touches.
func pools(pool *account.Pool, kind policy.Purse, from, until time.Time) (ids []string) {
	for at := from; ; at = at.Add(time.Hour) {
		if at.After(until) {
			at = until
		}
		if id := engine.PoolID(pool, kind, at); len(ids) == 0 || ids[len(ids)-1] != id {
			ids = append(ids, id)
		}
		if !at.Before(until) {
			return ids
		}
	}
}

// beyondPool says that a call in progress draws on no purse of its customer's reseller.
func beyondPool(b *book.Book, customer string, purses []string) bool {
	reseller := b.ResellerOf(customer)
	for _, id := range purses {
		if reseller != "" && engine.PoolOf(id) == reseller {
			return false
		}
	}
	return reseller != ""
}
