package web

import (
	"errors"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/books"
	"ringfence/core/casework"
	"ringfence/core/money"
	core "ringfence/core/settle"
	"ringfence/flow/book"
	"ringfence/flow/desk"
	"ringfence/flow/settle"
)

func init() {
	caseActs["settle"] = caseAct{"settle-case", func(s *Server, q *query, id int64) error {
		if s.d.Settle == nil {
			return errMissing
		}
		_, err := s.d.Settle.Settle(q.Context(), q.ID, id, q.form.Get("cost") == "1", strings.TrimSpace(q.form.Get("settle-why")))
		return err
	}}
	caseActs["claim"] = caseAct{"claim-case", func(s *Server, q *query, id int64) error {
		if s.d.Settle == nil {
			return errMissing
		}
		_, err := s.d.Settle.OpenClaims(q.Context(), q.ID, id, "")
		return err
	}}
	caseActs["plan"] = caseAct{"add-plan", (*Server).makePlan}
	caseActs["pay-plan"] = caseAct{"pay-plan", (*Server).payPlan}
}

// owedView is what a case comes to: the list that falls from what was charged to what is to pay, what was decided, and how the rest is paid.
type owedView struct {
	Rows     []fallRow
	ToPay    string // without VAT, exactly
	Gross    string // with VAT, in whole coins
	Disputed string // the part that is not asked for yet; "" is none
	Preview  string // where to see what cost price would make of it; "" is nowhere
	Trial    bool   // it shows that
	Back     string
	Held     string // of the carriers' grants, until it is decided; staff see it
	Kept     string
	Past     []settledRow
	Plans    []planView
	Claims   []claimRow
	Unpriced []string // why calls that are owed keep their price, when others come down to cost price
}

// fallRow is a step of the list, with what is left before and after it.
type fallRow struct {
	Text, Sub, Sum string
	Was, Is        string // "" is the first
	X, W           string // of its bar
	Class          string
}

type settledRow struct {
	N            int64
	At           time.Time
	Text, Look   string
	Given, ToPay string
}

// caseOwed reads what a case comes to; nil: it has no call, or nothing is settled here.
func (s *Server) caseOwed(q *query, f *desk.File, path string) (*owedView, error) {
	if s.d.Settle == nil || len(f.Sums) == 0 || q.may("get-settlement") != nil {
		return nil, nil
	}
	trial := q.URL.Query().Get("cost") == "1" && q.Customer == ""
	x, err := s.d.Settle.Look(q.Context(), q.Customer, f.ID, trial)
	if err != nil {
		return nil, err
	}
	exact := func(m money.Micro) string { return signed(money.Billing().Amount(m)) }
	l := &x.List
	v := &owedView{Rows: s.fall(q, l), ToPay: exact(l.ToPay.Amount), Gross: s.reader.money(x.ToPay), Back: path + "#owed"}
	if v.Trial = trial && !x.Cost; !v.Trial && !x.Cost && q.Customer == "" && f.State != casework.Closed {
		v.Preview = path + "?cost=1#owed"
	}
	if l.Disputed.Amount > 0 {
		v.Disputed = exact(l.Disputed.Amount)
	}
	if q.Customer == "" {
		if l.Held > 0 {
			v.Held = exact(l.Held)
		}
		if l.Kept > 0 {
			v.Kept = exact(l.Kept)
		}
		claims, err := s.d.Settle.Claims(q.Context(), settle.ClaimFilter{Case: f.ID})
		if err != nil {
			return nil, err
		}
		for i := range claims {
			v.Claims = append(v.Claims, s.claimRow(q, &claims[i]))
		}
	}
	for i := range x.Past {
		p := &x.Past[i]
		r := settledRow{N: p.N, At: q.at(p.At), Text: q.t("settle.state-" + word(p.State)), Given: exact(p.Given), ToPay: exact(p.List.ToPay.Amount)}
		switch p.State {
		case core.Made:
			r.Look = "good"
		case core.Waiting:
			if r.Look = "warn"; q.Customer != "" {
				continue // it is theirs to see once it is in force
			}
		case core.Refused:
			if q.Customer != "" {
				continue
			}
		}
		v.Past = append(v.Past, r)
	}
	for i := range x.Plans {
		v.Plans = append(v.Plans, s.planView(q, &x.Plans[i]))
	}
	if x.Cost || trial {
		for _, u := range x.Unpriced() {
			v.Unpriced = append(v.Unpriced, q.t("settle.unpriced-why", "n", u.Calls, "why", sentence(harmless(u.Why, 160))))
		}
	}
	return v, nil
}

