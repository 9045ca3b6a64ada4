// Package countertest is the one conformance suite of the counters' engines, without opt-outs. It is for tests only and
// must not be imported by the product.
package countertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/state/counters"
)

// Start is when most tests play; it is nobody's clock.
var Start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Run proves the contract; open gives an empty engine, and closes it with the test.
func Run(t *testing.T, open func(t *testing.T) counters.Counters) {
	for name, f := range map[string]func(*testing.T, counters.Counters){
		"windows slide":              slides,
		"a burst across the seam":    seam,
		"asking counts nothing":      asking,
		"many keys in one step":      together,
		"clocks that differ":         skewed,
		"other spans":                otherSpan,
		"any time":                   anyTime,
		"huge counts":                huge,
		"no count is lost in a race": race,
		"bounds of hits":             hitBounds,
		"marks end":                  marksEnd,
		"never shortened":            neverShortened,
		"dropped":                    dropped,
		"any bytes":                  anyBytes,
		"bounds of marks":            markBounds,
		"many marks":                 manyMarks,
		"tables apart":               tablesApart,
		"follow":                     follow,
		"a slow follower":            slowFollower,
		"ended context":              endedContext,
	} {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

func add1(t *testing.T, c counters.Counters, key string, n int64, span time.Duration, now time.Time) int64 {
	t.Helper()
	sums, err := c.Add(t.Context(), now, counters.Hit{Key: key, N: n, Span: span})
	if err != nil || len(sums) != 1 {
		t.Fatal(sums, err)
	}
	return sums[0]
}

func slides(t *testing.T, c counters.Counters) {
	for _, step := range []struct {
		at      time.Duration
		n, want int64
	}{
		{0, 1, 1},
		{10 * time.Second, 3, 4},
		{59 * time.Second, 0, 4},
		{60 * time.Second, 0, 4},  // the whole earlier span still counts
		{75 * time.Second, 0, 3},  // three quarters of it
		{90 * time.Second, 1, 3},  // half of 4, and the new one
		{100 * time.Second, 0, 3}, // a third of 4, rounded up, and one
		{120 * time.Second, 0, 1}, // the first span is over
		{150 * time.Second, 0, 1}, // half of one, rounded up
		{180 * time.Second, 0, 0}, // nothing is left
		{400 * time.Second, 2, 2}, // begins again
		{400*time.Second + 24*time.Hour, 0, 0},
	} {
		if got := add1(t, c, "k", step.n, time.Minute, Start.Add(step.at)); got != step.want {
			t.Errorf("after %v: %d, want %d", step.at, got, step.want)
		}
	}
}

// seam: what an exact window counts in the running half is never lost at a boundary.
func seam(t *testing.T, c counters.Counters) {
	var last int64
	for i := range 20 {
		last = add1(t, c, "k", 1, time.Minute, Start.Add(59500*time.Millisecond+time.Duration(i)*50*time.Millisecond))
	}
	if last != 20 {
		t.Fatalf("20 within a second count %d", last)
	}
	add1(t, c, "other", 10, time.Minute, Start)
	if c2 := add1(t, c, "other", 10, time.Minute, Start.Add(61*time.Second)); c2 < 19 {
		t.Fatalf("10, and 10 a minute later, count %d: a burst passed the boundary", c2)
	}
}

func asking(t *testing.T, c counters.Counters) {
	for range 3 {
		if n := add1(t, c, "k", 0, time.Minute, Start); n != 0 {
			t.Fatalf("asking counted %d", n)
		}
	}
	add1(t, c, "k", 2, time.Minute, Start.Add(30*time.Second))
	// Had asking begun the window, it would have turned over by now.
	if n := add1(t, c, "k", 0, time.Minute, Start.Add(90*time.Second)); n != 2 {
		t.Fatalf("%d, want 2", n)
	}
}

func together(t *testing.T, c counters.Counters) {
	hits := []counters.Hit{{Key: "a", N: 1, Span: time.Minute}, {Key: "b", N: 5, Span: time.Hour}, {Key: "a", N: 2, Span: time.Minute}, {Key: "c", Span: time.Second}}
	for round, want := range [][]int64{{1, 5, 3, 0}, {4, 10, 6, 0}} {
		got, err := c.Add(t.Context(), Start, hits...)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("round %d: %v %v, want %v", round, got, err, want)
		}
	}
	if got, err := c.Add(t.Context(), Start); err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
}

// skewed: a node whose clock is behind must not make the others' counts vanish.
func skewed(t *testing.T, c counters.Counters) {
	for i, back := range []time.Duration{0, counters.Skew, 0, counters.Skew / 2} {
		if n := add1(t, c, "short", 1, 100*time.Millisecond, Start.Add(-back)); n != int64(i+1) {
			t.Fatalf("hit %d, %v behind, counts %d", i+1, back, n)
		}
	}
	add1(t, c, "long", 3, time.Hour, Start)
	if n := add1(t, c, "long", 0, time.Hour, Start.Add(-59*time.Minute)); n != 3 {
		t.Fatalf("%d, want 3", n)
	}
	// A clock that was far ahead and was put right must not freeze a count until then.
	if n := add1(t, c, "long", 1, time.Hour, Start.Add(-2*time.Hour)); n != 1 {
		t.Fatalf("%d, want 1", n)
	}
}

func otherSpan(t *testing.T, c counters.Counters) {
	add1(t, c, "k", 4, time.Minute, Start)
	if n := add1(t, c, "k", 1, time.Hour, Start.Add(30*time.Second)); n != 5 {
		t.Fatalf("another span lost counts: %d", n)
	}
	if n := add1(t, c, "k", 1, time.Second, Start.Add(61*time.Second)); n < 1 {
		t.Fatalf("%d", n)
	}
	if n := add1(t, c, "k", 1, time.Second, Start.Add(70*time.Second)); n != 1 {
		t.Fatalf("the new span does not hold: %d", n)
	}
}

// anyTime: now is an argument, and need not be near the clock of this machine or of a server.
func anyTime(t *testing.T, c counters.Counters) {
	for _, now := range []time.Time{{}, time.Unix(0, 0), time.Date(1905, 1, 2, 3, 4, 5, 6, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		key := now.String()
		add1(t, c, key, 2, time.Minute, now)
		if n := add1(t, c, key, 1, time.Minute, now.Add(20*time.Second)); n != 3 {
			t.Errorf("%v: %d, want 3", now, n)
		}
	}
	for i, now := range []time.Time{time.Date(1905, 1, 2, 3, 4, 5, 6e3, time.UTC), time.Unix(0, 0).UTC(), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)} {
		table := fmt.Sprint("t", i)
		put(t, c, now, counters.Mark{Table: table, Key: "k", Until: now.Add(time.Hour)})
		if got := marks(t, c, table, now.Add(59*time.Minute)); len(got) != 1 || !got[0].Until.Equal(now.Add(time.Hour)) {
			t.Errorf("%v: %v", now, got)
		}
		if got := marks(t, c, table, now.Add(time.Hour)); len(got) != 0 {
			t.Errorf("%v: ended and there: %v", now, got)
		}
	}
	put(t, c, Start, counters.Mark{Table: "ever", Key: "k", Until: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)})
	if got := marks(t, c, "ever", Start.AddDate(200, 0, 0)); len(got) != 1 {
		t.Errorf("for ever is not: %v", got)
	}
}

