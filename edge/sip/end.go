package sip

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
	"ringfence/flow/door"
	"ringfence/flow/guard"
)

// Who may end or change a call. Both tags of a dialog, of which ours is 64 random bits, or the branch of an INVITE, are known only to
// its parties and to anyone who can read the traffic. A call that should be over and is not costs money, so its end is taken from
// any address. Everything else would move the call or prolong it, so it must come from where the party is known to be.

// expects says whether a packet comes from where the leg's party is known to be: a carrier at its own addresses and at those
// that its Contact and Record-Route name, a phone where its packets came from before or where its line is registered.
func (l *leg) expects(src netip.Addr) bool {
	switch {
	case !l.mayComeFrom(src):
		return false
	case l.trunk != "", src == l.dest.Addr.Addr():
		return true
	case l.login == "":
		return false
	}
	for _, b := range l.b.s.phones(l.login) {
		if b.Received.Addr() == src {
			return true
		}
	}
	return false
}

// mayComeFrom says whether packets of the leg's party may come from an address at all: those of a phone are held to its
// line's IP lock.
func (l *leg) mayComeFrom(src netip.Addr) bool {
	e := l.b.s.e
	switch {
	case l.trunk != "":
		return src == l.dest.Addr.Addr() || l.names(src) || e.door.May(door.Party{Trunk: l.trunk}, src, l.b.s.wall) || e.enrolled.from(src, l.b.s.wall) == l.trunk || e.names.standFor(l.hosts(), e.trunk(l.trunk).Transport, src)
	case l.line != "":
		return e.door.May(door.Party{Line: l.line}, src, l.b.s.wall)
	}
	return true
}

// names says that the peer's Contact or Record-Route names an address.
func (l *leg) names(src netip.Addr) bool {
	src = src.Unmap().WithZone("")
	for u := range l.places() {
		if a, ok := u.Addr(); ok && a.Unmap().WithZone("") == src {
			return true
		}
	}
	return false
}

// places are the URIs of the peer's Contact and Record-Route.
func (l *leg) places() iter.Seq[*message.URI] {
	return func(yield func(*message.URI) bool) {
		for i := -1; i < len(l.routes); i++ {
			text := l.target
			if i >= 0 {
				text = strings.Trim(l.routes[i], "<>")
			}
			if u, ok := message.ParseURI([]byte(text)); ok && !yield(&u) {
				return
			}
		}
	}
}

// hosts are the host names of a carrier: those that its trunk lists, and those in its Contact and Record-Route.
func (l *leg) hosts() (all []string) {
	all = slices.Clone(l.b.s.e.trunk(l.trunk).Addresses)
	for u := range l.places() {
		if _, ok := u.Addr(); !ok && len(u.Host) > 0 {
			all = append(all, string(u.Host))
		}
	}
	return all
}

// looksUp asks the DNS for the names of a carrier that are not known, beside the shard, and then handles the packet again. It says whether
// it does; meanwhile retransmissions of the packet are ignored.
func (l *leg) looksUp(p *transport.Packet) bool {
	s := l.b.s
	if l.trunk == "" || s.now < l.lookAgain {
		return l.looking
	}
	over := s.e.trunk(l.trunk).Transport
	unknown := slices.DeleteFunc(l.hosts(), func(name string) bool {
		_, ok := s.e.names.known(name, over, s.wall)
		return ok
	})
	if len(unknown) == 0 {
		return false
	}
	q := keep(p)
	if q == nil {
		return false
	}
	l.looking, l.lookAgain = true, s.now+lookPause
	s.e.beside(func() {
		ctx, cancel := context.WithTimeout(s.e.ctx, s.e.o.Silence)
		defer cancel()
		for _, name := range unknown {
			if _, err := s.e.names.resolve(ctx, name, over, time.Now()); err != nil {
				s.e.log.Warn("a host name in a carrier's message does not resolve", "trunk", account.Handle(l.trunk), "name", clipText(name, 64), "err", err)
			}
		}
		s.post(func() {
			l.looking = false
			s.request(q)
		})
	})
	return true
}

// lookPause is the least time between two look-ups of the names of a leg.
const lookPause = 30 * time.Second

