package sqlstore

import (
	"context"
	"fmt"

	"ringfence/core/settle"
	"ringfence/state/store"
)

var settlements = table[settle.Settlement]{
	"settlement", "settlements", 2,
	"case_id, n, item, state, actor, at, ended, ended_by, cost, list, given, shares, version",
	func(s *settle.Settlement) []any {
		return []any{&s.Case, &s.N, &s.Item, &s.State, &s.By, &s.At, &s.Ended, &s.EndedBy, &s.Cost, inJSON(&s.List), &s.Given, &s.Shares, &s.Version}
	},
}

var claims = table[settle.Claim]{
	"claim", "claims", 1,
	"id, case_id, customer, trunk, state, actor, made, sent, answer_by, reminders, reminded, calls, claimed, granted, beyond, invoice, answers, version",
	func(c *settle.Claim) []any {
		return []any{
			&c.ID, &c.Case, &c.Customer, &c.Trunk, &c.State, &c.By, &c.Made, &c.Sent, &c.AnswerBy, &c.Reminders, &c.Reminded, &c.Calls, &c.Claimed, &c.Granted, &c.Beyond,
			&c.Invoice, (*listed[settle.Answer])(&c.Answers), &c.Version,
		}
	},
}

var claimCalls = table[settle.ClaimCall]{
	"claim_call", "calls of claims", 2,
	"claim, n, call, called, begun, talk, metered, claimed, granted, line, parts, version",
	func(c *settle.ClaimCall) []any {
		return []any{&c.Claim, &c.N, &c.Call, &c.Called, &c.Begun, &c.Talk, &c.Metered, &c.Claimed, &c.Granted, &c.Line, (*listed[settle.Part])(&c.Parts), &c.Version}
	},
}

var plans = table[settle.Plan]{
	"plan", "plans", 1,
	"id, case_id, customer, state, amount, list, actor, made, ended, payments, reminders, version",
	func(p *settle.Plan) []any {
		return []any{
			&p.ID, &p.Case, &p.Customer, &p.State, &p.Amount, (*listed[settle.Instalment])(&p.List), &p.By, &p.Made, &p.Ended,
			(*listed[settle.Payment])(&p.Payments), (*listed[string])(&p.Sent), &p.Version,
		}
	},
}

// Settlements reads those of a case.
func (s *Queries) Settlements(ctx context.Context, id int64) ([]settle.Settlement, error) {
	return settlements.all(ctx, s.db, " WHERE case_id = $1 ORDER BY n", id)
}

// WaitingSettlements reads those that wait.
func (s *Queries) WaitingSettlements(ctx context.Context) ([]settle.Settlement, error) {
	return settlements.all(ctx, s.db, " WHERE state = 'waiting' ORDER BY case_id, n")
}

// CarrierClaims reads a page of them.
func (s *Queries) CarrierClaims(ctx context.Context, f store.ClaimFilter) ([]settle.Claim, error) {
	var w where
	w.number("case_id = ?", f.Case)
	w.text("trunk = ?", f.Trunk)
	w.text("state = ?", string(f.State))
	w.number("id < ?", f.Before)
	return claims.all(ctx, s.db, w.sql.String()+" ORDER BY id DESC"+w.limit(f.Limit, 100), w.args...)
}

// CarrierClaim reads one.
func (s *Queries) CarrierClaim(ctx context.Context, id int64) (settle.Claim, error) {
	return claims.one(ctx, s.db, fmt.Sprintf("claim %d", id), " WHERE id = $1", id)
}

// ClaimCalls reads those of a claim.
func (s *Queries) ClaimCalls(ctx context.Context, id int64) ([]settle.ClaimCall, error) {
	return claimCalls.all(ctx, s.db, " WHERE claim = $1 ORDER BY n", id)
}

// Plans reads a page of them.
func (s *Queries) Plans(ctx context.Context, f store.PlanFilter) ([]settle.Plan, error) {
	var w where
	w.number("case_id = ?", f.Case)
	w.text("customer = ?", f.Customer)
	w.text("state = ?", string(f.State))
	w.number("id < ?", f.Before)
	return plans.all(ctx, s.db, w.sql.String()+" ORDER BY id DESC"+w.limit(f.Limit, 100), w.args...)
}

// Plan reads one.
func (s *Queries) Plan(ctx context.Context, id int64) (settle.Plan, error) {
	return plans.one(ctx, s.db, fmt.Sprintf("plan %d", id), " WHERE id = $1", id)
}

// LastClaim is the highest number.
func (s *Queries) LastClaim(ctx context.Context) (int64, error) {
	return Returned(ctx, s.db, "SELECT COALESCE(MAX(id), 0) FROM claim")
}

// LastPlan is the highest number.
func (s *Queries) LastPlan(ctx context.Context) (int64, error) {
	return Returned(ctx, s.db, "SELECT COALESCE(MAX(id), 0) FROM plan")
}

// WriteSettle writes what has changed.
func (s *Queries) WriteSettle(ctx context.Context, w store.SettleWrite, facts ...store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		if err := settlements.versioned(ctx, tx, w.Settlements, func(x *settle.Settlement) *int64 { return &x.Version }, "settlement"); err != nil {
			return err
		}
		if err := claims.versioned(ctx, tx, w.Claims, func(x *settle.Claim) *int64 { return &x.Version }, "claim"); err != nil {
			return err
		}
		if err := claimCalls.versioned(ctx, tx, w.Calls, func(x *settle.ClaimCall) *int64 { return &x.Version }, "call of a claim"); err != nil {
			return err
		}
		for i := range w.Plans { // in their order: the one that is replaced comes before the one that follows it
			if err := plans.versioned(ctx, tx, w.Plans[i:i+1], func(x *settle.Plan) *int64 { return &x.Version }, "plan"); err != nil {
				return err
			}
		}
		if w.Case != nil {
			if err := writeCase(ctx, tx, *w.Case); err != nil {
				return err
			}
		}
		for i := range w.Entries {
			if _, err := book(ctx, tx, w.Entries[i]); err != nil {
				return err
			}
		}
		return note(ctx, tx, facts)
	})
}
