package rest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/account"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/rating"
	core "ringfence/core/settle"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/flow/settle"
)

var _ = serves(func(s *Server) {
	const kase, claim, plan = "/v1/cases/{id}", "/v1/claims/{id}", "/v1/plans/{id}"
	steps := func(path, id, tag, summary string) huma.Operation {
		o := created(op(http.MethodPost, path, id, tag, summary))
		o.Errors = append(o.Errors, http.StatusConflict)
		return o
	}
	route(s, op(http.MethodGet, kase+"/settlement", "get-settlement", "cases", new(api.CaseSettlement).Resource().Get), staged(s.settling, s.getSettlement))
	route(s, steps(kase+"/settlement", "settle-case", "cases", "Settle a case as its calls stand, and credit it; with cost, calls that are owed come down to cost price"), staged(s.settling, s.settleCase))
	route(s, op(http.MethodGet, kase+"/claims", "list-case-claims", "cases", "List the claims of a case"), staged(s.settling, s.listCaseClaims))
	route(s, steps(kase+"/claims", "claim-case", "cases", "Draw up a claim to each carrier of a case's calls"), staged(s.settling, s.claimCase))

	listed[api.Claim](s, staged(s.settling, s.listClaims))
	shown[api.Claim](s, staged(s.settling, s.getClaim))
	route(s, steps(claim+"/send", "send-claim", "claims", "Note that a claim went to its carrier: the days of the answer begin"), staged(s.settling, s.sendClaim))
	route(s, steps(claim+"/answers", "answer-claim", "claims", "Note what a carrier grants; it is passed on to the customer, as far as the customer owes the calls"), staged(s.settling, s.answerClaim))
	invoice := s.uploaded(steps(claim+"/invoice", "import-invoice", "claims", "Put the carrier's invoice (CSV) beside our metering, call by call; a wrong row books nothing"))
	route(s, invoice, staged(s.settling, s.importInvoice))
	streamed(s, op(http.MethodGet, claim+"/letter", "get-claim-letter", "claims", "Get the letter of a claim, as text or PDF; it names no customer"),
		map[string]*huma.Schema{"text/plain": plainText, "application/pdf": plainText}, staged(s.settling, s.getClaimLetter))
	streamed(s, op(http.MethodGet, claim+"/sheet", "get-claim-sheet", "claims", "Get the calls of a claim as CSV"), map[string]*huma.Schema{"text/csv": plainText}, staged(s.settling, s.getClaimSheet))

	listed[api.Plan](s, staged(s.settling, s.listPlans))
	shown[api.Plan](s, staged(s.settling, s.getPlan))
	made := described[api.Plan](http.MethodPost, "add", new(api.Plan).Resource().Add, false)
	made.Errors = append(made.Errors, http.StatusConflict)
	route(s, created(made), staged(s.settling, s.addPlan))
	route(s, steps(plan+"/payments", "pay-plan", "plans", "Count a payment that is booked towards a plan, once"), staged(s.settling, s.payPlan))
})

func (s *Server) settling() (*settle.Desk, error) {
	return stage(func() *settle.Desk { return s.d.Settle }, "settling cases")
}

// unsettled explains what went wrong in settling.
func (s *Server) unsettled(err error, what string, id int64) error {
	var unread *settle.Unread
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unread):
		p := newProblem(http.StatusUnprocessableEntity, api.ReasonImportFaults, unread.Text)
		for _, f := range unread.Faults {
			p.Errors = append(p.Errors, api.Fault{Line: f.Line, Column: f.Column, Found: clip(f.Found, 80), Want: f.Expected, Text: core.Sentence(f.Line, f.Column, clip(f.Found, 80), f.Expected, 0)})
		}
		return p
	case errors.Is(err, settle.ErrStep), errors.Is(err, casework.ErrStep):
		text := strings.TrimSuffix(strings.TrimSuffix(err.Error(), ": "+settle.ErrStep.Error()), ": "+casework.ErrStep.Error())
		return newProblem(http.StatusConflict, api.ReasonClosed, text)
	case errors.Is(err, settle.ErrMoved):
		return newProblem(http.StatusConflict, api.ReasonClosed, "somebody else changed it at the same time: look at it again")
	}
	return s.about(err, what, strconv.FormatInt(id, 10))
}

