package habit

import (
	"math"
	"slices"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/restrict"
)

// Step is a rung of the ladder: what is closed.
type Step uint8

// Steps of the ladder.
const (
	Open       Step = iota
	Notice          // nothing is closed; the owner is notified
	Tighten         // fewer calls at once, and none dearer than this one, where the line has not long called
	OneRange        // the thousand numbers
	OneCountry      // and their country, if it is new to the customer
	Narrow          // and everything abroad, or that pays its holder, in countries that are new to the customer
	Abroad          // everything abroad or that pays its holder, but numbers long known
	Paid            // everything that costs, but numbers long known
	Login           // and logins from devices and networks that are not long known
	NumSteps
)

// Answer is what follows from a finding.
type Answer struct {
	Step  Step
	Whole bool // it holds for the customer's lines together
	Until time.Time
	// Restrictions are what is closed, if anything; the shell adds their numbers, who set them and why.
	Restrictions []restrict.Restriction
}

// fire looks for a meter that has passed its allowance: the narrowest first.
func (r *Rules) fire(s *State, c *Call, minute uint32) *Finding {
	if !s.Account.young && s.Account.age(minute) < r.Learning {
		return nil // a customer of long standing is only learnt at first
	}
	for _, life := range [...]Life{Live, Shadow} { // what only watches delays nothing
		for kind := range NumMeters {
			if r.Meters[kind].Life.of(c.Account) != life {
				continue
			}
			if f := r.passed(s, c, kind, life, minute); f != nil {
				return f
			}
		}
	}
	return nil
}

// passed looks at one meter. A shadow gives no early notice, and is silent while what it has said would still hold: the calls that would have been stopped
// go on, and would have it fire with every slice.
func (r *Rules) passed(s *State, c *Call, kind MeterKind, life Life, minute uint32) *Finding {
	who := s.who(kind)
	level, plain := r.read(s, c, kind, minute)
	if level == 0 || !life.Acts() && who.shadow.step != 0 {
		return nil
	}
	allowance := r.allowance(s, kind, minute)
	if l := who.of(life); c.level == New && c.oddAfter(l) && c.signs&stranger != 0 && min(s.Account.age(minute), s.Line.age(minute)) >= r.Learning {
		allowance /= money.Micro(min(l.fired, 3) + 1) // the second time comes sooner
	}
	notice := level < allowance
	if notice && (level*2 < allowance || who.meters[kind].told || !life.Acts()) {
		return nil
	}
	f := &Finding{Meter: kind, Life: life, Level: level, Plain: plain, Allowance: allowance, Novelty: c.level, Signs: c.signs, Call: c, Again: who.of(life).fired}
	if !notice {
		r.answer(s, f, minute)
		return f
	}
	s.told()
	f.Answer = Answer{Step: Notice, Whole: kind.whole()}
	if c.odd() && who.step == Open {
		r.tighten(s, f, minute)
	}
	return f
}

// tighten goes with the early notice of calls that are odd: it closes next to nothing, for a day, before the allowance is used up.
func (r *Rules) tighten(s *State, f *Finding, minute uint32) {
	l := &s.who(f.Meter).ladder
	f.Answer.Step = Tighten
	r.until(&f.Answer, minute, minute+r.Lasts[Tighten], r.closes(s, f, Tighten, minute))
	l.step, l.until = Tighten, minute+r.Lasts[Tighten]
}

// until puts down what an answer closes, and for how long.
func (r *Rules) until(a *Answer, since, until uint32, closes []restrict.Restriction) {
	a.Until, a.Restrictions = time.Unix(int64(until)*60, 0).UTC(), closes
	for i := range closes {
		x := &closes[i]
		x.Since, x.Until, x.Ends = time.Unix(int64(since)*60, 0).UTC(), a.Until, true
	}
}

// closed says that an answer is in force under which nothing is learnt.
func (m *Memory) closed() bool { return m.step > Tighten }

// told says that the owner has heard of this week's unusual calls. Several meters see the same calls: one early notice is enough.
func (s *State) told() {
	for _, m := range [...]*Memory{s.Line, s.Account} {
		for i := range m.meters {
			m.meters[i].told = true
		}
	}
}

// who is whose meter it is.
func (s *State) who(kind MeterKind) *Memory {
	if kind.whole() {
		return s.Account
	}
	return s.Line
}

// whole says that a meter is of all lines of a customer.
func (k MeterKind) whole() bool { return k == Account || k == Shared }

