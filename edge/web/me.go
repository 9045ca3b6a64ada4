package web

import (
	"context"
	"errors"
	"html/template"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/person"
	"ringfence/core/when"
	"ringfence/flow/people"
)

var _ = serves(func(s *Server) {
	if s.d.People == nil {
		return
	}
	s.page("GET /me", anyone, s.me)
	s.page("POST /me", anyone, s.changeMe)
	s.page("GET /me/prove", anyone, s.askProof)
	s.page("POST /me/prove", anyone, s.prove)
	s.page("GET /people", anyone, s.people)
	s.page("POST /people", anyone, s.changePeople)
	s.file("POST /people/export", customer, s.exportHeld)
	s.page("GET /tokens", anyone, s.tokens)
	s.page("POST /tokens", anyone, s.changeTokens)
})

// meView is one's own page.
type meView struct {
	Login, Role, Mail string
	Password, TOTP    bool
	HasPasskeys       bool // they can be made here
	Passkeys          []people.Passkey
	Recovery          int
	Enrol             bool
	Sessions          []sessionView
	NewPassword       field
	Fault             string
}

type sessionView struct {
	people.Session
	Address template.HTML
}

func (s *Server) me(q *query) (page, error) { return s.mePage(q, "") }

func (s *Server) mePage(q *query, fault string) (page, error) {
	p, err := s.d.People.Person(q.Context(), q.Who.Person)
	if err != nil {
		return page{}, err
	}
	all, err := s.d.People.Sessions(q.Context(), p.ID, s.cookie(q.Request, sessionCookie))
	if err != nil {
		return page{}, err
	}
	v := meView{Login: p.Login, Role: q.t("people.role-" + word(p.Role)), Mail: p.Mail, Password: p.Password, TOTP: p.TOTP, HasPasskeys: s.d.People.HasPasskeys(), Recovery: p.Recovery, Enrol: q.Who.Enrol, Fault: fault}
	for _, k := range p.Passkeys {
		k.Made, k.Used = q.at(k.Made), q.at(k.Used)
		v.Passkeys = append(v.Passkeys, k)
	}
	for _, x := range all {
		x.Made, x.Seen = q.at(x.Made), q.at(x.Seen)
		v.Sessions = append(v.Sessions, sessionView{x, bdi(addrOf(x.From).String())})
	}
	v.NewPassword = field{Name: "password", Label: q.t("me.new-password"), Help: q.t("me.password-help"), Type: "password", Complete: "new-password", Most: 512, Needed: true}
	return page{name: "me", title: q.t("me.title", "name", q.Name), nav: "/me", shape: "middle", data: v}, nil
}

// changeMe does what a form of one's own page asks. What changes how one gets in asks for a factor again.
func (s *Server) changeMe(q *query) (page, error) {
	ctx, id, own := q.Context(), q.Who.Person, s.cookie(q.Request, sessionCookie)
	do := q.form.Get("do")
	if do == "end" { // ending sessions only tightens
		if _, err := s.d.People.SignOut(ctx, q.ID, id, q.form.Get("session"), own); err != nil && !errors.Is(err, people.ErrNotFound) {
			return page{}, err
		}
		return page{see: "/me"}, nil
	}
	if see := q.fresh("/me"); see != "" {
		return page{see: see}, nil
	}
	var err error
	switch do {
	case "unkey":
		var p page
		if p, err = s.removePasskey(q); err == nil || errors.Is(err, people.ErrNotFound) {
			return p, nil
		}
	case "password":
		if err = s.d.People.SetPassword(ctx, q.ID, id, q.form.Get("password"), own); err == nil {
			return page{see: "/me"}, nil
		}
	case "unapp":
		var p page
		if p, err = s.removeTOTP(q); err == nil || errors.Is(err, people.ErrNotFound) {
			return p, nil
		}
	case "app":
		if err = s.replacesTOTP(q); err != nil {
			break
		}
		var e people.Enrolment
		if e, err = s.d.People.BeginTOTP(ctx, q.ID, id); err == nil {
			return s.appPage(q, e), nil
		}
	case "confirm":
		if err = s.replacesTOTP(q); err != nil {
			break
		}
		var codes []string
		if codes, err = s.d.People.ConfirmTOTP(ctx, q.ID, id, q.form.Get("code"), own); err == nil {
			return s.codesPage(q, codes), nil
		}
	case "codes":
		var codes []string
		if codes, err = s.d.People.NewRecovery(ctx, q.ID, id); err == nil {
			return s.codesPage(q, codes), nil
		}
	default:
		return page{see: "/me"}, nil
	}
	if why := said(q, err); why != "" {
		return s.mePage(q, why)
	}
	return page{}, err
}

