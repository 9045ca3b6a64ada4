package feed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// version tells whether a list has changed since it was taken.
type version struct {
	taken          time.Time
	etag, modified string    // of a URL
	at             time.Time // of a file
	size           int64
}

// load gets the bytes of a list; nil if they are those of known.
func (f *Feeds) load(ctx context.Context, s *source, known version) ([]byte, version, error) {
	if s.url == nil {
		return f.loadFile(s.From, known)
	}
	return f.loadURL(ctx, s, known)
}

func (f *Feeds) loadFile(path string, known version) ([]byte, version, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, version{}, withoutPath(err)
	}
	if !info.Mode().IsRegular() { // a pipe would never end
		return nil, version{}, errors.New("not a plain file")
	}
	if !known.at.IsZero() && info.ModTime().Equal(known.at) && info.Size() == known.size {
		return nil, version{}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, version{}, withoutPath(err)
	}
	defer file.Close()
	data, err := f.read(file)
	return data, version{at: info.ModTime(), size: info.Size()}, err
}

// withoutPath leaves out the path, which the fault names already.
func withoutPath(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// read reads a list that is within bounds. An empty file is taken to be a mistake: a list that is meant to be empty can
// hold a comment.
func (f *Feeds) read(from io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(from, f.o.MaxBytes+1))
	switch {
	case err != nil:
		return nil, withoutURL(err)
	case int64(len(data)) > f.o.MaxBytes:
		return nil, fmt.Errorf("more than %d bytes", f.o.MaxBytes)
	case len(data) == 0:
		return nil, errors.New("there is nothing in it, not even a comment")
	}
	return data, nil
}

func (f *Feeds) loadURL(ctx context.Context, s *source, known version) ([]byte, version, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), nil)
	if err != nil {
		return nil, version{}, withoutURL(err)
	}
	req.Header.Set("User-Agent", "ringfence")
	if known.etag != "" {
		req.Header.Set("If-None-Match", known.etag)
	}
	if known.modified != "" {
		req.Header.Set("If-Modified-Since", known.modified)
	}
	answer, err := f.client.Do(req)
	if err != nil {
		return nil, version{}, withoutURL(err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		if known.taken.IsZero() {
			return nil, version{}, errors.New(`the server answered "not modified" to one who has nothing`)
		}
		return nil, version{}, nil
	default:
		return nil, version{}, fmt.Errorf("the server answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	data, err := f.read(answer.Body)
	return data, version{etag: answer.Header.Get("ETag"), modified: answer.Header.Get("Last-Modified")}, err
}

// withoutURL leaves out the URL, which may hold a key.
func withoutURL(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return err
}

// errRedirect is why a redirect was not followed.
var errRedirect = errors.New("redirected")

func newClient(o Options) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  o.Timeout,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConns:           1, // an hour between two fetches: nothing is worth keeping open
			IdleConnTimeout:        5 * time.Second,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: checkRedirect,
	}
}

// checkRedirect follows a few redirects, never from https to http, and to another host only where the URL has no login: that is for
// the list's own host.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w more than %d times", errRedirect, maxRedirects)
	case req.URL.Scheme != "https" && (req.URL.Scheme != "http" || first.URL.Scheme == "https"):
		return fmt.Errorf("%w to where it would not be encrypted", errRedirect)
	case req.URL.Host != first.URL.Host && first.URL.User != nil:
		return fmt.Errorf("%w to another host, which is not to see the key", errRedirect)
	}
	req.Header.Del("Referer") // it would tell the query
	return nil
}
