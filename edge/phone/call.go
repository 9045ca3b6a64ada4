package phone

import (
	"context"
	"net/netip"
	"sync"
	"time"
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
	peer netip.AddrPort
	rtp  netip.AddrPort // what our SDP says; zero port: none

	local, remote       string // From and To values of our requests, with tags
	localTag, remoteTag string
	first               int // called side: CSeq of the INVITE that began it

	done  chan struct{} // closed once ended
	acked chan struct{} // called side: closed at the first ACK

	mu      sync.Mutex // owns all below
	target  string     // the other end's Contact URI
	routes  []string
	cseq    int
	version int // of our SDP
	ack     []byte
	final   []byte // called side: the last answer to the INVITE, for its repeats
	invite  int    // called side: CSeq of the INVITE that final answers
	heard   bool   // acked is closed
	end     *End
	began   time.Time
	media   netip.AddrPort // where their SDP wants audio
	cancel  func()         // called side: ends the script when the caller cancels
}

// CallID is the SIP Call-ID.
func (c *Call) CallID() string { return c.id }

// Done is closed when the call has ended.
func (c *Call) Done() <-chan struct{} { return c.done }

// End says how the call ended; zero while it lasts.
func (c *Call) End() End {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		return End{}
	}
	return *c.end
}

// Began is when the call was answered.
func (c *Call) Began() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.began
}

// register lets the endpoint find the call by both tags.
func (c *Call) register() {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.e.calls[ourKey(c.id, c.localTag)] = c
	if c.remoteTag != "" {
		c.e.calls[theirKey(c.id, c.remoteTag)] = c
	}
}

// finish marks the end, once. The endpoint forgets the call a little later, so that repeats of the last packets still
// find their answers.
func (c *Call) finish(end End) bool {
	c.mu.Lock()
	if c.end != nil {
		c.mu.Unlock()
		return false
	}
	end.At = time.Now()
	c.end = &end
	stop := c.cancel
	close(c.done)
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
	time.AfterFunc(timerB, func() {
		c.e.mu.Lock()
		defer c.e.mu.Unlock()
		delete(c.e.calls, ourKey(c.id, c.localTag))
		if key := theirKey(c.id, c.remoteTag); c.e.calls[key] == c { // a later try may have taken its place
			delete(c.e.calls, key)
		}
	})
	return true
}

// established takes over what a 2xx to our INVITE says, and acknowledges it.
func (c *Call) established(p *packet) {
	c.mu.Lock()
	c.remote, c.remoteTag = p.get("To"), param(p.get("To"), "tag")
	c.target = uriOf(p.get("Contact"))
	c.routes = nil
	for _, r := range p.list("Record-Route") {
		c.routes = append([]string{r}, c.routes...)
	}
	c.began = time.Now()
	c.media, _ = mediaOf(p.body)
	n, _ := p.cseq()
	ack := c.e.request("ACK", c.target, c.local, c.remote, c.id, n)
	for _, r := range c.routes {
		ack.add("Route", r)
	}
	c.ack = ack.bytes()
	c.mu.Unlock()
	c.register()
	c.repeatACK()
}

func (c *Call) repeatACK() {
	c.mu.Lock()
	ack, to := c.ack, c.nextHop()
	c.mu.Unlock()
	if ack != nil {
		_ = c.e.link.send(ack, to)
	}
}

// nextHop is where requests of the call go: the first route, else the other end's contact, else where it has sent from.
// A call on loopback stays there, whatever a message names. The caller holds mu.
func (c *Call) nextHop() netip.AddrPort {
	uri := c.target
	if len(c.routes) > 0 {
		uri = uriOf(c.routes[0])
	}
	at, ok := hostOf(uri)
	if ok && c.e.link.udp != nil && (at.Addr().IsLoopback() || !c.peer.Addr().IsLoopback()) {
		return at
	}
	return c.peer
}

// ask sends a request inside the call and waits for its answer.
func (c *Call) ask(ctx context.Context, method string, fill func(*packet)) (*packet, error) {
	c.mu.Lock()
	c.cseq++
	req := c.e.request(method, c.target, c.local, c.remote, c.id, c.cseq)
	for _, r := range c.routes {
		req.add("Route", r)
	}
	to := c.nextHop()
	c.mu.Unlock()
	if fill != nil {
		fill(req)
	}
	return c.e.transact(ctx, req, to, nil)
}

