package location

import (
	"context"
	"net/netip"
	"slices"
	"time"
	"unique"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/flow/journal"
	"ringfence/flow/keep"
	"ringfence/state/store"
)

// Bounds of what waits to be written.
const (
	batch        = 4000             // rows of one transaction
	factsPerLine = 40               // between two writes; more are counted only, so that one phone cannot fill the journal
	maxFacts     = 200_000 / shards // waiting in a shard while the store is away
	maxGone      = 500_000 / shards // removals likewise; a row that stays behind ends by itself
)

// unsaved is what a shard has not written yet; owned by the shard's lock.
type unsaved struct {
	dirty map[string]struct{} // lines with dirty bindings
	gone  []store.Registration
	facts []store.Fact
	told  journal.Limit[string, struct{}] // of a line, between two writes
	lost  int                             // facts left out because too many waited
}

func (w *unsaved) init() { w.dirty, w.told.Most = map[string]struct{}{}, factsPerLine }

// note writes down one change: a fact, and the removal of a stored row. The caller holds the lock.
func (s *shard) note(l *Location, line string, at time.Time, c change) {
	if c.kind != added && c.kind != moved && c.now.kept != 0 && len(s.gone) < maxGone {
		s.gone = append(s.gone, store.Registration{Line: line, Key: c.now.key})
	}
	if _, told := s.told.Take(line, at); !told {
		return
	}
	if len(s.facts) >= maxFacts {
		s.lost++
		return
	}
	s.facts = append(s.facts, l.fact(line, at, c.fact(l.begun)))
}

func (l *Location) fact(line string, at time.Time, f fact.Body) store.Fact {
	of := fact.Subject{Line: line}
	if l.o.Account != nil && line != "" {
		of.Account = l.o.Account(line)
	}
	return f.Row(at.Round(0).UTC(), of)
}

// fact of a change.
func (c *change) fact(begun time.Time) fact.Body {
	r := c.now.row("", begun)
	f := fact.RegistrationAdded{Contact: r.Contact, Received: r.Received, Transport: r.Transport, Agent: r.UserAgent, CallID: r.CallID, Expires: r.Expires, Why: c.why}
	switch c.kind {
	case moved:
		w := c.was.row("", begun)
		f.Was = &fact.Was{Received: w.Received, Transport: w.Transport, Agent: w.UserAgent}
		if w.Contact != r.Contact {
			f.Was.Contact = w.Contact
		}
		return (*fact.RegistrationMoved)(&f)
	case removed:
		return (*fact.RegistrationRemoved)(&f)
	case expired:
		return (*fact.RegistrationExpired)(&f)
	}
	return &f
}

// Load fills an empty Location from the store. Registrations that ended meanwhile are left out, and noted as expired.
func (l *Location) Load(ctx context.Context) error {
	now := time.Now()
	return l.o.Store.Registrations(ctx, func(r store.Registration) error {
		s := l.shard(r.Line)
		s.mu.Lock()
		defer s.mu.Unlock()
		received, err := netip.ParseAddrPort(r.Received)
		if err != nil {
			l.log.Warn("stored registration left out", "line", account.Handle(r.Line), "received", r.Received)
		}
		listener, _ := netip.ParseAddrPort(r.Listener)
		b := binding{
			key: r.Key, instance: r.Instance, listener: unique.Make(listener), heard: r.Heard.Sub(l.begun),
			contact: r.Contact, callID: r.CallID, agent: unique.Make(r.UserAgent), transport: unique.Make(r.Transport), received: received,
			expires: r.Expires.Sub(l.begun), since: r.Since.Sub(l.begun), cseq: uint32(min(max(r.CSeq, 0), 1<<32-1)), kept: r.Expires.Sub(l.begun),
		}
		if err != nil || !r.Expires.After(now) {
			s.note(l, r.Line, r.Expires, change{kind: expired, now: b})
			return nil
		}
		list := append(slices.Clone(s.lines[r.Line]), b)
		slices.SortStableFunc(list, func(a, b binding) int { return int(min(max(a.since-b.since, -1), 1)) })
		s.put(l, r.Line, list)
		return nil
	})
}

