package guard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ringfence/core/fact"
	"ringfence/flow/keep"
)

// kept is an Auth over one file, which start makes anew as a restart does; what it logs adds up.
type kept struct {
	*scene
	file string
	log  *bytes.Buffer
	with []func(*Options)
}

func newKept(t *testing.T, with ...func(*Options)) *kept {
	t.Helper()
	k := &kept{file: filepath.Join(t.TempDir(), "lockouts"), log: &bytes.Buffer{}, with: with}
	k.scene = newScene(t, append(with, k.options)...)
	return k
}

func (k *kept) options(o *Options) {
	o.File, o.Log = k.file, slog.New(slog.NewTextHandler(k.log, nil))
}

// stop ends it in order, crash without a word. Then it starts again at this moment.
func (k *kept) stop() {
	k.t.Helper()
	k.a.save(k.at)
	k.crash()
}

func (k *kept) crash() {
	k.t.Helper()
	if wait := time.Until(k.at); wait > 0 {
		<-time.After(wait) // the bubble's clock
	}
	k.again()
}

// again starts it at whatever the clock says.
func (k *kept) again() { k.scene = newScene(k.t, append(k.with, k.options)...) }

// bubble runs a test in which weeks pass at once.
func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// TestRestartKeepsLockouts of each scope, and how often there were any: waiting for a restart wins a guesser nothing.
func TestRestartKeepsLockouts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKept(t, func(o *Options) { o.Around.ASN = func(netip.Addr) uint32 { return 64496 } })
		k.tries(5, time.Second, cafe, "2001", wrongPass)
		k.tries(5, time.Second, "2001:db8:1:2::7", "nobody", wrongPass)
		for i := range 20 {
			k.tries(1, 0, thief, fmt.Sprintf("30%03d", i), wrongPass)
		}
		for i := range 60 {
			k.tries(1, 0, fmt.Sprintf("192.0.0.%d", i), fmt.Sprintf("31%03d", i), wrongPass)
		}
		for i := range 250 {
			k.tries(1, 0, fmt.Sprintf("10.%d.0.1", i), fmt.Sprintf("32%03d", i), wrongPass)
		}
		before := k.a.Locked(k.at)
		if len(before) != 5 {
			t.Fatalf("%+v", before)
		}
		k.stop()
		if after := k.a.Locked(k.at); !slices.Equal(after, before) {
			t.Errorf("before\n%+v\nafter\n%+v", before, after)
		}
		if !strings.Contains(k.log.String(), "in force again") {
			t.Errorf("nobody heard: %s", k.log)
		}
		k.out(cafe, "2001")
		k.in(office, "2001")
		k.pass(15 * time.Minute)
		k.stop()
		k.tries(5, 0, cafe, "2001", wrongPass)
		if f := k.want(fact.KindLoginLocked, 1)[0].body; f.Level != 2 || f.Until.Sub(k.at).Round(time.Minute) != 30*time.Minute {
			t.Errorf("the second lock-out, after two restarts: %+v", f)
		}
		k.pass(25 * time.Hour)
		k.stop()
		if text, _ := os.ReadFile(k.file); len(k.a.Locked(k.at)) != 0 || strings.Contains(string(text), "line/") {
			t.Errorf("a day later: %+v\n%s", k.a.Locked(k.at), text)
		}
	})
}

// TestRestartKeepsWeeks: a line guessed at slowly is as wary after a restart as before it, from the first try on.
func TestRestartKeepsWeeks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKept(t)
		for day := range 21 {
			for i := range 9 {
				k.tries(1, 2*time.Hour, fmt.Sprintf("10.%d.%d.1", day, i), "2001", wrongPass)
			}
			k.pass(6 * time.Hour)
			k.stop()
		}
		k.want(fact.KindLoginSiege, 0)
		for i := range 11 {
			k.tries(1, time.Minute, fmt.Sprintf("10.99.%d.1", i), "2001", wrongPass)
		}
		k.in(cafe, "2001") // each has one try
		k.want(fact.KindLoginSiege, 1)
		k.stop()
		if l := k.a.Locked(k.at); len(l) != 1 || l[0].Scope != "strangers" || l[0].User != "2001" || !l[0].Line || l[0].Failures != 11 {
			t.Errorf("%+v", l)
		}
		k.tries(1, 0, cafe, "2001", wrongPass)
		k.out(cafe, "2001")
		k.in(office, "2001")
		k.in(thief, "2001")
		k.want(fact.KindLoginSiege, 0) // it was told today
		k.pass(29 * 24 * time.Hour)
		k.stop()
		k.tries(1, 0, thief, "2001", wrongPass)
		k.in(thief, "2001")
	})
}

