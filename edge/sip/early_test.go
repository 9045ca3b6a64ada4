package sip

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

// early is the caller's end of the dialog that a provisional answer has made.
func (d *dialog) early(m *message.Message) *dialog {
	e := *d
	return e.take(m)
}

func tagOf(m *message.Message) string { return string(m.To().Tag()) }

// port is the callee's session description at another port.
func port(n int) string { return moved(sdpB, itoa(n)) }

func has(t *testing.T, m *message.Message, body string) {
	t.Helper()
	if string(m.Body()) != body {
		t.Errorf("%s has %q, want %q", what(m), m.Body(), body)
	}
}

// answers ends a scenario: the callee's dialog with this tag is hung up from the phone.
func (w *world) byeTo(t *testing.T, a *dialog, tag string) {
	t.Helper()
	a.request("BYE", "")
	w.phone.find("200 BYE")
	bye := w.carrier.find("BYE")
	if tagOf(bye) != tag {
		t.Errorf("hung up %s, want %s", tagOf(bye), tag)
	}
	w.carrier.answer(bye, 200, "", "")
}

// Guards against freeswitch#2630: the ringing of one fork and the answer of another came in one dialog, where a phone takes no second
// answer (RFC 3261 13.2.1). Each fork has its own numbers, session and tag, and the one that answers goes on alone.
func TestForksAreDialogs(t *testing.T) {
	for _, first := range []string{"x1", "x2", "x3"} { // which one answers; x3 has not been heard of
		t.Run(first, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.phone.invite("c1", "020")
				inv := w.carrier.expect("INVITE")
				tags := map[string]string{}
				for i, x := range []string{"x1", "x2"} {
					rseq := fmt.Sprint("RSeq: ", 7-6*i)
					w.carrier.answer(inv, 183, x, port(5000+i), "Require: 100rel", rseq)
					prack := w.carrier.expect("PRACK")
					if n, _, _, _ := prack.RAck(); tagOf(prack) != x || int(n) != 7-6*i {
						t.Errorf("%s", prack.Bytes())
					}
					w.carrier.answer(prack, 200, "", "")
					early := w.phone.expect("183 INVITE")
					has(t, early, port(5000+i))
					tags[x] = tagOf(early)
					w.carrier.answer(inv, 183, x, port(5000+i), "Require: 100rel", rseq) // again
				}
				w.phone.quiet(100 * time.Millisecond)
				w.carrier.quiet(100 * time.Millisecond)
				w.carrier.answer(inv, 200, first, port(6000))
				ok := w.phone.expect("200 INVITE")
				has(t, ok, port(6000))
				for x, tag := range tags {
					if tag == tagOf(ok) {
						t.Errorf("%s was heard with another session under the tag of the answer", x)
					}
				}
				if tags["x1"] == tags["x2"] {
					t.Error("two forks under one tag")
				}
				if ack := w.carrier.expect("ACK"); tagOf(ack) != first {
					t.Errorf("%s", ack.Bytes())
				}
				a.take(ok).request("ACK", "")
				w.alter(t, w.carrier.accepted(inv, first), port(6000)+"a=sendonly\r\n", 200, sdp+"a=recvonly\r\n") // hold
				w.alter(t, a, sdp, 200, port(6000))                                                                // resume
				w.carrier.accepted(inv, map[string]string{"x1": "x2", "x2": "x1", "x3": "x1"}[first]).request("UPDATE", "")
				w.carrier.expect("481 UPDATE")
				w.byeTo(t, a, first)
			})
		})
	}
}

// The answer of the dialog that was heard comes under its tag when the session is the same one, and under another when it is not.
func TestTheAnswerOfTheForkThatWasHeard(t *testing.T) {
	for _, c := range []struct {
		name, early, answer, want string
		same                      bool
	}{
		{"nothing was heard", "", sdpB, sdpB, true},
		{"the same", sdpB, sdpB, sdpB, true},
		{"a new version", sdpB, moved(sdpB, "6000"), moved(sdpB, "6000"), true},
		{"another port", sdpB, port(7000), port(7000), false},
		{"heard, and not said again", sdpB, "", sdpB, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.phone.invite("c1", "020")
				inv := w.carrier.expect("INVITE")
				w.carrier.answer(inv, 180, "x", c.early)
				early := w.phone.expect("180 INVITE")
				w.carrier.answer(inv, 200, "x", c.answer)
				ok := w.phone.expect("200 INVITE")
				has(t, ok, c.want)
				if (tagOf(ok) == tagOf(early)) != c.same {
					t.Errorf("heard under %s, answered under %s", tagOf(early), tagOf(ok))
				}
				w.carrier.expect("ACK")
				a.take(ok).request("ACK", "")
				w.byeTo(t, a, "x")
			})
		})
	}
}

