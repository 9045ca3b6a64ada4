package booktest

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringfence/state/store"
)

// stages is what the stages that follow the journal keep. The store's mu owns it.
type stages struct {
	cursors  map[string]int64
	findings []store.Finding // by ID from 1
	usage    map[string]store.Usage
	devices  map[device]store.Device
	bans     map[netip.Prefix]store.Ban
	notices  []store.Notice // by ID from 1, their deliveries in order
	links    map[string]store.Link
	memories map[string]map[string][]byte // by stage and subject
}

type device struct{ line, place, family string }

func (g *stages) begin() {
	if g.cursors == nil {
		*g = stages{
			cursors: map[string]int64{}, usage: map[string]store.Usage{}, devices: map[device]store.Device{},
			bans: map[netip.Prefix]store.Ban{}, links: map[string]store.Link{}, memories: map[string]map[string][]byte{},
		}
	}
}

// Cursor is how far a stage has come.
func (s *Store) Cursor(_ context.Context, stage string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stages.cursors[stage], nil
}

// Advance takes a step, or nothing of it.
func (s *Store) Advance(_ context.Context, step store.Step) (out store.Stepped, err error) {
	var facts []store.Fact
	err = s.write(nil, func() error {
		g := &s.stages
		if err := g.allows(&step); err != nil {
			return err
		}
		if step.From != step.To {
			g.cursors[step.Stage] = step.To
		}
		for _, f := range step.Findings {
			raised := g.raise(f)
			out.Findings = append(out.Findings, raised)
			if raised.New && f.RaiseFact.Kind != "" {
				facts = append(facts, f.RaiseFact)
			}
		}
		for _, u := range step.Usage {
			is := g.usage[u.Subject]
			is = store.Usage{Subject: u.Subject, Unbilled: is.Unbilled.Add(u.Add), Told: max(is.Told, u.Told)}
			g.usage[u.Subject] = is
			out.Usage = append(out.Usage, is.Unbilled)
		}
		g.remember(&step)
		for _, n := range step.Notices {
			out.Notices = append(out.Notices, g.notify(n))
		}
		for _, d := range step.Bundled {
			is := g.delivery(d)
			is.State, is.Sent, is.Claim = store.Bundled, d.Sent, is.Claim+1
		}
		s.tally(step.Tallies)
		out.Repeated = s.keep(append(facts, step.Facts...))
		return nil
	})
	if err != nil {
		return store.Stepped{}, err
	}
	return out, nil
}

func (g *stages) remember(step *store.Step) {
	if g.memories[step.Stage] == nil {
		g.memories[step.Stage] = map[string][]byte{}
	}
	for _, m := range step.Memory {
		if len(m.Body) == 0 {
			delete(g.memories[step.Stage], m.Subject)
		}
	}
	for _, m := range step.Memory {
		if len(m.Body) > 0 {
			g.memories[step.Stage][m.Subject] = slices.Clone(m.Body)
		}
	}
}

// Memory is what a stage remembers of a subject.
func (s *Store) Memory(_ context.Context, stage, subject string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.stages.memories[stage][subject]), nil
}

// Memories is what a stage remembers of the subjects that begin with a text.
func (s *Store) Memories(_ context.Context, stage, under string, yield func(store.Memory) error) error {
	s.mu.Lock()
	all := maps.Clone(s.stages.memories[stage])
	s.mu.Unlock()
	for _, subject := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasPrefix(subject, under) {
			continue
		}
		if err := yield(store.Memory{Subject: subject, Body: slices.Clone(all[subject])}); err != nil {
			return err
		}
	}
	return nil
}

// allows finds what is against a step before anything is changed.
func (g *stages) allows(step *store.Step) error {
	if err := step.Check(); err != nil {
		return err
	}
	if step.From != step.To && step.From != g.cursors[step.Stage] {
		return store.ErrMoved
	}
	written, fresh := map[string]bool{}, map[string]bool{}
	for _, n := range step.Notices {
		if written[n.Key] || g.noticeOf(n.Key) != 0 {
			continue
		}
		written[n.Key] = true
		for _, l := range n.Links {
			if _, there := g.links[l.Hash]; there || fresh[l.Hash] {
				return store.ErrExists
			}
			fresh[l.Hash] = true
		}
	}
	for _, d := range step.Bundled {
		if is := g.delivery(d); is == nil || is.State != store.Digest || is.Claim != d.Claim {
			return store.ErrMoved
		}
	}
	return nil
}

