package main

import (
	"strings"
	"testing"
	"time"
)

func TestParseWhen(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, london) // the day before the clocks go forward
	for text, want := range map[string]string{
		"now": "2026-03-28T12:00:00Z", "today": "2026-03-28T00:00:00Z", "tomorrow": "2026-03-29T00:00:00Z",
		"yesterday": "2026-03-27T00:00:00Z", "2026-12-01": "2026-12-01T00:00:00Z", "2026-07-01 18:00": "2026-07-01T18:00:00+01:00",
		"2026-07-01T18:00:00Z": "2026-07-01T18:00:00Z", "+1d": "2026-03-29T12:00:00+01:00", "+24h": "2026-03-29T13:00:00+01:00", "-90m": "2026-03-28T10:30:00Z",
	} {
		got, err := parseWhen(text, now)
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %s, %v; want %s", text, got.Format(time.RFC3339), err, want)
		}
	}
	for _, text := range []string{"", "friday", "2026-13-01", "+d", "+999999999d", "12", "3d", strings.Repeat("9", 500)} {
		if got, err := parseWhen(text, now); err == nil || !strings.Contains(err.Error(), "want one of") || len(err.Error()) > 300 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestAssignments(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"national-ceiling", "want FIELD=VALUE"},
		{"nationl-ceiling=3p", "did you mean national-ceiling?"},
		{"nam=x", "did you mean name?"},
		{"zzzzzzzz=1", "there are national-ceiling, "},
		{"name=a name=b", "given twice"},
		{"nets=192.0.2.1/24", "192.0.2.1/24"},
	} {
		_, err := parseAssignments(strings.Fields(c.args), []string{"name"}, grantFlags{})
		if err == nil || codeOf(err) != exitUsage || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.args, err, c.want)
		}
	}
	if _, err := parseAssignments(nil, nil, grantFlags{Until: when{time.Now()}}); err == nil {
		t.Error("--until without --grant passed")
	}
	a, err := parseAssignments([]string{"nets=192.0.2.7, 2001:db8::/32", "max-calls=3", "name=a=b"}, []string{"name"}, grantFlags{Grant: true})
	if err != nil || len(*a.nets) != 2 || len(a.set) != 1 || !a.set[0].Grant || *a.text("name") != "a=b" {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err = parseAssignments([]string{"nets=none"}, nil, grantFlags{}); err != nil || a.nets == nil || len(*a.nets) != 0 {
		t.Errorf("nets=none: %+v, %v", a, err)
	}
}

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "1s": time.Second, "1h30m": 90 * time.Minute,
	} {
		var d span
		if err := d.UnmarshalText([]byte(text)); err != nil || d.Duration != want {
			t.Errorf("%s: %v, %v", text, d.Duration, err)
		}
	}
	for _, text := range []string{"", "0", "7", "d", "-1d", "0d", "3x", "-5m", "1ns", "99999999999999999999d", "1.5d", "+2w2", "5001d"} {
		var d span
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %v", text, d.Duration)
		}
	}
}
