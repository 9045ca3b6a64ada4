package people_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // as authenticator apps have it
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/person"
	"ringfence/core/phone"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/people"
	"ringfence/state/counters/memory"
	"ringfence/state/store"
)

var (
	ctx    = context.Background()
	home   = people.From{Addr: netip.MustParseAddr("192.0.2.10"), Agent: "Firefox"}
	abroad = people.From{Addr: netip.MustParseAddr("203.0.113.66"), Agent: "curl"}
)

const words = "gravel-lantern-otter-quilt-92"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type world struct {
	*people.People
	db   *booktest.Store
	book *book.Book
	box  func() (*secret.Box, error)
	acme string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	plan, err := phone.NewPlan(phone.UKConfig())
	must(t, err)
	k, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{k})
	must(t, err)
	w := &world{db: &booktest.Store{}}
	b, err := book.Open(ctx, w.db, book.Options{Plan: plan, Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "sip.test"})
	must(t, err)
	c, err := b.AddCustomer(ctx, "t", "acme", book.CustomerEdit{})
	must(t, err)
	w.acme, w.book, w.box = c.ID, b, func() (*secret.Box, error) { return box, nil }
	w.People, err = people.New(people.Options{
		Store: w.db, Book: b, Counters: memory.NewEngine(memory.Options{}), Box: w.box, Issuer: "Example", URL: pagesURL,
		Record: func(facts ...store.Fact) { must(t, w.db.SaveHotNumbers(ctx, nil, nil, facts...)) },
	})
	must(t, err)
	return w
}

// add adds somebody and signs them in by the link.
func (w *world) add(t testing.TB, customer, handle string, role person.Role) (people.Person, people.Entered) {
	t.Helper()
	p, link, err := w.Add(ctx, "root", people.NewPerson{Customer: customer, Handle: handle, Role: role, Mail: handle + "@Example.com"})
	must(t, err)
	in, err := w.Follow(ctx, link.Token, home)
	must(t, err)
	return p, in
}

// code is what an app shows now, made by a second hand.
func code(t testing.TB, text string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	must(t, err)
	mac := hmac.New(sha1.New, key)
	must(t, binary.Write(mac, binary.BigEndian, at.Unix()/30))
	sum := mac.Sum(nil)
	i := sum[19] & 15
	n := (uint32(sum[i])&0x7f)<<24 | uint32(sum[i+1])<<16 | uint32(sum[i+2])<<8 | uint32(sum[i+3])
	return fmt.Sprintf("%06d", n%1e6)
}

