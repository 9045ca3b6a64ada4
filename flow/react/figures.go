package react

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

// Figures are what a rule did while it had one life. Of a shadow they are what it would have done.
type Figures struct {
	Fired   int64       `json:"fired"`   // findings that closed something
	Honest  int64       `json:"honest"`  // of these: "that was me"
	True    int64       `json:"true"`    // of these: a case found that it was a fraud
	Stopped int64       `json:"stopped"` // calls that were refused or cut
	Wrong   int64       `json:"wrong"`   // of these: stopped by findings that were honest calls
	Saved   money.Micro `json:"saved"`   // of a shadow what the calls cost beyond; else a first minute of each refused call, for no one knows how long it would have been
}

// figures are kept for each rule and life, and written with the cursor.
type figures struct {
	Rules map[string]map[string]*Figures `json:"rules"`
	Last  []stopper                      `json:"last"` // the latest findings that closed something
	Days  []day                          `json:"days"` // the latest month
	// Agreed are hashes of rules that may act although they would have stopped many calls of the last month.
	Agreed map[string]uint32 `json:"agreed,omitempty"`
}

// stopper is a finding, and what it has stopped.
type stopper struct {
	Key     string `json:"key"`
	Rule    string `json:"rule"`
	Life    string `json:"life"`
	Stopped int64  `json:"stopped"`
	Honest  bool   `json:"honest,omitempty"`
	True    bool   `json:"true,omitempty"`
}

// day counts paid calls, and those that rules in shadow would have stopped.
type day struct {
	Day   int64            `json:"day"` // since 1970
	Calls int64            `json:"calls"`
	Would map[string]int64 `json:"would,omitempty"`
}

const (
	lastStoppers = 500
	month        = 31 // days
)

// of are the figures of a rule and life.
func (f *figures) of(rule, life string) *Figures {
	if f.Rules == nil {
		f.Rules = map[string]map[string]*Figures{}
	}
	if f.Rules[rule] == nil {
		f.Rules[rule] = map[string]*Figures{}
	}
	if f.Rules[rule][life] == nil {
		f.Rules[rule][life] = &Figures{}
	}
	return f.Rules[rule][life]
}

func (f *figures) today(at time.Time) *day {
	n := at.Unix() / (24 * 60 * 60)
	if len(f.Days) == 0 || f.Days[len(f.Days)-1].Day < n {
		f.Days = append(f.Days, day{Day: n})
		f.Days = slices.DeleteFunc(f.Days, func(d day) bool { return d.Day <= n-month })
	}
	return &f.Days[len(f.Days)-1]
}

func (f *figures) found(rule, life, key string) {
	f.of(rule, life).Fired++
	f.Last = append(f.Last, stopper{Key: key, Rule: rule, Life: life})
	f.Last = f.Last[max(len(f.Last)-lastStoppers, 0):]
}

// stopped notes that a finding has stopped a call, or would have. A finding that is too old is not counted.
func (f *figures) stopped(key string, at time.Time) *Figures {
	i := slices.IndexFunc(f.Last, func(s stopper) bool { return s.Key == key })
	if i < 0 {
		return &Figures{}
	}
	s := &f.Last[i]
	s.Stopped++
	x := f.of(s.Rule, s.Life)
	x.Stopped++
	if s.Honest {
		x.Wrong++
	}
	if d := f.today(at); s.Life == habit.Shadow.String() {
		if d.Would == nil {
			d.Would = map[string]int64{}
		}
		d.Would[s.Rule]++
	}
	return x
}

func (f *figures) vouched(key string) {
	for i := range f.Last {
		if s := &f.Last[i]; s.Key == key && !s.Honest {
			s.Honest = true
			x := f.of(s.Rule, s.Life)
			x.Honest, x.Wrong = x.Honest+1, x.Wrong+s.Stopped
		}
	}
}

// confirmed notes that a finding was a fraud.
func (f *figures) confirmed(key string) {
	for i := range f.Last {
		if s := &f.Last[i]; s.Key == key && !s.True {
			s.True = true
			f.of(s.Rule, s.Life).True++
		}
	}
}

// share is what part of the last month's paid calls a rule would have stopped as a shadow, in ten thousandths; 0 if there were too few calls to say.
func (f *figures) share(rule string) (share, stopped, calls int64) {
	for i := range f.Days {
		calls += f.Days[i].Calls
		stopped += f.Days[i].Would[rule]
	}
	if calls < leastCalls {
		return 0, stopped, calls
	}
	return stopped * 10_000 / calls, stopped, calls
}

const (
	leastCalls = 1000
	tooWide    = 100 // ten thousandths: 1 %
)

