package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/state/store"
)

var book = []struct {
	name string
	run  func(t *testing.T, s store.Store)
}{
	{"Customers", customers},
	{"Lines", lines},
	{"Identities", identities},
	{"LinesInBulk", linesInBulk},
	{"Trunks", trunks},
	{"Requests", requests},
	{"Decks", decks},
	{"Called", called},
	{"Past", past},
	{"Registrations", registrations},
	{"Rekey", rekey},
	{"FactsWithTheBook", factsWithTheBook},
}

func contextThatEnds(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range texts {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func wantIs(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%s: %v, want %v", what, err, target)
	}
}

func customers(t *testing.T, s store.Store) {
	ctx := t.Context()
	full := account.Customer{ID: "zeta", Name: "Zeta ☎ Ltd\x00", Zone: "Europe/London", Tariff: "standard", Settings: settings(), Created: T0}
	full.Numbers = []account.Proven{{Number: "443069990123", How: account.ByStaff, By: "staff/tom", Why: "a letter ☎", Since: T0}}
	full.Asked = []account.Asked{{Number: "447700900123", How: account.ByText, By: "zeta/ana", Code: []byte{0, 1, 255}, At: T0, Tries: 2}, {Number: "447700900123", How: account.ByCall, At: T0}}
	// By bytes, not by anyone's alphabet: "Z" < "a", "-" < "0".
	for _, c := range []account.Customer{full, {ID: "a-b"}, {ID: "a0"}, {ID: "Z"}, {ID: "ä"}} {
		ok(t, s.PutCustomer(ctx, c, true))
	}
	wantIs(t, "again", s.PutCustomer(ctx, account.Customer{ID: "a0"}, true), store.ErrExists)
	wantIs(t, "update of none", s.PutCustomer(ctx, account.Customer{ID: "none"}, false), store.ErrNotFound)
	ok(t, s.PutCustomer(ctx, account.Customer{ID: "a0", Name: "changed"}, false))
	wantIs(t, "many, one of which is there", s.PutCustomers(ctx, []account.Customer{{ID: "new"}, {ID: "a0"}}, store.Fact{Kind: "x"}), store.ErrExists)
	ok(t, s.PutCustomers(ctx, nil))
	full.Name = "Zeta ☎ Ltd"
	got, err := s.Customers(ctx)
	ok(t, err)
	same(t, "customers", got, []account.Customer{{ID: "Z"}, {ID: "a-b"}, {ID: "a0", Name: "changed"}, full, {ID: "ä"}})
	ok(t, s.PutLine(ctx, account.Line{ID: "100", Customer: "zeta"}, true))
	wantIs(t, "with a line", s.DeleteCustomer(ctx, "zeta"), store.ErrInUse)
	wantIs(t, "of none", s.DeleteCustomer(ctx, "none"), store.ErrNotFound)
	ok(t, s.DeleteLine(ctx, "100"))
	ok(t, s.DeleteCustomer(ctx, "zeta"))
	resells(t, s)
}

// resells: a reseller cannot go while it has customers.
func resells(t *testing.T, s store.Store) {
	ctx := t.Context()
	north := account.Customer{ID: "north", Resale: account.Resale{Sells: true, DayCap: 5, MonthCap: 50}, Created: T0}
	theirs := account.Customer{ID: "Z", Reseller: "north"}
	ok(t, s.PutCustomer(ctx, north, true))
	ok(t, s.PutCustomer(ctx, theirs, false))
	got, err := s.Customers(ctx)
	ok(t, err)
	same(t, "a reseller and its customer", []account.Customer{got[0], got[3]}, []account.Customer{theirs, north})
	wantIs(t, "with a customer", s.DeleteCustomer(ctx, "north"), store.ErrInUse)
	ok(t, s.PutCustomer(ctx, account.Customer{ID: "Z"}, false))
	ok(t, s.DeleteCustomer(ctx, "north"))
}

func eachLine(t *testing.T, s store.Store) []account.Line {
	t.Helper()
	var got []account.Line
	ok(t, s.EachLine(t.Context(), func(l account.Line) error {
		got = append(got, l)
		return nil
	}))
	return got
}

func lines(t *testing.T, s store.Store) {
	ctx := t.Context()
	ok(t, s.PutCustomer(ctx, account.Customer{ID: "acme"}, true))
	full := account.Line{
		ID: "b.2_x-Y", Customer: "acme", Number: "442079460000", Name: "desk", Sealed: []byte{0, 1, 0xff}, Locked: true,
		LockWhy: "fraud", LockCalls: account.CallsKept, Settings: settings(), Created: T0, Forwards: account.Forwards{Busy: "07700900123", After: 30},
		Reach: account.Reach{Short: "21", Numbers: []account.Numbers{{First: 442079460100, Last: 442079460199}}, Members: []string{"a"}, InTurn: true, Each: 15},
	}
	ok(t, s.PutLine(ctx, full, true))
	ok(t, s.PutLine(ctx, account.Line{ID: "a", Customer: "acme"}, true))
	ok(t, s.PutLine(ctx, account.Line{ID: "B", Customer: "acme", Sealed: []byte{}}, true)) // a second without a number
	wantIs(t, "same id", s.PutLine(ctx, account.Line{ID: "a", Customer: "acme"}, true), store.ErrExists)
	wantIs(t, "same number", s.PutLine(ctx, account.Line{ID: "c", Customer: "acme", Number: full.Number}, true), store.ErrExists)
	wantIs(t, "number taken later", s.PutLine(ctx, account.Line{ID: "a", Customer: "acme", Number: full.Number}, false), store.ErrExists)
	wantIs(t, "no customer", s.PutLine(ctx, account.Line{ID: "c", Customer: "none"}, true), store.ErrNotFound)
	wantIs(t, "no line", s.PutLine(ctx, account.Line{ID: "c", Customer: "acme"}, false), store.ErrNotFound)
	same(t, "lines", eachLine(t, s), []account.Line{{ID: "B", Customer: "acme"}, {ID: "a", Customer: "acme"}, full})
	full.Sealed, full.Locked, full.LockCalls, full.Number, full.Settings = nil, false, account.CallsEnd, "", account.Settings{}
	ok(t, s.PutLine(ctx, full, false))
	same(t, "changed", eachLine(t, s)[2], full)
	for what, only := range map[string]account.Settings{
		"nets": {Nets: settings().Nets}, "a value": {Values: settings().Values}, "restrictions": {Restrictions: restrictions()},
	} {
		full.Settings = only
		ok(t, s.PutLine(ctx, full, false))
		same(t, "nothing but "+what, eachLine(t, s)[2], full)
	}
	stop := errors.New("enough")
	n := 0
	wantIs(t, "stopped", s.EachLine(ctx, func(account.Line) error { n++; return stop }), stop)
	if n != 1 {
		t.Fatalf("went on for %d after the first error", n)
	}
	ok(t, s.SaveRegistrations(ctx, []store.Registration{{Line: "a", Contact: "sip:a@x"}}, nil))
	ok(t, s.DeleteLine(ctx, "a"))
	wantIs(t, "deleted", s.DeleteLine(ctx, "a"), store.ErrNotFound)
	same(t, "registrations of a line that is gone", contacts(t, s), []store.Registration(nil))
}

// identities: a name is one's at a time, and free again when its line, customer or trunk is gone; what was removed is found.
func identities(t *testing.T, s store.Store) {
	ctx := t.Context()
	gone := func(what, id string) store.Fact {
		f := store.Fact{At: T0, Kind: what + ".deleted", Line: id, Body: []byte(`{}`)}
		if what == "customer" {
			f.Line, f.Account = "", id
		}
		return f
	}
	removed := func(what, handle string, want ...string) {
		t.Helper()
		facts, err := s.Removals(ctx, what, handle, 3)
		ok(t, err)
		var got []string
		for _, f := range facts {
			got = append(got, f.Line+f.Account)
		}
		same(t, "removed "+what+" "+handle, got, want)
	}
	for _, id := range []string{"acme", "acme~00000000", "acme~00000001"} { // the first is from before there were identities
		ok(t, s.PutCustomer(ctx, account.Customer{ID: id}, true))
		for _, other := range []string{"acme", "acme~zzzzzzzz"} {
			wantIs(t, "another customer of the name", s.PutCustomer(ctx, account.Customer{ID: other}, true), store.ErrExists)
		}
		ok(t, s.PutCustomer(ctx, account.Customer{ID: id, Name: "changed"}, false))
		for _, line := range []string{"3001", "3001~00000000", "3001~00000001"} {
			ok(t, s.PutLine(ctx, account.Line{ID: line, Customer: id}, true))
			ok(t, s.PutLines(ctx, []account.Line{{ID: "300", Customer: id}, {ID: "30011~" + line[:4], Customer: id}}))
			for _, other := range []string{"3001", "3001~zzzzzzzz"} {
				wantIs(t, "another line of the name", s.PutLine(ctx, account.Line{ID: other, Customer: id}, true), store.ErrExists)
				wantIs(t, "in bulk", s.PutLines(ctx, []account.Line{{ID: "x", Customer: id}, {ID: other, Customer: id}}), store.ErrExists)
			}
			ok(t, s.PutLine(ctx, account.Line{ID: line, Customer: id, Locked: true}, false))
			for _, l := range eachLine(t, s) {
				ok(t, s.DeleteLine(ctx, l.ID, gone("line", l.ID)))
			}
		}
		ok(t, s.DeleteCustomer(ctx, id, gone("customer", id)))
	}
	removed("line", "3001", "3001~00000001", "3001~00000000", "3001")
	removed("line", "300", "300", "300", "300")
	removed("line", "3")
	removed("line", "", "3001~00000001", "30011~3001", "300")
	removed("customer", "acme", "acme~00000001", "acme~00000000", "acme")
	removed("customer", "3001")
	ok(t, s.PutTrunk(ctx, account.Trunk{Name: "carrier~00000000"}, true))
	wantIs(t, "another trunk of the name", s.PutTrunk(ctx, account.Trunk{Name: "carrier"}, true), store.ErrExists)
	ok(t, s.DeleteTrunk(ctx, "carrier~00000000"))
	ok(t, s.PutTrunk(ctx, account.Trunk{Name: "carrier~00000001"}, true))
}

func linesInBulk(t *testing.T, s store.Store) {
	ctx := t.Context()
	ok(t, s.PutCustomer(ctx, account.Customer{ID: "acme"}, true))
	var ls []account.Line
	for i := range 2000 {
		ls = append(ls, account.Line{ID: fmt.Sprintf("%05d", i), Customer: "acme", Number: fmt.Sprintf("44207%07d", i), Sealed: []byte("s")})
	}
	ok(t, s.PutLines(ctx, ls, store.Fact{Kind: "line.added"}))
	same(t, "lines", eachLine(t, s), ls)
	var some []account.Line
	ok(t, s.EachLine(ctx, func(l account.Line) error { some = append(some, l); return nil }, "00007", "none", "00003"))
	same(t, "some lines", some, []account.Line{ls[3], ls[7]})
	err := s.PutLines(ctx, []account.Line{{ID: "x1", Customer: "acme"}, ls[7]}, store.Fact{Kind: "line.added"})
	wantIs(t, "one of them there", err, store.ErrExists)
	if n := len(eachLine(t, s)); n != 2000 {
		t.Fatalf("%d lines: some of a failed bulk stayed", n)
	}
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"line.added"})
	ok(t, s.PutLines(ctx, nil))
}

