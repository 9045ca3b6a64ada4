package web

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringfence/core/person"
	"ringfence/flow/status"
)

// TestSecurity: the page says what is in force, with the limit of each protection, names no figure and no carrier, is announced in the feeds and lives on as a file.
func TestSecurity(t *testing.T) {
	s, _, _ := statusServer(t, status.Good)
	in := Protections{Lockout: true, Mail: true, Pages: true, PanicCode: "*5625*", Promise: true}
	l := newLinks()
	s, err := New(Deps{Genuine: l.Genuine, Link: l.Link, Use: l.Use, Help: testHelp, Status: s.d.Status, Security: func() Protections { return in }}, Options{URL: "https://calls.example.net"})
	fatal(t, err)
	w := get(s, "/security")
	d := parsePage(t, strings.NewReader(w.Body.String()))
	checkPage(t, d)
	checkPolicy(t, w, d)
	page := text(d.all("main")[0])
	for _, part := range []string{"Dial *5625* on any phone", "Per address only", "above that figure", "Calls are watched", "What loosens waits"} {
		if !strings.Contains(page, part) {
			t.Errorf("without %q: %s", part, page)
		}
	}
	if strings.Contains(page, "⟦") || strings.Contains(page, "£") || strings.Contains(strings.ToLower(page), "example carrier") {
		t.Error(page)
	}
	if rows := len(d.all("ul.rows li")); rows != 14 || len(d.all("span.warn")) != 2 {
		t.Errorf("%d protections, %d of them off", rows, len(d.all("span.warn")))
	}
	for _, feed := range []string{"/status/feed.atom", "/status/feed.json"} {
		if body := get(s, feed).Body.String(); !strings.Contains(body, "https://calls.example.net/security#news-code") || !strings.Contains(body, "New: A code that locks your line") {
			t.Errorf("%s does not announce it: %s", feed, body)
		}
	}
	folder := t.TempDir()
	fatal(t, s.writeCopy(folder))
	body, err := os.ReadFile(filepath.Join(folder, "security.html"))
	fatal(t, err)
	copied := parsePage(t, strings.NewReader(string(body)))
	if len(copied.all("script"))+len(copied.all("form")) != 0 || len(copied.all("link[href=ring.css]")) != 1 || text(copied.all("main")[0]) != page {
		t.Errorf("the copy: %s", body)
	}
	for _, a := range copied.all("a") {
		if strings.HasPrefix(attr(a, "href"), "/") {
			t.Errorf("the copy links to %s on its own computers", attr(a, "href"))
		}
	}
	in = Protections{}
	if page := get(s, "/security").Body.String(); strings.Contains(page, "*5625*") || !strings.Contains(page, "never more than your caps") || strings.Contains(page, "What loosens waits") {
		t.Errorf("what is off: %s", page)
	}
}

// TestNewsOnTheOverview: a new protection is announced until somebody at the browser says that they have read of it.
func TestNewsOnTheOverview(t *testing.T) {
	c := newControl(t)
	in := Protections{PanicCode: "*5625*", Pages: true}
	c.d.Security = func() Protections { return in }
	c.Server.d.Security = c.d.Security
	b := c.prove("ana", person.Reader)
	c.shows("three", b.get("/"), "3 new protections", "All protections")
	if w := b.post("/", "do", "read"); w.Code != 303 {
		t.Errorf("%d", w.Code)
	}
	page := func(b *browser) string { return text(c.shows("the overview", b.get("/")).all("main")[0]) }
	if got := page(b); strings.Contains(got, "new protection") {
		t.Error(got)
	}
	_, other := c.enter(c.bravo, "bob", person.Owner)
	if got := page(other); !strings.Contains(got, "3 new protections") {
		t.Error(got)
	}
	in = Protections{PanicCode: "*5625*"}
	c.shows("one", other.get("/"), "New protection: "+c.Server.words.say("security.guard-code"), "Dial *5625* on any phone")
	in = Protections{}
	if got := page(other); strings.Contains(got, "ew protection") {
		t.Error(got)
	}
}
