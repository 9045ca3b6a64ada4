// Package account holds who pays (customers), what calls (lines), the routes to carriers (trunks) and the settings that
// they inherit from one another. It must not know how settings are applied or where they are stored.
package account

import (
	"net/netip"
	"slices"
	"time"

	"ringfence/core/money"
	"ringfence/core/restrict"
)

// Level is a link of the chain that settings inherit along. A lower link may only tighten, unless staff granted it or the
// field is free.
type Level uint8

// Levels from the top.
const (
	LevelDefault  Level = iota // built in
	LevelProvider              // configuration
	LevelReseller              // of a customer that a reseller has
	LevelCustomer
	LevelLine
)

// Field names one setting; the names of fieldNames are used by the CLI, the API and the pages.
type Field uint8

// Fields. Units: ceilings money.Rate; caps and warnings money.Micro; counts plain; LongestCall seconds; Premium, Satellite,
// Personal and Pager 0 or 1.
const (
	NationalCeiling Field = iota // 0 is "free only"
	InternationalCeiling
	Premium
	Satellite // and other networks without a country
	Personal  // 070
	Pager     // 076
	MaxCalls
	MaxInternational
	CallsPerMinute
	CallsPerSecond // NoCallsPerSecond is no limit
	LongestCall
	LineDayCap
	LineMonthCap
	AccountDayCap
	AccountMonthCap
	LineWarning    // un-billed usage at which contacts are notified, and again at each further multiple; 0 is off
	AccountWarning // the same for all lines of a customer together
	Watch          // whether calls are watched for what is unlike the usual: Watched, or Unwatched
	Questions      // what becomes of a call that a person must confirm by a key: one of the values below
	NumFields
)

// Values of Questions. Smaller is tighter. A machine (an alarm, a lift, a fax, a payment terminal) presses no key: its calls are refused, or go on.
const (
	QuestionsRefuse = iota // the call is refused
	QuestionsEarly         // the voice speaks before the call is answered, to phones that play early media and send keys then
	QuestionsAnswer        // the call is answered, so that every phone plays the voice and sends keys
	QuestionsPass          // the call goes on without a question
)

// Values of Watch. Smaller is tighter.
const (
	Watched   = 0
	Unwatched = 1
)

// NoCallsPerSecond is the CallsPerSecond that limits nothing, so that no call is counted for it.
const NoCallsPerSecond = 1000

// Value is one link's own word on a field. The zero Value says nothing and inherits.
type Value struct {
	Set     bool
	N       int64     // in the field's unit
	Granted bool      // staff allowed it to be looser than what stands above
	Until   time.Time // when a grant ends by itself; zero is never
	Kept    bool      // under a grant that ends: what the link had set itself, KeptN, holds again afterwards
	KeptN   int64
}

// Settings is what one link of the chain says. The zero Settings inherits everything.
type Settings struct {
	Values [NumFields]Value
	Nets   []netip.Prefix // IP lock; empty is no lock at this link. All links' locks must be met.
	// Restrictions close destinations. Those of all links hold together.
	Restrictions []restrict.Restriction
}

// IsZero says that a link says nothing at all. It is asked of the text that is stored, so that it knows of everything a link can say.
func (s *Settings) IsZero() bool {
	text, err := s.MarshalJSON()
	return err == nil && string(text) == "{}"
}

// Effective is the outcome of a chain for one line at one instant: plain values, each with the link it came from.
type Effective struct {
	Values [NumFields]int64
	From   [NumFields]Level
	Nets   [][]netip.Prefix // non-empty locks of the chain; a source must be in each
	// Restrictions are those of the chain's links that have some, also such as have ended or do not apply yet.
	Restrictions [][]restrict.Restriction
	Lists        string    // a hash of Nets and Restrictions, to tell outcomes apart
	Pool         *Pool     // what the customers of a reseller may spend together; nil: nothing limits it, or nobody resells
	Since        time.Time // when the last of the grants that have ended did; before that, it would be another outcome
	Expiry       time.Time // when a grant in here ends, so that the holder resolves again; zero is never
}

// Holds says that Resolve would give the same at another instant.
func (e *Effective) Holds(at time.Time) bool {
	return !at.Before(e.Since) && (e.Expiry.IsZero() || at.Before(e.Expiry))
}

