//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// Guards against issue 7, R9: a few addresses held every TCP connection without logging in, and no phone found room.
func TestConnectionsOfStrangers(t *testing.T) {
	t.Parallel()
	s := startWith(t, setup{sections: "[limits]\nconnections = 64\n"})
	password := s.line("2001")
	dial := func(from string) *phone.Phone {
		t.Helper()
		p, err := phone.Dial(t.Context(), phone.Account{
			Server: s.sip.String(), Transport: "tcp", Line: "2001", Password: password, Local: netip.MustParseAddr(from), UserAgent: "desk/1",
		})
		must(t, err)
		t.Cleanup(func() { p.Close() })
		return p
	}
	early := dial("127.60.0.1")
	registers(t, early)
	for _, nets := range []int{1, 10, 100} {
		for i := range 200 {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 61, byte(i%nets), 1)}, Timeout: time.Second}
			c, err := d.DialContext(t.Context(), "tcp", s.sip.String())
			if err != nil {
				continue
			}
			t.Cleanup(func() { _ = c.Close() })
			fmt.Fprintf(c, "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCSeq: 1 OPTIONS\r\nCall-ID: %d\r\nContent-Length: 0\r\n\r\n", i, i)
		}
		registers(t, early)
		registers(t, dial(fmt.Sprintf("127.62.0.%d", nets)))
	}
	if held := s.metric("sip_connections_strange"); held > 32 {
		t.Errorf("%v connections of strangers", held)
	}
}

// Guards against issue 7, R7: one locked line placed emergency calls until every paid call was refused.
func TestEmergencyFloodOfALockedLine(t *testing.T) {
	t.Parallel()
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := startWith(t, setup{sip: "max-calls = 20\nmax-emergency-calls = 50\n"}, c.Addr())
	stolen, honest := s.line("2001"), s.line("2002")
	s.cli("line", "set", "2001", "max-calls=3")
	s.cli("line", "lock", "2001", "--why", "stolen", "--cut")
	thief, owner := s.at("127.63.0.1", "2001", stolen, "thief/1"), s.at("127.63.0.2", "2002", honest, "desk/1")
	taken := 0
	for range 70 {
		up, _, err := thief.Invite(t.Context(), "999", phone.Dialling{})
		must(t, err)
		if up != nil {
			taken++
		}
	}
	if taken != 45 {
		t.Errorf("%d emergency calls of one line, want nine tenths of 50", taken)
	}
	must(t, call(t, owner, "07912345678").Hangup(t.Context()))
	for range 12 { // a fire in the other office, when the line with the most is refused already
		call(t, owner, "999")
	}
	eventually(t, 10*time.Second, "staff hear of it", func() bool { return slices.Contains(s.findings(), "emergency-calls") })
	if n := s.metric("sip_emergency_calls"); n != 57 {
		t.Errorf("%v emergency calls in progress", n)
	}
}

// Guards against issue 7, R8: packets with a carrier's address rang a phone for minutes and filled the node.
func TestForgedInboundCalls(t *testing.T) {
	t.Parallel()
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true, Listen: netip.MustParseAddrPort("127.64.0.9:0")})
	s := startWith(t, setup{sip: "max-calls = 20\nmax-ringing-calls = 4\n"}, c.Addr())
	s.cli("trunk", "add", "inbound", "127.64.0.10:5060", "--source", "127.64.0.10")
	password := s.line("2001", "--number", "02079460201")
	p := s.at("127.64.0.1", "2001", password, "desk/1")
	registers(t, p)
	forge := func(from netip.AddrPort, n int) {
		t.Helper()
		k, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(s.sip))
		must(t, err)
		defer k.Close()
		for i := range n {
			fmt.Fprintf(k, "INVITE sip:+442079460201@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKforged%d\r\nMax-Forwards: 70\r\nFrom: <sip:+33123456789@x>;tag=f\r\n"+
				"To: <sip:+442079460201@x>\r\nCall-ID: forged-%d-%d\r\nCSeq: 1 INVITE\r\nContact: <sip:x@203.0.113.9>\r\nContent-Length: 0\r\n\r\n", from, i, from.Port(), i)
		}
	}
	forge(netip.AddrPortFrom(netip.MustParseAddr("127.64.0.10"), 5099), 200) // an address of the carrier's where nobody answers
	eventually(t, 5*time.Second, "the bound is met", func() bool { return s.metric("sip_inbound_bound_total") > 0 })
	if n := s.metric("sip_inbound_calls"); n > 10 {
		t.Errorf("%v calls came in over one trunk of a node of 20", n)
	}
	must(t, call(t, p, "07912345678").Hangup(t.Context()))
	eventually(t, 10*time.Second, "staff hear of it", func() bool { return slices.Contains(s.findings(), "inbound-calls") })
}
