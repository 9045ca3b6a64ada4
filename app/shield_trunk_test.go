package app

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"ringfence/flow/book"
	"ringfence/flow/door"
)

// Guards against a trunk that lists no sources, or a name, letting requests inside its calls come from anywhere.
func TestWhereACarriersRequestsMayComeFrom(t *testing.T) {
	a := running(t)
	for _, c := range []struct {
		addresses []string
		sources   string
		may, not  []string
	}{
		{[]string{"192.0.2.10:5060"}, "", []string{"192.0.2.10", "::ffff:192.0.2.10"}, []string{"192.0.2.11", "203.0.113.9"}},
		{[]string{"gw.carrier.example:5060"}, "", nil, []string{"192.0.2.10", "203.0.113.9"}},
		{[]string{"192.0.2.10:5060", "gw.carrier.example"}, "192.0.2.32/28", []string{"192.0.2.10", "192.0.2.40"}, []string{"192.0.2.11", "203.0.113.9"}},
		{[]string{"[2001:db8::10]:5060"}, "", []string{"2001:db8::10"}, []string{"2001:db8::11"}},
	} {
		edit := book.TrunkEdit{Addresses: &c.addresses, Sources: &[]netip.Prefix{}}
		if c.sources != "" {
			edit.Sources = &[]netip.Prefix{netip.MustParsePrefix(c.sources)}
		}
		trunk, err := a.book.AddTrunk(context.Background(), "t", "held", edit)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range c.may {
			if !a.door.May(door.Party{Trunk: trunk.Name}, netip.MustParseAddr(at), time.Now()) {
				t.Errorf("%v %s: %s may not", c.addresses, c.sources, at)
			}
		}
		for _, at := range c.not {
			if a.door.May(door.Party{Trunk: trunk.Name}, netip.MustParseAddr(at), time.Now()) {
				t.Errorf("%v %s: %s may", c.addresses, c.sources, at)
			}
		}
		if err := a.book.DeleteTrunk(context.Background(), "t", trunk.Name); err != nil {
			t.Fatal(err)
		}
	}
	if a.door.WrongTags(netip.MustParseAddr("203.0.113.9")); a.shield.tags.Packets() != 1 {
		t.Error("requests with wrong tags are not counted by their source")
	}
	if a.door.May(door.Party{Trunk: "nobody"}, netip.MustParseAddr("192.0.2.10"), time.Now()) {
		t.Error("a trunk that there is not")
	}
}
