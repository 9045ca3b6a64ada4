package rest

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	coreexposure "ringfence/core/exposure"
	"ringfence/core/policy"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/exposure"
)

var _ = serves(func(s *Server) {
	o := op(http.MethodGet, "/v1/exposure", "get-exposure", "exposure", "Show what a thief could cost a line, a customer or everybody")
	route(s, o, need(s.d.Exposure != nil, "exposure", s.exposure))
})

func (s *Server) exposure(ctx context.Context, in *api.ExposureFilter) (out api.Exposure, err error) {
	defer func() { hideExposure(ctx, &out) }()
	p := exposure.Period(cmp.Or(in.Until, string(exposure.Tonight)))
	with, err := tried(in.With)
	if ours := own(ctx); ours != "" && in.Line == "" && in.Customer == "" {
		in.Customer = account.FullIdentity(ours) // to a customer's people, everybody is their own
	}
	switch {
	case err != nil:
		return out, err
	case in.Line != "" && in.Customer != "":
		return out, invalid("customer", in.Customer, "one of line and customer")
	case in.Line != "":
		l, err := s.line(ctx, in.Line)
		if err != nil {
			return out, err
		}
		a, err := s.d.Exposure.Line(ctx, l, p, with)
		if err != nil {
			return out, err
		}
		out = exposureView(a, p)
		out.Line, out.Customer, out.Shares = l.Handle(), account.Handle(l.Customer()), nil
		return out, nil
	case in.Customer != "":
		c, err := s.customer(ctx, in.Customer)
		if err != nil {
			return out, err
		}
		if c.Resale.Sells {
			t, err := s.d.Exposure.Reseller(ctx, c.ID, p)
			if err != nil {
				return out, err
			}
			out = totalView(t, p)
			out.Customer = account.Handle(c.ID)
			return out, nil
		}
		a, err := s.d.Exposure.Customer(ctx, c.ID, p, with)
		if err != nil {
			return out, err
		}
		out = exposureView(a, p)
		out.Customer = account.Handle(c.ID)
		return out, nil
	}
	t, err := s.d.Exposure.Everybody(ctx, p)
	if err != nil {
		return out, err
	}
	return totalView(t, p), nil
}

// tried reads settings that somebody thinks of.
func tried(texts []string) (all []exposure.Change, err error) {
	for _, text := range texts {
		name, value, _ := strings.Cut(text, "=")
		f, err := account.ParseField(name)
		if err != nil {
			return nil, invalidText("with", err)
		}
		n, err := account.ParseValue(f, value)
		if err != nil {
			return nil, invalidText("with", err)
		}
		all = append(all, exposure.Change{Field: f, N: n})
	}
	return all, nil
}

// asked is the question that a figure answers.
var asked = map[exposure.Period]string{
	exposure.Tonight: "What a thief could cost tonight", exposure.Caps: "What a thief could cost until the day caps renew", exposure.Month: "What a thief could cost this month",
}

// boundBy are the settings behind purses.
var boundBy = map[policy.Purse]string{
	policy.LineDay: account.LineDayCap.String(), policy.LineMonth: account.LineMonthCap.String(),
	policy.AccountDay: account.AccountDayCap.String(), policy.AccountMonth: account.AccountMonthCap.String(), policy.NumPurses: "time",
}

func exposureView(a *exposure.Answer, p exposure.Period) api.Exposure {
	out := api.Exposure{
		From: in(a.Zone, a.At.From), Until: in(a.Zone, a.At.Until), Retail: int64(a.Retail), Elsewhere: int64(a.Elsewhere), Networks: a.Known,
		Carrier: int64(a.Carrier), NoLimit: a.NoLimit, Words: a.Words(a.Zone),
		Text: asked[p] + ": " + coreexposure.Amount(a.Retail) + " at the very most, until " + coreexposure.When(a.At.Until, a.Zone),
	}
	for i := range a.Days {
		d := &a.Days[i]
		out.Days = append(out.Days, api.ExposureDay{
			From: in(a.Zone, d.From), Until: in(a.Zone, d.Until), Retail: int64(d.Amount), Cap: boundBy[d.Purse], Limit: int64(d.Cap), Spent: int64(d.Used),
		})
	}
	if d := &a.Dearest; d.PerMinute > 0 {
		out.Dearest = &api.ExposureDearest{Name: d.Name, PerMinute: int64(d.PerMinute), Calls: d.Calls, Reached: int64(d.Reached / time.Second)}
	}
	for i := range a.With {
		c := &a.With[i]
		v := api.ExposureChange{Field: c.Field.String(), Now: c.Now, To: c.To, Retail: int64(c.Retail), Elsewhere: int64(c.Elsewhere), Text: c.Text}
		if c.Lock {
			v.Field = "nets"
		}
		out.Settings = append(out.Settings, v)
	}
	for i, l := range a.Lines {
		f := &a.Figure.Lines[i]
		out.Shares = append(out.Shares, shareOf(l, f, a))
	}
	highestFirst(out.Shares)
	return out
}

func shareOf(l *book.Line, f *coreexposure.Figure, a *exposure.Answer) api.ExposureShare {
	v := api.ExposureShare{Line: l.Handle(), Customer: account.Handle(l.Customer()), Until: in(a.Zone, a.At.Until), Retail: int64(f.Retail), Elsewhere: int64(f.Retail)}
	if f.Known {
		v.Elsewhere = 0
	}
	return v
}

func highestFirst(all []api.ExposureShare) {
	slices.SortStableFunc(all, func(a, b api.ExposureShare) int { return cmp.Compare(b.Retail, a.Retail) })
}

func totalView(t *exposure.Total, p exposure.Period) api.Exposure {
	out := api.Exposure{
		From: t.At, Retail: int64(t.Retail), Elsewhere: int64(t.Elsewhere), Networks: t.Elsewhere != t.Retail, Carrier: int64(t.Carrier), NoLimit: t.NoLimit,
		Text: asked[p] + ": " + coreexposure.Amount(t.Retail) + " at the very most, all customers together",
	}
	out.Words = []string{
		coreexposure.Amount(t.Retail) + " at the very most, all customers together, each by its own clocks.",
		"Carriers may charge " + coreexposure.Amount(t.Carrier) + " for such calls.",
	}
	if t.NoLimit != "" {
		out.Words[1] = "No limit to what carriers may charge: " + t.NoLimit + "."
	}
	for _, c := range t.Customers {
		out.Shares = append(out.Shares, api.ExposureShare{Customer: account.Handle(c.Customer), Until: c.Until, Retail: int64(c.Retail), Elsewhere: int64(c.Elsewhere)})
	}
	highestFirst(out.Shares)
	return out
}
