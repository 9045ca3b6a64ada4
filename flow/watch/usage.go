package watch

import (
	"context"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/detect"
	"ringfence/core/money"
	"ringfence/state/store"
)

const (
	tellAtOnce = 500 // levels told in one step
	// waitSettled is how long a call that is no longer in progress counts at its last known cost while its settlement has
	// not come: a store that is down for longer has other worries.
	waitSettled = time.Hour
	// aroundMonth is how long after the turn of the month, when keys change, nothing is told, so that two nodes whose
	// clocks differ by up to a second see each other's findings before they would write the same one under another key.
	aroundMonth = 3 * time.Second
)

// subject is a line or account with usage. Told is the amount up to which multiples of the level were told. It is kept as
// an amount, so that a level that changes later is neither passed in silence nor told twice.
type subject struct {
	name    string // "line/ID", "account/ID"
	settled money.Micro
	running money.Micro // sum of cost over runs
	told    money.Micro
	level   money.Micro // as last looked up
	touched bool        // is in Watch.touched
}

// run is a call in progress that has cost something.
type run struct {
	line, account *subject // either may be nil
	cost          money.Micro
	round         int64     // when it was last seen in progress
	gone          time.Time // since when it is not
	settled       bool      // its settlement is folded in; kept only while a subject still lists the call
}

func lineSubject(id string) string {
	if id == "" {
		return ""
	}
	return "line/" + id
}

func accountSubject(id string) string {
	if id == "" {
		return ""
	}
	return "account/" + id
}

// newSubject knows no level yet: it is looked up with the next sweep, or when the subject is first touched.
func newSubject(name string) *subject { return &subject{name: name, level: -1} }

// subject needs mu. It is nil for no name.
func (w *Watch) subject(name string) *subject {
	if name == "" {
		return nil
	}
	s := w.subjects[name]
	if s == nil {
		s = newSubject(name)
		w.subjects[name] = s
	}
	return s
}

// touch needs mu.
func (w *Watch) touch(s *subject) {
	if !s.touched {
		s.touched = true
		w.touched = append(w.touched, s)
	}
}

// ended needs mu. It moves a call from running to settled in one go, so that it never counts twice; until then it counted
// at its last known cost, so that it was never missing either.
func (w *Watch) ended(c settled) {
	r := w.runs[c.fact.Call]
	if r != nil {
		w.cost(r, 0)
		r.settled = true
	}
	if c.retail == 0 {
		return
	}
	for _, name := range [...]string{lineSubject(c.fact.Line), accountSubject(c.fact.Account)} {
		if s := w.subject(name); s != nil {
			s.settled = s.settled.Add(c.retail)
			w.touch(s)
		}
	}
}

// cost needs mu. It sets what a call in progress has cost.
func (w *Watch) cost(r *run, to money.Micro) {
	more := to - r.cost
	r.cost = to
	if more == 0 {
		return
	}
	for _, s := range [...]*subject{r.line, r.account} {
		if s != nil {
			s.running += more
			w.touch(s)
		}
	}
}

// costSoFar is what a call would be charged if it ended now: the same sum as its settlement. A quote counts from the answer.
func costSoFar(c *call.Open, now time.Time) money.Micro {
	p := &c.Quote.Price
	if c.State != call.Answered || c.Held <= 0 || p.Dearest() <= 0 && p.Connect <= 0 && p.Minimum <= 0 {
		return 0
	}
	c.Quote.Start = c.AnsweredAt
	talk := min(max(now.Sub(c.AnsweredAt), 0), c.PaidFor, c.Longest)
	return max(min(c.Quote.Cost(talk), c.Held), 0)
}

// inProgress counts the calls of this node and of others. The journal must have been read before Calls is asked: a call
// leaves there before its settlement is written, so that what is listed cannot be among the facts taken already.
func (w *Watch) inProgress(ctx context.Context, now time.Time) {
	if w.o.Others != nil && now.Sub(w.othersAt) >= othersEvery {
		ask, cancel := context.WithTimeout(ctx, othersEvery)
		others, err := w.o.Others(ask)
		cancel()
		if err == nil {
			w.others = others
		} else if !w.othersFailing && ctx.Err() == nil {
			w.o.Log.Warn("watch: calls of other nodes are not known; continuing with the previous ones", "err", err)
		}
		w.othersAt, w.othersFailing = now, err != nil
	}
	calls := w.o.Calls()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.round++
	for i := range calls {
		w.see(&calls[i], now)
	}
	for i := range w.others {
		w.see(&w.others[i], now)
	}
	w.forget(now)
	w.stats.Calls = len(w.runs)
}

