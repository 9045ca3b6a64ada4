package web

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/flow/book"
	"ringfence/flow/desk"
)

var _ = serves(func(s *Server) {
	if s.d.Cases == nil || s.d.Book == nil {
		return
	}
	for _, x := range []struct {
		at  string
		who area
	}{{"/cases", customer}, {"/staff/cases", staff}} {
		s.page("GET "+x.at, x.who, func(q *query) (page, error) { return s.caseList(q, x.at) })
		s.page("POST "+x.at, x.who, func(q *query) (page, error) { return s.openCase(q, x.at) })
		s.page("GET "+x.at+"/{case}", x.who, func(q *query) (page, error) { return s.casePage(q, x.at, "") })
		s.page("POST "+x.at+"/{case}", x.who, func(q *query) (page, error) { return s.actOnCase(q, x.at) })
		s.file("GET "+x.at+"/{case}/files/{n}", x.who, s.caseFile)
		s.upload("POST "+x.at+"/{case}/files", x.who, maxUpload, func(q *query) (page, error) { return s.attach(q, x.at) })
	}
	if s.d.Casefile != nil {
		s.file("GET /staff/cases/{case}/file", staff, s.caseArchive)
	}
})

// caseListView is a page of cases.
type caseListView struct {
	Rows          []caseRow
	More          string
	Staff, Ranked bool   // by money at risk
	All, AllText  string // the other list
	Cut           bool   // there are older ones
}

type caseRow struct {
	Path         string
	Title, Whose template.HTML
	State        tag
	Owner        template.HTML
	Deadline     time.Time
	Late         bool
	Disputed     money.Micro
	Risk         money.Micro // what could still be lost tonight
}

const maxCaseRows = 50

func asking(q *query) desk.Who { return desk.Who{Actor: q.ID, Customer: q.Customer} }

func (s *Server) caseList(q *query, at string) (page, error) {
	if err := q.may("list-cases"); err != nil {
		return page{}, err
	}
	before, _ := strconv.ParseInt(q.form.Get("before"), 10, 64)
	if q.Customer == "" && s.d.Desk != nil && before == 0 && q.form.Get("all") == "" {
		return s.rankedCases(q)
	}
	all, err := s.d.Cases.List(q.Context(), asking(q), desk.CaseFilter{Before: before, Limit: maxCaseRows + 1})
	if err != nil {
		return page{}, err
	}
	var v caseListView
	open := 0
	if len(all) > maxCaseRows {
		all = all[:maxCaseRows]
		v.More = fmt.Sprintf("%s?all=1&before=%d", at, all[maxCaseRows-1].ID)
	}
	for i := range all {
		c := &all[i]
		f, err := s.d.Cases.Case(q.Context(), asking(q), c.ID)
		if err != nil {
			return page{}, err
		}
		r := s.caseRow(q, at, c)
		_, r.Disputed = f.Disputed()
		if c.State != casework.Closed {
			open++
		}
		v.Rows = append(v.Rows, r)
	}
	if v.Staff = q.Customer == ""; v.Staff {
		v.All, v.AllText = at, q.t("case.only-open")
		return page{name: "cases", title: q.t("case.all-of-them"), nav: at, shape: shapeOf(q), data: v}, nil
	}
	slices.SortStableFunc(v.Rows, func(a, b caseRow) int { return cmp.Compare(b.Disputed, a.Disputed) }) // money decides what is looked at first
	return page{name: "cases", title: q.t("case.open-n", "n", open), nav: at, shape: shapeOf(q), data: v}, nil
}

func (s *Server) caseRow(q *query, at string, c *casework.Case) caseRow {
	r := caseRow{Path: fmt.Sprintf("%s/%d", at, c.ID), Title: s.caseTitle(q, c), State: s.caseTag(q, c), Deadline: q.at(c.Deadline), Late: c.Late(q.now)}
	if q.Customer == "" {
		r.Whose, r.Owner = s.whose(desk.Subject{Line: c.Line, Customer: c.Customer}, ""), name(c.Owner)
	}
	return r
}

