package booktest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ringfence/state/store"
)

// public is what the public status is made of.
type public struct {
	tallies     map[tallyKey]int64
	incidents   []store.Incident // by ID from 1
	subscribers []store.Subscriber
}

type tallyKey struct {
	what string
	at   int64
}

// Tallies streams what begins with a text.
func (s *Store) Tallies(_ context.Context, under string, from time.Time, yield func(store.Tally) error) error {
	s.mu.Lock()
	var out []store.Tally
	for k, n := range s.public.tallies {
		if at := time.UnixMicro(k.at).UTC(); strings.HasPrefix(k.what, under) && !at.Before(from) {
			out = append(out, store.Tally{What: k.what, At: at, N: n})
		}
	}
	s.mu.Unlock()
	slices.SortFunc(out, func(a, b store.Tally) int { return cmp.Or(strings.Compare(a.What, b.What), a.At.Compare(b.At)) })
	for _, t := range out {
		if err := yield(t); err != nil {
			return err
		}
	}
	return nil
}

// AddTallies adds to what is there.
func (s *Store) AddTallies(_ context.Context, add []store.Tally) error {
	return s.write(nil, func() error {
		s.tally(add)
		return nil
	})
}

// tally adds. The caller holds mu.
func (s *Store) tally(add []store.Tally) {
	if s.public.tallies == nil {
		s.public.tallies = map[tallyKey]int64{}
	}
	for _, t := range add {
		s.public.tallies[tallyKey{t.What, t.At.UnixMicro()}] += t.N
	}
}

// ClearTallies removes old ones.
func (s *Store) ClearTallies(_ context.Context, before time.Time) (n int64, err error) {
	err = s.write(nil, func() error {
		for k := range s.public.tallies {
			if k.at < before.UnixMicro() {
				delete(s.public.tallies, k)
				n++
			}
		}
		return nil
	})
	return n, err
}

// Incidents reads a page of them.
func (s *Store) Incidents(_ context.Context, before int64, limit int) (out []store.Incident, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range slices.Backward(s.public.incidents) {
		if (before == 0 || i.ID < before) && len(out) < limit {
			i.Updates = slices.Clone(i.Updates)
			out = append(out, i)
		}
	}
	return out, nil
}

// Incident reads one.
func (s *Store) Incident(_ context.Context, id int64) (store.Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id < 1 || id > int64(len(s.public.incidents)) {
		return store.Incident{}, store.ErrNotFound
	}
	i := s.public.incidents[id-1]
	i.Updates = slices.Clone(i.Updates)
	return i, nil
}

// PutIncident writes one.
func (s *Store) PutIncident(_ context.Context, i store.Incident, facts ...store.Fact) (int64, error) {
	err := s.write(facts, func() error {
		p := &s.public
		i.Updates = slices.Clone(i.Updates)
		if i.ID == 0 {
			for _, o := range p.incidents {
				if i.Kind == "measured" && o.Kind == "measured" && i.Ended.IsZero() && o.Ended.IsZero() && o.Component == i.Component && o.Node == i.Node {
					return store.ErrExists
				}
			}
			i.ID, i.Version = int64(len(p.incidents))+1, 1
			p.incidents = append(p.incidents, i)
			return nil
		}
		if i.ID > int64(len(p.incidents)) || p.incidents[i.ID-1].Version != i.Version {
			return store.ErrMoved
		}
		i.Version++
		p.incidents[i.ID-1] = i
		return nil
	})
	return i.ID, err
}

// Subscribers reads all.
func (s *Store) Subscribers(context.Context) ([]store.Subscriber, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.public.subscribers)
	slices.SortFunc(out, func(a, b store.Subscriber) int { return strings.Compare(a.Mail, b.Mail) })
	return out, nil
}

// PutSubscriber writes one in place of one that was never confirmed.
func (s *Store) PutSubscriber(_ context.Context, x store.Subscriber) error {
	return s.write(nil, func() error {
		all := slices.DeleteFunc(s.public.subscribers, func(o store.Subscriber) bool { return o.Mail == x.Mail && o.Confirmed.IsZero() })
		if slices.ContainsFunc(all, func(o store.Subscriber) bool { return o.Mail == x.Mail }) {
			return store.ErrExists
		}
		s.public.subscribers = append(all, x)
		return nil
	})
}

func (s *Store) subscriber(hash string, do func(*store.Subscriber) error) error {
	return s.write(nil, func() error {
		for n := range s.public.subscribers {
			if x := &s.public.subscribers[n]; x.Hash == hash {
				return do(x)
			}
		}
		return store.ErrNotFound
	})
}

// ConfirmSubscriber says that the mail arrived.
func (s *Store) ConfirmSubscriber(_ context.Context, hash string, now time.Time) (out store.Subscriber, err error) {
	err = s.subscriber(hash, func(x *store.Subscriber) error {
		if x.Confirmed.IsZero() {
			x.Confirmed = now
		}
		if x.Told.IsZero() {
			x.Told = now
		}
		out = *x
		return nil
	})
	return out, err
}

// TellSubscriber moves how far one was told.
func (s *Store) TellSubscriber(_ context.Context, hash string, was, told time.Time) error {
	return s.subscriber(hash, func(x *store.Subscriber) error {
		if !x.Told.Equal(was) {
			return store.ErrMoved
		}
		x.Told = told
		return nil
	})
}

// DropSubscriber removes one.
func (s *Store) DropSubscriber(_ context.Context, hash string) error {
	return s.write(nil, func() error {
		n := len(s.public.subscribers)
		s.public.subscribers = slices.DeleteFunc(s.public.subscribers, func(x store.Subscriber) bool { return x.Hash == hash })
		if len(s.public.subscribers) == n {
			return store.ErrNotFound
		}
		return nil
	})
}

// ClearSubscribers removes those that were never confirmed.
func (s *Store) ClearSubscribers(_ context.Context, before time.Time) (n int64, err error) {
	err = s.write(nil, func() error {
		was := len(s.public.subscribers)
		s.public.subscribers = slices.DeleteFunc(s.public.subscribers, func(x store.Subscriber) bool { return x.Confirmed.IsZero() && x.Made.Before(before) })
		n = int64(was - len(s.public.subscribers))
		return nil
	})
	return n, err
}
