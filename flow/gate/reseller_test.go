package gate

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/state/store/memory"
)

// resold makes line 2001's customer, and another one with line 3001, those of a reseller with caps.
func resold(t *testing.T, b *book.Book, day, month money.Micro) {
	t.Helper()
	ctx := t.Context()
	_, err := b.AddReseller(ctx, "test", "north", book.CustomerEdit{DayCap: &day, MonthCap: &month})
	must(t, err)
	north := "north"
	_, err = b.AddCustomer(ctx, "test", "other", book.CustomerEdit{Reseller: &north})
	must(t, err)
	_, err = b.EditCustomer(ctx, "test", "acme", book.CustomerEdit{Reseller: &north})
	must(t, err)
	_, _, err = b.AddLine(ctx, "test", book.NewLine{ID: "3001", Customer: "other"})
	must(t, err)
}

// pool is what is spent and held of the reseller's day.
func (h *house) pool() money.Micro {
	h.t.Helper()
	p, err := h.money.Purses(h.t.Context(), []string{engine.PoolID(h.book.Pool("north"), policy.ResellerDay, time.Now())})
	must(h.t, err)
	return p[0].Spent + p[0].Held
}

// TestAResellersCapHoldsOverItsCustomers: one customer's call spends what the other's then lacks, a call ends where the cap does, and a cap
// that is lowered counts from a call's next slice.
func TestAResellersCapHoldsOverItsCustomers(t *testing.T) {
	b := newBook(t)
	resold(t, b, 100_000, 0) // 10p at 6p a minute: 100 seconds
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		p, _ := h.admit("2001", "07700 900123")
		h.answer(p)
		began := time.Now()
		<-h.cuts
		if d := time.Since(began); d != 100*time.Second {
			t.Errorf("cut after %v, want 100s", d)
		}
		if r := h.record(p.ID); r.Retail != 100_000 || r.Reason != "reseller-day-cap" {
			t.Errorf("record %+v", r)
		}
		if _, why := h.admit("3001", "07700 900123"); why != policy.ResellerDaySpent {
			t.Errorf("the other customer's call: %v", why)
		}
		if x, err := h.gate.Decide(t.Context(), Question{Line: "3001", Dialled: "07700 900123", Source: phoneAt.Addr(), At: time.Now()}); err != nil || x.Verdict.Reason != policy.ResellerDaySpent {
			t.Errorf("asked beforehand: %v, %v", x.Verdict.Reason, err)
		}
		h.square(0)
	})
}

// TestACustomerWhoMovesKeepsTheOldCap: a call that began under a reseller stays under its cap.
func TestACustomerWhoMovesKeepsTheOldCap(t *testing.T) {
	b := newBook(t)
	resold(t, b, 100_000, 0)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		p, _ := h.admit("2001", "07700 900123")
		h.answer(p)
		nobody := ""
		_, err := b.EditCustomer(t.Context(), "test", "acme", book.CustomerEdit{Reseller: &nobody})
		must(t, err)
		<-h.cuts
		if r := h.record(p.ID); r.Retail != 100_000 {
			t.Errorf("record %+v", r)
		}
		if p, why := h.admit("2001", "07700 900123"); why != policy.OK || slices.ContainsFunc(h.gate.get(p.ID).Open.Purses, func(id string) bool { return engine.PoolOf(id) != "" }) {
			t.Errorf("after it moved: %v", why)
		}
	})
}

// TestNoCustomerPassesAResellersCap however many call at once.
func TestNoCustomerPassesAResellersCap(t *testing.T) {
	b := newBook(t)
	const limit = 500_000
	resold(t, b, limit, limit)
	set(t, b, account.MaxCalls, 10_000, true)
	set(t, b, account.CallsPerMinute, 10_000, true)
	h := open(t, b, memory.New())
	defer h.close()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for range 10 {
				p, why := h.admit([]string{"2001", "3001"}[i%2], "07700 900123")
				if why == policy.OK {
					h.end(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()}, Leg{Trunk: "carrier", Answered: time.Now(), Talk: time.Duration(i) * time.Second})
				}
				if got := h.pool(); got > limit {
					t.Errorf("%v passes the cap", got)
				}
			}
		})
	}
	wg.Wait()
	h.square(0)
}
