package guard

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"ringfence/core/fact"
	"ringfence/core/secret"
	"ringfence/flow/auth"
)

// TestSprayer: one address that tries many lines raises one fact an hour, and is shut out altogether at its twentieth
// wrong try; lines that have a history with it are not.
func TestSprayer(t *testing.T) {
	s := newScene(t)
	s.usual["2002"] = []string{thief + "/32"}
	for i := range 40 {
		s.tries(1, time.Second, thief, fmt.Sprint(1990+i), wrongPass, "friendly-scanner")
	}
	f := s.want(fact.KindLoginSpray, 1)
	if b := f[0].body; b.Source != thief || b.Lines < 9 || b.Lines > 12 {
		t.Errorf("%+v", f)
	}
	if f := s.want(fact.KindLoginLocked, 1); f[0].body.Scope != "address" || f[0].body.Failures != 20 || f[0].body.Exempt {
		t.Errorf("%+v", f)
	}
	s.wantBans(thief + "/32 for 15m0s")
	s.out(thief, "2001")
	s.in(thief, "2002")
	s.in(cafe, "2001")
}

// TestSlowSprayer: a network that tries a line every five minutes, each once and each from another address, shows within
// hours.
func TestSlowSprayer(t *testing.T) {
	s := newScene(t)
	for i := range 60 {
		s.tries(1, 5*time.Minute, fmt.Sprintf("203.0.113.%d", i), fmt.Sprint(4000+i), wrongPass)
	}
	sprays := s.told(fact.KindLoginSpray) // five hours, once in each from about the thirtieth on
	if len(sprays) != 2 && len(sprays) != 3 {
		t.Fatalf("%d facts: %+v", len(sprays), sprays)
	}
	if b := sprays[0].body; b.Source != "203.0.113.0/24" || b.Failures < 30 || b.Lines < 30 || b.Lines > b.Failures {
		t.Errorf("%+v", sprays)
	}
}

// TestSparedAddresses guards FreePBX#622 (the whitelist was not applied) and dsiprouter#54 (the operator's own proxy was
// banned): an address that is exempt is never banned, and lines that are usual there go on, but strangers'
// lines are locked out for it.
func TestSparedAddresses(t *testing.T) {
	s := newScene(t)
	s.exempt[office] = "on the IP lock of line 2001"
	for i := range 40 {
		s.tries(1, time.Second, office, fmt.Sprint("guess", i), wrongPass)
	}
	s.wantBans()
	if f := s.want(fact.KindLoginLocked, 1); !f[0].body.Exempt {
		t.Errorf("%+v", f)
	}
	s.in(office, "2001")
	s.out(office, "2002")
}

// TestHydraFromManyAddresses: two hundred addresses of one network try a line, three times each. Their network is shut
// out; the line's usual place and a stranger from elsewhere are not, as long as there is any budget.
func TestHydraFromManyAddresses(t *testing.T) {
	s := newScene(t, func(o *Options) { o.Lockout.Strangers = 500 })
	judged := uint64(0)
	for i := range 200 {
		from := fmt.Sprintf("127.0.7.%d", i+1)
		for j := range 3 {
			s.tries(1, 0, from, "2001", fmt.Sprint("guess", i, j))
		}
		judged = s.a.Stats().Failures
	}
	s.wantBans("127.0.7.0/24 for 15m0s")
	s.out("127.0.7.250", "2001")
	s.in(office, "2001")
	s.in(cafe, "2001")
	if judged != 600 {
		t.Errorf("%d seen", judged)
	}
	today := 0
	s.a.targets.each(func(e *slot[target]) { today, _, _ = e.e.sums() })
	if today != 60 {
		t.Errorf("%d judged of 600", today)
	}
}

// TestOneAddressDoesNotShutItsNetworkOut: however long it goes on.
func TestOneAddressDoesNotShutItsNetworkOut(t *testing.T) {
	s := newScene(t)
	s.exempt[thief] = "so that it goes on"
	for i := range 2000 {
		s.tries(1, 100*time.Millisecond, thief, fmt.Sprint("user", i), wrongPass)
	}
	s.wantBans()
	s.in("203.0.113.67", "2001")
}

