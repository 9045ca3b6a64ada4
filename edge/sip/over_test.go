package sip

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

// over is what the gate was told of the legs of the latest call; it fails unless it was told once.
func (w *world) over(within time.Duration) []gate.Leg {
	w.t.Helper()
	until := time.Now().Add(within)
	for {
		w.gate.mu.Lock()
		told := w.gate.legs[w.gate.admitted[len(w.gate.admitted)-1]]
		w.gate.mu.Unlock()
		if len(told) == 1 {
			return told[0]
		}
		if len(told) > 1 || time.Now().After(until) {
			w.t.Fatalf("after %v the gate was told %d times that the legs are over", within, len(told))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// notOver fails if the gate was told that the legs of the latest call are over.
func (w *world) notOver() {
	w.t.Helper()
	synctest.Wait()
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	if told := w.gate.legs[w.gate.admitted[len(w.gate.admitted)-1]]; len(told) > 0 {
		w.t.Fatalf("the gate was told that the legs are over: %+v", told)
	}
}

// A carrier's answer that crosses our CANCEL was charged by the carrier and written down as nothing: thirty such calls a
// minute cost what no cap saw.
func TestAnAnswerThatCrossesTheCancelIsReported(t *testing.T) {
	for name, answer := range map[string]time.Duration{"at once": 0, "after 3 s": 3 * time.Second, "at the last moment": 31 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.phone.invite("c1", "02079460000")
				inv := w.carrier.expect("INVITE")
				w.carrier.answer(inv, 180, "b", "")
				w.phone.expect("180 INVITE")
				a.request("CANCEL", "")
				w.phone.find("487 INVITE")
				a.request("ACK", "")
				w.carrier.answer(w.carrier.find("CANCEL"), 200, "b", "")
				time.Sleep(answer)
				w.notOver() // the hold must stay: an answer may come
				w.carrier.answer(inv, 200, "b", sdpB)
				w.carrier.expect("ACK")
				bye := w.carrier.expect("BYE")
				w.notOver()
				time.Sleep(300 * time.Millisecond)
				w.carrier.answer(bye, 200, "", "")
				legs := w.over(time.Second)
				if len(legs) != 1 || legs[0].Answered.IsZero() || legs[0].Joined || legs[0].Trunk != "one" || legs[0].Refused != 0 {
					t.Errorf("legs %+v", legs)
				}
				if end := w.gate.only(t); end.Reason != policy.Cancelled || end.Status != 487 {
					t.Errorf("end %+v", end)
				}
			})
		})
	}
}

// Without an answer the call is over when the far end has confirmed that it is given up, or cannot answer any more.
func TestACancelledCallIsOverWhenItsInviteIs(t *testing.T) {
	for name, confirmed := range map[string]bool{"487": true, "silence": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.phone.invite("c1", "02079460000")
				inv := w.carrier.expect("INVITE")
				w.carrier.answer(inv, 180, "b", "")
				w.phone.expect("180 INVITE")
				a.request("CANCEL", "")
				w.phone.find("487 INVITE")
				a.request("ACK", "")
				cancel := w.carrier.find("CANCEL")
				w.notOver()
				began := time.Now()
				if confirmed {
					w.carrier.answer(cancel, 200, "b", "")
					w.carrier.answer(inv, 487, "b", "")
				}
				if legs := w.over(time.Minute); len(legs) != 0 {
					t.Errorf("legs %+v", legs)
				}
				if waited := time.Since(began); confirmed != (waited < time.Second) || waited > 34*time.Second {
					t.Errorf("over after %v", waited)
				}
			})
		})
	}
}

// A way out that was given up for its silence, and answers while the next one rings or talks, costs money beside it.
func TestAnAbandonedWayThatAnswersIsReported(t *testing.T) {
	inWorld(t, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one", "two"), nil }
		a := w.phone.invite("c1", "02079460000")
		late := w.carrier.expect("INVITE")
		inv := w.spare.find("INVITE") // after the silence
		w.spare.answer(inv, 200, "s", sdpB)
		a.take(w.phone.find("200 INVITE"))
		a.request("ACK", "")
		w.carrier.answer(late, 200, "b", sdpB)
		bye := w.carrier.find("BYE")
		time.Sleep(2 * time.Second)
		w.carrier.answer(bye, 200, "", "")
		a.request("BYE", "")
		w.spare.answer(w.spare.find("BYE"), 200, "", "")
		legs := w.over(time.Second)
		if len(legs) != 2 || legs[0].Trunk != "one" || legs[0].Joined || legs[0].Answered.IsZero() || legs[1].Trunk != "two" || !legs[1].Joined {
			t.Errorf("legs %+v", legs)
		}
	})
}

// Two answers behind one INVITE: the second is hung up, and the carrier may charge for it.
func TestASecondForkThatAnswersIsReported(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "first", sdpB)
		a.take(w.phone.find("200 INVITE"))
		a.request("ACK", "")
		for range 3 { // its repeats are one answer
			w.carrier.answer(inv, 200, "second", sdpB)
		}
		w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
		a.request("BYE", "")
		w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
		if legs := w.over(time.Second); len(legs) != 2 || !legs[0].Joined || legs[1].Joined || legs[1].Answered.IsZero() {
			t.Errorf("legs %+v", legs)
		}
	})
}

