package booktest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ringfence/state/store"
)

// Notices lists notices with their deliveries.
func (s *Store) Notices(_ context.Context, f store.NoticeFilter) ([]store.Notice, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := newest(s.stages.notices, f.Before, f.Limit, func(n *store.Notice) bool {
		wanted := func(d store.Delivery) bool {
			return fits(f.State, string(d.State)) && (f.To == "" || strings.HasPrefix(d.Person, f.To+"/"))
		}
		return fits(f.Line, n.Line) && fits(f.Account, n.Account) && fits(f.Kind, n.Kind) &&
			(f.State == "" && f.To == "" || slices.ContainsFunc(n.Deliveries, wanted))
	})
	for i := range out {
		out[i].Deliveries = slices.Clone(out[i].Deliveries)
	}
	return out, nil
}

// Notice is one notice.
func (s *Store) Notice(_ context.Context, id int64) (store.Notice, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id < 1 || id > int64(len(s.stages.notices)) {
		return store.Notice{}, store.ErrNotFound
	}
	n := s.stages.notices[id-1]
	n.Deliveries = slices.Clone(n.Deliveries)
	return n, nil
}

// ClaimDeliveries takes what is due.
func (s *Store) ClaimDeliveries(_ context.Context, now, until time.Time, limit int) (out []store.DueDelivery, err error) {
	err = s.write(nil, func() error {
		var due []*store.Delivery
		for i := range s.stages.notices {
			all := s.stages.notices[i].Deliveries
			for j := range all {
				if d := &all[j]; (d.State == store.Queued || d.State == store.Sending) && !d.Next.After(now) {
					due = append(due, d)
				}
			}
		}
		slices.SortFunc(due, func(a, b *store.Delivery) int {
			return cmp.Or(a.Next.Compare(b.Next), cmp.Compare(a.Notice, b.Notice), strings.Compare(a.Person, b.Person), strings.Compare(a.Channel, b.Channel))
		})
		for _, d := range due[:min(len(due), max(limit, 0))] {
			d.State, d.Next, d.Tries, d.Claim = store.Sending, until, d.Tries+1, d.Claim+1
			of := s.stages.notices[d.Notice-1]
			of.Deliveries = nil
			out = append(out, store.DueDelivery{Delivery: *d, Of: of})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// onDelivery changes the one with the key of d.
func (s *Store) onDelivery(d store.Delivery, facts []store.Fact, change func(is *store.Delivery) error) error {
	return s.write(facts, func() error {
		is := s.stages.delivery(d)
		if is == nil {
			return store.ErrNotFound
		}
		return change(is)
	})
}

// SettleDelivery records the result of a try.
func (s *Store) SettleDelivery(_ context.Context, d store.Delivery, facts ...store.Fact) error {
	return s.onDelivery(d, facts, func(is *store.Delivery) error {
		from, or := store.Sending, store.Sending
		switch d.State {
		case store.Bundled:
			from, or = store.Digest, store.Digest
		case store.Off:
			or = store.Digest
		}
		if is.State != from && is.State != or || is.Claim != d.Claim {
			return store.ErrMoved
		}
		is.State, is.Next, is.Error, is.Sent, is.Point = d.State, d.Next, d.Error, d.Sent, d.Point
		return nil
	})
}

// Requeue queues whatever it was.
func (s *Store) Requeue(_ context.Context, d store.Delivery, now time.Time, facts ...store.Fact) error {
	return s.onDelivery(d, facts, func(is *store.Delivery) error {
		is.State, is.Tries, is.Claim, is.Next, is.Address = store.Queued, 0, is.Claim+1, now, cmp.Or(d.Address, is.Address)
		return nil
	})
}

// Link is one link.
func (s *Store) Link(_ context.Context, hash string) (store.Link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.stages.links[hash]
	if !ok {
		return store.Link{}, store.ErrNotFound
	}
	return l, nil
}

// onLink changes one link.
func (s *Store) onLink(hash string, facts []store.Fact, change func(l *store.Link) error) error {
	return s.write(facts, func() error {
		l, ok := s.stages.links[hash]
		if !ok {
			return store.ErrNotFound
		}
		err := change(&l)
		s.stages.links[hash] = l
		return err
	})
}

// UseLink marks one used, once.
func (s *Store) UseLink(_ context.Context, hash string, now time.Time, facts ...store.Fact) error {
	return s.onLink(hash, facts, func(l *store.Link) error {
		if !l.Used.IsZero() || !l.Expires.IsZero() && !l.Expires.After(now) {
			return store.ErrInUse
		}
		l.Used = now
		return nil
	})
}

// LinkResult records what using one did.
func (s *Store) LinkResult(_ context.Context, hash, result string) error {
	return s.onLink(hash, nil, func(l *store.Link) error {
		l.Result = result
		return nil
	})
}
