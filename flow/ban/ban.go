// Package ban is the list of addresses and networks that are blocked: who put them there, why, until when. It is kept in
// the store, shared between nodes through counters, and handed to those that drop packets. Customers' own addresses and
// carriers are never on it, except by an operator's explicit command. It must not know packets or SQL.
package ban

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"ringfence/core/check"
	"ringfence/core/netlist"
	"ringfence/flow/journal"
	"ringfence/flow/keep"
	"ringfence/state/counters"
	"ringfence/state/store"
)

// Entry is one ban.
type Entry = store.Ban

// Enforcer drops packets of banned networks: the SIP transport's table, and the kernel's set where it may be used.
// All must not block for long, and must not call back: they are called with the list's lock held. An Add for a network
// that is there prolongs and never shortens; Remove is for exactly one network.
type Enforcer struct {
	Kernel bool // it drops in the kernel, before this program has read anything
	Add    func(net netip.Prefix, d time.Duration)
	Remove func(net netip.Prefix)
}

// Options of Open.
type Options struct {
	Store    store.Stages
	Counters counters.Counters // nil: this node alone
	Enforce  []Enforcer
	NoKernel bool // the operator wants no Enforcer in the kernel
	// Exempt says why an address must not be banned for what others do: "" if it may be. Asked for single addresses by
	// automatic bans, and Inside for networks: an address on a line's IP lock, a trunk's, one with a good recent history.
	// Neither may call back into the list.
	Exempt func(addr netip.Addr) (reason string)
	// Inside finds an exempt address inside a network, if there is one.
	Inside func(net netip.Prefix) (addr netip.Addr, reason string, ok bool)
	Never  []netip.Prefix            // the operator's own list; it holds also against people and feeds
	Max    int                       // maximum number of automatic and feed bans; 0 is 65,536. The one that ends first is evicted
	Every  time.Duration             // how often changes are written; 0 is 2 s
	Record func(facts ...store.Fact) // facts that no row goes with (flood, exempt, feed); must not block; nil drops
	Log    *slog.Logger              // nil is none
}

// By of automatic bans.
const (
	ByAuto = "auto"
	byFeed = "feed:" // and the feed's name
)

// Bounds. What is kept is Max automatic and feed bans (feeds at most three quarters of them), and as many by hand again;
// an entry has at most maxClaims who want it.
const (
	defaultMax = 65_536
	maxClaims  = 8
	maxQueue   = 4096 // automatic bans on their way
	maxFacts   = 2000 // waiting while the store is away
	maxPardons = 4096
	defaultFor = 24 * time.Hour
	Longest    = 10 * 365 * 24 * time.Hour // no ban is longer
	feedFor    = 7 * 24 * time.Hour        // of feed entries without an end; a feed that still lists them prolongs them
	pardonFor  = 24 * time.Hour            // a feed does not bring back so long what was removed by hand
	rareEvery  = time.Minute               // how often ended rows are cleared, and bans looked at again for the exempt
)

// Table is the counters' table in which nodes share their bans.
const Table = "ban"

// List is the list of bans. It is safe for concurrent use.
type List struct {
	o     Options
	log   *slog.Logger
	never []netip.Prefix // normal
	queue chan request   // automatic bans on their way to Run
	write keep.Writer[*work]
	marks *keep.Marks // keys are networks

	mu      sync.Mutex // owns all below
	table   table
	dirty   map[netip.Prefix]struct{} // to be written: put if it is in the table, else dropped
	pardons map[netip.Prefix]time.Time
	facts   []store.Fact                      // to be written with the rows
	told    journal.Limit[struct{}, []string] // automatic bans told one by one, so that a storm does not fill the journal; names some of the rest
	left    journal.Limit[struct{}, struct{}] // bans that were not made; none are summed up
	stats   Stats
}

// Stats are figures for metrics; those that count only go up.
type Stats struct {
	Manual, Auto, Feed int   // in force now
	Added, Removed     int64 // automatic and by hand; feeds' not counted
	Exempt             int64 // automatic bans not made
	Evicted            int64 // removed before their end because the list was full
	Lost               int64 // automatic bans that found their queue full
	Unsaved            int   // waiting to be written
}

// Open loads the bans that have not ended and enforces them immediately. Run does the rest.
func Open(ctx context.Context, o Options) (*List, error) {
	o.Max, o.Every = cmp.Or(max(o.Max, 0), defaultMax), cmp.Or(max(o.Every, 0), 2*time.Second)
	l := &List{
		o: o, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), queue: make(chan request, maxQueue), dirty: map[netip.Prefix]struct{}{},
		pardons: map[netip.Prefix]time.Time{}, table: table{entries: map[netip.Prefix]*held{}},
		told: journal.Limit[struct{}, []string]{Most: tellBans, Window: time.Minute}, left: journal.Limit[struct{}, struct{}]{Most: tellExempt, Window: time.Minute},
	}
	l.write = keep.Writer[*work]{Batches: l.batches, Save: l.save, Back: l.putBack, Outage: keep.Outage{
		Log: l.log, Level: slog.LevelWarn, Failed: "bans cannot be written; they stay in force, a restart would lose the newest", Again: "bans are written again",
	}}
	l.marks = keep.NewMarks(o.Counters, Table, 4*o.Max, l.mark)
	for _, p := range o.Never {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		l.never = append(l.never, p.Masked())
	}
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	err := o.Store.Bans(ctx, func(e Entry) error { l.load(e, now); return nil })
	if err != nil {
		return nil, err
	}
	return l, nil
}

