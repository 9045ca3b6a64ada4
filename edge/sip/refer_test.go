package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
	"ringfence/flow/location"
)

const aliceLogin = `Proxy-Authorization: Digest username="alice", realm="r", nonce="n", uri="sip:x", response="good", qop=auth, nc=00000001, cnonce="c"`

// refer asks for a transfer, once without a login and once with it.
func (d *dialog) refer(to string, lines ...string) {
	d.p.t.Helper()
	d.request("REFER", "", append(lines, "Refer-To: "+to)...)
	d.p.find("407 REFER")
	d.request("REFER", "", append(lines, "Refer-To: "+to, aliceLogin)...)
}

// progress takes the NOTIFYs of a transfer up to the last and answers them; it returns their status lines.
func (p *peer) progress() (all []string) {
	p.t.Helper()
	for {
		m := p.find("NOTIFY")
		p.answer(m, 200, "", "")
		line, _, _ := strings.Cut(string(m.Body()), "\r\n")
		all = append(all, line)
		if !strings.HasPrefix(string(m.Get(message.HEvent)), "refer") || string(m.Get(message.HContentType)) != "message/sipfrag;version=2.0" {
			p.t.Errorf("a NOTIFY of something else:\n%s", m.Bytes())
		}
		if strings.HasPrefix(state(m), "terminated") {
			return all
		}
	}
}

func state(m *message.Message) string {
	for i := range m.NumHeaders() {
		if _, name, value := m.Header(i); strings.EqualFold(string(name), "Subscription-State") {
			return string(value)
		}
	}
	return ""
}

// toSpare sends what a line transfers by trunk two.
func toSpare(w *world) {
	w.gate.plan = func(a gate.Attempt) (*gate.Plan, error) {
		switch {
		case a.Cause == "":
			return out("one"), nil
		case a.Dialled == "0900":
			return nil, &gate.Refusal{Reason: policy.PremiumBarred}
		}
		return out("two"), nil
	}
}

// A phone sends the other party on. Its line pays for the new call, and both calls go on without the phone, until one of the two hangs up.
func TestABlindTransfer(t *testing.T) {
	for _, c := range []struct {
		name  string
		early bool // the phone hangs up before the transfer is answered
		hold  bool // it has put the other party on hold
		ends  string
	}{{"to the end", false, true, "carrier"}, {"hung up at once", true, false, "spare"}} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				toSpare(w)
				a, b := w.connect("t1")
				if c.hold {
					a.request("INVITE", strings.Replace(sdp, "t=0 0\r\n", "t=0 0\r\na=sendonly\r\n", 1))
					inv := w.carrier.expect("INVITE")
					w.carrier.answer(inv, 200, "", strings.Replace(sdpB, "t=0 0\r\n", "t=0 0\r\na=recvonly\r\n", 1))
					w.phone.find("200 INVITE")
					a.request("ACK", "")
					w.carrier.find("ACK")
				}
				a.refer("<sip:07700900123@10.0.0.1>")
				w.phone.expect("202 REFER")
				inv := w.spare.expect("INVITE")
				if at := w.sentOn(); at.Cause != call.Transferred || at.Line != "alice" || at.Parent != "call-1" || at.Dialled != "07700900123" || at.Source.String() != phoneAt || len(at.Path) != 0 {
					t.Errorf("asked: %+v", at)
				}
				if body := string(inv.Body()); !strings.Contains(body, "m=audio 6000") || strings.Contains(body, "recvonly") {
					t.Errorf("offered:\n%s", body)
				}
				if got := string(inv.Get(message.HReferredBy)); got != "<sip:+442079460001@10.0.0.1>" {
					t.Errorf("Referred-By: %s", got)
				}
				w.spare.answer(inv, 180, "s", "")
				if c.early {
					a.request("BYE", "")
					w.phone.find("200 BYE")
				}
				w.spare.answer(inv, 200, "s", strings.Replace(sdpB, "6000", "7000", 1))
				w.spare.expect("ACK")
				if !c.early {
					if got := w.phone.progress(); len(got) != 3 || got[0] != "SIP/2.0 100 Trying" || got[2] != "SIP/2.0 200 OK" {
						t.Errorf("progress: %q", got)
					}
					w.phone.answer(w.phone.find("BYE"), 200, "", "")
				}
				// the other party is offered the far end, and answers as before
				m := w.carrier.next2("INVITE", "UPDATE")
				if !strings.Contains(string(m.Body()), "m=audio 7000") {
					t.Errorf("the other party is offered\n%s", m.Body())
				}
				w.carrier.answer(m, 200, "", sdpB)
				far := w.spare.accepted(inv, "s")
				time.Sleep(time.Minute)
				w.gate.mu.Lock()
				if len(w.gate.ends) != 0 {
					t.Errorf("ended: %+v", w.gate.ends)
				}
				w.gate.mu.Unlock()
				if c.ends == "carrier" {
					b.request("BYE", "")
					w.carrier.find("200 BYE")
					w.spare.answer(w.spare.find("BYE"), 200, "", "")
				} else {
					far.request("BYE", "")
					w.spare.find("200 BYE")
					w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
				}
				time.Sleep(time.Minute)
				w.gate.mu.Lock()
				defer w.gate.mu.Unlock()
				for _, id := range []call.ID{"call-1", "call-2"} {
					if e := w.gate.ends[id]; len(e) != 1 || e[0].Status != 200 {
						t.Errorf("%s ended %+v", id, e)
					}
				}
			})
		})
	}
}

