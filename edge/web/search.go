package web

import (
	"fmt"
	"html/template"
	"net/http"
	"strconv"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/person"
	"ringfence/flow/book"
	"ringfence/flow/desk"
)

var _ = serves(func(s *Server) {
	if s.d.Desk == nil {
		return
	}
	s.page("GET /staff/search", staff, s.search)
	s.page("GET /staff/customers/{customer}", staff, s.customerOf)
	s.page("GET /staff/lines/{line}", staff, s.lineOf)
	s.page("POST /staff/lines/{line}", staff, s.helpLine)
})

// searchView is what was found, each group best first.
type searchView struct {
	Asked     field
	Customers []foundRow
	Lines     []foundRow
	Addr      *foundAddr
	Calls     []deskCall
	Findings  []relatedRow
	Number    template.HTML
	Nothing   bool
}

type foundRow struct {
	Path       string
	Name       template.HTML
	Sub        template.HTML
	Look, Text string // of a tag; "" is none
}

type foundAddr struct {
	Addr  template.HTML
	State string
	Bans  []template.HTML
}

func (s *Server) search(q *query) (page, error) {
	for _, op := range []string{"list-customers", "list-lines", "list-cdrs", "list-findings"} {
		if err := q.may(op); err != nil {
			return page{}, err
		}
	}
	text := q.form.Get("q")
	f, err := s.d.Desk.Search(q.Context(), text)
	if err != nil {
		return page{}, err
	}
	v := searchView{Asked: field{Name: "q", Label: q.t("search.box"), Help: q.t("search.help"), Value: harmless(text, 200), Type: "search", Complete: "off", Most: 200}}
	for i := range f.Customers {
		v.Customers = append(v.Customers, s.customerRow(q, &f.Customers[i]))
	}
	for _, l := range f.Lines {
		v.Lines = append(v.Lines, s.lineFound(q, l))
	}
	for i := range f.Calls {
		v.Calls = append(v.Calls, s.deskCall(q, &f.Calls[i]))
	}
	v.Findings = s.findingRows(q, f.Findings)
	if !f.Number.IsZero() {
		v.Number = s.reader.tel(f.Number)
	}
	if f.Addr != nil && q.may("explain-ban") == nil {
		v.Addr = s.foundAddr(q, f.Addr)
	}
	v.Nothing = text != "" && f.Empty()
	title := q.t("search.title")
	switch n := len(v.Customers) + len(v.Lines) + len(v.Calls) + len(v.Findings); {
	case v.Nothing:
		title = q.t("search.nothing", "text", harmless(text, 60))
	case text != "":
		title = q.t("search.found", "n", n, "text", harmless(text, 60))
	}
	return page{name: "search", title: title, nav: "/staff/search", shape: "staff", data: v}, nil
}

func (s *Server) customerRow(q *query, c *book.CustomerView) foundRow {
	return foundRow{Path: "/staff/customers/" + account.Handle(c.ID), Name: name(customerName(c)), Sub: q.mark("search.lines-of", "handle", bdi(account.Handle(c.ID)), "n", c.Lines)}
}

func (s *Server) lineFound(q *query, l *book.Line) foundRow {
	r := foundRow{Path: "/staff/lines/" + l.Handle(), Name: bdi(l.Handle()), Sub: name(l.Name())}
	if d, _ := s.reader.plan.Parse("+" + l.Number()); l.Number() != "" && !d.Number.IsZero() {
		r.Name += " · " + s.reader.tel(d.Number)
	}
	if c, ok := s.d.Book.Customer(l.Customer()); ok {
		r.Sub = name(customerName(&c)) + " " + r.Sub
	}
	if l.Locked() {
		r.Look, r.Text = "grave", q.t("search.locked")
	}
	return r
}

func (s *Server) findingRows(q *query, all []desk.Finding) (rows []relatedRow) {
	for i := range all {
		f := &all[i]
		kind, _ := detect.ParseKind(f.Kind)
		r := relatedRow{Icon: "flag", Path: fmt.Sprintf("/staff/queue/%d", f.ID), At: q.at(f.At), Amount: q.t("queue.open")}
		r.Title = s.whose(desk.Subject{Line: f.Line, Customer: f.Account}, f.Source) + " · " + template.HTML(template.HTMLEscapeString(kind.Title())) //nolint:gosec // escaped
		if !f.ClosedAt.IsZero() {
			r.Amount = q.t("queue.closed-by", "who", harmless(f.ClosedBy, 40))
		}
		rows = append(rows, r)
	}
	return rows
}

func (s *Server) foundAddr(q *query, f *desk.FoundAddr) *foundAddr {
	v := &foundAddr{Addr: bdi(f.Addr.String()), State: q.t("search.not-banned")}
	switch {
	case f.State.Banned:
		v.State = q.t("search.banned")
	case f.State.Exempt != "":
		v.State = q.t("search.exempt", "why", harmless(f.State.Exempt, 120))
	}
	for _, b := range f.State.Held {
		v.Bans = append(v.Bans, q.mark("search.ban", "net", bdi(b.Net.String()), "until", s.reader.when(q.at(b.Until)), "by", name(b.By), "why", bdi(harmless(b.Why, 160))))
	}
	return v
}