// load takes a stored row. What has come to be on the operator's own list is dropped. The caller holds mu.
func (l *List) load(e Entry, now time.Time) {
	p, loose, err := netlist.Normal(e.Net)
	switch {
	case err != nil || loose || p != e.Net:
		l.log.Warn("stored ban left out", "net", e.Net.String())
	case !e.Until.After(now):
	case l.neverHas(p).IsValid():
		l.log.Info("a stored ban is lifted: it is never to be banned", "net", netlist.Show(p))
		l.dirty[p] = struct{}{}
	default:
		l.hold(e, now)
	}
}

// Stats gives the figures of now.
func (l *List) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Manual, s.Auto, s.Feed = len(l.table.queues[manual]), len(l.table.queues[auto]), len(l.table.queues[feed])
	s.Unsaved = len(l.dirty)
	return s
}

// Check finds where banned sources are dropped, and whether all bans had room.
func (l *List) Check() check.Findings {
	var out check.Findings
	switch {
	case slices.ContainsFunc(l.o.Enforce, func(e Enforcer) bool { return e.Kernel }):
		out.OK("bans", "banned sources are dropped in the kernel")
	case l.o.NoKernel:
		out.OK("bans", "banned sources are dropped by this program (shield.kernel is off)")
	default:
		out.Warn("bans", "banned sources are dropped by this program, not by the kernel: the log of the start says why; it needs CAP_NET_ADMIN")
	}
	if s := l.Stats(); s.Lost+s.Evicted > 0 {
		out.Warn("bans", "%s were dropped since the start because the list was full: raise shield.max-bans", check.Count(int(s.Lost+s.Evicted), "ban", "bans"))
	}
	return out
}

// Run makes the automatic bans, writes changes behind, shares them with other nodes and hears of theirs, until ctx ends.
// What is left is for Flush.
func (l *List) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { l.work(ctx) })
	wg.Go(func() { l.keep(ctx) })
	if l.o.Counters != nil {
		wg.Go(func() {
			l.marks.Run(ctx, keep.Outage{
				Log: l.log, Level: slog.LevelWarn, Failed: "bans cannot be shared with other nodes; they hold here", Again: "bans are shared with other nodes again",
			})
		})
		wg.Go(func() { l.marks.Follow(ctx, l.heard, l.resync) })
	}
	wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeFlood(time.Now(), true)
}

// work makes automatic bans as they come, without waiting for any disk or network.
func (l *List) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-l.queue:
			l.auto(w, time.Now())
		}
	}
}

// keep writes, and lets go of what has ended.
func (l *List) keep(ctx context.Context) {
	cleared := time.Now()
	keep.Every(ctx, l.o.Every, func(now time.Time) {
		l.sweep(now)
		_ = l.Flush(ctx) // logged there; what failed is tried again
		if now.Sub(cleared) < rareEvery {
			return
		}
		cleared = now
		l.relieve(now)
		if _, err := l.o.Store.ClearBans(ctx, now); err != nil && ctx.Err() == nil {
			l.log.Warn("ended bans cannot be cleared from the store", "error", err)
		}
	})
}

// Errors of this stage. ExemptError, NeverError and those of core/netlist come beside them.
var (
	ErrInvalid   = errors.New("not a ban that can be made")
	ErrNotBanned = errors.New("not banned")
	ErrFull      = errors.New("as many bans by hand as can be kept")
	// ErrUnsaved says that a change is in force but not yet written; it is tried again.
	ErrUnsaved = errors.New("in force, but not yet saved")
)

// ExemptError says that a ban would by mistake block a source that must not be blocked. Force overrides it.
type ExemptError struct {
	Net  netip.Prefix
	Addr netip.Addr // in Net
	Why  string
}

func (e *ExemptError) Error() string {
	if e.Net.IsSingleIP() {
		return e.Addr.String() + " is exempt: " + e.Why
	}
	return e.Net.String() + " holds " + e.Addr.String() + ", which is exempt: " + e.Why
}

// NeverError says that the operator's own list forbids a ban; nothing overrides it.
type NeverError struct {
	Net, Never netip.Prefix
}

func (e *NeverError) Error() string {
	return netlist.Show(e.Net) + " is never to be banned: " + netlist.Show(e.Never) + " is on the list in the configuration"
}

// neverHas is the network of the operator's list that p has anything to do with; the invalid one if there is none.
func (l *List) neverHas(p netip.Prefix) netip.Prefix {
	if i := slices.IndexFunc(l.never, p.Overlaps); i >= 0 {
		return l.never[i]
	}
	return netip.Prefix{}
}

// exempt says whom a ban of p would block although it must not.
func (l *List) exempt(p netip.Prefix) *ExemptError {
	if p.IsSingleIP() {
		if l.o.Exempt != nil {
			if why := l.o.Exempt(p.Addr()); why != "" {
				return &ExemptError{p, p.Addr(), why}
			}
		}
		return nil
	}
	if l.o.Inside != nil {
		if addr, why, ok := l.o.Inside(p); ok {
			return &ExemptError{p, addr, why}
		}
	}
	return nil
}
