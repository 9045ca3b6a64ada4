package guard

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/check"
	"ringfence/core/fact"
	"ringfence/flow/keep"
)

// Run tells facts, looks up the sample and talks to the other nodes, until ctx ends. Without it logins are judged all the
// same, but nobody hears of it; what waits is bounded. One goroutine for its own work, one for Options.File and two for Around.Counters.
func (g *Guard) Run(ctx context.Context) {
	var wg sync.WaitGroup
	if g.keeper.file != "" {
		wg.Go(func() { g.keepOn(ctx) })
	}
	if g.around.Counters != nil {
		wg.Go(func() { g.share(ctx) })
		wg.Go(func() { g.follow(ctx) })
	}
	summed := time.Now()
	keep.Every(ctx, time.Second, func(now time.Time) {
		sums := now.Sub(summed) >= flushEvery
		if sums {
			summed = now
		}
		g.tick(now, sums)
	})
	g.tick(time.Now(), true)
	wg.Wait()
}

// tick does what is due off the hot path. Run's goroutine alone calls it.
func (g *Guard) tick(now time.Time, sums bool) {
	at := g.Seconds(now)
	g.drain(g.o.Realm, now, at)
	g.tellMoved(at)
	g.flush(now, sums)
}

// LockedOut is a lock-out in force.
type LockedOut struct {
	Scope string // "line", "address", "network", "as"; "strangers": a line whose budget for unknown sources is cut;
	// "probation": an address admitted with tight limits
	Source   string    // address, network or "AS64496"; "" of "strangers"
	User     string    // of "line" and "strangers": the user name tried
	Line     bool      // there is such a line
	Until    time.Time // zero of "strangers": it depends on what they do
	Level    int       // how often it was locked out, this time included
	Failures int       // wrong tries within a day
}

// Locked lists the lock-outs in force, those that end last first.
func (g *Guard) Locked(now time.Time) (list []LockedOut) {
	at := g.Seconds(now)
	for scope := range numScopes {
		g.tables[scope].each(func(s *slot[suspect]) {
			e := &s.e
			if e.until <= at {
				return
			}
			t := g.tryOf(s.key, e, at, now)
			list = append(list, LockedOut{
				Scope: scope.String(), Source: t.from(scope, s.key).String(), User: e.name, Line: e.known, Level: int(e.level),
				Until: now.Add(time.Duration(e.until-at) * time.Second), Failures: e.day.add(0, at, secondsADay),
			})
		})
	}
	g.targets.each(func(s *slot[target]) {
		if s.e.budget(&g.l, at) != open {
			today, _, _ := s.e.sums()
			list = append(list, LockedOut{Scope: "strangers", User: s.e.name, Line: s.e.known, Failures: today})
		}
	})
	g.stays.each(func(line string, unit key, e *stay) {
		if !e.tight(at) {
			return
		}
		l := LockedOut{
			Scope: "probation", Source: e.addr.String(), User: e.user, Line: true, Until: now.Add(time.Duration(e.since+secondsADay-at) * time.Second),
		}
		list = append(list, l)
	})
	slices.SortStableFunc(list, func(x, y LockedOut) int {
		return cmp.Or(y.Until.Compare(x.Until), cmp.Compare(x.Source, y.Source), cmp.Compare(x.User, y.User))
	})
	return list
}

// Release ends lock-outs before their time, on all nodes: of an address, with whatever it is locked out for; of a network
// or AS ("203.0.113.0/24", "AS64496"); or of a line or user name, for all addresses, with what unknown sources used up. It says
// whether there was any. It is in Options.File before it returns. A ban of the source is not touched: it is lifted where bans are.
func (g *Guard) Release(target, actor string, now time.Time) bool {
	at := g.Seconds(now)
	line, known := g.o.Line([]byte(target), now)
	chosen := g.chosen(target, line.ID)
	var freed []string
	for scope := range numScopes {
		g.tables[scope].each(func(s *slot[suspect]) {
			if s.e.until > at && chosen(scope, s.key, s.e.name) {
				freed = append(freed, sharedName(scope, s.key, s.e.name))
				s.e.release()
			}
		})
	}
	// Staff who release a line or an address have looked: probations there end too.
	freed = append(freed, g.stays.drop(func(line string, unit key, e *stay) bool {
		return e.ends() > at && !e.served(at) && (line == target || e.user == target || chosen(ofAddress, unit, ""))
	})...)
	lifted := g.liftBudget(target, at, now)
	if known {
		lifted = g.liftBudget(line.ID, at, now) || lifted
	}
	if len(freed) == 0 && !lifted {
		return false
	}
	g.marks.Drop(freed...)
	g.keeper.soon()
	g.save(now)
	w, b := waiting{at: now}, fact.LoginReleased{By: actor}
	if known {
		w.line = line.ID
	} else {
		b.Source = fact.ParseSource(target)
	}
	w.body = &b
	g.queue(w)
	return true
}

