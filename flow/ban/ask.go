package ban

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Answer says how it stands with an address.
type Answer struct {
	Banned bool
	Held   []Entry      // every ban that holds it, the narrowest first
	Exempt string       // why it would not be banned for what others do; "" if it would be
	Never  netip.Prefix // the entry of the operator's own list it is in; invalid if none
}

// Why says which bans hold an address, and whether it would be exempt.
func (l *List) Why(addr netip.Addr) Answer {
	addr = addr.Unmap().WithZone("")
	a := Answer{}
	if !addr.IsValid() {
		return a
	}
	single := netip.PrefixFrom(addr, addr.BitLen())
	a.Never = l.neverHas(single)
	if s := l.exempt(single); s != nil {
		a.Exempt = s.Why
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.table.holding(addr, time.Now()) {
		a.Held = append(a.Held, h.top)
	}
	a.Banned = len(a.Held) > 0
	return a
}

// Filter selects bans; zero fields do not restrict.
type Filter struct {
	By     string       // "auto", "manual", "feed", "feed:NAME" or who
	Within netip.Prefix // bans of networks that have anything to do with this one
	After  netip.Prefix // the last one of the page before
}

// List gives bans in force in the order of their addresses, at most limit (0 is 1000), and how many the filter selects
// in all, After apart.
func (l *List) List(f Filter, limit int) ([]Entry, int) {
	limit = cmp.Or(max(limit, 0), 1000)
	all := l.inForce(f)
	total := len(all)
	if f.After.IsValid() {
		i, found := slices.BinarySearchFunc(all, f.After, func(e Entry, p netip.Prefix) int { return compare(e.Net, p) })
		if found {
			i++
		}
		all = all[i:]
	}
	return all[:min(limit, len(all))], total
}

func (l *List) inForce(f Filter) []Entry {
	now := time.Now()
	l.mu.Lock()
	list := make([]Entry, 0, len(l.table.entries))
	for p, h := range l.table.entries {
		if !h.top.Until.After(now) || f.Within.IsValid() && !f.Within.Overlaps(p) {
			continue
		}
		if f.By == "" || slices.ContainsFunc(h.claims, func(c Entry) bool { return by(c, f.By) }) {
			list = append(list, h.top)
		}
	}
	l.mu.Unlock()
	slices.SortFunc(list, func(a, b Entry) int { return compare(a.Net, b.Net) })
	return list
}

func by(c Entry, want string) bool {
	switch want {
	case "manual":
		return classOf(c.By) == manual
	case "feed":
		return classOf(c.By) == feed
	}
	return c.By == want
}

func compare(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