// inForce checks what the caller and the callee were last sent of the session in force.
func (w *world) inForce(t *testing.T, caller, callee string) {
	t.Helper()
	synctest.Wait()
	if a, b := w.sessionOf("c1", true), w.sessionOf("c1", false); a != caller || b != callee {
		t.Errorf("in force are\n%s%swant\n%s%s", a, b, caller, callee)
	}
}

// reliably is a call from a phone that knows reliable provisional answers and UPDATE, up to the carrier's INVITE.
func (w *world) reliably(t *testing.T, lines ...string) (*dialog, *message.Message) {
	t.Helper()
	a := w.phone.invite("c1", "020", append(lines, "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, INFO")...)
	inv := w.carrier.expect("INVITE")
	if !inv.HasToken(message.HSupported, "100rel") || inv.Has(message.HRequire) || !inv.HasToken(message.HAllow, "PRACK") {
		t.Errorf("%s", inv.Bytes())
	}
	return a, inv
}

// rings is a reliable 183 of the carrier's, from the phone's PRACK to the carrier's answer to it.
func (w *world) rings(t *testing.T, a *dialog, inv *message.Message, tag string, rseq int, body, said, answer string) (early *dialog) {
	t.Helper()
	w.carrier.answer(inv, 183, tag, body, "Require: 100rel", fmt.Sprint("RSeq: ", rseq), "Allow: UPDATE, INFO, PRACK")
	ring := w.phone.expect("183 INVITE")
	has(t, ring, body)
	n, ok := ring.RSeq()
	if !ok || !ring.HasToken(message.HRequire, "100rel") {
		t.Fatalf("not reliable:\n%s", ring.Bytes())
	}
	early = a.early(ring)
	early.request("PRACK", said, fmt.Sprintf("RAck: %d 1 INVITE", n))
	prack := w.carrier.expect("PRACK")
	if r, seq, method, ok := prack.RAck(); !ok || int(r) != rseq || seq != inv.CSeq() || string(method) != "INVITE" || tagOf(prack) != tag {
		t.Errorf("%s", prack.Bytes())
	}
	has(t, prack, said)
	w.carrier.answer(prack, 200, "", answer)
	has(t, w.phone.expect("200 PRACK"), answer)
	return early
}

// A caller that knows reliable answers gets the callee's so, and its PRACK with all that it says goes to the callee, in every fork.
func TestReliableAnswersFromEndToEnd(t *testing.T) {
	for _, line := range []string{"Supported: 100rel", "Require: 100rel"} {
		inWorld(t, func(w *world) {
			a, inv := w.reliably(t, line)
			w.carrier.answer(inv, 183, "x1", port(5000), "Require: 100rel", "RSeq: 9")
			ring := w.phone.expect("183 INVITE")
			w.carrier.quiet(100 * time.Millisecond) // not before the phone's
			if again := w.phone.expect("183 INVITE"); string(again.Bytes()) != string(ring.Bytes()) {
				t.Errorf("repeated as\n%s", again.Bytes())
			}
			n, _ := ring.RSeq()
			one := a.early(ring)
			one.request("PRACK", "", fmt.Sprintf("RAck: %d 1 INVITE", n+1))
			w.phone.expect("481 PRACK")
			one.request("PRACK", "", fmt.Sprintf("RAck: %d 1 INVITE", n))
			w.carrier.answer(w.carrier.expect("PRACK"), 200, "", "")
			w.phone.expect("200 PRACK")
			w.phone.quiet(10 * time.Second)
			one.request("PRACK", "", fmt.Sprintf("RAck: %d 1 INVITE", n))
			w.phone.expect("481 PRACK")
			two := w.rings(t, a, inv, "x2", 1, port(5001), "", "")
			if two.to == one.to {
				t.Error("two forks under one tag")
			}
			w.rings(t, one, inv, "x1", 10, "", "", "")
			w.carrier.answer(inv, 200, "x2", "")
			ok := w.phone.expect("200 INVITE")
			has(t, ok, "")
			if string(ok.Get(message.HTo)) != two.to {
				t.Errorf("%s", ok.Bytes())
			}
			w.carrier.expect("ACK")
			a.take(ok).request("ACK", "")
			w.inForce(t, port(5001), sdp)
			a.seq = 20
			w.byeTo(t, a, "x2")
		})
	}
}

