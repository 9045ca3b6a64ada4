package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// routes says which of our addresses reaches a peer, by the kernel's routing table. Safe for concurrent use; bounded. The zero
// value is ready.
type routes struct {
	mu    sync.Mutex
	known map[netip.Addr]route // guarded by mu
}

type route struct {
	from  netip.Addr
	until time.Time
}

// Bounds of what is remembered, and for how long: an interface may come or go.
const (
	maxRoutes = 4096
	routeLife = time.Minute
)

// choose picks, of the addresses that we are bound to, the one that reaches a peer, -1 when none is of its family: the one that
// the route to it leaves from, else one that takes every address, else one that is loopback exactly when the peer is.
func (r *routes) choose(bound []netip.AddrPort, to netip.Addr) int {
	to = to.Unmap()
	first, several := -1, false
	for i, a := range bound {
		switch {
		case a.Addr().Is4() != to.Is4():
		case first < 0:
			first = i
		case a != bound[first]:
			several = true
		}
	}
	if !several {
		return first
	}
	from := r.facing(to)
	best, rank := first, 0
	for i, a := range bound {
		if of := fitness(a.Addr(), from, to); of > rank {
			best, rank = i, of
		}
	}
	return best
}

// fitness ranks an address that we are bound to for reaching a peer that the route from leads to; 0 is unfit.
func fitness(bound, from, to netip.Addr) int {
	switch {
	case bound.Is4() != to.Is4():
		return 0
	case bound.WithZone("") == from.WithZone(""):
		return 4
	case bound.IsUnspecified():
		return 3
	case bound.IsLoopback() == to.IsLoopback():
		return 2
	}
	return 1
}

// seen is what a peer sees of an address that we are bound to.
func (r *routes) seen(bound netip.AddrPort, to netip.Addr) netip.AddrPort {
	if !bound.Addr().IsUnspecified() {
		return bound
	}
	return netip.AddrPortFrom(r.facing(to), bound.Port())
}

// facing is our address on the route to a peer; the peer's own when there is no route.
func (r *routes) facing(to netip.Addr) netip.Addr {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.known[to]; ok && now.Before(k.until) {
		return k.from
	}
	from := to
	if c, err := net.Dial("udp", netip.AddrPortFrom(to, 5060).String()); err == nil { // sends nothing
		from = c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
		c.Close()
	}
	if r.known == nil || len(r.known) >= maxRoutes {
		r.known = map[netip.Addr]route{}
	}
	r.known[to] = route{from, now.Add(routeLife)}
	return from
}

// Resolve finds the addresses that a host name, or an address in text, stands for, with its port, or 5060 when it names none. lookup asks the
// DNS: net.DefaultResolver's LookupNetIP. There is at least one unless there is an error.
func Resolve(ctx context.Context, address string, lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		host, service = address, "5060"
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("no port number: %s", service)
	}
	found, err := lookup(ctx, "ip", host)
	if err == nil && len(found) == 0 {
		err = errNoAddress
	}
	if err != nil {
		return nil, fmt.Errorf("the name does not resolve: %w", err)
	}
	all := make([]netip.AddrPort, len(found))
	for i, a := range found {
		all[i] = netip.AddrPortFrom(a.Unmap(), uint16(port))
	}
	return all, nil
}

var errNoAddress = errors.New("it has no address")
