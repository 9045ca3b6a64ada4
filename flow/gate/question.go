package gate

import (
	"context"
	"sync"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/restrict"
)

// Some calls must be confirmed by a person: a voice states the price, and a key lets the call go on. Until then the call costs nothing; what it holds
// stays held. A number that a caller has confirmed is trusted for a time, and a line that fails too many questions is asked no more.

// Confirm is what a caller must confirm, and what the voice says.
type Confirm struct {
	Ask     restrict.Ask
	By      int64       // id of the restriction that asks
	Early   bool        // before the answer
	Rate    money.Rate  // price of a minute, now
	Connect money.Micro // charge for the connection
	Left    money.Micro // what the line may still spend today; negative: not known
}

// How long a confirmation is good for, and how many questions a line may fail.
const (
	trustFor     = 12 * time.Hour
	mostFailures = 3 // within failureSpan; then no question is asked for as long
	failureSpan  = time.Hour
	// longestQuestion is more than an edge waits for an answer.
	longestQuestion = 2 * time.Minute
	mostOpen        = 2       // questions to callers of one line at the same time: nobody tries digits in many calls at once, or takes every place of the voice
	mostTrusted     = 100_000 // numbers that are remembered
)

// trust is what questions have shown, in this process: after a restart, and on another node, callers are asked again. The zero value is ready.
type trust struct {
	mu     sync.Mutex // owns the rest
	passed map[trusted]time.Time
	failed map[string][]time.Time // by line: when, the oldest first
	open   map[string][]time.Time // questions that are not answered, by line: when they were put
}

// trusted is a number that a person at a line has confirmed, and how: a key that anything can press is not good for spoken digits.
type trusted struct {
	line, number string
	ask          restrict.Ask
}

// confirmed fills in what is known of earlier questions, and whether a voice is here.
func (g *Gate) confirmed(s *engine.Subject) {
	if s.Settings == nil || len(s.Settings.Restrictions) == 0 {
		return
	}
	s.Mute = g.o.Voice == nil || !g.o.Voice()
	if r := asking(s); r != nil {
		number := s.Dest.Number.String()
		s.Trusted = g.trust.knows(trusted{s.Line, number, restrict.AskDigits}, s.Now) || g.trust.knows(trusted{s.Line, number, r.Ask}, s.Now)
	}
}

// asking is the restriction of the attempt that asks, or nil.
func asking(s *engine.Subject) *restrict.Restriction {
	c := restrict.Call{Dest: s.Dest, From: s.From}
	if s.Priced {
		c.Price = &s.Quote.Price
	}
	return restrict.Asking(s.Settings.Restrictions, &c, s.Now, s.Zone)
}

func (t *trust) knows(key trusted, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Before(t.passed[key])
}

// ask opens a question to a line. It refuses the call of one that has failed too often, or is being asked already.
func (t *trust) ask(line string, by int64, now time.Time) *Refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.failures(line, now); n >= mostFailures {
		return &Refusal{Reason: policy.QuestionsSpent, Figures: policy.Figures{Limit: mostFailures, Value: int64(n)}}
	}
	open := t.open[line]
	for len(open) > 0 && now.Sub(open[0]) >= longestQuestion { // of a call that another node has taken over
		open = open[1:]
	}
	if len(open) >= mostOpen {
		return &Refusal{Reason: policy.QuestionUnasked, Figures: policy.Figures{Limit: by, Value: policy.UnaskedBusy}}
	}
	if t.open == nil {
		t.open = map[string][]time.Time{}
	}
	t.open[line] = append(open, now)
	return nil
}

// answered closes a question.
func (t *trust) answered(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if open := t.open[line]; len(open) > 1 {
		t.open[line] = open[1:]
	} else {
		delete(t.open, line)
	}
}

// failures are those of a line that still count; under mu.
func (t *trust) failures(line string, now time.Time) int {
	all := t.failed[line]
	for len(all) > 0 && now.Sub(all[0]) >= failureSpan {
		all = all[1:]
	}
	if len(all) == 0 {
		delete(t.failed, line)
	} else {
		t.failed[line] = all
	}
	return len(all)
}