// life names a finding's stage: what a canary does to others than its tenth is a shadow's.
func (r *React) life(f *habit.Finding) string {
	if !f.Life.Acts() {
		return habit.Shadow.String()
	}
	return r.rules.Meters[f.Meter].Life.String()
}

// would is what rules in shadow would have closed to a line, or a customer.
const would = "would/"

// foresees notes what a shadow would have closed.
func (r *React) foresees(found *habit.Finding, key, line, customer string, at time.Time) {
	subject := would + "line/" + line
	if found.Answer.Whole {
		subject = would + "account/" + customer
	}
	kept := slices.DeleteFunc(slices.Clone(r.would[subject]), func(x restrict.Restriction) bool { return x.Ended(at) })
	for _, x := range found.Answer.Restrictions {
		x.Finding = key
		kept = append(kept, x)
	}
	r.would[subject], r.foreseen[subject] = kept, true
}

// foreseenOf are the restrictions that rules in shadow would have in force for a call.
func (r *React) foreseenOf(w *watched) [][]restrict.Restriction {
	if w.would != "" || w.inbound {
		return nil
	}
	return [][]restrict.Restriction{r.would[would+"line/"+w.line], r.would[would+"account/"+w.account]}
}

// foresee notes the first instant at which a rule in shadow would have stopped a call, and what was paid for by then.
func (r *React) foresee(w *watched, lists [][]restrict.Restriction, zone *time.Location, paid money.Micro, at time.Time) {
	if len(lists) == 0 || len(lists[0])+len(lists[1]) == 0 {
		return
	}
	dest, problem := r.o.Book.Plan().Parse(numberText(w.Number))
	if problem != phone.NoProblem {
		return
	}
	dest.Class = w.Class
	price := rating.Price{First: 1, Step: 1, Rates: [3]money.Rate{w.PerMin, w.PerMin, w.PerMin}, Connect: 1}
	c := restrict.Call{Dest: dest, Price: &price, From: restrict.From{Origin: w.Place, Product: w.Device}}
	if x := restrict.Closing(lists, &c, at, zone, false); x != nil {
		w.would, w.paid, w.changed, r.figured = x.Finding, paid, true, true
		r.figures.stopped(x.Finding, at)
	}
}

// spared notes what a shadow would have saved of a call that has ended.
func (r *React) spared(w *watched, retail money.Micro) {
	i := slices.IndexFunc(r.figures.Last, func(s stopper) bool { return s.Key == w.would })
	if w.would == "" || i < 0 {
		return
	}
	s := &r.figures.Last[i]
	r.figures.of(s.Rule, s.Life).Saved += max(retail-w.paid, 0)
	r.figured = true
}

// refusedBy counts a call that a finding's restriction has refused, or cut.
func (r *React) refusedBy(f *store.Fact, reason policy.Reason, id int64, perMinute money.Rate) {
	l, ok := r.o.Book.Line(f.Line)
	if !ok || reason != policy.DestinationClosed && reason != policy.TooManyRestricted && reason != policy.LoginClosed && reason != policy.CutRestricted {
		return
	}
	for _, list := range l.Effective(f.At).Restrictions {
		for i := range list {
			if x := &list[i]; x.ID == id && strings.HasPrefix(x.Finding, unusual) {
				r.figures.stopped(x.Finding, f.At).Saved += money.Micro(perMinute / 1000)
				r.figured = true
				return
			}
		}
	}
}

func (r *React) cut(f *store.Fact) {
	var b fact.CallCut
	if r.bad(b.Decode(f.Body)) {
		return
	}
	if reason, err := policy.ParseReason(b.Reason); err == nil && reason == policy.CutRestricted {
		r.refusedBy(f, reason, b.Limit, 0)
	}
}

// Rule is a rule, how far it is trusted, and what it did.
type Rule struct {
	Name   string
	Set    habit.Life // as the configuration has it
	Life   habit.Life // as far as it is trusted
	Why    string     // it is trusted less; "" is not
	Stages map[string]Figures
}

// Why a rule is trusted less than its configuration says.
const (
	WentBack = "went-back" // too many of its findings were honest calls
	TooWide  = "too-wide"  // it would have stopped too many of last month's calls, and nobody has agreed
)

