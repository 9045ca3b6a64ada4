package memory

import (
	"bytes"
	"container/heap"
	"strings"
	"sync"
	"time"

	"ringfence/state/counters"
	"ringfence/state/counters/internal/feed"
)

// grace is how long an ended mark is kept: nodes whose clocks differ must not take it from each other. In µs.
const grace = int64(10 * counters.Skew / time.Microsecond)

// table is the marks of one name: an index, and a heap by end so that what ends first is at hand.
type table struct {
	name string
	max  int

	mu        sync.Mutex // owns all below
	index     map[string]*mark
	ends      ends
	followers map[*feed.Feed]struct{}
}

type mark struct {
	key   string
	until int64 // µs
	value []byte
	at    int // place in the heap
}

func newTable(name string, max int) *table {
	return &table{name: name, max: max, index: map[string]*mark{}, followers: map[*feed.Feed]struct{}{}}
}

// put owns value from here on. Followers are notified in the order of the writes, under the lock, without waiting for any.
func (t *table) put(key string, until int64, value []byte, now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.ends) > 0 && t.ends[0].until <= now-grace {
		t.remove(t.ends[0])
	}
	m := t.index[key]
	if m == nil {
		m = &mark{key: strings.Clone(key), until: until, value: value}
		t.index[m.key] = m
		heap.Push(&t.ends, m)
	} else {
		if m.until >= until && bytes.Equal(m.value, value) {
			return
		}
		m.until, m.value = max(m.until, until), value
		heap.Fix(&t.ends, m.at)
	}
	t.tell(counters.Change{Mark: t.mark(m)})
	if len(t.ends) > t.max {
		t.away(t.ends[0])
	}
}

func (t *table) drop(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := t.index[key]; m != nil {
		t.away(m)
	}
}

func (t *table) away(m *mark) {
	t.remove(m)
	t.tell(counters.Change{Mark: counters.Mark{Table: t.name, Key: m.key}, Dropped: true})
}

func (t *table) remove(m *mark) {
	heap.Remove(&t.ends, m.at)
	delete(t.index, m.key)
}

func (t *table) tell(c counters.Change) {
	for f := range t.followers {
		f.Push(c)
	}
}

func (t *table) follow(f *feed.Feed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.followers[f] = struct{}{}
}

func (t *table) leave(f *feed.Feed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.followers, f)
}

func (t *table) list(now int64) []counters.Mark {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []counters.Mark
	for _, m := range t.ends {
		if m.until > now {
			out = append(out, t.mark(m))
		}
	}
	return out
}

// mark is a copy that its reader may change.
func (t *table) mark(m *mark) counters.Mark {
	return counters.Mark{Table: t.name, Key: m.key, Until: time.UnixMicro(m.until).UTC(), Value: bytes.Clone(m.value)}
}

// ends is a heap of marks by end, and by key where ends are the same: as a sorted set of Valkey has them.
type ends []*mark

func (h ends) Len() int { return len(h) }

func (h ends) Less(i, j int) bool {
	return h[i].until < h[j].until || h[i].until == h[j].until && h[i].key < h[j].key
}

func (h ends) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *ends) Push(x any) {
	m := x.(*mark)
	m.at = len(*h)
	*h = append(*h, m)
}

func (h *ends) Pop() any {
	old := *h
	m := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return m
}
