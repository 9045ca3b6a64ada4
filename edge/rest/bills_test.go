package rest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/edge/rest"
	"ringfence/flow/billing"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

// accounts opens a real store for the bills: the fixture's own has no books.
func (f *fixture) accounts(t testing.TB) *billing.Billing {
	t.Helper()
	var err error
	if f.paid, err = sqlitetest.Open(ctx, filepath.Join(t.TempDir(), "bills.db"), sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.paid.Close() })
	return billing.New(billing.Options{Store: f.paid, Book: f.book, Provider: "Test", VAT: books.Rates{{Rate: 20_000}}})
}

// bill settles a call of a line, bills it, and credits a part.
func (f *fixture) bill(t testing.TB, customer, line string) {
	t.Helper()
	now := time.Now()
	raw := call.NewID(now.Add(-time.Hour), []byte(fmt.Sprintf("%-10.10s", customer)))
	id := call.ID(raw[:])
	open := call.Open{ID: id, Node: "a", Line: line, Account: customer, State: call.Setup, Begun: now}
	_, err := f.paid.Apply(ctx, []store.Op{
		{Kind: store.OpOpen, ID: id, Amount: 130_325_100, Holds: []store.Hold{{Purse: "line/" + line, Cap: money.Max}}, Call: &open},
		{Kind: store.OpSettle, ID: id, CDR: &call.CDR{ID: id, Line: line, Account: customer, Country: "CU", Begun: now, Talk: time.Minute, Retail: 130_325_100}},
	})
	if err == nil {
		_, err = f.billing.Run(ctx, billing.Run{Customer: customer, Now: true, By: "t"}, now)
	}
	if err == nil {
		_, err = f.billing.Credit(ctx, billing.Credit{Customer: customer, Net: money.Pound, Reason: "goodwill", Reference: customer, By: "t"})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestBillsAndPayments asks for what finance does.
func TestBillsAndPayments(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	f.bill(t, acme, acme1)
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"GET", "/v1/bills", "", 200, `"total_text":"£156.39"`},
		{"GET", "/v1/bills", "", 200, `"left_micro":155190000,"asked_micro":155190000`}, // a pound, with VAT, was credited
		{"GET", "/v1/credits?customer=acme", "", 200, `"net_micro":1000000,"vat_micro":200000,"vat_percent":"20","amount_micro":1200000`},
		{"GET", "/v1/bills/1", "", 200, `"sums":[{"line":"acme-1","country":"CU","calls":1,"talk_ms":60000,"net_micro":130325100}]`},
		{"GET", "/v1/bills/1", "", 200, `"rounded_micro":120`},
		{"GET", "/v1/bills/1/calls?line=acme-1&country=CU", "", 200, `"net_micro":130325100`},
		{"GET", "/v1/bills/1/calls?line=nobody", "", 404, "line"},
		{"GET", "/v1/bills/1/file?format=csv", "", 200, "call,line,country"},
		{"GET", "/v1/bills/1/file", "", 200, "%PDF-"},
		{"GET", "/v1/bills/9", "", 404, "bill"},
		{"POST", "/v1/bills/run", `{"now":true}`, 200, `"bills":0`},
		{"POST", "/v1/payments", `{"customer":"acme","amount":"100","reference":"R1"}`, 201, `"amount_text":"£100.00"`},
		{"POST", "/v1/payments", `{"customer":"acme","amount":"50","reference":"r1"}`, 409, "booked before"},
		{"POST", "/v1/payments", `{"customer":"acme","amount":"100","reference":"R2"}`, 409, "Pay again?"},
		{"POST", "/v1/payments", `{"customer":"acme","amount":"100","reference":"R2","again":true}`, 201, `"number":2`},
		{"POST", "/v1/payments", `{"customer":"acme","amount":"x","reference":"R3"}`, 422, `"field":"amount"`},
		{"GET", "/v1/payments?customer=acme&limit=1", "", 200, `"number":2`},
		{"POST", "/v1/accounts/acme/credits", `{"amount":"10","reason":"a fault","reference":"case/1"}`, 201, `"amount_text":"-£12.00"`},
		{"GET", "/v1/accounts/acme", "", 200, `"balance_text":"-£56.81"`},
		{"GET", "/v1/accounts/acme/credits/2/file", "", 200, "%PDF-"},
		{"GET", "/v1/accounts/acme/credits/9/file", "", 404, "credit note"},
	} {
		w := f.do(c.method, c.path, c.body)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %.300s; want %d %s", c.method, c.path, w.Code, w.Body, c.code, c.want)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "http://localhost/v1/payments/import", strings.NewReader("customer,amount,reference\nacme,n/a,R9\n"))
	r.Header.Set("Content-Type", "text/csv")
	w := httptest.NewRecorder()
	if f.h.ServeHTTP(w, r); w.Code != 422 || !strings.Contains(w.Body.String(), `"line":2,"column":2`) {
		t.Errorf("a wrong row: %d %s", w.Code, w.Body)
	}
}
