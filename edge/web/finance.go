package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/books"
	"ringfence/core/money"
	"ringfence/flow/billing"
	"ringfence/flow/book"
)

var _ = serves(func(s *Server) {
	if s.d.Billing == nil || s.d.Book == nil {
		return
	}
	s.page("GET /staff/money", staff, func(q *query) (page, error) { return s.finance(q, nil, "") })
	s.page("POST /staff/money", staff, s.actOnMoney)
	s.upload("POST /staff/money/payments", staff, maxBank, s.bankFile)
	s.page("GET /staff/money/bills/{bill}", staff, s.bill)
	s.file("GET /staff/money/bills/{bill}/file", staff, s.billFile)
})

// maxBank is the most of a bank's file.
const maxBank = 8 << 20

// financeView is what is owed, what came, and what is done about it.
type financeView struct {
	Unpaid        []unpaidRow
	More          bool
	Parts         []tag  // of what is unpaid: overdue, in dispute, in plans
	Plans         string // where all plans are; "" is nowhere
	Paid, Credits []bookedRow
	PaidPager     pager
	Run           *runView
	Pay, Credit   []field
	Again         string // the question whether a payment is the same as one before
	Hidden        []pair
	Import        bool
	Errors        []field
	Fault         string // what was wrong with a file
	Toast         *toast
}

type unpaidRow struct {
	Path, Number string
	Who          template.HTML
	Due          time.Time
	Overdue      bool
	Gross, Left  string
	Asked        string
	Disputed     string // "" is nothing
	Planned      string
	Reminders    int64
}

type bookedRow struct {
	Number        int64
	Who, Why      template.HTML
	Reference, By template.HTML
	At            time.Time
	Sum           string
}

// runView is a run of bills: it goes on where it stopped, so many customers at a time.
type runView struct {
	Going             bool // it has looked at some, and others are left
	After             string
	Says              string
	Meter             meter
	Bills, Left, Seen int64
}

const runAtOnce = 500 // customers that one press of the button looks at

func (s *Server) finance(q *query, wrongs []field, fault string) (page, error) {
	for _, op := range []string{"list-bills", "list-payments"} {
		if err := q.may(op); err != nil {
			return page{}, err
		}
	}
	v := financeView{Errors: wrongs, Fault: fault}
	get := q.URL.Query()
	if did := word("finance.did-" + get.Get("did")); len(q.words.texts[did]) > 0 {
		v.Toast = &toast{Text: q.t(did, "number", harmless(get.Get("number"), 20), "skipped", harmless(get.Get("skipped"), 20), "sum", harmless(get.Get("sum"), 30))}
		for _, part := range []string{"passed", "redated"} {
			if lines := numbersIn(get.Get(part)); lines != "" {
				v.Toast.Text += " " + q.t(word("finance.import-"+part), "lines", lines)
			}
		}
	}
	debts, err := s.d.Billing.Debts(q.Context(), q.now)
	if err != nil {
		return page{}, err
	}
	s.unpaid(q, &debts, &v)
	if err := s.booked(q, &v); err != nil {
		return page{}, err
	}
	s.moneyForms(q, &v, wrongs)
	title, err := s.financeTitle(q, &debts)
	return page{name: "finance", title: title, nav: "/staff/money", shape: "staff", data: v}, err
}

// unpaid lists the bills that are not paid.
func (s *Server) unpaid(q *query, debts *billing.Debts, v *financeView) {
	some := func(m money.Micro) string {
		if m == 0 {
			return ""
		}
		return s.reader.money(m)
	}
	for i := range debts.Unpaid[:min(len(debts.Unpaid), maxUnpaid)] {
		u := &debts.Unpaid[i]
		v.Unpaid = append(v.Unpaid, unpaidRow{
			Path: staffBill(u.Number), Number: q.t("money.bill", "n", u.Number), Who: s.customerLink(u.Customer), Due: q.at(u.Due), Overdue: u.Overdue(q.now),
			Gross: s.reader.money(u.Gross), Left: s.reader.money(u.Left), Asked: s.reader.money(u.Asked), Disputed: some(u.Disputed), Planned: some(u.Planned), Reminders: u.Reminders,
		})
	}
	v.More = debts.More || len(debts.Unpaid) > maxUnpaid
	v.Parts = s.owedParts(q, debts.Overdue, debts.Disputed, debts.Planned)
	if s.known("/staff/plans") != "" && q.may("list-plans") == nil {
		v.Plans = "/staff/plans"
	}
}

