package sip

import (
	"bytes"
	"strings"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
)

// An INVITE with Replaces (RFC 3891) takes the place of a phone in a call: of the line's own, from another of its phones, or of one that was called, by another line of its
// customer, also while it still rings. The INVITE is a call to that line, which the gate judges as any: a phone that may not call the line cannot take its calls. A link
// then takes the place of the phone in the other call, which stays as it is, with who pays for it. A carrier replaces nothing.

// replaced names a dialog as its other party knows it (RFC 3891 section 3).
type replaced struct {
	callID, to, from string
	early            bool // only while it is not answered
}

// readReplaces reads the value of Replaces.
func readReplaces(text string) *replaced {
	r := &replaced{}
	for i, part := range strings.Split(text, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case i == 0:
			r.callID = strings.TrimSpace(part)
		case strings.EqualFold(name, "to-tag"):
			r.to = value
		case strings.EqualFold(name, "from-tag"):
			r.from = value
		case strings.EqualFold(name, "early-only"):
			r.early = true
		}
	}
	return r
}

// replacesIn reads the Replaces of an INVITE, nil if there is none. False: it cannot be read, or there are several.
func replacesIn(m *message.Message) (r *replaced, ok bool) {
	for v := range m.All(message.HReplaces) {
		if r != nil {
			return r, false
		}
		if r = readReplaces(string(v)); r.callID == "" || r.to == "" || r.from == "" {
			return r, false
		}
	}
	return r, true
}

// unfitReplaces is the answer to an INVITE that cannot replace anything, regardless of what it names; 0: it may.
func unfitReplaces(r *replaced, ok bool, m *message.Message, trunk string) int {
	switch {
	case r == nil:
		return 0
	case !ok:
		return 400
	case trunk != "": // as for a call that is not there: an outsider learns nothing
		return 481
	case contentOf(m).session().empty(): // the session of the other party has to be met with one
		return 488
	}
	return 0
}

// claim is who asks for the place of a phone in a call.
type claim struct {
	replaced
	line string  // whose phone is to be replaced
	own  bool    // the line itself asks
	by   *bridge // in this call
	ring bool    // also while the phone still rings
}

// joint is what one end of a link knows of the other, when it begins between two calls that exist.
type joint struct {
	callID, tag string
	home        uint32
	session     content
}

func (b *bridge) newJoint(session content) joint {
	s := b.s
	return joint{callID: s.newCallID(b.home(), b.id), tag: hex64(s.random.Uint64()), home: b.home(), session: session}
}

// joint makes the end of a link that begins between two calls.
func (b *bridge) joint(own, other *joint, took bool) *leg {
	s := b.s
	l := b.jointLeg(own, other, took)
	l.restartTimer(sessionTimer{})
	table := s.uac
	if took {
		table = s.uas
	}
	b.all, table[l.callID] = append(b.all, l), l
	return l
}

func (b *bridge) jointLeg(own, other *joint, took bool) *leg {
	end := uint16(tookInvite)
	if took {
		end = sentInvite
	}
	const uri = "sip:onward@ringfence.invalid"
	return &leg{
		b: b, callID: own.callID, localTag: own.tag, remoteTag: other.tag, local: "<" + uri + ">;tag=" + own.tag, remote: "<" + uri + ">;tag=" + other.tag, target: uri,
		dest: linkPlace(other.home, own.home, end), uas: took, state: up, acked: true, answeredAt: b.s.wall, session: own.session,
	}
}

// letGo hangs up the far end of a link that this call has no use for any more.
func (b *bridge) letGo(mine, theirs *joint) {
	gone := b.jointLeg(mine, theirs, false)
	gone.compose(&request{method: message.BYE, why: forBye}, 1, b.s.newBranch())
	b.s.e.send(gone.dest, b.s.room, 0)
}

