package sip

import (
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
)

// inDialog takes a new request inside a dialog (RFC 3261 12.2.2).
func (l *leg) inDialog(p *transport.Packet) {
	m, s := &p.Msg, l.b.s
	seq := l.seqFor(m)
	switch {
	case m.CSeq() < *seq:
		s.e.answer(p, message.Reply{Code: 500, Lines: retryAfter})
		return
	case l.state == closed || l.b.state == over:
		s.e.answer(p, message.Reply{Code: 481})
		return
	case len(l.servers) >= maxServers:
		s.e.answer(p, message.Reply{Code: 503, Lines: retryAfter})
		return
	}
	*seq = m.CSeq()
	l.heard(p)
	if lines := unsupported(m); lines != nil && understood(m.Method()) {
		s.respond(s.serve(l, p), reply{code: 420, lines: lines})
		return
	}
	switch m.Method() {
	case message.INVITE, message.UPDATE, message.INFO:
		l.pass(p)
	case message.OPTIONS:
		s.respond(s.serve(l, p), reply{code: 200, lines: allowLines})
	case message.PRACK:
		l.prackCame(s.serve(l, p), m)
	case message.SUBSCRIBE:
		l.subscribe(s.serve(l, p), m)
	case message.NOTIFY:
		code, lines := refusedEvent(m)
		s.respond(s.serve(l, p), reply{code: code, lines: lines})
	case message.REFER:
		l.refer(p)
	default:
		s.respond(s.serve(l, p), reply{code: 405, lines: allowLines})
	}
}

// seqFor is the number of the peer's latest request in the dialog that this one is of: the caller counts separately in each early dialog.
func (l *leg) seqFor(m *message.Message) *uint32 {
	if l == l.b.a && l.state == early {
		if f := l.b.forkOf(m.To().Tag()); f != nil {
			return &f.seq
		}
	}
	return &l.remoteSeq
}

// understood says that a method inside a dialog is one that we know.
func understood(m message.Method) bool {
	return m == message.INVITE || m == message.UPDATE || m == message.INFO || m == message.OPTIONS || m == message.PRACK || m == message.REFER || m == message.SUBSCRIBE
}

// maxServers is the maximum number of requests of a peer that one leg remembers.
const maxServers = 32

// goneThere is the peer's own BYE, or its answer that it knows no such call, while our BYE is under way or was refused: the leg is
// over for both, and nothing more is sent.
func (l *leg) goneThere() {
	s := l.b.s
	if l.byeAt.IsZero() || l.over() {
		return
	}
	l.byeWaits, l.byeNext = false, 0
	if l.overAt.IsZero() {
		l.overAt = s.wall
	}
	for _, c := range l.clients {
		if c.why == forBye && c.State() < transaction.Completed {
			c.Response(200, s.now, &s.e.o.Timers)
		}
	}
	if !l.b.legsOver() || l.b.lingers > s.now {
		l.b.remember()
	}
}

// pass takes a re-INVITE, UPDATE or INFO to the other leg.
func (l *leg) pass(p *transport.Packet) {
	m, b := &p.Msg, l.b
	s := b.s
	t := s.serve(l, p)
	if b.state != talking {
		l.passEarly(t, m)
		return
	}
	o := b.other(l)
	if o.state != up { // its phone has hung up, and the call is being transferred
		s.respond(t, reply{code: 491})
		return
	}
	changes := m.Method() != message.INFO
	if changes {
		if code, lines := l.mayChange(m, o, t); code != 0 {
			s.respond(t, reply{code: code, lines: lines})
			return
		}
		l.retarget(m)
		l.rounds, o.rounds = 0, 0
	}
	if m.Method() == message.UPDATE && !t.offer { // refreshes the session, and nothing else
		s.respond(t, reply{code: 200, contact: true, lines: l.agreeAsServer(t.prefers)})
		b.remember()
		return
	}
	lines, body := b.crossing(m)
	r := request{method: m.Method(), why: forForward, lines: lines, content: body.kept(), asks: t}
	if changes {
		r.lines = append(r.lines, o.timerLines()...)
	}
	if r.method == message.UPDATE && !o.updates {
		r.method = message.INVITE // says the same to a peer that knows no UPDATE
	}
	if r.method == message.INVITE && t.method == message.INVITE {
		s.respond(t, reply{code: 100})
	}
	o.send(r)
}

