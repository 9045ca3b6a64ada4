package guard

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWhateverStrangersDo: the owner at the usual place always gets in; and no stranger has more wrong tries judged than
// the limit, within any window, for one line or over all, whatever the order and the pace. A try is judged if the right
// password would have been let in instead, which asking does not change.
func TestWhateverStrangersDo(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := newScene(t, func(o *Options) {
			o.Around.ASN = func(a netip.Addr) uint32 { return uint32(a.As4()[1]) }
			o.Lockout.Strangers, o.Lockout.AS = rapid.IntRange(5, 200).Draw(r, "strangers"), rapid.IntRange(10, 300).Draw(r, "as")
		})
		judged := map[string][]time.Time{}
		within := func(who string) (n int) {
			for _, at := range judged[who] {
				if s.at.Sub(at) < 10*time.Minute {
					n++
				}
			}
			return n
		}
		for range rapid.IntRange(1, 300).Draw(r, "tries") {
			s.pass(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 30, 300, 901, 4000}).Draw(r, "pass")) * time.Second)
			from := fmt.Sprintf("10.%d.0.%d", rapid.IntRange(0, 2).Draw(r, "net"), rapid.IntRange(1, 4).Draw(r, "host"))
			user := rapid.SampledFrom([]string{"2001", "2002", "9999"}).Draw(r, "user")
			pass := rapid.SampledFrom([]string{wrongPass, wrongPass, wrongPass, formerPass}).Draw(r, "password")
			opened := user != "9999" && s.try(from, user, rightPass).Outcome == Accept
			s.try(from, user, pass)
			if opened && (pass == wrongPass || user != "2001") {
				judged[from+" "+user] = append(judged[from+" "+user], s.at)
				judged[from] = append(judged[from], s.at)
			}
			if within(from+" "+user) > 5 || within(from) > 20 {
				r.Fatalf("%s had %d tries on %s, %d over all", from, within(from+" "+user), user, within(from))
			}
			if got := s.try(office, "2001", rightPass); got.Outcome != Accept {
				r.Fatalf("the owner at the usual place: %+v", got)
			}
		}
	})
}

// TestTallyIsNeverLess than an exact window would say, and looks back at most a quarter further.
func TestTallyIsNeverLess(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		span := int64(rapid.IntRange(4, 1000).Draw(r, "span"))
		var c tally
		var hits []int64
		for at := int64(1 << 30); len(hits) < 60; at += int64(rapid.IntRange(0, int(span)).Draw(r, "pass")) {
			hits = append(hits, at)
			exact, most := 0, 0
			for _, h := range hits {
				if at-h < span {
					exact++
				}
				if at-h < span+span/parts+parts+1 {
					most++
				}
			}
			if n := c.add(1, at, span); n < exact && span%parts == 0 || n > most {
				r.Fatalf("%d; exactly %d, at most %d", n, exact, most)
			}
		}
	})
}

// TestEverythingAtOnce is for the race detector: logins of all kinds, Run, lists, releases and other nodes' news together.
func TestEverythingAtOnce(t *testing.T) {
	p := newPool()
	s := newScene(t, func(o *Options) { o.Around.Counters = p })
	ctx, cancel := context.WithCancel(t.Context())
	var run, wg sync.WaitGroup
	run.Go(func() { s.a.Run(ctx) })
	for w := range 4 {
		wg.Go(func() {
			for i := range 300 {
				src := netip.AddrFrom4([4]byte{10, byte(w), byte(i % 3), byte(i % 7)})
				user, pass := []string{"2001", "2002", "2099", "9999"}[i%4], []string{wrongPass, rightPass, formerPass}[i%3]
				to := src
				if i%11 == 0 {
					to = netip.MustParseAddr(office)
				}
				s.a.Check(login(user, pass, nonceFor(s.a, to, s.at), "MD5", 1), src, s.at)
			}
		})
	}
	wg.Go(func() {
		for i := range 50 {
			for _, l := range s.a.Locked(s.at) {
				s.a.Release([]string{l.Source, l.User}[i%2], "op", s.at)
			}
			s.a.shareOnce(ctx, s.at)
			s.a.Stats()
		}
	})
	wg.Wait()
	cancel()
	run.Wait()
}
