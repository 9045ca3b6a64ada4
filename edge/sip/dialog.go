package sip

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
	"ringfence/flow/location"
)

// legState is the state of a leg.
type legState uint8

const (
	early  legState = iota // no 2xx yet
	up                     // a 2xx was sent or received
	closed                 // a BYE was sent or received, or there never was and never will be an answer
)

// leg is our side of one dialog (RFC 3261 section 12), with the requests in flight on it.
type leg struct {
	b         *bridge
	callID    string
	localTag  string
	remoteTag string
	local     string   // From of our requests, with our tag
	remote    string   // To of our requests, with their tag once known
	target    string   // their Contact: Request-URI of our requests
	routes    []string // Route of our requests
	dest      transport.Dest
	hereText  string // what here said for hereFor
	hereFor   transport.Dest
	hereVia   transport.Proto // the protocol of hereText
	hop       transport.Dest  // what nextHop said for hopFor
	hopFor    string
	localSeq  uint32
	remoteSeq uint32
	uas       bool   // they sent the INVITE
	fork      int    // number of the early dialog that the caller knows it by
	rseq      uint32 // of its latest reliable provisional answer
	agreed    bool   // early: its session is agreed on, so that it may be changed
	state     legState
	trunk     string   // the trunk at the other end; "" is a phone
	line      string   // whose phone is at the other end, for its IP lock; "" is a trunk, or a call that no lock stops
	login     string   // whose phone is at the other end; "" is a trunk
	sends     *sending // of a link: the call at its other end, until that has begun
	hidden    bool     // who is there is kept from the other side (hiddenFrom)
	updates   bool     // they allow UPDATE
	referred  bool     // their phone has sent a REFER
	reliable  bool     // they know reliable provisional answers (RFC 3262)
	acked     bool     // up: the ACK of the first INVITE's 2xx has come (uas) or gone out (uac)
	byeWaits  bool     // hang up as soon as the ACK has come (section 15)
	byeReason []byte
	ack       []byte  // our latest ACK of a 2xx, while its repeats can come
	ackSeq    uint32  // number of the INVITE whose 2xx is or will be acknowledged
	session   content // what they were last sent of the session in force, to refresh it with
	owed      content // a session that they have yet to be offered
	rounds    int8    // answers to refreshes in a row that changed the session
	timer     sessionTimer
	invite    *server // their first INVITE, until it is over
	asked     *client // our first INVITE, until it is over
	clients   []*client
	servers   []*server
	older     *leg // the previous call under the same Call-ID, for retransmissions of its last messages

	// What the gate must know of the leg when the call is over.
	revived      bool          // of a previous process
	alive        bool          // it has said since that it is there
	thereAt      time.Time     // when a question was sent that it has answered: it had the call then
	moved        bool          // of another node: the peer must learn our address
	watched      bool          // of another node: its peer may continue to write to that node, so it is asked often
	unansweredAt time.Time     // when it was last known not to be answered: our INVITE, or its last provisional answer
	answeredAt   time.Time     // when its 200 came; zero before a restart
	answerAge    time.Duration // for how long before that the 200 may have waited to be read
	unheard      bool          // its 200 has not come, but its BYE has
	unsure       bool          // a previous process may have received its 200
	byeAt        time.Time     // when the first BYE was sent or came
	overAt       time.Time     // when the BYE that was confirmed had been sent, or when it was given up
	refused      int           // status of the last answer to our BYE when it was given up; 408: there was none
	byeNext      time.Duration // when a BYE that was refused is sent again; 0: not at all
	byeUntil     time.Duration // when that is given up
	byeGap       time.Duration

	flows     []location.Binding // further ones of its phone, while it is called
	counted   bool               // it has a place at its trunk (outs)
	looking   bool               // the names of a carrier are asked for
	lookAgain time.Duration      // not before are they asked for again
	missed    int8               // OPTIONS of ours without an answer, in a row
	askAgain  time.Duration      // not before is the party of an emergency call asked for an end that came from elsewhere
}

// contact is our Contact on this leg for a message to a place.
func (l *leg) contact(to transport.Dest) string {
	here := l.here(to)
	switch {
	case l.hereVia == transport.UDP:
		return "sip:" + here
	case l.hereVia == transport.WSS:
		return "sip:" + here + ";transport=ws"
	case l.hereVia == transport.TLS && strings.HasPrefix(l.target, "sips:"):
		return "sips:" + here // who uses that scheme is answered in it (RFC 5630 section 3.1.3)
	}
	return "sip:" + here + ";transport=" + l.hereVia.Small()
}

