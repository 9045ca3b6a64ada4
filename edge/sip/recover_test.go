package sip

import (
	"context"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/flow/gate"
)

// crash replaces the edge by a new one that knows what the gate kept, as after kill -9.
func (w *world) crash() { w.crashWith(call.Answered) }

// crashWith crashes when the store says that its calls are in a state.
func (w *world) crashWith(state call.State) {
	w.t.Helper()
	for _, s := range w.edge.shards {
		s.close()
	}
	w.edge.net.Stop()
	w.edge.cancel()
	w.before = nil
	for _, id := range w.gate.admitted {
		if len(w.gate.legs[id]) == 0 {
			w.before = append(w.before, gate.Recovered{ID: id, State: state, Snapshot: w.gate.answered[id], Begun: time.Now(), ALeg: "c1", Why: policy.NodeLost})
		}
		if state != call.Answered && len(w.gate.ends[id]) == 0 {
			w.gate.ends[id] = append(w.gate.ends[id], gate.End{}) // the gate knows how it ended
		}
	}
	w.opts.Shards = 7 // another machine, perhaps
	w.start()
}

// After a crash either end can hang up, and both hear what they must.
func TestHangUpAfterARestart(t *testing.T) {
	for _, caller := range []bool{true, false} {
		inWorld(t, func(w *world) {
			a, b := w.connect("c1")
			w.crash()
			first, second, by := a, w.carrier, call.Caller
			if !caller {
				first, second, by = b, w.phone, call.Callee
			}
			first.request("BYE", "")
			first.p.expect("200 BYE")
			bye := second.expect("BYE")
			if bye.CSeq() <= seqJump {
				t.Errorf("CSeq %d may have been used", bye.CSeq())
			}
			second.answer(bye, 200, "", "")
			if end := w.gate.only(t); end.By != by || end.Reason != policy.Hangup || end.Status != 200 {
				t.Errorf("end %+v", end)
			}
		})
	}
}

func TestCutAfterARestart(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("c1")
		w.crash()
		w.gate.cut("call-1", policy.LineDaySpent, policy.Figures{})
		for _, p := range []*peer{w.phone, w.carrier} {
			p.answer(p.expect("BYE"), 200, "", "")
		}
		if end := w.gate.only(t); end.Reason != policy.LineDaySpent {
			t.Errorf("end %+v", end)
		}
	})
}

// An end that hung up while we were away says so when it is asked, soon after the restart.
func TestHungUpWhileAway(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("c1")
		w.crash()
		began := time.Now()
		w.phone.answer(w.phone.find("INVITE"), 481, "", "")
		w.carrier.find("BYE")
		if d := time.Since(began); d > proveAlive+proveSpread+time.Second {
			t.Errorf("after %v", d)
		}
		if end := w.gate.only(t); end.Reason != policy.PeerGone {
			t.Errorf("end %+v", end)
		}
	})
}

// A snapshot that cannot be read ends its call in the books instead of running for ever.
func TestSpoiltSnapshot(t *testing.T) {
	for _, spoilt := range []string{"", "{", "[]", "null", "[{},{}]", `[{"id":"x"}]`} {
		inWorld(t, func(w *world) {
			w.connect("c1")
			w.gate.answered["call-1"] = []byte(spoilt)
			w.crash()
			if end := w.gate.only(t); end.Reason != policy.Fault {
				t.Errorf("%q: %+v", spoilt, end)
			}
		})
	}
}

