package web

import (
	"cmp"
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
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/restrict"
	"ringfence/flow/ban"
	"ringfence/flow/book"
	"ringfence/flow/desk"
)

var _ = serves(func(s *Server) {
	if s.d.Desk == nil {
		return
	}
	s.page("GET /staff", staff, s.queue)
	s.page("POST /staff", staff, s.banGroup)
	s.page("GET /staff/queue/{finding}", staff, s.finding)
	s.page("POST /staff/queue/{finding}", staff, s.actOnFinding)
	s.stream("GET /staff/live", staff, s.queueVersion)
})

// queueView is what waits for staff.
type queueView struct {
	Rows     []queueRow
	More     bool
	Cause    string // a network, of which these findings are
	Ban      *act
	Empty    string
	Exposure template.HTML
	Toast    *toast
	Keys     []keyRow
}

// queueRow is a finding, a raise request, or several findings of one network.
type queueRow struct {
	Path, Look string
	Who        template.HTML
	What       string
	Risk       money.Micro
	At         time.Time
	Old, Here  bool
}

// toast says what was just done, and undoes it.
type toast struct {
	Text string
	Undo *act
}

type keyRow struct{ Key, Text string }

// oldAfter is from when on a finding has waited long.
const oldAfter = 15 * time.Minute

func (s *Server) queue(q *query) (page, error) { return s.queuePage(q, "") }

func (s *Server) queuePage(q *query, fault string) (page, error) {
	if err := q.may("list-findings"); err != nil {
		return page{}, err
	}
	cause, _ := netip.ParsePrefix(q.form.Get("cause"))
	all, err := s.d.Desk.Queue(q.Context(), cause)
	if err != nil {
		return page{}, err
	}
	v := queueView{Rows: s.queueRows(q, all, 0), More: all.More, Keys: q.keys("queue.keys-list")}
	title := q.t("queue.title", "n", all.Open+all.Requests, "risk", s.reader.money(all.Risk))
	if cause.IsValid() {
		v.Cause, title = cause.String(), q.t("queue.cause", "n", len(v.Rows), "net", cause)
		if q.may("add-ban") == nil && len(v.Rows) > 0 {
			v.Ban = &act{Text: q.t("queue.ban-net", "net", cause), Path: "/staff", Post: true, Hidden: []pair{{"cause", v.Cause}}, Look: "grave", Busy: q.t("queue.busy-ban"), Key: "b"}
		}
	}
	if len(v.Rows) == 0 {
		if err := s.emptyQueue(q, all, &v); err != nil {
			return page{}, err
		}
		title = v.Empty
	}
	if fault != "" {
		v.Toast = &toast{Text: fault}
	} else if net, err := netip.ParsePrefix(q.form.Get("banned")); err == nil {
		v.Toast = &toast{Text: q.t("queue.did-net", "net", net)}
	} else if id := q.form.Get("closed"); isNumber(id) {
		v.Toast = &toast{Text: q.t("queue.did-close", "id", id)}
	}
	return page{name: "queue", title: title, nav: "/staff", shape: "staff", live: "/staff/live", data: v}, nil
}

func isNumber(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil
}

// emptyQueue says that nothing waits, who closed the last, and what thieves could cost all the same.
func (s *Server) emptyQueue(q *query, all *desk.Queue, v *queueView) error {
	v.Empty = q.t("queue.empty")
	if f := all.Closed; f != nil {
		v.Empty = q.t("queue.empty-last", "at", s.reader.human(q.at(f.ClosedAt)), "who", harmless(f.ClosedBy, 80))
	}
	most, err := s.d.Desk.Exposure(q.Context())
	if err != nil {
		return err
	}
	v.Exposure = q.mark("queue.exposure", "money", s.reader.money(most))
	return nil
}

