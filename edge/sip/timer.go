package sip

import (
	"strconv"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
)

// sessionTimer is what was agreed on a leg about proving that the peer is alive (RFC 4028). Each leg has its own.
// Instants are Never when nothing is to be done.
type sessionTimer struct {
	interval  time.Duration // 0: the peer knows no session timers
	ours      bool          // we refresh
	refreshAt time.Duration // when we do, or when we ping
	expireAt  time.Duration // when the peer is given up for not refreshing
	prove     bool          // after a restart: ping first, whatever was agreed
}

// tooBrief says whether a request asks for an interval below ours (section 9: 422).
func (e *Edge) tooBrief(m *message.Message) bool {
	secs, _, ok := m.SessionExpires()
	return ok && time.Duration(secs)*time.Second < e.o.MinSession && m.HasToken(message.HSupported, "timer")
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

func (e *Edge) minSELine() []byte { return []byte("Min-SE: " + seconds(e.o.MinSession) + "\r\n") }

// offerTimer is what our first INVITE says.
func (e *Edge) offerTimer() string {
	return "Session-Expires: " + seconds(e.o.SessionTime) + "\r\nMin-SE: " + seconds(e.o.MinSession) + "\r\n"
}

// agreeAsServer settles the timer for a 2xx to their request and returns its header lines (section 9). Who knows timers
// refreshes, unless it wants us to.
func (l *leg) agreeAsServer(asks timerWish) []byte {
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
	who := "uac"
	if t.ours {
		who = "uas"
	}
	return []byte("Session-Expires: " + seconds(t.interval) + ";refresher=" + who + "\r\nRequire: timer\r\n")
}

// timerWish is what a request says about session timers, kept until it is answered.
type timerWish struct {
	supported bool
	interval  time.Duration
	least     time.Duration // its Min-SE
	refresher string
}

func wishOf(m *message.Message) timerWish {
	w := timerWish{supported: m.HasToken(message.HSupported, "timer")}
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
	interval := max(time.Duration(secs)*time.Second, l.b.s.e.o.MinSession)
	l.restartTimer(sessionTimer{interval: interval, ours: string(who) != "uas"})
}

// restartTimer begins the interval anew.
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

// watchEvery is how often the ends of a call that another node had are asked whether they are there: they may have said
// goodbye to that node. It is less than a slice of talk.
const watchEvery = 30 * time.Second

// due is when the timer of an answered leg wants to be looked at.
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
	var lines []byte
	if l.timer.interval > 0 {
		lines = []byte("Session-Expires: " + seconds(l.timer.interval) + ";refresher=uac\r\n")
	}
	switch {
	case l.moved && l.updates: // a refresh says where we are now
		l.moved = false
		l.send(request{method: message.UPDATE, why: forRefresh, lines: lines})
	case l.moved && len(l.sdp) > 0:
		l.moved = false
		l.send(request{method: message.INVITE, why: forRefresh, lines: lines, ctype: l.sdpType, body: l.sdp})
	case l.timer.interval == 0 || l.timer.prove || l.watched && !l.timer.ours:
		l.timer.prove = false
		l.send(request{method: message.OPTIONS, why: forPing})
	case l.updates:
		l.send(request{method: message.UPDATE, why: forRefresh, lines: lines})
	case len(l.sdp) > 0:
		l.send(request{method: message.INVITE, why: forRefresh, lines: lines, ctype: l.sdpType, body: l.sdp})
	default: // nothing to refresh with: at least see that it is there
		l.send(request{method: message.OPTIONS, why: forPing})
	}
}

// refreshed takes the answer to a refresh or ping. 481 and silence mean that the peer has no such call any more.
func (l *leg) refreshed(c *client, m *message.Message, status int) {
	s := l.b.s
	if status >= 200 && status < 300 {
		l.isThere()
	}
	switch {
	case status < 200 && c.method == message.INVITE:
		c.Limit(s.now, &s.e.o.Timers)
	case status < 200:
	case status == 408 || status == 481 || status == 503 && m == nil:
		if status == 481 {
			l.overAt = s.wall // the BYE that follows tells the peer nothing new
		}
		l.b.finish(ending{by: call.System, why: policy.PeerGone})
	case status < 300 && c.why == forRefresh:
		if c.method == message.INVITE {
			l.retarget(m)
			l.sendAck(c.seq, "", nil)
		}
		l.agreeAsClient(m)
	case status == 422 && m != nil:
		if least, ok := m.MinSE(); ok {
			l.timer.interval = max(l.timer.interval, time.Duration(min(least, 86400))*time.Second)
		}
		l.timer.refreshAt = s.now + time.Second
	case status == 491:
		l.timer.refreshAt = s.now + 2*time.Second + time.Duration(s.random.Uint64()%2000)*time.Millisecond
	default: // it answered, so it is alive
		l.restartTimer(l.timer)
	}
}
