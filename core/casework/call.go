package casework

import (
	"fmt"
	"slices"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
)

// Dispute is how far the dispute about one call is.
type Dispute string

// States of a dispute. The money of the first two is not asked for; it counts in caps and warnings nevertheless.
const (
	Disputed  Dispute = "disputed"  // the customer, or staff for them, says that it is not theirs to pay
	Judged    Dispute = "judged"    // the promises were looked at: there is a verdict, and nobody has decided yet
	Upheld    Dispute = "upheld"    // free: the provider bears it
	Owed      Dispute = "owed"      // the customer owes it
	Goodwill  Dispute = "goodwill"  // the provider bears it without having to
	Withdrawn Dispute = "withdrawn" // the customer says that it was theirs
)

// Disputes lists them.
func Disputes() []Dispute { return []Dispute{Disputed, Judged, Upheld, Owed, Goodwill, Withdrawn} }

// after are the states that may follow one. What was found for the customer stays so. What was found against them may be followed
// by another decision, when something new comes.
var after = map[Dispute][]Dispute{
	Disputed:  {Judged, Upheld, Owed, Goodwill, Withdrawn},
	Judged:    {Judged, Upheld, Owed, Goodwill, Withdrawn},
	Owed:      {Upheld, Goodwill},
	Withdrawn: {Disputed},
}

// Pending says that the dispute is not decided: the call is not collected, nor reminded of.
func (d Dispute) Pending() bool { return d == Disputed || d == Judged }

// Free says that the provider bears the call.
func (d Dispute) Free() bool { return d == Upheld || d == Goodwill }

// Step is one change of a dispute.
type Step struct {
	At    time.Time `json:"at"`
	State Dispute   `json:"state"`
	By    string    `json:"by"`
	Why   string    `json:"why,omitempty"`
}

// CaseCall is one call of a case.
type CaseCall struct {
	Case     int64
	Call     call.ID
	Customer string
	Line     string
	Begun    time.Time
	Retail   money.Micro // as it was charged
	State    Dispute
	Verdict  string // of the judge: "owed", "free" or "undetermined"; "" is none yet
	Why      string // of the verdict, in a few words
	Decision int64  // the number of the item that waits to decide it, 0 is none
	Steps    []Step // oldest first; the first opened the dispute
	Version  int64  // the store's: counts the writes
}

// Dispute opens the dispute about a call.
func (c *CaseCall) Dispute(by, why string, now time.Time) error {
	if c.State == "" {
		c.step(Disputed, by, why, now)
		return nil
	}
	return c.Move(Disputed, by, why, now)
}

// Move brings a dispute into another state.
func (c *CaseCall) Move(to Dispute, by, why string, now time.Time) error {
	if !slices.Contains(after[c.State], to) {
		return fmt.Errorf("call %s is %s and cannot become %s: %w", c.Call, c.State, to, ErrStep)
	}
	c.step(to, by, why, now)
	return nil
}

// Judge notes the verdict of a call. One that is decided keeps its decision, and gets the verdict beside it.
func (c *CaseCall) Judge(verdict, why, by string, now time.Time) {
	c.Verdict, c.Why = verdict, Cut(why, MaxTitle)
	if c.State.Pending() {
		c.step(Judged, by, c.Why, now)
	}
}

// step adds a step. A clock that was set back makes no step earlier than the one before.
func (c *CaseCall) step(to Dispute, by, why string, now time.Time) {
	if n := len(c.Steps); n > 0 && now.Before(c.Steps[n-1].At) {
		now = c.Steps[n-1].At
	}
	c.State = to
	c.Steps = append(slices.Clone(c.Steps), Step{At: now, State: to, By: by, Why: Cut(why, MaxTitle)})
	if n := len(c.Steps); n > maxSteps {
		c.Steps = slices.Delete(c.Steps, 1, n-maxSteps+1)
	}
}

// maxSteps are kept of a call, the first and the newest; the journal has all.
const maxSteps = 20

// VerdictSum is what the calls with one verdict come to; "" is those that were not judged.
type VerdictSum struct {
	Verdict string
	Calls   int64
	Retail  money.Micro
}

// NumberSum is what the calls to one number come to; "" is those whose records are gone.
type NumberSum struct {
	Number, Country string
	Calls           int64
	Retail          money.Micro
	Pending, Free   int64 // how many are still to be decided, and how many were found free
	First, Last     time.Time
}

// Sum is what the calls in one state come to.
type Sum struct {
	State  Dispute
	Calls  int64
	Retail money.Micro
}