// An offer in a PRACK is answered in its 200 (RFC 3262 section 5), and is in force from then on.
func TestAnOfferInAPRACK(t *testing.T) {
	inWorld(t, func(w *world) {
		a, inv := w.reliably(t, "Supported: 100rel")
		w.rings(t, a, inv, "x", 1, port(5000), moved(sdp, "4400"), port(5002))
		w.carrier.answer(inv, 200, "x", "")
		w.carrier.expect("ACK")
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		w.inForce(t, port(5002), moved(sdp, "4400"))
		a.seq = 20
		w.bye(a)
	})
}

// A call without an offer: the callee's reliable answer makes it, and the PRACK answers it.
func TestADelayedOfferInAReliableAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.phone.send("INVITE sip:020@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP " + phoneAt + ";branch=z9hG4bKd;rport\nFrom: <sip:alice@x>;tag=1\nTo: <sip:020@x>\n" +
			"Call-ID: c1\nCSeq: 1 INVITE\nContact: <sip:alice@" + phoneAt + ">\nSupported: 100rel\n" + goodLogin)
		a := &dialog{p: w.phone, callID: "c1", from: "<sip:alice@x>;tag=1", seq: 1, inviteSeq: 1}
		inv := w.carrier.expect("INVITE")
		w.rings(t, a, inv, "x", 3, sdpB, sdp, "")
		w.carrier.answer(inv, 200, "x", "")
		ok := w.phone.expect("200 INVITE")
		has(t, ok, "")
		a.take(ok).request("ACK", "")
		has(t, w.carrier.expect("ACK"), "")
		w.inForce(t, sdpB, sdp)
		a.seq = 20
		w.bye(a)
	})
}

// Each fork of a call without an offer makes its own in its 200.
func TestADelayedOfferOfTheOtherFork(t *testing.T) {
	inWorld(t, func(w *world) {
		w.phone.send("INVITE sip:020@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP " + phoneAt + ";branch=z9hG4bKd;rport\nFrom: <sip:alice@x>;tag=1\nTo: <sip:020@x>\n" +
			"Call-ID: c1\nCSeq: 1 INVITE\nContact: <sip:alice@" + phoneAt + ">\nSupported: 100rel\n" + goodLogin)
		a := &dialog{p: w.phone, callID: "c1", from: "<sip:alice@x>;tag=1", seq: 1, inviteSeq: 1}
		inv := w.carrier.expect("INVITE")
		w.rings(t, a, inv, "x1", 3, sdpB, sdp, "")
		w.carrier.answer(inv, 200, "x2", port(7000))
		ok := w.phone.expect("200 INVITE")
		has(t, ok, port(7000))
		a.take(ok).request("ACK", moved(sdp, "4400"))
		ack := w.carrier.expect("ACK")
		has(t, ack, moved(sdp, "4400"))
		if tagOf(ack) != "x2" {
			t.Errorf("%s", ack.Bytes())
		}
		w.inForce(t, port(7000), moved(sdp, "4400"))
		w.byeTo(t, a, "x2")
	})
}

// A caller that requires reliable answers gets all of them so, one after the other, whatever the callee knows.
func TestACallerThatRequiresReliableAnswers(t *testing.T) {
	inWorld(t, func(w *world) {
		a, inv := w.reliably(t, "Require: 100rel")
		w.carrier.answer(inv, 180, "x", "")
		w.carrier.answer(inv, 183, "x", port(5000))
		var last uint32
		for _, want := range []string{"180 INVITE", "183 INVITE"} {
			ring := w.phone.expect(want)
			n, ok := ring.RSeq()
			if !ok || last != 0 && n != last+1 {
				t.Errorf("after %d:\n%s", last, ring.Bytes())
			}
			last = n
			w.phone.quiet(100 * time.Millisecond) // the next one waits for the PRACK
			one := a.early(ring)
			one.seq = int(last % 1000)
			one.request("PRACK", "", fmt.Sprintf("RAck: %d 1 INVITE", n))
			w.phone.expect("200 PRACK")
		}
		w.carrier.answer(inv, 200, "x", port(5000))
		w.carrier.expect("ACK")
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		a.seq = 2000
		w.bye(a)
	})
}

