package sip

import (
	"slices"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/locate"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/flow/gate"
)

// bridgeState is the state of a call.
type bridgeState uint8

const (
	asking    bridgeState = iota // the gate has yet to admit it
	calling                      // routes are tried
	answering                    // a callee answered; the gate makes it durable
	talking
	over // hung up; only retransmissions of the last messages are still answered
)

// bridge joins the caller's leg to the callee's: one call. It belongs to its shard.
type bridge struct {
	s        *shard
	state    bridgeState
	busy     bool          // a question to the gate has no answer yet
	reported bool          // the gate knows the end, or never knew the call
	priceAt  time.Duration // when the gate is notified that no charge is outstanding; 0: not known yet
	priced   bool          // the gate knows that no charge is outstanding
	clear    bool          // the gate knows that every leg is over, or never knew the call
	joined   bool          // the caller was sent the answer
	gone     bool          // the shard has forgotten it
	at       time.Duration
	slot     int // in the shard's timers, from 1; 0 is not there

	id   call.ID // "" until admitted
	a    *leg
	all  []*leg // a, then every leg that was tried
	peer *leg   // the one that answered

	trail    trail     // who has sent the call on
	transfer *transfer // that a phone has asked for and that is under way; nil: none

	forks []*fork // the early dialogs of the caller; until its ACK the one that was answered

	// While being set up; nil once talking.
	setup *setup

	ask *question // that the caller is asked, until it talks to the callee; nil: none

	sips bool // it asked to be encrypted all the way (RFC 3261 26.2.2)

	seat  seat   // which calls it counts with; belongs to Edge.seats
	proof *proof // inbound: whether the carrier stands by it; nil: it need not

	end ending // over: what is reported to the gate
	// endedAt is when, also of a call that a previous process was ending; the gate bills until then.
	endedAt time.Time
	// lingers is how long a call of a previous process waits for the answer to an INVITE that is in no record.
	lingers time.Duration
}

// setup is what is needed until a call is answered.
type setup struct {
	plan     *gate.Plan
	offer    content // the caller's body
	location []byte  // where the caller is, as header lines
	hops     int     // Max-Forwards of our INVITEs
	from     caller
	prefers  timerPreference
	route    int             // index of the route being tried
	carrier  bool            // that route is a trunk
	address  int             // of the addresses of its trunk, how many were taken up
	aimed    string          // that address
	targets  []locate.Target // its servers that are still to be tried
	full     int             // trunks that were passed over because they were full
	leftOut  []passed        // servers that were passed over, in case that nothing else is left
	searchAt time.Duration   // when the search for a carrier began; 0: it has not
	tryingAt time.Duration   // when a 100 goes out
	silentAt time.Duration   // when a route that has not responded at all is given up
	ringAt   time.Duration   // when ringing ends
	turnAt   time.Duration   // when the next line of a group rings instead
	queueAt  time.Duration   // the same, while the far end says that the caller is queued
	keepAt   time.Duration   // when what a restart needs to end the call is stored
	failed   *ending         // the best of the refusals so far
	rangOut  bool            // a line of a group rang in turn and nobody answered
	requires bool            // the caller requires reliable provisional answers
	tried    int64
	answer   content   // the callee's body
	sentOn   bool      // the call goes on by a link
	replaces *replaced // the call whose phone it takes the place of; nil: none
}

// forget removes a call for which nothing is left to be sent.
func (s *shard) forget(b *bridge) {
	if b.gone {
		return
	}
	b.gone = true
	b.endQuestion() // another node may have the call: nobody here ends it
	s.timers.remove(b)
	delete(s.byID, b.id)
	for _, l := range b.all {
		if s.uas[l.callID] == l {
			delete(s.uas, l.callID)
		}
		if s.uac[l.callID] == l {
			delete(s.uac, l.callID)
		}
	}
	for _, l := range b.all {
		l.givesBack() // it is another node's now
		for _, c := range l.clients {
			delete(s.tokens, c.branch)
		}
	}
	s.kept.Add(-1)
}

// outs are the legs that were tried.
func (b *bridge) outs() []*leg { return b.all[1:] }

// other is the leg that l is joined with.
func (b *bridge) other(l *leg) *leg {
	if l == b.a {
		return b.peer
	}
	return b.a
}

// party says whose leg it is.
func (b *bridge) party(l *leg) call.Party {
	if l == b.a {
		return call.Caller
	}
	return call.Callee
}

// finish ends the call: each leg is hung up as its state requires, and the end is reported to the gate. Only the first end counts.
func (b *bridge) finish(end ending) {
	if b.state == over {
		return
	}
	e := b.s.e
	e.fill(&end)
	end.doubt = max(end.doubt, b.doubt(&end))
	if end.from.IsValid() {
		e.stats.endsElsewhere.Add(1)
	}
	b.leavesQuestion(&end)
	b.state, b.end = over, end
	if b.endedAt.IsZero() {
		b.endedAt = b.s.wall
	}
	b.setup, b.forks = nil, nil
	b.leave()
	b.s.kept.Add(1)
	for _, l := range b.all {
		l.hangup(&end)
		l.givesBack()
		l.giveUpChanges()
		l.session, l.owed = content{}, content{} // a call that is over is kept for half a minute, for retransmissions only
	}
	b.reportEnd()
	if end.why == policy.PeerGone || slices.ContainsFunc(b.outs(), func(l *leg) bool { return l.revived || l.ringing() || !b.joined && !l.answeredAt.IsZero() }) {
		b.remember() // a leg may be up although the caller never heard an answer, or be over already: that must outlive the process
	}
}

