package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/edge/internal/certfile/certtest"
	"ringfence/edge/internal/fair"
	"ringfence/flow/notify"
)

// links is notify's side: tokens and what they stand for.
type links struct {
	mu   sync.Mutex
	view map[string]notify.LinkView // guarded by mu
	uses int                        // guarded by mu: that did something
	from netip.Addr                 // guarded by mu: of the last use
	err  error                      // what both say instead
}

const (
	notMine = "token-not-mine"
	mine    = "token-mine"
	off     = "token-off"
	expired = "token-expired"
	evil    = "token-evil"
	markup  = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
)

func newLinks() *links {
	return &links{view: map[string]notify.LinkView{
		notMine: {Kind: "new-device", Action: "not-mine", Title: "This was not you?", Button: "Not me: lock the line", Line: "2001", Text: []string{"New phone – line 2001.", "We lock it."}},
		mine:    {Kind: "new-device", Action: "mine", Title: "Was this you?", Button: "That was me", Line: "2001", Text: []string{"New phone – line 2001."}},
		off:     {Kind: "new-device", Action: "off", Title: "Switch this notice off?", Button: "Switch it off", Text: []string{"No more of these."}},
		expired: {Kind: "new-device", Action: "mine", Title: "Was this you?", Button: "That was me", Text: []string{"This link has expired."}, Expired: true},
		evil:    {Action: "mine", Title: markup, Button: markup, Text: []string{markup}, Line: markup},
	}}
}

func (l *links) Genuine(token string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.view[token]
	return ok
}

func (l *links) Link(_ context.Context, token string) (notify.LinkView, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return notify.LinkView{}, l.err
	}
	v, ok := l.view[token]
	if !ok {
		return v, notify.ErrLink
	}
	return v, nil
}

func (l *links) Use(ctx context.Context, token string, from netip.Addr) (notify.LinkView, error) {
	v, err := l.Link(ctx, token)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		return v, err
	case l.view[token].Used:
		return l.view[token], notify.ErrUsed
	case v.Expired:
		return v, notify.ErrExpired
	}
	v.Used, v.Result = true, "Done: "+v.Action+" "+v.Line
	l.view[token], l.from = v, from
	l.uses++
	return v, nil
}

var testHelp = notify.Help{
	Provider: "Example Telecom", Mail: "help@example.net", Phone: "+44 161 555 0123", Text: "+44 7700 900999", Hours: "Mon–Fri 9–17, at other times leave a message",
	Page: "https://example.net/help?x=1&y",
}

func newServer(t testing.TB, l *links, change ...func(*Options)) *Server {
	t.Helper()
	o := Options{Listen: netip.MustParseAddrPort("127.0.0.1:0")}
	for _, c := range change {
		c(&o)
	}
	s, err := New(Deps{Genuine: l.Genuine, Link: l.Link, Use: l.Use, Help: testHelp}, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(s *Server, method, token, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://calls.example.net"+notify.LinkPath+token, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func header(key, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(key, value) }
}

// TestOpeningChangesNothing: mail scanners open every link, some with HEAD.
func TestOpeningChangesNothing(t *testing.T) {
	l := newLinks()
	s := newServer(t, l)
	for token, want := range map[string]struct{ heading, button string }{
		notMine: {"This was not you?", "Not me: lock the line"}, mine: {"Was this you?", "That was me"}, off: {"Switch this notice off?", "Switch it off"},
	} {
		for range 2 {
			w := ask(s, http.MethodGet, token, "")
			d := parsePage(t, w.Body)
			checkPage(t, d)
			if w.Code != http.StatusOK || d.one(t, "main h1") != want.heading || d.one(t, "main form[method=post] button[type=submit]") != want.button {
				t.Errorf("%s: %d %s", token, w.Code, text(d.Node))
			}
			if !strings.Contains(text(d.all("main")[0]), l.view[token].Text[0]) {
				t.Errorf("%s: does not say what it is about", token)
			}
		}
		if w := ask(s, http.MethodHead, token, ""); w.Code != http.StatusOK || w.Body.Len() != 0 {
			t.Errorf("HEAD %s: %d with %d bytes", token, w.Code, w.Body.Len())
		}
	}
	if l.uses != 0 {
		t.Errorf("%d links were used by looking at them", l.uses)
	}
}

func TestTheButtonWorksOnce(t *testing.T) {
	l := newLinks()
	s := newServer(t, l)
	w := ask(s, http.MethodPost, notMine, "do=not-mine")
	d := parsePage(t, w.Body)
	checkPage(t, d)
	if w.Code != http.StatusOK || d.one(t, "main.done p.result[role=status]") != "Done: not-mine 2001" {
		t.Errorf("%d %s", w.Code, text(d.Node))
	}
	if l.from != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("from %s", l.from)
	}
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		w := ask(s, method, notMine, "do=not-mine")
		d := parsePage(t, w.Body)
		checkPage(t, d)
		if w.Code != http.StatusOK || d.one(t, "main h1") != "This was answered already" || d.one(t, "main p.result") != "Done: not-mine 2001" || len(d.all("button")) != 0 {
			t.Errorf("again by %s: %d %s", method, w.Code, text(d.Node))
		}
	}
	if l.uses != 1 {
		t.Errorf("done %d times", l.uses)
	}
}