// fall draws the list, each step from where the one before it ended.
func (s *Server) fall(q *query, l *core.List) (rows []fallRow) {
	whole, left := l.Charged.Amount, l.Charged.Amount
	exact := func(m money.Micro) string { return signed(money.Billing().Amount(m)) }
	rows = append(rows, fallRow{Text: q.t("settle.charged"), Sub: q.t("case.n-calls", "n", l.Charged.Calls), Sum: exact(whole), X: "0%", W: "100%", Class: "bar"})
	for _, x := range []struct {
		text word
		step core.Step
	}{{"settle.ours", l.Ours}, {"settle.to-cost", l.ToCost}, {"settle.credit", l.Credit}, {"settle.refund", l.Refund}} {
		if x.step.Amount == 0 {
			continue
		}
		after := left - x.step.Amount
		r := fallRow{Text: q.t(x.text), Sub: q.t("case.n-calls", "n", x.step.Calls), Sum: exact(-x.step.Amount), Was: exact(left), Is: exact(after), X: ofWidth(share(after, whole)), W: ofWidth(share(x.step.Amount, whole)), Class: "m-spent"}
		if x.text == "settle.credit" && l.Claimed > 0 && q.Customer == "" { // what a carrier was asked for is nothing to customers
			r.Sub = q.t("settle.of-claimed", "sum", exact(l.Claimed))
		}
		rows, left = append(rows, r), after
	}
	return rows
}

// planView is a plan: what is due when, and what was paid of it.
type planView struct {
	ID           int64
	Case         string
	State        tag
	Amount, Paid string
	Rest         string
	Says         template.HTML
	Reference    template.HTML // what a payment names to count towards it
	Rows         []planRow
	Live         bool
	Next         time.Time
	NextSum      string
}

type planRow struct {
	N            int
	Due          time.Time
	Amount, Paid string
	State        tag
}

func (s *Server) planView(q *query, p *core.Plan) planView {
	st := p.Standing(q.now)
	v := planView{ID: p.ID, Case: "/cases/" + strconv.FormatInt(p.Case, 10), Amount: s.reader.money(p.Amount), Paid: s.reader.money(st.Paid), Rest: s.reader.money(st.Rest), Live: livePlan(p)}
	if q.Customer == "" {
		v.Case = "/staff" + v.Case
	}
	v.State = tag{"", "", q.t("settle.plan-" + word(p.State))}
	if v.Live {
		v.Reference = q.mark("settle.pay-named", "name", p.Name())
	}
	switch p.State {
	case core.PlanBroken:
		v.State.Look = "grave"
		v.Says = q.mark("settle.says-broken", "rest", v.Rest)
	case core.PlanPaid:
		v.State.Look = "good"
	case core.PlanRunning:
		if st.Next < len(p.List) {
			x := &p.List[st.Next]
			v.Next, v.NextSum = q.at(x.Due), s.reader.money(st.NextSum)
			v.Says = q.mark("settle.says-next", "n", st.Next+1, "of", len(p.List), "sum", v.NextSum, "date", s.reader.date(v.Next), "last", s.reader.date(q.at(x.GraceEnd().AddDate(0, 0, -1))))
		}
	}
	for i := range p.List {
		x := &p.List[i]
		r := planRow{N: i + 1, Due: q.at(x.Due), Amount: s.reader.money(x.Amount), Paid: s.reader.money(st.Each[i])}
		switch {
		case st.Each[i] == x.Amount:
			r.State = tag{"good", "", q.t("settle.paid")}
		case !v.Live:
		case !q.now.Before(x.Due.AddDate(0, 0, 1)): // it may come all of its day
			r.State = tag{"grave", "", q.t("settle.late")}
		case i == st.Next:
			r.State = tag{"warn", "", q.t("settle.next")}
		}
		v.Rows = append(v.Rows, r)
	}
	return v
}

// makePlan lets the rest be paid in instalments.
func (s *Server) makePlan(q *query, id int64) error {
	if s.d.Settle == nil {
		return errMissing
	}
	n := settle.NewPlan{Case: id, Count: int(q.number("count"))}
	x, err := s.d.Settle.Case(q.Context(), id)
	if err != nil {
		return err
	}
	first, err := time.ParseInLocation(time.DateOnly, q.form.Get("first"), s.d.Book.Zone(x.Customer)) // the day is the customer's
	if err != nil {
		return &book.Invalid{Field: "first", Found: harmless(q.form.Get("first"), 40), Want: "a day such as 2026-12-24"}
	}
	n.First = first
	if text := strings.TrimSpace(q.form.Get("plan-amount")); text != "" {
		if n.Amount, err = money.Billing().ParseAmount(text); err != nil {
			return &book.Invalid{Field: "amount", Found: harmless(text, 40), Want: "an amount such as 156.39"}
		}
	}
	_, err = s.d.Settle.MakePlan(q.Context(), q.ID, n)
	return err
}

