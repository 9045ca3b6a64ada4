package web

import (
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
