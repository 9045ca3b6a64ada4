package cooling_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/person"
	"ringfence/core/phone"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/cooling"
	"ringfence/flow/people"
	"ringfence/state/store"
)

var ctx = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type world struct {
	*cooling.Cooling
	db         *booktest.Store
	book       *book.Book
	acme, line string
	ana, tom   *person.Who
	maya       *person.Who
}

func open(t testing.TB, db *booktest.Store) *book.Book {
	t.Helper()
	plan, err := phone.NewPlan(phone.UKConfig())
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	b, err := book.Open(ctx, db, book.Options{Plan: plan, Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "sip.test"})
	must(t, err)
	return b
}

var key, _ = secret.NewKey()

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{db: &booktest.Store{}, tom: &person.Who{Person: "t", Role: person.Fraud, Actor: "staff/tom"}, maya: &person.Who{Person: "m", Role: person.Admin, Actor: "staff/maya"}}
	w.book = open(t, w.db)
	c, err := w.book.AddCustomer(ctx, "t", "acme", book.CustomerEdit{})
	must(t, err)
	l, _, err := w.book.AddLine(ctx, "t", book.NewLine{ID: "2001", Customer: c.ID, NoPassword: true})
	must(t, err)
	w.acme, w.line = c.ID, l.ID()
	w.ana = &person.Who{Person: "a", Customer: c.ID, Role: person.Owner, Actor: "acme/ana"}
	w.Cooling = cooling.New(cooling.Options{Store: w.db, Book: w.book})
	must(t, errOf(w.SetWait(ctx, w.ana, w.acme, 24*time.Hour, "Ring Sam first.")))
	return w
}

func errOf[T any](_ T, err error) error { return err }

func (w *world) set(t testing.TB, who *person.Who, f account.Field, n int64) {
	t.Helper()
	must(t, errOf(w.Line(ctx, who, w.line, book.LineEdit{Set: []book.Setting{{Field: f, N: n}}})))
}

func (w *world) calls(t testing.TB) int64 {
	t.Helper()
	l, ok := w.book.Line(w.line)
	if !ok {
		t.Fatal("no line")
	}
	return l.Effective(time.Now()).Values[account.MaxCalls]
}

func (w *world) waiting(t testing.TB) []cooling.Change {
	t.Helper()
	all, err := w.List(ctx, w.acme)
	must(t, err)
	return all
}

func (w *world) facts(kind string) (n int) {
	for _, f := range w.db.AllFacts() {
		if f.Kind == kind {
			n++
		}
	}
	return n
}

func TestLooseningWaitsAndTighteningDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(t, w.ana, account.MaxCalls, 3)
		if w.calls(t) != 3 || len(w.waiting(t)) != 0 {
			t.Fatalf("tightening waits: %d, %v", w.calls(t), w.waiting(t))
		}
		// One edit of both kinds: the tight part is made now.
		locks := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		must(t, errOf(w.Line(ctx, w.ana, w.line, book.LineEdit{Nets: &locks, Set: []book.Setting{{Field: account.MaxCalls, N: 8}, {Field: account.MaxInternational, N: 1}}})))
		l, _ := w.book.Line(w.line)
		held := w.waiting(t)
		if w.calls(t) != 3 || l.Effective(time.Now()).Values[account.MaxInternational] != 1 || len(l.Settings().Nets) != 1 || len(held) != 1 {
			t.Fatalf("%+v", held)
		}
		if x := held[0]; x.By != "acme/ana" || x.Note != "Ring Sam first." || x.Text != "line 2001: max-calls from 3 to 8" || x.Due.Sub(x.Made) != 24*time.Hour {
			t.Errorf("%+v", x)
		}
		must(t, w.Due(ctx, time.Now().Add(24*time.Hour-time.Second)))
		if w.calls(t) != 3 {
			t.Error("it was made early")
		}
		time.Sleep(25 * time.Hour)
		// Two nodes at once, each with its own book.
		other := cooling.New(cooling.Options{Store: w.db, Book: open(t, w.db)})
		var both sync.WaitGroup
		for _, c := range []*cooling.Cooling{w.Cooling, other} {
			both.Go(func() { must(t, c.Due(ctx, time.Now())) })
		}
		both.Wait()
		must(t, w.book.Reload(ctx))
		if w.calls(t) != 8 || len(w.waiting(t)) != 0 || w.facts("change.failed") != 0 {
			t.Errorf("%d calls, %d failed, %v", w.calls(t), w.facts("change.failed"), w.waiting(t))
		}
		// Made once: what is tightened afterwards stays.
		w.set(t, w.ana, account.MaxCalls, 2)
		must(t, w.Due(ctx, time.Now().Add(time.Hour)))
		if w.calls(t) != 2 {
			t.Error("it was made again")
		}
	})
}

