//go:build e2e

package e2e

import (
	"testing"
	"time"

	"ringfence/edge/phone"
)

func TestRegister(t *testing.T) {
	s := start(t)
	password := s.line("2001")
	t.Run("with the right password", func(t *testing.T) {
		log := sipp{scenario: "register.xml", with: map[string]string{"STATUS": "200"}, server: s.sip, line: "2001", password: password}.run(t)
		contains(t, log, "Contact:", "sip:2001@127.0.0.1", "expires=")
		contains(t, s.cli("line", "show", "2001", "--json"), "e2e-desk/1")
	})
	t.Run("with a wrong password", func(t *testing.T) {
		log := sipp{scenario: "register.xml", with: map[string]string{"STATUS": "403"}, server: s.sip, line: "2001", password: password + "x"}.run(t)
		contains(t, log, "bad-credentials", "the user name or password is wrong")
	})
	t.Run("of a line that is not there, which cannot be told from a wrong password", func(t *testing.T) {
		log := sipp{scenario: "register.xml", with: map[string]string{"STATUS": "403"}, server: s.sip, line: "2999", password: password}.run(t)
		contains(t, log, "bad-credentials", "the user name or password is wrong")
	})
	t.Run("over TCP, and with each algorithm", func(t *testing.T) {
		s := startIn(t, t.TempDir(), "algorithms = [\"SHA-256\", \"MD5\"]\n")
		password := s.line("2001")
		for _, a := range []phone.Account{{Transport: "tcp"}, {Algorithm: "MD5"}, {Algorithm: "SHA-256"}} {
			a.Server, a.Line, a.Password = s.sip.String(), "2001", password
			p, err := phone.Dial(t.Context(), a)
			must(t, err)
			answer, err := p.Register(t.Context(), 60)
			if err != nil || !answer.OK() {
				t.Errorf("%s%s: %v %v", a.Transport, a.Algorithm, answer, err)
			}
			p.Close()
		}
	})
}

// A call of about two seconds to London: connection 0.0213, then 30 s and further 6 s at 0.012345678 a minute.
// Two seconds are charged as 30: 30/60 × 0.012345678 = 0.006172839, plus 0.0213 makes 0.027472839, which rounds to
// 0.027473: 27,473 millionths.
const londonTwoSeconds = 27_473

