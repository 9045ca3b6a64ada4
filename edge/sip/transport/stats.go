package transport

import "sync/atomic"

// counters are written by the readers and writers and read by Stats.
type counters struct{ packetsIn, packetsOut, banned, refused, evicted atomic.Uint64 }

// Stats are totals since Listen, except Conns and Strangers, which are current values.
type Stats struct {
	PacketsIn, PacketsOut uint64 // messages; those received include the ones that were dropped
	Banned                uint64 // packets dropped because their source is banned
	Refused               uint64 // TCP connections closed on arrival: there was no room, or the source is banned
	Evicted               uint64 // TCP connections closed to make room for others
	Conns, Strangers      int    // TCP connections; unknown sources are those on which no line has logged in
}

// Stats returns the counters.
func (t *Transport) Stats() Stats {
	c := &t.count
	conns, strangers := t.conns.counts()
	return Stats{
		PacketsIn: c.packetsIn.Load(), PacketsOut: c.packetsOut.Load(), Banned: c.banned.Load(),
		Refused: c.refused.Load(), Evicted: c.evicted.Load(), Conns: conns, Strangers: strangers,
	}
}
