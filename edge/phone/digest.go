package phone

import (
	"errors"
	"fmt"
	"strings"

	"github.com/icholy/digest"

	"ringfence/edge/sip/message"
)

// errNoChallenge says that a 401 or 407 offered nothing that this phone can answer.
var errNoChallenge = errors.New("the server asked for a password in no way this phone knows (digest with MD5 or SHA-256)")

// login answers challenges for one line. It keeps the last nonce, so that further requests need no round trip.
type login struct {
	user, password string
	algorithm      string // "MD5" or "SHA-256" to insist; "" takes the strongest offered
	chal           *digest.Challenge
	header         message.HeaderID // Authorization or Proxy-Authorization
	count          int              // nc of chal's nonce
}

// take remembers the challenge of a 401 or 407.
func (l *login) take(m *message.Message) error {
	ask := message.HWWWAuthenticate
	l.header = message.HAuthorization
	if m.Status() == 407 {
		ask, l.header = message.HProxyAuthenticate, message.HProxyAuthorization
	}
	l.chal, l.count = nil, 0
	for v := range m.All(ask) {
		c, err := digest.ParseChallenge(string(v))
		if err != nil || !l.better(c) {
			continue
		}
		l.chal = c
	}
	if l.chal == nil {
		return errNoChallenge
	}
	return nil
}

func (l *login) better(c *digest.Challenge) bool {
	alg := c.Algorithm
	if alg == "" {
		alg = "MD5"
	}
	if !strings.EqualFold(alg, "MD5") && !strings.EqualFold(alg, "SHA-256") || !digest.CanDigest(c) {
		return false
	}
	if l.algorithm != "" {
		return strings.EqualFold(alg, l.algorithm)
	}
	return l.chal == nil || strings.EqualFold(alg, "SHA-256")
}

// sign adds credentials to a request; a login without a challenge adds nothing.
func (l *login) sign(r *request) error {
	if l.chal == nil {
		return nil
	}
	l.count++
	cred, err := digest.Digest(l.chal, digest.Options{
		Method: r.method.String(), URI: r.uri, Username: l.user, Password: l.password, Count: l.count,
	})
	if err != nil {
		return fmt.Errorf("answer the challenge: %w", err)
	}
	r.add(l.header, cred.String())
	return nil
}

// verify checks the digest of a request against a nonce and a password, as a carrier that asks for one does.
func verify(m *message.Message, header message.HeaderID, nonce, user, password string) bool {
	cred, err := digest.ParseCredentials(string(m.Get(header)))
	if err != nil || cred.Nonce != nonce || cred.Username != user {
		return false
	}
	chal := &digest.Challenge{Realm: cred.Realm, Nonce: nonce, Algorithm: cred.Algorithm, QOP: []string{"auth"}}
	want, err := digest.Digest(chal, digest.Options{
		Method: m.Method().String(), URI: cred.URI, Username: user, Password: password, Count: cred.Nc, Cnonce: cred.Cnonce,
	})
	return err == nil && want.Response == cred.Response
}
