package gate

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/policy"
	"ringfence/core/restrict"
	"ringfence/state/store/memory"
)

// TestHotLists: calls to and from listed numbers are refused, other calls are not, an emergency call never is.
func TestHotLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(t)
		set(t, b, account.InternationalCeiling, 1_000_000_000, true)
		h := open(t, b, memory.New())
		defer h.close()
		list := func(prefix uint64, digits int, way restrict.Way, until time.Time) {
			l := restrict.Listed{List: "desk", Range: restrict.Range{Prefix: prefix, Digits: digits}, Way: way, Until: until}
			_, err := b.AddHot(context.Background(), "anna", l)
			must(t, err)
		}
		list(3712, 4, restrict.Both, time.Now().Add(time.Hour))
		list(4420, 4, restrict.In, time.Time{})
		out := func(to string) policy.Reason {
			p, why := h.admit("2001", to)
			if why == policy.OK {
				h.gate.Cut(p.ID, policy.CutByStaff, policy.Figures{}, "")
			}
			return why
		}
		in := func(from string) policy.Reason {
			_, err := h.gate.Admit(context.Background(), Attempt{Trunk: "carrier", Dialled: "+442079460101", Caller: from, Source: phoneAt})
			var r *Refusal
			if errors.As(err, &r) {
				return r.Reason
			}
			return policy.OK
		}
		check := func(when string, listed bool) {
			t.Helper()
			closed, refused := policy.OK, policy.OK
			if listed {
				closed, refused = policy.DestinationClosed, policy.CallerListed
			}
			for to, want := range map[string]policy.Reason{"003712 3456789": closed, "0207 946 0000": policy.OK, "999": policy.OK} {
				if got := out(to); got != want {
					t.Errorf("%s, to %s: %v, want %v", when, to, got, want)
				}
			}
			for from, want := range map[string]policy.Reason{
				"+37123456789": refused, "0037123456789": refused, "37123456789": refused, "02079460000": policy.CallerListed, "+33142685300": policy.OK, "": policy.OK, "anonymous": policy.OK,
			} {
				if got := in(from); got != want && !(want == policy.OK && got == policy.NotRegistered) {
					t.Errorf("%s, from %q: %v, want %v", when, from, got, want)
				}
			}
		}
		check("listed", true)
		time.Sleep(time.Hour)
		check("ended", false)
	})
}

// TestCallsPerSecond: as many calls start within a second as the line may, and no count is kept where it has no limit.
func TestCallsPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(t)
		set(t, b, account.MaxCalls, 1000, true)
		set(t, b, account.CallsPerMinute, 1000, true)
		h := open(t, b, memory.New())
		defer h.close()
		burst := func() (n int, last policy.Reason) {
			for range 5 {
				p, why := h.admit("2001", "08001111")
				if last = why; why == policy.OK {
					n++
					h.gate.Cut(p.ID, policy.CutByStaff, policy.Figures{}, "")
				}
			}
			return n, last
		}
		if n, why := burst(); n != 5 {
			t.Errorf("without a limit %d, then %v", n, why)
		}
		set(t, b, account.CallsPerSecond, 3, false)
		time.Sleep(time.Second)
		for range 2 {
			if n, why := burst(); n != 3 || why != policy.TooManyPerSecond {
				t.Errorf("with a limit of 3: %d, then %v", n, why)
			}
			time.Sleep(2 * time.Second)
		}
	})
}
