package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"

	"ringfence/edge/internal/fair"
	"ringfence/flow/notify"
)

// handler is what every request passes: a panic does not end the program, headers isolate our pages, forms from other sites are
// refused, and the rate of requests is limited.
func (s *Server) handler() http.Handler {
	s.mux, s.areas = http.NewServeMux(), map[string]area{}
	for _, add := range routes {
		add(s)
	}
	s.mux.HandleFunc("/", s.nowhere)

	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := word("error.foreign-what")
		if strings.HasPrefix(r.URL.Path, notify.LinkPath) {
			text = "answer.foreign-what"
		}
		s.fail(w, r, &fault{status: http.StatusForbidden, title: "error.foreign", text: text})
	}))
	inner := cross.Handler(s.forCustomer(s.mux))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.recoverPanic(w, r)
		s.headers(w, r)
		if !strings.HasPrefix(r.URL.Path, "/assets/") && !s.admitted(r) {
			w.Header().Set("Retry-After", "60")
			w.Header().Set("Connection", "close") // makes room for another client
			s.fail(w, r, &fault{status: http.StatusTooManyRequests, title: "error.too-many", text: "error.too-many-what"})
			return
		}
		whole := r.Body
		r.Body = http.MaxBytesReader(w, whole, maxForm)
		if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			r = r.WithContext(context.WithValue(r.Context(), wholeBody{}, whole))
		}
		inner.ServeHTTP(w, r)
	})
}

// wholeBody is the key of a form's body without a limit, for the routes that take files; see upload.
type wholeBody struct{}

// nowhere answers what no route takes: another method of a page that there is, or no such page.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := s.mux.Handler(probe); pattern != "/" && pattern != "" {
			w.Header().Set("Allow", method)
			s.fail(w, r, &fault{status: http.StatusMethodNotAllowed, title: "error.method", text: "error.method-what"})
			return
		}
	}
	s.fail(w, r, errMissing)
}

// headers of every answer. The policy for referrers is same-origin rather than no-referrer: tokens stay with us either
// way, but with no-referrer a browser sends "Origin: null" with our own form, which looks like another site's to a
// server that an old browser asks.
func (s *Server) headers(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'") // write gives a page its own
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	if r.TLS != nil || s.trusted(peer(r)) && r.Header.Get("X-Forwarded-Proto") == "https" {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// recoverPanic ends one request, not the program. The path is not logged: it is a token.
func (s *Server) recoverPanic(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	s.fail(w, r, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
}

// admitted counts a request. A session that was not known yet is looked up before it is refused, so that others at its address do not stop it; and
// the page that locks has a count of its own, which nothing else uses up.
func (s *Server) admitted(r *http.Request) bool {
	if s.rate.take(s.asker(r)) {
		return true
	}
	v, in, err := s.visitor(r)
	if err != nil || !in {
		return false
	}
	session := cmp.Or(s.cookie(r, sessionCookie), v.ID)
	if r.URL.Path == lockPath {
		session += lockPath
	}
	return s.rate.take(asker{link: maphash.String(s.seed, session) | 1, session: true})
}

// asker is what a request is counted under. A token of ours is recognised without the store, and cannot be
// guessed: a link with one has a count of its own for each address that uses it.
func (s *Server) asker(r *http.Request) asker {
	a := asker{net: fair.Address(s.from(r))}
	if token, ok := strings.CutPrefix(r.URL.Path, notify.LinkPath); ok && len(token) <= maxToken && s.d.Genuine(token) {
		a.link = maphash.String(s.seed, token) | 1
	} else if session := s.sessionHash(r); session != 0 && s.rate.isGenuine(session) {
		return asker{link: session, session: true}
	}
	return a
}

// sessionHash tells the sessions of requests apart; 0: there is none.
func (s *Server) sessionHash(r *http.Request) uint64 {
	text := s.cookie(r, sessionCookie)
	if text == "" {
		return 0
	}
	return maphash.String(s.seed, text) | 1
}

// peer is the other end of the connection.
func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(host) // the zero address if it is none
	return a.WithZone("").Unmap()
}

func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.o.TrustProxy {
		if a.IsValid() && p.Contains(a) {
			return true
		}
	}
	return false
}

// from is who asks: the peer, or, if that is a trusted proxy, the last address in X-Forwarded-For that is none.
func (s *Server) from(r *http.Request) netip.Addr {
	a := peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(a); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return a
		}
		a = next.WithZone("").Unmap()
	}
	return a
}
