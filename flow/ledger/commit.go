package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringfence/state/store"
)

// Waits between tries while the store fails.
const (
	firstRetry = 20 * time.Millisecond
	lastRetry  = time.Second
)

// commit is the committer: it takes what has gathered while the last transaction was written, and writes that. At low
// load an op is alone in its transaction and waits for one write of the disk; see gather for what happens at high load.
func (l *Ledger) commit() {
	defer close(l.done)
	retry := firstRetry
	for {
		l.gather()
		group := l.take()
		if len(group) == 0 && l.Healthy() == nil {
			select {
			case <-l.wake:
				continue
			case <-l.stop:
				if !l.pending() {
					return
				}
				continue
			}
		}
		if l.write(group) {
			retry = firstRetry
			continue
		}
		if !l.pause(retry) {
			return
		}
		retry = min(2*retry, lastRetry)
	}
}

// gather waits a little for company where that saves writes: when transactions follow one another closely, and when
// nobody waits for what is in the queue (settlements, facts). It ends early when somebody comes who waits, when the
// group is full, and at Stop.
func (l *Ledger) gather() {
	l.mu.Lock()
	n, waiting, last := len(l.queue), l.waiting, l.lastCommit
	l.mu.Unlock()
	wait := l.o.Linger
	switch {
	case n == 0 || n >= gatherEnough:
		return
	case waiting > 0 && time.Since(last) > busyWithin:
		return
	case waiting > 0:
		wait = l.o.Gather
	}
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-l.stop:
			return
		case <-l.wake:
		}
		l.mu.Lock()
		n, came := len(l.queue), l.waiting > 0
		l.mu.Unlock()
		if n >= gatherEnough || came && waiting == 0 {
			return
		}
	}
}

const (
	busyWithin   = 4 * time.Millisecond // a transaction so long ago or less means that more are coming
	gatherEnough = 16                   // ops that are company enough
)

func (l *Ledger) pending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) > 0
}

// pause waits before the next try. It is false when Stop waits no longer, or has nothing left to wait for.
func (l *Ledger) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.abandon:
		return false
	}
	select {
	case <-l.stop:
		return l.pending()
	default:
		return true
	}
}

// take removes the next group from the queue.
func (l *Ledger) take() []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.queue), l.o.Group)
	group := make([]*entry, 0, n)
	for _, e := range l.queue[:n] {
		if e.op.Kind == store.OpUpdate && l.updates[e.op.ID] == e {
			delete(l.updates, e.op.ID)
		}
		if e.kind == waited {
			l.waiting--
			if e.gone {
				continue
			}
		}
		group = append(group, e)
	}
	l.queue = append(l.queue[:0], l.queue[n:]...)
	clear(l.queue[len(l.queue):cap(l.queue)]) // let go of what was taken
	l.writing = group
	return group
}

// write makes a group durable and tells its waiters. It is false when the store failed.
func (l *Ledger) write(group []*entry) bool {
	for {
		began := time.Now()
		outs, err := l.apply(group)
		var bad *store.OpError
		if errors.As(err, &bad) && bad.Index < len(group) {
			// One op is impossible; the others are not to suffer for it.
			l.reject(group[bad.Index], err)
			group = slices.Concat(group[:bad.Index], group[bad.Index+1:]) // l.writing is read meanwhile
			if len(group) == 0 {
				return true
			}
			continue
		}
		if err != nil {
			l.fail(group, err)
			return false
		}
		l.succeed(group, outs, time.Since(began))
		return true
	}
}

// apply gives a group to the store; of nothing it makes a trial, to see whether the store is back.
func (l *Ledger) apply(group []*entry) ([]store.Outcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.o.Timeout)
	defer cancel()
	if len(group) == 0 {
		return nil, l.m.Ping(ctx)
	}
	ops := make([]store.Op, len(group))
	for i, e := range group {
		ops[i] = e.op
	}
	outs, err := l.m.Apply(ctx, ops)
	if err == nil && len(outs) != len(ops) {
		err = fmt.Errorf("%d outcomes of %d operations", len(outs), len(ops))
	}
	return outs, err
}

func (l *Ledger) reject(e *entry, err error) {
	l.forget(e)
	if e.result != nil {
		e.result <- result{err: err}
		return
	}
	l.invalid(&e.op, err)
}

// forget ends the count of an entry that will not be written any more, or was.
func (l *Ledger) forget(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uncount(e)
}

// uncount needs mu.
func (l *Ledger) uncount(e *entry) {
	switch e.kind {
	case posted:
		l.posted--
	case recorded:
		l.facts -= len(e.op.Facts)
	}
}

func (l *Ledger) succeed(group []*entry, outs []store.Outcome, took time.Duration) {
	l.mu.Lock()
	if l.failed != nil {
		l.o.Log.Info("the store is back", "waiting", len(l.queue))
	}
	l.failed = nil
	l.lastCommit = time.Now()
	l.writing = nil
	l.stats.count(group, outs, took)
	for _, e := range group {
		l.uncount(e)
	}
	l.mu.Unlock()
	if l.o.Wrote != nil {
		l.o.Wrote()
	}
	for i, e := range group {
		if e.result != nil {
			e.result <- result{out: outs[i]}
			continue
		}
		if e.kind == posted && outs[i].Moved {
			if e.moved != nil {
				go e.moved()
			}
			l.o.Log.Warn("a change of a call came too late: another node has taken it over", "call", string(e.op.ID), "kind", int(e.op.Kind))
		}
		if e.kind == posted && (outs[i].Overspend || outs[i].Refused) {
			l.o.Log.Error("a posted operation was refused", "call", string(e.op.ID), "kind", int(e.op.Kind), "outcome", fmt.Sprintf("%+v", outs[i]))
		}
	}
}

// fail reports to all waiting callers, in the group and behind it, and puts the rest of the group back at the head.
func (l *Ledger) fail(group []*entry, err error) {
	l.mu.Lock()
	if l.failed == nil {
		l.o.Log.Error("the store is unavailable", "err", err)
	}
	l.failed = err
	l.stats.Failures++
	var told []*entry
	var kept []*entry
	for _, e := range group {
		if e.kind == waited {
			told = append(told, e)
		} else {
			kept = append(kept, e)
			if e.op.Kind == store.OpUpdate && l.updates[e.op.ID] == nil {
				l.updates[e.op.ID] = e
			}
		}
	}
	for _, e := range l.queue {
		if e.kind == waited {
			told = append(told, e)
		} else {
			kept = append(kept, e)
		}
	}
	l.queue, l.writing, l.waiting = kept, nil, 0
	l.mu.Unlock()
	for _, e := range told {
		e.result <- result{err: fmt.Errorf("%w: %w", ErrUnavailable, err)}
	}
}
