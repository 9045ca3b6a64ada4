package web

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// doc is a page as a reader parses it.
type doc struct{ *html.Node }

func parsePage(t *testing.T, r io.Reader) doc {
	t.Helper()
	n, err := html.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	return doc{n}
}

// all finds elements by "tag", "tag.class" or "tag[attribute=value]", steps from outside to inside between blanks.
func (d doc) all(selector string) []*html.Node {
	steps := strings.Fields(selector)
	found := []*html.Node{d.Node}
	for _, step := range steps {
		var next []*html.Node
		for _, from := range found {
			for n := range from.Descendants() {
				if fits(n, step) {
					next = append(next, n)
				}
			}
		}
		found = next
	}
	return found
}

func fits(n *html.Node, step string) bool {
	tag, rest, hasAttr := strings.Cut(strings.TrimSuffix(step, "]"), "[")
	tag, class, hasClass := strings.Cut(tag, ".")
	key, value, _ := strings.Cut(rest, "=")
	return n.Type == html.ElementNode && n.Data == tag && (!hasAttr || attr(n, key) == value) && (!hasClass || strings.Contains(" "+attr(n, "class")+" ", " "+class+" "))
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// one wants exactly one element, and gives its text.
func (d doc) one(t *testing.T, selector string) string {
	t.Helper()
	found := d.all(selector)
	if len(found) != 1 {
		t.Errorf("%d elements %q, want one", len(found), selector)
		return ""
	}
	return text(found[0])
}

// foreign are elements that run or fetch something; those of the frame are checked one by one.
var foreign = []string{"iframe", "object", "embed", "base", "style"}

// checkPage is what holds for every page: a language, a title, one heading, landmarks, no script but ours, nothing from elsewhere,
// a name for every control, and help.
func checkPage(t *testing.T, d doc) {
	t.Helper()
	if lang := attr(d.all("html")[0], "lang"); lang != "en" {
		t.Errorf("language %q", lang)
	}
	title, heading := d.one(t, "head title"), d.one(t, "main h1")
	if heading == "" || !strings.HasPrefix(title, heading) || !strings.HasSuffix(title, "Example Telecom") {
		t.Errorf("title %q, heading %q", title, heading)
	}
	for _, landmark := range []string{"header.top", "main", "footer"} {
		d.one(t, landmark)
	}
	for n := range d.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if slices.Contains(foreign, n.Data) {
			t.Errorf("there is a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" && !strings.HasPrefix(a.Val, "/assets/") || a.Key == "action" && !strings.HasPrefix(a.Val, "/") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
		if n.Data == "script" && (attr(n, "src") == "" || n.FirstChild != nil || attr(n, "nonce") == "") || n.Data == "link" && !strings.HasPrefix(attr(n, "href"), "/") {
			t.Errorf("a <%s> that is not ours", n.Data)
		}
		if (n.Data == "button" || n.Data == "a") && text(n) == "" {
			t.Errorf("a <%s> without a name", n.Data)
		}
	}
	for _, url := range []string{"tel:+441615550123", "sms:+447700900999", "mailto:help@example.net", "https://example.net/help?x=1&y"} {
		d.one(t, "footer a[href="+url+"]")
	}
	if got := text(d.all("footer")[0]); !strings.Contains(got, "Mon–Fri 9–17") {
		t.Errorf("no opening hours in %q", got)
	}
}

// checkPolicy wants the nonce of the policy on what the page fetches, and nothing allowed beside our own.
func checkPolicy(t *testing.T, w *httptest.ResponseRecorder, d doc) {
	t.Helper()
	policy := w.Header().Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'", "script-src 'nonce-"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy %q has no %s", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
		t.Errorf("the policy %q lets others in", policy)
	}
	for _, n := range append(d.all("script"), d.all("link[rel=stylesheet]")...) {
		if nonce := attr(n, "nonce"); len(nonce) < 20 || !strings.Contains(policy, "'nonce-"+nonce+"'") {
			t.Errorf("nonce %q under the policy %q", nonce, policy)
		}
	}
}

// TestFailuresArePages of ours: what is not there, another method, and what broke, with a number that the log has too.
func TestFailuresArePages(t *testing.T) {
	var logged bytes.Buffer
	l := newLinks()
	s := newServer(t, l, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&logged, nil)) })
	s.page("GET /broken", public, func(*query) (page, error) { return page{}, errors.New("disk on fire") })
	s.page("GET /mine", customer, func(*query) (page, error) { return page{}, nil })
	for path, want := range map[string]struct {
		code  int
		title string
	}{
		"GET /nowhere": {404, "There is no such page, or it is not yours."}, "GET /broken": {500, "Something broke on our side"}, "PUT /broken": {405, "This address does not take that"},
		"GET /mine": {401, "Sign in first"}, "GET /assets/ring-x.css": {404, "There is no such page, or it is not yours."},
	} {
		method, path, _ := strings.Cut(path, " ")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
		d := parsePage(t, w.Body)
		checkPage(t, d)
		checkPolicy(t, w, d)
		if w.Code != want.code || d.one(t, "main h1") != want.title {
			t.Errorf("%s: %d %s", path, w.Code, text(d.Node))
		}
		if number := regexp.MustCompile(`Number ([0-9a-f]{6});`).FindStringSubmatch(text(d.Node)); want.code == 500 && (number == nil || !strings.Contains(logged.String(), number[1])) {
			t.Errorf("no number of the failure in %s, log %s", text(d.Node), &logged)
		}
		if strings.Contains(text(d.Node), "fire") {
			t.Error("an inner error is shown")
		}
	}
}

// TestPagesArePacked for those who take that, and files of ours are kept.
func TestPagesArePacked(t *testing.T) {
	s := newServer(t, newLinks())
	for _, path := range []string{"/", s.css.path, s.js.path} {
		plain, packed := httptest.NewRecorder(), httptest.NewRecorder()
		s.Handler().ServeHTTP(plain, httptest.NewRequest(http.MethodGet, path, nil))
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", "br, gzip;q=0.8")
		s.Handler().ServeHTTP(packed, r)
		z, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		body, err := io.ReadAll(z)
		if err != nil || path != "/" && string(body) != plain.Body.String() || plain.Code != http.StatusOK {
			t.Errorf("%s: %d, %v", path, plain.Code, err)
		}
		if path == "/" {
			continue
		}
		if etag := plain.Header().Get("ETag"); etag == "" || !strings.Contains(plain.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %v", path, plain.Header())
		} else {
			r.Header.Set("If-None-Match", etag)
			again := httptest.NewRecorder()
			s.Handler().ServeHTTP(again, r)
			if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
				t.Errorf("%s again: %d", path, again.Code)
			}
		}
	}
}

// TestLogo: the provider's, and nothing else that lies about.
func TestLogo(t *testing.T) {
	dir := t.TempDir()
	logo := filepath.Join(dir, "logo.svg")
	if err := os.WriteFile(logo, []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, newLinks(), func(o *Options) { o.Logo, o.Hue = logo, 150 })
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, s.logo.path, nil))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "image/svg+xml" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if !strings.HasPrefix(string(s.css.body), ":root{--hue:150}") {
		t.Error("the hue is not in the style sheet")
	}
	for _, bad := range []string{filepath.Join(dir, "none.png"), "web.go"} {
		if _, err := New(Deps{Genuine: newLinks().Genuine, Link: newLinks().Link, Use: newLinks().Use}, Options{Logo: bad}); err == nil {
			t.Errorf("%s is no logo", bad)
		}
	}
}

func get(s *Server, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}
