package valkey

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	valkeygo "github.com/valkey-io/valkey-go"

	"ringfence/state/counters"
	"ringfence/state/counters/internal/feed"
)

// How long a follower waits before it connects again: twice as long each time, with a random part so that nodes do not reconnect together.
const (
	firstWait   = 50 * time.Millisecond
	longestWait = 5 * time.Second
)

// Follow follows a table; see counters.Counters. A server that no longer answers is noticed within two Timeouts and a
// second.
func (e *Engine) Follow(ctx context.Context, table string, f func(counters.Change)) {
	q := feed.New()
	var wg sync.WaitGroup
	wg.Go(func() { e.listen(ctx, table, q) })
	q.Run(ctx, f)
	wg.Wait()
}

// listen keeps a subscription until ctx ends.
func (e *Engine) listen(ctx context.Context, table string, q *feed.Feed) {
	wait, told := firstWait, false
	for ctx.Err() == nil {
		var up bool // written before Receive returns: by the hook, on the connection's goroutine
		var mu sync.Mutex
		hooked := valkeygo.WithOnSubscriptionHook(ctx, func(s valkeygo.PubSubSubscription) {
			if s.Kind != "subscribe" {
				return
			}
			mu.Lock()
			up = true
			mu.Unlock()
			q.Begin()
		})
		err := e.c.Receive(hooked, e.c.B().Subscribe().Channel(e.channel(table)).Build(), func(m valkeygo.PubSubMessage) {
			c, err := change(table, m.Message)
			if err != nil {
				e.o.Log.Warn("counters: a message that is not ours", "table", table)
				return
			}
			q.Push(c)
		})
		if ctx.Err() != nil {
			return
		}
		mu.Lock()
		if up {
			wait, told = firstWait, false
		}
		mu.Unlock()
		if !told {
			e.o.Log.Warn("counters: changes are not heard; trying again", "table", table, "err", err)
			told = true
		}
		pause(ctx, wait/2+rand.N(wait/2))
		wait = min(2*wait, longestWait)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
