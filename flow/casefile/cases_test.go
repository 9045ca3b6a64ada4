package casefile

import (
	"context"
	"slices"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/core/liability"
	"ringfence/core/money"
	"ringfence/flow/desk"
	"ringfence/flow/gate"
	"ringfence/flow/watch"
	"ringfence/state/store"
)

// TestVerdictsStandWithTheCallsOfACase: judging a case moves the disputes about its calls, with a fact for each, and one that is decided keeps its decision.
func TestVerdictsStandWithTheCallsOfACase(t *testing.T) {
	if fault != "" {
		t.Skip("of a faulty build")
	}
	h, ctx, staff := openHouse(t), context.Background(), desk.Who{Actor: "staff/maya"}
	cases, err := desk.NewCases(desk.CasesOptions{
		Store: h.db, Records: h.db, Book: h.book, Watch: func() *watch.Watch { return nil },
		Vouch: func(context.Context, string, string, string, string) error { return nil }, SecondAbove: func() money.Micro { return money.Pound },
	})
	must(t, err)
	h.file.o.Cases = func() *desk.Cases { return cases }
	first, _ := h.call("2001", "07700 900123", home)
	second, _ := h.call("2001", "020 7946 0000", home)
	x, err := cases.Open(ctx, staff, desk.NewCase{Customer: "acme", Title: "Calls at night"})
	must(t, err)
	_, err = cases.Dispute(ctx, staff, x.ID, desk.Pick{Calls: []desk.CallID{first, second}}, "nobody was there")
	must(t, err)
	_, err = cases.Decide(ctx, staff, x.ID, desk.Ruling{What: string(casework.Upheld), Why: "we were slow", Pick: desk.Pick{Calls: []desk.CallID{second}}})
	must(t, err)
	j, err := h.file.JudgeCase(ctx, staff, x.ID, time.Now())
	must(t, err)
	if j.Owed != 2 {
		t.Errorf("%+v", j.Sum)
	}
	calls, err := h.file.callsOf(ctx, x.ID)
	must(t, err)
	for _, c := range calls {
		want := casework.Judged
		if c.Call == second {
			want = casework.Upheld
		}
		if c.State != want || c.Verdict != string(liability.Owed) || c.Why != "no promise was broken" {
			t.Errorf("%+v", c)
		}
	}
	rows, err := h.db.Facts(ctx, store.FactFilter{Kinds: []string{fact.KindCallJudged}})
	must(t, err)
	if len(rows) != 2 {
		t.Errorf("%d facts say that calls of the case were judged", len(rows))
	}
}

// TestARefusedCallCostsNothing: its verdict speaks of no sum that is owed.
func TestARefusedCallCostsNothing(t *testing.T) {
	if fault != "" {
		t.Skip("of a faulty build")
	}
	h := openHouse(t)
	h.call("2001", "0909 879 0123", home)
	var ids []desk.CallID
	h.wait("the record of the refused call", func() bool {
		all, err := h.db.CDRs(context.Background(), store.CDRFilter{Line: "2001"})
		must(t, err)
		for i := range all {
			ids = append(ids, all[i].ID)
		}
		return len(ids) > 0
	})
	v := h.judge(ids[0])[0]
	if v.Words() != "nothing to pay" || Why(&v) != "the call was refused" || !v.Refused || v.Retail != 0 {
		t.Errorf("%s, %s: %+v", v.Words(), Why(&v), v)
	}
}

// TestACapThatChangedDuringACall: each slice is judged under the cap that was in force when it was held, and not under that of the beginning of the call.
func TestACapThatChangedDuringACall(t *testing.T) {
	if fault != "" {
		t.Skip("of a faulty build")
	}
	h := houseWith(t, gate.Options{Slice: time.Second, Ahead: 900 * time.Millisecond})
	raised := h.begin("2001", "07700 900123", home)
	h.set("2001", account.LineDayCap, 100_000_000)
	h.extend(raised)
	h.end(raised.ID)
	v := h.judge(raised.ID)[0]
	if f := v.Finding(liability.Caps); v.Outcome != liability.Owed || f.Honour != liability.Honoured {
		t.Errorf("%s: %+v", v.Outcome, f)
	}
	var settings []string
	rows, err := h.db.Facts(context.Background(), store.FactFilter{Call: raised.ID})
	must(t, err)
	for i := range rows {
		of, err := settingsOf(&rows[i])
		must(t, err)
		if of != "" && !slices.Contains(settings, of) {
			settings = append(settings, of)
		}
	}
	if len(settings) != 2 {
		t.Errorf("the call was given money under the settings %v", settings)
	}
}

// extend lets a call talk until it was given a further slice.
func (h *house) extend(p *gate.Plan) {
	h.t.Helper()
	h.wait("a further slice", func() bool {
		rows, err := h.db.Facts(context.Background(), store.FactFilter{Call: p.ID, Kinds: []string{fact.KindSliceHeld}})
		must(h.t, err)
		return len(rows) > 0
	})
}
