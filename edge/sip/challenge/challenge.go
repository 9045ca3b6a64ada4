// Package challenge answers digest challenges (RFC 7616, RFC 8760) for anything that logs in elsewhere. It must not know who asks, or whose the
// password is.
package challenge

import (
	"cmp"
	"slices"
	"strings"

	"github.com/icholy/digest"

	"ringfence/edge/sip/message"
)

// Credentials are the header of a request that answers a challenge.
type Credentials struct {
	Header message.HeaderID // Authorization or Proxy-Authorization
	Value  string
	Stale  bool // the last answer was right but for the age of its nonce
}

// Answer answers a challenge of a 401 or 407: the first one that can be answered, or, given algorithms, that of the first of them that is
// offered. False: there is none. No algorithm in a challenge is MD5.
func Answer(m *message.Message, o digest.Options, algorithms ...string) (a Credentials, ok bool) {
	ask := message.HWWWAuthenticate
	if a.Header = message.HAuthorization; m.Status() == 407 {
		ask, a.Header = message.HProxyAuthenticate, message.HProxyAuthorization
	}
	best := 0
	for v := range m.All(ask) {
		ch, err := digest.ParseChallenge(string(v))
		if err != nil || !digest.CanDigest(ch) {
			continue
		}
		rank := 0
		if len(algorithms) > 0 {
			rank = slices.IndexFunc(algorithms, func(g string) bool { return strings.EqualFold(g, cmp.Or(ch.Algorithm, "MD5")) })
		}
		if rank < 0 || ok && rank >= best {
			continue
		}
		if c, err := digest.Digest(ch, o); err == nil {
			a.Value, a.Stale, ok, best = c.String(), ch.Stale, true, rank
		}
	}
	return a, ok
}
