package sip

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
)

// A request that is too large for a datagram goes to a carrier of UDP over TCP (RFC 3261 section 18.1.1); over UDP again when there is no TCP, or nobody who answers
// over it, and then the next one does so at once.
func TestLargeRequestsGoOverTCP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		body   int // bytes
		tcp    string
		over   string // of the first call
		second string // of the second
	}{
		{"small", 500, "answers", "UDP", "UDP"},
		{"large", 1500, "answers", "TCP", "TCP"},
		{"large, refused", 1500, "refused", "UDP", "UDP"},
		{"large, mute", 1500, "mute", "UDP", "UDP"},
		{"grows by a login", 500, "login", "TCP", "TCP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			udp := carrierAtIP(t, transport.UDP, "127.0.0.9")
			l, err := net.Listen("tcp", udp.at.String())
			for n := 0; err != nil && n < 20; n++ { // another test has that port
				udp = carrierAtIP(t, transport.UDP, "127.0.0.9")
				l, err = net.Listen("tcp", udp.at.String())
			}
			if err != nil {
				t.Fatal(err)
			}
			tcp := &wired{t: t, proto: transport.TCP, at: udp.at}
			if c.tcp == "refused" {
				_ = l.Close()
			} else {
				late := &lateConn{came: make(chan net.Conn, 1)}
				go func() {
					if one, err := l.Accept(); err == nil {
						late.came <- one
					}
				}()
				tcp.c = late
				t.Cleanup(func() { _ = l.Close(); tcp.close() })
			}
			w := onListeners(t, func(w *world, d *fakes) {
				w.opts.Silence = time.Second
				w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{udp.at.String()}, Transport: "udp", User: "us"}
				d.trunkOf = func(netip.AddrPort) (string, bool) { return "", false }
			})
			local := w.listener(transport.UDP, "127.0.0.1")
			udp.to = local
			phone := wireTo(t, transport.UDP, "127.0.0.1", local)
			for n, over := range []string{c.over, c.second} {
				id := fmt.Sprint("c", n)
				phone.send(strings.TrimSuffix(inviteText(phone, id, "02079460000"), sdp) + sdp + strings.Repeat("a=x:y\r\n", c.body/7))
				carrier, heard := udp, (*message.Message)(nil)
				if c.tcp == "login" {
					heard = udp.find("INVITE")
					udp.challenge(heard)
					udp.find("ACK")
				}
				if over == "TCP" {
					carrier = tcp
				}
				inv := carrier.find("INVITE")
				if v := inv.Via(); string(v.Transport) != over || v.Port == 0 {
					t.Errorf("Via %s", inv.Get(message.HVia))
				}
				if at, proto := contactOf(t, inv); at != local || proto != "" {
					t.Errorf("Contact %v over %q", at, proto)
				}
				if body := inv.Body(); !strings.HasPrefix(string(body), sdp) {
					t.Errorf("%d bytes of body", len(body))
				}
				carrier.answer(inv, 180, "")
				phone.find("180 INVITE")
				carrier.answer(inv, 200, sdpB)
				ok := phone.find("200 INVITE")
				udp.find("ACK") // small
				phone.inDialog("ACK", ok, 1)
				phone.inDialog("BYE", ok, 2)
				phone.find("200 BYE")
				udp.answer(udp.find("BYE"), 200, "")
			}
		})
	}
}

// challenge asks for a login that makes the next request large.
func (p *wired) challenge(m *message.Message) {
	p.send(fmt.Sprintf("SIP/2.0 401 Unauthorized\nVia: %s\nFrom: %s\nTo: %s;tag=ch\nCall-ID: %s\nCSeq: %s\nWWW-Authenticate: Digest realm=\"carrier\", nonce=\"%s\", algorithm=MD5",
		m.Get(message.HVia), m.Get(message.HFrom), m.Get(message.HTo), m.CallID(), m.Get(message.HCSeq), strings.Repeat("n", 700)))
}

// A request of a previous process that went over TCP is cancelled there.
func TestWhereALargeRequestWent(t *testing.T) {
	inWorld(t, func(w *world) {
		s, to := w.edge.shards[0], transport.Dest{Addr: netip.MustParseAddrPort(carrierAt)}
		for _, over := range []string{"UDP", "TCP"} {
			req := "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/" + over + " 10.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:a@b>\r\nContent-Length: 0\r\n\r\n"
			if got := s.sentTo(to, []byte(req)); got.Proto.String() != over || got.Addr != to.Addr {
				t.Errorf("over %s: %v", over, got)
			}
		}
	})
}
