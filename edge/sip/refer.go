package sip

import (
	"bytes"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
)

// A phone transfers the other party of its call with REFER (RFC 3515, RFC 5589): to a number, or, with Replaces (RFC 3891), to the other party of a
// second call that it has. Neither party is asked to call anybody: a link takes the place of the phone, and the line of the phone pays for the new call.

// transfer is one that is under way.
type transfer struct {
	from   *leg   // whose phone asked
	to     *leg   // the link that is to take its place; nil until there is one
	event  string // Event of the NOTIFYs
	id     string // their id parameter, if they have one: the number of the REFER
	status int    // that the phone was last told
	mute   bool   // the phone wants no NOTIFY (RFC 4488), or no more of them
	left   bool   // the phone has hung up
	end    ending // with that: how the call ends if the transfer fails
}

// refer begins a transfer, after the phone has logged in as for a call.
func (l *leg) refer(p *transport.Packet) {
	m, b, s := &p.Msg, l.b, l.b.s
	_, help := b.isHelp()
	if l.trunk != "" || l.login == "" || help || b.state != talking || l.state != up {
		s.respond(s.serve(l, p), reply{code: policy.NoTransfer.SIPStatus(), lines: reasonLines(policy.NoTransfer, policy.Figures{})})
		return
	}
	res, _, ok := s.e.login(p)
	if !ok {
		return
	}
	t := s.serve(l, p)
	target, where, ok := referTo(m)
	switch {
	case res.Outcome != guard.Accept && res.Reason != policy.OK:
		s.respond(t, reply{code: res.Reason.SIPStatus(), lines: reasonLines(res.Reason, res.Figures)})
		return
	case res.Outcome != guard.Accept || res.Line != l.login:
		s.respond(t, reply{code: 403, lines: reasonLines(policy.BadCredentials, policy.Figures{})})
		return
	case !ok:
		s.respond(t, reply{code: 400})
		return
	case b.transfer != nil: // one at a time
		s.respond(t, reply{code: 491})
		return
	}
	x := &transfer{from: l, event: "refer", id: strconv.FormatUint(uint64(m.CSeq()), 10), mute: strings.EqualFold(strings.TrimSpace(string(m.Get(message.HReferSub))), "false")}
	var lines []byte
	if x.mute {
		lines = []byte("Refer-Sub: false\r\n")
	}
	if l.referred {
		x.event += ";id=" + x.id
	}
	b.transfer, l.referred = x, true
	s.respond(t, reply{code: 202, contact: true, lines: lines})
	x.notify(100, nil)
	if where != nil {
		b.joinWith(x, where)
		return
	}
	digits, context := dialledIn(&target)
	b.transferTo(x, &sending{sips: target.Scheme == message.SIPS, Attempt: gate.Attempt{
		Line: l.login, Dialled: digits, Context: s.e.ownContext(context, &target), Source: p.Src, UserAgent: cleanText(string(m.Get(message.HUserAgent)), 200),
		Withheld: l.hidden || asksPrivacy(m, "calling"), Tight: res.Tight, Sent: gate.Sent{Cause: call.Transferred},
	}})
}

// referTo reads the target of a REFER, and the call that is to be replaced there, nil for none.
func referTo(m *message.Message) (target message.URI, where *replaced, ok bool) {
	a, _, ok := message.ParseAddr(bytes.Clone(m.Get(message.HReferTo)))
	if !ok {
		return target, nil, false
	}
	uri, headers, _ := strings.Cut(string(a.URI), "?")
	target, ok = message.ParseURI([]byte(uri))
	if method, has := target.Param("method"); !ok || has && !strings.EqualFold(string(method), "INVITE") {
		return target, nil, false
	}
	for pair := range strings.SplitSeq(headers, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(name, "Replaces") {
			continue
		}
		text, err := url.PathUnescape(value)
		if err != nil {
			return target, nil, false
		}
		where = readReplaces(text)
	}
	return target, where, target.Scheme == message.SIP || target.Scheme == message.SIPS || target.Scheme == message.TEL
}