// A reliable answer is repeated until it is acknowledged, ever more rarely, and with it what it holds. A caller that never does is refused (RFC 3262 section 3), and
// the callee with it; one that calls for help is not.
func TestAReliableAnswerThatNobodyAcknowledges(t *testing.T) {
	for _, help := range []bool{false, true} {
		inWorld(t, func(w *world) {
			plan := w.gate.plan
			w.gate.plan = func(a gate.Attempt) (*gate.Plan, error) { p, err := plan(a); p.Always = help; return p, err }
			a, inv := w.reliably(t, "Supported: 100rel")
			w.carrier.answer(inv, 183, "x", port(5000), "Require: 100rel", "RSeq: 9")
			began, first, repeats := time.Now(), string(w.phone.expect("183 INVITE").Bytes()), 0
			for time.Since(began) < 40*time.Second {
				m, err := w.phone.next(40*time.Second - time.Since(began))
				if err != nil {
					break
				}
				if what(m) == "504 INVITE" {
					if waited := time.Since(began); help || waited < 31*time.Second || waited > 33*time.Second || repeats != 6 {
						t.Errorf("help %v: refused after %s and %d repeats", help, waited, repeats)
					}
					a.request("ACK", "")
					w.carrier.answer(w.carrier.expect("CANCEL"), 200, "", "")
					w.carrier.answer(inv, 487, "x", "")
					w.carrier.expect("ACK")
					return
				}
				if repeats++; string(m.Bytes()) != first {
					t.Errorf("repeated as\n%s", m.Bytes())
				}
			}
			if !help || repeats != 6 {
				t.Errorf("help %v: not refused; %d repeats", help, repeats)
			}
			w.carrier.answer(inv, 200, "x", port(5000))
			w.carrier.expect("ACK")
			a.take(w.phone.expect("200 INVITE")).request("ACK", "")
			w.bye(a)
		})
	}
}

// A callee's reliable answer that is repeated gets its PRACK once, and one with a number that is older none (RFC 3262 section 4).
func TestACalleeRepeatsItsReliableAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 183, "x", port(5000), "Require: 100rel", "RSeq: 9")
		prack := w.carrier.expect("PRACK")
		for _, n := range []int{9, 9, 8, 0} {
			w.carrier.answer(inv, 183, "x", port(5000), "Require: 100rel", fmt.Sprint("RSeq: ", n))
		}
		if m, err := w.carrier.next(2 * time.Second); err == nil && (what(m) != "PRACK" || m.CSeq() != prack.CSeq()) { // ours repeats until it is answered
			t.Errorf("%s", m.Bytes())
		}
		w.carrier.answer(prack, 200, "", "")
		for len(w.carrier.sock.in) > 0 {
			<-w.carrier.sock.in
		}
		w.carrier.answer(inv, 180, "x", "", "Require: 100rel", "RSeq: 10")
		if m := w.carrier.expect("PRACK"); m.CSeq() != prack.CSeq()+1 {
			t.Errorf("%s", m.Bytes())
		} else {
			w.carrier.answer(m, 200, "", "")
		}
		w.carrier.answer(inv, 200, "x", port(5000))
		w.carrier.expect("ACK")
		a.take(w.phone.find("200 INVITE")).request("ACK", "")
		w.bye(a)
	})
}

// A PRACK that crosses the answer is for what it acknowledges, not for nothing: 481 would end the dialog.
func TestAPRACKThatCrossesTheAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		a, inv := w.reliably(t, "Supported: 100rel")
		w.carrier.answer(inv, 180, "x", "", "Require: 100rel", "RSeq: 4")
		ring := w.phone.expect("180 INVITE")
		n, _ := ring.RSeq()
		w.carrier.answer(inv, 200, "x", sdpB)
		ok := w.phone.expect("200 INVITE")
		w.carrier.expect("ACK")
		a.take(ok).request("PRACK", "", fmt.Sprintf("RAck: %d 1 INVITE", n))
		w.carrier.answer(w.carrier.expect("PRACK"), 200, "", "")
		w.phone.expect("200 PRACK")
		a.request("ACK", "")
		w.bye(a)
	})
}