// A leg that refuses to end is hung up again until it confirms; if it never does, the gate is told so.
func TestALegThatRefusesToEnd(t *testing.T) {
	for _, c := range []struct {
		name    string
		refuse  int // status; 0 is silence
		times   int
		refused int
	}{
		{"500 twice", 500, 2, 0},
		{"401 once, without a login", 401, 1, 0},
		{"500 for ever", 500, 1000, 500},
		{"403 for ever", 403, 1000, 403},
		{"silence", 0, 1000, 408},
		{"481", 481, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, _ := w.connect("c1")
				time.Sleep(10 * time.Second)
				a.request("BYE", "")
				w.phone.expect("200 BYE")
				began := time.Now()
				seen := map[uint32]bool{}
				for {
					m, err := w.carrier.next(40 * time.Second)
					if err != nil {
						break
					}
					if what(m) != "BYE" || c.refuse == 0 {
						continue
					}
					if seen[m.CSeq()] = true; len(seen) <= c.times {
						w.carrier.answer(m, c.refuse, "", "")
						w.notOverBefore(began, c.refuse == 481)
					} else {
						w.carrier.answer(m, 200, "", "")
						break
					}
				}
				legs := w.over(time.Second)
				if len(legs) != 1 || legs[0].Refused != c.refused || !legs[0].Joined {
					t.Errorf("legs %+v", legs)
				}
				if c.refused != 0 && (legs[0].Beyond < 20*time.Second || legs[0].Beyond > 35*time.Second) {
					t.Errorf("given up after %v", legs[0].Beyond)
				}
			})
		})
	}
}

// Another node had the call meanwhile and has used higher numbers with the carrier, which refuses lower ones as out of order
// (RFC 3261 section 12.2.2) for ever: in an hour of the soak test one leg stayed up so, until its record was closed.
func TestALegThatAnotherNodeHasSpokenTo(t *testing.T) {
	for _, spoken := range []uint32{1003, 5009} {
		inWorld(t, func(w *world) {
			a, _ := w.connect("c1")
			a.request("BYE", "")
			w.phone.expect("200 BYE")
			for tries := 1; ; tries++ {
				m, err := w.carrier.next(40 * time.Second)
				if err != nil {
					t.Fatalf("after %d BYEs: %v", tries-1, err)
				}
				if m.CSeq() > spoken {
					w.carrier.answer(m, 200, "", "")
					break
				}
				w.carrier.answer(m, 500, "", "")
			}
			if legs := w.over(time.Second); len(legs) != 1 || legs[0].Refused != 0 || legs[0].Beyond > 20*time.Second {
				t.Errorf("legs %+v", legs)
			}
		})
	}
}

// The numbers that refused BYEs have used outlast a restart: a lower one would be refused as out of order once more.
func TestABYEAfterARestartHasAHigherNumber(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.connect("c1")
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 500, "", "")
		last := w.carrier.expect("BYE")
		w.carrier.answer(last, 500, "", "")
		time.Sleep(100 * time.Millisecond)
		w.crashWith(call.Ending)
		if again := w.carrier.find("BYE"); again.CSeq() <= last.CSeq() {
			t.Errorf("BYE %d after BYE %d", again.CSeq(), last.CSeq())
		}
	})
}

// notOverBefore fails if the gate was told within the first moments, unless that is right.
func (w *world) notOverBefore(began time.Time, right bool) {
	if !right && time.Since(began) < 10*time.Second {
		w.notOver()
	}
}

// After a crash while it rang, the destination is cancelled, and an answer that crosses is hung up and reported.
func TestRingingWhenTheServerDied(t *testing.T) {
	for _, answers := range []bool{false, true} {
		inWorld(t, func(w *world) {
			w.phone.invite("c1", "02079460000")
			inv := w.carrier.expect("INVITE")
			w.carrier.answer(inv, 180, "b", "")
			w.phone.expect("180 INVITE")
			time.Sleep(2 * time.Second)
			w.crashWith(call.Setup)
			cancel := w.carrier.find("CANCEL")
			if string(cancel.Via().Branch) != string(inv.Via().Branch) {
				t.Fatalf("another transaction is cancelled: %s", cancel.Bytes())
			}
			w.carrier.answer(cancel, 200, "b", "")
			w.notOver()
			if answers {
				w.carrier.answer(inv, 200, "b", sdpB)
				w.carrier.expect("ACK")
				w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
			} else {
				w.carrier.answer(inv, 487, "b", "")
				w.carrier.expect("ACK")
			}
			if legs := w.over(time.Minute); answers != (len(legs) == 1 && !legs[0].Answered.IsZero()) {
				t.Errorf("answers %t: legs %+v", answers, legs)
			}
		})
	}
}

// A leg that rang for so short a time that nothing of it was written down is known by its answer.
func TestAnAnswerOnALegThatNobodyRemembers(t *testing.T) {
	inWorld(t, func(w *world) {
		w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		w.crashWith(call.Setup)
		time.Sleep(20 * time.Second)
		w.notOver()
		w.carrier.answer(inv, 200, "b", sdpB)
		w.carrier.expect("ACK")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		if legs := w.over(4 * time.Minute); len(legs) != 1 || legs[0].Answered.IsZero() || legs[0].Trunk != "one" {
			t.Errorf("legs %+v", legs)
		}
	})
}

// What was ending when the server died is ended by the next process.
func TestEndingWhenTheServerDied(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("c1")
		w.crashWith(call.Ending)
		w.phone.answer(w.phone.find("BYE"), 481, "", "")
		w.notOver()
		w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
		if legs := w.over(time.Second); len(legs) != 1 || !legs[0].Joined || legs[0].Answered.IsZero() {
			t.Errorf("legs %+v", legs)
		}
	})
}

// A call of a node that died goes on here: both ends are told where it is now, and one that is gone ends it.
func TestACallOfADeadNodeIsTakenOver(t *testing.T) {
	for _, alive := range []bool{true, false} {
		inWorld(t, func(w *world) {
			w.connect("c1")
			snapshot := w.gate.answered["call-1"]
			w.gate.edge.Forget([]call.ID{"call-1"})
			synctest.Wait()
			if s := w.edge.Stats(); s.Calls != 0 {
				t.Fatalf("%d calls", s.Calls)
			}
			w.phone.quiet(time.Second)
			w.gate.edge.TakeOver([]gate.Recovered{{ID: "call-1", State: call.Answered, Snapshot: snapshot, Moved: true}})
			update := w.carrier.find("UPDATE")
			if !alive {
				w.carrier.answer(update, 481, "", "")
				w.phone.answer(w.phone.find("BYE"), 200, "", "")
			} else {
				w.carrier.answer(update, 200, "", "")
				re := w.phone.find("INVITE")
				if got := string(re.Body()); got != sdpB {
					t.Errorf("the phone is offered %q", got)
				}
				w.phone.answer(re, 200, "", sdp)
				w.phone.find("ACK")
				// The phone says goodbye to the node that had it. It is asked before a slice is over.
				began := time.Now()
				w.phone.answer(w.phone.find("INVITE"), 481, "", "")
				w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
				if d := time.Since(began); d > watchEvery+time.Second {
					t.Errorf("noticed after %v", d)
				}
			}
			if end := w.gate.only(t); end.Reason != policy.PeerGone {
				t.Errorf("end %+v", end)
			}
			w.over(time.Minute)
		})
	}
}

