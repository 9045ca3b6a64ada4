package web

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // as authenticator apps have it
	"crypto/tls"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/core/person"
	"ringfence/core/phone"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/people"
)

const goodWords = "gravel-lantern-otter-quilt-92"

// house is a server that people can sign in to.
type house struct {
	*Server
	people *people.People
	book   *book.Book
	db     *booktest.Store
	acme   string
	bravo  string
	t      *testing.T
}

func newHouse(t *testing.T, change ...func(*Options)) *house {
	t.Helper()
	return newHouseWith(t, nil, change...)
}

// newHouseWith is newHouse with more for its pages to ask.
func newHouseWith(t *testing.T, more func(h *house, d *Deps), change ...func(*Options)) *house {
	t.Helper()
	ctx := context.Background()
	plan, err := phone.NewPlan(phone.UKConfig())
	fatal(t, err)
	k, err := secret.NewKey()
	fatal(t, err)
	box, err := secret.NewBox([]secret.Key{k})
	fatal(t, err)
	db := &booktest.Store{}
	b, err := book.Open(ctx, db, book.Options{Plan: plan, Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "sip.test"})
	fatal(t, err)
	h := &house{t: t, book: b, db: db}
	for name, id := range map[string]*string{"acme": &h.acme, "bravo": &h.bravo} {
		c, err := b.AddCustomer(ctx, "t", name, book.CustomerEdit{})
		fatal(t, err)
		*id = c.ID
	}
	h.people, err = people.New(people.Options{Store: db, Book: b, Box: func() (*secret.Box, error) { return box, nil }, Issuer: "Test"})
	fatal(t, err)
	o := Options{Listen: netip.MustParseAddrPort("127.0.0.1:0")}
	for _, c := range change {
		c(&o)
	}
	l := newLinks()
	d := Deps{
		Genuine: l.Genuine, Link: l.Link, Use: l.Use, Help: testHelp, People: h.people, ZoneOf: b.Zone,
		SignIn: func(token string) string { return "https://rf.test/in/link/" + token },
	}
	if more != nil {
		more(h, &d)
	}
	h.Server, err = New(d, o)
	fatal(t, err)
	return h
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// browser keeps cookies, as one over TLS does.
type browser struct {
	h       *house
	cookies map[string]*http.Cookie
	plain   bool
	from    string
	headers map[string]string
}

func (h *house) browser() *browser {
	return &browser{h: h, cookies: map[string]*http.Cookie{}, from: "192.0.2.7:40000", headers: map[string]string{}}
}

func (b *browser) do(method, path string, form url.Values) *httptest.ResponseRecorder {
	b.h.t.Helper()
	r := httptest.NewRequest(method, "https://rf.test"+path, strings.NewReader(form.Encode()))
	r.RemoteAddr, r.Host = b.from, "rf.test"
	if b.plain {
		r.TLS = nil
	} else {
		r.TLS = &tls.ConnectionState{}
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for k, v := range b.headers {
		r.Header.Set(k, v)
	}
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	w := httptest.NewRecorder()
	b.h.Handler().ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c
		}
	}
	return w
}

func (b *browser) get(path string) *httptest.ResponseRecorder { return b.do("GET", path, nil) }

func (b *browser) post(path string, pairs ...string) *httptest.ResponseRecorder {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.do("POST", path, form)
}

// want checks the status, and where it leads or what it shows.
func want(t *testing.T, what string, w *httptest.ResponseRecorder, status int, part string) {
	t.Helper()
	if got := w.Header().Get("Location") + w.Body.String(); w.Code != status || !strings.Contains(got, part) {
		t.Errorf("%s: %d %s, want %d with %q", what, w.Code, got, status, part)
	}
}

