package phone

import "slices"

const maxDigits = 15 // of E.164, country code included

// Parse understands digits as people dial them: national with the trunk prefix, international with '+' or the
// international prefix, short numbers, and the home country's own E.164 digits bare, each behind the codes of the plan
// ("141" before a number withholds the caller's). Digits of all scripts count; spaces, dashes, dots, slashes and brackets
// are skipped, "tel:" before and one '#' behind; a trunk prefix after the home country code ("+44 (0)20 …") is dropped, and
// after another country's if it is in brackets. Whatever else does not lead to exactly one valid number is refused with the
// Problem: nothing is guessed, no digits are cut off or searched through. Only an emergency number is taken also behind
// codes and prefixes that do not belong there, and before any '#' and '*'.
//
// Countries of PlanConfig.Together are National with their own Country; other countries that share the home code
// (Jamaica for the United States) are international.
//
// It allocates nothing.
func (p *Plan) Parse(dialled string) (Destination, Problem) {
	var d digits
	if problem := d.read(dialled); problem != NoProblem {
		return Destination{}, problem
	}
	all := d.buf[:d.n]
	if dest, ok := p.help(all, d.plus); ok {
		return dest, NoProblem
	}
	if d.tail == tailOther {
		return Destination{}, BadCharacter
	}
	before := all
	if d.plus != 0 {
		before = all[:d.plus-1] // "141+1800 …" is not 18001 behind 141
	}
	n, said := p.codesBefore(before)
	if d.plus != 0 && d.plus != n+1 {
		return Destination{}, BadCharacter
	}
	dest, problem := p.number(all[n:], d.plus != 0, d.zero-1-n)
	if problem == NoProblem {
		dest.Show, dest.Relay = said.show, said.relay
	}
	return dest, problem
}

// IsEmergency says whether what was dialled is an emergency number.
func (p *Plan) IsEmergency(dialled string) bool {
	d, _ := p.Parse(dialled)
	return d.Class == Emergency
}

// help finds an emergency number behind whatever people put before numbers: codes, more than once and in any order, then an
// international prefix or '+' (after plus-1 digits), the home country's code and the trunk prefix. All of what was dialled
// must come to it, so that no beginning of another number does: 0141 999 … is Glasgow.
func (p *Plan) help(all []byte, plus int) (Destination, bool) {
	if !p.endsInHelp(all) {
		return Destination{}, false
	}
	n, relay := 0, uint32(0)
	for plus == 0 || n < plus-1 {
		i := p.codeAt(all[n:])
		if i < 0 {
			break
		}
		n, relay = n+len(p.codes[i].digits), max(relay, p.codes[i].relay)
	}
	if plus != 0 && n != plus-1 {
		return Destination{}, false
	}
	dest, ok := p.helpBehind(all[n:], plus != 0)
	dest.Relay = relay
	return dest, ok
}

// helpBehind finds an emergency number as it is, or as a national one in any form.
func (p *Plan) helpBehind(rest []byte, plus bool) (dest Destination, ok bool) {
	try := func(now []byte) bool {
		rest = now
		dest, ok = p.short(rest, Emergency)
		return ok
	}
	if try(rest) {
		return dest, true
	}
	abroad := plus
	if !plus && hasPrefix(rest, p.intl) {
		if abroad = true; try(rest[len(p.intl):]) {
			return dest, true
		}
	}
	if hasPrefix(rest, p.codeText) {
		if abroad = false; try(rest[len(p.codeText):]) {
			return dest, true
		}
	}
	if !abroad && p.trunk != "" && hasPrefix(rest, p.trunk) {
		try(rest[len(p.trunk):])
	}
	return dest, ok
}

func (p *Plan) endsInHelp(all []byte) bool {
	for _, help := range p.helps {
		if n := len(all) - len(help); n >= 0 && string(all[n:]) == help {
			return true
		}
	}
	return false
}

// codesBefore takes off the codes that stand before a number, each kind at most once: of 141 and 1470 only one can be meant.
func (p *Plan) codesBefore(all []byte) (n int, said code) {
	used := uint64(0)
	for {
		i := p.codeAt(all[n:])
		if i < 0 || used&(1<<i) != 0 {
			return n, said
		}
		c := &p.codes[i]
		if c.show != AsSet && said.show != AsSet || c.relay != 0 && said.relay != 0 {
			return n, said
		}
		used |= 1 << i
		n += len(c.digits)
		said.show, said.relay = max(said.show, c.show), max(said.relay, c.relay)
	}
}

// codeAt is the index of the code that digits begin with, -1 for none. No code is the beginning of another.
func (p *Plan) codeAt(all []byte) int {
	if len(all) == 0 || p.codeStarts&(1<<(all[0]-'0')) == 0 {
		return -1
	}
	for i := range p.codes {
		if hasPrefix(all, p.codes[i].digits) {
			return i
		}
	}
	return -1
}

