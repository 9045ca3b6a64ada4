package sip

import (
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

// member registers a phone of a line.
func (w *world) member(line, at string) *peer {
	w.t.Helper()
	p := w.peer(at)
	p.register(line, "reg-"+line, 1, "Contact: <sip:"+line+"@"+at+">")
	p.expect("200 REGISTER")
	return p
}

// group has calls to bob ring the phones of ann and zoe.
func group(w *world, f account.Forwards, routes ...gate.Route) {
	sentOnPlan(w, f)
	other := w.gate.plan
	w.gate.plan = func(a gate.Attempt) (*gate.Plan, error) {
		if a.Cause != "" || a.Trunk == "" {
			return other(a)
		}
		return &gate.Plan{Number: "+442079460101", Called: "bob", Forward: f, Routes: routes}, nil
	}
}

// cancelled answers the CANCEL of a call that rang.
func (p *peer) cancelled(inv *message.Message, tag string) {
	p.t.Helper()
	m := p.expect("CANCEL")
	p.answer(m, 200, tag, "")
	p.answer(inv, 487, tag, "")
	p.expect("ACK")
}

// A group that rings together: one declines, which is its own word only, another answers.
func TestAGroupRingsTogether(t *testing.T) {
	inWorld(t, func(w *world) {
		group(w, account.Forwards{}, gate.Route{Line: "ann"}, gate.Route{Line: "zoe", With: true}, gate.Route{Line: "sue", With: true})
		ann, zoe, sue := w.member("ann", "10.0.1.21:5060"), w.member("zoe", "10.0.1.22:5060"), w.member("sue", "10.0.1.23:5060")
		in := w.comesIn("g1")
		a, z, s := ann.expect("INVITE"), zoe.expect("INVITE"), sue.expect("INVITE")
		ann.answer(a, 180, "a", "")
		sue.answer(s, 180, "s", "")
		zoe.answer(z, 603, "z", "")
		zoe.expect("ACK")
		ann.answer(a, 200, "a", sdpB)
		sue.cancelled(s, "s")
		ann.expect("ACK")
		in.take(w.carrier.find("200 INVITE"))
		in.request("ACK", "")
		in.request("BYE", "")
		w.carrier.find("200 BYE")
		ann.answer(ann.expect("BYE"), 200, "", "")
	})
}

// A group that rings in turn: who does not answer in time is passed over, who is busy at once; then nobody has answered, and the call goes where the group forwards it, and a
// redirection of a member's phone leads nowhere.
func TestAGroupRingsInTurn(t *testing.T) {
	inWorld(t, func(w *world) {
		each := 10 * time.Second
		group(w, account.Forwards{NoAnswer: "07700900123", Busy: "0900"}, gate.Route{Line: "ann", Rings: each}, gate.Route{Line: "zoe", Rings: each}, gate.Route{Line: "sue", Rings: each})
		ann, zoe, sue := w.member("ann", "10.0.1.21:5060"), w.member("zoe", "10.0.1.22:5060"), w.member("sue", "10.0.1.23:5060")
		w.comesIn("g2")
		began := time.Now()
		a := ann.expect("INVITE")
		ann.answer(a, 180, "a", "")
		zoe.quiet(9 * time.Second)
		ann.cancelled(a, "a")
		z := zoe.expect("INVITE")
		if took := time.Since(began); took < each || took > each+2*time.Second {
			t.Errorf("the first rang for %v", took)
		}
		zoe.answer(z, 302, "z", "", "Contact: <sip:0900@10.0.1.22>")
		zoe.expect("ACK")
		s := sue.expect("INVITE")
		sue.answer(s, 486, "s", "")
		sue.expect("ACK")
		inv := w.spare.find("INVITE")
		if a := w.sentOn(); a.Cause != call.ForwardNoAnswer || a.Line != "bob" {
			t.Errorf("asked: %+v", a)
		}
		w.spare.answer(inv, 486, "x", "")
		w.spare.expect("ACK")
		w.carrier.find("486 INVITE")
		w.gate.mu.Lock()
		defer w.gate.mu.Unlock()
		for _, end := range w.gate.ends["call-1"] {
			if end.Reason != policy.Busy {
				t.Errorf("it ended by %v", end.Reason)
			}
		}
	})
}
