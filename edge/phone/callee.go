package phone

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// incoming begins the called side of an INVITE.
func (e *endpoint) incoming(p *packet, rtp netip.AddrPort) *Call {
	n, _ := p.cseq()
	tag := token()
	c := &Call{
		e: e, id: p.get("Call-ID"), peer: p.from, rtp: rtp,
		local: p.get("To") + ";tag=" + tag, remote: p.get("From"), localTag: tag, remoteTag: param(p.get("From"), "tag"),
		done: make(chan struct{}), acked: make(chan struct{}),
		target: uriOf(p.get("Contact")), cseq: 1, version: 1, first: n, invite: n,
		routes: p.list("Record-Route"),
	}
	c.media, _ = mediaOf(p.body)
	c.register()
	return c
}

// provisional answers the INVITE for now; withMedia makes it early media.
func (c *Call) provisional(invite *packet, status int, phrase string, withMedia bool) {
	r := invite.reply(status, phrase, c.localTag)
	if status > 100 {
		r.add("Contact", c.e.contact())
	}
	if withMedia {
		c.answerSDP(r, invite)
	}
	c.send(r)
}

// send remembers an answer to the INVITE, for repeats, and sends it.
func (c *Call) send(r *packet) {
	data := r.bytes()
	c.mu.Lock()
	c.final = data
	c.mu.Unlock()
	_ = c.e.link.send(data, r.from)
}

// refuse ends an INVITE with a final answer that is no success, repeated until its ACK.
func (c *Call) refuse(invite *packet, status int, phrase string, fill func(*packet)) {
	r := invite.reply(status, phrase, c.localTag)
	if fill != nil {
		fill(r)
	}
	c.finish(End{Theirs: c.End().Theirs})
	c.send(r)
	c.untilACK(context.Background())
}

// errNoACK says that the caller never acknowledged our answer.
var errNoACK = errors.New("the caller never sent ACK")

// answer accepts an INVITE and repeats the 200 until its ACK (RFC 3261 section 13.3.1.4).
func (c *Call) answer(ctx context.Context, invite *packet) error {
	r := invite.reply(200, "OK", c.localTag)
	r.add("Contact", c.e.contact())
	r.add("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO")
	c.answerSDP(r, invite)
	c.mu.Lock()
	if c.end != nil { // cancelled in between
		c.mu.Unlock()
		return context.Canceled
	}
	c.began = time.Now()
	c.mu.Unlock()
	c.send(r)
	if !c.untilACK(ctx) {
		return errNoACK
	}
	return nil
}

// untilACK repeats the final answer until it is acknowledged; false after 32 seconds or when the context ends.
func (c *Call) untilACK(ctx context.Context) bool {
	wait := timerT1
	again, giveUp := time.NewTimer(wait), time.NewTimer(timerB)
	defer again.Stop()
	defer giveUp.Stop()
	for {
		select {
		case <-c.acked:
			return true
		case <-ctx.Done():
			return false
		case <-c.e.done:
			return false
		case <-giveUp.C:
			return false
		case <-again.C:
			c.mu.Lock()
			final := c.final
			c.mu.Unlock()
			_ = c.e.link.send(final, c.peer)
			wait = min(2*wait, timerT2)
			again.Reset(wait)
		}
	}
}
