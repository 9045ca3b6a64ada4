package ban

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/fact"
	"ringfence/core/netlist"
)

func TestByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		w := node(t, r)
		w.add("192.0.2.7/32", time.Hour)
		w.add("2001:db8::/32", 2*time.Hour)
		if !w.drop.drops("192.0.2.7") || !w.drop.drops("2001:db8::1") || len(r.bans) != 2 {
			t.Fatal("to be dropped and saved at once")
		}
		if f := r.told(fact.KindBanAdded); len(f) != 2 || f[0]["by"] != "anna" || f[0]["net"] != "192.0.2.7/32" {
			t.Error(f)
		}
		w.stop()

		w = node(t, r) // the next process
		if !w.drop.drops("192.0.2.7") || w.nets(Filter{}) != "192.0.2.7 2001:db8::/32" {
			t.Errorf("after a restart: %s", w.nets(Filter{}))
		}
		e, err := w.Remove(t.Context(), netip.MustParsePrefix("192.0.2.7/32"), "anna", "wrong one")
		if err != nil || e.Why != "a test" || w.drop.drops("192.0.2.7") || len(r.bans) != 1 {
			t.Error(e, err, r.bans)
		}
		if f := r.told(fact.KindBanRemoved); len(f) != 1 || f[0]["why"] != "wrong one" {
			t.Error(f)
		}
		after(3 * time.Hour)
		if s := w.Stats(); s.Manual != 0 || len(r.bans) != 0 || w.nets(Filter{}) != "" {
			t.Errorf("ended bans are kept: %+v, %v", s, r.bans)
		}
	})
}

func TestWhatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := node(t, newRows(), func(o *Options) { o.Never = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/28")} })
		w.spare("192.0.2.7", "on the IP lock of line 2001")
		hour := time.Hour
		for _, c := range []struct {
			r    Request
			want string
		}{
			{Request{Net: netip.MustParsePrefix("192.0.2.7/32"), For: hour, By: "anna"}, "192.0.2.7 is exempt: on the IP lock of line 2001"},
			{Request{Net: netip.MustParsePrefix("192.0.2.0/24"), For: hour, By: "anna"}, "192.0.2.0/24 holds 192.0.2.7, which is exempt: on the IP lock of line 2001"},
			{Request{Net: netip.MustParsePrefix("198.51.100.3/32"), For: hour, By: "anna", Force: true}, "198.51.100.3 is never to be banned: 198.51.100.0/28 is on the list in the configuration"},
			{Request{Net: netip.MustParsePrefix("198.51.0.0/16"), For: hour, By: "anna", Force: true}, "198.51.0.0/16 is never to be banned: 198.51.100.0/28 is on the list in the configuration"},
			{Request{Net: netip.MustParsePrefix("203.0.113.9/24"), For: hour, By: "anna"}, "not a ban that can be made: 203.0.113.9/24 has bits set outside the network: write 203.0.113.0/24 or 203.0.113.9"},
			{Request{Net: netip.MustParsePrefix("0.0.0.0/0"), For: hour, By: "anna", Force: true}, "not a ban that can be made: 0.0.0.0/0, expected a network of /8 or longer (IPv6: /19); what is wider is taken for a mistake"},
			{Request{For: hour, By: "anna"}, "not a ban that can be made: invalid Prefix, expected an address or network"},
			{Request{Net: netip.MustParsePrefix("203.0.113.9/32"), For: hour, By: "feed:x"}, "not a ban that can be made: it must say who made it"},
			{Request{Net: netip.MustParsePrefix("203.0.113.9/32"), For: -hour, By: "anna"}, "not a ban that can be made: say how long, or until when, but not both"},
			{Request{Net: netip.MustParsePrefix("203.0.113.9/32"), Until: time.Unix(1, 0), By: "anna"}, "not a ban that can be made: 1970-01-01T00:00:01Z has passed"},
		} {
			if _, err := w.Add(t.Context(), c.r); err == nil || err.Error() != c.want {
				t.Errorf("%v:\n got %v\nwant %s", c.r.Net, err, c.want)
			}
		}
		if w.nets(Filter{}) != "" {
			t.Error(w.nets(Filter{}))
		}
		_, err := w.Add(t.Context(), Request{Net: netip.MustParsePrefix("192.0.2.0/24"), By: "anna", Force: true})
		var exempt *ExemptError
		if err != nil || errors.As(err, &exempt) || !w.drop.drops("192.0.2.7") {
			t.Error("a word of force is obeyed:", err)
		}
		_, err = w.Remove(t.Context(), netip.MustParsePrefix("192.0.2.9/32"), "anna", "")
		if !errors.Is(err, ErrNotBanned) || err.Error() != "192.0.2.9 is itself not banned: 192.0.2.0/24 is, by anna" {
			t.Error(err)
		}
		_, err = w.Remove(t.Context(), netip.MustParsePrefix("203.0.113.1/32"), "anna", "")
		if !errors.Is(err, ErrNotBanned) || err.Error() != "203.0.113.1 is not banned" {
			t.Error(err)
		}
	})
}