func (w *world) enrol(t testing.TB, p people.Person, in people.Entered) (key string, recovery []string) {
	t.Helper()
	e, err := w.BeginTOTP(ctx, p.Actor(), p.ID)
	must(t, err)
	recovery, err = w.ConfirmTOTP(ctx, p.Actor(), p.ID, code(t, e.Secret, time.Now()), in.Text)
	must(t, err)
	return e.Secret, recovery
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestALinkSignsInOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, link, err := w.Add(ctx, "root", people.NewPerson{Customer: w.acme, Handle: "ana", Role: person.Owner})
		must(t, err)
		if who, ok := w.LinkFor(ctx, link.Token); !ok || who.Login != "acme/ana" {
			t.Errorf("the link is for %+v", who)
		}
		var in atomic.Int64
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if _, err := w.Follow(ctx, link.Token, home); err == nil {
					in.Add(1)
				}
			})
		}
		all.Wait()
		if in.Load() != 1 {
			t.Errorf("%d got in by one link", in.Load())
		}
		sessions, err := w.Sessions(ctx, p.ID, "")
		must(t, err)
		if len(sessions) != 1 {
			t.Errorf("%d sessions", len(sessions))
		}
		second, err := w.Link(ctx, "root", p.ID, people.LinkLife)
		must(t, err)
		third, err := w.Link(ctx, "root", p.ID, people.MailedLife)
		must(t, err)
		_, err = w.Follow(ctx, second.Token, home)
		wantErr(t, "a link that a later one replaced", err, people.ErrRefused)
		time.Sleep(time.Hour)
		_, err = w.Follow(ctx, third.Token, home)
		wantErr(t, "an old link", err, people.ErrRefused)
	})
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, in := w.add(t, w.acme, "ana", person.Owner)
		who, v, err := w.Session(ctx, in.Text, home)
		must(t, err)
		if who.Role != person.Owner || who.Customer != w.acme || who.Actor != "acme/ana" || v.Login != "acme/ana" || !people.IsFresh(&who, time.Now()) {
			t.Errorf("%+v", who)
		}
		for range 10 { // it is used, so it lasts
			time.Sleep(2 * 24 * time.Hour)
			_, _, err = w.Session(ctx, in.Text, home)
			must(t, err)
		}
		who, _, _ = w.Session(ctx, in.Text, home)
		if people.IsFresh(&who, time.Now()) {
			t.Error("a factor of 20 days ago is fresh")
		}
		time.Sleep(4 * 24 * time.Hour)
		_, _, err = w.Session(ctx, in.Text, home)
		wantErr(t, "idle", err, people.ErrRefused)

		staff, in := w.add(t, "", "sam", person.Admin)
		who, _, err = w.Session(ctx, in.Text, home)
		must(t, err)
		if ok, _ := who.May("status"); !who.Enrol || ok {
			t.Error("staff without a second factor may do something")
		}
		w.enrol(t, staff, in)
		who, _, err = w.Session(ctx, in.Text, home)
		must(t, err)
		if ok, why := who.May("status"); who.Enrol || !ok {
			t.Errorf("staff with one: %s", why)
		}
		for range 13 {
			time.Sleep(50 * time.Minute)
			_, _, err = w.Session(ctx, in.Text, home)
			must(t, err)
		}
		time.Sleep(75 * time.Minute)
		_, _, err = w.Session(ctx, in.Text, home)
		wantErr(t, "after twelve hours", err, people.ErrRefused)

		link, err := w.Link(ctx, "root", p.ID, people.LinkLife)
		must(t, err)
		in, err = w.Follow(ctx, link.Token, home)
		must(t, err)
		must(t, w.Leave(ctx, in.Text))
		_, _, err = w.Session(ctx, in.Text, home)
		wantErr(t, "signed out", err, people.ErrRefused)
		// What is of one kind does not pass as another.
		_, err = w.Token(ctx, in.Text, home)
		wantErr(t, "a session as a token", err, people.ErrRefused)
	})
}

func TestTheSecondFactorIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, in := w.add(t, w.acme, "ana", person.Owner)
		must(t, w.SetPassword(ctx, p.Actor(), p.ID, words, in.Text))
		key, recovery := w.enrol(t, p, in)
		if len(recovery) != 10 {
			t.Fatalf("%d recovery codes", len(recovery))
		}
		half := func() people.Entered {
			t.Helper()
			time.Sleep(time.Minute)
			out, err := w.Password(ctx, "ana@example.com", words, home)
			must(t, err)
			if !out.Half || !out.TOTP {
				t.Fatalf("%+v", out)
			}
			_, _, err = w.Session(ctx, out.Text, home)
			wantErr(t, "half a sign-in as a session", err, people.ErrRefused)
			return out
		}
		h := half()
		_, err := w.Second(ctx, h.Text, "000000", home)
		wantErr(t, "a wrong code", err, people.ErrRefused)
		now := code(t, key, time.Now())
		done, err := w.Second(ctx, h.Text, now[:3]+" "+now[3:], home)
		must(t, err)
		if _, _, err = w.Session(ctx, done.Text, home); err != nil {
			t.Error(err)
		}
		_, err = w.Second(ctx, h.Text, now, home)
		wantErr(t, "the same half again", err, people.ErrOver)
		_, err = w.Second(ctx, half().Text, now, home)
		wantErr(t, "the same code again", err, people.ErrRefused)
		h = half()
		_, err = w.Second(ctx, h.Text, strings.ToUpper(recovery[3]), home)
		must(t, err)
		_, err = w.Second(ctx, half().Text, recovery[3], home)
		wantErr(t, "a recovery code again", err, people.ErrRefused)
		v, err := w.Person(ctx, p.ID)
		must(t, err)
		if v.Recovery != 9 {
			t.Errorf("%d codes are left", v.Recovery)
		}
		h = half()
		time.Sleep(6 * time.Minute)
		_, err = w.Second(ctx, h.Text, code(t, key, time.Now()), home)
		wantErr(t, "too late", err, people.ErrOver)
	})
}

