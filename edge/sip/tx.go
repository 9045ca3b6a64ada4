package sip

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
)

// branchPrefix is the magic cookie of RFC 3261 8.1.1.7; after it come 8 hex digits of this process and 16 of the branch.
const branchPrefix = "z9hG4bK"

const branchLen = len(branchPrefix) + 8 + 16

// server is a request that came in on a leg, and our answer to it.
type server struct {
	transaction.Server
	leg      *leg
	method   message.Method
	seq      uint32
	branch   string
	to       transport.Dest
	back     netip.AddrPort // where its sender listens, should the connection be gone; zero: not known
	head     []byte         // what all answers repeat from the request; nil once the final one was given
	tagAt    int            // where our tag stands in head; -1: the request came with one
	last     []byte         // the latest answer
	fork     *fork          // the early dialog that it was asked in
	from     *client        // the request on the other leg that passes this one on; nil: we answer ourselves
	offer    bool           // the request had a session description
	said     content        // INVITE without one that got a 2xx with one: that offer
	src      netip.AddrPort // where it came from, for an end that the party itself is asked about
	accepted bool           // an INVITE that got a 2xx: it must be acknowledged
	prefers  timerPreference
}

// purpose says what a request of ours is for.
type purpose uint8

const (
	forInvite  purpose = iota // the first INVITE of a leg
	forForward                // the other leg's re-INVITE, UPDATE or INFO
	forRefresh                // a session refresh of our own
	forAck
	forEarly  // a request of one side to the other before the answer, or a PRACK
	forProof  // asks a carrier whether a call is its own
	forNotify // tells a phone how its transfer goes
	forEnd    // asks the party of an emergency call whether an end from an unexpected address is genuine
	forBye
	forSure // a BYE to a carrier that hung up from an address where it is not expected
	forCancel
)

// client is a request that we sent on a leg.
type client struct {
	transaction.Client
	leg    *leg
	method message.Method
	why    purpose
	seq    uint32
	branch uint64
	to     transport.Dest
	udp    transport.Dest // where it goes should TCP, which is to carry it for its size alone, not do so; zero: that is not so
	req    []byte         // to retransmit, cancel and acknowledge it
	asks   *server        // forForward: the request that this one passes on
	said   content        // the session description in it: then the ACK of its 2xx has none
	tries  int8           // how often it was sent again with credentials or another interval
	taken  bool           // INVITE: a 2xx was taken,
	tag    string         // with this To tag

	acked      []byte    // INVITE: the ACK of a final answer other than 2xx
	begunAt    time.Time // when it was first sent
	sentAt     time.Time // BYE: when it was sent last
	cancelled  bool      // INVITE: cancelled; a 2xx that comes nevertheless is hung up
	cancelSent bool
	before     bool   // INVITE: a previous process sent it, and may have received its answer
	reason     []byte // why it was given up: Reason lines for CANCEL or BYE
}

// serve begins a server transaction for a request. The head is copied, because the packet belongs to its reader.
func (s *shard) serve(l *leg, p *transport.Packet) *server {
	m := &p.Msg
	t := &server{
		Server: transaction.NewServer(m.Method() == message.INVITE, p.Proto != transport.UDP), leg: l, method: m.Method(),
		seq: m.CSeq(), branch: string(m.Via().Branch), to: replyTo(p), back: backOf(p), tagAt: -1, offer: !contentOf(m).session().empty(),
		prefers: preferenceOf(m),
	}
	s.room = message.AppendResponse(s.room[:0], m, message.Reply{Code: 180, ToTag: []byte(l.localTag), Src: p.Src})
	start := bytes.IndexByte(s.room, '\n') + 1
	end := len(s.room) - len("Content-Length: 0\r\n\r\n")
	t.head = bytes.Clone(s.room[start:end])
	if m.To().Tag() == nil {
		t.tagAt = bytes.Index(t.head, []byte(l.localTag))
	}
	l.servers = append(l.servers, t)
	return t
}

// reply is an answer of ours to a request.
type reply struct {
	code    int
	phrase  string
	contact bool
	fork    int // number of the early dialog whose To tag it has
	lines   []byte
	content
}