func TestAutomatic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		w := node(t, r, func(o *Options) { o.Never = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
		w.spare("192.0.2.7", "a phone of line 2001")
		w.autoBan("203.0.113.9/32", time.Minute)
		w.autoBan("192.0.2.7/32", time.Minute)
		w.autoBan("192.0.2.0/24", time.Minute)
		w.autoBan("10.1.1.1/32", time.Minute)
		w.autoBan("::ffff:203.0.113.10/128", time.Minute)
		if got := w.nets(Filter{By: ByAuto}); got != "203.0.113.9 203.0.113.10" {
			t.Error(got)
		}
		exempt := r.told(fact.KindBanSpared)
		if len(exempt) != 3 || exempt[1]["net"] != "192.0.2.0/24" || exempt[1]["addr"] != "192.0.2.7" || exempt[1]["spared"] != "a phone of line 2001" {
			t.Error(exempt)
		}
		if s := w.Stats(); s.Auto != 2 || s.Exempt != 3 {
			t.Errorf("%+v", s)
		}
		after(30 * time.Second)
		w.autoBan("203.0.113.9/32", time.Minute) // goes on
		after(45 * time.Second)
		if !w.drop.drops("203.0.113.9") || w.drop.drops("203.0.113.10") || w.nets(Filter{}) != "203.0.113.9" {
			t.Error(w.nets(Filter{}))
		}
		// An address comes to be exempt: its ban is lifted.
		w.autoBan("203.0.113.9/32", time.Hour)
		w.add("203.0.113.8/32", time.Hour)
		w.spare("203.0.113.9", "on an IP lock")
		w.spare("203.0.113.8", "on an IP lock")
		after(2 * time.Minute)
		if got := w.nets(Filter{}); got != "203.0.113.8" || w.drop.drops("203.0.113.9") {
			t.Errorf("banned: %s; what a person banned stays, nothing else", got)
		}
	})
}

func TestAFloodIsToldAsCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		w := node(t, r)
		for i := range 1000 {
			w.Auto(netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}), 32), time.Hour, "guessing")
			if i%100 == 0 {
				synctest.Wait()
			}
		}
		after(2 * time.Minute)
		flood := r.told(fact.KindBanFlood)
		if n := len(r.told(fact.KindBanAdded)); n != 60 || len(flood) != 1 || flood[0]["bans"] != 940.0 || len(flood[0]["sample"].([]any)) != 10 {
			t.Errorf("%d told, flood %v", n, flood)
		}
		if len(r.bans) != 1000 {
			t.Errorf("%d saved", len(r.bans))
		}
		w.autoBan("198.51.100.1/32", time.Hour)
		after(3 * time.Second)
		if n := len(r.told(fact.KindBanAdded)); n != 61 {
			t.Errorf("after the flood %d are told", n)
		}
	})
}