// enter adds somebody and signs them in by their link.
func (h *house) enter(customer, handle string, role person.Role) (people.Person, *browser) {
	h.t.Helper()
	p, link, err := h.people.Add(context.Background(), "t", people.NewPerson{Customer: customer, Handle: handle, Role: role})
	fatal(h.t, err)
	b := h.browser()
	want(h.t, "the link", b.post("/in/link/"+link.Token), 303, "/")
	return p, b
}

func TestSigningIn(t *testing.T) {
	h := newHouse(t)
	p, link, err := h.people.Add(t.Context(), "t", people.NewPerson{Customer: h.acme, Handle: "ana", Name: "Ana & Co", Role: person.Owner})
	fatal(t, err)
	b := h.browser()
	want(t, "nobody is signed in", b.get("/me"), 401, "Sign in first")
	for range 3 { // mail programs open links
		want(t, "looking at a link", b.get("/in/link/"+link.Token), 200, "Sign in as acme/ana")
	}
	want(t, "using it", b.post("/in/link/"+link.Token), 303, "/")
	want(t, "using it again", h.browser().post("/in/link/"+link.Token), 404, "does not sign anybody in")
	for _, c := range b.cookies {
		if c.Name != "__Host-ring" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie %+v", c)
		}
	}
	me := b.get("/me")
	want(t, "my page", me, 200, "Ana &amp; Co")
	checkPage(t, parsePage(t, strings.NewReader(me.Body.String())))
	checkPolicy(t, me, parsePage(t, strings.NewReader(me.Body.String())))
	want(t, "a weak password", b.post("/me", "do", "password", "password", "password123"), 200, "password refused")
	want(t, "a password", b.post("/me", "do", "password", "password", goodWords), 303, "/me")
	want(t, "signing out", b.post("/out"), 303, "/in")
	want(t, "signed out", b.get("/me"), 401, "Sign in first")
	want(t, "a wrong one", b.post("/in", "name", "acme/ana", "password", "wrong"), 422, "does not sign you in")
	want(t, "a name that nobody has", b.post("/in", "name", "acme/eve", "password", "wrong"), 422, "does not sign you in")
	want(t, "the right one", b.post("/in", "name", "acme/ana", "password", goodWords), 303, "/")
	want(t, "in again", b.get("/me"), 200, "acme/ana")
	if err := h.people.Remove(t.Context(), "t", p.ID); err == nil {
		t.Error("the last owner was removed")
	}
}

func TestSigningInWithCodes(t *testing.T) {
	h := newHouse(t)
	p, b := h.enter("", "sam", person.Admin)
	want(t, "staff without a second factor", b.get("/me"), 200, "You need a second factor")
	want(t, "making a token", b.post("/tokens", "do", "add"), 403, "Set up a second factor first")
	app := b.post("/me", "do", "app")
	want(t, "an app", app, 200, "otpauth://totp/")
	if app.Header().Get("Content-Encoding") != "" {
		t.Error("a page with a secret is packed")
	}
	want(t, "a wrong code", b.post("/me", "do", "confirm", "code", "000000"), 200, "does not sign you in")
	key := regexp.MustCompile(`secret=([A-Z2-7]+)`).FindStringSubmatch(app.Body.String())[1]
	done := b.post("/me", "do", "confirm", "code", codeNow(t, key))
	want(t, "the right code", done, 200, "Your recovery codes")
	checkPage(t, parsePage(t, strings.NewReader(done.Body.String())))
	codes := regexp.MustCompile(`[a-z2-7]{4}(-[a-z2-7]{4}){3}`).FindAllString(done.Body.String(), -1)
	if len(codes) != 10 {
		t.Fatalf("%d codes", len(codes))
	}
	link, err := h.people.Link(t.Context(), "t", p.ID, time.Hour)
	fatal(t, err)
	c := h.browser()
	want(t, "the link", c.post("/in/link/"+link.Token), 303, "/in/code")
	want(t, "half a sign-in", c.get("/me"), 401, "Sign in first")
	want(t, "a wrong code", c.post("/in/code", "code", "000000"), 422, "does not sign you in")
	want(t, "a recovery code", c.post("/in/code", "code", codes[0]), 303, "/")
	want(t, "in", c.get("/people"), 200, "person may sign in")
	d := h.browser()
	want(t, "without the first step", d.post("/in/code", "code", codes[1]), 422, "Begin again")
}

