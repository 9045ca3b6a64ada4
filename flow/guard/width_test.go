package guard

import (
	"context"
	"fmt"
	"testing"
	"time"

	"ringfence/state/counters"
	"ringfence/state/counters/memory"
)

// TestManyHitsAreShared: an attack of some width does not end the counting that nodes have in common. Counters take
// counters.MaxHits hits at once and refuse the whole of a larger batch.
func TestManyHitsAreShared(t *testing.T) {
	s := newScene(t, func(o *Options) { o.Around.Counters = memory.NewEngine(memory.Options{}) })
	for i := range 100 {
		s.tries(1, 0, fmt.Sprintf("203.0.%d.9", i), fmt.Sprintf("u%d", i), wrongPass)
	}
	s.a.shareOnce(context.Background(), s.at)
	if n := s.a.Stats().Unshared; n != 0 {
		t.Errorf("%d rounds were refused: what was counted in them is lost to the other nodes", n)
	}
}

// TestBatchesFit: a batch is never larger than counters take: a line's two sums go together or not at all.
func TestBatchesFit(t *testing.T) {
	s := newScene(t)
	for i := range 85 { // three hits each, and two for the line
		s.tries(1, 0, fmt.Sprintf("203.0.%d.9", i), fmt.Sprintf("u%d", i), wrongPass)
	}
	if hits, _ := s.a.fresh(); len(hits) > counters.MaxHits {
		t.Errorf("%d hits in one batch, which is refused: all of them are lost", len(hits))
	}
}

// TestLockedOutGuessesAreBounded: who is locked out cannot go on guessing by asking for emergency calls.
func TestLockedOutGuessesAreBounded(t *testing.T) {
	s := newScene(t)
	s.tries(60, 0, office, "2001", wrongPass) // the office is a usual place: never banned
	for i := range 1000 {
		s.tries(1, time.Millisecond, office, "2001", fmt.Sprintf("guess-%d", i))
	}
	if got := s.try(office, "2001", rightPass); got.EmergencyOK {
		t.Errorf("after 1000 guesses during the lock-out: %+v; an INVITE to 999 tells the right password", got)
	}
}
