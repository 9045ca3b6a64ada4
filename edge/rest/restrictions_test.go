package rest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ringfence/edge/rest"
	"ringfence/edge/rest/api"
)

// A restriction of a line or a customer is added, listed with the other's, refuses calls, and is lifted where it was set.
func TestRestrictions(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	add := func(body string) (r api.Restriction) {
		t.Helper()
		w := f.do("POST", "/v1/restrictions", body)
		if w.Code != 201 {
			t.Fatalf("%s: %d %s", body, w.Code, w.Body)
		}
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	own := add(`{"line":"acme-1","closes":"LV, above 1p","why":"w","ends_calls":true}`)
	all := add(`{"customer":"acme","only":"+4420","hours":"mon-fri 18:00-08:00"}`)
	if own.Line != "acme-1" || own.Closes != "above 1p, LV" || !own.InForce || !own.Ends || all.Line != "" || !all.Only || all.Hours != "mon-fri 18:00-08:00" {
		t.Errorf("%+v\n%+v", own, all)
	}
	list := func(query string) []api.Restriction {
		var l api.List[api.Restriction]
		answerOf(t, f, "GET", "/v1/restrictions?"+query, "", &l)
		return l.Items
	}
	if got := list("line=acme-1"); len(got) != 2 || got[0] != own || got[1] != all {
		t.Errorf("%+v", got)
	}
	if got := list("customer=acme"); len(got) != 1 || got[0] != all {
		t.Errorf("%+v", got)
	}
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"DELETE", fmt.Sprintf("/v1/restrictions/%d?line=acme-1", all.ID), "", 422, "the customer acme: the restriction is of all its lines"},
		{"DELETE", fmt.Sprintf("/v1/restrictions/%d", all.ID), "", 422, "a line, a customer or everybody"},
		{"DELETE", "/v1/restrictions/1?line=acme-1", "", 404, "restriction"},
		{"GET", "/v1/restrictions/1?line=nobody", "", 404, "nobody"},
		{"POST", "/v1/restrictions", `{"line":"acme-1"}`, 422, "closes"},
		{"POST", "/v1/restrictions", `{"line":"acme-1","customer":"acme","closes":"LV"}`, 422, "a line, a customer or everybody"},
		{"POST", "/v1/restrictions", `{"line":"acme-1","closes":"LV","only":"FR"}`, 422, "one of closes and only"},
		{"POST", "/v1/restrictions", `{"line":"acme-1","closes":"` + strings.Repeat("LV,", 1001) + `"}`, 422, ""},
		{"DELETE", fmt.Sprintf("/v1/restrictions/%d?line=acme-1", own.ID), "", 204, ""},
		{"DELETE", fmt.Sprintf("/v1/restrictions/%d?line=acme-1", own.ID), "", 404, ""},
		{"DELETE", fmt.Sprintf("/v1/restrictions/%d?customer=acme", all.ID), "", 204, ""},
	} {
		if w := f.do(c.method, c.path, c.body); w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s %.60s: %d %s", c.method, c.path, c.body, w.Code, w.Body)
		}
	}
	if got := list("line=acme-1"); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	every := add(`{"everybody":true,"closes":"CU","until":"+2d"}`)
	if every.Line != "" || every.Customer != "" || every.Until.IsZero() {
		t.Errorf("%+v", every)
	}
	if got := list("line=acme-1"); len(got) != 1 || got[0].ID != every.ID {
		t.Errorf("%+v", got)
	}
	if got := list("everybody=true"); len(got) != 1 || got[0].ID != every.ID {
		t.Errorf("%+v", got)
	}
	path := fmt.Sprintf("/v1/restrictions/%d?", every.ID)
	for _, c := range []struct {
		query, want string
		code        int
	}{{"line=acme-1", "of every line", 422}, {"everybody=true&line=acme-1", "a line, a customer or everybody", 422}, {"everybody=true", "", 204}, {"everybody=true", "", 404}} {
		if w := f.do("DELETE", path+c.query, ""); w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s", c.query, w.Code, w.Body)
		}
	}
}

// TestRulesHaveFigures: each of its lives apart; one that waits can be agreed to, and no other.
func TestRulesHaveFigures(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	var all api.List[api.Rule]
	if err := json.Unmarshal(f.do("GET", "/v1/rules", "").Body.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	want := []api.RuleStage{{Life: "shadow", Fired: 3, Honest: 1, Stopped: 40, Wrong: 4, Saved: 12_500_000}, {Life: "live", Fired: 2, Stopped: 7}}
	if len(all.Items) != 2 || all.Items[0].Why != "too-wide" || !slices.Equal(all.Items[0].Stages, want) || all.Items[1].Stages == nil {
		t.Errorf("%+v", all)
	}
	if w := f.do("POST", "/v1/rules/pace/agree", ""); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.do("POST", "/v1/rules/line/agree", ""); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestFewerConcurrentCalls: a restriction that closes nothing says what it does, and what stays open.
func TestFewerConcurrentCalls(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	var r api.Restriction
	w := f.do("POST", "/v1/restrictions", `{"line":"acme-1","closes":"abroad","except":"FR","at_once":2}`)
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || r.AtOnce != 2 || r.Does != "no more than 2 concurrent calls to: abroad; open stay: FR" {
		t.Errorf("%v %s", err, w.Body)
	}
	if w := f.do("POST", "/v1/restrictions", `{"line":"acme-1","only":"FR","at_once":2}`); w.Code != 422 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestALineShowsItsHabits: what is known of its usual calls, what the rules let pass, and what its restrictions do.
func TestALineShowsItsHabits(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	f.do("POST", "/v1/restrictions", `{"line":"acme-1","closes":"abroad"}`)
	var l api.LineDetail
	w := f.do("GET", "/v1/lines/acme-1", "")
	if err := json.Unmarshal(w.Body.Bytes(), &l); err != nil || l.Habits == nil || l.Habits.Hours != "mon-fri 08-18" || !slices.Equal(l.Habits.Countries, []string{"FR"}) ||
		len(l.Habits.Allowances) != 5 || !slices.Contains(l.Does, "closed: abroad") {
		t.Errorf("%v %s", err, w.Body)
	}
}
