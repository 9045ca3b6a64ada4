package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/state/store"
)

func casesOfFraud(t *testing.T, s store.Store) {
	ctx := t.Context()
	first := casework.Case{
		ID: 1, Customer: "acme", Line: "l", Title: "Calls to Latvia", State: casework.Open, Origin: casework.FromReport, Finding: 7, By: "acme/ana",
		Opened: someday, Deadline: someday.Add(time.Hour), Owner: "staff/priya", Linked: []string{"~m"},
	}
	item := casework.Item{
		Case: 1, N: 1, Kind: casework.Evidence, At: someday, By: "acme/ana", Theirs: true, Text: "We were closed.",
		File: casework.File{Code: "c", Name: "alarm.log", Size: 7, Hash: "ab"}, Due: someday, Owner: "x", What: "upheld", Amount: 3, Calls: 2,
	}
	disputed := func(id int, state casework.Dispute) casework.CaseCall {
		return casework.CaseCall{
			Case: 1, Call: ID(id), Customer: "acme", Line: "l", Begun: someday, Retail: 1_640_000, State: state,
			Steps: []casework.Step{{At: someday, State: state, By: "acme/ana", Why: "not ours"}},
		}
	}
	fact := store.Fact{Kind: "case.opened"}
	ok(t, s.PutPiece(ctx, "c", 0, []byte("alarm 1")))
	ok(t, s.WriteCase(ctx, store.CaseWrite{Case: &first, Items: []casework.Item{item}, Calls: []casework.CaseCall{disputed(1, casework.Disputed), disputed(2, casework.Disputed)}}, fact))
	wantIs(t, "the same number", s.WriteCase(ctx, store.CaseWrite{Case: &first}, fact), store.ErrExists)
	second := casework.Case{ID: 2, Customer: "bravo", State: casework.Closed, Opened: someday, Finished: someday, Finding: 7}
	wantIs(t, "the same finding", s.WriteCase(ctx, store.CaseWrite{Case: &second}), store.ErrExists)
	second.Finding = 0
	ok(t, s.WriteCase(ctx, store.CaseWrite{Case: &second}))
	first.Version, item.Version, second.Version = 1, 1, 1
	got, err := s.Case(ctx, 1)
	ok(t, err)
	same(t, "case", got, first)
	_, err = s.Case(ctx, 9)
	wantIs(t, "no such case", err, store.ErrNotFound)
	last, err := s.LastCase(ctx)
	ok(t, err)
	same(t, "last", last, int64(2))
	items, err := s.CaseItems(ctx, 1)
	ok(t, err)
	same(t, "items", items, []casework.Item{item})
	for _, f := range []struct {
		store.CaseFilter
		want []casework.Case
	}{
		{store.CaseFilter{}, []casework.Case{second, first}},
		{store.CaseFilter{Limit: 1}, []casework.Case{second}},
		{store.CaseFilter{Before: 2}, []casework.Case{first}},
		{store.CaseFilter{Open: true}, []casework.Case{first}},
		{store.CaseFilter{Customer: "bravo"}, []casework.Case{second}},
		{store.CaseFilter{Owner: "staff/priya"}, []casework.Case{first}},
		{store.CaseFilter{Finding: 7, Customer: "bravo"}, nil},
	} {
		got, err := s.Cases(ctx, f.CaseFilter)
		ok(t, err)
		same(t, "cases", got, f.want)
	}
	callsOfCases(t, s, disputed)
	pieces(t, s)
	numbersOfCases(t, s)

	var won atomic.Int64
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			mine := first
			mine.State = casework.Asked
			note := casework.Item{Case: 1, N: 2, Kind: casework.Note, At: someday}
			if s.WriteCase(t.Context(), store.CaseWrite{Case: &mine, Items: []casework.Item{note}}) == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	same(t, "written", won.Load(), int64(1))
}

