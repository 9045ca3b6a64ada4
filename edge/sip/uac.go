package sip

import (
	"bytes"
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
)

// present writes From for a leg: the number of the plan, never what the phone claims. A caller who withholds the number is anonymous to
// the callee; a carrier is told the line's own number beside it, unless its trunk is set otherwise.
func (b *bridge) present(l *leg, lines []byte) (from string, all []byte) {
	u, hidden := b.setup, b.a.hidden
	here, _ := b.s.e.localAddr(l.dest)
	host := "@" + message.HostText(here.Addr())
	user := u.from.user
	switch {
	case u.plan.Present != "":
		user = "+" + u.plan.Present
	case b.a.trunk == "": // a line without a number: what its phone claims proves nothing
		user, hidden = "anonymous", true
	}
	shown, display, privacy := "sip:"+user+host, u.from.display, "id"
	if l.trunk != "" {
		t := b.s.e.trunk(l.trunk)
		display, privacy = nil, cmp.Or(t.Privacy, privacy) // the provider does not vouch for a name that the phone chose
		if u.plan.Network != "" && !(hidden && t.Withheld == account.WithheldRemoved) {
			lines = asserted(lines, &t, "sip:+"+u.plan.Network+host, hidden)
		}
	}
	if hidden {
		shown, display = "sip:anonymous@anonymous.invalid", []byte("Anonymous")
		lines = append(append(append(lines, "Privacy: "...), privacy...), "\r\n"...)
	}
	var w message.Writer
	w.Begin(nil)
	w.Addr(message.HFrom, display, []byte(shown), []byte(l.localTag))
	return string(bytes.TrimSpace(bytes.TrimPrefix(w.Bytes(), []byte("From:")))), lines
}

// asserted tells a carrier the line's own number, by P-Asserted-Identity (RFC 3325 section 9.1) or Remote-Party-ID (draft-ietf-sip-privacy-04), as its trunk
// is set. From may be another number of the customer's.
func asserted(lines []byte, t *account.Trunk, identity string, hidden bool) []byte {
	var w message.Writer
	w.Begin(lines)
	if t.Headers != account.HeaderRPID && t.Headers != account.HeaderNone {
		w.Addr(message.HPAssertedIdentity, nil, []byte(identity), nil)
	}
	if t.Headers == account.HeaderRPID || t.Headers == account.HeaderBoth {
		privacy := "off"
		if hidden {
			privacy = "full"
		}
		w.AddString(message.HRemotePartyID, "<"+identity+">;party=calling;screen=yes;privacy="+privacy)
	}
	return w.Bytes()
}

// newCallID makes a Call-ID for a leg of ours that leads back to this shard and to its call, also after a crash.
func (s *shard) newCallID(home uint32, id call.ID) string {
	b := make([]byte, 0, ownHashed+len(id)+1+ownRandom)
	b = append(b, ownPrefix...)
	b = append(b, hex32(home)...)
	b = append(b, '-')
	b = append(b, id...)
	b = append(b, '-')
	return string(append(b, hex64(s.random.Uint64())...))
}

// response takes a response inside the shard.
func (s *shard) response(p *transport.Packet) {
	m := &p.Msg
	l := s.legOf(p)
	if l == nil && p.Proto == link {
		if m.CSeqMethod() == message.INVITE && m.Status() >= 200 && m.Status() < 300 {
			s.hangUpDialog(m, p.From())
		}
		return
	}
	if l == nil {
		s.stray(p)
		return
	}
	s.cur = l.b
	var c *client
	if branch, ok := ownBranch(m.Via().Branch); ok {
		c = l.clientOf(branch, m.CSeqMethod())
	}
	if c == nil {
		c = l.oddlyAnswered(m)
	}
	if c == nil {
		l.lateAnswer(p)
		return
	}
	if !c.mayBeAnsweredFrom(p.Src.Addr()) {
		s.e.stats.elsewhere.Add(1)
		return
	}
	c.leg.heard(p)
	if c.leg.trunk != "" {
		s.e.avoided.hears(c, m, s.wall)
	}
	c.leg.hidden = c.leg.hidden || c.why == forInvite && asksPrivacy(m, "called")
	do := c.Response(m.Status(), s.now, &s.e.o.Timers)
	if do.Has(transaction.Ack) {
		s.ackFinal(c, m)
	}
	if do.Has(transaction.Done) {
		c.leg.drop(c)
	}
	if do.Has(transaction.Pass) {
		s.answeredBy(c, m, m.Status())
	}
}

