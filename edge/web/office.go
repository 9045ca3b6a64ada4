package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/restrict"
	"ringfence/core/when"
	"ringfence/flow/ban"
	"ringfence/flow/book"
	"ringfence/flow/desk"
	"ringfence/flow/react"
	"ringfence/flow/status"
)

var _ = serves(func(s *Server) {
	if s.d.Desk == nil {
		return
	}
	s.page("GET /staff/rules", staff, s.rules)
	s.page("GET /staff/rules/{rule}", staff, s.rule)
	s.page("POST /staff/rules/{rule}", staff, s.agreeRule)
	s.page("GET /staff/trunks", staff, s.trunks)
	s.page("GET /staff/lists", staff, s.lists)
	s.page("POST /staff/lists", staff, s.changeLists)
	s.page("GET /staff/audit", staff, s.audit)
	if s.d.Status != nil {
		s.page("GET /staff/status", staff, s.incidentsDesk)
		s.page("POST /staff/status", staff, s.writeIncident)
	}
})

// perPage is how many rows a list of the staff has.
const perPage = 50

// ruleRow is a rule, and what it did in each stage.
type ruleRow struct {
	Name, Path, Life, Look, Why string
	Fired, Honest, Stopped      int64
	Saved                       money.Micro
	Stages                      []stageRow
	Agree                       *act
}

type stageRow struct {
	Life                          string
	Fired, Honest, Stopped, Wrong int64
	Saved                         money.Micro
}

func (s *Server) ruleRow(q *query, r *react.Rule) ruleRow {
	v := ruleRow{Name: r.Name, Path: "/staff/rules/" + r.Name, Life: q.t("office.life-" + word(r.Life.String())), Look: "warn"}
	if r.Life.Acts() {
		v.Look = "good"
	}
	if r.Why != "" {
		v.Why = q.t("office.why-"+word(r.Why), "set", q.t("office.life-"+word(r.Set.String())))
	}
	for _, life := range desk.Lives() {
		f, ok := r.Stages[life.String()]
		if !ok {
			continue
		}
		v.Stages = append(v.Stages, stageRow{q.t("office.life-" + word(life.String())), f.Fired, f.Honest, f.Stopped, f.Wrong, f.Saved})
		if life == r.Life {
			v.Fired, v.Honest, v.Stopped, v.Saved = f.Fired, f.Honest, f.Stopped, f.Saved
		}
	}
	if r.Why == react.TooWide && q.may("agree-rule") == nil {
		v.Agree = &act{Text: q.t("office.agree", "rule", r.Name, "set", q.t("office.life-"+word(r.Set.String()))), Path: v.Path, Post: true, Look: "main"}
	}
	return v
}

func (s *Server) rules(q *query) (page, error) {
	if err := q.may("list-rules"); err != nil {
		return page{}, err
	}
	all, err := s.d.Desk.Rules(q.Context())
	if err != nil {
		return page{}, err
	}
	var v struct{ Rows []ruleRow }
	acting, held := 0, 0
	for i := range all {
		v.Rows = append(v.Rows, s.ruleRow(q, &all[i]))
		if all[i].Life.Acts() {
			acting++
		}
		if all[i].Why != "" {
			held++
		}
	}
	title := q.t("office.rules", "n", acting, "all", len(all))
	switch {
	case len(all) == 0:
		title = q.t("office.no-rules")
	case held > 0:
		title = q.t("office.rules-held", "n", held)
	}
	return page{name: "rules", title: title, nav: "/staff/rules", shape: "staff", data: v}, nil
}

func (s *Server) rule(q *query) (page, error) {
	if err := q.may("list-rules"); err != nil {
		return page{}, err
	}
	r, err := s.d.Desk.Rule(q.Context(), q.PathValue("rule"))
	if err != nil {
		return page{}, err
	}
	row := s.ruleRow(q, &r)
	return page{name: "rule", title: q.t("office.rule", "rule", r.Name, "life", row.Life), nav: "/staff/rules", shape: "staff", crumbs: []crumb{{q.t("frame.rules"), "/staff/rules"}}, data: row}, nil
}

