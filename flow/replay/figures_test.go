package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ringfence/core/habit"
	"ringfence/core/rating"
)

// watching is a set whose rules that watch all have one life.
func watching(t *testing.T, life habit.Life) Set {
	set := rules(t, "international-ceiling=100", "national-ceiling=100", "line-day-cap=200", "account-day-cap=200", "line-month-cap=500", "account-month-cap=500")
	deck, err := Deck([]byte(gambia), rating.ReadOptions{})
	must(t, err)
	set.Deck, set.Habits = deck, habit.Default()
	for kind := range set.Habits.Meters {
		set.Habits.Meters[kind].Life = life
	}
	return set
}

func total(findings []Fired) (all Figures) {
	for i := range findings {
		all.merge(&findings[i].Figures)
	}
	return all
}

// TestShadowFigures: a shadow refuses nothing, and its figures say what the same rules would have stopped; what is live says what it stopped.
func TestShadowFigures(t *testing.T) {
	labels := map[string]string{}
	for i := 320; i < 365+45; i++ {
		labels[fmt.Sprintf("c%d", i)] = "gambia"
	}
	rows, r := playFile(t, officeAndThief(), Options{Sets: []Set{watching(t, habit.Shadow)}, Labels: labels})
	for id, row := range rows {
		if !strings.HasPrefix(row, "allowed,") {
			t.Errorf("%s: a shadow did this: %s", id, row)
		}
	}
	_, live := playFile(t, officeAndThief(), Options{Sets: []Set{watching(t, habit.Live)}, Labels: labels})
	would, did := total(r.Sets[0].Findings), total(live.Sets[0].Findings)
	if would.Fired == 0 || would.Stopped == 0 || would.Saved == 0 || would.Stopped > did.Stopped+5 || did.Stopped > would.Stopped+15 {
		t.Errorf("a shadow would have %+v, and what is live did %+v", would, did)
	}
	if would.Honest > 1 || did.Honest > 1 {
		t.Errorf("honest calls stopped: %+v, %+v", would, did)
	}
	for _, f := range r.Sets[0].Findings {
		if f.Life != "shadow" {
			t.Errorf("%+v", f)
		}
	}
	if !slices.ContainsFunc(r.Sets[0].Signs, func(s Signed) bool { return s.Name == "odd-hour" && s.Fired > 0 && s.Stopped > 0 && s.Factor == 2 }) {
		t.Errorf("%+v", r.Sets[0].Signs)
	}
	if !slices.Contains(r.Sets[0].Never, "sign baited") || slices.Contains(r.Sets[0].Never, "sign odd-hour") {
		t.Errorf("never fired: %v", r.Sets[0].Never)
	}
}

// TestCanaryIsLiveOrShadow: under a canary each customer's calls end as under live rules, or as under shadows.
func TestCanaryIsLiveOrShadow(t *testing.T) {
	file := header
	for line := range strings.Lines(strings.TrimPrefix(officeAndThief(), header)) {
		for k := 32; k < 40; k++ {
			file += strings.NewReplacer(",2001,acme,", fmt.Sprintf(",20%02d,k%d,", k, k), "c", fmt.Sprintf("c%d-", k)).Replace(line)
		}
	}
	var out [3]map[string]string
	var canary *Report
	for i, life := range []habit.Life{habit.Shadow, habit.Canary, habit.Live} {
		var r *Report
		if out[i], r = playFile(t, file, Options{Sets: []Set{watching(t, life)}, Workers: 2}); life == habit.Canary {
			canary = r
		}
	}
	acted := 0
	for k := 32; k < 40; k++ {
		as := [3]bool{true, false, true} // whether the canary's rows are those of the others
		for id, row := range out[1] {
			if strings.HasPrefix(id, fmt.Sprintf("c%d-", k)) {
				as[0], as[2] = as[0] && out[0][id] == row, as[2] && strings.SplitN(out[2][id], ",", 2)[0] == strings.SplitN(row, ",", 2)[0]
			}
		}
		if as[0] == as[2] {
			t.Errorf("customer %d: as under a shadow %v, as under live rules %v", k, as[0], as[2])
		}
		if as[2] {
			acted++
		}
	}
	if acted == 0 || acted > 4 {
		t.Errorf("a canary acted on %d of 8 customers", acted)
	}
	lives := map[string]int64{}
	for _, f := range canary.Sets[0].Findings {
		lives[f.Life] += f.Fired
	}
	if lives["canary"] == 0 || lives["shadow"] == 0 {
		t.Errorf("figures of a canary: %v", lives)
	}
}
