package web

import (
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"ringfence/core/account"
	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/flow/billing"
	"ringfence/flow/book"
)

var _ = serves(func(s *Server) {
	if s.d.Billing == nil {
		return
	}
	s.raw("POST /hooks/payments", s.paymentHook)
	s.page("GET /money/bills/{bill}", customer, s.bill)
	s.file("GET /money/bills/{bill}/file", customer, s.billFile)
})

// accountView is what a customer owes and what was booked last.
type accountView struct {
	Balance string
	Sense   string // owed, nothing, or paid ahead
	Parts   []tag  // of what is owed: overdue, in dispute, in a plan
	Asked   string // what of it is to be paid on the days of the bills; "": all, or nothing is owed
	Bills   []billRow
	Paid    []paidRow
}

type billRow struct {
	Path, Number, Sum string
	Until, Due        time.Time
	Left              string // to pay of it, where that is less than Sum; "" is all or nothing
	Tags              []tag
}

// owedParts says what of a debt is overdue, in dispute or in a plan.
func (s *Server) owedParts(q *query, overdue, disputed, planned money.Micro) (out []tag) {
	for _, x := range []struct {
		sum  money.Micro
		look string
		says word
	}{{overdue, "grave", "money.is-overdue"}, {disputed, "warn", "money.in-dispute"}, {planned, "", "money.in-plan"}} {
		if x.sum > 0 {
			out = append(out, tag{x.look, "", q.t(x.says, "sum", s.reader.money(x.sum))})
		}
	}
	return out
}

// unpaidTags say where a bill stands.
func (s *Server) unpaidTags(q *query, u *billing.Unpaid) []tag {
	if u.Left == 0 {
		return []tag{{"good", "", q.t("money.is-paid")}}
	}
	overdue := money.Micro(0)
	if u.Overdue(q.now) {
		overdue = u.Asked
	}
	return s.owedParts(q, overdue, u.Disputed, u.Planned)
}

type paidRow struct {
	What  string
	At    time.Time
	Sum   string
	Why   template.HTML
	Quote template.HTML
}

const latest = 12 // bills and payments on the page of money

// account reads what stands above the usage; nil where nothing is billed.
func (s *Server) account(q *query) (*accountView, error) {
	if s.d.Billing == nil {
		return nil, nil
	}
	if err := q.may("get-account"); err != nil {
		return nil, err
	}
	a, err := s.d.Billing.Account(q.Context(), q.Customer, q.now)
	if err != nil {
		return nil, err
	}
	v := &accountView{Balance: s.reader.money(max(a.Owes, -a.Owes)), Sense: q.t("money.owed"), Parts: s.owedParts(q, a.Overdue, a.Disputed, a.Planned)}
	switch {
	case a.Owes == 0:
		v.Sense = q.t("money.even")
	case a.Owes < 0:
		v.Sense = q.t("money.ahead")
	case a.Asked != a.Owes:
		v.Asked = s.reader.money(a.Asked)
	}
	bills, err := s.d.Billing.Bills(q.Context(), billing.Filter{Customer: q.Customer, State: billing.Issued, Limit: latest})
	if err != nil {
		return nil, err
	}
	for i := range bills {
		b := &bills[i]
		u := a.Of(b.Number)
		r := billRow{Path: billPath(b.Number), Number: q.t("money.bill", "n", b.Number), Sum: s.reader.money(b.Gross), Until: q.at(b.Until), Due: q.at(b.Due), Tags: s.unpaidTags(q, &u)}
		if u.Left > 0 && u.Left < b.Gross {
			r.Left = s.reader.money(u.Left)
		}
		v.Bills = append(v.Bills, r)
	}
	entries, err := s.d.Billing.Entries(q.Context(), q.Customer, "", 0, 3*latest)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		e := &entries[i]
		if e.Kind == books.KindBill || len(v.Paid) == latest {
			continue
		}
		v.Paid = append(v.Paid, s.paidRow(q, e))
	}
	return v, nil
}

// paidRow is a payment or a credit note.
func (s *Server) paidRow(q *query, e *billing.Entry) paidRow {
	what := q.t("money.payment")
	if e.Kind == books.KindCredit {
		what = q.t("money.credit", "n", e.Number)
	}
	r := paidRow{What: what, At: q.at(e.At), Sum: s.reader.money(-e.Amount(books.Customer(e.Customer))), Quote: name(e.Reference)}
	if e.Text != "" {
		r.Why = name(e.Text)
	}
	return r
}

