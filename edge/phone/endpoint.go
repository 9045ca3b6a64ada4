package phone

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// RFC 3261 section 17 timers.
const (
	timerT1 = 500 * time.Millisecond
	timerT2 = 4 * time.Second
	timerB  = 64 * timerT1
)

// ErrSilent says that nobody answered a request in 32 seconds.
var ErrSilent = errors.New("no answer at all")

// endpoint is one end of SIP on one link: client transactions, calls, and whoever serves what begins outside of a call.
// One goroutine reads; it never blocks on anything but a send.
type endpoint struct {
	link  *link
	agent string // User-Agent
	user  string // of our Contact

	// serve gets requests outside of any call, on the reading goroutine. nil answers 405.
	serve func(*packet)

	done chan struct{} // closed when the reader ends

	mu      sync.Mutex // owns all below
	waiting map[string]chan *packet
	acks    map[string][]byte // by branch: what answers a repeated final refusal of an INVITE
	calls   map[string]*Call
}

func newEndpoint(l *link, agent, user string) *endpoint {
	return &endpoint{
		link: l, agent: agent, user: user,
		done: make(chan struct{}), waiting: map[string]chan *packet{}, acks: map[string][]byte{}, calls: map[string]*Call{},
	}
}

// start begins to read. It is apart from newEndpoint so that serve is set before the first packet.
func (e *endpoint) start() {
	go func() {
		defer close(e.done)
		e.link.receive(e.handle)
	}()
}

func (e *endpoint) close() error {
	err := e.link.close()
	<-e.done
	return err
}

func (e *endpoint) handle(p *packet) {
	if p.status != 0 {
		e.response(p)
		return
	}
	if c := e.callOf(p); c != nil {
		c.request(p)
		return
	}
	switch {
	case p.method == "ACK":
	case p.method == "OPTIONS":
		e.respond(p.reply(200, "OK", token()))
	case e.serve != nil && param(p.get("To"), "tag") == "":
		e.serve(p)
	case param(p.get("To"), "tag") != "" || p.method == "CANCEL":
		e.respond(p.reply(481, "Call/Transaction Does Not Exist", token()))
	default:
		e.respond(p.reply(405, "Method Not Allowed", token()))
	}
}

// callOf finds the call of a request: by our tag, or, before it has one, by theirs. An INVITE without our tag is of a call
// only as a repeat; with another CSeq it is the next try of a caller that we asked for a password.
func (e *endpoint) callOf(p *packet) *Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	if tag := param(p.get("To"), "tag"); tag != "" {
		return e.calls[ourKey(p.get("Call-ID"), tag)]
	}
	c := e.calls[theirKey(p.get("Call-ID"), param(p.get("From"), "tag"))]
	if n, _ := p.cseq(); c != nil && n != c.first {
		return nil
	}
	return c
}

func ourKey(callID, tag string) string   { return "our\x00" + callID + "\x00" + tag }
func theirKey(callID, tag string) string { return "their\x00" + callID + "\x00" + tag }

func (e *endpoint) response(p *packet) {
	branch := p.branch()
	_, method := p.cseq() // the answer to a CANCEL carries the branch of its INVITE
	e.mu.Lock()
	ch, ack := e.waiting[method+" "+branch], e.acks[branch]
	var c *Call
	if ch == nil && method == "INVITE" && p.status/100 == 2 {
		c = e.calls[ourKey(p.get("Call-ID"), param(p.get("From"), "tag"))]
	}
	e.mu.Unlock()
	switch {
	case ch != nil:
		select {
		case ch <- p:
		default: // a flood of answers to one request: it has enough
		}
	case ack != nil && p.status >= 300:
		_ = e.link.send(ack, p.from)
	case c != nil:
		c.repeatACK()
	}
}

// respond sends an answer back where its request came from. A send that fails is a packet lost, which SIP repeats.
func (e *endpoint) respond(r *packet) { _ = e.link.send(r.bytes(), r.from) }

