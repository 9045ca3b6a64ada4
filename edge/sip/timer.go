package sip

import (
	"strconv"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
)

const minSession = 90 * time.Second // Min-SE

// sessionTimer is what was agreed on a leg about proving that the peer is alive (RFC 4028). Each leg has its own.
// Instants are Never when nothing is to be done.
type sessionTimer struct {
	interval  time.Duration // 0: the peer knows no session timers
	ours      bool          // we refresh
	refreshAt time.Duration // when we do, or when we ping
	expireAt  time.Duration // when the call is ended because the peer has not refreshed
	prove     bool          // after a restart: ping first, whatever was agreed
}

// timerTooBrief says whether a request asks for an interval below ours (section 9: 422).
func timerTooBrief(m *message.Message) bool {
	secs, _, ok := m.SessionExpires()
	return ok && time.Duration(secs)*time.Second < minSession && m.HasToken(message.HSupported, "timer")
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

var minSELine = []byte("Min-SE: " + seconds(minSession) + "\r\n")

// offerTimer is what our first INVITE says.
func (e *Edge) offerTimer() string {
	return "Session-Expires: " + seconds(e.o.SessionTime) + "\r\nMin-SE: " + seconds(minSession) + "\r\n"
}

// agreeAsServer settles the timer for a 2xx to their request and returns its header lines (section 9). A peer that supports timers
// refreshes, unless it asks us to.
func (l *leg) agreeAsServer(asks timerPreference) []byte {
	e := l.b.s.e
	if !asks.supported {
		l.restartTimer(sessionTimer{})
		return nil
	}
	t := sessionTimer{interval: e.o.SessionTime, ours: asks.refresher == "uas"}
	if asks.interval > 0 {
		t.interval = min(asks.interval, max(e.o.SessionTime, asks.least))
	}
	l.restartTimer(t)
	return t.line("uas", "uac", "Require: timer\r\n")
}

// line says who refreshes: what we are in this transaction, or what they are; more lines come after it.
func (t *sessionTimer) line(we, they, more string) []byte {
	if t.ours {
		they = we
	}
	return []byte("Session-Expires: " + seconds(t.interval) + ";refresher=" + they + "\r\n" + more)
}

// timerPreference is what a request asks of session timers, kept until it is answered.
type timerPreference struct {
	supported bool
	interval  time.Duration
	least     time.Duration // its Min-SE
	refresher string
}

func preferenceOf(m *message.Message) timerPreference {
	w := timerPreference{supported: m.HasToken(message.HSupported, "timer")}
	if secs, who, ok := m.SessionExpires(); ok {
		w.interval = time.Duration(secs) * time.Second
		if string(who) == "uas" {
			w.refresher = "uas"
		}
	}
	if secs, ok := m.MinSE(); ok {
		w.least = time.Duration(secs) * time.Second
	}
	return w
}

// agreeAsClient takes what the 2xx to our INVITE or UPDATE says (section 7.2).
func (l *leg) agreeAsClient(m *message.Message) {
	secs, who, ok := m.SessionExpires()
	if !ok {
		l.restartTimer(sessionTimer{})
		return
	}
	interval := max(time.Duration(secs)*time.Second, minSession)
	l.restartTimer(sessionTimer{interval: interval, ours: string(who) != "uas"})
}

// restartTimer begins the interval again.
func (l *leg) restartTimer(t sessionTimer) {
	s := l.b.s
	t.prove = false
	t.refreshAt, t.expireAt = transaction.Never, transaction.Never
	switch {
	case t.interval == 0 && s.e.o.PingInterval > 0:
		t.refreshAt = s.now + s.e.o.PingInterval
	case t.interval == 0:
	case t.ours:
		t.refreshAt = s.now + t.interval/2
	default: // section 10: BYE this long before it runs out
		t.expireAt = s.now + t.interval - min(32*time.Second, t.interval/3)
	}
	if l.watched {
		t.refreshAt = min(t.refreshAt, s.now+watchEvery)
	}
	l.timer = t
}

// watchEvery is how often the ends of a call that another node had are asked whether they are there: their BYE may have gone
// to that node. It is shorter than a slice.
const watchEvery = 30 * time.Second

// due is when the timer of an answered leg has something to do.
func (l *leg) due() time.Duration {
	if l.state != up {
		return transaction.Never
	}
	return min(l.timer.refreshAt, l.timer.expireAt)
}

// tickTimer refreshes, pings, or gives the peer up.
func (l *leg) tickTimer() {
	s := l.b.s
	if l.state != up {
		return
	}
	if s.now >= l.timer.expireAt {
		l.b.finish(ending{by: call.System, why: policy.PeerGone})
		return
	}
	if s.now < l.timer.refreshAt {
		return
	}
	if ours, theirs := l.changingBeside(nil); ours || theirs || !l.acked || l.b.state != talking {
		l.timer.refreshAt = s.now + 2*time.Second
		return
	}
	l.timer.refreshAt = transaction.Never // until the answer
	if l.updates && l.timer.ours && !l.timer.prove && !l.moved && l.owed.empty() {
		l.send(request{method: message.UPDATE, why: forRefresh, lines: l.timerLines()})
		return
	}
	l.timer.prove, l.moved = false, false // the request carries our address, and asks
	l.confirm(forRefresh, nil)
}

// confirm asks the peer whether it has the call still, with a request that carries the session: many answer OPTIONS for a
// call that they do not have. asks is the request that it is sent for, nil: none.
func (l *leg) confirm(reason purpose, asks *server) {
	r := request{method: message.INVITE, why: reason, lines: l.timerLines(), content: l.session, asks: asks}
	if !l.owed.empty() {
		r.content = l.owed
	}
	switch {
	case l.updates:
		r.method = message.UPDATE
	case r.empty(): // nothing to ask with
		r = request{method: message.OPTIONS, why: reason, asks: asks}
	}
	l.send(r)
}

// unknownThere says that an answer inside a dialog means that there is nothing at the other end (RFC 5057 5.1), as 481 does.
func unknownThere(status int) bool { return status == 404 || status == 410 || status == 604 }

// maxMissed is how many OPTIONS in a row a peer that can be sent nothing else may leave unanswered.
const maxMissed = 3

// refreshed takes the answer to a refresh or ping. 481 and silence mean that the peer has no such call any more.
func (l *leg) refreshed(c *client, m *message.Message, status int) {
	s := l.b.s
	if status >= 200 && status < 300 {
		l.thereAt = c.begunAt
		l.isThere()
	}
	switch {
	case status < 200 && c.method == message.INVITE:
		c.Limit(s.now, &s.e.o.Timers)
	case status < 200:
	case c.method == message.OPTIONS && (status == 408 || m == nil) && l.missed < maxMissed-1: // many do not answer it
		l.missed++
		l.restartTimer(l.timer)
	case status == 408 || status == 481 || status == 503 && m == nil || c.method != message.OPTIONS && unknownThere(status):
		if m != nil && status != 408 {
			l.overAt = s.wall // the BYE that follows tells the peer nothing new
		}
		l.b.finish(ending{by: call.System, why: policy.PeerGone})
	case c.method == message.UPDATE && (status == 405 || status == 501) && !c.said.empty(): // that says nothing about the call
		l.updates, l.timer.refreshAt = false, s.now
	case c.method == message.OPTIONS:
		l.missed = 0
		l.restartTimer(l.timer)
	case status < 300:
		if c.method != message.OPTIONS {
			l.retarget(m)
		}
		if c.method == message.INVITE {
			l.sendAck(c.seq, content{})
		}
		l.agreeAsClient(m)
		l.refreshedWith(c, contentOf(m).session())
	case status == 422 && m != nil:
		if least, ok := m.MinSE(); ok {
			l.timer.interval = max(l.timer.interval, time.Duration(min(least, 86400))*time.Second)
		}
		l.timer.refreshAt = s.now + time.Second
	case status == 491:
		l.timer.refreshAt = s.now + 2*time.Second + time.Duration(s.random.Uint64()%2000)*time.Millisecond
	case l.b.ask != nil && !l.owed.empty() && status < 500: // it would talk to nobody
		l.b.finish(ending{by: call.System, why: policy.Incompatible, status: 488})
	default: // it answered, so it is alive; a session that it refuses is not asked for again
		if status < 500 || status >= 600 {
			l.owed = content{}
		}
		l.restartTimer(l.timer)
	}
}
