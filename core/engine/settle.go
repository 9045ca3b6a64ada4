package engine

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/rating"
)

// End is how a call ended, as the edge saw it.
type End struct {
	By     call.Party
	Reason policy.Reason
	Status int            // SIP status of the final answer to the caller: 200 if it was answered, and only then is it charged
	At     time.Time      // with its monotonic reading when the edge has one
	From   netip.AddrPort // where the end came from, when its party is not expected there
	// Doubt is for how long before At the party that hung up may have been saying so: it is the first that is heard of it since a process took
	// the call over from another, or stood still. 0: At is when it said so.
	Doubt time.Duration
}

// Leg is a route that was answered, or that did not confirm its end, as the edge knows it when everything of the call is over.
type Leg struct {
	Trunk    string        // "" is a phone of ours
	CallID   string        // SIP Call-ID
	Tag      string        // its party's, of several that were answered under one Call-ID
	Answered time.Time     // when its 200 came; zero: before a restart
	Talk     time.Duration // from its 200 to our first BYE or its own; 0 before a restart
	Beyond   time.Duration // from then until it was known to be over: the carrier may charge for it
	Waited   time.Duration // for how long its 200 may have waited to be read: that too
	OverAt   time.Time     // when that was
	Joined   bool          // the caller was joined with it
	Refused  int           // SIP status of the last answer to a BYE that was never confirmed, 408 for none; 0: it was confirmed
}

// Ended fixes how the call ended for its parties, and says why. A call that was cut ended for that.
func (c *Call) Ended(e End, now time.Time) policy.Reason {
	o := &c.Open
	var figures policy.Figures
	if c.cut != policy.OK && e.Doubt == 0 { // else the party came first
		e.Reason, e.By, figures = c.cut, cutter(c.cut), c.figures
	}
	if e.At.IsZero() || e.At.Before(o.Begun) {
		e.At = now
	}
	end := call.End{At: e.At, By: e.By, Reason: e.Reason.Code(), Text: e.Reason.Text(figures), Status: e.Status}
	if o.State == call.Answered && e.Status == 200 { // otherwise the caller never heard an answer
		talk := max(e.At.Sub(c.Since), 0)
		end.Talk = talk
		switch {
		case o.Unproven != 0 && e.Reason == policy.PeerGone: // it was gone when it was first asked after the restart: when it hung up, no process was there to receive it
			end.Talk = min(talk, o.Unproven)
		case e.Doubt > 0: // it may have repeated its BYE while no process was there; an answer costs at least its connection
			end.Talk = min(talk, max(o.Unproven, talk-e.Doubt, time.Millisecond))
		}
		end.Doubt = talk - end.Talk
	}
	o.State, o.End = call.Ending, end
	return e.Reason
}

func cutter(reason policy.Reason) call.Party {
	if reason == policy.CutByStaff || reason == policy.CutByOwner {
		return call.Operator
	}
	return call.System
}

// Bill is what a call that ended costs.
type Bill struct {
	Talk        time.Duration // charged for
	Retail      money.Micro
	CarrierTalk time.Duration
	Cost        money.Micro
	late        *Leg // the leg whose answer the caller never heard, when it is charged
}

// Bill rates a call that ended. Talk is billed only as far as it was paid ahead, so that the price never exceeds what is held,
// however late the end became known. cost is what a trunk charges for the call on routes other than the last one tried.
func (c *Call) Bill(legs []Leg, t Terms, cost func(trunk string) rating.Quote) (b Bill) {
	o := &c.Open
	switch late := LateAnswer(o, legs); {
	case o.End.Status == 200 && !o.AnsweredAt.IsZero():
		b.Talk = min(o.End.Talk, o.PaidFor, o.Longest)
		b.Retail = min(o.Quote.Cost(b.Talk), o.Held)
	case late != nil:
		c.billLate(&b, late, t)
	}
	for i := range legs {
		talk := c.carried(&legs[i])
		if talk <= 0 || legs[i].CallID == o.ALeg || legs[i].Trunk == "" {
			continue // a phone charges for nothing
		}
		q := o.Cost // fixed when the leg was tried if it is the call's own
		if legs[i].CallID != o.BLeg || o.BLeg == "" {
			q = cost(legs[i].Trunk)
		}
		b.CarrierTalk += talk
		b.Cost = b.Cost.Add(carrierCost(&q, talk))
	}
	if len(legs) == 0 && b.Talk > 0 { // the end of the leg was not seen: it counts as having ended with the talk
		b.CarrierTalk = o.End.Talk + o.End.Doubt
		b.Cost = carrierCost(&o.Cost, b.CarrierTalk)
	}
	return b
}

// Merge adds to the legs of a call what another node has heard of them: answers that are not known here, and when they were over if that was earlier.
func Merge(legs, heard []Leg) []Leg {
	for _, h := range heard {
		at := slices.IndexFunc(legs, func(g Leg) bool { return g.CallID == h.CallID && g.Tag == h.Tag })
		if at < 0 {
			if !h.Answered.IsZero() {
				legs = append(legs, h)
			}
			continue
		}
		g := &legs[at]
		if !g.Joined && g.Talk == 0 && !h.Answered.IsZero() { // here it was known at most that it was up when it was hung up
			*g, h = h, *g
		}
		if h.OverAt.IsZero() || !g.OverAt.IsZero() && (h.Refused != 0 || g.Refused == 0 && !h.OverAt.Before(g.OverAt)) {
			continue
		}
		if !g.Answered.IsZero() {
			was := g.OverAt
			if was.IsZero() {
				was = g.Answered.Add(g.Talk + g.Beyond)
			}
			g.Beyond += h.OverAt.Sub(was)
		}
		g.OverAt, g.Refused = h.OverAt, h.Refused
	}
	return legs
}

