// Package voice asks callers a question over RTP, and listens for keys: G.711, telephone events (RFC 4733) and in-band tones. It knows no SIP and nothing of calls:
// it is given a session description and says what to answer. Prompts are files that a provider may replace.
package voice

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	crand "crypto/rand"

	"ringfence/core/money"
)

// Options are the settings of a Voice. Zero fields have the stated defaults.
type Options struct {
	Listen    netip.Addr   // where RTP is received; the zero Addr is every address
	Advertise []netip.Addr // our addresses as callers see them, one of a family; none: the one that the caller's signalling has reached
	Low, High uint16       // the UDP ports for RTP, even ones of them; 0, 0: any free port
	Most      int          // questions at the same time; 0 is 200
	Prompts   fs.FS        // files that replace built-in prompts of the same name; nil: none
	Log       *slog.Logger
	// Open opens a socket for tests in virtual time. Nil: a UDP socket.
	Open func(at netip.AddrPort) (net.PacketConn, error)
}

// Voice asks callers. Safe for concurrent use.
type Voice struct {
	o     Options
	clips map[string][]byte // µ-law

	mu     sync.Mutex // owns the rest
	open   map[*Session]bool
	random *rand.ChaCha8
	closed bool
}

// Errors of Ask, beside ErrCodec and those of the system.
var (
	ErrFull   = errors.New("the voice asks as many callers as it can")
	errClosed = errors.New("the voice is closed")
)

const defaultMost = 200

// New makes a voice. The error names every prompt that cannot be used, and says what one must be.
func New(o Options) (*Voice, error) {
	if o.Most == 0 {
		o.Most = defaultMost
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Low > o.High {
		return nil, fmt.Errorf("RTP ports from %d to %d: the first is greater than the last", o.Low, o.High)
	}
	clips, err := load(o.Prompts)
	if err != nil {
		return nil, err
	}
	if o.Open == nil {
		o.Open = func(at netip.AddrPort) (net.PacketConn, error) {
			return net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		}
	}
	var seed [32]byte
	crand.Read(seed[:]) // never fails, by its documentation
	return &Voice{o: o, clips: clips, open: map[*Session]bool{}, random: rand.NewChaCha8(seed)}, nil
}

// Close ends every question.
func (v *Voice) Close() error {
	v.mu.Lock()
	v.closed = true
	all := make([]*Session, 0, len(v.open))
	for s := range v.open {
		all = append(all, s)
	}
	v.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
	return nil
}

// Question is what a caller hears.
type Question struct {
	Press   string        // the digits that let the call go on: "1", or "472"
	Rate    money.Rate    // price of a minute
	Connect money.Micro   // charge for the connection; 0: none
	Left    money.Micro   // what may still be spent today; negative: it is not said
	Tries   int           // wrong answers that are one too many; 0 is 3
	Limit   time.Duration // for the whole question; 0 is 60 s
}

// Outcome is how a question ended.
type Outcome uint8

// Outcomes.
const (
	Passed Outcome = iota
	Wrong          // the last answer that was allowed was wrong, or the time ended after a wrong one
	Silent         // no answer came
)

// Result is an outcome with its figures.
type Result struct {
	Outcome Outcome
	Wrong   int  // wrong answers
	Hasty   int  // keys that came before the digits had been spoken: nobody can know them
	Heard   bool // RTP came from the caller
}

// Ask prepares a question. offer is the caller's session description; when it is empty, sdp is an offer, whose answer Session.Answer takes. peer is where the
// caller's signalling comes from, and local the address that it has reached. Nothing is sent before Begin. done is called at most once, on another goroutine, and
// not after Close has returned.
func (v *Voice) Ask(offer []byte, peer, local netip.Addr, q Question, done func(Result)) (s *Session, sdp []byte, err error) {
	var h *heard
	if len(offer) > 0 {
		read, err := readSDP(offer)
		if err != nil {
			return nil, nil, err
		}
		h = &read
	}
	if q.Tries == 0 {
		q.Tries = 3
	}
	if q.Limit == 0 {
		q.Limit = time.Minute
	}
	s = &Session{v: v, q: q, done: done, peer: peer.Unmap(), quit: make(chan struct{}), ssrc: v.number32(), seq: uint16(v.number32()), stamp: v.number32(), id: uint64(v.number32())}
	if err := v.enter(s); err != nil {
		return nil, nil, err
	}
	if s.conn, err = v.socket(); err != nil {
		v.leave(s)
		return nil, nil, err
	}
	s.here = netip.AddrPortFrom(v.address(peer, local), portOf(s.conn))
	if h != nil {
		s.takes(*h)
	}
	s.version = 1
	go s.read()
	return s, ours(h, s.here, s.id, s.version), nil
}

func (v *Voice) number32() uint32 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return uint32(v.random.Uint64())
}

func (v *Voice) enter(s *Session) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.closed:
		return errClosed
	case len(v.open) >= v.o.Most:
		return ErrFull
	}
	v.open[s] = true
	return nil
}

func (v *Voice) leave(s *Session) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.open, s)
}

// socketTries is how many ports of the range are tried: one that is taken is passed over.
const socketTries = 50

// socket is a socket on a free port of the range.
func (v *Voice) socket() (c net.PacketConn, err error) {
	at := v.o.Listen
	if !at.IsValid() {
		at = netip.IPv6Unspecified()
	}
	low, high := (int(v.o.Low)+1)&^1, int(v.o.High)&^1
	if high == 0 {
		return v.o.Open(netip.AddrPortFrom(at, 0))
	}
	n := (high-low)/2 + 1
	first := int(v.number32()) % n
	for i := range min(n, socketTries) {
		port := low + (first+i)%n*2
		if c, err = v.o.Open(netip.AddrPortFrom(at, uint16(port))); err == nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w: no free UDP port from %d to %d: %w", ErrFull, low, high, err)
}

func portOf(c net.PacketConn) uint16 {
	if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
		return uint16(a.Port)
	}
	return 0
}

// address is what callers send RTP to.
func (v *Voice) address(peer, local netip.Addr) netip.Addr {
	for _, a := range v.o.Advertise {
		if a.Is4() == peer.Unmap().Is4() {
			return a
		}
	}
	if v.o.Listen.IsValid() && !v.o.Listen.IsUnspecified() && v.o.Listen.Is4() == peer.Unmap().Is4() {
		return v.o.Listen
	}
	return local.Unmap()
}
