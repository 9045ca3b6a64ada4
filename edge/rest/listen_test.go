package rest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/edge/internal/certfile/certtest"
	"ringfence/edge/rest"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

// start serves a fixture and stops it with the test.
func start(t *testing.T, o rest.Options) *fixture {
	t.Helper()
	f := newFixture(t, o)
	if err := f.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestSocketIsPrivateAndSaysWho(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rf.sock")
	f := start(t, rest.Options{Socket: path})
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", fi.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Dir(path) + "/.s*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	c := client.Unix(path)
	var made api.Customer
	if err := c.Do(ctx, "POST", "/v1/customers", api.NewCustomer{ID: "acme"}, &made); err != nil || made.ID != "acme" {
		t.Fatalf("%+v, %v", made, err)
	}
	if body := string(f.db.AllFacts()[0].Body); !strings.Contains(body, `@socket"`) {
		t.Errorf("the journal does not say who: %s", body)
	}
	var p *api.Problem
	if err := c.Do(ctx, "POST", "/v1/customers", api.NewCustomer{ID: "acme"}, nil); !errors.As(err, &p) || p.Status != 409 || p.Reason != api.ReasonExists {
		t.Errorf("a problem comes over as %v", err)
	}
	if err := c.Do(ctx, "POST", "/v1/decks/retail/import?kind=retail", client.CSV{Reader: strings.NewReader(deckCSV)}, &api.Import{}); err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	if err := c.Stream(ctx, "GET", "/v1/cdrs", "text/csv", &out); err != nil || strings.Count(out.String(), "\n") != 2501 {
		t.Errorf("%d lines, %v", strings.Count(out.String(), "\n"), err)
	}
}

func TestSocketThatIsLeftOrTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rf.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil { // as a killed server leaves it
		t.Fatal(err)
	}
	start(t, rest.Options{Socket: path})
	if err := newFixture(t, rest.Options{Socket: path}).Start(); !errors.Is(err, rest.ErrSocketBusy) {
		t.Errorf("a second server: %v", err)
	}
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newFixture(t, rest.Options{Socket: file}).Start(); err == nil {
		t.Error("a file that is no socket was replaced")
	}
}

func TestClientSaysThatNobodyAnswers(t *testing.T) {
	err := client.Unix(filepath.Join(t.TempDir(), "none")).Do(ctx, "GET", "/v1/status", nil, nil)
	if !errors.Is(err, client.ErrUnreachable) {
		t.Error(err)
	}
	if _, err := client.TCP("http://provider.example:8443", "token", nil); err == nil {
		t.Error("a token would go out in clear")
	}
}

