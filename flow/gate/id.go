package gate

import (
	"cmp"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
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

var idText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Next is the id of a call that begins now.
func (s *IDs) Next(now time.Time) (text [26]byte) {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(now.UnixMilli())<<16)
	s.mu.Lock()
	if s.left < 10 {
		rand.Read(s.pool[:]) // never fails: crypto/rand ends the program instead
		s.left = len(s.pool)
	}
	copy(raw[6:], s.pool[s.left-10:s.left])
	s.left -= 10
	s.mu.Unlock()
	idText.Encode(text[:], raw[:])
	return text
}

func sortCalls(all []call.Open) {
	slices.SortFunc(all, func(a, b call.Open) int { return cmp.Compare(a.ID, b.ID) })
}
