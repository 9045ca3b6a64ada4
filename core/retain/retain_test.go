package retain_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/retain"
)

var day0 = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

func TestPeriods(t *testing.T) {
	for text, want := range map[string]retain.Period{
		"6 years 3 months": {Years: 6, Months: 3}, "1y": {Years: 1}, "13mo": {Months: 13}, "90 days": {Days: 90}, "1 year 1 day": {Years: 1, Days: 1},
		"for ever": {}, "forever": {}, "0": {}, "2y6mo": {Years: 2, Months: 6},
	} {
		p, err := retain.ParsePeriod(text)
		if err != nil || p != want {
			t.Errorf("%q: %v %v", text, p, err)
		}
		again, err := retain.ParsePeriod(p.String())
		if err != nil || again != p {
			t.Errorf("%q is written %q, which is %v (%v)", text, p, again, err)
		}
	}
	for _, text := range []string{"", "6", "-1 year", "1 week", "0 days", "1h", "years", "101 years", "1 year and a day"} {
		if p, err := retain.ParsePeriod(text); err == nil {
			t.Errorf("%q is %v", text, p)
		}
	}
	six := retain.Period{Years: 6}
	if at := six.Before(day0); !at.Equal(time.Date(2020, 11, 30, 9, 0, 0, 0, time.UTC)) {
		t.Error(at)
	}
	if !(retain.Period{}).Before(day0).IsZero() || !six.Shorter(retain.Period{}) || (retain.Period{}).Shorter(six) || six.Shorter(six) {
		t.Error("for ever is longer than anything")
	}
}

// TestWhatFactsCountAs guards that what explains a call is never kept as briefly as what a phone did.
func TestWhatFactsCountAs(t *testing.T) {
	for kind, want := range map[string]retain.Kind{
		fact.KindCallAdmitted: retain.Journal, fact.KindSliceHeld: retain.Journal, fact.KindLoginFailed: retain.Journal, fact.KindPersonEntered: retain.Journal,
		fact.KindSettingsSeen: retain.Audit, fact.KindPromisesStated: retain.Audit, fact.KindDeckImported: retain.Audit, fact.KindPersonAdded: retain.Audit,
		fact.KindBillIssued: retain.Audit, "case.call.decided": retain.Audit, "of.tomorrow": retain.Audit, fact.KindPasswordChanged: retain.Audit,
	} {
		if got := retain.OfFact(kind); got != want {
			t.Errorf("%s counts as %s, want %s", kind, got, want)
		}
	}
}

func TestWhatKeepsAnItem(t *testing.T) {
	r := retain.Rules{
		Keep: map[retain.Kind]retain.Period{retain.Calls: {Years: 1}, retain.Audit: {Years: 1}, retain.Devices: {Years: 1}},
		Holds: []retain.Hold{
			{ID: 1, Call: "c1", Line: "l1", Customer: "k1"},
			{ID: 2, Line: "l2", Customer: "k2"},
			{ID: 3, Customer: "k3"},
			{ID: 4, From: day0.AddDate(-3, 0, 0), Until: day0.AddDate(-3, 1, 0)},
			{ID: 17, Line: "l5", Customer: "k5", Case: true},
		},
	}
	old := day0.AddDate(-2, 0, 0)
	for name, c := range map[string]struct {
		it     retain.Item
		why    retain.Why
		number int64
	}{
		"young":                    {retain.Item{Kind: retain.Calls, At: day0.AddDate(0, -11, 0)}, retain.Young, 0},
		"of a kind kept for ever":  {retain.Item{Kind: retain.Books, At: old}, retain.Young, 0},
		"expired":                  {retain.Item{Kind: retain.Calls, At: old, Call: "c9", Line: "l9", Customer: "k9"}, retain.Expired, 0},
		"un-billed":                {retain.Item{Kind: retain.Calls, At: old, Unbilled: true}, retain.Unbilled, 0},
		"unpaid":                   {retain.Item{Kind: retain.Calls, At: old, Unpaid: 8}, retain.Unpaid, 8},
		"in a case":                {retain.Item{Kind: retain.Calls, At: old, Case: 5}, retain.InCase, 5},
		"open":                     {retain.Item{Kind: retain.Calls, At: old, Open: true}, retain.Open, 0},
		"a held call":              {retain.Item{Kind: retain.Calls, At: old, Call: "c1", Line: "l1", Customer: "k1"}, retain.Held, 1},
		"another call of its line": {retain.Item{Kind: retain.Calls, At: old, Call: "c2", Line: "l1", Customer: "k1"}, retain.Expired, 0},
		"what explains it":         {retain.Item{Kind: retain.Audit, At: old, Line: "l1", Customer: "k1"}, retain.Held, 1},
		"a price list":             {retain.Item{Kind: retain.Audit, At: old}, retain.Held, 1},
		"of a held line":           {retain.Item{Kind: retain.Calls, At: old, Call: "c3", Line: "l2", Customer: "k2"}, retain.Held, 2},
		"another line of k2":       {retain.Item{Kind: retain.Calls, At: old, Call: "c4", Line: "l7", Customer: "k2"}, retain.Expired, 0},
		"of a held customer":       {retain.Item{Kind: retain.Devices, At: old, Line: "l8", Customer: "k3"}, retain.Held, 3},
		"of a held time":           {retain.Item{Kind: retain.Calls, At: day0.AddDate(-3, 0, 5), Call: "c5", Line: "l9", Customer: "k9"}, retain.Held, 4},
		"reaching into it":         {retain.Item{Kind: retain.Devices, Since: day0.AddDate(-4, 0, 0), At: old, Line: "l9", Customer: "k9"}, retain.Held, 4},
		"of a line in a case":      {retain.Item{Kind: retain.Devices, At: old, Line: "l5", Customer: "k5"}, retain.InCase, 17},
	} {
		if why, number := r.Decide(&c.it, day0); why != c.why || number != c.number {
			t.Errorf("%s: %q %d, want %q %d", name, why, number, c.why, c.number)
		}
	}
	if f := retain.Faults(map[retain.Kind]retain.Period{retain.Calls: {Years: 2}, retain.Audit: {Years: 1}, retain.Books: {}, retain.Journal: {Years: 1}, retain.Archives: {}}); len(f) != 1 || f[0].Shorter != retain.Audit {
		t.Error(f)
	}
}

