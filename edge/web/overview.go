package web

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	coreexposure "ringfence/core/exposure"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
	"ringfence/flow/exposure"
	"ringfence/flow/gate"
	"ringfence/flow/records"
	"ringfence/flow/watch"
)

var _ = serves(func(s *Server) {
	s.page("GET /{$}", public, s.front)
	if s.d.Book == nil {
		return
	}
	s.stream("GET /live", customer, s.overviewVersion)
	s.page("POST /{$}", customer, s.answerQuestion)
})

// Limits of the overview: so many lines have a row, so many more are in one that opens, and so many things are said of each sort.
const (
	shownLines  = 12
	foldedLines = 50
	shownItems  = 3
	shownCalls  = 5
	askedFor    = 30 * 24 * time.Hour // findings that are older ask nothing any more
)

// overviewView is what a customer sees first. A part that cannot be read says so by itself.
type overviewView struct {
	Banners  []banner
	More     int // questions that are not shown
	Exposure exposureView
	Used     usedView
	Lines    linesView
	Calls    callsView
	Refused  refusedView
	Worth    []worthView
	NoWorth  string  // why nothing is in Worth
	History  string  // path of it
	News     *banner // what is new; nil: nothing
}

// exposureView is what a thief could cost.
type exposureView struct {
	Fault     string
	Sum       string
	Bound     template.HTML
	Elsewhere template.HTML
	Meter     meter
	Spent     string
	Most      template.HTML // which line it is
	Waits     template.HTML // that a change which is made within the time is not in it
	Words     []string
}

// usedView is un-billed usage against the warning and the cap.
type usedView struct {
	Fault                                  string
	Sum, Today, Spent, Now, Warning, Month string
	Meter                                  meter
}

// linesView is a customer's lines, those first that have something to say.
type linesView struct {
	Fault string
	Rows  []lineRow
	Quiet []lineRow
	More  int // lines that are in neither
}

type lineRow struct {
	Path, Handle, Name string
	Number             template.HTML
	Tags               []tag
	Today              string
	Meter              meter
	Thief, Else        string // what a thief could cost, and from elsewhere where the line has an IP lock
	Risk               bool
}

// tag is a word about a state.
type tag struct{ Look, Icon, Text string }

// callsView is the calls in progress, the dearest first.
type callsView struct {
	Fault string
	Rows  []callRow
	All   int
	Rest  string // "and 19 more, £2.14"
}

type callRow struct {
	Chip, Icon string
	Number     template.HTML
	Line       template.HTML
	Length     string
	Cost       string
	cost       money.Micro
}

// refusedView is what was refused within a week, and why.
type refusedView struct {
	Fault, Sum, Path string // no Path: calls are shown to nobody here, or not to this person
	Rows             []refusedRow
	Rest             string
}

type refusedRow struct {
	Why   string
	Calls string
	Meter meter
	calls int64
}

// worthView is one thing that is worth doing.
type worthView struct {
	Icon, Title, Text string
	Was, Is           string // of the figure that it changes
	Act               act
	off               money.Micro
}

// now is everything that the parts of one overview have in common.
type nowView struct {
	lines     []*book.Line
	calls     []call.Open
	callFault error
	answer    *exposure.Answer
	fault     error
	risk      map[string]money.Micro
	purses    []gate.Purse
	waiting   []cooling.Change
	findings  []watch.Finding
}

