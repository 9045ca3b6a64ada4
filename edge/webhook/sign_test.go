package webhook

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/docs/receiver"
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

// TestVectorOfTheRFC is appendix B.2.6 of RFC 9421. The algorithm is deterministic: our signature must be theirs.
func TestVectorOfTheRFC(t *testing.T) {
	key, err := ReadKey("test-key-ed25519", write(t, rfcEd25519))
	if err != nil {
		t.Fatal(err)
	}
	text, err := base(rfcRequest(), []string{"date", "@method", "@path", "@authority", "content-type", "content-length"},
		`("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`)
	if err != nil {
		t.Fatal(err)
	}
	const want = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
	if got := base64.StdEncoding.EncodeToString(ed25519.Sign(key.private, text)); got != want {
		t.Errorf("signature %s, want %s, over\n%s", got, want, text)
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

var testBody = []byte(`{"kind":"new-device","line":"2001"}`)

// trust is a receiver that knows one key.
func trust(t testing.TB, key Key) receiver.Check {
	t.Helper()
	public, err := receiver.ParseKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return receiver.Check{Now: time.Now(), Key: func(id string) (ed25519.PublicKey, bool) { return public, id == key.ID }}
}

func TestKeysDoNotPrint(t *testing.T) {
	key := edKey(t, "k1")
	for _, got := range []string{fmt.Sprintf("%v %+v %#v %x", key, key, key, key), fmt.Sprintf("%+v", Options{Key: key})} {
		if strings.Contains(got, fmt.Sprintf("%x", []byte(key.private)[:8])) || len(got) > 200 {
			t.Errorf("printed %s", got)
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	private := edKey(t, "k").private
	for _, id := range []string{"", "a b", `a"`, "a;b", "é", strings.Repeat("a", 101)} {
		if _, err := Ed25519(id, private); err == nil {
			t.Errorf("id %q is taken", id)
		}
	}
	if _, err := Ed25519("k", private[:31]); err == nil {
		t.Error("half a key is taken")
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
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
