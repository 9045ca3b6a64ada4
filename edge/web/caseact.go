package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ringfence/core/casework"
	"ringfence/core/liability"
	"ringfence/core/money"
	"ringfence/core/restrict"
	"ringfence/core/when"
	"ringfence/flow/book"
	"ringfence/flow/desk"
)

// caseAct is what a form of a case does: the operation that it needs of those in the table of who may do what, and how it is done.
type caseAct struct {
	operation string
	do        func(s *Server, q *query, id int64) error
}

// caseActs are all of them. Those of the first kind are for customers too; flow/desk says what a customer's people may write.
var caseActs = map[string]caseAct{
	"write": {"write-case", func(s *Server, q *query, id int64) error {
		return s.writeCase(q, id, casework.Kind(q.form.Get("kind")), "text")
	}},
	"withdraw": {"withdraw-case-calls", func(s *Server, q *query, id int64) error {
		_, err := s.d.Cases.Withdraw(q.Context(), asking(q), id, desk.Pick{Calls: []desk.CallID{desk.CallID(q.form.Get("call"))}}, "")
		return err
	}},
	"end": {"answer-case-item", func(s *Server, q *query, id int64) error {
		return s.d.Cases.End(q.Context(), asking(q), id, q.number("n"), q.form.Get("how"), q.form.Get("why"))
	}},
	"second": {"second-decision", func(s *Server, q *query, id int64) error {
		return s.d.Cases.Second(q.Context(), asking(q), id, q.number("n"), q.form.Get("how") == casework.Made, q.form.Get("why"))
	}},
	"take": {"change-case", func(s *Server, q *query, id int64) error {
		return s.d.Cases.Edit(q.Context(), asking(q), id, desk.Edit{Owner: &q.ID})
	}},
	"notify":    {"write-case", func(s *Server, q *query, id int64) error { return s.writeCase(q, id, casework.Message, "message") }},
	"note":      {"write-case", func(s *Server, q *query, id int64) error { return s.writeCase(q, id, casework.Note, "note") }},
	"task":      {"write-case", (*Server).addTask},
	"edit":      {"change-case", (*Server).editCase},
	"link":      {"change-case", func(s *Server, q *query, id int64) error { return s.linkLine(q, id, "link") }},
	"unlink":    {"change-case", func(s *Server, q *query, id int64) error { return s.linkLine(q, id, "unlink") }},
	"lock":      {"lock-line", (*Server).lockFromCase},
	"close-off": {"add-restriction", (*Server).closeFromCase},
	"ban":       {"add-ban", (*Server).banFromCase},
	"hot":       {"add-hot-number", (*Server).listFromCase},
	"judge": {"judge-case", func(s *Server, q *query, id int64) error {
		if s.judges() == nil {
			return errMissing
		}
		_, err := s.judges().JudgeCase(q.Context(), asking(q), id, time.Now())
		return err
	}},
	"decide": {"decide-case", func(s *Server, q *query, id int64) error {
		_, err := s.d.Cases.Decide(q.Context(), asking(q), id, desk.Ruling{What: q.form.Get("what"), Pick: desk.Pick{All: true, Verdict: q.form.Get("verdict")}, Why: q.form.Get("decide-why")})
		return err
	}},
	"refund": {"decide-case", (*Server).refund},
	"close": {"close-case", func(s *Server, q *query, id int64) error {
		return s.d.Cases.Close(q.Context(), asking(q), id, casework.Outcome(q.form.Get("outcome")), q.form.Get("close-why"))
	}},
}

// number is a number of a form; 0 where there is none.
func (q *query) number(name string) int64 {
	n, _ := strconv.ParseInt(q.form.Get(name), 10, 64)
	return n
}

// caseID is the number of the case in an address.
func caseID(q *query) (int64, error) {
	id, err := strconv.ParseInt(q.PathValue("case"), 10, 64)
	if err != nil {
		return 0, errMissing
	}
	return id, nil
}

