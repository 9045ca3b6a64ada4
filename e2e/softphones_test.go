//go:build e2e

package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/e2e/process"
	"ringfence/edge/phone"
)

// way is how a phone reaches the server.
type way struct {
	name      string
	server    netip.AddrPort
	transport string // udp or tcp
}

// softphone is a real client that has registered its line.
type softphone interface {
	dial(number string) // and waits until the client says that the call is up
	hold()
	resume()
	digit(one byte)
	hangup()
}

// listeners starts a server that listens on two ports of 127.0.0.1 and one of ::1, over UDP and TCP on each, and gives the
// ways to reach it. Its carriers, one for each family of addresses, are at the ports given back.
func listeners(t *testing.T) (s *server, ways []way, carriers map[bool]netip.AddrPort) {
	t.Helper()
	first, second, sixth := freePort(t), freePort(t), freePort6(t)
	s = startWith(t, setup{at: []netip.AddrPort{first, second, sixth}})
	carriers = map[bool]netip.AddrPort{true: freePort(t), false: freePort6(t)}
	return s, []way{
		{"UDP", first, "udp"},
		{"UDP, the second port", second, "udp"},
		{"TCP", first, "tcp"},
		{"TCP, the second port", second, "tcp"},
		{"UDP, IPv6", sixth, "udp"},
		{"TCP, IPv6", sixth, "tcp"},
	}, carriers
}

// freePort6 finds a port of ::1 that is free on UDP and TCP.
func freePort6(t *testing.T) netip.AddrPort {
	t.Helper()
	for range 100 {
		at := netip.AddrPortFrom(netip.IPv6Loopback(), freePort(t).Port())
		l, err := net.Listen("tcp", at.String())
		if err != nil {
			continue
		}
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		l.Close()
		if err == nil {
			u.Close()
			return at
		}
	}
	t.Fatal("no free port of ::1")
	return netip.AddrPort{}
}

// Real clients register, call, hold, resume, send a digit, are offered another codec and hang up, over every listener of one server.
// Each leg must name the listener that reaches its peer, or the carrier's requests and the caller's BYE go astray.
func TestClientsOverEveryListener(t *testing.T) {
	for _, client := range []string{"baresip", "linphone", "SIPp"} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			s, ways, carriers := listeners(t)
			secret := s.line("2100")
			for i, w := range ways {
				line := fmt.Sprint(2001 + i)
				own := fmt.Sprintf("+44207946%04d", 100+i)
				password := s.line(line, "--number", own)
				at := carriers[w.server.Addr().Is4()]
				s.onlyTrunk(at)
				t.Log(w.name)
				heard := hear(t, at.Addr())
				carrier := sipp{
					scenario: "carrier_talk.xml", from: at.Addr().String(), port: at.Port(),
					with: map[string]string{"MEDIA": itoa(heard.port), "DIGIT": digitOf[client]},
				}.begin(t).listening()
				p := talk(t, s, client, w, line, password, carrier)
				carrier.done()
				if client == "baresip" && !strings.Contains(heard.digits(), "5") {
					t.Errorf("%s: the carrier heard the digits %q", w.name, heard.digits())
				}
				r := s.cdrs(line, 1)[0]
				if r.Retail <= 0 || r.By != "caller" || r.Talk <= 0 {
					t.Errorf("%s: record %+v", w.name, r)
				}
				if p != nil { // a scenario of SIPp is over
					answers(t, w, secret, own)
				}
			}
		})
	}
}

// digitOf is how the carrier's scenario waits for a digit: as INFO, or a while, since baresip sends it with the sound.
var digitOf = map[string]string{
	"baresip":  `<pause milliseconds="2000"/>`,
	"linphone": digitByINFO,
	"SIPp":     digitByINFO,
}

const digitByINFO = `<recv request="INFO">
    <action>
      <ereg regexp="Signal ?= ?5" search_in="body" check_it="true" assign_to="a"/>
    </action>
  </recv>
  <send>
    <![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

    ]]>
  </send>`

// ear is one end of the sound: it counts packets and notes the digits that come with it (RFC 4733, payload type 101).
type ear struct {
	port  uint16
	mu    sync.Mutex
	seen  []byte
	count int
}

func hear(t *testing.T, host netip.Addr) *ear {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, 0)))
	must(t, err)
	t.Cleanup(func() { c.Close() })
	e := &ear{port: c.LocalAddr().(*net.UDPAddr).AddrPort().Port()}
	go func() {
		b := make([]byte, 1500)
		for {
			n, _, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			e.mu.Lock()
			e.count++
			if n >= 16 && b[1]&0x7f == 101 && b[12] < 10 && b[13]&0x80 != 0 {
				e.seen = append(e.seen, '0'+b[12])
			}
			e.mu.Unlock()
		}
	}()
	return e
}

func (e *ear) packets() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count
}

// digits are those that have ended, each as often as its end was sent.
func (e *ear) digits() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return string(e.seen)
}