// front is what stands at the address itself: for a customer's people how things are with them.
func (s *Server) front(q *query) (page, error) {
	switch {
	case s.d.Book == nil, q.ID == "":
		return s.answerPage("answer.front", "", answerView{Text: []string{q.t("answer.front-what")}}), nil
	case q.Customer == "":
		return page{see: cmp.Or(s.known("/staff"), "/me")}, nil
	case q.Who.Enrol:
		return page{}, errEnrol
	case s.sells(q.Customer):
		return page{see: cmp.Or(s.known("/customers"), "/me")}, nil
	}
	c, ok := s.d.Book.Customer(q.Customer)
	if !ok {
		return page{}, errMissing
	}
	n := s.look(q)
	v := overviewView{Exposure: s.exposureOf(q, n), Used: s.usedOf(q, n), Lines: s.linesOf(q, n), Calls: s.callsOf(q, n), Refused: s.refusedOf(q), History: s.known("/history")}
	v.Banners = s.questions(q, n)
	if v.More = len(v.Banners) - shownItems; v.More > 0 {
		v.Banners = v.Banners[:shownItems]
	}
	v.News = s.unreadNews(q)
	all, err := s.worth(q, n)
	v.Worth = all[:min(len(all), shownItems)]
	switch {
	case err != nil:
		v.NoWorth = s.unread(q, "what is worth doing", err)
	case len(all) == 0:
		v.NoWorth = q.t("overview.none-worth")
	}
	crumbs := []crumb{{Text: harmless(cmp.Or(c.Name, account.Handle(c.ID)), 80)}, {Text: q.t("overview.lines-n", "n", len(n.lines))}}
	return page{name: "overview", title: s.verdict(q, n, len(all)), nav: "/", crumbs: crumbs, live: "/live", data: v}, nil
}

// unread notes a part that could not be read, and says so in its place.
func (s *Server) unread(q *query, what string, err error) string {
	s.log.Error("a part of a page could not be read", "part", what, "error", err)
	return q.t("overview.unread", "what", what)
}

// look reads what is going on. What fails is noted where it is shown.
func (s *Server) look(q *query) *nowView {
	n := &nowView{lines: s.d.Book.Lines(q.Customer, "", math.MaxInt), risk: map[string]money.Micro{}}
	n.calls, n.callFault = s.callsIn(q.Context(), q.Customer)
	if s.d.Exposure != nil {
		n.answer, n.fault = s.d.Exposure.Customer(q.Context(), q.Customer, exposure.Tonight, []exposure.Change{})
	}
	if n.answer != nil {
		for i, l := range n.answer.Lines {
			n.risk[l.ID()] = n.answer.Figure.Lines[i].Retail
		}
	}
	var err error
	if s.d.Purses != nil {
		if n.purses, err = s.d.Purses(q.Context(), q.Customer, "", q.now); err != nil {
			s.log.Error("purses could not be read", "error", err)
		}
	}
	if s.d.Cooling != nil {
		if n.waiting, err = s.d.Cooling.List(q.Context(), q.Customer); err != nil {
			s.log.Error("changes that wait could not be read", "error", err)
		}
	}
	if n.findings, err = s.asked(q.Context(), q.Customer, "", q.now); err != nil {
		s.log.Error("findings could not be read", "error", err)
	}
	return n
}

// callsIn are a customer's calls in progress on every node, the oldest first.
func (s *Server) callsIn(ctx context.Context, customer string) (all []call.Open, err error) {
	if s.d.Calls != nil {
		for _, c := range s.d.Calls() {
			if c.Account == customer && !c.Priced {
				all = append(all, c.Open)
			}
		}
	}
	if s.d.Others == nil {
		return all, nil
	}
	others, err := s.d.Others(ctx)
	for _, c := range others {
		if c.Account == customer {
			all = append(all, c)
		}
	}
	return all, err
}

