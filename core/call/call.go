// Package call holds the record of a call: its identity, its state while it lasts, and the one record it leaves.
// It must not know protocols or storage.
package call

import (
	"time"

	"ringfence/core/money"
	"ringfence/core/rating"
)

// ID names one call across both legs, the ledger, the journal and the record. 26 characters, sorts by time of birth.
type ID string

// Direction says who called whom.
type Direction string

// Directions.
const (
	Out     Direction = "out"     // line to trunk
	In      Direction = "in"      // trunk to line
	Between Direction = "between" // line to line
)

// Cause says what made a call that nobody dialled. Its line pays for it, as for any other.
type Cause string

// Causes.
const (
	Dialled            Cause = ""                    // somebody dialled it
	ForwardAlways      Cause = "forward-always"      // its line forwards every call,
	ForwardBusy        Cause = "forward-busy"        // those that find it busy,
	ForwardNoAnswer    Cause = "forward-no-answer"   // those that nobody answers,
	ForwardUnreachable Cause = "forward-unreachable" // or those that find no phone of it
	Redirected         Cause = "redirect"            // its phone answered a call with 302
	Transferred        Cause = "transfer"            // its phone sent the other party of a call on
)

// Forwards says that the settings of a line made the call, and none of its phones.
func (c Cause) Forwards() bool {
	return c == ForwardAlways || c == ForwardBusy || c == ForwardNoAnswer || c == ForwardUnreachable
}

// ParseCause reads one; "" is a call that was dialled.
func ParseCause(text string) (Cause, bool) {
	for _, c := range [...]Cause{Dialled, ForwardAlways, ForwardBusy, ForwardNoAnswer, ForwardUnreachable, Redirected, Transferred} {
		if string(c) == text {
			return c, true
		}
	}
	return Dialled, false
}

// State of an open call.
type State string

// States.
const (
	Setup    State = "setup"    // money held, not answered
	Answered State = "answered" // metering
	Ending   State = "ending"   // over for both parties, but a leg may still be up: its money stays held until it is known to be over
)

// Party says who ended a call.
type Party string

// Parties.
const (
	Caller   Party = "caller"
	Callee   Party = "callee"
	System   Party = "system" // cut-off, expiry, failure
	Operator Party = "operator"
)

// Anchor fixes an instant on clocks that outlive the process and cannot be set: the machine's since its boot, and the
// store's. The zero Anchor fixes nothing.
type Anchor struct {
	Boot   string        // identity of the machine's boot
	Uptime time.Duration // since that boot
	Store  time.Time     // by the store's clock, which every node reads
}

// Since is the time from an anchor to another of now, by the clock that is least likely to have been set between: the
// machine's if it has not been started again, else the store's. False: neither can tell.
func (a Anchor) Since(now Anchor) (time.Duration, bool) {
	switch {
	case a.Boot != "" && a.Boot == now.Boot:
		return now.Uptime - a.Uptime, true
	case !a.Store.IsZero() && !now.Store.IsZero():
		return now.Store.Sub(a.Store), true
	}
	return 0, false
}

// Of is an instant of this process fixed as a, the anchor of now, is; nil for none.
func (a Anchor) Of(t, now time.Time) *Anchor {
	if t.IsZero() {
		return nil
	}
	ago := now.Sub(t)
	a.Uptime -= ago
	if !a.Store.IsZero() {
		a.Store = a.Store.Add(-ago)
	}
	return &a
}

// Instant is when something was that a process has fixed; a is the anchor of now.
func (a Anchor) Instant(fixed *Anchor, now time.Time) time.Time {
	if fixed == nil {
		return time.Time{}
	}
	ago, _ := fixed.Since(a)
	return now.Add(-max(ago, 0))
}

// ByOurClock makes the answer of another node's call an instant of this node's clock, of which now and wall are the present: theirs may
// differ by minutes, so how long it is up is measured by the clock that both have in common.
func (o *Open) ByOurClock(now Anchor, wall time.Time) {
	if talk, ok := o.Anchor.Since(now); ok && !o.AnsweredAt.IsZero() {
		o.AnsweredAt = wall.Add(-max(talk, 0))
	}
}

// End is how a call ended for its parties.
type End struct {
	At     time.Time     // when the first BYE was sent or the call was given up: nothing is charged after it
	Talk   time.Duration // until then, from the answer; 0 if the caller never heard one. The least that is certain
	Doubt  time.Duration // how much longer it may have been: the carrier may charge for that too
	By     Party
	Reason string // policy.Reason code
	Text   string // the same in words, with figures
	Status int    // SIP status of the final answer to the caller
}

