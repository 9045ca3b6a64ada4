package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/flow/records"
)

var _ = serves(func(s *Server) {
	if s.d.Records == nil {
		return
	}
	s.page("GET /calls", customer, s.calls)
	s.page("POST /calls", customer, s.hangUp)
	s.stream("GET /calls/live", customer, s.callsVersion)
	s.file("GET /calls/csv", customer, s.callsFile)
})

// Limits of the list of calls: so many in progress have a row, and so many lines can be chosen from; others are found by the box.
const (
	mostLive    = 20
	mostChoices = 50
)

// pastView is the list of calls: those in progress, what the past ones come to, and a page of them.
type pastView struct {
	Find, Again, File, FileText string
	Period, Line, Result        field
	Fault                       string
	Live                        []liveRow
	Rest                        string
	Sums                        *sumsView
	Chart                       *chart
	Days                        []dayView
	None                        string // why there are none
	Clear, News, NewsText       string
	Back, Next                  string
	Disputes                    bool // calls can be ticked
}

// sumsView are the figures above the list.
type sumsView struct{ Period, Calls, Talk, Cost, Refused, Part string }

// liveRow is a call in progress.
type liveRow struct {
	ID, Path, Chip, Icon, Says string
	Number                     template.HTML
	Place, Line                template.HTML
	State, Talk, Cost, Rate    string
	Since                      string // RFC 3339, of the answer: the seconds run from it
	Cutting, MayCut            bool
}

// dayView is a day of the list with its calls.
type dayView struct {
	Date, Calls, Sum string
	Rows             []pastRow
}

// pastRow is a call, or the latest of a run of refusals.
type pastRow struct {
	ID, Path         string
	Chip, Icon, Says string
	Number           template.HTML
	Place, Line      template.HTML
	At               template.HTML
	Length           string
	Result           tag
	Price            string
	More, MorePath   string // the rest of a run
	Tick             bool   // it cost something
}

// looking reads what somebody looks for: the address says all of it, so that a link shows the same to another.
func (s *Server) looking(q *query) (records.Query, error) {
	v := q.URL.Query()
	x := records.Query{
		Customer: q.Customer, Period: records.Period(v.Get("period")), Result: records.Result(v.Get("result")), Find: v.Get("find"),
		Before: call.ID(v.Get("before")), Open: call.ID(v.Get("open")), Newest: call.ID(v.Get("newest")),
	}
	if len(x.Find) > 100 || len(x.Before) > 64 || len(x.Open) > 64 || len(x.Newest) > 64 {
		return x, errMissing
	}
	if !slices.Contains(periods, x.Period) {
		x.Period = records.Week
	}
	if handle := v.Get("line"); handle != "" {
		l, ok := s.d.Book.LineCalled(handle)
		if !ok || l.Customer() != q.Customer {
			return x, errMissing
		}
		x.Line = l.ID()
	}
	return x, nil
}

var (
	periods = []records.Period{records.Today, records.Week, records.Month, records.All}
	results = []records.Result{"", records.Out, records.In, records.Internal, records.Missed, records.Refused}
)

// callsAt is the address of the list with some of what it is asked for changed: pairs of name and value, "" takes one away.
func callsAt(path string, v url.Values, pairs ...string) string {
	out := url.Values{}
	for _, name := range []string{"find", "period", "line", "result", "before", "open", "newest"} {
		if text := v.Get(name); text != "" {
			out.Set(name, text)
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if out.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			out.Del(pairs[i])
		}
	}
	if len(out) == 0 {
		return path
	}
	return path + "?" + out.Encode()
}

