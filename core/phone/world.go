package phone

import (
	_ "embed"
	"math/bits"
	"sync"
)

//go:generate go run ./gen

// worldTable holds the number ranges of every country code as an automaton over digits, derived from libphonenumber's
// metadata by core/phone/gen and exact for every number. It is read in place: no start-up work, no heap.
//
//	2000 bytes   first state of each country code 0…999, uint16 little-endian, 0 for none
//	1000 bytes   main region of each country code: number of its name
//	1 byte       n, number of names
//	3n bytes     names of regions, zero-padded; "001" is no country
//	22 bytes …   states: next state by digit (10 × uint16, 0 is dead), kind of a number that ends here, its region
//
//go:embed world.bin
var worldTable string

const (
	worldMains  = 2 * 1000
	worldNames  = 3 * 1000
	stateLen    = 22
	stateKind   = 20
	stateRegion = 21
)

// worldStates is where the states begin.
var worldStates = worldNames + 1 + 3*int(worldTable[worldNames])

// kind is what sort of number the table says it is; the order is that of core/phone/gen.
type kind uint8

const (
	kindNone kind = iota
	kindFixed
	kindMobile
	kindFreephone
	kindPremium
	kindShared
	kindVoIP
	kindPersonal
	kindPager
	kindUniversal
	kindVoicemail
)

// abroad and atHome are the classes of the kinds.
var (
	abroad = [...]Class{
		kindFixed: IntlFixed, kindMobile: IntlMobile, kindFreephone: IntlFreephone, kindPremium: IntlPremium,
		kindShared: IntlShared, kindVoIP: IntlShared, kindPersonal: IntlShared, kindPager: IntlShared,
		kindUniversal: IntlShared, kindVoicemail: IntlShared,
	}
	atHome = [...]Class{
		kindFixed: Geographic, kindMobile: Mobile, kindFreephone: Freephone, kindPremium: Premium,
		kindShared: Revenue084, kindVoIP: VoIP, kindPersonal: Personal, kindPager: Pager,
		kindUniversal: UKWide, kindVoicemail: Mobile,
	}
)

// worldAsk says what the digits after a country code are. A number that might still become valid with more digits is
// TooShort; what no digits could mend is NoRange.
func worldAsk(code uint16, national []byte) (kind, Country, Problem) {
	state := worldRoot(code)
	for _, digit := range national {
		if state = worldNext(state, digit-'0'); state == 0 {
			return kindNone, Country{}, NoRange
		}
	}
	at := worldStates + stateLen*int(state)
	k := kind(worldTable[at+stateKind])
	if k == kindNone {
		return kindNone, Country{}, TooShort
	}
	return k, worldName(worldTable[at+stateRegion]), NoProblem
}

func worldName(region byte) Country {
	name := worldNames + 1 + 3*int(region)
	return Country{worldTable[name], worldTable[name+1], worldTable[name+2]}
}

// Countries are all that numbers can be of, by ISO 3166-1 code, and 001 for networks of none.
func Countries() []Country {
	out := make([]Country, worldTable[worldNames])
	for i := range out {
		out[i] = worldName(byte(i))
	}
	return out
}

// worldRoot is the first state of a country code, 0 when the code is not assigned.
func worldRoot(code uint16) uint16 {
	return uint16(worldTable[2*code]) | uint16(worldTable[2*code+1])<<8
}

func worldNext(state uint16, digit byte) uint16 {
	at := worldStates + stateLen*int(state) + 2*int(digit)
	return uint16(worldTable[at]) | uint16(worldTable[at+1])<<8
}

// countryCode splits the country code off: no code is the beginning of another. 0 when there is none.
func countryCode(digits []byte) (code uint16, n int) {
	for n < len(digits) && n < 3 {
		code = code*10 + uint16(digits[n]-'0')
		n++
		if code == 0 {
			return 0, 0
		}
		if worldRoot(code) != 0 {
			return code, n
		}
	}
	return 0, 0
}

// intlClass is the class of a number abroad. Of the codes without a country the code decides, because the table says mobile or
// VoIP of satellites. Universal personal numbers (878) and relief work (888) are as far from an ordinary price as they.
func intlClass(code uint16, k kind) Class {
	switch code {
	case 870, 878, 881, 882, 883, 888:
		return Satellite
	case 979:
		return IntlPremium
	}
	return abroad[k]
}

// several stands for more than one region among the numbers that a state leads to.
const several = 0xff

// common is what all numbers through a state have in common: their kinds as bits, none when there are no numbers, and
// their region.
type common struct {
	kinds  uint16
	region byte
}

func (c common) join(other common) common {
	switch {
	case other.kinds == 0:
		return c
	case c.kinds == 0:
		return other
	case c.region != other.region:
		c.region = several
	}
	c.kinds |= other.kinds
	return c
}

// worldCommon has an entry for each state: 55 KB, made when first asked for.
var worldCommon = sync.OnceValue(func() []common {
	all := make([]common, (len(worldTable)-worldStates)/stateLen)
	done := make([]bool, len(all))
	var fill func(state uint16) common
	fill = func(state uint16) common {
		if done[state] || state == 0 {
			return all[state]
		}
		at := worldStates + stateLen*int(state)
		var c common
		if k := worldTable[at+stateKind]; k != 0 {
			c = common{1 << k, worldTable[at+stateRegion]}
		}
		for digit := range byte(10) {
			c = c.join(fill(worldNext(state, digit)))
		}
		all[state], done[state] = c, true
		return c
	}
	for code := range uint16(1000) {
		fill(worldRoot(code))
	}
	return all
})

// OfPrefix says what the numbers that begin with these E.164 digits have in common: their country (the main one of the
// code when several share it, "1" is US), and their class as dialled from abroad, ClassUnknown when there are several.
// The zero Country means that no number begins so.
func OfPrefix(prefix uint64) (Country, Class) {
	country, classes := ClassesOfPrefix(prefix)
	if bits.OnesCount32(classes) != 1 {
		return country, ClassUnknown
	}
	return country, Class(bits.TrailingZeros32(classes))
}

// ClassesOfPrefix is OfPrefix with all classes that there are, bit 1<<class for each.
func ClassesOfPrefix(prefix uint64) (Country, uint32) {
	code, state := follow(prefix)
	c := worldCommon()[state]
	if c.kinds == 0 {
		return Country{}, 0
	}
	if c.region == several {
		c.region = worldTable[worldMains+int(code)]
	}
	classes := uint32(0)
	for kinds := c.kinds; kinds != 0; kinds &= kinds - 1 {
		classes |= 1 << intlClass(code, kind(bits.TrailingZeros16(kinds)))
	}
	return worldName(c.region), classes
}
