package door

import (
	"net/netip"
	"slices"

	"ringfence/core/account"
)

// TrunkOf names the trunk whose packets come from an address.
func (d *Door) TrunkOf(src netip.AddrPort) (name string, ok bool) {
	t, ok := d.o.Book.TrunkOf(src.Addr())
	if !ok {
		return "", false
	}
	return t.Name, true
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

// TrunkMay says whether a packet inside a call over a trunk may come from an address: one of those that the trunk lists, where its
// calls come from and where they go. Names among them are the edge's business: it asks for them.
func (d *Door) TrunkMay(name string, src netip.Addr) bool {
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
