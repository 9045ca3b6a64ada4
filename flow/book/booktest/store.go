// Package booktest holds a store in memory for tests of the book and of what stands on it, whose writes can be made to
// fail either way: lost, or persisted although the answer was lost. It must not know the book.
package booktest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

// ErrBroken is what a broken write answers.
var ErrBroken = errors.New("disk I/O error")

// Break says what the next writes do.
type Break uint8

// Ways to break.
const (
	Works     Break = iota
	Lost            // nothing is written
	Persisted       // it is written, and an error answered nevertheless
)

// Store keeps everything in maps. The zero Store is empty and works. It has no money: those methods find nothing.
type Store struct {
	caseless
	store.Accounts  // nil: tests of the books use a real engine
	store.Erasing   // nil: tests of what is erased use a real store
	store.Retaining // nil: so do tests of what is deleted

	seals
	unsettled
	mu        sync.Mutex
	broken    Break
	customers map[string]account.Customer
	lines     map[string]account.Line
	trunks    map[string]account.Trunk
	said      account.Settings
	hot       *restrict.Hot
	requests  []account.Request
	decks     []store.Deck
	rows      map[string][]rating.Price
	facts     []store.Fact
	stages    stages
	people    people
	public    public
	waiting   map[string]store.Waiting
	marks     map[string]store.Mark
	Lately    []store.Called // what Called gives
	Ahead     atomic.Int64   // how far the clock of Clock is ahead of this process, in nanoseconds
}

// caseless has no cases: those who ask for any want an engine.
type caseless = store.Cases

// unsettled likewise keeps nothing of settlements.
type unsettled = store.Settling

// Break makes every write from now on fail in a way.
func (s *Store) Break(b Break) {
	s.mu.Lock()
	s.broken = b
	s.mu.Unlock()
}

// AllFacts is the journal so far.
func (s *Store) AllFacts() []store.Fact {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.facts)
}

// Plain makes every handle its own identity, for tests that want to know identities beforehand.
func Plain(handle string) string { return handle }

// AllLines is every line as stored.
func (s *Store) AllLines() map[string]account.Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.lines)
}

// write runs do under the lock unless it is broken or do refuses, and then keeps the facts.
func (s *Store) write(facts []store.Fact, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == Lost {
		return ErrBroken
	}
	if s.customers == nil {
		s.customers, s.lines = map[string]account.Customer{}, map[string]account.Line{}
		s.trunks, s.rows = map[string]account.Trunk{}, map[string][]rating.Price{}
	}
	s.stages.begin()
	if err := do(); err != nil {
		return err
	}
	s.keep(facts)
	if s.broken == Persisted {
		return ErrBroken
	}
	return nil
}

// keep appends to the journal. The caller holds mu.
func (s *Store) keep(facts []store.Fact) (repeated int) {
	for _, f := range facts {
		if f.Key != "" && slices.ContainsFunc(s.facts, func(old store.Fact) bool { return old.Key == f.Key }) {
			repeated++
			continue
		}
		f.Seq = int64(len(s.facts)) + 1
		s.facts = append(s.facts, f)
	}
	return repeated
}

// Customers lists all.
func (s *Store) Customers(context.Context) ([]account.Customer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.customers)), nil
}

// PutCustomer adds or replaces.
func (s *Store) PutCustomer(_ context.Context, c account.Customer, isNew bool, facts ...store.Fact) error {
	return s.write(facts, func() error { return put(s.customers, c.ID, c, isNew) })
}

// PutCustomers adds many, all or none.
func (s *Store) PutCustomers(_ context.Context, cs []account.Customer, facts ...store.Fact) error {
	return s.write(facts, func() error {
		for _, c := range cs {
			for id := range s.customers {
				if account.Handle(id) == account.Handle(c.ID) {
					return store.ErrExists
				}
			}
		}
		for _, c := range cs {
			s.customers[c.ID] = c
		}
		return nil
	})
}