// A leg that is not in the books is hung up: it would cost what nobody holds money for.
func TestALegThatIsNotInTheBooksIsHungUp(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("c1")
		if missing := w.gate.edge.Audit(nil, func(call.ID) bool { return true }); len(missing) != 0 {
			t.Errorf("missing %v", missing)
		}
		w.carrier.quiet(time.Second)
		w.gate.edge.Audit(nil, func(call.ID) bool { return false })
		w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
		w.phone.answer(w.phone.find("BYE"), 200, "", "")
		if n := w.edge.Stats().Unbooked; n != 1 {
			t.Errorf("%d counted", n)
		}
	})
}

// A queue may last longer than ringing, for as long as the far end says so and no longer than its bound.
func TestAQueueMayLastLongerThanRinging(t *testing.T) {
	for name, c := range map[string]struct{ says, lasts time.Duration }{
		"says it once a minute": {24 * time.Hour, 15 * time.Minute},
		"says it once":          {time.Minute, 15 * time.Minute},
		"never says it":         {0, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.phone.invite("c1", "02079460000")
				inv := w.carrier.expect("INVITE")
				began := time.Now()
				w.carrier.answer(inv, 180, "b", "")
				for time.Since(began) < 20*time.Minute {
					m, err := w.carrier.next(time.Minute)
					if err == nil && what(m) == "CANCEL" {
						w.carrier.answer(m, 200, "b", "")
						w.carrier.answer(inv, 487, "b", "")
						break
					}
					if time.Since(began) <= c.says {
						w.carrier.answer(inv, 182, "b", "")
					}
				}
				if d := time.Since(began).Round(time.Second); d != c.lasts {
					t.Errorf("it lasted %v, want %v", d, c.lasts)
				}
				w.phone.find("480 INVITE")
			})
		})
	}
}

// A leg that was answered, hung up and confirmed is still booked when the server is restarted before the call is settled; one
// that was not confirmed is hung up again, with a higher number each time.
func TestALateAnswerOutlivesRestarts(t *testing.T) {
	for _, confirmed := range []bool{true, false} {
		inWorld(t, func(w *world) {
			w.phone.invite("c1", "02079460000")
			inv := w.carrier.expect("INVITE")
			w.carrier.answer(inv, 180, "b", "")
			w.phone.expect("180 INVITE")
			w.crashWith(call.Setup)
			w.carrier.answer(inv, 200, "b", sdpB)
			w.carrier.expect("ACK")
			bye := w.carrier.expect("BYE")
			if confirmed {
				w.carrier.answer(bye, 200, "", "")
			}
			synctest.Wait()
			last := bye.CSeq()
			for range 2 {
				time.Sleep(5 * time.Second)
				w.crashWith(call.Setup)
				if confirmed {
					w.carrier.quiet(3 * time.Second)
					continue
				}
				for bye.CSeq() == last {
					bye = w.carrier.find("BYE")
				}
				if bye.CSeq() < last {
					t.Fatalf("BYE %d after %d", bye.CSeq(), last)
				}
				last = bye.CSeq()
			}
			if !confirmed {
				w.carrier.answer(bye, 200, "", "")
			}
			legs := w.over(5 * time.Minute)
			if len(legs) != 1 || legs[0].Answered.IsZero() || legs[0].Refused != 0 {
				t.Fatalf("legs %+v", legs)
			}
			if beyond := legs[0].Talk + legs[0].Beyond; confirmed != (beyond < time.Second) || beyond > 15*time.Second {
				t.Errorf("confirmed %t: %v", confirmed, beyond)
			}
		})
	}
}

// The phone speaks to this node, and another has its call: the call comes over, and the BYE ends it. What
// belongs to no call is asked for once, and refused.
func TestAByeForACallOfAnotherNode(t *testing.T) {
	for _, there := range []bool{true, false} {
		asked := make(chan string, 10)
		inWorld(t, func(w *world) {
			a, _ := w.connect("c1")
			bye := a
			if there {
				w.gate.edge.Forget([]call.ID{"call-1"})
				synctest.Wait()
			} else {
				bye = &dialog{p: w.phone, callID: "nobody's", from: "<sip:x@10.0.0.1>;tag=x", to: "<sip:y@10.0.0.1>;tag=0123456789abcdef", target: "sip:y@10.0.0.1"}
			}
			bye.request("BYE", "")
			if there {
				w.phone.expect("200 BYE")
			} else {
				w.phone.expect("481 BYE")
				bye.seq--
				bye.request("BYE", "")
				w.phone.expect("481 BYE")
				a.request("BYE", "")
				w.phone.expect("200 BYE")
			}
			w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
			if n := len(asked); n != 1 {
				t.Errorf("asked %d times", n)
			}
		}, func(w *world) {
			w.change = func(d *fakes) {
				d.seek = func(_ call.ID, id string) (bool, error) {
					asked <- id
					if id != "c1" {
						return false, nil
					}
					w.gate.mu.Lock()
					snapshot := w.gate.answered["call-1"]
					w.gate.mu.Unlock()
					w.gate.edge.TakeOver([]gate.Recovered{{ID: "call-1", State: call.Answered, Snapshot: snapshot, Moved: true}})
					return true, nil
				}
			}
		})
	}
}

