package main

import (
	"strings"
	"testing"
	"time"

	"ringfence/edge/rest/api"
)

// Which day "friday" is, is the server's to say; what is no time at all is told before anything is sent.
func TestPointsAreSentAsTyped(t *testing.T) {
	for _, text := range []string{"friday", "2026-12-01", "2026-12-01 18:00", "+3d", "-90m", "today", "now", "2026-07-01T18:00:00Z"} {
		var p point
		if err := p.UnmarshalText([]byte(" " + text)); err != nil || string(p) != text {
			t.Errorf("%s: %q, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "someday", "2026-13-01", "+d", "12", "3d", strings.Repeat("9", 500)} {
		var p point
		if err := p.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "want one of") || len(err.Error()) > 300 {
			t.Errorf("%q: %v", text, err)
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
		err := assign(&api.PatchLine{}, strings.Fields(c.args), grantFlags{})
		if err == nil || codeOf(err) != exitUsage || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.args, err, c.want)
		}
	}
	if err := assign(&api.PatchLine{}, nil, grantFlags{Until: "friday"}); err == nil {
		t.Error("--until without --grant passed")
	}
	var b api.PatchLine
	err := assign(&b, []string{"nets=192.0.2.7, 2001:db8::/32", "max-calls=3", "name=a=b", "honeypot=on"}, grantFlags{Grant: true})
	if err != nil || len(*b.Nets) != 2 || len(b.Set) != 1 || !b.Set[0].Grant || *b.Name != "a=b" || !*b.Honeypot {
		t.Errorf("%+v, %v", b, err)
	}
	if err := assign(&b, []string{"nets=none"}, grantFlags{}); err != nil || b.Nets == nil || len(*b.Nets) != 0 {
		t.Errorf("nets=none: %+v, %v", b, err)
	}
	var trunk api.PatchTrunk
	err = assign(&trunk, []string{"priority=5", "disabled=no", "addresses=192.0.2.1:5060 192.0.2.2:5060"}, grantFlags{})
	if err != nil || *trunk.Priority != 5 || *trunk.Disabled || len(*trunk.Addresses) != 2 || trunk.Transport != nil {
		t.Errorf("%+v, %v", trunk, err)
	}
	for _, wrong := range []string{"password=x", "max-calls=3", "priority=x", "emergency=maybe"} {
		if err := assign(&api.PatchTrunk{}, []string{wrong}, grantFlags{}); err == nil || codeOf(err) != exitUsage {
			t.Errorf("trunk %s: %v", wrong, err)
		}
	}
}

func TestSpanOrNone(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "24h": 24 * time.Hour} {
		d := spanOrNone{span{time.Hour}}
		if err := d.UnmarshalText([]byte(text)); err != nil || d.Duration != want {
			t.Errorf("%s: %v, %v", text, d.Duration, err)
		}
	}
	var d spanOrNone
	if err := d.UnmarshalText([]byte("-1h")); err == nil {
		t.Errorf("-1h is taken for %v", d.Duration)
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
