package memory

import (
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"time"

	"ringfence/state/counters"
)

// DefaultWindows is how many windows are kept by default.
const DefaultWindows = 1 << 20

// Windows counts hits by key in sliding windows, for the hot path: no allocation for a known key, 64 shards with a lock
// each. It keeps at most max windows, each of some 80 bytes with its place in the index: 85 MB were measured with the default
// of 2^20. Memory grows as needed and is not freed. A full shard evicts the window that was added to longest ago. Expired
// windows are found gradually: each Add looks at one. Safe for concurrent use.
type Windows struct {
	seed   maphash.Seed
	mix    uint64 // odd and secret, so that an attacker cannot choose keys that fall into one shard
	shards [shards]slab
}

// slab is one shard: windows in one piece of memory, an index, and the order of use. Places are numbered from 1, so that
// 0 is none.
type slab struct {
	mu    sync.Mutex // owns all below
	max   int
	index map[uint64]int32
	all   []window // all[0] is the ring's head: all[0].next the newest in use, all[0].newer the oldest
	free  int32    // first of the free ones, linked by next
	hand  int32    // the one that is checked next for expiry
	_     [24]byte // keeps neighbours' locks apart
}

// NewWindows makes empty windows; max is rounded up to a multiple of 64, and ≤ 0 is DefaultWindows.
func NewWindows(max int) *Windows {
	if max <= 0 {
		max = DefaultWindows
	}
	w := &Windows{seed: maphash.MakeSeed(), mix: rand.Uint64() | 1}
	for i := range w.shards {
		s := &w.shards[i]
		s.max, s.index, s.all = (max+shards-1)/shards, map[uint64]int32{}, make([]window, 1)
	}
	return w
}

// Key makes a key of bytes. It differs from process to process. Two of a million keys share a window once in 2^25 runs.
func (w *Windows) Key(b []byte) uint64 { return maphash.Bytes(w.seed, b) }

// KeyString is Key of a string.
func (w *Windows) KeyString(s string) uint64 { return maphash.String(w.seed, s) }

// shard mixes twice: how well one multiplication spreads consecutive keys depends on the secret.
func (w *Windows) shard(key uint64) *slab {
	key *= w.mix
	key = (key ^ key>>32) * w.mix
	return &w.shards[key>>58]
}

// Add counts n (≤ 0 only asks) under key and returns how many there were within the last span, these included. A span
// under a millisecond is one.
func (w *Windows) Add(key uint64, n int64, span time.Duration, now time.Time) int64 {
	sum, _ := w.hit(key, n, span, counters.Millis(now), -1)
	return sum
}

// Sum says how many were counted under key within the last span.
func (w *Windows) Sum(key uint64, now time.Time) int64 { return w.sum(key, counters.Millis(now)) }

// hit adds n if fewer than limit were counted within the last span; a limit below 0 is none.
func (w *Windows) hit(key uint64, n int64, span time.Duration, now, limit int64) (sum int64, ok bool) {
	if n <= 0 {
		return w.sum(key, now), true
	}
	ms := max(span.Milliseconds(), 1)
	s := w.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tidy(now)
	i := s.index[key]
	if i == 0 {
		if limit == 0 {
			return 0, false
		}
		i = s.place(key)
		s.all[i].began, s.all[i].span = now, ms
	} else {
		s.unlink(i)
	}
	s.link(i)
	at := &s.all[i]
	at.roll(ms, now)
	if limit >= 0 {
		if sum = at.sum(now); sum >= limit {
			return sum, false
		}
	}
	at.add(n)
	return at.sum(now), true
}

func (w *Windows) sum(key uint64, now int64) int64 {
	s := w.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index[key]
	if i == 0 {
		return 0
	}
	at := s.all[i] // a copy: asking changes nothing
	at.roll(at.span, now)
	return at.sum(now)
}

// Forget drops what was counted under key.
func (w *Windows) Forget(key uint64) {
	s := w.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.index[key]; i != 0 {
		s.drop(i)
	}
}

// Len says how many windows are kept.
func (w *Windows) Len() int {
	n := 0
	for i := range w.shards {
		s := &w.shards[i]
		s.mu.Lock()
		n += len(s.index)
		s.mu.Unlock()
	}
	return n
}

// Sweep forgets all expired windows. Calling it is optional.
func (w *Windows) Sweep(now time.Time) { w.sweep(counters.Millis(now)) }

func (w *Windows) sweep(now int64) {
	for i := range w.shards {
		s := &w.shards[i]
		s.mu.Lock()
		for range s.all {
			s.tidy(now)
		}
		s.mu.Unlock()
	}
}

// place finds room for a new key: a free place, a new one, or that of the oldest.
func (s *slab) place(key uint64) int32 {
	if s.free == 0 && len(s.all) > s.max {
		s.drop(s.all[0].newer)
	}
	i := s.free
	if i != 0 {
		s.free = s.all[i].next
	} else {
		i = int32(len(s.all))
		s.all = append(s.all, window{})
	}
	s.all[i] = window{key: key}
	s.index[key] = i
	return i
}

// tidy checks one place and frees it if its window has expired.
func (s *slab) tidy(now int64) {
	if s.hand++; int(s.hand) >= len(s.all) {
		s.hand = 1
	}
	if len(s.all) > 1 && s.all[s.hand].span > 0 && s.all[s.hand].over(now) {
		s.drop(s.hand)
	}
}

// drop frees a place; a free one has no span.
func (s *slab) drop(i int32) {
	delete(s.index, s.all[i].key)
	s.unlink(i)
	s.all[i] = window{next: s.free}
	s.free = i
}

func (s *slab) unlink(i int32) {
	at := &s.all[i]
	s.all[at.newer].next = at.next
	s.all[at.next].newer = at.newer
}

// link makes i the newest.
func (s *slab) link(i int32) {
	head, at := &s.all[0], &s.all[i]
	at.newer, at.next = 0, head.next
	s.all[head.next].newer = i
	s.all[0].next = i
}
