package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"ringfence/app/config"
	"ringfence/core/habit"
	"ringfence/core/money"
)

// The defaults of [watch] are those of core/habit: there is one source.
func TestWatchDefaultsAreTheBuiltInRules(t *testing.T) {
	c := config.Default()
	if got := c.Rules(); !reflect.DeepEqual(got, habit.Default()) {
		t.Errorf("got %+v\nwant %+v", got, habit.Default())
	}
	for kind, m := range c.LiveRules().Meters {
		if m.Life != habit.Shadow {
			t.Errorf("a server trusts %v as %v before anyone says so", habit.MeterKind(kind), m.Life)
		}
	}
}

func TestWatchIsRead(t *testing.T) {
	c, err := config.Parse([]byte(`
[watch]
calls = "canary"
headroom = 2.5
little = "£1.50"
learning = 30
[watch.range]
life = "shadow"
floor = 7
memory = "48h"
first = "country"
[watch.pace]
life = "off"
[watch.signs]
odd-hour = 1
burst = "3.25"
[watch.lasts]
range = "30m"
pace = "1h"
`), "r.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := habit.Default()
	want.Headroom, want.Little, want.Learning = 640, money.Pound+money.Pound/2, 30
	for kind := range want.Meters {
		want.Meters[kind].Life = habit.Canary
	}
	want.Meters[habit.Range] = habit.Meter{Life: habit.Shadow, Floor: 7 * money.Pound, Memory: 48 * time.Hour, First: habit.OneCountry}
	want.Meters[habit.Pace].Life = habit.Off
	want.Signs[habit.OddHour], want.Signs[habit.Burst] = habit.NoFactor, 832
	want.Lasts[habit.OneRange], want.PaceLasts = 30, 60
	if got := c.Rules(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got := c.LiveRules(); !reflect.DeepEqual(got, want) {
		t.Errorf("a server: got %+v\nwant %+v", got, want)
	}
	c.Watch.Calls = "off"
	if c.LiveRules() != nil {
		t.Error("off, but a server watches")
	}
}

// A rule that can never fire, or whose answer cannot act, is refused with its place and the cure.
func TestWatchRefusals(t *testing.T) {
	off := ""
	for s := range habit.NumSigns {
		off += s.String() + " = 1\n"
	}
	for _, c := range []struct{ text, want string }{
		{"[watch]\ncalls = 'on'", `r.toml:2: watch.calls: found "on", want "live", "canary", "shadow" or "off"`},
		{"[watch.range]\nlife = 'alive'", `r.toml:2: watch.range.life: found "alive", want "live", "canary", "shadow" or "off"`},
		{"[watch.range]\n\nfloor = '0'", `r.toml:3: watch.range.floor: found "0", want an amount ("3", "2.50") of at least 0.01`},
		{"[watch.line]\nfloor = 'much'", `r.toml:2: watch.line.floor: found "much"`},
		{"[watch.line]\nfloor = 500000", `r.toml:2: watch.line.floor: found "500000.00", want at most `},
		{"[watch.pace]\nfloor = 200", `r.toml:2: watch.pace.floor: found "200.00", want at most 150.00`},
		{"[watch.pace]\nfloor = 200\n[provider.settings]\nline-month-cap = 100", `r.toml:2: watch.pace.floor: found "200.00", want at most 100.00`},
		{"[watch.signs]\n" + off, `watch.pace.life: can never fire`},
		{"[watch.range]\nmemory = '0s'", `r.toml:2: watch.range.memory: found "0s", want a length of time ("90m", "72h") from 10m to 2160h`},
		{"[watch.range]\nmemory = 0", `r.toml:2: watch.range.memory: found "0", want a length of time`},
		{"[watch.range]\nfirst = 'notice'", `r.toml:2: watch.range.first: found "notice", want "range", "country", "narrow", "abroad", "paid" or "login"`},
		{"[watch.signs]\nodd-hour = 0", `r.toml:2: watch.signs.odd-hour: found "0", want a factor from 1 to 16 ("1.5")`},
		{"[watch.signs]\nodd-hour = nan", `r.toml:2: watch.signs.odd-hour: `},
		{"[watch.signs]\nodd-our = 2", `r.toml:2: watch.signs.odd-our: no such key: did you mean watch.signs.odd-hour?`},
		{"[watch.lasts]\nabroad = '0s'", `r.toml:2: watch.lasts.abroad: found "0s", want a length of time ("90m", "72h") from 1m to 672h`},
		{"[watch.lasts]\npace = '59s'", `r.toml:2: watch.lasts.pace: found "59s"`},
		{"[watch]\nheadroom = 0.5", `r.toml:2: watch.headroom: found "0.5", want a factor from 1 to 16`},
		{"[watch]\nlearning = 1000", `r.toml:2: watch.learning: found "1000", want a whole number of days from 1 to 90`},
	} {
		_, err := config.Parse([]byte(c.text), "r.toml")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
	if _, err := config.Parse([]byte("[provider.settings]\nline-month-cap = 1"), "r.toml"); err != nil {
		t.Errorf("a low cap: %v", err)
	}
	if _, err := config.Parse([]byte("[watch.pace]\nlife = 'off'\nfloor = 200\n[watch.signs]\n"+off), "r.toml"); err != nil {
		t.Errorf("what is off need not fire: %v", err)
	}
}

func TestWatchReloads(t *testing.T) {
	old, next := config.Default(), config.Default()
	next.Watch.Calls, next.Watch.Range.Floor, next.Watch.Signs.Burst = "live", "9", "1"
	got, applied, restart := config.Reload(old, next)
	if len(applied) != 3 || len(restart) != 0 || got.Watch != next.Watch {
		t.Errorf("applied %+v, restart %+v", applied, restart)
	}
}
