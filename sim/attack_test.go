package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
)

// shape is what the calls of an attack look like.
type shape struct {
	*Attack
	w                   *World
	calls, in, tests    int // calls out that are no tests; calls in; tests
	lines, nums, blocks map[string]int
	rows                map[string]int
	sources, agents     map[string]int
	ends                []int64 // of calls in progress
	peak                int
	first, last         time.Time
	firstTest           time.Time
	longest             time.Duration
	dearest             int
	longestIn           time.Duration
	rang                time.Duration // the longest
}

func (x *shape) add(c *Call) {
	switch {
	case c.Inbound:
		x.in++
		x.longestIn = max(x.longestIn, c.Rings)
		return
	case c.Test:
		if x.tests++; x.firstTest.IsZero() {
			x.firstTest = c.At
		}
		return
	}
	x.calls++
	for _, e := range []struct {
		m map[string]int
		k string
	}{{x.lines, c.Line}, {x.nums, c.to.name + c.Dialled[len(c.Dialled)-6:]}, {x.blocks, c.to.name + c.Dialled[len(c.Dialled)-6:len(c.Dialled)-3]}, {x.rows, c.to.name}, {x.sources, c.Source}, {x.agents, c.UserAgent}} {
		e.m[e.k]++
	}
	if x.first.IsZero() {
		x.first = c.At
	}
	x.last, x.rang = c.At, max(x.rang, c.Rings)
	if c.Answered {
		x.longest = max(x.longest, c.Talk)
	}
	if l := x.limits(); l == nil || l.reaches(c.to) {
		x.dearest = max(x.dearest, c.to.first)
		now := c.At.Unix()
		x.ends = slices.DeleteFunc(x.ends, func(end int64) bool { return end <= now })
		x.ends = append(x.ends, now+int64((c.Rings+c.Talk)/time.Second))
		x.peak = max(x.peak, len(x.ends))
	}
}

func (x *shape) limits() *limits {
	if len(x.Lines) == 0 {
		return nil
	}
	return &x.Lines[0].limits
}

func (x *shape) span() time.Duration { return x.last.Sub(x.first) }

func (x *shape) top(m map[string]int) (most int) {
	for _, n := range m {
		most = max(most, n)
	}
	return most
}

// shapes plays a scenario under a seed.
func shapes(t *testing.T, name string, seed uint64) (all []*shape) {
	t.Helper()
	w := world(t, name, Options{Seed: seed, Lines: 130})
	of := map[*Attack]*shape{}
	for _, a := range w.Attacks() {
		s := &shape{Attack: a, w: w, lines: map[string]int{}, nums: map[string]int{}, blocks: map[string]int{}, rows: map[string]int{}, sources: map[string]int{}, agents: map[string]int{}}
		of[a] = s
		all = append(all, s)
	}
	for c := range w.Calls() {
		if c.Attack != nil {
			of[c.Attack].add(&c)
		}
	}
	return all
}

