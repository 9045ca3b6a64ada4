// Package auth asks for digests and reads them (RFC 7616, RFC 8760: SHA-256 and MD5, qop=auth), with nonces that nothing is
// kept of until they are answered, and keeps the file of keys that seal passwords. It must not know lines, SIP messages,
// calls or SQL, nor who is locked out.
package auth

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
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

// Options of New.
type Options struct {
	Realm string // in challenges and HA1; printable ASCII without quotes

	// Algorithms offered, in this order: "MD5", "SHA-256". nil is MD5 alone, for what telephones do with more was tried:
	// baresip 1.0 gives up on any 401 with a SHA-256 challenge in it, first or second; SIPp 3.6 takes the first challenge
	// and knows MD5 only. RFC 8760 wants "SHA-256", "MD5" where all phones are known to cope; "MD5", "SHA-256" suits those
	// that look at the first or pick the best.
	Algorithms []string

	NonceTTL time.Duration // how long a nonce is good; 0 is 5 minutes
	NonceKey []byte        // 32 bytes or more, to accept nonces of another node or from before a restart; nil is random
}

// maxNonces are remembered against replay, some 40 bytes each, twice over: at most 20 MB.
const maxNonces = 1 << 18

// Auth makes challenges and reads what answers them. Make it with New; safe for concurrent use. An unknown source costs no memory:
// nothing is kept but the nonces of right answers, until they are no longer good.
type Auth struct {
	o       Options
	nonces  nonces
	replays replays
	offer   []algorithm
	heads   [2][]string // by proxy: the challenge of each of offer up to its nonce
}

// ErrOptions says what New was not given.
var ErrOptions = errors.New("auth options")

// New checks the options and makes an Auth.
func New(o Options) (*Auth, error) {
	if o.Realm == "" || len(o.Realm) > maxRealm || strings.IndexFunc(o.Realm, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) >= 0 {
		return nil, fmt.Errorf("%w: realm %.80q: want 1 to %d printable ASCII characters without quotes or backslashes", ErrOptions, o.Realm, maxRealm)
	}
	o.NonceTTL = cmp.Or(o.NonceTTL, 5*time.Minute)
	if o.NonceTTL < time.Second || o.NonceTTL > 24*time.Hour {
		return nil, fmt.Errorf("%w: a nonce of %v; want 1 s to 24 h", ErrOptions, o.NonceTTL)
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
	a.replays.init(maxNonces, o.NonceTTL)
	return a, nil
}

// Answer is what answers a challenge, laid out by Read so that it can be held against several passwords.
type Answer struct {
	question
	nonce nonce
	count uint32 // of the nonce's uses; 0 cannot be read
}

// Read lays out the answer in credentials from src and says where its challenge went: for Elsewhere also to whom. It is laid
// out for Given and Elsewhere only. at is as of Seconds.
func (a *Auth) Read(x *Answer, c *Credentials, src netip.Addr, at int64) (receiver netip.Addr, origin Origin) {
	alg, ok := a.usable(c)
	if !ok {
		return netip.Addr{}, Unusable
	}
	if x.nonce, receiver, origin = a.nonces.open(c.Nonce, src, at); origin == Foreign {
		return receiver, origin
	}
	x.count = nonceCount(c)
	x.ask(alg, c)
	return receiver, origin
}

// Use uses up an answer's count of its nonce; false when it was used before, or may have been. Unused says whether Use would
// succeed, and takes about as long.
func (a *Auth) Use(x *Answer, at int64) bool {
	return x.count > 0 && a.replays.take(x.nonce, x.count, at)
}

// Unused is explained at Use.
func (a *Auth) Unused(x *Answer, at int64) bool {
	return a.replays.unused(x.nonce, x.count, at) && x.count > 0
}

// Seconds is Unix time as it was when New was called, and elapsed time since: a step of the clock ends no nonce and revives
// none. Begun is when New was called.
func (a *Auth) Seconds(now time.Time) int64 { return a.nonces.seconds(now) }

// Begun is explained at Seconds.
func (a *Auth) Begun() time.Time { return a.nonces.begun }

// Remembered is how many nonces are remembered against replay.
func (a *Auth) Remembered() int { return a.replays.len() }

// NameOf is the line's name in the user name of a login: some phones, and all of mobile networks, send user@domain
// (3GPP TS 24.229). No line's name has an '@'. A name longer than any phone's is taken as it is.
func NameOf(user []byte) []byte {
	if at := bytes.IndexByte(user, '@'); at >= 0 && len(user) <= maxUser {
		return user[:at]
	}
	return user
}

const maxUser = 255

// usable says whether the credentials are of a form that we check: our realm, an algorithm we offer, qop=auth, and no
// field of a size that phones do not send.
func (a *Auth) usable(c *Credentials) (algorithm, bool) {
	alg, ok := findAlgorithm(c.Alg)
	ok = ok && a.offers(alg) && string(c.Realm) == a.o.Realm && len(c.URI) > 0 && len(c.Response) == alg.hexSize()
	ok = ok && len(c.Method)+len(c.Nonce)+len(c.URI)+len(c.CNonce)+len(c.NC)+len(c.QOP) <= maxFields
	return alg, ok && equalFold(c.QOP, "auth") && len(c.CNonce) > 0 && len(c.NC) == 8
}
