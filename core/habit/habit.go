// Package habit tells a thief's calls from a line's own. It remembers what each line and customer usually does, and measures in pounds, while calls run, what
// is unlike it: a pound of a call weighs the more, the less its number, destination, hour, place and device are known. A meter that passes its allowance
// makes a finding, and the finding an answer: a restriction, step by step wider.
//
// Everything here is pure: a state, an event and the present go in; the state changes and a finding comes out. The same code watches live calls and
// replays past ones. It must not know storage, protocols or the clock, nor who applies the answer.
package habit

import (
	"math"
	"math/bits"
	"strings"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
)

// Kind is what happened.
type Kind uint8

// Kinds of event.
const (
	Began   Kind = iota + 1 // a call was admitted: Amount is held for it
	Held                    // more is held for a call: Amount in all
	Ended                   // a call ended: Amount is what it cost
	Refused                 // a call was refused for its destination, its price or its number
	Rang                    // a call came in
	Trouble                 // somebody failed to log in, or logged in from a suspicious place
	Lifted                  // the owner or staff said that the calls were honest
)

// Event is what happened to a line at an instant.
type Event struct {
	Kind   Kind
	Since  time.Time   // when the customer began; zero is unknown, and taken for long ago
	Call   *Call       // of the kinds that have one. It keeps its weights: the same one comes with Began, Held and Ended
	Amount money.Micro // to the line
	// Of Ended and Rang.
	Talk     time.Duration
	Answered bool
}

// Call is a call as it is watched. A shell fills in the first part when the call begins, and keeps the Call until it has ended: Append and ReadCall
// store it.
type Call struct {
	Number   uint64 // E.164 digits, or a short number; of Rang the other party, 0 if it is withheld
	Class    phone.Class
	Country  phone.Country
	National bool
	PerMin   money.Rate // price of a first minute
	Line     uint32     // a hash of who calls, and of the customer: other customers' calls are compared with it
	Account  uint32
	Place    uint32 // a hash of the network that the call came from, and of the product; 0 is unknown
	Device   uint32
	Hour     uint8 // of the week in the customer's zone: 0 is Monday 00:00 to 00:59
	Listed   bool  // a hot list names its number, or another one of its thousand

	counted      money.Micro // of Amount, in the meters
	novel        uint16      // weight of a pound, in 256ths, without signs
	factor       uint16      // of all signs, in 256ths
	signs        Signs
	level        Novelty
	abroad, paid bool
	restricted   bool // it began while an answer was in force: nothing is learnt from it
}

// NewCall is a call to a destination at a price. Hash the rest with Hash.
func NewCall(d *phone.Destination, p *rating.Price) Call {
	c := Call{Number: d.Number.Digits(), Class: d.Class, Country: d.Country, National: d.National}
	if p != nil {
		c.PerMin = p.FirstMinute()
		c.paid = !p.IsFree()
	}
	c.abroad = !d.National && d.Class != phone.OnNet
	return c
}

// Hash is the key of a text in a Call; 0 for "".
func Hash(text string) uint32 {
	if text == "" {
		return 0
	}
	h := uint32(2166136261)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	return max(h, 1)
}

// row is the destination as people speak of it: mobiles of a country.
func (c *Call) row() uint64 {
	return 1<<32 | uint64(c.Class)<<24 | uint64(c.Country[0])<<16 | uint64(c.Country[1])<<8 | uint64(c.Country[2])
}

func (c *Call) block() uint64 { return c.Number / 1000 }

// dear is the price of a first minute from which a call at home is as surprising as one abroad.
const dear = 5 * money.PencePerMinute

// surprising says that a call can be new to a line: one abroad, to a number that pays its holder, or a dear one. An ordinary call at home never is.
func (c *Call) surprising() bool {
	return c.paid && (c.abroad || c.Class.Revenue() || c.PerMin >= dear)
}

// Novelty is how new a destination is.
type Novelty uint8

// Novelties, from the known to the new.
const (
	NumberKnown    Novelty = iota // the line has long called the number
	NumberOfOthers                // other lines of its customer have
	RowKnown                      // the line has long called numbers of that kind and country
	RowOfOthers                   // other lines of its customer have
	New                           // nobody at the customer's has
	numNovelties
)

// Sign is a reason why a call is odd.
type Sign uint8

// Signs.
const (
	OddHour    Sign = iota // an hour of the week without calls
	OddPlace               // a network that is new to the customer
	FarPlace               // and to everybody
	OddDevice              // a product that is new to the customer
	AtOnce                 // more calls at once than ever
	HotBlock               // another customer was just stopped there
	Baited                 // the range rang several lines briefly, or this one
	TestCall               // a short call to a new destination, or one to a number on a hot list or near it, came before
	Tries                  // refused destinations were tried one after another
	AfterLogin             // there was trouble with the login
	InARow                 // the same number, or its neighbours, again and again
	Burst                  // more calls within an hour than ever
	NumSigns
)

