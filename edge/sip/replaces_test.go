package sip

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

const otherAt = "10.0.1.30:5060"

// dials lets a line call another of its customer by the name of that line, "*" before the name for one of another customer, and everything else as sentOnPlan.
func dials(w *world) {
	sentOnPlan(w, account.Forwards{})
	other := w.gate.plan
	w.gate.plan = func(a gate.Attempt) (*gate.Plan, error) {
		switch name := strings.TrimPrefix(a.Dialled, "*"); {
		case name == "barred":
			return nil, &gate.Refusal{Reason: policy.LineLocked}
		case a.Trunk == "" && (name == "alice" || name == "bob"):
			return &gate.Plan{Called: name, Own: name == a.Dialled, Routes: []gate.Route{{Line: name}}}, nil
		}
		return other(a)
	}
}

func tagIn(text string) string { _, t, _ := strings.Cut(text, ";tag="); return t }

// claims is an INVITE of a phone with a Replaces of a text.
func (p *peer) claims(callID, line, dials, replaces string, lines ...string) *dialog {
	p.n++
	d := &dialog{p: p, callID: callID, from: "<sip:" + line + "@10.0.0.1>;tag=p" + callID, to: "<sip:" + dials + "@10.0.0.1>", target: "sip:" + dials + "@10.0.0.1", seq: 1, inviteSeq: 1, branch: fmt.Sprintf("z9hG4bKp%s%d", callID, p.n)}
	login, body := strings.Replace(goodLogin, `"alice"`, `"`+line+`"`, 1), strings.Replace(sdp, "4000", "4400", 1)
	if slices.Contains(lines, twoStreams) {
		body += "m=video 4402 RTP/AVP 96\r\n"
	}
	p.send(fmt.Sprintf("INVITE %s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=%s;rport\nMax-Forwards: 30\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: 1 INVITE\nContact: <sip:%s@%s>\nReplaces: %s\n%s\n%s\nContent-Type: application/sdp\n\n%s",
		d.target, p.at, d.branch, d.from, d.to, callID, line, p.at, replaces, strings.Join(append([]string{"Require: replaces"}, lines...), "\n"), login, body))
	return d
}

const twoStreams = "X: two streams"

func dialogText(callID, to, from string) string {
	return callID + ";to-tag=" + to + ";from-tag=" + from
}

// Another phone of a line goes on with the line's call. The call stays as it is, with who pays for it; the phone's own is a call to its line.
func TestACallMovesToAnotherPhone(t *testing.T) {
	for n := range 4 { // from shard to shard
		inWorld(t, func(w *world) {
			dials(w)
			a, b := w.connect("t1")
			x := w.peer(otherAt)
			d := x.claims(fmt.Sprint("move-", n), "alice", "alice", dialogText("t1", tagIn(a.to), tagIn(a.from)))
			ok := x.find("200 INVITE")
			if !strings.Contains(string(ok.Body()), "m=audio 6000") {
				t.Errorf("the phone is sent\n%s", ok.Body())
			}
			d.take(ok).request("ACK", "")
			w.phone.answer(w.phone.find("BYE"), 200, "", "")
			m := w.carrier.next2("INVITE", "UPDATE")
			if !strings.Contains(string(m.Body()), "m=audio 4400") {
				t.Errorf("the other party is offered\n%s", m.Body())
			}
			w.carrier.answer(m, 200, "", sdpB)
			time.Sleep(20 * time.Minute)
			w.gate.mu.Lock()
			if len(w.gate.attempts) != 2 || w.gate.attempts[1].Dialled != "alice" || len(w.gate.ends) != 0 {
				t.Errorf("attempts %+v, ends %+v", w.gate.attempts, w.gate.ends)
			}
			w.gate.mu.Unlock()
			if n%2 == 0 {
				d.request("BYE", "")
				x.find("200 BYE")
				w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
			} else {
				b.request("BYE", "")
				w.carrier.find("200 BYE")
				x.answer(x.find("BYE"), 200, "", "")
			}
			time.Sleep(time.Minute)
			w.gate.mu.Lock()
			defer w.gate.mu.Unlock()
			for _, id := range []call.ID{"call-1", "call-2"} {
				if e := w.gate.ends[id]; len(e) != 1 || e[0].Status != 200 {
					t.Errorf("%s ended %+v", id, e)
				}
			}
		}, func(w *world) { w.opts.PingInterval = -1 })
	}
}

