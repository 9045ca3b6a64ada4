package transport

import "sync/atomic"

// counters are written by the readers and writers and read by Stats.
type counters struct {
	in, out                                           [protocols]atomic.Uint64
	banned, refused, evicted, shaken, unshaken, stuns atomic.Uint64
}

// Stats are totals since Listen, except Conns and Strangers, which are current values.
type Stats struct {
	PacketsIn, PacketsOut uint64 // messages; those received include the ones that were dropped
	Banned                uint64 // packets dropped because their source is banned
	Refused               uint64 // connections closed on arrival: there was no room, the source is banned, or begins TLS too often
	Evicted               uint64 // connections closed to make room for others
	Conns, Strangers      int    // connections; unknown sources are those on which no line has logged in
	Shaken, Unshaken      uint64 // TLS handshakes that succeeded and that failed, of connections that were accepted
	STUN                  uint64 // STUN binding requests answered
	By                    [protocols]ProtoStats
}

// ProtoStats are the counts of one protocol.
type ProtoStats struct {
	In, Out uint64 // messages
	Conns   int
}

// Stats returns the counters.
func (t *Transport) Stats() Stats {
	c := &t.count
	s := Stats{
		Banned: c.banned.Load(), Refused: c.refused.Load(), Evicted: c.evicted.Load(), Shaken: c.shaken.Load(), Unshaken: c.unshaken.Load(),
		STUN: c.stuns.Load(),
	}
	conns, strangers := t.conns.counts()
	s.Strangers = strangers
	for p := range s.By {
		s.By[p] = ProtoStats{c.in[p].Load(), c.out[p].Load(), conns[p]}
		s.PacketsIn, s.PacketsOut, s.Conns = s.PacketsIn+s.By[p].In, s.PacketsOut+s.By[p].Out, s.Conns+conns[p]
	}
	return s
}
