package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/detect"
	coreexposure "ringfence/core/exposure"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
	"ringfence/flow/exposure"
	"ringfence/flow/gate"
	"ringfence/flow/notify"
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
	Worth    []worthView
	NoWorth  string // why nothing is in Worth
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
	}
	c, ok := s.d.Book.Customer(q.Customer)
	if !ok {
		return page{}, errMissing
	}
	n := s.look(q)
	v := overviewView{Exposure: s.exposureOf(q, n), Used: s.usedOf(q, n), Lines: s.linesOf(q, n), Calls: s.callsOf(q, n)}
	v.Banners = s.questions(q, n)
	if v.More = len(v.Banners) - shownItems; v.More > 0 {
		v.Banners = v.Banners[:shownItems]
	}
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

// asked are open findings that only the customer can answer: of a line, or of all where line is "".
func (s *Server) asked(ctx context.Context, customer, line string, now time.Time) ([]watch.Finding, error) {
	if s.d.Watch == nil {
		return nil, nil
	}
	all, err := s.d.Watch.Findings(ctx, watch.Filter{Account: customer, Line: line, Open: true, Limit: 100})
	return slices.DeleteFunc(all, func(f watch.Finding) bool {
		kind, known := detect.ParseKind(f.Kind)
		l, there := s.d.Book.Line(f.Line)
		if !known || !kind.Audience().Has(detect.Owner) || !kind.Traits().Login || !there || now.Sub(f.Last) > askedFor {
			return true
		}
		d, ok := s.deviceOf(l, &f)
		return ok && d != ""
	}), err
}

// login is what a finding about a login says of the device.
type login struct {
	Address, Agent, Family, Country, Network string
	ASN                                      uint32
	Hosting                                  bool
}

func loginOf(f *watch.Finding) (d login) {
	_ = json.Unmarshal(f.Evidence, &d) // what is not there is not said
	return d
}

// place is the network that a device is remembered under.
func (d *login) place() string {
	a, err := netip.ParseAddr(d.Address)
	if err != nil {
		return ""
	}
	return detect.Place(a, d.ASN)
}

// deviceOf is what the owner answered about the device of a finding; ok says that the device is known.
func (s *Server) deviceOf(l *book.Line, f *watch.Finding) (verdict string, ok bool) {
	if s.d.Devices == nil {
		return "", false
	}
	d := loginOf(f)
	for _, x := range s.d.Devices.Of(l.ID()) {
		if x.Place == d.place() && x.Family == d.Family {
			return x.Verdict, true
		}
	}
	return "", false
}

