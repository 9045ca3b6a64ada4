package sip

import (
	"fmt"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
)

// Reliable provisional answers (RFC 3262). A caller that supports them gets those of a callee reliably, and the callee gets its PRACK, with its
// body, when the caller's has come. A caller that requires them gets every provisional answer reliably. For any other caller we acknowledge in
// its place.

// reliable is the state of the reliable answers in one early dialog of the caller: one at a time awaits its PRACK.
type reliable struct {
	rseq     uint32 // of the latest; 0: there was none
	open     bool   // it is not acknowledged yet
	speaks   bool   // it holds a session
	text     []byte // to be repeated
	wait     time.Duration
	repeatAt time.Duration // Never: not, or no longer
	until    time.Duration
	ack      *acknowledgement // what the callee awaits; nil: nothing
	waiting  []ringing
}

// ringing is a reliable answer that waits for the one before it to be acknowledged.
type ringing struct {
	r   reply
	ack *acknowledgement
}

// maxWaiting bounds those.
const maxWaiting = 8

// acknowledgement is the PRACK that a callee awaits.
type acknowledgement struct {
	leg     *leg
	rseq    uint32
	seq     uint32 // of our INVITE
	answers bool   // the callee has answered our offer
}

// send sends it, with what the caller's says.
func (k *acknowledgement) send(f *fork, said content, t *server) {
	r := request{method: message.PRACK, why: forEarly, lines: fmt.Appendf(nil, "RAck: %d %d INVITE\r\n", k.rseq, k.seq), content: said, asks: t}
	if t != nil {
		t.fork = f
	}
	k.leg.send(r)
	k.leg.agreed = k.leg.agreed || k.answers
}

// ring passes a provisional answer to the caller. A carrier that is asked for proof gets the first one reliably, unless it has a body: an
// answer to the call would then have to wait for the PRACK (section 3).
func (b *bridge) ring(f *fork, r reply, ack *acknowledgement) {
	s, p, u := b.s, b.proof, b.setup
	r.fork = f.n
	r.content = r.kept()
	if b.asked() {
		b.ringsAsked(f, r, ack)
		return
	}
	first := p != nil && !p.rang && !p.proven
	surely := b.a.reliable && (u.requires || ack != nil || first && r.empty())
	if first {
		p.rang, p.fork, p.askAt = true, f.n, s.now+askSoon
		if surely {
			p.askAt = s.now + askLate
		}
	}
	if surely {
		b.ringSurely(f, r, ack)
	} else {
		if ack != nil {
			ack.send(f, content{}, nil)
		}
		b.rings(f, r)
	}
	if first {
		p.text = b.a.invite.last
	}
}

// rings sends a provisional answer.
func (b *bridge) rings(f *fork, r reply) {
	if said := r.session(); !said.empty() {
		f.session = said
	}
	b.s.respond(b.a.invite, r)
}

// ringSurely sends a provisional answer that is repeated until it is acknowledged, or lets it wait for the one before it.
func (b *bridge) ringSurely(f *fork, r reply, ack *acknowledgement) {
	s := b.s
	if f.open {
		if len(f.waiting) < maxWaiting {
			f.waiting = append(f.waiting, ringing{r, ack})
		}
		return
	}
	if f.rseq++; f.rseq == 1 {
		f.rseq = uint32(s.random.Uint64()>>34) + 1
	}
	f.open, f.speaks, f.ack = true, !r.session().empty(), ack
	r.lines = fmt.Appendf(r.lines, "Require: 100rel\r\nRSeq: %d\r\n", f.rseq)
	b.rings(f, r)
	f.text = b.a.invite.last
	f.wait = s.e.o.Timers.T1
	f.repeatAt, f.until = s.now+f.wait, s.now+64*f.wait
}

// tickForks repeats what is not acknowledged. A caller that never acknowledges it is refused (RFC 3262 section 3), unless it calls for help.
func (b *bridge) tickForks() {
	s := b.s
	for _, f := range b.forks {
		switch {
		case s.now < f.repeatAt:
			continue
		case b.a.invite == nil || b.a.invite.head == nil: // it has been answered
			f.repeatAt = transaction.Never
			continue
		case s.now >= f.until:
			f.repeatAt = transaction.Never
			if b.state == calling && !b.setup.plan.Always {
				b.finish(ending{by: call.System, why: policy.PeerGone, status: 504})
				return
			}
			continue
		}
		f.wait *= 2
		f.repeatAt = min(s.now+f.wait, f.until)
		s.e.stats.repeats.Add(1)
		s.e.send(b.a.invite.to, f.text, 0)
	}
}

// prackCame takes a PRACK: of our reliable answer, or of none.
func (l *leg) prackCame(t *server, m *message.Message) {
	b, s := l.b, l.b.s
	rseq, seq, method, ok := m.RAck()
	f := b.forkOf(m.To().Tag())
	if l != b.a || f == nil || !f.open || !ok || rseq != f.rseq || l.invite == nil || seq != l.invite.seq || string(method) != "INVITE" || f.leg.state == closed {
		s.respond(t, reply{code: 481})
		return
	}
	f.open, f.repeatAt = false, transaction.Never
	f.agreed = f.agreed || f.speaks && b.setup != nil && !b.setup.offer.session().empty()
	body := contentOf(m).kept()
	said := body.session()
	switch {
	case f.ack != nil:
		f.ack.send(f, body, t)
	case said.empty():
		s.respond(t, reply{code: 200})
	case f.leg.agreed && f.leg.updates && b.state == calling: // an offer (section 5) to a callee that awaits no PRACK
		f.asking = t
		l.askOther(f, t, request{method: message.UPDATE, content: body})
	default:
		s.respond(t, reply{code: 488})
	}
	f.ack = nil
	if len(f.waiting) > 0 && b.state == calling {
		next := f.waiting[0]
		f.waiting = f.waiting[1:]
		b.ringSurely(f, next.r, next.ack)
	}
}
