package rest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/flow/desk"
)

var _ = serves(func(s *Server) {
	const one, tag = "/v1/cases/{id}", "cases"
	listed[api.Case](s, staged(s.cases, s.listCases))
	shown[api.Case](s, staged(s.cases, s.getCase))
	added[api.Case](s, staged(s.cases, s.addCase))
	changed[api.Case](s, staged(s.cases, s.changeCase))
	route(s, op(http.MethodGet, one+"/calls", "list-case-calls", tag, new(api.CaseCall).Resource().List), staged(s.cases, s.listCaseCalls))
	route(s, op(http.MethodGet, one+"/numbers", "list-case-numbers", tag, new(api.CaseCalled).Resource().List), staged(s.cases, s.listCaseNumbers))
	route(s, op(http.MethodGet, one+"/links", "list-case-links", tag, new(api.CaseLink).Resource().List), staged(s.cases, s.listCaseLinks))
	route(s, op(http.MethodGet, one+"/timeline", "list-case-timeline", tag, new(api.CaseMoment).Resource().List), staged(s.cases, s.listCaseMoments))
	steps := func(method, path, id, summary string) huma.Operation {
		o := created(op(method, path, id, tag, summary))
		o.Errors = append(o.Errors, http.StatusConflict)
		return o
	}
	route(s, steps(http.MethodPost, one+"/calls", "add-case-calls", "Put calls into a case: they are in dispute, and not collected"), staged(s.cases, s.addCaseCalls))
	route(s, steps(http.MethodPost, one+"/calls/withdraw", "withdraw-case-calls", "Withdraw the dispute about calls of a case"), staged(s.cases, s.withdrawCaseCalls))
	route(s, steps(http.MethodPost, "/v1/disputes", "dispute", "Dispute calls, in the case that is open or in a new one"), staged(s.cases, s.dispute))
	route(s, steps(http.MethodPost, one+"/items", "write-case", "Write a note, message, task or evidence into a case"), staged(s.cases, s.writeCase))
	file := s.uploaded(steps(http.MethodPost, one+"/files", "attach-case-file", "Add a file as evidence to a case"))
	file.MaxBodyBytes = casework.MaxFile + 1
	route(s, file, staged(s.cases, s.attachCaseFile))
	streamed(s, op(http.MethodGet, one+"/items/{n}/file", "get-case-file", tag, "Download the file of an item"), map[string]*huma.Schema{"application/octet-stream": plainText}, staged(s.cases, s.getCaseFile))
	route(s, steps(http.MethodPost, one+"/items/{n}/answer", "answer-case-item", "Answer evidence, or end a task"), staged(s.cases, s.answerCaseItem))
	route(s, steps(http.MethodPost, one+"/decisions", "decide-case", "Decide who bears calls of a case, or give money back"), staged(s.cases, s.decideCase))
	route(s, steps(http.MethodPost, one+"/decisions/{n}", "second-decision", "Agree to a decision of somebody else, or refuse it"), staged(s.cases, s.secondDecision))
	route(s, steps(http.MethodPost, one+"/close", "close-case", "Close a case with its outcome, from which the rules learn"), staged(s.cases, s.closeCase))
})

func (s *Server) cases() (*desk.Cases, error) { return stage(s.d.Cases, "the list of cases") }

func asker(ctx context.Context) desk.Who {
	return desk.Who{Actor: by(ctx), Customer: own(ctx), Below: whoAsks(ctx).Below}
}

// aboutCase explains what went wrong with a case.
func (s *Server) aboutCase(err error, id int64) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, casework.ErrStep), errors.Is(err, desk.ErrFull):
		return newProblem(http.StatusConflict, api.ReasonClosed, strings.TrimSuffix(err.Error(), ": "+casework.ErrStep.Error()))
	case errors.Is(err, desk.ErrMoved):
		return newProblem(http.StatusConflict, api.ReasonClosed, "somebody else changed the case at the same time: look at it again")
	}
	return s.about(err, "case", strconv.FormatInt(id, 10))
}

// worker is who did something in a case. Customers read of a member of staff only that it was one.
func worker(ctx context.Context, actor string) string {
	if mine := own(ctx); actor == "" || mine == "" || strings.HasPrefix(actor, account.Handle(mine)+"/") {
		return actor
	}
	return account.StaffName
}