// An UPDATE changes the session of an early dialog from either side, in that dialog only (RFC 3311).
func TestUpdateBeforeTheAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		a, inv := w.reliably(t, "Supported: 100rel")
		one := w.rings(t, a, inv, "x1", 1, port(5000), "", "")
		w.rings(t, a, inv, "x2", 1, port(5001), "", "")
		b := w.carrier.accepted(inv, "x1")

		b.request("UPDATE", port(5002)) // the callee's
		up := w.phone.expect("UPDATE")
		if has(t, up, port(5002)); "<sip:020@10.0.0.1>;tag="+string(up.From().Tag()) != one.to {
			t.Errorf("%s", up.Bytes())
		}
		b.request("UPDATE", port(5004)) // again before it is answered
		if m := w.carrier.expect("500 UPDATE"); !m.Has(message.HRetryAfter) {
			t.Errorf("%s", m.Bytes())
		}
		one.request("UPDATE", sdp) // and glare
		w.phone.expect("491 UPDATE")
		w.phone.answer(up, 200, "", moved(sdp, "4400"))
		has(t, w.carrier.expect("200 UPDATE"), moved(sdp, "4400"))

		one.request("UPDATE", moved(sdp, "4600")) // the caller's
		up = w.carrier.expect("UPDATE")
		if has(t, up, moved(sdp, "4600")); tagOf(up) != "x1" {
			t.Errorf("%s", up.Bytes())
		}
		w.carrier.answer(up, 200, "", port(5006))
		has(t, w.phone.expect("200 UPDATE"), port(5006))

		one.request("UPDATE", sdp)
		w.carrier.answer(w.carrier.expect("UPDATE"), 488, "", "") // refused: the session stays
		w.phone.expect("488 UPDATE")
		b.request("UPDATE", "") // who is there, and nothing else
		w.carrier.expect("200 UPDATE")

		w.carrier.answer(inv, 200, "x1", "")
		w.carrier.expect("ACK")
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		w.inForce(t, port(5006), moved(sdp, "4600"))
		a.seq = 40
		w.byeTo(t, a, "x1")
	})
}

// When the other fork answers, what was changed in the first is not in force: its caller knows what was offered in the INVITE.
func TestUpdateInAForkThatDoesNotAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		a, inv := w.reliably(t, "Supported: 100rel")
		one := w.rings(t, a, inv, "x1", 1, port(5000), "", "")
		one.request("UPDATE", moved(sdp, "4600"))
		w.carrier.answer(w.carrier.expect("UPDATE"), 200, "", port(5006))
		w.phone.expect("200 UPDATE")
		w.carrier.answer(inv, 200, "x2", port(7000))
		w.carrier.expect("ACK")
		ok := w.phone.expect("200 INVITE")
		if has(t, ok, port(7000)); string(ok.Get(message.HTo)) == one.to {
			t.Error("two answers in one dialog")
		}
		a.take(ok).request("ACK", "")
		w.inForce(t, port(7000), sdp)
		w.byeTo(t, a, "x2")
	})
}

// A caller that cannot be asked hears the new session in a dialog of its own, and the answer there.
func TestACalleesUpdateThatTheCallerCannotTake(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 183, "x", port(5000), "Require: 100rel", "RSeq: 7")
		b := w.carrier.accepted(inv, "x")
		prack := w.carrier.expect("PRACK")
		first := w.phone.expect("183 INVITE")
		w.carrier.answer(prack, 200, "", "")
		b.request("UPDATE", moved(port(5000), "5000")) // nothing new
		has(t, w.carrier.expect("200 UPDATE"), sdp)
		w.phone.quiet(100 * time.Millisecond)
		b.request("UPDATE", port(5002))
		has(t, w.carrier.expect("200 UPDATE"), sdp)
		second := w.phone.expect("183 INVITE")
		if has(t, second, port(5002)); tagOf(second) == tagOf(first) {
			t.Error("two answers in one dialog")
		}
		a.early(first).request("UPDATE", sdp) // the carrier allows none
		if m := w.phone.expect("500 UPDATE"); !m.Has(message.HRetryAfter) {
			t.Errorf("%s", m.Bytes())
		}
		w.carrier.answer(inv, 200, "x", "")
		ok := w.phone.expect("200 INVITE")
		if has(t, ok, port(5002)); tagOf(ok) != tagOf(second) {
			t.Errorf("%s", ok.Bytes())
		}
		w.carrier.expect("ACK")
		a.take(ok).request("ACK", "")
		w.bye(a)
	})
}