// next2 is the next message that is named either way.
func (p *peer) next2(one, other string) *message.Message {
	p.t.Helper()
	for {
		m, err := p.next(time.Hour)
		if err != nil {
			p.t.Fatal(err)
		}
		if got := what(m); got == one || got == other {
			return m
		}
	}
}

// A transfer that the rules or the far end refuse says so, and the call goes on; it ends if its phone has hung up.
func TestATransferThatFails(t *testing.T) {
	for _, left := range []bool{false, true} {
		inWorld(t, func(w *world) {
			toSpare(w)
			a, _ := w.connect("t1")
			if !left {
				a.refer("<sip:0900@10.0.0.1>")
				w.phone.expect("202 REFER")
				var last *message.Message
				for last == nil || !strings.HasPrefix(state(last), "terminated") {
					last = w.phone.find("NOTIFY")
					w.phone.answer(last, 200, "", "")
				}
				if text := string(last.Body()); !strings.HasPrefix(text, "SIP/2.0 403 ") || !strings.Contains(text, "premium-barred") {
					t.Errorf("told:\n%s", text)
				}
			}
			a.refer("<sip:07700900123@10.0.0.1>")
			w.phone.expect("202 REFER")
			inv := w.spare.expect("INVITE")
			if left {
				a.request("BYE", "")
				w.phone.find("200 BYE")
			}
			w.spare.answer(inv, 486, "s", "")
			w.spare.expect("ACK")
			if left {
				w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
				return
			}
			if got := w.phone.progress(); got[len(got)-1] != "SIP/2.0 486 Busy Here" {
				t.Errorf("progress: %q", got)
			}
			w.hangUp(a)
		})
	}
}

// A phone that withholds its number, in the call or in the transfer, is not named to whom it transfers: neither as the caller nor as who transferred.
func TestATransferOfAPhoneThatWithholds(t *testing.T) {
	for _, c := range []struct {
		call, refer string
		code        bool // 141 before the number that it transfers to
	}{{"Privacy: id", "X-A: b", false}, {"X-A: b", "Privacy: id", false}, {"X-A: b", "X-A: b", true}} {
		inWorld(t, func(w *world) {
			toSpare(w)
			plan := w.gate.plan
			w.gate.plan = func(a gate.Attempt) (*gate.Plan, error) {
				p, err := plan(a)
				if err == nil && a.Cause == call.Transferred && c.code {
					p.Show = phone.Withhold
				}
				return p, err
			}
			a := w.phone.invite("t1", "02079460000", c.call)
			inv := w.carrier.expect("INVITE")
			w.carrier.answer(inv, 200, "b", sdpB)
			a.take(w.phone.expect("200 INVITE")).request("ACK", "")
			w.carrier.expect("ACK")
			a.refer("<sip:07700900123@10.0.0.1>", c.refer)
			w.phone.expect("202 REFER")
			inv = w.spare.expect("INVITE")
			wantHidden(t, inv, "442079460001", true)
			w.spare.answer(inv, 486, "s", "")
			w.spare.expect("ACK")
			w.phone.progress()
			w.hangUp(a)
		})
	}
}

