package countertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/state/counters"
)

func put(t *testing.T, c counters.Counters, now time.Time, m ...counters.Mark) {
	t.Helper()
	if err := c.Put(t.Context(), now, m...); err != nil {
		t.Fatal(err)
	}
}

// marks are those of a table, by key.
func marks(t *testing.T, c counters.Counters, table string, now time.Time) []counters.Mark {
	t.Helper()
	got, err := c.Marks(t.Context(), table, now)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b counters.Mark) int { return strings.Compare(a.Key, b.Key) })
	return got
}

func show(ms []counters.Mark) string {
	var b strings.Builder
	for _, m := range ms {
		fmt.Fprintf(&b, "%s/%q until %d %q\n", m.Table, m.Key, m.Until.UnixMicro(), m.Value)
	}
	return b.String()
}

func same(t *testing.T, got []counters.Mark, want ...counters.Mark) {
	t.Helper()
	if show(got) != show(want) {
		t.Fatalf("got\n%swant\n%s", show(got), show(want))
	}
}

func marksEnd(t *testing.T, c counters.Counters) {
	a := counters.Mark{Table: "ban", Key: "192.0.2.1", Until: Start.Add(time.Minute), Value: []byte(`{"why":"guessing"}`)}
	b := counters.Mark{Table: "ban", Key: "192.0.2.2", Until: Start.Add(time.Hour + 7*time.Microsecond)}
	late := counters.Mark{Table: "ban", Key: "late", Until: Start}
	later := counters.Mark{Table: "ban", Key: "later", Until: Start.Add(-time.Hour)}
	put(t, c, Start, a, late, b, later)
	same(t, marks(t, c, "ban", Start), a, b)
	same(t, marks(t, c, "ban", Start.Add(time.Minute-time.Microsecond)), a, b)
	same(t, marks(t, c, "ban", Start.Add(time.Minute)), b)
	same(t, marks(t, c, "ban", Start.Add(2*time.Hour)))
	put(t, c, Start)
	// Put again after its end it is a new one, however short.
	a.Until = Start.Add(3 * time.Hour)
	put(t, c, Start.Add(2*time.Hour), a)
	same(t, marks(t, c, "ban", Start.Add(2*time.Hour)), a)
}

func neverShortened(t *testing.T, c counters.Counters) {
	m := counters.Mark{Table: "lockout", Key: "k", Until: Start.Add(time.Hour), Value: []byte("first")}
	put(t, c, Start, m)
	short := m
	short.Until, short.Value = Start.Add(time.Minute), []byte("second")
	put(t, c, Start, short)
	m.Value = short.Value
	same(t, marks(t, c, "lockout", Start), m)
	m.Until, m.Value = Start.Add(2*time.Hour), nil
	put(t, c, Start, m)
	same(t, marks(t, c, "lockout", Start), m)
	gone := m
	gone.Until, gone.Value = Start, []byte("not put")
	put(t, c, Start, gone)
	same(t, marks(t, c, "lockout", Start), m)
	twice := []counters.Mark{{Table: "lockout", Key: "2", Until: Start.Add(9), Value: []byte("a")}, {Table: "lockout", Key: "2", Until: Start.Add(time.Second), Value: []byte("b")}}
	put(t, c, Start, twice...)
	same(t, marks(t, c, "lockout", Start), twice[1], m)
}

func dropped(t *testing.T, c counters.Counters) {
	m := counters.Mark{Table: "ban", Key: "k", Until: Start.Add(time.Hour)}
	n := counters.Mark{Table: "ban", Key: "n", Until: Start.Add(time.Hour)}
	put(t, c, Start, m, n)
	if err := c.Drop(t.Context(), "ban", "k", "never was", "k"); err != nil {
		t.Fatal(err)
	}
	same(t, marks(t, c, "ban", Start), n)
	m.Until = Start.Add(time.Minute) // no memory of the longer one
	put(t, c, Start, m)
	same(t, marks(t, c, "ban", Start), m, n)
	if err := c.Drop(t.Context(), "ban"); err != nil {
		t.Fatal(err)
	}
}

