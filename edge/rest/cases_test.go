package rest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/edge/rest"
	"ringfence/edge/rest/api"
	"ringfence/flow/book/booktest"
	"ringfence/flow/desk"
	"ringfence/flow/watch"
	"ringfence/state/store"
)

// kept are cases in an engine, beside a book that is in memory.
type (
	kept      = store.Cases
	caseStore struct {
		*booktest.Store
		kept
	}
)

// pastCalls are the records of a fixture.
type pastCalls struct{ f *fixture }

func (p pastCalls) CDRs(context.Context, store.CDRFilter) ([]call.CDR, error) {
	return p.f.cdrs[:20], nil
}

func (p pastCalls) CDR(_ context.Context, id call.ID) (call.CDR, error) {
	if i := slices.IndexFunc(p.f.cdrs, func(c call.CDR) bool { return c.ID == id }); i >= 0 {
		return p.f.cdrs[i], nil
	}
	return call.CDR{}, store.ErrNotFound
}

func (f *fixture) cases(t testing.TB, w *watch.Watch) *desk.Cases {
	c, err := desk.NewCases(desk.CasesOptions{
		Store: caseStore{f.db, f.paid}, Records: pastCalls{f}, Book: f.book, Watch: func() *watch.Watch { return w }, SecondAbove: func() money.Micro { return 20_000 },
		Credit: f.settling.Refund, Settle: f.settling.CarryOut, Left: f.settling.Left,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// caseOf makes a case of a customer, whose first item has a file.
func (f *fixture) caseOf(t testing.TB, customer, line string) {
	t.Helper()
	who := desk.Who{Actor: account.Handle(customer) + "/ana", Customer: customer}
	x, err := f.desk().Open(ctx, who, desk.NewCase{Customer: customer, Line: line, Title: "Calls to <b>Latvia</b>", Origin: casework.FromReport})
	if err == nil {
		_, err = f.desk().Write(ctx, who, x.ID, desk.Entered{Kind: casework.Evidence, Text: "We were closed.", Name: "alarm\u202e.html", File: strings.NewReader("<script>alert(1)</script>")})
	}
	if err == nil {
		err = f.paid.WriteSettle(ctx, claimAndPlan(&x))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestCases(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	f.caseOf(t, acme, acme1)
	ana := person.Who{Person: "ana", Customer: acme, Role: person.Owner, Actor: "acme/ana"}
	as := func(who person.Who, method, path, body string) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if strings.Contains(path, "/files") {
			r.Header.Set("Content-Type", "application/octet-stream")
		}
		w := httptest.NewRecorder()
		f.HandlerFor(&who).ServeHTTP(w, r)
		return w
	}
	priya := person.Who{Person: "p", Role: person.Fraud, Actor: "staff/priya"}
	maya := person.Who{Person: "m", Role: person.Fraud, Actor: "staff/maya"}
	eve := person.Who{Person: "eve", Customer: "~other", Role: person.Owner, Actor: "other/eve"}
	for _, c := range []struct {
		who          person.Who
		method, path string
		body         string
		code         int
		has          string
	}{
		{ana, "GET", "/v1/cases", "", 200, `"title":"Calls to <b>Latvia`},
		{eve, "GET", "/v1/cases", "", 200, `"items":[]`},
		{eve, "GET", "/v1/cases/1", "", 404, "there is no case"},
		{eve, "GET", "/v1/cases/1/calls", "", 404, ""},
		{eve, "GET", "/v1/cases/1/items/1/file", "", 404, ""},
		{eve, "POST", "/v1/cases/1/items", `{"text":"x"}`, 404, ""},
		{eve, "POST", "/v1/cases/1/files?name=x", "x", 404, ""},
		{eve, "POST", "/v1/cases/1/calls", `{"calls":["00000001"]}`, 404, ""},
		{eve, "POST", "/v1/cases/1/calls/withdraw", `{"calls":["00000001"]}`, 404, ""},
		{eve, "POST", "/v1/disputes", `{"calls":["00000001"]}`, 404, ""},
		{ana, "GET", "/v1/cases/1/links", "", 403, ""},
		{ana, "GET", "/v1/cases/1/timeline", "", 403, ""},
		{ana, "POST", "/v1/cases", `{"title":"x","line":"acme-1"}`, 403, ""},
		{ana, "POST", "/v1/cases/1/decisions", `{"what":"upheld","why":"x","all":true}`, 403, ""},
		{ana, "POST", "/v1/cases/1/close", `{"outcome":"ours","why":"x"}`, 403, ""},
		{ana, "POST", "/v1/cases/1/items", `{"text":"x","kind":"note"}`, 422, "kind"},
		{ana, "POST", "/v1/disputes", `{"calls":["00000001","00000002","00000003"],"why":"not ours"}`, 201, `{"case":1,"calls":3}`},
		{ana, "POST", "/v1/cases/1/calls", `{"calls":["00000001"]}`, 201, `"calls":0`},
		{ana, "POST", "/v1/cases/1/calls", `{"calls":["nobody"]}`, 404, ""},
		{ana, "GET", "/v1/cases/1/calls?state=disputed", "", 200, `"call":"00000001"`},
		{ana, "POST", "/v1/cases/1/calls/withdraw", `{"calls":["00000003"],"why":"that was me"}`, 201, `"calls":1`},
		{ana, "POST", "/v1/cases/1/files?name=..%2Fx.html&text=log", "bytes", 201, `"file":"x.html"`},
		{priya, "PATCH", "/v1/cases/1", `{"owner":"staff/priya","deadline":"+3d","hold":true}`, 200, `"owner":"staff/priya"`},
		{priya, "PATCH", "/v1/cases/1", `{"state":"settling"}`, 200, `"state":"settling"`},
		{priya, "POST", "/v1/cases/1/items", `{"text":"inside","kind":"task","due":"friday"}`, 201, `"waits":true`},
		{priya, "POST", "/v1/cases/1/items/1/answer", `{"how":"accepted"}`, 409, "reason"},
		{priya, "POST", "/v1/cases/1/items/1/answer", `{"how":"accepted","answer":"seen"}`, 201, `"how":"accepted"`},
		{priya, "POST", "/v1/cases/1/decisions", `{"what":"refund","why":"x","amount":"lots"}`, 422, "12.50"},
		{priya, "POST", "/v1/cases/1/decisions", `{"what":"upheld","why":"the lock was late","all":true}`, 201, `"waits":true`},
		{priya, "POST", "/v1/cases/1/decisions/4", `{}`, 409, "second person"},
		{priya, "POST", "/v1/cases/1/close", `{"outcome":"ours","why":"x"}`, 409, "in dispute"},
		{maya, "POST", "/v1/cases/1/decisions/4", `{"why":"seen"}`, 201, `"state":"upheld","calls":2`},
		{priya, "POST", "/v1/cases/1/close", `{"outcome":"ours","why":"the lock was late"}`, 201, `"outcome":"ours"`},
		{ana, "POST", "/v1/cases/1/items", `{"text":"x"}`, 409, "closed"},
		{priya, "POST", "/v1/cases", `{"title":"x","line":"acme-1"}`, 201, `"id":2`},
		{priya, "POST", "/v1/cases", `{"finding":99}`, 404, "finding"},
		{ana, "POST", "/v1/reports", `{"text":"calls"}`, 201, `"case":2`}, // it joins the one of that day
	} {
		w := as(c.who, c.method, c.path, c.body)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.has) {
			t.Errorf("%s %s %s %s: %d %s", c.who.Actor, c.method, c.path, c.body, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/v1/cases", "/v1/cases/1", "/v1/cases/1/calls"} { // logins of staff are nothing to customers
		theirs, ours := as(ana, "GET", path, "").Body.String(), as(priya, "GET", path, "").Body.String()
		if strings.Contains(theirs, "priya") || strings.Contains(theirs, "maya") || !strings.Contains(theirs, "acme/ana") || !strings.Contains(theirs, `"staff"`) {
			t.Errorf("a customer reads at %s: %s", path, theirs)
		}
		if !strings.Contains(ours, "staff/priya") {
			t.Errorf("staff read at %s: %s", path, ours)
		}
	}
	w := as(ana, "GET", "/v1/cases/1/items/1/file", "")
	if w.Code != 200 || w.Body.String() != "<script>alert(1)</script>" || w.Header().Get("Content-Type") != "application/octet-stream" || w.Header().Get("X-Content-Type-Options") != "nosniff" ||
		w.Header().Get("Content-Disposition") != "attachment; filename=alarm_.html" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	var got api.Case
	if err := json.Unmarshal(as(ana, "GET", "/v1/cases/1", "").Body.Bytes(), &got); err != nil || len(got.Items) != 3 {
		t.Errorf("a customer sees %+v %v", got.Items, err)
	}
	if w := as(priya, "POST", "/v1/cases/2/files?name=x", strings.Repeat("x", casework.MaxFile)); w.Code != http.StatusCreated {
		t.Errorf("20 MB: %d %.300s", w.Code, w.Body)
	}
	if w := as(ana, "POST", "/v1/cases/1/files?name=x", strings.Repeat("x", casework.MaxFile+1)); w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "at most 20 MB") {
		t.Errorf("a byte more: %d %.300s", w.Code, w.Body)
	}
}