// actOnCase does what a form says.
func (s *Server) actOnCase(q *query, at string) (page, error) {
	id, err := caseID(q)
	if err != nil {
		return page{}, err
	}
	do := q.form.Get("do")
	a, ok := caseActs[do]
	if !ok {
		return page{}, errMissing
	}
	if err := q.may(a.operation); err != nil {
		return page{}, err
	}
	if _, err := s.d.Cases.Case(q.Context(), asking(q), id); err != nil { // before anything else is done from it
		return page{}, err
	}
	err = a.do(s, q, id)
	if why := s.caseWrong(q, err); why != "" {
		p, err := s.casePage(q, at, why)
		p.status = http.StatusConflict
		return p, err
	}
	return page{see: fmt.Sprintf("%s/%d?did=%s", at, id, do)}, err
}

// caseWrong is an error of an act in words.
func (s *Server) caseWrong(q *query, err error) string {
	if why := caseWhy(q, err); why != "" {
		return why
	}
	if why := settleWhy(q, err); why != "" {
		return why
	}
	return s.refused(q, err)
}

func (s *Server) writeCase(q *query, id int64, kind casework.Kind, text string) error {
	_, err := s.d.Cases.Write(q.Context(), asking(q), id, desk.Entered{Kind: kind, Text: q.form.Get(text)})
	return err
}

// day reads a time as people write it, in the reader's zone; "" is none.
func (q *query) day(name string) (time.Time, error) {
	text := strings.TrimSpace(q.form.Get(name))
	if text == "" {
		return time.Time{}, nil
	}
	at, err := when.Until(text, q.now, q.zone)
	if err != nil {
		return at, &book.Invalid{Field: name, Found: harmless(text, 40), Want: "a day or a time: friday, 2026-12-24, +3d"}
	}
	return at, nil
}

func (s *Server) addTask(q *query, id int64) error {
	due, err := q.day("due")
	if err != nil {
		return err
	}
	_, err = s.d.Cases.Write(q.Context(), asking(q), id, desk.Entered{Kind: casework.Task, Text: q.form.Get("task"), Due: due, Owner: q.form.Get("task-owner")})
	return err
}

func (s *Server) editCase(q *query, id int64) error {
	due, err := q.day("deadline")
	if err != nil {
		return err
	}
	owner, title, state := q.form.Get("owner"), q.form.Get("title"), casework.State(q.form.Get("state"))
	e := desk.Edit{Owner: &owner, Title: &title}
	if !due.IsZero() {
		e.Deadline = &due
	}
	if state != "" {
		e.State = &state
	}
	return s.d.Cases.Edit(q.Context(), asking(q), id, e)
}

// lineNamed is a line that a form names.
func (s *Server) lineNamed(q *query, name string) (*book.Line, error) {
	l, ok := s.d.Book.LineCalled(strings.TrimSpace(q.form.Get(name)))
	if !ok {
		return nil, &book.Invalid{Field: "line", Found: harmless(q.form.Get(name), 40), Want: "the number of a line that there is"}
	}
	return l, nil
}

func (s *Server) linkLine(q *query, id int64, name string) error {
	l, err := s.lineNamed(q, name)
	if err != nil {
		return err
	}
	e := desk.Edit{Link: l.ID()}
	if name == "unlink" {
		e = desk.Edit{Unlink: l.ID()}
	}
	return s.d.Cases.Edit(q.Context(), asking(q), id, e)
}

// fromCase is the reason of what is done from a case, for the journal.
func fromCase(id int64) string { return fmt.Sprintf("case %d", id) }

func (s *Server) lockFromCase(q *query, id int64) error {
	l, err := s.lineNamed(q, "lock-line")
	if err != nil || s.d.Desk == nil {
		return err
	}
	return s.d.Desk.LockLine(q.Context(), q.ID, l, true, fromCase(id))
}

func (s *Server) closeFromCase(q *query, id int64) error {
	l, err := s.lineNamed(q, "close-line")
	if err != nil || s.d.Cooling == nil {
		return err
	}
	r := restrict.Restriction{By: q.ID, Why: fromCase(id)}
	if r.Names, err = restrict.ParseSet(q.form.Get("closes")); err != nil || r.Names.Idle() != "" {
		return &book.Invalid{Field: "closes", Found: harmless(q.form.Get("closes"), 60), Want: "destinations such as abroad, premium, LV or +371"}
	}
	_, err = s.d.Cooling.Line(q.Context(), &q.Who, l.ID(), book.LineEdit{Restrict: &r})
	return err
}