// keys are those of a page, from a text that names each: "J=next K=back".
func (q *query) keys(text word) (all []keyRow) {
	for _, part := range strings.Split(q.t(text), ";") {
		key, what, _ := strings.Cut(strings.TrimSpace(part), "=")
		all = append(all, keyRow{key, what})
	}
	return all
}

// queueRows are the entries and groups of a queue, by money at risk. here is the finding that is open.
func (s *Server) queueRows(q *query, all *desk.Queue, here int64) (rows []queueRow) {
	for _, g := range all.Groups {
		rows = append(rows, queueRow{
			Path: "/staff?cause=" + g.Net.String(), Look: look(g.Risk, ""), Who: bdi(g.Net.String()), What: q.t("queue.group", "n", g.N, "net", g.Net), Risk: g.Risk,
		})
	}
	for i := range all.Entries {
		e := &all.Entries[i]
		r := queueRow{Who: s.whose(e.Subject, e.Finding.Source), Risk: e.Risk, At: q.at(e.Age()), Old: q.now.Sub(e.Age()) > oldAfter}
		if e.IsRequest() {
			r.Path, r.Look = fmt.Sprintf("/staff/requests/%d", e.Request.ID), ""
			r.What = q.t("queue.raise", "field", e.Request.Field, "value", account.Format(e.Request.Field, e.Request.N))
		} else {
			kind, _ := detect.ParseKind(e.Finding.Kind)
			r.Path, r.Look, r.What, r.Here = fmt.Sprintf("/staff/queue/%d", e.Finding.ID), look(e.Risk, e.Finding.Severity), kind.Title(), e.Finding.ID == here
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b queueRow) int {
		switch {
		case a.Risk > b.Risk:
			return -1
		case a.Risk < b.Risk:
			return 1
		}
		return 0
	})
	return rows
}

func look(risk money.Micro, severity string) string {
	switch {
	case severity == detect.Critical.String():
		return "grave"
	case risk > 0:
		return "warn"
	}
	return ""
}

// whose names a customer and a line, or where neither is known an address.
func (s *Server) whose(of desk.Subject, source string) template.HTML {
	var parts []template.HTML
	if c, ok := s.d.Book.Customer(of.Customer); ok {
		parts = append(parts, name(customerName(&c)))
	}
	if of.Line != "" {
		parts = append(parts, bdi(harmless(account.Handle(of.Line), 64)))
	}
	if len(parts) == 0 && source != "" {
		parts = append(parts, bdi(harmless(source, 64)))
	}
	if len(parts) == 0 {
		return template.HTML(template.HTMLEscapeString(s.words.say("queue.nobody"))) //nolint:gosec // escaped
	}
	out := parts[0]
	for _, p := range parts[1:] {
		out += " · " + p
	}
	return out
}

// customerName is what a customer is called, or its handle.
func customerName(c *book.CustomerView) string {
	if c.Name != "" {
		return c.Name
	}
	return account.Handle(c.ID)
}

// banGroup bans the network that several findings have in common.
func (s *Server) banGroup(q *query) (page, error) {
	if err := q.may("add-ban"); err != nil {
		return page{}, err
	}
	net, err := netip.ParsePrefix(q.form.Get("cause"))
	if err != nil {
		return page{}, errMissing
	}
	err = s.d.Desk.Ban(q.Context(), q.ID, net, true, "findings of "+net.String())
	if why := s.refused(q, err); why != "" {
		return s.queuePage(q, why)
	}
	return page{see: "/staff?banned=" + net.String()}, err
}

// refused is why something was not done, where that is to be said.
func (s *Server) refused(q *query, err error) string {
	var exempt *ban.ExemptError
	var never *ban.NeverError
	var invalid *book.Invalid
	switch {
	case errors.As(err, &exempt), errors.As(err, &never), errors.As(err, &invalid), errors.Is(err, ban.ErrInvalid), errors.Is(err, ban.ErrFull):
		return q.t("queue.refused", "why", harmless(err.Error(), 300))
	case errors.Is(err, desk.ErrClosed):
		return q.t("queue.closed-before")
	case errors.Is(err, desk.ErrNothing):
		return q.t("queue.nothing")
	}
	return ""
}