// appPage shows a new secret, once.
func (s *Server) appPage(q *query, e people.Enrolment) page {
	p := q.ask("me.app-title", formView{
		Text: []template.HTML{q.mark("me.app-what")}, Once: []string{spacedOut(e.Secret), e.URL},
		Fields: []field{{Name: "code", Label: q.t("in.code"), Help: q.t("me.app-code"), Complete: "one-time-code", Mode: "numeric", Most: 12, Needed: true}},
		Hidden: []pair{{"do", "confirm"}}, Button: q.t("me.app-go"),
	})
	p.secret = true
	return p
}

// codesPage shows recovery codes, once; without any, the app is all that changed.
func (s *Server) codesPage(q *query, codes []string) page {
	if len(codes) == 0 {
		return page{see: "/me"}
	}
	p := q.ask("me.codes-title", formView{
		Text: []template.HTML{q.mark("me.codes-what"), q.mark("me.codes-date", "date", s.reader.date(q.at(q.now)))}, Once: codes, Acts: []act{{Text: q.t("me.back"), Path: "/me"}},
	})
	p.secret = true
	return p
}

// spacedOut makes groups of four, to type.
func spacedOut(text string) string {
	var parts []string
	for part := range slices.Chunk([]byte(text), 4) {
		parts = append(parts, string(part))
	}
	return strings.Join(parts, " ")
}

// after is where to go after a factor was shown: a page of ours, and nothing from elsewhere.
func (s *Server) after(to string) string {
	if u, err := url.Parse(to); err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(to, "/") && s.routed(u.EscapedPath()) {
		return u.String()
	}
	return "/me"
}

func (s *Server) provePage(q *query, fault string) page {
	label, complete, mode := q.t("in.password"), "current-password", ""
	kind := "password"
	to := pair{"to", s.after(q.form.Get("to"))}
	var key *passkeyForm
	p, err := s.d.People.Person(q.Context(), q.Who.Person)
	if len(p.Passkeys) > 0 {
		key = s.passkeyForm(q, people.ToProve, "/me/prove", to)
	}
	if err == nil && p.Second() {
		label, complete, mode, kind = q.t("in.code"), "one-time-code", "numeric", "text"
	} else if err == nil && !p.Password {
		return q.ask("me.prove-title", formView{Text: []template.HTML{q.mark("me.prove-link")}})
	}
	return q.ask("me.prove-title", formView{
		Text: []template.HTML{q.mark("me.prove-what")}, Fault: fault, Passkey: key, Hidden: []pair{to},
		Fields: []field{{Name: "code", Label: label, Type: kind, Complete: complete, Mode: mode, Most: 512, Needed: true}}, Button: q.t("me.prove-go"),
	})
}

func (s *Server) askProof(q *query) (page, error) { return s.provePage(q, ""), nil }

func (s *Server) prove(q *query) (page, error) {
	own, err := s.cookie(q.Request, sessionCookie), error(nil)
	if answer := q.form.Get("answer"); answer != "" {
		err = s.d.People.ProveByPasskey(q.Context(), own, []byte(answer), s.whence(q.Request))
	} else {
		err = s.d.People.Prove(q.Context(), own, q.form.Get("code"), s.whence(q.Request))
	}
	var wait *people.Wait
	switch {
	case err == nil:
		return page{see: s.after(q.form.Get("to"))}, nil
	case errors.As(err, &wait):
		return s.provePage(q, q.t("in.wait", "n", max(1, int(wait.For.Minutes())))), nil
	case errors.Is(err, people.ErrRefused):
		return s.provePage(q, q.t("in.refused")), nil
	case errors.Is(err, people.ErrOver):
		return s.provePage(q, q.t("in.over")), nil
	}
	return page{}, err
}

// peopleView is who else may sign in.
type peopleView struct {
	People           []personRow
	Add              []field
	MayEdit          bool
	MayExport        bool
	Notices, History string // paths, of a customer
	Fault            string
}

type personRow struct {
	people.Person
	RoleText string
	Self     bool
	Roles    []choice
}

// operation is that of a customer's people, or of staff.
func (q *query) operation(verb string) string {
	if q.Customer == "" {
		return verb + "-staff"
	}
	return verb + "-person"
}

func (s *Server) people(q *query) (page, error) { return s.peoplePage(q, "") }

