package phone

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"ringfence/edge/sip/challenge"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
)

// timers are those of RFC 3261 section 17.
var timers = transaction.Timers{}.Defaults()

// ErrSilent says that a request had no answer in 32 seconds.
var ErrSilent = errors.New("no answer at all")

var errClosed = errors.New("connection closed")

// endpoint is one end of SIP on one link: transactions, calls, and the handler of requests that begin outside a call.
// One goroutine reads; it never blocks on anything but a send.
type endpoint struct {
	link  *link
	agent string // User-Agent
	user  string // of our Contact
	begun time.Time

	// serve gets requests outside of any call, on the reading goroutine. nil answers 405.
	serve func(*server)

	mu      sync.Mutex // owns all below, the transactions and the calls
	clients map[string]*client
	servers map[string]*server
	calls   map[string]*Call // by Call-ID and our tag
}

func newEndpoint(l *link, agent, user string) *endpoint {
	return &endpoint{
		link: l, agent: agent, user: user, begun: time.Now(),
		clients: map[string]*client{}, servers: map[string]*server{}, calls: map[string]*Call{},
	}
}

// start begins to read. It is apart from newEndpoint so that serve is set before the first packet.
func (e *endpoint) start() {
	e.link.read = e.handle
	e.link.Serve()
}

// send sends a message. One that fails is a packet lost, which SIP repeats.
func (e *endpoint) send(to transport.Dest, data []byte) { _ = e.link.Send(to, data) }

func (e *endpoint) now() time.Duration { return time.Since(e.begun) }

// after plans the next tick of a transaction, which is called with mu held.
func (e *endpoint) after(t **time.Timer, deadline time.Duration, tick func()) {
	if *t != nil {
		(*t).Stop()
	}
	if deadline == transaction.Never {
		return
	}
	*t = time.AfterFunc(deadline-e.now(), func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		tick()
	})
}

func (e *endpoint) handle(p *transport.Packet) {
	switch m := &p.Msg; {
	case !m.IsRequest():
		e.response(m)
	case m.Method() == message.ACK:
		e.acknowledged(m)
	default:
		if s := e.begin(p); s != nil {
			e.request(s)
		}
	}
}

// request serves a new request: of a call, of an INVITE that is to be cancelled, or outside of both.
func (e *endpoint) request(s *server) {
	m := &s.p.Msg
	e.mu.Lock()
	c := e.calls[callKey(m.CallID(), m.To().Tag())]
	if m.Method() == message.CANCEL {
		if invite := e.servers[serverKey(m, message.INVITE)]; invite != nil {
			c = invite.call
		}
	}
	e.mu.Unlock()
	switch tagged := m.To().Tag() != nil; {
	case c != nil:
		c.asked(s)
	case m.Method() == message.OPTIONS:
		s.respond(message.Reply{Code: 200})
	case e.serve != nil && !tagged && m.Method() != message.CANCEL:
		e.serve(s)
	case tagged || m.Method() == message.CANCEL:
		s.respond(message.Reply{Code: 481})
	default:
		s.respond(message.Reply{Code: 405})
	}
}

func callKey[T string | []byte](callID, ourTag T) string {
	return string(callID) + "\x00" + string(ourTag)
}

// server is a request to us and our answer to it.
type server struct {
	transaction.Server
	e     *endpoint
	p     *transport.Packet
	call  *Call  // of an INVITE
	tag   string // of ours, put on To
	last  []byte // the latest answer
	timer *time.Timer
	acked chan struct{} // closed once the final answer to an INVITE is acknowledged, or the wait for that has ended
}

// serverKey finds the transaction of a request: the number and the caller's tag are the same in its repeats, its CANCEL and its ACK.
func serverKey(m *message.Message, method message.Method) string {
	return callKey(m.CallID(), m.From().Tag()) + "\x00" + strconv.Itoa(int(m.CSeq())) + method.String()
}

