package sip

import (
	"bytes"
	"errors"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/core/restrict"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/voice"
	"ringfence/flow/gate"
)

// Some calls must be confirmed by a person before their routes are tried. The caller's leg is answered, because many phones send no keys and play
// nothing before that, and edge/voice asks. A call that is confirmed is connected then: its callee is offered what the caller has offered, and the
// caller is asked, inside its dialog, to talk to the callee (RFC 3725 has such flows). Nothing is charged before the callee answers. A line may want to be
// asked before the answer instead: then the voice has an early dialog of its own.

// question is what the caller of a call is asked, until it talks to the callee.
type question struct {
	by       int64 // the restriction that asks
	voice    *voice.Session
	early    bool          // it is asked before the answer
	open     bool          // it has not been answered
	offers   bool          // our 200 makes the offer: the caller made none
	until    time.Duration // when it is given up here, should the voice not have done so
	repeatAt time.Duration // when the early answer goes out again: nobody acknowledges it
	early183 content
}

const (
	askLimit  = time.Minute      // a question lasts no longer
	askGrace  = 10 * time.Second // after that it is given up
	voiceFork = 200              // number of the voice's early dialog: higher than those of callees
	sayAgain  = 500 * time.Millisecond
)

// asks puts the question, and says whether the call waits for an answer or has ended.
func (b *bridge) asks() bool {
	s, u, ask := b.s, b.setup, b.setup.plan.Ask
	if ask == nil {
		return false
	}
	offer := u.offer.session()
	q := &question{by: ask.By, open: true, offers: offer.empty(), until: s.now + askLimit + askGrace, repeatAt: transaction.Never}
	q.early = ask.Early && !u.requires && !q.offers
	here, _ := s.e.localAddr(b.a.dest)
	say := voice.Question{Press: s.keys(ask.Ask), Rate: ask.Rate, Connect: ask.Connect, Left: ask.Left, Limit: askLimit}
	session, sdp, err := s.e.o.Voice.Ask(offer.body, b.a.dest.Addr.Addr(), here.Addr(), say, func(r voice.Result) {
		s.post(func() {
			if b.ask == q {
				s.cur = b
				b.pressed(r)
			}
		})
	})
	if err != nil {
		b.unasked(ask, err)
		return true
	}
	q.voice, b.ask = session, q
	u.tryingAt, u.ringAt = transaction.Never, transaction.Never
	body := content{ctype: "application/sdp", body: sdp}
	if q.early {
		q.early183, q.repeatAt = body, s.now+sayAgain
		s.respond(b.a.invite, reply{code: 183, contact: true, fork: voiceFork, content: body})
		session.Begin()
		return true
	}
	b.answerForVoice(body)
	return true
}

// answerForVoice answers the caller's leg with the voice's session. It begins to speak when the caller has acknowledged that.
func (b *bridge) answerForVoice(sdp content) {
	b.a.session, b.a.reliable, b.setup.requires = sdp, false, false
	if b.ask.offers {
		b.a.invite.said = sdp
	}
	timer := b.a.agreeAsServer(b.setup.prefers)
	b.a.state = up
	b.a.invite.accepted = true
	b.s.respond(b.a.invite, reply{code: 200, contact: true, lines: timer, content: sdp})
	b.remember()
}

// unasked ends a call whose caller cannot be asked.
func (b *bridge) unasked(ask *gate.Confirm, err error) {
	f := policy.Figures{Limit: ask.By, Value: policy.UnaskedAudio}
	if errors.Is(err, voice.ErrFull) {
		f.Value = policy.UnaskedBusy
	}
	b.s.e.door.Notify(b.id, gate.Questioned{Pressed: gate.NoAudio})
	b.finish(ending{by: call.System, why: policy.QuestionUnasked, f: f})
}

// keys are what the caller is asked to press: one key that is always the same, or three digits that only a caller who hears them knows.
func (s *shard) keys(ask restrict.Ask) string {
	if ask == restrict.AskKey {
		return "1"
	}
	var digits [3]byte
	n := s.random.Uint64() % 1000
	for i := range digits {
		digits[i] = '0' + byte(n%10)
		n /= 10
	}
	return string(digits[:])
}

// asked says that the caller has an answer that the voice gave, and no callee has.
func (b *bridge) asked() bool { return b.a.uas && b.a.state == up && b.state < talking }

// acknowledged begins the question: the caller's phone is ready. m is its ACK.
func (q *question) acknowledged(b *bridge, m *message.Message) {
	if !q.open || q.early {
		return
	}
	if q.offers {
		answer := contentOf(m).session().kept()
		if q.voice.Answer(answer.body) != nil {
			b.unasked(b.setup.plan.Ask, voice.ErrCodec)
			return
		}
		b.setup.offer, q.offers = answer.twoWay(), false // the ACK of a later re-INVITE holds no answer
	}
	q.voice.Begin()
}

