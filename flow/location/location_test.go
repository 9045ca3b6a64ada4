package location

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/fact"
	"ringfence/state/store"
)

// fakeStore keeps registrations and facts; the rest of store.Store is nil and must not be called.
type fakeStore struct {
	store.Store
	mu    sync.Mutex
	rows  map[[2]string]store.Registration
	facts []store.Fact
	calls int
	fail  error
	on    func() // called inside a write, before it takes effect
}

func newStore() *fakeStore { return &fakeStore{rows: map[[2]string]store.Registration{}} }

func (f *fakeStore) Registrations(_ context.Context, yield func(store.Registration) error) error {
	for _, r := range f.rows {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeStore) SaveRegistrations(_ context.Context, put, drop []store.Registration, facts ...store.Fact) error {
	if f.on != nil {
		f.on()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.fail != nil {
		return f.fail
	}
	for _, r := range put {
		f.rows[[2]string{r.Line, r.Key}] = r
	}
	for _, r := range drop {
		delete(f.rows, [2]string{r.Line, r.Key})
	}
	f.facts = append(f.facts, facts...)
	return nil
}

func (f *fakeStore) kinds() (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.facts {
		out = append(out, strings.TrimPrefix(x.Kind, "registration."))
	}
	return out
}

func (f *fakeStore) counts() (rows, facts, calls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.rows), len(f.facts), f.calls
}

func register(cseq uint32, contacts ...Contact) Update {
	return Update{Contacts: contacts, CallID: "call-1", CSeq: cseq, Received: netip.MustParseAddrPort("192.0.2.7:5060"), Transport: "udp", UserAgent: "Phone/1.0", Now: time.Now()}
}

func contact(uri string, seconds int) Contact {
	return Contact{URI: "sip:" + uri + "@192.0.2.7", Expires: time.Duration(seconds) * time.Second}
}

func uris(list []Binding) string {
	var out []string
	for _, b := range list {
		name, _, _ := strings.Cut(strings.TrimPrefix(b.Contact, "sip:"), "@")
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// steps runs REGISTERs one after the other and compares what is registered after each.
func TestUpdate(t *testing.T) {
	all := func(cseq uint32) Update { u := register(cseq); u.All = true; return u }
	other := func(u Update) Update { u.CallID = "call-2"; return u }
	for _, c := range []struct {
		name  string
		steps []Update
		errs  []error // of the last steps; before them none
		want  string
		kinds string
	}{
		{"one", []Update{register(1, contact("a", 60))}, nil, "a", "added"},
		{"newest first", []Update{register(1, contact("a", 60)), register(2, contact("b", 60))}, nil, "b a", "added added"},
		{"a refresh is no fact", []Update{register(1, contact("a", 60)), register(2, contact("a", 60))}, nil, "a", "added"},
		{"a question changes nothing", []Update{register(1, contact("a", 60)), register(1)}, nil, "a", "added"},
		{"unregister", []Update{register(1, contact("a", 60), contact("b", 60)), register(2, contact("a", 0))}, nil, "b", "added added removed"},
		{"unregister what is not there", []Update{register(1, contact("a", 0))}, nil, "", ""},
		{"star", []Update{register(1, contact("a", 60), contact("b", 60)), all(2)}, nil, "", "added added removed removed"},
		{"same CSeq", []Update{register(5, contact("a", 60)), register(5, contact("a", 60))}, []error{ErrStaleCSeq}, "a", "added"},
		{"lower CSeq", []Update{register(5, contact("a", 60)), register(4, contact("a", 0))}, []error{ErrStaleCSeq}, "a", "added"},
		{"lower CSeq of another Call-ID", []Update{register(5, contact("a", 60)), other(register(1, contact("a", 0)))}, nil, "", "added removed"},
		{"lower CSeq, new contact", []Update{register(5, contact("a", 60)), register(4, contact("b", 60))}, nil, "b a", "added added"},
		{"stale star", []Update{register(5, contact("a", 60)), all(5)}, []error{ErrStaleCSeq}, "a", "added"},
		{"one stale contact undoes the others", []Update{register(5, contact("a", 60)), register(4, contact("b", 60), contact("a", 60))}, []error{ErrStaleCSeq}, "a", "added"},
		{"a contact twice", []Update{register(1, contact("a", 60), contact("a", 90))}, nil, "a", "added"},
		{"a contact in and out", []Update{register(1, contact("a", 60), contact("a", 0))}, nil, "", "added removed"},
		{"too many", []Update{register(1, contact("a", 60), contact("b", 60)), register(2, contact("c", 60), contact("d", 60))}, nil, "d c b", "added added added added removed"},
		{"too many in one", []Update{register(1, contact("a", 60)), register(2, contact("b", 60), contact("c", 60), contact("d", 60), contact("e", 60))}, []error{ErrTooMany}, "a", "added"},
		{"as many as one may", []Update{register(1, contact("a", 60), contact("b", 60)), register(2, contact("a", 0), contact("c", 60), contact("d", 60))}, nil, "d c b", "added added removed added added"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := newStore()
			l := New(Options{Store: db, MaxContacts: 3})
			for i, u := range c.steps {
				var want error
				if at := i - len(c.steps) + len(c.errs); at >= 0 {
					want = c.errs[at]
				}
				got, err := l.Update("1001", u)
				if !errors.Is(err, want) {
					t.Fatalf("step %d: %v, want %v", i, err, want)
				}
				if now := l.Lookup("1001", time.Now()); err == nil && uris(now) != uris(got) {
					t.Errorf("step %d answered %q, registered is %q", i, uris(got), uris(now))
				}
			}
			if got := uris(l.Lookup("1001", time.Now())); got != c.want {
				t.Errorf("registered %q, want %q", got, c.want)
			}
			if err := l.Flush(t.Context()); err != nil || strings.Join(db.kinds(), " ") != c.kinds {
				t.Errorf("facts %v %v, want %s", db.kinds(), err, c.kinds)
			}
			if n := len(l.Lookup("1001", time.Now())); l.Len() != n || len(db.rows) != n {
				t.Errorf("Len is %d, stored %d, registered %d", l.Len(), len(db.rows), n)
			}
		})
	}
}

func TestMovedPhone(t *testing.T) {
	db := newStore()
	l := New(Options{Store: db, Account: func(line string) string { return "of-" + line }})
	_, _ = l.Update("1001", register(1, contact("a", 60)))
	u := register(2, contact("a", 60))
	u.Received, u.UserAgent = netip.MustParseAddrPort("203.0.113.9:6000"), "Other/2"
	got, err := l.Update("1001", u)
	if err != nil || len(got) != 1 || got[0].Received != u.Received || got[0].UserAgent != "Other/2" || got[0].CSeq != 2 {
		t.Fatal(got, err)
	}
	_ = l.Flush(t.Context())
	last := db.facts[len(db.facts)-1]
	var body fact.RegistrationMoved
	if err := body.Decode(last.Body); err != nil || last.Kind != "registration.moved" || last.Line != "1001" || last.Account != "of-1001" ||
		body.Received != "203.0.113.9:6000" || body.Was.Received != "192.0.2.7:5060" || body.Was.Agent != "Phone/1.0" {
		t.Errorf("%s %s %v", last.Kind, last.Body, err)
	}
}

func TestBadTextIsRefused(t *testing.T) {
	l := New(Options{Store: newStore()})
	for name, change := range map[string]func(*Update){
		"no contact": func(u *Update) { u.Contacts[0].URI = "" }, "long contact": func(u *Update) { u.Contacts[0].URI = strings.Repeat("x", 600) },
		"NUL": func(u *Update) { u.Contacts[0].URI = "sip:a\x00@b" }, "broken UTF-8": func(u *Update) { u.CallID = "a\xff" }, "no Call-ID": func(u *Update) { u.CallID = "" },
		"long Call-ID": func(u *Update) { u.CallID = strings.Repeat("x", 300) }, "star and more": func(u *Update) { u.All = true },
	} {
		u := register(1, contact("a", 60))
		change(&u)
		if _, err := l.Update("1001", u); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	u := register(1, contact("a", 60))
	u.UserAgent = "bad\x00\xff" + strings.Repeat("é", 100)
	got, err := l.Update("1001", u)
	if err != nil || !clean(got[0].UserAgent, maxUserAgent+2) {
		t.Errorf("%+v %v", got, err)
	}
	many := register(9)
	for i := range 21 {
		many.Contacts = append(many.Contacts, contact(fmt.Sprint("a", i), 0))
	}
	if _, err := l.Update("1001", many); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
}

// TestExpiry: a registration is over to the instant for Lookup, and within a tick for the store and the journal.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore()
		l := New(Options{Store: db})
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { l.Run(ctx) })
		_, _ = l.Update("1001", register(1, contact("short", 60), contact("long", 600)))
		wait(59 * time.Second)
		if got := uris(l.Lookup("1001", time.Now())); got != "long short" {
			t.Errorf("after 59 s: %q", got)
		}
		wait(time.Second)
		if got := uris(l.Lookup("1001", time.Now())); got != "long" {
			t.Errorf("after 60 s: %q", got)
		}
		wait(3 * time.Second)
		if rows, _, _ := db.counts(); l.Len() != 1 || rows != 1 || !slices.Equal(db.kinds(), []string{"added", "added", "expired"}) {
			t.Errorf("after 63 s: %d bindings, %d rows, %v", l.Len(), rows, db.kinds())
		}
		for i := range uint32(20) { // refreshed again and again: never ends, writes no facts
			wait(500 * time.Second)
			if _, err := l.Update("1001", register(i+2, contact("long", 600))); err != nil {
				t.Fatal(err)
			}
		}
		if got := uris(l.Lookup("1001", time.Now())); got != "long" || len(db.kinds()) != 3 {
			t.Errorf("after refreshes: %q, %v", got, db.kinds())
		}
		wait(time.Hour)
		rows, facts, calls := db.counts()
		if l.Len() != 0 || rows != 0 || facts != 4 {
			t.Errorf("at the end: %d bindings, %d rows, %v", l.Len(), rows, db.kinds())
		}
		wait(time.Hour)
		if _, _, more := db.counts(); more != calls {
			t.Errorf("%d writes with nothing to write", more-calls)
		}
		stop()
		wg.Wait()
	})
}