// A cookie that somebody planted does not become a session, and an old session ends when its browser signs in again.
func TestNoFixation(t *testing.T) {
	h := newHouse(t)
	p, b := h.enter(h.acme, "ana", person.Owner)
	old := b.cookies["__Host-ring"].Value
	link, err := h.people.Link(t.Context(), "t", p.ID, time.Hour)
	fatal(t, err)
	b.cookies["__Host-ring-half"] = &http.Cookie{Name: "__Host-ring-half", Value: "planted"}
	want(t, "again", b.post("/in/link/"+link.Token), 303, "/")
	if b.cookies["__Host-ring"].Value == old {
		t.Error("the same session")
	}
	c := h.browser()
	c.cookies["__Host-ring"] = &http.Cookie{Name: "__Host-ring", Value: old}
	want(t, "the old one", c.get("/me"), 401, "Sign in first")
	// Without its prefix a cookie counts nowhere but on this machine.
	d := h.browser()
	d.cookies["ring"] = &http.Cookie{Name: "ring", Value: b.cookies["__Host-ring"].Value}
	want(t, "another name", d.get("/me"), 401, "Sign in first")
}

// Without TLS nobody is signed in but on this machine.
func TestWithoutTLS(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.TrustProxy = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} })
	p, _ := h.enter(h.acme, "ana", person.Owner)
	link := func() string {
		l, err := h.people.Link(t.Context(), "t", p.ID, time.Hour)
		fatal(t, err)
		return "/in/link/" + l.Token
	}
	far := h.browser()
	far.plain = true
	want(t, "from afar", far.post(link()), 403, "Others could read")
	want(t, "from afar, asking", far.get("/in"), 403, "Others could read")
	if len(far.cookies) != 0 {
		t.Errorf("cookies %v", far.cookies)
	}
	here := h.browser()
	here.plain, here.from = true, "127.0.0.1:40000"
	want(t, "on this machine", here.post(link()), 303, "/")
	if c := here.cookies["ring"]; c == nil || c.Secure || !c.HttpOnly {
		t.Errorf("cookies %v", here.cookies)
	}
	want(t, "in, on this machine", here.get("/me"), 200, "acme/ana")
	behind := h.browser() // a proxy on this machine, asked from afar without TLS
	behind.plain, behind.from, behind.headers["X-Forwarded-For"] = true, "127.0.0.1:40000", "203.0.113.9"
	want(t, "through a proxy", behind.post(link()), 403, "Others could read")
	behind.headers["X-Forwarded-Proto"] = "https"
	want(t, "through a proxy with TLS", behind.post(link()), 303, "/")
	if behind.cookies["__Host-ring"] == nil {
		t.Errorf("cookies %v", behind.cookies)
	}
}

