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

// TestWhoIsNotifiedIsTold: of another contact, the others; of another address or a contact less, those who are left and the address that was taken away; of the
// first contact, and of a name, nobody.
func TestWhoIsNotifiedIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		kind, body, says string
		to               []string
	}{
		"another":       {"contact.added", `{"by":"acme/eve","after":{"contact":"boss","mail":"eve@evil.example"}}`, "Notices go to eve[at]evil[.]example too from now on.", []string{owner}},
		"by staff":      {"contact.changed", `{"by":"staff/maya","before":{"mail":"bob@acme.example"},"after":{"mail":"anna@acme.example"}}`, "", nil},
		"the first":     {"contact.added", `{"by":"acme/ana","after":{"contact":"office","mail":"anna@acme.example"}}`, "", nil},
		"an address":    {"contact.changed", `{"by":"acme/eve","before":{"mail":"bob@acme.example"},"after":{"mail":"anna@acme.example"}}`, "and not to bob[at]acme[.]example any more.", []string{owner, "former/bob@acme.example"}},
		"one less":      {"contact.deleted", `{"by":"acme/eve","before":{"contact":"boss","mail":"bob@acme.example","name":"Bob"}}`, "Notices do not go to bob[at]acme[.]example any more.", []string{owner, "former/bob@acme.example"}},
		"fewer notices": {"contact.changed", `{"by":"acme/eve","after":{"kinds":{"*":"off"}}}`, "gets different notices", []string{owner}},
		"a webhook":     {"contact.deleted", `{"by":"acme/eve","before":{"contact":"pager","url":"https://example.com"}}`, "Notices do not go to https example[.]com any more.", []string{owner}},
		"a name":        {"contact.changed", `{"by":"acme/eve","before":{"name":"A"},"after":{"name":"B"}}`, "", nil},
		"no address":    {"contact.deleted", `{"by":"acme/eve","before":{"mail":7}}`, "Notices do not go to an address any more.", []string{owner}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.fact(c.kind, "", c.body)
			w.follow()
			var want []string
			for _, who := range c.to {
				want = append(want, who+" queued")
			}
			equal(t, "people", w.states(AccessChanged), want)
			w.sendDue()
			for _, m := range w.messages() {
				if text := strings.Join(strings.Fields(m.Text), " "); !strings.Contains(text, strings.Join(strings.Fields(c.says), " ")) || m.To == "eve@evil.example" || m.To == "bob@acme.example" && !strings.Contains(text, "you were a contact") {
					t.Errorf("to %s: %s", m.To, m.Text)
				}
			}
		})
	}
}
