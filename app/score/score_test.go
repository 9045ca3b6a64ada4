package score_test

import (
	"bytes"
	"strings"
	"testing"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/app/score"
	"ringfence/core/money"
	"ringfence/sim"
)

func sets(t *testing.T) []score.Rules {
	t.Helper()
	cfg := config.Default()
	base, err := app.ReplaySet("built-in", &cfg, sim.Deck())
	if err != nil {
		t.Fatal(err)
	}
	return score.Sets(base)
}

func world(t *testing.T, name string, o sim.Options) *sim.World {
	t.Helper()
	s, err := sim.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.World(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestAttacksCostLess: the short form of `ringfence score`. Of each incident the built-in rules let less through than ceilings and caps do, and of a stolen login
// at night a small part. No figure here is a bar: those are what `make score` prints.
func TestAttacksCostLess(t *testing.T) {
	all := sets(t)
	all = []score.Rules{all[0], all[3], all[4]}
	last, base := len(all)-1, len(all)-2
	for _, name := range []string{"gambia-night", "wangiri"} {
		w := world(t, name, sim.Options{Seed: 7, Lines: 30})
		outcomes, err := score.Run(w, 2, all...)
		if err != nil {
			t.Fatal(err)
		}
		var with, without, limitless money.Micro
		for i := range outcomes[last].Attacks {
			with, without, limitless = with+outcomes[last].Attacks[i].Loss, without+outcomes[base].Attacks[i].Loss, limitless+outcomes[0].Attacks[i].Loss
		}
		if without == 0 || with > without/3 || without > limitless {
			t.Errorf("%s: %s under the built-in rules, %s under ceilings and caps, %s without limits", name, with, without, limitless)
		}
		if o := outcomes[last]; o.Honest == 0 || o.Stopped*100 > o.Honest {
			t.Errorf("%s: %d of %d honest calls were stopped", name, o.Stopped, o.Honest)
		}
		var table score.Table
		table.Add(all, outcomes)
		var text bytes.Buffer
		if err := table.Write(&text); err != nil || !strings.Contains(text.String(), "| Ringfence | £") {
			t.Errorf("%v\n%s", err, text.String())
		}
	}
}

// TestWorkersDoNotMatter: the outcome of a scenario is the same whatever the number of workers.
func TestWorkersDoNotMatter(t *testing.T) {
	all := sets(t)[4:]
	var want []score.Outcome
	for workers := 1; workers <= 2; workers++ {
		got, err := score.Run(world(t, "rotating-ranges", sim.Options{Seed: 3, Lines: 25}), workers, all...)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if got[0].Honest != want[0].Honest || got[0].Stopped != want[0].Stopped || got[0].Restricted != want[0].Restricted || len(got[0].Attacks) != len(want[0].Attacks) {
			t.Fatalf("%d workers: %+v, one: %+v", workers, got[0], want[0])
		}
		for i := range got[0].Attacks {
			if got[0].Attacks[i].Loss != want[0].Attacks[i].Loss || got[0].Attacks[i].After != want[0].Attacks[i].After {
				t.Errorf("%d workers: attack %d cost %s, with one %s", workers, i, got[0].Attacks[i].Loss, want[0].Attacks[i].Loss)
			}
		}
	}
}

// TestExpectationsAreCompared: what a scenario expects and did not get is said in a sentence.
func TestExpectationsAreCompared(t *testing.T) {
	s, err := sim.Load("gambia-night")
	if err != nil {
		t.Fatal(err)
	}
	attacks := []score.Attack{{Attack: &sim.Attack{Class: "stolen-login", Label: "stolen-login/1"}, Loss: 100 * money.Pound, Whole: 100 * money.Pound}}
	bad := []score.Outcome{{Attacks: attacks, Honest: 1000, Stopped: 10}}
	misses := score.Misses(s, bad, bad)
	if len(misses) < 3 || !strings.Contains(strings.Join(misses, "\n"), "gambia-night: an attack took £100.00, expected at most £") {
		t.Errorf("%q", misses)
	}
}
