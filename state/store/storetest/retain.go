package storetest

import (
	"fmt"
	"testing"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/retain"
	"ringfence/core/settle"
	"ringfence/state/store"
)

// may decides as the program does, by periods of a day.
func may(now time.Time) func(*retain.Item, []retain.Hold) bool {
	r := retain.Rules{Keep: map[retain.Kind]retain.Period{}}
	for _, k := range retain.Kinds() {
		r.Keep[k] = retain.Period{Days: 1}
	}
	return func(it *retain.Item, holds []retain.Hold) bool {
		r.Holds = holds
		why, _ := r.Decide(it, now)
		return why == retain.Expired
	}
}

// later is when everything that tests write has expired.
var later = T0.AddDate(1, 0, 0)

func noted(d store.Dropped) []store.Fact {
	return []store.Fact{{At: later, Kind: "retention.deleted", Version: 1, Body: fmt.Appendf(nil, `{"items":%d,"facts":%d}`, d.Items, d.Facts)}}
}

// old reads all pages of a kind, some at a time.
func old(t *testing.T, s store.Store, f store.OldFilter) (all []store.Old) {
	t.Helper()
	f.Before, f.Limit = later, 2
	for {
		page, err := s.Old(t.Context(), f)
		ok(t, err)
		all = append(all, page...)
		if len(page) < f.Limit {
			return all
		}
		f.After = page[len(page)-1]
	}
}

func sweep(t *testing.T, s store.Store, f store.OldFilter) (sum store.Dropped) {
	t.Helper()
	for {
		out, err := s.DropOld(t.Context(), f, old(t, s, f), may(later), noted)
		ok(t, err)
		sum.Items, sum.Facts = sum.Items+out.Items, sum.Facts+out.Facts
		if !out.More {
			return sum
		}
	}
}

func texts(all []store.Old) (out []string) {
	for i := range all {
		out = append(out, all[i].Text)
	}
	return out
}

