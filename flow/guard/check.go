// Package guard answers whose login it is, and keeps out who guesses: lock-outs of addresses, networks and lines, budgets for
// unknown sources, honeypots, and probation for who knows a password at a new place. It must not know SIP messages, calls or SQL.
package guard

import (
	"crypto/rand"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"ringfence/core/account"
	"ringfence/core/policy"
	"ringfence/core/secret"
	"ringfence/flow/auth"
	"ringfence/flow/journal"
	"ringfence/flow/keep"
)

// Outcome is what the edge must do.
type Outcome uint8

// Outcomes.
const (
	Challenge Outcome = iota // send 401/407 with a fresh challenge (stale=true when Result.Stale)
	Accept
	Refuse // send 403 with the reason
)

// Result is the answer to a login.
type Result struct {
	Outcome Outcome
	Stale   bool
	Line    string // identity; set on Accept, and on Refuse when the login itself was right
	Reason  policy.Reason
	Figures policy.Figures
	// EmergencyOK: refused only for the address (IP lock, lock-out), or for a password that the line had until lately: an
	// emergency call may pass, and nothing else.
	EmergencyOK bool
	// Of an Accept: wrong tries for this line from this address within the last day, and whether the line was guessed at, or
	// the address locked out, within it.
	Failures  int
	AfterLock bool
	// Tight names the probation on which the login is admitted, "" is none: see ProbationFor. Calls out have tight limits.
	Tight string
}

// Line is what the guard needs to know of a line.
type Line struct {
	ID  string      // identity: what tries are counted under, so that a new line of an old name starts with none
	HA1 *secret.HA1 // for Options.Realm; nil: the line cannot log in

	Number   string // E.164 digits, "" is none: what guessers try first
	Former   []FormerHA1
	Honeypot bool // it has no owner: any login to it is an attack
	Strong   bool // its password is beyond guessing
}

// FormerHA1 is a password that the line had.
type FormerHA1 = secret.Former

// Options of New.
type Options struct {
	auth.Options

	// Line finds a line by the user name of a login, which points into the packet. It must not block, and should take
	// about as long for a name that there is as for one that there is not.
	Line func(user []byte, now time.Time) (Line, bool)

	// As gives what a line's password, and its former ones, are to a phone that logs in as user, the line's name with '@' and a
	// domain: its digest is over that whole name. line is the identity; "" is none, for which it should take as long. nil: no
	// phone logs in so.
	As func(line string, user []byte) (ha1 *secret.HA1, former []FormerHA1)

	Lockout Lockout
	Around  Around

	File string       // keeps lock-outs, their growing levels and weeks of guessing over restarts; "" forgets them
	Log  *slog.Logger // about File; nil is silent
}

// Guard checks logins. Make it with New; safe for concurrent use. An unknown source costs no memory until its address is proven by
// an answer to our nonce: wrong answers are counted in tables of fixed size. Everything is decided in this process at once,
// each table under the lock of one shard, so that of any number of tries at the same instant no more than the limit are
// judged. Facts are told, and other nodes heard, while Run runs.
type Guard struct {
	*auth.Auth
	o     Options
	moved moved
	decoy secret.HA1 // checked against where there is no line, or no former password, so that all take the same time

	l        limits
	around   Around
	seed     maphash.Seed // of user names, agents and sources
	tables   [numScopes]*table[suspect]
	targets  *table[target]
	stays    stays
	lastEnd  atomic.Int64 // the latest end of any lock-out or cut budget: nothing to look up after it
	lastLock atomic.Int64 // when anyone was last locked out
	stats    stats
	report   report
	sampler  sampler
	marks    *keep.Marks
	keeper   keeper
}

// New checks the options, makes a Guard and takes back what File keeps. Errors are auth.ErrOptions.
func New(o Options) (*Guard, error) {
	if o.Line == nil {
		return nil, fmt.Errorf("%w: no look-up of lines", auth.ErrOptions)
	}
	a, err := auth.New(o.Options)
	if err != nil {
		return nil, err
	}
	g := &Guard{Auth: a, o: o}
	g.report.failed = newFailed()
	g.report.kinds = journal.Limit[string, struct{}]{Most: perMinute, Window: time.Minute}
	g.init(o.Lockout, o.Around)
	g.moved.init()
	g.takeKept(o.File, o.Log)
	if _, err := rand.Read(g.decoy.MD5[:]); err != nil {
		return nil, err
	}
	_, err = rand.Read(g.decoy.SHA256[:])
	return g, err
}

// Check judges a login from src. A wrong user name, a wrong password and a right one of who is locked out take the same
// way and get the same answer. Whether the address is allowed is told only to who knows the password. Nothing is counted
// or kept of a login whose nonce does not verify for its source, for then the source may be forged.
func (g *Guard) Check(c *auth.Credentials, src netip.Addr, now time.Time) Result {
	var x auth.Answer
	at := g.Seconds(now)
	to, origin := g.Read(&x, c, src, at)
	switch origin {
	case auth.Unusable:
		return Result{Outcome: Challenge}
	case auth.Foreign: // stale too: phones keep nonces over our restarts, and over their own change of address
		return Result{Outcome: Challenge, Stale: true}
	}
	line := g.line(c, now)
	ha1 := line.HA1
	if ha1 == nil {
		ha1 = &g.decoy
	}
	right := g.fits(&x, ha1) && line.HA1 != nil
	if origin == auth.Elsewhere {
		g.moved.note(right, &line, c, src, to, g.hashTried(auth.NameOf(c.User), line.ID), at, now)
		return Result{Outcome: Challenge, Stale: true}
	}
	return g.judgeLogin(&x, c, &line, right, src, at, now)
}

