package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/flow/ledger"
	"ringfence/state/store"
	"ringfence/state/store/memory"
	"ringfence/state/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDisk = errors.New("no space left on device")

// breaking is a store that fails when told to: before the write, or after it (the answer is lost).
type breaking struct {
	store.Money
	mu     sync.Mutex
	before error
	after  error
	hook   func(ops []store.Op) error
	sizes  []int
	gate   chan struct{} // when not nil, every Apply waits for a token
}

func (b *breaking) set(before, after error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before, b.after = before, after
}

func (b *breaking) Apply(ctx context.Context, ops []store.Op) ([]store.Outcome, error) {
	b.mu.Lock()
	gate, hook := b.gate, b.hook
	b.sizes = append(b.sizes, len(ops))
	b.mu.Unlock()
	if gate != nil {
		<-gate
	}
	b.mu.Lock()
	before, after := b.before, b.after
	b.mu.Unlock()
	if before != nil {
		return nil, before
	}
	if hook != nil {
		if err := hook(ops); err != nil {
			return nil, err
		}
	}
	out, err := b.Money.Apply(ctx, ops)
	if err == nil && after != nil {
		return nil, after
	}
	return out, err
}

func (b *breaking) Ping(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.before
}

func start(t *testing.T, m store.Money, o ledger.Options) *ledger.Ledger {
	if o.Gather == 0 && o.Linger == 0 {
		o.Gather, o.Linger = -1, -1 // virtual time stands still; TestGather is about these
	}
	t.Helper()
	l := ledger.New(m, o)
	l.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := l.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		faults, err := m.Check(context.Background())
		if err != nil || len(faults) > 0 {
			t.Errorf("money: %v %q", err, faults)
		}
	})
	return l
}

func purse(t testing.TB, m store.Money, id string) store.Purse {
	t.Helper()
	p, err := m.Purses(context.Background(), []string{id})
	if err != nil {
		t.Fatal(err)
	}
	return p[0]
}

func TestDoAnswersWithTheOutcome(t *testing.T) {
	m := memory.New()
	l := start(t, m, ledger.Options{})
	c := storetest.Call(1, "l")
	open := storetest.Open(c, 60, storetest.In("p", 100))
	for _, want := range []store.Outcome{{}, {Duplicate: true}} {
		if out, err := l.Do(t.Context(), open); err != nil || out != want {
			t.Fatalf("%+v %v, want %+v", out, err, want)
		}
	}
	out, err := l.Do(t.Context(), storetest.Open(storetest.Call(2, "l"), 60, storetest.In("p", 100)))
	if err != nil || !out.Refused || out.Room != 40 {
		t.Fatalf("%+v %v", out, err)
	}
	if _, err := l.Do(t.Context(), store.Op{Kind: store.OpOpen}); !errors.Is(err, store.ErrInvalid) {
		t.Fatalf("an impossible op: %v", err)
	}
	if s := l.Stats(); s.Ops != 3 || s.Refused != 1 || s.Waiting != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestGroupsGatherWhileTheStoreIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaking{Money: memory.New(), gate: make(chan struct{})}
		l := start(t, b, ledger.Options{Group: 40})
		for i := range 100 {
			go func() {
				if _, err := l.Do(context.Background(), storetest.Open(storetest.Call(i, "l"), 1, storetest.In("p", 1000))); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait() // the first is with the store, the others wait behind it
		}
		close(b.gate)
		synctest.Wait()
		if got := fmt.Sprint(b.snapshot()); got != "[1 40 40 19]" || purse(t, b, "p").Held != 100 {
			t.Fatalf("groups %v", got)
		}
	})
}

func TestOneImpossibleOpDoesNotHurtTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaking{Money: memory.New(), gate: make(chan struct{})}
		l := start(t, b, ledger.Options{})
		c := storetest.Call(1, "l")
		l.Post(storetest.Open(c, 10, storetest.In("p", 100)))
		synctest.Wait()
		// Passes Op.Check, but holds in a purse that is not the call's; between two good ones.
		l.Post(storetest.Open(storetest.Call(2, "l"), 1, storetest.In("p", 100)))
		bad := make(chan error, 1)
		go func() {
			_, err := l.Do(context.Background(), storetest.Extend(c, 5, time.Hour, storetest.In("q", 100)))
			bad <- err
		}()
		synctest.Wait()
		l.Post(storetest.Settle(storetest.Call(2, "l"), 1))
		close(b.gate)
		if err := <-bad; !errors.Is(err, store.ErrInvalid) {
			t.Fatalf("the impossible op: %v", err)
		}
		synctest.Wait()
		if p := purse(t, b, "p"); p.Spent != 1 || p.Held != 10 {
			t.Fatalf("%+v", p)
		}
		l.Post(storetest.Settle(c, 0))
	})
}

// A record is to be seen from the moment when its call is settled, also while the store is away.
func TestRecordsThatWaitAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaking{Money: memory.New()}
		l := start(t, b, ledger.Options{})
		for i := range 3 {
			l.Post(storetest.Open(storetest.Call(i, "l"), 10, storetest.In("p", 100)))
		}
		synctest.Wait()
		seen := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if n := len(l.Settling()); n != want {
				t.Errorf("%s: %d records wait, want %d", when, n, want)
			}
		}
		seen("before", 0)
		b.set(errDisk, nil)
		l.Post(storetest.Settle(storetest.Call(0, "l"), 1))
		seen("a failing store", 1)
		time.Sleep(10 * time.Second) // tried again and again
		seen("still failing", 1)
		b.set(nil, errDisk)
		l.Post(storetest.Settle(storetest.Call(1, "l"), 1))
		seen("an answer that is lost", 2)
		gate := make(chan struct{})
		b.mu.Lock()
		b.before, b.after, b.gate = nil, nil, gate
		b.mu.Unlock()
		time.Sleep(10 * time.Second)
		l.Post(storetest.Settle(storetest.Call(2, "l"), 1))
		seen("with the store, and behind that", 3)
		close(gate)
		time.Sleep(time.Second)
		seen("stored", 0)
	})
}

// flush waits until everything accepted before is durable.
func flush(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	if _, err := l.Do(t.Context(), store.Op{Kind: store.OpRecord}); err != nil {
		t.Fatal(err)
	}
}

func TestStoreFailsAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaking{Money: memory.New()}
		l := start(t, b, ledger.Options{})
		c := storetest.Call(1, "l")
		if _, err := l.Do(t.Context(), storetest.Open(c, 10, storetest.In("p", 100))); err != nil {
			t.Fatal(err)
		}
		b.set(errDisk, nil)
		if _, err := l.Do(t.Context(), storetest.Open(storetest.Call(2, "l"), 10, storetest.In("p", 100))); !errors.Is(err, ledger.ErrUnavailable) || !errors.Is(err, errDisk) {
			t.Fatalf("while it fails: %v", err)
		}
		if err := l.Healthy(); !errors.Is(err, errDisk) {
			t.Fatalf("healthy: %v", err)
		}
		l.Post(storetest.Settle(c, 7))
		l.Record(storetest.Fact("call.cut", c))
		time.Sleep(time.Hour) // virtual
		began := time.Now()
		if _, err := l.Do(t.Context(), storetest.Open(storetest.Call(3, "l"), 1)); !errors.Is(err, ledger.ErrUnavailable) || time.Since(began) > 0 {
			t.Fatalf("not refused at once: %v after %v", err, time.Since(began))
		}
		if s := l.Stats(); s.Posted != 1 || s.Facts != 1 {
			t.Fatalf("kept %+v", s)
		}
		b.set(nil, nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if err := l.Healthy(); err != nil {
			t.Fatal(err)
		}
		if p := purse(t, b, "p"); p.Spent != 7 || p.Held != 0 {
			t.Fatalf("after it came back %+v", p)
		}
		facts, err := b.Facts(t.Context(), store.FactFilter{Kind: "call.cut"})
		if err != nil || len(facts) != 1 {
			t.Fatalf("%d facts %v", len(facts), err)
		}
	})
}

func TestLostAnswersChangeNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaking{Money: memory.New()}
		l := start(t, b, ledger.Options{})
		c := storetest.Call(1, "l")
		b.set(nil, errDisk) // written, but the answer is lost
		if _, err := l.Do(t.Context(), storetest.Open(c, 10, storetest.In("p", 100))); !errors.Is(err, ledger.ErrUnavailable) {
			t.Fatal(err)
		}
		if p := purse(t, b, "p"); p.Held != 10 {
			t.Fatalf("the write was to persist: %+v", p)
		}
		l.Post(storetest.Settle(c, 0)) // the caller voids it; this answer is lost as well
		time.Sleep(time.Minute)
		b.set(nil, nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if p := purse(t, b, "p"); p.Held != 0 || p.Spent != 0 {
			t.Fatalf("%+v", p)
		}
		if open, err := b.OpenCalls(t.Context(), ""); err != nil || len(open) != 0 {
			t.Fatalf("%v %v", open, err)
		}
	})
}

func TestGivingUpWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaking{Money: memory.New(), gate: make(chan struct{})}
		l := start(t, b, ledger.Options{})
		c, d := storetest.Call(1, "l"), storetest.Call(2, "l")
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 2)
		for _, op := range []store.Op{storetest.Open(c, 10, storetest.In("p", 100)), storetest.Open(d, 10, storetest.In("p", 100))} {
			go func() {
				_, err := l.Do(ctx, op)
				left <- err
			}()
			synctest.Wait() // the first is with the store, the second waits behind it
		}
		cancel()
		for range 2 {
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		// The first may or may not take effect; voiding both is right for either.
		l.Post(storetest.Settle(c, 0))
		l.Post(storetest.Settle(d, 0))
		close(b.gate)
		synctest.Wait()
		if p := purse(t, b, "p"); p.Held != 0 || p.Spent != 0 {
			t.Fatalf("%+v", p)
		}
		if _, err := b.CDR(t.Context(), c.ID); err != nil {
			t.Fatalf("the op that was with the store: %v", err)
		}
		if _, err := b.CDR(t.Context(), d.ID); err == nil {
			t.Fatal("an op whose caller left before it was taken was written")
		}
	})
}

func (b *breaking) snapshot() []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]int(nil), b.sizes...)
}

func TestUpdatesThatWaitAreMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaking{Money: memory.New()}
		l := start(t, b, ledger.Options{})
		c := storetest.Call(1, "l")
		if _, err := l.Do(t.Context(), storetest.Open(c, 10, storetest.In("p", 100))); err != nil {
			t.Fatal(err)
		}
		b.set(errDisk, nil)
		for i := range 1000 {
			u := *c
			u.Snapshot = fmt.Appendf(nil, "%d", i)
			l.Post(store.Op{Kind: store.OpUpdate, ID: c.ID, Call: &u})
			if i%100 == 0 {
				time.Sleep(time.Second)
			}
		}
		if s := l.Stats(); s.Posted > 3 {
			t.Fatalf("%d updates of one call wait", s.Posted)
		}
		b.set(nil, nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		open, err := b.OpenCalls(t.Context(), "")
		if err != nil || len(open) != 1 || string(open[0].Snapshot) != "999" {
			t.Fatalf("%+v %v", open, err)
		}
		l.Post(storetest.Settle(c, 1))
	})
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaking{Money: memory.New()}
		l := ledger.New(b, ledger.Options{Posted: 10, Facts: 20})
		l.Start()
		b.set(errDisk, nil)
		c := storetest.Call(1, "l")
		for i := range 30 {
			l.Post(storetest.Open(storetest.Call(i, "l"), 0))
			l.Record(storetest.Fact("x.y", c))
		}
		time.Sleep(time.Minute)
		if s := l.Stats(); s.Posted != 10 || s.Facts != 20 || s.Lost != 20 || s.FactsDropped != 10 {
			t.Fatalf("%+v", s)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := l.Stop(ctx); !errors.Is(err, errDisk) {
			t.Fatalf("stopped with ops unwritten: %v", err)
		}
		if _, err := l.Do(t.Context(), storetest.Open(c, 0)); !errors.Is(err, ledger.ErrUnavailable) || !errors.Is(err, ledger.ErrStopped) {
			t.Fatalf("after Stop: %v", err)
		}
	})
}