// TestRobotsThatPost press nothing: the form says which button it was.
func TestRobotsThatPost(t *testing.T) {
	l := newLinks()
	s := newServer(t, l)
	for token, bodies := range map[string][]string{
		notMine: {"", "do=", "do=mine", "x=y", "List-Unsubscribe=One-Click", "%zz", strings.Repeat("a", 10_000) + "&do=not-mine"},
		off:     {"", "do=mine", "List-Unsubscribe=x"},
	} {
		for _, body := range bodies {
			w := ask(s, http.MethodPost, token, body)
			if d := parsePage(t, w.Body); w.Code != http.StatusBadRequest || len(d.all("button")) != 1 {
				t.Errorf("%s with %.30q: %d", token, body, w.Code)
			}
		}
	}
	if w := ask(s, http.MethodPost, notMine+"?do=not-mine", ""); w.Code != http.StatusBadRequest {
		t.Errorf("an answer in the URL: %d", w.Code)
	}
	if l.uses != 0 {
		t.Errorf("%d were used", l.uses)
	}
}

// TestOneClick is RFC 8058: both kinds of forms, no redirect, and a repeat is no error.
func TestOneClick(t *testing.T) {
	for name, c := range map[string]struct{ kind, body string }{
		"urlencoded": {"application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"},
		"multipart":  {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLinks()
			s := newServer(t, l)
			for range 2 {
				if w := ask(s, http.MethodPost, off, c.body, header("Content-Type", c.kind)); w.Code != http.StatusOK || w.Header().Get("Location") != "" {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			}
			if l.uses != 1 {
				t.Errorf("used %d times", l.uses)
			}
		})
	}
}

func TestOtherSitesCannotAnswer(t *testing.T) {
	l := newLinks()
	s := newServer(t, l)
	for _, h := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
		w := ask(s, http.MethodPost, notMine, "do=not-mine", header(h[0], h[1]))
		d := parsePage(t, w.Body)
		checkPage(t, d)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", h, w.Code)
		}
	}
	if l.uses != 0 {
		t.Fatal("another site pressed the button")
	}
	for _, h := range [][2]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://calls.example.net"}} {
		if w := ask(newServer(t, newLinks()), http.MethodPost, notMine, "do=not-mine", header(h[0], h[1])); w.Code != http.StatusOK {
			t.Errorf("%s: %d, our own page must work", h, w.Code)
		}
	}
	if w := ask(s, http.MethodGet, mine, "", header("Sec-Fetch-Site", "cross-site")); w.Code != http.StatusOK {
		t.Errorf("a link in web mail: %d", w.Code)
	}
}

