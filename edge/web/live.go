package web

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"ringfence/edge/internal/fair"
)

// Limits of streams. A browser holds one for each page that is open; it asks again when one ends.
const (
	maxStreams  = 128
	maxPublic   = maxStreams / 2 // of them, of pages that anybody may see
	streamLife  = 10 * time.Minute
	streamEvery = time.Second
	streamBeat  = 20 * time.Second // a line that says nothing, so that a browser that went away is noticed
)

// stream adds a stream of server-sent events for a page: version is asked every second, and when it differs, the page is told that
// something changed. It must be cheap.
func (s *Server) stream(pattern string, who area, version func(q *query) (string, error)) {
	s.areas[pattern] = who
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		q, err := s.query(w, r, who)
		seen := ""
		if err == nil {
			seen, err = version(q)
		}
		if err != nil { // also another's, which is not there
			s.fail(w, r, err)
			return
		}
		if !s.streams.begin(fair.Address(q.from), who == public) {
			s.fail(w, r, &fault{status: http.StatusServiceUnavailable, title: "error.too-many", text: "error.too-many-what"})
			return
		}
		defer s.streams.end(fair.Address(q.from), who == public)
		s.follow(w, q, seen, func(q *query) (string, error) {
			// A session that ended, or has another role, sees nothing more.
			if v, in, err := s.visitor(q.Request); who != public && (err != nil || !in || v.Customer != q.Customer || v.Role != q.Role) {
				return "", ErrNotSignedIn
			}
			return version(q)
		})
	})
}

// streams counts those that are open. One address, also behind a proxy, does not take those of others, nor do pages that anybody may see.
type streams struct {
	mu     sync.Mutex
	all    int                  // guarded by mu, as is all below
	public int                  // of all
	from   map[netip.Prefix]int // no zeros
}

func (s *streams) begin(from netip.Prefix, public bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStreams || public && s.public >= maxPublic || s.from[from] >= maxPerAddress {
		return false
	}
	s.count(from, public, 1)
	return true
}

func (s *streams) end(from netip.Prefix, public bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(from, public, -1)
}

func (s *streams) count(from netip.Prefix, public bool, n int) {
	s.all += n
	if public {
		s.public += n
	}
	if s.from[from] += n; s.from[from] == 0 {
		delete(s.from, from)
	}
}

// fileTime is the most that a file may take to be written.
const fileTime = 10 * time.Minute

// file adds what a page offers to keep: a table, a picture of a code. A failure after the first byte must not look like the end, so the connection
// is broken off.
func (s *Server) file(pattern string, who area, h func(q *query, w http.ResponseWriter) error) {
	s.areas[pattern] = who
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		q, err := s.query(w, r, who)
		begun := &begun{ResponseWriter: w}
		if err == nil {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(fileTime)) // a server of the tests has none
			err = h(q, begun)
		}
		switch {
		case err == nil:
		case begun.wrote:
			s.log.Error("a file broke off", "path", r.URL.Path, "error", err)
			panic(http.ErrAbortHandler)
		default:
			w.Header().Del("Content-Disposition")
			s.fail(w, r, err)
		}
	})
}

// begun knows whether anything was written.
type begun struct {
	http.ResponseWriter
	wrote bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.wrote = true
	return b.ResponseWriter.Write(p)
}

// follow writes until the page is closed, the program stops, or the stream has lived long enough.
func (s *Server) follow(w http.ResponseWriter, q *query, seen string, version func(q *query) (string, error)) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // a server of the tests has none
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // proxies pass it on at once
	say := func(text string) bool {
		_ = control.SetWriteDeadline(time.Now().Add(10 * time.Second))
		_, err := w.Write([]byte(text))
		return err == nil && control.Flush() == nil
	}
	if !say("retry: 3000\n\n") {
		return
	}
	tick, end := time.NewTicker(streamEvery), time.NewTimer(streamLife)
	defer tick.Stop()
	defer end.Stop()
	quiet := time.Now()
	for {
		select {
		case <-q.Context().Done():
			return
		case <-s.stopping:
			return
		case <-end.C:
			return
		case <-tick.C:
		}
		now, err := version(q)
		switch {
		case err != nil:
			return
		case now != seen:
			seen, quiet = now, time.Now()
			if !say("event: change\ndata: 1\n\n") {
				return
			}
		case time.Since(quiet) > streamBeat:
			quiet = time.Now()
			if !say(":\n\n") {
				return
			}
		}
	}
}
