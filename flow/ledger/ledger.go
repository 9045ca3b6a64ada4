// Package ledger reserves, extends, settles and voids: it owns every money row. One committer gathers the operations of
// a few milliseconds into one transaction (group commit). It must not know prices, protocols or SQL.
package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/call"
	"ringfence/state/store"
)

// ErrUnavailable says that the store cannot make anything durable at the moment. The op may or may not have taken
// effect; asking again with the same op is harmless.
var ErrUnavailable = errors.New("the store is unavailable")

// ErrStopped is wrapped together with ErrUnavailable once Stop was called.
var ErrStopped = errors.New("the ledger has stopped")

// Options of a ledger. Zero fields have the defaults named.
type Options struct {
	Node    string        // whose open calls Leases keeps
	Lease   time.Duration // how long an open call stays this node's without renewal; 60 s
	Log     *slog.Logger  // nowhere
	Group   int           // most ops in one transaction; 512
	Queue   int           // most ops that wait in Do; 16,384. More get ErrUnavailable
	Posted  int           // most ops of Post that wait for the store to come back; 200,000. More are dropped and counted
	Facts   int           // most facts of Record that wait; 32,768. More are dropped and counted
	Timeout time.Duration // how long a transaction may take before it counts as failed; 10 s
	Gather  time.Duration // how long a transaction waits for company while ops come thick and fast; 1.5 ms, < 0 never
	Linger  time.Duration // how long an op waits that no caller waits for; 15 ms, < 0 never
	Wrote   func()        // called after each transaction; it must not block. nil: nobody wants to know
	// Direct: the store is in memory and answers immediately, so that the goroutine that brings an op writes it.
	Direct bool
}

func (o *Options) defaults() {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.Group, o.Queue = cmp.Or(max(o.Group, 0), 512), cmp.Or(max(o.Queue, 0), 16_384)
	o.Posted, o.Facts = cmp.Or(max(o.Posted, 0), 200_000), cmp.Or(max(o.Facts, 0), 32_768)
	o.Lease = cmp.Or(max(o.Lease, 0), time.Minute)
	o.Timeout = cmp.Or(max(o.Timeout, 0), 10*time.Second)
	o.Gather = cmp.Or(o.Gather, 1500*time.Microsecond)
	o.Linger = cmp.Or(o.Linger, 15*time.Millisecond)
}

// Ledger is the one writer of money. Safe for concurrent use.
type Ledger struct {
	m store.Money
	o Options

	began  time.Time
	leased atomic.Int64 // ns from began to when Leases last looked after them; 0: never
	woke   atomic.Int64 // and to when Away first found that it had not for too long

	wake    chan struct{} // holds a token when there may be work
	stop    chan struct{} // closed by Stop
	abandon chan struct{} // closed when Stop may wait no longer
	done    chan struct{} // closed by the committer at its end

	mu         sync.Mutex // owns all below
	queue      []*entry   // accepted and not yet with the store, in order
	writing    []*entry   // with the store
	waiting    int        // entries of queue with a waiting caller
	posted     int        // entries of Post, in queue or with the store
	facts      int        // facts of Record, in queue or with the store
	updates    map[call.ID]*entry
	failed     error // the last failure, while it lasts
	started    bool
	stopped    bool
	stats      Stats
	lastCommit time.Time
}

// entry is one op on its way. It is in the queue, or with the committer.
type entry struct {
	op     store.Op
	kind   entryKind
	result chan result // nil unless a caller waits
	moved  func()      // see PostOr
	gone   bool        // its waiter has left before it was taken: not to be written. Owned by Ledger.mu
}

type entryKind uint8

const (
	waited entryKind = iota
	posted
	recorded
)

type result struct {
	out store.Outcome
	err error
}

// New makes a ledger over a store. Nothing is written before Start.
func New(m store.Money, o Options) *Ledger {
	o.defaults()
	return &Ledger{
		began: time.Now(),
		m:     m, o: o, wake: make(chan struct{}, 1), stop: make(chan struct{}), abandon: make(chan struct{}),
		done: make(chan struct{}), updates: map[call.ID]*entry{},
	}
}