// queueVersion is cheap: the newest fact of a finding.
func (s *Server) queueVersion(q *query) (string, error) {
	if err := q.may("list-findings"); err != nil {
		return "", err
	}
	return s.d.Desk.Version(q.Context())
}

// findingView is one finding with what can be done.
type findingView struct {
	ID        int64
	List      []queueRow
	Place, Of int // in the list
	Next      string
	Open      template.HTML
	Tags      []tag
	Text      template.HTML
	Signs     []signRow
	Calls     []deskCall
	Running   []deskCall
	Related   []relatedRow
	Story     []storyRow
	Customer  *customerBox
	Devices   []deviceRow
	Notes     []noteRow
	Meaning   string
	Advice    []string
	Deeds     []deed
	Toast     *toast
	Keys      []keyRow
	Note      bool
	Closed    template.HTML
	NoteField field
	MayCase   bool
	LineAt    string
}

type signRow struct {
	Text    string
	Against bool
}

type relatedRow struct {
	Icon, Path string
	Title      template.HTML
	At         time.Time
	Sub        string
	Amount     string
}

type storyRow struct {
	At         time.Time
	Look, What string
	Line       template.HTML // that it is about, where there are several
	More       template.HTML
}

type customerBox struct {
	Name, Contacts template.HTML
	Path           string
	Since          time.Time
	Lines, Before  int
	Locked         string
}

type deviceRow struct {
	Agent, Address, Network template.HTML
	Since, Last             time.Time
	Days                    int64
	Verdict                 string
}

type noteRow struct {
	By, Text template.HTML
	At       time.Time
}

// deed is an act with what it would do.
type deed struct {
	act
	Effect template.HTML
	ID     string
}

func (s *Server) finding(q *query) (page, error) { return s.findingPage(q, "") }

func (s *Server) findingPage(q *query, fault string) (page, error) {
	if err := q.may("get-finding"); err != nil {
		return page{}, err
	}
	id, err := strconv.ParseInt(q.PathValue("finding"), 10, 64)
	if err != nil {
		return page{}, errMissing
	}
	c, err := s.d.Desk.Finding(q.Context(), id)
	if err != nil {
		return page{}, err
	}
	all, err := s.d.Desk.Queue(q.Context(), netip.Prefix{})
	if err != nil {
		return page{}, err
	}
	v := findingView{ID: id, List: s.queueRows(q, all, id), Toast: s.did(q, c, fault), Keys: q.keys("queue.keys-one"), Note: q.may("note-finding") == nil}
	v.Of = len(v.List)
	for i := range v.List {
		if v.List[i].Here {
			v.Place = i + 1
			if i+1 < len(v.List) {
				v.Next = v.List[i+1].Path
			}
		}
	}
	if len(v.List) > maxBeside {
		v.List = v.List[:maxBeside]
	}
	s.fillFinding(q, c, &v)
	title := c.Kind.Title()
	if title == "" {
		title = c.Finding.Kind
	}
	return page{name: "finding", title: title, nav: "/staff", shape: "staff", live: "/staff/live", crumbs: []crumb{{q.t("frame.queue"), "/staff"}, {q.t("queue.number", "id", id), ""}}, data: v}, nil
}

// maxBeside is how much of the queue stands beside a finding.
const maxBeside = 12

