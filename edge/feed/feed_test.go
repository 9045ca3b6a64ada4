package feed

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/netlist"
	"ringfence/core/restrict"
)

// taker is who lists are handed to.
type taker struct {
	mu    sync.Mutex
	lists map[string][]string
	times int
	err   error
}

func (k *taker) take(_ context.Context, from *Source, entries []netlist.Entry) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return "", k.err
	}
	k.times++
	list := []string{}
	for _, e := range entries {
		if from.Numbers {
			list = append(list, e.Range.String()+" "+string(e.Way))
			continue
		}
		list = append(list, netlist.Show(e.Net))
	}
	if k.lists == nil {
		k.lists = map[string][]string{}
	}
	k.lists[from.Name] = list
	return fmt.Sprintf("%d taken", len(entries)), nil
}

// count is how many lists it was handed.
func (k *taker) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.times
}

func (k *taker) has(name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return strings.Join(k.lists[name], " ")
}

// feeds makes Feeds that log into the returned text.
func feeds(t *testing.T, k *taker, o Options) (*Feeds, *strings.Builder) {
	t.Helper()
	log := &strings.Builder{}
	o.Import, o.Log = k.take, slog.New(slog.NewTextHandler(log, nil))
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f, log
}

// keeper is a server with a list.
func keeper(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// TestAHotListOfNumbers: a malformed one is refused with its place, and the previous one stays in force.
func TestAHotListOfNumbers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hot.csv")
	write := func(text string, at time.Time) {
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	k := &taker{}
	f, _ := feeds(t, k, Options{Sources: []Source{{Name: "irsf", From: path, Numbers: true, Way: restrict.Both}}})
	write("number,direction\n+25261,out\n3712,\n", time.Unix(1e9, 0))
	if err := f.Fetch(t.Context(), "irsf"); err != nil || k.has("irsf") != "+25261 out +3712 both" {
		t.Errorf("%v: %s", err, k.has("irsf"))
	}
	write("number,direction\n+25261,out\n+3712,sideways\n", time.Unix(2e9, 0))
	if err := f.Fetch(t.Context(), "irsf"); err == nil || !strings.Contains(err.Error(), `line 3, column 7: found "sideways"`) || k.has("irsf") != "+25261 out +3712 both" {
		t.Errorf("%v: %s", err, k.has("irsf"))
	}
	if s := f.Status()[0]; !s.Numbers || s.Error == "" || s.Entries != 2 {
		t.Errorf("%+v", s)
	}
}

func TestAListFromTheWeb(t *testing.T) {
	body, tag, asked := "192.0.2.1\n", `"1"`, 0
	s := keeper(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		if _, key, _ := r.BasicAuth(); key != "s3cret" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		w.Header().Set("ETag", tag)
		w.Header().Set("Last-Modified", "Mon, 23 Nov 2026 00:00:00 GMT")
		if r.Header.Get("If-None-Match") == tag && r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write([]byte(body))
	})
	k := &taker{}
	f, log := feeds(t, k, Options{Sources: []Source{{Name: "web", From: strings.Replace(s.URL, "//", "//me:s3cret@", 1) + "/list?token=tok3n"}}})
	get := func() string {
		if err := f.Fetch(t.Context(), "web"); err != nil {
			return err.Error()
		}
		return k.has("web")
	}
	if got := get(); got != "192.0.2.1" {
		t.Fatal(got)
	}
	if get(); asked != 2 || k.times != 1 {
		t.Errorf("asked %d times, taken %d", asked, k.times)
	}
	body, tag = `{"ipaddress":["192.0.2.2","192.0.2.3"],"ID":"2"}`, `"2"`
	if got := get(); got != "192.0.2.2 192.0.2.3" {
		t.Error(got)
	}

	// A wrong list is named, with its place; the old one stays, and is asked for anew.
	body, tag = "{\"ipaddress\":[\n\"192.0.2.9\", \"oops\"]}", `"3"`
	want := "feed web (" + s.URL + `/list): line 2, column 14: found "oops", expected an address or network`
	if got := get(); got != want || k.has("web") != "192.0.2.2 192.0.2.3" {
		t.Errorf("%s\n%s", got, k.has("web"))
	}
	if st := f.Status()[0]; st.Error != want || st.Entries != 2 || st.Summary != "2 taken" {
		t.Errorf("%+v", st)
	}
	if got := get(); got != want {
		t.Errorf("a wrong list that has not changed is still wrong: %s", got)
	}
	body, tag = "192.0.2.4", `"4"`
	if got := get(); got != "192.0.2.4" || f.Status()[0].Error != "" {
		t.Error(got)
	}
	if l := log.String(); strings.Contains(l, "s3cret") || strings.Contains(l, "tok3n") || strings.Count(l, "level=WARN") != 1 {
		t.Error(l)
	}
}