// A phone with two calls joins their other parties and is out. Nothing new is asked of the gate. The calls may be in different shards.
func TestAnAttendedTransfer(t *testing.T) {
	for n := range 6 {
		inWorld(t, func(w *world) {
			w.opts.Shards = 4
			w.gate.plan = func(a gate.Attempt) (*gate.Plan, error) {
				if a.Dialled == "second" {
					return out("two"), nil
				}
				return out("one"), nil
			}
			a, b := w.connect(fmt.Sprintf("first%d", n))
			second := w.phone.invite(fmt.Sprintf("second%d", n), "second")
			inv := w.spare.expect("INVITE")
			w.spare.answer(inv, 200, "s", strings.Replace(sdpB, "6000", "7000", 1))
			second.take(w.phone.find("200 INVITE"))
			w.spare.expect("ACK")
			second.request("ACK", "")
			far := w.spare.accepted(inv, "s")
			tag := func(text string) string { _, t, _ := strings.Cut(text, ";tag="); return t }
			a.refer(fmt.Sprintf("<sip:second@10.0.0.1?Replaces=%s%%3Bto-tag%%3D%s%%3Bfrom-tag%%3D%s>", second.callID, tag(second.to), tag(second.from)))
			w.phone.expect("202 REFER")
			var byes int
			for byes < 2 {
				m := w.phone.next2("NOTIFY", "BYE")
				w.phone.answer(m, 200, "", "")
				if m.Method() == message.BYE {
					byes++
				}
			}
			for p, want := range map[*peer]string{w.carrier: "m=audio 7000", w.spare: "m=audio 6000"} {
				m := p.next2("INVITE", "UPDATE")
				if !strings.Contains(string(m.Body()), want) {
					t.Errorf("%s is offered\n%s", p.at, m.Body())
				}
				body := sdpB
				if p == w.spare {
					body = strings.Replace(sdpB, "6000", "7000", 1)
				}
				p.answer(m, 200, "", body)
				if m.Method() == message.INVITE {
					p.find("ACK")
				}
			}
			time.Sleep(20 * time.Minute)
			w.gate.mu.Lock()
			if len(w.gate.attempts) != 2 || len(w.gate.ends) != 0 {
				t.Errorf("%d attempts, ends %+v", len(w.gate.attempts), w.gate.ends)
			}
			w.gate.mu.Unlock()
			_ = far
			b.request("BYE", "")
			w.carrier.find("200 BYE")
			w.spare.answer(w.spare.find("BYE"), 200, "", "")
		}, func(w *world) { w.opts.PingInterval = -1 })
	}
}

// What nobody may transfer: a carrier, a stranger, another line's login, an emergency call, a call that is another line's or the same.
func TestWhoMayNotTransfer(t *testing.T) {
	inWorld(t, func(w *world) {
		toSpare(w)
		a, b := w.connect("t1")
		b.request("REFER", "", "Refer-To: <sip:07700900123@10.0.0.1>", aliceLogin)
		w.carrier.expect("403 REFER")
		outside := *a
		outside.to, outside.callID = strings.Split(a.to, ";tag=")[0], "c2"
		for _, lines := range [][]string{{}, {aliceLogin}} {
			outside.request("REFER", "", append(lines, "Refer-To: <sip:07700900123@10.0.0.1>")...)
			w.phone.expect("403 REFER")
		}
		for _, c := range []struct{ login, to, want string }{
			{strings.Replace(aliceLogin, `"alice"`, `"mallory"`, 1), "<sip:07700900123@10.0.0.1>", "403 REFER"},
			{strings.Replace(aliceLogin, `"good"`, `"wrong"`, 1), "<sip:07700900123@10.0.0.1>", "407 REFER"},
			{strings.Replace(aliceLogin, `"good"`, `"elsewhere"`, 1), "<sip:07700900123@10.0.0.1>", "403 REFER"},
			{aliceLogin, "<mailto:x@y>", "400 REFER"},
			{aliceLogin, "<sip:07700900123@10.0.0.1;method=BYE>", "400 REFER"},
		} {
			a.request("REFER", "", "Refer-To: "+c.to, c.login)
			w.phone.expect(c.want)
		}
		for _, where := range []string{"t1%3Bto-tag%3Dguess%3Bfrom-tag%3Dguess", "other%3Bto-tag%3D1%3Bfrom-tag%3D2", "%zz"} {
			a.request("REFER", "", "Refer-To: <sip:x@10.0.0.1?Replaces="+where+">", aliceLogin)
			if what(w.phone.next2("202 REFER", "400 REFER")) == "400 REFER" {
				continue
			}
			if got := w.phone.progress(); !strings.Contains(got[len(got)-1], " 481 ") {
				t.Errorf("%s: %q", where, got)
			}
		}
		w.spare.quiet(time.Minute)
		if n := len(w.gate.attempts); n != 1 {
			t.Errorf("%d attempts", n)
		}
		w.hangUp(a)
	})
}