// A phone that registers every minute for an hour is written four times in it, and whatever else is new about it at once; a program
// that dies at any moment finds it registered for half an hour at least.
func TestARefreshIsWrittenNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore()
		l := New(Options{Store: db})
		seq := uint32(0)
		refresh := func(change func(*Update)) (written bool) {
			t.Helper()
			seq++
			u := register(seq, contact("a", 3600))
			u.CallID = fmt.Sprint("call-", seq/10) // it restarts now and then
			change(&u)
			_, _, before := db.counts()
			if _, err := l.Update("1001", u); err != nil {
				t.Fatal(err)
			}
			if err := l.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, _, after := db.counts()
			return after > before
		}
		same := func(*Update) {}
		writes := 0
		for range 60 {
			if refresh(same) {
				writes++
			}
			again := New(Options{Store: db})
			if err := again.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			if all := again.Lookup("1001", time.Now().Add(30*time.Minute)); len(all) != 1 {
				t.Fatalf("after a restart: %+v", all)
			}
			wait(time.Minute)
		}
		if writes != 4 {
			t.Errorf("%d writes in an hour", writes)
		}
		refresh(same)
		for name, change := range map[string]func(*Update){
			"address":    func(u *Update) { u.Received = netip.MustParseAddrPort("192.0.2.8:5060") },
			"User-Agent": func(u *Update) { u.UserAgent = "Phone/2.0" }, "expiry": func(u *Update) { u.Contacts[0].Expires = time.Minute },
			"instance": func(u *Update) { u.Contacts[0].Instance = "x" },
		} {
			refresh(same)
			if refresh(same) || !refresh(change) {
				t.Errorf("another %s is not written at once, or no change is", name)
			}
		}
	})
}