// TestNothingProtectedGoes plays random histories: things are made, tied, held and let go, and from time to time what may go is deleted. What goes was expired
// and free by a second, plain reading of the rules; and what is expired and free in the end has gone.
func TestNothingProtectedGoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pick := func(n int, label string) string { return fmt.Sprint(rapid.IntRange(0, n-1).Draw(t, label)) }
		keep := map[retain.Kind]retain.Period{}
		for _, k := range retain.Kinds() {
			keep[k] = retain.Period{Days: rapid.IntRange(1, 60).Draw(t, "days")}
		}
		there, holds, now := map[int]*retain.Item{}, map[int64]retain.Hold{}, day0
		rules := func() *retain.Rules {
			r := &retain.Rules{Keep: keep}
			for _, h := range holds {
				r.Holds = append(r.Holds, h)
			}
			return r
		}
		sweep := func() {
			r := rules()
			for n, it := range there {
				if why, _ := r.Decide(it, now); why != retain.Expired {
					continue
				}
				if now.Sub(it.At) <= time.Duration(keep[it.Kind].Days)*24*time.Hour || it.Unbilled || it.Unpaid != 0 || it.Case != 0 || it.Open {
					t.Fatalf("%+v went on %s", it, now)
				}
				for _, h := range holds {
					if it.Kind != retain.Audit && (h.Line == "" || h.Line == it.Line) && (h.Customer == "" || h.Customer == it.Customer) && (h.Call == "" || h.Call == it.Call) && h.From.IsZero() {
						t.Fatalf("%+v went, although %+v was there", it, h)
					}
					if it.Kind == retain.Audit && it.Line == "" && it.Customer == "" {
						t.Fatalf("%+v went, although %+v may need it", it, h)
					}
				}
				delete(there, n)
			}
		}
		for step := range rapid.IntRange(1, 120).Draw(t, "steps") {
			line := pick(4, "line")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1:
				it := &retain.Item{Kind: rapid.SampledFrom(retain.Kinds()).Draw(t, "kind"), At: now, Call: call.ID(fmt.Sprint("c", step)), Line: line, Customer: "k" + line}
				it.Unbilled, it.Open = rapid.Bool().Draw(t, "unbilled"), rapid.Bool().Draw(t, "open")
				it.Unpaid, it.Case = int64(rapid.IntRange(0, 1).Draw(t, "unpaid")), int64(rapid.IntRange(0, 1).Draw(t, "case"))
				there[step] = it
			case 2:
				holds[int64(step)] = retain.Hold{ID: int64(step), Line: line, Customer: "k" + line, Case: rapid.Bool().Draw(t, "is a case")}
			case 3:
				for id := range holds {
					delete(holds, id)
					break
				}
			case 4:
				for _, it := range there {
					it.Unbilled, it.Open, it.Unpaid, it.Case = false, false, 0, 0
					break
				}
			case 5:
				now = now.AddDate(0, 0, rapid.IntRange(0, 30).Draw(t, "later"))
				sweep()
			}
		}
		clear(holds)
		for _, it := range there {
			it.Unbilled, it.Open, it.Unpaid, it.Case = false, false, 0, 0
		}
		now = now.AddDate(0, 0, 61)
		if sweep(); len(there) > 0 {
			t.Fatalf("%d things never go: %+v", len(there), there)
		}
	})
}