func TestStopWritesWhatWasAccepted(t *testing.T) {
	m := memory.New()
	l := ledger.New(m, ledger.Options{})
	c := storetest.Call(1, "l")
	for i := range 1000 {
		l.Record(storetest.Fact(fmt.Sprint(i), c))
	}
	l.Start()
	if err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	facts, err := m.Facts(t.Context(), store.FactFilter{})
	if err != nil || len(facts) != 1000 || facts[999].Kind != "999" {
		t.Fatalf("%d facts %v", len(facts), err)
	}
}

func TestStrangersNamesAreCut(t *testing.T) {
	m := memory.New()
	l := start(t, m, ledger.Options{})
	long := string(make([]byte, 1<<16))
	l.Record(store.Fact{Kind: "registration.refused", Line: long})
	l.Record(store.Fact{Kind: "x", Body: make([]byte, 2<<20)})
	flush(t, l)
	if s := l.Stats(); s.FactsDropped != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		a := start(t, m, ledger.Options{Node: "a", Lease: 30 * time.Second})
		b := start(t, m, ledger.Options{Node: "b", Lease: 30 * time.Second})
		c := storetest.Call(1, "l")
		op := storetest.Open(c, 10, storetest.In("p", 100))
		op.Lease = 30 * time.Second
		if _, err := a.Do(t.Context(), op); err != nil {
			t.Fatal(err)
		}
		live, die := context.WithCancel(t.Context())
		other, end := context.WithCancel(t.Context())
		taken := make(chan call.ID, 10)
		var wg sync.WaitGroup
		wg.Go(func() {
			a.Leases(live, func(c []call.Open, _ error) {
				if len(c) > 0 {
					t.Error("a claimed its own call")
				}
			}, stayed(t))
		})
		wg.Go(func() {
			b.Leases(other, func(calls []call.Open, _ error) {
				for i := range calls {
					taken <- calls[i].ID
					b.Post(storetest.Settle(&calls[i], 3))
				}
			}, stayed(t))
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(taken) != 0 {
			t.Fatal("a call of a living node was claimed")
		}
		die()
		time.Sleep(time.Minute)
		end()
		wg.Wait()
		if len(taken) != 1 || <-taken != c.ID {
			t.Fatalf("%d taken", len(taken))
		}
		if p := purse(t, m, "p"); p.Spent != 3 || p.Held != 0 {
			t.Fatalf("%+v", p)
		}
	})
}

// stayed fails if a node that was never away is told that it was.
func stayed(t *testing.T) func(context.Context) error {
	return func(context.Context) error { t.Error("the node was never away"); return nil }
}

// unreachable is a store that cannot be reached for a while.
type unreachable struct {
	store.Money
	down atomic.Bool
}

func (u *unreachable) Clock(ctx context.Context) (time.Time, error) {
	if u.down.Load() {
		return time.Time{}, errors.New("connection refused")
	}
	return u.Money.Clock(ctx)
}

// TestANodeThatReturnsIsTold: a node that could not renew its lease in time may have lost its calls to another, and learns so
// before it claims anything; if it cannot look at its calls yet, it is told again.
func TestANodeThatReturnsIsTold(t *testing.T) {
	for away, want := range map[time.Duration]int64{20 * time.Second: 0, 45 * time.Second: 2} {
		synctest.Test(t, func(t *testing.T) {
			m := &unreachable{Money: memory.New()}
			l := start(t, m, ledger.Options{Node: "a", Lease: 30 * time.Second})
			ctx, end := context.WithCancel(t.Context())
			var told atomic.Int64
			var wg sync.WaitGroup
			wg.Go(func() {
				l.Leases(ctx, func([]call.Open, error) {}, func(context.Context) error {
					if told.Add(1) == 1 {
						return errors.New("not yet")
					}
					return nil
				})
			})
			time.Sleep(time.Minute + time.Second)
			m.down.Store(true)
			time.Sleep(away)
			m.down.Store(false)
			time.Sleep(10 * time.Minute)
			end()
			wg.Wait()
			if n := told.Load(); n != want {
				t.Errorf("away for %v: told %d times, want %d", away, n, want)
			}
		})
	}
}

