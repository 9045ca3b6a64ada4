package web

import (
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/flow/desk"
	"ringfence/flow/react"
)

var _ = serves(func(s *Server) {
	if s.d.Book == nil || s.d.Desk == nil {
		return
	}
	s.page("GET /history", customer, s.history)
})

// deedRow is something that was done, or somebody who came.
type deedRow struct {
	At       time.Time
	Title    string
	Line     template.HTML
	LinePath string
	Who      template.HTML
	About    []template.HTML // what it is about, then each part that was changed
	From     template.HTML
	Undo     *link
}

// link is a way to somewhere.
type link struct{ Text, Path string }

type historyView struct {
	Rows  []deedRow
	Line  template.HTML // only of this line
	All   string        // path of the history of everything
	Pager pager
}

// parts of one change that a page shows; the journal has all.
const mostParts = 12

// history is what was changed, by whom, who signed in, and which devices came.
func (s *Server) history(q *query) (page, error) {
	if err := q.may("list-history"); err != nil {
		return page{}, err
	}
	f, here, v := desk.PastFilter{Customer: q.Customer, Limit: perPage + 1}, url.Values{}, historyView{}
	if called := q.form.Get("line"); called != "" {
		l, ok := s.d.Book.LineCalled(called)
		if !ok || l.Customer() != q.Customer {
			return page{}, errMissing
		}
		f.Line, v.Line, v.All = l.ID(), s.lineText(l.ID()), "/history"
		here.Set("line", l.Handle())
	}
	f.Before, _ = strconv.ParseInt(q.form.Get("before"), 10, 64) // anything else is the end
	f.Before = max(f.Before, 0)
	all, err := s.d.Desk.History(q.Context(), &q.Who, f)
	if err != nil {
		return page{}, err
	}
	if f.Before > 0 {
		v.Pager.Back = "/history?" + here.Encode()
	}
	if len(all) > perPage {
		all = all[:perPage]
		here.Set("before", strconv.FormatInt(all[perPage-1].Seq, 10))
		v.Pager.Next = "/history?" + here.Encode()
	}
	for i := range all {
		v.Rows = append(v.Rows, s.deedRow(q, &all[i]))
	}
	title := q.t("history.none")
	if len(all) > 0 {
		title = q.t("history.title", "at", s.reader.human(q.at(all[0].At)))
	}
	return page{name: "history", title: title, nav: "/", crumbs: []crumb{{q.t("frame.overview"), "/"}}, data: v}, nil
}

func (s *Server) deedRow(q *query, d *desk.Deed) deedRow {
	r := deedRow{At: q.at(d.At), Title: q.t("history.kind-" + word(strings.ReplaceAll(d.Kind, ".", "-"))), Who: name(d.By)}
	switch d.By {
	case "staff":
		r.Who = template.HTML(template.HTMLEscapeString(q.t("history.staff"))) //nolint:gosec // escaped
	case react.By:
		r.Who = template.HTML(template.HTMLEscapeString(q.t("history.itself"))) //nolint:gosec // escaped
	}
	l, there := s.d.Book.Line(d.Subject.Line)
	if d.Subject.Line != "" {
		r.Line = s.lineText(d.Subject.Line)
	}
	if there {
		r.LinePath = linePath(l)
	}
	if d.Person != "" && d.Person != d.By {
		r.About = append(r.About, name(d.Person))
	}
	if d.What != "" {
		r.About = append(r.About, bdi(harmless(d.What, 200)))
	}
	if d.Agent != "" {
		r.About = append(r.About, bdi("“"+harmless(d.Agent, 80)+"”"))
	}
	r.From = bdi(harmless(d.From, 60))
	for n, c := range d.Changes {
		if n < mostParts {
			r.About = append(r.About, s.partText(q, c))
		}
	}
	r.Undo = s.undoOf(q, d.Kind, r.LinePath)
	return r
}

// partText is one part of a change: "Most in a day: £5.00 → £6.00".
func (s *Server) partText(q *query, c desk.Change) template.HTML {
	label := strings.ReplaceAll(c.Name, "_", " ")
	if key := word("history.part-" + strings.ReplaceAll(c.Name, "_", "-")); s.words.texts[key] != nil {
		label = q.t(key)
	}
	if f, err := account.ParseField(c.Name); err == nil {
		label = s.settingName(q, f)
	}
	if c.Was == "" {
		return q.mark("history.part-new", "name", bdi(harmless(label, 60)), "is", bdi(harmless(c.Is, 120)))
	}
	if c.Is == "" {
		c.Is = q.t("history.no-part")
	}
	return q.mark("history.part", "name", bdi(harmless(label, 60)), "was", bdi(harmless(c.Was, 120)), "is", bdi(harmless(c.Is, 120)))
}

// undoOf leads to where something can be taken back, or stopped.
func (s *Server) undoOf(q *query, kind, line string) *link {
	var to link
	var operation string
	switch kind {
	case fact.KindLineLocked:
		to, operation = link{q.t("history.undo-lock"), line}, "unlock-line"
	case fact.KindLineChanged, fact.KindSettingChanged:
		to, operation = link{q.t("history.undo-change"), line}, "change-line"
	case fact.KindPasswordChanged, fact.KindDeviceNew, fact.KindDeviceMoved:
		to, operation = link{q.t("history.undo-password"), line}, "set-password"
	case fact.KindChangeWaiting:
		to, operation = link{q.t("history.undo-waiting"), s.known("/changes")}, "stop-change"
	case fact.KindPersonEntered, fact.KindPersonRefused, fact.KindPasskeyAdded:
		to, operation = link{q.t("history.undo-session"), s.known("/me")}, "list-people"
	case fact.KindTokenAdded:
		to, operation = link{q.t("history.undo-token"), s.known("/tokens")}, "delete-token"
	case fact.KindPersonAdded, fact.KindPersonChanged, fact.KindPersonLink:
		to, operation = link{q.t("history.undo-person"), s.known("/people")}, "change-person"
	case fact.KindNumberProved:
		to, operation = link{q.t("history.undo-number"), s.known("/numbers")}, "delete-number"
	}
	if to.Path == "" || q.may(operation) != nil {
		return nil
	}
	return &to
}
