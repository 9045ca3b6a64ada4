//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// A phone with a former password keeps trying, from its owner's office: nobody is locked out or banned, the
// phone beside it with the new password works throughout, and the owner is notified of the forgotten one.
func TestStalePhone(t *testing.T) {
	t.Parallel()
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	stale := s.at("127.40.0.1", "2001", s.line("2001"), "OldPhone/1.0")
	registers(t, stale)
	var changed struct{ Password string }
	decode(t, s.cli("line", "password", "2001", "--json"), &changed)
	fresh := s.at("127.40.0.1", "2001", changed.Password, "NewPhone/2.0")
	registers(t, fresh)
	for try := range 30 { // more than any limit but those of hours; 200 ms apart, where the real one waits a second
		if a, err := stale.Register(t.Context(), 60); err != nil || a.Status != 403 {
			t.Fatalf("try %d with the old password: %v %v", try, a, err)
		}
		if try%5 == 4 {
			registers(t, fresh)
		}
		if try%15 == 14 {
			must(t, call(t, fresh, "02079460000").Hangup(t.Context()))
		}
		elapse(200 * time.Millisecond)
	}
	eventually(t, 5*time.Second, "the forgotten phone is found", func() bool { return strings.Contains(strings.Join(s.findings(), " "), "stale-phone") })
	s.nobodyShutOut()
	stales := s.facts("login.stale")
	if len(stales) != 1 {
		t.Fatalf("told of it %d times", len(stales))
	}
	contains(t, string(stales[0].Body), "127.40.0.1", "OldPhone/1.0", `"former"`)
}

// A locked-out phone can still make emergency calls, with the right password only.
func TestEmergencyFromLockedOutAddress(t *testing.T) {
	t.Parallel()
	c, ended := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	password := s.line("2001")
	x := s.stranger("127.80.0.1")
	for n := range 5 {
		x.login("2001", fmt.Sprintf("guess-%d", n))
	}
	contains(t, strings.Join(s.lockouts(), ", "), "line 127.80.0.1")
	p := s.at("127.80.0.1", "2001", password, "desk/1")
	if up, a, err := p.Invite(t.Context(), "02079460000", phone.Dialling{}); err != nil || up != nil || a.Status != 403 {
		t.Errorf("a call while locked out: %v %v", a, err)
	}
	if a, err := p.Register(t.Context(), 60); err != nil || a.Status != 403 {
		t.Errorf("registered while locked out: %v %v", a, err)
	}
	must(t, call(t, p, "999").Hangup(t.Context()))
	if seen := next(t, ended); seen.Called != "999" || seen.Answered.IsZero() {
		t.Errorf("the carrier saw %+v", seen)
	}
	wrong := s.at("127.80.0.1", "2001", password+"x", "desk/1")
	if up, a, err := wrong.Invite(t.Context(), "999", phone.Dialling{}); err != nil || up != nil || a.Status != 403 {
		t.Errorf("999 with a wrong password: %v %v", a, err)
	}
}

// A phone may log in as user@domain, as mobile networks do. A wrong password counts as one of that line, whatever the domain.
func TestLoginWithADomain(t *testing.T) {
	t.Parallel()
	s := start(t)
	password := s.line("2001")
	try := func(x *stranger, user, password string) int {
		header, c := x.challenge("REGISTER", "2001")
		return x.ask("REGISTER", "2001", credentials(t, header, c, "REGISTER", "2001", user, password))
	}
	own, x := s.stranger("127.41.0.1"), s.stranger("127.42.0.2")
	for _, user := range []string{"2001@sip.example.org", "2001@127.0.0.1:5060", "2001"} {
		if status := try(own, user, password); status != 200 {
			t.Errorf("%s: %q", user, own.raw)
		}
	}
	for n := range 5 {
		if status := try(x, fmt.Sprintf("2001@%d.example.org", n%3), fmt.Sprintf("guess-%d", n)); status != 403 {
			t.Errorf("guess %d: %q", n, x.raw)
		}
	}
	contains(t, strings.Join(s.lockouts(), ", "), "line 127.42.0.2")
	eventually(t, 5*time.Second, "the journal says which line", func() bool {
		f := s.facts("login.locked")
		return len(f) == 1 && strings.HasPrefix(f[0].Line, "2001")
	})
	if status := try(own, "2001@sip.example.org", password); status != 200 {
		t.Errorf("the owner is shut out: %q", own.raw)
	}
}

var (
	toHeader  = regexp.MustCompile(`(?m)^To: (.*)\r$`)
	remoteURI = regexp.MustCompile(`(?m)^Contact: <([^>]*)>`)
	callID    = regexp.MustCompile(`(?m)^Call-ID: (.*)\r$`)
	fromValue = regexp.MustCompile(`(?m)^From: (.*)\r$`)
)

// inside is a request of a dialog that x set up with its last INVITE, sent from any address.
func inside(x, by *stranger, answer, method string, cseq int) string {
	x.t.Helper()
	part := func(re *regexp.Regexp) string {
		m := re.FindStringSubmatch(answer)
		if m == nil {
			x.t.Fatalf("no %v in %q", re, answer)
		}
		return m[1]
	}
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n",
		method, part(remoteURI), by.c.LocalAddr(), method, time.Now().UnixNano(), part(fromValue), part(toHeader), part(callID), cseq, method)
}

