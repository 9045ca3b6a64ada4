package watch

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/flow/book/booktest"
	"ringfence/flow/journal"
	"ringfence/state/store"
	"ringfence/state/store/postgres"
	"ringfence/state/store/postgres/pgtest"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

// turnNow takes what there is of the journal and looks at the levels, at an instant of its own.
func turnNow(t *testing.T, w *Watch, now time.Time) error {
	t.Helper()
	if !w.loaded {
		must(t, w.load(t.Context()))
	}
	for {
		facts, err := w.o.Store.Facts(t.Context(), store.FactFilter{After: w.at, Limit: journal.Batch})
		must(t, err)
		must(t, w.advance(t.Context(), facts, now))
		if len(facts) == 0 {
			return w.levels(t.Context(), now)
		}
	}
}

// Two nodes whose clocks differ see the same level pass, one just before the turn of the month and one just after it.
func TestClocksThatDifferAtTheTurnOfTheMonth(t *testing.T) {
	p := newProvider(t, &booktest.Store{})
	month := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	p.begin("c1", "a-1", month.Add(-10*time.Minute-time.Millisecond))
	late, early := p.watch(), p.watch()
	must(t, turnNow(t, early, month.Add(-time.Minute)))
	must(t, turnNow(t, late, month.Add(-time.Second/2)))
	must(t, early.levels(t.Context(), month.Add(time.Second/2))) // has not yet read what the other wrote
	must(t, turnNow(t, late, month.Add(time.Millisecond)))
	must(t, turnNow(t, early, month.Add(4*time.Second)))
	must(t, turnNow(t, late, month.Add(4*time.Second)))
	p.wantLevels("account/acme/10.00 line/a-1/10.00")
}

// A level whose telling failed is told with the next look, not with the next call.
func TestTellingIsTriedAgain(t *testing.T) {
	db := &booktest.Store{}
	p, now := newProvider(t, db), time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	w := p.watch()
	must(t, turnNow(t, w, now))
	p.begin("c1", "a-1", now)
	now = now.Add(11 * time.Minute)
	db.Break(booktest.Lost)
	if w.levels(t.Context(), now) == nil {
		t.Fatal("the store is broken, and nobody noticed")
	}
	db.Break(booktest.Works)
	must(t, w.levels(t.Context(), now))
	p.wantLevels("account/acme/10.00 line/a-1/10.00")
}

// Billing takes from the stored usage what it has billed; the stage follows with the next call of the line.
func TestUsageThatWasBilled(t *testing.T) {
	p, now := newProvider(t, &booktest.Store{}), time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	w := p.watch()
	p.add(settledFact("a-1", "", 9*money.Pound, now))
	must(t, turnNow(t, w, now))
	_, err := p.db.Advance(t.Context(), store.Step{Stage: "billing", Usage: []store.UsageChange{{Subject: "line/a-1", Add: -9 * money.Pound}}})
	must(t, err)
	p.add(settledFact("a-1", "", 2*money.Pound, now))
	must(t, turnNow(t, w, now))
	if u := w.Used("line/a-1")[0]; u.Settled != 2*money.Pound {
		t.Errorf("%+v", u)
	}
	p.wantLevels("")
	_, err = p.db.Advance(t.Context(), store.Step{Stage: "billing", Usage: []store.UsageChange{{Subject: "line/a-1", Add: -2 * money.Pound}}})
	must(t, err)
	p.add(store.Fact{At: now, Kind: fact.KindBillIssued, Account: "acme"})
	must(t, turnNow(t, w, now))
	must(t, turnNow(t, w, now))
	if u := w.Used("line/a-1")[0]; u.Settled != 0 {
		t.Errorf("after a bill: %+v", u)
	}
}

