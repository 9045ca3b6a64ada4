package account

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringfence/core/restrict"
)

func TestWhatLoosens(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	set := func(f Field, n int64) *Settings {
		s := &Settings{}
		s.Values[f] = Value{Set: true, N: n}
		return s
	}
	nets := func(all ...string) *Settings {
		s := &Settings{}
		for _, n := range all {
			s.Nets = append(s.Nets, netip.MustParsePrefix(n))
		}
		return s
	}
	closed := func(finding string, until time.Time) *Settings {
		return &Settings{Restrictions: []restrict.Restriction{{ID: 7, Finding: finding, Until: until}}}
	}
	granted := &Settings{}
	granted.Values[MaxCalls] = Value{Set: true, N: 50, Granted: true, Until: now.Add(time.Hour), Kept: true, KeptN: 2}
	for what, c := range map[string]struct {
		was, is *Settings
		want    string
	}{
		"nothing":                 {&Settings{}, &Settings{}, ""},
		"lower":                   {set(MaxCalls, 5), set(MaxCalls, 3), ""},
		"higher":                  {set(MaxCalls, 3), set(MaxCalls, 5), "max-calls from 3 to 5"},
		"taken back":              {set(MaxCalls, 3), &Settings{}, "max-calls from 3 to 10"},
		"above what stands above": {set(MaxCalls, 10), set(MaxCalls, 99), ""},
		"a warning":               {set(LineWarning, 1), set(LineWarning, 1e9), ""},
		"only after a grant":      {granted, set(MaxCalls, 9), "max-calls from 2 to 9"},
		"an IP lock":              {&Settings{}, nets("192.0.2.0/24"), ""},
		"a narrower one":          {nets("192.0.2.0/24"), nets("192.0.2.7/32"), ""},
		"a wider one":             {nets("192.0.2.7/32"), nets("192.0.2.0/24"), "the IP lock from 192.0.2.7"},
		"another one":             {nets("192.0.2.7/32"), nets("192.0.2.8/32"), "the IP lock"},
		"none":                    {nets("192.0.2.7/32"), &Settings{}, "to none"},
		"one more restriction":    {&Settings{}, closed("", time.Time{}), ""},
		"a restriction lifted":    {closed("", time.Time{}), &Settings{}, "restriction 7"},
		"an automatic one lifted": {closed("x", time.Time{}), &Settings{}, ""},
		"one whose time is over":  {closed("", now.Add(-time.Hour)), &Settings{}, ""},
	} {
		above := Defaults()
		got := strings.Join(Loosens(c.was, c.is, now, &above), "; ")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}

func TestAWaitCanBeUndoneForADay(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	c, wait := Cooling{}.Set(day, "ring Sam", now)
	if wait || c.Wait != day {
		t.Fatalf("the first wait: %+v, %v", c, wait)
	}
	c.Since = now.Add(-48 * time.Hour)
	long, wait := c.Set(30*day, "ring Sam", now)
	if wait || long.Was != day {
		t.Fatalf("a longer wait: %+v, %v", long, wait)
	}
	longer, _ := long.Set(29*day, "ring Sam", now)
	if back, wait := longer.Set(day, "ring Sam", now.Add(23*time.Hour)); wait || back.Wait != day {
		t.Errorf("undone within a day: %+v, %v", back, wait)
	}
	if _, wait := long.Set(day, "ring Sam", now.Add(25*time.Hour)); !wait {
		t.Error("undone after a day")
	}
	if _, wait := long.Set(day-1, "ring Sam", now); !wait {
		t.Error("shorter than before")
	}
	if _, wait := c.Set(0, "ring Sam", now); !wait {
		t.Error("no wait at all, at once")
	}
	if _, wait := c.Set(day, "", now); !wait {
		t.Error("the note taken away at once")
	}
}
