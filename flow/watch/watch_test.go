package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/state/store"
)

// failer is what *testing.T and *rapid.T share.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func must(t failer, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// provider is a store, a book in it with lines a-1, a-2 of customer acme and b-1 of bell, and the calls in progress.
type provider struct {
	t     failer
	db    store.Store
	book  *book.Book
	mu    sync.Mutex
	calls map[call.ID]call.Open // mu
}

func newProvider(t failer, db store.Store) *provider {
	t.Helper()
	plan, err := phone.NewPlan(phone.UKConfig())
	must(t, err)
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	b, err := book.Open(context.Background(), db, book.Options{Plan: plan, Zone: "Europe/London", Box: box, Realm: "sip.test", Identify: booktest.Plain})
	must(t, err)
	p := &provider{t: t, db: db, book: b, calls: map[call.ID]call.Open{}}
	for _, line := range []string{"a-1", "a-2", "b-1"} {
		customer := map[byte]string{'a': "acme", 'b': "bell"}[line[0]]
		if _, ok := b.Customer(customer); !ok {
			_, err := b.AddCustomer(context.Background(), "t", customer, book.CustomerEdit{})
			must(t, err)
		}
		if _, ok := b.Line(line); !ok {
			_, _, err := b.AddLine(context.Background(), "t", book.NewLine{ID: line, Customer: customer, NoPassword: true})
			must(t, err)
		}
	}
	return p
}

// set puts a warning level of a line.
func (p *provider) set(line string, level money.Micro) {
	p.t.Helper()
	_, err := p.book.EditLine(context.Background(), "t", line, book.LineEdit{Set: []book.Setting{{Field: account.LineWarning, N: int64(level), Grant: true}}})
	must(p.t, err)
}

// add appends facts to the journal.
func (p *provider) add(facts ...store.Fact) {
	p.t.Helper()
	for len(facts) > 0 {
		n := min(len(facts), 500)
		must(p.t, p.db.SaveBans(context.Background(), nil, nil, facts[:n]...))
		facts = facts[n:]
	}
}

// begin puts a call in progress, answered now, of a pound a minute and money enough for it.
func (p *provider) begin(id, line string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := rating.Quote{Start: at, Price: rating.Price{Name: "x", First: 1, Step: 1}}
	for b := range q.Price.Rates {
		q.Price.Rates[b] = money.Rate(1_000_000_000)
	}
	l, _ := p.book.Line(line)
	p.calls[call.ID(id)] = call.Open{
		ID: call.ID(id), State: call.Answered, Line: line, Account: l.Customer(), AnsweredAt: at, Quote: q,
		Held: 1000 * money.Pound, PaidFor: 10 * time.Hour, Longest: 4 * time.Hour,
	}
}

// end takes a call away and gives the fact of its settlement, which is not in the journal yet.
func (p *provider) end(id string, at time.Time) store.Fact {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.calls[call.ID(id)]
	delete(p.calls, c.ID)
	f := settledFact(c.Line, c.Account, c.Quote.Cost(at.Sub(c.AnsweredAt)), at)
	f.Call = c.ID
	return f
}

func (p *provider) inProgress() []call.Open {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Values(p.calls))
}

func settledFact(line, account string, retail money.Micro, at time.Time) store.Fact {
	return store.Fact{At: at, Kind: "call.settled", Line: line, Account: account, Body: []byte(`{"retail_micro":` + strconv.FormatInt(int64(retail), 10) + `,"cost_micro":0}`)}
}

func guessed(line string, at time.Time) store.Fact {
	return store.Fact{At: at, Kind: "login.locked", Line: line, Account: "acme", Body: []byte(`{"source":"203.0.113.9","scope":"line","failures":5}`)}
}

func (p *provider) watch() *Watch {
	p.t.Helper()
	w, err := New(Options{Store: p.db, Book: p.book, Calls: p.inProgress})
	must(p.t, err)
	return w
}

// run starts a stage and gives the function that stops it and waits.
func (p *provider) run(w *Watch) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	return func() { cancel(); <-done }
}

// wait lets time pass in a bubble.
func wait(d time.Duration) { <-time.After(d) }