func (s *Server) calls(q *query) (page, error) {
	if err := q.may("list-cdrs"); err != nil {
		return page{}, err
	}
	x, err := s.looking(q)
	if err != nil {
		return page{}, err
	}
	v := pastView{Find: harmless(x.Find, 100), Clear: "/calls", Disputes: s.d.Cases != nil && q.may("dispute") == nil}
	s.choices(q, &x, &v)
	live := s.liveOf(q, x.Line)
	v.Live, v.Rest = s.liveRows(q, live)
	if err := s.past(q, &x, &v); err != nil {
		s.log.Error("calls could not be read", "error", err)
		v.Fault = q.t("calls.unread")
	}
	p := page{name: "calls", title: q.t("calls.title"), nav: "/calls", live: "/calls/live", data: v}
	if c, ok := s.d.Book.Customer(q.Customer); ok && c.Name != "" {
		p.crumbs = []crumb{{Text: harmless(c.Name, 80)}}
	}
	return p, nil
}

// choices fills the selects.
func (s *Server) choices(q *query, x *records.Query, v *pastView) {
	v.Period = field{Name: "period", Label: q.t("calls.period")}
	for _, p := range periods {
		v.Period.Choices = append(v.Period.Choices, choice{string(p), q.t("calls.period-" + word(p)), p == x.Period})
	}
	v.Result = field{Name: "result", Label: q.t("calls.result")}
	for _, r := range results {
		key := word("calls.result-" + string(r))
		if r == "" {
			key = "calls.every"
		}
		v.Result.Choices = append(v.Result.Choices, choice{string(r), q.t(key), r == x.Result})
	}
	v.Line = field{Name: "line", Label: q.t("calls.line"), Choices: []choice{{"", q.t("calls.all-lines"), x.Line == ""}}}
	lines := s.d.Records.Lines(q.Customer, mostChoices)
	if l, ok := s.d.Book.Line(x.Line); ok && !slices.ContainsFunc(lines, func(o *book.Line) bool { return o.ID() == x.Line }) {
		lines = append(lines, l)
	}
	for _, l := range lines {
		v.Line.Choices = append(v.Line.Choices, choice{l.Handle(), strings.TrimSpace(l.Handle() + " " + harmless(l.Name(), 30)), l.ID() == x.Line})
	}
}

// past reads a page of the list, its sums and the hours of today.
func (s *Server) past(q *query, x *records.Query, v *pastView) error {
	ctx := q.Context()
	list, err := s.d.Records.Page(ctx, x, q.now)
	if err != nil {
		return err
	}
	sums, err := s.d.Records.Sums(ctx, x, q.now)
	if err != nil {
		return err
	}
	hours, err := s.d.Records.Hours(ctx, x, q.now)
	if err != nil {
		return err
	}
	v.Sums = &sumsView{
		Period: q.t("calls.period-" + word(x.Period)), Calls: q.t("calls.n", "n", sums.Calls), Talk: s.reader.length(sums.Talk), Cost: s.reader.money(sums.Retail), Refused: grouped(sums.Refused),
	}
	address := q.URL.Query()
	v.File, v.FileText = callsAt("/calls/csv", address, "before", "", "open", "", "newest", ""), q.t("calls.file", "n", sums.Calls)
	if sums.Part {
		v.Sums.Part, v.FileText = q.t("calls.part", "n", sums.Calls), q.t("calls.file-all")
	}
	v.Chart = s.hoursChart(q, &hours)
	v.Days = s.days(q, list.Rows, sums, address)
	if len(v.Days) == 0 {
		v.None = s.noCalls(q, x)
	}
	if list.Next != "" {
		v.Next = callsAt("/calls", address, "before", string(list.Next), "newest", "")
	}
	if x.Before != "" {
		v.Back = callsAt("/calls", address, "before", "", "newest", "")
	}
	return s.news(q, x, &list, v)
}

// news says how many calls came since the list was read: they wait behind a link, so that nothing moves. Only the first page follows.
func (s *Server) news(q *query, x *records.Query, list *records.Page, v *pastView) error {
	if x.Before != "" {
		return nil
	}
	address := q.URL.Query()
	newest := x.Newest
	if newest == "" && len(list.Rows) > 0 {
		newest = list.Rows[0].ID
	}
	if newest == "" {
		newest = call.FirstID(q.now)
	}
	v.Again = callsAt("/calls", address, "newest", string(newest))
	if x.Newest == "" {
		return nil
	}
	n, err := s.d.Records.New(q.Context(), x, q.now)
	if n > 0 {
		v.News, v.NewsText = callsAt("/calls", address, "newest", ""), q.t("calls.news", "n", n)
	}
	return err
}

