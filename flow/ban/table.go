package ban

import (
	"container/heap"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// class orders who made a ban: what a person said outranks the rest.
type class int

const (
	manual class = iota
	auto
	feed
	classes
)

func classOf(actor string) class {
	switch {
	case actor == ByAuto:
		return auto
	case strings.HasPrefix(actor, byFeed):
		return feed
	}
	return manual
}

// held is a banned network with all who want it so. It stays banned as long as one of them does.
type held struct {
	claims []Entry // one for each By
	top    Entry   // the one that ends last: the one that is shown and stored
	class  class   // the highest of the claims
	index  int     // in the queue of its class
}

// claim is what one By says, or nil.
func (h *held) claim(actor string) *Entry {
	i := slices.IndexFunc(h.claims, func(e Entry) bool { return e.By == actor })
	if i < 0 {
		return nil
	}
	return &h.claims[i]
}

// shared is the claim that is shared with other nodes: the last to end of those that no feed made.
func (h *held) shared() *Entry {
	var best *Entry
	for i := range h.claims {
		if c := &h.claims[i]; classOf(c.By) != feed && (best == nil || c.Until.After(best.Until)) {
			best = c
		}
	}
	return best
}

// table is the bans by network, with a queue of each class by their ends. The list's lock owns it.
type table struct {
	entries map[netip.Prefix]*held
	queues  [classes]queue
	v4      [33]int // entries by length of prefix: a look-up probes once for each that is in use
	v6      [129]int
}

// put takes a claim in place of what the same By said before.
func (t *table) put(c Entry) *held {
	h := t.entries[c.Net]
	if h == nil {
		h = &held{claims: []Entry{c}, top: c, class: classOf(c.By)}
		t.entries[c.Net] = h
		heap.Push(&t.queues[h.class], h)
		*t.length(c.Net)++
		return h
	}
	if old := h.claim(c.By); old != nil {
		*old = c
	} else {
		if len(h.claims) >= maxClaims {
			first := slices.MinFunc(h.claims, func(a, b Entry) int { return a.Until.Compare(b.Until) })
			h.claims = slices.DeleteFunc(h.claims, func(e Entry) bool { return e.By == first.By })
		}
		h.claims = append(h.claims, c)
	}
	t.settle(h)
	return h
}

// drop takes away the claims of which gone is true; nil if nothing is left of the entry.
func (t *table) drop(h *held, gone func(Entry) bool) *held {
	h.claims = slices.DeleteFunc(h.claims, gone)
	if len(h.claims) == 0 {
		t.remove(h)
		return nil
	}
	t.settle(h)
	return h
}

func (t *table) remove(h *held) {
	heap.Remove(&t.queues[h.class], h.index)
	delete(t.entries, h.top.Net)
	*t.length(h.top.Net)--
}

// settle works out which claim stands, after a change of the claims.
func (t *table) settle(h *held) {
	was := h.class
	h.top, h.class = h.claims[0], classOf(h.claims[0].By)
	for _, c := range h.claims[1:] {
		k := classOf(c.By)
		if d := c.Until.Compare(h.top.Until); d > 0 || d == 0 && k < classOf(h.top.By) {
			h.top = c
		}
		h.class = min(h.class, k)
	}
	if h.class == was {
		heap.Fix(&t.queues[was], h.index)
		return
	}
	heap.Remove(&t.queues[was], h.index)
	heap.Push(&t.queues[h.class], h)
}

func (t *table) length(p netip.Prefix) *int {
	if p.Addr().Is4() {
		return &t.v4[p.Bits()]
	}
	return &t.v6[p.Bits()]
}

// holding are the entries in force that an address is in, the longest prefix first.
func (t *table) holding(a netip.Addr, now time.Time) []*held {
	lens := t.v6[:]
	if a.Is4() {
		lens = t.v4[:]
	}
	var found []*held
	for n := len(lens) - 1; n >= 0; n-- {
		if lens[n] == 0 {
			continue
		}
		p, err := a.Prefix(n)
		if h := t.entries[p]; err == nil && h != nil && h.top.Until.After(now) {
			found = append(found, h)
		}
	}
	return found
}

// queue is a heap of entries, the first to end on top.
type queue []*held

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].top.Until.Before(q[j].top.Until) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is for package heap.
func (q *queue) Push(x any) {
	h := x.(*held)
	h.index = len(*q)
	*q = append(*q, h)
}

// Pop is for package heap.
func (q *queue) Pop() any {
	n := len(*q) - 1
	h := (*q)[n]
	(*q)[n] = nil
	*q = (*q)[:n]
	return h
}
