package sip

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

// write sends bytes to the edge as they are.
func (p *peer) write(text string) {
	p.t.Helper()
	if _, err := p.sock.WriteTo([]byte(text), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(p.to))); err != nil {
		p.t.Fatal(err)
	}
}

// accepting is the 200 of a callee, to be spoilt.
func accepting(inv *message.Message, at string) string {
	get := func(id message.HeaderID) string { return id.String() + ": " + string(inv.Get(id)) }
	return strings.Join([]string{
		"SIP/2.0 200 OK", get(message.HVia), get(message.HFrom), get(message.HTo) + ";tag=b", get(message.HCallID), get(message.HCSeq),
		"Contact: <sip:callee@" + at + ">", "Content-Type: application/sdp", fmt.Sprint("Content-Length: ", len(sdpB)), "", sdpB,
	}, "\r\n")
}

// An answer that is odd is an answer: it is acknowledged, it carries the call, and its repeat changes nothing. Seen with a carrier whose 200 had
// two Session-Expires: it was dropped, and the carrier's side stayed up.
func TestOddAnswersCarryTheCall(t *testing.T) {
	for _, c := range [][2]string{
		{"SIP/2.0 200 OK", "SIP/2.0  200"},
		{"Via: ", "Via: rubbish\r\nX-Via: "},
		{"Via: ", "Via: SIP/2.0/UDP other:5060;branch=z9hG4bKother\r\nVia: "},
		{";rport;", ";rport=;x=;;"},
		{"From: <", "From: alice <"},
		{"From: ", "From: x\r\nFrom: "},
		{"To: <sip", "To: O'Brien, John <sip"},
		{"To: <sip", "To: <si p"},
		{"To: <sip", "To: <sip:other@x>\r\nTo: <sip"},
		{";tag=b", ";x=;tag=b;"},
		{";tag=b", ""},
		{"Call-ID: ", "Call-ID: other@x\r\nCall-ID: "},
		{"CSeq: 1 INVITE", "CSeq: 1 INVITE\r\nCSeq: 9 INVITE"},
		{"CSeq: 1 INVITE", "CSeq: one"},
		{"Contact: <sip:callee@10.0.9.1:5060>", "Contact:"},
		{"Contact: <sip:callee@10.0.9.1:5060>", "Contact: *"},
		{"Contact: ", "Contact: nobody\r\nContact: "},
		{"Contact: ", "Session-Expires: 1800;refresher=uac\r\nSession-Expires: 1800;refresher=uac\r\nContact: "},
		{"Contact: ", "Date: a\r\nDate: b\r\nExpires: x\r\nMax-Forwards: 1\r\nMax-Forwards: y\r\nContact: "},
		{"Contact: ", "no colon\r\nX: a\nb\x00c\r\n: d\r\nContact: "},
		{"Contact: ", strings.Repeat("X-Y: z\r\n", 200) + "Contact: "},
		{"Content-Type: ", "Content-Type: application/sdp\r\nContent-Type: "},
		{"Content-Length: ", "Content-Length: 999\r\nContent-Length: "},
		{"Content-Length: ", "Content-Length: x\r\nX-Length: "},
	} {
		t.Run(c[1], func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.phone.invite("c1", "02079460000")
				inv := w.carrier.expect("INVITE")
				sound := accepting(inv, carrierAt)
				odd := strings.Replace(sound, c[0], c[1], 1)
				if odd == sound {
					t.Fatalf("%q is not in the answer", c[0])
				}
				w.carrier.write(odd)
				ok := w.phone.expect("200 INVITE")
				if string(ok.Body()) != sdpB {
					t.Errorf("the caller heard %q", ok.Body())
				}
				ack := w.carrier.expect("ACK")
				if tag := string(ack.To().Tag()); tag != "b" && c[1] != "" {
					t.Errorf("acknowledged %q", tag)
				}
				w.carrier.write(odd)
				w.carrier.expect("ACK")
				a.take(ok).request("ACK", "")
				a.request("BYE", "")
				w.phone.expect("200 BYE")
				w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
				if end := w.gate.only(t); end.Status != 200 {
					t.Errorf("%+v", end)
				}
			})
		})
	}
}

