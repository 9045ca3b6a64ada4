package status

import (
	"context"
	"errors"
	"net/http"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/journal"
	"ringfence/state/store"
)

// region is where a call goes, or that it comes in.
type region struct {
	Component
	counted bool // it was answered
}

// maxCalls is how many calls in progress are remembered; of more it is not known where they go.
const maxCalls = 100_000

// What is counted by day, for how protection did.
const (
	LoginsRefused = "logins-refused" // wrong logins
	CallsRefused  = "calls-refused"  // by a limit, a lock or a rule
	CallsCut      = "calls-cut"      // because their money or permission ended
	Saved         = "saved-micro"    // the first minute of each refused call, at its price
	Closed        = "closed"         // unusual calls, after which destinations were closed
	HonestLocked  = "honest-locked"  // lock-outs at a place that the line usually uses
	HonestStopped = "honest-stopped" // what was closed because of calls that were the owner's own
)

// begin reads where the journal was left.
func (s *Status) begin(ctx context.Context) (int64, error) {
	at, err := s.o.Store.Cursor(ctx, Stage)
	if err != nil {
		return s.at, err
	}
	s.at = at
	return at, nil
}

// take counts a batch, once among all nodes: the counts move with the cursor. What the last calls came to is known to each.
func (s *Status) take(ctx context.Context, _ int64, facts []store.Fact, _ bool) (int64, error) {
	if len(facts) == 0 {
		return s.at, nil
	}
	now := time.Now()
	add := map[store.Tally]int64{}
	for i := range facts {
		s.count(&facts[i], now, add)
	}
	step := store.Step{Stage: Stage, From: s.at, To: facts[len(facts)-1].Seq}
	for t, n := range add {
		t.N = n
		step.Tallies = append(step.Tallies, t)
	}
	_, err := s.o.Store.Advance(ctx, step)
	switch {
	case errors.Is(err, store.ErrMoved):
		return s.at, journal.ErrAgain
	case err != nil:
		return s.at, err
	}
	s.at = step.To
	s.fold(step.Tallies)
	return s.at, nil
}

// fold adds to the counts that the page shows.
func (s *Status) fold(add []store.Tally) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range add {
		const under = "count/"
		if len(t.What) > len(under) && t.What[:len(under)] == under {
			what := t.What[len(under):]
			if s.counts[what] == nil {
				s.counts[what] = map[time.Time]int64{}
			}
			s.counts[what][t.At] += t.N
		}
	}
}

// count takes one fact.
func (s *Status) count(f *store.Fact, now time.Time, add map[store.Tally]int64) {
	if now.Sub(f.At) > history*24*time.Hour {
		return
	}
	c := tally{add, f.At.UTC().Truncate(24 * time.Hour), f.At.UTC().Truncate(15 * time.Minute)}
	switch f.Kind { // what cannot be read the watch stage tells of
	case fact.KindCallAdmitted:
		if b := new(fact.CallAdmitted); b.Decode(f.Body) == nil {
			s.admitted(f, b)
		}
	case fact.KindCallAnswered:
		s.outcome(f.Call, f.At, false, false)
	case fact.KindCallSettled:
		if b := new(fact.CallSettled); b.Decode(f.Body) == nil {
			s.outcome(f.Call, f.At, c.settled(b), true)
		}
	default:
		c.protection(f)
	}
}

// tally is what a batch adds.
type tally struct {
	add          map[store.Tally]int64
	day, quarter time.Time
}

// settled counts a call for the trunk that took it last, and says whether it failed.
func (c *tally) settled(b *fact.CallSettled) (failed bool) {
	failed = b.Reason == policy.TrunksFailed.Code() || b.Talk == 0 && (b.Status == http.StatusRequestTimeout || b.Status >= 500 && b.Status < 600)
	if b.Trunk == "" {
		return failed
	}
	trunk := "trunk/" + b.Trunk + "/"
	c.add[store.Tally{What: trunk + "tried", At: c.quarter}]++
	if b.Talk > 0 || b.Status == http.StatusOK {
		c.add[store.Tally{What: trunk + "answered", At: c.quarter}]++
	}
	if b.Delay > 0 {
		c.add[store.Tally{What: trunk + "rang", At: c.quarter}]++
		c.add[store.Tally{What: trunk + "delay", At: c.quarter}] += b.Delay.Milliseconds()
	}
	if failed {
		c.add[store.Tally{What: trunk + "failed", At: c.quarter}]++
	}
	return failed
}

func (c *tally) protected(what string, n int64) {
	if n > 0 {
		c.add[store.Tally{What: "count/" + what, At: c.day}] += n
	}
}

// protection counts what was stopped, rightly or not.
func (c *tally) protection(f *store.Fact) {
	switch f.Kind {
	case fact.KindCallRefused:
		if b := new(fact.CallRefused); b.Decode(f.Body) == nil {
			c.protected(CallsRefused, 1)
			c.protected(Saved, int64(money.Weighted{}.Plus(max(0, b.PerMinute), 60).Amount()))
		}
	case fact.KindCallsRefused:
		if b := new(fact.CallsRefused); b.Decode(f.Body) == nil {
			for _, n := range b.Counts {
				c.protected(CallsRefused, n.N)
			}
		}
	case fact.KindCallCut:
		c.protected(CallsCut, 1)
	case fact.KindLoginFailed:
		if b := new(fact.LoginFailed); b.Decode(f.Body) == nil {
			c.protected(LoginsRefused, b.Failures)
		}
	case fact.KindLoginLocked:
		if b := new(fact.LoginLocked); b.Decode(f.Body) == nil && b.Usual {
			c.protected(HonestLocked, 1)
		}
	case fact.KindCallsUnusual:
		if b := new(fact.CallsUnusual); b.Decode(f.Body) == nil && len(b.Closed) > 0 && !b.Trial {
			c.protected(Closed, 1)
		}
	case fact.KindCallsVouched:
		c.protected(HonestStopped, 1)
	}
}

func (s *Status) admitted(f *store.Fact, b *fact.CallAdmitted) {
	r := region{Component: CallsHome}
	switch {
	case b.Direction == string(call.In):
		r.Component = CallsIn
	case b.Direction == string(call.Between):
		return
	case b.Country != "" && !s.o.Home(b.Country):
		r.Component = CallsAbroad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) < maxCalls {
		s.calls[string(f.Call)] = r
	}
}

// outcome is whether a call was connected to where it went. An answer counts at once, what was not answered when it has ended.
func (s *Status) outcome(id call.ID, at time.Time, failed, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.calls[string(id)]
	if over {
		delete(s.calls, string(id))
	}
	p := s.parts[r.Component]
	if !ok || r.counted || p == nil {
		return
	}
	if !over {
		r.counted = true
		s.calls[string(id)] = r
	}
	if len(p.outcomes) >= maxOutcomes {
		p.outcomes = p.outcomes[1:]
	}
	p.outcomes = append(p.outcomes, outcome{at, failed && r.Component != CallsIn}) // a call in that nobody answers is no fault of ours
}
