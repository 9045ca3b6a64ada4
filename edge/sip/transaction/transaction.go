// Package transaction holds the four state machines of RFC 3261 section 17, as corrected by RFC 6026. They are pure: an
// event and the time go in, what the owner must do comes out. It must not know messages, sockets, clocks or goroutines.
package transaction

import (
	"cmp"
	"time"
)

// Do says what the owner must do after an event; several can be set.
type Do uint8

// What to do.
const (
	Send    Do = 1 << iota // send the last message again: a client its request, a server its latest response
	Ack                    // a client acknowledges a final answer other than 2xx (same branch as the INVITE)
	Pass                   // the event is news for the user of the transaction
	Timeout                // no answer (client), or no ACK (INVITE server)
	Done                   // the transaction is over and can be forgotten
)

// Has says whether all of want is set.
func (d Do) Has(want Do) bool { return d&want == want }

// Timers are the base values of RFC 3261 section 17.1.1.1. The zero value stands for the RFC's own.
type Timers struct {
	T1 time.Duration // round trip; 500 ms
	T2 time.Duration // longest gap between repeats; 4 s
	T4 time.Duration // longest life of a message in the network; 5 s
}

// Defaults fills in what is zero with the values of the RFC.
func (t Timers) Defaults() Timers {
	t.T1 = cmp.Or(max(t.T1, 0), 500*time.Millisecond)
	t.T2 = cmp.Or(max(t.T2, 0), 4*time.Second)
	t.T4 = cmp.Or(max(t.T4, 0), 5*time.Second)
	return t
}

// Patience is 64·T1: timers B, F, H, J, L and M.
func (t *Timers) Patience() time.Duration { return 64 * t.T1 }

// State of a machine; the names are the RFC's.
type State uint8

// States. Which of them a machine can be in depends on its kind.
const (
	Calling    State = iota // INVITE client
	Trying                  // non-INVITE client and server
	Proceeding              // all
	Completed               // all
	Accepted                // INVITE client and server (RFC 6026)
	Confirmed               // INVITE server
	Terminated              // all
)

// Never is the deadline of a machine that waits for nothing.
const Never = time.Duration(1<<63 - 1)

// clock holds the two instants a machine can wait for, measured on any monotonic scale the owner likes.
// A zero gap means that nothing is repeated.
type clock struct {
	gap    time.Duration // present gap between repeats: timers A, E, G
	repeat time.Duration // when to repeat; Never
	end    time.Duration // when this state ends: timers B, D, F, H, I, J, K, L, M; Never
}

// Deadline is when Tick wants to be called next; Never if no time matters.
func (c *clock) Deadline() time.Duration { return min(c.repeat, c.end) }

// start begins to repeat after gap, until end.
func (c *clock) start(now, gap, end time.Duration) {
	c.gap, c.repeat, c.end = gap, Never, end
	if gap > 0 {
		c.repeat = now + gap
	}
}

// stop repeats nothing more; the state lasts until end.
func (c *clock) stop(end time.Duration) { c.gap, c.repeat, c.end = 0, Never, end }

// backOff doubles the gap up to most and plans the next repeat. A late tick does not cause a burst.
func (c *clock) backOff(now, most time.Duration) {
	c.gap = min(2*c.gap, most)
	c.repeat = now + c.gap
}