// A name may be written in any way: the call goes through, and the phone sees the name.
func TestOddNamesCarryTheCall(t *testing.T) {
	for written, seen := range map[string]string{
		"O'Brien, John": "O'Brien, John", `""unknown""`: "unknown", `"Anonymous`: "Anonymous", "Caf\xe9 (latin-1)": "Café (latin-1)", "名前": "名前", "x=y; z": "x=y; z",
	} {
		inWorld(t, func(w *world) {
			d := &dialog{p: w.carrier, callID: "c1", from: written + " <sip:+442079460009@x>;tag=1", to: written + " <sip:020@x>", target: "sip:020@x", inviteSeq: 1, branch: "z9hG4bKe"}
			const bobAt = "10.0.1.2:5060"
			bob := w.peer(bobAt)
			bob.register("bob", "reg-bob", 1, "Contact: "+written+" <sip:bob@"+bobAt+">")
			bob.expect("200 REGISTER")
			w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return &gate.Plan{Routes: []gate.Route{{Line: "bob"}}}, nil }
			d.seq = 0
			d.request("INVITE", sdp)
			inv := bob.expect("INVITE")
			if got := string(inv.From().AppendDisplay(nil)); got != seen {
				t.Errorf("the phone sees %q, want %q", got, seen)
			}
			bob.answer(inv, 200, "b", sdpB)
			d.take(w.carrier.expect("200 INVITE")).request("ACK", "")
			bob.expect("ACK")
			b := bob.accepted(inv, "b")
			b.request("BYE", "")
			bob.expect("200 BYE")
			bye := w.carrier.expect("BYE")
			if string(bye.To().Tag()) != "1" {
				t.Errorf("BYE to %q", bye.Get(message.HTo))
			}
			w.carrier.answer(bye, 200, "", "")
		})
	}
}

