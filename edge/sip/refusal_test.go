package sip

import (
	"fmt"
	"strings"
	"testing"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/flow/gate"
)

// What a called phone or a carrier answers is passed on, with the record's reason in words, and with its own Reason if it gave one.
// That no carrier took the call is said of carriers only.
func TestTheFarEndsRefusalIsPassedOn(t *testing.T) {
	for _, c := range []struct {
		says, told int
		why        policy.Reason
	}{
		{404, 404, policy.Unknown},
		{410, 410, policy.Unknown},
		{604, 604, policy.Unknown},
		{484, 484, policy.Incomplete},
		{488, 488, policy.Incompatible},
		{415, 415, policy.Incompatible},
		{606, 606, policy.Incompatible},
		{486, 486, policy.Busy},
		{600, 600, policy.Busy},
		{603, 603, policy.Busy},
		{480, 480, policy.NoAnswer},
		{403, 403, policy.FarRefused},
		{401, 403, policy.FarRefused},
		{405, 480, policy.FarRefused}, // and others that are none without a header that says what would do
		{420, 480, policy.FarRefused},
		{421, 480, policy.FarRefused},
		{422, 480, policy.FarRefused},
		{423, 480, policy.FarRefused},
		{494, 480, policy.FarRefused},
		{500, 480, policy.FarRefused},
		{503, 480, policy.FarRefused},
		{300, 480, policy.Redirected},
		{302, 480, policy.Redirected},
	} {
		for _, own := range []string{"", "Reason: Q.850;cause=1;text=\"theirs\""} {
			bobs(t, func(w *world, bob *peer) {
				a := w.phone.invite("c1", "bob")
				lines := []string{own}
				if c.says < 400 {
					lines = append(lines, "Contact: <mailto:bob@example.org>") // one that cannot be called
				}
				bob.answer(bob.expect("INVITE"), c.says, "p", "", lines...)
				bob.expect("ACK")
				m := w.phone.expect(fmt.Sprint(c.told, " INVITE"))
				a.request("ACK", "")
				text := string(m.Bytes())
				if words := c.why.Text(policy.Figures{}); !strings.Contains(text, "Warning: 399 ringfence \""+words+"\"") {
					t.Errorf("%d: the answer does not say %q:\n%s", c.says, words, text)
				}
				if want := map[bool]string{true: c.why.Code() + ": ", false: "theirs"}[own == ""]; !strings.Contains(text, want) || strings.Count(text, "Reason:") != 1 {
					t.Errorf("%d: Reason is not %q:\n%s", c.says, want, text)
				}
				if strings.Contains(text, "no carrier") {
					t.Errorf("a phone is no carrier:\n%s", text)
				}
				if end := w.gate.only(t); end.By != call.Callee || end.Reason != c.why || end.Status != c.told {
					t.Errorf("%d ended the call as %+v", c.says, end)
				}
			})
		}
	}
}

// Of several phones' refusals the caller hears the one that a person gave.
func TestTheBestOfSeveralRefusals(t *testing.T) {
	for _, order := range [][2]int{{486, 404}, {404, 486}, {503, 486}, {486, 480}, {480, 486}} {
		inWorld(t, func(w *world) {
			w.register("bob", "10.0.2.1:5060")
			w.register("bob", "10.0.2.2:5060")
			a := w.phone.invite("c1", "bob")
			for i, at := range []string{"10.0.2.1:5060", "10.0.2.2:5060"} {
				p := w.peer(at)
				p.answer(p.expect("INVITE"), order[i], "p", "")
				p.expect("ACK")
			}
			w.phone.find("486 INVITE")
			a.request("ACK", "")
			if end := w.gate.only(t); end.Reason != policy.Busy {
				t.Errorf("%v: %+v", order, end)
			}
		}, func(w *world) {
			w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return &gate.Plan{Routes: []gate.Route{{Line: "bob"}}}, nil }
		})
	}
}

// A line whose phones have gone since the call was let in has no carrier that could have failed.
func TestPhonesThatHaveGone(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "bob")
		w.phone.expect("480 INVITE")
		a.request("ACK", "")
		if end := w.gate.only(t); end.Reason != policy.NotRegistered {
			t.Errorf("%+v", end)
		}
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return &gate.Plan{Routes: []gate.Route{{Line: "bob"}}}, nil }
	})
}

// A proxy passes on a fork's answer also after it refused, while the INVITE has gone out again with a longer interval: that one is
// given up, and the call is over when it ends.
func TestAForkAnswersBesideASecondInvite(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 422, "one", "", "Min-SE: 7200")
		w.carrier.expect("ACK")
		again := w.carrier.expect("INVITE")
		w.carrier.answer(again, 100, "", "")
		w.carrier.answer(inv, 200, "two", sdpB)
		w.carrier.answer(w.carrier.expect("CANCEL"), 200, "", "")
		w.carrier.answer(again, 487, "three", "")
		w.carrier.expect("ACK")
		w.carrier.expect("ACK")
		a.take(w.phone.find("200 INVITE")).request("ACK", "")
		w.hangUp(a)
	})
}
