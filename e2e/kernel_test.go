//go:build e2e && linux

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nft runs the kernel's own tool.
func nft(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("nft", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("nft %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// banned earns an address a ban with wrong logins for many names.
func (s *server) banned(from string) *stranger {
	s.t.Helper()
	x := s.stranger(from)
	x.wait = 300 * time.Millisecond
	for n := range 60 {
		if x.login(fmt.Sprintf("5%03d", n), "1234") == 0 {
			return x
		}
	}
	s.t.Fatalf("%s is not shut out after 60 wrong logins", from)
	return nil
}

// Where it may, the program has the kernel drop what a banned source sends: the table is there with the address in it, its
// counter moves while the program sees nothing, a stop takes the table away, and a crash leaves one that the next start replaces.
func TestKernelDrops(t *testing.T) {
	s := startWith(t, setup{top: "node = \"e2e\"", sections: "[shield]\nkernel = \"auto\"\n"})
	if strings.Contains(s.logText(), "not by the kernel") {
		t.Skip("this machine does not let us set up nftables")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip(err)
	}
	table := fmt.Sprintf("ringfence-e2e-%d", s.sip.Port())
	t.Cleanup(func() { _ = exec.Command("nft", "delete", "table", "inet", table).Run() }) // a failed test leaves it behind
	x := s.banned("127.77.0.9")
	listed := func() bool { return strings.Contains(nft(t, "list", "table", "inet", table), "127.77.0.9") }
	eventually(t, 5*time.Second, "the kernel has the address", listed)
	kernel, own := s.metric("kernel_packets_dropped_total"), s.metric("sip_packets_banned_total")
	for range 5 {
		if status := x.ask("OPTIONS", "x", ""); status != 0 {
			t.Fatalf("a banned source got %d", status)
		}
	}
	if n := s.metric("sip_packets_banned_total"); n != own {
		t.Errorf("%v packets of it reached the program", n-own)
	}
	eventually(t, 5*time.Second, "the kernel's counter moves", func() bool { return s.metric("kernel_packets_dropped_total") >= kernel+5 })
	if status := s.stranger("127.77.0.10").ask("OPTIONS", "x", ""); status != 200 {
		t.Errorf("its neighbour got %d", status)
	}

	eventually(t, 5*time.Second, "the ban is kept", func() bool { return len(s.facts("ban.added")) == 1 })
	s.signal(syscall.SIGKILL)
	s.run()
	if n := strings.Count(nft(t, "list", "tables"), table); n != 1 {
		t.Errorf("%d tables after a crash and a start", n)
	}
	eventually(t, 5*time.Second, "the ban is in force again", listed)
	s.signal(syscall.SIGTERM)
	if tables := nft(t, "list", "tables"); strings.Contains(tables, table) {
		t.Errorf("the table is still there after the stop:\n%s", tables)
	}
}
