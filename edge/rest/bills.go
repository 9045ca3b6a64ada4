package rest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/account"
	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/money"
	core "ringfence/core/settle"
	"ringfence/edge/rest/api"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/flow/settle"
)

var _ = serves(func(s *Server) {
	const one, tag = "/v1/bills/{number}", "bills"
	listed[api.Bill](s, s.listBills)
	shown[api.Bill](s, s.getBill)
	route(s, op(http.MethodGet, one+"/calls", "list-bill-calls", tag, "List the calls of a line to a country on a bill"), s.listBillCalls)
	streamed(s, op(http.MethodGet, one+"/file", "export-bill", tag, "Get a bill as a file: its sums in PDF, each call in CSV and XML"),
		map[string]*huma.Schema{"application/pdf": plainText, "text/csv": plainText, "application/xml": plainText}, s.exportBill)
	route(s, op(http.MethodPost, "/v1/bills/run", "run-bills", tag, "Bill what was used, each call once; a run that was broken off goes on"), s.runBills)

	listed[api.Payment](s, s.listPayments)
	listed[api.Credit](s, s.listCredits)
	added[api.Payment](s, s.addPayment)
	file := op(http.MethodPost, "/v1/payments/import", "import-payments", "payments", "Book the payments of a bank's CSV file: all of them, or none")
	file.MaxBodyBytes, file.BodyReadTimeout = maxSheet, uploadTimeout
	route(s, file, s.importPayments)

	route(s, op(http.MethodGet, "/v1/accounts/{customer}", "get-account", "accounts", "Show what a customer owes, and what was booked last"), named(s, "customer", s.customer, s.getAccount))
	route(s, created(op(http.MethodPost, "/v1/accounts/{customer}/credits", "add-credit", "accounts", "Issue a credit note; each reference once")), named(s, "customer", s.customer, s.addCredit))
	streamed(s, op(http.MethodGet, "/v1/accounts/{customer}/credits/{number}/file", "export-credit", "accounts", "Get a credit note as PDF"),
		map[string]*huma.Schema{"application/pdf": plainText}, s.exportCredit)
})

// billed explains what billing says is wrong.
func (s *Server) billed(err error, what, id string) error {
	wrong, file := (*billing.Invalid)(nil), (*billing.Wrong)(nil)
	switch {
	case errors.As(err, &wrong):
		return invalid(wrong.Field, wrong.Found, wrong.Want)
	case errors.As(err, &file):
		p := newProblem(http.StatusUnprocessableEntity, api.ReasonInvalid, err.Error())
		p.Errors = []api.Fault{{Line: file.Line, Column: file.Column, Field: file.Name, Text: file.Text}}
		return p
	case errors.Is(err, billing.ErrBooked):
		return newProblem(http.StatusConflict, api.ReasonExists, err.Error())
	}
	return s.about(err, what, id)
}

// bill is one that the person who asks may see.
func (s *Server) bill(ctx context.Context, number int64) (billing.Bill, error) {
	if s.d.Billing == nil {
		return billing.Bill{}, unavailable("billing")
	}
	b, err := s.d.Billing.Bill(ctx, number)
	if err == nil && !theirs(ctx, b.Customer) {
		err = book.ErrNotFound
	}
	if err != nil {
		err = s.about(err, "bill", strconv.FormatInt(number, 10))
	}
	return b, err
}

// billView is a bill with what is left of it, by the account of its customer.
func (s *Server) billView(b *billing.Bill, a *billing.Account, now time.Time) api.Bill {
	zone, u := s.d.Book.Zone(b.Customer), a.Of(b.Number)
	return api.Bill{
		Number: b.Number, Customer: account.Handle(b.Customer), From: in(zone, b.From), Until: in(zone, b.Until), Issued: in(zone, b.Made), Due: in(zone, b.Due), Calls: b.Calls,
		Net: int64(b.Net), VAT: int64(b.VAT), Rate: b.Rate.String(), Rounded: int64(b.Net + b.VAT - b.Gross), Total: int64(b.Gross), Text: api.Amount(b.Gross),
		Left: int64(u.Left), Asked: int64(u.Asked), Disputed: int64(u.Disputed), Planned: int64(u.Planned), Overdue: u.Overdue(now),
	}
}

