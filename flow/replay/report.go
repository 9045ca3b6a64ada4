package replay

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/play"
)

// Report is what a run says of its file and of each set of rules.
type Report struct {
	Rows       int64     `json:"calls"`
	Unreadable int64     `json:"unreadable"` // rows
	Faults     []Fault   `json:"faults"`
	Late       int64     `json:"late"` // rows that came so much too late that they were played at another time than theirs
	From       time.Time `json:"from,omitzero"`
	To         time.Time `json:"to,omitzero"`
	Sets       []*Tally  `json:"sets"`
}

// maxFaults bounds how many are kept; all are counted.
const maxFaults = 20

func newReport(o *Options) *Report {
	r := &Report{}
	for i := range o.Sets {
		r.Sets = append(r.Sets, newTally(&o.Sets[i], o))
	}
	return r
}

// read counts what a piece of the file holds.
func (r *Report) read(b *batch) {
	r.Rows += int64(len(b.calls))
	r.From = sooner(r.From, b.from)
	if b.to.After(r.To) {
		r.To = b.to
	}
	r.Unreadable += int64(len(b.faults))
	for i := range b.faults[:min(len(b.faults), maxFaults-len(r.Faults))] {
		r.Faults = append(r.Faults, b.faults[i].Fault)
	}
}

func (r *Report) finish() {
	for _, t := range r.Sets {
		t.finish()
	}
}

// Sum is the result of some calls.
type Sum struct {
	Calls   int64       `json:"calls"`
	Refused int64       `json:"refused"`
	Cut     int64       `json:"cut"`
	Let     money.Micro `json:"let_micro"`   // what they cost
	Saved   money.Micro `json:"saved_micro"` // what they would have cost beyond that
}

func (s *Sum) add(x *play.Result, what outcome) {
	s.Calls++
	switch what {
	case refused:
		s.Refused++
	case cut:
		s.Cut++
	}
	s.Let, s.Saved = s.Let.Add(x.Cost), s.Saved.Add(x.Saved)
}

func (s *Sum) merge(o *Sum) {
	s.Calls, s.Refused, s.Cut = s.Calls+o.Calls, s.Refused+o.Refused, s.Cut+o.Cut
	s.Let, s.Saved = s.Let.Add(o.Let), s.Saved.Add(o.Saved)
}

// Stopped is how many were refused or cut.
func (s *Sum) Stopped() int64 { return s.Refused + s.Cut }

// Named is a Sum of what has a name.
type Named struct {
	Name string `json:"name"`
	Sum
}

// Attack is what became of the calls of a label.
type Attack struct {
	Named
	First     time.Time     `json:"first"`                      // call
	StoppedAt time.Time     `json:"stopped,omitzero"`           // first call that was refused or cut; zero: none was
	After     time.Duration `json:"stopped_after_ns,omitempty"` // from First to Stopped
}

// Tally is what one set of rules made of the calls.
type Tally struct {
	Name         string   `json:"name"`
	All          Sum      `json:"all"`
	Days         []Named  `json:"days"`  // in order
	Lines        []Named  `json:"lines"` // those that cost or saved most first
	Destinations []Named  `json:"destinations"`
	Rules        []Named  `json:"rules"`            // by the code of the reason
	Honest       *Named   `json:"honest,omitempty"` // nil without labels
	Attacks      []Attack `json:"attacks,omitempty"`

	zone    *time.Location
	labels  map[string]string
	workers []*part
}

// part is a worker's share of a tally.
type part struct {
	all                Sum
	days, destinations map[string]*Sum
	rules              [policy.NumReasons]Sum
	lines              []Named // by slot
	labels             map[string]*labelled
	day                *Sum // of dayFrom until dayUntil
	dayFrom, dayUntil  time.Time
}

type labelled struct {
	Sum
	first, stopped time.Time
}

// Honest is the label of calls that should not be stopped. With labels, calls without one are honest too.
const Honest = "honest"

func newTally(set *Set, o *Options) *Tally {
	t := &Tally{Name: set.Name, zone: set.Zone, labels: o.Labels}
	for range max(o.Workers, 1) {
		t.workers = append(t.workers, &part{
			days: map[string]*Sum{}, destinations: map[string]*Sum{}, labels: map[string]*labelled{},
		})
	}
	return t
}

