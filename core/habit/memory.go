package habit

import (
	"math"
	"slices"

	"ringfence/core/money"
)

// Memory is what is known of a line's habits, or of a customer's. The zero Memory knows nothing. It grows with use to at most MaxMemory bytes
// as Append writes it. It is copied by Copy, or by Append and Read.
type Memory struct {
	born  uint32 // minute of the first event
	young bool   // of a customer: it was new then
	week  uint16 // number of the week that peaks are being learnt of

	numbers, rows, places, devices known
	blocks                         []block    // the heaviest thousand-blocks, in no order
	hours, fresh                   [168]uint8 // by hour of the week: learnt, and of this week
	meters                         [NumMeters]meter

	open, most         uint16 // calls that cost in progress, and the most there have been, learnt week by week
	peak               uint16 // the most of this week
	hour               uint32 // number of the hour that calls are counted in
	inHour, mostInHour uint16 // calls in it, and the most in an hour, learnt week by week
	peakInHour         uint16
	lines              uint16 // of a customer: how many lines have called
	called             uint16 // 1 once the line has called
	// Calls that an answer would have stopped: of this week, and of the weeks before, which fade.
	stopped, stops [numPrices]uint16

	calm             uint8 // weeks without an answer
	wanders, changes uint8 // new places and products lately, which fade

	ladder        // of the answers
	shadow ladder // of those that rules only say, as if they were in force

	alarm      uint32 // minute until which signs that last are on: trouble, tries and test calls
	alarmSigns Signs
	tries      [4]try
	last       uint64 // number called last
	repeats    uint8  // how often the last number, or one next to it, came in a row
}

// Copy is a Memory that shares nothing with this one.
func (m *Memory) Copy() Memory {
	c := *m
	for _, k := range [...]*known{&c.numbers, &c.rows, &c.places, &c.devices} {
		*k = slices.Clone(*k)
	}
	c.blocks = slices.Clone(m.blocks)
	return c
}

// ladder is how far up its steps answers have gone.
type ladder struct {
	step    Step   // that is in force, 0 is none
	reached Step   // and the last one before it
	until   uint32 // minute until which the answer holds
	fired   uint8  // times that a meter fired, forgotten one by one
	firedAt uint32
}

// of is the ladder for a rule's life.
func (m *Memory) of(l Life) *ladder {
	if l.Acts() {
		return &m.ladder
	}
	return &m.shadow
}

// MaxMemory bounds a Memory that is written, in bytes.
const MaxMemory = 4096

// Bounds of a Memory's tables.
const (
	maxNumbers = 96
	maxRows    = 40
	maxPlaces  = 16
	maxDevices = 8
	maxBlocks  = 24
)

// try is something that happened to a key at a minute.
type try struct {
	key uint64
	at  uint32
}

// meter adds up pounds that fade.
type meter struct {
	level money.Micro // with every sign
	plain money.Micro // without them: what is learnt
	at    uint32      // minute when both were right
	peak  money.Micro // highest plain of this week
	most  money.Micro // highest of the weeks before, which grows slowly and fades
	told  bool        // half of the allowance was passed, and said
}

// block is what flows into a thousand numbers.
type block struct {
	key          uint64 // number / 1000
	level, plain money.Micro
	at           uint32
}

// seen is a key with the days on which it was seen.
type seen struct {
	key         uint64
	first, last uint16 // days since 1970
	n           uint16 // how often, saturating
	week, most  uint16 // of a number, in pence: what was spent on it this week, and in the highest week of those before
}

// known is a table of keys in buckets of four, of which the longest unused gives way. It doubles up to its bound.
type known []seen

const bucket = 4

// at finds a key.
func (k known) at(key uint64) *seen {
	if len(k) == 0 {
		return nil
	}
	b := k.bucket(key)
	for i := range b {
		if b[i].key == key {
			return &b[i]
		}
	}
	return nil
}

func (k known) bucket(key uint64) []seen {
	n := uint64(len(k) / bucket)
	at := int((key * 0x9e3779b97f4a7c15 >> 32) * n >> 32)
	return k[at*bucket : at*bucket+bucket]
}

// see notes that a key was seen on a day.
func (k *known) see(key uint64, day uint16, bound int) *seen {
	if s := k.at(key); s != nil {
		s.last = max(s.last, day)
		s.n += b2u(s.n < math.MaxUint16)
		return s
	}
	return k.put(seen{key: key, first: day, last: day, n: 1}, bound)
}

func b2u(b bool) uint16 {
	if b {
		return 1
	}
	return 0
}

func (k *known) put(s seen, bound int) *seen {
	if *k == nil {
		*k = make(known, bucket)
	}
	for {
		b := k.bucket(s.key)
		oldest := 0
		for i := range b {
			if b[i].key == 0 {
				b[i] = s
				return &b[i]
			}
			if b[i].last < b[oldest].last {
				oldest = i
			}
		}
		if len(*k) >= bound {
			b[oldest] = s
			return &b[oldest]
		}
		k.grow(bound)
	}
}