func (s *Server) listBills(ctx context.Context, in *struct {
	api.BillFilter
	Below
},
) (out api.List[api.Bill], err error) {
	if s.d.Billing == nil {
		return out, unavailable("billing")
	}
	customer, err := s.customerFilter(ctx, in.Customer)
	if err != nil {
		return out, err
	}
	all, err := s.d.Billing.Bills(ctx, billing.Filter{Customer: customer, State: billing.Issued, Before: in.Before, Limit: in.Limit + 1})
	if err != nil {
		return out, err
	}
	now := time.Now()
	owes, err := s.d.Billing.Accounts(ctx, all, now)
	view := func(b *billing.Bill) api.Bill { return s.billView(b, owes[b.Customer], now) }
	if err != nil {
		return out, err
	}
	return list(views(all, view), in.Limit, func(b *api.Bill) string { return strconv.FormatInt(b.Number, 10) }), nil
}

func (s *Server) getBill(ctx context.Context, in *api.BillID) (out api.Bill, err error) {
	b, err := s.bill(ctx, in.Number)
	if err != nil {
		return out, err
	}
	now := time.Now()
	owes, err := s.d.Billing.Account(ctx, b.Customer, now)
	if err != nil {
		return out, err
	}
	sums, err := s.d.Billing.Sums(ctx, b.Number)
	out = s.billView(&b, &owes, now)
	for _, x := range sums {
		out.Sums = append(out.Sums, api.BillSum{Line: account.Handle(x.Line), Country: x.Country, Calls: x.Calls, TalkMS: x.Talk.Milliseconds(), Net: int64(x.Net)})
	}
	if err != nil {
		return out, err
	}
	credits, err := s.d.Billing.Credits(ctx, &b)
	if len(credits) > 0 {
		out.Credits = bookings(ctx, credits)
	}
	return out, err
}

func (s *Server) listBillCalls(ctx context.Context, in *struct {
	api.BillID
	Line    string `query:"line" required:"true" maxLength:"64"`
	Country string `query:"country" maxLength:"2"`
	After   string `query:"after" maxLength:"26" doc:"continue above this: next of the previous page"`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
},
) (out api.List[api.BillCall], err error) {
	b, err := s.bill(ctx, in.Number)
	if err != nil {
		return out, err
	}
	line, err := s.lineOfBill(ctx, &b, in.Line)
	if err != nil {
		return out, err
	}
	calls, err := s.d.Billing.Calls(ctx, b.Number, line, in.Country, call.ID(in.After), in.Limit+1)
	view := func(c *billing.Call) api.BillCall {
		return api.BillCall{ID: string(c.Call), Line: account.Handle(c.Line), Country: c.Country, TalkMS: c.Talk.Milliseconds(), Net: int64(c.Net)}
	}
	return list(views(calls, view), in.Limit, func(c *api.BillCall) string { return c.ID }), err
}

// lineOfBill finds a line among those of a bill, also when it was removed since.
func (s *Server) lineOfBill(ctx context.Context, b *billing.Bill, called string) (string, error) {
	sums, err := s.d.Billing.Sums(ctx, b.Number)
	for _, x := range sums {
		if called == x.Line || called == account.Handle(x.Line) {
			return x.Line, nil
		}
	}
	if err != nil {
		return "", err
	}
	return "", missing("line", called)
}

var billTypes = map[string]string{billing.PDF: "application/pdf", billing.CSV: "text/csv; charset=utf-8", billing.XML: "application/xml; charset=utf-8"}

func (s *Server) exportBill(ctx context.Context, in *struct {
	api.BillID
	Format string `query:"format" enum:"pdf,csv,xml" default:"pdf"`
},
) (*huma.StreamResponse, error) {
	b, err := s.bill(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", billTypes[in.Format])
		hc.SetHeader("Content-Disposition", `attachment; filename="bill-`+strconv.FormatInt(b.Number, 10)+"."+in.Format+`"`)
		_ = s.d.Billing.WriteBill(ctx, hc.BodyWriter(), &b, in.Format) // a client that went away is no fault of ours
	}}, nil
}

func (s *Server) runBills(ctx context.Context, in *api.BillRun) (out api.BillsMade, err error) {
	if s.d.Billing == nil {
		return out, unavailable("billing")
	}
	run := billing.Run{Now: in.Body.Now, After: in.Body.After, Limit: in.Body.Limit, By: by(ctx)}
	if in.Body.Customer != "" {
		c, err := s.customer(ctx, in.Body.Customer)
		if err != nil {
			return out, err
		}
		run.Customer = c.ID
	}
	r, err := s.d.Billing.Run(ctx, run, time.Now())
	return api.BillsMade{Bills: r.Bills, Calls: r.Calls, Total: int64(r.Gross), Text: api.Amount(r.Gross), Next: r.After, Left: r.Left}, err
}