// closed are the restrictions in force of a line and of its customer that a finding caused.
func closedBy(list []restrict.Restriction, now time.Time, zone *time.Location) (all []restrict.Restriction) {
	for _, r := range list {
		if r.Finding != "" && r.InForce(now, zone) {
			all = append(all, r)
		}
	}
	return all
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

// questions are what needs an answer, the worst first.
func (s *Server) questions(q *query, n *nowView) (all []banner) {
	zone := s.d.Book.Zone(q.Customer)
	for i := range n.findings {
		all = append(all, s.loginBanner(q, &n.findings[i]))
	}
	for _, l := range n.lines {
		if slices.ContainsFunc(n.findings, func(f watch.Finding) bool { return f.Line == l.ID() }) {
			continue // one answer is enough
		}
		if closed := closedBy(l.Settings().Restrictions, q.now, zone); len(closed) > 0 {
			all = append(all, s.closedBanner(q, l, closed))
		}
	}
	if c, ok := s.d.Book.Customer(q.Customer); ok {
		if closed := closedBy(c.Settings.Restrictions, q.now, zone); len(closed) > 0 {
			all = append(all, s.closedBanner(q, nil, closed))
		}
	}
	for _, l := range n.lines {
		if l.Locked() {
			all = append(all, banner{
				Look: "warn", Icon: "lock", Title: q.t("overview.one-locked", "line", l.Handle()),
				Text: []template.HTML{q.mark("overview.locked-why", "why", name(l.LockWhy()))}, Acts: []act{{Text: q.t("overview.open-line", "line", l.Handle()), Path: linePath(l)}},
			})
		}
	}
	for i := range n.waiting {
		all = append(all, s.waitingBanner(q, &n.waiting[i], "/"))
	}
	return all
}

func linePath(l *book.Line) string { return "/lines/" + url.PathEscape(l.Handle()) }

func (s *Server) loginBanner(q *query, f *watch.Finding) banner {
	d, l := loginOf(f), account.Handle(f.Line)
	where := name(cmp.Or(strings.Join(slices.DeleteFunc([]string{d.Network, d.Country}, func(t string) bool { return t == "" }), ", "), d.Address))
	key := word("overview.login")
	if d.Hosting {
		key = "overview.login-hosting"
	}
	b := banner{Look: "grave", Icon: "ask", Title: q.t("overview.was-it-you", "when", s.reader.human(q.at(f.Last))), Text: []template.HTML{
		q.mark(key, "agent", s.reader.claim(d.Agent), "where", where, "address", bdi(harmless(d.Address, 50)), "line", linkTo("/lines/"+url.PathEscape(l), l)),
	}}
	if own, ok := s.d.Book.Line(f.Line); ok {
		if closed := closedBy(own.Settings().Restrictions, q.now, own.Zone()); len(closed) > 0 {
			b.Text = append(b.Text, q.mark("overview.closed-what", "does", s.doAll(closed)))
		}
	}
	b.Acts = s.notMe(q, l)
	if q.may("judge-device") == nil {
		b.Acts = append(b.Acts, act{Text: q.t("overview.was-me"), Path: "/", Post: true, Hidden: []pair{{"do", "mine"}, {"finding", fmt.Sprint(f.ID)}}})
	}
	return b
}

// notMe is the button that leads to the lock.
func (s *Server) notMe(q *query, handle string) []act {
	if s.known("/lock") == "" || q.may("lock-line") != nil {
		return nil
	}
	return []act{{Text: q.t("overview.not-me", "line", handle), Path: "/lock?line=" + url.QueryEscape(handle), Look: "grave"}}
}

// closedBanner is about what unusual calls have closed, of a line or where l is nil of all. One answer opens all of it, so it is one question.
func (s *Server) closedBanner(q *query, l *book.Line, closed []restrict.Restriction) banner {
	b := banner{Look: "grave", Icon: "barred", Text: []template.HTML{q.mark("overview.closed-what", "does", s.doAll(closed))}}
	since, first, last, open := closed[0].Since, time.Time{}, time.Time{}, 0
	for i := range closed {
		r := &closed[i]
		if r.Since.Before(since) {
			since = r.Since
		}
		if r.Until.IsZero() {
			open++
			continue
		}
		if first.IsZero() || r.Until.Before(first) {
			first = r.Until
		}
		if r.Until.After(last) {
			last = r.Until
		}
	}
	switch {
	case open == len(closed):
	case open > 0:
		b.Text = append(b.Text, q.mark("overview.closed-some", "until", s.reader.when(q.at(first))))
	case first.Equal(last):
		b.Text = append(b.Text, q.mark("overview.closed-until", "until", s.reader.when(q.at(last))))
	default:
		b.Text = append(b.Text, q.mark("overview.closed-untils", "first", s.reader.when(q.at(first)), "until", s.reader.when(q.at(last))))
	}
	back := "/"
	if l == nil {
		b.Title = q.t("overview.closed-all", "when", s.reader.human(q.at(since)))
	} else {
		back = linePath(l)
		b.Title = q.t("overview.closed-line", "line", l.Handle(), "when", s.reader.human(q.at(since)))
		b.Acts = s.notMe(q, l.Handle())
	}
	if q.may("delete-restriction") == nil {
		b.Acts = append(b.Acts, act{Text: q.t("overview.was-me"), Path: back, Post: true, Hidden: []pair{{"do", "lift"}, {"id", fmt.Sprint(closed[0].ID)}}})
	}
	return b
}

// doAll is what several restrictions do: what is plainly closed stands in one sentence.
func (s *Server) doAll(all []restrict.Restriction) string {
	var closed, others []string
	for i := range all {
		r := &all[i]
		if r.Login || r.Only || r.AtOnce > 0 || len(r.Known) > 0 || !r.Except.IsZero() {
			others = append(others, s.does(r))
			continue
		}
		for part := range strings.SplitSeq(notify.Destinations(&r.Names), ", ") {
			if !slices.Contains(closed, part) {
				closed = append(closed, part)
			}
		}
	}
	if len(closed) > 0 {
		whole := restrict.Restriction{}
		others = slices.Insert(others, 0, sentence(whole.Does(strings.Join(closed, ", "), "")))
	}
	return strings.Join(others, " ")
}

// does is what a restriction does, as a sentence.
func (s *Server) does(r *restrict.Restriction) string {
	open := ""
	if !r.Except.IsZero() {
		open = notify.Destinations(&r.Except)
	}
	return sentence(r.Does(notify.Destinations(&r.Names), open))
}

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	first := []rune(text)
	return strings.ToUpper(string(first[:1])) + strings.TrimSuffix(string(first[1:]), ".") + "."
}