func (s *Server) banFromCase(q *query, id int64) error {
	net, err := netOf(q.form.Get("net"))
	if err != nil || s.d.Desk == nil {
		return &book.Invalid{Field: "address", Found: harmless(q.form.Get("net"), 60), Want: "an address or a network: 203.0.113.9, 203.0.113.0/24"}
	}
	return s.d.Desk.Ban(q.Context(), q.ID, net, true, fromCase(id))
}

func (s *Server) listFromCase(q *query, id int64) error {
	r, err := restrict.ParseNumbers(q.form.Get("numbers"))
	if err != nil {
		return &book.Invalid{Field: "number", Found: harmless(q.form.Get("numbers"), 40), Want: "a number or the beginning of a range: +37190000112, +371900"}
	}
	_, err = s.d.Book.AddHot(q.Context(), q.ID, restrict.Listed{List: book.HotDesk, Range: r, Way: restrict.Out, Why: fromCase(id)})
	return err
}

func (s *Server) refund(q *query, id int64) error {
	amount, err := money.Billing().ParseAmount(q.form.Get("amount"))
	if err != nil {
		return &book.Invalid{Field: "amount", Found: harmless(q.form.Get("amount"), 40), Want: "an amount such as 12.50"}
	}
	_, err = s.d.Cases.Decide(q.Context(), asking(q), id, desk.Ruling{What: casework.Refund, Amount: amount, Why: q.form.Get("refund-why")})
	return err
}

// caseDeeds are what somebody of the staff may do from a case.
func (s *Server) caseDeeds(q *query, f *desk.File, v *caseView) ([]caseDeed, error) {
	v.judgements(s, q)
	if f.Owner != q.ID && f.State != casework.Closed && q.may("change-case") == nil {
		v.Take = &act{Text: q.t("case.take"), Path: v.Path, Post: true, Hidden: []pair{{"do", "take"}}}
	}
	var all []caseDeed
	add := func(d caseDeed) {
		if q.may(caseActs[d.Do].operation) == nil {
			d.Title, d.Button = q.t("case.deed-"+word(d.Do)), q.t("case.go-"+word(d.Do))
			if text := word("case.what-" + d.Do); len(q.words.texts[text]) > 0 {
				d.Text = q.t(text)
			}
			all = append(all, d)
		}
	}
	if f.State == casework.Closed {
		return all, nil
	}
	why := func(name string) field {
		return field{Name: name, Label: q.t("case.why"), Help: q.t("case.why-read"), Most: casework.MaxText, Lines: 2, Needed: true}
	}
	if err := s.deedsAgainst(q.Context(), q, f, add); err != nil {
		return nil, err
	}
	add(caseDeed{Do: "notify", Fields: []field{{Name: "message", Label: q.t("case.kind-message"), Most: casework.MaxText, Lines: 4, Needed: true}}})
	if n, sum := f.Disputed(); n > 0 {
		what := field{Name: "what", Label: q.t("case.decide"), Help: q.t("case.pending", "n", n, "sum", s.reader.money(sum))}
		for _, d := range []casework.Dispute{casework.Upheld, casework.Goodwill, casework.Owed} {
			what.Choices = append(what.Choices, choice{string(d), q.t("case.rule-" + word(d)), false})
		}
		which := field{Name: "verdict", Label: q.t("case.which"), Choices: []choice{{"", q.t("case.which-all"), true}}}
		for _, o := range []liability.Outcome{liability.Free, liability.Owed, liability.Undetermined} {
			which.Choices = append(which.Choices, choice{string(o), q.t("case.which-" + word(o)), false})
		}
		add(caseDeed{Do: "decide", Fields: []field{which, what, why("decide-why")}})
	}
	add(caseDeed{Do: "refund", Fields: []field{{Name: "amount", Label: q.t("case.amount"), Before: money.Billing().Sign, Most: 20, Mode: "decimal", Needed: true}, why("refund-why")}})
	add(caseDeed{Do: "note", Fields: []field{{Name: "note", Label: q.t("case.kind-note"), Most: casework.MaxText, Lines: 3, Needed: true}}})
	add(caseDeed{Do: "task", Fields: []field{
		{Name: "task", Label: q.t("case.kind-task"), Most: casework.MaxText, Lines: 2, Needed: true}, {Name: "due", Label: q.t("case.by-when"), Help: q.t("case.by-when-help"), Most: 40}, {Name: "task-owner", Label: q.t("case.owner"), Value: q.ID, Most: 100},
	}})
	add(caseDeed{Do: "link", Fields: []field{{Name: "link", Label: q.t("lines.line"), Most: 80, Needed: true}}})
	state := field{Name: "state", Label: q.t("case.state"), Choices: []choice{{"", q.t("case.state-" + word(f.State)), true}}}
	for _, x := range []casework.State{casework.Open, casework.Asked, casework.Settling} {
		if x != f.State {
			state.Choices = append(state.Choices, choice{string(x), q.t("case.state-" + word(x)), false})
		}
	}
	add(caseDeed{Do: "edit", Fields: []field{
		{Name: "title", Label: q.t("case.what"), Value: harmless(f.Title, casework.MaxTitle), Most: casework.MaxTitle, Needed: true},
		{Name: "owner", Label: q.t("case.owner"), Value: harmless(f.Owner, 100), Most: 100},
		{Name: "deadline", Label: q.t("case.new-deadline"), Help: q.t("case.by-when-help"), Most: 40},
		state,
	}})
	if err := s.settleDeeds(q, f, v, add); err != nil {
		return nil, err
	}
	outcome := field{Name: "outcome", Label: q.t("case.outcome")}
	for _, o := range casework.Outcomes() {
		outcome.Choices = append(outcome.Choices, choice{string(o), q.t("case.outcome-" + word(o)), false})
	}
	add(caseDeed{Do: "close", Fields: []field{outcome, why("close-why")}})
	return all, nil
}

