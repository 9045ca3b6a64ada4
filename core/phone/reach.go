package phone

import (
	"math/bits"
	"slices"
	"strconv"
	"sync"
)

// Kinds is a set of the kinds of number that the world's tables tell apart. They are the same at home and abroad, unlike a
// Class, which is as a number is dialled.
type Kinds uint16

// Kinds of number.
const (
	Fixed          = Kinds(1) << kindFixed
	Cellular       = Kinds(1) << kindMobile
	TollFree       = Kinds(1) << kindFreephone
	PremiumRate    = Kinds(1) << kindPremium
	SharedCost     = Kinds(1) << kindShared
	Nomadic        = Kinds(1) << kindVoIP
	PersonalNumber = Kinds(1) << kindPersonal
	Paging         = Kinds(1) << kindPager
	Universal      = Kinds(1) << kindUniversal
	Voicemail      = Kinds(1) << kindVoicemail
)

// Reach is what numbers of one country begin with a prefix.
type Reach struct {
	Country Country
	Kinds   Kinds
}

// Under is which numbers begin with these E.164 digits, the country to which the code mainly belongs first. It is empty when
// none do.
func Under(prefix uint64) []Reach {
	code, state := follow(prefix)
	all := worldCommon()
	if c := all[state]; c.kinds == 0 {
		return nil
	} else if c.region != several {
		return []Reach{{worldName(c.region), Kinds(c.kinds)}}
	}
	found := map[byte]Kinds{}
	seen := map[uint16]bool{}
	var visit func(state uint16)
	visit = func(state uint16) {
		c := all[state]
		if state == 0 || seen[state] || c.kinds == 0 {
			return
		}
		seen[state] = true
		if c.region != several {
			found[c.region] |= Kinds(c.kinds)
			return
		}
		at := worldStates + stateLen*int(state)
		if k := worldTable[at+stateKind]; k != 0 {
			found[worldTable[at+stateRegion]] |= 1 << k
		}
		for digit := range byte(10) {
			visit(worldNext(state, digit))
		}
	}
	visit(state)
	out := make([]Reach, 0, len(found))
	for region, kinds := range found {
		out = append(out, Reach{worldName(region), kinds})
	}
	main := worldName(worldTable[worldMains+int(code)])
	slices.SortFunc(out, func(a, b Reach) int {
		if (a.Country == main) != (b.Country == main) {
			return map[bool]int{true: -1, false: 1}[a.Country == main]
		}
		return slices.Compare(a.Country[:], b.Country[:])
	})
	return out
}

// follow goes through the digits of a prefix: the country code and the state after them, 0 where nothing begins so.
func follow(prefix uint64) (code, state uint16) {
	var buf [20]byte
	all := strconv.AppendUint(buf[:0], prefix, 10)
	code, n := countryCode(all)
	if code == 0 {
		return 0, 0
	}
	state = worldRoot(code)
	for _, digit := range all[n:] {
		state = worldNext(state, digit-'0')
	}
	return code, state
}

// Kinds are those of which a number of this class may be. A number that no table classifies may be of any.
func (d *Destination) Kinds() Kinds {
	switch d.Class {
	case Geographic, IntlFixed:
		return Fixed
	case Mobile, IntlMobile:
		return Cellular
	case UKWide:
		return Universal
	case Freephone, IntlFreephone:
		return TollFree
	case Personal:
		return PersonalNumber
	case Pager:
		return Paging
	case VoIP: // the tables call 055, which companies have within themselves, universal
		return Nomadic | Universal
	case Revenue084, Revenue087:
		return SharedCost | PremiumRate
	case Premium, IntlPremium:
		return PremiumRate
	case IntlShared:
		if _, state := follow(d.Number.Digits()); state != 0 {
			if k := worldTable[worldStates+stateLen*int(state)+stateKind]; k != 0 {
				return 1 << k
			}
		}
	}
	return ^Kinds(0)
}

// Example is a number of a country and kind that begins with these digits.
func Example(prefix uint64, country Country, kinds Kinds) (Number, bool) {
	_, state := follow(prefix)
	digits, ok := complete(state, prefix, country, kinds)
	return Number{digits: digits}, ok
}

// complete adds digits until a number of the country and kind is whole.
func complete(state uint16, digits uint64, country Country, kinds Kinds) (uint64, bool) {
	c := worldCommon()[state]
	if state == 0 || Kinds(c.kinds)&kinds == 0 || c.region != several && worldName(c.region) != country {
		return 0, false
	}
	at := worldStates + stateLen*int(state)
	if k := worldTable[at+stateKind]; k != 0 && kinds&(1<<k) != 0 && worldName(worldTable[at+stateRegion]) == country {
		return digits, true
	}
	for _, digit := range []byte{2, 3, 4, 5, 6, 7, 8, 9, 1, 0} {
		if whole, ok := complete(worldNext(state, digit), digits*10+uint64(digit), country, kinds); ok {
			return whole, true
		}
	}
	return 0, false
}

// Each calls do for each kind of a set.
func (k Kinds) Each(do func(Kinds)) {
	for ; k != 0; k &= k - 1 {
		do(1 << bits.TrailingZeros16(uint16(k)))
	}
}

// CodeOf is the country code that E.164 digits begin with, 0 for none.
func CodeOf(prefix uint64) int {
	code, _ := follow(prefix)
	return int(code)
}

// CountryCode is the code of a country, 0 when it has none.
func CountryCode(c Country) int { return countryCodes()[c] }

var countryCodes = sync.OnceValue(func() map[Country]int {
	codes := map[Country]int{}
	for code := range uint64(1000) {
		for _, r := range Under(code) {
			if CodeOf(code) == int(code) {
				codes[r.Country] = int(code)
			}
		}
	}
	return codes
})
