package transport

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/netlist"
)

// Bans is a bounded table of banned addresses and networks with expiry. Reads take no lock. When there is no room for an entry,
// the one that would expire first is replaced: the table never grows.
//
// It is a hash table of buckets with eight ways. Entries are never changed once they are in, only replaced, so a reader
// sees whole ones. The hash is seeded, so that an attacker cannot choose addresses that replace each other.
type Bans struct {
	ways []atomic.Pointer[ban]
	mask uint64
	seed [2]uint64

	// Which prefix lengths are in the table: a read probes once for each. Bits are never taken back while entries of a
	// length remain; lens counts them.
	v4   atomic.Uint64    // bit n: /n for n in 0..32
	v6   [3]atomic.Uint64 // likewise, 0..128
	near atomic.Pointer[near]
	mu   sync.Mutex // serialises writers
	lens [162]int   // guarded by mu: entries by length, IPv6 from 33 on
	gone int        // guarded by mu: entries taken out since near was made
}

// near says which lengths there are in each part of the address space: imported lists hold networks of some twenty lengths,
// and most parts have none of them. A bit may stay after its last entry is gone, and costs a probe until near is rebuilt.
type near struct {
	v4 [1 << 16]atomic.Uint32 // by /16, bit n-16 for the lengths from /16 on
	v6 [1 << 14]atomic.Uint32 // by a hash of the /32, bit n-32 for the lengths from /32 to /63
}

const (
	nearFrom4  = 16
	nearFrom6  = 32
	nearUntil6 = 64
	nearStale  = 1 << 14 // entries gone, after which near is rebuilt, which takes a millisecond
)

func (r *near) at4(a netip.Addr) *atomic.Uint32 {
	raw := a.As4()
	return &r.v4[binary.BigEndian.Uint16(raw[:2])]
}

func (r *near) at6(a netip.Addr) *atomic.Uint32 {
	raw := a.As16()
	return &r.v6[binary.BigEndian.Uint32(raw[:4])*0x9e3779b1>>18]
}

// note records the length of a network, if near covers it.
func (r *near) note(p netip.Prefix) {
	n := p.Bits()
	switch {
	case p.Addr().Is4() && n >= nearFrom4:
		r.at4(p.Addr()).Or(1 << (n - nearFrom4))
	case p.Addr().Is6() && n >= nearFrom6 && n < nearUntil6:
		r.at6(p.Addr()).Or(1 << (n - nearFrom6))
	}
}

type ban struct {
	net   netip.Prefix // masked; never IPv4 mapped in IPv6
	until int64        // nanotime
}

const ways = 8

var started = time.Now()

// nanotime is the monotonic clock that expiries are kept in: a step of the wall clock moves no ban.
func nanotime() int64 { return int64(time.Since(started)) }

// NewBans makes a table for about limit entries; at least 64.
func NewBans(limit int) *Bans {
	buckets := uint64(1) << bits.Len64(uint64(max(limit, 64)*2/ways-1))
	b := &Bans{ways: make([]atomic.Pointer[ban], buckets*ways), mask: buckets - 1, seed: [2]uint64{rand.Uint64(), rand.Uint64()}}
	b.near.Store(new(near))
	return b
}

// Banned tells whether the address is banned now.
func (b *Bans) Banned(a netip.Addr) bool { return b.banned(a, nanotime()) }

func (b *Bans) banned(a netip.Addr, now int64) bool {
	a = a.Unmap()
	if a.Is4() {
		here := uint64(b.near.Load().at4(a).Load())<<nearFrom4 | (1<<nearFrom4 - 1)
		return b.probe(a, b.v4.Load()&here, 0, now)
	}
	for i := range b.v6 {
		set := b.v6[i].Load()
		if i == 0 && set != 0 {
			set &= uint64(b.near.Load().at6(a).Load())<<nearFrom6 | (1<<nearFrom6 - 1)
		}
		if set != 0 && b.probe(a, set, i*64, now) {
			return true
		}
	}
	return false
}

