//go:build e2e

package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"

	"ringfence/edge/phone"
)

// fact is a row of the journal.
type fact struct {
	Seq        int64
	At         time.Time
	Kind, Line string
	Body       json.RawMessage
}

// facts are the journal's rows whose kind begins so.
func (s *server) facts(kind string) (list []fact) {
	s.t.Helper()
	decode(s.t, s.cli("journal", "--kind", kind, "--oldest", "--limit", "0", "--json"), &list)
	return list
}

// findings are the kinds of what was found so far.
func (s *server) findings() (kinds []string) {
	s.t.Helper()
	for _, f := range s.facts("finding.raised") {
		var b struct{ Kind string }
		decode(s.t, string(f.Body), &b)
		kinds = append(kinds, b.Kind)
	}
	return kinds
}

// bans are the networks that are banned, whatever the reason.
func (s *server) bans() (nets []string) {
	s.t.Helper()
	var list []struct{ Net string }
	decode(s.t, s.cli("ban", "list", "--limit", "0", "--json"), &list)
	for _, b := range list {
		nets = append(nets, b.Net)
	}
	return nets
}

// lockouts are those in force, as "scope source".
func (s *server) lockouts() (all []string) {
	s.t.Helper()
	var list []struct{ Scope, Source string }
	decode(s.t, s.cli("lockout", "list", "--limit", "0", "--json"), &list)
	for _, l := range list {
		all = append(all, l.Scope+" "+l.Source)
	}
	return all
}

// nobodyShutOut fails if anybody is banned or locked out.
func (s *server) nobodyShutOut() {
	s.t.Helper()
	if bans, locked := s.bans(), s.lockouts(); len(bans)+len(locked) > 0 {
		s.t.Errorf("banned: %v; locked out: %v", bans, locked)
	}
}

// at opens a test phone for a line at a loopback address.
func (s *server) at(from, line, password, agent string) *phone.Phone {
	s.t.Helper()
	p, err := phone.Dial(s.t.Context(), phone.Account{
		Server: s.sip.String(), Line: line, Password: password, Local: netip.MustParseAddr(from), UserAgent: agent,
	})
	must(s.t, err)
	s.t.Cleanup(func() { p.Close() })
	return p
}

// registers fails unless the phone can register.
func registers(t *testing.T, p *phone.Phone) {
	t.Helper()
	if a, err := p.Register(t.Context(), 60); err != nil || !a.OK() {
		t.Fatalf("the phone at %s cannot register: %v %v", p.Addr(), a, err)
	}
}

// stranger is a UDP socket that speaks just enough SIP to guess: it sends a packet and waits for the answer, if any.
type stranger struct {
	t     *testing.T
	c     *net.UDPConn
	agent string
	n     int
	wait  time.Duration // after so long it is silence
	raw   string        // the last answer
	dial  string        // who is asked for; "" is the user itself
	body  string        // SDP
}

// stranger opens one at a loopback address.
func (s *server) stranger(from string) *stranger {
	s.t.Helper()
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, net.UDPAddrFromAddrPort(s.sip))
	must(s.t, err)
	s.t.Cleanup(func() { c.Close() })
	return &stranger{t: s.t, c: c, agent: "hydra", wait: 2 * time.Second}
}

// ask sends a request and gives the status of its final answer, 0 for silence.
func (x *stranger) ask(method, user, authorization string) int {
	x.t.Helper()
	x.n++
	host, id := x.c.LocalAddr().String(), fmt.Sprintf("%d-%s", x.n, strings.ReplaceAll(x.c.LocalAddr().String(), ":", "-"))
	to := cmp.Or(x.dial, user)
	if x.body != "" {
		authorization += "Content-Type: application/sdp\r\n"
	}
	x.send(fmt.Sprintf("%s sip:%s@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\n"+
		"From: <sip:%s@127.0.0.1>;tag=t%s\r\nTo: <sip:%s@127.0.0.1>\r\nCall-ID: c%s\r\nCSeq: 1 %s\r\nContact: <sip:%s@%s>\r\nUser-Agent: %s\r\n%sContent-Length: %d\r\n\r\n%s",
		method, to, host, id, user, id, to, id, method, user, host, x.agent, authorization, len(x.body), x.body))
	return x.hear("c" + id + "\r\n")
}

func (x *stranger) send(packet string) {
	x.t.Helper()
	_, err := x.c.Write([]byte(packet))
	must(x.t, err)
}

// hear waits for the final answer that has a text in it, and gives its status; 0 is silence.
func (x *stranger) hear(part string) int {
	_ = x.c.SetReadDeadline(time.Now().Add(x.wait))
	buf := make([]byte, 4096)
	for {
		n, err := x.c.Read(buf)
		if err != nil {
			x.raw = ""
			return 0
		}
		x.raw = string(buf[:n])
		if !strings.Contains(x.raw, part) || len(x.raw) < 12 {
			continue // of an earlier request
		}
		if status, _ := strconv.Atoi(x.raw[8:11]); status >= 200 {
			return status
		}
	}
}

