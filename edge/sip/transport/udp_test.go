package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestUDPRoundTrip(t *testing.T) {
	for _, local := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(local, func(t *testing.T) {
			var tr *Transport
			cfg := Config{UDP: []netip.AddrPort{netip.MustParseAddrPort(local)}, Handle: func(p *Packet) {
				if f := p.Parse(); f != nil || p.Proto != UDP || p.Local != tr.Addr(UDP) {
					t.Errorf("%v, from %v to %v", f, p.Src, p.Local)
				}
				_ = tr.Send(p.From(), p.Msg.Bytes())
			}}
			var err error
			if tr, err = Listen(cfg); err != nil {
				t.Skip(err)
			}
			defer tr.Stop()
			tr.Serve()
			c := client(t, tr.Addr(UDP))
			// Around the limit of the small buffer, where a datagram spills over, and as large as loopback allows.
			for _, n := range []int{0, 1000, smallBuf - headLen("x", 3000) - 1, smallBuf - headLen("x", 3000), smallBuf - headLen("x", 3000) + 1, 9000, 60000} {
				s := text("x", n)
				send(t, c, s)
				if got := read(t, c, 0); got != s {
					t.Fatalf("body of %d: got %d bytes, want %d", n, len(got), len(s))
				}
			}
		})
	}
}

func TestUDPKeepsOrder(t *testing.T) {
	var tr *Transport
	startAs(t, &tr, Config{UDP: []netip.AddrPort{loopback}, Handle: func(p *Packet) { echo(&tr)(p) }})
	c := client(t, tr.Addr(UDP))
	for i := range 300 {
		send(t, c, text(fmt.Sprint(i), 10))
	}
	for i := range 300 {
		if got := read(t, c, 0); got != text(fmt.Sprint(i), 10) {
			t.Fatalf("answer %d is %q", i, got)
		}
	}
	eventually(t, "the last answer to be counted, which the server does after its client has it", func() bool { return tr.Stats().PacketsOut >= 300 })
	if s := tr.Stats(); s.PacketsIn != 300 || s.PacketsOut != 300 {
		t.Errorf("%+v", s)
	}
}

// A kept packet stays as it was while others come in; released ones come back.
func TestKeep(t *testing.T) {
	kept := make(chan *Packet, 500)
	tr := start(t, Config{UDP: []netip.AddrPort{loopback}, Handle: func(p *Packet) {
		if f := p.Parse(); f != nil {
			t.Error(f)
		}
		p.Keep()
		kept <- p
	}})
	c := client(t, tr.Addr(UDP))
	var held []*Packet
	for i := range 400 {
		send(t, c, text(fmt.Sprint(i), 50))
		p := <-kept
		if held = append(held, p); len(held) < 100 {
			continue
		}
		for k, p := range held {
			id := fmt.Sprint(i - len(held) + 1 + k)
			if string(p.Buf) != text(id, 50) || string(p.Msg.CallID()) != id {
				t.Fatalf("kept packet %s became %q", id, p.Buf)
			}
			p.Release()
		}
		held = held[:0]
	}
}

func TestPanicInHandlerEndsNothing(t *testing.T) {
	var tr *Transport
	var seen atomic.Value
	startAs(t, &tr, Config{
		UDP: []netip.AddrPort{loopback}, TCP: []netip.AddrPort{loopback}, Panicked: func(v any, stack []byte) { seen.Store(string(stack)) },
		Handle: func(p *Packet) {
			if strings.Contains(string(p.Buf), "boom") {
				panic("boom")
			}
			echo(&tr)(p)
		},
	})
	c := client(t, tr.Addr(UDP))
	d := dialTCP(t, tr.Addr(TCP))
	send(t, c, text("boom", 1))
	send(t, d, text("boom", 1))
	send(t, c, text("fine", 1))
	send(t, d, text("fine", 1))
	if got := read(t, c, 0); got != text("fine", 1) {
		t.Error(got)
	}
	if got := read(t, d, len(text("fine", 1))); got != text("fine", 1) {
		t.Error(got)
	}
	if !strings.Contains(seen.Load().(string), "TestPanicInHandlerEndsNothing") {
		t.Error(seen.Load())
	}
}

