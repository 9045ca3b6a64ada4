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

// A call through a trunk, hung up by the caller: what each side sees, and what the gate hears.
func TestCallThroughATrunk(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		text := string(inv.Bytes())
		for _, secret := range []string{"Secret Phone", "X-Private", "10.0.1.1:5060;branch", "Authorization", "alice", "replaces", "\"Al\""} {
			if strings.Contains(text, secret) {
				t.Errorf("the carrier sees %q:\n%s", secret, text)
			}
		}
		if got := string(inv.RequestURI()); got != "sip:+442079460000@"+carrierAt {
			t.Errorf("Request-URI %s", got)
		}
		if inv.MaxForwards() != 29 || string(inv.Body()) != sdp || inv.ViaCount() != 1 || !strings.Contains(text, "P-Asserted-Identity: <sip:+442079460001@") {
			t.Errorf("leg B:\n%s", text)
		}
		w.carrier.answer(inv, 100, "", "")
		w.carrier.answer(inv, 183, "b", sdpB)
		if m := w.phone.expect("183 INVITE"); string(m.Body()) != sdpB {
			t.Errorf("early media:\n%s", m.Bytes())
		}
		w.carrier.answer(inv, 200, "b", sdpB)
		ok := w.phone.expect("200 INVITE")
		if string(ok.Body()) != sdpB || strings.Contains(string(ok.Bytes()), "callee@") {
			t.Errorf("answer:\n%s", ok.Bytes())
		}
		w.carrier.expect("ACK")
		a.take(ok).request("ACK", "")
		time.Sleep(61 * time.Second)
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		end := w.gate.only(t)
		if end.By != call.Caller || end.Reason != policy.Hangup || end.Status != 200 || w.gate.rang["call-1"] == 0 {
			t.Errorf("end %+v", end)
		}
		w.phone.quiet(time.Minute)
		w.carrier.quiet(time.Minute)
	})
}

func TestCalleeHangsUp(t *testing.T) {
	inWorld(t, func(w *world) {
		_, b := w.connect("c1")
		b.request("BYE", "", "Reason: Q.850;cause=31;text=\"normal, unspecified\"")
		w.carrier.expect("200 BYE")
		bye := w.phone.expect("BYE")
		if string(message.BareReason(bye.Get(message.HReason))) != "Q.850;cause=31" || why(bye) != "normal, unspecified" {
			t.Errorf("the caller is told\n%s", bye.Bytes())
		}
		w.phone.answer(bye, 200, "", "")
		if end := w.gate.only(t); end.By != call.Callee || end.Reason != policy.Hangup {
			t.Errorf("end %+v", end)
		}
	})
}

// kamailio#949: counters that never come down after CANCEL.
func TestCancelReleases(t *testing.T) {
	for _, ringing := range []bool{false, true} {
		inWorld(t, func(w *world) {
			a := w.phone.invite("c1", "02079460000")
			inv := w.carrier.expect("INVITE")
			if ringing {
				w.carrier.answer(inv, 180, "b", "")
				w.phone.expect("180 INVITE")
			}
			a.request("CANCEL", "")
			w.phone.expect("200 CANCEL")
			m := w.phone.expect("487 INVITE")
			a.take(m).request("ACK", "")
			if !ringing {
				w.carrier.quiet(300 * time.Millisecond) // RFC 3261 9.1: no CANCEL before a provisional answer
				w.carrier.answer(inv, 180, "b", "")
			}
			cancel := w.carrier.expect("CANCEL")
			if string(cancel.Via().Branch) != string(inv.Via().Branch) || cancel.CSeq() != inv.CSeq() {
				t.Errorf("CANCEL\n%s", cancel.Bytes())
			}
			w.carrier.answer(cancel, 200, "b", "")
			w.carrier.answer(inv, 487, "b", "")
			w.carrier.expect("ACK")
			if end := w.gate.only(t); end.By != call.Caller || end.Reason != policy.Cancelled || end.Status != 487 {
				t.Errorf("end %+v", end)
			}
		})
	}
}

