package fit

import (
	"cmp"
	"context"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/exposure"
	"ringfence/flow/play"
)

// Places is the list of countries, where a setting is asked for.
const Places = account.NumFields

// Part is a setting that fits.
type Part struct {
	Field        account.Field
	N, Now       int64
	Seen, Margin string // what the past was like, and what was added to it
}

// Stopped is a call of the past that would not pass.
type Stopped struct {
	ID      call.ID
	At      time.Time
	Number  string
	Country phone.Country
	Cost    money.Micro   // what it would cost now, all of it
	Setting account.Field // that stops it; Places is the list of countries
	Reason  string        // the code
	Refused bool          // false: it would end early
}

// By is the name of the setting that stops a call.
func (s *Stopped) By() string {
	switch {
	case s.Setting < account.NumFields:
		return s.Setting.String()
	case s.Setting == Places:
		return "only"
	}
	return ""
}

// found is what a search found.
type found struct {
	calls   int // that were made again
	before  int // of them, those that the settings in force would stop already
	parts   []Part
	names   restrict.Set // paid destinations that stay open; the zero Set proposes none
	stopped []Stopped
	need    *need
}

// searcher looks for the settings that fit.
type searcher struct {
	past   *past
	draft  func(*proposal) *book.Draft // nil: they cannot be set
	now    time.Time
	trial  *exposure.Trial
	stops  int // calls that may be stopped
	tried  int // figures that were worked out
	all    []made
	is     *account.Effective // in force now
	places bool               // a list of countries may be proposed
}

// proposal are settings that are thought of.
type proposal struct {
	n     [account.NumFields]int64 // below zero: as it is
	names restrict.Set
	parts []Part
}

// Bounds of a search.
const (
	mostTried  = 150 // figures, each of some milliseconds
	mostRounds = 40  // of checking
	fewest     = 8   // countries that are thought of leaving out at a time
)

// run finds the tightest settings that stop at most so many calls. Whatever it looks at, what it answers was played: see check.
func (s *searcher) run(ctx context.Context) (*found, error) {
	all, before := s.past.learn(s.is)
	s.all = all
	f := &found{calls: len(s.past.calls), before: before, need: needOf(all, nil)}
	if len(all) < LeastCalls {
		return f, nil
	}
	out := s.leaveOut(ctx)
	f.need = needOf(all, out)
	p := s.propose(f.need)
	for round := 0; ; round++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		stopped := s.check(p)
		if len(p.parts) == 0 && p.names.IsZero() { // as it is
			stopped = nil
		}
		if len(stopped) <= s.stops {
			f.parts, f.names, f.stopped = p.parts, p.names, stopped
			return f, nil
		}
		s.loosen(p, stopped, round)
	}
}

// propose are those settings that leave room for a need and are tighter than what is in force, now and when grants have ended.
func (s *searcher) propose(n *need) *proposal {
	p := &proposal{}
	for f := range p.n {
		p.n[f] = -1
	}
	for _, part := range n.parts() {
		part.Now = s.is.Values[part.Field]
		if part.N >= part.Now {
			continue
		}
		p.n[part.Field] = part.N
		if d := s.draft(p); d == nil || len(d.Loosens(s.now)) > 0 {
			p.n[part.Field] = -1
			continue
		}
		p.parts = append(p.parts, part)
	}
	if names, ok := n.names(); ok && s.places {
		p.names = names
		if s.draft(p) == nil {
			p.names = restrict.Set{}
		}
	}
	return p
}

// check plays the calls that pass now under a proposal, and says which would be stopped, the dearest first.
func (s *searcher) check(p *proposal) (stopped []Stopped) {
	d := s.draft(p)
	if d == nil {
		return nil
	}
	wanted := make([]bool, len(s.past.calls))
	costs := make(map[int]money.Micro, 8)
	at := map[int]*made{}
	for i := range s.all {
		wanted[s.all[i].call] = true
		at[s.all[i].call] = &s.all[i]
	}
	s.past.play(d.Effective(s.now), wanted, func(r *play.Result) {
		if passes(r) {
			return
		}
		i := int(r.Call.Seq)
		m := at[i]
		costs[i] = m.cost
		field, ok := stops[r.Reason]
		if !ok {
			field = account.NumFields + 1
		}
		stopped = append(stopped, Stopped{
			ID: s.past.ids[i], At: s.past.began[i], Number: r.Call.Dialled, Country: m.country, Cost: m.cost, Setting: field, Reason: r.Reason.Code(), Refused: r.Refused,
		})
	})
	slices.SortStableFunc(stopped, func(a, b Stopped) int { return cmp.Or(cmp.Compare(b.Cost, a.Cost), b.At.Compare(a.At)) })
	return stopped
}