// pass trusts a number.
func (t *trust) pass(key trusted, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.passed == nil || len(t.passed) >= mostTrusted {
		t.prune(now)
	}
	t.passed[key] = now.Add(trustFor)
}

// prune forgets what has ended; if that is too little, everything: a caller who is asked again loses little. Under mu.
func (t *trust) prune(now time.Time) {
	kept := make(map[trusted]time.Time, len(t.passed))
	for key, until := range t.passed {
		if now.Before(until) {
			kept[key] = until
		}
	}
	if len(kept) >= mostTrusted {
		clear(kept)
	}
	t.passed = kept
}

// fail counts a failed question, and says how many of the line count now.
func (t *trust) fail(line string, now time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.failures(line, now)
	if t.failed == nil {
		t.failed = map[string][]time.Time{}
	}
	if n < mostFailures { // beyond them no question is asked, so that more come only from questions that were open
		t.failed[line] = append(t.failed[line], now)
	}
	return n + 1
}

// confirm is what the caller of an admitted call is asked.
func (g *Gate) confirm(ctx context.Context, s *subject, l *live) *Confirm {
	price := &s.Quote.Price
	return &Confirm{
		Ask: s.Verdict.Ask.Ask, By: s.Verdict.Ask.ID, Early: s.Settings.Values[account.Questions] == account.QuestionsEarly,
		Rate: price.Rates[s.Quote.Calendar.Band(s.Now)], Connect: price.Connect, Left: g.leftToday(ctx, s, l),
	}
}

// leftToday is what the line may still spend today, of its own cap and of its customer's, before this call: the least of both. Negative when the store does not say.
func (g *Gate) leftToday(ctx context.Context, s *subject, l *live) money.Micro {
	ids := engine.PurseIDs(s.Line, s.Account, s.Zone, s.Now)
	purses, err := g.money.Purses(ctx, []string{ids[policy.LineDay], ids[policy.AccountDay]})
	if err != nil || len(purses) != 2 {
		return -1
	}
	left := money.Micro(-1)
	for i, kind := range [...]policy.Purse{policy.LineDay, policy.AccountDay} {
		rest := max(engine.Cap(s.Settings, kind)-purses[i].Spent-purses[i].Held+l.Open.Held, 0)
		if left < 0 || rest < left {
			left = rest
		}
	}
	return left
}

// How a caller answers, as Questioned and the journal say it.
const (
	Passed  = "passed"
	Wrong   = "wrong"
	Silent  = "silent"
	Left    = "left"
	NoAudio = "no-audio"
)

// Questioned notes how the caller of a call has answered. Repeats change nothing. It never blocks.
func (g *Gate) Questioned(id call.ID, q Questioned) {
	l := g.get(id)
	if l == nil {
		return
	}
	now := clock()
	l.mu.Lock()
	asked := l.asked
	l.asked = nil
	o := l.Open
	l.mu.Unlock()
	if asked == nil {
		return
	}
	g.trust.answered(o.Line)
	f := fact.CallQuestioned{
		Number: o.Number, Class: o.Class, Country: o.Country, Asked: string(asked.Ask), Pressed: q.Pressed,
		WrongKeys: int64(q.Wrong), HastyKeys: int64(q.Hasty),
	}
	switch {
	case q.Pressed == Passed:
		g.trust.pass(trusted{o.Line, o.Number, asked.Ask}, now)
	case q.Pressed == Silent, q.Wrong > 0: // a caller who hangs up when hearing the price has done what the question is for, and one who tries digits first has not
		n := g.trust.fail(o.Line, now)
		f.Failures, f.NoMore = int64(n), n >= mostFailures
	}
	g.o.Ledger.Record(f.Row(now, fact.Subject{Line: o.Line, Account: o.Account, Call: o.ID}))
}
