package sip

import (
	"net/netip"
	"testing"
)

// From identifies nobody: whatever a carrier's call presents, one of our lines among it, it is the carrier's.
func TestACarriersCallPresentsOneOfOurLines(t *testing.T) {
	bobs(t, func(w *world, bob *peer) {
		for i, from := range []string{
			"<sip:+442079460001@carrier.example>", "<sip:alice@10.0.0.1>", `"Al" <sip:alice@10.0.0.1:5060;user=phone>`, "sip:bob@10.0.0.1",
			"<tel:+442079460001>", "<sip:anonymous@anonymous.invalid>", "<sip:10.0.0.1>",
		} {
			in := &dialog{
				p: w.carrier, callID: "in" + string(rune('0'+i)), from: from + ";tag=c", to: "<sip:+442079460002@10.0.0.1>",
				target: "sip:+442079460002@10.0.0.1",
			}
			in.request("INVITE", sdp, "P-Asserted-Identity: "+from)
			in.branch = in.lastBranch
			inv := bob.expect("INVITE")
			bob.answer(inv, 180, "p", "")
			w.carrier.expect("180 INVITE")
			if a := w.gate.attempts[len(w.gate.attempts)-1]; a.Trunk != "one" || a.Line != "" {
				t.Errorf("from %s: %+v", from, a)
			}
			in.ends(t, bob, inv)
		}
	}, func(w *world) {
		w.change = func(d *fakes) { d.isPhone = w.where.IsPhone }
	})
}

// A phone in a carrier's network logs in: it is known by where it is registered. Where our own calls to the carrier go, there is none.
func TestAPhoneInACarriersNetwork(t *testing.T) {
	const near = "10.0.9.50:5060"
	for _, there := range []bool{false, true} {
		inWorld(t, func(w *world) {
			w.register("alice", near)
			p := w.peer(near)
			d := &dialog{p: p, callID: "c1", from: "<sip:+441632960111@10.0.0.1>;tag=c", to: "<sip:020@10.0.0.1>", target: "sip:020@10.0.0.1"}
			d.request("INVITE", sdp)
			if !there {
				p.expect("407 INVITE")
				d.request("ACK", "")
				w.hangUpRinging(d)
				return
			}
			inv := w.carrier.expect("INVITE")
			w.carrier.answer(inv, 486, "b", "")
			w.carrier.expect("ACK")
			p.expect("486 INVITE")
			d.request("ACK", "")
			if a := w.gate.attempts[0]; a.Trunk != "one" {
				t.Errorf("%+v", a)
			}
		}, func(w *world) {
			w.change = func(d *fakes) {
				in := netip.MustParsePrefix("10.0.9.0/24")
				d.trunkOf = func(src netip.AddrPort) (string, bool) { return "one", in.Contains(src.Addr()) }
				d.trunkAt = func(src netip.AddrPort, _ string) (string, bool) {
					return "one", src.String() == carrierAt || there && src.String() == near
				}
				d.isPhone = w.where.IsPhone
			}
		})
	}
}

// hangUpRinging calls with a login and gives up.
func (w *world) hangUpRinging(d *dialog) {
	w.t.Helper()
	d.request("INVITE", sdp, goodLogin)
	d.branch = d.lastBranch
	inv := w.carrier.expect("INVITE")
	w.carrier.answer(inv, 180, "b", "")
	d.p.expect("180 INVITE")
	if a := w.gate.attempts[0]; a.Line != "alice" {
		w.t.Errorf("%+v", a)
	}
	d.request("CANCEL", "")
	d.p.expect("200 CANCEL")
	d.p.expect("487 INVITE")
	d.request("ACK", "")
	w.carrier.answer(w.carrier.expect("CANCEL"), 200, "", "")
	w.carrier.answer(inv, 487, "b", "")
	w.carrier.expect("ACK")
}