func (s *Server) fillFinding(q *query, c *desk.Known, v *findingView) {
	f := &c.Finding
	v.Open = q.mark("queue.opened", "at", s.reader.moment(q.at(f.At)), "last", s.reader.when(q.at(f.Last)), "n", f.Count)
	v.Text, v.Meaning, v.Advice = bdi(harmless(f.Text, 800)), c.Kind.Meaning(), c.Kind.Advice()
	if c.Risk > 0 {
		v.Tags = append(v.Tags, tag{"grave", "", q.t("queue.at-risk", "money", s.reader.money(c.Risk))})
	}
	if c.SpentMore {
		v.Tags = append(v.Tags, tag{"", "", q.t("queue.spent-least", "money", s.reader.money(c.Spent))})
	} else if f.Line != "" || f.Account != "" {
		v.Tags = append(v.Tags, tag{"", "", q.t("queue.spent", "money", s.reader.money(c.Spent))})
	}
	for i := range c.Acted {
		v.Tags = append(v.Tags, tag{"good", "", q.t("queue.closed", "what", harmless(restrictionText(&c.Acted[i]), 120))})
	}
	if c.Line != nil && c.Line.Locked() {
		v.Tags = append(v.Tags, tag{"good", "", q.t("queue.is-locked", "line", c.Line.Handle())})
	}
	if c.Banned.Banned {
		v.Tags = append(v.Tags, tag{"good", "", q.t("queue.is-banned", "addr", c.Addr)})
	}
	if !f.ClosedAt.IsZero() {
		v.Closed = q.mark("queue.was-closed", "at", s.reader.when(q.at(f.ClosedAt)), "who", name(f.ClosedBy))
	}
	for _, x := range c.Signs {
		v.Signs = append(v.Signs, signRow{q.t("queue.sign-"+word(x.Code), "value", harmless(x.Value, 120), "n", int(x.N)), x.Against})
	}
	v.Calls = s.deskCalls(q, c.Calls)
	for i := range c.Running {
		v.Running = append(v.Running, s.deskRunning(q, &c.Running[i]))
	}
	s.relate(q, c, v)
	s.tell(q, c, v)
	s.whoIs(q, c, v)
	for _, n := range f.Notes {
		v.Notes = append(v.Notes, noteRow{name(n.By), bdi(harmless(n.Text, 2000)), q.at(n.At)})
	}
	v.NoteField = field{Name: "text", Label: q.t("queue.note"), Most: 2000, Lines: 2, Needed: true}
	v.Deeds = s.deeds(q, c)
	v.MayCase = s.d.Cases != nil && f.Account != "" && q.may("add-case") == nil
}

func restrictionText(r *restrict.Restriction) string {
	return r.Does(r.Names.String(), r.Except.String())
}

// relate lists what has the network, the customer or the number in common.
func (s *Server) relate(q *query, c *desk.Known, v *findingView) {
	add := func(icon string, of []desk.Finding) {
		for i := range of {
			f := &of[i]
			kind, _ := detect.ParseKind(f.Kind)
			r := relatedRow{Icon: icon, Path: fmt.Sprintf("/staff/queue/%d", f.ID), Title: s.whose(desk.Subject{Line: f.Line, Customer: f.Account}, f.Source) + " · " + template.HTML(template.HTMLEscapeString(kind.Title())), At: q.at(f.At)} //nolint:gosec // escaped
			if r.Amount = q.t("queue.open"); !f.ClosedAt.IsZero() {
				r.Amount = q.t("queue.closed-by", "who", harmless(f.ClosedBy, 40))
			}
			v.Related = append(v.Related, r)
		}
	}
	add("place", c.Alike)
	add("clock", c.Before)
	for i := range c.Callers {
		x := &c.Callers[i]
		v.Related = append(v.Related, relatedRow{Icon: "out", Title: q.mark("queue.called-too", "number", s.reader.tel(c.Number), "who", s.whose(desk.Subject{Line: x.Line, Customer: x.Account}, "")), At: q.at(x.Begun), Amount: s.reader.money(x.Retail)})
	}
}