// verdict is the worst that holds.
func (s *Server) verdict(q *query, n *nowView, worth int) string {
	if len(n.lines) == 0 {
		return q.t("overview.no-line")
	}
	for _, f := range n.findings {
		return q.t("overview.password", "line", account.Handle(f.Line))
	}
	locked, last := 0, ""
	for _, l := range n.lines {
		if l.Locked() {
			locked, last = locked+1, l.Handle()
		}
	}
	switch {
	case locked == 1:
		return q.t("overview.one-locked", "line", last)
	case locked > 1:
		return q.t("overview.locked", "n", locked)
	}
	for _, p := range n.purses {
		if p.Cap > 0 && p.Spent+p.Held >= p.Cap {
			return q.t("overview.stopped", "cap", q.t(capWord(p.Kind)), "amount", s.reader.money(p.Cap))
		}
	}
	if s.d.Watch != nil {
		if u := s.d.Watch.Used("account/" + q.Customer)[0]; u.Level > 0 && u.Settled+u.Running >= u.Level {
			return q.t("overview.passed", "used", s.reader.money(u.Settled+u.Running), "level", s.reader.money(u.Level))
		}
	}
	if questions := len(s.questions(q, n)); questions > 0 {
		return q.t("overview.questions", "n", questions)
	}
	if worth > 0 {
		return q.t("overview.worth-n", "n", worth)
	}
	return q.t("overview.fine")
}

func capWord(p policy.Purse) word {
	switch p {
	case policy.LineDay:
		return "lines.cap-line-day"
	case policy.LineMonth:
		return "lines.cap-line-month"
	case policy.AccountDay:
		return "lines.cap-account-day"
	}
	return "lines.cap-account-month"
}

// refusedOf counts the calls that were refused within a week by the words that people read for the reason: several reasons have the same words.
func (s *Server) refusedOf(q *query) (v refusedView) {
	if s.d.Records == nil || q.may("list-cdrs") != nil {
		return v
	}
	v.Path = callsAt("/calls", nil, "result", string(records.Refused), "period", string(records.Week))
	all, part, err := s.d.Records.Refused(q.Context(), q.Customer, records.Week, q.now)
	if err != nil {
		v.Fault = s.unread(q, q.t("overview.part-refused"), err)
		return v
	}
	var sum int64
	for _, x := range all {
		sum += x.Calls
		why := s.result(q, x.Reason)
		at := slices.IndexFunc(v.Rows, func(r refusedRow) bool { return r.Why == why })
		if at < 0 {
			at, v.Rows = len(v.Rows), append(v.Rows, refusedRow{Why: why})
		}
		v.Rows[at].calls += x.Calls
	}
	slices.SortStableFunc(v.Rows, func(a, b refusedRow) int { return cmp.Compare(b.calls, a.calls) })
	rest := sum
	v.Rows = v.Rows[:min(len(v.Rows), shownCalls)]
	for i := range v.Rows {
		r := &v.Rows[i]
		rest -= r.calls
		r.Calls = grouped(r.calls)
		r.Meter = newMeter(q.t("overview.refused-of", "n", r.Calls, "all", grouped(sum)), money.Micro(sum), meterPart{"m-spent", money.Micro(r.calls)})
		r.Meter.Thin = true
	}
	if v.Sum = q.t("overview.refused-n", "n", sum); part {
		v.Sum = q.t("overview.refused-most", "n", grouped(sum))
	}
	if rest > 0 {
		v.Rest = q.t("overview.refused-rest", "n", rest)
	}
	return v
}

func (s *Server) exposureOf(q *query, n *nowView) exposureView {
	if n.answer == nil {
		return exposureView{Fault: s.unread(q, q.t("overview.part-exposure"), n.fault)}
	}
	v := s.figureView(q, n.answer)
	v.Waits = s.besideFigure(q, n.answer, n.waiting)
	return v
}

// besideFigure says when the first of some changes will be made, if that is within the time of a figure, which knows nothing of it.
func (s *Server) besideFigure(q *query, a *exposure.Answer, waiting []cooling.Change) template.HTML {
	due := a.At.Until
	for i := range waiting {
		if waiting[i].Due.Before(due) {
			due = waiting[i].Due
		}
	}
	if due.Equal(a.At.Until) {
		return ""
	}
	return q.mark("overview.figure-waits", "when", s.reader.when(due.In(a.Zone)))
}