// raised lists the keys of findings by the journal, in order, and checks that each is there once.
func (p *provider) raised() []string {
	p.t.Helper()
	var keys []string
	seen := map[string]bool{}
	for after := int64(0); ; {
		facts, err := p.db.Facts(context.Background(), store.FactFilter{After: after, Kind: fact.KindFindingRaised})
		must(p.t, err)
		if len(facts) == 0 {
			return keys
		}
		for _, f := range facts {
			after = f.Seq
			key, _, _ := strings.Cut(strings.TrimPrefix(string(f.Body), `{"key":"`), `"`)
			if seen[key] {
				p.t.Fatalf("%s was raised twice", key)
			}
			seen[key] = true
			keys = append(keys, key)
		}
	}
}

// levels are the keys of usage findings without kind and month: "line/a-1/10.00".
func (p *provider) levels() string {
	p.t.Helper()
	var out []string
	for _, key := range p.raised() {
		if rest, ok := strings.CutPrefix(key, "usage-level/"); ok {
			out = append(out, rest[:strings.LastIndexByte(rest, '/')])
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (p *provider) wantLevels(want string) {
	p.t.Helper()
	if got := p.levels(); got != want {
		p.t.Fatalf("told %q, want %q", got, want)
	}
}

// bubble runs a test under virtual time, past the turn of the month with which bubbles begin.
func bubble(t *testing.T, f func(t *testing.T, p *provider)) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(t, &booktest.Store{})
		wait(time.Minute)
		f(t, p)
	})
}

func TestAFindingIsWrittenOnceWhateverHappens(t *testing.T) {
	bubble(t, func(t *testing.T, p *provider) {
		stop := p.run(p.watch())
		for i := range 50 {
			p.add(guessed("a-1", time.Now()), guessed("a-2", time.Now()), settledFact("b-1", "bell", 10_000, time.Now()))
			switch i % 5 {
			case 1:
				p.db.(*booktest.Store).Break(booktest.Lost)
			case 2:
				p.db.(*booktest.Store).Break(booktest.Works)
				p.db.(*booktest.Store).Break(booktest.Persisted)
			case 3:
				stop()
				stop = p.run(p.watch())
			}
			wait(700 * time.Millisecond)
			p.db.(*booktest.Store).Break(booktest.Works)
		}
		wait(2 * time.Second)
		if keys := p.raised(); len(keys) != 2 {
			t.Errorf("%v", keys)
		}
		stop()
		used := map[string]money.Micro{}
		must(t, p.db.Usage(t.Context(), func(u store.Usage) error { used[u.Subject] = u.Unbilled; return nil }))
		if want := (map[string]money.Micro{"line/b-1": 500_000, "account/bell": 500_000}); !maps.Equal(used, want) {
			t.Errorf("stored %v, want %v", used, want)
		}
	})
}

// Two nodes follow one journal: what they write is written once, and both know the same.
func TestTwoNodesShareTheWork(t *testing.T) {
	bubble(t, func(t *testing.T, p *provider) {
		a, b := p.watch(), p.watch()
		stopA, stopB := p.run(a), p.run(b)
		total := money.Micro(0)
		for i := range 40 {
			p.add(guessed("a-"+strconv.Itoa(1+i%2), time.Now().Add(time.Duration(i/10)*24*time.Hour)), settledFact("b-1", "bell", 1_250_000, time.Now()))
			total += 1_250_000
			wait(time.Duration(i%7) * 130 * time.Millisecond)
		}
		wait(2 * time.Second)
		stopA()
		stopB()
		for _, w := range []*Watch{a, b} {
			if u := w.Used("line/b-1")[0]; u.Settled != total || u.Told != 50*money.Pound {
				t.Errorf("%+v", u)
			}
		}
		must(t, p.db.Usage(t.Context(), func(u store.Usage) error {
			if u.Unbilled != total {
				t.Errorf("stored %+v", u)
			}
			return nil
		}))
		if n, told := len(p.raised()), a.Stats().Raised+b.Stats().Raised; int64(n) != told || n < 8+2 {
			t.Errorf("%d findings, %d raised", n, told)
		}
	})
}

