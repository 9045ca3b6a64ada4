package web

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"ringfence/core/person"
	"ringfence/flow/people"
)

// Cookies of a browser that is signed in, and of one that is half way. Over TLS they have the prefix that browsers hold to this host, to TLS
// and to all its paths. Without TLS there is only this machine, for a trial: cookies have another name there, so that one of them
// never counts over TLS, and no other machine gets one.
const (
	sessionCookie = "ring"
	halfCookie    = "ring-half"
	newsCookie    = "ring-news" // the date of the newest protection that somebody here has read of
	hostPrefix    = "__Host-"
)

// overTLS says that the browser's connection is secret, to us or to a proxy of the operator's.
func (s *Server) overTLS(r *http.Request) bool {
	return r.TLS != nil || s.trusted(peer(r)) && r.Header.Get("X-Forwarded-Proto") == "https"
}

// cookieName is the name that a cookie has on a connection; ok is false where none may be set or read.
func (s *Server) cookieName(r *http.Request, name string) (full string, ok bool) {
	if s.overTLS(r) {
		return hostPrefix + name, true
	}
	return name, peer(r).IsLoopback() && s.from(r).IsLoopback()
}

func (s *Server) cookie(r *http.Request, name string) string {
	full, ok := s.cookieName(r, name)
	if !ok {
		return ""
	}
	c, err := r.Cookie(full)
	if err != nil || len(c.Value) > maxToken {
		return ""
	}
	return c.Value
}

// setCookie sets a cookie until an instant; the zero instant takes it away.
func (s *Server) setCookie(w http.ResponseWriter, r *http.Request, name, value string, until time.Time) {
	full, ok := s.cookieName(r, name)
	if !ok {
		return
	}
	c := &http.Cookie{Name: full, Value: value, Path: "/", Secure: s.overTLS(r), HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if until.IsZero() {
		c.MaxAge = -1
	} else {
		c.MaxAge = max(1, int(time.Until(until).Seconds()))
	}
	http.SetCookie(w, c)
}

// whence is where a request comes from, for those who sign in.
func (s *Server) whence(r *http.Request) people.From {
	return people.From{Addr: s.from(r), Agent: r.UserAgent()}
}

// signedIn is the person whose session a request has.
func (s *Server) signedIn(r *http.Request) (Visitor, error) {
	text := s.cookie(r, sessionCookie)
	if text == "" {
		return Visitor{}, ErrNotSignedIn
	}
	who, p, err := s.d.People.Session(r.Context(), text, s.whence(r))
	if errors.Is(err, people.ErrRefused) {
		return Visitor{}, ErrNotSignedIn
	}
	if err != nil {
		return Visitor{}, err
	}
	s.rate.genuine(s.sessionHash(r))
	v := Visitor{ID: who.Actor, Name: p.Name, Customer: who.Customer, Role: string(who.Role), Who: who}
	if v.Name == "" {
		v.Name = p.Handle()
	}
	if who.Customer != "" && s.d.ZoneOf != nil {
		v.Zone = s.d.ZoneOf(who.Customer)
	}
	return v, nil
}

// may wants the row of an operation in the table of who may do what.
func (q *query) may(operation string) error {
	if ok, _ := q.Who.May(operation); ok {
		return nil
	}
	roles := person.For(operation)
	roles = slices.DeleteFunc(roles, func(r person.Role) bool { return r.Staff() != (q.Customer == "") })
	return &fault{status: http.StatusForbidden, title: "in.not-yours", text: "in.not-yours-what", values: []any{"role", q.Role, "roles", person.Names(roles)}}
}

// fresh sends those who showed a factor too long ago to show it again, and then back; "" is nowhere: they did lately.
func (q *query) fresh(back string) (see string) {
	if people.IsFresh(&q.Who, q.now) {
		return ""
	}
	return proveFor(back)
}

// proveFor is where a factor is shown again before going on.
func proveFor(back string) string { return "/me/prove?to=" + url.QueryEscape(back) }

// noSession refuses to sign anybody in over a connection that others can read.
func (s *Server) noSession(r *http.Request) error {
	if _, ok := s.cookieName(r, sessionCookie); ok {
		return nil
	}
	return &fault{status: http.StatusForbidden, title: "in.plain", text: "in.plain-what"}
}

// addrOf reads an address for showing.
func addrOf(text string) netip.Addr {
	a, _ := netip.ParseAddr(text) // the zero address if it is none
	return a
}
