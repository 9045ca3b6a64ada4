//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/netip"
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
