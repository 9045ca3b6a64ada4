//go:build e2e

package e2e

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/e2e/process"
	"ringfence/edge/phone"
)

// proxy is a Kamailio that plays a carrier whose customers register.
type proxy struct {
	at       netip.AddrPort
	password string
	cmd      *exec.Cmd
	t        *testing.T
	network  netip.AddrPort // where its calls go
}

const proxyUser = "44207946"

// newProxy is at an address of its own: what comes from there is the carrier's.
func newProxy(t *testing.T, network netip.AddrPort) *proxy {
	t.Helper()
	if _, err := exec.LookPath("kamailio"); err != nil {
		without(t, "no Kamailio here: apt-get install kamailio")
	}
	p := &proxy{at: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.40"), freePort(t).Port()), password: "right-pass-91", t: t, network: network}
	p.start()
	t.Cleanup(p.stop)
	return p
}

func (p *proxy) start() {
	p.t.Helper()
	modules, err := filepath.Glob("/usr/lib/*/kamailio/modules")
	must(p.t, err)
	if len(modules) == 0 {
		p.t.Fatal("Kamailio's modules are not in /usr/lib/*/kamailio/modules")
	}
	text, err := os.ReadFile(filepath.Join("scenarios", "kamailio.cfg"))
	must(p.t, err)
	dir := p.t.TempDir()
	file := filepath.Join(dir, "kamailio.cfg")
	filled := strings.NewReplacer("@LISTEN@", p.at.String(), "@MODULES@", modules[0], "@PASSWORD@", p.password, "@USER@", proxyUser, "@NETWORK@", p.network.String(), "@EXPIRES@", "20").Replace(string(text))
	must(p.t, os.WriteFile(file, []byte(filled), 0o600))
	log, err := os.Create(filepath.Join(dir, "log"))
	must(p.t, err)
	defer log.Close()
	p.cmd = exec.Command("kamailio", "-f", file, "-DD", "-E", "-Y", dir, "-P", filepath.Join(dir, "pid"), "-m", "32", "-M", "8")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	must(p.t, process.Launch(p.cmd))
	p.t.Cleanup(func() {
		if said, err := os.ReadFile(log.Name()); err == nil && p.t.Failed() {
			p.t.Logf("Kamailio said:\n%s", said)
		}
	})
}

func (p *proxy) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
}

// A carrier that its customers register with: Ringfence registers, renews, calls out with its login, and takes calls in at the numbers in To. A wrong password is said plainly and
// does not hammer; a carrier that was away is registered with again by itself.
func TestATrunkThatRegisters(t *testing.T) {
	network, ended := carrier(t, phone.CarrierOptions{Quiet: true})
	k := newProxy(t, network.Addr())
	s := start(t)
	add := exec.Command(program, "trunk", "add", "kamailio", k.at.String(), "--user", proxyUser, "--registrar", k.at.String(), "--ask-password", "--socket", filepath.Join(s.dir, "ringfence.sock"))
	add.Stdin = strings.NewReader("wrong-pass-17\n")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	state := func() (is struct{ State, Fault string }) {
		var trunk struct {
			Registration struct{ State, Fault string }
		}
		decode(t, s.cli("trunk", "show", "kamailio", "--json"), &trunk)
		return trunk.Registration
	}
	eventually(t, 15*time.Second, "the password is refused", func() bool { return state().State == "refused" })
	contains(t, s.cli("status"), "not registered", "kamailio", "does not accept")
	password := s.line("2001", "--number", "+442079460100")
	desk := s.dial("2001", password)
	if _, a, err := desk.Invite(t.Context(), "02079460999", phone.Dialling{}); err != nil || a.Status < 400 {
		t.Errorf("a call over a carrier that refuses our login: %v, %v", a, err)
	}

	set := exec.Command(program, "trunk", "set", "kamailio", "--ask-password", "--socket", filepath.Join(s.dir, "ringfence.sock"))
	set.Stdin = strings.NewReader(k.password + "\n")
	if out, err := set.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, 15*time.Second, "it is registered", func() bool { return state().State == "registered" })

	// Out: the carrier asks for the login of the call, too.
	c := call(t, desk, "07700900123")
	elapse(1200 * time.Millisecond)
	must(t, c.Hangup(t.Context()))
	if seen := next(t, ended); seen.Answered.IsZero() || !seen.Ended.After(seen.Answered) {
		t.Errorf("the network saw %+v", seen)
	}
	if r := s.cdrs("2001", 2)[0]; r.Trunk != "kamailio" || r.Number != "+447700900123" || r.Retail <= 0 {
		t.Errorf("record %+v", r)
	}

	// In: the carrier calls the Contact that it has, and the number is in To.
	_, err := desk.Register(t.Context(), 60)
	must(t, err)
	go func() {
		for in := range desk.Inbox() {
			_ = in.Accept(t.Context()) // the test may be over
		}
	}()
	outside, err := phone.Dial(t.Context(), phone.Account{Server: k.at.String(), Line: "07700900999"})
	must(t, err)
	t.Cleanup(func() { outside.Close() })
	in := call(t, outside, "02079460100")
	elapse(300 * time.Millisecond)
	must(t, in.Hangup(t.Context()))
	eventually(t, 20*time.Second, "a record of the call in", func() bool {
		var list []struct{ Direction, Line, Peer string }
		decode(t, s.cli("cdr", "list", "--line", "2001", "--json"), &list)
		for _, r := range list {
			if r.Direction == "in" && r.Line == "2001" && r.Peer == "kamailio" {
				return true
			}
		}
		return false
	})

	// It comes back without what it knew: calls in reach us again once the registration is renewed.
	k.stop()
	k.start()
	eventually(t, 40*time.Second, "it is registered with again", func() bool {
		c, _, err := outside.Invite(t.Context(), "02079460100", phone.Dialling{})
		if err != nil || c == nil {
			return false
		}
		_ = c.Hangup(t.Context())
		return true
	})
}