// Signs is a set of signs.
type Signs uint16

// Has says that a sign is in the set.
func (s Signs) Has(x Sign) bool { return s&(1<<x) != 0 }

var signNames = [NumSigns]string{"odd-hour", "odd-place", "far-place", "odd-device", "at-once", "hot-range", "baited", "test-call", "tries", "after-login", "in-a-row", "burst"}

// String is the code of a sign: "odd-hour".
func (x Sign) String() string { return signNames[x] }

// String lists the signs: "odd-hour odd-place".
func (s Signs) String() string {
	var all []string
	for x := range NumSigns {
		if s.Has(x) {
			all = append(all, x.String())
		}
	}
	return strings.Join(all, " ")
}

func (s *Signs) add(x Sign) { *s |= 1 << x }

// MeterKind is which meter.
type MeterKind uint8

// Meters.
const (
	Range   MeterKind = iota // surprising pounds of the line into one thousand-block
	Shared                   // and of its customer
	Whole                    // surprising pounds of the line
	Account                  // surprising pounds of the customer
	Pace                     // pounds of any kind in a short time
	NumMeters
)

// State is what an event is compared with and changes. World may be shared by states; it changes in Turn alone.
type State struct {
	Line, Account *Memory
	World         *World
	Notes         *Notes // what the world is to learn
}

// Finding is a meter that passed its allowance.
type Finding struct {
	Meter     MeterKind
	Life      Life // of the rule, for this customer: it acts, or is a shadow
	Level     money.Micro
	Plain     money.Micro // of Level, without signs
	Allowance money.Micro
	Novelty   Novelty // of the call that passed it
	Signs     Signs
	Call      *Call
	Again     uint8 // times that a meter of the line or customer fired before and has not been forgotten
	Answer    Answer
}

// Step takes an event. It returns a finding, or nil. A finding whose Life acts has changed the state as its answer says, and the shell is to apply the
// answer. That of a shadow says what would have been closed.
func (r *Rules) Step(s *State, e *Event, now time.Time) *Finding {
	minute := uint32(now.Unix() / 60)
	s.Line.turn(minute, r)
	if s.Account.turn(minute, r) {
		s.Account.young = !e.Since.IsZero() && now.Sub(e.Since) < time.Duration(r.Learning)*24*time.Hour
	}
	for _, m := range [...]*Memory{s.Line, s.Account} {
		m.rest(minute)
		m.shadow.rest(minute)
	}
	switch e.Kind {
	case Began:
		return r.began(s, e, minute)
	case Held:
		return r.charge(s, e.Call, e.Amount, minute)
	case Ended:
		r.ended(s, e, minute)
	case Refused:
		r.refused(s, e.Call, minute)
	case Rang:
		r.rang(s, e, minute)
	case Trouble:
		r.alarm(s.Line, AfterLogin, minute)
	case Lifted:
		r.lifted(s, minute)
	}
	return nil
}

func (r *Rules) began(s *State, e *Event, minute uint32) *Finding {
	c := e.Call
	if !c.paid {
		return nil
	}
	if s.Line.called == 0 {
		s.Account.lines++
	}
	s.Line.called = max(s.Line.called, 1)
	c.restricted = s.Line.closed() || s.Account.closed()
	r.weigh(s, c, minute)
	for _, m := range [...]*Memory{s.Line, s.Account} {
		if m.age(minute) < 2*r.KnownAfter {
			continue // all is new at first
		}
		for of, would := range [numPrices]bool{c.surprising() && c.level == New, c.surprising() && c.level != NumberKnown, true} {
			m.stopped[of] += b2u(would && m.stopped[of] < math.MaxUint16)
		}
	}
	s.Line.open++
	s.Line.hourly(minute)
	s.Line.peak = max(s.Line.peak, s.Line.open)
	return r.charge(s, c, e.Amount, minute)
}

// charge counts what is held for a call beyond what was counted.
func (r *Rules) charge(s *State, c *Call, held money.Micro, minute uint32) *Finding {
	if !c.paid {
		return nil
	}
	more := held - c.counted
	c.counted = held
	if more > 0 && c.surprising() && r.beyond(s, c, more, minute) {
		c.level = r.row(s, c, uint16(minute/(24*60)))
		c.novel = r.weight(s, c, minute)
	}
	r.count(s, c, more, minute)
	if more <= 0 {
		return nil
	}
	return r.fire(s, c, minute)
}

// odd says that several things about a call are odd. A new network that is also far counts once, and so does every sign of many calls.
func (c *Call) odd() bool {
	signs := c.signs &^ (1 << FarPlace)
	if signs&many != 0 {
		signs = signs&^many | 1<<Burst
	}
	return bits.OnesCount16(uint16(signs)) >= 2
}

// many are the signs of many calls.
const many = 1<<AtOnce | 1<<InARow | 1<<Burst

