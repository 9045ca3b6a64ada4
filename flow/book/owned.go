package book

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"ringfence/core/account"
)

// Owned knows which addresses are customers' and carriers' own: those that IP locks list, and those of trunks. They must
// not be banned for what others do. A change takes effect at the next question.
type Owned struct {
	b        *Book
	stale    atomic.Bool
	building sync.Mutex
	index    atomic.Pointer[ownedIndex]
}

// ownedIndex finds the owner of a network by its exact prefix; lens says which prefix lengths there are. Never changed
// once it is published.
type ownedIndex struct {
	whose map[netip.Prefix]string
	v4    [33]bool
	v6    [129]bool
}

// Networks of an IP lock wider than these say "anywhere" rather than whose an address is.
const (
	widestOwned4 = 16
	widestOwned6 = 32
)

// NewOwned follows a book. Call it before the book is shared.
func NewOwned(b *Book) *Owned {
	o := &Owned{b: b}
	o.stale.Store(true)
	b.OnChange(func(c Change) {
		switch c.Kind {
		case NetsChanged, LineAdded, LineDeleted, CustomerDeleted, TrunkChanged, ProviderChanged:
			o.stale.Store(true)
		}
	})
	return o
}

// Whose says in words whose an address is: "on the IP lock of line 1001"; "" is unknown.
func (o *Owned) Whose(a netip.Addr) string {
	x, a := o.current(), a.Unmap().WithZone("")
	lens := x.v6[:]
	if a.Is4() {
		lens = x.v4[:]
	}
	for bits := len(lens) - 1; bits >= 0; bits-- {
		if !lens[bits] {
			continue
		}
		if p, err := a.Prefix(bits); err == nil {
			if why := x.whose[p]; why != "" {
				return why
			}
		}
	}
	return ""
}

// Inside finds an owned address or network that overlaps a network, and whose it is. It looks at all there are.
func (o *Owned) Inside(p netip.Prefix) (at netip.Addr, reason string, ok bool) {
	for own, whose := range o.current().whose {
		if own.Overlaps(p) && (!ok || own.Addr().Less(at)) {
			at, reason, ok = own.Addr(), whose, true
		}
	}
	return at, reason, ok
}

// current is the index, which is built again when the book has changed. A question during that is answered from the previous one.
func (o *Owned) current() *ownedIndex {
	x := o.index.Load()
	if x != nil && (!o.stale.Load() || !o.building.TryLock()) {
		return x
	}
	if x == nil {
		o.building.Lock()
	}
	defer o.building.Unlock()
	if o.stale.Swap(false) || o.index.Load() == nil {
		o.index.Store(o.b.ownedNow())
	}
	return o.index.Load()
}

func (b *Book) ownedNow() *ownedIndex {
	x := &ownedIndex{whose: map[netip.Prefix]string{}}
	x.add(b.provider.Load().settings.Nets, "on the provider's IP lock")
	for id, c := range b.customers.All() {
		x.add(c.entry.Load().Settings.Nets, "on the IP lock of customer "+account.Handle(id))
	}
	for handle, l := range b.lines.All() {
		if l.settings != nil && len(l.settings.Nets) > 0 {
			x.add(l.settings.Nets, "on the IP lock of line "+handle)
		}
	}
	for _, t := range b.trunks.Load().all {
		x.add(t.Sources, "an address of trunk "+account.Handle(t.Name))
		for _, text := range t.Addresses {
			if at, err := netip.ParseAddrPort(text); err == nil {
				a := at.Addr().Unmap()
				x.add([]netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, "an address of trunk "+account.Handle(t.Name))
			}
		}
	}
	return x
}

func (x *ownedIndex) add(nets []netip.Prefix, reason string) {
	for _, p := range nets {
		switch {
		case p.Addr().Is4() && p.Bits() >= widestOwned4:
			x.v4[p.Bits()] = true
		case p.Addr().Is6() && p.Bits() >= widestOwned6:
			x.v6[p.Bits()] = true
		default:
			continue
		}
		x.whose[p] = reason
	}
}
