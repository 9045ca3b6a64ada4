// Package memory holds short-lived counts in this process: how many are open, how many in a window. Each check and its
// write are one step under one lock. It must not know what is counted or why.
package memory

import (
	"hash/maphash"
	"sync"
	"time"
)

const shards = 64

// Counters counts by key. The zero Counters is not usable: call New. Safe for concurrent use.
// Memory: one entry for each key with something open or hit within its window.
type Counters struct {
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu   sync.Mutex // owns all below
	open map[string]int64
	hits map[string]*window
}

// window counts hits in the running span and in the one before; together they estimate any span of that length.
type window struct {
	began        time.Time
	span         time.Duration
	now, earlier int64
}

// New makes empty counters.
func New() *Counters {
	c := &Counters{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].open = map[string]int64{}
		c.shards[i].hits = map[string]*window{}
	}
	return c
}

func (c *Counters) shard(key string) *shard {
	return &c.shards[maphash.String(c.seed, key)%shards]
}

// Take adds one to what is open under key if that leaves no more than limit, and returns how many are open after it.
func (c *Counters) Take(key string, limit int64) (open int64, ok bool) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key] >= limit {
		return s.open[key], false
	}
	s.open[key]++
	return s.open[key], true
}

// Put adds one whatever the limit: what was open before a restart, and emergency calls.
func (c *Counters) Put(key string) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[key]++
}

// Give takes one back. Giving what was never taken changes nothing.
func (c *Counters) Give(key string) {
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
func (c *Counters) Open(key string) int64 {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[key]
}

// Hit counts one under key if fewer than limit were counted within the last span, and returns how many there are with
// it. The count is a sliding window of two halves: never more than limit in any aligned span, and at most the weighted
// share of the span before.
func (c *Counters) Hit(key string, limit int64, span time.Duration, now time.Time) (n int64, ok bool) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.hits[key]
	if w == nil {
		w = &window{began: now, span: span}
		s.hits[key] = w
	}
	w.roll(now)
	n = w.estimate(now)
	if n >= limit {
		return n, false
	}
	w.now++
	return n + 1, true
}

// Hits says how many were counted under key within the last span.
func (c *Counters) Hits(key string, now time.Time) int64 {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.hits[key]
	if w == nil {
		return 0
	}
	w.roll(now)
	return w.estimate(now)
}

// Sweep forgets windows that have run out. Call it now and then.
func (c *Counters) Sweep(now time.Time) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for k, w := range s.hits {
			if now.Sub(w.began) >= 2*w.span {
				delete(s.hits, k)
			}
		}
		s.mu.Unlock()
	}
}

func (w *window) roll(now time.Time) {
	switch gone := now.Sub(w.began); {
	case gone >= 2*w.span || gone < 0:
		w.began, w.earlier, w.now = now, 0, 0
	case gone >= w.span:
		w.began, w.earlier, w.now = w.began.Add(w.span), w.now, 0
	}
}

// estimate rounds the earlier span's share up: when in doubt the limit holds.
func (w *window) estimate(now time.Time) int64 {
	left := w.span - now.Sub(w.began)
	share := (w.earlier*int64(left/time.Millisecond) + int64(w.span/time.Millisecond) - 1) / max(int64(w.span/time.Millisecond), 1)
	return w.now + share
}