// admits says whether a request inside the dialog, other than its end, is accepted. A phone whose address has changed must log in. If it
// is not, it has been answered.
func (l *leg) admits(p *transport.Packet) bool {
	e, src := l.b.s.e, p.Src.Addr()
	if l.expects(src) {
		return true
	}
	if l.trunk == "" && l.login != "" && l.mayComeFrom(src) {
		switch res, _, ok := e.login(p); {
		case !ok:
			return false
		case res.Outcome == guard.Accept && res.Line == l.login:
			e.net.LoggedIn(p.From(), res.Line)
			return true
		}
	}
	if !l.looksUp(p) {
		l.refuseElsewhere(p)
	}
	return false
}

// refuseElsewhere refuses a request from an address where its party is not expected.
func (l *leg) refuseElsewhere(p *transport.Packet) {
	l.b.s.e.stats.elsewhere.Add(1)
	l.b.s.e.refuseStateless(p, l.elsewhereReason(), policy.Figures{})
}

func (l *leg) elsewhereReason() policy.Reason {
	if l.trunk != "" {
		return policy.UnknownTrunk
	}
	return policy.AddressLocked
}

// wrongTags answers a request for a dialog that does not exist. It is counted by its source, and nothing else is kept of it.
// known says that its Call-ID is that of a call.
func (e *Edge) wrongTags(p *transport.Packet, known bool) {
	if e.meansAnother(p, known) {
		return
	}
	e.stats.unmatched.Add(1)
	e.stats.wrongTags.Add(1)
	e.door.Notify("", door.WrongTags(p.Src.Addr()))
	e.answer(p, message.Reply{Code: 481})
}

// meansAnother handles the end of a call again with the next call that it may be meant for, and says whether there is one. That call would
// otherwise continue.
func (e *Edge) meansAnother(p *transport.Packet, known bool) bool {
	if !p.Msg.Another(known) {
		return false
	}
	q := keep(p)
	if q == nil || !q.Msg.Mean(&p.Msg) {
		return false
	}
	s := e.shardOf(q.Msg.CallID())
	s.post(func() { s.request(q) })
	return true
}

// owner is the leg whose dialog a request is inside of; nil if its tags are of none. Several legs have one Call-ID when a
// carrier's forks have answered.
func (l *leg) owner(m *message.Message) *leg {
	for _, o := range l.b.all {
		if o.callID == l.callID && o.ownsRequest(m) {
			return o
		}
	}
	if !l.uas && l.state == early && m.Method() == message.OPTIONS && string(m.To().Tag()) == l.localTag {
		return l // a fork that we have not heard of asks whether we still call it
	}
	return nil
}

// byeCame ends the call, wherever it comes from and whatever its number. Also a BYE that crosses ours, or comes before the
// answer, is answered 200.
func (l *leg) byeCame(p *transport.Packet) {
	s, m := l.b.s, &p.Msg
	expected := l.expects(p.Src.Addr())
	switch {
	case l.state == closed && len(l.servers) >= maxServers:
		s.e.answer(p, message.Reply{Code: 481})
		return
	case expected:
		l.proves(p)
		l.heard(p)
	case l.state != closed && l.mustAsk():
		l.askBeforeEnd(p)
		return
	}
	l.remoteSeq = max(l.remoteSeq, m.CSeq())
	s.respond(s.serve(l, p), reply{code: 200})
	if l.state == closed {
		if c := l.inviteOf(); l.answeredAt.IsZero() && c != nil && c.State() != transaction.Completed {
			l.answeredUnheard()
			l.b.remember()
		}
		l.goneThere()
		return
	}
	end := ending{by: l.b.party(l), why: policy.Hangup, lines: l.b.passReason(m)}
	if !expected {
		end.from = p.Src
	}
	wasUp := l.state == up
	if !l.proved() && p.Proto == transport.UDP { // it may be a repeat of one that the previous process did not hear
		end.doubt = s.e.o.Timers.Patience()
	}
	l.saidBye(end)
	if !expected && wasUp && l.trunk != "" {
		l.makeSure(end.lines)
	}
}

