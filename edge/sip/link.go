package sip

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"sync"

	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
)

// A link joins two calls of this edge: a SIP dialog whose messages never leave the process. To the call that is sent on it is the callee, to
// the call that sends it on the caller. It ends, changes its session, and is restored after a crash as any other leg.

// link is the protocol of a link. No packet from a network has it, so that nobody can forge one.
const link transport.Proto = 255

// The ends of a link, as ports of its places.
const (
	tookInvite = 1 // the leg of the call that sends on
	sentInvite = 2 // the leg of the call that is sent on
)

// linkPlace is the place of one end of a link. The hashes lead to the shards of both ends, whatever the number of shards. The prefix is one that no host
// has (RFC 6666).
func linkPlace(to, from uint32, end uint16) transport.Dest {
	raw := [16]byte{1}
	binary.BigEndian.PutUint32(raw[8:], to)
	binary.BigEndian.PutUint32(raw[12:], from)
	return transport.Dest{Addr: netip.AddrPortFrom(netip.AddrFrom16(raw), end), Proto: link}
}

// linkEnds reads a place.
func linkEnds(at netip.AddrPort) (to, from uint32) {
	raw := at.Addr().As16()
	return binary.BigEndian.Uint32(raw[8:]), binary.BigEndian.Uint32(raw[12:])
}

// otherEnd is where a message to a place comes from.
func otherEnd(at netip.AddrPort) netip.AddrPort {
	to, from := linkEnds(at)
	return linkPlace(from, to, tookInvite+sentInvite-at.Port()).Addr
}

// home is the hash that leads to the shard of a call.
func (b *bridge) home() uint32 {
	if b.a.dest.Proto == link {
		_, own := linkEnds(b.a.dest.Addr)
		return own
	}
	return hashCallID([]byte(b.a.callID))
}

// links carries messages from shard to shard, in their order.
type links struct {
	mu    sync.Mutex // owns all below
	queue []func()
	busy  bool
}

// toShard has a shard do something, in the order in which it is asked.
func (e *Edge) toShard(s *shard, f func()) {
	k := &e.links
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queue = append(k.queue, func() { s.post(f) })
	if !k.busy {
		k.busy = true
		e.beside(e.carry)
	}
}

// carry posts what waits.
func (e *Edge) carry() {
	k := &e.links
	for {
		k.mu.Lock()
		all := k.queue
		if k.queue = nil; len(all) == 0 {
			k.busy = false
			k.mu.Unlock()
			return
		}
		k.mu.Unlock()
		for _, f := range all {
			f()
		}
	}
}

// overLink takes a message to the other end of a link.
func (e *Edge) overLink(to transport.Dest, out []byte) {
	p := &transport.Packet{Src: otherEnd(to.Addr), Proto: link, Buf: bytes.Clone(out)}
	if f := message.Parse(&p.Msg, p.Buf); f != nil {
		e.log.Error("a message of a link does not parse", "why", f.Why)
		return
	}
	hash, _ := linkEnds(to.Addr)
	s := e.shards[hash%uint32(len(e.shards))]
	e.toShard(s, func() {
		if p.Msg.IsRequest() {
			s.request(p)
		} else {
			s.response(p)
		}
	})
}

// legOf is the leg that a packet is for by its Call-ID. Both ends of a link have one; what is for either, its port says.
func (s *shard) legOf(p *transport.Packet) *leg {
	id := string(p.Msg.CallID())
	first, second := s.uas[id], s.uac[id]
	if !p.Msg.IsRequest() {
		first, second = second, first
	}
	switch {
	case p.Proto == link && p.Src.Port() == tookInvite:
		return s.linkEnd(id, sentInvite)
	case p.Proto == link:
		return s.linkEnd(id, tookInvite)
	case first == nil:
		return second
	}
	return first
}

// linkEnd is a leg that is one end of a link.
func (s *shard) linkEnd(id string, end uint16) *leg {
	for _, l := range []*leg{s.uas[id], s.uac[id]} {
		if l != nil && l.dest.Proto == link && l.dest.Addr.Port() == tookInvite+sentInvite-end {
			return l
		}
	}
	return nil
}

// sending is how a call is made that sends another on: what the gate is asked, and who has sent it on so far.
type sending struct {
	gate.Attempt
	trail trail
	sips  bool // encrypted all the way
}

// linkOut begins the leg of a link to a call that is yet to be made.
func (b *bridge) linkOut(to *sending) *leg {
	s, home := b.s, b.home()
	const uri = "sip:onward@ringfence.invalid"
	l := &leg{
		b: b, callID: s.newCallID(home, b.id), localTag: hex64(s.random.Uint64()), remote: "<" + uri + ">", target: uri,
		dest: linkPlace(home, home, tookInvite), unansweredAt: s.wall, sends: to,
	}
	to.ALeg, to.Parent, to.sips = l.callID, b.id, to.sips || b.sips
	b.all = append(b.all, l)
	s.uac[l.callID] = l
	return l
}

// linked begins the call that sends another on: its line is the one that causes it.
func (s *shard) linked(p *transport.Packet) {
	e, m := s.e, &p.Msg
	from := s.uac[string(m.CallID())]
	if from == nil || from.sends == nil {
		e.answer(p, message.Reply{Code: 481})
		return
	}
	to := from.sends
	from.sends = nil
	if m.MaxForwards() == 0 {
		e.answer(p, message.Reply{Code: 483})
		return
	}
	full, farBeyond := e.seats.full()
	if to.Full = full; farBeyond {
		e.answer(p, message.Reply{Code: 503, Lines: retryAfter})
		return
	}
	b := &bridge{s: s, trail: to.trail, sips: to.sips}
	e.seats.takeOrdinary(b)
	s.begin(b, p)
	s.cur = b
	s.askGate(b, func() func() {
		plan, err := e.door.Admit(e.ctx, to.Attempt)
		return func() { b.admitted(plan, err) }
	})
}

// tried is what the gate learns about a link: it is the route of the call that is sent on.
func (b *bridge) tried(l *leg) { b.s.e.door.Notify(b.id, gate.Trying{BLeg: l.callID}) }
