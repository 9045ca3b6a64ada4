package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/flow/records"
)

var _ = serves(func(s *Server) {
	if s.d.Records == nil {
		return
	}
	s.page("GET /calls/{call}", customer, s.call)
	s.page("GET /staff/calls/{call}", staff, s.call)
	s.stream("GET /calls/{call}/live", customer, s.callVersion)
})

// callView is one call: why it did what it did.
type callView struct {
	Lead    template.HTML
	Live    *liveRow
	Limit   figure // what the rule allows, and what this call has; empty where nothing is counted
	Value   figure
	Pass    template.HTML // what would let it through
	Ask     *act
	Costs   [][2]string // of an answered call: what it cost, line by line
	Checks  []checkRow
	Facts   []factRow
	Told    string
	Around  []pastRow
	Journal string
	Verdict *verdictView // who bears what it cost
}

type figure struct{ Label, Sum, Unit string }

// checkRow is one rule, in the order in which they are asked.
type checkRow struct {
	Icon, Look, Title, Text, Value string
	Deciding, Faint                bool
}

type factRow struct {
	Name  string
	Value template.HTML
}

func (s *Server) call(q *query) (page, error) {
	if err := q.may("get-cdr"); err != nil {
		return page{}, err
	}
	id := call.ID(q.PathValue("call"))
	live := s.liveOf(q, "")
	if i := slices.IndexFunc(live, func(c gate.InProgress) bool { return c.ID == id }); i >= 0 {
		return s.livePage(q, &live[i]), nil
	}
	x, err := s.d.Records.Story(q.Context(), q.Customer, id)
	if errors.Is(err, book.ErrNotFound) {
		return page{}, &fault{status: http.StatusNotFound, title: "call.unknown", text: "call.unknown-what"}
	}
	if err != nil {
		return page{}, err
	}
	v := callView{Lead: s.lead(q, x), Told: fmt.Sprintf("%d %s", x.Status, harmless(x.Text, 400)), Facts: s.callFacts(q, x), Journal: q.t("call.journal", "row", x.Row)}
	if x.Row == 0 {
		v.Journal = ""
	}
	switch x.Outcome() {
	case call.Refused:
		s.figuresOf(q, x, &v)
		v.Checks = s.checks(q, x)
	case call.Talked:
		v.Costs = s.costs(q, x)
	case call.Missed:
	}
	around, err := s.d.Records.Around(q.Context(), &x.CDR)
	if err != nil {
		return page{}, err
	}
	v.Around = s.around(q, x, around)
	if v.Verdict, err = s.judged(q, id); err != nil {
		return page{}, err
	}
	if q.Customer == "" {
		return page{name: "call", title: s.deciding(q, x), nav: "/staff/search", shape: "staff", crumbs: []crumb{{q.t("frame.cases"), "/staff/cases"}, {s.reader.full(q.at(x.Begun)), ""}}, data: v}, nil
	}
	return page{name: "call", title: s.deciding(q, x), nav: "/calls", crumbs: s.callCrumbs(q, x.Begun), data: v}, nil
}

func (s *Server) callCrumbs(q *query, begun time.Time) []crumb {
	return []crumb{{q.t("calls.title"), "/calls"}, {s.reader.full(q.at(begun)), ""}}
}