func TestWhatIsNamed(t *testing.T) {
	many := strings.Repeat("192.0.2.1\n", 1000)
	s := keeper(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/403":
			http.Error(w, "key s3cret", http.StatusForbidden)
		case "/empty":
		case "/big":
			_, _ = w.Write([]byte(many))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write([]byte(many))
			_ = z.Close()
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("192.0.2.1\n"))
		case "/page":
			_, _ = w.Write([]byte("<html>\x1b[2Jsign in</html>"))
		case "/around":
			http.Redirect(w, r, "/around?s3cret", http.StatusFound)
		case "/elsewhere":
			http.Redirect(w, r, "http://localhost:1/s3cret", http.StatusFound)
		case "/304":
			w.WriteHeader(http.StatusNotModified)
		case "/slow":
			<-r.Context().Done()
		}
	})
	for path, want := range map[string]string{
		"/403":       "the server answered 403 Forbidden",
		"/empty":     "there is nothing in it, not even a comment",
		"/big":       "more than 5000 bytes",
		"/bomb":      "more than 5000 bytes",
		"/cut":       "unexpected EOF",
		"/page":      `line 1, column 1: found "<html>\x1b[2Jsign", expected an address or network`,
		"/around":    "redirected more than 5 times",
		"/elsewhere": "redirected to another host, which is not to see the key",
		"/304":       `the server answered "not modified" to one who has nothing`,
		"/slow":      "no answer in time",
	} {
		k := &taker{}
		timeout := 5 * time.Second
		if path == "/slow" {
			timeout = 50 * time.Millisecond
		}
		from := strings.Replace(s.URL, "http://", "http://user:s3cret@", 1) + path + "?key=s3cret"
		f, log := feeds(t, k, Options{Timeout: timeout, MaxBytes: 5000, Sources: []Source{{Name: "x", From: from}}})
		err := f.Fetch(t.Context(), "x")
		var fault *Fault
		if !errors.As(err, &fault) || fault.Err.Error() != want || k.times != 0 {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if text := err.Error() + log.String() + fmt.Sprint(f.Status()); strings.Contains(text, "s3cret") || strings.Contains(text, "\x1b") {
			t.Errorf("%s: %s", path, text)
		}
		if err.Error() != "feed x ("+s.URL+path+"): "+want {
			t.Error(err)
		}
	}
}

func TestTheServerMustBeWhoItSays(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, "http://"+r.Host+"/", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte("192.0.2.1"))
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	defer s.Close()
	k := &taker{}
	f, _ := feeds(t, k, Options{Sources: []Source{{Name: "x", From: s.URL}}})
	if err := f.Fetch(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "certificate") || k.times != 0 {
		t.Error(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	f, _ = feeds(t, k, Options{Roots: roots, Sources: []Source{{Name: "x", From: s.URL}, {Name: "down", From: s.URL + "/down"}}})
	if err := f.Fetch(t.Context(), "x"); err != nil || k.has("x") != "192.0.2.1" {
		t.Error(err)
	}
	if err := f.Fetch(t.Context(), "down"); err == nil || !strings.HasSuffix(err.Error(), "redirected to where it would not be encrypted") {
		t.Error(err)
	}
	if err := f.Fetch(t.Context(), "y"); !errors.Is(err, ErrNoFeed) {
		t.Error(err)
	}
}

func TestAListFromAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "list.csv")
		write := func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		k := &taker{}
		f, log := feeds(t, k, Options{Sources: []Source{{Name: "file", From: path, Every: 10 * time.Minute}}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.Run(ctx) }()
		synctest.Wait()
		if e := f.Status()[0].Error; e != "feed file ("+path+"): no such file or directory" {
			t.Error(e)
		}
		write("192.0.2.1,2h\n")
		<-time.After(2 * time.Minute) // what failed is tried sooner
		synctest.Wait()
		if k.has("file") != "192.0.2.1" {
			t.Fatalf("%q %+v", k.has("file"), f.Status())
		}
		<-time.After(2 * time.Hour)
		synctest.Wait()
		if k.count() != 1 {
			t.Errorf("a file that has not changed was taken %d times", k.count())
		}
		write("192.0.2.1,2h\n192.0.2.2,x\n")
		<-time.After(12 * time.Minute)
		synctest.Wait()
		if st := f.Status()[0]; !strings.HasSuffix(st.Error, `line 2, column 11: found "x", expected an end as "2026-11-30", "2026-11-30T12:00:00Z" or "12h"`) || k.has("file") != "192.0.2.1" {
			t.Errorf("%+v", st)
		}
		write("# none today\n")
		<-time.After(12 * time.Minute)
		synctest.Wait()
		if st := f.Status()[0]; st.Error != "" || st.Entries != 0 || k.has("file") != "" {
			t.Errorf("%+v", st)
		}
		times := k.count()
		<-time.After(3 * refresh)
		synctest.Wait()
		if n := k.count() - times; n < 2 || n > 3 {
			t.Errorf("in three days it was handed on %d times more", n)
		}
		cancel()
		<-done
		if n := strings.Count(log.String(), "level=WARN"); n != 2 {
			t.Errorf("%d warnings\n%s", n, log)
		}
	})
}