func (s *Server) financeTitle(q *query, debts *billing.Debts) (string, error) {
	if len(debts.Unpaid) == 0 {
		return s.nothingUnpaid(q)
	}
	overdue := 0
	for i := range debts.Unpaid {
		if debts.Unpaid[i].Overdue(q.now) {
			overdue++
		}
	}
	title := q.t("finance.title", "n", len(debts.Unpaid), "sum", s.reader.money(debts.Left))
	if overdue > 0 {
		title += " " + q.t("finance.overdue-n", "n", overdue)
	}
	return title, nil
}

// nothingUnpaid says that all bills are paid, where there are any.
func (s *Server) nothingUnpaid(q *query) (string, error) {
	made, err := s.d.Billing.Bills(q.Context(), billing.Filter{State: billing.Issued, Limit: 1})
	if err != nil || len(made) > 0 {
		return q.t("finance.all-paid"), err
	}
	return q.t("finance.no-bill"), nil
}

const maxUnpaid = 100

func staffBill(number int64) string { return fmt.Sprintf("/staff/money/bills/%d", number) }

// customerLink names a customer, with the page about it.
func (s *Server) customerLink(id string) template.HTML {
	called := account.Handle(id)
	if c, ok := s.d.Book.Customer(id); ok {
		called = customerName(&c)
	}
	if !s.exists("/staff/customers/{customer}") {
		return name(called)
	}
	return linkTo("/staff/customers/"+url.PathEscape(account.Handle(id)), name(called))
}

// booked are payments and credit notes, the newest first.
func (s *Server) booked(q *query, v *financeView) error {
	row := func(e *billing.Entry) bookedRow {
		return bookedRow{e.Number, s.customerLink(e.Customer), name(e.Text), name(e.Reference), name(e.By), q.at(e.At), s.reader.money(-e.Amount(books.Customer(e.Customer)))}
	}
	before := int64(0)
	if text := q.URL.Query().Get("before"); isNumber(text) {
		before = q.numberOf(text)
	}
	paid, err := s.d.Billing.Entries(q.Context(), "", books.KindPayment, before, perPage+1)
	if err != nil {
		return err
	}
	if len(paid) > perPage {
		paid = paid[:perPage]
		v.PaidPager.Next = fmt.Sprintf("/staff/money?before=%d#paid", paid[perPage-1].Number)
	}
	for i := range paid {
		v.Paid = append(v.Paid, row(&paid[i]))
	}
	credits, err := s.d.Billing.Entries(q.Context(), "", books.KindCredit, 0, latest)
	for i := range credits {
		v.Credits = append(v.Credits, row(&credits[i]))
	}
	return err
}

// moneyForms are what somebody of finance may do.
func (s *Server) moneyForms(q *query, v *financeView, wrongs []field) {
	value := func(name string) string {
		if q.Method == http.MethodPost {
			return q.form.Get(name)
		}
		return ""
	}
	with := func(fields ...field) []field {
		for i := range fields {
			fields[i].Value = value(fields[i].Name)
			for _, w := range wrongs {
				if w.Name == fields[i].Name {
					fields[i].Error = w.Error
				}
			}
		}
		return fields
	}
	amount := func(name, label string) field {
		return field{Name: name, Label: label, Before: money.Billing().Sign, Mode: "decimal", Most: 20, Needed: true}
	}
	if q.may("add-payment") == nil {
		v.Pay = with(
			field{Name: "customer", Label: q.t("finance.customer"), Help: q.t("finance.customer-help"), Most: 60, Needed: true}, amount("amount", q.t("finance.amount")),
			field{Name: "reference", Label: q.t("finance.reference"), Help: q.t("finance.reference-help"), Most: 100, Needed: true}, field{Name: "date", Label: q.t("finance.date"), Type: "date", Most: 10}, field{Name: "text", Label: q.t("finance.text"), Most: 200},
		)
	}
	if q.may("add-credit") == nil {
		v.Credit = with(
			field{Name: "credit-customer", Label: q.t("finance.customer"), Most: 60, Needed: true}, amount("net", q.t("case.amount")),
			field{Name: "reason", Label: q.t("case.why"), Help: q.t("case.why-read"), Most: 500, Lines: 2, Needed: true}, field{Name: "credit-reference", Label: q.t("finance.reference"), Help: q.t("finance.once"), Most: 100, Needed: true},
		)
	}
	v.Import = q.may("import-payments") == nil
	if q.may("run-bills") != nil {
		return
	}
	get := q.URL.Query()
	r := &runView{After: harmless(get.Get("after"), 80), Bills: q.numberOf(get.Get("bills")), Left: q.numberOf(get.Get("left")), Seen: q.numberOf(get.Get("seen"))}
	if get.Get("run") == "" {
		v.Run = r
		return
	}
	r.Going = r.Left > 0 && r.After != ""
	r.Says = q.t("finance.ran", "n", r.Bills)
	if r.Going {
		r.Says = q.t("finance.running", "n", r.Left, "bills", r.Bills)
		r.Meter = newMeter(r.Says, money.Micro(r.Left+r.Seen), meterPart{"m-spent", money.Micro(r.Seen)})
		r.Meter.Thin = true
	}
	v.Run = r
}