// number takes a number without codes; zero is where it has "(0)", below 0 for nowhere.
func (p *Plan) number(all []byte, plus bool, zero int) (Destination, Problem) {
	if plus {
		return p.international(all, zero)
	}
	if dest, ok := p.short(all, ClassUnknown); ok {
		if dest.Class == ClassUnknown {
			return Destination{}, NoService
		}
		return dest, NoProblem
	}
	switch {
	case len(all) == 0:
		return Destination{}, TooShort
	case hasPrefix(all, p.intl):
		return p.international(all[len(p.intl):], zero-len(p.intl))
	case p.trunk != "" && hasPrefix(all, p.trunk):
		return p.national(all[len(p.trunk):])
	}
	bare := hasPrefix(all, p.codeText)
	if p.trunk == "" {
		if dest, problem := p.national(all); problem == NoProblem || !bare {
			return dest, problem
		}
	}
	if !bare {
		return Destination{}, NoPrefix
	}
	return p.national(all[len(p.codeText):])
}

// international takes what follows '+' or the international prefix.
func (p *Plan) international(all []byte, zero int) (Destination, Problem) {
	if hasPrefix(all, p.codeText) {
		return p.homeFromAbroad(all[len(p.codeText):])
	}
	code, n := countryCode(all)
	switch {
	case len(all) == 0:
		return Destination{}, TooShort
	case code == 0:
		return Destination{}, NoCountry
	}
	dest, problem := abroadAt(code, n, all)
	if problem != NoProblem && zero == n {
		var without [maxKept]byte // "+49 (0)30 …": the trunk prefix of that country, dialled only in it
		rest := append(append(without[:0], all[:n]...), all[n+1:]...)
		if d, p := abroadAt(code, n, rest); p == NoProblem {
			return d, p
		}
	}
	return dest, problem
}

// abroadAt takes a number abroad whose first n digits are its country code.
func abroadAt(code uint16, n int, all []byte) (Destination, Problem) {
	if len(all) > maxDigits {
		return Destination{}, TooLong
	}
	k, country, problem := worldAsk(code, all[n:])
	if problem != NoProblem {
		return Destination{}, problem
	}
	return Destination{Number: Number{digits: value(all)}, Class: intlClass(code, k), Country: country}, NoProblem
}

// homeFromAbroad takes what follows the home country code: a national number, with or without its trunk prefix.
func (p *Plan) homeFromAbroad(rest []byte) (Destination, Problem) {
	if p.trunk != "" && hasPrefix(rest, p.trunk) {
		if dest, problem := p.national(rest[len(p.trunk):]); problem == NoProblem {
			return dest, problem
		}
	}
	return p.national(rest)
}

// national takes a national number without its trunk prefix.
func (p *Plan) national(rest []byte) (Destination, Problem) {
	if len(rest)+len(p.codeText) > maxDigits {
		return Destination{}, TooLong
	}
	k, country, problem := worldAsk(p.code, rest)
	if problem == NoProblem && !p.isHome(country) {
		return p.located(rest, intlClass(p.code, k), country, false), NoProblem
	}
	if p.derivesRanges {
		if problem != NoProblem {
			return Destination{}, problem
		}
		return p.located(rest, atHome[k], country, true), NoProblem
	}
	entry := p.find(rest)
	switch {
	case len(rest) == 0:
		return Destination{}, TooShort
	case entry == nil:
		return Destination{}, NoRange
	case len(rest) < entry.least:
		return Destination{}, TooShort
	case entry.lengths&(1<<len(rest)) == 0:
		return Destination{}, NoRange
	case entry.checked && problem != NoProblem:
		return Destination{}, problem
	}
	switch {
	case entry.country != (Country{}):
		country = entry.country
	case country == (Country{}):
		country = p.home
	}
	return p.located(rest, entry.class, country, true), NoProblem
}

func (p *Plan) located(rest []byte, class Class, country Country, national bool) Destination {
	n := uint64(p.code)
	for _, c := range rest {
		n = n*10 + uint64(c-'0')
	}
	return Destination{Number: Number{digits: n}, Class: class, Country: country, National: national}
}

// IsNational says that calls to a country, by its code, are national.
func (p *Plan) IsNational(country string) bool {
	c := Country{}
	copy(c[:], country)
	return p.isHome(c)
}

func (p *Plan) isHome(country Country) bool {
	return country == p.home || slices.Contains(p.together, country)
}

// find is the range with the longest prefix of the number.
func (p *Plan) find(rest []byte) *rangeEntry {
	best, at := uint16(0), uint16(0)
	for _, c := range rest {
		if at = p.nodes[at].next[c-'0']; at == 0 {
			break
		}
		if e := p.nodes[at].entry; e != 0 {
			best = e
		}
	}
	if best == 0 {
		return nil
	}
	return &p.ranges[best-1]
}

// short finds a short number; with a class given, only one of that class. ClassUnknown is of a service that is absent.
func (p *Plan) short(all []byte, only Class) (Destination, bool) {
	if len(all) > p.longestShort {
		return Destination{}, false
	}
	n := value(all)
	for i := range p.shorts {
		s := &p.shorts[i]
		if s.length == len(all) && n >= s.low && n <= s.high && (only == ClassUnknown || s.class == only) {
			return Destination{Number: Number{digits: n, short: true}, Class: s.class, Country: p.home, National: true}, true
		}
	}
	return Destination{}, false
}

func hasPrefix(all []byte, prefix string) bool {
	return len(all) >= len(prefix) && string(all[:len(prefix)]) == prefix
}

func value(all []byte) (n uint64) {
	for _, c := range all {
		n = n*10 + uint64(c-'0')
	}
	return n
}
