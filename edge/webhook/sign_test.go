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

	"ringfence/core/secret"
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
		components   []string
		params, want string
	}{
		"B.2.5": {
			hmacKey,
			[]string{"date", "@authority", "content-type"},
			`("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`,
			"pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
		},
		"B.2.6": {
			edKey,
			[]string{"date", "@method", "@path", "@authority", "content-type", "content-length"},
			`("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
			"wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
		},
	} {
		text, err := base(rfcRequest(), c.components, c.params)
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

var testBody = []byte(`{"kind":"new-device","line":"2001"}`)

// trust is a receiver that knows one key.
func trust(t testing.TB, key Key) receiver.Check {
	t.Helper()
	known := receiver.Key{}
	if key.shared != nil {
		known.Shared = []byte(key.shared.Reveal())
	} else {
		var err error
		if known, err = receiver.ParseKey(key.Public()); err != nil {
			t.Fatal(err)
		}
	}
	return receiver.Check{Now: time.Now(), Key: func(id string) (receiver.Key, bool) { return known, id == key.ID }}
}

func TestASharedSecretIsNeverPublic(t *testing.T) {
	if text := hmacKey(t, "x").Public(); text != "" {
		t.Errorf("a shared secret became public: %s", text)
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
