// Package device remembers where and with what each line's login was used: places (networks) and families of
// User-Agents, in memory, written behind to the store. It tells usual places from strange ones, and a new phone from one
// that roams or updates its firmware. It must not know SIP, mail or SQL.
package device

import (
	"cmp"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/flow/journal"
	"ringfence/flow/keep"
	"ringfence/state/geo"
	"ringfence/state/store"
)

// Login is one right login. Strings are copied; they may point into a packet.
type Login struct {
	Line      string
	Addr      netip.Addr
	Agent     string // User-Agent; hostile text is cleaned here
	At        time.Time
	Failures  int  // recent wrong tries for this line from this address, before it was right
	AfterLock bool // the line, or this address, was locked out within the last day
	Call      bool // by INVITE, not REGISTER
}

// Options of New.
type Options struct {
	Store   store.Stages
	Place   func(netip.Addr) geo.Place // nil knows nothing
	Files   func() int                 // how many files Place reads; nil is none
	Account func(line string) string   // nil leaves it out
	// Elsewhere lists where the line's phones are registered, without addr; asked only when a login comes from a place
	// or agent that is new. It must not block nor call back. Nil is nowhere.
	Elsewhere  func(line string, addr netip.Addr, now time.Time) []netip.Addr
	MaxPerLine int                       // 0 is 32; of those seen on one day only, the one unseen for longest goes, then of the others
	Good       time.Duration             // how long a right login makes a place usual; 0 is 30 days
	Settled    time.Duration             // how long an address must be known until it is trusted, so that an attacker's is not trusted immediately; 0 is a day
	Every      time.Duration             // how often changes are written; 0 is 5 s
	Record     func(facts ...store.Fact) // the journal; nil drops
	Log        *slog.Logger
}

// MaxFacts is how many facts of one line are told one by one within an hour.
const MaxFacts = 10

// What an owner answers about a device.
const (
	Mine    = "mine"
	NotMine = "not-mine"
)

const (
	shards    = 64        // spreads the locks; a power of two
	rewrite   = time.Hour // at most one write of a device within it when only its address, text or Last changed
	maxText   = 200       // bytes of a User-Agent that are kept
	maxAway   = 5         // registrations elsewhere in a fact
	maxFacts  = 50_000    // waiting in memory while the store is away, about 1 KB each; more are counted only
	usualGood = 30 * 24 * time.Hour
)

// Devices is safe for concurrent use. It holds at most MaxPerLine devices of each line, 88 bytes each and about 100 a line,
// beside the texts, which are held once, and MaxTrusted addresses of about 100 bytes.
type Devices struct {
	o       Options
	log     *slog.Logger
	seed    maphash.Seed
	shards  [shards]shard
	trusted trusted
	count   atomic.Int64 // devices
	waiting atomic.Int64 // facts not written yet

	behind keep.Writer[*batch]
}

type shard struct {
	mu    sync.Mutex // owns all below
	lines map[string][]entry
	work  map[string]*work                   // lines with something to write
	told  journal.Limit[string, []fact.Spot] // of each line within the hour
	_     [8]byte                            // own cache line
}

// New makes an empty Devices; Load fills it.
func New(o Options) *Devices {
	o.MaxPerLine = cmp.Or(max(o.MaxPerLine, 0), 32)
	o.Good = cmp.Or(max(o.Good, 0), usualGood)
	o.Settled = cmp.Or(max(o.Settled, 0), 24*time.Hour)
	o.Every = cmp.Or(max(o.Every, 0), 5*time.Second)
	if o.Place == nil {
		o.Place = func(netip.Addr) geo.Place { return geo.Place{} }
	}
	if o.Record == nil {
		o.Record = func(...store.Fact) {}
	}
	d := &Devices{o: o, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), seed: maphash.MakeSeed()}
	d.behind = keep.Writer[*batch]{Batches: d.batches, Save: d.save, Outage: keep.Outage{
		Log: d.log, Level: slog.LevelError, Failed: "devices are not written; they are kept and tried again", Again: "devices are written again",
	}}
	for i := range d.shards {
		s := &d.shards[i]
		s.lines, s.work = map[string][]entry{}, map[string]*work{}
		s.told = journal.Limit[string, []fact.Spot]{Most: MaxFacts, Window: time.Hour}
	}
	d.trusted.nets = map[uint64][]spot{}
	return d
}

// Seen takes a right login. A device at the address and with the User-Agent it had last costs some 100 ns and no allocation.
func (d *Devices) Seen(l Login) {
	l.Addr = l.Addr.Unmap().WithZone("")
	if !l.Addr.IsValid() {
		return
	}
	at := l.At.UnixMicro()
	s := d.shard(l.Line)
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.lines[l.Line]
	for i := range list {
		if e := &list[i]; e.addr == l.Addr && e.agent.Value() == l.Agent {
			d.again(s, e, l.Line, at)
			return
		}
	}
	d.other(s, &l, at)
}

