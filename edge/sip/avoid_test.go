package sip

import (
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/policy"
	"ringfence/flow/gate"
)

const deadAt = "10.0.9.50:5060"

// twoAddresses is a trunk "one" whose first address is deadAt, where nobody is unless the test says so.
func twoAddresses(w *world) {
	w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{deadAt, carrierAt}}
}

// goesTo places a call, wants it at a carrier within a time, and hangs up.
func (w *world) goesTo(p *peer, callID string, within time.Duration) {
	w.t.Helper()
	began := time.Now()
	a := w.phone.invite(callID, "02079460000")
	inv := p.find("INVITE")
	if waited := time.Since(began); waited > within {
		w.t.Errorf("call %s is at %s after %s", callID, p.sock.addr, waited)
	}
	w.answerAndHangUp(a, inv)
}

// A server that does not answer costs one call the wait, and those after it nothing. It is asked by OPTIONS, and called again as soon as it answers.
func TestASilentServerIsLeftOutUntilItAnswers(t *testing.T) {
	inWorld(t, func(w *world) {
		w.goesTo(w.carrier, "c1", 5*time.Second)
		w.goesTo(w.carrier, "c2", time.Second)
		if left := w.edge.LeftOut()["one"]; len(left) != 1 || left[0].At.String() != deadAt {
			t.Fatalf("left out: %+v", left)
		}
		back := w.peer(deadAt)
		m := back.find("OPTIONS")
		back.answer(m, 503, "x", "")
		w.goesTo(w.carrier, "c3", time.Second)
		m = back.find("OPTIONS")
		back.answer(m, 404, "x", "")
		time.Sleep(time.Second)
		if left := w.edge.LeftOut(); len(left) != 0 {
			t.Errorf("left out: %+v", left)
		}
		time.Sleep(time.Minute) // what was sent to it before is not repeated any more
		back.drain()
		w.goesTo(back, "c4", time.Second)
		back.quiet(time.Minute) // no more questions
	}, twoAddresses)
}

// A server that never answers OPTIONS is tried again after a time that grows up to ten minutes.
func TestASilentServerIsTriedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		for i, pause := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute} {
			id := string(rune('a' + i))
			w.goesTo(w.carrier, id+"1", 5*time.Second)
			left := w.edge.LeftOut()["one"]
			if len(left) != 1 || time.Until(left[0].Until) > pause || time.Until(left[0].Until) < pause-5*time.Second {
				t.Fatalf("after %d failures: %+v", i+1, left)
			}
			w.goesTo(w.carrier, id+"2", time.Second)
			time.Sleep(pause)
		}
	}, twoAddresses)
}

// With nothing else left an ordinary call tries one server that is left out, and an emergency call all of them.
func TestWhatIsLeftOutIsTheLastResort(t *testing.T) {
	inWorld(t, func(w *world) {
		tried := func(callID string, emergency bool) int {
			w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { p := out("one"); p.Always = emergency; return p, nil }
			w.gate.mu.Lock()
			w.gate.tried = nil
			w.gate.mu.Unlock()
			w.phone.invite(callID, "02079460000")
			time.Sleep(9 * time.Second) // two servers, each of which has 4 s
			if e := w.gate.only(t); e.Reason != policy.TrunksFailed {
				t.Errorf("%s ended for %s", callID, e.Reason)
			}
			w.gate.mu.Lock()
			defer w.gate.mu.Unlock()
			return len(w.gate.tried)
		}
		for _, c := range []struct {
			callID    string
			emergency bool
			want      int
		}{{"c1", false, 2}, {"c2", false, 1}, {"c3", true, 2}} {
			if n := tried(c.callID, c.emergency); n != c.want {
				t.Errorf("%s tried %d servers, want %d", c.callID, n, c.want)
			}
		}
	}, func(w *world) {
		w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{deadAt, "10.0.9.51:5060"}}
	})
}

// Only the server that was asked can say that it is back.
func TestNobodyElseBringsAServerBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.goesTo(w.carrier, "c1", 5*time.Second)
		back := w.peer(deadAt)
		m := back.find("OPTIONS")
		w.spare.answer(m, 200, "x", "")
		time.Sleep(time.Second)
		if left := w.edge.LeftOut(); len(left) != 1 {
			t.Error("a stranger brought it back")
		}
		back.answer(m, 200, "x", "")
		time.Sleep(time.Second)
		if left := w.edge.LeftOut(); len(left) != 0 {
			t.Error("it is still left out")
		}
	}, twoAddresses)
}

// A server that answers 503 with Retry-After is left alone for that time, ten minutes at most, whatever else it answers; an emergency call is tried there nevertheless.
func TestAServerAsksForAPause(t *testing.T) {
	for _, c := range []struct {
		after string
		pause time.Duration
	}{
		{"Retry-After: 120", 2 * time.Minute},
		{"Retry-After: 30 (maintenance);duration=60", 30 * time.Second},
		{"Retry-After: 99999999999999", 10 * time.Minute},
		{"Retry-After: 0", 0},
		{"Retry-After: soon", 0},
		{"X: y", 0},
	} {
		inWorld(t, func(w *world) {
			busy := w.peer(deadAt)
			w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one"), nil }
			up := w.phone.invite("up", "02079460000") // a call that is up there
			inv := busy.find("INVITE")
			busy.answer(inv, 200, "u", sdpB)
			busy.find("ACK")
			up.take(w.phone.find("200 INVITE")).request("ACK", "")

			a := w.phone.invite("c1", "02079460000")
			inv = busy.find("INVITE")
			busy.answer(inv, 503, "x", "", c.after)
			busy.find("ACK")
			w.answerAndHangUp(a, w.carrier.find("INVITE")) // goes on at once

			up.request("INVITE", sdp) // what it answers there says nothing
			busy.answer(busy.find("INVITE"), 200, "u", sdpB)
			busy.find("ACK")
			w.phone.find("200 INVITE")
			up.request("ACK", "")
			if c.pause == 0 {
				w.goesTo(busy, "c2", time.Second)
			} else {
				began := time.Now()
				w.goesTo(w.carrier, "c2", time.Second)
				if left := w.edge.LeftOut()["one"]; len(left) != 1 || !left[0].Asked || left[0].Until.Sub(began) > c.pause || left[0].Until.Sub(began) < c.pause-5*time.Second {
					t.Errorf("%s: left out %+v", c.after, left)
				}
				w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { p := out("one"); p.Always = true; return p, nil }
				help := w.phone.invite("help", "999")
				w.carrier.answer(w.carrier.find("INVITE"), 503, "x", "")
				w.carrier.find("ACK")
				inv := busy.find("INVITE")
				busy.answer(inv, 486, "x", "")
				busy.find("ACK")
				w.phone.find("486 INVITE")
				help.request("ACK", "")
				w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one"), nil }
				busy.quiet(c.pause - time.Since(began)) // it is not asked
				w.goesTo(busy, "c3", time.Second)
				if left := w.edge.LeftOut(); len(left) != 0 {
					t.Errorf("%s: left out %+v", c.after, left)
				}
			}
			up.request("BYE", "")
			w.phone.find("200 BYE")
			busy.answer(busy.find("BYE"), 200, "", "")
		}, twoAddresses, func(w *world) { w.opts.PingInterval = -1 })
	}
}