// line finds whose login it is; zero is nobody's.
func (g *Guard) line(c *auth.Credentials, now time.Time) Line {
	name := auth.NameOf(c.User)
	l, known := g.o.Line(name, now)
	if !known {
		l = Line{}
	}
	if len(name) < len(c.User) {
		l.HA1, l.Former = nil, nil
		if g.o.As != nil {
			l.HA1, l.Former = g.o.As(l.ID, c.User)
		}
	}
	return l
}

// judgeLogin is Check once the nonce is verified and the answer held against the line's password.
func (g *Guard) judgeLogin(x *auth.Answer, c *auth.Credentials, line *Line, right bool, src netip.Addr, at int64, now time.Time) Result {
	t := try{
		addr: src, src: newSource(src), line: line.ID, agent: c.Agent, at: at, now: now,
		mark: g.hashBytes(c.Response), right: right && !line.Honeypot, strong: line.Strong,
	}
	t.stay = g.stays.of(line.ID, t.src.unit)
	t.setTried(g, auth.NameOf(c.User), line.ID)
	t.barred = t.right && g.around.May != nil && !g.around.May(t.line, t.addr, now)
	v := verdict{}
	if t.right && !g.o.Lockout.Off {
		v = g.judge(&t)
		v.refused = v.refused && (t.barred || !g.pardon(&t, &v))
	}
	if t.right && !v.refused {
		return g.admit(x, line, &t, v)
	}
	t.replaced, t.former = g.former(x, line)
	return g.refuse(x, c, line, &t, right)
}

// admit lets a right login in, once, and from where it may come.
func (g *Guard) admit(x *auth.Answer, line *Line, t *try, v verdict) Result {
	if !g.Use(x, t.at) {
		return Result{Outcome: Challenge, Stale: true}
	}
	g.moved.settle(t.hash, t.src)
	if t.barred {
		return Result{Outcome: Refuse, Line: line.ID, Reason: policy.AddressLocked, EmergencyOK: true}
	}
	r := Result{Outcome: Accept, Line: line.ID, Failures: v.failures, AfterLock: v.after}
	if v.probation || t.stay.passed(t.at) || t.stay.tight(t.at) {
		r.Tight = g.probe(t)
	}
	return r
}

// refuse counts a wrong login, and answers it and a right one of who is locked out alike: the edge sees that the latter
// may make an emergency call.
func (g *Guard) refuse(x *auth.Answer, c *auth.Credentials, line *Line, t *try, right bool) Result {
	r := Result{Outcome: Refuse, Reason: policy.BadCredentials}
	if t.right {
		g.stats.refusedRight.Add(1)
		fresh := g.Use(x, t.at)
		if fresh && !t.barred {
			g.hold(t)
		}
		return g.helped(r, line, fresh, t)
	}
	fresh := g.Unused(x, t.at) // asked of wrong ones too, so that all take about as long
	if g.o.Lockout.Off {
		return g.helped(r, line, fresh && t.former, t)
	}
	if line.Honeypot {
		g.honeypot(t, right)
	}
	g.judge(t)
	switch {
	case t.former:
		g.stats.stale.Add(1)
	case t.counts():
		g.noteFailed(t)
		if !g.sampler.offer(x, c, line.Number, t) {
			g.stats.unsampled.Add(1)
		}
	}
	return g.helped(r, line, fresh && t.former, t)
}

// helped allows emergency calls, and nothing else, to a source that has the right password but is locked out, and to a phone
// that still has a former password (S15). An emergency call would tell a guesser that a guessable password is right. So it tells
// nothing after helpedTries wrong passwords from its address within a day.
func (g *Guard) helped(r Result, line *Line, may bool, t *try) Result {
	if may && (t.tried < helpedTries || t.right && t.strong) {
		r.Line, r.EmergencyOK = line.ID, true
	}
	return r
}

// helpedTries is how many wrong tries a day an address has before a lock-out holds for emergency calls too, unless the
// password is beyond guessing.
const helpedTries = 200

// fits holds an answer against one password, and counts that.
func (g *Guard) fits(x *auth.Answer, ha1 *secret.HA1) bool {
	g.stats.digests.Add(1)
	return x.Fits(ha1)
}

// former holds an answer against as many former passwords as a line can have, whether it has them or not.
func (g *Guard) former(x *auth.Answer, line *Line) (until time.Time, found bool) {
	for i := range account.MaxFormer {
		ha1 := &g.decoy
		if i < len(line.Former) && line.Former[i].HA1 != nil {
			ha1 = line.Former[i].HA1
		}
		if g.fits(x, ha1) && ha1 != &g.decoy && !found {
			until, found = line.Former[i].Until, true
		}
	}
	return until, found
}