func paymentView(ctx context.Context, e *billing.Entry) api.Payment {
	return api.Payment{
		Number: e.Number, Customer: account.Handle(e.Customer), At: e.At, Amount: int64(e.Net), AmountIs: api.Amount(e.Net), Reference: e.Reference, By: worker(ctx, e.By), Text: e.Text,
	}
}

func (s *Server) listPayments(ctx context.Context, in *struct {
	api.BillFilter
	Below
},
) (out api.List[api.Payment], err error) {
	return listEntries(ctx, s, books.KindPayment, in.Customer, in.Before, in.Limit, paymentView)
}

func creditView(ctx context.Context, e *billing.Entry) api.Credit {
	gross := -e.Amount(books.Customer(e.Customer))
	return api.Credit{
		Number: e.Number, Customer: account.Handle(e.Customer), At: e.At, Net: int64(e.Net), VAT: int64(e.VAT), Rate: e.Rate.String(), Amount: int64(gross), AmountIs: api.Amount(gross),
		Reference: e.Reference, By: worker(ctx, e.By), Why: e.Text, Calls: len(e.Calls),
	}
}

func (s *Server) listCredits(ctx context.Context, in *struct {
	api.BillFilter
	Below
},
) (out api.List[api.Credit], err error) {
	return listEntries(ctx, s, books.KindCredit, in.Customer, in.Before, in.Limit, creditView)
}

// listEntries lists what was booked of a kind, of a customer or of all. Those of a customer go on below the number that they have among all kinds.
func listEntries[V any](ctx context.Context, s *Server, kind books.Kind, called string, before int64, limit int, view func(context.Context, *billing.Entry) V) (out api.List[V], err error) {
	if s.d.Billing == nil {
		return out, unavailable("billing")
	}
	customer, err := s.customerFilter(ctx, called)
	if err != nil {
		return out, err
	}
	all, err := s.d.Billing.Entries(ctx, customer, kind, before, limit+1)
	if err != nil {
		return out, err
	}
	more := len(all) > limit
	all = all[:min(len(all), limit)]
	out = list(views(all, func(e *billing.Entry) V { return view(ctx, e) }), len(all), nil)
	if more {
		last := &all[len(all)-1]
		out.Next = strconv.FormatInt(last.Number, 10)
		if customer != "" {
			out.Next = strconv.FormatInt(last.ID, 10)
		}
	}
	return out, nil
}

func (s *Server) addPayment(ctx context.Context, in *api.PaymentNew) (out api.Payment, err error) {
	if s.d.Billing == nil {
		return out, unavailable("billing")
	}
	c, err := s.customer(ctx, in.Body.Customer)
	if err != nil {
		return out, err
	}
	p := billing.Payment{Customer: c.ID, Reference: in.Body.Reference, By: by(ctx), Text: in.Body.Text}
	if p.Amount, err = money.Billing().ParseAmount(in.Body.Amount); err != nil {
		return out, invalid("amount", in.Body.Amount, "an amount such as "+money.Billing().Amount(156_390_000))
	}
	if in.Body.Date != "" {
		if p.At, err = time.ParseInLocation(time.DateOnly, in.Body.Date, s.d.Book.Zone(c.ID)); err != nil {
			return out, invalid("date", in.Body.Date, "a day such as 2026-11-30")
		}
	}
	if !in.Body.Again {
		e, twice, err := s.d.Billing.Twice(ctx, c.ID, p.Amount)
		if err != nil {
			return out, err
		}
		if twice {
			at := e.At.In(s.d.Book.Zone(c.ID)).Format("15:04")
			return out, newProblem(http.StatusConflict, api.ReasonExists, account.Handle(c.ID)+" paid "+api.Amount(p.Amount)+" at "+at+". Pay again? Then say so: again.")
		}
	}
	e, err := s.d.Billing.Pay(ctx, p)
	if err != nil {
		return out, s.billed(err, "customer", in.Body.Customer)
	}
	out = paymentView(ctx, &e)
	if s.d.Settle == nil || core.Named(e.Reference+" "+e.Text) != 0 { // one that names its plan counts by itself
		return out, nil
	}
	if plans, err := s.d.Settle.Plans(ctx, c.ID, settle.PlanFilter{State: core.PlanRunning, Limit: 1}); err == nil && len(plans) > 0 { // a hint: the payment is booked whether it can be given or not
		out.Plan = plans[0].ID
	}
	return out, nil
}

