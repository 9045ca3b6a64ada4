package score

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/money"
	"ringfence/flow/play"
	"ringfence/flow/replay"
	"ringfence/sim"
)

// Drill is what an attack does to a line under one set of rules.
type Drill struct {
	Attack   *sim.Attack
	Alone    Attack // under settings alone
	Watched  Attack // and with calls watched
	Honest   int    // honest calls of the customer while it lasted, and how many of them were stopped
	Stopped  int
	Timeline []Moment
}

// Moment is something that happened in a drill.
type Moment struct {
	At   time.Time
	Text string
}

// RunDrill plays a scenario, and tells the story of each of its attacks.
func RunDrill(w *sim.World, base, watched replay.Set) ([]Drill, error) {
	lines := map[string]*sim.Attack{}
	drills := map[*sim.Attack]*Drill{}
	for _, a := range w.Attacks() {
		drills[a] = &Drill{Attack: a}
		for _, l := range a.Lines {
			lines[l.ID] = a
		}
	}
	ours := Rules{Name: "watched", Set: watched}
	ours.Found = func(f *play.Found) {
		a := lines[f.Call.Line]
		if a == nil || f.At.Before(a.Begin.Add(-before)) || f.At.After(a.End.Add(before)) {
			return
		}
		d := drills[a]
		d.Timeline = append(d.Timeline, Moment{f.At, Words(f)})
	}
	ours.Stopped = func(x *play.Result) {
		if a := lines[x.Call.Line]; a != nil {
			drills[a].Stopped++
		}
	}
	outcomes, err := Run(w, 1, Rules{Name: "alone", Set: base}, ours)
	if err != nil {
		return nil, err
	}
	var all []Drill
	for i := range outcomes[0].Attacks {
		d := drills[outcomes[0].Attacks[i].Attack]
		d.Alone, d.Watched = outcomes[0].Attacks[i], outcomes[1].Attacks[i]
		d.Timeline = append(d.Timeline, Moment{d.Attack.Begin, "the attack begins"})
		if d.Watched.Acted {
			d.Timeline = append(d.Timeline, Moment{d.Attack.Begin.Add(d.Watched.After), "the first of its calls is stopped"})
		}
		slices.SortStableFunc(d.Timeline, func(a, b Moment) int { return a.At.Compare(b.At) })
		all = append(all, *d)
	}
	return all, nil
}

// before is how long before an attack, and after it, a finding belongs to its story: tests are made ahead.
const before = 10 * 24 * time.Hour

// Loss adds up what drills cost.
func Loss(all []Drill) (alone, watched money.Micro) {
	for i := range all {
		alone, watched = alone+all[i].Alone.Loss, watched+all[i].Watched.Loss
	}
	return alone, watched
}

// Words says what was found, and what was done.
func Words(f *play.Found) string {
	text := "noticed: "
	if len(f.Answer.Restrictions) > 0 {
		text = fmt.Sprintf("closed (%s) until %s: ", f.Answer.Step, f.Answer.Until.Format("2 Jan 15:04"))
	}
	text += fmt.Sprintf("the meter %s is at %s of %s after a call to %s", f.Meter, pounds(f.Level), pounds(f.Allowance), f.Call.Dialled)
	if f.Signs != 0 {
		text += " (" + strings.ReplaceAll(f.Signs.String(), " ", ", ") + ")"
	}
	return text
}