// TestSystem: three hundred wrong tries from an AS, and each of its strange addresses has a single try; who is right at
// the first gets in.
func TestSystem(t *testing.T) {
	s := newScene(t, func(o *Options) {
		o.Around.ASN = func(a netip.Addr) uint32 { return uint32(a.As4()[0]) }
		o.Lockout.Strangers = 10_000
	})
	for i := range 300 {
		s.tries(1, time.Second, fmt.Sprintf("10.%d.1.1", i%250), fmt.Sprint("user", i), wrongPass)
	}
	if f := s.want(fact.KindLoginLocked, 1); f[0].body.Source != "AS10" || f[0].body.Scope != "as" {
		t.Errorf("%+v", f)
	}
	s.in("10.251.1.1", "2001")
	s.tries(1, 0, "10.252.1.1", "2001", wrongPass)
	s.out("10.252.1.1", "2001")
	s.tries(1, 0, "11.252.1.1", "2001", wrongPass)
	s.in("11.252.1.1", "2001")
	s.wantBans()
}

// TestSiege: a line guessed at from many addresses: after thirty wrong tries a day each strange address has one, after
// sixty none, even right; its usual place goes on, and so do other lines. One fact a day. The next day begins anew.
func TestSiege(t *testing.T) {
	s := newScene(t)
	midnight := s.at.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	s.at = midnight.Add(10 * time.Second) // all within one day
	from := func(i int) string { return fmt.Sprintf("10.%d.%d.1", i/250, i%250) }
	for i := range 29 {
		s.tries(1, time.Second, from(i), "2001", wrongPass)
	}
	s.in(from(0), "2001")
	s.want(fact.KindLoginSiege, 0)
	s.tries(1, time.Second, from(29), "2001", wrongPass)
	s.out(from(0), "2001")
	s.in(from(300), "2001") // right at first try
	if f := s.want(fact.KindLoginSiege, 1); f[0].body.Failures != 30 || f[0].body.Days != 1 || f[0].body.Sources < 18 || f[0].body.Sources > 30 || f[0].line != "2001" {
		t.Errorf("%+v", f)
	}
	for i := range 30 {
		s.tries(1, time.Second, from(30+i), "2001", wrongPass)
	}
	s.out(from(301), "2001")
	s.in(office, "2001")
	s.in(from(301), "2002")
	if l := s.a.Locked(s.at); len(l) != 1 || l[0].Scope != "strangers" || l[0].User != "2001" || l[0].Failures != 60 {
		t.Errorf("%+v", l)
	}
	s.pass(24 * time.Hour)
	s.in(from(301), "2001")
	s.want(fact.KindLoginSiege, 0)
	s.wantBans()
}

// TestThreeWeeks: a guesser from ever new addresses, who stays below every limit of a day, has a single try for each and
// none past thirty a day, once he is at two hundred.
func TestThreeWeeks(t *testing.T) {
	s := newScene(t)
	next := 0
	from := func() string { next++; return fmt.Sprintf("10.%d.%d.1", next/250, next%250) }
	s.at = s.at.UTC().Truncate(24 * time.Hour).Add(24*time.Hour + time.Minute)
	for day := range 20 {
		for range 10 {
			s.tries(1, time.Minute, from(), "2001", wrongPass)
		}
		if day < 19 {
			s.want(fact.KindLoginSiege, 0)
			s.pass(24*time.Hour - 10*time.Minute)
		}
	}
	if f := s.want(fact.KindLoginSiege, 1); f[0].body.Failures != 200 || f[0].body.Days != 20 {
		t.Errorf("%+v", f)
	}
	last := fmt.Sprintf("10.%d.%d.1", next/250, next%250)
	s.out(last, "2001")
	s.in(from(), "2001")
	for range 20 {
		s.tries(1, time.Minute, from(), "2001", wrongPass)
	}
	s.out(from(), "2001")
	s.in(office, "2001")
	s.pass(28 * 24 * time.Hour)
	s.in(last, "2001")
	if l := s.a.Locked(s.at); len(l) != 0 {
		t.Errorf("%+v", l)
	}
}

// TestHoneypot: nobody has its password, so who logs in is shut out for a day, right or wrong, and hears nothing special.
func TestHoneypot(t *testing.T) {
	for _, pass := range []string{rightPass, wrongPass} {
		s := newScene(t)
		for range 3 {
			if got := s.try(thief, "2099", pass); got != wrongAnswer {
				t.Errorf("%+v", got)
			}
		}
		if f := s.want(fact.KindLoginHoneypot, 1); f[0].line != "2099" || f[0].body.Source != thief || *f[0].body.Right != (pass == rightPass) {
			t.Errorf("%+v", f)
		}
		if len(s.bans) == 0 || s.bans[0] != thief+"/32 for 24h0m0s" {
			t.Errorf("%v", s.bans)
		}
	}
	s := newScene(t)
	s.exempt[office] = "a customer's"
	s.try(office, "2099", wrongPass)
	s.wantBans()
	s.want(fact.KindLoginHoneypot, 1)
}

