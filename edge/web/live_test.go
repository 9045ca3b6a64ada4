package web

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/netip"
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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil { // a stream that is not ended holds the stop until the context ends
		t.Errorf("stopping: %v", err)
	}
}

// TestStreamsAreCounted: nobody takes all of them, not from one address behind a proxy, nor from many that are not signed in.
func TestStreamsAreCounted(t *testing.T) {
	s := newServer(t, newLinks())
	s.stream("GET /live/test", public, func(*query) (string, error) { return "", nil })
	address := func(n int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 32)
	}
	began := 0
	for s.streams.begin(address(0), false) {
		began++
	}
	if began != maxPerAddress {
		t.Errorf("one address has %d", began)
	}
	for n := 1; n < 200 && s.streams.begin(address(n), true); n++ {
		began++
	}
	if began != maxPerAddress+maxPublic {
		t.Errorf("%d, with those that anybody may see", began)
	}
	if w := get(s, "/live/test"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
	for n := 201; n < 256 && s.streams.begin(address(n), false); n++ {
		began++
	}
	if began != maxStreams {
		t.Errorf("%d in all", began)
	}
	s.streams.end(address(1), true)
	if !s.streams.begin(address(2), true) || len(s.streams.from) > maxStreams {
		t.Error("one that ended makes no room")
	}
}

// TestAStreamEndsWithItsSession: one that was open went on for ten minutes after its person was signed out or removed.
func TestAStreamEndsWithItsSession(t *testing.T) {
	var out atomic.Bool
	s := newServer(t, newLinks())
	s.d.SignedIn = func(*http.Request) (Visitor, error) {
		if out.Load() {
			return Visitor{}, ErrNotSignedIn
		}
		return Visitor{Customer: "acme", Role: "owner"}, nil
	}
	s.stream("GET /live/test", customer, func(*query) (string, error) { return "", nil })
	fatal(t, s.Start())
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	c := &http.Client{Timeout: 20 * time.Second}
	w, err := c.Get("http://" + s.Addr().String() + "/live/test")
	fatal(t, err)
	defer w.Body.Close()
	out.Store(true)
	if _, err := io.ReadAll(w.Body); err != nil || w.StatusCode != http.StatusOK {
		t.Errorf("%d %v", w.StatusCode, err)
	}
}

// TestWhoIsSignedInMayLock guards against somebody at the same address, or a live page of one's own, that uses up what the address may ask: the
// page that locks answered 429.
func TestWhoIsSignedInMayLock(t *testing.T) {
	s := newServer(t, newLinks())
	in := false
	s.d.SignedIn = func(*http.Request) (Visitor, error) {
		if !in {
			return Visitor{}, ErrNotSignedIn
		}
		return Visitor{ID: "acme/ana", Customer: "acme", Role: "owner"}, nil
	}
	exhaust := func(path string) {
		for n := range 3000 {
			if get(s, path).Code == http.StatusTooManyRequests {
				return
			}
			if n == 2999 {
				t.Fatalf("%s is not limited", path)
			}
		}
	}
	exhaust("/nowhere")
	in = true
	if w := get(s, "/nowhere"); w.Code == http.StatusTooManyRequests {
		t.Errorf("who is signed in: %d", w.Code)
	}
	exhaust("/nowhere")
	if w := get(s, lockPath); w.Code == http.StatusTooManyRequests {
		t.Errorf("who wants to lock: %d", w.Code)
	}
	exhaust(lockPath)
}
