package web

import (
	"cmp"
	"context"
	"encoding/json"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ringfence/core/account"
	coreexposure "ringfence/core/exposure"
	"ringfence/core/fact"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
	"ringfence/flow/exposure"
	"ringfence/flow/journal"
)

var _ = serves(func(s *Server) {
	if s.d.Book == nil {
		return
	}
	s.page("GET /lines", customer, s.lines)
	s.page("GET /lines/{line}", customer, s.line)
	s.page("POST /lines/{line}", customer, s.changeLine)
})

// linePage is how many lines /lines shows at once.
const linePage = 50

// linesPageView is all lines, or those that were looked for.
type linesPageView struct {
	Rows   []lineRow
	Find   field
	Sought bool
	Pager  pager
}

// lines lists lines by handle, from after on, or those whose number or name has what is looked for.
func (s *Server) lines(q *query) (page, error) {
	v := linesPageView{Find: field{Name: "q", Label: q.t("lines.find"), Value: harmless(q.form.Get("q"), 80), Most: 80}}
	after, sought := q.form.Get("after"), strings.ToLower(strings.TrimSpace(q.form.Get("q")))
	v.Sought = sought != ""
	all := s.d.Book.Lines(q.Customer, after, math.MaxInt)
	if v.Sought {
		all = slices.DeleteFunc(all, func(l *book.Line) bool { return !found(l, sought) })
	}
	n := &nowView{}
	var err error
	if n.calls, err = s.callsIn(q.Context(), q.Customer); err != nil {
		return page{}, err
	}
	up := map[string]int{}
	for i := range n.calls {
		up[n.calls[i].Line]++
	}
	for _, l := range all[:min(len(all), linePage)] {
		row := s.lineRow(q, l, n, up[l.ID()])
		if s.d.Exposure != nil {
			a, err := s.d.Exposure.Line(q.Context(), l, exposure.Tonight, []exposure.Change{})
			if err != nil {
				return page{}, err
			}
			row.Thief, row.Risk = coreexposure.Amount(a.Retail), a.Retail > 0
		}
		v.Rows = append(v.Rows, row)
	}
	address := func(after string) string {
		return "/lines?" + url.Values{"q": {q.form.Get("q")}, "after": {after}}.Encode()
	}
	if len(all) > linePage {
		v.Pager.Next = address(all[linePage-1].Handle())
	}
	if after != "" {
		v.Pager.Back = address("")
	}
	title := q.t("overview.lines-n", "n", len(all))
	if c, ok := s.d.Book.Customer(q.Customer); ok && !v.Sought {
		title = q.t("lines.title", "n", c.Lines)
	}
	return page{name: "lines", title: title, nav: "/lines", data: v}, nil
}

// found says that a line has a text in its name, or digits in its number as people type them.
func found(l *book.Line, sought string) bool {
	digits := strings.TrimLeft(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, sought), "0")
	return strings.Contains(strings.ToLower(l.Handle()), sought) || strings.Contains(strings.ToLower(l.Name()), sought) || len(digits) > 2 && strings.Contains(l.Number(), digits)
}

// lineView is one line: what it may do, and what that is worth to a thief.
type lineView struct {
	Path     string
	Number   template.HTML
	Tags     []tag
	Banners  []banner
	Locked   bool
	Lock     string // path, for those who may
	Setup    string
	Fit      string
	Figure   exposureView
	Down     []downView
	Groups   []settingGroup
	Errors   []field
	Fault    string
	Hint     string // what becomes of a change
	From     fromView
	Forwards forwardsView
	Reach    reachView
	Closed   []closedView
	Close    []field
	Asked    string
	Where    string // of the list of countries
	Devices  []deviceView
	Older    []deviceView
	Ready    int
	Password passwordView
	Name     field
	History  string
	May      bool
}

// downView is a setting that would lower the figure.
type downView struct{ Text, Was, Is string }

// settingGroup is a form of settings that belong together.
type settingGroup struct {
	Name, Title string
	Rows        []settingRow
}

type settingRow struct {
	Field   field
	Effect  string // in words, where it changes nothing
	At      string // the value that the effect is of
	Was, Is string
	Waiting []banner
}

type fromView struct {
	Nets    field
	Phones  string // where the phones are now, as a list
	Names   string
	Effect  string
	Out     []string // phones that such a lock would turn away
	Above   string   // locks that are set for all lines
	Waiting []banner
}