// billPathFor is the page of a bill for its customer, or for staff.
func billPathFor(q *query, number int64) string {
	if q.Customer == "" {
		return staffBill(number)
	}
	return billPath(number)
}

func billPath(number int64) string { return "/money/bills/" + strconv.FormatInt(number, 10) }

// billView is a bill: by line, then country, then, if one is opened, its calls.
type billView struct {
	Path             string
	From, Until, Due time.Time
	Lines            []billLine
	Calls            string
	Net, VAT, Total  string
	VATWord          string
	Rounded          string    // what the rounding took away, in words; "" is nothing
	Left, Asked      string    // of the total, and what of that is asked for
	Tags             []tag     // where it stands
	Credits          []paidRow // credit notes for its calls
	Opened           *billCalls
}

type billLine struct {
	Line      template.HTML
	Calls     string
	Net       string
	Countries []billCountry
}

type billCountry struct {
	Path  string
	Name  template.HTML
	Calls string
	Net   string
}

// billCalls are the calls of a line to a country.
type billCalls struct {
	Title string
	Rows  []billCall
	More  string
}

type billCall struct {
	Path      string
	Number    template.HTML
	At        time.Time // zero: its record was deleted
	Talk, Net string
}

// ownBill is a bill of the customer whose people ask; another's is not there.
func (s *Server) ownBill(q *query, operation string) (b billing.Bill, err error) {
	if err := q.may(operation); err != nil {
		return b, err
	}
	n, err := strconv.ParseInt(q.PathValue("bill"), 10, 64)
	if err != nil {
		return b, book.ErrNotFound
	}
	b, err = s.d.Billing.Bill(q.Context(), n)
	if err == nil && q.Customer != "" && b.Customer != q.Customer {
		err = book.ErrNotFound
	}
	return b, err
}

func (s *Server) bill(q *query) (page, error) {
	b, err := s.ownBill(q, "get-bill")
	if err != nil {
		return page{}, err
	}
	sums, err := s.d.Billing.Sums(q.Context(), b.Number)
	if err != nil {
		return page{}, err
	}
	a, err := s.d.Billing.Account(q.Context(), b.Customer, q.now)
	if err != nil {
		return page{}, err
	}
	u, c := a.Of(b.Number), money.Billing()
	exact := func(m money.Micro) string { return signed(c.Amount(m)) }
	v := billView{
		Path: billPathFor(q, b.Number), From: q.at(b.From), Until: q.at(b.Until), Due: q.at(b.Due), Calls: q.t("calls.n", "n", b.Calls), Net: exact(b.Net), VAT: exact(b.VAT),
		VATWord: q.t("money.vat", "rate", b.Rate.String()), Total: exact(b.Gross),
		Left: exact(u.Left), Asked: exact(u.Asked), Tags: s.unpaidTags(q, &u),
	}
	if rounded := b.Net + b.VAT - b.Gross; rounded != 0 {
		v.Rounded = q.t("money.rounded", "sum", exact(rounded))
	}
	credits, err := s.d.Billing.Credits(q.Context(), &b)
	if err != nil {
		return page{}, err
	}
	for i := range credits {
		v.Credits = append(v.Credits, s.paidRow(q, &credits[i]))
	}
	var line money.Micro
	var calls int64
	for i, x := range sums {
		if i == 0 || sums[i-1].Line != x.Line {
			v.Lines, line, calls = append(v.Lines, billLine{Line: s.lineText(x.Line)}), 0, 0
		}
		l := &v.Lines[len(v.Lines)-1]
		line, calls = line.Add(x.Net), calls+x.Calls
		l.Calls, l.Net = q.t("calls.n", "n", calls), exact(line)
		open := v.Path + "?" + url.Values{"line": {account.Handle(x.Line)}, "country": {x.Country}}.Encode() + "#calls"
		l.Countries = append(l.Countries, billCountry{open, bdi(countryWord(q, x.Country)), q.t("calls.n", "n", x.Calls), exact(x.Net)})
		if q.form.Get("line") == account.Handle(x.Line) && q.form.Get("country") == x.Country {
			if v.Opened, err = s.openedCalls(q, &b, &x); err != nil {
				return page{}, err
			}
		}
	}
	if q.Customer == "" {
		return page{name: "bill", title: q.t("money.bill-title", "n", b.Number, "sum", s.reader.money(b.Gross), "date", s.reader.date(q.at(b.Due))), nav: "/staff/money", shape: "staff", crumbs: []crumb{{q.t("frame.finance"), "/staff/money"}}, data: v}, nil
	}
	return page{
		name: "bill", title: q.t("money.bill-title", "n", b.Number, "sum", s.reader.money(b.Gross), "date", s.reader.date(q.at(b.Due))), nav: "/money",
		crumbs: []crumb{{q.t("frame.money"), "/money"}}, data: v,
	}, nil
}

