package guard

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"ringfence/flow/auth"
)

// BenchmarkGuard is what each kind of login costs, answer and counting together; none may allocate. "under attack" has
// lock-outs of every scope in force, so that a right login is looked up in all tables.
func BenchmarkGuard(b *testing.B) {
	thieves := netip.MustParseAddr(thief)
	for _, c := range []struct {
		name, user, pass, from string
		prepare                func(*scene)
	}{
		{"right", "2001", rightPass, cafe, nil},
		{"right, under attack", "2001", rightPass, cafe, attack},
		{"right, usual place, under attack", "2001", rightPass, office, attack},
		{"wrong, known line", "2002", wrongPass, thief, nil},
		{"wrong, unknown line", "9999", wrongPass, thief, nil},
		{"former password", "2001", formerPass, cafe, nil},
		{"locked out, wrong", "2001", wrongPass, thief, func(s *scene) { s.tries(5, 0, thief, "2001", wrongPass) }},
		{"locked out, right", "2001", rightPass, thief, func(s *scene) { s.tries(5, 0, thief, "2001", wrongPass) }},
		{"besieged, wrong", "2001", wrongPass, thief, func(s *scene) { s.overBudget("2001") }},
		{"besieged, right", "2001", rightPass, thief, func(s *scene) { s.overBudget("2001") }},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newScene(b, fixedKey, func(o *Options) { o.Around.ASN = func(a netip.Addr) uint32 { return uint32(a.As4()[0]) } })
			if c.prepare != nil {
				c.prepare(s)
			}
			from := netip.MustParseAddr(c.from)
			var logins []*auth.Credentials
			for range 4096 {
				logins = append(logins, login(c.user, c.pass, nonceFor(s.a, from, s.at), "MD5", 1))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i == len(logins) {
					i = 0
					s.a.forgetNonces(b)
				}
				s.a.Check(logins[i], from, s.at)
			}
		})
	}
	b.Run("forged source", func(b *testing.B) {
		s := newScene(b)
		c := login("2001", wrongPass, nonceFor(s.a, netip.MustParseAddr(cafe), s.at), "MD5", 1)
		b.ReportAllocs()
		for b.Loop() {
			s.a.Check(c, thieves, s.at)
		}
	})
	b.Run("made-up nonce", func(b *testing.B) {
		s := newScene(b)
		c := login("2001", wrongPass, "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "MD5", 1)
		c.Nonce = []byte(nonceFor(newScene(b).a, thieves, s.at))
		b.ReportAllocs()
		for b.Loop() {
			s.a.Check(c, thieves, s.at)
		}
	})
}

// attack leaves lock-outs of addresses, a network, an AS and lines behind.
func attack(s *scene) {
	for i := range 400 {
		s.try(fmt.Sprintf("203.0.%d.%d", i%3, i%100), fmt.Sprint(i%7), wrongPass)
	}
	s.tries(40, 0, "203.0.113.9", "2001", wrongPass)
}

// BenchmarkSample is one wrong answer held against the lists, off the hot path.
func BenchmarkSample(b *testing.B) {
	s := newScene(b)
	for b.Loop() {
		b.StopTimer()
		s.pass(1e9)
		s.try(cafe, "2001", wrongPass)
		b.StartTimer()
		s.a.drain(realm, s.at, s.a.Seconds(s.at))
	}
}

// BenchmarkKeep writes the file with full tables: no lock is held for longer than a copy of one shard of 64.
func BenchmarkKeep(b *testing.B) {
	s := newScene(b, func(o *Options) { o.File = filepath.Join(b.TempDir(), "lockouts") })
	g, at := s.a, s.a.Seconds(s.at)
	for scope := range numScopes {
		for i := range uint64(1 << 17) {
			p := g.tables[scope].lock(key{hi: i, lo: i, user: i})
			slot := p.make(at)
			slot.e.until, slot.e.last, slot.e.level, slot.e.name = at+1000, at, 3, "2001"
			slot.keep = slot.e.worth(&g.l)
			p.unlock()
		}
	}
	b.ReportAllocs()
	var longest time.Duration
	var shard []slot[suspect]
	for b.Loop() {
		begun := time.Now()
		shard = g.tables[ofPair].shards[7].copies(shard[:0], at)
		longest = max(longest, time.Since(begun))
		g.keeper.soon()
		s.a.save(s.at)
	}
	b.SetBytes(g.keeper.size)
	b.ReportMetric(float64(longest.Microseconds()), "µs-locked")
}