// An owner downloads everything that is held about their customer, after showing again that it is them; nobody else does.
func TestAnOwnerDownloadsWhatIsHeld(t *testing.T) {
	asked := []string{}
	h := newHouseWith(t, func(h *house, d *Deps) {
		d.Export = func(_ context.Context, w io.Writer, customer, actor string) error {
			asked = append(asked, customer+" by "+actor)
			_, err := io.WriteString(w, "PK")
			return err
		}
	})
	p, b := h.enter(h.acme, "ana", person.Owner)
	list := b.get("/people")
	want(t, "the button", list, 200, `action="/people/export"`)
	checkPage(t, parsePage(t, strings.NewReader(list.Body.String())))
	got := b.post("/people/export")
	want(t, "the archive", got, 200, "PK")
	if d := got.Header().Get("Content-Disposition"); d != "attachment; filename=acme.zip" || got.Header().Get("Content-Type") != "application/zip" {
		t.Errorf("%q of type %q", d, got.Header().Get("Content-Type"))
	}
	if len(asked) != 1 || !strings.Contains(asked[0], h.acme+" by ") || !strings.Contains(asked[0], p.Handle()) {
		t.Errorf("asked for %q", asked)
	}
	_, manager := h.enter(h.acme, "max", person.Manager)
	want(t, "a manager", manager.post("/people/export"), 403, "not for you to do")
	if strings.Contains(manager.get("/people").Body.String(), "/people/export") {
		t.Error("a manager sees the button")
	}
	_, staff := h.enter("", "sam", person.Admin)
	want(t, "staff have no such page", staff.post("/people/export"), 404, "")
	fresh := h.d.SignedIn
	h.d.SignedIn = func(r *http.Request) (Visitor, error) {
		v, err := fresh(r)
		v.Who.Proved = time.Now().Add(-24 * time.Hour)
		return v, err
	}
	want(t, "an owner who signed in a day ago", b.post("/people/export"), 303, "/me/prove?to=%2Fpeople")
	if len(asked) != 1 {
		t.Errorf("asked for %q", asked)
	}
}

func TestPeopleAndTokensOnPages(t *testing.T) {
	h := newHouse(t)
	_, b := h.enter(h.acme, "ana", person.Owner)
	made := b.post("/people", "do", "add", "handle", "bob", "name", "Bob", "role", "reader")
	want(t, "letting somebody in", made, 200, "https://rf.test/in/link/")
	checkPage(t, parsePage(t, strings.NewReader(made.Body.String())))
	want(t, "an admin", b.post("/people", "do", "add", "handle", "eve", "role", "admin"), 200, "one of owner, manager, reader")
	list := b.get("/people")
	want(t, "the list", list, 200, "acme/bob")
	checkPage(t, parsePage(t, strings.NewReader(list.Body.String())))
	checkPolicy(t, list, parsePage(t, strings.NewReader(list.Body.String())))
	want(t, "removing the last owner", b.post("/people", "do", "remove", "person", "ana"), 200, "last owner")
	link := regexp.MustCompile(`/in/link/[A-Za-z0-9_-]+`).FindString(made.Body.String())
	bob := h.browser()
	want(t, "bob", bob.post(link), 303, "/")
	want(t, "a reader sees", bob.get("/people"), 200, "acme/ana")
	for _, do := range []string{"add", "link", "out", "remove", "role"} {
		want(t, "a reader may not "+do, bob.post("/people", "do", do, "person", "ana", "handle", "x", "role", "owner"), 403, "not for you to do")
	}
	_, eve := h.enter(h.bravo, "eve", person.Owner)
	want(t, "another's person", eve.post("/people", "do", "link", "person", "ana"), 404, "no such page")
	want(t, "another's person, by path", eve.post("/people", "do", "remove", "person", "acme/ana"), 404, "no such page")

	token := b.post("/tokens", "do", "add", "name", "ci", "scope", "read", "scope", "lock", "until", time.Now().AddDate(0, 1, 0).Format(time.DateOnly))
	want(t, "a token", token, 200, "rft_")
	checkPage(t, parsePage(t, strings.NewReader(token.Body.String())))
	want(t, "no scope", b.post("/tokens", "do", "add", "name", "c2", "until", time.Now().AddDate(0, 1, 0).Format(time.DateOnly)), 200, "scopes")
	tokens := b.get("/tokens")
	want(t, "tokens", tokens, 200, "read, lock")
	checkPage(t, parsePage(t, strings.NewReader(tokens.Body.String())))
	if strings.Contains(tokens.Body.String(), "rft_") {
		t.Error("a token is shown twice")
	}
	id := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(tokens.Body.String())[1]
	want(t, "another takes it back", eve.post("/tokens", "do", "remove", "token", id), 303, "/tokens")
	want(t, "it is there", b.get("/tokens"), 200, "read, lock")
	want(t, "taking it back", b.post("/tokens", "do", "remove", "token", id), 303, "/tokens")
	want(t, "no tokens", b.get("/tokens"), 200, "No token yet")
	want(t, "bob signed out by ana", b.post("/people", "do", "out", "person", "bob"), 303, "/people")
	want(t, "bob", bob.get("/me"), 401, "Sign in first")
}