// waitingBanner is a change that waits, with the button that stops it; back is where to go then.
func (s *Server) waitingBanner(q *query, c *cooling.Change, back string) banner {
	b := banner{Look: "warn", Icon: "clock", Title: q.t("overview.waiting", "when", s.reader.human(q.at(c.Due))), Text: []template.HTML{
		q.mark("overview.waiting-what", "text", name(waitingText(q, c)), "by", name(c.By), "n", s.told(q.Customer)),
	}}
	if c.Note != "" {
		b.Text = append(b.Text, q.mark("overview.waiting-note", "note", name(c.Note)))
	}
	if q.may("stop-change") == nil {
		b.Acts = []act{{Text: q.t("overview.stop-change"), Path: "/changes", Post: true, Hidden: []pair{{"do", "stop"}, {"id", c.Code}, {"back", back}}}}
	}
	return b
}

// waitingText is what a change does, with settings as pages call them.
func waitingText(q *query, c *cooling.Change) string {
	text := c.Text
	for f := range account.NumFields {
		if f.String() == "calls-per-second" {
			continue
		}
		text = strings.ReplaceAll(text, f.String()+" from ", strings.ToLower(q.t("line.set-"+word(f.String())))+" from ")
	}
	return sentence(text)
}

// told is how many contacts are notified of what waits.
func (s *Server) told(customer string) int {
	c, _ := s.d.Book.Customer(customer)
	return len(c.Contacts)
}

func (s *Server) exposureOf(q *query, n *nowView) exposureView {
	if n.answer == nil {
		return exposureView{Fault: s.unread(q, q.t("overview.part-exposure"), n.fault)}
	}
	return s.figureView(q, n.answer)
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

// answerQuestion is "that was me", about a login or about what unusual calls have closed to all lines.
func (s *Server) answerQuestion(q *query) (page, error) {
	switch q.form.Get("do") {
	case "mine":
		return s.wasMe(q)
	case "lift":
		return s.lift(q, nil, "/")
	}
	return page{see: "/"}, nil
}

// wasMe records that the device of a finding is the owner's.
func (s *Server) wasMe(q *query) (page, error) {
	if err := q.may("judge-device"); err != nil {
		return page{}, err
	}
	all, err := s.asked(q.Context(), q.Customer, "", q.now)
	if err != nil {
		return page{}, err
	}
	i := slices.IndexFunc(all, func(f watch.Finding) bool { return fmt.Sprint(f.ID) == q.form.Get("finding") })
	if i < 0 {
		return page{see: "/"}, nil // answered meanwhile
	}
	if see := q.fresh("/"); see != "" {
		return page{see: see}, nil
	}
	d := loginOf(&all[i])
	if err := s.d.Devices.SetVerdict(q.Context(), all[i].Line, d.place(), d.Family, "mine", q.ID); err != nil {
		return page{}, err
	}
	if l, ok := s.d.Book.Line(all[i].Line); ok {
		for _, r := range closedBy(l.Settings().Restrictions, q.now, l.Zone()) {
			return page{see: "/"}, s.d.Vouch(q.Context(), q.ID, l.ID(), q.Customer, r.Finding) // with all that unusual calls closed
		}
	}
	return page{see: "/"}, nil
}

// lift takes away a restriction of a line, or where l is nil of the customer. One that a finding caused goes with all that the finding closed, and the rules learn
// from it; one that somebody set is a loosening, which may wait.
func (s *Server) lift(q *query, l *book.Line, back string) (page, error) {
	if err := q.may("delete-restriction"); err != nil {
		return page{}, err
	}
	c, _ := s.d.Book.Customer(q.Customer)
	list, line := c.Settings.Restrictions, ""
	if l != nil {
		list, line = l.Settings().Restrictions, l.ID()
	}
	i := slices.IndexFunc(list, func(r restrict.Restriction) bool { return fmt.Sprint(r.ID) == q.form.Get("id") })
	if i < 0 {
		return page{see: back}, nil // it is gone already
	}
	r := &list[i]
	if !cooling.MayLift(&q.Who, r) {
		return page{}, &fault{status: 403, title: "lines.not-yours", text: "lines.not-yours-what"}
	}
	if see := q.fresh(back); see != "" {
		return page{see: see}, nil
	}
	var err error
	switch {
	case r.Finding != "":
		err = s.d.Vouch(q.Context(), q.ID, line, q.Customer, r.Finding)
	case l != nil:
		_, err = s.d.Cooling.Line(q.Context(), &q.Who, line, book.LineEdit{Lift: r.ID})
	default:
		_, err = s.d.Cooling.Customer(q.Context(), &q.Who, q.Customer, book.CustomerEdit{Lift: r.ID})
	}
	return page{see: back}, err
}
