package sip

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/locate"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

const elsewhereAt = "10.0.6.6:5060"

// elsewhere is the same dialog as somebody at another address would go on with it.
func (d dialog) elsewhere(w *world) *dialog {
	d.p = w.peer(elsewhereAt)
	return &d
}

// listed makes the carrier's list its own address and that of the spare one.
func listed(w *world) {
	w.change = func(d *fakes) {
		d.trunkMay = func(_ string, src netip.Addr) bool { return src == netip.MustParseAddrPort(spareAt).Addr() }
	}
}

// endedFrom checks that the gate was told who ended the latest call, and from where if that was not expected.
func (w *world) endedFrom(by call.Party, from string) {
	w.t.Helper()
	end := w.gate.only(w.t.(*testing.T))
	got := ""
	if end.From.IsValid() {
		got = end.From.String()
	}
	if end.By != by || end.Reason != policy.Hangup && end.Reason != policy.Cancelled || got != from {
		w.t.Errorf("ended by %v for %v from %q, want by %v from %q", end.By, end.Reason, got, by, from)
	}
}

// Guards against a hang-up that is refused while the call is billed on: carriers hang up from other addresses of their cluster.
func TestACarrierHangsUpFromAnywhere(t *testing.T) {
	inWorld(t, func(w *world) {
		_, b := w.connect("c1")
		other := b.elsewhere(w)
		other.request("BYE", "")
		other.p.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 481, "", "") // it is made sure of where the carrier is
		w.phone.answer(w.phone.expect("BYE"), 200, "", "")
		w.endedFrom(call.Callee, elsewhereAt)
		if s := w.edge.Stats(); s.EndsElsewhere != 1 || s.Elsewhere != 0 {
			t.Errorf("%+v", s)
		}
	}, listed)
}

// A locked line's call ends on its phone's word from anywhere; nothing else of it is done from where the lock does not allow.
func TestIPLockHoldsInsideDialogs(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.connect("c1")
		thief := a.elsewhere(w)
		for _, method := range []string{"INVITE", "INFO", "UPDATE", "OPTIONS", "REFER", "PRACK"} {
			thief.request(method, "")
			m := thief.p.expect("403 " + method)
			if !strings.Contains(string(m.Bytes()), policy.AddressLocked.Text(policy.Figures{})) {
				t.Errorf("%s is refused without its reason:\n%s", method, m.Bytes())
			}
		}
		w.carrier.quiet(time.Second)
		if n := w.edge.Stats().Elsewhere; n != 6 {
			t.Errorf("%d counted", n)
		}
		thief.request("BYE", "")
		thief.p.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		w.endedFrom(call.Caller, elsewhereAt)
	}, locked)
}

// A CANCEL is known by Call-ID, From tag, number and branch, and ends what rings from wherever it comes. One that lacks any of
// them ends nothing.
func TestACancelEndsWhatRingsFromAnywhere(t *testing.T) {
	for _, where := range []string{"locked", "open"} {
		inWorld(t, func(w *world) {
			a := w.phone.invite("c1", "02079460000")
			inv := w.carrier.expect("INVITE")
			w.carrier.answer(inv, 180, "b", "")
			w.phone.expect("180 INVITE")
			thief := a.elsewhere(w)
			for _, wrong := range []func(d *dialog){
				func(d *dialog) { d.from = "<sip:alice@10.0.0.1>;tag=guess" },
				func(d *dialog) { d.branch = "z9hG4bKguess" },
				func(d *dialog) { d.inviteSeq++ },
				func(d *dialog) { d.callID = "c2" },
			} {
				d := *thief
				wrong(&d)
				d.request("CANCEL", "")
				d.p.expect("481 CANCEL")
			}
			w.carrier.quiet(time.Second)
			thief.request("CANCEL", "", "X(odd): 1", "Date: x", "Date: x", "no header at all")
			thief.p.expect("200 CANCEL")
			w.carrier.answer(w.carrier.expect("CANCEL"), 200, "", "")
			w.carrier.answer(inv, 487, "b", "")
			w.carrier.expect("ACK")
			w.phone.expect("487 INVITE")
			a.request("ACK", "")
			w.endedFrom(call.Caller, elsewhereAt)
			if n := w.edge.Stats().WrongTags; n != 4 {
				t.Errorf("%d wrong tags counted", n)
			}
		}, func(w *world) {
			if where == "locked" {
				locked(w)
			}
		})
	}
}

