package phone

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
)

// link carries messages: a UDP socket, or one connection to the server.
type link struct {
	*transport.Transport
	local netip.AddrPort
	proto transport.Proto // as the transport below sees it: TCP for all connections
	over  transport.Proto // as messages name it
	tcp   net.Conn
	gone  chan struct{} // closed with the socket or the connection
	end   func()        // closes gone
	read  func(*transport.Packet)
}

func newLink(local netip.AddrPort) *link {
	gone := make(chan struct{})
	return &link{local: addrPort(local), gone: gone, end: sync.OnceFunc(func() { close(gone) })}
}

// listenUDP opens a socket on an address; port 0 takes a free one.
func listenUDP(at netip.AddrPort) (*link, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	_ = c.SetReadBuffer(4 << 20) // a burst of calls must not drop their answers; the kernel may allow less
	l := newLink(c.LocalAddr().(*net.UDPAddr).AddrPort())
	return l, l.listen(transport.Config{PacketConn: c})
}

// dialStream connects to a server over TCP, TLS or WSS, from a local address if one is named.
func dialStream(ctx context.Context, over transport.Proto, from netip.Addr, server netip.AddrPort, verify *tls.Config) (*link, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	if from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	dial := func(ctx context.Context) (net.Conn, netip.AddrPort, error) {
		c, err := d.DialContext(ctx, "tcp", server.String())
		if err != nil {
			return nil, netip.AddrPort{}, err
		}
		local := c.LocalAddr().(*net.TCPAddr).AddrPort()
		c, err = encrypted(ctx, over, c, verify)
		return c, local, err
	}
	c, local, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	l := newLink(local)
	l.proto, l.over, l.tcp = transport.TCP, over, &connection{c, l.end}
	first := make(chan net.Conn, 1)
	first <- l.tcp
	return l, l.listen(transport.Config{IdleTimeout: 24 * time.Hour, Dial: func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
		select {
		case c := <-first:
			return c, nil
		default: // the server has said nothing on the first one
			c, _, err := dial(ctx)
			return c, err
		}
	}})
}

// encrypted begins TLS, and a WebSocket, on a connection. What is written at once is one WebSocket message: the transport writes each SIP message
// for itself.
func encrypted(ctx context.Context, over transport.Proto, c net.Conn, verify *tls.Config) (net.Conn, error) {
	switch over {
	case transport.TLS:
		secured := tls.Client(c, verify)
		if err := secured.HandshakeContext(ctx); err != nil {
			c.Close()
			return nil, err
		}
		return secured, nil
	case transport.WSS:
		h := &http.Transport{TLSClientConfig: verify, DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
		ws, _, err := websocket.Dial(ctx, "wss://"+verify.ServerName, &websocket.DialOptions{Subprotocols: []string{"sip"}, HTTPClient: &http.Client{Transport: h}})
		if err != nil {
			c.Close()
			return nil, err
		}
		ws.SetReadLimit(message.MaxSize)
		return websocket.NetConn(context.Background(), ws, websocket.MessageText), nil
	}
	return c, nil
}

// connection says when the transport has closed it.
type connection struct {
	net.Conn
	end func()
}

func (c *connection) Close() error {
	c.end()
	return c.Conn.Close()
}

func (l *link) listen(c transport.Config) (err error) {
	c.Handle = l.handle
	c.Panicked = func(v any, stack []byte) { fmt.Fprintf(os.Stderr, "the test phone failed: %v\n%s", v, stack) }
	l.Transport, err = transport.Listen(c)
	return err
}

func (l *link) close() {
	l.Stop()
	if l.tcp != nil {
		_ = l.tcp.Close() // which the transport does not know before the first message
	}
	l.end()
}

func addrPort(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func (l *link) dest(to netip.AddrPort) transport.Dest {
	return transport.Dest{Addr: to, Proto: l.proto}
}

// handle gives every message to read. A message that is not SIP, or is malformed, is dropped.
func (l *link) handle(p *transport.Packet) {
	if p.Parse() == nil && sound(p) {
		p.Keep() // it is never released, because its reader may keep what it points at
		l.read(p)
	}
}

// sound is stricter than a phone needs to be, so that a mistake of the server's is not overlooked: every line ends in CR LF, the
// headers that every message needs are there once, and the body is as long as it says.
func sound(p *transport.Packet) bool {
	m := &p.Msg
	for _, id := range []message.HeaderID{message.HFrom, message.HTo, message.HCallID, message.HCSeq} {
		if m.Count(id) != 1 {
			return false
		}
	}
	length := m.Get(message.HContentLength)
	return m.ViaCount() > 0 && m.Uncoded() == nil && bytes.Contains(p.Buf, m.Bytes()) && // else it was mended
		(length == nil || string(length) == strconv.Itoa(len(m.Body())))
}
