package door

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"net/netip"
	"regexp"
	"sync"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/core/secret"
	"ringfence/flow/auth"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/device"
	"ringfence/flow/flood"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
	"ringfence/flow/ledger"
	"ringfence/flow/location"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// scene is a door with all that it asks: customer acme with line 2001.
type scene struct {
	*Door
	t        *testing.T
	db       *booktest.Store
	line     string // its identity
	password string
	code     string       // that locks the line
	cut      chan call.ID // what the edge was told to hang up
}

var (
	home  = netip.MustParseAddrPort("192.0.2.7:5060")
	thief = netip.MustParseAddrPort("203.0.113.9:5060")
)

func newScene(t *testing.T) *scene {
	t.Helper()
	ctx, db, m := t.Context(), &booktest.Store{}, memory.New()
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	b, err := book.Open(ctx, db, book.Options{Plan: phone.UK(), Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "test"})
	must(t, err)
	acme, err := b.AddCustomer(ctx, "t", "acme", book.CustomerEdit{})
	must(t, err)
	s := &scene{t: t, db: db, cut: make(chan call.ID, 100)}
	l, password, err := b.AddLine(ctx, "t", book.NewLine{ID: "2001", Customer: acme.ID})
	must(t, err)
	s.line, s.password = l.ID(), password
	addresses := []string{"127.0.0.1:5090"}
	_, err = b.AddTrunk(ctx, "t", "carrier", book.TrunkEdit{Addresses: &addresses})
	must(t, err)
	_, err = b.Import(ctx, "t", []byte("Destination,Prefix,Price\nUK geographic,442,0.012\n"), book.ImportOptions{Name: "retail", Kind: rating.Retail})
	must(t, err)
	led := ledger.New(m, ledger.Options{Node: "n1"})
	led.Start()
	g, err := gate.New(gate.Options{Node: "n1", Plan: b.Plan(), Book: b, Ledger: led})
	must(t, err)
	g.Serve(gate.Edge{Cut: func(id call.ID, _ policy.Reason, _ policy.Figures) { s.cut <- id }})
	must(t, g.Start(ctx, m))
	t.Cleanup(func() { g.Stop(); must(t, led.Stop(context.Background())) })
	phones := location.New(location.Options{Store: db})
	s.Door, err = New(Options{
		Book: b, Phones: phones, Gate: g, Devices: device.New(device.Options{Store: db, Elsewhere: phones.Elsewhere}),
		Strangers: flood.New(flood.Options{}), WrongTags: flood.New(flood.Options{}),
		Guard: guard.Options{Options: auth.Options{Realm: "test"}}, PanicCode: func() string { return s.code },
	})
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lock sets the IP lock of the line; "" is none.
func (s *scene) lock(text string) {
	s.t.Helper()
	nets, err := account.ParseNets(text)
	must(s.t, err)
	_, err = s.o.Book.EditLine(s.t.Context(), "t", s.line, book.LineEdit{Nets: &nets})
	must(s.t, err)
}

// register registers a phone of the line and returns what is registered then.
func (s *scene) register(at netip.AddrPort) []location.Binding {
	s.t.Helper()
	all, err := s.Register(s.line, location.Update{
		Contacts: []location.Contact{{URI: "sip:2001@" + at.String(), Expires: time.Hour}}, CallID: at.String(), CSeq: 1,
		Received: at, Transport: "udp", Now: time.Now(),
	})
	must(s.t, err)
	return all
}

// call tries one, and gives it up at the end of the test.
func (s *scene) call(to string, from netip.AddrPort, change ...func(*gate.Attempt)) (*gate.Plan, policy.Reason) {
	s.t.Helper()
	try := gate.Attempt{Line: s.line, Dialled: to, Source: from, ALeg: "x"}
	for _, f := range change {
		f(&try)
	}
	plan, err := s.Admit(s.t.Context(), try)
	if r := (*gate.Refusal)(nil); errors.As(err, &r) {
		return nil, r.Reason
	}
	must(s.t, err)
	s.t.Cleanup(func() {
		s.o.Gate.Ended(plan.ID, gate.End{Reason: policy.Cancelled, Status: 487, At: time.Now()})
		s.o.Gate.Over(plan.ID, nil)
	})
	return plan, policy.OK
}

var nonceIn = regexp.MustCompile(`nonce="([^"]*)"`)

// stranger is asked for a login.
func (s *scene) stranger(at netip.AddrPort) string {
	l := Login{Src: at.Addr(), Now: time.Now()}
	s.Login(&l)
	return string(l.Ask)
}

// login answers a challenge with a password.
func (s *scene) login(password string, at netip.AddrPort) guard.Result {
	s.t.Helper()
	sum := func(text string) string { x := md5.Sum([]byte(text)); return hex.EncodeToString(x[:]) }
	nonce := nonceIn.FindStringSubmatch(s.stranger(at))[1]
	const uri = "sip:test.example"
	response := sum(sum("2001:test:"+password) + ":" + nonce + ":00000001:c:auth:" + sum("REGISTER:"+uri))
	return s.Login(&Login{Credentials: auth.Credentials{
		Method: []byte("REGISTER"), User: []byte("2001"), Realm: []byte("test"), Nonce: []byte(nonce), URI: []byte(uri), Response: []byte(response),
		CNonce: []byte("c"), NC: []byte("00000001"), QOP: []byte("auth"), Agent: []byte("Phone 1"),
	}, Src: at.Addr(), Now: time.Now()})
}

// A right login is a device, from where it is usual; a wrong one leaves nothing. Each source that is asked to log in is counted.
func TestALoginIsADeviceSeen(t *testing.T) {
	s := newScene(t)
	if got := s.login("wrong", thief); got.Outcome != guard.Refuse || s.Usual(s.line, thief.Addr()) {
		t.Errorf("a wrong password: %+v", got)
	}
	if s.Usual(s.line, home.Addr()) {
		t.Error("a place that was never seen is usual")
	}
	if got := s.login(s.password, home); got.Outcome != guard.Accept || got.Line != s.line || !s.Usual(s.line, home.Addr()) {
		t.Errorf("the right password: %+v", got)
	}
	s.Notify("", WrongTags(thief.Addr()))
	if n, m := s.o.Strangers.Packets(), s.o.WrongTags.Packets(); n != 2 || m != 1 {
		t.Errorf("counted %d strangers and %d requests with wrong tags", n, m)
	}
	if _, err := s.o.Book.SetPassword(t.Context(), "t", s.line, ""); err != nil {
		t.Fatal(err)
	}
	if got := s.login(s.password, thief); got.Outcome != guard.Refuse {
		t.Errorf("a password that was replaced: %+v", got)
	}
	if err := s.o.Book.DeleteLine(t.Context(), "t", s.line); err != nil {
		t.Fatal(err)
	}
	if s.o.Devices.Usual(s.line, home.Addr()) {
		t.Error("devices outlast their line")
	}
}

// What the lock of a line says holds for everything that asks: logins, phones that ring, packets inside calls, calls.
func TestALockHasThreeAnswers(t *testing.T) {
	s := newScene(t)
	for _, c := range []struct {
		nets             string
		at               netip.AddrPort
		may, usual       bool
		outcome          guard.Outcome
		reason, ofTheTry policy.Reason
	}{
		{"", thief, true, false, guard.Accept, policy.OK, policy.OK},
		{"192.0.2.0/24", home, true, true, guard.Accept, policy.OK, policy.OK},
		{"192.0.2.0/24", thief, false, false, guard.Refuse, policy.AddressLocked, policy.AddressLocked},
		{"192.0.2.0/24", netip.MustParseAddrPort("[::ffff:192.0.2.9]:5060"), true, true, guard.Accept, policy.OK, policy.OK},
		{"2001:db8::/32", home, false, false, guard.Refuse, policy.AddressLocked, policy.AddressLocked},
	} {
		s.lock(c.nets)
		if got := s.May(Party{Line: s.line}, c.at.Addr(), time.Now()); got != c.may {
			t.Errorf("%q: may from %s: %v", c.nets, c.at, got)
		}
		if got := s.Usual(s.line, c.at.Addr()); got != c.usual {
			t.Errorf("%q: usual from %s: %v", c.nets, c.at, got)
		}
		s.o.Devices.Forget(s.line)
		if got := s.login(s.password, c.at); got.Outcome != c.outcome || got.Reason != c.reason || got.EmergencyOK != !c.may {
			t.Errorf("%q: login from %s: %+v", c.nets, c.at, got)
		}
		s.o.Devices.Forget(s.line)
		if _, why := s.call("02079460000", c.at); why != c.ofTheTry {
			t.Errorf("%q: a call from %s: %v", c.nets, c.at, why)
		}
		if n := len(s.register(c.at)); (n == 1) != c.may || len(s.Reach(Party{Line: s.line}, time.Now()).Phones) != n {
			t.Errorf("%q: %d phones at %s", c.nets, n, c.at)
		}
		s.o.Phones.Drop(s.line)
	}
	if !s.May(Party{Line: "nobody"}, thief.Addr(), time.Now()) {
		t.Error("a line that there is not has no lock")
	}
}

// A lock that comes while a login is being judged does not find its phone yet: it is looked at again once it is registered.
// Here the lock is there before, as it would be then, and the guard is not asked. And one that comes later finds all there is.
func TestNothingSlipsPastANewLock(t *testing.T) {
	s := newScene(t)
	s.lock("192.0.2.0/24")
	for i, at := range []netip.AddrPort{home, thief} {
		if got := s.register(at); len(got) != 1 || got[0].Received != home {
			t.Errorf("%d: registered: %+v", i, got)
		}
	}
	if _, why := s.call("02079460000", thief); why != policy.AddressLocked {
		t.Errorf("a call from elsewhere: %v", why)
	}
	plan, why := s.call("02079460000", home)
	if why != policy.OK || s.o.Gate.Cutting(plan.ID) {
		t.Fatalf("a call from home: %v, or it is cut", why)
	}
	help, why := s.call("999", thief, func(a *gate.Attempt) { a.Restricted = true })
	if why != policy.OK {
		t.Fatal(why)
	}
	answered := make(chan string, 10)
	s.Serve(func(line string, found func(call.ID)) { answered <- line })
	other := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} // and now it moves from under them
	l, _ := s.o.Book.Line(s.line)
	if _, err := s.o.Book.EditCustomer(t.Context(), "t", l.Customer(), book.CustomerEdit{Nets: &other}); err != nil {
		t.Fatal(err)
	}
	s.HoldToLocks()
	if n := len(s.o.Phones.Lookup(s.line, time.Now())); n != 0 || !s.o.Gate.Cutting(plan.ID) || s.o.Gate.Cutting(help.ID) {
		t.Errorf("%d phones, cut %v, the call for help cut %v", n, s.o.Gate.Cutting(plan.ID), s.o.Gate.Cutting(help.ID))
	}
	if id := <-s.cut; id != plan.ID {
		t.Errorf("%s was hung up", id)
	}
	if line := <-answered; line != "" {
		t.Errorf("the edge was asked for calls that phones of %q answered", line)
	}
	s.lock("198.51.100.0/24") // of one line: its phones go at once, its calls beside
	if line := <-answered; line == "" {
		line = <-answered
		if line != s.line {
			t.Errorf("the edge was asked for %q", line)
		}
	}
}

