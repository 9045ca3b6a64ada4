package book_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/state/store"
)

// reading counts what of the book is read.
type reading struct {
	*booktest.Store
	lines, customers, facts int
}

func (r *reading) Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error) {
	all, err := r.Store.Facts(ctx, f)
	r.facts += len(all)
	return all, err
}

func (r *reading) EachLine(ctx context.Context, yield func(account.Line) error, ids ...string) error {
	return r.Store.EachLine(ctx, func(l account.Line) error {
		r.lines++
		return yield(l)
	}, ids...)
}

func (r *reading) Customers(ctx context.Context) ([]account.Customer, error) {
	r.customers++
	return r.Store.Customers(ctx)
}

// TestOnlyWhatChangedIsReadAgain: what another node changes of a line, a customer or a trunk comes into force here, and the rest of the
// book is not read for it.
func TestOnlyWhatChangedIsReadAgain(t *testing.T) {
	there, db, _ := sample(t)
	r := &reading{Store: db}
	here, err := book.Open(ctx, r, options(t))
	if err != nil {
		t.Fatal(err)
	}
	from := len(db.AllFacts())
	home := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for name, step := range map[string]struct {
		do               func() error
		lines, customers int
		so               func() bool
	}{
		"a line": {
			func() error { return second(there.EditLine(ctx, "t", "acme-1", book.LineEdit{Name: ptr("desk 7")})) }, 1, 0,
			func() bool { return line(t, here, "acme-1").Name() == "desk 7" },
		},
		"a new line": {
			func() error {
				_, _, err := there.AddLine(ctx, "t", book.NewLine{ID: "acme-9", Customer: "acme"})
				return err
			}, 1, 0,
			func() bool { _, ok := here.Line("acme-9"); return ok },
		},
		"a customer": {
			func() error { return second(there.EditCustomer(ctx, "t", "acme", book.CustomerEdit{Nets: &home})) }, 0, 1,
			func() bool {
				return !line(t, here, "acme-1").Effective(time.Now()).Allows(netip.MustParseAddr("203.0.113.9"))
			},
		},
		"nothing": {func() error { return nil }, 0, 0, func() bool { return true }},
	} {
		r.lines, r.customers = 0, 0
		err := step.do()
		all := db.AllFacts()
		if err = errors.Join(err, here.Follow(ctx, slices.Clone(all[from:]))); err != nil || !step.so() || r.lines != step.lines || r.customers != step.customers {
			t.Errorf("%s: %v, in force %v, %d lines and %d times customers read", name, err, step.so(), r.lines, r.customers)
		}
		from = len(all)
	}
}

// TestOneOfAHundredThousand: another node's change of one line among 100,000, between facts of calls, has one line and one fact read here,
// and is told once.
func TestOneOfAHundredThousand(t *testing.T) {
	_, db, _ := sample(t)
	many := make([]account.Line, 100_000)
	for i := range many {
		id := fmt.Sprintf("mass-%06d", i)
		many[i] = account.Line{ID: id, Customer: "acme", Created: time.Now()}
	}
	must(t, db.PutLines(ctx, many))
	r := &reading{Store: db}
	here, err := book.Open(ctx, r, options(t))
	must(t, err)
	if r.lines != len(many)+1 {
		t.Fatalf("%d lines read at the start", r.lines)
	}
	var told []string
	begin := func(context.Context) (int64, error) { all := db.AllFacts(); return all[len(all)-1].Seq, nil }
	f := here.Follower(r.Facts, begin, func(f *store.Fact) {
		l, _ := here.Line(f.Line)
		told = append(told, f.Kind+" "+l.Name())
	}, slog.New(slog.DiscardHandler))
	turn := func() {
		r.lines, r.customers, r.facts = 0, 0, 0
		if more, err := f.Turn(ctx); more || err != nil {
			t.Fatal(more, err)
		}
	}
	turn()
	calls := make([]store.Fact, 50)
	for i := range calls {
		calls[i] = store.Fact{Kind: fact.KindCallSettled, Line: "mass-000001", Body: []byte(`{"retail_micro":1}`)}
	}
	must(t, db.PutLines(ctx, nil, calls...))
	many[77_777].Name = "desk 7"
	must(t, db.PutLine(ctx, many[77_777], false, store.Fact{Kind: fact.KindLineChanged, Line: many[77_777].ID}))
	turn()
	if r.lines != 1 || r.customers != 0 || r.facts != 1 || !slices.Equal(told, []string{"line.changed desk 7"}) || f.Lag() != 0 {
		t.Errorf("%d lines, %d times customers and %d facts read; told %q; behind by %s", r.lines, r.customers, r.facts, told, f.Lag())
	}
	if turn(); r.lines+r.facts != 0 || len(told) != 1 {
		t.Errorf("once more: %d lines, %d facts, told %q", r.lines, r.facts, told)
	}
}

// TestWhatIsGoneIsGoneHere: a line and a customer that another node removes.
func TestWhatIsGoneIsGoneHere(t *testing.T) {
	there, db, _ := sample(t)
	here := open(t, db, options(t))
	from := len(db.AllFacts())
	if err := there.DeleteLine(ctx, "t", "acme-1"); err != nil {
		t.Fatal(err)
	}
	if err := here.Follow(ctx, db.AllFacts()[from:]); err != nil {
		t.Fatal(err)
	}
	if _, ok := here.Line("acme-1"); ok {
		t.Error("a line that was removed is there")
	}
}
