package sip

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/flow/auth"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
)

// A lock that came after the call does not stop an emergency call that it let through.
func TestIPLockSparesEmergencyCalls(t *testing.T) {
	inWorld(t, func(w *world) {
		d := &dialog{p: w.phone, callID: "c1", from: "<sip:alice@x>;tag=1", to: "<sip:999@x>", target: "sip:999@x", inviteSeq: 1, branch: "z9hG4bKe"}
		d.request("INVITE", sdp, strings.Replace(goodLogin, "good", "elsewhere", 1))
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "b", sdpB)
		w.carrier.expect("ACK")
		d.inviteSeq = 1
		d.take(w.phone.expect("200 INVITE")).request("ACK", "")
		d.request("BYE", "")
		w.phone.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
	}, func(w *world) {
		w.change = func(d *fakes) { d.allowed = func(string, netip.Addr, time.Time) bool { return false } }
	})
}

// Nobody elsewhere answers for a locked line's phone, though they know branch and tags: not its call, nor what is asked
// inside of it, which would move the call to them.
func TestIPLockHoldsForAnswers(t *testing.T) {
	const bobAt = "10.0.2.1:5060"
	inWorld(t, func(w *world) {
		thief, bob := w.peer(elsewhereAt), w.peer(bobAt)
		bob.register("bob", "reg", 1, "Contact: <sip:bob@"+bobAt+">")
		bob.expect("200 REGISTER")
		a := w.phone.invite("c1", "02079460111")
		inv := bob.expect("INVITE")
		bob.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		thief.answer(inv, 200, "b", sdpB)
		thief.answer(inv, 486, "b", "")
		w.phone.quiet(time.Second)
		bob.answer(inv, 200, "b", sdpB)
		a.take(w.phone.expect("200 INVITE"))
		bob.expect("ACK")
		a.request("ACK", "")

		a.request("INFO", "")
		info := bob.expect("INFO")
		thief.answer(info, 481, "", "") // would end the call
		w.phone.quiet(100 * time.Millisecond)
		bob.answer(info, 200, "", "")
		w.phone.expect("200 INFO")
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		thief.answer(bob.expect("BYE"), 200, "", "") // from wherever: it is over
		thief.quiet(time.Second)
		bob.quiet(time.Minute)
		if n := w.edge.Stats().Elsewhere; n != 3 {
			t.Errorf("%d counted", n)
		}
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return &gate.Plan{Routes: []gate.Route{{Line: "bob"}}}, nil }
		w.change = func(d *fakes) {
			d.allowed = func(line string, src netip.Addr, _ time.Time) bool {
				return line != "bob" || src == netip.MustParseAddrPort(bobAt).Addr()
			}
		}
	})
}

// What a phone answered where its line may not be used any more is found.
func TestElsewhere(t *testing.T) {
	const bobAt = "10.0.2.1:5060"
	var shut atomic.Bool
	inWorld(t, func(w *world) {
		bob := w.peer(bobAt)
		bob.register("bob", "reg", 1, "Contact: <sip:bob@"+bobAt+">")
		bob.expect("200 REGISTER")
		a := w.phone.invite("c1", "02079460111")
		bob.answer(bob.expect("INVITE"), 200, "b", sdpB)
		a.take(w.phone.expect("200 INVITE"))
		bob.expect("ACK")
		a.request("ACK", "")
		look := func(line string) (found []call.ID) {
			all := make(chan call.ID, 10)
			w.edge.Elsewhere(line, func(id call.ID) { all <- id })
			synctest.Wait()
			for len(all) > 0 {
				found = append(found, <-all)
			}
			return found
		}
		if got := look(""); len(got) != 0 {
			t.Errorf("%v found before there is a lock", got)
		}
		shut.Store(true)
		if any, his, others := look(""), look("bob"), look("alice"); len(any) != 1 || any[0] != "call-1" || len(his) != 1 || len(others) != 0 {
			t.Errorf("found %v, of the line %v, of another %v", any, his, others)
		}
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		bob.answer(bob.expect("BYE"), 200, "", "")
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return &gate.Plan{Routes: []gate.Route{{Line: "bob"}}}, nil }
		w.change = func(d *fakes) {
			d.allowed = func(line string, _ netip.Addr, _ time.Time) bool { return line != "bob" || !shut.Load() }
		}
	})
}

