package sip

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
)

// legRecord is what of a leg must outlive the process.
type legRecord struct {
	CallID    string         `json:"id"`
	LocalTag  string         `json:"lt"`
	RemoteTag string         `json:"rt"`
	Local     string         `json:"l"`
	Remote    string         `json:"r"`
	Target    string         `json:"t"`
	Routes    []string       `json:"rs,omitempty"`
	Addr      netip.AddrPort `json:"a"`
	TCP       bool           `json:"tcp,omitempty"`
	Proto     string         `json:"pr,omitempty"` // TLS or WSS, in small letters
	Name      string         `json:"nm,omitempty"` // as transport.Dest.Name
	Link      bool           `json:"k,omitempty"`  // to another call of this edge
	Listener  netip.AddrPort `json:"at,omitzero"`  // our listener that it is reached from; zero: any
	LocalSeq  uint32         `json:"ls"`
	RemoteSeq uint32         `json:"rq"`
	UAS       bool           `json:"uas,omitempty"`
	Trunk     string         `json:"tr,omitempty"`
	Line      string         `json:"li,omitempty"`
	Login     string         `json:"lg,omitempty"`
	Help      bool           `json:"h,omitempty"`  // an emergency call,
	HelpLine  string         `json:"hl,omitempty"` // of this line; the call is held to none
	Hidden    bool           `json:"hd,omitempty"`
	Updates   bool           `json:"up,omitempty"`
	SDP       []byte         `json:"s,omitempty"` // the session in force, as the peer was sent it
	SDPType   string         `json:"st,omitempty"`
	SDPAbout  []byte         `json:"sa,omitempty"`
	Interval  int64          `json:"se,omitempty"` // of the session timer, seconds
	Ours      bool           `json:"ro,omitempty"` // we refresh
	Early     bool           `json:"e,omitempty"`  // not answered yet
	Invite    []byte         `json:"i,omitempty"`  // our INVITE, to cancel it
	Branch    uint64         `json:"b,omitempty"`  // and its branch
	Seq       uint32         `json:"q,omitempty"`  // and its number
	Rang      *call.Anchor   `json:"ra,omitempty"` // not answered then
	Unsure    bool           `json:"un,omitempty"` // as leg.unsure
	Joined    bool           `json:"j,omitempty"`  // the leg that the caller was joined with
	Answered  *call.Anchor   `json:"an,omitempty"` // when its 200 came
	Bye       *call.Anchor   `json:"by,omitempty"` // when its first BYE was sent or came
	Over      *call.Anchor   `json:"ov,omitempty"` // when it was known to be over: nothing more is to be done
	Refused   int            `json:"rf,omitempty"` // as leg.refused
	Ended     *call.Anchor   `json:"en,omitempty"` // the caller's: when the call ended
}

// snapshot is both dialogs of an answered call, the caller's first; of one that is being set up, the caller's leg and every
// dialog of the routes that are being tried.
func (b *bridge) snapshot() []byte {
	legs := []legRecord{b.a.record()}
	legs[0].HelpLine, legs[0].Help = b.isHelp()
	legs[0].Ended = b.s.e.anchorOf(b.endedAt)
	for _, l := range b.outs() {
		if l == b.peer || !l.answeredAt.IsZero() || l.ringing() || l.mayAnswer() || l.unsure {
			legs = append(legs, l.record())
		}
	}
	out, err := json.Marshal(legs)
	if err != nil {
		panic(err) // plain text and numbers: cannot fail
	}
	return out
}

// ringing says that the leg's INVITE may still be answered.
func (l *leg) ringing() bool {
	return l.answeredAt.IsZero() && l.asked != nil && l.asked.State() < transaction.Completed
}

// mayAnswer says that the leg is an early dialog beside that of an INVITE which may still be answered in either.
func (l *leg) mayAnswer() bool {
	c := l.inviteOf()
	return l.asked == nil && l.remoteTag != "" && l.answeredAt.IsZero() && c != nil && c.State() < transaction.Completed
}

// anchorOf fixes an instant of this process on clocks that outlive it.
func (e *Edge) anchorOf(t time.Time) *call.Anchor { return e.o.Anchor().Of(t, time.Now()) }

// instantOf is an instant that a previous process fixed.
func (e *Edge) instantOf(a *call.Anchor) time.Time { return e.o.Anchor().Instant(a, time.Now()) }

