package sip

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/restrict"
	"ringfence/edge/sip/message"
	"ringfence/edge/voice"
	"ringfence/flow/gate"
)

const (
	askAt   = "10.0.0.1:40000" // where the voice takes RTP
	phoneIn = "10.0.1.1:4000"  // where alice's phone does
	keysSDP = "v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)

// askedWorld is a world in which calls must be confirmed, and the ear and the keys of alice's phone.
type askedWorld struct {
	*world
	rtp   *memory
	said  []gate.Questioned
	audio []byte
	stamp uint32
}

// inAsked runs a test in a world in which each call must be confirmed so.
func inAsked(t *testing.T, ask gate.Confirm, test func(w *askedWorld)) {
	x := &askedWorld{}
	inWorld(t, func(w *world) { test(x) }, func(w *world) {
		x.world, x.rtp = w, w.net.listen(phoneIn)
		v, err := voice.New(voice.Options{Open: func(netip.AddrPort) (net.PacketConn, error) { return w.net.listen(askAt), nil }})
		if err != nil {
			t.Fatal(err)
		}
		w.opts.Voice = v
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) {
			p := out("one")
			p.Ask = &ask
			return p, nil
		}
		w.change = func(f *fakes) {
			f.questioned = func(_ call.ID, q gate.Questioned) { x.said = append(x.said, q) }
		}
	})
}

var price = gate.Confirm{Ask: restrict.AskDigits, By: 7, Rate: 90 * money.PencePerMinute, Left: 8_500_000}

// call sends alice's INVITE with an offer.
func (w *askedWorld) call(callID, offer string) *dialog {
	w.phone.offer = offer
	return w.phone.invite(callID, "02079460000")
}

// hear takes the audio that has come, and gives the digits of the latest question.
func (w *askedWorld) hear() string {
	for {
		select {
		case p := <-w.rtp.in:
			w.audio = append(w.audio, p.text[12:]...)
		default:
			return voice.Listen(voice.Linear(w.audio))
		}
	}
}

// digits waits until three digits have been spoken.
func (w *askedWorld) digits() string {
	w.t.Helper()
	for range 60 {
		time.Sleep(time.Second)
		if d := w.hear(); len(d) == 3 {
			return d
		}
	}
	w.t.Fatal("no digits were spoken")
	return ""
}

// press sends keys as telephone events.
func (w *askedWorld) press(keys string) {
	for _, key := range keys {
		w.stamp += 8000
		b := []byte{0x80, 101, 0, 1}
		b = binary.BigEndian.AppendUint32(b, w.stamp)
		b = append(b, 0, 0, 0, 9, byte(key-'0'), 0x8a, 3, 32)
		_, _ = w.rtp.WriteTo(b, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(askAt)))
		time.Sleep(250 * time.Millisecond)
	}
}

