package sip

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
)

// Who calls is what the plan says; a caller who hides is hidden to the callee and known to the carrier (RFC 3323, 3325).
func TestCallerIdentity(t *testing.T) {
	for _, c := range []struct {
		name, from, lines string
		present           string
		wantFrom, wantPAI string
		privacy           string
	}{
		{"shown", `"Al" <sip:alice@x>`, "", "442079460001", "sip:+442079460001@10.0.0.1", "sip:+442079460001@10.0.0.1", ""},
		{
			"a number that is not his", `<sip:+449098790000@x>`, "P-Asserted-Identity: <sip:+449098790000@x>\nP-Preferred-Identity: <sip:+449098790000@x>\nRemote-Party-ID: <sip:1@x>",
			"442079460001", "sip:+442079460001@10.0.0.1", "sip:+442079460001@10.0.0.1", "",
		},
		{"hidden by Privacy", `<sip:alice@x>`, "Privacy: id", "442079460001", "sip:anonymous@anonymous.invalid", "sip:+442079460001@10.0.0.1", "id"},
		{"hidden by From", `"Anonymous" <sip:anonymous@anonymous.invalid>`, "", "442079460001", "sip:anonymous@anonymous.invalid", "sip:+442079460001@10.0.0.1", "id"},
		{"a line without a number", `"HMRC" <sip:+442079460999@x>`, "", "", "sip:anonymous@anonymous.invalid", "", "id"},
		{"a From that would break ours", `<sip:bob%40evil%3Bx%3Dy%0D%0AX-Evil:1@x>`, "", "", "sip:anonymous@anonymous.invalid", "", "id"},
	} {
		inWorld(t, func(w *world) {
			d := &dialog{p: w.phone, callID: "c1", from: c.from + ";tag=1", to: "<sip:020@x>", target: "sip:020@x", inviteSeq: 1, branch: "z9hG4bKe"}
			d.request("INVITE", sdp, append(strings.Split(c.lines, "\n"), goodLogin)[btoi(c.lines == ""):]...)
			inv := w.carrier.expect("INVITE")
			var pai string
			n := 0
			for a := range inv.Addrs(message.HPAssertedIdentity) {
				pai = string(a.URI)
				n++
			}
			if string(inv.From().URI) != c.wantFrom || pai != c.wantPAI || n > 1 || string(inv.Get(message.HPrivacy)) != c.privacy {
				t.Errorf("%s:\n%s", c.name, inv.Bytes())
			}
			for i := range inv.NumHeaders() {
				if _, name, _ := inv.Header(i); !strings.Contains(" Via Max-Forwards From To Call-ID CSeq Contact Allow Supported User-Agent Session-Expires Min-SE Privacy P-Asserted-Identity Content-Type Content-Length ", " "+string(name)+" ") {
					t.Errorf("%s: the carrier got %s", c.name, name)
				}
			}
			w.carrier.answer(inv, 486, "b", "")
			w.carrier.expect("ACK")
			d.inviteSeq = 1
			d.take(w.phone.expect("486 INVITE")).request("ACK", "")
		}, func(w *world) {
			w.gate.plan = func(gate.Attempt) (*gate.Plan, error) {
				p := out("one")
				p.Present, p.Network = c.present, c.present
				return p, nil
			}
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A cut that comes before the shard has heard of the call is obeyed all the same.
func TestCutBeforeTheCallIsKnown(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		a.take(w.phone.find("403 INVITE")).request("ACK", "")
		w.carrier.quiet(time.Second)
		if end := w.gate.only(t); end.Reason != policy.CutByStaff || end.By != call.System {
			t.Errorf("end %+v", end)
		}
	}, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) {
			w.gate.cut("call-1", policy.CutByStaff, policyFigures)
			return out("one"), nil
		}
	})
}

