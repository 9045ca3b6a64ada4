package sip

import (
	"cmp"
	"net/netip"
	"strings"
	"time"

	"github.com/icholy/digest"

	"ringfence/core/account"
	"ringfence/edge/sip/challenge"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
	"ringfence/flow/door"
	"ringfence/flow/gate"
	"ringfence/flow/location"
)

// answerChallenge sends a request again with our login at the carrier that asks for one (RFC 3261 22.3), and says
// whether it did. A phone's challenge is not answered.
func (s *shard) answerChallenge(c *client, m *message.Message) bool {
	l := c.leg
	if l.trunk == "" || c.cancelled || c.why == forCancel || c.why == forInvite && (l.b.state != calling || l.state != early) {
		return false
	}
	t := s.e.door.Reach(door.Party{Trunk: l.trunk}, s.wall)
	if t.Trunk.User == "" {
		return false
	}
	password, has := t.Password()
	if !has {
		return false
	}
	a, ok := challenge.Answer(m, digest.Options{
		Method: c.method.String(), URI: string(s.own(c.req).RequestURI()), Username: t.Trunk.User, Password: password, Count: int(c.tries) + 1,
	})
	if !ok {
		return false
	}
	return s.reissue(c, func(w *message.Writer) { w.AddString(a.Header, a.Value) }, a.Header)
}

// stray takes a response that belongs to no leg. An answer to an INVITE that was sent before a crash, from a carrier or a registered
// phone, is acknowledged and hung up: the caller never heard it. A phone is known by its address, because a request names a line and not
// the identity that its registrations are kept under.
func (s *shard) stray(p *transport.Packet) {
	m := &p.Msg
	s.e.stats.unmatched.Add(1)
	if m.CSeqMethod() != message.INVITE || m.Status() < 200 || m.Status() > 299 || !isOwnCallID(m.CallID()) {
		return
	}
	if !s.e.dealtWith(p) && !s.e.door.Peer(p.Src, "").Phone {
		return
	}
	if id := callOf(m.CallID()); id != "" && s.byID[id] == nil && s.seek(p, s.response) {
		return // it was this node's call when the INVITE was sent
	}
	s.e.stats.strays.Add(1)
	if b := s.byID[callOf(m.CallID())]; b != nil && !b.clear {
		b.forgottenLegAnswered(p)
		return
	}
	s.hangUpDialog(m, p.From())
	if id := callOf(m.CallID()); id != "" {
		s.e.door.Notify(id, gate.AnsweredAfter{Trunk: s.e.trunkAt(p.Src), BLeg: string(m.CallID())})
	}
}

// forgottenLegAnswered takes the answer on a leg of a previous process, which died before it could store the leg. Its
// call is in the books: the leg is hung up, and accounted for.
func (b *bridge) forgottenLegAnswered(p *transport.Packet) {
	s := b.s
	l := s.strayLeg(&p.Msg, p.From())
	l.b, l.answeredAt = b, s.wall
	l.trunk = s.e.trunkAt(p.Src)
	b.all = append(b.all, l)
	s.uac[l.callID] = l
	s.cur = b
	l.bye(nil)
	b.remember()
}

// forgottenLegEnded takes a carrier's BYE on a leg that a previous process did not store, and says whether it is one: its answer came while
// no process was running, so that the BYE is the first to arrive.
func (s *shard) forgottenLegEnded(p *transport.Packet) bool {
	m := &p.Msg
	b := s.byID[callOf(m.CallID())]
	if b == nil || b.state != over || b.lingers <= s.now || len(b.outs()) >= 2*maxOuts+maxForks || !s.e.dealtWith(p) {
		return false
	}
	l := &leg{
		b: b, callID: string(m.CallID()), localTag: string(m.To().Tag()), remoteTag: string(m.From().Tag()), dest: p.From(), state: closed,
		trunk: s.e.trunkAt(p.Src), remoteSeq: m.CSeq(), unansweredAt: s.wall,
	}
	b.all = append(b.all, l)
	s.uac[l.callID], s.cur = l, b
	s.e.stats.strays.Add(1)
	s.respond(s.serve(l, p), reply{code: 200})
	l.answeredUnheard()
	b.remember()
	return true
}

// dealtWith says that a packet comes from a carrier: from where its calls come, or from where ours go.
func (e *Edge) dealtWith(p *transport.Packet) bool {
	return e.trunkAt(p.Src) != "" || e.names.host(p.Src) != ""
}

// trunkAt is the trunk at an address: the one whose calls go exactly there, or whose calls come from there; "" is none.
func (e *Edge) trunkAt(src netip.AddrPort) string {
	is := e.door.Peer(src, e.names.host(src))
	return cmp.Or(is.Out, is.Trunk, e.enrolled.from(src.Addr(), time.Now()))
}

// trunk is what the book has on a trunk; zero for the name "".
func (e *Edge) trunk(name string) account.Trunk {
	return e.door.Reach(door.Party{Trunk: name}, time.Time{}).Trunk
}

