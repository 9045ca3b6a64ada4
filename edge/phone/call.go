package phone

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
)

// End is how a call ended.
type End struct {
	Theirs bool   // they hung up (or the server did for them)
	Why    string // the texts of the BYE's Reason header; "" for none
	Raw    string // the Reason header lines, as sent
	At     time.Time
}

// Call is a dialog: one call as one end sees it. Safe for concurrent use.
type Call struct {
	e    *endpoint
	id   string // Call-ID
	peer transport.Dest
	rtp  netip.AddrPort // what our SDP says; zero port: none

	local    string // From value of our requests, with our tag
	localTag string
	invite   *server // called side: what began it

	done chan struct{} // closed once ended

	// All below is owned by the endpoint's mu.
	remote  string // To value of our requests, with their tag
	target  string // the other end's Contact URI
	routes  []string
	cseq    uint32
	version int // of our SDP
	end     *End
	began   time.Time
	media   netip.AddrPort // where their SDP wants audio
	cancel  func()         // called side: ends the script when the caller cancels
}

// Done is closed when the call has ended.
func (c *Call) Done() <-chan struct{} { return c.done }

// End says how the call ended; zero while it lasts.
func (c *Call) End() End {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	if c.end == nil {
		return End{}
	}
	return *c.end
}

// Began is when the call was answered.
func (c *Call) Began() time.Time {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	return c.began
}