func (s *Server) peoplePage(q *query, fault string) (page, error) {
	list := "list-people"
	if q.Customer == "" {
		list = "list-staff"
	}
	if err := q.may(list); err != nil {
		return page{}, err
	}
	all, err := s.d.People.List(q.Context(), q.Customer)
	if err != nil {
		return page{}, err
	}
	v := peopleView{MayEdit: q.may(q.operation("add")) == nil, MayExport: s.mayExport(q) == nil, Fault: fault}
	if q.Customer != "" {
		v.Notices, v.History = s.known("/notices"), s.known("/history")
	}
	for _, p := range all {
		v.People = append(v.People, personRow{p, q.t("people.role-" + word(p.Role)), p.ID == q.Who.Person, roleChoices(q, p.Role)})
	}
	roles := field{Name: "role", Label: q.t("people.role"), Most: 20, Choices: roleChoices(q, person.Role(q.form.Get("role")))}
	v.Add = []field{
		{Name: "handle", Label: q.t("people.handle"), Help: q.t("people.handle-help"), Value: q.form.Get("handle"), Most: person.MaxNameLen, Needed: true},
		{Name: "name", Label: q.t("people.name"), Value: q.form.Get("name"), Most: 200},
		{Name: "mail", Label: q.t("people.mail"), Type: "email", Value: q.form.Get("mail"), Most: 254},
		roles,
	}
	return page{name: "people", title: q.t("people.title", "n", len(all)), nav: "/people", data: v}, nil
}

// mayExport says whether the reader may have what is held about their own customer: a reseller has no business with the people of its customers.
func (s *Server) mayExport(q *query) error {
	if s.d.Export == nil || q.Customer == "" || q.Under != "" {
		return errMissing
	}
	return q.may("export-customer")
}