// wait lets virtual time pass inside a synctest bubble.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore()
		before := New(Options{Store: db})
		_, _ = before.Update("1001", register(7, contact("old", 600)))
		wait(10 * time.Second)
		_, _ = before.Update("1001", register(8, contact("new", 600), contact("short", 20)))
		want := before.Lookup("1001", time.Now())
		if err := before.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait(30 * time.Second)
		after := New(Options{Store: db})
		if err := after.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := after.Lookup("1001", time.Now())
		if uris(got) != "new old" || after.Len() != 2 || !got[0].Expires.Equal(want[1].Expires) || got[0].CSeq != 8 || got[0].UserAgent != "Phone/1.0" {
			t.Errorf("%+v\nwant %+v", got, want)
		}
		if _, err := after.Update("1001", register(8, contact("new", 600))); !errors.Is(err, ErrStaleCSeq) {
			t.Errorf("the CSeq of before the restart is forgotten: %v", err)
		}
		if err := after.Flush(t.Context()); err != nil || len(db.rows) != 2 || db.kinds()[3] != "expired" {
			t.Errorf("%d rows, %v, %v", len(db.rows), db.kinds(), err)
		}
		wait(time.Hour)
		if n := len(after.Lookup("1001", time.Now())); n != 0 {
			t.Errorf("%d loaded ones never end", n)
		}
	})
}