// read is the level of a meter that a call adds to, with signs and without; 0: it does not.
func (r *Rules) read(s *State, c *Call, kind MeterKind, minute uint32) (level, plain money.Micro) {
	who := s.who(kind)
	switch {
	case kind == Pace && !c.paces() || kind != Pace && c.novel == 0:
		return 0, 0
	case kind == Range || kind == Shared:
		b := who.block(c.block(), minute, r.Meters[kind].minutes())
		return b.level, b.plain
	}
	return who.meters[kind].level, who.meters[kind].plain
}

// allowance is what a meter may reach: a floor, or more than the line has ever needed.
func (r *Rules) allowance(s *State, kind MeterKind, minute uint32) money.Micro {
	rule, who := &r.Meters[kind], s.who(kind)
	a := rule.Floor
	if kind == Account {
		a += rule.Floor * money.Micro(min(max(who.lines, 1)-1, 8)) / 4
	}
	if s.Account.age(minute) < r.Learning || !kind.whole() && s.Line.age(minute) < r.Learning {
		a = a * money.Micro(r.Young) / 256
	}
	if m := &who.meters[kind]; m.most > 0 {
		a = max(a, m.most*money.Micro(r.Headroom)/256+r.Little)
	}
	return a
}

// answer climbs the ladder and says what is closed. What a shadow says goes into its own ladder and its own meter, and nothing else changes.
func (r *Rules) answer(s *State, f *Finding, minute uint32) {
	who := s.who(f.Meter)
	l := who.of(f.Life)
	step, elsewhere := r.climb(s, f, minute), r.strangers(s, f, l, minute)
	width := step
	if elsewhere != nil { // everything is closed to where these calls come from: those from home need no wider answer
		width = min(step, OneCountry)
		step = width
		if l.fired >= persistent {
			step = Login
		}
	}
	m, half := &who.meters[f.Meter], money.Micro(math.MaxInt64)
	if l.fired == 0 || l.fired >= patience || f.Call.oddAfter(l) {
		half = 2 // the second time comes sooner; but a false alarm does not lead to many
	}
	if f.Meter == Range || f.Meter == Shared {
		who.block(f.Call.block(), minute, r.Meters[f.Meter].minutes()).level /= half
	}
	m.level /= half
	if f.Life.Acts() {
		s.told()
	}
	f.Answer = Answer{Step: step, Whole: f.Meter.whole()}
	lasts := r.Lasts[step]
	switch again := minute-min(l.until, minute) < r.Remember && s.Account.age(minute) >= r.Learning && !(s.Account.young && who.calm < calmWeeks); {
	case again && (f.Call.oddAfter(l) || step == Narrow && l.fired > patience):
		lasts = min(lasts<<min(l.fired, 5), longestAnswer) // one who waits for the end meets a longer one
	case step == OneRange && !f.Call.oddAfter(l):
		lasts = min(shortAnswer<<min(l.fired, 5), lasts) // nothing is odd but the money: the owner is notified, and can say that it was he
	}
	if f.Meter == Pace && step == Paid {
		lasts = r.PaceLasts << min(l.fired, 3)
	}
	until := minute + lasts
	closes := append(r.closes(s, f, width, minute), elsewhere...)
	if step == Login {
		closes = append(closes, r.logins(s, minute)...)
	}
	r.until(&f.Answer, minute, until, closes)
	l.step, l.until = step, max(l.until, until)
	l.fired += uint8(b2u(l.fired < math.MaxUint8))
	if !f.Life.Acts() {
		return
	}
	fresh := uint16(minute/(24*60)) - uint16(r.Forget)
	if !f.Call.oddAfter(l) {
		fresh = uint16(minute/(24*60)) - justCalled // what is called again and again by a line that is otherwise itself becomes known
	}
	for _, m := range [...]*Memory{s.Line, s.Account} {
		m.forget(fresh, f.Signs)
		m.firedAt = minute
	}
	s.Notes.add(note{hot, f.Call.block(), f.Call.Account, uint16(minute / (24 * 60))})
}

// oddAfter says that a call is odd. Where a meter has fired before, and nobody has said that those calls were honest, a new network or product is enough.
func (c *Call) oddAfter(l *ladder) bool {
	return c.odd() || l.fired > 0 && c.signs&(1<<OddPlace|1<<OddDevice) != 0
}