// A fork that is answered twice is one call: the second answer is acknowledged and hung up, and the caller's sound goes to the
// phone whose answer stands, although it heard the other one's early media first.
func TestAForkAnsweredTwice(t *testing.T) {
	for _, client := range []string{"baresip", "linphone", "SIPp"} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			s, at := start(t), freePort(t)
			s.onlyTrunk(at)
			password := s.line("2001")
			one, two := hear(t, at.Addr()), hear(t, at.Addr())
			carrier := sipp{
				scenario: "carrier_fork.xml", port: at.Port(),
				with: map[string]string{"ONE": itoa(one.port), "TWO": itoa(two.port)},
			}.begin(t).listening()
			if client == "SIPp" {
				sipp{
					scenario: "call.xml", server: s.sip, line: "2001", password: password, to: "02079460000", with: map[string]string{"TALK": "1500"},
				}.run(t)
			} else {
				p := launch(t, client, way{"UDP", s.sip, "udp"}, "2001", password)
				s.registered("2001", client)
				p.dial("02079460000")
				carrier.logged("answered")
				if client == "baresip" {
					begun := two.packets()
					eventually(t, 10*time.Second, "sound at the phone whose answer stands", func() bool { return two.packets() > begun+20 })
				}
				p.hangup()
			}
			carrier.done()
			if r := s.cdrs("2001", 1)[0]; r.Retail <= 0 || r.By != "caller" || r.Talk <= 0 {
				t.Errorf("record %+v", r)
			}
			eventually(t, 10*time.Second, "nothing is held", func() bool { return s.day("2001").Held == 0 })
		})
	}
}

// registered waits until a client's login is with the server.
func (s *server) registered(line, client string) {
	s.t.Helper()
	eventually(s.t, 20*time.Second, client+" is registered", func() bool {
		return strings.Contains(s.cli("line", "show", line, "--json"), `"contact"`)
	})
}

// onlyTrunk makes one carrier the only way out.
func (s *server) onlyTrunk(at netip.AddrPort) {
	s.t.Helper()
	if _, _, err := s.tryCLI("trunk", "show", "only"); err != nil {
		s.cli("trunk", "add", "only", at.String())
		return
	}
	s.cli("trunk", "set", "only", "addresses="+at.String())
}

// answers is a call from a colleague, who speaks the same family of addresses, to a client, which answers by itself.
func answers(t *testing.T, w way, secret, number string) {
	t.Helper()
	colleague, err := phone.Dial(t.Context(), phone.Account{Server: w.server.String(), Line: "2100", Password: secret})
	must(t, err)
	defer colleague.Close()
	must(t, call(t, colleague, number).Hangup(t.Context()))
}

// talk is one call of a client from its registration to its hang-up; it gives the client, nil when that is over too.
func talk(t *testing.T, s *server, client string, w way, line, password string, carrier *running) softphone {
	t.Helper()
	const number = "02079460000"
	if client == "SIPp" {
		sipp{
			scenario: "phone_talk.xml", server: w.server, transport: w.transport, from: w.server.Addr().String(),
			line: line, password: password, to: number,
		}.run(t)
		return nil
	}
	p := launch(t, client, w, line, password)
	s.registered(line, client)
	p.dial(number)
	carrier.logged("answered")
	p.hold()
	carrier.logged("held")
	p.resume()
	carrier.logged("resumed")
	p.digit('5')
	carrier.logged("changed")
	elapse(time.Second) // whole seconds are charged
	p.hangup()
	return p
}

// logged waits until the scenario has said so.
func (r *running) logged(what string) {
	r.t.Helper()
	eventually(r.t, 20*time.Second, "the carrier says "+what, func() bool {
		select {
		case err := <-r.ended:
			messages, _ := os.ReadFile(filepath.Join(r.dir, "messages"))
			r.t.Fatalf("SIPp ended before it said %s: %v\n%s", what, err, messages)
		default:
		}
		log, _ := os.ReadFile(filepath.Join(r.dir, "log"))
		return strings.Contains(string(log), what)
	})
}

// launch starts a client.
func launch(t *testing.T, client string, w way, line, password string) softphone {
	t.Helper()
	if client == "baresip" {
		return launchBaresip(t, w, line, password)
	}
	return launchLinphone(t, w, line, password)
}

// printed is what a program has printed so far.
type printed struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *printed) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// says waits until the program has printed something so often.
func (p *printed) says(t *testing.T, what string, times int) {
	t.Helper()
	eventually(t, 20*time.Second, fmt.Sprintf("the client says %q, %d times", what, times), func() bool {
		return strings.Count(p.said(), what) >= times
	})
}

// run starts a client's program that ends with the test; what it printed is shown when the test fails.
func (p *printed) run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stdout, cmd.Stderr = p, p
	must(t, process.Launch(cmd))
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", cmd.Path, p.said())
		}
	})
}

// silence is a file of sound, 8,000 samples of 16 bits a second, without any.
func silence(long time.Duration) []byte {
	size := uint32(long.Seconds() * 16000)
	wav := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, 36+size)...)
	wav = append(wav, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"...) // PCM, one channel
	wav = append(wav, "\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data"...)
	return append(binary.LittleEndian.AppendUint32(wav, size), make([]byte, size)...)
}

