package adaptive

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/core/account"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/flow/play"
	"ringfence/flow/replay"
	"ringfence/sim"
)

func rules(t testing.TB, deck string) replay.Set {
	t.Helper()
	cfg := config.Default()
	set, err := app.ReplaySet("built-in", &cfg, []byte(deck))
	if err != nil {
		t.Fatal(err)
	}
	set.Habits = habit.Default()
	return set
}

// tiny has one destination that is dear, one that is cheap, and one that the ceiling does not let through.
const tiny = `Destination,Prefix,Rate (p/min),Connection charge (p),First interval,Sub interval
UK geographic,442,1,0,1,1
Latvia,371,30,0,1,1
Estonia,372,20,0,1,1
Lithuania,370,90,0,1,1
`

// tinyCase is a line that calls at home from nine to five for six weeks, and that nobody watches.
func tinyCase(t testing.TB, settings string) Case {
	t.Helper()
	c := Case{Name: "tiny", Set: rules(t, tiny)}
	c.Set.Habits, c.Set.Terms.Slice = nil, 30*time.Minute
	var err error
	head, row, _ := strings.Cut(settings, "\n")
	if c.Lines, err = replay.ReadLines(strings.NewReader("line,customer,zone,"+head+"\n2001,acme,Europe/London,"+row), c.Set.Plan); err != nil {
		t.Fatal(err)
	}
	for at := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC); at.Before(time.Date(2026, 2, 16, 0, 0, 0, 0, time.UTC)); at = at.Add(time.Hour) {
		if h := at.Hour(); h >= 9 && h < 17 {
			c.Calls = append(c.Calls, play.Call{Account: "acme", At: at, Line: "2001", Dialled: "02079460000", Rings: 5 * time.Second, Wants: 3 * time.Minute, Place: 7, Device: 9})
		}
	}
	return c
}