// A crash between the two is none: the change is taken away and made in one write.
// A forward to a dear number waits, as a looser cap does; one to an ordinary number, and the end of one, do not. Called off, it is never made.
func TestDearForwardsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		set := func(who *person.Who, all ...book.Forward) account.Forwards {
			must(t, errOf(w.Line(ctx, who, w.line, book.LineEdit{Forward: all})))
			l, _ := w.book.Line(w.line)
			return l.Forwards()
		}
		const cuba = "+53 7 123 4567"
		if got := set(w.ana, book.Forward{Cause: call.ForwardBusy, To: cuba}, book.Forward{Cause: call.ForwardNoAnswer, To: "07700 900123"}); got != (account.Forwards{NoAnswer: "07700 900123"}) {
			t.Errorf("at once: %+v", got)
		}
		if all := w.waiting(t); len(all) != 1 || all[0].Text != "line 2001: calls forwarded when busy to "+cuba {
			t.Fatalf("waits: %+v", all)
		}
		time.Sleep(24*time.Hour + time.Second)
		must(t, w.Due(ctx, time.Now()))
		if l, _ := w.book.Line(w.line); l.Forwards().Busy != cuba {
			t.Errorf("when it is due: %+v", l.Forwards())
		}
		if got := set(w.ana, book.Forward{Cause: call.ForwardBusy}); got.Busy != "" || len(w.waiting(t)) != 0 {
			t.Errorf("the end of a forward waits: %+v", got)
		}
		if got := set(w.tom, book.Forward{Cause: call.ForwardAlways, To: cuba}); got.Always != cuba {
			t.Errorf("of staff: %+v", got)
		}
	})
}

func TestAMadeChangeSurvivesALostAnswer(t *testing.T) {
	w := newWorld(t)
	w.set(t, w.ana, account.MaxCalls, 3)
	w.set(t, w.ana, account.MaxCalls, 8)
	for _, b := range []booktest.Break{booktest.Lost, booktest.Persisted} {
		w.db.Break(b)
		if err := w.Due(ctx, time.Now().Add(25*time.Hour)); err == nil {
			t.Error("a broken write was none")
		}
		w.db.Break(booktest.Works)
		if b == booktest.Lost {
			must(t, w.book.Reload(ctx))
			if w.calls(t) != 3 || len(w.waiting(t)) != 1 {
				t.Fatalf("lost: %d, %v", w.calls(t), w.waiting(t))
			}
		}
	}
	next := cooling.New(cooling.Options{Store: w.db, Book: open(t, w.db)}) // the next process
	must(t, next.Due(ctx, time.Now().Add(25*time.Hour)))
	must(t, w.book.Reload(ctx))
	if w.calls(t) != 8 || len(w.waiting(t)) != 0 {
		t.Errorf("%d, %v", w.calls(t), w.waiting(t))
	}
}

