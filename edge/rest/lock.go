package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
)

// lockCalls says how a lock treats calls in progress.
func lockCalls(in *api.Lock) (account.LockCalls, error) {
	switch {
	case in.Cut && in.KeepCalls:
		return 0, invalid("keep_calls", "true", "either cut or keep_calls, not both")
	case in.Cut:
		return account.CallsCut, nil
	case in.KeepCalls:
		return account.CallsKept, nil
	}
	return account.CallsEnd, nil
}

func (s *Server) lockLine(ctx context.Context, l *book.Line, in *api.LineLock) (out api.Locked, err error) {
	calls, err := lockCalls(&in.Body)
	if err != nil {
		return out, err
	}
	open, missed := s.callsOf(ctx, l.ID()) // those that the lock meets; a moment later they may be gone
	lock := s.d.Book.Lock
	if own(ctx) != "" {
		lock = s.d.Book.LockOwn
	}
	if l, err = lock(ctx, by(ctx), l.ID(), in.Body.Why, calls); err != nil {
		return out, err
	}
	out = api.Locked{Line: lineView(l), Calls: treated(open, l.LockCalls())}
	if missed {
		out.Calls.Text += " Calls on other nodes are treated alike, but could not be counted."
	}
	return out, nil
}

func (s *Server) unlockLine(ctx context.Context, l *book.Line, _ *api.LineID) (out api.Unlocked, err error) {
	was := l.Locked()
	if err := s.mayUnlock(ctx, l); err != nil {
		return out, err
	}
	if was {
		if l, err = s.d.Book.Unlock(ctx, by(ctx), l.ID()); err != nil {
			return out, err
		}
	}
	return api.Unlocked{Line: lineView(l), Opened: was, Blocked: s.blocked(ctx, l)}, nil
}

func (s *Server) lockCustomer(ctx context.Context, c book.CustomerView, in *api.CustomerLock) (out api.CustomerLocked, err error) {
	calls, err := lockCalls(&in.Body)
	if err != nil {
		return out, err
	}
	lock := s.d.Book.LockCustomer
	if own(ctx) != "" {
		lock = s.d.Book.LockOwnCustomer
	}
	n, err := lock(ctx, by(ctx), c.ID, in.Body.Why, calls)
	return api.CustomerLocked{Customer: account.Handle(c.ID), Locked: n, Left: c.Lines - n}, err
}

func (s *Server) unlockCustomer(ctx context.Context, c book.CustomerView, _ *api.CustomerID) (api.CustomerLocked, error) {
	opened, left, err := s.d.Book.UnlockCustomer(ctx, by(ctx), c.ID)
	return api.CustomerLocked{Customer: account.Handle(c.ID), Opened: opened, Left: left}, err
}

// callsOf are the calls in progress that a line makes or takes, on every node; missed says that only this node's are known.
func (s *Server) callsOf(ctx context.Context, line string) (open []call.Open, missed bool) {
	if s.d.Calls != nil {
		for _, c := range s.d.Calls() {
			open = append(open, c.Open)
		}
	}
	if s.d.Others != nil {
		others, err := s.d.Others(ctx)
		if err != nil {
			missed = true
		}
		open = append(open, others...)
	}
	mine := open[:0]
	for i := range open {
		if open[i].Line == line {
			mine = append(mine, open[i])
		}
	}
	return mine, missed
}

// costs says that a call draws on purses.
func costs(c *call.Open) bool { return len(c.Purses) > 0 }

// treated counts what a lock does to calls in progress, and says it in words.
func treated(open []call.Open, calls account.LockCalls) api.LockedCalls {
	var n api.LockedCalls
	for i := range open {
		switch c := &open[i]; {
		case !costs(c):
			n.Free++
		case calls == account.CallsKept:
			n.Kept++
		case calls == account.CallsCut || c.State != call.Answered:
			n.Cut++
		default:
			n.Ending++
		}
	}
	var say []string
	add := func(n int, one, many string) {
		switch {
		case n == 1:
			say = append(say, one)
		case n > 1:
			say = append(say, fmt.Sprintf(many, n))
		}
	}
	add(n.Ending, "1 call in progress ends when its paid time ends, within a minute.", "%d calls in progress end when their paid time ends, within a minute.")
	if calls == account.CallsCut {
		add(n.Cut, "1 call in progress is cut at once.", "%d calls in progress are cut at once.")
	} else {
		add(n.Cut, "1 call that is not answered yet ends at once.", "%d calls that are not answered yet end at once.")
	}
	add(n.Kept, "1 call in progress goes on, and may still cost up to the caps.", "%d calls in progress go on, and may still cost up to the caps.")
	add(n.Free, "1 call that costs the line nothing goes on.", "%d calls that cost the line nothing go on.")
	if len(say) == 0 {
		say = []string{"No call is in progress."}
	}
	n.Text = strings.Join(say, " ")
	return n
}

// mayUnlock looks up who locked a line, and refuses what is the provider's to open.
func (s *Server) mayUnlock(ctx context.Context, l *book.Line) error {
	if own(ctx) == "" || !l.Locked() {
		return nil
	}
	var facts []api.Fact
	if s.d.Journal != nil {
		var err error
		if facts, err = s.d.Journal(ctx, JournalQuery{Line: l.ID(), Kind: fact.KindLineLocked, Before: math.MaxInt64, Limit: cooling.LockFacts}); err != nil {
			return err
		}
	}
	lockers := cooling.Lockers(func(yield func(json.RawMessage) bool) {
		for i := range facts {
			if !yield(facts[i].Body) {
				return
			}
		}
	})
	if cooling.MayUnlock(whoAsks(ctx), lockers) {
		return nil
	}
	return newProblem(http.StatusForbidden, api.ReasonNotPermitted, "the provider locked this line; ask support to open it")
}
