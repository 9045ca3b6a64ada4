package transport

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringfence/edge/sip/message"
)

const register = "REGISTER sip:sip.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport\r\nMax-Forwards: 70\r\n" +
	"From: <sip:alice@sip.example.com>;tag=456248\r\nTo: <sip:alice@sip.example.com>\r\nCall-ID: 843817637684230@998sdasdh09\r\nCSeq: 1826 REGISTER\r\n" +
	"Contact: <sip:alice@192.0.2.10>;expires=3600\r\nUser-Agent: Yealink SIP-T46S 66.86.0.15\r\nContent-Length: 0\r\n\r\n"

const challenge = "WWW-Authenticate: Digest realm=\"sip.example.com\", nonce=\"a2V5ZWQtaGFzaC1vZi10aW1lLWFuZC1zb3VyY2U\", algorithm=MD5, qop=\"auth\"\r\n"

// TestFlooder is not a test: the benchmarks run it in a process of its own, so that the CPU time of theirs is the server's.
func TestFlooder(t *testing.T) {
	to, err := netip.ParseAddrPort(os.Getenv("RINGFENCE_FLOOD"))
	if err != nil {
		t.Skip("run by the benchmarks")
	}
	io, _, err := listenUDP(loopback, 0, 1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var q queue
	for range batchSize {
		q.add(to, []byte(register))
	}
	parent := os.Getppid()
	rate, _ := strconv.Atoi(os.Getenv("RINGFENCE_RATE"))
	if rate > 0 { // one packet at a time, evenly
		q.items = q.items[:1]
	}
	begun := time.Now()
	for sent := 0; os.Getppid() == parent; {
		if rate == 0 || time.Since(begun) > time.Duration(sent)*time.Second/time.Duration(rate) {
			io.write(&q)
			sent++
		}
	}
}

// flood runs b.N packets of a flood through a transport and reports CPU time per packet.
func flood(b *testing.B, rate int, at **Transport, cfg Config) {
	done := make(chan struct{})
	n, left := 0, b.N
	handle := cfg.Handle
	count := func() {
		if n++; n == left {
			close(done)
		}
	}
	cfg.UDP = []netip.AddrPort{loopback}
	if handle == nil {
		cfg.Handle = func(p *Packet) { b.Error("handled") }
	} else {
		cfg.Handle = func(p *Packet) { handle(p); count() }
	}
	startAs(b, at, cfg)
	tr := *at
	child := exec.Command(os.Args[0], "-test.run=^TestFlooder$")
	child.Env = append(os.Environ(), "RINGFENCE_FLOOD="+tr.Addr(UDP).String(), fmt.Sprint("RINGFENCE_RATE=", rate))
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	eventually(b, "the flood to begin", func() bool { return tr.Stats().PacketsIn > 100 })
	begun, cpu, in := time.Now(), cpuTime(), tr.Stats().PacketsIn
	if handle != nil {
		<-done
	} else {
		eventually(b, "the flood to be through", func() bool { return tr.Stats().Banned > uint64(b.N) })
	}
	packets := float64(tr.Stats().PacketsIn - in)
	b.ReportMetric(float64(cpuTime()-cpu)/packets, "cpu-ns/packet")
	b.ReportMetric(packets/time.Since(begun).Seconds(), "packets/s")
	b.ReportMetric(0, "ns/op")
}

func cpuTime() time.Duration {
	var ru unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &ru)
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// rates runs a benchmark at some packets per second, 0 meaning as many as the flooder can send.
func rates(b *testing.B, run func(b *testing.B, rate int)) {
	for _, rate := range []int{50000, 0} {
		b.Run(fmt.Sprintf("%d-per-second", rate), func(b *testing.B) { run(b, rate) })
	}
}

// BenchmarkBannedPacket: bar 2 µs.
func BenchmarkBannedPacket(b *testing.B) {
	bans := NewBans(1000)
	banAddr(bans, netip.MustParseAddr("127.0.0.1"), time.Hour)
	rates(b, func(b *testing.B, rate int) { flood(b, rate, new(*Transport), Config{Bans: bans}) })
}

// BenchmarkStranger answers a stateless 401 with a challenge made beforehand: bar 10 µs with the nonce.
func BenchmarkStranger(b *testing.B) {
	out := make([]byte, 0, 2048)
	rates(b, func(b *testing.B, rate int) {
		var tr *Transport
		flood(b, rate, &tr, Config{Handle: func(p *Packet) {
			if f := p.Parse(); f != nil {
				b.Error(f)
				return
			}
			out = message.AppendResponse(out[:0], &p.Msg, message.Reply{Code: 401, ToTag: []byte("a1b2c3d4"), Src: p.Src, Lines: []byte(challenge)})
			_ = tr.Send(p.From(), out)
		}})
	})
}

// BenchmarkRoundTrip: one packet there and back at a time, the latency at low load.
func BenchmarkRoundTrip(b *testing.B) {
	var tr *Transport
	startAs(b, &tr, Config{UDP: []netip.AddrPort{loopback}, Handle: func(p *Packet) { echo(&tr)(p) }})
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(tr.Addr(UDP)))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	buf := make([]byte, 2048)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write([]byte(register)); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}