// What changes who gets in asks for a factor that was shown lately, and leads nowhere else.
func TestFactorsAreAskedForAgain(t *testing.T) {
	h := newHouse(t)
	p, b := h.enter(h.acme, "ana", person.Owner)
	fatal(t, h.people.SetPassword(t.Context(), "t", p.ID, goodWords, b.cookies["__Host-ring"].Value))
	q := &query{Request: httptest.NewRequest("GET", "/me", nil), now: time.Now(), Visitor: Visitor{Who: person.Who{Person: p.ID, Proved: time.Now().Add(-2 * people.Fresh)}}}
	if see := q.fresh("/people"); see != "/me/prove?to=%2Fpeople" {
		t.Errorf("led to %q", see)
	}
	want(t, "asking", b.get("/me/prove?to=%2Fpeople"), 200, `value="/people"`)
	want(t, "a wrong one", b.post("/me/prove", "to", "/people", "code", "wrong"), 200, "does not sign you in")
	want(t, "the right one", b.post("/me/prove", "to", "/people", "code", goodWords), 303, "/people")
	for _, to := range []string{"https://evil.example/", "//evil.example", "/\\evil", "javascript:alert(1)", "/nowhere"} {
		if w := b.post("/me/prove", "to", to, "code", goodWords); w.Header().Get("Location") != "/me" {
			t.Errorf("%s leads to %s", to, w.Header().Get("Location"))
		}
	}
}

func TestOneLinkOneBrowser(t *testing.T) {
	h := newHouse(t)
	_, link, err := h.people.Add(t.Context(), "t", people.NewPerson{Customer: h.acme, Handle: "ana", Role: person.Owner})
	fatal(t, err)
	var mu sync.Mutex
	var all sync.WaitGroup
	in := 0
	for range 8 {
		all.Go(func() {
			if w := h.browser().post("/in/link/" + link.Token); w.Code == 303 {
				mu.Lock()
				in++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if in != 1 {
		t.Errorf("%d browsers got in", in)
	}
}

// codeNow is what an app shows.
func codeNow(t *testing.T, key string) string {
	t.Helper()
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key)
	fatal(t, err)
	mac := hmac.New(sha1.New, raw)
	fatal(t, binary.Write(mac, binary.BigEndian, time.Now().Unix()/30))
	sum := mac.Sum(nil)
	at := sum[19] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}

// A desk works by keyboard, and its pages are read again as calls come and go: a session has a measure of its own, which strangers behind the same
// address do not use up, and which an invented session does not get.
func TestASessionHasAMeasureOfItsOwn(t *testing.T) {
	h := newHouse(t)
	_, desk := h.enter("", "dora", person.Fraud)
	forged := h.browser()
	forged.cookies["x"] = &http.Cookie{Name: hostPrefix + sessionCookie, Value: strings.Repeat("A", 43)}
	want(t, "the desk", desk.get("/me"), 200, "")
	for range int(burst) {
		forged.get("/me")
	}
	want(t, "an invented session", forged.get("/me"), 429, "")
	want(t, "a stranger", h.browser().get("/in"), 429, "")
	for i := range 4 * int(burst) {
		if w := desk.get("/me"); w.Code != 200 {
			t.Fatalf("page %d of the desk: %d", i, w.Code)
		}
	}
	for range int(burst * sessionTimes) {
		desk.get("/me")
	}
	want(t, "a session that hammers", desk.get("/me"), 429, "")
}
