package sip

import (
	"strings"
	"time"

	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/flow/gate"
)

// Early dialogs are dialogs (RFC 3261 12.1). Each To tag in the answers to an INVITE of ours is a leg of its own, with its target, its
// numbers and its session; the caller knows each under a To tag of ours. Until the answer they are maintained side by side.

// fork is an early dialog as the caller knows it: one To tag of ours.
type fork struct {
	n       int
	tag     string
	leg     *leg    // the callee's dialog that it stands for
	seq     uint32  // number of the caller's latest request in it
	session content // the session that the caller was last sent in it
	agreed  bool    // the caller has acknowledged that session, so that it may be changed
	asking  *server // an offer in it, from either side, that is not answered yet
	reliable
}

// maxForks bounds the further dialogs of callees, and To tags, of one call beside those of its own legs.
const maxForks = 20

// newFork makes a leg known to the caller under a tag of its own.
func (b *bridge) newFork(l *leg) *fork {
	var tag [tagLen]byte
	forkTag(tag[:], b.a.localTag, len(b.forks))
	f := &fork{n: len(b.forks), tag: string(tag[:]), leg: l, seq: b.a.remoteSeq}
	f.repeatAt = transaction.Never
	b.forks = append(b.forks, f)
	l.fork = f.n
	return f
}

// forkOf is the early dialog that has this tag of ours; nil: none.
func (b *bridge) forkOf(tag []byte) *fork {
	for _, f := range b.forks {
		if f.tag == string(tag) {
			return f
		}
	}
	return nil
}

// known is the early dialog that a leg is known to the caller by now.
func (l *leg) known() *fork {
	for _, f := range l.b.forks {
		if f.n == l.fork {
			return f
		}
	}
	return nil
}

// forkFor is the early dialog in which the caller is sent a session of a callee. A dialog that was sent another session is left for a new
// one, because no caller takes two answers in one dialog (RFC 3261 13.2.1, RFC 6337), unless both sides agreed on that session: then it is changed.
func (b *bridge) forkFor(l *leg, said content) *fork {
	f := l.known()
	if said.empty() || f.session.empty() || f.agreed || !said.changes(f.session, l.session) || len(b.forks) >= maxOuts+2*maxForks {
		return f
	}
	return b.newFork(l)
}

// dialogFor is the leg of the callee's dialog that has this tag: l itself for the first tag that comes in answer to our INVITE, one beside it
// for each other. Nil: there are too many.
func (l *leg) dialogFor(c *client, tag string) *leg {
	b := l.b
	if tag == "" || tag == l.remoteTag || l.remoteTag == "" {
		return l
	}
	if x := l.beside(tag); x != nil {
		return x
	}
	if len(b.outs()) >= maxOuts+maxForks {
		return nil
	}
	x := &leg{
		b: b, callID: l.callID, localTag: l.localTag, local: l.local, remote: l.remote, target: l.target, dest: l.dest, localSeq: c.seq, trunk: l.trunk, line: l.line, login: l.login,
		hidden: l.hidden, session: c.said, unansweredAt: l.unansweredAt,
	}
	b.all = append(b.all, x)
	if b.state == calling {
		b.newFork(x)
	}
	return x
}

// beside is the leg under the same Call-ID whose peer has this tag.
func (l *leg) beside(tag string) *leg {
	for _, x := range l.b.all {
		if x.callID == l.callID && x.remoteTag == tag {
			return x
		}
	}
	return nil
}

// made takes the dialog's state from an answer to our INVITE.
func (l *leg) made(m *message.Message) {
	if m.To().Tag() == nil {
		return
	}
	l.remoteTag, l.remote = string(m.To().Tag()), l.remoteIn(m)
	l.learn(m)
}

// take moves our INVITE to the dialog that has answered it.
func (l *leg) take(c *client) {
	from := c.leg
	if from == l {
		return
	}
	from.clients, from.asked = without(from.clients, c), nil
	c.leg, l.asked, l.clients = l, c, append(l.clients, c)
	l.b.s.uac[l.callID] = l
}

// closeForks ends the early dialogs of an INVITE that was refused.
func (l *leg) closeForks() {
	for _, x := range l.b.outs() {
		if x.callID == l.callID && x.state == early {
			x.state = closed
		}
	}
}

// provisional passes ringing and early media on.
func (b *bridge) provisional(c *client, m *message.Message, status int) {
	u := b.setup
	u.silentAt, u.searchAt = transaction.Never, 0
	if status == 100 || status == 199 { // 199: a dialog is over, and says nothing more (RFC 6228)
		return
	}
	l := c.leg.dialogFor(c, string(m.To().Tag()))
	if l == nil {
		return
	}
	rseq, numbered := m.RSeq()
	numbered = numbered && m.HasToken(message.HRequire, "100rel") && m.To().Tag() != nil
	if numbered && (rseq <= l.rseq || len(l.clients) >= maxServers) {
		return // a retransmission: its PRACK is under way, or waits for the caller's
	}
	if tag := m.To().Tag(); tag != nil && string(tag) != l.remoteTag && u.keepAt == transaction.Never {
		u.keepAt = b.s.now // the stored snapshot does not have this dialog
	}
	l.made(m)
	if status == 180 || status == 183 {
		b.s.e.door.Notify(b.id, gate.Ringing{})
	}
	if status == 182 { // queued (RFC 3261 21.1.4): it may ring for longer
		u.ringAt = max(u.ringAt, u.queueAt)
	}
	u.tryingAt = transaction.Never
	r := reply{code: status, contact: true, lines: b.passReason(m), content: contentOf(m)}
	said := r.session()
	f := b.forkFor(l, said)
	if f.agreed && !said.empty() && said.changes(f.session, l.session) { // it may be changed, but not like this
		r.content = content{}
	}
	var ack *acknowledgement
	if numbered {
		l.rseq = rseq
		ack = &acknowledgement{leg: l, rseq: rseq, seq: c.seq, answers: !said.empty() && c.offers()}
	}
	b.ring(f, r, ack)
}

