package engine

import (
	"time"

	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/core/policy"
)

// Revive is a call of another process as it goes on in this one: the meter goes on by a clock that outlived the process. One that was
// being set up is over for its parties. True: it is to be written immediately, for a further restart must not take what is held from
// here on for proof that its ends are there.
func Revive(o call.Open, anchor call.Anchor, now time.Time, t Terms) (Call, bool) {
	c := Call{Open: o, Always: o.Class == phone.Emergency.String(), Costs: len(o.Purses) > 0}
	o.Snapshot = nil
	c.Open.Snapshot = nil
	if !o.AnsweredAt.IsZero() {
		c.Open.Quote.Start, c.Open.Cost.Start = o.AnsweredAt, o.AnsweredAt // as Reprice did
		if c.Costs {
			c.Open.PaidFor = c.Open.Quote.Affords(o.Held, o.Longest)
		}
		c.Since = now.Add(-c.talked(anchor, now, t))
	}
	switch o.State {
	case call.Ending:
		return c, false
	case call.Setup:
		c.Ended(End{By: call.System, Reason: policy.NodeLost, Status: policy.NodeLost.SIPStatus(), At: now}, now)
		return c, false
	}
	if o.Unproven != 0 {
		return c, false
	}
	c.Open.Unproven = max(min(c.Open.PaidFor, now.Sub(c.Since)), time.Millisecond)
	return c, true
}

// talked is how long a call of a previous process has been up. The wall clock is asked only when no better one can tell, and is not
// believed when it says less than what must have passed for the last slice to be held.
func (c *Call) talked(anchor call.Anchor, now time.Time, t Terms) time.Duration {
	o := &c.Open
	if talk, ok := o.Anchor.Since(anchor); ok {
		return max(talk, 0)
	}
	first := o.Quote.Affords(o.Quote.Cost(min(t.Slice, o.Longest)), o.Longest)
	least := time.Duration(0)
	if o.PaidFor > first {
		step := time.Duration(max(o.Quote.Price.First, o.Quote.Price.Step)) * time.Second
		least = o.PaidFor - t.Slice - t.Ahead - step
	}
	return max(now.Sub(o.AnsweredAt), least, 0)
}

// Proved says that both ends of a revived call are still there. False: that changes nothing.
func (c *Call) Proved() bool {
	if c.Open.Unproven == 0 || c.Open.State != call.Answered {
		return false
	}
	c.Open.Unproven = 0
	return true
}