func callsOfCases(t *testing.T, s store.Store, disputed func(int, casework.Dispute) casework.CaseCall) {
	ctx := t.Context()
	one, two := disputed(1, casework.Disputed), disputed(2, casework.Disputed)
	one.Version, two.Version = 1, 1
	other := disputed(3, casework.Disputed)
	other.Case = 2
	again := disputed(1, casework.Disputed)
	again.Case = 2
	wantIs(t, "in two cases", s.WriteCase(ctx, store.CaseWrite{Calls: []casework.CaseCall{other, again}}), store.ErrExists)
	lost := other
	lost.Case = 9
	wantIs(t, "of no case", s.WriteCase(ctx, store.CaseWrite{Calls: []casework.CaseCall{lost}}), store.ErrNotFound)
	two.State, two.Verdict, two.Why, two.Decision = casework.Withdrawn, "free", "lock", 4
	stale := one
	stale.Version = 3
	wantIs(t, "stale", s.WriteCase(ctx, store.CaseWrite{Calls: []casework.CaseCall{two, stale}}), store.ErrMoved)
	ok(t, s.WriteCase(ctx, store.CaseWrite{Calls: []casework.CaseCall{two}}))
	two.Version = 2
	again.Call = two.Call // one that was withdrawn may be in another case
	ok(t, s.WriteCase(ctx, store.CaseWrite{Calls: []casework.CaseCall{again}}))
	again.Version = 1
	back := two
	back.State = casework.Disputed
	wantIs(t, "disputed in both", s.WriteCase(ctx, store.CaseWrite{Calls: []casework.CaseCall{back}}), store.ErrExists)
	for _, f := range []struct {
		store.CaseCallFilter
		want []casework.CaseCall
	}{
		{store.CaseCallFilter{Case: 1}, []casework.CaseCall{one, two}},
		{store.CaseCallFilter{Case: 1, After: one.Call}, []casework.CaseCall{two}},
		{store.CaseCallFilter{Customer: "acme", Limit: 2}, []casework.CaseCall{one, two}},
		{store.CaseCallFilter{Case: 1, Verdict: "free"}, []casework.CaseCall{two}},
		{store.CaseCallFilter{Case: 1, Decision: 4}, []casework.CaseCall{two}},
		{store.CaseCallFilter{Calls: []call.ID{two.Call, "x"}, States: []casework.Dispute{casework.Disputed, casework.Judged}}, []casework.CaseCall{again}},
	} {
		got, err := s.CaseCalls(ctx, f.CaseCallFilter)
		ok(t, err)
		same(t, "calls", got, f.want)
	}
	sums, err := s.CaseSums(ctx, 1, "")
	ok(t, err)
	same(t, "sums", sums, []casework.Sum{{State: casework.Disputed, Calls: 1, Retail: 1_640_000}, {State: casework.Withdrawn, Calls: 1, Retail: 1_640_000}})
	verdicts, err := s.CaseVerdicts(ctx, 1)
	ok(t, err)
	same(t, "verdicts", verdicts, []casework.VerdictSum{{Calls: 1, Retail: 1_640_000}, {Verdict: "free", Calls: 1, Retail: 1_640_000}})
	sums, err = s.CaseSums(ctx, 0, "acme")
	ok(t, err)
	same(t, "sums of a customer", sums, []casework.Sum{{State: casework.Disputed, Calls: 2, Retail: 3_280_000}, {State: casework.Withdrawn, Calls: 1, Retail: 1_640_000}})
}

// numbersOfCases reads the calls of a case by the number that they went to: the dearest first, on as many pages as it takes.
func numbersOfCases(t *testing.T, s store.Store) {
	ctx := t.Context()
	third := casework.Case{ID: 3, Customer: "acme", State: casework.Open, Opened: someday}
	var calls []casework.CaseCall
	var ops []store.Op
	add := func(id int, number string, retail money.Micro, state casework.Dispute) {
		calls = append(calls, casework.CaseCall{Case: 3, Call: ID(id), Customer: "acme", Line: "l", Begun: someday.Add(time.Duration(id) * time.Minute), Retail: retail, State: state})
		if number == "" {
			return
		}
		r := call.CDR{ID: ID(id), Line: "l", Account: "acme", Number: number, Country: "LV", Begun: someday, Retail: retail}
		ops = append(
			ops, store.Op{Kind: store.OpOpen, ID: r.ID, Amount: retail, Holds: []store.Hold{{Purse: "numbers", Cap: money.Max}}, Call: &call.Open{ID: r.ID, Node: "n", Line: "l", Account: "acme"}}, store.Op{Kind: store.OpSettle, ID: r.ID, CDR: &r},
		)
	}
	add(51, "+37190000112", 5, casework.Disputed)
	add(52, "+37190000112", 7, casework.Upheld)
	add(53, "+37190000119", 30, casework.Judged)
	add(54, "+37190000114", 12, casework.Goodwill)
	add(55, "", 1, casework.Owed)
	_, err := s.Apply(ctx, ops)
	ok(t, err)
	ok(t, s.WriteCase(ctx, store.CaseWrite{Case: &third, Calls: calls}))
	at := func(id int) time.Time { return someday.Add(time.Duration(id) * time.Minute) }
	want := []casework.NumberSum{
		{Number: "+37190000119", Country: "LV", Calls: 1, Retail: 30, Pending: 1, First: at(53), Last: at(53)},
		{Number: "+37190000112", Country: "LV", Calls: 2, Retail: 12, Pending: 1, Free: 1, First: at(51), Last: at(52)},
		{Number: "+37190000114", Country: "LV", Calls: 1, Retail: 12, Free: 1, First: at(54), Last: at(54)},
		{Calls: 1, Retail: 1, First: at(55), Last: at(55)},
	}
	got, err := s.CaseNumbers(ctx, 3, casework.NumberSum{}, 9)
	ok(t, err)
	same(t, "numbers", got, want)
	var paged []casework.NumberSum
	for after := (casework.NumberSum{}); ; {
		page, err := s.CaseNumbers(ctx, 3, after, 1)
		ok(t, err)
		if len(page) == 0 {
			break
		}
		paged, after = append(paged, page...), page[0]
	}
	same(t, "numbers, one a page", paged, want)
	to, err := s.CaseCalls(ctx, store.CaseCallFilter{Case: 3, Number: "+37190000112", After: ID(51)})
	ok(t, err)
	if len(to) != 1 || to[0].Call != ID(52) {
		t.Errorf("calls to a number: %+v", to)
	}
}

func pieces(t *testing.T, s store.Store) {
	ctx := t.Context()
	ok(t, s.PutPiece(ctx, "f", 0, []byte("ab\x00")))
	ok(t, s.PutPiece(ctx, "f", 1, []byte("c")))
	wantIs(t, "twice", s.PutPiece(ctx, "f", 1, []byte("d")), store.ErrExists)
	got, err := s.Piece(ctx, "f", 0)
	ok(t, err)
	same(t, "piece", string(got), "ab\x00")
	ok(t, s.DropPieces(ctx, "f"))
	_, err = s.Piece(ctx, "f", 0)
	wantIs(t, "gone", err, store.ErrNotFound)
}