// TestCrash: a lock-out is on the disk within two seconds, a count of wrong tries within a minute.
func TestCrash(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKept(t)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer func() { cancel(); wg.Wait() }()
		wg.Go(func() { k.a.Run(ctx) })
		after := func(d time.Duration) *scene {
			<-time.After(d)
			synctest.Wait()
			k.at = time.Now()
			return newScene(t, k.options)
		}
		k.tries(31, 0, thief, "2002", wrongPass)
		for i := range 31 {
			k.tries(1, 0, fmt.Sprintf("10.1.%d.1", i), "2001", wrongPass)
		}
		two := after(2100 * time.Millisecond)
		two.out(thief, "2002")
		two.tries(1, 0, cafe, "2001", wrongPass)
		two.out(cafe, "2001")
		for i := range 31 {
			k.tries(1, 0, fmt.Sprintf("10.2.%d.1", i), "2002", wrongPass)
		}
		minute := after(time.Minute)
		minute.tries(1, 0, cafe, "2002", wrongPass)
		minute.out(cafe, "2002")
		if info, err := os.Stat(k.file); err != nil || info.Mode().Perm() != 0o600 {
			t.Error(info, err)
		}
		k.a.Release("2001", "op", k.at) // is there at once
		now := newScene(t, k.options)
		now.tries(1, 0, cafe, "2001", wrongPass)
		now.in(cafe, "2001")
		now.out(thief, "2002")
	})
}

// TestClocks: one that was put back, or forward, or stepped while we ran, neither ends a lock-out early nor makes it longer.
func TestClocks(t *testing.T) {
	t.Run("back", func(t *testing.T) {
		k := newKept(t)
		k.pass(365 * 24 * time.Hour) // and then the clock will be put right
		k.tries(5, 0, cafe, "2001", wrongPass)
		k.pass(10 * time.Minute)
		k.a.save(k.at)
		k.again()
		k.out(cafe, "2001")
		k.pass(5*time.Minute - time.Second)
		k.out(cafe, "2001")
		k.pass(2 * time.Second)
		k.in(cafe, "2001")
		k.tries(5, 0, cafe, "2001", wrongPass)
		if f := k.want(fact.KindLoginLocked, 1)[0].body; f.Level != 2 {
			t.Errorf("%+v", f)
		}
	})
	t.Run("forward", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			k := newKept(t)
			k.tries(5, 0, cafe, "2001", wrongPass)
			k.a.save(k.at)
			k.pass(50 * 365 * 24 * time.Hour)
			k.crash()
			k.in(cafe, "2001")
		})
	})
	t.Run("stepped", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			k := newKept(t)
			k.tries(5, 0, cafe, "2001", wrongPass)
			const step = 1000 * time.Hour
			at := k.a.Seconds(k.at)
			_, err := keep.Replace(k.file, func(w io.Writer) error { return k.a.writeKept(w, at, at+int64(step/time.Second)) })
			if err != nil {
				t.Fatal(err)
			}
			k.pass(step + 14*time.Minute)
			k.crash()
			k.out(cafe, "2001")
			k.pass(time.Minute)
			k.in(cafe, "2001")
		})
	})
}