// lineView is a line as support needs it on the telephone.
type lineOfView struct {
	Handle   string
	Facts    []deskFact
	Refused  []saidCall
	Calls    []deskCall
	Devices  []deviceRow
	Findings []relatedRow
	Help     []act
	Toast    *toast
	AsTheySee
}

// AsTheySee is where the customer's own page is shown.
type AsTheySee struct{ Path string }

type deskFact struct{ Name, Value template.HTML }

// saidCall is a refused call with the sentence that support reads aloud.
type saidCall struct {
	deskCall
	Says  string
	Again string // "" is never
}

// aloud says of each call why it was refused, in one sentence; calls of a number that were refused for the same reason are one.
func (s *Server) aloud(q *query, all []desk.Refusal) (rows []saidCall) {
	for i := range all {
		c := &all[i].CDR
		r := saidCall{deskCall: s.deskCall(q, c), Says: q.t("support.says", "number", s.dialled(c.Number, c.Dialled), "at", s.reader.human(q.at(c.Begun)), "why", harmless(c.Text, 200))}
		if all[i].More > 0 {
			r.Again = q.t("support.says-again", "n", all[i].More)
		}
		rows = append(rows, r)
	}
	return rows
}

func (s *Server) lineOf(q *query) (page, error) { return s.lineOfPage(q, "") }

func (s *Server) lineOfPage(q *query, fault string) (page, error) {
	for _, op := range []string{"get-line", "list-cdrs"} {
		if err := q.may(op); err != nil {
			return page{}, err
		}
	}
	l, err := s.d.Desk.Line(q.Context(), q.PathValue("line"))
	if err != nil {
		return page{}, err
	}
	v := lineOfView{Handle: l.Line.Handle(), Findings: s.findingRows(q, l.Findings), AsTheySee: AsTheySee{"/staff/customers/" + account.Handle(l.Customer.ID) + "?as=customer"}}
	add := func(key word, value template.HTML) {
		v.Facts = append(v.Facts, deskFact{q.mark(key), value})
	}
	add("support.customer", linkTo("/staff/customers/"+account.Handle(l.Customer.ID), name(customerName(&l.Customer))))
	if l.Line.Name() != "" {
		add("support.name", name(l.Line.Name()))
	}
	if d, _ := s.reader.plan.Parse("+" + l.Line.Number()); !d.Number.IsZero() {
		add("support.number", s.reader.tel(d.Number))
	}
	add("support.phones", q.mark("support.phones-now", "n", l.Phones))
	add("support.login", q.mark("support.login-"+word(strconv.FormatBool(l.Line.Login()))))
	if l.Line.Locked() {
		add("support.lock", bdi(harmless(l.Line.LockWhy(), 200)))
	}
	v.Refused = s.aloud(q, l.Refused)
	for i := range l.Calls {
		v.Calls = append(v.Calls, s.deskCall(q, &l.Calls[i]))
	}
	for i := range l.Devices {
		v.Devices = append(v.Devices, s.deviceRow(q, &l.Devices[i]))
	}
	v.Help = s.helpWith(q, l)
	switch {
	case fault != "":
		v.Toast = &toast{Text: fault}
	case q.Method == http.MethodGet && q.form.Get("did") != "":
		v.Toast = s.helped(q, l)
	}
	title := q.t("support.line", "line", l.Line.Handle())
	switch {
	case l.Line.Locked():
		title = q.t("support.line-locked", "line", l.Line.Handle())
	case len(l.Refused) > 0:
		title = q.t("support.line-refused", "line", l.Line.Handle(), "n", desk.Count(l.Refused))
	}
	return page{name: "support-line", title: title, nav: "/staff/search", shape: "staff", crumbs: []crumb{{q.t("frame.search"), "/staff/search"}, {harmless(customerName(&l.Customer), 60), "/staff/customers/" + account.Handle(l.Customer.ID)}}, data: v}, nil
}

// helpWith are what staff may do for somebody on the telephone.
func (s *Server) helpWith(q *query, l *desk.LineView) (all []act) {
	at := "/staff/lines/" + l.Line.Handle()
	if s.d.Desk.CanSend() && q.may("resend-notice") == nil && len(l.Customer.Contacts) > 0 {
		all = append(all, act{Text: q.t("support.send", "who", harmless(l.Customer.Contacts[0].Name, 40)), Path: at, Post: true, Hidden: []pair{{"do", "send"}}, Icon: "bell"})
	}
	switch {
	case l.Line.Locked() && q.may("unlock-line") == nil:
		all = append(all, act{Text: q.t("support.unlock", "line", l.Line.Handle()), Path: at, Post: true, Hidden: []pair{{"do", "unlock"}}})
	case !l.Line.Locked() && q.may("lock-line") == nil:
		all = append(all, act{Text: q.t("queue.lock", "line", l.Line.Handle()), Path: at, Post: true, Hidden: []pair{{"do", "lock"}}, Look: "edged", Icon: "lock", Key: "l"})
	}
	return all
}