func TestAChangeIsCalledOffOrHurried(t *testing.T) {
	w := newWorld(t)
	w.set(t, w.ana, account.MaxCalls, 3)
	w.set(t, w.ana, account.MaxCalls, 8)
	code := w.waiting(t)[0].Code
	must(t, errOf(w.Stop(ctx, "acme/sam", code, "not me")))
	if err := errOf(w.Stop(ctx, "acme/sam", code, "")); !errors.Is(err, cooling.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	must(t, w.Due(ctx, time.Now().Add(48*time.Hour)))
	if w.calls(t) != 3 || w.facts("change.stopped") != 1 {
		t.Errorf("%d calls after it was called off", w.calls(t))
	}
	w.set(t, w.ana, account.MaxCalls, 8)
	code = w.waiting(t)[0].Code
	hurry := func(who *person.Who, why string) (bool, error) { return w.Hurry(ctx, who, code, why) }
	if _, err := hurry(w.tom, " "); err == nil {
		t.Error("without a reason")
	}
	if made, err := hurry(w.tom, "called back"); made || err != nil || w.calls(t) != 3 {
		t.Errorf("one alone: %v, %v", made, err)
	}
	token := *w.tom
	token.Actor += " (token x)"
	if made, err := hurry(&token, "called back"); made || !errors.Is(err, cooling.ErrSame) {
		t.Errorf("the same, by a token: %v, %v", made, err)
	}
	if made, err := hurry(w.maya, "identity seen"); !made || err != nil {
		t.Errorf("two: %v, %v", made, err)
	}
	if w.calls(t) != 8 || w.facts("change.hurried") == 0 {
		t.Errorf("%d calls", w.calls(t))
	}
}

func TestWaitsThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		wait := func() time.Duration { v, _ := w.book.Customer(w.acme); return v.Cooling.Wait }
		set := func(d time.Duration) {
			t.Helper()
			must(t, errOf(w.SetWait(ctx, w.ana, w.acme, d, "Ring Sam first.")))
		}
		time.Sleep(48 * time.Hour)
		set(time.Hour)
		if wait() != 24*time.Hour || len(w.waiting(t)) != 1 {
			t.Errorf("a shorter wait at once: %v", wait())
		}
		must(t, errOf(w.Stop(ctx, "acme/ana", w.waiting(t)[0].Code, "")))
		set(30 * 24 * time.Hour) // a thief imprisons the owner
		time.Sleep(23 * time.Hour)
		set(24 * time.Hour)
		if wait() != 30*24*time.Hour || len(w.waiting(t)) != 1 {
			t.Errorf("undone without a factor shown since: %v", wait())
		}
		must(t, errOf(w.Stop(ctx, "acme/ana", w.waiting(t)[0].Code, "")))
		w.ana.Proved, w.ana.Scopes = time.Now(), []person.Scope{person.Settings}
		set(24 * time.Hour)
		if wait() != 30*24*time.Hour {
			t.Errorf("undone by a token: %v", wait())
		}
		must(t, errOf(w.Stop(ctx, "acme/ana", w.waiting(t)[0].Code, "")))
		w.ana.Scopes = nil
		set(24 * time.Hour)
		if wait() != 24*time.Hour {
			t.Errorf("a longer wait was not undone: %v", wait())
		}
		for _, d := range []time.Duration{time.Minute, 31 * 24 * time.Hour, -time.Hour} {
			if err := errOf(w.SetWait(ctx, w.ana, w.acme, d, "")); err == nil {
				t.Errorf("a wait of %v", d)
			}
		}
		set(0)
		time.Sleep(25 * time.Hour)
		must(t, w.Due(ctx, time.Now()))
		if wait() != 0 || w.Held(w.ana, w.acme) {
			t.Errorf("none at last: %v", wait())
		}
		w.set(t, w.ana, account.MaxCalls, 3)
		w.set(t, w.ana, account.MaxCalls, 8)
		if w.calls(t) != 8 {
			t.Error("it waits although nothing does")
		}
	})
}

func TestStaffDoNotWaitAndWhatCannotBeMadeIsTakenAway(t *testing.T) {
	w := newWorld(t)
	w.set(t, w.tom, account.MaxCalls, 3)
	w.set(t, w.tom, account.MaxCalls, 8)
	if w.calls(t) != 8 {
		t.Error("staff wait")
	}
	w.set(t, w.ana, account.MaxCalls, 3)
	w.set(t, w.ana, account.MaxCalls, 8)
	must(t, w.book.DeleteLine(ctx, "t", w.line))
	must(t, w.Due(ctx, time.Now().Add(25*time.Hour)))
	if len(w.waiting(t)) != 0 || w.facts("change.failed") != 1 {
		t.Errorf("%v", w.waiting(t))
	}
	for _, f := range w.db.AllFacts() {
		if f.Kind == "change.failed" && !strings.Contains(string(f.Body), "max-calls") {
			t.Errorf("%s", f.Body)
		}
	}
}

