//go:build e2e

package soak

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// legState is how far a leg has come at the carrier.
type legState uint8

const (
	ringing legState = iota
	up               // answered: the carrier charges
	over             // was answered, and has ended
	failed           // was refused or cancelled
)

// leg is one call as the carrier sees it: what it would put on its bill. Instants are since the start of the test.
type leg struct {
	callID, number, tag string
	plan                behaviour
	invite              *packet
	target              netip.AddrPort // where our requests in the dialog go: their Contact
	targetURI           string

	state    legState
	offered  time.Duration
	rang     time.Duration // the 180, which makes an early dialog, got to a node which ran
	answered time.Duration // the first 200 was sent
	told     time.Duration // the first 200 that got to a node which ran
	toldLast time.Duration // the last one
	tolds    int           // how many did
	acked    time.Duration // the first ACK was sent to us
	theirBye time.Duration // the first BYE was sent to us, also if it was lost or refused
	ourBye   time.Duration // the first BYE was sent by us
	byeTaken bool          // it got 200
	forgot   time.Duration // we forgot the call
	known    time.Duration // our 200 or 481, or their answer to our BYE, went over the network: they know that the leg is over
	ended    time.Duration // from here on the carrier charges nothing
	by       string        // who ended it

	theirSeq, ourSeq int
	byes             map[string]int // answers to BYEs by transaction
	final            *packet        // the final answer to the INVITE, for its repeats
	finalAcked       bool
	lastBye          time.Duration
}

// behaviour is what the carrier does with a leg.
type behaviour struct {
	silent   bool          // says nothing to the INVITE
	refuse   int           // this status instead of an answer
	ring     time.Duration // until the final answer
	quiet    bool          // sends 100 only, no 180
	onCancel bool          // answers in the instant of the CANCEL
	again    int           // how often the 200 comes again after its ACK
	byes     []int         // what the first BYEs get: a status, or 0 for silence
	stubborn bool          // every BYE gets byes[0]: the leg refuses to end
	talk     time.Duration // hangs up by itself after so long; 0 never
	forget   time.Duration // forgets the call after so long; 0 never
}

// behaves draws what happens to a call.
func (w *world) behaves(number string) behaviour {
	r := w.random("carrier, call to " + number)
	b := behaviour{ring: between(r, 50*time.Millisecond, 3*time.Second), quiet: r.IntN(6) == 0, onCancel: r.IntN(3) > 0}
	switch n := r.IntN(100); {
	case n < 2:
		b.silent = true
	case n < 9:
		b.refuse = []int{486, 404, 503}[r.IntN(3)]
	}
	if r.IntN(8) == 0 {
		b.again = 1 + r.IntN(2)
	}
	switch n := r.IntN(100); {
	case n < 4:
		b.stubborn, b.byes = true, []int{[]int{0, 500, 401}[r.IntN(3)]}
	case n < 20:
		for range 1 + r.IntN(3) {
			b.byes = append(b.byes, []int{0, 0, 500, 401}[r.IntN(4)])
		}
	}
	switch n := r.IntN(100); {
	case n < 25:
		b.talk = between(r, 100*time.Millisecond, 15*time.Second)
	case n < 29:
		b.forget = between(r, time.Second, 10*time.Second)
	}
	return b
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

// carrier answers calls and keeps the record that its bill would be made from.
type carrier struct {
	w   *world
	end *endpoint

	mu   sync.Mutex // owns all below, and every leg
	legs map[string]*leg
	open map[*leg]struct{} // those that are up
	kind bool              // at the end of the test nothing new is played
}

func newCarrier(w *world) (*carrier, error) {
	c := &carrier{w: w, legs: map[string]*leg{}, open: map[*leg]struct{}{}}
	var err error
	if c.end, err = newEndpoint(w, "carrier"); err != nil {
		return nil, err
	}
	c.end.hears = c.hears
	return c, nil
}

// hears takes note of what Ringfence sent, and answers it unless the network lost it.
func (c *carrier) hears(p *packet, lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.legs[p.get("Call-ID")]
	if l != nil {
		l.observe(p, c.w.now())
	}
	if lost || p.status != 0 {
		return
	}
	switch {
	case p.method == "INVITE" && param(p.get("To"), "tag") == "":
		c.invited(l, p)
	case p.method == "CANCEL":
		c.cancelled(l, p)
	case p.method == "ACK":
		c.acked(l, p)
	case p.method == "OPTIONS" && param(p.get("To"), "tag") == "":
		c.end.send(p.reply(200, c.end.token()), p.from)
	case l == nil || p.method == "BYE" && l.state != up:
		c.unknown(l, p)
	case p.method == "BYE":
		c.bye(l, p)
	default:
		c.inside(l, p)
	}
}

// observe keeps what counts although the network may have lost it: that it was sent.
func (l *leg) observe(p *packet, now time.Duration) {
	_, method := p.cseq()
	switch {
	case p.status >= 200 && method == "BYE":
		first(&l.known, now)
		l.byeTaken = l.byeTaken || p.status == 200
	case p.method == "ACK" && l.answered > 0:
		first(&l.acked, now)
	case p.method == "BYE":
		first(&l.theirBye, now)
		l.lastBye = now
	}
}

// first keeps the first instant of several.
func first(at *time.Duration, now time.Duration) {
	if *at == 0 {
		*at = now
	}
}

func (c *carrier) invited(l *leg, p *packet) {
	if l != nil { // a repeat
		// RFC 6026 section 7.1: the transaction of an accepted INVITE absorbs its repeats, and a dialog that is over answers no more. A node that has
		// taken the carrier's BYE knows that the INVITE has arrived.
		switch {
		case l.byeTaken:
			c.w.failf(l.number, "the INVITE came again after the carrier's BYE was taken\n%v", l)
		case l.final != nil && l.state != over:
			c.end.send(l.final, p.from)
		}
		return
	}
	l = &leg{
		callID: p.get("Call-ID"), number: userOf(p.uri), tag: c.end.token(), invite: p, target: p.from,
		offered: c.w.now(), byes: map[string]int{}, ourSeq: 1,
	}
	l.theirSeq, _ = p.cseq()
	l.moved(p)
	l.plan = c.w.behaves(l.number)
	c.legs[l.callID] = l
	c.w.count.offered.Add(1)
	if l.plan.silent {
		return
	}
	c.end.send(p.reply(100, ""), p.from)
	if !l.plan.quiet {
		c.later(l.plan.ring/4, func() {
			if l.state == ringing && c.end.send(c.within(p.reply(180, l.tag), ""), p.from) {
				l.rang = c.w.now()
			}
		})
	}
	c.later(l.plan.ring, func() {
		switch {
		case l.state != ringing:
		case l.plan.refuse != 0:
			c.refuse(l, l.plan.refuse)
		default:
			c.answer(l)
		}
	})
}

// later does something with the carrier locked.
func (c *carrier) later(d time.Duration, do func()) {
	time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		do()
	})
}

