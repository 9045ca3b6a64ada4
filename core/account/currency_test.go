package account

import (
	"testing"

	"ringfence/core/money"
)

// Every text and every built-in amount follows the currency of the provider.
func TestSettingsFollowTheCurrency(t *testing.T) {
	defer money.SetBilling(money.Billing())
	for _, c := range []struct {
		code                      string
		ceiling, cap, text        string // as people write them, and the first as it is shown
		n, builtinCap, builtinMin int64
	}{
		{"GBP", "20p", "£50", "20p", 200_000_000, 50_000_000, 20_000_000},
		{"EUR", "€0.20", "50", "20c", 200_000_000, 50_000_000, 20_000_000},
		{"JPY", "¥30", "¥5000", "¥30", 30_000_000_000, 5_000_000_000, 2_000_000_000},
		{"KWD", "0.025 KWD", "KWD 50", "KWD 0.025", 25_000_000, 50_000_000, 20_000_000},
	} {
		currency, err := money.CurrencyOf(c.code)
		if err != nil {
			t.Fatal(err)
		}
		money.SetBilling(currency)
		n, err := ParseValue(NationalCeiling, c.ceiling)
		if err != nil || n != c.n || Format(NationalCeiling, n) != c.text {
			t.Errorf("%s: %d %s %v", c.code, n, Format(NationalCeiling, n), err)
		}
		if got, err := ParseValue(LineDayCap, c.cap); err != nil || got != c.builtinCap {
			t.Errorf("%s: %d %v", c.code, got, err)
		}
		e := Resolve(now)
		if e.Values[LineDayCap] != c.builtinCap || e.Values[InternationalCeiling] != c.builtinMin {
			t.Errorf("%s: %v", c.code, e.Values)
		}
		if _, err := ParseValue(LineDayCap, "$1"); err == nil {
			t.Errorf("%s takes dollars", c.code)
		}
	}
}
