package phone

import (
	"errors"
	"fmt"
	"strings"

	"github.com/icholy/digest"
)

// errNoChallenge says that a 401 or 407 offered nothing that this phone can answer.
var errNoChallenge = errors.New("the server asked for a password in no way this phone knows (digest with MD5 or SHA-256)")

// login answers challenges for one line. It keeps the last nonce, so that further requests need no round trip.
type login struct {
	user, password string
	algorithm      string // "MD5" or "SHA-256" to insist; "" takes the strongest offered
	chal           *digest.Challenge
	header         string // Authorization or Proxy-Authorization
	count          int    // nc of chal's nonce
}

// take remembers the challenge of a 401 or 407.
func (l *login) take(p *packet) error {
	name := "WWW-Authenticate"
	l.header = "Authorization"
	if p.status == 407 {
		name, l.header = "Proxy-Authenticate", "Proxy-Authorization"
	}
	l.chal, l.count = nil, 0
	for _, v := range p.all(name) {
		c, err := digest.ParseChallenge(v)
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
func (l *login) sign(p *packet) error {
	if l.chal == nil {
		return nil
	}
	l.count++
	cred, err := digest.Digest(l.chal, digest.Options{
		Method: p.method, URI: p.uri, Username: l.user, Password: l.password, Count: l.count,
	})
	if err != nil {
		return fmt.Errorf("answer the challenge: %w", err)
	}
	p.add(l.header, cred.String())
	return nil
}

// verify checks the digest of a request against a nonce and a password, as a carrier that asks for one does.
func verify(p *packet, nonce, user, password string) bool {
	v := p.get("Proxy-Authorization")
	cred, err := digest.ParseCredentials(v)
	if err != nil || cred.Nonce != nonce || cred.Username != user {
		return false
	}
	chal := &digest.Challenge{Realm: cred.Realm, Nonce: nonce, Algorithm: cred.Algorithm, QOP: []string{"auth"}}
	want, err := digest.Digest(chal, digest.Options{
		Method: p.method, URI: cred.URI, Username: user, Password: password, Count: cred.Nc, Cnonce: cred.Cnonce,
	})
	return err == nil && want.Response == cred.Response
}
