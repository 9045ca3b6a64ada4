package book_test

import (
	"net/netip"
	"testing"

	"ringfence/core/account"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
)

func TestOwnedAddresses(t *testing.T) {
	b := open(t, &booktest.Store{}, options(t))
	o := book.NewOwned(b)
	ask := func(addr, want string) {
		t.Helper()
		if got := o.Whose(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
	ask("192.0.2.7", "")
	nets, err := account.ParseNets("192.0.2.0/24, 2001:db8:1::/48, 0.0.0.0/0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.AddCustomer(t.Context(), "test", "acme", book.CustomerEdit{Name: ptr("Acme")}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.AddLine(t.Context(), "test", book.NewLine{ID: "1001", Customer: "acme", Edit: book.LineEdit{Nets: &nets}}); err != nil {
		t.Fatal(err)
	}
	ask("192.0.2.7", "on the IP lock of line 1001")
	ask("::ffff:192.0.2.7", "on the IP lock of line 1001")
	ask("2001:db8:1:2::3", "on the IP lock of line 1001")
	ask("198.51.100.1", "") // a lock on the whole world says nothing
	sources, addresses := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/28")}, []string{"198.51.100.9:5060", "sip.example.net:5060"}
	if _, err := b.AddTrunk(t.Context(), "test", "north", book.TrunkEdit{Addresses: &addresses, Sources: &sources}); err != nil {
		t.Fatal(err)
	}
	ask("203.0.113.3", "an address of trunk north")
	ask("198.51.100.9", "an address of trunk north")
	for net, want := range map[string]string{"192.0.0.0/16": "192.0.2.0", "203.0.113.0/24": "203.0.113.0", "198.18.0.0/15": "", "2001:db8::/32": "2001:db8:1::"} {
		at, why, ok := o.Inside(netip.MustParsePrefix(net))
		if ok != (want != "") || ok && (at.String() != want || why == "") {
			t.Errorf("%s: %v %q %v, want %q", net, at, why, ok, want)
		}
	}
	if err := b.DeleteLine(t.Context(), "test", "1001"); err != nil {
		t.Fatal(err)
	}
	ask("192.0.2.7", "")
}
