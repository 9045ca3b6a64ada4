// Package flood counts what each unknown source sends, so that a flood is in the journal as a few rows of counts and never as a
// row for each packet. It must not know packets, bans or SQL.
package flood

import (
	"cmp"
	"context"
	"hash/maphash"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/fact"
	"ringfence/flow/keep"
	"ringfence/state/store"
)

// Options of New.
type Options struct {
	Tags   bool                      // it counts requests inside dialogs that do not exist, not unknown sources
	Rate   float64                   // packets a second from which on it is a flood; 0 is 500
	Span   time.Duration             // the period of one row; 0 is 10 s
	Sample uint64                    // the source of one packet in this many is looked up, a power of two; 0 is 16
	Record func(facts ...store.Fact) // the journal
}

// Bounds of what is kept, whatever comes: some 30 KiB.
const (
	bitmap  = 1 << 17 // bits; counts up to about a million sources within a few per cent
	talkers = 256     // maximum number of sources held
	told    = 10
)

// Meter counts. Safe for concurrent use; Seen takes some tens of nanoseconds and allocates nothing. How many sources there
// were is estimated by linear counting over a bitmap, and who sends most by the space-saving method (Metwally, Agrawal
// and El Abbadi 2005) over one packet in Options.Sample.
type Meter struct {
	o       Options
	packets atomic.Uint64
	seed    maphash.Seed
	seen    [bitmap / 64]atomic.Uint64

	mu  sync.Mutex // owns top
	top []talker
}

// New makes a Meter.
func New(o Options) *Meter {
	o.Sample = cmp.Or(o.Sample, 16)
	o.Rate = cmp.Or(max(o.Rate, 0), 500)
	o.Span = cmp.Or(max(o.Span, 0), 10*time.Second)
	return &Meter{o: o, seed: maphash.MakeSeed(), top: make([]talker, 0, talkers)}
}

// Seen counts a request.
func (m *Meter) Seen(src netip.Addr) {
	n := m.packets.Add(1)
	h := maphash.Comparable(m.seed, src) % bitmap
	if word, bit := &m.seen[h/64], uint64(1)<<(h%64); word.Load()&bit == 0 {
		word.Or(bit)
	}
	if n*scatter>>32%m.o.Sample == 0 && m.mu.TryLock() { // a packet that would have to wait for the lock is not sampled
		m.talker(src)
		m.mu.Unlock()
	}
}

// scatter spreads the one in sampled that is looked at, so that no rhythm of the senders hides one (Knuth's multiplicative
// hash, bits from its upper half).
const scatter = 0x9e3779b97f4a7c15

// talker counts a sampled packet: a new source takes the place, and the count, of the one with the least.
func (m *Meter) talker(src netip.Addr) {
	least := 0
	for i := range m.top {
		if m.top[i].Source == src {
			m.top[i].Packets++
			return
		}
		if m.top[i].Packets < m.top[least].Packets {
			least = i
		}
	}
	if len(m.top) < talkers {
		m.top = append(m.top, talker{src, 1})
		return
	}
	m.top[least] = talker{src, m.top[least].Packets + 1}
}

// Packets is how many were seen since the start.
func (m *Meter) Packets() uint64 { return m.packets.Load() }

// Run writes a row for each span in which there was a flood, until ctx ends.
func (m *Meter) Run(ctx context.Context) {
	from, before := time.Now(), m.packets.Load()
	keep.Every(ctx, m.o.Span, func(now time.Time) {
		after := m.packets.Load()
		if f, ok := m.turn(from, now, after-before); ok {
			m.o.Record(f)
		}
		from, before = now, after
	})
}

type talker struct {
	Source  netip.Addr
	Packets uint64
}

// turn ends a span: what it was, if it was a flood; and begins the next.
func (m *Meter) turn(from, to time.Time, packets uint64) (store.Fact, bool) {
	empty := bitmap
	for i := range m.seen {
		empty -= bits.OnesCount64(m.seen[i].Swap(0))
	}
	m.mu.Lock()
	top := m.top
	m.top = make([]talker, 0, talkers)
	m.mu.Unlock()
	rate := float64(packets) / max(to.Sub(from).Seconds(), 0.001)
	if rate < m.o.Rate {
		return store.Fact{}, false
	}
	f := fact.FloodStrangers{From: from, Packets: int64(packets), PerSecond: int64(math.Round(rate)), Sources: int64(sources(empty, packets)), To: to}
	for _, t := range m.loudest(top) {
		f.Top = append(f.Top, fact.Talker{Source: fact.FromAddr(t.Source), Packets: int64(t.Packets)})
	}
	if m.o.Tags {
		return (*fact.DialogWrongTags)(&f).Row(to, fact.Subject{}), true
	}
	return f.Row(to, fact.Subject{}), true
}

// sources is the linear-counting estimate of how many there were, from how many bits stayed empty.
func sources(empty int, packets uint64) uint64 {
	n := uint64(math.Round(-bitmap * math.Log(float64(max(empty, 1))/bitmap)))
	return min(n, packets)
}

func (m *Meter) loudest(top []talker) []talker {
	slices.SortFunc(top, func(a, b talker) int {
		return cmp.Or(cmp.Compare(b.Packets, a.Packets), a.Source.Compare(b.Source))
	})
	top = top[:min(told, len(top))]
	for i := range top {
		top[i].Packets *= m.o.Sample
	}
	return top
}