// TestAttacksHaveTheirPublishedShape compares every attack with the incident that its scenario is made after.
func TestAttacksHaveTheirPublishedShape(t *testing.T) {
	day := 24 * time.Hour
	for name, good := range map[string]func(x *shape) bool{
		"weekend-burst": func(x *shape) bool {
			return x.calls > 8000 && x.calls < 11600 && x.peak > 60 && x.peak <= 180 && x.span() < 41*time.Hour && x.span() > 25*time.Hour && x.top(x.nums) > x.calls/5 && len(x.lines) == 1
		},
		"gambia-night": func(x *shape) bool {
			return x.calls >= 25 && x.calls <= 55 && x.peak <= 2 && x.span() < 9*time.Hour && x.top(x.nums) >= x.calls-3
		},
		"three-countries": func(x *shape) bool {
			return x.calls > 3000 && x.peak > 100 && x.peak <= 230 && x.span() > 30*time.Hour && x.span() < 61*time.Hour && len(x.blocks) > 1
		},
		"mali-minutes": func(x *shape) bool { return x.calls > 120 && x.calls <= 600 && x.span() <= 16*time.Minute },
		"two-lines": func(x *shape) bool {
			return x.calls >= 60 && x.calls <= 180 && len(x.lines) <= 2 && x.peak <= 4 && x.span() > 24*time.Hour && x.span() <= 56*time.Hour
		},
		"slow-drip":       func(x *shape) bool { return x.peak <= 2 && x.span() > 10*day && x.calls > 200 },
		"slow-drip-busy":  func(x *shape) bool { return x.peak <= 2 && x.span() > 9*day && x.calls > 80 },
		"tests-ahead":     func(x *shape) bool { return x.tests >= 2 && x.Begin.Sub(x.firstTest) >= day },
		"rotating-ranges": func(x *shape) bool { return len(x.blocks) > 10 && x.top(x.rows) < x.calls/2 },
		"call-selling":    func(x *shape) bool { return len(x.rows) >= 4 && len(x.nums) > x.calls*8/10 },
		"resold-ordinary": func(x *shape) bool { return x.dearest <= 600 && len(x.nums) > x.calls*8/10 && x.calls > 500 },
		"stolen-login":    func(x *shape) bool { return x.calls >= 20 && x.sources[inForce(x.Lines[0].customer.nets, 0)] == 0 },
		"own-telephone": func(x *shape) bool {
			return x.peak == 1 && x.calls <= 90 && x.atHome()
		},
		"forwarding": func(x *shape) bool { return x.in >= x.calls && x.in <= x.calls+1 && x.peak <= 10 && x.atHome() },
		"wangiri": func(x *shape) bool {
			return x.in > 300 && x.in <= 1500 && x.longestIn <= 3*time.Second && x.calls > x.in/50 && x.calls < x.in/4
		},
		"web-form": func(x *shape) bool {
			return x.calls <= 60 && x.peak == 1 && x.span() > 2*day && len(x.nums) >= x.calls-2 && x.atHome()
		},
		"new-customer": func(x *shape) bool { return len(x.lines) >= 50 && len(x.lines) <= 80 && x.calls > 500 },
		"first-week": func(x *shape) bool {
			return x.Begin.Sub(x.Lines[0].FirstSeen) < 8*day && x.Begin.After(x.Lines[0].FirstSeen.Add(-12*time.Hour))
		},
		"stolen-sim":         func(x *shape) bool { return x.peak <= 6 && !x.atHome() && x.span() > 6*time.Hour },
		"connection-charges": func(x *shape) bool { return x.calls > 1200 && x.longest <= 5*time.Second },
		"false-answers":      func(x *shape) bool { return x.rang == 0 && x.longest < 5*time.Minute && x.atHome() },
	} {
		for seed := range uint64(1) {
			for _, x := range shapes(t, name, seed+1) {
				if !good(x) {
					t.Errorf("%s/%d %s: %d calls out, %d in, %d tests on %d lines to %d numbers (%d of the most called) in %d ranges of %d rows, %d concurrent, %v from %v, at most %v talk, first minute %d, rings %v",
						name, seed+1, x.Label, x.calls, x.in, x.tests, len(x.lines), len(x.nums), x.top(x.nums), len(x.blocks), len(x.rows), x.peak, x.span(), x.first, x.longest, x.dearest, x.rang)
				}
			}
		}
	}
}

// atHome says that all calls come from where, and from what, the victim's honest calls do.
func (x *shape) atHome() bool {
	for source := range x.sources {
		if !slices.ContainsFunc(x.Lines[0].customer.nets, func(c change[string]) bool { return c.to == source }) {
			return false
		}
	}
	for agent := range x.agents {
		if !slices.Contains(x.Lines[0].customer.kind.devices, agent) {
			return false
		}
	}
	return true
}

// TestNoTwoRunsAreTheSame: attacks differ from each other, so that no rule can learn one by heart.
func TestNoTwoRunsAreTheSame(t *testing.T) {
	seen := map[[3]int64]bool{}
	n := 0
	for seed := range uint64(2) {
		for _, x := range shapes(t, "stolen-login", seed+1) {
			seen[[3]int64{int64(x.calls), x.first.Unix(), int64(len(x.nums))}] = true
			n++
		}
	}
	if len(seen) != n || n != 16 {
		t.Errorf("%d attacks of %d are distinct", len(seen), n)
	}
}

// TestVictimsWithOtherSettings plays an attack on lines that have the settings of somebody else.
func TestVictimsWithOtherSettings(t *testing.T) {
	set := []Setting{{account.InternationalCeiling, "3.5"}, {account.NationalCeiling, "5"}, {account.MaxCalls, "4"}}
	w := world(t, "call-selling", Options{Seed: 2, Lines: 60, Victims: set})
	of := 0
	for c := range w.Calls() {
		if c.Attack != nil && (c.to.abroad() && c.to.first > 350 || !c.to.abroad() && c.to.first > 500) {
			t.Fatalf("%s is called at %d", c.to.name, c.to.first)
		}
		if c.Attack != nil {
			of++
		}
	}
	if l := w.Attacks()[0].Lines[0]; of < 500 || !slices.Contains(l.Settings, set[0]) || !slices.Contains(l.Settings, set[2]) {
		t.Errorf("%d calls on a line with %v", of, l.Settings)
	}
	s, err := Load("call-selling")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.World(Options{Victims: []Setting{{account.LongestCall, "60"}}}); err == nil || !strings.Contains(err.Error(), "maximum-duration") && !strings.Contains(err.Error(), "longest-call") {
		t.Errorf("%v does not name the setting", err)
	}
}