func (s *Server) helped(q *query, l *desk.LineView) *toast {
	did := q.form.Get("did")
	switch did {
	case "send":
		return &toast{Text: q.t("support.sent")}
	case "lock", "unlock":
	default:
		return nil
	}
	t := &toast{Text: q.t("queue.did-"+word(did), "line", l.Line.Handle())}
	if did == "lock" && q.may("unlock-line") == nil {
		t.Undo = &act{Text: q.t("queue.undo"), Path: "/staff/lines/" + l.Line.Handle(), Post: true, Hidden: []pair{{"do", "unlock"}}, Key: "u"}
	}
	return t
}

// helpLine does what support is asked for. It never sees or sets a password.
func (s *Server) helpLine(q *query) (page, error) {
	do := q.form.Get("do")
	op := map[string]string{"send": "resend-notice", "lock": "lock-line", "unlock": "unlock-line"}[do]
	if op == "" {
		return page{}, errMissing
	}
	if err := q.may(op); err != nil {
		return page{}, err
	}
	l, err := s.d.Desk.Line(q.Context(), q.PathValue("line"))
	if err != nil {
		return page{}, err
	}
	if do == "send" {
		err = s.d.Desk.Send(q.Context(), q.ID, l)
	} else {
		err = s.d.Desk.LockLine(q.Context(), q.ID, l.Line, do == "lock", q.t("support.why"))
	}
	if why := s.refused(q, err); why != "" {
		return s.lineOfPage(q, why)
	}
	return page{see: "/staff/lines/" + l.Line.Handle() + "?did=" + do}, err
}

// customerOfView is a customer as support sees it.
type customerOfView struct {
	Facts    []deskFact
	Refused  []saidCall
	Lines    []foundRow
	Findings []relatedRow
	Pager    pager
	Path     string
}

func (s *Server) customerOf(q *query) (page, error) {
	for _, op := range []string{"get-customer", "list-lines", "list-cdrs"} {
		if err := q.may(op); err != nil {
			return page{}, err
		}
	}
	c, err := s.d.Desk.Customer(q.Context(), q.PathValue("customer"), q.form.Get("after"))
	if err != nil {
		return page{}, err
	}
	if q.form.Get("as") == "customer" {
		return s.asCustomer(q, &c.Customer)
	}
	if c.Customer.Resale.Sells {
		return page{see: "/staff/resellers/" + account.Handle(c.Customer.ID)}, nil
	}
	at := "/staff/customers/" + account.Handle(c.Customer.ID)
	v := customerOfView{Path: at + "?as=customer", Findings: s.findingRows(q, c.Findings)}
	add := func(key word, value template.HTML) { v.Facts = append(v.Facts, deskFact{q.mark(key), value}) }
	add("support.handle", bdi(account.Handle(c.Customer.ID)))
	add("support.since", template.HTML(template.HTMLEscapeString(s.reader.date(q.at(c.Customer.Created))))) //nolint:gosec // escaped
	add("support.lines", q.mark("support.lines-n", "n", c.Customer.Lines))
	if r, ok := s.d.Book.Customer(c.Customer.Reseller); ok {
		add("resellers.of", linkTo("/staff/resellers/"+account.Handle(r.ID), name(customerName(&r))))
	}
	for i := range c.Customer.Contacts {
		if x := &c.Customer.Contacts[i]; i < 5 {
			add("support.contact", name(x.Name)+" "+name(x.Address))
		}
	}
	v.Refused = s.aloud(q, c.Refused)
	for _, l := range c.Lines {
		v.Lines = append(v.Lines, s.lineFound(q, l))
	}
	if c.More {
		v.Pager.Next = at + "?after=" + c.Lines[len(c.Lines)-1].Handle()
	}
	if q.form.Get("after") != "" {
		v.Pager.Back = at
	}
	return page{name: "support-customer", title: harmless(customerName(&c.Customer), 80), nav: "/staff/search", shape: "staff", crumbs: []crumb{{q.t("frame.search"), "/staff/search"}}, data: v}, nil
}

// asCustomer is the customer's own first page, as one who may only read sees it: nothing can be changed from it, and its links are the
// customer's alone.
func (s *Server) asCustomer(q *query, c *book.CustomerView) (page, error) {
	theirs := *q
	theirs.Visitor = Visitor{ID: q.ID, Name: q.Name, Customer: c.ID, Role: string(person.Reader), Who: person.Who{Person: q.Who.Person, Customer: c.ID, Role: person.Reader, Actor: q.Who.Actor}}
	if s.d.ZoneOf != nil {
		theirs.zone = s.d.ZoneOf(c.ID)
	}
	p, err := s.front(&theirs)
	if err != nil {
		return p, err
	}
	p.live, p.nav, p.shape = "", "/staff/search", "staff"
	p.crumbs = []crumb{{harmless(customerName(c), 80), "/staff/customers/" + account.Handle(c.ID)}, {q.t("support.as"), ""}}
	return p, nil
}