// The callee answers a call that we were setting up when we died: it is acknowledged and hung up.
func TestStrayAnswer(t *testing.T) {
	var late []string // the trunks whose cost is in no record
	inWorld(t, func(w *world) {
		w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		w.crash()
		w.carrier.answer(inv, 200, "b", sdpB, "Record-Route: <sip:10.0.9.7;lr>")
		ack := w.carrier.expect("ACK")
		if bye := w.carrier.expect("BYE"); bye.CSeq() != ack.CSeq()+1 || string(bye.To().Tag()) != "b" || string(bye.RequestURI()) != "sip:callee@"+carrierAt {
			t.Errorf("%s\n%s", ack.Bytes(), bye.Bytes())
		}
		w.spare.answer(inv, 200, "x", sdpB) // a trunk too, but a packet that is not for us stays unanswered from strangers
		w.spare.expect("ACK")
		w.phone.answer(inv, 200, "x", sdpB)
		w.phone.quiet(time.Second)
		w.gate.admitted = nil // voided by the gate itself
		if len(late) != 2 || late[0] != "one" {
			t.Errorf("answers after the record was closed: %v", late)
		}
	}, func(w *world) {
		w.change = func(d *fakes) { d.answeredAfter = func(_ call.ID, trunk, _ string) { late = append(late, trunk) } }
	})
}

// A registered phone was looked for under what its URI calls it, and not under its line: its late answer was left, and it talked to nobody.
func TestStrayAnswerOfAPhone(t *testing.T) {
	const at = "10.0.5.1:5060"
	inWorld(t, func(w *world) {
		bob := w.peer(at)
		bob.register("bob", "reg-bob", 1, "Contact: <sip:desk@"+at+">")
		bob.expect("200 REGISTER")
		w.phone.invite("c1", "020")
		inv := bob.expect("INVITE")
		w.crash()
		w.peer("10.0.5.2:5060").answer(inv, 200, "x", sdpB) // no phone is registered there
		bob.answer(inv, 200, "b", sdpB)
		ack, bye := bob.expect("ACK"), bob.expect("BYE")
		if string(ack.To().Tag()) != "b" || string(bye.To().Tag()) != "b" {
			t.Errorf("%s\n%s", ack.Bytes(), bye.Bytes())
		}
		w.gate.admitted = nil // voided by the gate itself
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return &gate.Plan{Routes: []gate.Route{{Line: "bob"}}}, nil }
		w.change = func(d *fakes) { d.isPhone = w.where.IsPhone }
	})
}

// Stop gives up what is being set up and leaves calls up for the next process.
func TestStop(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("up")
		a := w.phone.invite("setup", "020")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		stopped := make(chan error)
		go func() { stopped <- w.edge.Stop(context.Background()) }()
		a.take(w.phone.expect("503 INVITE")).request("ACK", "")
		cancel := w.carrier.expect("CANCEL")
		w.carrier.answer(cancel, 200, "b", "")
		w.carrier.answer(inv, 487, "b", "")
		w.carrier.expect("ACK") // a carrier that was told is waited for
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		w.phone.quiet(time.Minute)
		w.carrier.quiet(time.Minute)
		if n := len(w.gate.ends["call-1"]); n != 0 {
			t.Error("the call that was up was ended")
		}
		if e := w.gate.ends["call-2"]; len(e) != 1 || e[0].Reason != policy.Stopping {
			t.Errorf("%+v", e)
		}
	}, func(w *world) { w.loose = true })
}

// An emergency call that rings is waited for, and a new one is still taken.
func TestStopWaitsForEmergencyCalls(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("sos", "999")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		stopped := make(chan error)
		go func() { stopped <- w.edge.Stop(context.Background()) }()
		time.Sleep(10 * time.Second)
		w.carrier.answer(inv, 200, "b", sdpB)
		w.carrier.expect("ACK")
		a.take(w.phone.expect("200 INVITE"))
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if n := len(w.gate.ends["call-1"]); n != 0 {
			t.Error("ended")
		}
	}, func(w *world) {
		w.loose = true
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { p := out("one"); p.Always = true; return p, nil }
	})
}

func TestStopRunsOutOfTime(t *testing.T) {
	inWorld(t, func(w *world) {
		w.phone.invite("slow", "020")
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := w.edge.Stop(ctx); err == nil {
			t.Error("no error")
		}
	}, func(w *world) { w.loose = true; w.gate.slow = time.Hour })
}
