package book_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/state/store"
)

var ctx = context.Background()

func newKey(t testing.TB) secret.Key {
	t.Helper()
	k, err := secret.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newBox(t testing.TB, keys ...secret.Key) *secret.Box {
	t.Helper()
	box, err := secret.NewBox(keys)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func options(t testing.TB) book.Options {
	t.Helper()
	plan, err := phone.NewPlan(phone.UKConfig())
	if err != nil {
		t.Fatal(err)
	}
	return book.Options{Plan: plan, Zone: "Europe/London", Tariff: "retail", Box: newBox(t, newKey(t)), Realm: "sip.test", Identify: booktest.Plain}
}

func open(t testing.TB, db *booktest.Store, o book.Options) *book.Book {
	t.Helper()
	b, err := book.Open(ctx, db, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ptr[T any](v T) *T { return &v }

// sample is a book with a deck, a customer and a line with a generated password.
func sample(t testing.TB) (*book.Book, *booktest.Store, string) {
	t.Helper()
	db := &booktest.Store{}
	b := open(t, db, options(t))
	if _, err := b.Import(ctx, "test", []byte("Prefix,Destination,Rate\n44,UK,0.01\n1,USA,0.02\n"),
		book.ImportOptions{Name: "retail", Kind: rating.Retail}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.AddCustomer(ctx, "test", "acme", book.CustomerEdit{Name: ptr("Acme Ltd")}); err != nil {
		t.Fatal(err)
	}
	_, password, err := b.AddLine(ctx, "test", book.NewLine{ID: "acme-1", Customer: "acme", Edit: book.LineEdit{Number: ptr("020 7946 0000")}})
	if err != nil {
		t.Fatal(err)
	}
	return b, db, password
}

func line(t testing.TB, b *book.Book, id string) *book.Line {
	t.Helper()
	l, ok := b.Line(id)
	if !ok {
		t.Fatalf("no line %s", id)
	}
	return l
}

func TestLineIsFoundByNameAndNumber(t *testing.T) {
	b, db, password := sample(t)
	for name, b := range map[string]*book.Book{"written": b, "read again": open(t, db, options(t))} {
		l := line(t, b, "acme-1")
		if l.Customer() != "acme" || l.Number() != "442079460000" || !l.Login() || l.Zone().String() != "Europe/London" {
			t.Errorf("%s: %s %s %v %s", name, l.Customer(), l.Number(), l.Login(), l.Zone())
		}
		if id, ok := b.ByNumber(442079460000); !ok || id != "acme-1" {
			t.Errorf("%s: ByNumber: %q", name, id)
		}
		if found, ok := b.Find([]byte("acme-1")); !ok || found.ID() != "acme-1" {
			t.Errorf("%s: Find failed", name)
		}
		if deck, cal := l.Retail(); deck == nil || cal.Zone.String() != "Europe/London" {
			t.Errorf("%s: no retail deck", name)
		}
	}
	want := secret.NewHA1("acme-1", "sip.test", secret.NewPassword(password))
	if got, ok := b.HA1(line(t, b, "acme-1")); !ok || *got != want {
		t.Error("the HA1 is not that of the password given out")
	}
}

func TestOnlyTighterUnlessGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, _ := sample(t)
		friday := time.Now().Add(72 * time.Hour)
		ceiling := func() int64 {
			return line(t, b, "acme-1").Effective(time.Now()).Values[account.InternationalCeiling] / 10_000_000
		}
		set := func(level account.Level, id string, n int64, grant bool, until time.Time) error {
			return b.Set(ctx, "test", level, id, book.Setting{Field: account.InternationalCeiling, N: n * 10_000_000, Grant: grant, Until: until})
		}
		var looser *book.Looser
		if err := set(account.LevelLine, "acme-1", 50, false, time.Time{}); !errors.As(err, &looser) || ceiling() != 2 {
			t.Fatalf("50p without a grant: %v, in force %d", err, ceiling())
		}
		if err := set(account.LevelLine, "acme-1", 1, false, time.Time{}); err != nil || ceiling() != 1 {
			t.Fatalf("lowering: %v, in force %d", err, ceiling())
		}
		if err := set(account.LevelLine, "acme-1", 50, true, friday); err != nil || ceiling() != 50 {
			t.Fatalf("granting: %v, in force %d", err, ceiling())
		}
		if err := set(account.LevelLine, "acme-1", 30, false, time.Time{}); err != nil || ceiling() != 30 {
			t.Fatalf("lowering under a grant: %v, in force %d", err, ceiling())
		}
		if err := set(account.LevelLine, "acme-1", 60, false, time.Time{}); !errors.As(err, &looser) {
			t.Fatalf("past a grant: %v", err)
		}
		<-time.After(73 * time.Hour)
		if ceiling() != 1 {
			t.Fatalf("after the grant ended %d is in force, want the line's own 1", ceiling())
		}
		if err := set(account.LevelCustomer, "acme", 0, false, time.Time{}); err != nil || ceiling() != 0 {
			t.Fatalf("customer lowers: %v, in force %d", err, ceiling())
		}
	})
}

// Guards: a decision asked for another time must not change what calls of now are judged by.
func TestAskingForAnotherTimeLeavesNowAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, _ := sample(t)
		s := book.Setting{Field: account.MaxCalls, N: 99, Grant: true, Until: time.Now().Add(time.Hour)}
		if err := b.Set(ctx, "test", account.LevelLine, "acme-1", s); err != nil {
			t.Fatal(err)
		}
		l := line(t, b, "acme-1")
		if n := l.Effective(time.Now().Add(2 * time.Hour)).Values[account.MaxCalls]; n != 10 {
			t.Errorf("in two hours: %d", n)
		}
		if n := l.Effective(time.Now()).Values[account.MaxCalls]; n != 99 {
			t.Errorf("now: %d", n)
		}
	})
}