func TestAllowedCallIsBilledToTheMicroUnit(t *testing.T) {
	uas := sipp{scenario: "carrier.xml"}.begin(t).listening()
	s := start(t, uas.at)
	password := s.line("2001", "--number", "+442079460101")
	sipp{scenario: "call.xml", with: map[string]string{"TALK": "2000"}, server: s.sip, line: "2001", password: password, to: "02079460000"}.run(t)
	log := uas.done()
	contains(t, log, "INVITE sip:+442079460000@", "442079460101") // as E.164, presenting the line's own number
	r := s.cdrs("2001", 1)[0]
	if r.Retail != londonTwoSeconds || r.Number != "+442079460000" || r.By != "caller" || r.Reason != "hangup" {
		t.Errorf("record: %+v", r)
	}
	if talk := time.Duration(r.Talk); talk < 1900*time.Millisecond || talk > 5*time.Second {
		t.Errorf("talk time %v, want about 2 s", talk)
	}
	if p := s.day("2001"); p.Spent != londonTwoSeconds || p.Held != 0 {
		t.Errorf("purse: %+v", p)
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	password := s.line("2001")
	locked := s.line("2002", "nets=127.0.0.77")
	one := s.line("2003", "max-calls=1")
	refused := func(t *testing.T, status string, run sipp, why ...string) {
		t.Helper()
		run.scenario, run.server, run.with = "refused.xml", s.sip, map[string]string{"STATUS": status}
		if run.line == "" {
			run.line, run.password = "2001", password
		}
		contains(t, run.run(t), append(why, "Reason: Q.850;cause=", "Warning: 399 ")...)
	}
	for _, tc := range []struct{ name, to, status, code, text string }{
		{"premium", "09098790000", "403", "premium-barred", "premium-rate numbers are barred"},
		{"over the national ceiling", "08701234567", "403", "over-national-ceiling", "25p"},
		{"over the international ceiling", "005352345678", "403", "over-international-ceiling", "85p"},
		{"unpriced", "0035312345678", "403", "unpriced", "no price"},
		{"not a number", "00046700000", "404", "number-invalid", ""},
		{"premium behind a code", "14109098790000", "403", "premium-barred", "premium-rate numbers are barred"},
		{"a service that there is not", "1471", "501", "no-service", "this service is not available"},
	} {
		t.Run(tc.name, func(t *testing.T) { refused(t, tc.status, sipp{to: tc.to}, tc.code, tc.text) })
	}
	t.Run("IP-locked line from an address not on its list", func(t *testing.T) {
		refused(t, "403", sipp{line: "2002", password: locked, to: "02079460000"}, "address-not-allowed", "cannot be used from this address")
		log := sipp{scenario: "register.xml", with: map[string]string{"STATUS": "403"}, server: s.sip, line: "2002", password: locked}.run(t)
		contains(t, log, "address-not-allowed")
	})
	t.Run("IP-locked line from its own address", func(t *testing.T) {
		sipp{scenario: "call.xml", with: map[string]string{"TALK": "100"}, server: s.sip, from: "127.0.0.77", line: "2002", password: locked, to: "02079460000"}.run(t)
	})
	t.Run("a call from an address of no trunk, without a login", func(t *testing.T) {
		stranger := s.dial("9999", "guess")
		call, answer, err := stranger.Invite(t.Context(), "02079460000", phone.Dialling{})
		if err != nil || call != nil || answer.Status != 403 {
			t.Errorf("%v %v %v", call, answer, err)
		}
	})
	t.Run("too many calls", func(t *testing.T) {
		up := sipp{scenario: "call.xml", with: map[string]string{"TALK": "3000"}, server: s.sip, line: "2003", password: one, to: "02079460000"}.begin(t)
		eventually(t, 10*time.Second, "the first call is up", func() bool { return s.openCalls("2003") == 1 && c.Stats().Active == 1 })
		refused(t, "403", sipp{line: "2003", password: one, to: "02079460000"}, "too-many-calls", "1")
		up.done()
	})
	if p := s.day("2001"); p.Spent != 0 || p.Held != 0 {
		t.Errorf("refused calls cost %+v", p)
	}
	if n := c.Stats().Offered; n != 2 {
		t.Errorf("the carrier was offered %d calls, want the 2 that were allowed", n)
	}
}

func TestEmergencyFromLockedAndCappedLine(t *testing.T) {
	c, ended := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	password := s.line("2001", "line-day-cap=0", "max-calls=1", "nets=127.0.0.77")
	s.cli("line", "lock", "2001", "--why", "stolen handset")
	for _, number := range []string{"999", "112"} {
		sipp{scenario: "call.xml", with: map[string]string{"TALK": "300"}, server: s.sip, line: "2001", password: password, to: number}.run(t)
		if seen := next(t, ended); seen.Called != number || seen.Answered.IsZero() {
			t.Errorf("the carrier saw %+v, want %s answered", seen, number)
		}
	}
	sipp{scenario: "refused.xml", with: map[string]string{"STATUS": "403"}, server: s.sip, line: "2001", password: password, to: "02079460000"}.run(t)
	for _, r := range s.cdrs("2001", 2) {
		if r.Class != "emergency" || r.Retail != 0 {
			t.Errorf("record: %+v", r)
		}
	}
}

// London dear costs 0.18 a minute by the second: 0.003 a second. A cap of 0.012 pays for 4 seconds exactly.
func TestCallIsCutOnBothLegsAtTheCap(t *testing.T) {
	c, ended := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	password := s.line("2001", "line-day-cap=0.012")
	log := sipp{scenario: "cut.xml", with: map[string]string{"TALK": "15000"}, server: s.sip, line: "2001", password: password, to: "02079469000"}.run(t)
	contains(t, log, "line-day-cap", "0.012", "Reason:")
	seen := next(t, ended)
	if !seen.Theirs || seen.Answered.IsZero() {
		t.Errorf("the carrier's leg was not hung up: %+v", seen)
	}
	contains(t, seen.Why, "line-day-cap")
	r := s.cdrs("2001", 1)[0]
	if r.Retail != 12_000 || r.By != "system" || r.Reason != "line-day-cap" {
		t.Errorf("record: %+v", r)
	}
	if talk := time.Duration(r.Talk); talk < 3500*time.Millisecond || talk > 4500*time.Millisecond {
		t.Errorf("talk time %v, want 4 s", talk)
	}
	if p := s.day("2001"); p.Spent != 12_000 || p.Held != 0 {
		t.Errorf("purse: %+v", p)
	}
	sipp{scenario: "refused.xml", with: map[string]string{"STATUS": "403"}, server: s.sip, line: "2001", password: password, to: "02079469000"}.run(t)
}

func TestCarrierFailover(t *testing.T) {
	for name, broken := range map[string]phone.Behaviour{
		"503": {Refuse: 503, Phrase: "Service Unavailable"}, "silence": {Silent: true}, "500": {Refuse: 500, Phrase: "Server Error"},
	} {
		t.Run(name, func(t *testing.T) {
			bad, _ := carrier(t, phone.CarrierOptions{Always: &broken})
			good, _ := carrier(t, phone.CarrierOptions{Quiet: true})
			s := start(t, bad.Addr(), good.Addr())
			password := s.line("2001")
			sipp{scenario: "call.xml", with: map[string]string{"TALK": "300"}, server: s.sip, line: "2001", password: password, to: "02079460000"}.run(t)
			if bad.Stats().Offered == 0 || good.Stats().Answered != 1 {
				t.Errorf("first %+v, second %+v", bad.Stats(), good.Stats())
			}
			if r := s.cdrs("2001", 1)[0]; r.Trunk != "carrier-2" || r.Retail != londonTwoSeconds {
				t.Errorf("record: %+v", r)
			}
		})
	}
	t.Run("busy is the callee's answer and goes to no other carrier", func(t *testing.T) {
		first, _ := carrier(t, phone.CarrierOptions{Always: &phone.Behaviour{Refuse: 486, Phrase: "Busy Here"}})
		second, _ := carrier(t, phone.CarrierOptions{})
		s := start(t, first.Addr(), second.Addr())
		p := s.dial("2001", s.line("2001"))
		if c, a, err := p.Invite(t.Context(), "02079460000", phone.Dialling{}); err != nil || c != nil || a.Status != 486 {
			t.Errorf("%v %v %v", c, a, err)
		}
		if n := second.Stats().Offered; n != 0 {
			t.Errorf("the second carrier was offered %d calls", n)
		}
	})
	t.Run("all carriers fail", func(t *testing.T) {
		bad, _ := carrier(t, phone.CarrierOptions{Always: &phone.Behaviour{Refuse: 503, Phrase: "Service Unavailable"}})
		s := start(t, bad.Addr())
		log := sipp{scenario: "refused.xml", with: map[string]string{"STATUS": "502"}, server: s.sip, line: "2001", password: s.line("2001"), to: "02079460000"}.run(t)
		contains(t, log, "trunks-failed")
		if p := s.day("2001"); p.Spent != 0 || p.Held != 0 {
			t.Errorf("a call that never connected cost %+v", p)
		}
	})
}

// A phone of a line is called by another line, and by a carrier.
func TestInboundAndLineToLine(t *testing.T) {
	c, _ := carrier(t, phone.CarrierOptions{})
	s := start(t, c.Addr())
	callee := s.dial("2002", s.line("2002", "--number", "+442079460102"))
	if a, err := callee.Register(t.Context(), 60); err != nil || !a.OK() {
		t.Fatal(a, err)
	}
	caller := s.dial("2001", s.line("2001", "--number", "+442079460101"))
	go func() {
		for in := range callee.Inbox() {
			_ = in.Accept(t.Context())
		}
	}()
	between := call(t, caller, "02079460102")
	must(t, between.Hangup(t.Context()))
	if r := s.cdrs("2001", 1)[0]; r.Retail != 0 || r.Class != "on-net" {
		t.Errorf("record: %+v", r)
	}
	if n := c.Stats().Offered; n != 0 {
		t.Errorf("a call between lines went to the carrier")
	}
}