func (l *leg) record() legRecord {
	r := legRecord{
		CallID: l.callID, LocalTag: l.localTag, RemoteTag: l.remoteTag, Local: l.local, Remote: l.remote, Target: l.target,
		Routes: l.routes, Addr: l.dest.Addr, TCP: l.dest.Proto != transport.UDP && l.dest.Proto != link, Link: l.dest.Proto == link, Proto: protoIn(l.dest), Name: l.dest.Name, LocalSeq: l.localSeq, RemoteSeq: l.remoteSeq,
		UAS: l.uas, Trunk: l.trunk, Line: l.line, Login: l.login, Hidden: l.hidden, Updates: l.updates, SDP: l.session.body, SDPType: l.session.ctype, SDPAbout: l.session.about,
		Interval: int64(l.timer.interval / time.Second), Ours: l.timer.ours,
	}
	e := l.b.s.e
	r.Listener = e.net.Bound(l.dest)
	r.Early = l.b.peer == nil && l.uas && l.state != up && l.b.state != over || !l.uas && l.mayAnswer()
	if !l.uas && l.ringing() {
		r.Invite, r.Branch, r.Seq = l.asked.req, l.asked.branch, l.asked.seq
	}
	r.Joined = l == l.b.peer // the snapshot of an answer is stored before the caller hears it, or not at all
	r.Answered, r.Bye, r.Refused = e.anchorOf(l.answeredAt), e.anchorOf(l.byeAt), l.refused
	if r.Unsure = l.unsure && l.answeredAt.IsZero(); r.Unsure || r.Early || r.Invite != nil {
		r.Rang = e.anchorOf(l.unansweredAt)
	}
	if l.state == closed && (l.over() || !l.overAt.IsZero()) && r.Invite == nil && !r.Early {
		r.Over = e.anchorOf(l.overAt)
		if r.Over == nil {
			r.Over = e.anchorOf(l.b.s.wall) // it was never up
		}
	}
	return r
}

// storedLegs is what stored dialogs say of the legs that were answered.
func (e *Edge) storedLegs(snapshot []byte) (all []gate.Leg) {
	var legs []legRecord
	if json.Unmarshal(snapshot, &legs) != nil {
		return nil // of a version that stored something else
	}
	for i := range legs {
		r := &legs[i]
		if i == 0 || r.Answered == nil && !r.Joined {
			continue
		}
		g := gate.Leg{
			Trunk: r.Trunk, CallID: r.CallID, Tag: r.RemoteTag, Answered: e.instantOf(r.Answered), Joined: r.Joined,
			OverAt: e.instantOf(r.Over), Refused: r.Refused,
		}
		if bye := e.instantOf(r.Bye); !bye.IsZero() && !g.Answered.IsZero() {
			g.Talk = max(bye.Sub(g.Answered), 0)
			if !g.OverAt.IsZero() {
				g.Beyond = max(g.OverAt.Sub(bye), 0)
			}
		}
		all = append(all, g)
	}
	return all
}

// seqJump goes over the numbers that requests after the last snapshot may have used.
const seqJump = 1000

// When both ends are asked after a restart whether they are still there, spread over time by the number of calls. A phone whose
// connection ended with the old process is given time to open a new one.
const (
	proveAlive  = 500 * time.Millisecond
	proveTCP    = time.Minute
	proveEach   = time.Millisecond
	proveSpread = 10 * time.Second // at most
)

// proveAt is when a leg is asked; calls is how many were restored.
func (s *shard) proveAt(d transport.Dest, calls int) time.Duration {
	wait := proveAlive
	if d.Proto != transport.UDP && d.Proto != link {
		wait = proveTCP
	}
	spread := min(time.Duration(calls)*proveEach, proveSpread)
	return s.now + wait + time.Duration(s.random.Uint64()%uint64(spread))
}

