package watch

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/state/store"
)

// A carrier that confirms no end must not flood the desk: its day is one finding, which counts the calls.
func TestUnconfirmedLegsAreOneFindingOfATrunk(t *testing.T) {
	bubble(t, func(t *testing.T, p *provider) {
		stop := p.run(p.watch())
		for i, trunk := range []string{"c1~00000000", "c1~00000000", "c2", "", "c1~00000000"} {
			p.add(store.Fact{
				At: time.Now(), Kind: "leg.unconfirmed", Line: "a-1", Account: "acme", Call: call.ID(fmt.Sprintf("call-%d", i)),
				Body: []byte(`{"trunk":"` + trunk + `","direction":"out","b_call_id":"b","sip_status":500,"beyond_ms":32000}`),
			})
			wait(time.Minute)
		}
		stop()
		found, err := p.db.Findings(t.Context(), store.FindingFilter{})
		must(t, err)
		got := map[string]int64{}
		for _, f := range found {
			got[f.Key] += int64(f.Count)
		}
		day := time.Now().UTC().Format(time.DateOnly)
		if want := (map[string]int64{"leg-unconfirmed/trunk/c1~00000000/" + day: 3, "leg-unconfirmed/trunk/c2/" + day: 1}); !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}
