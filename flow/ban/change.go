package ban

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"ringfence/core/fact"
	"ringfence/core/netlist"
	"ringfence/flow/journal"
	"ringfence/state/counters"
)

// Request is a ban by a person.
type Request struct {
	Net   netip.Prefix
	For   time.Duration // how long; or
	Until time.Time     // until when; both zero: 24 hours
	Why   string
	By    string // who; not "auto" and not "feed:…"
	Force bool   // also if somebody is exempt in there
}

// Add bans by hand: in force and saved when it returns. An earlier ban of the same network by the same person is
// prolonged, never shortened: Remove it first. Errors: *ExemptError (Force overrides it), *NeverError, ErrInvalid,
// netlist.ErrTooWide, ErrFull, ErrUnsaved.
func (l *List) Add(ctx context.Context, r Request) (Entry, error) {
	now := time.Now()
	e, err := r.entry(now)
	if err != nil {
		return Entry{}, err
	}
	if n := l.neverHas(e.Net); n.IsValid() {
		return Entry{}, &NeverError{e.Net, n}
	}
	if !r.Force {
		if exempt := l.exempt(e.Net); exempt != nil {
			return Entry{}, exempt
		}
	}
	if e, err = l.addNow(e, now); err != nil {
		return Entry{}, err
	}
	return e, l.flushed(ctx)
}

// ThisMachine says that a network holds this machine itself: with it monitoring, proxies and tests on the machine would be blocked, which is
// mostly a slip. What is too wide for a ban at all is refused by Add.
func ThisMachine(net netip.Prefix) bool {
	return net.Bits() >= 8 && (net.Contains(netip.AddrFrom4([4]byte{127, 0, 0, 1})) || net.Contains(netip.IPv6Loopback()))
}

// entry checks a request.
func (r *Request) entry(now time.Time) (Entry, error) {
	p, loose, err := netlist.Normal(r.Net)
	switch {
	case err != nil:
		return Entry{}, fmt.Errorf("%w: %s, expected %w", ErrInvalid, r.Net, err)
	case loose:
		return Entry{}, fmt.Errorf("%w: %s has bits set outside the network: write %s or %s", ErrInvalid, r.Net, netlist.Show(p), r.Net.Addr().Unmap())
	}
	e := Entry{Net: p, Made: now, By: netlist.Clean(r.By), Why: netlist.Clean(r.Why)}
	if e.By == "" || e.By == ByAuto || strings.HasPrefix(e.By, byFeed) {
		return Entry{}, fmt.Errorf("%w: it must say who made it", ErrInvalid)
	}
	switch {
	case r.For < 0 || r.For > 0 && !r.Until.IsZero():
		return Entry{}, fmt.Errorf("%w: say how long, or until when, but not both", ErrInvalid)
	case r.For > 0:
		e.Until = now.Add(min(r.For, Longest))
	case r.Until.IsZero():
		e.Until = now.Add(defaultFor)
	case !r.Until.After(now):
		return Entry{}, fmt.Errorf("%w: %s has passed", ErrInvalid, r.Until.UTC().Format(time.RFC3339))
	default:
		e.Until = now.Add(min(r.Until.Sub(now), Longest))
	}
	return e, nil
}

func (l *List) addNow(e Entry, now time.Time) (Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.table.entries[e.Net]
	if (h == nil || h.class != manual) && len(l.table.queues[manual]) >= l.o.Max {
		return Entry{}, ErrFull
	}
	if h != nil {
		if old := h.claim(e.By); old != nil && old.Until.After(e.Until) {
			e.Until = old.Until
		}
	}
	delete(l.pardons, e.Net)
	l.hold(e, now)
	l.changed(e.Net)
	l.stats.Added++
	l.note(now, added(&e))
	return e, nil
}

// flushed writes a change, which stands although it could not be written.
func (l *List) flushed(ctx context.Context) error {
	if err := l.Flush(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsaved, err)
	}
	return nil
}

// request is an automatic ban on its way.
type request struct {
	net netip.Prefix
	d   time.Duration
	why string
}

// Auto bans without a person's word, for d (at most Longest). It does not block: Run makes the ban within moments, unless
// it would block somebody who is exempt or on the operator's own list; then a fact says so. A network with an exempt
// address inside is not banned at all.
func (l *List) Auto(net netip.Prefix, d time.Duration, reason string) {
	select {
	case l.queue <- request{net, d, netlist.Clean(reason)}:
	default:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.stats.Lost++
		name(l.told.Leave(struct{}{}, 1, time.Now()), net)
	}
}