// mayBeAnsweredFrom says whether an answer may come from an address. Branch and tags cannot be guessed, but anyone who can read the traffic
// has them. An answer inside the dialog moves the session, so that it is held to where its party is known to be, as requests are;
// before there is a dialog it is held to the IP lock, or to what the trunk lists. A carrier may also answer from where it was
// asked. That a phone elsewhere has hung up is taken from anywhere.
func (c *client) mayBeAnsweredFrom(src netip.Addr) bool {
	l, asked := c.leg, src == c.to.Addr.Addr()
	switch {
	case c.why == forBye || c.why == forCancel:
		return true
	case l.trunk != "" && asked:
		return true
	case l.state == up:
		return l.expects(src) || asked && l.mayComeFrom(src)
	case l.trunk != "":
		return len(l.b.s.e.trunk(l.trunk).Sources) == 0 || l.mayComeFrom(src)
	}
	return l.mayComeFrom(src)
}

// answeredBy hands an answer to the code that its request was for. m is nil when there was no answer; status stands for one then.
func (s *shard) answeredBy(c *client, m *message.Message, status int) {
	if (status == 401 || status == 407) && m != nil && s.answerChallenge(c, m) {
		return
	}
	switch c.why {
	case forInvite:
		c.leg.b.inviteAnswered(c, m, status)
	case forProof:
		c.leg.b.carrierSaid(m, status)
	case forForward:
		c.leg.b.forwarded(c, m, status)
	case forEarly:
		c.leg.b.earlyAnswered(c, m, status)
	case forEnd:
		c.leg.endAnswered(c, m, status)
	case forBye:
		c.leg.byeAnswered(c, m, status)
	case forCancel:
		if invite := c.leg.inviteOf(); status == 481 && invite != nil && invite.State() < transaction.Completed {
			c.leg.hangUpUnsure(invite) // it has been answered: there is nothing left to cancel
		}
	case forRefresh:
		switch {
		case c.leg.b.state == talking:
			c.leg.refreshed(c, m, status)
		case status == 481:
			c.leg.goneThere()
		}
	}
}

// inviteAnswered takes an answer to the INVITE of a callee's leg.
func (b *bridge) inviteAnswered(c *client, m *message.Message, status int) {
	l := c.leg
	switch {
	case status < 200:
		l.unansweredAt = b.s.wall
	case status >= 300 && m != nil:
		l.refusedAfterBye()
	}
	if t := b.transfer; t != nil && t.to == l && b.state == talking && !c.cancelled {
		t.answered(c, m, status)
		return
	}
	switch {
	case status >= 200 && status < 300 && c.taken:
		l.repeated2xx(c, m)
	case status >= 200 && status < 300 && (b.state != calling || c.cancelled || l.state != early):
		l.tooLate(c, m)
	case status >= 200 && status < 300:
		b.answered(c, m)
	case b.state != calling || c.cancelled || l.state != early:
		switch {
		case status < 200 && c.cancelled:
			b.s.cancel(c, c.reason) // now it can be cancelled (RFC 3261 9.1)
		case m == nil:
			l.hangUpUnsure(c)
		}
	case status < 200:
		b.provisional(c, m, status)
	case l.nextFlow(m, status):
	case status == 422 && m != nil && b.s.longerTimer(c, m), status == 421 && m != nil && b.s.withReliable(c, m):
	default:
		l.state = closed
		l.closeForks()
		b.routeFailed(l, m, status)
	}
}

// answered takes the first 2xx: the other legs are cancelled, and the answer is made durable before it is sent to the caller.
func (b *bridge) answered(c *client, m *message.Message) {
	l := c.answerer(m)
	l.agreeAsClient(m)
	b.takes(c, contentOf(m).kept())
}

// takes is answered for the leg that c is on, with what the caller is to be sent.
func (b *bridge) takes(c *client, answer content) {
	s, u, l := b.s, b.setup, c.leg
	b.peer = l
	for _, o := range b.outs() {
		if o != l {
			o.hangup(&ending{status: 487, lines: elsewhere})
			o.givesBack()
		}
		o.giveUpInvites(c)
	}
	b.state = answering
	s.e.seats.answered(b)
	u.silentAt, u.ringAt, u.turnAt = transaction.Never, transaction.Never, transaction.Never
	u.answer = answer
	if b.a.state != up {
		b.keepFork(b.answerIn(l))
	}
	if b.a.invite != nil {
		b.a.invite.from = c
	}
	route := gate.Route{Trunk: l.trunk}
	if outs := b.outs(); outs[len(outs)-1].callID != l.callID { // several rang, and this one answered
		s.e.door.Notify(b.id, gate.Trying{Route: route, BLeg: l.callID})
	}
	snapshot, id, e := b.snapshot(), b.id, s.e
	s.askGate(b, func() func() {
		err := e.door.Answered(e.ctx, id, route, snapshot)
		return func() { b.confirmed(c, err) }
	})
}

