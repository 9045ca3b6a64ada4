//go:build e2e

package e2e

import (
	"fmt"
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
	contains(t, uas.done(), "INVITE sip:+442079460000@", "From: <sip:+442079460101@") // who called, not who forwards
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
	with := map[string]string{"TARGET": "07700900123", "SUB": "      Refer-Sub: false", "THEN": hungUp}
	contains(t, sipp{scenario: "transfer.xml", with: with, server: s.sip, line: "2001", password: password, to: "02079460000"}.run(t), "Call transferred")
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

// ok answers a request.
const ok = `<send>
    <![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

    ]]>
  </send>`

// hungUp is a phone that takes the hang-up after its transfer.
const hungUp = `<recv request="BYE" timeout="10000">
    <action>
      <ereg regexp=".*" search_in="hdr" header="Reason:" assign_to="reason"/>
      <ereg regexp=".*" search_in="hdr" header="Warning:" assign_to="warning"/>
      <log message="Reason:[$reason]"/>
      <log message="Warning:[$warning]"/>
    </action>
  </recv>
  ` + ok

// notified is a phone that is told how its transfer failed, and hangs up itself.
const notified = `<recv request="NOTIFY"/>
  ` + ok + `
  <recv request="NOTIFY">
    <action>
      <ereg regexp="SIP/2.0 [^\r]*" search_in="body" assign_to="said"/>
      <log message="Said:[$said]"/>
    </action>
  </recv>
  ` + ok + `
  <send retrans="500">
    <![CDATA[
      BYE [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch=[branch]
      Max-Forwards: 70
      From: <sip:[line]@[remote_ip]>;tag=[pid]-[call_number]
      To: <sip:[to]@[remote_ip]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 5 BYE
      [routes]
      Content-Length: 0

    ]]>
  </send>
  <recv response="200"/>`

// refuses is a callee's final answer.
func refuses(status, contact string) string {
	return `<send retrans="500">
    <![CDATA[
      SIP/2.0 ` + status + `
      Via:[$via]
      [last_From:]
      [last_To:];tag=[pid]-p[call_number]
      [last_Call-ID:]
      CSeq:[$cseq]
` + contact + `
      Content-Length: 0

    ]]>
  </send>`
}

// Calls that a phone does not take go where its line says, or where the phone says itself: its line pays for them, the caller does not.
func TestCallsThatAPhoneDoesNotTake(t *testing.T) {
	for cause, c := range map[string]struct{ set, then string }{
		"forward-busy":        {"forward_busy=020 7946 0000", refuses("486 Busy Here", "      User-Agent: e2e-desk/1")},
		"forward-no-answer":   {"forward_no_answer=020 7946 0000", `<recv request="CANCEL"/>` + ok + refuses("487 Request Terminated", "      User-Agent: e2e-desk/1")},
		"forward-unreachable": {"forward_unreachable=020 7946 0000", ""},
		"redirect":            {"", refuses("302 Moved Temporarily", "      Contact: <sip:02079460000@example.com>;q=0.9, <sip:09098790000@example.com>;q=0.2")},
	} {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			uas := sipp{scenario: "carrier.xml"}.begin(t).listening()
			s := start(t, uas.at)
			password := s.line("2001", "--number", "+442079460101")
			desk := s.line("2002", "--number", "+442079460102")
			if c.set != "" {
				s.cli("line", "set", "2002", c.set, "forward_after=5")
			}
			var callee *running
			if c.then != "" {
				at := freePort(t)
				p, err := phone.Dial(t.Context(), phone.Account{Server: s.sip.String(), Line: "2002", Password: desk, Port: at.Port(), Local: at.Addr()})
				must(t, err)
				if a, err := p.Register(t.Context(), 300); err != nil || !a.OK() {
					t.Fatal(a, err)
				}
				p.Close()
				callee = sipp{scenario: "callee.xml", port: at.Port(), with: map[string]string{"THEN": c.then}}.begin(t).listening()
			}
			sipp{scenario: "call.xml", with: map[string]string{"TALK": "2000"}, server: s.sip, line: "2001", password: password, to: "02079460102"}.run(t)
			contains(t, uas.done(), "INVITE sip:+442079460000@")
			if callee != nil {
				callee.done()
			}
			first, sent := s.cdrs("2001", 1)[0], s.cdrs("2002", 1)[0]
			if first.Retail != 0 || first.Class != "on-net" || first.Cause != "" {
				t.Errorf("the call to the line: %+v", first)
			}
			if sent.Retail != londonTwoSeconds || sent.Number != "+442079460000" || sent.Cause != cause || sent.Parent != first.ID {
				t.Errorf("the call that it was sent on by: %+v", sent)
			}
			for line, want := range map[string]int64{"2001": 0, "2002": londonTwoSeconds} {
				if p := s.day(line); p.Spent != want || p.Held != 0 {
					t.Errorf("%s: %+v", line, p)
				}
			}
		})
	}
}

