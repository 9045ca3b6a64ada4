package web

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/flow/book/booktest"
	"ringfence/flow/notify"
	"ringfence/flow/status"
)

// statusServer is a server whose status has measured once. state is what it measures of calls abroad.
func statusServer(t *testing.T, state status.State) (*Server, *status.Status, *[]notify.Message) {
	t.Helper()
	sent := &[]notify.Message{}
	probes := map[status.Component]status.Probe{}
	for _, c := range status.Components {
		probes[c] = func(context.Context) status.State {
			if c == status.CallsAbroad {
				return state
			}
			return status.Good
		}
	}
	st, err := status.New(status.Options{
		Store: &booktest.Store{}, Node: "a", Probes: probes, Home: func(string) bool { return true }, Key: make([]byte, 32), URL: "https://calls.example.net",
		Mail: func(_ context.Context, m notify.Message) error { *sent = append(*sent, m); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	l := newLinks()
	s, err := New(Deps{Genuine: l.Genuine, Link: l.Link, Use: l.Use, Help: testHelp, Status: st}, Options{URL: "https://calls.example.net"})
	if err != nil {
		t.Fatal(err)
	}
	return s, st, sent
}

// measure has a status measure for a time of the test's clock, and stops it.
func measure(t *testing.T, st *status.Status, d time.Duration) {
	ctx, stop := context.WithTimeout(t.Context(), d)
	defer stop()
	st.Run(ctx)
}

// TestStatusSaysWhatFails in its heading, in the feeds, and small enough for a bad network; it names nobody.
func TestStatusSaysWhatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, _ := statusServer(t, status.Down)
		measure(t, st, 45*time.Second)
		if _, err := st.Note(t.Context(), "tom", 1, hostile, false, time.Now()); err == nil {
			t.Error("a hostile text was published")
		}
		if _, err := st.Note(t.Context(), "tom", 1, "<b>We</b> look & see.", false, time.Now()); err != nil {
			t.Fatal(err)
		}
		w := get(s, "/status")
		d := parsePage(t, strings.NewReader(w.Body.String()))
		checkPage(t, d)
		checkPolicy(t, w, d)
		if got := d.one(t, "main h1"); got != "Calls abroad fail. Everything else works." {
			t.Errorf("heading %q", got)
		}
		if size := len(packed(w.Body.Bytes())) + len(s.css.packed); size > 12<<10 {
			t.Errorf("%d bytes without the script", size)
		}
		if got := text(d.all("ol.story")[0]); !strings.Contains(got, "<b>We</b> look & see.") || !strings.Contains(got, "Published by measurement") || strings.Contains(got, "tom") {
			t.Errorf("entries %q", got)
		}
		if w.Header().Get("X-Robots-Tag") != "" || len(d.all("meta[name=description]")) != 1 {
			t.Error("the status page is hidden from search")
		}
		for _, path := range []string{"/status/incidents", "/status/incidents/1", "/status/mail"} {
			w := get(s, path)
			d := parsePage(t, w.Body)
			checkPage(t, d)
			checkPolicy(t, w, d)
			if w.Code != http.StatusOK {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
		for _, path := range []string{"/status/incidents/9", "/status/incidents/x", "/status/incidents/-1", "/status/mail/x"} {
			if w := get(s, path); w.Code != http.StatusNotFound {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
		checkFeeds(t, s)
		folder := filepath.Join(t.TempDir(), "copy")
		if err := s.writeCopy(folder); err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(filepath.Join(folder, "index.html"))
		if err != nil {
			t.Fatal(err)
		}
		copied := parsePage(t, strings.NewReader(string(body)))
		if copied.one(t, "main h1") != "Calls abroad fail. Everything else works." || len(copied.all("script"))+len(copied.all("form")) != 0 || len(copied.all("link[href=ring.css]")) != 1 {
			t.Errorf("the copy: %s", text(copied.Node))
		}
		for _, a := range copied.all("a") {
			if href := attr(a, "href"); strings.HasPrefix(href, "/") {
				t.Errorf("the copy links to %s on its own computers", href)
			}
		}
	})
}

const hostile = "a\u202eb\x00"

func checkFeeds(t *testing.T, s *Server) {
	t.Helper()
	var atom atomFeed
	if err := xml.Unmarshal(get(s, "/status/feed.atom").Body.Bytes(), &atom); err != nil || len(atom.Entries) != 2 || atom.Entries[0].Content != "<b>We</b> look & see." {
		t.Errorf("%v, %+v", err, atom)
	}
	var feed struct {
		Items  []struct{ URL string }
		Status struct {
			Stale      bool
			Components map[string]string
		} `json:"_status"`
	}
	if err := json.Unmarshal(get(s, "/status/feed.json").Body.Bytes(), &feed); err != nil || len(feed.Items) != 2 || feed.Status.Components["calls-abroad"] != "down" || feed.Items[0].URL != "https://calls.example.net/status/incidents/1" {
		t.Errorf("%v, %+v", err, feed)
	}
}

// TestStatusIsNeverAnOldGreen: when measuring stops, the page says since when, and shows nothing as working.
func TestStatusIsNeverAnOldGreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, _ := statusServer(t, status.Good)
		measure(t, st, 25*time.Second)
		if got := parsePage(t, get(s, "/status").Body).one(t, "main h1"); got != "Everything works" {
			t.Errorf("heading %q", got)
		}
		<-time.After(2 * time.Minute)
		d := parsePage(t, get(s, "/status").Body)
		if got := d.one(t, "main h1"); !strings.HasPrefix(got, "We have not measured since ") {
			t.Errorf("heading %q", got)
		}
		if len(d.all("section.warn")) != 1 || len(d.all("span.good")) != 0 {
			t.Errorf("it is still green: %s", text(d.Node))
		}
	})
}

// TestSubscribing: a link that is opened does nothing, its button does, and one click ends it.
func TestSubscribing(t *testing.T) {
	s, _, sent := statusServer(t, status.Good)
	post := func(path string, form url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "http://calls.example.net"+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w
	}
	w := post("/status/mail", url.Values{"mail": {markup}})
	d := parsePage(t, w.Body)
	checkPage(t, d)
	if w.Code != http.StatusUnprocessableEntity || d.one(t, "p.error") != "Type a mail address, such as name@example.com" || len(*sent) != 0 {
		t.Errorf("%d %s", w.Code, text(d.Node))
	}
	if w = post("/status/mail", url.Values{"mail": {"ana@example.com"}}); w.Code != http.StatusOK || len(*sent) != 1 {
		t.Fatalf("%d, %d mails", w.Code, len(*sent))
	}
	path := strings.TrimPrefix((*sent)[0].Off, "https://calls.example.net")
	for _, want := range []string{"Shall we send you our incidents?", "Shall we send you our incidents?"} {
		if got := parsePage(t, get(s, path).Body).one(t, "main h1"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, c := range []struct{ form, want string }{{"do=confirm", "You will hear of it"}, {"List-Unsubscribe=One-Click", "You get no more of these mails"}, {"do=leave", "This link is not known"}} {
		form, err := url.ParseQuery(c.form)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsePage(t, post(path, form).Body).one(t, "main h1"); got != c.want {
			t.Errorf("%s: %q, want %q", c.form, got, c.want)
		}
	}
	if w := post("/status/mail", url.Values{"mail": {strings.Repeat("x", maxForm)}}); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a long form: %d", w.Code)
	}
	last := 0
	for n := range 20 {
		last = post("/status/mail", url.Values{"mail": {fmt.Sprintf("p%d@example.com", n)}}).Code
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("one address asks for mails without limit: %d", last)
	}
}
