package call_test

import (
	"testing"
	"time"

	"ringfence/core/call"
)

// TestOthersCallsByTheClockOfTheStore guards that running costs of another node's call do not depend on how that node's clock is set.
func TestOthersCallsByTheClockOfTheStore(t *testing.T) {
	wall := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	store := wall.Add(-time.Minute) // this node's clock is a minute ahead of the store's
	for name, c := range map[string]struct {
		anchor call.Anchor
		said   time.Duration // before wall, by the other node's clock
		want   time.Duration
	}{
		"its clock is two minutes behind": {call.Anchor{Boot: "b", Store: store.Add(-90 * time.Second)}, 210 * time.Second, 90 * time.Second},
		"its clock is two minutes ahead":  {call.Anchor{Boot: "b", Store: store.Add(-90 * time.Second)}, -30 * time.Second, 90 * time.Second},
		"another process of this machine": {call.Anchor{Boot: "a", Uptime: time.Hour, Store: store}, 0, 10 * time.Second},
		"answered in this moment":         {call.Anchor{Boot: "b", Store: store.Add(time.Second)}, 0, 0},
		"nothing is known of it":          {call.Anchor{}, 20 * time.Second, 20 * time.Second},
	} {
		o := call.Open{AnsweredAt: wall.Add(-c.said), Anchor: c.anchor}
		o.ByOurClock(call.Anchor{Boot: "a", Uptime: time.Hour + 10*time.Second, Store: store}, wall)
		if got := wall.Sub(o.AnsweredAt); got != c.want {
			t.Errorf("%s: up for %v, want %v", name, got, c.want)
		}
	}
	ringing := call.Open{Anchor: call.Anchor{Store: store}}
	if ringing.ByOurClock(call.Anchor{Store: store}, wall); !ringing.AnsweredAt.IsZero() {
		t.Errorf("a call that rings is up since %v", ringing.AnsweredAt)
	}
}
