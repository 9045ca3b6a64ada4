package rest_test

import (
	"strings"
	"testing"

	"ringfence/edge/rest"
)

// Hot lists are added to, imported, listed in pages, exported and removed; what is wrong names its place.
func TestHotLists(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"GET", "/v1/hotlist", "", 200, `{"items":[]}`},
		{"POST", "/v1/hotlist", `{"numbers":"+252 61","why":"test calls","for_seconds":3600}`, 201, `"numbers":"+25261","list":"desk","direction":"out","until":"20`},
		{"POST", "/v1/hotlist", `{"numbers":"+44"}`, 422, `such as +25261`},
		{"POST", "/v1/hotlist", `{"numbers":"07700900123"}`, 422, `such as +25261`},
		{"POST", "/v1/hotlist", `{"numbers":"+440843"}`, 422, `without the 0 of 0843`},
		{"POST", "/v1/hotlist", `{"numbers":"+25261","list":"feed:x"}`, 422, `"field":"list"`},
		{"POST", "/v1/hotlist", `{"numbers":"+25261","until":"yesterday"}`, 422, `a time to come`},
		{"POST", "/v1/hotlist/import?name=irsf&direction=both&until=%2B90d", "25261\n+3712 2126-01-01 # y\n+440843\n", 200, `"listed":3,"ended":0,"held":2,"added":2,"changed":0,"removed":0,"left_out":1,"sample":["+440843`},
		{"POST", "/v1/hotlist/import?name=irsf", "+25261\nnonsense\n", 422, `"line":2,"column":1`},
		{"POST", "/v1/hotlist/import?name=a:b", "+25261\n", 422, `"field":"name"`},
		{"GET", "/v1/hotlist?numbers=%2B25261123", "", 200, `"list":"desk"`},
		{"GET", "/v1/hotlist?list=irsf&limit=1", "", 200, `"next":"+25261 irsf"`},
		{"GET", "/v1/hotlist?list=irsf&limit=1&after=%2B25261+irsf", "", 200, `"numbers":"+3712","list":"irsf","direction":"both"`},
		{"GET", "/v1/hotlist/export?list=irsf", "", 200, "number,direction,until,reason\n+25261,both,20"},
		{"GET", "/v1/hotlist/export?format=json", "", 200, `"format": "ringfence-numbers/1"`},
		{"DELETE", "/v1/hotlist?numbers=%2B25261&list=nothing", "", 404, `+25261`},
		{"DELETE", "/v1/hotlist?numbers=%2B25261&why=over", "", 200, `"list":"desk"`},
		{"DELETE", "/v1/hotlist?numbers=%2B25261", "", 404, `desk`},
		{"DELETE", "/v1/hotlist/lists/irsf", "", 200, `"removed":2`},
		{"DELETE", "/v1/hotlist/lists/irsf", "", 404, `irsf`},
		{"DELETE", "/v1/hotlist/lists/feed:x", "", 422, `no feed`},
		{"GET", "/v1/hotlist", "", 200, `{"items":[]}`},
	} {
		if w := f.do(c.method, c.path, c.body); w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s %.60s: %d %s", c.method, c.path, c.body, w.Code, w.Body)
		}
	}
}