type forwardsView struct {
	Fields  []field
	Waiting []banner
}

type reachView struct {
	Numbers string // further ones
	Fields  []field
}

type closedView struct {
	Does, Since, Why string
	Lift             *act
	Not              string
}

type deviceView struct {
	Agent                template.HTML
	Where                template.HTML
	Seen                 template.HTML
	Tag                  tag
	Place, Family        string
	Mine, NotMine, Known bool
	Hosting              bool
}

type passwordView struct {
	Own   field
	Since template.HTML
	Weak  bool
}

// lineNow is what the parts of a line's page have in common.
type lineNow struct {
	l            *book.Line
	e            *account.Effective
	answer       *exposure.Answer   // what a thief could cost; nil: not known
	was          string             // its figure
	ideas, tried []exposure.Changed // what other settings would do to it: what is worth thinking of, and what somebody typed
	waiting      []cooling.Change
}

// groups are the settings of a line, as its page shows them.
var groups = []struct {
	name   string
	fields []account.Field
}{
	{"money", []account.Field{account.LineDayCap, account.LineMonthCap, account.LineWarning}},
	{"calls", []account.Field{account.MaxCalls, account.MaxInternational, account.CallsPerMinute, account.LongestCall}},
	{"prices", []account.Field{account.NationalCeiling, account.InternationalCeiling}},
	{"kinds", []account.Field{account.Premium, account.Satellite, account.Personal, account.Pager, account.Watch, account.Questions}},
}

// ours is a line of the customer who asks: another's is as if it were not there.
func (s *Server) ours(q *query) (*book.Line, error) {
	l, ok := s.d.Book.LineCalled(q.PathValue("line"))
	if !ok || l.Customer() != q.Customer || l.Handle() != q.PathValue("line") {
		return nil, errMissing
	}
	return l, nil
}

func (s *Server) line(q *query) (page, error) {
	l, err := s.ours(q)
	if err != nil {
		return page{}, err
	}
	return s.linePage(q, l, nil, "")
}

// linePage shows a line; bad are errors at fields by their names, and fault one of a form as a whole.
func (s *Server) linePage(q *query, l *book.Line, bad map[string]string, fault string) (page, error) {
	v := lineView{Path: linePath(l), Number: s.numberOf(l), Locked: l.Locked(), Fault: fault, May: q.may("change-line") == nil}
	calls, err := s.callsIn(q.Context(), q.Customer)
	if err != nil {
		return page{}, err
	}
	up := 0
	for i := range calls {
		if calls[i].Line == l.ID() {
			up++
		}
	}
	v.Tags = s.tags(q, l, up)
	n, err := s.lineNow(q, l, &v)
	if err != nil {
		return page{}, err
	}
	if v.Banners, err = s.lineBanners(q, l); err != nil {
		return page{}, err
	}
	s.lineForms(q, &n, &v, bad)
	v.Name = field{Name: "name", Label: q.t("line.name"), Value: harmless(l.Name(), 200), Most: 200, Error: bad["name"]}
	s.lineWays(q, l, &v)
	v.Hint = q.t("line.at-once")
	if c, ok := s.d.Book.Customer(q.Customer); ok && c.Cooling.Wait > 0 {
		v.Hint = q.t("line.waits", "time", s.reader.length(c.Cooling.Wait))
	}
	title := l.Handle()
	if l.Name() != "" {
		title += " · " + harmless(l.Name(), 80)
	}
	status := 0
	if len(bad) > 0 || fault != "" {
		status = http.StatusUnprocessableEntity
	}
	return page{name: "line", title: title, nav: "/lines", crumbs: []crumb{{q.t("frame.overview"), "/"}, {q.t("frame.lines"), "/lines"}}, status: status, data: v}, nil
}