// begin begins the transaction of a request; a repeat is answered as before, and nil.
func (e *endpoint) begin(p *transport.Packet) *server {
	m := &p.Msg
	key := serverKey(m, m.Method())
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.servers[key]; s != nil {
		if s.Request().Has(transaction.Send) && s.last != nil {
			e.send(p.From(), s.last)
		}
		return nil
	}
	s := &server{
		Server: transaction.NewServer(m.Method() == message.INVITE, p.Proto == transport.TCP),
		e:      e, p: p, tag: token(), acked: make(chan struct{}),
	}
	e.servers[key] = s
	return s
}

// respond answers the request; after its final answer it does nothing.
func (s *server) respond(r message.Reply) {
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	s.answer(r)
}

// answer is respond with mu held.
func (s *server) answer(r message.Reply) {
	do := s.Respond(r.Code, s.e.now(), &timers)
	if do.Has(transaction.Send) {
		r.ToTag = []byte(s.tag)
		s.last = message.AppendResponse(nil, &s.p.Msg, r)
	}
	s.do(do)
}

// acknowledged takes an ACK.
func (e *endpoint) acknowledged(m *message.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.servers[serverKey(m, message.INVITE)]
	if s == nil {
		return
	}
	was := s.State()
	if do := s.Ack(e.now(), &timers); do.Has(transaction.Pass) || was == transaction.Completed {
		close(s.acked)
		s.do(do)
	}
}

// do does what the transaction wants. The caller holds mu.
func (s *server) do(do transaction.Do) {
	if do.Has(transaction.Send) && s.last != nil {
		s.e.send(s.p.From(), s.last)
	}
	if do.Has(transaction.Timeout) {
		close(s.acked)
	}
	if do.Has(transaction.Done) {
		delete(s.e.servers, serverKey(&s.p.Msg, s.p.Msg.Method()))
	}
	s.e.after(&s.timer, s.Deadline(), func() { s.do(s.Tick(s.e.now(), &timers)) })
}

// request is one of ours, of which its CANCEL and its ACK are made too. The header values are whole.
type request struct {
	method           message.Method
	uri              string
	from, to, callID string
	cseq             uint32
	branch           string
	routes           []string
	login            *challenge.Credentials // nil: none was asked for
	lines            []byte                 // further header lines, CR LF after each
	body             []byte
	kind             string // of body; "" is a session description
	dest             transport.Dest
}

// write is the request as sent, or the CANCEL or ACK of it with another To.
func (e *endpoint) write(r *request, method message.Method, to string) []byte {
	var w message.Writer
	w.Begin(nil)
	w.Request(method, []byte(r.uri))
	w.Via(e.link.over.String(), e.link.local.String(), []byte(r.branch))
	w.AddInt(message.HMaxForwards, 70)
	w.AddString(message.HFrom, r.from)
	w.AddString(message.HTo, to)
	w.AddString(message.HCallID, r.callID)
	w.CSeq(r.cseq, method)
	for _, route := range r.routes {
		w.AddString(message.HRoute, route)
	}
	if method != r.method || method == message.ACK {
		return w.End("", nil)
	}
	w.AddString(message.HContact, e.contact())
	w.AddString(message.HUserAgent, e.agent)
	w.AddString(message.HAllow, allowed)
	if r.login != nil {
		w.AddString(r.login.Header, r.login.Value)
	}
	w.Lines(r.lines)
	return w.End(cmp.Or(r.kind, sdpType), r.body)
}

const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO"

func (e *endpoint) contact() string { return "<" + e.contactURI() + ">" }

func (e *endpoint) contactURI() string {
	uri := "sip:" + e.user + "@" + e.link.local.String()
	switch e.link.over {
	case transport.UDP:
	case transport.WSS:
		uri += ";transport=ws" // RFC 7118 section 5.2.1
	default:
		uri += ";transport=" + e.link.over.Small()
	}
	return uri
}

// client is a request of ours on its way.
type client struct {
	transaction.Client
	e       *endpoint
	r       *request
	data    []byte
	ack     []byte // of the final answer to an INVITE,
	ackTo   transport.Dest
	timer   *time.Timer
	final   bool                  // it has been answered
	answers chan *message.Message // closed when there was no answer
}

