package sip

import (
	"slices"
	"testing"

	"ringfence/edge/sip/message"
)

// Guards against hass-sip#39: a strict router wants its own URI as the Request-URI and the Contact last in Route (RFC 3261 12.2.1.1).
func TestStrictRouters(t *testing.T) {
	for _, c := range []struct {
		name, recordRoute string // as the caller's INVITE has them; a callee sees the answer's from the other end
		uri               string
		routes            []string
	}{
		{"none", "", "sip:me@10.0.1.1:5062", nil},
		{"loose", "<sip:p1@10.0.1.1;lr>, <sip:p2@10.0.1.2;LR=on>", "sip:me@10.0.1.1:5062", []string{"<sip:p1@10.0.1.1;lr>", "<sip:p2@10.0.1.2;LR=on>"}},
		{"strict", "<sip:p1@10.0.1.1>", "sip:p1@10.0.1.1", []string{"<sip:me@10.0.1.1:5062>"}},
		{"strict before loose", "<sip:p1@10.0.1.1;transport=UDP;method=INVITE?Subject=x>, <sip:p2@10.0.1.2;lr>", "sip:p1@10.0.1.1;transport=UDP", []string{"<sip:p2@10.0.1.2;lr>", "<sip:me@10.0.1.1:5062>"}},
		{"two strict", "<sip:p1@10.0.1.1>, <sip:p2@10.0.1.2>", "sip:p1@10.0.1.1", []string{"<sip:p2@10.0.1.2>", "<sip:me@10.0.1.1:5062>"}},
		{"loose before strict", "<sip:p1@10.0.1.1;lr>, <sip:p2@10.0.1.2>", "sip:me@10.0.1.1:5062", []string{"<sip:p1@10.0.1.1;lr>", "<sip:p2@10.0.1.2>"}},
		{"lr beside the URI only", "<sip:p1@10.0.1.1>;lr", "sip:p1@10.0.1.1", []string{"<sip:me@10.0.1.1:5062>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				right := func(m *message.Message) {
					t.Helper()
					var routes []string
					for r := range m.All(message.HRoute) {
						routes = append(routes, string(r))
					}
					if string(m.RequestURI()) != c.uri || !slices.Equal(routes, c.routes) {
						t.Errorf("%s %s, Route %q; want %s, %q", m.Method(), m.RequestURI(), routes, c.uri, c.routes)
					}
				}
				lines := []string{"Contact: <sip:me@10.0.1.1:5062>"}
				if c.recordRoute != "" {
					lines = append(lines, "Record-Route: "+c.recordRoute)
				}
				d := &dialog{p: w.phone, callID: "c1", from: "<sip:alice@10.0.0.1>;tag=a", to: "<sip:020@10.0.0.1>", target: "sip:020@10.0.0.1"}
				w.phone.send("INVITE sip:020@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP " + phoneAt + ";branch=z9hG4bKstrict\nMax-Forwards: 70\nFrom: " + d.from + "\nTo: " + d.to +
					"\nCall-ID: c1\nCSeq: 1 INVITE\n" + goodLogin + "\n" + lines[0] + "\n" + append(lines, "X: y")[1] + "\nContent-Type: application/sdp\n\n" + sdp)
				inv := w.carrier.expect("INVITE")
				w.carrier.answer(inv, 200, "b", sdpB)
				d.take(w.phone.expect("200 INVITE"))
				w.carrier.expect("ACK")
				d.inviteSeq = 1
				d.request("ACK", "")
				b := w.carrier.accepted(inv, "b")
				b.request("INVITE", sdpB)
				w.carrier.expect("100 INVITE")
				again := w.phone.expect("INVITE")
				right(again)
				w.phone.answer(again, 200, "", sdp, lines[0])
				right(w.phone.expect("ACK"))
				w.carrier.expect("200 INVITE")
				b.request("ACK", "")
				b.request("BYE", "")
				w.carrier.expect("200 BYE")
				bye := w.phone.expect("BYE")
				right(bye)
				w.phone.answer(bye, 200, "", "")
			})
		})
	}
}

// A carrier's strict router is written to at its address.
func TestStrictRouterOfACarrier(t *testing.T) {
	inWorld(t, func(w *world) {
		router := w.peer("10.0.9.7:5070")
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "b", sdpB, "Record-Route: <sip:far@10.0.9.6>, <sip:10.0.9.7:5070>", "Contact: <sip:c@10.0.9.9>")
		a.take(w.phone.expect("200 INVITE")).request("ACK", "")
		ack := router.expect("ACK")
		a.request("BYE", "")
		bye := router.expect("BYE")
		for _, m := range []*message.Message{ack, bye} {
			if string(m.RequestURI()) != "sip:10.0.9.7:5070" || string(m.Get(message.HRoute)) != "<sip:far@10.0.9.6>" || m.Count(message.HRoute) != 2 {
				t.Errorf("%s", m.Bytes())
			}
		}
		router.answer(bye, 200, "", "")
		w.phone.expect("200 BYE")
	})
}
