package notify

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/core/phone"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/state/store"
	"ringfence/state/store/postgres"
	"ringfence/state/store/postgres/pgtest"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

// Kinds of findings that tests speak of.
const (
	Guessing    Kind = "guessing"
	Distributed Kind = "siege"
	Spray       Kind = "spray"
)

var update = flag.Bool("update", false, "write the golden files anew")

// world is a provider with one customer, lines 2001 and 2002, and an outside world that remembers what it was sent.
type world struct {
	t    testing.TB
	db   store.Store
	book *book.Book
	n    *Notifier
	f    *follower

	suffix string // of the identities that are given from now on

	mu    sync.Mutex
	got   []Message // mu; what the outside took
	tries []Message // mu; all that was handed over
	send  Send      // mu; nil takes everything
}

// newWorld has its store in memory: what the store has no part in needs no other. Pure Go's SQLite under the race detector
// takes ten times as long.
func newWorld(t testing.TB, change func(*Options)) *world {
	t.Helper()
	return newWorldOn(t, openMemory, change)
}

func newWorldOn(t testing.TB, open opener, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t}
	ctx := context.Background()
	w.db = open(t)
	key, err := secret.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	box, err := secret.NewBox([]secret.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	w.book, err = book.Open(ctx, w.db, book.Options{Plan: phone.UK(), Box: box, Realm: "sip.test", Zone: "Europe/London", Identify: func(handle string) string { return handle + w.suffix }})
	if err != nil {
		t.Fatal(err)
	}
	name, number := "Acme Ltd", "020 7946 0000"
	_, err = w.book.AddCustomer(ctx, "test", "acme", book.CustomerEdit{Name: &name})
	w.must(err)
	for _, id := range []string{"2001", "2002"} {
		_, _, err = w.book.AddLine(ctx, "test", book.NewLine{ID: id, Customer: "acme", NoPassword: true})
		w.must(err)
	}
	reception := "Reception"
	_, err = w.book.EditLine(ctx, "test", "2001", book.LineEdit{Number: &number, Name: &reception})
	w.must(err)
	w.contact(account.Contact{ID: "office", Name: "Anna Smith", Channel: account.Mail, Address: "anna@acme.example"})
	w.n = w.notifier(change)
	w.f = newFollower(w.n)
	w.follow() // the first start: what the journal holds so far is history
	return w
}

// opener opens an empty store.
type opener func(t testing.TB) store.Store

func openMemory(testing.TB) store.Store { return &booktest.Store{} }

// openerOf is each engine's; PostgreSQL's skips the test where there is none.
var openerOf = map[string]func(t *testing.T) opener{
	"memory": func(*testing.T) opener { return openMemory }, "sqlite": func(*testing.T) opener { return openCopy }, "postgres": onPostgres,
}

// onEngines runs a test in which the store has a part on each engine that there is, each time in a bubble of its own.
func onEngines(t *testing.T, test func(t *testing.T, open opener)) {
	t.Helper()
	for name, engine := range openerOf {
		t.Run(name, func(t *testing.T) {
			open := engine(t)
			synctest.Test(t, func(t *testing.T) { test(t, open) })
		})
	}
}

