package phone

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// PlanConfig describes a home numbering plan: how people of one country dial.
type PlanConfig struct {
	Country       string   // ISO 3166 code of home, "GB"
	Together      []string // other countries of the same code that count as national: GB has GG, IM and JE
	Code          uint16   // country code, 44
	Trunk         string   // what stands before a national number, "0"; "" when there is nothing
	International string   // what stands before an international number, "00"
	Ranges        []Range  // empty: classes come from the world table alone
	Short         []Short
	Codes         []Code // what may be dialled before a number of any kind
}

// Code is dialled before a number, which is judged without it. No code may be the beginning of another.
type Code struct {
	Digits string // one to seven, not beginning with 0 or as a number at home does
	Show   Show   // what it says about the caller's number
	Relay  bool   // the carrier serves it: it is sent before the number
	Help   string // with Relay: what is sent for an emergency number behind it, "" for the code and that number
}

// Range is one range of national numbers. The longest matching Prefix decides.
type Range struct {
	Prefix  string // first digits after the trunk prefix: "20", "7624"
	Class   Class
	Lengths []int // digits of the whole national number, without trunk prefix
	// Checked asks the world table too: the number must be of a range that it knows. For ranges with too many
	// districts to write down.
	Checked bool
	Country string // where it is, when not home and when the world table does not say so itself
}

// Short is a short number, or with Length a series of them that begins so.
type Short struct {
	Digits string
	Length int // 0: the number itself; 6: all numbers of six digits that begin with Digits
	Class  Class
	Absent bool // people know a service by these digits that is not to be had here; then Class is ClassUnknown
}

// Plan is a home numbering plan, ready to understand digits. It never changes: share it freely between goroutines.
type Plan struct {
	code          uint16
	codeText      string
	trunk, intl   string
	home          Country
	together      []Country
	ranges        []rangeEntry
	nodes         []node // a digit trie over the ranges' prefixes; node 0 is the root
	shorts        []shortEntry
	longestShort  int
	helps         []string // the emergency numbers
	codes         []code
	codeStarts    uint16 // bit n: a code begins with digit n
	derivesRanges bool   // no ranges given
}

type node struct {
	next  [10]uint16 // 0: none
	entry uint16     // index in ranges plus one; 0: none
}

type rangeEntry struct {
	class   Class
	lengths uint16 // bit n: n digits are right
	least   int
	checked bool
	country Country
}

type shortEntry struct {
	low, high uint64
	length    int
	class     Class
}

// code is a Code; relay is its digits where Code.Relay is set.
type code struct {
	digits string
	show   Show
	relay  uint32
	help   string
}

