package sip

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/locate"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

// srvNamed is a trunk "one" whose name leads to hosts, first the one where nobody is, as SRV records say.
func srvNamed(over string, hosts ...string) func(w *world) {
	return func(w *world) {
		w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{"carrier.example"}, Transport: over}
		w.find = func(_ context.Context, address, asked string) (*locate.Servers, error) {
			if address != "carrier.example" || asked != over {
				return nil, errors.New("asked for " + address + " over " + asked)
			}
			var all []locate.Target
			for _, h := range hosts {
				all = append(all, locate.Target{Addr: netip.MustParseAddrPort(h)})
			}
			return locate.At(time.Minute, all...), nil
		}
	}
}

// RFC 3263 4.3: a server that does not answer, or is overloaded, is passed over for the next one of the same name, and the URI stays that of the
// name. Whatever else a server answers is the answer of its carrier.
func TestTheServersOfATrunk(t *testing.T) {
	const nobody = "10.0.9.77:5060"
	t.Run("no answer", func(t *testing.T) {
		inWorld(t, func(w *world) {
			began := time.Now()
			a := w.phone.invite("c1", "02079460000")
			inv := w.carrier.expect("INVITE")
			if waited := time.Since(began); waited < 3*time.Second || waited > 5*time.Second {
				t.Errorf("after %s", waited)
			}
			if uri := string(inv.RequestURI()); uri != "sip:+442079460000@carrier.example" {
				t.Errorf("URI %s", uri)
			}
			w.answerAndHangUp(a, inv)
		}, srvNamed("udp", nobody, carrierAt))
	})
	t.Run("503", func(t *testing.T) {
		inWorld(t, func(w *world) {
			a := w.phone.invite("c1", "02079460000")
			w.spare.answer(w.spare.expect("INVITE"), 503, "s", "")
			w.spare.expect("ACK")
			w.answerAndHangUp(a, w.carrier.expect("INVITE"))
		}, srvNamed("auto", spareAt, carrierAt))
	})
	for _, status := range []int{500, 486} {
		inWorld(t, func(w *world) {
			w.phone.invite("c1", "02079460000")
			w.spare.answer(w.spare.expect("INVITE"), status, "s", "")
			w.spare.expect("ACK")
			w.carrier.quiet(10 * time.Second)
			w.phone.drain()
		}, srvNamed("udp", spareAt, carrierAt))
	}
	t.Run("emergency", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { p := out("one"); p.Always = true; return p, nil }
			a := w.phone.invite("c1", "999")
			w.spare.answer(w.spare.expect("INVITE"), 500, "s", "")
			w.spare.expect("ACK")
			w.answerAndHangUp(a, w.carrier.expect("INVITE"))
		}, srvNamed("udp", spareAt, carrierAt))
	})
	t.Run("never without end", func(t *testing.T) {
		dead := []string{nobody}
		for i := range 20 {
			dead = append(dead, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 8, byte(i)}), 5060).String())
		}
		inWorld(t, func(w *world) {
			w.phone.invite("c1", "02079460000")
			time.Sleep(40 * time.Second)
			w.phone.drain()
			if e := w.gate.only(t); e.Reason != policy.TrunksFailed {
				t.Errorf("ended for %s", e.Reason)
			}
			w.gate.mu.Lock()
			defer w.gate.mu.Unlock()
			if n := len(w.gate.tried); n < 2 || n > maxTargets {
				t.Errorf("%d were tried", n)
			}
		}, srvNamed("udp", dead...))
	})
}

// Packets inside a call are taken from every server of the trunk's name.
func TestEveryServerOfATrunkIsKnown(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "b", sdpB)
		a.take(w.phone.find("200 INVITE"))
		w.carrier.expect("ACK")
		a.request("ACK", "")
		b := w.carrier.accepted(inv, "b")
		b.p = w.spare
		b.request("INFO", "")
		w.phone.answer(w.phone.expect("INFO"), 200, "", "")
		w.spare.expect("200 INFO")
		if at := w.edge.names.host(netip.MustParseAddrPort(spareAt)); at != "carrier.example" {
			t.Errorf("the spare server is of %q", at)
		}
		b.request("BYE", "")
		w.spare.expect("200 BYE")
		w.phone.answer(w.phone.expect("BYE"), 200, "", "")
		w.endedFrom(call.Callee, "")
	}, srvNamed("udp", carrierAt, spareAt))
}

// What was known is good for as long as the DNS said, and longer while it does not answer; what is not there is not asked for with each call.
func TestTheDNSIsAskedWhenItMust(t *testing.T) {
	now, asked, fault := time.Now(), 0, error(nil)
	r := newResolver(&Options{})
	r.find = func(context.Context, string, string) (*locate.Servers, error) {
		asked++
		return locate.At(30*time.Second, locate.Target{Addr: netip.MustParseAddrPort(carrierAt)}), fault
	}
	look := func(after time.Duration, name string, wantAsked int, want bool) {
		t.Helper()
		now = now.Add(after)
		s, known := r.known(name, "udp", now)
		if !known {
			s, _ = r.resolve(t.Context(), name, "udp", now)
		}
		if asked != wantAsked || (s != nil) != want {
			t.Errorf("asked %d times, want %d; servers %v", asked, wantAsked, s)
		}
	}
	look(0, "a.example", 1, true)
	look(29*time.Second, "a.example", 1, true)
	look(time.Second, "a.example", 2, true)
	fault = errors.New("no answer")
	look(30*time.Second, "a.example", 3, true)
	look(4*time.Second, "a.example", 3, true)
	look(time.Second, "a.example", 4, true)
	look(0, "b.example", 5, false)
	look(time.Second, "b.example", 5, false)
	fault = nil
	look(4*time.Second, "b.example", 6, true)
	if !strings.Contains(r.host(netip.MustParseAddrPort(carrierAt)), ".example") {
		t.Error("the address is of nobody")
	}
}

// answerAndHangUp answers a call at the carrier, which hangs up at once.
func (w *world) answerAndHangUp(a *dialog, inv *message.Message) {
	w.t.Helper()
	w.carrier.answer(inv, 200, "b", sdpB)
	w.carrier.expect("ACK")
	a.take(w.phone.find("200 INVITE"))
	a.request("ACK", "")
	b := w.carrier.accepted(inv, "b")
	b.request("BYE", "")
	w.carrier.expect("200 BYE")
	w.phone.answer(w.phone.expect("BYE"), 200, "", "")
	w.endedFrom(call.Callee, "")
}