func TestDroppedBeforeParsing(t *testing.T) {
	bans := NewBans(100)
	var handled atomic.Int64
	tr := start(t, Config{UDP: []netip.AddrPort{loopback}, Bans: bans, Handle: func(*Packet) { handled.Add(1) }})
	c := client(t, tr.Addr(UDP))
	for _, s := range []string{"\r\n\r\n", "\x00\x00\x00\x00", "", "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"} {
		send(t, c, s)
	}
	send(t, c, text("2", 1))
	eventually(t, "five packets", func() bool { return tr.Stats().PacketsIn == 5 && handled.Load() == 1 })
	banAddr(bans, netip.MustParseAddr("127.0.0.1"), time.Hour)
	send(t, c, text("3", 1))
	eventually(t, "a banned packet", func() bool { return tr.Stats().Banned == 1 })
	if handled.Load() != 1 {
		t.Errorf("%+v, handled %d", tr.Stats(), handled.Load())
	}
}

// Sends from many goroutines while the reader sends too: nothing is lost, doubled or mixed up.
func TestConcurrentSends(t *testing.T) {
	var tr *Transport
	startAs(t, &tr, Config{UDP: []netip.AddrPort{loopback}, Handle: func(p *Packet) { echo(&tr)(p) }})
	sink := client(t, tr.Addr(UDP))
	noise := client(t, tr.Addr(UDP))
	to := Dest{Addr: sink.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()}
	const senders, each = 8, 100
	var wg sync.WaitGroup
	for g := range senders {
		wg.Go(func() {
			for i := range each {
				if err := tr.Send(to, []byte(text(fmt.Sprintf("%d-%d", g, i), 20))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		send(t, noise, text("noise", 5))
	}
	wg.Wait()
	got := map[string]bool{}
	for range senders * each {
		got[read(t, sink, 0)] = true
	}
	for g := range senders {
		for i := range each {
			if !got[text(fmt.Sprintf("%d-%d", g, i), 20)] {
				t.Fatalf("%d-%d did not arrive", g, i)
			}
		}
	}
}

func TestSeveralSockets(t *testing.T) {
	var tr *Transport
	var flows sync.Map
	startAs(t, &tr, Config{UDP: []netip.AddrPort{loopback}, Sockets: 2, Handle: func(p *Packet) {
		flows.Store(p.Flow, true)
		echo(&tr)(p)
	}})
	for i := range 40 {
		c := client(t, tr.Addr(UDP))
		s := text(fmt.Sprint(i), 1)
		send(t, c, s)
		if got := read(t, c, 0); got != s {
			t.Fatal(got)
		}
	}
	n := 0
	flows.Range(func(_, _ any) bool { n++; return true })
	if n != 2 {
		t.Errorf("%d of 2 sockets got packets", n)
	}
}

// One refused destination must not take the packets behind it along.
func TestRefusedDestinationInABatch(t *testing.T) {
	var tr *Transport
	nowhere := Dest{Addr: netip.MustParseAddrPort("255.255.255.255:9")} // EACCES: the socket may not broadcast
	startAs(t, &tr, Config{UDP: []netip.AddrPort{loopback}, Handle: func(p *Packet) {
		_ = tr.Send(nowhere, p.Buf)
		_ = tr.Send(p.From(), p.Buf)
		_ = tr.Send(nowhere, p.Buf)
	}})
	c := client(t, tr.Addr(UDP))
	s := text("x", 1)
	send(t, c, s)
	if got := read(t, c, 0); got != s {
		t.Fatal(got)
	}
	eventually(t, "one packet, and not those that the kernel refused", func() bool { return tr.Stats().PacketsOut == 1 })
}

func TestSendRefuses(t *testing.T) {
	tr := start(t, Config{UDP: []netip.AddrPort{loopback}, Handle: func(*Packet) {}})
	for _, tc := range []struct {
		d    Dest
		n    int
		want error
	}{
		{Dest{Addr: netip.MustParseAddrPort("[::1]:5060")}, 10, ErrNoSocket},
		{Dest{Addr: netip.MustParseAddrPort("127.0.0.1:0")}, 10, ErrNoAddr},
		{Dest{}, 10, ErrNoAddr},
		{Dest{Addr: netip.MustParseAddrPort("127.0.0.1:5060")}, maxDatagram + 1, ErrTooLong},
		{Dest{Addr: netip.MustParseAddrPort("127.0.0.1:5060"), Proto: TCP, Flow: 77}, 10, ErrGone},
	} {
		if err := tr.Send(tc.d, make([]byte, tc.n)); !errors.Is(err, tc.want) {
			t.Errorf("%+v: %v, want %v", tc.d, err, tc.want)
		}
	}
	tr.Stop()
	if err := tr.Send(Dest{Addr: netip.MustParseAddrPort("127.0.0.1:5060")}, nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// stuck is a socket whose writes hang.
type stuck struct{ release chan struct{} }

func (s *stuck) read([]*Packet) (int, error) {
	<-s.release
	return 0, errors.New("done")
}
func (s *stuck) write(q *queue) int { <-s.release; return len(q.items) }
func (s *stuck) close() error       { return nil }

func TestQueueIsBounded(t *testing.T) {
	tr := &Transport{}
	tr.cfg.QueueLen = 10
	s := &socket{t: tr, io: &stuck{make(chan struct{})}, local: loopback}
	to := netip.MustParseAddrPort("127.0.0.1:5060")
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.send(to, []byte("first")) })
	eventually(t, "the first send to hang", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.writing.items) == 1 })
	for i := range 12 {
		if err := s.send(to, []byte("next")); (err != nil) != (i >= 10) {
			t.Errorf("send %d: %v", i, err)
		}
	}
	close(s.io.(*stuck).release)
	wg.Wait()
	if st := tr.Stats(); st.PacketsOut != 11 {
		t.Errorf("%+v", st)
	}
}

func TestInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n memoryNet
		var tr *Transport
		startAs(t, &tr, Config{PacketConn: n.listen("192.0.2.1:5060"), Handle: func(p *Packet) { echo(&tr)(p) }})
		c := n.listen("192.0.2.9:5060")
		if _, err := c.WriteTo([]byte(text("x", 5000)), c.net.hosts["192.0.2.1:5060"].addr); err != nil {
			t.Fatal(err)
		}
		d := <-c.in
		if string(d.b) != text("x", 5000) || d.from.String() != "192.0.2.1:5060" {
			t.Errorf("%v %q", d.from, d.b)
		}
		tr.Stop()
	})
}