// Ceiling, Cap and Count read a field in its unit.
func (e *Effective) Ceiling(f Field) money.Rate { return money.Rate(e.Values[f]) }

// Cap reads an amount.
func (e *Effective) Cap(f Field) money.Micro { return money.Micro(e.Values[f]) }

// Customer owns lines and pays.
type Customer struct {
	ID       string // identity; its handle is a slug: a-z, 0-9, '-'; 1 to 40
	Name     string
	Zone     string // IANA time zone; "" is the provider's
	Tariff   string // name of a retail deck; "" is the provider's default
	Settings Settings
	Contacts []Contact
	Courtesy Courtesy // for lines that say nothing
	Cooling  Cooling
	Reseller string // identity of the reseller whose customer it is; "" is the provider's own
	Resale   Resale
	Numbers  []Proven // that its lines may present beside their own
	Asked    []Asked  // codes of the last day that were sent to prove numbers
	Created  time.Time
}

// Line is a number with SIP credentials. The handle of its ID is the SIP user name.
type Line struct {
	ID        string // identity; its handle is of a-z, A-Z, 0-9, '.', '_', '-'; 1 to 64
	Customer  string // identity
	Number    string // E.164 digits without '+', presented as caller and reachable inbound; "" is none
	Name      string
	Sealed    []byte // sealed SIP password (core/secret); nil: the line cannot log in
	Locked    bool
	LockWhy   string
	LockCalls LockCalls // how the lock treats calls in progress; CallsEnd unless Locked
	Settings  Settings
	Strength  Strength // of the password in Sealed
	Former    []Former // passwords it had, newest first, at most MaxFormer: tells a stale phone from a guesser
	Honeypot  bool     // it has no owner: any login to it is an attack
	Courtesy  Courtesy // "" is the customer's
	Forwards  Forwards // where its calls go that it does not take itself
	Reach     Reach    // how it is reached beside Number
	Created   time.Time
}

// Strength says whether a line's password can be guessed. It is judged when the password is set.
type Strength uint8

// Strengths; they are stored as these numbers.
const (
	Unjudged       Strength = iota // set by a version that did not judge it
	Guessable                      // by a patient attacker, some day
	BeyondGuessing                 // generated, or as strong (secret.BeyondBits)
)

// What a carrier gets of a number that its caller withholds.
const (
	WithheldAsserted = "asserted" // P-Asserted-Identity with Privacy: id (RFC 3325), which it does not pass on
	WithheldRemoved  = "removed"  // nothing
)

// Trunk is a route to and from a carrier.
type Trunk struct {
	Name      string   // identity; its handle is a slug
	Addresses []string // host[:port], tried in order
	Transport string   // "udp", "tcp", "tls" or "auto": as the carrier's DNS says
	User      string   // digest towards the carrier; "" is none
	Sealed    []byte   // its sealed password
	Registrar string   // host[:port] where we register, with User; "": the carrier wants no registration
	Expiry    int      // seconds that a registration is asked for
	Sources   []netip.Prefix
	Priority  int    // lower goes first
	MaxCalls  int    // calls out at once, on each node; 0: any number
	MaxRate   int    // calls out that begin in one second, on each node; 0: any number
	Deck      string // name of its cost deck; "" is none
	Format    string // how numbers are sent: "+e164", "e164", "00e164"
	Withheld  string // what it gets of a withheld number: WithheldAsserted or WithheldRemoved
	Headers   string // which tell it the line's own number: one of Headers
	Privacy   string // the value of Privacy for a withheld number: one of Privacies
	Abroad    string // whether the calls that it brings come from abroad: HomeCalls, AbroadCalls or CheckedCalls
	Emergency bool   // carries emergency calls; if none does, all are tried
	Disabled  bool
}

// Request asks staff to loosen a setting for a customer; they grant or refuse it.
type Request struct {
	ID        int64
	Line      string // identity
	Field     Field
	N         int64
	Until     time.Time
	Why       string
	State     string // "open", "granted", "refused"
	Made      time.Time
	Decided   time.Time
	DecidedBy string
	Note      string
}

// Closed are the settings with more restrictions, which are in a list of their own; with none they are themselves.
func (e *Effective) Closed(lists ...[]restrict.Restriction) *Effective {
	more := slices.Concat(lists...)
	if len(more) == 0 {
		return e
	}
	c := *e
	c.Restrictions = append(slices.Clip(c.Restrictions), more)
	return &c
}
