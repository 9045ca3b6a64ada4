package sip

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

// chaotic is a peer that does something, but seldom the right thing.
type chaotic struct {
	*peer
	r    *rand.Rand
	dial map[string]*dialog // by Call-ID
	late []func()
}

func (c *chaotic) chance(percent int) bool { return c.r.IntN(100) < percent }

// soon does something now, or later.
func (c *chaotic) soon(f func()) {
	if c.chance(60) {
		f()
		return
	}
	c.late = append(c.late, f)
}

// run answers and meddles for so long.
func (c *chaotic) run(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		m, err := c.next(time.Duration(c.r.IntN(2000)) * time.Millisecond)
		if err == nil && !c.chance(8) { // some are lost
			c.got(m)
		}
		if len(c.late) > 0 && c.chance(50) {
			f := c.late[0]
			c.late = c.late[1:]
			f()
		}
		for _, d := range c.dial {
			if c.chance(4) {
				c.meddle(d)
			}
		}
	}
}

func (c *chaotic) meddle(d *dialog) {
	switch c.r.IntN(12) {
	case 0, 1, 2, 3:
		d.request("BYE", "")
	case 4:
		d.request("CANCEL", "")
	case 5:
		d.request("INVITE", sdp)
	case 6:
		d.request("UPDATE", sdp)
	case 7:
		d.request("UPDATE", "")
	case 8:
		d.request("INFO", "x")
	case 9:
		d.request("ACK", sdp)
	case 10:
		d.request("PRACK", "")
	case 11:
		d.request("INVITE", "")
	}
}

// rings takes the early dialog of a provisional answer, and acknowledges it if it must be.
func (c *chaotic) rings(d *dialog, m *message.Message) {
	d.take(m)
	if rseq, ok := m.RSeq(); ok {
		body := []string{"", "", sdp}[c.r.IntN(3)]
		c.soon(func() { d.request("PRACK", body, fmt.Sprintf("RAck: %d 1 INVITE", rseq)) })
	}
}

func (c *chaotic) got(m *message.Message) {
	id := string(m.CallID())
	d := c.dial[id]
	if !m.IsRequest() {
		if d != nil && m.CSeqMethod() == message.INVITE && m.Status() >= 200 && !c.chance(15) {
			d.take(m)
			c.soon(func() { d.request("ACK", "") })
		}
		if d != nil && m.CSeqMethod() == message.INVITE && m.Status() > 100 && m.Status() < 200 && c.chance(60) {
			c.rings(d, m)
		}
		return
	}
	switch m.Method() {
	case message.ACK:
	case message.INVITE:
		tag := fmt.Sprintf("t%d", c.r.IntN(3))
		if d == nil {
			c.dial[id] = c.accepted(m, tag)
		}
		for range c.r.IntN(5) {
			if c.chance(40) { // another fork
				tag = fmt.Sprintf("t%d", c.r.IntN(3))
			}
			tag, body := tag, []string{sdpB, sdpB, port(6002), ""}[c.r.IntN(4)]
			status := []int{100, 180, 183, 199, 200, 200, 200, 302, 401, 404, 408, 422, 481, 486, 487, 491, 500, 503, 600}[c.r.IntN(19)]
			c.soon(func() {
				c.answer(m, status, tag, body, []string{"Session-Expires: 90", "Require: 100rel", "Min-SE: 2000", "Allow: UPDATE"}[c.r.IntN(4)],
					fmt.Sprintf("RSeq: %d", 1+c.r.IntN(3)))
			})
		}
	default:
		status := []int{200, 200, 200, 100, 401, 481, 500, 491}[c.r.IntN(8)]
		body := []string{"", sdp, port(6004)}[c.r.IntN(3)]
		c.soon(func() { c.answer(m, status, "t0", body) })
	}
}

// Whatever phones and carriers do, every admitted call has exactly one end in the books, nothing panics, and nothing is
// left in memory (kamailio#949, #2346, #1897).
func TestEveryCallEndsOnce(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		inWorld(t, func(w *world) {
			r := rand.New(rand.NewPCG(uint64(seed), 1))
			peers := []*chaotic{}
			done := make(chan bool)
			for i, p := range []*peer{w.phone, w.carrier, w.spare} {
				c := &chaotic{peer: p, r: rand.New(rand.NewPCG(uint64(seed), uint64(i))), dial: map[string]*dialog{}}
				peers = append(peers, c)
				if i == 0 {
					for n := range 20 {
						id := fmt.Sprintf("c%d", n)
						c.dial[id] = c.invite(id, "020", []string{"X: y", "Supported: 100rel", "Require: 100rel", "Allow: UPDATE\nSupported: 100rel, timer"}[n%4])
					}
				}
				go func() { c.run(3 * time.Minute); done <- true }()
			}
			if r.IntN(3) == 0 {
				time.Sleep(20 * time.Second)
				w.gate.mu.Lock()
				ids := w.gate.admitted
				w.gate.mu.Unlock()
				for _, id := range ids {
					if r.IntN(2) == 0 {
						w.gate.cut(id, 0, policyFigures)
					}
				}
			}
			for range peers {
				<-done
			}
			time.Sleep(2 * time.Hour)
			if n := w.edge.Stats().Panics; n != 0 {
				t.Errorf("seed %d: %d panics", seed, n)
			}
			w.empty()
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}, func(w *world) {
			w.opts.Log = testLog(t)
			if w.opts.Prompt = seed%2 == 1; w.opts.Prompt {
				w.opts.Grain = 50 * time.Millisecond
			}
			w.gate.slow = time.Duration(seed%3) * 200 * time.Millisecond
			w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one", "two"), nil }
		})
	}
}