func (c *carrier) contact() string { return "<sip:carrier@" + c.end.addr.String() + ">" }

// within adds what belongs to an answer inside a dialog.
func (c *carrier) within(r *packet, body string) *packet {
	r.add("Contact", c.contact())
	r.body = body
	return r
}

// moved takes the Contact of the other end: after a takeover it is another node's.
func (l *leg) moved(p *packet) {
	if uri := uriOf(p.get("Contact")); hostOf(uri).IsValid() {
		l.target, l.targetURI = hostOf(uri), uri
	}
}

func (c *carrier) refuse(l *leg, status int) {
	l.state, l.final = failed, l.invite.reply(status, l.tag)
	c.repeat(l, timerT1, c.w.now())
}

func (c *carrier) answer(l *leg) {
	now := c.w.now()
	l.state, l.answered = up, now
	c.open[l] = struct{}{}
	l.final = c.within(l.invite.reply(200, l.tag), sdp)
	c.w.count.answered.Add(1)
	c.repeat(l, timerT1, now)
	if l.plan.talk > 0 {
		c.later(l.plan.talk, func() { c.hangup(l, "carrier") })
	}
	if l.plan.forget > 0 {
		c.later(l.plan.forget, func() {
			if l.state == up && !c.kind {
				l.forgot = c.w.now()
				c.over(l, "forgotten")
			}
		})
	}
}

// repeat sends the final answer until it is acknowledged (section 13.3.1.4); an answer that nobody acknowledges for 32
// seconds is hung up.
func (c *carrier) repeat(l *leg, wait, since time.Duration) {
	if l.finalAcked || l.state == over {
		return
	}
	if c.w.now()-since >= timerB {
		c.hangup(l, "carrier: no ACK")
		return
	}
	if c.end.send(l.final, l.invite.from) && l.state == up {
		l.toldLast = c.w.now()
		first(&l.told, l.toldLast)
		l.tolds++
	}
	c.later(wait, func() { c.repeat(l, min(2*wait, timerT2), since) })
}

