package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ringfence/edge/sip/message"
)

func refusedExtension(t *testing.T, m *message.Message, want string) {
	t.Helper()
	if got := string(m.Get(message.HUnsupported)); got != want {
		t.Errorf("%s names %q, want %q:\n%s", what(m), got, want, m.Bytes())
	}
}

// Guards against siphon-sip#417: an extension that we do not have was ignored in all requests but the INVITE (RFC 3261 8.2.2.3).
func TestRequireIsHonouredOutsideCalls(t *testing.T) {
	inWorld(t, func(w *world) {
		for require, want := range map[string]string{
			"gruu": "gruu", "Path": "Path", "path, timer,, foo": "path, foo", "TIMER": "", "": "",
			strings.Repeat("x", 60): strings.Repeat("x", 40), "a\nRequire: b": "a, b",
		} {
			lines := strings.Split("Require: "+require, "\n")
			w.phone.register("alice", fmt.Sprint("reg-", len(require)), 1, append(lines, "Contact: <sip:alice@"+phoneAt+">")...)
			if want == "" {
				w.phone.expect("200 REGISTER")
			} else {
				refusedExtension(t, w.phone.expect("420 REGISTER"), want)
			}
			d := &dialog{p: w.phone, callID: "o", from: "<sip:a@x>;tag=1", to: "<sip:x>", target: "sip:x"}
			d.request("OPTIONS", "", lines...)
			if want == "" {
				w.phone.expect("200 OPTIONS")
			} else {
				refusedExtension(t, w.phone.expect("420 OPTIONS"), want)
			}
		}
		w.phone.invite("c1", "020", "Require: foo, timer", "Require: precondition")
		refusedExtension(t, w.phone.expect("420 INVITE"), "foo, precondition")
	}, func(w *world) { w.loose = true })
}

// Inside a call from either side. Its end is exempt.
func TestRequireIsHonouredInsideCalls(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.connect("c1")
		for _, d := range []*dialog{a, b} {
			for _, method := range []string{"INVITE", "UPDATE", "INFO", "OPTIONS", "PRACK"} {
				d.request(method, sdp, "Require: foo, timer")
				refusedExtension(t, d.p.expect("420 "+method), "foo")
				if method == "INVITE" {
					d.request("ACK", "", "Require: foo")
				}
			}
			d.request("PUBLISH", "", "Require: foo") // a method that we do not have comes first
			d.p.expect("405 PUBLISH")
			d.request("REFER", "", "Require: foo")
			d.p.expect("420 REFER")
		}
		w.phone.quiet(time.Second)
		w.carrier.quiet(time.Second)
		a.request("INVITE", sdp, "Require: timer", "Supported: timer")
		w.phone.expect("100 INVITE")
		w.carrier.answer(w.carrier.expect("INVITE"), 200, "", sdpB)
		w.carrier.expect("ACK")
		w.phone.expect("200 INVITE")
		a.request("ACK", "", "Require: foo")
		a.request("BYE", "", "Require: foo")
		w.phone.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
	})
}

func TestRequireIsIgnoredInACancel(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		a.request("CANCEL", "", "Require: foo")
		w.phone.expect("200 CANCEL")
		w.phone.expect("487 INVITE")
		a.request("ACK", "")
		w.carrier.answer(w.carrier.expect("CANCEL"), 200, "", "")
		w.carrier.answer(inv, 487, "b", "")
		w.carrier.expect("ACK")
	})
}
