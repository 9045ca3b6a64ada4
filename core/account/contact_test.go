package account

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestContactIsChecked(t *testing.T) {
	good := []Contact{
		{ID: "owner", Name: "Zoë O'Neil (home)", Channel: Mail, Address: "zoe.oneil+phones@example.co.uk"},
		{ID: "desk", Channel: Mail, Address: "root@localhost", Lines: []string{"acme-1"}, Kinds: map[string]Preference{"new-device": PreferOff, "*": PreferDigest}},
		{ID: "hook", Channel: Webhook, Address: "https://hooks.example.com:8443/in?key=1"},
		{ID: "local", Channel: Webhook, Address: "http://127.0.0.1:8080/x"},
		{ID: "six", Channel: Webhook, Address: "http://[::1]/"},
		{ID: "six-out", Channel: Webhook, Address: "https://[2001:db8::1]:443/"},
		{ID: "name", Channel: Webhook, Address: "http://localhost:9000"},
	}
	if err := CheckContacts(good); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		contact Contact
		says    string
	}{
		{"no way to reach", Contact{ID: "a"}, "mail"},
		{"id", Contact{ID: "A b", Channel: Mail, Address: "a@example.com"}, "A b"},
		{"no id", Contact{Channel: Mail, Address: "a@example.com"}, "id"},
		{"name with a line end", Contact{ID: "a", Name: "a\r\nBcc: x", Channel: Mail, Address: "a@example.com"}, "name"},
		{"name that turns around", Contact{ID: "a", Name: "abc\u202efdp", Channel: Mail, Address: "a@example.com"}, "name"},
		{"name like an address", Contact{ID: "a", Name: "Bank <bank@example.com>", Channel: Mail, Address: "a@example.com"}, "name"},
		{"broken name", Contact{ID: "a", Name: "\xff", Channel: Mail, Address: "a@example.com"}, "name"},
		{"long name", Contact{ID: "a", Name: strings.Repeat("a", 201), Channel: Mail, Address: "a@example.com"}, "name"},
		{"line", Contact{ID: "a", Channel: Mail, Address: "a@example.com", Lines: []string{"ok", "not ok"}}, "not ok"},
		{"many lines", Contact{ID: "a", Channel: Mail, Address: "a@example.com", Lines: make([]string, MaxContactLines+1)}, "257"},
		{"kinds", Contact{ID: "a", Channel: Mail, Address: "a@example.com", Kinds: map[string]Preference{"New Device": PreferNow}}, "kinds"},
		{"empty kind", Contact{ID: "a", Channel: Mail, Address: "a@example.com", Kinds: map[string]Preference{"": PreferNow}}, "kinds"},
		{"long kind", Contact{ID: "a", Channel: Mail, Address: "a@example.com", Kinds: map[string]Preference{strings.Repeat("a", 41): PreferNow}}, "kinds"},
		{"preference", Contact{ID: "a", Channel: Mail, Address: "a@example.com", Kinds: map[string]Preference{"new-device": "never"}}, "preference"},
		{"empty preference", Contact{ID: "a", Channel: Mail, Address: "a@example.com", Kinds: map[string]Preference{"new-device": ""}}, "preference"},
	} {
		if err := CheckContacts([]Contact{c.contact}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	if err := CheckContacts([]Contact{good[0], good[0]}); !errors.Is(err, ErrContact) || !strings.Contains(err.Error(), "once") {
		t.Errorf("twice: %v", err)
	}
	var many []Contact
	for i := range MaxContacts + 1 {
		many = append(many, Contact{ID: fmt.Sprint("c", i), Channel: Mail, Address: "a@example.com"})
	}
	if CheckContacts(many) == nil || CheckContacts(many[1:]) != nil {
		t.Error("the bound on contacts is not MaxContacts")
	}
}

func TestMailAddressesThatAreRefused(t *testing.T) {
	for _, s := range []string{
		"", "anna", "@example.com", "anna@", "Anna <anna@example.com>", "<anna@example.com>", " anna@example.com", "anna@example.com\r\nBcc: eve@example.com",
		"anna@example.com, eve@example.com", "anna@example.com;eve@example.com", "\"an na\"@example.com", "an(x)na@example.com", "anna@[127.0.0.1]",
		"anna@exa mple.com", "ånna@example.com", "anna@exämple.com", "anna@-example.com", "anna@example..com", "anna@example.com.", "anna@1.2.3.4", "an..na@example.com",
		strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("a.", 130) + "com", "a@" + strings.Repeat("a", 64) + ".com", "a%0d@exa\u202emple.com",
	} {
		if err := CheckMail(s); !errors.Is(err, ErrContact) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestHooksThatAreRefused(t *testing.T) {
	for _, s := range []string{
		"", "example.com/hook", "http://example.com/hook", "ftp://127.0.0.1/", "https://", "https:///x", "https:example.com", "https://me:secret@example.com/",
		"https://me@example.com/", "https://example.com/#x", "https://example.com/#", "https://example.com:0/", "https://example.com:/", "https://example.com:99999/", "https://exa mple.com/",
		"https://example.com/\r\nHost: x", "https://example.com/a\"b", "http://2130706433/", "http://127.0.0.1.example.com/", "http://localhost.example.com/", "https://[fe80::1%25eth0]/",
		"javascript:alert(1)", "https://example.com/" + strings.Repeat("a", 500), "https://exämple.com/", "http://10.0.0.1/", "http://0.0.0.0/",
	} {
		if err := CheckHook(s); !errors.Is(err, ErrContact) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// FuzzContact: whatever passes is one recipient, on one line, and one place to post to.
func FuzzContact(f *testing.F) {
	for _, s := range []string{"anna@example.com", "Anna <a@b>", "https://example.com/x", "http://[::1]:80/", "a\r\nb@c", "https://a@b/", "\"a\"@b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckMail(s) == nil {
			list, err := mail.ParseAddressList("<" + s + ">")
			if err != nil || len(list) != 1 || list[0].Address != s || strings.ContainsAny(s, "\r\n\x00<>,; \"") {
				t.Fatalf("%q: %v %v", s, list, err)
			}
		}
		if CheckHook(s) == nil {
			u, err := url.Parse(s)
			if err != nil || u.User != nil || u.Host == "" || strings.ContainsAny(s, "\r\n\x00<> \"") || u.Scheme != "https" && u.Scheme != "http" {
				t.Fatalf("%q: %v %v", s, u, err)
			}
		}
	})
}

func TestWhatAContactWants(t *testing.T) {
	c := Contact{Lines: []string{"a"}, Kinds: map[string]Preference{"new-device": PreferOff, "*": PreferDigest}}
	if c.Wants("new-device") != PreferOff || c.Wants("usage-level") != PreferDigest || (&Contact{}).Wants("x") != PreferNow {
		t.Error("wishes are not taken from the kind, then from *, then now")
	}
	if c.About("b") || !c.About("a") || !(&Contact{}).About("b") {
		t.Error("lines are not kept apart")
	}
	d := c.Clone()
	d.Lines[0], d.Kinds["*"] = "x", PreferNow
	if c.Lines[0] != "a" || c.Kinds["*"] != PreferDigest {
		t.Error("a clone shares with its origin")
	}
}

func TestFormerPasswordsAreKeptForATime(t *testing.T) {
	day := 24 * time.Hour
	ago := func(days int) Former {
		return Former{Sealed: []byte(fmt.Sprint(days)), Until: now.Add(-time.Duration(days) * day)}
	}
	for _, c := range []struct {
		was  []Former
		want string
	}{
		{nil, ""},
		{[]Former{ago(1), ago(89)}, "1 89"},
		{[]Former{ago(1), ago(90), ago(400)}, "1"},
		{[]Former{ago(4), ago(3), ago(2), ago(1)}, "1 2 3"},
		{[]Former{{Until: now}, ago(100)}, ""},
	} {
		before := slices.Clone(c.was)
		var got []string
		for _, f := range KeepFormer(c.was, now) {
			got = append(got, string(f.Sealed))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v, want %s", got, c.want)
		}
		if !slices.EqualFunc(before, c.was, func(a, b Former) bool { return a.Until.Equal(b.Until) }) {
			t.Error("what was given has changed")
		}
	}
}
