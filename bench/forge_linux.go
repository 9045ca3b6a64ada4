package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// Bounds of a forged flood, whatever is asked for.
const (
	forgeFor  = 2 * time.Minute
	forgeMost = 10_000_000 // packets
)

// forger sends from addresses that are not its own, as anyone who forges UDP does: the source of each packet is set beside it
// (IP_PKTINFO), which loopback allows for all of 127.0.0.0/8. The answers come to its own socket, because that listens on
// every address, and are counted by their codes.
type forger struct {
	to      netip.AddrPort
	rate    int // packets a second
	limit   time.Duration
	from    int // the port that all packets come from, and their answers go to; 0 is any
	forged  []netip.Addr
	victims []netip.Addr              // honest phones' addresses, forged for one packet in 32
	users   []string                  // lines that are guessed at, known and unknown
	given   atomic.Pointer[challenge] // what the server gave to an address of our own; set before run, and afresh meanwhile

	answers sync.Map // "401" → *atomic.Int64
	sent    atomic.Int64
}

// share is what each of the 32 packets of a batch is.
type share uint8

const (
	bare     share = iota // no credentials
	made                  // a nonce that nobody gave, but of the form and age of one that was
	replayed              // a nonce given to another address
)

// kindOf spreads the shares over a batch: 13 of 32 are bare, 12 have made-up nonces, 6 replayed ones, and one is forged from
// an honest phone's address, of each kind in turn.
func kindOf(slot, batch int) (kind share, victim bool) {
	switch {
	case slot < 13:
		return bare, false
	case slot < 25:
		return made, false
	case slot < 31:
		return replayed, false
	}
	return share(batch % 3), true
}

// run floods until the limit and waits a moment for the last answers.
func (f *forger) run(ctx context.Context) error {
	if !f.to.Addr().IsLoopback() {
		return errors.New("a flood goes to loopback only")
	}
	c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: f.from})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := roomy(c); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { f.count(c) })
	}
	defer wg.Wait()
	defer func() { _ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)) }() // ends the counting
	ctx, cancel := context.WithTimeout(ctx, min(f.limit, forgeFor))
	defer cancel()
	return f.send(ctx, ipv4.NewPacketConn(c))
}

// roomy asks for a receive buffer that holds the answers while this process waits for a processor.
func roomy(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20)
		}
	})
}

// count reads answers until the deadline: their first line only.
func (f *forger) count(c *net.UDPConn) {
	p, buf := ipv4.NewPacketConn(c), make([]ipv4.Message, 64)
	for i := range buf {
		buf[i].Buffers = [][]byte{make([]byte, len("SIP/2.0 401"))}
	}
	for {
		n, err := p.ReadBatch(buf, 0)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, net.ErrClosed) {
			return
		}
		for _, m := range buf[:max(n, 0)] {
			code, _ := strings.CutPrefix(string(m.Buffers[0][:m.N]), "SIP/2.0 ")
			v, ok := f.answers.Load(code)
			if !ok {
				v, _ = f.answers.LoadOrStore(code, new(atomic.Int64))
			}
			v.(*atomic.Int64).Add(1)
		}
	}
}

// counted is how many answers there were, and how many of each code.
func (f *forger) counted() (n int64, codes string) {
	var list []string
	f.answers.Range(func(k, v any) bool {
		n += v.(*atomic.Int64).Load()
		list = append(list, fmt.Sprintf("%s: %d", k, v.(*atomic.Int64).Load()))
		return true
	})
	return n, strings.Join(list, ", ")
}

func (f *forger) send(ctx context.Context, p *ipv4.PacketConn) error {
	batch, to := make([]forged, floodBatch), net.UDPAddrFromAddrPort(f.to)
	out := make([]ipv4.Message, floodBatch)
	for i := range batch {
		out[i] = ipv4.Message{Addr: to, OOB: (&ipv4.ControlMessage{Src: net.IPv4(127, 0, 0, 1)}).Marshal()}
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	sent, begun := 0, time.Now()
	for n := 0; sent < forgeMost; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for due := int(time.Since(begun).Seconds() * float64(f.rate)); sent < due; n++ {
			for i := range batch {
				f.next(&batch[i], &out[i], i, n)
			}
			done, err := p.WriteBatch(out, 0)
			if err != nil {
				return err
			}
			sent += done
			f.sent.Store(int64(sent))
		}
	}
	return nil
}

