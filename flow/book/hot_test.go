package book_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/phone"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/state/store"
)

func numbers(t testing.TB, text string) restrict.Range {
	t.Helper()
	r, err := restrict.ParseNumbers(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// found is the list on which calls to a number are refused now.
func found(t testing.TB, b *book.Book, number string) string {
	t.Helper()
	d, problem := phone.UK().Parse(number)
	if problem != phone.NoProblem {
		t.Fatal(problem)
	}
	if l := b.Hot().Find(d.Number, restrict.Out, time.Now()); l != nil {
		return l.List
	}
	return ""
}

// TestHotLists: entries by hand and of lists, which replace themselves; what a feed lists and staff took off stays off; another node follows.
func TestHotLists(t *testing.T) {
	b, db, _ := sample(t)
	other := open(t, db, options(t))
	desk := restrict.Listed{List: book.HotDesk, Range: numbers(t, "+25261"), Way: restrict.Out, Why: "test calls"}
	if _, err := b.AddHot(ctx, "anna", desk); err != nil {
		t.Fatal(err)
	}
	got, err := b.ImportHot(ctx, "feed", "feed:irsf", []restrict.Listed{
		{Range: numbers(t, "+25261"), Way: restrict.Out}, {Range: numbers(t, "+3712"), Way: restrict.Out}, {Range: numbers(t, "+440843"), Way: restrict.Out},
	})
	if err != nil || got.Added != 2 || got.LeftOut != 1 || !strings.Contains(got.Sample[0], "+440843") {
		t.Fatalf("%+v: %v", got, err)
	}
	if err := again(other, db); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*book.Book{b, other, open(t, db, options(t))} {
		if a, c := found(t, b, "+252611234567"), found(t, b, "+37122123456"); a != "desk" || c != "feed:irsf" || b.Hot().Len() != 3 {
			t.Errorf("%q, %q, %d entries", a, c, b.Hot().Len())
		}
	}
	if _, err := b.RemoveHot(ctx, "anna", "feed:irsf", numbers(t, "+3712"), "ours"); err != nil || found(t, b, "+37122123456") != "" {
		t.Errorf("%v: %q", err, found(t, b, "+37122123456"))
	}
	if _, err := b.RemoveHot(ctx, "anna", "feed:irsf", numbers(t, "+3712"), "ours"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	got, err = b.ImportHot(ctx, "feed", "feed:irsf", []restrict.Listed{{Range: numbers(t, "+3712"), Way: restrict.Out}})
	if err != nil || got.Exempt != 1 || got.Removed != 1 || found(t, b, "+37122123456") != "" {
		t.Errorf("%+v: %v", got, err)
	}
	if err := b.KeepHotFeeds(ctx, []string{"another"}); err != nil || !slices.Equal(b.HotLists(), []string{"desk"}) {
		t.Errorf("%v: %v", err, b.HotLists())
	}
	for _, bad := range []restrict.Listed{
		{List: "feed:x", Range: numbers(t, "+25261"), Way: restrict.Out},
		{List: "a b", Range: numbers(t, "+25261"), Way: restrict.Out},
		{List: "x", Range: numbers(t, "+440843"), Way: restrict.Out},
		{List: "x", Range: numbers(t, "+25261")},
		{List: "x", Range: restrict.Range{Prefix: 44, Digits: 2}, Way: restrict.Out},
		{List: "x", Range: numbers(t, "+25261"), Way: restrict.In, Until: time.Unix(1, 0)},
	} {
		if _, err := b.AddHot(ctx, "anna", bad); !invalid(err) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := b.RemoveHot(ctx, "anna", "desk", numbers(t, "+25261"), ""); err != nil || b.Hot().Len() != 0 {
		t.Errorf("%v: %d", err, b.Hot().Len())
	}
	var kinds []string
	for _, f := range db.AllFacts() {
		if strings.HasPrefix(f.Kind, "hotlist.") {
			kinds = append(kinds, strings.TrimPrefix(f.Kind, "hotlist."))
		}
	}
	if want := "added imported removed imported imported removed"; strings.Join(kinds, " ") != want {
		t.Errorf("%v, want %s", kinds, want)
	}
}

func invalid(err error) bool {
	var wrong *book.Invalid
	return errors.As(err, &wrong)
}

// TestAHotListWriteInDoubt: a write that was persisted although it failed is read again before the next change.
func TestAHotListWriteInDoubt(t *testing.T) {
	b, db, _ := sample(t)
	l := restrict.Listed{List: "a", Range: numbers(t, "+25261"), Way: restrict.Out}
	db.Break(booktest.Persisted)
	if _, err := b.AddHot(ctx, "t", l); err == nil || b.Hot().Len() != 0 {
		t.Fatalf("%v, %d", err, b.Hot().Len())
	}
	db.Break(booktest.Works)
	l.List = "b"
	if _, err := b.AddHot(ctx, "t", l); err != nil || b.Hot().Len() != 2 {
		t.Errorf("%v, %d", err, b.Hot().Len())
	}
}

// TestEverybodyIsRestricted: beside what the configuration closes, through a reload of it, on another node, and until it is lifted or ends.
func TestEverybodyIsRestricted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db, _ := sample(t)
		other := open(t, db, options(t))
		lists := func(b *book.Book) (all []string) {
			for _, list := range line(t, b, "acme-1").Effective(time.Now()).Restrictions {
				for _, r := range list {
					all = append(all, r.Names.String())
				}
			}
			return all
		}
		restriction := func(names string, until time.Time) *restrict.Restriction {
			s, err := restrict.ParseSet(names)
			if err != nil {
				t.Fatal(err)
			}
			return &restrict.Restriction{Names: s, Until: until, By: "anna"}
		}
		first, second := restriction("LV", time.Time{}), restriction("CU", time.Now().Add(time.Hour))
		for _, r := range []*restrict.Restriction{first, second} {
			if err := b.RestrictEverybody(ctx, "anna", r, 0); err != nil {
				t.Fatal(err)
			}
		}
		o := options(t)
		o.Provider.Restrictions = []restrict.Restriction{*restriction("SO", time.Time{})}
		o.Provider.Restrictions[0].ID = 1
		if err := b.SetProvider(o); err != nil {
			t.Fatal(err)
		}
		if err := again(other, db); err != nil {
			t.Fatal(err)
		}
		if got, there := lists(b), lists(other); !slices.Equal(got, []string{"SO", "LV", "CU"}) || !slices.Equal(there, []string{"LV", "CU"}) {
			t.Errorf("%v, there %v", got, there)
		}
		if err := b.RestrictEverybody(ctx, "anna", nil, 1); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what the configuration closes was lifted: %v", err)
		}
		time.Sleep(2 * time.Hour)
		if err := b.EndRestrictions(ctx, time.Now()); err != nil || !slices.Equal(lists(b), []string{"SO", "LV"}) {
			t.Errorf("%v: %v", err, lists(b))
		}
		if err := b.RestrictEverybody(ctx, "anna", nil, first.ID); err != nil || !slices.Equal(lists(b), []string{"SO"}) {
			t.Errorf("%v: %v", err, lists(b))
		}
		if n := len(db.AllFacts()); n < 4 {
			t.Errorf("%d facts", n)
		}
	})
}

