package casefile

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/liability"
	"ringfence/core/phone"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
)

// TestAStaleNode plants a node that never hears what another has changed: the calls that it lets in, and that the settings in force forbid, are free, and no others. It waits as long as a node
// may take to hear of a change.
func TestAStaleNode(t *testing.T) {
	if fault != "" {
		t.Skip("of a faulty build")
	}
	h, ctx := openHouse(t), context.Background()
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	h.set("2001", account.Premium, 1)
	other, err := book.Open(ctx, h.db, book.Options{Plan: phone.UK(), Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "test", Identify: booktest.Plain})
	must(t, err)
	nets := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	_, err = other.EditLine(ctx, "test", "2001", book.LineEdit{Nets: &nets})
	must(t, err)
	must(t, other.Set(ctx, "test", account.LevelLine, "2001", book.Setting{Field: account.Premium, N: 0}))
	must(t, other.Set(ctx, "test", account.LevelCustomer, "acme", book.Setting{Field: account.NationalCeiling, N: 50_000_000}))
	<-time.After(2500 * time.Millisecond)
	for _, c := range []struct {
		name, line, to string
		from           netip.AddrPort
		broken         liability.Promise // "": the call is owed
	}{
		{"from the network of the list", "2001", "020 7946 0000", home, ""},
		{"from elsewhere", "2001", "020 7946 0000", away, liability.IPLock},
		{"a premium-rate number", "2001", "0909 879 0123", home, liability.PremiumBar},
		{"above the customer's ceiling", "2002", "07700 900123", home, liability.Ceilings},
		{"another customer's call", "3001", "07700 900123", away, ""},
	} {
		id, ok := h.call(c.line, c.to, c.from)
		if !ok {
			t.Errorf("%s: the node knew what it ought not to know", c.name)
			continue
		}
		v := h.judge(id)[0]
		want := liability.Owed
		if c.broken != "" {
			want = liability.Free
		}
		if f := v.Finding(c.broken); v.Outcome != want || c.broken != "" && f.Honour != liability.Broken {
			t.Errorf("%s: %s, broken %v, missing %v", c.name, v.Outcome, v.Broken(), v.Missing)
		}
	}
}