// tell writes the story from the journal's facts.
func (s *Server) tell(q *query, c *desk.Known, v *findingView) {
	for _, e := range c.Story {
		code := strings.ReplaceAll(e.Kind, ".", "-")
		if e.Kind == fact.KindLoginSiege {
			code = "login-spread"
		}
		r := storyRow{At: q.at(e.At), What: q.t("queue.story-" + word(code))}
		var more []string
		for _, part := range []string{e.By, e.Addr, e.Agent, e.Number, e.Text} {
			if part != "" {
				more = append(more, harmless(part, 160))
			}
		}
		r.More = bdi(strings.Join(more, ", "))
		switch e.Kind {
		case fact.KindFindingRaised, fact.KindCallRefused, fact.KindCallsUnusual:
			r.Look = "grave"
		case fact.KindLineLocked, fact.KindLoginLocked, fact.KindBanAdded, fact.KindCallCut:
			r.Look = "good"
		case fact.KindDeviceNew, fact.KindDeviceMoved, fact.KindLoginOld:
			r.Look = "warn"
		}
		v.Story = append(v.Story, r)
		if e.More > 0 {
			first, last := s.reader.clock(q.at(e.At)), s.reader.clock(q.at(e.Until))
			text := word("queue.story-more")
			if e.Kind == fact.KindCallSettled {
				text = "queue.story-more-ended"
			}
			what := q.t(text, "n", e.More, "to", harmless(cmp.Or(e.To, e.Country, e.Number), 60))
			v.Story = append(v.Story, storyRow{At: q.at(e.Until), What: what, More: q.mark("queue.story-span", "first", first, "last", last)})
		}
	}
}

// whoIs tells of the customer and their phones.
func (s *Server) whoIs(q *query, c *desk.Known, v *findingView) {
	if c.Customer.ID != "" {
		b := &customerBox{Name: name(customerName(&c.Customer)), Path: "/staff/customers/" + account.Handle(c.Customer.ID), Since: q.at(c.Customer.Created), Lines: c.Customer.Lines, Before: len(c.Before)}
		var contacts []template.HTML
		for i, x := range c.Contacts {
			if i < 3 {
				contacts = append(contacts, name(x.Name)+" "+name(x.Address))
			}
		}
		for i, x := range contacts {
			if i > 0 {
				b.Contacts += ", "
			}
			b.Contacts += x
		}
		v.Customer = b
	}
	for i := range c.Devices {
		if i < 6 {
			v.Devices = append(v.Devices, s.deviceRow(q, &c.Devices[i]))
		}
	}
	if c.Line != nil {
		v.LineAt = "/staff/lines/" + c.Line.Handle()
	}
}

func (s *Server) deviceRow(q *query, x *desk.Device) deviceRow {
	r := deviceRow{Agent: s.reader.claim(x.Agent), Address: bdi(harmless(x.Address, 64)), Network: name(strings.TrimSpace(x.Network + " " + x.Country)), Since: q.at(x.First), Last: q.at(x.Last), Days: x.Count}
	switch x.Verdict {
	case "mine":
		r.Verdict = q.t("queue.theirs")
	case "not-mine":
		r.Verdict = q.t("queue.not-theirs")
	}
	return r
}

