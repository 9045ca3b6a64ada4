package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func clientFrom(t testing.TB, from string, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	c, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from)), net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func dialTCP(t testing.TB, to netip.AddrPort) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestTCPSplitAndMerged(t *testing.T) {
	var tr *Transport
	startAs(t, &tr, Config{TCP: []netip.AddrPort{loopback}, Handle: func(p *Packet) {
		if f := p.Parse(); f != nil {
			t.Error(f)
		}
		echo(&tr)(p)
	}})
	all := ""
	for i := range 20 {
		all += text(fmt.Sprint(i), i*700)
	}
	t.Run("merged", func(t *testing.T) {
		c := dialTCP(t, tr.Addr(TCP))
		send(t, c, all)
		if got := read(t, c, len(all)); got != all {
			t.Error("not the same stream")
		}
	})
	t.Run("split", func(t *testing.T) {
		c := dialTCP(t, tr.Addr(TCP))
		_ = c.(*net.TCPConn).SetNoDelay(true)
		go func() {
			for at := 0; at < len(all); at += 97 {
				_, _ = c.Write([]byte(all[at:min(at+97, len(all))]))
			}
		}()
		if got := read(t, c, len(all)); got != all {
			t.Error("not the same stream")
		}
	})
	t.Run("byte by byte", func(t *testing.T) {
		c := dialTCP(t, tr.Addr(TCP))
		s := "\r\n" + text("slow", 100)
		for i := range len(s) {
			send(t, c, s[i:i+1])
		}
		if got := read(t, c, len(s)-2); got != s[2:] {
			t.Errorf("%q", got)
		}
	})
	t.Run("as large as a message may be", func(t *testing.T) {
		c := dialTCP(t, tr.Addr(TCP))
		s := text("large", 65000)
		send(t, c, s)
		if got := read(t, c, len(s)); got != s {
			t.Error("not the same")
		}
	})
}

func TestTCPPing(t *testing.T) {
	var tr *Transport
	startAs(t, &tr, Config{TCP: []netip.AddrPort{loopback}, Handle: func(p *Packet) { echo(&tr)(p) }})
	c := dialTCP(t, tr.Addr(TCP))
	send(t, c, "\r\n\r\n")
	if got := read(t, c, 2); got != "\r\n" {
		t.Errorf("pong is %q", got)
	}
	for _, half := range []string{"\r", "\n", "\r\n"} {
		send(t, c, half)
	}
	if got := read(t, c, 2); got != "\r\n" {
		t.Errorf("pong is %q", got)
	}
	s := text("x", 1)
	send(t, c, "\r\n"+s)
	if got := read(t, c, len(s)); got != s {
		t.Errorf("%q", got)
	}
}

// Guards against resiprocate#38: NULs and blanks between messages swallowed the next message, which TCP does not repeat. They come whole or in
// pieces, before, between and after messages, and make no pings.
func TestTCPKeepAlivesOfOtherKinds(t *testing.T) {
	var tr *Transport
	startAs(t, &tr, Config{TCP: []netip.AddrPort{loopback}, Handle: func(p *Packet) { echo(&tr)(p) }})
	for _, blank := range []string{"\x00", "\r\n\x00", "\x00\r\n", "\n", " ", "\t", " \r\n", "\r", "\n\n", "\x00\x00\x00\x00", "\r\n \r\n", "\r\n\x00\r\n"} {
		c, s := dialTCP(t, tr.Addr(TCP)), text("x", 10)
		for range 3 {
			send(t, c, blank)
			send(t, c, s)
			if got := read(t, c, len(s)); got != s {
				t.Errorf("after %q: %q", blank, got)
			}
		}
		send(t, c, blank+s+blank+s)
		if got := read(t, c, 2*len(s)); got != s+s {
			t.Errorf("with %q in between: %q", blank, got)
		}
	}
}

// What breaks framing ends the connection: there is no telling where the next message starts. The message itself is answered.
func TestTCPFramingFaults(t *testing.T) {
	var tr *Transport
	startAs(t, &tr, Config{TCP: []netip.AddrPort{loopback}, Handle: func(p *Packet) {
		f := p.Parse()
		if f == nil || f.Header != "Content-Length" {
			t.Errorf("handled %v %q", f, p.Buf)
			return
		}
		_ = tr.Send(p.From(), []byte(f.Why))
	}})
	for name, c := range map[string][2]string{
		"a body of no length": {"Content-Length: 0\r\n", "Content-Type: a/b\r\n"},
		"two lengths":         {"\r\n\r\n", "\r\nl: 5\r\n\r\nabcde"},
		"no number":           {"Length: 0", "Length: none"},
	} {
		conn := dialTCP(t, tr.Addr(TCP))
		_, _ = conn.Write([]byte(strings.Replace(text("x", 0), c[0], c[1], 1)))
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if why, err := io.ReadAll(conn); err != nil || !strings.Contains(string(why), "Content-Length") {
			t.Errorf("%s: read %q, %v", name, why, err)
		}
	}
	for name, s := range map[string]string{
		"endless":       "OPTIONS " + strings.Repeat("x", 80000),
		"no start line": "v=0\r\n\r\n" + text("x", 0),
	} {
		c := dialTCP(t, tr.Addr(TCP))
		_, _ = c.Write([]byte(s))
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := c.Read(make([]byte, 10)); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: read %d, %v", name, n, err)
		}
	}
	eventually(t, "no connections", func() bool { return tr.Stats().Conns == 0 })
}

