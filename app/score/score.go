// Package score plays scenarios of the simulator through sets of rules, and counts what each lets an attacker take and what it costs honest people.
package score

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"iter"
	"slices"
	"sync"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/flow/play"
	"ringfence/flow/replay"
	"ringfence/sim"
)

// Rules are a set of rules to be judged.
type Rules struct {
	Name  string
	About string
	Set   replay.Set
	// Keep says which of a line's own settings hold; nil: all do.
	Keep func(account.Field) bool
	// Watch makes what stops calls beside the settings: it is asked of each outgoing call, in the order of time, whether it is let out. Nil: nothing does.
	Watch func(w *sim.World, set *replay.Set) func(*sim.Call) bool
	// Found sees each finding, and Stopped each honest call that was stopped by behaviour, one at a time. They may be nil.
	Found   func(*play.Found)
	Stopped func(*play.Result)
}

// Outcome is what a set of rules made of a scenario under a seed.
type Outcome struct {
	Attacks []Attack

	Honest       int // outgoing calls of honest people that were let out by settings alone
	Stopped      int // of these, refused or cut by behaviour
	Restricted   int // honest lines that were ever restricted
	LineMonths   float64
	StoppedKinds map[string]int // by the kind of customer
	Findings     map[string]int // that closed something, on lines without an attack, by what found it
}

// Attack is what became of one attack.
type Attack struct {
	*sim.Attack
	Loss   money.Micro // that the calls cost
	Whole  money.Micro // that they would have cost
	Calls  int         // until the first that was stopped for what the caller did, that one included
	After  time.Duration
	Acted  bool
	Victim string // kind of customer
}

// tally counts the results of one worker under one set.
type tally struct {
	mu      sync.Mutex
	attacks map[*sim.Attack]*Attack
	out     Outcome
	lines   map[string]bool
	lets    func(*sim.Call) bool // nil: nothing stops calls beside the settings
	stopped map[int64]bool       // by it: calls by their number
	found   func(*play.Found)
	stops   func(*play.Result)
}

// Run plays the calls of a scenario through each set.
func Run(w *sim.World, workers int, sets ...Rules) ([]Outcome, error) {
	r := &run{kinds: map[string]*sim.Line{}, attacked: map[string]bool{}, open: map[int64]*sim.Attack{}}
	for _, l := range w.Lines() {
		r.kinds[l.ID] = l
	}
	for _, a := range w.Attacks() {
		for _, l := range a.Lines {
			r.attacked[l.Customer] = true
		}
	}
	options := make([]play.Options, len(sets))
	for i := range sets {
		lines, err := linesOf(w, &sets[i])
		if err != nil {
			return nil, err
		}
		options[i] = sets[i].Set.Play(lines)
		t := &tally{attacks: map[*sim.Attack]*Attack{}, lines: map[string]bool{}, stopped: map[int64]bool{}}
		t.out.StoppedKinds, t.out.Findings = map[string]int{}, map[string]int{}
		if sets[i].Watch != nil {
			t.lets = sets[i].Watch(w, &sets[i].Set)
		}
		t.found, t.stops = sets[i].Found, sets[i].Stopped
		r.tallies = append(r.tallies, t)
		options[i].Done = func(_ int, x *play.Result) { r.done(t, x) }
		options[i].Finding = func(_ int, f *play.Found) { r.found(t, f) }
	}
	play.Run(workers, r.calls(w), options...)
	outcomes := make([]Outcome, len(sets))
	for i, t := range r.tallies {
		outcomes[i] = t.finish(w)
	}
	return outcomes, nil
}

// linesOf are the lines with those of their settings that hold under a set.
func linesOf(w *sim.World, set *Rules) (*replay.Lines, error) {
	var file bytes.Buffer
	if err := w.WriteLines(&file); err != nil {
		return nil, err
	}
	if set.Keep == nil {
		return replay.ReadLines(&file, set.Set.Plan)
	}
	rows, err := csv.NewReader(&file).ReadAll()
	if err != nil {
		return nil, err
	}
	var columns []int
	for i, name := range rows[0] {
		if f, err := account.ParseField(name); err != nil || set.Keep(f) {
			columns = append(columns, i)
		}
	}
	var kept bytes.Buffer
	out := csv.NewWriter(&kept)
	for _, row := range rows {
		var cells []string
		for _, i := range columns {
			cells = append(cells, row[i])
		}
		_ = out.Write(cells)
	}
	out.Flush()
	return replay.ReadLines(&kept, set.Set.Plan)
}