// payPlan counts a payment towards the plan of a case, be it an instalment, several, or all that is left.
func (s *Server) payPlan(q *query, id int64) error {
	if s.d.Settle == nil {
		return errMissing
	}
	all, err := s.d.Settle.Plans(q.Context(), "", settle.PlanFilter{Case: id})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(p core.Plan) bool { return livePlan(&p) })
	if i < 0 {
		return &book.Invalid{Field: "case", Want: "a case with a plan of which something is to be paid"}
	}
	reference := strings.TrimSpace(q.form.Get("reference"))
	_, err = s.d.Settle.PayPlan(q.Context(), q.ID, all[i].ID, reference)
	if errors.Is(err, settle.ErrNotFound) {
		return &book.Invalid{Field: "reference", Found: harmless(reference, 40), Want: "the reference of a payment of this customer: book it first"}
	}
	return err
}

// livePlan says that something of a plan is still to be paid by it.
func livePlan(p *core.Plan) bool { return p.State == core.PlanRunning || p.State == core.PlanBroken }

// planDeed lets a payment be counted towards the plan of a case: one of the customer's that counts towards none yet, or one that is named.
func (s *Server) planDeed(q *query, f *desk.File) (d caseDeed, ok bool, err error) {
	all, err := s.d.Settle.Plans(q.Context(), f.Customer, settle.PlanFilter{Limit: maxCaseRows})
	if err != nil {
		return d, false, err
	}
	counted := map[string]bool{}
	var of *core.Plan
	for i := range all {
		p := &all[i]
		if p.Case == f.ID && livePlan(p) {
			of = p
		}
		for _, x := range p.Payments {
			counted[x.Reference] = true
		}
	}
	if of == nil {
		return d, false, nil
	}
	paid, err := s.d.Billing.Entries(q.Context(), f.Customer, books.KindPayment, 0, latest)
	if err != nil {
		return d, false, err
	}
	x := field{Name: "reference", Label: q.t("settle.payment"), Help: q.t("settle.payment-help", "rest", s.reader.money(of.Standing(q.now).Rest), "name", of.Name()), Most: 100, Needed: true}
	for i := range paid {
		if e := &paid[i]; !counted[e.Reference] {
			x.Choices = append(x.Choices, choice{e.Reference, harmless(e.Reference, 60) + " · " + s.reader.money(e.Net) + " · " + s.reader.date(q.at(e.At)), false})
		}
	}
	return caseDeed{Do: "pay-plan", Fields: []field{x}}, true, nil
}

// settleDeeds are what staff do about the money of a case.
func (s *Server) settleDeeds(q *query, f *desk.File, v *caseView, add func(caseDeed)) error {
	if s.d.Settle == nil || v.Owed == nil {
		return nil
	}
	cost := field{Name: "cost", Label: q.t("settle.how"), Choices: []choice{{"1", q.t("settle.at-cost"), v.Owed.Trial}, {"", q.t("settle.as-is"), !v.Owed.Trial}}}
	add(caseDeed{Do: "settle", Look: "main", Fields: []field{cost, {Name: "settle-why", Label: q.t("case.why"), Help: q.t("case.why-read"), Most: casework.MaxText, Lines: 2}}})
	add(caseDeed{Do: "claim"})
	first := q.now.In(q.zone).AddDate(0, 1, 0)
	first = time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, q.zone)
	add(caseDeed{Do: "plan", Fields: []field{
		{Name: "count", Label: q.t("settle.count"), Value: "3", Most: 2, Mode: "numeric", Needed: true},
		{Name: "first", Label: q.t("settle.first"), Type: "date", Value: first.Format(time.DateOnly), Most: 10, Needed: true},
		{Name: "plan-amount", Label: q.t("settle.plan-amount"), Help: q.t("settle.plan-amount-help", "sum", v.Owed.Gross), Before: money.Billing().Sign, Most: 20, Mode: "decimal"},
	}})
	if s.d.Billing == nil {
		return nil
	}
	d, ok, err := s.planDeed(q, f)
	if ok {
		add(d)
	}
	return err
}

// settleWhy is an error of settling that people can do something about.
func settleWhy(q *query, err error) string {
	var unread *settle.Unread
	switch {
	case errors.As(err, &unread):
		return harmless(unread.Error(), 600)
	case errors.Is(err, settle.ErrStep):
		return harmless(strings.TrimSuffix(err.Error(), ": "+settle.ErrStep.Error()), 300)
	case errors.Is(err, settle.ErrMoved):
		return q.t("case.moved")
	}
	return ""
}

// carrier is a trunk as people know it.
func carrier(trunk string) template.HTML { return name(account.Handle(trunk)) }