// takePlace puts the end of a link in the place of a phone in another call. The phone is hung up.
func (s *shard) takePlace(c *claim, from *joint) (*joint, int) {
	l := s.legNamed(&c.replaced)
	if l == nil {
		return nil, 481
	}
	b := l.b
	_, help := b.isHelp()
	switch {
	case b == c.by || help || l.login != c.line || l.trunk != "" || b.transfer != nil, l == b.a && !c.own: // who pays for a call is replaced by its own line only
		return nil, 403
	case b.state == over || l.state == closed:
		return nil, 603
	case c.ring && b.state == calling && l.state == early && !l.uas:
		return b.takeRinging(from)
	case b.state != talking || l.state != up || !l.acked || l != b.a && l != b.peer:
		return nil, 481
	case c.early:
		return nil, 486
	case c.ring && streamsOf(l.session) != streamsOf(from.session):
		return nil, 488
	}
	s.cur = b
	own := b.newJoint(l.session.twoWay())
	own.callID = from.callID
	end := b.joint(&own, from, true)
	o := b.other(l)
	b.replace(l, end)
	if !from.session.empty() {
		o.owed, o.timer.refreshAt = from.session, s.now
	}
	l.bye(transferred)
	b.remember()
	return &own, 200
}

// legNamed is the leg of a dialog; nil: there is none.
func (s *shard) legNamed(r *replaced) *leg {
	for _, at := range []*leg{s.uas[r.callID], s.uac[r.callID]} {
		if at == nil {
			continue
		}
		for _, l := range at.b.all {
			if l.callID == r.callID && l.localTag == r.to && l.remoteTag == r.from {
				return l
			}
		}
	}
	return nil
}

// streamsOf counts the media of a session: an answer has as many as its offer (RFC 3264 section 6).
func streamsOf(c content) (n int) {
	for raw := range bytes.Lines(c.body) {
		if bytes.HasPrefix(raw, []byte("m=")) {
			n++
		}
	}
	return n
}

// takeRinging has a call that rings be answered by the end of a link: each party's offer is the other's answer.
func (b *bridge) takeRinging(from *joint) (*joint, int) {
	offer := b.setup.offer.session()
	if streamsOf(offer) == 0 || streamsOf(offer) != streamsOf(from.session) {
		return nil, 488
	}
	b.s.cur = b
	own := b.newJoint(offer.twoWay())
	own.callID = from.callID
	l := b.joint(&own, from, true)
	b.newFork(l)
	b.tried(l)
	b.takes(&client{leg: l, method: message.INVITE, why: forInvite, taken: true, said: offer}, from.session)
	return &own, 200
}

// takeOver goes on with a call that the gate has admitted, and that takes the place of the phone of the line that it calls.
func (b *bridge) takeOver(r *replaced) {
	s, e, p := b.s, b.s.e, b.setup.plan
	if p.Called == "" || !p.Own {
		b.finish(notTakenOver(403))
		return
	}
	mine, there := b.newJoint(b.setup.offer.session().twoWay()), e.shardOf([]byte(r.callID))
	c := &claim{replaced: *r, line: p.Called, own: p.Called == b.a.login, by: b, ring: true}
	e.toShard(there, func() {
		theirs, status := there.takePlace(c, &mine)
		e.toShard(s, func() { b.tookOver(&mine, theirs, status) })
	})
}

// tookOver is the answer to that: the phone is sent the session of the other party.
func (b *bridge) tookOver(mine, theirs *joint, status int) {
	b.s.cur = b
	switch {
	case b.state != calling:
		if status == 200 {
			b.letGo(mine, theirs)
		}
	case status != 200:
		b.finish(notTakenOver(status))
	default:
		l := b.joint(mine, theirs, false)
		b.newFork(l)
		b.tried(l)
		b.takes(&client{leg: l, method: message.INVITE, why: forInvite, taken: true, said: mine.session}, theirs.session)
	}
}

// notTakenOver is how a call ends that was to take the place of another.
func notTakenOver(status int) ending {
	return ending{by: call.System, why: policy.NotTakenOver, status: status}
}