func TestListenIsAllOrNothing(t *testing.T) {
	first := start(t, Config{UDP: []netip.AddrPort{loopback}, Handle: func(*Packet) {}})
	if _, err := Listen(Config{UDP: []netip.AddrPort{loopback, first.Addr(UDP)}, Handle: func(*Packet) {}}); err == nil || !strings.Contains(err.Error(), first.Addr(UDP).String()) {
		t.Errorf("an address in use: %v", err)
	}
}

// A second server on the same address is told so, also where both have several sockets for it: it got half of the packets.
func TestAddressIsTakenAlone(t *testing.T) {
	for _, local := range []netip.AddrPort{loopback, netip.MustParseAddrPort("[::1]:0")} {
		for _, sockets := range [][2]int{{1, 1}, {1, 2}, {2, 1}, {2, 2}} {
			first, err := Listen(Config{UDP: []netip.AddrPort{local}, Sockets: sockets[0], Handle: func(*Packet) {}})
			if err != nil {
				t.Skip(err)
			}
			second, err := Listen(Config{UDP: []netip.AddrPort{first.Addr(UDP)}, Sockets: sockets[1], Handle: func(*Packet) {}})
			if err == nil {
				second.Stop()
				t.Errorf("%v: with %d sockets and %d, both had the address", local, sockets[0], sockets[1])
			}
			first.Stop()
		}
	}
}

// A flood from a banned source beside an honest one: the honest one is answered.
func TestFlood(t *testing.T) {
	bans := NewBans(100)
	banAddr(bans, netip.MustParseAddr("127.0.0.2"), time.Hour)
	var tr *Transport
	startAs(t, &tr, Config{UDP: []netip.AddrPort{loopback}, Bans: bans, Handle: func(p *Packet) { echo(&tr)(p) }})
	bad := clientFrom(t, "127.0.0.2:0", tr.Addr(UDP))
	good := client(t, tr.Addr(UDP))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		junk := []byte(text("junk", 300))
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = bad.Write(junk)
			}
		}
	})
	for i := range 50 {
		s := text(fmt.Sprint(i), 10)
		send(t, good, s)
		if got := read(t, good, 0); got != s {
			t.Fatal(got)
		}
	}
	close(stop)
	wg.Wait()
	if tr.Stats().Banned == 0 {
		t.Error("nothing was banned")
	}
}
