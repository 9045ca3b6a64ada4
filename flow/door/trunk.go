package door

import (
	"net/netip"
	"slices"
)

// Peer is who is known at an address.
type Peer struct {
	Trunk  string // whose calls come from there; "" is none
	Out    string // the trunk whose calls go exactly there; "" is none
	Phones int    // registered at that address, whatever the port (IPv6: in its /64)
	Phone  bool   // one of them is at exactly that port
}

// Peer looks who is at an address, which host (with its port; "" is none) was found to have.
func (d *Door) Peer(src netip.AddrPort, host string) (p Peer) {
	p.Out = d.o.Book.TrunkAt(src, host)
	if t, ok := d.o.Book.TrunkOf(src.Addr()); ok {
		p.Trunk = t.Name
	}
	if p.Phones = d.o.Phones.PhonesAt(src.Addr()); p.Phones > 0 {
		p.Phone = d.o.Phones.IsPhone(src)
	}
	return p
}

// trunkMay says whether a packet inside a call over a trunk may come from an address: one of those that the trunk lists, where its
// calls come from and where they go. Names among them are the edge's business: it asks for them.
func (d *Door) trunkMay(name string, src netip.Addr) bool {
	t, ok := d.o.Book.Trunk(name)
	if !ok {
		return false
	}
	src = src.Unmap().WithZone("")
	if slices.ContainsFunc(t.Sources, func(p netip.Prefix) bool { return p.Contains(src) }) {
		return true
	}
	return slices.ContainsFunc(t.Addresses, func(text string) bool {
		if at, err := netip.ParseAddrPort(text); err == nil {
			return at.Addr().Unmap() == src
		}
		at, err := netip.ParseAddr(text)
		return err == nil && at.Unmap() == src
	})
}