// respond sends an answer and keeps it for repeats. After the final answer it does nothing.
func (s *shard) respond(t *server, r reply) {
	if t.head == nil {
		return
	}
	do := t.Respond(r.code, s.now, &s.e.o.Timers)
	if !do.Has(transaction.Send) {
		return
	}
	if t.tagAt >= 0 {
		forkTag(t.head[t.tagAt:t.tagAt+tagLen], t.leg.localTag, r.fork)
	}
	w := &s.w
	w.Begin(s.room[:0])
	w.Status(r.code, r.phrase)
	head := t.head
	if r.code == 100 && t.tagAt >= 0 { // 8.2.6.2 lets it have a tag; none is kinder to old phones
		head = untagged(t.head, t.tagAt)
	}
	w.Lines(head)
	if r.contact {
		w.AddString(message.HContact, "<"+t.leg.contact(t.to)+">")
	}
	if r.code > 100 {
		w.AddString(message.HServer, agent)
	}
	if r.code < 300 && r.code > 100 && (t.method == message.INVITE || t.method == message.UPDATE) {
		w.AddString(message.HAllow, allowed)
	}
	w.Lines(r.lines)
	s.room = t.leg.shown(r.content).end(w)
	if r.code != 100 {
		t.last = bytes.Clone(s.room)
	}
	t.accepted = t.method == message.INVITE && r.code >= 200 && r.code < 300
	s.sendReply(t, s.room)
	if r.code >= 200 {
		t.head = nil
	}
}

// untagged is head without the tag parameter of To.
func untagged(head []byte, at int) []byte {
	cut := at - len(";tag=")
	out := make([]byte, 0, len(head))
	out = append(out, head[:cut]...)
	return append(out, head[at+tagLen:]...)
}

// tagLen is the length of our tags: 16 hex digits, of which the last one or two are letters of an early dialog's number.
const tagLen = 16

// forkTag writes the To tag for answers that come from the leg with that number: each early dialog has its own.
func forkTag(dst []byte, tag string, fork int) {
	copy(dst, tag)
	if fork > 0 {
		dst[tagLen-1] = 'g' + byte((fork-1)%20)
	}
	if fork > 20 {
		dst[tagLen-2] = 'g' + byte((fork-1)/20-1)
	}
}

// again repeats the latest answer.
func (s *shard) again(t *server) {
	if t.last != nil {
		s.e.stats.repeats.Add(1)
		s.sendReply(t, t.last)
	}
}

// newBranch is 56 random bits and the shard's number, by which a failure that the transport reports finds its shard.
func (s *shard) newBranch() uint64 { return s.random.Uint64()<<8 | uint64(s.index) }

// appendBranch appends a branch as the Via has it.
func (s *shard) appendBranch(dst []byte, branch uint64) []byte {
	var hex [16]byte
	return append(append(dst, s.e.mark...), putHex64(hex[:], branch)...)
}

// ownBranch reads a branch of ours, also of a previous process: its 56 random bits say enough.
func ownBranch(b []byte) (uint64, bool) {
	if len(b) != branchLen || string(b[:len(branchPrefix)]) != branchPrefix {
		return 0, false
	}
	return parseHex64(b[branchLen-16:])
}

// launch sends a request that was built in s.room and begins its transaction.
func (s *shard) launch(c *client) *client {
	c.req = bytes.Clone(s.room)
	c.Client = transaction.NewClient(c.method == message.INVITE, c.to.Proto != transport.UDP, s.now, &s.e.o.Timers)
	c.leg.clients, c.begunAt = append(c.leg.clients, c), s.wall
	s.transmit(c)
	return c
}

func (s *shard) transmit(c *client) {
	c.sentAt = s.wall
	token := uint64(0)
	if c.to.Proto != transport.UDP {
		token = c.branch
		s.tokens[token] = c
	}
	s.e.send(c.to, c.req, token)
}

// undelivered handles a request whose connection failed, which counts as a 503 (RFC 3261 8.1.3.1).
func (s *shard) undelivered(token uint64) {
	c := s.tokens[token]
	if c == nil || c.State() >= transaction.Completed {
		return
	}
	s.cur = c.leg.b
	if s.atItsContact(c) || s.overUDP(c) {
		return
	}
	if c.leg.trunk == "" || c.State() == transaction.Calling {
		c.silentHere()
	}
	s.unanswered(c, 503)
}

// unanswered ends a request that will not be answered any more; status stands for the answer.
func (s *shard) unanswered(c *client, status int) {
	s.e.stats.timeouts.Add(1)
	c.leg.drop(c)
	s.answeredBy(c, nil, status)
}

