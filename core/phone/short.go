package phone

import "strings"

// Spare says that two to four digits are unused in this plan, so that the lines of a customer may call one another by them: no short number, code or
// prefix of the plan begins with them, and they begin with none. A phone that sends digits while they are dialled must not end 999 at 99.
func (p *Plan) Spare(digits string) bool {
	if len(digits) < 2 || len(digits) > 4 || !isDigits(digits, 4) || digits[0] == '0' {
		return false
	}
	meets := func(other string) bool {
		return other != "" && (strings.HasPrefix(other, digits) || strings.HasPrefix(digits, other))
	}
	if meets(p.intl) || meets(p.trunk) {
		return false
	}
	for i := range p.codes {
		if meets(p.codes[i].digits) {
			return false
		}
	}
	n := value([]byte(digits))
	for i := range p.shorts {
		s := &p.shorts[i]
		low, high := n, n
		for k := len(digits); k < s.length; k++ {
			low, high = low*10, high*10+9
		}
		for k := len(digits); k > s.length; k-- {
			low, high = low/10, high/10
		}
		if low <= s.high && high >= s.low {
			return false
		}
	}
	_, problem := p.Parse(digits)
	return problem != NoProblem
}

// Internal is the destination of a short number that a customer has for one of its own lines. Digits that Parse reads are not for it.
func (p *Plan) Internal(digits string) (Destination, bool) {
	if len(digits) < 2 || len(digits) > 4 || !isDigits(digits, 4) || digits[0] == '0' {
		return Destination{}, false
	}
	return Destination{Number: Number{digits: value([]byte(digits)), short: true}, Class: OnNet, Country: p.home, National: true}, true
}
