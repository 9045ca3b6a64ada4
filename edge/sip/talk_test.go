package sip

import (
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

// hangUp ends a connected call from the caller's side.
func (w *world) hangUp(a *dialog) {
	w.t.Helper()
	a.request("BYE", "")
	a.p.find("200 BYE")
	bye := w.carrier.find("BYE")
	w.carrier.answer(bye, 200, "", "")
}

// A session is changed from either side; descriptions pass through, each side's dialog stays its own.
func TestReinvite(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.connect("c1")
		a.request("INVITE", sdp+"a=sendonly\r\n")
		w.phone.expect("100 INVITE")
		inv := w.carrier.expect("INVITE")
		if string(inv.Body()) != sdp+"a=sendonly\r\n" || string(inv.CallID()) != b.callID || string(inv.To().Tag()) != "bc1" {
			t.Errorf("%s", inv.Bytes())
		}
		w.carrier.answer(inv, 200, "", sdpB+"a=recvonly\r\n")
		if m := w.phone.expect("200 INVITE"); string(m.Body()) != sdpB+"a=recvonly\r\n" {
			t.Errorf("%s", m.Bytes())
		}
		w.carrier.expect("ACK")
		a.request("ACK", "")
		b.request("INVITE", sdpB)
		w.carrier.expect("100 INVITE")
		inv = w.phone.expect("INVITE")
		w.phone.answer(inv, 488, "", "")
		w.phone.expect("ACK")
		w.carrier.expect("488 INVITE")
		b.request("ACK", "")
		w.hangUp(a)
	})
}

// A re-INVITE without an offer asks the other side for one; the answer is in the ACK.
func TestReinviteWithoutOffer(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.connect("c1")
		a.request("INVITE", "")
		w.phone.expect("100 INVITE")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "", sdpB)
		w.phone.expect("200 INVITE")
		a.request("ACK", sdp)
		if ack := w.carrier.expect("ACK"); string(ack.Body()) != sdp || ack.CSeq() != inv.CSeq() {
			t.Errorf("%s", ack.Bytes())
		}
		w.hangUp(a)
	})
}

// Both sides change the session at once: RFC 3261 14.1.
func TestGlare(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.connect("c1")
		a.request("INVITE", sdp)
		w.phone.expect("100 INVITE")
		inv := w.carrier.expect("INVITE")
		b.request("INVITE", sdpB)
		w.carrier.expect("491 INVITE")
		b.request("ACK", "")
		keep := *a
		a.request("INVITE", sdp) // a second before the first is answered
		if m := w.phone.expect("500 INVITE"); !m.Has(message.HRetryAfter) {
			t.Errorf("%s", m.Bytes())
		}
		a.request("ACK", "")
		w.carrier.answer(inv, 200, "", sdpB)
		w.carrier.expect("ACK")
		w.phone.expect("200 INVITE")
		keep.inviteSeq++
		keep.request("ACK", "")
		w.hangUp(a)
	})
}

func TestCancelOfReinvite(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.connect("c1")
		a.request("INVITE", sdp)
		w.phone.expect("100 INVITE")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 100, "", "")
		a.branch = a.lastBranch
		a.request("CANCEL", "")
		w.phone.expect("200 CANCEL")
		w.carrier.answer(w.carrier.expect("CANCEL"), 200, "", "")
		w.carrier.answer(inv, 487, "", "")
		w.carrier.expect("ACK")
		w.phone.expect("487 INVITE")
		a.request("ACK", "")
		w.hangUp(a)
	})
}

// A hang-up while a change is open leaves nothing behind.
func TestHangUpDuringReinvite(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.connect("c1")
		a.request("INVITE", sdp)
		w.phone.expect("100 INVITE")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 100, "", "")
		b.request("BYE", "")
		w.carrier.expect("200 BYE")
		w.phone.answer(w.phone.expect("BYE"), 200, "", "")
		w.phone.expect("487 INVITE")
		a.request("ACK", "")
	})
}

func TestUpdateAndInfo(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.connect("c1")
		a.request("UPDATE", sdp)
		up := w.carrier.expect("UPDATE")
		w.carrier.answer(up, 200, "", sdpB)
		if m := w.phone.expect("200 UPDATE"); string(m.Body()) != sdpB {
			t.Errorf("%s", m.Bytes())
		}
		a.request("UPDATE", "") // a refresh: ours to answer
		w.phone.expect("200 UPDATE")
		w.carrier.quiet(time.Second)
		b.request("UPDATE", sdpB) // the phone knows no UPDATE
		inv := w.phone.expect("INVITE")
		w.phone.answer(inv, 200, "", sdp)
		w.phone.expect("ACK")
		w.carrier.expect("200 UPDATE")
		b.request("INFO", "Signal=5\r\n")
		info := w.phone.expect("INFO")
		if string(info.Body()) != "Signal=5\r\n" {
			t.Errorf("%s", info.Bytes())
		}
		w.phone.answer(info, 200, "", "")
		w.carrier.expect("200 INFO")
		for method, want := range map[string]string{"OPTIONS": "200", "REFER": "407", "SUBSCRIBE": "489", "NOTIFY": "489", "MESSAGE": "405", "PRACK": "481"} {
			a.request(method, "")
			wantAllowed(t, w.phone.expect(want+" "+method))
		}
		w.carrier.quiet(time.Second)
		w.hangUp(a)
	})
}