// giveUpChanges answers the requests inside the dialog that are still open: the call is over.
func (l *leg) giveUpChanges() {
	s := l.b.s
	for _, t := range l.servers {
		switch {
		case t.head == nil:
		case t.method == message.BYE || t.method == message.CANCEL: // the call is over, for any reason
			s.respond(t, reply{code: 200})
		default:
			s.respond(t, reply{code: 487})
		}
	}
	for _, c := range l.clients {
		if c.method == message.INVITE {
			c.Limit(s.now, &s.e.o.Timers)
		}
	}
}

// reportEnd reports the end to the gate, once. The end of a call that is still being admitted is reported after that.
func (b *bridge) reportEnd() {
	if b.reported || b.id == "" {
		return
	}
	b.reported = true
	status := b.end.status
	if b.joined {
		status = 200
	}
	at := b.endedAt
	if at.IsZero() {
		at = time.Now()
	}
	b.s.e.door.Notify(b.id, gate.End{By: b.end.by, Reason: b.end.why, Status: status, At: at, From: b.end.from, Doubt: b.end.doubt})
}

// reportOver reports to the gate, once, that every leg of a call that ended is over: confirmed, or timed out.
func (b *bridge) reportOver() {
	if b.state != over || b.clear || !b.reported || b.busy || b.id == "" || b.lingers > b.s.now {
		return
	}
	if !b.legsOver() {
		return
	}
	b.clear = true
	b.s.e.door.Notify(b.id, gate.Over(b.report()))
}

// reportPriced reports to the gate, once, that nothing more will be charged for a call that ended, although a phone has yet to confirm its
// end. Usually the phone confirms within priceAfter, and reportOver is enough.
func (b *bridge) reportPriced() {
	if b.state != over || b.priced || b.clear || !b.reported || b.busy || b.id == "" || b.lingers > b.s.now {
		return
	}
	for _, l := range b.all {
		if !l.free() && !l.over() {
			return
		}
	}
	switch {
	case b.priceAt == 0:
		b.priceAt = b.s.now + priceAfter
	case b.s.now >= b.priceAt:
		b.priced = true
		b.s.e.door.Notify(b.id, gate.Priced(b.report()))
	}
}

// priceAfter is how long the record of a call waits for phones to confirm its end.
const priceAfter = 50 * time.Millisecond

// free says that there is no charge for this leg of a call that ended, whatever becomes of it: it is the calling phone's, or that of a called
// phone that was hung up and can no longer answer.
func (l *leg) free() bool {
	if l.trunk != "" || l != l.b.a && l.state != closed {
		return false
	}
	for _, c := range l.clients {
		if c.why == forInvite && c.State() < transaction.Completed {
			return false
		}
	}
	return true
}

// legsOver says that no leg can be up any more.
func (b *bridge) legsOver() bool {
	for _, l := range b.all {
		if !l.over() {
			return false
		}
	}
	return true
}

// report is what the gate must know of the legs: those that were answered, and those whose end was never confirmed.
func (b *bridge) report() (all []gate.Leg) {
	for _, l := range b.all {
		if l.refused != 0 || l != b.a && (!l.answeredAt.IsZero() || l.revived && !l.unsure) {
			all = append(all, l.report())
		}
	}
	return all
}

// report is what the gate must know of one leg.
func (l *leg) report() gate.Leg {
	g := gate.Leg{Trunk: l.trunk, CallID: l.callID, Tag: l.remoteTag, Answered: l.answeredAt, Joined: l == l.b.peer && l.b.joined, OverAt: l.overAt, Refused: l.refused}
	if !l.answeredAt.IsZero() && !l.byeAt.IsZero() {
		g.Talk = max(l.byeAt.Sub(l.answeredAt), 0)
	}
	if !l.byeAt.IsZero() && !l.overAt.IsZero() {
		g.Beyond, g.Waited = max(l.overAt.Sub(l.byeAt), 0), l.answerAge
	}
	return g
}

// cut ends a call for the gate. A cut that comes before its call is known is kept while questions to the gate are open.
func (s *shard) cut(id call.ID, reason policy.Reason, f policy.Figures) {
	b := s.byID[id]
	if b == nil {
		if s.asking > 0 && len(s.early) < maxEarly {
			s.early[id] = earlyCut{reason, f}
		}
		return
	}
	if s.e.pulse.age(s.wall) > 0 {
		return // a party's own BYE may be waiting to be read, and comes first; the gate cuts again
	}
	s.cur = b
	b.finish(ending{by: call.System, why: reason, f: f})
}