func (c *carrier) acked(l *leg, p *packet) {
	if l == nil || l.final == nil || l.finalAcked {
		return
	}
	l.finalAcked = true
	l.moved(p)
	for n := range l.plan.again {
		c.later(time.Duration(n+1)*300*time.Millisecond, func() {
			if l.state == up {
				c.end.send(l.final, l.invite.from)
			}
		})
	}
}

func (c *carrier) cancelled(l *leg, p *packet) {
	if l == nil || l.plan.silent {
		if l == nil {
			c.end.send(p.reply(481, c.end.token()), p.from)
		}
		return
	}
	if l.state == ringing && l.plan.onCancel && !c.kind {
		c.w.count.crossed.Add(1)
		c.answer(l)
	}
	c.end.send(p.reply(200, l.tag), p.from)
	if l.state == ringing {
		c.refuse(l, 487)
	}
}

// unknown answers what comes for a leg that is over, or never was.
func (c *carrier) unknown(l *leg, p *packet) {
	status := 481
	if l != nil && p.method == "BYE" && l.byes[p.transaction()] == 200 {
		status = 200
	}
	if c.end.send(p.reply(status, c.end.token()), p.from) && l != nil {
		first(&l.known, c.w.now())
	}
}

// bye ends a leg, unless it is played that it does not.
func (c *carrier) bye(l *leg, p *packet) {
	seq, _ := p.cseq()
	key := p.transaction()
	status, repeated := l.byes[key]
	switch {
	case repeated && status != 0:
	case seq < l.theirSeq && !repeated: // RFC 3261 section 12.2.2: out of order
		status = 500
		c.w.count.disordered.Add(1)
	case l.plan.stubborn:
		status = l.plan.byes[0]
		c.w.count.refusedByes.Add(1)
	case len(l.plan.byes) > 0 && !c.kind:
		status, l.plan.byes = l.plan.byes[0], l.plan.byes[1:]
		c.w.count.refusedByes.Add(1)
	default:
		status = 200
	}
	l.byes[key], l.theirSeq = status, max(seq, l.theirSeq)
	if status == 0 {
		return
	}
	arrived := c.end.send(p.reply(status, l.tag), p.from)
	if status == 200 {
		c.over(l, "Ringfence")
		if arrived {
			first(&l.known, c.w.now())
		}
	}
}

// over ends what the carrier charges for.
func (c *carrier) over(l *leg, by string) {
	if l.state == up {
		l.state, l.ended, l.by = over, c.w.now(), by
		delete(c.open, l)
	}
}

// inside answers a request in a dialog: renewals of the session, and questions whether it is still there.
func (c *carrier) inside(l *leg, p *packet) {
	if l.state != up {
		c.unknown(l, p)
		return
	}
	seq, _ := p.cseq()
	l.theirSeq = max(seq, l.theirSeq)
	l.moved(p)
	body := ""
	if p.body != "" || p.method == "INVITE" {
		body = sdp
	}
	c.end.send(c.within(p.reply(200, l.tag), body), p.from)
}

// hangup is the carrier's own BYE.
func (c *carrier) hangup(l *leg, by string) {
	if l.state != up || c.kind && by == "carrier" {
		return
	}
	l.ourSeq++
	bye := c.end.begin("BYE", l.targetURI, l.invite.get("To")+";tag="+l.tag, l.invite.get("From"), l.callID, l.ourSeq)
	l.ourBye = c.w.now()
	c.over(l, by)
	go c.end.ask(bye, func() netip.AddrPort {
		c.mu.Lock()
		defer c.mu.Unlock()
		return l.target
	})
}

// all copies the legs.
func (c *carrier) all() []leg {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]leg, 0, len(c.legs))
	for _, l := range c.legs {
		list = append(list, *l)
	}
	return list
}

// up copies the legs that are up.
func (c *carrier) up() (list []leg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for l := range c.open {
		list = append(list, *l)
	}
	return list
}

// calm ends the play: from now on the carrier takes every BYE, except for legs that refuse to end.
func (c *carrier) calm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kind = true
}

// String is the leg's life in a line.
func (l *leg) String() string {
	state := []string{"ringing", "up", "over", "failed"}[l.state]
	if l.plan.stubborn {
		state += ", refuses every BYE"
	}
	return fmt.Sprintf("leg to %s: %s; offered %.3f, answered %.3f, ACK %.3f, their BYE %.3f, our BYE %.3f, forgotten %.3f, ended %.3f by %q, known %.3f",
		l.number, state, l.offered.Seconds(), l.answered.Seconds(), l.acked.Seconds(), l.theirBye.Seconds(), l.ourBye.Seconds(),
		l.forgot.Seconds(), l.ended.Seconds(), l.by, l.known.Seconds())
}