// Of many who show the same code at once, one gets in.
func TestACodeCountsOnce(t *testing.T) {
	w := newWorld(t)
	p, in := w.add(t, w.acme, "ana", person.Owner)
	_, recovery := w.enrol(t, p, in)
	link, err := w.Link(ctx, "root", p.ID, people.LinkLife)
	must(t, err)
	h, err := w.Follow(ctx, link.Token, home)
	must(t, err)
	var got atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := w.Second(ctx, h.Text, recovery[0], home); err == nil {
				got.Add(1)
			}
		})
	}
	all.Wait()
	if got.Load() != 1 {
		t.Errorf("%d got in", got.Load())
	}
}

func TestGuessersWaitAndOwnersDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, in := w.add(t, w.acme, "ana", person.Owner)
		must(t, w.SetPassword(ctx, p.Actor(), p.ID, words, in.Text))
		var wait *people.Wait
		refused := func(name string) (n int) {
			for ; n < 1000; n++ {
				if _, err := w.Password(ctx, name, "wrong", abroad); errors.As(err, &wait) {
					return n
				} else if !errors.Is(err, people.ErrRefused) {
					t.Fatal(err)
				}
			}
			return n
		}
		known, unknown := refused("acme/ana"), refused("acme/nobody")
		if known != unknown || known > 10 {
			t.Errorf("%d guesses of a name that there is, %d of one that there is not", known, unknown)
		}
		if _, err := w.Password(ctx, "acme/ana", words, abroad); !errors.As(err, &wait) {
			t.Errorf("the right password meanwhile: %v", err)
		}
		if _, err := w.Password(ctx, "acme/ana", words, home); err != nil {
			t.Errorf("the owner at home: %v", err)
		}
		for i := range 300 { // from everywhere
			at := people.From{Addr: netip.AddrFrom4([4]byte{10, byte(i), 0, 1})}
			_, _ = w.Password(ctx, "acme/ana", "wrong", at)
		}
		if _, err := w.Password(ctx, "acme/ana", words, people.From{Addr: netip.MustParseAddr("198.51.100.1")}); !errors.As(err, &wait) {
			t.Errorf("from anywhere: %v", err)
		}
		if _, err := w.Password(ctx, "acme/ana", words, home); err != nil {
			t.Errorf("the owner where she is signed in: %v", err)
		}
	})
}

