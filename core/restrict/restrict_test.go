package restrict

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func callTo(t testing.TB, dialled string, rate money.Rate) *Call {
	t.Helper()
	d, problem := phone.UK().Parse(dialled)
	if problem != phone.NoProblem {
		t.Fatalf("%s: %v", dialled, problem)
	}
	return &Call{Dest: d, Price: &rating.Price{Rates: [3]money.Rate{rate, rate, rate}, First: 1, Step: 1}}
}

// TestWhatIsClosed: each way of naming destinations, and what it closes.
func TestWhatIsClosed(t *testing.T) {
	const p = money.PencePerMinute
	calls := map[string]*Call{
		"home": callTo(t, "02079460000", p), "mobile": callTo(t, "07700900123", 6*p), "free": callTo(t, "08001111", 0), "Latvia": callTo(t, "0037167123456", 30*p),
		"France": callTo(t, "0033142685300", p), "premium": callTo(t, "09098790123", 150*p), "Jersey": callTo(t, "01534700000", p), "help": callTo(t, "999", 0),
		"ours": {Dest: phone.Destination{Class: phone.OnNet}, Price: &rating.Price{First: 1, Step: 1}},
	}
	for names, want := range map[string]string{
		"paid":            "France Jersey Latvia home mobile premium",
		"abroad":          "France Latvia",
		"above 2p":        "Latvia",
		"mobile, premium": "mobile premium",
		"lv, JE":          "Jersey Latvia",
		"+4420, +33":      "France home",
		"+442079460000":   "home",
		"+4420794600001":  "",
		"on-net":          "ours",
	} {
		s, err := ParseSet(names)
		must(t, err)
		for _, only := range []bool{false, true} {
			r := &Restriction{Names: s, Only: only}
			for name, c := range calls {
				named := strings.Contains(" "+want+" ", " "+name+" ")
				closed := named
				if only {
					closed = !named && name != "help" && name != "free" && name != "ours"
				}
				if r.Refuses(c) != closed {
					t.Errorf("%q, only %v: %s is closed: %v", names, only, name, !closed)
				}
			}
		}
		if again, err := ParseSet(s.String()); err != nil || again.String() != s.String() {
			t.Errorf("%q is written as %q: %v", names, s, err)
		}
	}
	for _, bad := range []string{"", " , ", "everything", "emergency", "ZZ", "+", "+0", "+1234567890123456", "above", "above -1p", "above ten", "L", "+44 x"} {
		if s, err := ParseSet(bad); err == nil {
			t.Errorf("%q was read as %q", bad, s)
		}
	}
}

// TestStoredPricesHaveNoCurrency: the server starts also when the provider bills in another currency than when a restriction was stored.
func TestStoredPricesHaveNoCurrency(t *testing.T) {
	for _, text := range []string{"above 10p", "above 0.25p, LV, paid"} {
		s, err := ParseSet(text)
		must(t, err)
		stored, err := s.MarshalText()
		must(t, err)
		euro, err := money.CurrencyOf("EUR")
		must(t, err)
		back, err := ParseSetIn(euro, string(stored))
		if err != nil || back.Above != s.Above || back.String() != s.String() {
			t.Errorf("%q was stored as %q and read as %q: %v", text, stored, back, err)
		}
	}
}