// again is a device that is as it was. The caller holds the lock.
func (d *Devices) again(s *shard, e *entry, line string, at int64) {
	e.seen(at)
	if at-e.noted < rewrite.Microseconds() {
		return
	}
	e.noted, e.dirty = at, true
	s.need(line)
	if e.verdict != notMine {
		d.trusted.note(e.addr, at)
	}
}

// other is a login with another address or User-Agent than any of the line's devices had last. The caller holds the lock.
func (d *Devices) other(s *shard, l *Login, at int64) {
	n := d.entry(l, at)
	list := s.lines[l.Line]
	samePlace, sameFamily := false, false
	for i := range list {
		e := &list[i]
		place, family := e.samePlace(&n), e.family == n.family
		if place && family {
			d.changed(s, l, i, &n)
			return
		}
		samePlace, sameFamily = samePlace || place, sameFamily || family
	}
	if news := whatIsNew(samePlace, sameFamily); news != "" {
		d.tell(s, l, false, &n, news, latest(list, &n), len(list) == 0)
	}
	d.insert(s, strings.Clone(l.Line), n)
}

// whatIsNew about a device that is; "" where its place is known and its family too, each from another device: a phone
// carried from one desk to another is no news.
func whatIsNew(samePlace, sameFamily bool) string {
	switch {
	case !samePlace && !sameFamily:
		return "both"
	case !samePlace:
		return "address"
	case !sameFamily:
		return "agent"
	}
	return ""
}

// changed is device i of a line with another address in its place, or another version of its software. The caller holds
// the lock.
func (d *Devices) changed(s *shard, l *Login, i int, n *entry) {
	list := s.lines[l.Line]
	e, was := &list[i], list[i]
	e.addr, e.agent = n.addr, n.agent
	if n.asn != 0 {
		e.asn, e.byAS, e.network = n.asn, n.byAS, n.network
	}
	if n.country != [2]byte{} {
		e.country = n.country
	}
	e.seen(n.last)
	moved := was.country != e.country && was.country != [2]byte{} && detect.Net(was.addr) != detect.Net(e.addr)
	if moved {
		from := latest(list, e)
		if from == nil || from.last < was.last {
			from = &was
		}
		d.tell(s, l, true, e, "", from, false)
	}
	renamed := was.place() != e.place()
	if moved || renamed || n.last-e.noted >= rewrite.Microseconds() {
		e.noted, e.dirty = n.last, true
		s.need(l.Line)
	}
	if e.verdict != notMine {
		d.trusted.note(e.addr, n.last)
	}
	if renamed { // what is known of networks changed, and with it what the place is called
		s.need(l.Line).drop(l.Line, &was)
		d.merge(s, l.Line, i)
	}
}

// merge takes in the other devices of a line that have the same key as device i by now. The caller holds the lock.
func (d *Devices) merge(s *shard, line string, i int) {
	list := s.lines[line]
	e := list[i]
	rest := list[:0]
	for j := range list {
		o := &list[j]
		if j != i && (o.family != e.family || o.place() != e.place()) {
			rest = append(rest, *o)
			continue
		}
		e.first, e.last, e.days = min(e.first, o.first), max(e.last, o.last), max(e.days, o.days)
		if e.verdict == unanswered {
			e.verdict = o.verdict
		}
	}
	d.count.Add(int64(len(rest) + 1 - len(list)))
	clear(list[len(rest):])
	s.lines[line] = append(rest, e)
}

// entry is what a login says, as a device.
func (d *Devices) entry(l *Login, at int64) entry {
	p := d.o.Place(l.Addr)
	n := entry{
		addr: l.Addr, agent: unique.Make(cleanAgent(l.Agent)), family: unique.Make(strings.Clone(detect.Family(l.Agent))), network: unique.Make(p.Network),
		first: at, last: at, noted: at, asn: p.ASN, days: 1, dirty: true,
		byAS: p.ASN != 0 && !detect.Hosting(p.ASN, p.Network),
	}
	if len(p.Country) == 2 {
		n.country = [2]byte{p.Country[0], p.Country[1]}
	}
	return n
}

// insert adds a device to its line and makes room for it. The caller holds the lock.
func (d *Devices) insert(s *shard, line string, n entry) {
	list := s.lines[line]
	w := s.need(line)
	for len(list) >= d.o.MaxPerLine {
		i := leastKnown(list)
		w.drop(line, &list[i])
		list = slices.Delete(list, i, i+1)
		d.count.Add(-1)
	}
	s.lines[line] = append(list, n)
	d.count.Add(1)
	d.trusted.note(n.addr, n.last)
}

func (d *Devices) shard(line string) *shard {
	return &d.shards[maphash.String(d.seed, line)%shards]
}