func (s *Server) getSettlement(ctx context.Context, d *settle.Desk, in *api.SettlementQuery) (out api.CaseSettlement, err error) {
	c, err := d.Case(ctx, in.ID)
	if err == nil && !theirs(ctx, c.Customer) {
		err = settle.ErrNotFound
	}
	if err != nil {
		return out, s.unsettled(err, "case", in.ID)
	}
	x, err := d.Look(ctx, "", in.ID, in.Cost)
	if err != nil {
		return out, s.unsettled(err, "case", in.ID)
	}
	if own(ctx) != "" {
		x.ForCustomers()
	}
	l := &x.List
	out = api.CaseSettlement{
		Case: in.ID, Cost: x.Cost || in.Cost, Steps: stepsOf(l), Charged: int64(x.Charged), ToPay: int64(x.ToPay), Disputed: int64(l.Disputed.Amount),
		Past:  views(x.Past, func(p *core.Settlement) api.Settlement { return s.settlementView(ctx, p) }),
		Plans: views(x.Plans, func(p *core.Plan) api.Plan { return s.planView(ctx, p) }),
	}
	if own(ctx) == "" {
		out.Claimed, out.Kept, out.Held = int64(l.Claimed), int64(l.Kept), int64(l.Held)
	}
	for _, u := range x.Unpriced() {
		out.Unpriced = append(out.Unpriced, api.NoCostPrice{Why: u.Why, Calls: u.Calls})
	}
	if in.Calls {
		out.Calls = views(x.Calls, settledView)
	}
	return out, nil
}

// stepsOf is a list from what was charged to what is to pay.
func stepsOf(l *core.List) (out []api.SettleStep) {
	left := l.Charged.Amount
	for _, x := range []struct {
		name string
		core.Step
		takes bool
	}{
		{"charged", l.Charged, false}, {"ours", l.Ours, true}, {"to-cost", l.ToCost, true}, {"credit", l.Credit, true}, {"refund", l.Refund, true}, {"to-pay", l.ToPay, false},
	} {
		if x.takes {
			left -= x.Amount
		}
		out = append(out, api.SettleStep{Step: x.name, Calls: x.Calls, Amount: int64(x.Amount), Left: int64(left)})
	}
	return out
}

func (s *Server) settlementView(ctx context.Context, x *core.Settlement) api.Settlement {
	zone := s.d.Book.Zone("")
	return api.Settlement{
		Case: x.Case, N: x.N, State: string(x.State), By: worker(ctx, x.By), At: in(zone, x.At), Ended: in(zone, x.Ended), EndedBy: worker(ctx, x.EndedBy), Item: x.Item, Cost: x.Cost,
		Given: int64(x.Given), ToPay: int64(x.List.ToPay.Amount), Reference: settle.Reference(x),
	}
}

func settledView(c *settle.Call) api.SettledCall {
	r := &c.Rated
	return api.SettledCall{
		Call: string(c.ID), Verdict: string(c.Verdict), Charged: int64(c.Charged), Ours: int64(c.Ours), ToCost: int64(c.ToCost), Credit: int64(c.Credit), Refund: int64(c.Refund),
		ToPay: int64(c.ToPay), Priced: r.Priced, CostIs: int64(r.Cost), Rate: int64(r.PerMinute), Place: r.Name, Deck: r.Deck, Version: r.Version, Why: r.Why,
	}
}

func (s *Server) settleCase(ctx context.Context, d *settle.Desk, in *api.SettlementNew) (out api.Settlement, err error) {
	x, err := d.Settle(ctx, by(ctx), in.ID, in.Body.Cost, strings.TrimSpace(in.Body.Why))
	if err != nil {
		return out, s.unsettled(err, "case", in.ID)
	}
	return s.settlementView(ctx, &x), nil
}

func (s *Server) claimView(c *core.Claim, calls []core.ClaimCall) api.Claim {
	zone := s.d.Book.Zone("")
	out := api.Claim{
		ID: c.ID, Case: c.Case, Customer: account.Handle(c.Customer), Trunk: account.Handle(c.Trunk), State: string(c.State), Calls: c.Calls, Claimed: int64(c.Claimed), Granted: int64(c.Granted),
		Beyond: int64(c.Beyond), By: c.By, Made: in(zone, c.Made), Sent: in(zone, c.Sent), AnswerBy: in(zone, c.AnswerBy), Late: c.Late(time.Now()), Reminders: c.Reminders, Invoice: c.Invoice,
	}
	for _, a := range c.Answers {
		out.Answers = append(out.Answers, api.ClaimAnswer{At: in(zone, a.At), By: a.By, Granted: int64(a.Granted), Text: a.Text})
	}
	for i := range calls {
		x := &calls[i]
		v := api.ClaimCall{
			N: x.N, Call: string(x.Call), Called: x.Called, Begun: in(zone, x.Begun), Talk: int64(x.Talk), Metered: int64(x.Metered), Claimed: int64(x.Claimed), Granted: int64(x.Granted), Line: x.Line,
		}
		for _, p := range x.Parts {
			v.Differences = append(v.Differences, api.Difference{Kind: string(p.Kind), Said: settle.Said(p.Kind), Time: int64(p.Time), Amount: int64(p.Money)})
		}
		out.List = append(out.List, v)
	}
	return out
}

