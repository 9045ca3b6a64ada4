// Package retain says how long what is stored is kept, and what keeps it longer: money that is open, cases, and holds that staff set. It must not know where
// anything is stored, and has no clock.
package retain

import (
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
)

// Kind is a kind of what is kept, each with its own period.
type Kind string

// Kinds.
const (
	Calls    Kind = "calls"    // records of calls
	Journal  Kind = "journal"  // facts about calls, logins, phones and attacks
	Devices  Kind = "devices"  // phones and places that a line was used from
	Notices  Kind = "notices"  // notices with their deliveries and links
	Findings Kind = "findings" // what the rules concluded
	Cases    Kind = "cases"    // closed cases with their files, claims and plans
	Books    Kind = "books"    // bills, payments and credits
	Audit    Kind = "audit"    // facts about who changed what: settings, people, prices, bills, cases
	Archives Kind = "archives" // files of old calls and their facts
)

// Kinds are all of them, in the order in which they are shown.
func Kinds() []Kind {
	return []Kind{Calls, Journal, Devices, Notices, Findings, Cases, Books, Audit, Archives}
}

// OfFact is what a kind of fact counts as. A kind that is not known is kept as long as what people changed.
func OfFact(kind string) Kind {
	switch fact.Noun(kind) {
	case "call", "calls", "slice", "leg", "registration", "login", "device", "ban", "flood", "dialog", "exposure", "finding", "link", "notice", "trace":
		return Journal
	}
	switch kind {
	case fact.KindPersonEntered, fact.KindPersonRefused, fact.KindPersonLeft, fact.KindPersonLink:
		return Journal
	}
	return Audit
}

// Item is one thing that is kept, with what ties it.
type Item struct {
	Kind           Kind
	At             time.Time // from when its period counts
	Since          time.Time // when it began, if that was before; zero: At
	Call           call.ID
	Line, Customer string // identities
	Unbilled       bool   // a call that is on no bill and costs something
	Unpaid         int64  // number of the bill that is not paid yet; 0 is none
	Case           int64  // number of a live case that it is in; 0 is none
	Open           bool   // it is not over by itself: an open finding or case, a notice that is still sent
}

// Hold keeps what it names beyond its period: what fits each of its fields that is set.
type Hold struct {
	ID             int64
	Call           call.ID
	Line, Customer string // identities; a hold of a line or call has its customer too
	From, Until    time.Time
	Case           bool // it is a live case, whose number is ID
}

// Covers says that the hold keeps an item. What explains calls, such as settings and prices, is kept with them, whenever it was written.
func (h *Hold) Covers(it *Item) bool {
	fits := func(held, is string) bool { return held == "" || held == is }
	if it.Kind == Audit {
		return (it.Line == "" || fits(h.Line, it.Line)) && (it.Customer == "" || fits(h.Customer, it.Customer))
	}
	since := it.Since
	if since.IsZero() || since.After(it.At) {
		since = it.At
	}
	return fits(string(h.Call), string(it.Call)) && fits(h.Line, it.Line) && fits(h.Customer, it.Customer) &&
		(h.From.IsZero() || !it.At.Before(h.From)) && (h.Until.IsZero() || since.Before(h.Until))
}

// Why is what keeps an item.
type Why string

// Reasons.
const (
	Expired  Why = ""         // nothing: it may go
	Young    Why = "young"    // its period has not ended
	Unbilled Why = "unbilled" // a call that is on no bill yet
	Unpaid   Why = "unpaid"   // a bill that is not paid
	InCase   Why = "case"     // a case that is not closed, a plan that is not paid, a claim that is not answered
	Open     Why = "open"     // it is not over
	Held     Why = "hold"     // staff hold it

	// Of a customer whose data is to be erased.
	Talking   Why = "in-progress" // calls that are not over
	Balance   Why = "balance"     // money that is owed one way or the other, without a bill
	Reselling Why = "customers"   // a reseller's, who name it
)

// Rules are the periods in force and what is held.
type Rules struct {
	Keep  map[Kind]Period // a kind that is not in here is kept for ever
	Holds []Hold          // of staff, and of live cases
}

// Decide says whether an item may go now, or else why not, and the number of the bill, case or hold that keeps it.
func (r *Rules) Decide(it *Item, now time.Time) (why Why, number int64) {
	end := r.Keep[it.Kind].Before(now)
	switch {
	case end.IsZero() || !it.At.Before(end):
		return Young, 0
	case it.Unbilled:
		return Unbilled, 0
	case it.Unpaid != 0:
		return Unpaid, it.Unpaid
	case it.Case != 0:
		return InCase, it.Case
	case it.Open:
		return Open, 0
	}
	for i := range r.Holds {
		if h := &r.Holds[i]; h.Covers(it) {
			if h.Case {
				return InCase, h.ID
			}
			return Held, h.ID
		}
	}
	return Expired, 0
}

// Fault is a pair of periods that cannot be: what explains something must not go before it.
type Fault struct{ Shorter, Than Kind }

// Faults are what is wrong with periods.
func Faults(keep map[Kind]Period) (all []Fault) {
	for _, f := range []Fault{{Audit, Calls}, {Audit, Journal}, {Books, Calls}, {Archives, Calls}} {
		if keep[f.Shorter].Shorter(keep[f.Than]) {
			all = append(all, f)
		}
	}
	return all
}
