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
	Written    int64     `json:"-"` // rows of the output, and such as were there before
	Sets       []*Tally  `json:"sets"`
}

// maxFaults bounds how many are kept; all are counted.
const maxFaults = 20

func newReport(o *Options) *Report {
	r := &Report{}
	for i := range o.Sets {
		r.Sets = append(r.Sets, newTally(&o.Sets[i], o, i > 0 && len(o.Sets) > manySets))
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
	Rules        []Named  `json:"rules"`              // by the code of the reason
	Findings     []Fired  `json:"findings,omitempty"` // what the rules that watch calls did, by rule and life
	Signs        []Signed `json:"signs,omitempty"`    // how much each sign had to do with it
	Never        []string `json:"never_fired"`        // codes of rules that are in force and stopped nothing, and rules that watch and found nothing
	Month        Month    `json:"last_month"`
	Honest       *Named   `json:"honest,omitempty"` // nil without labels
	Disputed     *Named   `json:"disputed,omitempty"`
	Refunded     *Named   `json:"refunded,omitempty"`
	Attacks      []Attack `json:"attacks,omitempty"`

	set     *Set
	brief   bool // only sums: there are many sets
	labels  map[string]string
	workers []*part
}

// Kept counts calls, and those of them that were stopped.
type Kept struct {
	Calls   int64 `json:"calls"`
	Stopped int64 `json:"stopped"`
}

func (k *Kept) add(o Kept) { k.Calls, k.Stopped = k.Calls+o.Calls, k.Stopped+o.Stopped }

// Month is what a set of rules would have done to the calls of the last 30 days of the file.
type Month struct {
	From     string `json:"from,omitempty"` // its first day
	All      Kept   `json:"all"`
	Honest   Kept   `json:"honest"` // without labels all are
	Disputed Kept   `json:"disputed"`
	Refunded Kept   `json:"refunded"`
	Attacks  Kept   `json:"attacks"`
	// Loud: more than one in a hundred honest calls was stopped.
	Loud bool `json:"stops_honest_calls"`
}

// monthDays is how long a month is.
const monthDays = 30

// part is a worker's share of a tally.
type part struct {
	all               Sum
	days              map[string]*day
	destinations      map[string]*Sum
	rules             [policy.NumReasons]Sum
	figures           figures
	lines             []Named // by slot
	labels            map[string]*labelled
	day               *day // of dayFrom until dayUntil
	dayFrom, dayUntil time.Time
}

// day is what became of the calls of one, and of those of each label.
type day struct {
	Sum
	kinds [numKinds]Kept
}

func (d *day) merge(o *day) {
	d.Sum.merge(&o.Sum)
	for k := range d.kinds {
		d.kinds[k].add(o.kinds[k])
	}
}

// kinds of labels.
const (
	honest = iota
	disputed
	refunded
	attack
	numKinds
)

func kindOf(label string) int {
	switch label {
	case Honest:
		return honest
	case Disputed:
		return disputed
	case Refunded:
		return refunded
	}
	return attack
}

type labelled struct {
	Sum
	first, stopped time.Time
}

// Labels that are not the name of an attack.
const (
	Honest   = "honest"   // not to be stopped. With labels, calls without one are honest too
	Disputed = "disputed" // its customer says that it was not theirs
	Refunded = "refunded" // and has the money back
)

// manySets is how many sets are told in full: of more, all have sums, and the first has the rest.
const manySets = 8

func newTally(set *Set, o *Options, brief bool) *Tally {
	t := &Tally{Name: set.Name, set: set, labels: o.Labels, brief: brief}
	for range max(o.Workers, 1) {
		t.workers = append(t.workers, &part{
			days: map[string]*day{}, destinations: map[string]*Sum{}, labels: map[string]*labelled{},
		})
	}
	return t
}

func (t *Tally) count(worker int, x *play.Result, what outcome) {
	p := t.workers[worker]
	p.all.add(x, what)
	label := Honest
	if t.labels != nil {
		label = cmp.Or(t.labels[string(x.Call.ID)], Honest)
		p.label(x, what, label)
	}
	p.today(x.Call.At, t.set.Zone).add(x, what, kindOf(label))
	if what != allowed {
		p.rules[x.Reason].add(x, what)
	}
	p.figures.add(x, what, label)
	if t.brief {
		return
	}
	sumOf(p.destinations, cmp.Or(x.Name, "no price")).add(x, what)
	for x.Call.Slot >= len(p.lines) {
		p.lines = append(p.lines, Named{})
	}
	p.lines[x.Call.Slot].Name = x.Call.Line
	p.lines[x.Call.Slot].add(x, what)
}

func (d *day) add(x *play.Result, what outcome, kind int) {
	d.Sum.add(x, what)
	d.kinds[kind].Calls++
	if what != allowed {
		d.kinds[kind].Stopped++
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

// today is the day of an instant. Calls come in the order of their ends, and most of those are of one day.
func (p *part) today(at time.Time, zone *time.Location) *day {
	if at.Before(p.dayFrom) || !at.Before(p.dayUntil) {
		year, month, date := at.In(zone).Date()
		p.dayFrom, p.dayUntil = time.Date(year, month, date, 0, 0, 0, 0, zone), time.Date(year, month, date+1, 0, 0, 0, 0, zone)
		name := p.dayFrom.Format(time.DateOnly)
		if p.day = p.days[name]; p.day == nil {
			p.day = &day{}
			p.days[name] = p.day
		}
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

func (l *labelled) join(o *labelled) {
	l.merge(&o.Sum)
	l.first, l.stopped = sooner(l.first, o.first), sooner(l.stopped, o.stopped)
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// finish joins the workers' shares. may are the reasons for which the rules could have stopped a call.
func (t *Tally) finish(may []policy.Reason) {
	days, labels := map[string]*day{}, map[string]*labelled{}
	lines, destinations := map[string]*Sum{}, map[string]*Sum{}
	var rules [policy.NumReasons]Sum
	var all figures
	for _, p := range t.workers {
		t.All.merge(&p.all)
		for name, d := range p.days {
			if days[name] == nil {
				days[name] = &day{}
			}
			days[name].merge(d)
		}
		for name, s := range p.destinations {
			sumOf(destinations, name).merge(s)
		}
		for i := range p.rules {
			rules[i].merge(&p.rules[i])
		}
		all.merge(&p.figures)
		for i := range p.lines {
			if p.lines[i].Calls > 0 {
				sumOf(lines, p.lines[i].Name).merge(&p.lines[i].Sum)
			}
		}
		for name, l := range p.labels {
			if labels[name] == nil {
				labels[name] = &labelled{}
			}
			labels[name].join(l)
		}
	}
	t.Lines, t.Destinations = dearest(lines), dearest(destinations)
	t.ofDays(days)
	t.ofRules(&rules, may)
	t.ofFigures(&all)
	t.ofLabels(labels)
	t.workers, t.set, t.labels = nil, nil, nil
}

// ofDays gives the days in their order, and the last month.
func (t *Tally) ofDays(days map[string]*day) {
	names := slices.Sorted(maps.Keys(days))
	if len(names) == 0 {
		return
	}
	last, _ := time.Parse(time.DateOnly, names[len(names)-1]) // a date that was formatted
	m := &t.Month
	m.From = last.AddDate(0, 0, 1-monthDays).Format(time.DateOnly)
	for _, name := range names {
		d := days[name]
		t.Days = append(t.Days, Named{name, d.Sum})
		if name < m.From {
			continue
		}
		for k, of := range [numKinds]*Kept{honest: &m.Honest, disputed: &m.Disputed, refunded: &m.Refunded, attack: &m.Attacks} {
			of.add(d.kinds[k])
			m.All.add(d.kinds[k])
		}
	}
	m.Loud = m.Honest.Stopped*100 > m.Honest.Calls
}

// ofRules says what each rule did, and which did nothing.
func (t *Tally) ofRules(rules *[policy.NumReasons]Sum, may []policy.Reason) {
	fired := map[string]*Sum{}
	for i := range rules {
		if rules[i].Calls > 0 {
			fired[policy.Reason(i).Code()] = &rules[i]
		}
	}
	t.Rules = dearest(fired)
	for _, r := range may {
		if rules[r].Calls == 0 {
			t.Never = append(t.Never, r.Code())
		}
	}
}

// ofLabels says what became of the calls of each label.
func (t *Tally) ofLabels(labels map[string]*labelled) {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		l := labels[name]
		n := Named{name, l.Sum}
		switch kindOf(name) {
		case honest:
			t.Honest = &n
		case disputed:
			t.Disputed = &n
		case refunded:
			t.Refunded = &n
		default:
			a := Attack{Named: n, First: l.first, StoppedAt: l.stopped}
			if !a.StoppedAt.IsZero() {
				a.After = a.StoppedAt.Sub(a.First)
			}
			t.Attacks = append(t.Attacks, a)
		}
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