// A call whose settlement never comes is kept for long, but not for ever; one that is listed again goes on as it was.
func TestACallThatIsNeverSettled(t *testing.T) {
	p, now := newProvider(t, &booktest.Store{}), time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	w := p.watch()
	look := func(after time.Duration) money.Micro {
		now = now.Add(after)
		must(t, turnNow(t, w, now))
		return w.Used("line/a-1")[0].Running
	}
	p.begin("c1", "a-1", now)
	if got := look(time.Minute); got != money.Pound {
		t.Fatal(got)
	}
	c := p.calls["c1"]
	c.Held = money.Pound // nothing more is paid for
	p.end("c1", now)
	for range 5 {
		if got := look(25 * time.Minute); got != money.Pound {
			t.Fatal(got)
		}
		p.calls["c1"] = c
		look(time.Second)
		delete(p.calls, "c1")
	}
	look(time.Minute)
	if got := look(2 * time.Hour); got != 0 || len(w.runs) != 0 {
		t.Errorf("%v, %d calls", got, len(w.runs))
	}
}

// busy is a store on which another node takes a step while this one reads usage.
type busy struct {
	store.Store
	during func()
}

func (b *busy) Usage(ctx context.Context, yield func(store.Usage) error) error {
	err := b.Store.Usage(ctx, yield)
	if f := b.during; f != nil {
		b.during = nil
		f()
	}
	return err
}

func TestLoadingBesideABusyNode(t *testing.T) {
	p, now := newProvider(t, &booktest.Store{}), time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	other, w := p.watch(), p.watch()
	p.add(settledFact("a-1", "", 9*money.Pound, now))
	w.o.Store = &busy{p.db, func() { must(t, turnNow(t, other, now)) }}
	must(t, turnNow(t, w, now))
	if u := w.Used("line/a-1")[0]; u.Settled != 9*money.Pound {
		t.Errorf("%+v", u)
	}
}

// On real engines, with a process that ends in the middle of batches: every finding and every penny once.
func TestRestartsOnRealEngines(t *testing.T) {
	for name, engine := range map[string]func(t *testing.T) (open func() (store.Store, error)){
		"sqlite": func(t *testing.T) func() (store.Store, error) {
			file := filepath.Join(t.TempDir(), "db")
			return func() (store.Store, error) { return sqlitetest.Open(t.Context(), file, sqlite.Options{}) }
		},
		"postgres": func(t *testing.T) func() (store.Store, error) {
			dsn := pgtest.Shared(t).Database(t)
			return func() (store.Store, error) { return postgres.Open(t.Context(), dsn) }
		},
	} {
		t.Run(name, func(t *testing.T) { restarts(t, engine(t)) })
	}
}

func restarts(t *testing.T, open func() (store.Store, error)) {
	const rounds, calls = 3, 550
	begun := time.Now().UTC()
	if month(begun) != month(begun.Add(time.Hour)) || month(begun) != month(begun.Add(-time.Minute)) {
		t.Skip("the month turns")
	}
	for round := range rounds {
		db, err := open()
		must(t, err)
		p := newProvider(t, db)
		var facts []store.Fact
		for i := range calls {
			facts = append(facts, settledFact("a-1", "acme", 1_000, begun), guessed([]string{"a-1", "a-2"}[i%2], begun))
		}
		p.add(facts...)
		w := p.watch()
		must(t, w.load(t.Context()))
		if round < rounds-1 { // dies after the first batch
			facts, err := w.o.Store.Facts(t.Context(), store.FactFilter{After: w.at, Limit: journal.Batch})
			must(t, err)
			must(t, w.advance(t.Context(), facts, begun))
			if len(facts) != journal.Batch {
				t.Fatal(len(facts))
			}
		} else {
			must(t, turnNow(t, w, begun))
			if u := w.Used("line/a-1")[0]; u.Settled != rounds*calls*1_000 {
				t.Errorf("%+v", u)
			}
			if keys := p.raised(); len(keys) != 2 {
				t.Errorf("%v", keys)
			}
			all, err := w.Findings(t.Context(), Filter{Line: "a-1", Kind: "guessing"})
			must(t, err)
			if len(all) != 1 || all[0].Count != rounds*calls/2 {
				t.Errorf("%+v", all)
			}
			must(t, w.Close(t.Context(), all[0].ID, "anna"))
		}
		must(t, db.Close())
	}
}
