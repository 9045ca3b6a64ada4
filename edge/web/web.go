// Package web serves the pages behind the links in notices, on an address of their own that the public can reach: what a
// link is about, one button, and what pressing it did. It must not know what the answers do, nor the store; it asks for
// both through Deps, and shows nothing but what a link's token stands for.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"ringfence/edge/internal/certfile"
	"ringfence/edge/internal/fair"
	"ringfence/flow/notify"
)

// Deps are what the pages ask. Genuine, Link and Use are those of notify.Notifier.
type Deps struct {
	Genuine func(token string) bool
	Link    func(ctx context.Context, token string) (notify.LinkView, error)
	Use     func(ctx context.Context, token string, from netip.Addr) (notify.LinkView, error)
	Help    notify.Help
}

// Options of New.
type Options struct {
	Listen    netip.AddrPort // where the pages are served; port 0 takes any
	Cert, Key string         // PEM files; without them Listen must be loopback, or TrustProxy set
	// TrustProxy are the networks of the operator's own reverse proxies: their X-Forwarded-For and -Proto are believed.
	TrustProxy []netip.Prefix
	Log        *slog.Logger // nil is none
}

// Limits of connections. One address may hold enough for the browsers of an office behind it; no address can keep others from
// the button that locks a stolen line. Pressing a button may take notify half a minute.
const (
	maxConnections = 512
	maxPerAddress  = 16
	maxHeader      = 8 << 10
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	answerTimeout  = 45 * time.Second
	idleTimeout    = 15 * time.Second
)

// Server serves the pages. Make it with New.
type Server struct {
	d    Deps
	o    Options
	log  *slog.Logger
	help help
	rate *rate
	seed maphash.Seed // of links' hashes
	h    http.Handler

	cert *certfile.Cert
	srv  *http.Server // set by Start
	addr net.Addr     // set by Start
}

// New checks the options; it opens nothing.
func New(d Deps, o Options) (*Server, error) {
	if d.Genuine == nil || d.Link == nil || d.Use == nil {
		return nil, errors.New("web: Genuine, Link and Use are required")
	}
	if (o.Cert == "") != (o.Key == "") {
		return nil, errors.New("web: a certificate and a key belong together")
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	s := &Server{d: d, o: o, log: o.Log, help: newHelp(d.Help), rate: newRate(time.Now), seed: maphash.MakeSeed(), cert: certfile.New("the answer pages", o.Cert != "")}
	s.h = s.handler()
	return s, nil
}

// Handler serves the pages, for a caller that has a server already.
func (s *Server) Handler() http.Handler { return s.h }

// Addr is the address in use, nil before Start.
func (s *Server) Addr() net.Addr { return s.addr }

// Start opens the address and serves. Failures while serving go to the log.
func (s *Server) Start() error {
	l, err := s.listen()
	if err != nil {
		return err
	}
	s.addr = l.Addr()
	s.srv = &http.Server{
		Handler:           s.h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := s.srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the answer pages stopped", "address", s.addr.String(), "error", err)
		}
	}()
	return nil
}

// Stop waits for requests under way until ctx ends, then breaks them off.
func (s *Server) Stop(ctx context.Context) error {
	if s.srv == nil {
		return nil
	}
	if err := s.srv.Shutdown(ctx); err != nil {
		return errors.Join(err, s.srv.Close())
	}
	return nil
}

// listen requires TLS, unless only this machine or the operator's proxies can connect.
func (s *Server) listen() (net.Listener, error) {
	if !s.o.Listen.IsValid() {
		return nil, errors.New("the answer pages: no address to listen on")
	}
	if s.o.Cert == "" && !s.o.Listen.Addr().IsLoopback() && len(s.o.TrustProxy) == 0 {
		return nil, fmt.Errorf("the answer pages on %s need a certificate, or a trusted proxy in front; without one only a loopback address is possible", s.o.Listen)
	}
	if err := s.cert.Use(s.o.Cert, s.o.Key); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", s.o.Listen.String())
	if err != nil {
		return nil, fmt.Errorf("opening the answer pages: %w", err)
	}
	return s.cert.Listener(fair.Limit(l, fair.Options{Max: maxConnections, PerAddress: maxPerAddress, Free: s.trusted})), nil
}

// UseCertificate reads the certificate from these files, for connections from now on. On an error the old one stays.
func (s *Server) UseCertificate(cert, key string) error { return s.cert.Use(cert, key) }
