package score

import (
	"fmt"

	"ringfence/core/money"
	"ringfence/sim"
)

// Misses compares what came of a scenario, over all its seeds and under one set, with what it says must come of it: a sentence for each that did not. reference
// are the outcomes under the set that says which attacks count.
func Misses(s *sim.Scenario, outcomes, reference []Outcome) (misses []string) {
	var all class
	honest, stopped, restricted, months := 0, 0, 0, 0.0
	for i := range outcomes {
		o := &outcomes[i]
		honest, stopped, restricted, months = honest+o.Honest, stopped+o.Stopped, restricted+o.Restricted, months+o.LineMonths
		for j := range o.Attacks {
			if reference[i].Attacks[j].Loss >= worth {
				all.add(&o.Attacks[j])
			}
		}
	}
	miss := func(format string, args ...any) { misses = append(misses, s.Name+": "+fmt.Sprintf(format, args...)) }
	e := &s.Expect
	if len(all.losses) > 0 {
		if m := at(all.losses, 0.5); e.MedianLoss != nil && m > money.Micro(*e.MedianLoss) {
			miss("half of the attacks took more than %s, expected %s", pounds(m), pounds(money.Micro(*e.MedianLoss)))
		}
		if m := at(all.losses, 1); e.WorstLoss != nil && m > money.Micro(*e.WorstLoss) {
			miss("an attack took %s, expected at most %s", pounds(m), pounds(money.Micro(*e.WorstLoss)))
		}
		if share := 100 * (1 - float64(all.loss)/float64(max(all.whole, 1))); e.PoundsStopped != nil && share < *e.PoundsStopped {
			miss("%.1f %% of the money was saved, expected %.1f %%", share, *e.PoundsStopped)
		}
		late := len(all.losses) - all.inTime
		if (e.FirstAction != nil || e.FirstActionCalls != nil) && late > len(all.losses)/2 {
			miss("%d of %d attacks met no action within 3 calls or a minute", late, len(all.losses))
		}
	}
	if x := per(stopped, honest); e.HonestStopped != nil && x > *e.HonestStopped {
		miss("%.1f of 100,000 honest calls were stopped, expected %.1f", x, *e.HonestStopped)
	}
	if x := float64(restricted) / max(months, 1); e.LinesRestricted != nil && x > *e.LinesRestricted {
		miss("%.4f lines were restricted for each month of a line, expected %.4f", x, *e.LinesRestricted)
	}
	return misses
}