// Guards against a trunk that lists no sources, or a name, letting requests inside its calls come from anywhere.
func TestWhereACarriersRequestsMayComeFrom(t *testing.T) {
	s := newScene(t)
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
		trunk, err := s.o.Book.AddTrunk(t.Context(), "t", "held", edit)
		must(t, err)
		for _, at := range c.may {
			if !s.May(Party{Trunk: trunk.Name}, netip.MustParseAddr(at), time.Now()) {
				t.Errorf("%v %s: %s may not", c.addresses, c.sources, at)
			}
		}
		for _, at := range c.not {
			if s.May(Party{Trunk: trunk.Name}, netip.MustParseAddr(at), time.Now()) {
				t.Errorf("%v %s: %s may", c.addresses, c.sources, at)
			}
		}
		must(t, s.o.Book.DeleteTrunk(t.Context(), "t", trunk.Name))
	}
	if s.May(Party{Trunk: "nobody"}, netip.MustParseAddr("192.0.2.10"), time.Now()) {
		t.Error("a trunk that there is not")
	}
}

// Who is known at an address: a trunk by where its calls come from, phones by where they registered.
func TestWhoIsAtAnAddress(t *testing.T) {
	s := newScene(t)
	addresses, sources := []string{"192.0.2.10:5060", "gw.carrier.example:5060"}, []netip.Prefix{netip.MustParsePrefix("192.0.2.32/28")}
	trunk, err := s.o.Book.AddTrunk(t.Context(), "t", "held", book.TrunkEdit{Addresses: &addresses, Sources: &sources})
	must(t, err)
	s.register(home)
	for at, want := range map[string]Peer{
		"192.0.2.7:5060":  {Phones: 1, Phone: true},
		"192.0.2.7:5061":  {Phones: 1},
		"192.0.2.33:5060": {Trunk: trunk.Name},
		"192.0.2.10:5060": {Out: trunk.Name},
		"192.0.2.10:5061": {},
	} {
		if got := s.Peer(netip.MustParseAddrPort(at), ""); got != want {
			t.Errorf("%s: %+v, want %+v", at, got, want)
		}
	}
	if got := s.Peer(thief, "gw.carrier.example:5060"); got.Out != trunk.Name {
		t.Errorf("calls to a trunk's host go to trunk %q", got.Out)
	}
	if got := s.Peer(thief, ""); got.Out != "" {
		t.Errorf("calls to a stranger go to trunk %q", got.Out)
	}
}