// TestTheBestStrategyIsFound: where it is known what an attacker can take at most, the search finds it. With caps that is a day's cap on each of the eight
// days that seven times 24 hours touch; without, one call after the other to the dearest destination that the
// ceiling lets through, and the last of the week, which counts when it begins, may be one of four hours.
func TestTheBestStrategyIsFound(t *testing.T) {
	for _, x := range []struct {
		settings    string
		least, most money.Micro
	}{
		{"international-ceiling,max-international,line-day-cap,line-month-cap,account-day-cap,account-month-cap\n40,5,10,1000,10,1000", 7980 * money.Pound / 100, 80 * money.Pound},
		{"international-ceiling,max-calls,line-day-cap,line-month-cap,account-day-cap,account-month-cap\n40,1,1000,10000,1000,10000", 2900 * money.Pound, 3096 * money.Pound},
	} {
		r, err := Search(context.Background(), tinyCase(t, x.settings), Options{Strategies: 350, Seed: 3, Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		if r.Best.Loss < x.least || r.Best.Loss > x.most {
			t.Errorf("%s: the dearest costs %s, want %s to %s\n%s", x.settings, r.Best.Loss, x.least, x.most, strings.Join(r.Best.Words, "\n"))
		}
		if !strings.Contains(r.Best.Words[0], "Latvia") || strings.Contains(r.Best.Words[0], "Lithuania") {
			t.Errorf("it calls %s", r.Best.Words[0])
		}
		if !r.Exceeds || r.Played != 350 || r.Stopped || len(r.Best.Story) == 0 {
			t.Errorf("%+v", r)
		}
		// The line calls nobody abroad, so that nothing is lost by closing it; what is left is what home costs.
		if r.Advice == nil || r.Advice.Honest != 0 || r.Advice.Loss >= r.Best.Loss/2 {
			t.Errorf("advice %+v of %+v", r.Advice, r.Remedies)
		}
	}
}

// TestNobodyPassesACap: whatever a strategy does, under the rules or without, no day costs a line or its customer more than the cap in force.
func TestNobodyPassesACap(t *testing.T) {
	c, err := Invented("small-office", 2, rules(t, string(sim.Deck())), nil)
	if err != nil {
		t.Fatal(err)
	}
	grounds := map[bool]*ground{}
	for _, watched := range []bool{true, false} {
		if !watched {
			c.Set.Habits = nil
		}
		if grounds[watched], err = prepare(&c); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		g := grounds[rapid.Bool().Draw(t, "watched")]
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		s := g.draw(r)
		for range rapid.IntRange(0, 20).Draw(t, "changes") {
			g.mutate(r, &s, 1)
		}
		var under *other
		if all := g.others(); rapid.Bool().Draw(t, "other settings") {
			under = all[rapid.IntRange(0, len(all)-1).Draw(t, "which")]
		}
		e := *g.lines[0].settings
		if under != nil && under.change != nil {
			under.change(&e)
		}
		o := g.play(&s, under, nil)
		sums := map[string]money.Micro{}
		for _, p := range o.paid {
			day, line := p.at.In(g.zone).Format(time.DateOnly), g.lines[p.line].id
			sums["line "+line+" "+day] += p.cost
			sums["account "+day] += p.cost
			sums["line "+line+" "+day[:7]] += p.cost
			sums["account "+day[:7]] += p.cost
		}
		for what, sum := range sums {
			f := map[[2]bool]account.Field{
				{true, true}: account.LineDayCap, {true, false}: account.LineMonthCap, {false, true}: account.AccountDayCap, {false, false}: account.AccountMonthCap,
			}[[2]bool{strings.HasPrefix(what, "line"), strings.Count(what, "-") == 2}]
			if sum > e.Cap(f) {
				t.Fatalf("%s: %s, %s is %s: %+v", what, sum, f, e.Cap(f), s)
			}
		}
		if o.Loss > o.Total || o.Loss > 8*e.Cap(account.AccountDayCap) {
			t.Fatalf("a week costs %s of %s", o.Loss, o.Total)
		}
	})
}

// TestASeedDecides: the report is the same with one worker and with two, and another with another seed.
func TestASeedDecides(t *testing.T) {
	c, err := Invented("family", 1, rules(t, string(sim.Deck())), nil)
	if err != nil {
		t.Fatal(err)
	}
	search := func(seed uint64, workers int) *Report {
		r, err := Search(context.Background(), c, Options{Strategies: 30, Seed: seed, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.Remedies {
			r.Remedies[i].under = nil // functions are not compared
		}
		return r
	}
	one, two := search(5, 1), search(5, 2)
	if !reflect.DeepEqual(one, two) {
		t.Errorf("one worker: %+v\ntwo: %+v", one, two)
	}
	if other := search(6, 2); reflect.DeepEqual(one.Best.Strategy, other.Best.Strategy) {
		t.Error("another seed finds the same strategy")
	}
}

// TestSearchStops: when it is told to, it reports the best so far.
func TestSearchStops(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	r, err := Search(ctx, tinyCase(t, "international-ceiling\n40"), Options{Strategies: 100_000, Seed: 1, Workers: 2, Progress: func(played int, _ money.Micro) {
		if played == 200 {
			stop()
		}
	}})
	if err != nil || !r.Stopped || r.Played < 200 || r.Played > 300 || r.Best.Loss == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestNoCalls: a line of which nothing is known is not attacked.
func TestNoCalls(t *testing.T) {
	c := tinyCase(t, "international-ceiling\n40")
	c.Calls = nil
	if _, err := Search(context.Background(), c, Options{Strategies: 1}); !errors.Is(err, ErrNoCalls) {
		t.Errorf("%v", err)
	}
	c = tinyCase(t, "international-ceiling\n40")
	c.Attacked = []string{"2002"}
	if _, err := Search(context.Background(), c, Options{Strategies: 1}); !errors.Is(err, ErrNoCalls) {
		t.Errorf("%v", err)
	}
}