func TestWhatCannotBeDone(t *testing.T) {
	down := newLinks()
	down.err = errors.New("disk on fire")
	for name, c := range map[string]struct {
		l             *links
		token         string
		code          int
		heading, says string
	}{
		"unknown":  {newLinks(), "nonsense", 404, "This link is not complete", "copy the whole link"},
		"too long": {newLinks(), strings.Repeat("a", 5000), 404, "This link is not complete", "copy the whole link"},
		"a path":   {newLinks(), "a/b/../c", 404, "This link is not complete", "copy the whole link"},
		"expired":  {newLinks(), expired, 410, "This link has expired", "expired"},
		"down":     {down, mine, 503, "This does not work just now", "do not wait"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if name == "a path" && method == http.MethodPost {
				continue // no such path for POST
			}
			w := ask(newServer(t, c.l), method, c.token, "do=mine")
			body := w.Body.String()
			d := parsePage(t, strings.NewReader(body))
			if name == "a path" && w.Code == http.StatusTemporaryRedirect {
				continue
			}
			checkPage(t, d)
			if w.Code != c.code || d.one(t, "main h1") != c.heading || !strings.Contains(text(d.Node), c.says) || len(d.all("button")) != 0 {
				t.Errorf("%s by %s: %d %s", name, method, w.Code, text(d.Node))
			}
			if strings.Contains(body, "fire") {
				t.Errorf("%s: an inner error is shown", name)
			}
		}
		if c.l.uses != 0 {
			t.Errorf("%s: used", name)
		}
	}
}

func TestHeadersOfEveryPage(t *testing.T) {
	s := newServer(t, newLinks(), func(o *Options) { o.TrustProxy = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	for _, token := range []string{mine, "unknown", expired} {
		w := ask(s, http.MethodGet, token, "", header("X-Forwarded-Proto", "https"), header("X-Forwarded-For", "198.51.100.7"))
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Strict-Transport-Security": "max-age=31536000", "X-Robots-Tag": "noindex, nofollow",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", token, name, got)
			}
		}
		if w.Header().Get("Set-Cookie") != "" {
			t.Error("a cookie")
		}
	}
	w := ask(s, http.MethodGet, mine, "")
	checkPolicy(t, w, parsePage(t, w.Body))
	if w := ask(newServer(t, newLinks()), http.MethodGet, mine, "", header("X-Forwarded-Proto", "https")); w.Header().Get("Strict-Transport-Security") != "" {
		t.Error("a stranger's X-Forwarded-Proto is believed")
	}
}

func TestMarkupIsText(t *testing.T) {
	w := ask(newServer(t, newLinks()), http.MethodGet, evil, "")
	d := parsePage(t, w.Body)
	checkPage(t, d)
	if got := d.one(t, "main h1"); got != strings.Join(strings.Fields(markup), " ") {
		t.Errorf("heading %q", got)
	}
}

