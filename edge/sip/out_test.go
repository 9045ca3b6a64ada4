package sip

import (
	"fmt"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/policy"
	"ringfence/flow/gate"
)

func TestATrunkHasSoManyCalls(t *testing.T) {
	var o outs
	now := time.Now()
	trunk := &account.Trunk{Name: "one", MaxCalls: 5, MaxRate: 2}
	take := func(after time.Duration, always bool, want Full) {
		t.Helper()
		now = now.Add(after)
		if got := o.take(trunk, always, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	take(0, false, HasRoom)
	take(600*time.Millisecond, false, HasRoom)
	take(399*time.Millisecond, false, FullRate)
	take(time.Millisecond, false, HasRoom) // the first is a second ago
	take(0, false, FullRate)
	take(0, true, HasRoom) // an emergency call, which counts
	take(time.Second, false, HasRoom)
	take(time.Second, false, FullCalls)
	o.give("one")
	take(0, false, HasRoom)
	for range 5 {
		o.give("one")
	}
	if o.all["one"] != nil && o.all["one"].calls != 0 {
		t.Error("calls are left")
	}
}

// A full trunk is passed over for the next one; when every one is full the call is refused for that. Emergency calls go beyond the limit.
func TestAFullTrunkIsPassedOver(t *testing.T) {
	inWorld(t, func(w *world) {
		n := 0
		begin := func(want *peer, emergency bool) *dialog {
			t.Helper()
			w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { p := out("one", "two"); p.Always = emergency; return p, nil }
			n++
			a := w.phone.invite(fmt.Sprintf("c%d", n), "02079460000")
			inv := want.expect("INVITE")
			want.answer(inv, 200, "b", sdpB)
			want.expect("ACK")
			a.take(w.phone.find("200 INVITE"))
			a.request("ACK", "")
			return a
		}
		hangUp := func(a *dialog, at *peer) {
			t.Helper()
			a.request("BYE", "")
			w.phone.find("200 BYE")
			at.answer(at.expect("BYE"), 200, "", "")
			time.Sleep(time.Second)
		}
		first := begin(w.carrier, false)
		time.Sleep(2 * time.Second)
		second := begin(w.spare, false)
		w.phone.invite("full", "02079460000")
		w.phone.find("502 INVITE")
		if e := w.gate.only(t); e.Reason != policy.TrunksFull {
			t.Errorf("refused for %s", e.Reason)
		}
		n++
		third := begin(w.carrier, true)
		hangUp(first, w.carrier)
		hangUp(third, w.carrier)
		fourth := begin(w.carrier, false)
		hangUp(second, w.spare)
		hangUp(fourth, w.carrier)
		for _, name := range []string{"one", "two"} {
			trunk := w.trunks[name]
			if calls, _ := w.edge.TrunkCalls(&trunk); calls != 0 {
				t.Errorf("%d calls are left at %s", calls, name)
			}
		}
	}, func(w *world) {
		for _, name := range []string{"one", "two"} {
			x := w.trunks[name]
			x.MaxCalls = 1
			w.trunks[name] = x
		}
	})
}
