package ban

import (
	"context"
	"net/netip"
	"time"

	"ringfence/core/fact"
	"ringfence/core/netlist"
	"ringfence/flow/journal"
	"ringfence/state/store"
)

// batch is how many rows go in one transaction.
const batch = 4000

// Flush makes the automatic bans that wait and writes all changes now. What could not be written is kept and written next
// time; bans in force stay in force.
func (l *List) Flush(ctx context.Context) error {
	for range maxQueue {
		select {
		case w := <-l.queue:
			l.auto(w, time.Now())
			continue
		default:
		}
		break
	}
	return l.write.Flush(ctx)
}

// work is one transaction.
type work struct {
	put   []Entry
	drop  []netip.Prefix
	facts []store.Fact
}

func (l *List) batches(yield func(*work) bool) {
	for {
		if w := l.collect(); len(w.put)+len(w.drop)+len(w.facts) == 0 || !yield(w) {
			return
		}
	}
}

func (l *List) save(ctx context.Context, w *work, _ bool) error {
	return l.o.Store.SaveBans(ctx, w.put, w.drop, w.facts...)
}

// collect takes the next transaction's worth of work.
func (l *List) collect() *work {
	w := &work{}
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.dirty {
		if len(w.put)+len(w.drop) >= batch {
			break
		}
		delete(l.dirty, p)
		if h := l.table.entries[p]; h != nil {
			e := h.top
			e.Until, e.Made = e.Until.Round(0).UTC(), e.Made.Round(0).UTC()
			w.put = append(w.put, e)
		} else {
			w.drop = append(w.drop, p)
		}
	}
	w.facts, l.facts = l.facts, nil
	return w
}

// putBack takes back what could not be written. It may have been written nevertheless: rows can be written twice without
// harm, and a fact that is there twice says the same thing twice.
func (l *List) putBack(w *work) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range w.put {
		l.dirty[e.Net] = struct{}{}
	}
	for _, p := range w.drop {
		if len(l.dirty) < 4*l.o.Max { // a row that stays behind ends by itself
			l.dirty[p] = struct{}{}
		}
	}
	l.facts = append(w.facts, l.facts...)
	if more := len(l.facts) - maxFacts; more > 0 {
		l.facts = l.facts[:maxFacts]
		l.log.Warn("facts of bans were left out of the journal, which cannot be written", "facts", more)
	}
}

// note writes a fact down, to go with the rows in one transaction. The caller holds mu.
func (l *List) note(at time.Time, f fact.Body) {
	if len(l.facts) < maxFacts {
		l.facts = append(l.facts, row(at, f))
	}
}

// record tells a fact that no row goes with.
func (l *List) record(at time.Time, f fact.Body) {
	if l.o.Record != nil {
		l.o.Record(row(at, f))
	}
}

func row(at time.Time, f fact.Body) store.Fact { return f.Row(at.Round(0).UTC(), fact.Subject{}) }

func added(e *Entry) *fact.BanAdded {
	return &fact.BanAdded{Net: e.Net.String(), Until: seconds(e.Until), By: e.By, Why: e.Why}
}

// seconds is an instant as facts of bans have it.
func seconds(t time.Time) time.Time { return t.Round(0).UTC().Truncate(time.Second) }

// Bounds of what is told one by one in a minute.
const (
	tellBans   = 60
	tellExempt = 10
)

// name notes a ban among those that are told as one.
func name(w *journal.Span[[]string], p netip.Prefix) {
	if len(w.Sum) < 10 {
		w.Sum = append(w.Sum, netlist.Show(p))
	}
}
