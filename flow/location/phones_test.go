package location

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// said is one REGISTER as a phone of line 1001 sends it, in a test's shorthand.
type said struct {
	contact  string // user of the URI, or a whole URI
	from     string
	callID   string
	cseq     uint32
	login    uint64
	tcp      bool
	instance string
	direct   bool
	secs     int // 0 is 600, below 0 unregisters
}

func (s *said) update(at time.Time) Update {
	u := Update{CallID: s.callID, CSeq: s.cseq, Login: s.login, Received: netip.MustParseAddrPort(s.from), Transport: "udp", Now: at}
	if s.tcp {
		u.Transport = "tcp"
	}
	secs := s.secs
	switch {
	case secs == 0:
		secs = 600
	case secs < 0:
		secs = 0
	}
	uri := s.contact
	if !strings.Contains(uri, ":") {
		uri = "sip:" + uri + "@192.168.1.10"
	}
	u.Contacts = []Contact{{URI: uri, Expires: time.Duration(secs) * time.Second, Instance: s.instance, Direct: s.direct}}
	return u
}

// Which phone is it? As opensips#1205, kamailio#280 and magnusbilling#750 had it wrong: two homes with one private address were one
// phone, and one phone with a new port each time was many.
func TestWhoseBinding(t *testing.T) {
	const (
		office = "192.0.2.7:5060"
		home   = "198.51.100.7:5060"
		home2  = "198.51.100.7:61000"
	)
	for _, c := range []struct {
		name string
		said []said
		want string // where the phones are, newest first
	}{
		{"two homes with one private contact", []said{{contact: "a", from: office, callID: "1", cseq: 1}, {contact: "a", from: home, callID: "2", cseq: 1}}, home + " " + office},
		{"one of them unregisters", []said{
			{contact: "a", from: office, callID: "1", cseq: 1}, {contact: "a", from: home, callID: "2", cseq: 1}, {contact: "a", from: home, callID: "2", cseq: 2, secs: -1},
		}, office},
		{"the first of them unregisters", []said{
			{contact: "a", from: office, callID: "1", cseq: 1}, {contact: "a", from: home, callID: "2", cseq: 1}, {contact: "a", from: office, callID: "1", cseq: 2, secs: -1},
		}, home},
		{"each refreshes its own", []said{
			{contact: "a", from: office, callID: "1", cseq: 1},
			{contact: "a", from: home, callID: "2", cseq: 1},
			{contact: "a", from: office, callID: "1", cseq: 2},
			{contact: "a", from: home, callID: "2", cseq: 2},
		}, home + " " + office},
		{"two phones behind one NAT with one private contact", []said{{contact: "a", from: home, callID: "1", cseq: 1}, {contact: "a", from: home2, callID: "2", cseq: 1}}, home2 + " " + home},
		{"a NAT that moves the phone's port", []said{{contact: "a", from: home, callID: "1", cseq: 1}, {contact: "a", from: home2, callID: "1", cseq: 2}}, home2},
		{"a home whose address changed", []said{{contact: "a", from: office, callID: "1", cseq: 1}, {contact: "a", from: home, callID: "1", cseq: 2}}, home},
		{"a public phone with a new port and a new Call-ID", []said{
			{contact: "a", from: home, callID: "1", cseq: 1, direct: true}, {contact: "a", from: home2, callID: "2", cseq: 1, direct: true},
		}, home2},
		{"an instance with a new contact each time", []said{
			{contact: "a", from: home, callID: "1", cseq: 1, instance: "i"}, {contact: "b", from: home2, callID: "2", cseq: 1, instance: "i"},
		}, home2},
		{"two instances with one contact at one place", []said{
			{contact: "a", from: home, callID: "1", cseq: 1, instance: "i"}, {contact: "a", from: home, callID: "1", cseq: 2, instance: "j"},
		}, home + " " + home},
		{"an instance unregisters under another contact", []said{
			{contact: "a", from: home, callID: "1", cseq: 1, instance: "i"}, {contact: "b", from: home2, callID: "2", cseq: 1, instance: "i", secs: -1},
		}, ""},
		{"a phone that learnt to say its instance", []said{
			{contact: "a", from: home, callID: "1", cseq: 1}, {contact: "a", from: home, callID: "1", cseq: 2, instance: "i"},
		}, home},
		{"the same URI in other letters", []said{
			{contact: "SIP:a@PHONE.example", from: home, callID: "1", cseq: 1}, {contact: "sip:a@phone.example", from: home, callID: "1", cseq: 2},
		}, home},
		{"a new connection of a phone whose old one is gone", []said{
			{contact: "a", from: "198.51.100.7:40001", callID: "1", cseq: 1, tcp: true}, {contact: "a", from: "198.51.100.7:50001", callID: "2", cseq: 1, tcp: true},
		}, "198.51.100.7:50001"},
		{"a second phone while the first is connected", []said{
			{contact: "a", from: "198.51.100.7:50001", callID: "1", cseq: 1, tcp: true}, {contact: "a", from: "198.51.100.7:50002", callID: "2", cseq: 1, tcp: true},
		}, "198.51.100.7:50002 198.51.100.7:50001"},
		{"a restart with the same Call-ID and a lower CSeq", []said{
			{contact: "a", from: home, callID: "1", cseq: 700, login: 1}, {contact: "a", from: home, callID: "1", cseq: 2, login: 2},
		}, home},
		{"a restart with another contact too", []said{
			{contact: "a", from: home, callID: "1", cseq: 700, login: 1}, {contact: "b", from: home2, callID: "1", cseq: 2, login: 2},
		}, home2 + " " + home},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := newStore()
			l := New(Options{Store: db, Same: strings.EqualFold, Connected: func(at netip.AddrPort, _ string, _ uint32) bool { return at.Port() >= 50000 }})
			now := time.Now()
			for i, s := range c.said {
				if _, err := l.Update("1001", s.update(now.Add(time.Duration(i)*time.Second))); err != nil {
					t.Fatalf("%+v: %v", s, err)
				}
				if err := l.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			check := func(l *Location, what string) {
				var at []string
				for _, b := range l.Lookup("1001", now.Add(time.Minute)) {
					at = append(at, b.Received.String())
				}
				if got := strings.Join(at, " "); got != c.want {
					t.Errorf("%s: phones at %q, want %q", what, got, c.want)
				}
			}
			check(l, "now")
			after := New(Options{Store: db})
			if err := after.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			check(after, "after a restart")
		})
	}
}

