// Package web serves the pages, on an address that the public can reach: status, the answers to notices, and what customers and
// staff see. It asks the same stages as the API and decides nothing. docs/pages.md says how a page is added.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/edge/internal/certfile"
	"ringfence/edge/internal/fair"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/flow/casefile"
	"ringfence/flow/cooling"
	"ringfence/flow/desk"
	"ringfence/flow/device"
	"ringfence/flow/evidence"
	"ringfence/flow/exposure"
	"ringfence/flow/fit"
	"ringfence/flow/gate"
	"ringfence/flow/journal"
	"ringfence/flow/location"
	"ringfence/flow/notify"
	"ringfence/flow/people"
	"ringfence/flow/proof"
	"ringfence/flow/records"
	"ringfence/flow/settle"
	"ringfence/flow/status"
	"ringfence/flow/watch"
)

// Deps are what the pages ask. Genuine, Link and Use are those of notify.Notifier.
type Deps struct {
	Genuine func(token string) bool
	Link    func(ctx context.Context, token string) (notify.LinkView, error)
	Use     func(ctx context.Context, token string, from netip.Addr) (notify.LinkView, error)
	Help    notify.Help

	// Sent is the notices that people of a customer got: SentTo of notify.Notifier. nil: none are shown.
	Sent func(ctx context.Context, customer string, f notify.Filter) ([]notify.View, error)

	People *people.People                       // who may sign in; nil: nobody
	SignIn func(token string) string            // the address of a link that signs in
	ZoneOf func(customer string) *time.Location // in which a customer reads times

	// SignedIn is the person whose session a request has, or ErrNotSignedIn. nil: the one of People.
	SignedIn func(r *http.Request) (Visitor, error)

	Status   *status.Status     // nil: there are no status pages
	Evidence *evidence.Evidence // nil: nothing is sealed
	Security func() Protections // what is in force; nil: there is no page about it

	// What customers and staff see and change. Book, and with it all of these, is nil where there are only answers and the status.
	Book     *book.Book
	Exposure *exposure.Desk
	Fit      *fit.Desk // nil: nobody looks for settings that fit
	Cooling  *cooling.Cooling
	Proof    *proof.Proof // of numbers to present; nil: staff record them
	Desk     *desk.Desk   // of the staff; nil: there are no pages for them
	Devices  *device.Devices
	Cases    *desk.Cases
	Casefile func() *casefile.Casefile // judges calls; nil: nothing does
	Watch    *watch.Watch
	Calls    func() []gate.InProgress                       // in progress on this node
	Others   func(ctx context.Context) ([]call.Open, error) // and on others; nil: there are none
	Cut      func(id call.ID, reason policy.Reason, text string) bool
	Records  *records.Records                                                     // call records; nil: there are no pages of calls
	Billing  *billing.Billing                                                     // nil: nothing is billed here
	Settle   *settle.Desk                                                         // nil: no case is settled here
	Export   func(ctx context.Context, w io.Writer, customer, actor string) error // everything that is held about a customer; nil: there is no such archive
	Purses   func(ctx context.Context, customer, line string, now time.Time) ([]gate.Purse, error)
	Phones   func(line string, now time.Time) []location.Binding
	Facts    func(ctx context.Context, f journal.Filter) ([]journal.Fact, error)
	SIP      SIP                                                                    // where phones register; without a server nothing says how to set one up
	Vouch    func(ctx context.Context, actor, line, customer, finding string) error // the calls of a finding were honest

	Zone *time.Location // of the provider; nil is UTC
	Plan *phone.Plan    // nil is the United Kingdom's
}

// Options of New.
type Options struct {
	Listen    netip.AddrPort // where the pages are served; port 0 takes any
	Cert, Key string         // PEM files; without them Listen must be loopback, or TrustProxy set
	// TrustProxy are the networks of the operator's own reverse proxies: their X-Forwarded-For and -Proto are believed.
	TrustProxy []netip.Prefix
	URL        string       // "https://calls.example.net", for feeds
	StatusCopy string       // address of a copy of the status pages on other computers; "" is none
	Hue        int          // of the accent, 1 to 360; 0 is 258, a blue
	Logo       string       // a file, shown before the provider's name; "" is a mark of ours
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

	streams  streams
	stopping chan struct{} // closed by Stop

	mux    *http.ServeMux
	areas  map[string]area // of each pattern
	words  *catalogue
	reader reader
	pages  map[string]*template.Template
	assets map[string]*asset // by path
	css    asset
	js     asset
	logo   asset

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
	o.Hue = cmp.Or(o.Hue, 258)
	s := &Server{
		streams: streams{from: map[netip.Prefix]int{}}, stopping: make(chan struct{}),
		d: d, o: o, log: o.Log, words: english, help: newHelp(d.Help, english), rate: newRate(time.Now), seed: maphash.MakeSeed(), cert: certfile.New("the pages", o.Cert != ""),
		reader: reader{words: english, zone: cmp.Or(d.Zone, time.UTC), plan: cmp.Or(d.Plan, phone.UK()), now: time.Now},
	}
	if d.People != nil && d.SignedIn == nil {
		s.d.SignedIn = s.signedIn
	}
	var err error
	if s.pages, err = parsePages(s.reader.funcs()); err != nil {
		return nil, fmt.Errorf("the pages: %w", err)
	}
	if err := s.openAssets(); err != nil {
		return nil, err
	}
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
			s.log.Error("the pages stopped", "address", s.addr.String(), "error", err)
		}
	}()
	return nil
}

// Stop waits for requests under way until ctx ends, then breaks them off.
func (s *Server) Stop(ctx context.Context) error {
	if s.srv == nil {
		return nil
	}
	close(s.stopping)
	if err := s.srv.Shutdown(ctx); err != nil {
		return errors.Join(err, s.srv.Close())
	}
	return nil
}

// listen requires TLS, unless only this machine or the operator's proxies can connect.
func (s *Server) listen() (net.Listener, error) {
	if !s.o.Listen.IsValid() {
		return nil, errors.New("the pages: no address to listen on")
	}
	if s.o.Cert == "" && !s.o.Listen.Addr().IsLoopback() && len(s.o.TrustProxy) == 0 {
		return nil, fmt.Errorf("the pages on %s need a certificate, or a trusted proxy in front; without one only a loopback address is possible", s.o.Listen)
	}
	if err := s.cert.Use(s.o.Cert, s.o.Key); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", s.o.Listen.String())
	if err != nil {
		return nil, fmt.Errorf("opening the pages: %w", err)
	}
	return s.cert.Listener(fair.Limit(l, fair.Options{Max: maxConnections, PerAddress: maxPerAddress, Free: s.trusted})), nil
}

// UseCertificate reads the certificate from these files, for connections from now on. On an error the old one stays.
func (s *Server) UseCertificate(cert, key string) error { return s.cert.Use(cert, key) }