func trunks(t *testing.T, s store.Store) {
	ctx := t.Context()
	full := account.Trunk{
		Name: "carrier", Addresses: []string{"192.0.2.1:5060", "[2001:db8::1]:5060"}, Transport: "udp", User: "u", Sealed: []byte{1}, Registrar: "192.0.2.1:5060", Expiry: 600, MaxCalls: 30, MaxRate: 5,
		Sources: prefixes("192.0.2.0/24", "::1/128"), Priority: -5, Deck: "cost", Format: "+e164", Withheld: "removed", Emergency: true, Disabled: true,
		Headers: "both", Privacy: "user;id", Abroad: "checked",
	}
	ok(t, s.PutTrunk(ctx, account.Trunk{Name: "b"}, true))
	ok(t, s.PutTrunk(ctx, account.Trunk{Name: "a"}, true))
	ok(t, s.PutTrunk(ctx, full, true))
	wantIs(t, "again", s.PutTrunk(ctx, full, true), store.ErrExists)
	wantIs(t, "none", s.PutTrunk(ctx, account.Trunk{Name: "c"}, false), store.ErrNotFound)
	ok(t, s.PutTrunk(ctx, account.Trunk{Name: "b", Priority: 2}, false))
	got, err := s.Trunks(ctx)
	ok(t, err)
	same(t, "trunks", got, []account.Trunk{full, {Name: "a"}, {Name: "b", Priority: 2}})
	ok(t, s.DeleteTrunk(ctx, "a"))
	wantIs(t, "deleted", s.DeleteTrunk(ctx, "a"), store.ErrNotFound)
}