// softBaresip is told what to do over its console, a UDP socket.
type softBaresip struct {
	*printed
	t       *testing.T
	console net.Conn
	dir     string
}

func launchBaresip(t *testing.T, w way, line, password string) *softBaresip {
	t.Helper()
	dir, console := t.TempDir(), freePort(t)
	host := w.server.Addr().String()
	if w.server.Addr().Is6() {
		host = "[" + host + "]"
	}
	sound := filepath.Join(dir, "sound.wav")
	must(t, os.WriteFile(sound, silence(time.Minute), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "config"), []byte(fmt.Sprintf(`sip_listen %s:0
net_interface %s
audio_player aubridge,loop
audio_source aufile,%s
audio_alert aubridge,alert
rtp_ports 61000-65000
module_path %s
module g711.so
module aubridge.so
module aufile.so
module sndfile.so
snd_path %s
module cons.so
cons_listen %s
module_app account.so
module_app menu.so
`, host, w.server.Addr(), sound, baresipModules(), dir, console)), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "accounts"), []byte(fmt.Sprintf(
		"<sip:%s@%s;transport=%s>;auth_user=%s;auth_pass=%s;regint=60;audio_codecs=PCMA,PCMU;answermode=auto\n",
		line, w.server, w.transport, line, password)), 0o600))
	b := &softBaresip{printed: &printed{}, t: t, dir: dir}
	cmd := exec.Command("baresip", "-f", dir, "-s", "-v")
	cmd.Dir = dir
	b.run(t, cmd)
	var err error
	b.console, err = net.Dial("udp", console.String())
	must(t, err)
	t.Cleanup(func() { b.console.Close() })
	return b
}

func (b *softBaresip) tell(command string) {
	b.t.Helper()
	_, err := b.console.Write([]byte(command))
	must(b.t, err)
}

func (b *softBaresip) dial(number string) {
	b.tell("/dial " + number + "\n")
	b.says(b.t, "Call established", 1)
}

func (b *softBaresip) hold()   { b.tell("x") }
func (b *softBaresip) resume() { b.tell("X") }
func (b *softBaresip) hangup() { b.tell("b") }

// digit presses a key and lets it go.
func (b *softBaresip) digit(one byte) {
	says := "send DTMF digit: '" + string(one) + "'"
	before := strings.Count(b.said(), says)
	b.tell(string(one))
	b.says(b.t, says, before+1)
	elapse(200 * time.Millisecond)
	b.tell("\x04")
}

// softLinphone is told what to do over its standard input.
type softLinphone struct {
	*printed
	t      *testing.T
	in     io.Writer
	server netip.AddrPort
}

func launchLinphone(t *testing.T, w way, line, password string) *softLinphone {
	t.Helper()
	dir, own := t.TempDir(), freePort(t)
	must(t, os.MkdirAll(filepath.Join(dir, ".local", "share", "linphone"), 0o700)) // it makes no folders for its databases
	ipv6, udp, tcp := 0, -1, -1
	if w.server.Addr().Is6() {
		ipv6 = 1
	}
	if w.transport == "udp" {
		udp = int(own.Port())
	} else {
		tcp = int(own.Port())
	}
	must(t, os.WriteFile(filepath.Join(dir, "config"), []byte(fmt.Sprintf(`[sip]
sip_port=%d
sip_tcp_port=%d
sip_tls_port=-1
use_ipv6=%d
use_info=1
use_rfc2833=0
`, udp, tcp, ipv6)), 0o600))
	l := &softLinphone{printed: &printed{}, t: t, server: w.server}
	cmd := exec.Command("linphone-daemon", "--config", filepath.Join(dir, "config"), "--auto-answer", "--disable-stats-events", "--log", filepath.Join(dir, "log"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir)
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("linphone's log:\n%s", log)
		}
	})
	in, err := cmd.StdinPipe()
	must(t, err)
	l.in = in
	l.run(t, cmd)
	l.tell(fmt.Sprintf("register sip:%s@%s sip:%s;transport=%s %s %s", line, w.server, w.server, w.transport, password, line))
	return l
}

func (l *softLinphone) tell(command string) {
	l.t.Helper()
	_, err := fmt.Fprintln(l.in, command)
	must(l.t, err)
}

func (l *softLinphone) dial(number string) {
	l.tell(fmt.Sprintf("call sip:%s@%s", number, l.server))
	l.says(l.t, "LinphoneCallStreamsRunning", 1)
}

func (l *softLinphone) hold() {
	l.tell("call-pause")
	l.says(l.t, "LinphoneCallPaused\n", 1)
}

func (l *softLinphone) resume() {
	l.tell("call-resume 1")
	l.says(l.t, "LinphoneCallStreamsRunning", 2)
}

func (l *softLinphone) digit(one byte) { l.tell("dtmf " + string(one)) }
func (l *softLinphone) hangup()        { l.tell("terminate") }
