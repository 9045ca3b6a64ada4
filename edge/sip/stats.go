package sip

import "sync/atomic"

// stats are counted as things happen, from any goroutine.
type stats struct {
	malformed, scanners, strangers, registers, refusedRegisters, invites, answered, full, noSeat, inboundMet, forged atomic.Uint64
	unmatched, wrongTags, elsewhere, endsElsewhere, strays, panics, repeats, failovers, timeouts, unsent, unbooked   atomic.Uint64
}

// Stats are counts since the start; Emergencies, Inbound, Calls and Kept are current values.
type Stats struct {
	Malformed        uint64 // malformed or non-SIP packets: dropped or answered 400
	Scanners         uint64 // requests from attack tools, left unanswered
	Elsewhere        uint64 // requests and responses inside calls from addresses that the IP lock or the trunk does not allow
	Strangers        uint64 // requests without a login that were challenged; nothing is kept of them
	Registers        uint64 // REGISTER requests answered 200
	RefusedRegisters uint64 // REGISTER requests with credentials, right or wrong, that were refused
	Invites          uint64 // new calls, with credentials or from a trunk
	Answered         uint64 // calls answered
	Full             uint64 // ordinary calls that arrived while MaxCalls were in progress
	NoSeat           uint64 // calls of any kind refused because there was no room
	InboundMet       uint64 // inbound calls that reached a limit: another call was ended for it, or it was refused
	Forged           uint64 // inbound calls ended because the carrier does not know them
	Emergencies      int64  // emergency calls, which MaxCalls does not include
	Inbound          int64  // calls that came in over trunks
	Unmatched        uint64 // requests and responses that belong to no call
	WrongTags        uint64 // of these, requests for a dialog that does not exist
	EndsElsewhere    uint64 // calls ended by a party from an unexpected address
	Unbooked         uint64 // calls that the gate did not know, hung up: any value above 0 is a fault
	Strays           uint64 // answers to calls of the previous process, hung up
	Panics           uint64 // faults in this program that ended one call each
	Repeats          uint64 // retransmissions, received or sent
	Failovers        uint64 // routes abandoned for the next
	Timeouts         uint64 // requests that were never answered
	Unsent           uint64 // packets that the transport did not accept
	Calls            int64  // calls in setup or in progress
	Kept             int64  // calls that have ended and are kept for retransmissions of their last messages
}

// Stats reads the counts.
func (e *Edge) Stats() Stats {
	c := &e.stats
	help, in := e.seats.counts()
	s := Stats{
		Malformed: c.malformed.Load(), Scanners: c.scanners.Load(), Elsewhere: c.elsewhere.Load(), Strangers: c.strangers.Load(), Registers: c.registers.Load(),
		RefusedRegisters: c.refusedRegisters.Load(), Invites: c.invites.Load(), Answered: c.answered.Load(), Full: c.full.Load(), NoSeat: c.noSeat.Load(),
		InboundMet: c.inboundMet.Load(), Forged: c.forged.Load(), Emergencies: int64(help), Inbound: int64(in), Unmatched: c.unmatched.Load(),
		WrongTags: c.wrongTags.Load(), EndsElsewhere: c.endsElsewhere.Load(), Unbooked: c.unbooked.Load(), Strays: c.strays.Load(), Panics: c.panics.Load(),
		Repeats: c.repeats.Load(), Failovers: c.failovers.Load(), Timeouts: c.timeouts.Load(), Unsent: c.unsent.Load(), Calls: e.calls.Load(),
	}
	for _, sh := range e.shards {
		s.Kept += sh.kept.Load()
	}
	return s
}