// Who guesses from behind the address of a registered phone is locked out by the guard; the phone's packets are not dropped.
func TestNobodyIsDroppedBesideARegisteredPhone(t *testing.T) {
	s, at := newScene(t), thief.Addr()
	if why := s.Exempt(at); why != "" {
		t.Fatalf("spared before: %s", why)
	}
	s.register(thief)
	if s.Exempt(at) == "" {
		t.Error("the phone's own address may be banned")
	}
	if _, _, ok := s.ExemptInside(netip.MustParsePrefix("203.0.113.0/24")); !ok {
		t.Error("its network may be banned")
	}
	if s.Exempt(netip.MustParseAddr("203.0.113.10")) != "" {
		t.Error("a neighbour without a phone is spared")
	}
	s.lock("198.51.100.0/24")
	if at, why, ok := s.ExemptInside(netip.MustParsePrefix("198.51.0.0/16")); !ok || why != "on the IP lock of line 2001" || at.String() != "198.51.100.0" {
		t.Errorf("a network with an IP lock inside: %s %q %v", at, why, ok)
	}
}

// The code that admits a held login is for phones at usual places of the line alone, and always answered with words.
func TestTheCodeThatAdmits(t *testing.T) {
	s := newScene(t)
	for name, c := range map[string]struct {
		from   netip.AddrPort
		change func(*gate.Attempt)
		want   policy.Reason
	}{
		"a usual place":     {home, func(*gate.Attempt) {}, policy.NoLoginHeld},
		"a strange place":   {thief, func(*gate.Attempt) {}, policy.NumberInvalid},
		"outside the lock":  {home, func(a *gate.Attempt) { a.Restricted = true }, policy.NumberInvalid},
		"on probation":      {home, func(a *gate.Attempt) { a.Tight = "192.0.2.7/2026-11-29" }, policy.NumberInvalid},
		"a carrier's call":  {home, func(a *gate.Attempt) { a.Line, a.Trunk = "", "carrier" }, policy.NoSuchLine},
		"something longer":  {home, func(a *gate.Attempt) { a.Dialled += "1" }, policy.NumberInvalid},
		"a usual place, up": {home, func(a *gate.Attempt) { a.Full = true }, policy.NoLoginHeld},
	} {
		s.login(s.password, home)
		if _, why := s.call(guard.AdmitCode, c.from, c.change); why != c.want {
			t.Errorf("%s: %v, want %v", name, why, c.want)
		}
	}
}

