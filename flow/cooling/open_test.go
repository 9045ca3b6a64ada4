package cooling

import (
	"testing"

	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/core/restrict"
)

// TestWhoOpensWhat: a customer's people undo what is theirs and what no person did, and nothing that the provider did.
func TestWhoOpensWhat(t *testing.T) {
	own, staff := &person.Who{Customer: "acme"}, &person.Who{}
	for by, want := range map[string]bool{"acme/ana": true, fact.ByAnswer: true, "auto": true, "staff/tom": false, "acmex/ana": false, "": false} {
		if MayUnlock(own, by) != want || !MayUnlock(staff, by) {
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
