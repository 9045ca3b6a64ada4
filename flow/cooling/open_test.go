package cooling

import (
	"encoding/json"
	"slices"
	"testing"

	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/core/restrict"
)

// TestWhoOpensWhat: a customer's people undo what is theirs and what no person did, and nothing that the provider did.
func TestWhoOpensWhat(t *testing.T) {
	own, staff := &person.Who{Customer: "acme"}, &person.Who{}
	for by, want := range map[string]bool{"acme/ana": true, fact.ByAnswer: true, "auto": true, "staff/tom": false, "acmex/ana": false, "": false} {
		if MayUnlock(own, []string{by}) != want || !MayUnlock(staff, []string{by}) {
			t.Errorf("locked by %q: %t", by, !want)
		}
	}
	for _, c := range []struct {
		r    restrict.Restriction
		want bool
	}{{restrict.Restriction{By: "acme/ana"}, true}, {restrict.Restriction{By: "ringfence", Finding: "unusual-calls/1"}, true}, {restrict.Restriction{By: "staff/tom"}, false}} {
		if MayLift(own, &c.r) != c.want || !MayLift(staff, &c.r) {
			t.Errorf("%+v: %t", c.r, !c.want)
		}
	}
}

// TestALockStaysWhoseItIs guards against customers who lock what the provider locked again, and then open it as their own.
func TestALockStaysWhoseItIs(t *testing.T) {
	own := &person.Who{Customer: "acme"}
	first := func(by string) json.RawMessage { return json.RawMessage(`{"by":"` + by + `","after":{"locked":true}}`) }
	again := func(by string) json.RawMessage { return json.RawMessage(`{"by":"` + by + `","after":{"calls":"cut"}}`) }
	for name, c := range map[string]struct {
		facts []json.RawMessage // newest first
		want  bool
	}{
		"their own":                       {[]json.RawMessage{first("acme/ana")}, true},
		"the provider's":                  {[]json.RawMessage{first("staff/tom")}, false},
		"the provider's, locked again":    {[]json.RawMessage{again("acme/ana"), first("staff/tom")}, false},
		"the provider's, and by a notice": {[]json.RawMessage{again("acme/ana"), again(fact.ByAnswer), first("staff/tom")}, false},
		"their own, then the provider's":  {[]json.RawMessage{again("staff/tom"), first("acme/ana")}, false},
		"their own, after one that ended": {[]json.RawMessage{first("acme/ana"), first("staff/tom")}, true},
		"its beginning is not known":      {[]json.RawMessage{again("acme/ana")}, false},
		"nothing is known":                {nil, false},
	} {
		if got := MayUnlock(own, Lockers(slices.Values(c.facts))); got != c.want {
			t.Errorf("%s: may be opened: %t", name, got)
		}
	}
}