// TestStoreAway: while writes fail phones stay registered; afterwards the store has exactly what is registered, and the
// journal every change in order.
func TestStoreAway(t *testing.T) {
	db := newStore()
	l := New(Options{Store: db})
	_, _ = l.Update("1001", register(1, contact("a", 60)))
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.fail = errors.New("disk full")
	_, _ = l.Update("1001", register(2, contact("a", 0), contact("b", 60)))
	if err := l.Flush(t.Context()); !errors.Is(err, db.fail) {
		t.Fatal(err)
	}
	_, _ = l.Update("1001", register(3, contact("c", 60)))
	_, _ = l.Update("1001", register(4, contact("b", 0)))
	_ = l.Flush(t.Context())
	if got := uris(l.Lookup("1001", time.Now())); got != "c" {
		t.Errorf("registered %q", got)
	}
	db.fail = nil
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, there := db.rows[[2]string{"1001", "sip:c@192.0.2.7"}]; !there || len(db.rows) != 1 {
		t.Errorf("stored %v", db.rows)
	}
	if got := strings.Join(db.kinds(), " "); got != "added removed added added removed" {
		t.Errorf("facts %s", got)
	}
}

// TestRemovedWhileBeingWritten: a contact that goes while its row is on the way to the store goes from there too, and one
// that comes back while its removal is on the way stays.
func TestRemovedWhileBeingWritten(t *testing.T) {
	for _, fail := range []error{nil, errors.New("disk full")} {
		db := newStore()
		l := New(Options{Store: db})
		step := func(u Update) func() {
			return func() {
				db.on, db.fail = nil, fail
				if _, err := l.Update("1001", u); err != nil {
					t.Error(err)
				}
			}
		}
		_, _ = l.Update("1001", register(1, contact("a", 60)))
		db.on = step(register(2, contact("a", 0)))
		_ = l.Flush(t.Context())
		db.fail = nil
		_ = l.Flush(t.Context())
		if len(db.rows) != 0 {
			t.Errorf("left behind: %v", db.rows)
		}
		_, _ = l.Update("1001", register(3, contact("a", 60)))
		_ = l.Flush(t.Context())
		_, _ = l.Update("1001", register(4, contact("a", 0)))
		db.on = step(register(5, contact("a", 60)))
		_ = l.Flush(t.Context())
		db.fail = nil
		_ = l.Flush(t.Context())
		if len(db.rows) != 1 {
			t.Errorf("lost: %v", db.rows)
		}
	}
}

// TestOnePhoneCannotFillTheJournal: changes past a bound are counted, and the store gets the bindings themselves.
func TestOnePhoneCannotFillTheJournal(t *testing.T) {
	db := newStore()
	l := New(Options{Store: db})
	for i := range uint32(1000) {
		u := register(i+1, contact("a", 60))
		u.Received = netip.AddrPortFrom(u.Received.Addr(), uint16(1000+i))
		if _, err := l.Update("1001", u); err != nil {
			t.Fatal(err)
		}
	}
	_ = l.Flush(t.Context())
	last := db.facts[len(db.facts)-1]
	if len(db.facts) != factsPerLine+1 || last.Kind != "registration.summary" || string(last.Body) != `{"more_changes":960}` {
		t.Errorf("%d facts, the last %s %s", len(db.facts), last.Kind, last.Body)
	}
}

// TestLongOutageIsBounded: nothing that waits for the store grows for ever.
func TestLongOutageIsBounded(t *testing.T) {
	db := newStore()
	db.fail = errors.New("away")
	l := New(Options{Store: db})
	cseq, changes := uint32(0), 0
	for round := range 150 {
		for i := range 20 {
			for _, seconds := range []int{60, 0} {
				cseq++
				changes++
				_, _ = l.Update("1001", register(cseq, contact(fmt.Sprint("a", round, "-", i), seconds)))
			}
		}
		_ = l.Flush(t.Context())
	}
	s := l.shard("1001")
	if len(s.facts) != maxFacts || len(s.gone) > maxGone || len(s.dirty) > 1 {
		t.Errorf("%d facts, %d removals, %d dirty", len(s.facts), len(s.gone), len(s.dirty))
	}
	db.fail = nil
	_ = l.Flush(t.Context())
	if last := db.facts[len(db.facts)-1]; string(last.Body) != fmt.Sprintf(`{"more_changes":%d}`, changes-maxFacts) {
		t.Errorf("of %d changes: %s %s", changes, last.Kind, last.Body)
	}
}

