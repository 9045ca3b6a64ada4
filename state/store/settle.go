package store

import (
	"context"

	"ringfence/core/books"
	"ringfence/core/settle"
)

// ClaimFilter selects claims; zero fields do not restrict. Before is the number to continue below; Limit 0 is 100.
type ClaimFilter struct {
	Case   int64
	Trunk  string
	State  settle.State
	Before int64
	Limit  int
}

// PlanFilter selects plans; zero fields do not restrict. Before is the number to continue below; Limit 0 is 100.
type PlanFilter struct {
	Case     int64
	Customer string
	State    settle.PlanState
	Before   int64
	Limit    int
}

// SettleWrite is what is written of the settlement of cases in one transaction. What has Version 0 is new (ErrExists when it is there);
// of all else the version must be the stored one, or it is ErrMoved, and nothing is written.
type SettleWrite struct {
	Settlements []settle.Settlement
	Claims      []settle.Claim
	Calls       []settle.ClaimCall
	Plans       []settle.Plan
	Case        *CaseWrite    // the items of cases that go with it
	Entries     []books.Entry // booked with it: ErrExists when one was booked before
}

// Settling keeps settlements, claims to carriers and instalment plans. Engines: sqlite and postgres, as part of Store. None of it
// changes a purse.
type Settling interface {
	Settlements(ctx context.Context, id int64) ([]settle.Settlement, error) // of a case, by N
	// WaitingSettlements are those of all cases that wait for a second person.
	WaitingSettlements(ctx context.Context) ([]settle.Settlement, error)
	CarrierClaims(ctx context.Context, f ClaimFilter) ([]settle.Claim, error) // newest first
	CarrierClaim(ctx context.Context, id int64) (settle.Claim, error)
	ClaimCalls(ctx context.Context, id int64) ([]settle.ClaimCall, error) // by N
	Plans(ctx context.Context, f PlanFilter) ([]settle.Plan, error)       // newest first
	Plan(ctx context.Context, id int64) (settle.Plan, error)
	// LastClaim and LastPlan are the highest numbers, 0 when there is none.
	LastClaim(ctx context.Context) (int64, error)
	LastPlan(ctx context.Context) (int64, error)
	WriteSettle(ctx context.Context, w SettleWrite, facts ...Fact) error
}