// onPostgres makes a database, outside of any bubble, to be opened inside of one.
func onPostgres(t *testing.T) opener {
	t.Helper()
	dsn := pgtest.Shared(t).Database(t)
	return func(t testing.TB) store.Store {
		t.Helper()
		db, err := postgres.Open(context.Background(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return bubble{db}
	}
}

// bubble gives a server the clock of the test, which it knows nothing of.
type bubble struct{ store.Store }

func (bubble) Clock(context.Context) (time.Time, error) { return time.Now(), nil }

// empty is a database without anything in it, made once: making one takes longer than most of these tests.
var empty = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "notify")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "empty.db")
	db, err := sqlitetest.Open(context.Background(), path, sqlite.Options{Sync: "normal"})
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func openCopy(t testing.TB) store.Store {
	t.Helper()
	body, err := empty()
	path := filepath.Join(t.TempDir(), "test.db")
	if err == nil {
		err = os.WriteFile(path, body, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlitetest.Open(context.Background(), path, sqlite.Options{Sync: "normal"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (w *world) options() Options {
	return Options{
		Store: w.db, Book: w.book, Channels: map[string]Send{account.Mail: w.take, account.Webhook: w.take}, Desk: []string{"fraud@provider.example"},
		Help: Help{
			Provider: "Example Telephony", Mail: "help@provider.example", Phone: "020 7946 0999", Text: "07700 900999",
			Hours: "Mon–Fri 9–17, at other times leave a message", Page: "https://provider.example/help",
		},
		LinksURL: "https://calls.provider.example", LinkKey: []byte("0123456789abcdef0123456789abcdef"), From: "provider.example",
	}
}

func (w *world) notifier(change func(*Options)) *Notifier {
	w.t.Helper()
	o := w.options()
	if change != nil {
		change(&o)
	}
	n, err := New(o)
	w.must(err)
	return n
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) contact(c account.Contact) {
	w.t.Helper()
	w.must(w.book.PutContact(context.Background(), "test", "acme", c))
}

// take is the outside world.
func (w *world) take(ctx context.Context, m Message) error {
	w.mu.Lock()
	send := w.send
	w.tries = append(w.tries, m)
	w.mu.Unlock()
	if send != nil {
		if err := send(ctx, m); err != nil {
			return err
		}
	}
	w.mu.Lock()
	w.got = append(w.got, m)
	w.mu.Unlock()
	return nil
}

func (w *world) outside(send Send) {
	w.mu.Lock()
	w.send = send
	w.mu.Unlock()
}

func (w *world) messages() []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got)
}

// fact appends to the journal.
func (w *world) fact(kind, line string, body any) {
	w.t.Helper()
	b, ok := body.(string)
	if !ok {
		raw, err := json.Marshal(body)
		w.must(err)
		b = string(raw)
	}
	f := store.Fact{At: time.Now().UTC(), Kind: kind, Line: line, Account: "acme", Body: []byte(b)}
	_, err := w.db.Advance(context.Background(), store.Step{Stage: "test", Facts: []store.Fact{f}})
	w.must(err)
}

// finding raises one as watch does; n makes its key.
func (w *world) finding(kind detect.Kind, line string, n int) {
	w.t.Helper()
	s, ok := kind.Sample(line, "acme", sampleAt)
	if !ok {
		w.t.Fatalf("no sample of %s", kind)
	}
	w.fact(fact.KindFindingRaised, s.Line, map[string]any{
		"key": fmt.Sprintf("%s/%d", s.Key, n), "kind": kind.String(), "severity": s.Severity.String(), "source": s.Source, "text": s.Text, "evidence": s.Evidence,
	})
}

func (w *world) device(line string) {
	w.t.Helper()
	w.fact(fact.KindDeviceNew, line, `{"address":"203.0.113.9","agent":"Yealink SIP-T46S","family":"Yealink","place":"203.0.113.0/24","country":"DE","new":"both"}`)
}

// follow takes what the journal has.
func (w *world) follow() {
	w.t.Helper()
	for {
		more, err := w.f.Turn(context.Background())
		w.must(err)
		if !more {
			return
		}
	}
}

// sendDue sends what is due and waits for it.
func (w *world) sendDue() {
	w.t.Helper()
	b := newOutbox(w.n)
	defer b.cut()
	for {
		more, err := b.claim(context.Background())
		w.must(err)
		b.sending.Wait()
		if !more {
			return
		}
	}
}

func (w *world) notices(f store.NoticeFilter) []store.Notice {
	w.t.Helper()
	all, err := w.db.Notices(context.Background(), f)
	w.must(err)
	return all
}

// states are "person state" of every delivery of every notice of a kind.
func (w *world) states(kind Kind) []string {
	w.t.Helper()
	var out []string
	for _, x := range w.notices(store.NoticeFilter{Kind: string(kind), Limit: 1000}) {
		for _, d := range x.Deliveries {
			out = append(out, d.Person+" "+string(d.State))
		}
	}
	slices.Sort(out)
	return out
}

var somewhere = netip.MustParseAddr("198.51.100.20")

// pass lets virtual time go by.
func pass(d time.Duration) { <-time.After(d) }