// livePage is a call in progress: seconds and pence run.
func (s *Server) livePage(q *query, c *gate.InProgress) page {
	row := s.liveRow(q, c, q.may("cut-call") == nil)
	v := callView{Live: &row}
	v.Lead = q.mark("call.lead-live", "line", s.lineText(c.Line), "number", row.Number, "place", row.Place)
	if c.Direction == call.In {
		v.Lead = q.mark("call.lead-live-in", "line", s.lineText(c.Line))
	}
	v.Facts = []factRow{
		{q.t("call.when"), s.reader.moment(q.at(c.Begun))},
		{q.t("call.rate"), template.HTML(template.HTMLEscapeString(row.Rate))}, //nolint:gosec // escaped
		{q.t("call.held"), template.HTML(template.HTMLEscapeString(q.t("call.held-for", "sum", s.reader.money(c.Held), "time", s.reader.length(c.PaidFor))))}, //nolint:gosec // escaped
	}
	if !c.AnsweredAt.IsZero() {
		v.Facts = append(v.Facts, factRow{q.t("call.since"), s.reader.moment(q.at(c.AnsweredAt))})
	}
	v.Facts = append(v.Facts, s.whenceOf(q, c.Direction, c.Source, c.UserAgent, c.Dialled)...)
	return page{
		name: "call", title: q.t("call.live", "number", row.Number), nav: "/calls", crumbs: s.callCrumbs(q, c.Begun),
		live: "/calls/" + url.PathEscape(string(c.ID)) + "/live", data: v,
	}
}

// callVersion changes every second while the call is up, and once when it is over.
func (s *Server) callVersion(q *query) (string, error) {
	if err := q.may("get-cdr"); err != nil {
		return "", err
	}
	for _, c := range s.liveOf(q, "") {
		if c.ID == call.ID(q.PathValue("call")) {
			return fmt.Sprint(c.State, c.Cutting, c.Ringing.IsZero(), int(c.Talk(time.Now())/time.Second)), nil
		}
	}
	return "over", nil
}

// deciding is the fact that the page is about, in a few words.
func (s *Server) deciding(q *query, x *records.Story) string {
	number := s.number(x.Number, x.Dialled)
	switch x.Outcome() {
	case call.Refused:
		key := word("call.why-" + x.Reason)
		if _, ok := q.words.texts[key]; !ok {
			return q.t("call.why", "why", q.t("call.why-other"))
		}
		return q.t("call.why", "why", q.t(key, "place", harmless(countryOr(&x.CDR), 60), "class", x.Class))
	case call.Talked:
		if x.Direction == call.In {
			return q.t("call.talked-in", "time", s.reader.length(x.Talk))
		}
		return q.t("call.talked", "time", s.reader.length(x.Talk), "sum", s.reader.money(x.Retail))
	case call.Missed:
	}
	return q.t("call.missed", "number", number, "result", s.result(q, x.Reason))
}

func countryOr(c *call.CDR) string {
	if c.Country == "" {
		return placeOf(c)
	}
	return records.CountryName(c.Country)
}

// lead is what happened, in one sentence that can be read aloud.
func (s *Server) lead(q *query, x *records.Story) template.HTML {
	values := []any{"line", s.lineText(x.Line), "number", s.number(x.Number, x.Dialled), "place", name(placeOf(&x.CDR)), "time", s.reader.length(x.Talk), "sum", s.reader.money(x.Retail), "rang", s.reader.length(x.Ring)}
	if x.Direction == call.In {
		caller := template.HTML(template.HTMLEscapeString(q.t("call.withheld")))
		if !x.Withheld && x.Caller != "" {
			caller = s.caller(q, x.Caller)
		}
		values = append(values, "caller", caller)
		if x.Outcome() == call.Talked {
			return q.mark("call.lead-in", values...)
		}
		return q.mark("call.lead-in-missed", values...)
	}
	switch x.Outcome() {
	case call.Refused:
		return q.mark("call.lead-refused", values...)
	case call.Talked:
		return q.mark("call.lead-talked", values...)
	case call.Missed:
	}
	return q.mark("call.lead-missed", values...)
}

