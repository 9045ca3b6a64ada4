package sip

import (
	"bytes"
	"cmp"
	"errors"
	"hash/maphash"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
	"ringfence/flow/door"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
)

// request takes a request inside the shard: to its leg, or to begin something new.
func (s *shard) request(p *transport.Packet) {
	m := &p.Msg
	l := s.legOf(p)
	if l != nil {
		s.cur = l.b
		l.request(p)
		return
	}
	switch {
	case p.Proto == link && m.Method() == message.INVITE && m.To().Tag() == nil:
		s.linked(p)
	case p.Proto == link:
		s.e.answer(p, message.Reply{Code: 481})
	case m.Method() == message.REGISTER:
		s.register(p)
	case m.Method() == message.INVITE && m.To().Tag() == nil:
		s.invite(p)
	case m.Method() == message.BYE && s.forgottenLegEnded(p):
	case m.Method() == message.BYE && len(m.To().Tag()) == tagLen && s.seek(p, s.request):
	case m.Method() == message.ACK:
		s.e.meansAnother(p, false)
	default:
		s.e.wrongTags(p, false)
	}
}

// seek asks beside the shard whether another node has the call that a packet belongs to, and then handles the packet again, since
// the call may be here by then. It says whether it asks: a Call-ID that belongs to no call is asked for once.
func (s *shard) seek(p *transport.Packet, again func(*transport.Packet)) bool {
	m := &p.Msg
	id := string(m.CallID())
	if !s.e.o.Nodes || s.sought[id] {
		return false
	}
	if len(s.sought) >= maxSought {
		clear(s.sought)
	}
	q := keep(p)
	if q == nil {
		return false
	}
	s.sought[id] = true
	s.e.beside(func() {
		found, err := s.e.door.Seek(callOf([]byte(id)), id, !q.Msg.IsRequest())
		s.post(func() {
			if found || err != nil {
				delete(s.sought, id)
			}
			if err == nil { // otherwise the packet is retransmitted, and asked about again
				again(q)
			}
		})
	})
	return true
}

// keep copies a packet, which belongs to its reader or to the queue. Nil when it cannot be parsed again.
func keep(p *transport.Packet) *transport.Packet {
	q := &transport.Packet{Src: p.Src, Local: p.Local, Proto: p.Proto, Flow: p.Flow, Proved: p.Proved, Buf: bytes.Clone(p.Msg.Bytes())}
	if q.Parse() != nil {
		return nil
	}
	return q
}

// maxSought bounds the Call-IDs that were asked for and belong to no call.
const maxSought = 1024

// invite begins a call (RFC 3261 8.2 and 13.3.1).
func (s *shard) invite(p *transport.Packet) {
	e, m := s.e, &p.Msg
	if code, lines := e.unfit(m); code != 0 {
		e.answer(p, message.Reply{Code: code, Lines: lines})
		return
	}
	a, ok := e.identify(p)
	if !ok {
		return
	}
	replaces, ok := replacesIn(m)
	if code := unfitReplaces(replaces, ok, m, a.Trunk); code != 0 {
		e.answer(p, message.Reply{Code: code})
		return
	}
	e.stats.invites.Add(1)
	if !a.Restricted {
		e.net.LoggedIn(p.From(), a.Line)
	}
	b := &bridge{s: s, trail: trailOf(m, a.Trunk != ""), sips: m.URI().Scheme == message.SIPS}
	a.Turns = b.trail.turns
	if !s.seatFor(b, &a, p) {
		e.stats.noSeat.Add(1)
		e.refuseStateless(p, policy.Overloaded, policy.Figures{Limit: int64(e.o.MaxCalls)})
		return
	}
	s.begin(b, p)
	b.a.trunk, b.a.login, b.setup.replaces = a.Trunk, a.Line, replaces
	if !a.Restricted {
		b.a.line = a.Line
	}
	s.cur = b
	s.askGate(b, func() func() {
		plan, err := e.door.Admit(e.ctx, a)
		return func() { b.admitted(plan, err) }
	})
}

// unfit is the answer to an INVITE that cannot become a call, regardless of its sender; 0 if it can.
func (e *Edge) unfit(m *message.Message) (code int, lines []byte) {
	if m.MaxForwards() == 0 {
		return 483, nil
	}
	if u := m.URI(); u.Scheme != message.SIP && u.Scheme != message.SIPS && u.Scheme != message.TEL && !isSOS(m) {
		return 416, nil
	}
	for v := range m.All(message.HVia) {
		if bytes.Contains(v, []byte(e.mark)) {
			return 482, nil // our own packet came back
		}
	}
	if lines := unsupported(m); lines != nil {
		return 420, lines
	}
	if timerTooBrief(m) {
		return 422, minSELine
	}
	return 0, nil
}

// cleanText is clipText with what could steer a terminal or a page taken out: peers' texts end up in records.
func cleanText(s string, most int) string {
	return strings.Map(func(r rune) rune {
		if r >= ' ' && r < 0x7f || r != utf8.RuneError && unicode.IsPrint(r) && !unicode.Is(unicode.M, r) {
			return r
		}
		return '?'
	}, clipText(s, most))
}