// A CANCEL of a re-INVITE ends no call: from elsewhere it is refused. One that comes after the answer does nothing.
func TestACancelThatEndsNoCall(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.connect("c1")
		thief := a.elsewhere(w)
		thief.request("CANCEL", "")
		thief.p.expect("403 CANCEL")
		a.request("CANCEL", "")
		w.phone.expect("200 CANCEL")
		a.request("INVITE", sdp)
		w.phone.expect("100 INVITE")
		re := w.carrier.expect("INVITE")
		thief.branch, thief.inviteSeq = a.lastBranch, a.inviteSeq
		thief.request("CANCEL", "")
		thief.p.expect("403 CANCEL")
		w.carrier.answer(re, 200, "", sdpB)
		w.carrier.expect("ACK")
		w.phone.expect("200 INVITE")
		a.request("ACK", "")
		w.hangUp(a)
	})
}

// A BYE ends the call whatever is odd in it: its number, a missing Max-Forwards, headers that are doubled, broken or unknown.
func TestAnOddByeEndsTheCall(t *testing.T) {
	for _, odd := range []struct{ drop, with string }{
		{"CSeq: 101 BYE", "CSeq: 1 BYE"},
		{"CSeq: 101 BYE", "CSeq: 101 INVITE"},
		{"CSeq: 101 BYE", "CSeq: x"},
		{"Max-Forwards: 70", "Max-Forwards: 0"},
		{"Max-Forwards: 70\r\n", ""},
		{"Max-Forwards: 70", "Require: foo\r\nProxy-Require: bar"},
		{"Max-Forwards: 70", "Content-Type: a/b\r\nContent-Type: a/b\r\nX-Charge/Info: 1\r\ngarbage"},
		{"Max-Forwards: 70", "Contact: <sip:c@10.0.9.1;x=>\r\nRecord-Route: <sip:10.0.9.1;lr;ftag=>\r\nExpires: 1;x"},
		{"Max-Forwards: 70", "Authorization: Digest nonsense"},
		{"SIP/2.0\r\nVia", "SIP/2.0 \r\nVia"},
		{"Content-Length: 0", "Content-Length: 3000"},
		{"\r\n", "\n"},
	} {
		inWorld(t, func(w *world) {
			_, b := w.connect("c1")
			text := strings.Join([]string{
				"BYE " + b.target + " SIP/2.0", "Via: SIP/2.0/UDP " + carrierAt + ";branch=z9hG4bKodd", "Max-Forwards: 70",
				"From: " + b.from, "To: " + b.to, "Call-ID: " + b.callID, "CSeq: 101 BYE", "Content-Length: 0", "", "",
			}, "\r\n")
			if !strings.Contains(text, odd.drop) {
				t.Fatalf("%q", odd.drop)
			}
			w.carrier.raw(strings.ReplaceAll(text, odd.drop, odd.with))
			m, err := w.carrier.next(time.Second)
			if err != nil || m.Status() != 200 {
				t.Fatalf("with %q: %v", odd.with, m)
			}
			w.phone.answer(w.phone.expect("BYE"), 200, "", "")
			w.endedFrom(call.Callee, "")
		})
	}
}

// raw sends a text as it is.
func (p *peer) raw(text string) {
	p.t.Helper()
	if _, err := p.sock.WriteTo([]byte(text), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(p.to))); err != nil {
		p.t.Fatal(err)
	}
}