// restore takes over the calls of the previous process, or of a node that died. Those that are up continue; of the others
// every leg is ended, and the gate is notified when that is confirmed.
func (e *Edge) restore(calls []gate.Recovered) {
	for _, r := range calls {
		var legs []legRecord
		if err := json.Unmarshal(r.Snapshot, &legs); err != nil && len(r.Snapshot) > 0 {
			e.log.Error("the dialogs of a call cannot be read; the call is ended in the books only", "call", r.ID, "err", err)
			legs = nil
		}
		peer := joinedIn(legs, r.State)
		if r.State == call.Answered && peer == 0 {
			e.door.Notify(r.ID, gate.End{By: call.System, Reason: policy.Fault, Status: 200, At: time.Now()})
			e.door.Notify(r.ID, gate.Over(nil))
			continue
		}
		if len(legs) == 0 {
			legs = []legRecord{{CallID: r.ALeg}} // its shard is where an answer would come
		}
		s := e.shardOf([]byte(legs[0].CallID))
		if legs[0].Link {
			_, own := linkEnds(legs[0].Addr)
			s = e.shards[own%uint32(len(e.shards))]
		}
		s.post(func() { s.takeBack(&r, legs, peer, len(calls)) })
	}
}

// joinedIn is which leg the caller was joined with, 0 for none. Earlier versions kept both legs of answered calls, and no others.
func joinedIn(legs []legRecord, state call.State) int {
	for i := range legs {
		if legs[i].Joined {
			return i
		}
	}
	if state == call.Answered && len(legs) == 2 && legs[0].CallID != "" && legs[1].CallID != "" && legs[1].Invite == nil {
		return 1
	}
	return 0
}

// takeBack restores a call in this shard. peer is the index of the leg that the caller was joined with, 0 for none; calls is how many
// were restored.
func (s *shard) takeBack(r *gate.Recovered, legs []legRecord, peer, calls int) {
	if s.byID[r.ID] != nil {
		return
	}
	b := &bridge{s: s, id: r.ID, state: calling}
	s.cur = b
	b.a = legs[0].leg(b, calls)
	b.all = []*leg{b.a}
	for i := range legs[1:] {
		b.all = append(b.all, legs[1+i].leg(b, calls))
	}
	s.byID[b.id] = b
	for _, l := range b.all {
		if l.uas || l == b.a && l.dest.Proto != link {
			s.uas[l.callID] = l
		} else if s.uac[l.callID] == nil { // the first under a Call-ID is what was called, the others its forks
			s.uac[l.callID] = l
		}
	}
	for _, l := range b.all {
		l.moved, l.watched = r.Moved, r.Moved
	}
	s.e.calls.Add(1)
	b.sitDown(&legs[0])
	if peer > 0 {
		b.state, b.joined, b.peer = talking, true, b.all[peer]
	}
	if r.State == call.Answered {
		for i, l := range b.all {
			if i > 0 && i != peer { // it rang or was answered beside the call, and was being hung up
				l.hangup(&ending{status: 487, lines: elsewhere})
			}
		}
		if b.a.state == closed || b.peer.state == closed { // its phone had hung up, and what it transferred the other party to was not answered
			b.finish(ending{by: call.System, why: policy.PeerGone})
		}
		b.remember() // sequence numbers continue from here, also after another restart
		return
	}
	b.reported = true // the books have how it ended: its remaining legs are ended now
	b.endedAt = cmp.Or(s.e.instantOf(legs[0].Ended), s.wall)
	if peer == 0 {
		b.lingers = s.now + s.lingerFor(b, r, len(legs) > 1)
	}
	b.finish(ending{by: call.System, why: r.Why})
	b.remember()
}

// lingerFor is how long an answer to an INVITE of a previous process may still come. Legs that are known are
// cancelled, and have confirmed or timed out by then; a leg that was tried at the last moment is known only by its answer.
func (s *shard) lingerFor(b *bridge, r *gate.Recovered, known bool) time.Duration {
	patience := s.patience(b.endedAt)
	if known {
		return patience
	}
	return max(s.e.o.RingTimeout+s.e.o.Timers.Patience()-max(s.wall.Sub(r.Begun), 0), patience)
}

// patience is how much longer an end is waited for that began at an instant. A new process does not start the time again, or a call that is taken over
// again and again would never be over; a quarter of the time lets its own packets come through.
func (s *shard) patience(began time.Time) time.Duration {
	whole := s.e.o.Timers.Patience()
	if began.IsZero() {
		return whole
	}
	return max(whole-max(s.wall.Sub(began), 0), whole/4)
}

