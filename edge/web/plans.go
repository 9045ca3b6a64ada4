package web

import (
	"fmt"
	"html/template"

	"ringfence/core/money"
	core "ringfence/core/settle"
	"ringfence/flow/settle"
)

var _ = serves(func(s *Server) {
	if s.d.Settle == nil || s.d.Book == nil {
		return
	}
	s.page("GET /money/plans", customer, s.plans)
	s.page("GET /staff/plans", staff, s.staffPlans)
})

// plansView are a customer's plans: what is due when, and what happens when it is missed.
type plansView struct {
	Plans []planView
	How   []template.HTML
}

func (s *Server) plans(q *query) (page, error) {
	if err := q.may("list-plans"); err != nil {
		return page{}, err
	}
	all, err := s.d.Settle.Plans(q.Context(), q.Customer, settle.PlanFilter{Limit: maxCaseRows})
	if err != nil {
		return page{}, err
	}
	var v plansView
	var due, rest money.Micro
	title := q.t("settle.plans-none")
	for i := range all {
		p := s.planView(q, &all[i])
		if st := all[i].Standing(q.now); p.Live {
			due, rest = due.Add(st.Due), rest.Add(st.Rest)
			if title == q.t("settle.plans-none") && !p.Next.IsZero() {
				title = q.t("settle.plans-next", "sum", p.NextSum, "date", s.reader.date(p.Next))
			}
		}
		v.Plans = append(v.Plans, p)
	}
	switch {
	case due > 0:
		title = q.t("settle.plans-due", "sum", s.reader.money(due))
	case len(all) > 0 && rest == 0:
		title = q.t("settle.plans-paid")
	}
	for _, key := range []word{"settle.how-missed", "settle.how-early", "settle.how-count"} {
		v.How = append(v.How, q.mark(key, "days", int(core.Grace.Hours()/24)))
	}
	return page{name: "plans", title: title, nav: "/money", crumbs: []crumb{{q.t("frame.money"), "/money"}, {q.t("settle.plans"), ""}}, data: v}, nil
}

// staffPlansView are the plans of all customers.
type staffPlansView struct {
	Rows         []staffPlan
	All, AllText string
	Pager        pager
}

type staffPlan struct {
	planView
	Who template.HTML
}

// staffPlans are those that something is still to be paid by, those that ended first; with all=1 also those that are over.
func (s *Server) staffPlans(q *query) (page, error) {
	if err := q.may("list-plans"); err != nil {
		return page{}, err
	}
	filters := []settle.PlanFilter{{State: core.PlanBroken, Limit: maxCaseRows}, {State: core.PlanRunning, Limit: maxCaseRows}}
	v := staffPlansView{All: "/staff/plans?all=1", AllText: q.t("settle.plans-all")}
	whole := q.form.Get("all") != ""
	if whole {
		filters = []settle.PlanFilter{{Before: q.number("before"), Limit: maxCaseRows + 1}}
		v.All, v.AllText = "/staff/plans", q.t("settle.plans-running")
	}
	var all []core.Plan
	for _, f := range filters {
		some, err := s.d.Settle.Plans(q.Context(), "", f)
		if err != nil {
			return page{}, err
		}
		all = append(all, some...)
	}
	if whole && len(all) > maxCaseRows {
		all = all[:maxCaseRows]
		v.Pager.Next = fmt.Sprintf("/staff/plans?all=1&before=%d", all[maxCaseRows-1].ID)
	}
	rest, broken := money.Micro(0), 0
	for i := range all {
		p := &all[i]
		rest = rest.Add(p.Standing(q.now).Rest)
		if p.State == core.PlanBroken {
			broken++
		}
		row := staffPlan{s.planView(q, p), template.HTML(template.HTMLEscapeString(q.t("case.erased")))} //nolint:gosec // escaped
		if p.Customer != "" {
			row.Who = s.customerLink(p.Customer)
		}
		v.Rows = append(v.Rows, row)
	}
	title := q.t("settle.plans-title", "n", len(all), "sum", s.reader.money(rest))
	switch {
	case whole:
		title = q.t("settle.plans-title-all")
	case len(all) == 0:
		title = q.t("settle.plans-no")
	case broken > 0:
		title += " " + q.t("settle.plans-broken", "n", broken)
	}
	return page{name: "staffplans", title: title, nav: "/staff/money", shape: "staff", crumbs: []crumb{{q.t("frame.finance"), "/staff/money"}}, data: v}, nil
}