func put[T any](m map[string]T, id string, v T, isNew bool) error {
	for other := range m {
		if isNew && account.Handle(other) == account.Handle(id) {
			return store.ErrExists
		}
	}
	if _, there := m[id]; there == isNew {
		return map[bool]error{true: store.ErrExists, false: store.ErrNotFound}[isNew]
	}
	m[id] = v
	return nil
}

// DeleteCustomer removes one without lines.
func (s *Store) DeleteCustomer(_ context.Context, id string, facts ...store.Fact) error {
	return s.write(facts, func() error {
		for _, l := range s.lines {
			if l.Customer == id {
				return store.ErrInUse
			}
		}
		for _, p := range s.people.all {
			if p.Customer == id {
				s.people.remove(p.ID)
			}
		}
		return remove(s.customers, id)
	})
}

func remove[T any](m map[string]T, id string) error {
	if _, there := m[id]; !there {
		return store.ErrNotFound
	}
	delete(m, id)
	return nil
}

// EachLine yields all by id, or those of ids.
func (s *Store) EachLine(_ context.Context, yield func(account.Line) error, ids ...string) error {
	all := s.AllLines()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if len(ids) > 0 && !slices.Contains(ids, id) {
			continue
		}
		if err := yield(all[id]); err != nil {
			return err
		}
	}
	return nil
}

// PutLine adds or replaces.
func (s *Store) PutLine(_ context.Context, l account.Line, isNew bool, facts ...store.Fact) error {
	return s.write(facts, func() error {
		if err := s.numberFree(l); err != nil {
			return err
		}
		return put(s.lines, l.ID, l, isNew)
	})
}

func (s *Store) numberFree(l account.Line) error {
	for _, other := range s.lines {
		if l.Number != "" && other.Number == l.Number && other.ID != l.ID {
			return store.ErrExists
		}
	}
	return nil
}

// PutLines adds all or none.
func (s *Store) PutLines(_ context.Context, ls []account.Line, facts ...store.Fact) error {
	return s.write(facts, func() error {
		handles := map[string]bool{}
		for id := range s.lines {
			handles[account.Handle(id)] = true
		}
		for _, l := range ls {
			if handles[account.Handle(l.ID)] {
				return store.ErrExists
			}
		}
		for _, l := range ls {
			s.lines[l.ID] = l
		}
		return nil
	})
}

// DeleteLine removes one.
func (s *Store) DeleteLine(_ context.Context, id string, facts ...store.Fact) error {
	return s.write(facts, func() error {
		if err := remove(s.lines, id); err != nil {
			return err
		}
		maps.DeleteFunc(s.stages.devices, func(d device, _ store.Device) bool { return d.line == id })
		return nil
	})
}

// Trunks lists all.
func (s *Store) Trunks(context.Context) ([]account.Trunk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.trunks)), nil
}

// PutTrunk adds or replaces.
func (s *Store) PutTrunk(_ context.Context, t account.Trunk, isNew bool, facts ...store.Fact) error {
	return s.write(facts, func() error { return put(s.trunks, t.Name, t, isNew) })
}

// DeleteTrunk removes one.
func (s *Store) DeleteTrunk(_ context.Context, name string, facts ...store.Fact) error {
	return s.write(facts, func() error { return remove(s.trunks, name) })
}

// Everybody is what is said of every line.
func (s *Store) Everybody(context.Context) (account.Settings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said, nil
}

// PutEverybody replaces it.
func (s *Store) PutEverybody(_ context.Context, said account.Settings, facts ...store.Fact) error {
	return s.write(facts, func() error { s.said = said; return nil })
}

// HotNumbers streams hot lists.
func (s *Store) HotNumbers(_ context.Context, yield func(restrict.Listed) error) error {
	s.mu.Lock()
	all := s.hot.All()
	s.mu.Unlock()
	for _, l := range all {
		if err := yield(l); err != nil {
			return err
		}
	}
	return nil
}

// SaveHotNumbers first drops, then puts.
func (s *Store) SaveHotNumbers(_ context.Context, put, drop []restrict.Listed, facts ...store.Fact) error {
	return s.write(facts, func() error { s.hot = s.hot.With(put, drop); return nil })
}