func anyBytes(t *testing.T, c counters.Counters) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	want := []counters.Mark{
		{Table: "t", Key: string(every), Until: Start.Add(time.Hour), Value: bytes.Repeat(every, counters.MaxValue/256)},
		{Table: "t", Key: "1:2:p d:\r\n", Until: Start.Add(time.Hour), Value: []byte("-1:\x00:\xff")},
	}
	value := slices.Clone(want[0].Value)
	mine := want[0]
	mine.Value = value
	put(t, c, Start, mine, want[1])
	clear(value) // the engine must have its own
	got := marks(t, c, "t", Start)
	same(t, got, want...)
	clear(got[0].Value) // and so must the reader
	same(t, marks(t, c, "t", Start), want...)
}

func markBounds(t *testing.T, c counters.Counters) {
	good := counters.Mark{Table: "t", Key: "k", Until: Start.Add(time.Hour)}
	for name, change := range map[string]func(*counters.Mark){
		"no table":    func(m *counters.Mark) { m.Table = "" },
		"long table":  func(m *counters.Mark) { m.Table = strings.Repeat("t", counters.MaxTable+1) },
		"other table": func(m *counters.Mark) { m.Table = "T a:b" },
		"no key":      func(m *counters.Mark) { m.Key = "" },
		"long key":    func(m *counters.Mark) { m.Key = strings.Repeat("k", counters.MaxKey+1) },
		"long value":  func(m *counters.Mark) { m.Value = make([]byte, counters.MaxValue+1) },
	} {
		bad := good
		change(&bad)
		if err := c.Put(t.Context(), Start, good, bad); !errors.Is(err, counters.ErrInvalid) {
			t.Errorf("put with %s: %v", name, err)
		}
		if name == "long value" {
			continue
		}
		if err := c.Drop(t.Context(), bad.Table, bad.Key); !errors.Is(err, counters.ErrInvalid) {
			t.Errorf("drop with %s: %v", name, err)
		}
	}
	if _, err := c.Marks(t.Context(), "", Start); !errors.Is(err, counters.ErrInvalid) {
		t.Errorf("marks of no table: %v", err)
	}
	same(t, marks(t, c, "t", Start))
}

// manyMarks is more than any engine takes or gives in one step.
func manyMarks(t *testing.T, c counters.Counters) {
	var want []counters.Mark
	var keys []string
	for i := range 3000 {
		m := counters.Mark{Table: "t", Key: fmt.Sprintf("%05d", i), Until: Start.Add(time.Hour), Value: []byte{byte(i)}}
		want, keys = append(want, m), append(keys, m.Key)
	}
	put(t, c, Start, want...)
	same(t, marks(t, c, "t", Start), want...)
	if err := c.Drop(t.Context(), "t", keys[1:]...); err != nil {
		t.Fatal(err)
	}
	same(t, marks(t, c, "t", Start), want[0])
}

func tablesApart(t *testing.T, c counters.Counters) {
	a := counters.Mark{Table: "a", Key: "k", Until: Start.Add(time.Hour), Value: []byte("a")}
	b := counters.Mark{Table: "b", Key: "k", Until: Start.Add(time.Minute), Value: []byte("b")}
	put(t, c, Start, a, b, a)
	same(t, marks(t, c, "a", Start), a)
	same(t, marks(t, c, "b", Start), b)
	if err := c.Drop(t.Context(), "b", "k"); err != nil {
		t.Fatal(err)
	}
	same(t, marks(t, c, "a", Start), a)
	same(t, marks(t, c, "c", Start))
}

// Follower is somebody who follows a table; see Following.
type Follower struct {
	C    chan counters.Change
	stop func()
}

