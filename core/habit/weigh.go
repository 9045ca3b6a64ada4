package habit

import "ringfence/core/money"

// weigh says what a pound of a call weighs: how new its destination is, and the signs that it is odd.
func (r *Rules) weigh(s *State, c *Call, minute uint32) {
	day := uint16(minute / (24 * 60))
	c.signs = r.signs(s, c, minute, day)
	factor := 256
	for sign := range NumSigns {
		if c.signs.Has(sign) {
			factor = factor * int(r.Signs[sign]) / 256
		}
	}
	c.factor = uint16(min(factor, int(r.MostFactor)))
	c.level = NumberKnown
	if !c.surprising() {
		return
	}
	c.level = r.novelty(s, c, day)
	c.novel = r.weight(s, c, minute)
}

// weight is what a pound of a surprising call weighs, without signs.
func (r *Rules) weight(s *State, c *Call, minute uint32) uint16 {
	weight := int(r.Weights[c.level])
	if s.Account.young && s.Account.age(minute) < r.Learning {
		weight *= 2 // its caps and the trust in it are all that is known
	}
	if c.level == New && s.Account.age(minute) < r.Learning && s.World.count(rows, c.row(), c.Account) >= popular {
		weight /= 2
	}
	return uint16(weight)
}

// beyond counts what is spent on a number, and says that a call to a known one costs more than the number is known for.
func (r *Rules) beyond(s *State, c *Call, more money.Micro, minute uint32) bool {
	s.spend(c, more)
	if c.level > NumberOfOthers {
		return false
	}
	n := s.Line.numbers.at(c.Number)
	if c.level == NumberOfOthers || n == nil {
		n = s.Account.numbers.at(c.Number)
	}
	return n != nil && n.week > n.trusted()
}

// exceeded says that a number has cost more this week than it is known for.
func (s *State) exceeded(number uint64) bool {
	for _, m := range [...]*Memory{s.Line, s.Account} {
		if n := m.numbers.at(number); n != nil && n.week > n.trusted() {
			return true
		}
	}
	return false
}

// rowCalls is how many calls make a kind of number in a country known.
const rowCalls = 2

// spend counts money of a call to the number, where it is remembered.
func (s *State) spend(c *Call, more money.Micro) {
	if !c.surprising() {
		return
	}
	for _, m := range [...]*Memory{s.Line, s.Account} {
		if n := m.numbers.at(c.Number); n != nil {
			n.spend(more)
		}
	}
}

// popular is how many customers make a destination no surprise for a new customer.
const popular = 8

// novelty compares with what the line and its customer have long called. What is only a few days old may be a thief's own.
func (r *Rules) novelty(s *State, c *Call, day uint16) Novelty {
	old := day - min(day, uint16(r.KnownAfter))
	long := func(k known, key uint64) bool {
		x := k.at(key)
		return x != nil && x.first <= old
	}
	switch {
	case long(s.Line.numbers, c.Number):
		return NumberKnown
	case long(s.Account.numbers, c.Number):
		return NumberOfOthers
	}
	return r.row(s, c, day)
}

// row is how new the kind and the country of a number are.
func (r *Rules) row(s *State, c *Call, day uint16) Novelty {
	old := day - min(day, uint16(r.KnownAfter))
	long := func(k known) bool {
		x := k.at(c.row())
		return x != nil && x.first <= old && x.n >= rowCalls
	}
	switch {
	case long(s.Line.rows):
		return RowKnown
	case long(s.Account.rows):
		return RowOfOthers
	}
	return New
}

// signs are what is odd about a call.
func (r *Rules) signs(s *State, c *Call, minute uint32, day uint16) (all Signs) {
	if s.Account.age(minute) >= r.Learning {
		if !s.Account.usual(int(c.Hour)) || s.Line.age(minute) >= r.Learning && s.Line.busy() && !s.Line.usual(int(c.Hour)) {
			all.add(OddHour)
		}
		r.origin(s, c, day, &all)
		if least := uint16(8); s.Line.age(minute) >= 7 && s.Line.inHour > max(s.Line.mostInHour+s.Line.mostInHour/4, least) {
			all.add(Burst)
		}
		if s.Line.age(minute) >= 7 && s.Line.open > s.Line.most && s.Line.open > 0 {
			all.add(AtOnce)
		}
	}
	if s.World.count(hot, c.block(), c.Account) > 0 {
		all.add(HotBlock)
	}
	if c.surprising() && s.baited(c) {
		all.add(Baited)
	}
	if s.Line.alarm >= minute {
		all |= s.Line.alarmSigns
		if s.Account.age(minute) < r.Learning {
			all &^= 1 << TestCall // all that a new customer calls is new to it
		}
	}
	if gap := int64(c.Number - s.Line.last); gap > -50 && gap < 50 {
		s.Line.repeats += uint8(b2u(s.Line.repeats < 255))
	} else {
		s.Line.repeats = 0
	}
	s.Line.last = c.Number
	if c.surprising() && s.Line.repeats >= 3 {
		all.add(InARow)
	}
	for sign := range NumSigns {
		if r.Signs[sign] == NoFactor {
			all &^= 1 << sign
		}
	}
	return all
}

// busy says that a line calls often enough to have hours of its own; the others have their customer's.
func (m *Memory) busy() bool {
	n := 0
	for _, h := range m.hours {
		n += int(h)
	}
	return n >= 40*perCall
}

// origin is about where a call comes from. A customer whose places change all the time has no odd ones.
func (r *Rules) origin(s *State, c *Call, day uint16, all *Signs) {
	const restless = 5
	if c.Place != 0 && s.Account.wanders < restless {
		if s.Account.places.strange(c.Place, day, uint16(r.KnownAfter)) {
			all.add(OddPlace)
			if s.World.count(places, uint64(c.Place), c.Account) == 0 {
				all.add(FarPlace)
			}
		}
	}
	if c.Device != 0 && s.Account.changes < restless {
		if s.Account.devices.strange(c.Device, day, uint16(r.KnownAfter)) {
			all.add(OddDevice)
		}
	}
}

// baited says that the range of a call rang several lines briefly.
func (s *State) baited(c *Call) bool {
	const several = 3
	return s.World.count(baits, c.block(), c.Account) >= several
}
