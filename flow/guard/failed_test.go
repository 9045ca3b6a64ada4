package guard

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"ringfence/core/fact"
)

// estimated are counts from a sketch, which differ with its seed.
var estimated = regexp.MustCompile(`("sources"|"lines"):([3-9]|1\d)`)

// TestFailuresAreSummedUp: wrong logins of one flush are a fact of each of the first 20 names, with the sources, and one of all others.
// What is written stays as it is, byte by byte.
func TestFailuresAreSummedUp(t *testing.T) {
	s := newScene(t, func(o *Options) { o.Around.Account = func(string) string { return "acme" } })
	s.at = s.at.Truncate(time.Hour).Add(24 * time.Hour)
	began := s.at
	s.tries(1, time.Second, thief, "2001", wrongPass)
	for i := range 12 {
		s.tries(1, time.Second, fmt.Sprintf("198.51.%d.9", i), "2002", wrongPass)
	}
	for i := range 22 {
		s.tries(1, time.Second, fmt.Sprintf("203.0.%d.7", i), fmt.Sprintf("nobody-%02d", i), wrongPass)
	}
	s.tries(1, time.Second, "198.18.0.1", "nobody-21", wrongPass)
	s.tries(1, time.Second, "198.18.0.1", "2001", wrongPass)
	s.a.flush(s.at, true)
	var got []string
	for _, f := range s.facts {
		if f.Kind == fact.KindLoginFailed {
			at := func(d time.Duration) string { return began.Add(d).UTC().Format(time.RFC3339) }
			body := string(f.Body)
			for i := range 60 {
				body = strings.ReplaceAll(body, at(time.Duration(i)*time.Second), fmt.Sprint("T+", i))
			}
			body = estimated.ReplaceAllString(body, `$1:~`)
			got = append(got, fmt.Sprintf("%s %s T+%d %s", f.Line, f.Account, int(f.At.Sub(began).Seconds()), body))
		}
	}
	want := []string{
		`2001 acme T+36 {"failures":2,"sources":2,"sample":["203.0.113.66","198.18.0.1"],"from":"T+0","till":"T+36"}`,
		`2002 acme T+12 {"failures":12,"sources":~,"sample":["198.51.0.9","198.51.1.9","198.51.2.9","198.51.3.9","198.51.4.9","198.51.5.9","198.51.6.9",` +
			`"198.51.7.9","198.51.8.9","198.51.9.9"],"from":"T+1","till":"T+12"}`,
	}
	for i := range 18 {
		want = append(want, fmt.Sprintf(`  T+%d {"user":"nobody-%02d","failures":1,"sources":1,"sample":["203.0.%d.7"],"from":"T+%d","till":"T+%d"}`, 13+i, i, i, 13+i, 13+i))
	}
	want = append(want, `  T+37 {"failures":5,"lines":~,"from":"T+31","till":"T+37"}`)
	if got, want := strings.Join(got, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
