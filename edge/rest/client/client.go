// Package client speaks the admin API of edge/rest over a unix socket or TCP with a token. It must not know the book or
// what an answer means.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ringfence/core/money"
	"ringfence/edge/rest/api"
)

// maxAnswer bounds an answer that is read into memory; streams are not bounded.
const maxAnswer = 64 << 20

// ErrUnreachable says that no server answered: it is not running, or the address is wrong.
var ErrUnreachable = errors.New("no answer from the server")

// Client talks to one server. Safe for concurrent use.
type Client struct {
	http  *http.Client
	base  string
	token string
	where string
}

// Unix is a client of the socket at path, as ringfence serve opens it in its data folder.
func Unix(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{
		http:  &http.Client{Transport: &http.Transport{DialContext: dial}, CheckRedirect: noRedirect},
		base:  "http://localhost",
		where: path,
	}
}

// TCP is a client of base, such as "https://provider.example:8443", with a bearer token. A nil transport is a plain one.
// A token is never sent in clear except to this machine.
func TCP(base, token string, transport http.RoundTripper) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not an address; want https://host:port", base)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s would send the token in clear; want https://%s", base, u.Host)
	}
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &Client{
		http:  &http.Client{Transport: transport, CheckRedirect: noRedirect},
		base:  u.Scheme + "://" + u.Host,
		token: token,
		where: u.Host,
	}, nil
}

// noRedirect keeps a token from following a redirect elsewhere.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// CSV marks a body of Do as a deck file rather than a value to encode.
type CSV struct{ io.Reader }

// Text marks a body of Do as a list in any form that the server tells apart itself.
type Text struct{ io.Reader }

// Bytes marks a body of Do as a file of any type.
type Bytes struct{ io.Reader }

// Do sends in (nil: no body; CSV, Text, Bytes: a file; anything else: JSON) to path, such as "/v1/lines?customer=acme", and decodes the
// answer into out (nil: ignored). A refusal is a *api.Problem; ErrUnreachable is wrapped when no server answered.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	res, err := c.send(ctx, method, path, in, "application/json, application/problem+json")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil || res.StatusCode == http.StatusNoContent {
		_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer))
		return err
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("%s %s: the answer is not what was expected: %w", method, path, err)
	}
	return nil
}

// Stream asks for path in the given media type ("text/csv", "application/jsonl") and copies the answer to w as it comes.
func (c *Client) Stream(ctx context.Context, method, path, accept string, w io.Writer) error {
	res, err := c.send(ctx, method, path, nil, accept)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	return nil
}

// send gives a successful answer, whose body the caller closes.
func (c *Client) send(ctx context.Context, method, path string, in any, accept string) (*http.Response, error) {
	body, kind, err := encode(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "ringfence-cli")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.where, err)
	}
	if currency, err := money.CurrencyOf(res.Header.Get(api.CurrencyHeader)); err == nil {
		money.SetBilling(currency) // that of the server: what is shown here is in it
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		defer res.Body.Close()
		return nil, problem(res)
	}
	return res, nil
}

func encode(in any) (io.Reader, string, error) {
	switch v := in.(type) {
	case nil:
		return nil, "", nil
	case CSV:
		return v.Reader, "text/csv", nil
	case Text:
		return v.Reader, "text/plain", nil
	case Bytes:
		return v.Reader, "application/octet-stream", nil
	}
	b, err := json.Marshal(in)
	return bytes.NewReader(b), "application/json", err
}

// problem reads an error answer; a proxy's or a broken one becomes a Problem too.
func problem(res *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	p := &api.Problem{}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(b, p) != nil {
		p = &api.Problem{Title: res.Status, Reason: api.ReasonInternal}
	}
	p.Status = res.StatusCode
	return p
}

// Timeout is a fitting limit for everything but imports and exports.
const Timeout = 30 * time.Second