func (s *Server) importPayments(ctx context.Context, in *struct {
	RawBody []byte `contentType:"text/csv"`
},
) (out api.PaymentsImported, err error) {
	if s.d.Billing == nil {
		return out, unavailable("billing")
	}
	got, err := s.d.Billing.Import(ctx, by(ctx), in.RawBody, time.Now())
	if err != nil {
		return out, s.billed(err, "file", "")
	}
	out = api.PaymentsImported{Booked: len(got.Booked), Skipped: len(got.Skipped)}
	for i := range got.Skipped {
		out.Rows = append(out.Rows, api.PaymentSkipped{Line: got.Skipped[i].Line, Reference: got.Skipped[i].Reference, Number: got.Skipped[i].Number, Booked: got.Skipped[i].Booked, Given: got.Skipped[i].Given, Text: got.Skipped[i].Text()})
	}
	for i := range got.Booked {
		out.Total += int64(got.Booked[i].Net)
	}
	out.Text = api.Amount(money.Micro(out.Total))
	return out, nil
}

func bookingView(ctx context.Context, e *billing.Entry) api.Booking {
	n := e.Amount(books.Customer(e.Customer))
	return api.Booking{
		Number: e.Number, Kind: string(e.Kind), Customer: account.Handle(e.Customer), At: e.At, Amount: int64(n), Text: api.Amount(n), Reference: e.Reference, By: worker(ctx, e.By), Why: e.Text,
	}
}

func bookings(ctx context.Context, all []billing.Entry) []api.Booking {
	return views(all, func(e *billing.Entry) api.Booking { return bookingView(ctx, e) })
}

func (s *Server) getAccount(ctx context.Context, c book.CustomerView, _ *api.AccountID) (out api.Account, err error) {
	if s.d.Billing == nil {
		return out, unavailable("billing")
	}
	owes, err := s.d.Billing.Account(ctx, c.ID, time.Now())
	if err != nil {
		return out, err
	}
	entries, err := s.d.Billing.Entries(ctx, c.ID, "", 0, 20)
	if err != nil {
		return out, err
	}
	var used money.Micro
	if s.d.Watch != nil {
		if w := s.d.Watch(); w != nil {
			u := w.Used("account/" + c.ID)[0]
			used = u.Settled.Add(u.Running)
		}
	}
	return api.Account{
		Customer: account.Handle(c.ID), Balance: int64(owes.Owes), Text: api.Amount(owes.Owes), Unbilled: int64(used), NotYet: api.Amount(used), Entries: bookings(ctx, entries),
		Asked: int64(owes.Asked), Overdue: int64(owes.Overdue), Disputed: int64(owes.Disputed), Planned: int64(owes.Planned),
	}, nil
}

func (s *Server) addCredit(ctx context.Context, c book.CustomerView, in *api.CreditNew) (out api.Booking, err error) {
	if s.d.Billing == nil {
		return out, unavailable("billing")
	}
	x := billing.Credit{Customer: c.ID, Reason: in.Body.Reason, Reference: in.Body.Reference, By: by(ctx)}
	if x.Net, err = money.Billing().ParseAmount(in.Body.Amount); err != nil {
		return out, invalid("amount", in.Body.Amount, "an amount such as "+money.Billing().Amount(12_500_000))
	}
	for _, id := range in.Body.Calls {
		x.Calls = append(x.Calls, call.ID(id))
	}
	e, err := s.d.Billing.CreditByHand(ctx, x)
	if err != nil {
		return out, s.billed(err, "customer", in.Customer)
	}
	return bookingView(ctx, &e), nil
}

func (s *Server) exportCredit(ctx context.Context, in *struct {
	api.AccountID
	Number int64 `path:"number" minimum:"1"`
},
) (*huma.StreamResponse, error) {
	if s.d.Billing == nil {
		return nil, unavailable("billing")
	}
	c, err := s.customer(ctx, in.Customer)
	if err != nil {
		return nil, err
	}
	e, err := s.d.Billing.EntryOf(ctx, books.KindCredit, in.Number)
	if err == nil && e.Customer != c.ID {
		err = book.ErrNotFound
	}
	if err != nil {
		return nil, s.about(err, "credit note", strconv.FormatInt(in.Number, 10))
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/pdf")
		_ = s.d.Billing.WriteCredit(hc.Context(), hc.BodyWriter(), &e) // a client that went away is no fault of ours
	}}, nil
}
