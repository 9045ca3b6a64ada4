// Package adaptive is an attacker who knows the rules and the settings, and looks for the dearest way past them: thousands of strategies, each played
// through flow/play from the same point of a customer's own history. It then looks for the one setting that would have cost him most. It must not decide
// anything about a call, nor know a rule: it only sees what is let through, and what that costs.
package adaptive

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/money"
	"ringfence/flow/play"
	"ringfence/flow/replay"
)

// Case is a customer whose lines are attacked.
type Case struct {
	Name  string
	Set   replay.Set
	Lines *replay.Lines
	Calls []play.Call // the customer's honest calls, in the order of time
	// Attacked are the lines that the attacker may use; nil: all that have made calls.
	Attacked []string
	Locked   bool // by an IP lock: nobody gets in from elsewhere
	// Earning: he calls only what he can earn from: destinations abroad, and those at home that are dear. What everybody calls at home pays only who resells it.
	Earning bool
}

// Options of a search.
type Options struct {
	Strategies int
	Seed       uint64
	Workers    int
	// Progress is called after each strategy, one at a time, with how many were played and what the dearest cost. It may be nil.
	Progress func(played int, dearest money.Micro)
}

// Report is what a search found.
type Report struct {
	Name       string      `json:"name"`
	Lines      int         `json:"lines"`
	Honest     int         `json:"honest_calls"`
	From       time.Time   `json:"from"`
	Until      time.Time   `json:"until"`
	Meanwhile  int         `json:"honest_calls_meanwhile"`
	Played     int         `json:"strategies"`
	Stopped    bool        `json:"stopped"` // before all were played
	Median     money.Micro `json:"median_loss_micro"`
	Allowance  money.Micro `json:"allowance_micro"`   // what the lines that were used might lose: 25 each, or their own median weeks
	MedianWeek money.Micro `json:"median_week_micro"` // of the customer's own calls
	Exceeds    bool        `json:"exceeds"`
	Best       Found       `json:"dearest"`
	Remedies   []Remedy    `json:"settings"`         // the most useful first
	Advice     *Remedy     `json:"advice,omitempty"` // the one that would reduce the loss most
}

// Found is a strategy with what came of it.
type Found struct {
	Strategy Strategy `json:"strategy"`
	Words    []string `json:"in_words"`
	Outcome
}

// ErrNoCalls says that there is nothing to learn the customer's habits from.
var ErrNoCalls = errors.New("there are no calls from which the habits of the line could be learnt")

// Shares of a search.
const (
	atRandom = 3   // of ten strategies: the first ones
	batch    = 128 // strategies that are made before any of them is judged, however many workers there are
	parents  = 64  // of the next batch
	alike    = 6   // parents at most with the same first destination and the same answer to being stopped
)

// Search plays strategies, and then the dearest again under other settings. When ctx ends, it reports the best so far. ErrNoCalls.
func Search(ctx context.Context, c Case, o Options) (*Report, error) {
	g, err := prepare(&c)
	if err != nil {
		return nil, err
	}
	s := search{ground: g, o: o, random: rand.New(rand.NewPCG(o.Seed, 18))} //nolint:gosec // chance, not secrets
	s.run(ctx, max(o.Strategies, 1))
	if len(s.best) == 0 {
		return nil, errors.Join(errors.New("stopped before a strategy was played"), ctx.Err())
	}
	r := g.report(&c, &s)
	r.Remedies = s.remedies(ctx, r.Best.Loss)
	r.Stopped = ctx.Err() != nil
	for i := range r.Remedies {
		if x := &r.Remedies[i]; x.Bearable() && x.Loss < r.Best.Loss {
			r.Advice = x
			break
		}
	}
	return r, nil
}

// search is the state of a search.
type search struct {
	*ground
	o      Options
	random *rand.Rand
	under  *other // settings; nil: the customer's own
	best   []tried
	losses []money.Micro // of all, as they came
}

// tried is a strategy with its outcome.
type tried struct {
	Strategy
	Outcome
}

// run plays so many strategies: some at random, then descendants of the best.
func (s *search) run(ctx context.Context, n int) {
	first := max(n*atRandom/10, 1)
	for played := 0; played < n && ctx.Err() == nil; {
		next := make([]Strategy, min(batch, n-played))
		for i := range next {
			switch {
			case played+i < first || len(s.best) == 0:
				next[i] = s.draw(s.random)
			default:
				next[i] = s.descend(s.random, s.best, float64(played)/float64(n))
			}
		}
		played += s.judge(ctx, next)
	}
}

// judge plays strategies, and keeps the best. It returns how many were played.
func (s *search) judge(ctx context.Context, all []Strategy) int {
	done := make([]*tried, len(all))
	var at, played atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex // owns the report of progress
	told := len(s.losses)
	dearest := money.Micro(0)
	if len(s.best) > 0 {
		dearest = s.best[0].Loss
	}
	for range max(s.o.Workers, 1) {
		wg.Go(func() {
			for {
				i := int(at.Add(1)) - 1
				if i >= len(all) || ctx.Err() != nil {
					return
				}
				done[i] = &tried{all[i], s.play(&all[i], s.under, nil)}
				done[i].paid = nil // only a test asks
				played.Add(1)
				mu.Lock()
				told++
				dearest = max(dearest, done[i].Loss)
				if s.o.Progress != nil && s.under == nil {
					s.o.Progress(told, dearest)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, d := range done {
		if d != nil {
			s.best = append(s.best, *d)
			s.losses = append(s.losses, d.Loss)
		}
	}
	s.keep()
	return int(played.Load())
}

// keep leaves the best, of each sort only some, so that the search does not run into the first dead end.
func (s *search) keep() {
	slices.SortStableFunc(s.best, func(a, b tried) int { return cmpMicro(b.Loss, a.Loss) })
	seen := map[[2]int]int{}
	kept := s.best[:0]
	for i := range s.best {
		sort := [2]int{s.best[i].Targets[0], int(s.best[i].Then)}
		if seen[sort]++; seen[sort] <= alike && len(kept) < parents {
			kept = append(kept, s.best[i])
		}
	}
	s.best = kept
}

func cmpMicro(a, b money.Micro) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// report is what is said of the dearest, which is played again for its story.
func (g *ground) report(c *Case, s *search) *Report {
	best := s.best[0]
	var story story
	best.Outcome = g.play(&best.Strategy, nil, &story)
	best.Story, best.paid = story.lines(g.zone), nil
	r := &Report{
		Name: c.Name, Lines: len(g.lines), Honest: len(c.Calls), From: g.from, Until: g.until, Meanwhile: len(g.rest), Played: len(s.losses),
		Best: Found{best.Strategy, g.tell(&best.Strategy, &best.Outcome), best.Outcome}, Median: middle(s.losses), MedianWeek: middle(g.weeks),
	}
	for _, i := range best.Used {
		r.Allowance += max(money.Billing().Sum(bearable), g.lines[i].week)
	}
	r.Exceeds = best.Loss > r.Allowance
	return r
}

// bearable is what a line may lose in a week, in units of the billing currency, or its own median week if that is more.
const bearable = 25

func middle(all []money.Micro) money.Micro {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// PerLine is the dearest week's loss for each of the lines that were used.
func (r *Report) PerLine() money.Micro { return r.Best.Loss / money.Micro(max(len(r.Best.Used), 1)) }