// The callee hangs up, or the gate cuts, while the answer is being written down: the caller never hears the answer, both
// legs end, and nothing is charged.
func TestEndsWhileTheAnswerIsWrittenDown(t *testing.T) {
	for _, cut := range []bool{false, true} {
		inWorld(t, func(w *world) {
			a := w.phone.invite("c1", "020")
			w.phone.expect("100 INVITE")
			inv := w.carrier.expect("INVITE")
			w.carrier.answer(inv, 200, "b", sdpB)
			time.Sleep(time.Second)
			want := "487 INVITE"
			if cut {
				w.gate.cut("call-1", policy.CutByStaff, policyFigures)
				w.carrier.expect("ACK")
				w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
				want = "403 INVITE"
			} else {
				w.carrier.accepted(inv, "b").request("BYE", "")
				w.carrier.expect("200 BYE")
			}
			a.take(w.phone.find(want)).request("ACK", "")
			time.Sleep(5 * time.Second)
			if end := w.gate.only(t); end.Status == 200 {
				t.Errorf("charged: %+v", end)
			}
		}, func(w *world) { w.gate.slow = 3 * time.Second })
	}
}

// SHA-256 towards a carrier (RFC 8760), checked by hand.
func TestSHA256TowardsTheCarrier(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		w.carrier.answer(w.carrier.expect("INVITE"), 401, "b", "",
			`WWW-Authenticate: Digest realm="c", nonce="n1", qop="auth", algorithm=SHA3-256`,
			`WWW-Authenticate: Digest realm="c", nonce="n2", qop="auth", algorithm=SHA-256`)
		w.carrier.expect("ACK")
		inv := w.carrier.expect("INVITE")
		var c message.Credentials
		if !inv.Credentials(message.HAuthorization, "c", &c) {
			t.Fatalf("%s", inv.Bytes())
		}
		h := func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }
		want := h(h("us:c:secret-of-one") + ":" + string(c.Nonce) + ":" + string(c.NC) + ":" + string(c.CNonce) + ":auth:" + h("INVITE:"+string(inv.RequestURI())))
		if string(c.Response) != want || string(c.URI) != string(inv.RequestURI()) || !strings.EqualFold(string(c.Alg), "SHA-256") {
			t.Errorf("%s", inv.Bytes())
		}
		w.carrier.answer(inv, 401, "b", "", `WWW-Authenticate: Digest realm="c", nonce="n3", qop="auth", algorithm=SHA-256`)
		w.carrier.expect("ACK")
		third := w.carrier.expect("INVITE")
		w.carrier.answer(third, 401, "b", "", `WWW-Authenticate: Digest realm="c", nonce="n4", qop="auth", algorithm=SHA-256`)
		w.carrier.expect("ACK")
		a.take(w.phone.find("502 INVITE")).request("ACK", "") // enough: the login is wrong, and the phone is not asked for it
	}, func(w *world) { tr := w.trunks["one"]; tr.User = "us"; w.trunks["one"] = tr })
}

// A full edge asks the gate for emergency calls only, and beyond its reserve for nothing.
func TestFull(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 13 {
			w.phone.invite("c"+itoa(i), "020")
			synctest.Wait()
		}
		if n := len(w.gate.attempts); n != 12 || w.gate.attempts[9].Full || !w.gate.attempts[10].Full {
			t.Errorf("%d attempts", n)
		}
		if m := w.phone.find("503 INVITE"); !m.Has(message.HRetryAfter) {
			t.Errorf("%s", m.Bytes())
		}
	}, func(w *world) { w.opts.MaxCalls = 10; w.opts.RingTimeout = time.Minute })
}

// Somebody who stops half way in every way there is leaves no goroutine behind, and every way is fit for many.
func TestGoroutinesAreBounded(t *testing.T) {
	inWorld(t, func(w *world) {
		before := runtime.NumGoroutine()
		for i := range 500 {
			w.phone.invite(fmt.Sprint("c", i), "020")
		}
		time.Sleep(10 * time.Minute)
		if n := runtime.NumGoroutine() - before; n > maxSpare+8 { // and some timers
			t.Errorf("%d goroutines more", n)
		}
		for len(w.phone.sock.in) > 0 || len(w.carrier.sock.in) > 0 {
			w.phone.next(time.Millisecond)
			w.carrier.next(time.Millisecond)
		}
	}, func(w *world) { w.gate.slow = time.Second })
}

