//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Who is locked out stays so when the program is started again, or dies: the right password from there is refused, the next
// lock-out is longer, the owner elsewhere gets in, and a release by hand is not undone.
func TestRestartKeepsLockouts(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		sig  os.Signal
		wait time.Duration // for what is on the disk before a crash
	}{"stopped": {syscall.SIGTERM, 0}, "killed": {syscall.SIGKILL, 3 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startWith(t, setup{sections: "[login]\nfirst = \"8s\"\n"})
			password := s.line("2001")
			other := s.line("2002")
			owner := s.at("127.30.0.1", "2001", password, "desk/1")
			registers(t, owner)
			guess := func(from, line string, n int) {
				x := s.stranger(from)
				for i := range n {
					if status := x.login(line, fmt.Sprintf("guess-%d", i)); status != 403 {
						t.Fatalf("guess %d of %s from %s: %d", i, line, from, status)
					}
				}
			}
			refused := func(from, line, password string) {
				t.Helper()
				if status := s.stranger(from).login(line, password); status != 403 {
					t.Errorf("the right password of %s from %s: %d", line, from, status)
				}
			}
			again := func() {
				t.Helper()
				elapse(end.wait)
				s.signal(end.sig)
				s.run()
			}
			guess("127.31.0.1", "2001", 5)
			guess("127.32.0.1", "2002", 5)
			s.cli("lockout", "release", "127.32.0.1")
			again()
			refused("127.31.0.1", "2001", password)
			contains(t, strings.Join(s.lockouts(), ", "), "line 127.31.0.1")
			registers(t, owner)
			registers(t, s.at("127.32.0.1", "2002", other, "desk/2"))

			eventually(t, 15*time.Second, "the lock-out ends", func() bool { return len(s.lockouts()) == 0 })
			again()
			guess("127.31.0.2", "2001", 5)
			guess("127.31.0.1", "2001", 5)
			var list []struct {
				Source string
				Level  int
			}
			decode(t, s.cli("lockout", "list", "--json"), &list)
			levels := map[string]int{}
			for _, l := range list {
				levels[l.Source] = l.Level
			}
			if levels["127.31.0.1"] != 2 || levels["127.31.0.2"] != 1 {
				t.Errorf("levels after restarts: %v", list)
			}
		})
	}
}
