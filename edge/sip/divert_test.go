package sip

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
	"ringfence/flow/location"
)

// sentOnPlan lets a call from outside ring line bob, whose forwards are f, and lets what a line sends on out by trunk two.
func sentOnPlan(w *world, f account.Forwards) {
	w.gate.plan = func(a gate.Attempt) (*gate.Plan, error) {
		switch {
		case a.Cause != "" && a.Dialled == "0900":
			return nil, &gate.Refusal{Reason: policy.PremiumBarred}
		case a.Cause != "":
			p := out("two")
			p.Number = "+447700900123"
			return p, nil
		case a.Trunk == "":
			return out("one"), nil
		}
		p := &gate.Plan{Number: "+442079460101", Called: "bob", Forward: f}
		switch {
		case f.Always != "":
			p.Now = call.ForwardAlways
		case len(w.where.Lookup("bob", time.Now())) > 0:
			p.Routes = []gate.Route{{Line: "bob"}}
		default:
			p.Now = call.ForwardUnreachable
		}
		return p, nil
	}
}

const deskAt = "10.0.1.20:5060"

// bob registers a phone of line bob.
func (w *world) bob() *peer {
	w.t.Helper()
	p := w.peer(deskAt)
	p.register("bob", "reg-bob", 1, "Contact: <sip:bob@"+deskAt+">")
	p.expect("200 REGISTER")
	return p
}

// comesIn is a call that trunk one brings for line bob.
func (w *world) comesIn(callID string, lines ...string) *dialog {
	d := &dialog{
		p: w.carrier, callID: callID, from: "<sip:+442079469999@" + carrierAt + ">;tag=c" + callID, to: "<sip:02079460101@10.0.0.1>",
		target: "sip:02079460101@10.0.0.1", seq: 1, inviteSeq: 1, branch: "z9hG4bKin" + callID,
	}
	w.carrier.send(fmt.Sprintf(`INVITE %s SIP/2.0
		Via: SIP/2.0/UDP %s;branch=%s;rport
		Max-Forwards: 30
		From: %s
		To: %s
		Call-ID: %s
		CSeq: 1 INVITE
		Contact: <sip:%s>
		%s
		Content-Type: application/sdp`, d.target, carrierAt, d.branch, d.from, d.to, callID, carrierAt, strings.Join(append([]string{"X-A: b"}, lines...), "\n")) + "\n\n" + sdpB)
	return d
}

// sentOn is the attempt of the line that sent the latest call on.
func (w *world) sentOn() gate.Attempt {
	w.t.Helper()
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	return w.gate.attempts[len(w.gate.attempts)-1]
}

