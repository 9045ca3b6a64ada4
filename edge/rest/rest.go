// Package rest is the admin API over HTTP: it turns requests into calls of the book and of functions that app gives it,
// and what comes of them into JSON. It must not know the store, SIP or how decisions are made.
package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/check"
	"ringfence/core/habit"
	"ringfence/core/policy"
	"ringfence/edge/internal/certfile"
	"ringfence/edge/rest/api"
	"ringfence/flow/ban"
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
	"ringfence/flow/guard"
	"ringfence/flow/location"
	"ringfence/flow/notify"
	"ringfence/flow/people"
	"ringfence/flow/privacy"
	"ringfence/flow/proof"
	"ringfence/flow/react"
	"ringfence/flow/retention"
	"ringfence/flow/settle"
	"ringfence/flow/status"
	"ringfence/flow/watch"
)

// Deps is what the API asks of the rest of the program. Book is needed; a nil function answers "not available here".
type Deps struct {
	Book *book.Book

	// Decide judges a call without making it. The error is for a line that does not exist (book.ErrNotFound) or a store
	// that failed; a refusal is no error. A zero from passes every IP lock; at is never zero.
	Decide func(ctx context.Context, q gate.Question) (*gate.Explanation, error)

	Calls  func() []gate.InProgress                       // calls in progress on this node
	Others func(ctx context.Context) ([]call.Open, error) // and on others with the same store
	// Cut ends one; text is who asked and why, for the journal. False: no such call.
	Cut func(id call.ID, reason policy.Reason, text string) bool

	// Vouch records that the calls of a finding were honest, and opens what it closed. line is "" for all of a customer's.
	Vouch func(ctx context.Context, actor, line, customer, finding string) error

	// Rules are those that watch calls, with their figures; Agree lets one act that waits. False: none of that name does.
	Rules func(ctx context.Context) ([]react.Rule, error)
	Agree func(actor, rule string) bool
	// Habits are what is known of a line's usual calls. False: nothing is watched.
	Habits func(ctx context.Context, line, customer string, now time.Time) (habit.Summary, bool, error)

	Phones        func(line string, now time.Time) []location.Binding
	Registrations func() int

	// CDRs are records, newest first; unstored: also of calls that wait for a phone to confirm that they are over.
	CDRs    func(ctx context.Context, q CDRQuery, unstored bool) ([]call.CDR, error)
	CDR     func(ctx context.Context, id call.ID) (call.CDR, error) // book.ErrNotFound
	Journal func(ctx context.Context, q JournalQuery) ([]api.Fact, error)
	// Purses are the four of a line, or with line "" the two of a customer, for the day and month of now.
	Purses func(ctx context.Context, customer, line string, now time.Time) ([]gate.Purse, error)

	// Trace hands over the SIP messages of a line or call until it ends by itself.
	Trace func(ctx context.Context, actor string, t *TraceQuery, yield func(api.TraceMessage) error) error
	// TrunkTest asks each address of a trunk whether it answers, and with its login.
	TrunkTest func(ctx context.Context, t *account.Trunk) []api.TrunkAnswer
	// Enrolled is how our registration at the carrier of a trunk stands; nil: there is none.
	Enrolled func(trunk string) *api.TrunkRegistration
	// TrunksNow is what trunks do at the moment, by identity. Nil: nothing is said of it.
	TrunksNow func(ctx context.Context) map[string]*api.TrunkNow

	Check  func(ctx context.Context) check.Findings
	Status func(ctx context.Context) api.Status // the counts of the book are filled in here
	Rotate func(ctx context.Context, actor string) (api.Rotated, error)

	People  *people.People   // nil: nobody but operators
	Cooling *cooling.Cooling // nil: nothing waits
	Proof   *proof.Proof     // of numbers that are presented; nil: only staff record them
	// SignIn is the address of a link that signs in; "" when there are no pages.
	SignIn func(token string) string

	Billing *billing.Billing // nil: nothing is billed here
	Settle  *settle.Desk     // nil: no case is settled here
	Guard   *guard.Guard
	Devices *device.Devices
	// Exposure says what a thief could cost.
	Exposure *exposure.Desk
	Fit      *fit.Desk // which settings fit a line's own calls
	// These stages are built after the API: asked for when they are needed.
	Bans     func() *ban.List
	Casefile func() *casefile.Casefile
	Cases    func() *desk.Cases
	Desk     func() *desk.Desk // knows the money at risk; may be nil
	Watch    func() *watch.Watch
	Notices  func() *notify.Notifier
	Privacy  func() *privacy.Privacy
	Public   func() *status.Status
	// Retention is what is kept, and how long.
	Retention func() *retention.Retention
	// Evidence is the seal of the journal.
	Evidence func() *evidence.Evidence

	Feeds   func() []api.Feed
	Refresh func(ctx context.Context, name string) error // ErrNoFeed; what went wrong otherwise is in Feeds
	Geo     func(addr netip.Addr, files bool) api.Place
	HookKey func() (api.WebhookKey, error)
}

