//go:build e2e

package e2e

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/edge/phone"
	"ringfence/edge/voice"
)

// heard is the sound that a baresip has received so far.
func (b *softBaresip) heard() (samples []int16) {
	files, _ := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav"))
	for _, file := range files {
		wav, err := os.ReadFile(file)
		must(b.t, err)
		for i := 44; i+1 < len(wav); i += 2 {
			samples = append(samples, int16(binary.LittleEndian.Uint16(wav[i:])))
		}
	}
	return samples
}

// listens waits until the voice has spoken three digits, and gives them.
func (b *softBaresip) listens() (digits string) {
	b.t.Helper()
	eventually(b.t, 40*time.Second, "the voice speaks three digits", func() bool {
		digits = voice.Listen(b.heard())
		return len(digits) == 3
	})
	elapse(time.Second) // the file may be ahead of the last word's end
	return digits
}

// asks has a server whose line 2001 must confirm all calls but free ones so.
func asks(t *testing.T, how string, o phone.CarrierOptions) (s *server, password string, ended <-chan phone.CallSeen) {
	t.Helper()
	c, ended := carrier(t, o)
	s = start(t, c.Addr())
	password = s.line("2001")
	contains(t, s.cli("restriction", "add", "--line", "2001", "--only", "+4499999", "--ask", how), "is in force")
	return s, password, ended
}

// questions are what the journal says of the line's questions.
func (s *server) questions() string {
	return s.cli("journal", "--line", "2001", "--kind", "call.questioned", "--json")
}

// A caller hears the price, confirms it with a key as two real phones send it (RFC 4733, SIP INFO), and talks to the carrier. Nothing before its answer is charged.
func TestACallIsConfirmedWithAKey(t *testing.T) {
	for _, client := range []string{"baresip", "linphone"} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			s, password, ended := asks(t, "key", phone.CarrierOptions{Ring: time.Second})
			p := launch(t, client, way{server: s.sip, transport: "udp"}, "2001", password)
			s.registered("2001", client)
			p.dial("02079460000") // it is up when the voice has answered
			elapse(3 * time.Second)
			p.digit('1')
			eventually(t, 20*time.Second, "the carrier has answered", func() bool {
				return strings.Contains(s.cli("journal", "--line", "2001", "--kind", "call.answered"), "call.answered")
			})
			elapse(2500 * time.Millisecond)
			p.hangup()
			seen := next(t, ended)
			if seen.Answered.IsZero() || !seen.Theirs || seen.Called != "+442079460000" {
				t.Errorf("the carrier saw %+v", seen)
			}
			if talk := seen.Ended.Sub(seen.Answered); talk < 2*time.Second || talk > 10*time.Second {
				t.Errorf("the carrier was talked to for %v", talk)
			}
			if r := s.cdrs("2001", 1)[0]; r.Retail <= 0 || r.Talk > int64(10*time.Second) || r.By != "caller" {
				t.Errorf("record: %+v", r)
			}
			contains(t, s.questions(), `"pressed": "passed"`, `"asked": "key"`)
		})
	}
}

// A person who hears the three digits presses them; the call goes on, and the number is not asked for again.
func TestACallIsConfirmedWithSpokenDigits(t *testing.T) {
	t.Parallel()
	s, password, ended := asks(t, "digits", phone.CarrierOptions{Ring: 200 * time.Millisecond})
	p := launchBaresip(t, way{server: s.sip, transport: "udp"}, "2001", password)
	s.registered("2001", "baresip")
	p.dial("02079460000")
	digits := p.listens()
	for i := range digits {
		p.digit(digits[i])
	}
	eventually(t, 20*time.Second, "the carrier has answered", func() bool {
		return strings.Contains(s.cli("journal", "--line", "2001", "--kind", "call.answered"), "call.answered")
	})
	before := len(p.heard())
	elapse(3 * time.Second)
	if tone := p.heard()[before:]; len(tone) < 8000 {
		t.Errorf("heard %d samples of the carrier", len(tone))
	} else if hertz, rms := pitch(tone[4000:]); hertz < 400 || hertz > 450 || rms < 500 {
		t.Errorf("heard %.0f Hz at %.0f, want the carrier's 425 Hz", hertz, rms)
	}
	p.hangup()
	next(t, ended)
	contains(t, s.questions(), `"pressed": "passed"`, `"asked": "digits"`)
	must(t, call(t, s.dial("2001", password), "02079460000").Hangup(t.Context())) // at once: a person has confirmed this number
	if seen := next(t, ended); seen.Called != "+442079460000" {
		t.Errorf("%+v", seen)
	}
}

// Wrong digits connect nothing and cost nothing; after three such calls the line is asked no more, and its owner is told. 999 is never asked.
func TestWrongDigitsConnectNothing(t *testing.T) {
	t.Parallel()
	s, password, ended := asks(t, "digits", phone.CarrierOptions{})
	p := launchBaresip(t, way{server: s.sip, transport: "udp"}, "2001", password)
	s.registered("2001", "baresip")
	for call := 1; call <= 3; call++ {
		before := len(p.heard())
		p.tell("/dial 02079460000\n")
		p.says(t, "Call established", call)
		var digits string
		eventually(t, 40*time.Second, "the voice speaks three digits", func() bool { digits = voice.Listen(p.heard()[before:]); return len(digits) == 3 })
		wrong := byte('1')
		if digits[0] == wrong {
			wrong = '2'
		}
		for range 3 {
			elapse(time.Second)
			for range 3 {
				p.digit(wrong)
			}
		}
		p.says(t, "terminated (duration", call)
	}
	eventually(t, 20*time.Second, "three records", func() bool {
		return strings.Count(s.cli("cdr", "list", "--line", "2001", "--json"), `"question-failed"`) == 3
	})
	for _, r := range s.cdrs("2001", 3) {
		if r.Retail != 0 {
			t.Errorf("a call that was not confirmed costs %+v", r)
		}
	}
	contains(t, s.questions(), `"pressed": "wrong"`, `"wrong": 3`, `"no_more": true`)
	own := s.dial("2001", password)
	if call, answer, err := own.Invite(t.Context(), "02079460000", phone.Dialling{}); err != nil || call != nil || answer.Status != 403 {
		t.Errorf("a fourth: %v %+v %v", call, answer, err)
	}
	eventually(t, 20*time.Second, "the finding", func() bool {
		return strings.Contains(s.cli("finding", "list", "--json"), "calls-unconfirmed")
	})
	must(t, call(t, own, "999").Hangup(t.Context()))
	if seen := next(t, ended); seen.Called != "999" && seen.Called != "112" {
		t.Errorf("the carrier saw %+v", seen)
	}
	if n := strings.Count(s.questions(), `"pressed"`); n != 3 {
		t.Errorf("%d questions, want 3: 999 is never asked", n)
	}
}