func requests(t *testing.T, s store.Store) {
	ctx := t.Context()
	a := account.Request{Line: "100", Field: account.InternationalCeiling, N: math.MaxInt64, Until: T0, Why: "Cuba", State: "open", Made: T0}
	b := account.Request{Line: "200", Field: account.NumFields - 1, N: math.MinInt64, State: "open"}
	var err error
	a.ID, err = s.PutRequest(ctx, a)
	ok(t, err)
	b.ID, err = s.PutRequest(ctx, b)
	ok(t, err)
	if a.ID == 0 || b.ID <= a.ID {
		t.Fatalf("ids %d, %d", a.ID, b.ID)
	}
	got, err := s.Requests(ctx, "")
	ok(t, err)
	same(t, "requests", got, []account.Request{b, a})
	a.State, a.Decided, a.DecidedBy, a.Note = "granted", T0, "desk", "fine"
	id, err := s.PutRequest(ctx, a)
	ok(t, err)
	if id != a.ID {
		t.Fatalf("id %d after an update of %d", id, a.ID)
	}
	got, err = s.Requests(ctx, "granted")
	ok(t, err)
	same(t, "granted", got, []account.Request{a})
	_, err = s.PutRequest(ctx, account.Request{ID: 999, State: "open"})
	wantIs(t, "none", err, store.ErrNotFound)
}

