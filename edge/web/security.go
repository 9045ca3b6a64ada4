package web

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Protections are the settings and promises in force that the public is told of. They have no figure in them: a threshold that is known helps a thief.
type Protections struct {
	Premium, Satellite bool   // may be called unless a line says otherwise
	Watched            bool   // calls are watched, and what is unlike the usual is closed
	Lockout            bool   // sources of wrong passwords are locked out
	Mail               bool   // notices are sent
	Pages              bool   // customers sign in to pages of their own
	PanicCode          string // locks a line when it is dialled; "" is none
	Promise            bool   // the provider pays what a thief costs above the figure on the pages
	LateFree           bool   // an answer that crosses the end of an attempt costs nothing
}

var _ = serves(func(s *Server) {
	if s.d.Security != nil {
		s.page("GET /security", public, s.security)
	}
})

// securityView is what is done against which risk, and what is not.
type securityView struct {
	Guards []guardView
	Yours  []string
	Pays   []payView
	News   []newsView
}

type guardView struct{ Name, Look, State, What, Limit string }

type payView struct{ Case, Who string }

type newsView struct {
	ID, Title, Text string
	At              time.Time
}

func (s *Server) security(q *query) (page, error) {
	p := s.securityPage(q)
	return *p, nil
}

func (s *Server) securityPage(q *query) *page {
	in := s.d.Security()
	v := securityView{Guards: s.guards(q, &in), News: s.announcements()}
	for _, key := range []word{"password", "people", "phones", "address", "tell"} {
		v.Yours = append(v.Yours, q.t("security.do-"+key))
	}
	v.Pays = []payView{{q.t("security.pay-yours"), q.t("security.pay-you")}}
	if in.Promise {
		v.Pays = append(v.Pays, payView{q.t("security.pay-thief-below"), q.t("security.pay-you")}, payView{q.t("security.pay-thief-above"), q.t("security.pay-us")})
	} else {
		v.Pays = append(v.Pays, payView{q.t("security.pay-thief"), q.t("security.pay-to-cap")})
	}
	v.Pays = append(v.Pays, payView{q.t("security.pay-over-cap"), q.t("security.pay-us")})
	late := word("security.pay-you")
	if in.LateFree {
		late = "security.pay-us"
	}
	v.Pays = append(v.Pays, payView{q.t("security.pay-late"), q.t(late)})
	there := 0
	for _, g := range v.Guards {
		if g.Look != "warn" {
			there++
		}
	}
	return &page{name: "security", title: q.t("security.title", "n", there), about: q.t("security.about", "provider", s.help.Provider), shape: "middle", data: v}
}

// States of a protection.
const (
	isOn  = "on"
	isOff = "off"
	yours = "yours" // there, and off until the customer switches it on
)

// guards are the protections, each with its state and its limit. What is off is listed too.
func (s *Server) guards(q *query, in *Protections) (all []guardView) {
	state := func(on bool) string {
		if on {
			return isOn
		}
		return isOff
	}
	for _, g := range []struct{ key, state string }{
		{"caps", isOn},
		{"ceilings", isOn},
		{"calls", isOn},
		{"premium", state(!in.Premium)},
		{"satellite", state(!in.Satellite)},
		{"watched", state(in.Watched)},
		{"lockout", state(in.Lockout)},
		{"mail", state(in.Mail)},
		{"code", state(in.PanicCode != "")},
		{"address", yours},
		{"fit", yours},
		{"cooling", yours},
		{"factor", yours},
		{"secret", isOff},
	} {
		if !in.Pages && slices.Contains([]string{"cooling", "factor", "fit"}, g.key) {
			continue
		}
		look := map[string]string{isOn: "good", isOff: "warn"}[g.state]
		what := q.t("security.guard-"+word(g.key)+"-what", "code", cmp.Or(in.PanicCode, q.t("security.a-code")))
		all = append(all, guardView{q.t("security.guard-" + word(g.key)), look, q.t("security.is-" + word(g.state)), what, q.t("security.guard-" + word(g.key) + "-limit")})
	}
	return all
}

// announced are new protections, the newest first.
var announced = []struct {
	key  word
	date string
	has  func(*Protections) bool
}{
	{"code", "2026-11-30", func(in *Protections) bool { return in.PanicCode != "" }},
	{"fit", "2026-11-30", func(in *Protections) bool { return in.Pages }},
	{"cooling", "2026-11-30", func(in *Protections) bool { return in.Pages }},
}

// announcements are those that are in force here.
func (s *Server) announcements() (all []newsView) {
	if s.d.Security == nil {
		return nil
	}
	in := s.d.Security()
	for _, n := range announced {
		at, err := time.ParseInLocation(time.DateOnly, n.date, s.reader.zone)
		if err == nil && n.has(&in) {
			all = append(all, newsView{string(n.key), s.words.say("security.guard-" + n.key), s.words.say("security.guard-"+n.key+"-what", "code", in.PanicCode), at})
		}
	}
	return all
}

// latestNews is the date of the newest announcement; "": none.
func (s *Server) latestNews() (latest string) {
	for _, n := range s.announcements() {
		latest = max(latest, n.At.Format(time.DateOnly))
	}
	return latest
}

// unreadNews is a banner about the new protections that nobody at this browser has read of; none: there is nothing new.
func (s *Server) unreadNews(q *query) *banner {
	read := s.cookie(q.Request, newsCookie)
	b := &banner{Icon: "lock", Acts: []act{
		{Text: q.t("overview.news-read"), Path: "/", Post: true, Hidden: []pair{{"do", "read"}}},
		{Text: q.t("overview.news-all"), Path: "/security"},
	}}
	var titles []string
	for _, n := range s.announcements() {
		if n.At.Format(time.DateOnly) > read {
			titles = append(titles, n.Title)
			b.Text = append(b.Text, template.HTML(template.HTMLEscapeString(n.Text))) //nolint:gosec // escaped
		}
	}
	if len(titles) == 0 {
		return nil
	}
	if b.Title = q.t("overview.news", "n", len(titles), "name", titles[0]); len(titles) > 1 {
		b.Text = []template.HTML{template.HTML(template.HTMLEscapeString(strings.Join(titles, " · ")))} //nolint:gosec // escaped
	}
	return b
}

// newsEntries are the news in the feeds.
func (s *Server) newsEntries() (all []entry) {
	for _, n := range s.announcements() {
		at := s.o.URL + "/security"
		all = append(all, entry{at + "#news-" + n.ID, at, s.words.say("security.new", "name", n.Title), n.Text, n.At})
	}
	return all
}

// copiedSecurity is the page as a file, which lives on when this server does not.
func (s *Server) copiedSecurity() ([]byte, error) {
	q := &query{Request: &http.Request{}, words: s.words, zone: s.reader.zone, now: s.reader.now()}
	return s.copyOf(s.securityPage(q), q)
}

// copyOf is a page without what needs this server: no script, no form. Its links lead here.
func (s *Server) copyOf(p *page, q *query) ([]byte, error) {
	f := s.frame(p, q, "")
	f.JS, f.Logo, f.Live = "", "", ""
	var b bytes.Buffer
	if err := s.pages[p.name].Execute(&b, f); err != nil {
		return nil, fmt.Errorf("the copy: %w", err)
	}
	out := bytes.ReplaceAll(b.Bytes(), []byte(`href="`+s.css.path+`"`), []byte(`href="ring.css"`))
	return bytes.ReplaceAll(out, []byte(`href="/`), []byte(`href="`+s.o.URL+`/`)), nil
}
