package engine

import (
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/rating"
)

// Ask is talk time asked of a call's purses: as much as a slice, or as they have room for, but no less than the next second costs.
// What each purse is asked for is Amount.
type Ask struct {
	Want money.Micro   // what each purse would hold for the call in all
	Paid time.Duration // talk time that it pays for

	quote   rating.Quote
	held    money.Micro   // already
	paidFor time.Duration // by held
	longest time.Duration
	least   money.Micro // what the next second needs in all
	behind  bool        // more was talked than is paid for
	arrears bool        // of a call that ended: every second more is worth asking for
	tries   int
}

// Answer is the result of a request that the purses refused.
type Answer uint8

// Answers.
const (
	Again  Answer = iota // the ask is smaller now: it is to be put again
	NoRoom               // the purses do not pay for another second
	Unsure               // unknown, because the purses changed too fast
)

// askTries bounds how often a shrinking purse is asked.
const askTries = 4

// Amount is what is asked of each purse.
func (a *Ask) Amount() money.Micro { return a.Want - a.held }

// Least is what each purse would have had to give.
func (a *Ask) Least() money.Micro { return a.least - a.held }

// Refused takes into account that the purses have room for no more than that.
func (a *Ask) Refused(room money.Micro) Answer {
	affordable := a.quote.Affords(a.held.Add(room), a.longest)
	a.tries++
	switch {
	case a.arrears:
		if a.Want = a.quote.Cost(affordable); a.Want <= a.held {
			return NoRoom
		}
	case a.Want > a.least:
		a.Want = max(a.quote.Cost(affordable), a.least)
	case a.behind && affordable > a.paidFor:
		// What was talked while the meter was away is paid as far as the purses go, and there the call ends.
		a.Want = a.quote.Cost(affordable)
		a.least = a.Want
	default:
		return NoRoom
	}
	if a.tries >= askTries {
		return Unsure
	}
	a.Paid = a.quote.Affords(a.Want, a.longest)
	return Again
}

func (c *Call) ask(want, least money.Micro) Ask {
	o := &c.Open
	return Ask{
		Want: want, Paid: o.Quote.Affords(want, o.Longest),
		quote: o.Quote, held: o.Held, paidFor: o.PaidFor, longest: o.Longest, least: least,
	}
}

// First asks for the first slice, before the call is let out. It holds nothing yet.
func (c *Call) First(t Terms) Ask {
	q := &c.Open.Quote
	a := c.ask(q.Cost(min(t.Slice, c.Open.Longest)), q.Cost(time.Nanosecond))
	if !c.Costs {
		a.Paid = c.Open.Longest
	}
	return a
}

// Next asks for the slice that comes now. Usually what is paid for is ahead of the talk; if the meter was away, what was talked
// meanwhile is asked for too.
func (c *Call) Next(now time.Time, t Terms) Ask {
	o := &c.Open
	from := max(o.PaidFor, now.Sub(c.Since))
	least := o.Quote.Cost(from + time.Nanosecond)
	a := c.ask(max(o.Quote.Cost(min(from+t.Slice, o.Longest)), least), least)
	a.behind = from > o.PaidFor
	return a
}

// Take puts down that what was asked for is held.
func (c *Call) Take(a *Ask) { c.Open.Held, c.Open.PaidFor = a.Want, a.Paid }

// Bought puts down that the next slice is held.
func (c *Call) Bought(a *Ask, now time.Time, t Terms) Step {
	c.Take(a)
	c.buying, c.failed, c.asked = false, false, false
	c.setSpent(policy.OK, policy.Figures{})
	return Step{Wake: c.nextLook(now, t)}
}

// NoMore remembers why no more may be held: the call runs to the end of what is paid and is cut there.
func (c *Call) NoMore(reason policy.Reason, f policy.Figures, now time.Time, t Terms) Step {
	c.buying = false
	c.setSpent(reason, f)
	return Step{Wake: c.nextLook(now, t)}
}

// Later tries again in a moment; if that never succeeds the call is cut where its money ends. failed: the store did.
func (c *Call) Later(failed bool, now time.Time) Step {
	c.buying, c.failed = false, c.failed || failed
	at := now.Add(askLater)
	if end := c.Since.Add(c.Open.PaidFor); end.Before(at) {
		at = end
	}
	return Step{Wake: at}
}

// Behind says that more was talked than is paid for.
func (c *Call) Behind(now time.Time) bool { return c.Open.PaidFor < now.Sub(c.Since) }

// Arrears asks for what was talked beyond what is paid for, by a call that a party hung up while the process or its machine was
// away, and that no purse has refused. False: it owes nothing.
func (c *Call) Arrears() (Ask, bool) {
	o := &c.Open
	talked := min(o.End.Talk, o.Longest)
	if !c.Costs || o.End.Status != 200 || talked <= o.PaidFor || c.cut != policy.OK || c.spent != policy.OK ||
		o.End.By != call.Caller && o.End.By != call.Callee {
		return Ask{}, false
	}
	a := c.ask(o.Quote.Cost(talked), 0)
	a.arrears = true
	return a, true
}

// Unsettled says that more was talked than is paid for by a call that ended, and that a slice which would pay for it is being bought or is to be.
func (c *Call) Unsettled() bool {
	o := &c.Open
	_, owes := c.Arrears()
	return owes || c.Costs && c.buying && o.End.Status == 200 && o.PaidFor < min(o.End.Talk, o.Longest)
}
