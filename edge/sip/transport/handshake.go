package transport

import (
	"context"
	"crypto/tls"
	"hash/maphash"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"
)

// A handshake costs us a signature before we know whose it is: about as much as a hundred packets. So only some are computed at one time, on
// at most half of the processors, and a network where nobody is known may begin only so many. Those who are slow hold nothing but their
// connection, which counts against the limits of connTable from the first byte on.

// handshakes bounds what TLS handshakes cost.
type handshakes struct {
	strangers, known chan struct{} // a place for each that is computed: phones that are registered do not wait behind strangers
	begun            *allowance
}

// How many handshakes a network in which nobody is known may begin.
const (
	shakeRate  = 20 // a second
	shakeBurst = 200
)

func (h *handshakes) init() {
	n := max(runtime.GOMAXPROCS(0)/4, 1)
	h.strangers, h.known = make(chan struct{}, n), make(chan struct{}, n)
	h.begun = newAllowance(shakeRate, shakeBurst)
}

// turn waits for a place, and gives the function that gives it back.
func (h *handshakes) turn(ctx context.Context, known bool) (done func(), err error) {
	places := h.strangers
	if known {
		places = h.known
	}
	select {
	case places <- struct{}{}:
		return sync.OnceFunc(func() { <-places }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// shaking is a connection during its handshake: what we computed has been computed when we write it.
type shaking struct {
	net.Conn
	all   *handshakes
	known bool
	done  func() // gives the place back; nil: there is none. It belongs to the goroutine of the handshake
}

// hello waits for a place when the client has said what it wants.
func (s *shaking) hello(h *tls.ClientHelloInfo) (err error) {
	s.done, err = s.all.turn(h.Context(), s.known)
	return err
}

// waiting is how a listener begins handshakes that go on as config says. Tickets for the next one are sealed with its keys.
func waiting(config *tls.Config) *tls.Config {
	return &tls.Config{MinVersion: config.MinVersion, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		return config, h.Conn.(*shaking).hello(h)
	}}
}

func (s *shaking) Write(b []byte) (int, error) {
	s.over()
	return s.Conn.Write(b)
}

func (s *shaking) over() {
	if s.done != nil {
		s.done()
		s.done = nil
	}
}

// shake begins TLS on a connection that was accepted, all of it before the deadline.
func (c *conn) shake(deadline time.Time) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(c.t.ctx, deadline)
	defer cancel()
	s := &shaking{Conn: c.sock, all: &c.t.shakes, known: c.known}
	now := c.t.cfg.Security.now.Load()
	config := now.phones
	if c.proto == WSS {
		config = now.pages
	}
	nc := tls.Server(s, config)
	_ = c.sock.SetDeadline(deadline)
	err := nc.HandshakeContext(ctx)
	s.over()
	if err != nil {
		c.t.count.unshaken.Add(1)
		return nil, err
	}
	c.t.count.shaken.Add(1)
	_ = c.sock.SetDeadline(time.Time{})
	if state := nc.ConnectionState(); len(state.VerifiedChains) > 0 {
		c.proof = proves(&state, now)
	}
	return nc, nil
}

// shakeAsClient makes a connection that we dialled one of TLS, to the carrier of that name and nobody else.
func (c *conn) shakeAsClient(ctx context.Context, sock net.Conn) (net.Conn, error) {
	config, err := c.t.cfg.Security.Dialling(c.name)
	if err != nil {
		return nil, err
	}
	nc := tls.Client(sock, config)
	return nc, nc.HandshakeContext(ctx)
}

// allowance bounds how often something is done for each network where nobody is known. Its size is fixed: networks that meet in a cell share
// it. Safe for concurrent use.
type allowance struct {
	every int64 // nanoseconds for one more
	burst int64
	seed  maphash.Seed

	mu   sync.Mutex
	full []int64 // nanotime when each cell has all of its burst again; made when it is first asked; guarded by mu
}

func newAllowance(rate, burst int) *allowance {
	return &allowance{every: int64(time.Second) / int64(rate), burst: int64(burst), seed: maphash.MakeSeed()}
}

// take says whether once more is allowed (the generic cell rate algorithm).
func (a *allowance) take(n netip.Prefix, now int64) bool {
	raw := n.Addr().As16() // Comparable would allocate
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.full == nil {
		a.full = make([]int64, 4096)
	}
	i := maphash.Bytes(a.seed, raw[:]) % uint64(len(a.full))
	full := max(a.full[i], now) + a.every
	if full-now > a.burst*a.every {
		return false
	}
	a.full[i] = full
	return true
}
