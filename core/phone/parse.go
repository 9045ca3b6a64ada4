package phone

import "strings"

const (
	maxDigits  = 15 // of E.164, country code included
	maxDialled = 64 // bytes, separators included
	maxKept    = 24 // digits: the longest international prefix, a country code's trunk zero, and 15
)

// digits is what was dialled without its separators.
type digits struct {
	buf  [maxKept]byte
	n    int
	plus bool
}

// Parse understands digits as people dial them: national with the trunk prefix, international with '+' or the
// international prefix, short numbers, and the home country's own E.164 digits bare. Spaces, hyphens, dots and brackets
// are skipped; a trunk prefix after the home country code ("+44 (0)20 …") is dropped. Whatever else does not lead to
// exactly one valid number is refused with the Problem: nothing is guessed, no digits are cut off or searched through.
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
	if d.plus {
		return p.international(all)
	}
	if dest, ok := p.short(all, ClassUnknown); ok {
		return dest, NoProblem
	}
	switch {
	case hasPrefix(all, p.intl):
		return p.international(all[len(p.intl):])
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

// read takes the digits out of what was dialled. A '+' counts only before the first digit.
func (d *digits) read(dialled string) Problem {
	if len(dialled) > maxDialled {
		return TooLong
	}
	for i := range len(dialled) {
		switch c := dialled[i]; {
		case c >= '0' && c <= '9':
			if d.n == maxKept {
				return TooLong
			}
			d.buf[d.n] = c
			d.n++
		case c == '+' && d.n == 0 && !d.plus:
			d.plus = true
		case strings.IndexByte(" -.()", c) < 0:
			return BadCharacter
		}
	}
	if d.n == 0 {
		return Empty
	}
	return NoProblem
}

// international takes what follows '+' or the international prefix.
func (p *Plan) international(all []byte) (Destination, Problem) {
	if dest, ok := p.short(all, Emergency); ok { // "+112": no number abroad is so short
		return dest, NoProblem
	}
	if hasPrefix(all, p.codeText) {
		return p.homeFromAbroad(all[len(p.codeText):])
	}
	code, n := countryCode(all)
	switch {
	case len(all) == 0:
		return Destination{}, TooShort
	case code == 0:
		return Destination{}, NoCountry
	case len(all) > maxDigits:
		return Destination{}, TooLong
	}
	k, country, problem := worldAsk(code, all[n:])
	if problem != NoProblem {
		return Destination{}, problem
	}
	return Destination{Number: Number{digits: value(all)}, Class: intlClass(code, k), Country: country}, NoProblem
}

// homeFromAbroad takes what follows the home country code: a national number, with or without its trunk prefix.
// Emergency numbers connect however they are written.
func (p *Plan) homeFromAbroad(rest []byte) (Destination, Problem) {
	if dest, ok := p.short(rest, Emergency); ok {
		return dest, NoProblem
	}
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
	if country == (Country{}) || country == p.home {
		country = p.home
		if entry.country != (Country{}) {
			country = entry.country
		}
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

func (p *Plan) isHome(country Country) bool {
	if country == p.home {
		return true
	}
	for _, c := range p.together {
		if c == country {
			return true
		}
	}
	return false
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

// short finds a short number; with a class given, only one of that class.
func (p *Plan) short(all []byte, only Class) (Destination, bool) {
	if len(all) > p.longestShort {
		return Destination{}, false
	}
	n := value(all)
	for i := range p.shorts {
		s := &p.shorts[i]
		if s.length == len(all) && n >= s.low && n <= s.high && (only == ClassUnknown || s.class == only) {
			return Destination{Number{digits: n, short: true}, s.class, p.home, true}, true
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
