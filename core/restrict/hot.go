package restrict

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"ringfence/core/phone"
)

// Way is the direction of the calls that a hot list refuses.
type Way string

// Ways. The number is the one called (out), the one that calls (in), or either. Presented is a number that nobody calls from (Do Not Originate):
// calls that present it are refused, those of our lines too. Off refuses nothing: a feed lists the range, and staff have exempted it.
const (
	Out       Way = "out"
	In        Way = "in"
	Both      Way = "both"
	Presented Way = "presented"
	Off       Way = "off"
)

// ParseWay reads "out", "in", "both" or "presented"; "" is out.
func ParseWay(text string) (Way, error) {
	switch w := Way(strings.ToLower(strings.TrimSpace(text))); w {
	case "":
		return Out, nil
	case Out, In, Both, Presented:
		return w, nil
	}
	return "", fmt.Errorf("%.20q is not a direction: out, in, both or presented", text)
}

func (w Way) has(way Way) bool {
	return w == way || w == Both && way != Presented || w == Presented && way == In
}

// Listed is a range of numbers on a hot list.
type Listed struct {
	List  string // name of the list, at most MaxListName letters, digits, dots, dashes, underscores and colons
	Range Range
	Way   Way
	Until time.Time // zero: until it is removed
	Made  time.Time
	By    string
	Why   string
}

// Bounds of hot lists.
const (
	MaxListName = 70
	MaxListed   = 500_000 // ranges of all lists together
	leastDigits = 3       // a range of fewer is taken for a mistake: it would be a continent
)

// ErrListed says that something cannot be on a hot list.
var ErrListed = errors.New("not an entry of a hot list")

// ParseNumbers reads what a hot list names: "+25261", or as most lists write it, without the plus.
func ParseNumbers(text string) (Range, error) {
	r, ok := ParseRange(text)
	if !ok || r.Digits < leastDigits {
		return Range{}, fmt.Errorf("%w: %.40q; want %d to %d digits of a number with its country code, such as +25261", ErrListed, text, leastDigits, maxDigits)
	}
	return r, nil
}

// ValidList says that a text can be the name of a hot list.
func ValidList(name string) bool {
	return name != "" && len(name) <= MaxListName && strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_' && r != ':'
	}) < 0
}

// Check says what is wrong with an entry.
func (l *Listed) Check() error {
	switch {
	case !ValidList(l.List):
		return fmt.Errorf("%w: the name of a list is 1 to %d letters, digits, dots, dashes and underscores, not %.80q", ErrListed, MaxListName, l.List)
	case l.Range.Digits < leastDigits || l.Range.Digits > maxDigits || digitsOf(l.Range.Prefix) != l.Range.Digits:
		return fmt.Errorf("%w: %s is no range of numbers", ErrListed, l.Range)
	case l.Way != Out && l.Way != In && l.Way != Both && l.Way != Presented && l.Way != Off:
		return fmt.Errorf("%w: %.20q is no direction", ErrListed, l.Way)
	case max(len(l.By), len(l.Why)) > maxText:
		return fmt.Errorf("%w: a text is longer than %d bytes", ErrListed, maxText)
	}
	return nil
}

// Ended says that the entry will never apply again.
func (l *Listed) Ended(now time.Time) bool { return !l.Until.IsZero() && !now.Before(l.Until) }

// Hot is every hot list, found by digits. It is immutable: With gives another. nil is none.
type Hot struct {
	ranges  map[Range][]Listed // of one range those of each list, by its name
	lengths uint32             // bits by the digits of the ranges that there are
	count   int

	order sync.Once // makes start and until, when Near is first asked
	start []uint64  // where ranges of calls out begin, as numbers of maxDigits digits, ascending
	until []int64   // of each the end in seconds since 1970
}

// HotOf is the hot lists with these entries.
func HotOf(all []Listed) *Hot { return (*Hot)(nil).With(all, nil) }

// With is the lists without some entries, named by list and range, and with others, which replace those of the same list and range.
func (h *Hot) With(put, drop []Listed) *Hot {
	next := &Hot{ranges: map[Range][]Listed{}}
	if h != nil {
		next.ranges, next.count = maps.Clone(h.ranges), h.count
	}
	for i := range drop {
		next.remove(&drop[i])
	}
	for i := range put {
		l := &put[i]
		next.remove(l)
		same := append(slices.Clone(next.ranges[l.Range]), *l)
		slices.SortFunc(same, func(a, b Listed) int { return strings.Compare(a.List, b.List) })
		next.ranges[l.Range] = same
		next.count++
	}
	for r := range next.ranges {
		next.lengths |= 1 << r.Digits
	}
	return next
}