// A line with its maximum of bindings gives up the phone that has been unreachable longest: a new phone was refused with 403, and
// nobody could be reached (ringcentral-web-phone#374, opensips#1316).
func TestWhoGivesWay(t *testing.T) {
	l := New(Options{Store: newStore(), MaxContacts: 4, Connected: func(at netip.AddrPort, _ string, _ uint32) bool { return at.Port() >= 50000 }})
	now := time.Now()
	at := func(n int) time.Time { return now.Add(time.Duration(n) * time.Second) }
	add := func(n int, name string, port int, tcp bool) string {
		s := said{contact: name, from: fmt.Sprintf("192.0.2.7:%d", port), callID: name, cseq: uint32(n) + 1, tcp: tcp, secs: 3600}
		all, err := l.Update("1001", s.update(at(n)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return uris(all)
	}
	add(0, "desk", 50001, true) // connected all the time
	add(1, "door", 5060, false)
	add(2, "mobile", 40001, true) // its connection is gone
	add(3, "laptop", 50002, true)
	l.Unreachable("1001", netip.MustParseAddrPort("192.0.2.7:50002"), at(4)) // gone too, but later
	for _, c := range []struct {
		new, want string
		tcp       bool
	}{
		{"n1", "n1 laptop door desk", true},
		{"n2", "n2 n1 door desk", true},
		{"n3", "n3 n2 n1 desk", true}, // all are reachable, but nobody knows it of the door's
		{"n4", "n4 n3 n2 n1", true},   // the one that has not registered for longest
	} {
		if got := add(10+int(c.new[1]), c.new, 50010+int(c.new[1]), c.tcp); got != c.want {
			t.Errorf("after %s: %q, want %q", c.new, got, c.want)
		}
	}
	l.Unreachable("1001", netip.MustParseAddrPort(fmt.Sprintf("192.0.2.7:%d", 50010+int('3'))), at(100))
	if got := add(101, "n3", 50010+int('3'), true); got != "n4 n3 n2 n1" {
		t.Errorf("a refresh: %q", got)
	}
	if got := add(102, "n5", 50099, true); got != "n5 n4 n3 n2" { // n3 has registered since
		t.Errorf("after n5: %q", got)
	}
}
