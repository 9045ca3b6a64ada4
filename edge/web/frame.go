package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"unicode"

	"ringfence/flow/notify"
)

//go:embed frame/*.html pages/*.html
var templates embed.FS

// roles are written out, because a table that is laid out as a grid on a phone is none to a screen reader.
var roles = strings.NewReplacer("<table", `<table role="table"`, "<thead", `<thead role="rowgroup"`, "<tbody", `<tbody role="rowgroup"`, "<tr", `<tr role="row"`,
	`<th scope="row"`, `<th scope="row" role="rowheader"`, "<th>", `<th role="columnheader">`, "<th ", `<th role="columnheader" `, "<td", `<td role="cell"`)

// parsePages makes the templates of every page: the frame and its parts, with one file of pages as "body".
func parsePages(funcs template.FuncMap) (map[string]*template.Template, error) {
	base := template.New("frame.html").Funcs(funcs)
	parse := func(t *template.Template, name string) error {
		text, err := fs.ReadFile(templates, name)
		if err != nil {
			return err
		}
		if _, err := t.Parse(roles.Replace(string(text))); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	for _, name := range []string{"frame/frame.html", "frame/parts.html"} {
		if err := parse(base, name); err != nil {
			return nil, err
		}
	}
	all := map[string]*template.Template{}
	files, err := fs.Glob(templates, "pages/*.html")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		t, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if err := parse(t, file); err != nil {
			return nil, err
		}
		all[strings.TrimSuffix(path.Base(file), ".html")] = t
	}
	return all, nil
}

// frame is what the layout shows; Data is the page's own.
type frame struct {
	Title, About, Nonce, Shape, Live, Mark string
	Crumbs                                 []crumb
	Person                                 *Visitor
	CSS, JS, Logo                          string
	Nav                                    []navItem
	Home, Search                           string
	Tabs                                   bool
	Lock, Report, SignIn, Status, Security string // paths, of pages that there are
	Public                                 bool
	Under                                  *underView // whose pages a reseller's person looks at
	Help                                   help
	Data                                   any
}

// underView says whose pages these are, to a reseller's person.
type underView struct{ Name template.HTML }

type navItem struct {
	Text, Path, Icon string
	Here             bool
	Key              string
}

// navigation of each area: icon, word and path. An entry whose page does not exist is left out.
var navigation = map[area][]struct {
	path string
	word word
	icon string
	key  string
}{
	reseller: {{"/customers", "frame.customers", "home", ""}, {"/people", "frame.people", "people", ""}},
	customer: {{"/", "frame.overview", "home", ""}, {"/lines", "frame.lines", "phone", ""}, {"/calls", "frame.calls", "list", ""}, {"/money", "frame.money", "money", ""}, {"/people", "frame.people", "people", ""}, {"/cases", "frame.cases", "flag", ""}},
	staff: {
		{"/staff", "frame.queue", "bell", "g q"},
		{"/staff/cases", "frame.cases", "flag", "g o"},
		{"/staff/claims", "frame.claims", "out", "g k"},
		{"/staff/money", "frame.finance", "money", "g m"},
		{"/staff/search", "frame.search", "search", "g c"},
		{"/staff/calls", "frame.calls", "list", "g a"},
		{"/staff/rules", "frame.rules", "chart", "g r"},
		{"/staff/trunks", "frame.trunks", "out", "g t"},
		{"/staff/lists", "frame.lists", "barred", "g l"},
		{"/staff/status", "frame.status-page", "pulse", "g s"},
		{"/staff/audit", "frame.audit", "eye", "g h"},
		{"/people", "frame.people", "people", "g p"},
	},
}

// exists is whether there is a page at a path without parameters.
func (s *Server) exists(path string) bool {
	_, ok := s.areas["GET "+path]
	return ok
}

func (s *Server) known(path string) string {
	if s.exists(path) {
		return path
	}
	return ""
}