// Nothing grows with the number of attackers; what ends first gives way, and the queue is bounded too.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		w := node(t, r, func(o *Options) { o.Max = 100 })
		var feedList []netlist.Entry
		for i := range 200 {
			feedList = append(feedList, netlist.Entry{Net: netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 32)})
		}
		got, err := w.Import(t.Context(), "big", feedList)
		if err != nil || got.Held != 75 || got.Full != 125 {
			t.Errorf("%+v %v", got, err)
		}
		for i := range 500 {
			w.autoBan(fmt.Sprintf("203.0.%d.%d/32", i/250, i%250), time.Duration(i+1)*time.Hour)
		}
		s := w.Stats()
		if s.Auto != 25 || s.Feed != 75 || s.Evicted != 475 || !w.drop.drops("203.0.1.249") || w.drop.drops("203.0.0.1") {
			t.Errorf("%+v", s)
		}
		if after(3 * time.Second); len(r.bans) != 100 || len(w.drop.nets) != 100 {
			t.Errorf("%d rows, %d enforced", len(r.bans), len(w.drop.nets))
		}
		for i := range 100 {
			w.add(fmt.Sprintf("192.0.2.%d/32", i), time.Hour)
		}
		if _, err := w.Add(t.Context(), Request{Net: netip.MustParsePrefix("192.0.3.1/32"), By: "anna"}); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
		w.add("192.0.2.5/32", 2*time.Hour) // one that is there
		w.cancel()
		<-w.done
		for range maxQueue + 7 {
			w.Auto(netip.MustParsePrefix("203.0.113.1/32"), time.Hour, "nobody reads the queue")
		}
		if s := w.Stats(); s.Lost != 7 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		w := node(t, r)
		r.setDown(errors.New("disk full"))
		_, err := w.Add(t.Context(), Request{Net: netip.MustParsePrefix("192.0.2.7/32"), By: "anna"})
		if !errors.Is(err, ErrUnsaved) || !w.drop.drops("192.0.2.7") {
			t.Error(err)
		}
		w.autoBan("192.0.2.8/32", time.Hour)
		after(time.Minute)
		r.setDown(nil)
		after(5 * time.Second)
		if len(r.bans) != 2 || len(r.told(fact.KindBanAdded)) != 2 || w.Stats().Unsaved != 0 {
			t.Errorf("%v", r.bans)
		}
	})
}

func TestFeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		w := node(t, r, func(o *Options) { o.Never = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/28")} })
		w.spare("192.0.2.7", "on the IP lock of line 2001")
		list := func(nets ...string) (l []netlist.Entry) {
			for _, s := range nets {
				p, _, err := netlist.ParseNet(s)
				if err != nil {
					t.Fatal(err)
				}
				l = append(l, netlist.Entry{Net: p})
			}
			return l
		}
		got, err := w.Import(t.Context(), "drop", list("203.0.113.0/24", "192.0.2.7", "192.0.2.0/24", "198.51.100.1", "10.0.0.0/8", "127.0.0.5", "203.0.114.1", "203.0.115.1"))
		if err != nil || got.Held != 4 || got.Added != 4 || got.Exempt != 2 || got.Never != 1 || got.Private != 1 || got.LeftOut() != 4 || len(got.Sample) != 4 {
			t.Errorf("%+v %v", got, err)
		}
		if s := got.String(); s != "4 banned (4 new), 0 lifted, left out 2: exempt, left out 1: never to be banned, left out 1: private networks" {
			t.Error(s)
		}
		if s := w.nets(Filter{By: "feed:drop"}); s != "127.0.0.5 203.0.113.0/24 203.0.114.1 203.0.115.1" {
			t.Error(s)
		}
		if f := r.told(fact.KindBanFeed); len(f) != 1 || f[0]["added"] != 4.0 || len(r.told(fact.KindBanAdded)) != 0 {
			t.Error(f)
		}
		puts := r.puts
		if got, _ = w.Import(t.Context(), "drop", list("203.0.113.0/24", "127.0.0.5", "203.0.114.1", "203.0.115.1")); got.Added+got.Removed > 0 || r.puts != puts || len(r.told(fact.KindBanFeed)) != 1 {
			t.Errorf("the same again is no news: %+v, %d rows", got, r.puts-puts)
		}

		// A person's ban, and another feed's, stay when this feed lets go.
		w.add("203.0.114.1/32", time.Hour)
		if _, err = w.Import(t.Context(), "other", list("203.0.115.1")); err != nil {
			t.Fatal(err)
		}
		if got, _ = w.Import(t.Context(), "drop", list("203.0.113.9")); got.Removed != 4 || got.Added != 1 {
			t.Errorf("%+v", got)
		}
		if s := w.nets(Filter{}); s != "203.0.113.9 203.0.114.1 203.0.115.1" || !w.drop.drops("203.0.115.1") || w.drop.drops("127.0.0.5") {
			t.Error(s)
		}
		if e := r.bans[netip.MustParsePrefix("203.0.114.1/32")]; e.By != "anna" || time.Until(e.Until) > time.Hour {
			t.Errorf("what is left is the person's: %+v", e)
		}

		// What was removed by hand is not brought back by the next download.
		if _, err = w.Remove(t.Context(), netip.MustParsePrefix("203.0.113.9/32"), "anna", "a customer"); err != nil {
			t.Fatal(err)
		}
		if got, _ = w.Import(t.Context(), "drop", list("203.0.113.9")); got.Pardoned != 1 || w.drop.drops("203.0.113.9") {
			t.Errorf("%+v", got)
		}
		after(25 * time.Hour)
		if got, _ = w.Import(t.Context(), "drop", list("203.0.113.9")); got.Added != 1 {
			t.Errorf("a day later: %+v", got)
		}
		if _, err = w.Import(t.Context(), "no good", nil); !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
		if got, _ = w.Import(t.Context(), "drop", nil); got.Removed != 1 || w.nets(Filter{By: "feed:drop"}) != "" {
			t.Errorf("%+v", got)
		}
	})
}

