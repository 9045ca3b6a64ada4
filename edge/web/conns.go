package web

import (
	"net"
	"net/netip"
	"sync"
)

// maxPerAddress is how many connections one address (IPv6: /64) holds at once: enough for the browsers of an office behind
// one address, and far from all there are, so that nobody can keep others from the button that locks a stolen line.
const maxPerAddress = 16

// perAddress closes, unanswered, connections of an address that has its share. The operator's own proxies, which speak
// for everybody, are free. It holds one entry for each address that is connected, so at most maxConnections.
type perAddress struct {
	net.Listener
	free func(netip.Addr) bool

	mu   sync.Mutex
	open map[netip.Prefix]int // guarded by mu; no zeros
}

func limitAddresses(l net.Listener, free func(netip.Addr) bool) *perAddress {
	return &perAddress{Listener: l, free: free, open: map[netip.Prefix]int{}}
}

// Accept is the next connection that is within its address's share.
func (l *perAddress) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := remote(c)
		if l.free(from) {
			return c, nil
		}
		if key := network(from); l.take(key) {
			return &counted{Conn: c, release: sync.OnceFunc(func() { l.drop(key) })}, nil
		}
		_ = c.Close() // nobody to tell
	}
}

func (l *perAddress) take(key netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[key] >= maxPerAddress {
		return false
	}
	l.open[key]++
	return true
}

func (l *perAddress) drop(key netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[key]--; l.open[key] <= 0 {
		delete(l.open, key)
	}
}

// remote is the other end of a connection; the zero address, which has a share of its own, when it is none.
func remote(c net.Conn) netip.Addr {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return a.AddrPort().Addr().WithZone("").Unmap()
}

// counted gives its place back when it is closed, once.
type counted struct {
	net.Conn
	release func()
}

// Close closes the connection.
func (c *counted) Close() error {
	defer c.release()
	return c.Conn.Close()
}
