package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Proto is a transport protocol.
type Proto uint8

// The protocols.
const (
	UDP Proto = iota
	TCP
	TLS
	WSS // SIP in WebSocket messages over TLS (RFC 7118)

	protocols = 4
)

var (
	viaNames   = [protocols]string{"UDP", "TCP", "TLS", "WSS"}
	smallNames = [protocols]string{"udp", "tcp", "tls", "wss"}
)

// String returns the protocol as written in Via.
func (p Proto) String() string { return viaNames[p%protocols] }

// Small returns the protocol in small letters, as settings have it.
func (p Proto) Small() string { return smallNames[p%protocols] }

// Secure says that messages are encrypted, and that the peer is the one that the connection began with.
func (p Proto) Secure() bool { return p >= TLS }

// Protocols are all of them.
func Protocols() []Proto { return []Proto{UDP, TCP, TLS, WSS} }

// ProtoOf is the protocol of a name in capitals or small letters; UDP when there is none.
func ProtoOf(name string) Proto {
	for _, p := range Protocols() {
		if strings.EqualFold(viaNames[p], name) {
			return p
		}
	}
	return UDP
}

// Dest is where to send. It is comparable and may be kept.
type Dest struct {
	Addr  netip.AddrPort
	Proto Proto
	// Flow, when not 0, is the socket or the connection a packet came on (RFC 5626 calls it a flow). A flow of UDP lasts
	// as long as the Transport, one of TCP as long as its connection; when that is gone, another connection to Addr is
	// used if there is one, and none is dialled: an address behind a NAT can not be.
	Flow uint32
	// Name is whom the certificate must be of when TLS is dialled (RFC 5922): a host name, or an address in text. Without a name nothing but
	// the flow is used: a phone's certificate proves nothing.
	Name string
}

// What Send and Config.Failed report.
var (
	ErrClosed    = errors.New("transport: stopped")
	ErrQueueFull = errors.New("transport: send queue full")
	ErrNoSocket  = errors.New("transport: no socket for this address family")
	ErrGone      = errors.New("transport: the connection is gone")
	ErrTooMany   = errors.New("transport: too many connections")
	ErrTooLong   = errors.New("transport: message too long")
	ErrNoAddr    = errors.New("transport: destination without address or port")
	ErrNoCerts   = errors.New("transport: TLS listeners require a certificate")
)

// Config says where to listen and what to do with packets. Zero values of limits mean the defaults named.
type Config struct {
	UDP        []netip.AddrPort // addresses to bind; port 0 picks one. [::] takes IPv6 only: name 0.0.0.0 beside it
	TCP        []netip.AddrPort
	TLS        []netip.AddrPort // these and WSS require a certificate in Security
	WSS        []netip.AddrPort
	Security   *Security      // certificates and authorities; nil: no TLS, in or out
	PacketConn net.PacketConn // a further UDP socket, read one packet at a time; for tests in a synctest bubble
	Listener   net.Listener   // a further TCP listener, likewise
	Sockets    int            // sockets per UDP address, sharing its load by SO_REUSEPORT; default 1
	ReadBuffer int            // bytes asked of the kernel per UDP socket, both ways; default 8 MiB

	Bans   *Bans           // nil: no source is banned
	Handle func(p *Packet) // required; called on reader goroutines, concurrently; must not block
	// Failed reports a message that was taken by Send for TCP and could not be written; token is SendToken's. Called on
	// a goroutine of the connection.
	Failed func(d Dest, token uint64, err error)
	// Closed reports the end of a connection on which a line had logged in. Called on a goroutine of the connection; may be nil.
	Closed   func(d Dest, line string)
	Panicked func(v any, stack []byte) // after a panic in Handle was recovered
	// Known says whether connections from an address are a carrier's, and how many phones are registered there: those find
	// room before unknown sources do. It must be quick; nil: all are unknown sources.
	Known func(src netip.AddrPort) (carrier bool, phones int)
	Dial  func(ctx context.Context, to netip.AddrPort) (net.Conn, error)

	QueueLen       int           // packets waiting in a UDP socket's queue; default 2048
	MaxConns       int           // connections, in and out; default 4096, and no more than there are descriptors for
	MaxPerNet      int           // of these, from one network (/24, /64) that have not logged in; default 1024
	MaxPerLine     int           // of these, on which one line has logged in; default 128
	MaxQueued      int           // bytes waiting to be written on one connection; default 256 KiB
	DialTimeout    time.Duration // default 4 s
	WriteTimeout   time.Duration // per write on TCP; default 8 s
	MessageTimeout time.Duration // from a message's first byte to its last, and from accept to the first message; default 10 s
	IdleTimeout    time.Duration // between messages or keep-alives on TCP; default 15 min
}

