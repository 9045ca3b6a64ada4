package guard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/flow/keep"
)

// Bounds of the guard's tables. Their shards are made at their first entry; all full they take some 22 MB, and names of
// at most userMax bytes another 4.
const (
	maxPairs    = 1 << 15
	maxSources  = 1 << 15
	maxNetworks = 1 << 13
	maxSystems  = 1 << 11
	maxTargets  = 1 << 14
	userMax     = 80
)

func (g *Guard) init(o Lockout, around Around) {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.Failures, 5)
	def(&o.Usual, 40)
	def(&o.Address, 20)
	def(&o.Network, 60)
	def(&o.AS, 300)
	def(&o.Strangers, 30)
	def(&o.Weeks, 200)
	def(&o.Spray, 10)
	span := func(v *time.Duration, d time.Duration) int64 {
		if *v <= 0 {
			*v = d
		}
		return int64((*v + time.Second - 1) / time.Second)
	}
	g.l = limits{
		window: span(&o.Window, 10*time.Minute), first: span(&o.First, 15*time.Minute), longest: span(&o.Longest, 24*time.Hour),
		usual: o.Usual, strangers: o.Strangers, weeks: o.Weeks, spray: o.Spray,
		scopes: [numScopes]int{o.Failures, o.Address, o.Network, o.AS},
	}
	g.l.steady = max(2*o.Usual, int(g.l.window/5)) // phones retry every ten seconds or more, at times twice in a row
	g.l.longest = min(max(g.l.longest, g.l.first), 366*secondsADay)
	g.l.first = min(g.l.first, g.l.longest)
	g.o.Lockout, g.around, g.seed = o, around, maphash.MakeSeed()
	g.tables = [numScopes]*table[suspect]{newTable[suspect](maxPairs), newTable[suspect](maxSources), newTable[suspect](maxNetworks), newTable[suspect](maxSystems)}
	g.marks = keep.NewMarks(around.Counters, lockTable, maxMarks, nil)
	g.targets = newTable[target](maxTargets)
}

// try is a login whose nonce verified and whose answer was held against the line's passwords.
type try struct {
	addr     netip.Addr
	src      source
	user     [userMax]byte // the line's identity, or the name tried where there is no line; see setTried
	userLen  int
	hash     uint64 // of user
	line     string // "": there is none
	agent    []byte
	mark     uint64 // of the answer
	right    bool
	strong   bool // and the password is beyond guessing
	barred   bool // the line's IP lock does not let it in anyway
	stay     stay // of the address and the line, as it was
	tried    int  // wrong tries within a day before this one, of the pair or of a strange address
	former   bool // the answer is that of a former password, replaced then
	replaced time.Time
	repeat   bool // of the last wrong answer
	usual    bool // from a usual place of the line; found out only where it matters
	crowd    bool // and so do more addresses than a customer's phones have: see crowded
	at       int64
	now      time.Time
}

// counts says that it is a wrong try. A former password is not: that is a phone nobody told.
func (t *try) counts() bool { return !t.right && !t.former && !t.repeat }

// strange says that it comes from where the line's owner is not expected.
func (t *try) strange() bool { return !t.usual || t.crowd }

func (t *try) name() string { return string(t.user[:t.userLen]) }

func (t *try) pair() key {
	k := t.src.unit
	k.user = t.hash
	return k
}

// verdict on a try. Failures are those of the pair within a day.
type verdict struct {
	refused   bool
	own       bool // for what an unknown source did at that very address
	probation bool // admitted on probation
	failures  int
	after     bool
}

// mode is what unknown sources may do from where a try came from, for the line it is for.
type mode struct {
	shut bool
	own  bool // for what an unknown source did at that very address
	once bool // one try a day
}

// judge counts a wrong login and says whether a right one is refused. Wrong and refused logins take the same path, for
// lines that exist and others alike, so that their time tells nothing. Only where nothing at all is locked out does a right
// one skip the look at what is wider than its own address and line.
func (g *Guard) judge(t *try) verdict {
	if !t.right {
		t.repeat = g.repeated(t)
		g.keeper.later()
	}
	m := mode{}
	if !t.right || g.anyLock(t.at) {
		usual := g.around.Usual != nil && g.around.Usual(t.line, t.addr)
		if t.usual = usual || t.stay.vouched(t.at); t.usual {
			t.crowd = g.crowded(t) && !g.own(t)
		}
		if t.strange() {
			m = g.strange(t)
		}
		if t.crowd && m.shut { // but the owner's own address may have tried nothing
			m = mode{once: true}
		}
	}
	v := g.judgePair(t, m)
	switch {
	case t.right:
		v.after = !v.refused && !t.stay.served(t.at) && g.afterLock(t)
	case t.strange() && t.counts() && v.refused:
		g.unheard(t)
	case t.strange() && t.counts():
		g.countStranger(t)
	}
	return v
}

