package gate

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// TestCrowdsAreToldOnceAMinute: a bound that calls keep meeting is one fact a minute, for each trunk and each line; emergency calls have no such limit.
func TestCrowdsAreToldOnceAMinute(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		h := open(t, b, m)
		defer h.close()
		from := netip.MustParseAddr("192.0.2.1")
		for range 2 {
			for range 5 {
				for _, trunk := range []string{"carrier", "lifeline"} {
					h.gate.crowded(Crowd{Trunk: trunk, Source: from, Open: 3, All: 3, Most: 3})
					h.gate.crowded(Crowd{Line: "2001", Trunk: trunk, Source: from, Open: 3, All: 3, Most: 3, Refused: true})
				}
				h.gate.crowded(Crowd{Line: "2001", Source: from, Open: 10, All: 10, Most: 20})
			}
			time.Sleep(time.Minute)
		}
		for kind, want := range map[string]int{"call.inbound-full": 4, "call.ringing-full": 2, "call.emergencies": 10} {
			facts, err := m.Facts(t.Context(), store.FactFilter{Kind: kind})
			must(t, err)
			if len(facts) != want {
				t.Errorf("%d of %s, want %d", len(facts), kind, want)
			}
		}
	})
}