// folk gives the world its people.
func (w *world) folk(t testing.TB) *people.People {
	t.Helper()
	key, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	folk, err := people.New(people.Options{Store: w.db, Book: w.book, Box: func() (*secret.Box, error) { return key, nil }})
	must(t, err)
	w.Cooling = cooling.New(cooling.Options{Store: w.db, Book: w.book, People: folk})
	return folk
}

func TestWhoMayLoosenComesAndGoesSlowly(t *testing.T) {
	w := newWorld(t)
	folk := w.folk(t)
	ana, _, err := folk.Add(ctx, "t", people.NewPerson{Customer: w.acme, Handle: "ana", Role: person.Owner})
	must(t, err)
	w.ana.Person = ana.ID
	roles := func() (out string) {
		t.Helper()
		all, err := folk.List(ctx, w.acme)
		must(t, err)
		for _, p := range all {
			out += p.Handle() + " " + string(p.Role) + " " + p.Mail + ";"
		}
		return out
	}
	due := func() { t.Helper(); must(t, w.Due(ctx, time.Now().Add(25*time.Hour))) }
	step := func(what, want string) {
		t.Helper()
		if got := roles(); got != want {
			t.Errorf("%s: %s, not %s", what, got, want)
		}
	}
	add := func(handle string, role person.Role, waits bool) {
		t.Helper()
		_, link, held, err := w.AddPerson(ctx, w.ana, people.NewPerson{Customer: w.acme, Handle: handle, Role: role, Mail: handle + "@example.com"})
		if err != nil || held != waits || (link.Token == "") != waits {
			t.Fatalf("%s: waits %v, %v", handle, held, err)
		}
	}
	add("rea", person.Reader, false)
	add("thief", person.Owner, true)
	step("an owner waits", "ana owner ;rea reader rea@example.com;")
	due()
	step("and comes", "ana owner ;rea reader rea@example.com;thief owner thief@example.com;")
	thief, err := folk.Called(ctx, w.acme, "thief")
	must(t, err)
	who := &person.Who{Person: thief.ID, Customer: w.acme, Role: person.Owner, Actor: "acme/thief"}
	if held, err := w.RemovePerson(ctx, who, ana.ID); err != nil || !held {
		t.Errorf("an owner is removed at once: %v", err)
	}
	mail, manager := "other@example.com", person.Manager
	if _, held, err := w.ChangePerson(ctx, who, ana.ID, people.Edit{Mail: &mail, Role: &manager}); err != nil || !held {
		t.Errorf("an owner is one no more at once: %v", err)
	}
	w.set(t, w.ana, account.MaxCalls, 3)
	w.set(t, who, account.MaxCalls, 8)
	step("nothing yet", "ana owner ;rea reader rea@example.com;thief owner thief@example.com;")
	must(t, folk.Remove(ctx, "staff/maya", thief.ID)) // who saw what the thief is at
	due()
	step("what a person who is gone asked for", "ana owner ;rea reader rea@example.com;")
	if w.calls(t) != 3 || len(w.waiting(t)) != 0 || w.facts("change.failed") != 3 {
		t.Errorf("%d calls, %v", w.calls(t), w.waiting(t))
	}
	if held, err := w.RemovePerson(ctx, w.ana, mustID(t, folk, w.acme, "rea")); err != nil || held {
		t.Errorf("a reader waits: %v", err)
	}
	step("at the end", "ana owner ;")
}

// TestAFormerResellerDoesNotGetItsWay: what its people asked for is made while the customer is the reseller's, and not afterwards.
func TestAFormerResellerDoesNotGetItsWay(t *testing.T) {
	w := newWorld(t)
	folk := w.folk(t)
	north, err := w.book.AddReseller(ctx, "t", "north", book.CustomerEdit{})
	must(t, err)
	max, _, err := folk.Add(ctx, "t", people.NewPerson{Customer: north.ID, Handle: "max", Role: person.Owner})
	must(t, err)
	who := &person.Who{Person: max.ID, Customer: north.ID, Role: person.Owner, Actor: "north/max"}
	for _, x := range []struct {
		reseller string // when the change is due
		calls    int64
	}{{north.ID, 8}, {"", 3}} {
		must(t, errOf(w.book.EditCustomer(ctx, "t", w.acme, book.CustomerEdit{Reseller: &north.ID})))
		w.set(t, w.tom, account.MaxCalls, 3)
		w.set(t, who, account.MaxCalls, 8)
		if len(w.waiting(t)) != 1 || w.calls(t) != 3 {
			t.Errorf("it does not wait: %v", w.waiting(t))
		}
		must(t, errOf(w.book.EditCustomer(ctx, "t", w.acme, book.CustomerEdit{Reseller: &x.reseller})))
		must(t, w.Due(ctx, time.Now().Add(25*time.Hour)))
		if len(w.waiting(t)) != 0 || w.calls(t) != x.calls {
			t.Errorf("with reseller %q: %d calls, %v", x.reseller, w.calls(t), w.waiting(t))
		}
	}
}