// A message that is too large is answered with 513, also when its sender goes on sending; the ones before it have been handled.
func TestTCPTooLarge(t *testing.T) {
	var tr *Transport
	startAs(t, &tr, Config{TCP: []netip.AddrPort{loopback}, Handle: func(p *Packet) {
		why := "fine "
		if f := p.Parse(); f != nil {
			why = fmt.Sprint(f.Status, " ")
		}
		_ = tr.Send(p.From(), []byte(why))
	}})
	for _, length := range []int{70000, 65500} {
		for _, sent := range []int{0, 1000, 60000, length} {
			c := dialTCP(t, tr.Addr(TCP))
			large := strings.Replace(text("x", 0), "Length: 0", "Length: "+strconv.Itoa(length), 1)
			_, _ = c.Write([]byte(text("a", 5) + text("b", 0) + large + strings.Repeat("x", sent)))
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if got, err := io.ReadAll(c); string(got) != "fine fine 513 " || err != nil {
				t.Errorf("length %d, %d sent: %q, %v", length, sent, got, err)
			}
		}
	}
	eventually(t, "no connections", func() bool { return tr.Stats().Conns == 0 })
}

// The end of a call is heard, whatever its length says: what does not come is not waited for longer than for any message.
func TestTCPEndsWithoutALength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, heard := newPipes(), make(chan string, 10)
		tr := start(t, Config{Listener: ln, Handle: func(p *Packet) { heard <- string(p.Buf) }})
		bye := strings.ReplaceAll(text("x", 0), "OPTIONS", "BYE")
		for i, s := range []string{
			bye, strings.Replace(bye, "Content-Length: 0\r\n", "", 1), strings.Replace(bye, "Length: 0", "Length: 0\r\nl: 5", 1),
			strings.Replace(bye, "Length: 0", "Length: 70000", 1), strings.Replace(bye, "Length: 0", "Length: 3000", 1),
			strings.ReplaceAll(bye, "\r\n", "\n"), strings.ReplaceAll(bye, "BYE", "CANCEL")[:len(bye)],
		} {
			c := ln.connect(fmt.Sprintf("192.0.2.2:%d", i+1))
			send(t, c, s)
			if got := <-heard; got != s {
				t.Errorf("sent %q, heard %q", s, got)
			}
			_ = c.Close()
		}
		c := ln.connect("192.0.2.2:99")
		send(t, c, strings.Replace(text("x", 0), "Length: 0", "Length: 3000", 1))
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
		synctest.Wait()
		if len(heard) != 0 {
			t.Errorf("half a message was heard: %q", <-heard)
		}
		tr.Stop()
	})
}

// Messages whose lines end with LF alone are read one after the other, and one with ends of both kinds is read when no more of it comes: neither
// is met with silence.
func TestTCPBareLineFeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, heard := newPipes(), make(chan string, 10)
		tr := start(t, Config{Listener: ln, Handle: func(p *Packet) { heard <- string(p.Buf) }})
		one, two := text("x", 5), text("y", 0)
		bare := strings.ReplaceAll(one, "\r\n", "\n")
		c := ln.connect("192.0.2.2:1")
		for _, s := range []string{bare, one, strings.Replace(bare, "\n\n", "\n\r\n", 1), strings.ReplaceAll(two, "\r\n", "\n")} {
			send(t, c, s+two)
			for _, want := range []string{s, two} {
				if got := <-heard; got != want {
					t.Errorf("sent %q, heard %q", want, got)
				}
			}
			for i := range len(s) {
				send(t, c, s[i:i+1])
			}
			if got := <-heard; got != s {
				t.Errorf("sent %q byte by byte, heard %q", s, got)
			}
		}
		_ = c.Close()
		c = ln.connect("192.0.2.2:2")
		mixed := strings.Replace(two, "\r\n\r\n", "\r\n\n", 1)
		send(t, c, mixed)
		if got := <-heard; got != mixed {
			t.Errorf("sent %q, heard %q", mixed, got)
		}
		send(t, c, two) // the connection stays
		if got := <-heard; got != two {
			t.Errorf("sent %q, heard %q", two, got)
		}
		tr.Stop()
	})
}