// oldCalls: a call goes when it is billed, paid, in no live case and not held; with it go the facts about it, and no fact about what people decided.
func oldCalls(t *testing.T, s store.Store) {
	ctx := t.Context()
	due(t, s, 1, 5, "a")
	calls := store.OldFilter{Kind: retain.Calls}
	same(t, "un-billed", sweep(t, s, calls), store.Dropped{})
	var on []store.DueCall
	for n := 1; n <= 5; n++ {
		on = append(on, store.DueCall{Line: "a", Country: "GB", Call: ID(n), Talk: 1, Net: money.Pound})
	}
	gross := 5 * money.Pound
	b, err := s.StepBill(ctx, store.BillStep{
		Bill: store.Bill{Customer: "acme", From: T0, Until: later, Made: T0.Add(time.Hour), Calls: 5, Net: gross, Gross: gross}, Calls: on, Issue: true,
		Entry: books.Entry{At: T0, Kind: books.KindBill, Customer: "acme", Net: gross, Postings: books.Bill("acme", books.Total{Net: gross, Gross: gross})},
	})
	if err == nil && b.State == store.BillMaking {
		t.Fatal("not issued")
	}
	ok(t, err)
	if all := old(t, s, calls); len(all) != 5 || all[0].Unpaid != b.Number || all[0].Line != "a" || all[0].Customer != "acme" || !all[0].At.Equal(Call(1, "a").Begun) {
		t.Fatalf("%+v", all)
	}
	same(t, "unpaid", sweep(t, s, calls), store.Dropped{})
	same(t, "books with a bill that is not paid", sweep(t, s, store.OldFilter{Kind: retain.Books, Part: "bill"}), store.Dropped{})
	_, err = s.Book(ctx, []books.Entry{paid("R1", gross)})
	ok(t, err)

	ok(t, s.WriteCase(ctx, store.CaseWrite{
		Case:  &casework.Case{ID: 1, Customer: "smith", Title: "x", State: casework.Open, Opened: T0},
		Calls: []casework.CaseCall{{Case: 1, Call: ID(2), Customer: "acme", Line: "a", Begun: T0, State: casework.Disputed}},
	}, store.Fact{At: T0, Kind: "case.call.disputed", Call: ID(2), Line: "a", Version: 1, Body: []byte("{}")}))
	id, err := s.PutLegalHold(ctx, store.LegalHold{Hold: retain.Hold{Call: ID(3), Line: "a", Customer: "acme"}, By: "tom", Why: "police", Made: T0}, func(id int64) []store.Fact { return nil })
	ok(t, err)
	live, err := s.LiveCases(ctx)
	ok(t, err)
	same(t, "live cases", live, []retain.Hold{{ID: 1, Customer: "smith", Case: true}})
	// What was read before the hold was set is read again where it is deleted.
	stale := old(t, s, calls)
	held4, err := s.PutLegalHold(ctx, store.LegalHold{Hold: retain.Hold{Call: ID(4)}, By: "tom", Why: "police", Made: T0}, func(int64) []store.Fact { return nil })
	ok(t, err)
	out, err := s.DropOld(ctx, calls, stale, may(later), noted)
	ok(t, err)
	same(t, "free ones", out, store.Dropped{Items: 2, Facts: 4})
	same(t, "what is left", texts(old(t, s, calls)), []string{string(ID(2)), string(ID(3)), string(ID(4))})
	same(t, "the facts of a call that went", len(kinds(t, s, store.FactFilter{Call: ID(1)})), 0)
	same(t, "and of one that stays", kinds(t, s, store.FactFilter{Call: ID(3)}), []string{"call.admitted", "call.settled"})
	for _, h := range []int64{id, held4} {
		ok(t, s.LiftLegalHold(ctx, store.LegalHold{Hold: retain.Hold{ID: h}, Lifted: later, LiftedBy: "ann", LiftedWhy: "over"}))
	}
	wantIs(t, "lifted twice", s.LiftLegalHold(ctx, store.LegalHold{Hold: retain.Hold{ID: id}, Lifted: later}), store.ErrInUse)
	wantIs(t, "lifted never set", s.LiftLegalHold(ctx, store.LegalHold{Hold: retain.Hold{ID: 99}, Lifted: later}), store.ErrNotFound)
	same(t, "lifted", sweep(t, s, calls), store.Dropped{Items: 2, Facts: 4})
	c, err := s.Case(ctx, 1)
	ok(t, err)
	c.State, c.Finished = casework.Closed, T0
	ok(t, s.WriteCase(ctx, store.CaseWrite{Case: &c}))
	ok(t, s.WriteSettle(ctx, store.SettleWrite{Plans: []settle.Plan{{ID: 1, Case: 1, Customer: "acme", State: settle.PlanRunning, Made: T0}}}))
	same(t, "a plan that runs", sweep(t, s, calls), store.Dropped{})
	p, err := s.Plan(ctx, 1)
	ok(t, err)
	p.State = settle.PlanPaid
	ok(t, s.WriteSettle(ctx, store.SettleWrite{Plans: []settle.Plan{p}}))
	same(t, "paid", sweep(t, s, calls), store.Dropped{Items: 1, Facts: 2})
	same(t, "what people said of it", kinds(t, s, store.FactFilter{Call: ID(2)}), []string{"case.call.disputed"})
	same(t, "a bill that is paid", sweep(t, s, store.OldFilter{Kind: retain.Books, Part: "bill"}), store.Dropped{Items: 1})
	same(t, "all entries but the last", sweep(t, s, store.OldFilter{Kind: retain.Books, Part: "entry"}), store.Dropped{Items: 1})
	balance, err := s.Balances(ctx, books.Customer("acme"))
	ok(t, err)
	same(t, "balances stand", balance, []money.Micro{0})
	all, err := s.LegalHolds(ctx, true)
	ok(t, err)
	if none, err := s.LegalHolds(ctx, false); err != nil || len(none) != 0 || len(all) != 2 || all[0].LiftedBy != "ann" || all[1].Why != "police" {
		t.Errorf("%+v %+v %v", all, none, err)
	}
}

