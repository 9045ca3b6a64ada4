// Package fair bounds the connections of a listener so that no client can hold them all: by address, by network, and in total.
// The newest connection is always accepted; the oldest of the address or network that has the most is closed for it.
package fair

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
)

// Options of Limit.
type Options struct {
	Max        int                   // connections in total
	PerAddress int                   // from one address (IPv6: /64)
	Free       func(netip.Addr) bool // the operator's own proxies, which forward many clients and are not bounded by address. Nil: none
}

// Listener is a bounded listener. Make it with Limit.
type Listener struct {
	net.Listener
	o Options

	mu    sync.Mutex
	open  list.List            // of *conn, oldest first; guarded by mu, as is all below
	count map[netip.Prefix]int // connections of each address and network; no zeros
	free  int                  // connections that are not in open
}

// Limit bounds the connections of l.
func Limit(l net.Listener, o Options) *Listener {
	return &Listener{Listener: l, o: o, count: map[netip.Prefix]int{}}
}

// Address is what an address is counted under: itself, or its /64.
func Address(a netip.Addr) netip.Prefix { return prefix(a, 32) }

// Network is the network around it: /24, or /64.
func Network(a netip.Addr) netip.Prefix { return prefix(a, 24) }

func prefix(a netip.Addr, bits int) netip.Prefix {
	a = a.WithZone("").Unmap()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Prefix for the zero Addr
	return p
}

// Accept returns the next connection. It may close another to make room.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: nc, l: l, from: remote(nc)}
		gone, ok := l.add(c)
		if gone != nil {
			_ = gone.Close()
		}
		if ok {
			return c, nil
		}
		_ = nc.Close()
	}
}

// add enters a connection and returns the one to close for it; ok is false when the proxies have the maximum number.
func (l *Listener) add(c *conn) (gone *conn, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.o.Free != nil && l.o.Free(c.from) {
		if l.free >= l.o.Max {
			return nil, false
		}
		l.free++
		return nil, true
	}
	c.at = l.open.PushBack(c)
	l.note(c.from, 1)
	switch {
	case l.count[Address(c.from)] > l.o.PerAddress:
		gone = l.oldest(func(o *conn) int { return same(Address(o.from), Address(c.from)) })
	case l.open.Len() > l.o.Max:
		gone = l.oldest(func(o *conn) int { return l.count[Network(o.from)] })
	}
	if gone != nil {
		l.drop(gone)
	}
	return gone, true
}

func same(a, b netip.Prefix) int {
	if a == b {
		return 1
	}
	return 0
}

// oldest is the oldest of the connections with the highest weight, among a few hundred. The caller holds mu.
func (l *Listener) oldest(weight func(*conn) int) (c *conn) {
	most := 0
	for e := l.open.Front(); e != nil; e = e.Next() {
		if o := e.Value.(*conn); weight(o) > most {
			c, most = o, weight(o)
		}
	}
	return c
}

// note counts an address and the network around it; for IPv6 they are the same.
func (l *Listener) note(a netip.Addr, n int) {
	for _, p := range [2]netip.Prefix{Address(a), Network(a)} {
		if l.count[p] += n; l.count[p] <= 0 {
			delete(l.count, p)
		}
		if Address(a) == Network(a) {
			return
		}
	}
}

// drop takes a connection out, once. The caller holds mu.
func (l *Listener) drop(c *conn) {
	if c.gone {
		return
	}
	c.gone = true
	if c.at == nil {
		l.free--
		return
	}
	l.open.Remove(c.at)
	l.note(c.from, -1)
}

// remote is the other end of a connection; the zero address, which has a share of its own, when it is not TCP.
func remote(c net.Conn) netip.Addr {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return a.AddrPort().Addr().WithZone("").Unmap()
}

// conn gives its place back when it is closed.
type conn struct {
	net.Conn
	l    *Listener
	from netip.Addr
	at   *list.Element // nil: free
	gone bool          // guarded by l.mu
}

// Close closes the connection.
func (c *conn) Close() error {
	c.l.mu.Lock()
	c.l.drop(c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}
