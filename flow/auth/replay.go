package auth

import (
	"sync"
	"time"
)

// replayShards spreads the locks; a power of two.
const replayShards = 64

// replays remembers which counts of a nonce were used, so that an answer seen on the wire is good for nothing. Only
// right answers get in, so only owners of lines can fill it. Its memory is bounded: each shard has two generations of at
// most max nonces. A generation is dropped when all its nonces have ended; when a full one must go earlier, nonces made
// until then count as used (floor): their phones ask once more, and no answer ever passes twice.
type replays struct {
	shards [replayShards]replayShard
	max    int   // nonces a generation of a shard
	ttl    int64 // seconds
}

type replayShard struct {
	mu            sync.Mutex // owns all below
	current, last map[uint64]window
	turned        int64  // when current began, Unix seconds
	floor         uint32 // nonces made until then count as used
}

// window is the highest count seen and, as bits, which of the 32 from there down.
type window struct{ top, seen uint32 }

func (r *replays) init(nonces int, ttl time.Duration) {
	r.max = max(nonces/replayShards, 256)
	r.ttl = int64(ttl/time.Second) + skew + 1
}

// take uses up one count of a nonce; false when it was used before, or may have been.
func (r *replays) take(n nonce, count uint32, at int64) bool {
	s := &r.shards[n.id%replayShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(r, at)
	if n.made <= s.floor {
		return false
	}
	w, ok := s.current[n.id]
	if !ok {
		w = s.last[n.id]
	}
	if !w.take(count) {
		return false
	}
	s.current[n.id] = w
	return true
}

// unused says whether take would succeed, and uses nothing up.
func (r *replays) unused(n nonce, count uint32, at int64) bool {
	s := &r.shards[n.id%replayShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(r, at)
	w, ok := s.current[n.id]
	if !ok {
		w = s.last[n.id]
	}
	return n.made > s.floor && w.take(count)
}

// turn begins a new generation when the current one is so old that all of the last have ended, or is full.
func (s *replayShard) turn(r *replays, at int64) {
	old, full := at-s.turned >= r.ttl, len(s.current) >= r.max
	if s.current != nil && !old && !full {
		return
	}
	if !old && len(s.last) > 0 {
		// Nonces of last were taken before current began, so they were made by then.
		s.floor = uint32(s.turned + skew)
	}
	s.last, s.current, s.turned = s.current, make(map[uint64]window), at
}

// take marks a count; false when it is marked, or below what the window remembers.
func (w *window) take(count uint32) bool {
	if count > w.top {
		by := count - w.top
		w.seen = w.seen<<by | 1 // a shift of 32 or more leaves none
		w.top = count
		return true
	}
	back := w.top - count
	if back >= 32 || w.seen&(1<<back) != 0 {
		return false
	}
	w.seen |= 1 << back
	return true
}

func (r *replays) len() (n int) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		n += len(s.current) + len(s.last)
		s.mu.Unlock()
	}
	return n
}