func (s *Server) caseView(ctx context.Context, c *casework.Case) api.Case {
	zone := s.d.Book.Zone("")
	return api.Case{
		ID: c.ID, Customer: account.Handle(c.Customer), Account: account.FullIdentity(c.Customer), Line: account.Handle(c.Line), Title: c.Title, Erased: c.Erased(), State: string(c.State),
		Outcome: string(c.Outcome), Why: c.Why, Origin: string(c.Origin), Finding: c.Finding, Owner: worker(ctx, c.Owner), By: worker(ctx, c.By), Opened: in(zone, c.Opened), Deadline: in(zone, c.Deadline),
		Late: c.Late(time.Now()), Closed: in(zone, c.Finished), Hold: c.Hold,
	}
}

func (s *Server) listCases(ctx context.Context, c *desk.Cases, in *struct {
	api.CaseFilter
	Below
},
) (out api.List[api.Case], err error) {
	customer, err := s.customerFilter(ctx, in.Customer)
	if err != nil {
		return out, err
	}
	if in.ByRisk {
		return s.casesByRisk(ctx, c, customer, in.Owner)
	}
	all, err := c.List(ctx, asker(ctx), desk.CaseFilter{Customer: customer, Owner: in.Owner, Open: in.Open, Before: in.Before, Limit: in.Limit + 1})
	return list(views(all, func(c *casework.Case) api.Case { return s.caseView(ctx, c) }), in.Limit, func(c *api.Case) string { return strconv.FormatInt(c.ID, 10) }), err
}

// casesByRisk are the open ones as the desk sees them, on one page.
func (s *Server) casesByRisk(ctx context.Context, c *desk.Cases, customer, owner string) (out api.List[api.Case], err error) {
	if own(ctx) != "" {
		return out, invalid("by_risk", "true", "nothing here: it is for staff")
	}
	d, err := stage(s.d.Desk, "the money at risk")
	if err != nil {
		return out, err
	}
	all, _, err := d.ByRisk(ctx, c)
	all = slices.DeleteFunc(all, func(r desk.Ranked) bool {
		return customer != "" && r.Customer != customer || owner != "" && r.Owner != owner
	})
	return list(views(all, func(r *desk.Ranked) api.Case {
		v := s.caseView(ctx, &r.Case)
		v.Disputed, v.Risk = int64(r.Disputed), int64(r.Risk)
		return v
	}), len(all), nil), err
}

func (s *Server) getCase(ctx context.Context, c *desk.Cases, in *api.CaseID) (api.Case, error) {
	f, err := c.Case(ctx, asker(ctx), in.ID)
	if err != nil {
		return api.Case{}, s.aboutCase(err, in.ID)
	}
	out := s.caseView(ctx, &f.Case)
	_, disputed := f.Disputed()
	out.Disputed = int64(disputed)
	if own(ctx) == "" && f.State != casework.Closed && s.d.Desk != nil && s.d.Desk() != nil {
		risk, err := s.d.Desk().CaseRisk(ctx, &f.Case)
		if err != nil {
			return out, err
		}
		out.Risk = int64(risk)
	}
	for _, x := range f.Sums {
		out.Sums = append(out.Sums, api.CaseSum{State: string(x.State), Calls: x.Calls, Retail: int64(x.Retail)})
	}
	for i := range f.Items {
		out.Items = append(out.Items, s.itemView(ctx, &f.Items[i]))
	}
	return out, nil
}

func (s *Server) itemView(ctx context.Context, i *casework.Item) api.CaseItem {
	zone := s.d.Book.Zone("")
	return api.CaseItem{
		N: i.N, Kind: string(i.Kind), At: in(zone, i.At), By: worker(ctx, i.By), Theirs: i.Theirs, Text: i.Text, Due: in(zone, i.Due), Owner: worker(ctx, i.Owner), File: i.File.Name, Size: i.File.Size, SHA256: i.File.Hash,
		What: i.What, Amount: int64(i.Amount), Calls: int(i.Calls), Waits: i.Waits(), Ended: in(zone, i.Ended), EndedBy: worker(ctx, i.EndedBy), How: i.How, Answer: i.Answer,
	}
}

