package webhook

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// label and tag name our signature among others that a request may carry.
const (
	label = "ringfence"
	tag   = "ringfence-notice"
)

// covered is what our signatures cover, and what docs/receiver insists on. Not the scheme: behind a proxy a receiver cannot know
// it.
var covered = []string{"@method", "@authority", "@path", "@query", "content-digest", "content-type", "idempotency-key"}

// Sign adds Content-Digest (RFC 9530), Signature-Input and Signature (RFC 9421) to a request with this body. All the
// headers that it covers must be set. The signature is good from now for life.
func Sign(r *http.Request, body []byte, key Key, now time.Time, life time.Duration) error {
	r.Header.Set("Content-Digest", digest(body))
	params := fmt.Sprintf(`("%s");created=%d;expires=%d;nonce="%s";alg="%s";keyid="%s";tag="%s"`,
		strings.Join(covered, `" "`), now.Unix(), now.Add(life).Unix(), rand.Text(), algorithm, key.ID, tag)
	base, err := base(r, covered, params)
	if err != nil {
		return err
	}
	signature := ed25519.Sign(key.private, base)
	r.Header.Set("Signature-Input", label+"="+params)
	r.Header.Set("Signature", label+"=:"+base64.StdEncoding.EncodeToString(signature)+":")
	return nil
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// base is the text that is signed (RFC 9421, 2.5): a line for each component, then the parameters as they stand.
func base(r *http.Request, components []string, params string) ([]byte, error) {
	var b strings.Builder
	for _, c := range components {
		value, err := component(r, c)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "\"%s\": %s\n", c, value)
	}
	fmt.Fprintf(&b, "\"@signature-params\": %s", params)
	return []byte(b.String()), nil
}

// component is the value of one component (RFC 9421, 2.1 and 2.2).
func component(r *http.Request, name string) (string, error) {
	switch name {
	case "@method":
		return r.Method, nil
	case "@authority":
		return authority(r), nil
	case "@path":
		if p := r.URL.EscapedPath(); p != "" {
			return p, nil
		}
		return "/", nil
	case "@query":
		return "?" + r.URL.RawQuery, nil
	case "content-length":
		return fmt.Sprint(r.ContentLength), nil // net/http keeps it apart from the other headers
	}
	values := r.Header.Values(name)
	if len(values) == 0 || strings.HasPrefix(name, "@") {
		return "", fmt.Errorf("the request has no %s to sign", name)
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Trim(v, " \t")
	}
	return strings.Join(trimmed, ", "), nil
}

// authority is the host as asked for, in lower case and without the port that the scheme implies. A server does not
// always know the scheme; 443 and 80 are left out either way.
func authority(r *http.Request) string {
	host := r.Host
	host = cmp.Or(host, r.URL.Host)
	if h, port, err := net.SplitHostPort(host); err == nil && (port == "443" || port == "80" || port == "") {
		host = h
		if strings.Contains(h, ":") {
			host = "[" + h + "]"
		}
	}
	return strings.ToLower(host)
}