// TestMovedNonce: a right answer to a challenge that was given elsewhere is a phone that roams if it logs in afresh, and
// otherwise somebody who overheard it.
func TestMovedNonce(t *testing.T) {
	answer := func(s *scene, pass string) {
		c := login("2001", pass, nonceFor(s.a, netip.MustParseAddr(office), s.at), "MD5", 7)
		c.Agent = []byte("baresip\x00<b>")
		if got := s.a.Check(c, netip.MustParseAddr(thief), s.at); got != (Result{Stale: true}) {
			t.Errorf("%+v", got)
		}
	}
	later := func(s *scene) { s.pass(movedFor * time.Second) }
	for _, c := range []struct {
		name string
		play func(s *scene)
		want int
	}{
		{"overheard", func(s *scene) { answer(s, rightPass); later(s) }, 1},
		{"three times is one", func(s *scene) { answer(s, rightPass); answer(s, rightPass); answer(s, rightPass); later(s) }, 1},
		{"wrong", func(s *scene) { answer(s, wrongPass); later(s) }, 0},
		{"not yet", func(s *scene) { answer(s, rightPass); s.pass((movedFor - 1) * time.Second) }, 0},
		{"a phone that roams", func(s *scene) { answer(s, rightPass); s.pass(time.Second); s.in(thief, "2001"); later(s) }, 0},
		{"behind a carrier's NAT", func(s *scene) { answer(s, rightPass); s.in("203.0.113.99", "2001"); later(s) }, 0},
		{"the owner where he was", func(s *scene) { answer(s, rightPass); s.in(office, "2001"); later(s) }, 1},
		{"another line", func(s *scene) { answer(s, rightPass); s.in(thief, "2002"); later(s) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			c.play(s)
			f := s.want(fact.KindLoginMovedNonce, c.want)
			if len(f) == 1 && (f[0].line != "2001" || f[0].body.Source != thief || f[0].body.GivenTo != office || f[0].body.Agent != "baresip?<b>") {
				t.Errorf("%+v", f)
			}
			later(s)
			if c.name == "not yet" {
				c.want = 1
			}
			s.want(fact.KindLoginMovedNonce, c.want-len(f))
		})
	}
}

// TestMovedNoncesAreBounded: of any number of lines at once.
func TestMovedNoncesAreBounded(t *testing.T) {
	ha1 := secret.NewHA1("", realm, secret.NewPassword(rightPass))
	a := newAuth(t, func(o *Options) {
		o.Line = func([]byte, time.Time) (Line, bool) { return Line{ID: "x", HA1: &ha1}, true }
	})
	at := a.Seconds(now)
	for i := range 3 * maxMoved {
		a.moved.note(true, &Line{ID: "x"}, &auth.Credentials{}, home, elsew, uint64(i), at, now)
	}
	n := 0
	a.moved.tables[1].each(func(*slot[movedLogin]) { n++ })
	if n > maxMoved || len(a.moved.due(at+movedFor)) != n {
		t.Errorf("%d kept", n)
	}
}

// TestGuessesInFacts: which list a guesser uses is told, and no password.
func TestGuessesInFacts(t *testing.T) {
	for _, c := range []struct {
		passwords []string
		want      string
		typist    bool
	}{
		{[]string{"1234", "0000", "1111", "12345", "123456"}, "plain numbers", false},
		{[]string{"2001", "20012001", "1002", "442079460001", "460001"}, "the line's own number", false},
		{[]string{"2001", "1234", "admin", "password", fmt.Sprint("Summer", time.Now().Year())}, "the line's own number, plain numbers, default passwords, common passwords, seasons and years", false},
		{[]string{"Tischlampe7", "Tischlampe/", "tischlampe7", "Tischlmape7", "Tischlampe77"}, "", true},
	} {
		s := newScene(t)
		for _, p := range c.passwords {
			s.tries(1, time.Second, thief, "2001", p, "x")
		}
		f := s.want(fact.KindLoginLocked, 1)
		if b := f[0].body; b.Guesses != c.want || b.Typist != c.typist {
			t.Errorf("%v: %q, typist %v", c.passwords, b.Guesses, b.Typist)
		}
		s.a.tick(s.at, true)
		for _, p := range c.passwords[1:] {
			if text := fmt.Sprint(s.facts); len(p) > 8 && strings.Contains(text, p) {
				t.Errorf("%s in %s", p, text)
			}
		}
	}
}