// linphone joins the parties of its two calls and is out: both calls go on, and its line pays for each as long as it lasts, and for nothing else.
func TestAnAttendedTransferIsBilledAsTwoCalls(t *testing.T) {
	c, ended := carrier(t, phone.CarrierOptions{Script: phone.Script{"0000": {HangupFrom: 8 * time.Second}}})
	s := start(t, c.Addr())
	l := launchLinphone(t, way{"UDP", s.sip, "udp"}, "2001", s.line("2001", "--number", "+442079460101"))
	s.registered("2001", "linphone")
	l.dial("02079460000")
	l.tell("call-pause")
	l.says(t, "LinphoneCallPaused\n", 1)
	l.tell(fmt.Sprintf("call sip:07700900123@%s", s.sip))
	l.says(t, "LinphoneCallStreamsRunning", 2)
	l.tell("call-transfer 1 2")
	l.says(t, "LinphoneCallReleased", 2)
	if n := s.openCalls("2001"); n != 2 {
		t.Errorf("%d calls of the line go on", n)
	}
	for range 2 {
		if seen := next(t, ended); seen.Answered.IsZero() {
			t.Errorf("the carrier saw %+v", seen)
		}
	}
	total := int64(0)
	for _, r := range s.cdrs("2001", 2) {
		want := int64(londonTwoSeconds) // up to 30 s
		if r.Number == "+447700900123" {
			want = (r.Talk/int64(time.Second) + 1) * 1500
		}
		if r.Retail != want || r.Cause != "" || r.Talk < int64(3*time.Second) {
			t.Errorf("%s: want %d: %+v", r.Number, want, r)
		}
		total += r.Retail
	}
	if p := s.day("2001"); p.Spent != total || p.Held != 0 {
		t.Errorf("purse %+v, want %d", p, total)
	}
}

// What a thief tries by transfers: a premium number, of which the phone is notified and for which nobody is charged, and REFER of a carrier and of a stranger.
func TestThievesTransfers(t *testing.T) {
	c, _ := carrier(t, phone.CarrierOptions{})
	s := start(t, c.Addr())
	password := s.line("2001", "--number", "+442079460101")
	with := map[string]string{"TARGET": "09098790000", "SUB": "      Supported: replaces", "THEN": notified}
	contains(t, sipp{scenario: "transfer.xml", with: with, server: s.sip, line: "2001", password: password, to: "02079460000"}.run(t), "Said:SIP/2.0 403")
	if r := s.cdrs("2001", 1)[0]; r.Retail != londonTwoSeconds || r.Number != "+442079460000" {
		t.Errorf("the call: %+v", r)
	}
	if p := s.day("2001"); p.Spent != londonTwoSeconds || p.Held != 0 {
		t.Errorf("purse %+v", p)
	}
	contains(t, s.cli("cdr", "list", "--json", "--reason", "premium-barred"), `"cause": "transfer"`)
	stranger := freePort(t)
	sipp{scenario: "refer.xml", server: s.sip, port: stranger.Port()}.run(t)
	s.cli("trunk", "set", "carrier-1", "sources=127.0.0.1") // now the same address is a carrier's
	sipp{scenario: "refer.xml", server: s.sip, port: stranger.Port()}.run(t)
	if n := c.Stats().Offered; n != 1 {
		t.Errorf("%d calls went out", n)
	}
}

// A group rings two phones in turn, baresip last: the first does not answer in time. The caller dials a short number and pays nothing, nor do the members. When
// nobody answers, the group's forward is a call of the group.
func TestAGroupOfPhones(t *testing.T) {
	c, _ := carrier(t, phone.CarrierOptions{})
	s := start(t, c.Addr())
	caller := s.dial("2001", s.line("2001", "--number", "+442079460101"))
	deaf := s.dial("2002", s.line("2002"))
	if a, err := deaf.Register(t.Context(), 300); err != nil || !a.OK() {
		t.Fatal(a, err)
	}
	last := s.line("2003")
	s.cli("line", "set", "2002", "forward_no_answer=0909 879 0000", "forward_after=5") // a member's own forward, which must not count
	s.cli("line", "add", "sales", "--customer", "acme", "--no-password")
	s.cli("line", "set", "sales", "short=21", "numbers=020 7946 0200-0299", "rings=2002,2003", "ring=in-turn", "ring_each=5", "forward_no_answer=020 7946 0000")
	must(t, call(t, caller, "21").Hangup(t.Context()))
	if r := s.cdrs("sales", 1)[0]; r.Number != "+442079460000" || r.Cause != "forward-no-answer" || r.Retail != londonTwoSeconds {
		t.Errorf("the group's forward: %+v", r)
	}
	launchBaresip(t, way{"UDP", s.sip, "udp"}, "2003", last)
	s.registered("2003", "baresip")
	for n, dialled := range []string{"21", "02079460250"} {
		must(t, call(t, caller, dialled).Hangup(t.Context()))
		if r := s.cdrs("2001", n+2)[0]; r.Retail != 0 || r.Class != "on-net" || r.By != "caller" {
			t.Errorf("a call to the group by %s: %+v", dialled, r)
		}
	}
	if n := c.Stats().Offered; n != 1 {
		t.Errorf("%d calls went out", n)
	}
	for line, want := range map[string]int64{"2001": 0, "2002": 0, "2003": 0, "sales": londonTwoSeconds} {
		if p := s.day(line); p.Spent != want || p.Held != 0 {
			t.Errorf("%s: %+v", line, p)
		}
	}
}
