package guard

import (
	"context"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ringfence/flow/keep"
	"ringfence/state/counters"
)

// Nodes share what they count, and their lock-outs, through Around.Counters: within about a second, off the hot path, and
// with nothing lost but speed when it is away.
const (
	lockTable  = "lockout"
	sharedKey  = "login/"
	maxHits    = counters.MaxHits // in one batch
	maxBatches = 16               // in one round; the rest goes in the next
	maxMarks   = 1024             // waiting
	shareEvery = time.Second
	shareLimit = 3 * time.Second // of one round trip
)

// lockMark is the value of a lock-out's mark.
type lockMark struct {
	Level    int   `json:"level"`
	Failures int   `json:"failures"`
	Round    uint8 `json:"round"`
	Usual    bool  `json:"usual,omitempty"`
	Known    bool  `json:"known,omitempty"`
}

// sharedName is the name of an entry to all nodes: "line/192.0.2.7/1001", "address/…", "network/203.0.113.0/24", "as/64496".
func sharedName(scope scope, k key, user string) string {
	switch scope {
	case ofPair:
		return scope.String() + "/" + k.prefix(scope).Addr().String() + "/" + user
	case ofAddress:
		return scope.String() + "/" + k.prefix(scope).Addr().String()
	case ofNetwork:
		return scope.String() + "/" + k.prefix(scope).String()
	}
	return scope.String() + "/" + strconv.FormatUint(k.lo, 10)
}

// parseName is the way back; the name may come from anyone who can write to the engine.
func (g *Guard) parseName(name string) (scope scope, k key, user string, ok bool) {
	kind, rest, _ := strings.Cut(name, "/")
	switch kind {
	case ofPair.String():
		text, user, ok := strings.Cut(rest, "/")
		addr, err := netip.ParseAddr(text)
		var t try
		t.setUser(g, []byte(user))
		k := newSource(addr).unit
		k.user = t.hash
		return ofPair, k, user, ok && err == nil && t.name() == user
	case ofAddress.String():
		addr, err := netip.ParseAddr(rest)
		return ofAddress, newSource(addr).unit, "", err == nil
	case ofNetwork.String():
		net, err := netip.ParsePrefix(rest)
		return ofNetwork, newSource(net.Addr()).net, "", err == nil
	case ofAS.String():
		n, err := strconv.ParseUint(rest, 10, 32)
		return ofAS, key{lo: n}, "", err == nil
	}
	return 0, key{}, "", false
}

// markLock queues a lock-out for the other nodes.
func (g *Guard) markLock(t *try, scope scope, k key, n news) {
	value, _ := json.Marshal(lockMark{Level: n.level, Failures: n.failures, Round: n.round, Usual: !t.strange(), Known: t.line != ""})
	g.marks.Put(counters.Mark{
		Key: sharedName(scope, k, t.name()), Until: t.now.Add(time.Duration(n.seconds) * time.Second), Value: value,
	})
}

// liftedFor is how long nodes tell each other that a line was released by hand.
const liftedFor = counters.MaxSpan

// markLift queues the release of a line's budget for the other nodes: a mark, so that one which is away hears of it too.
func (g *Guard) markLift(user string, unix int64) {
	g.marks.Put(counters.Mark{Key: strangers + user, Until: time.Unix(unix, 0).Add(liftedFor)})
}

// share runs until ctx ends.
func (g *Guard) share(ctx context.Context) {
	keep.Every(ctx, shareEvery, func(now time.Time) {
		round, cancel := context.WithTimeout(ctx, shareLimit)
		defer cancel()
		g.shareOnce(round, now)
	})
}

// shareOnce tells the other nodes what is new here, and takes over the sums of all. Counts that fail are lost: they are
// not money. Marks are told again.
func (g *Guard) shareOnce(ctx context.Context, now time.Time) {
	c := g.around.Counters
	failed := g.marks.Send(ctx, now) != nil
	for range maxBatches {
		hits, back := g.fresh()
		if len(hits) == 0 {
			break
		}
		sums, err := c.Add(ctx, now, hits...)
		for i := range min(len(sums), len(back)) {
			back[i](int(sums[i]), g.Seconds(now), now)
		}
		if err != nil {
			failed = true
			break
		}
	}
	if failed {
		g.stats.unshared.Add(1)
	}
}

// fresh gathers what the other nodes have not heard of, and for each what to do with the sum of all.
func (g *Guard) fresh() (hits []counters.Hit, back []func(sum int, at int64, now time.Time)) {
	window := time.Duration(g.l.window) * time.Second
	for scope := range numScopes {
		g.tables[scope].eachDirty(func(s *slot[suspect]) (more bool) {
			if s.e.fresh == 0 || len(hits) >= maxHits {
				return s.e.fresh > 0
			}
			k, name := s.key, s.e.name
			// Each round has its own sum: what led to one lock-out, or was released by hand, does not lead to the next.
			hits = append(hits, counters.Hit{
				Key: sharedKey + sharedName(scope, k, name) + "/" + strconv.Itoa(int(s.e.round)), N: int64(s.e.fresh), Span: window,
			})
			back = append(back, func(sum int, at int64, now time.Time) { g.sumOf(scope, k, sum, at, now) })
			s.e.fresh = 0
			return false
		})
	}
	g.targets.eachDirty(func(s *slot[target]) (more bool) {
		if s.e.fresh == 0 || len(hits) > maxHits-2 {
			return s.e.fresh > 0
		}
		k, n, name := s.key, int64(s.e.fresh), strconv.FormatInt(s.e.lifted, 10)+"/"+s.e.name
		hits = append(hits, counters.Hit{Key: sharedKey + "day/" + strconv.FormatInt(s.e.day, 10) + "/" + name, N: n, Span: 24 * time.Hour},
			counters.Hit{Key: sharedKey + strangers + name, N: n, Span: guessDays * 24 * time.Hour})
		back = append(back, func(sum int, at int64, now time.Time) { g.targetSum(k, 0, sum, at, now) },
			func(sum int, at int64, now time.Time) { g.targetSum(k, 1, sum, at, now) })
		s.e.fresh = 0
		return false
	})
	return hits, back
}