func (s *Server) noCalls(q *query, x *records.Query) string {
	if x.Find == "" && x.Line == "" && x.Result == "" && x.Before == "" {
		if newest, err := s.d.Records.Latest(q.Context(), q.Customer); err == nil && newest == "" {
			return q.t("calls.none-yet")
		}
	}
	return q.t("calls.none")
}

// hoursChart are the calls of today by the hour, on those of a usual day.
func (s *Server) hoursChart(q *query, h *records.Hours) *chart {
	now, usual := make([]int64, 24), make([]int64, 24)
	var calls, odd int64
	busiest, oddest := 0, -1
	for i := range 24 {
		now[i], usual[i] = h.Now[i]*records.Weeks, h.Usual[i]
		if calls += h.Now[i]; h.Now[i] > h.Now[busiest] {
			busiest = i
		}
		if h.Unusual(i) && h.Now[i] > odd {
			odd, oddest = h.Now[i], i
		}
	}
	weekday := s.reader.nth("time.weeks", weekday(q.at(q.now)))
	says := q.t("calls.hours-says", "n", calls, "weekday", weekday, "hour", fmt.Sprintf("%d:00", busiest), "most", h.Now[busiest])
	if oddest >= 0 {
		says += " " + q.t("calls.hours-odd", "n", odd, "hour", fmt.Sprintf("%d:00", oddest))
	}
	c := newChart(says, now, usual, h.Unusual)
	c.Axis = []string{"0:00", "6:00", "12:00", "18:00", "24:00"}
	c.Heads = []string{q.t("calls.hour"), q.t("calls.today"), q.t("calls.usual", "weekday", weekday)}
	for i := range 24 {
		c.Rows = append(c.Rows, []string{fmt.Sprintf("%d:00", i), grouped(h.Now[i]), strings.TrimSuffix(fmt.Sprintf("%.1f", float64(h.Usual[i])/records.Weeks), ".0")})
	}
	return &c
}

// days puts calls under their days, with what all of each come to.
func (s *Server) days(q *query, rows []records.Row, sums *records.Sums, address url.Values) (out []dayView) {
	for i := range rows {
		r := &rows[i]
		begun := q.at(r.Begun)
		date := s.reader.date(begun)
		if n := len(out); n == 0 || out[n-1].Date != date {
			d := dayView{Date: date}
			if sum, ok := sums.Day(begun); ok {
				d.Calls, d.Sum = q.t("calls.n", "n", sum.Calls), s.reader.money(sum.Retail)
			}
			out = append(out, d)
		}
		d := &out[len(out)-1]
		row := s.pastRow(q, &r.CDR)
		if r.Direction == call.In {
			row.Number, row.Place = s.caller(q, r.Caller), s.calledText(q, &r.CDR)
		}
		if r.More > 0 {
			row.More = q.t("calls.more", "n", r.More, "place", placeOf(&r.CDR), "from", q.at(r.Until).Format("15:04"), "to", begun.Format("15:04"), "line", account.Handle(r.Line))
			row.MorePath = callsAt("/calls", address, "open", string(r.ID), "newest", "") + "#" + string(r.ID)
		}
		d.Rows = append(d.Rows, row)
	}
	return out
}

// caller is who called in, as far as they said.
func (s *Server) caller(q *query, number string) template.HTML {
	if number == "" {
		return template.HTML(template.HTMLEscapeString(q.t("call.withheld"))) //nolint:gosec // escaped
	}
	if d, problem := s.reader.plan.Parse(number); problem == phone.NoProblem {
		return s.reader.tel(d.Number)
	}
	return s.number("", number)
}

// calledText is the number that was called, of a call from the network.
func (s *Server) calledText(q *query, c *call.CDR) template.HTML {
	return q.mark("calls.to", "number", s.number(c.Number, c.Dialled))
}