func (c *Config) setDefaults() {
	c.Sockets = cmp.Or(max(c.Sockets, 0), 1)
	c.ReadBuffer = cmp.Or(max(c.ReadBuffer, 0), 8<<20)
	c.QueueLen = cmp.Or(max(c.QueueLen, 0), 2048)
	c.MaxConns = cmp.Or(max(c.MaxConns, 0), 4096)
	c.MaxConns = min(c.MaxConns, descriptors())
	c.MaxPerNet = cmp.Or(max(c.MaxPerNet, 0), 1024)
	c.MaxPerLine = cmp.Or(max(c.MaxPerLine, 0), 128)
	c.MaxQueued = cmp.Or(max(c.MaxQueued, 0), 256<<10)
	c.DialTimeout = cmp.Or(max(c.DialTimeout, 0), 4*time.Second)
	c.WriteTimeout = cmp.Or(max(c.WriteTimeout, 0), 8*time.Second)
	c.MessageTimeout = cmp.Or(max(c.MessageTimeout, 0), 10*time.Second)
	c.IdleTimeout = cmp.Or(max(c.IdleTimeout, 0), 15*time.Minute)
}

// Transport owns the sockets. Its methods may be called from any goroutine.
type Transport struct {
	cfg    Config
	socks  []*socket // UDP; the flow of a socket is its index plus one
	lns    []listener
	conns  connTable
	routes routes
	count  counters
	shakes handshakes
	stuns  *allowance

	sockAddrs []netip.AddrPort            // where socks are bound
	lnAddrs   [protocols][]netip.AddrPort // and lns
	ctx       context.Context             // cancelled by Stop
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	stopped   atomic.Bool
	serving   atomic.Bool
}

// listener takes connections of one protocol.
type listener struct {
	net.Listener
	proto Proto
}

// Listen binds all addresses, or none: when one fails the others are closed again. Nothing is read before Serve.
func Listen(cfg Config) (*Transport, error) {
	cfg.setDefaults()
	if cfg.Handle == nil {
		return nil, errors.New("transport: Config.Handle is required")
	}
	if len(cfg.TLS)+len(cfg.WSS) > 0 && !cfg.Security.listens() {
		return nil, ErrNoCerts
	}
	t := &Transport{cfg: cfg, stuns: newAllowance(stunRate, stunBurst)}
	t.shakes.init()
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.conns.init(&t.cfg)
	if err := t.bind(); err != nil {
		t.Stop()
		return nil, err
	}
	return t, nil
}

func (t *Transport) bind() error {
	for _, a := range t.cfg.UDP {
		a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		for i := range t.cfg.Sockets {
			io, local, err := listenUDP(a, i, t.cfg.Sockets, t.cfg.ReadBuffer)
			if err != nil {
				return fmt.Errorf("transport: listen UDP %v: %w", a, err)
			}
			t.addSocket(io, local)
			a = local // port 0: the further sockets share the first one's port
		}
	}
	if pc := t.cfg.PacketConn; pc != nil {
		local, _ := addrPort(pc.LocalAddr())
		t.addSocket(newPlain(pc), local)
	}
	for _, p := range []Proto{TCP, TLS, WSS} {
		if err := t.listenStreams(p, [protocols][]netip.AddrPort{TCP: t.cfg.TCP, TLS: t.cfg.TLS, WSS: t.cfg.WSS}[p]); err != nil {
			return err
		}
	}
	if t.cfg.Listener != nil {
		t.addListener(TCP, t.cfg.Listener)
	}
	return nil
}

func (t *Transport) listenStreams(p Proto, at []netip.AddrPort) error {
	for _, a := range at {
		network := "tcp4"
		if a.Addr().Is6() {
			network = "tcp6"
		}
		ln, err := net.Listen(network, a.String())
		if err != nil {
			return fmt.Errorf("transport: listen %v %v: %w", p, a, err)
		}
		t.addListener(p, ln)
	}
	return nil
}

func (t *Transport) addListener(p Proto, ln net.Listener) {
	a, _ := addrPort(ln.Addr())
	t.lns = append(t.lns, listener{ln, p})
	t.lnAddrs[p] = append(t.lnAddrs[p], a)
}

func (t *Transport) addSocket(io datagrams, local netip.AddrPort) {
	t.socks = append(t.socks, &socket{t: t, io: io, local: local, flow: uint32(len(t.socks) + 1)})
	t.sockAddrs = append(t.sockAddrs, local)
}

// Serve starts the readers and returns. It may be called once.
func (t *Transport) Serve() {
	if t.stopped.Load() || t.serving.Swap(true) {
		return
	}
	for _, s := range t.socks {
		t.wg.Go(s.run)
	}
	for _, ln := range t.lns {
		t.wg.Go(func() { t.accept(ln) })
	}
}

