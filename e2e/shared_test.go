//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ringfence/state/counters/valkey/valkeytest"
)

// ban bans an address by hand.
func (s *server) ban(net, why string) {
	s.t.Helper()
	s.cli("ban", "add", net, "--why", why)
}

// shareBook gives s the book of another server, with its key: nodes of one provider have one book.
func (s *server) shareBook(of *server) {
	s.t.Helper()
	of.signal(syscall.SIGTERM)
	s.signal(syscall.SIGTERM)
	for _, name := range []string{"ringfence.db", "ringfence.key"} {
		b, err := os.ReadFile(filepath.Join(of.dir, name))
		must(s.t, err)
		must(s.t, os.WriteFile(filepath.Join(s.dir, name), b, 0o600))
	}
	of.run()
	s.run()
}

// Two nodes on one Redis: a ban made on one and a lock-out earned on one hold on the other within two seconds. When Redis
// dies both go on by themselves, and come together again when it is back.
func TestTwoNodesShareBansAndLockouts(t *testing.T) {
	t.Parallel()
	r := valkeytest.Own(t)
	node := func(name string) *server {
		return startWith(t, setup{top: fmt.Sprintf("node = %q", name), sections: fmt.Sprintf("[counters]\nurl = %q\n", r.URL())})
	}
	one, two := node("one"), node("two")
	password := one.line("2001")
	two.shareBook(one)
	shutOut := func(s *server, from string) func() bool {
		x := s.stranger(from)
		x.wait = 100 * time.Millisecond
		return func() bool { return x.ask("OPTIONS", "x", "") == 0 }
	}
	guess := func(s *server, from string) {
		x := s.stranger(from)
		for n := range 5 {
			x.login("2001", fmt.Sprintf("guess-%d", n))
		}
	}
	refused := func(s *server, from string) func() bool {
		x := s.stranger(from)
		return func() bool { return x.login("2001", password) == 403 }
	}
	registers(t, two.at("127.20.0.1", "2001", password, "desk/1"))

	one.ban("127.21.0.1", "seen elsewhere")
	eventually(t, 2*time.Second, "a ban of the one holds at the other", shutOut(two, "127.21.0.1"))
	guess(one, "127.22.0.1")
	eventually(t, 2*time.Second, "a lock-out of the one holds at the other", refused(two, "127.22.0.1"))

	r.Stop()
	registers(t, two.at("127.20.0.1", "2001", password, "desk/1"))
	one.ban("127.23.0.1", "seen meanwhile")
	eventually(t, 2*time.Second, "a ban holds where it was made", shutOut(one, "127.23.0.1"))
	guess(two, "127.24.0.1")
	eventually(t, 2*time.Second, "so does a lock-out", refused(two, "127.24.0.1"))
	if shutOut(two, "127.23.0.1")() {
		t.Error("the other node knows of it without Redis: this proves nothing")
	}

	must(t, r.Start())
	eventually(t, 15*time.Second, "the ban made meanwhile holds at the other", shutOut(two, "127.23.0.1"))
	one.ban("127.25.0.1", "seen afterwards")
	eventually(t, 5*time.Second, "bans are shared again", shutOut(two, "127.25.0.1"))
	guess(one, "127.26.0.1")
	eventually(t, 5*time.Second, "and lock-outs", refused(two, "127.26.0.1"))
}