func TestDrop(t *testing.T) {
	db := newStore()
	l := New(Options{Store: db})
	_, _ = l.Update("1001", register(1, contact("a", 60)))
	_, _ = l.Update("1002", register(1, contact("b", 60)))
	_ = l.Flush(t.Context())
	l.Drop("1001")
	l.Drop("9999")
	_ = l.Flush(t.Context())
	if l.Len() != 1 || len(db.rows) != 1 || len(l.Lookup("1001", time.Now())) != 0 || !strings.Contains(string(db.facts[2].Body), `"why":"dropped"`) {
		t.Errorf("%d bindings, %d rows, %v", l.Len(), len(db.rows), db.kinds())
	}
}

// TestHammer: many phones, lookups, drops and writes at once; in the end store and memory agree.
func TestHammer(t *testing.T) {
	db := newStore()
	l := New(Options{Store: db})
	ctx, stop := context.WithCancel(t.Context())
	var back, wg sync.WaitGroup
	back.Go(func() {
		for ctx.Err() == nil {
			l.purge(time.Now())
			_ = l.Flush(ctx)
		}
	})
	for g := range 8 {
		wg.Go(func() {
			for i := range uint32(500) {
				line := fmt.Sprint(1000 + (g+int(i))%10)
				u := register(i+1, contact(fmt.Sprint("g", g, "-", i%5), 60*int(i%3)))
				u.CallID = fmt.Sprint("g", g, "-", i)
				_, _ = l.Update(line, u)
				l.Lookup(line, time.Now())
				if i%100 == 99 {
					l.Drop(line)
				}
			}
		})
	}
	wg.Wait()
	stop()
	back.Wait()
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range 10 {
		line := fmt.Sprint(1000 + i)
		for _, b := range l.Lookup(line, time.Now()) {
			n++
			if r := db.rows[[2]string{line, b.Contact}]; r.CallID != b.CallID || r.CSeq != int64(b.CSeq) {
				t.Errorf("%s %s: stored %+v, registered %+v", line, b.Contact, r, b)
			}
		}
	}
	if n != l.Len() || n != len(db.rows) {
		t.Errorf("%d registered, Len %d, stored %d", n, l.Len(), len(db.rows))
	}
}

func BenchmarkRefresh(b *testing.B) {
	l := New(Options{Store: newStore()})
	lines := make([]string, 10_000)
	for i := range lines {
		lines[i] = fmt.Sprint(100000 + i)
	}
	u := register(0, contact("a", 3600))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		u.CSeq++
		if _, err := l.Update(lines[i%len(lines)], u); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkLookup(b *testing.B) {
	l := New(Options{Store: newStore()})
	_, _ = l.Update("1001", register(1, contact("a", 3600)))
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		l.Lookup("1001", now)
	}
}

// BenchmarkMemory reports the bytes that one registered phone costs.
func BenchmarkMemory(b *testing.B) {
	const phones = 100_000
	for b.Loop() {
		before := heap()
		l := New(Options{Store: newStore()})
		for i := range phones {
			u := register(1, contact(fmt.Sprint(100000+i), 3600))
			u.CallID = fmt.Sprintf("%x-%d@192.0.2.7", i*2654435761, i)
			_, _ = l.Update(fmt.Sprint(100000+i), u)
		}
		_ = l.Flush(b.Context())
		l.o.Store.(*fakeStore).rows, l.o.Store.(*fakeStore).facts = nil, nil
		b.ReportMetric(float64(heap()-before)/phones, "B/phone")
		if l.Len() != phones {
			b.Fatal(l.Len())
		}
	}
}

