package gate

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/policy"
	"ringfence/flow/ledger"
	"ringfence/state/store"
)

// meter is one queue of calls by the time when each must be looked at: to hold its next slice, or to be cut.
type meter struct {
	mu    sync.Mutex // owns queue
	queue dues
	wake  chan struct{}
	quit  chan struct{}
	done  chan struct{}
	once  sync.Once
}

// due is a look at a call. Calls that ended meanwhile are found gone and skipped.
type due struct {
	at time.Time
	id call.ID
}

type dues []due

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dues) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *dues) Push(x any)        { *d = append(*d, x.(due)) }
func (d *dues) Pop() any {
	last := len(*d) - 1
	x := (*d)[last]
	*d = (*d)[:last]
	return x
}

func (m *meter) init() {
	m.wake, m.quit, m.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
}

func (m *meter) stop() {
	m.once.Do(func() { close(m.quit) })
}

func (m *meter) add(id call.ID, at time.Time) {
	m.mu.Lock()
	heap.Push(&m.queue, due{at, id})
	first := m.queue[0].id == id
	m.mu.Unlock()
	if first {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// next takes what is due at now, or says how long until something is.
func (m *meter) next(now time.Time) (ids []call.ID, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.queue) > 0 && !m.queue[0].at.After(now) {
		ids = append(ids, heap.Pop(&m.queue).(due).id)
	}
	if len(m.queue) > 0 {
		return ids, m.queue[0].at.Sub(now)
	}
	return ids, time.Hour
}

// housekeeping is how often counts are swept and suppressed refusals are written down.
const housekeeping = 10 * time.Second

func (g *Gate) runMeter() {
	defer close(g.meter.done)
	tick := time.NewTicker(housekeeping)
	defer tick.Stop()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		ids, wait := g.meter.next(clock())
		for _, id := range ids {
			g.look(id)
		}
		timer.Reset(wait)
		select {
		case <-g.meter.quit:
			return
		case <-timer.C:
		case <-g.meter.wake:
		case now := <-tick.C:
			g.counts.Sweep(now)
			g.closeLimits(now)
			g.audit(now)
			go g.reclaim()
		}
	}
}

// look does what a call needs at this moment.
func (g *Gate) look(id call.ID) {
	if g.o.Ledger.Away() { // another node may have it, and more money for it
		g.meter.add(id, clock().Add(awayAgain))
	} else if l := g.get(id); l != nil {
		r := g.restricted(l)
		g.step(l, func(now time.Time, t engine.Terms) engine.Step {
			if s, closed := l.Closed(r, now, t); closed {
				return s
			}
			return l.Look(now, t)
		})
	}
}

// awayAgain is how soon a call is looked at again while it is not known whether it is still this node's.
const awayAgain = 100 * time.Millisecond

// step gives a call an event and does what comes of it.
func (g *Gate) step(l *live, event func(time.Time, engine.Terms) engine.Step) {
	l.mu.Lock()
	s := event(clock(), g.o.terms())
	if s.Buy {
		g.buy(l)
	}
	l.mu.Unlock()
	g.do(l, s)
}

// do is what a step says, but for buying.
func (g *Gate) do(l *live, s engine.Step) {
	if s.First {
		g.stats.cut.Add(1)
		g.o.Ledger.Record(s.Facts...)
	}
	if s.Cut && g.edge.Cut != nil {
		g.edge.Cut(l.Open.ID, s.Why, s.Figures)
	}
	if !s.Wake.IsZero() {
		g.meter.add(l.Open.ID, s.Wake)
	}
}

// buy begins to hold the next slice. l.mu is held.
func (g *Gate) buy(l *live) {
	done := make(chan struct{})
	l.bought = done
	go func() {
		defer close(done)
		g.extend(l)
	}()
}

// extend holds the next slice, or what is left of the purses. It runs on its own goroutine, one for a call at a time.
func (g *Gate) extend(l *live) {
	l.mu.Lock()
	ask := l.Next(clock(), g.o.terms())
	l.mu.Unlock()
	for holds, settings := g.holdsOf(&l.Open); ; {
		if r := g.mayBuy(l); r != nil {
			g.noMore(l, r.Reason, r.Figures)
			return
		}
		out, err := g.hold(l, holds, settings, &ask)
		switch {
		case err != nil:
			g.extendLater(l, err)
			return
		case out.Missing:
			g.vanished(l)
			return
		case out.Moved:
			g.letGo(l)
			return
		case !out.Refused:
			g.stats.extended.Add(1)
			g.step(l, func(now time.Time, t engine.Terms) engine.Step { return l.Bought(&ask, now, t) })
			return
		}
		switch ask.Refused(out.Room) {
		case engine.NoRoom:
			r := g.whichPurse(l.Open.ID, holds, out, ask.Least())
			g.noMore(l, r.Reason, r.Figures)
			return
		case engine.Unsure:
			g.extendLater(l, nil)
			return
		}
	}
}

// lateWait is how long the store is waited for while a call runs on what is not paid yet.
const lateWait = 2 * time.Second

// hold asks the purses, whose caps come from settings.
func (g *Gate) hold(l *live, holds []store.Hold, settings string, ask *engine.Ask) (store.Outcome, error) {
	wait, now := g.o.Ahead, clock()
	l.mu.Lock()
	if l.Behind(now) {
		wait = min(wait, lateWait)
	}
	held := l.Held(ask, settings, now)
	l.mu.Unlock()
	id := l.Open.ID
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	return g.o.Ledger.Do(ctx, store.Op{
		Kind: store.OpExtend, ID: id, Node: g.o.Node, Holds: holds, Amount: ask.Amount(), Call: &call.Open{ID: id, Held: ask.Want, PaidFor: ask.Paid}, Lease: g.o.Lease,
		Facts: []store.Fact{held},
	})
}

// noMore remembers why no more may be held: the call runs to the end of what is paid and is cut there.
func (g *Gate) noMore(l *live, reason policy.Reason, f policy.Figures) {
	g.step(l, func(now time.Time, t engine.Terms) engine.Step { return l.NoMore(reason, f, now, t) })
}

// extendLater tries again in a moment; if that never succeeds the call is cut where its money ends.
func (g *Gate) extendLater(l *live, err error) {
	if err != nil && !errors.Is(err, ledger.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
		g.o.Log.Error("a slice could not be held", "call", l.Open.ID, "err", err)
	}
	g.step(l, func(now time.Time, _ engine.Terms) engine.Step { return l.Later(err != nil, now) })
}
