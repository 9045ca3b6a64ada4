package rating

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"time"

	"ringfence/core/phone"
)

// maxPrefixDigits is E.164's length.
const maxPrefixDigits = 15

// Deck is a set of prices with a longest-prefix look-up. It never changes: share it freely between goroutines, and swap
// the whole deck to load another.
//
// The look-up is a trie over decimal digits. Children of a node are adjacent, and a bitmap says which of the ten
// exist, so that a step is one bit count and one read. E.164 numbers jump over their first four digits.
type Deck struct {
	prices []Price  // in the order of prefixes and their windows, short numbers last
	up     []uint32 // by price, of the first row of a prefix: as in ends, of the longest prefix that it begins with; nil without windows
	spans  []window // by price; nil when all are in force for ever
	nodes  []trieNode
	ends   []uint32 // by node: index plus one of the first price of the prefix that ends there or goes on alone, 0 for none
	jumps  []jump   // by the first four digits

	covered   []uint32 // by price: index in coverages
	coverages []coverage
}

// window is what a look-up checks in a row before it uses it. It is kept separate from the prices so that it is one read of memory.
type window struct {
	prefix      uint64
	from, until Moment
	last        bool // of its prefix
	nothing     bool // it says that there is no price
}

func (w *window) inForce(at Moment) bool {
	return (w.from == 0 || w.from <= at) && (w.until == 0 || at < w.until)
}

type trieNode struct {
	first uint32 // index of the first child
	have  uint16 // bit d: there is a child for digit d; and the two bits below
}

const (
	hasPrice = 1 << 15 // a prefix ends here
	isTail   = 1 << 14 // one prefix alone goes on from here: no nodes for its digits, ends names it
)

// jump is where a walk is after four digits.
type jump struct {
	node uint32 // 0: there is no such node
	end  uint32 // as in ends, of the longest prefix so far
}

const jumpDigits = 4

// The two roots.
const (
	rootE164 = iota
	rootShort
	roots
)

// Build makes a deck of prices, which it copies. It is an error that names the row when a prefix has two prices at a time
// or a price is not sound (see Price.Check). Covers may be nil.
func Build(rows []Price, covers Covers) (*Deck, error) {
	d := &Deck{prices: slices.Clone(rows), nodes: make([]trieNode, roots), ends: make([]uint32, roots)}
	keys := make([]prefixKey, len(rows))
	for i := range rows {
		if err := rows[i].Check(); err != nil {
			return nil, fmt.Errorf("row %d: %w", i+1, err)
		}
		keys[i] = keyOf(&rows[i], i)
	}
	slices.SortFunc(keys, prefixKey.compare)
	limited := false
	firsts := keys[:0:0]
	for i, k := range keys {
		p := &rows[k.row]
		if i > 0 && keys[i-1].samePrefix(k) {
			if until := d.prices[i-1].Until; until == 0 || p.From < until {
				return nil, fmt.Errorf("row %d: prefix %s is already in row %d", k.row+1, p.Digits(), keys[i-1].row+1)
			}
		} else {
			firsts = append(firsts, k)
			firsts[len(firsts)-1].row = i
		}
		d.prices[i], limited = *p, limited || p.Dated() || p.NoPrice
	}
	keys = firsts
	if limited {
		d.up, d.spans = enclosing(keys, len(rows)), spansOf(d.prices)
	}
	shorts, _ := slices.BinarySearchFunc(keys, true, func(k prefixKey, _ bool) int {
		if k.short {
			return 1
		}
		return -1
	})
	d.grow(keys, []span{{0, shorts, 0, rootE164}, {shorts, len(keys), 0, rootShort}})
	d.nodes, d.ends = slices.Clip(d.nodes), slices.Clip(d.ends)
	d.jumps = make([]jump, 10_000)
	for i := range d.jumps {
		d.jumps[i] = d.jumpTo(i)
	}
	d.cover(covers)
	return d, nil
}

