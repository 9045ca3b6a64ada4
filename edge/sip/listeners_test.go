package sip

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
)

// onListeners is a world on real sockets that listens at several addresses, as a host with two networks and IPv6 does.
func onListeners(t *testing.T, change func(w *world, d *fakes)) *world {
	w := newWorld(t)
	at := func(all ...string) (out []netip.AddrPort) {
		for _, a := range all {
			out = append(out, netip.MustParseAddrPort(a))
		}
		return out
	}
	w.opts = Options{
		UDP: at("127.0.0.1:0", "127.0.0.5:0", "[::1]:0"), TCP: at("127.0.0.1:0", "127.0.0.5:0", "[::1]:0"), Sockets: 2, Log: testLog(t),
	}
	d := w.deps()
	change(w, d)
	var err error
	if w.edge, err = d.edge(w.opts); err != nil {
		t.Fatal(err)
	}
	if err := w.edge.Start(w.before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	return w
}

// listener is where the edge listens at an address.
func (w *world) listener(proto transport.Proto, ip string) netip.AddrPort {
	w.t.Helper()
	if proto == transport.TCP {
		for _, l := range w.edge.net.Addrs() {
			if l.Addr() == netip.MustParseAddr(ip) && w.edge.net.FlowAt(l) == 0 {
				return l
			}
		}
	}
	for _, l := range w.edge.net.Addrs() {
		if l.Addr() == netip.MustParseAddr(ip) && w.edge.net.FlowAt(l) != 0 {
			return l
		}
	}
	w.t.Fatalf("the edge does not listen at %s", ip)
	return netip.AddrPort{}
}

// wired is a phone or carrier on a socket of its own.
type wired struct {
	t     testing.TB
	c     net.Conn       // all but UDP, or nil
	pc    net.PacketConn // UDP, or nil
	proto transport.Proto
	at    netip.AddrPort
	to    netip.AddrPort // the edge
	buf   []byte
}

func wireTo(t testing.TB, proto transport.Proto, from string, to netip.AddrPort) *wired {
	t.Helper()
	p := &wired{t: t, proto: proto, to: to}
	ip := net.ParseIP(from)
	if proto != transport.UDP {
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}}).Dial("tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		p.c = wrapped(t, proto, c)
		p.at = c.LocalAddr().(*net.TCPAddr).AddrPort()
	} else {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip})
		if err != nil {
			t.Fatal(err)
		}
		p.pc = c
		p.at = c.LocalAddr().(*net.UDPAddr).AddrPort()
	}
	t.Cleanup(p.close)
	return p
}

func (p *wired) close() {
	if p.c != nil {
		_ = p.c.Close()
	} else {
		_ = p.pc.Close()
	}
}

