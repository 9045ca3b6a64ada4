package device

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"ringfence/core/detect"
)

// MaxTrusted bounds the addresses remembered for their good history with any line. Beyond it, one that was not seen for long is evicted.
const MaxTrusted = 1 << 18

// maxPerNet bounds those of one /56; a /24 has no more.
const maxPerNet = 256

// trusted remembers from which addresses logins were right, whatever the line, by /24 and /56.
type trusted struct {
	mu    sync.RWMutex
	nets  map[uint64][]spot // mu
	spots int               // mu
}

// spot is an address with the first and last right login from it, seconds since 1970.
type spot struct {
	addr        netip.Addr
	first, last uint32
}

func seconds(micros int64) uint32 { return uint32(min(max(micros/1e6, 0), 1<<32-1)) }

// netKey is an address's /24 or /56 as a number; the two never meet.
func netKey(a netip.Addr) uint64 {
	if a.Is4() {
		b := a.As4()
		return uint64(binary.BigEndian.Uint32(b[:]) >> 8)
	}
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8])>>8 | 1<<63
}

// note says that a login from there was right.
func (t *trusted) note(a netip.Addr, at int64) { t.put(a, at, at) }

func (t *trusted) put(a netip.Addr, first, last int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := netKey(a)
	list := t.nets[key]
	for i := range list {
		if s := &list[i]; s.addr == a {
			s.first, s.last = min(s.first, seconds(first)), max(s.last, seconds(last))
			return
		}
	}
	switch {
	case len(list) >= maxPerNet: // a /56 has room for any number
		t.remove(key, least(list))
	case t.spots >= MaxTrusted:
		t.evict()
	}
	t.nets[key] = append(t.nets[key], spot{a, seconds(first), seconds(last)})
	t.spots++
}

// evict forgets the address that is worth least among those of some networks at random. The caller holds the lock.
func (t *trusted) evict() {
	var at uint64
	which, tries := -1, 0
	for key, list := range t.nets {
		if i := least(list); which < 0 || list[i].lessThan(&t.nets[at][which]) {
			at, which = key, i
		}
		if tries++; tries == 16 {
			break
		}
	}
	if which >= 0 {
		t.remove(at, which)
	}
}

func least(list []spot) int {
	worst := 0
	for i := range list {
		if list[i].lessThan(&list[worst]) {
			worst = i
		}
	}
	return worst
}

// lessThan puts addresses that were seen for under an hour first, so that one login used from everywhere does not push out
// those of honest phones; then the one unseen for longest.
func (s *spot) lessThan(other *spot) bool {
	brief, otherBrief := s.last-s.first < 3600, other.last-other.first < 3600
	if brief != otherBrief {
		return brief
	}
	return s.last < other.last
}

func (t *trusted) remove(key uint64, i int) {
	list := t.nets[key]
	list[i] = list[len(list)-1]
	if list = list[:len(list)-1]; len(list) == 0 {
		delete(t.nets, key)
	} else {
		t.nets[key] = list
	}
	t.spots--
}

func (t *trusted) forget(a netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := netKey(a)
	for i, s := range t.nets[key] {
		if s.addr == a {
			t.remove(key, i)
			return
		}
	}
}

// trust takes in the address of a device that nobody disowned; what its owner called theirs needs no time to settle.
func (d *Devices) trust(e *entry) {
	first := e.first
	if e.verdict == mine {
		first -= d.o.Settled.Microseconds()
	}
	d.trusted.put(e.addr, first, e.last)
}

// Trusted says that logins from exactly there were right, with any line, for some time (Options.Settled) and lately
// (Options.Good), and no owner said that they were not theirs.
func (d *Devices) Trusted(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return false
	}
	now := time.Now()
	t := &d.trusted
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, s := range t.nets[netKey(addr)] {
		if s.addr == addr {
			return d.good(s, now)
		}
	}
	return false
}

func (d *Devices) good(s spot, now time.Time) bool {
	return now.Sub(time.Unix(int64(s.first), 0)) >= d.o.Settled && now.Sub(time.Unix(int64(s.last), 0)) <= d.o.Good
}

// TrustedIn finds a trusted address inside a network. For a /24, a /56 and smaller it costs little; for larger ones it
// looks through all.
func (d *Devices) TrustedIn(net netip.Prefix) (addr netip.Addr, ok bool) {
	if !net.IsValid() {
		return netip.Addr{}, false
	}
	if net.Addr().Is4In6() && net.Bits() >= 96 {
		net = netip.PrefixFrom(net.Addr().Unmap(), net.Bits()-96)
	}
	now := time.Now()
	find := func(list []spot) bool {
		for _, s := range list {
			if net.Contains(s.addr) && d.good(s, now) {
				addr, ok = s.addr, true
				return true
			}
		}
		return false
	}
	t := &d.trusted
	t.mu.RLock()
	defer t.mu.RUnlock()
	if net.Bits() >= detect.Net(net.Addr()).Bits() {
		find(t.nets[netKey(net.Addr().WithZone(""))])
		return addr, ok
	}
	for _, list := range t.nets {
		if find(list) {
			break
		}
	}
	return addr, ok
}