// TestFeedsOfTheConfiguration: entries without an end are held for as long as the configuration says; when a feed is no longer named there its bans end, and
// those of people, of other feeds and of lists that people imported stay.
func TestFeedsOfTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := node(t, newRows())
		only := func(net string) []netlist.Entry { return []netlist.Entry{{Net: netip.MustParsePrefix(net)}} }
		for name, net := range map[string]string{"gone": "203.0.113.1/32", "kept": "203.0.113.2/32", ByHand + "mine": "203.0.113.3/32"} {
			if _, err := w.ImportFor(t.Context(), name, append(only("203.0.113.9/32"), only(net)...), 2*time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.ImportFor(t.Context(), "only-here", only("203.0.113.4/32"), 2*time.Hour); err != nil {
			t.Fatal(err)
		}
		w.add("203.0.113.4/32", time.Hour)
		w.KeepFeeds(t.Context(), []string{"kept", "not-fetched-yet"})
		if s := w.nets(Filter{}); s != "203.0.113.2 203.0.113.3 203.0.113.4 203.0.113.9" {
			t.Error(s)
		}
		for by, want := range map[string]string{"feed:gone": "", "feed:only-here": "", "feed:kept": "203.0.113.2 203.0.113.9", "feed:" + ByHand + "mine": "203.0.113.3 203.0.113.9"} {
			if s := w.nets(Filter{By: by}); s != want {
				t.Errorf("%s: %s, want %s", by, s, want)
			}
		}
		after(2*time.Hour + time.Minute)
		if s := w.nets(Filter{}); s != "" {
			t.Errorf("after the life of a feed: %s", s)
		}
	})
}

func TestTwoNodesShareABan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, r := newHub(), newRows()
		with := func(o *Options) { o.Counters = h }
		a, b := node(t, r, with), node(t, r, with)
		a.add("192.0.2.7/32", time.Hour)
		a.autoBan("192.0.2.8/32", time.Hour)
		after(time.Second)
		if !b.drop.drops("192.0.2.7") || !b.drop.drops("192.0.2.8") {
			t.Fatal("the other node does not drop them within a second")
		}
		if why := b.Why(netip.MustParseAddr("192.0.2.7")); why.Held[0].By != "anna" || why.Held[0].Why != "a test" {
			t.Error(why)
		}
		if _, err := b.Remove(t.Context(), netip.MustParsePrefix("192.0.2.7/32"), "ben", ""); err != nil {
			t.Fatal(err)
		}
		after(time.Second)
		if a.drop.drops("192.0.2.7") || !a.drop.drops("192.0.2.8") {
			t.Error("lifted on one node and not on the other")
		}
		a.add("192.0.2.7/32", time.Hour) // banned again
		after(time.Second)
		if !a.drop.drops("192.0.2.7") || !b.drop.drops("192.0.2.7") {
			t.Error("banned again")
		}

		// One node knows an owner in there and the other does not.
		b.spare("198.51.100.7", "a phone of line 2001")
		a.autoBan("198.51.100.0/24", time.Hour)
		after(time.Second)
		if !a.drop.drops("198.51.100.7") || b.drop.drops("198.51.100.7") {
			t.Error("another node's automatic ban shuts out an owner")
		}
		if _, err := a.Remove(t.Context(), netip.MustParsePrefix("198.51.100.0/24"), "anna", ""); err != nil {
			t.Fatal(err)
		}

		// While the engine is away each node goes on alone; then they agree.
		h.cut()
		a.add("192.0.2.9/32", time.Hour)
		if _, err := b.Remove(t.Context(), netip.MustParsePrefix("192.0.2.8/32"), "ben", ""); err != nil {
			t.Fatal(err)
		}
		after(10 * time.Second)
		h.mend()
		after(3 * time.Second)
		for _, n := range []*world{a, b} {
			if got := n.nets(Filter{}); got != "192.0.2.7 192.0.2.9" {
				t.Errorf("after the outage: %s", got)
			}
		}
		// An engine that starts empty is told everything.
		h.mu.Lock()
		clear(h.marks)
		h.mu.Unlock()
		h.mend()
		after(3 * time.Second)
		if h.mu.Lock(); len(h.marks) != 2 {
			t.Errorf("%d marks", len(h.marks))
		}
		h.mu.Unlock()
	})
}

