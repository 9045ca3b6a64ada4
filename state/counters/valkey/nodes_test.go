package valkey_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ringfence/state/counters"
	"ringfence/state/counters/countertest"
	"ringfence/state/counters/valkey"
	"ringfence/state/counters/valkey/valkeytest"
)

var now = countertest.Start

func ban(key string) counters.Mark {
	return counters.Mark{Table: "ban", Key: key, Until: now.Add(time.Hour), Value: []byte("{}")}
}

// TestTwoNodes: what one counts and bans the other sees, on a unix socket and over TCP with a password.
func TestTwoNodes(t *testing.T) {
	s := valkeytest.Own(t, "--requirepass", "s3cret/?#@")
	a := open(t, s.URL()[:len("unix://")]+":s3cret%2F%3F%23%40@"+s.URL()[len("unix://"):], valkey.Options{})
	b := open(t, "redis://:s3cret%2F%3F%23%40@"+s.Addr()+"/0", valkey.Options{})
	f := countertest.Following(t, b, "ban")
	if err := a.Put(t.Context(), now, ban("192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	if c := f.Next(t); c.Key != "192.0.2.1" || c.Dropped || !c.Until.Equal(now.Add(time.Hour)) || string(c.Value) != "{}" {
		t.Fatalf("%+v", c)
	}
	if err := a.Drop(t.Context(), "ban", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if c := f.Next(t); c.Key != "192.0.2.1" || !c.Dropped {
		t.Fatalf("%+v", c)
	}
	for i, e := range []*valkey.Engine{a, b, a} {
		n, err := e.Add(t.Context(), now, counters.Hit{Key: "k", N: 1, Span: time.Minute})
		if err != nil || n[0] != int64(i+1) {
			t.Fatal(n, err)
		}
	}
	other := open(t, "redis://:s3cret%2F%3F%23%40@"+s.Addr()+"/1", valkey.Options{})
	if n, err := other.Add(t.Context(), now, counters.Hit{Key: "k", Span: time.Minute}); err != nil || n[0] != 0 {
		t.Fatal("another database shares counts", n, err)
	}
}

// TestOutage: while the server is away calls fail soon and say so; when it is back they work and followers read afresh.
func TestOutage(t *testing.T) {
	s := valkeytest.Own(t)
	e := open(t, "redis://"+s.Addr(), valkey.Options{})
	f := countertest.Following(t, e, "ban")
	for round := range 2 {
		s.Stop()
		unreachable(t, e)
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if c := f.Next(t); c.Table != "" {
			t.Fatalf("round %d: after an outage %+v", round, c)
		}
		// The follower is connected, so calls must be.
		if err := e.Put(t.Context(), now, ban(fmt.Sprint(round))); err != nil {
			t.Fatal(err)
		}
		if c := f.Next(t); c.Key != fmt.Sprint(round) {
			t.Fatalf("%+v", c)
		}
	}
}

func unreachable(t *testing.T, e *valkey.Engine) {
	t.Helper()
	_, err := e.Add(t.Context(), now, counters.Hit{Key: "k", N: 1, Span: time.Minute})
	errs := []error{err, e.Ping(t.Context()), e.Put(t.Context(), now, ban("k")), e.Drop(t.Context(), "ban", "k")}
	_, err = e.Marks(t.Context(), "ban", now)
	for i, err := range append(errs, err) {
		if !errors.Is(err, counters.ErrUnavailable) {
			t.Errorf("call %d without a server: %v", i, err)
		}
	}
}

// TestSilence: a server that says nothing any more holds nobody longer than the timeout, and its followers notice.
func TestSilence(t *testing.T) {
	s := valkeytest.Own(t)
	unheard := make(told, 10)
	e := open(t, s.URL(), valkey.Options{Timeout: 200 * time.Millisecond, Log: slog.New(slog.NewTextHandler(unheard, nil))})
	f := countertest.Following(t, e, "ban")
	thaw := s.Freeze()
	defer thaw()
	began := time.Now()
	unreachable(t, e)
	if took := time.Since(began); took > 10*time.Second {
		t.Fatalf("five calls took %v", took)
	}
	if _, err := valkey.Open(t.Context(), s.URL(), valkey.Options{Timeout: 200 * time.Millisecond}); !errors.Is(err, counters.ErrUnavailable) {
		t.Fatal(err)
	}
	select {
	case <-unheard:
	case <-t.Context().Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the follower did not notice")
	}
	thaw()
	if c := f.Next(t); c.Table != "" {
		t.Fatalf("after silence: %+v", c)
	}
	if err := e.Put(t.Context(), now, ban("k")); err != nil {
		t.Fatal(err)
	}
}

// told is where a log goes.
type told chan string

func (l told) Write(b []byte) (int, error) {
	select {
	case l <- string(b):
	default:
	}
	return len(b), nil
}

func TestNoErrorShowsThePassword(t *testing.T) {
	s := valkeytest.Own(t, "--requirepass", "other")
	for _, url := range []string{
		"redis://user:hunter2@" + s.Addr() + "/0",
		"redis://:hunter2@127.0.0.1:1/0",
		"redis://user:hunter2@%zz/0",
		"redis://user:hunter2/0@127.0.0.1/0",
		"redis://user:1/hunter2@127.0.0.1/0",
		"redis://user:1?hunter2@127.0.0.1/0",
		"redis://user:1#hunter2@127.0.0.1/0",
		"redis://user:hunter2@127.0.0.1/none",
		"redis://user:hunter2@/0",
		"http://user:hunter2@127.0.0.1",
		"user:hunter2@127.0.0.1",
		"unix://user:hunter2@host/path",
		"unix://:hunter2@/nowhere/at/all",
		"hunter2\x00",
		"",
	} {
		_, err := valkey.Open(t.Context(), url, valkey.Options{Timeout: 100 * time.Millisecond})
		if err == nil || strings.Contains(err.Error(), "hunter2") || err.Error() == "" {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestTheMarkThatEndsFirstGivesWay(t *testing.T) {
	e := open(t, valkeytest.Shared(t).URL(), valkey.Options{Prefix: valkeytest.Prefix(), MaxMarks: 100})
	f := countertest.Following(t, e, "ban")
	for i := range 101 {
		m := ban(fmt.Sprint(i))
		m.Until = m.Until.Add(time.Duration((i+50)%101) * time.Second)
		if err := e.Put(t.Context(), now, m); err != nil {
			t.Fatal(err)
		}
		f.Next(t)
	}
	if c := f.Next(t); c.Key != "51" || !c.Dropped {
		t.Fatalf("%+v gave way, want the one that ends first", c)
	}
	if got, err := e.Marks(t.Context(), "ban", now); err != nil || len(got) != 100 {
		t.Fatal(len(got), err)
	}
}

// TestNothingIsLeftBehind: everything on the server has an expiry, long enough for its use and not much longer.
func TestNothingIsLeftBehind(t *testing.T) {
	s := valkeytest.Own(t)
	e := open(t, s.URL(), valkey.Options{Prefix: "p:"})
	if _, err := e.Add(t.Context(), now, counters.Hit{Key: "k", N: 1, Span: time.Hour}); err != nil {
		t.Fatal(err)
	}
	long := ban("b")
	long.Until = now.Add(3 * time.Hour)
	if err := errors.Join(e.Put(t.Context(), now, long), e.Put(t.Context(), now, ban("a"))); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]time.Duration{"p:c:k": 2*time.Hour + time.Second, "p:m:ban": 27 * time.Hour, "p:e:ban": 27 * time.Hour} {
		left, err := e.Left(t.Context(), key)
		if err != nil || left > want || left < want-time.Minute {
			t.Errorf("%s goes in %v (%v), want %v", key, left, err, want)
		}
	}
	// What has ended goes with the next write.
	late := ban("late")
	late.Until = now.Add(9 * time.Hour)
	if err := e.Put(t.Context(), now.Add(8*time.Hour), late); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Marks(t.Context(), "ban", now); err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
}

// TestStrangersOnTheChannel: what somebody else publishes there is no change, and no harm.
func TestStrangersOnTheChannel(t *testing.T) {
	e := open(t, valkeytest.Shared(t).URL(), valkey.Options{Prefix: valkeytest.Prefix(), Log: slog.New(slog.DiscardHandler)})
	f := countertest.Following(t, e, "ban")
	for _, m := range []string{"", "x", "p", "p1", "p1:", "p1:9", "p1:9:abc", "p1:-1:abc", "p1:0:abc", "p99999999999999999999:1:a", "p1:99999999999999999999:a"} {
		if err := e.Publish(t.Context(), "ban", m); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Put(t.Context(), now, ban("k")); err != nil {
		t.Fatal(err)
	}
	if c := f.Next(t); c.Key != "k" {
		t.Fatalf("%+v", c)
	}
}

// TestFollowOutlivesClose: it returns only when its context ends.
func TestFollowOutlivesClose(t *testing.T) {
	e := open(t, valkeytest.Shared(t).URL(), valkey.Options{Prefix: valkeytest.Prefix()})
	countertest.Following(t, e, "ban") // fails the test if it returns by itself
	e.Close()
	if err := e.Ping(context.Background()); !errors.Is(err, counters.ErrUnavailable) {
		t.Fatal(err)
	}
}

func BenchmarkAdd4(b *testing.B) {
	e := open(b, valkeytest.Shared(b).URL(), valkey.Options{Prefix: valkeytest.Prefix()})
	hits := []counters.Hit{{Key: "a:192.0.2.1", N: 1, Span: time.Minute}, {Key: "l:2001", N: 1, Span: time.Minute}, {Key: "n:192.0.2.0/24", N: 1, Span: time.Minute}, {Key: "al:192.0.2.1:2001", N: 1, Span: time.Minute}}
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := e.Add(b.Context(), now, hits...); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
