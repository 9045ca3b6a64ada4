package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/docs/receiver"
	"ringfence/flow/notify"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func sender(t *testing.T, o Options) *Sender {
	t.Helper()
	if o.Key.ID == "" {
		o.Key = edKey(t, "ringfence-1")
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func hook(url string) notify.Message {
	return notify.Message{ID: "n.1.desk@example.net", Channel: "webhook", To: url, JSON: testBody}
}

func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

func TestAWebhookArrivesSigned(t *testing.T) {
	key := edKey(t, "ringfence-1")
	var faults atomic.Pointer[error]
	handle := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		err = errors.Join(err, receiver.Verify(r, body, trust(t, key)))
		if r.Header.Get("Idempotency-Key") != `"n.1.desk@example.net"` || r.URL.RequestURI() != "/in/a%20b?x=%2F&y" || string(body) != string(testBody) {
			err = errors.Join(err, fmt.Errorf("%s %v %s", r.URL, r.Header, body))
		}
		faults.Store(&err)
		w.WriteHeader(http.StatusAccepted)
	}
	plain := server(t, handle)
	secured := httptest.NewTLSServer(http.HandlerFunc(handle))
	t.Cleanup(secured.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secured.Certificate())
	s := sender(t, Options{Key: key, Allow: loopback, Roots: roots})
	for _, srv := range []*httptest.Server{plain, secured} {
		if err := s.Send(t.Context(), hook(srv.URL+"/in/a%20b?x=%2F&y#part")); err != nil {
			t.Error(err)
		}
		if err := faults.Swap(nil); err == nil || *err != nil {
			t.Errorf("%s: the receiver says %v", srv.URL, err)
		}
	}
	err := sender(t, Options{Key: key, Allow: loopback}).Send(t.Context(), hook(secured.URL))
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) || errors.Is(err, notify.ErrPermanent) {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
}

func TestAHookOfTheProviderMayBeAnywhere(t *testing.T) {
	srv := server(t, func(http.ResponseWriter, *http.Request) {})
	s := sender(t, Options{Hooks: []string{srv.URL + "/desk"}})
	if err := s.Send(t.Context(), hook(srv.URL+"/desk")); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), hook(srv.URL+"/other")); !errors.Is(err, notify.ErrPermanent) {
		t.Errorf("another address at the same private place: %v", err)
	}
}

