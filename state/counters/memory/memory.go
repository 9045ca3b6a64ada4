// Package memory holds short-lived counts and marks in this process: how many are open, how many in a window, what holds
// until when. Each check and its write are one step under one lock. It must not know what is counted or why.
package memory

import (
	"sync"
	"sync/atomic"
	"time"
)

const shards = 64

// Counters counts by key: what is open, and hits in a window. Make it with New. Safe for concurrent use.
// Memory: one entry for each key with something open, and Windows with their bound.
type Counters struct {
	windows *Windows
	base    atomic.Pointer[time.Time] // of the windows' time: the first hit, with its monotonic reading, so that a clock that is set forward clears no count
	shards  [shards]shard
}

type shard struct {
	mu   sync.Mutex // owns open
	open map[Key]int64
}

// Key is what is counted: for whom or what, which kind, and within which window.
type Key struct {
	Of     string
	Sort   byte          // the caller's to choose
	Window time.Duration // of hits; 0 for what is open
}

// New makes empty counters with at most DefaultWindows windows.
func New() *Counters { return NewBounded(0) }

// NewBounded makes empty counters with at most this many windows; see NewWindows.
func NewBounded(windows int) *Counters {
	c := &Counters{windows: NewWindows(windows)}
	for i := range c.shards {
		c.shards[i].open = map[Key]int64{}
	}
	return c
}

func (c *Counters) hash(k Key) uint64 {
	return (c.windows.KeyString(k.Of) ^ uint64(k.Window)<<8 ^ uint64(k.Sort)) * c.windows.mix
}

func (c *Counters) shard(k Key) *shard { return &c.shards[c.hash(k)>>58] }

func (c *Counters) millis(now time.Time) int64 {
	base := c.base.Load()
	if base == nil {
		return 0 // nothing was counted
	}
	return now.Sub(*base).Milliseconds()
}

// Take adds one to what is open under key if that leaves no more than limit, and returns how many are open after it.
func (c *Counters) Take(key Key, limit int64) (open int64, ok bool) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.open[key]
	if n >= limit {
		return n, false
	}
	s.open[key] = n + 1
	return n + 1, true
}

// Put adds one regardless of the limit, for what was open before a restart and for emergency calls.
func (c *Counters) Put(key Key) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[key]++
}

// Give takes one back. Giving what was never taken changes nothing.
func (c *Counters) Give(key Key) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key] <= 1 {
		delete(s.open, key)
		return
	}
	s.open[key]--
}

// Open says how many are open under key.
func (c *Counters) Open(key Key) int64 {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[key]
}

// Hit counts one under key if fewer than limit were counted within its window, and returns how many there are with
// it. The count is a sliding window of two halves: never more than limit in any aligned span, and at most the weighted
// share of the span before.
func (c *Counters) Hit(key Key, limit int64, now time.Time) (n int64, ok bool) {
	if c.base.Load() == nil {
		first := now.Add(-time.Duration(now.Nanosecond()) % time.Millisecond) // so that it does not matter which hit is the first
		c.base.CompareAndSwap(nil, &first)
	}
	return c.windows.hit(c.hash(key), 1, key.Window, c.millis(now), max(limit, 0))
}

// Hits says how many were counted under key within its window before now, which may be any instant: asking changes nothing.
func (c *Counters) Hits(key Key, now time.Time) int64 {
	return c.windows.sum(c.hash(key), c.millis(now))
}

// Sweep forgets expired windows. Without it they go gradually, as Add finds them.
func (c *Counters) Sweep(now time.Time) { c.windows.sweep(c.millis(now)) }
