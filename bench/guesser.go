package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// guessAgent is what guessers call themselves: not a name that gives an attacker's tool away, or it would get no answer.
const guessAgent = "Yealink SIP-T46S 66.85.0.5"

// challenge is what a server asks for.
type challenge struct{ realm, nonce string }

var challengeText = regexp.MustCompile(`(?i)www-authenticate: *Digest [^\r\n]*`)

// readChallenge takes realm and nonce out of a 401.
func readChallenge(answer string) (c challenge, ok bool) {
	line := challengeText.FindString(answer)
	for _, f := range []struct {
		name string
		to   *string
	}{{`realm="`, &c.realm}, {`nonce="`, &c.nonce}} {
		_, rest, found := strings.Cut(line, f.name)
		v, _, end := strings.Cut(rest, `"`)
		if !found || !end {
			return c, false
		}
		*f.to = v
	}
	return c, true
}

const (
	guessURI    = "sip:bench.test"
	guessCNonce = "6c7a1f02"
)

// authorization is the header that answers a challenge.
func (c challenge) authorization(user, response string) string {
	return fmt.Sprintf(`Authorization: Digest username="%s",realm="%s",nonce="%s",uri="%s",response="%s",algorithm=MD5,qop=auth,nc=00000001,cnonce="%s"`,
		user, c.realm, c.nonce, guessURI, response, guessCNonce)
}

// response is the answer to a challenge that a password gives (RFC 7616 section 3.4.1, MD5).
func (c challenge) response(user, password string) string {
	h := func(s string) string {
		sum := md5.Sum([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	return h(h(user+":"+c.realm+":"+password) + ":" + c.nonce + ":00000001:" + guessCNonce + ":auth:" + h("REGISTER:"+guessURI))
}

// guesser guesses from an address that it really has: it hears the challenges, and its answers are counted against it.
type guesser struct {
	from    netip.Addr
	to      netip.AddrPort
	users   []string
	rate    int                        // tries a second
	publish *atomic.Pointer[challenge] // it only asks for challenges, and shows them to others; nil: it guesses

	tries, refused, silent int
}

// run guesses until ctx ends.
func (g *guesser) run(ctx context.Context) error {
	c, err := net.DialUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(g.from, 0)), net.UDPAddrFromAddrPort(g.to))
	if err != nil {
		return err
	}
	defer c.Close()
	tick := time.NewTicker(time.Second / time.Duration(g.rate))
	defer tick.Stop()
	for {
		g.try(c)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

var commonPasswords = []string{"1234", "123456", "password", "admin", "letmein", "0000", "sip123", "voip"}

// try asks for a challenge and answers it with a common password.
func (g *guesser) try(c *net.UDPConn) {
	user := g.users[rand.IntN(len(g.users))]
	g.tries++
	answer := g.ask(c, user, "")
	if answer == "" {
		g.silent++
		return
	}
	given, ok := readChallenge(answer)
	if !ok {
		return
	}
	if g.publish != nil {
		g.publish.Store(&given)
		return
	}
	answer = g.ask(c, user, given.authorization(user, given.response(user, commonPasswords[rand.IntN(len(commonPasswords))]))+"\r\n")
	if strings.HasPrefix(answer, "SIP/2.0 403") {
		g.refused++
	}
}

// ask sends a REGISTER and waits a moment for its answer; "" is none.
func (g *guesser) ask(c *net.UDPConn, user, credentials string) string {
	id := rand.Uint64()
	_, err := fmt.Fprintf(c, "REGISTER %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%016x\r\nMax-Forwards: 70\r\nFrom: <sip:%s@bench.test>;tag=1\r\n"+
		"To: <sip:%s@bench.test>\r\nCall-ID: %016x\r\nCSeq: 1 REGISTER\r\nContact: <sip:%s@%s>\r\nUser-Agent: %s\r\n%sContent-Length: 0\r\n\r\n",
		guessURI, c.LocalAddr(), id, user, user, id, user, c.LocalAddr(), guessAgent, credentials)
	if err != nil || c.SetReadDeadline(time.Now().Add(300*time.Millisecond)) != nil {
		return ""
	}
	want := fmt.Sprintf("Call-ID: %016x", id)
	for buf := make([]byte, 2048); ; {
		n, err := c.Read(buf)
		if err != nil {
			return ""
		}
		if text := string(buf[:n]); strings.Contains(text, want) { // not one that came too late for the try before
			return text
		}
	}
}