// A carrier answers from where it was asked, or from another address that the trunk lists.
func TestTrunkHoldsForAnswers(t *testing.T) {
	inWorld(t, func(w *world) {
		thief := w.peer(elsewhereAt)
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		thief.answer(inv, 603, "b", "")
		w.phone.quiet(100 * time.Millisecond)
		w.spare.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		w.carrier.answer(inv, 200, "b", sdpB)
		a.take(w.phone.expect("200 INVITE"))
		w.carrier.expect("ACK")
		a.request("ACK", "")
		w.hangUp(a)
	}, listed, func(w *world) {
		w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{carrierAt}, Sources: []netip.Prefix{netip.MustParsePrefix(netip.MustParseAddrPort(spareAt).Addr().String() + "/32")}}
	})
}

// A carrier whose trunk does not list where its calls come from may answer a call from anywhere in its cluster. Inside the call it is
// held to what it names.
func TestATrunkThatListsNoSources(t *testing.T) {
	inWorld(t, func(w *world) {
		other := w.peer(elsewhereAt)
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		other.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		other.answer(inv, 200, "b", sdpB, "Contact: <sip:c@"+carrierAt+">")
		a.take(w.phone.expect("200 INVITE"))
		w.carrier.expect("ACK")
		a.request("ACK", "")
		a.request("INVITE", sdp)
		w.phone.expect("100 INVITE")
		re := w.carrier.expect("INVITE")
		other.answer(re, 200, "", sdpB)
		w.phone.quiet(100 * time.Millisecond)
		w.carrier.answer(re, 200, "", sdpB)
		w.carrier.expect("ACK")
		w.phone.expect("200 INVITE")
		a.request("ACK", "")
		w.hangUp(a)
	}, listed)
}

// An answer inside a call moves the session, so that it is taken from where the phone is, and from nowhere else.
func TestAnAnswerInsideACallFromElsewhere(t *testing.T) {
	bobs(t, func(w *world, bob *peer) {
		a := w.phone.invite("c1", "bob")
		inv := bob.expect("INVITE")
		bob.answer(inv, 200, "p", sdpB)
		bob.expect("ACK")
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		a.request("INVITE", sdp)
		w.phone.expect("100 INVITE")
		re := bob.expect("INVITE")
		thief := w.peer(elsewhereAt)
		thief.answer(re, 200, "p", strings.ReplaceAll(sdpB, "10.0.9.1", "10.0.6.6"))
		thief.quiet(100 * time.Millisecond)
		if n := w.edge.Stats().Elsewhere; n != 1 {
			t.Errorf("%d counted", n)
		}
		bob.answer(re, 200, "p", sdpB)
		bob.expect("ACK")
		w.phone.expect("200 INVITE")
		a.request("ACK", "")
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		bob.answer(bob.expect("BYE"), 200, "", "")
	})
}

// A call for help goes on and is hung up as ever when its line is locked to other addresses meanwhile.
func TestIPLockSparesEmergencyCallsThatAreUp(t *testing.T) {
	var shut atomic.Bool
	inWorld(t, func(w *world) {
		a, b := w.connect("c1")
		shut.Store(true)
		b.request("INFO", "")
		info := w.phone.expect("INFO")
		w.phone.answer(info, 200, "", "")
		w.carrier.expect("200 INFO")
		w.hangUp(a)
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { p := out("one"); p.Always = true; return p, nil }
		w.change = func(d *fakes) { d.allowed = func(string, netip.Addr, time.Time) bool { return !shut.Load() } }
	})
}