// A flood of BYEs with wrong tags ends nothing, is counted by source, and leaves no state.
func TestWrongTagsAreCountedBySource(t *testing.T) {
	var mu sync.Mutex
	by := map[netip.Addr]int{}
	inWorld(t, func(w *world) {
		a, b := w.connect("c1")
		thief := b.elsewhere(w)
		for i := range 300 {
			d := *thief
			switch i % 3 {
			case 0:
				d.to = fmt.Sprintf("<sip:x@10.0.0.1>;tag=%016x", i)
			case 1:
				d.from = fmt.Sprintf("<sip:x@10.0.0.1>;tag=%d", i)
			case 2:
				d.callID = fmt.Sprint("guess-", i)
			}
			d.request("BYE", "")
			d.p.expect("481 BYE")
		}
		synctest.Wait()
		if n := by[netip.MustParseAddr("10.0.6.6")]; n != 300 || w.edge.Stats().WrongTags != 300 {
			t.Errorf("%d counted, %d in all", n, w.edge.Stats().WrongTags)
		}
		for _, s := range w.edge.shards {
			for _, l := range s.byID {
				for _, l := range l.all {
					if len(l.servers) > 1 {
						t.Errorf("%d requests are remembered", len(l.servers))
					}
				}
			}
		}
		w.carrier.quiet(time.Second)
		w.hangUp(a)
	}, func(w *world) {
		w.change = func(d *fakes) {
			d.wrongTags = func(src netip.Addr) {
				mu.Lock()
				defer mu.Unlock()
				by[src]++
			}
		}
	})
}

// Inside a call over a trunk, requests come from the trunk's addresses and from those that the carrier's Contact and
// Record-Route name, from nowhere else.
func TestTrunkHoldsInsideDialogs(t *testing.T) {
	inWorld(t, func(w *world) {
		routed, far, contact := w.peer("10.0.9.7:5060"), w.peer("10.0.9.8:5060"), w.peer("10.0.9.9:5060")
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "b", sdpB, "Record-Route: <sip:10.0.9.8;lr>, <sip:10.0.9.7;lr>", "Contact: <sip:c@10.0.9.9>")
		a.take(w.phone.expect("200 INVITE"))
		routed.expect("ACK")
		a.request("ACK", "")
		b := w.carrier.accepted(inv, "b")
		thief := b.elsewhere(w)
		for _, method := range []string{"INVITE", "INFO", "UPDATE", "OPTIONS", "REFER"} {
			thief.request(method, "")
			m := thief.p.expect("403 " + method)
			if !strings.HasPrefix(why(m), "unknown-trunk") {
				t.Errorf("%s\n%s", method, m.Bytes())
			}
		}
		w.phone.quiet(time.Second)
		b.seq = 200
		for _, p := range []*peer{w.carrier, w.spare, routed, far, contact} {
			b.p = p
			b.request("INFO", "")
			w.phone.answer(w.phone.expect("INFO"), 200, "", "")
			p.expect("200 INFO")
		}
		b.request("BYE", "")
		b.p.expect("200 BYE")
		w.phone.answer(w.phone.expect("BYE"), 200, "", "")
		w.endedFrom(call.Callee, "")
	}, listed)
}