// Requests with the right Call-ID and wrong tags are nobody's; old numbers are refused.
func TestForeignRequests(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.connect("c1")
		thief := *a
		thief.to = strings.Split(a.to, ";tag=")[0] + ";tag=guess"
		thief.request("BYE", "")
		w.phone.expect("481 BYE")
		thief = *a
		thief.from = "<sip:thief@x>;tag=other"
		thief.request("BYE", "")
		w.phone.expect("481 BYE")
		again := w.phone.invite("c1", "0900123") // another call under the same Call-ID
		w.phone.expect("482 INVITE")
		_ = again
		a.seq = 10
		a.request("OPTIONS", "")
		w.phone.expect("200 OPTIONS")
		a.seq = 4
		a.request("OPTIONS", "")
		w.phone.expect("500 OPTIONS")
		a.seq = 20
		w.hangUp(a)
	})
}

// A peer that floods a call with requests is bounded.
func TestFloodInsideADialog(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.connect("c1")
		refused := 0
		for range 200 {
			a.request("OPTIONS", "")
			if m, err := w.phone.next(time.Second); err == nil && m.Status() == 503 {
				refused++
			}
		}
		if refused != 200-maxServers+1 {
			t.Errorf("%d refused", refused)
		}
		w.hangUp(a)
	})
}

// A phone with session timers (RFC 4028) that stops refreshing is given up before its interval ends.
func TestSessionTimerOfAPeer(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020", "Supported: timer", "Session-Expires: 600")
		inv := w.carrier.expect("INVITE")
		if secs, _, ok := inv.SessionExpires(); !ok || secs != 1800 {
			t.Errorf("%s", inv.Bytes())
		}
		w.carrier.answer(inv, 200, "b", sdpB)
		ok := w.phone.expect("200 INVITE")
		if secs, who, _ := ok.SessionExpires(); secs != 600 || string(who) != "uac" || !ok.HasToken(message.HRequire, "timer") {
			t.Errorf("%s", ok.Bytes())
		}
		w.carrier.expect("ACK")
		a.take(ok).request("ACK", "")
		time.Sleep(4 * time.Minute)
		a.request("UPDATE", "", "Supported: timer", "Session-Expires: 600;refresher=uac")
		if m := w.phone.expect("200 UPDATE"); !m.Has(message.HSessionExpires) {
			t.Errorf("%s", m.Bytes())
		}
		began := time.Now()
		for {
			m, err := w.phone.next(20 * time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if what(m) == "BYE" {
				break
			}
		}
		if d := time.Since(began).Round(time.Second); d != 568*time.Second {
			t.Errorf("given up after %v", d)
		}
		if end := w.gate.only(t); end.Reason != policy.PeerGone || end.By != call.System {
			t.Errorf("end %+v", end)
		}
	}, func(w *world) { w.opts.PingInterval = -1 })
}

// Where the carrier leaves it to us, we refresh: with UPDATE when it knows that, and end the call when it knows no such
// call any more.
func TestWeRefresh(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "b", sdpB, "Session-Expires: 300;refresher=uac", "Allow: UPDATE")
		w.carrier.expect("ACK")
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		began := time.Now()
		up := w.carrier.find("UPDATE")
		if d := time.Since(began).Round(time.Second); d != 150*time.Second || len(up.Body()) != 0 {
			t.Errorf("after %v\n%s", d, up.Bytes())
		}
		w.carrier.answer(up, 200, "", "", "Session-Expires: 300;refresher=uac")
		up = w.carrier.find("UPDATE")
		w.carrier.answer(up, 481, "", "")
		w.carrier.answer(w.carrier.expect("BYE"), 481, "", "")
		w.phone.answer(w.phone.find("BYE"), 200, "", "")
		if end := w.gate.only(t); end.Reason != policy.PeerGone {
			t.Errorf("end %+v", end)
		}
	})
}

// Without UPDATE the session is refreshed by what was agreed last.
func TestWeRefreshByInvite(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "b", sdpB, "Session-Expires: 300;refresher=uac")
		w.carrier.expect("ACK")
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		re := w.carrier.find("INVITE")
		if string(re.Body()) != sdp || string(re.To().Tag()) != "b" {
			t.Errorf("%s", re.Bytes())
		}
		w.carrier.answer(re, 200, "", sdpB, "Session-Expires: 300;refresher=uac")
		w.carrier.expect("ACK")
		w.hangUp(a)
	}, func(w *world) { w.opts.PingInterval = -1 })
}

// A peer that knows no timers is asked with the session, which it cannot answer for a call that it does not have; silence ends
// the call. A refusal of the method says nothing of the call.
func TestDeadPhone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("c1")
		ping := w.phone.find("INVITE")
		if string(ping.Body()) != sdpB {
			t.Errorf("asked with\n%s", ping.Bytes())
		}
		w.phone.answer(ping, 200, "", sdp)
		w.phone.expect("ACK")
		w.carrier.answer(w.carrier.find("UPDATE"), 405, "", "")
		again := w.carrier.find("INVITE")
		if string(again.Body()) != sdp {
			t.Errorf("asked with\n%s", again.Bytes())
		}
		w.carrier.answer(again, 488, "", "") // it has the call
		w.phone.find("INVITE")               // not answered
		for {
			m := w.carrier.find("BYE")
			if strings.HasPrefix(why(m), "peer-gone: ") {
				break
			}
		}
		if end := w.gate.only(t); end.Reason != policy.PeerGone {
			t.Errorf("end %+v", end)
		}
	}, func(w *world) { w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one"), nil } })
}
