package sip

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ringfence/core/account"
	"ringfence/core/phone"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

// What a phone or a carrier says to withhold a number, and what it does not say.
var privacies = []struct {
	lines  string
	hidden bool
}{
	{"Privacy: id", true},
	{"Privacy: user;id", true},
	{"Privacy: header;session;id;critical", true},
	{"Privacy: id ; critical", true},
	{"Privacy: critical; ID", true},
	{"Privacy: id,critical", true},
	{"Privacy: header\nPrivacy: id", true},
	{"Privacy: none\nPrivacy: id", true},
	{"Privacy: user", true},
	{"Privacy: full", true},
	{"Remote-Party-ID: <sip:alice@x>;party=calling;privacy=full;screen=no", true},
	{"Remote-Party-ID: \"Al; privacy=off\" <sip:alice@x>;privacy=FULL", true},
	{"Remote-Party-ID: <sip:alice@x;privacy=off>;party=calling; privacy=\"name,uri\"", true},
	{"Remote-Party-ID: sip:alice@x;privacy=uri-network", true},
	{"Remote-Party-ID: <sip:alice@x>;party=calling;privacy=off\nRemote-Party-ID: <sip:alice@x>;party=calling;privacy=full", true},
	{"Remote-Party-ID: <sip:alice@x>;party=calling;privacy=full, <sip:bob@x>;party=called;privacy=off", true},
	{"Remote-Party-ID: <sip:bob@x>;party=called;privacy=off,\"Al, \" <sip:alice@x;y=\",\">;privacy=full;party=calling", true},
	{"Remote-Party-ID: <sip:alice@x>;party=calling;privacy=name,uri", true},
	{"Remote-Party-ID: \"open <sip:alice@x>;party=calling;privacy=full, <sip:bob@x>;party=called;privacy=off", true},
	{"Remote-Party-ID: <sip:alice@x>;party=calling;privacy=yes", true},
	{"RPID-Privacy: party=calling;id-type=subscriber;privacy=full", true},
	{"RPID-Privacy: privacy=uri-network", true},
	{"rpid-privacy: party=called;privacy=off\nRPID-Privacy: party=calling;privacy=full;network=x", true},
	{"Anonymity: full", true},
	{"Anonymity: ipaddr", true},
	{"anonymity: off, uri", true},
	{"RPID-Privacy: party=calling;privacy=off", false},
	{"RPID-Privacy: party=called;privacy=full", false},
	{"Anonymity: off", false},
	{"Privacy: none", false},
	{"Privacy: critical", false},
	{"Privacy:", false},
	{"Remote-Party-ID: <sip:alice@x>;party=calling;privacy=off", false},
	{"Remote-Party-ID: <sip:020@x>;party=called;privacy=full", false},
	{"Remote-Party-ID: <sip:alice@x>;party=calling", false},
	{"Remote-Party-ID: <sip:alice@x>;party=calling;privacy=off, <sip:bob@x>;party=called;privacy=full", false},
	{"Remote-Party-ID: <sip:alice@x;privacy=off>", false},
	{"Subject: Privacy: id", false},
}

// namedSDP names its sender wherever a session description can.
const namedSDP = "v=0\r\no=%[1]s 77 1 IN IP4 10.0.1.1\r\ns=call of %[1]s\r\ni=%[1]s\r\nu=http://x/%[1]s\r\ne=%[1]s@x\r\np=+%[1]s\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\n" +
	"m=audio 4000 RTP/AVP 8\r\ni=%[1]s\r\na=sendrecv\r\na=X-caller:%[1]s\r\na=ssrc:1 cname:%[1]s@x\r\na=label:%[1]s\r\na=tool:%[1]s\r\n%[1]s\r\ny=%[1]s\r\n" +
	"a=rtpmap:8 PCMA/8000\r\na=T38FaxVersion:0\r\n"

func named(number string) string { return fmt.Sprintf(namedSDP, number) }