// What cannot be read is answered with what is wrong with it, and is in the log once for its source.
func TestWhatCannotBeReadIsAnswered(t *testing.T) {
	for _, c := range []struct{ from, to, header, why string }{
		{"From: ", "From: <no>\r\nX: ", "From", "malformed From"},
		{"From: ", "From: <sip:a@b>;tag=2\r\nFrom: ", "From", "more than one From"},
		{"To: ", "To: \r\nX: ", "To", "malformed To"},
		{"To: ", "X: ", "To", "missing To"},
		{"Call-ID: ", "Call-ID: a b\r\nX: ", "Call-ID", "malformed Call-ID"},
		{"CSeq: ", "CSeq: x\r\nX: ", "CSeq", "malformed CSeq"},
		{"Via: ", "Via: rubbish\r\nX: ", "Via", "malformed Via"},
		{"Max-Forwards: ", "Max-Forwards: 1\r\nMax-Forwards: ", "Max-Forwards", "more than one Max-Forwards"},
		{"Contact: ", "Contact: <>\r\nX: ", "Contact", "malformed Contact"},
		{"Content-Length: ", "Content-Length: 77\r\nX: ", "Content-Length", "body shorter than Content-Length"},
		{"INVITE sip:020@x", "INVITE sip:0 2 0@x", "", "malformed Request-URI"},
	} {
		t.Run(c.why, func(t *testing.T) {
			var log bytes.Buffer
			inWorld(t, func(w *world) {
				sound := "INVITE sip:020@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.1:5060;branch=z9hG4bKo\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:020@x>\r\n" +
					"Call-ID: c1\r\nCSeq: 1 INVITE\r\nContact: <sip:a@10.0.1.1>\r\n" + goodLogin + "\r\nContent-Length: 0\r\n\r\n"
				odd := strings.Replace(sound, c.from, c.to, 1)
				for range 3 {
					w.phone.write(odd)
					in := string((<-w.phone.sock.in).text)
					if want := "SIP/2.0 400 " + strings.ToUpper(c.why[:1]) + c.why[1:] + "\r\n"; !strings.HasPrefix(in, want) || !strings.Contains(in, "Warning: 399 ringfence \""+c.why+"\"") {
						t.Errorf("want %q, got\n%s", want, in)
					}
				}
				w.carrier.write(odd)
				<-w.carrier.sock.in
				synctest.Wait()
				for _, at := range []string{"10.0.1.1:5060", "10.0.9.1:5060"} {
					if n := strings.Count(log.String(), fmt.Sprintf("source=%s header=%s why=%q", at, quoteEmpty(c.header), c.why)); n != 1 {
						t.Errorf("logged %d times for %s:\n%s", n, at, log.String())
					}
				}
			}, func(w *world) { w.opts.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		})
	}
}

func quoteEmpty(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

// A status that is none is counted, and ends what was asked: nobody waits half a minute for another answer.
func TestAnAnswerWithoutAStatus(t *testing.T) {
	for _, code := range []int{0, 99, 700, 999, 1000, -200} {
		inWorld(t, func(w *world) {
			w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one", "two"), nil }
			spoilt := func(m *message.Message) {
				get := func(id message.HeaderID) string { return id.String() + ": " + string(m.Get(id)) }
				w.carrier.write(strings.Join([]string{
					fmt.Sprintf("SIP/2.0 %03d Odd", code), get(message.HVia), get(message.HFrom), get(message.HTo) + ";tag=x", get(message.HCallID), get(message.HCSeq), "", "",
				}, "\r\n"))
			}
			w.phone.invite("c1", "020")
			spoilt(w.carrier.expect("INVITE"))
			w.carrier.expect("ACK")
			if n := w.edge.Stats().Malformed; n != 1 {
				t.Errorf("%d: %d counted", code, n)
			}
			inv := w.spare.expect("INVITE") // at once
			w.spare.answer(inv, 486, "b", "")
			w.spare.expect("ACK")
			w.phone.find("486 INVITE")
		})
	}
}

// The ACK of an answer says by its Call-ID, tags and number what it is of. One without a Via was dropped, and a good call hung up after half a minute.
func TestAnAckWithoutAVia(t *testing.T) {
	for _, odd := range []string{"", "Call-ID: other", "From: <sip:x@y>;tag=other"} {
		inWorld(t, func(w *world) {
			a := w.phone.invite("c1", "020")
			w.carrier.answer(w.carrier.expect("INVITE"), 200, "b", sdpB)
			w.carrier.expect("ACK")
			a.take(w.phone.expect("200 INVITE"))
			lines := []string{"ACK " + a.target + " SIP/2.0", odd, "From: " + a.from, "To: " + a.to, "Call-ID: c1", "CSeq: 1 ACK", "Content-Length: 0", "", ""}
			if odd == "" {
				lines = append(lines[:1], lines[2:]...)
			}
			w.phone.write(strings.Join(lines, "\r\n"))
			w.phone.quiet(time.Minute)
			w.hangUp(a)
		})
	}
}

// A BYE that has several Call-IDs, From or To ends the call that one of them is of, whichever comes first. It was answered 481, and the call billed on.
func TestAnEndOfOneOfSeveralCalls(t *testing.T) {
	for _, by := range []string{"phone", "carrier"} {
		for _, method := range []string{"BYE", "CANCEL"} {
			if by == "carrier" && method == "CANCEL" {
				continue
			}
			for _, odd := range []string{"Call-ID: other@x", "Call-ID: c2", "From: <sip:x@y>;tag=other", "To: <sip:x@y>;tag=other", "Call-ID: a\r\nCall-ID: b\r\nFrom: <sip:x@y>;tag=f\r\nTo: <sip:x@y>;tag=t", "Call-ID: other\r\ngarbage\r\nCSeq: x", "swapped", "around"} {
				inWorld(t, func(w *world) {
					ends := func(d *dialog, seq uint32, branch string) {
						from, to, callID, first := d.from, d.to, d.callID, odd
						switch {
						case odd == "swapped" && method == "BYE":
							from, to, first = d.to, d.from, "X: y"
						case odd == "swapped" || odd == "around":
							callID, first = "<"+d.callID+">;x=y", "X: y"
							to = strings.ReplaceAll(to, ">;tag=", ";tag=")
							if strings.Contains(to, ";tag=") {
								to += ">"
							}
						}
						d.p.write(strings.Join([]string{
							method + " sip:x@10.0.0.1 SIP/2.0", "Via: SIP/2.0/UDP " + d.p.at + ";branch=" + branch, first, "From: " + from, "To: " + to, "Call-ID: " + callID,
							fmt.Sprint("CSeq: ", seq, " ", method), "Content-Length: 0", "", "",
						}, "\r\n"))
					}
					if method == "CANCEL" {
						a := w.phone.invite("c1", "020")
						inv := w.carrier.expect("INVITE")
						w.carrier.answer(inv, 180, "b", "")
						w.phone.expect("180 INVITE")
						ends(a, 1, a.branch)
						w.phone.find("200 CANCEL")
						w.carrier.answer(w.carrier.expect("CANCEL"), 200, "", "")
						w.carrier.answer(inv, 487, "b", "")
						w.carrier.expect("ACK")
						a.request("ACK", "")
						w.endedFrom(call.Caller, "")
						return
					}
					a, b := w.connect("c1")
					d, far := a, w.carrier
					if by == "carrier" {
						d, far = b, w.phone
					}
					ends(d, 500, "z9hG4bKlast")
					d.p.find("200 BYE")
					far.answer(far.expect("BYE"), 200, "", "")
					if n := w.edge.Stats().WrongTags; n != 0 {
						t.Errorf("%d wrong tags counted", n)
					}
					ends(d, 500, "z9hG4bKlast") // a repeat
					d.p.find("200 BYE")
				})
			}
		}
	}
	inWorld(t, func(w *world) { // none of them is of a call
		a, _ := w.connect("c1")
		a.p.write("BYE sip:x@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP " + a.p.at + ";branch=z9hG4bKlast\r\nCall-ID: x\r\nCall-ID: c1\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:x@y>;tag=2\r\nCSeq: 9 BYE\r\n\r\n")
		a.p.expect("481 BYE")
		if n := w.edge.Stats().WrongTags; n != 1 {
			t.Errorf("%d wrong tags counted", n)
		}
		w.hangUp(a)
	})
}

// A name that reads as a number is shown to nobody: phones show the name in place of the number, which is the one that was checked.
func TestANameThatReadsAsANumber(t *testing.T) {
	for name, want := range map[string]string{
		"Anna": "Anna", "Flat 12": "Flat 12", "Unit 4021": "Unit 4021", "020 7946 0000": "", "HMRC +44 300 200 3300": "", "０２０７９４６００００": "", "٠٢٠٧٩٤٦": "", "116000": "",
	} {
		inWorld(t, func(w *world) {
			sentOnPlan(w, account.Forwards{})
			bob := w.bob()
			in := w.comesIn("in1")
			inv := bob.find("INVITE")
			bob.answer(inv, 486, "b", "")
			w.carrier.find("486 INVITE")
			in.request("ACK", "")
			d := *in
			d.callID, d.from, d.branch = "in2", "\""+name+"\" <sip:+33123456789@"+carrierAt+">;tag=x", "z9hG4bKin2"
			d.request("INVITE", sdpB)
			inv = bob.next2("INVITE", "INVITE")
			if got := string(inv.From().AppendDisplay(nil)); got != want {
				t.Errorf("%q is shown as %q", name, got)
			}
			bob.answer(inv, 486, "b", "")
			w.carrier.find("486 INVITE")
			d.request("ACK", "")
		})
	}
}
