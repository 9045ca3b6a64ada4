package main

import (
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOwnCPUAndMemory(t *testing.T) {
	before := cpuSeconds(os.Getpid())
	for begun := time.Now(); time.Since(begun) < 100*time.Millisecond; {
	}
	if used := cpuSeconds(os.Getpid()) - before; used < 0.04 || used > 10 {
		t.Errorf("100 ms of work took %.2f CPU seconds", used)
	}
	if m := resident(os.Getpid()); m < 1<<20 || m > 4<<30 {
		t.Errorf("resident %d", m)
	}
}

// Columns as SIPp 3.6 writes them.
func TestReadSIPpStatistics(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"stat.csv":    "StartTime;SuccessfulCall(P);SuccessfulCall(C);FailedCall(P);FailedCall(C);\na;1;1;0;0;\nb;2;97;0;3;\n",
		"x_1_rtt.csv": "Date_ms;response_time_ms;rtd_no\n1;2.5;1\n2;40;1\n3;1.5;1\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var o outcome
	if err := o.read(dir); err != nil || o.ok != 97 || o.failed != 3 || o.p50 != 2.5 || o.p99 != 40 {
		t.Errorf("%v %+v", err, o)
	}
}

func TestFloodIsBoundedAndLoopbackOnly(t *testing.T) {
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := flooder{from: strangers(), to: c.LocalAddr().(*net.UDPAddr).AddrPort(), body: scan, rate: 5000, limit: 200 * time.Millisecond}
	sent, err := f.run(t.Context())
	if err != nil || sent < 32 || sent > 5000 {
		t.Errorf("sent %d: %v", sent, err)
	}
	buf := make([]byte, 2048)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "REGISTER sip:") || !strings.HasPrefix(from.String(), "127.77.") {
		t.Errorf("%v from %v: %q", err, from, buf[:n])
	}
	f.to = netip.MustParseAddrPort("192.0.2.1:5060")
	if sent, err := f.run(t.Context()); err == nil || sent != 0 {
		t.Errorf("flooded another machine: %d", sent)
	}
}

func TestReport(t *testing.T) {
	r := newReport()
	b := &bench{report: r}
	b.benchLine("./core/policy", "BenchmarkDecide-2   \t 1000000\t  812.0 ns/op\t  0 B/op\t 0 allocs/op\n")
	b.benchLine("./core/policy", "ok  ringfence/core/policy 1.2s\n")
	dir := t.TempDir()
	if err := r.write(io.Discard, dir); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.md"))
	text, _ := os.ReadFile(files[0])
	if want := "| core/policy Decide-2 | 812.0 ns/op, 0 B/op, 0 allocs/op |  | go test -bench |"; !strings.Contains(string(text), want) || len(r.rows) != 1 {
		t.Errorf("%s", text)
	}
}
