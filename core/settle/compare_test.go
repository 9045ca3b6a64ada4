package settle

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/call"
	"ringfence/core/carrier"
	"ringfence/core/money"
	"ringfence/core/rating"
)

var answered = time.Date(2026, 7, 12, 22, 41, 7, 0, time.UTC)

// aPenny a second, so that sums are seconds.
var aPenny = &rating.Quote{Price: rating.Price{Rates: [rating.NumBands]money.Rate{600_000_000, 600_000_000, 600_000_000}, First: 1, Step: 1}, Start: answered}

func metered(talk time.Duration) Metered {
	return Metered{ID: "a", Caller: "+442079460101", Called: "+37160000112", Leg: "leg-a", Begun: answered.Add(-9 * time.Second), Answered: answered, Talk: talk, Quote: aPenny}
}

func row(start time.Time, talk time.Duration) carrier.Record {
	return carrier.Record{Line: 2, Start: start, Talk: talk, Caller: "+442079460101", Called: "+37160000112", Priced: true, Cost: money.Micro(talk.Seconds()) * 10_000}
}

func TestDifferencesAreNamed(t *testing.T) {
	free := metered(100 * time.Second)
	free.Answered, free.Talk = time.Time{}, 0
	noDeck := metered(50 * time.Second)
	noDeck.Quote = nil
	dear := row(answered, 100*time.Second)
	dear.Cost = 1_500_000
	unpriced := row(answered, 130*time.Second)
	unpriced.Cost, unpriced.Priced = 0, false
	byLeg := row(answered.Add(-6*time.Hour), 100*time.Second) // its clock is wrong
	byLeg.ID = "leg-a"
	elsewhere := row(answered, 100*time.Second)
	elsewhere.Caller = "+442079460999"
	for name, c := range map[string]struct {
		call Metered
		rows []carrier.Record
		want string // of the last row
	}{
		"the same":                {metered(100 * time.Second), []carrier.Record{row(answered, 100*time.Second)}, "expected 1.00"},
		"rounded up":              {metered(100*time.Second + 1), []carrier.Record{row(answered, 101*time.Second)}, "expected 1.01"},
		"shorter":                 {metered(100 * time.Second), []carrier.Record{row(answered, 60*time.Second)}, "expected 0.60"},
		"set up earlier":          {metered(100 * time.Second), []carrier.Record{row(answered.Add(-9*time.Second), 100*time.Second)}, "expected 1.00"},
		"answered early":          {metered(100 * time.Second), []carrier.Record{row(answered.Add(-8*time.Second), 108*time.Second)}, "expected 1.00, early 8s 0.08"},
		"ran on":                  {metered(100 * time.Second), []carrier.Record{row(answered, 130*time.Second)}, "expected 1.00, ran-on 30s 0.30"},
		"both":                    {metered(100 * time.Second), []carrier.Record{row(answered.Add(-8*time.Second), 138*time.Second)}, "expected 1.00, early 8s 0.08, ran-on 30s 0.30"},
		"never carried":           {free, []carrier.Record{row(answered, 100*time.Second)}, "expected 0.00, never-carried 1m40s 1.00"},
		"never seen":              {metered(100 * time.Second), []carrier.Record{row(answered.Add(time.Hour), 100*time.Second)}, "expected 0.00, never-seen 1m40s 1.00"},
		"somebody else's":         {metered(100 * time.Second), []carrier.Record{elsewhere}, "expected 0.00, never-seen 1m40s 1.00"},
		"twice":                   {metered(100 * time.Second), []carrier.Record{row(answered, 100*time.Second), row(answered, 100*time.Second)}, "expected 0.00, twice 1m40s 1.00"},
		"dearer":                  {metered(100 * time.Second), []carrier.Record{dear}, "expected 1.00, dearer 0s 0.50"},
		"without an amount":       {metered(100 * time.Second), []carrier.Record{unpriced}, "expected 1.00, ran-on 30s 0.30"},
		"without a price list":    {noDeck, []carrier.Record{row(answered, 100*time.Second)}, "expected 0.50, ran-on 50s 0.50"},
		"by its leg, wrong clock": {metered(100 * time.Second), []carrier.Record{byLeg}, "expected 1.00"},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range c.rows {
				c.rows[i].Line = i + 2
			}
			out := Compare([]Metered{c.call}, c.rows)
			p := out.Rows[len(out.Rows)-1]
			got := "expected " + p.Expected.String()
			for _, x := range p.Parts {
				got += fmt.Sprintf(", %s %v %s", x.Kind, x.Time, x.Money)
			}
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	if out := Compare([]Metered{metered(time.Minute), free}, nil); len(out.Missing) != 1 || out.Missing[0] != "a" {
		t.Errorf("%q are not on the invoice", out.Missing)
	}
}

func TestNothingIsLostBetweenInvoiceAndMetering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var calls []Metered
		for i := range rapid.IntRange(0, 12).Draw(t, "calls") {
			c := metered(time.Duration(rapid.IntRange(0, 400).Draw(t, "talk")) * time.Second)
			c.ID, c.Leg = call.ID(fmt.Sprint(i)), fmt.Sprint("leg-", i)
			c.Begun = answered.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "begun")) * time.Second)
			c.Answered = c.Begun.Add(9 * time.Second)
			if c.Talk == 0 {
				c.Answered = time.Time{}
			}
			if rapid.Bool().Draw(t, "no deck") {
				c.Quote = nil
			}
			calls = append(calls, c)
		}
		var rows []carrier.Record
		for i := range rapid.IntRange(0, 20).Draw(t, "rows") {
			r := row(answered.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "start"))*time.Second), time.Duration(rapid.IntRange(1, 500).Draw(t, "charged"))*time.Second)
			r.Line, r.Cost, r.Priced = i+2, money.Micro(rapid.Int64Range(0, 1e8).Draw(t, "cost")), rapid.Bool().Draw(t, "priced")
			if rapid.Bool().Draw(t, "named") {
				r.ID = fmt.Sprint("leg-", rapid.IntRange(0, 12).Draw(t, "leg"))
			}
			rows = append(rows, r)
		}
		out := Compare(calls, rows)
		once := map[call.ID]bool{}
		for _, p := range out.Rows {
			if p.Expected < 0 || p.Over() < 0 || p.Expected+p.Over() != p.Charged {
				t.Fatalf("%+v", p)
			}
			for _, x := range p.Parts {
				if x.Money < 0 || x.Time < 0 {
					t.Fatalf("%+v", x)
				}
			}
			if p.Expected > 0 && once[p.Call] {
				t.Fatalf("call %s is paid for twice", p.Call)
			}
			once[p.Call] = once[p.Call] || p.Expected > 0
		}
		if len(out.Rows) != len(rows) || out.Charged != out.Expected+out.Over {
			t.Fatalf("%+v", out)
		}
	})
}

func TestAWrongRowIsNamed(t *testing.T) {
	good := "2026-07-12 22:41:07,+442079460101,+37160000112,100,1.00\n"
	file := "start,from,to,cost,seconds\n" + strings.Repeat(strings.ReplaceAll(good, "100,1.00", "1.00,100"), 10) + "2026-07-12 22:41:07,+442079460101,+37160000112,n/a,100\n"
	f, err := carrier.Read([]byte(file), carrier.Options{Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Faulty(f), "Line 12, column 4: 'n/a' is not a price. Nothing was booked."; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	f, err = carrier.Read([]byte("start,from,to,cost,seconds\n2026-07-12 22:41:07,1,,1,100\nx,1,2,1,1\n"), carrier.Options{Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Faulty(f), "Line 2, column 3 is empty: the number called belongs there. Another row is wrong too. Nothing was booked."; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := Faulty(&carrier.File{}); got != "" {
		t.Error(got)
	}
}