// stranger are the signs of somebody else. Those of many calls are also of a campaign.
const stranger = 1<<OddHour | 1<<OddPlace | 1<<OddDevice | 1<<AfterLogin | 1<<HotBlock

// justCalled is how many days are forgotten when calls that are not odd lead to an answer.
const justCalled = 2

// shortAnswer is how long the first answer to calls that are not odd holds, in minutes.
const shortAnswer = 60

// longestAnswer is a bound of how long an answer holds, in minutes.
const longestAnswer = 28 * 24 * 60

// patience is how often calls that are not odd are answered as at first.
const patience = 2

// climb is the next rung: higher than what is in force, or was until a few days ago, but no higher than the line's own habits allow. An answer that would
// stop many honest calls is worse than what it saves.
func (r *Rules) climb(s *State, f *Finding, minute uint32) Step {
	who := s.who(f.Meter)
	step, l := r.Meters[f.Meter].First, who.of(f.Life)
	switch {
	case !f.Call.oddAfter(l) && l.fired < patience: // it may well be the owner, who was notified
	case l.step != 0:
		step = max(step, l.step+1)
	case l.reached != 0 && minute-min(l.until, minute) < r.Remember:
		step = max(step, l.reached+1)
	}
	if f.Call.oddAfter(l) {
		step = max(step, OneCountry)
	}
	if f.Call.oddAfter(l) && f.Call.factor >= 4*256 {
		step = max(step, Narrow)
	}
	step = min(step, Login)
	if f.Novelty == New && !f.Call.oddAfter(l) && l.step < Narrow {
		step = min(step, Narrow) // it is what is new that flows away: closing that is enough
	}
	for step > OneRange && int(who.price(prices[step], s.Account.young, minute)) > int(r.MostStops[step])*sure(step, l) {
		step--
	}
	return step
}

// persistent is how often somebody from elsewhere has been stopped before logins from there are refused.
const persistent = 4

// sure is by how much more a step may stop: what comes again and again, and nobody has lifted, is hardly honest. Ordinary calls at home stay out of that.
func sure(step Step, l *ladder) int {
	if step > Abroad {
		return 1
	}
	return max(1, int(l.fired)-patience)
}

// prices are what to look at before a step is taken.
var prices = [NumSteps]int{OneCountry: priceNew, Narrow: priceNew, Abroad: priceAbroad, Paid: pricePaid, Login: pricePaid}

// rest ends an answer whose time is over.
func (l *ladder) rest(minute uint32) {
	if l.step != 0 && minute >= l.until {
		l.reached, l.step = l.step, 0
	}
}

// forget drops what is fresh: a thief may have taught it.
func (m *Memory) forget(since uint16, signs Signs) {
	m.numbers.forget(since)
	m.rows.forget(since)
	if signs.Has(OddPlace) {
		m.places.forgetStrange(since)
	}
	if signs.Has(OddDevice) {
		m.devices.forgetStrange(since)
	}
	m.fresh = [168]uint8{}
}

// closes says what a step closes. Numbers long known stay open at every step.
func (r *Rules) closes(s *State, f *Finding, step Step, minute uint32) []restrict.Restriction {
	old := uint16(minute/(24*60)) - uint16(r.Forget)
	known := restrict.Set{Ranges: numbersOf(s, old)}
	known.Ranges = slices.DeleteFunc(known.Ranges, func(x restrict.Range) bool { return s.exceeded(x.Prefix) })
	switch step {
	case Tighten:
		fewer := restrict.Restriction{Names: restrict.Set{Abroad: true, Classes: revenue}, Except: known, AtOnce: 1}
		if !f.Call.abroad || f.Call.PerMin == 0 {
			return []restrict.Restriction{fewer}
		}
		dearer := restrict.Restriction{Names: restrict.Set{Above: f.Call.PerMin}, Except: known}
		dearer.Except.Countries = countriesOf(s, old)
		return []restrict.Restriction{fewer, dearer}
	case OneRange, OneCountry:
		one := restrict.Restriction{Except: known}
		one.Names.Ranges = f.Call.ranges()
		if step == OneCountry && f.Novelty == New {
			f.Call.kind(&one.Names)
		}
		if one.Names.IsZero() {
			return nil
		}
		return []restrict.Restriction{one}
	case Narrow:
		dear := restrict.Restriction{Names: restrict.Set{Classes: revenue | 1<<phone.IntlPremium | 1<<phone.Satellite}, Except: known}
		dear.Names.Ranges = f.Call.ranges()
		f.Call.island(&dear.Names)
		foreign := restrict.Restriction{Names: restrict.Set{Abroad: true}, Except: known}
		foreign.Except.Countries = countriesOf(s, old)
		return []restrict.Restriction{dear, foreign}
	case Abroad:
		all := restrict.Restriction{Names: restrict.Set{Abroad: true, Classes: revenue, Ranges: f.Call.ranges()}, Except: known}
		f.Call.island(&all.Names)
		return []restrict.Restriction{all}
	}
	return []restrict.Restriction{{Names: restrict.Set{Paid: true}, Except: known}}
}

