package ledger

import (
	"context"
	"time"

	"ringfence/core/call"
)

// Leases renews the leases of this node's open calls every third of Options.Lease, and then claims calls of nodes that
// have stopped renewing: claimed gets them, or the error with which it is not known which, in this goroutine. If this node itself was away for longer than a lease, others
// may have claimed its calls: returned is told first, and again until it succeeds. It returns when ctx ends. A node that could not renew
// claims nothing: it may itself be the one that is cut off. All instants are of the store's clock; after that clock has
// jumped (another server has taken over, or somebody has set it) nothing is claimed for a whole lease, so that the living
// renew first.
func (l *Ledger) Leases(ctx context.Context, claimed func([]call.Open, error), returned func(context.Context) error) {
	tick := time.NewTicker(max(l.o.Lease/3, time.Millisecond))
	defer tick.Stop()
	var seen jumps
	for {
		calls, err := l.lease(ctx, &seen, returned)
		l.leased.Store(time.Since(l.began).Nanoseconds())
		if len(calls) > 0 {
			l.o.Log.Warn("took over calls of a node that stopped", "calls", len(calls))
		}
		if len(calls) > 0 || err != nil {
			claimed(calls, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Away says that the leases were last looked after longer ago than they last: the process stood still, and whether its calls are still its
// own is found out in a moment. A store that does not answer meanwhile is waited for no longer than for any question about leases.
func (l *Ledger) Away() bool {
	now, last, woke := int64(time.Since(l.began)), l.leased.Load(), l.woke.Load()
	if last == 0 || now-last <= int64(l.o.Lease) {
		return false
	}
	if woke < last { // of another time
		woke = now
		l.woke.Store(now)
	}
	return now-woke < int64(l.o.Lease/3)
}

func (l *Ledger) lease(ctx context.Context, seen *jumps, returned func(context.Context) error) ([]call.Open, error) {
	ctx, cancel := context.WithTimeout(ctx, l.o.Lease/3)
	defer cancel()
	now, err := l.m.Clock(ctx)
	if err == nil {
		err = l.m.Renew(ctx, l.o.Node, l.o.Lease)
	}
	if err == nil && seen.lapsed(now, time.Now(), l.o.Lease) {
		l.o.Log.Warn("this node was away for longer than its lease: other nodes may have taken over its calls")
		if err = returned(ctx); err == nil {
			seen.back()
		}
	}
	if err == nil && seen.jumped(now, time.Now(), l.o.Lease) {
		l.o.Log.Warn("the store's clock has jumped; calls of other nodes are left alone for a while", "clock", now)
		return nil, nil
	}
	var calls []call.Open
	if err == nil && time.Now().After(seen.quiet) {
		calls, err = l.m.Claim(ctx, l.o.Node, l.o.Lease)
	}
	if err != nil && ctx.Err() == nil {
		l.o.Log.Error("leases could not be kept", "err", err)
	}
	return calls, err
}

// jumps notices that the store's clock did not go on as this process's own did, which no one can set: time.Time counts
// monotonically within a process.
type jumps struct {
	store, own time.Time
	quiet      time.Time // nothing is claimed until then

	renewedStore, renewedOwn time.Time // when the lease was last renewed, by both clocks
	away                     bool
}

// lapsed says that the lease had ended before it was renewed now. It stays so until back.
func (j *jumps) lapsed(store, own time.Time, lease time.Duration) bool {
	if !j.renewedOwn.IsZero() && (own.Sub(j.renewedOwn) > lease || store.Sub(j.renewedStore) > lease) {
		j.away = true
	}
	j.renewedStore, j.renewedOwn = store, own
	return j.away
}

func (j *jumps) back() { j.away = false }

func (j *jumps) jumped(store, own time.Time, lease time.Duration) bool {
	was := *j
	j.store, j.own = store, own
	if was.own.IsZero() || (store.Sub(was.store)-own.Sub(was.own)).Abs() <= lease/6 {
		return false
	}
	j.quiet = own.Add(lease)
	return true
}