// TestAConfirmedCall: the caller hears the price, confirms it, hears ringing and talks to the callee.
func TestAConfirmedCall(t *testing.T) {
	inAsked(t, price, func(w *askedWorld) {
		a := w.call("q1", keysSDP)
		ok := w.phone.expect("200 INVITE")
		a.take(ok)
		if body := string(ok.Body()); !strings.Contains(body, "m=audio 40000 RTP/AVP 0 101") {
			t.Fatalf("the voice answers\n%s", body)
		}
		a.request("ACK", "")
		w.press(w.digits())
		inv := w.carrier.expect("INVITE")
		if body := string(inv.Body()); !strings.Contains(body, "m=audio 4000 ") || strings.Contains(body, "40000") {
			t.Errorf("the carrier is offered\n%s", body)
		}
		w.carrier.answer(inv, 180, "bq", "")
		time.Sleep(5 * time.Second)
		w.phone.quiet(time.Second) // it has its answer: nothing rings at it
		w.carrier.answer(inv, 200, "bq", sdpB)
		w.carrier.expect("ACK")
		re := w.phone.expect("INVITE")
		if !strings.Contains(string(re.Body()), "m=audio 6000 ") {
			t.Errorf("the phone is offered\n%s", re.Body())
		}
		w.phone.answer(re, 200, "", sdp)
		w.phone.expect("ACK")
		synctest.Wait()
		if len(w.said) != 1 || w.said[0].Pressed != gate.Passed {
			t.Errorf("the gate was told %+v", w.said)
		}
		b := w.carrier.accepted(inv, "bq")
		w.carrier.quiet(time.Second) // the session that it was offered holds
		a.request("BYE", "")
		w.phone.find("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		_ = b
	})
}

// TestAQuestionThatFails: nobody is called, and the phone is told why.
func TestAQuestionThatFails(t *testing.T) {
	for _, c := range []struct {
		name, pressed string
		wrong         int
	}{{"wrong", gate.Wrong, 3}, {"silent", gate.NoAudio, 0}} {
		t.Run(c.name, func(t *testing.T) {
			inAsked(t, price, func(w *askedWorld) {
				a := w.call("q2", keysSDP)
				a.take(w.phone.expect("200 INVITE"))
				a.request("ACK", "")
				digits := []byte(w.digits())
				digits[0] = '0' + (digits[0]-'0'+1)%10
				for range 3 {
					if c.wrong > 0 {
						w.press(string(digits))
					}
					time.Sleep(time.Second)
				}
				bye := w.phone.find("BYE")
				if got := why(bye); !strings.Contains(got, "not confirmed") {
					t.Errorf("the phone is told %q", got)
				}
				w.phone.answer(bye, 200, "", "")
				w.carrier.quiet(time.Second)
				if end := w.gate.only(t); end.Reason != policy.QuestionFailed || end.By != call.System {
					t.Errorf("%+v", end)
				}
				if len(w.said) != 1 || w.said[0].Pressed != c.pressed || w.said[0].Wrong != c.wrong {
					t.Errorf("the gate was told %+v", w.said)
				}
			})
		})
	}
}

// TestWhoHangsUpIsNotCharged: a caller who hears the price and hangs up, before or after the keys, has called nobody.
func TestWhoHangsUpIsNotCharged(t *testing.T) {
	for _, rang := range []bool{false, true} {
		inAsked(t, price, func(w *askedWorld) {
			a := w.call("q3", keysSDP)
			a.take(w.phone.expect("200 INVITE"))
			a.request("ACK", "")
			want := gate.Left
			digits := w.digits()
			if rang {
				want = gate.Passed
				w.press(digits)
				inv := w.carrier.expect("INVITE")
				w.carrier.answer(inv, 180, "b3", "")
				synctest.Wait()
				a.request("BYE", "")
				w.phone.find("200 BYE")
				cancel := w.carrier.expect("CANCEL")
				w.carrier.answer(cancel, 200, "b3", "")
				w.carrier.answer(inv, 487, "b3", "")
				w.carrier.expect("ACK")
			} else {
				a.request("BYE", "")
				w.phone.find("200 BYE")
			}
			synctest.Wait()
			if end := w.gate.only(t); end.Reason != policy.Cancelled || end.By != call.Caller {
				t.Errorf("%+v", end)
			}
			if len(w.said) != 1 || w.said[0].Pressed != want {
				t.Errorf("the gate was told %+v", w.said)
			}
			w.hear()
			n := len(w.audio)
			time.Sleep(5 * time.Second)
			if w.hear(); len(w.audio) > n+20*160 {
				t.Error("the voice goes on speaking")
			}
		})
	}
}

// TestAskedBeforeTheAnswer: the voice has an early dialog, and the callee another.
func TestAskedBeforeTheAnswer(t *testing.T) {
	early := price
	early.Early, early.Ask = true, restrict.AskKey
	inAsked(t, early, func(w *askedWorld) {
		a := w.call("q4", keysSDP)
		first := w.phone.expect("183 INVITE")
		if !strings.Contains(string(first.Body()), "m=audio 40000 ") {
			t.Fatalf("%s", first.Body())
		}
		w.phone.expect("183 INVITE") // nobody acknowledges it
		w.press("1")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b4", "")
		ring := w.phone.expect("180 INVITE")
		w.carrier.answer(inv, 200, "b4", sdpB)
		ok := w.phone.expect("200 INVITE")
		a.take(ok)
		a.request("ACK", "")
		w.carrier.expect("ACK")
		if string(first.To().Tag()) == string(ok.To().Tag()) || string(ring.To().Tag()) != string(ok.To().Tag()) {
			t.Errorf("tags: voice %s, ringing %s, answer %s", first.To().Tag(), ring.To().Tag(), ok.To().Tag())
		}
		if !strings.Contains(string(ok.Body()), "m=audio 6000 ") {
			t.Errorf("the answer is\n%s", ok.Body())
		}
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
	})
}

// TestKeysByINFO, and a phone that narrows its codecs right after the answer.
func TestKeysByINFO(t *testing.T) {
	key := price
	key.Ask = restrict.AskKey
	inAsked(t, key, func(w *askedWorld) {
		a := w.call("q5", keysSDP)
		a.take(w.phone.expect("200 INVITE"))
		a.request("ACK", "")
		a.request("INVITE", strings.Replace(keysSDP, "4000", "4444", 1))
		if body := string(w.phone.expect("200 INVITE").Body()); !strings.Contains(body, "m=audio 40000 ") || !strings.Contains(body, " 2 IN IP4 ") {
			t.Errorf("the second answer is\n%s", body)
		}
		a.request("ACK", "")
		a.request("INFO", "Signal=1\r\nDuration=160\r\n", "Content-Type: application/dtmf-relay")
		w.phone.expect("200 INFO")
		inv := w.carrier.expect("INVITE")
		if !strings.Contains(string(inv.Body()), "m=audio 4444 ") {
			t.Errorf("the carrier is offered\n%s", inv.Body())
		}
		w.carrier.answer(inv, 486, "b5", "")
		w.carrier.expect("ACK")
		bye := w.phone.expect("BYE")
		w.phone.answer(bye, 200, "", "")
		synctest.Wait()
		if end := w.gate.only(t); end.Reason != policy.Busy {
			t.Errorf("%+v", end)
		}
	})
}

// TestNobodyToAsk: a phone without G.711 is refused with the reason.
func TestNobodyToAsk(t *testing.T) {
	inAsked(t, price, func(w *askedWorld) {
		w.call("q6", strings.Replace(sdp, "RTP/AVP 8", "RTP/AVP 18", 1))
		got := w.phone.expect("403 INVITE")
		if text := why(got); !strings.Contains(text, "G.711") {
			t.Errorf("told %q", text)
		}
		synctest.Wait()
		if end := w.gate.only(t); end.Reason != policy.QuestionUnasked || end.Reason.Text(policy.Figures{Value: policy.UnaskedAudio}) == "" {
			t.Errorf("%+v", end)
		}
		if len(w.said) != 1 || w.said[0].Pressed != gate.NoAudio {
			t.Errorf("the gate was told %+v", w.said)
		}
	})
}

// TestACrashDuringAQuestion: the next process hangs up the phone that was being asked.
func TestACrashDuringAQuestion(t *testing.T) {
	inAsked(t, price, func(w *askedWorld) {
		w.loose = true
		a := w.call("q7", keysSDP)
		a.take(w.phone.expect("200 INVITE"))
		a.request("ACK", "")
		synctest.Wait()
		id := w.gate.admitted[0]
		snapshot := slices.Clone(w.gate.answered[id])
		if snapshot == nil {
			t.Fatal("nothing was stored of the phone that was answered")
		}
		w.edge.restore([]gate.Recovered{{ID: "call-9", State: call.Ending, Snapshot: []byte(strings.ReplaceAll(string(snapshot), "q7", "q8")), Begun: time.Now(), ALeg: "q8", Why: policy.NodeLost}})
		bye := w.phone.find("BYE")
		if string(bye.CallID()) != "q8" {
			t.Errorf("it hangs up %s", bye.CallID())
		}
		w.phone.answer(bye, 200, "", "")
	})
}

func TestKeyIn(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		want       byte
	}{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5'},
		{"application/dtmf-relay", "Signal= *\nDuration=160", '*'},
		{"application/dtmf-relay", "signal = 7", '7'},
		{"application/dtmf", "9", '9'},
		{"application/dtmf", "11", 0},
		{"application/dtmf", "A", 0},
		{"application/dtmf-relay", "Duration=160", 0},
		{"text/plain", "5", 0},
	} {
		var m message.Message
		text := "INFO sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INFO\r\nContent-Type: " + c.kind +
			"\r\nContent-Length: " + strconv.Itoa(len(c.body)) + "\r\n\r\n" + c.body
		if f := message.Parse(&m, []byte(text)); f != nil {
			t.Fatal(f)
		}
		if got, ok := keyIn(&m); got != c.want && ok || ok != (c.want != 0) {
			t.Errorf("%q %q: %q %t", c.kind, c.body, got, ok)
		}
	}
}

