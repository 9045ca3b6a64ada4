package sip

import (
	"encoding/binary"
	"encoding/hex"
	"hash/maphash"
	"net/netip"
	"strconv"
	"sync"

	"ringfence/core/call"
	"ringfence/core/detect"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
)

// allowed are the methods we understand, as Allow says them.
const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, UPDATE, INFO, PRACK, REFER, NOTIFY, SUBSCRIBE"

var allowLines = []byte("Allow: " + allowed + "\r\nSupported: timer, 100rel, replaces\r\n")

// handle takes one packet on a reader's goroutine. A request from an unknown source is answered here, and nothing is kept of it; everything
// else goes to the shard of its Call-ID.
func (e *Edge) handle(p *transport.Packet) {
	e.traced(true, p.Src, p.Proto, p.Buf)
	if f := p.Parse(); f != nil {
		e.malformed(p, f)
		return
	}
	if !p.Msg.IsRequest() && p.Msg.CSeqMethod() == message.REGISTER {
		e.enrolled.take(p)
		return
	}
	if !p.Msg.IsRequest() && isProbe(&p.Msg) {
		e.avoided.take(p)
		return
	}
	if !p.Msg.IsRequest() && !isOwnCallID(p.Msg.CallID()) {
		p.Msg.PreferCallID(isOwnCallID)
	}
	if f := p.Msg.Uncoded(); f != nil {
		e.malformed(p, f)
	}
	if p.Msg.IsRequest() && e.stateless(p) {
		return
	}
	e.shardOf(p.Msg.CallID()).packet(p)
}

// stateless answers what needs no memory, and says whether it did.
func (e *Edge) stateless(p *transport.Packet) bool {
	m := &p.Msg
	if m.To().Tag() != nil {
		return false
	}
	if e.scanner(p) {
		return true
	}
	switch m.Method() {
	case message.ACK, message.CANCEL:
		return false
	case message.REGISTER:
		if e.hasCredentials(m) {
			return false
		}
		e.login(p)
	case message.INVITE:
		if e.hasCredentials(m) {
			return false
		}
		if _, ok := e.inboundFrom(p); ok {
			return false
		}
		e.login(p)
	case message.OPTIONS:
		if lines := unsupported(m); lines != nil {
			e.answer(p, message.Reply{Code: 420, Lines: lines})
			return true
		}
		e.answer(p, message.Reply{Code: 200, Lines: allowLines})
	case message.BYE, message.INFO, message.UPDATE, message.PRACK:
		e.wrongTags(p, false)
	case message.REFER:
		e.answer(p, message.Reply{Code: policy.NoTransfer.SIPStatus(), Lines: reasonLines(policy.NoTransfer, policy.Figures{})})
	case message.SUBSCRIBE, message.NOTIFY:
		code, lines := refusedEvent(m)
		e.answer(p, message.Reply{Code: code, Lines: lines})
	default: // MESSAGE and PUBLISH among them: there is nobody to give a text to, and no state of presence
		e.answer(p, message.Reply{Code: 405, Lines: allowLines})
	}
	return true
}

// scanner says whether a request comes from an attack tool: it gets no answer at all, so that the attacker learns nothing. Carriers are
// exempt, because they pass on what others wrote.
func (e *Edge) scanner(p *transport.Packet) bool {
	if !e.o.Silent {
		return false
	}
	m := &p.Msg
	if _, is := detect.Scanner(m.Get(message.HUserAgent), m.Get(message.HFrom), m.Get(message.HTo), m.Body()); !is {
		return false
	}
	if trunk, _ := e.trunkFrom(p.Src); trunk != "" {
		return false
	}
	e.stats.scanners.Add(1)
	return true
}

func (e *Edge) hasCredentials(m *message.Message) bool {
	return m.Has(message.HAuthorization) || m.Has(message.HProxyAuthorization)
}

// answer sends a reply and keeps nothing of it. Its To tag is the same for each retransmission of the request (RFC 3261 8.2.7).
func (e *Edge) answer(p *transport.Packet, r message.Reply) {
	if p.Msg.Method() == message.ACK {
		return
	}
	a := answers.Get().(*scratch)
	defer answers.Put(a)
	r.ToTag, r.Src = e.statelessTag(a.tag[:], p), p.Src
	e.send(replyTo(p), message.AppendResponse(a.room[:0], &p.Msg, r), 0)
}