// figuresOf are the two figures behind a refusal, and what would have passed.
func (s *Server) figuresOf(q *query, x *records.Story, v *callView) {
	f, unit := x.Figures, x.Deciding.Unit()
	switch unit {
	case account.UnitRate:
		v.Limit = figure{q.t("call.ceiling"), s.reader.rate(money.Rate(f.Limit)), q.t("call.a-minute")}
		v.Value = figure{q.t("call.this"), s.reader.rate(money.Rate(f.Value)), q.t("call.a-minute")}
		v.Pass = q.mark("call.pass-rate", "rate", s.reader.rate(money.Rate(f.Pass)))
	case account.UnitAmount:
		v.Limit = figure{q.t("call.cap"), s.reader.money(money.Micro(f.Limit)), ""}
		v.Value = figure{q.t("call.spent"), s.reader.money(money.Micro(f.Value)), ""}
		v.Pass = q.mark("call.pass-amount", "sum", s.reader.money(money.Micro(f.Pass)))
	case account.UnitCount:
		v.Limit = figure{q.t("call.limit"), grouped(f.Limit), ""}
		v.Value = figure{q.t("call.already"), grouped(f.Value), ""}
		v.Pass = q.mark("call.pass-count", "count", grouped(f.Pass))
	case account.UnitSwitch:
		v.Pass = q.mark("call.pass-switch", "setting", s.check(q, x.Deciding))
	case account.UnitNone, account.UnitSeconds, account.UnitChoice:
	}
	field, value, ok := x.Asks()
	if !ok {
		v.Pass = ""
		return
	}
	if q.Customer == "" || field.OfAccount() || !s.exists("/requests/new") || q.may("ask") != nil {
		return
	}
	to := url.Values{"line": {account.Handle(x.Line)}, "field": {field.String()}, "value": {account.Format(field, value)}}
	v.Ask = &act{Text: q.t("call.ask", "place", harmless(countryOr(&x.CDR), 40)), Path: "/requests/new?" + to.Encode()}
}

// checks are the rules in their order, as `ringfence decide` lists them. The one that refused has the figures of then; what was not reached is judged by
// the settings of now.
func (s *Server) checks(q *query, x *records.Story) (rows []checkRow) {
	reached := true
	for i := range x.Steps {
		st := &x.Steps[i]
		row := checkRow{Title: s.check(q, st.Reason)}
		switch {
		case st.Reason == x.Deciding:
			rows, reached = append(rows, s.decidingRow(q, x)), false
			continue
		case reached:
			row.Icon, row.Look, row.Text = "check", "good", q.t("call.passed")
			if !st.Passed && !st.Pending {
				row.Text = q.t("call.passed-then")
			}
		default:
			row.Icon, row.Faint, row.Text = "dash", true, q.t("call.not-reached")
			if !st.Passed {
				row.Text = q.t("call.not-reached-refuses")
			}
		}
		if unit := st.Reason.Unit(); unit != account.UnitNone && unit != account.UnitSwitch && (reached || st.Figures.Limit > 0) && !st.Pending {
			row.Value = s.amountOf(unit, st.Figures.Value) + " ≤ " + s.amountOf(unit, st.Figures.Limit)
		} else if st.Pending && unit != account.UnitNone {
			row.Value = q.t("call.at-most", "limit", s.amountOf(unit, st.Figures.Limit))
		}
		rows = append(rows, row)
	}
	if reached && len(x.Steps) > 0 {
		rows = append(rows, s.decidingRow(q, x))
	}
	return rows
}

func (s *Server) decidingRow(q *query, x *records.Story) checkRow {
	row := checkRow{Icon: "cross", Look: "grave", Title: s.check(q, x.Deciding), Text: sentence(harmless(x.Text, 300)), Deciding: true}
	if unit := x.Deciding.Unit(); unit != account.UnitNone && unit != account.UnitSwitch {
		row.Value = s.amountOf(unit, x.Figures.Limit) + " < " + s.amountOf(unit, x.Figures.Value)
		if unit != account.UnitRate {
			row.Value = q.t("call.of", "value", s.amountOf(unit, x.Figures.Value), "limit", s.amountOf(unit, x.Figures.Limit))
		}
	}
	return row
}

