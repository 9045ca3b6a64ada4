package web

import (
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ringfence/core/account"
	"ringfence/core/when"
	"ringfence/flow/book"
)

var _ = serves(func(s *Server) {
	if s.d.Book == nil {
		return
	}
	s.page("GET /requests", customer, s.requests)
	s.page("GET /requests/new", customer, s.newRequest)
	s.page("POST /requests/new", customer, s.ask)
	s.page("GET /staff/requests/{request}", staff, s.request)
	s.page("POST /staff/requests/{request}", staff, s.answerRequest)
})

// requestRow is a request as its customer and staff see it.
type requestRow struct {
	ID                   string
	Line                 template.HTML
	Setting, Want        string
	Until, Made, Decided template.HTML
	Why, Note            template.HTML
	State                tag
	Path                 string
}

type requestsView struct {
	Rows  []requestRow
	May   bool
	Pager pager
}

// requestPage is how many requests a page has.
const requestPage = 50

// settingName is a setting in words.
func (s *Server) settingName(q *query, f account.Field) string {
	return q.t("line.set-" + word(f.String()))
}

func (s *Server) requestRow(q *query, r *account.Request) requestRow {
	zone := q.at
	if l, ok := s.d.Book.Line(r.Line); ok && q.Customer == "" {
		zone = func(t time.Time) time.Time { return t.In(l.Zone()) }
	}
	row := requestRow{
		ID: strconv.FormatInt(r.ID, 10), Line: s.lineText(r.Line), Setting: s.settingName(q, r.Field), Want: account.Format(r.Field, r.N), Made: s.reader.when(zone(r.Made)),
		Why: bdi(harmless(r.Why, 500)), Note: bdi(harmless(r.Note, 500)),
	}
	if r.Field.Unit() == account.UnitRate {
		row.Want = q.t("calls.a-minute", "rate", row.Want)
	}
	if row.Until = template.HTML(template.HTMLEscapeString(q.t("requests.for-good"))); !r.Until.IsZero() { //nolint:gosec // escaped
		row.Until = s.reader.when(zone(r.Until))
	}
	if !r.Decided.IsZero() {
		row.Decided = s.reader.when(zone(r.Decided))
	}
	switch r.State {
	case book.Granted:
		row.State = tag{Look: "good", Text: q.t("requests.state-granted")}
		if !r.Until.IsZero() && !r.Until.After(q.now) {
			row.State = tag{Text: q.t("requests.state-ended")}
		}
	case book.Refused:
		row.State = tag{Look: "grave", Text: q.t("requests.state-refused")}
	default:
		row.State = tag{Look: "warn", Text: q.t("requests.state-open")}
	}
	return row
}

func (s *Server) requests(q *query) (page, error) {
	if err := q.may("list-requests"); err != nil {
		return page{}, err
	}
	before, err := strconv.ParseInt(q.form.Get("before"), 10, 64)
	if err != nil {
		before = 0
	}
	all, err := s.d.Book.RequestsOf(q.Context(), q.Customer, before, requestPage+1)
	if err != nil {
		return page{}, err
	}
	v := requestsView{May: q.may("ask") == nil}
	open := 0
	for i := range all[:min(len(all), requestPage)] {
		if all[i].State == book.Asked {
			open++
		}
		v.Rows = append(v.Rows, s.requestRow(q, &all[i]))
	}
	if len(all) > requestPage {
		v.Pager.Next = "/requests?before=" + v.Rows[requestPage-1].ID
	}
	title := q.t("requests.title", "n", open)
	if open == 0 {
		title = q.t("requests.title-none")
	}
	return page{name: "requests", title: title, nav: "/lines", data: v}, nil
}

// newRequest asks for a raise. The address may say of what, as the page of a refused call does.
func (s *Server) newRequest(q *query) (page, error) {
	if err := q.may("ask"); err != nil {
		return page{}, err
	}
	return s.requestForm(q, nil), nil
}

// requestForm has the errors of a form that was sent, by field; "" is of all of it.
func (s *Server) requestForm(q *query, wrong map[string]string) page {
	line := field{Name: "line", Label: q.t("requests.line"), Most: 80, Needed: true, Error: wrong["line"]}
	lines := s.d.Book.Lines(q.Customer, "", mostChoices+1)
	if len(lines) > mostChoices {
		line.Value = typed(q.form.Get("line"))
	} else {
		for _, l := range lines {
			line.Choices = append(line.Choices, choice{l.Handle(), strings.TrimSpace(l.Handle() + " " + harmless(l.Name(), 40)), l.Handle() == q.form.Get("line")})
		}
	}
	what := field{Name: "field", Label: q.t("requests.what"), Most: 40, Error: wrong["field"]}
	for f := range account.NumFields {
		if !f.Free() && !f.OfAccount() && f != account.Watch {
			what.Choices = append(what.Choices, choice{f.String(), s.settingName(q, f), f.String() == q.form.Get("field")})
		}
	}
	fields := []field{
		line, what,
		{Name: "value", Label: q.t("requests.value"), Help: q.t("requests.value-help"), Value: typed(q.form.Get("value")), Most: 40, Needed: true, Error: wrong["value"]},
		{Name: "until", Label: q.t("requests.until"), Help: q.t("requests.until-help"), Value: typed(q.form.Get("until")), Type: "date", Most: 40, Error: wrong["until"]},
		{Name: "why", Label: q.t("requests.why"), Help: q.t("requests.why-help"), Value: typed(q.form.Get("why")), Lines: 3, Most: 500, Error: wrong["why"]},
	}
	p := q.ask("requests.new", formView{Text: []template.HTML{q.mark("requests.new-what")}, Fault: wrong[""], Fields: fields, Button: q.t("requests.send"), Acts: []act{{Text: q.t("requests.all"), Path: "/requests"}}})
	p.nav = "/lines"
	if len(wrong) > 0 {
		p.status = http.StatusUnprocessableEntity
	}
	return p
}