// NewPlan checks a configuration and makes a plan of it. The error names everything that is wrong.
func NewPlan(c PlanConfig) (*Plan, error) {
	p := &Plan{
		code: c.Code, codeText: strconv.Itoa(int(c.Code)), trunk: c.Trunk, intl: c.International,
		nodes: make([]node, 1), derivesRanges: len(c.Ranges) == 0,
	}
	errs := []error{c.check()}
	copy(p.home[:], c.Country)
	for _, name := range c.Together {
		var country Country
		copy(country[:], name)
		p.together = append(p.together, country)
	}
	for _, r := range c.Ranges {
		errs = append(errs, p.addRange(r))
	}
	emergency := false
	for _, s := range c.Short {
		errs = append(errs, p.addShort(s))
		emergency = emergency || s.Class == Emergency
	}
	for _, code := range c.Codes {
		errs = append(errs, p.addCode(code))
	}
	if !emergency {
		errs = append(errs, errors.New("numbering plan: no emergency number is given"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

func (c *PlanConfig) check() error {
	var errs []error
	for _, name := range append([]string{c.Country}, c.Together...) {
		if !isCountry(name) {
			errs = append(errs, fmt.Errorf("numbering plan: %q is not an ISO country code of two capital letters", name))
		}
	}
	if c.Code > 999 || worldRoot(min(c.Code, 999)) == 0 {
		errs = append(errs, fmt.Errorf("numbering plan: country code %d is not in use", c.Code))
	}
	if c.Trunk != "" && !isDigits(c.Trunk, 4) {
		errs = append(errs, fmt.Errorf("numbering plan: trunk prefix %q is not up to four digits", c.Trunk))
	}
	if !isDigits(c.International, 5) {
		errs = append(errs, fmt.Errorf("numbering plan: international prefix %q is not one to five digits", c.International))
	}
	return errors.Join(errs...)
}

func (p *Plan) addRange(r Range) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("numbering plan: range %q: "+format, append([]any{r.Prefix}, args...)...)
	}
	if !isDigits(r.Prefix, maxDigits) {
		return fail("the prefix is not one to %d digits", maxDigits)
	}
	if !r.Class.national() {
		return fail("class %s is not of a national number", r.Class)
	}
	if r.Country != "" && !isCountry(r.Country) {
		return fail("%q is not an ISO country code", r.Country)
	}
	entry := rangeEntry{class: r.Class, checked: r.Checked, least: maxDigits}
	copy(entry.country[:], r.Country)
	for _, n := range r.Lengths {
		if n < len(r.Prefix) || n+len(p.codeText) > maxDigits {
			return fail("a length of %d digits cannot be", n)
		}
		entry.lengths |= 1 << n
		entry.least = min(entry.least, n)
	}
	if entry.lengths == 0 {
		return fail("no length is given")
	}
	at := p.reach(r.Prefix)
	if p.nodes[at].entry != 0 {
		return fail("it is given twice")
	}
	p.ranges = append(p.ranges, entry)
	p.nodes[at].entry = uint16(len(p.ranges))
	return nil
}

// reach makes the path to a prefix in the trie.
func (p *Plan) reach(prefix string) uint16 {
	at := uint16(0)
	for i := range len(prefix) {
		digit := prefix[i] - '0'
		if p.nodes[at].next[digit] == 0 {
			p.nodes = append(p.nodes, node{})
			p.nodes[at].next[digit] = uint16(len(p.nodes) - 1)
		}
		at = p.nodes[at].next[digit]
	}
	return at
}

func (p *Plan) addShort(s Short) error {
	length := max(s.Length, len(s.Digits))
	if !isDigits(s.Digits, 7) || length > 7 {
		return fmt.Errorf("numbering plan: short number %q is not one to seven digits", s.Digits)
	}
	if !s.Class.national() && !(s.Absent && s.Class == ClassUnknown) {
		return fmt.Errorf("numbering plan: short number %q: class %s is not of a national number", s.Digits, s.Class)
	}
	if s.Class == Emergency && length > len(s.Digits) {
		return fmt.Errorf("numbering plan: short number %q: an emergency number is given whole", s.Digits)
	}
	low, _ := strconv.ParseUint(s.Digits, 10, 64)
	if s.Digits[0] == '0' {
		return fmt.Errorf("numbering plan: short number %q begins with 0", s.Digits)
	}
	high := low
	for range length - len(s.Digits) {
		low, high = low*10, high*10+9
	}
	p.shorts = append(p.shorts, shortEntry{low, high, length, s.Class})
	if s.Class == Emergency {
		p.helps = append(p.helps, s.Digits)
	}
	p.longestShort = max(p.longestShort, length)
	return nil
}

func (p *Plan) addCode(c Code) error {
	if !isDigits(c.Digits, 7) || c.Digits[0] == '0' || strings.HasPrefix(p.codeText, c.Digits) || strings.HasPrefix(c.Digits, p.codeText) || p.trunk == "" {
		return fmt.Errorf("numbering plan: code %q is not one to seven digits that no number begins with", c.Digits)
	}
	for i := range p.codes {
		if other := p.codes[i].digits; strings.HasPrefix(other, c.Digits) || strings.HasPrefix(c.Digits, other) {
			return fmt.Errorf("numbering plan: code %q: one code begins as the other, %q", c.Digits, other)
		}
	}
	if len(p.codes) == maxCodes {
		return fmt.Errorf("numbering plan: more than %d codes", maxCodes)
	}
	known := code{digits: c.Digits, show: c.Show, help: c.Help}
	if n, _ := strconv.ParseUint(c.Digits, 10, 32); c.Relay {
		known.relay = uint32(n)
	}
	p.codes = append(p.codes, known)
	p.codeStarts |= 1 << (c.Digits[0] - '0')
	return nil
}

const maxCodes = 64

// national says that numbers of the home plan may be of this class.
func (c Class) national() bool { return c >= Emergency && c <= Service }

func isDigits(s string, most int) bool {
	return len(s) >= 1 && len(s) <= most && !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < '0' || b > '9' })
}

func isCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// Home is the country code with its plus, "+44": the phone-context of numbers that are local to this plan (RFC 3966).
func (p *Plan) Home() string { return "+" + p.codeText }

// Relayed is how a number is dialled behind its relay code, "1800102079460000": national with the trunk prefix, or behind the
// international prefix, because '+' cannot stand after digits. "" when it has no such code.
func (p *Plan) Relayed(d Destination) string {
	if d.Relay == 0 {
		return ""
	}
	for i := range p.codes {
		if c := &p.codes[i]; c.relay == d.Relay && c.help != "" && d.Class == Emergency {
			return c.help
		}
	}
	text, prefix := d.Number.String(), ""
	if !d.Number.Short() {
		if text = text[1:]; strings.HasPrefix(text, p.codeText) {
			text, prefix = text[len(p.codeText):], p.trunk
		} else {
			prefix = p.intl
		}
	}
	return strconv.Itoa(int(d.Relay)) + prefix + text
}

// OnlyShort says that short numbers begin with a prefix, or are it, and that no number of E.164 does: 101, 116, 118500; not
// 123, which begins numbers in America.
func (p *Plan) OnlyShort(prefix uint64) bool {
	if prefix < 100 {
		return false
	}
	for i := range p.shorts {
		s := &p.shorts[i]
		low, high := s.low, s.high
		for high > prefix && low > prefix {
			low, high = low/10, high/10
		}
		if s.class != ClassUnknown && low <= prefix && prefix <= high {
			country, _ := OfPrefix(prefix)
			return country == Country{}
		}
	}
	return false
}