// phones are those of a line that may ring.
func (s *shard) phones(line string) []location.Binding {
	return s.e.door.Reach(door.Party{Line: line}, s.wall).Phones
}

// lateAnswer takes an answer on a known leg to a request that is over, or that was sent before a restart.
func (l *leg) lateAnswer(p *transport.Packet) {
	m, s := &p.Msg, l.b.s
	s.e.stats.unmatched.Add(1)
	if m.CSeqMethod() != message.INVITE || m.Status() < 200 || m.Status() > 299 {
		return
	}
	switch {
	case string(m.To().Tag()) != l.remoteTag:
		l.spareAnswered(m, p.From())
	case l.ack != nil && l.ackSeq == m.CSeq():
		s.e.send(l.nextHop(), l.ack, 0)
	case l.state == up && l.acked: // our ACK was lost in a restart
		l.sendAck(m.CSeq(), content{})
	}
}

// spareAnswered hangs up a dialog that was answered beside the leg's own, behind the same INVITE: only one can talk. It is a
// leg like any other: it is hung up until it confirms, also after a restart, and the carrier may charge for it.
func (l *leg) spareAnswered(m *message.Message, to transport.Dest) {
	b := l.b
	x := l.beside(string(m.To().Tag()))
	switch {
	case x != nil && x.answeredAt.IsZero(): // an early dialog was answered after all
		x.isUp(m)
		x.bye(nil)
		b.remember()
		return
	case x != nil: // its 200 again: our ACK was lost
		b.s.ackDialog(m, to)
		return
	}
	x = b.s.strayLeg(m, to)
	if len(b.outs()) >= 2*maxOuts+maxForks {
		b.s.hangUpDialog(m, to)
		return
	}
	x.b, x.trunk, x.line, x.login, x.answeredAt = b, l.trunk, l.line, l.login, b.s.wall
	b.all = append(b.all, x)
	x.bye(nil)
	b.remember()
}

// unread stands for a party whose URI cannot be read.
var unread = []byte("sip:unread.invalid")

// remoteIn is To of our requests after an answer. When it cannot be read, or is not there, it is what the INVITE had, with the tag.
func (l *leg) remoteIn(m *message.Message) string {
	if m.To().URI != nil {
		return string(m.To().Text(m.Get(message.HTo), nil))
	}
	was, _, _ := strings.Cut(l.remote, ";tag=")
	if tag := m.To().Tag(); len(tag) > 0 {
		was += ";tag=" + string(tag)
	}
	return was
}

// oddlyAnswered finds the request of ours that an answer belongs to whose Via or CSeq cannot be read: either says which it is. The
// Call-ID, and the tag if there is one, cannot be guessed.
func (l *leg) oddlyAnswered(m *message.Message) (found *client) {
	if tag := m.From().Tag(); len(tag) > 0 && string(tag) != l.localTag {
		return nil
	}
	branch, ours := ownBranch(m.Via().Branch)
	if ours && m.CSeqMethodText() != nil {
		return nil
	}
	for _, c := range l.clients {
		switch {
		case ours && c.branch != branch, !ours && (c.seq != m.CSeq() || c.method != m.CSeqMethod()):
		case found != nil: // an INVITE and its CANCEL
			return nil
		default:
			found = c
		}
	}
	return found
}

// clientOf finds a request of ours by its branch and method, also on a dialog beside the leg's own.
func (l *leg) clientOf(branch uint64, method message.Method) *client {
	for _, x := range l.b.all {
		if x.callID != l.callID {
			continue
		}
		if c := x.client(branch, method); c != nil {
			return c
		}
	}
	return nil
}

// strayLeg is our side of a dialog that was answered and is in no record.
func (s *shard) strayLeg(m *message.Message, to transport.Dest) *leg {
	l := &leg{
		b: &bridge{s: s}, callID: string(m.CallID()), local: string(m.From().Text(m.Get(message.HFrom), unread)),
		remote: string(m.To().Text(m.Get(message.HTo), unread)), dest: to, target: "sip:" + to.Addr.String(),
		localTag: string(m.From().Tag()), remoteTag: string(m.To().Tag()), localSeq: m.CSeq(), ackSeq: m.CSeq(), state: up,
	}
	l.learn(m)
	return l
}

// ackDialog acknowledges a 2xx.
func (s *shard) ackDialog(m *message.Message, to transport.Dest) {
	d := s.strayLeg(m, to)
	d.compose(&request{method: message.ACK, why: forAck}, m.CSeq(), s.newBranch())
	s.e.send(to, s.room, 0)
}

// hangUpDialog acknowledges a 2xx and sends one BYE in its dialog, which is not retransmitted: the call is not ours, or is one too many.
func (s *shard) hangUpDialog(m *message.Message, to transport.Dest) {
	d := s.strayLeg(m, to)
	s.ackDialog(m, to)
	d.compose(&request{method: message.BYE, why: forBye}, m.CSeq()+1, s.newBranch())
	s.e.send(to, s.room, 0)
}
