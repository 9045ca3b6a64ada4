package rest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"ringfence/edge/rest"
	"ringfence/edge/rest/api"
)

// TestExposure: a line's figure is the sum of its days and never more than its customer's, a setting to try is tried, and what is wrong is refused.
func TestExposure(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	ask := func(query string) (out api.Exposure) {
		w := f.do("GET", "/v1/exposure"+query, "")
		if w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &out) != nil {
			t.Fatalf("%s: %d %s", query, w.Code, w.Body)
		}
		return out
	}
	customer, line, all := ask("?customer=acme"), ask("?line=acme-1"), ask("?until=month") // as the night wears on, figures fall
	if line.Retail <= 0 || line.Retail > customer.Retail || len(line.Days) == 0 || len(line.Settings) < 5 || len(customer.Shares) == 0 || all.Customer != "" {
		t.Errorf("line %+v\ncustomer %+v\nall %+v", line, customer, all)
	}
	sum := int64(0)
	for _, d := range line.Days {
		sum += d.Retail
	}
	if sum != line.Retail || !strings.HasPrefix(line.Text, "What a thief could cost tonight: £") {
		t.Errorf("the days of %d sum to %d: %s", line.Retail, sum, line.Text)
	}
	tried := ask("?line=acme-1&with=line-day-cap=0&with=national-ceiling=free")
	if len(tried.Settings) != 2 || tried.Settings[0].Retail != 0 || tried.Settings[0].Field != "line-day-cap" {
		t.Errorf("tried: %+v", tried.Settings)
	}
	for query, want := range map[string]string{"?line=nobody": "nobody", "?line=acme-1&with=colour=red": "no such setting", "?line=acme-1&customer=acme": "one of line and customer", "?until=friday": "until"} {
		if w := f.do("GET", "/v1/exposure"+query, ""); w.Code < 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}
