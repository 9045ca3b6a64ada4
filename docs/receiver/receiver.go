// Package receiver shows how a program that takes Ringfence's webhooks checks that they are genuine: Verify, in the handler, with
// the whole body. It needs nothing but the standard library: copy it.
package receiver

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// label names Ringfence's signature among others that a request may carry.
const label = "ringfence"

// covered is what a signature must cover. Not the scheme: behind a proxy a receiver cannot know it.
var covered = []string{"@method", "@authority", "@path", "@query", "content-digest", "content-type", "idempotency-key"}

// ParseKey reads the provider's public key from the PEM text that "ringfence notice webhook-key" prints.
func ParseKey(text string) (ed25519.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	public, ok := key.(ed25519.PublicKey)
	if err != nil || !ok {
		return nil, errors.New("not an Ed25519 public key")
	}
	return public, nil
}

// Check is what a receiver knows.
type Check struct {
	Key  func(id string) (ed25519.PublicKey, bool) // the keys that it trusts
	Now  time.Time
	Skew time.Duration // how far clocks may differ; 0 is 1 minute
	// Fresh says that a nonce was not seen before, and remembers it until an instant; nil: repeats are let through, and
	// the receiver must look at Idempotency-Key itself.
	Fresh func(nonce string, until time.Time) bool
}

// What Verify finds wrong.
var (
	ErrUnsigned = errors.New("the request has no signature of Ringfence that can be read")
	ErrForged   = errors.New("the signature does not fit the request")
	ErrStale    = errors.New("the signature is too old, from the future, or was used before")
)

// Bounds of what is read.
const (
	maxField      = 8 << 10
	maxComponents = 20
)

// Verify checks that a request, with this body, was signed by a holder of a trusted key, covers all that matters, and is
// of now. A receiver answers 401 when it is not.
func Verify(r *http.Request, body []byte, c Check) error {
	in, signature, err := read(r.Header)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsigned, err)
	}
	key, ok := c.Key(in.keyid)
	if !ok || in.alg != "" && in.alg != "ed25519" { // the key says how, not the sender
		return fmt.Errorf("%w: by an unknown key", ErrForged)
	}
	for _, need := range covered {
		if !slices.Contains(in.components, need) {
			return fmt.Errorf("%w: it leaves %s open", ErrForged, need)
		}
	}
	text, err := base(r, in.components, in.raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForged, err)
	}
	if !ed25519.Verify(key, text, signature) {
		return ErrForged
	}
	if got := r.Header.Values("Content-Digest"); len(got) != 1 || subtle.ConstantTimeCompare([]byte(got[0]), []byte(digestOf(body))) != 1 {
		return fmt.Errorf("%w: another body", ErrForged)
	}
	return c.fresh(in)
}

func (c Check) fresh(in input) error {
	skew := c.Skew
	if skew == 0 {
		skew = time.Minute
	}
	created, expires := time.Unix(in.created, 0), time.Unix(in.expires, 0)
	if in.created == 0 || in.expires == 0 || created.After(c.Now.Add(skew)) || expires.Before(c.Now.Add(-skew)) {
		return ErrStale
	}
	if c.Fresh != nil && (in.nonce == "" || !c.Fresh(in.nonce, expires.Add(skew))) {
		return ErrStale
	}
	return nil
}

// input is one member of Signature-Input.
type input struct {
	raw              string // after "label=", as it is signed
	components       []string
	created, expires int64
	nonce, alg       string
	keyid, tag       string
}

// read finds our signature: the member with our label in both headers.
func read(h http.Header) (input, []byte, error) {
	text, err := member(h.Values("Signature-Input"))
	if err != nil {
		return input{}, nil, err
	}
	in, err := parseInput(text)
	if err != nil {
		return input{}, nil, err
	}
	text, err = member(h.Values("Signature"))
	if err != nil {
		return input{}, nil, err
	}
	inner, ok := strings.CutPrefix(text, ":")
	inner, ok2 := strings.CutSuffix(inner, ":")
	signature, err := base64.StdEncoding.DecodeString(inner)
	if !ok || !ok2 || err != nil {
		return input{}, nil, errors.New("the header Signature is not base64 between colons")
	}
	return in, signature, nil
}

