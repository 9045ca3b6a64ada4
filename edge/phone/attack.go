package phone

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Plan is what an attack tries, and its bounds.
type Plan struct {
	Numbers []string      // called in turn
	Calls   int           // attempts in all, at most 10,000
	AtOnce  int           // concurrent attempts, at most 200
	Refused int           // give up after this many refusals in a row; 0 is 10
	Last    time.Duration // hang up what is left after this long
	// Say reports each event in a line, from one goroutine at a time; may be nil.
	Say func(format string, args ...any)
}

// Loot is what came of an attack.
type Loot struct {
	Tried, Answered, Refused int
	Cut                      int           // calls ended by the other side
	Talk                     time.Duration // of all calls together
	Refusals                 map[string]int
	Cuts                     map[string]int // by the text of the Reason
}

// ErrTooWild says that an attack was planned beyond this tool's bounds or against another machine.
var ErrTooWild = errors.New("the attack drill runs against loopback only, with at most 10,000 calls, 200 of them concurrent, for at most an hour")

// Attack places call after call, as a thief does with a stolen login, holds what is answered, and stops when the line is
// refused for good, the plan's calls are used up, or time is up. The calls in progress are then held until they are cut
// or the plan's time ends.
func (p *Phone) Attack(ctx context.Context, plan Plan) (Loot, error) {
	if !p.server.Addr().IsLoopback() || plan.Calls < 1 || plan.Calls > 10_000 || plan.AtOnce < 1 || plan.AtOnce > 200 ||
		plan.Last <= 0 || plan.Last > time.Hour || len(plan.Numbers) == 0 {
		return Loot{}, ErrTooWild
	}
	plan.Refused = cmp.Or(max(plan.Refused, 0), 10)
	if plan.Say == nil {
		plan.Say = func(string, ...any) {}
	}
	ctx, cancel := context.WithTimeout(ctx, plan.Last)
	defer cancel()
	t := &thief{phone: p, plan: plan, loot: Loot{Refusals: map[string]int{}, Cuts: map[string]int{}}}
	var wg sync.WaitGroup
	for range plan.AtOnce {
		wg.Go(func() { t.dial(ctx, &wg) })
	}
	wg.Wait()
	return t.loot, nil
}

type thief struct {
	phone *Phone
	plan  Plan

	mu   sync.Mutex // owns all below
	next int        // attempts begun
	row  int        // refusals in a row
	loot Loot
}

// dial places one call after another; goroutines of their own hold those that are answered.
func (t *thief) dial(ctx context.Context, held *sync.WaitGroup) {
	for ctx.Err() == nil {
		n, ok := t.take()
		if !ok {
			return
		}
		number := t.plan.Numbers[n%len(t.plan.Numbers)]
		call, answer, err := t.phone.Invite(ctx, number, Dialling{})
		switch {
		case err != nil && ctx.Err() != nil:
			return
		case err != nil:
			t.refused(number, err.Error())
		case call == nil:
			t.refused(number, answer.String())
		default:
			t.answered(number)
			held.Go(func() { t.hold(ctx, number, call) })
		}
	}
}

func (t *thief) take() (int, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next >= t.plan.Calls || t.row >= t.plan.Refused {
		return 0, false
	}
	t.next++
	t.loot.Tried++
	return t.next - 1, true
}

// refused counts a refusal and reports each new reason once.
func (t *thief) refused(number, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.row++
	t.loot.Refused++
	t.loot.Refusals[why]++
	if t.loot.Refusals[why] == 1 {
		t.plan.Say("%s refused: %s", number, why)
	}
	if t.row == t.plan.Refused {
		t.plan.Say("%d refusals in a row: giving up on new calls", t.row)
	}
}

func (t *thief) answered(number string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.row = 0
	t.loot.Answered++
	t.plan.Say("%s answered: call %d is up", number, t.loot.Answered)
}

// hold keeps a call up until it is cut or the attack's time is over.
func (t *thief) hold(ctx context.Context, number string, c *Call) {
	select {
	case <-c.Done():
	case <-ctx.Done():
		end, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		_ = c.Hangup(end)
		done()
	}
	end := c.End()
	talked := end.At.Sub(c.Began())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.loot.Talk += talked
	if end.Theirs {
		t.loot.Cut++
		t.loot.Cuts[end.Why]++
		t.plan.Say("%s cut after %s: %s", number, talked.Round(100*time.Millisecond), cmp.Or(end.Why, noReason))
	}
}

const noReason = "no reason given"

// Report is the loot in lines, for people.
func (l Loot) Report() []string {
	lines := []string{fmt.Sprintf("tried %d calls: %d answered, %d refused; %d cut by the server; %s of talk",
		l.Tried, l.Answered, l.Refused, l.Cut, l.Talk.Round(100*time.Millisecond))}
	for _, why := range byCount(l.Refusals) {
		lines = append(lines, fmt.Sprintf("%5d × refused: %s", l.Refusals[why], why))
	}
	for _, why := range byCount(l.Cuts) {
		lines = append(lines, fmt.Sprintf("%5d × cut: %s", l.Cuts[why], cmp.Or(why, noReason)))
	}
	return lines
}

func byCount(m map[string]int) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(m[b]-m[a], strings.Compare(a, b)) })
}
