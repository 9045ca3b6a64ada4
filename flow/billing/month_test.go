package billing_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/state/store"
)

func (p *provider) monthly(db billing.Store, node string) *billing.Billing {
	return billing.New(billing.Options{Store: db, Book: p.book, VAT: books.Rates{{Rate: 20_000}}, Day: 1, Node: node})
}

// TestEachMonthByItself guards that a month is billed when its day has come in the provider's zone, once, that customers further west are billed
// when theirs is over, and that a month whose day was missed is billed later.
func TestEachMonthByItself(t *testing.T) {
	p := newProvider(t)
	zone := "America/Los_Angeles"
	_, err := p.book.AddCustomer(t.Context(), "t", "west", book.CustomerEdit{Zone: &zone})
	must(t, err)
	b := p.monthly(p.db, "a")
	first := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	p.settle(t, "acme", "a-1", november, money.Pound)
	p.settle(t, "west", "w-1", november, money.Pound)
	for _, c := range []struct {
		at    time.Time
		bills int
	}{
		{first.Add(-time.Minute), 0},
		{first.Add(time.Minute), 1},        // acme's
		{first.Add(30 * time.Minute), 0},   // it waits for the next hour
		{first.Add(9 * time.Hour), 1},      // west's
		{first.Add(10 * time.Hour), 0},     // nothing is due
		{first.Add(13 * time.Hour), 0},     // the month is over everywhere
		{first.AddDate(0, 3, 12), 0},       // nothing was used
		{first.AddDate(0, 4, 0), 0},        //
		{first.AddDate(0, 4, 0).Add(1), 0}, //
	} {
		r, err := b.Month(t.Context(), c.at)
		must(t, err)
		if r.Bills != c.bills {
			t.Errorf("at %s: %d bills, want %d", c.at, r.Bills, c.bills)
		}
	}
	p.settle(t, "acme", "a-1", first.AddDate(0, 4, 1), money.Pound)
	if r, err := b.Month(t.Context(), first.AddDate(0, 6, 20)); err != nil || r.Bills != 1 {
		t.Errorf("a month that was missed: %+v %v", r, err)
	}
	off := billing.New(billing.Options{Store: p.db, Book: p.book})
	p.settle(t, "acme", "a-1", first.AddDate(0, 7, 1), money.Pound)
	if r, err := off.Month(t.Context(), first.AddDate(1, 0, 0)); err != nil || r.Bills != 0 {
		t.Errorf("without a day: %+v %v", r, err)
	}
}

// TestSeveralNodesBillAMonthOnce guards that one of several nodes makes the bills, and that another goes on when it dies, without doubling.
func TestSeveralNodesBillAMonthOnce(t *testing.T) {
	p := newProvider(t)
	ids, net := p.november(t)
	now := time.Date(2026, 12, 1, 13, 0, 0, 0, time.UTC)
	if _, err := p.monthly(&dying{p.db, 2, false}, "a").Month(t.Context(), now); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	if r, err := p.monthly(p.db, "b").Month(t.Context(), now.Add(time.Second)); err != nil || r.Bills != 0 {
		t.Errorf("another node did not wait for the first: %+v %v", r, err)
	}
	var all sync.WaitGroup
	var runs, bills atomic.Int64
	for _, node := range []string{"b", "c", "d"} {
		all.Go(func() {
			r, err := p.monthly(&slow{p.db, &runs}, node).Month(t.Context(), now.Add(3*time.Minute))
			if err != nil {
				t.Error(err)
			}
			bills.Add(int64(r.Bills))
		})
	}
	all.Wait()
	if runs.Load() != 1 || bills.Load() != 2 {
		t.Errorf("%d nodes were at it, and made %d bills", runs.Load(), bills.Load())
	}
	once(t, p, ids, net)
	if r, err := p.monthly(p.db, "a").Month(t.Context(), now.Add(time.Hour)); err != nil || r.Bills != 0 {
		t.Errorf("once more: %+v %v", r, err)
	}
	marks, err := p.db.Marks(t.Context())
	must(t, err)
	if got := marks[store.MarkBillRun].Value; got != `{"done":"2026-11"}` {
		t.Errorf("marked as %s", got)
	}
}

// slow counts how many runs have begun.
type slow struct {
	billing.Store
	runs *atomic.Int64
}

func (s *slow) DueCustomers(ctx context.Context, below call.ID, after string, limit int) ([]string, error) {
	if after == "" {
		s.runs.Add(1)
	}
	return s.Store.DueCustomers(ctx, below, after, limit)
}