func spansOf(prices []Price) []window {
	spans := make([]window, len(prices))
	for i := range prices {
		p := &prices[i]
		last := i+1 == len(prices) || prices[i+1].Prefix != p.Prefix || prices[i+1].Short != p.Short
		spans[i] = window{p.Prefix, p.From, p.Until, last, p.NoPrice}
	}
	return spans
}

// enclosing is for each prefix the longest other one that it begins with. Keys are in the order of their digits, so that the
// prefixes of a key are those before it that are still open.
func enclosing(keys []prefixKey, prices int) []uint32 {
	up := make([]uint32, prices)
	var open []prefixKey
	for _, k := range keys {
		for len(open) > 0 && !open[len(open)-1].begins(k) {
			open = open[:len(open)-1]
		}
		if len(open) > 0 {
			up[k.row] = uint32(open[len(open)-1].row) + 1
		}
		open = append(open, k)
	}
	return up
}

// jumpTo walks the first four digits once and for all.
func (d *Deck) jumpTo(digits int) jump {
	node, end := uint32(rootE164), uint32(0)
	for place := jumpDigits - 1; place >= 0; place-- {
		bit := uint16(1) << (uint64(digits) / pow10[place] % 10)
		t := d.nodes[node]
		if t.have&isTail != 0 {
			break
		}
		if t.have&bit == 0 {
			return jump{0, end}
		}
		node = t.first + uint32(bits.OnesCount16(t.have&(bit-1)))
		if d.nodes[node].have&hasPrice != 0 {
			end = d.ends[node]
		}
	}
	return jump{node, end}
}

// prefixKey is a prefix that sorts as its digits do as text: left-aligned to 19 digits, shorter ones first.
type prefixKey struct {
	aligned uint64
	length  int
	short   bool
	from    Moment
	row     int // of the input; of a deck's firsts, the index of the price
}

func keyOf(p *Price, row int) prefixKey {
	aligned, length := p.Prefix, 0
	for n := p.Prefix; n > 0; n /= 10 {
		length++
	}
	for range 19 - length {
		aligned *= 10
	}
	return prefixKey{aligned, length, p.Short, p.From, row}
}