// giveUpInvites cancels what was sent again, with another interval, beside an INVITE that a fork has answered after its refusal.
func (l *leg) giveUpInvites(but *client) {
	for _, c := range l.clients {
		if c != but && c.why == forInvite && c.State() < transaction.Completed {
			l.b.s.cancel(c, elsewhere)
		}
	}
}

// confirmed continues once the answer is durable.
func (b *bridge) confirmed(c *client, err error) {
	s, l := b.s, c.leg
	if b.state != answering {
		return // hung up meanwhile; finish has seen to both legs
	}
	if err != nil {
		end := ending{by: call.System, why: policy.StoreUnavailable}
		if r := (*gate.Refusal)(nil); errors.As(err, &r) {
			end.why, end.f = r.Reason, r.Figures
		}
		b.finish(end)
		return
	}
	u, said := b.setup, b.callee(l)
	b.state, b.setup, b.joined = talking, nil, true
	if slices.ContainsFunc(b.outs(), func(o *leg) bool { return o != l && !o.answeredAt.IsZero() }) {
		b.remember() // another leg was answered while the answer was stored
	}
	s.e.stats.answered.Add(1)
	if c.offers() {
		l.acked = true
		l.sendAck(c.seq, content{})
	} else {
		b.a.invite.said = b.a.session
	}
	if b.a.state == up {
		b.joinsAsked(said)
		return
	}
	timer := b.a.agreeAsServer(u.prefers)
	b.a.state = up
	b.a.invite.accepted = true
	if !b.a.owed.empty() {
		b.a.timer.refreshAt = s.now
	}
	s.respond(b.a.invite, reply{code: 200, contact: true, fork: 0, lines: timer, content: u.answer})
}

// answerer is the leg of the dialog that answered our INVITE with a 2xx, which it is up from now on.
func (c *client) answerer(m *message.Message) *leg {
	l := c.leg.dialogFor(c, string(m.To().Tag()))
	l = cmp.Or(l, c.leg)
	l.take(c)
	c.taken, c.tag = true, string(m.To().Tag())
	l.isUp(m)
	l.answerAge = min(l.b.s.e.pulse.age(l.answeredAt), l.answeredAt.Sub(c.begunAt))
	l.ackSeq = c.seq // CSeq of the answer may be odd
	return l
}

// isUp takes the 2xx that makes the dialog.
func (l *leg) isUp(m *message.Message) {
	l.remoteTag, l.remote, l.ackSeq, l.state, l.acked = string(m.To().Tag()), l.remoteIn(m), m.CSeq(), up, false
	l.localSeq = max(l.localSeq, m.CSeq())
	l.answeredAt = l.b.s.wall
	if l.unheard { // its BYE had come before
		l.unheard, l.byeAt, l.overAt = false, l.answeredAt, l.answeredAt
	}
	l.learn(m)
}

// routeFailed goes on after a route that failed: to the next, or, when the callee itself refused, to the end of the call.
func (b *bridge) routeFailed(l *leg, m *message.Message, status int) {
	u := b.setup
	if l != nil {
		l.givesBack()
	}
	if u == nil || b.state != calling {
		return
	}
	if b.redirects(l, m, status) {
		return
	}
	end := b.refusalOf(m, status)
	if l != nil && l.dest.Proto == link {
		end = notSentOn(status)
	}
	end.silent = m == nil
	next := u.carrier && failsOver(status, u.plan.Always)
	if next {
		end = ending{by: call.System, why: policy.TrunksFailed, f: policy.Figures{Value: u.tried}}
	}
	if end.outranks(u.failed) {
		u.failed = &end
	}
	final := status >= 600 && (u.carrier || len(u.plan.Routes) < 2) // one of a group speaks for itself
	for _, l := range b.outs() {
		if l.state == early && !final {
			return // another phone still rings
		}
	}
	if final || !next && u.carrier {
		if final && b.goesOn(&end, false) {
			return
		}
		b.finish(end)
		return
	}
	if m != nil && status != 503 && !u.plan.Always {
		u.targets = nil // the carrier has answered: its other servers would say the same (RFC 3263 4.3)
	}
	b.s.e.stats.failovers.Add(1)
	b.tryRoute()
}