// The callee answers while our CANCEL is on its way: the answer is acknowledged and hung up.
func TestCancelCrossesAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		a.request("CANCEL", "")
		w.phone.expect("200 CANCEL")
		a.take(w.phone.expect("487 INVITE")).request("ACK", "")
		w.carrier.expect("CANCEL")
		w.carrier.answer(inv, 200, "b", sdpB)
		w.carrier.expect("ACK")
		bye := w.carrier.expect("BYE")
		w.carrier.answer(bye, 200, "", "")
		w.phone.quiet(time.Minute)
		if end := w.gate.only(t); end.Status != 487 {
			t.Errorf("end %+v", end)
		}
	})
}

// The caller gives up while the gate is still thinking, before and after the callee answered.
func TestCancelWhileTheGateThinks(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		time.Sleep(time.Second)
		w.phone.expect("100 INVITE")
		a.request("CANCEL", "")
		w.phone.expect("200 CANCEL")
		a.take(w.phone.expect("487 INVITE")).request("ACK", "")
		w.carrier.quiet(10 * time.Second)
		if end := w.gate.only(t); end.Status != 487 || end.Reason != policy.Cancelled {
			t.Errorf("end %+v", end)
		}
	}, func(w *world) { w.gate.slow = 3 * time.Second })
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		w.phone.expect("100 INVITE")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "b", sdpB)
		time.Sleep(time.Second)
		a.request("CANCEL", "")
		w.phone.find("200 CANCEL")
		a.take(w.phone.expect("487 INVITE")).request("ACK", "")
		w.carrier.expect("ACK")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		time.Sleep(10 * time.Second)
		if end := w.gate.only(t); end.Status != 487 {
			t.Errorf("end %+v", end)
		}
	}, func(w *world) { w.gate.slow = 3 * time.Second })
}

// kamailio#2346: unconfirmed calls that nobody cuts off. The 200 is repeated as RFC 3261 13.3.1.4 says, then both ends are
// hung up.
func TestNoAck(t *testing.T) {
	inWorld(t, func(w *world) {
		w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "b", sdpB)
		w.carrier.expect("ACK")
		w.phone.expect("200 INVITE")
		began := time.Now()
		var at []time.Duration
		for {
			m, err := w.phone.next(time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if what(m) == "BYE" {
				w.phone.answer(m, 200, "", "")
				break
			}
			if what(m) != "200 INVITE" {
				t.Fatalf("%s", m.Bytes())
			}
			at = append(at, time.Since(began).Round(100*time.Millisecond))
		}
		want := []time.Duration{500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500}
		for i := range want {
			if want[i] *= time.Millisecond; i >= len(at) || at[i] != want[i] {
				t.Fatalf("repeats at %v, want %v", at, want)
			}
		}
		if d := time.Since(began).Round(time.Second); d != 32*time.Second {
			t.Errorf("hung up after %v", d)
		}
		bye := w.carrier.expect("BYE")
		if !strings.HasPrefix(why(bye), "no-ack: ") {
			t.Errorf("BYE\n%s", bye.Bytes())
		}
		w.carrier.answer(bye, 200, "", "")
		if end := w.gate.only(t); end.By != call.System || end.Reason != policy.NoAck || end.Status != 200 {
			t.Errorf("end %+v", end)
		}
	})
}