// TestWrongFiles are named and set aside, and the start goes on.
func TestWrongFiles(t *testing.T) {
	k := newKept(t)
	k.tries(5, 0, cafe, "2001", wrongPass)
	k.stop()
	k.out(cafe, "2001")
	good, err := os.ReadFile(k.file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text []byte) func() error { return func() error { return os.WriteFile(k.file, text, 0o600) } }
	flipped := bytes.Clone(good)
	flipped[len(keptHead)+30] ^= 1
	for name, make := range map[string]func() error{
		"empty":              write(nil),
		"cut short":          write(good[:len(good)-9]),
		"half":               write(good[:len(good)/2]),
		"a flipped bit":      write(flipped),
		"longer":             write(append(bytes.Clone(good), '\n')),
		"foreign":            write([]byte("PK\x03\x04")),
		"of a later version": write(bytes.Replace(good, []byte("lockouts 1"), []byte("lockouts 2"), 1)),
		"no JSON":            write(sealed("1\nx\n")),
		"other rows":         write(sealed("1\n{\"level\":-1}\n")),
		"no time":            write(sealed("{}\n")),
		"a folder":           func() error { return os.Mkdir(k.file, 0o700) },
		"a pipe":             func() error { return unix.Mkfifo(k.file, 0o600) },
		"huge":               func() error { return errors.Join(write(nil)(), os.Truncate(k.file, maxKept+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := errors.Join(os.RemoveAll(k.file), os.RemoveAll(k.file+".damaged"), make()); err != nil {
				t.Fatal(err)
			}
			k.log.Reset()
			k.crash()
			k.in(cafe, "2001")
			if _, err := os.Lstat(k.file + ".damaged"); err != nil || !strings.Contains(k.log.String(), k.file) {
				t.Error(err, k.log)
			}
			k.tries(5, 0, cafe, "2001", wrongPass)
			k.stop()
			k.out(cafe, "2001")
		})
	}
}

// sealed is a file with a right checksum.
func sealed(rows string) []byte {
	text := []byte(keptHead + rows)
	return fmt.Appendf(text, "%x\n", sha256.Sum256(text))
}

// TestNoRoom: what cannot be written is said once, and again when it goes; logins are judged all the same.
func TestNoRoom(t *testing.T) {
	k := newKept(t)
	folder := filepath.Dir(k.file)
	k.log.Reset()
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	k.tries(5, 0, cafe, "2001", wrongPass)
	for range 5 {
		k.a.save(k.at)
	}
	k.out(cafe, "2001")
	if n := strings.Count(k.log.String(), "\n"); n != 1 || !strings.Contains(k.log.String(), "cannot be kept") {
		t.Errorf("%d lines: %s", n, k.log)
	}
	if k.a.keeper.due(k.at.Add(10 * time.Second)) {
		t.Error("tried again and again")
	}
	if err := os.Mkdir(folder, 0o700); err != nil || !k.a.keeper.due(k.at.Add(keepEvery)) {
		t.Error(err)
	}
	k.stop()
	k.out(cafe, "2001")
	if !strings.Contains(k.log.String(), "kept for the next start again") {
		t.Error(k.log)
	}
}

// TestKeptIsBounded: whatever an attack brings, the file has a bound, nothing of it is too large to be read again, and the
// larger it is the less often it is written.
func TestKeptIsBounded(t *testing.T) {
	k := newKept(t)
	g, at := k.a, k.a.Seconds(k.at)
	for scope := range numScopes {
		for i := range uint64(1 << 17) {
			p := g.tables[scope].lock(key{hi: math.MaxUint64 - i, lo: math.MaxUint64 - i, user: i})
			s := p.make(at)
			s.e.until, s.e.last, s.e.level, s.e.round, s.e.known, s.e.usual = at+1000, at, 250, 250, true, true
			s.e.day.add(50_000, at, secondsADay)
			if scope == ofPair {
				s.e.name = strings.Repeat("\"", userMax)
			}
			s.keep = s.e.worth(&g.l)
			p.unlock()
		}
	}
	for i := range uint64(1 << 16) {
		p := g.targets.lock(key{user: i})
		s := p.make(at)
		s.e.turn(at)
		for day := range s.e.days {
			s.e.days[day] = 32_768
		}
		s.e.name, s.e.known, s.e.guessed, s.e.lifted, s.e.others = strings.Repeat("\\", userMax), true, at, at, [2]int{math.MaxUint32, math.MaxUint32}
		s.keep = s.e.worth(at)
		p.unlock()
	}
	g.keeper.soon()
	k.a.save(k.at)
	info, err := os.Stat(k.file)
	if err != nil || info.Size() > 24<<20 || info.Size() < 20<<20 {
		t.Fatal(info.Size(), err)
	}
	t.Logf("%d bytes", info.Size())
	g.keeper.soon()
	if pause := time.Duration(info.Size()/keptPace) * time.Second; g.keeper.due(k.at.Add(pause-time.Second)) || !g.keeper.due(k.at.Add(pause+time.Second)) {
		t.Errorf("not due after %v", pause)
	}
	k.crash()
	if n := len(k.a.Locked(k.at)); n < 30_000 {
		t.Errorf("%d lock-outs came back", n)
	}
}

// TestRestartAmongNodes: who is locked out is what all nodes know, and what the file knows until they are heard; a release
// while this one was away counts, and how a line is guessed at is known from the first try on.
func TestRestartAmongNodes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPool()
		x, y, settle := nodes(t, p)
		k := newKept(t, func(o *Options) {
			o.Around.Counters, o.Around.Lasting = p, true
			o.NonceKey = bytes.Repeat([]byte("k"), 32)
		})
		k.tries(5, 0, cafe, "2001", wrongPass)
		k.tries(5, 0, thief, "2001", wrongPass)
		for i := range 20 {
			k.tries(1, 0, fmt.Sprintf("10.1.%d.1", i), "2002", wrongPass)
			x.tries(1, 0, fmt.Sprintf("10.2.%d.1", i), "2002", wrongPass)
		}
		settle()
		k.a.shareOnce(t.Context(), k.at)
		settle()
		k.a.save(k.at)
		if !y.a.Release(cafe, "op", y.at) {
			t.Error("nothing to release")
		}
		settle()
		k.at = time.Now()
		p.down.Store(true)
		k.crash()
		k.out(thief, "2001") // as far as it knows
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { k.a.Run(ctx) })
		settle()
		k.at = time.Now()
		k.out(thief, "2001")
		cancel()
		wg.Wait()
		p.down.Store(false)
		k.crash()
		k.tries(1, 0, "10.3.1.1", "2002", wrongPass)
		k.out("10.3.1.1", "2002")
		k.out(thief, "2001")
		ctx, cancel = context.WithCancel(t.Context())
		defer func() { cancel(); wg.Wait() }()
		wg.Go(func() { k.a.Run(ctx) })
		settle()
		k.at = time.Now()
		k.in(cafe, "2001")
		k.out(thief, "2001")
	})
}

