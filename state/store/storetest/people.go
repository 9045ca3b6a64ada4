package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/state/store"
)

var someday = time.Date(2026, 11, 29, 12, 0, 0, 1000, time.UTC)

func ana() store.Person {
	return store.Person{ID: "ana~00000000", Customer: "acme", Login: "acme/ana", Name: "Ana Baker", Mail: "ana@example.com", Role: "owner", Password: "$argon2id$…", Sealed: []byte{1, 2}, Made: someday}
}

func logins(t *testing.T, all []store.Person, err error) (out []string) {
	t.Helper()
	ok(t, err)
	for _, p := range all {
		out = append(out, p.Login)
	}
	return out
}

func people(t *testing.T, s store.Store) {
	ctx := t.Context()
	ok(t, s.PutCustomer(ctx, account.Customer{ID: "acme", Created: someday}, true))
	a := ana()
	a.Factors = store.Factors{Step: 7, Recovery: []string{"ab"}, Passkeys: []store.Passkey{{Name: "phone", Credential: []byte(`{}`), Made: someday}}}
	ok(t, s.PutPerson(ctx, a, store.Fact{Kind: "person.added"}))
	a.Version = 1
	got, err := s.Person(ctx, a.ID)
	ok(t, err)
	same(t, "person", got, a)
	staff := store.Person{ID: "sam~00000000", Login: "sam", Mail: "ana@example.com", Role: "admin", Made: someday}
	ok(t, s.PutPerson(ctx, staff))
	_, err = s.Person(ctx, "nobody")
	wantIs(t, "nobody", err, store.ErrNotFound)
	other := ana()
	other.ID = "ana~00000001"
	wantIs(t, "a login in use", s.PutPerson(ctx, other), store.ErrExists)

	all, err := s.People(ctx, "acme")
	same(t, "the customer's", logins(t, all, err), []string{"acme/ana"})
	all, err = s.People(ctx, "")
	same(t, "staff", logins(t, all, err), []string{"sam"})
	for name, want := range map[string][]string{"acme/ana": {"acme/ana"}, "ana@example.com": {"acme/ana", "sam"}, "sam": {"sam"}, "": nil, "x": nil} {
		all, err = s.PeopleCalled(ctx, name)
		same(t, name, logins(t, all, err), want)
	}

	a.Name = "Ana B."
	ok(t, s.PutPerson(ctx, a))
	wantIs(t, "a write in between", s.PutPerson(ctx, a), store.ErrMoved)
	ok(t, s.PutPass(ctx, store.Pass{Hash: "h1", Kind: store.PassSession, Person: a.ID, Expires: someday}))
	ok(t, s.DeletePerson(ctx, a.ID, store.Fact{Kind: "person.removed"}))
	wantIs(t, "deleted", s.DeletePerson(ctx, a.ID), store.ErrNotFound)
	_, err = s.Pass(ctx, "h1")
	wantIs(t, "its session", err, store.ErrNotFound)

	ok(t, s.PutPerson(ctx, ana()))
	ok(t, s.PutPass(ctx, store.Pass{Hash: "h2", Kind: store.PassToken, Person: a.ID, Expires: someday}))
	ok(t, s.DeleteCustomer(ctx, "acme"))
	_, err = s.Person(ctx, a.ID)
	wantIs(t, "a deleted customer's", err, store.ErrNotFound)
	_, err = s.Pass(ctx, "h2")
	wantIs(t, "its token", err, store.ErrNotFound)
}

