package rest

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/proof"
)

var _ = serves(func(s *Server) {
	const tag, one = "numbers", "/v1/customers/{id}/numbers/{number}"
	listed[api.Number](s, named(s, "customer", s.customer, s.listNumbers))
	added[api.Number](s, s.addNumber)
	confirm := op(http.MethodPost, one+"/confirm", "confirm-number", tag, "Give the code that was sent to a number; its customer's lines may present it then, at once or when the customer's wait is over")
	confirm.Errors = append(confirm.Errors, http.StatusTooManyRequests)
	route(s, confirm, s.confirmNumber)
	route(s, op(http.MethodPost, one+"/vouch", "vouch-number", tag, "Record evidence that a number is a customer's, so that its lines may present it"), s.vouchNumber)
	deleted[api.Number](s, s.deleteNumber)
})

func (s *Server) listNumbers(_ context.Context, c book.CustomerView, _ *api.NumberOf) (api.List[api.Number], error) {
	return api.List[api.Number]{Items: s.numbersOf(&c)}, nil
}

// numbersOf are the numbers of a customer's lines, ranges of them included, those that it has proved, and those to which a code was sent.
func (s *Server) numbersOf(c *book.CustomerView) []api.Number {
	out, zone := []api.Number{}, s.d.Book.Zone(c.ID)
	at := func(t time.Time) *time.Time { t = in(zone, t); return &t }
	for _, l := range s.d.Book.Lines(c.ID, "", book.MaxLines) {
		if l.Number() != "" {
			out = append(out, api.Number{Number: "+" + l.Number(), State: "line", Line: l.Handle()})
		}
		for _, text := range l.NumberTexts() {
			out = append(out, api.Number{Number: text, State: "line", Line: l.Handle()})
		}
	}
	slices.SortFunc(out, func(a, b api.Number) int { return cmp.Compare(a.Number, b.Number) })
	for _, p := range c.Numbers {
		if s.d.Book.Shows(c.ID, p.Digits()) {
			out = append(out, api.Number{Number: "+" + p.Number, State: "verified", How: p.How, By: p.By, Why: p.Why, Since: at(p.Since)})
		}
	}
	for _, a := range proof.Waiting(&c.Customer, time.Now()) {
		out = append(out, api.Number{Number: "+" + a.Number, State: "code-sent", How: a.How, By: a.By, Since: at(a.At), Until: at(a.At.Add(proof.Lifetime))})
	}
	return out
}

func (s *Server) proof() (*proof.Proof, error) {
	if s.d.Proof == nil {
		return nil, unavailable("proving numbers")
	}
	return s.d.Proof, nil
}

// notProved tells why a number was not proved.
func notProved(err error) error {
	switch {
	case errors.Is(err, proof.ErrTooMany):
		return newProblem(http.StatusTooManyRequests, api.ReasonTooManyCodes, err.Error())
	case errors.Is(err, proof.ErrWrong):
		return newProblem(http.StatusUnprocessableEntity, api.ReasonWrongCode, err.Error())
	case errors.Is(err, proof.ErrNoSender), errors.Is(err, proof.ErrUnsent):
		return newProblem(http.StatusServiceUnavailable, api.ReasonNotSent, err.Error())
	}
	return err
}

func (s *Server) addNumber(ctx context.Context, in *api.NumberNew) (out api.Number, err error) {
	c, err := s.customer(ctx, in.Customer)
	if err != nil {
		return out, err
	}
	p, err := s.proof()
	if err != nil {
		return out, err
	}
	a, err := p.Ask(ctx, whoAsks(ctx), c.ID, in.Body.Number, cmp.Or(in.Body.How, account.ByCall))
	if err != nil {
		return out, notProved(err)
	}
	return s.numberNow(c.ID, a.Number), nil
}

// numberNow is how a number of a customer's stands. One that waits for the customer's own time is not in the book yet.
func (s *Server) numberNow(customer, number string) api.Number {
	c, _ := s.d.Book.Customer(customer)
	for _, n := range s.numbersOf(&c) {
		if n.Number == "+"+number {
			return n
		}
	}
	return api.Number{Number: "+" + number, State: "waiting"}
}

// aNumber reads which number of which customer.
func (s *Server) aNumber(ctx context.Context, id *api.NumberID) (c book.CustomerView, number string, err error) {
	if c, err = s.customer(ctx, id.Customer); err == nil {
		number, err = s.d.Book.Presentable(id.Number)
	}
	return c, number, err
}

func (s *Server) confirmNumber(ctx context.Context, in *api.NumberCode) (out api.Number, err error) {
	c, number, err := s.aNumber(ctx, &in.NumberID)
	if err != nil {
		return out, err
	}
	p, err := s.proof()
	if err == nil {
		err = p.Confirm(ctx, whoAsks(ctx), c.ID, number, in.Body.Code)
	}
	if err != nil {
		return out, notProved(err)
	}
	return s.numberNow(c.ID, number), nil
}

func (s *Server) vouchNumber(ctx context.Context, in *api.NumberVouch) (out api.Number, err error) {
	c, number, err := s.aNumber(ctx, &in.NumberID)
	if err != nil {
		return out, err
	}
	proven := &account.Proven{Number: number, How: account.ByStaff, By: by(ctx), Why: in.Body.Why, Since: time.Now().UTC().Truncate(time.Second)}
	if _, err := s.d.Book.EditCustomer(ctx, by(ctx), c.ID, book.CustomerEdit{Prove: proven}); err != nil {
		return out, err
	}
	return s.numberNow(c.ID, number), nil
}

func (s *Server) deleteNumber(ctx context.Context, in *api.NumberID) (none, error) {
	c, number, err := s.aNumber(ctx, in)
	if err != nil {
		return none{}, err
	}
	if !slices.ContainsFunc(c.Numbers, func(p account.Proven) bool { return p.Number == number }) {
		return none{}, missing("verified number of "+in.Customer, in.Number)
	}
	_, err = s.d.Book.EditCustomer(ctx, by(ctx), c.ID, book.CustomerEdit{Disown: number})
	return none{}, err
}