// here is the address that this leg's peer is to write to: that of the listener from which a message to that place leaves.
func (l *leg) here(to transport.Dest) string {
	if l.hereText == "" || l.hereFor != to {
		a, proto := l.b.s.e.localAddr(to)
		l.hereText, l.hereVia, l.hereFor = a.String(), proto, to
	}
	return l.hereText
}

// ownsRequest says whether a request belongs to this dialog. RFC 2543 phones may send no From tag.
func (l *leg) ownsRequest(m *message.Message) bool {
	to := m.To().Tag()
	if !bytes.Equal(m.From().Tag(), []byte(l.remoteTag)) {
		return false
	}
	return string(to) == l.localTag || l.uas && l.state == early && l.b.forkOf(to) != nil
}

// learn takes the dialog's state from an INVITE of theirs, or from the answer to ours (12.1).
func (l *leg) learn(m *message.Message) {
	l.retarget(m)
	l.routes = nil
	for a := range m.Addrs(message.HRecordRoute) {
		if len(l.routes) == maxRoutes {
			break
		}
		l.routes = append(l.routes, "<"+string(a.URI)+">")
	}
	if !l.uas { // the answer lists them from their side
		slices.Reverse(l.routes)
	}
	if m.Has(message.HAllow) {
		l.updates = m.HasToken(message.HAllow, "UPDATE")
	}
	l.reliable = m.HasToken(message.HSupported, "100rel") || l.uas && m.HasToken(message.HRequire, "100rel")
}

// maxRoutes bounds a route set.
const maxRoutes = 16

// retarget takes a new Contact (12.2).
func (l *leg) retarget(m *message.Message) {
	for a := range m.Addrs(message.HContact) {
		if u, ok := a.ParseURI(); ok && (u.Scheme == message.SIP || u.Scheme == message.SIPS) {
			l.target = requestURI(string(a.URI))
		}
		return
	}
}

// requestURI is a Contact as a Request-URI: one holds no headers (RFC 3261 table 1).
func requestURI(contact string) string {
	uri, _, _ := strings.Cut(contact, "?")
	return uri
}

// routed is the Request-URI and the Route of a request inside the dialog. A strict router, one whose Record-Route has no lr, wants its
// own URI as the Request-URI and the peer's Contact last in Route (12.2.1.1).
func (l *leg) routed() (uri string, routes []string) {
	if len(l.routes) == 0 {
		return l.target, nil
	}
	first := strings.Trim(l.routes[0], "<>")
	if u, ok := message.ParseURI([]byte(first)); !ok || loose(&u) {
		return l.target, l.routes
	}
	return withoutMethod(requestURI(first)), append(slices.Clone(l.routes[1:]), "<"+l.target+">")
}

func loose(u *message.URI) bool {
	_, lr := u.Param("lr")
	return lr
}

// withoutMethod removes the method parameter, which no Request-URI may have (RFC 3261 table 1).
func withoutMethod(uri string) string {
	parts := strings.Split(uri, ";")
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return len(p) > 7 && strings.EqualFold(p[:7], "method=") }), ";")
}

// nextHop is where requests inside the dialog go. For a trunk it is the address in the first Route, or the Contact, when
// that is a public address as a number (12.2.1.1); everything else goes to where its packets come from, or to a phone's Contact when its connection is gone.
func (l *leg) nextHop() transport.Dest {
	if l.trunk == "" {
		l.dest = l.b.s.e.reach(l.dest, l.target)
		l.newFlow()
		return l.dest
	}
	if l.dest.Proto.Secure() && l.b.s.e.net.Connected(l.dest) { // whose certificate we have seen, or who has seen ours
		return l.dest
	}
	uri := l.target
	if len(l.routes) > 0 {
		uri = strings.Trim(l.routes[0], "<>")
	}
	if uri != l.hopFor {
		l.hop, l.hopFor = l.hopTo(uri), uri
	}
	return l.hop
}

// hopTo is where a trunk's Route or Contact leads.
func (l *leg) hopTo(uri string) transport.Dest {
	u, ok := message.ParseURI([]byte(uri))
	if !ok {
		return l.dest
	}
	addr, ok := u.Addr()
	if !ok || !addr.IsValid() || (addr.IsPrivate() || addr.IsLoopback()) != (l.dest.Addr.Addr().IsPrivate() || l.dest.Addr.Addr().IsLoopback()) {
		return l.dest
	}
	to := netip.AddrPortFrom(addr, cmp.Or(u.Port, portOf(l.dest.Proto)))
	if to == l.dest.Addr {
		return l.dest
	}
	d := transport.Dest{Addr: to, Proto: l.dest.Proto, Name: l.dest.Name}
	if d.Proto == transport.TLS && d.Name == "" { // it connected to us
		d.Name = l.b.s.e.certified(l.trunk)
	}
	if d.Proto == transport.UDP && to.Addr().Is4() == l.dest.Addr.Addr().Unmap().Is4() {
		d.Flow = l.dest.Flow // the listener that the carrier knows us by
	}
	return d
}