// Hangup ends the call with a BYE and waits for its answer. Hanging up twice does nothing.
func (c *Call) Hangup(ctx context.Context) error {
	if !c.finish(End{}) {
		return nil
	}
	_, err := c.ask(ctx, "BYE", nil)
	return err
}

// Reinvite offers the same media anew, as a phone does that holds ("sendonly") and resumes ("sendrecv"), and gives the
// status of the answer.
func (c *Call) Reinvite(ctx context.Context, direction string) (int, error) {
	c.mu.Lock()
	c.version++
	body := sdp(c.rtp, c.version, direction)
	c.mu.Unlock()
	p, err := c.ask(ctx, "INVITE", func(r *packet) {
		r.add("Content-Type", "application/sdp")
		r.body = body
	})
	if err != nil {
		return 0, err
	}
	if p.status/100 == 2 {
		n, _ := p.cseq()
		c.mu.Lock()
		ack := c.e.request("ACK", c.target, c.local, c.remote, c.id, n)
		for _, r := range c.routes {
			ack.add("Route", r)
		}
		c.ack = ack.bytes()
		c.mu.Unlock()
		c.repeatACK()
	}
	return p.status, nil
}

// request answers what the other end asks inside the call. Called on the endpoint's reading goroutine.
func (c *Call) request(p *packet) {
	switch p.method {
	case "ACK":
		c.mu.Lock()
		if !c.heard {
			c.heard = true
			close(c.acked)
		}
		c.mu.Unlock()
	case "BYE":
		c.e.respond(p.reply(200, "OK", c.localTag))
		c.finish(End{Theirs: true, Why: p.explain(), Raw: joinLines(p.all("Reason"))})
	case "CANCEL":
		c.cancelled(p)
	case "INVITE":
		c.reinvited(p)
	case "UPDATE", "INFO", "OPTIONS":
		r := p.reply(200, "OK", c.localTag)
		r.add("Contact", c.e.contact())
		if p.method == "UPDATE" && len(p.body) > 0 {
			c.answerSDP(r, p)
		}
		c.e.respond(r)
	default:
		c.e.respond(p.reply(405, "Method Not Allowed", c.localTag))
	}
}

// reinvited answers a repeat of the INVITE as before, and a new INVITE inside the call with our media.
func (c *Call) reinvited(p *packet) {
	n, _ := p.cseq()
	c.mu.Lock()
	if n == c.invite {
		final := c.final
		c.mu.Unlock()
		if final != nil {
			_ = c.e.link.send(final, p.from)
		}
		return
	}
	ended := c.end != nil
	if uri := uriOf(p.get("Contact")); uri != "" {
		c.target = uri
	}
	c.mu.Unlock()
	if ended {
		c.e.respond(p.reply(481, "Call/Transaction Does Not Exist", c.localTag))
		return
	}
	r := p.reply(200, "OK", c.localTag)
	r.add("Contact", c.e.contact())
	c.answerSDP(r, p)
	data := r.bytes()
	c.mu.Lock()
	c.invite, c.final = n, data
	c.mu.Unlock()
	_ = c.e.link.send(data, p.from)
}

func (c *Call) answerSDP(r, p *packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := mediaOf(p.body); ok {
		c.media = at
	}
	c.version++
	r.add("Content-Type", "application/sdp")
	r.body = sdp(c.rtp, c.version, "sendrecv")
}

// cancelled ends a call that we have not answered yet (RFC 3261 section 9.2).
func (c *Call) cancelled(p *packet) {
	c.e.respond(p.reply(200, "OK", c.localTag))
	c.mu.Lock()
	answered := !c.began.IsZero()
	c.mu.Unlock()
	if !answered {
		c.finish(End{Theirs: true, Why: p.explain(), Raw: joinLines(p.all("Reason"))})
	}
}

func joinLines(vs []string) string {
	out := ""
	for i, v := range vs {
		if i > 0 {
			out += ", "
		}
		out += v
	}
	return out
}
