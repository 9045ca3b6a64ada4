package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ringfence/edge/sip/message"
)

// Each method, from whom and where it can come: what it is answered, "" for nothing. All answers have a To tag, none is much longer than its request, and nothing is
// kept of those outside of calls.
func TestEveryMethodIsAnswered(t *testing.T) {
	const event, refer = "Event: message-summary", "Event: refer"
	for _, c := range []struct {
		method, line                   string
		stranger, phone, call, unknown int // outside of a dialog without and with a login, inside a call from either side, and inside a dialog that is none
	}{
		{"INVITE", "", 407, 0, 0, 481}, // 0: other tests
		{"ACK", "", -1, -1, -1, -1},    // never answered
		{"CANCEL", "", 481, 481, 0, 481},
		{"BYE", "", 481, 481, 0, 481},
		{"REGISTER", "", 401, 403, 405, 403},
		{"OPTIONS", "", 200, 200, 200, 481},
		{"INFO", "", 481, 481, 0, 481},
		{"UPDATE", "", 481, 481, 0, 481},
		{"PRACK", "", 481, 481, 481, 481},
		{"MESSAGE", "Content-Type: text/plain", 405, 405, 405, 481},
		{"PUBLISH", "Event: presence", 405, 405, 405, 481},
		{"SUBSCRIBE", event, 489, 489, 489, 481},
		{"SUBSCRIBE", "Event: dialog", 489, 489, 489, 481},
		{"SUBSCRIBE", "Event: presence", 489, 489, 489, 481},
		{"SUBSCRIBE", "X: none", 489, 489, 489, 481},
		{"SUBSCRIBE", refer, 403, 403, 481, 481},
		{"NOTIFY", event, 489, 489, 489, 481},
		{"NOTIFY", "Event: keep-alive", 489, 489, 489, 481},
		{"NOTIFY", refer, 481, 481, 481, 481},
		{"REFER", "Refer-To: <sip:0900@10.0.0.1>", 403, 403, 0, 481},
		{"NONSENSE", "", 405, 405, 405, 481},
	} {
		t.Run(c.method+" "+c.line, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.connect("c1")
				n := 0
				ask := func(p *peer, where string, d dialog, want int, lines ...string) {
					t.Helper()
					if n++; want == 0 {
						return
					}
					d.p, d.callID, d.seq, d.inviteSeq = p, strings.Replace(d.callID, "outside", fmt.Sprint("outside-", n), 1), 1000+n, 1000+n
					before := w.memory()
					d.request(c.method, "", append(lines, c.line)...)
					if want < 0 {
						p.quiet(time.Second)
						return
					}
					m := p.expect(fmt.Sprint(want, " ", message.MethodOf([]byte(c.method))))
					wantAllowed(t, m)
					if m.To().Tag() == nil {
						t.Errorf("%s: no To tag\n%s", where, m.Bytes())
					}
					if grew := len(m.Bytes()) - p.sent; grew > 320 {
						t.Errorf("%s: the answer has %d bytes more than the request", where, grew)
					}
					if after := w.memory(); where != "call" && where != "phone" && after != before {
						t.Errorf("%s: something is kept: %s, was %s", where, after, before)
					}
				}
				outside := *a
				outside.to, outside.callID = strings.Split(a.to, ";tag=")[0], "outside"
				ask(w.peer(elsewhereAt), "stranger", outside, c.stranger)
				ask(w.phone, "phone", outside, c.phone, goodLogin)
				ask(w.phone, "call", *a, c.call, aliceLogin)
				ask(w.carrier, "call", *b, c.call)
				lost := *a
				lost.callID = "outside"
				ask(w.phone, "unknown dialog", lost, c.unknown, goodLogin)
				lost = *a
				lost.to = outside.to + ";tag=0123456789abcdef"
				ask(w.peer("10.0.6.7:5060"), "wrong tag", lost, 481*min(1, c.unknown+1))
				w.hangUp(a)
			})
		})
	}
}

// memory is what the edge keeps.
func (w *world) memory() string {
	n := 0
	for _, s := range w.edge.shards {
		for _, l := range s.uas {
			n += len(l.servers)
		}
	}
	s := w.edge.Stats()
	return fmt.Sprint(s.Calls, " calls, ", s.Kept, " kept, ", n, " requests")
}

// A phone prolongs the notices of its transfer, and ends them; nobody else does.
func TestSubscribeToATransfer(t *testing.T) {
	inWorld(t, func(w *world) {
		toSpare(w)
		a, b := w.connect("t1")
		a.refer("<sip:07700900123@10.0.0.1>")
		w.phone.expect("202 REFER")
		w.phone.answer(w.phone.expect("NOTIFY"), 200, "", "")
		inv := w.spare.expect("INVITE")
		w.spare.answer(inv, 180, "s", "")
		w.phone.answer(w.phone.expect("NOTIFY"), 200, "", "")

		b.request("SUBSCRIBE", "", "Event: refer", "Expires: 0")
		w.carrier.expect("481 SUBSCRIBE")
		a.request("SUBSCRIBE", "", "Event: refer;id=77", "Expires: 0")
		w.phone.expect("481 SUBSCRIBE")
		for _, c := range []struct{ asked, granted, state string }{
			{"9999", "120", "active;expires=120"}, {"60", "60", "active;expires=60"}, {"0", "0", "terminated;reason=timeout"},
		} {
			a.request("SUBSCRIBE", "", "Event: refer", "Expires: "+c.asked)
			if m := w.phone.expect("200 SUBSCRIBE"); string(m.Get(message.HExpires)) != c.granted || !m.Has(message.HContact) {
				t.Errorf("%s seconds:\n%s", c.asked, m.Bytes())
			}
			m := w.phone.expect("NOTIFY")
			if state(m) != c.state || !strings.HasPrefix(string(m.Body()), "SIP/2.0 180 ") {
				t.Errorf("%s seconds:\n%s", c.asked, m.Bytes())
			}
			w.phone.answer(m, 200, "", "")
		}
		a.request("SUBSCRIBE", "", "Event: refer", "Expires: 60")
		w.phone.expect("481 SUBSCRIBE")
		w.spare.answer(inv, 404, "s", "") // of which nothing is said
		w.spare.expect("ACK")
		w.hangUp(a)
	})
}
