package keep

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"ringfence/state/counters"
)

// Bounds of what goes to the counters at once, and of what waits to be dropped there.
const (
	perRound = 500
	maxDrops = 1 << 15
)

// Marks are what a stage shares with other nodes: marks in one table of the counters. Safe for concurrent use; make it with
// NewMarks. Put, Drop and Forget only queue, and do nothing where there are no counters.
type Marks struct {
	c     counters.Counters
	table string
	most  int
	now   func(key string) (counters.Mark, bool)
	kick  chan struct{}

	mu   sync.Mutex // owns both
	puts map[string]counters.Mark
	drop map[string]struct{}
}

// NewMarks shares a table; c nil is this node alone. At most `most` marks wait to be sent. now, if it is not nil, gives a mark
// as it is when it is sent, in place of the one that was put; false: it has gone meanwhile.
func NewMarks(c counters.Counters, table string, most int, now func(key string) (counters.Mark, bool)) *Marks {
	return &Marks{c: c, table: table, most: most, now: now, kick: make(chan struct{}, 1), puts: map[string]counters.Mark{}, drop: map[string]struct{}{}}
}

// Put queues a mark for the other nodes. One with this key that is to be dropped is dropped before: a mark that is there is
// never shortened.
func (m *Marks) Put(mark counters.Mark) {
	if m.c == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, waits := m.puts[mark.Key]; waits || len(m.puts) < m.most {
		mark.Table = m.table
		m.puts[mark.Key] = mark
	}
	m.stir()
}

// Drop queues the end of marks for the other nodes.
func (m *Marks) Drop(keys ...string) {
	if m.c == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.puts, key)
		if len(m.drop) < maxDrops {
			m.drop[key] = struct{}{}
		}
	}
	m.stir()
}

// Forget tells nothing of a mark that has ended by itself.
func (m *Marks) Forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.puts, key)
}

// Waiting says whether a mark is yet to be told, and whether its end is.
func (m *Marks) Waiting(key string) (put, dropped bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, put = m.puts[key]
	_, dropped = m.drop[key]
	return put, dropped
}

func (m *Marks) stir() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// Send tells the other nodes all that waits. What fails is told again the next time, as far as nothing newer came.
func (m *Marks) Send(ctx context.Context, now time.Time) error {
	for ctx.Err() == nil {
		drop, put := m.take()
		if len(drop)+len(put) == 0 {
			return nil
		}
		if err := m.send(ctx, now, drop, put); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// take takes out a round's worth. What is to be dropped comes first, for it may have been put again since.
func (m *Marks) take() (drop []string, put []counters.Mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.drop {
		if len(drop) == perRound {
			return drop, nil
		}
		delete(m.drop, key)
		drop = append(drop, key)
	}
	for key, mark := range m.puts {
		if len(put) == perRound {
			break
		}
		delete(m.puts, key)
		put = append(put, mark)
	}
	return drop, put
}

func (m *Marks) send(ctx context.Context, now time.Time, drop []string, put []counters.Mark) error {
	if len(drop) > 0 {
		if err := m.c.Drop(ctx, m.table, drop...); err != nil {
			m.putBack(drop, put)
			return err
		}
	}
	told := put
	if m.now != nil {
		told = make([]counters.Mark, 0, len(put))
		for _, mark := range put {
			if mark, ok := m.now(mark.Key); ok {
				mark.Table = m.table
				told = append(told, mark)
			}
		}
	}
	if len(told) == 0 {
		return nil
	}
	err := m.c.Put(ctx, now, told...)
	if err != nil {
		m.putBack(nil, put)
	}
	return err
}

func (m *Marks) putBack(drop []string, put []counters.Mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range drop {
		if len(m.drop) < maxDrops {
			m.drop[key] = struct{}{}
		}
	}
	for _, mark := range put {
		_, newer := m.puts[mark.Key]
		_, gone := m.drop[mark.Key]
		if !newer && (!gone || slices.Contains(drop, mark.Key)) && len(m.puts) < m.most {
			m.puts[mark.Key] = mark
		}
	}
}

// Run tells the other nodes as soon as there is something to tell, until ctx ends.
func (m *Marks) Run(ctx context.Context, o Outage) {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.kick:
		}
		for err := m.Send(ctx, time.Now()); ctx.Err() == nil; err = m.Send(ctx, time.Now()) {
			if o.Note(err); err == nil {
				break
			}
			pause(ctx, time.Second)
		}
	}
}

// Follow calls changed for each change by any node, our own included, until ctx ends. Where changes may have been missed, and
// at first, it calls all, which reads afresh; again after a second as long as that fails.
func (m *Marks) Follow(ctx context.Context, changed func(counters.Change), all func(context.Context) error) {
	m.c.Follow(ctx, m.table, func(c counters.Change) {
		if c.Table != "" {
			changed(c)
			return
		}
		for all(ctx) != nil && ctx.Err() == nil {
			pause(ctx, time.Second) // nobody would ask again while the connection stands
		}
	})
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