var challengeLine = regexp.MustCompile(`(WWW|Proxy)-Authenticate: (.*)\r\n`)

// challenge asks for one: the header's name and value; "" for silence.
func (x *stranger) challenge(method, user string) (header string, c *digest.Challenge) {
	x.t.Helper()
	if x.ask(method, user, "") == 0 {
		return "", nil
	}
	m := challengeLine.FindStringSubmatch(x.raw)
	if m == nil {
		x.t.Fatalf("no challenge in %q", x.raw)
	}
	c, err := digest.ParseChallenge(m[2])
	must(x.t, err)
	return map[string]string{"WWW": "Authorization", "Proxy": "Proxy-Authorization"}[m[1]], c
}

// credentials answer a challenge.
func credentials(t *testing.T, header string, c *digest.Challenge, method, to, user, password string) string {
	t.Helper()
	cred, err := digest.Digest(c, digest.Options{Method: method, URI: "sip:" + to + "@127.0.0.1", Username: user, Password: password, Count: 1})
	must(t, err)
	return header + ": " + cred.String() + "\r\n"
}

// login tries a password with REGISTER, as a guesser does: a fresh challenge each time. 0 is silence.
func (x *stranger) login(user, password string) int {
	x.t.Helper()
	return x.loginBy("REGISTER", user, password)
}

func (x *stranger) loginBy(method, user, password string) int {
	x.t.Helper()
	header, c := x.challenge(method, user)
	if c == nil {
		return 0
	}
	return x.ask(method, user, credentials(x.t, header, c, method, cmp.Or(x.dial, user), user, password))
}

// Guessing from many addresses in several networks, with several attempts each (hydra, with a proxy list): the guesser is
// never admitted, even when one guess is the right password; its addresses are locked out; and the line's own phone
// works throughout.
func TestGuessingFromManyAddresses(t *testing.T) {
	t.Parallel()
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	password := s.line("2001")
	own := s.at("127.50.0.1", "2001", password, "desk/1")
	registers(t, own)
	if status := s.stranger("127.50.0.1").login("2001", password); status != 200 {
		t.Fatalf("the guesser's own SIP is wrong: the right password gets %d", status)
	}

	var crowd []*stranger
	for net := range 4 {
		for host := range 5 {
			x := s.stranger(fmt.Sprintf("127.%d.7.%d", 60+net, 10+host))
			x.wait = 250 * time.Millisecond
			crowd = append(crowd, x)
		}
	}
	live, tries := crowd, 0
	for round := 0; len(live) > 0 && round < 40; round++ {
		var still []*stranger
		for _, x := range live {
			tries++
			guess := fmt.Sprintf("guess-%d", tries)
			if tries >= 200 { // from here on it knows it
				guess = password
			}
			switch status := x.login("2001", guess); status {
			case 0: // shut out
			case 403:
				still = append(still, x)
			default:
				t.Fatalf("guess %d from %s got %d", tries, x.c.LocalAddr(), status)
			}
		}
		live = still
		registers(t, own)
		if round%3 == 0 {
			must(t, call(t, own, "02079460000").Hangup(t.Context()))
		}
		if tries >= 240 {
			break
		}
	}
	if tries < 200 {
		t.Errorf("all were shut out after %d tries, before the right password could be tried", tries)
	}
	t.Logf("%d tries; %d of %d addresses are not shut out yet", tries, len(live), len(crowd))
	for _, x := range live { // those that are left earn their own ban: wrong passwords for line after line
		for n := 0; n < 30 && x.login(fmt.Sprintf("30%02d", n), "1234") != 0; n++ {
		}
	}
	for _, x := range crowd {
		x.wait = 50 * time.Millisecond
		if status := x.ask("OPTIONS", "2001", ""); status != 0 {
			t.Errorf("%s still gets an answer: %d", x.c.LocalAddr(), status)
		}
	}
	registers(t, own)
	eventually(t, 10*time.Second, "the guessing is found", func() bool {
		found := strings.Join(s.findings(), " ")
		return strings.Contains(found, "guessing") && strings.Contains(found, "siege")
	})
	bans := strings.Join(s.bans(), " ")
	for net := range 4 {
		contains(t, bans, fmt.Sprintf("127.%d.7.", 60+net))
	}
	if strings.Contains(bans, "127.50.") {
		t.Errorf("the owner is banned: %s", bans)
	}
	if n := len(s.facts("login.")); n > 200 {
		t.Errorf("%d rows in the journal for %d guesses", n, tries)
	}
}