// lineNow is how the line stands, with what it could cost and what waits for it.
func (s *Server) lineNow(q *query, l *book.Line, v *lineView) (lineNow, error) {
	e := l.Effective(q.now)
	n, typed := lineNow{l: l, e: e}, typedChanges(q, e)
	if s.d.Exposure != nil {
		a, err := s.d.Exposure.Line(q.Context(), l, exposure.Tonight, nil)
		if err != nil {
			return n, err
		}
		n.answer, n.ideas, n.was, v.Figure = a, a.With, coreexposure.Amount(a.Retail), s.figureView(q, a)
		if len(typed) > 0 {
			b, err := s.d.Exposure.Line(q.Context(), l, exposure.Tonight, typed)
			if err != nil {
				return n, err
			}
			n.tried = b.With
		}
		v.Down = s.down(q, a)
	}
	if s.d.Cooling != nil {
		all, err := s.d.Cooling.List(q.Context(), q.Customer)
		if err != nil {
			return n, err
		}
		n.waiting = slices.DeleteFunc(all, func(c cooling.Change) bool { return c.Line != l.ID() })
		if n.answer != nil {
			v.Figure.Waits = s.besideFigure(q, n.answer, n.waiting)
		}
	}
	return n, nil
}

// lineForms are what may be changed, with what was wrong of it.
func (s *Server) lineForms(q *query, n *lineNow, v *lineView, bad map[string]string) {
	for _, g := range groups {
		group := settingGroup{Name: g.name, Title: q.t("line.group-" + word(g.name))}
		for _, f := range g.fields {
			row := s.settingRow(q, n, f)
			row.Field.Error = bad[f.String()]
			if row.Field.Error != "" {
				v.Errors = append(v.Errors, row.Field)
			}
			group.Rows = append(group.Rows, row)
		}
		v.Groups = append(v.Groups, group)
	}
	v.From = s.fromOf(q, n, bad)
	if v.From.Nets.Error != "" {
		v.Errors = append(v.Errors, v.From.Nets)
	}
	v.Forwards = s.forwardsOf(q, n, bad)
	v.Errors = append(v.Errors, wrong(v.Forwards.Fields...)...)
	v.Reach = s.reachOf(q, n.l, bad)
	v.Errors = append(v.Errors, wrong(v.Reach.Fields...)...)
	s.closings(q, n.l, v, bad)
	s.devices(q, n.l, v)
	v.Password = s.passwordOf(q, n.l, bad)
	if v.Password.Own.Error != "" {
		v.Errors = append(v.Errors, v.Password.Own)
	}
}

// lineWays are where else there is something about the line.
func (s *Server) lineWays(q *query, l *book.Line, v *lineView) {
	if q.may("lock-line") == nil && !l.Locked() {
		v.Lock = "/lock?line=" + url.QueryEscape(l.Handle())
	}
	if s.routed("/lines/x/setup") {
		v.Setup = linePath(l) + "/setup"
	}
	if s.routed("/lines/x/fit") {
		v.Fit = linePath(l) + "/fit"
	}
	if s.exists("/history") {
		v.History = "/history?line=" + url.QueryEscape(l.Handle())
	}
}

// routed says that some page has an address.
func (s *Server) routed(path string) bool {
	r, err := http.NewRequest(http.MethodGet, path, http.NoBody) //nolint:noctx // it is not sent
	if err != nil {
		return false
	}
	_, pattern := s.mux.Handler(r)
	_, ok := s.areas[pattern]
	return ok
}

// typedChanges are the settings of a form that differ from what is in force, as far as they can be read.
func typedChanges(q *query, e *account.Effective) (all []exposure.Change) {
	for f := range account.NumFields {
		text, typed := q.form[f.String()]
		if !typed || f.OfAccount() {
			continue
		}
		if n, err := account.ParseValue(f, text[0]); err == nil && n != e.Values[f] {
			all = append(all, exposure.Change{Field: f, N: n})
		}
	}
	return all
}

// down are the ideas that lower the figure, the best first.
func (s *Server) down(q *query, a *exposure.Answer) (all []downView) {
	ideas := slices.Clone(a.With)
	after := func(c *exposure.Changed) int64 {
		if c.Lock {
			return int64(c.Elsewhere)
		}
		return int64(c.Retail)
	}
	slices.SortStableFunc(ideas, func(a, b exposure.Changed) int { return cmp.Compare(after(&a), after(&b)) })
	for i := range ideas {
		c := &ideas[i]
		if after(c) >= int64(a.Retail) || c.Field.OfAccount() && !c.Lock || len(all) == 5 {
			continue
		}
		d := downView{Was: coreexposure.Amount(a.Retail), Is: coreexposure.Amount(c.Retail), Text: q.t("line.down", "setting", q.t("line.set-"+word(c.Field.String())), "to", c.To)}
		if c.Lock {
			d.Text, d.Is = q.t("line.down-lock"), coreexposure.Amount(c.Elsewhere)
		}
		all = append(all, d)
	}
	return all
}

