package app_test

import (
	"testing"

	"ringfence/edge/rest/api"
)

// The demonstration's past is like one that was lived: its books add up, a thief was stopped, there is a finding about it, and what was closed to the thief
// is closed.
func TestTheDemonstrationHasAPast(t *testing.T) {
	cfg := demoConfig(t)
	cfg.DemoLife, cfg.Watch.Calls = true, "live"
	p := start(t, cfg)
	defer p.stop()
	thief, refused := 0, 0
	var calls api.List[api.CDR]
	p.get("/v1/cdrs?line=2032&limit=1000", &calls)
	for _, r := range calls.Items {
		if r.UserAgent == "VaxSIPUserAgent/3.1" {
			thief++
			if r.Refused {
				refused++
			}
		}
	}
	if thief < 100 || refused < 60 || refused == thief {
		t.Errorf("%d calls of the thief, %d of them refused", thief, refused)
	}
	p.checks("money", "ok", "every purse holds")
	p.eventually("a finding about the thief's calls", func() bool {
		var found api.List[api.Finding]
		p.get("/v1/findings?line=2032", &found)
		for _, f := range found.Items {
			if f.Kind == "unusual-calls" {
				return true
			}
		}
		return false
	})
	var d api.Decision
	must(t, p.api.Do(t.Context(), "POST", "/v1/decide", api.DecideRequest{Line: "2032", To: "002209700039"}, &d))
	if d.Reason != "destination-closed" {
		t.Errorf("the thief's numbers: %s", d.Reason)
	}
}