// see needs mu. What this node knows of a call goes before what others say, which is some seconds old.
func (w *Watch) see(c *call.Open, now time.Time) {
	r := w.runs[c.ID]
	if r != nil && r.round == w.round {
		return
	}
	cost := costSoFar(c, now)
	if r == nil {
		if cost == 0 {
			return
		}
		r = &run{line: w.subject(lineSubject(c.Line)), account: w.subject(accountSubject(c.Account))}
		w.runs[c.ID] = r
	}
	r.round, r.gone = w.round, time.Time{}
	if !r.settled && cost > r.cost { // what was paid for is not taken back by a clock that is set
		w.cost(r, cost)
	}
}

// forget needs mu. It drops calls that are no longer listed: immediately when their settlement is in, else when it has not
// come for very long.
func (w *Watch) forget(now time.Time) {
	for id, r := range w.runs {
		switch {
		case r.round == w.round:
		case r.settled || !r.gone.IsZero() && now.Sub(r.gone) > waitSettled:
			w.cost(r, 0)
			delete(w.runs, id)
		case r.gone.IsZero():
			r.gone = now
		}
	}
}

// levels looks at usage with calls in progress and tells what has passed a multiple of its level.
func (w *Watch) levels(ctx context.Context, now time.Time) error {
	w.inProgress(ctx, now)
	w.sweep(now)
	if month(now) != month(now.Add(-aroundMonth)) {
		return nil // what is touched stays so
	}
	for {
		due := w.due(now)
		if len(due) == 0 {
			return nil
		}
		if err := w.tell(ctx, due, now); err != nil {
			w.mu.Lock()
			for _, t := range due {
				w.touch(t.of)
			}
			w.mu.Unlock()
			return err
		}
	}
}

// month is the period of usage findings' keys.
func month(t time.Time) string { return t.UTC().Format("2006-01") }

// sweep looks all levels up afresh, now and then, and soon after settings have changed.
func (w *Watch) sweep(now time.Time) {
	since := now.Sub(w.sweptAt)
	if since < sweepEvery && since >= 0 && (w.sweepAgain == 0 || since < sweepLeast) {
		return
	}
	w.sweptAt, w.sweepAgain = now, max(w.sweepAgain-1, 0)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.subjects {
		s.level = w.level(s, now)
		if w.passed(s) > s.told {
			w.touch(s)
		}
	}
}

// level looks up the warning level in force; 0 for who is not in the book any more.
func (w *Watch) level(s *subject, now time.Time) money.Micro {
	kind, id, _ := strings.Cut(s.name, "/")
	if kind == "line" {
		if l, ok := w.o.Book.Line(id); ok {
			return l.Effective(now).Cap(account.LineWarning)
		}
		return 0
	}
	if c, ok := w.o.Book.Customer(id); ok {
		return c.Effective.Cap(account.AccountWarning)
	}
	return 0
}

// passed needs mu.
func (w *Watch) passed(s *subject) money.Micro {
	u := detect.Usage{Settled: s.settled, Running: s.running, Level: s.level}
	return u.Passed()
}

// due is a level to be told.
type due struct {
	of      *subject
	finding detect.Finding
	passed  money.Micro
}

// due takes from the touched subjects those that have passed a level, some at a time.
func (w *Watch) due(now time.Time) []due {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []due
	n := len(w.touched)
	for n > 0 && len(out) < tellAtOnce {
		n--
		s := w.touched[n]
		s.touched = false
		if s.level < 0 {
			s.level = w.level(s, now)
		}
		passed := w.passed(s)
		if passed <= s.told {
			continue
		}
		out = append(out, due{s, detect.UsagePassed(w.usage(s), s.told, month(now), now), passed})
	}
	clear(w.touched[n:])
	w.touched = w.touched[:n]
	return out
}

// usage needs mu. It is a subject for the rule; a line's account is who pays for it now.
func (w *Watch) usage(s *subject) detect.Usage {
	u := detect.Usage{Settled: s.settled, Running: s.running, Level: s.level}
	kind, id, _ := strings.Cut(s.name, "/")
	if kind != "line" {
		u.Account = id
		return u
	}
	u.Line = id
	if l, ok := w.o.Book.Line(id); ok {
		u.Account = l.Customer()
	}
	return u
}

// tell writes findings and how far was told in one transaction, whatever the cursor: the findings' keys make it once,
// however many nodes see the same.
func (w *Watch) tell(ctx context.Context, all []due, now time.Time) error {
	step := store.Step{Stage: Stage, From: w.at, To: w.at}
	for i := range all {
		step.Findings = append(step.Findings, stored(&all[i].finding, now))
		step.Usage = append(step.Usage, store.UsageChange{Subject: all[i].of.name, Told: int64(all[i].passed)})
	}
	done, err := w.o.Store.Advance(ctx, step)
	if err != nil {
		return err
	}
	w.mu.Lock()
	for i := range all {
		all[i].of.told = max(all[i].of.told, all[i].passed)
	}
	w.mu.Unlock()
	w.raised(&done)
	return nil
}
