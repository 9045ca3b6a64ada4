package rest_test

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"ringfence/edge/rest"
)

// FuzzBody sends the same bytes wherever a body, a parameter or an id goes: no fault of the server, no panic.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `[]`, `null`, `{"id":"a","customer":"acme","set":[{"field":"premium","value":"on","grant":true,"until":"9999-12-31T23:59:59Z"}]}`,
		`{"field":"max-calls","value":"9223372036854775807"}`, `{"line":"acme-1","to":"+4420","from":"::ffff:1.2.3.4","at":"0001-01-01T00:00:00Z"}`,
		`{"nets":["0.0.0.0/0"],"addresses":["[::1]:5060"],"name":"x"}`, "Prefix,Rate\n1,1\n", `{"until":"2026-02-30T00:00:00Z"}`, `{"name":"\ud800"}`,
	} {
		f.Add(s)
	}
	fx := newFixture(f, rest.Options{})
	fx.fill(f)
	fx.happen(f)
	f.Fuzz(func(t *testing.T, s string) {
		arg := url.QueryEscape(s)
		id := url.PathEscape(s)
		for _, x := range [][3]string{
			{"POST", "/v1/customers", s},
			{"PATCH", "/v1/customers/acme", s},
			{"POST", "/v1/lines", s},
			{"PATCH", "/v1/lines/acme-1", s},
			{"POST", "/v1/lines/acme-1/lock", s},
			{"POST", "/v1/lines/acme-1/requests", s},
			{"POST", "/v1/decide", s},
			{"POST", "/v1/trunks", s},
			{"PATCH", "/v1/trunks/carrier", s},
			{"POST", "/v1/decks/retail/import?dry_run=true&kind=retail", s},
			{"POST", "/v1/requests/1/grant", s},
			{"PATCH", "/v1/customers/acme/contacts/office", s},
			{"POST", "/v1/customers/acme/contacts", s},
			{"POST", "/v1/bans", s},
			{"DELETE", "/v1/bans?net=" + arg, ""},
			{"POST", "/v1/bans/import?dry_run=true&name=x", s},
			{"POST", "/v1/bans/import?name=y&format=json", s},
			{"POST", "/v1/lockouts/release", s},
			{"POST", "/v1/lines/acme-1/devices/verdict", s},
			{"POST", "/v1/notices/1/resend", s},
			{"POST", "/v1/notices/test", s},
			{"GET", "/v1/notices/kinds/x" + id, ""},
			{"GET", "/v1/bans/why?address=" + arg, ""},
			{"GET", "/v1/bans?within=" + arg, ""},
			{"GET", "/v1/findings?kind=" + arg, ""},
			{"GET", "/v1/lines/x" + id, ""},
			{"GET", "/v1/cdrs?limit=1&from=" + arg, ""},
			{"GET", "/v1/lines?after=" + arg, ""},
			{"GET", "/v1/journal?limit=1&kind=" + arg, ""},
			{"GET", "/v1/decks/retail/rows?after=" + arg, ""},
		} {
			r := httptest.NewRequest("GET", "http://localhost/", strings.NewReader(x[2]))
			u, err := url.Parse("http://localhost" + x[1])
			if err != nil {
				continue
			}
			r.Method, r.URL = x[0], u
			r.Header.Set("Content-Type", "application/json")
			if strings.Contains(x[1], "/import?") {
				r.Header.Set("Content-Type", "text/csv")
			}
			w := httptest.NewRecorder()
			if fx.h.ServeHTTP(w, r); w.Code >= 500 {
				t.Fatalf("%s %s %q: %d %s", x[0], x[1], x[2], w.Code, w.Body)
			}
		}
	})
}
