package transport

import (
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/netlist"
)

func TestBansAgainstAModel(t *testing.T) {
	addr := rapid.Custom(func(t *rapid.T) netip.Addr {
		lo := byte(rapid.IntRange(0, 7).Draw(t, "lo"))
		switch rapid.IntRange(0, 2).Draw(t, "family") {
		case 0:
			return netip.AddrFrom4([4]byte{192, 0, 2, lo})
		case 1:
			return netip.AddrFrom16([16]byte{10: 255, 11: 255, 12: 192, 14: 2, 15: lo})
		}
		return netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 15: lo})
	})
	rapid.Check(t, func(t *rapid.T) {
		b := NewBans(1000)
		model := map[netip.Prefix]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			a := addr.Draw(t, "addr")
			p := netip.PrefixFrom(a, a.BitLen()-rapid.SampledFrom([]int{0, 0, 1, 2, 16, 20}).Draw(t, "wide"))
			if a.Is6() && !a.Is4In6() {
				p = netip.PrefixFrom(a, rapid.SampledFrom([]int{128, 127, 64, 63, 48, 32, 31, 20}).Draw(t, "bits"))
			}
			key, _, _ := netlist.Normal(p)
			if rapid.IntRange(0, 9).Draw(t, "renew") == 0 {
				b.mu.Lock()
				b.renew()
				b.mu.Unlock()
			}
			if rapid.IntRange(0, 3).Draw(t, "what") == 0 {
				if b.Remove(p) != model[key] {
					t.Fatalf("Remove(%v) is not %v", p, model[key])
				}
				delete(model, key)
			} else {
				b.Add(p, time.Hour)
				model[key] = true
			}
			a = addr.Draw(t, "asked")
			banned := false
			for p := range model {
				banned = banned || p.Contains(a.Unmap())
			}
			if b.Banned(a) != banned {
				t.Fatalf("Banned(%v) is not %v: %v", a, banned, model)
			}
			if n := len(entries(b)); n != len(model) {
				t.Fatalf("%d entries, want %d", n, len(model))
			}
		}
		for _, e := range entries(b) {
			if !model[e.net] {
				t.Fatalf("it has %v", e.net)
			}
		}
	})
}

func TestBansExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBans(64)
		a := netip.MustParseAddr("192.0.2.1")
		banAddr(b, a, time.Minute)
		banAddr(b, a, time.Second) // shortens nothing
		b.Add(netip.MustParsePrefix("192.0.2.0/24"), 10*time.Second)
		banAddr(b, netip.MustParseAddr("192.0.2.3"), -time.Second)
		other := netip.MustParseAddr("192.0.2.2")
		if !b.Banned(a) || !b.Banned(other) {
			t.Error("not banned")
		}
		<-time.After(11 * time.Second)
		if !b.Banned(a) || b.Banned(other) {
			t.Error("after 11 s the address is to be banned, the network not")
		}
		<-time.After(50 * time.Second)
		if b.Banned(a) {
			t.Error("after 61 s the address is still banned")
		}
	})
}

// What comes and goes leaves nothing to probe for.
func TestBansForgetWhereTheyWere(t *testing.T) {
	b := NewBans(64)
	stay := netip.MustParsePrefix("192.0.2.0/24")
	b.Add(stay, time.Hour)
	for i := range nearStale + 7 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 1}), 32)
		b.Add(p, time.Hour)
		b.Remove(p)
	}
	left := 0
	for i := range b.near.Load().v4 {
		if b.near.Load().v4[i].Load() != 0 {
			left++
		}
	}
	if left > 8 || !b.Banned(stay.Addr()) {
		t.Errorf("%d places are looked at", left)
	}
}

// A flood of bans fills the table and no more; what is banned longest stays.
func TestBansAreBounded(t *testing.T) {
	b := NewBans(1000)
	owner := netip.MustParseAddr("203.0.113.1")
	banAddr(b, owner, 24*time.Hour)
	for i := range 100_000 {
		banAddr(b, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), time.Hour)
	}
	if len(b.ways) > 4096 {
		t.Errorf("%d entries in %d", len(entries(b)), len(b.ways))
	}
	if !b.Banned(owner) {
		t.Error("the longest ban was pushed out")
	}
	few := NewBans(1000)
	for i := range 1000 {
		banAddr(few, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), time.Hour)
	}
	if n := len(entries(few)); n < 950 {
		t.Errorf("of as many as promised only %d stayed", n)
	}
}

// entries are what the table holds.
func entries(b *Bans) (all []*ban) {
	for i := range b.ways {
		if e := b.ways[i].Load(); e != nil {
			all = append(all, e)
		}
	}
	return all
}

func TestBansConcurrently(t *testing.T) {
	b := NewBans(64)
	always := netip.MustParseAddr("2001:db8::1")
	banAddr(b, always, time.Hour)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				a := netip.AddrFrom4([4]byte{10, 0, byte(g), byte(i)})
				banAddr(b, a, time.Minute)
				b.Banned(a)
				if !b.Banned(always) {
					t.Error("lost")
					return
				}
				b.Remove(netip.PrefixFrom(a, 32))
			}
		})
	}
	wg.Wait()
}

func BenchmarkBanned(b *testing.B) {
	t := NewBans(100_000)
	for i := range 50_000 {
		banAddr(t, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), time.Hour)
	}
	t.Add(netip.MustParsePrefix("198.51.100.0/24"), time.Hour)
	for name, a := range map[string]netip.Addr{"stranger": netip.MustParseAddr("192.0.2.1"), "banned": netip.MustParseAddr("10.0.100.7"), "IPv6": netip.MustParseAddr("2001:db8::1")} {
		b.Run(name, func(b *testing.B) {
			now := nanotime()
			for b.Loop() {
				t.banned(a, now)
			}
		})
	}
}

// BenchmarkBannedWithFeeds: others' lists hold networks of every length, each of which a look-up probes for.
func BenchmarkBannedWithFeeds(b *testing.B) {
	t := NewBans(100_000)
	for i := range 20_000 {
		t.Add(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), time.Hour)
	}
	for n := 10; n < 32; n++ {
		t.Add(netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(n), byte(n), byte(n)}), n), time.Hour)
	}
	for n := 20; n <= 64; n++ {
		a := netip.MustParseAddr("2001:db8::").As16()
		a[3], a[7] = byte(n), byte(n)
		t.Add(netip.PrefixFrom(netip.AddrFrom16(a), n), time.Hour)
	}
	for name, s := range map[string]string{"stranger": "192.0.2.1", "banned": "10.0.50.7", "IPv6": "2a00::1"} {
		a := netip.MustParseAddr(s)
		b.Run(name, func(b *testing.B) {
			now := nanotime()
			for b.Loop() {
				t.banned(a, now)
			}
		})
	}
}

// banAddr bans one address.
func banAddr(b *Bans, a netip.Addr, d time.Duration) { b.Add(netip.PrefixFrom(a, a.BitLen()), d) }
