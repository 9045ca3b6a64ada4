package sip

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/locate"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
	"ringfence/flow/location"
)

// tryRoute calls the next route; when none is left the call has failed.
func (b *bridge) tryRoute() {
	u := b.setup
	for u.route < len(u.plan.Routes) {
		route := u.plan.Routes[u.route]
		if u.carrier = route.Line == ""; !u.carrier {
			if b.ringNext() {
				return
			}
			continue
		}
		if b.tryTrunk(route) {
			return
		}
		u.route, u.address, u.targets = u.route+1, 0, nil
	}
	if !b.tryLeftOut() {
		b.allFailed()
	}
}

// passed is a server that a call has passed over.
type passed struct {
	route   gate.Route
	address string // whose server it is
	over    string
	target  locate.Target
}

// tryLeftOut calls a server that has been passed over, and says whether it does: every one for an emergency call, and one for another call that
// has found nothing else to try.
func (b *bridge) tryLeftOut() bool {
	u := b.setup
	if len(u.leftOut) == 0 || u.tried >= maxOuts || u.tried > 0 && !u.plan.Always {
		return false
	}
	p := u.leftOut[0]
	u.leftOut, u.carrier = u.leftOut[1:], true
	if t := b.s.e.trunk(p.route.Trunk); b.s.e.outs.take(&t, u.plan.Always, b.s.wall) != HasRoom {
		u.full++
		return false
	}
	b.dial(p.route, destOf(p.target, p.address), b.trunkURI(p.route.User, p.address, p.over, p.target.Proto))
	return true
}

// tryTrunk calls the next target of a trunk, and says whether there is one: the addresses of the trunk in their order, and of each the
// servers in theirs (RFC 3263 4.3).
func (b *bridge) tryTrunk(route gate.Route) bool {
	s, u := b.s, b.setup
	t := s.e.trunk(route.Trunk)
	for u.tried < maxOuts && !b.tooLong() {
		if len(u.targets) > 0 {
			target := u.targets[0]
			u.targets = u.targets[1:]
			if b.openly(target.Proto) {
				continue
			}
			if s.e.avoided.leavesOut(target, s.wall) {
				u.leftOut = append(u.leftOut, passed{route, u.aimed, t.Transport, target})
				continue
			}
			if s.e.outs.take(&t, u.plan.Always, s.wall) != HasRoom {
				u.full++
				return false
			}
			b.dial(route, destOf(target, u.aimed), b.trunkURI(route.User, u.aimed, t.Transport, target.Proto))
			return true
		}
		if u.address >= len(t.Addresses) {
			return false
		}
		u.address++
		address := t.Addresses[u.address-1]
		u.aimed = address
		servers, known := s.e.names.known(address, t.Transport, s.wall)
		if !known {
			b.findTrunk(route, address, t.Transport)
			return true
		}
		b.aim(servers)
	}
	return false
}

// destOf is where a server of a carrier's name is. The certificate must be of the name, and never of one in an SRV record (RFC 5922 section 4).
func destOf(t locate.Target, name string) transport.Dest {
	d := transport.Dest{Addr: t.Addr, Proto: t.Proto}
	if d.Proto == transport.TLS {
		d.Name = hostIn(name)
	}
	return d
}

// aim puts the servers of a trunk's address into the order for this call: those of a family that we do not speak are left out.
func (b *bridge) aim(servers *locate.Servers) {
	s, u := b.s, b.setup
	if servers == nil {
		return
	}
	u.targets = slices.DeleteFunc(servers.Order(rand.New(s.random).IntN), func(t locate.Target) bool {
		here, _ := s.e.localAddr(transport.Dest{Addr: t.Addr, Proto: t.Proto})
		return !here.IsValid()
	})
	u.targets = u.targets[:min(len(u.targets), maxTargets)]
}

// maxTargets bounds the servers of one address that a call tries.
const maxTargets = 8

// tooLong says that a call has looked for a carrier for so long that its caller has given up, as a rule (RFC 3261 timer B). An emergency call
// goes on.
func (b *bridge) tooLong() bool {
	u := b.setup
	if u.searchAt == 0 {
		u.searchAt = b.s.now
	}
	return !u.plan.Always && b.s.now-u.searchAt >= b.s.e.o.Timers.Patience()
}

// keepAfter is how long the first route may ring before what a restart needs to end it is stored: most calls are answered or
// over by then, and a leg that was not stored is found by the Call-ID of its answer.
const keepAfter = time.Second

// maxOuts bounds the legs that one call tries.
const maxOuts = 20