// Following starts to follow and waits for the first word to read afresh.
func Following(t testing.TB, c counters.Counters, table string) *Follower {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &Follower{C: make(chan counters.Change)}
	var wg sync.WaitGroup
	wg.Go(func() {
		c.Follow(ctx, table, func(ch counters.Change) {
			select {
			case f.C <- ch:
			case <-ctx.Done():
			}
		})
		if ctx.Err() == nil {
			t.Error("Follow returned before its context ended")
		}
	})
	f.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(f.stop)
	if first := f.Next(t); first.Table != "" {
		t.Fatalf("begins with %+v", first)
	}
	return f
}

// Next is the next change.
func (f *Follower) Next(t testing.TB) counters.Change {
	t.Helper()
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	select {
	case c := <-f.C:
		return c
	case <-late.C:
		t.Fatal("no change came")
		return counters.Change{}
	}
}

func (f *Follower) want(t *testing.T, m counters.Mark, dropped bool) {
	t.Helper()
	got := f.Next(t)
	for got.Table == "" { // to read afresh is always allowed
		got = f.Next(t)
	}
	if got.Dropped != dropped {
		t.Fatalf("got %+v, want dropped=%v of %s", got, dropped, m.Key)
	}
	if dropped {
		m.Until, m.Value = time.Time{}, nil
		if !got.Until.IsZero() {
			t.Fatalf("a drop with an end: %+v", got)
		}
		got.Until = m.Until
	}
	same(t, []counters.Mark{got.Mark}, m)
}

func follow(t *testing.T, c counters.Counters) {
	a := counters.Mark{Table: "ban", Key: "a", Until: Start.Add(time.Hour), Value: []byte("v:1")}
	put(t, c, Start, a)
	one, two := Following(t, c, "ban"), Following(t, c, "ban")
	for _, f := range []*Follower{one, two} {
		wg := sync.WaitGroup{}
		b := a
		b.Key, b.Value = "b:\x00", nil
		wg.Go(func() {
			longer := a
			longer.Until = Start.Add(2 * time.Hour)
			other := a
			other.Table = "other"
			_ = c.Put(t.Context(), Start, a, other, b) // a is there: no change
			_ = c.Put(t.Context(), Start, longer)
			_ = c.Drop(t.Context(), "ban", "never was", "b:\x00")
			_ = c.Drop(t.Context(), "ban", "a")
			_ = c.Put(t.Context(), Start, a)
		})
		f.want(t, b, false)
		longer := a
		longer.Until = Start.Add(2 * time.Hour)
		f.want(t, longer, false)
		f.want(t, b, true)
		f.want(t, a, true)
		f.want(t, a, false)
		wg.Wait()
		f.stop()
	}
	put(t, c, Start, counters.Mark{Table: "ban", Key: "c", Until: Start.Add(time.Hour)})
}

// slowFollower: writers are not held up by one who does not listen; it is told to read afresh, and then misses nothing.
func slowFollower(t *testing.T, c counters.Counters) {
	f := Following(t, c, "ban")
	var last counters.Mark
	for i := range 40 {
		var ms []counters.Mark
		for j := range 100 {
			last = counters.Mark{Table: "ban", Key: fmt.Sprintf("%d", i*100+j), Until: Start.Add(time.Hour)}
			ms = append(ms, last)
		}
		put(t, c, Start, ms...)
	}
	known := map[string]bool{}
	for afresh := 0; len(known) < 4000; {
		ch := f.Next(t)
		if ch.Table != "" {
			known[ch.Key] = true
			continue
		}
		if afresh++; afresh > 40 {
			t.Fatal("told again and again to read afresh")
		}
		for _, m := range marks(t, c, "ban", Start) {
			known[m.Key] = true
		}
	}
	end := counters.Mark{Table: "ban", Key: "the end", Until: Start.Add(time.Hour)}
	put(t, c, Start, end)
	for got := f.Next(t); got.Key != end.Key; got = f.Next(t) {
	}
}