// The gate cuts a call: both ends are hung up and told why, in one sentence.
func TestCut(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("c1")
		f := policy.Figures{Limit: 1_000_000, Value: 1_000_000}
		w.gate.cut("call-1", policy.LineDaySpent, f)
		for _, p := range []*peer{w.phone, w.carrier} {
			bye := p.expect("BYE")
			cause := fmt.Sprintf("Q.850;cause=%d", policy.LineDaySpent.Cause())
			if string(message.BareReason(bye.Get(message.HReason))) != cause || why(bye) != "line-day-cap: "+policy.LineDaySpent.Text(f) {
				t.Errorf("told\n%s", bye.Bytes())
			}
			p.answer(bye, 200, "", "")
		}
		if end := w.gate.only(t); end.By != call.System || end.Reason != policy.LineDaySpent || end.Status != 200 {
			t.Errorf("end %+v", end)
		}
	})
}

func TestCutWhileRinging(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		w.gate.cut("call-1", policy.CutLocked, policy.Figures{})
		m := w.phone.expect("403 INVITE")
		a.take(m).request("ACK", "")
		w.carrier.answer(w.carrier.expect("CANCEL"), 200, "b", "")
		w.carrier.answer(inv, 487, "b", "")
		w.carrier.expect("ACK")
		if end := w.gate.only(t); end.Reason != policy.CutLocked || end.Status != 403 {
			t.Errorf("end %+v", end)
		}
	})
}

// A refusal says on the phone which rule, which figures and what would pass (N5).
func TestRefusal(t *testing.T) {
	r := &gate.Refusal{Reason: policy.OverInternational, Figures: policy.Figures{Limit: 2e7, Value: 5e8, Pass: 5e8}}
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "0053123456")
		m := w.phone.expect("403 INVITE")
		a.take(m).request("ACK", "")
		text := r.Error()
		if why(m) != "over-international-ceiling: "+text {
			t.Errorf("Reason in\n%s", m.Bytes())
		}
		if got := string(m.Get(message.HWarning)); got != `399 ringfence "`+text+`"` {
			t.Errorf("Warning %s", got)
		}
		w.carrier.quiet(time.Second)
	}, func(w *world) { w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return nil, r } })
}

func TestFailover(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int // of the first trunk; 0 is silence
		over   bool
		told   int // the caller, when there is no failover
		by     call.Party
		why    policy.Reason
	}{
		{"silence", 0, true, 0, "", 0},
		{"503", 503, true, 0, "", 0},
		{"500", 500, true, 0, "", 0},
		{"408", 408, true, 0, "", 0},
		{"486", 486, false, 486, call.Callee, policy.Busy},
		{"603", 603, false, 603, call.Callee, policy.Busy},
		{"404", 404, false, 404, call.Callee, policy.Unknown},
		{"410", 410, false, 410, call.Callee, policy.Unknown},
		{"484", 484, false, 484, call.Callee, policy.Incomplete},
		{"488", 488, false, 488, call.Callee, policy.Incompatible},
		{"606", 606, false, 606, call.Callee, policy.Incompatible},
		{"480", 480, false, 480, call.Callee, policy.NoAnswer},
		{"403", 403, false, 403, call.Callee, policy.FarRefused},
		{"302", 302, false, 480, call.Callee, policy.Redirected},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.phone.invite("c1", "02079460000")
				began := time.Now()
				inv := w.carrier.expect("INVITE")
				if c.status != 0 {
					w.carrier.answer(inv, c.status, "b", "")
					w.carrier.expect("ACK")
				}
				if !c.over {
					m := w.phone.find(itoa(c.told) + " INVITE")
					a.take(m).request("ACK", "")
					if end := w.gate.only(t); end.By != c.by || end.Reason != c.why || end.Status != c.told {
						t.Errorf("end %+v", end)
					}
					w.spare.quiet(time.Second)
					return
				}
				second := w.spare.expect("INVITE")
				if d := time.Since(began); d > 5*time.Second {
					t.Errorf("took %v", d)
				}
				w.spare.answer(second, 200, "s", sdpB)
				w.spare.expect("ACK")
				a.take(w.phone.find("200 INVITE")).request("ACK", "")
				a.request("BYE", "")
				w.phone.expect("200 BYE")
				w.spare.answer(w.spare.expect("BYE"), 200, "", "")
				if got := strings.Join(w.gate.tried, " "); got != "one two" {
					t.Errorf("tried %s", got)
				}
			}, func(w *world) {
				w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one", "two"), nil }
			})
		})
	}
}

