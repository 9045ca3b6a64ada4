package keep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/flow/keep"
	"ringfence/state/counters"
	"ringfence/state/counters/memory"
)

var errAway = errors.New("away")

// TestWriterKeepsWhatFails: what could not be written is written the next time, once and in order, and an outage is two lines of log.
func TestWriterKeepsWhatFails(t *testing.T) {
	var waiting, stored []int
	var log bytes.Buffer
	away := false
	w := keep.Writer[[]int]{
		Batches: func(yield func([]int) bool) {
			for len(waiting) > 0 {
				b := waiting[:min(2, len(waiting))]
				waiting = waiting[len(b):]
				if !yield(b) {
					return
				}
			}
		},
		Save: func(_ context.Context, b []int, _ bool) error {
			if away {
				return errAway
			}
			stored = append(stored, b...)
			return nil
		},
		Back:   func(b []int) { waiting = append(slices.Clone(b), waiting...) },
		Outage: keep.Outage{Log: slog.New(slog.NewTextHandler(&log, nil)), Level: slog.LevelWarn, Failed: "cannot be written", Again: "is written again"},
	}
	for i, down := range []bool{false, true, true, false, false} {
		away = down
		waiting = append(waiting, 10*i, 10*i+1, 10*i+2)
		if err := w.Flush(t.Context()); (err != nil) != down {
			t.Errorf("flush %d: %v", i, err)
		}
	}
	if want := []int{0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42}; !slices.Equal(stored, want) {
		t.Errorf("%v", stored)
	}
	if text := log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "cannot be written") || !strings.Contains(text, "is written again") {
		t.Errorf("log: %s", text)
	}
}

// TestReplaceIsAllOrNothing: what fails half-way leaves the old file as it was, and nothing beside it.
func TestReplaceIsAllOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kept")
	text := func(s string, then error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, s)
			return errors.Join(err, then)
		}
	}
	if n, err := keep.Replace(path, text("first", nil)); err != nil || n != 5 {
		t.Fatal(n, err)
	}
	if _, err := keep.Replace(path, text("second", errAway)); !errors.Is(err, errAway) {
		t.Error(err)
	}
	got, err := os.ReadFile(path)
	if all, _ := filepath.Glob(path + "*"); err != nil || string(got) != "first" || len(all) != 1 {
		t.Errorf("%q %v %v", got, err, all)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// flaky are counters that are away at times.
type flaky struct {
	counters.Counters
	away atomic.Bool
}

func (f *flaky) Put(ctx context.Context, now time.Time, marks ...counters.Mark) error {
	if f.away.Load() {
		return errAway
	}
	return f.Counters.Put(ctx, now, marks...)
}

func (f *flaky) Drop(ctx context.Context, table string, keys ...string) error {
	if f.away.Load() {
		return errAway
	}
	return f.Counters.Drop(ctx, table, keys...)
}

// there are the keys of the marks that all nodes see.
func (f *flaky) there(t *testing.T, now time.Time) string {
	t.Helper()
	all, err := f.Marks(t.Context(), "t", now)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, m := range all {
		keys = append(keys, m.Key)
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}

// TestMarksAreToldAgain: what the counters did not take is told later, the newest of each key alone, and what was dropped goes.
func TestMarksAreToldAgain(t *testing.T) {
	now := time.Now()
	f := &flaky{Counters: memory.NewEngine(memory.Options{})}
	defer f.Close()
	m := keep.NewMarks(f, "t", 2000, nil)
	put := func(key string) { m.Put(counters.Mark{Key: key, Until: now.Add(time.Hour)}) }
	send := func(want error, there string) {
		t.Helper()
		if err := m.Send(t.Context(), now); !errors.Is(err, want) {
			t.Errorf("send: %v", err)
		}
		if got := f.there(t, now); got != there {
			t.Errorf("there are %q, want %q", got, there)
		}
	}
	put("a")
	put("b")
	send(nil, "a b")
	f.away.Store(true)
	put("c")
	m.Drop("a")
	send(errAway, "a b")
	m.Drop("c")
	put("d")
	if p, d := m.Waiting("c"); p || !d {
		t.Errorf("c waits to be put %v, dropped %v", p, d)
	}
	put("b") // dropped and put again: it is dropped first, so that it may be shorter
	m.Drop("b")
	put("b")
	send(errAway, "a b")
	f.away.Store(false)
	m.Forget("d")
	send(nil, "b")
	for i := range 1700 { // more than go at once
		put(fmt.Sprint(i))
	}
	if err := m.Send(t.Context(), now); err != nil || strings.Count(f.there(t, now), " ") != 1700 {
		t.Error("not all were told", err)
	}
	for i := range 3000 { // more than may wait
		put(fmt.Sprint("x", i))
	}
	if err := m.Send(t.Context(), now); err != nil || strings.Count(f.there(t, now), " ") != 3700 {
		t.Error("the bound does not hold", err)
	}
}

// TestMarksAreToldAsTheyAre when they are told, if the stage says how that is.
func TestMarksAreToldAsTheyAre(t *testing.T) {
	now := time.Now()
	f := &flaky{Counters: memory.NewEngine(memory.Options{})}
	defer f.Close()
	m := keep.NewMarks(f, "t", 10, func(key string) (counters.Mark, bool) {
		return counters.Mark{Key: key, Until: now.Add(time.Minute), Value: []byte("as it is")}, key != "gone"
	})
	m.Put(counters.Mark{Key: "gone"})
	m.Put(counters.Mark{Key: "here"})
	if err := m.Send(t.Context(), now); err != nil || f.there(t, now) != "here" {
		t.Errorf("%v, there are %q", err, f.there(t, now))
	}
	alone := keep.NewMarks(nil, "t", 10, nil)
	alone.Put(counters.Mark{Key: "x"})
	alone.Drop("y")
	if p, d := alone.Waiting("x"); p || d {
		t.Error("something waits for nobody")
	}
}

// TestFollowReadsAfresh until it can, and Run tells at once when the counters are back.
func TestFollowReadsAfresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &flaky{Counters: memory.NewEngine(memory.Options{})}
		f.away.Store(true)
		m := keep.NewMarks(f, "t", 10, nil)
		heard := make(chan string, 10)
		var reads atomic.Int64
		done := make(chan struct{}, 2)
		go func() {
			m.Follow(ctx, func(c counters.Change) { heard <- c.Key }, func(context.Context) error {
				if reads.Add(1) < 3 {
					return errAway
				}
				return nil
			})
			done <- struct{}{}
		}()
		go func() { m.Run(ctx, keep.Outage{Log: slog.New(slog.DiscardHandler)}); done <- struct{}{} }()
		time.Sleep(10 * time.Second)
		if n := reads.Load(); n != 3 {
			t.Errorf("read %d times", n)
		}
		m.Put(counters.Mark{Key: "a", Until: time.Now().Add(time.Hour)})
		time.Sleep(10 * time.Second)
		f.away.Store(false)
		if key := <-heard; key != "a" {
			t.Errorf("heard of %q", key)
		}
		cancel()
		<-done
		<-done
		f.Close()
	})
}
