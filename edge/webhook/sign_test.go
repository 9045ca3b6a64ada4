package webhook

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/core/secret"
)

// rfcRequest is the request of RFC 9421, appendix B.2.
func rfcRequest() *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://example.com/foo?param=Value&Pet=dog", strings.NewReader(`{"hello": "world"}`))
	r.Header.Set("Date", "Tue, 20 Apr 2021 02:07:55 GMT")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Digest", "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXJwew==:")
	return r
}

const rfcEd25519 = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
`

// TestVectorsOfTheRFC are appendices B.2.5 and B.2.6 of RFC 9421. Both algorithms are deterministic: our signature must
// be theirs.
func TestVectorsOfTheRFC(t *testing.T) {
	shared, err := base64.StdEncoding.DecodeString("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
	if err != nil {
		t.Fatal(err)
	}
	hmacKey, err := HMAC("test-shared-secret", secret.NewPassword(string(shared)))
	if err != nil {
		t.Fatal(err)
	}
	edKey, err := ReadKey("test-key-ed25519", write(t, rfcEd25519))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key          Key
		params, want string
	}{
		"B.2.5": {
			hmacKey, `("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`,
			"pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
		},
		"B.2.6": {
			edKey, `("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
			"wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
		},
	} {
		in, err := parseInput(c.params)
		if err != nil {
			t.Fatal(name, err)
		}
		text, err := base(rfcRequest(), in.components, in.raw)
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := c.key.sign(text)
		if err != nil {
			t.Fatal(name, err)
		}
		if base64.StdEncoding.EncodeToString(got) != c.want {
			t.Errorf("%s: signature %s, want %s, over\n%s", name, base64.StdEncoding.EncodeToString(got), c.want, text)
		}
		if !c.key.verify(text, got) || c.key.verify(append(text, ' '), got) {
			t.Errorf("%s: verify", name)
		}
		if in.created != 1618884473 || in.keyid != c.key.ID {
			t.Errorf("%s: read as %+v", name, in)
		}
	}
}

// TestDigestOfTheRFC is the example of RFC 9530, appendix D.
func TestDigestOfTheRFC(t *testing.T) {
	if got, want := digest([]byte(`{"hello": "world"}`+"\n")), "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func edKey(t testing.TB, id string) Key {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := Ed25519(id, private)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func hmacKey(t testing.TB, id string) Key {
	t.Helper()
	k, err := HMAC(id, secret.NewPassword(rand.Text()+rand.Text()))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var (
	testBody = []byte(`{"kind":"new-device","line":"2001"}`)
	signedAt = time.Unix(1_795_000_000, 0)
)

// signedRequest is a request as a server sees it.
func signedRequest(t testing.TB, key Key) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://Hooks.Example.org:443/in/fence?tenant=7", strings.NewReader(string(testBody)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", `"n.1@example.net"`)
	if err := Sign(r, testBody, key, signedAt, lifetime); err != nil {
		t.Fatal(err)
	}
	return r
}

func trust(keys ...Key) Check {
	return Check{Now: signedAt.Add(time.Second), Key: func(id string) (Key, bool) {
		for _, k := range keys {
			if k.ID == id {
				return k, true
			}
		}
		return Key{}, false
	}}
}

func TestSignAndVerify(t *testing.T) {
	for _, key := range []Key{edKey(t, "ringfence-1"), hmacKey(t, "desk/1")} {
		r := signedRequest(t, key)
		if err := Verify(r, testBody, trust(edKey(t, "other"), key)); err != nil {
			t.Errorf("%v: %v", key, err)
		}
		r.Host = "hooks.example.org" // as a proxy may pass it on
		if err := Verify(r, testBody, trust(key)); err != nil {
			t.Errorf("%v: %v", key, err)
		}
	}
}

func TestAPublicKeyIsEnoughToVerify(t *testing.T) {
	key := edKey(t, "ringfence-1")
	public, err := PublicKey("ringfence-1", key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(signedRequest(t, key), testBody, trust(public)); err != nil {
		t.Error(err)
	}
	if err := Sign(signedRequest(t, key), testBody, public, signedAt, lifetime); err == nil {
		t.Error("a public key signed")
	}
	if text := hmacKey(t, "x").Public(); text != "" {
		t.Errorf("a shared secret became public: %s", text)
	}
}

// TestWhatVerifyRefuses changes one thing at a time.
func TestWhatVerifyRefuses(t *testing.T) {
	key := edKey(t, "k")
	set := func(name, value string) func(*http.Request, *Check) []byte {
		return func(r *http.Request, _ *Check) []byte { r.Header.Set(name, value); return testBody }
	}
	edit := func(name, from, to string) func(*http.Request, *Check) []byte {
		return func(r *http.Request, _ *Check) []byte {
			was := r.Header.Get(name)
			r.Header.Set(name, strings.Replace(was, from, to, 1))
			if r.Header.Get(name) == was {
				t.Errorf("%s has no %q: %s", name, from, was)
			}
			return testBody
		}
	}
	for name, c := range map[string]struct {
		want   error
		change func(*http.Request, *Check) []byte
	}{
		"another body": {ErrForged, func(*http.Request, *Check) []byte { return []byte("{}") }},
		"another body and digest": {ErrForged, func(r *http.Request, _ *Check) []byte {
			r.Header.Set("Content-Digest", digest([]byte("{}")))
			return []byte("{}")
		}},
		"another path":       {ErrForged, func(r *http.Request, _ *Check) []byte { r.URL.Path = "/other"; return testBody }},
		"another query":      {ErrForged, func(r *http.Request, _ *Check) []byte { r.URL.RawQuery = "tenant=8"; return testBody }},
		"another host":       {ErrForged, func(r *http.Request, _ *Check) []byte { r.Host = "evil.example"; return testBody }},
		"another method":     {ErrForged, func(r *http.Request, _ *Check) []byte { r.Method = http.MethodPut; return testBody }},
		"another type":       {ErrForged, set("Content-Type", "text/html")},
		"another message":    {ErrForged, set("Idempotency-Key", `"n.2@example.net"`)},
		"no such header":     {ErrForged, func(r *http.Request, _ *Check) []byte { r.Header.Del("Idempotency-Key"); return testBody }},
		"a second type":      {ErrForged, func(r *http.Request, _ *Check) []byte { r.Header.Add("Content-Type", "x"); return testBody }},
		"a longer life":      {ErrForged, edit("Signature-Input", ";expires=1", ";expires=2")},
		"an unknown key":     {ErrForged, edit("Signature-Input", `keyid="k"`, `keyid="j"`)},
		"another algorithm":  {ErrForged, edit("Signature-Input", `alg="ed25519"`, `alg="hmac-sha256"`)},
		"less covered":       {ErrForged, edit("Signature-Input", ` "@path"`, "")},
		"more than there is": {ErrForged, edit("Signature-Input", ` "@path"`, ` "@path" "x-none"`)},
		"no signature":       {ErrUnsigned, func(r *http.Request, _ *Check) []byte { r.Header.Del("Signature"); return testBody }},
		"no input":           {ErrUnsigned, func(r *http.Request, _ *Check) []byte { r.Header.Del("Signature-Input"); return testBody }},
		"not base64":         {ErrUnsigned, set("Signature", "ringfence=:!:")},
		"not ours":           {ErrUnsigned, set("Signature", "sig1=:AAAA:")},
		"twice": {ErrUnsigned, func(r *http.Request, _ *Check) []byte {
			r.Header.Add("Signature", r.Header.Get("Signature"))
			return testBody
		}},
		"too long":            {ErrUnsigned, set("Signature", strings.Repeat("a", maxField+1))},
		"a parameter twice":   {ErrUnsigned, edit("Signature-Input", `;alg=`, `;created=1;alg=`)},
		"a parameter unknown": {ErrUnsigned, edit("Signature-Input", `;alg=`, `;x=1;alg=`)},
		"a component twice":   {ErrUnsigned, edit("Signature-Input", ` "@path"`, ` "@path" "@path"`)},
		"an option":           {ErrUnsigned, edit("Signature-Input", `"@path"`, `"@path";req`)},
		"an hour later":       {ErrStale, func(_ *http.Request, c *Check) []byte { c.Now = c.Now.Add(time.Hour); return testBody }},
		"an hour before":      {ErrStale, func(_ *http.Request, c *Check) []byte { c.Now = c.Now.Add(-time.Hour); return testBody }},
		"seen before": {ErrStale, func(_ *http.Request, c *Check) []byte {
			c.Fresh = func(string, time.Time) bool { return false }
			return testBody
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r, check := signedRequest(t, key), trust(key)
			body := c.change(r, &check)
			if err := Verify(r, body, check); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestOthersMaySignToo(t *testing.T) {
	key := edKey(t, "k")
	r := signedRequest(t, key)
	r.Header.Set("Signature-Input", `proxy=("@method");x="a,ringfence=b\"", `+r.Header.Get("Signature-Input"))
	r.Header.Add("Signature", "proxy=:AAAA:")
	if err := Verify(r, testBody, trust(key)); err != nil {
		t.Error(err)
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	const text = "a-shared-secret-of-more-than-32-bytes"
	shared, err := HMAC("k1", secret.NewPassword(text))
	if err != nil {
		t.Fatal(err)
	}
	ed := edKey(t, "k2")
	for _, got := range []string{fmt.Sprintf("%v %+v %#v %s", shared, shared, shared, shared), fmt.Sprintf("%+v", Options{Key: shared}), fmt.Sprintf("%v %x", ed, ed)} {
		if strings.Contains(got, text) || strings.Contains(got, fmt.Sprintf("%x", []byte(ed.private)[:8])) || len(got) > 200 {
			t.Errorf("printed %s", got)
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	if _, err := HMAC("k", secret.NewPassword("short")); err == nil || strings.Contains(err.Error(), "short\"") {
		t.Errorf("a short secret: %v", err)
	}
	for _, id := range []string{"", "a b", `a"`, "a;b", "é", strings.Repeat("a", 101)} {
		if _, err := HMAC(id, secret.NewPassword(strings.Repeat("x", 32))); err == nil {
			t.Errorf("id %q is taken", id)
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(edKey(t, "k").private)
	if err != nil {
		t.Fatal(err)
	}
	good := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if _, err := ReadKey("k", write(t, good)); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "hunter2", strings.Replace(good, "M", "N", 1), "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n"} {
		if _, err := ReadKey("k", write(t, text)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzVerify: whatever the headers say, no panic, and nothing passes that we did not sign.
func FuzzVerify(f *testing.F) {
	key := edKey(f, "k")
	r := signedRequest(f, key)
	input, signature := r.Header.Get("Signature-Input"), r.Header.Get("Signature")
	f.Add(input, signature)
	f.Add(`ringfence=("@method";req);created=1`, "ringfence=::")
	f.Add(`a="\`, `ringfence=:AA==:, b`)
	f.Fuzz(func(t *testing.T, in, sig string) {
		r := signedRequest(t, key)
		r.Header.Set("Signature-Input", in)
		r.Header.Set("Signature", sig)
		err := Verify(r, testBody, trust(key))
		if err == nil && strings.TrimSpace(in) != input {
			t.Errorf("%q with %q passes", in, sig)
		}
	})
}