func (s *Server) claims(all []core.Claim, limit int) api.List[api.Claim] {
	return list(views(all, func(c *core.Claim) api.Claim { return s.claimView(c, nil) }), limit, func(c *api.Claim) string { return strconv.FormatInt(c.ID, 10) })
}

func (s *Server) listCaseClaims(ctx context.Context, d *settle.Desk, in *api.CaseID) (out api.List[api.Claim], err error) {
	if _, err := d.Case(ctx, in.ID); err != nil {
		return out, s.unsettled(err, "case", in.ID)
	}
	all, err := d.Claims(ctx, settle.ClaimFilter{Case: in.ID, Limit: maxPage})
	return s.claims(all, maxPage), err
}

func (s *Server) claimCase(ctx context.Context, d *settle.Desk, in *api.CaseClaims) (out api.List[api.Claim], err error) {
	trunk, err := s.trunkCalled(in.Body.Trunk)
	if err != nil {
		return out, err
	}
	all, err := d.OpenClaims(ctx, by(ctx), in.ID, trunk)
	return s.claims(all, maxPage), s.unsettled(err, "case", in.ID)
}

// trunkCalled is the identity of a trunk; "" is none.
func (s *Server) trunkCalled(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	t, ok := s.d.Book.TrunkCalled(name)
	if !ok {
		return "", s.about(settle.ErrNotFound, "trunk", name)
	}
	return t.Name, nil
}

func (s *Server) listClaims(ctx context.Context, d *settle.Desk, in *struct {
	api.ClaimFilter
	Below
},
) (out api.List[api.Claim], err error) {
	trunk, err := s.trunkCalled(in.Trunk)
	if err != nil {
		return out, err
	}
	all, err := d.Claims(ctx, settle.ClaimFilter{State: core.State(in.State), Trunk: trunk, Before: in.Before, Limit: in.Limit + 1})
	return s.claims(all, in.Limit), err
}

func (s *Server) getClaim(ctx context.Context, d *settle.Desk, in *api.ClaimID) (out api.Claim, err error) {
	c, calls, err := d.Claim(ctx, in.ID)
	if err != nil {
		return out, s.unsettled(err, "claim", in.ID)
	}
	return s.claimView(&c, calls), nil
}

func (s *Server) sendClaim(ctx context.Context, d *settle.Desk, in *api.ClaimID) (out api.Claim, err error) {
	c, err := d.Send(ctx, by(ctx), in.ID)
	return s.claimView(&c, nil), s.unsettled(err, "claim", in.ID)
}

func (s *Server) answerClaim(ctx context.Context, d *settle.Desk, in *api.ClaimGrant) (out api.Claim, err error) {
	granted, err := money.Billing().ParseAmount(in.Body.Granted)
	if err != nil {
		return out, invalid("granted", in.Body.Granted, "an amount such as 12.50, or 0")
	}
	c, err := d.Answer(ctx, by(ctx), in.ID, granted, in.Body.Text)
	return s.claimView(&c, nil), s.unsettled(err, "claim", in.ID)
}

func (s *Server) importInvoice(ctx context.Context, d *settle.Desk, in *struct {
	api.ClaimID
	api.InvoiceOptions
	RawBody []byte `contentType:"text/csv"`
},
) (out api.InvoiceCompared, err error) {
	x, err := d.Invoice(ctx, by(ctx), in.ID, in.RawBody, settle.InvoiceOptions{File: in.File, Zone: in.Zone, Dates: rating.DateOrder(in.Dates), Map: in.Map})
	if err != nil {
		return out, s.unsettled(err, "claim", in.ID)
	}
	out = api.InvoiceCompared{Rows: len(x.Rows), Charged: int64(x.Charged), Expected: int64(x.Expected), Over: int64(x.Over), Missing: []string{}, Sums: []api.Difference{}}
	for _, id := range x.Missing {
		out.Missing = append(out.Missing, string(id))
	}
	for _, k := range core.Kinds() {
		if sum := x.Kinds[k]; sum.Calls > 0 {
			out.Sums = append(out.Sums, api.Difference{Kind: string(k), Said: settle.Said(k), Calls: sum.Calls, Amount: int64(sum.Amount)})
		}
	}
	out.Claim, err = s.getClaim(ctx, d, &in.ClaimID)
	return out, err
}

func (s *Server) getClaimLetter(ctx context.Context, d *settle.Desk, in *struct {
	api.ClaimID
	Format string `query:"format" enum:"txt,pdf" default:"txt"`
},
) (*huma.StreamResponse, error) {
	kind := map[string]string{"txt": "text/plain; charset=utf-8", "pdf": "application/pdf"}[in.Format]
	data, err := d.Letter(ctx, in.ID, in.Format == "pdf")
	if err != nil {
		return nil, s.unsettled(err, "claim", in.ID)
	}
	return download(kind, "claim-"+strconv.FormatInt(in.ID, 10)+"."+in.Format, data), nil
}

