package notify

import (
	"cmp"
	"slices"
	"sync"
)

// Count is how many deliveries of a kind came into a state since this process began: "queued", "digest", "kept" and "off"
// when they were made, the others when they were tried.
type Count struct {
	Kind  Kind
	State string
	N     uint64
}

type stats struct {
	mu sync.Mutex
	n  map[made]uint64 // mu
}

func (s *stats) made(all []made) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range all {
		s.n[m]++
	}
}

// Stats counts deliveries by kind and state, sorted.
func (n *Notifier) Stats() []Count {
	n.stats.mu.Lock()
	defer n.stats.mu.Unlock()
	out := make([]Count, 0, len(n.stats.n))
	for m, c := range n.stats.n {
		out = append(out, Count{m.kind, string(m.state), c})
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.State, b.State))
	})
	return out
}
