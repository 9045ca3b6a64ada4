// Package feed is the queue between those who change marks and one follower: it never makes a writer wait. It must not
// know where changes come from.
package feed

import (
	"context"
	"sync"

	"ringfence/state/counters"
)

// Max is how many changes wait for a slow follower (at most 4.5 MB with the longest keys and values). Beyond it they are
// dropped, and the follower is told to read afresh.
const Max = 1024

// Feed is one follower's queue. Make it with New.
type Feed struct {
	wake chan struct{} // holds one when there may be something to do

	mu    sync.Mutex        // owns all below
	queue []counters.Change // in order, all from after the moment of fresh
	fresh bool              // tell the follower to read afresh before the queue
}

// New makes an empty feed.
func New() *Feed { return &Feed{wake: make(chan struct{}, 1)} }

// Push adds a change. It never blocks.
func (f *Feed) Push(c counters.Change) {
	f.mu.Lock()
	if len(f.queue) >= Max {
		f.queue, f.fresh = nil, true
	} else {
		f.queue = append(f.queue, c)
	}
	f.mu.Unlock()
	f.signal()
}

// Begin says that changes may have been missed, and that from now on none is: what waits is dropped, for the follower
// reads everything afresh after this moment.
func (f *Feed) Begin() {
	f.mu.Lock()
	f.queue, f.fresh = nil, true
	f.mu.Unlock()
	f.signal()
}

func (f *Feed) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *Feed) take() (queue []counters.Change, fresh bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	queue, fresh = f.queue, f.fresh
	f.queue, f.fresh = nil, false
	return queue, fresh
}

// Run hands changes to see until ctx ends.
func (f *Feed) Run(ctx context.Context, see func(counters.Change)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		}
		queue, fresh := f.take()
		if fresh && ctx.Err() == nil {
			see(counters.Change{})
		}
		for i := range queue {
			if ctx.Err() != nil {
				return
			}
			see(queue[i])
		}
	}
}
