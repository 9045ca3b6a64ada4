// Package locate finds the servers of a SIP domain (RFC 3263): NAPTR for the transport, SRV for hosts with priority and weight, then their
// addresses. It asks the DNS itself, because the system's resolver tells neither NAPTR nor how long an answer is good. It must not know trunks:
// it takes an address as people write it. What the DNS answers is believed of where to send and never of whom to find there: a certificate is
// checked against the domain that was asked for (RFC 5922).
package locate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ringfence/edge/sip/transport"
)

// Auto is the transport of a domain that says itself which it wants.
const Auto = "auto"

// Bounds of what is taken from the DNS for one name.
const (
	maxServices = 8  // transports that NAPTR records offer
	maxHosts    = 16 // SRV records of one service
	maxPerHost  = 8  // addresses of one host
	maxTargets  = 64 // of a whole name
)

// How long an answer is good: as it says itself, within bounds. What is not there may come, and is asked for again sooner.
const (
	minLife    = time.Second
	maxLife    = time.Hour
	absentLife = time.Minute
)

// Target is one address to send to.
type Target struct {
	Addr  netip.AddrPort
	Proto transport.Proto
}

// Servers are the targets of a name, with what the DNS says of their order. Immutable.
type Servers struct {
	Life  time.Duration // how long the answer is good, 1 s to 1 hour
	hosts []host        // by rank, then priority
}

// host is one server: an SRV record with its addresses.
type host struct {
	rank             int // of its transport among those that the domain offers
	priority, weight uint16
	proto            transport.Proto
	at               []netip.Addr
	port             uint16
}

// Order is one order to try the targets in: transports as the domain prefers them, then by priority, and at random by weight within one
// (RFC 2782). random(n) is in 0..n-1.
func (s *Servers) Order(random func(n int) int) []Target {
	var out []Target
	for rest := s.hosts; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].rank == rest[0].rank && rest[n].priority == rest[0].priority {
			n++
		}
		for _, h := range weighed(rest[:n], random) {
			for _, a := range h.at {
				out = append(out, Target{netip.AddrPortFrom(a, h.port), h.proto})
			}
		}
		rest = rest[n:]
	}
	return out
}

// All are the targets in a fixed order.
func (s *Servers) All() []Target { return s.Order(func(int) int { return 0 }) }