func (g *stages) raise(f store.Finding) store.Raised {
	last := f.Last
	if f.At.After(last) {
		last = f.At
	}
	for i := range g.findings {
		if is := &g.findings[i]; is.Key == f.Key {
			if last.After(is.Last) {
				is.Last = last
			}
			is.Count++
			is.Evidence = f.Evidence
			return store.Raised{ID: is.ID}
		}
	}
	f.ID, f.Last, f.Count, f.RaiseFact = int64(len(g.findings))+1, last, max(f.Count, 1), store.Fact{}
	g.findings = append(g.findings, f)
	return store.Raised{ID: f.ID, New: true}
}

func (g *stages) noticeOf(key string) int64 {
	return int64(slices.IndexFunc(g.notices, func(n store.Notice) bool { return n.Key == key })) + 1
}

func (g *stages) notify(n store.Notice) store.Raised {
	if id := g.noticeOf(n.Key); id != 0 {
		return store.Raised{ID: id}
	}
	n.ID = int64(len(g.notices)) + 1
	for _, l := range n.Links {
		l.Notice = n.ID
		g.links[l.Hash] = l
	}
	n.Links, n.Deliveries = nil, slices.Clone(n.Deliveries)
	for i := range n.Deliveries {
		n.Deliveries[i].Notice, n.Deliveries[i].Claim = n.ID, 0
	}
	byPerson := func(a, b store.Delivery) int {
		return cmp.Or(strings.Compare(a.Person, b.Person), strings.Compare(a.Channel, b.Channel))
	}
	slices.SortStableFunc(n.Deliveries, byPerson)
	n.Deliveries = slices.CompactFunc(n.Deliveries, func(a, b store.Delivery) bool { return byPerson(a, b) == 0 })
	g.notices = append(g.notices, n)
	return store.Raised{ID: n.ID, New: true}
}

// delivery is the one with the key of d, or nil.
func (g *stages) delivery(d store.Delivery) *store.Delivery {
	if d.Notice < 1 || d.Notice > int64(len(g.notices)) {
		return nil
	}
	all := g.notices[d.Notice-1].Deliveries
	for i := range all {
		if all[i].Person == d.Person && all[i].Channel == d.Channel {
			return &all[i]
		}
	}
	return nil
}

// newest gives at most limit of all from its end, those below an ID that a filter wants.
func newest[T any](all []T, before int64, limit int, wants func(*T) bool) []T {
	var out []T
	if before == 0 {
		before = int64(len(all)) + 1
	}
	for i := min(before-1, int64(len(all))); i > 0 && len(out) < cmp.Or(limit, 100); i-- {
		if wants(&all[i-1]) {
			out = append(out, all[i-1])
		}
	}
	return out
}

func fits(want, is string) bool { return want == "" || want == is }

// Findings lists findings.
func (s *Store) Findings(_ context.Context, f store.FindingFilter) ([]store.Finding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return newest(s.stages.findings, f.Before, f.Limit, func(x *store.Finding) bool {
		return fits(f.Line, x.Line) && fits(f.Account, x.Account) && fits(f.Kind, x.Kind) && (!f.Open || x.ClosedAt.IsZero())
	}), nil
}

// Finding is one finding.
func (s *Store) Finding(_ context.Context, id int64) (store.Finding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id < 1 || id > int64(len(s.stages.findings)) {
		return store.Finding{}, store.ErrNotFound
	}
	return s.stages.findings[id-1], nil
}