// A carrier may name its hosts: the DNS is asked for them when a request comes from where it is not known to be.
func TestACarrierNamesAHost(t *testing.T) {
	for _, named := range []string{"Contact: <sip:c@gw.carrier.example:5070>", "Record-Route: <sip:gw.carrier.example;lr>", "the trunk's list"} {
		inWorld(t, func(w *world) {
			near, far := w.peer("10.0.9.99:5060"), w.peer(elsewhereAt)
			w.edge.names.find = func(_ context.Context, address, _ string) (*locate.Servers, error) {
				if host, _, _ := strings.Cut(address, ":"); host != "gw.carrier.example" {
					t.Errorf("asked for %q", address)
				}
				time.Sleep(time.Second) // the request is repeated meanwhile
				return locate.At(time.Minute, locate.Target{Addr: netip.MustParseAddrPort("10.0.9.98:5060")}, locate.Target{Addr: netip.MustParseAddrPort("10.0.9.99:5060")}), nil
			}
			a := w.phone.invite("c1", "02079460000")
			inv := w.carrier.expect("INVITE")
			if !strings.Contains(named, ":") {
				w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{carrierAt, "gw.carrier.example:5060"}}
				w.carrier.answer(inv, 200, "b", sdpB)
			} else {
				w.carrier.answer(inv, 200, "b", sdpB, named)
			}
			a.take(w.phone.expect("200 INVITE"))
			w.carrier.expect("ACK")
			a.request("ACK", "")
			b := w.carrier.accepted(inv, "b")
			b.p = far
			b.request("INFO", "")
			far.expect("403 INFO")
			b.p = near
			for range 2 {
				b.request("INFO", "")
				w.phone.answer(w.phone.expect("INFO"), 200, "", "")
				near.expect("200 INFO")
			}
			b.request("BYE", "")
			near.expect("200 BYE")
			w.phone.answer(w.phone.expect("BYE"), 200, "", "")
			w.endedFrom(call.Callee, "")
		}, listed)
	}
}

// An ACK from elsewhere confirms nothing, and what it offers is not taken.
func TestAnAckFromElsewhere(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "b", sdpB)
		w.carrier.expect("ACK")
		a.take(w.phone.expect("200 INVITE"))
		a.elsewhere(w).request("ACK", strings.ReplaceAll(sdp, "10.0.1.1", "10.0.6.6"))
		w.phone.expect("200 INVITE") // again: it is not confirmed
		w.carrier.quiet(100 * time.Millisecond)
		a.request("ACK", "")
		w.phone.quiet(10 * time.Second)
		if n := w.edge.Stats().Elsewhere; n != 1 {
			t.Errorf("%d counted", n)
		}
		w.hangUp(a)
	})
}

// A phone that moves goes on with its call when it logs in, or when it has registered where it is now; tags alone move nothing.
func TestAPhoneThatMovesLogsIn(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.connect("c1")
		thief := a.elsewhere(w)
		for _, method := range []string{"INVITE", "UPDATE", "INFO"} {
			thief.request(method, sdp)
			thief.p.expect("407 " + method)
			thief.request(method, sdp, strings.Replace(goodLogin, `"alice"`, `"bob"`, 1)) // another line's
			thief.p.expect("403 " + method)
		}
		w.carrier.quiet(time.Second)
		thief.request("INFO", "", goodLogin)
		w.carrier.answer(w.carrier.expect("INFO"), 200, "", "")
		thief.p.expect("200 INFO")
		thief.request("INFO", "") // it is there now
		w.carrier.answer(w.carrier.expect("INFO"), 200, "", "")
		thief.p.expect("200 INFO")
		w.register("alice", "10.0.6.7:5060")
		third := *thief
		third.p = w.peer("10.0.6.7:5060")
		third.request("INFO", "")
		w.carrier.answer(w.carrier.expect("INFO"), 200, "", "")
		third.p.expect("200 INFO")
		third.request("BYE", "")
		third.p.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		w.endedFrom(call.Caller, "")
	})
}

// forHelp makes every call one for help.
func forHelp(w *world) {
	w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { p := out("one"); p.Always = true; return p, nil }
	before := w.change
	w.change = func(d *fakes) {
		if before != nil {
			before(d)
		}
		d.emergency = func(string) bool { return true }
	}
}