// mayChange is the answer to an offer that cannot be taken now; 0 if it can (RFC 3261 14, RFC 3311 5.2).
func (l *leg) mayChange(m *message.Message, o *leg, t *server) (code int, lines []byte) {
	if timerTooBrief(m) {
		return 422, minSELine
	}
	if m.Method() == message.UPDATE && !t.offer {
		return 0, nil // it asks for no other session
	}
	ours, theirs := l.changingBeside(t)
	if theirs {
		return 500, retryAfter
	}
	theirOurs, theirTheirs := o.changingBeside(nil)
	if ours || theirOurs || theirTheirs || !o.acked || !l.acked && l.uas {
		return 491, nil
	}
	return 0, nil
}

// changingBeside is changing without one request.
func (l *leg) changingBeside(but *server) (ours, theirs bool) {
	for _, c := range l.clients {
		if (c.method == message.INVITE || c.method == message.UPDATE && c.offers()) && c.State() < transaction.Completed {
			ours = true
		}
	}
	for _, t := range l.servers {
		if t != but && (t.method == message.INVITE || t.method == message.UPDATE && t.offer) && t.head != nil {
			theirs = true
		}
	}
	return ours, theirs
}

// timerLines keep the session timer of a leg alive in a request that another one caused.
func (l *leg) timerLines() []byte {
	if l.timer.interval == 0 {
		return nil
	}
	return l.timer.line("uac", "uas", "")
}

// forwarded passes the answer to a request that was passed on back to the side that sent it.
func (b *bridge) forwarded(c *client, m *message.Message, status int) {
	t := c.asks
	if c.method == message.INVITE && status >= 200 && status < 300 {
		if c.taken {
			c.leg.repeated2xx(c, m)
			return
		}
		c.taken, c.tag = true, string(m.To().Tag())
	}
	if status < 200 && c.method == message.INVITE {
		c.Limit(b.s.now, &b.s.e.o.Timers) // nothing rings: it may not take long
		if c.cancelled {
			b.s.cancel(c, nil)
		}
	}
	if status < 200 || t == nil || t.head == nil {
		b.ackForgotten(c, status)
		return
	}
	gone := status == 481 || status == 408 || m == nil
	if gone && t.method == message.INFO { // an INFO without an answer ends no call; a peer that may have lost the call is asked
		b.s.respond(t, reply{code: status})
		if status == 481 && b.state == talking {
			c.leg.timer.refreshAt, c.leg.timer.prove = b.s.now, true
		}
		return
	}
	if gone {
		b.s.respond(t, reply{code: status})
		b.finish(ending{by: call.System, why: policy.PeerGone})
		return
	}
	if status >= 300 {
		b.s.respond(t, reply{code: passStatus2(t.method, status)})
		return
	}
	b.changed(c, t, m)
}

// ackForgotten acknowledges the 2xx of a re-INVITE whose sender is gone.
func (b *bridge) ackForgotten(c *client, status int) {
	if c.method == message.INVITE && status >= 200 && status < 300 {
		c.leg.sendAck(c.seq, content{})
	}
}

// changed passes on a 2xx: the session has been changed as requested.
func (b *bridge) changed(c *client, t *server, m *message.Message) {
	l := c.leg
	r := reply{code: 200, lines: b.passReason(m), content: contentOf(m)}
	if t.method != message.INFO {
		l.retarget(m)
		l.agreeAsClient(m)
		t.agreed(c, r.session())
		r.contact, r.lines = true, append(r.lines, t.leg.agreeAsServer(t.prefers)...)
	}
	if c.method == message.INVITE && (c.offers() || t.method != message.INVITE) {
		l.sendAck(c.seq, content{})
	}
	b.s.respond(t, r)
	if t.method != message.INFO {
		b.remember()
	}
}

// passStatus2 is the status that the sender of a request inside a dialog gets for the other side's refusal. 401 and 407 would make
// it log in to another server, and others need a header that says what would be accepted.
func passStatus2(method message.Method, status int) int {
	if status < 400 || status == 401 || status == 407 || method != message.INFO && needsHeader(status) {
		return 488
	}
	return status
}

// remember gives the gate the dialogs as they are now, for a restart, and what is known of legs that end, for a node that has the call meanwhile.
func (b *bridge) remember() {
	if (b.state == talking || b.state == calling || b.state == over && b.reported && !b.clear) && b.id != "" {
		if b.state == over {
			b.s.e.door.Notify(b.id, gate.Heard(b.report()))
		}
		b.s.e.door.Notify(b.id, gate.Snapshot(b.snapshot()))
	}
}