// The node that had sent the INVITE comes back when another one has its call. A carrier that gives up soon repeats its answer once
// only: that answer was dropped while the call was being looked for, and the leg was never acknowledged. While the store cannot
// say whose the call is, the answer is left to be repeated.
func TestAnAnswerBringsItsCallBack(t *testing.T) {
	for _, fails := range []int{0, 2} {
		tries := 0
		inWorld(t, func(w *world) {
			w.phone.invite("c1", "02079460000")
			inv := w.carrier.expect("INVITE")
			w.crashWith(call.Setup)
			w.carrier.answer(inv, 200, "b", sdpB)
			for range fails {
				w.carrier.quiet(time.Second)
				w.carrier.answer(inv, 200, "b", sdpB)
			}
			w.carrier.expect("ACK")
			w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
			if legs := w.over(4 * time.Minute); len(legs) != 1 || legs[0].Answered.IsZero() || tries != fails+1 {
				t.Errorf("after %d tries: legs %+v", tries, legs)
			}
		}, func(w *world) {
			w.change = func(d *fakes) {
				w.before = nil // another node has them
				d.seek = func(id call.ID, _ string) (bool, error) {
					if tries++; tries <= fails {
						return false, errors.New("the store is away")
					}
					w.gate.edge.TakeOver([]gate.Recovered{{ID: id, State: call.Setup, ALeg: "c1", Begun: time.Now(), Why: policy.NodeLost, Moved: true}})
					return true, nil
				}
			}
		})
	}
}

// The carrier hangs up while our BYE to it is refused, or lost: both know that the leg is over. We went on asking for half a
// minute, and took that for what the carrier may charge.
func TestByesThatCross(t *testing.T) {
	for _, refused := range []bool{false, true} {
		inWorld(t, func(w *world) {
			a, b := w.connect("c1")
			a.request("BYE", "")
			bye := w.carrier.find("BYE")
			w.phone.find("200 BYE")
			if refused {
				w.carrier.answer(bye, 500, "", "")
			}
			b.request("BYE", "")
			w.carrier.find("200 BYE")
			if legs := w.over(2 * time.Second); len(legs) != 1 || legs[0].Refused != 0 || legs[0].Beyond > time.Second {
				t.Errorf("refused %t: legs %+v", refused, legs)
			}
			w.carrier.quiet(time.Minute)
		})
	}
}

// A proxy that forks passes on a 2xx also after it has refused (RFC 3261 16.7): it was taken for nothing, and the leg stayed up,
// unacknowledged and charged, for ever.
func TestAnAnswerAfterARefusalIsHungUp(t *testing.T) {
	for _, refusal := range []int{487, 503} {
		inWorld(t, func(w *world) {
			w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one", "two"), nil }
			a := w.phone.invite("c1", "02079460000")
			inv := w.carrier.expect("INVITE")
			w.carrier.answer(inv, 180, "b", "")
			w.phone.expect("180 INVITE")
			if refusal == 487 {
				a.request("CANCEL", "")
				w.phone.find("487 INVITE")
				a.request("ACK", "")
				w.carrier.answer(w.carrier.find("CANCEL"), 200, "b", "")
			}
			w.carrier.answer(inv, refusal, "b", "")
			w.carrier.find("ACK")
			var beside *message.Message
			if refusal == 503 { // the call goes on elsewhere, and the carrier charges for this leg beside it
				beside = w.spare.expect("INVITE")
				w.spare.answer(beside, 180, "s", "")
			}
			time.Sleep(5 * time.Second)
			w.carrier.answer(inv, 200, "fork", sdpB)
			w.carrier.expect("ACK")
			bye := w.carrier.expect("BYE")
			if string(bye.To().Tag()) != "fork" {
				t.Errorf("another dialog is hung up: %s", bye.Bytes())
			}
			w.carrier.answer(inv, 200, "fork", sdpB) // our ACK was lost
			w.carrier.find("ACK")
			w.carrier.answer(bye, 200, "", "")
			if refusal == 503 {
				a.request("CANCEL", "")
				w.spare.answer(beside, 487, "s", "")
				if legs := w.over(time.Second); len(legs) != 1 || legs[0].Answered.IsZero() || legs[0].Trunk != "one" {
					t.Errorf("legs %+v", legs)
				}
			}
		})
	}
}

// A dialog beside the one that talks, behind the same INVITE, was hung up with one BYE that nothing repeated, and forgotten by a
// restart: it stayed up and charged.
func TestAForkIsHungUpUntilItConfirms(t *testing.T) {
	for _, crash := range []bool{false, true} {
		inWorld(t, func(w *world) {
			a := w.phone.invite("c1", "02079460000")
			inv := w.carrier.expect("INVITE")
			w.carrier.answer(inv, 200, "b", sdpB)
			a.take(w.phone.find("200 INVITE"))
			a.request("ACK", "")
			w.carrier.expect("ACK")
			w.carrier.answer(inv, 200, "fork", sdpB)
			w.carrier.expect("ACK")
			bye := w.carrier.expect("BYE")
			if crash {
				synctest.Wait()
				w.crash()
				for bye.CSeq() < seqJump {
					bye = w.carrier.find("BYE")
				}
			} else {
				w.carrier.answer(bye, 500, "", "")
				bye = w.carrier.find("BYE")
			}
			if string(bye.To().Tag()) != "fork" {
				t.Fatalf("the wrong dialog is hung up:\n%s", bye.Bytes())
			}
			w.carrier.answer(bye, 200, "", "")
			synctest.Wait()
			if crash {
				return // the call goes on, and its end is told by other tests
			}
			a.request("BYE", "")
			w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
			if legs := w.over(time.Second); len(legs) != 2 || !legs[0].Joined || legs[1].Joined || legs[1].Answered.IsZero() || legs[1].Refused != 0 {
				t.Errorf("legs %+v", legs)
			}
		}, func(w *world) { w.loose = true })
	}
}

