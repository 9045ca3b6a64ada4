package transaction

import "time"

// Client is a client transaction: INVITE (RFC 3261 figure 5, RFC 6026 section 8.4) or not (figure 6). Its owner has
// sent the request once when it calls NewClient. The zero Client is not usable.
type Client struct {
	clock
	state    State
	invite   bool
	reliable bool
}

// NewClient starts a client transaction whose request goes out at now. On a reliable transport nothing is repeated.
func NewClient(invite, reliable bool, now time.Duration, t *Timers) Client {
	c := Client{state: Trying, invite: invite, reliable: reliable}
	if invite {
		c.state = Calling
	}
	gap := t.T1
	if reliable {
		gap = 0
	}
	c.start(now, gap, now+t.Patience())
	return c
}

// State is where the machine is.
func (c *Client) State() State { return c.state }

// Response takes a response that matches the transaction.
func (c *Client) Response(status int, now time.Duration, t *Timers) Do {
	if c.invite {
		return c.inviteResponse(status, now, t)
	}
	return c.plainResponse(status, now, t)
}

func (c *Client) inviteResponse(status int, now time.Duration, t *Timers) Do {
	switch {
	case c.state == Calling || c.state == Proceeding:
		switch {
		case status < 200: // timers A and B end; how long it may ring is the owner's affair
			if c.state == Calling {
				c.state = Proceeding
				c.stop(Never)
			}
			return Pass
		case status < 300: // timer M: repeats and forks of the 2xx still come here
			c.state = Accepted
			c.stop(now + t.Patience())
			return Pass
		}
		c.state = Completed
		c.stop(now + t.Patience()) // timer D, at least 32 s
		if c.reliable {
			return c.over(Ack | Pass)
		}
		return Ack | Pass
	case c.state == Accepted && status >= 200 && status < 300:
		return Pass
	case c.state == Completed && status >= 300:
		return Ack
	case c.state == Completed && status >= 200: // another fork: a proxy passes a 2xx on also after it refused (16.7)
		return Pass
	}
	return 0
}

func (c *Client) plainResponse(status int, now time.Duration, t *Timers) Do {
	if c.state != Trying && c.state != Proceeding {
		return 0
	}
	if status < 200 {
		if c.state == Trying && c.gap > 0 { // from now on repeats come every T2
			c.gap, c.repeat = t.T2, now+t.T2
		}
		c.state = Proceeding
		return Pass
	}
	c.state = Completed
	c.stop(now + t.T4) // timer K
	if c.reliable {
		return c.over(Pass)
	}
	return Pass
}

// Limit gives an INVITE up unless its final answer comes within 64·T1, and repeats it no more. It is for one that was
// cancelled (RFC 3261 section 9.1), or that the peer has limited time to answer. Late answers are still taken until then.
func (c *Client) Limit(now time.Duration, t *Timers) {
	if c.state == Calling || c.state == Proceeding {
		c.repeat = Never
		c.end = min(c.end, now+t.Patience())
	}
}

// Until gives a request up unless its final answer comes by then.
func (c *Client) Until(at time.Duration) {
	if c.state < Completed {
		c.end = min(c.end, at)
	}
}

// Extend waits for the final answer of a request until then at least.
func (c *Client) Extend(at time.Duration) {
	if c.state < Completed && c.end != Never {
		c.end = max(c.end, at)
	}
}

// Tick does what is due at now.
func (c *Client) Tick(now time.Duration, t *Timers) Do {
	if now >= c.end {
		if c.state == Calling || c.state == Trying || c.state == Proceeding {
			return c.over(Timeout) // timer B or F, or no answer after a CANCEL
		}
		return c.over(0)
	}
	if now < c.repeat {
		return 0
	}
	if c.invite { // timer A doubles without a limit, timer E up to T2
		c.backOff(now, Never/2)
	} else {
		c.backOff(now, t.T2)
	}
	return Send
}

func (c *Client) over(d Do) Do {
	c.state = Terminated
	c.stop(Never)
	return d | Done
}
