package booktest

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"ringfence/core/account"
	"ringfence/state/store"
)

// Waitings reads those of a customer, or all.
func (s *Store) Waitings(_ context.Context, customer string) (out []store.Waiting, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.waiting {
		if customer == "" || w.Customer == customer {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b store.Waiting) int { return cmp.Or(a.Due.Compare(b.Due), strings.Compare(a.Code, b.Code)) })
	return out, nil
}

// PutWaiting adds one.
func (s *Store) PutWaiting(_ context.Context, w store.Waiting, facts ...store.Fact) error {
	return s.write(facts, func() error {
		if s.waiting == nil {
			s.waiting = map[string]store.Waiting{}
		}
		return put(s.waiting, w.Code, w, true)
	})
}

// HurryWaiting records the first who wants one early.
func (s *Store) HurryWaiting(_ context.Context, code, by string, facts ...store.Fact) error {
	return s.write(facts, func() error {
		w, there := s.waiting[code]
		if !there || w.Hurried != "" {
			return store.ErrInUse
		}
		w.Hurried = by
		s.waiting[code] = w
		return nil
	})
}

// DropWaiting takes one away.
func (s *Store) DropWaiting(_ context.Context, code string, facts ...store.Fact) error {
	return s.write(facts, func() error { return remove(s.waiting, code) })
}

// MakeWaiting takes one away and writes what it changed.
func (s *Store) MakeWaiting(_ context.Context, code string, l *account.Line, c *account.Customer, facts ...store.Fact) error {
	return s.write(facts, func() error {
		if _, there := s.waiting[code]; !there {
			return store.ErrNotFound
		}
		if l != nil {
			if err := put(s.lines, l.ID, *l, false); err != nil {
				return err
			}
		}
		if c != nil {
			if err := put(s.customers, c.ID, *c, false); err != nil {
				return err
			}
		}
		return remove(s.waiting, code)
	})
}