func TestTokens(t *testing.T) {
	sum := rest.HashToken("s3cret-token")
	tokens, err := rest.ParseTokens(strings.NewReader("# staff\nalice " + hex.EncodeToString(sum[:]) + "\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, rest.Options{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Tokens: tokens})
	base := "http://" + f.Addr().String()
	for token, want := range map[string]int{"s3cret-token": 201, "s3cret-tokem": 401, "": 401, hex.EncodeToString(sum[:]): 401} {
		c, err := client.TCP(base, token, nil)
		if err != nil {
			t.Fatal(err)
		}
		var p *api.Problem
		err = c.Do(ctx, "POST", "/v1/customers", api.NewCustomer{ID: "acme"}, nil)
		if got := map[bool]int{true: 201, false: 401}[err == nil]; got != want || err != nil && (!errors.As(err, &p) || p.Reason != api.ReasonToken) {
			t.Errorf("token %q: %v", token, err)
		}
	}
	if body := string(f.db.AllFacts()[0].Body); !strings.Contains(body, `"by":"alice"`) {
		t.Errorf("the journal does not say who: %s", body)
	}
	for _, bad := range []string{"alice", "alice 00ff", "alice " + strings.Repeat("zz", 32), "a b c"} {
		if _, err := rest.ParseTokens(strings.NewReader(bad)); err == nil || strings.Contains(err.Error(), "ff") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Guards against issue 7: one address could hold every connection of the admin listener, and try tokens without end.
func TestNobodyHoldsTheAdminListener(t *testing.T) {
	f := start(t, rest.Options{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Tokens: []rest.Token{{Name: "alice", Hash: rest.HashToken("right")}}})
	for i := range 600 { // one address, then forty of a network each
		ip := net.IPv4(127, 0, 0, 2)
		if i >= 200 {
			ip = net.IPv4(127, 1, byte(i%40), 1)
		}
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}}
		c, err := d.Dial("tcp", f.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	get := func(token string) int {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.Addr().String()+"/v1/customers", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		c := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		a, err := c.Do(r)
		if err != nil {
			t.Fatalf("somebody with a token is kept out: %v", err)
		}
		_ = a.Body.Close()
		return a.StatusCode
	}
	if got := get("right"); got != 200 {
		t.Errorf("a right token: %d", got)
	}
	seen := map[int]int{}
	for range 30 {
		seen[get("wrong")]++
	}
	if seen[401] == 0 || seen[429] == 0 {
		t.Errorf("wrong tokens: %v", seen)
	}
	if got := get("right"); got != 200 {
		t.Errorf("a right token after wrong ones from the same address: %d", got)
	}
}

func TestTCPNeedsTokensAndACertificate(t *testing.T) {
	sum := []rest.Token{{Name: "a", Hash: rest.HashToken("x")}}
	for name, o := range map[string]rest.Options{
		"no tokens":               {Listen: netip.MustParseAddrPort("127.0.0.1:0")},
		"in clear to the world":   {Listen: netip.MustParseAddrPort("0.0.0.0:0"), Tokens: sum},
		"certificate not there":   {Listen: netip.MustParseAddrPort("127.0.0.1:0"), Tokens: sum, Cert: "/nonexistent", Key: "/nonexistent"},
		"socket path is too long": {Socket: "/tmp/" + strings.Repeat("x", 200)},
	} {
		if err := newFixture(t, o).Start(); err == nil {
			t.Errorf("%s: started", name)
		}
	}
}

// Over TLS, under the names of the certificate; edge/internal/certfile tests how it is read again.
func TestOverTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, first := certtest.Write(t, dir, "rf.provider.example")
	f := start(t, rest.Options{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Tokens: []rest.Token{{Name: "a", Hash: rest.HashToken("x")}}, Cert: cert, Key: key,
	})
	get := func(root *x509.Certificate) error {
		pool := x509.NewCertPool()
		pool.AddCert(root)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		defer transport.CloseIdleConnections()
		c, err := client.TCP("https://"+f.Addr().String(), "x", transport)
		if err != nil {
			t.Fatal(err)
		}
		return c.Do(ctx, "GET", "/v1/status", nil, nil)
	}
	if err := get(first); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{"rf.provider.example:8443": 200, "evil.example": 403} {
		r := httptest.NewRequest("GET", "http://localhost/v1/status", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if f.h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("to the name %s: %d", host, w.Code)
		}
	}
	_, _, second := certtest.Write(t, dir, "rf.provider.example")
	if err := f.UseCertificate(cert, key); err != nil {
		t.Fatal(err)
	}
	if err := get(second); err != nil {
		t.Errorf("the new certificate: %v", err)
	}
	if err := get(first); err == nil {
		t.Error("the old certificate is still served")
	}
}

// TestBrowsersCannotDriveIt: a page anywhere, also behind a rebound DNS name, gets nothing.
func TestBrowsersCannotDriveIt(t *testing.T) {
	f := newFixture(t, rest.Options{Hosts: []string{"admin.provider.example"}})
	for name, c := range map[string]struct {
		host, header, value string
		want                int
	}{
		"the socket":           {"localhost", "X-None", "", 200},
		"an address":           {"127.0.0.1:8443", "X-None", "", 200},
		"IPv6":                 {"[::1]:8443", "X-None", "", 200},
		"a configured name":    {"admin.provider.example", "X-None", "", 200},
		"a rebound name":       {"evil.example:8443", "X-None", "", 403},
		"an origin":            {"localhost", "Origin", "https://evil.example", 403},
		"its own origin":       {"localhost", "Origin", "http://localhost", 403},
		"a null origin":        {"localhost", "Origin", "null", 403},
		"fetch from elsewhere": {"localhost", "Sec-Fetch-Site", "cross-site", 403},
		"no host":              {"", "X-None", "", 403},
	} {
		r := httptest.NewRequest("GET", "http://localhost/v1/status", nil)
		r.Host = c.host
		r.Header.Set(c.header, c.value)
		w := httptest.NewRecorder()
		f.h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		for h := range w.Header() {
			if strings.HasPrefix(h, "Access-Control") {
				t.Errorf("%s: answers with %s", name, h)
			}
		}
	}
	// What a form can send without asking first is not taken as JSON.
	r := httptest.NewRequest("POST", "http://localhost/v1/customers", strings.NewReader(`{"id":"acme"}`))
	r.Header.Set("Content-Type", "text/plain")
	w := httptest.NewRecorder()
	if f.h.ServeHTTP(w, r); w.Code != 415 {
		t.Errorf("text/plain: %d %s", w.Code, w.Body)
	}
}

func TestLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rf.sock")
	start(t, rest.Options{Socket: path, UploadBytes: 1 << 20})
	c := client.Unix(path)
	status := func(err error) int {
		var p *api.Problem
		if errors.As(err, &p) {
			return p.Status
		}
		return 0
	}
	big := strings.Repeat("x", 300<<10)
	if err := c.Do(ctx, "POST", "/v1/customers", map[string]string{"id": "a", "name": big}, nil); status(err) != 413 {
		t.Errorf("a body of 300 KiB: %v", err)
	}
	deck := client.CSV{Reader: io.LimitReader(endless{}, 2<<20)}
	if err := c.Do(ctx, "POST", "/v1/decks/x/import?kind=retail", deck, nil); status(err) != 413 {
		t.Errorf("a deck past the limit: %v", err)
	}
	small := client.CSV{Reader: io.LimitReader(endless{}, 900<<10)}
	if err := c.Do(ctx, "POST", "/v1/decks/x/import?kind=retail", small, nil); status(err) != 422 {
		t.Errorf("a deck of rubbish: %v", err)
	}
	if err := c.Do(ctx, "GET", "/v1/lines?customer="+strings.Repeat("y", 40<<10), nil, nil); status(err) != 431 {
		t.Errorf("a header of 40 KiB: %v", err)
	}
	if err := c.Do(ctx, "GET", "/v1/lines?limit=1000000", nil, nil); status(err) != 422 {
		t.Errorf("a page of a million: %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'z'
	}
	return len(p), nil
}

func TestPanicEndsOneRequest(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.cdrs = nil
	var nobody *fixture
	f.h = f.Handler("tester")
	d := rest.Deps{Book: f.book, Status: func(context.Context) api.Status { return api.Status{Node: nobody.cuts[0]} }}
	s, err := rest.New(d, rest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.h = s.Handler("tester")
	if w := f.do("GET", "/v1/status", ""); w.Code != 500 || !strings.Contains(w.Body.String(), `"reason":"internal"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.do("GET", "/v1/customers", ""); w.Code != 200 {
		t.Errorf("after a panic: %d", w.Code)
	}
	if w := f.do("GET", "/v1/cdrs", ""); w.Code != 501 {
		t.Errorf("a function that was not given: %d %s", w.Code, w.Body)
	}
}