// judgements are the button that judges, and the file of the case.
func (v *caseView) judgements(s *Server, q *query) {
	if s.judges() == nil {
		return
	}
	if q.may("export-case") == nil {
		v.File = v.Path + "/file"
	}
	if q.may("judge-case") == nil && len(v.Calls)+len(v.Numbers) > 0 {
		v.Judge = &act{Text: q.t("case.go-judge"), Path: v.Path, Post: true, Hidden: []pair{{"do", "judge"}}, Look: "tiny", Busy: q.t("case.judging")}
	}
}

// deedsAgainst are those that act against a thief: on the lines of the case, where its calls came from, and where they went.
func (s *Server) deedsAgainst(ctx context.Context, q *query, f *desk.File, add func(caseDeed)) error {
	if s.d.Desk == nil {
		return nil
	}
	p, err := s.d.Cases.Places(ctx, f.ID)
	if err != nil {
		return err
	}
	lines, open := []choice{}, []choice{}
	for _, id := range p.Lines {
		if l, ok := s.d.Book.Line(id); ok {
			c := choice{l.Handle(), strings.Trim(l.Handle()+" · "+harmless(l.Name(), 40), " ·"), false}
			if lines = append(lines, c); !l.Locked() {
				open = append(open, c)
			}
		}
	}
	if len(open) > 0 {
		add(caseDeed{Do: "lock", Look: "edged", Fields: []field{{Name: "lock-line", Label: q.t("lines.line"), Choices: open}}})
	}
	if len(lines) > 0 && s.d.Cooling != nil {
		add(caseDeed{Do: "close-off", Look: "edged", Fields: []field{
			{Name: "close-line", Label: q.t("lines.line"), Choices: lines}, {Name: "closes", Label: q.t("case.closes"), Help: q.t("case.closes-help"), Value: "abroad", Most: 100, Needed: true},
		}})
	}
	net := field{Name: "net", Label: q.t("case.address"), Most: 64, Needed: true}
	for _, a := range p.Addresses {
		net.Choices = append(net.Choices, choice{a.String(), a.String(), false})
	}
	add(caseDeed{Do: "ban", Look: "edged", Fields: []field{net}})
	number := field{Name: "numbers", Label: q.t("case.to-number"), Most: 40, Needed: true}
	for _, n := range p.Numbers {
		number.Choices = append(number.Choices, choice{n, plain(s.number(n, n)), false})
	}
	add(caseDeed{Do: "hot", Look: "edged", Fields: []field{number}})
	return nil
}
