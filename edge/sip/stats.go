package sip

import "sync/atomic"

// stats are counted as things happen, from any goroutine.
type stats struct {
	malformed, scanners, strangers, registers, refusedRegisters, options                atomic.Uint64
	invites, merged, refused, failed, answered, ended, full, noSeat, inboundMet, forged atomic.Uint64
	unmatched, elsewhere, strays, panics, repeats, failovers, cuts, timeouts, unsent    atomic.Uint64
	unbooked, wrongTags, endsElsewhere                                                  atomic.Uint64
}

// Stats are counts since the start, and what is there now.
type Stats struct {
	Malformed        uint64 // packets that are no SIP, or broken: dropped or answered 400
	Scanners         uint64 // requests of attackers' tools, met with silence
	Elsewhere        uint64 // requests and answers inside calls from where the IP lock or the trunk does not allow them
	Strangers        uint64 // challenged without keeping anything
	Registers        uint64 // REGISTER answered 200
	RefusedRegisters uint64 // REGISTER with right or wrong credentials that was refused
	Options          uint64 // OPTIONS answered
	Invites          uint64 // new calls asked for, with credentials or from a trunk
	Refused          uint64 // of these, refused by the door or the gate
	Failed           uint64 // of these, allowed but never answered
	Answered         uint64
	Ended            uint64 // admitted calls whose end the gate was told
	Full             uint64 // ordinary calls that came while MaxCalls were up
	NoSeat           uint64 // calls of any kind refused because there was no room
	InboundMet       uint64 // inbound calls that met a bound: one gave way, or the call was refused
	Forged           uint64 // inbound calls that ended because the carrier does not know them
	Emergencies      int64  // now, beside MaxCalls
	Inbound          int64  // now
	Unmatched        uint64 // requests and responses that belong to nothing
	WrongTags        uint64 // of these, requests for a dialog that there is not
	EndsElsewhere    uint64 // calls ended from where their party is not expected
	Unbooked         uint64 // calls that the gate did not know, hung up: 0 always, or something is wrong
	Strays           uint64 // answers to calls of the previous process, hung up
	Panics           uint64
	Repeats          uint64 // packets received again
	Failovers        uint64 // ways out given up for the next
	Cuts             uint64
	Timeouts         uint64 // transactions nobody answered
	Unsent           uint64 // packets that the transport did not take
	Calls            int64  // now, setting up or up
	Kept             int64  // over, kept for repeats of their last packets
}

// Stats reads the counts.
func (e *Edge) Stats() Stats {
	c := &e.stats
	s := Stats{
		Malformed: c.malformed.Load(), Scanners: c.scanners.Load(), Elsewhere: c.elsewhere.Load(), Strangers: c.strangers.Load(), Registers: c.registers.Load(),
		RefusedRegisters: c.refusedRegisters.Load(), Options: c.options.Load(), Invites: c.invites.Load(),
		Refused: c.refused.Load(), Failed: c.failed.Load(), Answered: c.answered.Load(), Ended: c.ended.Load(),
		Full: c.full.Load(), Unmatched: c.unmatched.Load(), Strays: c.strays.Load(), Unbooked: c.unbooked.Load(), Panics: c.panics.Load(),
		Repeats: c.repeats.Load(), Failovers: c.failovers.Load(), Cuts: c.cuts.Load(), Timeouts: c.timeouts.Load(),
		Unsent: c.unsent.Load(), Calls: e.calls.Load(),
	}
	s.WrongTags, s.EndsElsewhere = c.wrongTags.Load(), c.endsElsewhere.Load()
	s.NoSeat, s.InboundMet, s.Forged = c.noSeat.Load(), c.inboundMet.Load(), c.forged.Load()
	help, in := e.seats.counts()
	s.Emergencies, s.Inbound = int64(help), int64(in)
	for _, sh := range e.shards {
		s.Kept += sh.kept.Load()
	}
	return s
}