// A call that is cut while it rings, as its line was locked to other addresses, is over for its phone with the refusal: the
// ACK ends the repeats.
func TestIPLockCutsWhatRings(t *testing.T) {
	var shut atomic.Bool
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		shut.Store(true)
		w.gate.cut("call-1", policy.AddressLocked, policy.Figures{})
		a.take(w.phone.expect("403 INVITE"))
		w.carrier.answer(w.carrier.expect("CANCEL"), 200, "", "")
		w.carrier.answer(inv, 487, "b", "")
		w.carrier.expect("ACK")
		a.request("ACK", "")
		w.phone.quiet(time.Minute)
	}, func(w *world) {
		w.change = func(d *fakes) { d.allowed = func(string, netip.Addr, time.Time) bool { return !shut.Load() } }
	})
}

// A scanner hears nothing, whatever it asks; a carrier that passes on such a text is heard.
func TestScannersAreMetWithSilence(t *testing.T) {
	inWorld(t, func(w *world) {
		x := w.peer(elsewhereAt)
		for _, method := range []string{"OPTIONS", "REGISTER", "INVITE", "BYE", "NONSENSE"} {
			x.send(method + " sip:100@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP " + elsewhereAt + ";branch=z9hG4bKs" + method + "\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:100@y>\r\n" +
				"Call-ID: scan-" + method + "\r\nCSeq: 1 " + method + "\r\nMax-Forwards: 70\r\nContact: <sip:x@" + elsewhereAt + ">\r\nUser-Agent: friendly-scanner")
		}
		x.quiet(time.Minute)
		if n := w.edge.Stats().Scanners; n != 5 {
			t.Errorf("%d counted", n)
		}
	}, func(w *world) { w.opts.Silent = true })
}

// While logins are locked out, the right password goes no further than a wrong one, but for an emergency call.
func TestLockedOutLoginMayCallForHelp(t *testing.T) {
	for dialled, want := range map[string]bool{"999": true, "02079460000": false} {
		inWorld(t, func(w *world) {
			d := &dialog{p: w.phone, callID: "c1", from: "<sip:alice@x>;tag=1", to: "<sip:" + dialled + "@x>", target: "sip:" + dialled + "@x", inviteSeq: 1, branch: "z9hG4bKe"}
			d.request("INVITE", sdp, goodLogin)
			if !want {
				m := w.phone.expect("403 INVITE")
				if !strings.Contains(string(m.Bytes()), policy.BadCredentials.Text(policy.Figures{})) || len(w.gate.attempts) != 0 {
					t.Errorf("%d attempts, and the answer tells:\n%s", len(w.gate.attempts), m.Bytes())
				}
				return
			}
			inv := w.carrier.expect("INVITE")
			if !w.gate.attempts[0].Restricted {
				t.Errorf("attempt %+v", w.gate.attempts[0])
			}
			w.carrier.answer(inv, 486, "b", "")
			w.carrier.expect("ACK")
			d.inviteSeq = 1
			d.take(w.phone.expect("486 INVITE")).request("ACK", "")
		}, func(w *world) {
			w.change = func(d *fakes) {
				d.check = func(c *auth.Credentials, _ netip.Addr, _ time.Time) guard.Result {
					return guard.Result{Outcome: guard.Refuse, Line: string(c.User), Reason: policy.BadCredentials, EmergencyOK: true}
				}
				d.emergency = func(dialled string) bool { return dialled == "999" }
			}
		})
	}
}

// locked allows alice's calls from her own address only.
func locked(w *world) {
	w.change = func(d *fakes) {
		d.allowed = func(line string, src netip.Addr, _ time.Time) bool {
			return line == "alice" && src == netip.MustParseAddrPort(phoneAt).Addr()
		}
	}
}

func TestCleanText(t *testing.T) {
	for in, want := range map[string]string{
		"Yealink SIP-T46S 66.86.0.15":     "Yealink SIP-T46S 66.86.0.15",
		"Téléphone “Süd”":                 "Téléphone “Süd”",
		"a\x1b[2Jb\x00\u0085c":            "a?[2Jb??c",
		"bidi \u202etxt.exe\u2066 \u200b": "bidi ?txt.exe? ?",
		"za\u0301\u0302\u0303lgo":         "za???lgo",
		"half \xc3":                       "half ?",
	} {
		if got := cleanText(in, 200); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
