package sip

import (
	"strconv"
	"strings"

	"ringfence/edge/sip/message"
)

// Events (RFC 6665). We send notices of one alone, the progress of a transfer, and only a REFER begins that. There are none of presence, dialogs or
// waiting messages, and we ask for none. A refusal says so before anybody has logged in: it would be the same for all.

// eventLines name the events of which we send notices, as a 489 must (RFC 6665 section 8.3.2).
var eventLines = []byte("Allow-Events: refer\r\n")

// referExpires is the longest time, in seconds, for which a phone is told how its transfer goes.
const referExpires = 120

// eventOf reads Event: its package, and its id, "" when it has none.
func eventOf(m *message.Message) (name, id string) {
	name, params, _ := strings.Cut(string(m.Get(message.HEvent)), ";")
	for p := range strings.SplitSeq(params, ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(key, "id") {
			id = value
		}
	}
	return strings.TrimSpace(name), id
}

// refusedEvent is the answer to a SUBSCRIBE that is of no transfer, and to every NOTIFY. A subscription to a transfer cannot begin with SUBSCRIBE (RFC 3515
// section 3), and a NOTIFY is of no subscription of ours (RFC 6665 section 4.1.3).
func refusedEvent(m *message.Message) (code int, lines []byte) {
	name, _ := eventOf(m)
	switch {
	case name != "refer":
		return 489, eventLines
	case m.Method() == message.NOTIFY, m.To().Tag() != nil:
		return 481, nil
	}
	return 403, nil
}

// subscribe prolongs or ends the notices of a transfer that is under way (RFC 6665 section 4.1.2): the next one says how it stands.
func (l *leg) subscribe(t *server, m *message.Message) {
	s, x := l.b.s, l.b.transfer
	name, id := eventOf(m)
	if x == nil || x.from != l || x.mute || name != "refer" || id != x.id && (id != "" || strings.Contains(x.event, ";id=")) {
		code, lines := refusedEvent(m)
		s.respond(t, reply{code: code, lines: lines})
		return
	}
	expires, given := m.Expires()
	if !given {
		expires = referExpires
	}
	expires = min(expires, referExpires)
	s.respond(t, reply{code: 200, contact: true, lines: []byte("Expires: " + strconv.Itoa(int(expires)) + "\r\n")})
	if expires > 0 {
		x.tell("active;expires="+strconv.Itoa(int(expires)), nil)
		return
	}
	x.tell("terminated;reason=timeout", nil)
	x.mute = true
}

// tell sends a notice: the status that the phone was last told, as a message fragment (RFC 3515 section 2.4.5).
func (x *transfer) tell(state string, m *message.Message) {
	if x.mute || x.from.state != up {
		return
	}
	l := x.from
	var w message.Writer
	w.Begin(nil)
	w.Status(x.status, "")
	if m != nil {
		w.Lines(l.b.passReason(m))
	}
	lines := []byte("Event: " + x.event + "\r\nSubscription-State: " + state + "\r\n")
	l.send(request{method: message.NOTIFY, why: forNotify, lines: lines, content: content{ctype: "message/sipfrag;version=2.0", body: w.Bytes()}})
}
