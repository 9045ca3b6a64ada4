package web

import (
	"errors"
	"html/template"
	"net/http"
	"time"

	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/people"
)

var _ = serves(func(s *Server) {
	if s.d.People == nil {
		return
	}
	s.page("GET /in", public, s.askName)
	s.raw("POST /in", s.signIn)
	s.page("GET /in/code", public, s.askCode)
	s.raw("POST /in/code", s.showCode)
	s.page("GET /in/link/{once}", public, s.askLink)
	s.raw("POST /in/link/{once}", s.followLink)
	s.page("GET /in/lost", public, s.lost)
	s.raw("POST /out", s.signOut)
})

// formView is a page with one form.
type formView struct {
	Text    []template.HTML
	Errors  []field
	Fault   string       // of the form as a whole
	Passkey *passkeyForm // another way, before the form
	Adds    bool         // the form makes a passkey
	Fields  []field
	Button  string
	Grave   bool
	Hidden  []pair
	Acts    []act
	Once    []string // secrets, shown once, to copy
}

func (q *query) ask(title word, v formView, values ...any) page {
	v.Errors = wrong(v.Fields...)
	return page{name: "form", title: q.t(title, values...), shape: "narrow", data: v}
}

// posted is the query of a form that answers with a cookie, or tells what is wrong.
func (s *Server) posted(w http.ResponseWriter, r *http.Request) (*query, bool) {
	q, err := s.query(w, r, public)
	if err == nil {
		err = s.noSession(r)
	}
	if err != nil {
		s.fail(w, r, err)
		return nil, false
	}
	return q, true
}

func (s *Server) namePage(q *query, name, fault string) page {
	key := s.passkeyForm(q, people.ToEnter, "/in/passkey")
	if key != nil {
		key.Name = "name"
	}
	return q.ask("in.title", formView{
		Fault: fault, Passkey: key,
		Fields: []field{
			{Name: "name", Label: q.t("in.name"), Help: q.t("in.name-help"), Value: name, Complete: "username", Most: 254, Needed: true},
			{Name: "password", Label: q.t("in.password"), Type: "password", Complete: "current-password", Most: 512, Needed: true},
		},
		Button: q.t("in.go"), Acts: []act{{Text: q.t("in.lost"), Path: "/in/lost"}},
	})
}

func (s *Server) askName(q *query) (page, error) {
	if err := s.noSession(q.Request); err != nil {
		return page{}, err
	}
	return s.namePage(q, "", ""), nil
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	q, ok := s.posted(w, r)
	if !ok {
		return
	}
	in, err := s.d.People.Password(r.Context(), q.form.Get("name"), q.form.Get("password"), s.whence(r))
	if err != nil {
		s.tryAgain(w, q, err, "in.refused", func(why string) page { return s.namePage(q, q.form.Get("name"), why) })
		return
	}
	s.entered(w, r, in)
}

// tryAgain shows a form again with what is wrong with it.
func (s *Server) tryAgain(w http.ResponseWriter, q *query, err error, refused word, form func(string) page) {
	why, status := "", http.StatusUnprocessableEntity
	var wait *people.Wait
	switch {
	case errors.As(err, &wait):
		why, status = q.t("in.wait", "n", max(1, int(wait.For.Minutes()))), http.StatusTooManyRequests
	case errors.Is(err, people.ErrRefused):
		why = q.t(refused)
	case errors.Is(err, people.ErrOver):
		why = q.t("in.over")
	default:
		s.fail(w, q.Request, err)
		return
	}
	p := form(why)
	p.status = status
	s.write(w, q.Request, &p, q)
}

