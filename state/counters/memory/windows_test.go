package memory

import (
	"sync"
	"testing"
	"time"

	"ringfence/state/counters"
)

var t0 = time.Unix(1_700_000_000, 0)

func TestTheOldestWindowsGiveWay(t *testing.T) {
	w := NewWindows(64 * 16)
	mine := w.KeyString("used all the time")
	for i := range 100_000 {
		w.Add(uint64(i), 1, time.Hour, t0) // keys that follow each other must not share a shard
		w.Add(mine, 1, time.Hour, t0)
	}
	if n := w.Len(); n > 64*16 || n < 64*12 {
		t.Fatalf("%d windows kept, want about %d", n, 64*16)
	}
	if n := w.Sum(mine, t0); n != 100_000 {
		t.Fatalf("the one in use gave way: %d", n)
	}
	if w.Sum(0, t0) != 0 || w.Sum(99_999, t0) != 1 {
		t.Fatal("not the oldest gave way")
	}
	rings(t, w)
}

func TestWindowsThatHaveRunOutGo(t *testing.T) {
	w := NewWindows(1 << 16)
	for i := range 10_000 {
		w.Add(uint64(i), 1, time.Second, t0)
	}
	const live = 3200 // some 50 a shard, so that no shard has none
	for i := range 100 * live {
		w.Add(uint64(20_000+i%live), 1, time.Second, t0.Add(time.Minute))
	}
	if n := w.Len(); n != live {
		t.Fatalf("%d windows, want the %d in use", n, live)
	}
	rings(t, w)
	w.Sweep(t0.Add(time.Hour))
	if n := w.Len(); n != 0 {
		t.Fatalf("%d left after the sweep", n)
	}
	rings(t, w)
}

func TestForget(t *testing.T) {
	w := NewWindows(0)
	a, b := w.Key([]byte("a")), w.KeyString("b")
	w.Add(a, 3, time.Minute, t0)
	w.Add(b, 4, time.Minute, t0)
	w.Forget(a)
	w.Forget(a)
	if w.Sum(a, t0) != 0 || w.Sum(b, t0) != 4 || w.Len() != 1 {
		t.Fatal(w.Sum(a, t0), w.Sum(b, t0), w.Len())
	}
	if n := w.Add(w.KeyString("a"), 1, time.Minute, t0); n != 1 {
		t.Fatalf("after it was forgotten: %d", n)
	}
	rings(t, w)
}

func TestAKnownKeyCostsNoMemory(t *testing.T) {
	w, now := NewWindows(0), t0
	w.Add(w.KeyString("a"), 1, time.Minute, now)
	if n := testing.AllocsPerRun(100, func() {
		now = now.Add(time.Second)
		w.Add(w.KeyString("a"), 1, time.Minute, now)
		w.Sum(w.KeyString("b"), now)
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestWindowsUnderRace(t *testing.T) {
	w := NewWindows(64)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 3000 {
				key := uint64(i*(g+1)) % 200
				w.Add(key, 1, time.Millisecond, t0.Add(time.Duration(i)*time.Microsecond))
				w.Sum(key+1, t0)
				if i%7 == 0 {
					w.Forget(key)
				}
			}
		})
	}
	wg.Wait()
	rings(t, w)
}

// TestALimitHoldsOverAClockPutBack: a limit neither vanishes with a small step back nor stays for ever after a large one.
func TestALimitHoldsOverAClockPutBack(t *testing.T) {
	c := NewBounded(1000)
	now := t0.Add(time.Hour)
	for range 3 {
		c.Hit(Key{Of: "k", Window: time.Minute}, 3, now)
	}
	if _, ok := c.Hit(Key{Of: "k", Window: time.Minute}, 3, now.Add(-30*time.Second)); ok {
		t.Fatal("half a span back, and the limit is gone")
	}
	if _, ok := c.Hit(Key{Of: "k", Window: time.Minute}, 3, t0); !ok {
		t.Fatal("an hour back, and still refused")
	}
	if _, ok := c.Hit(Key{Of: "none", Window: time.Minute}, 0, now); ok {
		t.Fatal("a limit of none let one through")
	}
}

func TestTheMarkThatEndsFirstGivesWay(t *testing.T) {
	e := NewEngine(Options{MaxMarks: 100})
	for i := range 1000 {
		m := counters.Mark{Table: "t", Key: string(rune('a' + i)), Until: t0.Add(time.Duration(i*7919%1000+1) * time.Second)}
		if err := e.Put(t.Context(), t0, m); err != nil {
			t.Fatal(err)
		}
	}
	got, err := e.Marks(t.Context(), "t", t0)
	if err != nil || len(got) != 100 {
		t.Fatal(len(got), err)
	}
	for _, m := range got {
		if m.Until.Before(t0.Add(901 * time.Second)) {
			t.Fatalf("%v was kept before later ones", m)
		}
	}
	// What has ended is not kept for long: the next write finds it.
	if err := e.Put(t.Context(), t0.Add(time.Hour), counters.Mark{Table: "t", Key: "new", Until: t0.Add(2 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if n := len(e.table("t").index); n != 1 {
		t.Fatalf("%d kept", n)
	}
}

// rings checks that each shard's index, ring and free list hold each place once.
func rings(t *testing.T, w *Windows) {
	t.Helper()
	for i := range w.shards {
		s := &w.shards[i]
		used, free := 0, 0
		for at := s.all[0].next; at != 0 && used <= len(s.all); at = s.all[at].next {
			if s.index[s.all[at].key] != at || s.all[s.all[at].next].newer != at {
				t.Fatalf("shard %d, place %d is out of order", i, at)
			}
			used++
		}
		for at := s.free; at != 0 && free <= len(s.all); at = s.all[at].next {
			free++
		}
		if used != len(s.index) || used+free != len(s.all)-1 || len(s.all)-1 > s.max {
			t.Fatalf("shard %d: %d in use, %d free, %d in the index, %d places", i, used, free, len(s.index), len(s.all)-1)
		}
	}
}

func BenchmarkWindowsAdd(b *testing.B) {
	w := NewWindows(0)
	keys := make([]uint64, 1<<16)
	for i := range keys {
		keys[i] = w.KeyString(string(rune(i)))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		w.Add(keys[i&(len(keys)-1)], 1, time.Minute, t0)
		i++
	}
}

// BenchmarkWindowsFull is a flood of new keys into full windows: each makes the oldest give way.
func BenchmarkWindowsFull(b *testing.B) {
	w := NewWindows(0)
	for i := range uint64(DefaultWindows) {
		w.Add(i, 1, time.Hour, t0)
	}
	b.ReportAllocs()
	i := uint64(DefaultWindows)
	for b.Loop() {
		w.Add(i, 1, time.Hour, t0)
		i++
	}
}

func BenchmarkEngineAdd4(b *testing.B) {
	e := NewEngine(Options{})
	hits := []counters.Hit{{Key: "a:192.0.2.1", N: 1, Span: time.Minute}, {Key: "l:2001", N: 1, Span: time.Minute}, {Key: "n:192.0.2.0/24", N: 1, Span: time.Minute}, {Key: "al:192.0.2.1:2001", N: 1, Span: time.Minute}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Add(b.Context(), t0, hits...); err != nil {
			b.Fatal(err)
		}
	}
}