// Each of the four forwards makes a call of the line, after what it is for and not before, and the two are one conversation.
func TestForwards(t *testing.T) {
	for _, c := range []struct {
		cause    call.Cause
		f        account.Forwards
		register bool
		does     func(w *world, bob *peer)
	}{
		{call.ForwardAlways, account.Forwards{Always: "07700900123"}, true, func(_ *world, bob *peer) { bob.quiet(time.Second) }},
		{call.ForwardUnreachable, account.Forwards{Unreachable: "07700900123"}, false, func(*world, *peer) {}},
		{call.ForwardBusy, account.Forwards{Busy: "07700900123"}, true, func(_ *world, bob *peer) {
			bob.answer(bob.expect("INVITE"), 486, "bb", "")
			bob.expect("ACK")
		}},
		{call.ForwardNoAnswer, account.Forwards{NoAnswer: "07700900123", After: 7}, true, func(w *world, bob *peer) {
			inv := bob.expect("INVITE")
			bob.answer(inv, 180, "bb", "")
			began := time.Now()
			m := bob.expect("CANCEL")
			if took := time.Since(began); took < 6900*time.Millisecond || took > 8*time.Second {
				w.t.Errorf("rang for %v", took)
			}
			bob.answer(m, 200, "bb", "")
			bob.answer(inv, 487, "bb", "")
			bob.expect("ACK")
		}},
		{call.ForwardUnreachable, account.Forwards{Unreachable: "07700900123"}, true, func(*world, *peer) {}}, // a phone that is silent
	} {
		t.Run(string(c.cause), func(t *testing.T) {
			inWorld(t, func(w *world) {
				sentOnPlan(w, c.f)
				var bob *peer
				if c.register {
					bob = w.bob()
				}
				in := w.comesIn("f1")
				c.does(w, bob)
				inv := w.spare.find("INVITE")
				a := w.sentOn()
				if a.Cause != c.cause || a.Line != "bob" || a.Parent != "call-1" || a.Turns != 1 || a.Source.IsValid() || a.Dialled != "07700900123" || a.Trunk != "" || a.Caller != "+442079469999" {
					t.Errorf("asked: %+v", a)
				}
				if got := string(inv.Get(message.HDiversion)); !strings.HasPrefix(got, "<sip:+442079460101@10.0.0.1>;reason=") || !strings.HasSuffix(got, ";counter=1") {
					t.Errorf("Diversion: %s", got)
				}
				var entries []string
				for h := range inv.All(message.HHistoryInfo) {
					entries = append(entries, string(h))
				}
				if len(entries) != 2 || entries[0] != "<sip:+442079460101@10.0.0.1>;index=1" || !strings.HasPrefix(entries[1], "<sip:+447700900123@10.0.0.1;cause=") || !strings.HasSuffix(entries[1], ">;index=1.1;mp=1") {
					t.Errorf("History-Info: %q", entries)
				}
				w.spare.answer(inv, 180, "s", "")
				w.carrier.find("180 INVITE")
				w.spare.answer(inv, 200, "s", sdp)
				in.take(w.carrier.find("200 INVITE"))
				w.spare.find("ACK")
				in.request("ACK", "")
				in.request("BYE", "")
				w.carrier.find("200 BYE")
				w.spare.answer(w.spare.expect("BYE"), 200, "", "")
				synctest.Wait() // The second call ends once the answer to its BYE is read.
				w.gate.mu.Lock()
				defer w.gate.mu.Unlock()
				for _, id := range []call.ID{"call-1", "call-2"} {
					if e := w.gate.ends[id]; len(e) != 1 || e[0].Status != 200 || e[0].By != call.Caller {
						t.Errorf("%s ended: %+v", id, e)
					}
				}
			})
		})
	}
}

// A forward that the line's rules refuse is refused, and the caller is not told why. The line's phone is called all the same, if there is one.
func TestAForwardThatIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		sentOnPlan(w, account.Forwards{Always: "0900"})
		w.comesIn("r1")
		m := w.carrier.find("480 INVITE")
		if got := why(m); strings.Contains(got, "premium") || !strings.Contains(got, "not-sent-on") {
			t.Errorf("the caller is told %q", got)
		}
		w.carrier.send(ackOf(m))
		w.spare.quiet(time.Minute)
	})
}

// A phone redirects: its line pays, from where the phone is, and only the best of its contacts is called. A carrier's redirection is not followed.
func TestRedirections(t *testing.T) {
	inWorld(t, func(w *world) {
		sentOnPlan(w, account.Forwards{Busy: "07700900555"})
		bob := w.bob()
		in := w.comesIn("m1")
		var many []string
		for n := range 50 {
			many = append(many, fmt.Sprintf("Contact: <sip:0770090%04d@10.0.0.1>;q=0.%d", n, n%9))
		}
		many = append(many, "Contact: <sip:07700900123@10.0.0.1>;q=0.95", "Contact: <mailto:x@y>;q=1")
		bob.answer(bob.expect("INVITE"), 302, "bb", "", many...)
		bob.expect("ACK")
		inv := w.spare.expect("INVITE")
		a := w.sentOn()
		if a.Cause != call.Redirected || a.Line != "bob" || a.Dialled != "07700900123" || a.Source.String() != deskAt {
			t.Errorf("asked: %+v", a)
		}
		w.spare.answer(inv, 486, "s", "")
		w.spare.expect("ACK")
		w.carrier.send(ackOf(w.carrier.find("486 INVITE"))) // not forwarded again: it is sent on once
		_ = in
		if n := len(w.gate.attempts); n != 2 {
			t.Errorf("%d attempts", n)
		}
	})
	inWorld(t, func(w *world) {
		d := w.phone.invite("m2", "02079460000")
		w.carrier.answer(w.carrier.expect("INVITE"), 302, "c", "", "Contact: <sip:07700900123@10.0.0.1>")
		w.carrier.expect("ACK")
		w.phone.expect("480 INVITE")
		d.request("ACK", "")
		if n := len(w.gate.attempts); n != 1 {
			t.Errorf("%d attempts", n)
		}
	})
}