// maxEarly bounds the cuts that wait for their call to be known.
const maxEarly = 4096

// giveUpSetups ends every call that is not answered, except emergency calls, because the program is stopping. A call that the gate has yet
// to admit ends when it has been admitted.
func (s *shard) giveUpSetups() {
	for _, l := range s.uas {
		if b := l.b; b.state == calling && !b.setup.plan.Always {
			s.cur = b
			b.finish(ending{by: call.System, why: policy.Stopping})
			s.settle(b)
		}
	}
	s.cur = nil
}

// deadline is when tick has something to do for the call.
func (b *bridge) deadline() time.Duration {
	at := transaction.Never
	if b.lingers > 0 && !b.clear {
		at = b.lingers
	}
	if b.priceAt > 0 && !b.priced && !b.clear {
		at = min(at, b.priceAt)
	}
	for _, l := range b.all {
		at = min(at, l.earliest(), l.byeAgain())
	}
	if b.state == talking {
		at = min(at, b.a.due(), b.peer.due())
	}
	if u := b.setup; u != nil {
		at = min(at, b.dueForks(), u.tryingAt, u.silentAt, u.ringAt, u.turnAt, u.keepAt, b.proof.due(), b.dueQuestion())
	}
	return at
}

// tick does what is due.
func (b *bridge) tick() {
	for _, l := range b.all {
		l.tickClients()
		l.tickServers()
		l.tickBye()
	}
	if b.state == talking {
		b.a.tickTimer()
	}
	if b.state == talking {
		b.peer.tickTimer()
	}
	b.tickSetup()
	b.tickQuestion()
	b.tickForks()
	b.tickProof()
}

func (l *leg) tickClients() {
	s := l.b.s
	for _, c := range slices.Clone(l.clients) {
		if c.Deadline() > s.now {
			continue
		}
		silent := c.State() == transaction.Calling
		do := c.Tick(s.now, &s.e.o.Timers)
		if do.Has(transaction.Send) {
			s.e.stats.repeats.Add(1)
			s.transmit(c)
		}
		if do.Has(transaction.Timeout) {
			if silent {
				c.silentHere()
			}
			s.unanswered(c, 408)
		} else if do.Has(transaction.Done) {
			l.drop(c)
		}
	}
}

func (l *leg) tickServers() {
	s := l.b.s
	for _, t := range slices.Clone(l.servers) {
		if t.Deadline() > s.now {
			continue
		}
		do := t.Tick(s.now, &s.e.o.Timers)
		if do.Has(transaction.Send) {
			s.again(t)
		}
		if do.Has(transaction.Done) {
			accepted := do.Has(transaction.Timeout) && t.accepted
			l.dropServer(t)
			if accepted {
				l.unacknowledged()
			}
		}
	}
}

// unacknowledged handles an answered INVITE whose ACK never came: both ends are hung up (RFC 3261 13.3.1.4).
func (l *leg) unacknowledged() {
	l.acked = true
	if l.b.state == over {
		if l.byeWaits {
			l.bye(l.byeReason)
		}
		return
	}
	l.b.finish(ending{by: call.System, why: policy.NoAck})
}

// tickSetup sends the 100, and gives up routes that do not respond or ring for too long.
func (b *bridge) tickSetup() {
	u := b.setup
	if u == nil {
		return
	}
	if b.s.now >= u.tryingAt {
		u.tryingAt = transaction.Never
		if b.a.invite != nil {
			b.s.respond(b.a.invite, reply{code: 100})
		}
	}
	if b.s.now >= u.keepAt {
		u.keepAt = transaction.Never
		b.remember()
	}
	if b.s.now >= u.ringAt {
		if !u.carrier && b.forwards(call.ForwardNoAnswer) {
			return
		}
		b.finish(ending{by: call.Callee, why: policy.NoAnswer, status: 480})
		return
	}
	if b.s.now >= u.turnAt {
		u.turnAt = transaction.Never
		b.nextTurn()
		return
	}
	if b.s.now >= u.silentAt {
		u.silentAt = transaction.Never
		b.abandonSilent()
	}
}

// sweep drops transactions that are over.
func (b *bridge) sweep() {
	for _, l := range b.all {
		for i := len(l.clients) - 1; i >= 0; i-- {
			if l.clients[i].State() == transaction.Terminated {
				l.drop(l.clients[i])
			}
		}
		for i := len(l.servers) - 1; i >= 0; i-- {
			if l.servers[i].State() == transaction.Terminated {
				l.dropServer(l.servers[i])
			}
		}
	}
}

// idle says that no transaction is left on any leg.
func (b *bridge) idle() bool {
	for _, l := range b.all {
		if len(l.clients) > 0 || len(l.servers) > 0 || !l.over() {
			return false
		}
	}
	return true
}

// keepFork gives the caller's leg the To tag of the early dialog that was answered: each early dialog had its own.
func (b *bridge) keepFork(f *fork) {
	b.a.local = strings.Replace(b.a.local, b.a.localTag, f.tag, 1)
	b.a.localTag = f.tag
}
