package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

// What a caller says of how often its call was sent on counts, however it is written: a number too great for ours once made it nought, and a loop went on.
func TestTurnsCannotBeWrittenAway(t *testing.T) {
	const max = "9223372036854775807"
	for _, c := range []struct {
		lines string
		turns int
	}{
		{"", 0},
		{"Diversion: <sip:1@x>", 1},
		{"Diversion: <sip:1@x>;counter=3", 3},
		{"Diversion: <sip:1@x>, <sip:2@x>;counter=2\nDiversion: <sip:3@x>", 4},
		{"Diversion: <sip:1@x>, <sip:2@x>;counter=" + max, mostTurns},
		{"Diversion: <sip:1@x>;counter=" + max + ", <sip:2@x>;counter=" + max, mostTurns},
		{"Diversion: <sip:1@x>;counter=" + max + "0", mostTurns},
		{"Diversion: <sip:1@x>;counter=-5, <sip:2@x>;counter=x", 2},
		{"Diversion: " + strings.Repeat("<sip:1@x>,", 500) + "<sip:1@x>", mostTurns},
		{"History-Info: " + strings.Repeat("<sip:1@x>;index=1.1,", 40) + "<sip:1@x>;index=1", 40},
		{"History-Info: " + strings.Repeat("<sip:1@x>;index=1.1,", 400) + "<sip:1@x>;index=1", mostTurns},
	} {
		inWorld(t, func(w *world) {
			sentOnPlan(w, account.Forwards{Always: "07700900123"})
			w.gate.mu.Lock()
			plan := w.gate.plan
			w.gate.plan = func(a gate.Attempt) (*gate.Plan, error) {
				if a.Cause != "" {
					return nil, &gate.Refusal{Reason: policy.SentOnTooOften}
				}
				return plan(a)
			}
			w.gate.mu.Unlock()
			in := w.comesIn("in1", strings.Split(c.lines, "\n")...)
			w.carrier.final()
			in.request("ACK", "")
			if at := w.sentOn(); at.Cause != call.ForwardAlways || at.Turns != c.turns+1 {
				t.Errorf("%.60s: %d turns, want %d", c.lines, at.Turns, c.turns+1)
			}
		})
	}
}

// What is kept back of how often a call was sent on counts all the same for the next switch: a loop over a carrier of a caller who withholds the number
// once had no end but Max-Forwards, and the line paid for each turn.
func TestTurnsThatAreKeptBackCount(t *testing.T) {
	for _, withheld := range []bool{false, true} {
		inWorld(t, func(w *world) {
			sentOnPlan(w, account.Forwards{Always: "07700900123"})
			lines := []string{"Diversion: <sip:+441@x>;reason=no-answer;counter=2"}
			if withheld {
				lines = append(lines, "Privacy: id")
			}
			in := w.comesIn("in1", lines...)
			inv := w.spare.expect("INVITE")
			if withheld && strings.Contains(string(inv.Bytes()), "+441@") {
				t.Errorf("named:\n%s", inv.Bytes())
			}
			if tr := trailOf(inv, true); tr.turns != 3 {
				t.Errorf("withheld %v: the next switch counts %d turns, want 3:\n%s", withheld, tr.turns, inv.Bytes())
			}
			w.spare.answer(inv, 404, "s", "")
			w.spare.expect("ACK")
			w.carrier.final()
			in.request("ACK", "")
		})
	}
}

// What a stranger writes of privacy is read before anybody has logged in, so its cost must grow as its length does: a packet of commas once took a third of
// a second.
func TestReadingPrivacyIsLinear(t *testing.T) {
	for _, head := range []func(n int) string{
		func(n int) string { return "Remote-Party-ID: " + strings.Repeat(",", n) },
		func(n int) string { return "Remote-Party-ID: <sip:a@b>" + strings.Repeat(";privacy=a", n/10) },
		func(n int) string { return "Remote-Party-ID: <sip:a@b>" + strings.Repeat(",", n) },
	} {
		cost := func(n int) time.Duration {
			m := new(message.Message)
			text := "INVITE sip:1@b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa\r\nFrom: <sip:1@b>;tag=1\r\nTo: <sip:2@b>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n" + head(n) + "\r\nContent-Length: 0\r\n\r\n"
			if f := message.Parse(m, []byte(text)); f != nil {
				t.Fatal(f.Why)
			}
			least := time.Hour
			for range 5 {
				begun := time.Now()
				callerOf(m)
				least = min(least, time.Since(begun))
			}
			return least
		}
		if little, much := cost(4000), cost(60000); much > 60*little+time.Millisecond { // 15 times as long
			t.Errorf("%.40s: %v for 4,000 bytes, %v for 60,000", head(40), little, much)
		}
	}
}

