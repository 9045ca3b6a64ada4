package rest_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/check"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/secret"
	"ringfence/edge/rest"
	"ringfence/edge/rest/api"
	"ringfence/flow/ban"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/cooling"
	"ringfence/flow/desk"
	"ringfence/flow/exposure"
	"ringfence/flow/fit"
	"ringfence/flow/gate"
	"ringfence/flow/location"
	"ringfence/flow/people"
	"ringfence/flow/react"
	"ringfence/flow/settle"
	"ringfence/state/store"
	"ringfence/state/store/memory"
	"ringfence/state/store/sqlite"
)

var ctx = context.Background()

var update = flag.Bool("update", false, "write docs/api.md anew")

// fixture is a server over a book in memory, and what it was asked to do.
type fixture struct {
	asked rest.CDRQuery // the last one
	*rest.Server
	db      *booktest.Store
	paid    *sqlite.Engine // has the bills
	billing *billing.Billing

	settling *settle.Desk
	book     *book.Book
	people   *people.People
	h        http.Handler
	cuts     []string
	bans     *ban.List
	feed     error // what fetching a feed answers
	cdrs     []call.CDR
	fail     error // what the queries answer

	live   []gate.InProgress // calls on this node; nil: one
	others []call.Open       // and on others
	desk   func() *desk.Cases
}

const deckCSV = "Prefix,Destination,Rate\n44,UK,0.01\n1,USA,0.02\n53,Cuba,0.90\n"

// The identities of what the tests add.
const acme, acme1 = "acme~00000000", "acme-1~00000000"

func identify(handle string) string { return handle + "~00000000" }