// bareSDP is what is left of it.
const bareSDP = "v=0\r\no=- 77 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\na=sendrecv\r\na=rtpmap:8 PCMA/8000\r\na=T38FaxVersion:0\r\n"

// wantHidden fails when a message names somebody, but for the carrier's P-Asserted-Identity.
func wantHidden(t *testing.T, m *message.Message, number string, hidden bool) {
	t.Helper()
	text := string(m.Bytes())
	for v := range m.All(message.HPAssertedIdentity) {
		text = strings.ReplaceAll(text, "P-Asserted-Identity: "+string(v), "")
	}
	if strings.Contains(text, number) == hidden {
		t.Errorf("want the number hidden: %v, got\n%s", hidden, m.Bytes())
	}
}

// A caller who withholds the number is named to nobody at the other end: not in the INVITE, not in what follows.
func TestWithheldByALine(t *testing.T) {
	for _, c := range privacies {
		for _, withheld := range []string{"", account.WithheldAsserted, account.WithheldRemoved} {
			t.Run(c.lines+"/"+withheld, func(t *testing.T) {
				inWorld(t, func(w *world) {
					const number = "442079460001"
					d := w.phone.invite("c1", "02079460000", append(strings.Split(c.lines, "\n"), "P-Preferred-Identity: <sip:+442079460001@x>")...)
					inv := w.carrier.expect("INVITE")
					wantHidden(t, inv, number, c.hidden)
					asserted := !c.hidden || withheld != account.WithheldRemoved
					if inv.Has(message.HPAssertedIdentity) != asserted || inv.HasToken(message.HPrivacy, "id") != c.hidden {
						t.Errorf("want the number asserted: %v, got\n%s", asserted, inv.Bytes())
					}
					w.carrier.answer(inv, 200, "b", sdpB, "Allow: UPDATE")
					d.take(w.phone.expect("200 INVITE")).request("ACK", "")
					wantHidden(t, w.carrier.expect("ACK"), number, c.hidden)
					d.request("INVITE", named(number))
					again := w.carrier.expect("INVITE")
					wantHidden(t, again, number, c.hidden)
					if c.hidden && string(again.Body()) != bareSDP {
						t.Errorf("the session became\n%s", again.Body())
					}
					w.carrier.answer(again, 200, "b", sdpB)
					w.phone.find("200 INVITE")
					d.request("ACK", "")
					w.carrier.expect("ACK")
					d.request("BYE", "", "Reason: Q.850;cause=16;text=\"+"+number+" hangs up\"", "Reason: SIP;x="+number+";cause=200")
					bye := w.carrier.expect("BYE")
					wantHidden(t, bye, number, c.hidden)
					if got := reasonsIn(bye); c.hidden && !slices.Equal(got, []string{"Q.850;cause=16", "SIP;cause=200"}) {
						t.Errorf("the causes became %q", got)
					}
					w.phone.expect("200 BYE")
				}, func(w *world) {
					w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{carrierAt}, Withheld: withheld}
				})
			})
		}
	}
}