// paces says that a call counts whole in a short time's pounds: several things about it are odd, and it is not to a number abroad that the line has long called.
func (c *Call) paces() bool {
	return c.odd() && !(c.surprising() && c.level == NumberKnown)
}

// count adds money to every meter, or takes it back.
func (r *Rules) count(s *State, c *Call, more money.Micro, minute uint32) {
	novel := more * money.Micro(c.novel) / 256
	odd := novel * money.Micro(c.factor) / 256
	if c.novel != 0 {
		for kind, m := range [...]*Memory{Range: s.Line, Shared: s.Account, Whole: s.Line, Account: s.Account} {
			rule := &r.Meters[kind]
			switch {
			case rule.Life == Off:
			case kind < int(Whole):
				b := m.block(c.block(), minute, rule.minutes())
				b.level, b.plain = max(b.level+odd, 0), max(b.plain+novel, 0)
				m.meters[kind].peak = max(m.meters[kind].peak, b.plain)
			default:
				m.meters[kind].add(odd, novel, minute, rule.minutes())
			}
		}
	}
	if r.Meters[Pace].Life == Off {
		return
	}
	pace := more / 10
	if c.paces() {
		pace = more
	}
	s.Line.meters[Pace].add(pace, more/10, minute, r.Meters[Pace].minutes())
}

// ended gives back what was held for nothing, and learns.
func (r *Rules) ended(s *State, e *Event, minute uint32) {
	c := e.Call
	if !c.paid {
		return
	}
	r.count(s, c, e.Amount-c.counted, minute)
	s.spend(c, e.Amount-c.counted)
	c.counted = e.Amount
	s.Line.open -= min(s.Line.open, 1)
	if !e.Answered || c.restricted || s.Line.closed() || s.Account.closed() {
		return
	}
	day := uint16(minute / (24 * 60))
	for _, m := range [...]*Memory{s.Line, s.Account} {
		if c.surprising() && e.Talk > shortTalk { // a test call teaches nothing
			if n := m.numbers.see(c.Number, day, maxNumbers); n.n == 1 {
				n.spend(e.Amount) // later calls are counted as they cost
			}
			m.rows.see(c.row(), day, maxRows)
		}
		m.fresh[c.Hour] = uint8(min(int(m.fresh[c.Hour])+perCall, 255))
		familiar := !c.surprising() || c.level == NumberKnown
		m.places.origin(c.Place, day, maxPlaces, familiar, &m.wanders)
		m.devices.origin(c.Device, day, maxDevices, familiar, &m.changes)
	}
	s.Notes.add(note{rows, c.row(), c.Account, day})
	s.Notes.add(note{places, uint64(c.Place), c.Account, day})
	if (c.level == New || c.Listed) && e.Talk <= shortTalk {
		r.alarm(s.Line, TestCall, minute)
	}
}

const (
	shortTalk = 20 * time.Second
	bait      = 3 * time.Second
	lastAlarm = 24 * 60 // minutes
)

// alarm has a sign hold for a day.
func (r *Rules) alarm(m *Memory, sign Sign, minute uint32) {
	if m.alarm < minute {
		m.alarmSigns = 0
	}
	m.alarm = minute + lastAlarm
	m.alarmSigns.add(sign)
}

// refused counts the refused destinations that are tried one after another.
func (r *Rules) refused(s *State, c *Call, minute uint32) {
	if c.Listed { // a thief tries one after another until one is let through
		r.alarm(s.Line, TestCall, minute)
	}
	if s.Line.closed() || s.Account.closed() {
		return // what an answer refuses is tried again by honest people too
	}
	const within, many = 10, 3
	n, oldest := 1, 0
	for i, t := range s.Line.tries {
		switch {
		case t.key == c.block():
			return
		case t.at+within >= minute && t.key != 0:
			n++
		}
		if t.at < s.Line.tries[oldest].at {
			oldest = i
		}
	}
	s.Line.tries[oldest] = try{c.block(), minute}
	if n >= many {
		r.alarm(s.Line, Tries, minute)
	}
}

// rang notes calls from abroad that ring briefly: those who call back pay.
func (r *Rules) rang(s *State, e *Event, minute uint32) {
	c := e.Call
	if c.Number == 0 || !c.abroad || e.Talk > bait {
		return
	}
	s.Notes.add(note{baits, c.block(), c.Account, uint16(minute / (24 * 60))})
}

// lifted restores everything: the calls were honest, and are known from now on.
func (r *Rules) lifted(s *State, minute uint32) {
	for _, m := range [...]*Memory{s.Line, s.Account} {
		m.step, m.until, m.alarm, m.fired, m.firedAt, m.shadow = 0, 0, 0, 0, 0, ladder{}
		for i := range m.meters {
			m.meters[i].level, m.meters[i].plain, m.meters[i].told = 0, 0, false
		}
		m.blocks = nil
	}
}
