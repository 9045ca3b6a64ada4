// Package restrict holds restrictions: destinations that are closed to a line, a customer or everyone, for a time or for good, fewer calls to them at once,
// and logins that are refused. Hours, destination rules, hot lists of numbers, allow lists and what a finding closes are all restrictions. It must not know
// who sets them or where they are stored; now is an argument.
package restrict

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
)

// Restriction closes destinations. Emergency calls are never restricted.
type Restriction struct {
	ID     int64     `json:"id"`              // unique among those of its line or customer
	Names  Set       `json:"names,omitzero"`  // what is closed; under Only, what stays open
	Only   bool      `json:"only,omitempty"`  // an allow list: every paid destination that Names does not name is closed
	Except Set       `json:"except,omitzero"` // what stays open although Names has it
	Hours  Hours     `json:"hours,omitzero"`  // when it applies, in the customer's zone; the zero Hours is always
	Since  time.Time `json:"since"`           // when it was set, by the clock of where it was: what is set is in force, whatever another clock says
	Until  time.Time `json:"until,omitzero"`  // when it ends by itself; zero: when it is lifted
	// AtOnce is how many calls a line may have when it begins one that Names has: calls abroad are counted among calls abroad, others among all calls. Such a
	// restriction closes nothing; 0 closes.
	AtOnce int `json:"at_once,omitempty"`
	// Ask is how a person confirms a call that Names has, to a voice that states the price. Such a restriction closes nothing; "" closes.
	Ask Ask `json:"ask,omitempty"`
	// Login refuses logins, and with them all calls but emergency calls, from networks that are not Known and with products that are not in Products. Names is empty.
	Login bool `json:"login,omitempty"`
	// Known are hashes of networks (as habit.Hash has them of detect.Place) to which it does not apply; none: it applies to calls from everywhere.
	Known    []uint32 `json:"known,omitempty"`
	Products []uint32 `json:"products,omitempty"` // the same of detect.Family, of Login alone; none: any product will do
	// Ends says that paid calls in progress which it refuses end with what they have paid for.
	Ends    bool   `json:"ends,omitempty"`
	By      string `json:"by,omitempty"` // who set it
	Why     string `json:"why,omitempty"`
	Finding string `json:"finding,omitempty"` // key of the finding that caused it; "" is none
}

// Ask says what a caller must press before a call goes on.
type Ask string

// What may be asked for.
const (
	AskKey    Ask = "key"    // one key, always the same: the caller has heard the price
	AskDigits Ask = "digits" // three digits that nobody can know who does not hear them
)

// ParseAsk reads "key", "digits", or "" for none.
func ParseAsk(text string) (Ask, bool) {
	a := Ask(text)
	return a, a == "" || a == AskKey || a == AskDigits
}

// Call is a call as restrictions see it.
type Call struct {
	Dest  phone.Destination
	Price *rating.Price // nil: it has none
	From
}

// From is where a call or a login comes from: hashes of its network and of the product, as Known and Products have them. 0 is not known, and counts as one of
// the line's own.
type From struct{ Origin, Product uint32 }

// paid says that a call may cost something.
func (c *Call) paid() bool {
	return c.Price == nil || c.Price.Dearest() != 0 || c.Price.Connect != 0 || c.Price.Minimum != 0
}

// InForce says that the restriction applies at an instant.
func (r *Restriction) InForce(now time.Time, zone *time.Location) bool {
	return !r.Ended(now) && r.Hours.Has(now, zone)
}

// maxText bounds what people write about a restriction.
const maxText = 500

// Check says what is wrong with a restriction.
func (r *Restriction) Check() error {
	switch {
	case max(len(r.By), len(r.Why), len(r.Finding)) > maxText:
		return fmt.Errorf("a text is longer than %d bytes", maxText)
	case r.Login && len(r.Known) == 0:
		return errors.New("it would refuse every login: it knows no network")
	case r.Login && (r.AtOnce != 0 || r.Only || !r.Names.IsZero()):
		return errors.New("one that refuses logins names no destinations")
	case max(len(r.Known), len(r.Products)) > MaxParts:
		return fmt.Errorf("it knows more than %d networks or products", MaxParts)
	case r.AtOnce < 0 || r.AtOnce > MaxAtOnce || r.AtOnce > 0 && r.Only:
		return fmt.Errorf("concurrent calls are from 1 to %d, to destinations that it names", MaxAtOnce)
	case r.Ask != "" && (r.AtOnce != 0 || r.Login || r.Ends):
		return errors.New("one that asks closes nothing, limits no concurrent calls and ends none")
	case r.Ask != "" && r.Ask != AskKey && r.Ask != AskDigits:
		return fmt.Errorf("it may ask for %q or %q", AskKey, AskDigits)
	case r.Names.IsZero() && !r.Login:
		return fmt.Errorf("%w: it names nothing", ErrSet)
	case !r.Until.IsZero() && !r.Until.After(r.Since):
		return errors.New("it ends before it begins")
	}
	return errors.Join(r.Names.Check(), r.Except.Check())
}

// Ended says that it will never apply again.
func (r *Restriction) Ended(now time.Time) bool { return !r.Until.IsZero() && !now.Before(r.Until) }

// MaxAtOnce bounds AtOnce.
const MaxAtOnce = 1000

