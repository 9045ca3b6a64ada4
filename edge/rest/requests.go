package rest

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/account"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
)

func (s *Server) requestRoutes() {
	const tag = "requests"
	huma.Register(s.api, created(op(http.MethodPost, "/v1/lines/{id}/requests", "ask", tag, "Ask staff to loosen a setting of a line")), s.ask)
	huma.Register(s.api, op(http.MethodGet, "/v1/requests", "list-requests", tag, "List requests, newest first"), s.listRequests)
	huma.Register(s.api, op(http.MethodPost, "/v1/requests/{id}/grant", "grant-request", tag, "Grant a request, for good or until a time"), s.grant)
	huma.Register(s.api, op(http.MethodPost, "/v1/requests/{id}/refuse", "refuse-request", tag, "Refuse a request"), s.refuse)
}

func (s *Server) ask(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"80"`
	Body api.NewRequest
},
) (*answer[api.Request], error) {
	f, n, err := parseSetting(in.Body.Field, in.Body.Value)
	if err != nil {
		return nil, s.explain(err)
	}
	if isInherit(in.Body.Value) {
		return nil, s.explain(invalid("value", in.Body.Value, "a value; inherit needs no request"))
	}
	l, err := s.line(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	until, err := instant(when.Until, "until", in.Body.Until, l.Zone())
	if err != nil {
		return nil, s.explain(err)
	}
	r, err := s.d.Book.Ask(ctx, by(ctx), l.ID(), f, n, until, in.Body.Why)
	if err != nil {
		return nil, s.about(err, "line", in.ID)
	}
	return reply(s.requestView(&r), nil)
}

func (s *Server) listRequests(ctx context.Context, in *struct {
	State  string `query:"state" enum:"open,granted,refused"`
	Before int64  `query:"before" minimum:"0" doc:"continue below this id: next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
},
) (*answer[api.List[api.Request]], error) {
	all, err := s.d.Book.Requests(ctx, in.State)
	if err != nil {
		return nil, s.explain(err)
	}
	out := []api.Request{}
	for i := range all {
		if (in.Before == 0 || all[i].ID < in.Before) && len(out) <= in.Limit {
			out = append(out, s.requestView(&all[i]))
		}
	}
	return reply(list(out, in.Limit, func(r *api.Request) string { return strconv.FormatInt(r.ID, 10) }), nil)
}

func (s *Server) grant(ctx context.Context, in *struct {
	ID   int64 `path:"id" minimum:"1"`
	Body api.Grant
},
) (*answer[api.Request], error) {
	zone, err := s.d.Book.RequestZone(ctx, in.ID)
	if err != nil {
		return nil, s.explain(err)
	}
	until, err := instant(when.Until, "until", in.Body.Until, zone)
	if err != nil {
		return nil, s.explain(err)
	}
	return s.decided(s.d.Book.Grant(ctx, by(ctx), in.ID, until, in.Body.Note))
}

func (s *Server) refuse(ctx context.Context, in *struct {
	ID   int64 `path:"id" minimum:"1"`
	Body api.Refuse
},
) (*answer[api.Request], error) {
	return s.decided(s.d.Book.Refuse(ctx, by(ctx), in.ID, in.Body.Note))
}

func (s *Server) decided(r account.Request, err error) (*answer[api.Request], error) {
	if err != nil {
		return nil, s.explain(err)
	}
	return reply(s.requestView(&r), nil)
}
