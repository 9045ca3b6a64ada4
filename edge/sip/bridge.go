package sip

import (
	"slices"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/flow/gate"
)

// bridgeState is how far a call has come.
type bridgeState uint8

const (
	asking    bridgeState = iota // the gate is asked
	calling                      // ways out are tried
	answering                    // a callee answered; the gate makes it durable
	talking
	over // hung up; only repeats of the last packets are still answered
)

// bridge joins the caller's leg to the callee's: one call. It belongs to its shard.
type bridge struct {
	s       *shard
	state   bridgeState
	busy    bool          // a question to the gate is open
	told    bool          // the gate knows the end, or never knew the call
	priceAt time.Duration // when the gate is told that nobody charges for what is left; 0: that is not known
	priced  bool          // the gate knows that nobody charges for what is left of it
	clear   bool          // the gate knows that every leg is over, or never knew the call
	joined  bool          // the caller was sent the answer
	gone    bool          // the shard has forgotten it
	at      time.Duration
	slot    int // in the shard's timers, from 1; 0 is not there

	id   call.ID // "" until admitted
	a    *leg
	all  []*leg // a, then every leg that was tried
	peer *leg   // the one that answered

	forks []*fork // the early dialogs of the caller; until its ACK the one that was answered

	// While being set up; nil once talking.
	setup *setup

	seat  seat   // which calls it counts with; belongs to Edge.seats
	proof *proof // inbound: whether the carrier stands by it; nil: it need not

	end ending // over: what the gate is told
	// endedAt is when, also of a call that a previous process was ending; the gate bills until then.
	endedAt time.Time
	// lingers is how long a call of a previous process waits for the answer to an INVITE that nobody remembers.
	lingers time.Duration
}

// setup is what is needed until a call is answered.
type setup struct {
	plan     *gate.Plan
	offer    content // the caller's body
	location []byte  // where the caller is, as header lines
	hops     int     // Max-Forwards of our INVITEs
	from     caller
	wish     timerWish
	way      int           // index of the way being tried
	carrier  bool          // it is a trunk
	address  int           // index of the address of its trunk
	tryingAt time.Duration // when a 100 goes out
	silentAt time.Duration // when a way that said nothing is given up
	ringAt   time.Duration // when ringing ends
	queueAt  time.Duration // when it ends although the far end says that the caller is queued
	keepAt   time.Duration // when what a restart needs to end the call is kept
	failed   *ending       // the best of the refusals so far
	requires bool          // the caller requires reliable provisional answers
	tried    int64
	answer   content // the callee's body
}

// forget removes a call of which nothing is left to be said.
func (s *shard) forget(b *bridge) {
	if b.gone {
		return
	}
	b.gone = true
	s.timers.remove(b)
	delete(s.byID, b.id)
	if s.uas[b.a.callID] == b.a {
		delete(s.uas, b.a.callID)
	}
	for _, l := range b.outs() {
		if s.uac[l.callID] == l {
			delete(s.uac, l.callID)
		}
	}
	for _, l := range b.all {
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

// finish ends the call: each leg is hung up as its state asks for, and the gate is told. Only the first end counts.
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
	b.state, b.end = over, end
	if b.endedAt.IsZero() {
		b.endedAt = b.s.wall
	}
	b.setup, b.forks = nil, nil
	b.leave()
	b.s.kept.Add(1)
	for _, l := range b.all {
		l.hangup(&end)
		l.giveUpChanges()
		l.session, l.owed = content{}, content{} // a call that is over is kept half a minute more, for repeats only
	}
	b.tell()
	if slices.ContainsFunc(b.outs(), func(l *leg) bool { return l.revived || l.ringing() || !b.joined && !l.answeredAt.IsZero() }) {
		b.remember() // cancelled, answered and hung up before the caller heard of it, or in doubt: that must outlive the process
	}
}

// giveUpChanges ends what was asked inside the dialog and not answered yet: the call is over.
func (l *leg) giveUpChanges() {
	s := l.b.s
	for _, t := range l.servers {
		switch {
		case t.head == nil:
		case t.method == message.BYE || t.method == message.CANCEL: // the call is over, for whatever reason
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

// tell reports the end to the gate, once. A call that is still being admitted is told of when it was.
func (b *bridge) tell() {
	if b.told || b.id == "" {
		return
	}
	b.told = true
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

// tellOver reports to the gate, once, that every leg of a call that ended is over: confirmed, or timed out.
func (b *bridge) tellOver() {
	if b.state != over || b.clear || !b.told || b.busy || b.id == "" || b.lingers > b.s.now {
		return
	}
	if !b.legsOver() {
		return
	}
	b.clear = true
	b.s.e.door.Notify(b.id, gate.Over(b.report()))
}

// tellPriced reports to the gate, once, that nobody charges for what is left of a call that ended: a phone has yet to confirm. As a rule it
// does so at once, and then all of the call is over.
func (b *bridge) tellPriced() {
	if b.state != over || b.priced || b.clear || !b.told || b.busy || b.id == "" || b.lingers > b.s.now {
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

// priceAfter is how long phones are waited for before the record of their call is shown without them.
const priceAfter = 50 * time.Millisecond

// free says that whatever becomes of the leg of a call that ended, nobody charges for it: it is the phone's that called, or of
// one that was hung up and can answer no more.
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

// legsOver says that nothing of any leg can be up any more.
func (b *bridge) legsOver() bool {
	for _, l := range b.all {
		if !l.over() {
			return false
		}
	}
	return true
}

// report is what the gate must know of the legs: those that were answered, and those that would not end.
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
		g.Beyond = max(l.overAt.Sub(l.byeAt), 0) + l.answerAge
	}
	return g
}

// cut obeys the gate. A call that is not known yet is remembered while questions to the gate are open.
func (s *shard) cut(id call.ID, why policy.Reason, f policy.Figures) {
	b := s.byID[id]
	if b == nil {
		if s.asking > 0 && len(s.early) < maxEarly {
			s.early[id] = earlyCut{why, f}
		}
		return
	}
	if s.e.pulse.age(s.wall) > 0 {
		return // a party's own end may wait to be read, and comes first; the gate says so again
	}
	s.cur = b
	b.finish(ending{by: call.System, why: why, f: f})
}

// maxEarly bounds the cuts that wait for their call to be known.
const maxEarly = 4096

// giveUpSetups ends every call that is not answered, but for emergency calls: the program stops. Those that the gate is
// being asked about end when it has answered.
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

// deadline is when the call wants to be looked at.
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
		at = min(at, b.dueForks(), u.tryingAt, u.silentAt, u.ringAt, u.keepAt, b.proof.due())
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
				c.silentPhone()
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

// unacknowledged is an answered INVITE whose ACK never came: both ends are hung up (RFC 3261 13.3.1.4).
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

// tickSetup sends the 100, and gives up ways that say nothing or ring too long.
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
		b.finish(ending{by: call.Callee, why: policy.NoAnswer, status: 480})
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

// keepFork makes the caller's dialog the one of the leg that answered: each early dialog had a tag of its own.
func (b *bridge) keepFork(f *fork) {
	b.a.local = strings.Replace(b.a.local, b.a.localTag, f.tag, 1)
	b.a.localTag = f.tag
}