// From line to line and from carrier to line it is the same; phones are asserted nothing.
func TestWithheldFromAPhone(t *testing.T) {
	for _, c := range privacies {
		for _, inbound := range []bool{false, true} {
			t.Run(fmt.Sprint(c.lines, "/inbound ", inbound), func(t *testing.T) {
				inWorld(t, func(w *world) {
					const bobAt = "10.0.1.2:5060"
					bob := w.peer(bobAt)
					bob.register("bob", "reg-bob", 1, "Contact: <sip:bob@"+bobAt+">")
					bob.expect("200 REGISTER")
					from := w.phone
					if inbound {
						from = w.carrier
					}
					d := &dialog{p: from, callID: "c1", from: "\"442079460001\" <sip:+442079460001@x>;tag=1", to: "<sip:020@x>", target: "sip:020@x", inviteSeq: 1, branch: "z9hG4bKe"}
					d.seq = 0
					lines := append(strings.Split(c.lines, "\n"), "P-Asserted-Identity: <sip:+442079460001@x>", "Call-Info: <sip:+442079460001@x>", "Subject: 442079460001",
						"Diversion: <sip:+442079460001@x>", "History-Info: <sip:+442079460001@x>;index=1", "Reply-To: <sip:+442079460001@x>")
					if !inbound {
						lines = append(lines, goodLogin)
					}
					d.request("INVITE", named("442079460001"), lines...)
					inv := bob.expect("INVITE")
					if a := w.gate.attempts[0]; a.Caller != "+442079460001" || a.Withheld != c.hidden {
						t.Errorf("the journal has the caller %q, withheld %v", a.Caller, a.Withheld)
					}
					wantHidden(t, inv, "442079460001", c.hidden)
					if inv.Has(message.HPAssertedIdentity) {
						t.Errorf("the phone got\n%s", inv.Bytes())
					}
					bob.answer(inv, 486, "b", "")
					bob.expect("ACK")
					d.take(from.expect("486 INVITE")).request("ACK", "")
				}, func(w *world) {
					w.gate.plan = func(a gate.Attempt) (*gate.Plan, error) {
						p := &gate.Plan{Number: "+442079460002", Routes: []gate.Route{{Line: "bob"}}}
						if a.Trunk == "" {
							p.Present = "442079460001"
						}
						return p, nil
					}
				})
			})
		}
	}
}

// A number that the line has verified is presented, and the line's own is what the carrier is told, in the headers that its trunk wants.
func TestWhatTheCarrierIsTold(t *testing.T) {
	for _, c := range []struct {
		headers, privacy, asks string
		hidden                 bool
		pai, rpid              string
	}{
		{"", "", "X-A: b", false, "<sip:+442079460001@10.0.0.1>", ""},
		{account.HeaderPAI, "user;id", "Privacy: id", true, "<sip:+442079460001@10.0.0.1>", ""},
		{account.HeaderRPID, "id", "X-A: b", false, "", "<sip:+442079460001@10.0.0.1>;party=calling;screen=yes;privacy=off"},
		{account.HeaderRPID, "id", "Privacy: id", true, "", "<sip:+442079460001@10.0.0.1>;party=calling;screen=yes;privacy=full"},
		{account.HeaderBoth, "id;critical", "Privacy: id", true, "<sip:+442079460001@10.0.0.1>", "<sip:+442079460001@10.0.0.1>;party=calling;screen=yes;privacy=full"},
		{account.HeaderNone, "id", "X-A: b", false, "", ""},
	} {
		t.Run(c.headers+"/"+c.asks, func(t *testing.T) {
			inWorld(t, func(w *world) {
				d := w.phone.invite("c1", "02079460000", c.asks, "P-Preferred-Identity: <sip:+443069990123@x>", "P-Asserted-Identity: <sip:+443457404404@x>")
				inv := w.carrier.expect("INVITE")
				from := string(inv.From().URI)
				if want := "sip:+443069990123@10.0.0.1"; !c.hidden && from != want || c.hidden && from != "sip:anonymous@anonymous.invalid" {
					t.Errorf("From is %s", from)
				}
				if pai, rpid := string(inv.Get(message.HPAssertedIdentity)), string(inv.Get(message.HRemotePartyID)); pai != c.pai || rpid != c.rpid {
					t.Errorf("asserted %q and %q", pai, rpid)
				}
				if c.hidden && string(inv.Get(message.HPrivacy)) != c.privacy || !c.hidden && inv.Has(message.HPrivacy) {
					t.Errorf("Privacy: %s", inv.Get(message.HPrivacy))
				}
				if a := w.gate.attempts[0]; a.Caller != "+443069990123" {
					t.Errorf("asked to present %q", a.Caller)
				}
				w.carrier.answer(inv, 486, "b", "")
				w.carrier.expect("ACK")
				d.take(w.phone.expect("486 INVITE")).request("ACK", "")
			}, func(w *world) {
				w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{carrierAt}, Withheld: account.WithheldAsserted, Headers: c.headers, Privacy: c.privacy}
				w.gate.plan = func(gate.Attempt) (*gate.Plan, error) {
					p := out("one")
					p.Present = "443069990123"
					return p, nil
				}
			})
		})
	}
}

