package rest

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"ringfence/core/account"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
)

var _ = serves(func(s *Server) {
	const tag = "requests"
	route(s, created(op(http.MethodPost, "/v1/lines/{id}/requests", "ask", tag, "Ask staff to loosen a setting of a line")), s.ask)
	listed[api.Request](s, s.listRequests)
	route(s, op(http.MethodPost, "/v1/requests/{id}/grant", "grant-request", tag, "Grant a request, for good or until a time"), s.grant)
	route(s, op(http.MethodPost, "/v1/requests/{id}/refuse", "refuse-request", tag, "Refuse a request"), s.refuse)
})

func (s *Server) ask(ctx context.Context, in *api.LineRequest) (out api.Request, err error) {
	f, n, err := parseSetting(in.Body.Field, in.Body.Value)
	if err != nil {
		return out, err
	}
	if isInherit(in.Body.Value) {
		return out, invalid("value", in.Body.Value, "a value; inherit needs no request")
	}
	l, err := s.line(ctx, in.ID)
	if err != nil {
		return out, err
	}
	until, err := instant(when.Until, "until", in.Body.Until, l.Zone())
	if err != nil {
		return out, err
	}
	r, err := s.d.Book.Ask(ctx, by(ctx), l.ID(), f, n, until, in.Body.Why)
	if err != nil {
		return out, s.about(err, "line", in.ID)
	}
	return s.requestView(&r), nil
}

func (s *Server) listRequests(ctx context.Context, in *struct {
	State string `query:"state" enum:"open,granted,refused"`
	Below
},
) (out api.List[api.Request], err error) {
	all, err := s.d.Book.Requests(ctx, in.State)
	if err != nil {
		return out, err
	}
	all = slices.DeleteFunc(all, func(r account.Request) bool { return in.Before != 0 && r.ID >= in.Before || !s.theirLine(ctx, r.Line) })
	all = all[:min(len(all), in.Limit+1)]
	return list(views(all, s.requestView), in.Limit, func(r *api.Request) string { return strconv.FormatInt(r.ID, 10) }), nil
}

func (s *Server) grant(ctx context.Context, in *api.RequestGrant) (out api.Request, err error) {
	zone, err := s.d.Book.RequestZone(ctx, in.ID)
	if err != nil {
		return out, err
	}
	until, err := instant(when.Until, "until", in.Body.Until, zone)
	if err != nil {
		return out, err
	}
	r, err := s.d.Book.Grant(ctx, by(ctx), in.ID, until, in.Body.Note)
	return s.requestView(&r), err
}

func (s *Server) refuse(ctx context.Context, in *api.RequestRefusal) (api.Request, error) {
	r, err := s.d.Book.Refuse(ctx, by(ctx), in.ID, in.Body.Note)
	return s.requestView(&r), err
}