func (k prefixKey) compare(other prefixKey) int {
	if k.short != other.short {
		if k.short {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(k.aligned, other.aligned), cmp.Compare(k.length, other.length), cmp.Compare(k.from, other.from))
}

func (k prefixKey) samePrefix(other prefixKey) bool {
	return k.aligned == other.aligned && k.length == other.length && k.short == other.short
}

// begins says that the digits of k are the first ones of another.
func (k prefixKey) begins(other prefixKey) bool {
	return k.short == other.short && k.length <= other.length && other.aligned/pow10[19-k.length] == k.aligned/pow10[19-k.length]
}

func (k prefixKey) digit(depth int) uint64 { return k.aligned / pow10[18-depth] % 10 }

var pow10 = func() (p [19]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// span is the keys that pass through one node.
type span struct {
	from, till, depth int
	node              uint32
}

// grow makes the nodes breadth first, so that the children of each stand side by side.
func (d *Deck) grow(keys []prefixKey, queue []span) {
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		from := s.from
		if s.till-from == 1 && s.depth > 0 {
			d.ends[s.node] = uint32(keys[from].row) + 1
			d.nodes[s.node].have = isTail
			continue
		}
		if from < s.till && keys[from].length == s.depth {
			d.ends[s.node] = uint32(keys[from].row) + 1
			d.nodes[s.node].have |= hasPrice
			from++
		}
		d.nodes[s.node].first = uint32(len(d.nodes))
		for from < s.till {
			digit, till := keys[from].digit(s.depth), from+1
			for till < s.till && keys[till].digit(s.depth) == digit {
				till++
			}
			d.nodes[s.node].have |= 1 << digit
			queue = append(queue, span{from, till, s.depth + 1, uint32(len(d.nodes))})
			d.nodes, d.ends = append(d.nodes, trieNode{}), append(d.ends, 0)
			from = till
		}
	}
}

// Find is the price of the longest prefix of a number that has one for calls at that instant, which the caller must not
// change. No price is no price: false. See Price for whether the row stands for the number.
func (d *Deck) Find(n phone.Number, at time.Time) (*Price, bool) {
	if i := d.find(n, at); i != 0 {
		return &d.prices[i-1], true
	}
	return nil, false
}

// find is Find's price by index plus one, 0 for none.
func (d *Deck) find(n phone.Number, at time.Time) uint32 {
	i := d.longest(n)
	if i != 0 && d.spans != nil {
		return d.inForce(i, MomentOf(at))
	}
	return i
}

// inForce goes from a prefix to the longest that has a row at the moment: index plus one, 0 for none and for a row without a price.
func (d *Deck) inForce(first uint32, at Moment) uint32 {
	for ; first != 0; first = d.up[first-1] {
		for i := first - 1; ; i++ {
			w := &d.spans[i]
			switch {
			case w.inForce(at) && w.nothing:
				return 0
			case w.inForce(at):
				return i + 1
			}
			if w.last {
				break
			}
		}
	}
	return 0
}

// longest is the first price of the longest prefix of a number, whenever it is in force: index plus one, 0 for none.
func (d *Deck) longest(n phone.Number) uint32 {
	var digits [20]byte
	at := len(digits)
	for v := n.Digits(); v > 0; v /= 10 {
		at--
		digits[at] = byte(v % 10)
	}
	node, end := uint32(rootE164), uint32(0)
	if n.Short() {
		node = rootShort
	} else if len(digits)-at > jumpDigits {
		j := d.jumps[int(digits[at])*1000+int(digits[at+1])*100+int(digits[at+2])*10+int(digits[at+3])]
		node, end = j.node, j.end
		at += jumpDigits
		if node == 0 {
			at = len(digits) // nothing goes on from there
		}
	}
	t := d.nodes[node]
	for t.have&isTail == 0 && at < len(digits) {
		bit := uint16(1) << digits[at]
		if t.have&bit == 0 {
			break
		}
		node = t.first + uint32(bits.OnesCount16(t.have&(bit-1)))
		t = d.nodes[node]
		if t.have&hasPrice != 0 {
			end = d.ends[node]
		}
		at++
	}
	if t.have&isTail != 0 {
		i := d.ends[node]
		prefix := uint64(0)
		if d.spans != nil {
			prefix = d.spans[i-1].prefix
		} else {
			prefix = d.prices[i-1].Prefix
		}
		if begins(n.Digits(), prefix) {
			return i
		}
	}
	return end
}

// begins says that the first digits of a number are the prefix.
func begins(number, prefix uint64) bool {
	for number > prefix {
		number /= 10
	}
	return number == prefix
}

// Len is the number of prices.
func (d *Deck) Len() int { return len(d.prices) }

// Prices are all prices in the order of prefixes and their windows, short numbers last. The caller must not change them.
func (d *Deck) Prices() []Price { return d.prices }

// Digits is the prefix as a deck writes it.
func (p *Price) Digits() string { return strconv.FormatUint(p.Prefix, 10) }

// Check says what is invalid in a price: a prefix of no or too many digits, no increment, or a negative amount.
func (p *Price) Check() error {
	switch {
	case p.Prefix == 0 || p.Prefix >= pow10[maxPrefixDigits]:
		return fmt.Errorf("prefix %d is not of 1 to %d digits", p.Prefix, maxPrefixDigits)
	case p.First == 0 || p.Step == 0:
		return errors.New("an increment is 0 seconds")
	case p.Connect < 0 || p.Minimum < 0 || min(p.Rates[Peak], p.Rates[OffPeak], p.Rates[Weekend]) < 0:
		return errors.New("an amount is negative")
	case p.From != 0 && p.Until != 0 && p.Until <= p.From:
		return errors.New("it ends before it begins")
	}
	return nil
}
