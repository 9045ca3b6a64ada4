package web

import (
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/casework"
	"ringfence/core/liability"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/flow/desk"
)

// caseView is one case.
type caseView struct {
	Path     string
	Staff    bool
	Tags     []tag
	About    template.HTML
	Finding  string
	Outcome  template.HTML
	Banner   *banner // what was found, in a sentence
	Sums     []sumRow
	Owed     *owedView // what it comes to; nil: nothing is settled here
	Disputed money.Micro
	Marks    []string // the promises, over the columns of the calls
	Verdicts []pickRow
	Large    bool // it has more calls than a page: they stand by number
	Numbers  []calledRow
	To       template.HTML // the number whose calls these are; "" is every number
	Calls    []caseCallRow
	More     string
	Judge    *act
	File     string // the case file; "" is none
	Take     *act
	Items    []itemRow
	Tasks    []itemRow
	Links    []relatedRow
	Story    []storyRow
	Earlier  []storyRow // what stands folded above a long one
	Write    *field
	Kinds    []choice
	Upload   *field // of a customer: a file as evidence
	Deeds    []caseDeed
	Toast    *toast
}

// pickRow is a choice of what a list shows.
type pickRow struct {
	Text, Path string
	Here       bool
}

// caseDeed is something that staff can do from a case, with what it asks for.
type caseDeed struct {
	Do, Title, Text, Button, Look string
	Fields                        []field
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
	Number   template.HTML // "": its record is gone
	At       time.Time
	Talk     string
	Retail   money.Micro
	State    tag
	Why      template.HTML
	Marks    []markCell
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
	Late         bool
	Owner        template.HTML
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
	if did := word("case.did-" + q.URL.Query().Get("did")); said == "" && len(q.words.texts[did]) > 0 {
		said = q.t(did)
	}
	if said != "" {
		v.Toast = &toast{Text: said}
	}
	s.fillCase(q, &f, &v)
	if err := s.caseCalls(q, &f, &v); err != nil {
		return page{}, err
	}
	if v.Owed, err = s.caseOwed(q, &f, v.Path); err != nil {
		return page{}, err
	}
	if v.Staff {
		if err := s.caseAround(q, &f, &v); err != nil {
			return page{}, err
		}
		if v.Deeds, err = s.caseDeeds(q, &f, &v); err != nil {
			return page{}, err
		}
	}
	crumbs := []crumb{{q.t("case.all"), at}, {q.t("case.number", "id", id), ""}}
	title := harmless(f.Title, 200)
	if f.Erased() {
		title = q.t("case.erased")
	}
	return page{name: "case", title: title, nav: at, shape: shapeOf(q), crumbs: crumbs, data: v}, nil
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
	if q.may("write-case") == nil && !v.Staff && f.State != casework.Closed {
		v.Write = &field{Name: "text", Label: q.t("case.write"), Most: casework.MaxText, Lines: 3, Needed: true}
		for _, k := range []casework.Kind{casework.Evidence, casework.Message} {
			v.Kinds = append(v.Kinds, choice{string(k), q.t("case.kind-" + word(k)), k == casework.Evidence})
		}
		if q.may("attach-case-file") == nil {
			v.Upload = &field{Name: "about", Label: q.t("case.file-shows"), Most: 1000}
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
		N: i.N, Late: i.Waits() && !i.Due.IsZero() && q.now.After(i.Due), Path: path, Kind: string(i.Kind), Look: q.t("case.kind-" + word(i.Kind)), By: q.worker(i.By), Text: bdi(harmless(i.Text, casework.MaxText)), At: q.at(i.At), Due: q.at(i.Due),
		Amount: i.Amount, Calls: i.Calls, Waits: i.Waits(), Mine: person.Same(i.By, q.ID),
	}
	if i.Owner != "" {
		r.Owner = name(i.Owner)
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

// caseCalls are a page of the calls of a case. Those of a large one stand by the number that they went to first, and each number opens.
func (s *Server) caseCalls(q *query, f *desk.File, v *caseView) error {
	get := q.URL.Query()
	filter := desk.CaseCallFilter{Case: f.ID, After: desk.CallID(harmless(get.Get("after"), 40)), Verdict: harmless(get.Get("verdict"), 20), Number: harmless(get.Get("number"), 64), Limit: maxCaseCalls + 1}
	calls := int64(0)
	for _, x := range f.Sums {
		calls += x.Calls
	}
	v.Large = calls > maxCaseCalls
	if v.Large && filter.Verdict == "" && filter.Number == "" && get.Get("list") == "" {
		if err := s.caseNumbers(q, f, v); err != nil {
			return err
		}
		return s.pickVerdicts(q, f, v, "")
	}
	all, err := s.d.Cases.Calls(q.Context(), asking(q), filter)
	if err != nil {
		return err
	}
	if filter.Number != "" {
		v.To = s.number(filter.Number, filter.Number)
	}
	if len(all) > maxCaseCalls {
		all = all[:maxCaseCalls]
		on := url.Values{"after": {string(all[maxCaseCalls-1].Call)}}
		for _, name := range []string{"verdict", "number", "list"} {
			if text := get.Get(name); text != "" {
				on.Set(name, text)
			}
		}
		v.More = v.Path + "?" + on.Encode() + "#calls"
	}
	made, err := s.d.Cases.Made(q.Context(), all)
	if err != nil {
		return err
	}
	for i := range all {
		row := s.caseCallRow(q, &all[i])
		if r, ok := made[all[i].Call]; ok {
			row.Number, row.Talk = s.number(r.Number, r.Dialled), s.reader.length(r.Talk)
		}
		v.Calls = append(v.Calls, row)
	}
	if err := s.pickVerdicts(q, f, v, filter.Verdict); err != nil {
		return err
	}
	return s.markCalls(q, all, v)
}

// calledRow is what the calls of a case to one number come to.
type calledRow struct {
	Path                 string // of its calls; "" is none
	Number, Place        template.HTML
	Calls, Pending, Free int64
	Retail               money.Micro
	First, Last          time.Time
}

const maxNumbers = 50 // on a page of a case

func (s *Server) caseNumbers(q *query, f *desk.File, v *caseView) error {
	all, next, err := s.d.Cases.Numbers(q.Context(), asking(q), f.ID, q.URL.Query().Get("after"), maxNumbers)
	if err != nil {
		return s.caseFault(q, err)
	}
	for i := range all {
		n := &all[i]
		r := calledRow{Calls: n.Calls, Pending: n.Pending, Free: n.Free, Retail: n.Retail, First: q.at(n.First), Last: q.at(n.Last), Number: bdi(q.t("money.gone"))}
		if n.Number != "" {
			r.Number, r.Path = s.number(n.Number, n.Number), v.Path+"?"+url.Values{"number": {n.Number}}.Encode()+"#calls"
		}
		if n.Country != "" {
			r.Place = bdi(countryWord(q, n.Country))
		}
		v.Numbers = append(v.Numbers, r)
	}
	if next != "" {
		v.More = v.Path + "?" + url.Values{"after": {next}}.Encode() + "#calls"
	}
	return nil
}

func (s *Server) caseCallRow(q *query, c *casework.CaseCall) caseCallRow {
	r := caseCallRow{ID: string(c.Call), Path: callsPath(q) + string(c.Call), Line: bdi(harmless(account.Handle(c.Line), 64)), At: q.at(c.Begun), Retail: c.Retail, State: tag{disputeLook(c.State), "", q.t("case.dispute-" + word(c.State))}}
	if c.Verdict != "" {
		r.Why = q.mark("case.verdict-"+word(c.Verdict)) + " " + bdi(harmless(c.Why, 120))
	}
	if n := len(c.Steps); n > 0 && !c.State.Pending() { // what people decided comes before what the judge said
		r.Why = bdi(harmless(c.Steps[n-1].Why, 200))
	}
	r.Tick = c.State.Pending() && c.Decision == 0 && q.Customer != "" && q.may("withdraw-case-calls") == nil
	return r
}

// pickVerdicts are what the list can be narrowed to, and the finding of fact above it.
func (s *Server) pickVerdicts(q *query, f *desk.File, v *caseView, here string) error {
	sums, err := s.d.Cases.Verdicts(q.Context(), asking(q), f.ID)
	if err != nil {
		return err
	}
	var all, judged, free, open int64
	rows := []pickRow{}
	for _, x := range sums {
		all += x.Calls
		switch x.Verdict {
		case "":
			continue
		case string(liability.Free):
			free = x.Calls
		case string(liability.Undetermined):
			open = x.Calls
		}
		judged += x.Calls
		rows = append(rows, pickRow{q.t("case.pick-"+word(x.Verdict), "n", x.Calls, "sum", s.reader.money(x.Retail)), v.Path + "?verdict=" + url.QueryEscape(x.Verdict) + "#calls", here == x.Verdict})
	}
	everything := pickRow{q.t("case.pick-all", "n", all), v.Path + "#calls", here == ""}
	if v.Large {
		everything.Path, everything.Here = v.Path+"?list=1#calls", here == "" && v.Numbers == nil && v.To == ""
		v.Verdicts = []pickRow{{q.t("case.pick-numbers"), v.Path + "#calls", v.Numbers != nil}, everything}
	}
	if judged == 0 {
		return nil
	}
	if !v.Large {
		v.Verdicts = []pickRow{everything}
	}
	v.Verdicts = append(v.Verdicts, rows...)
	b := &banner{Look: "good", Icon: "shield", Title: q.t("case.found-none", "n", all)}
	switch {
	case free > 0:
		b.Look, b.Title = "warn", q.t("case.found-ours", "n", free, "all", all)
	case open > 0:
		b.Look, b.Title = "warn", q.t("case.found-open", "n", open, "all", all)
	}
	if free > 0 && open > 0 {
		b.Text = append(b.Text, q.mark("case.found-open", "n", open, "all", all))
	}
	v.Banner = b
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
		r := relatedRow{Icon: "place", Title: s.whose(l.Subject, ""), At: q.at(l.At), Sub: q.t("case.link-"+word(l.Why), "what", harmless(l.What, 60))}
		if x, ok := s.d.Book.Line(l.Line); ok {
			r.Path = "/staff/lines/" + x.Handle()
		}
		v.Links = append(v.Links, r)
	}
	story, err := s.d.Cases.Timeline(q.Context(), f.ID, links)
	if err != nil {
		return err
	}
	lines := map[string]bool{}
	for i := range story {
		lines[story[i].Line] = true
	}
	for i := range story {
		var told findingView
		s.tell(q, &desk.Known{Story: []desk.Event{story[i].Event}}, &told)
		for _, r := range told.Story {
			if len(lines) > 1 {
				r.Line = bdi(harmless(account.Handle(story[i].Line), 40))
			}
			v.Story = append(v.Story, r)
		}
	}
	v.Story = append(v.Story, s.caseStory(q, f)...)
	slices.SortStableFunc(v.Story, func(a, b storyRow) int { return a.At.Compare(b.At) })
	if n := len(v.Story) - openStory; n > openStory/2 { // a few more are no reason to fold
		v.Earlier, v.Story = v.Story[:n], v.Story[n:]
	}
	return nil
}

// openStory is how many moments of a timeline stand open.
const openStory = 20

// caseStory is what people did in the case itself.
func (s *Server) caseStory(q *query, f *desk.File) (rows []storyRow) {
	rows = append(rows, storyRow{At: q.at(f.Opened), What: q.t("case.story-opened"), More: name(f.By)})
	for i := range f.Items {
		x := &f.Items[i]
		r := storyRow{At: q.at(x.At), What: q.t("case.story-" + word(x.Kind)), More: bdi(harmless(x.Text, 160))}
		if x.Kind == casework.Decision {
			r.What, r.Look = q.t("case.rule-"+word(x.What)), "good"
		}
		if x.Kind != casework.Note && x.Kind != casework.Task {
			rows = append(rows, r)
		}
	}
	if !f.Finished.IsZero() {
		rows = append(rows, storyRow{At: q.at(f.Finished), Look: "good", What: q.t("case.story-closed"), More: bdi(harmless(f.Why, 160))})
	}
	return rows
}
