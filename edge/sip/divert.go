package sip

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/flow/gate"
)

// A call that a line of ours does not take goes on to where the line forwards it, or where its phone says (302). That is a call of the line, which pays
// for it: see link.go.

// beyondRing is how much longer a call waits for the one that sends it on than that may ring.
const beyondRing = 10 * time.Second

// forwards sends a call on as the settings of the line called say, and says whether they do.
func (b *bridge) forwards(cause call.Cause) bool {
	u := b.setup
	if u == nil || u.plan == nil {
		return false
	}
	to := u.plan.Forward.To(cause)
	return to != "" && b.sendOn(&sending{Attempt: gate.Attempt{Line: u.plan.Called, Dialled: to, Sent: gate.Sent{Cause: cause}}})
}

// redirects sends a call on to the best contact of a 302 of a phone of the line called, and says whether it does.
func (b *bridge) redirects(l *leg, m *message.Message, status int) bool {
	u := b.setup
	if m == nil || status < 300 || status > 399 || l.trunk != "" || l.login == "" || l.login != u.plan.Called {
		return false
	}
	to, context, ok := bestContact(m)
	if !ok {
		return false
	}
	return b.sendOn(&sending{Attempt: gate.Attempt{
		Line: l.login, Dialled: to, Context: context, Source: netip.AddrPortFrom(l.dest.Addr.Addr().Unmap(), l.dest.Addr.Port()),
		UserAgent: cleanText(string(m.Get(message.HServer)), 200), Sent: gate.Sent{Cause: call.Redirected},
	}})
}

// bestContact is the number in the Contact of a redirection that has the highest q; of several the first. One is enough: each further one would be a call.
func bestContact(m *message.Message) (to, context string, ok bool) {
	best := -1
	for a := range m.Addrs(message.HContact) {
		u, is := a.ParseURI()
		if !is || u.Scheme != message.SIP && u.Scheme != message.SIPS && u.Scheme != message.TEL {
			continue
		}
		q := 1000
		if text, has := a.Param("q"); has {
			q = thousandths(string(text))
		}
		if digits, where := dialledIn(&u); digits != "" && q > best {
			best, to, context = q, digits, where
		}
	}
	return to, context, best >= 0
}

// thousandths reads a q; what is none counts as the least.
func thousandths(q string) (n int) {
	whole, part, _ := strings.Cut(q, ".")
	if whole == "1" {
		return 1000
	}
	for i := range 3 {
		n *= 10
		if i < len(part) && part[i] >= '0' && part[i] <= '9' {
			n += int(part[i] - '0')
		}
	}
	return n
}

// sendOn gives up the phones that ring and calls the link, once for a call. It says whether it does.
func (b *bridge) sendOn(to *sending) bool {
	s, u := b.s, b.setup
	if b.state != calling || u.sentOn {
		return false
	}
	u.sentOn = true
	b.silence()
	to.Caller, to.Withheld = b.callerShown(), b.a.hidden
	number := u.plan.Number
	if !strings.HasPrefix(number, "+") { // a short number means nothing elsewhere
		number = ""
	}
	to.trail = b.trail.and(turn{number: number, cause: to.Cause}, to.Line)
	to.Path, to.Turns = to.trail.path, to.trail.turns
	l := b.linkOut(to)
	var lines []byte
	l.local, lines = b.present(l, []byte(s.e.offerTimer()))
	b.newFork(l)
	u.route, u.carrier, u.tried = len(u.plan.Routes), false, u.tried+1
	u.silentAt, u.turnAt, u.ringAt, u.keepAt = transaction.Never, transaction.Never, s.now+s.e.o.QueueTimeout+beyondRing, s.now
	l.session = u.offer.session()
	b.tried(l)
	l.asked = l.send(request{method: message.INVITE, why: forInvite, lines: lines, content: u.offer, hops: u.hops})
	return true
}

// silence gives up the phones that ring.
func (b *bridge) silence() {
	for _, l := range b.outs() {
		if l.state == early {
			l.hangup(&ending{status: 487})
		}
	}
}

// callerShown is the caller's number as the callee is to see it: what a carrier brought, or the number that a line of ours presents; "" is none.
func (b *bridge) callerShown() string {
	switch u := b.setup; {
	case u.plan.Present != "":
		return "+" + u.plan.Present
	case b.a.trunk != "":
		return u.from.user
	}
	return ""
}

// goesOn is what becomes of a call when no phone of the line called takes it: it is forwarded where the line says so.
func (b *bridge) goesOn(end *ending, silent bool) bool {
	switch {
	case b.setup == nil || b.setup.carrier || b.setup.sentOn:
		return false
	case end.why == policy.Busy:
		return b.forwards(call.ForwardBusy)
	case end.why == policy.NotRegistered, silent:
		return b.forwards(call.ForwardUnreachable)
	case end.why == policy.NoAnswer:
		return b.forwards(call.ForwardNoAnswer)
	}
	return false
}

// notSentOn is what a caller hears about a call that was sent on and refused. The reason is the business of the line that sends it on.
func notSentOn(status int) ending {
	switch status {
	case 486, 600, 603, 404, 484, 488, 606, 604, 410:
		end := ending{status: passStatus(status)}
		end.by, end.why = verdictOf(status)
		return end
	}
	return ending{by: call.Callee, why: policy.NotSentOn}
}

// trail is who has sent a call on so far.
type trail struct {
	turned  []turn   // here, the first first
	path    []string // lines that have forwarded it
	turns   int      // how often in all, also before it came here
	before  []byte   // Diversion and History-Info lines that a carrier sent,
	private bool     // whether they hold a number that is withheld,
	index   string   // and the index of the last entry in the latter
}

// turn is one who has sent the call on.
type turn struct {
	number string // E.164 with '+' of the line, "" for none
	cause  call.Cause
}

// and is the trail with another turn, of a line.
func (t trail) and(next turn, line string) trail {
	t.turned = append(slices.Clip(t.turned), next)
	if next.cause != call.Transferred { // a transfer is made by a person, each time
		t.path = append(slices.Clip(t.path), line)
	}
	t.turns++
	return t
}