// TestAStolenSessionDoesNotUseUpTheCodes guards against who stole a session and shows wrong codes in it: the owner could neither sign in nor show a
// code elsewhere for a day.
func TestAStolenSessionDoesNotUseUpTheCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, in := w.add(t, w.acme, "ana", person.Owner)
		must(t, w.SetPassword(ctx, p.Actor(), p.ID, words, in.Text))
		_, recovery := w.enrol(t, p, in)
		var wait *people.Wait
		n := 0
		for ; n < 100; n++ {
			if err := w.Prove(ctx, in.Text, "wrong-code", abroad); errors.As(err, &wait) {
				break
			}
		}
		if n > 10 {
			t.Errorf("%d guesses within a session", n)
		}
		half, err := w.Password(ctx, "acme/ana", words, home)
		must(t, err)
		again, err := w.Second(ctx, half.Text, recovery[0], home)
		must(t, err)
		must(t, w.Prove(ctx, again.Text, recovery[1], home))
	})
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, _ := w.add(t, w.acme, "ana", person.Owner)
		soon := time.Now().Add(24 * time.Hour)
		for what, until := range map[string]time.Time{"two years": soon.AddDate(2, 0, 0), "the past": soon.AddDate(-1, 0, 0), "never": {}} {
			if _, _, err := w.AddToken(ctx, "t", p.ID, "ci", []person.Scope{person.Read}, until); err == nil {
				t.Errorf("a token until %s", what)
			}
		}
		for _, scopes := range [][]person.Scope{nil, {"all"}} {
			if _, _, err := w.AddToken(ctx, "t", p.ID, "ci", scopes, soon); err == nil {
				t.Errorf("a token of %q", scopes)
			}
		}
		_, text, err := w.AddToken(ctx, p.Actor(), p.ID, "ci", []person.Scope{person.Read, person.Lock}, soon)
		must(t, err)
		who, err := w.Token(ctx, text, abroad)
		must(t, err)
		for operation, want := range map[string]bool{"get-line": true, "lock-line": true, "change-line": false, "add-person": false, "status": false, "no-such": false} {
			if ok, why := who.May(operation); ok != want {
				t.Errorf("%s: %v (%s)", operation, ok, why)
			}
		}
		all, err := w.Tokens(ctx, p.ID)
		must(t, err)
		if len(all) != 1 || all[0].From != abroad.Addr.String() || all[0].Seen.IsZero() {
			t.Errorf("last use: %+v", all)
		}
		reader := person.Reader
		_, err = w.Change(ctx, "t", p.ID, people.Edit{Role: &reader})
		wantErr(t, "the last owner as a reader", err, people.ErrLast)
		w.add(t, w.acme, "bob", person.Owner)
		_, err = w.Change(ctx, "t", p.ID, people.Edit{Role: &reader})
		must(t, err)
		if who, err = w.Token(ctx, text, abroad); err != nil {
			t.Fatal(err)
		}
		if ok, _ := who.May("lock-line"); ok {
			t.Error("a token may more than its person")
		}
		time.Sleep(25 * time.Hour)
		_, err = w.Token(ctx, text, home)
		wantErr(t, "expired", err, people.ErrRefused)
	})
}

// A thief who had the password may have made a token with it.
func TestANewPasswordEndsTokens(t *testing.T) {
	w := newWorld(t)
	p, in := w.add(t, w.acme, "ana", person.Owner)
	bob, _ := w.add(t, w.acme, "bob", person.Owner)
	_, mine, err := w.AddToken(ctx, p.Actor(), p.ID, "ci", []person.Scope{person.Read}, time.Now().Add(time.Hour))
	must(t, err)
	_, bobs, err := w.AddToken(ctx, p.Actor(), bob.ID, "ci", []person.Scope{person.Read}, time.Now().Add(time.Hour))
	must(t, err)
	must(t, w.SetPassword(ctx, p.Actor(), p.ID, words, in.Text))
	_, err = w.Token(ctx, mine, home)
	wantErr(t, "a token of the time before", err, people.ErrRefused)
	if _, err := w.Token(ctx, bobs, home); err != nil {
		t.Errorf("another's token: %v", err)
	}
	if w.count("token.removed", `"token":"ci"`) != 1 {
		t.Error("the journal has no token that was taken back")
	}
}

// Who adds a factor cannot take away those that were there before, as long as Left asks for.
func TestWhatIsLeftHasCountedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, in := w.add(t, w.acme, "ana", person.Owner)
		w.key(t, p, in, "laptop")
		time.Sleep(48 * time.Hour)
		w.enrol(t, p, in)
		v, err := w.Person(ctx, p.ID)
		must(t, err)
		laptop, day := v.Passkeys[0].ID, people.Left(24*time.Hour)
		wantErr(t, "the old one, for a new app", w.RemovePasskey(ctx, p.Actor(), p.ID, laptop, day), people.ErrLastFactor)
		must(t, w.ReplacesTOTP(ctx, p.ID, day))
		must(t, w.RemoveTOTP(ctx, p.Actor(), p.ID, day))
		wantErr(t, "none", w.RemoveTOTP(ctx, p.Actor(), p.ID, day), people.ErrNotFound)
		w.enrol(t, p, in)
		time.Sleep(25 * time.Hour)
		must(t, w.RemovePasskey(ctx, p.Actor(), p.ID, laptop, day))
		wantErr(t, "another app for the only one", w.ReplacesTOTP(ctx, p.ID, day), people.ErrLastFactor)
		must(t, w.ReplacesTOTP(ctx, p.ID, people.EvenNone))
	})
}

