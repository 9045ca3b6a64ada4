package transport

import "sync/atomic"

// counters are written by the readers and writers and read by Stats.
type counters struct {
	packetsIn, bytesIn, packetsOut, bytesOut                            atomic.Uint64
	banned, keepAlives, panics, truncated, kernel                       atomic.Uint64
	queueFull, writeErrors, readErrors                                  atomic.Uint64
	accepted, dialled, dialErrors, refused, acceptErrors, framing, slow atomic.Uint64
	evicted                                                             atomic.Uint64
}

// Stats are totals since Listen, but Conns and Strangers, which are the present numbers.
type Stats struct {
	PacketsIn, BytesIn   uint64 // messages and bytes received, dropped ones included
	PacketsOut, BytesOut uint64

	Banned      uint64 // dropped: source banned
	KeepAlives  uint64 // dropped: line breaks, STUN
	Truncated   uint64 // dropped: datagram larger than a message may be
	Kernel      uint64 // dropped by the kernel: the socket's buffer was full (SO_RXQ_OVFL)
	Panics      uint64 // panics recovered from Handle
	QueueFull   uint64 // not sent: queue full
	WriteErrors uint64 // not sent: the kernel refused
	ReadErrors  uint64

	Accepted, Dialled, DialErrors uint64 // TCP connections
	Refused                       uint64 // closed at once: no room, or the source is banned
	Evicted                       uint64 // closed to make room for others
	AcceptErrors                  uint64
	Framing                       uint64 // connections closed: the stream could not be followed
	Slow                          uint64 // connections closed: message not complete in time
	Conns, Strangers              int    // now; strangers: nobody has logged in on them
}

// Stats returns the counters.
func (t *Transport) Stats() Stats {
	c := &t.count
	conns, strangers := t.conns.counts()
	return Stats{
		PacketsIn: c.packetsIn.Load(), BytesIn: c.bytesIn.Load(), PacketsOut: c.packetsOut.Load(), BytesOut: c.bytesOut.Load(),
		Banned: c.banned.Load(), KeepAlives: c.keepAlives.Load(), Truncated: c.truncated.Load(),
		Kernel: c.kernel.Load(), Panics: c.panics.Load(), QueueFull: c.queueFull.Load(), WriteErrors: c.writeErrors.Load(),
		ReadErrors: c.readErrors.Load(), Accepted: c.accepted.Load(), Dialled: c.dialled.Load(), DialErrors: c.dialErrors.Load(),
		Refused: c.refused.Load(), AcceptErrors: c.acceptErrors.Load(), Framing: c.framing.Load(), Slow: c.slow.Load(),
		Evicted: c.evicted.Load(), Conns: conns, Strangers: strangers,
	}
}