// TestAskedWithoutAnOffer: the voice makes the offer, and the callee is offered what the phone has answered.
func TestAskedWithoutAnOffer(t *testing.T) {
	inAsked(t, price, func(w *askedWorld) {
		a := w.call("q9", noOffer)
		ok := w.phone.expect("200 INVITE")
		a.take(ok)
		if body := string(ok.Body()); !strings.Contains(body, "m=audio 40000 RTP/AVP 8 0 101") {
			t.Fatalf("the voice offers\n%s", body)
		}
		a.request("ACK", keysSDP)
		synctest.Wait()
		a.request("INVITE", keysSDP) // its ACK has no answer to anything
		w.phone.expect("200 INVITE")
		a.request("ACK", "")
		w.press(w.digits())
		inv := w.carrier.expect("INVITE")
		if !strings.Contains(string(inv.Body()), "m=audio 4000 ") {
			t.Errorf("the carrier is offered\n%s", inv.Body())
		}
		w.carrier.answer(inv, 200, "b9", sdpB)
		w.carrier.expect("ACK")
		w.phone.answer(w.phone.expect("INVITE"), 200, "", sdp)
		w.phone.expect("ACK")
		a.request("BYE", "")
		w.phone.expect("200 BYE")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
	})
}

// TestAskedOfOneWhoRequiresReliableAnswers: the question is put after an answer, whatever the line's setting, and its callee is sent no 100rel.
func TestAskedOfOneWhoRequiresReliableAnswers(t *testing.T) {
	early := price
	early.Early, early.Ask = true, restrict.AskKey
	inAsked(t, early, func(w *askedWorld) {
		w.phone.offer = keysSDP
		a := w.phone.invite("q10", "02079460000", "Require: 100rel")
		a.take(w.phone.expect("200 INVITE"))
		a.request("ACK", "")
		synctest.Wait()
		w.press("1")
		inv := w.carrier.expect("INVITE")
		if inv.HasToken(message.HSupported, "100rel") {
			t.Error("the callee may answer reliably, and the caller could acknowledge nothing")
		}
		w.carrier.answer(inv, 180, "b10", "")
		w.phone.quiet(time.Second)
		a.request("UPDATE", "") // a refresh while it rings
		w.phone.expect("200 UPDATE")
		a.request("INVITE", strings.Replace(keysSDP, "4000", "4444", 1)) // and a new address
		w.phone.expect("200 INVITE")
		a.request("ACK", "")
		w.carrier.answer(inv, 200, "b10", sdpB)
		w.carrier.expect("ACK")
		w.phone.answer(w.phone.expect("INVITE"), 200, "", strings.Replace(sdp, "4000", "4444", 1))
		w.phone.expect("ACK")
		re := w.carrier.expect("INVITE") // it was offered another address
		if !strings.Contains(string(re.Body()), "m=audio 4444 ") {
			t.Errorf("the carrier is offered\n%s", re.Body())
		}
		w.carrier.answer(re, 200, "", sdpB)
		w.carrier.expect("ACK")
		a.request("BYE", "")
		w.phone.find("200 BYE")
		w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
	})
}