// exportHeld is everything that is held about a customer, as an archive.
func (s *Server) exportHeld(q *query, w http.ResponseWriter) error {
	if err := s.mayExport(q); err != nil {
		return err
	}
	if see := q.fresh("/people"); see != "" {
		http.Redirect(w, q.Request, q.Under+see, http.StatusSeeOther)
		return nil
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": account.Handle(q.Customer) + ".zip"}))
	return s.d.Export(q.Context(), w, q.Customer, q.ID)
}

func roleChoices(q *query, now person.Role) (all []choice) {
	for _, r := range person.Of(q.Customer == "") {
		all = append(all, choice{string(r), q.t("people.role-" + word(r)), r == now})
	}
	return all
}

// changePeople does what a form of the page asks; each is an operation of the table.
func (s *Server) changePeople(q *query) (page, error) {
	verb := map[string]string{"add": "add", "link": "link", "out": "sign-out", "remove": "delete", "role": "change"}[q.form.Get("do")]
	if verb == "" {
		return page{see: "/people"}, nil
	}
	if err := q.may(q.operation(verb)); err != nil {
		return page{}, err
	}
	if see := q.fresh("/people"); see != "" {
		return page{see: see}, nil
	}
	ctx := q.Context()
	if verb == "add" {
		return s.addPerson(q, people.NewPerson{
			Customer: q.Customer, Handle: q.form.Get("handle"), Name: q.form.Get("name"), Mail: q.form.Get("mail"), Role: person.Role(q.form.Get("role")),
		})
	}
	p, err := s.d.People.Called(ctx, q.Customer, q.form.Get("person")) // of one's own customer only
	if err != nil {
		return page{}, err
	}
	waits := false
	switch verb {
	case "link":
		link, err := s.d.People.Link(ctx, q.ID, p.ID, people.LinkLife)
		return s.linkPage(q, p, link), err
	case "sign-out":
		_, err = s.d.People.SignOut(ctx, q.ID, p.ID, "", "")
	case "delete":
		waits, err = s.removePerson(q, p.ID)
	case "change":
		waits, err = s.changeRole(q, p.ID, person.Role(q.form.Get("role")))
	}
	if why := said(q, err); why != "" {
		return s.peoplePage(q, why)
	}
	if waits {
		return page{see: "/changes"}, err
	}
	return page{see: "/people"}, err
}

// addPerson adds a person and shows their link, or what waits.
func (s *Server) addPerson(q *query, n people.NewPerson) (page, error) {
	var p people.Person
	var link people.Link
	var waits bool
	var err error
	if s.d.Cooling == nil {
		p, link, err = s.d.People.Add(q.Context(), q.ID, n)
	} else {
		p, link, waits, err = s.d.Cooling.AddPerson(q.Context(), &q.Who, n)
	}
	if why := said(q, err); why != "" {
		return s.peoplePage(q, why)
	}
	if err != nil || waits {
		return page{see: "/changes"}, err
	}
	return s.linkPage(q, p, link), nil
}

func (s *Server) removePerson(q *query, id string) (waits bool, err error) {
	if s.d.Cooling == nil {
		return false, s.d.People.Remove(q.Context(), q.ID, id)
	}
	return s.d.Cooling.RemovePerson(q.Context(), &q.Who, id)
}

func (s *Server) changeRole(q *query, id string, role person.Role) (waits bool, err error) {
	e := people.Edit{Role: &role}
	if s.d.Cooling == nil {
		_, err = s.d.People.Change(q.Context(), q.ID, id, e)
		return false, err
	}
	_, waits, err = s.d.Cooling.ChangePerson(q.Context(), &q.Who, id, e)
	return waits, err
}

func (s *Server) linkPage(q *query, p people.Person, link people.Link) page {
	address := link.Token
	if s.d.SignIn != nil {
		address = s.d.SignIn(link.Token)
	}
	out := q.ask("people.link-title", formView{
		Text: []template.HTML{q.mark("people.link-what", "until", s.reader.when(q.at(link.Until)))}, Once: []string{address}, Acts: []act{{Text: q.t("people.back"), Path: "/people"}},
	}, "login", p.Login)
	out.secret = true
	return out
}

// tokensView is one's own tokens.
type tokensView struct {
	Tokens []tokenRow
	Add    []field
	Scopes []choice
	May    bool
	Fault  string
}

type tokenRow struct {
	people.Session
	ScopeText string
	Over      bool
}

func (s *Server) tokens(q *query) (page, error) { return s.tokensPage(q, "") }

func (s *Server) tokensPage(q *query, fault string) (page, error) {
	all, err := s.d.People.Tokens(q.Context(), q.Who.Person)
	if err != nil {
		return page{}, err
	}
	v := tokensView{Fault: fault, May: !q.Who.Enrol}
	for _, x := range all {
		var words []string
		for _, scope := range x.Scopes {
			words = append(words, string(scope))
		}
		x.Made, x.Seen, x.Until = q.at(x.Made), q.at(x.Seen), q.at(x.Until)
		v.Tokens = append(v.Tokens, tokenRow{x, strings.Join(words, ", "), !x.Until.After(q.now)})
	}
	for _, scope := range person.Scopes() {
		v.Scopes = append(v.Scopes, choice{string(scope), q.t("tokens.scope-" + word(scope)), slices.Contains(q.form["scope"], string(scope))})
	}
	v.Add = []field{
		{Name: "name", Label: q.t("tokens.name"), Help: q.t("tokens.name-help"), Value: q.form.Get("name"), Most: 40, Needed: true},
		{Name: "until", Label: q.t("tokens.until"), Help: q.t("tokens.until-help"), Value: q.form.Get("until"), Type: "date", Most: 40, Needed: true},
	}
	return page{name: "tokens", title: q.t("tokens.title", "n", len(all)), nav: "/tokens", shape: "middle", data: v}, nil
}

func (s *Server) changeTokens(q *query) (page, error) {
	if q.Who.Enrol {
		return page{}, errEnrol
	}
	ctx, id := q.Context(), q.Who.Person
	switch q.form.Get("do") {
	case "remove":
		if err := s.d.People.RemoveToken(ctx, q.ID, id, q.form.Get("token")); err != nil && !errors.Is(err, people.ErrNotFound) {
			return page{}, err
		}
	case "add":
		if see := q.fresh("/tokens"); see != "" {
			return page{see: see}, nil
		}
		return s.addToken(ctx, q, id)
	}
	return page{see: "/tokens"}, nil
}

func (s *Server) addToken(ctx context.Context, q *query, id string) (page, error) {
	var scopes []person.Scope
	for _, word := range q.form["scope"] {
		scopes = append(scopes, person.Scope(word))
	}
	until, err := when.Until(q.form.Get("until"), q.now, q.zone)
	if err != nil {
		until = time.Time{} // refused below, with what is wanted
	}
	x, text, err := s.d.People.AddToken(ctx, q.ID, id, q.form.Get("name"), scopes, until)
	if why := said(q, err); why != "" {
		return s.tokensPage(q, why)
	}
	if err != nil {
		return page{}, err
	}
	p := q.ask("tokens.made", formView{Text: []template.HTML{q.mark("tokens.made-what")}, Once: []string{text}, Acts: []act{{Text: q.t("tokens.back"), Path: "/tokens"}}}, "name", account.Handle(x.Name))
	p.secret = true
	return p, nil
}
