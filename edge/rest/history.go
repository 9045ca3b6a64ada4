package rest

import (
	"context"
	"strconv"

	"ringfence/core/account"
	"ringfence/edge/rest/api"
	"ringfence/flow/desk"
)

var _ = serves(func(s *Server) { listed[api.Deed](s, s.listHistory) })

func (s *Server) listHistory(ctx context.Context, ask *struct {
	api.HistoryFilter
	Below
},
) (out api.List[api.Deed], err error) {
	line, customer, err := s.filters(ctx, ask.Line, ask.Customer)
	if err != nil {
		return out, err
	}
	if l, ok := s.d.Book.Line(line); ok && customer == "" {
		customer = l.Customer()
	}
	if customer == "" {
		return out, invalid("customer", ask.Customer, "a customer, or a line of theirs")
	}
	if s.d.Desk == nil || s.d.Desk() == nil {
		return out, unavailable("the history")
	}
	all, err := s.d.Desk().History(ctx, whoAsks(ctx), desk.PastFilter{Customer: customer, Line: line, Before: ask.Before, Limit: ask.Limit + 1})
	return list(views(all, func(d *desk.Deed) api.Deed { return s.deedView(customer, d) }), ask.Limit, func(d *api.Deed) string { return strconv.FormatInt(d.Seq, 10) }), err
}

func (s *Server) deedView(customer string, d *desk.Deed) api.Deed {
	v := api.Deed{
		Seq: d.Seq, At: in(s.d.Book.Zone(customer), d.At), Kind: d.Kind, Customer: account.Handle(customer), Line: account.Handle(d.Subject.Line),
		By: d.By, Person: d.Person, What: d.What, From: d.From, Agent: d.Agent,
	}
	for _, c := range d.Changes {
		v.Changes = append(v.Changes, api.Part(c))
	}
	return v
}
