//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ringfence/edge/phone"
)

// A customer proves a number with the code that was sent to it, and a phone presents it; another number is not presented, and refused where the provider
// wants that. An emergency call carries the line's own number whatever the phone asks.
func TestANumberIsVerifiedAndPresented(t *testing.T) {
	codes := make(chan string, 1)
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		var b struct{ Kind, Number, How, Code string }
		if err := json.NewDecoder(q.Body).Decode(&b); err != nil || b.Kind != "number-code" || b.Number != "+443069990123" || b.How != "call" {
			t.Errorf("the service was asked %+v, %v", b, err)
		}
		codes <- b.Code
	}))
	t.Cleanup(service.Close)
	for _, unverified := range []string{"replace", "refuse"} {
		t.Run(unverified, func(t *testing.T) {
			c, ended := carrier(t, phone.CarrierOptions{})
			s := startWith(t, setup{sections: fmt.Sprintf("code-hook = %q\nunverified-numbers = %q\n", service.URL, unverified)}, c.Addr())
			p := s.dial("2001", s.line("2001", "--number", "+442079460101"))
			presents := func(number, as string) {
				t.Helper()
				got, a, err := p.Invite(t.Context(), number, phone.Dialling{From: as})
				must(t, err)
				if got == nil {
					t.Fatalf("as %s: %+v", as, a)
				}
				must(t, got.Hangup(t.Context()))
			}
			want := func(caller string) {
				t.Helper()
				if seen := next(t, ended); seen.Caller != caller {
					t.Errorf("the carrier saw %s, want %s", seen.Caller, caller)
				}
			}
			claims := func(as string) {
				t.Helper()
				if unverified == "replace" {
					presents("02079460000", as)
					want("+442079460101")
					return
				}
				got, a, err := p.Invite(t.Context(), "02079460000", phone.Dialling{From: as})
				must(t, err)
				if got != nil || a.Status != 403 || !strings.Contains(a.Why, "not verified") {
					t.Errorf("as %s: %+v %+v", as, got, a)
				}
			}
			claims("+443069990123") // not verified yet
			s.cli("customer", "number", "add", "acme", "03069 990123")
			code := <-codes
			if _, errs, err := s.tryCLI("customer", "number", "confirm", "acme", "+443069990123", "1"+code[1:]+"9"); err == nil || !strings.Contains(errs, "4 more tries") {
				t.Errorf("a wrong code: %s", errs)
			}
			contains(t, s.cli("customer", "number", "confirm", "acme", "+443069990123", code), "Lines may present +443069990123")
			presents("02079460000", "+443069990123")
			want("+443069990123")
			claims("+443457404404")
			presents("999", "+443069990123")
			want("+442079460101")
			s.cli("hotlist", "add", "+443069990123", "--direction", "presented")
			if got, a, err := p.Invite(t.Context(), "02079460000", phone.Dialling{From: "+443069990123"}); err != nil || got != nil || !strings.Contains(a.Why, "nobody calls from this number") {
				t.Errorf("Do Not Originate: %+v %v", a, err)
			}
		})
	}
}
