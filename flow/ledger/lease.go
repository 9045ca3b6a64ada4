package ledger

import (
	"context"
	"time"

	"ringfence/core/call"
)

// Leases renews the leases of this node's open calls every third of Options.Lease, and then claims calls of nodes that
// have stopped renewing: claimed gets them, in this goroutine. It returns when ctx ends. A node that could not renew
// claims nothing: it may itself be the one that is cut off.
func (l *Ledger) Leases(ctx context.Context, claimed func([]call.Open)) {
	tick := time.NewTicker(max(l.o.Lease/3, time.Millisecond))
	defer tick.Stop()
	for {
		if calls := l.lease(ctx); len(calls) > 0 {
			l.o.Log.Warn("took over calls of a node that stopped", "calls", len(calls))
			claimed(calls)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *Ledger) lease(ctx context.Context) []call.Open {
	ctx, cancel := context.WithTimeout(ctx, l.o.Lease/3)
	defer cancel()
	now := time.Now()
	until := now.Add(l.o.Lease)
	err := l.m.Renew(ctx, l.o.Node, until)
	var calls []call.Open
	if err == nil {
		calls, err = l.m.Claim(ctx, l.o.Node, now, until)
	}
	if err != nil && ctx.Err() == nil {
		l.o.Log.Error("leases could not be kept", "err", err)
	}
	return calls
}