// The IP lock holds for registrations, calls and what would change a call, whatever the password; phones that registered before
// it was set and are outside of it do not ring. Only the end of a call is taken from anywhere, and journalled with its address.
func TestIPLock(t *testing.T) {
	t.Parallel()
	c, ended := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	password := s.line("2001", "--number", "+442079460101")
	outside, within := s.at("127.0.3.88", "2001", password, "desk/1"), s.at("127.0.1.5", "2001", password, "desk/2")
	registers(t, outside)
	if _, errs, err := s.tryCLI("line", "set", "2001", "nets=127.0.1.0/24, 127.0.0.300"); err == nil || !strings.Contains(errs, "127.0.0.300") {
		t.Errorf("a bad entry is not named: %v %s", err, errs)
	}
	s.cli("line", "set", "2001", "nets=127.0.0.77, 127.0.1.0/24; ::1  ::ffff:127.0.2.2 2001:db8::/32")

	caller := s.at("127.0.5.5", "2002", s.line("2002", "--number", "+442079460102"), "desk/1")
	if up, a, err := caller.Invite(t.Context(), "02079460101", phone.Dialling{}); err != nil || up != nil {
		t.Errorf("a phone outside of the lock rang: %v %v", a, err)
	}
	if a, err := outside.Register(t.Context(), 60); err != nil || a.Status != 403 {
		t.Errorf("registered from elsewhere: %v %v", a, err)
	}
	if up, a, err := outside.Invite(t.Context(), "02079460000", phone.Dialling{}); err != nil || up != nil || a.Status != 403 {
		t.Errorf("called from elsewhere: %v %v", a, err)
	}
	registers(t, within)
	registers(t, s.at("127.0.2.2", "2001", password, "desk/3")) // the mapped address
	go func() {
		for in := range within.Inbox() {
			_ = in.Accept(t.Context())
		}
	}()
	must(t, call(t, caller, "02079460101").Hangup(t.Context()))

	x, thief := s.stranger("127.0.0.77"), s.stranger("127.0.6.6")
	x.body = "v=0\r\no=- 1 1 IN IP4 127.0.0.77\r\ns=-\r\nc=IN IP4 127.0.0.77\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8\r\n"
	x.dial = "02079460000"
	if status := x.loginBy("INVITE", "2001", password); status != 200 {
		t.Fatalf("no call: %q", x.raw)
	}
	answer := x.raw
	x.send(inside(x, x, answer, "ACK", 1))
	for n, method := range []string{"INVITE", "UPDATE", "INFO"} {
		thief.send(inside(x, thief, answer, method, 2+n))
		if status := thief.hear(""); status != 403 || !strings.Contains(thief.raw, "address-not-allowed") {
			t.Errorf("%s from elsewhere: %q", method, thief.raw)
		}
	}
	thief.send(strings.Replace(inside(x, thief, answer, "BYE", 5), ";tag=", ";tag=x", 1))
	if status := thief.hear(""); status != 481 {
		t.Errorf("a BYE from elsewhere with a wrong tag: %q", thief.raw)
	}
	if n := s.openCalls("2001"); n != 1 {
		t.Errorf("%d calls after requests from elsewhere", n)
	}
	thief.send(inside(x, thief, answer, "BYE", 5))
	if status := thief.hear(""); status != 200 {
		t.Errorf("a BYE from elsewhere with both tags: %q", thief.raw)
	}
	next(t, ended)
	ends := s.facts("call.ended-elsewhere")
	if len(ends) != 1 {
		t.Fatalf("the journal has %d ends from elsewhere", len(ends))
	}
	contains(t, string(ends[0].Body), thief.c.LocalAddr().String(), `"ended_by": "caller"`)
}

// A wrong file of addresses, or list of bans, is named, and what was known before stays. (Addresses of this
// machine have no country, so that here only the log can say so; state/geo tests the rest.)
func TestWrongFilesAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	geo, feed := filepath.Join(dir, "geo.csv"), filepath.Join(dir, "bad-hosts.txt")
	write := func(path, text string) { must(t, os.WriteFile(path, []byte(text), 0o600)) }
	write(geo, "127.90.0.0,127.90.255.255,DE\n127.91.0.0,127.91.255.255,FR\n")
	write(feed, "# found elsewhere\n127.93.0.7\n")
	s := startWith(t, setup{sections: fmt.Sprintf("[geo]\nfiles = [%q]\n[shield]\nkernel = \"off\"\nfeeds = [\"elsewhere=%s\"]\n", geo, feed)})
	password := s.line("2001")
	shut := s.stranger("127.93.0.7")
	shut.wait = 200 * time.Millisecond
	eventually(t, 5*time.Second, "the feed holds", func() bool { return shut.ask("OPTIONS", "x", "") == 0 })

	write(geo, "this is no list of addresses\n")
	must(t, s.cmd.Process.Signal(syscall.SIGHUP))
	eventually(t, 5*time.Second, "the wrong file is named", func() bool {
		return strings.Contains(s.logText(), "what was known before stays") && strings.Contains(s.logText(), geo)
	})
	registers(t, s.at("127.90.0.1", "2001", password, "desk/1"))

	s.signal(syscall.SIGTERM)
	write(feed, "{ \"entries\": 7 ]")
	ctx := t.Context()
	broken := exec.CommandContext(ctx, program, "serve", "--config", s.config)
	if out, err := broken.CombinedOutput(); err == nil || !strings.Contains(string(out), geo) {
		t.Errorf("it started, or did not name the file: %v\n%s", err, out)
	}
	write(geo, "127.90.0.0,127.90.255.255,DE\n")
	s.run()
	eventually(t, 5*time.Second, "the wrong feed is named", func() bool {
		return strings.Contains(s.logText(), "a list was not accepted") && strings.Contains(s.logText(), feed)
	})
	if status := shut.ask("OPTIONS", "x", ""); status != 0 {
		t.Errorf("the previous ban is gone: %d", status)
	}
	if status := s.stranger(netip.MustParseAddr("127.93.0.8").String()).ask("OPTIONS", "x", ""); status != 200 {
		t.Errorf("its neighbour: %d", status)
	}
}