// CloseFinding closes one that is open.
func (s *Store) CloseFinding(_ context.Context, id int64, at time.Time, actor string, facts ...store.Fact) error {
	return s.write(facts, func() error {
		if id < 1 || id > int64(len(s.stages.findings)) {
			return store.ErrNotFound
		}
		f := &s.stages.findings[id-1]
		if !f.ClosedAt.IsZero() {
			return store.ErrInUse
		}
		f.ClosedAt, f.ClosedBy = at, actor
		return nil
	})
}

// NoteFinding adds a note.
func (s *Store) NoteFinding(_ context.Context, id int64, note store.Note, facts ...store.Fact) error {
	return s.write(facts, func() error {
		if id < 1 || id > int64(len(s.stages.findings)) {
			return store.ErrNotFound
		}
		f := &s.stages.findings[id-1]
		size := len(note.Text)
		for _, n := range f.Notes {
			size += len(n.Text)
		}
		if size+100*(len(f.Notes)+1) > store.MaxNotes {
			return store.ErrInUse
		}
		f.Notes = append(f.Notes[:len(f.Notes):len(f.Notes)], note)
		return nil
	})
}

// yieldAll gives a copy of what is in a map, in the order of less.
func yieldAll[K comparable, V any](s *Store, items func(*stages) map[K]V, order func(a, b V) int, yield func(V) error) error {
	s.mu.Lock()
	all := slices.SortedFunc(maps.Values(items(&s.stages)), order)
	s.mu.Unlock()
	for _, v := range all {
		if err := yield(v); err != nil {
			return err
		}
	}
	return nil
}

// Usage yields all by subject.
func (s *Store) Usage(_ context.Context, yield func(store.Usage) error) error {
	order := func(a, b store.Usage) int { return strings.Compare(a.Subject, b.Subject) }
	return yieldAll(s, func(g *stages) map[string]store.Usage { return g.usage }, order, yield)
}

// Devices yields all by line, place and family.
func (s *Store) Devices(_ context.Context, yield func(store.Device) error) error {
	order := func(a, b store.Device) int {
		return cmp.Or(strings.Compare(a.Line, b.Line), strings.Compare(a.Place, b.Place), strings.Compare(a.Family, b.Family))
	}
	return yieldAll(s, func(g *stages) map[device]store.Device { return g.devices }, order, yield)
}

// SaveDevices drops, then puts.
func (s *Store) SaveDevices(_ context.Context, put, drop []store.Device, facts ...store.Fact) error {
	return s.write(facts, func() error {
		for _, d := range drop {
			delete(s.stages.devices, device{d.Line, d.Place, d.Family})
		}
		for _, d := range put {
			key := device{d.Line, d.Place, d.Family}
			d.Verdict = cmp.Or(d.Verdict, s.stages.devices[key].Verdict)
			s.stages.devices[key] = d
		}
		return nil
	})
}

// Bans yields all by the text of their network.
func (s *Store) Bans(_ context.Context, yield func(store.Ban) error) error {
	order := func(a, b store.Ban) int { return strings.Compare(a.Net.String(), b.Net.String()) }
	return yieldAll(s, func(g *stages) map[netip.Prefix]store.Ban { return g.bans }, order, yield)
}

// SaveBans drops, then puts.
func (s *Store) SaveBans(_ context.Context, put []store.Ban, drop []netip.Prefix, facts ...store.Fact) error {
	return s.write(facts, func() error {
		for _, b := range put {
			if !b.Net.IsValid() {
				return store.ErrInvalid
			}
		}
		for _, net := range drop {
			delete(s.stages.bans, net.Masked())
		}
		for _, b := range put {
			b.Net = b.Net.Masked()
			s.stages.bans[b.Net] = b
		}
		return nil
	})
}

// ClearBans deletes those that ended before an instant.
func (s *Store) ClearBans(_ context.Context, before time.Time) (n int64, err error) {
	err = s.write(nil, func() error {
		all := len(s.stages.bans)
		maps.DeleteFunc(s.stages.bans, func(_ netip.Prefix, b store.Ban) bool { return !b.Until.IsZero() && b.Until.Before(before) })
		n = int64(all - len(s.stages.bans))
		return nil
	})
	return n, err
}
