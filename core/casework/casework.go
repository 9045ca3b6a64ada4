// Package casework is what a case of fraud is: its state and deadline, the calls in it with the state of each one's dispute, and what
// people wrote, did and decided. It must not know how cases are stored, nor who is let in.
package casework

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrStep says that a case, a call or an item cannot go where somebody wants it. The text around it says why.
var ErrStep = errors.New("that is not the next step")

// State is how far a case is.
type State string

// States.
const (
	Open     State = "open"     // we look into it
	Asked    State = "asked"    // it waits for the customer's answer
	Settling State = "settling" // it is decided what is owed, and not yet agreed or paid
	Closed   State = "closed"
)

// States lists them.
func States() []State { return []State{Open, Asked, Settling, Closed} }

// next are the states that may follow one. A closed case is opened again when something new comes.
var next = map[State][]State{
	Open: {Asked, Settling, Closed}, Asked: {Open, Settling, Closed}, Settling: {Open, Asked, Closed}, Closed: {Open},
}

// Outcome is what a case came to. It is what the rules that led to it learn from.
type Outcome string

// Outcomes.
const (
	Fraud   Outcome = "fraud"   // somebody else made the calls: the alarm was true
	Honest  Outcome = "honest"  // the calls were the customer's own: the alarm was false
	Ours    Outcome = "ours"    // somebody else made the calls, and a promise of ours was broken
	Unclear Outcome = "unclear" // nobody can say: the rules learn nothing
)

// Outcomes lists them.
func Outcomes() []Outcome { return []Outcome{Fraud, Honest, Ours, Unclear} }

// TrueAlarm says whether what raised the case was right. Not known: the outcome does not say.
func (o Outcome) TrueAlarm() (was, known bool) {
	return o == Fraud || o == Ours, o != Unclear && o != ""
}

// Origin is what a case was opened from.
type Origin string

// Origins.
const (
	FromFinding Origin = "finding" // a rule concluded something
	FromReport  Origin = "report"  // the customer reported it
	ByHand      Origin = "hand"
)

// Bounds on what people write, in bytes, and on what a case may hold.
const (
	MaxTitle   = 200
	MaxLinked  = 20 // lines
	MaxText    = 4000
	MaxFile    = 20 << 20
	MaxFiles   = 40        // of the customer's in a case
	MaxAll     = 200 << 20 // of the customer's in a case, together
	MaxItems   = 400       // in a case
	MaxTheirs  = 100       // of those, written by the customer
	MaxCalls   = 50_000    // in a case
	MaxName    = 150       // of a file
	AnswerTime = 10 * 24 * time.Hour
)

// Case is one matter between the provider and a customer.
type Case struct {
	ID       int64 // 1, 2, …
	Customer string
	Line     string // that it is about; "" is all of the customer's
	Title    string
	State    State
	Outcome  Outcome // of a closed one
	Origin   Origin
	Finding  int64  // that it was opened from, or that the report became; 0 is none
	Owner    string // the member of staff who works on it; "" is nobody yet
	By       string // who opened it
	Opened   time.Time
	Deadline time.Time // by which the customer has our answer
	Finished time.Time // when it was closed
	Why      string    // of the outcome
	Hold     bool      // nothing of it may be deleted, whatever its age
	Linked   []string  // lines, by identity, that staff linked to it by hand
	Version  int64     // the store's: counts the writes
}

// Move brings a case into another state. Closing is Close's.
func (c *Case) Move(to State) error {
	if to == Closed || !slices.Contains(next[c.State], to) {
		return fmt.Errorf("case %d is %s and cannot become %s: %w", c.ID, c.State, to, ErrStep)
	}
	if c.State == Closed {
		c.Outcome, c.Finished, c.Why = "", time.Time{}, ""
	}
	c.State = to
	return nil
}

// Close ends a case. Nothing in it may wait: no call in dispute, and no decision for a second person.
func (c *Case) Close(outcome Outcome, why string, disputed, undecided int, now time.Time) error {
	switch {
	case c.State == Closed:
		return fmt.Errorf("case %d is closed: %w", c.ID, ErrStep)
	case !slices.Contains(Outcomes(), outcome):
		return fmt.Errorf("%q is no outcome: %w", outcome, ErrStep)
	case disputed > 0:
		return fmt.Errorf("%d calls of case %d are still in dispute: decide them first: %w", disputed, c.ID, ErrStep)
	case undecided > 0:
		return fmt.Errorf("a decision in case %d waits for a second person: %w", c.ID, ErrStep)
	case strings.TrimSpace(why) == "":
		return fmt.Errorf("an outcome needs a reason: %w", ErrStep)
	}
	c.State, c.Outcome, c.Why, c.Finished = Closed, outcome, Cut(why, MaxText), now
	return nil
}

// Erased says that the customer of a case was erased: it is there so that numbers count on, and has nothing but its own.
func (c *Case) Erased() bool { return c.Customer == "" && c.Title == "" }

// Late says that the deadline has passed while the case is not closed.
func (c *Case) Late(now time.Time) bool {
	return c.State != Closed && !c.Deadline.IsZero() && now.After(c.Deadline)
}

// Cut shortens a text to so many bytes, in whole characters.
func Cut(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}
