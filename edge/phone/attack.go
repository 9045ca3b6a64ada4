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

// Plan is what an attack tries, and its limits.
type Plan struct {
	Numbers []string      // called in turn
	Calls   int           // attempts in all, at most 10,000
	AtOnce  int           // concurrent attempts, at most 200
	Refused int           // stop after this many consecutive refusals; 0 is 10
	Last    time.Duration // the duration of the attack; calls in progress are then hung up
	// Say reports each event in a line, from one goroutine at a time; may be nil.
	Say func(format string, args ...any)
}

// Loot is the result of an attack.
type Loot struct {
	Tried, Answered, Refused int
	Cut                      int           // calls ended by the other side
	Talk                     time.Duration // of all calls together
	Refusals                 map[string]int
	Cuts                     map[string]int // by the text of the Reason
}

// ErrTooWild says that an attack was planned beyond this tool's limits or against another machine.
var ErrTooWild = errors.New("the attack drill runs against loopback only, with at most 10,000 calls, 200 of them concurrent, for at most an hour")

// Attack makes one call after the other, as an attacker with a stolen login does, and keeps each answered call up. It stops when the
// line is refused too often in a row, when the plan's calls are used up, or when its time ends. Calls in progress are then kept up
// until they are cut or the plan's time ends.
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
	a := &attacker{phone: p, plan: plan, loot: Loot{Refusals: map[string]int{}, Cuts: map[string]int{}}}
	var wg sync.WaitGroup
	for range plan.AtOnce {
		wg.Go(func() { a.dial(ctx, &wg) })
	}
	wg.Wait()
	return a.loot, nil
}

type attacker struct {
	phone *Phone
	plan  Plan

	mu   sync.Mutex // owns all below
	next int        // attempts begun
	row  int        // consecutive refusals
	loot Loot
}

// dial makes one call after another; answered calls are held by goroutines of their own.
func (a *attacker) dial(ctx context.Context, held *sync.WaitGroup) {
	for ctx.Err() == nil {
		n, ok := a.take()
		if !ok {
			return
		}
		number := a.plan.Numbers[n%len(a.plan.Numbers)]
		call, answer, err := a.phone.Invite(ctx, number, Dialling{})
		switch {
		case err != nil && ctx.Err() != nil:
			return
		case err != nil:
			a.refused(number, err.Error())
		case call == nil:
			a.refused(number, answer.String())
		default:
			a.answered(number)
			held.Go(func() { a.hold(ctx, number, call) })
		}
	}
}

func (a *attacker) take() (int, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next >= a.plan.Calls || a.row >= a.plan.Refused {
		return 0, false
	}
	a.next++
	a.loot.Tried++
	return a.next - 1, true
}

// refused counts a refusal and reports each new reason once.
func (a *attacker) refused(number, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.row++
	a.loot.Refused++
	a.loot.Refusals[reason]++
	if a.loot.Refusals[reason] == 1 {
		a.plan.Say("%s refused: %s", number, reason)
	}
	if a.row == a.plan.Refused {
		a.plan.Say("%d consecutive refusals: making no more calls", a.row)
	}
}

func (a *attacker) answered(number string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.row = 0
	a.loot.Answered++
	a.plan.Say("%s answered: call %d is up", number, a.loot.Answered)
}

// hold keeps a call up until it is cut or the attack's time is over.
func (a *attacker) hold(ctx context.Context, number string, c *Call) {
	select {
	case <-c.Done():
	case <-ctx.Done():
		end, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		_ = c.Hangup(end)
		done()
	}
	end := c.End()
	talked := end.At.Sub(c.Began())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loot.Talk += talked
	if end.Theirs {
		a.loot.Cut++
		a.loot.Cuts[end.Why]++
		a.plan.Say("%s cut after %s: %s", number, talked.Round(100*time.Millisecond), cmp.Or(end.Why, noReason))
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