// agreeRule lets a rule act that was held back.
func (s *Server) agreeRule(q *query) (page, error) {
	if err := q.may("agree-rule"); err != nil {
		return page{}, err
	}
	r, err := s.d.Desk.Rule(q.Context(), q.PathValue("rule"))
	if err != nil {
		return page{}, err
	}
	if err := s.d.Desk.Agree(q.ID, r.Name); err != nil && !errors.Is(err, desk.ErrNothing) { // pressed twice, or by two
		return page{}, err
	}
	return page{see: "/staff/rules/" + r.Name}, nil
}

// trunkRow is a trunk over the last day.
type trunkRow struct {
	Name                    template.HTML
	Calls                   int
	Tried, Answered, Failed int64
	Ratio, Hour, Delay      string
	Chart                   chart
}

func (s *Server) trunks(q *query) (page, error) {
	if err := q.may("list-trunks"); err != nil {
		return page{}, err
	}
	all, err := s.d.Desk.Trunks(q.Context(), q.now)
	if err != nil {
		return page{}, err
	}
	var v struct{ Rows []trunkRow }
	worst := 0
	for i := range all {
		t := &all[i]
		day, hour := t.Sum(len(t.Quarters)), t.Sum(4)
		r := trunkRow{Name: bdi(harmless(t.Name, 64)), Calls: t.Calls, Tried: day.Tried, Answered: day.Answered, Failed: day.Failed, Ratio: ratio(q, day), Hour: ratio(q, hour), Delay: delay(q, day)}
		if hour.Tried >= 10 && hour.Failed*2 > hour.Tried {
			worst++
		}
		r.Chart = s.trunkChart(q, t)
		v.Rows = append(v.Rows, r)
	}
	title := q.t("office.trunks", "n", len(all))
	if worst > 0 {
		title = q.t("office.trunks-bad", "n", worst)
	}
	return page{name: "trunks", title: title, nav: "/staff/trunks", shape: "staff", data: v}, nil
}

// ratio is the share of calls that were answered, in words where there were none.
func ratio(q *query, x desk.Quarter) string {
	if x.Tried == 0 {
		return q.t("office.no-calls")
	}
	return percent(float64(x.Answered) / float64(x.Tried))
}

