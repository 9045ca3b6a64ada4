package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/restrict"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/fit"
)

var _ = serves(func(s *Server) {
	const at, tag = "/v1/lines/{id}/fit", "lines"
	route(s, op(http.MethodGet, at, "get-fit", tag, "Find the tightest settings under which a line's calls of a year would pass"), need(s.d.Fit != nil, "what fits", named(s, "line", s.line, s.fit)))
	route(s, op(http.MethodPost, at, "apply-fit", tag, "Put settings that fit in force: all of them, unless one would loosen something"), need(s.d.Fit != nil, "what fits", named(s, "line", s.line, s.applyFit)))
})

func (s *Server) fit(ctx context.Context, l *book.Line, ask *api.FitAsk) (out api.Fit, err error) {
	a, read, err := s.d.Fit.Of(ctx, l, ask.Stops, time.Duration(ask.Wait)*time.Second)
	if err != nil {
		return out, err
	}
	out = api.Fit{Line: l.Handle(), State: "reading", Read: read, Settings: []api.FitSetting{}, Stopped: []api.FitStopped{}, StopsMost: ask.Stops}
	if a == nil {
		return out, nil
	}
	switch {
	case a.Little != "":
		out.State = "little"
	case a.Fits():
		out.State = "fits"
	default:
		out.State = "tight"
	}
	out.Text, out.From, out.Calls, out.Before, out.Only = a.Text(), in(l.Zone(), a.From), a.Calls, a.Before, a.Only.String()
	out.Now, out.Then = int64(a.Now), int64(a.Then)
	for _, p := range a.Parts {
		out.Settings = append(out.Settings, api.FitSetting{Field: p.Field.String(), Now: account.Format(p.Field, p.Now), To: account.Format(p.Field, p.N), Seen: p.Seen, Margin: p.Margin})
	}
	for i := range a.Stopped {
		c := &a.Stopped[i]
		out.Stopped = append(out.Stopped, api.FitStopped{
			ID: string(c.ID), Begun: in(l.Zone(), c.At), Number: c.Number, Cost: int64(c.Cost), Setting: c.By(), Reason: c.Reason, Refused: c.Refused,
		})
	}
	return out, nil
}

func (s *Server) applyFit(ctx context.Context, l *book.Line, in *api.FitApply) (out api.LineDetail, err error) {
	var set []fit.Set
	for _, v := range in.Body.Settings {
		f, err := account.ParseField(v.Field)
		if err != nil {
			return out, invalidText("field", err)
		}
		n, err := account.ParseValue(f, v.To)
		if err != nil {
			return out, invalidText("to", err)
		}
		set = append(set, fit.Set{Field: f, N: n})
	}
	var only restrict.Set
	if in.Body.Only != "" {
		if only, err = restrict.ParseSet(in.Body.Only); err != nil {
			return out, invalidText("only", err)
		}
	}
	l, err = s.d.Fit.Apply(ctx, by(ctx), l, set, only)
	if loose, ok := errors.AsType[*book.Loosening](err); ok {
		return out, invalid("settings", strings.Join(loose.Texts, ", "), "nothing that loosens what is in force: that is for line set")
	}
	if err != nil {
		return out, err
	}
	return s.lineDetail(ctx, l)
}
