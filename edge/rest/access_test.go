package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/person"
	"ringfence/edge/rest"
	"ringfence/edge/rest/api"
	"ringfence/flow/gate"
	"ringfence/flow/people"
	"ringfence/state/store"
)

// ana lets one of acme's people and one of staff in, with all that they can have, and returns every secret of it.
func (f *fixture) ana(t testing.TB) (secrets []string) {
	t.Helper()
	for _, n := range []people.NewPerson{{Customer: acme, Handle: "ana", Role: person.Owner}, {Handle: "sam", Role: person.Admin}} {
		p, link, err := f.people.Add(ctx, "t", n)
		if err != nil {
			t.Fatal(err)
		}
		in, err := f.people.Follow(ctx, link.Token, people.From{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := f.people.Link(ctx, "t", p.ID, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.people.SetPassword(ctx, "t", p.ID, "gravel-lantern-otter-quilt-92", in.Text); err != nil {
			t.Fatal(err)
		}
		key, err := f.people.BeginTOTP(ctx, "t", p.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, token, err := f.people.AddToken(ctx, "t", p.ID, "ci", person.Scopes(), time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, link.Token, in.Text, again.Token, key.Secret, token, "gravel", "argon2")
	}
	return secrets
}

// operation is a route of the API.
type operation struct{ id, method, path string }

// operations are all there are, from the description that the router makes of itself.
func operations(t *testing.T, f *fixture) (all []operation) {
	t.Helper()
	var spec struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		}
	}
	if err := json.Unmarshal(f.do("GET", "/openapi.json", "").Body.Bytes(), &spec); err != nil {
		t.Fatal(err)
	}
	for path, methods := range spec.Paths {
		for method, o := range methods {
			all = append(all, operation{o.OperationID, strings.ToUpper(method), path})
		}
	}
	if len(all) < 90 {
		t.Fatalf("only %d operations", len(all))
	}
	return all
}

// theirThings fills the parameters of a path with what is a customer's: acme's, or that of one of the others.
func theirThings(path, customer string) string {
	i := 1 + slices.Index(others, customer)
	call, record, finding := fmt.Sprintf("LIVE%d", i+1), fmt.Sprintf("%08d", 1+i*33333333), strconv.Itoa(i+2)
	if i == 0 {
		finding = "1" // its second is nobody's
	}
	reseller, number := []string{"north", "south", "carol"}[i], strconv.Itoa(i+1)
	return strings.NewReplacer(
		"{customer}", customer, "/numbers/{number}", "/numbers/+443069990123", "{number}", number, "{record}", record, "{call}", call,
		"/v1/customers/{id}", "/v1/customers/"+customer, "/v1/resellers/{id}", "/v1/resellers/"+reseller, "{person}", "ana", "{token}", "ci", "{contact}", "office", "/v1/changes/{id}", "/v1/changes/"+customer, "/v1/cases/{id}", "/v1/cases/"+number, "/v1/plans/{id}", "/v1/plans/"+number, "{n}", "1", "/v1/lines/{id}", "/v1/lines/"+customer+"-1",
		"/v1/calls/{id}", "/v1/calls/"+call, "/v1/cdrs/{id}", "/v1/cdrs/"+record, "/v1/findings/{id}", "/v1/findings/"+finding,
		"/v1/restrictions/{id}", "/v1/restrictions/1?line="+customer+"-1", "/v1/notices/kinds/{kind}", "/v1/notices/kinds/new-device",
		"{id}", "1", "{name}", "carrier",
	).Replace(path)
}

// bodies are what an operation is asked with; what is not here goes without.
var bodies = map[string]string{
	"change-customer": `{"name":"X"}`, "change-reseller": `{"name":"X"}`, "lock-customer": `{"why":"x"}`, "apply-fit": `{"settings":[]}`, "change-line": `{"name":"X"}`, "lock-line": `{"why":"x"}`, "set-password": `{}`,
	"judge-device": `{"place":"x","family":"y","verdict":"mine"}`, "decide": `{"line":"CUSTOMER-1","to":"02079460000"}`,
	"add-number": `{"number":"03069990123"}`, "confirm-number": `{"code":"12345678"}`, "vouch-number": `{"why":"x"}`,
	"add-contact": `{"id":"x","mail":"x@example.com"}`, "change-contact": `{"name":"x"}`, "add-restriction": `{"line":"CUSTOMER-1","closes":"CU"}`,
	"ask": `{"field":"max-calls","value":"50"}`, "add-person": `{"id":"new","role":"reader"}`, "change-person": `{"name":"x"}`,
	"add-case-calls": `{"calls":["RECORD"]}`, "withdraw-case-calls": `{"calls":["RECORD"]}`, "dispute": `{"customer":"CUSTOMER","calls":["RECORD"]}`, "write-case": `{"text":"x"}`, "attach-case-file": `x`,
	"report-fraud": `{"line":"CUSTOMER-1","text":"x"}`, "set-cooling-off": `{"wait_seconds":86400}`, "hurry-change": `{"why":"x"}`, "add-person-token": `{"name":"x","scopes":["read"],"until":"+2d"}`, "add-staff-token": `{"name":"x","scopes":["read"],"until":"+2d"}`,
}

// queries name a customer's things where the path does not.
var queries = map[string]string{
	"list-lines": "customer=CUSTOMER", "list-registrations": "line=CUSTOMER-1", "list-calls": "line=CUSTOMER-1", "list-cdrs": "line=CUSTOMER-1",
	"list-bills": "customer=CUSTOMER", "list-payments": "customer=CUSTOMER", "list-credits": "customer=CUSTOMER", "list-bill-calls": "line=CUSTOMER-1", "get-exposure": "customer=CUSTOMER", "list-cases": "customer=CUSTOMER", "list-plans": "customer=CUSTOMER", "attach-case-file": "name=x", "list-changes": "customer=CUSTOMER", "list-history": "customer=CUSTOMER", "list-findings": "customer=CUSTOMER", "list-notices": "customer=CUSTOMER", "list-restrictions": "line=CUSTOMER-1",
}

// everybodys are open to a customer's people and about no customer.
var everybodys = []string{"list-notice-kinds", "preview-notice", "get-me", "list-customers", "list-requests"}

func (f *fixture) as(who person.Who, o operation, customer string) *httptest.ResponseRecorder {
	body := strings.NewReplacer("CUSTOMER", customer, "RECORD", theirThings("{record}", customer)).Replace(bodies[o.id])
	path := theirThings(o.path, customer)
	if q := queries[o.id]; q != "" {
		path += "?" + strings.ReplaceAll(q, "CUSTOMER", customer)
	}
	r := httptest.NewRequest(o.method, "http://localhost"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if o.id == "attach-case-file" {
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	w := httptest.NewRecorder()
	f.HandlerFor(&who).ServeHTTP(w, r)
	return w
}

// others are the customers beside acme, which is north's: another reseller's, and the provider's own.
var others = []string{"bravo", "carol"}

// tenants is a fixture in which acme and the others have the same things.
func tenants(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, rest.Options{})
	f.fill(t)
	setUp := [][3]string{
		{"POST", "/v1/resellers", `{"id":"north","name":"North Telecom","day_cap":"500"}`},
		{"POST", "/v1/resellers", `{"id":"south","name":"South bravo Telecom","day_cap":"700"}`},
		{"PATCH", "/v1/customers/acme", `{"reseller":"north"}`},
		{"POST", "/v1/customers", `{"id":"bravo","name":"Bravo Secret Ltd","reseller":"south"}`},
		{"POST", "/v1/customers", `{"id":"carol","name":"Carol Secret Ltd"}`},
	}
	for i, x := range others {
		setUp = append(setUp, [][3]string{
			{"POST", "/v1/lines", fmt.Sprintf(`{"id":"%s-1","customer":"%s","number":"020 7946 000%d"}`, x, x, 8+i)},
			{"POST", "/v1/customers/" + x + "/contacts", `{"id":"office","mail":"office@` + x + `.example"}`},
			{"POST", "/v1/lines/" + x + "-1/requests", `{"field":"max-calls","value":"50"}`},
			{"POST", "/v1/restrictions", `{"line":"` + x + `-1","closes":"CU"}`},
		}...)
	}
	for _, x := range setUp {
		if w := f.do(x[0], x[1], x[2]); w.Code > 299 {
			t.Fatalf("%s %s: %d %s", x[0], x[1], w.Code, w.Body)
		}
	}
	f.happen(t)
	f.ana(t)
	f.live = []gate.InProgress{{Open: call.Open{ID: "LIVE1", State: call.Answered, Direction: call.Out, Line: acme1, Account: acme, Trunk: "carrier"}}}
	f.waits(t, "acme")
	for _, customer := range others {
		f.beside(t, customer)
	}
	for i := range f.cdrs {
		f.cdrs[i].Trunk = "carrier"
	}
	return f
}

var nine = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// waits puts a change of a customer's that waits.
func (f *fixture) waits(t *testing.T, customer string) {
	t.Helper()
	if err := f.db.PutWaiting(ctx, store.Waiting{Code: customer, Customer: identify(customer), Body: []byte(`{}`), Text: customer, Due: nine}); err != nil {
		t.Fatal(err)
	}
}

// beside gives a customer beside acme what acme has: calls, a bill, a case, people, a change that waits, a finding.
func (f *fixture) beside(t *testing.T, customer string) {
	t.Helper()
	id, line := identify(customer), identify(customer+"-1")
	f.bill(t, id, line)
	f.caseOf(t, id, line)
	f.waits(t, customer)
	if _, _, err := f.people.Add(ctx, "t", people.NewPerson{Customer: id, Handle: "ana", Role: person.Owner}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.db.Advance(ctx, store.Step{Stage: "test", Findings: []store.Finding{
		{Key: customer, Kind: "guessing", Severity: "warning", Line: line, Account: id, Text: customer, At: nine, Last: nine, Count: 1},
	}}); err != nil {
		t.Fatal(err)
	}
	f.live = append(f.live, gate.InProgress{Open: call.Open{ID: call.ID(theirThings("{call}", customer)), State: call.Answered, Direction: call.Out, Line: line, Account: id, Trunk: "carrier"}})
	f.cdrs = append([]call.CDR{{ID: call.ID(theirThings("{record}", customer)), Line: line, Account: id, Trunk: "carrier"}}, f.cdrs...)
}

// ofOthers says that an answer names what is another customer's.
func ofOthers(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(others, func(x string) bool { return strings.Contains(text, x) })
}

// Every route has a row in the table of who may do what, and every row a route.
func TestEveryRouteHasARow(t *testing.T) {
	f := newFixture(t, rest.Options{})
	var routes []string
	for _, o := range operations(t, f) {
		routes = append(routes, o.id)
		if len(person.For(o.id)) == 0 {
			t.Errorf("%s %s (%s) has no row in core/person/access.txt: nobody may ask for it", o.method, o.path, o.id)
		}
		if !slices.Contains(person.For(o.id), person.Admin) {
			t.Errorf("%s: an admin may not", o.id)
		}
		if slices.Contains(person.For(o.id), person.Auditor) && o.method != http.MethodGet && o.id != "decide" {
			t.Errorf("%s %s: an auditor changes nothing", o.method, o.id)
		}
		if scope := person.ScopeOf(o.id); scope == person.Read && o.method != http.MethodGet && o.id != "decide" {
			t.Errorf("%s %s: a token that only reads", o.method, o.id)
		}
	}
	for _, name := range person.Operations() {
		if !slices.Contains(routes, name) {
			t.Errorf("core/person/access.txt has %s, which is no route", name)
		}
	}
}

// Each route is asked by each role, of the customer itself and of another, and by a token of each scope: who has no row gets 403, and
// another customer's people never get anything but 404.
func TestEachRouteByRoleAndOwner(t *testing.T) {
	f := tenants(t)
	asked, allowed := 0, 0
	for _, o := range operations(t, f) {
		for _, role := range slices.Concat(person.Of(false), person.Of(true)) {
			who := person.Who{Person: "x", Role: role, Actor: "x"}
			if !role.Staff() {
				who.Customer, who.Actor = acme, "acme/x"
			}
			may := slices.Contains(person.For(o.id), role)
			for _, scope := range person.Scopes() {
				limited := who
				limited.Scopes = []person.Scope{scope}
				if may && scope == person.ScopeOf(o.id) {
					continue // as without
				}
				if w := f.as(limited, o, "bravo"); w.Code != 403 {
					t.Errorf("%s by a token of %s for %q: %d", o.id, role, scope, w.Code)
				}
			}
			asked++
			if !may {
				for _, customer := range []string{"acme", "bravo"} {
					if w := f.as(who, o, customer); w.Code != 403 || !strings.Contains(w.Body.String(), api.ReasonNotPermitted) {
						t.Errorf("%s by %s: %d %s", o.id, role, w.Code, w.Body)
					}
				}
				continue
			}
			allowed++
			if role.Staff() {
				continue // TestEveryRoute and others ask as an admin does
			}
			for _, customer := range []string{acme, identify("north")} { // a customer's people, and its reseller's
				who.Customer, who.Actor = customer, account.Handle(customer)+"/x"
				for _, other := range others {
					f.isClosed(t, who, o, other)
				}
			}
			who.Customer, who.Actor = identify("south"), "south/x"
			f.isClosed(t, who, o, "carol")
		}
	}
	if asked < 700 || allowed < 250 {
		t.Errorf("%d asked, %d allowed", asked, allowed)
	}
}

// isClosed wants that somebody does not reach what is another customer's.
func (f *fixture) isClosed(t *testing.T, who person.Who, o operation, other string) {
	t.Helper()
	w := f.as(who, o, other)
	if slices.Contains(everybodys, o.id) {
		if w.Code != 200 || who.Customer != identify("south") && ofOthers(w.Body.String()) || strings.Contains(w.Body.String(), "carol") {
			t.Errorf("%s by %s %s: %d %s", o.id, who.Role, who.Actor, w.Code, w.Body)
		}
	} else if w.Code != 404 {
		t.Errorf("%s %s of %s by %s %s: %d %s", o.method, o.path, other, who.Role, who.Actor, w.Code, w.Body)
	}
}

// What a customer's people may read has nothing of other customers, nor of carriers.
func TestCustomersSeeOnlyTheirOwn(t *testing.T) {
	f := tenants(t)
	who := person.Who{Person: "x", Customer: acme, Role: person.Owner, Actor: "acme/x"}
	seen := 0
	for _, o := range operations(t, f) {
		if o.method != http.MethodGet || !slices.Contains(person.For(o.id), person.Owner) {
			continue
		}
		for _, query := range []string{queries[o.id], ""} {
			path := theirThings(o.path, "acme")
			if query != "" {
				path += "?" + strings.ReplaceAll(query, "CUSTOMER", "acme")
			}
			if o.id == "get-restriction" || o.id == "get-reseller" || (o.id == "list-restrictions" || o.id == "list-bill-calls") && query == "" {
				continue // acme has none; a line or customer must be named
			}
			if o.id == "get-verdict" {
				continue // none of acme's records here is in a case: TestVerdictsOfTheirCases
			}
			r := httptest.NewRequest(o.method, "http://localhost"+path, nil)
			w := httptest.NewRecorder()
			f.HandlerFor(&who).ServeHTTP(w, r)
			if w.Code != 200 {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
			if text := w.Body.String(); ofOthers(text) || strings.Contains(text, `"carrier"`) {
				t.Errorf("%s shows what is not theirs: %.300s", path, text)
			}
			seen++
		}
	}
	if seen < 30 {
		t.Errorf("only %d looked at", seen)
	}
	if w := f.as(who, operation{"list-cdrs", "GET", "/v1/cdrs?limit=1"}, "acme"); strings.Contains(w.Body.String(), `"cost_micro":5000`) {
		t.Errorf("the carrier's price: %s", w.Body)
	}
	// A name that is nobody's and one of another customer's get the same answer.
	for _, path := range []string{"/v1/lines/", "/v1/customers/"} {
		ask := func(name string) string {
			w := httptest.NewRecorder()
			f.HandlerFor(&who).ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+path+name, nil))
			return strings.ReplaceAll(w.Body.String(), name, "NAME")
		}
		theirs, nobodys := "bravo-1", "bravo-2"
		if path == "/v1/customers/" {
			theirs, nobodys = "bravo", "brave"
		}
		if a, b := ask(theirs), ask(nobodys); a != b || !strings.Contains(a, "NAME") {
			t.Errorf("%s\n%s", a, b)
		}
	}
}

// TestResellersReachTheirCustomers: what a customer's people may read and change, the reseller's people may of that customer; what is the provider's
// to say of a reseller, or of its customer, they may not.
func TestResellersReachTheirCustomers(t *testing.T) {
	f := tenants(t)
	who := person.Who{Person: "x", Customer: identify("north"), Role: person.Owner, Actor: "north/x"}
	ask := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		f.HandlerFor(&who).ServeHTTP(w, r)
		return w
	}
	seen := 0
	for _, o := range operations(t, f) {
		if o.method != http.MethodGet || !slices.Contains(person.For(o.id), person.Owner) || o.id == "get-restriction" || o.id == "get-verdict" { // none of acme's records here is in a case
			continue
		}
		w := f.as(who, o, "acme")
		if w.Code != 200 || ofOthers(w.Body.String()) || strings.Contains(w.Body.String(), `"carrier"`) {
			t.Errorf("%s: %d %.300s", o.id, w.Code, w.Body)
		}
		seen++
	}
	if seen < 29 {
		t.Errorf("only %d looked at", seen)
	}
	for _, x := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/v1/customers", "", 200, `"items":[{"id":"acme"`},
		{"GET", "/v1/lines", "", 422, "name one of your customers"},
		{"GET", "/v1/cdrs", "", 422, "name one of your customers"},
		{"GET", "/v1/resellers/north", "", 200, `"day_cap_micro":500000000`},
		{"GET", "/v1/resellers/acme", "", 404, "no reseller"},
		{"GET", "/v1/customers?reseller=south", "", 404, "no reseller"},
		{"PATCH", "/v1/customers/acme", `{"set":[{"field":"max-calls","value":"2"}]}`, 200, `"from":"customer"`},
		{"PATCH", "/v1/resellers/north", `{"set":[{"field":"max-calls","value":"3"}]}`, 200, `"from":"reseller"`},
		{"PATCH", "/v1/customers/acme", `{"set":[{"field":"max-calls","value":"4"}]}`, 403, "which the reseller allows"},
		{"PATCH", "/v1/resellers/north", `{"day_cap":"9000"}`, 403, "provider's to change"},
		{"PATCH", "/v1/resellers/north", `{"set":[{"field":"max-calls","value":"50","grant":true}]}`, 403, "only staff grant"},
		{"PATCH", "/v1/customers/acme", `{"reseller":"south"}`, 403, "provider's to change"},
		{"PATCH", "/v1/customers/acme", `{"reseller":""}`, 403, "provider's to change"},
		{"PATCH", "/v1/customers/acme", `{"tariff":"carrier"}`, 403, "provider's to change"},
		{"PATCH", "/v1/customers/acme", `{"set":[{"field":"max-calls","value":"50","grant":true}]}`, 403, "only staff grant"},
		{"PATCH", "/v1/customers/north", `{"zone":"Asia/Tokyo"}`, 403, "provider's to change"},
		{"PATCH", "/v1/resellers/north", `{"set":[{"field":"international-ceiling","value":"£5"}]}`, 403, "which the default allows"},
		{"PATCH", "/v1/lines/acme-1", `{"set":[{"field":"max-calls","value":"9"}]}`, 403, "allows"},
		{"PATCH", "/v1/lines/acme-1", `{"honeypot":true}`, 403, "provider's to change"},
		{"POST", "/v1/resellers", `{"id":"east"}`, 403, ""},
		{"DELETE", "/v1/resellers/north", ``, 403, ""},
		{"POST", "/v1/customers", `{"id":"dave","reseller":"north"}`, 403, ""},
		{"DELETE", "/v1/customers/acme", ``, 403, ""},
		{"POST", "/v1/lines", `{"id":"x","customer":"acme"}`, 403, ""},
		{"POST", "/v1/customers/north/unlock", ``, 403, ""},
		{"POST", "/v1/customers/acme/people", `{"id":"eve","role":"admin"}`, 422, ""},
		{"POST", "/v1/customers/north/people", `{"id":"eve","role":"support"}`, 422, ""},
		{"POST", "/v1/customers/bravo/people", `{"id":"eve","role":"owner"}`, 404, ""},
		{"POST", "/v1/customers/acme/contacts", `{"id":"spy","mail":"a@example.com","lines":["bravo-1"]}`, 422, ""},
		{"POST", "/v1/requests/1/grant", `{}`, 403, ""},
		{"POST", "/v1/restrictions", `{"everybody":true,"closes":"CU"}`, 403, ""},
		{"POST", "/v1/disputes", `{"calls":["00000001"]}`, 422, "name one of your customers"},
		{"POST", "/v1/disputes", `{"customer":"acme","calls":["33333334"]}`, 404, ""},
		{"POST", "/v1/reports", `{"line":"acme-1","text":"x"}`, 201, `"code"`},
		{"POST", "/v1/lines/acme-1/lock", `{"why":"unpaid"}`, 200, `"locked":true`},
		{"POST", "/v1/lines/acme-1/unlock", ``, 200, `"opened":true`},
	} {
		if w := ask(x.method, x.path, x.body); w.Code != x.status || !strings.Contains(w.Body.String(), x.want) {
			t.Errorf("%s %s %s: %d %s", x.method, x.path, x.body, w.Code, w.Body)
		}
	}
	f.holdsAgainst(t, who)
	// What the reseller locked its customer does not open.
	ask("POST", "/v1/lines/acme-1/lock", `{"why":"unpaid"}`)
	owner := person.Who{Person: "y", Customer: acme, Role: person.Owner, Actor: "acme/y"}
	if w := f.as(owner, operation{"unlock-line", "POST", "/v1/lines/{id}/unlock"}, "acme"); w.Code != 403 {
		t.Errorf("a customer opened a line that its reseller had locked: %d", w.Code)
	}
}

// holdsAgainst wants that a reseller's people cannot undo what the provider did, nor pass over the wait that a customer chose.
func (f *fixture) holdsAgainst(t *testing.T, who person.Who) {
	t.Helper()
	ask := func(who person.Who, method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		f.HandlerFor(&who).ServeHTTP(w, r)
		return w
	}
	staff, owner := person.Operator("tom"), person.Who{Person: "y", Customer: acme, Role: person.Owner, Actor: "acme/y"}
	for _, body := range []string{`{"customer":"north","closes":"FR"}`, `{"customer":"acme","closes":"FR"}`} {
		var made api.Restriction
		if err := json.Unmarshal(ask(staff, "POST", "/v1/restrictions", body).Body.Bytes(), &made); err != nil || made.ID == 0 {
			t.Fatal(err, made)
		}
		path := fmt.Sprintf("/v1/restrictions/%d?customer=%s", made.ID, made.Customer)
		if w := ask(who, "DELETE", path, ""); w.Code != 403 {
			t.Errorf("a reseller lifted %s: %d %s", path, w.Code, w.Body)
		}
		if w := ask(owner, "GET", "/v1/restrictions?line=acme-1", ""); !strings.Contains(w.Body.String(), fmt.Sprintf(`"id":%d,"customer":"%s"`, made.ID, made.Customer)) {
			t.Errorf("a line's restrictions are %s", w.Body)
		}
		if w := ask(owner, "DELETE", path, ""); w.Code != 403 && w.Code != 404 {
			t.Errorf("a customer lifted %s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, customer := range []string{"acme", "north"} {
		if w := ask(staff, "POST", "/v1/customers/"+customer+"/lock", `{"why":"not paid"}`); !strings.Contains(w.Body.String(), `"locked":1`) {
			t.Errorf("locking %s: %s", customer, w.Body)
		}
		for _, x := range []person.Who{who, owner} {
			if w := ask(x, "POST", "/v1/lines/acme-1/unlock", ""); w.Code != 403 {
				t.Errorf("%s opened a line that was locked with %s: %d", x.Actor, customer, w.Code)
			}
		}
		if w := ask(staff, "POST", "/v1/customers/"+customer+"/unlock", ""); !strings.Contains(w.Body.String(), `"opened":1`) {
			t.Errorf("unlocking %s: %s", customer, w.Body)
		}
	}
	for _, path := range []string{"/v1/customers/north", "/v1/resellers/north", "/v1/customers/north/people", "/v1/exposure?customer=north", "/v1/customers/north/contacts"} {
		if w := ask(owner, "GET", path, ""); w.Code != 404 {
			t.Errorf("a customer reached its reseller's %s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := ask(owner, "POST", "/v1/customers/acme/cooling-off", `{"wait_seconds":86400}`); w.Code != 200 {
		t.Fatalf("cooling-off: %d %s", w.Code, w.Body)
	}
	ask(who, "PATCH", "/v1/customers/acme", `{"set":[{"field":"max-calls","value":"1"}]}`)
	if w := ask(who, "PATCH", "/v1/customers/acme", `{"set":[{"field":"max-calls","value":"2"}]}`); !strings.Contains(ask(who, "GET", "/v1/customers/acme", "").Body.String(), `"field":"max-calls","n":1,`) {
		t.Errorf("a reseller did not wait as its customer chose: %d %s", w.Code, w.Body)
	}
}

// A customer's people do not become more than they are, by what they send.
func TestNobodyRaisesThemselves(t *testing.T) {
	f := tenants(t)
	owner := person.Who{Person: "x", Customer: acme, Role: person.Owner, Actor: "acme/x"}
	for _, x := range []struct {
		method, path, body string
		status             int
	}{
		{"PATCH", "/v1/lines/acme-1", `{"set":[{"field":"international-ceiling","value":"50p","grant":true}]}`, 403},
		{"PATCH", "/v1/lines/acme-1", `{"number":"+442079460099"}`, 403},
		{"PATCH", "/v1/lines/acme-1", `{"honeypot":true}`, 403},
		{"PATCH", "/v1/customers/acme", `{"tariff":"carrier"}`, 403},
		{"PATCH", "/v1/customers/acme", `{"zone":"Asia/Tokyo"}`, 403},
		{"PATCH", "/v1/customers/acme", `{"set":[{"field":"premium","value":"on","grant":true,"until":"+1d"}]}`, 403},
		{"PATCH", "/v1/customers/acme/people/ana", `{"role":"admin"}`, 422},
		{"PATCH", "/v1/customers/acme/people/ana", `{"role":"owner","customer":"bravo"}`, 422},
		{"POST", "/v1/customers/acme/people", `{"id":"eve","role":"admin"}`, 422},
		{"POST", "/v1/customers/bravo/people", `{"id":"eve","role":"owner"}`, 404},
		{"POST", "/v1/staff", `{"id":"eve","role":"admin"}`, 403},
		{"PATCH", "/v1/staff/sam", `{"role":"reader"}`, 403},
		{"POST", "/v1/customers/acme/people/ana/reset", ``, 403},
		{"POST", "/v1/requests/1/grant", `{}`, 403},
		{"DELETE", "/v1/restrictions/1?everybody=true", ``, 403},
		{"POST", "/v1/restrictions", `{"everybody":true,"closes":"CU"}`, 403},
		{"POST", "/v1/customers/acme/contacts", `{"id":"spy","mail":"a@example.com","lines":["bravo-1"]}`, 422},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(x.method, "http://localhost"+x.path, strings.NewReader(x.body))
		r.Header.Set("Content-Type", "application/json")
		f.HandlerFor(&owner).ServeHTTP(w, r)
		if w.Code != x.status {
			t.Errorf("%s %s %s: %d %s", x.method, x.path, x.body, w.Code, w.Body)
		}
	}
	// What the provider locked or closed stays so; what they locked themselves they open.
	do := func(who *person.Who, method, path, body string) int {
		r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		f.HandlerFor(who).ServeHTTP(w, r)
		return w.Code
	}
	staff := person.Operator("tom")
	if do(&staff, "POST", "/v1/lines/acme-1/lock", `{"why":"bill not paid"}`); do(&owner, "POST", "/v1/lines/acme-1/unlock", "") != 403 {
		t.Error("a customer opened a line that the provider had locked")
	}
	do(&staff, "POST", "/v1/lines/acme-1/unlock", "")
	if l, _ := f.book.LineCalled("acme-1"); l.Locked() {
		t.Error("staff cannot open it")
	}
	var made api.Restriction
	if err := json.Unmarshal(f.do("POST", "/v1/restrictions", `{"line":"acme-1","closes":"FR"}`).Body.Bytes(), &made); err != nil {
		t.Fatal(err)
	}
	if code := do(&owner, "DELETE", fmt.Sprintf("/v1/restrictions/%d?line=acme-1", made.ID), ""); code != 403 {
		t.Errorf("a customer lifted restriction %d, which the provider had made: %d", made.ID, code)
	}
}

// A token of a person works over TCP until it is taken back, and a wrong one is a wrong one.
func TestTokensOfPeopleLetIn(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	f.ana(t)
	w := f.do("POST", "/v1/customers/acme/people/ana/tokens", `{"name":"cron","scopes":["read"],"until":"+30d"}`)
	var token api.NewTokenText
	if err := json.Unmarshal(w.Body.Bytes(), &token); err != nil || !strings.HasPrefix(token.Text, people.TokenMark) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	ask := func(token, path string) int {
		r := httptest.NewRequest("GET", "http://localhost"+path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		f.OverTCP().ServeHTTP(w, r)
		return w.Code
	}
	for path, want := range map[string]int{"/v1/lines/acme-1": 200, "/v1/me": 200, "/v1/status": 403, "/v1/staff": 403} {
		if code := ask(token.Text, path); code != want {
			t.Errorf("%s: %d", path, code)
		}
	}
	if code := ask(people.TokenMark+"wrong", "/v1/me"); code != 401 {
		t.Errorf("a wrong token: %d", code)
	}
	if code := f.do("DELETE", "/v1/customers/acme/people/ana/tokens/cron", "").Code; code != 204 {
		t.Errorf("taking it back: %d", code)
	}
	if code := ask(token.Text, "/v1/me"); code != 401 {
		t.Errorf("after it was taken back: %d", code)
	}
}