func mustID(t testing.TB, folk *people.People, customer, handle string) string {
	t.Helper()
	p, err := folk.Called(ctx, customer, handle)
	must(t, err)
	return p.ID
}

func TestTheLastSecondFactorWaits(t *testing.T) {
	w := newWorld(t)
	folk := w.folk(t)
	put := func(customer, login string, role person.Role) {
		t.Helper()
		keys := []store.Passkey{{Name: "laptop", Credential: []byte(`{"id":"AQ=="}`)}, {Name: "phone", Credential: []byte(`{"id":"Ag=="}`)}}
		must(t, w.db.PutPerson(ctx, store.Person{ID: login, Customer: customer, Login: login, Role: string(role), Factors: store.Factors{Passkeys: keys}}))
	}
	put(w.acme, "acme/ana", person.Owner)
	w.ana.Person = "acme/ana"
	put("", "tom", person.Fraud)
	has := func(id string) int {
		t.Helper()
		p, err := folk.Person(ctx, id)
		must(t, err)
		return len(p.Passkeys)
	}
	remove := func(who *person.Who, id, name string) bool {
		t.Helper()
		waits, err := w.RemovePasskey(ctx, who, id, name)
		must(t, err)
		return waits
	}
	if remove(w.ana, "acme/ana", "laptop") || has("acme/ana") != 1 {
		t.Error("one of two waits")
	}
	if !remove(w.ana, "acme/ana", "phone") || has("acme/ana") != 1 {
		t.Error("the last one does not wait")
	}
	if all := w.waiting(t); len(all) != 1 || !strings.Contains(all[0].Text, "acme/ana, passkey phone") {
		t.Fatalf("%+v", all)
	}
	must(t, errOf(w.Stop(ctx, "acme/ana", w.waiting(t)[0].Code, "not me")))
	must(t, w.Due(ctx, time.Now().Add(25*time.Hour)))
	if has("acme/ana") != 1 {
		t.Error("it was called off, and made")
	}
	remove(w.ana, "acme/ana", "phone")
	must(t, w.Due(ctx, time.Now().Add(23*time.Hour)))
	if has("acme/ana") != 1 {
		t.Error("it was made early")
	}
	must(t, w.Due(ctx, time.Now().Add(25*time.Hour)))
	if has("acme/ana") != 0 || len(w.waiting(t)) != 0 || w.facts("change.made") != 1 || w.facts("passkey.removed") != 2 {
		t.Errorf("%d passkeys, %v", has("acme/ana"), w.waiting(t))
	}
	remove(w.maya, "tom", "laptop")
	if _, err := w.RemovePasskey(ctx, w.maya, "tom", "phone"); !errors.Is(err, people.ErrLastFactor) || has("tom") != 1 {
		t.Errorf("the last one of staff: %v", err)
	}
}