// A first start on a long journal counts all of it, tells of no old guess, and does not take a tick for each batch.
func TestAnOldJournalIsCaughtUpWith(t *testing.T) {
	bubble(t, func(t *testing.T, p *provider) {
		then := time.Now().Add(-48 * time.Hour)
		var facts []store.Fact
		for i := range 6000 {
			facts = append(facts, settledFact("a-1", "acme", 1000, then), guessed("a-1", then.Add(time.Duration(i)*time.Second)))
		}
		p.add(facts...)
		w := p.watch()
		begun := time.Now()
		stop := p.run(w)
		synctest.Wait()
		if d := time.Since(begun); d > 0 {
			t.Errorf("took %v", d)
		}
		if u := w.Used("line/a-1", "account/acme", "line/none"); u[0].Settled != 6*money.Pound || u[1].Settled != 6*money.Pound || u[2].Settled != 0 {
			t.Errorf("%+v", u)
		}
		s := w.Stats()
		if keys := p.raised(); len(keys) != 0 || s.Old != 6000 || s.Bad != 0 {
			t.Errorf("%v %+v", keys, s)
		}
		p.add(guessed("a-1", time.Now()), store.Fact{At: time.Now(), Kind: "login.locked", Line: "a-1", Body: []byte(`{"failures":"x"}`)},
			store.Fact{At: time.Now(), Kind: "call.settled", Line: "a-1", Body: []byte(`nonsense`)})
		wait(time.Second)
		stop()
		if s := w.Stats(); len(p.raised()) != 1 || s.Bad != 2 || s.Raised != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// Levels are told of usage as it is, not of each step on the way through an old journal that takes its time.
func TestCatchingUpTellsOnce(t *testing.T) {
	bubble(t, func(t *testing.T, p *provider) {
		then := time.Now().Add(-time.Hour)
		var facts []store.Fact
		for range 6000 {
			facts = append(facts, settledFact("a-1", "acme", 10_000, then))
		}
		p.add(facts...)
		w := p.watch()
		w.o.Store = slowly{w.o.Store.(reader)}
		stop := p.run(w)
		wait(time.Minute)
		stop()
		p.wantLevels("account/acme/60.00 line/a-1/60.00")
	})
}

type reader interface {
	store.Stages
	Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error)
}

// slowly is a store that takes longer for a batch than watch waits between looks.
type slowly struct{ reader }

func (s slowly) Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error) {
	wait(2 * time.Second)
	return s.reader.Facts(ctx, f)
}

// nexoss#289: a threshold passed in silence. Steps passed together are told as one, by the highest; each multiple once.
func TestEachMultipleIsToldOnce(t *testing.T) {
	bubble(t, func(t *testing.T, p *provider) {
		stop := p.run(p.watch())
		spend := func(m money.Micro) {
			p.add(settledFact("a-1", "acme", m, time.Now()))
			wait(time.Second)
		}
		spend(9_999_999)
		p.wantLevels("")
		spend(1)
		p.wantLevels("account/acme/10.00 line/a-1/10.00")
		spend(9 * money.Pound)
		p.wantLevels("account/acme/10.00 line/a-1/10.00")
		spend(25 * money.Pound)
		p.wantLevels("account/acme/10.00 account/acme/40.00 line/a-1/10.00 line/a-1/40.00")
		stop()
		wait(40 * 24 * time.Hour) // what was told is remembered over a restart, whatever the month
		stop = p.run(p.watch())
		wait(20 * time.Second)
		spend(5 * money.Pound)
		stop()
		p.wantLevels("account/acme/10.00 account/acme/40.00 line/a-1/10.00 line/a-1/40.00")
	})
}

func TestALevelThatChanges(t *testing.T) {
	bubble(t, func(t *testing.T, p *provider) {
		w := p.watch()
		stop := p.run(w)
		defer stop()
		spend := func(m money.Micro) {
			p.add(settledFact("b-1", "", m, time.Now()))
			wait(time.Second)
		}
		p.set("b-1", 0)
		spend(35 * money.Pound)
		p.wantLevels("") // off
		p.set("b-1", 20*money.Pound)
		wait(1500 * time.Millisecond)
		p.wantLevels("line/b-1/20.00") // lowered below what is used: at once
		p.set("b-1", 3*money.Pound)
		wait(1500 * time.Millisecond)
		p.wantLevels("line/b-1/20.00 line/b-1/33.00")
		p.set("b-1", 50*money.Pound)
		wait(15 * time.Second)
		p.wantLevels("line/b-1/20.00 line/b-1/33.00")
		spend(20 * money.Pound) // 55: the raised level is not hidden by the 11 multiples told of the small one
		p.wantLevels("line/b-1/20.00 line/b-1/33.00 line/b-1/50.00")
		if u := w.Used("line/b-1")[0]; u.Settled != 55*money.Pound || u.Level != 50*money.Pound || u.Multiple != 1 {
			t.Errorf("%+v", u)
		}
	})
}

// S7: a call in progress counts while it lasts, and is told within a second of passing the level.
func TestACallInProgressPassesTheLevel(t *testing.T) {
	bubble(t, func(t *testing.T, p *provider) {
		w := p.watch()
		stop := p.run(w)
		defer stop()
		p.begin("c1", "a-1", time.Now()) // a pound a minute
		p.begin("c2", "a-2", time.Now())
		wait(5*time.Minute - time.Second)
		p.wantLevels("")
		wait(2 * time.Second)
		p.wantLevels("account/acme/10.00") // both lines together
		wait(5*time.Minute - 2*time.Second)
		p.wantLevels("account/acme/10.00")
		wait(2 * time.Second)
		p.wantLevels("account/acme/10.00 account/acme/20.00 line/a-1/10.00 line/a-2/10.00")
		all, err := w.Findings(t.Context(), Filter{Line: "a-1"})
		must(t, err)
		if !strings.Contains(all[0].Text, "for calls in progress") || all[0].Account != "acme" || string(all[0].Severity) != "warning" {
			t.Errorf("%+v", all[0])
		}
		f := p.end("c1", time.Now())
		wait(30 * time.Second) // its settlement is late
		if u := w.Used("line/a-1")[0]; u.Running < 10*money.Pound || u.Settled != 0 {
			t.Errorf("a call between its end and its settlement is missing: %+v", u)
		}
		p.add(f)
		wait(time.Second)
		if u := w.Used("line/a-1")[0]; u.Running != 0 || u.Settled < 10*money.Pound || u.Settled > 11*money.Pound {
			t.Errorf("%+v", u)
		}
		p.wantLevels("account/acme/10.00 account/acme/20.00 line/a-1/10.00 line/a-2/10.00")
	})
}

// A call is never charged, and so never counted, beyond what is held and paid for.
func TestCostSoFarIsWhatSettlementWouldTake(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	q := rating.Quote{Start: at.Add(-time.Hour), Price: rating.Price{Connect: 50_000, First: 60, Step: 60, Rates: [rating.NumBands]money.Rate{60_000_000, 60_000_000, 60_000_000}}}
	for _, c := range []struct {
		name string
		open call.Open
		now  time.Duration
		want money.Micro
	}{
		{"ringing", call.Open{State: call.Setup, Held: 1e6, PaidFor: time.Hour, Longest: time.Hour}, time.Minute, 0},
		{"just answered", call.Open{State: call.Answered, Held: 1e6, PaidFor: time.Hour, Longest: time.Hour}, 0, 110_000},
		{"a minute and a bit", call.Open{State: call.Answered, Held: 1e6, PaidFor: time.Hour, Longest: time.Hour}, 61 * time.Second, 170_000},
		{"paid for a minute only", call.Open{State: call.Answered, Held: 1e6, PaidFor: time.Minute, Longest: time.Hour}, time.Hour, 110_000},
		{"longer than allowed", call.Open{State: call.Answered, Held: 1e6, PaidFor: time.Hour, Longest: time.Minute}, time.Hour, 110_000},
		{"held less", call.Open{State: call.Answered, Held: 120_000, PaidFor: time.Hour, Longest: time.Hour}, time.Hour, 120_000},
		{"a clock set back", call.Open{State: call.Answered, Held: 1e6, PaidFor: time.Hour, Longest: time.Hour}, -time.Hour, 110_000},
		{"free", call.Open{State: call.Answered, PaidFor: time.Hour, Longest: time.Hour}, time.Hour, 0},
	} {
		c.open.Quote, c.open.AnsweredAt = q, at
		if got := costSoFar(&c.open, at.Add(c.now)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Calls of other nodes count; what this node knows itself goes before; a settlement read from the journal ends a call
// that an old list still has.
func TestCallsOfOtherNodes(t *testing.T) {
	bubble(t, func(t *testing.T, p *provider) {
		p.begin("c1", "a-1", time.Now())
		p.begin("c2", "a-1", time.Now())
		all := p.inProgress()
		w := p.watch()
		asked := 0
		var broken error
		var mu sync.Mutex // asked, broken, all
		w.o.Others = func(context.Context) ([]call.Open, error) {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return all, broken
		}
		stop := p.run(w)
		wait(time.Minute)
		if u := w.Used("line/a-1")[0]; u.Running < 199*money.Pound/100 || u.Running > 2*money.Pound {
			t.Errorf("%+v", u)
		}
		mu.Lock()
		if asked > 31 {
			t.Errorf("asked %d times in a minute", asked)
		}
		broken = errors.New("no such host")
		mu.Unlock()
		p.add(p.end("c1", time.Now()))
		wait(time.Second)
		if u := w.Used("line/a-1")[0]; u.Running < 1*money.Pound || u.Running > 103*money.Pound/100 || u.Settled != money.Pound {
			t.Errorf("%+v", u)
		}
		p.add(p.end("c2", time.Now()))
		mu.Lock()
		broken, all = nil, nil
		mu.Unlock()
		wait(5 * time.Second)
		stop()
		if u := w.Used()[1]; u.Subject != "line/a-1" || u.Running != 0 || u.Settled < 2*money.Pound || len(w.runs) != 0 {
			t.Errorf("%+v, %d calls kept", u, len(w.runs))
		}
	})
}

// Keys change with the month: an answer that was lost at its very end must not make the same level told again.
func TestTheTurnOfTheMonth(t *testing.T) {
	bubble(t, func(t *testing.T, p *provider) {
		month := time.Date(2000, 2, 1, 0, 0, 0, 0, time.UTC)
		wait(time.Until(month.Add(-900 * time.Millisecond)))
		a, b := p.run(p.watch()), p.run(p.watch())
		p.add(settledFact("a-1", "", 10*money.Pound, time.Now()))
		p.db.(*booktest.Store).Break(booktest.Persisted)
		wait(1300 * time.Millisecond)
		p.db.(*booktest.Store).Break(booktest.Works)
		wait(10 * time.Second)
		p.wantLevels("line/a-1/10.00")
		p.add(settledFact("a-1", "", 10*money.Pound, time.Now()))
		wait(time.Second)
		p.wantLevels("line/a-1/10.00 line/a-1/20.00")
		a()
		b()
	})
}

func TestClosingAFinding(t *testing.T) {
	bubble(t, func(t *testing.T, p *provider) {
		w := p.watch()
		stop := p.run(w)
		defer stop()
		p.add(guessed("a-1", time.Now()))
		wait(time.Second)
		all, err := w.Findings(t.Context(), Filter{Open: true})
		must(t, err)
		if len(all) != 1 {
			t.Fatal(all)
		}
		must(t, w.Close(t.Context(), all[0].ID, "anna"))
		if err := w.Close(t.Context(), all[0].ID, "ben"); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if err := w.Close(t.Context(), 999, "ben"); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
		f, err := w.Finding(t.Context(), all[0].ID)
		must(t, err)
		facts, err := p.db.Facts(t.Context(), store.FactFilter{Kind: fact.KindFindingClosed})
		must(t, err)
		if f.ClosedBy != "anna" || len(facts) != 1 || facts[0].Line != "a-1" {
			t.Errorf("%+v %v", f, facts)
		}
	})
}

// A database that is put back from a backup is read anew.
func TestACursorThatWentBack(t *testing.T) {
	bubble(t, func(t *testing.T, p *provider) {
		w := p.watch()
		stop := p.run(w)
		defer func() { stop() }()
		p.add(settledFact("a-1", "acme", money.Pound, time.Now()))
		wait(time.Second)
		other := newProvider(t, &booktest.Store{})
		other.add(make([]store.Fact, 100)...)
		other.add(settledFact("a-1", "acme", 3*money.Pound, time.Now()))
		stop()
		w.o.Store = other.db
		stop = p.run(w)
		wait(3 * time.Second)
		if u := w.Used("line/a-1")[0]; u.Settled != 3*money.Pound {
			t.Errorf("%+v", u)
		}
	})
}

// model plays calls against a watch whose settlements come late, and knows what is true.
type model struct {
	*provider
	w       *Watch
	pending []store.Fact // settlements that are not in the journal yet
	ended   money.Micro  // all calls that ended
	settled money.Micro  // those that are in the journal
	last    money.Micro  // what the watch said at the last look; a restart forgets it
	changed time.Time    // the level
	n       int
}

func (m *model) start() { m.begin(fmt.Sprintf("call-%06d", m.n), "a-1", time.Now()); m.n++ }

func (m *model) stopOne(t *rapid.T) {
	ids := slices.Sorted(maps.Keys(m.calls))
	if len(ids) == 0 {
		return
	}
	id := string(rapid.SampledFrom(ids).Draw(t, "call"))
	c := m.calls[call.ID(id)]
	m.ended += costSoFar(&c, time.Now())
	m.pending = append(m.pending, m.end(id, time.Now()))
}

func (m *model) flush(t *rapid.T) {
	n := rapid.IntRange(0, len(m.pending)).Draw(t, "settled")
	for _, f := range m.pending[:n] {
		v, err := strconv.ParseInt(strings.TrimPrefix(strings.Split(string(f.Body), ",")[0], `{"retail_micro":`), 10, 64)
		must(t, err)
		m.settled += money.Micro(v)
	}
	m.add(m.pending[:n]...)
	m.pending = m.pending[n:]
}

// look lets the watch take its turn and compares.
func (m *model) look(t *rapid.T) {
	for more := true; more; {
		var err error
		if more, err = m.w.follower.Turn(context.Background()); err != nil {
			m.last = 0
			return // broken for the moment
		}
	}
	u := m.w.Used("line/a-1")[0]
	running := money.Micro(0)
	for _, c := range m.inProgress() {
		running += costSoFar(&c, time.Now())
	}
	total := u.Settled + u.Running
	if u.Settled != m.settled || total < m.settled+running || total > m.ended+running || total < m.last {
		t.Fatalf("says %v + %v; settled %v, ended %v, running %v, said %v before", u.Settled, u.Running, m.settled, m.ended, running, m.last)
	}
	m.last = total
	if u.Level > 0 && total/u.Level*u.Level > u.Told && time.Since(m.changed) >= sweepLeast {
		t.Fatalf("used %v at level %v, told only %v", total, u.Level, u.Told)
	}
}

// noDeadline hides what must not be called in a bubble.
type noDeadline struct{ rapid.TB }

// Whatever happens in which order: usage is never too low, no call counts twice, no multiple is passed in silence or told
// twice.
func TestUsageOverAllOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait(time.Minute)
		rapid.Check(noDeadline{t}, func(t *rapid.T) {
			if now := time.Now().UTC(); month(now.Add(2*time.Hour)) != month(now) {
				wait(3 * time.Hour) // the turn of the month has its own test
			}
			db := &booktest.Store{}
			m := &model{provider: newProvider(t, db)}
			m.w = m.watch()
			t.Repeat(map[string]func(*rapid.T){
				"start":  func(*rapid.T) { m.start() },
				"end":    m.stopOne,
				"settle": m.flush,
				"look": func(t *rapid.T) {
					wait(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
					m.look(t)
				},
				"restart": func(*rapid.T) { m.w, m.last = m.watch(), 0 },
				"level": func(t *rapid.T) {
					m.set("a-1", money.Micro(rapid.Int64Range(0, 5).Draw(t, "level"))*money.Pound)
					m.changed = time.Now()
				},
				"break": func(t *rapid.T) {
					db.Break(rapid.SampledFrom([]booktest.Break{booktest.Lost, booktest.Persisted}).Draw(t, "how"))
					m.look(t)
					db.Break(booktest.Works)
				},
				"": func(*rapid.T) { m.raised() },
			})
		})
	})
}

// BenchmarkTick looks at 10,000 calls in progress, of as many lines: the bar is 5 ms.
func BenchmarkTick(b *testing.B) {
	p := newProvider(b, &booktest.Store{})
	var lines []book.NewLine
	for i := range 10_000 {
		lines = append(lines, book.NewLine{ID: fmt.Sprintf("x-%05d", i), Customer: "bell", NoPassword: true})
	}
	_, err := p.book.AddLines(b.Context(), "t", lines)
	must(b, err)
	now := time.Now()
	for i, l := range lines {
		p.begin(fmt.Sprintf("01kb%022d", i), l.ID, now)
	}
	calls := p.inProgress()
	w := p.watch()
	w.o.Calls = func() []call.Open { return calls }
	must(b, w.load(b.Context()))
	must(b, w.levels(b.Context(), now))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		must(b, w.levels(b.Context(), now.Add(time.Duration(i%600)*500*time.Millisecond)))
	}
}
