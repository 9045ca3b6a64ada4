package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/core/rating"
	core "ringfence/core/settle"
	"ringfence/edge/rest"
	"ringfence/edge/rest/api"
	"ringfence/flow/settle"
	"ringfence/state/store"
)

// settleStore has the cases and their settlement in an engine, price lists in memory, and the records of a fixture.
type settleStore struct {
	kept
	store.Settling
	pastCalls
	decks
}

type decks interface {
	Decks(ctx context.Context) ([]store.Deck, error)
	DeckRows(ctx context.Context, name string, version int64) ([]rating.Price, error)
}

func (f *fixture) settles(t testing.TB) *settle.Desk {
	t.Helper()
	d, err := settle.New(settle.Options{
		Store: settleStore{f.paid, f.paid, pastCalls{f}, f.db}, Book: f.book, Billing: f.billing, SecondAbove: func() money.Micro { return 20_000 }, Provider: "Test Telecom",
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// claimAndPlan are a claim and a plan of a case, which have its number.
func claimAndPlan(x *casework.Case) store.SettleWrite {
	day := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	return store.SettleWrite{
		Claims: []core.Claim{{ID: x.ID, Case: x.ID, Customer: x.Customer, Trunk: "gone~00000009", State: core.ClaimDraft, By: "t", Made: day, Calls: 1, Claimed: 5_000}},
		Calls:  []core.ClaimCall{{Claim: x.ID, N: 1, Called: "+442079460001", Begun: day, Claimed: 5_000}},
		Plans: []core.Plan{{
			ID: x.ID, Case: x.ID, Customer: x.Customer, State: core.PlanReplaced, Amount: 1_000_000, By: "t", Made: day, Ended: day, List: []core.Instalment{{Due: day, Amount: 1_000_000}},
		}},
	}
}

// pricey makes the records of the fixture dear calls of a minute through its trunk, whose cost was a fifth of the price on that day.
func (f *fixture) pricey(t *testing.T) {
	t.Helper()
	trunk, _ := f.book.TrunkCalled("carrier")
	begun := time.Date(2026, 7, 12, 22, 41, 7, 0, time.UTC)
	for i := range f.cdrs[:3] {
		c := &f.cdrs[i]
		c.Direction, c.Trunk, c.Number, c.BLeg, c.CarrierTalk, c.Talk = call.Out, trunk.Name, "+53701234"+fmt.Sprint(i), fmt.Sprint("leg-", i), time.Minute, time.Minute
		c.Begun = begun.Add(time.Duration(i) * time.Hour)
		c.AnsweredAt, c.Ended, c.Retail, c.Cost = c.Begun.Add(9*time.Second), c.Begun.Add(69*time.Second), 1_000_000, 200_000
	}
	price := []rating.Price{{Prefix: 53, Name: "Cuba", Rates: [rating.NumBands]money.Rate{200_000_000, 200_000_000, 200_000_000}, First: 1, Step: 1}}
	if _, err := f.db.PutDeck(ctx, store.Deck{Name: "carrier", Kind: rating.Cost, Imported: begun.AddDate(0, 0, -9), Currency: "GBP"}, price); err != nil {
		t.Fatal(err)
	}
}

// TestSettling walks a case from its calls to a plan that is paid, by those who may.
func TestSettling(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	f.pricey(t)
	f.caseOf(t, acme, acme1)
	ids := fmt.Sprintf(`{"calls":[%q,%q,%q]}`, f.cdrs[0].ID, f.cdrs[1].ID, f.cdrs[2].ID)
	ana := person.Who{Person: "ana", Customer: acme, Role: person.Owner, Actor: "acme/ana"}
	eve := person.Who{Person: "eve", Customer: "~other", Role: person.Owner, Actor: "other/eve"}
	priya := person.Who{Person: "p", Role: person.Fraud, Actor: "staff/priya"}
	maya := person.Who{Person: "m", Role: person.Fraud, Actor: "staff/maya"}
	as := func(who person.Who, method, path, body string) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
		if r.Header.Set("Content-Type", "application/json"); strings.Contains(path, "/invoice") {
			r.Header.Set("Content-Type", "text/csv")
		}
		w := httptest.NewRecorder()
		f.HandlerFor(&who).ServeHTTP(w, r)
		return w
	}
	header := "start,from,to,seconds,cost,call id\n"
	early := header + "2026-07-12 22:41:08,,+537012340,68,0.2266,leg-0\n" + // charged from before it was answered
		"2026-07-12 23:41:16,,+537012341,60,0.20,leg-1\n" +
		"2026-07-13 05:00:00,,+53709999,60,0.20,leg-9\n" // never carried for us
	for _, c := range []struct {
		who          person.Who
		method, path string
		body         string
		code         int
		has          string
	}{
		{ana, "POST", "/v1/cases/1/calls", ids, 201, `"calls":3`},
		{eve, "GET", "/v1/cases/1/settlement", "", 404, "there is no case"},
		{ana, "POST", "/v1/cases/1/settlement", `{}`, 403, ""},
		{ana, "GET", "/v1/cases/1/claims", "", 403, ""},
		{ana, "GET", "/v1/claims/1/letter", "", 403, ""},
		{ana, "GET", "/v1/cases/1/settlement?cost=true&calls=true", "", 200, `"cost_micro":200000`},
		{ana, "GET", "/v1/cases/1/settlement", "", 200, `{"step":"to-pay","calls":3,"amount_micro":3000000,"left_micro":3000000}`},
		{priya, "POST", "/v1/cases/1/settlement", `{}`, 409, "nothing is to be given"},
		{priya, "POST", "/v1/cases/1/decisions", `{"what":"owed","why":"the password was right","all":true}`, 201, `"how":"made"`},
		{priya, "GET", "/v1/cases/1/settlement?cost=true", "", 200, `{"step":"to-cost","calls":3,"amount_micro":2400000,"left_micro":600000}`},
		{priya, "POST", "/v1/cases/1/settlement", `{"cost":true}`, 422, "why"},
		{priya, "POST", "/v1/cases/1/settlement", `{"cost":true,"why":"Proven fraud."}`, 201, `"state":"waiting"`},
		{priya, "POST", "/v1/cases/1/settlement", `{"cost":true,"why":"Proven fraud."}`, 409, "waits for a second"},
		{priya, "POST", "/v1/cases/1/decisions/3", `{}`, 409, "second person"},
		{priya, "GET", "/v1/cases/1/settlement", "", 200, `"to_pay_with_vat_micro":3600000`}, // one person alone gives nothing
		{priya, "POST", "/v1/cases/1/decisions", `{"what":"refund","why":"x","amount":"0.61"}`, 422, "at most what is left"},
		{maya, "POST", "/v1/cases/1/decisions/3", `{"why":"seen"}`, 201, `"how":"made"`},
		{ana, "GET", "/v1/cases/1/settlement", "", 200, `"charged_with_vat_micro":3600000,"to_pay_with_vat_micro":720000`},
		{ana, "GET", "/v1/accounts/acme", "", 200, `"reference":"CASE 1 SETTLEMENT 1"`},
		{priya, "POST", "/v1/cases/1/claims", `{"trunk":"nobody"}`, 404, "trunk"},
		{priya, "POST", "/v1/cases/1/claims", `{}`, 201, `"id":2,"case":1,"customer":"acme","trunk":"carrier","state":"draft","calls":3,"claimed_micro":600000`},
		{priya, "POST", "/v1/cases/1/claims", `{}`, 409, "has a claim to each"},
		{priya, "POST", "/v1/claims/2/answers", `{"granted":"1"}`, 409, "was not sent"},
		{priya, "POST", "/v1/claims/2/invoice?file=north.csv", header + "2026-07-12 22:41:16,,+537012340,60,n/a,\n", 422, `"line":2,"column":5,"found":"n/a"`},
		{priya, "GET", "/v1/claims/2", "", 200, `"claimed_micro":600000`}, // nothing was booked
		{priya, "POST", "/v1/claims/2/invoice?file=north.csv", early, 201, `"kind":"early"`},
		{priya, "GET", "/v1/claims/2", "", 200, `"kind":"never-seen"`},
		{priya, "GET", "/v1/claims/2/letter", "", 200, "charged although we made no such call"},
		{priya, "GET", "/v1/claims/2/letter?format=pdf", "", 200, "%PDF-"},
		{priya, "GET", "/v1/claims/2/sheet", "", 200, "+537012340"},
		{priya, "POST", "/v1/claims/2/send", "", 201, `"state":"sent"`},
		{priya, "POST", "/v1/claims/2/send", "", 409, "was sent"},
		{priya, "POST", "/v1/claims/2/answers", `{"granted":"lots"}`, 422, "granted"},
		{priya, "POST", "/v1/claims/2/answers", `{"granted":"0.3133","text":"half"}`, 201, `"granted_micro":313300`},
		{priya, "GET", "/v1/claims?state=answered&trunk=carrier", "", 200, `"id":2`},
		{priya, "GET", "/v1/cases/1/settlement", "", 200, `"claimed_micro":631600,"kept_micro":100000`},
		{ana, "GET", "/v1/cases/1/settlement", "", 200, `"step":"credit","calls":2,"amount_micro":213300`},
		{priya, "POST", "/v1/plans", `{"case":1,"count":3,"first":"yesterday"}`, 422, "still to come"},
		{priya, "POST", "/v1/plans", `{"case":1,"count":3,"first":"+10d","amount":"99"}`, 422, "at most what is to pay"},
		{priya, "POST", "/v1/plans", `{"case":1,"count":3,"first":"+10d"}`, 201, `"id":2,"case":1,"customer":"acme","state":"running","amount_micro":460000`},
		{ana, "POST", "/v1/plans", `{"case":1,"count":3,"first":"+10d"}`, 403, ""},
		{eve, "GET", "/v1/plans/2", "", 404, "plan"},
		{eve, "GET", "/v1/plans", "", 200, `"items":[]`},
		{ana, "GET", "/v1/plans?customer=acme", "", 200, `"id":2`},
		{priya, "POST", "/v1/plans/2/payments", `{"reference":"BACS 1"}`, 404, "book it first"},
		{priya, "GET", "/v1/plans/9", "", 404, "plan"},
		{priya, "GET", "/v1/claims/9", "", 404, "claim"},
		{priya, "GET", "/v1/cases/9/settlement", "", 404, "case"},
		{priya, "GET", "/v1/cases/9/claims", "", 404, "case"},
	} {
		if w := as(c.who, c.method, c.path, c.body); w.Code != c.code || !strings.Contains(w.Body.String(), c.has) {
			t.Errorf("%s %s %s by %s: %d %s; want %d %s", c.method, c.path, c.body, c.who.Actor, w.Code, w.Body, c.code, c.has)
		}
	}
	if w := f.do("POST", "/v1/payments", `{"customer":"acme","amount":"0.46","reference":"BACS 1"}`); w.Code != 201 || !strings.Contains(w.Body.String(), `"plan":2`) {
		t.Fatal(w.Body)
	}
	if w := as(priya, "POST", "/v1/plans/2/payments", `{"reference":"bacs 1"}`); w.Code != 201 || !strings.Contains(w.Body.String(), `"state":"paid"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := as(priya, "POST", "/v1/plans/2/payments", `{"reference":"bacs 1"}`); w.Code != 409 {
		t.Errorf("twice: %d %s", w.Code, w.Body)
	}
	for _, path := range []string{"/v1/cases/1/settlement?calls=true", "/v1/plans", "/v1/plans/2"} { // logins of staff and price lists are nothing to customers
		if w := as(ana, "GET", path, ""); strings.Contains(w.Body.String(), "priya") || strings.Contains(w.Body.String(), "maya") || strings.Contains(w.Body.String(), `"deck"`) {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	var got api.CaseSettlement
	if err := json.Unmarshal(as(ana, "GET", "/v1/cases/1/settlement?calls=true", "").Body.Bytes(), &got); err != nil || len(got.Calls) != 3 || len(got.Past) != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	for i := range got.Calls {
		if c := &got.Calls[i]; c.Charged != c.Ours+c.ToCost+c.Credit+c.Refund+c.ToPay {
			t.Errorf("%+v", c)
		}
	}
}