// Run removes ended bindings and writes changes behind, until ctx ends. One goroutine for all of them. What is left is
// for Flush.
func (l *Location) Run(ctx context.Context) {
	keep.Every(ctx, l.o.Every, func(now time.Time) {
		l.purge(now)
		_ = l.Flush(ctx) // logged there; what failed is tried again
	})
}

// purge looks through the shards in which something may have ended.
func (l *Location) purge(now time.Time) {
	at := now.Sub(l.begun)
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		if s.next <= at {
			s.next = never
			for line, list := range s.lines {
				for j := range list {
					s.next = min(s.next, list[j].expires)
				}
				s.expire(l, line, at)
			}
			if s.next <= at { // of those now gone: the next pass finds the right one
				s.next = at + time.Second
			}
		}
		s.mu.Unlock()
	}
}

// Flush writes all changes now. What could not be written is kept and written next time.
func (l *Location) Flush(ctx context.Context) error { return l.behind.Flush(ctx) }

func (l *Location) batches(yield func(*work) bool) {
	w := &work{}
	for i := range l.shards {
		l.collect(&l.shards[i], w)
		if w.size() < batch && i < shards-1 {
			continue
		}
		if !yield(w) {
			return
		}
		w = &work{}
	}
}

// work is one transaction.
type work struct {
	put, drop []store.Registration
	facts     []store.Fact
	lost      int // facts left out; told as one
}

func (w *work) size() int { return len(w.put) + len(w.drop) + len(w.facts) + w.lost }

// collect takes what a shard has to write. Rows that were removed and are there again are only put.
func (l *Location) collect(s *shard, w *work) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range s.dirty {
		for i := range s.lines[line] {
			if b := &s.lines[line][i]; b.dirty {
				w.put = append(w.put, b.row(line, l.begun))
				b.dirty, b.kept = false, b.expires
			}
		}
	}
	for _, r := range s.gone {
		if s.find(r.Line, r.Key) == nil {
			w.drop = append(w.drop, r)
		}
	}
	w.facts = append(w.facts, s.facts...)
	s.told.Close(time.Now(), true, func(line string, left *journal.Span[struct{}]) { w.facts = append(w.facts, l.summary(line, left.More)) })
	w.lost += s.lost
	s.lost = 0
	s.gone, s.facts = nil, nil
	clear(s.dirty)
}

// summary stands for changes that were not noted one by one.
func (l *Location) summary(line string, more int) store.Fact {
	return l.fact(line, time.Now(), &fact.RegistrationSummary{More: int64(more)})
}

// save may have written nevertheless when it fails: rows can be written twice without harm, and a fact that is there twice
// says the same thing twice.
func (l *Location) save(ctx context.Context, w *work, _ bool) error {
	if w.size() == 0 {
		return nil
	}
	facts := w.facts
	if w.lost > 0 {
		facts = append(slices.Clip(facts), l.summary("", w.lost))
	}
	return l.o.Store.SaveRegistrations(ctx, w.put, w.drop, facts...)
}

func (l *Location) putBack(w *work) {
	for _, r := range w.put {
		s := l.shard(r.Line)
		s.mu.Lock()
		if b := s.find(r.Line, r.Key); b != nil {
			b.dirty = true
			s.dirty[r.Line] = struct{}{}
		}
		s.mu.Unlock()
	}
	for _, r := range w.drop {
		s := l.shard(r.Line)
		s.mu.Lock()
		if len(s.gone) < maxGone {
			s.gone = append(s.gone, r)
		}
		s.mu.Unlock()
	}
	first := &l.shards[0] // whichever
	first.mu.Lock()
	first.lost += w.lost
	first.mu.Unlock()
	byShard := map[*shard][]store.Fact{}
	for _, f := range w.facts {
		s := l.shard(f.Line)
		byShard[s] = append(byShard[s], f)
	}
	for s, facts := range byShard {
		s.mu.Lock()
		s.facts = append(facts, s.facts...) // in the order in which they happened
		if more := len(s.facts) - maxFacts; more > 0 {
			s.facts = s.facts[:maxFacts]
			s.lost += more
		}
		s.mu.Unlock()
	}
}

// find is a binding of a line by its key, or nil. The caller holds the lock.
func (s *shard) find(line, key string) *binding {
	list := s.lines[line]
	i := slices.IndexFunc(list, func(b binding) bool { return b.key == key })
	if i < 0 {
		return nil
	}
	return &list[i]
}