// A call for help does not end on tags alone: the party is asked, with the session, and only when it does not know the call is
// the end true. Neither an answer nor silence ends it.
func TestAnEmergencyCallEndsFromElsewhereOnlyIfItIsOver(t *testing.T) {
	for _, side := range []string{"caller", "callee"} {
		for _, says := range []int{200, 488, 491, 0, 481} {
			t.Run(fmt.Sprint(side, " ", says), func(t *testing.T) {
				inWorld(t, func(w *world) {
					a, b := w.connect("c1")
					d, real, far, ask, by, session := a, w.phone, w.carrier, "INVITE", call.Caller, sdp
					if side == "callee" {
						d, real, far, ask, by, session = b, w.carrier, w.phone, "UPDATE", call.Callee, sdpB
					}
					thief := d.elsewhere(w)
					thief.request("BYE", "")
					q := real.expect(ask)
					if len(q.Body()) == 0 {
						t.Errorf("asked without the session:\n%s", q.Bytes())
					}
					if says == 0 {
						for m, err := real.next(40 * time.Second); err == nil; m, err = real.next(10 * time.Second) {
							if what(m) != ask {
								t.Fatalf("%s", m.Bytes())
							}
						}
					} else {
						real.answer(q, says, "", map[bool]string{true: session}[says == 200])
					}
					if ask == "INVITE" && says != 0 {
						real.expect("ACK")
					}
					if says == 481 {
						thief.p.expect("200 BYE")
						far.answer(far.expect("BYE"), 200, "", "")
						w.endedFrom(by, elsewhereAt)
						return
					}
					thief.p.expect("403 BYE")
					thief.request("BYE", "") // at once again: nobody is asked again so soon
					if says != 0 {
						thief.p.expect("403 BYE")
						real.quiet(time.Second)
					}
					far.quiet(100 * time.Millisecond)
					if n := len(w.gate.ends); n != 0 {
						t.Fatal("the call has ended")
					}
					if says == 0 {
						for m, err := real.next(40 * time.Second); err == nil; m, err = real.next(10 * time.Second) {
							_ = m
						}
					}
					d.seq += 10
					d.request("BYE", "")
					real.find("200 BYE")
					far.answer(far.find("BYE"), 200, "", "")
					w.endedFrom(by, "")
				}, listed, forHelp)
			})
		}
	}
}

// A call for help that rings is not cancelled from elsewhere either, unless its phone has no such call.
func TestAnEmergencyCallThatRings(t *testing.T) {
	for _, says := range []int{200, 481} {
		inWorld(t, func(w *world) {
			a := w.phone.invite("c1", "999")
			inv := w.carrier.expect("INVITE")
			thief := a.elsewhere(w)
			thief.request("CANCEL", "") // the phone has heard nothing yet, so it cannot be asked
			thief.p.expect("403 CANCEL")
			w.carrier.answer(inv, 180, "b", "")
			ringing := w.phone.expect("180 INVITE")
			time.Sleep(askPause)
			early := *thief
			early.to = string(ringing.Get(message.HTo))
			early.request("BYE", "")
			q := w.phone.expect("OPTIONS")
			if string(q.From().Tag()) != string(ringing.To().Tag()) {
				t.Errorf("asked in another dialog:\n%s", q.Bytes())
			}
			w.phone.answer(q, says, "", "")
			if says == 481 {
				thief.p.expect("200 BYE")
				w.phone.expect("487 INVITE")
				a.request("ACK", "")
				w.endedFrom(call.Caller, elsewhereAt)
			} else {
				thief.p.expect("403 BYE")
				time.Sleep(askPause)
				thief.request("CANCEL", "")
				w.phone.answer(w.phone.expect("OPTIONS"), says, "", "")
				thief.p.expect("403 CANCEL")
				w.carrier.quiet(time.Second)
				a.request("CANCEL", "")
				w.phone.expect("200 CANCEL")
				w.phone.expect("487 INVITE")
				a.request("ACK", "")
				w.endedFrom(call.Caller, "")
			}
			w.carrier.answer(w.carrier.expect("CANCEL"), 200, "", "")
			w.carrier.answer(inv, 487, "b", "")
			w.carrier.expect("ACK")
		}, forHelp)
	}
}