func TestAListThatIsNotWanted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte("192.0.2.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	k := &taker{err: errors.New("no room")}
	f, _ := feeds(t, k, Options{Sources: []Source{{Name: "file", From: path}, {Name: "dir", From: filepath.Dir(path)}}})
	if err := f.Fetch(t.Context(), "file"); err == nil || !strings.HasSuffix(err.Error(), ": no room") {
		t.Error(err)
	}
	k.err = nil
	if err := f.Fetch(t.Context(), "file"); err != nil || k.has("file") != "192.0.2.1" {
		t.Error("it is tried again although the file is the same:", err)
	}
	if err := f.Fetch(t.Context(), "dir"); err == nil || !strings.HasSuffix(err.Error(), "not a plain file") {
		t.Error(err)
	}
}

func TestSourcesThatAreWrong(t *testing.T) {
	for _, c := range []struct {
		s    Source
		want string
	}{
		{Source{Name: "a b", From: "x"}, `feed "a b": the name is to be letters, digits, dots, dashes and underscores, at most 64`},
		{Source{Name: "a"}, `feed "a": a file or URL is missing`},
		{Source{Name: "a", From: "ftp://x/s3cret"}, `feed "a": it is to be a path, or a URL of http or https`},
		{Source{Name: "a", From: "https://"}, `feed "a": it is to be a path, or a URL of http or https`},
		{Source{Name: "a", From: "x", Every: time.Second}, `feed "a": it is not to be fetched more often than each minute: 1s`},
	} {
		if _, err := New(Options{Sources: []Source{c.s}}); err == nil || err.Error() != c.want {
			t.Errorf("%+v: %v", c.s, err)
		}
	}
	if _, err := New(Options{Sources: []Source{{Name: "a", From: "x"}, {Name: "a", From: "y"}}}); err == nil {
		t.Error("twice")
	}
	f, err := New(Options{Sources: []Source{{Name: "apiban", From: "https://u:p@apiban.example/api/0123456789abcdef0123/banned/100?x=y#z"}}})
	if err != nil || f.Status()[0].From != "https://apiban.example/api/…/banned/100" {
		t.Error(err, f.Status())
	}
}

func TestPause(t *testing.T) {
	for failures, want := range []time.Duration{time.Hour, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
		if d := pause(time.Hour, failures); d < want*89/100 || d > want*111/100 {
			t.Errorf("after %d failures %v, want about %v", failures, d, want)
		}
	}
}

// TestCheckNamesListsThatFail: a list that is not taken leaves the previous one in force, which nobody would notice.
func TestCheckNamesListsThatFail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list.csv")
	f, _ := feeds(t, &taker{}, Options{Sources: []Source{{Name: "file", From: path}}})
	if got := f.Check(); len(got) != 0 {
		t.Errorf("before it was fetched: %+v", got)
	}
	if err := os.WriteFile(path, []byte("192.0.2.1,2h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Fetch(t.Context(), "file"); err != nil {
		t.Fatal(err)
	}
	if got := f.Check(); len(got) != 1 || got[0].Level != "ok" || got[0].Text != "file: 1 entry" {
		t.Errorf("%+v", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_ = f.Fetch(t.Context(), "file")
	if got := f.Check(); len(got) != 1 || got[0].Level != "warning" || !strings.HasSuffix(got[0].Text, "no such file or directory; the previous list stays in force") {
		t.Errorf("%+v", got)
	}
}
