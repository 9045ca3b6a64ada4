package gate

import (
	"cmp"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"ringfence/core/call"
)

// IDs makes the text of call ids: 48 bits of milliseconds and 80 random bits in 26 characters that sort by time. Safe for concurrent use.
type IDs struct {
	mu   sync.Mutex // owns pool
	pool [640]byte
	left int
}

// Next is the id of a call that begins now.
func (s *IDs) Next(now time.Time) (text [26]byte) {
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
