package transport

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// text is an OPTIONS with a body of n bytes.
func text(id string, n int) string {
	return fmt.Sprintf("OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK%s;rport\r\nFrom: <sip:a@example.com>;tag=1\r\n"+
		"To: <sip:b@example.com>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: %d\r\n\r\n%0*d", id, id, n, n, 0)[:headLen(id, n)+n]
}

func headLen(id string, n int) int {
	return len(fmt.Sprintf("OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK%s;rport\r\nFrom: <sip:a@example.com>;tag=1\r\n"+
		"To: <sip:b@example.com>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: %d\r\n\r\n", id, id, n))
}

func start(t testing.TB, cfg Config) *Transport {
	t.Helper()
	var tr *Transport
	startAs(t, &tr, cfg)
	return tr
}

// startAs sets *tr before anything is served, for handlers that use it.
func startAs(t testing.TB, tr **Transport, cfg Config) {
	t.Helper()
	made, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	*tr = made
	t.Cleanup(made.Stop)
	made.Serve()
}

// echo is a handler that sends every packet back the way it came.
func echo(tr **Transport) func(*Packet) {
	return func(p *Packet) { _ = (*tr).Send(p.From(), p.Buf) }
}

func client(t testing.TB, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadBuffer(4 << 20)
	return c
}

func send(t testing.TB, c net.Conn, s string) {
	t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
}

// read returns the next n bytes of a stream, or the next datagram when n is 0.
func read(t testing.TB, c net.Conn, n int) string {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, max(n, 65536))
	at := 0
	for {
		k, err := c.Read(b[at:])
		if at += k; err != nil {
			t.Fatalf("after %d of %d bytes: %v", at, n, err)
		}
		if at >= n {
			return string(b[:at])
		}
	}
}

// eventually waits for what another goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// memory is a net.PacketConn without sockets, for synctest.
type memory struct {
	addr *net.UDPAddr
	in   chan datagram
	net  *memoryNet
	once sync.Once
	done chan struct{}
}

type datagram struct {
	from *net.UDPAddr
	b    []byte
}

type memoryNet struct {
	mu    sync.Mutex
	hosts map[string]*memory
}

func (n *memoryNet) listen(addr string) *memory {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts == nil {
		n.hosts = map[string]*memory{}
	}
	m := &memory{addr: net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)), in: make(chan datagram, 100), net: n, done: make(chan struct{})}
	n.hosts[addr] = m
	return m
}

func (m *memory) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-m.in:
		return copy(b, d.b), d.from, nil
	case <-m.done:
		return 0, nil, net.ErrClosed
	}
}

func (m *memory) WriteTo(b []byte, to net.Addr) (int, error) {
	m.net.mu.Lock()
	peer := m.net.hosts[to.String()]
	m.net.mu.Unlock()
	if peer == nil {
		return 0, os.ErrNotExist
	}
	peer.in <- datagram{m.addr, append([]byte(nil), b...)}
	return len(b), nil
}

func (m *memory) Close() error                     { m.once.Do(func() { close(m.done) }); return nil }
func (m *memory) LocalAddr() net.Addr              { return m.addr }
func (m *memory) SetDeadline(time.Time) error      { return nil }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }

// pipe is an end of a net.Pipe with TCP addresses.
type pipe struct {
	net.Conn
	local, remote string
}

func (p pipe) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(p.local)) }

func (p pipe) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(p.remote))
}

// pipes is a listener that a test connects to without sockets.
type pipes struct {
	in   chan net.Conn
	errs chan error
	done chan struct{}
	once sync.Once
}

func newPipes() *pipes {
	return &pipes{in: make(chan net.Conn), errs: make(chan error), done: make(chan struct{})}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.in:
		return c, nil
	case err := <-l.errs:
		return nil, err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipes) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:5060"))
}

// connect returns the client's end of a new connection from the address.
func (l *pipes) connect(from string) net.Conn {
	ours, theirs := net.Pipe()
	l.in <- pipe{theirs, "192.0.2.1:5060", from}
	return ours
}
