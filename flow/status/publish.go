package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/state/store"
)

// View is what the public sees.
type View struct {
	Measured  time.Time // of the last sample; zero: none yet
	Stale     bool      // measuring has stopped
	Parts     []Shown
	Open      []store.Incident // what fails now, newest first
	Planned   []store.Incident // work to come, the next first
	Past      []store.Incident // of the last 90 days, newest first
	Protected Protected
}

// Shown is a component as the public sees it.
type Shown struct {
	Component Component
	State     State
	Share     float64 // of the samples of the history that were good
	Days      []State // of the history, the oldest first; Unknown: not measured
	First     time.Time
}

// Protected is how protection did in the last 30 days.
type Protected struct {
	LoginsRefused, CallsRefused, CallsCut, Closed, HonestLocked, HonestStopped int64
	Saved                                                                      money.Micro
}

// Version changes when the view may have.
func (s *Status) Version() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, c := range Components {
		if p := s.parts[c]; p != nil {
			fmt.Fprint(&b, p.State)
			if p.open != nil {
				fmt.Fprint(&b, "+", len(p.open.Updates))
			}
		}
	}
	if len(s.incidents) > 0 {
		for _, i := range s.incidents[:min(len(s.incidents), 20)] {
			fmt.Fprint(&b, " ", i.ID, ".", i.Version)
		}
	}
	return fmt.Sprint(b.String(), s.measured.Unix()/30) // the sentence that says when it was measured
}

// View is the status as it was last measured.
func (s *Status) View(now time.Time) View {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := View{Measured: s.measured, Stale: now.Sub(s.measured) > staleAfter}
	for _, c := range Components {
		if p := s.parts[c]; p != nil {
			v.Parts = append(v.Parts, p.view(c, now.In(s.o.Zone)))
		}
	}
	for _, i := range s.all() {
		switch {
		case i.Kind == Planned && i.Ended.After(now):
			v.Planned = append(v.Planned, i)
		case i.Ended.IsZero():
			v.Open = append(v.Open, i)
		case now.Sub(i.Ended) < history*24*time.Hour:
			v.Past = append(v.Past, i)
		}
	}
	slices.SortFunc(v.Planned, func(a, b store.Incident) int { return a.Began.Compare(b.Began) })
	sum := func(what string) (n int64) {
		for day, count := range s.counts[what] {
			if now.Sub(day) < 30*24*time.Hour {
				n += count
			}
		}
		return n
	}
	v.Protected = Protected{sum(LoginsRefused), sum(CallsRefused), sum(CallsCut), sum(Closed), sum(HonestLocked), sum(HonestStopped), money.Micro(sum(Saved))}
	return v
}

// all are incidents as the store has them, with what measurement has found and is not stored yet. The caller holds mu.
func (s *Status) all() []store.Incident {
	out := slices.Clone(s.incidents)
	for _, c := range Components {
		p := s.parts[c]
		if p == nil || p.open == nil {
			continue
		}
		n := slices.IndexFunc(out, func(i store.Incident) bool { return i.ID == p.open.ID && i.ID != 0 })
		if n < 0 {
			out = append([]store.Incident{*p.open}, out...)
		} else if p.stored < len(p.open.Updates) {
			out[n].Updates = append(slices.Clone(out[n].Updates), p.open.Updates[p.stored:]...)
			out[n].Ended = p.open.Ended
		}
	}
	return out
}

func (p *part) view(c Component, now time.Time) Shown {
	out := Shown{Component: c, State: p.State, Days: make([]State, history)}
	good, all := int64(0), int64(0)
	y, m, d := now.Date()
	for n := range history {
		key := time.Date(y, m, d-(history-1-n), 0, 0, 0, 0, now.Location())
		day := p.days[key]
		if day == nil {
			continue
		}
		if out.First.IsZero() {
			out.First = key
		}
		sum := day[Good] + day[Part] + day[Down]
		good, all = good+day[Good], all+sum
		switch {
		case sum == 0:
		case day[Down]*100 > sum: // a quarter of an hour of a day
			out.Days[n] = Down
		case day[Good] < sum:
			out.Days[n] = Part
		default:
			out.Days[n] = Good
		}
	}
	if all > 0 {
		out.Share = float64(good) / float64(all)
	}
	return out
}

// Invalid says what is wrong with what staff wrote.
type Invalid struct{ Field, Want string }

func (e *Invalid) Error() string { return e.Field + ": " + e.Want }

