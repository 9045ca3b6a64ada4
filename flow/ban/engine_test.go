package ban

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/netlist"
	"ringfence/state/counters/memory"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

// The engine that the program uses, and not only ours.
func TestTwoListsOnOneEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := memory.NewEngine(memory.Options{})
		defer engine.Close()
		with := func(o *Options) { o.Counters = engine }
		a, b := node(t, newRows(), with), node(t, newRows(), with)
		a.add("192.0.2.7/32", time.Hour)
		a.autoBan("2001:db8::/56", time.Hour)
		after(time.Second)
		if got := b.nets(Filter{}); got != "192.0.2.7 2001:db8::/56" {
			t.Fatalf("the other has %q", got)
		}
		if _, err := b.Remove(t.Context(), netip.MustParsePrefix("2001:db8::/56"), "ben", ""); err != nil {
			t.Fatal(err)
		}
		after(time.Second)
		if got := a.nets(Filter{}); got != "192.0.2.7" {
			t.Errorf("the first has %q", got)
		}
		c := node(t, newRows(), with) // comes later
		after(time.Second)
		if got := c.nets(Filter{}); got != "192.0.2.7" {
			t.Errorf("the third has %q", got)
		}
	})
}

func TestOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	for range 2 { // the second time all is there already
		db, err := sqlitetest.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d := &dropper{}
		l, err := Open(t.Context(), Options{Store: db, Enforce: []Enforcer{d.enforcer()}})
		if err != nil {
			t.Fatal(err)
		}
		if _, n := l.List(Filter{}, 0); n == 0 {
			fill(t, l)
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, n := l.List(Filter{}, 0); n != 5002 || !d.drops("192.0.2.7") || !d.drops("2001:db8::1") || !d.drops("203.0.19.1") || d.drops("192.0.2.8") {
			t.Errorf("%d in force", n)
		}
		if e := l.Why(netip.MustParseAddr("192.0.2.7")).Held[0]; e.By != "anna" || e.Why != "a test" {
			t.Errorf("%+v", e)
		}
		facts, err := db.Facts(t.Context(), store.FactFilter{})
		if err != nil || len(facts) != 4 {
			t.Errorf("%d facts %v", len(facts), err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// fill bans by hand, automatically and by a feed, and lifts one.
func fill(t *testing.T, l *List) {
	t.Helper()
	for _, p := range []string{"192.0.2.7/32", "192.0.2.8/32"} {
		if _, err := l.Add(t.Context(), Request{Net: netip.MustParsePrefix(p), By: "anna", Why: "a test"}); err != nil {
			t.Fatal(err)
		}
	}
	l.Auto(netip.MustParsePrefix("2001:db8::/56"), time.Hour, "guessing")
	var list []netlist.Entry
	for i := range 5000 {
		list = append(list, netlist.Entry{Net: netip.MustParsePrefix(fmt.Sprintf("203.0.%d.%d/32", i/250, i%250)), Why: "listed"})
	}
	if _, err := l.Import(t.Context(), "others", list); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Remove(t.Context(), netip.MustParsePrefix("192.0.2.8/32"), "anna", ""); err != nil {
		t.Fatal(err)
	}
}

// How long the list is locked, and a packet's way to the queue waits, while a feed of its greatest size is taken.
func BenchmarkImport(b *testing.B) {
	l, err := Open(b.Context(), Options{Store: newRows()})
	if err != nil {
		b.Fatal(err)
	}
	var lists [2][]netlist.Entry
	for i := range 49_000 {
		for k := range lists {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + k), byte(i >> 16), byte(i >> 8), byte(i)}), 32)
			lists[k] = append(lists[k], netlist.Entry{Net: p, Why: "listed"})
		}
	}
	for i := 0; b.Loop(); i++ {
		var r Imported
		now := time.Now()
		l.replace(byFeed+"x", l.admit("x", lists[i%2], &r, now, feedFor), &r, now)
	}
	_ = l.Flush(context.Background())
}

func BenchmarkAuto(b *testing.B) {
	l, err := Open(b.Context(), Options{Store: newRows()})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	for i := 0; b.Loop(); i++ {
		l.auto(request{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), time.Hour, "guessing"}, now)
	}
}