// lineBanners are what asks for an answer of one line.
func (s *Server) lineBanners(q *query, l *book.Line) (all []banner, err error) {
	findings, err := s.asked(q.Context(), q.Customer, l.ID(), q.now)
	if err != nil {
		return nil, err
	}
	for i := range findings {
		all = append(all, s.loginBanner(q, &findings[i]))
	}
	if closed := closedBy(l.Settings().Restrictions, q.now, l.Zone()); len(closed) > 0 && len(findings) == 0 { // one answer is enough
		all = append(all, s.closedBanner(q, l, closed))
	}
	if !l.Locked() {
		return all, nil
	}
	b := banner{Look: "warn", Icon: "lock", Title: q.t("overview.one-locked", "line", l.Handle()), Text: []template.HTML{q.mark("overview.locked-why", "why", name(l.LockWhy()))}}
	by, err := s.lockers(q.Context(), l)
	switch {
	case err != nil:
		return nil, err
	case !cooling.MayUnlock(&q.Who, by):
		b.Text = append(b.Text, q.mark("line.call-us"))
	case q.may("unlock-line") == nil:
		b.Acts = []act{{Text: q.t("line.unlock"), Path: linePath(l), Post: true, Hidden: []pair{{"do", "unlock"}}}}
	}
	return append(all, b), nil
}

// lockers are those who locked a line since it was open; none: it is not known.
func (s *Server) lockers(ctx context.Context, l *book.Line) ([]string, error) {
	if s.d.Facts == nil {
		return nil, nil
	}
	rows, err := s.d.Facts(ctx, journal.Filter{Line: l.ID(), Kind: fact.KindLineLocked, Before: math.MaxInt64, Limit: cooling.LockFacts})
	return cooling.Lockers(func(yield func(json.RawMessage) bool) {
		for i := range rows {
			if !yield(rows[i].Body) {
				return
			}
		}
	}), err
}

// settingRow is one setting with what it does to tonight's figure.
func (s *Server) settingRow(q *query, n *lineNow, f account.Field) settingRow {
	key, l, e := word(f.String()), n.l, n.e
	row := settingRow{Field: field{Name: f.String(), Label: q.t("line.set-" + key), Value: account.Format(f, e.Values[f]), Most: 40}}
	if text, typed := q.form[f.String()]; typed {
		row.Field.Value = text[0]
	}
	switch {
	case f.Unit() == account.UnitSwitch:
		on := row.Field.Value == "on"
		row.Field.Choices = []choice{{"off", q.t("line.off"), !on}, {"on", q.t("line.on"), on}}
	case f.Unit() == account.UnitChoice:
		for _, name := range f.Choices() {
			row.Field.Choices = append(row.Field.Choices, choice{name, q.t("line.choose-" + word(name)), name == row.Field.Value})
		}
	case f.Unit() == account.UnitRate:
		row.Field.After = q.t("line.a-minute")
	case f.Unit() == account.UnitCount:
		row.Field.Mode = "numeric"
	}
	row.Field.Help = q.t("line.about-" + key)
	if own := l.Settings(); own.Values[f].At(q.now).Granted {
		row.Field.Help = q.t("line.raised")
		if until := own.Values[f].Until; !until.IsZero() {
			row.Field.Help = q.t("line.raised-until", "until", s.reader.date(q.at(until)))
		}
	}
	effect := func(all []exposure.Changed) bool {
		for i := range all {
			c := &all[i]
			if c.Lock || c.Field != f {
				continue
			}
			if row.At = q.t("line.at", "value", c.To); c.Why != "" {
				row.Effect = q.t("line.nothing", "why", c.Why)
				return true
			}
			row.Was, row.Is = n.was, coreexposure.Amount(c.Retail)
			return true
		}
		return false
	}
	if !effect(n.tried) && !effect(n.ideas) {
		row.Effect = q.t("line.nothing-tonight")
	}
	for i := range n.waiting {
		if strings.Contains(n.waiting[i].Text, f.String()+" from ") {
			row.Waiting = append(row.Waiting, s.waitingBanner(q, &n.waiting[i], linePath(l)))
		}
	}
	return row
}
