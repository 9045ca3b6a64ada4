package account

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// TestContactsAreStoredAsEver: a contact's address stands under its channel's name, as it did when there were two fields for it.
func TestContactsAreStoredAsEver(t *testing.T) {
	for _, c := range []struct {
		stored  string
		contact Contact
	}{
		{`{"id":"anna~k3","name":"Anna \u003cb\u003e","lines":["acme-1"],"kinds":{"*":"digest"},"mail":"anna@example.com"}`, Contact{
			ID: "anna~k3", Name: "Anna <b>", Channel: Mail, Address: "anna@example.com", Lines: []string{"acme-1"}, Kinds: map[string]Preference{"*": PreferDigest},
		}},
		{`{"id":"hook","url":"https://example.com/x?a=1\u0026b=2"}`, Contact{ID: "hook", Channel: Webhook, Address: "https://example.com/x?a=1&b=2"}},
		{`{"id":"none"}`, Contact{ID: "none"}},
	} {
		var read Contact
		if err := json.Unmarshal([]byte(c.stored), &read); err != nil {
			t.Fatal(err)
		}
		if got, want := mustJSON(t, read), mustJSON(t, c.contact); got != want || got != c.stored {
			t.Errorf("got  %s\nwant %s", got, c.stored)
		}
		if read.Channel != c.contact.Channel || read.Address != c.contact.Address {
			t.Errorf("read %+v", read)
		}
	}
	if err := json.Unmarshal([]byte(`{"id":7}`), &Contact{}); err == nil {
		t.Error("an id that is a number is read")
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheChannelOfAnAddress(t *testing.T) {
	for address, want := range map[string]struct{ channel, fault string }{
		"anna@example.com":           {Mail, ""},
		"https://example.com/a@b":    {Webhook, ""},
		"https://me@example.com/":    {Webhook, "no login in it"},
		"Anna <anna@example.com>":    {Mail, "one bare address"},
		"nonsense":                   {"", "a mail address or the URL of a webhook"},
		"":                           {"", "a mail address or the URL of a webhook"},
		"http://example.com/#x@y.eu": {Webhook, "nothing after '#'"},
	} {
		c, err := ChannelOf(address)
		if c.Code != want.channel || (err == nil) != (want.fault == "") || err != nil && (!errors.Is(err, ErrContact) || !strings.Contains(err.Error(), want.fault)) {
			t.Errorf("%q: %s, %v", address, c.Code, err)
		}
	}
}

// TestEveryChannelSaysAll: nothing that the stages ask of a channel is missing in one.
func TestEveryChannelSaysAll(t *testing.T) {
	for _, c := range Channels {
		if c.Code == "" || c.Part == "" || c.Is == "" || c.Like == nil || c.Check == nil || c.Shown == nil || c.AtOnce < 1 || c.Within <= 0 {
			t.Errorf("%s: %+v", c.Code, c)
		}
		if got := ChannelCalled(c.Code); got.Code != c.Code || got.Part != c.Part {
			t.Errorf("%s is not found", c.Code)
		}
	}
	if c := ChannelCalled("pigeon"); c.Code != "pigeon" || c.Check != nil {
		t.Errorf("a channel of a later version: %+v", c)
	}
}

func TestAddressesThatAreOne(t *testing.T) {
	mail, hook := ChannelCalled(Mail), ChannelCalled(Webhook)
	if !mail.Same("Anna@Example.com", "anna@example.com") || hook.Same("https://example.com/A", "https://example.com/a") {
		t.Error("mail addresses are the same in any case, URLs are not")
	}
	if a, b := hook.Lane("https://example.com/a"), hook.Lane("https://example.com/b"); a != b || a == hook.Lane("https://example.org/a") {
		t.Error("a lane is the host of a webhook")
	}
	if got := hook.Shown("https://user.example.com/services/T0/s3cr3t?token=x"); got != "https://user.example.com/…" {
		t.Error(got)
	}
}
