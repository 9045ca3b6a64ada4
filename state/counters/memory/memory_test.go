package memory

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestTakeNeverPassesTheLimitUnderRace(t *testing.T) {
	c := New()
	var taken, most atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 200 {
				n, ok := c.Take(Key{Of: "line"}, 10)
				if !ok {
					continue
				}
				taken.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				c.Give(Key{Of: "line"})
			}
		})
	}
	wg.Wait()
	if most.Load() > 10 || taken.Load() == 0 {
		t.Fatalf("open at most %d, taken %d", most.Load(), taken.Load())
	}
	if c.Open(Key{Of: "line"}) != 0 {
		t.Fatalf("%d left open", c.Open(Key{Of: "line"}))
	}
}

func TestGiveOfNothingIsNothing(t *testing.T) {
	// opensips#2079: a counter that read 4294967295.
	c := New()
	c.Give(Key{Of: "line"})
	if _, ok := c.Take(Key{Of: "line"}, 1); !ok || c.Open(Key{Of: "line"}) != 1 {
		t.Fatal("a stray give changed the count")
	}
	if _, ok := c.Take(Key{Of: "line"}, 1); ok {
		t.Fatal("took past the limit")
	}
}

func TestHitSlides(t *testing.T) {
	c, t0 := New(), time.Unix(1_700_000_000, 0)
	for i := range 5 {
		if _, ok := c.Hit(Key{Of: "l", Window: time.Minute}, 5, t0.Add(time.Duration(i)*10*time.Second)); !ok {
			t.Fatalf("hit %d refused", i)
		}
	}
	if n, ok := c.Hit(Key{Of: "l", Window: time.Minute}, 5, t0.Add(59*time.Second)); ok || n != 5 {
		t.Fatalf("sixth in a minute: %d %v", n, ok)
	}
	if n, ok := c.Hit(Key{Of: "l", Window: time.Minute}, 5, t0.Add(61*time.Second)); ok {
		t.Fatalf("a burst across the boundary passed with %d", n)
	}
	if _, ok := c.Hit(Key{Of: "l", Window: time.Minute}, 5, t0.Add(90*time.Second)); !ok {
		t.Fatal("half of the earlier span must count for half")
	}
	c.Sweep(t0.Add(10 * time.Minute))
	if n := c.Hits(Key{Of: "l", Window: time.Minute}, t0.Add(10*time.Minute)); n != 0 {
		t.Fatalf("%d remembered after the sweep", n)
	}
}

// TestAQuestionAboutTheFarFuture: asked first of all, it set the windows' zero, and from then on no hit was ever forgotten.
func TestAQuestionAboutTheFarFuture(t *testing.T) {
	c, now := New(), time.Now()
	if n := c.Hits(Key{Of: "k", Window: time.Minute}, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)); n != 0 {
		t.Fatal(n)
	}
	for range 3 {
		if n, ok := c.Hit(Key{Of: "k", Window: time.Minute}, 1, now); n != 1 || !ok {
			t.Fatal(n, ok)
		}
		now = now.Add(2 * time.Minute)
	}
}