// A way out that was answered beside the call, and not confirmed when the server died, is hung up by the next process at once and
// not when the call ends.
func TestAnAbandonedWayIsHungUpAfterARestart(t *testing.T) {
	inWorld(t, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one", "two"), nil }
		a := w.phone.invite("c1", "02079460000")
		late := w.carrier.expect("INVITE")
		w.spare.answer(w.spare.find("INVITE"), 200, "s", sdpB)
		a.take(w.phone.find("200 INVITE"))
		a.request("ACK", "")
		w.carrier.answer(late, 200, "b", sdpB)
		w.carrier.find("BYE")
		synctest.Wait()
		w.crash()
		bye := w.carrier.find("BYE")
		for bye.CSeq() < seqJump {
			bye = w.carrier.find("BYE")
		}
		w.carrier.answer(bye, 200, "", "")
		synctest.Wait()
		if n := len(w.gate.ends["call-1"]); n != 0 {
			t.Error("the call that is up was ended")
		}
	}, func(w *world) { w.loose = true })
}

// An answer on a leg that nobody remembers costs what its carrier charges: which one that is shows where calls go out to, also when
// its own calls come from elsewhere.
func TestTheCarrierOfAForgottenLegIsKnown(t *testing.T) {
	inWorld(t, func(w *world) {
		w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.crashWith(call.Setup)
		w.carrier.answer(inv, 200, "b", sdpB)
		w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
		if legs := w.over(4 * time.Minute); len(legs) != 1 || legs[0].Trunk != "one" {
			t.Errorf("legs %+v", legs)
		}
	}, func(w *world) {
		w.change = func(d *fakes) {
			d.trunkOf = func(netip.AddrPort) (string, bool) { return "", false }
			d.trunkAt = func(src netip.AddrPort, _ string) (string, bool) { return "one", src.String() == carrierAt }
		}
	})
}

// A carrier whose 200 was lost, or is overtaken, hangs up in a dialog that nobody here has heard of. It got 481, so the call rang on at the
// caller, and what the carrier charged was in no book.
func TestAByeBeforeTheAnswer(t *testing.T) {
	for _, c := range []struct {
		name      string
		heard     string // tag of a 180
		bye       string // tag of the BYE
		then      int    // what still comes for the INVITE
		answered  bool
		elsewhere bool
	}{
		{name: "nothing was heard", bye: "b", answered: true},
		{name: "it rang", heard: "b", bye: "b", answered: true},
		{name: "another fork rang", heard: "x", bye: "b", answered: true},
		{name: "from elsewhere", heard: "x", bye: "b", answered: true, elsewhere: true},
		{name: "the 200 comes after all", heard: "b", bye: "b", then: 200, answered: true},
		{name: "the 200 of the other fork", heard: "x", bye: "b", then: 200, answered: true},
		{name: "it was not answered", heard: "b", bye: "b", then: 487},
		{name: "nothing was heard, and it was not answered", bye: "b", then: 487},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.phone.invite("c1", "02079460000")
				inv := w.carrier.expect("INVITE")
				if c.heard != "" {
					w.carrier.answer(inv, 180, c.heard, "")
					w.phone.expect("180 INVITE")
				}
				time.Sleep(100 * time.Millisecond)
				b, from := w.carrier.accepted(inv, c.bye), ""
				if c.elsewhere {
					b, from = b.elsewhere(w), elsewhereAt
				}
				b.request("BYE", "")
				b.p.find("200 BYE")
				w.phone.find("487 INVITE")
				a.request("ACK", "")
				w.endedFrom(call.Callee, from)
				w.carrier.answer(w.carrier.find("CANCEL"), 200, "", "")
				w.notOver() // another fork may still answer
				switch c.then {
				case 200:
					w.carrier.answer(inv, 200, c.bye, sdpB)
					w.carrier.find("ACK")
					w.carrier.answer(w.carrier.find("BYE"), 481, "", "")
				case 487:
					w.carrier.answer(inv, 487, c.bye, "")
					w.carrier.find("ACK")
				}
				legs := w.over(time.Minute)
				switch {
				case !c.answered && len(legs) != 0:
					t.Errorf("it was not answered: legs %+v", legs)
				case c.answered && (len(legs) != 1 || legs[0].Answered.IsZero() || legs[0].Joined || legs[0].Trunk != "one" || legs[0].Refused != 0):
					t.Errorf("legs %+v", legs)
				case c.answered && (legs[0].Talk != 0 || legs[0].Beyond > time.Second):
					t.Errorf("it was hung up within a second: %+v", legs[0])
				}
			}, listed)
		})
	}
}

// What the carrier may charge ends with its BYE, and begins no earlier than it waits for an ACK.
func TestTheCostOfAnAnswerThatNobodyHeard(t *testing.T) {
	for rang, most := range map[time.Duration]time.Duration{5 * time.Second: 5 * time.Second, 50 * time.Second: 32 * time.Second} {
		inWorld(t, func(w *world) {
			a := w.phone.invite("c1", "02079460000")
			inv := w.carrier.expect("INVITE")
			w.carrier.answer(inv, 180, "b", "")
			w.phone.expect("180 INVITE")
			time.Sleep(rang)
			w.carrier.accepted(inv, "b").request("BYE", "")
			w.carrier.expect("200 BYE")
			w.phone.find("487 INVITE")
			a.request("ACK", "")
			w.carrier.answer(w.carrier.expect("CANCEL"), 481, "", "")
			legs := w.over(time.Minute)
			if len(legs) != 1 || legs[0].Talk != 0 || legs[0].Beyond.Round(time.Second) != most {
				t.Errorf("after %v: legs %+v", rang, legs)
			}
		})
	}
}