func (s *Server) pastRow(q *query, c *call.CDR) pastRow {
	row := pastRow{
		ID:   string(c.ID),
		Path: "/calls/" + string(c.ID), Number: s.number(c.Number, c.Dialled), Place: name(placeOf(c)), Line: s.lineText(c.Line), At: s.reader.clock(q.at(c.Begun)),
		Result: tag{Text: s.result(q, c.Reason)}, Price: s.reader.money(c.Retail), Tick: c.Retail > 0 && !c.Refused,
	}
	row.Chip, row.Icon, row.Says = s.chipOf(q, c.Direction, c.Outcome())
	switch c.Outcome() {
	case call.Talked:
		row.Length = s.reader.length(c.Talk)
		if c.Reason == policy.Hangup.Code() {
			row.Result = tag{Text: q.t("calls.talked")}
		} else {
			row.Result.Look = "warn"
		}
	case call.Refused:
		row.Result.Look = "grave"
	case call.Missed:
		if c.Ring > 0 {
			row.Length = q.t("calls.rang", "time", s.reader.length(c.Ring))
		}
	}
	return row
}

// chipOf is how a call looks: its chip, its icon, and the same in words.
func (s *Server) chipOf(q *query, d call.Direction, o call.Outcome) (chip, icon, says string) {
	switch {
	case o == call.Refused:
		return "no", "barred", q.t("calls.is-refused")
	case o == call.Missed:
		return "", "cross", q.t("calls.is-missed")
	case d == call.In:
		return "inc", "in", q.t("calls.is-in")
	}
	return "out", "out", q.t("calls.is-out")
}

// number is who was called, as people read it; what is no number is a claim of the caller's.
func (s *Server) number(e164, dialled string) template.HTML {
	if n, ok := phone.FromString(e164); ok {
		return s.reader.tel(n)
	}
	if dialled == "" {
		dialled = e164
	}
	return template.HTML(`<bdi class="tel" dir="ltr">` + template.HTMLEscapeString(harmless(dialled, 30)) + `</bdi>`) //nolint:gosec // escaped
}

// placeOf is where a call went: the name in the price list, or the country.
func placeOf(c *call.CDR) string {
	if c.Rate != "" {
		return c.Rate
	}
	return records.CountryName(c.Country)
}

// lineText is a line's handle and its name.
func (s *Server) lineText(id string) template.HTML {
	text := name(account.Handle(id))
	if l, ok := s.d.Book.Line(id); ok && l.Name() != "" {
		text += " " + template.HTML(`<bdi>`+template.HTMLEscapeString(harmless(l.Name(), 40))+`</bdi>`) //nolint:gosec // escaped
	}
	return text
}

// result is why a call ended, in two or three words.
func (s *Server) result(q *query, reason string) string {
	key := word("calls.end-" + reason)
	if _, ok := q.words.texts[key]; !ok {
		key = "calls.end-other"
	}
	return q.t(key)
}

// liveOf are a customer's calls in progress, or a line's, the dearest first.
func (s *Server) liveOf(q *query, line string) (out []gate.InProgress) {
	if s.d.Calls == nil {
		return nil
	}
	for _, c := range s.d.Calls() {
		if c.Account == q.Customer && !c.Priced && (line == "" || c.Line == line) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b gate.InProgress) int { return int(b.SoFar(q.now)/1000 - a.SoFar(q.now)/1000) })
	return out
}

func (s *Server) liveRows(q *query, all []gate.InProgress) (rows []liveRow, rest string) {
	may := q.may("cut-call") == nil
	var left money.Micro
	for i := range all {
		if i >= mostLive {
			left = left.Add(all[i].SoFar(q.now))
			continue
		}
		rows = append(rows, s.liveRow(q, &all[i], may))
	}
	if n := len(all) - mostLive; n > 0 {
		rest = q.t("calls.rest", "n", n, "sum", s.reader.money(left))
	}
	return rows, rest
}

