package phone

import (
	"errors"

	"github.com/icholy/digest"

	"ringfence/edge/sip/challenge"
	"ringfence/edge/sip/message"
)

// errNoChallenge says that a 401 or 407 offered nothing that this phone can answer.
var errNoChallenge = errors.New("the server asked for a login of a kind that this phone does not support (digest with MD5 or SHA-256)")

// challenged says whether to try a request again with credentials: at the first challenge, and once more when the nonce was stale.
func (p *Phone) challenged(r *request, m *message.Message, try int) (again bool, err error) {
	if m.Status() != 401 && m.Status() != 407 || try > 1 {
		return false, nil
	}
	algorithms := []string{"SHA-256", "MD5"}
	if p.account.Algorithm != "" {
		algorithms = []string{p.account.Algorithm}
	}
	a, ok := challenge.Answer(m, digest.Options{
		Method: r.method.String(), URI: r.uri, Username: p.account.Line, Password: p.account.Password, Count: 1,
	}, algorithms...)
	if !ok {
		return false, errNoChallenge
	}
	r.login = &a
	return try == 0 || a.Stale, nil
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