// probe looks for the networks of a whose lengths are in set.
func (b *Bans) probe(a netip.Addr, set uint64, base int, now int64) bool {
	for ; set != 0; set &= set - 1 {
		p, err := a.Prefix(base + bits.TrailingZeros64(set))
		if err != nil {
			continue
		}
		if e := b.find(p); e != nil && e.until > now {
			return true
		}
	}
	return false
}

func (b *Bans) bucket(p netip.Prefix) []atomic.Pointer[ban] {
	raw := p.Addr().As16()
	x := binary.BigEndian.Uint64(raw[:8]) ^ b.seed[0] ^ uint64(p.Bits())<<56
	y := binary.BigEndian.Uint64(raw[8:]) ^ b.seed[1]
	hi, lo := bits.Mul64(x|1, y|1<<63)
	hi, lo = bits.Mul64(hi^lo^b.seed[1], 0x9e3779b97f4a7c15)
	at := ((hi ^ lo) & b.mask) * ways
	return b.ways[at : at+ways]
}

func (b *Bans) find(p netip.Prefix) *ban {
	bucket := b.bucket(p)
	for i := range bucket {
		if e := bucket[i].Load(); e != nil && e.net == p {
			return e
		}
	}
	return nil
}

// Add bans a network for d from now. A ban already there is prolonged, never shortened. Host bits of p are ignored.
func (b *Bans) Add(p netip.Prefix, d time.Duration) {
	p, _, err := netlist.Normal(p)
	if err != nil || d <= 0 {
		return
	}
	now := nanotime()
	until := now + int64(d)
	if until < now {
		until = 1<<63 - 1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	slot, old := b.place(p, now)
	if old != nil && old.net == p {
		until = max(until, old.until)
	} else {
		b.uncount(old)
		b.count(p)
	}
	slot.Store(&ban{p, until})
}

// place returns the way for p: its own, else a free one, else that of the entry which expires first.
func (b *Bans) place(p netip.Prefix, now int64) (*atomic.Pointer[ban], *ban) {
	bucket := b.bucket(p)
	var best *atomic.Pointer[ban]
	var loser *ban
	for i := range bucket {
		e := bucket[i].Load()
		switch {
		case e != nil && e.net == p:
			return &bucket[i], e
		case e == nil:
			if best == nil || loser != nil {
				best, loser = &bucket[i], nil
			}
		case best == nil || loser != nil && e.until < loser.until:
			best, loser = &bucket[i], e
		}
	}
	return best, loser
}

// Remove lifts the ban of exactly this network and tells whether there was one.
func (b *Bans) Remove(p netip.Prefix) bool {
	p, _, _ = netlist.Normal(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.bucket(p)
	for i := range bucket {
		if e := bucket[i].Load(); e != nil && e.net == p {
			bucket[i].Store(nil)
			b.uncount(e)
			return e.until > nanotime()
		}
	}
	return false
}

// count and uncount keep the set of lengths. The caller holds mu.
func (b *Bans) count(p netip.Prefix) {
	b.near.Load().note(p)
	n := p.Bits()
	if p.Addr().Is4() {
		b.lens[n]++
		b.v4.Or(1 << n)
		return
	}
	b.lens[33+n]++
	b.v6[n/64].Or(1 << (n % 64))
}

func (b *Bans) uncount(e *ban) {
	if e == nil {
		return
	}
	if b.gone++; b.gone >= nearStale {
		b.renew()
	}
	n := e.net.Bits()
	if e.net.Addr().Is4() {
		if b.lens[n]--; b.lens[n] == 0 {
			b.v4.And(^uint64(1 << n))
		}
		return
	}
	if b.lens[33+n]--; b.lens[33+n] == 0 {
		b.v6[n/64].And(^uint64(1 << (n % 64)))
	}
}

// renew rebuilds near from the table, without the bits of entries that are gone. Readers see the old one or the new one,
// and both have every entry. The caller holds mu.
func (b *Bans) renew() {
	b.gone = 0
	fresh := new(near)
	for i := range b.ways {
		if e := b.ways[i].Load(); e != nil {
			fresh.note(e.net)
		}
	}
	b.near.Store(fresh)
}