// ErrNoFeed is what Refresh answers when there is no feed of that name.
var ErrNoFeed = errors.New("no such feed")

// CDRQuery selects records, as the store does; zero fields do not restrict.
type CDRQuery struct {
	Line, Account           string
	Called                  bool   // with Line: also calls of other lines to it
	Country, Number, Reason string // a code, as in records, a code
	Direction               call.Direction
	From, Until             time.Time
	Before                  call.ID // continue below it
	Limit                   int
}

// TraceQuery says what is traced, and for how long; a line is an identity.
type TraceQuery struct {
	Line string
	Call call.ID
	For  time.Duration
	Most int
}

// ErrTraces is what Trace answers when too many run.
var ErrTraces = errors.New("as many traces run as may")

// JournalQuery selects facts after a sequence number, or below another the last first; zero fields do not restrict.
type JournalQuery struct {
	After, Before int64
	Line          string
	Call          call.ID
	Kind          string // a prefix
	From, Until   time.Time
	Limit         int
}

// Options say how the API is served.
type Options struct {
	Socket      string // path of the unix socket; "" is none
	Listen      netip.AddrPort
	Hosts       []string // names that TCP clients may use for this server, besides its addresses
	Tokens      []Token  // who may use TCP
	Cert, Key   string   // PEM files; "" is plain HTTP, for loopback addresses only
	UploadBytes int64    // longest deck; 0 is 64 MiB
	Tracers     []string // names of tokens that may trace; who has the socket may
	Version     string
	Log         *slog.Logger
	// Extra is served on the unix socket beside the API, by pattern of http.ServeMux: metrics and health.
	Extra map[string]http.Handler
}

// Limits of every request.
const (
	maxBody        = 256 << 10
	maxUpload      = 64 << 20
	maxHeader      = 16 << 10
	headerTimeout  = 5 * time.Second
	bodyTimeout    = 10 * time.Second
	uploadTimeout  = 2 * time.Minute
	uploadWait     = 20 * time.Second // for another upload to end
	answerTimeout  = 5 * time.Minute  // from the end of the header
	pageTimeout    = time.Minute      // to take one page of a stream
	idleTimeout    = 2 * time.Minute
	maxPage        = 1000
	maxConnections = 256
	maxPerAddress  = 32 // over TCP
)

// Server serves the admin API.
type Server struct {
	d     Deps
	o     Options
	log   *slog.Logger
	api   huma.API
	mux   *http.ServeMux
	lists listeners
	cert  *certfile.Cert
	wrong wrongTokens

	uploading chan struct{} // holds a token while a file is imported
	contacts  sync.Mutex    // one change of a contact at a time: it is read, changed and written
}

