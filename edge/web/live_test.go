package web

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestAStreamSaysWhatChanged, and Stop does not wait for it.
func TestAStreamSaysWhatChanged(t *testing.T) {
	s := newServer(t, newLinks())
	var version atomic.Int64
	s.stream("GET /live/test", public, func(*query) (string, error) { return strconv.FormatInt(version.Load(), 10), nil })
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Timeout: 20 * time.Second}
	w, err := c.Get("http://" + s.Addr().String() + "/live/test")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	if kind := w.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("%d %s", w.StatusCode, kind)
	}
	lines := bufio.NewScanner(w.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "retry:") {
		t.Fatalf("%q", lines.Text())
	}
	version.Add(1)
	for lines.Scan() && lines.Text() != "event: change" {
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.Stop(t.Context()); err != nil || time.Since(began) > 3*time.Second {
		t.Errorf("stopping took %s: %v", time.Since(began), err)
	}
}

func TestStreamsAreCounted(t *testing.T) {
	s := newServer(t, newLinks())
	for range maxStreams {
		s.streams <- struct{}{}
	}
	s.stream("GET /live/test", public, func(*query) (string, error) { return "", nil })
	if w := get(s, "/live/test"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
}