// Requests lists those in a state, newest first.
func (s *Store) Requests(_ context.Context, state string) ([]account.Request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []account.Request
	for _, r := range slices.Backward(s.requests) {
		if state == "" || r.State == state {
			out = append(out, r)
		}
	}
	return out, nil
}

// PutRequest adds or replaces.
func (s *Store) PutRequest(_ context.Context, r account.Request, facts ...store.Fact) (int64, error) {
	err := s.write(facts, func() error {
		if r.ID == 0 {
			r.ID = int64(len(s.requests)) + 1
			s.requests = append(s.requests, r)
			return nil
		}
		if r.ID > int64(len(s.requests)) {
			return store.ErrNotFound
		}
		s.requests[r.ID-1] = r
		return nil
	})
	return r.ID, err
}

// Decks lists every version, newest first.
func (s *Store) Decks(context.Context) ([]store.Deck, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.decks)
	slices.Reverse(out)
	return out, nil
}

// DeleteDeck removes every version.
func (s *Store) DeleteDeck(_ context.Context, name string, facts ...store.Fact) error {
	return s.write(facts, func() error {
		before := len(s.decks)
		s.decks = slices.DeleteFunc(slices.Clone(s.decks), func(d store.Deck) bool { return d.Name == name })
		if len(s.decks) == before {
			return store.ErrNotFound
		}
		return nil
	})
}