// Start runs the committer until Stop.
func (l *Ledger) Start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started && !l.stopped {
		l.started = true
		go l.commit()
	}
}

// Stop refuses further ops, commits all that was accepted and ends the committer. When ctx ends first, what was not
// written is given up and counted in the error. Call it after all posting has stopped.
func (l *Ledger) Stop(ctx context.Context) error {
	l.mu.Lock()
	if !l.stopped {
		close(l.stop)
		if !l.started {
			close(l.done)
		}
	}
	l.stopped = true
	l.mu.Unlock()
	select {
	case <-l.done:
	case <-ctx.Done():
		l.mu.Lock()
		select {
		case <-l.abandon:
		default:
			close(l.abandon)
		}
		l.mu.Unlock()
		<-l.done
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.queue); n > 0 {
		return fmt.Errorf("%d operations were not written: %w", n, l.failed)
	}
	return nil
}

// Do has one op written and returns when it is durable. An error says that it is unknown whether the op took effect:
// ErrUnavailable when the store fails, the context's error when that ended first; or that the op can never be applied
// (store.ErrInvalid). Who gives up on an OpOpen posts an OpSettle of nothing after it: the order is kept, and if
// the opening never took effect nothing happens.
func (l *Ledger) Do(ctx context.Context, op store.Op) (store.Outcome, error) {
	if l.o.Direct {
		return l.direct(ctx, op) // the store checks it
	}
	if why := op.Check(); why != "" {
		return store.Outcome{}, &store.OpError{Why: why}
	}
	e := &entry{op: op, kind: waited, result: make(chan result, 1)}
	if err := l.admit(e); err != nil {
		return store.Outcome{}, err
	}
	select {
	case r := <-e.result:
		return r.out, r.err
	case <-ctx.Done():
		l.mu.Lock()
		e.gone = true
		l.mu.Unlock()
		return store.Outcome{}, fmt.Errorf("waiting for the ledger: %w", ctx.Err())
	}
}

// direct writes one op on the caller's goroutine: the store's own lock is the order.
func (l *Ledger) direct(ctx context.Context, op store.Op) (store.Outcome, error) {
	group := singles.Get().(*[1]store.Op)
	group[0] = op
	outs, err := l.m.Apply(ctx, group[:])
	group[0] = store.Op{}
	singles.Put(group)
	if err != nil {
		return store.Outcome{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Groups++
	l.stats.Ops++
	l.stats.LargestGroup = 1
	if outs[0].Refused {
		l.stats.Refused++
	}
	return outs[0], nil
}

// singles are groups of one: a store in memory keeps none.
var singles = sync.Pool{New: func() any { return new([1]store.Op) }}

func (l *Ledger) admit(e *entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stopped:
		return fmt.Errorf("%w: %w", ErrUnavailable, ErrStopped)
	case l.failed != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, l.failed)
	case l.waiting >= l.o.Queue:
		return fmt.Errorf("%w: %d operations wait already", ErrUnavailable, l.waiting)
	}
	l.waiting++
	delete(l.updates, e.op.ID) // an update must not pass what came after it
	l.push(e)
	return nil
}

