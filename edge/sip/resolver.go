package sip

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"ringfence/edge/sip/locate"
)

// resolver remembers where the names of carriers lead. Safe for concurrent use; bounded.
type resolver struct {
	find   func(ctx context.Context, address, over string) (*locate.Servers, error)
	asking singleflight.Group

	mu    sync.Mutex // owns all below
	names map[place]resolved
	at    map[netip.AddrPort]string // the name that leads to an address
}

// place is a name as it is written, and the transport that it is asked for.
type place struct{ address, over string }

// resolved is what a name led to; without servers, why it did not.
type resolved struct {
	servers *locate.Servers
	err     error
	until   time.Time
}

// Bounds of what is remembered, and how long the DNS is left alone after it had no answer.
const (
	maxNames   = 4096
	faultPause = 5 * time.Second
)

func newResolver(o *Options) *resolver {
	f := &locate.Finder{Servers: o.DNS}
	return &resolver{find: f.Find, names: map[place]resolved{}, at: map[netip.AddrPort]string{}}
}

// known is what needs no look-up: a number, or a name that was looked up recently; its servers are nil if it did not resolve.
func (r *resolver) known(address, over string, now time.Time) (servers *locate.Servers, ok bool) {
	if s, ok := locate.Fixed(address, over); ok {
		return s, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok := r.names[place{address, over}]
	return f.servers, ok && now.Before(f.until)
}

// standFor says that one of the names, over a transport, led to an address.
func (r *resolver) standFor(names []string, over string, src netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	src = src.Unmap().WithZone("")
	for _, name := range names {
		f := r.names[place{name, over}]
		if f.servers != nil && slices.ContainsFunc(f.servers.All(), func(t locate.Target) bool { return t.Addr.Addr() == src }) {
			return true
		}
	}
	return false
}

// host is the name, as it was looked up, that leads to an address; "" is none.
func (r *resolver) host(at netip.AddrPort) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at[at]
}

// resolve asks the DNS, once for all who ask at the same time. What was known last remains valid while the DNS has no answer.
func (r *resolver) resolve(ctx context.Context, address, over string, now time.Time) (*locate.Servers, error) {
	if s, ok := locate.Fixed(address, over); ok {
		return s, nil
	}
	found, err, _ := r.asking.Do(over+" "+address, func() (any, error) {
		servers, err := r.find(ctx, address, over)
		return r.keep(place{address, over}, servers, err, now)
	})
	servers, _ := found.(*locate.Servers)
	return servers, err
}

// keep remembers an answer of the DNS.
func (r *resolver) keep(p place, servers *locate.Servers, err error, now time.Time) (*locate.Servers, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.names) >= maxNames || len(r.at) >= 4*maxNames {
		clear(r.names)
		clear(r.at)
	}
	old := r.names[p]
	if err != nil {
		old.until = now.Add(faultPause)
		if old.servers == nil {
			old.err = err
		}
		r.names[p] = old
		return old.servers, old.err
	}
	if old.servers != nil {
		for _, t := range old.servers.All() {
			if r.at[t.Addr] == p.address {
				delete(r.at, t.Addr)
			}
		}
	}
	for _, t := range servers.All() {
		r.at[t.Addr] = p.address
	}
	r.names[p] = resolved{servers: servers, until: now.Add(servers.Life)}
	return servers, nil
}
