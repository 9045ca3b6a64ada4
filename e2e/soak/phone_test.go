//go:build e2e

package soak

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/icholy/digest"
)

// script is what the caller of one call does.
type script struct {
	cancel time.Duration // gives up so long after the call began to ring; 0 never
	talk   time.Duration // hangs up so long after the answer; 0 never
	deaf   time.Duration // vanishes so long after the answer: nothing is heard or said any more; 0 never
	back   time.Duration // and so long after that it is back; 0 never
	forget bool          // when it is back, it knows nothing of the call
}

// script draws what the caller of a call does.
func (w *world) script(number string) script {
	r := w.random("phone, call to " + number)
	s := script{talk: between(r, 100*time.Millisecond, 12*time.Second)}
	switch n := r.IntN(100); {
	case n < 18:
		s.cancel = between(r, time.Millisecond, 2500*time.Millisecond)
	case n < 30:
		s.talk = 0 // the money, the longest call or the other end has to end it
	case n < 40:
		s.deaf = between(r, 100*time.Millisecond, 6*time.Second)
		if r.IntN(3) > 0 {
			s.back = between(r, 2*time.Second, 20*time.Second)
			s.forget = r.IntN(2) == 0
		}
	}
	return s
}

// phone places the calls of one line, one after the other.
type phone struct {
	w        *world
	line     string
	password string
	digits   int // the first of its numbers
	end      *endpoint

	mu    sync.Mutex // owns all below, and every call
	calls map[string]*attempt
	nonce *digest.Challenge
	count int
}

// attempt is one call as the phone sees it.
type attempt struct {
	callID, dialled, tag string
	node                 netip.AddrPort // whom it was placed with
	plan                 script

	seq       int
	invite    *packet // the INVITE in progress
	target    netip.AddrPort
	targetURI string
	remote    string // To of our requests, once answered
	ack       *packet
	unwanted  bool // an answer is hung up at once: the caller has given up
	up        bool
	deaf      bool
	answered  time.Duration
	left      time.Duration // when the phone hung up by itself, or vanished: a server that is away does not hear of it
	status    int           // of a refusal
	done      chan struct{} // closed at the end of an answered call
}

func newPhone(w *world, n int, line, password string) (*phone, error) {
	p := &phone{w: w, line: line, password: password, digits: n, calls: map[string]*attempt{}}
	var err error
	if p.end, err = newEndpoint(w, "phone "+line); err != nil {
		return nil, err
	}
	p.end.hears = p.hears
	return p, nil
}

// play places calls until the context ends.
func (p *phone) play(ctx context.Context) {
	r := p.w.random("pauses of " + p.line)
	for n := 0; ; n++ {
		if !wait(ctx, between(r, 50*time.Millisecond, 900*time.Millisecond)) {
			return
		}
		to := destinations[r.IntN(len(destinations))]
		p.call(ctx, p.w.pick(r.IntN(1000)).sip, fmt.Sprintf("%s%d%05d", to.dialled, p.digits, n))
	}
}

// call places one call and follows its script; it returns when the phone is free for the next.
func (p *phone) call(ctx context.Context, node netip.AddrPort, dialled string) {
	a := &attempt{
		callID: p.end.token() + "-" + p.line, dialled: dialled, tag: p.end.token(), node: node, target: node,
		plan: p.w.script(dialled), done: make(chan struct{}),
	}
	p.mu.Lock()
	p.calls[a.callID] = a
	p.mu.Unlock()
	p.w.count.placed.Add(1)
	for range 4 {
		r := p.ring(ctx, a)
		switch {
		case r == nil: // given up
			return
		case r.status == 407 || r.status == 401:
			if p.challenged(r) != nil {
				return
			}
			continue
		case r.status >= 300:
			p.mu.Lock()
			a.status = r.status
			p.mu.Unlock()
			return
		}
		p.talk(ctx, a)
		return
	}
}