var (
	// ErrNotFound is that there is no such incident.
	ErrNotFound = store.ErrNotFound
	// ErrMeasured is that only measurement ends what it has found.
	ErrMeasured = errors.New("measurement found this incident: it ends when the measurements are good again")
	// ErrOver is that it has ended.
	ErrOver = errors.New("the incident is over")
)

// Entry is what staff write of an incident or planned work.
type Entry struct {
	Title, Text, Component string
	From, Until            time.Time // of planned work; zero is an incident that began now
}

// Add publishes an incident, or planned work.
func (s *Status) Add(ctx context.Context, actor string, n Entry, now time.Time) (store.Incident, error) {
	now = now.UTC().Truncate(time.Microsecond)
	i := store.Incident{Component: n.Component, Kind: Written, Title: strings.TrimSpace(n.Title), Began: now}
	if n.Component != "" && !slices.Contains(Components, Component(n.Component)) {
		return i, &Invalid{"component", "calls-home, calls-abroad, calls-in, login, mail or records"}
	}
	if err := errors.Join(check("title", i.Title, 120), check("text", n.Text, 2000)); err != nil {
		return i, err
	}
	if !n.Until.IsZero() {
		i.Kind, i.Began, i.Ended = Planned, cmp.Or(n.From, now).UTC(), n.Until.UTC()
		if !i.Ended.After(i.Began) || !i.Ended.After(now) {
			return i, &Invalid{"until", "a time after from, in the future"}
		}
	}
	i.Updates = []store.IncidentUpdate{{At: now, By: actor, Text: strings.TrimSpace(n.Text)}}
	f := fact.StatusOpened{Component: i.Component, Title: i.Title, Text: i.Updates[0].Text, By: actor}
	if i.Kind == Planned {
		f.From, f.To = i.Began, i.Ended
	}
	id, err := s.o.Store.PutIncident(ctx, i, f.Row(now, fact.Subject{}))
	i.ID, i.Version = id, 1
	return i, errors.Join(err, s.refresh(ctx))
}

// Note adds an entry to an incident. Closed says that it is over, which what was measured says itself.
func (s *Status) Note(ctx context.Context, actor string, id int64, text string, closed bool, now time.Time) (store.Incident, error) {
	now = now.UTC().Truncate(time.Microsecond)
	if err := check("text", text, 2000); err != nil && (text != "" || !closed) {
		return store.Incident{}, err
	}
	text = strings.TrimSpace(cmp.Or(text, "It works again."))
	for range 5 { // measurement writes too
		i, err := s.o.Store.Incident(ctx, id)
		switch {
		case err != nil:
			return i, err
		case closed && i.Kind == Measured && i.Ended.IsZero():
			return i, ErrMeasured
		case closed && !i.Ended.IsZero() && (i.Kind != Planned || !i.Ended.After(now)):
			return i, ErrOver
		}
		if len(i.Updates) >= 200 {
			return i, &Invalid{"text", "at most 200 entries of an incident"}
		}
		i.Updates = append(i.Updates, store.IncidentUpdate{At: now, By: actor, Text: text})
		note, over := fact.StatusNoted{Incident: id, Text: text, By: actor}, fact.StatusClosed{Incident: id, Text: text, By: actor}
		row := note.Row(now, fact.Subject{})
		if closed {
			i.Ended, row = now, over.Row(now, fact.Subject{})
		}
		_, err = s.o.Store.PutIncident(ctx, i, row)
		if errors.Is(err, store.ErrMoved) {
			continue
		}
		return i, errors.Join(err, s.refresh(ctx))
	}
	return store.Incident{}, store.ErrMoved
}

// Incident is one.
func (s *Status) Incident(ctx context.Context, id int64) (store.Incident, error) {
	s.mu.Lock()
	for _, i := range s.all() {
		if i.ID == id && id != 0 {
			s.mu.Unlock()
			return i, nil
		}
	}
	s.mu.Unlock()
	return s.o.Store.Incident(ctx, id)
}

// Incidents is a page of them, newest first.
func (s *Status) Incidents(ctx context.Context, before int64, limit int) ([]store.Incident, error) {
	return s.o.Store.Incidents(ctx, before, limit)
}

// check wants a text that the public can read.
func check(field, text string, most int) error {
	text = strings.TrimSpace(text)
	odd := func(r rune) bool { return unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Cf, r) }
	if text == "" || len(text) > most || strings.ContainsFunc(text, odd) {
		return &Invalid{field, fmt.Sprintf("1 to %d bytes of text without control characters", most)}
	}
	return nil
}

// What the store keeps, for those who must not see it.
type (
	Incident   = store.Incident
	Update     = store.IncidentUpdate
	Subscriber = store.Subscriber
)
