package rest

import (
	"context"

	"ringfence/edge/rest/api"
	"ringfence/flow/book"
)

var _ = serves(func(s *Server) {
	listed[api.Advice](s, need(s.d.Exposure != nil, "advice", named(s, "line", s.line, s.advice)))
})

func (s *Server) advice(ctx context.Context, l *book.Line, _ *api.LineID) (out api.List[api.Advice], err error) {
	seen, err := s.d.Exposure.See(ctx, l)
	if err != nil {
		return out, err
	}
	all, err := s.d.Exposure.Advice(ctx, l, seen)
	if err != nil {
		return out, err
	}
	out.Items = []api.Advice{}
	for _, a := range all {
		out.Items = append(out.Items, api.Advice{Code: a.Code, Title: a.Title, Text: a.Text, Source: a.Source, Set: a.Set, Effect: a.Effect})
	}
	return out, nil
}