// incoming begins the called side of an INVITE.
func (e *endpoint) incoming(s *server, rtp netip.AddrPort) *Call {
	m := &s.p.Msg
	c := &Call{
		e: e, id: string(m.CallID()), peer: e.link.dest(s.p.Src), rtp: rtp, invite: s, done: make(chan struct{}),
		local: string(m.Get(message.HTo)) + ";tag=" + s.tag, localTag: s.tag, cseq: 1, version: 1,
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c.learn(m, message.HFrom)
	s.call = c
	e.calls[callKey(c.id, c.localTag)] = c
	return c
}

// learn takes over what the INVITE, or the 2xx to ours, says of the other end, which stands in a From or To. The caller holds mu.
func (c *Call) learn(m *message.Message, they message.HeaderID) {
	c.remote, c.target = string(m.Get(they)), contactOf(m)
	c.routes = nil
	for r := range m.List(message.HRecordRoute) {
		c.routes = append(c.routes, string(r))
	}
	c.media, _ = mediaOf(m.Body())
}

// finish marks the end, once. The endpoint forgets the call a little later, so that repeats of the last packets still
// find their answers.
func (c *Call) finish(end End) bool {
	c.e.mu.Lock()
	if c.end != nil {
		c.e.mu.Unlock()
		return false
	}
	end.At = time.Now()
	c.end = &end
	stop := c.cancel
	close(c.done)
	c.e.mu.Unlock()
	if stop != nil {
		stop()
	}
	time.AfterFunc(timers.Patience(), func() {
		c.e.mu.Lock()
		defer c.e.mu.Unlock()
		delete(c.e.calls, callKey(c.id, c.localTag))
	})
	return true
}

// established takes over what a 2xx to our INVITE says, and acknowledges it.
func (c *Call) established(tx *client, m *message.Message) {
	c.e.mu.Lock()
	c.learn(m, message.HTo)
	slices.Reverse(c.routes)
	c.began = time.Now()
	c.e.calls[callKey(c.id, c.localTag)] = c
	c.e.mu.Unlock()
	tx.acknowledge(c.request(message.ACK))
}

// request begins a request inside the call. It goes to the first route, else the other end's contact, else where it has sent from.
// A call on loopback stays there, whatever a message names.
func (c *Call) request(method message.Method) *request {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	if method != message.ACK {
		c.cseq++
	}
	r := &request{
		method: method, uri: c.target, from: c.local, to: c.remote, callID: c.id, cseq: c.cseq, routes: c.routes, dest: c.peer,
	}
	next := c.target
	if len(c.routes) > 0 {
		next = uriOf([]byte(c.routes[0]))
	}
	if at, ok := hostOf(next); ok && c.peer.Proto == transport.UDP && (at.Addr().IsLoopback() || !c.peer.Addr.Addr().IsLoopback()) {
		r.dest.Addr = at
	}
	return r
}

// Hangup ends the call with a BYE and waits for its answer. Hanging up twice does nothing.
func (c *Call) Hangup(ctx context.Context) error {
	if !c.finish(End{}) {
		return nil
	}
	_, _, err := c.e.transact(ctx, c.request(message.BYE))
	return err
}

// Reinvite offers the same media again, as a phone does that holds ("sendonly") and resumes ("sendrecv"), and gives the
// status of the answer.
func (c *Call) Reinvite(ctx context.Context, direction string) (int, error) {
	r := c.request(message.INVITE)
	c.e.mu.Lock()
	c.version++
	r.body = sdp(c.rtp, c.version, direction)
	c.e.mu.Unlock()
	tx, m, err := c.e.transact(ctx, r)
	if err != nil {
		return 0, err
	}
	if m.Status()/100 == 2 {
		tx.acknowledge(c.request(message.ACK))
	}
	return m.Status(), nil
}

// Press sends keys inside the call, each by an INFO (application/dtmf-relay), as phones do that are set so.
func (c *Call) Press(ctx context.Context, keys string) error {
	for _, key := range keys {
		r := c.request(message.INFO)
		r.kind, r.body = "application/dtmf-relay", fmt.Appendf(nil, "Signal=%c\r\nDuration=160\r\n", key)
		switch _, m, err := c.e.transact(ctx, r); {
		case err != nil:
			return err
		case m.Status()/100 != 2:
			return fmt.Errorf("the key %c was answered %d", key, m.Status())
		}
	}
	return nil
}

// asked answers what the other end asks inside the call. Called on the endpoint's reading goroutine.
func (c *Call) asked(s *server) {
	m := &s.p.Msg
	switch m.Method() {
	case message.BYE:
		s.respond(message.Reply{Code: 200})
		c.finish(theirEnd(m))
	case message.CANCEL: // RFC 3261 section 9.2
		s.respond(message.Reply{Code: 200})
		if c.Began().IsZero() {
			c.finish(theirEnd(m))
		}
	case message.INVITE:
		c.reinvited(s)
	case message.UPDATE, message.INFO, message.OPTIONS:
		r := message.Reply{Code: 200, Contact: []byte(c.e.contactURI())}
		if m.Method() == message.UPDATE && len(m.Body()) > 0 {
			c.answerSDP(&r, m)
		}
		s.respond(r)
	default:
		s.respond(message.Reply{Code: 405})
	}
}

func theirEnd(m *message.Message) End {
	var raw []string
	for v := range m.All(message.HReason) {
		raw = append(raw, string(v))
	}
	return End{Theirs: true, Why: explain(m), Raw: strings.Join(raw, ", ")}
}

// reinvited answers a new INVITE inside the call with our media.
func (c *Call) reinvited(s *server) {
	m := &s.p.Msg
	c.e.mu.Lock()
	ended := c.end != nil
	if uri := contactOf(m); uri != "" {
		c.target = uri
	}
	c.e.mu.Unlock()
	if ended {
		s.respond(message.Reply{Code: 481})
		return
	}
	r := message.Reply{Code: 200, Contact: []byte(c.e.contactURI())}
	c.answerSDP(&r, m)
	s.respond(r)
}

// answerSDP puts our media into an answer to a message with theirs.
func (c *Call) answerSDP(r *message.Reply, m *message.Message) {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	if at, ok := mediaOf(m.Body()); ok {
		c.media = at
	}
	c.version++
	r.ContentType, r.Body = sdpType, sdp(c.rtp, c.version, "sendrecv")
}

// provisional answers the INVITE for now; withMedia makes it early media.
func (c *Call) provisional(status int, withMedia bool) {
	r := message.Reply{Code: status}
	if status > 100 {
		r.Contact = []byte(c.e.contactURI())
	}
	if withMedia {
		c.answerSDP(&r, &c.invite.p.Msg)
	}
	c.invite.respond(r)
}

// refuse ends an INVITE with a final answer that is no success, repeated until its ACK.
func (c *Call) refuse(r message.Reply) {
	c.finish(End{Theirs: c.End().Theirs})
	c.invite.respond(r)
	c.untilACK(context.Background())
}

// errNoACK says that the caller did not acknowledge our answer.
var errNoACK = errors.New("the caller never sent ACK")

// answer accepts an INVITE. Its 200 is repeated until its ACK (RFC 3261 section 13.3.1.4).
func (c *Call) answer(ctx context.Context) error {
	r := message.Reply{Code: 200, Contact: []byte(c.e.contactURI()), Lines: []byte("Allow: " + allowed + "\r\n")}
	c.answerSDP(&r, &c.invite.p.Msg)
	c.e.mu.Lock()
	if c.end != nil { // cancelled in between
		c.e.mu.Unlock()
		return context.Canceled
	}
	c.began = time.Now()
	c.invite.answer(r)
	c.e.mu.Unlock()
	if !c.untilACK(ctx) {
		return errNoACK
	}
	return nil
}

// untilACK waits until the final answer is acknowledged; false after 32 seconds or when the context ends.
func (c *Call) untilACK(ctx context.Context) bool {
	select {
	case <-c.invite.acked:
	case <-ctx.Done():
	case <-c.e.link.gone:
	}
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	return c.invite.Acked()
}

// contactOf is the first Contact URI of a message, "" for none.
func contactOf(m *message.Message) string {
	for a := range m.Addrs(message.HContact) {
		return string(a.URI)
	}
	return ""
}

// uriOf is the URI of a From, To, Contact or Route value.
func uriOf(value []byte) string {
	a, _, _ := message.ParseAddr(value)
	return string(a.URI)
}

// userOf is the user part of a SIP URI without its parameters.
func userOf(u *message.URI) string {
	user, _, _ := strings.Cut(string(u.User), ";")
	return user
}

func callerOf(m *message.Message) string {
	u, _ := m.From().ParseURI()
	return userOf(&u)
}

// hostOf is the address a SIP URI names, if its host is an IP address; the port is 5060 when it has none.
func hostOf(uri string) (netip.AddrPort, bool) {
	u, _ := message.ParseURI([]byte(uri))
	a, ok := u.Addr()
	u.Port = cmp.Or(u.Port, 5060)
	return netip.AddrPortFrom(a, u.Port), ok
}

// explain is what a message says about why: the texts of its Reason (RFC 3326) and Warning (RFC 3261 section 20.43)
// headers, without repeats.
func explain(m *message.Message) string {
	var texts []string
	add := func(text string) {
		if text == "" || slices.ContainsFunc(texts, func(have string) bool { return strings.Contains(have, text) }) {
			return // Warning repeats what Reason says
		}
		texts = append(texts, text)
	}
	for v := range m.Reasons() {
		add(string(message.ReasonText(v)))
	}
	for v := range m.List(message.HWarning) {
		if parts := bytes.SplitN(v, []byte{' '}, 3); len(parts) == 3 {
			add(string(message.AppendUnquoted(nil, parts[2])))
		}
	}
	return strings.Join(texts, "; ")
}