func TestMarksOfNoSense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		w := node(t, newRows(), func(o *Options) {
			o.Counters, o.Never = h, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		})
		until := time.Now().Add(time.Hour)
		for key, v := range map[string]string{"x": `{"by":"a"}`, "0.0.0.0/0": `{"by":"a"}`, "192.0.2.1/24": `{"by":"a"}`, "10.1.1.1/32": `{"by":"a"}`, "192.0.2.1/32": `{`, "192.0.2.2/32": `{"by":""}`, "192.0.2.3/32": `{"by":"feed:x"}`, "192.0.2.4/32": `{"by":"a","why":"\u001b[0m"}`} {
			m := mark(key, until, v)
			if err := h.Put(t.Context(), time.Now(), m); err != nil {
				t.Fatal(err)
			}
		}
		after(time.Second)
		if list, n := w.List.List(Filter{}, 0); n != 1 || list[0].Net.String() != "192.0.2.4/32" || list[0].Why != "?[0m" {
			t.Error(list)
		}
	})
}

func TestWhyAndList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := node(t, newRows(), func(o *Options) { o.Never = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/28")} })
		w.add("203.0.113.0/24", time.Hour)
		w.autoBan("203.0.113.9/32", time.Minute)
		w.add("2001:db8::/32", time.Hour)
		w.spare("192.0.2.7", "a trunk")
		a := w.Why(netip.MustParseAddr("::ffff:203.0.113.9"))
		if !a.Banned || len(a.Held) != 2 || a.Held[0].By != ByAuto || a.Held[1].By != "anna" {
			t.Errorf("%+v", a)
		}
		if a = w.Why(netip.MustParseAddr("2001:db8::5")); len(a.Held) != 1 {
			t.Errorf("%+v", a)
		}
		if a = w.Why(netip.MustParseAddr("192.0.2.7")); a.Banned || a.Exempt != "a trunk" {
			t.Errorf("%+v", a)
		}
		if a = w.Why(netip.MustParseAddr("198.51.100.3")); a.Never.String() != "198.51.100.0/28" {
			t.Errorf("%+v", a)
		}
		if a = w.Why(netip.Addr{}); a.Banned {
			t.Errorf("%+v", a)
		}
		for f, want := range map[Filter]string{
			{}:             "203.0.113.0/24 203.0.113.9 2001:db8::/32",
			{By: "manual"}: "203.0.113.0/24 2001:db8::/32",
			{By: ByAuto}:   "203.0.113.9",
			{By: "ben"}:    "",
			{Within: netip.MustParsePrefix("203.0.113.9/32")}: "203.0.113.0/24 203.0.113.9",
			{After: netip.MustParsePrefix("203.0.113.0/24")}:  "203.0.113.9 2001:db8::/32",
		} {
			if got := w.nets(f); got != want {
				t.Errorf("%+v: %s, want %s", f, got, want)
			}
		}
		if l, n := w.List.List(Filter{}, 2); len(l) != 2 || n != 3 {
			t.Error(l, n)
		}
	})
}