// TestAPhoneThatCannotBeJoined: it refuses the callee's session, and both are hung up.
func TestAPhoneThatCannotBeJoined(t *testing.T) {
	inAsked(t, price, func(w *askedWorld) {
		a := w.call("q11", keysSDP)
		a.take(w.phone.expect("200 INVITE"))
		a.request("ACK", "")
		w.press(w.digits())
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "b11", sdpB)
		w.carrier.expect("ACK")
		re := w.phone.expect("INVITE")
		w.phone.answer(re, 488, "", "")
		w.phone.expect("ACK")
		w.phone.answer(w.phone.expect("BYE"), 200, "", "")
		w.carrier.answer(w.carrier.expect("BYE"), 200, "", "")
		synctest.Wait()
		if end := w.gate.only(t); end.Reason != policy.Incompatible {
			t.Errorf("%+v", end)
		}
	})
}

// TestACutDuringAQuestion: a lock ends it at once.
func TestACutDuringAQuestion(t *testing.T) {
	inAsked(t, price, func(w *askedWorld) {
		a := w.call("q12", keysSDP)
		a.take(w.phone.expect("200 INVITE"))
		a.request("ACK", "")
		w.digits()
		w.gate.cut(w.gate.admitted[0], policy.CutLocked, policy.Figures{})
		w.phone.answer(w.phone.find("BYE"), 200, "", "")
		w.carrier.quiet(time.Second)
		if end := w.gate.only(t); end.Reason != policy.CutLocked {
			t.Errorf("%+v", end)
		}
		if len(w.said) != 1 || w.said[0].Pressed != gate.Left {
			t.Errorf("the gate was told %+v", w.said)
		}
	})
}