// anyLock says that there is any lock-out, or any line whose budget is cut.
func (g *Guard) anyLock(at int64) bool { return g.lastEnd.Load() > at }

// repeated says that the pair's last wrong answer was the same: a phone that sends its request again because ours was
// lost has not tried twice.
func (g *Guard) repeated(t *try) bool {
	p := g.tables[ofPair].lock(t.pair())
	defer p.unlock()
	s := p.find()
	return s != nil && s.e.mark == t.mark
}

// strange counts a try from a place that is not usual for its line towards all that is wider than the pair. One that is
// locked out already adds nothing to what is wider still.
func (g *Guard) strange(t *try) mode {
	from := g.place(t, ofAddress, t.src.unit, false)
	t.tried = from.before
	if from.locked {
		return mode{shut: true, own: true}
	}
	if net := g.place(t, ofNetwork, t.src.net, from.sprayed); net.locked {
		return mode{shut: true}
	}
	if g.around.ASN != nil {
		if as := g.around.ASN(t.addr); as != 0 {
			if g.place(t, ofAS, key{lo: uint64(as)}, true).locked && from.before > 0 {
				return mode{shut: true}
			}
		}
	}
	switch g.budget(t) {
	case noneLeft:
		return mode{shut: true}
	case oneTry:
		return mode{once: true}
	}
	return mode{}
}

// own says that the line's login was used rightly from that very address: whatever its neighbours do, it is no stranger.
func (g *Guard) own(t *try) bool {
	return t.stay.vouched(t.at) || g.around.Own != nil && g.around.Own(t.line, t.addr)
}

// crowdMost is from how many addresses in usual places of a line its phones may fail within the window.
const crowdMost = 4

// crowded says that wrong tries for a line come from more of its usual places' addresses than it can have phones in. A
// usual place is a whole network, of a mobile phone perhaps an operator's, and who guesses from many addresses there is no
// owner: the tries count as unknown sources', and what they bring about holds for each address there that has failed today.
func (g *Guard) crowded(t *try) bool {
	p := g.targets.lock(key{user: t.hash})
	defer p.unlock()
	s := p.find()
	if s == nil && t.counts() {
		s = p.make(t.at)
		s.e.name, s.e.known = t.name(), t.line != ""
	}
	if s == nil {
		return false
	}
	if t.counts() {
		s.e.near.add(g.hashSource(t.src.unit), t.at, g.l.window)
		s.keep = max(s.keep, t.at+g.l.window)
	}
	return s.e.near.count(t.at, g.l.window) > crowdMost
}

// placed is what place found.
type placed struct {
	locked  bool
	before  int  // wrong tries within a day, before this one
	sprayed bool // it is known as a sprayer
}

// place counts an unknown source's try for an address, network or AS. quiet: its spraying has been told already.
func (g *Guard) place(t *try, scope scope, k key, quiet bool) (r placed) {
	p := g.tables[scope].lock(k)
	s := p.find()
	if s == nil && t.counts() {
		s = p.make(t.at)
	}
	if s == nil {
		p.unlock()
		return r
	}
	e := &s.e
	r.locked, r.before = e.until > t.at, e.day.add(0, t.at, secondsADay)
	var n news
	if t.counts() {
		n = g.failPlace(t, e, scope, quiet)
		p.shard.dirty, s.keep = true, e.worth(&g.l)
	}
	r.sprayed = e.told != 0 && t.at-e.told < secondsAnHour
	p.unlock()
	g.tell(t, scope, k, n)
	return r
}