// figureView is a figure of a customer or a line with its arithmetic.
func (s *Server) figureView(q *query, a *exposure.Answer) exposureView {
	until := a.At.Until.In(a.Zone)
	v := exposureView{Sum: coreexposure.Amount(a.Retail), Bound: q.mark("overview.bound", "until", s.reader.when(until)), Words: a.Arithmetic(a.Zone)}
	if a.Known {
		v.Elsewhere = q.mark("overview.elsewhere", "amount", coreexposure.Amount(a.Elsewhere))
	}
	var spent money.Micro
	if len(a.Days) > 0 {
		spent = a.Days[0].Used
	}
	v.Spent = s.reader.money(spent)
	says := q.t("overview.meter", "spent", v.Spent, "risk", v.Sum)
	v.Meter = newMeter(says, spent+a.Retail, meterPart{"m-spent", spent}, meterPart{"m-risk", a.Retail})
	v.Meter.Cap = true
	if len(a.Lines) < 2 || a.Retail == 0 {
		return v
	}
	worst := 0
	for i := range a.Figure.Lines {
		if a.Figure.Lines[i].Retail > a.Figure.Lines[worst].Retail {
			worst = i
		}
	}
	l := a.Lines[worst]
	v.Most = q.mark("overview.by-line", "line", linkTo(linePath(l), l.Handle()), "amount", coreexposure.Amount(a.Figure.Lines[worst].Retail))
	return v
}

func (s *Server) usedOf(q *query, n *nowView) usedView {
	if s.d.Watch == nil || n.purses == nil {
		return usedView{Fault: q.t("overview.unread", "what", q.t("overview.part-used"))}
	}
	u := s.d.Watch.Used("account/" + q.Customer)[0]
	v := usedView{Sum: s.reader.money(u.Settled + u.Running), Spent: s.reader.money(u.Settled), Now: s.reader.money(u.Running)}
	whole := max(u.Settled+u.Running, u.Level)
	for _, p := range n.purses {
		switch p.Kind {
		case policy.AccountDay:
			v.Today = q.t("overview.today-of", "used", s.reader.money(p.Spent+p.Held), "cap", s.reader.money(p.Cap))
		case policy.AccountMonth:
			whole = max(whole, p.Cap)
			v.Month = q.t("overview.month-of", "used", s.reader.money(p.Spent+p.Held), "cap", s.reader.money(p.Cap))
			v.Meter.Hit = p.Cap > 0 && p.Spent+p.Held >= p.Cap
		}
	}
	hit := v.Meter.Hit
	if u.Level > 0 {
		v.Warning = s.reader.money(u.Level)
	}
	v.Meter = newMeter(q.t("overview.used-meter", "used", v.Sum, "now", v.Now), whole, meterPart{"m-spent", u.Settled}, meterPart{"m-held", u.Running})
	v.Meter.Cap, v.Meter.Hit = true, hit
	if u.Level > 0 && u.Level < whole {
		v.Meter.Level = ofWidth(share(u.Level, whole))
	}
	return v
}

// linesOf are rows of lines: those that have something to say, then those at which a thief could take most.
func (s *Server) linesOf(q *query, n *nowView) (v linesView) {
	up := map[string]int{}
	for i := range n.calls {
		up[n.calls[i].Line]++
	}
	type weighed struct {
		l      *book.Line
		weight int
	}
	all := make([]weighed, 0, len(n.lines))
	for _, l := range n.lines {
		w := 0
		switch {
		case l.Locked() || len(closedBy(l.Settings().Restrictions, q.now, l.Zone())) > 0:
			w = 2
		case up[l.ID()] > 0:
			w = 1
		}
		all = append(all, weighed{l, w})
	}
	slices.SortStableFunc(all, func(a, b weighed) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(n.risk[b.l.ID()], n.risk[a.l.ID()]), strings.Compare(a.l.Handle(), b.l.Handle()))
	})
	if len(all) <= shownLines { // few enough: in the order in which people know them
		slices.SortStableFunc(all, func(a, b weighed) int { return strings.Compare(a.l.Handle(), b.l.Handle()) })
	}
	for i, x := range all {
		switch {
		case i < shownLines:
			v.Rows = append(v.Rows, s.lineRow(q, x.l, n, up[x.l.ID()]))
		case i < foldedLines:
			v.Quiet = append(v.Quiet, lineRow{Path: linePath(x.l), Handle: x.l.Handle(), Name: x.l.Name(), Thief: thief(n, x.l)})
		default:
			v.More++
		}
	}
	return v
}