// challenged takes what a refusal asks to log in with.
func (p *phone) challenged(r *packet) error {
	header := r.get("Proxy-Authenticate")
	if r.status == 401 {
		header = r.get("WWW-Authenticate")
	}
	c, err := digest.ParseChallenge(header)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nonce, p.count = c, 0
	return err
}

// newInvite is the next INVITE of an attempt, with a login if one was asked for.
func (p *phone) newInvite(a *attempt) (*packet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a.seq++
	uri := "sip:" + a.dialled + "@" + a.node.String()
	q := p.end.begin("INVITE", uri, p.from(a), "<"+uri+">", a.callID, a.seq)
	q.add("Contact", p.contact())
	q.add("User-Agent", "soak/1")
	q.add("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE")
	q.body = sdp
	if p.nonce != nil {
		p.count++
		c, err := digest.Digest(p.nonce, digest.Options{Method: "INVITE", URI: uri, Username: p.line, Password: p.password, Count: p.count})
		if err != nil {
			return nil, err
		}
		q.add("Proxy-Authorization", c.String())
	}
	a.invite = q
	return q, nil
}

func (p *phone) from(a *attempt) string {
	return "<sip:" + p.line + "@" + a.node.String() + ">;tag=" + a.tag
}

func (p *phone) contact() string { return "<sip:" + p.line + "@" + p.end.addr.String() + ">" }

// patience is how long a phone waits for any word of a server, and after a CANCEL.
const patience = 5 * time.Second

// ring sends an INVITE and waits for its final answer. It gives nil when the caller has given up, whose answer, should it
// come all the same, is hung up by hears.
func (p *phone) ring(ctx context.Context, a *attempt) *packet {
	q, err := p.newInvite(a)
	if err != nil {
		p.w.failf(a.dialled, "a login that a phone cannot answer: %v", err)
		return nil
	}
	responses, stop := p.end.listen(q)
	defer stop()
	giveUp, repeat, cancel := time.NewTimer(patience), time.NewTimer(timerT1), time.NewTimer(time.Hour)
	defer giveUp.Stop()
	defer repeat.Stop()
	defer cancel.Stop()
	pause, heard := timerT1, false
	p.end.send(q, a.node)
	for {
		select {
		case r := <-responses:
			if r.status >= 200 {
				return r
			}
			repeat.Stop()
			if !heard {
				heard = true
				giveUp.Reset(40 * time.Second)
				if a.plan.cancel > 0 {
					cancel.Reset(a.plan.cancel)
				}
			}
		case <-repeat.C:
			p.end.send(q, a.node)
			pause *= 2
			repeat.Reset(pause)
		case <-cancel.C:
			return p.cancel(a, q, responses)
		case <-giveUp.C:
			return p.cancel(a, q, responses)
		case <-ctx.Done():
			return p.cancel(a, q, responses)
		}
	}
}

// cancel gives an attempt up: an answer that comes all the same is hung up.
func (p *phone) cancel(a *attempt, q *packet, responses <-chan *packet) *packet {
	p.mu.Lock()
	a.unwanted = true
	wasUp := a.up
	p.mu.Unlock()
	if wasUp { // answered in this instant
		go p.hangup(a)
		return nil
	}
	p.w.count.cancelled.Add(1)
	c := &packet{method: "CANCEL", uri: q.uri}
	for _, h := range q.headers {
		switch h[0] {
		case "Via", "Max-Forwards", "From", "To", "Call-ID":
			c.headers = append(c.headers, h)
		}
	}
	n, _ := q.cseq()
	c.add("CSeq", fmt.Sprintf("%d CANCEL", n))
	go p.end.ask(c, func() netip.AddrPort { return a.node })
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		select {
		case r := <-responses:
			if r.status >= 200 {
				return nil
			}
		case <-end.C:
			return nil
		}
	}
}

