package sip

import (
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
	"ringfence/flow/door"
)

// proof is whether the carrier confirms a call that seems to come from it: over UDP anyone can send an INVITE with a
// carrier's address as its source. The carrier is asked while the call rings: with a reliable provisional answer, which it
// acknowledges by PRACK if the call is its own and it knows RFC 3262; else with OPTIONS in the early dialog. Only the
// carrier sees either, since both go to the address that the INVITE claims to be from. Its 481 ends the ringing. Silence does
// not: many carriers do not answer. The call then remains among the first to be ended when the trunk's share is full.
type proof struct {
	proven bool          // the carrier has confirmed it
	rang   bool          // the caller has had a provisional answer
	fork   int           // whose tag it had
	text   []byte        // the provisional answer, to be sent again
	askAt  time.Duration // when the OPTIONS goes out
	denied int           // how many times a 481 came
}

// When a carrier is asked: a moment after ringing, so that the answer which makes the dialog is there first; later when a
// PRACK may still come; and again after a 481, since the answer that makes the dialog may have been lost.
const (
	askSoon    = 400 * time.Millisecond
	askLate    = 900 * time.Millisecond
	askAgain   = 300 * time.Millisecond
	deniedOnce = 2
)

// wantProof asks for proof if the call came over UDP.
func (b *bridge) wantProof() {
	if b.a.dest.Proto == transport.UDP {
		b.proof = &proof{askAt: transaction.Never}
	}
}

// due is when the carrier is to be asked.
func (p *proof) due() time.Duration {
	if p == nil {
		return transaction.Never
	}
	return p.askAt
}

// tickProof asks.
func (b *bridge) tickProof() {
	s, p := b.s, b.proof
	if p == nil || b.state != calling {
		return
	}
	if s.now >= p.askAt {
		p.askAt = transaction.Never
		b.askCarrier()
	}
}

// ringAgain repeats the first provisional answer.
func (b *bridge) ringAgain() {
	if t := b.a.invite; t != nil && t.head != nil && b.proof.text != nil {
		b.s.e.stats.repeats.Add(1)
		b.s.e.send(t.to, b.proof.text, 0)
	}
}

// askCarrier sends OPTIONS in the early dialog to where the INVITE says that it is from, whatever its Contact says.
func (b *bridge) askCarrier() {
	var tag [tagLen]byte
	forkTag(tag[:], b.a.localTag, b.proof.fork)
	b.a.askEarly(string(tag[:]), forProof)
}

// askEarly sends OPTIONS in the early dialog that has this tag of ours.
func (l *leg) askEarly(tag string, reason purpose) *client {
	s, own := l.b.s, l.local
	l.local = strings.Replace(own, l.localTag, tag, 1)
	l.localSeq++
	c := &client{leg: l, method: message.OPTIONS, why: reason, seq: l.localSeq, branch: s.newBranch(), to: l.dest}
	l.compose(&request{method: message.OPTIONS, why: reason}, c.seq, c.branch)
	l.local = own
	return s.launch(c)
}

// carrierSaid takes the answer to the question; m is nil when none came.
func (b *bridge) carrierSaid(m *message.Message, status int) {
	p := b.proof
	switch {
	case p == nil || m == nil || b.state != calling:
	case status >= 200 && status < 300:
		b.proves()
	case status == 481:
		if p.denied++; p.denied >= deniedOnce {
			b.s.e.stats.forged.Add(1)
			b.finish(ending{by: call.System, why: policy.PeerGone, status: 481})
			return
		}
		b.ringAgain()
		p.askAt = b.s.now + askAgain
	}
}

// proves notes that the carrier has confirmed the call.
func (b *bridge) proves() {
	if p := b.proof; p != nil && !p.proven {
		p.proven, p.askAt = true, transaction.Never
		for _, f := range b.forks {
			if f.ack == nil && b.setup != nil && !b.setup.requires {
				f.repeatAt = transaction.Never // it was sent reliably for the proof only
			}
		}
		b.s.e.seats.proven(b)
	}
}

// proves takes a request inside the dialog: only the carrier has seen our tag.
func (l *leg) proves(p *transport.Packet) {
	src, e := p.Src.Addr(), l.b.s.e
	if l.uas && l.b.proof != nil && (src == l.dest.Addr.Addr() || e.door.May(door.Party{Trunk: l.trunk}, src, l.b.s.wall)) {
		l.b.proves()
	}
}