// send sends a message; lines may end with LF alone. Content-Length is added.
func (p *wired) send(text string) {
	p.t.Helper()
	head, body, _ := strings.Cut(strings.TrimLeft(text, "\n\t "), "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	out := fmt.Appendf(nil, "%s\r\nContent-Length: %d\r\n\r\n%s", strings.Join(lines, "\r\n"), len(body), body)
	var err error
	if p.c != nil {
		_, err = p.c.Write(out)
	} else {
		_, err = p.pc.WriteTo(out, net.UDPAddrFromAddrPort(p.to))
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// find is the next message that is as named.
func (p *wired) find(want string) *message.Message {
	p.t.Helper()
	for {
		if m := p.next(want); what(m) == want {
			return m
		}
	}
}

// next is the next message; want is for the error.
func (p *wired) next(want ...string) *message.Message {
	p.t.Helper()
	room := make([]byte, 65536)
	for {
		var n int
		var err error
		end := time.Now().Add(10 * time.Second)
		if p.c != nil {
			if at := bytes.Index(p.buf, []byte("\r\n\r\n")); at >= 0 {
				if n, _, f := message.Frame(p.buf); f == nil && n > 0 {
					m := new(message.Message)
					if f := message.Parse(m, bytes.Clone(p.buf[:n])); f != nil {
						p.t.Fatal(f)
					}
					p.buf = p.buf[n:]
					return m
				}
			}
			_ = p.c.SetReadDeadline(end)
			n, err = p.c.Read(room)
			p.buf = append(p.buf, room[:n]...)
		} else {
			_ = p.pc.SetReadDeadline(end)
			n, _, err = p.pc.ReadFrom(room)
		}
		if err != nil {
			p.t.Fatalf("%v waits for %v: %v", p.at, want, err)
		}
		if p.c != nil {
			continue
		}
		m := new(message.Message)
		if f := message.Parse(m, bytes.Clone(room[:n])); f != nil {
			p.t.Fatalf("%v\n%s", f, room[:n])
		}
		return m
	}
}

// contactOf is the address in the first Contact, and its transport.
func contactOf(t testing.TB, m *message.Message) (netip.AddrPort, string) {
	t.Helper()
	for a := range m.Addrs(message.HContact) {
		u, _ := a.ParseURI()
		ip, ok := u.Addr()
		if !ok {
			t.Fatalf("Contact %s names no address", a.URI)
		}
		over, _ := u.Param("transport")
		return netip.AddrPortFrom(ip, u.Port), string(over)
	}
	t.Fatalf("no Contact in\n%s", m.Bytes())
	return netip.AddrPort{}, ""
}

// names fails unless a message's Contact, and the Via of a request, name a listener.
func names(t testing.TB, who string, m *message.Message, l netip.AddrPort, over string) {
	t.Helper()
	if at, proto := contactOf(t, m); at != l || proto != over {
		t.Errorf("%s: the Contact of %s is %v over %q, want %v over %q", who, what(m), at, proto, l, over)
	}
	if !m.IsRequest() {
		return
	}
	if v := m.Via(); string(v.Host) != l.Addr().String() || v.Port != l.Port() {
		t.Errorf("%s: the Via of %s names %s:%d, want %v", who, what(m), v.Host, v.Port, l)
	}
}

func (p *wired) contact() string {
	switch p.proto {
	case transport.UDP:
		return "<sip:me@" + p.at.String() + ">"
	case transport.WSS:
		return "<sip:me@" + p.host() + ";transport=ws>"
	}
	return "<sip:me@" + p.at.String() + ";transport=" + p.proto.Small() + ">"
}

// host is what the peer calls itself: a browser knows no address of its own (RFC 7118 section 5).
func (p *wired) host() string {
	if p.proto == transport.WSS {
		return "df7jal23ls0d.invalid"
	}
	return p.at.String()
}

// invite sends alice's INVITE; extra lines may add to it.
func (p *wired) invite(callID, user string, lines ...string) {
	p.send(inviteText(p, callID, user, lines...))
}

func inviteText(p *wired, callID, user string, lines ...string) string {
	return fmt.Sprintf(`INVITE sip:%s@x SIP/2.0
		Via: SIP/2.0/%s %s;branch=z9hG4bK%s;rport
		Max-Forwards: 30
		From: <sip:alice@x>;tag=a
		To: <sip:%s@x>
		Call-ID: %s
		CSeq: 1 INVITE
		Contact: %s
		%s
		Content-Type: application/sdp`, user, p.proto, p.host(), callID, user, callID, p.contact(), strings.Join(append([]string{goodLogin}, lines...), "\n")) + "\n\n" + sdp
}

func (p *wired) register(line, callID string, seq int, lines ...string) {
	login := strings.Replace(goodLogin, `"alice"`, `"`+line+`"`, 1)
	p.send(fmt.Sprintf(`REGISTER sip:x SIP/2.0
		Via: SIP/2.0/%s %s;branch=z9hG4bK%s%d;rport
		Max-Forwards: 30
		From: <sip:%s@x>;tag=a
		To: <sip:%s@x>
		Call-ID: %s
		CSeq: %d REGISTER
		%s`, p.proto, p.host(), callID, seq, line, line, callID, seq, strings.Join(append([]string{login}, lines...), "\n")))
}

func (p *wired) answer(m *message.Message, status int, body string) {
	w := new(message.Writer)
	w.Begin(nil)
	w.Status(status, "")
	w.Copy(m, message.HVia, message.HFrom)
	to := string(m.Get(message.HTo))
	if m.To().Tag() == nil {
		to += ";tag=b"
	}
	w.AddString(message.HTo, to)
	w.Copy(m, message.HCallID, message.HCSeq)
	text := strings.ReplaceAll(string(w.Bytes()), "\r\n", "\n") + "Contact: " + p.contact()
	if body != "" {
		text += "\nContent-Type: application/sdp"
	}
	p.send(text + "\n\n" + body)
}

// Every leg was given the first listener's address: a phone on the second network, or on IPv6, sent its ACK and BYE into the void.
func TestLegsNameTheListenerThatReachesThem(t *testing.T) {
	t.Parallel()
	type end struct {
		proto transport.Proto
		from  string // the peer's address
		at    string // the edge's: of several on one network, the one that the route leaves from
		over  string
	}
	ends := []end{
		{transport.UDP, "127.0.0.1", "127.0.0.1", ""},
		{transport.UDP, "127.0.0.5", "127.0.0.5", ""},
		{transport.UDP, "::1", "::1", ""},
		{transport.TCP, "127.0.0.1", "127.0.0.1", "tcp"},
		{transport.TCP, "127.0.0.5", "127.0.0.5", "tcp"},
		{transport.TCP, "::1", "::1", "tcp"},
	}
	for i, a := range ends {
		for j, b := range ends {
			if b.at == "127.0.0.5" { // a carrier there is on the first listener's network too
				b.at = "127.0.0.1"
			}
			t.Run(fmt.Sprintf("%v %s to %v %s", a.proto, a.from, b.proto, b.from), func(t *testing.T) {
				carrier := carrierAtIP(t, b.proto, b.from)
				w := onListeners(t, func(w *world, d *fakes) {
					d.trunk = func(string) (account.Trunk, bool) {
						return account.Trunk{Name: "one", Addresses: []string{carrier.at.String()}, Transport: strings.ToLower(b.proto.String())}, true
					}
					d.trunkOf = func(netip.AddrPort) (string, bool) { return "", false }
				})
				local := w.listener(b.proto, b.at)
				carrier.to = local
				phone := wireTo(t, a.proto, a.from, w.listener(a.proto, a.at))
				phone.invite(fmt.Sprintf("call-%d-%d", i, j), "02079460000")
				inv := carrier.find("INVITE")
				names(t, "carrier", inv, local, b.over)
				carrier.answer(inv, 180, "")
				names(t, "phone", phone.find("180 INVITE"), w.listener(a.proto, a.at), a.over)
				carrier.answer(inv, 200, sdpB)
				ok := phone.find("200 INVITE")
				names(t, "phone", ok, w.listener(a.proto, a.at), a.over)
				carrier.find("ACK")
				phone.inDialog("ACK", ok, 1)
				phone.inDialog("BYE", ok, 2)
				phone.find("200 BYE")
				carrier.answer(carrier.find("BYE"), 200, "")
			})
		}
	}
}

// carrierAtIP waits for the edge's packets, or for its connection.
func carrierAtIP(t testing.TB, proto transport.Proto, ip string) *wired {
	t.Helper()
	if proto == transport.UDP {
		return wireTo(t, proto, ip, netip.AddrPort{})
	}
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	c := &lateConn{came: make(chan net.Conn, 1)}
	go func() {
		if one, err := l.Accept(); err == nil {
			c.came <- one
		}
	}()
	t.Cleanup(func() { _ = l.Close(); _ = c.Close() })
	return &wired{t: t, proto: proto, at: l.Addr().(*net.TCPAddr).AddrPort(), c: c}
}

// lateConn is a connection that is yet to come.
type lateConn struct {
	net.Conn
	came chan net.Conn
}

func (c *lateConn) there() net.Conn {
	if c.Conn == nil {
		select {
		case c.Conn = <-c.came:
		case <-time.After(10 * time.Second):
			c.Conn, _ = net.Pipe()
		}
	}
	return c.Conn
}

func (c *lateConn) Read(b []byte) (int, error)        { return c.there().Read(b) }
func (c *lateConn) Write(b []byte) (int, error)       { return c.there().Write(b) }
func (c *lateConn) SetReadDeadline(t time.Time) error { return c.there().SetReadDeadline(t) }
func (c *lateConn) Close() error {
	if c.Conn != nil {
		return c.Conn.Close()
	}
	return nil
}

// inDialog sends a request in the dialog that a 200 made.
func (p *wired) inDialog(method string, ok *message.Message, seq int, lines ...string) {
	target := ""
	for a := range ok.Addrs(message.HContact) {
		target = string(a.URI)
	}
	p.send(fmt.Sprintf(`%s %s SIP/2.0
		Via: SIP/2.0/%s %v;branch=z9hG4bK%s%s%d;rport
		Max-Forwards: 70
		From: %s
		To: %s
		Call-ID: %s
		CSeq: %d %s
		%s`, method, target, p.proto, p.host(), method, ok.CallID(), seq, ok.Get(message.HFrom), ok.Get(message.HTo), ok.CallID(), seq, method,
		strings.Join(lines, "\n")))
}

// A phone is called from the listener where it registered: its NAT lets nothing else in.
func TestAPhoneIsCalledFromTheListenerWhereItRegistered(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "127.0.0.5", "::1"} {
		t.Run(ip, func(t *testing.T) {
			w := onListeners(t, func(w *world, d *fakes) {
				d.trunkOf = func(netip.AddrPort) (string, bool) { return "", false }
				w.gate.plan = func(gate.Attempt) (*gate.Plan, error) {
					return &gate.Plan{Present: "442079460001", Routes: []gate.Route{{Line: "bob"}}}, nil
				}
			})
			from := ip
			if ip == "127.0.0.5" {
				from = "127.0.0.1" // the route to it leaves from the first listener
			}
			here := w.listener(transport.UDP, ip)
			bob := wireTo(t, transport.UDP, from, here)
			bob.register("bob", "reg", 1, "Contact: "+bob.contact())
			bob.find("200 REGISTER")
			alice := wireTo(t, transport.UDP, "127.0.0.1", w.listener(transport.UDP, "127.0.0.1"))
			alice.invite("call", "bob")
			inv := bob.find("INVITE")
			names(t, "bob", inv, here, "")
			bob.answer(inv, 486, "")
			alice.find("486 INVITE")
		})
	}
}

// A host of IPv6 stands in brackets, and the address that is advertised is told to its own family only.
func TestAdvertisedAddresses(t *testing.T) {
	t.Parallel()
	w := onListeners(t, func(w *world, d *fakes) {
		w.opts.Advertise = []netip.Addr{netip.MustParseAddr("203.0.113.5")}
		d.trunkOf = func(netip.AddrPort) (string, bool) { return "", false }
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) {
			return &gate.Plan{Present: "442079460001", Routes: []gate.Route{{Line: "bob"}}}, nil
		}
	})
	for _, c := range []struct{ from, says, host string }{
		{"127.0.0.1", "203.0.113.5", "@203.0.113.5>"}, {"::1", "::1", "@[::1]>"},
	} {
		here := w.listener(transport.UDP, c.from)
		bob := wireTo(t, transport.UDP, c.from, here)
		bob.register("bob", "reg-"+c.from, 1, "Contact: "+bob.contact())
		bob.find("200 REGISTER")
		alice := wireTo(t, transport.UDP, "127.0.0.1", w.listener(transport.UDP, "127.0.0.1"))
		alice.invite("call-"+c.from, "bob")
		inv := bob.find("INVITE")
		names(t, c.from, inv, netip.AddrPortFrom(netip.MustParseAddr(c.says), here.Port()), "")
		if from := string(inv.Get(message.HFrom)); !strings.Contains(from, c.host) {
			t.Errorf("From is %s, want %s in it", from, c.host)
		}
		bob.answer(inv, 486, "")
		alice.find("486 INVITE")
		bob.register("bob", "reg-"+c.from, 2, "Contact: "+bob.contact()+";expires=0")
		bob.find("200 REGISTER")
	}
}
