// Package auth answers one question of the edges: whose login is this, and may it come from there? Digest (RFC 8760:
// SHA-256 and MD5, qop=auth), the IP lock, stateless nonces. It must not know SIP messages, calls or SQL.
package auth

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/policy"
	"ringfence/core/secret"
)

// Credentials is an Authorization header as the edge read it; slices point into the packet. Empty fields were absent.
type Credentials struct {
	Method   []byte // of the request
	User     []byte
	Realm    []byte
	Nonce    []byte
	URI      []byte
	Response []byte
	CNonce   []byte
	NC       []byte
	QOP      []byte
	Alg      []byte
	Opaque   []byte
	Agent    []byte // User-Agent of the request: evidence only
}

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

// Line is what auth needs to know of a line.
type Line struct {
	ID  string      // identity: what tries are counted under, so that a new line of an old name starts with none
	HA1 *secret.HA1 // for Options.Realm; nil: the line cannot log in

	Number   string // E.164 digits, "" is none: what guessers try first
	Former   []FormerHA1
	Honeypot bool // nobody's: any login to it is an attack
	Strong   bool // its password is beyond guessing
}

// FormerHA1 is a password that the line had.
type FormerHA1 = secret.Former

// Options of New.
type Options struct {
	Realm string // in challenges and HA1; printable ASCII without quotes

	// Line finds a line by the user name of a login, which points into the packet. It must not block, and should take
	// about as long for a name that there is as for one that there is not.
	Line func(user []byte, now time.Time) (Line, bool)

	// As gives what a line's password, and its former ones, are to a phone that logs in as user, the line's name with '@' and a
	// domain: its digest is over that whole name. line is the identity; "" is none, for which it should take as long. nil: no
	// phone logs in so.
	As func(line string, user []byte) (ha1 *secret.HA1, former []FormerHA1)

	// Algorithms offered, in this order: "MD5", "SHA-256". nil is MD5 alone, for what telephones do with more was tried:
	// baresip 1.0 gives up on any 401 with a SHA-256 challenge in it, first or second; SIPp 3.6 takes the first challenge
	// and knows MD5 only. RFC 8760 wants "SHA-256", "MD5" where all phones are known to cope; "MD5", "SHA-256" suits those
	// that look at the first or pick the best.
	Algorithms []string

	NonceTTL  time.Duration // how long a nonce is good; 0 is 5 minutes
	NonceKey  []byte        // 32 bytes or more, to accept nonces of another node or of before a restart; nil is random
	MaxNonces int           // nonces remembered against replay, some 40 bytes each, twice over; 0 is 2^18 (at most 20 MB)

	// AllowNoQOP accepts answers without qop, cnonce and nc (RFC 2069), each nonce once. Old adapters need it.
	AllowNoQOP bool

	Lockout Lockout
	Around  Around

	File string       // keeps lock-outs, their growing levels and weeks of guessing over restarts; "" forgets them
	Log  *slog.Logger // about File; nil is silent
}

// Auth checks logins. Make it with New; safe for concurrent use. A stranger costs no memory until its address is proven by
// an answer to our nonce: of those, right answers are remembered until their nonce is no longer good, and wrong ones are
// counted in tables of fixed size. Facts are told, and other nodes heard, while Run runs.
type Auth struct {
	o       Options
	nonces  nonces
	replays replays
	guard   guard
	moved   moved
	decoy   secret.HA1 // checked against where there is no line, or no former password, so that all take the same time
	offer   []algorithm
	heads   [2][]string // by proxy: the challenge of each of offer up to its nonce
}

// ErrOptions says what New was not given.
var ErrOptions = errors.New("auth options")