// request begins a request of ours; from and to are whole header values.
func (e *endpoint) request(method, uri, from, to, callID string, cseq int) *packet {
	p := &packet{method: method, uri: uri}
	p.add("Via", "SIP/2.0/"+e.link.transport()+" "+e.link.local().String()+";rport;branch=z9hG4bK"+token())
	p.add("Max-Forwards", "70")
	p.add("From", from)
	p.add("To", to)
	p.add("Call-ID", callID)
	p.add("CSeq", strconv.Itoa(cseq)+" "+method)
	if method != "ACK" && method != "CANCEL" {
		p.add("Contact", e.contact())
		p.add("User-Agent", e.agent)
		p.add("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO")
	}
	return p
}

func (e *endpoint) contact() string {
	uri := "sip:" + e.user + "@" + e.link.local().String()
	if e.link.tcp != nil {
		uri += ";transport=tcp"
	}
	return "<" + uri + ">"
}

// transact sends a request and waits for its final answer, repeating on UDP until something comes back. Provisional
// answers go to early, which may be nil. It gives ErrSilent after 32 seconds without any answer (RFC 3261 timers B and F),
// or the context's error. A refused INVITE is acknowledged here; an accepted one by its caller.
func (e *endpoint) transact(ctx context.Context, req *packet, to netip.AddrPort, early func(*packet)) (*packet, error) {
	key := req.method + " " + req.branch()
	answers := make(chan *packet, 32)
	e.mu.Lock()
	e.waiting[key] = answers
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.waiting, key)
		e.mu.Unlock()
	}()
	data := req.bytes()
	if err := e.link.send(data, to); err != nil {
		return nil, err
	}
	giveUp := time.NewTimer(timerB)
	defer giveUp.Stop()
	wait := timerT1
	again := time.NewTimer(wait)
	defer again.Stop()
	if e.link.tcp != nil {
		again.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-e.done:
			return nil, errors.New("connection closed")
		case <-giveUp.C:
			return nil, ErrSilent
		case <-again.C:
			_ = e.link.send(data, to)
			wait = nextWait(wait, req.method)
			again.Reset(wait)
		case p := <-answers:
			if p.status >= 200 {
				if req.method == "INVITE" && p.status >= 300 {
					e.ackRefusal(req, p, to)
				}
				return p, nil
			}
			if req.method == "INVITE" { // proceeding: no repeats, and the callee may ring as long as the caller lets it
				again.Stop()
				giveUp.Stop()
			}
			if early != nil {
				early(p)
			}
		}
	}
}

func nextWait(wait time.Duration, method string) time.Duration {
	if method == "INVITE" {
		return 2 * wait
	}
	return min(2*wait, timerT2)
}

// ackRefusal acknowledges a refused INVITE in its own transaction (RFC 3261 section 17.1.1.3) and again at every repeat.
func (e *endpoint) ackRefusal(req, answer *packet, to netip.AddrPort) {
	ack := &packet{method: "ACK", uri: req.uri}
	ack.add("Via", req.get("Via"))
	ack.add("Max-Forwards", "70")
	ack.add("From", req.get("From"))
	ack.add("To", answer.get("To"))
	ack.add("Call-ID", req.get("Call-ID"))
	n, _ := req.cseq()
	ack.add("CSeq", strconv.Itoa(n)+" ACK")
	for _, r := range req.all("Route") {
		ack.add("Route", r)
	}
	data, branch := ack.bytes(), req.branch()
	e.mu.Lock()
	e.acks[branch] = data
	e.mu.Unlock()
	_ = e.link.send(data, to)
	time.AfterFunc(timerB, func() {
		e.mu.Lock()
		delete(e.acks, branch)
		e.mu.Unlock()
	})
}

// cancel asks for the end of an INVITE that has had a provisional answer (RFC 3261 section 9.1). Its own answer is not
// waited for: what counts is how the INVITE ends.
func (e *endpoint) cancel(invite *packet, to netip.AddrPort) {
	c := &packet{method: "CANCEL", uri: invite.uri}
	c.add("Via", invite.get("Via"))
	c.add("Max-Forwards", "70")
	for _, name := range []string{"From", "To", "Call-ID"} {
		c.add(name, invite.get(name))
	}
	n, _ := invite.cseq()
	c.add("CSeq", strconv.Itoa(n)+" CANCEL")
	_ = e.link.send(c.bytes(), to)
}

// token is a fresh random name for a tag, branch or Call-ID.
func token() string { return strings.ToLower(rand.Text()) }