// deeds are the acts that are possible and permitted, each with its effect.
func (s *Server) deeds(q *query, c *desk.Known) (all []deed) {
	e := s.d.Desk.Effects(c)
	line := ""
	if c.Line != nil {
		line = c.Line.Handle()
	}
	number := s.reader.tel(c.Number)
	add := func(is bool, a desk.Act, key, button string, effect template.HTML) {
		if !is || !q.mayAll(a.Operations()) {
			return
		}
		d := deed{act{Text: button, Path: fmt.Sprintf("/staff/queue/%d", c.Finding.ID), Post: true, Hidden: []pair{{"do", string(a)}}, Key: key}, effect, "effect-" + string(a)}
		if len(all) == 0 && a == desk.Lock {
			d.Look = "grave"
		}
		all = append(all, d)
	}
	add(e.Lock, desk.Lock, "l", q.t("queue.lock", "line", line), q.mark("queue.lock-does", "line", line, "calls", q.t("queue.calls", "n", e.Cut), "phones", q.t("queue.phones", "n", e.Phones), "was", s.reader.money(e.Risk), "now", s.reader.money(0)))
	add(e.Ban, desk.Ban, "b", q.t("queue.ban"), q.mark("queue.ban-does", "addr", bdi(c.Addr.String())))
	add(e.List, desk.List, "h", q.t("queue.list"), q.mark("queue.list-does", "number", number, "customers", q.t("queue.customers", "n", e.Callers), "n", e.Times))
	add(e.FalseAlarm, desk.FalseAlarm, "f", q.t("queue.false"), q.mark("queue.false-does", "n", e.Opens))
	device := template.HTML("")
	if e.Device != nil {
		device = q.mark("queue.mine-device", "agent", s.reader.claim(e.Device.Agent), "addr", bdi(e.Device.Address))
	}
	add(e.Theirs, desk.Theirs, "c", q.t("queue.mine"), q.mark("queue.mine-does", "n", e.Opens)+" "+device)
	add(e.Close, desk.Close, "d", q.t("queue.done"), q.mark("queue.done-does"))
	return all
}

func (q *query) mayAll(operations []string) bool {
	for _, op := range operations {
		if q.may(op) != nil {
			return false
		}
	}
	return true
}

// undoes is the act that takes another back.
var undoes = map[desk.Act]desk.Act{desk.Lock: desk.Unlock, desk.Ban: desk.Unban, desk.List: desk.Unlist}

// did says what was just done, with a way back where there is one.
func (s *Server) did(q *query, c *desk.Known, fault string) *toast {
	if fault != "" {
		return &toast{Text: fault}
	}
	a := desk.Act(q.form.Get("did"))
	if q.Method == http.MethodPost || len(a.Operations()) == 0 && a != "note" {
		return nil
	}
	t := &toast{Text: q.t("queue.did-"+word(a), "line", account.Handle(c.Finding.Line), "addr", c.Addr, "number", harmless(c.Number.String(), 20), "id", c.Finding.ID)}
	if back, ok := undoes[a]; ok && q.mayAll(back.Operations()) {
		t.Undo = &act{Text: q.t("queue.undo"), Path: fmt.Sprintf("/staff/queue/%d", c.Finding.ID), Post: true, Hidden: []pair{{"do", string(back)}}, Key: "u"}
	}
	return t
}

// actOnFinding does what a button says, and shows it.
func (s *Server) actOnFinding(q *query) (page, error) {
	id, err := strconv.ParseInt(q.PathValue("finding"), 10, 64)
	if err != nil {
		return page{}, errMissing
	}
	at := fmt.Sprintf("/staff/queue/%d", id)
	if q.form.Get("do") == "note" {
		if err := q.may("note-finding"); err != nil {
			return page{}, err
		}
		text := strings.TrimSpace(q.form.Get("text"))
		if text == "" {
			return page{see: at}, nil
		}
		err := s.d.Desk.Note(q.Context(), q.ID, id, text)
		if why := s.refused(q, err); why != "" {
			return s.findingPage(q, why)
		}
		return page{see: at + "?did=note"}, err
	}
	a := desk.Act(q.form.Get("do"))
	operations := a.Operations()
	if len(operations) == 0 {
		return page{}, errMissing
	}
	for _, op := range operations {
		if err := q.may(op); err != nil {
			return page{}, err
		}
	}
	err = s.d.Desk.Do(q.Context(), q.ID, id, a)
	if why := s.refused(q, err); why != "" {
		return s.findingPage(q, why)
	}
	if a == desk.Close || a == desk.FalseAlarm || a == desk.Theirs {
		return page{see: fmt.Sprintf("/staff?closed=%d", id)}, err
	}
	return page{see: at + "?did=" + string(a)}, err
}