// knows says that a restriction does not apply to what comes from there.
// Nowhere is the network of what comes from none, as a forward does: no restriction knows it.
const Nowhere = 1<<32 - 1

func (r *Restriction) knows(from From) bool {
	if r.Login && len(r.Products) > 0 && from.Product != 0 && !slices.Contains(r.Products, from.Product) {
		return false
	}
	return from.Origin == 0 || slices.Contains(r.Known, from.Origin)
}

// Refuses says that the restriction, in force, closes the destination of a call, or refuses its login. Lines of our own are closed only by name.
func (r *Restriction) Refuses(c *Call) bool { return r.Ask == "" && r.concerns(c) }

// concerns says that the restriction, in force, has something to say of a call: it refuses it, or asks.
func (r *Restriction) concerns(c *Call) bool {
	switch {
	case c.Dest.Class == phone.Emergency || r.AtOnce > 0 || len(r.Known) > 0 && r.knows(c.From):
		return false
	case r.Login:
		return true
	case r.Only:
		return c.paid() && !r.Names.Has(c)
	}
	return r.Names.Has(c) && !r.Except.Has(c)
}

// Login is the restriction that refuses logins from there, or nil.
func Login(lists [][]Restriction, from From, now time.Time, zone *time.Location) *Restriction {
	for _, list := range lists {
		for i := range list {
			if r := &list[i]; r.Login && !r.knows(from) && r.InForce(now, zone) {
				return r
			}
		}
	}
	return nil
}

// Tightest is the restriction that leaves a call the fewest others at once, or nil.
func Tightest(lists [][]Restriction, c *Call, now time.Time, zone *time.Location) (least *Restriction) {
	for _, list := range lists {
		for i := range list {
			r := &list[i]
			if r.AtOnce > 0 && (least == nil || r.AtOnce < least.AtOnce) && r.Names.Has(c) && !r.Except.Has(c) && r.InForce(now, zone) {
				least = r
			}
		}
	}
	return least
}

// Closing is the first restriction of some lists that refuses a call, or nil. zone is the customer's. up: of those that end calls in progress.
func Closing(lists [][]Restriction, c *Call, now time.Time, zone *time.Location, up bool) *Restriction {
	for _, list := range lists {
		for i := range list {
			if r := &list[i]; (r.Ends || !up) && r.Refuses(c) && r.InForce(now, zone) {
				return r
			}
		}
	}
	return nil
}

// Asking is the restriction by which a call must be confirmed, or nil: one that asks for digits before one that asks for a key.
func Asking(lists [][]Restriction, c *Call, now time.Time, zone *time.Location) (asks *Restriction) {
	for _, list := range lists {
		for i := range list {
			r := &list[i]
			if r.Ask != "" && (asks == nil || asks.Ask == AskKey && r.Ask == AskDigits) && r.concerns(c) && r.InForce(now, zone) {
				asks = r
			}
		}
	}
	return asks
}

// Set is a set of destinations: those that any of its parts names. The zero Set is empty.
type Set struct {
	Paid      bool            // every destination that costs something
	Abroad    bool            // every destination abroad
	Above     money.Rate      // destinations abroad of which a first minute costs more; 0 is none
	Classes   uint32          // bits by phone.Class
	Countries []phone.Country // ISO 3166-1 alpha-2; also of national numbers (GG, JE, IM)
	Ranges    []Range
	spans     spans // of Ranges, where the set was read from a text, or Ready was called
}

// Range is the numbers that begin with some digits of E.164: {3712, 4} is +3712….
type Range struct {
	Prefix uint64
	Digits int
}

// IsZero says that the set names nothing.
func (s Set) IsZero() bool {
	return !s.Paid && !s.Abroad && s.Above == 0 && s.Classes == 0 && len(s.Countries) == 0 && len(s.Ranges) == 0
}

// Ready arranges the ranges of a set that is looked into many times. They must not change afterwards.
func (s *Set) Ready() {
	if len(s.Ranges) > 0 {
		s.spans = spansOf(s.Ranges)
	}
}

// Has says that the set names the destination of a call.
func (s *Set) Has(c *Call) bool {
	d := &c.Dest
	if s.Paid && c.paid() || s.Classes&(1<<d.Class) != 0 {
		return true
	}
	if abroad := !d.National && d.Class != phone.OnNet; abroad {
		if s.Abroad || s.Above != 0 && (c.Price == nil || c.Price.FirstMinute() > s.Above) {
			return true
		}
	}
	for _, country := range s.Countries {
		if country == d.Country {
			return true
		}
	}
	if s.spans == nil && len(s.Ranges) > 0 {
		return spansOf(s.Ranges).has(d.Number)
	}
	return s.spans.has(d.Number)
}

// RefusesAll says that the restriction, in force, refuses a call whatever its number is: the Number of the destination is only how it begins.
func (r *Restriction) RefusesAll(c *Call) bool {
	if !r.Only {
		return r.Refuses(c) && !r.Except.mayHave(c)
	}
	return r.Refuses(c) && !r.Names.mayHave(c)
}

// mayHave says that the set names a number that begins so.
func (s *Set) mayHave(c *Call) bool {
	if s.Has(c) {
		return true
	}
	n := c.Dest.Number
	if n.Short() || n.IsZero() {
		return false
	}
	begins := Range{n.Digits(), digitsOf(n.Digits())}
	return slices.ContainsFunc(s.Ranges, begins.Overlaps)
}
