package booktest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ringfence/state/store"
)

// people are those who may sign in, and what was given to them.
type people struct {
	all    map[string]store.Person
	passes map[string]store.Pass
}

func (p *people) begin() {
	if p.all == nil {
		p.all, p.passes = map[string]store.Person{}, map[string]store.Pass{}
	}
}

func (p *people) remove(id string) {
	delete(p.all, id)
	for hash, pass := range p.passes {
		if pass.Person == id {
			delete(p.passes, hash)
		}
	}
}

func (s *Store) somePeople(is func(*store.Person) bool) (out []store.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.people.all {
		if is(&p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b store.Person) int { return strings.Compare(a.Login, b.Login) })
	return out
}

// People reads those of a customer, or of staff.
func (s *Store) People(_ context.Context, customer string) ([]store.Person, error) {
	return s.somePeople(func(p *store.Person) bool { return p.Customer == customer }), nil
}

// Person reads one.
func (s *Store) Person(_ context.Context, id string) (store.Person, error) {
	all := s.somePeople(func(p *store.Person) bool { return p.ID == id })
	if len(all) == 0 {
		return store.Person{}, store.ErrNotFound
	}
	return all[0], nil
}

// PeopleCalled reads those whom a name may mean.
func (s *Store) PeopleCalled(_ context.Context, name string) ([]store.Person, error) {
	return s.somePeople(func(p *store.Person) bool { return p.Login == name || p.Mail == name && name != "" }), nil
}

// PutPerson writes a person.
func (s *Store) PutPerson(_ context.Context, p store.Person, facts ...store.Fact) error {
	return s.write(facts, func() error {
		s.people.begin()
		was, there := s.people.all[p.ID]
		for _, other := range s.people.all {
			if other.Login == p.Login && other.ID != p.ID || p.Version == 0 && there {
				return store.ErrExists
			}
		}
		if p.Version != 0 && (!there || was.Version != p.Version) {
			return store.ErrMoved
		}
		p.Version++
		s.people.all[p.ID] = p
		return nil
	})
}

// DeletePerson removes a person and what lets them in.
func (s *Store) DeletePerson(_ context.Context, id string, facts ...store.Fact) error {
	return s.write(facts, func() error {
		if _, there := s.people.all[id]; !there {
			return store.ErrNotFound
		}
		s.people.remove(id)
		return nil
	})
}

// Passes reads those of a person and a kind.
func (s *Store) Passes(_ context.Context, person, kind string) (out []store.Pass, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.people.passes {
		if p.Person == person && p.Kind == kind {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b store.Pass) int {
		return cmp.Or(b.Seen.Compare(a.Seen), strings.Compare(a.Hash, b.Hash))
	})
	return out, nil
}

// Pass reads one.
func (s *Store) Pass(_ context.Context, hash string) (store.Pass, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, there := s.people.passes[hash]
	if !there {
		return p, store.ErrNotFound
	}
	return p, nil
}

func (s *Store) newPass(p store.Pass) error {
	s.people.begin()
	if _, there := s.people.all[p.Person]; !there && p.Person != "" {
		return store.ErrNotFound
	}
	if _, there := s.people.passes[p.Hash]; there {
		return store.ErrExists
	}
	s.people.passes[p.Hash] = p
	return nil
}

// PutPass writes a new pass.
func (s *Store) PutPass(_ context.Context, p store.Pass, facts ...store.Fact) error {
	return s.write(facts, func() error { return s.newPass(p) })
}

// SeePass records a use.
func (s *Store) SeePass(_ context.Context, p store.Pass, facts ...store.Fact) error {
	return s.write(facts, func() error {
		was, there := s.people.passes[p.Hash]
		if !there {
			return store.ErrNotFound
		}
		was.Seen, was.From, was.Agent = p.Seen, p.From, p.Agent
		if p.Proved.After(was.Proved) {
			was.Proved = p.Proved
		}
		s.people.passes[p.Hash] = was
		return nil
	})
}

// UsePass takes one away and gives the next.
func (s *Store) UsePass(_ context.Context, hash, kind string, now time.Time, next store.Pass, facts ...store.Fact) error {
	return s.write(facts, func() error {
		was, there := s.people.passes[hash]
		if !there || was.Kind != kind || !was.Expires.After(now) {
			return store.ErrInUse
		}
		if next.Hash != "" {
			if err := s.newPass(next); err != nil {
				return err
			}
		}
		delete(s.people.passes, hash)
		return nil
	})
}

// DropPasses takes passes of a person away.
func (s *Store) DropPasses(_ context.Context, person, kind, hash, keep string, facts ...store.Fact) (n int64, err error) {
	err = s.write(facts, func() error {
		for h, p := range s.people.passes {
			if p.Person == person && (kind == "" || p.Kind == kind) && (hash == "" || h == hash) && h != keep {
				delete(s.people.passes, h)
				n++
			}
		}
		return nil
	})
	return n, err
}

// ClearPasses takes away what expired long ago.
func (s *Store) ClearPasses(_ context.Context, before time.Time) (n int64, err error) {
	err = s.write(nil, func() error {
		for h, p := range s.people.passes {
			if p.Expires.Before(before) {
				delete(s.people.passes, h)
				n++
			}
		}
		return nil
	})
	return n, err
}