// makeSure sends a BYE to where a carrier is known to be, after an end that came from an address where it is not expected.
// Usually the carrier no longer knows the call. If the end was forged, the call costs money until this BYE arrives.
func (l *leg) makeSure(lines []byte) {
	l.send(request{method: message.BYE, why: forSure, lines: lines})
}

// saidBye ends the call by the party of this leg.
func (l *leg) saidBye(end ending) {
	if l.state == early && l.uas {
		end.why, end.status = policy.Cancelled, 487
	} else {
		rang := l.state == early
		l.state, l.byeWaits = closed, false
		l.byeAt, l.overAt = l.b.s.wall, l.b.s.wall
		if rang { // its answer is lost, or under way
			l.cancelInvite(end.lines)
			l.answeredUnheard()
		}
	}
	if !l.leaves(end) {
		l.b.finish(end)
	}
}

// byeUnheard takes the BYE of a callee's dialog that no answer has announced, and says whether it is one. The callee's tag is new, but ours, 64
// random bits, was sent to no other peer. A callee hangs up only what it has answered (RFC 3261 15): its 200 was lost, or has been overtaken.
func (l *leg) byeUnheard(p *transport.Packet) bool {
	m, c := &p.Msg, l.inviteOf()
	if l.uas || c == nil || c.State() >= transaction.Completed || string(m.To().Tag()) != l.localTag {
		return false
	}
	if l.mustAsk() && !l.expects(p.Src.Addr()) {
		l.refuseElsewhere(p)
		return true
	}
	x := l.dialogFor(c, string(m.From().Tag()))
	if x == nil {
		return false
	}
	x.remoteTag, x.remote = string(m.From().Tag()), string(m.From().Text(m.Get(message.HFrom), unread))
	if c.cancelled && x.state == early {
		x.state = closed
	}
	x.byeCame(p)
	return true
}

// inviteOf is the latest INVITE that was sent under the leg's Call-ID and is not forgotten; nil: there is none.
func (l *leg) inviteOf() (latest *client) {
	for _, x := range l.b.outs() {
		for _, c := range x.clients {
			if x.callID == l.callID && c.why == forInvite && (latest == nil || c.seq > latest.seq) {
				latest = c
			}
		}
	}
	return latest
}

// answeredUnheard records the answer of a callee whose BYE came first. The time of that answer is unknown: the customer pays for the shortest
// possible time, and the longest counts as cost. That is since it was last known to ring, and no longer than a callee waits for an ACK.
func (l *leg) answeredUnheard() {
	s := l.b.s
	l.unheard, l.answeredAt, l.overAt = true, s.wall.Add(-s.e.o.Timers.Patience()), s.wall
	if l.unansweredAt.After(l.answeredAt) {
		l.answeredAt = l.unansweredAt
	}
	l.byeAt = l.answeredAt
}

// hangUpUnsure sends a BYE in each early dialog of an INVITE of a previous process that was cancelled and gets no final answer: that process may
// have received the answer, and died before it could store it. A callee that has answered takes a BYE of its early dialog (RFC 3261 15): the tags
// are the same.
func (l *leg) hangUpUnsure(c *client) {
	if !c.before {
		return
	}
	for _, x := range l.b.outs() {
		if x.callID == l.callID && x.remoteTag != "" && x.answeredAt.IsZero() && x.byeAt.IsZero() && x.overAt.IsZero() {
			x.unsure, x.state, x.acked, x.ackSeq = true, up, false, c.seq
			x.bye(c.reason)
		}
	}
	l.b.remember()
}

// wasUp records the answer of a callee that knows the call when it is hung up, although its answer was not recorded here. The customer pays for
// the shortest possible time, and the longest counts as cost: since it was last known to ring.
func (l *leg) wasUp() {
	if l.unsure && l.answeredAt.IsZero() {
		if !l.unansweredAt.IsZero() {
			l.byeAt = l.unansweredAt
		}
		l.answeredAt = l.byeAt
	}
}

// refusedAfterBye is the final refusal of an INVITE whose callee had said BYE: it was not answered after all.
func (l *leg) refusedAfterBye() {
	for _, x := range l.b.outs() {
		if x.callID == l.callID && x.unheard {
			x.unheard, x.answeredAt = false, time.Time{}
		}
	}
}