// An emergency call goes on to the next way whatever the first says, but for the callee's own answer.
func TestEmergencyTriesEveryRoute(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "999")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 403, "b", "")
		w.carrier.expect("ACK")
		second := w.spare.expect("INVITE")
		w.spare.answer(second, 486, "s", "")
		w.spare.expect("ACK")
		a.take(w.phone.expect("486 INVITE")).request("ACK", "")
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { p := out("one", "two"); p.Always = true; return p, nil }
	})
}

// When every way fails, the caller hears so and the record says so.
func TestAllWaysFail(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		for _, p := range []*peer{w.carrier, w.spare} {
			p.answer(p.expect("INVITE"), 503, "b", "")
			p.expect("ACK")
		}
		m := w.phone.expect("502 INVITE")
		a.take(m).request("ACK", "")
		if end := w.gate.only(t); end.Reason != policy.TrunksFailed || end.Status != 502 || end.By != call.System {
			t.Errorf("end %+v", end)
		}
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one", "two"), nil }
	})
}

// A silent trunk that answers late, after the call went another way, is hung up.
func TestLateAnswerOfAnAbandonedRoute(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		late := w.carrier.expect("INVITE")
		inv := w.spare.expect("INVITE")
		w.spare.answer(inv, 200, "s", sdpB)
		w.spare.expect("ACK")
		a.take(w.phone.find("200 INVITE")).request("ACK", "")
		w.carrier.answer(late, 200, "late", sdpB)
		w.carrier.find("ACK")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		w.phone.quiet(time.Second)
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		w.spare.answer(w.spare.expect("BYE"), 200, "", "")
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one", "two"), nil }
	})
}

// Two phones of one line ring; the first to answer wins, the other is told that it was answered elsewhere.
func TestInboundRingsAllPhones(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register("bob", "10.0.2.1:5060")
		w.register("bob", "10.0.2.2:5062")
		one, two := w.peer("10.0.2.1:5060"), w.peer("10.0.2.2:5062")
		in := &dialog{
			p: w.carrier, callID: "in1", from: "<sip:+33123456789@carrier.example>;tag=c", to: "<sip:+442079460002@10.0.0.1>",
			target: "sip:+442079460002@10.0.0.1", seq: 1, inviteSeq: 1, branch: "z9hG4bKin1",
		}
		in.request("INVITE", sdp)
		i1, i2 := one.expect("INVITE"), two.expect("INVITE")
		if got := string(i1.From().URI); !strings.HasPrefix(got, "sip:+33123456789@") {
			t.Errorf("caller %s", got)
		}
		one.answer(i1, 180, "p1", "")
		two.answer(i2, 180, "p2", "")
		t1 := string(w.carrier.expect("180 INVITE").To().Tag())
		if t2 := string(w.carrier.expect("180 INVITE").To().Tag()); t1 == t2 {
			t.Error("two early dialogs share a tag")
		}
		two.answer(i2, 200, "p2", sdpB)
		two.expect("ACK")
		cancel := one.expect("CANCEL")
		if string(message.BareReason(cancel.Get(message.HReason))) != "SIP;cause=200" {
			t.Errorf("CANCEL\n%s", cancel.Bytes())
		}
		one.answer(cancel, 200, "p1", "")
		one.answer(i1, 487, "p1", "")
		one.expect("ACK")
		in.take(w.carrier.expect("200 INVITE")).request("ACK", "")
		d := two.accepted(i2, "p2")
		d.request("BYE", "")
		two.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		if a := w.gate.attempts[0]; a.Trunk != "one" || a.Line != "" || a.Dialled != "+442079460002" {
			t.Errorf("attempt %+v", a)
		}
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return &gate.Plan{Routes: []gate.Route{{Line: "bob"}}}, nil }
	})
}