// Before there is an agreed session an offer waits (RFC 3311 5.2); an UPDATE without one is answered at any time.
func TestUpdateBeforeThereIsASession(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020", "Allow: UPDATE")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 183, "x", port(5000), "Allow: UPDATE")
		b, early := w.carrier.accepted(inv, "x"), a.early(w.phone.expect("183 INVITE"))
		b.request("UPDATE", "", "Contact: <sip:elsewhere@"+carrierAt+">")
		w.carrier.expect("200 UPDATE")
		b.request("UPDATE", port(5002))
		w.carrier.expect("491 UPDATE")
		early.request("UPDATE", "")
		w.phone.expect("200 UPDATE")
		early.request("UPDATE", sdp)
		w.phone.expect("500 UPDATE")
		for _, d := range []*dialog{early, b} {
			d.request("INVITE", sdp)
			d.p.expect(map[*peer]string{w.phone: "500 INVITE", w.carrier: "491 INVITE"}[d.p])
			d.request("ACK", "")
		}
		w.carrier.answer(inv, 200, "x", port(5000))
		w.carrier.expect("ACK")
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		a.seq = 20
		w.bye(a)
	})
}

// Digits and other news cross before the answer, in the dialog that they are of. The caller counts in each dialog anew.
func TestInfoBeforeTheAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		seq := map[string]int{"x1": 50, "x2": 3}
		forks := map[string]*dialog{}
		for i, x := range []string{"x1", "x2"} {
			w.carrier.answer(inv, 183, x, port(5000+i))
			forks[x] = a.early(w.phone.expect("183 INVITE"))
		}
		for _, x := range []string{"x1", "x2", "x1"} {
			seq[x]++
			forks[x].seq = seq[x]
			forks[x].request("INFO", "Signal=5\r\n")
			info := w.carrier.expect("INFO")
			if has(t, info, "Signal=5\r\n"); tagOf(info) != x {
				t.Errorf("%s", info.Bytes())
			}
			w.carrier.answer(info, 200, "", "")
			w.phone.expect("200 INFO")
			forks[x].request("OPTIONS", "")
			w.phone.expect("200 OPTIONS")
			seq[x]++
			b := w.carrier.accepted(inv, x)
			b.seq = seq[x]
			b.request("OPTIONS", "")
			w.carrier.expect("200 OPTIONS")
		}
		b := w.carrier.accepted(inv, "x2")
		b.request("INFO", "Signal=1\r\n")
		info := w.phone.expect("INFO")
		if !strings.HasSuffix(forks["x2"].to, string(info.From().Tag())) {
			t.Errorf("%s\nwant in %s", info.Bytes(), forks["x2"].to)
		}
		w.phone.answer(info, 415, "", "")
		w.carrier.expect("415 INFO")
		b.request("INFO", "Signal=2\r\n") // one that nobody answers ends nothing
		w.phone.expect("INFO")
		if m := w.carrier.expect("408 INFO"); m == nil {
			t.Error("no answer")
		}
		for m, err := w.phone.next(time.Second); err == nil; m, err = w.phone.next(time.Second) {
			if what(m) != "INFO" {
				t.Errorf("%s", m.Bytes())
			}
		}
		w.carrier.answer(inv, 200, "x2", port(5001))
		w.carrier.expect("ACK")
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		a.seq = 90
		w.byeTo(t, a, "x2")
	})
}

// A callee that answers with another session than the one that was agreed on leaves the caller to be asked for it after its ACK.
func TestAnAnswerBesideTheAgreedSession(t *testing.T) {
	inWorld(t, func(w *world) {
		a, inv := w.reliably(t, "Supported: 100rel")
		early := w.rings(t, a, inv, "x", 1, port(5000), "", "")
		w.carrier.answer(inv, 200, "x", port(7000))
		w.carrier.expect("ACK")
		ok := w.phone.expect("200 INVITE")
		if has(t, ok, port(5000)); string(ok.Get(message.HTo)) != early.to {
			t.Errorf("%s", ok.Bytes())
		}
		w.phone.quiet(100 * time.Millisecond)
		a.take(ok).request("ACK", "")
		up := w.phone.expect("UPDATE")
		has(t, up, port(7000))
		w.phone.answer(up, 200, "", sdp)
		synctest.Wait()
		if got := w.sessionOf("c1", true); got != port(7000) {
			t.Errorf("in force: %q", got)
		}
		w.carrier.quiet(time.Second)
		a.seq = 20
		w.bye(a)
	})
}

