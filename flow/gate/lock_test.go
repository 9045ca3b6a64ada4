package gate

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// lockAs locks 2001 and waits until the gate has heeded it.
func (h *house) lockAs(calls account.LockCalls) {
	h.t.Helper()
	_, err := h.book.Lock(context.Background(), "test", "2001", "stolen", calls)
	must(h.t, err)
	synctest.Wait()
}

func (h *house) unlock() {
	h.t.Helper()
	_, err := h.book.Unlock(context.Background(), "test", "2001")
	must(h.t, err)
	synctest.Wait()
}

// followed is open for a gate that obeys its book.
func followed(t testing.TB, b *book.Book, m store.Money) *house {
	h := open(t, b, m)
	b.OnChange(h.gate.Follow)
	return h
}

// Guards: `line lock` let a call go on and bought its next slices. After a lock nothing more is bought: the call ends when its
// paid time ends, and never later than one slice after the lock, also if the next slice had just been bought. It costs what
// it talked, and its record says why it ended.
func TestALockedLineBuysNoMore(t *testing.T) {
	for name, c := range map[string]struct {
		at   time.Duration // of the lock, after the answer
		want time.Duration // talk time at the end
	}{
		"at once":                             {0, time.Minute},
		"half way":                            {30 * time.Second, time.Minute},
		"just before the next slice":          {49 * time.Second, time.Minute},
		"when the next slice is bought":       {50*time.Second + time.Millisecond, 110*time.Second + time.Millisecond},
		"in the third slice":                  {130 * time.Second, 3 * time.Minute},
		"just before the paid time ends":      {59 * time.Second, 119 * time.Second},
		"after many slices, just at the next": {10*time.Minute - time.Second, 11*time.Minute - time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			synctest.Test(t, func(t *testing.T) {
				h := followed(t, b, memory.New())
				defer h.close()
				p, _ := h.admit("2001", "02079460000")
				h.answer(p)
				began := time.Now()
				time.Sleep(c.at)
				synctest.Wait()
				h.lockAs(account.CallsEnd)
				held := h.gate.get(p.ID).Open.Held
				time.Sleep(c.want - c.at - time.Millisecond)
				synctest.Wait()
				if l := h.gate.get(p.ID); l == nil || l.Open.Held != held {
					t.Fatal("before its paid time ended the call is gone, or bought more")
				}
				<-h.cuts
				if d := time.Since(began); d != c.want {
					t.Errorf("it ended after %v, want %v", d, c.want)
				}
				r := h.record(p.ID)
				if r.Reason != "cut-line-locked" || r.By != call.System || r.Text != policy.CutLocked.Text(policy.Figures{Limit: 1}) {
					t.Errorf("the record says %s by %s: %s", r.Reason, r.By, r.Text)
				}
				if r.Talk != c.want || int64(r.Retail) != int64((c.want+time.Second-1)/time.Second)*200 {
					t.Errorf("%v for %v", r.Retail, r.Talk)
				}
				h.square(0)
			})
		})
	}
}

// A slice that is on its way to the store when the lock comes is the last one, and even then the call ends one slice after it.
func TestASliceOnItsWayIsTheLast(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		var once sync.Once
		var at atomic.Pointer[time.Time]
		h := followed(t, b, &slow{memory.New(), func() {
			once.Do(func() {
				_, err := b.Lock(context.Background(), "test", "2001", "stolen", account.CallsEnd)
				must(t, err)
				now := time.Now()
				at.Store(&now)
			})
		}})
		defer h.close()
		p, _ := h.admit("2001", "02079460000")
		h.answer(p)
		<-h.cuts
		if d := time.Since(*at.Load()); d != time.Minute {
			t.Errorf("it ended %v after the lock", d)
		}
		if n := h.gate.stats.extended.Load(); n != 1 {
			t.Errorf("%d slices were bought, want the one that was on its way", n)
		}
		h.record(p.ID)
		h.square(0)
	})
}

// slow is a purse that does something before each slice is written.
type slow struct {
	store.Money
	meanwhile func()
}

func (m *slow) Apply(ctx context.Context, ops []store.Op) ([]store.Outcome, error) {
	for _, op := range ops {
		if op.Kind == store.OpExtend {
			m.meanwhile()
		}
	}
	return m.Money.Apply(ctx, ops)
}