// One of two phones is busy: the other goes on ringing; when it is not answered the caller hears no answer.
func TestPhonesThatDoNotAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register("bob", "10.0.2.1:5060")
		w.register("bob", "10.0.2.2:5060")
		one, two := w.peer("10.0.2.1:5060"), w.peer("10.0.2.2:5060")
		a := w.phone.invite("c1", "bob")
		i1, i2 := one.expect("INVITE"), two.expect("INVITE")
		one.answer(i1, 486, "p1", "")
		one.expect("ACK")
		two.answer(i2, 180, "p2", "")
		w.phone.expect("180 INVITE")
		began := time.Now()
		two.answer(two.find("CANCEL"), 200, "p2", "")
		if d := time.Since(began).Round(time.Second); d != 2*time.Minute {
			t.Errorf("rang for %v", d)
		}
		two.answer(i2, 487, "p2", "")
		two.expect("ACK")
		a.take(w.phone.expect("480 INVITE")).request("ACK", "")
		if end := w.gate.only(t); end.Reason != policy.NoAnswer {
			t.Errorf("end %+v", end)
		}
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return &gate.Plan{Routes: []gate.Route{{Line: "bob"}}}, nil }
	})
}

// A proxy behind the trunk forks, and two phones answer: one call, the other is hung up for sure.
func TestForkedAnswers(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "first", sdpB)
		w.carrier.expect("ACK")
		w.carrier.answer(inv, 200, "second", sdpB)
		ack, bye := w.carrier.expect("ACK"), w.carrier.expect("BYE")
		if string(ack.To().Tag()) != "second" || string(bye.To().Tag()) != "second" {
			t.Errorf("hung up\n%s\n%s", ack.Bytes(), bye.Bytes())
		}
		if m := w.carrier.expect("BYE"); string(m.To().Tag()) != "second" { // repeated, as it was not answered
			t.Errorf("%s", m.Bytes())
		}
		w.carrier.answer(bye, 200, "", "")
		w.carrier.answer(inv, 200, "first", sdpB) // again: our ACK was lost
		if m := w.carrier.expect("ACK"); string(m.To().Tag()) != "first" {
			t.Errorf("%s", m.Bytes())
		}
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		a.request("BYE", "")
		w.phone.find("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
	})
}

// The store fails when the call is answered: nobody talks for free.
func TestAnswerThatCannotBeRecorded(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "b", sdpB)
		w.carrier.expect("ACK")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		m := w.phone.expect("503 INVITE")
		if !m.Has(message.HRetryAfter) {
			t.Errorf("%s", m.Bytes())
		}
		a.take(m).request("ACK", "")
		if end := w.gate.only(t); end.Status != 503 || end.Reason != policy.StoreUnavailable {
			t.Errorf("end %+v", end)
		}
	}, func(w *world) { w.gate.refuse = errSilence })
}

// The carrier asks for our login; the phone never hears of it.
func TestDigestTowardsTheCarrier(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		first := w.carrier.expect("INVITE")
		w.carrier.answer(first, 407, "b", "", `Proxy-Authenticate: Digest realm="carrier", nonce="abc", qop="auth", algorithm=MD5`)
		w.carrier.expect("ACK")
		inv := w.carrier.expect("INVITE")
		got := string(inv.Get(message.HProxyAuthorization))
		if !strings.Contains(got, `username="us"`) || !strings.Contains(got, `realm="carrier"`) || inv.CSeq() != first.CSeq()+1 {
			t.Errorf("second INVITE\n%s", inv.Bytes())
		}
		w.carrier.answer(inv, 200, "b", sdpB)
		w.carrier.expect("ACK")
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		bye := w.carrier.expect("BYE")
		w.carrier.answer(bye, 401, "b", "", `WWW-Authenticate: Digest realm="carrier", nonce="def", qop="auth"`)
		again := w.carrier.expect("BYE")
		if again.CSeq() != bye.CSeq()+1 || again.Get(message.HAuthorization) == nil {
			t.Errorf("second BYE\n%s", again.Bytes())
		}
		w.carrier.answer(again, 200, "b", "")
	}, func(w *world) { tr := w.trunks["one"]; tr.User = "us"; w.trunks["one"] = tr })
}