func (s *Server) liveRow(q *query, c *gate.InProgress, may bool) liveRow {
	row := liveRow{
		ID: string(c.ID), Path: "/calls/" + string(c.ID), Number: s.number(c.Number, c.Dialled), Place: name(c.Quote.Price.Name), Line: s.lineText(c.Line),
		Talk: s.reader.length(c.Talk(q.now)), Cost: s.reader.money(c.SoFar(q.now)), Rate: q.t("calls.a-minute", "rate", s.reader.rate(c.Rate())), Cutting: c.Cutting, MayCut: may,
	}
	row.Chip, row.Icon, row.Says = s.chipOf(q, c.Direction, call.Talked)
	switch {
	case c.Cutting:
		row.State = q.t("calls.hanging-up")
	case c.State == call.Answered:
		row.State, row.Since = q.t("calls.talking"), c.AnsweredAt.Format(time.RFC3339)
	case c.State == call.Ending:
		row.State, row.MayCut = q.t("calls.ending"), false
	default:
		row.State, row.Talk = q.t("calls.ringing"), ""
	}
	return row
}

// long is how long a call may have lasted before hanging up asks.
const long = 10 * time.Minute

// hangUp ends a call in progress, from the list or from its own page. A long one is asked about once.
func (s *Server) hangUp(q *query) (page, error) {
	id := call.ID(q.form.Get("call"))
	to := "/calls"
	if q.form.Get("to") == "call" {
		to = "/calls/" + url.PathEscape(string(id))
	}
	return s.cut(q, id, to)
}

func (s *Server) cut(q *query, id call.ID, to string) (page, error) {
	if err := q.may("cut-call"); err != nil {
		return page{}, err
	}
	live := s.liveOf(q, "")
	i := slices.IndexFunc(live, func(c gate.InProgress) bool { return c.ID == id })
	if i < 0 {
		return s.over(q, id, to)
	}
	c := &live[i]
	if talk := c.Talk(q.now); talk >= long && q.form.Get("sure") == "" {
		return q.ask("calls.sure", formView{
			Text:   []template.HTML{q.mark("calls.sure-what", "number", s.number(c.Number, c.Dialled), "time", s.reader.length(talk), "sum", s.reader.money(c.SoFar(q.now)))},
			Hidden: []pair{{"call", string(id)}, {"sure", "yes"}, {"to", q.form.Get("to")}}, Button: q.t("calls.hang-up"), Grave: true, Acts: []act{{Text: q.t("calls.let"), Path: to}},
		}), nil
	}
	if s.d.Cut == nil || !s.d.Cut(id, policy.CutByOwner, q.ID) {
		return s.over(q, id, to)
	}
	return page{see: to}, nil
}

// over is the answer when a call that was to be hung up is not in progress: it has ended, or is another's, or never was.
func (s *Server) over(q *query, id call.ID, to string) (page, error) {
	_, err := s.d.Records.Story(q.Context(), q.Customer, id)
	if errors.Is(err, book.ErrNotFound) {
		return page{}, errMissing
	}
	return page{see: to}, err
}

// callsVersion says whether the list would look different: which calls are up and how, and which record is the latest. Seconds and pence of
// calls that are up are counted by the minute, because the page is read again for each change.
func (s *Server) callsVersion(q *query) (string, error) {
	if err := q.may("list-cdrs"); err != nil {
		return "", err
	}
	latest, err := s.d.Records.Latest(q.Context(), q.Customer)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(string(latest))
	for _, c := range s.liveOf(q, "") {
		fmt.Fprint(&b, " ", c.ID, c.State, c.Cutting, c.Ringing.IsZero())
		if c.State == call.Answered {
			fmt.Fprint(&b, int(c.Talk(time.Now())/(5*time.Second)))
		}
	}
	return b.String(), nil
}

// callsFile is every call that fits, for a spreadsheet.
func (s *Server) callsFile(q *query, w http.ResponseWriter) error {
	if err := q.may("list-cdrs"); err != nil {
		return err
	}
	x, err := s.looking(q)
	if err != nil {
		return err
	}
	x.Before, x.Newest, x.Open = "", "", ""
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="calls.csv"`)
	return s.d.Records.File(q.Context(), w, &x, q.now)
}