// FuzzKept: whatever stands in a file, the start goes on, and nobody is locked out for longer than the longest.
func FuzzKept(f *testing.F) {
	f.Add([]byte("1763900000\n{\"name\":\"line/192.0.2.7/2001\",\"until\":1763903600,\"last\":1763900000,\"level\":2,\"tries\":9}\n"))
	f.Add([]byte("99999999999\n{\"name\":\"strangers/2001\",\"until\":99999999999,\"days\":[1,0,300],\"told\":true,\"others\":[1,2]}\n"))
	f.Add([]byte("-1\n{\"name\":\"as/64496\",\"until\":-9223372036854775808,\"last\":9223372036854775807,\"level\":1,\"tries\":-5}\n"))
	const at = 1_763_900_100
	f.Fuzz(func(t *testing.T, rows []byte) {
		saved, list, err := parseKept(sealed(string(rows)), nil)
		if err != nil {
			return
		}
		g := &Guard{}
		g.init(Lockout{}, Around{})
		g.takeBack(saved, list, at)
		for scope := range numScopes {
			g.tables[scope].each(func(s *slot[suspect]) {
				if s.e.until > at+24*3600 || s.keep > at+48*3600 {
					t.Errorf("%+v", s)
				}
			})
		}
		var again bytes.Buffer
		if err := g.writeKept(&again, at, at); err != nil {
			t.Fatal(err)
		}
		if _, _, err := parseKept(again.Bytes(), nil); err != nil {
			t.Errorf("what we wrote: %v\n%s", err, again.Bytes())
		}
	})
}

// TestReleaseHolds: what nodes counted together before a release by hand counts for nothing after it.
func TestReleaseHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y, settle := nodes(t, newPool())
		x.tries(4, 0, cafe, "2001", wrongPass)
		settle() // all have heard of four
		x.tries(1, 0, cafe, "2001", wrongPass)
		for i := range 60 {
			x.tries(1, 0, fmt.Sprintf("10.%d.1.1", i), "2002", wrongPass)
		}
		settle()
		y.tries(1, 0, "10.99.1.1", "2002", wrongPass)
		settle()
		x.out(cafe, "2001")
		x.out("10.100.1.1", "2002")
		y.out("10.100.1.1", "2002")
		x.a.Release("2001", "op", x.at)
		x.a.Release("2002", "op", x.at)
		settle()
		for i, s := range []*scene{x, y} {
			s.in(cafe, "2001")
			s.in("10.100.1.1", "2002")
			from := fmt.Sprintf("10.101.1.%d", i)
			s.tries(1, 0, cafe, "2001", wrongPass)
			s.tries(1, 0, from, "2002", wrongPass)
		}
		settle()
		for i, s := range []*scene{x, y} {
			s.in(cafe, "2001")
			s.in(fmt.Sprintf("10.101.1.%d", i), "2002")
		}
		z, _, settle := nodes(t, x.a.around.Counters.(*pool)) // one that starts later knows of it
		settle()
		z.tries(1, 0, "10.102.1.1", "2002", wrongPass)
		settle()
		z.in("10.102.1.1", "2002")
		z.in("10.103.1.1", "2002")
	})
}
