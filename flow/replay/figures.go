package replay

import (
	"strings"

	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/flow/play"
)

// Figures are what became of calls because of a rule, or would have become of them if it only watches.
type Figures struct {
	Name    string      `json:"name"`
	Fired   int64       `json:"fired"` // findings that close something
	Stopped int64       `json:"stopped"`
	Honest  int64       `json:"honest"` // of Stopped; without labels all are
	Saved   money.Micro `json:"saved_micro"`
}

func (f *Figures) stop(saved money.Micro, honest bool) {
	f.Stopped, f.Saved = f.Stopped+1, f.Saved.Add(saved)
	if honest {
		f.Honest++
	}
}

func (f *Figures) merge(o *Figures) {
	f.Fired, f.Stopped, f.Honest, f.Saved = f.Fired+o.Fired, f.Stopped+o.Stopped, f.Honest+o.Honest, f.Saved.Add(o.Saved)
}

// Fired is what a rule that watches calls did in a life. A canary has two: where it acts, and where it is a shadow.
type Fired struct {
	Figures
	Life string `json:"life"`
}

// Signed is what the findings with a sign did. A finding has several signs.
type Signed struct {
	Figures
	Factor float64 `json:"factor"`
}

// everybody is what is closed to all customers, behind the meters.
const everybody = habit.NumMeters

// figures are those of all rules: acting, or as shadows.
type figures struct {
	meters [everybody + 1][2]Figures
	signs  [habit.NumSigns]Figures
}

// Indices of figures.meters.
const (
	shadow = iota
	acting
)

func (s *figures) merge(o *figures) {
	for k := range s.meters {
		s.meters[k][shadow].merge(&o.meters[k][shadow])
		s.meters[k][acting].merge(&o.meters[k][acting])
	}
	for x := range s.signs {
		s.signs[x].merge(&o.signs[x])
	}
}

// add takes the result of a call.
func (s *figures) add(x *play.Result, what outcome, label string) {
	of, key, saved := acting, x.Finding, x.Saved
	if what == allowed || key == "" {
		of, key, saved = shadow, x.Would, x.Spares
	}
	if key == "" {
		return
	}
	s.meters[meterOf(key)][of].stop(saved, label == Honest)
	s.each(x.Signs, func(f *Figures) { f.stop(saved, label == Honest) })
}

// found takes a finding. One that only notifies is none of a rule that fired.
func (s *figures) found(f *play.Found) {
	if f.Answer.Step <= habit.Notice {
		return
	}
	of := shadow
	if f.Life.Acts() {
		of = acting
	}
	s.meters[f.Meter][of].Fired++
	s.each(f.Signs, func(f *Figures) { f.Fired++ })
}

func (s *figures) each(signs habit.Signs, do func(*Figures)) {
	for x := range habit.NumSigns {
		if signs.Has(x) {
			do(&s.signs[x])
		}
	}
}

// found counts a finding.
func (t *Tally) found(worker int, f *play.Found) { t.workers[worker].figures.found(f) }

// meterOf is the meter that a key of a finding begins with.
func meterOf(key string) habit.MeterKind {
	name, _, _ := strings.Cut(key, "/")
	for k := range habit.NumMeters {
		if k.String() == name {
			return k
		}
	}
	return everybody
}

// ofFigures says what each rule that watches did in each life, what each sign had to do with it, and which never fired.
func (t *Tally) ofFigures(all *figures) {
	rules := t.set.Habits
	if rules == nil {
		return
	}
	row := func(f Figures, name string, life habit.Life) {
		f.Name = name
		t.Findings = append(t.Findings, Fired{f, life.String()})
	}
	for k := range habit.NumMeters {
		m, life := &all.meters[k], rules.Meters[k].Life
		if life == habit.Off {
			continue
		}
		if life >= habit.Canary {
			row(m[acting], k.String(), life)
		}
		if life <= habit.Canary {
			row(m[shadow], k.String(), habit.Shadow)
		}
		if m[acting].Fired+m[shadow].Fired == 0 {
			t.Never = append(t.Never, "finding "+k.String())
		}
	}
	if f := all.meters[everybody][acting]; f.Stopped > 0 {
		row(f, "everybody", habit.Live)
	}
	for x := range habit.NumSigns {
		if rules.Signs[x] == habit.NoFactor {
			continue
		}
		f := all.signs[x]
		f.Name = x.String()
		if t.Signs = append(t.Signs, Signed{f, float64(rules.Signs[x]) / habit.NoFactor}); f.Fired == 0 {
			t.Never = append(t.Never, "sign "+f.Name)
		}
	}
}
