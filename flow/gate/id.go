package gate

import (
	"cmp"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"ringfence/core/call"
)

// idSource makes the text of call ids.
type idSource struct {
	mu   sync.Mutex // owns pool
	pool [640]byte
	left int
}

func (s *idSource) next(now time.Time) (text [26]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left < 10 {
		rand.Read(s.pool[:]) // never fails: crypto/rand ends the program instead
		s.left = len(s.pool)
	}
	text = call.NewID(now, s.pool[s.left-10:s.left])
	s.left -= 10
	return text
}

func sortCalls(all []call.Open) {
	slices.SortFunc(all, func(a, b call.Open) int { return cmp.Compare(a.ID, b.ID) })
}
