// Package engine is the life of a call as its money sees it: what it is asked, how long it may go on, when it is cut and what it
// leaves. A state, an event and the present go in; the next state, what is to be done, the facts, and when to look again come out. It must not
// know clocks, storage, locks or protocols: a shell gives it one event of a call at a time and does what it says.
package engine

import (
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/restrict"
)

// Terms are how calls are metered.
type Terms struct {
	Slice time.Duration // talk time held ahead at a time
	Ahead time.Duration // how long before it runs out the next slice is held
	// WaiveLate: a call that was answered only while it was being given up costs its caller nothing.
	WaiveLate bool
}

// Call is a call in progress. Its owner gives it one event at a time.
type Call struct {
	Open   call.Open
	Since  time.Time // when the talk that counts began, on the monotonic clock; zero until there was an answer
	Always bool      // emergency: never cut for its line, and never charged
	Costs  bool      // purses are asked for it
	Dest   phone.Destination
	From   restrict.From // of its Attempt; zero after a restart

	buying   bool           // the next slice is being asked for
	failed   bool           // the store failed when it was
	asked    bool           // it was asked for after the paid time had ended: the meter had been away
	spent    policy.Reason  // why no more could be held; OK while nothing refused
	cut      policy.Reason  // why the call was told to end; OK if it was not
	lockedAt time.Time      // since when no more is bought because the line is locked; zero: it may be
	told     int            // how often the edge was told to end it
	figures  policy.Figures // of the cut, or else of spent
}

// Step is what a shell does after an event.
type Step struct {
	Buy     bool // ask the purses for what Next says, and return the result
	Cut     bool // tell the edge to hang up, for Why
	First   bool // of Cut: it was not told before
	Why     policy.Reason
	Figures policy.Figures
	Facts   []fact.Row // what the journal is told
	Wake    time.Time  // when the call is to be looked at again; zero: an event comes before that
}

// Times of a call's life that are not the provider's to set.
const (
	lastAsk      = time.Second            // before its end a purse that refused is not asked again
	askLater     = 500 * time.Millisecond // until a purse is asked again that did not answer
	cutAgain     = time.Second            // until the edge is told again to hang up; longer each time
	lastCutAgain = 10 * time.Second
	// lockGrace bounds how long a call may still use what was bought before its line was locked: a slice, but never longer than
	// a minute. A long slice, or a price so low that a slice lasts for hours, would else keep a call of a locked line up.
	lockGrace = time.Minute
)

// Look decides what a call needs at this moment. Times of a running call are monotonic.
func (c *Call) Look(now time.Time, t Terms) Step {
	switch o := &c.Open; {
	case c.cut != policy.OK:
		return c.tell(now)
	case o.State != call.Answered:
		return Step{}
	case !c.lockedAt.IsZero() && now.Sub(c.lockedAt) >= min(t.Slice, lockGrace):
		return c.Cut(policy.CutLocked, c.paidOut(now), "", now)
	case c.buying:
		return Step{}
	}
	switch o, talked := &c.Open, now.Sub(c.Since); {
	case talked >= o.Longest:
		return c.Cut(policy.TooLong, policy.Figures{Limit: int64(o.Longest / time.Second), Value: int64(talked / time.Second)}, "", now)
	case talked >= o.PaidFor && (c.spent != policy.OK || c.failed || c.asked):
		reason, figures := c.whySpent(), c.figures
		if reason == policy.CutLocked {
			figures = c.paidOut(now)
		}
		return c.Cut(reason, figures, "", now)
	case talked >= o.PaidFor: // the meter was away, with its process or machine: if the purses have room the call goes on
		c.asked, c.buying = true, true
		return Step{Buy: true}
	case c.wantsMore(talked, t.Ahead):
		c.buying = true
		return Step{Buy: true}
	}
	return Step{Wake: c.nextLook(now, t)}
}

// whySpent is why a call has come to the end of what is paid.
func (c *Call) whySpent() policy.Reason {
	switch {
	case c.spent != policy.OK:
		return c.spent
	case c.failed:
		return policy.StoreUnavailable
	}
	return policy.NodeLost
}

// setSpent puts down why no more can be held, if the call was not cut: then that is what its figures are of.
func (c *Call) setSpent(reason policy.Reason, f policy.Figures) {
	if c.cut == policy.OK {
		c.spent, c.figures = reason, f
	}
}

// wantsMore says that it is time to hold another slice. Once a purse refused, it is asked again now and then until the
// money ends: another call may have given some back.
func (c *Call) wantsMore(talked, ahead time.Duration) bool {
	left := c.Open.PaidFor - talked
	if c.Open.PaidFor >= c.Open.Longest {
		return false
	}
	return c.spent == policy.OK && left <= ahead || c.spent != policy.OK && left >= lastAsk
}