type run struct {
	tallies  []*tally
	kinds    map[string]*sim.Line
	attacked map[string]bool // customers

	mu   sync.Mutex
	open map[int64]*sim.Attack // of calls that are played
}

// calls are those of the simulator as they are played.
func (r *run) calls(w *sim.World) iter.Seq[*play.Call] {
	places, devices := hashes(replay.Place), hashes(replay.Device)
	return func(yield func(*play.Call) bool) {
		var seq int64
		for c := range w.Calls() {
			seq++
			x := play.Call{
				ID: call.ID(c.ID), Seq: seq, Account: c.Customer, At: c.At, Line: c.Line, Dialled: c.Dialled, Rings: c.Rings, Unanswered: !c.Answered,
				Inbound: c.Inbound, Wants: c.Talk, Place: places(c.Source), Device: devices(c.UserAgent),
			}
			if !c.Answered {
				x.Wants = 0
			}
			r.meet(&c, seq)
			if !yield(&x) {
				return
			}
		}
	}
}

// meet notes whose call it is, and who stops it.
func (r *run) meet(c *sim.Call, seq int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Attack != nil {
		r.open[seq] = c.Attack
	}
	for _, t := range r.tallies {
		if t.lets != nil && !c.Inbound && !t.lets(c) {
			t.stopped[seq] = true
		}
	}
}

// hashes remembers the hash of each text.
func hashes(of func(string) uint32) func(string) uint32 {
	known := map[string]uint32{}
	return func(s string) uint32 {
		h, ok := known[s]
		if !ok {
			if len(known) > 1<<16 {
				clear(known)
			}
			h = of(s)
			known[s] = h
		}
		return h
	}
}

// byBehaviour says that a call was stopped for what its caller did, not by settings.
func byBehaviour(x *play.Result) bool { return x.Finding != "" }

func (r *run) done(t *tally, x *play.Result) {
	r.mu.Lock()
	attack, stopped := r.open[x.Call.Seq], t.stopped[x.Call.Seq]
	r.mu.Unlock()
	if stopped && !x.Refused {
		x.Saved, x.Cost, x.Refused, x.Finding, x.Ended = x.Saved+x.Cost, 0, true, "watch", x.Call.At
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if attack != nil {
		t.attack(attack, x, r.kinds[x.Call.Line])
		return
	}
	if x.Call.Inbound || x.Refused && !byBehaviour(x) {
		return
	}
	t.out.Honest++
	if byBehaviour(x) {
		t.out.Stopped++
		if t.stops != nil {
			t.stops(x)
		}
		t.out.StoppedKinds[kindOf(r.kinds[x.Call.Line])]++
	}
}

func kindOf(l *sim.Line) string {
	if l == nil {
		return "newcomer"
	}
	return l.Kind
}

func (t *tally) attack(of *sim.Attack, x *play.Result, l *sim.Line) {
	a := t.attacks[of]
	if a == nil {
		a = &Attack{Attack: of, Victim: kindOf(l)}
		t.attacks[of] = a
	}
	a.Loss += x.Cost
	a.Whole += x.Cost + x.Saved
	if a.Acted || x.Call.Inbound || x.Call.At.Before(of.Begin) {
		return
	}
	if byBehaviour(x) {
		a.Acted, a.After = true, x.Ended.Sub(of.Begin)
	} else {
		a.Calls++
	}
}

// found notes a finding that closed something on a line of a customer who was not attacked.
func (r *run) found(t *tally, f *play.Found) {
	if t.found != nil {
		t.mu.Lock()
		t.found(f)
		t.mu.Unlock()
	}
	if len(f.Answer.Restrictions) == 0 || r.attacked[f.Call.Account] || r.kinds[f.Call.Line] == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines[f.Call.Line] = true
	t.out.Findings[r.kinds[f.Call.Line].Kind+" "+f.Meter.String()]++
}

func (t *tally) finish(w *sim.World) Outcome {
	for _, a := range t.attacks {
		t.out.Attacks = append(t.out.Attacks, *a)
	}
	slices.SortFunc(t.out.Attacks, func(a, b Attack) int { return cmp.Compare(a.Label, b.Label) })
	t.out.Restricted = len(t.lines)
	for _, l := range w.Lines() {
		from := l.FirstSeen
		if from.Before(w.Begin) {
			from = w.Begin
		}
		t.out.LineMonths += w.End.Sub(from).Hours() / (24 * 365.0 / 12)
	}
	return t.out
}
