package receiver

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ringfence/edge/webhook"
)

// signer is a key as the provider has it and as a receiver knows it.
type signer struct {
	webhook.Key
	known ed25519.PublicKey
}

func edKey(t testing.TB, id string) signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := webhook.Ed25519(id, private)
	if err != nil {
		t.Fatal(err)
	}
	known, err := ParseKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, known}
}

var (
	testBody = []byte(`{"kind":"new-device","line":"2001"}`)
	signedAt = time.Unix(1_795_000_000, 0)
)

// signedRequest is a request as a server sees it.
func signedRequest(t testing.TB, key signer) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://Hooks.Example.org:443/in/fence?tenant=7", strings.NewReader(string(testBody)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", `"n.1@example.net"`)
	if err := webhook.Sign(r, testBody, key.Key, signedAt, 5*time.Minute); err != nil {
		t.Fatal(err)
	}
	return r
}

func trust(keys ...signer) Check {
	return Check{Now: signedAt.Add(time.Second), Key: func(id string) (ed25519.PublicKey, bool) {
		for _, k := range keys {
			if k.ID == id {
				return k.known, true
			}
		}
		return nil, false
	}}
}

func TestSignAndVerify(t *testing.T) {
	key := edKey(t, "ringfence-1")
	r := signedRequest(t, key)
	if err := Verify(r, testBody, trust(edKey(t, "other"), key)); err != nil {
		t.Error(err)
	}
	r.Host = "hooks.example.org" // as a proxy may pass it on
	if err := Verify(r, testBody, trust(key)); err != nil {
		t.Error(err)
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
			r.Header.Set("Content-Digest", digestOf([]byte("{}")))
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
