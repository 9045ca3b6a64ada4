package account_test

import (
	"strings"
	"testing"

	"ringfence/core/account"
)

func TestIdentities(t *testing.T) {
	random := [account.SuffixLen]byte{0, 31, 32, 255, 1, 2, 3, 4}
	id := account.Identity("front.desk_1", random)
	if want := "front.desk_1~0z0z1234"; id != want {
		t.Fatalf("%s, want %s", id, want)
	}
	for _, c := range []struct{ id, handle, full string }{
		{id, "front.desk_1", id},
		{"3001", "3001", "3001~"}, // added before there were identities
		{"", "", ""},
	} {
		if got := account.Handle(c.id); got != c.handle {
			t.Errorf("handle of %q: %q", c.id, got)
		}
		full := account.FullIdentity(c.id)
		if full != c.full {
			t.Errorf("%q in full: %q", c.id, full)
		}
		if back, ok := account.ReadIdentity(full); ok != (c.id != "") || back != c.id {
			t.Errorf("%q read again: %q, %v", full, back, ok)
		}
	}
	if id, ok := account.ReadIdentity("3001"); ok {
		t.Errorf("a handle was taken for the identity %q", id)
	}
	if got := account.HandlePath("customer/acme~x7k2m9qp/anna~00000000"); got != "customer/acme/anna" {
		t.Errorf("path %s", got)
	}
}

// No handle may look like an identity, or a new line could be given an old one's.
func TestNoHandleIsAnIdentity(t *testing.T) {
	for name, check := range map[string]func(string) error{
		"line": account.CheckLineID, "customer": account.CheckCustomerID, "contact": account.CheckContactID, "trunk": account.CheckTrunkName,
	} {
		if check("acme") != nil {
			t.Errorf("%s: a plain handle is refused", name)
		}
		for _, bad := range []string{"acme~x7k2m9qp", "acme~", "~x7k2m9qp", "~"} {
			if check(bad) == nil {
				t.Errorf("%s: %q is taken as a handle", name, bad)
			}
		}
	}
}

func TestLettersAre32AndNoLookAlikes(t *testing.T) {
	seen := map[rune]bool{}
	for _, r := range account.SuffixLetters {
		seen[r] = true
	}
	if len(seen) != 32 || strings.ContainsAny(account.SuffixLetters, "iloU~") {
		t.Errorf("%d letters: %s", len(seen), account.SuffixLetters)
	}
}
