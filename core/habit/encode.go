package habit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"ringfence/core/money"
	"ringfence/core/phone"
)

// ErrMemory says that bytes are not what Append wrote.
var ErrMemory = errors.New("not a memory of habits")

// Versions of the encoding, its first byte. Before withTighten the steps above Notice were one less; before withSpending it was not known what was spent
// on a number; before withListed it was not known of a call whether a hot list names its number.
const (
	oldest       = 2
	withTighten  = 3
	withSpending = 4
	withListed   = 5
	version      = withListed
)

// versioned says that b begins with a version that can be read.
func versioned(b []byte) bool { return len(b) > 0 && b[0] >= oldest && b[0] <= version }

// Append writes the memory after b, in at most MaxMemory bytes.
func (m *Memory) Append(b []byte) []byte {
	const usual = 1024 // bytes
	e := encoder{b: append(slices.Grow(b, usual), version), version: version}
	e.visit(m)
	return e.b
}

// Read is what Append wrote. ErrMemory.
func Read(b []byte) (*Memory, error) {
	if !versioned(b) {
		return nil, fmt.Errorf("%w: version", ErrMemory)
	}
	m := &Memory{}
	d := decoder{b: b[1:], version: b[0]}
	d.visit(m)
	if b[0] < withTighten {
		for _, step := range [...]*Step{&m.ladder.step, &m.ladder.reached, &m.shadow.step, &m.shadow.reached} {
			*step += Step(b2u(*step > Notice))
		}
	}
	if d.bad || len(d.b) != 0 || (len(m.numbers)|len(m.rows)|len(m.places)|len(m.devices))%bucket != 0 { // a table is whole buckets
		return nil, ErrMemory
	}
	return m, nil
}

// AppendCall writes a call in progress after b.
func AppendCall(b []byte, c *Call) []byte {
	e := encoder{b: append(b, version), version: version}
	e.call(c)
	return e.b
}

// ReadCall is what AppendCall wrote. ErrMemory.
func ReadCall(b []byte) (*Call, error) {
	if !versioned(b) {
		return nil, fmt.Errorf("%w: version", ErrMemory)
	}
	c := &Call{}
	d := decoder{b: b[1:], version: b[0]}
	d.call(c)
	if d.bad || len(d.b) != 0 {
		return nil, ErrMemory
	}
	return c, nil
}

// AppendWorld writes what is known across customers.
func (w *World) Append(b []byte) []byte {
	e := encoder{b: append(b, version)}
	for of := range numSubjects {
		seen := w.seen[of]
		e.num(uint64(len(seen)))
		for _, key := range sortedKeys(seen) {
			e.num(key)
			e.num(seen[key].who)
			e.num(uint64(seen[key].last))
		}
	}
	return e.b
}

// ReadWorld is what World.Append wrote. ErrMemory.
func ReadWorld(b []byte) (*World, error) {
	if !versioned(b) {
		return nil, fmt.Errorf("%w: version", ErrMemory)
	}
	w := &World{}
	d := decoder{b: b[1:]}
	for of := range numSubjects {
		n := d.num()
		if n > uint64(mostKeys[of]) {
			return nil, ErrMemory
		}
		w.seen[of] = make(map[uint64]mark, n)
		for range n {
			key := d.num()
			w.seen[of][key] = mark{d.num(), uint16(d.num())}
		}
	}
	if d.bad || len(d.b) != 0 {
		return nil, ErrMemory
	}
	w.close()
	return w, nil
}

type encoder struct {
	b       []byte
	version byte // of a Memory or a Call
}

func (e *encoder) num(n uint64) { e.b = binary.AppendUvarint(e.b, n) }

type decoder struct {
	b       []byte
	version byte // of a Memory or a Call
	bad     bool
}

func (d *decoder) num() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

// visitor writes or reads a field: the layout is said once.
type visitor interface {
	u64(*uint64)
	u32(*uint32)
	u16(*uint16)
	u8(*uint8)
	amount(*money.Micro)
	flag(*bool)
	hours(learnt, fresh *[168]uint8) // by themselves: there are many
	has(version byte) bool           // what is written has what that version brought
	// size gives how many elements there are, or reads it; most is the bound.
	size(n, most int) int
}

func (e *encoder) u64(p *uint64)         { e.num(*p) }
func (e *encoder) u32(p *uint32)         { e.num(uint64(*p)) }
func (e *encoder) u16(p *uint16)         { e.num(uint64(*p)) }
func (e *encoder) u8(p *uint8)           { e.num(uint64(*p)) }
func (e *encoder) amount(p *money.Micro) { e.b = binary.AppendVarint(e.b, int64(*p)) }
func (e *encoder) size(n, _ int) int     { e.num(uint64(n)); return n }
func (e *encoder) has(v byte) bool       { return e.version >= v }
func (e *encoder) flag(p *bool)          { e.num(uint64(b2u(*p))) }
func (e *encoder) hours(learnt, fresh *[168]uint8) {
	b := e.b
	for i := range learnt {
		b = binary.AppendUvarint(b, uint64(learnt[i]))
		b = binary.AppendUvarint(b, uint64(fresh[i]))
	}
	e.b = b
}

