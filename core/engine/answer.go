package engine

import (
	"errors"
	"time"

	"ringfence/core/call"
	"ringfence/core/rating"
)

// Errors of an answer.
var (
	ErrGone     = errors.New("the call is not open")
	ErrAnswered = errors.New("the call was answered before")
)

// Reprice prices the call from the moment of its answer: while it rang, a dearer band may have begun. What was held then pays for
// less, and if it does not even pay for the first increment the purses are to be asked: true.
func (c *Call) Reprice(now time.Time) (Ask, bool) {
	o := &c.Open
	o.Quote.Start, o.Cost.Start = now, now
	if !c.Costs {
		return Ask{}, false
	}
	if paid := o.Quote.Affords(o.Held, o.Longest); paid > 0 {
		o.PaidFor = paid
		return Ask{}, false
	}
	least := o.Quote.Cost(time.Nanosecond)
	return c.ask(least, least), true
}

// Answered makes the call one that was answered when it was last priced, through a trunk; "" is the one that was tried. Nothing is
// metered before Heard: the answer must be durable first.
func (c *Call) Answered(trunk string, anchor call.Anchor, snapshot []byte) error {
	o := &c.Open
	switch o.State {
	case call.Answered:
		return ErrAnswered
	case call.Ending:
		return ErrGone
	}
	if trunk != "" {
		o.Trunk = trunk
	}
	o.State, o.AnsweredAt, o.Snapshot = call.Answered, o.Quote.Start, snapshot
	o.Anchor, c.Since = anchor, o.Quote.Start
	return nil
}

// Heard begins to meter: the caller hears the answer only now, and pays from now on. A restart would count from a few milliseconds
// before. False: the call has ended meanwhile.
func (c *Call) Heard(now time.Time, t Terms) (Step, bool) {
	o := &c.Open
	o.Snapshot = nil // with the store now; it is a good part of what a call takes
	if o.State == call.Ending {
		return Step{}, false
	}
	o.AnsweredAt, c.Since = now, now
	o.Quote.Start, o.Cost.Start = now, now
	return Step{Wake: c.nextLook(now, t)}, true
}

// Trying records which route is tried, and what its carrier charges.
func (c *Call) Trying(trunk, bleg string, cost rating.Quote) {
	c.Open.BLeg, c.Open.Cost = bleg, cost
	if trunk != "" {
		c.Open.Trunk = trunk
	}
}
