package guard

import (
	"hash/maphash"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
)

// tableShards spreads the locks, and ways is how many entries compete for one place; powers of two.
const (
	tableShards = 64
	ways        = 8
)

// key of an entry: a source (the 16 bytes of an address, or an AS number), the hash of a user name, or both.
type key struct{ hi, lo, user uint64 }

// table is a fixed number of entries by key, so that no attack grows it: a new one replaces, of
// the ways entries that compete for a place, the one whose worth ends first. The hash is seeded, so that an attacker cannot
// aim at the place of another. A shard costs nothing until its first entry.
type table[E any] struct {
	seed   maphash.Seed
	sets   uint64 // of a shard
	shards [tableShards]tableShard[E]
	lost   atomic.Uint64 // entries that were replaced before their worth had ended
}

type tableShard[E any] struct {
	mu    sync.Mutex // owns all below, and every entry's content
	slots []slot[E]
	dirty bool // an entry has news for other nodes
}

// slot is a place of a table. keep is until when its entry is worth keeping, 0 where there is none.
type slot[E any] struct {
	key  key
	keep int64
	e    E
}

// newTable makes a table of at least tableShards*ways entries.
func newTable[E any](entries int) *table[E] {
	return &table[E]{seed: maphash.MakeSeed(), sets: uint64(max(1, entries/tableShards/ways))}
}

// held is the place of one key while its shard is locked.
type held[E any] struct {
	t     *table[E]
	shard *tableShard[E]
	first uint64 // of the set
	key   key
}

// lock takes the shard of a key. The caller unlocks it soon and calls nothing outside meanwhile.
func (t *table[E]) lock(k key) held[E] {
	h := maphash.Comparable(t.seed, k)
	s := &t.shards[h%tableShards]
	s.mu.Lock()
	return held[E]{t, s, h / tableShards % t.sets * ways, k}
}

func (h held[E]) unlock() { h.shard.mu.Unlock() }

// find is the entry, or nil.
func (h held[E]) find() *slot[E] {
	if h.shard.slots == nil {
		return nil
	}
	for i := h.first; i < h.first+ways; i++ {
		if s := &h.shard.slots[i]; s.key == h.key && s.keep != 0 {
			return s
		}
	}
	return nil
}

// make is the entry, made empty if it is not there. The caller sets keep.
func (h held[E]) make(at int64) *slot[E] {
	if s := h.find(); s != nil {
		return s
	}
	if h.shard.slots == nil {
		h.shard.slots = make([]slot[E], h.t.sets*ways)
	}
	oldest := &h.shard.slots[h.first]
	for i := h.first + 1; i < h.first+ways; i++ {
		if s := &h.shard.slots[i]; s.keep < oldest.keep {
			oldest = s
		}
	}
	if oldest.keep > at {
		h.t.lost.Add(1)
	}
	*oldest = slot[E]{key: h.key, keep: at}
	return oldest
}

// each calls f for every entry, one shard locked at a time. f must not call the table.
func (t *table[E]) each(f func(*slot[E])) {
	for i := range t.shards {
		t.shards[i].each(f)
	}
}

func (s *tableShard[E]) each(f func(*slot[E])) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.slots {
		if s.slots[i].keep != 0 {
			f(&s.slots[i])
		}
	}
}

// copies calls f for a copy of every entry that is worth its place after at. No lock is held meanwhile.
func (t *table[E]) copies(at int64, f func(*slot[E])) {
	var some []slot[E]
	for i := range t.shards {
		some = t.shards[i].copies(some[:0], at)
		for j := range some {
			f(&some[j])
		}
	}
}

func (s *tableShard[E]) copies(to []slot[E], at int64) []slot[E] {
	s.each(func(s *slot[E]) {
		if s.keep > at {
			to = append(to, *s)
		}
	})
	return to
}

// eachDirty calls f for the entries of the shards with news. Those where f says that there is more are looked at again
// the next time.
func (t *table[E]) eachDirty(f func(*slot[E]) (more bool)) {
	for i := range t.shards {
		t.shards[i].news(f)
	}
}

func (s *tableShard[E]) news(f func(*slot[E]) (more bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirty {
		return
	}
	s.dirty = false
	for i := range s.slots {
		if s.slots[i].keep != 0 && f(&s.slots[i]) {
			s.dirty = true
		}
	}
}

// parts of a tally's span.
const parts = 4

// tally counts what happened within a span: in the running quarter of it and the four before, so that it says never less
// than an exact window would, and looks back at most a quarter too far.
type tally struct {
	n    [parts + 1]uint16
	slot int64 // number of the running quarter
}

// add counts n more (0 only asks) and returns how many there were within the span, these included. at and span are seconds.
func (c *tally) add(n int, at, span int64) int {
	c.turn(at / max(1, span/parts))
	i := c.slot % (parts + 1)
	c.n[i] = uint16(min(int(c.n[i])+n, math.MaxUint16))
	sum := 0
	for _, n := range c.n {
		sum += int(n)
	}
	return sum
}

// turn begins a new quarter; a time that lies behind, from a goroutine overtaken, counts as the running one.
func (c *tally) turn(slot int64) {
	for ; c.slot < slot; c.slot++ {
		if slot-c.slot > parts+1 {
			c.n, c.slot = [parts + 1]uint16{}, slot
			return
		}
		c.n[(c.slot+1)%(parts+1)] = 0
	}
}

// sketch counts different things within a span by linear counting: each sets one of 64 bits, by hash. Good to about one
// in ten up to a hundred, and never more than there were at all; it never says more than 267.
type sketch struct {
	now, before           uint64
	slot                  uint32
	addedNow, addedBefore uint16
}

// add takes a hash; at and span are seconds.
func (s *sketch) add(hash uint64, at, span int64) {
	s.turn(at, span)
	s.now |= 1 << (hash >> 58)
	if s.addedNow < math.MaxUint16 {
		s.addedNow++
	}
}

func (s *sketch) turn(at, span int64) {
	switch slot := uint32(at / max(1, span)); {
	case slot == s.slot+1:
		s.before, s.now, s.slot = s.now, 0, slot
		s.addedBefore, s.addedNow = s.addedNow, 0
	case slot > s.slot:
		*s = sketch{slot: slot}
	}
}

// count estimates how many different ones there were within the last one to two spans.
func (s *sketch) count(at, span int64) int {
	s.turn(at, span)
	return min(distinct[bits.OnesCount64(s.now|s.before)], int(s.addedNow)+int(s.addedBefore))
}

// distinct is how many different values set n of 64 bits, on average: -64·ln(1-n/64).
var distinct = func() (d [65]int) {
	for n := range 64 {
		d[n] = int(math.Round(-64 * math.Log1p(-float64(n)/64)))
	}
	d[64] = 267
	return d
}()
