package transport

import (
	"container/heap"
	"container/list"
	"net/netip"

	"ringfence/edge/internal/fair"
)

// crowd is connections of one rank, in groups: unknown sources by network, phones by line. It knows at any time which group
// has the most, so that room is made at its expense. It belongs to the connTable's lock.
type crowd[K comparable] struct {
	groups map[K]*group
	order  heaviest
	n      int // connections in all groups
}

// group is the connections of one network or one line, oldest first.
type group struct {
	conns list.List // of *conn
	free  int       // how many of them do not count: phones are registered there, or were a moment ago
	at    int       // in crowd.order
}

func (g *group) weight() int { return g.conns.Len() - g.free }

func (g *group) oldest() *conn { return g.conns.Front().Value.(*conn) }

// add enters a connection into the group of that key. free is what the group is allowed before it weighs.
func (cr *crowd[K]) add(k K, c *conn, free int) *group {
	g := cr.groups[k]
	if g == nil {
		if cr.groups == nil {
			cr.groups = map[K]*group{}
		}
		g = &group{}
		cr.groups[k] = g
		c.elem = g.conns.PushBack(c)
		g.free = free
		heap.Push(&cr.order, g)
	} else {
		c.elem = g.conns.PushBack(c)
		g.free = free
		heap.Fix(&cr.order, g.at)
	}
	cr.n++
	return g
}

func (cr *crowd[K]) remove(k K, c *conn) {
	g := cr.groups[k]
	if g == nil || c.elem == nil {
		return
	}
	g.conns.Remove(c.elem)
	c.elem = nil
	cr.n--
	if g.conns.Len() == 0 {
		heap.Remove(&cr.order, g.at)
		delete(cr.groups, k)
		return
	}
	heap.Fix(&cr.order, g.at)
}

// heaviest is a heap of groups; of two of the same weight the one with the older connection comes first.
type heaviest []*group

func (h heaviest) Len() int { return len(h) }

func (h heaviest) Less(i, j int) bool {
	if a, b := h[i].weight(), h[j].weight(); a != b {
		return a > b
	}
	return h[i].oldest().age < h[j].oldest().age
}

func (h heaviest) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push and Pop are heap.Interface's.
func (h *heaviest) Push(x any) {
	g := x.(*group)
	g.at = len(*h)
	*h = append(*h, g)
}

// Pop takes the last one off.
func (h *heaviest) Pop() any {
	old := *h
	g := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return g
}

// looks bounds the search for a group's most numerous address.
const looks = 128

// first is the connection of a group to close first: the oldest of the address that has the most, among
// the oldest few. So a phone in an attacker's network, or on a line whose password was stolen, outlasts the attacker's connections.
func (g *group) first(from map[netip.Addr]int) *conn {
	best := g.oldest()
	most := from[best.remote.Addr()]
	e := g.conns.Front()
	for range looks {
		if e = e.Next(); e == nil {
			break
		}
		if c := e.Value.(*conn); from[c.remote.Addr()] > most {
			best, most = c, from[c.remote.Addr()]
		}
	}
	return best
}

// strangersOf is the network that a connection counts under before it has logged in: /24 or /64, but the address alone
// where phones are registered, so that they do not suffer for their neighbours.
func strangersOf(a netip.Addr, known int) netip.Prefix {
	if known > 0 {
		return fair.Address(a)
	}
	return fair.Network(a)
}