// clipText bounds what is taken over from a peer's text.
func clipText(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}

// identify says who calls: a trunk by its address, or a line by its login. Otherwise it has answered.
func (e *Edge) identify(p *transport.Packet) (gate.Attempt, bool) {
	m := &p.Msg
	a := gate.Attempt{
		Source: p.Src, ALeg: string(m.CallID()), UserAgent: cleanText(string(m.Get(message.HUserAgent)), 200),
	}
	from := callerOf(m)
	a.Withheld = from.withheld
	a.Dialled, a.Context = dialled(m)
	a.Context = e.localContext(a.Context, m)
	var c message.Credentials
	if !e.ownCredentials(m, &c) { // a carrier may pass on credentials for another server
		if trunk, ok := e.inboundFrom(p); ok {
			a.Trunk, a.Caller = trunk, cmp.Or(userIn(m, message.HPAssertedIdentity), from.user) // as the network asserts it (RFC 3325 section 9.1)
			if from.user != a.Caller && from.user != "anonymous" {
				a.Shown = from.user
			}
			e.calledAtContact(&a, m)
			return a, true
		}
	}
	res, _, ok := e.login(p)
	if !ok {
		return a, false
	}
	if res.Outcome == guard.Refuse && !e.mayPass(&res, &a) {
		e.refuseStateless(p, res.Reason, res.Figures)
		return a, false
	}
	a.Caller = asked(m, from.user)
	a.Line, a.Restricted, a.Tight = res.Line, res.Outcome == guard.Refuse, res.Tight
	return a, true
}

// mayPass says that a call goes to the gate although its login was refused: for the IP lock or a restriction, because the gate gives the reason, and
// for an emergency call with the right password from a source that is locked out. Every other refusal must look like a wrong
// password.
func (e *Edge) mayPass(res *guard.Result, a *gate.Attempt) bool {
	return res.EmergencyOK && (res.Reason == policy.AddressLocked || res.Reason == policy.LoginClosed || e.emergency(a))
}

// login judges the credentials of a request, and says which challenge of ours was answered. Where there are none that are for us
// and good, it has answered with a challenge, and ok is false.
func (e *Edge) login(p *transport.Packet) (res guard.Result, challenge uint64, ok bool) {
	m := &p.Msg
	l := logins.Get().(*login)
	defer logins.Put(l)
	if e.ownCredentials(m, (*message.Credentials)(&l.Credentials)) && !fits(l.URI, m) { // the request was changed after it was signed (RFC 7616 3.4.6)
		return guard.Result{Outcome: guard.Refuse, Reason: policy.BadCredentials}, 0, true
	}
	code := 401
	if l.Proxy = m.Method() != message.REGISTER; l.Proxy {
		code = 407
	}
	l.Method, l.Src, l.Now, l.Ask = m.MethodText(), p.Src.Addr(), time.Now(), l.room[:0]
	if res = e.door.Login(&l.Login); res.Outcome == guard.Challenge {
		e.stats.strangers.Add(1)
		e.answer(p, message.Reply{Code: code, Lines: l.Ask})
		return res, 0, false
	}
	return res, maphash.Bytes(repeatSeed, l.Nonce), true
}

// login has room for a challenge, so that neither is allocated for each request.
type login struct {
	door.Login
	room [512]byte
}

var logins = sync.Pool{New: func() any { return new(login) }}

// ownCredentials reads the credentials that are for us.
func (e *Edge) ownCredentials(m *message.Message, c *message.Credentials) bool {
	return m.Credentials(message.HProxyAuthorization, e.o.Realm, c) || m.Credentials(message.HAuthorization, e.o.Realm, c)
}

// begin copies what is needed of an INVITE, because the packet belongs to its reader.
func (s *shard) begin(b *bridge, p *transport.Packet) {
	m := &p.Msg
	tag := hex64(s.random.Uint64())
	l := &leg{
		b: b, callID: string(m.CallID()), localTag: tag, remoteTag: string(m.From().Tag()),
		local: string(m.To().Text(m.Get(message.HTo), nil)) + ";tag=" + tag, remote: string(m.From().Text(m.Get(message.HFrom), nil)), target: string(m.From().URI),
		dest: replyTo(p), remoteSeq: m.CSeq(), uas: true, older: s.uas[string(m.CallID())],
	}
	if l.older != nil {
		l.older.older = nil
	}
	l.learn(m)
	b.a, b.all = l, append(make([]*leg, 0, 2), l)
	b.setup = &setup{
		requires: m.HasToken(message.HRequire, "100rel"), offer: contentOf(m).kept(), location: locationOf(m), hops: hopsAfter(m), from: callerOf(m),
		prefers: preferenceOf(m), tryingAt: s.now + s.e.o.Trying, silentAt: transaction.Never, ringAt: transaction.Never, turnAt: transaction.Never,
		queueAt: transaction.Never, keepAt: transaction.Never,
	}
	l.invite = s.serve(l, p)
	s.uas[l.callID] = l
	s.e.calls.Add(1)
}