// failPlace counts a wrong try; the shard is locked.
func (g *Guard) failPlace(t *try, e *suspect, scope scope, quiet bool) (n news) {
	failures := e.fail(&g.l, t.at)
	if failures >= g.l.scopes[scope] {
		n.lock(e, &g.l, t.at, failures)
	}
	if scope == ofAS {
		return n
	}
	if e.seen.add(t.hash, t.line != "", &g.l, t.at) && e.due(t.at) && !quiet {
		n.spray, n.sprayFailures = true, e.day.add(0, t.at, secondsADay)
		n.lines = max(e.seen.users.count(t.at, g.l.window), e.seen.slow.count(t.at, secondsADay))
		n.known = e.seen.known.count(t.at, g.l.window)
	}
	return n
}

// judgePair counts a try for its address and line.
func (g *Guard) judgePair(t *try, m mode) (v verdict) {
	p := g.tables[ofPair].lock(t.pair())
	s := p.find()
	if s == nil && (t.counts() && !m.shut || t.former) {
		s = p.make(t.at)
		s.e.name, s.e.known, s.keep = t.name(), t.line != "", t.at+g.l.window
	}
	if s == nil {
		p.unlock()
		return verdict{refused: m.shut, own: m.own}
	}
	e := &s.e
	v.failures = e.day.add(0, t.at, secondsADay)
	t.tried = max(t.tried, v.failures)
	v.refused = m.shut || e.until > t.at || m.once && v.failures > 0
	v.own = m.own || e.until > t.at && !e.usual || t.strange() && v.failures >= g.l.scopes[ofPair]
	var n news
	switch {
	case t.former:
		n.stale(e, t.at)
		s.keep = max(s.keep, e.worth(&g.l))
	case t.counts():
		n = g.failPair(t, e, v.refused)
		p.shard.dirty, s.keep = true, e.worth(&g.l)
	}
	p.unlock()
	g.tell(t, ofPair, p.key, n)
	return v
}

// failPair counts a wrong try of a pair; the shard is locked. A try that is refused anyway extends nothing.
//
// A usual place of the line is most likely its owner's office, where one phone with a wrong password must not lock out
// the right phone beside it. So its limit is higher, and while its tries look like one phone's (one User-Agent, no two
// guesses of the lists, none of the haste of a program), it is not locked out at all: its owner is only notified.
func (g *Guard) failPair(t *try, e *suspect, refused bool) (n news) {
	e.phone(&g.l, g.hashBytes(t.agent[:min(len(t.agent), maxAgent)]), t.at)
	e.mark, e.usual = t.mark, !t.strange()
	failures := e.fail(&g.l, t.at)
	if refused {
		return n
	}
	if failures >= e.limit(&g.l) {
		n.lock(e, &g.l, t.at, failures)
	} else if e.usual && e.onePhone() && e.day.add(0, t.at, secondsADay) >= steadyFrom {
		n.steady(e, t.at)
	}
	return n
}

// steadyFrom is how many wrong tries from a usual place within a day make a phone worth a word to its owner.
const steadyFrom = 10

// budget is what unknown sources may still do with a line.
func (g *Guard) budget(t *try) budget {
	p := g.targets.lock(key{user: t.hash})
	defer p.unlock()
	if s := p.find(); s != nil {
		return s.e.budget(&g.l, t.at)
	}
	return open
}

// countStranger counts an unknown source's wrong try for its line.
func (g *Guard) countStranger(t *try) {
	p := g.targets.lock(key{user: t.hash})
	s := p.make(t.at)
	e := &s.e
	if e.name == "" {
		e.name, e.known = t.name(), t.line != ""
	}
	e.fail(g.hashSource(t.src.unit), t.at)
	p.shard.dirty, s.keep = true, e.worth(t.at)
	n := g.overBudget(e, t.at)
	p.unlock()
	g.tell(t, ofPair, t.pair(), n)
}

// overBudget notes that a budget is cut, and says so once a day; the shard is locked.
func (g *Guard) overBudget(e *target, at int64) (n news) {
	if !g.cut(e, at) {
		return n
	}
	if today := at / secondsADay; e.known && e.told != today {
		e.told = today
		g.keeper.soon()
		_, n.failures, n.days = e.sums()
		n.distributed, n.sources = true, e.sources.count(at, secondsADay)
	}
	return n
}

// cut says whether a line's budget is cut, and makes sure then that this is looked up; the shard is locked.
func (g *Guard) cut(e *target, at int64) bool {
	if e.budget(&g.l, at) == open {
		return false
	}
	until := (at/secondsADay + 1) * secondsADay
	if _, all, _ := e.sums(); all >= g.l.weeks {
		until += guessDays * secondsADay
	}
	raise(&g.lastEnd, until)
	return true
}