// New checks the options and makes an Auth.
func New(o Options) (*Auth, error) {
	if o.Line == nil {
		return nil, fmt.Errorf("%w: no look-up of lines", ErrOptions)
	}
	if o.Realm == "" || len(o.Realm) > maxRealm || strings.IndexFunc(o.Realm, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) >= 0 {
		return nil, fmt.Errorf("%w: realm %.80q: want 1 to %d printable ASCII characters without quotes or backslashes", ErrOptions, o.Realm, maxRealm)
	}
	if o.NonceTTL == 0 {
		o.NonceTTL = 5 * time.Minute
	}
	if o.NonceTTL < time.Second || o.NonceTTL > 24*time.Hour {
		return nil, fmt.Errorf("%w: a nonce of %v; want 1 s to 24 h", ErrOptions, o.NonceTTL)
	}
	if o.MaxNonces <= 0 {
		o.MaxNonces = 1 << 18
	}
	if o.NonceKey == nil {
		o.NonceKey = make([]byte, 32)
		if _, err := rand.Read(o.NonceKey); err != nil {
			return nil, err
		}
	}
	if len(o.NonceKey) < 32 {
		return nil, fmt.Errorf("%w: a nonce key of %d bytes; want at least 32", ErrOptions, len(o.NonceKey))
	}
	a := &Auth{o: o}
	if err := a.setOffer(o.Algorithms); err != nil {
		return nil, err
	}
	a.nonces.init(o.NonceKey, o.Realm, o.NonceTTL)
	a.replays.init(o.MaxNonces, o.NonceTTL)
	a.guard.init(o.Lockout, o.Around)
	a.moved.init()
	a.keep(o.File, o.Log)
	if _, err := rand.Read(a.decoy.MD5[:]); err != nil {
		return nil, err
	}
	_, err := rand.Read(a.decoy.SHA256[:])
	return a, err
}

// Check judges a login from src. A wrong user name, a wrong password and a right one of who is locked out take the same
// way and get the same answer. Whether the address is allowed is told only to who knows the password. Nothing is counted
// or kept of a login whose nonce does not verify for its source, for then the source may be forged.
func (a *Auth) Check(c *Credentials, src netip.Addr, now time.Time) Result {
	alg, ok := a.usable(c)
	if !ok {
		return Result{Outcome: Challenge}
	}
	// An unknown nonce is called stale too: phones keep nonces over our restarts, and over their own change of address.
	at := a.nonces.seconds(now)
	n, to, of := a.nonces.open(c.Nonce, src, at)
	if of == foreign {
		return Result{Outcome: Challenge, Stale: true}
	}
	line := a.line(c, now)
	ha1 := line.HA1
	if ha1 == nil {
		ha1 = &a.decoy
	}
	var q question
	q.ask(alg, c)
	right := a.fits(&q, ha1) && line.HA1 != nil
	if of == elsewhere {
		a.moved.note(right, &line, c, src, to, a.guard.hashTried(nameOf(c.User), line.ID), at, now)
		return Result{Outcome: Challenge, Stale: true}
	}
	return a.judge(&q, c, &line, right, n, src, at, now)
}

// line finds whose login it is; zero is nobody's.
func (a *Auth) line(c *Credentials, now time.Time) Line {
	name := nameOf(c.User)
	l, known := a.o.Line(name, now)
	if !known {
		l = Line{}
	}
	if len(name) < len(c.User) {
		l.HA1, l.Former = nil, nil
		if a.o.As != nil {
			l.HA1, l.Former = a.o.As(l.ID, c.User)
		}
	}
	return l
}

// nameOf is the line's name in the user name of a login: some phones, and all of mobile networks, send user@domain
// (3GPP TS 24.229). No line's name has an '@'. A name longer than any phone's is taken as it is.
func nameOf(user []byte) []byte {
	if at := bytes.IndexByte(user, '@'); at >= 0 && len(user) <= maxUser {
		return user[:at]
	}
	return user
}

const maxUser = 255

// judge is Check once the nonce is verified and the answer held against the line's password.
func (a *Auth) judge(q *question, c *Credentials, line *Line, right bool, n nonce, src netip.Addr, at int64, now time.Time) Result {
	t := try{
		addr: src, src: newSource(src), line: line.ID, agent: c.Agent, at: at, now: now,
		mark: a.guard.hashBytes(c.Response), right: right && !line.Honeypot, strong: line.Strong,
	}
	t.stay = a.guard.stays.of(line.ID, t.src.unit)
	t.setTried(&a.guard, nameOf(c.User), line.ID)
	t.barred = t.right && a.guard.around.May != nil && !a.guard.around.May(t.line, t.addr, now)
	v := verdict{}
	if t.right && !a.o.Lockout.Off {
		v = a.guard.judge(&t)
		v.refused = v.refused && (t.barred || !a.guard.pardon(&t, &v))
	}
	if t.right && !v.refused {
		return a.admit(c, line, n, &t, v)
	}
	t.replaced, t.former = a.former(q, line)
	return a.refuse(q, c, line, n, &t, right)
}