// callsPath is where the pages of calls are, for customers and for staff.
func callsPath(q *query) string {
	if q.Customer == "" {
		return "/staff/calls/"
	}
	return "/calls/"
}

const callsOfBill = 200 // on a page

func (s *Server) openedCalls(q *query, b *billing.Bill, x *billing.Sum) (*billCalls, error) {
	if err := q.may("list-bill-calls"); err != nil {
		return nil, err
	}
	calls, err := s.d.Billing.Calls(q.Context(), b.Number, x.Line, x.Country, call.ID(q.form.Get("after")), callsOfBill+1)
	if err != nil {
		return nil, err
	}
	v := &billCalls{Title: q.t("money.opened", "line", account.Handle(x.Line), "country", countryWord(q, x.Country))}
	if len(calls) > callsOfBill {
		calls = calls[:callsOfBill]
		v.More = billPathFor(q, b.Number) + "?" + url.Values{"line": {account.Handle(x.Line)}, "country": {x.Country}, "after": {string(calls[callsOfBill-1].Call)}}.Encode() + "#calls"
	}
	for i := range calls {
		c := &calls[i]
		row := billCall{Path: callsPath(q) + string(c.Call), Number: bdi(string(c.Call)), Talk: s.reader.length(c.Talk), Net: signed(money.Billing().Amount(c.Net))}
		if r, err := s.d.Billing.Record(q.Context(), c.Call); err == nil { // else it was deleted since, and the bill keeps its sum
			row.At, row.Number = q.at(r.Begun), s.number(r.Number, r.Dialled)
		}
		v.Rows = append(v.Rows, row)
	}
	return v, nil
}

var billKinds = map[string]string{billing.PDF: "application/pdf", billing.CSV: "text/csv; charset=utf-8", billing.XML: "application/xml; charset=utf-8"}

// billFile is a bill as a file.
func (s *Server) billFile(q *query, w http.ResponseWriter) error {
	b, err := s.ownBill(q, "export-bill")
	if err != nil {
		return err
	}
	format := q.form.Get("format")
	kind, ok := billKinds[format]
	if !ok {
		return book.ErrNotFound
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="bill-`+strconv.FormatInt(b.Number, 10)+"."+format+`"`)
	return s.d.Billing.WriteBill(q.Context(), w, &b, format)
}

const maxHook = 4096 // bytes of the message of a payment

// paymentHook books what a payment provider says, if it is signed. What was booked before is answered like the first time: they send again what they
// are not sure of.
func (s *Server) paymentHook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHook))
	if err == nil {
		_, err = s.d.Billing.Signed(r.Context(), r.Header.Get("Ringfence-Signature"), body, time.Now())
	}
	wrong, long := (*billing.Invalid)(nil), (*http.MaxBytesError)(nil)
	switch {
	case err == nil, errors.Is(err, billing.ErrBooked):
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, billing.ErrOtherwise): // a 204 would lose it
		s.log.Error("a signed payment was not booked", "error", err)
		http.Error(w, err.Error(), http.StatusConflict)
	case errors.Is(err, billing.ErrSignature):
		http.Error(w, err.Error(), http.StatusForbidden)
	case errors.As(err, &wrong), errors.As(err, &long):
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
	default:
		s.log.Error("a signed payment was not booked", "error", err)
		http.Error(w, "not booked: send it again", http.StatusServiceUnavailable)
	}
}