// weighed orders hosts of one priority: each next one is drawn with a chance in proportion to its weight.
func weighed(hosts []host, random func(n int) int) []host {
	if len(hosts) < 2 {
		return hosts
	}
	left := slices.Clone(hosts)
	slices.SortStableFunc(left, func(a, b host) int { return cmp.Compare(min(a.weight, 1), min(b.weight, 1)) }) // those of weight 0 first
	out := make([]host, 0, len(left))
	for len(left) > 0 {
		sum := 0
		for _, h := range left {
			sum += int(h.weight)
		}
		drawn, i := random(sum+1), 0
		for run := int(left[0].weight); run < drawn && i < len(left)-1; {
			i++
			run += int(left[i].weight)
		}
		out = append(out, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return out
}

// At are targets in their order, all to be tried, the first first.
func At(life time.Duration, all ...Target) *Servers {
	s := &Servers{Life: life}
	for i, t := range all {
		s.hosts = append(s.hosts, host{priority: uint16(i), proto: t.Proto, at: []netip.Addr{t.Addr.Addr()}, port: t.Addr.Port()})
	}
	return s
}

// Finder asks the DNS. The zero value asks the system's servers. Safe for concurrent use.
type Finder struct {
	Servers []netip.AddrPort // of the DNS; none: those in /etc/resolv.conf, and the system's resolver for names that they do not know
}

// service is one way in that a domain offers.
type service struct {
	proto transport.Proto
	name  string // of its SRV records
}

// Fixed says whether an address needs no DNS: it is a number.
func Fixed(address, over string) (*Servers, bool) {
	name, port, err := split(address)
	if err != nil {
		return nil, false
	}
	a, err := netip.ParseAddr(name)
	if err != nil {
		return nil, false
	}
	proto := protoOf(over)
	return &Servers{Life: maxLife, hosts: []host{{proto: proto, at: []netip.Addr{a.Unmap()}, port: cmp.Or(port, portOf(proto))}}}, true
}

// Find asks for the servers of host[:port] over "udp", "tcp", "tls", or Auto. There is at least one unless there is an error.
func (f *Finder) Find(ctx context.Context, address, over string) (*Servers, error) {
	if s, ok := Fixed(address, over); ok {
		return s, nil
	}
	name, port, err := split(address)
	if err != nil {
		return nil, err
	}
	if port != 0 { // 4.2: a name with a port wants no SRV
		return f.plain(ctx, name, protoOf(over), port)
	}
	services, named, life := f.services(ctx, name, over)
	s := &Servers{Life: life}
	absent, err := f.serve(ctx, s, services)
	switch {
	case len(s.hosts) > 0:
		return s.bounded(), nil
	case errors.Is(err, errDeclined):
		return nil, fmt.Errorf("the domain says that it has no SIP service: %w", err)
	case !absent: // its hosts have no address
		return nil, fmt.Errorf("the name does not resolve: %w", errNone)
	}
	proto := transport.UDP
	if named { // what was asked for is not given up for less
		proto = services[0].proto
	}
	if s, err = f.plain(ctx, name, proto, portOf(proto)); err == nil {
		s.Life = min(s.Life, absentLife)
	}
	return s, err
}

// services are the ways in to a domain in its order: the one that is asked for, or those that NAPTR records name, or (named is false) all.
func (f *Finder) services(ctx context.Context, name, over string) (all []service, named bool, life time.Duration) {
	if over != Auto {
		proto := protoOf(over)
		return []service{{proto, prefixOf(proto) + name}}, true, maxLife
	}
	records, life, _ := f.naptr(ctx, name) // without an answer to this, the others may still come
	for _, r := range records {
		if s, ok := r.service(); ok && len(all) < maxServices && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	if len(all) > 0 {
		return all, true, life
	}
	for _, proto := range []transport.Proto{transport.UDP, transport.TCP, transport.TLS} {
		all = append(all, service{proto, prefixOf(proto) + name})
	}
	return all, false, absentLife
}

// errDeclined says that an SRV record with the target "." was found (RFC 2782).
var errDeclined = errors.New("an SRV record declines it")

// serve finds the hosts of services. absent says that none has an SRV record.
func (f *Finder) serve(ctx context.Context, s *Servers, services []service) (absent bool, err error) {
	type found struct {
		hosts []host
		life  time.Duration
		err   error
	}
	all := make([]found, len(services))
	var each sync.WaitGroup
	for i := range services {
		each.Go(func() { all[i].hosts, all[i].life, all[i].err = f.hosts(ctx, services[i]) })
	}
	each.Wait()
	absent = true
	for i := range all {
		x := &all[i]
		if x.err != nil {
			if err == nil || errors.Is(x.err, errDeclined) {
				err = x.err
			}
			continue
		}
		absent = false
		s.Life = min(s.Life, x.life)
		for _, h := range x.hosts {
			h.rank = i
			s.hosts = append(s.hosts, h)
		}
	}
	return absent, err
}

// hosts are those of one service that have an address. An error says that there are no SRV records.
func (f *Finder) hosts(ctx context.Context, of service) ([]host, time.Duration, error) {
	records, life, err := f.srv(ctx, of.name)
	if err != nil {
		return nil, 0, err
	}
	if len(records) == 1 && records[0].target == "." {
		return nil, 0, errDeclined
	}
	slices.SortStableFunc(records, func(a, b srv) int { return cmp.Compare(a.priority, b.priority) })
	records = records[:min(len(records), maxHosts)]
	all := make([]host, len(records))
	lives := make([]time.Duration, len(records))
	var each sync.WaitGroup
	for i, r := range records {
		all[i] = host{priority: r.priority, weight: r.weight, proto: of.proto, port: r.port}
		each.Go(func() { all[i].at, lives[i], _ = f.addresses(ctx, r.target) }) // one without an address is left out
	}
	each.Wait()
	for i := range all {
		if all[i].at == nil {
			lives[i] = absentLife
		}
		life = min(life, lives[i])
	}
	return slices.DeleteFunc(all, func(h host) bool { return len(h.at) == 0 || h.port == 0 }), life, nil
}

// plain is a name without SRV records.
func (f *Finder) plain(ctx context.Context, name string, proto transport.Proto, port uint16) (*Servers, error) {
	at, life, err := f.addresses(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("the name does not resolve: %w", err)
	}
	return (&Servers{Life: life, hosts: []host{{proto: proto, at: at, port: port}}}).bounded(), nil
}

// bounded holds an answer within the bounds.
func (s *Servers) bounded() *Servers {
	s.Life = min(max(s.Life, minLife), maxLife)
	n := 0
	for i := range s.hosts {
		h := &s.hosts[i]
		h.at = h.at[:min(len(h.at), maxTargets-n)]
		n += len(h.at)
	}
	s.hosts = slices.DeleteFunc(s.hosts, func(h host) bool { return len(h.at) == 0 })
	return s
}

// split is host[:port] in its parts; port 0 is none.
func split(address string) (name string, port uint16, err error) {
	name, text, err := net.SplitHostPort(address)
	if err != nil {
		return strings.TrimSuffix(strings.Trim(address, "[]"), "."), 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("no port number: %s", text)
	}
	return strings.TrimSuffix(name, "."), uint16(n), nil
}

// protoOf is the transport of a name whose DNS is not asked for one (RFC 3263 4.1).
func protoOf(over string) transport.Proto { return transport.ProtoOf(over) }

// portOf is the port where none is given (RFC 3261 19.1.2).
func portOf(p transport.Proto) uint16 {
	if p.Secure() {
		return 5061
	}
	return 5060
}

// prefixOf begins the names of SRV records of a transport (RFC 3263 4.2).
func prefixOf(p transport.Proto) string {
	switch p {
	case transport.TCP:
		return "_sip._tcp."
	case transport.TLS:
		return "_sips._tcp."
	}
	return "_sip._udp."
}
