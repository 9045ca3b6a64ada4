package app

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/rest"
	"ringfence/flow/book"
	"ringfence/flow/exposure"
	"ringfence/flow/gate"
	"ringfence/flow/notify"
)

// oneOfEach fills the parameters of paths with what there is, so that a route answers with something.
func oneOfEach(path, id string) string {
	for _, c := range [][2]string{
		{"/v1/customers/{id}", "plumber"},
		{"/v1/lines/{id}", "2001"},
		{"/v1/resellers/{id}", "north"},
		{"/v1/staff/{", "sam"},
		{"/v1/trunks/{", "demo-carrier"},
		{"/v1/decks/{", "retail"},
		{"/v1/requests/{", "1"},
		{"/v1/restrictions/{", "1"},
		{"/v1/notices/kinds/{", "line-locked"},
		{"/v1/notices/{", "1"},
		{"/v1/cases/{", "1"},
		{"/v1/claims/{", "1"},
		{"/v1/plans/{", "1"},
		{"/v1/findings/{", "1"},
		{"/v1/incidents/{", "1"},
		{"/v1/bills/{", "1"},
		{"/v1/accounts/{", "plumber"},
		{"/v1/calls/{", id},
		{"/v1/cdrs/{", id},
	} {
		if prefix, _, _ := strings.Cut(c[0], "{"); strings.HasPrefix(path, prefix) && strings.Contains(path, "{") {
			head, rest, _ := strings.Cut(path[len(prefix):], "}")
			return strings.NewReplacer("{person}", "ana", "{n}", "1", "{number}", "1").Replace(prefix + c[1] + strings.TrimPrefix(rest, head))
		}
	}
	return path
}

// reads are the GET routes that the API says it has, ready to be asked.
func reads(t *testing.T, h http.Handler, id string) (all []string) {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(ask(h, "GET", "/openapi.json", "").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		if _, ok := methods["get"]; !ok {
			continue
		}
		full := oneOfEach(path, id)
		if strings.Contains(full, "{") {
			t.Fatalf("%s has a parameter that this test has no value for", path)
		}
		switch path {
		case "/v1/bans/why":
			full += "?address=203.0.113.9"
		case "/v1/restrictions", "/v1/restrictions/{id}":
			full += "?line=2012"
		case "/v1/evidence/checkpoint":
			full += "?number=1"
		case "/v1/bills/{number}/calls":
			full += "?line=2001"
		case "/v1/history":
			full += "?line=2001"
		case "/v1/geo":
			full += "?address=203.0.113.9"
		}
		all = append(all, full)
	}
	slices.Sort(all)
	if len(all) < 25 {
		t.Fatalf("only %d routes", len(all))
	}
	return append(all, "/v1/cdrs?format=csv", "/v1/cdrs?from=friday&until=today", "/v1/findings?open=true", "/v1/decks/retail/rows?limit=5")
}

func ask(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// dump is every row of every table but some: node_lease is renewed and tally counted by the clock, incidents are what is measured by it,
// ping is the row that shows that the store can be written, and checkpoints of the journal are made by the clock.
func dump(t *testing.T, path string) map[string]string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	out := map[string]string{}
	for _, name := range column(t, db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'") {
		if !slices.Contains([]string{"node_lease", "ping", "tally", "incident", "seal_checkpoint", "seal_node"}, name) {
			fields := strings.Join(column(t, db, "SELECT 'quote(\"' || name || '\")' FROM pragma_table_info('"+name+"')"), " || ',' || ")
			out[name] = strings.Join(column(t, db, "SELECT "+fields+" AS line FROM \""+name+"\" ORDER BY line"), "\n")
		}
	}
	if len(out) < 15 {
		t.Fatalf("only %d tables", len(out))
	}
	return out
}

func column(t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// settled waits until the store has not changed for a while: the stages that follow the journal have caught up.
func settled(t *testing.T, path string) map[string]string {
	t.Helper()
	tick, late := time.NewTicker(400*time.Millisecond), time.After(2*time.Minute)
	defer tick.Stop()
	for last := dump(t, path); ; {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("the store changes by itself")
		}
		now := dump(t, path)
		if caughtUp(t, path) && fmt.Sprint(now) == fmt.Sprint(last) {
			return now
		}
		last = now
	}
}

