package sip

import (
	"slices"
	"testing"

	"ringfence/edge/sip/message"
)

func reasonsIn(m *message.Message) (all []string) {
	for r := range m.Reasons() {
		all = append(all, string(r))
	}
	return all
}

// Guards against asterisk#116: the upstream cancels because another branch of its own answered, and the phone showed a missed call.
func TestEveryReasonOfACancelCrosses(t *testing.T) {
	const done, cause = `SIP;cause=200;text="Call completed elsewhere"`, `Q.850;cause=26;location=LN`
	for _, lines := range [][]string{{"Reason: " + done, "Reason: " + cause}, {"Reason: " + done + ", " + cause}, {"reason: " + done + " ,," + cause + ",\"broken\""}} {
		bobs(t, func(w *world, bob *peer) {
			in, inv, _ := w.inbound(bob, "in1")
			in.request("CANCEL", "", lines...)
			w.carrier.find("200 CANCEL")
			w.carrier.find("487 INVITE")
			in.request("ACK", "")
			cancel := bob.expect("CANCEL")
			if got := reasonsIn(cancel); !slices.Equal(got, []string{done, cause}) {
				t.Errorf("%q: the phone is told %q", lines, got)
			}
			bob.answer(cancel, 200, "p", "")
			bob.answer(inv, 487, "p", "")
			bob.expect("ACK")
		})
	}
}

// Also those of a hang-up, of a refusal and of the CANCEL of a re-INVITE.
func TestReasonsCrossInEveryEnd(t *testing.T) {
	const both = `SIP;cause=603;text="Decline", Q.850;cause=21`
	want := []string{`SIP;cause=603;text="Decline"`, "Q.850;cause=21"}
	is := func(t *testing.T, m *message.Message) {
		t.Helper()
		if got := reasonsIn(m); !slices.Equal(got, want) {
			t.Errorf("%s has %q", what(m), got)
		}
	}
	inWorld(t, func(w *world) {
		w.phone.invite("c0", "020")
		w.carrier.answer(w.carrier.expect("INVITE"), 603, "b", "", "Reason: "+both)
		w.carrier.expect("ACK")
		is(t, w.phone.expect("603 INVITE"))

		a, _ := w.connect("c1")
		a.request("INVITE", sdp)
		w.phone.expect("100 INVITE")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 100, "", "")
		a.branch = a.lastBranch
		a.request("CANCEL", "", "Reason: "+both)
		w.phone.expect("200 CANCEL")
		cancel := w.carrier.expect("CANCEL")
		is(t, cancel)
		w.carrier.answer(cancel, 200, "", "")
		w.carrier.answer(inv, 487, "", "")
		w.carrier.expect("ACK")
		w.phone.expect("487 INVITE")
		a.request("ACK", "")
		a.request("BYE", "", "Reason: "+both)
		w.phone.expect("200 BYE")
		bye := w.carrier.expect("BYE")
		is(t, bye)
		w.carrier.answer(bye, 200, "", "")
	})
}
