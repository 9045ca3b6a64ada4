package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
)

// Bounds of a flood, whatever is asked for.
const (
	floodFor     = 6 * time.Second
	floodMost    = 1_000_000 // packets
	floodBatch   = 32
	floodSockets = 32
)

// flooder sends datagrams from many loopback addresses, in batches (sendmmsg).
type flooder struct {
	from  []netip.Addr
	to    netip.AddrPort
	body  func(from netip.Addr, n int) []byte
	rate  int // packets a second
	limit time.Duration
}

// run floods and gives how many packets it sent.
func (f flooder) run(ctx context.Context) (int, error) {
	if !f.to.Addr().IsLoopback() {
		return 0, fmt.Errorf("a flood goes to loopback only")
	}
	var conns []*ipv4.PacketConn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	batches := make([][]ipv4.Message, len(f.from))
	to := net.UDPAddrFromAddrPort(f.to)
	for i, a := range f.from {
		c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
		if err != nil {
			return 0, err
		}
		conns = append(conns, ipv4.NewPacketConn(c))
		for n := range floodBatch {
			batches[i] = append(batches[i], ipv4.Message{Buffers: [][]byte{f.body(a, n)}, Addr: to})
		}
		drain(c)
	}
	ctx, cancel := context.WithTimeout(ctx, min(f.limit, floodFor))
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	sent, begun := 0, time.Now()
	for next := 0; sent < floodMost; {
		select {
		case <-ctx.Done():
			return sent, nil
		case <-tick.C:
		}
		for due := int(time.Since(begun).Seconds() * float64(f.rate)); sent < due; next++ {
			n, err := conns[next%len(conns)].WriteBatch(batches[next%len(conns)], 0)
			if err != nil {
				return sent, err
			}
			sent += n
		}
	}
	return sent, nil
}

// drain throws away what comes back, so that answers do not pile up in the kernel; it ends when the socket is closed.
func drain(c *net.UDPConn) {
	go func() {
		p, buf := ipv4.NewPacketConn(c), make([]ipv4.Message, 64)
		for i := range buf {
			buf[i].Buffers = [][]byte{make([]byte, 2048)}
		}
		for {
			if _, err := p.ReadBatch(buf, 0); err != nil {
				return
			}
		}
	}()
}

// strangers are addresses without a phone; each sends what a scanner sends.
func strangers() []netip.Addr {
	var from []netip.Addr
	for i := range floodSockets {
		from = append(from, netip.AddrFrom4([4]byte{127, 77, byte(i), 1}))
	}
	return from
}

// scan is a REGISTER without a login.
func scan(from netip.Addr, n int) []byte {
	return []byte(fmt.Sprintf("REGISTER sip:bench.test SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;rport;branch=z9hG4bK%s-%d\r\nMax-Forwards: 70\r\n"+
		"From: <sip:%d@bench.test>;tag=x%d\r\nTo: <sip:%d@bench.test>\r\nCall-ID: scan-%s-%d\r\nCSeq: 1 REGISTER\r\n"+
		"Contact: <sip:%d@%s:5060>\r\nUser-Agent: %s\r\nContent-Length: 0\r\n\r\n", from, from, n, n, n, n, from, n, n, from, guessAgent))
}

// floods measures the cost of a packet from an unknown source, and the effect on honest phones.
func (b *bench) floods(ctx context.Context) error {
	users := logins(200)
	for _, c := range b.contestants()[:2] {
		if err := b.flooded(ctx, c, users, "REGISTER of an unknown source, answered 401", "≤ 10 µs", strangers()); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// bannedPackets measures the same for packets from a banned address: in the process, and in the kernel.
func (b *bench) bannedPackets(ctx context.Context) error {
	users, from := logins(200), []netip.Addr{netip.MustParseAddr(banned)}
	kernel := func(where string) func(context.Context, []login) (*peer, error) {
		return func(ctx context.Context, users []login) (*peer, error) {
			return b.ringfence(ctx, users, setup{money: "memory", kernel: where})
		}
	}
	for _, c := range []struct {
		contestant
		bar string
	}{
		{b.contestants()[0], ""},
		{contestant{"Ringfence, in process", kernel("off")}, "≤ 2 µs"},
		{contestant{"Ringfence, in the kernel (nftables)", kernel("required")}, "0"},
	} {
		if err := b.flooded(ctx, c.contestant, users, "packet from a banned address", c.bar, from); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// flooded floods one server while honest phones register and call, and reports the CPU of a packet: the server's time less
// what the same honest load took without the flood.
func (b *bench) flooded(ctx context.Context, c contestant, users []login, what, bar string, from []netip.Addr) error {
	p, err := c.start(ctx, users)
	if err != nil {
		return err
	}
	defer p.stop()
	stop, err := b.carrier(ctx)
	if err != nil {
		return err
	}
	defer stop()
	before := p.cpu()
	if _, _, err := b.honest(ctx, p, users); err != nil {
		return err
	}
	honest := p.cpu() - before

	before = p.cpu()
	lost, machine := dropped(p.at.Port()), measureMachine()
	var sent int
	var floodErr error
	var wg sync.WaitGroup
	wg.Go(func() {
		sent, floodErr = flooder{from: from, to: p.at, body: scan, rate: b.flood, limit: floodFor}.run(ctx)
	})
	regs, calls, err := b.honest(ctx, p, users)
	wg.Wait()
	if err != nil || floodErr != nil {
		return fmt.Errorf("%w%w", err, floodErr)
	}
	micros := (p.cpu() - before - honest) / float64(sent) * 1e6
	if sent == 0 {
		return fmt.Errorf("the flood sent nothing")
	}
	b.report.row(what+": "+c.name, fmt.Sprintf("%.1f µs CPU for each sent", micros), bar, fmt.Sprintf("%d packets at %.0f per second from %d addresses, of which %d found the socket full; other programs kept %.2f processors busy",
		sent, float64(sent)/floodFor.Seconds(), len(from), dropped(p.at.Port())-lost, machine.others()))
	b.report.row("honest phones at the same time: "+c.name, fmt.Sprintf("%d of %d registrations and %d of %d calls failed; p99 %.1f and %.1f ms",
		regs.failed, regs.ok+regs.failed, calls.failed, calls.ok+calls.failed, regs.p99, calls.p99), "0 failed, p99 < 50 ms", "100 registrations and 10 calls per second")
	return nil
}

// honest registers and calls for as long as a flood lasts.
func (b *bench) honest(ctx context.Context, p *peer, users []login) (regs, calls outcome, err error) {
	r := b.registering(p, users)
	r.rate, r.count, r.limit = 100, 100*int(floodFor.Seconds()), 40*time.Second
	c := b.calling(p, users)
	c.rate, c.count, c.limit = 10, 10*int(floodFor.Seconds()), 40*time.Second
	c.from, c.media = netip.MustParseAddrPort("127.0.0.1:27500"), 29_000
	var rerr, cerr error
	var wg sync.WaitGroup
	wg.Go(func() { regs, rerr = b.run(ctx, r) })
	wg.Go(func() { calls, cerr = b.run(ctx, c) })
	wg.Wait()
	if rerr != nil {
		return regs, calls, rerr
	}
	return regs, calls, cerr
}