// push needs mu.
func (l *Ledger) push(e *entry) {
	l.queue = append(l.queue, e)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Post has an op written in its turn and does not wait. It is tried again for as long as the process lives, also after
// failures of the store, so its facts may come twice if an answer was lost. An op that can never be applied is logged.
// Posted updates of a call that wait are merged into the last. op.Call may change when Post has returned.
func (l *Ledger) Post(op store.Op) { l.PostOr(op, nil) }

// PostOr is Post; moved is called, on its own goroutine, if the op was not written because another node has taken the call
// over. Of ops that are merged the last one's is called.
func (l *Ledger) PostOr(op store.Op, moved func()) {
	if why := op.Check(); why != "" {
		l.invalid(&op, &store.OpError{Why: why})
		return
	}
	if l.o.Direct {
		if _, err := l.direct(context.Background(), op); err != nil {
			l.invalid(&op, err)
		}
		return
	}
	if op.Call != nil {
		c := *op.Call
		op.Call = &c
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.merge(&op, moved) || l.supersede(&op, moved) {
		return
	}
	if l.stopped || l.posted >= l.o.Posted {
		l.stats.Lost++
		l.o.Log.Error("an operation was lost: too many wait for the store", "call", string(op.ID), "waiting", l.posted)
		return
	}
	e := &entry{op: op, kind: posted, moved: moved}
	if op.Kind == store.OpUpdate {
		l.updates[op.ID] = e
	} else {
		delete(l.updates, op.ID)
	}
	l.posted++
	l.push(e)
}

// merge adds an update to one that still waits in the queue. It needs mu.
func (l *Ledger) merge(op *store.Op, moved func()) bool {
	if op.Kind != store.OpUpdate {
		return false
	}
	e := l.updates[op.ID]
	if e == nil || len(e.op.Facts)+len(op.Facts) > store.MaxFacts {
		return false
	}
	if len(op.Call.Snapshot) == 0 { // an update without dialogs leaves those that are stored
		op.Call.Snapshot = e.op.Call.Snapshot
	}
	e.op.Call = op.Call
	if moved != nil {
		e.moved = moved
	}
	e.op.Facts = append(e.op.Facts[:len(e.op.Facts):len(e.op.Facts)], op.Facts...)
	return true
}

// supersede lets a settlement take the place of an update of its call that still waits in the queue: the row is
// deleted anyway. It needs mu.
func (l *Ledger) supersede(op *store.Op, moved func()) bool {
	if op.Kind != store.OpSettle {
		return false
	}
	e := l.updates[op.ID]
	if e == nil || len(e.op.Facts)+len(op.Facts) > store.MaxFacts {
		return false
	}
	op.Facts = append(e.op.Facts[:len(e.op.Facts):len(e.op.Facts)], op.Facts...)
	e.op, e.moved = *op, moved
	delete(l.updates, op.ID)
	return true
}

// Settling are the records of calls that were settled by Post and are not known to be stored yet, in no order.
func (l *Ledger) Settling() (all []call.CDR) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, group := range [...][]*entry{l.writing, l.queue} {
		for _, e := range group {
			if e.kind == posted && e.op.Kind == store.OpSettle {
				all = append(all, *e.op.CDR)
			}
		}
	}
	return all
}

// Record writes facts without money in their turn. It never blocks; when too many wait they are dropped and counted.
func (l *Ledger) Record(facts ...store.Fact) {
	if l.o.Direct {
		l.Post(store.Op{Kind: store.OpRecord, Facts: facts})
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range facts {
		if l.stopped || l.facts >= l.o.Facts || !f.Trim() {
			l.stats.FactsDropped++
			continue
		}
		l.facts++
		if n := len(l.queue); n > 0 && l.queue[n-1].kind == recorded && l.queue[n-1].op.CDR == nil && len(l.queue[n-1].op.Facts) < store.MaxFacts {
			l.queue[n-1].op.Facts = append(l.queue[n-1].op.Facts, f)
			continue
		}
		l.push(&entry{op: store.Op{Kind: store.OpRecord, Facts: []store.Fact{f}}, kind: recorded})
	}
}

// Refused writes the record of a call that was refused, and facts with it, in their turn. It never blocks; when too many facts wait it
// is dropped and counted.
func (l *Ledger) Refused(r *call.CDR, facts ...store.Fact) {
	op := store.Op{Kind: store.OpRecord, ID: r.ID, CDR: r}
	if l.o.Direct {
		op.Facts = facts
		l.Post(op)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range facts {
		if facts[i].Trim() {
			op.Facts = append(op.Facts, facts[i])
		}
	}
	if l.stopped || l.facts >= l.o.Facts || op.Check() != "" {
		l.stats.FactsDropped += uint64(len(facts))
		return
	}
	l.facts += len(op.Facts)
	l.push(&entry{op: op, kind: recorded})
}

// Healthy is the last failure of the store while it lasts, or nil.
func (l *Ledger) Healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

func (l *Ledger) invalid(op *store.Op, err error) {
	l.mu.Lock()
	l.stats.Invalid++
	l.mu.Unlock()
	l.o.Log.Error("an operation can never be written", "call", string(op.ID), "kind", int(op.Kind), "err", err)
}