// thief is what a line could cost, "" where the figure could not be worked out.
func thief(n *nowView, l *book.Line) string {
	if n.answer == nil {
		return ""
	}
	return coreexposure.Amount(n.risk[l.ID()])
}

func (s *Server) lineRow(q *query, l *book.Line, n *nowView, up int) lineRow {
	r := lineRow{Path: linePath(l), Handle: l.Handle(), Name: l.Name(), Number: s.numberOf(l), Thief: thief(n, l), Risk: n.risk[l.ID()] > 0, Tags: s.tags(q, l, up)}
	if len(l.Effective(q.now).Nets) > 0 {
		r.Else = q.t("lines.elsewhere", "amount", coreexposure.Amount(0))
	}
	if s.d.Purses == nil {
		return r
	}
	purses, err := s.d.Purses(q.Context(), q.Customer, l.ID(), q.now)
	if err != nil {
		r.Today = s.unread(q, q.t("overview.part-today"), err)
		return r
	}
	for _, p := range purses {
		if p.Kind == policy.LineDay {
			r.Today = q.t("overview.today-of", "used", s.reader.money(p.Spent+p.Held), "cap", s.reader.money(p.Cap))
			r.Meter = newMeter(r.Today, p.Cap, meterPart{"m-spent", p.Spent}, meterPart{"m-held", p.Held})
			r.Meter.Thin = true
		}
	}
	return r
}

// numberOf is a line's number as people read it.
func (s *Server) numberOf(l *book.Line) template.HTML {
	if n, ok := phone.FromString("+" + l.Number()); ok {
		return s.reader.tel(n)
	}
	return ""
}

// tags are what is to be said of a line at once.
func (s *Server) tags(q *query, l *book.Line, up int) (all []tag) {
	if l.Locked() {
		all = append(all, tag{"grave", "lock", q.t("lines.locked")})
	}
	if up > 0 {
		all = append(all, tag{"accent", "phone", q.t("lines.on-call", "n", up)})
	}
	for _, r := range l.Settings().Restrictions {
		if r.InForce(q.now, l.Zone()) && r.Finding != "" {
			all = append(all, tag{"grave", "barred", q.t("lines.closed")})
			break
		}
	}
	if s.d.Phones != nil && !l.Locked() {
		if n := len(s.d.Phones(l.ID(), q.now)); n > 0 {
			all = append(all, tag{"good", "", q.t("lines.ready", "n", n)})
		} else {
			all = append(all, tag{"warn", "warn", q.t("lines.no-phone")})
		}
	}
	e := l.Effective(q.now)
	if len(e.Nets) > 0 {
		all = append(all, tag{"", "place", q.t("lines.ip-locked")})
	}
	if e.Values[account.NationalCeiling] == 0 && e.Values[account.InternationalCeiling] == 0 {
		all = append(all, tag{"", "", q.t("lines.free-only")})
	}
	return all
}

func (s *Server) callsOf(q *query, n *nowView) (v callsView) {
	if n.callFault != nil {
		v.Fault = s.unread(q, q.t("overview.part-calls"), n.callFault)
	}
	v.All = len(n.calls)
	for i := range n.calls {
		v.Rows = append(v.Rows, s.callRow(q, &n.calls[i]))
	}
	slices.SortStableFunc(v.Rows, func(a, b callRow) int { return cmp.Compare(b.cost, a.cost) })
	if len(v.Rows) > shownCalls {
		var rest money.Micro
		for _, r := range v.Rows[shownCalls:] {
			rest = rest.Add(r.cost)
		}
		v.Rest = q.t("overview.more-calls", "n", len(v.Rows)-shownCalls, "amount", s.reader.money(rest))
		v.Rows = v.Rows[:shownCalls]
	}
	return v
}