// pressed takes the result of the question. A call that is confirmed goes on.
func (b *bridge) pressed(r voice.Result) {
	q, s, u := b.ask, b.s, b.setup
	if !q.open || b.state != calling {
		return
	}
	q.open = false
	said := gate.Questioned{Pressed: gate.Silent, Wrong: r.Wrong, Hasty: r.Hasty}
	switch {
	case r.Outcome == voice.Passed:
		said.Pressed = gate.Passed
	case !r.Heard && r.Wrong == 0:
		said.Pressed = gate.NoAudio
	case r.Outcome == voice.Wrong:
		said.Pressed = gate.Wrong
	}
	s.e.door.Notify(b.id, said)
	if r.Outcome != voice.Passed {
		b.finish(ending{by: call.System, why: policy.QuestionFailed, f: policy.Figures{Limit: q.by, Value: int64(r.Wrong)}})
		return
	}
	u.ringAt, u.queueAt = s.now+s.e.o.RingTimeout, s.now+s.e.o.QueueTimeout
	if q.early {
		b.endQuestion()
	} else {
		q.voice.Ring()
	}
	b.connect()
}

// endQuestion lets the voice go.
func (b *bridge) endQuestion() {
	if b.ask != nil {
		b.ask.voice.Close()
		b.ask = nil
	}
}

// leavesQuestion is finish for the question: a caller who hangs up has heard the price, and leaves it at that.
func (b *bridge) leavesQuestion(end *ending) {
	if b.ask == nil {
		return
	}
	if b.ask.open {
		b.s.e.door.Notify(b.id, gate.Questioned{Pressed: gate.Left, Wrong: b.ask.voice.Wrong()})
	}
	if !b.joined && end.by == call.Caller && end.why == policy.Hangup {
		end.why, end.status = policy.Cancelled, 487 // nobody has answered it
	}
	b.endQuestion()
}

// dueQuestion is when tickQuestion has something to do.
func (b *bridge) dueQuestion() time.Duration {
	if b.ask == nil || !b.ask.open {
		return transaction.Never
	}
	return min(b.ask.until, b.ask.repeatAt)
}

func (b *bridge) tickQuestion() {
	q, s := b.ask, b.s
	if q == nil || !q.open {
		return
	}
	if s.now >= q.repeatAt {
		q.repeatAt = transaction.Never
		s.respond(b.a.invite, reply{code: 183, contact: true, fork: voiceFork, content: q.early183})
	}
	if s.now >= q.until {
		b.pressed(voice.Result{Outcome: voice.Silent, Heard: true})
	}
}

// ringsAsked takes a provisional answer of the callee: the caller has its final one, and hears the ringing tone of the voice.
func (b *bridge) ringsAsked(f *fork, r reply, ack *acknowledgement) {
	if said := r.session(); !said.empty() {
		f.session = said
	}
	if ack != nil {
		ack.send(f, content{}, nil)
	}
}

// callee is the session that the caller is to be offered: that of the callee's answer, or of its provisional answer.
func (b *bridge) callee(l *leg) content {
	if said := b.setup.answer.session(); !said.empty() {
		return said
	}
	if f := l.known(); f != nil {
		return f.session
	}
	return content{}
}

// joinsAsked joins a caller who was asked with the callee that has answered: it is offered the callee's session as soon as it can be.
func (b *bridge) joinsAsked(said content) {
	if said.empty() {
		b.finish(ending{by: call.System, why: policy.Incompatible, status: 488})
		return
	}
	b.a.owed, b.a.timer.refreshAt = said, b.s.now
}

// whileAsked takes a request of a caller who has an answer of the voice. No callee has heard of its dialog yet.
func (l *leg) whileAsked(t *server, m *message.Message) {
	b, s := l.b, l.b.s
	switch {
	case m.Method() == message.INFO:
		if key, ok := keyIn(m); ok && b.ask != nil {
			b.ask.voice.Press(key)
		}
		s.respond(t, reply{code: 200})
	case m.Method() == message.UPDATE && !t.offer:
		l.retarget(m)
		s.respond(t, reply{code: 200, contact: true, lines: l.agreeAsServer(t.prefers)})
	case !t.offer || b.ask == nil || b.state != calling || !l.acked:
		s.respond(t, reply{code: 491})
	default:
		offer := contentOf(m).session().kept()
		sdp, err := b.ask.voice.Reoffer(offer.body)
		if err != nil {
			s.respond(t, reply{code: 488})
			return
		}
		l.retarget(m)
		if b.ask.open {
			b.setup.offer = offer.twoWay()
		}
		l.session = content{ctype: "application/sdp", body: sdp}
		s.respond(t, reply{code: 200, contact: true, lines: l.agreeAsServer(t.prefers), content: l.session})
		b.remember()
	}
}

// keyIn reads a key that a phone sends by INFO: "Signal=5" of application/dtmf-relay, or the key alone of application/dtmf.
func keyIn(m *message.Message) (key byte, ok bool) {
	c := contentOf(m)
	kind, _ := c.kind()
	text := bytes.TrimSpace(c.body)
	switch kind {
	case "application/dtmf-relay":
		_, after, found := bytes.Cut(text, []byte("="))
		if line, _, _ := bytes.Cut(text, []byte("=")); !found || !bytes.EqualFold(bytes.TrimSpace(line), []byte("signal")) {
			return 0, false
		}
		text = bytes.TrimLeft(after, " \t")
	case "application/dtmf":
	default:
		return 0, false
	}
	if len(text) == 0 || len(text) > 1 && text[1] != '\r' && text[1] != '\n' && text[1] != ' ' {
		return 0, false
	}
	return text[0], bytes.IndexByte([]byte("0123456789*#"), text[0]) >= 0
}