// Timeouts run in virtual time.
func TestTCPSlowAndIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		tr := start(t, Config{Listener: ln, Handle: func(*Packet) {}, MessageTimeout: 10 * time.Second, IdleTimeout: time.Minute})
		lasts := func(from string, talk func(c net.Conn)) time.Duration {
			c := ln.connect(from)
			begun := time.Now()
			go talk(c)
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
			synctest.Wait()
			return time.Since(begun)
		}
		if d := lasts("192.0.2.2:1", func(net.Conn) {}); d != 10*time.Second {
			t.Errorf("silent: closed after %v", d)
		}
		if d := lasts("192.0.2.2:2", func(c net.Conn) {
			for {
				if _, err := c.Write([]byte("\r\n")); err != nil {
					return
				}
				<-time.After(time.Second)
			}
		}); d != 10*time.Second {
			t.Errorf("only line breaks: closed after %v", d)
		}
		if d := lasts("192.0.2.2:3", func(c net.Conn) {
			for _, b := range []byte(text("loris", 0)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				<-time.After(time.Second)
			}
		}); d != 10*time.Second {
			t.Errorf("slow loris: closed after %v", d)
		}
		if d := lasts("192.0.2.2:4", func(c net.Conn) {
			_, _ = c.Write([]byte(text("x", 0)))
			<-time.After(50 * time.Second)
			_, _ = c.Write([]byte("\r\n\r\n"))
		}); d != 110*time.Second {
			t.Errorf("idle after a ping at 50 s: closed after %v", d)
		}
		// The time for a message is counted from its first byte, not from the end of the one before.
		if d := lasts("192.0.2.2:5", func(c net.Conn) {
			_, _ = c.Write([]byte(text("x", 0)))
			<-time.After(50 * time.Second)
			_, _ = c.Write([]byte("OPT"))
		}); d != 60*time.Second {
			t.Errorf("half a message at 50 s: closed after %v", d)
		}
		if s := tr.Stats(); s.Conns != 0 {
			t.Errorf("%+v", s)
		}
		tr.Stop()
	})
}

// Seen with sipgo: any Accept error ends the listener.
func TestAcceptErrorsEndNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		var handled atomic.Int64
		tr := start(t, Config{Listener: ln, Handle: func(*Packet) { handled.Add(1) }})
		for range 5 {
			ln.errs <- errors.New("accept: too many open files")
		}
		c := ln.connect("192.0.2.2:1")
		_, _ = c.Write([]byte(text("x", 0)))
		synctest.Wait()
		if handled.Load() != 1 {
			t.Errorf("%+v, handled %d", tr.Stats(), handled.Load())
		}
		tr.Stop()
	})
}

type failure struct {
	token uint64
	err   error
}

func TestTCPDial(t *testing.T) {
	got, from := make(chan string, 10), make(chan netip.AddrPort, 10)
	server := start(t, Config{TCP: []netip.AddrPort{loopback}, Handle: func(p *Packet) { from <- p.Src; got <- string(p.Buf) }})
	var mu sync.Mutex
	var failed []failure
	back := make(chan string, 10)
	tr := start(t, Config{
		TCP: []netip.AddrPort{loopback}, Handle: func(p *Packet) { back <- string(p.Buf) }, DialTimeout: time.Second,
		Failed: func(_ Dest, token uint64, err error) {
			mu.Lock()
			failed = append(failed, failure{token, err})
			mu.Unlock()
		},
	})
	d := Dest{Addr: server.Addr(TCP), Proto: TCP}
	for i := range 5 { // while it dials, and after: one connection
		if err := tr.SendToken(d, []byte(text(fmt.Sprint(i), 10)), 1); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		if s := <-got; s != text(fmt.Sprint(i), 10) {
			t.Errorf("%d: %q", i, s)
		}
	}
	if in, out := server.Stats(), tr.Stats(); in.Conns != 1 || out.Conns != 1 {
		t.Errorf("%+v, %+v", in, out)
	}
	if l := tr.LocalFor(d); l != tr.Addr(TCP) {
		t.Errorf("the server is to reach us at %v, not where we listen", l)
	}
	// The server sends over the same connection, found by address.
	peer := <-from
	if err := server.Send(Dest{Addr: peer, Proto: TCP}, []byte(text("back", 1))); err != nil {
		t.Fatal(err)
	}
	if s := <-back; s != text("back", 1) {
		t.Error(s)
	}
	// When it is gone, a flow is gone, an address is dialled again.
	server.conns.find(Dest{Addr: peer, Proto: TCP}).close(ErrGone)
	eventually(t, "both ends closed", func() bool { return tr.Stats().Conns == 0 && server.Stats().Conns == 0 })
	if err := server.Send(Dest{Addr: peer, Proto: TCP, Flow: 1}, []byte("x")); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if err := tr.Send(d, []byte(text("again", 1))); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != text("again", 1) {
		t.Error(s)
	}
	// Nobody listens there: the failure is told with its token.
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead, _ := addrPort(closed.Addr())
	_ = closed.Close()
	if err := tr.SendToken(Dest{Addr: dead, Proto: TCP}, []byte("x"), 42); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the failure", func() bool { mu.Lock(); defer mu.Unlock(); return len(failed) == 1 && failed[0].token == 42 })
}