// caseTitle is what a case is about. Of one whose customer was erased nothing is left but its number.
func (s *Server) caseTitle(q *query, c *casework.Case) template.HTML {
	if c.Erased() {
		return template.HTML(template.HTMLEscapeString(q.t("case.erased"))) //nolint:gosec // escaped
	}
	return bdi(harmless(c.Title, 120))
}

// rankedCases are the open ones, by the money at risk: what is in dispute, and what could still be lost tonight.
func (s *Server) rankedCases(q *query) (page, error) {
	const at = "/staff/cases"
	all, more, err := s.d.Desk.ByRisk(q.Context(), s.d.Cases)
	if err != nil {
		return page{}, err
	}
	v := caseListView{Staff: true, Ranked: true, All: at + "?all=1", AllText: q.t("case.also-closed"), Cut: more}
	late, sum := 0, money.Micro(0)
	for i := range all {
		c := &all[i]
		r := s.caseRow(q, at, &c.Case)
		r.Disputed, r.Risk = c.Disputed, c.Risk
		if sum = sum.Add(c.Disputed); r.Late {
			late++
		}
		v.Rows = append(v.Rows, r)
	}
	title := q.t("case.open-sum", "n", len(all), "sum", s.reader.money(sum))
	if late > 0 {
		title += " " + q.t("case.open-late", "n", late)
	}
	if len(all) == 0 {
		title = q.t("case.open-none")
	}
	return page{name: "cases", title: title, nav: at, shape: "staff", data: v}, nil
}

func shapeOf(q *query) string {
	if q.Customer == "" {
		return "staff"
	}
	return ""
}

func (s *Server) caseTag(q *query, c *casework.Case) tag {
	t := tag{"", "", q.t("case.state-" + word(c.State))}
	if c.State == casework.Asked && q.Customer != "" {
		t.Text = q.t("case.state-asked-you")
	}
	switch {
	case c.Late(q.now):
		t.Look = "grave"
	case c.State == casework.Open || c.State == casework.Asked:
		t.Look = "warn"
	}
	if c.State == casework.Closed {
		t.Text += ": " + q.t("case.outcome-"+word(c.Outcome))
	}
	return t
}

// openCase opens one: staff from a finding, customers by the calls that they ticked.
func (s *Server) openCase(q *query, at string) (page, error) {
	if q.Customer == "" {
		if err := q.may("add-case"); err != nil {
			return page{}, err
		}
		finding, err := strconv.ParseInt(q.form.Get("finding"), 10, 64)
		if err != nil {
			return page{}, errMissing
		}
		x, err := s.d.Cases.Open(q.Context(), asking(q), desk.NewCase{Finding: finding})
		return page{see: fmt.Sprintf("%s/%d", at, x.ID)}, s.caseFault(q, err)
	}
	if err := q.may("dispute"); err != nil {
		return page{}, err
	}
	var calls []desk.CallID
	for _, id := range q.form["call"] {
		calls = append(calls, desk.CallID(id))
	}
	if len(calls) == 0 || len(calls) > 1000 {
		return page{}, &fault{status: http.StatusUnprocessableEntity, title: "case.no-calls", text: "case.no-calls-what"}
	}
	id, _, err := s.d.Cases.DisputeCalls(q.Context(), asking(q), calls, q.form.Get("why"))
	return page{see: fmt.Sprintf("%s/%d", at, id)}, s.caseFault(q, err)
}

// caseFault is an error that people can do something about, in words.
func (s *Server) caseFault(q *query, err error) error {
	if why := caseWhy(q, err); why != "" {
		return &fault{status: http.StatusConflict, title: "case.refused", text: "case.refused-what", values: []any{"why", why}}
	}
	return err
}

func caseWhy(q *query, err error) string {
	var wrong *book.Invalid
	switch {
	case errors.As(err, &wrong), errors.Is(err, desk.ErrFull):
		return harmless(err.Error(), 300)
	case errors.Is(err, casework.ErrStep):
		return harmless(strings.TrimSuffix(err.Error(), ": "+casework.ErrStep.Error()), 300)
	case errors.Is(err, desk.ErrMoved):
		return q.t("case.moved")
	}
	return ""
}