// A BYE in the early dialog of any fork, or while a re-INVITE is open, ends the call.
func TestAByeAtOddMoments(t *testing.T) {
	inWorld(t, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one", "two"), nil }
		a := w.phone.invite("c1", "020")
		w.carrier.answer(w.carrier.expect("INVITE"), 503, "x", "")
		w.carrier.expect("ACK")
		inv := w.spare.expect("INVITE")
		w.spare.answer(inv, 183, "b", sdpB)
		early := *a
		early.take(w.phone.expect("183 INVITE"))
		early = *early.elsewhere(w)
		early.request("BYE", "")
		early.p.expect("200 BYE")
		w.phone.expect("487 INVITE")
		a.request("ACK", "")
		w.spare.answer(w.spare.expect("CANCEL"), 200, "", "")
		w.spare.answer(inv, 487, "b", "")
		w.spare.expect("ACK")
		w.endedFrom(call.Caller, elsewhereAt)
	})
	inWorld(t, func(w *world) {
		a, b := w.connect("c1")
		a.request("INVITE", sdp)
		w.phone.expect("100 INVITE")
		re := w.carrier.expect("INVITE")
		other := b.elsewhere(w)
		other.request("BYE", "")
		other.p.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 481, "", "")
		w.carrier.answer(re, 487, "", "")
		w.carrier.expect("ACK")
		w.phone.find("BYE")
		w.endedFrom(call.Callee, elsewhereAt)
		w.phone.drain()
	}, listed)
}

// drain answers every BYE until nothing comes any more.
func (p *peer) drain() {
	for m, err := p.next(40 * time.Second); err == nil; m, err = p.next(40 * time.Second) {
		if m.IsRequest() && m.Method() == message.BYE {
			p.answer(m, 200, "", "")
		}
	}
}

// One INFO or OPTIONS without an answer ends no call; a peer that says it knows none is asked with the session.
func TestAnInfoWithoutAnAnswerEndsNoCall(t *testing.T) {
	for _, says := range []int{0, 481} {
		inWorld(t, func(w *world) {
			a, _ := w.connect("c1")
			a.request("INFO", "")
			info := w.carrier.expect("INFO")
			if says != 0 {
				w.carrier.answer(info, says, "", "")
				w.phone.expect("481 INFO")
				w.carrier.answer(w.carrier.expect("UPDATE"), 200, "", sdpB)
			} else {
				w.phone.find("408 INFO")
				for _, err := w.carrier.next(time.Second); err == nil; _, err = w.carrier.next(time.Second) {
				}
			}
			w.phone.quiet(time.Minute)
			w.hangUp(a)
		})
	}
}

// Where there is nothing else to ask with, single OPTIONS may stay without an answer; three in a row may not.
func TestOptionsWithoutAnAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("c1")
		w.crashWithout("s")
		answered := 0
		began := time.Now()
		for ended := false; !ended; {
			if m, err := w.carrier.next(time.Second); err == nil {
				w.carrier.answer(m, 200, "", sdpB)
			}
			switch m, err := w.phone.next(time.Second); {
			case time.Since(began) > time.Hour:
				t.Fatal("it never ends")
			case err != nil:
			case what(m) == "BYE":
				ended = true
				w.phone.answer(m, 200, "", "")
			case what(m) == "OPTIONS" && answered < 1 && time.Since(began) > 5*time.Minute:
				answered++
				w.phone.answer(m, 200, "", "")
			}
		}
		if d := time.Since(began); d < 15*time.Minute || answered != 1 {
			t.Errorf("given up after %v", d)
		}
		w.carrier.drain()
	})
}

// crashWithout is a crash after which a field of the legs' records is not known.
func (w *world) crashWithout(field string) {
	w.t.Helper()
	synctest.Wait()
	w.gate.mu.Lock()
	var legs []map[string]any
	if err := json.Unmarshal(w.gate.answered["call-1"], &legs); err != nil {
		w.t.Fatal(err)
	}
	for _, l := range legs {
		delete(l, field)
	}
	w.gate.answered["call-1"], _ = json.Marshal(legs)
	w.gate.mu.Unlock()
	w.crash()
}