// talk is an answered call until its end, or until the phone vanishes.
func (p *phone) talk(ctx context.Context, a *attempt) {
	var bye, vanish <-chan time.Time
	if a.plan.talk > 0 {
		bye = time.After(a.plan.talk)
	}
	if a.plan.deaf > 0 {
		vanish = time.After(a.plan.deaf)
	}
	select {
	case <-a.done:
	case <-bye:
		p.hangup(a)
	case <-ctx.Done():
		p.hangup(a)
	case <-vanish:
		p.vanish(a)
	}
}

// vanish is a phone that says and hears nothing any more. The next call is placed by another phone of the line.
func (p *phone) vanish(a *attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a.deaf, a.left = true, p.w.now()
	p.w.count.vanished.Add(1)
	if a.plan.back == 0 {
		return
	}
	time.AfterFunc(a.plan.back, func() {
		p.mu.Lock()
		a.deaf = false
		if a.plan.forget {
			p.over(a)
		}
		p.mu.Unlock()
		p.hangup(a)
	})
}

// over needs mu.
func (p *phone) over(a *attempt) {
	if a.up {
		a.up = false
		close(a.done)
	}
}

// hangup is the phone's BYE.
func (p *phone) hangup(a *attempt) {
	p.mu.Lock()
	if !a.up {
		p.mu.Unlock()
		return
	}
	p.over(a)
	first(&a.left, p.w.now())
	a.seq++
	bye := p.end.begin("BYE", a.targetURI, p.from(a), a.remote, a.callID, a.seq)
	p.mu.Unlock()
	p.end.ask(bye, func() netip.AddrPort {
		p.mu.Lock()
		defer p.mu.Unlock()
		return a.target
	})
}

// hears answers what Ringfence sends.
func (p *phone) hears(q *packet, lost bool) {
	if lost {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.calls[q.get("Call-ID")]
	if q.status != 0 {
		if _, method := q.cseq(); a != nil && !a.deaf && method == "INVITE" && q.status >= 200 {
			p.final(a, q)
		}
		return
	}
	switch {
	case q.method == "ACK" || a != nil && a.deaf:
	case a == nil || !a.up:
		p.end.send(q.reply(481, p.end.token()), q.from)
	case q.method == "BYE":
		p.over(a)
		p.end.send(q.reply(200, a.tag), q.from)
	default:
		if uri := uriOf(q.get("Contact")); hostOf(uri).IsValid() {
			a.target, a.targetURI = hostOf(uri), uri
		}
		r := q.reply(200, a.tag)
		r.add("Contact", p.contact())
		if q.body != "" || q.method == "INVITE" {
			r.body = sdp
		}
		p.end.send(r, q.from)
	}
}

// final acknowledges a final answer to an INVITE, each time that it comes. It needs mu.
func (p *phone) final(a *attempt, r *packet) {
	n, _ := r.cseq()
	if r.status >= 300 {
		if mine, _ := a.invite.cseq(); n == mine {
			ack := &packet{method: "ACK", uri: a.invite.uri, headers: [][2]string{{"Via", a.invite.get("Via")}}}
			ack.add("Max-Forwards", "70")
			ack.add("From", a.invite.get("From"))
			ack.add("To", r.get("To"))
			ack.add("Call-ID", a.callID)
			ack.add("CSeq", fmt.Sprintf("%d ACK", n))
			p.end.send(ack, a.node)
		}
		return
	}
	if a.ack == nil {
		a.remote, a.targetURI = r.get("To"), uriOf(r.get("Contact"))
		a.target = hostOf(a.targetURI)
		a.ack = p.end.begin("ACK", a.targetURI, p.from(a), a.remote, a.callID, n)
		a.up, a.answered = true, p.w.now()
		if a.unwanted {
			go p.hangup(a)
		}
	}
	p.end.send(a.ack, a.target)
}

// wait lets d pass; false when the context ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// all copies the attempts.
func (p *phone) all() []attempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]attempt, 0, len(p.calls))
	for _, a := range p.calls {
		list = append(list, *a)
	}
	return list
}