// sumOf locks out whom all nodes together have seen enough of.
func (g *Guard) sumOf(scope scope, k key, sum int, at int64, now time.Time) {
	p := g.tables[scope].lock(k)
	s := p.find()
	if s == nil || s.e.until > at || s.e.fails.add(0, at, g.l.window) == 0 {
		p.unlock()
		return
	}
	e := &s.e
	limit := g.l.scopes[scope]
	if scope == ofPair {
		limit = e.limit(&g.l)
	}
	var n news
	if sum >= limit {
		n.lock(e, &g.l, at, sum)
		s.keep = e.worth(&g.l)
	}
	t := g.tryOf(k, e, at, now)
	p.unlock()
	g.tell(&t, scope, k, n)
}

// tryOf stands for the tries of an entry where there is none at hand.
func (g *Guard) tryOf(k key, e *suspect, at int64, now time.Time) try {
	t := try{addr: k.prefix(ofAddress).Addr(), src: source{unit: key{hi: k.hi, lo: k.lo}}, hash: k.user, usual: e.usual, at: at, now: now}
	t.userLen = copy(t.user[:], e.name)
	if e.known {
		t.line = e.name
	}
	return t
}

// targetSum takes over what all nodes counted of a line: today (0) or in guessDays (1).
func (g *Guard) targetSum(k key, which, sum int, at int64, now time.Time) {
	p := g.targets.lock(k)
	s := p.find()
	if s == nil {
		p.unlock()
		return
	}
	s.e.turn(at)
	s.e.others[which] = sum
	n := g.overBudget(&s.e, at)
	t := try{hash: k.user, at: at, now: now}
	t.userLen = copy(t.user[:], s.e.name)
	if s.e.known {
		t.line = s.e.name
	}
	p.unlock()
	g.tell(&t, ofPair, key{}, n)
}

// follow takes over the lock-outs of other nodes, until ctx ends.
func (g *Guard) follow(ctx context.Context) {
	g.marks.Follow(ctx, func(change counters.Change) {
		now := time.Now()
		g.takeOver(change, g.Seconds(now), now)
	}, g.hearAll)
}

// hearAll takes over all there is.
func (g *Guard) hearAll(ctx context.Context) error {
	now := time.Now()
	ctx, cancel := context.WithTimeout(ctx, shareLimit)
	defer cancel()
	marks, err := g.around.Counters.Marks(ctx, lockTable, now)
	if err != nil {
		g.stats.unshared.Add(1)
		return err
	}
	for _, m := range marks {
		g.takeOver(counters.Change{Mark: m}, g.Seconds(now), now)
	}
	g.believe(g.Seconds(now))
	return nil
}

// takeOver does here what another node decided. The facts are that node's to tell.
func (g *Guard) takeOver(c counters.Change, at int64, now time.Time) {
	if user, ok := strings.CutPrefix(c.Key, strangers); ok {
		g.hearLift(user, c.Until.Add(-liftedFor).Unix(), at, now)
		return
	}
	if line, unit, ok := parseStay(c.Key); ok {
		g.hearStay(c, line, unit, at, now)
		return
	}
	scope, k, user, ok := g.parseName(c.Key)
	if !ok {
		return
	}
	if c.Dropped {
		g.free(scope, k)
		return
	}
	var v lockMark
	if json.Unmarshal(c.Value, &v) != nil {
		return
	}
	until := at + min(int64(c.Until.Sub(now)/time.Second), g.l.longest)
	p := g.tables[scope].lock(k)
	s := p.make(at)
	e := &s.e
	if scope == ofPair && e.name == "" {
		e.name, e.known, e.usual = user, v.Known, v.Usual
	}
	if e.before || until > e.until+1 { // our own comes back to us
		e.until, e.last = until, max(e.last, at)
		e.begin(v.Round)
		e.level = max(e.level, uint8(min(max(v.Level, 0), 250)))
	}
	s.keep = e.worth(&g.l)
	t := g.tryOf(k, e, at, now)
	p.unlock()
	raise(&g.lastEnd, until)
	raise(&g.lastLock, at)
	if scope == ofPair && !v.Usual {
		g.guessedAt(&t)
	}
}

// hearLift takes over that a line was released by hand. The entry is made where there is none, so that what is counted from
// here on is counted with the others.
func (g *Guard) hearLift(user string, unix, at int64, now time.Time) {
	var t try
	t.setUser(g, []byte(user))
	if t.name() != user || unix <= 0 || unix > now.Add(counters.Skew).Unix() {
		return
	}
	p := g.targets.lock(key{user: t.hash})
	defer p.unlock()
	s := p.make(at)
	if s.e.name == "" {
		s.e.name, s.keep = user, at+guessDays*secondsADay
	}
	if unix > s.e.lifted {
		s.e.lift(unix)
		g.keeper.later()
	}
}

// hearStay takes over a probation or a held login, or that it was ended by hand.
func (g *Guard) hearStay(c counters.Change, line string, unit key, at int64, now time.Time) {
	if c.Dropped {
		g.stays.drop(func(l string, other key, _ *stay) bool { return l == line && other == unit })
		g.keeper.later()
		return
	}
	var k keptStay
	if json.Unmarshal(c.Value, &k) == nil {
		k.move(at - now.Unix())
		g.restoreStay(c.Key, &k, at)
		g.keeper.later()
	}
}