// own parses a request of ours again, to derive others from it. The message is valid until the next call.
func (s *shard) own(req []byte) *message.Message {
	if f := message.Parse(&s.msg, req); f != nil {
		panic("our own request does not parse: " + f.Why)
	}
	return &s.msg
}

// derive writes the CANCEL of a request, or the ACK of its final answer other than 2xx: same Request-URI, Via, Route,
// From, Call-ID and number (RFC 3261 9.1 and 17.1.1.3), and the same To if none is given. It is in s.room.
func (s *shard) derive(c *client, method message.Method, to []byte, lines []byte) {
	m := s.own(c.req)
	w := &s.w
	w.Begin(s.room[:0])
	w.Request(method, m.RequestURI())
	w.Copy(m, message.HVia, message.HRoute, message.HMaxForwards, message.HFrom)
	if to != nil {
		w.Add(message.HTo, to)
	} else {
		w.Copy(m, message.HTo)
	}
	w.Copy(m, message.HCallID)
	w.CSeq(c.seq, method)
	w.Lines(lines)
	s.room = w.End("", nil)
}

// ackFinal acknowledges a final answer other than 2xx, and again when it is repeated.
func (s *shard) ackFinal(c *client, m *message.Message) {
	if c.acked == nil {
		s.derive(c, message.ACK, m.Get(message.HTo), nil)
		c.acked = bytes.Clone(s.room)
	}
	s.e.send(c.to, c.acked, 0)
}

// cancel cancels an INVITE of ours. A CANCEL may only follow a provisional answer (9.1); until then it is remembered.
func (s *shard) cancel(c *client, reason []byte) {
	if !c.cancelled {
		c.cancelled, c.reason = true, reason
	}
	c.Limit(s.now, &s.e.o.Timers)
	c.Until(s.now + s.patience(c.leg.b.endedAt))
	if c.State() != transaction.Proceeding || c.cancelSent {
		return
	}
	c.cancelSent = true
	s.derive(c, message.CANCEL, nil, c.reason)
	s.launch(&client{leg: c.leg, method: message.CANCEL, why: forCancel, seq: c.seq, branch: c.branch, to: c.to})
}

// reissue sends a request again as a new one, which takes its place, with edit's headers instead of those of the same names. False: it
// has been tried often enough.
func (s *shard) reissue(c *client, edit func(w *message.Writer), skip ...message.HeaderID) bool {
	if c.tries >= 2 {
		return false
	}
	l := c.leg
	l.localSeq++
	n := &client{
		leg: l, method: c.method, why: c.why, seq: l.localSeq, branch: s.newBranch(), to: c.to, asks: c.asks,
		said: c.said, tries: c.tries + 1,
	}
	if c.to != c.udp {
		n.udp = c.udp
	}
	s.rewrite(n, c.req, edit, skip)
	if over, large := l.overTCP(n.to, len(s.room)); large {
		n.udp, n.to = n.to, over
		s.rewrite(n, c.req, edit, skip)
	}
	s.launch(n)
	if n.asks != nil {
		n.asks.from = n
	}
	if n.why == forInvite {
		l.asked = n
	}
	return true
}

// rewrite writes a request of ours as n into s.room, with edit's headers instead of those to skip.
func (s *shard) rewrite(n *client, req []byte, edit func(w *message.Writer), skip []message.HeaderID) {
	m := s.own(req)
	w := &s.w
	w.Begin(s.room[:0])
	w.Request(n.method, m.RequestURI())
	s.via(w, n.leg, n.to, n.branch)
	for i := range m.NumHeaders() {
		id, name, value := m.Header(i)
		switch {
		case id == message.HVia, id == message.HContentLength, id == message.HContentType, slices.Contains(describing[:], id), slices.Contains(skip, id):
		case id == message.HCSeq:
			w.CSeq(n.seq, n.method)
		default:
			w.AddNamed(string(name), value)
		}
	}
	edit(w)
	s.room = contentOf(m).end(w)
}

// via writes our Via for a request of a leg to a place.
func (s *shard) via(w *message.Writer, l *leg, to transport.Dest, branch uint64) {
	var room [branchLen]byte
	w.Via(to.Proto.String(), l.here(to), s.appendBranch(room[:0], branch))
}

// earliest is the first deadline of the transactions of a leg, in either direction.
func (l *leg) earliest() time.Duration {
	at := transaction.Never
	for _, c := range l.clients {
		at = min(at, c.Deadline())
	}
	for _, t := range l.servers {
		at = min(at, t.Deadline())
	}
	return at
}