// The panic code locks the line and cuts its calls whatever is spent, once, from a strange place and on probation too. It does nothing for who is outside the
// IP lock, and does not take over a lock of the provider's.
func TestThePanicCode(t *testing.T) {
	s := newScene(t)
	if _, why := s.call("*5625*", home); why != policy.NumberInvalid {
		t.Errorf("switched off: %v", why)
	}
	s.code = "*5625*"
	l := func() *book.Line {
		l, _ := s.o.Book.Line(s.line)
		return l
	}
	for _, refused := range []func(*gate.Attempt){func(a *gate.Attempt) { a.Restricted = true }, func(a *gate.Attempt) { a.Line, a.Trunk = "", "carrier" }, func(a *gate.Attempt) { a.Dialled += "1" }} {
		if _, why := s.call("*5625*", home, refused); why == policy.LockedByCode || l().Locked() {
			t.Errorf("%v, locked %t", why, l().Locked())
		}
	}
	p, why := s.call("02079460000", home)
	if why != policy.OK {
		t.Fatal(why)
	}
	spent := []book.Setting{{Field: account.LineDayCap}, {Field: account.MaxCalls}, {Field: account.CallsPerMinute}}
	_, err := s.o.Book.EditLine(t.Context(), "t", s.line, book.LineEdit{Set: spent})
	must(t, err)
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			code := []string{"*5625*", "*5625*#", "*5625*%23"}[n%3]
			if _, why := s.call(code, thief, func(a *gate.Attempt) { a.Tight, a.Full = "203.0.113.9/2026-11-29", true }); why != policy.LockedByCode {
				t.Errorf("%s: %v", code, why)
			}
		})
	}
	all.Wait()
	select {
	case id := <-s.cut:
		if id != p.ID {
			t.Errorf("cut %s, want %s", id, p.ID)
		}
	case <-time.After(5 * time.Second):
		t.Error("the call is up")
	}
	facts, err := s.db.Facts(t.Context(), store.FactFilter{Kind: fact.KindLineLocked})
	must(t, err)
	var body fact.LineLocked
	must(t, body.Decode(facts[0].Body))
	if len(facts) != 1 || !l().Locked() || body.By != fact.ByCode {
		t.Errorf("%d facts, locked %t by %s", len(facts), l().Locked(), body.By)
	}
	if _, why := s.call("999", home); why != policy.OK {
		t.Errorf("an emergency call: %v", why)
	}
	_, err = s.o.Book.Unlock(t.Context(), "t", s.line)
	must(t, err)
	_, err = s.o.Book.Lock(t.Context(), "staff/tom", s.line, "bill not paid", account.CallsEnd)
	must(t, err)
	if _, why := s.call("*5625*", home); why != policy.LockedByCode || l().LockWhy() != "bill not paid" {
		t.Errorf("%v: %s", why, l().LockWhy())
	}
	_, err = s.o.Book.Unlock(t.Context(), "t", s.line)
	must(t, err)
	s.db.Break(booktest.Lost)
	if _, why := s.call("*5625*", home); why != policy.StoreUnavailable || l().Locked() {
		t.Errorf("a full disk: %v", why)
	}
}

