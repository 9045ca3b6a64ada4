package transport

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// datagrams is a UDP socket: mmsg (batched system calls, Linux) or plain (any net.PacketConn).
type datagrams interface {
	// read waits for packets and fills slots from the first on: Buf, which is empty when the datagram was too long, and Src. A nil slot
	// is given a packet.
	read(slots []*Packet) (n int, err error)
	// write sends all of the queue; it returns how many packets went out.
	write(q *queue) (sent int)
	close() error
}

// socket is one UDP socket with its queue.
//
// A sender that finds the socket idle writes, and continues until the queue is empty; so at low load a packet
// leaves immediately on its sender's goroutine, and under load packets gather while the system call runs. While the reader
// hands out a batch (held), senders only queue, up to flushAt, and the reader flushes at the end.
type socket struct {
	t     *Transport
	io    datagrams
	local netip.AddrPort
	flow  uint32

	mu       sync.Mutex
	waiting  queue // guarded by mu
	held     bool  // guarded by mu
	flushing bool  // guarded by mu; the goroutine that sets it owns writing until it is unset
	writing  queue
}

const (
	batchSize = 64
	flushAt   = 32
	maxArena  = 8 << 20 // bytes waiting on one socket
)

// queue is a run of packets in one arena.
type queue struct {
	arena []byte
	items []item
}

type item struct {
	to         netip.AddrPort
	start, end int // bounds in the arena
}

func (q *queue) add(to netip.AddrPort, b []byte) {
	at := len(q.arena)
	q.arena = append(q.arena, b...)
	q.items = append(q.items, item{to, at, len(q.arena)})
}

// reset empties the queue; an arena that a burst blew up is let go.
func (q *queue) reset() {
	if cap(q.arena) > 1<<20 {
		q.arena = nil
	}
	q.arena, q.items = q.arena[:0], q.items[:0]
}

func (s *socket) send(to netip.AddrPort, b []byte) error {
	s.mu.Lock()
	if len(s.waiting.items) >= s.t.cfg.QueueLen || len(s.waiting.arena)+len(b) > maxArena {
		s.mu.Unlock()
		return ErrQueueFull
	}
	s.waiting.add(to, b)
	if s.flushing || s.held && len(s.waiting.items) < flushAt {
		s.mu.Unlock()
		return nil
	}
	s.flushing = true
	s.mu.Unlock()
	s.flush()
	return nil
}

// flush writes until the queue is empty. The caller has set flushing.
func (s *socket) flush() {
	for {
		s.mu.Lock()
		if len(s.waiting.items) == 0 {
			s.flushing = false
			s.mu.Unlock()
			return
		}
		s.waiting, s.writing = s.writing, s.waiting
		s.mu.Unlock()
		s.t.count.out[UDP].Add(uint64(s.io.write(&s.writing)))
		s.writing.reset()
	}
}

func (s *socket) hold() {
	s.mu.Lock()
	s.held = true
	s.mu.Unlock()
}

func (s *socket) unhold() {
	s.mu.Lock()
	s.held = false
	mine := !s.flushing && len(s.waiting.items) > 0
	if mine {
		s.flushing = true
	}
	s.mu.Unlock()
	if mine {
		s.flush()
	}
}

// run reads until the socket is closed. No other error ends it.
func (s *socket) run() {
	slots := make([]*Packet, batchSize)
	for {
		n, err := s.io.read(slots)
		if err != nil {
			if s.t.stopped.Load() || errors.Is(err, net.ErrClosed) {
				return
			}
			if !s.t.pause(time.Millisecond) {
				return
			}
			continue
		}
		s.handle(slots[:n])
	}
}

func (s *socket) handle(slots []*Packet) {
	s.t.count.in[UDP].Add(uint64(len(slots)))
	now := nanotime()
	s.hold()
	for i, p := range slots {
		if bans := s.t.cfg.Bans; bans != nil && bans.banned(p.Src.Addr(), now) {
			s.t.count.banned.Add(1)
			continue
		}
		if keepAlive(p.Buf) {
			s.keepAlive(p, now)
			continue
		}
		p.Local, p.Proto, p.Flow, p.Proved = s.local, UDP, s.flow, nil
		s.t.deliver(&slots[i])
	}
	s.unhold()
}

// pause waits after an error that may persist; false when the transport stops.
func (t *Transport) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.ctx.Done():
		return false
	}
}

// plain reads and writes one packet per call.
type plain struct {
	pc      net.PacketConn
	scratch []byte // the reader's
}

func newPlain(pc net.PacketConn) *plain { return &plain{pc: pc, scratch: make([]byte, maxDatagram+1)} }

func (s *plain) read(slots []*Packet) (int, error) {
	n, from, err := s.pc.ReadFrom(s.scratch)
	if err != nil {
		return 0, err
	}
	if slots[0] == nil {
		slots[0] = newPacket()
	}
	src, ok := addrPort(from)
	if !ok {
		return 0, nil
	}
	if n > maxDatagram {
		n = 0
	}
	slots[0].Src = src
	slots[0].Buf = append(slots[0].store[:0], s.scratch[:n]...)
	return 1, nil
}

func (s *plain) write(q *queue) (sent int) {
	for _, it := range q.items {
		if _, err := s.pc.WriteTo(q.arena[it.start:it.end], net.UDPAddrFromAddrPort(it.to)); err == nil {
			sent++
		}
	}
	return sent
}

func (s *plain) close() error { return s.pc.Close() }