// The BYE of a way out that was given up ends that leg and nothing else.
func TestAByeOfAWayThatWasGivenUp(t *testing.T) {
	for _, heard := range []bool{false, true} {
		inWorld(t, func(w *world) {
			w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one", "two"), nil }
			a := w.phone.invite("c1", "02079460000")
			late := w.carrier.expect("INVITE")
			inv := w.spare.find("INVITE") // after the silence
			w.spare.answer(inv, 180, "s", "")
			if heard {
				w.carrier.answer(late, 180, "b", "")
				w.carrier.answer(w.carrier.find("CANCEL"), 200, "", "")
			}
			w.carrier.accepted(late, "b").request("BYE", "")
			w.carrier.find("200 BYE")
			w.spare.answer(inv, 200, "s", sdpB)
			a.take(w.phone.find("200 INVITE"))
			a.request("ACK", "")
			w.spare.find("ACK")
			w.phone.quiet(time.Minute)
			a.request("BYE", "")
			w.spare.answer(w.spare.find("BYE"), 200, "", "")
			legs := w.over(time.Second)
			if len(legs) != 2 || legs[0].Trunk != "one" || legs[0].Joined || legs[0].Answered.IsZero() || !legs[1].Joined {
				t.Errorf("legs %+v", legs)
			}
		})
	}
}

// A fork that rang, whose answer was lost beside that of another one, says BYE: the carrier charges for both.
func TestAByeOfAForkBesideTheAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "x", "")
		w.carrier.answer(inv, 200, "b", sdpB)
		a.take(w.phone.find("200 INVITE"))
		w.carrier.expect("ACK")
		a.request("ACK", "")
		for range 2 {
			x := w.carrier.accepted(inv, "x")
			x.request("BYE", "")
			w.carrier.expect("200 BYE")
		}
		w.phone.quiet(time.Second)
		a.request("BYE", "")
		w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
		if legs := w.over(time.Minute); len(legs) != 2 || legs[0].Joined == legs[1].Joined || legs[0].Answered.IsZero() || legs[1].Answered.IsZero() {
			t.Errorf("legs %+v", legs)
		}
	})
}

// The end of a cancelled call that was answered all the same may also come as a BYE.
func TestAByeThatCrossesTheCancel(t *testing.T) {
	for _, tag := range []string{"b", "y"} {
		inWorld(t, func(w *world) {
			a := w.phone.invite("c1", "02079460000")
			inv := w.carrier.expect("INVITE")
			w.carrier.answer(inv, 180, "b", "")
			w.phone.expect("180 INVITE")
			a.request("CANCEL", "")
			w.phone.find("487 INVITE")
			a.request("ACK", "")
			w.carrier.answer(w.carrier.find("CANCEL"), 200, "b", "")
			w.carrier.accepted(inv, tag).request("BYE", "")
			w.carrier.expect("200 BYE")
			legs := w.over(time.Minute)
			if end := w.gate.only(t); end.Reason != policy.Cancelled || len(legs) != 1 || legs[0].Answered.IsZero() || legs[0].Joined {
				t.Errorf("end %+v, legs %+v", end, legs)
			}
		})
	}
}

// A phone's answer may be lost as well.
func TestAByeOfACalledPhoneBeforeItsAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) {
			return &gate.Plan{Routes: []gate.Route{{Line: "bob"}}}, nil
		}
		phone := w.peer("10.0.1.8:5060")
		phone.register("bob", "r8", 1, "Contact: <sip:bob@10.0.1.8:5060>")
		phone.expect("200 REGISTER")
		a := w.phone.invite("c1", "bob")
		inv := phone.expect("INVITE")
		phone.accepted(inv, "p").request("BYE", "")
		phone.find("200 BYE")
		w.phone.find("487 INVITE")
		a.request("ACK", "")
		w.endedFrom(call.Callee, "")
		if legs := w.over(5 * time.Minute); len(legs) != 1 || legs[0].Answered.IsZero() {
			t.Errorf("legs %+v", legs)
		}
	})
}

// After a crash nobody knows a leg that rang for a moment. Its BYE is its answer.
func TestAByeOnALegThatNobodyRemembers(t *testing.T) {
	inWorld(t, func(w *world) {
		w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		w.crashWith(call.Setup)
		time.Sleep(20 * time.Second)
		b := w.carrier.accepted(inv, "b")
		stranger := b.elsewhere(w)
		stranger.request("BYE", "")
		stranger.p.expect("481 BYE")
		w.notOver()
		b.request("BYE", "")
		w.carrier.expect("200 BYE")
		if legs := w.over(4 * time.Minute); len(legs) != 1 || legs[0].Answered.IsZero() || legs[0].Trunk != "one" {
			t.Errorf("legs %+v", legs)
		}
	})
}

// Who has read our tag can end what rings, and nothing else; without it he can do nothing.
func TestOurTagEndsAndDoesNothingElse(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		thief := w.carrier.accepted(inv, "guess").elsewhere(w)
		for _, method := range []string{"INVITE", "UPDATE", "INFO", "PRACK", "REFER"} {
			thief.request(method, sdp)
			thief.p.expect("481 " + method)
		}
		blind := *thief
		blind.to = "<sip:x@10.0.0.1>;tag=0123456789abcdef"
		blind.request("BYE", "")
		blind.p.expect("481 BYE")
		w.phone.quiet(100 * time.Millisecond)
		w.carrier.quiet(100 * time.Millisecond)
		w.carrier.answer(inv, 200, "b", sdpB)
		a.take(w.phone.expect("200 INVITE"))
		w.carrier.expect("ACK")
		a.request("ACK", "")
		thief.request("BYE", "") // our tag alone is not enough once there is a dialog
		thief.p.expect("481 BYE")
		w.hangUp(a)
	})
	inWorld(t, func(w *world) { // a call for help rings on
		a := w.phone.invite("c1", "999")
		inv := w.carrier.expect("INVITE")
		thief := w.carrier.accepted(inv, "guess").elsewhere(w)
		thief.request("BYE", "")
		thief.p.expect("403 BYE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.find("180 INVITE")
		w.carrier.answer(inv, 200, "b", sdpB)
		a.take(w.phone.expect("200 INVITE"))
		w.carrier.expect("ACK")
		a.request("ACK", "")
		w.hangUp(a)
	}, listed, forHelp)
}

