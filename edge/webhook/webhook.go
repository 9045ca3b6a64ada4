// Package webhook sends notices as signed HTTP requests: a POST of JSON with a signature after RFC 9421, which receivers
// can check as docs/receiver does or with any library of that RFC. It must not know why a notice is sent, or when to try again: it
// says what the other side answered.
package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"ringfence/flow/notify"
)

// Options of New. Key must be set; the rest is usable at zero.
type Options struct {
	Key   Key            // signs: with Ed25519, so that no receiver can sign in our name
	Hooks []string       // URLs of the provider's own webhooks, which may be anywhere
	Allow []netip.Prefix // private networks that customers' webhooks may be in; usually none
	Roots *x509.CertPool // whom to trust; nil is the system's

	Timeout time.Duration // for one request and its answer; 0 is 15 seconds
}

// Limits.
const (
	maxURL    = 2048
	maxBody   = 1 << 20  // of a request
	maxAnswer = 16 << 10 // read of an answer, headers and body each
	maxWords  = 200      // of an answer that come into an error
	maxLater  = 24 * time.Hour
	lifetime  = 5 * time.Minute // of a signature
)

// Sender sends webhooks. Send may be called from any goroutine.
type Sender struct {
	o       Options
	own     *http.Client // may reach any address
	strange *http.Client // reaches public addresses and those allowed
}

// New checks the options; it connects to nothing.
func New(o Options) (*Sender, error) {
	if o.Key.ID == "" {
		return nil, errors.New("webhook: there is no key to sign with")
	}
	o.Timeout = cmp.Or(max(o.Timeout, 0), 15*time.Second)
	s := &Sender{o: o}
	for _, h := range o.Hooks {
		if _, err := target(h); err != nil {
			return nil, err
		}
	}
	s.own = client(o, func(netip.Addr) bool { return true })
	s.strange = client(o, s.allowed)
	return s, nil
}

// Send returns nil when the other side has taken the message (2xx). An error that is notify.ErrPermanent will not go
// away: a bad URL, an address that customers may not name, 301, 308, and 4xx but 408, 425 and 429. Any other is worth
// another try; if the other side said when (Retry-After), the error is a *Later. Errors name the host, not the URL:
// its path is often a secret.
func (s *Sender) Send(ctx context.Context, m notify.Message) error {
	u, err := target(m.To)
	if err != nil {
		return fmt.Errorf("%w: %w", notify.ErrPermanent, err)
	}
	if len(m.JSON) > maxBody {
		return fmt.Errorf("%w: the body is too long", notify.ErrPermanent)
	}
	c := s.strange
	if slices.Contains(s.o.Hooks, m.To) {
		c = s.own
	}
	r, err := request(ctx, u, m)
	if err != nil {
		return fmt.Errorf("%w: %w", notify.ErrPermanent, err)
	}
	if err := Sign(r, m.JSON, s.o.Key, time.Now(), lifetime); err != nil {
		return err
	}
	answer, err := c.Do(r)
	if err != nil {
		return unreached(ctx, u.Host, err)
	}
	defer answer.Body.Close()
	words, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // a broken body does not change the answer
	return judge(u.Host, answer, words)
}

// Close ends idle connections.
func (s *Sender) Close() error {
	s.own.CloseIdleConnections()
	s.strange.CloseIdleConnections()
	return nil
}

func request(ctx context.Context, u *url.URL, m notify.Message) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(m.JSON))
	if err != nil {
		return nil, errors.New("the URL cannot be requested")
	}
	if m.ID == "" || strings.ContainsFunc(m.ID, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
		return nil, errors.New("the message ID is not valid")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Ringfence")
	r.Header.Set("Idempotency-Key", `"`+m.ID+`"`) // the same at every try
	r.GetBody = nil                               // so that net/http does not repeat it by itself: a receiver may know the nonce by then
	return r, nil
}

// target reads a URL: https, or http to this machine.
func target(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || u.Hostname() == "" || u.Opaque != "" {
		return nil, errors.New("the webhook's address is not a URL")
	}
	if u.User != nil {
		return nil, errors.New("the webhook's URL has a login in it; requests are signed instead")
	}
	host := u.Hostname()
	addr, err := netip.ParseAddr(host)
	if err != nil {
		if host, err = idna.Lookup.ToASCII(host); err != nil {
			return nil, errors.New("the host in the webhook's URL is not a name")
		}
	}
	switch u.Scheme {
	case "https":
	case "http":
		if host != "localhost" && !(addr.IsValid() && addr.Unmap().IsLoopback()) {
			return nil, fmt.Errorf("the webhook at %s needs https", host)
		}
	default:
		return nil, fmt.Errorf("the webhook at %s: want https", host)
	}
	if addr.Is6() {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	u.Host, u.Fragment, u.RawFragment = host, "", ""
	return u, nil
}

// client asks without proxies and redirects, and dials only addresses that may be reached. The check is made on the
// address of each dial itself, after the name was resolved: a name cannot change its mind in between.
func client(o Options, may func(netip.Addr) bool) *http.Client {
	dialer := &net.Dialer{Timeout: o.Timeout, Control: dialCheck(may)}
	return &http.Client{
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
			TLSHandshakeTimeout:    o.Timeout,
			MaxResponseHeaderBytes: maxAnswer,
			MaxConnsPerHost:        4,
			MaxIdleConns:           16,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true,
		},
	}
}

// Later is an error with the time after which the receiver asks to be tried again.
type Later struct {
	error
	After time.Duration // at most a day
}

// RetryAfter is how long to wait.
func (l *Later) RetryAfter() time.Duration { return l.After }

// Unwrap gives the error itself.
func (l *Later) Unwrap() error { return l.error }

// unreached makes an error of a request without an answer. The URL that net/http puts in front goes.
func unreached(ctx context.Context, host string, err error) error {
	var private *privateError
	if errors.As(err, &private) {
		return fmt.Errorf("%w: the webhook at %s is at %w", notify.ErrPermanent, host, private)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("the webhook at %s: %w", host, context.Cause(ctx))
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	return fmt.Errorf("the webhook at %s: %w", host, err)
}

// judge makes an error of an answer that is no success.
func judge(host string, a *http.Response, words []byte) error {
	if a.StatusCode >= 200 && a.StatusCode < 300 {
		return nil
	}
	err := fmt.Errorf("the webhook at %s answered %d", host, a.StatusCode)
	if text := notify.Clean(string(words), maxWords); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	switch code := a.StatusCode; {
	case code == http.StatusMovedPermanently || code == http.StatusPermanentRedirect:
		return fmt.Errorf("%w: %w: redirects are not followed, give the new URL", notify.ErrPermanent, err)
	case code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests:
	case code >= 400 && code < 500:
		return fmt.Errorf("%w: %w", notify.ErrPermanent, err)
	}
	if after := retryAfter(a.Header, time.Now()); after > 0 {
		return &Later{err, after}
	}
	return err
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3); 0 is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, maxLater)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(now)), maxLater)
	}
	return 0
}