// entered sets the cookie of a new session in place of whatever the browser had, or of half a sign-in, and goes on.
func (s *Server) entered(w http.ResponseWriter, r *http.Request, in people.Entered) {
	if in.Half {
		s.setCookie(w, r, halfCookie, in.Text, in.Until)
		http.Redirect(w, r, "/in/code", http.StatusSeeOther)
		return
	}
	if old := s.cookie(r, sessionCookie); old != "" {
		if err := s.d.People.Leave(r.Context(), old); err != nil {
			s.log.Warn("the session before was not ended", "error", err)
		}
	}
	s.setCookie(w, r, sessionCookie, in.Text, in.Until)
	to := "/me"
	switch {
	case in.Person.Role.Staff() && !in.Person.Second():
	case in.Person.Customer != "":
		to = "/"
	case s.exists("/staff"):
		to = "/staff"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (s *Server) codePage(q *query, fault string) page {
	var key *passkeyForm
	if p, ok := s.d.People.Halfway(q.Context(), s.cookie(q.Request, halfCookie)); ok && len(p.Passkeys) > 0 {
		key = s.passkeyForm(q, people.ToGoOn, "/in/code")
	}
	return q.ask("in.code-title", formView{
		Fault: fault, Passkey: key,
		Fields: []field{{
			Name: "code", Label: q.t("in.code"), Help: q.t("in.code-help"), Complete: "one-time-code", Mode: "numeric", Most: 40, Needed: true,
		}},
		Button: q.t("in.go"), Acts: []act{{Text: q.t("in.begin-again"), Path: "/in"}},
	})
}

func (s *Server) askCode(q *query) (page, error) {
	if s.cookie(q.Request, halfCookie) == "" {
		return page{see: "/in"}, nil
	}
	return s.codePage(q, ""), nil
}

func (s *Server) showCode(w http.ResponseWriter, r *http.Request) {
	q, ok := s.posted(w, r)
	if !ok {
		return
	}
	half := s.cookie(r, halfCookie)
	var in people.Entered
	var err error
	if answer := q.form.Get("answer"); answer != "" {
		in, err = s.d.People.SecondByPasskey(r.Context(), half, []byte(answer), s.whence(r))
	} else {
		in, err = s.d.People.Second(r.Context(), half, q.form.Get("code"), s.whence(r))
	}
	if err != nil {
		s.tryAgain(w, q, err, "in.refused", func(why string) page { return s.codePage(q, why) })
		return
	}
	s.setCookie(w, r, halfCookie, "", time.Time{})
	s.entered(w, r, in)
}

// askLink says whom a link would sign in. Opening it does nothing, since mail programs open links.
func (s *Server) askLink(q *query) (page, error) {
	if err := s.noSession(q.Request); err != nil {
		return page{}, err
	}
	once := q.PathValue("once")
	p, ok := s.d.People.LinkFor(q.Context(), once)
	if len(once) > maxToken || !ok {
		return page{}, &fault{status: http.StatusNotFound, title: "in.no-link", text: "in.no-link-what"}
	}
	return q.ask("in.link-title", formView{Text: []template.HTML{q.mark("in.link-what", "login", name(p.Login))}, Button: q.t("in.link-go")}, "name", p.Login), nil
}

func (s *Server) followLink(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.posted(w, r); !ok {
		return
	}
	once := r.PathValue("once")
	if len(once) > maxToken {
		once = ""
	}
	in, err := s.d.People.Follow(r.Context(), once, s.whence(r))
	var wait *people.Wait
	switch {
	case errors.As(err, &wait):
		s.fail(w, r, &fault{status: http.StatusTooManyRequests, title: "error.too-many", text: "error.too-many-what"})
	case errors.Is(err, people.ErrRefused):
		s.fail(w, r, &fault{status: http.StatusNotFound, title: "in.no-link", text: "in.no-link-what"})
	case err != nil:
		s.fail(w, r, err)
	default:
		s.entered(w, r, in)
	}
}

func (s *Server) lost(q *query) (page, error) {
	text := []template.HTML{q.mark("in.lost-what"), q.mark("in.lost-codes"), q.mark("in.lost-staff")}
	return q.ask("in.lost", formView{Text: text, Acts: []act{{Text: q.t("in.title"), Path: "/in"}}}), nil
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	if text := s.cookie(r, sessionCookie); text != "" {
		if err := s.d.People.Leave(r.Context(), text); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	s.setCookie(w, r, sessionCookie, "", time.Time{})
	s.setCookie(w, r, halfCookie, "", time.Time{})
	http.Redirect(w, r, "/in", http.StatusSeeOther)
}

// said is what a person can do about an error of a form; "" is an error that they can do nothing about.
func said(q *query, err error) string {
	var invalid *book.Invalid
	var weak *secret.Weak
	var wait *people.Wait
	switch {
	case errors.As(err, &wait):
		return q.t("in.wait", "n", max(1, int(wait.For.Minutes())))
	case errors.As(err, &weak):
		return weak.Error()
	case errors.As(err, &invalid):
		return invalid.Error()
	case errors.Is(err, people.ErrExists):
		return q.t("in.exists")
	case errors.Is(err, people.ErrLast):
		return q.t("in.last")
	case errors.Is(err, errReplace):
		return q.t("me.replace-waits")
	case errors.Is(err, people.ErrLastFactor):
		return q.t("me.last-factor")
	case errors.Is(err, people.ErrPasskey):
		return q.t("me.passkey-failed")
	case errors.Is(err, people.ErrOver):
		return q.t("in.over")
	case errors.Is(err, people.ErrRefused):
		return q.t("in.refused")
	}
	return ""
}