// What a carrier says of forwards before the call came here counts, and crosses.
func TestForwardsBeforeTheCallCameHere(t *testing.T) {
	inWorld(t, func(w *world) {
		sentOnPlan(w, account.Forwards{Always: "07700900123"})
		w.comesIn("h1", "Diversion: <sip:+441@x>;reason=no-answer;counter=2, <sip:+442@x>", "History-Info: <sip:a@x>;index=1, <sip:b@x>;index=1.1")
		inv := w.spare.expect("INVITE")
		if a := w.sentOn(); a.Turns != 4 {
			t.Errorf("turns: %d", a.Turns)
		}
		text := string(inv.Bytes())
		if !strings.Contains(text, "<sip:b@x>;index=1.1") || !strings.Contains(text, ";index=1.1.1;mp=1.1") || !strings.Contains(text, "counter=2") {
			t.Errorf("sent on as\n%s", text)
		}
		w.spare.answer(inv, 404, "s", "")
		w.spare.expect("ACK")
		w.carrier.send(ackOf(w.carrier.find("404 INVITE")))
	})
}

// Those who sent a call on before it came here may withhold their numbers, too. Phones are not told them, nor carriers that get no withheld numbers.
func TestForwardersWhoWithholdTheirNumbers(t *testing.T) {
	for _, c := range []struct {
		lines   string
		private bool
	}{
		{"Diversion: <sip:+441@x>;privacy=off", false},
		{"Diversion: <sip:+441@x>;privacy=full", true},
		{"Diversion: <sip:+442@x>, <sip:+441@x>;reason=no-answer;privacy=\"uri\"", true},
		{"History-Info: <sip:+441@x>;index=1", false},
		{"History-Info: <sip:+441@x?Reason=SIP%3Bcause%3D302>;index=1, <sip:b@x>;index=1.1", false},
		{"History-Info: <sip:+441@x?Privacy=history>;index=1, <sip:b@x>;index=1.1", true},
		{"History-Info: <sip:+441@x?Reason=SIP&priva%63y=history>;index=1, <sip:b@x>;index=1.1", true},
		{"History-Info: <sip:+441@x>;index=1, <sip:b@x>;index=1.1\nPrivacy: history", true},
	} {
		for _, trunk := range []string{account.WithheldAsserted, account.WithheldRemoved} {
			inWorld(t, func(w *world) {
				sentOnPlan(w, account.Forwards{Always: "07700900123"})
				in := w.comesIn("h1", strings.Split(c.lines, "\n")...)
				inv := w.spare.expect("INVITE")
				if told, want := strings.Contains(string(inv.Bytes()), "+441@"), !c.private || trunk == account.WithheldAsserted; told != want {
					t.Errorf("%q: a carrier with %s is told %v, want %v:\n%s", c.lines, trunk, told, want, inv.Bytes())
				}
				w.spare.answer(inv, 404, "s", "")
				w.spare.expect("ACK")
				w.carrier.final()
				in.request("ACK", "")
			}, func(w *world) {
				w.trunks["two"] = account.Trunk{Name: "two", Addresses: []string{spareAt}, Withheld: trunk}
			})
		}
		inWorld(t, func(w *world) {
			sentOnPlan(w, account.Forwards{})
			bob := w.bob()
			in := w.comesIn("h2", strings.Split(c.lines, "\n")...)
			inv := bob.find("INVITE")
			if told := strings.Contains(string(inv.Bytes()), "+441@"); told == c.private {
				t.Errorf("%q: a phone is told: %v\n%s", c.lines, told, inv.Bytes())
			}
			bob.answer(inv, 404, "s", "")
			bob.expect("ACK")
			w.carrier.final()
			in.request("ACK", "")
		})
	}
}

