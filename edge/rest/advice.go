package rest

import (
	"context"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/exposure"
)

var _ = serves(func(s *Server) {
	listed[api.Advice](s, need(s.d.Exposure != nil, "advice", named(s, "line", s.line, s.advice)))
})

func (s *Server) advice(ctx context.Context, l *book.Line, _ *api.LineID) (out api.List[api.Advice], err error) {
	now := time.Now()
	seen := exposure.Seen{Password: l.Created()}
	if former := s.d.Book.FormerHA1(l); len(former) > 0 {
		seen.Password = former[0].Until
	}
	if s.d.Phones != nil {
		for _, p := range s.d.Phones(l.ID(), now) {
			seen.Phones = append(seen.Phones, exposure.Phone{Agent: p.UserAgent, Transport: p.Transport, Contact: p.Contact, From: p.Received.Addr().Unmap()})
		}
	}
	if s.d.Devices != nil {
		for _, d := range s.d.Devices.Of(l.ID()) {
			seen.Places = append(seen.Places, exposure.Place{Address: d.Address, First: d.First, Last: d.Last})
		}
	}
	if seen.Abroad, err = s.calledAbroad(ctx, l, now); err != nil {
		return out, err
	}
	all, err := s.d.Exposure.Advice(ctx, l, &seen)
	if err != nil {
		return out, err
	}
	out.Items = []api.Advice{}
	for _, a := range all {
		out.Items = append(out.Items, api.Advice{Code: a.Code, Title: a.Title, Text: a.Text, Source: a.Source, Set: a.Set, Effect: a.Effect})
	}
	return out, nil
}

// pagesLooked bounds how many records are looked at for calls abroad: with more, it is taken for granted that there are some.
const pagesLooked = 10

// calledAbroad says whether a line called abroad within a year.
func (s *Server) calledAbroad(ctx context.Context, l *book.Line, now time.Time) (bool, error) {
	if s.d.CDRs == nil {
		return true, nil
	}
	q := CDRQuery{Line: l.ID(), Direction: call.Out, From: now.AddDate(-1, 0, 0), Limit: maxPage}
	for range pagesLooked {
		records, err := s.d.CDRs(ctx, q, false)
		if err != nil {
			return false, err
		}
		for i := range records {
			if strings.HasPrefix(records[i].Class, "intl-") || records[i].Class == phone.Satellite.String() {
				return true, nil
			}
		}
		if len(records) < maxPage {
			return false, nil
		}
		q.Before = records[len(records)-1].ID
	}
	return true, nil
}
