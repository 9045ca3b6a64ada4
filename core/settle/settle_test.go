package settle

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
)

// The list of the case page's example: 163 calls, of which 12 are ours.
func TestFall(t *testing.T) {
	calls := []Call{
		{Verdict: Free, Charged: 31_080_000, Cost: 20_000_000, Priced: true, Granted: 3_000_000, Claimed: 5_000_000},
		{Verdict: Owed, Charged: 200_000_000, Cost: 161_880_000, Priced: true, Granted: 20_000_000, Claimed: 56_000_000},
		{Verdict: Undecided, Charged: 14_510_000, Cost: 1, Priced: true},
	}
	l, shares := Fall(calls, 0)
	want := List{
		Charged: Step{3, 245_590_000}, Ours: Step{1, 31_080_000}, ToCost: Step{1, 38_120_000}, Credit: Step{1, 20_000_000},
		ToPay: Step{2, 156_390_000}, Disputed: Step{1, 14_510_000}, Claimed: 61_000_000, Kept: 3_000_000,
	}
	if l != want {
		t.Errorf("%+v\nwant %+v", l, want)
	}
	if s := shares[0]; s.Credit != 0 || s.Kept != 3_000_000 {
		t.Errorf("the carrier's refund for a free call went to the customer: %+v", s)
	}
	if s := shares[2]; s.ToCost != 0 || s.ToPay != s.Charged {
		t.Errorf("an undecided call was brought down: %+v", s)
	}
}

func TestEveryStepIsExact(t *testing.T) {
	amount := rapid.Int64Range(0, 1e13)
	rapid.Check(t, func(t *rapid.T) {
		var calls []Call
		for range rapid.IntRange(0, 30).Draw(t, "calls") {
			calls = append(calls, Call{
				Verdict: rapid.SampledFrom([]Verdict{Undecided, Owed, Free}).Draw(t, "verdict"), Charged: money.Micro(amount.Draw(t, "charged")),
				Cost: money.Micro(amount.Draw(t, "cost")), Priced: rapid.Bool().Draw(t, "priced"),
				Granted: money.Micro(amount.Draw(t, "granted")), Claimed: money.Micro(amount.Draw(t, "claimed")),
			})
		}
		refunded := money.Micro(amount.Draw(t, "refunded"))
		l, shares := Fall(calls, refunded)
		granted := money.Micro(0)
		for i, s := range shares {
			granted += calls[i].Granted
			for _, part := range []money.Micro{s.Ours, s.ToCost, s.Credit, s.Refund, s.ToPay, s.Kept, s.Held} {
				if part < 0 {
					t.Fatalf("%+v", s)
				}
			}
			if s.Given()+s.ToPay != s.Charged || s.Credit > s.Charged-s.Ours-s.ToCost || s.Credit+s.Kept+s.Held != calls[i].Granted || s.Credit > 0 && s.Verdict == Free {
				t.Fatalf("%+v of %+v", s, calls[i])
			}
		}
		if l.Charged.Amount-l.Ours.Amount-l.ToCost.Amount-l.Credit.Amount-l.Refund.Amount != l.ToPay.Amount || refunded <= l.Charged.Amount && l.Settled(refunded)+refunded > l.Charged.Amount || l.Credit.Amount+l.Kept+l.Held != granted || l.Disputed.Amount > l.ToPay.Amount {
			t.Fatalf("%+v", l)
		}
	})
}

func TestSpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		claimed := []money.Micro{}
		total := money.Micro(0)
		for range rapid.IntRange(0, 40).Draw(t, "calls") {
			c := money.Micro(rapid.Int64Range(0, 1e13).Draw(t, "claimed"))
			claimed, total = append(claimed, c), total+c
		}
		granted := money.Micro(rapid.Int64Range(0, 1e14).Draw(t, "granted"))
		parts, left, err := Spread(granted, claimed)
		if err != nil {
			t.Fatal(err)
		}
		sum := left
		for i, p := range parts {
			if sum += p; p < 0 || p > claimed[i] {
				t.Fatalf("%d of %d claimed", p, claimed[i])
			}
		}
		if sum != granted || left < 0 || left > 0 && granted <= total {
			t.Fatalf("%d of %d, %d left", sum, granted, left)
		}
	})
	if _, _, err := Spread(-1, nil); err == nil {
		t.Error("a grant below zero was taken")
	}
}

