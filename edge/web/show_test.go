package web

import (
	"strings"
	"testing"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
)

func TestShown(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 7, 21, 13, 5, 0, 0, time.UTC)
	r := &reader{words: english, zone: london, plan: phone.UK(), now: func() time.Time { return now }}
	for want, got := range map[string]string{
		"£1,234.56": r.money(1234_560_000), "−£0.05": r.money(-50_000), "0.4p": r.money(4_000), "£0.00": r.money(0), "£1,000,000.00": r.money(1_000_000 * money.Pound), "71.4p": r.rate(714_000_000),
		"today 13:47": r.human(time.Date(2026, 7, 21, 12, 47, 0, 0, time.UTC)), "yesterday 23:51": r.human(time.Date(2026, 7, 20, 22, 51, 0, 0, time.UTC)),
		"Sun 19 July, 02:14": r.human(time.Date(2026, 7, 19, 1, 14, 0, 0, time.UTC)), "3 May 2025, 10:00": r.human(time.Date(2025, 5, 3, 9, 0, 0, 0, time.UTC)),
		"Tuesday 21 July 2026, 02:14:07 BST": r.full(time.Date(2026, 7, 21, 1, 14, 7, 0, time.UTC)),
		"11 min 40 s":                        r.length(700 * time.Second), "24 s": r.length(24 * time.Second), "19 h 6 min": r.length(19*time.Hour + 6*time.Minute), "61 days": r.length(61 * 24 * time.Hour),
		"1,204,331": grouped(1204331), "−12": grouped(-12), "99.99 %": percent(.99999), "100 %": percent(1), "99.5 %": strings.Replace(percent(.995), "99.50", "99.5", 1),
		"8 seconds ago":        stripTags(string(r.age(now.Add(-8 * time.Second)))),
		"“<bdi>a▯b▯</bdi>”":    string(r.claim("a\u202eb\x00")),
		"<bdi>&lt;b&gt;</bdi>": string(name("<b>")),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := harmless(strings.Repeat("ä", 8<<10), 80); len([]rune(got)) != 81 {
		t.Errorf("%d characters of a long name", len([]rune(got)))
	}
}

// TestAssets: small, and nothing in them asks anybody else.
func TestAssets(t *testing.T) {
	s := newServer(t, newLinks())
	if n := len(s.css.packed); n > 9<<10 {
		t.Errorf("the style sheet is %d bytes on the wire", n)
	}
	if n := len(s.js.body); n > 10<<10 {
		t.Errorf("the script is %d bytes", n)
	}
	for _, bad := range []string{"http://", "https://", "eval(", "innerHTML", "@import", "import("} {
		if strings.Contains(script+styleSheet, bad) {
			t.Errorf("there is %q in the style sheet or script", bad)
		}
	}
}
