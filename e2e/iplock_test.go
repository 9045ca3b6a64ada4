//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// phones is where a line's phones are registered from, as staff see it.
func (s *server) phones(line string) string {
	s.t.Helper()
	var detail struct {
		Phones []struct{ Received string }
	}
	decode(s.t, s.cli("line", "show", line, "--json"), &detail)
	var all []string
	for _, p := range detail.Phones {
		host, _, _ := strings.Cut(p.Received, ":")
		all = append(all, host)
	}
	return strings.Join(all, " ")
}

// An IP lock takes effect immediately: a thief's phone is unregistered and its call is cut on both legs, while calls from home
// and emergency calls continue. The same holds for a lock on all of a customer's lines.
func TestIPLockBitesAtOnce(t *testing.T) {
	t.Parallel()
	c, ended := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	password := s.line("2001")
	thief, home := s.at("127.51.6.6", "2001", password, "thief/1"), s.at("127.51.0.1", "2001", password, "desk/1")
	registers(t, thief)
	registers(t, home)
	stolen, mine := call(t, thief, "02079460000"), call(t, home, "02079460001")
	help := call(t, s.at("127.51.6.7", "2001", password, "mobile/1"), "999")

	s.cli("line", "set", "2001", "nets=127.51.0.0/24")
	if at := s.phones("2001"); at != "127.51.0.1" {
		t.Errorf("registered from %s", at)
	}
	select {
	case <-stolen.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the thief's call is up")
	}
	const why = "address-not-allowed"
	contains(t, stolen.End().Why, why)
	if seen := next(t, ended); !seen.Theirs || seen.Called != "+442079460000" {
		t.Errorf("the carrier saw %+v", seen)
	} else {
		contains(t, seen.Why, why)
	}
	if r := s.cdrs("2001", 1)[0]; r.Reason != why || r.By != "system" || r.Retail != londonTwoSeconds {
		t.Errorf("record: %+v", r)
	}
	for _, up := range []*phone.Call{mine, help} {
		if up.End() != (phone.End{}) {
			t.Errorf("an honest call was cut: %+v", up.End())
		}
		must(t, up.Hangup(t.Context()))
	}
	var gone []fact
	eventually(t, 5*time.Second, "the journal has it", func() bool { gone = s.facts("registration.removed"); return len(gone) > 0 })
	if len(gone) != 1 || !strings.Contains(string(gone[0].Body), "127.51.6.6") || !strings.Contains(string(gone[0].Body), why) {
		t.Errorf("the journal says %+v", gone)
	}

	registers(t, s.at("127.51.0.2", "2002", s.line("2002"), "desk/2"))
	s.cli("customer", "set", "acme", "nets=127.51.0.1")
	eventually(t, 5*time.Second, "a customer's lock bites too", func() bool { return s.phones("2002") == "" })
	if at := s.phones("2001"); at != "127.51.0.1" {
		t.Errorf("registered from %s", at)
	}
}

// A call between lines that somebody elsewhere answered is cut too: its caller must not go on talking to a thief.
func TestIPLockCutsWhatWasAnsweredElsewhere(t *testing.T) {
	t.Parallel()
	trunk, _ := carrier(t, phone.CarrierOptions{})
	s := start(t, trunk.Addr())
	password := s.line("2001", "--number", "+442079460100")
	thief := s.at("127.51.6.6", "2001", password, "thief/1")
	registers(t, thief)
	go func() {
		for in := range thief.Inbox() {
			_ = in.Accept(t.Context()) // the test may be over
		}
	}()
	c := call(t, s.at("127.51.0.1", "2002", s.line("2002"), "desk/2"), "02079460100")
	s.cli("line", "set", "2001", "nets=127.51.0.0/24")
	select {
	case <-c.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the call is up")
	}
	contains(t, c.End().Why, "address-not-allowed")
}
