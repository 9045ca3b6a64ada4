package notify

import (
	"strings"
	"testing"
)

// The contacts hear of every number that calls can present from now on, or not any more, and of nothing else that changes with them.
func TestNumbersThatArePresented(t *testing.T) {
	const mobile, office = `{"number":"447700900123","how":"text","by":"acme/ana","since":"2026-11-30T00:00:00Z"}`, `{"number":"443069990123","how":"staff","by":"staff/tom","why":"a bill","since":"2026-11-30T00:00:00Z"}`
	for name, c := range map[string]struct{ body, says string }{
		"the first":      {`{"by":"acme/ana","after":{"numbers":[` + mobile + `]}}`, "Calls can present +447700900123 from now on: it was verified with a code in a text message to it."},
		"one more":       {`{"by":"staff/tom","before":{"numbers":[` + mobile + `]},"after":{"numbers":[` + mobile + `,` + office + `]}}`, "Calls can present +443069990123 from now on: it was verified with evidence that staff have seen."},
		"one less":       {`{"by":"acme/ana","before":{"numbers":[` + mobile + `,` + office + `]},"after":{"numbers":[` + office + `]}}`, "Calls do not present +447700900123 any more."},
		"the last":       {`{"by":"acme/ana","before":{"numbers":[` + office + `]}}`, "Calls do not present +443069990123 any more."},
		"given away":     {`{"by":"auto","before":{"numbers":[` + office + `]}}`, "Calls do not present +443069990123 any more: it is the number of another customer's line now."},
		"another":        {`{"by":"acme/ana","before":{"numbers":[` + office + `]},"after":{"numbers":[` + mobile + `]}}`, "any more."},
		"proved again":   {`{"by":"acme/ana","before":{"numbers":[` + office + `]},"after":{"numbers":[` + strings.Replace(office, "staff", "call", 1) + `]}}`, ""},
		"something else": {`{"by":"acme/ana","before":{"name":"Acme"},"after":{"name":"ACME"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.fact("customer.changed", "", c.body)
			w.follow()
			if c.says == "" {
				equal(t, "people", w.states(NumbersChanged), nil)
				return
			}
			equal(t, "people", w.states(NumbersChanged), []string{owner + " queued"})
			w.sendDue()
			for _, m := range w.messages() {
				if text := strings.Join(strings.Fields(m.Text), " "); !strings.Contains(text, c.says) || !strings.Contains(text, "Verified") && !strings.Contains(text, "call in the name of another number") {
					t.Errorf("%s", m.Text)
				}
			}
		})
	}
}
