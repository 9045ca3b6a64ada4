package sip

import (
	"fmt"
	"strings"
	"testing"

	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

const (
	pidf = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"><tuple/></presence>\r\n"
	// located is a session description and where the caller is.
	located = "--b\r\nContent-Type: application/sdp\r\n\r\n" + sdp + "\r\n--b\r\nContent-Type: application/pidf+xml\r\nContent-ID: <here@phone>\r\n\r\n" + pidf + "--b--\r\n"
)

// headers are the values of some headers of a message, by name.
func headers(m *message.Message, names ...string) (all string) {
	for _, name := range names {
		for v := range m.All(message.HeaderOf([]byte(name))) {
			all += name + ": " + string(v) + "\n"
		}
	}
	return all
}

// with makes a request with a body of a type in the dialog.
func (d *dialog) with(method, ctype, body string, lines ...string) {
	d.p.n++
	d.seq++
	d.inviteSeq = d.seq
	d.p.send(fmt.Sprintf("%s %s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKwith%d\nMax-Forwards: 70\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: %d %s\nContact: <sip:me@%s>\n%s\nContent-Type: %s",
		method, d.target, d.p.at, d.p.n, d.from, d.to, d.callID, d.seq, method, d.p.at, strings.Join(append([]string{goodLogin}, lines...), "\n"), ctype) + "\n\n" + body)
}

// What a body is goes with it, in requests and in answers, before the call is answered and after.
func TestWhatDescribesABodyCrossesWithIt(t *testing.T) {
	describing := []string{"Content-Disposition: session;handling=required", "Content-Encoding: gzip", "Content-Language: de", "MIME-Version: 1.0", "Content-ID: <a@b>"}
	names := []string{"Content-Disposition", "Content-Encoding", "Content-Language", "MIME-Version", "Content-ID"}
	want := strings.Join(describing, "\n") + "\n"
	is := func(t *testing.T, m *message.Message, body string) {
		t.Helper()
		if got := headers(m, names...); got != want || string(m.Body()) != body {
			t.Errorf("%s has\n%swith %q", what(m), got, m.Body())
		}
	}
	inWorld(t, func(w *world) {
		d := &dialog{p: w.phone, callID: "c1", from: "<sip:alice@10.0.0.1>;tag=a", to: "<sip:020@10.0.0.1>", target: "sip:020@10.0.0.1"}
		d.with("INVITE", "application/sdp", "zipped offer", describing...)
		inv := w.carrier.expect("INVITE")
		is(t, inv, "zipped offer")
		w.carrier.answer(inv, 183, "b", "zipped early", describing...)
		is(t, w.phone.expect("183 INVITE"), "zipped early")
		w.carrier.answer(inv, 200, "b", "zipped answer", describing...)
		ok := w.phone.expect("200 INVITE")
		is(t, ok, "zipped answer")
		w.carrier.expect("ACK")
		d.take(ok).request("ACK", "")
		d.with("INVITE", "application/sdp", "zipped again", describing...)
		w.phone.expect("100 INVITE")
		inv = w.carrier.expect("INVITE")
		is(t, inv, "zipped again")
		w.carrier.answer(inv, 200, "", "zipped reply", describing...)
		w.carrier.expect("ACK")
		is(t, w.phone.expect("200 INVITE"), "zipped reply")
		d.request("ACK", "")
		d.with("INFO", "application/x-menu", "1", describing...)
		info := w.carrier.expect("INFO")
		is(t, info, "1")
		w.carrier.answer(info, 200, "", "zipped menu", describing...)
		is(t, w.phone.expect("200 INFO"), "zipped menu")
		d.with("INFO", "application/x-menu", "2", "Content-Language: "+strings.Repeat("x", 3000))
		if info = w.carrier.expect("INFO"); len(info.Body()) > 0 {
			t.Errorf("the body crossed without what describes it:\n%s", info.Bytes())
		}
		w.carrier.answer(info, 200, "", "")
		w.phone.expect("200 INFO")
		w.bye(d)
	})
}

// Where the caller is goes to who sends help, with the body that it refers to; nobody else learns it.
func TestAnEmergencyCallCarriesWhereTheCallerIs(t *testing.T) {
	geo := []string{"Geolocation: <cid:here@phone>", "Geolocation: <https://lis.example/x>;inserted-by=\"a\"", "Geolocation-Routing: yes"}
	const mixed = "multipart/mixed;boundary=b"
	for _, help := range []bool{true, false} {
		t.Run(fmt.Sprint("help ", help), func(t *testing.T) {
			inWorld(t, func(w *world) {
				is := func(m *message.Message) {
					t.Helper()
					got := headers(m, "Geolocation", "Geolocation-Routing", "MIME-Version")
					if help && (got != strings.Join(geo, "\n")+"\nMIME-Version: 1.0\n" || string(m.Body()) != located || string(m.Get(message.HContentType)) != mixed) {
						t.Errorf("%s", m.Bytes())
					}
					if !help && (got != "" || strings.TrimSpace(string(m.Body())) != strings.TrimSpace(sdp) || string(m.Get(message.HContentType)) != "application/sdp") {
						t.Errorf("%s", m.Bytes())
					}
				}
				d := &dialog{p: w.phone, callID: "c1", from: "<sip:alice@10.0.0.1>;tag=a", to: "<sip:112@10.0.0.1>", target: "sip:112@10.0.0.1"}
				d.with("INVITE", mixed, located, append(geo, "MIME-Version: 1.0")...)
				inv := w.carrier.expect("INVITE")
				is(inv)
				w.carrier.answer(inv, 200, "b", sdpB)
				d.take(w.phone.expect("200 INVITE"))
				if ack := w.carrier.expect("ACK"); len(ack.Body()) > 0 { // the offer was in the INVITE
					t.Errorf("%s", ack.Bytes())
				}
				d.request("ACK", "")
				d.with("INVITE", mixed, located, append(geo, "MIME-Version: 1.0")...)
				w.phone.expect("100 INVITE")
				again := w.carrier.expect("INVITE")
				is(again)
				w.carrier.answer(again, 200, "", sdpB)
				w.carrier.expect("ACK")
				w.phone.expect("200 INVITE")
				d.request("ACK", "")
				if got := strings.TrimSpace(w.sessionOf("c1", false)); got != strings.TrimSpace(sdp) {
					t.Errorf("the carrier is refreshed with %q", got)
				}
				w.bye(d)
			}, func(w *world) {
				w.change = func(d *fakes) { d.emergency = func(dialled string) bool { return help } }
				w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { p := out("one"); p.Always = help; return p, nil }
			})
		})
	}
}

// Who cannot read the location says so to the caller (RFC 6442 section 4.3).
func TestALocationThatIsOfNoUse(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "112", "Geolocation: <cid:x@y>")
		w.carrier.answer(w.carrier.expect("INVITE"), 424, "b", "", "Geolocation-Error: 100;code=\"Cannot Process Location\"")
		w.carrier.expect("ACK")
		m := w.phone.expect("424 INVITE")
		if got := headers(m, "Geolocation-Error"); got != "Geolocation-Error: 100;code=\"Cannot Process Location\"\n" || !m.Has(message.HReason) {
			t.Errorf("%s", m.Bytes())
		}
		a.request("ACK", "")
	})
}

// A body that describes no session is no offer: the callee makes it (RFC 3261 13.2.1).
func TestABodyThatIsNoOffer(t *testing.T) {
	for name, c := range map[string]struct{ ctype, body, line string }{
		"a location":       {"application/isup", "IAM", "X: y"},
		"an early session": {"application/sdp", sdp, "Content-Disposition: early-session"},
		"parts without":    {"multipart/mixed;boundary=b", "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n", "X: y"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				d := &dialog{p: w.phone, callID: "c1", from: "<sip:alice@10.0.0.1>;tag=a", to: "<sip:020@10.0.0.1>", target: "sip:020@10.0.0.1"}
				d.with("INVITE", c.ctype, c.body, c.line)
				inv := w.carrier.expect("INVITE")
				if string(inv.Body()) != c.body || string(inv.Get(message.HContentType)) != c.ctype {
					t.Errorf("%s", inv.Bytes())
				}
				w.carrier.answer(inv, 200, "b", sdpB)
				d.take(w.phone.expect("200 INVITE")).request("ACK", sdp)
				if ack := w.carrier.expect("ACK"); string(ack.Body()) != sdp {
					t.Errorf("%s", ack.Bytes())
				}
				w.bye(d)
			})
		})
	}
}
