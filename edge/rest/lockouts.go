package rest

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"ringfence/core/account"
	"ringfence/edge/rest/api"
)

var _ = serves(func(s *Server) {
	listed[api.Lockout](s, need(s.d.Guard != nil, "the list of lock-outs", s.listLockouts))
	route(s, op(http.MethodPost, "/v1/lockouts/release", "release-lockout", "bans", "End lock-outs of a line, an address, a network or an AS"), need(s.d.Guard != nil, "releasing lock-outs", s.release))
	route(s, op(http.MethodGet, "/v1/geo", "locate", "bans", "Show the country and network of an address, from the configured files"), need(s.d.Geo != nil, "looking up addresses", s.locate))
})

// lockouts are those in force on this node.
func (s *Server) lockouts(now time.Time) []api.Lockout {
	out := []api.Lockout{}
	if s.d.Guard == nil {
		return out
	}
	for _, l := range s.d.Guard.Locked(now) {
		v := api.Lockout{Scope: l.Scope, Source: l.Source, User: l.User, Line: l.Line, Level: l.Level, Failures: l.Failures}
		if l.Line { // else it is what an unknown source has sent
			v.User = account.Handle(l.User)
		}
		if !l.Until.IsZero() {
			v.Until = l.Until.Round(time.Second).UTC()
		}
		out = append(out, v)
	}
	return out
}

// listLockouts pages by position: the list has no keys, and changes as time goes.
func (s *Server) listLockouts(_ context.Context, in *struct {
	After int `query:"after" minimum:"0" maximum:"10000000" doc:"number of entries to skip: next of the previous page"`
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100"`
},
) (out api.List[api.Lockout], err error) {
	all := s.lockouts(time.Now())
	all = all[min(in.After, len(all)):]
	return list(all, in.Limit, func(*api.Lockout) string { return strconv.Itoa(in.After + in.Limit) }), nil
}

func (s *Server) release(ctx context.Context, in *struct{ Body api.Release }) (out api.Released, err error) {
	what := in.Body.What
	return api.Released{What: what, Released: s.d.Guard.Release(what, by(ctx), time.Now())}, nil
}

func (s *Server) locate(_ context.Context, in *struct {
	Address string `query:"address" required:"true" maxLength:"64"`
},
) (out api.Place, err error) {
	addr, err := parseAddr("address", in.Address)
	if err != nil {
		return out, err
	}
	return s.place(addr, true), nil
}

func (s *Server) place(addr netip.Addr, files bool) api.Place {
	p := api.Place{}
	if s.d.Geo != nil {
		p = s.d.Geo(addr, files)
	}
	p.Address = addr.String()
	return p
}