// New makes a server; Start opens its sockets, Handler serves without any.
func New(d Deps, o Options) (*Server, error) {
	if d.Book == nil {
		return nil, errors.New("rest: a book is needed")
	}
	if o.UploadBytes == 0 {
		o.UploadBytes = maxUpload
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	useProblems()
	s := &Server{d: d, o: o, log: o.Log, mux: http.NewServeMux(), cert: certfile.New("the admin API", o.Cert != ""), uploading: make(chan struct{}, 1)}
	s.api = humago.New(s.mux, config(o.Version))
	s.api.UseMiddleware(s.permit)
	for _, add := range routes {
		add(s)
	}
	s.describe()
	s.mux.HandleFunc("/", s.nowhere)
	return s, nil
}

// config is strict: JSON only, no pages, no unknown parameters, no fields that the schema does not have.
func config(version string) huma.Config {
	c := huma.DefaultConfig("Ringfence admin API", version)
	c.DocsPath, c.OpenAPIPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.RejectUnknownQueryParameters = true
	c.Info.Description = "Customers, lines, trunks, decks, decisions, calls, records, bans, findings, notices and the journal of one provider. " +
		"Amounts (*_micro) are millionths of the billing currency, rates (*_nano) billionths of it a minute."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "over TCP; the unix socket needs none"},
	}
	c.Security = []map[string][]string{{"token": {}}, {}}
	return c
}

// routes are those of each resource, which the file of its handlers adds.
var routes []func(*Server)

// serves adds the routes of a resource. It is called where they are declared, so that nothing but that file knows them.
func serves(add func(*Server)) (none struct{}) {
	routes = append(routes, add)
	return none
}

// describe serves the OpenAPI description. It is made when it is first asked for: making it takes a tenth of a start.
func (s *Server) describe() {
	s.mux.HandleFunc("GET /openapi.json", s.made("application/vnd.oai.openapi+json", func() ([]byte, error) { return json.MarshalIndent(s.api.OpenAPI(), "", "  ") }))
	s.mux.HandleFunc("GET /openapi.yaml", s.made("application/vnd.oai.openapi", s.api.OpenAPI().YAML))
}

// made serves what does not change once it is made.
func (*Server) made(kind string, make func() ([]byte, error)) http.HandlerFunc {
	once := sync.OnceValues(make)
	return func(w http.ResponseWriter, _ *http.Request) {
		body, err := once()
		if err != nil {
			writeProblem(w, &api.Problem{Status: http.StatusInternalServerError, Reason: api.ReasonInternal, Detail: "describing the API: " + err.Error()})
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body) // a client that went away is no fault of ours
	}
}

// nowhere answers what no route takes: another method of a path that exists, or no such path.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := s.mux.Handler(probe); pattern != "/" && pattern != "" {
			w.Header().Set("Allow", method)
			writeProblem(w, &api.Problem{
				Status: http.StatusMethodNotAllowed, Reason: api.ReasonMethod,
				Detail: fmt.Sprintf("%s does not take %s; %s is one it takes", r.URL.Path, r.Method, method),
			})
			return
		}
	}
	writeProblem(w, &api.Problem{
		Status: http.StatusNotFound, Reason: api.ReasonNotFound,
		Detail: "there is no such path; /openapi.json lists those there are",
	})
}

// op describes an operation with the limits that all share.
func op(method, path, id, tag, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{tag},
		MaxBodyBytes: maxBody, BodyReadTimeout: bodyTimeout,
		Errors: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity},
	}
}

// created marks an operation that makes something.
func created(o huma.Operation) huma.Operation {
	o.DefaultStatus = http.StatusCreated
	o.Errors = append(o.Errors, http.StatusConflict)
	return o
}

// answer is a JSON body.
type answer[T any] struct{ Body T }

// list makes a page of one more item than was asked, which tells whether there is a next page.
func list[T any](items []T, limit int, id func(*T) string) api.List[T] {
	l := api.List[T]{Items: items}
	if l.Items == nil {
		l.Items = []T{}
	}
	if len(items) > limit {
		l.Items = items[:limit]
		l.Next = id(&items[limit-1])
	}
	return l
}
