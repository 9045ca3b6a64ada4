// Package auth answers one question of the edges: whose login is this, and may it come from there? Digest (RFC 8760:
// SHA-256 and MD5, qop=auth), the IP lock, stateless nonces. It must not know SIP messages, calls or SQL.
package auth

import (
	"net/netip"

	"ringfence/core/policy"
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
	Line    string // set on Accept; on Refuse when the login itself was right
	Reason  policy.Reason
	Figures policy.Figures
	// EmergencyOK: refused only for the address (IP lock): the password was right, and an emergency call may pass.
	EmergencyOK bool
}

// The package offers, on a type made by New:
//
//	Check(c *Credentials, src netip.Addr, now time.Time) Result
//	AppendChallenge(dst []byte, proxy, stale bool, src netip.Addr, now time.Time) []byte  // whole header lines, CRLF each
//
// Neither allocates on the challenge path; a stranger costs no memory.

var _ netip.Addr