// mostLines is how many lines of a file are named in an address.
const mostLines = 30

// linesOf are the lines of rows, as an address has them.
func linesOf(rows []billing.Skipped) string {
	var lines []string
	for i := range rows[:min(len(rows), mostLines)] {
		lines = append(lines, strconv.Itoa(rows[i].Line))
	}
	if len(rows) > mostLines {
		lines = append(lines, "…")
	}
	return strings.Join(lines, ",")
}

// numbersIn are the numbers of such a list, for people; what is none is left out.
func numbersIn(list string) string {
	var lines []string
	for part := range strings.SplitSeq(list, ",") {
		if _, err := strconv.ParseUint(part, 10, 32); (err == nil || part == "…") && len(lines) <= mostLines {
			lines = append(lines, part)
		}
	}
	return strings.Join(lines, ", ")
}

// numberOf is a number in an address; 0 where there is none.
func (q *query) numberOf(text string) (n int64) {
	_, _ = fmt.Sscan(text, &n)
	return max(n, 0)
}

// actOnMoney books a payment or a credit note, or bills what is due.
func (s *Server) actOnMoney(q *query) (page, error) {
	do := q.form.Get("do")
	operation := map[string]string{"pay": "add-payment", "credit": "add-credit", "run": "run-bills"}[do]
	if operation == "" {
		return page{}, errMissing
	}
	if err := q.may(operation); err != nil {
		return page{}, err
	}
	see, wrongs, err := "", []field(nil), error(nil)
	switch do {
	case "pay":
		return s.pay(q)
	case "credit":
		see, wrongs, err = s.creditByHand(q)
	case "run":
		see, err = s.runBills(q)
	}
	return s.moneyDone(q, see, wrongs, err)
}

// moneyDone leads on, or says at the fields what is wrong.
func (s *Server) moneyDone(q *query, see string, wrongs []field, err error) (page, error) {
	if err != nil {
		return page{}, err
	}
	if len(wrongs) == 0 {
		return page{see: see}, nil
	}
	p, err := s.finance(q, wrongs, "")
	p.status = http.StatusUnprocessableEntity
	return p, err
}

// billingWrong says at which field something is wrong; false: it is no fault of the form.
func (s *Server) billingWrong(q *query, err error, prefix string) ([]field, bool) {
	wrong, ok := errors.AsType[*billing.Invalid](err)
	switch {
	case ok && wrong.Field == "reason":
		return []field{{Name: "reason", Error: q.t("finance.want", "want", harmless(wrong.Want, 120))}}, true
	case ok && prefix != "" && wrong.Field == "amount":
		return []field{{Name: "net", Error: q.t("finance.want", "want", harmless(wrong.Want, 120))}}, true
	case ok:
		return []field{{Name: prefix + wrong.Field, Error: q.t("finance.want", "want", harmless(wrong.Want, 120))}}, true
	case errors.Is(err, billing.ErrBooked):
		return []field{{Name: prefix + "reference", Error: q.t("finance.booked-before")}}, true
	case errors.Is(err, book.ErrNotFound):
		return []field{{Name: prefix + "customer", Error: q.t("finance.no-customer")}}, true
	}
	return nil, false
}