// request is a request of ours inside a dialog.
type request struct {
	method message.Method
	why    purpose
	lines  []byte
	content
	asks *server
	hops int            // forInvite: Max-Forwards
	over transport.Dest // where it goes instead of to the next hop; zero: there
}

// compose writes a request inside the dialog into s.room.
func (l *leg) compose(r *request, seq uint32, branch uint64) {
	s, to := l.b.s, l.nextHop()
	w := &s.w
	w.Begin(s.room[:0])
	uri, routes := l.routed()
	w.Request(r.method, []byte(uri))
	via := to
	if r.over.Addr.IsValid() {
		via = r.over
	}
	s.via(w, l, via, branch)
	for _, route := range routes {
		w.AddString(message.HRoute, route)
	}
	hops := r.hops
	if r.why != forInvite {
		hops = 70
	}
	w.AddInt(message.HMaxForwards, int64(hops))
	w.AddString(message.HFrom, l.local)
	w.AddString(message.HTo, l.remote)
	w.AddString(message.HCallID, l.callID)
	w.CSeq(seq, r.method)
	if r.method == message.NOTIFY {
		w.AddString(message.HContact, "<"+l.contact(to)+">")
	}
	if r.method == message.INVITE || r.method == message.UPDATE {
		w.AddString(message.HContact, "<"+l.contact(to)+">")
		w.AddString(message.HAllow, allowed)
		w.AddString(message.HSupported, l.offersExtensions(r.why))
	}
	w.AddString(message.HUserAgent, agent)
	w.Lines(r.lines)
	s.room = l.shown(r.content).end(w)
}

// offersExtensions are those that a request of ours offers. Reliable provisional answers are for a caller that knows them.
func (l *leg) offersExtensions(reason purpose) string {
	if reason == forInvite && l.b.a.reliable {
		return "timer, 100rel"
	}
	return "timer"
}

// send sends a request inside the dialog.
func (l *leg) send(r request) *client {
	l.localSeq++
	s := l.b.s
	c := &client{
		leg: l, method: r.method, why: r.why, seq: l.localSeq, branch: s.newBranch(), to: l.nextHop(), asks: r.asks,
		said: r.session(),
	}
	if r.asks != nil {
		r.asks.from = c
	}
	l.compose(&r, c.seq, c.branch)
	if over, large := l.overTCP(c.to, len(s.room)); large {
		c.udp, c.to, r.over = c.to, over, over
		l.compose(&r, c.seq, c.branch)
	}
	return s.launch(c)
}

// sendAck acknowledges a 2xx (13.2.2.4) and keeps the ACK for its repeats.
func (l *leg) sendAck(seq uint32, answer content) {
	s := l.b.s
	l.compose(&request{method: message.ACK, why: forAck, content: answer}, seq, s.newBranch())
	l.ack, l.ackSeq = bytes.Clone(s.room), seq
	s.e.send(l.nextHop(), l.ack, 0)
}

// drop forgets a request of ours.
func (l *leg) drop(c *client) {
	if c.to.Proto != transport.UDP && l.b.s.tokens[c.branch] == c {
		delete(l.b.s.tokens, c.branch)
	}
	l.clients = without(l.clients, c)
	if l.asked == c {
		l.asked = nil
	}
	if c.method == message.INVITE {
		l.ack = nil
	}
}