func TestWhereFromPhonesAreRegistered(t *testing.T) {
	l, now := New(Options{}), time.Now()
	seq := uint32(0)
	register := func(line, from string, expires time.Duration) {
		t.Helper()
		seq++
		u := Update{Contacts: []Contact{{URI: "sip:a@x", Expires: expires}}, CallID: "c", CSeq: seq, Received: netip.MustParseAddrPort(from), Transport: "udp", Now: now}
		if _, err := l.Update(line, u); err != nil {
			t.Fatal(err)
		}
	}
	want := func(net string, yes, counted bool) {
		t.Helper()
		if y, ok := l.Registered(netip.MustParsePrefix(net)); y != yes || ok != counted {
			t.Errorf("%s: %v %v", net, y, ok)
		}
	}
	register("1001", "[::ffff:192.0.2.7]:5060", time.Minute)
	register("1002", "192.0.2.8:5060", time.Minute)
	register("1003", "[2001:db8:0:1::7]:5060", time.Minute)
	for net, yes := range map[string]bool{"192.0.2.7/32": true, "192.0.2.9/32": false, "192.0.2.0/24": true, "192.0.3.0/24": false, "2001:db8:0:1::/64": true, "2001:db8:0:1::9/128": true, "2001:db8::/56": true, "2001:db8:0:2::/64": false} {
		want(net, yes, true)
	}
	want("192.0.0.0/16", false, false)
	for at, yes := range map[string]bool{"192.0.2.7:5060": true, "[::ffff:192.0.2.8]:5060": true, "192.0.2.7:5061": false, "[2001:db8:0:1::9]:5060": false} {
		if l.IsPhone(netip.MustParseAddrPort(at)) != yes {
			t.Errorf("a phone at %s: %v", at, !yes)
		}
	}
	register("1001", "192.0.2.7:5061", time.Minute) // another port
	if l.IsPhone(netip.MustParseAddrPort("192.0.2.7:5060")) || !l.IsPhone(netip.MustParseAddrPort("192.0.2.7:5061")) {
		t.Error("the phone is where it was")
	}
	register("1001", "198.51.100.1:5060", time.Minute) // it moved
	want("192.0.2.7/32", false, true)
	want("192.0.2.0/24", true, true)
	l.Drop("1002")
	want("192.0.2.0/24", false, true)
	register("1003", "[2001:db8:0:1::7]:5060", 0)
	l.Drop("1001")
	if len(l.from.count) != 0 {
		t.Errorf("%d places are left", len(l.from.count))
	}
}

func TestPhonesThatCameSinceStay(t *testing.T) {
	l, now := New(Options{}), time.Now()
	for i, at := range []time.Time{now.Add(-time.Minute), now.Add(time.Second)} {
		u := Update{Contacts: []Contact{{URI: fmt.Sprintf("sip:%d@x", i), Expires: time.Hour}}, CallID: fmt.Sprint(i), CSeq: 1, Received: netip.MustParseAddrPort("192.0.2.7:5060"), Transport: "udp", Now: at}
		if _, err := l.Update("1001", u); err != nil {
			t.Fatal(err)
		}
	}
	l.DropBefore("1001", now)
	if left := l.Lookup("1001", now.Add(2*time.Second)); len(left) != 1 || left[0].Contact != "sip:1@x" {
		t.Errorf("%+v", left)
	}
	l.Drop("1001")
	if left := l.Lookup("1001", now.Add(2*time.Second)); len(left) != 0 || l.Len() != 0 {
		t.Errorf("%+v", left)
	}
}

// Phones outside of a lock go at once, of one line or of all; each is a fact, and no row stays behind.
func TestPhonesElsewhereGo(t *testing.T) {
	db := newStore()
	l, now := New(Options{Store: db}), time.Now()
	for _, line := range []string{"1001", "1002"} {
		for i, at := range []string{"192.0.2.7:5060", "203.0.113.9:5060", "[::ffff:192.0.2.8]:5060"} {
			u := Update{Contacts: []Contact{{URI: fmt.Sprintf("sip:%d@x", i), Expires: time.Hour}}, CallID: fmt.Sprint(line, i), CSeq: 1, Received: netip.MustParseAddrPort(at), Transport: "udp", Now: now}
			if _, err := l.Update(line, u); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := func(line string, n int) {
		t.Helper()
		left := l.Lookup(line, now.Add(time.Second))
		if len(left) != n || n == 2 && (left[0].Contact != "sip:2@x" || left[1].Contact != "sip:0@x") {
			t.Errorf("%s: %+v", line, left)
		}
	}
	home := netip.MustParsePrefix("192.0.2.0/24")
	inside := func(_ string, at netip.Addr) bool { return home.Contains(at.Unmap()) }
	l.DropElsewhere("1001", inside)
	want("1001", 2)
	want("1002", 3)
	l.DropElsewhere("", inside)
	want("1002", 2)
	l.DropElsewhere("", inside) // and again: nothing is left to go
	if l.Len() != 4 {
		t.Errorf("%d are counted", l.Len())
	}
	told := len(db.facts)
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(db.rows) != 4 || len(db.facts) != told+2 || !strings.Contains(string(db.facts[told].Body), `"why":"address-not-allowed"`) {
		t.Errorf("%d rows, facts %+v", len(db.rows), db.facts[told:])
	}
}