// TestContactsWait: a new contact, another address and a contact less wait, and are made once; what cannot be is said at once. Staff do not wait.
func TestContactsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l, _ := w.book.Line(w.line)
		customer := l.Customer()
		contacts := func() (all []string) {
			v, _ := w.book.Customer(customer)
			for _, k := range v.Contacts {
				all = append(all, account.Handle(k.ID)+" "+k.Address)
			}
			return all
		}
		staff := &person.Who{Actor: "staff/maya", Role: person.Support}
		office := account.Contact{ID: "office", Channel: account.Mail, Address: "office@acme.example"}
		if waits, err := w.PutContact(ctx, staff, customer, office); waits || err != nil {
			t.Fatal(waits, err)
		}
		boss := account.Contact{ID: "boss", Channel: account.Mail, Address: "boss@acme.example"}
		for range 2 { // twice: the second cannot be made, and is taken away
			if waits, err := w.PutContact(ctx, w.ana, customer, boss); !waits || err != nil {
				t.Fatal(waits, err)
			}
			time.Sleep(time.Second)
		}
		v, _ := w.book.Customer(customer)
		moved := v.Contacts[0].Clone()
		moved.Address = "eve@evil.example"
		if waits, err := w.PutContact(ctx, w.ana, customer, moved); !waits || err != nil {
			t.Fatal(waits, err)
		}
		bad := account.Contact{ID: "x", Channel: account.Mail, Address: "no address"}
		if _, err := w.PutContact(ctx, w.ana, customer, bad); err == nil {
			t.Error("no address waits")
		}
		if _, err := w.DeleteContact(ctx, w.ana, customer, "none"); !errors.Is(err, cooling.ErrNotFound) {
			t.Errorf("a contact that there is not: %v", err)
		}
		held := w.waiting(t)
		if got := contacts(); len(held) != 3 || held[0].Text != "a new contact: boss (boss@acme.example)" || held[2].Text != "contact office (office@acme.example) changed to office (eve@evil.example)" || !slices.Equal(got, []string{"office office@acme.example"}) {
			t.Fatalf("%v, %+v", got, held)
		}
		must(t, errOf(w.Stop(ctx, "acme/ana", held[2].Code, "not me")))
		time.Sleep(25 * time.Hour)
		must(t, w.Due(ctx, time.Now()))
		if got := contacts(); !slices.Equal(got, []string{"office office@acme.example", "boss boss@acme.example"}) || len(w.waiting(t)) != 0 {
			t.Errorf("%v, %+v", got, w.waiting(t))
		}
		// What others change meanwhile stays; and an id that is taken by then is said, not swallowed.
		v, _ = w.book.Customer(customer)
		renamed := v.Contacts[1].Clone()
		renamed.Name, renamed.Kinds = "The boss", map[string]account.Preference{"bill": account.PreferOff}
		if waits, err := w.PutContact(ctx, w.ana, customer, renamed); !waits || err != nil {
			t.Fatal(waits, err)
		}
		if waits, err := w.PutContact(ctx, w.ana, customer, account.Contact{ID: "late", Channel: account.Mail, Address: "sam@acme.example"}); !waits || err != nil {
			t.Fatal(waits, err)
		}
		moved = v.Contacts[1].Clone()
		moved.Address, moved.Kinds = "boss@home.example", map[string]account.Preference{"usage-level": account.PreferDigest}
		must(t, w.book.PutContact(ctx, "staff/maya", customer, moved))
		must(t, w.book.PutContact(ctx, "staff/maya", customer, account.Contact{ID: "late", Channel: account.Mail, Address: "late@acme.example"}))
		time.Sleep(25 * time.Hour)
		must(t, w.Due(ctx, time.Now()))
		v, _ = w.book.Customer(customer)
		if got := contacts(); !slices.Equal(got, []string{"office office@acme.example", "boss boss@home.example", "late late@acme.example"}) || v.Contacts[1].Name != "The boss" || len(v.Contacts[1].Kinds) != 2 || w.facts("change.failed") != 1 {
			t.Errorf("%v, %+v, %d failed", got, v.Contacts[1], w.facts("change.failed"))
		}
		must(t, w.book.DeleteContact(ctx, "staff/maya", customer, v.Contacts[2].ID))
		if waits, err := w.DeleteContact(ctx, w.ana, customer, v.Contacts[0].ID); !waits || err != nil {
			t.Fatal(waits, err)
		}
		must(t, w.book.DeleteContact(ctx, "staff/maya", customer, v.Contacts[0].ID)) // what was wanted is so already
		time.Sleep(25 * time.Hour)
		must(t, w.Due(ctx, time.Now()))
		if got := contacts(); !slices.Equal(got, []string{"boss boss@home.example"}) || len(w.waiting(t)) != 0 || w.facts("change.failed") != 1 {
			t.Errorf("%v, %+v, %d failed", got, w.waiting(t), w.facts("change.failed"))
		}
	})
}
