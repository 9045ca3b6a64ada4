package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/state/store"
)

// Differ plays random sequences of groups on two stores and wants the same outcomes, balances, calls, records and
// journals from both. open gives an empty pair for each sequence and closes it itself.
func Differ(t *testing.T, open func(t *rapid.T) (a, b store.Money)) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := open(r)
		for range rapid.IntRange(1, 12).Draw(r, "groups") {
			if rapid.IntRange(0, 9).Draw(r, "claim") == 0 {
				differClaim(r, a, b)
			}
			ops := rapid.SliceOfN(rapid.Custom(differOp), 1, 20).Draw(r, "ops")
			x, errA := a.Apply(t.Context(), ops)
			y, errB := b.Apply(t.Context(), ops)
			if !reflect.DeepEqual(x, y) || errText(errA) != errText(errB) {
				r.Fatalf("outcomes differ:\n%+v %v\n%+v %v", x, errA, y, errB)
			}
		}
		if x, y := differState(r, a), differState(r, b); x != y {
			r.Fatalf("states differ:\n%s\n\n%s", x, y)
		}
	})
}

func errText(err error) string {
	var bad *store.OpError
	if errors.As(err, &bad) {
		return bad.Error()
	}
	if err != nil {
		return "failed: " + err.Error()
	}
	return ""
}

// differOp draws from few calls and purses, so that sequences meet themselves; every call has its own two purses.
func differOp(r *rapid.T) store.Op {
	n := rapid.IntRange(0, 7).Draw(r, "call")
	c := Call(n, []string{"100", "Ä"}[n%2])
	c.UserAgent = rapid.SampledFrom([]string{"", "x\x00y", "\xff", "☎"}).Draw(r, "agent")
	lease := rapid.SampledFrom(spans).Draw(r, "lease")
	c.Snapshot = rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(r, "snapshot")
	limit := func() money.Micro {
		return money.Micro(rapid.SampledFrom([]int64{-1, 0, 50, 100, 150, 1<<63 - 1}).Draw(r, "cap"))
	}
	amount := money.Micro(rapid.SampledFrom([]int64{0, 1, 30, 60, 1<<63 - 1}).Draw(r, "amount"))
	holds := []store.Hold{In(fmt.Sprint("p", n%3), limit()), In(fmt.Sprint("q", n%2), limit())}
	paid := time.Duration(rapid.IntRange(1, 5).Draw(r, "paid")) * time.Minute
	var op store.Op
	leased := func(op store.Op) store.Op {
		op.Lease = lease
		return op
	}
	switch rapid.IntRange(0, 4).Draw(r, "kind") {
	case 0, 1:
		return leased(Open(c, amount, holds...))
	case 2:
		op = leased(Extend(c, amount, paid, holds...))
	case 3:
		op = store.Op{Kind: store.OpUpdate, ID: c.ID, Call: c, Facts: []store.Fact{Fact("call.updated", c)}}
	default:
		op = Settle(c, min(amount, 60))
	}
	op.Node = rapid.SampledFrom([]string{"", "a", "b"}).Draw(r, "by")
	return op
}

// spans are leases that are over, or that outlast the test: two stores have two clocks.
var spans = []time.Duration{-time.Hour, time.Hour}

// leasesOf says of each lease only whether it lasts.
func leasesOf(calls []call.Open) []call.Open {
	now := time.Now()
	for i := range calls {
		if calls[i].Lease.After(now) {
			calls[i].Lease = T0
		} else {
			calls[i].Lease = time.Time{}
		}
	}
	return calls
}

func differClaim(r *rapid.T, a, b store.Money) {
	renew, lease := rapid.SampledFrom(spans).Draw(r, "renew"), rapid.SampledFrom(spans).Draw(r, "lease")
	node := rapid.SampledFrom([]string{"a", "b"}).Draw(r, "node")
	for _, m := range []store.Money{a, b} {
		if err := m.Renew(r.Context(), "a", renew); err != nil {
			r.Fatal(err)
		}
	}
	x, errA := a.Claim(r.Context(), node, lease)
	y, errB := b.Claim(r.Context(), node, lease)
	if !reflect.DeepEqual(leasesOf(x), leasesOf(y)) || errA != nil || errB != nil {
		r.Fatalf("claims differ:\n%+v %v\n%+v %v", x, errA, y, errB)
	}
}

// differState is all that can be read, without the seqs, which may have gaps.
func differState(r *rapid.T, m store.Money) string {
	ps, err1 := m.Purses(r.Context(), []string{"p0", "p1", "p2", "q0", "q1", "none"})
	open, err2 := m.OpenCalls(r.Context(), "")
	open = leasesOf(open)
	cdrs, err3 := m.CDRs(r.Context(), store.CDRFilter{})
	facts, err4 := m.Facts(r.Context(), store.FactFilter{})
	faults, err5 := m.Check(r.Context())
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil || len(faults) > 0 {
		r.Fatalf("%v %q", err, faults)
	}
	for i := range facts {
		facts[i].Seq = 0
	}
	return fmt.Sprintf("%+v\n%+v\n%+v\n%+v", ps, open, cdrs, facts)
}