// without takes one out of a list.
func without[T comparable](list []T, one T) []T {
	if i := slices.Index(list, one); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// dropServer forgets a request of theirs.
func (l *leg) dropServer(t *server) {
	l.servers = without(l.servers, t)
	if l.invite == t {
		l.invite = nil
	}
}

// client finds a request of ours by its branch and method.
func (l *leg) client(branch uint64, method message.Method) *client {
	for _, c := range l.clients {
		if c.branch == branch && c.method == method {
			return c
		}
	}
	return nil
}

// server finds a request of theirs that p repeats. An ACK or CANCEL is asked for with the method INVITE.
func (l *leg) server(m *message.Message, method message.Method) *server {
	for _, t := range l.servers {
		if t.method == method && t.seq == m.CSeq() && (t.branch == string(m.Via().Branch) || m.Method() == message.ACK) {
			return t
		}
	}
	return nil
}

// hangup ends the leg with whatever its state asks for: a refusal, a CANCEL or a BYE.
func (l *leg) hangup(e *ending) {
	switch {
	case l.state == closed:
	case l.state == early && l.uas:
		l.state = closed
		if l.invite != nil {
			l.b.s.respond(l.invite, reply{code: e.status, lines: e.lines, phrase: e.phrase})
		}
	case l.state == early:
		l.state = closed
		if l.asked != nil {
			l.b.s.cancel(l.asked, e.lines)
		}
	case l.uas && !l.acked: // 15: not before the ACK
		l.byeWaits, l.byeReason = true, e.lines
	default:
		l.bye(e.lines)
	}
}

// bye ends a confirmed dialog.
func (l *leg) bye(lines []byte) {
	if l.state == closed {
		return
	}
	if !l.uas && !l.acked { // 13.2.2.4: a 2xx is acknowledged in any case
		l.acked = true
		l.sendAck(l.ackSeq, content{})
	}
	l.state = closed
	l.byeWaits = false
	s := l.b.s
	if l.byeAt.IsZero() {
		l.byeAt = s.wall
	}
	l.byeUntil, l.byeGap, l.byeReason = s.now+s.patience(l.byeAt), s.e.o.Timers.T1, lines
	l.send(request{method: message.BYE, why: forBye, lines: lines}).Until(l.byeUntil)
}

// byeLonger waits for the answer to a BYE for a time at least that allows some more of them.
func (l *leg) byeLonger() {
	s := l.b.s
	if l.state != closed || l.byeUntil == 0 || l.over() || s.wall.Sub(l.byeAt) > 2*s.e.o.Timers.Patience() { // one that stands still again and again gives up too
		return
	}
	l.byeUntil = max(l.byeUntil, s.now+s.patience(l.byeAt))
	for _, c := range l.clients {
		if c.why == forBye {
			c.Extend(l.byeUntil)
		}
	}
}

// byeAnswered takes the final answer to our BYE. 481 says that the peer has no such call any more (RFC 3261 15.1.1). Any
// other refusal leaves the leg up: it is hung up again, for as long as a BYE without an answer would be repeated.
func (l *leg) byeAnswered(c *client, m *message.Message, status int) {
	s := l.b.s
	if m != nil && status >= 200 && status != 481 {
		l.wasUp()
	}
	switch {
	case status < 200:
		return
	case status < 300 || status == 481:
		if l.overAt.IsZero() {
			l.overAt = c.sentAt
		}
		if !l.b.legsOver() || l.b.lingers > s.now { // a restart need not end this one again
			l.b.remember()
		}
		return
	case m != nil || status == 503: // refused, or its connection failed
		l.byeGap *= 2
		l.localSeq += seqJump * uint32(l.byeGap/s.e.o.Timers.T1) // another node may have used higher numbers meanwhile (12.2.2)
		if at := s.now + l.byeGap; at < l.byeUntil {
			l.byeNext = at
			l.b.remember() // a restart goes on above these numbers
			return
		}
	}
	l.overAt, l.refused = s.wall, status
	s.e.log.Warn("the end of a leg was never confirmed", "call", l.b.id, "trunk", l.trunk, "leg", l.callID, "status", status)
}

// byeAgain is when a BYE that was refused goes out again.
func (l *leg) byeAgain() time.Duration {
	if l.byeNext == 0 {
		return transaction.Never
	}
	return l.byeNext
}

func (l *leg) tickBye() {
	if l.b.s.now >= l.byeAgain() {
		l.byeNext = 0
		l.send(request{method: message.BYE, why: forBye, lines: l.byeReason})
	}
}

// proved says that the peer is known to have the call, as far as has been heard from it.
func (l *leg) proved() bool { return !l.revived || l.alive }

// isThere notes that the peer still has the call. The gate is notified when both peers have confirmed that since a restart.
func (l *leg) isThere() {
	b := l.b
	if l.proved() {
		return
	}
	l.alive = true
	if b.joined && b.a.proved() && b.peer.proved() {
		b.s.e.door.Notify(b.id, gate.Proved{})
	}
}

// over says that the leg cannot be up any more: it was not answered and will not be, its end is confirmed, or
// the peer no longer responds. Until then an answer may cross our CANCEL, and the carrier charges until our BYE has arrived.
func (l *leg) over() bool {
	if l.state != closed || l.byeWaits || l.byeNext != 0 {
		return false
	}
	for _, c := range l.clients {
		if (c.why == forInvite || c.why == forBye) && c.State() < transaction.Completed {
			return false
		}
	}
	return true
}
