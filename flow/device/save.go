package device

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/flow/keep"
	"ringfence/state/store"
)

// maxBatch is how many rows go into one transaction, about.
const maxBatch = 2000

// work is what a line has to write beside its dirty devices; owned by the shard's lock.
type work struct {
	drops []store.Device // keys
	facts []store.Fact
}

// batch is one write, of several lines.
type batch struct {
	put, drop []store.Device
	facts     []store.Fact
}

// need notes that the line has something to write. The caller holds the lock.
func (s *shard) need(line string) *work {
	w := s.work[line]
	if w == nil {
		w = &work{}
		s.work[strings.Clone(line)] = w
	}
	return w
}

// drop notes that a device's row goes, if there may be one.
func (w *work) drop(line string, e *entry) {
	if e.stored {
		w.drops = append(w.drops, store.Device{Line: strings.Clone(line), Place: e.place(), Family: e.family.Value()})
	}
}

// Load fills an empty Devices from the store. Rows that make no sense are left out and said in the log.
func (d *Devices) Load(ctx context.Context) error {
	bad := 0
	err := d.o.Store.Devices(ctx, func(r store.Device) error {
		e, ok := stored(&r)
		if !ok {
			bad++
			return nil
		}
		s := d.shard(r.Line)
		s.mu.Lock()
		defer s.mu.Unlock()
		list := append(slices.Grow(s.lines[r.Line], 1), e)
		if d.count.Add(1); len(list) > d.o.MaxPerLine {
			i := leastKnown(list)
			s.need(r.Line).drop(r.Line, &list[i])
			list = slices.Delete(list, i, i+1)
			d.count.Add(-1)
		}
		s.lines[r.Line] = list
		if e.verdict != notMine {
			d.trust(&e)
		}
		return nil
	})
	if bad > 0 {
		d.log.Warn("stored devices left out: their address, network or answer cannot be read", "devices", bad)
	}
	if err != nil {
		return fmt.Errorf("reading devices: %w", err)
	}
	return nil
}

// Run writes changes behind until ctx ends. What is left is for Flush.
func (d *Devices) Run(ctx context.Context) {
	keep.Every(ctx, d.o.Every, func(now time.Time) {
		d.sum(now, false)
		_ = d.Flush(ctx) // logged there; what failed is tried again
	})
	d.sum(time.Now(), true)
}

// Flush writes what has changed. On an error it stays, in memory, to be tried again.
func (d *Devices) Flush(ctx context.Context) error { return d.behind.Flush(ctx) }

func (d *Devices) batches(yield func(*batch) bool) {
	b := &batch{}
	for i := range d.shards {
		for d.gather(&d.shards[i], b) {
			if !yield(b) {
				return
			}
			b = &batch{}
		}
	}
	yield(b)
}

// gather takes what a shard has to write; true: the batch is full, and there may be more.
func (d *Devices) gather(s *shard, b *batch) (full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line, w := range s.work {
		if len(b.put)+len(b.drop)+len(b.facts) >= maxBatch {
			return true
		}
		delete(s.work, line)
		b.drop, b.facts = append(b.drop, w.drops...), append(b.facts, w.facts...)
		list := s.lines[line]
		for i := range list {
			if e := &list[i]; e.dirty {
				e.dirty, e.stored = false, true
				b.put = append(b.put, e.row(line))
			}
		}
	}
	return false
}

// save stores a batch. One that failed may have been stored nevertheless: it is written again, unless the store shows that
// it was written.
func (d *Devices) save(ctx context.Context, b *batch, again bool) error {
	if len(b.put)+len(b.drop)+len(b.facts) == 0 {
		return nil
	}
	done, err := again, error(nil)
	if again {
		done, err = d.persisted(ctx, b)
	}
	if err == nil && !done {
		err = d.o.Store.SaveDevices(ctx, b.put, b.drop, b.facts...)
	}
	if err != nil {
		return err
	}
	d.waiting.Add(-int64(len(b.facts)))
	return nil
}

// persisted looks for the rows of a batch, so that its facts are told once. It reads the whole table, but only after a
// failure. A batch without rows, or without facts, may be written twice.
func (d *Devices) persisted(ctx context.Context, b *batch) (bool, error) {
	if len(b.put) == 0 || len(b.facts) == 0 {
		return false, nil
	}
	type key struct{ line, place, family string }
	want := map[key]*store.Device{}
	for i := range b.put {
		r := &b.put[i]
		want[key{r.Line, r.Place, r.Family}] = r
	}
	err := d.o.Store.Devices(ctx, func(r store.Device) error {
		k := key{r.Line, r.Place, r.Family}
		if w := want[k]; w != nil && r.Last.Equal(w.Last) && r.Address == w.Address && r.Agent == w.Agent && r.Count == w.Count && (w.Verdict == "" || r.Verdict == w.Verdict) {
			delete(want, k)
		}
		return nil
	})
	return len(want) == 0, err
}
