package rest

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/flow/retention"
)

var _ = serves(func(s *Server) {
	const tag = "retention"
	route(s, op(http.MethodGet, "/v1/retention", "get-retention", tag, "Show how long things are kept, what goes next, and what holds what back"), staged(s.retention, s.getRetention))
	listed[api.LegalHold](s, staged(s.retention, s.listHolds))
	added[api.LegalHold](s, staged(s.retention, s.addHold))
	lift := op(http.MethodPost, "/v1/holds/{id}/lift", "lift-hold", "holds", "Lift a hold")
	lift.Errors = append(lift.Errors, http.StatusConflict)
	route(s, lift, staged(s.retention, s.liftHold))
})

func (s *Server) retention() (*retention.Retention, error) {
	return stage(s.d.Retention, "what is kept")
}

func (s *Server) getRetention(ctx context.Context, r *retention.Retention, _ *none) (out api.Retention, err error) {
	st, err := r.Status(ctx)
	if err != nil {
		return out, err
	}
	zone := s.d.Book.Zone("")
	out = api.Retention{
		Kinds: []api.RetentionKind{}, Last: in(zone, st.Last), Archive: st.Archive, Archives: st.Archives, Archived: st.Archived, Bytes: st.Bytes, Holds: st.Holds, Cases: st.Cases,
	}
	for i := range st.Kinds {
		k := &st.Kinds[i]
		view := api.RetentionKind{Kind: string(k.Kind), Keep: k.Keep.String(), Oldest: in(zone, k.Oldest), Next: in(zone, k.Next), Deleted: k.Deleted, Held: map[string]int64{}}
		for why, n := range k.Held {
			view.Held[string(why)] = n
		}
		out.Kinds = append(out.Kinds, view)
	}
	return out, nil
}

func (s *Server) holdView(h *retention.Hold) api.LegalHold {
	zone := s.d.Book.Zone(h.Customer)
	return api.LegalHold{
		ID: h.ID, Call: string(h.Call), Line: account.Handle(h.Line), Customer: account.Handle(h.Customer), From: in(zone, h.From), Until: in(zone, h.Until), By: h.By, Why: h.Why,
		Made: in(zone, h.Made), Lifted: in(zone, h.Lifted), LiftedBy: h.LiftedBy, LiftedWhy: h.LiftedWhy,
	}
}

func (s *Server) listHolds(ctx context.Context, r *retention.Retention, in *struct {
	Below
	api.LegalHoldFilter
},
) (out api.List[api.LegalHold], err error) {
	all, err := r.Holds(ctx, in.All)
	var page []retention.Hold
	for i := range all {
		if (in.Before == 0 || all[i].ID < in.Before) && len(page) <= in.Limit {
			page = append(page, all[i])
		}
	}
	return list(views(page, s.holdView), in.Limit, func(h *api.LegalHold) string { return strconv.FormatInt(h.ID, 10) }), err
}

func (s *Server) addHold(ctx context.Context, r *retention.Retention, in *api.LegalHoldNew) (out api.LegalHold, err error) {
	b, h := &in.Body, retention.Hold{By: by(ctx), Why: in.Body.Why}
	h.Call = call.ID(b.Call)
	if b.Customer != "" {
		if h.Customer, err = s.customerFilter(ctx, b.Customer); err != nil {
			return out, err
		}
	}
	if b.Line != "" {
		if h.Line, err = s.lineFilter(ctx, b.Line); err != nil {
			return out, err
		}
		if l, ok := s.d.Book.Line(h.Line); ok && h.Customer == "" {
			h.Customer = l.Customer()
		}
	}
	zone := s.d.Book.Zone(h.Customer)
	if h.From, err = instant(when.From, "from", b.From, zone); err != nil {
		return out, err
	}
	if h.Until, err = instant(when.Until, "until", b.Until, zone); err != nil {
		return out, err
	}
	h, err = r.Set(ctx, h)
	return s.holdOr(&h, "call record", b.Call, err)
}

func (s *Server) liftHold(ctx context.Context, r *retention.Retention, in *api.LegalHoldEnd) (api.LegalHold, error) {
	h, err := r.Lift(ctx, in.ID, by(ctx), in.Body.Why)
	return s.holdOr(&h, "hold", strconv.FormatInt(in.ID, 10), err)
}

// holdOr is a hold, or why it is not.
func (s *Server) holdOr(h *retention.Hold, what, called string, err error) (api.LegalHold, error) {
	wrong := (*retention.Invalid)(nil)
	switch {
	case errors.As(err, &wrong):
		return api.LegalHold{}, invalid(wrong.Field, wrong.Found, wrong.Want)
	case errors.Is(err, retention.ErrLifted):
		return api.LegalHold{}, newProblem(http.StatusConflict, api.ReasonClosed, err.Error())
	case err != nil:
		return api.LegalHold{}, s.about(err, what, called)
	}
	return s.holdView(h), nil
}