func TestAnswers(t *testing.T) {
	var code atomic.Int64
	var asked atomic.Int64
	srv := server(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Location", "/elsewhere")
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(int(code.Load()))
		_, _ = io.WriteString(w, "the\r\n words\x1b[31m "+strings.Repeat("x", 100_000))
	})
	s := sender(t, Options{Allow: loopback})
	for c, permanent := range map[int]bool{
		301: true, 302: false, 303: false, 307: false, 308: true, 400: true, 401: true, 403: true, 404: true, 410: true, 422: true,
		408: false, 425: false, 429: false, 500: false, 501: false, 502: false, 503: false, 504: false,
	} {
		code.Store(int64(c))
		asked.Store(0)
		err := s.Send(t.Context(), hook(srv.URL))
		if err == nil || errors.Is(err, notify.ErrPermanent) != permanent || asked.Load() != 1 {
			t.Errorf("%d: %v after %d requests; permanent should be %v", c, err, asked.Load(), permanent)
		}
		if text := err.Error(); !strings.Contains(text, fmt.Sprintf("answered %d: the words [31m xxx", c)) || len(text) > 500 {
			t.Errorf("%d: says %q", c, text)
		}
		var later *Later
		if errors.As(err, &later) == permanent || later != nil && later.RetryAfter() != 2*time.Minute {
			t.Errorf("%d: later is %+v", c, later)
		}
	}
	for _, c := range []int{200, 202} {
		code.Store(int64(c))
		if err := s.Send(t.Context(), hook(srv.URL)); err != nil {
			t.Errorf("%d: %v", c, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "30": 30 * time.Second, "-5": 0, "soon": 0, "99999999": maxLater, "99999999999999999999": 0,
		"Mon, 23 Nov 2026 00:01:00 GMT": time.Minute, "Sun, 22 Nov 2026 00:00:00 GMT": 0, "Mon, 23 Nov 2099 00:00:00 GMT": maxLater,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestCustomersCannotReachInside: a webhook must not be a way into the provider's network (SSRF).
func TestCustomersCannotReachInside(t *testing.T) {
	var asked atomic.Int64
	srv := server(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := sender(t, Options{Timeout: 2 * time.Second})
	for _, url := range []string{
		srv.URL, "http://localhost:" + port, "https://127.0.0.1:" + port, "https://localhost:" + port, "https://[::ffff:127.0.0.1]:" + port,
		"https://0.0.0.0:" + port, "https://[::]:" + port, "https://10.0.0.1", "https://169.254.169.254/latest/meta-data", "https://[fe80::1]/", "https://[fd00::1]/",
	} {
		if err := s.Send(t.Context(), hook(url)); !errors.Is(err, notify.ErrPermanent) || !strings.Contains(err.Error(), "not a public address") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("the server inside was asked %d times", asked.Load())
	}
}

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "2a00:1450::1": true, "64:ff9b::8.8.8.8": true, "::ffff:8.8.8.8": true,
		"10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "127.0.0.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false,
		"0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false, "192.0.2.1": false, "240.0.0.1": false, "::": false, "::1": false,
		"fe80::1%eth0": false, "fd12::1": false, "ff02::1": false, "::ffff:10.0.0.1": false, "64:ff9b::10.0.0.1": false, "2002:a00:1::1": false, "2001::1": false,
		"::10.0.0.1": false, "2001:db8::1": false, "fec0::1": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestBadURLsArePermanent(t *testing.T) {
	s := sender(t, Options{})
	for _, url := range []string{
		"", "nonsense", "http://example.com/", "ftp://example.com", "file:///etc/passwd", "https://", "https:///x", "https://user:pass@example.com/", "https:example.com",
		"https://exa mple.com/", "https://example.com/\r\nX: y", "http://127.0.0.1.example.com/", "http://localhost.example.com/", "gopher://127.0.0.1/", "https://" + strings.Repeat("a", 3000),
	} {
		if err := s.Send(t.Context(), hook(url)); !errors.Is(err, notify.ErrPermanent) || strings.Contains(err.Error(), "pass@") {
			t.Errorf("%q: %v", url, err)
		}
	}
	m := hook("https://example.com")
	m.ID = "a\"b"
	if err := s.Send(t.Context(), m); !errors.Is(err, notify.ErrPermanent) {
		t.Errorf("a bad ID: %v", err)
	}
}

// TestErrorsDoNotShowThePath: it is often what keeps strangers out of a webhook.
func TestErrorsDoNotShowThePath(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err = sender(t, Options{Allow: loopback}).Send(t.Context(), hook("http://"+addr+"/T0ken?k=s3cret"))
	if err == nil || errors.Is(err, notify.ErrPermanent) || strings.Contains(err.Error(), "T0ken") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
}

func TestTimeLimits(t *testing.T) {
	over := make(chan struct{})
	began := make(chan struct{}, 2)
	srv := server(t, func(http.ResponseWriter, *http.Request) { began <- struct{}{}; <-over })
	defer close(over)
	if err := sender(t, Options{Allow: loopback, Timeout: 50 * time.Millisecond}).Send(t.Context(), hook(srv.URL)); err == nil || errors.Is(err, notify.ErrPermanent) {
		t.Errorf("a server that hangs: %v", err)
	}
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if err := sender(t, Options{Allow: loopback}).Send(ctx, hook(srv.URL)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestAnEndlessAnswer is cut off: status 200 counts, whatever follows.
func TestAnEndlessAnswer(t *testing.T) {
	srv := server(t, func(w http.ResponseWriter, r *http.Request) {
		for chunk := []byte(strings.Repeat("x", 8<<10)); r.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if err := sender(t, Options{Allow: loopback, Timeout: 5 * time.Second}).Send(t.Context(), hook(srv.URL)); err != nil {
		t.Error(err)
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("without a key")
	}
	if _, err := New(Options{Key: edKey(t, "k"), Hooks: []string{"http://desk.example.net/"}}); err == nil || !strings.Contains(err.Error(), "https") {
		t.Error("a hook without TLS:", err)
	}
}

// TestNoRepeatOnADeadConnection: net/http repeats requests with an Idempotency-Key on its own. The receiver would see a nonce
// twice, refuse, and a notice that arrived would count as bounced.
func TestNoRepeatOnADeadConnection(t *testing.T) {
	var asked atomic.Int64
	srv := server(t, func(http.ResponseWriter, *http.Request) {
		if asked.Add(1) == 2 {
			panic(http.ErrAbortHandler) // taken, and the answer lost
		}
	})
	s := sender(t, Options{Allow: loopback})
	if err := s.Send(t.Context(), hook(srv.URL)); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), hook(srv.URL)); err == nil || errors.Is(err, notify.ErrPermanent) {
		t.Errorf("a lost answer: %v, want an error that is tried again", err)
	}
	if asked.Load() != 2 {
		t.Errorf("asked %d times, want 2", asked.Load())
	}
}