func huge(t *testing.T, c counters.Counters) {
	for range 3 {
		if n := add1(t, c, "k", math.MaxInt64, time.Minute, Start); n != counters.MaxCount {
			t.Fatalf("%d, want it to stop at %d", n, int64(counters.MaxCount))
		}
	}
	if n := add1(t, c, "k", 0, time.Minute, Start.Add(time.Minute)); n != counters.MaxCount {
		t.Fatalf("as the earlier half: %d", n)
	}
	add1(t, c, "long", 1e9, counters.MaxSpan, Start)
	if n := add1(t, c, "long", 0, counters.MaxSpan, Start.Add(counters.MaxSpan*3/2)); n != 5e8 {
		t.Fatalf("half of 10⁹ is %d", n)
	}
}

func race(t *testing.T, c counters.Counters) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := c.Add(t.Context(), Start, counters.Hit{Key: "a", N: 1, Span: time.Hour}, counters.Hit{Key: "b", N: 2, Span: time.Hour}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if a, b := add1(t, c, "a", 0, time.Hour, Start), add1(t, c, "b", 0, time.Hour, Start); a != 400 || b != 800 {
		t.Fatalf("%d and %d, want 400 and 800", a, b)
	}
}

func hitBounds(t *testing.T, c counters.Counters) {
	good := counters.Hit{Key: "k", N: 1, Span: time.Minute}
	for name, hits := range map[string][]counters.Hit{
		"no key":     {good, {N: 1, Span: time.Minute}},
		"long key":   {good, {Key: strings.Repeat("k", counters.MaxKey+1), N: 1, Span: time.Minute}},
		"negative":   {good, {Key: "k", N: -1, Span: time.Minute}},
		"no span":    {good, {Key: "k", N: 1}},
		"short span": {good, {Key: "k", N: 1, Span: time.Microsecond}},
		"long span":  {good, {Key: "k", N: 1, Span: math.MaxInt64}},
		"too many":   slices.Repeat([]counters.Hit{good}, counters.MaxHits+1),
	} {
		if _, err := c.Add(t.Context(), Start, hits...); !errors.Is(err, counters.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := add1(t, c, "k", 0, time.Minute, Start); n != 0 {
		t.Errorf("refused and yet counted: %d", n)
	}
	if _, err := c.Add(t.Context(), Start, slices.Repeat([]counters.Hit{good}, counters.MaxHits)...); err != nil {
		t.Error(err)
	}
	add1(t, c, strings.Repeat("\xff", counters.MaxKey), 1, counters.MinSpan, Start)
}

func endedContext(t *testing.T, c counters.Counters) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Add(ctx, Start, counters.Hit{Key: "k", N: 1, Span: time.Minute})
	errs := []error{err, c.Ping(ctx), c.Put(ctx, Start, counters.Mark{Table: "t", Key: "k", Until: Start.Add(1e9)}), c.Drop(ctx, "t", "k")}
	_, err = c.Marks(ctx, "t", Start)
	for i, err := range append(errs, err) {
		if !errors.Is(err, counters.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("call %d with an ended context: %v", i, err)
		}
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