func (s *Server) ask(q *query) (page, error) {
	if err := q.may("ask"); err != nil {
		return page{}, err
	}
	wrong := map[string]string{}
	l, ok := s.d.Book.LineCalled(q.form.Get("line"))
	if !ok || l.Customer() != q.Customer {
		wrong["line"] = q.t("requests.no-line")
	}
	f, n, err := readSetting(q.form.Get("field"), q.form.Get("value"))
	if err != nil {
		wrong["value"] = q.t("requests.no-value")
	}
	until, err := when.Until(q.form.Get("until"), q.now, q.zone)
	if q.form.Get("until") == "" {
		until, err = time.Time{}, nil
	}
	if err != nil || !until.IsZero() && !until.After(q.now) {
		wrong["until"] = q.t("requests.no-until")
	}
	if len(wrong) > 0 {
		return s.requestForm(q, wrong), nil
	}
	_, err = s.d.Book.Ask(q.Context(), q.ID, l.ID(), f, n, until, q.form.Get("why"))
	if invalid, ok := errors.AsType[*book.Invalid](err); ok {
		name := map[string]string{"why": "why", "line": "line"}[invalid.Field]
		if name == "" {
			name = "value"
		}
		return s.requestForm(q, map[string]string{name: q.t("requests.want", "want", invalid.Want)}), nil
	}
	if err != nil {
		return page{}, err
	}
	return page{see: "/requests"}, nil
}

// typed is what somebody typed, to be shown again in its field: without marks that turn text round.
func typed(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}

// readSetting reads a field and its value as people write it.
func readSetting(name, value string) (account.Field, int64, error) {
	f, err := account.ParseField(name)
	if err != nil {
		return f, 0, err
	}
	n, err := account.ParseValue(f, strings.TrimSpace(value))
	return f, n, err
}

// staffRequest is a request as the desk sees it, with what is in force now.
type staffRequest struct {
	requestRow
	Customer template.HTML
	Now      string
	Open     bool
	May      bool
	End      field // of granting
	Word     field
	Reason   field // of refusing
	Fault    string
}

// asking is the request of the number in the address.
func (s *Server) asking(q *query) (*account.Request, *book.Line, error) {
	id, err := strconv.ParseInt(q.PathValue("request"), 10, 64)
	if err != nil {
		return nil, nil, errMissing
	}
	r, err := s.d.Book.Request(q.Context(), id)
	if err != nil {
		return nil, nil, err
	}
	l, ok := s.d.Book.Line(r.Line)
	if !ok {
		return nil, nil, errMissing
	}
	return &r, l, nil
}

func (s *Server) request(q *query) (page, error) { return s.requestOf(q, "") }

func (s *Server) requestOf(q *query, fault string) (page, error) {
	if err := q.may("list-requests"); err != nil {
		return page{}, err
	}
	r, l, err := s.asking(q)
	if err != nil {
		return page{}, err
	}
	e := l.Effective(q.now)
	v := staffRequest{requestRow: s.requestRow(q, r), Now: account.Format(r.Field, e.Values[r.Field]), Open: r.State == book.Asked, May: q.may("grant-request") == nil, Fault: fault}
	if c, ok := s.d.Book.Customer(l.Customer()); ok {
		v.Customer = name(account.Handle(c.ID) + " " + c.Name)
	}
	until := typed(q.form.Get("until"))
	if until == "" && !r.Until.IsZero() {
		until = r.Until.In(l.Zone()).Add(-time.Nanosecond).Format(time.DateOnly)
	}
	v.End = field{Name: "until", Label: q.t("requests.grant-until"), Help: q.t("requests.grant-until-help"), Type: "date", Value: until, Most: 40}
	v.Word = field{Name: "note", Label: q.t("requests.note"), Value: typed(q.form.Get("note")), Lines: 2, Most: 500}
	v.Reason = v.Word
	v.Reason.Name = "note-refused" // an id is once on a page
	return page{name: "request", title: q.t("requests.one", "line", l.Handle(), "setting", s.settingName(q, r.Field), "want", v.Want), data: v}, nil
}

// answerRequest grants or refuses, in the customer's days.
func (s *Server) answerRequest(q *query) (page, error) {
	do := q.form.Get("do")
	operation := "refuse-request"
	if do == "grant" {
		operation = "grant-request"
	}
	if err := q.may(operation); err != nil {
		return page{}, err
	}
	r, l, err := s.asking(q)
	if err != nil {
		return page{}, err
	}
	switch do {
	case "grant":
		if see := q.fresh(q.URL.Path); see != "" {
			return page{see: see}, nil
		}
		var until time.Time
		if text := q.form.Get("until"); text != "" {
			if until, err = when.Until(text, q.now, l.Zone()); err != nil || !until.After(q.now) {
				return s.requestOf(q, q.t("requests.no-until"))
			}
		}
		_, err = s.d.Book.Grant(q.Context(), q.ID, r.ID, until, q.form.Get("note"))
	case "refuse":
		_, err = s.d.Book.Refuse(q.Context(), q.ID, r.ID, q.form.Get("note-refused"))
	}
	if invalid, ok := errors.AsType[*book.Invalid](err); ok {
		return s.requestOf(q, q.t("requests.want", "want", invalid.Want))
	}
	if errors.Is(err, book.ErrInUse) {
		return s.requestOf(q, q.t("requests.decided"))
	}
	return page{see: "/staff/requests/" + strconv.FormatInt(r.ID, 10)}, err
}
