package phone_test

import (
	"testing"

	. "ringfence/core/phone"
)

func TestUnder(t *testing.T) {
	for _, c := range []struct {
		prefix    uint64
		countries string // the first ones
		has, not  Kinds
	}{
		{1, "US AG", Fixed | PremiumRate | TollFree, 0},
		{1876, "JM", Fixed | Cellular, PremiumRate},
		{7, "RU KZ", Fixed | Cellular, 0},
		{77, "KZ", Cellular, 0},
		{44, "GB GG IM JE", Fixed | Cellular | PersonalNumber | Paging | PremiumRate | Universal, 0},
		{447, "GB GG IM JE", Cellular | PersonalNumber, Fixed},
		{4470, "GB", PersonalNumber, Cellular},
		{447624, "IM", Cellular, Paging},
		{441534, "JE", Fixed, Cellular},
		{39, "IT VA", Fixed, 0},
		{47, "NO SJ", Fixed, 0},
		{358, "FI AX", Fixed, 0},
		{61, "AU CC CX", Fixed, 0},
		{212, "MA", Fixed, 0},
		{262, "RE", Fixed, 0},
		{599, "CW BQ", Fixed, 0},
		{590, "GP", Fixed, 0},
		{33, "FR", Fixed | Cellular | PremiumRate | SharedCost, 0},
		{9, "", 0, 0},
		{210, "", 0, 0},
	} {
		text, kinds := "", Kinds(0)
		for _, r := range Under(c.prefix) {
			text += r.Country.String() + " "
			kinds |= r.Kinds
		}
		if len(text) < len(c.countries) || text[:len(c.countries)] != c.countries || kinds&c.has != c.has || kinds&c.not != 0 {
			t.Errorf("%d: %s%b, want %s with %b", c.prefix, text, kinds, c.countries, c.has)
		}
	}
}

// Of every country and kind under a code there is an example, and it is what it was asked for.
func TestExample(t *testing.T) {
	for code := range uint64(1000) {
		for _, r := range Under(code) {
			r.Kinds.Each(func(k Kinds) {
				n, ok := Example(code, r.Country, k)
				if !ok {
					t.Errorf("%d: no example for %s %b", code, r.Country, k)
					return
				}
				d, problem := UK().Parse(n.String())
				if r.Country.String() != "GB" && (problem != NoProblem || d.Country != r.Country || d.Class != Satellite && d.Kinds()&k == 0) {
					t.Errorf("%s: %v %s %s %b, want %s %b", n, problem, d.Country, d.Class, d.Kinds(), r.Country, k)
				}
			})
		}
	}
}