// Called lists what a test says was called.
func (s *Store) Called(_ context.Context, since time.Time, yield func(store.Called) error) error {
	s.mu.Lock()
	list := slices.Clone(s.Lately)
	s.mu.Unlock()
	for _, c := range list {
		if !c.Last.Before(since) {
			if err := yield(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// PutDeck adds a version.
func (s *Store) PutDeck(_ context.Context, d store.Deck, rows []rating.Price, facts ...store.Fact) (int64, error) {
	err := s.write(facts, func() error {
		d.Version = 1
		for _, h := range s.decks {
			if h.Name == d.Name {
				d.Version = max(d.Version, h.Version+1)
			}
		}
		s.decks = append(s.decks, d)
		s.rows[deckKey(d.Name, d.Version)] = slices.Clone(rows)
		return nil
	})
	return d.Version, err
}

func deckKey(name string, version int64) string { return fmt.Sprint(name, "/", version) }

// DeckRows are the rows of a version.
func (s *Store) DeckRows(_ context.Context, name string, version int64) ([]rating.Price, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, ok := s.rows[deckKey(name, version)]
	if !ok {
		return nil, store.ErrNotFound
	}
	return slices.Clone(rows), nil
}

// Rekey replaces every sealed secret.
func (s *Store) Rekey(_ context.Context, reseal func([]byte) ([]byte, error), facts ...store.Fact) (n int, err error) {
	err = s.write(facts, func() error {
		lines, trunks := maps.Clone(s.lines), maps.Clone(s.trunks)
		for id, l := range lines {
			if l.Sealed != nil {
				if l.Sealed, err = reseal(l.Sealed); err != nil {
					return err
				}
				n++
			}
			l.Former = slices.Clone(l.Former)
			for i := range l.Former {
				if l.Former[i].Sealed, err = reseal(l.Former[i].Sealed); err != nil {
					return err
				}
				n++
			}
			lines[id] = l
		}
		for name, t := range trunks {
			if t.Sealed != nil {
				if t.Sealed, err = reseal(t.Sealed); err != nil {
					return err
				}
				trunks[name] = t
				n++
			}
		}
		s.lines, s.trunks = lines, trunks
		return nil
	})
	return n, err
}

// Facts pages through the journal.
func (s *Store) Facts(_ context.Context, f store.FactFilter) ([]store.Fact, error) {
	var out []store.Fact
	all := slices.Values(s.AllFacts())
	if f.Before > 0 {
		all = func(yield func(store.Fact) bool) {
			for _, x := range slices.Backward(s.AllFacts()) {
				if x.Seq < f.Before && !yield(x) {
					return
				}
			}
		}
	}
	for x := range all {
		if x.Seq > f.After && fits(f.Line, x.Line) && (f.Loose == "" || x.Line == "" && x.Account == f.Loose) && (f.Past == "" || x.Account == f.Past && slices.Contains(fact.History[:], x.Kind)) && strings.HasPrefix(x.Kind, f.Kind) && (len(f.Kinds) == 0 || slices.Contains(f.Kinds, x.Kind)) && len(out) < cmp.Or(f.Limit, 1000) {
			out = append(out, x)
		}
	}
	return out, nil
}

// Removals are what was removed, newest first.
func (s *Store) Removals(_ context.Context, kind, handle string, limit int) (out []store.Fact, err error) {
	for _, f := range slices.Backward(s.AllFacts()) {
		id := f.Line
		if kind == "customer" {
			id = f.Account
		}
		if f.Kind == kind+".deleted" && fits(handle, account.Handle(id)) && len(out) < limit {
			out = append(out, f)
		}
	}
	return out, nil
}

// The rest has nothing to do with the book.

// Apply takes effect of nothing.
func (s *Store) Apply(_ context.Context, ops []store.Op) ([]store.Outcome, error) {
	return make([]store.Outcome, len(ops)), nil
}

// Purses are empty.
func (s *Store) Purses(context.Context, []string) ([]store.Purse, error) { return nil, nil }

// OpenCalls are none.
func (s *Store) OpenCalls(context.Context, string) ([]call.Open, error) { return nil, nil }

// Take finds none.
func (s *Store) Take(context.Context, string, time.Duration, call.ID, string, bool) ([]call.Open, error) {
	return nil, nil
}

// Hear has heard nothing.
func (s *Store) Hear(context.Context, string, call.ID, []byte) ([][]byte, error) { return nil, nil }

// Claim finds none.
func (s *Store) Claim(context.Context, string, time.Duration) ([]call.Open, error) {
	return nil, nil
}

// Renew has nothing to renew.
func (s *Store) Renew(context.Context, string, time.Duration) error { return nil }

// Clock is this process's own, and runs ahead of it by Ahead.
func (s *Store) Clock(context.Context) (time.Time, error) {
	return time.Now().Add(time.Duration(s.Ahead.Load())), nil
}

// CDRs are none.
func (s *Store) CDRs(context.Context, store.CDRFilter) ([]call.CDR, error) { return nil, nil }

// Sums are none.
func (s *Store) Sums(context.Context, store.CDRFilter, store.SumBy) ([]store.CDRSum, error) {
	return nil, nil
}

// CDR finds none.
func (s *Store) CDR(context.Context, call.ID) (call.CDR, error) { return call.CDR{}, store.ErrNotFound }

// Check finds no fault.
func (s *Store) Check(context.Context) ([]string, error) { return nil, nil }

// Ping is a write.
func (s *Store) Ping(context.Context) error { return s.write(nil, func() error { return nil }) }

// Close does nothing.
func (s *Store) Close() error { return nil }

// Registrations are none.
func (s *Store) Registrations(context.Context, func(store.Registration) error) error { return nil }

// SaveRegistrations keeps none.
func (s *Store) SaveRegistrations(context.Context, []store.Registration, []store.Registration, ...store.Fact) error {
	return nil
}

var _ store.Store = (*Store)(nil)

// Marks is a copy of all.
func (s *Store) Marks(context.Context) (map[string]store.Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.marks), nil
}

// Last is the instant of the newest fact.
func (s *Store) Last(context.Context) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.facts) == 0 {
		return time.Time{}, nil
	}
	return s.facts[len(s.facts)-1].At, nil
}

// PutMark sets one.
func (s *Store) PutMark(_ context.Context, m store.Mark, was string, facts ...store.Fact) error {
	return s.write(facts, func() error {
		if s.marks[m.Name].Value != was {
			return store.ErrMoved
		}
		if s.marks == nil {
			s.marks = map[string]store.Mark{}
		}
		s.marks[m.Name] = m
		return nil
	})
}
