package rest

import (
	"context"
	"net/http"

	"ringfence/core/check"
	"ringfence/edge/rest/api"
)

var _ = serves(func(s *Server) {
	const tag = "operations"
	route(s, op(http.MethodGet, "/v1/check", "check", tag, "Check configuration, book and store"), s.check)
	route(s, op(http.MethodPost, "/v1/keys/rotate", "rotate-key", tag, "Seal every secret with a new key"), need(s.d.Rotate != nil, "rotating the key", s.rotate))
	route(s, op(http.MethodGet, "/v1/status", "status", tag, "Show the status of this node"), s.status)
})

// check shows what the stages found.
func (s *Server) check(ctx context.Context, _ *struct{}) (out api.Check, err error) {
	out.OK, out.Items = true, []api.CheckItem{}
	if s.d.Check != nil {
		for _, f := range s.d.Check(ctx) {
			out.Items = append(out.Items, api.CheckItem(f))
			out.OK = out.OK && f.Level != check.Error
		}
	}
	return out, nil
}

func (s *Server) rotate(ctx context.Context, _ *struct{}) (api.Rotated, error) {
	return s.d.Rotate(ctx, by(ctx))
}

func (s *Server) status(ctx context.Context, _ *struct{}) (out api.Status, err error) {
	if s.d.Status != nil {
		out = s.d.Status(ctx)
	}
	if out.Version == "" {
		out.Version = s.o.Version
	}
	c := s.d.Book.Counts()
	out.Customers, out.Lines, out.Locked, out.Trunks, out.Decks = c.Customers, c.Lines, c.Locked, c.Trunks, c.Decks
	if s.d.Registrations != nil {
		out.Registrations = s.d.Registrations()
	}
	if s.d.Calls != nil && out.Calls == 0 {
		out.Calls = len(s.d.Calls())
	}
	return out, nil
}