// TestIdleRanges: a range that can never refuse a call is found, and none that can.
func TestIdleRanges(t *testing.T) {
	for text, want := range map[string]string{
		"LV, +44843, +1, +4, +3906, +881, +442079460000": "", "+371, +440843": "+440843", "+999": "+999", "+4400": "+4400",
	} {
		s, err := ParseSet(text)
		must(t, err)
		if got := s.Idle(); got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// TestHours: by the clocks of the customer, over midnight, on holidays and on the nights when clocks change.
func TestHours(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	must(t, err)
	h, err := ParseHours("mon-fri 18:00-08:00, Sat, sun, 2026-12-25, 24:00-02:00")
	if err == nil {
		t.Error("a time that begins at 24:00 was taken")
	}
	h, err = ParseHours("mon-fri 18:00-08:00, Sat, sun, 2026-12-25")
	must(t, err)
	for at, want := range map[string]bool{
		"2026-11-27 17:59:59": false, // a Friday
		"2026-11-27 18:00:00": true,
		"2026-11-28 07:59:59": true, // Saturday
		"2026-11-29 23:59:59": true, // Sunday
		"2026-11-30 00:00:00": false,
		"2026-11-30 07:00:00": false, // no span begins on Sunday evening
		"2026-11-30 23:00:00": true,
		"2026-12-01 07:59:59": true,
		"2026-12-01 08:00:00": false,
		"2026-12-25 12:00:00": true, // a Friday
		"2026-12-24 12:00:00": false,
	} {
		now, err := time.ParseInLocation(time.DateTime, at, london)
		must(t, err)
		if h.Has(now.UTC(), london) != want {
			t.Errorf("%s is within: %v", at, !want)
		}
	}
	beirut, err := time.LoadLocation("Asia/Beirut") // a Sunday in March begins at 01:00: an hour before the Monday after it is on the Sunday
	must(t, err)
	h, err = ParseHours("sun 22:00-12:00")
	must(t, err)
	for at, want := range map[string]bool{"2026-03-29 01:30:00": false, "2026-03-30 00:30:00": true, "2026-03-30 11:59:00": true, "2026-03-31 00:30:00": false} {
		now, err := time.ParseInLocation(time.DateTime, at, beirut)
		must(t, err)
		if h.Has(now, beirut) != want {
			t.Errorf("Beirut, %s is within: %v", at, !want)
		}
	}
	night, err := ParseHours("01:00-02:00")
	must(t, err)
	spring := time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)  // 01:00 to 02:00 is not shown by any clock
	autumn := time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC) // and twice here
	count := func(from time.Time) (minutes int) {
		for i := range 180 {
			if night.Has(from.Add(time.Duration(i)*time.Minute), london) {
				minutes++
			}
		}
		return minutes
	}
	if a, b := count(spring), count(autumn); a != 0 || b != 120 {
		t.Errorf("%d minutes in spring, %d in autumn", a, b)
	}
	for _, bad := range []string{"mon-", "8:00", "mon 25:00-26:00", "mo", "mon 08:00-09:00 x", "2026-13-01", strings.Repeat("mon,", 41)} {
		if h, err := ParseHours(bad); err == nil {
			t.Errorf("%q was read as %q", bad, h)
		}
	}
}

// TestAsTextAndBack: hours and restrictions survive being stored.
func TestAsTextAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.SampledFrom([]string{"", "mon ", "fri-tue ", "sat-sun ", "sun-sat ", "mon-sat ", "wed-tue ", "2026-12-25 "})
		clock := rapid.SampledFrom([]string{"00:00", "08:00", "12:30", "23:59"})
		parts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return days.Draw(t, "days") + clock.Draw(t, "from") + "-" + clock.Draw(t, "until")
		}), 0, maxSpans).Draw(t, "parts")
		h, err := ParseHours(strings.Join(parts, ", "))
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseSet("abroad, LV, +44843, above 3.5p")
		if err != nil {
			t.Fatal(err)
		}
		r := Restriction{ID: 7, Names: s, Hours: h, Since: time.Unix(1e9, 0).UTC(), Ends: true, Why: "x"}
		body, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		var back Restriction
		if err := json.Unmarshal(body, &back); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(&back)
		if err != nil || string(again) != string(body) {
			t.Fatalf("%s\n%s: %v", body, again, err)
		}
		for i := range 7 * 24 * 4 {
			at := time.Date(2026, 12, 21, 0, 15*i, 0, 0, time.UTC)
			if h.Has(at, time.UTC) != back.Hours.Has(at, time.UTC) {
				t.Fatalf("%s and %s differ at %v", h, back.Hours, at)
			}
		}
	})
}