// pricedAs is how often the gate was told that the latest call costs nothing more, and that all of it is over.
func (w *world) pricedAs() (priced, over int) {
	time.Sleep(2 * priceAfter)
	synctest.Wait()
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	id := w.gate.admitted[len(w.gate.admitted)-1]
	return len(w.gate.priced[id]), len(w.gate.legs[id])
}

// A phone that is switched off never confirms the end of its call, and nobody charges for that. A leg of a carrier, or a phone
// that may yet answer, is waited for.
func TestACallIsPricedWhenNobodyChargesForWhatIsLeft(t *testing.T) {
	t.Run("not when the phone confirms at once", func(t *testing.T) {
		inWorld(t, func(w *world) {
			_, b := w.connect("c1")
			b.request("BYE", "")
			w.carrier.expect("200 BYE")
			w.phone.answer(w.phone.expect("BYE"), 200, "", "")
			if priced, over := w.pricedAs(); priced != 0 || over != 1 {
				t.Errorf("told %d times of the price, and %d that all is over", priced, over)
			}
		})
	})
	const hangsUp, isHungUp, isCut, givesUp = "hangs up", "is hung up", "is cut", "is given up while it rings"
	for _, c := range []struct {
		phone  bool   // the far end is a phone of ours, else a carrier
		does   string // what the far end does
		priced bool   // before the leg that has not confirmed is over
	}{
		{false, hangsUp, true},
		{false, isHungUp, false},
		{false, isCut, true}, // when it has confirmed
		{false, givesUp, false},
		{true, hangsUp, true},
		{true, isHungUp, true},
		{true, isCut, true},
		{true, givesUp, false},
	} {
		t.Run(map[bool]string{true: "phone ", false: "carrier "}[c.phone]+c.does, func(t *testing.T) {
			inWorld(t, func(w *world) {
				far := w.carrier
				if c.phone {
					w.register("bob", "10.0.2.1:5060")
					far = w.peer("10.0.2.1:5060")
					w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return &gate.Plan{Routes: []gate.Route{{Line: "bob"}}}, nil }
				}
				a := w.phone.invite("c1", "02079460000")
				inv := far.expect("INVITE")
				far.answer(inv, 180, "b", "")
				w.phone.expect("180 INVITE")
				late := w.phone // has yet to confirm
				if c.does == givesUp {
					a.request("CANCEL", "")
					w.phone.find("487 INVITE")
					a.request("ACK", "")
					far.answer(far.expect("CANCEL"), 200, "b", "")
				} else {
					far.answer(inv, 200, "b", sdpB)
					a.take(w.phone.expect("200 INVITE")).request("ACK", "")
					far.expect("ACK")
				}
				switch c.does {
				case hangsUp:
					far.accepted(inv, "b").request("BYE", "")
					far.expect("200 BYE")
				case isHungUp:
					a.request("BYE", "")
					w.phone.expect("200 BYE")
					late = far
				case isCut:
					w.gate.cut(w.gate.admitted[0], policy.CutByStaff, policy.Figures{})
					far.answer(far.expect("BYE"), 200, "", "")
				}
				if priced, over := w.pricedAs(); (priced == 1) != c.priced || over != 0 {
					t.Errorf("told %d times of the price, and %d that all is over; want priced: %t", priced, over, c.priced)
				}
				if c.does == givesUp {
					far.answer(inv, 487, "b", "")
					far.expect("ACK")
				} else {
					late.answer(late.find("BYE"), 200, "", "")
				}
				if priced, over := w.pricedAs(); (priced == 1) != c.priced || over != 1 {
					t.Errorf("at the end told %d times of the price, and %d that all is over", priced, over)
				}
			})
		})
	}
}

// A carrier says that it does not know the call any more, and the process dies before the call is over. That was not stored, so that the carrier's
// cost went on until the next process was told the same.
func TestThatALegIsOverIsStoredImmediately(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("c1")
		answered := time.Now()
		w.carrier.answer(w.carrier.find("UPDATE"), 481, "", "")
		gone := time.Now()
		w.carrier.expect("BYE") // not answered yet
		synctest.Wait()
		legs := w.gate.edge.Legs(w.gate.answered["call-1"])
		if len(legs) != 1 || !legs[0].Joined || legs[0].Trunk != "one" || legs[0].CallID == "" || legs[0].Tag != "bc1" ||
			!legs[0].OverAt.Equal(gone) || !legs[0].Answered.Equal(answered) || legs[0].Talk+legs[0].Beyond != gone.Sub(answered) {
			t.Errorf("stored: %+v; it was answered at %v and over at %v", legs, answered, gone)
		}
		w.crashWith(call.Ending)
		if told := w.over(time.Minute); len(told) != 2 || told[1].Talk+told[1].Beyond != gone.Sub(answered) { // with the phone's, which is silent
			t.Errorf("the next process says: %+v", told)
		}
	}, func(w *world) { w.loose = true })
}

// The first word of a phone since a restart may be a BYE that it has been saying for half a minute. Once it has said that it is there, a BYE is new.
func TestAByeThatMayBeARepeat(t *testing.T) {
	for _, heard := range []bool{false, true} {
		inWorld(t, func(w *world) {
			a, _ := w.connect("c1")
			w.crash()
			want := 32 * time.Second
			if heard {
				w.phone.answer(w.phone.find("INVITE"), 200, "", sdp)
				w.phone.find("ACK")
				want = 0
			}
			a.seq += 10
			a.request("BYE", "")
			w.phone.find("200 BYE")
			w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
			if end := w.gate.only(t); end.By != call.Caller || end.Doubt != want {
				t.Errorf("heard %t: %+v", heard, end)
			}
		})
	}
}