func (b *bridge) allFailed() {
	u := b.setup
	if u.rangOut && !u.sentOn { // whoever else was busy
		u.failed = &ending{by: call.Callee, why: policy.NoAnswer, status: 480}
	}
	if u.failed != nil {
		if !b.goesOn(u.failed, u.failed.silent) {
			b.finish(*u.failed)
		}
		return
	}
	end := ending{by: call.System, why: policy.TrunksFailed, f: policy.Figures{Value: u.tried}}
	if b.sips && u.tried == 0 && len(u.plan.Routes) > 0 && u.full == 0 {
		end = ending{by: call.System, why: policy.NotSecure}
	} else if u.full > 0 && u.tried == 0 {
		end = ending{by: call.System, why: policy.TrunksFull, f: policy.Figures{Value: int64(u.full)}}
	} else if routes := u.plan.Routes; len(routes) > 0 && routes[len(routes)-1].Line != "" { // its phones have gone since the call was admitted
		end = ending{by: call.System, why: policy.NotRegistered}
	}
	if b.goesOn(&end, false) {
		return
	}
	b.finish(end)
}

// ringNext calls the phones of the next line, and of those that ring with it, and says whether there is one.
func (b *bridge) ringNext() (rang bool) {
	u := b.setup
	first := u.plan.Routes[u.route]
	for n := u.route; u.route < len(u.plan.Routes) && (u.route == n || u.plan.Routes[u.route].With); u.route++ {
		rang = b.ringPhones(u.plan.Routes[u.route]) || rang
	}
	if !rang || u.sentOn {
		return rang
	}
	if f := &u.plan.Forward; first.Rings > 0 {
		u.turnAt = b.s.now + first.Rings
	} else if f.NoAnswer != "" {
		u.ringAt = b.s.now + f.Rings()
	}
	return true
}

// nextTurn gives up the line of a group that rings, and calls the next.
func (b *bridge) nextTurn() {
	b.setup.rangOut = true
	b.silence()
	b.tryRoute()
}

// ringPhones calls every phone registered for a line, and says whether there is one.
func (b *bridge) ringPhones(route gate.Route) bool {
	s, rang := b.s, false
	for _, flows := range flowsOf(s.phones(route.Line)) {
		if b.setup.tried >= maxOuts {
			break
		}
		flows = slices.DeleteFunc(flows, func(f location.Binding) bool { return b.openly(transport.ProtoOf(f.Transport)) })
		if len(flows) == 0 {
			continue
		}
		b.dialPhone(route, flows)
		rang = true
	}
	return rang
}

// openly says that a call must not go over a transport, because it asked to be encrypted. Help does not wait for that.
func (b *bridge) openly(p transport.Proto) bool {
	return b.sips && !p.Secure() && !b.setup.plan.Always
}

// findTrunk asks for the servers of a carrier's name beside the shard, and then goes on.
func (b *bridge) findTrunk(route gate.Route, address, over string) {
	e := b.s.e
	b.s.ask(b, func() func() {
		ctx, cancel := context.WithTimeout(e.ctx, e.o.Silence)
		defer cancel()
		servers, err := e.names.resolve(ctx, address, over, time.Now())
		return func() {
			if b.state != calling {
				return
			}
			if err != nil {
				e.log.Warn("the address of a trunk does not resolve", "trunk", account.Handle(route.Trunk), "address", address, "err", err)
				b.routeFailed(nil, nil, 503)
				return
			}
			b.aim(servers)
			b.tryRoute()
		}
	})
}

// trunkURI is the Request-URI at a carrier: sips: if the call asked for that and goes over TLS.
func (b *bridge) trunkURI(user, address, over string, goes transport.Proto) string {
	uri := "sip:" + user + "@" + address
	if b.sips && goes.Secure() {
		uri = "sips:" + user + "@" + address
	}
	if proto := transport.ProtoOf(over); proto != transport.UDP {
		uri += ";transport=" + proto.Small()
	}
	return uri
}

// dial sends the INVITE of a new leg.
func (b *bridge) dial(route gate.Route, to transport.Dest, uri string) {
	s, u := b.s, b.setup
	l := &leg{
		b: b, callID: s.newCallID(b.home(), b.id), localTag: hex64(s.random.Uint64()), remote: "<" + uri + ">", target: uri,
		dest: to, trunk: route.Trunk, line: route.Line, login: route.Line, unansweredAt: s.wall, counted: route.Trunk != "",
	}
	lines := append([]byte(s.e.offerTimer()), u.location...)
	l.local, lines = b.present(l, lines)
	lines = b.trailLines(l, lines)
	b.all = append(b.all, l)
	b.newFork(l)
	s.uac[l.callID] = l
	u.tried++
	if u.keepAt = s.now + keepAfter; u.tried > 1 {
		u.keepAt = s.now
	}
	if u.silentAt = transaction.Never; route.Trunk != "" {
		u.silentAt = s.now + s.e.o.Silence
	}
	l.session = u.offer.session()
	s.e.door.Notify(b.id, gate.Trying{Route: route, BLeg: l.callID})
	l.asked = l.send(request{method: message.INVITE, why: forInvite, lines: lines, content: u.offer, hops: u.hops})
}

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
		s.e.avoided.answers(c.to)
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
	s, u := b.s, b.setup
	l := c.answerer(m)
	l.agreeAsClient(m)
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
	u.answer = contentOf(m).kept()
	b.keepFork(b.answerIn(l))
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
	u := b.setup
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