// oldRest: facts of other kinds, devices, notices, findings and cases go in the order in which they are old, and numbers count on.
func oldRest(t *testing.T, s store.Store) {
	ctx := t.Context()
	var ops []store.Op
	for i := range 5 {
		at := T0.Add(time.Duration(i) * time.Hour)
		f := func(kind string, id call.ID) store.Fact {
			return store.Fact{At: at, Kind: kind, Version: 1, Line: "a", Account: "acme", Call: id, Body: []byte("{}")}
		}
		ops = append(ops, store.Op{Kind: store.OpRecord, ID: ID(i), Facts: []store.Fact{f("login.failed", ""), f("line.changed", ""), f("call.refused", ID(i)), f("call.cut", ID(i))}})
	}
	apply(t, s, ops...)
	ks, err := s.FactKinds(ctx)
	ok(t, err)
	same(t, "kinds", ks, []string{"call.cut", "line.changed", "login.failed"})
	same(t, "logins", sweep(t, s, store.OldFilter{Kind: retain.Journal, Part: "login.failed"}), store.Dropped{Facts: 5})
	same(t, "facts with a call go with it", sweep(t, s, store.OldFilter{Kind: retain.Journal, Part: "call.cut"}), store.Dropped{})
	same(t, "calls without a record", sweep(t, s, store.OldFilter{Kind: retain.Calls, Part: "facts"}), store.Dropped{Facts: 10})
	same(t, "settings", sweep(t, s, store.OldFilter{Kind: retain.Audit, Part: "line.changed"}), store.Dropped{Facts: 5})

	ok(t, s.SaveDevices(ctx, []store.Device{{Line: "a", Place: "p", Family: "f", First: T0, Last: T0}, {Line: "a", Place: "q", Family: "f", First: T0, Last: T0}, {Line: "b", Place: "p", Family: "f", First: T0, Last: later}}, nil))
	same(t, "devices", sweep(t, s, store.OldFilter{Kind: retain.Devices}), store.Dropped{Items: 2})
	var step store.Step
	step.Stage = "watch"
	for i := range 4 {
		key := fmt.Sprint("k", i)
		step.Findings = append(step.Findings, store.Finding{Key: key, Kind: "x", Line: "a", Account: "acme", At: T0, Last: T0})
		step.Notices = append(step.Notices, store.Notice{Key: key, Kind: "x", Line: "a", Account: "acme", At: T0, Deliveries: []store.Delivery{{Person: "p", Channel: "mail", State: store.Sent}}, Links: []store.Link{{Hash: key, Person: "p"}}})
	}
	step.Notices[1].Deliveries[0].State = store.Queued
	stepped, err := s.Advance(ctx, step)
	ok(t, err)
	for i := range 4 {
		if i != 2 {
			ok(t, s.CloseFinding(ctx, stepped.Findings[i].ID, T0, "tom"))
		}
	}
	ok(t, s.WriteCase(ctx, store.CaseWrite{Case: &casework.Case{ID: 1, Customer: "smith", Finding: stepped.Findings[0].ID, State: casework.Closed, Opened: T0, Finished: T0}}))
	same(t, "findings but the open one, the one of a case and the last", sweep(t, s, store.OldFilter{Kind: retain.Findings}), store.Dropped{Items: 1})
	same(t, "notices but the one that is sent and the last", sweep(t, s, store.OldFilter{Kind: retain.Notices}), store.Dropped{Items: 2})
	if _, err := s.Link(ctx, "k0"); err == nil {
		t.Error("its link is still there")
	}
	oldCases(t, s)
}

