package gate

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
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
		ids, wait := g.meter.next(time.Now())
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
			g.flushRefusals(now)
			g.audit(now)
			go g.reclaim()
		}
	}
}

// look decides what a call needs at this moment. Times of a running call are monotonic.
func (g *Gate) look(id call.ID) {
	l := g.get(id)
	if l == nil {
		return
	}
	l.mu.Lock()
	if l.cutWhy != policy.OK {
		l.mu.Unlock()
		g.tellCut(l)
		return
	}
	if l.call.State != call.Answered || l.busy {
		l.mu.Unlock()
		return
	}
	talked, c := time.Since(l.since), &l.call
	switch {
	case talked >= c.Longest:
		l.mu.Unlock()
		g.Cut(id, policy.TooLong, policy.Figures{Limit: int64(c.Longest / time.Second), Value: int64(talked / time.Second)}, "")
		return
	case talked >= c.PaidFor && (l.spentWhy != policy.OK || l.failed || l.asked):
		why, f := l.whySpent(), l.spentFig
		if why == policy.CutLocked {
			f = l.paidOut()
		}
		l.mu.Unlock()
		g.Cut(id, why, f, "")
		return
	case talked >= c.PaidFor: // the meter was away, with its process or machine: if the purses have room the call goes on
		l.asked = true
		g.buy(l)
		l.mu.Unlock()
		return
	case l.wantsMore(talked, g.o.Ahead):
		g.buy(l)
		l.mu.Unlock()
		return
	}
	at := l.nextLook(g.o.Ahead)
	l.mu.Unlock()
	g.meter.add(id, at)
}

// whySpent is why a call has come to the end of what is paid. l.mu is held.
func (l *live) whySpent() policy.Reason {
	switch {
	case l.spentWhy != policy.OK:
		return l.spentWhy
	case l.failed:
		return policy.StoreUnavailable
	}
	return policy.NodeLost
}

// wantsMore says that it is time to hold another slice. Once a purse refused, it is asked again now and then until the
// money ends: another call may have given some back. l.mu is held.
func (l *live) wantsMore(talked, ahead time.Duration) bool {
	left := l.call.PaidFor - talked
	if l.call.PaidFor >= l.call.Longest {
		return false
	}
	return l.spentWhy == policy.OK && left <= ahead || l.spentWhy != policy.OK && left >= lastAsk
}

// lastAsk is how long before the end a purse that refused is not asked again.
const lastAsk = time.Second

// nextLook is when the meter must look again. l.mu is held.
func (l *live) nextLook(ahead time.Duration) time.Time {
	end := l.since.Add(l.call.PaidFor)
	if l.call.PaidFor >= l.call.Longest {
		return end
	}
	if l.spentWhy == policy.OK {
		return end.Add(-min(ahead, l.call.PaidFor))
	}
	if left := time.Until(end); left > 2*lastAsk {
		return time.Now().Add(left / 2)
	}
	return end
}

// buy begins to hold the next slice. l.mu is held.
func (g *Gate) buy(l *live) {
	done := make(chan struct{})
	l.busy, l.bought = true, done
	go func() {
		defer close(done)
		g.extend(l)
	}()
}

// extend holds the next slice, or what is left of the purses. It runs on its own goroutine, one for a call at a time.
func (g *Gate) extend(l *live) {
	l.mu.Lock()
	c := l.call
	// Usually PaidFor is ahead of the talk. If the meter was away, what was talked meanwhile is held too.
	from := max(c.PaidFor, time.Since(l.since))
	ahead := min(from+g.o.Slice, c.Longest)
	l.mu.Unlock()
	holds := g.capsNow(l)
	want := c.Quote.Cost(ahead)
	least := c.Quote.Cost(from + time.Nanosecond)
	want = max(want, least)
	for range reserveTries {
		if why, ok := g.mayBuy(l); !ok {
			g.noMore(l, why, policy.Figures{})
			return
		}
		paid := c.Quote.Affords(want, c.Longest)
		out, err := g.hold(&c, l.since, holds, want, paid)
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
			g.extended(l, want, paid)
			return
		case want <= least && from > c.PaidFor && c.Quote.Affords(c.Held.Add(out.Room), c.Longest) > c.PaidFor:
			// What was talked while the meter was away is paid as far as the purses go, and there the call ends.
			want = c.Quote.Cost(c.Quote.Affords(c.Held.Add(out.Room), c.Longest))
			least = want
			continue
		case want <= least:
			why, f := g.whichPurse(c.ID, holds, out, least-c.Held)
			g.noMore(l, why, f)
			return
		}
		want = max(c.Quote.Cost(c.Quote.Affords(c.Held.Add(out.Room), c.Longest)), least)
	}
	g.extendLater(l, nil)
}

// lateWait is how long the store is waited for while a call runs on what is not paid yet.
const lateWait = 2 * time.Second

// hold asks the purses for the difference between what the call holds and want. since is when its talk began.
func (g *Gate) hold(c *call.Open, since time.Time, holds []store.Hold, want money.Micro, paid time.Duration) (store.Outcome, error) {
	next := call.Open{ID: c.ID, PaidFor: paid}
	wait := g.o.Ahead
	if c.PaidFor < time.Since(since) {
		wait = min(wait, lateWait)
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	return g.o.Ledger.Do(ctx, store.Op{
		Kind: store.OpExtend, ID: c.ID, Node: g.o.Node, Holds: holds, Amount: want - c.Held, Call: &next, Lease: g.o.Lease,
		Facts: sliceHeld(c, want, paid),
	})
}

func (g *Gate) extended(l *live, held money.Micro, paid time.Duration) {
	l.mu.Lock()
	l.call.Held, l.call.PaidFor, l.busy, l.spentWhy, l.failed, l.asked = held, paid, false, policy.OK, false, false
	at := l.nextLook(g.o.Ahead)
	id := l.call.ID
	l.mu.Unlock()
	g.stats.extended.Add(1)
	g.meter.add(id, at)
}

// noMore remembers why no more may be held: the call runs to the end of what is paid and is cut there.
func (g *Gate) noMore(l *live, why policy.Reason, f policy.Figures) {
	l.mu.Lock()
	l.spentWhy, l.spentFig, l.busy = why, f, false
	at, id := l.nextLook(g.o.Ahead), l.call.ID
	l.mu.Unlock()
	g.meter.add(id, at)
}

// extendLater tries again in a moment; if that never succeeds the call is cut where its money ends.
func (g *Gate) extendLater(l *live, err error) {
	if err != nil && !errors.Is(err, ledger.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
		g.o.Log.Error("a slice could not be held", "call", l.call.ID, "err", err)
	}
	l.mu.Lock()
	l.busy, l.failed = false, l.failed || err != nil
	at, id := time.Now().Add(retryExtend), l.call.ID
	if end := l.since.Add(l.call.PaidFor); end.Before(at) {
		at = end
	}
	l.mu.Unlock()
	g.meter.add(id, at)
}

const retryExtend = 500 * time.Millisecond
