package rest_test

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/edge/rest"
)

// TestDaysAreTheCustomers guards against days of the machine where a command was typed: an export of November had a day of
// another customer's November, and lost the last one.
func TestDaysAreTheCustomers(t *testing.T) {
	f := newFixture(t, rest.Options{})
	for _, c := range [][2]string{{"tokyo", "Asia/Tokyo"}, {"york", "America/New_York"}, {"london", ""}} {
		f.must(t, "POST", "/v1/customers", `{"id":"`+c[0]+`","zone":"`+c[1]+`"}`)
		f.must(t, "POST", "/v1/lines", `{"id":"`+c[0]+`-1","customer":"`+c[0]+`","no_password":true}`)
	}
	synctest.Test(t, func(t *testing.T) { // it is Saturday, the first of January 2000, midnight UTC
		for _, c := range []struct{ who, from, until, wantFrom, wantUntil string }{
			{"line=tokyo-1", "1999-11-01", "1999-11-30", "1999-10-31T15:00:00Z", "1999-11-30T15:00:00Z"},
			{"customer=york", "1999-11-01", "1999-11-30", "1999-11-01T05:00:00Z", "1999-12-01T05:00:00Z"},
			{"customer=london", "1999-10-31", "1999-10-31", "1999-10-30T23:00:00Z", "1999-11-01T00:00:00Z"}, // 25 hours
			{"", "1999-11-01", "1999-11-30", "1999-11-01T00:00:00Z", "1999-12-01T00:00:00Z"},
			{"line=york-1&customer=tokyo", "1999-11-01", "", "1999-11-01T05:00:00Z", ""},
			{"customer=york", "today", "today", "1999-12-31T05:00:00Z", "2000-01-01T05:00:00Z"},
			{"customer=tokyo", "yesterday", "yesterday", "1999-12-30T15:00:00Z", "1999-12-31T15:00:00Z"},
			{"customer=york", "friday", "friday", "1999-12-31T05:00:00Z", "2000-01-01T05:00:00Z"},
			{"customer=tokyo", "friday", "friday", "1999-12-30T15:00:00Z", "1999-12-31T15:00:00Z"},
			{"customer=tokyo", "-24h", "now", "1999-12-31T00:00:00Z", "2000-01-01T00:00:00Z"},
			{"customer=tokyo", "1999-11-01T00:00:00Z", "1999-11-30T00:00:00.5Z", "1999-11-01T00:00:00Z", "1999-11-30T00:00:00.5Z"},
		} {
			for _, name := range []string{"until", "till"} {
				f.must(t, "GET", "/v1/cdrs?"+c.who+"&from="+url.QueryEscape(c.from)+"&"+name+"="+url.QueryEscape(c.until), "")
				if got := [2]string{plain(f.asked.From), plain(f.asked.Until)}; got != [2]string{c.wantFrom, c.wantUntil} {
					t.Errorf("%+v by %s: %v", c, name, got)
				}
			}
		}
		for _, c := range []struct{ line, until, want string }{
			{"tokyo-1", "friday", "2000-01-08T00:00:00+09:00"},
			{"york-1", "friday", "2000-01-01T00:00:00-05:00"}, // it is Friday evening there
			{"london-1", "friday", "2000-01-08T00:00:00Z"},
			{"london-1", "saturday", "2000-01-02T00:00:00Z"},
			{"london-1", "2000-03-26", "2000-03-27T00:00:00+01:00"}, // 23 hours
			{"tokyo-1", "2000-02-29 18:00", "2000-02-29T18:00:00+09:00"},
			{"york-1", "+3d", "2000-01-03T19:00:00-05:00"},
			{"york-1", "2000-02-01T00:00:00Z", "2000-01-31T19:00:00-05:00"},
		} {
			body := f.must(t, "PATCH", "/v1/lines/"+c.line, `{"set":[{"field":"max-calls","value":"50","grant":true,"until":"`+c.until+`"}]}`)
			if !strings.Contains(body, `"until":"`+c.want+`"`) {
				t.Errorf("%s until %s: %s", c.line, c.until, body)
			}
			body = f.must(t, "POST", "/v1/lines/"+c.line+"/requests", `{"field":"max-calls","value":"60","until":"`+c.until+`"}`)
			if !strings.Contains(body, `"until":"`+c.want+`"`) {
				t.Errorf("%s asks until %s: %s", c.line, c.until, body)
			}
		}
		body := f.must(t, "POST", "/v1/decide", `{"line":"tokyo-1","to":"999","at":"monday 09:30"}`)
		if !strings.Contains(body, `"at":"2000-01-03T09:30:00+09:00"`) {
			t.Errorf("decide: %s", body)
		}
		f.cdrs[0].Account, f.cdrs[0].Begun = identify("tokyo"), time.Date(1999, 12, 31, 20, 0, 0, 0, time.UTC)
		for _, path := range []string{"/v1/cdrs?customer=tokyo&limit=1", "/v1/cdrs/" + string(f.cdrs[0].ID)} {
			if body := f.must(t, "GET", path, ""); !strings.Contains(body, `"begun":"2000-01-01T05:00:00+09:00"`) {
				t.Errorf("a record of Tokyo's first of January: %s", body)
			}
		}
		for _, bad := range [][3]string{
			{"GET", "/v1/cdrs?from=someday", ""},
			{"GET", "/v1/cdrs?until=2000-02-30", ""},
			{"PATCH", "/v1/lines/london-1", `{"set":[{"field":"max-calls","value":"50","grant":true,"until":"2000-03-26 01:30"}]}`}, // a gap
			{"PATCH", "/v1/lines/london-1", `{"set":[{"field":"max-calls","value":"50","grant":true,"until":"soon"}]}`},
			{"POST", "/v1/decide", `{"line":"tokyo-1","to":"999","at":"18:00"}`},
		} {
			if w := f.do(bad[0], bad[1], bad[2]); w.Code != 422 || !strings.Contains(w.Body.String(), "want") {
				t.Errorf("%v: %d %s", bad, w.Code, w.Body)
			}
		}
	})
}

func plain(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (f *fixture) must(t *testing.T, method, path, body string) string {
	t.Helper()
	w := f.do(method, path, body)
	if w.Code >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.String()
}
