package phone

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"
)

// Sorts are all sorts of destination that a number beginning with these E.164 digits may be; the Number of each is the digits alone. Where a
// country lacks a class that others of its code have, it may name one too many, never one too few.
func (p *Plan) Sorts(prefix uint64) (all []Destination) {
	add := func(class Class, country Country, national bool) {
		d := Destination{Number: Number{digits: prefix}, Class: class, Country: country, National: national}
		if !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	code := CodeOf(prefix)
	home := []Country{p.home}
	for _, r := range Under(prefix) {
		if code == int(p.code) && p.isHome(r.Country) {
			if r.Country != p.home {
				home = append(home, r.Country)
			}
			if !p.derivesRanges {
				continue
			}
		}
		r.Kinds.Each(func(k Kinds) {
			which := kind(bits.TrailingZeros16(uint16(k)))
			if code == int(p.code) && p.isHome(r.Country) {
				add(atHome[which], r.Country, true)
				return
			}
			add(intlClass(uint16(code), which), r.Country, false)
		})
	}
	if code == int(p.code) {
		p.eachRange(strconv.FormatUint(prefix, 10)[len(p.codeText):], func(e *rangeEntry) {
			if e.country != (Country{}) {
				add(e.class, e.country, true)
				return
			}
			for _, country := range home {
				add(e.class, country, true)
			}
		})
	}
	return all
}

// eachRange gives the ranges that a national number beginning with some digits may be of.
func (p *Plan) eachRange(digits string, do func(*rangeEntry)) {
	best, at := uint16(0), uint16(0)
	for i := range len(digits) {
		if at = p.nodes[at].next[digits[i]-'0']; at == 0 {
			break
		}
		best = cmp.Or(p.nodes[at].entry, best)
	}
	if best != 0 {
		do(&p.ranges[best-1])
	}
	if at == 0 && digits != "" {
		return
	}
	var below func(node uint16)
	below = func(node uint16) {
		for _, next := range p.nodes[node].next {
			if next == 0 {
				continue
			}
			if e := p.nodes[next].entry; e != 0 {
				do(&p.ranges[e-1])
			}
			below(next)
		}
	}
	below(at)
}

// ShortSorts are the short numbers that there are, one for each series; with digits, those that begin with them.
func (p *Plan) ShortSorts(digits uint64) (all []Destination) {
	for i := range p.shorts {
		s := &p.shorts[i]
		low, high := s.low, s.high
		for digits > 0 && low > digits && low >= 10 {
			low, high = low/10, high/10
		}
		if s.class == ClassUnknown || digits > 0 && (digits < low || digits > high) {
			continue
		}
		n := cmp.Or(digits, s.low)
		all = append(all, Destination{Number: Number{digits: n, short: true}, Class: s.class, Country: p.home, National: true})
	}
	return all
}