// TestAPhoneThatNeverAcknowledges the voice's answer hears nothing, and is hung up.
func TestAPhoneThatNeverAcknowledges(t *testing.T) {
	inAsked(t, price, func(w *askedWorld) {
		w.call("q13", keysSDP)
		w.phone.expect("200 INVITE")
		time.Sleep(time.Minute)
		if w.hear(); len(w.audio) != 0 {
			t.Error("the voice speaks to a phone that has not acknowledged it")
		}
		bye := w.phone.find("BYE")
		w.phone.answer(bye, 200, "", "")
		synctest.Wait()
		if end := w.gate.only(t); end.Reason != policy.NoAck {
			t.Errorf("%+v", end)
		}
	})
}

// TestACallThatAnotherNodeHas: the voice stops when the call is forgotten here, and the next question finds its place free.
func TestACallThatAnotherNodeHas(t *testing.T) {
	inAsked(t, price, func(w *askedWorld) {
		w.loose = true
		a := w.call("q14", keysSDP)
		a.take(w.phone.expect("200 INVITE"))
		a.request("ACK", "")
		w.press(w.digits())
		w.carrier.expect("INVITE") // it rings: the voice plays the ringing tone, for as long as it lives
		w.edge.forget(w.gate.admitted)
		synctest.Wait()
		w.hear()
		n := len(w.audio)
		time.Sleep(10 * time.Second)
		if w.hear(); len(w.audio) != n {
			t.Errorf("%d samples came after the call had gone", len(w.audio)-n)
		}
	})
}