// Rules are all rules, with their figures; those of the node that follows are the latest.
func (r *React) Rules(ctx context.Context) (all []Rule, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	figures, rules := &r.figures, r.rules
	if !r.loaded {
		if figures, err = r.storedFigures(ctx); err != nil {
			return nil, err
		}
	}
	if r.o.Rules == nil {
		return nil, nil
	}
	if rules == nil {
		rules = r.o.Rules
	}
	for kind := range habit.NumMeters {
		x := Rule{Name: kind.String(), Set: r.o.Rules.Meters[kind].Life, Life: rules.Meters[kind].Life, Stages: map[string]Figures{}}
		if x.Life < x.Set {
			if x.Why = WentBack; r.waits[kind] {
				x.Why = TooWide
			}
		}
		for life, f := range figures.Rules[x.Name] {
			x.Stages[life] = *f
		}
		all = append(all, x)
	}
	return all, nil
}

func (r *React) storedFigures(ctx context.Context) (*figures, error) {
	f := &figures{}
	body, err := r.o.Store.Memory(ctx, Stage, figureRow)
	if err == nil && body != nil {
		err = json.Unmarshal(body, f)
	}
	return f, err
}

// figureRow is the subject of the figures.
const figureRow = "figures"

func (r *React) readFigures(subject string, body []byte) error {
	if subject == figureRow {
		r.figures = figures{}
		return json.Unmarshal(body, &r.figures)
	}
	var list []restrict.Restriction
	err := json.Unmarshal(body, &list)
	if err == nil {
		r.would[subject] = list
	}
	return err
}

// changedFigures are the rows to be written; an empty one takes away.
func (r *React) changedFigures(put func(subject string, body []byte)) {
	if r.figured {
		body, err := json.Marshal(&r.figures)
		if err == nil { // cannot fail: numbers and texts
			put(figureRow, body)
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(r.foreseen)) {
		body, err := json.Marshal(r.would[subject])
		switch {
		case len(r.would[subject]) == 0:
			put(subject, nil)
		case err == nil:
			put(subject, body)
		}
	}
}

// trustRules puts rules in force as far as they are trusted. One that is to act, and would have stopped too many of last month's calls as a shadow, stays one until
// somebody agrees.
func (r *React) trustRules() {
	r.waits = [habit.NumMeters]bool{}
	if r.o.Rules == nil {
		return
	}
	rules := r.trust.Apply(r.o.Rules)
	for kind := range habit.NumMeters {
		name, rule := kind.String(), hashOf(&r.o.Rules.Meters[kind])
		share, stopped, calls := r.figures.share(name)
		switch {
		case r.o.Rules.Meters[kind].Life <= habit.Shadow:
			delete(r.figures.Agreed, name)
		case share <= tooWide || r.figures.Agreed[name] == rule:
			r.figures.agree(name, rule)
		default:
			rules.Meters[kind].Life, r.waits[kind] = min(rules.Meters[kind].Life, habit.Shadow), true
			r.o.Log.Warn("a rule for unusual calls would have stopped more than 1 % of last month's calls and stays a shadow until somebody agrees to it with ringfence rules agree",
				"rule", name, "stopped", stopped, "calls", calls)
		}
	}
	r.rules, r.figured = rules, true
}

// agree lets a rule, as it is, act.
func (f *figures) agree(name string, rule uint32) {
	if f.Agreed == nil {
		f.Agreed = map[string]uint32{}
	}
	f.Agreed[name] = rule
}

func hashOf(m *habit.Meter) uint32 { return habit.Hash(fmt.Sprint(*m)) }

// Agree lets a rule act although it would have stopped many of last month's calls. False: there is no such rule, or it is not held back.
func (r *React) Agree(actor, rule string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for kind := range habit.NumMeters {
		if kind.String() == rule && r.waits[kind] {
			r.figures.agree(rule, hashOf(&r.o.Rules.Meters[kind]))
			r.trustRules()
			r.o.Log.Info("a rule for unusual calls acts by agreement", "rule", "watch."+rule, "by", actor, "life", r.rules.Meters[kind].Life.String())
			return true
		}
	}
	return false
}

// Of says what is known of a line's habits and its customer's, as it was last written or, on the node that follows, is. False: nothing is watched.
func (r *React) Of(ctx context.Context, line, customer string, now time.Time) (s habit.Summary, known bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.o.Rules == nil {
		return s, false, nil
	}
	rules := r.o.Rules
	if r.rules != nil {
		rules = r.rules
	}
	var memories [2]*habit.Memory
	for i, subject := range [...]string{"line/" + line, "account/" + customer} {
		if m := r.memories[subject]; r.loaded && m != nil {
			memories[i] = &m.Memory
			continue
		}
		memories[i] = &habit.Memory{}
		body, err := r.o.Store.Memory(ctx, Stage, subject)
		if err != nil {
			return s, false, err
		}
		if body != nil {
			if memories[i], err = habit.Read(body); err != nil {
				return s, false, err
			}
		}
	}
	return rules.Summary(memories[0], memories[1], habit.Hash(customer), now), true, nil
}