// transferTo makes the new call, to which the other party is joined when it is answered. It is offered the session that the phone has with that party.
func (b *bridge) transferTo(x *transfer, to *sending) {
	s := b.s
	to.trail = b.trail.and(turn{cause: call.Transferred}, "")
	to.Path, to.Turns = to.trail.path, to.trail.turns
	l := b.linkOut(to)
	x.to = l
	l.local = "\"\" <sip:" + plainUser([]byte(to.Line)) + "@ringfence.invalid>;tag=" + l.localTag
	offer := x.from.session.twoWay()
	l.session = offer
	lines := []byte(s.e.offerTimer())
	if to.Withheld { // a phone that withholds the number does so from whomever it transfers to
		lines = append(lines, "Privacy: id\r\n"...)
	}
	l.asked = l.send(request{method: message.INVITE, why: forInvite, lines: lines, content: offer, hops: 70})
	b.remember()
}

// answered takes an answer to the INVITE of the link.
func (x *transfer) answered(c *client, m *message.Message, status int) {
	l, b := c.leg, c.leg.b
	switch {
	case status < 200:
		if status != 100 {
			x.notify(status, m)
		}
	case status >= 300:
		l.state = closed
		x.fails(status, m)
	default:
		l = c.answerer(m)
		l.agreeAsClient(m)
		l.acked = true
		l.sendAck(c.seq, content{})
		x.done(l, contentOf(m).session().kept())
	}
	b.s.cur = b
}

// done puts the link in the place of the phone, which is hung up, and offers the other party the session at the far end.
func (x *transfer) done(l *leg, far content) {
	b := x.from.b
	o := b.other(x.from)
	b.transfer = nil
	x.notify(200, nil)
	b.replace(x.from, l)
	if !far.empty() {
		o.owed, o.timer.refreshAt = far, b.s.now
	}
	x.from.bye(transferred)
	b.remember()
}

// transferred is what a phone is told whose party has been transferred.
var transferred = []byte("Reason: SIP;cause=200;text=\"Call transferred\"\r\n")

// fails ends a transfer that did not come about. The call goes on, unless its phone has hung up.
func (x *transfer) fails(status int, m *message.Message) {
	b := x.from.b
	b.transfer = nil
	if x.left {
		b.finish(x.end)
		return
	}
	x.notify(status, m)
}

// leaves says that the phone which hangs up has asked for a transfer that is under way: the other party waits for that.
func (l *leg) leaves(end ending) bool {
	x := l.b.transfer
	if x == nil || x.from != l || l.b.state != talking {
		return false
	}
	x.left, x.end = true, end
	l.b.remember()
	return true
}

// notify tells the phone how its transfer goes: the status that the far end has given.
func (x *transfer) notify(status int, m *message.Message) {
	state := "active;expires=" + strconv.Itoa(referExpires)
	if status >= 200 {
		state = "terminated;reason=noresource"
	}
	x.status = status
	x.tell(state, m)
}

// replace puts a leg in the place of another.
func (b *bridge) replace(was, l *leg) {
	at, old := slices.Index(b.all, l), slices.Index(b.all, was)
	b.all[at], b.all[old] = was, l
	if b.a == was {
		b.a = l
	} else {
		b.peer = l
	}
}

// joinWith joins the other party with the other party of a second call of the phone. Both calls are admitted and paid for already, and stay so.
func (b *bridge) joinWith(x *transfer, where *replaced) {
	s, e := b.s, b.s.e
	there, login := e.shardOf([]byte(where.callID)), x.from.login
	mine := b.newJoint(x.from.session.twoWay())
	e.toShard(there, func() {
		theirs, status := there.takePlace(&claim{replaced: *where, line: login, own: true, by: b}, &mine)
		e.toShard(s, func() { x.joined(&mine, theirs, status) })
	})
}

// joined ends a transfer to a call that exists.
func (x *transfer) joined(mine, theirs *joint, status int) {
	b := x.from.b
	s := b.s
	s.cur = b
	switch {
	case b.transfer != x || b.state != talking: // it has ended meanwhile: so does the other, which is asked over a link that is not there
		if status == 200 {
			b.letGo(mine, theirs)
		}
	case status != 200:
		x.fails(status, nil)
	default:
		x.done(b.joint(mine, theirs, false), theirs.session)
	}
}

// twoWay is a session as its party would offer it that is not on hold.
func (c content) twoWay() content {
	if c.empty() {
		return c
	}
	var out []byte
	for raw := range bytes.Lines(c.body) {
		switch string(bytes.TrimSpace(raw)) {
		case "a=sendonly", "a=recvonly", "a=inactive":
			raw = []byte("a=sendrecv\r\n")
		}
		out = append(out, raw...)
	}
	c.body = out
	return c
}