// What a line may do is known, and that there is none.
func TestHowManyCallsALineMayPlace(t *testing.T) {
	s := newScene(t)
	if s.Reach(Party{Line: "nobody"}, time.Now()).Calls != 0 || s.Reach(Party{Line: s.line}, time.Now()).Calls <= 0 {
		t.Error("how many calls a line may place at once")
	}
}

// The last step of the ladder: a stranger's phone is unregistered and its login refused, the owner's goes on and rings, and help can be called from everywhere.
func TestARestrictionOfLogins(t *testing.T) {
	s := newScene(t)
	s.register(home)
	s.register(thief)
	closes := []restrict.Restriction{{Login: true, Known: []uint32{habit.Place(home.Addr())}, Products: []uint32{habit.Product("Phone 1")}, Ends: true, Finding: "unusual-calls/x"}}
	l, err := s.o.Book.EditLine(t.Context(), "t", s.line, book.LineEdit{Close: closes})
	must(t, err)
	if all := s.Reach(Party{Line: s.line}, time.Now()).Phones; len(all) != 1 || all[0].Received != home || len(s.o.Phones.Lookup(s.line, time.Now())) != 1 {
		t.Errorf("phones that ring: %+v", all)
	}
	if got := s.login(s.password, home); got.Outcome != guard.Accept {
		t.Errorf("the owner's phone: %+v", got)
	}
	got := s.login(s.password, thief)
	id := l.Settings().Restrictions[0].ID
	if got.Outcome != guard.Refuse || got.Reason != policy.LoginClosed || got.Figures.Limit != id || !got.EmergencyOK || got.Line != s.line || s.Usual(s.line, thief.Addr()) {
		t.Errorf("a stranger: %+v", got)
	}
	if len(s.register(thief)) != 1 {
		t.Error("a stranger's phone was registered while its login was judged")
	}
	agent := func(a *gate.Attempt) { a.UserAgent = "Phone 1 2.0" }
	for _, c := range []struct {
		to     string
		from   netip.AddrPort
		change func(*gate.Attempt)
		want   policy.Reason
	}{
		{"02079460000", home, agent, policy.OK},
		{"02079460000", thief, agent, policy.LoginClosed},
		{"02079460000", thief, func(a *gate.Attempt) { a.Restricted = true }, policy.LoginClosed}, // as the edge asks once the login was refused
		{"02079460000", home, func(a *gate.Attempt) { a.UserAgent = "friendly-scanner" }, policy.LoginClosed},
		{"999", thief, func(a *gate.Attempt) { a.Restricted = true }, policy.OK},
	} {
		if _, why := s.call(c.to, c.from, c.change); why != c.want {
			t.Errorf("%s from %s: %v", c.to, c.from, why)
		}
	}
	if got := s.login("wrong", thief); got.Reason != policy.BadCredentials {
		t.Errorf("a wrong password: %+v", got)
	}
	_, err = s.o.Book.EditLine(t.Context(), "owner", s.line, book.LineEdit{Vouch: "unusual-calls/"})
	must(t, err)
	if got := s.login(s.password, thief); got.Outcome != guard.Accept {
		t.Errorf("once it is lifted: %+v", got)
	}
}
