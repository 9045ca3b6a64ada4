// Package status measures what the provider's service can do and tells the public: components and their 90 days, incidents, whose first
// entry measurement writes, planned work, and how protection did. It must not know pages, protocols, carriers' names or SQL.
package status

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"ringfence/flow/journal"
	"ringfence/flow/notify"
	"ringfence/state/store"
)

// Stage is the name of this stage's cursor.
const Stage = "status"

// Component is a part of the service that people can tell from others.
type Component string

// Components, in the order in which they are shown.
const (
	CallsHome   Component = "calls-home"
	CallsAbroad Component = "calls-abroad"
	CallsIn     Component = "calls-in"
	Login       Component = "login"
	Mail        Component = "mail"
	Records     Component = "records"
)

// Components are all of them.
var Components = []Component{CallsHome, CallsAbroad, CallsIn, Login, Mail, Records}

// State is how a component does.
type State uint8

// States; a higher one is worse.
const (
	Unknown State = iota // nothing to judge by
	Good
	Part // sometimes it fails
	Down
)

var stateNames = [...]string{"unknown", "good", "part", "down"}

// String is its stable name.
func (s State) String() string { return stateNames[s] }

// Probe measures a component. It returns before ctx ends.
type Probe func(ctx context.Context) State

// Options of New.
type Options struct {
	Store interface {
		store.Status
		Cursor(ctx context.Context, stage string) (int64, error)
		Advance(ctx context.Context, s store.Step) (store.Stepped, error)
		Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error)
	}
	Node   string
	Probes map[Component]Probe // of the components that this node measures; the others are not shown
	Home   func(country string) bool
	Zone   *time.Location // of days
	Every  time.Duration  // how often the probes are asked; 0 is 10 s

	Mail     notify.Send // nil: nobody can subscribe
	Key      []byte      // makes the links of mails
	URL      string      // "https://calls.example.net", for links in mails
	Provider string
	Log      *slog.Logger
}

// Times of the measurement. A component that fails is public after two samples, 20 seconds; a call that fails is known when it has ended.
const (
	probeWithin = 8 * time.Second
	worseAfter  = 2 // samples
	betterAfter = 6
	judged      = 10 * time.Minute // how far back calls are judged
	maxOutcomes = 2000
	staleAfter  = time.Minute
	history     = 90 // days
	saveEvery   = time.Minute
	readEvery   = time.Hour // samples of other nodes
)

// Status is the stage. Make it with New and let one goroutine each Run and Follow.
type Status struct {
	o        Options
	follower journal.Follower

	mu        sync.Mutex // owns all below
	parts     map[Component]*part
	measured  time.Time // of the last sample
	incidents []store.Incident
	samples   map[store.Tally]int64 // that are not stored yet; N of the key is 0
	counts    map[string]map[time.Time]int64
	at        int64             // of the journal
	calls     map[string]region // that have not ended
	asked     limits

	// of the goroutine in Run alone
	savedAt, readAt time.Time
}

// part is a component as it does.
type part struct {
	State           // of the last sample
	bad, good int   // samples in a row
	worst     State // of those
	open      *store.Incident
	said      State // what the incident says
	stored    int   // updates of open that the store has
	days      map[time.Time]*[4]int64
	outcomes  []outcome
}

type outcome struct {
	at     time.Time
	failed bool
}

// New checks the options. Nothing is read before Run.
func New(o Options) (*Status, error) {
	if o.Store == nil || o.Home == nil {
		return nil, errors.New("status: a store and a home country are needed")
	}
	o.Every = cmp.Or(max(o.Every, 0), 10*time.Second)
	o.Zone = cmp.Or(o.Zone, time.UTC)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	s := &Status{o: o, parts: map[Component]*part{}, samples: map[store.Tally]int64{}, counts: map[string]map[time.Time]int64{}, calls: map[string]region{}}
	for _, c := range Components {
		if o.Probes[c] != nil {
			s.parts[c] = &part{days: map[time.Time]*[4]int64{}}
		}
	}
	s.follower = journal.Follower{Name: Stage, Every: time.Second, Read: o.Store.Facts, Begin: s.begin, Take: s.take, Log: o.Log}
	return s, nil
}

// Follow counts the journal until ctx ends.
func (s *Status) Follow(ctx context.Context) { s.follower.Run(ctx) }