// answerIn chooses the early dialog that the call goes on in, and what the caller is sent as the answer: the session in force.
func (b *bridge) answerIn(l *leg) *fork {
	u, f := b.setup, l.known()
	said := u.answer.session()
	switch {
	case f.agreed && !said.empty() && said.changes(f.session, l.session): // the caller is asked as soon as it can be
		b.a.owed, u.answer = said, f.session
	case f.agreed:
	case said.empty():
		u.answer = f.session // the session was sent in a provisional answer, which may have been lost
	default:
		f = b.forkFor(l, said)
	}
	if b.a.session = u.answer.session(); b.a.session.empty() {
		b.a.session = f.session
	}
	b.a.remoteSeq = max(b.a.remoteSeq, f.seq)
	b.forks = []*fork{f} // for a PRACK that is under way
	return f
}

// passEarly takes a request inside an early dialog, other than PRACK, to the other side.
func (l *leg) passEarly(t *server, m *message.Message) {
	b, s := l.b, l.b.s
	if l == b.a && b.asked() {
		l.whileAsked(t, m)
		return
	}
	f := l.known()
	if l == b.a {
		f = b.forkOf(m.To().Tag())
	}
	switch {
	case b.state == over || f != nil && f.leg.state == closed:
		s.respond(t, reply{code: 481})
	case b.state != calling || f == nil:
		s.respond(t, reply{code: 491}) // answered in this moment
	case m.Method() == message.INVITE && l == b.a: // a second INVITE before the first is answered (RFC 3261 14.2)
		s.respond(t, reply{code: 500, lines: retryAfter})
	case m.Method() == message.INVITE:
		s.respond(t, reply{code: 491})
	case m.Method() == message.INFO:
		lines, body := b.crossing(m)
		l.askOther(f, t, request{method: message.INFO, lines: lines, content: body.kept()})
	case !t.offer:
		l.retarget(m)
		s.respond(t, reply{code: 200, contact: true})
	default:
		l.offerEarly(f, t, m)
	}
}

// offerEarly takes an UPDATE with an offer before the call is answered (RFC 3311 5.2): to a party that has agreed on a session and can be
// asked for another. A caller that cannot be asked is sent the new session in a dialog of its own.
func (l *leg) offerEarly(f *fork, t *server, m *message.Message) {
	b, s, x := l.b, l.b.s, f.leg
	open := f.asking != nil && f.asking.head != nil
	lines, body := b.crossing(m)
	body = body.kept()
	switch {
	case open && f.asking.leg == l || l == b.a && !(x.agreed && x.updates):
		s.respond(t, reply{code: 500, lines: retryAfter})
	case open || !x.agreed:
		s.respond(t, reply{code: 491})
	case l == b.a || f.agreed && b.a.updates:
		l.retarget(m)
		f.asking = t
		l.askOther(f, t, request{method: message.UPDATE, lines: lines, content: body})
	default:
		l.retarget(m)
		s.respond(t, reply{code: 200, contact: true, content: x.session})
		if said := body.session(); said.changes(f.session, x.session) {
			b.ring(b.forkFor(x, said), reply{code: 183, contact: true, content: said}, nil)
		}
	}
}

// askOther sends a request of one side's early dialog in the other side's.
func (l *leg) askOther(f *fork, t *server, r request) {
	r.why, r.asks, t.fork = forEarly, t, f
	switch {
	case l != l.b.a:
		l.b.a.sendIn(f.tag, r)
	case f.leg.remoteTag == "": // the callee has made no dialog yet
		l.b.s.respond(t, reply{code: 500, lines: retryAfter})
	default:
		f.leg.send(r)
	}
}

// sendIn sends a request in the early dialog that has this tag of ours.
func (l *leg) sendIn(tag string, r request) {
	own := l.local
	l.local = strings.Replace(own, l.localTag, tag, 1)
	l.send(r)
	l.local = own
}

// earlyAnswered takes the answer to what one side asked the other before the call was answered.
func (b *bridge) earlyAnswered(c *client, m *message.Message, status int) {
	t := c.asks
	switch {
	case status < 200 || t == nil || t.head == nil:
		return
	case m == nil || status >= 300:
		b.s.respond(t, reply{code: passStatus2(t.method, status)})
		return
	}
	r := reply{code: 200, content: contentOf(m), contact: t.method == message.UPDATE}
	if c.offers() {
		b.agreedEarly(c, t.fork, r.session())
	}
	b.s.respond(t, r)
}

// agreedEarly puts a session in force on both sides of an early dialog. PRACK may also carry the answer to what the callee offered.
func (b *bridge) agreedEarly(c *client, f *fork, answer content) {
	to, from := &c.leg.session, &f.session
	if c.leg == b.a {
		to, from = &f.session, &f.leg.session
	}
	if *to = c.said; !answer.empty() {
		*from = answer.kept()
	}
	f.agreed, f.leg.agreed = true, true
	if b.state >= answering && f.leg == b.peer { // it crossed the answer
		b.a.session = f.session
	}
}

// dueForks is when tickForks has something to do.
func (b *bridge) dueForks() time.Duration {
	at := transaction.Never
	for _, f := range b.forks {
		at = min(at, f.repeatAt)
	}
	return at
}
