package app

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/flow/keep"
)

// clock fixes the present on clocks that outlive this process and cannot be set: the machine's since its boot, and the
// store's, which every node reads. The wall clock may be set across a restart, and those of two nodes differ.
type clock struct {
	boot string // identity of the machine's boot; "" where there is none

	mu         sync.Mutex // owns both
	store, own time.Time  // the store's clock, and ours when it was read
}

func newClock() *clock {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return &clock{}
	}
	return &clock{boot: strings.TrimSpace(string(id))}
}

// read asks the store for its time. What was known before stays when it does not answer.
func (c *clock) read(ctx context.Context, ask func(context.Context) (time.Time, error)) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	before := time.Now()
	at, err := ask(ctx)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store, c.own = at, before.Add(time.Since(before)/2)
}

// anchor is the present.
func (c *clock) anchor() call.Anchor {
	a := call.Anchor{}
	if up, ok := uptime(); ok && c.boot != "" {
		a.Boot, a.Uptime = c.boot, up
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.own.IsZero() {
		a.Store = c.store.Add(time.Since(c.own))
	}
	return a
}

// clockEvery is how often the store's clock is read.
const clockEvery = 10 * time.Second

func (a *App) followClock(ctx context.Context) {
	keep.Every(ctx, clockEvery, func(time.Time) { a.clock.read(ctx, a.money.Clock) })
}