func (d *decoder) hours(learnt, fresh *[168]uint8) {
	for i := range learnt {
		d.u8(&learnt[i])
		d.u8(&fresh[i])
	}
}

func (e *encoder) visit(m *Memory) { layout(e, m) }
func (e *encoder) call(c *Call)    { layoutCall(e, c) }
func (d *decoder) u64(p *uint64)   { *p = d.num() }
func (d *decoder) visit(m *Memory) { layout(d, m) }
func (d *decoder) call(c *Call)    { layoutCall(d, c) }
func (d *decoder) has(v byte) bool { return d.version >= v }
func (d *decoder) flag(p *bool)    { *p = d.bounded(1) == 1 }
func (d *decoder) u32(p *uint32)   { *p = uint32(d.bounded(1<<32 - 1)) }
func (d *decoder) u16(p *uint16)   { *p = uint16(d.bounded(1<<16 - 1)) }
func (d *decoder) u8(p *uint8)     { *p = uint8(d.bounded(1<<8 - 1)) }

func (d *decoder) bounded(most uint64) uint64 {
	n := d.num()
	if n > most {
		d.bad = true
		return 0
	}
	return n
}

func (d *decoder) amount(p *money.Micro) {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.bad, d.b = true, nil
		return
	}
	*p, d.b = money.Micro(n), d.b[size:]
}

func (d *decoder) size(_, most int) int { return int(d.bounded(uint64(most))) }

// layout is the order of a Memory's fields.
func layout(v visitor, m *Memory) {
	v.u32(&m.born)
	v.flag(&m.young)
	v.u16(&m.week)
	table(v, &m.numbers, maxNumbers)
	spending(v, m)
	table(v, &m.rows, maxRows)
	table(v, &m.places, maxPlaces)
	table(v, &m.devices, maxDevices)
	n := v.size(len(m.blocks), maxBlocks)
	if len(m.blocks) != n {
		m.blocks = make([]block, n)
	}
	for i := range m.blocks {
		b := &m.blocks[i]
		v.u64(&b.key)
		v.amount(&b.level)
		v.amount(&b.plain)
		v.u32(&b.at)
	}
	v.hours(&m.hours, &m.fresh)
	for i := range m.meters {
		x := &m.meters[i]
		v.amount(&x.level)
		v.amount(&x.plain)
		v.u32(&x.at)
		v.amount(&x.peak)
		v.amount(&x.most)
		v.flag(&x.told)
	}
	for _, p := range [...]*uint16{&m.open, &m.most, &m.peak, &m.lines, &m.called, &m.inHour, &m.mostInHour, &m.peakInHour} {
		v.u16(p)
	}
	v.u32(&m.hour)
	for i := range m.stops {
		v.u16(&m.stopped[i])
		v.u16(&m.stops[i])
	}
	v.u8(&m.wanders)
	v.u8(&m.changes)
	for _, l := range [...]*ladder{&m.ladder, &m.shadow} {
		v.u8((*uint8)(&l.step))
		v.u8((*uint8)(&l.reached))
		v.u32(&l.until)
		v.u8(&l.fired)
		v.u32(&l.firedAt)
	}
	v.u32(&m.alarm)
	v.u16((*uint16)(&m.alarmSigns))
	v.u64(&m.last)
	v.u8(&m.repeats)
	for i := range m.tries {
		v.u64(&m.tries[i].key)
		v.u32(&m.tries[i].at)
	}
}

// spending is what numbers cost. Those that were known before it was counted are trusted at first.
func spending(v visitor, m *Memory) {
	for i := range m.numbers {
		switch s := &m.numbers[i]; {
		case s.key == 0:
		case v.has(withSpending):
			v.u16(&s.week)
			v.u16(&s.most)
		default:
			s.most = math.MaxUint16
		}
	}
	if v.has(withSpending) {
		v.u8(&m.calm)
	}
}

// table writes the slots in their order, for the bucket that a key is in follows from the number of slots.
func table(v visitor, k *known, most int) {
	n := v.size(len(*k), most)
	if len(*k) != n {
		*k = make(known, n)
	}
	for i := range *k {
		s := &(*k)[i]
		if v.u64(&s.key); s.key == 0 {
			continue
		}
		v.u16(&s.first)
		v.u16(&s.last)
		v.u16(&s.n)
	}
}

func layoutCall(v visitor, c *Call) {
	v.u64(&c.Number)
	v.u8((*uint8)(&c.Class))
	for i := range c.Country {
		v.u8(&c.Country[i])
	}
	v.flag(&c.National)
	v.amount((*money.Micro)(&c.PerMin))
	for _, p := range [...]*uint32{&c.Line, &c.Account, &c.Place, &c.Device} {
		v.u32(p)
	}
	v.u8(&c.Hour)
	v.amount(&c.counted)
	v.u16(&c.novel)
	v.u16(&c.factor)
	v.u16((*uint16)(&c.signs))
	v.u8((*uint8)(&c.level))
	for _, p := range [...]*bool{&c.abroad, &c.paid, &c.restricted} {
		v.flag(p)
	}
	if v.has(withListed) {
		v.flag(&c.Listed)
	}
	c.Class = min(c.Class, phone.NumClasses-1)
	c.Hour = min(c.Hour, 167)
	c.level = min(c.level, New)
}