func decks(t *testing.T, s store.Store) {
	ctx := t.Context()
	rows := []rating.Price{
		{Prefix: math.MaxUint64, Name: "last ☎", Connect: math.MaxInt64, Minimum: 1, First: math.MaxUint16, Step: 1, Rates: [3]money.Rate{1, 2, math.MaxInt64}},
		{Prefix: 44, Short: true, Name: "UK", First: 1, Step: 1, From: 1, Until: math.MaxInt64},
		{Prefix: 44, Name: "none", First: 1, Step: 1, NoPrice: true},
	}
	v, err := s.PutDeck(ctx, store.Deck{Name: "std", Kind: rating.Retail, Imported: T0, By: "root", Source: "a.csv", Covers: "1=US,CA", Currency: "EUR", Exchange: "USD=0.79", Mapping: "Preis=rate\n3=name"}, rows)
	ok(t, err)
	w, err := s.PutDeck(ctx, store.Deck{Name: "std", Kind: rating.Retail, Imported: T0.Add(1e9)}, rows[:1])
	ok(t, err)
	if v != 1 || w != 2 {
		t.Fatalf("versions %d, %d", v, w)
	}
	_, err = s.PutDeck(ctx, store.Deck{Name: "cost", Kind: rating.Cost, Imported: T0}, nil)
	ok(t, err)
	heads, err := s.Decks(ctx)
	ok(t, err)
	same(t, "decks", heads, []store.Deck{
		{Name: "std", Kind: rating.Retail, Version: 2, Rows: 1, Imported: T0.Add(1e9)},
		{Name: "cost", Kind: rating.Cost, Version: 1, Imported: T0},
		{Name: "std", Kind: rating.Retail, Version: 1, Rows: 3, Imported: T0, By: "root", Source: "a.csv", Covers: "1=US,CA", Currency: "EUR", Exchange: "USD=0.79", Mapping: "Preis=rate\n3=name"},
	})
	for version, n := range map[int64]int{0: 1, 1: 3, 2: 1} {
		got, err := s.DeckRows(ctx, "std", version)
		ok(t, err)
		same(t, "rows", got, rows[:n])
	}
	ok(t, s.DeleteDeck(ctx, "std"))
	wantIs(t, "deleted", s.DeleteDeck(ctx, "std"), store.ErrNotFound)
	_, err = s.DeckRows(ctx, "std", 1)
	wantIs(t, "a deleted version", err, store.ErrNotFound)
	v, err = s.PutDeck(ctx, store.Deck{Name: "std", Kind: rating.Cost, Imported: T0}, rows[1:])
	ok(t, err)
	again, err := s.DeckRows(ctx, "std", v)
	ok(t, err)
	same(t, "rows of a new deck of the name", again, rows[1:])
	_, err = s.DeckRows(ctx, "std", 3)
	wantIs(t, "no such version", err, store.ErrNotFound)
	_, err = s.DeckRows(ctx, "none", 0)
	wantIs(t, "no such deck", err, store.ErrNotFound)
}