func TestLinesOfACustomerShareWhatIsInForce(t *testing.T) {
	b, _, _ := sample(t)
	if _, _, err := b.AddLine(ctx, "test", book.NewLine{ID: "acme-2", Customer: "acme", NoPassword: true}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if line(t, b, "acme-1").Effective(now) != line(t, b, "acme-2").Effective(now) {
		t.Error("two lines without settings have settings of their own")
	}
	before := line(t, b, "acme-2").Effective(now)
	nets := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	if _, err := b.EditCustomer(ctx, "test", "acme", book.CustomerEdit{Nets: &nets}); err != nil {
		t.Fatal(err)
	}
	after := line(t, b, "acme-2").Effective(now)
	if before == after || len(after.Nets) != 1 || after.Allows(netip.MustParseAddr("198.51.100.1")) {
		t.Errorf("the customer's IP lock is not in force: %+v", after.Nets)
	}
}

func TestWhatIsRefused(t *testing.T) {
	b, db, _ := sample(t)
	facts := len(db.AllFacts())
	newLine := func(n book.NewLine) error { _, _, err := b.AddLine(ctx, "test", n); return err }
	addTrunk := func(e book.TrunkEdit) error { _, err := b.AddTrunk(ctx, "test", "carrier", e); return err }
	for name, c := range map[string]struct {
		err   error
		field string
	}{
		"line id":               {newLine(book.NewLine{ID: "a b", Customer: "acme"}), "id"},
		"no such customer":      {newLine(book.NewLine{ID: "x", Customer: "nobody"}), "customer"},
		"short number":          {newLine(book.NewLine{ID: "x", Customer: "acme", Edit: book.LineEdit{Number: ptr("999")}}), "number"},
		"code before a number":  {newLine(book.NewLine{ID: "x", Customer: "acme", Edit: book.LineEdit{Number: ptr("141 020 7946 0555")}}), "number"},
		"relay before a number": {newLine(book.NewLine{ID: "x", Customer: "acme", Edit: book.LineEdit{Number: ptr("18001 020 7946 0555")}}), "number"},
		"hidden prefix":         {newLine(book.NewLine{ID: "x", Customer: "acme", Edit: book.LineEdit{Number: ptr("00 0 46 8 123 456")}}), "number"},
		"control in a name":     {newLine(book.NewLine{ID: "x", Customer: "acme", Edit: book.LineEdit{Name: ptr("a\r\nb")}}), "name"},
		"account cap on a line": {b.Set(ctx, "t", account.LevelLine, "acme-1", book.Setting{Field: account.AccountDayCap}), "account-day-cap"},
		"negative cap":          {b.Set(ctx, "t", account.LevelLine, "acme-1", book.Setting{Field: account.LineDayCap, N: -1}), "line-day-cap"},
		"end without a grant":   {b.Set(ctx, "t", account.LevelLine, "acme-1", book.Setting{Field: account.Premium, Until: time.Now().Add(time.Hour)}), "until"},
		"grant that has ended":  {b.Set(ctx, "t", account.LevelLine, "acme-1", book.Setting{Field: account.Premium, N: 1, Grant: true, Until: time.Now().Add(-time.Hour)}), "until"},
		"time zone":             {second(b.AddCustomer(ctx, "t", "z", book.CustomerEdit{Zone: ptr("../../etc/passwd")})), "zone"},
		"machine's zone":        {second(b.AddCustomer(ctx, "t", "z", book.CustomerEdit{Zone: ptr("Local")})), "zone"},
		"no such tariff":        {second(b.AddCustomer(ctx, "t", "z", book.CustomerEdit{Tariff: ptr("gone")})), "tariff"},
		"the staff's name":      {second(b.AddCustomer(ctx, "t", "staff", book.CustomerEdit{})), "id"}, // its people would be staff in the journal
		"customer id":           {second(b.AddCustomer(ctx, "t", "A B", book.CustomerEdit{})), "id"},
		"no address":            {addTrunk(book.TrunkEdit{}), "addresses"},
		"wildcard address":      {addTrunk(book.TrunkEdit{Addresses: &[]string{"0.0.0.0:5060"}}), "addresses"},
		"registers as nobody":   {addTrunk(book.TrunkEdit{Addresses: &[]string{"192.0.2.3"}, Registrar: ptr("192.0.2.3")}), "user"},
		"registers oddly":       {addTrunk(book.TrunkEdit{Addresses: &[]string{"192.0.2.3"}, Registrar: ptr("192.0.2.3"), User: ptr("a b"), Password: ptr("x")}), "user"},
		"registers nowhere":     {addTrunk(book.TrunkEdit{Addresses: &[]string{"192.0.2.3"}, Registrar: ptr("192.0.2.300"), User: ptr("a"), Password: ptr("x")}), "registrar"},
		"registers briefly":     {addTrunk(book.TrunkEdit{Addresses: &[]string{"192.0.2.3"}, Expiry: ptr(59)}), "expiry"},
		"mistyped address":      {addTrunk(book.TrunkEdit{Addresses: &[]string{"192.0.2.300:5060"}}), "addresses"},
		"port":                  {addTrunk(book.TrunkEdit{Addresses: &[]string{"192.0.2.3:0"}}), "addresses"},
		"user without password": {addTrunk(book.TrunkEdit{Addresses: &[]string{"192.0.2.3"}, User: ptr("me")}), "user"},
		"header injection":      {addTrunk(book.TrunkEdit{Addresses: &[]string{"192.0.2.3"}, User: ptr("me\r\nVia: x"), Password: ptr("p")}), "user"},
		"retail deck as cost":   {addTrunk(book.TrunkEdit{Addresses: &[]string{"192.0.2.3"}, Deck: ptr("retail")}), "deck"},
		"deck changes kind":     {second(b.Import(ctx, "t", nil, book.ImportOptions{Name: "retail", Kind: rating.Cost})), "kind"},
		"deck name":             {second(b.Import(ctx, "t", nil, book.ImportOptions{Name: "../x", Kind: rating.Cost})), "name"},
	} {
		var invalid *book.Invalid
		if !errors.As(c.err, &invalid) || invalid.Field != c.field {
			t.Errorf("%s: %v, want a fault of %s", name, c.err, c.field)
		}
	}
	if err := newLine(book.NewLine{ID: "x", Customer: "acme", Edit: book.LineEdit{Number: ptr("+442079460000")}}); !errors.Is(err, book.ErrExists) {
		t.Errorf("a number in use: %v", err)
	}
	if n := len(db.AllFacts()); n != facts {
		t.Errorf("refusals left %d facts", n-facts)
	}
}

func second[T any](_ T, err error) error { return err }

func TestWeakPasswordIsRefusedWithReasons(t *testing.T) {
	b, db, _ := sample(t)
	for _, p := range []string{"secret", "442079460000x", "Password1234", "correct horse battery"} {
		_, err := b.SetPassword(ctx, "test", "acme-1", p)
		var weak *book.Weak
		if !errors.As(err, &weak) || len(weak.Reasons) == 0 {
			t.Errorf("%q: %v", p, err)
		} else if strings.Contains(err.Error(), p) {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
	const good = "vivid-Tundra-83-ploughshare-kestrel-fig"
	if generated, err := b.SetPassword(ctx, "test", "acme-1", good); err != nil || generated != "" {
		t.Fatalf("a strong one: %v, comes back %t", err, generated != "")
	}
	want := secret.NewHA1("acme-1", "sip.test", secret.NewPassword(good))
	if got, ok := b.HA1(line(t, b, "acme-1")); !ok || *got != want {
		t.Error("the new password is not in force")
	}
	for _, f := range db.AllFacts() {
		if strings.Contains(string(f.Body), good) || strings.Contains(string(f.Body), "ealed") {
			t.Errorf("the journal has a password: %s", f.Body)
		}
	}
}

func TestFactsSayWhoAndWhatDiffers(t *testing.T) {
	b, db, _ := sample(t)
	if err := b.Set(ctx, "alice", account.LevelLine, "acme-1", book.Setting{Field: account.MaxCalls, N: 3}); err != nil {
		t.Fatal(err)
	}
	all := db.AllFacts()
	f := all[len(all)-1]
	const want = `{"by":"alice","after":{"max-calls":{"n":3}}}`
	if f.Kind != "setting.changed" || f.Line != "acme-1" || f.Account != "acme" || string(f.Body) != want {
		t.Errorf("%s %s %s %s, want %s", f.Kind, f.Line, f.Account, f.Body, want)
	}
}

// again reads what another node changed last, and then all: the second time nothing is told.
func again(here *book.Book, db *booktest.Store) error {
	all := db.AllFacts()
	return errors.Join(here.Follow(ctx, all[len(all)-1:]), here.Reload(ctx))
}

// What another node changed of an IP lock is told when it is read again, of a line and of a customer alike, and only then.
func TestLocksOfAnotherNodeAreTold(t *testing.T) {
	here, db, _ := sample(t)
	there := open(t, db, options(t))
	var got []book.Change
	here.OnChange(func(c book.Change) {
		if c.Kind != book.DecksLoaded { // told by every reading
			got = append(got, c)
		}
	})
	home := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for _, step := range []struct {
		do   func() error
		want []book.Change
	}{
		{func() error { return second(there.EditCustomer(ctx, "t", "acme", book.CustomerEdit{Nets: &home})) }, []book.Change{{Kind: book.NetsChanged, Customer: "acme"}}},
		{func() error {
			return second(there.EditCustomer(ctx, "t", "acme", book.CustomerEdit{Name: ptr("Acme")}))
		}, nil},
		{func() error { return second(there.EditLine(ctx, "t", "acme-1", book.LineEdit{Nets: &home})) }, []book.Change{{Kind: book.NetsChanged, Line: "acme-1", Customer: "acme"}}},
	} {
		got = nil
		if err := errors.Join(step.do(), again(here, db)); err != nil || !slices.Equal(got, step.want) {
			t.Errorf("told %+v %v, want %+v", got, err, step.want)
		}
	}
	if line(t, here, "acme-1").Effective(time.Now()).Allows(netip.MustParseAddr("203.0.113.9")) {
		t.Error("the lock is told but not in force")
	}
}

// A lock, how it treats calls in progress, and a change of that by another node are told when the book is read again, and only then.
func TestLineLocksOfAnotherNodeAreTold(t *testing.T) {
	here, db, _ := sample(t)
	there := open(t, db, options(t))
	var got []string
	here.OnChange(func(c book.Change) {
		if c.Kind != book.DecksLoaded {
			got = append(got, fmt.Sprint(c.Kind, c.Line, c.Cut, c.Why))
		}
	})
	lock := func(why string, calls account.LockCalls) func() error {
		return func() error { return second(there.Lock(ctx, "t", "acme-1", why, calls)) }
	}
	locked := func(why string, cut bool) []string { return []string{fmt.Sprint(book.LineLocked, "acme-1", cut, why)} }
	for i, step := range []struct {
		do    func() error
		told  []string
		spent bool // calls may buy
	}{
		{lock("a", account.CallsKept), locked("a", false), true},
		{lock("b", account.CallsKept), nil, true},
		{lock("c", account.CallsEnd), locked("c", false), false},
		{lock("c", account.CallsCut), locked("c", true), false},
		{lock("d", account.CallsKept), locked("d", false), true},
		{func() error { return second(there.Unlock(ctx, "t", "acme-1")) }, []string{fmt.Sprint(book.LineUnlocked, "acme-1", false, "")}, true},
	} {
		got = nil
		if err := errors.Join(step.do(), again(here, db)); err != nil || !slices.Equal(got, step.told) {
			t.Errorf("step %d: told %v %v, want %v", i, got, err, step.told)
		}
		if l := line(t, here, "acme-1"); l.NoMoreSpent() == step.spent {
			t.Errorf("step %d: no more spent %v, locked %v %v", i, l.NoMoreSpent(), l.Locked(), l.LockCalls())
		}
	}
}

// The journal has how each lock treats calls, also when a line is locked again, and what it was before.
func TestTheJournalHasWhatALockDoesToCalls(t *testing.T) {
	b, db, _ := sample(t)
	for _, step := range []struct {
		why   string
		calls account.LockCalls
		want  string
	}{
		{"w", account.CallsEnd, `{"by":"t","before":{"locked":false},"after":{"calls":"end","lock_calls":"end","lock_why":"w","locked":true}}`},
		{"w", account.CallsCut, `{"by":"t","before":{"lock_calls":"end"},"after":{"calls":"cut","lock_calls":"cut"}}`},
		{"w", account.CallsCut, `{"by":"t","after":{"calls":"cut"}}`},
		{"v", account.CallsKept, `{"by":"t","before":{"lock_calls":"cut","lock_why":"w"},"after":{"calls":"keep","lock_calls":"keep","lock_why":"v"}}`},
	} {
		if _, err := b.Lock(ctx, "t", "acme-1", step.why, step.calls); err != nil {
			t.Fatal(err)
		}
		all := db.AllFacts()
		if f := all[len(all)-1]; f.Kind != "line.locked" || string(f.Body) != step.want {
			t.Errorf("%s %s, want %s", f.Kind, f.Body, step.want)
		}
	}
	if _, err := b.Lock(ctx, "t", "acme-1", "w", account.NumLockCalls); err == nil {
		t.Error("a lock that treats calls in no known way")
	}
	must(t, second(b.Unlock(ctx, "t", "acme-1")))
	if l := line(t, b, "acme-1"); l.Locked() || l.LockCalls() != account.CallsEnd || l.NoMoreSpent() {
		t.Errorf("unlocked, it keeps %v", l.LockCalls())
	}
}

// TestWhatFindingsCloseHasRoom guards against somebody with the login of the pages who adds restrictions until no more fit: what a finding closes
// afterwards was refused.
func TestWhatFindingsCloseHasRoom(t *testing.T) {
	b, _, _ := sample(t)
	id, n := line(t, b, "acme-1").ID(), 0
	names, err := restrict.ParseSet("CU")
	must(t, err)
	for ; ; n++ {
		if _, err := b.EditLine(t.Context(), "acme/ana", id, book.LineEdit{Restrict: &restrict.Restriction{By: "acme/ana", Why: "w", Names: names}}); err != nil {
			break
		}
	}
	if n != account.OwnRestrictions {
		t.Errorf("%d fit", n)
	}
	closes := []restrict.Restriction{{By: "ringfence", Why: "w", Names: names, Finding: "unusual-calls/1"}}
	must(t, second(b.EditLine(t.Context(), "ringfence", id, book.LineEdit{Close: closes})))
}

// TestALockOfTheProvidersIsNotMadeACustomersOwn guards against people of a customer who lock what the provider locked once more: its reason, and what
// it ends, stay.
func TestALockOfTheProvidersIsNotMadeACustomersOwn(t *testing.T) {
	b, db, _ := sample(t)
	ctx := t.Context()
	id := line(t, b, "acme-1").ID()
	for _, c := range []struct{ theirs, own, want account.LockCalls }{
		{account.CallsEnd, account.CallsKept, account.CallsEnd}, {account.CallsCut, account.CallsEnd, account.CallsCut}, {account.CallsKept, account.CallsCut, account.CallsCut},
	} {
		must(t, second(b.Lock(ctx, "staff/tom", id, "unpaid bill", c.theirs)))
		l, err := b.LockOwn(ctx, "acme/ana", id, "locked on the pages", c.own)
		if err != nil || l.LockWhy() != "unpaid bill" || l.LockCalls() != c.want {
			t.Errorf("%v, then %v: %q, %v, %v", c.theirs, c.own, l.LockWhy(), l.LockCalls(), err)
		}
	}
	must(t, second(b.Unlock(ctx, "staff/tom", id)))
	if _, err := b.LockCustomer(ctx, "staff/tom", line(t, b, "acme-1").Customer(), "unpaid bill", account.CallsCut); err != nil {
		t.Fatal(err)
	}
	if _, err := b.LockOwnCustomer(ctx, "acme/ana", line(t, b, "acme-1").Customer(), "a thief", account.CallsKept); err != nil {
		t.Fatal(err)
	}
	if l := line(t, b, "acme-1"); l.LockWhy() != "customer locked: unpaid bill" || l.LockCalls() != account.CallsCut {
		t.Errorf("locked with the customer: %q, %v", l.LockWhy(), l.LockCalls())
	}
	must(t, second(b.Unlock(ctx, "staff/tom", id)))
	must(t, second(b.LockOwn(ctx, "acme/ana", id, "a thief", account.CallsCut)))
	must(t, second(b.LockCustomer(ctx, "staff/tom", line(t, b, "acme-1").Customer(), "unpaid bill", account.CallsKept)))
	all := db.AllFacts()
	if last := all[len(all)-1]; last.Kind != "line.locked" || !strings.Contains(string(last.Body), "staff/tom") {
		t.Errorf("a line that its people locked is not the provider's to open: %s", last.Body)
	}
	if l := line(t, b, "acme-1"); l.LockWhy() != "a thief" || l.LockCalls() != account.CallsCut {
		t.Errorf("the lock of its people became weaker: %q, %v", l.LockWhy(), l.LockCalls())
	}
}

func TestChangesAreToldInOrder(t *testing.T) {
	b, _, _ := sample(t)
	var got []string
	b.OnChange(func(c book.Change) { got = append(got, fmt.Sprint(c.Kind, c.Line, c.Cut, c.Why)) })
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(second(b.Lock(ctx, "t", "acme-1", "stolen", account.CallsCut)))
	do(second(b.Unlock(ctx, "t", "acme-1")))
	do(second(b.SetPassword(ctx, "t", "acme-1", "")))
	do(b.DeleteLine(ctx, "t", "acme-1"))
	want := []string{
		fmt.Sprint(book.LineLocked, "acme-1", true, "stolen"), fmt.Sprint(book.LineUnlocked, "acme-1", false, ""),
		fmt.Sprint(book.PasswordChanged, "acme-1", false, ""), fmt.Sprint(book.LineDeleted, "acme-1", true, ""),
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	if _, ok := b.ByNumber(442079460000); ok {
		t.Error("the number outlived its line")
	}
	if err := b.DeleteCustomer(ctx, "t", "acme"); err != nil {
		t.Errorf("the customer without lines stays: %v", err)
	}
}

func TestNumberMovesBetweenLines(t *testing.T) {
	b, _, _ := sample(t)
	edit := func(id, number string) {
		t.Helper()
		if _, err := b.EditLine(ctx, "t", id, book.LineEdit{Number: &number}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := b.AddLine(ctx, "t", book.NewLine{ID: "acme-2", Customer: "acme"}); err != nil {
		t.Fatal(err)
	}
	edit("acme-1", "")
	edit("acme-2", "442079460000")
	edit("acme-1", "+44 20 7946 0001")
	if id, _ := b.ByNumber(442079460000); id != "acme-2" {
		t.Errorf("the number is %q's", id)
	}
	if id, _ := b.ByNumber(442079460001); id != "acme-1" {
		t.Errorf("the other is %q's", id)
	}
}

// Guards: a write that failed but was persisted must neither be hidden nor be undone by the next change.
func TestWriteInDoubtIsReadAgain(t *testing.T) {
	b, db, _ := sample(t)
	for _, how := range []booktest.Break{booktest.Lost, booktest.Persisted} {
		db.Break(how)
		if _, err := b.Lock(ctx, "t", "acme-1", "stolen", account.CallsEnd); !errors.Is(err, booktest.ErrBroken) {
			t.Fatalf("a broken write: %v", err)
		}
		if _, err := b.AddCustomer(ctx, "t", fmt.Sprint("new-", how), book.CustomerEdit{}); !errors.Is(err, booktest.ErrBroken) {
			t.Fatalf("a broken write: %v", err)
		}
		db.Break(booktest.Works)
		if _, err := b.EditLine(ctx, "t", "acme-1", book.LineEdit{Name: ptr("Desk")}); err != nil {
			t.Fatal(err)
		}
		persisted := how == booktest.Persisted
		if _, ok := b.Customer(fmt.Sprint("new-", how)); ok != persisted {
			t.Errorf("%d: the customer is there: %t", how, ok)
		}
		if stored := db.AllLines()["acme-1"]; stored.Locked != persisted || stored.Locked != line(t, b, "acme-1").Locked() {
			t.Errorf("%d: stored locked %t, in force %t", how, stored.Locked, line(t, b, "acme-1").Locked())
		}
	}
}

func TestRequestIsGrantedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, _ := sample(t)
		pence := func(n int64) int64 { return n * int64(money.PencePerMinute) }
		if _, err := b.Ask(ctx, "owner", "acme-1", account.InternationalCeiling, pence(1), time.Time{}, ""); err == nil {
			t.Error("a request for less than what is in force was taken")
		}
		r, err := b.Ask(ctx, "owner", "acme-1", account.InternationalCeiling, pence(20), time.Time{}, "Cuba")
		if err != nil {
			t.Fatal(err)
		}
		until := time.Now().Add(time.Hour)
		granted, err := b.Grant(ctx, "staff", r.ID, until, "until Friday")
		if err != nil || granted.State != book.Granted || granted.DecidedBy != "staff" {
			t.Fatalf("%+v, %v", granted, err)
		}
		e := line(t, b, "acme-1").Effective(time.Now())
		if e.Values[account.InternationalCeiling] != pence(20) || e.From[account.InternationalCeiling] != account.LevelLine {
			t.Errorf("in force: %d", e.Values[account.InternationalCeiling])
		}
		if _, err := b.Refuse(ctx, "staff", r.ID, ""); !errors.Is(err, book.ErrInUse) {
			t.Errorf("refusing what was granted: %v", err)
		}
		<-time.After(time.Hour)
		if n := line(t, b, "acme-1").Effective(time.Now()).Values[account.InternationalCeiling]; n != pence(2) {
			t.Errorf("after its time: %d", n)
		}
	})
}

func TestOpenRequestsAreBounded(t *testing.T) {
	b, _, _ := sample(t)
	for i := range 21 {
		_, err := b.Ask(ctx, "owner", "acme-1", account.MaxCalls, int64(11+i), time.Time{}, "")
		if (err != nil) != (i == 20) {
			t.Errorf("request %d: %v", i+1, err)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	old, fresh := newKey(t), newKey(t)
	o := options(t)
	o.Box = newBox(t, old)
	db := &booktest.Store{}
	b := open(t, db, o)
	if _, err := b.AddCustomer(ctx, "t", "acme", book.CustomerEdit{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.AddLine(ctx, "t", book.NewLine{ID: "a", Customer: "acme"}); err != nil {
		t.Fatal(err)
	}
	addresses := []string{"carrier.example"}
	if _, err := b.AddTrunk(ctx, "t", "carrier", book.TrunkEdit{Addresses: &addresses, User: ptr("me"), Password: ptr("hunter2")}); err != nil {
		t.Fatal(err)
	}
	want, _ := b.HA1(line(t, b, "a"))
	if n, err := b.Rekey(ctx, "t", newBox(t, old, fresh)); n != 2 || err != nil {
		t.Fatalf("rotated %d, %v", n, err)
	}
	// What a later change writes must not bring the old key back.
	if _, err := b.EditLine(ctx, "t", "a", book.LineEdit{Name: ptr("Desk")}); err != nil {
		t.Fatal(err)
	}
	o.Box = newBox(t, fresh)
	b = open(t, db, o)
	if opened, failed := b.CheckSecrets(); opened != 2 || failed != 0 {
		t.Errorf("with the new key alone %d open and %d do not", opened, failed)
	}
	if got, ok := b.HA1(line(t, b, "a")); !ok || *got != *want {
		t.Error("the password changed")
	}
	if p, ok := b.TrunkPassword("carrier"); !ok || p.Reveal() != "hunter2" {
		t.Error("the trunk's password is lost")
	}
	o.Box = newBox(t, old)
	if _, failed := open(t, db, o).CheckSecrets(); failed != 2 {
		t.Errorf("with the old key alone %d do not open, want 2", failed)
	}
}

func TestTrunksBestFirst(t *testing.T) {
	b, _, _ := sample(t)
	for name, e := range map[string]book.TrunkEdit{
		"b": {Priority: ptr(1), Sources: &[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
		"c": {Priority: ptr(1)}, "a": {Priority: ptr(2), Sources: &[]netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")}}, "off": {Disabled: ptr(true)},
	} {
		e.Addresses = &[]string{"SIP.Carrier.example", "192.0.2.7:5070"}
		if _, err := b.AddTrunk(ctx, "t", name, e); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, x := range b.Trunks() {
		names = append(names, x.Name)
	}
	if !slices.Equal(names, []string{"b", "c", "a"}) {
		t.Errorf("order %v", names)
	}
	if got := b.Trunks()[0].Addresses; !slices.Equal(got, []string{"sip.carrier.example", "192.0.2.7:5070"}) {
		t.Errorf("addresses %v", got)
	}
	if x, ok := b.TrunkOf(netip.MustParseAddr("::ffff:192.0.2.7")); !ok || x.Name != "b" {
		t.Errorf("inbound: %+v", x)
	}
	if _, ok := b.TrunkOf(netip.MustParseAddr("203.0.113.1")); ok {
		t.Error("a stranger is a trunk")
	}
}

func TestDeckImportIsAllOrNothing(t *testing.T) {
	b, db, _ := sample(t)
	yes := false
	imp := func(csv string, dry bool) (*book.Imported, error) {
		return b.Import(ctx, "t", []byte(csv), book.ImportOptions{Name: "retail", Kind: rating.Retail, DryRun: dry, Yes: yes})
	}
	_, err := imp("Prefix,Destination,Rate\n44,UK,0.02\n33,France,abc\nxx,Nowhere,1\n", false)
	var faults *book.DeckFaults
	if !errors.As(err, &faults) || faults.Count != 2 || faults.Faults[0].Line != 3 {
		t.Fatalf("faults: %v", err)
	}
	version := func() int64 { h, _, _ := b.Deck("retail"); return h.Version }
	const good = "Prefix,Destination,Rate\n44,UK,0.02\n33,France,0.03\n"
	if got, err := imp(good, true); err != nil || version() != 1 || got.Head.Version != 0 {
		t.Fatalf("dry run: %v, version %d", err, version())
	}
	var asks *book.Unconfirmed
	if _, err := imp(good, false); !errors.As(err, &asks) || asks.Questions[0].Code != rating.AskRemoves || version() != 1 {
		t.Fatalf("half of the prices would go, and nothing was asked: %v, version %d", err, version())
	}
	yes = true
	got, err := imp(good, false)
	if err != nil || version() != 2 || got.Head.Version != 2 {
		t.Fatalf("import: %v, version %d", err, version())
	}
	if d := got.Changes; len(d.Added) != 1 || len(d.Removed) != 1 || len(d.Dearer) != 1 {
		t.Errorf("changes: %+v", d)
	}
	from, to, d, err := b.Diff(ctx, "retail", 0, 0, time.Time{})
	if err != nil || from != 1 || to != 2 || len(d.Added) != 1 {
		t.Errorf("diff %d to %d: %+v, %v", from, to, d, err)
	}
	if _, _, _, err := b.Diff(ctx, "retail", 7, 0, time.Time{}); !errors.Is(err, book.ErrNotFound) {
		t.Errorf("diff of a version that is not there: %v", err)
	}
	// Another program wrote a version into the store: a reload takes it up.
	other := open(t, db, options(t))
	if _, err := other.Import(ctx, "t", []byte(good), book.ImportOptions{Name: "retail", Kind: rating.Retail}); err != nil {
		t.Fatal(err)
	}
	if err := b.ReloadDecks(ctx); err != nil || version() != 3 {
		t.Errorf("reload: %v, version %d", err, version())
	}
}

func TestListingPages(t *testing.T) {
	b, _, _ := sample(t)
	ns := make([]book.NewLine, 250)
	for i := range ns {
		ns[i] = book.NewLine{ID: fmt.Sprintf("p%03d", i), Customer: "acme", NoPassword: true}
	}
	if _, err := b.AddLines(ctx, "t", ns); err != nil {
		t.Fatal(err)
	}
	seen, after := 0, ""
	for {
		page := b.Lines("acme", after, 100)
		if len(page) == 0 {
			break
		}
		seen += len(page)
		after = page[len(page)-1].ID()
	}
	if seen != 251 {
		t.Errorf("saw %d lines, want 251", seen)
	}
	if _, err := b.AddLines(ctx, "t", []book.NewLine{{ID: "q", Customer: "acme"}, {ID: "q", Customer: "acme"}}); !errors.Is(err, book.ErrExists) {
		t.Errorf("a line twice in one go: %v", err)
	}
	if _, ok := b.Line("q"); ok {
		t.Error("half of a refused addition is there")
	}
}

// TestReadersAndWriters is for the race detector: what is read is always one whole state.
func TestReadersAndWriters(t *testing.T) {
	b, _, _ := sample(t)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				l, ok := b.Line("acme-1")
				if !ok {
					continue
				}
				e := l.Effective(time.Now())
				if n := e.Values[account.MaxCalls]; n < 1 || n > 10 {
					t.Errorf("max calls %d", n)
				}
				b.HA1(l)
				l.Retail()
				b.Trunks()
				b.Lines("", "", 10)
				b.ByNumber(442079460000)
			}
		})
	}
	for i := range 100 {
		if err := b.Set(ctx, "t", account.LevelLine, "acme-1", book.Setting{Field: account.MaxCalls, N: int64(1 + i%10)}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.EditCustomer(ctx, "t", "acme", book.CustomerEdit{Name: ptr(fmt.Sprint("Acme ", i))}); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	readers.Wait()
}

// TestHotPathAllocatesNothing guards the authorise path.
func TestHotPathAllocatesNothing(t *testing.T) {
	b, _, _ := sample(t)
	id, now := []byte("acme-1"), time.Now()
	b.HA1(line(t, b, "acme-1"))
	line(t, b, "acme-1").Effective(now)
	n := testing.AllocsPerRun(100, func() {
		l, _ := b.Find(id)
		b.HA1(l)
		l.Effective(now)
		l.Retail()
		b.ByNumber(442079460000)
		b.TrunkOf(netip.AddrFrom4([4]byte{192, 0, 2, 1}))
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestBytesALine holds the book to its share of the memory at 100,000 lines.
func TestBytesALine(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory over 100,000 lines")
	}
	const lines = 100_000
	db := &manyLines{n: lines, box: newBox(t, newKey(t))}
	o := options(t)
	o.Box = db.box
	runtime.GC()
	var before, loaded, used runtime.MemStats
	runtime.ReadMemStats(&before)
	b, err := book.Open(ctx, db, o)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&loaded)
	now := time.Now()
	for _, l := range b.Lines("", "", lines) {
		if _, ok := b.HA1(l); !ok {
			t.Fatal("no HA1")
		}
		l.Effective(now)
	}
	runtime.GC()
	runtime.ReadMemStats(&used)
	perLoaded := (loaded.HeapAlloc - before.HeapAlloc) / lines
	perUsed := (used.HeapAlloc - before.HeapAlloc) / lines
	t.Logf("%d bytes a line loaded, %d after every line has logged in and been listed", perLoaded, perUsed)
	if perUsed > 700 {
		t.Errorf("%d bytes a line, want at most 700", perUsed)
	}
	runtime.KeepAlive(b)
}

// manyLines is a store of lines made as they are read, so that only the book's memory is measured. Ten a customer.
type manyLines struct {
	booktest.Store
	n   int
	box *secret.Box
}

func (s *manyLines) Customers(context.Context) ([]account.Customer, error) {
	out := make([]account.Customer, s.n/10)
	for i := range out {
		out[i] = account.Customer{ID: fmt.Sprintf("customer-%05d", i), Name: fmt.Sprintf("Customer %d Limited", i)}
	}
	return out, nil
}

func (s *manyLines) EachLine(_ context.Context, yield func(account.Line) error, ids ...string) error {
	for i := range s.n {
		id := fmt.Sprintf("line-%06d", i)
		if len(ids) > 0 && !slices.Contains(ids, id) {
			continue
		}
		sealed, err := s.box.Seal(secret.LineOwner(id), secret.NewPassword("gravel-unzip-lilac-shrug-moat-tidy-pact"))
		if err != nil {
			return err
		}
		err = yield(account.Line{
			ID: id, Customer: fmt.Sprintf("customer-%05d", i/10), Number: fmt.Sprintf("44207%07d", i), Name: "Desk phone", Sealed: sealed,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkLine(b *testing.B) {
	bk, _, _ := sample(b)
	id, now := []byte("acme-1"), time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l, _ := bk.Find(id)
			l.Effective(now)
			l.Retail()
		}
	})
}

// A deck prices 101 and 116 as it prices prefixes, also without a column that says that they are short numbers; and only then are
// they dialled.
func TestShortNumbersInDecks(t *testing.T) {
	b := open(t, &booktest.Store{}, options(t))
	_, err := b.Import(ctx, "t", []byte("Destination,Prefix,Rate\nUK,44,0.01\nUSA,1,0.02\nPolice,101,0.15\nNHS,111,0\nHelp lines,116,0\nSamaritans,116123,0.01\n"),
		book.ImportOptions{Name: "short", Kind: rating.Retail, Yes: true})
	if err != nil {
		t.Fatal(err)
	}
	_, deck, _ := b.Deck("short")
	for dialled, want := range map[string]string{"101": "Police", "111": "NHS", "116000": "Help lines", "116123": "Samaritans", "105": "", "119": "", "+12125551234": "USA"} {
		d, problem := b.Plan().Parse(dialled)
		name := ""
		if p, ok := deck.Find(d.Number, time.Now()); ok {
			name = p.Name
		}
		if problem != phone.NoProblem || name != want {
			t.Errorf("%s is %q (%s), want %q", dialled, name, problem, want)
		}
	}
}

// What would turn away a destination that was called lately is asked about; only the customers of the tariff count, and only what it
// priced.
func TestADestinationThatWasCalledLatelyIsNotTurnedAwayUnasked(t *testing.T) {
	b, db, _ := sample(t)
	imp := func(csv string, merge bool) error {
		_, err := b.Import(ctx, "t", []byte("Prefix,Destination,Rate\n"+csv), book.ImportOptions{Name: "retail", Kind: rating.Retail, Merge: merge})
		return err
	}
	asked := func(err error) string {
		var open *book.Unconfirmed
		if !errors.As(err, &open) {
			return ""
		}
		return open.Questions[len(open.Questions)-1].Code
	}
	var many strings.Builder
	for p := 30; p < 50; p++ {
		fmt.Fprintf(&many, "%d,,0.01\n", p)
	}
	must(t, imp(many.String()+"336,,0.02\n3361,,0.02\n", true))
	h, _, _ := b.Deck("retail")
	fewer := strings.ReplaceAll(many.String(), "34,,0.01\n", "")
	now := time.Now()
	customer, _ := b.CustomerCalled("acme")
	db.Lately = []store.Called{{Account: "stranger", Number: "+34912345678", Class: "intl-fixed", Country: "ES", Calls: 1, Last: now}}
	if err := imp(fewer+"336,,0.02\n3361,,0.02\n53,,0.5\n1,,0.01\n", false); err != nil {
		t.Errorf("a stranger's call: %v", err)
	}
	must(t, imp("34,,0.01\n", true))
	db.Lately[0].Account, db.Lately[0].Last = customer.ID, now.AddDate(0, 0, -91)
	must(t, imp(fewer+"336,,0.02\n3361,,0.02\n53,,0.5\n1,,0.01\n", false))
	must(t, imp("34,,0.01\n", true))
	db.Lately[0].Last = now.AddDate(0, 0, -89)
	if err := imp(fewer+"336,,0.02\n3361,,0.02\n53,,0.5\n1,,0.01\n", false); asked(err) != rating.AskCalled || !strings.Contains(err.Error(), "1 destination") {
		t.Errorf("after %+v: %v", h, err)
	}
}

func TestADeckInUseIsNotRemoved(t *testing.T) {
	b, _, _ := sample(t)
	if err := b.RemoveDeck(ctx, "t", "retail"); !errors.Is(err, book.ErrInUse) || !strings.Contains(err.Error(), "price list of") {
		t.Errorf("in use: %v", err)
	}
	if err := b.RemoveDeck(ctx, "t", "none"); !errors.Is(err, book.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	_, err := b.Import(ctx, "t", []byte("Prefix,Destination,Rate\n44,UK,0.02\n"), book.ImportOptions{Name: "spare", Kind: rating.Cost})
	must(t, err)
	must(t, b.RemoveDeck(ctx, "t", "spare"))
	if _, _, ok := b.Deck("spare"); ok {
		t.Error("it is still there")
	}
}

// A carrier's list prices what begins with its digits; what it does not name may cost more, and check counts it.
func TestRowsOfCarriersThatPriceOtherCountriesAreCounted(t *testing.T) {
	b, _, _ := sample(t)
	_, err := b.Import(ctx, "t", []byte("Prefix,Destination,Rate\n1,USA,0.005\n33,France,0.006\n34,Spain,0.006\n"), book.ImportOptions{Name: "carrier", Kind: rating.Cost})
	must(t, err)
	if found := b.Elsewhere(time.Now()); len(found) != 0 {
		t.Errorf("a deck that no trunk uses: %v", found)
	}
	_, err = b.AddTrunk(ctx, "t", "a", book.TrunkEdit{Addresses: ptr([]string{"192.0.2.9"}), Deck: ptr("carrier")})
	must(t, err)
	e := b.Elsewhere(time.Now())["carrier"]
	if e.Rows != 3 || !slices.ContainsFunc(e.What, func(u rating.Unpriced) bool { return u.Country.String() == "JM" }) {
		t.Errorf("%d rows: %v", e.Rows, e.What)
	}
	if slices.ContainsFunc(e.What, func(u rating.Unpriced) bool { return u.Country.String() == "CA" && u.Kinds&phone.Fixed != 0 }) {
		t.Error("1 stands for Canada too")
	}
}

// Decks in use show what unit a list is in, and so does the version before.
func TestDecksInUseShowTheUnitOfAList(t *testing.T) {
	b, _, _ := sample(t)
	asks := func(name string, kind rating.Kind, file string, o rating.ReadOptions) (codes []string) {
		got, err := b.Import(ctx, "t", []byte(file), book.ImportOptions{Name: name, Kind: kind, DryRun: true, Read: o})
		must(t, err)
		for _, q := range got.Questions {
			if q.Code == rating.AskUnit || q.Code == rating.AskScaled {
				codes = append(codes, q.Code+" "+q.Text)
			}
		}
		return codes
	}
	if got := asks("carrier", rating.Cost, "Prefix,Destination,Rate (GBP)\n44,UK,0.4\n1,USA,0.5\n", rating.ReadOptions{}); len(got) != 1 || !strings.Contains(got[0], "deck retail (retail)") {
		t.Errorf("a cost of ten times the price, though the file says pounds: %q", got)
	}
	if got := asks("carrier", rating.Cost, "Prefix,Destination,Rate (p)\n44,UK,0.4\n1,USA,0.5\n", rating.ReadOptions{}); len(got) != 0 {
		t.Errorf("the same in pence: %q", got)
	}
	dear := "Prefix,Destination,Rate\n44,UK,0.6\n1,USA,0.7\n"
	if got := asks("dear", rating.Retail, dear, rating.ReadOptions{}); len(got) == 0 || !strings.HasPrefix(got[0], rating.AskUnit) {
		t.Errorf("dear for pounds: %q", got)
	}
	_, err := b.Import(ctx, "t", []byte(dear), book.ImportOptions{Name: "dear", Kind: rating.Retail, Yes: true, Read: rating.ReadOptions{Whole: true}})
	must(t, err)
	for _, q := range asks("dear", rating.Retail, dear, rating.ReadOptions{}) {
		if strings.HasPrefix(q, rating.AskUnit) {
			t.Errorf("the version before was in whole pounds: %q", q)
		}
	}
}

func TestPricesBelowCostAreNamed(t *testing.T) {
	b, _, _ := sample(t)
	_, err := b.Import(ctx, "t", []byte("Prefix,Destination,Rate,Connection charge\n44,UK,0.005,0\n1,USA,0.015,0.01\n"), book.ImportOptions{Name: "carrier", Kind: rating.Cost})
	must(t, err)
	if found := b.BelowCost(time.Now()); len(found) != 0 {
		t.Errorf("a deck that no trunk uses: %v", found)
	}
	_, err = b.AddTrunk(ctx, "t", "a", book.TrunkEdit{Addresses: ptr([]string{"192.0.2.9"}), Deck: ptr("carrier")})
	must(t, err)
	below := b.BelowCost(time.Now())[[2]string{"retail", "carrier"}]
	if len(below) != 1 || below[0].Text() != "1 (USA): a first minute brings 0.02 and costs 0.025" {
		t.Errorf("%v", below)
	}
	got, err := b.Import(ctx, "t", []byte("Prefix,Destination,Rate\n44,UK,0.004\n1,USA,0.02\n"), book.ImportOptions{Name: "retail", Kind: rating.Retail, DryRun: true})
	must(t, err)
	if len(got.Below) != 2 {
		t.Errorf("at import: %v", got.Below)
	}
}

// TestCheckFindsWhatDoesNotFit: what would refuse calls, or let them cost more than they bring.
func TestCheckFindsWhatDoesNotFit(t *testing.T) {
	b, db, _ := sample(t)
	found := func(b *book.Book) string {
		var all strings.Builder
		for _, f := range b.Check(time.Now()) {
			fmt.Fprintf(&all, "%s %s: %s\n", f.Level, f.What, f.Text)
		}
		return all.String()
	}
	want := "ok book: 1 customer, 1 line; the key opens every password\n" +
		"warning trunks: there is no trunk, so no call can leave: ringfence trunk add NAME HOST:PORT\nok decks: 1 deck in force\n"
	if got := found(b); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	_, err := b.Import(ctx, "t", []byte("Prefix,Destination,Rate,Connection charge\n44,UK,0.005,0\n1,USA,0.015,0.01\n"), book.ImportOptions{Name: "carrier", Kind: rating.Cost})
	must(t, err)
	_, err = b.AddTrunk(ctx, "t", "a", book.TrunkEdit{Addresses: ptr([]string{"192.0.2.9"}), Deck: ptr("carrier")})
	must(t, err)
	_, err = b.AddTrunk(ctx, "t", "free", book.TrunkEdit{Addresses: ptr([]string{"192.0.2.10"})})
	must(t, err)
	o := options(t)
	o.Tariff, o.Box = "gold", newBox(t, newKey(t))
	got := found(open(t, db, o))
	for _, want := range []string{
		"error book: 1 of 1 passwords cannot be opened with the present key",
		"ok trunks: 2 trunks in use", "warning trunks: trunk free has no cost deck", "warning trunks: no trunk is marked for emergency calls",
		`warning decks: tariff "gold" is in use but no such retail deck was imported`,
		"warning decks: deck carrier: 2 rows price numbers of another country or kind",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	if got := found(b); !strings.Contains(got, "warning decks: 1 prices of deck retail are below cost by deck carrier; the worst: 1 (USA)") {
		t.Error(got)
	}
}