// A fork that answers beside the call, heard of before or not, is acknowledged, hung up, and its cost is the call's.
func TestASecondForkAnswers(t *testing.T) {
	for _, other := range []string{"x1", "x3"} {
		t.Run(other, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.phone.invite("c1", "020")
				inv := w.carrier.expect("INVITE")
				w.carrier.answer(inv, 183, "x1", port(5000))
				w.phone.expect("183 INVITE")
				w.carrier.answer(inv, 183, "x2", port(5001))
				w.phone.expect("183 INVITE")
				w.carrier.answer(inv, 200, "x2", port(5001))
				w.carrier.expect("ACK")
				a.take(w.phone.expect("200 INVITE")).request("ACK", "")
				w.carrier.answer(inv, 200, other, port(5009))
				ack, bye := w.carrier.expect("ACK"), w.carrier.expect("BYE")
				if tagOf(ack) != other || tagOf(bye) != other || bye.CSeq() <= inv.CSeq() {
					t.Errorf("%s\n%s", ack.Bytes(), bye.Bytes())
				}
				w.carrier.answer(inv, 200, other, port(5009)) // our ACK was lost
				if ack = w.carrier.expect("ACK"); tagOf(ack) != other {
					t.Errorf("%s", ack.Bytes())
				}
				time.Sleep(300 * time.Millisecond)
				w.carrier.answer(bye, 200, "", "")
				w.byeTo(t, a, "x2")
				synctest.Wait()
				w.gate.mu.Lock()
				defer w.gate.mu.Unlock()
				legs := w.gate.legs["call-1"]
				if len(legs) != 1 || len(legs[0]) != 2 || legs[0][0].Joined == legs[0][1].Joined {
					t.Errorf("the gate is told of %+v", legs)
				}
				for _, g := range legs[0] {
					if g.Answered.IsZero() || g.OverAt.IsZero() {
						t.Errorf("%+v", g)
					}
				}
			})
		})
	}
}

// The CANCEL is for all forks; one that answers all the same is hung up, in its own dialog.
func TestAForkAnswersTheCancel(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		for i, x := range []string{"x1", "x2"} {
			w.carrier.answer(inv, 183, x, port(5000+i))
			w.phone.expect("183 INVITE")
		}
		a.request("CANCEL", "")
		w.phone.expect("200 CANCEL")
		w.phone.expect("487 INVITE")
		a.request("ACK", "")
		w.carrier.answer(w.carrier.expect("CANCEL"), 200, "", "")
		for _, x := range []string{"x2", "x1"} {
			w.carrier.answer(inv, 200, x, port(5001))
			ack, bye := w.carrier.expect("ACK"), w.carrier.expect("BYE")
			if tagOf(ack) != x || tagOf(bye) != x {
				t.Errorf("%s\n%s", ack.Bytes(), bye.Bytes())
			}
			w.carrier.answer(bye, 200, "", "")
		}
		w.carrier.quiet(time.Minute)
	})
}

// The forks of a way that failed are over; the next way's come under other tags.
func TestForksOfAWayThatFails(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		tags := map[string]bool{}
		var forks []*dialog
		for i, x := range []string{"x1", "x2"} {
			w.carrier.answer(inv, 183, x, port(5000+i))
			ring := w.phone.expect("183 INVITE")
			tags[tagOf(ring)], forks = true, append(forks, a.early(ring))
		}
		w.carrier.answer(inv, 503, "x1", "")
		w.carrier.expect("ACK")
		again := w.spare.expect("INVITE")
		for _, f := range forks {
			f.request("INFO", "Signal=5\r\n")
			w.phone.expect("481 INFO")
		}
		w.spare.answer(again, 183, "x1", port(5000)) // the same tag by chance
		ring := w.phone.expect("183 INVITE")
		if tags[tagOf(ring)] {
			t.Errorf("%s", ring.Bytes())
		}
		w.spare.answer(again, 200, "x1", port(5000))
		w.spare.expect("ACK")
		ok := w.phone.expect("200 INVITE")
		if tagOf(ok) != tagOf(ring) {
			t.Errorf("%s", ok.Bytes())
		}
		a.take(ok).request("ACK", "")
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		w.spare.answer(w.spare.expect("BYE"), 200, "", "")
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one", "two"), nil }
	})
}

