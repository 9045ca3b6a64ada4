package storetest

import (
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

func readHot(t *testing.T, s store.Store) (got []restrict.Listed) {
	t.Helper()
	ok(t, s.HotNumbers(t.Context(), func(l restrict.Listed) error {
		got = append(got, l)
		return nil
	}))
	return got
}

// hotNumbers: entries are kept by list and range, in the order of their digits as text.
func hotNumbers(t *testing.T, s store.Store) {
	ctx := t.Context()
	numbers := func(text string) restrict.Range {
		r, err := restrict.ParseNumbers(text)
		ok(t, err)
		return r
	}
	a := restrict.Listed{List: "desk", Range: numbers("+25261"), Way: restrict.Out, Until: T0, Made: T0.Add(-time.Hour), By: "root", Why: "Londön\n"}
	b := restrict.Listed{List: "feed:x", Range: numbers("+25261"), Way: restrict.Both, Made: T0}
	c := restrict.Listed{List: "desk", Range: numbers("+999999999999999"), Way: restrict.In, Made: T0}
	d := restrict.Listed{List: "desk", Range: numbers("+2526"), Way: restrict.Out, Made: T0}
	ok(t, s.SaveHotNumbers(ctx, []restrict.Listed{c, b, a, d}, nil, store.Fact{Kind: "hotlist.imported"}))
	same(t, "hot lists", readHot(t, s), []restrict.Listed{d, a, b, c})
	a.Way, a.Until = restrict.In, time.Time{}
	ok(t, s.SaveHotNumbers(ctx, []restrict.Listed{a}, []restrict.Listed{{List: "desk", Range: d.Range}, {List: "none", Range: a.Range}, {List: "desk", Range: a.Range}}, store.Fact{Kind: "hotlist.added"}))
	same(t, "hot lists", readHot(t, s), []restrict.Listed{a, b, c})
	ok(t, s.SaveHotNumbers(ctx, nil, nil))
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"hotlist.imported", "hotlist.added"})
}

// everybody: what is said of every line is one row.
func everybody(t *testing.T, s store.Store) {
	ctx := t.Context()
	read := func() account.Settings {
		got, err := s.Everybody(ctx)
		ok(t, err)
		return got
	}
	same(t, "at first", read(), account.Settings{})
	names, err := restrict.ParseSet("LV, +44843")
	ok(t, err)
	said := account.Settings{Restrictions: []restrict.Restriction{{ID: 7, Names: names, Since: T0, Until: T0.Add(time.Hour), Ends: true, By: "root", Why: "Londön"}}}
	ok(t, s.PutEverybody(ctx, said, store.Fact{Kind: "everybody.changed"}))
	same(t, "said", read(), said)
	said.Restrictions[0].Why = ""
	ok(t, s.PutEverybody(ctx, said))
	same(t, "said again", read(), said)
	ok(t, s.PutEverybody(ctx, account.Settings{}, store.Fact{Kind: "everybody.changed"}))
	same(t, "at last", read(), account.Settings{})
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"everybody.changed", "everybody.changed"})
}
