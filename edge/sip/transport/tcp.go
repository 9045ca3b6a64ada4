package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"ringfence/edge/internal/fair"
	"ringfence/edge/sip/message"
)

// conn is one connection of TCP, TLS or WSS. Its reader goroutine owns reading; the queue is written by a goroutine that lives while
// there is something to write.
type conn struct {
	t      *Transport
	id     uint32 // the flow; never 0
	proto  Proto
	remote netip.AddrPort
	name   string // TLS that we dialled: whom the certificate is of
	source bool   // accepted, not dialled
	known  bool   // phones are registered where it comes from, or it is a carrier's
	place
	unheard atomic.Int64 // since when (Unix ns) a connection that we dialled has said nothing at all; 0: it has, or is not there yet

	proof  *proof          // the certificate that the peer showed; nil: none. The reader's
	web    *websocket.Conn // WSS; set before nc
	latest time.Time       // the deadline of writing; the writer's: one writes at a time
	idle   bool            // WSS: between messages, the first of which has come; the reader's

	mu      sync.Mutex
	sock    net.Conn // what is closed: the connection below TLS; nil while dialling
	nc      net.Conn // what is read and written; nil while dialling and during the handshake
	local   netip.AddrPort
	queue   []outgoing    // guarded by mu
	queued  int           // bytes in queue; guarded by mu
	writing bool          // a goroutine drains the queue; guarded by mu
	held    bool          // the reader hands out a message, and will write what waits; guarded by mu
	written chan struct{} // closed when the queue has been drained, for a caller that waits for it; guarded by mu
	dead    error         // why it was closed; guarded by mu
}

type outgoing struct {
	b     []byte
	token uint64
	quiet bool // a pong, whose failure is not reported
}

// accept takes connections until the listener is closed; no other error ends it.
func (t *Transport) accept(ln listener) {
	wait := 5 * time.Millisecond
	for {
		nc, err := ln.Accept()
		if err != nil {
			if t.stopped.Load() || errors.Is(err, net.ErrClosed) {
				return
			}
			if noDescriptor(err) && t.evict(t.conns.giveWay()) {
				continue
			}
			if !t.pause(wait) {
				return
			}
			wait = min(2*wait, time.Second)
			continue
		}
		wait = 5 * time.Millisecond
		t.welcome(nc, ln.proto)
	}
}

// welcome judges a new connection by its address, before anything is read or computed for it.
func (t *Transport) welcome(nc net.Conn, p Proto) {
	remote, ok := addrPort(nc.RemoteAddr())
	c := &conn{t: t, proto: p, sock: nc, remote: remote, source: true}
	c.local, _ = addrPort(nc.LocalAddr())
	if !ok || t.cfg.Bans != nil && t.cfg.Bans.Banned(remote.Addr()) {
		t.turnAway(nc)
		return
	}
	carrier, known := false, 0
	if t.cfg.Known != nil {
		carrier, known = t.cfg.Known(remote)
	}
	c.known = carrier || known > 0
	if p != TCP && !c.known && !t.shakes.begun.take(fair.Network(remote.Addr()), nanotime()) {
		t.turnAway(nc)
		return
	}
	gone, err := t.conns.accept(c, carrier, known)
	if err != nil || gone == c {
		t.turnAway(nc)
		return
	}
	t.wg.Go(func() { c.read(time.Now()) })
	t.evict(gone)
}

func (t *Transport) turnAway(nc net.Conn) {
	t.count.refused.Add(1)
	_ = nc.Close()
}

// read is the connection's reader: it ends with the connection. The first message of one that was accepted has the time from begun for all
// that comes before it.
func (c *conn) read(begun time.Time) {
	c.close(c.follow(begun))
}

func (c *conn) follow(begun time.Time) error {
	if c.source {
		if err := c.begin(begun.Add(c.t.cfg.MessageTimeout)); err != nil {
			return err
		}
	}
	if c.proto == WSS {
		return c.readMessages()
	}
	s := stream{c: c, buf: make([]byte, 0, smallBuf), any: !c.source}
	return s.run(begun)
}

// begin brings a connection that was accepted to where SIP begins.
func (c *conn) begin(deadline time.Time) (err error) {
	nc := c.sock
	if c.proto != TCP {
		if nc, err = c.shake(deadline); err != nil {
			return err
		}
	}
	if c.proto == WSS {
		if c.web, err = c.upgrade(nc, deadline); err != nil {
			return err
		}
	}
	return c.speaks(nc)
}

// speaks has what waits be written over nc.
func (c *conn) speaks(nc net.Conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead != nil {
		return c.dead
	}
	c.nc = nc
	c.startWriting()
	return nil
}

func (c *conn) peer() peer { return peer{c.remote, c.proto, c.name} }