// TestAnyFailures plays calls against a store that fails at random, before and after its writes, while callers retry and
// void as the gate does. Whatever happens, caps hold, and in the end nothing is held.
func TestAnyFailures(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 40).Draw(r, "faults")
		calls := rapid.IntRange(1, 60).Draw(r, "calls")
		limit := money.Micro(rapid.IntRange(1, 400).Draw(r, "cap"))
		synctest.Test(t, func(t *testing.T) {
			var turn atomic.Int64
			b := &breaking{Money: memory.New()}
			f := &faulty{breaking: b, next: func() int {
				if n := turn.Add(1); n < 200 {
					return seed[int(n)%len(seed)]
				}
				return 0
			}}
			l := ledger.New(f, ledger.Options{Group: 7})
			l.Start()
			var wg sync.WaitGroup
			for i := range calls {
				wg.Go(func() { play(l, storetest.Call(i, "l"), money.Micro(1+i%13), limit) })
			}
			wg.Wait()
			time.Sleep(time.Hour)
			if err := l.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			p := purse(t, b, "p")
			if p.Spent > limit || p.Held != 0 {
				t.Errorf("cap %d, purse %+v", limit, p)
			}
			if open, _ := b.OpenCalls(t.Context(), ""); len(open) != 0 {
				t.Errorf("%d calls left open", len(open))
			}
		})
	})
}

// play is one call as the gate makes it.
func play(l *ledger.Ledger, c *call.Open, x, limit money.Micro) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := l.Do(ctx, storetest.Open(c, x, storetest.In("p", limit)))
	if err != nil {
		l.Post(storetest.Settle(c, 0))
		return
	}
	if out.Refused {
		return
	}
	held := x
	for range 5 {
		out, err = l.Do(ctx, storetest.Extend(c, x, 2*time.Minute, storetest.In("p", limit)))
		if err == nil {
			if !out.Refused {
				held += x
			}
			break
		}
		time.Sleep(time.Second)
	}
	l.Post(storetest.Settle(c, held))
}

// faulty fails each write as next says: 1 before, 2 after it.
type faulty struct {
	*breaking
	next func() int
}

func (f *faulty) Apply(ctx context.Context, ops []store.Op) ([]store.Outcome, error) {
	switch f.next() {
	case 1:
		return nil, errDisk
	case 2:
		if _, err := f.Money.Apply(ctx, ops); err != nil {
			return nil, err
		}
		return nil, errDisk
	}
	return f.Money.Apply(ctx, ops)
}

// TestGather: what nobody waits for lingers for company; what somebody waits for is alone only when nothing went before.
func TestGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaking{Money: memory.New()}
		l := start(t, b, ledger.Options{Gather: 2 * time.Millisecond, Linger: 10 * time.Millisecond})
		began := time.Now()
		do := func(n int) {
			if _, err := l.Do(t.Context(), storetest.Open(storetest.Call(n, "l"), 1, storetest.In("p", 100))); err != nil {
				t.Error(err)
			}
		}
		do(1)
		if d := time.Since(began); d != 0 {
			t.Fatalf("the first op waited %v", d)
		}
		do(2)
		if d := time.Since(began); d != 2*time.Millisecond {
			t.Fatalf("an op close behind another waited %v", d)
		}
		time.Sleep(time.Second)
		began = time.Now()
		l.Post(storetest.Settle(storetest.Call(1, "l"), 1))
		synctest.Wait()
		if p := purse(t, b, "p"); p.Held != 2 {
			t.Fatal("a settlement did not wait for company")
		}
		do(3) // is the company
		if d := time.Since(began); d != 0 {
			t.Fatalf("an op waited %v for a settlement", d)
		}
		if p := purse(t, b, "p"); p.Held != 2 || p.Spent != 1 {
			t.Fatalf("%+v", p)
		}
	})
}

