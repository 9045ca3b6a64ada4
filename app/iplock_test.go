package app

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/flow/location"
)

// A lock that comes while a login is being judged does not find its phone yet: it is looked at again once it is registered.
// Here the lock is there before, as it would be then, and auth is not asked. And one that comes later finds all there is.
func TestNothingSlipsPastANewLock(t *testing.T) {
	a, ctx := running(t), context.Background()
	home, thief := netip.MustParseAddrPort("192.0.2.7:5060"), netip.MustParseAddrPort("203.0.113.9:5060")
	nets := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	l, _ := a.book.LineCalled("2001")
	line := l.ID()
	if _, err := a.book.EditLine(ctx, "t", line, book.LineEdit{Nets: &nets}); err != nil {
		t.Fatal(err)
	}
	for i, at := range []netip.AddrPort{home, thief} {
		got, err := a.door.Register(line, location.Update{
			Contacts: []location.Contact{{URI: "sip:2001@" + at.String(), Expires: time.Hour}}, CallID: at.String(), CSeq: 1,
			Received: at, Transport: "udp", Now: time.Now(),
		})
		if err != nil || len(got) != 1 || got[0].Received != home {
			t.Errorf("%d: registered: %+v %v", i, got, err)
		}
	}
	if _, err := a.door.Admit(ctx, gate.Attempt{Line: line, Dialled: "02079460000", Source: thief, ALeg: "x"}); err == nil {
		t.Error("a call from elsewhere was let out")
	}
	plan, err := a.door.Admit(ctx, gate.Attempt{Line: line, Dialled: "02079460000", Source: home, ALeg: "y"})
	if err != nil || a.gate.Cutting(plan.ID) {
		t.Fatalf("a call from home: %v, or it is cut", err)
	}
	help, err := a.door.Admit(ctx, gate.Attempt{Line: line, Dialled: "999", Source: thief, ALeg: "z", Restricted: true})
	if err != nil {
		t.Fatal(err)
	}
	other := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} // and now it moves from under them
	if _, err := a.book.EditCustomer(ctx, "t", l.Customer(), book.CustomerEdit{Nets: &other}); err != nil {
		t.Fatal(err)
	}
	a.door.HoldToLocks()
	if n := len(a.location.Lookup(line, time.Now())); n != 0 || !a.gate.Cutting(plan.ID) || a.gate.Cutting(help.ID) {
		t.Errorf("%d phones, cut %v, the call for help cut %v", n, a.gate.Cutting(plan.ID), a.gate.Cutting(help.ID))
	}
	for _, id := range []gate.Plan{*plan, *help} { // no edge knows them
		a.gate.Ended(id.ID, gate.End{Reason: policy.Cancelled, Status: 487, At: time.Now()})
		a.gate.Over(id.ID, nil)
	}
}