// deliver hands one message to the handler, in the packet of slot.
func (c *conn) deliver(slot **Packet, b []byte) error {
	c.t.count.in[c.proto].Add(1)
	if c.t.cfg.Bans != nil && c.t.cfg.Bans.Banned(c.remote.Addr()) {
		c.t.count.banned.Add(1)
		return errBanned
	}
	if *slot == nil {
		*slot = newPacket()
	}
	p := *slot
	p.Buf = append(p.store[:0], b...)
	p.Src, p.Local, p.Proto, p.Flow, p.Proved = c.remote, c.local, c.proto, c.id, c.proved()
	c.mu.Lock()
	c.held = true
	c.mu.Unlock()
	c.t.deliver(slot)
	c.unhold()
	return nil
}

// proved are the names that the peer's certificate proves now.
func (c *conn) proved() []string {
	if c.proof == nil {
		return nil
	}
	if !c.proof.stands(c.t.cfg.Security.now.Load(), time.Now()) {
		c.proof = nil
		return nil
	}
	return c.proof.names
}

// unhold writes what was sent while the reader handed out a message, nearly always the answer to it: to start a goroutine for that costs more
// than to write. What comes meanwhile is left to one, so that the reader goes on reading.
func (c *conn) unhold() {
	c.mu.Lock()
	c.held = false
	if c.writing || c.dead != nil || len(c.queue) == 0 {
		c.mu.Unlock()
		return
	}
	c.writing = true
	todo := c.queue
	c.queue, c.queued = nil, 0
	c.mu.Unlock()
	c.write(todo)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead == nil && len(c.queue) > 0 {
		c.t.wg.Go(c.drain)
		return
	}
	c.rest()
}

// evict closes a connection that the table has given up for another, and says whether there is one.
func (t *Transport) evict(c *conn) bool {
	if c == nil {
		return false
	}
	t.count.evicted.Add(1)
	c.close(errRoom)
	return true
}

// LoggedIn notes that a line has logged in on the connection that d stands for, or with "" that a carrier uses it: others are
// closed before it when there is no room.
func (t *Transport) LoggedIn(d Dest, line string) {
	if d.Proto != UDP {
		t.evict(t.conns.login(d, line))
	}
}

func (t *Transport) sendStream(d Dest, b []byte, token uint64) error {
	if len(b) > message.MaxSize {
		return ErrTooLong
	}
	c := t.conns.find(d)
	if c == nil || d.Flow == 0 && c.mute() {
		if d.Flow != 0 || d.Proto == WSS || d.Proto == TLS && d.Name == "" {
			return ErrGone
		}
		var err error
		if c, err = t.dialling(d); err != nil {
			return err
		}
	}
	return c.send(outgoing{b: bytes.Clone(b), token: token})
}

// dialling enters a connection to the address and starts to dial it, unless that is under way.
func (t *Transport) dialling(to Dest) (*conn, error) {
	c, gone, err := t.conns.dialling(to, t)
	t.evict(gone)
	return c, err
}

func (ct *connTable) dialling(to Dest, t *Transport) (c, gone *conn, err error) {
	ct.mu.Lock()
	defer ct.mu.Unlock()
	if c := ct.byPeer[peer{to.Addr, to.Proto, to.Name}]; c != nil && !c.mute() {
		return c, nil, nil
	}
	if ct.closed {
		return nil, nil, ErrClosed
	}
	c = &conn{t: t, proto: to.Proto, remote: to.Addr, name: to.Name}
	if gone, err = ct.trust(c); err != nil {
		return nil, nil, err
	}
	t.wg.Go(c.dial)
	return c, gone, nil
}

// mute says that the peer of a connection that we dialled has accepted data for a while and sent nothing: its program may hang, or be
// gone behind a middlebox that answers for it. The next request goes out on a new connection.
func (c *conn) mute() bool {
	since := c.unheard.Load()
	return since != 0 && time.Now().UnixNano()-since > int64(muteAfter)
}

// muteAfter allows for a long path (RFC 3261 section 17.2.1 requires a 100 within 200 ms) and for a packet lost on it.
const muteAfter = 500 * time.Millisecond

func (c *conn) dial() {
	ctx, cancel := context.WithTimeout(c.t.ctx, c.t.cfg.DialTimeout)
	defer cancel()
	dial := c.t.cfg.Dial
	if dial == nil {
		dial = c.t.dialFrom
	}
	sock, err := dial(ctx, c.remote)
	if err != nil {
		c.close(err)
		return
	}
	c.mu.Lock()
	if c.dead != nil {
		c.mu.Unlock()
		_ = sock.Close()
		return
	}
	c.sock = sock
	c.local, _ = addrPort(sock.LocalAddr())
	c.mu.Unlock()
	nc := sock
	if c.proto == TLS {
		if nc, err = c.shakeAsClient(ctx, sock); err != nil {
			c.close(fmt.Errorf("TLS with %s: %w", c.name, err))
			return
		}
	}
	c.unheard.Store(time.Now().UnixNano())
	if err := c.speaks(nc); err != nil {
		return
	}
	c.read(time.Now())
}