func TestRolesAreOfTheirSide(t *testing.T) {
	w := newWorld(t)
	for customer, role := range map[string]person.Role{w.acme: person.Admin, "": person.Owner} {
		if _, _, err := w.Add(ctx, "t", people.NewPerson{Customer: customer, Handle: "x", Role: role}); err == nil {
			t.Errorf("%q became %s", customer, role)
		}
	}
	p, _ := w.add(t, w.acme, "ana", person.Manager)
	admin := person.Admin
	if _, err := w.Change(ctx, "t", p.ID, people.Edit{Role: &admin}); err == nil {
		t.Error("a customer's person became an admin")
	}
	_, _, err := w.Add(ctx, "t", people.NewPerson{Customer: w.acme, Handle: "ana", Role: person.Reader})
	wantErr(t, "the same name", err, people.ErrExists)
	for _, name := range []string{"", "a/b", "Ana", "a b", "a~b", "é", strings.Repeat("a", 41)} {
		if _, _, err := w.Add(ctx, "t", people.NewPerson{Customer: w.acme, Handle: name, Role: person.Reader}); err == nil {
			t.Errorf("a person is called %q", name)
		}
	}
}

// Whatever is secret is in no fact of the journal.
func TestFactsHaveNoSecrets(t *testing.T) {
	w := newWorld(t)
	p, in := w.add(t, w.acme, "ana", person.Owner)
	must(t, w.SetPassword(ctx, p.Actor(), p.ID, words, in.Text))
	key, recovery := w.enrol(t, p, in)
	_, token, err := w.AddToken(ctx, p.Actor(), p.ID, "ci", []person.Scope{person.Read}, time.Now().Add(time.Hour))
	must(t, err)
	link, err := w.Link(ctx, p.Actor(), p.ID, people.LinkLife)
	must(t, err)
	h, err := w.Follow(ctx, link.Token, home)
	must(t, err)
	_, _ = w.Second(ctx, h.Text, "123456", home)
	_, err = w.Second(ctx, h.Text, recovery[0], home)
	must(t, err)
	_, _ = w.Password(ctx, "acme/ana", "wrong", abroad)
	must(t, w.RemoveTOTP(ctx, p.Actor(), p.ID, people.EvenNone))
	must(t, w.RemoveToken(ctx, p.Actor(), p.ID, "ci"))
	_, thiefs, err := w.AddToken(ctx, p.Actor(), p.ID, "thief", []person.Scope{person.Read}, time.Now().Add(time.Hour))
	must(t, err)
	again, err := w.Reset(ctx, "root", p.ID)
	must(t, err)
	if _, err := w.Token(ctx, thiefs, abroad); !errors.Is(err, people.ErrRefused) {
		t.Errorf("a token outlives that its person lost everything: %v", err)
	}
	kinds := map[string]int{}
	for _, f := range w.db.AllFacts() {
		kinds[f.Kind]++
		for what, s := range map[string]string{"password": words, "TOTP secret": key, "recovery code": recovery[0], "token": token, "link": link.Token, "another link": again.Token, "session": in.Text, "half": h.Text} {
			if strings.Contains(string(f.Body), s) || strings.Contains(string(f.Body), strings.ReplaceAll(s, "-", "")) {
				t.Errorf("%s has the %s: %s", f.Kind, what, f.Body)
			}
		}
	}
	for _, want := range []string{"person.added", "person.changed", "person.link", "person.entered", "person.refused", "person.left", "token.added", "token.removed"} {
		if kinds[want] == 0 {
			t.Errorf("no fact %s", want)
		}
	}
}