// A carrier that insists on reliable provisional answers (RFC 3262) gets its PRACK, once for each.
func TestPrack(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 183, "b", sdpB, "Require: 100rel", "RSeq: 7")
		prack := w.carrier.expect("PRACK")
		if n, seq, method, ok := prack.RAck(); !ok || n != 7 || seq != inv.CSeq() || string(method) != "INVITE" || string(prack.To().Tag()) != "b" {
			t.Errorf("%s", prack.Bytes())
		}
		w.carrier.answer(prack, 200, "", "")
		w.carrier.answer(inv, 183, "b", sdpB, "Require: 100rel", "RSeq: 7")
		w.carrier.answer(inv, 200, "b", sdpB)
		if ack := w.carrier.expect("ACK"); ack.CSeq() != inv.CSeq() {
			t.Errorf("%s", ack.Bytes())
		}
		a.take(w.phone.find("200 INVITE")).request("ACK", "")
		a.request("BYE", "")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
	})
}

// An INVITE without an offer: the callee's 200 holds it and the caller's ACK the answer, which must get through.
func TestOfferInTheAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.phone.send(strings.Join([]string{
			"INVITE sip:02079460000@10.0.0.1 SIP/2.0", "Via: SIP/2.0/UDP " + phoneAt + ";branch=z9hG4bKx;rport",
			"From: <sip:alice@x>;tag=1", "To: <sip:020@x>", "Call-ID: c1", "CSeq: 1 INVITE", "Contact: <sip:alice@" + phoneAt + ">", goodLogin,
		}, "\n"))
		inv := w.carrier.expect("INVITE")
		if len(inv.Body()) != 0 {
			t.Errorf("%s", inv.Bytes())
		}
		w.carrier.answer(inv, 200, "b", sdpB)
		a := (&dialog{p: w.phone, callID: "c1", from: "<sip:alice@x>;tag=1", seq: 1, inviteSeq: 1}).take(w.phone.expect("200 INVITE"))
		w.carrier.quiet(100 * time.Millisecond)
		a.request("ACK", sdp)
		if ack := w.carrier.expect("ACK"); string(ack.Body()) != sdp {
			t.Errorf("%s", ack.Bytes())
		}
		a.request("BYE", "")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
	})
}

// Repeats of every request are absorbed and answered from memory.
func TestRepeats(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		a.sendInvite()
		w.phone.expect("180 INVITE")
		w.carrier.quiet(time.Second)
		w.carrier.answer(inv, 200, "b", sdpB)
		w.carrier.expect("ACK")
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		a.request("ACK", "")
		for range 3 {
			a.request("BYE", "")
			w.phone.expect("200 BYE")
			a.seq--
		}
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		if n := len(w.gate.attempts); n != 1 {
			t.Errorf("%d attempts", n)
		}
	})
}

// A callee that is gone does not keep the caller's hang-up waiting, nor anything in memory.
func TestByeThatNobodyAnswers(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.connect("c1")
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		n := 0
		for {
			if _, err := w.carrier.next(time.Minute); err != nil {
				break
			}
			n++
		}
		if n != 11 { // RFC 3261 17.1.2.2: 0.5, 1, 2, 4, 4 … s until 32 s
			t.Errorf("%d BYEs", n)
		}
	})
}

