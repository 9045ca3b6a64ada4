package score

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/flow/play"
	"ringfence/sim"
)

func TestTune(t *testing.T) {
	if os.Getenv("TUNE") == "" {
		t.Skip()
	}
	deck, _ := os.ReadFile("../../sim/retail.csv")
	cfg := config.Default()
	base, err := app.ReplaySet("own", &cfg, deck)
	if err != nil {
		t.Fatal(err)
	}
	own, ours := base, base
	own.Habits, ours.Habits = nil, habit.Default()
	names := sim.Names()
	if s := os.Getenv("SCENARIO"); s != "" {
		names = []string{s}
	}
	seeds, _ := strconv.Atoi(cmp.Or(os.Getenv("SEEDS"), "1"))
	type row struct{ a, b Attack }
	classes := map[string][]row{}
	honest, stopped, restricted, months := 0, 0, 0, 0.0
	kinds, findings := map[string]int{}, map[string]int{}
	begin := time.Now()
	if os.Getenv("FINDINGS") != "" {
		Debug = func(l *sim.Line, x *play.Found) {
			if l == nil {
				l = &sim.Line{ID: "ATTACKED " + x.Call.Line, Kind: x.Call.Account}
			}
			fmt.Printf("  %s %-12s %-8s %s level %.2f allowance %.2f step %d novelty %d signs %v again %d call %s dear %.2f first %s key %s\n", l.ID, l.Kind, x.Meter, x.At.Format("01-02 15:04"), f(x.Level), f(x.Allowance), x.Answer.Step, x.Novelty, x.Signs, x.Again, x.Call.Dialled, float64(x.Finding.Call.PerMin)/1e9, l.FirstSeen.Format("2006-01-02"), x.Key)
		}
	}
	for _, n := range names {
		sc, err := sim.Load(n)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range seeds {
			w, err := sc.World(sim.Options{Seed: uint64(seed + 1)})
			if err != nil {
				t.Fatal(err)
			}
			out, err := Run(w, 2, Rules{Name: "own", Set: own}, Rules{Name: "ours", Set: ours})
			if err != nil {
				t.Fatal(err)
			}
			if os.Getenv("FINDINGS") != "" {
				for i, a := range out[1].Attacks {
					fmt.Printf("  ATTACK %s %s on %s %s begin %s own %.2f ours %.2f calls %d after %s acted %v\n", a.Label, a.Victim, a.Customer, fmt.Sprint(len(a.Lines)), a.Begin.Format("01-02 15:04"), f(out[0].Attacks[i].Loss), f(a.Loss), a.Calls, a.After, a.Acted)
				}
			}
			for i := range out[0].Attacks {
				if out[0].Attacks[i].Loss >= 5*money.Pound {
					classes[out[0].Attacks[i].Class] = append(classes[out[0].Attacks[i].Class], row{out[0].Attacks[i], out[1].Attacks[i]})
				}
			}
			o := out[1]
			honest, stopped, restricted, months = honest+o.Honest, stopped+o.Stopped, restricted+o.Restricted, months+o.LineMonths
			for k, v := range o.StoppedKinds {
				kinds[k] += v
			}
			for k, v := range o.Findings {
				findings[k] += v
			}
			fmt.Printf("%s/%d: honest %d stopped %d restricted %d of %.0f line-months  %s\n", n, seed+1, o.Honest, o.Stopped, o.Restricted, o.LineMonths, time.Since(begin).Round(time.Second))
		}
	}
	for k, n := range Stops {
		fmt.Printf("  STOPS %d %s\n", n, k)
	}
	for c, rows := range classes {
		slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.b.Loss, b.b.Loss) })
		var own []money.Micro
		acted, under := 0, 0
		for _, r := range rows {
			own = append(own, r.a.Loss)
			if r.b.Acted {
				acted++
			}
			if r.b.Loss < 5*money.Pound {
				under++
			}
		}
		slices.Sort(own)
		fmt.Printf("%-20s n=%3d own median %8.2f worst %8.2f | ours median %7.2f p90 %7.2f worst %7.2f (%s) acted %d under £5 %d\n", c, len(rows), f(own[len(own)/2]), f(own[len(own)-1]),
			f(rows[len(rows)/2].b.Loss), f(rows[len(rows)*9/10].b.Loss), f(rows[len(rows)-1].b.Loss), rows[len(rows)-1].b.Victim, acted, under)
	}
	fmt.Printf("honest %d stopped %d = %.1f per 100,000; lines restricted %d in %.0f line-months = 1 per %.0f\n%v\n%v\n", honest, stopped, float64(stopped)*1e5/float64(honest), restricted, months, months/float64(max(restricted, 1)), kinds, findings)
}

func f(a money.Micro) float64 { return float64(a) / 1e6 }
