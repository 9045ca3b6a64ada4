package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/state/counters"
	"ringfence/state/counters/internal/feed"
)

// DefaultMarks is how many marks a table keeps when nothing else is said.
const DefaultMarks = 1 << 17

// Options of NewEngine.
type Options struct {
	MaxKeys  int // windows in all; 0 is DefaultWindows. Windows says which is evicted, and how many bytes they take
	MaxMarks int // marks of one table; 0 is DefaultMarks, some 300 bytes each with short keys and values. The one that ends first is evicted
}

// Engine is counters.Counters for this process alone.
type Engine struct {
	windows *Windows
	max     int
	closed  atomic.Bool

	mu     sync.Mutex // owns the map; each table has its own lock
	tables map[string]*table
}

var _ counters.Counters = (*Engine)(nil)

// NewEngine makes an empty engine. Its tables are as many as the program has names for them.
func NewEngine(o Options) *Engine {
	o.MaxMarks = cmp.Or(max(o.MaxMarks, 0), DefaultMarks)
	return &Engine{windows: NewWindows(o.MaxKeys), max: o.MaxMarks, tables: map[string]*table{}}
}

func (e *Engine) table(name string) *table {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tables[name]
	if t == nil {
		t = newTable(name, e.max)
		e.tables[name] = t
	}
	return t
}

// Ping fails after Close and with an ended context only.
func (e *Engine) Ping(ctx context.Context) error {
	if e.closed.Load() {
		return fmt.Errorf("%w: closed", counters.ErrUnavailable)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", counters.ErrUnavailable, err)
	}
	return nil
}

// Close makes every later call fail.
func (e *Engine) Close() error {
	e.closed.Store(true)
	return nil
}

// Add counts; see counters.Counters.
func (e *Engine) Add(ctx context.Context, now time.Time, hits ...counters.Hit) ([]int64, error) {
	if err := counters.CheckHits(hits); err != nil {
		return nil, err
	}
	if err := e.Ping(ctx); err != nil {
		return nil, err
	}
	sums := make([]int64, len(hits))
	for i, h := range hits {
		sums[i] = e.windows.Add(e.windows.KeyString(h.Key), h.N, h.Span, now)
	}
	return sums, nil
}

// Put puts marks; see counters.Counters.
func (e *Engine) Put(ctx context.Context, now time.Time, marks ...counters.Mark) error {
	if err := counters.CheckMarks(marks); err != nil {
		return err
	}
	if err := e.Ping(ctx); err != nil {
		return err
	}
	at := counters.Micros(now)
	for _, m := range marks {
		if until := counters.Micros(m.Until); until > at {
			e.table(m.Table).put(m.Key, until, bytes.Clone(m.Value), at)
		}
	}
	return nil
}

// Drop drops marks; see counters.Counters.
func (e *Engine) Drop(ctx context.Context, table string, keys ...string) error {
	if err := counters.CheckKeys(table, keys...); err != nil {
		return err
	}
	if err := e.Ping(ctx); err != nil {
		return err
	}
	t := e.table(table)
	for _, k := range keys {
		t.drop(k)
	}
	return nil
}

// Marks lists marks; see counters.Counters.
func (e *Engine) Marks(ctx context.Context, table string, now time.Time) ([]counters.Mark, error) {
	if err := counters.CheckKeys(table); err != nil {
		return nil, err
	}
	if err := e.Ping(ctx); err != nil {
		return nil, err
	}
	return e.table(table).list(counters.Micros(now)), nil
}

// Follow follows a table; see counters.Counters.
func (e *Engine) Follow(ctx context.Context, table string, f func(counters.Change)) {
	t, q := e.table(table), feed.New()
	t.follow(q)
	defer t.leave(q)
	q.Begin()
	q.Run(ctx, f)
}