// chosen says which entries a text means; line is the identity of the line that is called so, if any.
func (g *Guard) chosen(target, line string) func(scope scope, k key, user string) bool {
	if net, err := netip.ParsePrefix(target); err == nil {
		k := newSource(net.Addr()).net
		return func(scope scope, other key, _ string) bool { return scope == ofNetwork && other == k }
	}
	if addr, err := netip.ParseAddr(target); err == nil {
		k := newSource(addr).unit
		return func(scope scope, other key, _ string) bool {
			return scope <= ofAddress && other.hi == k.hi && other.lo == k.lo
		}
	}
	return func(scope scope, k key, user string) bool {
		return scope == ofPair && (user == target || line != "" && user == line) || scope == ofAS && strings.EqualFold(target, (&try{}).from(ofAS, k).String())
	}
}

// release ends a lock-out and forgets what led to it, its level too: somebody has looked.
func (e *suspect) release() {
	e.until, e.level, e.day = 0, 0, tally{}
	e.begin(e.round + 1)
}

// free ends a lock-out that another node released.
func (g *Guard) free(scope scope, k key) {
	p := g.tables[scope].lock(k)
	defer p.unlock()
	if s := p.find(); s != nil && s.e.level > 0 { // our own comes back to us
		s.e.release()
		g.keeper.soon()
	}
}

// liftBudget gives a line its budget for unknown sources back.
func (g *Guard) liftBudget(user string, at int64, now time.Time) bool {
	p := g.targets.lock(key{user: g.hashUser(user)})
	s := p.find()
	lift := s != nil && s.e.budget(&g.l, at) != open
	if lift {
		s.e.lift(now.Unix())
	}
	p.unlock()
	if lift {
		g.markLift(user, now.Unix())
	}
	return lift
}

// lift forgets what led to a cut budget. What nodes counted together until then is left behind under its old name.
func (e *target) lift(unix int64) {
	e.days, e.others, e.fresh = [guessDays]uint16{}, [2]int{}, 0
	e.lifted = unix
}

// stats are counted as they happen.
type stats struct {
	digests, failures, refusedRight, sprays, targets, bans, honeypots, moved, stale atomic.Uint64
	probations, held                                                                atomic.Uint64
	sampled, matched, unsampled, unshared                                           atomic.Uint64
	lockouts                                                                        [numScopes]atomic.Uint64
}

// Stats are counts since the start, for metrics.
type Stats struct {
	Digests      uint64            // passwords that an answer was held against
	Failures     uint64            // wrong tries with a verified nonce, repeats of the same packet not counted
	RefusedRight uint64            // right answers of who was locked out
	Lockouts     map[string]uint64 // by scope: "line", "address", "network", "as"
	Bans         uint64            // asked for
	Stale        uint64            // answers that fit a former password
	Sprays       uint64
	Distributed  uint64
	Honeypots    uint64
	MovedNonces  uint64
	Probations   uint64 // logins admitted with tight limits
	Held         uint64 // right answers kept for their owner's word
	Sampled      uint64 // answers looked up in the lists
	Matched      uint64 // of them found
	Unsampled    uint64 // wrong answers that the sample had no room for
	Unshared     uint64 // rounds in which the other nodes could not be reached
	Evicted      uint64 // entries that were evicted before their end: the tables are too small for the attack
}

// CheckCounters finds whether nodes share lock-outs and bans.
func (g *Guard) CheckCounters(ctx context.Context) check.Findings {
	var out check.Findings
	var err error
	if g.around.Counters != nil {
		_, err = g.around.Counters.Marks(ctx, "check", time.Now()) // a table that nobody uses
	}
	switch {
	case err != nil:
		out.Warn("counters", "not reached: %v. Until it can, lock-outs and bans of other nodes are unknown here", err)
	case g.around.Lasting:
		out.OK("counters", "reached; nodes share lock-outs and bans")
	case g.around.Nodes:
		out.Warn("counters", "nodes on one store do not share lock-outs and bans: set counters.url")
	default:
		out.OK("counters", "kept in this process, for one node")
	}
	return out
}

// Stats reads the counts.
func (g *Guard) Stats() Stats {
	s := &g.stats
	out := Stats{
		Digests: s.digests.Load(), Failures: s.failures.Load(), RefusedRight: s.refusedRight.Load(), Bans: s.bans.Load(), Stale: s.stale.Load(),
		Sprays: s.sprays.Load(), Distributed: s.targets.Load(), Honeypots: s.honeypots.Load(), MovedNonces: s.moved.Load(), Sampled: s.sampled.Load(),
		Matched: s.matched.Load(), Unsampled: s.unsampled.Load(), Unshared: s.unshared.Load(), Probations: s.probations.Load(), Held: s.held.Load(), Lockouts: map[string]uint64{}, Evicted: g.targets.lost.Load(),
	}
	for scope := range numScopes {
		out.Lockouts[scope.String()] = s.lockouts[scope].Load()
		out.Evicted += g.tables[scope].lost.Load()
	}
	return out
}
