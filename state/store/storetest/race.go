package storetest

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/money"
	"ringfence/state/store"
)

// Race has many callers open, extend, settle and void calls against a few purses at once, through each of stores, which
// are the same store opened by one or several nodes. No purse ever passes its cap by one micro-unit, as the callers
// themselves add it up, and in the end nothing is held.
func Race(t *testing.T, callers, calls int, stores ...store.Money) {
	t.Helper()
	var wg sync.WaitGroup
	var granted, refused atomic.Int64
	for w := range callers {
		m := stores[w%len(stores)]
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(w)))
			for i := range calls {
				held, err := raceCall(t.Context(), m, r, w*calls+i)
				if err != nil {
					t.Error(err)
					return
				}
				if held {
					granted.Add(1)
				} else {
					refused.Add(1)
				}
			}
		})
	}
	stop, watched := make(chan struct{}), make(chan struct{})
	go watchCaps(t, stores[0], stop, watched)
	wg.Wait()
	close(stop)
	<-watched
	if granted.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d granted, %d refused: nothing was contended", granted.Load(), refused.Load())
	}
	for _, p := range raceBalances(t, stores[0]) {
		if p.Held != 0 {
			t.Errorf("purse %s holds %d in the end", p.ID, p.Held)
		}
	}
	clean(t, stores[0])
}

const raceCap = 2003 // no multiple of anything held

var racePurses = []string{"p0", "p1", "p2", "p3", "p4"}

func raceBalances(t *testing.T, m store.Money) []store.Purse {
	t.Helper()
	ps, err := m.Purses(context.Background(), racePurses)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func watchCaps(t *testing.T, m store.Money, stop, done chan struct{}) {
	defer close(done)
	for {
		ps, err := m.Purses(context.Background(), racePurses)
		if err != nil {
			t.Error(err)
			return
		}
		for _, p := range ps {
			if p.Spent+p.Held > raceCap || p.Spent < 0 || p.Held < 0 {
				t.Errorf("purse %+v over its cap of %d", p, raceCap)
			}
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

// raceCall is one call: opened in two purses in either order, perhaps extended, settled dear, cheap or for nothing.
func raceCall(ctx context.Context, m store.Money, r *rand.Rand, n int) (bool, error) {
	c := Call(n, "l")
	a := r.IntN(len(racePurses))
	holds := []store.Hold{In(racePurses[a], raceCap), In(racePurses[(a+1+r.IntN(len(racePurses)-1))%len(racePurses)], raceCap)}
	x := money.Micro(1 + r.IntN(700))
	out, err := m.Apply(ctx, []store.Op{Open(c, x, holds...)})
	if err != nil || out[0].Refused {
		return false, err
	}
	held := x
	if r.IntN(2) == 0 {
		out, err = m.Apply(ctx, []store.Op{Extend(c, x, 2*time.Minute, holds...), {Kind: store.OpUpdate, ID: c.ID, Call: c}})
		if err != nil {
			return false, err
		}
		if !out[0].Refused {
			held += x
		}
	}
	cost := money.Micro(0)
	if r.IntN(20) == 0 { // most are cheap, so that the race lasts
		cost = held / 8
	}
	// Settled twice, perhaps in one group.
	out, err = m.Apply(ctx, []store.Op{Settle(c, cost), Settle(c, cost)})
	return err == nil && !out[0].Missing && out[1].Duplicate, err
}

func racing(t *testing.T, m store.Money) { Race(t, 16, 60, m) }

// Stampede has racers take single units of one purse of limit at once, through each of stores, and wants exactly limit
// granted. (Read, decide, write grants 101 to 133 of 100.)
func Stampede(t *testing.T, racers, limit int, stores ...store.Money) {
	t.Helper()
	var granted atomic.Int64
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range racers {
		m := stores[i%len(stores)]
		wg.Go(func() {
			<-begin
			out, err := m.Apply(context.Background(), []store.Op{Open(Call(1_000_000+i, "l"), 1, In("stampede", money.Micro(limit)))})
			if err != nil {
				t.Error(err)
			} else if !out[0].Refused {
				granted.Add(1)
			}
		})
	}
	close(begin)
	wg.Wait()
	if granted.Load() != int64(limit) {
		t.Errorf("%d of %d granted", granted.Load(), limit)
	}
	wantPurse(t, stores[0], "stampede", 0, money.Micro(limit))
	clean(t, stores[0])
}

func stampede(t *testing.T, m store.Money) { Stampede(t, 300, 100, m) }