func (t *Tally) count(worker int, x *play.Result, what outcome) {
	p := t.workers[worker]
	p.all.add(x, what)
	p.dayOf(x.Call.At, t.zone).add(x, what)
	sumOf(p.destinations, cmp.Or(x.Name, "no price")).add(x, what)
	for x.Call.Slot >= len(p.lines) {
		p.lines = append(p.lines, Named{})
	}
	p.lines[x.Call.Slot].Name = x.Call.Line
	p.lines[x.Call.Slot].add(x, what)
	if what != allowed {
		p.rules[x.Reason].add(x, what)
	}
	if t.labels != nil {
		p.label(x, what, cmp.Or(t.labels[string(x.Call.ID)], Honest))
	}
}

func sumOf(m map[string]*Sum, name string) *Sum {
	s := m[name]
	if s == nil {
		s = &Sum{}
		m[name] = s
	}
	return s
}

// dayOf is the day of an instant. Calls come in the order of their ends, and most of those are of one day.
func (p *part) dayOf(at time.Time, zone *time.Location) *Sum {
	if at.Before(p.dayFrom) || !at.Before(p.dayUntil) {
		year, month, day := at.In(zone).Date()
		p.dayFrom, p.dayUntil = time.Date(year, month, day, 0, 0, 0, 0, zone), time.Date(year, month, day+1, 0, 0, 0, 0, zone)
		p.day = sumOf(p.days, p.dayFrom.Format(time.DateOnly))
	}
	return p.day
}

func (p *part) label(x *play.Result, what outcome, name string) {
	l := p.labels[name]
	if l == nil {
		l = &labelled{}
		p.labels[name] = l
	}
	l.add(x, what)
	l.first = sooner(l.first, x.Call.At)
	switch what {
	case refused:
		l.stopped = sooner(l.stopped, x.Call.At)
	case cut:
		l.stopped = sooner(l.stopped, x.Ended)
	}
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// finish joins the workers' shares.
func (t *Tally) finish() {
	days, lines, destinations, rules, labels := map[string]*Sum{}, map[string]*Sum{}, map[string]*Sum{}, map[string]*Sum{}, map[string]*labelled{}
	for _, p := range t.workers {
		t.All.merge(&p.all)
		for _, m := range []struct{ from, to map[string]*Sum }{{p.days, days}, {p.destinations, destinations}} {
			for name, s := range m.from {
				sumOf(m.to, name).merge(s)
			}
		}
		for i := range p.rules {
			if p.rules[i].Calls > 0 {
				sumOf(rules, policy.Reason(i).Code()).merge(&p.rules[i])
			}
		}
		for i := range p.lines {
			if p.lines[i].Calls > 0 {
				sumOf(lines, p.lines[i].Name).merge(&p.lines[i].Sum)
			}
		}
		for name, l := range p.labels {
			to := labels[name]
			if to == nil {
				to = &labelled{}
				labels[name] = to
			}
			to.merge(&l.Sum)
			to.first, to.stopped = sooner(to.first, l.first), sooner(to.stopped, l.stopped)
		}
	}
	t.workers = nil
	t.Days, t.Lines, t.Destinations, t.Rules = named(days), dearest(lines), dearest(destinations), dearest(rules)
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		l := labels[name]
		n := Named{name, l.Sum}
		if name == Honest {
			t.Honest = &n
			continue
		}
		a := Attack{Named: n, First: l.first, StoppedAt: l.stopped}
		if !a.StoppedAt.IsZero() {
			a.After = a.StoppedAt.Sub(a.First)
		}
		t.Attacks = append(t.Attacks, a)
	}
}

// named are the sums in the order of their names.
func named(m map[string]*Sum) (all []Named) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, Named{name, *m[name]})
	}
	return all
}

// dearest are the sums, first those about most money.
func dearest(m map[string]*Sum) []Named {
	all := named(m)
	slices.SortStableFunc(all, func(a, b Named) int {
		return cmp.Or(cmp.Compare(b.Let+b.Saved, a.Let+a.Saved), cmp.Compare(b.Stopped(), a.Stopped()))
	})
	return all
}