// Emergency and free calls go on whatever a lock does with others; what costs and is not answered yet ends before it costs.
func TestWhatALockDoesToEachCall(t *testing.T) {
	for calls, want := range map[account.LockCalls]string{
		account.CallsEnd: "up: emergency free between paid", account.CallsCut: "up: emergency free between",
		account.CallsKept: "up: emergency free between paid ringing",
	} {
		b := newBook(t)
		synctest.Test(t, func(t *testing.T) {
			h := followed(t, b, memory.New())
			defer h.close()
			ids := map[string]call.ID{}
			for name, to := range map[string]string{"emergency": "999", "free": "0800 1111", "between": "02079460102", "paid": "02079460000", "ringing": "02079460001"} {
				p, why := h.admit("2001", to)
				if why != policy.OK {
					t.Fatal(name, why)
				}
				if name != "ringing" {
					h.answer(p)
				}
				ids[name] = p.ID
			}
			h.lockAs(calls)
			up := func() string {
				s := "up:"
				for _, name := range []string{"emergency", "free", "between", "paid", "ringing"} {
					if h.gate.get(ids[name]) != nil {
						s += " " + name
					}
				}
				return s
			}
			if got := up(); got != want {
				t.Errorf("lock %v: %s, want %s", calls, got, want)
			}
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if calls != account.CallsKept {
				want = "up: emergency free between"
			}
			if got := up(); got != want {
				t.Errorf("lock %v, ten minutes later: %s, want %s", calls, got, want)
			}
		})
	}
}

// Locks of one line one after another, and unlocking: the last one counts, and a call that still runs on paid time buys again
// when it may.
func TestLocksInSequence(t *testing.T) {
	const s = time.Second
	type step struct {
		after time.Duration
		do    func(*house)
	}
	end, cut, keep := func(h *house) { h.lockAs(account.CallsEnd) }, func(h *house) { h.lockAs(account.CallsCut) }, func(h *house) { h.lockAs(account.CallsKept) }
	unlock := (*house).unlock
	for name, c := range map[string]struct {
		steps []step
		want  time.Duration // talk time; 0: it goes on
	}{
		"unlocked in time":                       {[]step{{20 * s, end}, {30 * s, unlock}}, 0},
		"unlocked when the next slice was due":   {[]step{{20 * s, end}, {35 * s, unlock}}, 0},
		"unlocked at the last moment":            {[]step{{20 * s, end}, {39*s + 500*time.Millisecond, unlock}}, 0},
		"a plain lock, then kept":                {[]step{{20 * s, end}, {35 * s, keep}}, 0},
		"kept, then plain":                       {[]step{{20 * s, keep}, {100 * s, end}}, 180 * s},
		"plain, then cut":                        {[]step{{20 * s, end}, {10 * s, cut}}, 30 * s},
		"kept, then cut":                         {[]step{{20 * s, keep}, {200 * s, cut}}, 220 * s},
		"plain twice: the first lock counts":     {[]step{{55 * s, end}, {30 * s, end}}, 115 * s},
		"locked, unlocked, locked":               {[]step{{55 * s, end}, {1 * s, unlock}, {4 * s, end}}, 120 * s},
		"locked, unlocked, locked a slice later": {[]step{{55 * s, end}, {1 * s, unlock}, {60 * s, end}}, 176 * s},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			synctest.Test(t, func(t *testing.T) {
				h := followed(t, b, memory.New())
				defer h.close()
				p, _ := h.admit("2001", "02079460000")
				h.answer(p)
				began := time.Now()
				for _, st := range c.steps {
					time.Sleep(st.after)
					synctest.Wait()
					st.do(h)
				}
				if c.want == 0 {
					time.Sleep(10 * time.Minute)
					synctest.Wait()
					if h.gate.get(p.ID) == nil {
						t.Error("the call ended")
					}
					return
				}
				<-h.cuts
				if d := time.Since(began); d != c.want {
					t.Errorf("it ended after %v, want %v", d, c.want)
				}
			})
		})
	}
}