// Run measures until ctx ends. What is stored is stored beside it, so that a store that hangs does not stop measuring.
func (s *Status) Run(ctx context.Context) {
	saves := make(chan struct{}, 1)
	var saving sync.WaitGroup
	saving.Go(func() {
		s.resume(ctx)
		for range saves {
			s.save(ctx, time.Now())
		}
	})
	defer saving.Wait()
	defer close(saves)
	tick := time.NewTicker(s.o.Every)
	defer tick.Stop()
	for {
		s.sample(s.probe(ctx), time.Now())
		select {
		case saves <- struct{}{}:
		default:
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// probe asks all probes at once.
func (s *Status) probe(ctx context.Context) map[Component]State {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	type answer struct {
		Component
		State
	}
	answers := make(chan answer, len(s.o.Probes)) // a probe that is late fills it and is not heard
	for c, ask := range s.o.Probes {
		go func() { answers <- answer{c, ask(ctx)} }()
	}
	got := map[Component]State{}
	for range s.o.Probes {
		select {
		case a := <-answers:
			got[a.Component] = a.State
		case <-ctx.Done():
			for c := range s.o.Probes {
				if _, ok := got[c]; !ok {
					got[c] = Down // it did not answer
				}
			}
			return got
		}
	}
	return got
}

// sample takes the answers of the probes with what became of calls, and opens, continues or closes incidents.
func (s *Status) sample(got map[Component]State, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measured = now
	for c, p := range s.parts {
		state := p.judge(got[c], now)
		p.State = state
		if state == Unknown {
			continue
		}
		key := store.Tally{What: "sample/" + string(c) + "/" + state.String(), At: now.UTC().Truncate(15 * time.Minute)}
		s.samples[key]++
		p.day(now.In(s.o.Zone))[state]++
		s.incident(c, p, now)
	}
}

// day is the samples of the day of a time in the zone of days.
func (p *part) day(at time.Time) *[4]int64 {
	y, m, d := at.Date()
	key := time.Date(y, m, d, 0, 0, 0, 0, at.Location())
	if p.days[key] == nil {
		p.days[key] = new([4]int64)
	}
	return p.days[key]
}

// judge joins a probe with the calls of the last minutes: five in a row that fail, or half of them, is down; one in ten is part.
func (p *part) judge(probe State, now time.Time) State {
	p.outcomes = slices.DeleteFunc(p.outcomes, func(o outcome) bool { return now.Sub(o.at) > judged })
	failed, row := 0, 0
	for _, o := range p.outcomes {
		row++
		if o.failed {
			failed++
		} else {
			row = 0
		}
	}
	n := len(p.outcomes)
	switch {
	case row >= 5 || n >= 10 && 2*failed >= n:
		return Down
	case n >= 10 && 10*failed > n:
		return max(Part, probe)
	case probe == Unknown && n > 0:
		return Good
	}
	return probe
}

// incident opens one when a component fails, says when it gets worse, and closes it when it works again.
func (s *Status) incident(c Component, p *part, now time.Time) {
	if p.State == Good {
		p.good, p.bad, p.worst = p.good+1, 0, Good
		if p.open != nil && p.good >= betterAfter {
			p.open.Ended = now.UTC()
			p.add(now, "It works again.")
		}
		return
	}
	p.good, p.bad, p.worst = 0, p.bad+1, max(p.worst, p.State)
	t := texts[c]
	switch {
	case p.bad < worseAfter:
	case p.open == nil:
		p.said = p.State
		p.open = &store.Incident{Component: string(c), Node: s.o.Node, Kind: Measured, Title: t.title(p.State), Began: now.UTC().Add(-s.o.Every)}
		p.stored = 0
		p.add(now, t.text(p.State))
	case p.State > p.said:
		p.said = p.State
		p.add(now, "It got worse. "+t.text(p.State))
	}
}

func (p *part) add(now time.Time, text string) {
	p.open.Updates = append(p.open.Updates, store.IncidentUpdate{At: now.UTC(), Text: text})
}

// text says what fails.
type text struct{ some, all, sometimes, never string }

func (t text) title(s State) string {
	if s == Part {
		return t.some
	}
	return t.all
}

func (t text) text(s State) string {
	if s == Part {
		return t.sometimes
	}
	return t.never
}

var texts = map[Component]text{
	CallsHome:   {"Some national calls fail", "National calls fail", "Some calls within the country need a second try.", "Calls within the country are not connected. Emergency calls are tried over every carrier."},
	CallsAbroad: {"Some calls abroad fail", "Calls abroad fail", "Some calls to other countries need a second try.", "Calls to other countries are not connected."},
	CallsIn:     {"Some incoming calls do not arrive", "Incoming calls do not arrive", "Some calls from other networks do not arrive.", "Calls from other networks do not arrive."},
	Login:       {"Some phones cannot log in", "Phones cannot log in", "Our servers answer some phones late.", "Our servers do not answer phones."},
	Mail:        {"Some of our mails are late", "Our mails are late", "Some notices reach you later than usual. Limits and locks work.", "Notices wait until our mail server answers again. Limits and locks work."},
	Records:     {"Records and settings answer late", "Records and settings cannot be read", "Lists of calls and settings answer late. Limits work.", "Nothing can be looked up or changed, and new calls that cost money are refused. Emergency calls connect."},
}