func contacts(t *testing.T, s store.Store) []store.Registration {
	t.Helper()
	var got []store.Registration
	ok(t, s.Registrations(t.Context(), func(r store.Registration) error {
		got = append(got, r)
		return nil
	}))
	return got
}

func registrations(t *testing.T, s store.Store) {
	ctx := t.Context()
	a := store.Registration{
		Line: "100", Contact: "sip:100@192.0.2.1", Received: "192.0.2.1:5060", Transport: "udp", CallID: "c\xff", CSeq: math.MaxUint32,
		UserAgent: "phone", Expires: T0, Since: T0, Key: "sip:100@192.0.2.1", Instance: "urn:uuid:1#1", Listener: "[2001:db8::1]:5060", Heard: T0,
	}
	b := store.Registration{Line: "100", Contact: "sip:100@192.0.2.1", Received: "198.51.100.7:5060", Key: "sip:100@192.0.2.1 2"}
	ok(t, s.SaveRegistrations(ctx, []store.Registration{a, b}, nil, store.Fact{Kind: "registration.added"}))
	a.CallID = "c\uFFFD"
	same(t, "contacts", contacts(t, s), []store.Registration{a, b})
	a.CSeq, a.Received, a.Contact = 2, "192.0.2.9:1", "sip:100@192.0.2.9"
	c := store.Registration{Line: "099", Contact: "sip:x", Key: "sip:x"}
	ok(t, s.SaveRegistrations(ctx, []store.Registration{a, c, a}, []store.Registration{b, {Line: "no", Key: "no"}}))
	same(t, "contacts", contacts(t, s), []store.Registration{c, a})
	// In both: what is put stays.
	ok(t, s.SaveRegistrations(ctx, []store.Registration{c}, []store.Registration{a, c}))
	same(t, "contacts", contacts(t, s), []store.Registration{c})
	ok(t, s.SaveRegistrations(ctx, nil, nil))
}

func rekey(t *testing.T, s store.Store) {
	ctx := t.Context()
	ok(t, s.PutCustomer(ctx, account.Customer{ID: "acme"}, true))
	for i := range 30 {
		ok(t, s.PutLine(ctx, account.Line{ID: fmt.Sprintf("%02d", i), Customer: "acme", Sealed: []byte{byte(i), 1}}, true))
	}
	ok(t, s.PutLine(ctx, account.Line{ID: "none", Customer: "acme"}, true))
	ok(t, s.PutTrunk(ctx, account.Trunk{Name: "t", Sealed: []byte{9}}, true))
	n, err := s.Rekey(ctx, func(b []byte) ([]byte, error) { return append([]byte("new"), b...), nil }, store.Fact{Kind: "key.rotated"})
	ok(t, err)
	if n != 31 {
		t.Fatalf("%d secrets", n)
	}
	check := func() {
		t.Helper()
		for i, l := range eachLine(t, s) {
			if l.ID != "none" && string(l.Sealed) != string([]byte{'n', 'e', 'w', byte(i), 1}) || l.ID == "none" && l.Sealed != nil {
				t.Fatalf("line %s has %v", l.ID, l.Sealed)
			}
		}
	}
	check()
	bad := errors.New("cannot open")
	_, err = s.Rekey(ctx, func(b []byte) ([]byte, error) {
		if b[3] == 20 {
			return nil, bad
		}
		return []byte("half"), nil
	}, store.Fact{Kind: "key.rotated"})
	wantIs(t, "failed", err, bad)
	check()
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"key.rotated"})
}