// carried is how long the carrier of a leg may charge for; 0: it was never answered.
func (c *Call) carried(g *Leg) time.Duration {
	end := &c.Open.End
	switch {
	case g.Joined && g.Answered.IsZero() && end.By == call.Callee && end.Reason == policy.Hangup.Code() && end.Status == 200:
		return end.Talk + end.Doubt // its own BYE came before the restart: however long a BYE of ours went unanswered since, it was over
	case g.Joined && end.By == call.Callee && end.Status == 200: // its own BYE ended it
		return end.Talk + end.Doubt + g.Waited // and not until it answers a BYE of a later process, which knows less
	case !g.Answered.IsZero():
		return max(g.Talk+g.Beyond+g.Waited, time.Nanosecond) // an answer costs at least its connection
	case g.Joined && !g.OverAt.IsZero(): // of a previous process: only the books know since when
		return max(g.OverAt.Sub(c.Since), end.Talk+end.Doubt)
	case g.Joined:
		return end.Talk + end.Doubt
	}
	return 0
}

// LateAnswer is the leg that was answered although the caller never heard of it, or nil. Of several the first counts.
func LateAnswer(o *call.Open, legs []Leg) *Leg {
	if o.End.Status == 200 {
		return nil
	}
	for i := range legs {
		if !legs[i].Answered.IsZero() {
			return &legs[i]
		}
	}
	return nil
}

// billLate books an answer that came while the call was being given up. An answer is an answer: the carrier charges for it, so it
// costs what any call of that length costs, unless the provider waives that.
func (c *Call) billLate(b *Bill, leg *Leg, t Terms) {
	o := &c.Open
	b.late, b.Talk = leg, max(leg.Talk, time.Millisecond)
	if t.WaiveLate {
		return
	}
	quote := o.Quote
	quote.Start = leg.Answered
	if c.Costs { // as any talk, it is billed only as far as it is paid
		b.Talk = min(b.Talk, max(quote.Affords(o.Held, o.Longest), time.Millisecond))
	}
	b.Retail = min(quote.Cost(b.Talk), o.Held)
}

// Record is the one record that a call leaves.
func (c *Call) Record(b *Bill) call.CDR {
	o := &c.Open
	r := call.CDR{
		ID: o.ID, Direction: o.Direction, Line: o.Line, Account: o.Account, Peer: o.Peer, Trunk: o.Trunk,
		Dialled: o.Dialled, Number: o.Number, Class: o.Class, Country: o.Country,
		Rate: o.Quote.Price.Name, Prefix: prefixText(&o.Quote.Price, o.Number), PerMinute: PerMinute(&o.Quote),
		Source: o.Source, UserAgent: o.UserAgent, ALeg: o.ALeg, BLeg: o.BLeg, Cause: o.Cause, Parent: o.Parent,
		Begun: o.Begun, Ended: o.End.At, By: o.End.By, Reason: o.End.Reason, Text: o.End.Text, Status: o.End.Status,
		Ring: since(o.Ringing, o.End.At),
		Talk: b.Talk, Retail: b.Retail, CarrierTalk: b.CarrierTalk, Cost: b.Cost,
	}
	switch leg := b.late; {
	case leg != nil:
		r.AnsweredAt, r.Ring = leg.Answered, since(o.Ringing, leg.Answered)
		r.Trunk, r.BLeg = leg.Trunk, leg.CallID
		if wasGivenUp(o.End.Reason) {
			r.Reason, r.Text = policy.AnsweredLate.Code(), policy.AnsweredLate.Text(policy.Figures{})
		}
	case o.End.Status == 200 && !o.AnsweredAt.IsZero():
		r.AnsweredAt, r.Ring = o.AnsweredAt, since(o.Ringing, o.AnsweredAt)
	}
	return r
}

// wasGivenUp says that a call ended because it was not answered in time, as its record would have said.
func wasGivenUp(code string) bool {
	switch why, _ := policy.ParseReason(code); why {
	case policy.Cancelled, policy.NoAnswer, policy.TrunksFailed, policy.Unknown, policy.Incomplete, policy.Incompatible, policy.Redirected, policy.FarRefused:
		return true
	}
	return false
}

func since(from, until time.Time) time.Duration {
	if from.IsZero() {
		return 0
	}
	return max(until.Sub(from), 0)
}

func carrierCost(q *rating.Quote, talk time.Duration) money.Micro {
	if q.Price.First == 0 { // no deck, no price
		return 0
	}
	return q.Cost(talk)
}

// PerMinute is the rate at the moment from which a call is priced.
func PerMinute(q *rating.Quote) money.Rate { return q.Price.Rates[q.Calendar.Band(q.Start)] }

// prefixText is the prefix of a price in digits; "" is none. It is a part of the number called where that begins so, and takes no memory then.
func prefixText(p *rating.Price, number string) string {
	if p.Prefix == 0 {
		return ""
	}
	var room [20]byte
	prefix := strconv.AppendUint(room[:0], p.Prefix, 10)
	number = strings.TrimPrefix(number, "+")
	if n := len(prefix); n <= len(number) && number[:n] == string(prefix) {
		return number[:n]
	}
	return string(prefix)
}
