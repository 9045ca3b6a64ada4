// Package sim makes up the calls of a telephone provider: honest customers with habits, and attacks on them after published incidents. A scenario and a
// seed give the same calls on every machine. It must not know how attacks are detected: what it and the detectors share is the form of a call.
package sim

import (
	"iter"
	"math/rand/v2"
	"strconv"
	"time"
)

// Call is a call as its caller would make it if nobody stopped him.
type Call struct {
	ID        string
	At        time.Time
	Line      string
	Customer  string
	Inbound   bool
	Dialled   string // for inbound calls the other party
	Talk      time.Duration
	Rings     time.Duration
	Answered  bool
	Source    string // address:port of the phone; "" of inbound calls
	UserAgent string
	Attack    *Attack // nil is an honest call
	Test      bool    // a short call of an attacker who tries whether there is a way

	to *place // that is called
}

// Label is "honest", or that of the attack.
func (c *Call) Label() string {
	if c.Attack == nil {
		return Honest
	}
	return c.Attack.Label
}

// Honest is the label of a call that is of no attack.
const Honest = "honest"

// World is a scenario under a seed: its lines, its attacks and its calls.
type World struct {
	Scenario *Scenario
	Begin    time.Time
	End      time.Time

	seed      uint64
	zone      *time.Location
	days      []day
	customers []*customer
	lines     []*Line
	taken     map[string]bool // numbers that lines have
	clocks    map[string]*clock
	attacks   []*Attack
	victims   []Setting
	mobiles   []string // networks on which phones roam
}

// Options change a scenario.
type Options struct {
	Seed  uint64 // 0 is the scenario's
	Weeks int    // 0 is the scenario's
	Lines int    // about so many honest lines; 0 are the scenario's
	// Victims are settings that the lines under attack have instead of their own: what would come of it on a line that has these?
	Victims []Setting
}

// World makes the lines and plans the attacks; calls are made as they are asked for.
func (s *Scenario) World(o Options) (*World, error) {
	w := &World{Scenario: s, seed: o.Seed, victims: o.Victims, taken: map[string]bool{}, clocks: map[string]*clock{}}
	if w.seed == 0 {
		w.seed = s.Seed
	}
	weeks := o.Weeks
	if weeks == 0 {
		weeks = s.Weeks
	}
	if err := s.fits(weeks); err != nil {
		return nil, err
	}
	var err error
	if w.zone, err = time.LoadLocation(zone); err != nil {
		return nil, err
	}
	w.days = calendar(s.begin, w.zone, weeks)
	w.Begin = time.Unix(w.days[0].midnight, 0).UTC()
	w.End = time.Unix(w.days[len(w.days)-1].midnight, 0).UTC().AddDate(0, 0, 1)
	for i := range kinds {
		c := kinds[i].hours.clock()
		w.clocks[kinds[i].name] = &c
	}
	r := source(w.seed, seedWorld, 0)
	for range 48 {
		w.mobiles = append(w.mobiles, address(r))
	}
	w.populate(r, o.Lines)
	return w, w.plot()
}

// zone is the provider's, and of all of its lines.
const zone = "Europe/London"

// growth is the share of customers who begin while the calls are made.
const growth = 0.08

func (w *World) populate(r *rand.Rand, lines int) {
	factor := 1.0
	if lines > 0 {
		expected := 0.0
		for _, p := range w.Scenario.People {
			expected += float64(p.Customers) * float64(p.kind.lines[0]+p.kind.lines[1]) / 2
		}
		factor = float64(lines) / expected
	}
	for _, p := range w.Scenario.People {
		for range max(int(float64(p.Customers)*factor+0.5), 1) {
			from := 0
			if r.Float64() < growth {
				from = r.IntN(len(w.days))
			}
			w.newCustomer(p.kind, from, 0)
		}
	}
}

// roaming is the network that a phone on the move has just now.
func (w *World) roaming(r *rand.Rand) string {
	if r.IntN(3) == 0 {
		return address(r) // a hotel, a café
	}
	return w.mobiles[r.IntN(len(w.mobiles))]
}

// Lines are all of them, in the order of their names.
func (w *World) Lines() []*Line { return w.lines }

// Attacks are those that the scenario has, in its order.
func (w *World) Attacks() []*Attack { return w.attacks }

// generator gives the calls of one line, or of one attack, in the order of time.
type generator interface {
	next(c *Call) bool
}

// Calls are the calls of all lines in the order of time. They are the same each time.
func (w *World) Calls() iter.Seq[Call] {
	return func(yield func(Call) bool) {
		q := w.queue()
		for id := 1; len(q) > 0; id++ {
			c := q[0].call
			c.ID = strconv.Itoa(id)
			if !yield(c) {
				return
			}
			if q[0].from.next(&q[0].call) {
				q.down(0)
				continue
			}
			q[0] = q[len(q)-1]
			if q = q[:len(q)-1]; len(q) > 0 {
				q.down(0)
			}
		}
	}
}

func (w *World) queue() queue {
	var q queue
	add := func(g generator) {
		h := &head{from: g, nth: len(q)}
		if g.next(&h.call) {
			q = append(q, h)
		}
	}
	for _, l := range w.lines {
		add(newHabit(w, l))
	}
	for _, a := range w.attacks {
		add(a.calls(w))
	}
	for i := len(q)/2 - 1; i >= 0; i-- {
		q.down(i)
	}
	return q
}

// head is the next call of a generator.
type head struct {
	call Call
	from generator
	nth  int
}

// queue is a heap of them, the earliest call first.
type queue []*head

func (q queue) before(i, j int) bool {
	a, b := q[i], q[j]
	if !a.call.At.Equal(b.call.At) {
		return a.call.At.Before(b.call.At)
	}
	return a.nth < b.nth
}

func (q queue) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q) {
			return
		}
		if child+1 < len(q) && q.before(child+1, child) {
			child++
		}
		if !q.before(child, i) {
			return
		}
		q[i], q[child] = q[child], q[i]
		i = child
	}
}