func newFixture(t testing.TB, o rest.Options) *fixture {
	t.Helper()
	plan, err := phone.NewPlan(phone.UKConfig())
	if err != nil {
		t.Fatal(err)
	}
	key, err := secret.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	box, err := secret.NewBox([]secret.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{db: &booktest.Store{}}
	f.book, err = book.Open(ctx, f.db, book.Options{Plan: plan, Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "sip.test", Identify: identify})
	if err != nil {
		t.Fatal(err)
	}
	f.people, err = people.New(people.Options{Store: f.db, Book: f.book, Box: func() (*secret.Box, error) { return box, nil }, Issuer: "Test"})
	if err != nil {
		t.Fatal(err)
	}
	f.cdrs = manyCDRs(2500)
	d := f.deps(plan)
	f.stages(t, &d)
	if f.Server, err = rest.New(d, o); err != nil {
		t.Fatal(err)
	}
	f.h = f.Handler("tester")
	return f
}

func manyCDRs(n int) []call.CDR {
	out := make([]call.CDR, n)
	for i := range out {
		out[i] = call.CDR{
			ID: call.ID(fmt.Sprintf("%08d", n-i)), Line: acme1, Account: acme, Number: "+442079460001", Dialled: "=cmd|' /C calc'!A0",
			Begun: time.Unix(1_700_000_000, 0).UTC(), Talk: 61 * time.Second, CarrierTalk: 62 * time.Second, Retail: 10_167, Cost: 5000, By: call.Caller, Reason: "hangup", Status: 200,
		}
	}
	return out
}

func (f *fixture) deps(plan *phone.Plan) rest.Deps {
	live := gate.InProgress{Open: call.Open{
		ID: "LIVE1", Direction: call.Out, State: call.Answered, Line: acme1, Account: acme, Number: "+442079460001",
		Held: 20_000, PaidFor: 2 * time.Minute,
		Quote: rating.Quote{Price: rating.Price{Prefix: 44, Name: "UK", First: 1, Step: 1, Rates: [3]money.Rate{1e7, 1e7, 1e7}}},
	}}
	registered := func(string, time.Time) []location.Binding {
		return []location.Binding{{Contact: "sip:acme-1@192.0.2.9", Received: netip.MustParseAddrPort("192.0.2.9:5060"), Transport: "udp", UserAgent: "Yealink"}}
	}
	desk, err := exposure.New(exposure.Options{Book: f.book, Money: memory.New(), Eyes: exposure.Eyes{Phones: registered}, Ring: time.Minute})
	if err != nil {
		panic(err)
	}
	fits, err := fit.New(fit.Options{Book: f.book, Exposure: desk, Calls: func(ctx context.Context, q store.CDRFilter) ([]call.CDR, error) {
		return f.queryCDRs(ctx, rest.CDRQuery{Line: q.Line, From: q.From, Before: q.Before, Limit: q.Limit}, false)
	}})
	if err != nil {
		panic(err)
	}
	return rest.Deps{
		Book: f.book, Exposure: desk, Fit: fits, People: f.people, Cooling: cooling.New(cooling.Options{Store: f.db, Book: f.book, People: f.people}), SignIn: func(token string) string { return "https://rf.test/in/link/" + token },
		Decide: func(_ context.Context, q gate.Question) (*gate.Explanation, error) { return f.decide(plan, q) },
		Others: func(context.Context) ([]call.Open, error) { return f.others, f.fail },
		Calls: func() []gate.InProgress { // answered 90 s ago whenever it is asked for
			if f.live != nil {
				return f.live
			}
			live.AnsweredAt, live.Begun = time.Now().Add(-90500*time.Millisecond), time.Now().Add(-95*time.Second)
			return []gate.InProgress{live}
		},
		Trace: func(_ context.Context, _ string, _ *rest.TraceQuery, yield func(api.TraceMessage) error) error {
			return yield(api.TraceMessage{End: "its time is over"})
		},
		Cut: func(id call.ID, why policy.Reason, text string) bool {
			f.cuts = append(f.cuts, fmt.Sprint(id, " ", why.Code(), " ", text))
			return true
		},
		Rules: func(context.Context) ([]react.Rule, error) {
			return []react.Rule{
				{Name: "pace", Set: habit.Live, Life: habit.Shadow, Why: react.TooWide, Stages: map[string]react.Figures{"live": {Fired: 2, Stopped: 7}, "shadow": {Fired: 3, Stopped: 40, Wrong: 4, Honest: 1, Saved: 12_500_000}}},
				{Name: "line", Set: habit.Live, Life: habit.Live},
			}, nil
		},
		Habits: func(context.Context, string, string, time.Time) (habit.Summary, bool, error) {
			return habit.Summary{Days: 40, Hours: "mon-fri 08-18", Countries: []phone.Country{{'F', 'R'}}, Networks: 2, Products: 1}, true, nil
		},
		Agree:         func(_, rule string) bool { return rule == "pace" },
		Phones:        registered,
		Registrations: func() int { return 1 },
		CDRs:          f.queryCDRs,
		CDR: func(_ context.Context, id call.ID) (call.CDR, error) {
			for _, c := range f.cdrs {
				if c.ID == id {
					return c, f.fail
				}
			}
			return call.CDR{}, book.ErrNotFound
		},
		Journal: f.journal,
		Purses: func(_ context.Context, customer, line string, _ time.Time) ([]gate.Purse, error) {
			kind := policy.LineDay
			if line == "" {
				kind = policy.AccountDay
			}
			return []gate.Purse{{Kind: kind, ID: "2026-11-22", Cap: 50 * money.Pound, Spent: 3_200_000, Held: 400_000}}, f.fail
		},
		Check: func(context.Context) check.Findings {
			return append(check.Findings{{What: "store", Level: check.Well, Text: "writes"}}, f.book.Check(time.Now())...)
		},
		Status: func(context.Context) api.Status {
			return api.Status{Node: "n1", Ready: true, Store: "ok", Engine: "sqlite"}
		},
		Rotate: func(context.Context, string) (api.Rotated, error) {
			return api.Rotated{Key: "abcd", Secrets: 2}, f.fail
		},
	}
}

func (f *fixture) decide(plan *phone.Plan, q gate.Question) (*gate.Explanation, error) {
	at := q.At
	l, ok := f.book.Line(q.Line)
	if !ok {
		return nil, book.ErrNotFound
	}
	d := &gate.Explanation{Routes: []gate.Route{{Trunk: "carrier"}}, Present: strings.TrimPrefix(q.Caller, "+"), Network: strings.TrimPrefix(l.Number(), "+")}
	d.Dest, d.Problem = plan.Parse(q.Dialled)
	a := policy.Attempt{Dest: d.Dest, Invalid: d.Problem, Source: q.Source}
	if deck, cal := l.Retail(); deck != nil {
		p, silence := deck.Price(d.Dest, at)
		if a.Silence = silence; silence == rating.Priced {
			quote := p.Quote(cal, at)
			d.Quote = &quote
			a.Quote = d.Quote
		}
	}
	d.Verdict, d.Steps = policy.Explain(l.Effective(at), policy.Facts{Locked: l.Locked()}, a, at)
	return d, nil
}

func (f *fixture) queryCDRs(_ context.Context, q rest.CDRQuery, _ bool) ([]call.CDR, error) {
	f.asked = q
	var out []call.CDR
	for _, c := range f.cdrs {
		if (q.Before == "" || c.ID < q.Before) && (q.Line == "" || c.Line == q.Line) && (q.Account == "" || c.Account == q.Account) && len(out) < q.Limit {
			out = append(out, c)
		}
	}
	return out, f.fail
}

func (f *fixture) journal(_ context.Context, q rest.JournalQuery) ([]api.Fact, error) {
	var out []api.Fact
	all := f.db.AllFacts()
	if q.Before != 0 { // newest first
		slices.Reverse(all)
	}
	for _, x := range all {
		if x.Seq > q.After && (q.Line == "" || x.Line == q.Line) && strings.HasPrefix(x.Kind, q.Kind) && len(out) < q.Limit {
			out = append(out, api.Fact{Seq: x.Seq, At: x.At, Kind: x.Kind, Line: x.Line, Customer: x.Account, Body: x.Body})
		}
	}
	return out, f.fail
}

// do sends a request as a client on the socket would.
func (f *fixture) do(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if strings.Contains(path, "/import?") {
		r.Header.Set("Content-Type", "text/csv")
	}
	w := httptest.NewRecorder()
	f.h.ServeHTTP(w, r)
	return w
}

// fill makes a customer, a line, a trunk and a deck, and returns the line's generated password.
func (f *fixture) fill(t testing.TB) string {
	t.Helper()
	for _, x := range [][3]string{
		{"POST", "/v1/decks/retail/import?kind=retail&source=uk.csv", deckCSV},
		{"POST", "/v1/decks/carrier/import?kind=cost", deckCSV},
		{"POST", "/v1/customers", `{"id":"acme","name":"Acme Ltd","set":[{"field":"max-calls","value":"5"}]}`},
		{"POST", "/v1/trunks", `{"name":"carrier","addresses":["sip.carrier.example"],"user":"rf","password":"trunk-hunter2","deck":"carrier"}`},
	} {
		if w := f.do(x[0], x[1], x[2]); w.Code > 299 {
			t.Fatalf("%s %s: %d %s", x[0], x[1], w.Code, w.Body)
		}
	}
	w := f.do("POST", "/v1/lines", `{"id":"acme-1","customer":"acme","number":"020 7946 0000","nets":["192.0.2.0/24"]}`)
	var made api.Created
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != 201 || made.Password == "" {
		t.Fatalf("adding a line: %d %s", w.Code, w.Body)
	}
	return made.Password
}

// day is one day of staff; each step sees what the ones before did.
var day = []struct {
	method, path, body string
	status             int
	want               string // part of the answer
}{
	{"GET", "/v1/customers", "", 200, `"items":[{"id":"acme"`},
	{"GET", "/v1/lines/acme-1~00000000", "", 200, `{"id":"acme-1","identity":"acme-1~00000000","customer":"acme"`},
	{"GET", "/v1/customers/acme~00000000", "", 200, `"identity":"acme~00000000"`},
	{"GET", "/v1/lines/acme-1~00000001", "", 404, `there is no line \"acme-1~00000001\"`},
	{"GET", "/v1/cdrs?line=nobody", "", 422, `"reason":"unknown-name"`},
	{"GET", "/v1/cdrs?customer=nobody&format=csv", "", 422, `"reason":"unknown-name"`},
	{"GET", "/v1/journal?line=nobody", "", 422, `"reason":"unknown-name"`},
	{"GET", "/v1/calls?line=nobody", "", 422, `"reason":"unknown-name"`},
	{"GET", "/v1/cdrs?line=acme-1~00000000&limit=1", "", 200, `"line":"acme-1","account":"acme"`},
	{"GET", "/v1/cdrs?line=acme-1&limit=1", "", 200, `"line_identity":"acme-1~00000000","account_identity":"acme~00000000"`},
	{"GET", "/v1/removed/lines", "", 200, `{"items":[]}`},
	{"POST", "/v1/lines", `{"id":"acme-9~00000000","customer":"acme"}`, 422, `letters, digits`},
	{"POST", "/v1/customers", `{"id":"acme"}`, 409, `"reason":"exists"`},
	{"POST", "/v1/customers", `{"id":"Acme!"}`, 422, `"field":"id"`},
	{"POST", "/v1/customers", `{"id":"x","zone":"Mars/Olympus"}`, 422, `Europe/London`},
	{"POST", "/v1/customers", `{"id":"x","set":[{"field":"max-cals","value":"5"}]}`, 422, `max-calls`},
	{"POST", "/v1/customers", `{"id":"x","set":[{"field":"max-calls","value":"many"}]}`, 422, `whole number`},
	{"POST", "/v1/customers", `{"id":"x","credit":5}`, 422, `unexpected property`},
	{"POST", "/v1/customers", `{"id":5}`, 422, `expected string`},
	{"POST", "/v1/customers", `{"id":`, 400, `unexpected end of JSON`},
	{"GET", "/v1/customers/acme", "", 200, `"field":"max-calls","n":5,"unit":"count","text":"5","from":"customer","own":true`},
	{"GET", "/v1/customers/nobody", "", 404, `there is no customer \"nobody\"`},
	{"PATCH", "/v1/customers/acme", `{"zone":"Europe/Paris","nets":["10.0.0.0/8, 192.0.2.0/24"]}`, 200, `"zone":"Europe/Paris"`},
	{"PATCH", "/v1/customers/acme", `{"nets":["10.0.0.1/8"]}`, 422, `bits set outside`},
	{"DELETE", "/v1/customers/acme", "", 409, `"reason":"in-use"`},

	{"GET", "/v1/lines?customer=acme", "", 200, `"number":"+442079460000"`},
	{"GET", "/v1/lines?customer=nobody", "", 422, `there is no customer \"nobody\"`},
	{"GET", "/v1/lines?limit=0", "", 422, `limit`},
	{"GET", "/v1/lines?colour=red", "", 422, `unknown query parameter`},
	{"POST", "/v1/lines", `{"id":"acme-2","customer":"acme","password":"password123"}`, 422, `"reason":"weak-password"`},
	{"POST", "/v1/lines", `{"id":"acme-2","customer":"acme","number":"+442079460000"}`, 409, `line acme-1`},
	{"POST", "/v1/lines", `{"id":"acme-2","customer":"acme","no_password":true}`, 201, `"login":false`},
	{"GET", "/v1/lines/acme-1", "", 200, `"nets":[{"from":"customer","nets":["10.0.0.0/8","192.0.2.0/24"]},{"from":"line","nets":["192.0.2.0/24"]}]`},
	{"GET", "/v1/lines/acme-1", "", 200, `"user_agent":"Yealink"`},
	{"GET", "/v1/lines/acme-1", "", 200, `"text":"£3.20 of £50.00 spent, £0.40 held"`},
	{"PATCH", "/v1/lines/acme-1", `{"set":[{"field":"international-ceiling","value":"50p"}]}`, 403, `"reason":"needs-grant"`},
	{"PATCH", "/v1/lines/acme-1", `{"name":"Desk","set":[{"field":"international-ceiling","value":"1p"}]}`, 200, `"n":10000000,"unit":"nano_per_minute","text":"1p a minute","from":"line"`},
	{"POST", "/v1/lines/acme-1/lock", `{}`, 422, `why`},
	{"POST", "/v1/lines/acme-1/lock", `{"why":"stolen phone","cut":true,"keep_calls":true}`, 422, `either cut or keep_calls, not both`},
	{"POST", "/v1/lines/acme-1/lock", `{"why":"stolen phone"}`, 200, `"locked":true,"lock_why":"stolen phone","lock_calls":"end"`},
	{"POST", "/v1/lines/acme-1/lock", `{"why":"stolen phone","keep_calls":true}`, 200, `"locked":true,"lock_why":"stolen phone","lock_calls":"keep"`},
	{"POST", "/v1/lines/acme-1/lock", `{"why":"stolen phone","cut":true}`, 200, `"locked":true,"lock_why":"stolen phone","lock_calls":"cut"`},
	{"GET", "/v1/lines/acme-1", "", 200, `"locked":true,"lock_why":"stolen phone","lock_calls":"cut"`},
	{"POST", "/v1/lines/acme-1/unlock", "", 200, `"locked":false,"created"`},
	{"POST", "/v1/lines/acme-2/password", `{}`, 200, `"generated":true`},
	{"POST", "/v1/lines/acme-2/password", `{"password":"vivid-Tundra-83-ploughshare-kestrel"}`, 200, `{"line":"acme-2","generated":false}`},

	{"POST", "/v1/lines/acme-1/requests", `{"field":"international-ceiling","value":"£1","why":"Cuba"}`, 201, `"id":1,`},
	{"POST", "/v1/lines/acme-1/requests", `{"field":"international-ceiling","value":"inherit"}`, 422, `inherit`},
	{"POST", "/v1/lines/acme-1/requests", `{"field":"max-calls","value":"9"}`, 201, `"state":"open"`},
	{"GET", "/v1/requests?state=open", "", 200, `"text":"100p"`},
	{"GET", "/v1/requests?limit=1", "", 200, `"next":"2"`},
	{"GET", "/v1/requests?limit=1&before=2", "", 200, `{"items":[{"id":1,`},
	{"GET", "/v1/requests?state=lost", "", 422, `state`},
	{"POST", "/v1/requests/1/grant", `{"until":"2126-01-01T00:00:00Z","note":"ok"}`, 200, `"state":"granted","made"`},
	{"POST", "/v1/requests/1/grant", `{}`, 409, `granted already`},
	{"POST", "/v1/requests/2/refuse", `{"note":"no"}`, 200, `"decided_by":"tester"`},
	{"POST", "/v1/requests/9/refuse", `{}`, 404, `not-found`},
	{"GET", "/v1/lines/acme-1", "", 200, `"granted":true,"until":"2126-01-01T01:00:00+01:00"`},

	{"POST", "/v1/decide", `{"line":"acme-1","to":"0053 7 866 1234","from":"192.0.2.1"}`, 200, `"allowed":true,"reason":"ok"`},
	{"POST", "/v1/decide", `{"line":"acme-1","to":"0053 7 866 1234","from":"192.0.2.1"}`, 200, `"first_minute_micro":900000,"first_minute":"£0.90"`},
	{"POST", "/v1/decide", `{"line":"acme-2","to":"0053 7 866 1234"}`, 200, `"reason":"over-international-ceiling"`},
	{"POST", "/v1/decide", `{"line":"acme-2","to":"0053 7 866 1234"}`, 200, `"limit_text":"2p a minute","value_text":"90p a minute"`},
	{"POST", "/v1/decide", `{"line":"acme-1","to":"999","from":"203.0.113.1"}`, 200, `"always":true`},
	{"POST", "/v1/decide", `{"line":"acme-1","to":"0090 0"}`, 200, `"reason":"number-invalid"`},
	{"POST", "/v1/decide", `{"line":"acme-1","to":"999","from":"nowhere"}`, 422, `IPv4 or IPv6`},
	{"POST", "/v1/decide", `{"line":"ghost","to":"999"}`, 404, `ghost`},

	{"GET", "/v1/check", "", 200, `no trunk is marked for emergency calls`},
	{"GET", "/v1/trunks", "", 200, `"addresses":["sip.carrier.example"]`},
	{"GET", "/v1/trunks/carrier", "", 200, `"login":true`},
	{"GET", "/v1/trunks/gone", "", 404, `gone`},
	{"POST", "/v1/trunks", `{"name":"x","addresses":["0.0.0.0"],"deck":"retail"}`, 422, `"field":"addresses","found":"0.0.0.0"`},
	{"PATCH", "/v1/trunks/carrier", `{"priority":7,"sources":["198.51.100.7"],"emergency":true}`, 200, `"sources":["198.51.100.7"],"priority":7`},
	{"PATCH", "/v1/trunks/carrier", `{"format":"roman"}`, 422, `00e164`},
	{"POST", "/v1/trunks", `{"name":"spare","addresses":["192.0.2.50:5070"],"disabled":true}`, 201, `"transport":"udp"`},
	{"DELETE", "/v1/trunks/spare", "", 204, ``},

	{"GET", "/v1/decks", "", 200, `"name":"carrier","kind":"cost","version":1,"rows":3,"in_force":true`},
	{"POST", "/v1/decks/retail/import?kind=retail", "Prefix,Destination,Rate\n44,UK,x\n33,France,\n", 422, `"line":2,"column":3,"found":"x"`},
	{"POST", "/v1/decks/retail/import?kind=cost", deckCSV, 422, `another kind needs another name`},
	{"POST", "/v1/decks/retail/import", deckCSV, 422, `kind`},
	{"POST", "/v1/decks/retail/import?kind=retail&dry_run=true", "Prefix,Destination,Rate\n44,UK,0.02\n33,France,0.03\n", 200, `"version":0,"dry_run":true,"rows":2`},
	{"POST", "/v1/decks/retail/import?kind=retail", "Prefix,Destination,Rate\n44,UK,0.02\n33,France,0.03\n", 409, `"code":"removes-much","text":"2 of 3 prices`},
	{"POST", "/v1/decks/retail/import?kind=retail&merge=true&dry_run=true", "Prefix,Destination,Rate\n44,UK,0.02\n33,France,0.03\n", 200, `"added":1,"removed":0,"changed":1`},
	{"POST", "/v1/decks/retail/import?kind=retail&covers=44=GBR", "Prefix,Destination,Rate\n44,UK,0.02\n", 422, `"field":"covers"`},
	{"POST", "/v1/decks/retail/import?kind=retail&yes=true&covers=44=GB,JE", "Prefix,Destination,Rate\n44,UK,0.02\n33,France,0.03\n", 200, `"added":1,"removed":2,"changed":1,"dearer":1,"cheaper":0,"outliers":[],"covers":"44=GB,JE","unpriced":[{"country":"CU"`},
	{"DELETE", "/v1/decks/retail", "", 409, `deck retail is the price list of`},
	{"DELETE", "/v1/decks/none", "", 404, `"reason":"not-found"`},
	{"GET", "/v1/decks/retail/diff", "", 200, `"from":1,"to":2,"added":1,"removed":2,"changed":1`},
	{"GET", "/v1/decks/retail/diff?from=5", "", 404, `not-found`},
	{"GET", "/v1/decks/retail/rows?prefix=4", "", 200, `"prefix":"44","name":"UK"`},
	{"GET", "/v1/decks/retail/rows?limit=1&version=1", "", 200, `"next":"1"`},
	{"GET", "/v1/decks/retail/rows?limit=1&version=1&after=1", "", 200, `{"items":[{"prefix":"44"`},
	{"GET", "/v1/decks/none/rows", "", 404, `none`},
	{"POST", "/v1/decks/reload", "", 200, `"version":2`},

	{"GET", "/v1/calls?line=acme-1", "", 200, `"text":"1m30s at 1p a minute, £0.015`},
	{"GET", "/v1/calls?line=acme-2", "", 200, `"items":[]`},
	{"GET", "/v1/calls/LIVE1", "", 200, `"destination":"UK"`},
	{"DELETE", "/v1/calls/LIVE1?why=fraud", "", 202, `"cutting":true`},
	{"DELETE", "/v1/calls/NONE", "", 404, `NONE`},

	{"GET", "/v1/cdrs?limit=2", "", 200, `"next":"00002499"`},
	{"GET", "/v1/cdrs?limit=1", "", 200, `"retail_micro":10167,"cost_micro":5000,"carrier_talk_ns":62000000000,"ended_by":"caller","reason":"hangup"`},
	{"GET", "/v1/cdrs?from=someday", "", 422, `from`},
	{"GET", "/v1/cdrs/00000007", "", 200, `"retail":"£0.010167"`},
	{"GET", "/v1/cdrs/nope", "", 404, `nope`},
	{"GET", "/v1/journal?kind=customer.&limit=1", "", 200, `"kind":"customer.added"`},

	{"GET", "/v1/check", "", 200, `{"ok":true`},
	{"POST", "/v1/keys/rotate", "", 200, `"secrets":2`},
	{"GET", "/v1/status", "", 200, `"customers":1,"lines":2,"locked_lines":0,"trunks":1,"decks":2,"registrations":1,"calls":1`},
	{"DELETE", "/v1/lines/acme-2", "", 204, ``},
	{"DELETE", "/v1/lines/acme-2", "", 404, `acme-2`},
	{"GET", "/v1/lines/acme-2", "", 404, `there is no line \"acme-2\" now; removed ones: acme-2~00000000 until 20`},
	{"GET", "/v1/cdrs?line=acme-2", "", 422, `removed ones: acme-2~00000000 until 20`},
	{"GET", "/v1/cdrs?line=acme-2~00000000", "", 200, `{"items":[]}`},
	{"GET", "/v1/lines/acme-2~00000000", "", 404, `was removed; its records`},
	{"GET", "/v1/removed/lines?id=acme-2", "", 200, `{"items":[{"id":"acme-2","identity":"acme-2~00000000","customer":"acme","customer_identity":"acme~00000000","until":"20`},

	{"GET", "/openapi.json", "", 200, `"openapi": "3.1.0"`},
	{"GET", "/openapi.yaml", "", 200, `/v1/keys/rotate`},
	{"GET", "/", "", 404, `/openapi.json`},
	{"PUT", "/v1/lines/acme-1", "{}", 405, `GET is one it takes`},
}

// TestEveryRoute plays the day.
func TestEveryRoute(t *testing.T) {
	f := newFixture(t, rest.Options{Version: "test"})
	f.fill(t)
	for _, c := range day {
		w := f.do(c.method, c.path, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s %s:\n got %d %s\nwant %d … %s", c.method, c.path, c.body, w.Code, w.Body, c.status, c.want)
		}
		if kind := w.Header().Get("Content-Type"); w.Code >= 400 && kind != "application/problem+json" {
			t.Errorf("%s %s: an error of type %s", c.method, c.path, kind)
		}
	}
	if len(f.cuts) != 1 || f.cuts[0] != "LIVE1 cut-by-staff tester: fraud" {
		t.Errorf("cuts: %q", f.cuts)
	}
}

// route is what OpenAPI says of an operation, as far as docs/api.md repeats it.
type route struct {
	Summary    string
	Parameters []struct{ Name, In string }
	Body       described `json:"requestBody"`
	Responses  map[string]described
}

// described is a body: by its schema where it is JSON, else by its media types.
type described struct {
	Content map[string]struct {
		Schema struct {
			Ref string `json:"$ref"`
		}
	}
}

func (d described) String() string {
	var names []string
	for kind, media := range d.Content {
		names = append(names, cmp.Or(strings.TrimPrefix(media.Schema.Ref, "#/components/schemas/"), kind))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// TestEveryRouteIsDescribed holds the list in docs/api.md and the description to what is served. The list is made from it:
// go test -run TestEveryRouteIsDescribed ./edge/rest -update
func TestEveryRouteIsDescribed(t *testing.T) {
	f := newFixture(t, rest.Options{})
	var spec struct{ Paths map[string]map[string]route }
	if err := json.Unmarshal(f.do("GET", "/openapi.json", "").Body.Bytes(), &spec); err != nil {
		t.Fatal(err)
	}
	page := "# Routes of the admin API\n\nMade from the OpenAPI description that a server has at `/openapi.json`, which says all of each. Errors are `Problem`.\n\n" +
		"| route | what it does | query | body | answer |\n|---|---|---|---|---|\n"
	for _, at := range slices.Sorted(maps.Keys(spec.Paths)) {
		if !strings.HasPrefix(at, "/v1/") {
			t.Errorf("%s is outside /v1", at)
		}
		for _, method := range slices.Sorted(maps.Keys(spec.Paths[at])) {
			page += line(strings.ToUpper(method)+" "+at, spec.Paths[at][method])
		}
	}
	const file = "../../docs/api.md"
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if written, err := os.ReadFile(file); err != nil || string(written) != page {
		t.Errorf("docs/api.md is not what is served (%v): go test ./edge/rest -run TestEveryRoute -update writes it", err)
	}
}

// line is a route in the list.
func line(name string, r route) string {
	var query []string
	for _, p := range r.Parameters {
		if p.In == "query" {
			query = append(query, p.Name)
		}
	}
	slices.Sort(query)
	answer := ""
	for _, status := range []string{"200", "201", "202", "204"} {
		if body, ok := r.Responses[status]; ok {
			answer = strings.TrimSpace(strings.TrimPrefix(status, "200") + " " + body.String())
		}
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", name, r.Summary, strings.Join(query, ", "), r.Body, answer)
}

// TestSecretsNeverComeOut asks for everything and looks for every secret in the answers.
func TestSecretsNeverComeOut(t *testing.T) {
	f := newFixture(t, rest.Options{Tracers: []string{"tester"}})
	password := f.fill(t)
	l, _ := f.book.LineCalled("acme-1")
	ha1, _ := f.book.HA1(l)
	secrets := []string{password, "trunk-hunter2", fmt.Sprintf("%x", ha1.MD5), fmt.Sprintf("%x", ha1.SHA256)}
	var spec struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(f.do("GET", "/openapi.json", "").Body.Bytes(), &spec); err != nil {
		t.Fatal(err)
	}
	f.happen(t)
	secrets = append(secrets, f.ana(t)...)
	f.do("POST", "/v1/resellers", `{"id":"north","day_cap":"500"}`)
	var closed api.Restriction
	if err := json.Unmarshal(f.do("POST", "/v1/restrictions", `{"line":"acme-1","closes":"abroad"}`).Body.Bytes(), &closed); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("/v1/restrictions/{id}", fmt.Sprintf("/v1/restrictions/%d?line=acme-1", closed.ID), "/v1/restrictions", "/v1/restrictions?line=acme-1", "/v1/bans/why", "/v1/bans/why?address=192.0.2.1", "/v1/geo", "/v1/geo?address=192.0.2.1", "/v1/trace", "/v1/trace?line=acme-1", "/v1/history", "/v1/history?customer=acme", "/v1/evidence/checkpoint", "/v1/evidence/checkpoint?number=1", "/v1/findings/{id}", "/v1/findings/1", "/v1/incidents/{id}", "/v1/incidents/1", "/v1/cases/{id}/items/{n}", "/v1/cases/1/items/1", "/v1/cases/{id}", "/v1/cases/1", "/v1/claims/{id}", "/v1/claims/1", "/v1/plans/{id}", "/v1/plans/1", "/v1/bills/{number}/calls", "/v1/bills/1/calls?line=acme-1", "/v1/bills/{number}", "/v1/bills/1", "/v1/accounts/{customer}", "/v1/accounts/acme", "{number}", "1",
		"/v1/notices/{id}", "/v1/notices/1", "/v1/notices/kinds/{kind}", "/v1/notices/kinds/new-device",
		"/v1/customers/{id}/people/{person}", "/v1/customers/acme/people/ana", "/v1/staff/{person}", "/v1/staff/sam",
		"/v1/lines/{id}", "/v1/lines/acme-1", "/v1/customers/{id}", "/v1/customers/acme", "/v1/resellers/{id}", "/v1/resellers/north", "/v1/calls/{id}", "/v1/calls/LIVE1",
		"/v1/cdrs/{id}", "/v1/cdrs/00000001", "/v1/trunks/{name}", "/v1/trunks/carrier", "/v1/decks/{name}", "/v1/decks/retail")
	asked := 0
	for path, methods := range spec.Paths {
		if methods["get"] == nil || path == "/v1/cdrs/{id}/verdict" || path == "/v1/cases/{id}/file" || path == "/v1/customers/{id}/erasure" { // of a journal, which this fixture has not: flow/casefile and flow/privacy look at them
			continue
		}
		asked++
		w := f.do("GET", fill.Replace(path), "")
		if w.Code != 200 {
			t.Errorf("%s: %d", fill.Replace(path), w.Code)
		}
		for _, s := range append(secrets, "ealed") {
			if strings.Contains(w.Body.String(), s) {
				t.Errorf("%s gives away %q", path, s)
			}
		}
	}
	if asked < 15 {
		t.Errorf("only %d paths asked", asked)
	}
	// Neither does a refusal repeat what it refused.
	for _, body := range []string{`{"password":"Sommer2026!"}`, `{"password":"` + strings.Repeat("Sommer2026!", 20) + `"}`, `{"password":["Sommer2026!"]}`, `{"password":"Sommer2026!`} {
		if w := f.do("POST", "/v1/lines/acme-1/password", body); w.Code < 400 || strings.Contains(w.Body.String(), "Sommer") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

func TestExportsStreamEverything(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	csv := f.do("GET", "/v1/cdrs?format=csv", "")
	lines := strings.Split(strings.TrimSpace(csv.Body.String()), "\r\n")
	// Columns never move: some read them by position.
	if head, row := strings.Split(lines[0], ","), strings.Split(lines[1], ","); !strings.HasSuffix(lines[0], ",sip_status,line_identity,account_identity,carrier_talk_ns,refused,currency,cause,parent") ||
		row[len(row)-5] != "62000000000" || row[len(row)-4] != "false" || row[len(row)-3] != "GBP" || head[22] != "retail_micro" {
		t.Errorf("%s\n%s", lines[0], lines[1])
	}
	if len(lines) != 2501 || !strings.HasPrefix(lines[0], "id,direction,line") || !strings.HasPrefix(csv.Header().Get("Content-Type"), "text/csv") {
		t.Errorf("%d lines, %s", len(lines), lines[0])
	}
	if strings.Contains(lines[1], ",=cmd") || !strings.Contains(lines[1], ",'=cmd") || !strings.Contains(lines[1], ",+442079460001,") {
		t.Errorf("a formula for a spreadsheet, or a number spoilt: %s", lines[1])
	}
	r := httptest.NewRequest("GET", "http://localhost/v1/cdrs?line=acme-1", nil)
	r.Header.Set("Accept", "application/jsonl")
	w := httptest.NewRecorder()
	f.h.ServeHTTP(w, r)
	rows := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	var c api.CDR
	if err := json.Unmarshal([]byte(rows[len(rows)-1]), &c); err != nil || len(rows) != 2500 || c.ID != "00000001" || c.Retail != 10_167 {
		t.Errorf("%d rows, last %+v, %v", len(rows), c.ID, err)
	}
}

func TestStoreFailureIsToldWithoutItsWords(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	f.fail = errors.New("sqlite: /var/lib/ringfence/db: disk I/O error")
	f.db.Break(booktest.Lost)
	for _, x := range [][3]string{
		{"GET", "/v1/cdrs", ""},
		{"GET", "/v1/cdrs/00000001", ""},
		{"GET", "/v1/journal", ""},
		{"GET", "/v1/lines/acme-1", ""},
		{"POST", "/v1/customers", `{"id":"new"}`},
		{"POST", "/v1/keys/rotate", ""},
	} {
		w := f.do(x[0], x[1], x[2])
		if w.Code != 503 || !strings.Contains(w.Body.String(), `"reason":"store-unavailable"`) || strings.Contains(w.Body.String(), "disk") {
			t.Errorf("%s %s: %d %s", x[0], x[1], w.Code, w.Body)
		}
	}
}
