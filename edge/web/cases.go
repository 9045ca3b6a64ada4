package web

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
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
	}
})

// caseListView is a page of cases.
type caseListView struct {
	Rows []caseRow
	More string
}

type caseRow struct {
	Path         string
	Title, Whose template.HTML
	State        tag
	Owner        template.HTML
	Deadline     time.Time
	Disputed     money.Micro
}

const maxCaseRows = 50

func asking(q *query) desk.Who { return desk.Who{Actor: q.ID, Customer: q.Customer} }

func (s *Server) caseList(q *query, at string) (page, error) {
	if err := q.may("list-cases"); err != nil {
		return page{}, err
	}
	before, _ := strconv.ParseInt(q.form.Get("before"), 10, 64)
	all, err := s.d.Cases.List(q.Context(), asking(q), desk.CaseFilter{Before: before, Limit: maxCaseRows + 1})
	if err != nil {
		return page{}, err
	}
	var v caseListView
	open := 0
	if len(all) > maxCaseRows {
		all = all[:maxCaseRows]
		v.More = fmt.Sprintf("%s?before=%d", at, all[maxCaseRows-1].ID)
	}
	for i := range all {
		c := &all[i]
		f, err := s.d.Cases.Case(q.Context(), asking(q), c.ID)
		if err != nil {
			return page{}, err
		}
		r := caseRow{Path: fmt.Sprintf("%s/%d", at, c.ID), Title: bdi(harmless(c.Title, 120)), State: s.caseTag(q, c), Owner: name(c.Owner), Deadline: q.at(c.Deadline)}
		if _, r.Disputed = f.Disputed(); q.Customer == "" {
			r.Whose = s.whose(desk.Subject{Line: c.Line, Customer: c.Customer}, "")
		}
		if c.State != casework.Closed {
			open++
		}
		v.Rows = append(v.Rows, r)
	}
	slices.SortStableFunc(v.Rows, func(a, b caseRow) int { return cmp.Compare(b.Disputed, a.Disputed) }) // money decides what is looked at first
	return page{name: "cases", title: q.t("case.open-n", "n", open), nav: at, shape: shapeOf(q), data: v}, nil
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

// caseView is one case.
type caseView struct {
	Path             string
	Staff            bool
	Tags             []tag
	About            template.HTML
	Finding          string
	Outcome          template.HTML
	Sums             []sumRow
	Disputed         money.Micro
	Calls            []caseCallRow
	More             string
	Items            []itemRow
	Tasks            []itemRow
	Links            []relatedRow
	Story            []storyRow
	Write, Decide    *field
	Kinds, Rulings   []choice
	Why              field
	Outcomes, States []choice
	Toast            *toast
	Limit            money.Micro
}

type sumRow struct {
	Text   string
	Calls  int64
	Retail money.Micro
	Look   string
}

type caseCallRow struct {
	ID, Path string
	Line     template.HTML
	At       time.Time
	Retail   money.Micro
	State    tag
	Why      template.HTML
	Tick     bool
}

type itemRow struct {
	N            int64
	Path         string
	Kind         string
	Look         string
	By, Text     template.HTML
	At, Due      time.Time
	File         string
	FileName     template.HTML
	Size         int64
	Amount       money.Micro
	Calls        int64
	What         string
	Waits, Mine  bool
	Ends         []choice
	Ended, Reply template.HTML
}

const maxCaseCalls = 100

func (s *Server) casePage(q *query, at, said string) (page, error) {
	if err := q.may("get-case"); err != nil {
		return page{}, err
	}
	id, err := strconv.ParseInt(q.PathValue("case"), 10, 64)
	if err != nil {
		return page{}, errMissing
	}
	f, err := s.d.Cases.Case(q.Context(), asking(q), id)
	if err != nil {
		return page{}, err
	}
	v := caseView{Path: fmt.Sprintf("%s/%d", at, id), Staff: q.Customer == "", Tags: []tag{s.caseTag(q, &f.Case)}}
	if said != "" {
		v.Toast = &toast{Text: said}
	}
	s.fillCase(q, &f, &v)
	if err := s.caseCalls(q, &f, &v); err != nil {
		return page{}, err
	}
	if v.Staff {
		if err := s.caseAround(q, &f, &v); err != nil {
			return page{}, err
		}
	}
	crumbs := []crumb{{q.t("case.all"), at}, {q.t("case.number", "id", id), ""}}
	return page{name: "case", title: harmless(f.Title, 200), nav: at, shape: shapeOf(q), crumbs: crumbs, data: v}, nil
}

func (s *Server) fillCase(q *query, f *desk.File, v *caseView) {
	if !f.Deadline.IsZero() && f.State != casework.Closed {
		look := "warn"
		if f.Late(q.now) {
			look = "grave"
		}
		v.Tags = append(v.Tags, tag{look, "", q.t("case.due", "at", s.reader.human(q.at(f.Deadline)))})
	}
	owner := template.HTML(template.HTMLEscapeString(q.t("case.nobody"))) //nolint:gosec // escaped
	if f.Owner != "" {
		owner = q.worker(f.Owner)
	}
	v.About = q.mark("case.about", "opened", s.reader.when(q.at(f.Opened)), "owner", owner)
	if v.Staff {
		v.About = s.whose(desk.Subject{Line: f.Line, Customer: f.Customer}, "") + " · " + v.About
		if f.Finding != 0 {
			v.Finding = fmt.Sprintf("/staff/queue/%d", f.Finding)
		}
	}
	if f.State == casework.Closed {
		v.Outcome = q.mark("case.came-to", "outcome", q.t("case.outcome-"+word(f.Outcome)), "why", bdi(harmless(f.Why, 800)))
	}
	_, v.Disputed = f.Disputed()
	for _, x := range f.Sums {
		v.Sums = append(v.Sums, sumRow{q.t("case.dispute-" + word(x.State)), x.Calls, x.Retail, disputeLook(x.State)})
	}
	for i := range f.Items {
		if r := s.itemRow(q, &f.Items[i], v.Path); r.Kind == string(casework.Task) {
			v.Tasks = append(v.Tasks, r)
		} else {
			v.Items = append(v.Items, r)
		}
	}
	if q.may("write-case") == nil && (v.Staff || f.State != casework.Closed) {
		v.Write = &field{Name: "text", Label: q.t("case.write"), Most: casework.MaxText, Lines: 3, Needed: true}
		kinds := []casework.Kind{casework.Evidence, casework.Message}
		if v.Staff {
			kinds = []casework.Kind{casework.Note, casework.Message, casework.Task}
		}
		for i, k := range kinds {
			v.Kinds = append(v.Kinds, choice{string(k), q.t("case.kind-" + word(k)), i == 0})
		}
	}
	v.Why = field{Name: "why", Label: q.t("case.why"), Most: casework.MaxText, Lines: 2, Needed: true}
	if v.Staff && f.State != casework.Closed && q.may("decide-case") == nil {
		for _, what := range []casework.Dispute{casework.Upheld, casework.Goodwill, casework.Owed} {
			v.Rulings = append(v.Rulings, choice{string(what), q.t("case.rule-" + word(what)), false})
		}
	}
	if v.Staff && f.State != casework.Closed && q.may("close-case") == nil {
		for _, o := range casework.Outcomes() {
			v.Outcomes = append(v.Outcomes, choice{string(o), q.t("case.outcome-" + word(o)), false})
		}
	}
}

func disputeLook(d casework.Dispute) string {
	switch {
	case d.Pending():
		return "warn"
	case d.Free():
		return "good"
	}
	return ""
}

// worker names the person who did something in a case. Customers read of a member of staff only that it was one.
func (q *query) worker(actor string) template.HTML {
	if q.Customer == "" || strings.HasPrefix(actor, account.Handle(q.Customer)+"/") || strings.HasPrefix(actor, account.Handle(q.Who.Customer)+"/") {
		return name(actor)
	}
	return template.HTML(template.HTMLEscapeString(q.t("case.desk"))) //nolint:gosec // escaped
}

func (s *Server) itemRow(q *query, i *casework.Item, path string) itemRow {
	r := itemRow{
		N: i.N, Path: path, Kind: string(i.Kind), Look: q.t("case.kind-" + word(i.Kind)), By: q.worker(i.By), Text: bdi(harmless(i.Text, casework.MaxText)), At: q.at(i.At), Due: q.at(i.Due),
		Amount: i.Amount, Calls: i.Calls, Waits: i.Waits(), Mine: i.By == q.ID,
	}
	if i.What != "" {
		r.What = q.t("case.rule-" + word(i.What))
	}
	if i.File.Code != "" {
		r.File, r.FileName, r.Size = fmt.Sprintf("%s/files/%d", path, i.N), bdi(harmless(i.File.Name, 80)), i.File.Size
	}
	if !i.Ended.IsZero() {
		r.Ended = q.mark("case.ended", "how", q.t("case.how-"+word(i.How)), "who", q.worker(i.EndedBy), "at", s.reader.when(q.at(i.Ended)))
		r.Reply = bdi(harmless(i.Answer, casework.MaxText))
	}
	if !r.Waits || q.Customer != "" {
		return r
	}
	ends := []string{casework.Done, casework.Dropped}
	operation := "answer-case-item"
	switch i.Kind {
	case casework.Evidence:
		ends = []string{casework.Accepted, casework.Rejected}
	case casework.Decision:
		operation, ends = "second-decision", []string{casework.Made, casework.Refused}
		if r.Mine {
			ends = ends[1:]
		}
	}
	if q.may(operation) == nil {
		for _, how := range ends {
			r.Ends = append(r.Ends, choice{how, q.t("case.do-" + word(how)), false})
		}
	}
	return r
}

// caseCalls are a page of the calls of a case.
func (s *Server) caseCalls(q *query, f *desk.File, v *caseView) error {
	all, err := s.d.Cases.Calls(q.Context(), asking(q), desk.CaseCallFilter{Case: f.ID, After: desk.CallID(harmless(q.URL.Query().Get("after"), 40)), Limit: maxCaseCalls + 1})
	if err != nil {
		return err
	}
	if len(all) > maxCaseCalls {
		all = all[:maxCaseCalls]
		v.More = v.Path + "?after=" + string(all[maxCaseCalls-1].Call)
	}
	at := "/calls/"
	if v.Staff {
		at = "/staff/calls/"
	}
	for i := range all {
		c := &all[i]
		r := caseCallRow{ID: string(c.Call), Path: at + string(c.Call), Line: bdi(harmless(account.Handle(c.Line), 64)), At: q.at(c.Begun), Retail: c.Retail, State: tag{disputeLook(c.State), "", q.t("case.dispute-" + word(c.State))}}
		if c.Verdict != "" {
			r.Why = q.mark("case.verdict-"+word(c.Verdict)) + " " + bdi(harmless(c.Why, 120))
		}
		r.Tick = c.State.Pending() && c.Decision == 0 && q.Customer != "" && q.may("withdraw-case-calls") == nil
		v.Calls = append(v.Calls, r)
	}
	return nil
}

// caseAround is what staff see besides: other lines that share something, and what happened.
func (s *Server) caseAround(q *query, f *desk.File, v *caseView) error {
	links, err := s.d.Cases.Linked(q.Context(), f.ID)
	if err != nil {
		return err
	}
	for i := range links {
		l := &links[i]
		r := relatedRow{Icon: "place", Title: s.whose(l.Subject, ""), At: q.at(l.At), Amount: q.t("case.link-"+word(l.Why), "what", harmless(l.What, 60))}
		if x, ok := s.d.Book.Line(l.Line); ok {
			r.Path = "/staff/lines/" + x.Handle()
		}
		v.Links = append(v.Links, r)
	}
	story, err := s.d.Cases.Timeline(q.Context(), f.ID, links)
	if err != nil {
		return err
	}
	known := &desk.Known{}
	var told findingView
	for i := range story {
		known.Story = append(known.Story, story[i].Event)
	}
	s.tell(q, known, &told)
	v.Story = told.Story
	return nil
}

// actOnCase does what a form says.
func (s *Server) actOnCase(q *query, at string) (page, error) {
	id, err := strconv.ParseInt(q.PathValue("case"), 10, 64)
	if err != nil {
		return page{}, errMissing
	}
	who, c, ctx := asking(q), s.d.Cases, q.Context()
	n, _ := strconv.ParseInt(q.form.Get("n"), 10, 64)
	do := q.form.Get("do")
	operation := map[string]string{"write": "write-case", "withdraw": "withdraw-case-calls", "end": "answer-case-item", "second": "second-decision", "decide": "decide-case", "close": "close-case", "take": "change-case"}[do]
	if operation == "" {
		return page{}, errMissing
	}
	if err := q.may(operation); err != nil {
		return page{}, err
	}
	switch do {
	case "write":
		_, err = c.Write(ctx, who, id, desk.Entered{Kind: casework.Kind(q.form.Get("kind")), Text: q.form.Get("text")})
	case "withdraw":
		_, err = c.Withdraw(ctx, who, id, desk.Pick{Calls: []desk.CallID{desk.CallID(q.form.Get("call"))}}, "")
	case "end":
		err = c.End(ctx, who, id, n, q.form.Get("how"), q.form.Get("why"))
	case "second":
		err = c.Second(ctx, who, id, n, q.form.Get("how") == casework.Made, q.form.Get("why"))
	case "decide":
		_, err = c.Decide(ctx, who, id, desk.Ruling{What: q.form.Get("what"), Pick: desk.Pick{All: true}, Why: q.form.Get("why")})
	case "close":
		err = c.Close(ctx, who, id, casework.Outcome(q.form.Get("outcome")), q.form.Get("why"))
	case "take":
		err = c.Edit(ctx, who, id, desk.Edit{Owner: &q.ID})
	}
	if why := caseWhy(q, err); why != "" {
		p, err := s.casePage(q, at, why)
		p.status = http.StatusConflict
		return p, err
	}
	return page{see: fmt.Sprintf("%s/%d", at, id)}, err
}

// caseFile hands out a file that came as evidence. It is never shown: what is in it is anybody's.
func (s *Server) caseFile(q *query, w http.ResponseWriter) error {
	if err := q.may("get-case-file"); err != nil {
		return err
	}
	id, err1 := strconv.ParseInt(q.PathValue("case"), 10, 64)
	n, err2 := strconv.ParseInt(q.PathValue("n"), 10, 64)
	if err1 != nil || err2 != nil {
		return errMissing
	}
	f, write, err := s.d.Cases.Attached(q.Context(), asking(q), id, n)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	return write(w)
}
