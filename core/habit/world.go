package habit

import (
	"cmp"
	"math/bits"
	"slices"

	"ringfence/core/restrict"
)

// what is known of a key across customers.
type subject uint8

const (
	rows   subject = iota // customers that call a destination
	places                // customers that call from a network
	baits                 // lines that a thousand-block rang briefly
	hot                   // customers that were stopped in a thousand-block
	numSubjects
)

// days that the world remembers each subject, and how many keys it has of each.
var (
	remembered = [numSubjects]uint16{rows: 60, places: 60, baits: 5, hot: 7}
	mostKeys   = [numSubjects]int{rows: 4096, places: 16384, baits: 16384, hot: 4096}
)

// World is what customers have in common. It changes in Turn alone, at the same instants in every shell, so that the verdict on a call depends neither
// on how customers are spread over workers nor on the order within an hour. Safe for concurrent reading.
type World struct {
	seen   [numSubjects]map[uint64]mark
	closed []restrict.Restriction // to everybody: see Closed
}

// Closed are ranges that rang many customers briefly, to be called back at their cost: they are closed to everybody. The slice changes only in Turn, and is
// not to be written to.
func (w *World) Closed() []restrict.Restriction {
	if w == nil {
		return nil
	}
	return w.closed
}

// customers is how many a range must have rung.
const customers = 6

func (w *World) close() {
	var baited restrict.Set
	for _, key := range sortedKeys(w.seen[baits]) {
		if bits.OnesCount64(w.seen[baits][key].who) >= customers && len(baited.Ranges) < restrict.MaxParts {
			baited.Ranges = append(baited.Ranges, rangeOf(key))
		}
	}
	if baited.IsZero() {
		w.closed = nil
		return
	}
	if len(w.closed) == 1 && slices.Equal(w.closed[0].Names.Ranges, baited.Ranges) {
		return
	}
	w.closed = []restrict.Restriction{{ID: 1, Names: baited, Ends: true, Finding: "baits"}}
}

// mark counts distinct customers by bits of their hash.
type mark struct {
	who  uint64
	last uint16 // day
}

type note struct {
	of  subject
	key uint64
	who uint32
	day uint16
}

// Notes are what a world is to learn. Not safe for concurrent use: each worker has its own.
type Notes struct {
	new  []note
	have map[note]struct{}
}

func (n *Notes) add(x note) {
	if n == nil || x.key == 0 {
		return
	}
	if n.have == nil {
		n.have = map[note]struct{}{}
	}
	if _, ok := n.have[x]; ok {
		return
	}
	n.have[x] = struct{}{}
	n.new = append(n.new, x)
}

// count is how many others than one, at least, a key was seen with; at most 64.
func (w *World) count(of subject, key uint64, but uint32) int {
	if w == nil {
		return 0
	}
	return bits.OnesCount64(w.seen[of][key].who &^ bit(but))
}

func bit(who uint32) uint64 { return 1 << (who * 0x9e3779b9 >> 26) }

// Turn learns what was noted, in whatever order, and forgets what is old. Shells call it at the turn of each hour.
func (w *World) Turn(day uint16, all ...*Notes) {
	for i := range w.seen {
		if w.seen[i] == nil {
			w.seen[i] = map[uint64]mark{}
		}
	}
	for _, n := range all {
		for _, x := range n.new {
			m := w.seen[x.of][x.key]
			m.who |= bit(x.who)
			m.last = max(m.last, x.day)
			w.seen[x.of][x.key] = m
		}
		n.new = n.new[:0]
		clear(n.have)
	}
	for of := range w.seen {
		w.trim(subject(of), day)
	}
	w.close()
}

func (w *World) trim(of subject, day uint16) {
	seen := w.seen[of]
	if len(seen) == 0 {
		return
	}
	for key, m := range seen {
		if m.last+remembered[of] < day {
			delete(seen, key)
		}
	}
	if len(seen) <= mostKeys[of] {
		return
	}
	keys := sortedKeys(seen)
	slices.SortFunc(keys, func(a, b uint64) int { return cmp.Or(cmp.Compare(seen[b].last, seen[a].last), cmp.Compare(a, b)) })
	for _, key := range keys[mostKeys[of]:] {
		delete(seen, key)
	}
}

func sortedKeys(seen map[uint64]mark) []uint64 {
	keys := make([]uint64, 0, len(seen))
	for key := range seen {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
