package habit

import (
	"time"

	"ringfence/core/money"
)

// Life is how far a rule is trusted.
type Life uint8

// Lives.
const (
	Off    Life = iota
	Shadow      // it says what it would have done
	Canary      // it acts on the lines of a tenth of the customers, and is a shadow on the others
	Live
)

// String is "off", "shadow", "canary" or "live".
func (l Life) String() string { return [...]string{"off", "shadow", "canary", "live"}[l] }

// Acts says that an answer is to be applied.
func (l Life) Acts() bool { return l == Live }

// of is a rule's life for the lines of one customer: a canary lives on those whose hash says so. All lines of a customer are treated alike, for they are
// measured together: so a canary does to a line exactly what a live rule would.
func (l Life) of(account uint32) Life {
	if l != Canary {
		return l
	}
	if (account*0x9e3779b9>>16)%10 == 0 {
		return Live
	}
	return Shadow
}

var meterNames = [NumMeters]string{"range", "shared-range", "line", "account", "pace"}

// String is "range", "shared-range", "line", "account" or "pace".
func (k MeterKind) String() string { return meterNames[k] }

// Meter is the rule of a meter.
type Meter struct {
	Life   Life
	Floor  money.Micro   // the least allowance
	Memory time.Duration // after which a pound weighs 1/e
	First  Step          // of the ladder, when it fires for the first time
}

func (m *Meter) minutes() float64 { return float64(m.Memory / time.Minute) }

// NoFactor is the factor of a sign that is off.
const NoFactor = 256

// Rules are everything that may be tuned.
type Rules struct {
	Meters     [NumMeters]Meter
	Signs      [NumSigns]uint16     // what each multiplies the weight of a pound by, in 256ths; NoFactor is off
	Weights    [numNovelties]uint16 // of a pound, in 256ths
	MostFactor uint16               // of all signs together, in 256ths
	KnownAfter int                  // days after which what was seen is known
	Learning   int                  // days until a customer's hours and places are known
	Young      uint16               // factor of the allowances of a customer who is still learnt, in 256ths
	Headroom   uint16               // over the line's own highest weeks, in 256ths
	Little     money.Micro          // and what is added to it
	Forget     int                  // days: what is fresher is forgotten when a meter fires
	Remember   uint32               // minutes after a firing in which the next one climbs
	Lasts      [NumSteps]uint32     // minutes that an answer holds
	MostStops  [NumSteps]uint16     // calls a week of the line's own past that a step may stop
	PaceLasts  uint32               // minutes, where Pace closes everything paid
}

// Default are the built-in rules.
func Default() *Rules {
	const day = 24 * 60
	r := &Rules{
		Weights:    [numNovelties]uint16{0, 8, 20, 40, 84},
		MostFactor: 16 * 256, KnownAfter: 5, Learning: 21, Young: 2 * 256, Headroom: 410, Little: 2 * money.Pound, Forget: 10, Remember: 14 * day,
		MostStops: [NumSteps]uint16{OneCountry: 10, Narrow: 4, Abroad: 10, Paid: 30, Login: 30},
		Lasts:     [NumSteps]uint32{Tighten: day, OneRange: 12 * 60, OneCountry: 2 * day, Narrow: 2 * day, Abroad: 7 * day, Paid: 7 * day, Login: 14 * day},
		PaceLasts: 4 * 60,
	}
	r.Meters = [NumMeters]Meter{
		Range:   {Live, 3 * money.Pound, 72 * time.Hour, OneRange},
		Shared:  {Live, 4 * money.Pound, 72 * time.Hour, OneRange},
		Whole:   {Live, 5 * money.Pound, 120 * time.Hour, OneRange},
		Account: {Live, 8 * money.Pound, 120 * time.Hour, OneRange},
		Pace:    {Live, 10 * money.Pound, 2 * time.Hour, OneRange},
	}
	r.Signs = [NumSigns]uint16{
		OddHour: 512, OddPlace: 448, FarPlace: 320, OddDevice: 640, AtOnce: 512, HotBlock: 512, Baited: 1024, TestCall: 384, Tries: 768, AfterLogin: 512, InARow: 512, Burst: 384,
	}
	return r
}