// admit lets a right login in, once, and from where it may come.
func (a *Auth) admit(c *Credentials, line *Line, n nonce, t *try, v verdict) Result {
	count, ok := nonceCount(c)
	if !ok || !a.replays.take(n, count, t.at) {
		return Result{Outcome: Challenge, Stale: true}
	}
	a.moved.settle(t.hash, t.src)
	if t.barred {
		return Result{Outcome: Refuse, Line: line.ID, Reason: policy.AddressLocked, EmergencyOK: true}
	}
	r := Result{Outcome: Accept, Line: line.ID, Failures: v.failures, AfterLock: v.after}
	if v.probation || t.stay.passed(t.at) || t.stay.tight(t.at) {
		r.Tight = a.guard.probe(t)
	}
	return r
}

// refuse counts a wrong login, and answers it and a right one of who is locked out alike: the edge sees that the latter
// may make an emergency call.
func (a *Auth) refuse(q *question, c *Credentials, line *Line, n nonce, t *try, right bool) Result {
	r := Result{Outcome: Refuse, Reason: policy.BadCredentials}
	count, ok := nonceCount(c)
	if t.right {
		a.guard.stats.refusedRight.Add(1)
		fresh := ok && a.replays.take(n, count, t.at)
		if fresh && !t.barred {
			a.guard.hold(t)
		}
		return a.helped(r, line, fresh, t)
	}
	fresh := a.replays.unused(n, count, t.at) && ok // asked of wrong ones too, so that all take about as long
	if a.o.Lockout.Off {
		return a.helped(r, line, fresh && t.former, t)
	}
	if line.Honeypot {
		a.guard.honeypot(t, right)
	}
	a.guard.judge(t)
	switch {
	case t.former:
		a.guard.stats.stale.Add(1)
	case t.counts():
		a.guard.noteFailed(t)
		if !a.guard.sampler.offer(q, c, line.Number, t) {
			a.guard.stats.unsampled.Add(1)
		}
	}
	return a.helped(r, line, fresh && t.former, t)
}

// helped lets who has the right password but is locked out, and a phone that was forgotten when the password changed, call
// for help (S15), and nothing else. What an emergency call tells a guesser of a password that can be guessed is bounded: after
// so many wrong tries from its address within a day it tells nothing.
func (a *Auth) helped(r Result, line *Line, may bool, t *try) Result {
	if may && (t.tried < helpedTries || t.right && t.strong) {
		r.Line, r.EmergencyOK = line.ID, true
	}
	return r
}

// helpedTries is how many wrong tries a day an address has before a lock-out holds for emergency calls too, unless the
// password is beyond guessing.
const helpedTries = 200

// fits holds an answer against one password, and counts that.
func (a *Auth) fits(q *question, ha1 *secret.HA1) bool {
	a.guard.stats.digests.Add(1)
	return q.fits(ha1)
}

// former holds an answer against as many former passwords as a line can have, whether it has them or not.
func (a *Auth) former(q *question, line *Line) (until time.Time, found bool) {
	for i := range account.MaxFormer {
		ha1 := &a.decoy
		if i < len(line.Former) && line.Former[i].HA1 != nil {
			ha1 = line.Former[i].HA1
		}
		if a.fits(q, ha1) && ha1 != &a.decoy && !found {
			until, found = line.Former[i].Until, true
		}
	}
	return until, found
}

// usable says whether the credentials are of a form that we check: our realm, an algorithm we offer, qop=auth, and no
// field of a size that phones do not send.
func (a *Auth) usable(c *Credentials) (algorithm, bool) {
	alg, ok := findAlgorithm(c.Alg)
	ok = ok && a.offers(alg) && string(c.Realm) == a.o.Realm && len(c.URI) > 0 && len(c.Response) == alg.hexSize()
	ok = ok && len(c.Method)+len(c.Nonce)+len(c.URI)+len(c.CNonce)+len(c.NC)+len(c.QOP) <= maxFields
	if len(c.QOP) == 0 {
		return alg, ok && a.o.AllowNoQOP
	}
	return alg, ok && equalFold(c.QOP, "auth") && len(c.CNonce) > 0 && len(c.NC) == 8
}
