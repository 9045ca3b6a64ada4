package transport

import (
	"net/netip"
	"runtime/debug"
	"sync"

	"ringfence/edge/sip/message"
)

// Sizes of buffers.
const (
	smallBuf    = 4096  // what nearly all SIP messages fit in
	maxDatagram = 65507 // payload of a UDP datagram over IPv4
)

// Packet is one message as received. It is reused when Handle returns, unless Handle called Keep.
type Packet struct {
	Buf   []byte // the datagram, or one whole message of a stream
	Src   netip.AddrPort
	Local netip.AddrPort // as bound: an unspecified address when the socket is bound to one
	Proto Proto
	Flow  uint32
	// Proved are the names in the certificate that the sender's connection began with, if it is valid and one of our authorities has signed it; nil: none.
	Proved []string
	Msg    message.Message // filled by Parse

	store []byte   // smallBuf bytes that Buf usually lies in
	slot  **Packet // the reader's own reference, cleared by Keep; touched on the reader's goroutine only
}

var packets = sync.Pool{New: func() any { return &Packet{store: make([]byte, smallBuf)} }}

func newPacket() *Packet { return packets.Get().(*Packet) }

// Parse parses the packet into Msg.
func (p *Packet) Parse() *message.Fault {
	if f := message.Parse(&p.Msg, p.Buf); f != nil || p.Proto == UDP || p.Proto == WSS {
		return f
	}
	return p.Msg.Unframed()
}

// From returns where an answer goes when it goes back the way the packet came.
func (p *Packet) From() Dest { return Dest{Addr: p.Src, Proto: p.Proto, Flow: p.Flow} }

// Keep takes the packet over, Buf and Msg with it. Call it inside Handle, before the packet is handed to another
// goroutine. The keeper calls Release once, when nothing refers to the packet any more.
func (p *Packet) Keep() {
	if p.slot != nil {
		*p.slot = nil
		p.slot = nil
	}
}

// Release gives a kept packet back. Its buffer is reused: nothing may point into it.
func (p *Packet) Release() {
	p.Msg.Reset()
	p.Buf, p.slot = nil, nil
	packets.Put(p)
}

// rest gives a reader's packet back, unless the handler kept it, so that an idle connection holds none. It returns the reader's new packet: none.
func rest(p *Packet) *Packet {
	if p != nil {
		p.Release()
	}
	return nil
}

// deliver hands the packet in *slot to the handler. Afterwards *slot is nil when the handler kept the
// packet, or when it panicked: something may still point into it then.
func (t *Transport) deliver(slot **Packet) {
	p := *slot
	p.slot = slot
	defer func() {
		if v := recover(); v != nil {
			*slot = nil
			t.panicked(v)
		}
	}()
	t.cfg.Handle(p)
}

// panicked reports a recovered panic. It is called in the deferred function, where the stack still shows the place.
func (t *Transport) panicked(v any) {
	if t.cfg.Panicked == nil {
		return
	}
	defer func() { _ = recover() }() // a report that panics in turn must not end the program
	t.cfg.Panicked(v, debug.Stack())
}

// keepAlive tells datagrams that only keep a NAT binding open: line breaks, NULs, STUN (RFC 5626 section 4.4), and all
// that is too short to be anything.
func keepAlive(b []byte) bool {
	return len(b) < 16 || b[0] <= 1 // the first byte of a SIP message is a letter or a line break
}