// oldCases: a case goes with all that it has, however much, and files that nobody names go by themselves.
func oldCases(t *testing.T, s store.Store) {
	ctx := t.Context()
	w := store.CaseWrite{
		Case:  &casework.Case{ID: 2, Customer: "acme", State: casework.Closed, Opened: T0, Finished: T0},
		Items: []casework.Item{{Case: 2, N: 1, Kind: casework.Evidence, At: T0, File: casework.File{Code: "f", Name: "x", Size: 1}}},
	}
	wantIs(t, "a file that was never sent", s.WriteCase(ctx, w), store.ErrNotFound)
	for n := range int64(40) {
		ok(t, s.PutPiece(ctx, "f", n, []byte("x")))
		ok(t, s.PutPiece(ctx, "stray", n, []byte("x")))
	}
	for n := range 1200 {
		w.Calls = append(w.Calls, casework.CaseCall{Case: 2, Call: ID(10_000 + n), Customer: "acme", Begun: T0, State: casework.Owed})
	}
	ok(t, s.WriteCase(ctx, w))
	ok(t, s.WriteCase(ctx, store.CaseWrite{Case: &casework.Case{ID: 3, Customer: "acme", State: casework.Closed, Opened: T0, Finished: T0}}))
	if codes, err := s.Uploads(ctx, time.Now().Add(-time.Hour), 9); err != nil || len(codes) != 0 {
		t.Errorf("too early: %q %v", codes, err)
	}
	codes, err := s.Uploads(ctx, time.Now().Add(time.Hour), 9)
	ok(t, err)
	same(t, "what nobody names", codes, []string{"stray"})
	steps := 1
	for more := true; more; steps++ {
		more, err = s.DropUpload(ctx, "stray")
		ok(t, err)
	}
	if _, err := s.Piece(ctx, "stray", 39); err == nil || steps != 4 {
		t.Errorf("pieces are left, after %d steps (%v)", steps, err)
	}
	more, err := s.DropUpload(ctx, "f")
	if _, gone := s.Piece(ctx, "f", 39); gone != nil || err != nil || more {
		t.Error("a file that an item names is gone", err)
	}
	same(t, "cases but the last", sweep(t, s, store.OldFilter{Kind: retain.Cases}), store.Dropped{Items: 2})
	if _, err := s.Piece(ctx, "f", 0); err == nil {
		t.Error("its file is still there")
	}
	same(t, "findings of a case that went", sweep(t, s, store.OldFilter{Kind: retain.Findings}), store.Dropped{Items: 1})
}

// archives: calls of an archive go once, those that have to stay leave it.
func archives(t *testing.T, s store.Store) {
	ctx := t.Context()
	for n := 1; n <= 4; n++ {
		c := Call(n, "a")
		apply(t, s, Open(c, 0), Settle(c, 0))
	}
	a := store.Archive{Name: "2026-11-22-1", Node: "a", State: store.ArchiveMade, Made: later, First: ID(1), Last: ID(3), LastAt: T0, Calls: 3, Facts: 6, Bytes: 99, CallsHash: "aa", FactsHash: "bb"}
	ok(t, s.PutArchive(ctx, a, []call.ID{ID(1), ID(2), ID(3)}))
	wantIs(t, "twice", s.PutArchive(ctx, a, nil), store.ErrExists)
	_, err := s.PutLegalHold(ctx, store.LegalHold{Hold: retain.Hold{Call: ID(2)}, Made: T0}, func(int64) []store.Fact { return nil })
	ok(t, err)
	in := store.OldFilter{Kind: retain.Calls, Archive: a.Name}
	same(t, "in it", texts(old(t, s, in)), []string{string(ID(1)), string(ID(2)), string(ID(3))})
	same(t, "deleted", sweep(t, s, in), store.Dropped{Items: 2, Facts: 4})
	same(t, "in it now", len(old(t, s, in)), 0)
	same(t, "left", texts(old(t, s, store.OldFilter{Kind: retain.Calls})), []string{string(ID(2)), string(ID(4))})
	ok(t, s.MoveArchive(ctx, a.Name, store.ArchiveMade, store.ArchiveKept))
	wantIs(t, "moved twice", s.MoveArchive(ctx, a.Name, store.ArchiveMade, store.ArchiveKept), store.ErrMoved)
	a.State = store.ArchiveKept
	all, err := s.Archives(ctx, "")
	ok(t, err)
	same(t, "archives", all, []store.Archive{a})
	ok(t, s.MoveArchive(ctx, a.Name, store.ArchiveKept, store.ArchiveGone))
	all, err = s.Archives(ctx, "")
	ok(t, err)
	same(t, "archives that are there", len(all), 0)
}