// A trunk that passes on a login at somebody else is a trunk all the same.
func TestTrunkWithALoginElsewhere(t *testing.T) {
	inWorld(t, func(w *world) {
		d := &dialog{p: w.spare, callID: "in", from: "<sip:+331@c>;tag=1", to: "<sip:+442079460002@x>", target: "sip:+442079460002@x", inviteSeq: 1, branch: "z9hG4bKe"}
		d.request("INVITE", sdp, `Proxy-Authorization: Digest username="x", realm="elsewhere", nonce="n", uri="sip:x", response="good", qop=auth, nc=00000001, cnonce="c"`)
		w.carrier.answer(w.carrier.expect("INVITE"), 486, "b", "")
		w.carrier.expect("ACK")
		d.inviteSeq = 1
		d.take(w.spare.expect("486 INVITE")).request("ACK", "")
		if a := w.gate.attempts[0]; a.Trunk != "two" || a.Line != "" {
			t.Errorf("%+v", a)
		}
	}, func(w *world) { w.opts.Realm = "r" })
}

// A call whose every step fails from now on is given up for good: it does not fail again at each tick.
func TestPanicAfterTheEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.connect("c1")
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		w.carrier.expect("BYE")
		for _, s := range w.edge.shards {
			s.post(func() {
				for _, b := range s.byID {
					b.peer.clients[len(b.peer.clients)-1].leg = nil // what no code does
				}
			})
		}
		time.Sleep(time.Minute)
		if n := w.edge.Stats().Panics; n != 1 {
			t.Errorf("%d panics", n)
		}
		// The leg may still be up. The gate's audit finds that the edge has none of the call, and gives it back to be hung up.
		missing := w.gate.edge.Audit([]call.ID{"call-1"}, func(call.ID) bool { return true })
		if len(missing) != 1 {
			t.Fatalf("missing %v", missing)
		}
		w.gate.edge.TakeOver([]gate.Recovered{{ID: "call-1", State: call.Ending, Snapshot: w.gate.answered["call-1"]}})
		w.phone.answer(w.phone.find("BYE"), 481, "", "")
		w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
	})
}

// Answers go where RFC 3261 18.2.2 and RFC 3581 say, except that a phone behind NAT is reached whatever it says.
func TestReplyTo(t *testing.T) {
	for _, c := range []struct{ via, want string }{
		{"10.0.1.1:5060;rport", "10.0.1.1:40000"},
		{"10.0.1.1:5070", "10.0.1.1:5070"},
		{"192.168.0.1:5070", "10.0.1.1:40000"},
		{"phone.example:5070", "10.0.1.1:40000"},
		{"10.0.1.1", "10.0.1.1:40000"},
	} {
		p := &transport.Packet{Src: mustAddr("10.0.1.1:40000"), Buf: []byte("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP " + c.via +
			";branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n")}
		if f := p.Parse(); f != nil {
			t.Fatal(f)
		}
		if got := replyTo(p).Addr.String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.via, got, c.want)
		}
	}
}

func mustAddr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// A peer may hang up as often as it likes; what is remembered of that is bounded, and so is what a callee can make us send.
func TestFloodsOfAPeer(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		for i := range 200 {
			w.carrier.answer(inv, 183, "b", "", "Require: 100rel", fmt.Sprint("RSeq: ", i+1))
		}
		w.carrier.answer(inv, 200, "b", sdpB)
		synctest.Wait()
		a.take(w.phone.find("200 INVITE")).request("ACK", "")
		for range 200 {
			a.request("BYE", "")
		}
		synctest.Wait()
		for _, s := range w.edge.shards {
			s.post(func() {
				for _, b := range s.byID {
					for _, l := range b.all {
						if len(l.servers) > maxServers+1 || len(l.clients) > maxServers+1 {
							t.Errorf("%d servers, %d clients", len(l.servers), len(l.clients))
						}
					}
				}
			})
		}
	})
}

// Who repeats a REGISTER from elsewhere does not get the answer to it.
func TestRegisterReplayedFromElsewhere(t *testing.T) {
	inWorld(t, func(w *world) {
		thief := w.peer("10.6.6.6:5060")
		w.phone.register("alice", "r1", 1, "Contact: <sip:alice@192.168.7.7>")
		w.phone.expect("200 REGISTER")
		thief.register("alice", "r1", 1, "Contact: <sip:alice@192.168.7.7>")
		synctest.Wait()
		if n := w.checks.Load(); n != 2 {
			t.Errorf("%d logins", n)
		}
	})
}