func (s *Server) check(q *query, r policy.Reason) string {
	key := word("call.check-" + r.Code())
	if _, ok := q.words.texts[key]; !ok {
		return q.t("call.check-other")
	}
	return q.t(key)
}

func (s *Server) amountOf(unit account.Unit, n int64) string {
	switch unit {
	case account.UnitRate:
		return s.reader.rate(money.Rate(n))
	case account.UnitAmount:
		return s.reader.money(money.Micro(n))
	case account.UnitSeconds:
		return s.reader.length(time.Duration(n) * time.Second)
	case account.UnitNone, account.UnitCount, account.UnitSwitch, account.UnitChoice:
	}
	return grouped(n)
}

// costs are an answered call's, line by line.
func (s *Server) costs(q *query, x *records.Story) (rows [][2]string) {
	rows = append(rows, [2]string{q.t("call.talk-at", "time", s.reader.length(x.Talk), "rate", s.reader.rate(x.PerMinute)), s.reader.money(x.Retail)})
	if x.Slices > 0 {
		rows = append(rows, [2]string{q.t("call.slices", "n", x.Slices), s.reader.money(x.Held)})
	}
	return rows
}

func (s *Server) callFacts(q *query, x *records.Story) []factRow {
	facts := []factRow{{q.t("call.when"), s.reader.moment(q.at(x.Begun))}}
	facts = append(facts, s.whenceOf(q, x.Direction, x.Source, x.UserAgent, x.Dialled)...)
	rang := q.t("call.rang-talked-what", "rang", s.reader.length(x.Ring), "talked", s.reader.length(x.Talk))
	return append(facts,
		factRow{q.t("call.rang-talked"), template.HTML(template.HTMLEscapeString(rang))},                       //nolint:gosec // escaped
		factRow{q.t("call.ended-by"), template.HTML(template.HTMLEscapeString(s.endedBy(q, x)))},               //nolint:gosec // escaped
		factRow{q.t("calls.cost"), template.HTML(template.HTMLEscapeString(s.reader.money(x.Retail)))},         //nolint:gosec // escaped
		factRow{q.t("call.id"), template.HTML(`<code>` + template.HTMLEscapeString(string(x.ID)) + `</code>`)}) //nolint:gosec // escaped
}

func (s *Server) endedBy(q *query, x *records.Story) string {
	switch x.By {
	case call.Caller:
		return q.t("call.by-caller")
	case call.Callee:
		return q.t("call.by-callee")
	case call.System, call.Operator:
	}
	return q.t("call.by-us")
}

// whenceOf is where a call came from. Of a call from the network that is the carrier's, and nothing to the customer.
func (s *Server) whenceOf(q *query, d call.Direction, source, agent, dialled string) (facts []factRow) {
	if d != call.In {
		if at, err := netip.ParseAddrPort(source); err == nil {
			facts = append(facts, factRow{q.t("call.from"), bdi(at.Addr().String())})
		}
		if agent != "" {
			facts = append(facts, factRow{q.t("call.agent"), s.reader.claim(agent)})
		}
	}
	return append(facts, factRow{q.t("call.dialled"), template.HTML(`<code><bdi dir="ltr">` + template.HTMLEscapeString(harmless(dialled, 80)) + `</bdi></code>`)}) //nolint:gosec // escaped
}

// around are the other calls of the line within some minutes.
func (s *Server) around(q *query, x *records.Story, all []records.Row) (rows []pastRow) {
	for i := range all {
		r := &all[i]
		if r.ID == x.ID && r.More == 0 {
			continue
		}
		row := s.pastRow(q, &r.CDR)
		if q.Customer == "" {
			row.Path = "/staff" + row.Path
		}
		if r.More > 0 {
			row.More = q.t("calls.more-around", "n", r.More, "from", q.at(r.Until).Format("15:04:05"), "to", q.at(r.Begun).Format("15:04:05"))
		}
		rows = append(rows, row)
	}
	return rows
}