func clientKey(method message.Method, branch string) string { return method.String() + branch }

// launch sends a request, under a branch of its own.
func (e *endpoint) launch(again request) (*client, error) {
	r := &again
	r.branch = message.Magic + token()
	c := &client{e: e, r: r, data: e.write(r, r.method, r.to), answers: make(chan *message.Message, 32)}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.link.Send(r.dest, c.data); err != nil {
		return nil, err
	}
	c.Client = transaction.NewClient(r.method == message.INVITE, r.dest.Proto == transport.TCP, e.now(), &timers)
	e.clients[clientKey(r.method, r.branch)] = c
	c.do(0)
	return c, nil
}

// do does what the transaction wants. The caller holds mu.
func (c *client) do(do transaction.Do) {
	if do.Has(transaction.Send) {
		c.e.send(c.r.dest, c.data)
	}
	if do.Has(transaction.Ack) {
		c.e.send(c.ackTo, c.ack)
	}
	if do.Has(transaction.Timeout) {
		close(c.answers)
	}
	if do.Has(transaction.Done) {
		delete(c.e.clients, clientKey(c.r.method, c.r.branch))
	}
	c.e.after(&c.timer, c.Deadline(), func() { c.do(c.Tick(c.e.now(), &timers)) })
}

// response takes an answer to a request of ours: a refused INVITE is acknowledged here (RFC 3261 section 17.1.1.3), an accepted one by
// its caller, and here when the answer is repeated.
func (e *endpoint) response(m *message.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.clients[clientKey(m.CSeqMethod(), string(m.Via().Branch))]
	if c == nil {
		return
	}
	do := c.Response(m.Status(), e.now(), &timers)
	if do.Has(transaction.Ack) && c.ack == nil {
		c.ack, c.ackTo = e.write(c.r, message.ACK, string(m.Get(message.HTo))), c.r.dest
	}
	switch {
	case !do.Has(transaction.Pass):
	case c.final && c.ack != nil:
		e.send(c.ackTo, c.ack)
	case !c.final:
		c.final = m.Status() >= 200
		select {
		case c.answers <- m:
		default: // a flood of answers to one request: the rest are dropped
		}
	}
	c.do(do)
}

// await waits for the final answer to a request. Provisional answers go to early, which may be nil. It gives ErrSilent after 32 seconds
// without any answer (RFC 3261 timers B and F), or the context's error.
func (c *client) await(ctx context.Context, early func(*message.Message)) (*message.Message, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.e.link.gone:
			return nil, errClosed
		case m := <-c.answers:
			switch {
			case m == nil:
				return nil, ErrSilent
			case m.Status() >= 200:
				return m, nil
			case early != nil:
				early(m)
			}
		}
	}
}

// forget gives a request up.
func (c *client) forget() {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.timer.Stop()
	delete(c.e.clients, clientKey(c.r.method, c.r.branch))
}

// transact sends a request that is no INVITE outside of a call and waits for its answer.
func (e *endpoint) transact(ctx context.Context, r *request) (*client, *message.Message, error) {
	c, err := e.launch(*r)
	if err != nil {
		return nil, nil, err
	}
	m, err := c.await(ctx, nil)
	if err != nil {
		c.forget()
	}
	return c, m, err
}

// cancel asks for the end of an INVITE that has had a provisional answer (RFC 3261 section 9.1). Its own answer is not
// waited for: what counts is how the INVITE ends.
func (c *client) cancel() { c.e.send(c.r.dest, c.e.write(c.r, message.CANCEL, c.r.to)) }

// acknowledge sends the ACK of a 2xx, and again whenever that is repeated.
func (c *client) acknowledge(ack *request) {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	ack.method, ack.cseq, ack.branch = message.ACK, c.r.cseq, message.Magic+token()
	c.ack, c.ackTo = c.e.write(ack, message.ACK, ack.to), ack.dest
	c.e.send(c.ackTo, c.ack)
}

// token is a fresh random name for a tag, branch or Call-ID.
func token() string { return strings.ToLower(rand.Text()) }
