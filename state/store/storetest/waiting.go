package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/state/store"
)

func waitings(t *testing.T, s store.Store) {
	ctx := t.Context()
	c := account.Customer{ID: "acme", Created: someday, Cooling: account.Cooling{Wait: time.Hour, Note: "ring Sam", Was: time.Minute, Since: someday}}
	ok(t, s.PutCustomer(ctx, c, true))
	read, err := s.Customers(ctx)
	ok(t, err)
	same(t, "cooling", read[0].Cooling, c.Cooling)
	l := account.Line{ID: "l", Customer: "acme", Created: someday}
	ok(t, s.PutLine(ctx, l, true))
	w := store.Waiting{Code: "b", Customer: "acme", Line: "l", By: "acme/ana", Text: "more calls", Body: []byte(`{}`), Made: someday, Due: someday.Add(time.Hour)}
	ok(t, s.PutWaiting(ctx, w, store.Fact{Kind: "change.waiting"}))
	wantIs(t, "twice", s.PutWaiting(ctx, w), store.ErrExists)
	other := w
	other.Code, other.Customer, other.Due = "a", "bravo", someday
	ok(t, s.PutWaiting(ctx, other))
	for customer, want := range map[string][]store.Waiting{"acme": {w}, "": {other, w}, "none": nil} {
		got, err := s.Waitings(ctx, customer)
		ok(t, err)
		same(t, customer, got, want)
	}
	ok(t, s.HurryWaiting(ctx, "a", "staff/tom"))
	wantIs(t, "hurried twice", s.HurryWaiting(ctx, "a", "staff/maya"), store.ErrInUse)
	ok(t, s.DropWaiting(ctx, "a"))
	wantIs(t, "dropped twice", s.DropWaiting(ctx, "a"), store.ErrNotFound)
	wantIs(t, "made after that", s.MakeWaiting(ctx, "a", &l, nil), store.ErrNotFound)

	var made atomic.Int64
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			changed := l
			changed.Name = "made"
			if s.MakeWaiting(t.Context(), "b", &changed, nil, store.Fact{Kind: "change.made"}) == nil {
				made.Add(1)
			}
		})
	}
	all.Wait()
	same(t, "made", made.Load(), int64(1))
	names := []string{}
	ok(t, s.EachLine(ctx, func(l account.Line) error { names = append(names, l.Name); return nil }))
	same(t, "the line", names, []string{"made"})
}