// A flood of REFERs is one transfer at a time, each an attempt of the line that the gate counts.
func TestAFloodOfTransfers(t *testing.T) {
	inWorld(t, func(w *world) {
		toSpare(w)
		a, _ := w.connect("t1")
		for n := range 50 {
			a.request("REFER", "", fmt.Sprintf("Refer-To: <sip:077009%05d@10.0.0.1>", n), aliceLogin)
		}
		busy := 0
		for range 49 {
			m := w.phone.next2("491 REFER", "503 REFER")
			_ = m
			busy++
		}
		if inv := w.spare.expect("INVITE"); busy == 49 {
			w.spare.answer(inv, 404, "s", "")
		}
		w.spare.expect("ACK")
		w.spare.quiet(time.Second)
		if n := len(w.gate.attempts); n != 2 {
			t.Errorf("%d attempts", n)
		}
		w.hangUp(a)
	})
}

// The called phone transfers too: its line pays for the new call, and the carrier's call stays as it was.
func TestACalledPhoneTransfers(t *testing.T) {
	inWorld(t, func(w *world) {
		sentOnPlan(w, account.Forwards{})
		bob := w.bob()
		in := w.comesIn("t1")
		inv := bob.expect("INVITE")
		bob.answer(inv, 200, "bb", sdp)
		in.take(w.carrier.find("200 INVITE"))
		bob.expect("ACK")
		in.request("ACK", "")
		b := bob.accepted(inv, "bb")
		login := strings.Replace(aliceLogin, `"alice"`, `"bob"`, 1)
		b.request("REFER", "", "Refer-To: <sip:0900@10.0.0.1>", login)
		bob.expect("202 REFER")
		if got := bob.progress(); !strings.Contains(got[len(got)-1], " 403 ") {
			t.Errorf("to a premium number: %q", got)
		}
		b.request("REFER", "", "Refer-To: <tel:07700900123>", "Refer-Sub: false", login)
		if m := bob.expect("202 REFER"); string(m.Get(message.HReferSub)) != "false" {
			t.Errorf("%s", m.Bytes())
		}
		out := w.spare.expect("INVITE")
		if a := w.sentOn(); a.Line != "bob" || a.Cause != call.Transferred || a.Parent != "call-1" || a.Turns != 1 {
			t.Errorf("asked: %+v", a)
		}
		w.spare.answer(out, 200, "s", strings.Replace(sdpB, "6000", "7000", 1))
		w.spare.expect("ACK")
		bob.answer(bob.expect("BYE"), 200, "", "")
		m := w.carrier.next2("INVITE", "UPDATE")
		w.carrier.answer(m, 200, "", sdpB)
		w.carrier.find("ACK")
		w.gate.cut("call-2", policy.LineDaySpent, policy.Figures{})
		w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
		w.spare.answer(w.spare.find("BYE"), 200, "", "")
	})
}

// After a crash a transferred call is one conversation still. One whose phone had hung up before the transfer was answered ends: nobody would hear the other party.
func TestATransferOutlivesTheProcess(t *testing.T) {
	for _, done := range []bool{true, false} {
		inWorld(t, func(w *world) {
			w.loose = true
			toSpare(w)
			a, b := w.connect("t1")
			a.refer("<sip:07700900123@10.0.0.1>")
			w.phone.expect("202 REFER")
			inv := w.spare.expect("INVITE")
			states := map[call.ID]call.State{"call-1": call.Answered, "call-2": call.Setup}
			if done {
				states["call-2"] = call.Answered
				w.spare.answer(inv, 200, "s", sdp)
				w.spare.expect("ACK")
				w.phone.answer(w.phone.find("BYE"), 200, "", "")
			} else {
				w.spare.answer(inv, 180, "s", "")
				a.request("BYE", "")
				w.phone.find("200 BYE")
			}
			time.Sleep(2 * time.Second)
			var before []gate.Recovered
			w.gate.mu.Lock()
			for id, state := range states {
				before = append(before, gate.Recovered{ID: id, State: state, Snapshot: w.gate.answered[id], Begun: time.Now()})
			}
			w.gate.mu.Unlock()
			w.edge.net.Stop()
			second := &world{t: t, net: w.net, gate: w.gate, trunks: w.trunks, where: location.New(location.Options{}), opts: Options{Shards: 3}, before: before}
			second.phone, second.carrier, second.spare = w.phone, w.carrier, w.spare
			second.start()
			defer second.stop()
			if !done {
				w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
				w.spare.answer(w.spare.find("CANCEL"), 200, "", "")
				w.spare.answer(inv, 487, "s", "")
				return
			}
			for range 3 {
				for _, p := range []*peer{w.carrier, w.spare} {
					for m, err := p.next(3 * time.Second); err == nil; m, err = p.next(3 * time.Second) {
						if m.IsRequest() && m.Method() != message.ACK {
							p.answer(m, 200, "", sdp)
						}
					}
				}
			}
			b.seq += 10
			b.request("BYE", "")
			w.spare.answer(w.spare.find("BYE"), 200, "", "")
		})
	}
}