// A process takes an answer that crosses its CANCEL, says ACK and dies, or is replaced, before it can write that down. The carrier has no reason to
// repeat the answer, so that the CANCEL of the next process gets none. Its leg stayed up for as long as the carrier let it. A BYE of the early
// dialog ends it, also a process later; a carrier that knows nothing of it owes nothing.
func TestAnAnswerThatDiedWithItsProcess(t *testing.T) {
	for _, c := range []struct {
		name   string
		rings  time.Duration // until the 180, and
		dies   time.Duration // from then until the crash
		gives  bool          // the caller gives up before
		forks  bool          // the answer is that of a second early dialog
		cancel int           // answer to the CANCEL
		again  bool          // the next process dies too
		bye    int           // answer to the BYE
	}{
		{"it answered", 0, 2 * time.Second, false, false, 200, false, 200},
		{"it rang late", 5 * time.Second, time.Second, false, false, 200, false, 200},
		{"in a second early dialog", 0, 2 * time.Second, false, true, 200, false, 200},
		{"and its INVITE is over", 0, 2 * time.Second, false, false, 481, false, 200},
		{"and the next process died too", 0, 2 * time.Second, false, false, 200, true, 200},
		{"and another one with a second early dialog", 0, 2 * time.Second, false, true, 200, true, 200},
		{"it did not answer", 0, 2 * time.Second, false, false, 200, false, 481},
		{"it refuses to end", 0, 2 * time.Second, false, false, 200, false, 500},
		{"the caller had given up soon", 0, 300 * time.Millisecond, true, false, 200, false, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.phone.invite("c1", "02079460000")
				inv := w.carrier.expect("INVITE")
				w.carrier.answer(inv, 100, "", "")
				time.Sleep(c.rings)
				w.carrier.answer(inv, 180, "b", "")
				tag := "b"
				if c.forks {
					w.carrier.answer(inv, 180, "fork", "")
					tag = "fork"
				}
				time.Sleep(c.dies)
				if c.gives {
					a.request("CANCEL", "")
					w.carrier.find("CANCEL")
				}
				w.crashWith(call.Setup)
				w.carrier.answer(w.carrier.find("CANCEL"), c.cancel, "", "")
				began := time.Now()
				bye := w.byeIn(tag, time.Minute)
				if late := time.Since(began); c.cancel == 481 && late > time.Second {
					t.Errorf("the BYE came %v after the 481", late)
				}
				if c.again {
					time.Sleep(100 * time.Millisecond)
					w.crashWith(call.Ending)
					last := bye.CSeq()
					for bye.CSeq() <= last {
						bye = w.byeIn(tag, time.Second)
					}
				}
				w.notOver()
				w.carrier.answer(bye, c.bye, "", "")
				for c.bye == 500 {
					m, err := w.carrier.next(10 * time.Second)
					if err != nil {
						break
					}
					w.carrier.answer(m, 500, "", "")
				}
				legs := w.over(2 * time.Minute)
				switch answered := len(legs) == 1 && !legs[0].Answered.IsZero(); {
				case answered != (c.bye != 481):
					t.Errorf("legs %+v", legs)
				case answered && (legs[0].Trunk != "one" || legs[0].Talk != 0 || legs[0].Beyond <= 0 || legs[0].Beyond > 3*time.Minute):
					t.Errorf("legs %+v", legs)
				case answered && (legs[0].Refused != 0) != (c.bye == 500):
					t.Errorf("legs %+v", legs)
				}
			}, func(w *world) { w.loose = true })
		})
	}
}

// byeIn is the next BYE to the carrier in the dialog of a tag; those of other dialogs hear that there is no such call.
func (w *world) byeIn(tag string, within time.Duration) *message.Message {
	w.t.Helper()
	for until := time.Now().Add(within); time.Now().Before(until); {
		m, err := w.carrier.next(within)
		switch {
		case err != nil || m.Method() != message.BYE:
		case string(m.To().Tag()) == tag:
			return m
		default:
			w.carrier.answer(m, 481, "", "")
		}
	}
	w.t.Fatalf("no BYE to %s within %v", tag, within)
	return nil
}

// A process takes the answer of one early dialog and dies before it can write that down; the other one answers the next process. Nobody hung the
// first one up: it was in no book, for as long as the carrier let it.
func TestAForkThatDiedWithItsProcess(t *testing.T) {
	inWorld(t, func(w *world) {
		w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "first", "")
		w.carrier.answer(inv, 180, "second", "")
		time.Sleep(2 * time.Second)
		w.crashWith(call.Setup)
		w.carrier.answer(w.carrier.find("CANCEL"), 200, "", "")
		w.carrier.answer(inv, 200, "second", sdpB)
		byes := map[string]bool{}
		for len(byes) < 2 {
			m, err := w.carrier.next(5 * time.Second)
			if err != nil {
				t.Fatalf("hung up: %v", byes)
			}
			if m.Method() == message.BYE {
				byes[string(m.To().Tag())] = true
				w.carrier.answer(m, 200, "", "")
			}
		}
		legs := w.over(time.Minute)
		if len(legs) != 2 || legs[0].Answered.IsZero() || legs[1].Answered.IsZero() || legs[0].Tag == legs[1].Tag || !byes["first"] {
			t.Errorf("hung up %v, legs %+v", byes, legs)
		}
	}, func(w *world) { w.loose = true })
}

// Each process that took a call over asked its legs for another 32 seconds, so that one which was killed again and again was never over.
func TestAnEndThatManyProcessesWaitFor(t *testing.T) {
	for _, answered := range []bool{true, false} {
		inWorld(t, func(w *world) {
			if answered {
				w.connect("c1")
				w.crashWith(call.Ending) // it dies as it hangs up
			} else {
				w.phone.invite("c1", "02079460000")
				w.carrier.answer(w.carrier.expect("INVITE"), 180, "b", "")
				time.Sleep(2 * time.Second)
				w.crashWith(call.Setup)
			}
			began := time.Now()
			for range 3 {
				time.Sleep(10 * time.Second)
				w.notOver()
				w.crashWith(call.Ending)
			}
			w.over(2 * time.Minute)
			most := 39 * time.Second // a quarter of 32 s in the last process
			if !answered {
				most += 33 * time.Second // and after the CANCEL a BYE
			}
			if took := time.Since(began); took > most {
				t.Errorf("answered %t: it was over after %v", answered, took)
			}
		}, func(w *world) { w.loose = true })
	}
}
