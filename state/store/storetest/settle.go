package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/books"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/settle"
	"ringfence/state/store"
)

func settling(t *testing.T, s store.Store) {
	ctx := t.Context()
	for id := int64(1); id < 3; id++ {
		ok(t, s.WriteCase(ctx, store.CaseWrite{Case: &casework.Case{ID: id, Customer: "acme", State: casework.Open, Opened: someday}}))
	}
	made := settle.Settlement{
		Case: 1, N: 1, Item: 4, State: settle.Waiting, By: "staff/tom", At: someday, Cost: true, Given: 31_080_000, Shares: []byte{1, 0, 2},
		List: settle.List{Charged: settle.Step{Calls: 163, Amount: 245_590_000}, Kept: 3},
	}
	claim := settle.Claim{
		ID: 1, Case: 1, Customer: "acme", Trunk: "t1", State: settle.ClaimSent, By: "staff/tom", Made: someday, Sent: someday, AnswerBy: someday.Add(settle.AnswerTime),
		Reminders: 1, Reminded: someday, Calls: 2, Claimed: 61_000_000, Granted: 20_000_000, Beyond: 1, Invoice: "north.csv",
		Answers: []settle.Answer{{At: someday, By: "staff/tom", Granted: 20_000_000, Text: "as a gesture"}},
	}
	calls := []settle.ClaimCall{
		{Claim: 1, N: 1, Call: ID(1), Called: "+37160000112", Begun: someday, Talk: time.Minute, Metered: 50 * time.Second, Claimed: 5, Granted: 2, Line: 12, Parts: []settle.Part{{Kind: settle.RanOn, Time: 10 * time.Second, Money: 5}}},
		{Claim: 1, N: 2, Called: "+1", Begun: someday, Claimed: 7},
	}
	plan := settle.Plan{
		ID: 1, Case: 1, Customer: "acme", State: settle.PlanRunning, Amount: 156_390_000, By: "staff/tom", Made: someday,
		List: []settle.Instalment{{Due: someday, Amount: 156_390_000}}, Payments: []settle.Payment{{Reference: "r1", At: someday, Amount: 9}}, Sent: []string{"coming 0"},
	}
	item := casework.Item{Case: 1, N: 1, Kind: casework.Decision, At: someday, By: "staff/tom", What: casework.Refund, Amount: 31_080_000}
	w := store.SettleWrite{
		Settlements: []settle.Settlement{made}, Claims: []settle.Claim{claim}, Calls: calls, Plans: []settle.Plan{plan},
		Case: &store.CaseWrite{Items: []casework.Item{item}},
	}
	ok(t, s.WriteSettle(ctx, w, store.Fact{Kind: "case.settled"}))
	wantIs(t, "twice", s.WriteSettle(ctx, w), store.ErrExists)
	made.Version, claim.Version, plan.Version, calls[0].Version, calls[1].Version = 1, 1, 1, 1, 1
	readSettled(t, s, made, claim, calls, plan)

	grant := books.Entry{At: someday, Kind: books.KindCarrier, Reference: "CLAIM 1 ANSWER 1", By: "staff/tom", Net: 5, Postings: books.Grant("t1", 5)}
	stale := plan
	stale.Version = 7
	wantIs(t, "of a version that is not there", s.WriteSettle(ctx, store.SettleWrite{Plans: []settle.Plan{stale}, Entries: []books.Entry{grant}}), store.ErrMoved)
	ok(t, s.WriteSettle(ctx, store.SettleWrite{Entries: []books.Entry{grant}}))
	wantIs(t, "booked twice", s.WriteSettle(ctx, store.SettleWrite{Entries: []books.Entry{grant}}), store.ErrExists)
	owes, err := s.Balances(ctx, books.Carrier("t1"), books.Granted)
	ok(t, err)
	same(t, "what the carrier owes", owes, []money.Micro{5, -5})

	again := claim
	again.ID, again.Version = 2, 0
	wantIs(t, "two claims of one case to one carrier", s.WriteSettle(ctx, store.SettleWrite{Claims: []settle.Claim{again}}), store.ErrExists)
	second := plan
	second.ID, second.Version = 2, 0
	wantIs(t, "two plans of one case", s.WriteSettle(ctx, store.SettleWrite{Plans: []settle.Plan{second}}), store.ErrExists)
	plan.State = settle.PlanReplaced
	ok(t, s.WriteSettle(ctx, store.SettleWrite{Plans: []settle.Plan{plan, second}}))
	last, err := s.LastPlan(ctx)
	ok(t, err)
	same(t, "last plan", last, int64(2))
	both, err := s.Plans(ctx, store.PlanFilter{Case: 1, Customer: "acme"})
	ok(t, err)
	same(t, "plans", []int64{both[0].ID, both[1].ID}, []int64{2, 1})
	racingSettlement(t, s, made)
}

func readSettled(t *testing.T, s store.Store, made settle.Settlement, claim settle.Claim, calls []settle.ClaimCall, plan settle.Plan) {
	t.Helper()
	ctx := t.Context()
	list, err := s.Settlements(ctx, 1)
	ok(t, err)
	same(t, "settlements", list, []settle.Settlement{made})
	waiting, err := s.WaitingSettlements(ctx)
	ok(t, err)
	same(t, "waiting", waiting, list)
	for f, want := range map[store.ClaimFilter]int{{}: 1, {Case: 1}: 1, {Case: 2}: 0, {Trunk: "t1"}: 1, {Trunk: "t2"}: 0, {State: settle.ClaimSent}: 1, {State: settle.ClaimDraft}: 0, {Before: 1}: 0} {
		got, err := s.CarrierClaims(ctx, f)
		ok(t, err)
		same(t, fmt.Sprint(f), len(got), want)
	}
	one, err := s.CarrierClaim(ctx, 1)
	ok(t, err)
	same(t, "claim", one, claim)
	_, err = s.CarrierClaim(ctx, 9)
	wantIs(t, "no such claim", err, store.ErrNotFound)
	read, err := s.ClaimCalls(ctx, 1)
	ok(t, err)
	same(t, "calls", read, calls)
	p, err := s.Plan(ctx, 1)
	ok(t, err)
	same(t, "plan", p, plan)
	running, err := s.Plans(ctx, store.PlanFilter{State: settle.PlanRunning})
	ok(t, err)
	same(t, "running", running, []settle.Plan{plan})
	last, err := s.LastClaim(ctx)
	ok(t, err)
	same(t, "last claim", last, int64(1))
}

// racingSettlement has several end one settlement: one does.
func racingSettlement(t *testing.T, s store.Store, made settle.Settlement) {
	t.Helper()
	var ended atomic.Int64
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			x := made
			x.State, x.Ended, x.Given = settle.Made, someday, money.Micro(n)
			if s.WriteSettle(t.Context(), store.SettleWrite{Settlements: []settle.Settlement{x}}) == nil {
				ended.Add(1)
			}
		})
	}
	all.Wait()
	same(t, "ended", ended.Load(), int64(1))
	waiting, err := s.WaitingSettlements(t.Context())
	ok(t, err)
	same(t, "waiting", len(waiting), 0)
}