func passes(t *testing.T, s store.Store) {
	ctx := t.Context()
	ok(t, s.PutPerson(ctx, ana()))
	link := store.Pass{
		Hash: "link", Kind: store.PassLink, Person: ana().ID, Name: "n", Scopes: "read lock", Made: someday, Expires: someday.Add(time.Hour),
		Seen: someday, From: "192.0.2.1", Agent: "☎", Proved: someday, Data: []byte{9},
	}
	ok(t, s.PutPass(ctx, link, store.Fact{Kind: "person.link"}))
	got, err := s.Pass(ctx, "link")
	ok(t, err)
	same(t, "pass", got, link)
	wantIs(t, "twice", s.PutPass(ctx, link), store.ErrExists)
	wantIs(t, "of nobody", s.PutPass(ctx, store.Pass{Hash: "x", Kind: store.PassLink, Person: "nobody"}), store.ErrNotFound)
	ok(t, s.PutPass(ctx, store.Pass{Hash: "challenge", Kind: store.PassChallenge, Expires: someday}))

	next := store.Pass{Hash: "s1", Kind: store.PassSession, Person: ana().ID, Made: someday, Expires: someday.Add(time.Hour), Seen: someday.Add(time.Minute)}
	wantIs(t, "another kind", s.UsePass(ctx, "link", store.PassSession, someday, next), store.ErrInUse)
	wantIs(t, "expired", s.UsePass(ctx, "link", store.PassLink, someday.Add(time.Hour), next), store.ErrInUse)
	raceForLink(t, s, next)
	wantIs(t, "used", s.UsePass(ctx, "link", store.PassLink, someday, next), store.ErrInUse)
	_, err = s.Pass(ctx, "link")
	wantIs(t, "the link is gone", err, store.ErrNotFound)

	seen := store.Pass{Hash: "s1", Seen: someday.Add(2 * time.Minute), From: "192.0.2.2", Agent: "b", Proved: someday.Add(time.Minute)}
	ok(t, s.SeePass(ctx, seen))
	seen.Proved = someday
	ok(t, s.SeePass(ctx, seen))
	got, err = s.Pass(ctx, "s1")
	ok(t, err)
	same(t, "seen", []any{got.Seen, got.From, got.Agent, got.Proved}, []any{someday.Add(2 * time.Minute), "192.0.2.2", "b", someday.Add(time.Minute)})
	wantIs(t, "what is not there", s.SeePass(ctx, store.Pass{Hash: "none"}), store.ErrNotFound)

	for i, hash := range []string{"s2", "s3", "s4"} {
		ok(t, s.PutPass(ctx, store.Pass{Hash: hash, Kind: store.PassSession, Person: ana().ID, Expires: someday, Seen: someday.Add(-time.Duration(i) * time.Hour)}))
	}
	all, err := s.Passes(ctx, ana().ID, store.PassSession)
	ok(t, err)
	same(t, "sessions", hashes(all), []string{"s1", "s2", "s3", "s4"})
	drop := func(kind, hash, keep string, want int64) {
		t.Helper()
		n, err := s.DropPasses(ctx, ana().ID, kind, hash, keep)
		ok(t, err)
		same(t, "dropped", n, want)
	}
	drop(store.PassToken, "", "", 0)
	drop(store.PassSession, "s2", "", 1)
	drop(store.PassSession, "", "s1", 2)
	drop("", "", "", 1)
	n, err := s.ClearPasses(ctx, someday.Add(time.Second))
	ok(t, err)
	same(t, "cleared", n, int64(1))
}

// raceForLink: of many who follow a link at once, one gets in.
func raceForLink(t *testing.T, s store.Store, next store.Pass) {
	t.Helper()
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			mine := next
			if i > 0 {
				mine.Hash = "loser" + string(rune('0'+i))
			}
			if s.UsePass(t.Context(), "link", store.PassLink, someday, mine) == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	same(t, "winners", won.Load(), int64(1))
	sessions, err := s.Passes(t.Context(), ana().ID, store.PassSession)
	ok(t, err)
	same(t, "sessions of one link", len(sessions), 1)
	if sessions[0].Hash != next.Hash { // the rest of the test looks at one by name
		_, err := s.DropPasses(t.Context(), ana().ID, store.PassSession, "", "")
		ok(t, err)
		ok(t, s.PutPass(t.Context(), next))
	}
}

func hashes(all []store.Pass) (out []string) {
	for _, p := range all {
		out = append(out, p.Hash)
	}
	return out
}