func factsWithTheBook(t *testing.T, s store.Store) {
	ctx := t.Context()
	f := func(kind string) store.Fact { return store.Fact{At: T0, Kind: kind, Body: []byte(`{}`)} }
	ok(t, s.PutCustomer(ctx, account.Customer{ID: "acme"}, true, f("1"), f("2")))
	ok(t, s.PutLine(ctx, account.Line{ID: "l", Customer: "acme"}, true, f("3")))
	ok(t, s.PutTrunk(ctx, account.Trunk{Name: "t"}, true, f("4")))
	_, err := s.PutRequest(ctx, account.Request{State: "open"}, f("5"))
	ok(t, err)
	_, err = s.PutDeck(ctx, store.Deck{Name: "d"}, nil, f("6"))
	ok(t, err)
	// A write that fails leaves no fact.
	_ = s.PutLine(ctx, account.Line{ID: "l", Customer: "acme"}, true, f("x"))
	_ = s.PutCustomer(ctx, account.Customer{ID: "none"}, false, f("x"))
	_ = s.DeleteCustomer(ctx, "acme", f("x"))
	_ = s.DeleteTrunk(ctx, "none", f("x"))
	_, _ = s.PutRequest(ctx, account.Request{ID: 77}, f("x"))
	ok(t, s.DeleteLine(ctx, "l", f("7")))
	ok(t, s.DeleteTrunk(ctx, "t", f("8")))
	ok(t, s.DeleteCustomer(ctx, "acme", f("9")))
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"})
}

// past: a customer's history has what was changed and who signed in, of all their lines, and nothing of another.
func past(t *testing.T, s store.Store) {
	ctx := t.Context()
	f := func(kind, line, customer string) store.Fact {
		return store.Fact{At: T0, Kind: kind, Line: line, Account: customer, Body: []byte(`{}`)}
	}
	ok(t, s.PutCustomer(ctx, account.Customer{ID: "acme"}, true, f(fact.KindCustomerAdded, "", "acme"), f(fact.KindLineAdded, "l", "acme"), f(fact.KindRegistrationAdded, "l", "acme"),
		f(fact.KindLineLocked, "m", "acme"), f(fact.KindLineLocked, "n", "bravo"), f(fact.KindTrunkAdded, "", ""), f(fact.KindPersonEntered, "", "acme")))
	history := func(f store.FactFilter) (all []string) {
		f.Before = math.MaxInt64
		rows, err := s.Facts(ctx, f)
		ok(t, err)
		for i := range rows {
			all = append(all, rows[i].Kind)
		}
		return all
	}
	same(t, "the newest first", history(store.FactFilter{Past: "acme"}), []string{fact.KindPersonEntered, fact.KindLineLocked, fact.KindLineAdded, fact.KindCustomerAdded})
	same(t, "a page", history(store.FactFilter{Past: "acme", Limit: 2}), []string{fact.KindPersonEntered, fact.KindLineLocked})
	same(t, "a line's", history(store.FactFilter{Past: "acme", Line: "m"}), []string{fact.KindLineLocked})
	same(t, "another's line", history(store.FactFilter{Past: "acme", Line: "n"}), []string(nil))
}

// called: each destination of calls out once for each account, with how often and when last.
func called(t *testing.T, s store.Store) {
	for n, begun := range []time.Duration{0, time.Hour, 2 * time.Hour} {
		c := Call(n+1, "l")
		c.Begun = T0.Add(begun)
		r := Record(c, 0)
		if n == 2 {
			r.Direction = call.In
		}
		apply(t, s, Open(c, 0), store.Op{Kind: store.OpSettle, ID: c.ID, CDR: r})
	}
	list := func(since time.Time) (out []store.Called) {
		out = []store.Called{}
		ok(t, s.Called(t.Context(), since, func(c store.Called) error { out = append(out, c); return nil }))
		return out
	}
	c := Call(1, "l")
	want := store.Called{Account: c.Account, Number: c.Number, Class: c.Class, Country: c.Country, Name: "UK", Calls: 2, Last: T0.Add(time.Hour)}
	same(t, "all", list(T0), []store.Called{want})
	want.Calls = 1
	same(t, "of the last hour", list(T0.Add(time.Hour)), []store.Called{want})
	same(t, "of the future", list(T0.Add(time.Hour+1e6)), []store.Called{})
}
