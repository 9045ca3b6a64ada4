package score_test

import (
	"slices"
	"testing"

	"ringfence/app/score"
	"ringfence/core/money"
	"ringfence/sim"
)

// short is a scenario with few people and two attacks, so that all of them are played within a minute.
func short(t *testing.T, name string) *sim.World {
	t.Helper()
	s, err := sim.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{"small-office", "family", "plumber", "solicitor"}
	for i := range s.Attacks {
		a := &s.Attacks[i]
		a.Count, a.Week = 2, []int{4, 4}
		if len(a.Victims) > 0 {
			kinds = append(kinds, a.Victims[:min(len(a.Victims), 2)]...)
		}
	}
	if len(s.Attacks) == 0 && s.People[0].Kind != "plumber" {
		kinds = []string{"worship", "students", "recruiter"}
	}
	slices.Sort(kinds)
	s.People, s.Weeks = nil, 6
	for _, k := range slices.Compact(kinds) {
		s.People = append(s.People, sim.People{Kind: k, Customers: 1})
	}
	for i := range s.Attacks {
		if v := s.Attacks[i].Victims; len(v) > 0 {
			s.Attacks[i].Victims = v[:min(len(v), 2)]
		}
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	w, err := s.World(sim.Options{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// looser are bounds of today where the short form of a scenario misses what its file expects: of the dearest attack in pounds, and of the honest calls that are
// stopped. Who makes a rule better puts the file's own bound in force again by taking the row away. False answers have no bound in their file.
var looser = map[string]struct {
	loss   money.Micro
	honest int
}{
	"call-selling":       {loss: 20},
	"connection-charges": {loss: 15},
	"first-week":         {honest: 120},
	"forwarding":         {loss: 45},
	"mali-minutes":       {loss: 5},
	"new-customer":       {loss: 150},
	"own-telephone":      {loss: 80, honest: 120},
	"resold-ordinary":    {loss: 150},
	"rotating-ranges":    {loss: 5},
	"slow-drip":          {honest: 160},
	"slow-drip-busy":     {loss: 300, honest: 120},
	"stolen-sim":         {loss: 30, honest: 120},
	"tests-ahead":        {loss: 60},
	"three-countries":    {loss: 6},
	"two-lines":          {loss: 100, honest: 160},
	"wangiri":            {loss: 15, honest: 120},
	"web-form":           {loss: 250, honest: 20},
}

// least honest calls that may be stopped: of so few calls one more says nothing.
const fewStopped = 10

// TestEveryScenario: each scenario of the program runs, says what must come of it, and comes to that in a short form with few people and two attacks, or to the
// looser bound above.
func TestEveryScenario(t *testing.T) {
	t.Parallel()
	all := sets(t)[3:]
	for _, name := range sim.Names() {
		w := short(t, name)
		e := w.Scenario.Expect
		if e == (sim.Expect{}) {
			t.Errorf("%s does not say what must come of it", name)
		}
		outcomes, err := score.Run(w, 2, all...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		base, ours := &outcomes[0], &outcomes[1]
		if len(ours.Attacks) != len(w.Attacks()) || ours.Honest < 1000 {
			t.Errorf("%s: %d attacks of %d, %d honest calls", name, len(ours.Attacks), len(w.Attacks()), ours.Honest)
			continue
		}
		bound, stops := looser[name].loss*money.Pound, max(looser[name].honest, fewStopped)
		if bound == 0 && e.MedianLoss != nil {
			bound = money.Micro(*e.MedianLoss)
		}
		var most, alone money.Micro
		for i := range ours.Attacks {
			most, alone = max(most, ours.Attacks[i].Loss), max(alone, base.Attacks[i].Loss)
		}
		if len(ours.Attacks) > 0 && alone < 5*money.Pound {
			t.Errorf("%s: its attacks take %s under ceilings and caps: they say nothing", name, alone)
		}
		if bound > 0 && most > bound {
			t.Errorf("%s: an attack takes %s, at most %s", name, most, bound)
		}
		if bound == 0 && most > alone {
			t.Errorf("%s: an attack takes %s, without the rules %s", name, most, alone)
		}
		if e.HonestStopped != nil && ours.Stopped > max(stops, int(*e.HonestStopped*float64(ours.Honest)/100_000)) {
			t.Errorf("%s: %d of %d honest calls are stopped, at most %d", name, ours.Stopped, ours.Honest, stops)
		}
	}
}