// guessedAt notes that an unknown source was locked out for a line.
func (g *Guard) guessedAt(t *try) {
	p := g.targets.lock(key{user: t.hash})
	defer p.unlock()
	s := p.make(t.at)
	s.e.guessed, s.keep = t.at, max(s.keep, t.at+secondsADay)
	if s.e.name == "" {
		s.e.name, s.e.known = t.name(), t.line != ""
	}
}

// afterLock says whether a right login comes within a day of a lock-out of its address, or for its line.
func (g *Guard) afterLock(t *try) bool {
	since := t.at - secondsADay
	if g.lastLock.Load() <= since {
		return false
	}
	for _, scope := range [...]scope{ofPair, ofAddress} {
		k := t.src.unit
		if scope == ofPair {
			k = t.pair()
		}
		p := g.tables[scope].lock(k)
		s := p.find()
		recent := s != nil && s.e.until > since
		p.unlock()
		if recent {
			return true
		}
	}
	p := g.targets.lock(key{user: t.hash})
	defer p.unlock()
	s := p.find()
	return s != nil && s.e.guessed > since
}

// hashBytes, hashUser and hashSource are the same within one process only.
func (g *Guard) hashBytes(b []byte) uint64   { return maphash.Bytes(g.seed, b) }
func (g *Guard) hashUser(user string) uint64 { return maphash.String(g.seed, user) }
func (g *Guard) hashSource(k key) uint64     { return maphash.Comparable(g.seed, k) }

// raise sets an atomic to a value unless it is higher already.
func raise(v *atomic.Int64, to int64) {
	for old := v.Load(); old < to && !v.CompareAndSwap(old, to); old = v.Load() {
	}
}

// setUser takes a user name as it is kept and told to other nodes: itself where it is short printable ASCII, as every
// line's is, otherwise a hash of it.
func (t *try) setUser(g *Guard, user []byte) {
	plain := len(user) > 0 && len(user) <= userMax
	for i := 0; plain && i < len(user); i++ {
		plain = user[i] > ' ' && user[i] <= '~'
	}
	if plain {
		t.userLen = copy(t.user[:], user)
	} else {
		t.hideUser(user)
	}
	t.hash = g.hashBytes(t.user[:t.userLen])
}

func (t *try) hideUser(user []byte) {
	sum := sha256.Sum256(user)
	t.user[0], t.userLen = '~', 1+hex.Encode(t.user[1:], sum[:12])
}

// hidden says that the name tried was not plain and that its hash stands for it.
func (t *try) hidden() bool { return t.user[0] == '~' }

// setTried takes what a try is counted under: the line's identity, or the name tried where there is no line. A name that looks
// like an identity is none of ours, and must not be counted as one.
func (t *try) setTried(g *Guard, user []byte, line string) {
	switch {
	case line != "":
		t.userLen = copy(t.user[:], line)
	case bytes.Contains(user, []byte(account.Mark)):
		t.hideUser(user)
	default:
		t.setUser(g, user)
		return
	}
	t.hash = g.hashBytes(t.user[:t.userLen])
}

// hashTried is the hash of setTried.
func (g *Guard) hashTried(user []byte, line string) uint64 {
	var t try
	t.setTried(g, user, line)
	return t.hash
}

// honeypot bans anyone who tries the login of a honeypot line, whatever the password.
func (g *Guard) honeypot(t *try, right bool) {
	g.stats.honeypots.Add(1)
	exempt := g.shutOut(t, t.src.unit.prefix(ofAddress), ofAddress, honeypotBan, "a login to a honeypot line")
	p := g.tables[ofPair].lock(t.pair())
	s := p.make(t.at)
	if s.e.name == "" {
		s.e.name, s.e.known = t.name(), t.line != ""
	}
	due := s.e.due(t.at)
	s.keep = s.e.worth(&g.l)
	p.unlock()
	if due {
		g.fact(t, &fact.LoginHoneypot{User: t.unknown(ofPair), Source: t.from(ofPair, key{}), Agent: clean(t.agent), Right: &right, Spared: exempt}, ofPair, key{})
	}
}

const honeypotBan = 24 * time.Hour
