package sip

import (
	"sync"
	"time"

	"ringfence/core/account"
)

// outs are the calls out over each trunk, on this node. A carrier sells so many calls at once and so many a second: a trunk that has them is
// passed over. Emergency calls count, and are never passed over. Safe for concurrent use; the zero value is ready.
type outs struct {
	mu  sync.Mutex // owns all below
	all map[string]*load
}

type load struct {
	calls int
	begun []time.Time // the latest, the oldest first: no more than a second has
}

// Full is what a trunk has no room for.
type Full string

// What a trunk can be full of.
const (
	HasRoom   Full = ""
	FullCalls Full = "calls"
	FullRate  Full = "rate"
)

// take enters a leg to a trunk, unless the trunk is full and the call must not go beyond that.
func (o *outs) take(t *account.Trunk, always bool, now time.Time) Full {
	o.mu.Lock()
	defer o.mu.Unlock()
	x := o.all[t.Name]
	if x == nil {
		x = &load{}
		if o.all == nil {
			o.all = map[string]*load{}
		}
		o.all[t.Name] = x
	}
	if full := x.full(t, now); full != HasRoom && !always {
		return full
	}
	x.calls++
	if t.MaxRate > 0 {
		x.begun = append(x.begun, now)
	}
	return HasRoom
}

// full says what a trunk has no room for now. What began more than a second ago is forgotten.
func (x *load) full(t *account.Trunk, now time.Time) Full {
	i := 0
	for i < len(x.begun) && now.Sub(x.begun[i]) >= time.Second {
		i++
	}
	x.begun = append(x.begun[:0], x.begun[i:]...)
	switch {
	case t.MaxCalls > 0 && x.calls >= t.MaxCalls:
		return FullCalls
	case t.MaxRate > 0 && len(x.begun) >= t.MaxRate:
		return FullRate
	}
	return HasRoom
}

// enter counts a leg that was there before this process.
func (o *outs) enter(trunk string) { o.take(&account.Trunk{Name: trunk}, true, time.Time{}) }

// give takes a leg out again.
func (o *outs) give(trunk string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if x := o.all[trunk]; x != nil {
		if x.calls--; x.calls <= 0 && len(x.begun) == 0 {
			delete(o.all, trunk)
		}
	}
}

// TrunkCalls is how many calls out a trunk has on this node, and what it has no room for.
func (e *Edge) TrunkCalls(t *account.Trunk) (n int, full Full) {
	e.outs.mu.Lock()
	defer e.outs.mu.Unlock()
	x := e.outs.all[t.Name]
	if x == nil {
		return 0, HasRoom
	}
	return x.calls, x.full(t, time.Now())
}

// givesBack gives the leg's place at its trunk back, once: it has failed or is hung up.
func (l *leg) givesBack() {
	if l.counted {
		l.counted = false
		l.b.s.e.outs.give(l.trunk)
	}
}