// TestOnePasswordOverManyLines: a spray from ever new networks, each with one try for one line, shows by its password.
func TestOnePasswordOverManyLines(t *testing.T) {
	s := newScene(t)
	for i := range 30 {
		s.tries(1, time.Second, fmt.Sprintf("10.%d.1.1", i), fmt.Sprint(3000+i), "Welcome1")
		s.a.tick(s.at, false)
	}
	f := s.want(fact.KindLoginSpray, 1)
	if b := f[0].body; b.Source != "" || b.Lines < 9 || b.Sources < 3 || b.Guesses != "common passwords" {
		t.Errorf("%+v", f)
	}
}

// TestSampleIsBounded: fifty a second, and none of it in the way of logins.
func TestSampleIsBounded(t *testing.T) {
	s := newScene(t)
	for i := range 200 {
		s.tries(1, 0, fmt.Sprintf("10.%d.1.1", i), fmt.Sprint(3000+i), wrongPass)
	}
	s.a.tick(s.at, false)
	if st := s.a.Stats(); st.Sampled != samplesASecond || st.Unsampled != 200-samplesASecond || st.Matched != 0 {
		t.Errorf("%+v", st)
	}
}

// TestJournalOfAFlood: a minute of wrong logins from thousands of addresses, on thousands of names, with hostile names and
// User-Agents, grows the journal by less than 200 kB however many they are: facts are bounded by time.
func TestJournalOfAFlood(t *testing.T) {
	s := newScene(t)
	agent := strings.Repeat("<script>\x00\xff", 800)
	for i := range 24_000 {
		n := i % 6000
		src := netip.AddrFrom4([4]byte{10, byte(n / 1000), byte(n / 25 % 40), byte(n % 25)})
		c := login("", "", nonceFor(s.a, src, s.at), "MD5", 1)
		c.User, c.Agent, c.Response = fmt.Appendf(nil, "\x01user-%d-%s", i%5000, agent[:i%3*40]), []byte(agent), fmt.Appendf(nil, "%032x", i)
		s.a.Check(c, src, s.at)
		if i%400 == 0 {
			s.pass(time.Second)
			s.a.tick(s.at, i%4000 == 0)
		}
	}
	s.pass(time.Minute)
	s.a.tick(s.at, true)
	size := 0
	for _, f := range s.facts {
		size += len(f.Body) + 200
		if strings.ContainsAny(string(f.Body), "\x00\x01<") || len(f.Body) > 2000 {
			t.Fatalf("%q", f.Body)
		}
	}
	if size > 200_000 || len(s.told(fact.KindLoginLocked)) < perMinute {
		t.Errorf("%d facts, %d bytes", len(s.facts), size)
	}
	t.Logf("%d facts, %d bytes, %+v", len(s.facts), size, s.a.Stats())
}

// TestTablesAreBounded: all of them full, they take what the doc comment of maxPairs says.
func TestTablesAreBounded(t *testing.T) {
	g := newScene(t).a
	size := 0
	for of, most := range [numScopes]int{maxPairs, maxSources, maxNetworks, maxSystems} {
		tb := g.tables[of]
		for i := range 2 * most {
			p := tb.lock(key{hi: uint64(i)})
			p.make(1).keep = int64(i + 2)
			p.unlock()
		}
		n := 0
		tb.each(func(*slot[suspect]) { n++ })
		if n > most {
			t.Errorf("%s: %d of %d", scope(of), n, most)
		}
		size += most * int(unsafe.Sizeof(slot[suspect]{}))
	}
	size += maxTargets * int(unsafe.Sizeof(slot[target]{}))
	if size > 22<<20 {
		t.Errorf("%d bytes", size)
	}
	t.Logf("%d bytes, %d a suspect", size, unsafe.Sizeof(slot[suspect]{}))
}

