package door

import (
	"net/netip"
	"strings"
	"testing"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/flow/gate"
	"ringfence/state/store"
)

// Phones forward the calls of their line by codes: to ordinary numbers, from where the line is usual, and not too often. A call that is sent on obeys no code.
func TestCodesOfForwarding(t *testing.T) {
	s := newScene(t)
	if _, why := s.call("*21*07700900123#", home); why != policy.NumberInvalid {
		t.Errorf("switched off: %v", why)
	}
	s.o.ForwardCodes = func() string { return "21 67 61 62" }
	s.o.Devices.Forget(s.line)
	s.login(s.password, home)
	now := func() account.Forwards {
		l, _ := s.o.Book.Line(s.line)
		return l.Forwards()
	}
	tight := func(a *gate.Attempt) { a.Tight = "203.0.113.9/2026-11-30" }
	restricted := func(a *gate.Attempt) { a.Restricted = true }
	sent := func(a *gate.Attempt) { a.Cause = call.Transferred }
	for _, c := range []struct {
		dialled string
		from    netip.AddrPort
		change  func(*gate.Attempt)
		why     policy.Reason
		want    account.Forwards
	}{
		{"*21*07700900123", thief, nil, policy.ForwardNotByCode, account.Forwards{}},
		{"*21*07700900123", home, tight, policy.ForwardNotByCode, account.Forwards{}},
		{"*21*07700900123", home, restricted, policy.ForwardNotByCode, account.Forwards{}},
		{"*21*07700900123", home, sent, policy.NumberInvalid, account.Forwards{}},
		{"*21*005371234567#", home, nil, policy.ForwardNotByCode, account.Forwards{}},
		{"*21*09098791234#", home, nil, policy.ForwardNotByCode, account.Forwards{}},
		{"*21*999#", home, nil, policy.ForwardNotByCode, account.Forwards{}},
		{"*99*07700900123#", home, nil, policy.NumberInvalid, account.Forwards{}},
		{"*21*#", home, nil, policy.NumberInvalid, account.Forwards{}},
		{"*21*07700900123%23", home, nil, policy.ForwardSet, account.Forwards{Always: "07700900123"}},
		{"*61*07700900124*25#", home, nil, policy.ForwardSet, account.Forwards{Always: "07700900123", NoAnswer: "07700900124", After: 25}},
		{"*61*07700900124*1#", home, nil, policy.NumberInvalid, account.Forwards{Always: "07700900123", NoAnswer: "07700900124", After: 25}},
		{"*61*07700900124*0#", home, nil, policy.NumberInvalid, account.Forwards{Always: "07700900123", NoAnswer: "07700900124", After: 25}},
		{"*61*07700900124*-20#", home, nil, policy.NumberInvalid, account.Forwards{Always: "07700900123", NoAnswer: "07700900124", After: 25}},
		{"*61*07700900124*18446744093#", home, nil, policy.NumberInvalid, account.Forwards{Always: "07700900123", NoAnswer: "07700900124", After: 25}}, // 2^64 ns and 19 s
		{"*61*07700900124*20*20#", home, nil, policy.NumberInvalid, account.Forwards{Always: "07700900123", NoAnswer: "07700900124", After: 25}},
		{"*61*07700900124*２０#", home, nil, policy.NumberInvalid, account.Forwards{Always: "07700900123", NoAnswer: "07700900124", After: 25}},
		{"*61*077009%00124#", home, nil, policy.ForwardNotByCode, account.Forwards{Always: "07700900123", NoAnswer: "07700900124", After: 25}},
		{"#21#", home, nil, policy.ForwardCleared, account.Forwards{NoAnswer: "07700900124", After: 25}},
		{"*62*07700900125#", home, nil, policy.ForwardSet, account.Forwards{NoAnswer: "07700900124", Unreachable: "07700900125", After: 25}},
		{"#62", thief, nil, policy.ForwardCleared, account.Forwards{NoAnswer: "07700900124", After: 25}}, // ends one: that tightens
		{"*67*07700900126#", home, nil, policy.ForwardSet, account.Forwards{Busy: "07700900126", NoAnswer: "07700900124", After: 25}},
	} {
		var change []func(*gate.Attempt)
		if c.change != nil {
			change = append(change, c.change)
		}
		if _, why := s.call(c.dialled, c.from, change...); why != c.why || now() != c.want {
			t.Errorf("%s from %s: %v, %+v", c.dialled, c.from, why, now())
		}
	}
	facts, err := s.db.Facts(t.Context(), store.FactFilter{Kind: fact.KindLineChanged})
	must(t, err)
	var body fact.LineChanged
	must(t, body.Decode(facts[0].Body))
	if from := `"from":"` + home.Addr().String() + `"`; body.By != fact.ByForwardCode || !strings.Contains(string(body.After), from) {
		t.Errorf("the journal says %s, %s", body.By, body.After)
	}
	for range codesPerMinute {
		s.call("#67#", home)
	}
	if _, why := s.call("#67#", home); why != policy.TooManyPerMinute {
		t.Errorf("a flood of codes: %v", why)
	}
}

// A forward comes from no phone, so that no IP lock stops it; what a phone sends on comes from the phone.
func TestAnIPLockAndCallsThatAreSentOn(t *testing.T) {
	s := newScene(t)
	s.lock("192.0.2.0/24")
	for _, c := range []struct {
		cause call.Cause
		from  netip.AddrPort
		want  policy.Reason
	}{
		{call.ForwardBusy, netip.AddrPort{}, policy.OK},
		{call.Transferred, home, policy.OK},
		{call.Transferred, thief, policy.AddressLocked},
		{call.Redirected, thief, policy.AddressLocked},
		{call.Redirected, netip.AddrPort{}, policy.AddressLocked},
	} {
		if _, why := s.call("02079460000", c.from, func(a *gate.Attempt) { a.Cause, a.Turns = c.cause, 1 }); why != c.want {
			t.Errorf("%s from %s: %v", c.cause, c.from, why)
		}
	}
	for to, want := range map[string]policy.Reason{"999": policy.SentToEmergency, "005371234567": policy.Unpriced} {
		if _, why := s.call(to, home, func(a *gate.Attempt) { a.Cause = call.Transferred }); why != want {
			t.Errorf("%s: %v", to, why)
		}
	}
	_, err := s.o.Book.Lock(t.Context(), "t", s.line, "x", account.CallsEnd)
	must(t, err)
	if _, why := s.call("02079460000", netip.AddrPort{}, func(a *gate.Attempt) { a.Cause = call.ForwardBusy }); why != policy.LineLocked {
		t.Errorf("of a locked line: %v", why)
	}
}