// A peer that does not read holds up neither the sender nor anybody else, and its messages are reported.
// A connection that we dialled, and that takes everything without a word, is not trusted with the next call. One that has answered is.
func TestTCPMutePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialled := make(chan net.Conn, 10)
		tr := start(t, Config{Listener: newPipes(), Handle: func(*Packet) {}, Dial: func(context.Context, netip.AddrPort) (net.Conn, error) {
			ours, theirs := net.Pipe()
			dialled <- theirs
			return pipe{ours, "192.0.2.1:5060", "192.0.2.9:5060"}, nil
		}})
		d := Dest{Addr: netip.MustParseAddrPort("192.0.2.9:5060"), Proto: TCP}
		sends := func(on net.Conn) net.Conn {
			if err := tr.Send(d, []byte(text("x", 1))); err != nil {
				t.Fatal(err)
			}
			if on == nil {
				on = <-dialled
			}
			if got := read(t, on, len(text("x", 1))); got != text("x", 1) {
				t.Errorf("%q", got)
			}
			if len(dialled) > 0 {
				t.Error("another connection was dialled")
			}
			return on
		}
		first := sends(nil)
		time.Sleep(muteAfter / 2)
		sends(first)
		time.Sleep(muteAfter)
		second := sends(nil)
		send(t, second, "\r\n")
		synctest.Wait()
		time.Sleep(3 * muteAfter)
		sends(second)
		_, _ = first.Close(), second.Close()
		tr.Stop()
	})
}

func TestTCPStuckPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed []failure
		ours, theirs := net.Pipe() // nothing is buffered: a write hangs until somebody reads
		tr := start(t, Config{
			PacketConn: new(memoryNet).listen("192.0.2.1:5060"), Handle: func(*Packet) {}, WriteTimeout: 8 * time.Second, MaxQueued: 1000,
			Dial: func(context.Context, netip.AddrPort) (net.Conn, error) {
				return pipe{theirs, "192.0.2.1:9", "192.0.2.9:5060"}, nil
			},
			Failed: func(_ Dest, token uint64, err error) { failed = append(failed, failure{token, err}) },
		})
		d := Dest{Addr: netip.MustParseAddrPort("192.0.2.9:5060"), Proto: TCP}
		full := 0
		for i := range 10 {
			switch err := tr.SendToken(d, make([]byte, 300), uint64(i)); {
			case errors.Is(err, ErrQueueFull):
				full++
			case err != nil:
				t.Error(err)
			}
			synctest.Wait()
		}
		begun := time.Now()
		<-time.After(9 * time.Second)
		synctest.Wait()
		if len(failed)+full != 10 || full == 0 || tr.Stats().Conns != 0 {
			t.Errorf("%d failed, %d refused, %v later: %+v", len(failed), full, time.Since(begun), tr.Stats())
		}
		_ = ours.Close()
		tr.Stop()
	})
}

// Stop in the midst of traffic: no goroutine stays (TestMain), no handler runs after it.
func TestStopUnderLoad(t *testing.T) {
	for range 5 {
		var tr *Transport
		var after, ran atomic.Bool
		var err error
		tr, err = Listen(Config{UDP: []netip.AddrPort{loopback}, TCP: []netip.AddrPort{loopback}, Handle: func(p *Packet) {
			if after.Load() {
				t.Error("handled after Stop")
			}
			ran.Store(true)
			_ = tr.Send(p.From(), p.Buf)
		}})
		if err != nil {
			t.Fatal(err)
		}
		tr.Serve()
		u, c := client(t, tr.Addr(UDP)), dialTCP(t, tr.Addr(TCP))
		var wg sync.WaitGroup
		quit := make(chan struct{})
		for _, conn := range []net.Conn{u, c} {
			wg.Go(func() {
				for {
					select {
					case <-quit:
						return
					default:
						_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
						_, _ = conn.Write([]byte(text("x", 10)))
					}
				}
			})
		}
		eventually(t, "traffic", ran.Load)
		tr.Stop()
		after.Store(true)
		tr.Stop() // again: harmless
		close(quit)
		wg.Wait()
	}
}
