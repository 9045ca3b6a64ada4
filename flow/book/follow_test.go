package book_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
)

// reading counts what of the book is read.
type reading struct {
	*booktest.Store
	lines, customers int
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