func (h *Hot) remove(l *Listed) {
	was := h.ranges[l.Range]
	i := slices.IndexFunc(was, func(x Listed) bool { return x.List == l.List })
	switch {
	case i < 0:
		return
	case len(was) == 1:
		delete(h.ranges, l.Range)
	default:
		h.ranges[l.Range] = slices.Delete(slices.Clone(was), i, i+1)
	}
	h.count--
}

// Len is how many entries there are.
func (h *Hot) Len() int {
	if h == nil {
		return 0
	}
	return h.count
}

// Each gives every entry, in no order.
func (h *Hot) Each(yield func(*Listed) bool) {
	if h == nil {
		return
	}
	for _, same := range h.ranges {
		for i := range same {
			if !yield(&same[i]) {
				return
			}
		}
	}
}

// All are the entries by number and list.
func (h *Hot) All() []Listed {
	all := make([]Listed, 0, h.Len())
	for l := range h.Each {
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b Listed) int { return cmp.Or(a.Range.Compare(b.Range), strings.Compare(a.List, b.List)) })
	return all
}

// Compare orders ranges as their texts are ordered: +252 before +2526 before +253.
func (r Range) Compare(x Range) int {
	return cmp.Or(cmp.Compare(r.Prefix*powers[maxDigits-r.Digits], x.Prefix*powers[maxDigits-x.Digits]), cmp.Compare(r.Digits, x.Digits))
}

// Overlaps says that one of two ranges is within the other.
func (r Range) Overlaps(x Range) bool {
	if r.Digits > x.Digits {
		r, x = x, r
	}
	return x.Prefix/powers[x.Digits-r.Digits] == r.Prefix
}

// Of is the entry of a list with exactly this range.
func (h *Hot) Of(list string, r Range) (Listed, bool) {
	if h != nil {
		for _, l := range h.ranges[r] {
			if l.List == list {
				return l, true
			}
		}
	}
	return Listed{}, false
}

// Find is the entry in force with the longest range that holds a number, for calls of a direction; nil is none.
func (h *Hot) Find(n phone.Number, way Way, now time.Time) *Listed {
	if h == nil || h.lengths == 0 || n.Short() || n.IsZero() {
		return nil
	}
	length := digitsOf(n.Digits())
	for digits := length; digits >= leastDigits; digits-- {
		if h.lengths&(1<<digits) == 0 {
			continue
		}
		same := h.ranges[Range{n.Digits() / powers[length-digits], digits}]
		for i := range same {
			if l := &same[i]; l.Way.has(way) && !l.Ended(now) {
				return l
			}
		}
	}
	return nil
}

// around is how many numbers, in digits, a listed one makes suspect: those who sell calls hold ranges, and list-makers hear of some numbers of them.
const around = 3

// Near says that calls out to a number, or to one of the thousand in which it is, are on a list.
func (h *Hot) Near(n phone.Number, now time.Time) bool {
	if h.Len() == 0 || n.Short() || n.IsZero() {
		return false
	}
	if h.Find(n, Out, now) != nil {
		return true
	}
	digits := digitsOf(n.Digits())
	if digits < leastDigits+around {
		return false
	}
	h.order.Do(h.sort)
	first := n.Digits() / powers[around] * powers[maxDigits-digits+around]
	i, _ := slices.BinarySearch(h.start, first)
	for ; i < len(h.start) && h.start[i] < first+powers[maxDigits-digits+around]; i++ {
		if now.Unix() < h.until[i] {
			return true
		}
	}
	return false
}

// sort lists what Near looks in.
func (h *Hot) sort() {
	type entry struct {
		start uint64
		until int64
	}
	var all []entry
	for l := range h.Each {
		if !l.Way.has(Out) {
			continue
		}
		e := entry{l.Range.Prefix * powers[maxDigits-l.Range.Digits], math.MaxInt64}
		if !l.Until.IsZero() {
			e.until = l.Until.Unix()
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.start, b.start) })
	h.start, h.until = make([]uint64, len(all)), make([]int64, len(all))
	for i, e := range all {
		h.start[i], h.until[i] = e.start, e.until
	}
}