func TestTheDeckOfThatDay(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 7, d, 12, 0, 0, 0, time.UTC) }
	versions := []Version{{"other", 1, day(1)}, {"north", 3, day(20)}, {"north", 1, day(1)}, {"north", 2, day(10)}, {"north", 4, day(20)}}
	for d, want := range map[int]int64{1: 1, 9: 1, 10: 2, 19: 2, 20: 4, 30: 4} {
		if v, ok := InForce(versions, "north", day(d)); !ok || v.Version != want {
			t.Errorf("on %d July: %+v, want %d", d, v, want)
		}
	}
	if v, ok := InForce(versions, "north", day(1).Add(-1)); ok {
		t.Errorf("before the first import: %+v", v)
	}
}

func TestRerate(t *testing.T) {
	at := time.Date(2026, 7, 12, 22, 41, 7, 0, time.UTC)
	deck, err := rating.Build([]rating.Price{
		{Prefix: 371, Name: "Latvia", Connect: 10_000, Rates: [rating.NumBands]money.Rate{300_000_000, 300_000_000, 300_000_000}, First: 1, Step: 1},
		{Prefix: 37190, Name: "Latvia premium", NoPrice: true, First: 1, Step: 1},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := Version{"north", 2, at.Add(-time.Hour)}
	for name, c := range map[string]struct {
		number string
		rec    call.CDR
		want   money.Micro
		why    string
	}{
		"answered":     {"37160000112", call.CDR{AnsweredAt: at, Talk: 141 * time.Second, CarrierTalk: time.Hour, Retail: 1_640_000}, 715_000, ""},
		"not answered": {"37160000112", call.CDR{}, 0, ""},
		"no price":     {"37190000112", call.CDR{Number: "+37190000112", AnsweredAt: at, Talk: time.Minute, Retail: 9}, 0, "version 2 of deck north has no price for +37190000112"},
	} {
		t.Run(name, func(t *testing.T) {
			c.rec.Begun = at
			n, problem := phone.UK().Parse("+" + c.number)
			if problem != phone.NoProblem {
				t.Fatal(problem)
			}
			r := Rerate(&c.rec, n.Number, v, deck, rating.Calendar{})
			if r.Cost != c.want || r.Why != c.why || r.Priced != (c.why == "") || r.Version != 2 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func plan(t testing.TB, amount money.Micro, n int, first time.Time) []Instalment {
	t.Helper()
	list, err := Instalments(amount, n, first)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestInstalments(t *testing.T) {
	first := time.Date(2026, 8, 31, 0, 0, 0, 0, time.UTC)
	list := plan(t, 100_000_000, 3, first)
	if got := fmt.Sprint(list[0].Amount, list[1].Amount, list[2].Amount); got != "33.34 33.33 33.33" {
		t.Error(got)
	}
	if got := fmt.Sprint(list[0].Due.Day(), list[1].Due.Day(), list[2].Due.Day()); got != "31 30 31" || list[2].Due.Month() != time.October {
		t.Error(got, list)
	}
	for name, c := range map[string]struct {
		amount money.Micro
		n      int
	}{"none": {100_000_000, 0}, "too many": {100_000_000, 37}, "nothing": {0, 1}, "less than nothing": {-10_000, 1}, "part of a penny": {10_001, 1}, "less than a penny each": {20_000, 3}} {
		if list, err := Instalments(c.amount, c.n, first); err == nil {
			t.Error(name, list)
		}
	}
}

func TestAPlanAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, MostInstalments).Draw(t, "n")
		amount := money.Micro(rapid.Int64Range(int64(n), 1e9).Draw(t, "pennies")) * 10_000
		first := time.Date(2026, 1, rapid.IntRange(1, 400).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
		list, err := Instalments(amount, n, first)
		if err != nil {
			t.Fatal(err)
		}
		sum := money.Micro(0)
		for i, x := range list {
			sum += x.Amount
			if x.Amount%10_000 != 0 || list[0].Amount-x.Amount > 10_000 || x.Amount > list[0].Amount || i > 0 && !x.Due.After(list[i-1].Due) || x.Due.Day() > first.Day() {
				t.Fatalf("%d: %+v", i, x)
			}
		}
		if sum != amount {
			t.Fatalf("%v of %v", sum, amount)
		}
		var payments []Paid
		at := first
		for range rapid.IntRange(0, 10).Draw(t, "payments") {
			at = at.Add(time.Duration(rapid.IntRange(0, 60*24).Draw(t, "hours")) * time.Hour)
			payments = append(payments, Paid{at, money.Micro(rapid.Int64Range(-5, int64(amount)).Draw(t, "paid"))})
		}
		broken := false
		for now := first.AddDate(0, 0, -20); now.Before(first.AddDate(3, 0, 0)); now = now.AddDate(0, 0, 9) {
			s := Stand(list, payments, now)
			each := money.Micro(0)
			for _, e := range s.Each {
				each += e
			}
			if s.Paid+s.Rest != amount || each != s.Paid || s.Due < 0 || s.Due > s.Rest || (s.State == PlanPaid) != (s.Rest == 0) || s.State == PlanBroken && s.Due != s.Rest {
				t.Fatalf("%+v", s)
			}
			if broken && s.State == PlanRunning {
				t.Fatalf("a plan that broke runs again: %+v", s)
			}
			broken = broken || s.State == PlanBroken
		}
	})
}

func TestAMissedInstalmentEndsThePlan(t *testing.T) {
	first := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	list := plan(t, 156_390_000, 3, first)
	pay := func(day int, amount money.Micro) Paid {
		return Paid{time.Date(2026, 8, day, 10, 0, 0, 0, time.UTC), amount}
	}
	type want struct {
		state  PlanState
		due    money.Micro
		remind Reminder
		n      int
	}
	for name, c := range map[string]struct {
		paid []Paid
		day  int // of August
		want want
	}{
		"before":                {nil, -20, want{PlanRunning, 0, "", 0}},
		"a week before":         {nil, -5, want{PlanRunning, 0, RemindComing, 0}},
		"on the day":            {nil, 1, want{PlanRunning, 52_130_000, "", 0}},
		"a day late":            {nil, 2, want{PlanRunning, 52_130_000, RemindLate, 0}},
		"the last day of grace": {nil, 15, want{PlanRunning, 52_130_000, RemindLate, 0}},
		"after it":              {nil, 16, want{PlanBroken, 156_390_000, RemindBroken, 0}},
		"a penny short":         {[]Paid{pay(1, 52_120_000)}, 16, want{PlanBroken, 104_270_000, RemindBroken, 0}},
		"paid on the last day":  {[]Paid{pay(15, 52_130_000)}, 16, want{PlanRunning, 0, "", 0}},
		"paid too late":         {[]Paid{pay(16, 52_130_000)}, 17, want{PlanBroken, 104_260_000, RemindBroken, 0}},
		"two at once":           {[]Paid{pay(1, 104_260_000)}, 60, want{PlanRunning, 0, RemindComing, 2}},
		"all at once":           {[]Paid{pay(1, 156_390_000)}, 5, want{PlanPaid, 0, "", 0}},
		"more than all":         {[]Paid{pay(1, 999_000_000)}, 100, want{PlanPaid, 0, "", 0}},
		"not paid yet":          {[]Paid{pay(20, 156_390_000)}, 2, want{PlanRunning, 52_130_000, RemindLate, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 8, c.day, 12, 0, 0, 0, time.UTC)
			s := Stand(list, c.paid, now)
			kind, n, _ := Reminding(list, &s, now)
			if got := (want{s.State, s.Due, kind, n}); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
