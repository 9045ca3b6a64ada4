package door

import (
	"net/netip"
	"slices"

	"ringfence/core/account"
)

// Peer is who is known at an address.
type Peer struct {
	Trunk  string // whose calls come from there; "" is none
	Phones int    // registered at that address, whatever the port (IPv6: in its /64)
	Phone  bool   // one of them is at exactly that port
}

// Peer looks who is at an address.
func (d *Door) Peer(src netip.AddrPort) (p Peer) {
	if t, ok := d.o.Book.TrunkOf(src.Addr()); ok {
		p.Trunk = t.Name
	}
	if p.Phones = d.o.Phones.PhonesAt(src.Addr()); p.Phones > 0 {
		p.Phone = d.o.Phones.IsPhone(src)
	}
	return p
}

// TrunkAt names a trunk whose calls go out to an address, which host (with its port) was found to have.
func (d *Door) TrunkAt(src netip.AddrPort, host string) (name string, ok bool) {
	trunks := d.o.Book.AllTrunks()
	for i := range trunks {
		for _, text := range trunks[i].Addresses {
			if at, err := netip.ParseAddrPort(text); err == nil && at == src || text == host && host != "" {
				return trunks[i].Name, true
			}
		}
	}
	return "", false
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

// Trunk finds a trunk by its identity.
func (d *Door) Trunk(name string) (account.Trunk, bool) {
	t, ok := d.o.Book.Trunk(name)
	if !ok {
		return account.Trunk{}, false
	}
	return *t, true
}

// TrunkPassword is that of our login at a trunk; false: we have none there.
func (d *Door) TrunkPassword(name string) (string, bool) {
	p, ok := d.o.Book.TrunkPassword(name)
	return p.Reveal(), ok
}