// A number from abroad that nobody vouches for is not shown, nor sent on with a forward.
func TestHiddenFromAbroad(t *testing.T) {
	for _, forwards := range []bool{false, true} {
		t.Run(fmt.Sprint("forwards ", forwards), func(t *testing.T) {
			inWorld(t, func(w *world) {
				bob := w.bob()
				w.comesIn("in1", "P-Asserted-Identity: <sip:+442079468888@x>")
				to := bob
				if forwards {
					to = w.spare
				}
				inv := to.expect("INVITE")
				if a := w.gate.attempts[0]; a.Caller != "+442079468888" || a.Shown != "+442079469999" {
					t.Errorf("the gate was asked about %q, shown %q", a.Caller, a.Shown)
				}
				wantHidden(t, inv, "442079469999", true)
				wantHidden(t, inv, "442079468888", true)
				if forwards {
					if a := w.sentOn(); !a.Withheld {
						t.Errorf("sent on as %q, withheld %v", a.Caller, a.Withheld)
					}
				}
				to.answer(inv, 486, "b", "")
				to.expect("ACK")
				w.carrier.find("486 INVITE")
			}, func(w *world) {
				f := account.Forwards{}
				if forwards {
					f.Always = "07700900123"
				}
				sentOnPlan(w, f)
				plan := w.gate.plan
				w.gate.plan = func(a gate.Attempt) (*gate.Plan, error) {
					p, err := plan(a)
					p.Hide = a.Trunk != ""
					return p, err
				}
			})
		})
	}
}

// A prefix that was dialled goes before what the phone says; an emergency call is never without its number.
func TestWhoDecidesWhatIsWithheld(t *testing.T) {
	for _, c := range []struct {
		name, lines string
		show        phone.Show
		always      bool
		hidden      bool
	}{
		{"141", "X-A: b", phone.Withhold, false, true},
		{"1470", "Privacy: id", phone.Present, false, false},
		{"neither", "Privacy: id", phone.AsSet, false, true},
		{"an emergency call", "Privacy: id", phone.AsSet, true, false},
		{"an emergency call with 141", "Privacy: header;user;id", phone.Withhold, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				d := w.phone.invite("c1", "999", c.lines)
				inv := w.carrier.expect("INVITE")
				wantHidden(t, inv, "442079460001", c.hidden)
				if inv.Has(message.HPrivacy) != c.hidden || inv.Has(message.HPAssertedIdentity) == c.hidden {
					t.Errorf("got\n%s", inv.Bytes())
				}
				w.carrier.answer(inv, 486, "b", "")
				w.carrier.expect("ACK")
				d.take(w.phone.expect("486 INVITE")).request("ACK", "")
			}, func(w *world) {
				w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{carrierAt}, Withheld: account.WithheldRemoved}
				w.gate.plan = func(gate.Attempt) (*gate.Plan, error) {
					p := out("one")
					p.Show, p.Always = c.show, c.always
					return p, nil
				}
			})
		})
	}
}

