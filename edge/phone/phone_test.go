package phone

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringfence/edge/sip/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddr("127.0.0.1")

// start runs a carrier and a phone that calls it directly.
func start(t *testing.T, o CarrierOptions, a Account) (*Phone, *Carrier) {
	t.Helper()
	c, err := NewCarrier(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	a.Server, a.Line = c.Addr().String(), "2001"
	p, err := Dial(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p, c
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !ok() {
		if !wait(ctx, 5*time.Millisecond) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestCallIsAnsweredHeardAndHungUp(t *testing.T) {
	ended := make(chan CallSeen, 1)
	p, c := start(t, CarrierOptions{OnCall: func(s CallSeen) { ended <- s }}, Account{})
	call, a, err := p.Invite(t.Context(), "02079460000", Dialling{})
	if err != nil || call == nil {
		t.Fatalf("invite: %v %v", a, err)
	}
	until(t, "sound", func() bool { _, loud := p.Heard(); return loud > 3 })
	if err := call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := <-ended; s.Called != "02079460000" || s.Caller != "2001" || !s.Theirs || s.Answered.IsZero() {
		t.Errorf("seen: %+v", s)
	}
	if s := c.Stats(); s.Offered != 1 || s.Answered != 1 || s.TheirHangups != 1 || s.NoACK != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestCarrierBehaviours(t *testing.T) {
	p, c := start(t, CarrierOptions{Script: Script{
		"486": {Refuse: 486, Phrase: "Busy Here"}, "5503": {Refuse: 503, Phrase: "Gone"}, "183": {Early: true, Ring: 50 * time.Millisecond},
		"480": {NoAnswer: true}, "487": {HangupFrom: time.Millisecond}, "491": {Reinvite: time.Millisecond},
	}}, Account{})
	t.Run("busy", func(t *testing.T) {
		if call, a, err := p.Invite(t.Context(), "1486", Dialling{}); err != nil || call != nil || a.Status != 486 {
			t.Errorf("%v %v %v", call, a, err)
		}
	})
	t.Run("longest suffix", func(t *testing.T) {
		if _, a, err := p.Invite(t.Context(), "15503", Dialling{}); err != nil || a.Status != 503 || a.Phrase != "Gone" {
			t.Errorf("%v %v", a, err)
		}
	})
	t.Run("early media", func(t *testing.T) {
		early := 0
		call, _, err := p.Invite(t.Context(), "1183", Dialling{Early: func(status int, _ string) { early = status }})
		if err != nil || call == nil || early != 183 {
			t.Fatalf("early %d: %v", early, err)
		}
		if err := call.Hangup(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("hang-up", func(t *testing.T) {
		call, _, err := p.Invite(t.Context(), "1487", Dialling{})
		if err != nil || call == nil {
			t.Fatal(err)
		}
		<-call.Done()
		if !call.End().Theirs {
			t.Error("the carrier should have hung up")
		}
	})
	t.Run("re-INVITE both ways", func(t *testing.T) {
		call, _, err := p.Invite(t.Context(), "1491", Dialling{})
		if err != nil || call == nil {
			t.Fatal(err)
		}
		if status, err := call.Reinvite(t.Context(), "sendonly"); err != nil || status != 200 {
			t.Errorf("%d %v", status, err)
		}
		until(t, "their re-INVITE", func() bool { p.end.mu.Lock(); defer p.end.mu.Unlock(); return call.version == 3 })
		if err := call.Hangup(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		call, _, err := p.Invite(ctx, "1480", Dialling{Early: func(int, string) { cancel() }})
		if call != nil || !errors.Is(err, context.Canceled) {
			t.Fatalf("%v %v", call, err)
		}
		until(t, "the CANCEL", func() bool { return c.Stats().Cancelled == 1 })
	})
	until(t, "all calls over", func() bool { return c.Stats().Active == 0 })
}

func TestCarrierAsksForPassword(t *testing.T) {
	for name, tc := range map[string]struct {
		password string
		want     int
	}{"right": {"secret", 200}, "wrong": {"Secret", 407}} {
		t.Run(name, func(t *testing.T) {
			p, _ := start(t, CarrierOptions{User: "2001", Passwd: "secret"}, Account{Password: tc.password})
			call, a, err := p.Invite(t.Context(), "1000", Dialling{})
			if err != nil || a.Status != tc.want || (call != nil) != (tc.want == 200) {
				t.Fatalf("%v %v %v", call, a, err)
			}
			if call != nil {
				_ = call.Hangup(t.Context())
			}
		})
	}
}

// A registrar in miniature: it challenges with both algorithms and grants what is signed with the right password.
func registrar(t *testing.T, l *link, password string) *endpoint {
	e := newEndpoint(l, "registrar", "r")
	e.serve = func(s *server) {
		m := &s.p.Msg
		switch {
		case m.Method() != message.REGISTER:
			s.respond(message.Reply{Code: 403})
		case !m.Has(message.HAuthorization):
			lines := ""
			for _, alg := range []string{"SHA-256", "MD5"} {
				lines += `WWW-Authenticate: Digest realm="x", nonce="n1", algorithm=` + alg + ", qop=\"auth\"\r\n"
			}
			s.respond(message.Reply{Code: 401, Lines: []byte(lines)})
		case !verify(m, message.HAuthorization, "n1", "2001", password):
			s.respond(message.Reply{Code: 403, Lines: []byte("Reason: SIP;cause=403;text=\"wrong, try again\"\r\n")})
		default:
			s.respond(message.Reply{Code: 200, Lines: []byte("Contact: " + string(m.Get(message.HContact)) + ";expires=60\r\n")})
		}
	}
	e.start()
	t.Cleanup(e.link.close)
	return e
}

func TestRegister(t *testing.T) {
	l, err := listenUDP(netip.AddrPortFrom(loopback, 0))
	if err != nil {
		t.Fatal(err)
	}
	e := registrar(t, l, "correct-horse")
	file := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(file, []byte("# demo\n2000 other\n2001\tcorrect-horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, alg := range []string{"", "MD5", "SHA-256"} {
		var out bytes.Buffer
		c := RegisterCmd{Login: Login{Server: e.link.local.String(), Line: "2001", PasswordFile: file, Algorithm: alg}, Expires: 300}
		if err := c.Run(t.Context(), &out); err != nil || !strings.Contains(out.String(), "registered for 60 s, 1 phone") {
			t.Errorf("algorithm %q: %v\n%s", alg, err, &out)
		}
	}
	var out bytes.Buffer
	c := RegisterCmd{Login: Login{Server: e.link.local.String(), Line: "2001", Password: "wrong"}, Expires: 300}
	if err := c.Run(t.Context(), &out); !errors.Is(err, ErrFailed) || !strings.Contains(out.String(), "why: wrong, try again") {
		t.Errorf("%v\n%s", err, &out)
	}
}

func TestReadPassword(t *testing.T) {
	dir := t.TempDir()
	for body, want := range map[string]string{"only-one\n": "only-one", "2001 a b\n2002 c": "a b", "2002 c\n": "", "": ""} {
		path := filepath.Join(dir, "p")
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadPassword(path, "2001")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v, want %q", body, got, err, want)
		}
	}
}

func TestCallCommandTellsEverything(t *testing.T) {
	_, c := start(t, CarrierOptions{}, Account{})
	run := func(to string) (string, error) {
		var out bytes.Buffer
		cmd := CallCmd{Login: Login{Server: c.Addr().String(), Line: "2001", Password: "x"}, To: to, Talk: 100 * time.Millisecond, Ring: 5 * time.Second}
		err := cmd.Run(t.Context(), &out)
		return out.String(), err
	}
	out, err := run("1000")
	if err != nil || !strings.Contains(out, "200 OK: answered") || !strings.Contains(out, "hanging up after 0.1 s; heard 0.") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = run("1486"); !errors.Is(err, ErrFailed) || !strings.Contains(out, "486 Busy Here: refused") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The other end is a phone that was registered by hand: it rings, is accepted, and hangs up.
func TestPhoneAnswers(t *testing.T) {
	dial := func(line, server string) *Phone {
		p, err := Dial(t.Context(), Account{Server: server, Line: line})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	}
	callee := dial("2002", "127.0.0.1:9")
	caller := dial("2001", callee.Addr().String())
	go func() {
		in := <-callee.Inbox()
		if in.From != "2001" {
			t.Errorf("from %q", in.From)
		}
		if err := in.Accept(t.Context()); err != nil {
			t.Error(err)
		}
		_ = in.Call.Hangup(t.Context())
		in = <-callee.Inbox()
		in.Refuse(486, "Busy Here")
	}()
	call, a, err := caller.Invite(t.Context(), "2002", Dialling{})
	if err != nil || call == nil {
		t.Fatalf("%v %v", a, err)
	}
	<-call.Done()
	if _, a, err = caller.Invite(t.Context(), "2002", Dialling{}); err != nil || a.Status != 486 {
		t.Errorf("%v %v", a, err)
	}
}

func TestAttackStopsWhenRefusedAndSaysWhatStoppedIt(t *testing.T) {
	p, c := start(t, CarrierOptions{Script: Script{"9": {HangupFrom: time.Millisecond}, "8": {Refuse: 403, Phrase: "Forbidden"}}}, Account{})
	loot, err := p.Attack(t.Context(), Plan{Numbers: []string{"9"}, Calls: 30, AtOnce: 5, Last: 20 * time.Second})
	if err != nil || loot.Answered != 30 || loot.Cut != 30 || loot.Refused != 0 {
		t.Errorf("%v %+v", err, loot)
	}
	loot, err = p.Attack(t.Context(), Plan{Numbers: []string{"8"}, Calls: 100, AtOnce: 1, Refused: 7, Last: 20 * time.Second})
	if err != nil || loot.Tried != 7 || loot.Refusals["403 Forbidden"] != 7 {
		t.Errorf("%v %+v", err, loot)
	}
	if got := strings.Join(loot.Report(), "\n"); !strings.Contains(got, "7 × refused: 403 Forbidden") {
		t.Errorf("report:\n%s", got)
	}
	until(t, "all calls over", func() bool { return c.Stats().Active == 0 })
	p.server = netip.MustParseAddrPort("192.0.2.1:5060")
	if _, err := p.Attack(t.Context(), Plan{Numbers: []string{"8"}, Calls: 1, AtOnce: 1, Last: time.Second}); !errors.Is(err, ErrTooWild) {
		t.Errorf("an attack on another machine: %v", err)
	}
}

// The attack command registers first, and the report ends with what the line has cost.
func TestAttackCommand(t *testing.T) {
	l, err := listenUDP(netip.AddrPortFrom(loopback, 0))
	if err != nil {
		t.Fatal(err)
	}
	e := registrar(t, l, "correct-horse")
	var out bytes.Buffer
	c := AttackCmd{
		Login: Login{Server: e.link.local.String(), Line: "2001", Password: "correct-horse"}, To: []string{"1"},
		Calls: 5, AtOnce: 2, GiveUp: 3, For: 10 * time.Second,
		Spent: func(context.Context) (string, error) { return "nothing of its cap", nil },
	}
	if err := c.Run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"registered for 60 s", "1 refused: 403", "making no more calls", "0 answered", "what it cost: nothing of its cap"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, &out)
		}
	}
}

func TestCarrierListensOnLoopbackOnly(t *testing.T) {
	if _, err := NewCarrier(CarrierOptions{Listen: netip.MustParseAddrPort("0.0.0.0:0")}); !errors.Is(err, ErrNotLoopback) {
		t.Error(err)
	}
}

// Reference values of G.711 A-law: the ends of the range and around zero.
func TestAlaw(t *testing.T) {
	for s, want := range map[int16]byte{0: 0xd5, -1: 0x55, 32767: 0xaa, -32768: 0x2a, 8: 0xd5, 16: 0xd4, 1024: 0xe5} {
		if got := alaw(s); got != want {
			t.Errorf("alaw(%d) = %#x, want %#x", s, got, want)
		}
	}
}

// Somebody without a password tries those that many people use: refused, and then not answered any more.
func TestGuess(t *testing.T) {
	var tries atomic.Int64
	server := guessedAt(t, func() bool { return tries.Add(1) <= 6 })
	var out strings.Builder
	c := GuessCmd{Server: server, Line: "2001", Tries: 10, Source: "127.0.66.6", UserAgent: "guesser"}
	if err := c.Run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "403") != 3 || !strings.Contains(text, "127.0.66.6 is blocked") {
		t.Errorf("%s", text)
	}
	c.Server = "192.0.2.1:5060"
	if err := c.Run(t.Context(), &out); !errors.Is(err, ErrTooWild) {
		t.Errorf("guessing at somebody else's server: %v", err)
	}
}

// guessedAt is a server that challenges and then refuses, as long as answer says so.
func guessedAt(t *testing.T, answer func() bool) string {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if !answer() {
				continue
			}
			head := "SIP/2.0 403 Forbidden\r\n"
			if !strings.Contains(string(buf[:n]), "Authorization:") {
				head = "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n"
			}
			for line := range strings.Lines(string(buf[:n])) {
				for _, name := range []string{"Via:", "From:", "To:", "Call-ID:", "CSeq:"} {
					if strings.HasPrefix(line, name) {
						head += line
					}
				}
			}
			_, _ = conn.WriteTo([]byte(head+"Content-Length: 0\r\n\r\n"), from)
		}
	}()
	return conn.LocalAddr().String()
}