// forged is a packet of which the places that differ are written over for each sending.
type forged struct {
	kind                          share
	given                         *challenge
	text                          []byte
	branch, call, nonce, response []byte   // places of 16 hex digits in text; nil where there is none
	users                         [][]byte // places of six digits
}

// spec is where the source address stands in the control message: after its header (16 bytes) and the interface (4).
const spec = 20

// next makes packet i of batch n.
func (f *forger) next(p *forged, m *ipv4.Message, i, n int) {
	kind, victim := kindOf(i, n)
	if given := f.given.Load(); p.text == nil || p.kind != kind || p.given != given {
		*p = newForged(kind, given)
		m.Buffers = [][]byte{p.text}
	}
	src := f.forged[rand.IntN(len(f.forged))]
	if victim {
		src = f.victims[n%len(f.victims)]
	}
	a := src.As4()
	copy(m.OOB[spec:], a[:])
	user := f.users[rand.IntN(len(f.users))]
	for _, at := range p.users {
		copy(at, user)
	}
	for _, at := range [][]byte{p.branch, p.call, p.nonce, p.response} {
		putHex(at, rand.Uint64())
	}
}

// putHex fills a place of 16 hex digits, if there is one.
func putHex(dst []byte, v uint64) {
	if len(dst) == 0 {
		return
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	hex.Encode(dst, b[:])
}

// Marks stand in the text where something is written over for each packet; each is as long as that.
const (
	markUser     = "%user%"
	markBranch   = "%%%branch%%%%%%%"
	markCall     = "%%%callid%%%%%%%"
	markResponse = "%%%response%%%%%"
	markNonce    = "%%%nonce%%%%%%%%"
)

// newForged writes the text of a kind and finds the places that change.
func newForged(kind share, given *challenge) forged {
	text := "REGISTER sip:bench.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;rport;branch=z9hG4bK" + markBranch + "\r\nMax-Forwards: 70\r\n" +
		"From: <sip:" + markUser + "@bench.test>;tag=1\r\nTo: <sip:" + markUser + "@bench.test>\r\nCall-ID: " + markCall + "\r\nCSeq: 2 REGISTER\r\n" +
		"Contact: <sip:guest@192.0.2.7:5060>\r\nUser-Agent: " + guessAgent + "\r\n"
	if kind != bare {
		c := *given
		if kind == made {
			c.nonce = c.nonce[:max(len(c.nonce)-len(markNonce), 0)] + markNonce
		}
		text += c.authorization(markUser, markResponse+"0123456789abcdef") + "\r\n"
	}
	p := forged{kind: kind, given: given, text: []byte(text + "Expires: 3600\r\nContent-Length: 0\r\n\r\n")}
	place := func(mark string) []byte {
		if i := bytes.Index(p.text, []byte(mark)); i >= 0 {
			return p.text[i : i+len(mark)]
		}
		return nil
	}
	p.branch, p.call, p.nonce, p.response = place(markBranch), place(markCall), place(markNonce), place(markResponse)
	for at := place(markUser); at != nil; at = place(markUser) {
		p.users = append(p.users, at)
		copy(at, "000000")
	}
	return p
}

// forgedAddresses are n different addresses of loopback, spread over 127.64.0.0/10 and so over some 16,000 networks.
func forgedAddresses(n int) []netip.Addr {
	r := rand.New(rand.NewPCG(1, 2))
	seen, list := map[uint32]bool{}, make([]netip.Addr, 0, n)
	for len(list) < n {
		v := 127<<24 | 64<<16 | r.Uint32N(1<<22)
		if last := v & 255; seen[v] || last == 0 || last == 255 || v>>16 == 127<<8|66 { // 127.66/16 is of those with real addresses
			continue
		}
		seen[v] = true
		list = append(list, netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}))
	}
	return list
}