// TestLocksOutliveNoise: who is locked out cannot wash his entry away with tries that are not locked out.
func TestLocksOutliveNoise(t *testing.T) {
	tb := newTable[suspect](tableShards * ways)
	l := limits{window: 600, first: 900, longest: 86400}
	p := tb.lock(key{hi: 1})
	e := p.make(1000)
	e.e.fail(&l, 1000)
	e.e.lock(&l, 1000)
	e.keep = e.e.worth(&l)
	p.unlock()
	for i := range 100_000 {
		at := int64(1000 + i/200)
		p := tb.lock(key{hi: uint64(2 + i)})
		n := p.make(at)
		n.e.fail(&l, at)
		n.keep = n.e.worth(&l)
		p.unlock()
	}
	p = tb.lock(key{hi: 1})
	defer p.unlock()
	if s := p.find(); s == nil || s.e.until != 1900 {
		t.Error("the lock-out is gone")
	}
}

// TestRelease ends what somebody says by hand, and only that.
func TestRelease(t *testing.T) {
	s := newScene(t)
	lock := func() {
		s.tries(5, 0, cafe, "2001", wrongPass)
		s.tries(5, 0, cafe, "2002", wrongPass)
		s.tries(5, 0, thief, "2001", wrongPass)
	}
	lock()
	if l := s.a.Locked(s.at); len(l) != 3 || l[0].Scope != "line" || l[0].Level != 1 || !l[0].Line || l[0].Failures != 5 || !l[0].Until.Equal(s.at.Add(15*time.Minute)) {
		t.Errorf("%+v", l)
	}
	if s.a.Release("2003", "op", s.at) || s.a.Release("192.0.2.1", "op", s.at) || s.a.Release("", "op", s.at) {
		t.Error("released what there was not")
	}
	if !s.a.Release(cafe, "op", s.at) {
		t.Error("nothing released")
	}
	s.in(cafe, "2001")
	s.in(cafe, "2002")
	s.out(thief, "2001")
	if !s.a.Release("2001", "op", s.at) || len(s.a.Locked(s.at)) != 0 {
		t.Errorf("left: %+v", s.a.Locked(s.at))
	}
	s.in(thief, "2001")
	f := s.want(fact.KindLoginReleased, 2)
	if f[0].body.Source != cafe || f[0].body.By != "op" || f[1].line != "2001" {
		t.Errorf("%+v", f)
	}
	if fmt.Sprint(s.told(fact.KindLoginLocked)) == "" {
		t.Error("no facts")
	}
}

// TestOff: without lock-outs anybody may try for ever, as e2e shows with svcrack.
func TestOff(t *testing.T) {
	s := newScene(t, func(o *Options) { o.Lockout.Off = true })
	s.tries(1000, 0, thief, "2001", wrongPass)
	s.in(thief, "2001")
	if got := s.try(thief, "2099", rightPass); got != wrongAnswer {
		t.Errorf("the honeypot: %+v", got)
	}
	s.a.tick(s.at, true)
	if len(s.facts)+len(s.bans) > 0 {
		t.Error(s.facts, s.bans)
	}
}

// TestClockSteps: neither a step of the wall clock nor a login judged late ends or prolongs a lock-out.
func TestClockSteps(t *testing.T) {
	s := newScene(t)
	s.tries(5, 0, thief, "2001", wrongPass)
	s.pass(-time.Minute) // a goroutine overtaken
	if got := s.try(thief, "2001", wrongPass); got.Outcome == Accept {
		t.Error(got)
	}
	s.pass(time.Minute)
	s.out(thief, "2001")
	s.pass(15 * time.Minute)
	s.in(thief, "2001")
}

// TestRun tells facts by itself, within a second or two, and ends.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.a.Run(ctx); close(done) }()
		s.tries(5, 0, thief, "2001", "1234"+strings.Repeat(" ", 3))
		count := func() (locked, failed int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, f := range s.facts {
				switch f.Kind {
				case fact.KindLoginLocked:
					locked++
				case fact.KindLoginFailed:
					failed++
				}
			}
			return locked, failed
		}
		<-time.After(1100 * time.Millisecond)
		synctest.Wait()
		if locked, failed := count(); locked != 1 || failed != 0 {
			t.Errorf("after a second: %d, %d", locked, failed)
		}
		<-time.After(10 * time.Second)
		synctest.Wait()
		if locked, failed := count(); locked != 1 || failed != 1 {
			t.Errorf("after ten: %d, %d", locked, failed)
		}
		cancel()
		<-done
	})
}