// caughtUp says that every stage has seen all that it reads of the journal.
func caughtUp(t *testing.T, path string) bool {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	behind := column(t, db, "SELECT stage FROM stage_cursor WHERE seq < (SELECT max(seq) FROM fact WHERE stage NOT IN ('notify', 'exposure')"+
		" OR stage = 'notify' AND kind IN ('"+strings.Join(notify.Follows, "', '")+"') OR stage = 'exposure' AND kind IN ('"+strings.Join(exposure.Follows, "', '")+"'))")
	// The stages that watch calls and exposure write their first cursors some seconds late.
	begun := column(t, db, "SELECT stage FROM stage_cursor WHERE stage IN ('react', 'exposure')")
	return len(behind) == 0 && len(begun) == 2
}

// lively is a program in which something has happened: a call, refusals, a request, a grant that ends, a lock, a ban.
func lively(t *testing.T) (*App, *rest.Server) {
	t.Helper()
	// Its calls have no legs at the edge: an audit, which comes sooner or later by how fast the machine is, would end them.
	a, ctx := running(t, func(a *App) { a.gate.Serve(gate.Edge{}) }), context.Background()
	h := a.rest.Handler("test")
	for _, c := range [][3]string{
		{"POST", "/v1/lines/2001/requests", `{"field":"max-calls","value":"50","until":"friday"}`},
		{"PATCH", "/v1/lines/2001", `{"set":[{"field":"international-ceiling","value":"50p","grant":true,"until":"+2d"}]}`},
		{"PATCH", "/v1/customers/plumber", `{"set":[{"field":"premium","value":"on","grant":true,"until":"+1d"}]}`},
		{"POST", "/v1/lines/2012/lock", `{"why":"test"}`},
		{"POST", "/v1/restrictions", `{"line":"2012","closes":"LV"}`},
		{"POST", "/v1/bans", `{"net":"203.0.113.9","why":"test"}`},
		{"POST", "/v1/incidents", `{"title":"Mails are late","text":"We look."}`},
		{"POST", "/v1/resellers", `{"id":"north","day_cap":"500"}`},
		{"PATCH", "/v1/customers/plumber", `{"reseller":"north"}`},
	} {
		if w := ask(h, c[0], c[1], c[2]); w.Code >= 300 {
			t.Fatalf("%v: %d %s", c, w.Code, w.Body)
		}
	}
	for _, to := range []string{"02079460000", "005371234567", "09098790123"} {
		if p, err := a.door.Admit(ctx, gate.Attempt{Line: lineID(t, a, "2011"), Dialled: to, Source: somewhere, ALeg: "x"}); err == nil {
			a.gate.Ended(p.ID, gate.End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
			a.gate.Over(p.ID, nil)
		}
	}
	return a, a.rest
}

// lineID is the identity of a line, which differs from program to program.
func lineID(t *testing.T, a *App, called string) string {
	t.Helper()
	l, ok := a.book.LineCalled(called)
	if !ok {
		t.Fatalf("no line is called %s", called)
	}
	return l.ID()
}

var somewhere = netip.MustParseAddrPort("192.0.2.7:5060")

// TestNoQuestionWrites asks every GET route of the API, and decide, and compares all tables before and after.
func TestNoQuestionWrites(t *testing.T) {
	a, server := lively(t)
	h := server.Handler("asker")
	cfg := a.config()
	path := cfg.DatabasePath()
	p, err := a.door.Admit(context.Background(), gate.Attempt{Line: lineID(t, a, "2001"), Dialled: "02079460000", Source: somewhere, ALeg: "up"})
	if err != nil {
		t.Fatal(err)
	}
	before := settled(t, path)
	good := 0
	for _, route := range reads(t, h, string(p.ID)) {
		w := ask(h, "GET", route, "")
		if w.Code >= 500 && w.Code != 501 || w.Code == 400 || w.Code == 422 {
			t.Errorf("GET %s: %d %s", route, w.Code, w.Body)
		}
		if w.Code == 200 {
			good++
		}
	}
	for _, at := range []string{"now", "+7d", "-30d", "friday 03:00", "9999-12-31"} {
		for _, to := range []string{"02079460000", "0033142685300", "999", "nonsense"} {
			if w := ask(h, "POST", "/v1/decide", `{"line":"2001","to":"`+to+`","at":"`+at+`"}`); w.Code != 200 {
				t.Errorf("decide at %s: %d %s", at, w.Code, w.Body)
			}
		}
	}
	if good < 25 {
		t.Errorf("only %d answers had something in them", good)
	}
	after := settled(t, path)
	for name := range before {
		if before[name] != after[name] {
			t.Errorf("table %s was changed by questions:\nbefore\n%.2000s\nafter\n%.2000s", name, before[name], after[name])
		}
	}
	a.gate.Ended(p.ID, gate.End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
	a.gate.Over(p.ID, nil)
}

// TestDecisionsAreThoseOfATwin runs two programs through the same; one is asked all that the API may be asked at random,
// between the admissions, the other is never asked. What each decides must be the same.
func TestDecisionsAreThoseOfATwin(t *testing.T) {
	asked, server := lively(t)
	silent, _ := lively(t)
	h := server.Handler("asker")
	routes := reads(t, h, "none")
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	lines := []string{"2001", "2011", "2012", "2021", "2022"}
	numbers := []string{"02079460000", "07700900123", "08001111", "09098790123", "0033142685300", "005371234567", "02079460111", "999", "00881612345678", "1"}
	fields := []account.Field{account.MaxCalls, account.CallsPerMinute, account.Premium, account.InternationalCeiling, account.LineDayCap}
	var up [2][]call.ID
	for range 80 {
		line, to := lines[r.IntN(len(lines))], numbers[r.IntN(len(numbers))]
		for range r.IntN(4) {
			if r.IntN(2) == 0 {
				ask(h, "GET", routes[r.IntN(len(routes))], "")
				continue
			}
			at := time.Now().Add(time.Duration(r.Int64N(int64(800*24*time.Hour))) - 400*24*time.Hour).UTC().Format(time.RFC3339)
			body := `{"line":"` + line + `","to":"` + numbers[r.IntN(len(numbers))] + `","at":"` + at + `","from":"192.0.2.7"}`
			if w := ask(h, "POST", "/v1/decide", body); w.Code != 200 {
				t.Fatalf("decide %s: %d %s", body, w.Code, w.Body)
			}
			ask(h, "GET", "/v1/cdrs?from="+url.QueryEscape(at), "")
		}
		change := r.IntN(10) == 0
		set := book.Setting{Field: fields[r.IntN(len(fields))], N: r.Int64N(40), Grant: true, Until: time.Now().Add(time.Duration(1+r.IntN(100)) * time.Hour)}
		var said [2]string
		for i, a := range []*App{asked, silent} {
			if _, most := set.Field.Range(); change {
				set.N = min(set.N, most)
				if err := a.book.Set(context.Background(), "test", account.LevelLine, lineID(t, a, line), set); err != nil {
					t.Fatal(err)
				}
			}
			p, err := a.door.Admit(context.Background(), gate.Attempt{Line: lineID(t, a, line), Dialled: to, Source: somewhere, ALeg: "a"})
			if err != nil {
				said[i] = err.Error()
				continue
			}
			said[i] = "allowed by"
			for _, w := range p.Routes {
				said[i] += " " + account.Handle(w.Trunk+w.Line)
			}
			up[i] = append(up[i], p.ID)
		}
		if said[0] != said[1] {
			t.Fatalf("%s to %s: the program that was asked says %q, its twin %q", line, to, said[0], said[1])
		}
		if len(up[0]) > 3 {
			for i, a := range []*App{asked, silent} {
				a.gate.Ended(up[i][0], gate.End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
				a.gate.Over(up[i][0], nil)
				up[i] = up[i][1:]
			}
		}
	}
}
