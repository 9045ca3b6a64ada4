package guard

import (
	"encoding/binary"
	"net/netip"

	"ringfence/core/secret"
)

// scope is what a lock-out shuts.
type scope uint8

const (
	ofPair    scope = iota // one address for one line
	ofAddress              // one address altogether; of IPv6 a /64, which one host may have to itself
	ofNetwork              // a /24 or /56
	ofAS                   // an autonomous system
	numScopes
)

func (s scope) String() string { return [...]string{"line", "address", "network", "as"}[s] }

// source is where a login came from, as keys.
type source struct{ unit, net key }

// newSource finds them; zones and ports do not count.
func newSource(addr netip.Addr) source {
	b := addr.Unmap().As16()
	k := key{hi: binary.BigEndian.Uint64(b[:8]), lo: binary.BigEndian.Uint64(b[8:])}
	if addr.Unmap().Is4() {
		return source{k, key{lo: k.lo &^ 0xff}}
	}
	return source{key{hi: k.hi}, key{hi: k.hi &^ 0xff}}
}

// prefix turns the key of an address or network back into one.
func (k key) prefix(scope scope) netip.Prefix {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
	addr, bits := netip.AddrFrom16(b).Unmap(), 64
	switch {
	case addr.Is4() && scope == ofNetwork:
		bits = 24
	case addr.Is4():
		bits = 32
	case scope == ofNetwork:
		bits = 56
	}
	return netip.PrefixFrom(addr, bits)
}

// suspect is what is kept of one pair, address, network or AS with wrong tries. Times are the guard's seconds.
type suspect struct {
	fails  tally // within Window; begins again with each lock-out
	day    tally // within a day
	seen   spread
	until  int64  // locked out until; 0 never was
	last   int64  // latest wrong try
	told   int64  // when a fact about it was last made (not a lock-out's)
	mark   uint64 // of the latest wrong answer: the same packet again is no new try
	agent  uint64 // hash of the User-Agent of the first of fails
	guess  uint64 // hash of the first guess of the lists that the sample found
	name   string // of a pair: the user
	fresh  uint16 // wrong tries that the other nodes have not heard of
	level  uint8  // lock-outs so far, until forgotten
	round  uint8  // lock-outs and releases so far: nodes count each round apart
	lists  uint8  // bits by secret.GuessList: which lists the sample found in use
	tried  uint8  // answers of the sample that were looked up
	known  bool   // of a pair: the line exists
	usual  bool   // of a pair: it is a usual place of the line
	burst  int64  // begin of the running ten seconds, and how many wrong tries there were in them
	bursts uint8
	hasty  bool // a program's pace among fails
	many   bool // more than one User-Agent among fails
	varied bool // more than one guess of the lists: this is no phone with one password
	before bool // locked out by the file, and the other nodes have not been asked yet
}

// spread is which lines were tried.
type spread struct{ users, known, slow sketch } // within the window; slow: within a day

// add notes a user name, and says whether the names within the window, or within a day (of which it takes three times as many),
// make a sprayer.
func (s *spread) add(user uint64, known bool, l *limits, at int64) bool {
	s.users.add(user, at, l.window)
	s.slow.add(user, at, secondsADay)
	if known {
		s.known.add(user, at, l.window)
	}
	return s.users.count(at, l.window) >= l.spray || s.slow.count(at, secondsADay) >= slowSpray*l.spray
}

const slowSpray = 3

// limits is Lockout in the guard's units, seconds and counts.
type limits struct {
	window, first, longest int64
	usual, steady          int // wrong tries from a usual place; the same when all look like one phone's retries
	strangers, weeks       int
	spray                  int
	scopes                 [numScopes]int
}

// fail notes a wrong try and returns how many there were within the window.
func (e *suspect) fail(l *limits, at int64) int {
	if at-e.last > l.longest {
		e.level = 0
	}
	e.last = max(e.last, at)
	e.day.add(1, at, secondsADay)
	if e.until > at {
		return 0
	}
	e.fresh = min(e.fresh, 1<<15) + 1
	return e.fails.add(1, at, l.window)
}

// lock shuts it out, for twice as long as the last time. It returns for how many seconds.
func (e *suspect) lock(l *limits, at int64) int64 {
	d := l.longest
	if e.level < 32 && l.first<<e.level < l.longest {
		d = l.first << e.level
	}
	e.until, e.level = at+d, min(e.level, 250)+1
	e.begin(e.round + 1)
	return d
}

// begin starts a round: what was counted until now, here and with the other nodes, leads to nothing any more.
func (e *suspect) begin(round uint8) {
	e.fails, e.fresh, e.round, e.before = tally{}, 0, round, false
}

// worth is until when the entry is worth a place in its table: a lock-out, then its level, then what it counts.
func (e *suspect) worth(l *limits) int64 {
	if e.level > 0 {
		return max(e.until, e.last+l.longest)
	}
	return max(e.until, e.last+l.window, e.told+secondsAnHour, 1)
}

// phone notes what tells one phone's retries from a guesser: the User-Agent, and the pace.
func (e *suspect) phone(l *limits, agent uint64, at int64) {
	if e.fails.add(0, at, l.window) == 0 {
		e.agent, e.many, e.hasty = agent, false, false
	}
	e.many = e.many || e.agent != agent
	if at-e.burst >= burstSpan || at < e.burst {
		e.burst, e.bursts = at, 0
	}
	e.bursts = min(e.bursts, 250) + 1
	e.hasty = e.hasty || e.bursts > burstMost
}

// A phone does not send more than ten wrong answers in ten seconds.
const (
	burstSpan = 10
	burstMost = 10
)

// onePhone says that its wrong tries look like one phone's retries: one User-Agent, no program's pace, and no two guesses
// of the lists.
func (e *suspect) onePhone() bool { return !e.many && !e.hasty && !e.varied }

// limit is how many wrong tries a pair has within the window.
func (e *suspect) limit(l *limits) int {
	switch {
	case !e.usual:
		return l.scopes[ofPair]
	case e.onePhone():
		return l.steady
	}
	return l.usual
}

// learn notes what the sample found: a guess of a list, or that the answer is of none.
func (e *suspect) learn(list secret.GuessList, guess uint64, found bool) {
	e.tried = min(e.tried, 250) + 1
	if !found {
		return
	}
	e.lists |= 1 << list
	e.varied = e.varied || e.guess != 0 && e.guess != guess
	e.guess = guess
}

const (
	secondsAnHour = 3600
	secondsADay   = 24 * secondsAnHour
)