// A slice may be an hour, and a price so low, or a fee for the whole call, that a slice pays for hours: a minute after the lock
// it is over.
func TestALockedCallEndsWithinAMinute(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		h := followed(t, b, memory.New())
		defer h.close()
		h.gate.o.Slice = time.Hour
		p, _ := h.admit("2001", "02079460000")
		h.answer(p)
		time.Sleep(5 * time.Minute)
		h.lockAs(account.CallsEnd)
		at := time.Now()
		<-h.cuts
		if d := time.Since(at); d != time.Minute {
			t.Errorf("it ended %v after the lock", d)
		}
		if r := h.record(p.ID); r.Retail != 360*200 {
			t.Errorf("six minutes cost %v", r.Retail)
		}
		h.square(0)
	})
}

// A lock, or a restriction that ends calls, holds across a restart: what was taken back buys nothing more, ends at once if the lock says so or
// the line is gone, and goes on if the lock or the restriction lets it.
func TestALockHoldsAcrossARestart(t *testing.T) {
	restricts := func(names string, ends bool) func(*house) {
		return func(h *house) {
			set, err := restrict.ParseSet(names)
			must(h.t, err)
			_, err = h.book.EditLine(context.Background(), "test", "2001", book.LineEdit{Restrict: &restrict.Restriction{Names: set, Ends: ends}})
			must(h.t, err)
		}
	}
	for name, c := range map[string]struct {
		lock  func(*house)
		after time.Duration // talk time at the end; 0: it goes on
	}{
		"restricted": {restricts("+4420", true), time.Minute},
		"by class":   {restricts("geographic", true), time.Minute},
		"for others": {restricts("mobile, abroad", true), 0},
		"for new":    {restricts("paid", false), 0},
		"plain":      {func(h *house) { h.lockAs(account.CallsEnd) }, time.Minute},
		"cut":        {func(h *house) { h.lockAs(account.CallsCut) }, 20 * time.Second},
		"kept":       {func(h *house) { h.lockAs(account.CallsKept) }, 0},
		"removed":    {func(h *house) { must(h.t, h.book.DeleteLine(context.Background(), "test", "2001")) }, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			synctest.Test(t, func(t *testing.T) {
				m := memory.New()
				h := open(t, b, m)
				p, _ := h.admit("2001", "02079460000")
				h.answer(p)
				began := time.Now()
				time.Sleep(20 * time.Second)
				h.close()
				c.lock(h) // while the program is away
				h = followed(t, b, m)
				defer h.close()
				h.gate.HeedLocks()
				if c.after == 0 {
					time.Sleep(10 * time.Minute)
					synctest.Wait()
					if h.gate.get(p.ID) == nil || h.gate.stats.extended.Load() < 9 {
						t.Error("the call ended, or buys no more")
					}
					return
				}
				<-h.cuts
				if d := time.Since(began); d != c.after {
					t.Errorf("it ended after %v, want %v", d, c.after)
				}
				if n := h.gate.stats.extended.Load(); n != 0 {
					t.Errorf("%d slices were bought", n)
				}
			})
		})
	}
}

// TestLocksRaceWithCalls: calls are let out, answered and metered while their line is locked and unlocked. Once it stays
// locked, nothing is bought, and all are over a slice later.
func TestLocksRaceWithCalls(t *testing.T) {
	b := newBook(t)
	set(t, b, account.MaxCalls, 10_000, true)
	set(t, b, account.CallsPerMinute, 10_000, true)
	set(t, b, account.LineDayCap, 1_000_000_000, true)
	h := followed(t, b, memory.New())
	defer h.close()
	h.gate.o.Slice, h.gate.o.Ahead = 200*time.Millisecond, 100*time.Millisecond
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 40 {
				if p, why := h.admit("2001", "02079460000"); why == policy.OK {
					h.gate.Trying(p.ID, p.Routes[0], "b-leg")
					_ = h.gate.Answered(context.Background(), p.ID, p.Routes[0], []byte("dialogs"))
				}
			}
		})
	}
	for range 20 {
		_, err := b.Lock(context.Background(), "test", "2001", "stolen", account.CallsEnd)
		must(t, err)
		_, err = b.Unlock(context.Background(), "test", "2001")
		must(t, err)
	}
	_, err := b.Lock(context.Background(), "test", "2001", "stolen", account.CallsEnd)
	must(t, err)
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for h.gate.OpenCalls() > 0 {
		select {
		case <-h.cuts:
		case <-ctx.Done():
			t.Fatalf("%d calls are up a minute after the lock", h.gate.OpenCalls())
		}
	}
}