// delay is how long it takes until a call rings, on average, in words where it is not known.
func delay(q *query, x desk.Quarter) string {
	d, ok := x.Average()
	if !ok {
		return q.t("office.no-delay")
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// trunkChart draws answered calls on those that were tried, by quarter of an hour.
func (s *Server) trunkChart(q *query, t *desk.Trunk) chart {
	var now, tried []int64
	day := t.Sum(len(t.Quarters))
	for _, x := range t.Quarters {
		now, tried = append(now, x.Answered), append(tried, x.Tried)
	}
	c := newChart(q.t("office.trunk-says", "name", harmless(t.Name, 64), "n", int(day.Tried), "answered", int(day.Answered), "failed", int(day.Failed)), now, tried, nil)
	c.Heads = []string{q.t("office.from"), q.t("office.tried"), q.t("office.answered"), q.t("office.failed")}
	for _, x := range t.Quarters {
		if x.Tried > 0 {
			c.Rows = append(c.Rows, []string{q.at(x.At).Format("15:04"), plain(x.Tried), plain(x.Answered), plain(x.Failed)})
		}
	}
	for i := 0; i < len(t.Quarters); i += 16 {
		c.Axis = append(c.Axis, q.at(t.Quarters[i].At).Format("15:04"))
	}
	return c
}

// listsView is what is banned, locked out and listed.
type listsView struct {
	Bans, Locked, Hot  []listedRow
	BanPager, HotPager pager
	AddBan, AddHot     []field
	Toast              *toast
	Errors             []field
}

type listedRow struct {
	What, By, Why template.HTML
	Until         time.Time
	Text          string
	Undo          *act
}

func (s *Server) lists(q *query) (page, error) { return s.listsPage(q, nil, "") }

func (s *Server) listsPage(q *query, wrongs []field, fault string) (page, error) {
	for _, op := range []string{"list-bans", "list-lockouts", "list-hotlist"} {
		if err := q.may(op); err != nil {
			return page{}, err
		}
	}
	v := listsView{Errors: wrongs}
	if fault != "" {
		v.Toast = &toast{Text: fault}
	} else if q.Method == http.MethodGet && q.form.Get("did") != "" {
		v.Toast = &toast{Text: q.t("office.did")}
	}
	n := s.listBans(q, &v)
	s.listLocked(q, &v)
	s.listHot(q, &v)
	if q.may("add-ban") == nil {
		v.AddBan = []field{
			{Name: "net", Label: q.t("office.net"), Help: q.t("office.net-help"), Value: q.form.Get("net"), Most: 64, Needed: true},
			{Name: "until", Label: q.t("office.until"), Help: q.t("office.until-help"), Value: q.form.Get("until"), Most: 40},
			{Name: "why", Label: q.t("office.why"), Value: q.form.Get("why"), Most: 200, Needed: true},
		}
	}
	if q.may("add-hot-number") == nil {
		v.AddHot = []field{
			{Name: "numbers", Label: q.t("office.numbers"), Help: q.t("office.numbers-help"), Value: q.form.Get("numbers"), Most: 40, Needed: true},
			{Name: "hotwhy", Label: q.t("office.why"), Value: q.form.Get("hotwhy"), Most: 200, Needed: true},
		}
	}
	return page{name: "lists", title: q.t("office.lists", "n", n, "locked", len(v.Locked), "hot", s.d.Book.Hot().Len()), nav: "/staff/lists", shape: "staff", data: v}, nil
}

// undoing is a button of a row of the lists.
func (q *query) undoing(operation string, text word, do, what, list string) *act {
	if q.may(operation) != nil {
		return nil
	}
	return &act{Text: q.t(text, "what", harmless(what, 64)), Path: "/staff/lists", Post: true, Hidden: []pair{{"do", do}, {"what", what}, {"list", list}}, Look: "tiny"}
}

func (s *Server) listBans(q *query, v *listsView) (all int) {
	var f ban.Filter
	f.After, _ = netip.ParsePrefix(q.form.Get("after"))
	bans, all := s.d.Desk.Bans(f, perPage+1)
	if len(bans) > perPage {
		bans = bans[:perPage]
		v.BanPager.Next = "/staff/lists?after=" + bans[perPage-1].Net.String()
	}
	if f.After.IsValid() {
		v.BanPager.Back = "/staff/lists"
	}
	for i := range bans {
		b := &bans[i]
		v.Bans = append(v.Bans, listedRow{What: bdi(b.Net.String()), By: name(b.By), Why: bdi(harmless(b.Why, 160)), Until: q.at(b.Until), Undo: q.undoing("remove-ban", "office.lift", "unban", b.Net.String(), "")})
	}
	return all
}

// maxLocked is how many lock-outs are shown; a flood has thousands.
const maxLocked = 100

func (s *Server) listLocked(q *query, v *listsView) {
	all := s.d.Desk.Lockouts(q.now)
	for i := range all {
		x := &all[i]
		if i == maxLocked {
			break
		}
		r := listedRow{What: bdi(harmless(x.Source, 64)), Until: q.at(x.Until), Text: q.t("office.failures", "n", x.Failures)}
		what := x.Source
		if x.Line {
			what = account.Handle(x.User)
			r.Why = bdi(harmless(what, 64))
		}
		if what != "" {
			r.Undo = q.undoing("release-lockout", "office.release", "release", what, "")
		}
		v.Locked = append(v.Locked, r)
	}
}

func (s *Server) listHot(q *query, v *listsView) {
	all, more := s.d.Desk.HotNumbers(q.form.Get("above"), perPage)
	for i := range all {
		x := &all[i]
		if x.Way == restrict.Off {
			continue
		}
		v.Hot = append(v.Hot, listedRow{What: bdi(x.Range.String()), By: name(x.By), Why: bdi(harmless(x.Why, 160)), Until: q.at(x.Until), Text: harmless(x.List, 64), Undo: q.undoing("remove-hot-number", "office.unlist", "unlist", x.Range.String(), x.List)})
	}
	if more {
		v.HotPager.Next = "/staff/lists?above=" + strings.ReplaceAll(all[len(all)-1].Range.String(), "+", "%2B")
	}
	if q.form.Get("above") != "" {
		v.HotPager.Back = "/staff/lists"
	}
}

// listOperations are those of the table of who may do what, by what a form asks.
var listOperations = map[string]string{"ban": "add-ban", "unban": "remove-ban", "release": "release-lockout", "list": "add-hot-number", "unlist": "remove-hot-number"}

func (s *Server) changeLists(q *query) (page, error) {
	do := q.form.Get("do")
	op := listOperations[do]
	if op == "" {
		return page{}, errMissing
	}
	if err := q.may(op); err != nil {
		return page{}, err
	}
	wrongs, err := s.changeList(q, do)
	if len(wrongs) > 0 {
		return s.listsPage(q, wrongs, "")
	}
	if why := s.refused(q, err); why != "" {
		return s.listsPage(q, nil, why)
	}
	if err != nil && !errors.Is(err, ban.ErrNotBanned) && !errors.Is(err, book.ErrNotFound) {
		return page{}, err
	}
	return page{see: "/staff/lists?did=" + do}, nil
}

func (s *Server) changeList(q *query, do string) (wrongs []field, err error) {
	ctx, what := q.Context(), q.form.Get("what")
	switch do {
	case "ban":
		net, err := netOf(q.form.Get("net"))
		if err != nil {
			return []field{{Name: "net", Error: q.t("office.net-wrong")}}, nil //nolint:nilerr // it is told at the field
		}
		r := ban.Request{Net: net, Why: q.form.Get("why"), By: q.ID}
		if text := q.form.Get("until"); text != "" {
			if r.Until, err = when.Until(text, q.now, q.zone); err != nil {
				return []field{{Name: "until", Error: q.t("office.until-wrong")}}, nil //nolint:nilerr // it is told at the field
			}
		}
		return nil, s.d.Desk.AddBan(ctx, r)
	case "unban":
		net, err := netip.ParsePrefix(what)
		if err != nil {
			return nil, desk.ErrNothing
		}
		return nil, s.d.Desk.Ban(ctx, q.ID, net, false, "lifted on the page of lists")
	case "release":
		return nil, s.d.Desk.Release(q.ID, what)
	case "list":
		r, err := restrict.ParseNumbers(q.form.Get("numbers"))
		if err != nil {
			return []field{{Name: "numbers", Error: q.t("office.numbers-wrong")}}, nil //nolint:nilerr // it is told at the field
		}
		_, err = s.d.Book.AddHot(ctx, q.ID, restrict.Listed{List: book.HotDesk, Range: r, Way: restrict.Out, Why: q.form.Get("hotwhy")})
		return nil, err
	}
	r, err := restrict.ParseNumbers(what)
	if err != nil {
		return nil, desk.ErrNothing
	}
	_, err = s.d.Book.RemoveHot(ctx, q.ID, q.form.Get("list"), r, "taken off on the page of lists")
	return nil, err
}

// netOf reads an address or a network.
func netOf(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

// auditRow is something that somebody did.
type auditRow struct {
	Seq        int64
	At         time.Time
	Who, Whose template.HTML
	Kind, What string
	Changes    []template.HTML
}

func (s *Server) audit(q *query) (page, error) {
	if err := q.may("list-journal"); err != nil {
		return page{}, err
	}
	before, _ := strconv.ParseInt(q.form.Get("before"), 10, 64) // anything else is the end
	all, err := s.d.Desk.Audit(q.Context(), max(before, 0), perPage+1)
	if err != nil {
		return page{}, err
	}
	var v struct {
		Rows  []auditRow
		Pager pager
	}
	if len(all) > perPage {
		all = all[:perPage]
		v.Pager.Next = fmt.Sprintf("/staff/audit?before=%d", all[perPage-1].Seq)
	}
	if before > 0 {
		v.Pager.Back = "/staff/audit"
	}
	for i := range all {
		x := &all[i]
		r := auditRow{Seq: x.Seq, At: q.at(x.At), Who: name(x.By), Whose: s.whose(x.Subject, ""), Kind: x.Kind, What: harmless(about(x), 200)}
		for n, c := range x.Changes {
			if n < 12 {
				r.Changes = append(r.Changes, s.partText(q, c))
			}
		}
		v.Rows = append(v.Rows, r)
	}
	title := q.t("office.audit")
	if len(v.Rows) > 0 {
		title = q.t("office.audit-last", "at", s.reader.human(v.Rows[0].At))
	}
	return page{name: "audit", title: title, nav: "/staff/audit", shape: "staff", data: v}, nil
}

// about is what a deed is about, in one text.
func about(d *desk.Deed) string {
	parts := slices.DeleteFunc([]string{d.Person, d.From, d.What, d.Agent}, func(part string) bool { return part == "" })
	return strings.Join(parts, ", ")
}

// incidentsView is what staff write for the public.
type incidentsView struct {
	Open   []incidentDesk
	Add    []field
	Errors []field
	May    bool
	Fault  string
}

type incidentDesk struct {
	ID             int64
	Title          string
	Began          time.Time
	Measured       bool
	Updates        []noteRow
	Note           field
	May, MayClose  bool
	Path, Sentence string
}

func (s *Server) incidentsDesk(q *query) (page, error) { return s.incidentsPage(q, nil, "") }

func (s *Server) incidentsPage(q *query, wrongs []field, fault string) (page, error) {
	if err := q.may("list-incidents"); err != nil {
		return page{}, err
	}
	all, err := s.d.Status.Incidents(q.Context(), 0, perPage)
	if err != nil {
		return page{}, err
	}
	v := incidentsView{Errors: wrongs, May: q.may("add-incident") == nil, Fault: fault}
	for i := range all {
		x := &all[i]
		if !x.Ended.IsZero() && !x.Ended.After(q.now) {
			continue
		}
		d := incidentDesk{ID: x.ID, Title: harmless(x.Title, 120), Began: q.at(x.Began), Measured: x.Kind == status.Measured, Path: fmt.Sprintf("/status/incidents/%d", x.ID), May: q.may("note-incident") == nil}
		d.MayClose = !d.Measured && q.may("close-incident") == nil
		for _, u := range x.Updates {
			who := name(u.By)
			if u.By == "" {
				who = q.mark("status.by-measurement")
			}
			d.Updates = append(d.Updates, noteRow{who, bdi(harmless(u.Text, 2000)), q.at(u.At)})
		}
		d.Note = field{Name: "text", Label: q.t("office.say"), Most: 2000, Lines: 2, Needed: true}
		v.Open = append(v.Open, d)
	}
	if v.May {
		v.Add = s.incidentFields(q)
	}
	title := q.t("office.incidents", "n", len(v.Open))
	if len(v.Open) == 0 {
		title = q.t("office.no-incidents")
	}
	return page{name: "staff-status", title: title, nav: "/staff/status", shape: "staff", data: v}, nil
}

// incidentFields are those of a new incident.
func (s *Server) incidentFields(q *query) []field {
	of := field{Name: "component", Label: q.t("office.component"), Most: 20, Choices: []choice{{"", q.t("office.component-none"), q.form.Get("component") == ""}}}
	for _, c := range status.Components {
		of.Choices = append(of.Choices, choice{string(c), q.t("status.can-" + word(c)), string(c) == q.form.Get("component")})
	}
	return []field{
		{Name: "title", Label: q.t("office.title"), Help: q.t("office.title-help"), Value: q.form.Get("title"), Most: 120, Needed: true},
		{Name: "text", Label: q.t("office.say"), Value: q.form.Get("text"), Most: 2000, Lines: 3, Needed: true},
		of,
	}
}

// writeIncident publishes an incident, a further entry, or its end.
func (s *Server) writeIncident(q *query) (page, error) {
	do := q.form.Get("do")
	op := map[string]string{"add": "add-incident", "note": "note-incident", "close": "close-incident"}[do]
	if op == "" {
		return page{}, errMissing
	}
	if err := q.may(op); err != nil {
		return page{}, err
	}
	var err error
	if do == "add" {
		_, err = s.d.Status.Add(q.Context(), q.ID, status.Entry{Title: q.form.Get("title"), Text: q.form.Get("text"), Component: q.form.Get("component")}, q.now)
	} else {
		id, bad := strconv.ParseInt(q.form.Get("incident"), 10, 64)
		if bad != nil {
			return page{}, errMissing
		}
		_, err = s.d.Status.Note(q.Context(), q.ID, id, q.form.Get("text"), do == "close", q.now)
	}
	invalid := (*status.Invalid)(nil)
	switch {
	case errors.As(err, &invalid):
		return s.incidentsPage(q, []field{{Name: invalid.Field, Error: q.t("office.wrong", "want", invalid.Want)}}, "")
	case errors.Is(err, status.ErrMeasured), errors.Is(err, status.ErrOver):
		return s.incidentsPage(q, nil, q.t("queue.refused", "why", err.Error()))
	}
	return page{see: "/staff/status"}, err
}