// pay books a payment by hand. One that looks like the one before is asked about.
func (s *Server) pay(q *query) (page, error) {
	c, ok := s.d.Book.CustomerCalled(strings.TrimSpace(q.form.Get("customer")))
	if !ok {
		return s.moneyDone(q, "", []field{{Name: "customer", Error: q.t("finance.no-customer")}}, nil)
	}
	p := billing.Payment{Customer: c.ID, Reference: q.form.Get("reference"), Text: q.form.Get("text"), By: q.ID}
	var err error
	if p.Amount, err = money.Billing().ParseAmount(strings.TrimSpace(q.form.Get("amount"))); err != nil {
		return s.moneyDone(q, "", []field{{Name: "amount", Error: q.t("finance.want-amount")}}, nil)
	}
	if text := q.form.Get("date"); text != "" {
		if p.At, err = time.ParseInLocation(time.DateOnly, text, s.d.Book.Zone(c.ID)); err != nil {
			return s.moneyDone(q, "", []field{{Name: "date", Error: q.t("finance.want-date")}}, nil)
		}
	}
	if q.form.Get("again") == "" {
		e, twice, err := s.d.Billing.Twice(q.Context(), c.ID, p.Amount)
		if err != nil {
			return page{}, err
		}
		if twice {
			return s.askAgain(q, &e)
		}
	}
	e, err := s.d.Billing.Pay(q.Context(), p)
	if wrongs, ok := s.billingWrong(q, err, ""); ok {
		return s.moneyDone(q, "", wrongs, nil)
	}
	return page{see: fmt.Sprintf("/staff/money?did=pay&number=%d#paid", e.Number)}, err
}

// askAgain asks whether the same customer paid the same sum twice.
func (s *Server) askAgain(q *query, e *billing.Entry) (page, error) {
	p, err := s.finance(q, nil, "")
	if err != nil {
		return p, err
	}
	v, _ := p.data.(financeView)
	v.Again = q.t("finance.again", "sum", s.reader.money(e.Net), "at", s.reader.human(q.at(e.At)))
	for _, name := range []string{"customer", "amount", "reference", "date", "text"} {
		v.Hidden = append(v.Hidden, pair{name, q.form.Get(name)})
	}
	p.data, p.status = v, http.StatusConflict
	return p, nil
}

func (s *Server) creditByHand(q *query) (see string, wrongs []field, err error) {
	c, ok := s.d.Book.CustomerCalled(strings.TrimSpace(q.form.Get("credit-customer")))
	if !ok {
		return "", []field{{Name: "credit-customer", Error: q.t("finance.no-customer")}}, nil
	}
	x := billing.Credit{Customer: c.ID, Reason: strings.TrimSpace(q.form.Get("reason")), Reference: q.form.Get("credit-reference"), By: q.ID}
	if x.Net, err = money.Billing().ParseAmount(strings.TrimSpace(q.form.Get("net"))); err != nil {
		return "", []field{{Name: "net", Error: q.t("finance.want-amount")}}, nil //nolint:nilerr // it is told at the field
	}
	e, err := s.d.Billing.CreditByHand(q.Context(), x)
	if wrongs, ok := s.billingWrong(q, err, "credit-"); ok {
		return "", wrongs, nil
	}
	return fmt.Sprintf("/staff/money?did=credit&number=%d#credits", e.Number), nil, err
}

// runBills bills some customers, and says how many are left.
func (s *Server) runBills(q *query) (see string, err error) {
	r, err := s.d.Billing.Run(q.Context(), billing.Run{By: q.ID, After: q.form.Get("after"), Limit: runAtOnce}, q.now)
	to := url.Values{"run": {"1"}, "after": {r.After}, "left": {fmt.Sprint(r.Left)}, "bills": {fmt.Sprint(q.number("bills") + int64(r.Bills))}, "seen": {fmt.Sprint(q.number("seen") + runAtOnce)}}
	return "/staff/money?" + to.Encode() + "#run", err
}

// bankFile books the payments of a bank's file: all of them, or none.
func (s *Server) bankFile(q *query) (page, error) {
	if err := q.may("import-payments"); err != nil {
		return page{}, err
	}
	_, file, err := q.sheet()
	why := q.uploadWhy(err)
	if why == "" && err != nil {
		return page{}, err
	}
	if why == "" {
		got, err := s.d.Billing.Import(q.Context(), q.ID, file.data, q.now)
		if err == nil {
			sum := money.Micro(0)
			for i := range got.Booked {
				sum = sum.Add(got.Booked[i].Net)
			}
			to := url.Values{"did": {"import"}, "number": {grouped(len(got.Booked))}, "skipped": {grouped(len(got.Skipped))}, "sum": {s.reader.money(sum)}, "passed": {linesOf(got.Skipped)}, "redated": {linesOf(got.Redated())}}
			return page{see: "/staff/money?" + to.Encode() + "#paid"}, nil
		}
		if _, ok := errors.AsType[*billing.Wrong](err); !ok && !errors.Is(err, billing.ErrBooked) {
			return page{}, err
		}
		why = sentence(harmless(err.Error(), 300))
	}
	p, err := s.finance(q, nil, why)
	p.status = http.StatusUnprocessableEntity
	return p, err
}
