package rest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/edge/rest"
	"ringfence/flow/casefile"
	"ringfence/flow/evidence"
	"ringfence/state/store"
)

func (f *fixture) judges(t testing.TB, seal *evidence.Evidence) *casefile.Casefile {
	t.Helper()
	c, err := casefile.New(casefile.Options{Store: f.paid, Book: f.book, Evidence: seal})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestVerdictsOfTheirCases: customers' people read the verdicts of calls that are in their cases, and of no others; and what of a case is staff's to know stays with staff.
func TestVerdictsOfTheirCases(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	k := store.CaseWrite{Case: &casework.Case{ID: 1, Customer: acme, Line: acme1, Title: "Calls", State: casework.Open, Opened: time.Now()}}
	var ids []string
	for i, number := range []string{"+37190000112", "+37190000112", "+37190000119"} {
		begun := time.Now().Add(-time.Hour)
		raw := call.NewID(begun, []byte("012345678"+string(rune('0'+i))))
		r := call.CDR{ID: call.ID(raw[:]), Direction: call.Out, Line: acme1, Account: acme, Number: number, Country: "LV", Begun: begun, AnsweredAt: begun, Ended: begun.Add(time.Minute), Talk: time.Minute, Retail: 2_000_000, Reason: "hangup"}
		_, err := f.paid.Apply(ctx, []store.Op{
			{Kind: store.OpOpen, ID: r.ID, Amount: r.Retail, Holds: []store.Hold{{Purse: "p", Cap: money.Max}}, Call: &call.Open{ID: r.ID, Node: "a", Line: acme1, Account: acme}}, {Kind: store.OpSettle, ID: r.ID, CDR: &r},
		})
		if err != nil {
			t.Fatal(err)
		}
		if ids = append(ids, string(r.ID)); i < 2 {
			k.Calls = append(k.Calls, casework.CaseCall{Case: 1, Call: r.ID, Customer: acme, Line: acme1, Begun: begun, Retail: r.Retail, State: casework.Disputed})
		}
	}
	if err := f.paid.WriteCase(ctx, k); err != nil {
		t.Fatal(err)
	}
	reader := person.Who{Person: "ana", Customer: acme, Role: person.Reader, Actor: "acme/ana"}
	eve := person.Who{Person: "eve", Customer: "~other", Role: person.Owner, Actor: "other/eve"}
	priya := person.Who{Person: "p", Role: person.Fraud, Actor: "staff/priya"}
	for _, c := range []struct {
		who  person.Who
		path string
		code int
		has  string
		not  string
	}{
		{reader, "/v1/cdrs/" + ids[0] + "/verdict", 200, `"promise":"ip-lock"`, ""},
		{reader, "/v1/cdrs/" + ids[2] + "/verdict", 404, "not-found", "promise"},
		{eve, "/v1/cdrs/" + ids[0] + "/verdict", 404, "not-found", "promise"},
		{priya, "/v1/cdrs/" + ids[2] + "/verdict", 200, `"promise":"ip-lock"`, ""},
		{reader, "/v1/cdrs/00000001/verdict", 404, "not-found", ""},
		{reader, "/v1/cases/1/numbers", 200, `"number":"+37190000112","country":"LV","calls":2,"retail_micro":4000000,"pending":2`, "+37190000119"},
		{eve, "/v1/cases/1/numbers", 404, "not-found", "LV"},
		{priya, "/v1/cases/1/numbers?after=nonsense", 422, "after", ""},
		{reader, "/v1/cases/1/calls?number=%2B37190000119", 200, `"items":[]`, ""},
		{reader, "/v1/cases/1/calls?number=%2B37190000112", 200, ids[1], ""},
		{reader, "/v1/cases/1", 200, `"disputed_micro":4000000`, "risk_micro"},
		{reader, "/v1/cases?by_risk=true", 422, "for staff", ""},
		{priya, "/v1/cases/1", 200, `"risk_micro":`, ""},
		{priya, "/v1/cases?by_risk=true", 200, `"risk_micro":`, ""},
		{priya, "/v1/cases?by_risk=true&owner=staff/maya", 200, `"items":[]`, ""},
	} {
		w := httptest.NewRecorder()
		f.HandlerFor(&c.who).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+c.path, nil))
		if text := w.Body.String(); w.Code != c.code || !strings.Contains(text, c.has) || c.not != "" && strings.Contains(text, c.not) {
			t.Errorf("%s by %s: %d %.600s; want %d and %q", c.path, c.who.Actor, w.Code, text, c.code, c.has)
		}
	}
}
