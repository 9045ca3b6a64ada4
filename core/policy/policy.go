// Package policy decides whether a call may be made: purely, with reasons, figures and the conditions that must still
// hold at the instant of connection. It must not know time (now is an argument), storage or protocols.
package policy

import (
	"net/netip"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/restrict"
)

// Facts is what is known about the line at this moment, beside its settings.
type Facts struct {
	Locked   bool           // outbound closed; emergency goes on
	Inactive bool           // unknown or removed line
	Tight    bool           // its login is on probation: see Probation
	Trusted  bool           // a person has confirmed a call to this number a short while ago
	Mute     bool           // there is no voice here that could ask for a confirmation
	Zone     *time.Location // of the customer, by whose clocks restrictions have hours; nil is UTC
}

// Attempt is a call that someone wants to make, already understood as far as it could be.
type Attempt struct {
	Dest    phone.Destination
	Invalid phone.Problem  // non-zero: the digits did not normalise; Dest is zero
	Source  netip.Addr     // the phone's; invalid for a question without a phone, which passes where there is no IP lock
	From    restrict.From  // where the phone is, and what it is; zero is not known
	Free    bool           // the number is in a block that the regulator's table says is unallocated
	Quote   *rating.Quote  // nil: the destination has no price. A line of our own (OnNet) has one too, of zero
	Silence rating.Silence // why the tariff has no price, when Quote is nil
	// Forwarded: the line's own settings make the call, and none of its phones, so that there is no address to ask an IP lock about.
	Forwarded bool
	SentOn    bool             // nobody has dialled it, so that there is nobody to ask
	Listed    *restrict.Listed // the entry of a hot list that names the destination; nil: none does
	// Unverified: the call asks to present a number that is not verified as the customer's, and the provider refuses such calls.
	Unverified bool
	// PresentedListed is the entry of a hot list which says that nobody calls from a number that the call would present; nil: none does.
	PresentedListed *restrict.Listed
}

// ConditionKind is one kind of atomic check at the instant of connection.
type ConditionKind uint8

// Condition kinds, in the order in which gate takes them.
const (
	CondNone       ConditionKind = iota
	CondRate                     // fewer than Limit attempts in Window
	CondOpen                     // fewer than Limit open calls of the line
	CondOpenAbroad               // fewer than Limit open international calls of the line
	CondOpenTight                // fewer than Limit open calls of the login on probation
	CondPurse                    // spent + held + what is asked ≤ Limit in the purse Purse
)

// Purse says which purse a CondPurse speaks of.
type Purse uint8

// ProbationCalls is how many concurrent calls a login on probation may have: one from a new place, while somebody guesses its line's
// password (flow/guard). The line's own limit applies as well.
const ProbationCalls = 2

// ProbationCap is what it may spend in all, over the day that probation lasts.
func ProbationCap() money.Micro { return money.Billing().Sum(2) }

// Purses: each limits one owner over one period, in the customer's time zone.
const (
	LineDay Purse = iota
	LineMonth
	AccountDay
	AccountMonth
	Probation   // of a login at a new place, for its one day
	ResellerDay // what the customers of a reseller spend together, in the reseller's time zone
	ResellerMonth
	NumPurses
)

// Condition must still hold when the call is connected; Reason is the refusal if it does not.
type Condition struct {
	Kind   ConditionKind
	Purse  Purse
	Limit  int64 // count, or money.Micro for CondPurse
	Window time.Duration
	Reason Reason
	// Closing is the restriction that makes Limit less than what the settings say, or nil.
	Closing *restrict.Restriction
}

// MaxConditions bounds a verdict, so that it is a plain value and costs no allocation.
const MaxConditions = 12

// Verdict is a decision. Allowed() with conditions to take, or a refusal with its reason and figures.
type Verdict struct {
	Reason     Reason // OK when allowed
	Figures    Figures
	Conditions [MaxConditions]Condition
	N          int           // conditions in use
	Longest    time.Duration // limit of talk time; 0 is none, which only an emergency call has
	Always     bool          // emergency: connect whatever fails from here on
	// Ask is the restriction by which a person must confirm the call before it goes on; nil: none.
	Ask *restrict.Restriction
}

// Allowed says that the call may go, once its conditions are taken.
func (v *Verdict) Allowed() bool { return v.Reason == OK }

// Figures are the numbers behind a reason; what they count is a property of the reason (Unit).
// Limit is what the rule allows, Value what the attempt has, Pass what would have passed (0: nothing would).
type Figures struct {
	Limit, Value, Pass int64
	Waiting            Waiting // amounts only: the part of Value that may soon be free again
	List               string  // of a refusal by a hot list: its name. Value is the range, as digits, and Pass when the entry ends
}

// Waiting is the money of a purse that calls hold on which nobody talks: not answered yet, or over with a leg still to be
// confirmed as ended. The zero Waiting is none.
type Waiting struct {
	Amount          int64 // money.Micro
	Ringing, Ending int64 // how many calls
}

// Step is one rule of an explanation: what `ringfence decide` prints, and what the fraud desk sees.
type Step struct {
	Reason  Reason // the refusal this rule can give; OK for the rule that lets emergency calls pass
	Passed  bool
	Pending bool // a condition, checked only at connection; Figures.Value is the present state if known
	Figures Figures
	From    account.Level // where the setting came from
	Taken   Condition     // of a pending one
}

// Decide judges an attempt. 0 allocations. Rules run in a fixed order and the first that refuses is the verdict;
// an emergency destination is allowed before any other rule.
func Decide(s *account.Effective, f Facts, a Attempt, now time.Time) Verdict {
	if emergency(&a) {
		return Verdict{Always: true}
	}
	for i := range rules {
		if out, fig := rules[i].judge(s, f, &a, now); out == refused {
			return Verdict{Reason: rules[i].reason, Figures: fig}
		}
	}
	v := Verdict{Longest: time.Duration(s.Values[account.LongestCall]) * time.Second}
	if len(s.Restrictions) > 0 {
		v.Ask = question(s, f, &a, now)
	}
	for i := range conditions {
		if conditions[i].applies(s, f, &a) {
			v.Conditions[v.N] = conditions[i].state(s, f, &a, now)
			v.N++
		}
	}
	return v
}

// Explain runs every rule of the same table and returns each step with the verdict Decide gives. Rules that do not
// apply to the attempt (the national ceiling of a call abroad, the price of a number that is none) are left out; the
// conditions are listed also for a refused call, so that a reader sees what would come next.
func Explain(s *account.Effective, f Facts, a Attempt, now time.Time) (Verdict, []Step) {
	v := Decide(s, f, a, now)
	if emergency(&a) {
		return v, []Step{{Reason: OK, Passed: true}}
	}
	steps := make([]Step, 0, len(rules)+len(conditions))
	for i := range rules {
		r := &rules[i]
		if out, fig := r.judge(s, f, &a, now); out != skipped {
			steps = append(steps, Step{Reason: r.reason, Passed: out == passed, Figures: fig, From: r.from(s)})
		}
	}
	for i := range conditions {
		c := &conditions[i]
		if c.applies(s, f, &a) {
			t := c.state(s, f, &a, now)
			steps = append(steps, Step{Reason: t.Reason, Passed: true, Pending: true, Figures: Figures{Limit: t.Limit}, From: c.from(s), Taken: t})
		}
	}
	return v, steps
}