// TestDirect: over a store in memory the ledger is a door and not a queue.
func TestDirect(t *testing.T) {
	m := memory.New()
	l := ledger.New(m, ledger.Options{Direct: true})
	l.Start()
	c := storetest.Call(1, "l")
	out, err := l.Do(t.Context(), storetest.Open(c, 10, storetest.In("p", 100)))
	if err != nil || out.Refused {
		t.Fatalf("%+v %v", out, err)
	}
	l.Post(storetest.Settle(c, 4))
	l.Record(store.Fact{At: time.Now(), Kind: "test.fact", Body: []byte("{}")})
	if p := purse(t, m, "p"); p.Held != 0 || p.Spent != 4 {
		t.Fatalf("%+v", p)
	}
	if err := l.Stop(t.Context()); err != nil || l.Stats().Ops != 3 {
		t.Fatalf("%v, %+v", err, l.Stats())
	}
}

// setBack is a store whose clock somebody sets, or whose server gives way to another with another clock.
type setBack struct {
	store.Money
	by      atomic.Int64
	claimed atomic.Int64
}

func (s *setBack) Clock(ctx context.Context) (time.Time, error) {
	now, err := s.Money.Clock(ctx)
	return now.Add(time.Duration(s.by.Load())), err
}

func (s *setBack) Claim(ctx context.Context, node string, lease time.Duration) ([]call.Open, error) {
	s.claimed.Add(1)
	return s.Money.Claim(ctx, node, lease)
}

// TestClockOfTheStoreJumps guards that nodes do not take each other's calls when the database's clock is put forward, and
// every lease with it: each leaves the others the time to renew.
func TestClockOfTheStoreJumps(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			m := &setBack{Money: memory.New()}
			l := start(t, m, ledger.Options{Node: "a", Lease: 30 * time.Second})
			ctx, end := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { l.Leases(ctx, func([]call.Open, error) {}, func(context.Context) error { return nil }) })
			time.Sleep(time.Minute + time.Second)
			before := m.claimed.Load()
			if before < 6 {
				t.Errorf("claimed %d times in a minute", before)
			}
			m.by.Store(int64(by))
			time.Sleep(35 * time.Second)
			if n := m.claimed.Load() - before; n != 0 {
				t.Errorf("claimed %d times within a lease of the jump", n)
			}
			time.Sleep(time.Minute)
			if n := m.claimed.Load() - before; n < 5 {
				t.Errorf("claimed %d times in the minute after it", n)
			}
			end()
			wg.Wait()
		})
	}
}

// hung is a store whose clock does not answer for a while.
type hung struct {
	store.Money
	until atomic.Pointer[chan struct{}]
}

func (s *hung) Clock(ctx context.Context) (time.Time, error) {
	if c := s.until.Load(); c != nil {
		<-*c
	}
	return s.Money.Clock(ctx)
}

// TestAwayUntilTheLeasesWereLookedAfter guards that a process that stood still knows that its calls may be another's, and that a store which hangs
// does not keep it from its calls.
func TestAwayUntilTheLeasesWereLookedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &hung{Money: memory.New()}
		l := start(t, m, ledger.Options{Node: "a", Lease: 30 * time.Second})
		if l.Away() {
			t.Error("away before its leases are kept")
		}
		ctx, end := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { l.Leases(ctx, func([]call.Open, error) {}, func(context.Context) error { return nil }) })
		time.Sleep(time.Minute + time.Second)
		for range 2 {
			goes := make(chan struct{})
			m.until.Store(&goes)
			at := func(d time.Duration, away bool) {
				t.Helper()
				if time.Sleep(d); l.Away() != away {
					t.Errorf("away %t", !away)
				}
			}
			at(28*time.Second, false)
			at(5*time.Second, true)
			at(5*time.Second, true)
			at(6*time.Second, false) // no store keeps a call from being cut
			m.until.Store(nil)
			close(goes)
			at(time.Second, false)
			time.Sleep(55 * time.Second) // a second after the leases were looked after
		}
		end()
		wg.Wait()
	})
}
