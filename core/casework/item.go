package casework

import (
	"fmt"
	"path"
	"strings"
	"time"
	"unicode"

	"ringfence/core/money"
	"ringfence/core/person"
)

// Kind is what an item of a case is.
type Kind string

// Kinds.
const (
	Note     Kind = "note"     // staff write for themselves
	Message  Kind = "message"  // between the customer and the desk: both see it
	Task     Kind = "task"     // somebody is to do something
	Evidence Kind = "evidence" // the customer says or shows something, which must be answered
	Decision Kind = "decision" // about calls, or money back
)

// What a decision does. Upheld, Owed and Goodwill of Dispute are about calls; Refund is about a sum.
const Refund = "refund"

// CostPrice is what a decision does that brings the calls which are owed down to cost price.
const CostPrice = "cost-price"

// Grant is what a decision does that passes on to the customer what a carrier granted.
const Grant = "grant"

// How an item ended.
const (
	Done     = "done"     // a task
	Dropped  = "dropped"  // a task that is not needed
	Accepted = "accepted" // evidence that speaks for the customer
	Rejected = "rejected" // evidence that does not
	Made     = "made"     // a decision that is in force
	Refused  = "refused"  // a decision that the second person did not agree to
)

// File is what came with evidence. It is never shown, only handed out.
type File struct {
	Code string `json:"code,omitempty"` // under which the store keeps it
	Name string `json:"name,omitempty"` // as the sender called it: see FileName
	Size int64  `json:"size,omitempty"`
	Hash string `json:"sha256,omitempty"`
}

// Item is one thing in a case. It begins, and all but notes and messages end.
type Item struct {
	Case    int64
	N       int64 // within the case: 1, 2, …
	Kind    Kind
	At      time.Time
	By      string
	Theirs  bool // one of the customer's people wrote it
	Text    string
	Due     time.Time // of a task
	Owner   string    // of a task
	File    File      // of evidence
	What    string    // of a decision: Refund, or the state that calls get
	Amount  money.Micro
	Calls   int64 // of a decision: how many it is about
	Ended   time.Time
	EndedBy string
	How     string
	Answer  string
	Version int64 // the store's: counts the writes
}

// Shared says that the customer sees it. A decision is theirs to see once it is in force.
func (i *Item) Shared() bool {
	return i.Kind == Message || i.Kind == Evidence || i.Kind == Decision && i.How == Made
}

// Waits says that it has not ended.
func (i *Item) Waits() bool {
	return i.Kind != Note && i.Kind != Message && i.Ended.IsZero()
}

// End ends an item.
func (i *Item) End(how, answer, by string, now time.Time) error {
	if !i.Waits() {
		return fmt.Errorf("%s %d has ended: %w", i.Kind, i.N, ErrStep)
	}
	if i.Kind == Evidence && strings.TrimSpace(answer) == "" {
		return fmt.Errorf("evidence %d needs an answer with its reason: %w", i.N, ErrStep)
	}
	if !i.ends(how) {
		return fmt.Errorf("%s %d cannot be %q: %w", i.Kind, i.N, how, ErrStep)
	}
	i.Ended, i.EndedBy, i.How, i.Answer = now, by, how, Cut(answer, MaxText)
	return nil
}

func (i *Item) ends(how string) bool {
	switch i.Kind {
	case Task:
		return how == Done || how == Dropped
	case Evidence:
		return how == Accepted || how == Rejected
	case Decision:
		return how == Made || how == Refused
	}
	return false
}

// Second lets a second person agree to a decision, or refuse it. Who proposed it may take it back, and never agree to it.
func (i *Item) Second(agree bool, why, by string, now time.Time) error {
	switch {
	case i.Kind != Decision:
		return fmt.Errorf("%s %d needs no second person: %w", i.Kind, i.N, ErrStep)
	case agree && person.Same(by, i.By):
		return fmt.Errorf("decision %d is your own: a second person must agree to it: %w", i.N, ErrStep)
	case agree:
		return i.End(Made, why, by, now)
	}
	return i.End(Refused, why, by, now)
}

// Alone is what was given to the customer of a case by decisions of one person each. Many small ones count together, so that nobody passes
// the limit in steps.
func Alone(items []Item) (sum money.Micro) {
	for n := range items {
		if i := &items[n]; i.Kind == Decision && i.How == Made && person.Same(i.EndedBy, i.By) && gives(i.What) {
			sum = sum.Add(i.Amount)
		}
	}
	return sum
}

// NeedsSecond says that a decision is above what one person may give away in a case. A decision against the customer costs the
// provider nothing.
func NeedsSecond(i *Item, alone, limit money.Micro) bool {
	return gives(i.What) && alone.Add(i.Amount) > limit
}

func gives(what string) bool {
	return what == Refund || what == CostPrice || what == Grant || Dispute(what).Free()
}

// FileName is a sender's name of a file, made safe to hand out again: its last part, without control and direction characters, quotes
// and separators.
func FileName(name string) string {
	name = path.Base(strings.ReplaceAll(strings.ToValidUTF8(name, ""), `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`"<>|:*?/;%`, r) {
			return '_'
		}
		return r
	}, name)
	if name = strings.TrimLeft(Cut(name, MaxName), ". "); name == "" {
		return "file"
	}
	return name
}
