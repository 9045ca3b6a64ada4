package sip

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
	"ringfence/flow/location"
)

// steadyCallee answers every call, repeats that until it is acknowledged, and agrees to everything else.
func (p *peer) steadyCallee() {
	open := map[string]*message.Message{} // INVITEs whose 200 has no ACK yet
	seen := map[string]bool{}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for id, m := range open {
				p.answer(m, 200, "t"+id, sdpB)
			}
		case in := <-p.sock.in:
			m := new(message.Message)
			if f := message.Parse(m, in.text); f != nil {
				p.t.Errorf("the edge sent what does not parse: %v\n%s", f, in.text)
				continue
			}
			switch id := string(m.CallID()); {
			case !m.IsRequest():
			case m.Method() == message.ACK:
				delete(open, id)
			case m.Method() == message.INVITE:
				if !seen[id] {
					seen[id], open[id] = true, m
					p.answer(m, 180, "t"+id, "")
					p.answer(m, 200, "t"+id, sdpB)
				}
			default:
				p.answer(m, 200, "", "")
			}
		case <-p.sock.done:
			return
		}
	}
}

// until sends something again and again until an answer to it is final; each 2xx to an INVITE is acknowledged.
func (d *dialog) until(method string, send func()) (status int) {
	for range 120 {
		send()
		for end := time.Now().Add(500 * time.Millisecond); status < 200 && time.Now().Before(end); {
			m, err := d.p.next(time.Until(end))
			if err == nil && !m.IsRequest() && m.CSeqMethod().String() == method {
				if status = m.Status(); method == "INVITE" && status >= 200 {
					d.take(m).request("ACK", "")
				}
			}
		}
		if status >= 200 {
			return status
		}
	}
	return status
}

// steadyCall calls, talks for a while, repeating its ACK for every repeat of the answer, and hangs up.
func (p *peer) steadyCall(id string, talk time.Duration) error {
	d := &dialog{
		p: p, callID: id, from: "<sip:alice@x>;tag=" + id, to: "<sip:020@x>", target: "sip:020@x", seq: 1, inviteSeq: 1,
		branch: "z9hG4bK" + id,
	}
	if status := d.until("INVITE", func() { d.sendInvite() }); status != 200 {
		return fmt.Errorf("%s: INVITE: %d", id, status)
	}
	for end := time.Now().Add(talk); time.Now().Before(end); {
		if m, err := p.next(time.Until(end)); err == nil && what(m) == "200 INVITE" {
			d.request("ACK", "")
		}
	}
	d.seq++
	if status := d.until("BYE", func() { d.seq--; d.request("BYE", "") }); status != 200 {
		return fmt.Errorf("%s: BYE: %d", id, status)
	}
	return nil
}

// badly is a network that loses one packet in ten, which 64·T1 of repeats make up for in all but one call in ten million,
// and doubles or delays others. It is called with the network's lock held.
func badly(r *rand.Rand) func() []time.Duration {
	return func() []time.Duration {
		some := []time.Duration{time.Duration(r.IntN(60)) * time.Millisecond}
		switch r.IntN(10) {
		case 0:
			return nil
		case 1, 2, 3:
			some = append(some, time.Duration(r.IntN(3000))*time.Millisecond)
		case 4:
			some[0] = time.Duration(r.IntN(1500)) * time.Millisecond
		}
		return some
	}
}

// Two edges in a row between steady phones, on a network that loses, doubles and disorders packets: every call is
// answered and hung up by who hung it up, once in each of the books, and nothing is left.
func TestCallsOverABadNetwork(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			const far, calls, talk = "10.0.0.2:5060", 40, 70 * time.Second
			w, v := newWorld(t), newWorld(t)
			v.net = w.net
			w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{far}}
			v.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{edgeAt}}
			w.opts.Silence = time.Minute
			if seed%2 == 1 { // as with money in memory, and deadlines in bunches
				w.opts.Prompt, v.opts.Prompt, w.opts.Grain, v.opts.Grain = true, true, 50*time.Millisecond, 50*time.Millisecond
			}
			v.gate.plan = func(gate.Attempt) (*gate.Plan, error) {
				return &gate.Plan{Routes: []gate.Route{{Line: "bob"}}}, nil
			}
			w.start()
			defer w.stop()
			v.opts.PacketConn = w.net.listen(far)
			v.opts.MaxRinging = 100
			d := v.deps()
			d.lineCalls = func(string) int { return 100 } // all ring bob at once
			e, err := d.edge(v.opts)
			if err != nil {
				t.Fatal(err)
			}
			v.edge = e
			if err := e.Start(v.before); err != nil {
				t.Fatal(err)
			}
			defer v.stop()
			bob := w.peer("10.0.2.1:5060")
			bob.to = far
			if _, err := v.where.Update("bob", location.Update{
				CallID: "r", CSeq: 1, Received: netip.MustParseAddrPort(bob.at), Transport: "udp", Now: time.Now(),
				Contacts: []location.Contact{{URI: "sip:bob@" + bob.at, Expires: time.Hour}},
			}); err != nil {
				t.Fatal(err)
			}
			go bob.steadyCallee()
			defer bob.sock.Close()

			w.net.mess = badly(rand.New(rand.NewPCG(seed, 7)))
			done := make(chan error, calls)
			for i := range calls {
				p := w.peer(fmt.Sprintf("10.0.3.%d:5060", i+1))
				go func() { done <- p.steadyCall(fmt.Sprintf("bad%d", i), talk) }()
			}
			for range calls {
				if err := <-done; err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
			time.Sleep(10 * time.Minute)
			for name, x := range map[string]*world{"near": w, "far": v} {
				x.empty()
				s := x.edge.Stats()
				if s.Answered != calls || s.Panics != 0 || len(x.gate.admitted) != calls {
					t.Errorf("seed %d: %s: %d admitted, %+v", seed, name, len(x.gate.admitted), s)
				}
				for _, id := range x.gate.admitted {
					if end := x.gate.ends[id][0]; end.Status != 200 || end.Reason != policy.Hangup || end.By != "caller" {
						t.Errorf("seed %d: %s: %s: %+v", seed, name, id, end)
					}
				}
			}
			if !slices.Equal(w.gate.tried, strings.Fields(strings.Repeat("one ", calls))) {
				t.Errorf("tried %v", w.gate.tried)
			}
		})
	}
}
