package policy_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ringfence/core/money"
	"ringfence/core/policy"
)

func TestRoutesInOrder(t *testing.T) {
	ways := []policy.Way{
		{Trunk: "dear", Priority: 1, Priced: true, First: 900, Hour: 54_000},
		{Trunk: "unpriced", Priority: 2},
		{Trunk: "cheap", Priority: 3, Priced: true, First: 100, Hour: 6_000},
		{Trunk: "hidden", Priority: 4, Priced: true, First: 50, Hour: 600_000}, // a cheap first minute
		{Trunk: "full", Priority: 5, Priced: true, First: 10, Hour: 600, Full: true},
		{Trunk: "help", Priority: 9, Priced: true, First: 2_000, Hour: 120_000, Emergency: true},
	}
	sale := policy.Sale{First: 1000, Hour: 60_000}
	for _, c := range []struct {
		name string
		r    policy.Routing
		s    policy.Sale
		want string
	}{
		{"by priority", policy.Routing{}, sale, "dear unpriced cheap hidden help full:trunks-full"},
		{"by cost", policy.Routing{ByCost: true}, sale, "hidden cheap dear help unpriced full:trunks-full"},
		{"no loss", policy.Routing{ByCost: true, Bounded: true}, sale, "cheap dear full:trunks-full hidden:no-margin help:no-margin unpriced:no-margin"},
		{"a margin", policy.Routing{Bounded: true, Margin: 500}, sale, "cheap dear:no-margin unpriced:no-margin hidden:no-margin full:trunks-full help:no-margin"},
		{"a loss that is wanted", policy.Routing{Bounded: true, Margin: -1000}, sale, "dear cheap help unpriced:no-margin hidden:no-margin full:trunks-full"},
		{"emergency", policy.Routing{ByCost: true, Bounded: true, Margin: 500}, policy.Sale{Emergency: true}, "help dear unpriced cheap hidden full"},
	} {
		var got []string
		for _, x := range c.r.Order(ways, c.s) {
			text := x.Trunk
			if x.Why != policy.OK {
				text += ":" + x.Why.Code()
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s, want %s", c.name, strings.Join(got, " "), c.want)
		}
	}
}

// Whatever the trunks are: each is there once, none that is chosen is below the margin, and an emergency call has all of them.
func TestRoutesLeaveTheMargin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Map(rapid.Int64Range(0, 1e6), func(n int64) money.Micro { return money.Micro(n) })
		ways := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) policy.Way {
			return policy.Way{
				Priority: rapid.IntRange(0, 3).Draw(t, "priority"), Emergency: rapid.Bool().Draw(t, "help"), Full: rapid.Bool().Draw(t, "full"),
				Priced: rapid.Bool().Draw(t, "priced"), First: amount.Draw(t, "first"), Hour: 60 * amount.Draw(t, "hour"),
			}
		}), 0, 8).Draw(t, "ways")
		r := policy.Routing{ByCost: rapid.Bool().Draw(t, "cost"), Bounded: true, Margin: amount.Draw(t, "margin")}
		s := policy.Sale{First: amount.Draw(t, "sold"), Hour: 60 * amount.Draw(t, "sold/h"), Emergency: rapid.Bool().Draw(t, "emergency")}
		all := r.Order(ways, s)
		if len(all) != len(ways) {
			t.Fatalf("%d of %d", len(all), len(ways))
		}
		for i, x := range all {
			switch {
			case s.Emergency && x.Why != policy.OK:
				t.Fatalf("an emergency call passes over %+v", x)
			case !s.Emergency && x.Why == policy.OK && (!x.Priced || s.First-x.First < r.Margin || s.Hour-x.Hour < 60*r.Margin-59):
				t.Fatalf("below the margin: %+v", x)
			case i > 0 && all[i-1].Why != policy.OK && x.Why == policy.OK:
				t.Fatalf("what is passed over stands before %+v", x)
			}
		}
	})
}