// member cuts the value of our label out of a dictionary (RFC 9651, 3.2), which must hold it once. Members of others are
// skipped over with respect for quotes.
func member(values []string) (string, error) {
	all := strings.Join(values, ", ")
	if len(all) > maxField {
		return "", errors.New("the signature's headers are too long")
	}
	found, n := "", 0
	for start, i, quoted := 0, 0, false; i <= len(all); i++ {
		switch {
		case i == len(all) || all[i] == ',' && !quoted:
			if v, ok := strings.CutPrefix(strings.Trim(all[start:i], " \t"), label+"="); ok {
				found, n = v, n+1
			}
			start = i + 1
		case all[i] == '\\' && quoted:
			i++
		case all[i] == '"':
			quoted = !quoted
		}
	}
	if n != 1 {
		return "", fmt.Errorf("it holds %d members %q, want one", n, label)
	}
	return found, nil
}

// parseInput reads `("a" "b");created=1;keyid="x"` in its canonical form only, so that the text is also what was signed.
func parseInput(raw string) (input, error) {
	in := input{raw: raw}
	list, params, ok := strings.Cut(strings.TrimPrefix(raw, "("), ")")
	if !ok || !strings.HasPrefix(raw, "(") {
		return input{}, errors.New("the header Signature-Input holds no list of components")
	}
	for c := range strings.SplitSeq(list, " ") {
		name, ok := quotedText(c)
		if !ok || name == "" || name != strings.ToLower(name) || slices.Contains(in.components, name) || len(in.components) == maxComponents {
			return input{}, fmt.Errorf("component %.40q is not one that is understood", c)
		}
		in.components = append(in.components, name)
	}
	if params == "" {
		return in, nil
	}
	params, ok = strings.CutPrefix(params, ";")
	if !ok {
		return input{}, errors.New("what follows the components is no parameter")
	}
	seen := map[string]bool{}
	for p := range strings.SplitSeq(params, ";") { // no value of ours holds ';'
		name, value, _ := strings.Cut(p, "=")
		if seen[name] || !in.set(name, value) {
			return input{}, fmt.Errorf("parameter %.40q is not one that is understood", p)
		}
		seen[name] = true
	}
	return in, nil
}

// set reads one parameter (RFC 9421, 2.3).
func (in *input) set(name, value string) (ok bool) {
	switch name {
	case "created":
		in.created, ok = seconds(value)
	case "expires":
		in.expires, ok = seconds(value)
	case "nonce":
		in.nonce, ok = quotedText(value)
	case "alg":
		in.alg, ok = quotedText(value)
	case "keyid":
		in.keyid, ok = quotedText(value)
	case "tag":
		in.tag, ok = quotedText(value)
	}
	return ok
}

func seconds(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n > 0 && n < 1e12 && text == strconv.FormatInt(n, 10)
}

// quotedText reads a string of visible characters that needs no escapes.
func quotedText(text string) (string, bool) {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return "", false
	}
	inner := text[1 : len(text)-1]
	return inner, !strings.ContainsFunc(inner, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' })
}

// digestOf is the Content-Digest of a body (RFC 9530).
func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// base is the text that was signed (RFC 9421, 2.5): a line for each component, then the parameters as they stand.
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
		return authority(r.Host), nil
	case "@path":
		if p := r.URL.EscapedPath(); p != "" {
			return p, nil
		}
		return "/", nil
	case "@query":
		return "?" + r.URL.RawQuery, nil
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10), nil // net/http keeps it apart from the other headers
	}
	values := r.Header.Values(name)
	if len(values) == 0 || strings.HasPrefix(name, "@") {
		return "", fmt.Errorf("the request has no %s", name)
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Trim(v, " \t")
	}
	return strings.Join(trimmed, ", "), nil
}

// authority is the host as asked for, in lower case and without the port that the scheme implies.
func authority(host string) string {
	if h, port, err := net.SplitHostPort(host); err == nil && (port == "443" || port == "80" || port == "") {
		host = h
		if strings.Contains(h, ":") {
			host = "[" + h + "]"
		}
	}
	return strings.ToLower(host)
}