func (s *Server) addCase(ctx context.Context, c *desk.Cases, in *api.CaseNew) (out api.Case, err error) {
	b := &in.Body
	n := desk.NewCase{Title: b.Title, Text: b.Text, Finding: b.Finding, Origin: casework.ByHand}
	if b.Finding == 0 {
		if b.Line != "" {
			l, err := s.line(ctx, b.Line)
			if err != nil {
				return out, err
			}
			n.Line = l.ID()
			b.Customer = cmp.Or(b.Customer, account.FullIdentity(l.Customer()))
		}
		v, err := s.customer(ctx, b.Customer)
		if err != nil {
			return out, err
		}
		n.Customer = v.ID
	}
	x, err := c.Open(ctx, asker(ctx), n)
	if err != nil {
		if b.Finding != 0 {
			return out, s.about(err, "finding", strconv.FormatInt(b.Finding, 10))
		}
		return out, s.aboutCase(err, x.ID)
	}
	return s.getCase(ctx, c, &api.CaseID{ID: x.ID})
}

func (s *Server) changeCase(ctx context.Context, c *desk.Cases, in *api.CaseChange) (out api.Case, err error) {
	b := &in.Body
	e := desk.Edit{Owner: b.Owner, Hold: b.Hold}
	if b.Title != "" {
		e.Title = &b.Title
	}
	if b.State != "" {
		state := casework.State(b.State)
		e.State = &state
	}
	for text, id := range map[*string]*string{&b.Link: &e.Link, &b.Unlink: &e.Unlink} {
		if *text != "" {
			l, err := s.line(ctx, *text)
			if err != nil {
				return out, err
			}
			*id = l.ID()
		}
	}
	due, err := instant(when.Until, "deadline", b.Deadline, s.d.Book.Zone(""))
	if err != nil {
		return out, err
	}
	if !due.IsZero() {
		e.Deadline = &due
	}
	if err := c.Edit(ctx, asker(ctx), in.ID, e); err != nil {
		return out, s.aboutCase(err, in.ID)
	}
	return s.getCase(ctx, c, &in.CaseID)
}

