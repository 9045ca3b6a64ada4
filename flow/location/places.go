package location

import (
	"hash/maphash"
	"net/netip"
	"sync"
)

// places counts phones by where they are registered from: by address and port, by address (IPv6: by /64) and by the network
// around it (/24, /56), as hashes, some 20 bytes each. It is asked before a network is banned, and of each call that seems to
// come from a carrier, which must not take a look at every phone.
type places struct {
	seed maphash.Seed

	mu    sync.RWMutex
	count map[uint64]int32 // guarded by mu
}

// moved takes the phones of a line as they were and as they are.
func (p *places) moved(was, are []binding) {
	same := len(was) == len(are)
	for i := 0; same && i < len(was); i++ {
		same = was[i].received == are[i].received
	}
	if same { // a registration that is refreshed, nearly always
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range was {
		p.add(was[i].received, -1)
	}
	for i := range are {
		p.add(are[i].received, 1)
	}
}

func (p *places) add(at netip.AddrPort, n int32) {
	a := at.Addr()
	near, around := bitsOf(a)
	for _, k := range [3]uint64{p.exact(at), p.key(a, near), p.key(a, around)} {
		if p.count[k] += n; p.count[k] <= 0 {
			delete(p.count, k)
		}
	}
}

// bitsOf are the lengths of the networks an address is counted under.
func bitsOf(a netip.Addr) (near, around int) {
	if a.Unmap().Is4() {
		return 32, 24
	}
	return 64, 56
}

func (p *places) key(a netip.Addr, bits int) uint64 {
	net, _ := a.Unmap().WithZone("").Prefix(bits) // the zero Prefix for the zero Addr
	return maphash.Comparable(p.seed, net)
}

func (p *places) exact(at netip.AddrPort) uint64 {
	return maphash.Comparable(p.seed, netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port()))
}

// Registered says whether phones are registered from inside a network of /24 or /56, or from an address (IPv6: a /64, or
// an address in it). For other networks, ok is false: they are not counted.
func (l *Location) Registered(net netip.Prefix) (yes, ok bool) {
	near, around := bitsOf(net.Addr())
	bits := net.Bits()
	if bits > near {
		bits = near
	}
	if bits != near && bits != around {
		return false, false
	}
	l.from.mu.RLock()
	defer l.from.mu.RUnlock()
	return l.from.count[l.from.key(net.Addr(), bits)] > 0, true
}

// PhonesAt counts the phones that are registered at an address (IPv6: in its /64).
func (l *Location) PhonesAt(a netip.Addr) int {
	near, _ := bitsOf(a)
	l.from.mu.RLock()
	defer l.from.mu.RUnlock()
	return int(l.from.count[l.from.key(a, near)])
}

// IsPhone says that a phone is registered at exactly that address and port.
func (l *Location) IsPhone(at netip.AddrPort) bool {
	l.from.mu.RLock()
	defer l.from.mu.RUnlock()
	return l.from.count[l.from.exact(at)] > 0
}