func (s *Server) callRow(q *query, c *call.Open) callRow {
	r := callRow{Chip: "out", Icon: "out", Line: name(account.Handle(c.Line)), Number: name(cmp.Or(c.Number, c.Dialled))}
	if c.Direction == call.In {
		r.Chip, r.Icon = "inc", "in"
	}
	if n, ok := phone.FromString(c.Number); ok {
		r.Number = s.reader.tel(n)
	}
	if c.AnsweredAt.IsZero() {
		r.Length = q.t("overview.ringing")
		return r
	}
	talk := max(q.now.Sub(c.AnsweredAt), 0)
	r.cost = c.Quote.Cost(talk)
	r.Length, r.Cost = s.reader.length(talk), q.t("overview.so-far", "amount", s.reader.money(r.cost))
	return r
}

// worth is advice on the lines at which a thief could take most, the most useful first.
func (s *Server) worth(q *query, n *nowView) ([]worthView, error) {
	if s.d.Exposure == nil {
		return nil, nil
	}
	lines := slices.Clone(n.lines)
	slices.SortStableFunc(lines, func(a, b *book.Line) int { return cmp.Compare(n.risk[b.ID()], n.risk[a.ID()]) })
	var all []worthView
	told := map[string]bool{}
	for _, l := range lines[:min(len(lines), shownLines)] {
		if l.Honeypot() || l.Locked() {
			continue
		}
		seen, err := s.d.Exposure.See(q.Context(), l)
		if err != nil {
			return all, err
		}
		advice, err := s.d.Exposure.Advice(q.Context(), l, seen)
		if err != nil {
			return all, err
		}
		for _, a := range advice {
			w := s.worthOf(q, l, &a)
			if told[a.Code] && w.off == 0 { // said of a line at which it matters as much
				continue
			}
			told[a.Code] = true
			all = append(all, w)
		}
	}
	slices.SortStableFunc(all, func(a, b worthView) int { return cmp.Compare(b.off, a.off) })
	return all, nil
}

var adviceIcons = map[string]string{"ip-lock": "place", "abroad-unused": "barred", "password-age": "lock"}

func (s *Server) worthOf(q *query, l *book.Line, a *exposure.Advice) worthView {
	v := worthView{Icon: cmp.Or(adviceIcons[a.Code], "device"), Title: q.t("overview.advice", "line", l.Handle(), "title", a.Title), Text: harmless(a.Text, 400), off: a.Now - a.Then}
	if v.off > 0 {
		v.Was, v.Is = coreexposure.Amount(a.Now), coreexposure.Amount(a.Then)
	}
	part := "#phones"
	switch a.Code {
	case "ip-lock":
		part = "#from"
	case "abroad-unused":
		part = "#limits"
	case "password-age":
		part = "#password"
	}
	if s.exists("/lines") {
		v.Act = act{Text: q.t("overview.look"), Path: linePath(l) + part, Look: "tiny"}
	}
	return v
}

// overviewVersion differs when something of the overview may: calls, restrictions and locks, questions.
func (s *Server) overviewVersion(q *query) (string, error) {
	var b strings.Builder
	if s.d.Calls != nil {
		for _, c := range s.d.Calls() {
			if c.Account == q.Customer {
				fmt.Fprint(&b, c.ID, c.State, time.Since(c.AnsweredAt)/(10*time.Second), " ")
			}
		}
	}
	c, _ := s.d.Book.Customer(q.Customer)
	fmt.Fprint(&b, c.Effective.Lists)
	if s.d.Watch != nil {
		u := s.d.Watch.Used("account/" + q.Customer)[0]
		fmt.Fprint(&b, u.Settled)
	}
	for _, l := range s.d.Book.Lines(q.Customer, "", foldedLines) {
		fmt.Fprint(&b, l.Locked(), l.Effective(q.now).Lists)
	}
	return b.String(), nil
}