// dialFrom dials from the address that we listen on, so that a carrier which knows us by address sees that one.
func (t *Transport) dialFrom(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	if a := t.listenerFor(TCP, to.Addr()).Addr(); a.IsValid() && !a.IsUnspecified() && a.IsLoopback() == to.Addr().IsLoopback() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0))
	}
	return d.DialContext(ctx, "tcp", to.String())
}

func (c *conn) send(o outgoing) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead != nil {
		return ErrGone
	}
	if c.queued+len(o.b) > c.t.cfg.MaxQueued {
		return ErrQueueFull
	}
	c.queue = append(c.queue, o)
	c.queued += len(o.b)
	if c.nc != nil && !c.held {
		c.startWriting()
	}
	return nil
}

// startWriting makes sure that a goroutine drains the queue. The caller holds mu; nc is not nil. The connection's reader
// runs or is about to run, so the WaitGroup cannot be at zero here.
func (c *conn) startWriting() {
	if !c.writing && len(c.queue) > 0 {
		c.writing = true
		c.t.wg.Go(c.drain)
	}
}

func (c *conn) drain() {
	for {
		c.mu.Lock()
		if c.dead != nil || len(c.queue) == 0 {
			c.rest()
			c.mu.Unlock()
			return
		}
		todo := c.queue
		c.queue, c.queued = nil, 0
		c.mu.Unlock()
		c.write(todo)
	}
}

// rest notes that the queue has been written. The caller holds mu.
func (c *conn) rest() {
	c.writing = false
	if c.written != nil {
		close(c.written)
		c.written = nil
	}
}

// flush waits for a moment until the queue has been written: the connection is about to be closed, and its peer should learn why.
func (c *conn) flush() {
	c.mu.Lock()
	if !c.writing {
		c.mu.Unlock()
		return
	}
	if c.written == nil {
		c.written = make(chan struct{})
	}
	written := c.written
	c.mu.Unlock()
	select {
	case <-written:
	case <-time.After(500 * time.Millisecond):
	}
}

// linger reads what the peer still sends, for a moment and to no end: a connection that is closed with bytes unread is reset, and the peer may
// lose the answer.
func (c *conn) linger() {
	if w, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite()
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(lingers))
	_, _ = io.CopyN(io.Discard, c.nc, 2*message.MaxSize)
}

const lingers = 500 * time.Millisecond

// write sends a run of messages.
func (c *conn) write(todo []outgoing) {
	if now := time.Now(); c.latest.Sub(now) < c.t.cfg.WriteTimeout/2 { // not for each message: it costs a part of the writing
		c.latest = now.Add(c.t.cfg.WriteTimeout)
		_ = c.nc.SetWriteDeadline(c.latest)
	}
	if err := c.put(todo); err != nil {
		c.fail(todo, err)
		c.close(err)
		return
	}
	c.t.count.out[c.proto].Add(uint64(len(todo)))
}

// put writes messages: on TCP with one system call, on TLS in as few records as they fit into, on WSS each for itself.
func (c *conn) put(todo []outgoing) error {
	if c.proto == WSS {
		return c.putMessages(todo)
	}
	if len(todo) == 1 {
		_, err := c.nc.Write(todo[0].b)
		return err
	}
	bufs := make(net.Buffers, len(todo))
	for i, o := range todo {
		bufs[i] = o.b
	}
	if c.proto == TLS {
		bufs = net.Buffers{bytes.Join(bufs, nil)}
	}
	_, err := bufs.WriteTo(c.nc)
	return err
}

// fail tells the sender of each message that it was not sent. Not to be called with mu held.
func (c *conn) fail(todo []outgoing, err error) {
	if c.t.cfg.Failed == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			c.t.panicked(v)
		}
	}()
	for _, o := range todo {
		if !o.quiet {
			c.t.cfg.Failed(c.dest(), o.token, err)
		}
	}
}

// close ends the connection once; what still waits is reported as failed.
func (c *conn) close(reason error) {
	c.mu.Lock()
	if c.dead != nil {
		c.mu.Unlock()
		return
	}
	c.dead = reason
	left := c.queue
	c.queue = nil
	sock, nc := c.sock, c.nc
	c.mu.Unlock()
	line := c.t.conns.remove(c)
	if sock != nil {
		if over, ok := nc.(*tls.Conn); ok && !errors.Is(reason, ErrClosed) && !errors.Is(reason, errRoom) && !errors.Is(reason, errBanned) {
			_ = over.CloseWrite() // may wait for a peer that reads nothing, which those who make room must not
		}
		_ = sock.Close()
	}
	c.fail(left, reason)
	if line != "" && c.t.cfg.Closed != nil && !c.t.stopped.Load() {
		c.t.cfg.Closed(c.dest(), line)
	}
}

func (c *conn) dest() Dest { return Dest{Addr: c.remote, Proto: c.proto, Flow: c.id, Name: c.name} }

// Connected says whether there is a connection for d: the flow's, or another to its address.
func (t *Transport) Connected(d Dest) bool { return d.Proto != UDP && t.conns.find(d) != nil }