// A callee who withholds the number is not named to the caller, and stays so when another process takes the call over.
func TestWithheldByTheCallee(t *testing.T) {
	for _, line := range []string{"Privacy: id;user", "Remote-Party-ID: <sip:+442079460000@x>;party=called;privacy=full"} {
		inWorld(t, func(w *world) {
			const number = "442079460009"
			a := w.phone.invite("c1", "02079460000")
			inv := w.carrier.expect("INVITE")
			w.carrier.answer(inv, 183, "b", named(number), line, "P-Asserted-Identity: <sip:+"+number+"@x>")
			wantHidden(t, w.phone.expect("183 INVITE"), number, true)
			w.carrier.answer(inv, 200, "b", named(number), line)
			ok := w.phone.expect("200 INVITE")
			wantHidden(t, ok, number, true)
			a.take(ok).request("ACK", "")
			w.carrier.expect("ACK")
			w.crash()
			b := w.carrier.accepted(inv, "b")
			b.request("INVITE", named(number))
			again := w.phone.find("INVITE")
			wantHidden(t, again, number, true)
			w.phone.answer(again, 200, "", sdp)
			w.carrier.find("200 INVITE")
			b.request("ACK", "")
			w.phone.find("ACK")
			b.request("BYE", "", "Reason: Q.850;cause=16;text=\""+number+"\"")
			w.carrier.find("200 BYE")
			bye := w.phone.find("BYE")
			wantHidden(t, bye, number, true)
			w.phone.answer(bye, 200, "", "")
		})
	}
}

func TestAnonymousBody(t *testing.T) {
	const parts = "--x\r\nContent-Type: application/isup\r\n\r\nIAM 442079460001\r\n--x\r\nContent-Type: application/sdp\r\n\r\n%s\r\n--x--\r\n"
	for _, c := range []struct{ kind, body, wantKind, want string }{
		{"application/sdp", named("442079460001"), "application/sdp", bareSDP},
		{"Application/SDP; charset=utf-8", named("442079460001"), "Application/SDP; charset=utf-8", bareSDP},
		{"application/sdp", strings.ReplaceAll(named("1"), "\r\n", "\n"), "application/sdp", strings.ReplaceAll(bareSDP, "\r\n", "\n")},
		{"application/sdp", "v=0\r\no=John Smith 442079460001 77 1 IN IP4 10.0.1.1\r\ns=-\r\n", "application/sdp", "v=0\r\no=- 77 1 IN IP4 10.0.1.1\r\ns=-\r\n"},
		{"multipart/mixed;boundary=x", fmt.Sprintf(parts, named("442079460001")), "application/sdp", bareSDP},
		{"multipart/mixed", fmt.Sprintf(parts, named("442079460001")), "", ""},
		{"multipart/mixed;boundary=x", "--x\r\nContent-Type: text/plain\r\n\r\nI am 442079460001\r\n--x--\r\n", "", ""},
		{"application/isup", "442079460001", "", ""},
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"},
		{";", "442079460001", "", ""},
	} {
		if got := (content{ctype: c.kind, body: []byte(c.body)}).anonymous(); got.ctype != c.wantKind || string(got.body) != c.want {
			t.Errorf("%s: %q %q, want %q %q", c.kind, got.ctype, got.body, c.wantKind, c.want)
		}
	}
}

// What a callee who withholds the number says when it refuses names it to nobody, nor does what the caller says when he gives up.
func TestWithheldInRefusals(t *testing.T) {
	const number = "442079460009"
	says := "Reason: Q.850;cause=17;text=\"" + number + " is busy\""
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		w.carrier.answer(w.carrier.expect("INVITE"), 486, "b", "", "Privacy: id", says)
		w.carrier.expect("ACK")
		busy := w.phone.expect("486 INVITE")
		wantHidden(t, busy, number, true)
		if got := reasonsIn(busy); !slices.Equal(got, []string{"Q.850;cause=17"}) {
			t.Errorf("the causes became %q", got)
		}
		a.request("ACK", "")
	})
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000", "Privacy: id")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b", "")
		w.phone.expect("180 INVITE")
		a.request("CANCEL", "", says)
		cancel := w.carrier.expect("CANCEL")
		wantHidden(t, cancel, number, true)
		w.carrier.answer(cancel, 200, "", "")
		w.carrier.answer(inv, 487, "b", "")
		w.carrier.expect("ACK")
		w.phone.find("487 INVITE")
		a.request("ACK", "")
	})
}
