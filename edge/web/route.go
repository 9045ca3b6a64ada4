package web

import (
	"context"
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"ringfence/core/person"
	"ringfence/flow/book"
)

// An area is who a page is for.
type area uint8

const (
	public   area = iota // anyone
	customer             // a signed-in person of a customer
	staff                // a signed-in member of staff
	reseller             // has a navigation of its own; its pages are a customer's
	anyone               // either of them, also without the second factor that they need
)

// Visitor is a signed-in person.
type Visitor struct {
	ID       string // who did it, in the journal
	Name     string
	Customer string // identity of the customer whose pages these are; "" is staff
	Role     string // a code
	Zone     *time.Location
	Who      person.Who // what they may do
	Under    string     // of a reseller's person who looks at a customer: what addresses begin with; "" is their own pages
}

// query is one request of a page, with everything a handler needs of it.
type query struct {
	*http.Request
	Visitor
	from  netip.Addr
	form  url.Values // what was posted, or the query of the address
	whole io.Reader  // of an upload: all that is sent, without a limit
	words *catalogue
	zone  *time.Location
	now   time.Time
}

// at puts a time into the reader's zone.
func (q *query) at(t time.Time) time.Time { return t.In(q.zone) }

// mark is t with markup: values are escaped, unless they are made of template.HTML.
func (q *query) mark(key word, values ...any) template.HTML { return q.words.mark(key, values...) }

// t is a text of the catalogue.
func (q *query) t(key word, values ...any) string { return q.words.say(key, values...) }

// page is what a handler answers.
type page struct {
	name   string // of the file in pages, without .html
	title  string // the answer to the page's question: its H1
	about  string // one sentence for search machines; public pages have one
	crumbs []crumb
	nav    string // path of the entry of the navigation that it belongs to
	shape  string // "narrow" for one thing at a time, "middle" for reading, "" for work
	live   string // path of the stream that says when it changed; "" is none
	mark   string // "done" or "warn", on pages of one panel
	data   any
	status int    // 0 is 200
	see    string // go there instead (303)
	read   string // what newsCookie is from now on; "": as it was
	secret bool   // shows a secret: it is not packed, because lengths could tell of it
}

// crumb is a step above the title; without a path it is plain text.
type crumb struct{ Text, Path string }

// fault is an answer in place of a page, in words of the catalogue.
type fault struct {
	status      int
	title, text word
	values      []any
}

func (f *fault) Error() string { return string(f.title) }

// errMissing is another's page, or none: nobody learns which.
var errMissing = &fault{status: http.StatusNotFound, title: "error.missing", text: "error.missing-what"}

// errEnrol is the answer to staff who have no second factor yet.
var errEnrol = &fault{status: http.StatusForbidden, title: "in.enrol", text: "in.enrol-what"}

type handler func(q *query) (page, error)

// routes are those of each file of pages; see serves.
var routes []func(*Server)

// serves adds the routes of a file. It is called where they are declared, so that nothing but that file knows them.
func serves(add func(*Server)) (none struct{}) {
	routes = append(routes, add)
	return none
}

// page adds a page under a pattern of http.ServeMux: "GET /lines/{line}".
func (s *Server) page(pattern string, who area, h handler) {
	s.areas[pattern] = who
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, who, h) })
}

// raw adds what is no page: a feed, a download, a picture. It is public.
func (s *Server) raw(pattern string, h http.HandlerFunc) {
	s.areas[pattern] = public
	s.mux.HandleFunc(pattern, h)
}

// answer asks a handler and writes what it says.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, who area, h handler) {
	q, err := s.query(w, r, who)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.finish(w, r, q, h)
}

// finish writes what a handler says.
func (s *Server) finish(w http.ResponseWriter, r *http.Request, q *query, h handler) {
	p, err := h(q)
	if err == nil && p.read != "" {
		s.setCookie(w, r, newsCookie, p.read, q.now.AddDate(1, 0, 0))
	}
	switch {
	case err != nil:
		s.fail(w, r, err)
	case p.see != "":
		see := p.see
		if strings.HasPrefix(see, "/") {
			see = q.Under + see
		}
		http.Redirect(w, r, see, http.StatusSeeOther)
	default:
		s.write(w, r, &p, q)
	}
}

// query reads a request, with its form.
func (s *Server) query(w http.ResponseWriter, r *http.Request, who area) (*query, error) {
	q, err := s.comer(r, who)
	if err != nil || r.Method != http.MethodPost {
		return q, err
	}
	if err := parseForm(r); err != nil {
		return nil, tooLong(err)
	}
	q.form = r.PostForm
	return q, nil
}

// comer says who asks for what, before anything of a form is read. Who is not signed in is sent to sign in; who is, and does not belong there, finds nothing.
func (s *Server) comer(r *http.Request, who area) (*query, error) {
	q := &query{Request: r, from: s.from(r), words: s.words, zone: s.reader.zone, now: time.Now()}
	v, in, err := s.visitor(r)
	switch {
	case err != nil:
		return nil, err
	case in:
		q.Visitor = v
		if v.Zone != nil {
			q.zone = v.Zone
		}
	case who != public:
		return nil, &fault{status: http.StatusUnauthorized, title: "error.sign-in", text: "error.sign-in-what"}
	}
	if who == customer && v.Customer == "" || who == staff && v.Customer != "" {
		return nil, errMissing
	}
	if q.Who.Enrol && (who == customer || who == staff) {
		return nil, errEnrol
	}
	q.form = r.URL.Query()
	return q, nil
}

// visitor is who asks, where people can sign in.
func (s *Server) visitor(r *http.Request) (Visitor, bool, error) {
	if s.d.SignedIn == nil {
		return Visitor{}, false, nil
	}
	v, err := s.d.SignedIn(r)
	if errors.Is(err, ErrNotSignedIn) {
		return v, false, nil
	}
	if err == nil {
		s.actingFor(r, &v)
	}
	return v, err == nil, err
}

// ErrNotSignedIn is what Deps.SignedIn answers when nobody is signed in.
var ErrNotSignedIn = errors.New("nobody is signed in")

func tooLong(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &fault{status: http.StatusRequestEntityTooLarge, title: "error.too-long", text: "error.too-long-what"}
	}
	return &fault{status: http.StatusBadRequest, title: "error.unreadable", text: "error.unreadable-what"}
}

// fail writes an error as a page. What is not ours to say gets a number, which the log has too.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	f, ok := errors.AsType[*fault](err)
	switch {
	case ok:
	case errors.Is(err, book.ErrNotFound):
		f = errMissing
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return // nobody waits for it
	default:
		number := newNumber()
		s.log.Error("a page failed", "method", r.Method, "number", number, "error", err)
		f = &fault{status: http.StatusInternalServerError, title: "error.broken", text: "error.broken-what", values: []any{"number", number}}
	}
	if f.status >= http.StatusInternalServerError {
		w.Header().Set("Retry-After", "30")
	}
	p := page{name: "fault", title: s.words.say(f.title, f.values...), shape: "narrow", mark: "warn", status: f.status, data: struct{ Text string }{s.words.say(f.text, f.values...)}}
	q := &query{Request: r, words: s.words, zone: s.reader.zone}
	q.Visitor, _, _ = s.visitor(r) // a page that failed has a name in its corner, or not
	s.write(w, r, &p, q)
}
