package web

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"time"

	"ringfence/flow/people"
)

var _ = serves(func(s *Server) {
	if s.d.People == nil || !s.d.People.HasPasskeys() {
		return
	}
	s.raw("POST /passkey", s.askPasskey)
	s.raw("POST /in/passkey", s.enterByPasskey)
	s.page("GET /me/passkey", anyone, s.passkey)
	s.page("POST /me/passkey", anyone, s.changePasskey)
})

// passkeyForm is a button for a passkey. It is hidden until the script finds that the browser has passkeys.
type passkeyForm struct {
	To     people.Purpose
	Path   string
	Hidden []pair
	Text   string
	Name   string // of the field whose value says who it is
}

func (s *Server) passkeyForm(q *query, to people.Purpose, path string, hidden ...pair) *passkeyForm {
	if !s.d.People.HasPasskeys() {
		return nil
	}
	return &passkeyForm{To: to, Path: path, Hidden: hidden, Text: q.t("in.passkey")}
}

// askPasskey gives the script a challenge, in JSON.
func (s *Server) askPasskey(w http.ResponseWriter, r *http.Request) {
	q, ok := s.posted(w, r)
	if !ok {
		return
	}
	to := people.Purpose(q.form.Get("to"))
	text := ""
	switch to {
	case people.ToEnter:
		text = q.form.Get("name")
	case people.ToGoOn:
		text = s.cookie(r, halfCookie)
	case people.ToAdd, people.ToProve:
		text = s.cookie(r, sessionCookie)
	default:
		s.fail(w, r, errMissing)
		return
	}
	options, err := s.d.People.AskPasskey(r.Context(), to, text, s.whence(r))
	var wait *people.Wait
	switch {
	case errors.As(err, &wait):
		s.fail(w, r, &fault{status: http.StatusTooManyRequests, title: "error.too-many", text: "error.too-many-what"})
	case errors.Is(err, people.ErrOver), errors.Is(err, people.ErrRefused):
		s.fail(w, r, &fault{status: http.StatusForbidden, title: "in.code-title", text: "in.over"})
	case err != nil:
		s.fail(w, r, err)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(options) // nobody reads what cannot be written
	}
}

func (s *Server) enterByPasskey(w http.ResponseWriter, r *http.Request) {
	q, ok := s.posted(w, r)
	if !ok {
		return
	}
	in, err := s.d.People.EnterByPasskey(r.Context(), []byte(q.form.Get("answer")), s.whence(r))
	if err != nil {
		s.tryAgain(w, q, err, "in.passkey-refused", func(why string) page { return s.namePage(q, "", why) })
		return
	}
	s.setCookie(w, r, halfCookie, "", time.Time{})
	s.entered(w, r, in)
}

// passkey asks for the name of a new passkey, or for another of one that there is.
func (s *Server) passkey(q *query) (page, error) {
	if q.form.Get("key") == "" {
		if see := q.fresh("/me/passkey"); see != "" { // before the browser makes one for nothing
			return page{see: see}, nil
		}
	}
	return s.passkeyPage(q, "")
}

func (s *Server) passkeyPage(q *query, fault string) (page, error) {
	id := q.form.Get("key")
	f := field{Name: "name", Label: q.t("me.passkey-name"), Help: q.t("me.passkey-name-help"), Value: q.form.Get("name"), Most: 60, Needed: true}
	if id == "" {
		return q.ask("me.passkey-add", formView{
			Text: []template.HTML{q.mark("me.passkey-what")}, Fault: fault, Fields: []field{f}, Adds: true, Button: q.t("me.passkey-go"), Acts: []act{{Text: q.t("me.passkey-back"), Path: "/me"}},
		}), nil
	}
	p, err := s.d.People.Person(q.Context(), q.Who.Person)
	if err != nil {
		return page{}, err
	}
	i := slices.IndexFunc(p.Passkeys, func(k people.Passkey) bool { return k.ID == id })
	if i < 0 {
		return page{}, errMissing
	}
	if q.Method == http.MethodGet {
		f.Value = harmless(p.Passkeys[i].Name, 60)
	}
	return q.ask("me.passkey-rename", formView{
		Fault: fault, Fields: []field{f}, Hidden: []pair{{"key", id}}, Button: q.t("me.passkey-rename-go"), Acts: []act{{Text: q.t("me.passkey-back"), Path: "/me"}},
	}), nil
}

func (s *Server) changePasskey(q *query) (page, error) {
	if see := q.fresh("/me"); see != "" {
		return page{see: see}, nil
	}
	ctx, id, name := q.Context(), q.form.Get("key"), q.form.Get("name")
	if id != "" {
		err := s.d.People.RenamePasskey(ctx, q.ID, q.Who.Person, id, name)
		if why := said(q, err); why != "" {
			return s.passkeyPage(q, why)
		}
		return page{see: "/me"}, err
	}
	codes, err := s.d.People.AddPasskey(ctx, q.ID, name, []byte(q.form.Get("answer")), s.cookie(q.Request, sessionCookie), s.whence(q.Request))
	if why := said(q, err); why != "" {
		return s.passkeyPage(q, why)
	}
	if err != nil {
		return page{}, err
	}
	return s.codesPage(q, codes), nil
}

// removeTOTP takes one's own app of codes away, or makes that wait.
func (s *Server) removeTOTP(q *query) (page, error) {
	if s.d.Cooling == nil {
		return page{see: "/me"}, s.d.People.RemoveTOTP(q.Context(), q.ID, q.Who.Person, 0)
	}
	waits, err := s.d.Cooling.RemoveTOTP(q.Context(), &q.Who, q.Who.Person)
	if waits && q.may("list-changes") == nil {
		return page{see: "/changes"}, nil
	}
	return page{see: "/me"}, err
}

// errReplace says that another app of codes would come in place of one at once, although what loosens waits.
var errReplace = errors.New("another app would replace the one that there is")

func (s *Server) replacesTOTP(q *query) error {
	left := people.EvenNone
	if s.d.Cooling != nil {
		left = s.d.Cooling.Left(&q.Who, q.Customer)
	}
	err := s.d.People.ReplacesTOTP(q.Context(), q.Who.Person, left)
	if errors.Is(err, people.ErrLastFactor) {
		return errReplace
	}
	return err
}

// removePasskey takes one's own passkey away, or makes that wait.
func (s *Server) removePasskey(q *query) (page, error) {
	id := q.form.Get("key")
	if s.d.Cooling == nil {
		return page{see: "/me"}, s.d.People.RemovePasskey(q.Context(), q.ID, q.Who.Person, id, 0)
	}
	waits, err := s.d.Cooling.RemovePasskey(q.Context(), &q.Who, q.Who.Person, id)
	if waits && q.may("list-changes") == nil {
		return page{see: "/changes"}, nil
	}
	return page{see: "/me"}, err
}
