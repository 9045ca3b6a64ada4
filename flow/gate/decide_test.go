package gate

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/state/store/memory"
)

// TestDecideAsksThePurses: what a line has left is asked as Admit asks it; emergency calls and lines that are not there are decided without.
func TestDecideAsksThePurses(t *testing.T) {
	b := newBook(t)
	set(t, b, account.LineDayCap, int64(money.Pound/10), false)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		decide := func(line, to string) Explanation {
			x, err := h.gate.Decide(t.Context(), line, to, netip.MustParseAddr("192.0.2.7"), time.Now())
			must(t, err)
			return x
		}
		if x := decide("2001", "07700 900123"); !x.Verdict.Allowed() {
			t.Errorf("with an empty purse: %v", x.Verdict.Reason)
		}
		var open []*Plan
		for {
			p, why := h.admit("2001", "07700 900123")
			if why != policy.OK {
				if x := decide("2001", "07700 900123"); x.Verdict.Reason != why || x.Verdict.Figures.Limit != int64(money.Pound/10) || x.Verdict.Figures.Value == 0 {
					t.Errorf("Decide says %v of %+v, Admit %v", x.Verdict.Reason, x.Verdict.Figures, why)
				}
				break
			}
			open = append(open, p)
		}
		if x := decide("2001", "999"); !x.Verdict.Allowed() {
			t.Errorf("an emergency call: %v", x.Verdict.Reason)
		}
		if x := decide("gone", "07700 900123"); x.Known {
			t.Error("a line that is gone is known")
		}
		for _, p := range open {
			h.end(p.ID, End{Reason: policy.Cancelled, Status: 487, At: time.Now()})
		}
	})
}
