package auth

import (
	"context"
	"fmt"
	"testing"

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
