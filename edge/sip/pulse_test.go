package sip

import (
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
)

func TestPulse(t *testing.T) {
	p, began := pulse{}, time.Now()
	p.last = began
	for _, s := range []struct {
		name    string
		at, age time.Duration
	}{
		{"the first beat", 250 * time.Millisecond, 0},
		{"a busy machine", 2200 * time.Millisecond, 0},
		{"a second", 3000 * time.Millisecond, 0},
		{"it stood still", 29 * time.Second, 26 * time.Second},
		{"a packet whose reader looked at the clock a little earlier", 29*time.Second - time.Millisecond, 26*time.Second - time.Millisecond},
		{"what else waited", 30 * time.Second, 27 * time.Second},
		{"what comes now", 30*time.Second + time.Millisecond, 0},
		{"it stands still again", 40 * time.Second, 10*time.Second - time.Millisecond},
	} {
		if age := p.age(began.Add(s.at)); age != s.age {
			t.Errorf("%s: %v, want %v", s.name, age, s.age)
		}
	}
}

// standStill is as if the process had been stopped for so long, and had just gone on.
func (w *world) standStill(d time.Duration) {
	time.Sleep(d)
	w.stoodStill(d)
}

// stoodStill is as if the process had been stopped for so long until now.
func (w *world) stoodStill(d time.Duration) {
	w.edge.pulse.mu.Lock()
	defer w.edge.pulse.mu.Unlock()
	w.edge.pulse.last = time.Now().Add(-d)
}

// A carrier may not have taken the BYEs that it was sent, and while the process stood still it was sent none: the leg stayed up, and was given up on waking.
func TestABYEGoesOnAfterTheProcessStoodStill(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.connect("c1")
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		w.carrier.expect("BYE")
		began := time.Now()
		time.Sleep(5 * time.Second)
		w.standStill(26 * time.Second)
		bye := w.carrier.expect("BYE")
		for time.Since(began) < 33*time.Second { // then timer F of the first would be over
			bye = w.carrier.expect("BYE")
			time.Sleep(time.Second)
		}
		w.carrier.answer(bye, 200, "", "")
		for _, l := range w.over(time.Second) {
			if l.Refused != 0 {
				t.Errorf("%+v", l)
			}
		}
	})
}

// An answer that waited may have been charged for all the while: that is cost, and the caller pays from when he heard it.
func TestAnAnswerThatWaitedWhileTheProcessStoodStill(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		time.Sleep(3 * time.Second)
		w.standStill(26 * time.Second)
		w.carrier.answer(inv, 200, "b", sdpB)
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		w.carrier.expect("ACK")
		time.Sleep(10 * time.Second)
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		synctest.Wait()
		legs := w.gate.legs[w.gate.admitted[0]][0]
		if end := w.gate.only(t); end.Doubt != 0 || len(legs) != 1 || legs[0].Talk.Round(time.Second) != 10*time.Second || legs[0].Waited.Round(time.Second) != 26*time.Second {
			t.Errorf("%+v, %+v", end, legs)
		}
	})
}

// The answer to an INVITE that was cancelled waited while the process stood still. On waking its deadline had passed too, and the call was
// settled as one that nobody had answered.
func TestAnAnswerThatWaitedBeyondItsDeadline(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		a.request("CANCEL", "")
		w.phone.find("487 INVITE")
		a.request("ACK", "")
		w.carrier.answer(w.carrier.find("CANCEL"), 200, "b", "")
		time.Sleep(31900 * time.Millisecond) // Timer B: 32 s
		w.stoodStill(26 * time.Second)
		time.Sleep(500 * time.Millisecond)
		w.notOver()
		w.carrier.answer(inv, 200, "b", sdpB)
		w.carrier.expect("ACK")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		if legs := w.over(time.Second); len(legs) != 1 || legs[0].Answered.IsZero() {
			t.Errorf("legs %+v", legs)
		}
	})
}

// A party that hung up while the process was stopped was charged until it went on: three seconds of talk became twenty-eight.
func TestAnEndThatWaitedWhileTheProcessStoodStill(t *testing.T) {
	const stop = 26 * time.Second
	for _, c := range []struct {
		name  string
		by    call.Party
		why   policy.Reason
		after time.Duration // since it went on
		does  func(w *world, a, b *dialog)
		doubt time.Duration
	}{
		{"the caller's BYE", call.Caller, policy.Hangup, 0, func(w *world, a, _ *dialog) {
			a.request("BYE", "")
			w.phone.expect("200 BYE")
			w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		}, stop},
		{"the carrier's BYE", call.Callee, policy.Hangup, 0, func(w *world, _, b *dialog) {
			b.request("BYE", "")
			w.carrier.expect("200 BYE")
			w.phone.answer(w.phone.expect("BYE"), 200, "", "")
		}, stop},
		{"a BYE half a second later", call.Caller, policy.Hangup, 500 * time.Millisecond, func(w *world, a, _ *dialog) {
			a.request("BYE", "")
			w.phone.expect("200 BYE")
			w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		}, stop + 500*time.Millisecond},
		{"a BYE afterwards", call.Caller, policy.Hangup, 1100 * time.Millisecond, func(w *world, a, _ *dialog) {
			a.request("BYE", "")
			w.phone.expect("200 BYE")
			w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		}, 0},
		{"a question that the other side does not know any more", call.System, policy.PeerGone, 0, func(w *world, a, _ *dialog) {
			a.request("UPDATE", sdp)
			w.carrier.answer(w.carrier.expect("UPDATE"), 481, "", "")
			w.phone.expect("481 UPDATE")
			w.carrier.answer(w.carrier.find("BYE"), 481, "", "")
			w.phone.answer(w.phone.find("BYE"), 200, "", "")
		}, stop},
		{"a cut, after which the caller's BYE is read", call.Caller, policy.Hangup, 0, func(w *world, a, _ *dialog) {
			w.gate.cut(w.gate.admitted[0], policy.LineDaySpent, policy.Figures{})
			a.request("BYE", "")
			w.phone.expect("200 BYE")
			w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		}, stop},
		{"a cut that is told again", call.System, policy.LineDaySpent, 0, func(w *world, _, _ *dialog) {
			w.gate.cut(w.gate.admitted[0], policy.LineDaySpent, policy.Figures{})
			time.Sleep(1100 * time.Millisecond)
			w.gate.cut(w.gate.admitted[0], policy.LineDaySpent, policy.Figures{})
			w.phone.answer(w.phone.expect("BYE"), 200, "", "")
			w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.connect("c1")
				time.Sleep(3 * time.Second)
				w.standStill(stop)
				if c.after > 0 {
					w.edge.pulse.age(time.Now())
				}
				time.Sleep(c.after)
				c.does(w, a, b)
				synctest.Wait()
				end := w.gate.only(t)
				if end.By != c.by || end.Reason != c.why || end.Doubt.Round(100*time.Millisecond) != c.doubt {
					t.Errorf("ended by %s, %s, in doubt for %v; want %s, %s, %v", end.By, end.Reason.Code(), end.Doubt, c.by, c.why.Code(), c.doubt)
				}
			})
		})
	}
}