// Whatever is done in whatever order: those who drop packets know exactly what the list says, and so does the store.
func TestEnforcersAgreeWithTheList(t *testing.T) {
	nets := []string{"192.0.2.0/24", "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32", "2001:db8::/32", "2001:db8::1/128"}
	rapid.Check(t, func(rt *rapid.T) {
		var steps []func(w *world)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			net := netip.MustParsePrefix(rapid.SampledFrom(nets).Draw(rt, "net"))
			d := time.Duration(rapid.IntRange(1, 300).Draw(rt, "secs")) * time.Second
			some := rapid.SliceOfNDistinct(rapid.SampledFrom(nets), 0, 4, rapid.ID[string]).Draw(rt, "some")
			who := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "who")
			steps = append(steps, []func(w *world){
				func(w *world) { _, _ = w.Add(t.Context(), Request{Net: net, For: d, By: who}) },
				func(w *world) { w.autoBan(net.String(), d) },
				func(w *world) { _, _ = w.Remove(t.Context(), net, who, "") },
				func(*world) { after(d / 4) },
				func(w *world) {
					var list []netlist.Entry
					for _, s := range some {
						list = append(list, netlist.Entry{Net: netip.MustParsePrefix(s), Until: time.Now().Add(d)})
					}
					_, _ = w.Import(t.Context(), who, list)
				},
			}[rapid.IntRange(0, 4).Draw(rt, "what")])
		}
		limit := rapid.IntRange(2, 6).Draw(rt, "max")
		synctest.Test(t, func(t *testing.T) {
			r := newRows()
			w := node(t, r, func(o *Options) { o.Max = limit })
			for _, step := range steps {
				step(w)
				agree(rt, w)
			}
			w.stop()
			agree(rt, node(t, r))
		})
	})
}

func agree(t *rapid.T, w *world) {
	_ = w.Flush(w.t.Context())
	list, n := w.List.List(Filter{}, 0)
	for _, mu := range []*sync.Mutex{&w.drop.mu, &w.rows.mu, &w.List.mu} {
		mu.Lock()
		defer mu.Unlock()
	}
	var want, enforced, stored []string
	for _, e := range list {
		want = append(want, e.Net.String()+e.Until.UTC().Format(" 15:04:05"))
	}
	now := time.Now()
	for p, until := range w.drop.nets {
		if until.After(now) {
			enforced = append(enforced, p.String()+until.UTC().Format(" 15:04:05"))
		}
	}
	for p, e := range w.rows.bans {
		if e.Until.After(now) {
			stored = append(stored, p.String()+e.Until.Format(" 15:04:05"))
		}
	}
	slices.Sort(want)
	slices.Sort(enforced)
	slices.Sort(stored)
	if n != len(list) || !slices.Equal(want, enforced) || !slices.Equal(want, stored) {
		t.Fatalf("\nlist     %s\nenforced %s\nstored   %s", strings.Join(want, ", "), strings.Join(enforced, ", "), strings.Join(stored, ", "))
	}
	lens := map[int]int{}
	for p := range w.table.entries {
		lens[p.Bits()]++
	}
	if sum := len(w.table.queues[0]) + len(w.table.queues[1]) + len(w.table.queues[2]); sum != len(w.table.entries) || w.table.v4[24]+w.table.v4[32] != lens[24]+w.count4() {
		t.Fatalf("queues hold %d of %d; %v", sum, len(w.table.entries), maps.Collect(maps.All(lens)))
	}
}

// count4 is how many single IPv4 addresses there are.
func (w *world) count4() (n int) {
	for p := range w.table.entries {
		if p.Addr().Is4() && p.Bits() == 32 {
			n++
		}
	}
	return n
}

// TestCheckSaysWhereBansAreDropped: an operator who counts on the kernel must learn that it does not drop.
func TestCheckSaysWhereBansAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, change := range map[string]func(*Options){
			"ok banned sources are dropped in the kernel":                                func(o *Options) { o.Enforce[0].Kernel = true },
			"ok banned sources are dropped by this program (shield.kernel is off)":       func(o *Options) { o.NoKernel = true },
			"warning banned sources are dropped by this program, not by the kernel: the": func(*Options) {},
		} {
			w := node(t, newRows(), change)
			got := w.Check()
			if len(got) != 1 || got[0].What != "bans" || !strings.HasPrefix(got[0].Level+" "+got[0].Text, want) {
				t.Errorf("%+v, want %s", got, want)
			}
		}
		w := node(t, newRows(), func(o *Options) { o.NoKernel, o.Max = true, 4 })
		for i := range 6 {
			w.autoBan(fmt.Sprintf("192.0.2.%d/32", i+1), time.Hour)
			synctest.Wait()
		}
		if got := w.Check(); len(got) != 2 || got[1].Level != "warning" || !strings.HasPrefix(got[1].Text, "2 bans were dropped since the start because the list was full") {
			t.Errorf("%+v", got)
		}
	})
}
