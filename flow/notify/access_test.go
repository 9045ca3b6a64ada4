package notify

import (
	"strings"
	"testing"
)

func TestWhoGetsInIsTold(t *testing.T) {
	const ana = `"login":"acme/ana","role":"owner","mail":"ana@home.example","password":"set 1"`
	full := `{` + ana + `,"totp":true,"recovery_codes":10,"recovery":"set a"}`
	for name, c := range map[string]struct{ kind, body, says string }{
		"a person":             {"person.added", `{"by":"acme/ana","after":{"login":"acme/eve","role":"owner","mail":"eve@evil.example"}}`, "acme/eve may sign in from now on, as owner."},
		"a person less":        {"person.removed", `{"by":"acme/eve","before":` + full + `}`, "acme/ana may not sign in any more."},
		"a token":              {"token.added", `{"by":"acme/ana","after":{` + ana + `,"token":"ci","scopes":"read lock"}}`, "acme/ana has a new token for the API, ci, which may: read, lock."},
		"a passkey":            {"passkey.added", `{"by":"acme/ana","person":"acme/ana","passkey":"laptop","source":"203.0.113.9"}`, "acme/ana has a new passkey: laptop."},
		"a passkey less":       {"passkey.removed", `{"by":"acme/ana","person":"acme/ana","passkey":"laptop"}`, "laptop does not count any more."},
		"the first app":        {"person.changed", `{"by":"acme/ana","before":{` + ana + `},"after":` + full + `}`, "acme/ana has an app of codes as second factor. acme/ana has new recovery codes."},
		"another app":          {"person.changed", `{"by":"acme/ana","before":` + full + `,"after":{` + ana + `,"totp":true,"totp_since":"2026-07-20T12:00:00Z","recovery_codes":10,"recovery":"set a"}}`, "another app of codes"},
		"no app":               {"person.changed", `{"by":"acme/ana","before":` + full + `,"after":{` + ana + `,"recovery_codes":10,"recovery":"set a"}}`, "The app of codes of acme/ana does not count any more."},
		"codes":                {"person.changed", `{"by":"acme/ana","before":` + full + `,"after":{` + ana + `,"totp":true,"recovery_codes":10,"recovery":"set b"}}`, "acme/ana has new recovery codes."},
		"a code that was used": {"person.changed", `{"by":"acme/ana","before":` + full + `,"after":{` + ana + `,"totp":true,"recovery_codes":9,"recovery":"set b"}}`, ""},
		"a password":           {"person.changed", `{"by":"acme/ana","before":{"login":"acme/ana","role":"owner","mail":"ana@home.example"},"after":{` + ana + `}}`, "acme/ana has a new password."},
		"a role":               {"person.changed", `{"by":"acme/bob","before":{` + ana + `},"after":{"login":"acme/ana","role":"reader","mail":"ana@home.example","password":"set 1"}}`, "acme/ana is reader now, and was owner."},
		"a mail address":       {"person.changed", `{"by":"acme/eve","before":{` + ana + `},"after":{"login":"acme/ana","role":"owner","mail":"eve@evil.example","password":"set 1"}}`, "The mail address of acme/ana was changed."},
		"a reset":              {"person.changed", `{"by":"staff/maya","before":` + full + `,"after":{"login":"acme/ana","role":"owner","mail":"ana@home.example"}}`, "was taken away"},
		"a name":               {"person.changed", `{"by":"acme/ana","before":{` + ana + `},"after":{` + ana + `,"name":"Ana"}}`, ""},
		"a longer wait":        {"customer.changed", `{"by":"acme/ana","before":{"cooling_off":{"wait_s":3600}},"after":{"cooling_off":{"wait_s":172800}}}`, "waits 2 days from now on, and waited an hour."},
		"no wait":              {"customer.changed", `{"by":"acme/ana","before":{"cooling_off":{"wait_s":86400}},"after":{"cooling_off":{"wait_s":0}}}`, "waits not at all from now on, and waited 24 hours."},
		"another note":         {"customer.changed", `{"by":"acme/ana","before":{"cooling_off":{"wait_s":3600}},"after":{"cooling_off":{"wait_s":3600,"note":true}}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *Options) { o.Mail = func(_, _ string) string { return "ana@home.example" } })
			w.fact(c.kind, "", c.body)
			w.follow()
			if c.says == "" {
				equal(t, "people", w.states(AccessChanged), nil)
				return
			}
			people := []string{owner + " queued"}
			switch {
			case name == "a person":
				people = append(people, "person/acme/eve queued")
			case !strings.HasPrefix(c.kind, "customer."):
				people = append(people, "person/acme/ana queued")
			}
			equal(t, "people", w.states(AccessChanged), people)
			w.sendDue()
			all := w.messages()
			if len(all) != len(people) {
				t.Fatalf("%d mails", len(all))
			}
			for _, m := range all {
				text := strings.Join(strings.Fields(m.Text), " ")
				if !strings.Contains(text, c.says) {
					t.Errorf("%s", m.Text)
				}
				if m.To == "eve@evil.example" && name != "a person" {
					t.Error("who changed the address is told, and not the owner of the one before")
				}
				if m.To == "anna@acme.example" && strings.Contains(m.Text, "how you sign in") {
					t.Errorf("to %s: %s", m.To, m.Text)
				}
			}
		})
	}
}
