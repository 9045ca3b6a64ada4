package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// alone moves the test to a network namespace of its own, with its own thread, which dies with it.
func alone(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread is not fit for others
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("no network namespace of our own: %v", err)
	}
	for _, args := range []string{"link set lo up", "-6 addr add 2001:db8::1/128 dev lo", "-6 addr add 2001:db8::2/128 dev lo", "-6 addr add 2001:db8:1::3/128 dev lo"} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v: %s", args, err, out)
		}
	}
}

func open(t *testing.T, o Options) *Set {
	t.Helper()
	s, err := Open(o)
	if errors.Is(err, ErrPermission) || errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// phone is a socket that packets are sent to.
type phone struct {
	t    *testing.T
	conn *net.UDPConn
}

func listen(t *testing.T, addr string) *phone {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &phone{t, c}
}

func (p *phone) port() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// hears says whether a packet from an address arrives. Loopback delivers before the sender's call returns, so one that has
// not come when the one after it has is lost.
func (p *phone) hears(from string) bool {
	p.t.Helper()
	to := netip.AddrPortFrom(p.port().Addr(), p.port().Port())
	if to.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), to.Port())
		if strings.Contains(from, ":") {
			to = netip.AddrPortFrom(netip.MustParseAddr("::1"), to.Port())
		}
	}
	d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))}
	c, err := d.Dial("udp", to.String())
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	text := fmt.Sprintf("%s at %d", from, time.Now().UnixNano())
	if _, err := c.Write([]byte(text)); err != nil && !errors.Is(err, unix.EPERM) {
		p.t.Fatal(err)
	}
	if err := p.conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		p.t.Fatal(err)
	}
	buf := make([]byte, 1500)
	for {
		n, err := p.conn.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
		if err != nil {
			p.t.Fatal(err)
		}
		if string(buf[:n]) == text {
			return true
		}
	}
}

// eventually waits for the kernel to take a change, which is gathered for a tenth of a second.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(5 * time.Second)
	for !ok() {
		if time.Now().After(end) {
			t.Fatal("not within 5 s: " + what)
		}
	}
}

func nft(t *testing.T, args string) string {
	t.Helper()
	out, err := exec.Command("nft", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		t.Fatalf("nft %s: %v: %s", args, err, out)
	}
	return string(out)
}