// TestHelpOfAnOperator: bad contact details make no bad links.
func TestHelpOfAnOperator(t *testing.T) {
	for _, h := range []notify.Help{{}, {Page: "javascript:alert(1)", Mail: "a?bcc=b@c", Phone: "javascript:alert(1)"}} {
		s, err := New(Deps{Genuine: newLinks().Genuine, Link: newLinks().Link, Use: newLinks().Use, Help: h}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		d := parsePage(t, ask(s, http.MethodGet, mine, "").Body)
		for _, a := range d.all("footer a") {
			if href := attr(a, "href"); !strings.HasPrefix(href, "tel:1") {
				t.Errorf("a link to %q", href)
			}
		}
		if !strings.Contains(d.one(t, "title"), "Your telephone provider") {
			t.Errorf("title %q", d.one(t, "title"))
		}
	}
}

// Guards against issue 7: six wrong links from one address made its valid ones answer 429, "not me" included.
func TestARightLinkAlwaysWorks(t *testing.T) {
	s := newServer(t, newLinks())
	slowed := false
	for i := range 1000 {
		w := ask(s, http.MethodGet, fmt.Sprint("guess-", i), "")
		slowed = slowed || w.Code == http.StatusTooManyRequests
	}
	if !slowed {
		t.Error("wrong links are not slowed")
	}
	if w := ask(s, http.MethodGet, notMine, ""); w.Code != http.StatusOK {
		t.Errorf("a right link after wrong ones: %d", w.Code)
	}
	if w := ask(s, http.MethodPost, notMine, "do=not-mine"); w.Code != http.StatusOK {
		t.Errorf("its button: %d", w.Code)
	}
	// Only one that hammers a link of his own is slowed, and only for that link.
	last := 0
	for range int(burst) + 1 {
		last = ask(s, http.MethodGet, off, "").Code
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("hammering one link: %d", last)
	}
	if w := ask(s, http.MethodGet, mine, ""); w.Code != http.StatusOK {
		t.Errorf("another right link: %d", w.Code)
	}
}

func TestGuessersAreSlowed(t *testing.T) {
	l := newLinks()
	s := newServer(t, l)
	tried := 0
	for ; tried < 100; tried++ {
		w := ask(s, http.MethodGet, fmt.Sprint("guess-", tried), "")
		if w.Code == http.StatusTooManyRequests {
			checkPage(t, parsePage(t, w.Body))
			if w.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			break
		}
	}
	if tried > 6 {
		t.Errorf("%d guesses from one address", tried)
	}
	elsewhere := func(r *http.Request) { r.RemoteAddr = "198.51.100.1:5" }
	if w := ask(s, http.MethodGet, mine, "", elsewhere); w.Code != http.StatusOK {
		t.Errorf("an honest address: %d", w.Code)
	}
	for i := range 30 {
		if w := ask(s, http.MethodGet, mine, "", elsewhere); w.Code != http.StatusOK {
			t.Fatalf("an honest address, page %d: %d", i, w.Code)
		}
	}
}

func TestRate(t *testing.T) {
	now := time.Unix(1_795_000_000, 0)
	r := newRate(func() time.Time { return now })
	from := func(a netip.Addr) asker { return asker{net: fair.Address(a)} }
	a := from(netip.MustParseAddr("2001:db8::1"))
	n := 0
	for ; r.take(a); n++ {
	}
	if n != burst {
		t.Errorf("%d at once, want %v", n, burst)
	}
	if r.take(from(netip.MustParseAddr("2001:db8::ffff:1"))) || !r.take(from(netip.MustParseAddr("2001:db8:0:1::1"))) {
		t.Error("an IPv6 network of one household is a /64")
	}
	now = now.Add(2 * time.Second)
	if !r.take(a) || r.take(a) {
		t.Error("one more after two seconds")
	}
	now = now.Add(-time.Hour)
	if r.take(a) {
		t.Error("a clock that goes back gives nothing away")
	}
	for i := range 3 * maxRates {
		r.take(from(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})))
		if len(r.seen) > maxRates {
			t.Fatalf("%d addresses remembered", len(r.seen))
		}
	}
	if !r.take(asker{}) {
		t.Error("no address at all")
	}
}