func (s *Server) frame(p *page, q *query, nonce string) *frame {
	f := &frame{
		Title: p.title, About: p.about, Nonce: nonce, Shape: p.shape, Live: p.live, Mark: p.mark, Crumbs: p.crumbs, CSS: s.css.path, JS: s.js.path, Logo: s.logo.path,
		Status: s.known("/status"), Security: s.known("/security"), Public: p.about != "", Help: s.help, Data: p.data,
	}
	if q.ID == "" {
		f.SignIn = s.known("/in")
		return f
	}
	f.Person = &q.Visitor
	who := staff
	switch {
	case s.sells(q.Customer):
		who = reseller
	case q.Customer != "":
		who, f.Lock, f.Report = customer, s.known("/lock"), s.known("/report")
		if q.Under != "" {
			f.Under = &underView{Name: s.customerTitle(q.Customer)}
		}
	default:
		f.Search = s.known("/staff/search")
	}
	for _, n := range navigation[who] {
		if s.exists(n.path) || n.path == "/" {
			f.Nav = append(f.Nav, navItem{s.words.say(n.word), n.path, n.icon, n.path == p.nav, n.key})
		}
	}
	if len(f.Nav) > 0 {
		f.Home = f.Nav[0].Path
	}
	f.Tabs = len(f.Nav) > 1
	return f
}

// contentPolicy allows our own style sheet, script and form, and nothing from elsewhere. The nonce makes it ours that stands in this page.
func contentPolicy(nonce string) string {
	return "default-src 'none'; style-src 'nonce-" + nonce + "'; script-src 'nonce-" + nonce + "'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

func newNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// newNumber is what a caller can quote of a failure.
func newNumber() string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// write sends a page. It is made whole before the first byte goes out.
func (s *Server) write(w http.ResponseWriter, r *http.Request, p *page, q *query) {
	nonce := newNonce()
	var b bytes.Buffer
	t, ok := s.pages[p.name]
	if !ok {
		s.broken(w, fmt.Errorf("no page %q", p.name))
		return
	}
	if err := t.Execute(&b, s.frame(p, q, nonce)); err != nil {
		s.broken(w, err)
		return
	}
	body := under(q.Under, b.Bytes())
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", contentPolicy(nonce))
	h.Set("Vary", "Accept-Encoding")
	if p.about != "" {
		h.Del("X-Robots-Tag")
	}
	var packed []byte
	if !p.secret && takesGzip(r) {
		packed = s.pack(body)
	}
	s.send(w, r, cmp.Or(p.status, http.StatusOK), body, packed)
}

var packers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func (s *Server) pack(body []byte) []byte {
	z, _ := packers.Get().(*gzip.Writer)
	defer packers.Put(z)
	var out bytes.Buffer
	z.Reset(&out)
	_, _ = z.Write(body) // into memory
	_ = z.Close()
	return out.Bytes()
}

// broken answers when not even a page about the failure can be made.
func (s *Server) broken(w http.ResponseWriter, err error) {
	s.log.Error("a page could not be made", "error", err)
	writeText(w, http.StatusInternalServerError, s.words.say("error.broken")+"\n")
}

// help is notify.Help with its links.
type help struct {
	Provider, Hours string
	Routes          []contactRoute
	Page            string // where departments are; "" is nowhere
}

type contactRoute struct {
	Label, Shown string
	URL          template.URL
}

// routesOf makes links of how somebody is reached. They come from the configuration, and are checked nevertheless.
func routesOf(words *catalogue, phone, text, mail, page string) (out []contactRoute) {
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r == '+' {
				return r
			}
			return -1
		}, s)
	}
	add := func(label word, shown, url string) {
		if shown != "" {
			out = append(out, contactRoute{words.say(label), shown, template.URL(url)}) //nolint:gosec // built from digits, or escaped by the template
		}
	}
	add("frame.call", phone, "tel:"+digits(phone))
	add("frame.text", text, "sms:"+digits(text))
	if !strings.ContainsFunc(mail, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`<>"?&#%`, r) }) {
		add("frame.write", mail, "mailto:"+mail)
	}
	if strings.HasPrefix(page, "https://") || strings.HasPrefix(page, "http://") {
		add("frame.visit", strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(page, "https://"), "http://"), "/"), page)
	}
	return out
}

// newHelp is how the operator is reached.
func newHelp(h notify.Help, words *catalogue) help {
	out := help{Provider: h.Provider, Hours: h.Hours}
	out.Provider = cmp.Or(out.Provider, words.say("frame.provider"))
	out.Routes = routesOf(words, h.Phone, h.Text, h.Mail, h.Page)
	if len(h.Departments) > 0 {
		out.Page = "/help"
	}
	return out
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the other side may have gone
}