// Stop closes all sockets and waits for the readers, and so for the handlers they run. It must not be called from Handle.
func (t *Transport) Stop() {
	if t.stopped.Swap(true) {
		t.wg.Wait()
		return
	}
	t.cancel()
	for _, ln := range t.lns {
		_ = ln.Close()
	}
	t.conns.closeAll()
	for _, s := range t.socks {
		_ = s.io.close()
	}
	t.wg.Wait()
}

// MaxConns is how many connections there is room for: as configured, or fewer when the process may not open that many.
func (t *Transport) MaxConns() int { return t.cfg.MaxConns }

// Addr returns the first address bound for the protocol; zero when there is none.
func (t *Transport) Addr(p Proto) netip.AddrPort {
	if p == UDP && len(t.socks) > 0 {
		return t.socks[0].local
	}
	if len(t.lnAddrs[p]) > 0 {
		return t.lnAddrs[p][0]
	}
	return netip.AddrPort{}
}

// Addrs returns every address bound, of all protocols, each once.
func (t *Transport) Addrs() []netip.AddrPort {
	var all []netip.AddrPort
	for _, s := range t.socks {
		if s.local.IsValid() && !slices.Contains(all, s.local) {
			all = append(all, s.local)
		}
	}
	for _, a := range slices.Concat(t.lnAddrs[:]...) {
		if a.IsValid() && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// LocalFor returns the address at which the receiver of a packet to d reaches us: that of the UDP socket it leaves from, of connections
// that of a listener, and never an unspecified one. Zero: we listen nowhere for this protocol and family.
func (t *Transport) LocalFor(d Dest) netip.AddrPort {
	to := d.Addr.Addr().Unmap()
	if d.Proto == UDP {
		if s := t.socketFor(d); s != nil {
			return t.routes.seen(s.local, to)
		}
		return netip.AddrPort{}
	}
	c := t.conns.find(d)
	if c == nil {
		return t.routes.seen(t.listenerFor(d.Proto, to), to)
	}
	c.mu.Lock()
	local, there := c.local, c.nc != nil
	c.mu.Unlock()
	if there && c.source { // accepted: this is the listener
		return local
	}
	return t.routes.seen(t.listenerFor(d.Proto, to), to)
}

// FlowAt is the flow of the UDP socket bound to an address, 0 if there is none.
func (t *Transport) FlowAt(local netip.AddrPort) uint32 {
	for _, s := range t.socks {
		if s.local == local {
			return s.flow
		}
	}
	return 0
}

// Bound is the address of the UDP socket that d's flow names, as bound. Zero: it names none.
func (t *Transport) Bound(d Dest) netip.AddrPort {
	if d.Proto != UDP || d.Flow == 0 || int(d.Flow) > len(t.socks) {
		return netip.AddrPort{}
	}
	return t.socks[d.Flow-1].local
}

func (t *Transport) listenerFor(p Proto, to netip.Addr) netip.AddrPort {
	if i := t.routes.choose(t.lnAddrs[p], to); i >= 0 {
		return t.lnAddrs[p][i]
	}
	return netip.AddrPort{}
}

// Send sends one message. It copies b, never blocks on the network, and returns an error only when nothing will be
// sent. On TCP it uses the flow's connection, or one to the same address, or (without a flow) dials one; on TLS it dials only whom
// Dest names, and on WSS nobody. What goes wrong later is reported to Config.Failed.
func (t *Transport) Send(d Dest, b []byte) error { return t.SendToken(d, b, 0) }

// SendToken is Send with a token that Config.Failed gets back.
func (t *Transport) SendToken(d Dest, b []byte, token uint64) error {
	if t.stopped.Load() {
		return ErrClosed
	}
	d.Addr = netip.AddrPortFrom(d.Addr.Addr().Unmap(), d.Addr.Port())
	if d.Addr.Port() == 0 || !d.Addr.IsValid() {
		return ErrNoAddr
	}
	if d.Proto != UDP {
		return t.sendStream(d, b, token)
	}
	if len(b) > maxDatagram {
		return ErrTooLong
	}
	s := t.socketFor(d)
	if s == nil {
		return ErrNoSocket
	}
	return s.send(d.Addr, b)
}

func (t *Transport) socketFor(d Dest) *socket {
	if d.Flow != 0 && int(d.Flow) <= len(t.socks) {
		return t.socks[d.Flow-1]
	}
	if i := t.routes.choose(t.sockAddrs, d.Addr.Addr()); i >= 0 {
		return t.socks[i]
	}
	return nil
}

// addrPort reads the address of a net.Addr, unmapped.
func addrPort(a net.Addr) (netip.AddrPort, bool) {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		ap = a.AddrPort()
	case *net.TCPAddr:
		ap = a.AddrPort()
	case nil:
		return ap, false
	default:
		var err error
		if ap, err = netip.ParseAddrPort(a.String()); err != nil {
			return ap, false
		}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), ap.IsValid()
}