// A carrier that insists on reliable answers is called again with them, though the caller knows none.
func TestACarrierThatRequiresReliableAnswers(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		if inv.HasToken(message.HSupported, "100rel") {
			t.Errorf("%s", inv.Bytes())
		}
		w.carrier.answer(inv, 421, "x", "", "Require: 100rel")
		w.carrier.expect("ACK")
		inv = w.carrier.expect("INVITE")
		if !inv.HasToken(message.HSupported, "100rel") {
			t.Errorf("%s", inv.Bytes())
		}
		w.carrier.answer(inv, 183, "x", sdpB, "Require: 100rel", "RSeq: 1")
		w.carrier.answer(w.carrier.expect("PRACK"), 200, "", "")
		w.phone.expect("183 INVITE")
		w.carrier.answer(inv, 200, "x", "")
		w.carrier.expect("ACK")
		ok := w.phone.expect("200 INVITE")
		has(t, ok, sdpB)
		a.take(ok).request("ACK", "")
		w.bye(a)
	})
}

// A callee may not hang up what rings, but it may not want it either.
func TestAByeInTheEarlyDialogOfACallee(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "x1", "")
		w.phone.expect("180 INVITE")
		w.carrier.answer(inv, 180, "x2", "")
		w.phone.expect("180 INVITE")
		w.carrier.accepted(inv, "x2").request("BYE", "")
		w.carrier.expect("200 BYE")
		w.phone.expect("487 INVITE")
		a.request("ACK", "")
		w.carrier.answer(w.carrier.expect("CANCEL"), 200, "", "")
		w.carrier.answer(inv, 487, "x1", "")
		w.carrier.expect("ACK")
		if end := w.gate.only(t); end.By != call.Callee || end.Reason != policy.Hangup {
			t.Errorf("%+v", end)
		}
	})
}

// The fork that answered is what the next process hangs up, changes and is asked in; the others are nothing to it.
func TestAForkOutlivesTheProcess(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		for i, x := range []string{"x1", "x2"} {
			w.carrier.answer(inv, 183, x, port(5000+i))
			w.phone.expect("183 INVITE")
		}
		w.carrier.answer(inv, 200, "x2", port(5001))
		w.carrier.expect("ACK")
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		synctest.Wait()
		w.crash()
		w.alter(t, a, moved(sdp, "4400"), 200, port(5003))
		w.inForce(t, port(5003), moved(sdp, "4400"))
		w.carrier.accepted(inv, "x1").request("OPTIONS", "")
		w.carrier.expect("481 OPTIONS")
		w.carrier.answer(inv, 200, "x2", port(5001)) // our ACK was lost
		if ack := w.carrier.expect("ACK"); tagOf(ack) != "x2" {
			t.Errorf("%s", ack.Bytes())
		}
		w.byeTo(t, a, "x2")
	})
}

// Tags cost memory, so that there is an end to them: the first ones are dialogs, and any may answer.
func TestForksWithoutEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		tags := map[string]bool{}
		for i := range 500 {
			w.carrier.answer(inv, 183, fmt.Sprint("x", i), port(5000+i))
			if m, err := w.phone.next(10 * time.Millisecond); err == nil {
				tags[tagOf(m)] = true
			}
		}
		s := w.edge.shardOf([]byte("c1"))
		s.post(func() {
			if b := s.uas["c1"].b; len(tags) != len(b.outs()) || len(tags) > maxOuts+maxForks {
				t.Errorf("%d tags, %d legs", len(tags), len(b.outs()))
			}
		})
		w.carrier.answer(inv, 200, "x499", port(7000))
		if ack := w.carrier.expect("ACK"); tagOf(ack) != "x499" {
			t.Errorf("%s", ack.Bytes())
		}
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		w.byeTo(t, a, "x499")
	})
}
