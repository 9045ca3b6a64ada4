//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// smallDisk is a folder that can be filled.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("needs a small disk, and this machine lets us mount none: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return dir
}

// cpu is the processor time that the program has used.
func (s *server) cpu() time.Duration {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	must(s.t, err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int
	for _, f := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(f)
		must(s.t, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// memory is what the program holds, in MB.
func (s *server) memory() int {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	must(s.t, err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[0] == "VmRSS:" {
			kb, err := strconv.Atoi(f[1])
			must(s.t, err)
			return kb >> 10
		}
	}
	s.t.Fatal("no VmRSS")
	return 0
}

// While the disk is full, guessers are still locked out and honest phones log in. Facts and notices wait in memory, without
// spinning and without a flood in the log. When there is room, everything is written, each notice is sent once, and all of it
// survives a restart.
func TestFullDiskLosesNothingOfTheStages(t *testing.T) {
	t.Parallel()
	dir, p := smallDisk(t), newPost(t)
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := startWith(t, setup{dir: dir, sections: p.config() + fmt.Sprintf("[notify]\nstorm = 100\ndesk = [%q]\n", desk)}, c.Addr())
	s.contact("anna", anna)
	password := s.line("2001")
	own := s.at("127.50.0.1", "2001", password, "Desk/1.0")
	registers(t, own)
	second := s.line("2002")
	other := s.at("127.50.0.2", "2002", second, "Desk/1.0")
	registers(t, other)
	s.line("2003")
	s.cli("line", "set", "2003", "honeypot=on")
	s.line("2004")
	s.cli("line", "lock", "2004", "--why", "before the disk was full")
	p.one(anna, "2004", 10*time.Second)

	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	eventually(t, 20*time.Second, "a paid call is refused", func() bool {
		up, a, err := own.Invite(t.Context(), "02079460000", phone.Dialling{})
		if err == nil && up != nil {
			_ = up.Hangup(t.Context())
			fill(t, ballast)
			return false
		}
		return a.Status == 503
	})
	eventually(t, 10*time.Second, "readiness says no", func() bool { return s.get("/readyz") == 503 })
	lines, memory := strings.Count(s.logText(), "\n"), s.memory()

	guesser := s.stranger("127.60.7.10")
	for n := range 5 {
		guesser.login("2002", fmt.Sprintf("guess-%d", n))
	}
	if status := guesser.login("2002", second); status != 403 {
		t.Errorf("the right password after five wrong ones got %d", status)
	}
	sprayer := s.banned("127.61.7.9")
	bait := s.stranger("127.62.7.9")
	bait.login("2003", "bait-taken")
	bait.wait = 200 * time.Millisecond
	shutOut := func(x *stranger) func() bool { return func() bool { return x.ask("OPTIONS", "x", "") == 0 } }
	eventually(t, 5*time.Second, "the address that took the bait is blocked", shutOut(bait))
	registers(t, own)
	registers(t, s.at("127.70.0.1", "2001", password, "Softphone/3.2")) // somebody new
	registers(t, other)
	must(t, call(t, own, "999").Hangup(t.Context()))
	contains(t, strings.Join(s.bans(), " "), "127.61.7.9", "127.62.7.9")
	contains(t, strings.Join(s.lockouts(), ", "), "line 127.60.7.10")
	if _, errs, err := s.tryCLI("ban", "add", "127.63.7.9", "--why", "by hand"); err == nil || !strings.Contains(errs, "in force, but not yet saved") {
		t.Errorf("a ban by hand: %v %s", err, errs)
	}

	used := s.cpu()
	elapse(10 * time.Second)
	if used = s.cpu() - used; used > 4*time.Second {
		t.Errorf("%v of processor time in ten quiet seconds", used)
	}
	for n := range 300 { // strangers that knock all the while
		x := s.stranger(fmt.Sprintf("127.%d.%d.1", 64+n/256, n%256))
		x.wait = 100 * time.Millisecond
		for try := range 3 {
			x.login("9999", fmt.Sprintf("guess-%d-%d", n, try))
		}
		if n%30 == 0 {
			registers(t, own)
			registers(t, other)
		}
	}
	if more := strings.Count(s.logText(), "\n") - lines; more > 100 {
		t.Errorf("%d more lines in the log", more)
	}
	if more := s.memory() - memory; more > 64 {
		t.Errorf("%d MB more of memory", more)
	}
	if n := s.metric("ledger_lost_total") + s.metric("ledger_facts_dropped_total"); n != 0 {
		t.Errorf("%v rows of the journal were dropped", n)
	}
	if s.get("/readyz") != 503 {
		t.Error("it is ready, so the disk was not full all the time: this proves nothing")
	}

	must(t, os.Remove(ballast))
	eventually(t, 20*time.Second, "readiness says yes", func() bool { return s.get("/readyz") == 200 })
	p.one(anna, "2001", 40*time.Second)
	p.one(anna, "2002", 40*time.Second)
	p.one(desk, "2003", 40*time.Second)
	eventually(t, 20*time.Second, "what was seen is on record", func() bool {
		found := s.findings()
		return slices.Contains(found, "guessing") && slices.Contains(found, "honeypot") && slices.Contains(found, "spray")
	})
	whole := func() {
		t.Helper()
		contains(t, s.cli("ban", "list"), "127.61.7.9", "127.62.7.9", "127.63.7.9", "by hand")
		contains(t, s.cli("finding", "list"), "guessing", "honeypot", "spray")
		contains(t, s.cli("notice", "list"), "new-device", "guessing", "honeypot", "line-locked", "sent")
		contains(t, s.cli("line", "devices", "2001"), "127.50.0.1", "127.70.0.1", "Softphone/3.2")
		contains(t, s.cli("line", "devices", "2002"), "127.50.0.2")
	}
	whole()
	contains(t, strings.Join(s.lockouts(), ", "), "line 127.60.7.10")
	eventually(t, 20*time.Second, "paid calls go again", func() bool {
		up, _, err := own.Invite(t.Context(), "02079460000", phone.Dialling{})
		return err == nil && up != nil && up.Hangup(t.Context()) == nil
	})
	s.signal(syscall.SIGTERM)
	s.run()
	whole()
	if !shutOut(sprayer)() || !shutOut(bait)() {
		t.Error("a ban of then does not hold after a restart")
	}
	registers(t, own)
	elapse(12 * time.Second) // courtesy mails wait for ten
	once(t, p)
	for line, want := range map[string]int{"2001": 1, "2002": 2, "2004": 1} { // 2002: the guessing, and the right password that was held
		if n := len(p.all(anna, line)); n != want {
			t.Errorf("%d letters about %s", n, line)
		}
	}
}