// A call that moves from phone to phone is a chain of calls of its line, each of which the gate has let in: the end of any ends them all, each once.
func TestACallMovesAgainAndAgain(t *testing.T) {
	for _, byCarrier := range []bool{false, true} {
		inWorld(t, func(w *world) {
			dials(w)
			a, b := w.connect("t1")
			was, phone := a, w.phone
			const moves = 6
			for n := range moves {
				x := w.peer(fmt.Sprintf("10.0.1.%d:5060", 40+n))
				d := x.claims(fmt.Sprint("chain-", n), "alice", "alice", dialogText(was.callID, tagIn(was.to), tagIn(was.from)))
				d.take(x.find("200 INVITE")).request("ACK", "")
				phone.answer(phone.find("BYE"), 200, "", "")
				m := w.carrier.next2("INVITE", "UPDATE")
				w.carrier.answer(m, 200, "", sdpB)
				if m.Method() == message.INVITE {
					w.carrier.find("ACK")
				}
				time.Sleep(5 * time.Second)
				was, phone = d, x
			}
			if byCarrier {
				b.request("BYE", "")
				w.carrier.find("200 BYE")
				phone.answer(phone.find("BYE"), 200, "", "")
			} else {
				was.request("BYE", "")
				phone.find("200 BYE")
				w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
			}
			time.Sleep(time.Minute)
			w.gate.mu.Lock()
			defer w.gate.mu.Unlock()
			if len(w.gate.admitted) != moves+1 || len(w.gate.ends) != moves+1 {
				t.Errorf("%d calls, %d ended", len(w.gate.admitted), len(w.gate.ends))
			}
		}, func(w *world) { w.opts.PingInterval = -1 })
	}
}

// What a phone escapes in the target of a transfer reaches neither the gate nor a carrier as a line of its own.
func TestATargetThatBreaksLines(t *testing.T) {
	for _, user := range []string{"077%0d%0aX-Evil:%201", "077%0A%0AX-Evil:%201", "077%00", "%3Csip:x%3E", "077;X-Evil=%0d%0a", "077%E2%80%AE123"} {
		inWorld(t, func(w *world) {
			toSpare(w)
			a, _ := w.connect("t1")
			a.refer("<sip:" + user + "@10.0.0.1>")
			if m := w.phone.next2("202 REFER", "400 REFER"); m.Status() == 202 {
				inv := w.spare.find("INVITE")
				if strings.Contains(strings.ToLower(string(inv.Bytes())), "x-evil") {
					t.Errorf("%s:\n%s", user, inv.Bytes())
				}
				w.spare.answer(inv, 404, "s", "")
				w.spare.find("ACK")
				if got := w.sentOn().Dialled; strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || !unicode.IsPrint(r) }) {
					t.Errorf("%s: dialled %q", user, got)
				}
			}
			w.phone.drain()
			w.hangUp(a)
		})
	}
}

// A flood of SUBSCRIBEs has few notices sent.
func TestAFloodOfSubscriptions(t *testing.T) {
	inWorld(t, func(w *world) {
		toSpare(w)
		a, _ := w.connect("t1")
		a.refer("<sip:07700900123@10.0.0.1>")
		w.phone.find("NOTIFY")
		for range 500 {
			a.request("SUBSCRIBE", "", "Event: refer", "Expires: 60")
		}
		seen := map[uint32]bool{}
		for {
			m, err := w.phone.next(time.Second)
			if err != nil {
				break
			}
			if m.Method() == message.NOTIFY {
				seen[m.CSeq()] = true
			}
		}
		if len(seen) > maxServers+1 {
			t.Errorf("%d notices", len(seen))
		}
		inv := w.spare.find("INVITE")
		w.spare.answer(inv, 404, "s", "")
		w.spare.find("ACK")
		w.phone.drain()
		w.hangUp(a)
	})
}