// TestEndedRestrictionsAreTakenAway: of lines, customers and hot lists, once, by nobody but time.
func TestEndedRestrictionsAreTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db, _ := sample(t)
		l := line(t, b, "acme-1")
		names, _ := restrict.ParseSet("LV")
		soon := &restrict.Restriction{Names: names, Until: time.Now().Add(time.Hour)}
		if _, err := b.EditLine(ctx, "anna", l.ID(), book.LineEdit{Restrict: soon}); err != nil {
			t.Fatal(err)
		}
		later := &restrict.Restriction{Names: names, Until: time.Now().Add(3 * time.Hour)}
		if _, err := b.EditCustomer(ctx, "anna", l.Customer(), book.CustomerEdit{Restrict: later}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.AddHot(ctx, "anna", restrict.Listed{List: "a", Range: numbers(t, "+25261"), Way: restrict.Out, Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		before := len(db.AllFacts())
		for range 3 {
			if err := b.EndRestrictions(ctx, time.Now()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		c, _ := b.Customer(l.Customer())
		s := line(t, b, "acme-1").Settings()
		facts := db.AllFacts()[before:]
		if len(s.Restrictions) != 0 || len(c.Settings.Restrictions) != 1 || b.Hot().Len() != 0 || len(facts) != 1 || facts[0].Line != l.ID() {
			t.Errorf("%v, %v, %d, %+v", s.Restrictions, c.Settings.Restrictions, b.Hot().Len(), facts)
		}
	})
}
