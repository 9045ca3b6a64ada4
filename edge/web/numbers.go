package web

import (
	"errors"
	"time"

	"ringfence/core/account"
	"ringfence/flow/book"
	"ringfence/flow/proof"
)

var _ = serves(func(s *Server) {
	if s.d.Book == nil {
		return
	}
	s.page("GET /numbers", customer, s.numbers)
	s.page("POST /numbers", customer, s.changeNumbers)
})

// numbersView is what lines may present beside their own numbers, and what is to be proved.
type numbersView struct {
	Rows  []numberRow
	Sent  []sentRow
	Add   []field
	May   bool // take numbers away
	Staff string
	Fault string
}

type numberRow struct {
	Number, How string
	Since       time.Time
}

// sentRow is a number to which a code was sent.
type sentRow struct {
	Number string
	Until  time.Time
	Code   field
}

func (s *Server) numbers(q *query) (page, error) { return s.numbersPage(q, "") }

func (s *Server) numbersPage(q *query, fault string) (page, error) {
	if err := q.may("list-numbers"); err != nil {
		return page{}, err
	}
	c, ok := s.d.Book.Customer(q.Customer)
	if !ok {
		return page{}, errMissing
	}
	v := numbersView{Fault: fault, May: q.may("delete-number") == nil}
	for i := range c.Numbers {
		if p := &c.Numbers[i]; s.d.Book.Shows(c.ID, p.Digits()) {
			v.Rows = append(v.Rows, numberRow{"+" + p.Number, q.t("numbers.how-" + word(p.How)), q.at(p.Since)})
		}
	}
	if q.may("confirm-number") == nil {
		for _, a := range proof.Waiting(&c.Customer, q.now) {
			code := field{Name: "code", Label: q.t("numbers.code"), Help: q.t("numbers.code-help"), Mode: "numeric", Complete: "one-time-code", Most: 40, Needed: true}
			v.Sent = append(v.Sent, sentRow{"+" + a.Number, q.at(a.At.Add(proof.Lifetime)), code})
		}
	}
	switch {
	case s.d.Proof == nil || !s.d.Proof.Sends():
		v.Staff = q.t("numbers.staff")
	case q.may("add-number") == nil:
		v.Add = []field{
			{Name: "number", Label: q.t("numbers.number"), Help: q.t("numbers.number-help"), Value: harmless(q.form.Get("number"), 40), Type: "tel", Complete: "tel", Most: 40, Needed: true},
			{Name: "how", Label: q.t("numbers.how"), Most: 10, Choices: []choice{
				{account.ByCall, q.t("numbers.by-call"), true}, {account.ByText, q.t("numbers.by-text"), q.form.Get("how") == account.ByText},
			}},
		}
	}
	return page{name: "numbers", title: q.t("numbers.title", "n", len(v.Rows)), nav: "/lines", shape: "middle", crumbs: []crumb{{q.t("frame.lines"), "/lines"}}, data: v}, nil
}

// changeNumbers sends a code, takes one, or takes a number away. What lets lines present more asks for a factor first.
func (s *Server) changeNumbers(q *query) (page, error) {
	do := q.form.Get("do")
	if err := q.may(map[string]string{"add": "add-number", "confirm": "confirm-number", "remove": "delete-number"}[do]); err != nil {
		return page{}, err
	}
	if do != "remove" {
		if see := q.fresh("/numbers"); see != "" {
			return page{see: see}, nil
		}
		if s.d.Proof == nil {
			return page{}, errMissing
		}
	}
	ctx, number, see := q.Context(), q.form.Get("number"), "/numbers"
	var err error
	switch do {
	case "add":
		_, err = s.d.Proof.Ask(ctx, &q.Who, q.Customer, number, q.form.Get("how"))
	case "confirm":
		if err = s.d.Proof.Confirm(ctx, &q.Who, q.Customer, number, q.form.Get("code")); err == nil && s.d.Cooling != nil && s.d.Cooling.Held(&q.Who, q.Customer) {
			see = "/changes"
		}
	default:
		if number, err = s.d.Book.Presentable(number); err == nil {
			_, err = s.d.Book.EditCustomer(ctx, q.ID, q.Customer, book.CustomerEdit{Disown: number})
		}
	}
	if why := notProved(q, err); why != "" {
		return s.numbersPage(q, why)
	}
	return page{see: see}, err
}

// notProved is why a number is not proved, in words of the catalogue; "" is something else.
func notProved(q *query, err error) string {
	invalid := (*book.Invalid)(nil)
	switch {
	case errors.Is(err, proof.ErrTooMany):
		return q.t("numbers.too-many", "number", proof.PerNumber, "customer", proof.PerCustomer)
	case errors.Is(err, proof.ErrWrong):
		return q.t("numbers.wrong", "n", proof.MaxTries)
	case errors.Is(err, proof.ErrUnsent):
		return q.t("numbers.unsent")
	case errors.Is(err, proof.ErrNoSender):
		return q.t("numbers.staff")
	case errors.As(err, &invalid):
		return q.t("numbers.want")
	}
	return ""
}