// scratch is where such an answer is written, so that unknown sources cause no allocations.
type scratch struct {
	room [1500]byte
	tag  [16]byte
}

var answers = sync.Pool{New: func() any { return new(scratch) }}

// refuseStateless sends a refusal with its reason and keeps nothing.
func (e *Edge) refuseStateless(p *transport.Packet, reason policy.Reason, f policy.Figures) {
	end := ending{why: reason, f: f}
	e.fill(&end)
	e.answer(p, message.Reply{Code: end.status, Lines: end.lines})
}

var tagSeed = maphash.MakeSeed()

func (e *Edge) statelessTag(dst []byte, p *transport.Packet) []byte {
	var h maphash.Hash
	h.SetSeed(tagSeed)
	h.Write(p.Msg.CallID())
	if v := p.Msg.Via(); v != nil {
		h.Write(v.Branch)
	}
	return putHex64(dst, h.Sum64())
}

// send hands a message to the transport. A full queue is like a packet lost on the way: transactions retransmit.
func (e *Edge) send(to transport.Dest, out []byte, token uint64) {
	if to.Proto == link {
		e.overLink(to, out)
		return
	}
	e.traced(false, to.Addr, to.Proto, out)
	if err := e.net.SendToken(to, out, token); err != nil {
		e.stats.unsent.Add(1)
		e.sendFailed(to, token, err)
	}
}

// Our Call-IDs of B-legs are "rf-" hash of the A-leg's Call-ID "-" id of the call "-" random, so that both legs come to one shard whatever
// the number of shards, also after a restart.
const (
	ownPrefix = "rf-"
	ownHashed = len(ownPrefix) + 8 + 1 // up to the call's id
	ownRandom = 16
)

func isOwnCallID(id []byte) bool {
	return len(id) > ownHashed+ownRandom && string(id[:len(ownPrefix)]) == ownPrefix && id[ownHashed-1] == '-'
}

// callOf is the call that a leg of ours belongs to, by its Call-ID; "" when that does not say, as before 2026-12.
func callOf(callID []byte) call.ID {
	if !isOwnCallID(callID) {
		return ""
	}
	rest := callID[ownHashed:]
	end := len(rest) - ownRandom - 1
	if end < 0 || rest[end] != '-' {
		return ""
	}
	return call.ID(rest[:end])
}

// hashCallID is FNV-1a, or the hash that one of our own Call-IDs carries.
func hashCallID(id []byte) uint32 {
	if isOwnCallID(id) {
		if v, err := strconv.ParseUint(string(id[len(ownPrefix):len(ownPrefix)+8]), 16, 32); err == nil {
			return uint32(v)
		}
	}
	h := uint32(2166136261)
	for _, c := range id {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

func (e *Edge) shardOf(callID []byte) *shard {
	return e.shards[hashCallID(callID)%uint32(len(e.shards))]
}

// putHex64 writes v as 16 hex digits into dst, which has room for them.
func putHex64(dst []byte, v uint64) []byte {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], v)
	return dst[:hex.Encode(dst, raw[:])]
}

func hex64(v uint64) string {
	var b [16]byte
	return string(putHex64(b[:], v))
}

func hex32(v uint32) string { return hex64(uint64(v))[8:] }

// parseHex64 reads what putHex64 wrote.
func parseHex64(b []byte) (v uint64, ok bool) {
	v, err := strconv.ParseUint(string(b), 16, 64)
	return v, err == nil && len(b) == 16
}

// localAddr is the address to give to a peer for reaching us, and the protocol it is of: that of the listener which a packet to it
// leaves from. Where we dial TCP and listen on UDP only, the peer is given that.
func (e *Edge) localAddr(to transport.Dest) (netip.AddrPort, transport.Proto) {
	if to.Proto == link {
		return otherEnd(to.Addr), transport.UDP
	}
	a := e.net.LocalFor(to)
	if !a.IsValid() && to.Proto != transport.UDP {
		to.Proto, to.Flow = transport.UDP, 0
		a = e.net.LocalFor(to)
	}
	for _, ours := range e.o.Advertise {
		if ours.Is4() == a.Addr().Is4() {
			return netip.AddrPortFrom(ours, a.Port()), to.Proto
		}
	}
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port()), to.Proto // a zone means something on this host only
}