func (l *List) auto(w request, now time.Time) {
	p, _, err := netlist.Normal(w.net)
	if err != nil || w.d <= 0 {
		l.log.Warn("an automatic ban was not made", "net", w.net.String(), "for", w.d, "why", w.why)
		return
	}
	e := Entry{Net: p, Until: now.Add(min(w.d, Longest)), Made: now, By: ByAuto, Why: w.why}
	exempt := l.exempt(p)
	if l.neverHas(p).IsValid() {
		exempt = &ExemptError{p, p.Addr(), "never to be banned, says the configuration"}
	}
	if exempt != nil {
		l.leave(e, exempt, now)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.table.entries[p]; h != nil {
		if old := h.claim(ByAuto); old != nil && !old.Until.Before(e.Until) {
			return
		}
	}
	if !l.hold(e, now) {
		return
	}
	l.changed(p)
	l.stats.Added++
	if w, told := l.told.Take(struct{}{}, now); told {
		l.note(now, added(&e))
	} else {
		name(w, p)
	}
}

// leave tells of an automatic ban that is not made.
func (l *List) leave(e Entry, s *ExemptError, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Exempt++
	if !l.left.Pass(struct{}{}, now) {
		return
	}
	l.log.Info("an automatic ban was not made", "net", netlist.Show(e.Net), "address", s.Addr.String(), "exempt", s.Why, "why", e.Why)
	l.record(now, &fact.BanSpared{Net: e.Net.String(), Source: fact.FromAddr(s.Addr), SparedFor: s.Why, Why: e.Why})
}

// Remove lifts the ban of exactly this network, no matter who made it, on all nodes, and says what it was. A feed that still
// lists it does not bring it back for a day. ErrNotBanned says if a larger network holds it. ErrUnsaved as with Add.
func (l *List) Remove(ctx context.Context, net netip.Prefix, actor, reason string) (Entry, error) {
	p, _, err := netlist.Normal(net)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: %s, expected %w", ErrInvalid, net, err)
	}
	e, err := l.removeNow(p, netlist.Clean(actor), netlist.Clean(reason), time.Now())
	if err != nil {
		return Entry{}, err
	}
	return e, l.flushed(ctx)
}

func (l *List) removeNow(p netip.Prefix, actor, reason string, now time.Time) (Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.table.entries[p]
	if h == nil || !h.top.Until.After(now) {
		for _, larger := range l.table.holding(p.Addr(), now) {
			if larger.top.Net.Bits() < p.Bits() {
				return Entry{}, fmt.Errorf("%s is itself %w: %s is, by %s", netlist.Show(p), ErrNotBanned, netlist.Show(larger.top.Net), larger.top.By)
			}
		}
		return Entry{}, fmt.Errorf("%s is %w", netlist.Show(p), ErrNotBanned)
	}
	e := h.top
	l.lift(h, func(Entry) bool { return true }, now)
	l.changed(p)
	l.stats.Removed++
	l.note(now, &fact.BanRemoved{Net: p.String(), By: actor, Why: reason})
	return e, nil
}

// hold takes a claim, makes room for it and enforces it. It is false if the claim itself was evicted. The caller holds mu.
func (l *List) hold(c Entry, now time.Time) bool {
	var before time.Time
	if h := l.table.entries[c.Net]; h != nil {
		before = h.top.Until
	}
	h := l.table.put(c)
	l.enforce(c.Net, before, h.top.Until, now)
	l.makeRoom(now)
	return l.table.entries[c.Net] == h
}

// lift takes claims away, and with the last one the ban. Claims of feeds that go so do not come back for a while. The
// caller holds mu.
func (l *List) lift(h *held, gone func(Entry) bool, now time.Time) {
	p, before := h.top.Net, h.top.Until
	for _, c := range h.claims {
		if gone(c) && classOf(c.By) == feed {
			l.pardon(p, now)
		}
	}
	l.withdraw(h, gone, before, now)
}

// withdraw is lift without a pardon.
func (l *List) withdraw(h *held, gone func(Entry) bool, before, now time.Time) {
	p := h.top.Net
	if rest := l.table.drop(h, gone); rest != nil {
		l.enforce(p, before, rest.top.Until, now)
		return
	}
	l.enforce(p, before, time.Time{}, now)
}

