package main

import (
	"crypto/md5"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/edge/rest/api"
	"ringfence/edge/sip/message"
)

func TestOwnCPUAndMemory(t *testing.T) {
	m, before := measureMachine(), cpuSeconds(os.Getpid())
	for begun := time.Now(); time.Since(begun) < 100*time.Millisecond; {
	}
	if used := cpuSeconds(os.Getpid()) - before; used < 0.04 || used > 10 {
		t.Errorf("100 ms of work took %.2f CPU seconds", used)
	}
	if now := measureMachine(); now.own-m.own < 0.04 || now.own > now.all {
		t.Errorf("%+v then %+v", m, now)
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

// RFC 2617 section 3.5 has the figures, but for GET and other names: here the parts are put together by hand.
func TestGuesserAnswersChallenges(t *testing.T) {
	c, ok := readChallenge("SIP/2.0 401 Unauthorized\r\nCSeq: 1 REGISTER\r\nWWW-Authenticate: Digest realm=\"here\", algorithm=MD5,nonce=\"abc+/=\", qop=\"auth\"\r\n\r\n")
	if !ok || c != (challenge{"here", "abc+/="}) {
		t.Fatalf("%+v %v", c, ok)
	}
	hash := func(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }
	want := hash(hash("2001:here:1234") + ":abc+/=:00000001:6c7a1f02:auth:" + hash("REGISTER:sip:bench.test"))
	if got := c.response("2001", "1234"); got != want {
		t.Errorf("response %s, want %s", got, want)
	}
	for _, bad := range []string{"", "SIP/2.0 403 Forbidden\r\n\r\n", "WWW-Authenticate: Digest realm=\"x\"", "WWW-Authenticate: Digest realm=\"x\", nonce=\"y"} {
		if c, ok := readChallenge(bad); ok {
			t.Errorf("%q: %+v", bad, c)
		}
	}
}

// What is forged is whole SIP, of the shares that are promised, from addresses that the sender does not have, and its
// answers are counted.
func TestForgedGuessing(t *testing.T) {
	server, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	victim := netip.MustParseAddr("127.10.0.10")
	f := &forger{
		to: server.LocalAddr().(*net.UDPAddr).AddrPort(), rate: 1600, limit: 400 * time.Millisecond, // a reader that waits for a processor has room in its socket meanwhile
		forged: forgedAddresses(500), victims: []netip.Addr{victim}, users: []string{"100000", "100001"},
	}
	f.given.Store(&challenge{"here", "0123456789-this-is-a-nonce-0123456789"})
	shares, sources, ids := map[string]int{}, map[netip.Addr]int{}, map[string]bool{}
	var reader sync.WaitGroup
	reader.Go(func() {
		for buf := make([]byte, 2048); ; {
			n, from, err := server.ReadFromUDPAddrPort(buf)
			if err != nil || string(buf[:n]) == "end" {
				return
			}
			_, _ = server.WriteToUDPAddrPort([]byte("SIP/2.0 401 Unauthorized\r\n\r\n"), from)
			var m message.Message
			if fault := message.Parse(&m, buf[:n]); fault != nil {
				t.Errorf("%v: %q", fault, buf[:n])
			}
			ids[string(m.CallID())] = true
			sources[from.Addr()]++
			switch text := string(buf[:n]); {
			case strings.Contains(text, `nonce="0123456789-this-is-a-nonce-0123456789"`):
				shares["replayed"]++
			case strings.Contains(text, `nonce="0123456789-this-is-a-`) && strings.Contains(text, `realm="here"`):
				shares["made"]++
			default:
				shares["bare"]++
			}
		}
	})
	if err := f.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := server.WriteToUDPAddrPort([]byte("end"), f.to); err != nil { // behind what is still to be read
		t.Fatal(err)
	}
	reader.Wait()
	sent := int(f.sent.Load())
	if len(ids) != sent || sources[victim] != sent/32 || sources[netip.MustParseAddr("127.0.0.1")] > 0 || len(sources) < 200 {
		t.Errorf("%d sent, %d different; %d from the victim, from %d sources", sent, len(ids), sources[victim], len(sources))
	}
	if shares["bare"]*32 < 13*sent || shares["made"]*32 < 12*sent || shares["replayed"]*32 < 6*sent {
		t.Errorf("%v of %d", shares, sent)
	}
	if n, codes := f.counted(); n == 0 || n > int64(sent) || codes != fmt.Sprintf("401: %d", n) {
		t.Errorf("counted %d (%s) of %d", n, codes, sent)
	}
	f.to = netip.MustParseAddrPort("192.0.2.1:5060")
	if f.run(t.Context()) == nil {
		t.Error("flooded another machine")
	}
}

func TestWhoIsHurt(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		want       bool
	}{
		{"login.locked", `{"source":"127.10.0.10","scope":"line"}`, true},
		{"login.locked", `{"source":"127.10.0.0/24","scope":"network"}`, true},
		{"ban.added", `{"net":"127.10.49.13/32"}`, true},
		{"ban.added", `{"net":"127.66.10.20/32"}`, false},
		{"login.failed", `{"source":"127.10.0.10"}`, false},
		{"login.locked", `{"source":"AS64496"}`, false},
		{"ban.added", `[]`, false},
	} {
		if _, got := hurts(&api.Fact{Kind: c.kind, Body: []byte(c.body)}); got != c.want {
			t.Errorf("%s %s: %v", c.kind, c.body, got)
		}
	}
}

// A socket that nobody reads fills up, and the kernel counts what it throws away.
func TestDropped(t *testing.T) {
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	at := c.LocalAddr().(*net.UDPAddr).AddrPort()
	out, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(at))
	if err != nil || c.SetReadBuffer(4096) != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for range 100 {
		if _, err := out.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if n := dropped(at.Port()); n < 50 || n > 100 {
		t.Errorf("%d of 100 dropped", n)
	}
	if proportional(os.Getpid()) < 1<<20 {
		t.Error("no memory")
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

// What a server used is over all its turns; how far single turns differ from Kamailio's is told beside.
func TestTurnsAreReportedTogether(t *testing.T) {
	b := &bench{report: newReport()}
	all := []tally{
		{cpu: []float64{0.04, 0.02}, p99: []float64{1, 3}, ok: 2000, used: 0.06, took: 10},
		{cpu: []float64{0.02, 0.03}, p99: []float64{2, 4}, ok: 2000, failed: 1, used: 0.05, took: 12},
	}
	b.reportTurns("Ringfence", "≤ 0.9×", 1, all, 0.25)
	want := [4]string{"Ringfence", "0.0250 CPU s (0.83×)", "≤ 0.9×", "2 turns, 12 s of load (each of them 0.50 to 1.50×); 1 failed, p99 4.0 ms; other programs kept 0.25 processors busy"}
	if b.report.rows[0] != want {
		t.Errorf("%q, want %q", b.report.rows[0], want)
	}
}