// cancelInvite gives up the INVITE that an early dialog of a callee is of.
func (l *leg) cancelInvite(lines []byte) {
	for _, x := range l.b.outs() {
		if x.callID == l.callID && x.asked != nil {
			x.asked.Response(180, l.b.s.now, &l.b.s.e.o.Timers) // who hangs up has had it: a CANCEL need not wait
			l.b.s.cancel(x.asked, lines)
		}
	}
}

// cancelCame answers a CANCEL, and ends the call if its INVITE has no final answer yet (RFC 3261 9.2), wherever it comes from.
// One that crosses our 200 does nothing: the phone will send a BYE.
func (l *leg) cancelCame(p *transport.Packet) {
	s, m := l.b.s, &p.Msg
	t := l.server(m, message.INVITE)
	if t == nil || string(m.From().Tag()) != l.remoteTag {
		s.e.wrongTags(p, true)
		return
	}
	expected := l.expects(p.Src.Addr())
	switch {
	case !expected && l.state == up: // of a re-INVITE: it ends no call
		l.refuseElsewhere(p)
		return
	case !expected && l.state == early && l.mustAsk():
		if before := l.server(m, message.CANCEL); before != nil {
			if before.head != nil {
				return // it is repeated while its answer is awaited
			}
			l.dropServer(before)
		}
		l.askBeforeEnd(p)
		return
	}
	s.e.answer(p, message.Reply{Code: 200})
	switch {
	case l.uas && l.state == early:
		end := ending{by: call.Caller, why: policy.Cancelled, status: 487, lines: l.b.passReason(m)}
		if !expected {
			end.from = p.Src
		}
		l.b.finish(end)
	case t.head != nil && t.from != nil: // a re-INVITE that the other side has not answered
		s.cancel(t.from, l.b.passReason(m))
	}
}

// mustAsk says that an end from an unexpected address is not taken at its word: the call is an emergency call.
func (l *leg) mustAsk() bool {
	_, help := l.b.isHelp()
	return help && l.b.state != over
}

// askBeforeEnd takes the end of an emergency call from an address where its party is not expected. The party itself is asked, inside the
// dialog, whether it still has the call; the end is believed only when it has not.
func (l *leg) askBeforeEnd(p *transport.Packet) {
	s := l.b.s
	if len(l.servers) >= maxServers || s.now < l.askAgain {
		l.refuseElsewhere(p)
		return
	}
	l.askAgain = s.now + askPause
	t := s.serve(l, p)
	t.src = p.Src
	if !l.askForEnd(t) {
		s.e.stats.elsewhere.Add(1)
		l.refuseEnd(t)
	}
}

// askPause is the least time between two such questions.
const askPause = 10 * time.Second

// askForEnd asks, and says whether it could: not while the session is being changed, nor before the caller's phone has heard
// an answer that makes a dialog.
func (l *leg) askForEnd(t *server) bool {
	switch {
	case l.state == up:
		ours, theirs := l.changingBeside(nil)
		if ours || theirs || !l.acked {
			return false
		}
		l.confirm(forEnd, t)
	case l.uas && l.state == early && l.invite != nil && l.invite.last != nil:
		at := l.invite.tagAt
		t.from = l.askEarly(string(l.invite.head[at:at+tagLen]), forEnd)
		t.from.asks = t
	default:
		return false
	}
	return true
}

func (l *leg) refuseEnd(t *server) {
	l.b.s.respond(t, reply{code: 403, lines: reasonLines(l.elsewhereReason(), policy.Figures{})})
}

// endAnswered takes the answer to askForEnd. Only that the peer does not know the call ends it; silence does not.
func (l *leg) endAnswered(c *client, m *message.Message, status int) {
	s, t := l.b.s, c.asks
	switch {
	case m != nil && status == 481:
		s.respond(t, reply{code: 200})
		if l.state != closed {
			l.saidBye(ending{by: l.b.party(l), why: policy.Hangup, from: t.src})
		}
		return
	case status >= 200:
		s.e.stats.elsewhere.Add(1)
		l.refuseEnd(t)
	}
	if c.method != message.OPTIONS && m != nil {
		c.why = forRefresh
		l.refreshed(c, m, status)
	}
}