// enforce tells those who drop packets that the end of a ban has moved; after zero: that it is lifted. The caller holds mu.
func (l *List) enforce(p netip.Prefix, before, after, now time.Time) {
	if before.Equal(after) {
		return
	}
	for _, e := range l.o.Enforce {
		if after.Before(before) {
			e.Remove(p)
		}
		if d := after.Sub(now); !after.IsZero() && d > 0 {
			e.Add(p, d)
		}
	}
}

// makeRoom keeps to the limits by evicting what ends first: of automatic bans if those have more than a quarter, else of
// feeds'. Bans by hand are bounded where they are made. The caller holds mu.
func (l *List) makeRoom(now time.Time) {
	autos, feeds := &l.table.queues[auto], &l.table.queues[feed]
	for len(*feeds) > l.o.Max*3/4 {
		l.evict((*feeds)[0], now)
	}
	for len(*autos)+len(*feeds) > l.o.Max {
		if len(*autos) > 0 {
			l.evict((*autos)[0], now)
		} else {
			l.evict((*feeds)[0], now)
		}
	}
}

func (l *List) evict(h *held, now time.Time) {
	p, before := h.top.Net, h.top.Until
	l.table.remove(h)
	l.enforce(p, before, time.Time{}, now)
	l.dirty[p] = struct{}{}
	if before.After(now) {
		l.stats.Evicted++
	}
}

func (l *List) pardon(p netip.Prefix, now time.Time) {
	if len(l.pardons) >= maxPardons {
		for q, until := range l.pardons {
			if !until.After(now) || len(l.pardons) >= maxPardons {
				delete(l.pardons, q)
			}
		}
	}
	l.pardons[p] = now.Add(pardonFor)
}

// changed marks a network to be written and shared. The caller holds mu.
func (l *List) changed(p netip.Prefix) {
	l.dirty[p] = struct{}{}
	if l.table.entries[p] == nil {
		l.marks.Drop(p.String())
	} else {
		l.marks.Put(counters.Mark{Key: p.String()})
	}
}

// sweep lets go of what has ended. Rows go by ClearBans. The caller does not hold mu.
func (l *List) sweep(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range l.table.queues {
		for q := &l.table.queues[k]; len(*q) > 0 && !(*q)[0].top.Until.After(now); {
			h := (*q)[0]
			l.table.remove(h)
			l.marks.Forget(h.top.Net.String())
		}
	}
	for p, until := range l.pardons {
		if !until.After(now) {
			delete(l.pardons, p)
		}
	}
	l.closeFlood(now, false)
}

// closeFlood tells of the bans that were not told one by one. The caller holds mu.
func (l *List) closeFlood(now time.Time, short bool) {
	l.told.Close(now, short, func(_ struct{}, w *journal.Span[[]string]) {
		l.record(now, &fact.BanFlood{Bans: int64(w.More), From: seconds(w.From), To: seconds(w.To), Sample: w.Sum})
	})
}

// relieve lifts automatic and feed bans of those who have come to be exempt since: an address put on a line's IP lock.
// Addresses are all looked at; of networks, for which the question costs more, a few each time.
func (l *List) relieve(now time.Time) {
	for _, p := range l.unforced(256) {
		s := l.exempt(p)
		if s == nil {
			continue
		}
		l.mu.Lock()
		if h := l.table.entries[p]; h != nil && h.class != manual {
			l.lift(h, func(Entry) bool { return true }, now)
			l.changed(p)
			l.stats.Removed++
			l.log.Info("a ban was lifted", "net", netlist.Show(p), "address", s.Addr.String(), "exempt", s.Why)
			l.note(now, &fact.BanRemoved{Net: p.String(), By: ByAuto, Why: s.Error()})
		}
		l.mu.Unlock()
	}
}

// unforced are the banned addresses, and some networks, that nobody banned by hand. Claims that have ended while another
// goes on are taken off on the way.
func (l *List) unforced(networks int) []netip.Prefix {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []netip.Prefix
	now := time.Now()
	for p, h := range l.table.entries { // begins anywhere
		if len(h.claims) > 1 && h.top.Until.After(now) {
			l.table.drop(h, func(e Entry) bool { return !e.Until.After(now) })
		}
		if h.class == manual {
			continue
		}
		if !p.IsSingleIP() {
			if networks == 0 {
				continue
			}
			networks--
		}
		list = append(list, p)
	}
	return list
}
