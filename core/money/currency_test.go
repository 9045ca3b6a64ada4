package money

import (
	"errors"
	"testing"
)

func named(t *testing.T, code string) Currency {
	t.Helper()
	c, err := CurrencyOf(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAmountsInEachCurrency(t *testing.T) {
	for _, c := range []struct {
		code         string
		amount       Micro
		exact, shown string
		rate         Rate
		perMinute    string
	}{
		{"GBP", 12_345_678, "£12.345678", "£12.34", 25_000_000, "2.5p"},
		{"GBP", 1_234_567_890_000, "£1234567.89", "£1,234,567.89", 1_000_000_000, "100p"},
		{"GBP", -500_000, "-£0.50", "-£0.50", 0, "0p"},
		{"GBP", 0, "£0.00", "£0.00", 1, "0.0000001p"},
		{"GBP", 500, "£0.0005", "£0.0005", 20_000_000, "2p"},
		{"GBP", -1, "-£0.000001", "-£0.000001", 20_000_000, "2p"},
		{"EUR", 12_500_000, "€12.50", "€12.50", 25_000_000, "2.5c"},
		{"USD", 9_990, "$0.00999", "$0.00999", 20_000_000, "2c"},
		{"CHF", 3_000_000, "CHF 3.00", "CHF 3.00", 20_000_000, "CHF 0.02"},
		{"JPY", 1_234_500_000, "¥1234.5", "¥1,234", 3_000_000_000, "¥3"},
		{"JPY", 120_000_000, "¥120", "¥120", 3_500_000_000, "¥3.5"},
		{"KWD", 1_234_500, "KWD 1.2345", "KWD 1.234", 5_000_000, "KWD 0.005"},
		{"KWD", 1_000_000, "KWD 1.000", "KWD 1.000", 25_000_000, "KWD 0.025"},
	} {
		cur := named(t, c.code)
		if got := [3]string{cur.Amount(c.amount), cur.Shown(c.amount), cur.Rate(c.rate)}; got != [3]string{c.exact, c.shown, c.perMinute} {
			t.Errorf("%s %d %d: %q", c.code, c.amount, c.rate, got)
		}
		if back, err := cur.ParseRate(cur.Rate(c.rate)); err != nil || back != c.rate {
			t.Errorf("%s: %s comes back as %d: %v", c.code, cur.Rate(c.rate), back, err)
		}
		if back, err := cur.ParseAmount(cur.Amount(c.amount)); c.amount >= 0 && (err != nil || back != c.amount) {
			t.Errorf("%s: %s comes back as %d: %v", c.code, cur.Amount(c.amount), back, err)
		}
	}
}

func TestWhatPeopleWrite(t *testing.T) {
	for _, c := range []struct {
		code, text string
		amount     Micro
		rate       Rate
	}{
		{"GBP", "20p", -1, 200_000_000},
		{"GBP", "2.5", 2_500_000, 25_000_000},
		{"GBP", "£0.20", 200_000, 200_000_000},
		{"GBP", "0.20 gbp", 200_000, 200_000_000},
		{"GBP", "€0.20", -1, -1},
		{"GBP", "20c", -1, -1},
		{"EUR", "20c", -1, 200_000_000},
		{"EUR", "20", 20_000_000, -1},
		{"EUR", "EUR 0.20", 200_000, 200_000_000},
		{"EUR", "£1", -1, -1},
		{"EUR", "20p", -1, -1},
		{"JPY", "300", 300_000_000, -1},
		{"JPY", "¥3", 3_000_000, 3_000_000_000},
		{"CHF", "CHF 0.02", 20_000, 20_000_000},
		{"CHF", "2 Rp", -1, -1},
		{"KWD", "0.005 KWD", 5_000, 5_000_000},
	} {
		cur := named(t, c.code)
		if got, err := cur.ParseAmount(c.text); (err != nil) != (c.amount < 0) || err == nil && got != c.amount {
			t.Errorf("%s amount %q: %d %v", c.code, c.text, got, err)
		}
		if got, err := cur.ParseRate(c.text); (err != nil) != (c.rate < 0) || err == nil && got != c.rate {
			t.Errorf("%s rate %q: %d %v", c.code, c.text, got, err)
		}
	}
	for _, bad := range []string{"", "XXX", "XAU", "GB", "POUND", "gb p", "ABC"} {
		if _, err := CurrencyOf(bad); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q is a currency", bad)
		}
	}
	for code, sign := range Signs {
		if c := named(t, sign); c.Sign != code {
			t.Errorf("%s: %s", sign, c.Sign)
		}
	}
}

func TestExchange(t *testing.T) {
	e, err := ParseExchange("usd=0.79")
	if err != nil || e.String() != "USD=0.79" || e.Convert(30_000_000) != 23_700_000 || e.Convert(1) != 1 || e.Convert(0) != 0 {
		t.Errorf("%v %v", e, err)
	}
	if e := (Exchange{"JPY", 5_000_000_000}); e.Convert(1<<62) != 1<<63-1 {
		t.Error("an overflow is no amount")
	}
	for _, bad := range []string{"", "USD", "USD=", "USD=0", "USD=-1", "XXX=1", "USD=1.2345678901", "USD=1e3"} {
		if _, err := ParseExchange(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
