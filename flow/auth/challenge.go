package auth

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// setOffer reads Options.Algorithms and writes the parts of challenges that never change.
func (a *Auth) setOffer(names []string) error {
	if len(names) == 0 {
		names = []string{"MD5"}
	}
	for _, name := range names {
		g, ok := findAlgorithm([]byte(name))
		if !ok || name == "" || a.offers(g) {
			return fmt.Errorf("%w: algorithm %.20q is unknown or there twice; there are MD5 and SHA-256", ErrOptions, name)
		}
		a.offer = append(a.offer, g)
		for i, header := range [...]string{"WWW-Authenticate", "Proxy-Authenticate"} {
			a.heads[i] = append(a.heads[i], fmt.Sprintf("%s: Digest realm=\"%s\", algorithm=%s, qop=\"auth\", nonce=\"", header, a.o.Realm, g))
		}
	}
	return nil
}

func (a *Auth) offers(g algorithm) bool { return slices.Contains(a.offer, g) }

// AppendChallenge appends whole header lines, CRLF each: WWW-Authenticate, or Proxy-Authenticate when proxy is set, one
// for each algorithm offered, all with one fresh nonce for src. It allocates nothing where dst has room (about 130 bytes
// a line and the realm).
func (a *Auth) AppendChallenge(dst []byte, proxy, stale bool, src netip.Addr, now time.Time) []byte {
	heads := a.heads[0]
	if proxy {
		heads = a.heads[1]
	}
	var room [nonceMax]byte
	nonce := a.nonces.append(room[:0], src, a.nonces.seconds(now))
	for _, head := range heads {
		dst = append(dst, head...)
		dst = append(dst, nonce...)
		dst = append(dst, '"')
		if stale {
			dst = append(dst, ", stale=true"...)
		}
		dst = append(dst, '\r', '\n')
	}
	return dst
}