// loosen gives way where most calls are stopped: caps rise by a quarter some times, everything else is left as it is.
func (s *searcher) loosen(p *proposal, stopped []Stopped, round int) {
	by := map[account.Field]int{}
	worst := stopped[0].Setting
	for i := range stopped {
		if by[stopped[i].Setting]++; by[stopped[i].Setting] > by[worst] {
			worst = stopped[i].Setting
		}
	}
	i := slices.IndexFunc(p.parts, func(x Part) bool { return x.Field == worst })
	switch {
	case worst == Places && !p.names.IsZero():
		p.names = restrict.Set{}
	case i < 0 || round >= mostRounds: // no setting of ours, or it does not end: nothing is proposed
		p.parts, p.names = nil, restrict.Set{}
		for f := range p.n {
			p.n[f] = -1
		}
	case worst.Unit() == account.UnitAmount && int64(amount(money.Micro(p.n[worst])*5/4)) < s.is.Values[worst]:
		p.n[worst] = int64(amount(money.Micro(p.n[worst]) * 5 / 4))
		p.parts[i].N = p.n[worst]
	default:
		p.n[worst] = -1
		p.parts = slices.Delete(p.parts, i, i+1)
	}
}

// figure is what a thief could cost under a proposal.
func (s *searcher) figure(p *proposal) money.Micro {
	s.tried++
	if d := s.draft(p); d != nil {
		return s.trial.Under(d.Effective).Retail
	}
	return s.trial.Now.Retail
}

// leaveOut says which calls settings need not fit, at most so many as may be stopped: step by step those few whose loss takes most off the figure for each of them.
func (s *searcher) leaveOut(ctx context.Context) []bool {
	out := make([]bool, len(s.all))
	if s.stops == 0 {
		return out
	}
	n := needOf(s.all, out)
	for left, is := s.stops, s.figure(s.propose(n)); left > 0 && ctx.Err() == nil; {
		var best []int
		gain, then := 0.0, is
		for _, few := range s.candidates(n, out, left) {
			if s.tried >= mostTried || ctx.Err() != nil {
				return out
			}
			mark(out, few, true)
			x := s.figure(s.propose(needOf(s.all, out)))
			mark(out, few, false)
			if g := float64(is-x) / float64(len(few)); g > gain {
				best, gain, then = few, g, x
			}
		}
		if best == nil {
			break
		}
		mark(out, best, true)
		left, is = left-len(best), then
		n = needOf(s.all, out)
	}
	return out
}

func mark(out []bool, few []int, is bool) {
	for _, i := range few {
		out[i] = is
	}
}

// candidates are the few calls of which each bound is made.
func (s *searcher) candidates(n *need, out []bool, most int) (all [][]int) {
	add := func(few []int) {
		if len(few) > 0 && len(few) <= most {
			all = append(all, slices.Clone(few))
		}
	}
	add(n.homeAt)
	add(n.abroadAt)
	add(n.busiest)
	add(n.busiestFar)
	if n.longest >= 0 {
		add([]int{n.longest})
	}
	add(s.dearestDay(n, out))
	countries := make([]phone.Country, 0, len(n.countries))
	for c, calls := range n.countries {
		if calls <= most {
			countries = append(countries, c)
		}
	}
	slices.SortFunc(countries, func(a, b phone.Country) int {
		return cmp.Or(cmp.Compare(n.countries[a], n.countries[b]), slices.Compare(a[:], b[:]))
	})
	for _, c := range countries[:min(len(countries), fewest)] {
		add(s.those(out, func(m *made) bool { return m.paid && m.country == c }))
	}
	for _, x := range switches {
		add(s.those(out, func(m *made) bool { return m.paid && slices.Contains(x.classes, m.class) }))
	}
	return all
}

func (s *searcher) those(out []bool, are func(*made) bool) (few []int) {
	for i := range s.all {
		if !out[i] && !s.all[i].free && are(&s.all[i]) {
			few = append(few, i)
		}
	}
	return few
}

// dearestDay are the dearest calls of the dearest day, without which another day is dearer.
func (s *searcher) dearestDay(n *need, out []bool) []int {
	second := money.Micro(0)
	for day, sum := range n.days {
		if day != n.dayOf {
			second = max(second, sum)
		}
	}
	few := s.those(out, func(m *made) bool { return m.day == n.dayOf && m.cost > 0 })
	slices.SortStableFunc(few, func(a, b int) int { return cmp.Compare(s.all[b].cost, s.all[a].cost) })
	left := n.day
	for i := range few {
		if left -= s.all[few[i]].cost; left <= second {
			return few[:i+1]
		}
	}
	return nil
}

// lineOf is the line as calls are played on it.
func lineOf(l *book.Line) engine.Line {
	x := engine.Line{Account: l.Customer(), Digits: l.Digits(), Zone: l.Zone(), Since: l.Since()}
	x.Deck, x.Calendar = l.Retail()
	return x
}