// forget removes calls that another node has, and sends nothing.
func (e *Edge) forget(ids []call.ID) {
	e.each(func(s *shard) {
		for _, id := range ids {
			if b := s.byID[id]; b != nil {
				b.reported, b.clear = true, true
				s.abandon(b)
			}
		}
	})
}

// audit compares the calls of the shards with those of the gate: it returns the calls of the gate that have no leg here, and hangs up
// those that the gate does not know.
func (e *Edge) audit(calls []call.ID, known func(call.ID) bool) (missing []call.ID) {
	found := make(chan map[call.ID]bool, len(e.shards))
	e.each(func(s *shard) { found <- s.audit(known) })
	here := map[call.ID]bool{}
	for range e.shards {
		select {
		case some := <-found:
			for id := range some {
				here[id] = true
			}
		case <-e.ctx.Done():
			return nil
		}
	}
	for _, id := range calls {
		if !here[id] {
			missing = append(missing, id)
		}
	}
	return missing
}

func (s *shard) audit(known func(call.ID) bool) map[call.ID]bool {
	here := make(map[call.ID]bool, len(s.byID))
	for id, b := range s.byID {
		if b.clear {
			continue
		}
		here[id] = true
		if !known(id) && !b.busy && b.state != over {
			s.e.stats.unbooked.Add(1)
			s.e.log.Error("a call that was not in the books was hung up", "call", id)
			s.cur = b
			b.finish(ending{by: call.System, why: policy.Fault})
			s.settle(b)
		}
	}
	s.cur = nil
	return here
}

func (r *legRecord) leg(b *bridge, calls int) *leg {
	d := transport.Dest{Addr: r.Addr, Proto: transport.UDP}
	switch {
	case r.Proto != "":
		d.Proto, d.Name = transport.ProtoOf(r.Proto), r.Name
	case r.Link:
		d.Proto = link
	case r.TCP:
		d.Proto = transport.TCP
	default:
		d.Flow = b.s.e.net.FlowAt(r.Listener)
	}
	l := &leg{
		b: b, callID: r.CallID, localTag: r.LocalTag, remoteTag: r.RemoteTag, local: r.Local, remote: r.Remote,
		target: r.Target, routes: r.Routes, dest: d, localSeq: r.LocalSeq + seqJump, remoteSeq: r.RemoteSeq, uas: r.UAS,
		trunk: r.Trunk, line: r.Line, login: cmp.Or(r.Login, r.Line), hidden: r.Hidden, updates: r.Updates, state: up, revived: true, acked: true, session: content{ctype: r.SDPType, about: r.SDPAbout, body: r.SDP},
		// Whatever was agreed, ask soon: a peer that is gone, or never received the answer, says so (481).
		timer: sessionTimer{
			interval: time.Duration(r.Interval) * time.Second, ours: r.Ours, prove: true,
			refreshAt: b.s.proveAt(d, calls), expireAt: transaction.Never,
		},
	}
	e := b.s.e
	l.answeredAt, l.byeAt, l.overAt, l.refused = e.instantOf(r.Answered), e.instantOf(r.Bye), e.instantOf(r.Over), r.Refused
	l.unansweredAt, l.unsure = e.instantOf(r.Rang), r.Unsure
	switch {
	case r.Invite != nil:
		l.cancelOf(r)
	case r.Over != nil:
		l.state = closed
	case r.Early || r.RemoteTag == "":
		l.state, l.revived = closed, false // the caller's leg before an answer, to which nothing more is sent, or a callee's early dialog
	}
	if l.trunk != "" && !l.uas && l.state != closed {
		l.counted = true
		e.outs.enter(l.trunk)
	}
	return l
}

// cancelOf makes the leg one whose INVITE is under way, so that it can be cancelled and its answer taken.
func (l *leg) cancelOf(r *legRecord) {
	s := l.b.s
	l.state, l.acked, l.revived = early, false, false
	c := &client{leg: l, method: message.INVITE, why: forInvite, seq: r.Seq, branch: r.Branch, to: s.sentTo(l.dest, r.Invite), req: r.Invite, said: l.session, before: true}
	c.Client = transaction.NewClient(true, true, s.now, &s.e.o.Timers)
	c.Response(180, s.now, &s.e.o.Timers) // it rang, or is treated as if it had: a CANCEL does no harm
	l.clients, l.asked = append(l.clients, c), c
}