func hopsAfter(m *message.Message) int {
	if n := m.MaxForwards(); n > 0 {
		return min(n-1, 70)
	}
	return 70
}

// plainUser is a caller's name as a URI of ours may contain it: characters that could end the user part are left out.
func plainUser(b []byte) string {
	out := make([]byte, 0, min(len(b), 64))
	for _, c := range b {
		switch {
		case len(out) == cap(out):
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', bytes.IndexByte([]byte("+*#._-"), c) >= 0:
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return "anonymous"
	}
	return string(out)
}

// admitted goes on with the gate's answer.
func (b *bridge) admitted(plan *gate.Plan, err error) {
	s := b.s
	if err != nil {
		end := ending{by: call.System, why: policy.Fault}
		if r := (*gate.Refusal)(nil); errors.As(err, &r) {
			end.why, end.f = r.Reason, r.Figures
		}
		b.reported, b.clear = true, true
		b.finish(end)
		return
	}
	b.id = plan.ID
	if b.state == over { // cancelled meanwhile
		b.reportEnd()
		return
	}
	s.byID[b.id] = b
	switch cut, ok := s.early[b.id]; {
	case ok:
		b.finish(ending{by: call.System, why: cut.why, f: cut.f})
		return
	case s.e.stopping.Load() && !plan.Always:
		b.finish(ending{by: call.System, why: policy.Stopping})
		return
	}
	if plan.Always {
		b.a.line = "" // neither a lock nor a later one ends an emergency call
	}
	if b.a.trunk != "" && plan.Called != "" {
		if !s.e.seats.mayRing(b, plan.Called) {
			b.finish(ending{by: call.Callee, why: policy.Busy})
			return
		}
		b.wantProof()
	}
	b.state = calling
	b.setup.plan = plan
	if u := b.setup; !plan.Always {
		u.offer, u.location = u.offer.withoutLocation(), nil
	}
	b.a.hidden = b.setup.withheld()
	b.setup.ringAt, b.setup.queueAt, b.setup.keepAt = s.now+s.e.o.RingTimeout, s.now+s.e.o.QueueTimeout, transaction.Never
	if r := b.setup.replaces; r != nil && !plan.Always {
		b.takeOver(r)
		return
	}
	if !b.asks() {
		b.connect()
	}
}

// connect begins to look for the callee.
func (b *bridge) connect() {
	if now := b.setup.plan.Now; now != "" && b.forwards(now) {
		return
	}
	b.tryRoute()
}

// request takes a request on a known leg.
func (l *leg) request(p *transport.Packet) {
	m, s := &p.Msg, l.b.s
	switch m.Method() {
	case message.ACK:
		// The ACK of a refusal ends its repeats, from wherever it comes: the call may have been cut for where it came from.
		if l.b.state != over && !l.expects(p.Src.Addr()) {
			if own := l.owner(m); own == nil || !own.looksUp(p) {
				s.e.stats.elsewhere.Add(1)
			}
			return
		}
		l.ackCame(p)
		return
	case message.CANCEL:
		l.cancelCame(p)
		return
	}
	own := l.owner(m)
	for _, o := range []*leg{l, l.older, own} {
		if o == nil {
			continue
		}
		if t := o.server(m, m.Method()); t != nil {
			if t.Request().Has(transaction.Send) {
				s.again(t)
			}
			return
		}
	}
	switch {
	case m.To().Tag() == nil && m.Method() == message.INVITE && l.uas && l.b.state == over:
		s.invite(p) // the phone tries again under the same Call-ID
	case m.To().Tag() == nil:
		s.e.answer(p, message.Reply{Code: 482})
	case own == nil && m.Method() == message.BYE && l.byeUnheard(p):
	case own == nil:
		s.e.wrongTags(p, true)
	case m.Method() == message.BYE:
		own.byeCame(p)
	case own.admits(p):
		own.proves(p)
		own.isThere()
		own.inDialog(p)
	}
}

// ackCame takes an ACK: of a final answer, or of a 2xx and then perhaps with the caller's session description.
func (l *leg) ackCame(p *transport.Packet) {
	m, s := &p.Msg, l.b.s
	t := l.server(m, message.INVITE)
	if t == nil && l.older != nil {
		l, t = l.older, l.older.server(m, message.INVITE)
	}
	if t == nil {
		return
	}
	do := t.Ack(s.now, &s.e.o.Timers)
	if do.Has(transaction.Done) {
		l.dropServer(t)
	}
	if !do.Has(transaction.Pass) {
		return
	}
	l.acked, l.b.forks = true, nil
	l.heard(p)
	l.proves(p)
	if !l.owed.empty() {
		l.timer.refreshAt = s.now
	}
	if q := l.b.ask; q != nil && l == l.b.a {
		q.acknowledged(l.b, m)
	}
	if c := t.from; c != nil && !c.offers() && c.leg.state == up {
		answer := contentOf(m)
		t.agreedInAck(c, answer.session())
		c.leg.acked = true
		c.leg.sendAck(c.seq, answer)
	}
	if l.byeWaits {
		l.bye(l.byeReason)
	}
}