func (k *known) grow(bound int) {
	old := *k
	*k = make(known, min(2*len(old), bound))
	for _, s := range old {
		if s.key != 0 {
			k.put(s, bound)
		}
	}
}

// forget drops what was first seen on a day or later.
func (k known) forget(since uint16) {
	for i := range k {
		if k[i].first >= since {
			k[i] = seen{}
		}
	}
}

// forgetStrange drops what was first seen on a day or later and is not the customer's own.
func (k known) forgetStrange(since uint16) {
	for i := range k {
		if k[i].first >= since && k[i].n < own {
			k[i] = seen{}
		}
	}
}

// spend adds to what was spent on a number this week, or takes it back.
func (s *seen) spend(more money.Micro) {
	const pence = money.Pound / 100
	s.week = uint16(min(max(money.Micro(s.week)+more/pence, 0), math.MaxUint16))
}

// trusted is for how many pence a week a number is known: for what it has cost before and some more. A short call makes nobody's number known for any money.
func (s *seen) trusted() uint16 {
	const little = 200 // pence
	return uint16(min(int(s.most)*2+little, math.MaxUint16))
}

// turn learns what was spent on numbers in a week that has ended.
func (k known) turn(doubted bool) {
	for i := range k {
		s := &k[i]
		grown := s.trusted()
		switch {
		case s.most == 0: // the first week, of which every call was counted as one to a new number
			grown = s.week
		case doubted:
			grown = s.most
		}
		s.most, s.week = max(s.most-s.most/16, min(s.week, grown)), 0
	}
}

// origin notes where a call came from, or with what, and lately counts those that are new. A network is the customer's own once it has carried calls as the
// customer has always made them.
func (k *known) origin(key uint32, day uint16, most int, familiar bool, lately *uint8) {
	if key == 0 {
		return
	}
	s := k.at(uint64(key))
	if s == nil {
		s = k.put(seen{key: uint64(key), first: day, last: day}, most)
		*lately += uint8(b2u(*lately < math.MaxUint8))
	}
	s.last = max(s.last, day)
	s.n += b2u(familiar && s.n < math.MaxUint16)
}

// own is how many such calls make a network, or a product, the customer's.
const own = 4

// strange says that a key is not the customer's own: neither long known nor used as the customer always does.
func (k known) strange(key uint32, day, after uint16) bool {
	s := k.at(uint64(key))
	return s == nil || s.n < own && s.first+after > day
}

// faded is what is left of an amount after some minutes.
func faded(a money.Micro, minutes uint32, memory float64) money.Micro {
	if a == 0 || minutes == 0 {
		return a
	}
	return money.Micro(float64(a) * math.Exp(-float64(minutes)/memory))
}

// add brings a meter to a minute and adds to it; both may be negative, for money that was given back.
func (m *meter) add(level, plain money.Micro, minute uint32, memory float64) {
	if minute > m.at {
		passed := minute - m.at
		m.level, m.plain, m.at = faded(m.level, passed, memory), faded(m.plain, passed, memory), minute
	}
	m.level, m.plain = max(m.level.Add(level), 0), max(m.plain.Add(plain), 0)
	m.peak = max(m.peak, m.plain)
}

// block finds the meter of a thousand-block. The lightest gives way.
func (m *Memory) block(key uint64, minute uint32, memory float64) *block {
	lightest := -1
	for i := range m.blocks {
		b := &m.blocks[i]
		if b.key == key {
			b.fade(minute, memory)
			return b
		}
		if lightest < 0 || b.level < m.blocks[lightest].level || b.level == m.blocks[lightest].level && b.at < m.blocks[lightest].at {
			lightest = i
		}
	}
	if len(m.blocks) < maxBlocks {
		m.blocks = append(m.blocks, block{key: key, at: minute})
		return &m.blocks[len(m.blocks)-1]
	}
	for i := range m.blocks {
		m.blocks[i].fade(minute, memory)
		if m.blocks[i].level < m.blocks[lightest].level {
			lightest = i
		}
	}
	m.blocks[lightest] = block{key: key, at: minute}
	return &m.blocks[lightest]
}

func (b *block) fade(minute uint32, memory float64) {
	if minute > b.at {
		passed := minute - b.at
		b.level, b.plain, b.at = faded(b.level, passed, memory), faded(b.plain, passed, memory), minute
	}
}

