package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"ringfence/core/account"
	"ringfence/edge/rest/api"
	"ringfence/flow/people"
	"ringfence/flow/privacy"
)

var _ = serves(func(s *Server) {
	const one, tag = "/v1/customers/{id}", "customers"
	file := op(http.MethodPost, one+"/export", "export-customer", tag, "Write everything that is held about a customer and its people: a ZIP archive of JSON and CSV")
	streamed(s, file, map[string]*huma.Schema{"application/zip": plainText}, s.exportCustomer)
	route(s, op(http.MethodGet, one+"/erasure", "get-erasure", tag, "Show what the erasing of a customer's personal data would erase, and what stays and why"), staged(s.privacy, s.getErasure))
	do := op(http.MethodPost, one+"/erasure", "erase-customer", tag, "Erase the personal data of a customer and its people, or go on with that")
	do.Errors = append(do.Errors, http.StatusConflict)
	route(s, do, staged(s.privacy, s.eraseCustomer))
})

func (s *Server) privacy() (*privacy.Privacy, error) { return stage(s.d.Privacy, "what is held") }

// exportCustomer is for staff and for the customer itself; a reseller has no business with the people of its customers.
func (s *Server) exportCustomer(ctx context.Context, in *api.CustomerID) (*huma.StreamResponse, error) {
	v, err := s.customer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if id := own(ctx); id != "" && id != v.ID {
		return nil, missing("customer", in.ID)
	}
	if !people.IsFresh(whoAsks(ctx), time.Now()) {
		return nil, newProblem(http.StatusForbidden, api.ReasonNotPermitted, "show a second factor, or your password, again first")
	}
	p, err := s.privacy()
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		// Not every writer has deadlines; without one the server's own limit holds.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(exportWithin))
		hc.SetHeader("Content-Type", "application/zip")
		hc.SetHeader("Content-Disposition", `attachment; filename="`+account.Handle(v.ID)+`.zip"`)
		if err := p.Export(hc.Context(), hc.BodyWriter(), v.ID, by(ctx)); err != nil && hc.Context().Err() == nil {
			s.log.Error("the archive of a customer broke off", "customer", v.ID, "error", err) // it lacks its end, so nobody takes it for whole
		}
	}}, nil
}

func (s *Server) getErasure(ctx context.Context, p *privacy.Privacy, in *api.CustomerID) (out api.Erasure, err error) {
	id, err := p.Find(ctx, in.ID)
	if err != nil {
		return out, s.about(err, "customer", in.ID)
	}
	plan, err := p.Plan(ctx, id)
	return erasureView(&plan), err
}

func (s *Server) eraseCustomer(ctx context.Context, p *privacy.Privacy, in *api.CustomerID) (out api.Erasure, err error) {
	id, err := p.Find(ctx, in.ID)
	if err != nil {
		return out, s.about(err, "customer", in.ID)
	}
	plan, err := p.Erase(ctx, id, by(ctx))
	if out = erasureView(&plan); errors.Is(err, privacy.ErrTied) {
		return out, newProblem(http.StatusConflict, api.ReasonInUse, "nothing is erased, because something keeps it: "+strings.Join(out.Kept, "; "))
	}
	return out, err
}

func erasureView(p *privacy.Plan) api.Erasure {
	out := api.Erasure{
		Customer: account.Handle(p.Customer), Number: p.Erasure, Done: p.Done, Lines: []string{}, People: p.People, Contacts: p.Contacts, Calls: p.Calls, Cases: p.Cases, Archives: p.Archives, Books: p.Books,
		Kept: []string{}, Left: []string{},
	}
	for _, id := range p.Lines {
		out.Lines = append(out.Lines, account.Handle(id))
	}
	for _, t := range p.Ties {
		out.Kept = append(out.Kept, privacy.Why(t))
	}
	for _, l := range p.Left {
		out.Left = append(out.Left, l.What+": "+l.Why)
	}
	return out
}