// strangers closes everything that costs to networks that are not long the customer's, if the call came from one: that stops a thief from elsewhere, and hardly
// anyone else.
func (r *Rules) strangers(s *State, f *Finding, l *ladder, minute uint32) []restrict.Restriction {
	if !f.Signs.Has(OddPlace) || !f.Call.oddAfter(l) {
		return nil
	}
	x := restrict.Restriction{Names: restrict.Set{Paid: true}, Known: r.owned(s.Account.places, minute)}
	if len(x.Known) == 0 {
		return nil
	}
	return []restrict.Restriction{x}
}

// logins refuses logins from networks, and with products, that are not long the customer's. Where none is, a login tells nothing, and none is refused.
func (r *Rules) logins(s *State, minute uint32) []restrict.Restriction {
	x := restrict.Restriction{Login: true, Known: r.owned(s.Account.places, minute), Products: r.owned(s.Account.devices, minute)}
	if len(x.Known) == 0 {
		return nil
	}
	return []restrict.Restriction{x}
}

// owned are the networks, or products, that are long the customer's.
func (r *Rules) owned(k known, minute uint32) (keys []uint32) {
	for _, p := range k {
		if p.key != 0 && !k.strange(uint32(p.key), uint16(minute/(24*60)), uint16(r.Forget)) {
			keys = append(keys, uint32(p.key))
		}
	}
	slices.Sort(keys)
	return keys
}

// revenue are the classes at home that pay the holder of the number.
var revenue = func() (bits uint32) {
	for c := range phone.NumClasses {
		if c.Revenue() {
			bits |= 1 << c
		}
	}
	return bits
}()

// kind adds the country of a call abroad to what is closed, or what is dear at home in its place: an island, or a class that pays its holder.
func (c *Call) kind(names *restrict.Set) {
	switch {
	case c.abroad:
		names.Countries = []phone.Country{c.Country}
	case c.Class.Revenue():
		names.Classes |= 1 << c.Class
	default:
		c.island(names)
	}
}

// island adds the country of a call to Jersey, Guernsey or the Isle of Man: they are dear, and not abroad, so that closing what is abroad leaves them open.
func (c *Call) island(names *restrict.Set) {
	if c.National && slices.Contains(islands, c.Country) {
		names.Countries = []phone.Country{c.Country}
	}
}

// islands are the countries that are called as numbers at home.
var islands = []phone.Country{{'J', 'E'}, {'G', 'G'}, {'I', 'M'}}

// ranges is the thousand-block of a call, as a restriction names it.
func (c *Call) ranges() []restrict.Range {
	if c.block() == 0 {
		return nil
	}
	return []restrict.Range{rangeOf(c.block())}
}

func rangeOf(digits uint64) restrict.Range {
	n := 0
	for x := digits; x != 0; x /= 10 {
		n++
	}
	return restrict.Range{Prefix: digits, Digits: n}
}

// numbersOf are the numbers that stay open.
func numbersOf(s *State, old uint16) (all []restrict.Range) {
	have := map[uint64]bool{}
	for _, m := range [...]*Memory{s.Line, s.Account} {
		for _, n := range m.exceptions(old) {
			if !have[n.key] {
				have[n.key] = true
				all = append(all, rangeOf(n.key))
			}
		}
	}
	return all
}

// countriesOf are the countries abroad that the line or its customer has long called.
func countriesOf(s *State, old uint16) (all []phone.Country) {
	for _, m := range [...]*Memory{s.Line, s.Account} {
		for _, row := range m.rows {
			if row.key == 0 || row.first >= old {
				continue
			}
			country := phone.Country{byte(row.key >> 16), byte(row.key >> 8), byte(row.key)}
			if !slices.Contains(all, country) {
				all = append(all, country)
			}
		}
	}
	slices.SortFunc(all, func(a, b phone.Country) int { return slices.Compare(a[:], b[:]) })
	return all
}
