package gate

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// refusal is what an attempt of a line meets; nil: it was let out.
func (h *house) refusal(line, to string) *Refusal {
	h.t.Helper()
	_, err := h.gate.Admit(context.Background(), Attempt{Line: line, Dialled: to, Source: netip.MustParseAddrPort("192.0.2.1:5060")})
	var r *Refusal
	if err != nil && !errors.As(err, &r) {
		h.t.Fatalf("%v is no refusal", err)
	}
	return r
}

// Calls that only ring can hold a whole cap. The refusal of an honest call must say so, or staff look for a thief, or raise a
// cap that is not spent.
func TestARefusalSaysWhatCallsHoldThatAreNotUp(t *testing.T) {
	const mobile = "07700 900123" // 6p a minute: each call holds 6p, and one second is 0.1p
	b := newBook(t)
	set(t, b, account.LineDayCap, 180_000, false)
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		h := open(t, b, m)
		defer h.close()
		var up []*Plan
		for range 3 {
			p, why := h.admit("2001", mobile)
			if p == nil {
				t.Fatal(why)
			}
			up = append(up, p)
		}
		_, _ = h.admit("2002", mobile)        // another purse
		_, _ = h.admit("2001", "08001111111") // free: holds nothing
		want := func(when string, w policy.Waiting, words string) {
			t.Helper()
			synctest.Wait()
			r := h.refusal("2001", mobile)
			if r == nil || r.Reason != policy.LineDaySpent || r.Figures.Waiting != w || !strings.Contains(r.Error(), words) {
				t.Errorf("%s: %+v, want %+v and %q", when, r, w, words)
			}
		}
		want("all ring", policy.Waiting{Amount: 180_000, Ringing: 3}, "0.18 of that by 3 ringing calls: a cap of 0.181 would allow it, or try again when they end or tomorrow")
		h.answer(up[0])
		want("one is up", policy.Waiting{Amount: 120_000, Ringing: 2}, "0.12 of that by 2 ringing calls:")
		h.gate.Ended(up[1].ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
		want("one is given up", policy.Waiting{Amount: 120_000, Ringing: 1, Ending: 1}, "0.12 of that by 1 ringing call and 1 that is ending:")
		h.answer(up[2])
		want("one is ending", policy.Waiting{Amount: 60_000, Ending: 1}, "0.06 of that by 1 call that is ending:")
		h.gate.Over(up[1].ID, nil)
		synctest.Wait()
		p, why := h.admit("2001", mobile)
		if p == nil {
			t.Fatalf("what it held is free: %v", why)
		}
		h.answer(p)
		want("all are up", policy.Waiting{}, "0.18 of it is spent or reserved: a cap")

		facts, err := m.Facts(t.Context(), store.FactFilter{Kind: "call.refused", Limit: 100})
		must(t, err)
		if len(facts) < 4 || !strings.Contains(string(facts[2].Body), `"waiting_micro":120000,"ringing_calls":1,"ending_calls":1`) {
			t.Errorf("%d facts of refusals", len(facts))
		}
	})
}

// A call that is refused at its answer, since a dearer band has begun, must not be told of what it holds itself.
func TestWaitingLeavesOutTheCallItself(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		p, _ := h.admit("2001", "07700 900123")
		day := h.gate.get(p.ID).Open.Purses[0]
		if w := h.gate.Waiting(day, p.ID); w != (policy.Waiting{}) {
			t.Errorf("%+v", w)
		}
		if w := h.gate.Waiting(day, ""); w != (policy.Waiting{Amount: 60_000, Ringing: 1}) {
			t.Errorf("%+v", w)
		}
	})
}