// A cut of either call ends both, and so does a BYE at either end.
func TestACutTakesBothCalls(t *testing.T) {
	for _, id := range []call.ID{"call-1", "call-2"} {
		inWorld(t, func(w *world) {
			sentOnPlan(w, account.Forwards{Always: "07700900123"})
			w.forwarded("k1")
			w.gate.cut(id, policy.LineDaySpent, policy.Figures{})
			w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
			w.spare.answer(w.spare.find("BYE"), 200, "", "")
			time.Sleep(time.Minute)
			w.gate.mu.Lock()
			defer w.gate.mu.Unlock()
			if len(w.gate.ends["call-1"]) != 1 || len(w.gate.ends["call-2"]) != 1 || w.gate.ends[id][0].Reason != policy.LineDaySpent {
				t.Errorf("ends: %+v", w.gate.ends)
			}
		})
	}
}

// forwarded is a call that is forwarded and answered.
func (w *world) forwarded(callID string) (in, out *dialog) {
	w.t.Helper()
	in = w.comesIn(callID)
	inv := w.spare.expect("INVITE")
	w.spare.answer(inv, 200, "s", sdp)
	in.take(w.carrier.find("200 INVITE"))
	w.spare.expect("ACK")
	in.request("ACK", "")
	return in, w.spare.accepted(inv, "s")
}

// After a crash both calls of a link are there again, and still one conversation; one without the other ends.
func TestALinkOutlivesTheProcess(t *testing.T) {
	for _, both := range []bool{true, false} {
		inWorld(t, func(w *world) {
			w.loose = true
			sentOnPlan(w, account.Forwards{Always: "07700900123"})
			in, _ := w.forwarded("c1")
			time.Sleep(time.Second)
			w.gate.mu.Lock()
			var before []gate.Recovered
			for _, id := range []call.ID{"call-1", "call-2"} {
				if both || id == "call-2" {
					before = append(before, gate.Recovered{ID: id, State: call.Answered, Snapshot: w.gate.answered[id]})
				}
			}
			w.gate.mu.Unlock()
			w.edge.net.Stop() // as a crash: nothing is said
			second := &world{t: t, net: w.net, gate: w.gate, trunks: w.trunks, where: location.New(location.Options{}), opts: Options{Shards: 7}, before: before}
			second.phone, second.carrier, second.spare = w.phone, w.carrier, w.spare
			second.start()
			defer second.stop()
			if !both {
				w.spare.answer(w.spare.find("BYE"), 200, "", "")
				return
			}
			for range 2 { // both ends are asked whether they are there
				for _, p := range []*peer{w.carrier, w.spare} {
					for m, err := p.next(3 * time.Second); err == nil; m, err = p.next(3 * time.Second) {
						if m.IsRequest() && m.Method() != message.ACK {
							p.answer(m, 200, "", sdp)
						}
					}
				}
			}
			in.request("BYE", "")
			w.spare.answer(w.spare.find("BYE"), 200, "", "")
			w.carrier.find("200 BYE")
		})
	}
}

// ackOf is the ACK of a final answer other than 2xx.
func ackOf(m *message.Message) string {
	return fmt.Sprintf("ACK sip:x@10.0.0.1 SIP/2.0\nVia: %s\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: %d ACK", m.Get(message.HVia), m.Get(message.HFrom), m.Get(message.HTo), m.CallID(), m.CSeq())
}
