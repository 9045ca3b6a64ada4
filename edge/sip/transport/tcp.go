package transport

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/edge/sip/message"
)

// conn is one TCP connection. Its reader goroutine owns reading; the queue is written by a goroutine that lives while
// there is something to write.
type conn struct {
	t      *Transport
	id     uint32 // the flow; never 0
	remote netip.AddrPort
	source bool // accepted, not dialled
	place
	unheard atomic.Int64 // since when (Unix ns) a connection that we dialled has said nothing at all; 0: it has, or is not there yet

	mu      sync.Mutex
	nc      net.Conn // nil while dialling
	local   netip.AddrPort
	queue   []outgoing    // guarded by mu
	queued  int           // bytes in queue; guarded by mu
	writing bool          // a goroutine drains the queue; guarded by mu
	written chan struct{} // closed when the queue has been drained, for a caller that waits for it; guarded by mu
	dead    error         // why it was closed; guarded by mu
}

type outgoing struct {
	b     []byte
	token uint64
	quiet bool // a pong, whose failure is not reported
}

// accept takes connections until the listener is closed; no other error ends it.
func (t *Transport) accept(ln net.Listener) {
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
		t.welcome(nc)
	}
}

func (t *Transport) welcome(nc net.Conn) {
	remote, ok := addrPort(nc.RemoteAddr())
	c := &conn{t: t, nc: nc, remote: remote, source: true}
	c.local, _ = addrPort(nc.LocalAddr())
	if !ok || t.cfg.Bans != nil && t.cfg.Bans.Banned(remote.Addr()) {
		t.count.refused.Add(1)
		_ = nc.Close()
		return
	}
	carrier, known := false, 0
	if t.cfg.Known != nil {
		carrier, known = t.cfg.Known(remote)
	}
	gone, err := t.conns.accept(c, carrier, known)
	if err != nil || gone == c {
		t.count.refused.Add(1)
		_ = nc.Close()
		return
	}
	t.wg.Go(c.read)
	t.evict(gone)
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
	if d.Proto == TCP {
		t.evict(t.conns.login(d, line))
	}
}

func (t *Transport) sendTCP(d Dest, b []byte, token uint64) error {
	if len(b) > message.MaxSize {
		return ErrTooLong
	}
	c := t.conns.find(d)
	if c == nil || d.Flow == 0 && c.mute() {
		if d.Flow != 0 {
			return ErrGone
		}
		var err error
		if c, err = t.dialling(d.Addr); err != nil {
			return err
		}
	}
	return c.send(outgoing{b: bytes.Clone(b), token: token})
}

// dialling enters a connection to the address and starts to dial it, unless that is under way.
func (t *Transport) dialling(to netip.AddrPort) (*conn, error) {
	c, gone, err := t.conns.dialling(to, t)
	t.evict(gone)
	return c, err
}

func (ct *connTable) dialling(to netip.AddrPort, t *Transport) (c, gone *conn, err error) {
	ct.mu.Lock()
	defer ct.mu.Unlock()
	if c := ct.byAddr[to]; c != nil && !c.mute() {
		return c, nil, nil
	}
	if ct.closed {
		return nil, nil, ErrClosed
	}
	c = &conn{t: t, remote: to}
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
	nc, err := dial(ctx, c.remote)
	if err != nil {
		c.close(err)
		return
	}
	c.mu.Lock()
	if c.dead != nil {
		c.mu.Unlock()
		_ = nc.Close()
		return
	}
	c.nc = nc
	c.local, _ = addrPort(nc.LocalAddr())
	c.unheard.Store(time.Now().UnixNano())
	c.startWriting()
	c.mu.Unlock()
	c.read()
}

// dialFrom dials from the address that we listen on, so that a carrier which knows us by address sees that one.
func (t *Transport) dialFrom(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	if a := t.listenerFor(to.Addr()).Addr(); a.IsValid() && !a.IsUnspecified() && a.IsLoopback() == to.Addr().IsLoopback() {
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
	if c.nc != nil {
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
			c.writing = false
			if c.written != nil {
				close(c.written)
				c.written = nil
			}
			c.mu.Unlock()
			return
		}
		todo := c.queue
		c.queue, c.queued = nil, 0
		c.mu.Unlock()
		c.write(todo)
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

// write sends a run of messages with one system call.
func (c *conn) write(todo []outgoing) {
	bufs := make(net.Buffers, len(todo))
	for i, o := range todo {
		bufs[i] = o.b
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(c.t.cfg.WriteTimeout))
	if _, err := bufs.WriteTo(c.nc); err != nil {
		c.fail(todo, err)
		c.close(err)
		return
	}
	c.t.count.packetsOut.Add(uint64(len(todo)))
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
			c.t.cfg.Failed(Dest{Addr: c.remote, Proto: TCP, Flow: c.id}, o.token, err)
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
	nc := c.nc
	c.mu.Unlock()
	line := c.t.conns.remove(c)
	if nc != nil {
		_ = nc.Close()
	}
	c.fail(left, reason)
	if line != "" && c.t.cfg.Closed != nil && !c.t.stopped.Load() {
		c.t.cfg.Closed(Dest{Addr: c.remote, Proto: TCP, Flow: c.id}, line)
	}
}

// Connected says whether there is a connection for d: the flow's, or another to its address.
func (t *Transport) Connected(d Dest) bool { return d.Proto == TCP && t.conns.find(d) != nil }