// Open is a call in progress as the ledger remembers it; everything needed to carry on after a restart.
type Open struct {
	ID        ID
	Node      string
	Lease     time.Time // the call is this node's until then, by the store's clock; set by the store
	Direction Direction
	State     State
	Line      string // who is charged; for In the line called
	Account   string
	Peer      string // the other line of Between; the trunk of In
	Trunk     string // the route in use, once known
	Dialled   string
	Number    string // E.164 with '+', or the short number
	Class     string
	Country   string
	ALeg      string // SIP Call-ID of the caller's leg
	BLeg      string // and of the leg to the carrier in use
	Source    string // address:port of the phone
	UserAgent string
	Cause     Cause         // what made it, if nobody dialled it,
	Parent    ID            // and the call that it sends on
	Cost      rating.Quote  // the carrier's, for the route in use; zero Price when the trunk has no deck
	Quote     rating.Quote  // retail
	Purses    []string      // ids of the purses that hold money for it
	Held      money.Micro   // in each of Purses
	PaidFor   time.Duration // talk time that Held pays for
	// Unproven is the talk time, as far as it was paid for, when a process took the call over from another and could not know whether
	// its ends were still there; 0 once both have said so. If they turn out to have left, no more than that is charged.
	Unproven   time.Duration
	Longest    time.Duration // limit of talk time
	Begun      time.Time     // INVITE accepted
	Ringing    time.Time
	AnsweredAt time.Time
	Anchor     Anchor // the instant of AnsweredAt
	End        End    // Ending
	Snapshot   []byte // the edge's own, opaque: dialogs of both legs. An update without one leaves the one that is stored
}

// CDR is the one record a call leaves. Durations are exact; prices as charged.
type CDR struct {
	ID         ID            `json:"id"`
	Direction  Direction     `json:"direction"`
	Line       string        `json:"line"`
	Account    string        `json:"account"`
	Peer       string        `json:"peer,omitempty"`
	Trunk      string        `json:"trunk,omitempty"`
	Dialled    string        `json:"dialled"`
	Number     string        `json:"number"`
	Class      string        `json:"class"`
	Country    string        `json:"country"`
	Rate       string        `json:"destination"` // the deck row's name
	Prefix     string        `json:"prefix"`
	PerMinute  money.Rate    `json:"per_minute_nano"` // at the start
	Source     string        `json:"source"`
	UserAgent  string        `json:"user_agent,omitempty"`
	ALeg       string        `json:"a_call_id"` // SIP Call-IDs
	BLeg       string        `json:"b_call_id,omitempty"`
	Begun      time.Time     `json:"begun"`
	AnsweredAt time.Time     `json:"answered,omitzero"`
	Ended      time.Time     `json:"ended"`
	Ring       time.Duration `json:"ring_ns"`
	Talk       time.Duration `json:"talk_ns"`
	Retail     money.Micro   `json:"retail_micro"`
	Cost       money.Micro   `json:"cost_micro"`
	// CarrierTalk is how long the carrier may charge for: from the callee's answer until its leg was known to be over. Cost is
	// the price of that, and of further legs that were answered, and may exceed what Talk would cost.
	CarrierTalk time.Duration `json:"carrier_talk_ns"`
	By          Party         `json:"ended_by"`
	Reason      string        `json:"reason"` // policy.Reason code
	Text        string        `json:"text"`   // the same in words, with figures
	Status      int           `json:"sip_status"`
	Refused     bool          `json:"refused"` // never connected: it rang no phone and holds no money
	// Unconfirmed: the call is over and costs nothing more, but a phone has yet to confirm it. Such a record is not stored yet.
	Unconfirmed bool `json:"unconfirmed,omitempty"`
	// Cause is what made the call if nobody dialled it, and Parent the call that it sent on.
	Cause  Cause `json:"cause,omitempty"`
	Parent ID    `json:"parent,omitempty"`
}

// Outcome is what came of a call, in one of three ways.
type Outcome string

// Outcomes.
const (
	Talked  Outcome = "talked"  // somebody answered
	Missed  Outcome = "missed"  // it went out, or in, and nobody answered
	Refused Outcome = "refused" // it was not let through
)

// Outcome says which.
func (c *CDR) Outcome() Outcome {
	switch {
	case c.Refused:
		return Refused
	case c.Talk > 0:
		return Talked
	}
	return Missed
}
