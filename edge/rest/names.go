package rest

import (
	"context"
	"errors"
	"net/http"

	"ringfence/core/account"
	"ringfence/core/phone"
	"ringfence/core/slip"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
)

// People say handles and this API answers with them; the floors below know identities. Here is where one becomes the other. An identity
// as people write it ("3001~x7k2m9qp") is taken in place of a handle everywhere, so that what was removed can be asked for.

// line finds the line that is called so now.
func (s *Server) line(ctx context.Context, called string) (*book.Line, error) {
	if l, ok := s.lineCalled(called); ok && theirs(ctx, l.Customer()) {
		return l, nil
	}
	if own(ctx) != "" {
		return nil, missing("line", called)
	}
	_, err := s.d.Book.LineID(ctx, called)
	return nil, s.notNow("line", called, err)
}

// lineCalled finds a line by its name, its identity, or its telephone number in any form that can be dialled or is printed in notices.
func (s *Server) lineCalled(called string) (*book.Line, bool) {
	if l, ok := s.d.Book.LineCalled(called); ok {
		return l, true
	}
	d, problem := s.d.Book.Plan().Parse(called)
	if problem != phone.NoProblem || d.Number.Short() {
		return nil, false
	}
	id, ok := s.d.Book.ByNumber(d.Number.Digits())
	if !ok {
		return nil, false
	}
	return s.d.Book.Line(id)
}

// near adds to a name that nothing has the nearest that there is.
func (s *Server) near(text, noun, called string) string {
	var names []string
	switch noun {
	case "line":
		for _, l := range s.d.Book.Lines("", "", maxNear) {
			names = append(names, l.Handle())
		}
	case "customer":
		for _, c := range s.d.Book.Customers("", maxNear) {
			names = append(names, account.Handle(c.ID))
		}
	case "trunk":
		for _, t := range s.d.Book.AllTrunks() {
			names = append(names, account.Handle(t.Name))
		}
	case "deck", "such version of deck":
		for _, h := range s.d.Book.DecksInForce() {
			if h.Name == called {
				return text // the version is what there is not
			}
			names = append(names, h.Name)
		}
	}
	if near := slip.Nearest(called, names); near != "" {
		text += `, did you mean "` + near + `"?`
	}
	return text
}

// maxNear is how many names are compared with one that nothing has.
const maxNear = 20_000

// customer finds the customer that is called so now.
func (s *Server) customer(ctx context.Context, called string) (book.CustomerView, error) {
	if c, ok := s.d.Book.CustomerCalled(called); ok && theirs(ctx, c.ID) {
		return c, nil
	}
	if own(ctx) != "" {
		return book.CustomerView{}, missing("customer", called)
	}
	_, err := s.d.Book.CustomerID(ctx, called)
	return book.CustomerView{}, s.notNow("customer", called, err)
}

// notNow is the problem of what is not there now; err says of a handle what was.
func (s *Server) notNow(what, called string, err error) error {
	var gone *book.Gone
	switch {
	case errors.As(err, &gone):
		return newProblem(http.StatusNotFound, api.ReasonNotFound, s.near(gone.Error(), what, called))
	case err != nil:
		return s.explain(err)
	}
	return newProblem(http.StatusNotFound, api.ReasonNotFound, what+" "+clip(called, 80)+" was removed; its records, findings and journal can still be asked for by this identity")
}

// lineFilter is the identity of the line whose entries a list is to have; "" stays "". A handle that no line has is a fault
// and not an empty list, which would look as if all was well.
func (s *Server) lineFilter(ctx context.Context, called string) (string, error) {
	if called == "" {
		return "", nil
	}
	if l, ok := s.lineCalled(called); ok && theirs(ctx, l.Customer()) {
		return l.ID(), nil
	}
	if own(ctx) != "" {
		return "", missing("line", called)
	}
	id, err := s.d.Book.LineID(ctx, called)
	return id, s.noFilter("line", called, err)
}

// customerFilter is lineFilter of customers. To a customer's people, all is what is their customer's.
func (s *Server) customerFilter(ctx context.Context, called string) (string, error) {
	if ours := own(ctx); ours != "" {
		c, ok := s.d.Book.CustomerCalled(called)
		switch {
		case called == "" && s.sells(ctx):
			return "", nameOne()
		case called == "":
			return ours, nil
		case !ok || !theirs(ctx, c.ID):
			return "", missing("customer", called)
		}
		return c.ID, nil
	}
	if called == "" {
		return "", nil
	}
	id, err := s.d.Book.CustomerID(ctx, called)
	return id, s.noFilter("customer", called, err)
}

// filters are both.
func (s *Server) filters(ctx context.Context, line, customer string) (lineID, customerID string, err error) {
	if lineID, err = s.lineFilter(ctx, line); err != nil {
		return "", "", err
	}
	if l, ok := s.d.Book.Line(lineID); ok && customer == "" && own(ctx) != "" {
		return lineID, l.Customer(), nil
	}
	customerID, err = s.customerFilter(ctx, customer)
	return lineID, customerID, err
}

func (s *Server) noFilter(field, called string, err error) error {
	var gone *book.Gone
	if !errors.As(err, &gone) {
		if err != nil {
			return s.explain(err)
		}
		return nil
	}
	text := s.near(gone.Error(), field, called)
	p := newProblem(http.StatusUnprocessableEntity, api.ReasonUnknown, text)
	p.Errors = []api.Fault{{Field: field, Found: clip(called, 80), Text: text}}
	return p
}

var _ = serves(func(s *Server) {
	route(s, op(http.MethodGet, "/v1/removed/lines", "list-removed-lines", "lines", "List removed lines, the last removed first"), removed(s.d.Book.RemovedLines))
	route(s, op(http.MethodGet, "/v1/removed/customers", "list-removed-customers", "customers", "List removed customers, the last removed first"), removed(s.d.Book.RemovedCustomers))
})

// removedInput asks for what had one id; without it for all.
type removedInput struct {
	ID string `query:"id" maxLength:"80"`
}

func removed(find func(context.Context, string) ([]book.Removed, error)) func(context.Context, *removedInput) (api.List[api.Removed], error) {
	return func(ctx context.Context, in *removedInput) (out api.List[api.Removed], err error) {
		all, err := find(ctx, account.Handle(in.ID))
		out.Items = views(all, func(r *book.Removed) api.Removed {
			return api.Removed{
				ID: account.Handle(r.ID), Identity: account.FullIdentity(r.ID), Customer: account.Handle(r.Customer),
				Account: account.FullIdentity(r.Customer), Until: r.Until, Body: r.Body,
			}
		})
		return out, err
	}
}

// lineIDs are the identities of lines that people name, for a list within a body.
func (s *Server) lineIDs(called []string) []string {
	out := make([]string, len(called))
	for i, c := range called {
		out[i] = c // the book refuses what is no line
		if l, ok := s.lineCalled(c); ok {
			out[i] = l.ID()
		}
	}
	return out
}
