package rest

import (
	"context"
	"errors"
	"net/http"
	"time"

	"ringfence/core/account"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
)

var _ = serves(func(s *Server) {
	const tag = "changes"
	listed[api.HeldChange](s, s.listChanges)
	route(s, op(http.MethodDelete, "/v1/changes/{id}", "stop-change", tag, "Call off a change that waits"), s.stopChange)
	hurry := op(http.MethodPost, "/v1/changes/{id}/hurry", "hurry-change", tag, "Let a change that waits happen early; two members of staff do so, after a check of identity")
	hurry.Errors = append(hurry.Errors, http.StatusConflict)
	route(s, hurry, s.hurryChange)
	route(s, op(http.MethodPost, "/v1/customers/{id}/cooling-off", "set-cooling-off", "customers", "Set how long a customer's own people wait for what they loosen; a shorter wait waits itself"), s.setCooling)
})

func (s *Server) heldView(c *cooling.Change) api.HeldChange {
	v := api.HeldChange{
		ID: c.Code, Customer: account.Handle(c.Customer), Line: account.Handle(c.Line), Text: c.Text, By: c.By, Made: c.Made, Due: c.Due, Note: c.Note, Hurried: c.Hurried,
	}
	zone := s.d.Book.Zone(c.Customer)
	v.Made, v.Due = in(zone, v.Made), in(zone, v.Due)
	return v
}

func (s *Server) cooling() (*cooling.Cooling, error) {
	if s.d.Cooling == nil {
		return nil, unavailable("the list of changes that wait")
	}
	return s.d.Cooling, nil
}

func (s *Server) listChanges(ctx context.Context, in *api.ChangeFilter) (out api.List[api.HeldChange], err error) {
	c, err := s.cooling()
	if err != nil {
		return out, err
	}
	customer, err := s.customerFilter(ctx, in.Customer)
	if err != nil {
		return out, err
	}
	all, err := c.List(ctx, customer)
	out.Items = views(all, s.heldView)
	return out, err
}

// held finds a change of a customer's that who asks may see.
func (s *Server) held(ctx context.Context, code string) (cooling.Change, error) {
	c, err := s.cooling()
	if err != nil {
		return cooling.Change{}, err
	}
	x, err := c.One(ctx, code)
	if errors.Is(err, cooling.ErrNotFound) || err == nil && !theirs(ctx, x.Customer) {
		return cooling.Change{}, missing("change that waits", code)
	}
	return x, err
}

func (s *Server) stopChange(ctx context.Context, in *api.ChangeStop) (out api.HeldChange, err error) {
	x, err := s.held(ctx, in.ID)
	if err != nil {
		return out, err
	}
	if x, err = s.d.Cooling.Stop(ctx, by(ctx), x.Code, in.Why); errors.Is(err, cooling.ErrNotFound) {
		err = missing("change that waits", in.ID)
	}
	return s.heldView(&x), err
}

func (s *Server) hurryChange(ctx context.Context, in *api.ChangeHurry) (out api.Hurried, err error) {
	x, err := s.held(ctx, in.ID)
	if err != nil {
		return out, err
	}
	made, err := s.d.Cooling.Hurry(ctx, whoAsks(ctx), x.Code, in.Body.Why)
	if errors.Is(err, cooling.ErrSame) {
		err = newProblem(http.StatusConflict, api.ReasonInUse, err.Error())
	}
	return api.Hurried{ID: x.Code, Made: made}, err
}

func (s *Server) setCooling(ctx context.Context, in *api.CustomerCooling) (out api.CoolingSet, err error) {
	c, err := s.cooling()
	if err != nil {
		return out, err
	}
	v, err := s.customer(ctx, in.ID)
	if err != nil {
		return out, err
	}
	if v, err = c.SetWait(ctx, whoAsks(ctx), v.ID, time.Duration(in.Body.Wait)*time.Second, in.Body.Note); err != nil {
		return out, err
	}
	all, err := c.List(ctx, v.ID)
	return api.CoolingSet{Customer: account.Handle(v.ID), Wait: int64(v.Cooling.Wait / time.Second), Note: v.Cooling.Note, Waiting: views(all, s.heldView)}, err
}

// editLine changes a line for who asks: what a customer's own people loosen may wait.
func (s *Server) editLine(ctx context.Context, id string, edit book.LineEdit) (*book.Line, error) {
	if s.d.Cooling == nil {
		return s.d.Book.EditLine(ctx, by(ctx), id, edit)
	}
	return s.d.Cooling.Line(ctx, whoAsks(ctx), id, edit)
}

// editCustomer is editLine for a customer.
func (s *Server) editCustomer(ctx context.Context, id string, edit book.CustomerEdit) (book.CustomerView, error) {
	if s.d.Cooling == nil {
		return s.d.Book.EditCustomer(ctx, by(ctx), id, edit)
	}
	return s.d.Cooling.Customer(ctx, whoAsks(ctx), id, edit)
}
