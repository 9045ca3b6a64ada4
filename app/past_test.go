package app_test

import (
	"testing"

	"ringfence/core/money"
	"ringfence/edge/rest/api"
)

// The demonstration's past is like one that was lived: its books add up, a thief was stopped before the cap, and there is a finding about it.
func TestTheDemonstrationHasAPast(t *testing.T) {
	cfg := emptyConfig(t)
	cfg.DemoLife, cfg.Watch.Calls = true, "live"
	p := start(t, cfg)
	defer p.stop()
	thief, refused, cost := 0, 0, money.Micro(0)
	var calls api.List[api.CDR]
	p.get("/v1/cdrs?line=2032&limit=1000", &calls)
	for _, r := range calls.Items {
		if r.UserAgent == "VaxSIPUserAgent/3.1" {
			thief++
			cost += r.Retail
			if r.Refused {
				refused++
			}
		}
	}
	if thief < 100 || refused < 60 || cost < money.Pound || cost > 12*money.Pound {
		t.Errorf("%d calls of the thief, %d of them refused, for %v under a cap of £15", thief, refused, cost)
	}
	p.checks("money", "ok", "every purse holds")
	var cases api.List[api.Case]
	p.get("/v1/cases", &cases)
	if len(cases.Items) != 1 || cases.Items[0].Customer != "hotel" {
		t.Fatalf("cases %+v", cases.Items)
	}
	var stolen api.List[api.CaseCall]
	p.get("/v1/cases/1/calls", &stolen)
	if len(stolen.Items) == 0 {
		t.Fatal("no call is in the case")
	}
	var verdict api.CallVerdict
	p.get("/v1/cdrs/"+stolen.Items[0].Call+"/verdict", &verdict)
	if !verdict.Dated || verdict.Stated.After(stolen.Items[0].Begun) {
		t.Errorf("the promises are of %v, and the call of %v", verdict.Stated, stolen.Items[0].Begun)
	}
	var line api.LineDetail
	if p.get("/v1/lines/2032", &line); line.Created.After(calls.Items[len(calls.Items)-1].Begun) {
		t.Errorf("the line was added at %v, after its call of %v", line.Created, calls.Items[len(calls.Items)-1].Begun)
	}
	var owed api.CaseSettlement
	p.get("/v1/cases/1/settlement", &owed)
	if len(owed.Past) != 1 || len(owed.Plans) != 1 || owed.Past[0].Given <= 0 || owed.Plans[0].Rest <= 0 {
		t.Errorf("the case is settled as %+v", owed)
	}
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
}
