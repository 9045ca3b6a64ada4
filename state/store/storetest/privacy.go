package storetest

import (
	"fmt"
	"testing"

	"ringfence/core/account"
	"ringfence/core/books"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/retain"
	"ringfence/core/settle"
	"ringfence/state/store"
)

// held fills a store with what is held of a customer with one line.
func held(t *testing.T, s store.Store, customer, line string, n int) {
	t.Helper()
	ctx := t.Context()
	for i := range 3 {
		o := Call(10*n+i, line)
		o.Account = customer
		c := Settle(o, 0)
		c.CDR.Account, c.CDR.Line = customer, line
		apply(t, s, Open(o, 0, In("line/"+line+"/2026-11-22", 1000)), c)
	}
	ok(t, s.WriteCase(ctx, store.CaseWrite{
		Case:  &casework.Case{ID: int64(n), Customer: customer, Line: line, Title: "calls at night", State: casework.Closed, Opened: someday, Finished: someday},
		Items: []casework.Item{{Case: int64(n), N: 1, Kind: casework.Message, At: someday, By: "ana", Theirs: true, Text: "not ours"}},
		Calls: []casework.CaseCall{{Case: int64(n), Call: ID(10 * n), Customer: customer, Line: line, State: casework.Upheld}},
	}))
	ok(t, s.WriteSettle(ctx, store.SettleWrite{
		Claims: []settle.Claim{{ID: int64(n), Case: int64(n), Customer: customer, Trunk: "t1", State: settle.ClaimAnswered, By: "tom", Made: someday}},
		Plans:  []settle.Plan{{ID: int64(n), Case: int64(n), Customer: customer, State: settle.PlanPaid, Amount: money.Pound, Made: someday}},
	}))
	_, err := s.PutRequest(ctx, account.Request{Line: line, Why: "more", State: "refused", Made: someday})
	ok(t, err)
	var step store.Step
	step.Stage = "watch"
	key := fmt.Sprint(customer, n)
	step.Findings = []store.Finding{{Key: key, Kind: "x", Line: line, Account: customer, At: T0, Last: T0}}
	step.Notices = []store.Notice{{Key: key, Kind: "x", Line: line, Account: customer, At: T0, Deliveries: []store.Delivery{{Person: "p", Channel: "mail", State: store.Sent}}, Links: []store.Link{{Hash: key, Person: "p"}}}}
	_, err = s.Advance(ctx, step)
	ok(t, err)
}

// leftOf counts what is held of a customer.
func leftOf(t *testing.T, s store.Store, customer, line string) (n int) {
	t.Helper()
	ctx := t.Context()
	calls, err := s.CDRs(ctx, store.CDRFilter{Account: customer, Limit: 99})
	ok(t, err)
	cases, err := s.Cases(ctx, store.CaseFilter{Customer: customer})
	ok(t, err)
	inCases, err := s.CaseCalls(ctx, store.CaseCallFilter{Customer: customer})
	ok(t, err)
	plans, err := s.Plans(ctx, store.PlanFilter{Customer: customer})
	ok(t, err)
	findings, err := s.Findings(ctx, store.FindingFilter{Account: customer, Limit: 99})
	ok(t, err)
	notices, err := s.Notices(ctx, store.NoticeFilter{Account: customer, Limit: 99})
	ok(t, err)
	requests, err := s.Requests(ctx, "")
	ok(t, err)
	for i := range requests {
		if requests[i].Line == line {
			n++
		}
	}
	return n + len(calls) + len(cases) + len(inCases) + len(plans) + len(findings) + len(notices)
}

// erase takes steps of an erasing until nothing is left or, as if the program had died, after so many transactions.
func erase(t *testing.T, s store.Store, dies int) (finished bool) {
	t.Helper()
	open, err := s.Erasures(t.Context(), true)
	ok(t, err)
	for i := range open {
		for _, part := range store.EraseParts() {
			for {
				if dies == 0 {
					return false
				}
				dies--
				n, err := s.Erase(t.Context(), &open[i], part, 0, 1)
				ok(t, err)
				if n == 0 {
					break
				}
			}
		}
		open[i].Done = someday
		ok(t, s.EndErasure(t.Context(), open[i], store.Fact{Kind: "privacy.erased"}))
		wantIs(t, "ended twice", s.EndErasure(t.Context(), open[i]), store.ErrMoved)
	}
	return true
}

// erasing wants everything of a customer to go and nothing of another, wherever the program dies in between; and nothing to go that is tied.
func erasing(t *testing.T, s store.Store) {
	ctx := t.Context()
	held(t, s, "acme", "a", 1)
	held(t, s, "bell", "b", 2)
	held(t, s, "acme", "a", 3) // the highest numbers, which others count on from
	before := leftOf(t, s, "bell", "b")
	same(t, "held of each", before, 9)
	e := store.Erasure{Customer: "acme", Name: "Acme Ltd", Lines: []string{"a"}, By: "tom", Begun: someday}
	begun := func(id int64) []store.Fact { return []store.Fact{{Kind: "privacy.erasing", Body: fmt.Append(nil, id)}} }
	_, err := s.Book(ctx, []books.Entry{paid("R1", 5)})
	ok(t, err)
	ties, err := s.Ties(ctx, "acme", e.Lines)
	ok(t, err)
	same(t, "ties", ties, []store.Tie{{Why: retain.Balance, Number: -5}})
	_, err = s.BeginErasure(ctx, e, begun)
	wantIs(t, "with a balance", err, store.ErrInUse)
	_, err = s.Book(ctx, []books.Entry{{At: someday, Kind: books.KindCredit, Reference: "C1", Customer: "acme", Postings: []books.Posting{{Account: books.Customer("acme"), Amount: 5}, {Account: books.Bank, Amount: -5}}}})
	ok(t, err)
	e.ID, err = s.BeginErasure(ctx, e, begun)
	ok(t, err)
	_, err = s.BeginErasure(ctx, e, begun)
	wantIs(t, "begun twice", err, store.ErrExists)
	for dies := 1; ; dies++ { // it dies after one transaction, goes on and dies after two, and so on
		if erase(t, s, dies) {
			break
		}
		if dies > 100 {
			t.Fatal("the erasing does not end")
		}
	}
	same(t, "left of the erased", leftOf(t, s, "acme", "a"), 0)
	same(t, "left of another", leftOf(t, s, "bell", "b"), before)
	done, err := s.ErasureOf(ctx, "acme")
	ok(t, err)
	if done.Done.IsZero() || len(done.Lines) != 0 {
		t.Errorf("the erasure: %+v", done)
	}
	last, err := s.LastCase(ctx)
	ok(t, err)
	hollow, err := s.Case(ctx, last)
	ok(t, err)
	if last != 3 || !hollow.Erased() {
		t.Errorf("the last case, from which numbers count on: %d, %+v", last, hollow)
	}
	n, err := s.ForgetErased(ctx)
	ok(t, err)
	same(t, "forgotten while the books have entries", n, int64(0))
	facts, err := s.Facts(ctx, store.FactFilter{Kinds: []string{"privacy.erasing", "privacy.erased"}})
	ok(t, err)
	same(t, "facts", len(facts), 2)
}
