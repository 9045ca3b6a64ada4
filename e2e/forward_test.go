//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// A line that forwards its calls pays for each to the micro-unit, and the caller pays what a call to that line costs: nothing.
func TestAForwardIsBilledToTheLineThatForwards(t *testing.T) {
	uas := sipp{scenario: "carrier.xml"}.begin(t).listening()
	s := start(t, uas.at)
	password := s.line("2001", "--number", "+442079460101")
	s.line("2002", "--number", "+442079460102")
	s.cli("line", "set", "2002", "forward_always=020 7946 0000")
	sipp{scenario: "call.xml", with: map[string]string{"TALK": "2000"}, server: s.sip, line: "2001", password: password, to: "02079460102"}.run(t)
	contains(t, uas.done(), "INVITE sip:+442079460000@", "442079460102")
	first, sent := s.cdrs("2001", 1)[0], s.cdrs("2002", 1)[0]
	if first.Retail != 0 || first.Class != "on-net" || first.By != "caller" || first.Cause != "" {
		t.Errorf("the call to the line: %+v", first)
	}
	if sent.Retail != londonTwoSeconds || sent.Number != "+442079460000" || sent.Cause != "forward-always" || sent.Parent != first.ID || sent.By != "caller" {
		t.Errorf("the call that it was forwarded by: %+v", sent)
	}
	for line, want := range map[string]int64{"2001": 0, "2002": londonTwoSeconds} {
		if p := s.day(line); p.Spent != want || p.Held != 0 {
			t.Errorf("%s: %+v", line, p)
		}
	}
}

// What a thief tries with a line that it has: Cuba, a premium number, and a loop of two lines that forward to each other. Nothing goes out and nothing is
// spent; the record of each refused call says why, and the caller hears no reason.
func TestThievesForwards(t *testing.T) {
	c, _ := carrier(t, phone.CarrierOptions{})
	s := start(t, c.Addr())
	caller := s.dial("2001", s.line("2001", "--number", "+442079460101"))
	s.line("2002", "--number", "+442079460102")
	s.line("2003", "--number", "+442079460103")
	for to, why := range map[string]string{"+53 7 123 4567": "over-international-ceiling", "0909 879 0000": "premium-barred", "020 7946 0103": "sent-on-too-often"} {
		s.cli("line", "set", "2002", "forward_always="+to)
		s.cli("line", "set", "2003", "forward_always=020 7946 0102")
		got, a, err := caller.Invite(t.Context(), "02079460102", phone.Dialling{})
		must(t, err)
		if got != nil || a.Status != 480 || strings.Contains(a.Why, why) {
			t.Errorf("to %s: %+v %+v", to, got, a)
		}
		eventually(t, 10*time.Second, "a record says why "+to+" is refused", func() bool {
			return strings.Contains(s.cli("cdr", "list", "--json", "--reason", why), `"refused": true`)
		})
	}
	if _, errs, err := s.tryCLI("line", "set", "2002", "forward_always=999"); err == nil || !strings.Contains(errs, "no emergency number") {
		t.Errorf("to 999: %s", errs)
	}
	if n := c.Stats().Offered; n != 0 {
		t.Errorf("%d calls went out", n)
	}
	for _, line := range []string{"2001", "2002", "2003"} {
		if p := s.day(line); p.Spent != 0 || p.Held != 0 {
			t.Errorf("%s: %+v", line, p)
		}
	}
}

// A phone transfers the other party and is out: its line pays for both calls, each for as long as it lasts, to the micro-unit.
func TestATransferIsBilledToTheLineThatTransfers(t *testing.T) {
	c, ended := carrier(t, phone.CarrierOptions{Script: phone.Script{"0000": {HangupFrom: 6 * time.Second}}})
	s := start(t, c.Addr())
	password := s.line("2001", "--number", "+442079460101")
	contains(t, sipp{scenario: "transfer.xml", with: map[string]string{"TARGET": "07700900123"}, server: s.sip, line: "2001", password: password, to: "02079460000"}.run(t), "Call transferred")
	next(t, ended)
	next(t, ended)
	var total int64
	for _, r := range s.cdrs("2001", 2) {
		want := int64(londonTwoSeconds) // up to 30 s
		if r.Number == "+447700900123" {
			want = (r.Talk/int64(time.Second) + 1) * 1500 // each second begun is 0.09/60
			if r.Cause != "transfer" || r.Parent == "" || r.Talk < int64(2*time.Second) {
				t.Errorf("the transfer: %+v", r)
			}
		} else if r.Cause != "" || r.Talk < int64(5*time.Second) {
			t.Errorf("the first call: %+v", r)
		}
		if r.Retail != want {
			t.Errorf("%s costs %d, want %d: %+v", r.Number, r.Retail, want, r)
		}
		total += r.Retail
	}
	if p := s.day("2001"); p.Spent != total || p.Held != 0 {
		t.Errorf("purse %+v, want %d", p, total)
	}
}