func TestPacketsOfTheBannedAreDropped(t *testing.T) {
	alone(t)
	ours, other := listen(t, "0.0.0.0:0"), listen(t, "127.0.0.1:0")
	ours6 := listen(t, "[::1]:0")
	s := open(t, Options{Ports: []netip.AddrPort{ours.port(), ours6.port()}, Table: "ringfence-test"})
	for _, from := range []string{"127.0.0.2", "127.0.0.3"} {
		if !ours.hears(from) || !other.hears(from) {
			t.Fatal("nothing is banned yet")
		}
	}
	s.Add(netip.MustParsePrefix("127.0.0.2/32"), time.Hour)
	s.Add(netip.MustParsePrefix("127.0.5.0/24"), time.Hour)
	s.Add(netip.MustParsePrefix("127.0.5.7/32"), time.Hour) // one in the other
	s.Add(netip.MustParsePrefix("2001:db8::2/128"), time.Hour)
	s.Add(netip.MustParsePrefix("2001:db8:1::/48"), time.Hour)
	s.Add(netip.MustParsePrefix("::ffff:127.0.0.9/128"), time.Hour)
	eventually(t, "five networks", func() bool { return s.Stats().Networks == 6 })
	for from, want := range map[string]bool{"127.0.0.2": false, "127.0.0.3": true, "127.0.5.1": false, "127.0.5.7": false, "127.0.6.1": true, "127.0.0.9": false} {
		if got := ours.hears(from); got != want {
			t.Errorf("our socket hears %s: %v", from, got)
		}
		if !other.hears(from) {
			t.Errorf("a socket that is not ours does not hear %s", from)
		}
	}
	for from, want := range map[string]bool{"::1": true, "2001:db8::1": true, "2001:db8::2": false, "2001:db8:1::3": false} {
		if got := ours6.hears(from); got != want {
			t.Errorf("our socket hears %s: %v", from, got)
		}
	}
	if st := s.Stats(); st.Packets != 6 || st.Failing {
		t.Errorf("%+v", st)
	}

	// The address goes and the network stays, and the other way round.
	s.Remove(netip.MustParsePrefix("127.0.5.7/32"))
	s.Remove(netip.MustParsePrefix("127.0.0.2/32"))
	eventually(t, "127.0.0.2 is heard again", func() bool { return ours.hears("127.0.0.2") })
	if ours.hears("127.0.5.7") {
		t.Error("its network is banned still")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !ours.hears("127.0.5.7") || nft(t, "list ruleset") != "" {
		t.Errorf("left behind: %s", nft(t, "list ruleset"))
	}
}

func TestTimeouts(t *testing.T) {
	alone(t)
	p := listen(t, "127.0.0.1:0")
	s := open(t, Options{Ports: []netip.AddrPort{p.port()}})
	short, long := netip.MustParsePrefix("127.0.0.2/32"), netip.MustParsePrefix("127.0.0.3/32")
	s.Add(short, 700*time.Millisecond)
	s.Add(long, 700*time.Millisecond)
	eventually(t, "two networks", func() bool { return s.Stats().Networks == 2 })
	s.Add(long, time.Hour)
	s.Add(long, time.Second) // shortens nothing
	if p.hears("127.0.0.2") {
		t.Error("not dropped")
	}
	eventually(t, "127.0.0.2's time is over", func() bool { return p.hears("127.0.0.2") })
	eventually(t, "and a second", func() bool { return strings.Contains(nft(t, "list ruleset"), "127.0.0.3 timeout 59m") })
	if p.hears("127.0.0.3") {
		t.Error("127.0.0.3 was prolonged")
	}
	s.forget(time.Now())
	s.Add(short, time.Hour) // one that ended is put again
	eventually(t, "127.0.0.2 is dropped again", func() bool { return !p.hears("127.0.0.2") })
}

// A table that a crash left is replaced; one that is deleted meanwhile is rebuilt.
func TestTableOfTheDead(t *testing.T) {
	alone(t)
	p := listen(t, "127.0.0.1:0")
	dead := open(t, Options{Ports: []netip.AddrPort{p.port()}, Table: "ringfence 5060"})
	dead.Add(netip.MustParsePrefix("127.0.0.2/32"), time.Hour)
	eventually(t, "it drops", func() bool { return !p.hears("127.0.0.2") })
	if got := nft(t, "list tables"); got != "table inet ringfence_5060\n" {
		t.Error(got)
	}
	s := open(t, Options{Ports: []netip.AddrPort{p.port()}, Table: "ringfence 5060"})
	if !p.hears("127.0.0.2") {
		t.Error("the dead still drop")
	}
	s.Add(netip.MustParsePrefix("127.0.0.3/32"), time.Hour)
	s.Add(netip.MustParsePrefix("127.0.4.0/24"), time.Hour)
	eventually(t, "it drops", func() bool { return !p.hears("127.0.0.3") })
	p.hears("127.0.0.3")
	nft(t, "flush ruleset")
	if !p.hears("127.0.0.3") {
		t.Fatal("flush is flush")
	}
	s.Add(netip.MustParsePrefix("127.0.0.4/32"), time.Hour)
	eventually(t, "all is there again", func() bool {
		return !p.hears("127.0.0.4") && !p.hears("127.0.0.3") && !p.hears("127.0.4.4")
	})
}

func TestManyAtOnceAndNoMore(t *testing.T) {
	alone(t)
	p := listen(t, "127.0.0.1:0")
	s := open(t, Options{Ports: []netip.AddrPort{p.port()}, Max: 10_000})
	begun := time.Now()
	for i := range 20_000 {
		s.Add(netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 9, byte(i >> 8), byte(i)}), 32), time.Hour)
	}
	eventually(t, "10,000 networks", func() bool { return s.Stats().Networks == 10_000 })
	t.Logf("10,000 in %v, a tenth of a second of which they were gathered", time.Since(begun))
	if st := s.Stats(); st.Networks != 10_000 || st.Failing || p.hears("127.9.0.1") || !p.hears("127.9.200.1") {
		t.Errorf("%+v", st)
	}
	for i := range 10_000 {
		s.Remove(netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 9, byte(i >> 8), byte(i)}), 32))
	}
	eventually(t, "none", func() bool { return p.hears("127.9.0.1") && !strings.Contains(nft(t, "list ruleset"), "127.9.") })
}

func TestWithoutPermission(t *testing.T) {
	if os.Getuid() != 0 {
		if _, err := Open(Options{Table: "ringfence-test"}); !errors.Is(err, ErrPermission) && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%v", err)
		}
		return
	}
	alone(t)
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&hdr, &none[0]); err != nil { // of this thread, which dies with the test
		t.Skip(err)
	}
	_, err := Open(Options{Table: "ringfence-test"})
	if !errors.Is(err, ErrPermission) {
		t.Errorf("%v", err)
	}
}

// Guards: our own systemd unit keeps netlink from the program; the log must send nobody to look for a kernel module.
func TestASocketThatSystemdForbids(t *testing.T) {
	err := inWords(fmt.Errorf("netlink: %w", unix.EAFNOSUPPORT))
	if !errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), "RestrictAddressFamilies") {
		t.Error(err)
	}
}