// turn learns from the weeks that have ended. It says whether this is the first event.
func (m *Memory) turn(minute uint32, r *Rules) (first bool) {
	week := uint16(minute / (7 * 24 * 60))
	if m.week == 0 {
		m.born, m.week = minute, week
		return true
	}
	for n := 0; m.week < week && n < 60; n++ { // a year or more of silence forgets as much as a year
		m.week++
		learns := int(m.week)*7 <= int(m.born/(24*60))+r.Learning+7 // nothing acts yet: what there is is usual
		doubted := m.doubted(m.week - 1)
		for i := range m.meters {
			x := &m.meters[i]
			grown := x.most + x.most/2 + r.Little
			switch {
			case learns:
				grown = x.peak
			case doubted:
				grown = x.most
			}
			x.most = max(x.most-x.most/16, min(x.peak, grown))
			x.peak, x.told = 0, false
		}
		m.most = learnt(m.most, m.peak, m.most/2+1, learns, doubted)
		m.mostInHour = learnt(m.mostInHour, m.peakInHour, m.mostInHour/2+2, learns, doubted)
		m.peak, m.peakInHour = m.open, 0
		for i := range m.stopped {
			if !doubted {
				m.stops[i] = max(m.stops[i]-m.stops[i]/4, m.stopped[i])
			}
			m.stopped[i] = 0
		}
		m.numbers.turn(doubted)
		m.calm += uint8(b2u(!doubted && m.calm < calmWeeks && int(m.week)*7 > int(m.born/(24*60))+17)) // of weeks in which stopped was counted
		for i := range m.hours {
			m.hours[i] = uint8(min(int(m.hours[i])-(int(m.hours[i])+7)/8+int(m.fresh[i]), math.MaxUint8))
		}
		m.fresh = [168]uint8{}
		m.wanders -= (m.wanders + 3) / 4
		m.changes -= (m.changes + 3) / 4
		for _, l := range [...]*ladder{&m.ladder, &m.shadow} {
			l.fired -= uint8(b2u(l.fired > 0 && l.step == 0 && m.week%2 == 0))
		}
	}
	m.week = max(m.week, week)
	return false
}

// doubted says that an answer was given in a week, and nobody has said that its calls were honest. What they reached is not usual, and teaches nothing.
func (m *Memory) doubted(week uint16) bool {
	return m.firedAt != 0 && uint16(m.firedAt/(7*24*60)) == week
}

// learnt is the most there has been after a week with this peak. It grows by a step at most, and fades.
func learnt(most, peak, step uint16, learns, doubted bool) uint16 {
	switch {
	case learns:
		return max(most, peak)
	case doubted:
		step = 0
	}
	return max(most-most/16, min(peak, most+step))
}

// hourly counts a call within its hour.
func (m *Memory) hourly(minute uint32) {
	if hour := minute / 60; hour != m.hour {
		m.hour, m.inHour = hour, m.inHour/4
	}
	m.inHour += b2u(m.inHour < math.MaxUint16)
	m.peakInHour = max(m.peakInHour, m.inHour)
}

// age is how many days the memory covers; 0 if it has seen nothing.
func (m *Memory) age(minute uint32) int {
	if m.week == 0 {
		return 0
	}
	return int(max(minute, m.born)-m.born) / (24 * 60)
}

// usual says that calls are made in this hour of the week: in it, or often enough in those beside it or at the same hour of other days.
func (m *Memory) usual(hour int) bool {
	n := int(m.hours[hour])*2 + int(m.hours[(hour+1)%168]) + int(m.hours[(hour+167)%168])
	for d := 24; d < 168 && n < often; d += 24 {
		if weekend(hour) == weekend((hour+d)%168) {
			n += int(m.hours[(hour+d)%168])
		}
	}
	return n >= often
}

// often is what the hours must add up to for one to be usual; perCall is what a call adds.
const (
	perCall = 16
	often   = 24
)

// weekend says that an hour of the week, from Monday 00:00, is on a Saturday or Sunday.
func weekend(hour int) bool { return hour >= 5*24 }

// exceptions are the numbers that the line, or its customer, has called since before a day: the longest known first.
func (m *Memory) exceptions(before uint16) []seen {
	var all []seen
	for _, s := range m.numbers {
		if s.key != 0 && s.first < before {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b seen) int {
		if a.first != b.first {
			return int(a.first) - int(b.first)
		}
		return int(int64(a.key) - int64(b.key))
	})
	return all
}

// What answers would stop.
const (
	priceNew    = iota // calls abroad, or that pay their holder, to countries that were new
	priceAbroad        // to numbers that were not long known
	pricePaid          // any that cost something
	numPrices
)

// calmWeeks is how many weeks without an answer show what a customer does that was new when its memory began. Weeks with one teach nothing.
const calmWeeks = 4

// price is how many calls a week an answer would have stopped. This week counts only at first: its calls may be a thief's.
func (m *Memory) price(of int, young bool, minute uint32) uint16 {
	if m.age(minute) < 21 || young && m.calm < calmWeeks {
		return max(m.stopped[of], m.stops[of])
	}
	return m.stops[of]
}

// Fetch reads a byte of each part that an event reads, so that they are in the cache when one comes. What it returns says nothing.
func (m *Memory) Fetch() int {
	n := int(m.week) + int(m.step) + int(m.alarm) + int(m.meters[Pace].at) + int(m.hours[0]) + int(m.fresh[0])
	for _, k := range [...]known{m.places, m.devices} {
		if len(k) > 0 {
			n += int(k[0].n)
		}
	}
	return n
}