func (s *Server) getClaimSheet(ctx context.Context, d *settle.Desk, in *api.ClaimID) (*huma.StreamResponse, error) {
	data, err := d.Sheet(ctx, in.ID)
	if err != nil {
		return nil, s.unsettled(err, "claim", in.ID)
	}
	return download("text/csv; charset=utf-8", "claim-"+strconv.FormatInt(in.ID, 10)+".csv", data), nil
}

// download hands a file out.
func download(kind, name string, data []byte) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", kind)
		hc.SetHeader("Content-Disposition", `attachment; filename="`+name+`"`)
		_, _ = hc.BodyWriter().Write(data) // a client that went away is no fault of ours
	}}
}

func (s *Server) planView(ctx context.Context, p *core.Plan) api.Plan {
	zone, now := s.d.Book.Zone(p.Customer), time.Now()
	st := p.Standing(now)
	out := api.Plan{
		ID: p.ID, Case: p.Case, Customer: account.Handle(p.Customer), State: string(p.State), Amount: int64(p.Amount), Paid: int64(st.Paid), Rest: int64(st.Rest), Due: int64(st.Due),
		By: worker(ctx, p.By), Made: in(zone, p.Made), Ended: in(zone, p.Ended), Payments: []api.PlanPayment{},
	}
	if p.State == core.PlanReplaced {
		out.Due = 0 // by the plan that follows
	}
	for i, x := range p.List {
		out.Instalments = append(out.Instalments, api.Instalment{N: i + 1, Due: in(zone, x.Due), Until: in(zone, x.GraceEnd()), Amount: int64(x.Amount), Paid: int64(st.Each[i])})
	}
	for _, x := range p.Payments {
		out.Payments = append(out.Payments, api.PlanPayment{Reference: x.Reference, At: in(zone, x.At), Amount: int64(x.Amount), Credit: x.Credit})
	}
	return out
}

func (s *Server) listPlans(ctx context.Context, d *settle.Desk, in *struct {
	api.PlanFilter
	Below
},
) (out api.List[api.Plan], err error) {
	customer, err := s.customerFilter(ctx, in.Customer)
	if err != nil {
		return out, err
	}
	all, err := d.Plans(ctx, "", settle.PlanFilter{Customer: customer, Case: in.Case, State: core.PlanState(in.State), Before: in.Before, Limit: in.Limit + 1})
	return list(views(all, func(p *core.Plan) api.Plan { return s.planView(ctx, p) }), in.Limit, func(p *api.Plan) string { return strconv.FormatInt(p.ID, 10) }), err
}

func (s *Server) getPlan(ctx context.Context, d *settle.Desk, in *api.PlanID) (out api.Plan, err error) {
	p, err := d.Plan(ctx, "", in.ID)
	if err == nil && !theirs(ctx, p.Customer) {
		err = settle.ErrNotFound
	}
	if err != nil {
		return out, s.unsettled(err, "plan", in.ID)
	}
	return s.planView(ctx, &p), nil
}

func (s *Server) addPlan(ctx context.Context, d *settle.Desk, in *api.PlanNew) (out api.Plan, err error) {
	b := &in.Body
	n := settle.NewPlan{Case: b.Case, Count: b.Count}
	if b.Amount != "" {
		if n.Amount, err = money.Billing().ParseAmount(b.Amount); err != nil {
			return out, invalid("amount", b.Amount, "an amount such as 120.50")
		}
	}
	x, err := d.Case(ctx, b.Case)
	if err != nil {
		return out, s.unsettled(err, "case", b.Case)
	}
	if n.First, err = instant(when.From, "first", b.First, s.d.Book.Zone(x.Customer)); err != nil {
		return out, err
	}
	p, err := d.MakePlan(ctx, by(ctx), n)
	if err != nil {
		return out, s.unsettled(err, "case", b.Case)
	}
	return s.planView(ctx, &p), nil
}

func (s *Server) payPlan(ctx context.Context, d *settle.Desk, in *api.PlanPaid) (out api.Plan, err error) {
	p, err := d.PayPlan(ctx, by(ctx), in.ID, in.Body.Reference)
	switch {
	case errors.Is(err, settle.ErrNotFound) && p.ID != 0:
		return out, newProblem(http.StatusNotFound, api.ReasonNotFound, "no payment of this customer has the reference "+clip(in.Body.Reference, 80)+": book it first")
	case err != nil:
		return out, s.unsettled(err, "plan", in.ID)
	}
	return s.planView(ctx, &p), nil
}