// A line takes a call that rings at another line of its customer.
func TestARingingCallIsPickedUp(t *testing.T) {
	for n := range 4 {
		inWorld(t, func(w *world) {
			dials(w)
			bob := w.bob()
			in := w.comesIn("in1")
			inv := bob.find("INVITE")
			bob.answer(inv, 180, "bb", "")
			w.carrier.find("180 INVITE")
			x := w.peer(otherAt)
			d := x.claims(fmt.Sprint("pick-", n), "carol", "bob", dialogText(string(inv.CallID()), string(inv.From().Tag()), "bb")+";early-only")
			ok := x.find("200 INVITE")
			if !strings.Contains(string(ok.Body()), "m=audio 6000") {
				t.Errorf("the phone is sent\n%s", ok.Body())
			}
			d.take(ok).request("ACK", "")
			bob.answer(bob.find("CANCEL"), 200, "", "")
			bob.answer(inv, 487, "bb", "")
			bob.find("ACK")
			m := w.carrier.find("200 INVITE")
			if !strings.Contains(string(m.Body()), "m=audio 4400") {
				t.Errorf("the caller is sent\n%s", m.Body())
			}
			in.take(m).request("ACK", "")
			time.Sleep(20 * time.Minute)
			if n%2 == 0 {
				d.request("BYE", "")
				x.find("200 BYE")
				w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
			} else {
				in.request("BYE", "")
				w.carrier.find("200 BYE")
				x.answer(x.find("BYE"), 200, "", "")
			}
			time.Sleep(time.Minute)
			w.gate.mu.Lock()
			defer w.gate.mu.Unlock()
			if len(w.gate.attempts) != 2 {
				t.Errorf("attempts %+v", w.gate.attempts)
			}
			for _, id := range []call.ID{"call-1", "call-2"} {
				if e := w.gate.ends[id]; len(e) != 1 || e[0].Status != 200 {
					t.Errorf("%s ended %+v", id, e)
				}
			}
		}, func(w *world) { w.opts.PingInterval = -1 })
	}
}

// A thief who reads the traffic, another customer, a carrier, and anyone who guesses take nothing, and the call goes on.
func TestWhoMayNotReplace(t *testing.T) {
	inWorld(t, func(w *world) {
		dials(w)
		a, _ := w.connect("t1")
		mine := dialogText("t1", tagIn(a.to), tagIn(a.from))
		bob := w.bob()
		in := w.comesIn("in1")
		inv := bob.find("INVITE")
		bob.answer(inv, 180, "bb", "")
		callerOf := dialogText("in1", string(w.carrier.find("180 INVITE").To().Tag()), tagIn(in.from))
		his := dialogText(string(inv.CallID()), string(inv.From().Tag()), "bb")
		x := w.peer(otherAt)
		for i, c := range []struct {
			name, line, dials, replaces string
			lines                       []string
			want                        string
		}{
			{"who pays", "carol", "alice", mine, nil, "403"},
			{"another line than it calls", "carol", "bob", mine, nil, "403"},
			{"another customer", "carol", "*bob", his, nil, "403"},
			{"out to a carrier", "carol", "02079460000", his, nil, "403"},
			{"a line that may not call", "carol", "barred", his, nil, "403"},
			{"a wrong tag", "alice", "alice", dialogText("t1", "0123456789abcdef", tagIn(a.from)), nil, "481"},
			{"a wrong tag of the phone", "alice", "alice", dialogText("t1", tagIn(a.to), "guess"), nil, "481"},
			{"a call that is not there", "alice", "alice", dialogText("none", tagIn(a.to), tagIn(a.from)), nil, "481"},
			{"answered, and only early is asked", "alice", "alice", mine + ";early-only", nil, "486"},
			{"the caller of a call that rings", "carol", "bob", callerOf, nil, "403"},
			{"several", "alice", "alice", mine + "\nReplaces: " + mine, nil, "400"},
			{"no tags", "alice", "alice", "t1", nil, "400"},
			{"too many streams", "carol", "bob", his, []string{twoStreams}, "488"},
		} {
			d := x.claims(fmt.Sprint("no-", i), c.line, c.dials, c.replaces, c.lines...)
			m := x.final()
			if got := fmt.Sprint(m.Status()); got != c.want {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
			d.request("ACK", "")
		}
		thief := w.peer("10.0.8.8:5060") // who reads the traffic, and has no password
		thief.claims("thief", "bob", "bob", his, strings.Replace(goodLogin, "good", "wrong", 1))
		if m := thief.final(); m.Status() != 407 {
			t.Errorf("a thief is answered %d", m.Status())
		}
		w.carrier.send(strings.ReplaceAll(fmt.Sprintf("INVITE sip:02079460101@10.0.0.1 SIP/2.0|Via: SIP/2.0/UDP %s;branch=z9hG4bKc|Max-Forwards: 30|From: <sip:x@y>;tag=1|To: <sip:02079460101@10.0.0.1>|Call-ID: carrier|CSeq: 1 INVITE|Contact: <sip:%s>|Replaces: %s", carrierAt, carrierAt, his), "|", "\n"))
		w.carrier.find("481 INVITE")
		if n := len(w.gate.ends["call-1"]) + len(w.gate.ends["call-2"]); n != 0 {
			t.Errorf("%d calls ended", n)
		}
	}, func(w *world) { w.loose = true })
}

// final is the final answer to an INVITE.
func (p *peer) final() *message.Message {
	p.t.Helper()
	for {
		m, err := p.next(time.Minute)
		if err != nil {
			p.t.Fatal(err)
		}
		if !m.IsRequest() && m.Status() >= 200 && m.CSeqMethod() == message.INVITE {
			return m
		}
	}
}