// What cannot become a call is refused without a trace.
func TestUnfitInvites(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("c0")
		for i, c := range []struct {
			lines string
			want  string
		}{
			{"Require: precondition", "420 INVITE"},
			{"Require: timer, outlandish", "420 INVITE"},
			{"Session-Expires: 20\nSupported: timer", "422 INVITE"},
		} {
			w.phone.invite("u"+itoa(i), "020", strings.Split(c.lines, "\n")...)
			w.phone.expect(c.want)
		}
		w.phone.send("INVITE sip:020@x SIP/2.0\nVia: SIP/2.0/UDP " + phoneAt + ";branch=z9hG4bKh\nMax-Forwards: 0\nFrom: <sip:a@x>;tag=1\nTo: <sip:b@x>\nCall-ID: hops\nCSeq: 1 INVITE\n" + goodLogin)
		w.phone.expect("483 INVITE")
		w.phone.send("INVITE mailto:a@x SIP/2.0\nVia: SIP/2.0/UDP " + phoneAt + ";branch=z9hG4bKh2\nFrom: <sip:a@x>;tag=1\nTo: <sip:b@x>\nCall-ID: scheme\nCSeq: 1 INVITE\n" + goodLogin)
		if m, err := w.phone.next(time.Second); err == nil && m.Status() < 400 {
			t.Errorf("%s", m.Bytes())
		}
		w.phone.send("INVITE sip:020@x SIP/2.0\nVia: SIP/2.0/UDP " + phoneAt + ";branch=z9hG4bKh3\nVia: SIP/2.0/UDP 10.0.0.1;branch=" +
			string(w.edge.shards[0].appendBranch(nil, 1)) + "\nFrom: <sip:a@x>;tag=1\nTo: <sip:b@x>\nCall-ID: loop\nCSeq: 1 INVITE\n" + goodLogin)
		w.phone.find("482 INVITE")
		if n := w.edge.Stats().Calls; n != 1 {
			t.Errorf("%d calls", n)
		}
	}, func(w *world) { w.loose = true })
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// A right password from an address that the lock does not allow: the gate is asked for an emergency call only.
func TestRestrictedLogin(t *testing.T) {
	inWorld(t, func(w *world) {
		d := &dialog{p: w.phone, callID: "c1", from: "<sip:alice@x>;tag=1", to: "<sip:999@x>", target: "sip:999@x", inviteSeq: 1, branch: "z9hG4bKe"}
		d.request("INVITE", sdp, strings.Replace(goodLogin, "good", "elsewhere", 1))
		inv := w.carrier.expect("INVITE")
		if !w.gate.attempts[0].Restricted || w.gate.attempts[0].Line != "alice" {
			t.Errorf("attempt %+v", w.gate.attempts[0])
		}
		w.carrier.answer(inv, 486, "b", "")
		w.carrier.expect("ACK")
		d.inviteSeq = 1
		d.take(w.phone.expect("486 INVITE")).request("ACK", "")
	})
}

// A panic in one call ends that call, with its one end in the books; the other goes on.
func TestPanicEndsOneCall(t *testing.T) {
	inWorld(t, func(w *world) {
		other, _ := w.connect("good")
		a := w.phone.invite("bad", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.fakes.ringing = func(call.ID) { panic("boom") }
		w.carrier.answer(inv, 180, "b", "")
		a.take(w.phone.expect("500 INVITE")).request("ACK", "")
		w.carrier.answer(w.carrier.expect("CANCEL"), 200, "b", "")
		w.carrier.answer(inv, 487, "b", "")
		w.carrier.expect("ACK")
		if end := w.gate.only(t); end.Reason != policy.Fault {
			t.Errorf("end %+v", end)
		}
		other.request("BYE", "")
		w.phone.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		if w.edge.Stats().Panics != 1 {
			t.Error("not counted")
		}
	})
}

func TestPanicInTheGate(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		a.take(w.phone.expect("500 INVITE")).request("ACK", "")
		synctest.Wait()
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { w.gate.mu.Unlock(); defer w.gate.mu.Lock(); panic("boom") }
	})
}
