package status

import (
	"context"
	"errors"
	"strings"
	"time"

	"ringfence/core/fact"
	"ringfence/state/store"
)

// Kinds of incident.
const (
	Measured = "measured"
	Written  = "written"
	Planned  = "planned"
)

// shown is how many incidents are kept in memory.
const shown = 200

// resume reads the history, and takes incidents up again that this node had open when it stopped.
func (s *Status) resume(ctx context.Context) {
	for ctx.Err() == nil {
		if s.read(ctx, time.Now()) == nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(s.o.Every):
		}
	}
}

// read takes over what the store has: the samples of all nodes, what was counted, and incidents.
func (s *Status) read(ctx context.Context, now time.Time) error {
	from := now.AddDate(0, 0, -history-1)
	days, counts := map[Component]map[time.Time]*[4]int64{}, map[string]map[time.Time]int64{}
	err := s.o.Store.Tallies(ctx, "sample/", from, func(t store.Tally) error {
		c, state, _ := strings.Cut(strings.TrimPrefix(t.What, "sample/"), "/")
		p := &part{days: days[Component(c)]}
		if p.days == nil {
			p.days = map[time.Time]*[4]int64{}
			days[Component(c)] = p.days
		}
		for n, name := range stateNames {
			if name == state {
				p.day(t.At.In(s.o.Zone))[n] += t.N
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = s.o.Store.Tallies(ctx, "count/", from, func(t store.Tally) error {
		what := strings.TrimPrefix(t.What, "count/")
		if counts[what] == nil {
			counts[what] = map[time.Time]int64{}
		}
		counts[what][t.At.UTC()] += t.N
		return nil
	})
	if err != nil {
		return err
	}
	all, err := s.o.Store.Incidents(ctx, 0, shown)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readAt, s.incidents, s.counts = now, all, counts
	for c, p := range s.parts {
		if p.days = days[c]; p.days == nil {
			p.days = map[time.Time]*[4]int64{}
		}
		for n := range all {
			if i := &all[n]; p.open == nil && i.Kind == Measured && i.Node == s.o.Node && i.Component == string(c) && i.Ended.IsZero() {
				open := *i
				p.open, p.stored, p.said, p.bad = &open, len(open.Updates), Down, worseAfter
			}
		}
	}
	for t, n := range s.samples { // not stored yet
		c, state, _ := strings.Cut(strings.TrimPrefix(t.What, "sample/"), "/")
		for k, name := range stateNames {
			if p := s.parts[Component(c)]; p != nil && name == state {
				p.day(t.At.In(s.o.Zone))[k] += n
			}
		}
	}
	return nil
}

// save writes incidents at once, samples every minute, and sends what subscribers are to be told.
func (s *Status) save(ctx context.Context, now time.Time) {
	err := s.saveIncidents(ctx)
	if now.Sub(s.savedAt) >= saveEvery {
		s.savedAt = now
		err = errors.Join(err, s.saveSamples(ctx))
	}
	switch {
	case err != nil:
		s.o.Log.Error("the status could not be stored; it is shown, and tried again", "error", err)
	case now.Sub(s.readAt) >= readEvery:
		err = errors.Join(s.clear(ctx, now), s.read(ctx, now))
	default:
		err = s.refresh(ctx)
	}
	if err == nil && s.o.Mail != nil {
		err = s.tell(ctx, now)
	}
	if err != nil && ctx.Err() == nil {
		s.o.Log.Error("the status could not be kept up", "error", err)
	}
}

func (s *Status) saveSamples(ctx context.Context) error {
	s.mu.Lock()
	add := make([]store.Tally, 0, len(s.samples))
	for t, n := range s.samples {
		t.N = n
		add = append(add, t)
	}
	s.mu.Unlock()
	if len(add) == 0 {
		return nil
	}
	if err := s.o.Store.AddTallies(ctx, add); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range add {
		n := t.N
		t.N = 0
		if s.samples[t] -= n; s.samples[t] <= 0 {
			delete(s.samples, t)
		}
	}
	return nil
}

// saveIncidents writes what measurement has added, beside what staff have added meanwhile.
func (s *Status) saveIncidents(ctx context.Context) error {
	type change struct {
		p *part
		i store.Incident
		n int // updates that are stored
	}
	var changes []change
	s.mu.Lock()
	for _, p := range s.parts {
		if p.open != nil && (p.stored < len(p.open.Updates) || p.open.ID == 0) {
			i := *p.open
			i.Updates = append([]store.IncidentUpdate(nil), i.Updates...)
			changes = append(changes, change{p, i, p.stored})
		}
	}
	s.mu.Unlock()
	var failed error
	for _, c := range changes {
		got, err := s.saveIncident(ctx, c.i, c.i.Updates[c.n:])
		if errors.Is(err, store.ErrExists) { // it began before this process did, and the store was away when that was looked for
			got, err = s.join(ctx, c.i)
		}
		if err != nil {
			failed = err
			continue
		}
		s.mu.Lock()
		more := c.p.open.Updates[len(c.i.Updates):]
		ended := c.p.open.Ended
		got.Updates = append(got.Updates, more...)
		c.p.open, c.p.stored = &got, len(got.Updates)-len(more)
		if got.Ended = ended; !ended.IsZero() && len(more) == 0 {
			c.p.open, c.p.stored = nil, 0
		}
		s.mu.Unlock()
	}
	return failed
}

// saveIncident writes a new one, or adds entries to the one that is stored.
func (s *Status) saveIncident(ctx context.Context, i store.Incident, added []store.IncidentUpdate) (store.Incident, error) {
	ended := i.Ended
	if i.ID != 0 {
		was, err := s.o.Store.Incident(ctx, i.ID)
		if err != nil {
			return i, err
		}
		was.Updates = append(was.Updates, added...)
		was.Ended = ended
		i = was
	}
	var row store.Fact
	last := added[len(added)-1]
	switch {
	case i.ID == 0: // its number is not known yet
		f := fact.StatusOpened{Component: i.Component, Title: i.Title, Text: added[0].Text}
		row = f.Row(i.Began, fact.Subject{})
	case !ended.IsZero():
		f := fact.StatusClosed{Incident: i.ID, Text: last.Text}
		row = f.Row(last.At, fact.Subject{})
	default:
		f := fact.StatusNoted{Incident: i.ID, Text: last.Text}
		row = f.Row(last.At, fact.Subject{})
	}
	id, err := s.o.Store.PutIncident(ctx, i, row)
	i.ID, i.Version = id, i.Version+1
	return i, err
}

// join adds what was measured to the incident of the same component that is open already.
func (s *Status) join(ctx context.Context, i store.Incident) (store.Incident, error) {
	all, err := s.o.Store.Incidents(ctx, 0, shown)
	if err != nil {
		return i, err
	}
	for _, o := range all {
		if o.Kind == Measured && o.Component == i.Component && o.Node == i.Node && o.Ended.IsZero() {
			i.ID = o.ID
			return s.saveIncident(ctx, i, i.Updates)
		}
	}
	return i, store.ErrNotFound // it has just ended: the next try opens another
}

// refresh reads incidents again: staff and other nodes write them too.
func (s *Status) refresh(ctx context.Context) error {
	all, err := s.o.Store.Incidents(ctx, 0, shown)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.incidents = all
	return nil
}

// clear forgets what is older than the history.
func (s *Status) clear(ctx context.Context, now time.Time) error {
	_, err := s.o.Store.ClearTallies(ctx, now.AddDate(0, 0, -history-1))
	_, again := s.o.Store.ClearSubscribers(ctx, now.Add(-confirmWithin))
	return errors.Join(err, again)
}