// caseCallsInput says which calls, and where the list continues.
type caseCallsInput struct {
	api.CaseCallFilter
	After string `query:"after" maxLength:"40" doc:"the call after which the list continues"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

func (s *Server) listCaseCalls(ctx context.Context, c *desk.Cases, in *caseCallsInput) (out api.List[api.CaseCall], err error) {
	f := desk.CaseCallFilter{Case: in.ID, Number: in.Number, After: call.ID(in.After), Limit: in.Limit + 1}
	if in.State != "" {
		if !slices.Contains(casework.Disputes(), casework.Dispute(in.State)) {
			return out, invalid("state", in.State, "disputed, judged, upheld, owed, goodwill or withdrawn")
		}
		f.States = []casework.Dispute{casework.Dispute(in.State)}
	}
	all, err := c.Calls(ctx, asker(ctx), f)
	if err != nil {
		return out, s.aboutCase(err, in.ID)
	}
	made, err := c.Made(ctx, all)
	view := func(c *casework.CaseCall) api.CaseCall {
		out, r := s.caseCallView(ctx, c), made[c.Call]
		out.Number, out.TalkMS = r.Number, r.Talk.Milliseconds()
		return out
	}
	if err != nil {
		return out, s.aboutCase(err, in.ID)
	}
	return list(views(all, view), in.Limit, func(c *api.CaseCall) string { return c.Call }), nil
}

// caseNumbersInput says of which case, and where the list continues.
type caseNumbersInput struct {
	api.CaseID
	After string `query:"after" maxLength:"90" doc:"continue there: next of the previous page"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

func (s *Server) listCaseNumbers(ctx context.Context, c *desk.Cases, in *caseNumbersInput) (out api.List[api.CaseCalled], err error) {
	all, next, err := c.Numbers(ctx, asker(ctx), in.ID, in.After, in.Limit)
	if err != nil {
		return out, s.aboutCase(err, in.ID)
	}
	zone := s.d.Book.Zone("")
	out = list(views(all, func(n *casework.NumberSum) api.CaseCalled {
		return api.CaseCalled{Number: n.Number, Country: n.Country, Calls: n.Calls, Retail: int64(n.Retail), Pending: n.Pending, Free: n.Free, First: n.First.In(zone), Last: n.Last.In(zone)}
	}), len(all), nil)
	out.Next = next
	return out, nil
}

func (s *Server) caseCallView(ctx context.Context, c *casework.CaseCall) api.CaseCall {
	zone := s.d.Book.Zone("")
	out := api.CaseCall{
		Call: string(c.Call), Line: account.Handle(c.Line), Begun: in(zone, c.Begun), Retail: int64(c.Retail), State: string(c.State), Verdict: c.Verdict, Why: c.Why, Decision: c.Decision,
		Steps: []api.CaseStep{},
	}
	for _, x := range c.Steps {
		out.Steps = append(out.Steps, api.CaseStep{At: in(zone, x.At), State: string(x.State), By: worker(ctx, x.By), Why: x.Why})
	}
	return out
}

func (s *Server) listCaseLinks(ctx context.Context, c *desk.Cases, in *api.CaseID) (out api.List[api.CaseLink], err error) {
	links, err := c.Linked(ctx, in.ID)
	if err != nil {
		return out, s.aboutCase(err, in.ID)
	}
	return list(views(links, func(l *desk.Link) api.CaseLink {
		return api.CaseLink{Line: account.Handle(l.Line), Customer: account.Handle(l.Customer), Why: l.Why, What: l.What, At: l.At}
	}), len(links), nil), nil
}

func (s *Server) listCaseMoments(ctx context.Context, c *desk.Cases, in *api.CaseID) (out api.List[api.CaseMoment], err error) {
	links, err := c.Linked(ctx, in.ID)
	if err != nil {
		return out, s.aboutCase(err, in.ID)
	}
	all, err := c.Timeline(ctx, in.ID, links)
	if err != nil {
		return out, s.aboutCase(err, in.ID)
	}
	return list(views(all, func(m *desk.Moment) api.CaseMoment {
		var what []string
		for _, part := range []string{m.Addr, m.Agent, m.Number, m.Text} {
			if part != "" {
				what = append(what, part)
			}
		}
		return api.CaseMoment{At: m.At, Line: account.Handle(m.Line), Kind: m.Kind, By: m.By, What: strings.Join(what, ", "), More: m.More}
	}), len(all), nil), nil
}

// pick reads which calls are meant.
func (s *Server) pick(ctx context.Context, p *api.CasePick) (out desk.Pick, err error) {
	zone := s.d.Book.Zone("")
	if p.Line != "" {
		l, err := s.line(ctx, p.Line)
		if err != nil {
			return out, err
		}
		out.Line = l.ID()
	}
	out.Calls = callIDs(p.Calls)
	if out.From, err = instant(when.From, "from", p.From, zone); err != nil {
		return out, err
	}
	out.Until, err = instant(when.Until, "until", p.Until, zone)
	return out, err
}

func callIDs(texts []string) (all []desk.CallID) {
	for _, x := range texts {
		all = append(all, desk.CallID(x))
	}
	return all
}

func (s *Server) addCaseCalls(ctx context.Context, c *desk.Cases, in *api.CaseDispute) (out api.CaseChanged, err error) {
	p, err := s.pick(ctx, &in.Body.CasePick)
	if err != nil {
		return out, err
	}
	n, err := c.Dispute(ctx, asker(ctx), in.ID, p, in.Body.Why)
	return api.CaseChanged{Case: in.ID, Calls: n}, s.aboutCase(err, in.ID)
}

func (s *Server) withdrawCaseCalls(ctx context.Context, c *desk.Cases, in *api.CaseDispute) (out api.CaseChanged, err error) {
	p, err := s.pick(ctx, &in.Body.CasePick)
	if err != nil {
		return out, err
	}
	n, err := c.Withdraw(ctx, asker(ctx), in.ID, p, in.Body.Why)
	return api.CaseChanged{Case: in.ID, Calls: n}, s.aboutCase(err, in.ID)
}

func (s *Server) dispute(ctx context.Context, c *desk.Cases, in *api.DisputeNew) (out api.CaseChanged, err error) {
	who := asker(ctx)
	if s.sells(ctx) && in.Body.Customer == "" {
		return out, nameOne()
	}
	if who.Customer == "" || s.sells(ctx) {
		v, err := s.customer(ctx, in.Body.Customer)
		if err != nil {
			return out, err
		}
		who.Customer = v.ID
	}
	id, n, err := c.DisputeCalls(ctx, who, callIDs(in.Body.Calls), in.Body.Why)
	return api.CaseChanged{Case: id, Calls: n}, s.aboutCase(err, id)
}

func (s *Server) writeCase(ctx context.Context, c *desk.Cases, in *api.CaseWriting) (out api.CaseItem, err error) {
	kind := casework.Kind(in.Body.Kind)
	if kind == "" {
		if kind = casework.Note; own(ctx) != "" {
			kind = casework.Evidence
		}
	}
	due, err := instant(when.Until, "due", in.Body.Due, s.d.Book.Zone(""))
	if err != nil {
		return out, err
	}
	i, err := c.Write(ctx, asker(ctx), in.ID, desk.Entered{Kind: kind, Text: in.Body.Text, Due: due, Owner: in.Body.Owner})
	return s.itemView(ctx, &i), s.aboutCase(err, in.ID)
}

// caseFile is a file of any type: it is never shown, only handed out again.
type caseFile struct {
	api.CaseID
	Name    string `query:"name" maxLength:"300" required:"true" doc:"name of the file"`
	Text    string `query:"text" maxLength:"4000" doc:"what it shows"`
	RawBody []byte `contentType:"application/octet-stream"`
}

func (s *Server) attachCaseFile(ctx context.Context, c *desk.Cases, in *caseFile) (out api.CaseItem, err error) {
	i, err := c.Write(ctx, asker(ctx), in.ID, desk.Entered{Kind: casework.Evidence, Text: in.Text, Name: in.Name, File: bytes.NewReader(in.RawBody)})
	return s.itemView(ctx, &i), s.aboutCase(err, in.ID)
}

func (s *Server) getCaseFile(ctx context.Context, c *desk.Cases, in *api.CaseItemID) (*huma.StreamResponse, error) {
	f, write, err := c.Attached(ctx, asker(ctx), in.ID, in.N)
	if err != nil {
		return nil, s.aboutCase(err, in.ID)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/octet-stream")
		hc.SetHeader("X-Content-Type-Options", "nosniff")
		hc.SetHeader("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
		if err := write(hc.BodyWriter()); err != nil {
			s.log.Warn("a file of a case was not sent whole", "case", in.ID, "item", in.N, "error", err)
		}
	}}, nil
}

func (s *Server) answerCaseItem(ctx context.Context, c *desk.Cases, in *api.CaseAnswer) (api.Case, error) {
	if err := c.End(ctx, asker(ctx), in.ID, in.N, in.Body.How, in.Body.Answer); err != nil {
		return api.Case{}, s.aboutCase(err, in.ID)
	}
	return s.getCase(ctx, c, &in.CaseID)
}

func (s *Server) decideCase(ctx context.Context, c *desk.Cases, in *api.CaseRuling) (out api.CaseItem, err error) {
	p, err := s.pick(ctx, &in.Body.CasePick)
	if err != nil {
		return out, err
	}
	p.All, p.Verdict = in.Body.All, in.Body.Verdict
	r := desk.Ruling{What: in.Body.What, Pick: p, Why: in.Body.Why}
	if in.Body.Amount != "" {
		if r.Amount, err = money.Billing().ParseAmount(in.Body.Amount); err != nil {
			return out, invalid("amount", in.Body.Amount, "an amount such as 12.50")
		}
	}
	i, err := c.Decide(ctx, asker(ctx), in.ID, r)
	return s.itemView(ctx, &i), s.aboutCase(err, in.ID)
}

func (s *Server) secondDecision(ctx context.Context, c *desk.Cases, in *api.CaseSecond) (api.Case, error) {
	if err := c.Second(ctx, asker(ctx), in.ID, in.N, !in.Body.Refuse, in.Body.Why); err != nil {
		return api.Case{}, s.aboutCase(err, in.ID)
	}
	return s.getCase(ctx, c, &in.CaseID)
}

func (s *Server) closeCase(ctx context.Context, c *desk.Cases, in *api.CaseEnd) (api.Case, error) {
	if err := c.Close(ctx, asker(ctx), in.ID, casework.Outcome(in.Body.Outcome), in.Body.Why); err != nil {
		return api.Case{}, s.aboutCase(err, in.ID)
	}
	return s.getCase(ctx, c, &in.CaseID)
}