// refusalOf is how a call ends that the far end refused, or (m is nil) did not answer at all: with its status and its Reason, and ours as
// text.
func (b *bridge) refusalOf(m *message.Message, status int) ending {
	if m == nil {
		status = 408
	}
	end := ending{status: passStatus(status), lines: b.passReason(m)}
	end.by, end.why = verdictOf(status)
	if len(end.lines) > 0 {
		end.lines = appendWarning(end.lines, end.why.Text(end.f))
	}
	if m != nil && m.Has(message.HGeolocationError) { // 424: the location was of no use (RFC 6442)
		if len(end.lines) == 0 {
			end.lines = reasonLines(end.why, end.f)
		}
		end.lines = appendHeaders(end.lines, m, message.HGeolocationError)
	}
	return end
}

// failsOver says that a carrier's answer is about the carrier and not about the callee, so that another may do better.
// An emergency call tries every route unless the callee itself declined.
func failsOver(status int, emergency bool) bool {
	if _, why := verdictOf(status); emergency {
		return why != policy.Busy
	}
	return status == 401 || status == 407 || status == 408 || status >= 500 && status < 600
}

// passStatus is the status that the caller is sent for a callee's refusal: the same one, unless that would make the phone do what only we
// can do: follow a redirection, log in, or try another server.
func passStatus(status int) int {
	switch {
	case status < 400 || status == 408:
		return 480
	case status == 401 || status == 407:
		return 403
	case needsHeader(status), status >= 500 && status < 600:
		return 480
	}
	return status
}

// needsHeader says that a status must come with a header that says what would be accepted (RFC 3261 21.4, RFC 4028 section 6, RFC 3329
// section 2.3). That header is about what we sent, not about what the caller sent.
func needsHeader(status int) bool {
	switch status {
	case 405, 420, 421, 422, 423, 494:
		return true
	}
	return false
}

// abandonSilent abandons a leg to a carrier that did not even send a 100.
func (b *bridge) abandonSilent() {
	for _, l := range b.outs() {
		if l.state == early && l.trunk != "" && l.asked != nil && l.asked.State() == transaction.Calling {
			if b.s.overUDP(l.asked) {
				return
			}
			l.asked.silentHere()
			l.state = closed
			b.s.cancel(l.asked, nil)
			b.routeFailed(l, nil, 408)
			return
		}
	}
}

// repeated2xx takes a 2xx after the first: a retransmission, because our ACK was lost, or the answer of another phone behind a forking proxy,
// which is hung up: only one can talk.
func (l *leg) repeated2xx(c *client, m *message.Message) {
	if string(m.To().Tag()) == c.tag {
		if l.ack != nil && l.ackSeq == c.seq {
			l.b.s.e.send(l.nextHop(), l.ack, 0)
		}
		return
	}
	l.spareAnswered(m, l.nextHop())
}

// tooLate takes a 2xx after the INVITE was given up: CANCEL and 200 crossed. It is acknowledged and hung up, and the gate accounts for
// it, because the carrier charges for it.
func (l *leg) tooLate(c *client, m *message.Message) {
	l = c.answerer(m)
	l.bye(c.reason)
	l.hangUpUnsure(c) // a previous process may have taken another fork's answer
	l.b.remember()
}

// withReliable sends an INVITE again to a callee that insists on reliable provisional answers (RFC 3261 21.4.15). One without an offer would
// have to answer the callee's in the PRACK.
func (s *shard) withReliable(c *client, m *message.Message) bool {
	if !m.HasToken(message.HRequire, "100rel") || !c.offers() {
		return false
	}
	return s.reissue(c, func(w *message.Writer) { w.AddString(message.HSupported, "timer, 100rel") }, message.HSupported)
}

// longerTimer sends an INVITE again with the session interval that the callee wants (RFC 4028 section 7.4).
func (s *shard) longerTimer(c *client, m *message.Message) bool {
	least, ok := m.MinSE()
	if !ok || least > 86400 {
		return false
	}
	return s.reissue(c, func(w *message.Writer) {
		w.AddInt(message.HSessionExpires, int64(max(least, uint32(s.e.o.SessionTime/time.Second))))
		w.AddInt(message.HMinSE, int64(max(least, uint32(minSession/time.Second))))
	}, message.HSessionExpires, message.HMinSE)
}