func TestWhoAsks(t *testing.T) {
	s := newServer(t, newLinks(), func(o *Options) {
		o.TrustProxy = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
	for _, c := range []struct{ peer, forwarded, want string }{
		{"203.0.113.5:1", "", "203.0.113.5"},
		{"203.0.113.5:1", "1.2.3.4", "203.0.113.5"},
		{"10.0.0.1:1", "1.2.3.4", "1.2.3.4"},
		{"10.0.0.1:1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"},
		{"[::ffff:10.0.0.1]:1", "::ffff:1.2.3.4", "1.2.3.4"},
		{"[fd00::1]:1", "2001:db8::7", "2001:db8::7"},
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"10.0.0.1:1", "junk", "10.0.0.1"},
		{"10.0.0.1:1", "10.0.0.3", "10.0.0.3"},
		{"@", "", "invalid IP"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := s.from(r); got.String() != c.want {
			t.Errorf("%s for %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

// TestAPanicEndsOnePage, and the log does not learn the token.
func TestAPanicEndsOnePage(t *testing.T) {
	var logged bytes.Buffer
	s, err := New(Deps{
		Genuine: newLinks().Genuine,
		Link:    func(context.Context, string) (notify.LinkView, error) { panic("oh no") },
		Use:     newLinks().Use, Help: testHelp,
	}, Options{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	w := ask(s, http.MethodGet, "s3cret-token", "")
	checkPage(t, parsePage(t, w.Body))
	if w.Code != http.StatusInternalServerError || !strings.Contains(logged.String(), "oh no") {
		t.Errorf("%d, log %s", w.Code, &logged)
	}
	if strings.Contains(logged.String(), "s3cret-token") {
		t.Error("the token is in the log")
	}
}

func TestOtherPaths(t *testing.T) {
	s := newServer(t, newLinks())
	for path, want := range map[string]int{"/": 200, "/robots.txt": 200, "/favicon.ico": 204, "/admin": 404, "/.env": 404, notify.LinkPath: 404} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, "PROPFIND"} {
		if w := ask(s, method, mine, ""); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

// edge/internal/certfile tests how the certificate is read again.
func TestOverTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, first := certtest.Write(t, dir, "first.test")
	s := newServer(t, newLinks(), func(o *Options) { o.Cert, o.Key = cert, key })
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	get := func() *http.Response {
		t.Helper()
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // the test looks at the certificate itself
		w, err := c.Get("https://" + s.Addr().String() + notify.LinkPath + mine)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, w.Body); err != nil {
			t.Fatal(err)
		}
		return w
	}
	if w := get(); w.StatusCode != http.StatusOK || w.Header.Get("Strict-Transport-Security") == "" || !w.TLS.PeerCertificates[0].Equal(first) {
		t.Errorf("%v", w)
	}
	_, _, second := certtest.Write(t, dir, "second.test")
	if err := s.UseCertificate(cert, key); err != nil {
		t.Error(err)
	}
	if w := get(); !w.TLS.PeerCertificates[0].Equal(second) {
		t.Error("the old certificate after a reload")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("still open after Stop")
	}
}

func TestListening(t *testing.T) {
	public := netip.MustParseAddrPort("0.0.0.0:0")
	for want, change := range map[string]func(*Options){
		"need a certificate": func(o *Options) { o.Listen = public },
		"no address":         func(o *Options) { o.Listen = netip.AddrPort{} },
		"the certificate":    func(o *Options) { o.Cert, o.Key = "/none", "/none" },
	} {
		if err := newServer(t, newLinks(), change).Start(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error about %q", err, want)
		}
	}
	s := newServer(t, newLinks())
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	w, err := http.Get("http://" + s.Addr().String() + notify.LinkPath + url.PathEscape(mine))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	checkPage(t, parsePage(t, w.Body))
}

// FuzzToken: whatever stands in the path and the form, no panic, nothing is done, and the page is a page.
func FuzzToken(f *testing.F) {
	f.Add("x", "do=mine", "text/plain")
	f.Add("%2e%2e%2f", "--b\r\n", "multipart/form-data; boundary=b")
	f.Add("token-mine%00", "do=mine&do=off", "application/x-www-form-urlencoded")
	l := newLinks()
	f.Fuzz(func(t *testing.T, token, body, kind string) {
		s := newServer(t, l)
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, "http://calls.example.net/", strings.NewReader(body))
			r.URL = &url.URL{Path: notify.LinkPath + token}
			r.Header["Content-Type"] = []string{kind}
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if w.Code == http.StatusInternalServerError || !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s %q: %d", method, token, w.Code)
			}
			if _, ours := l.view[token]; !ours && l.uses != 0 {
				t.Fatalf("%q did something", token)
			}
			l.uses = 0
		}
	})
}