// nextLook is when the call must be looked at again. One that costs is looked at once in a slice, also when what it has paid lasts for hours (a charge
// for each call, a minimum): a restriction may have come.
func (c *Call) nextLook(now time.Time, t Terms) time.Time {
	end := c.Since.Add(c.Open.PaidFor)
	at := end
	switch left := end.Sub(now); {
	case c.Open.PaidFor >= c.Open.Longest:
	case c.spent == policy.OK:
		at = end.Add(-min(t.Ahead, c.Open.PaidFor))
	case left > 2*lastAsk:
		at = now.Add(left / 2)
	}
	if soon := now.Add(min(t.Slice, lockGrace)); c.Costs && soon.Before(at) {
		at = soon
	}
	if locked := c.lockedAt.Add(min(t.Slice, lockGrace)); !c.lockedAt.IsZero() && locked.Before(at) {
		at = locked
	}
	return at
}

// paidOut are the figures of a call that ended with its paid time.
func (c *Call) paidOut(now time.Time) policy.Figures {
	return policy.Figures{Limit: max(int64(c.Open.PaidFor/time.Second), 1), Value: int64(now.Sub(c.Since) / time.Second)}
}

// Cut ends a call: the edge is told, again and again until Ended. A second cut changes nothing of the first one's reason. note is who
// asked for it and why, for the journal.
func (c *Call) Cut(reason policy.Reason, f policy.Figures, note string, now time.Time) Step {
	if c.cut != policy.OK || c.Open.State == call.Ending {
		return Step{}
	}
	c.cut, c.figures = reason, f
	s := c.tell(now)
	s.First, s.Facts = true, []fact.Row{c.wasCut(note, now)}
	return s
}

// tell tells the edge, and plans to tell it again: it may not have the call yet, or not any more.
func (c *Call) tell(now time.Time) Step {
	if c.Open.State == call.Ending {
		return Step{}
	}
	c.told++
	return Step{Cut: true, Why: c.cut, Figures: c.figures, Wake: now.Add(min(time.Duration(c.told)*cutAgain, lastCutAgain))}
}

// Cutting says that the call was told to end.
func (c *Call) Cutting() bool { return c.cut != policy.OK }

// Locked says that the call's line lets nothing more be spent: what it has bought lasts to the end of it, a slice at the most. A call
// that has not been answered has used nothing of what is held for it: it ends immediately, as all do if the lock says so, and so never
// begins to cost.
func (c *Call) Locked(atOnce bool, now time.Time, t Terms) Step {
	if atOnce || c.Open.State != call.Answered {
		return c.Cut(policy.CutLocked, policy.Figures{}, "", now)
	}
	if !c.lockedAt.IsZero() {
		return Step{}
	}
	c.lockedAt = now
	return Step{Wake: now.Add(min(t.Slice, lockGrace))}
}

// Restricted refuses to buy more for a call if a restriction of its line, as the settings are now, closes its destination and ends calls in
// progress; else nil.
func (c *Call) Restricted(e *account.Effective, zone *time.Location, now time.Time) *Refusal {
	if len(e.Restrictions) == 0 || !c.Costs {
		return nil
	}
	r := restrict.Closing(e.Restrictions, &restrict.Call{Dest: c.Dest, Price: &c.Open.Quote.Price, From: c.From}, now, zone, true)
	if r == nil {
		return nil
	}
	return &Refusal{policy.CutRestricted, policy.ClosedBy(r)}
}

// Closed ends a call now if a restriction, as Restricted found it, refuses it and it has paid for longer than a slice, or than a minute:
// others end with their paid time, because they may buy no more. False: there is none, or the call is to be looked at as ever.
func (c *Call) Closed(r *Refusal, now time.Time, t Terms) (Step, bool) {
	if r == nil || c.cut != policy.OK || c.Open.State != call.Answered || c.Open.PaidFor-now.Sub(c.Since) <= min(t.Slice, lockGrace)+t.Ahead {
		return Step{}, false
	}
	return c.Cut(r.Reason, r.Figures, "", now), true
}

// Unlocked lets a call buy again: its line was unlocked, or its lock now lets calls go on.
func (c *Call) Unlocked(now time.Time) Step {
	was := !c.lockedAt.IsZero() || c.spent == policy.CutLocked
	c.lockedAt = time.Time{}
	if c.spent == policy.CutLocked {
		c.setSpent(policy.OK, policy.Figures{})
	}
	if !was {
		return Step{}
	}
	return Step{Wake: now}
}
