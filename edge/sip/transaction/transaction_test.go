package transaction

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var std = Timers{}.Defaults()

const ms = time.Millisecond

// ticks runs a machine until nothing is due, and returns when it asked for a repeat and when and how it ended.
func ticks(deadline func() time.Duration, tick func(time.Duration) Do) (sent []time.Duration, end time.Duration, last Do) {
	for range 1000 {
		at := deadline()
		if at == Never {
			return sent, end, last
		}
		do := tick(at)
		if do.Has(Send) {
			sent = append(sent, at)
		}
		if do.Has(Done) {
			end, last = at, do
		}
	}
	panic("never ends")
}

func (c *Client) run() ([]time.Duration, time.Duration, Do) {
	return ticks(c.Deadline, func(at time.Duration) Do { return c.Tick(at, &std) })
}

func (s *Server) run() ([]time.Duration, time.Duration, Do) {
	return ticks(s.Deadline, func(at time.Duration) Do { return s.Tick(at, &std) })
}

func want(t *testing.T, what string, sent []time.Duration, end time.Duration, last Do, wantSent []time.Duration, wantEnd time.Duration, wantLast Do) {
	t.Helper()
	if !slices.Equal(sent, wantSent) || end != wantEnd || last != wantLast {
		t.Errorf("%s: repeats at %v, ends at %v with %b; want %v, %v, %b", what, sent, end, last, wantSent, wantEnd, wantLast)
	}
}

// Nobody answers: timers A, B, E and F.
func TestClientAlone(t *testing.T) {
	c := NewClient(true, false, 0, &std)
	sent, end, last := c.run()
	want(t, "INVITE", sent, end, last, []time.Duration{500 * ms, 1500 * ms, 3500 * ms, 7500 * ms, 15500 * ms, 31500 * ms}, 32*time.Second, Timeout|Done)
	c = NewClient(false, false, 0, &std)
	sent, end, last = c.run()
	want(t, "BYE", sent, end, last, []time.Duration{500 * ms, 1500 * ms, 3500 * ms, 7500 * ms, 11500 * ms, 15500 * ms, 19500 * ms, 23500 * ms, 27500 * ms, 31500 * ms},
		32*time.Second, Timeout|Done)
	for _, invite := range []bool{true, false} {
		c = NewClient(invite, true, 0, &std)
		sent, end, last = c.run()
		want(t, "over TCP", sent, end, last, nil, 32*time.Second, Timeout|Done)
	}
}

func TestInviteClient(t *testing.T) {
	c := NewClient(true, false, 0, &std)
	if do := c.Response(180, 100*ms, &std); do != Pass || c.Deadline() != Never {
		t.Errorf("180: %b, %v", do, c.Deadline()) // it may ring for ever
	}
	if do := c.Response(486, time.Second, &std); do != Ack|Pass || c.State() != Completed {
		t.Errorf("486: %b", do)
	}
	if do := c.Response(486, 2*time.Second, &std); do != Ack {
		t.Errorf("486 again: %b", do)
	}
	if do := c.Response(200, 2*time.Second, &std); do != 0 {
		t.Errorf("200 after a final answer: %b", do)
	}
	sent, end, last := c.run()
	want(t, "timer D", sent, end, last, nil, 33*time.Second, Done)

	c = NewClient(true, false, 0, &std)
	for i := range 3 { // repeats and forks come through while timer M runs
		if do := c.Response(200, time.Duration(i)*time.Second, &std); do != Pass || c.State() != Accepted {
			t.Errorf("200: %b", do)
		}
	}
	_, end, last = c.run()
	if end != 32*time.Second || last != Done {
		t.Errorf("timer M: %v %b", end, last)
	}

	c = NewClient(true, true, 0, &std)
	if do := c.Response(603, 0, &std); do != Ack|Pass|Done {
		t.Errorf("603 over TCP: %b", do)
	}
}

// After a CANCEL the final answer has 64·T1; in Calling nothing is repeated any more, but a late answer is taken.
func TestLimit(t *testing.T) {
	c := NewClient(true, false, 0, &std)
	c.Response(180, 0, &std)
	c.Limit(10*time.Second, &std)
	_, end, last := c.run()
	if end != 42*time.Second || last != Timeout|Done {
		t.Errorf("%v %b", end, last)
	}
	c = NewClient(true, false, 0, &std)
	c.Limit(4*time.Second, &std)
	if do := c.Response(200, 5*time.Second, &std); do != Pass {
		t.Errorf("late 200: %b", do)
	}
	c = NewClient(true, false, 0, &std)
	c.Limit(4*time.Second, &std)
	sent, end, last := c.run()
	want(t, "silent", sent, end, last, nil, 32*time.Second, Timeout|Done)
}

func TestPlainClient(t *testing.T) {
	c := NewClient(false, false, 0, &std)
	c.Tick(500*ms, &std)
	if do := c.Response(100, 600*ms, &std); do != Pass || c.Deadline() != 4600*ms {
		t.Errorf("100: %b, %v", do, c.Deadline())
	}
	if do := c.Response(200, time.Second, &std); do != Pass {
		t.Errorf("200: %b", do)
	}
	if do := c.Response(200, time.Second, &std); do != 0 {
		t.Errorf("200 again: %b", do)
	}
	_, end, last := c.run()
	if end != 6*time.Second || last != Done {
		t.Errorf("timer K: %v %b", end, last)
	}
}

func TestInviteServer(t *testing.T) {
	s := NewServer(true, false)
	if s.Deadline() != Never || s.Request() != Send {
		t.Error("waiting")
	}
	if do := s.Respond(180, 0, &std); do != Send {
		t.Errorf("180: %b", do)
	}
	if do := s.Respond(486, 0, &std); do != Send {
		t.Errorf("486: %b", do)
	}
	if do := s.Respond(200, 0, &std); do != 0 {
		t.Errorf("a second final: %b", do)
	}
	r := s
	sent, end, last := r.run()
	want(t, "timers G and H", sent, end, last, []time.Duration{500 * ms, 1500 * ms, 3500 * ms, 7500 * ms, 11500 * ms, 15500 * ms, 19500 * ms, 23500 * ms, 27500 * ms, 31500 * ms},
		32*time.Second, Timeout|Done)
	if do := s.Ack(time.Second, &std); do != 0 || s.State() != Confirmed {
		t.Errorf("ACK: %b", do)
	}
	_, end, last = s.run()
	if end != 6*time.Second || last != Done {
		t.Errorf("timer I: %v %b", end, last)
	}
}

// The 2xx is repeated until its ACK, also over TCP; INVITEs that come again are absorbed (RFC 6026).
func TestAccepted(t *testing.T) {
	for _, reliable := range []bool{true, false} {
		s := NewServer(true, reliable)
		s.Respond(200, 0, &std)
		if s.Request() != 0 {
			t.Error("a repeated INVITE is not absorbed")
		}
		r := s
		sent, end, last := r.run()
		if len(sent) != 10 || end != 32*time.Second || last != Timeout|Done {
			t.Errorf("no ACK: %v, %v, %b", sent, end, last)
		}
		s.Tick(500*ms, &std)
		if do := s.Ack(600*ms, &std); do != Pass || !s.Acked() {
			t.Errorf("ACK: %b", do)
		}
		if do := s.Ack(700*ms, &std); do != 0 {
			t.Errorf("ACK again: %b", do)
		}
		sent, end, last = s.run()
		want(t, "after the ACK", sent, end, last, nil, 32*time.Second, Done)
	}
}

func TestPlainServer(t *testing.T) {
	s := NewServer(false, false)
	if s.Request() != 0 {
		t.Error("nothing to repeat yet")
	}
	s.Respond(200, time.Second, &std)
	if s.Request() != Send {
		t.Error("a repeat gets the answer again")
	}
	_, end, last := s.run()
	if end != 33*time.Second || last != Done {
		t.Errorf("timer J: %v %b", end, last)
	}
	s = NewServer(false, true)
	if do := s.Respond(200, 0, &std); do != Send|Done {
		t.Errorf("over TCP: %b", do)
	}
}

// Whatever happens in whatever order, a machine with a final answer ends within 64·T1 plus T4, and ends once; after its end it asks for nothing.
func TestMachinesEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		invite, reliable := rapid.Bool().Draw(t, "invite"), rapid.Bool().Draw(t, "reliable")
		c, s := NewClient(invite, reliable, 0, &std), NewServer(invite, reliable)
		now, clientDone, serverDone := time.Duration(0), 0, 0
		note := func(done *int, do Do) {
			if *done > 0 && do != 0 {
				t.Fatalf("%b after the end", do)
			}
			if do.Has(Done) {
				*done++
			}
		}
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			now += time.Duration(rapid.IntRange(0, 5000).Draw(t, "wait")) * ms
			status := rapid.SampledFrom([]int{100, 180, 200, 404, 503, 600}).Draw(t, "status")
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0:
				note(&clientDone, c.Response(status, now, &std))
			case 1:
				c.Limit(now, &std)
			case 2, 3:
				note(&clientDone, c.Tick(now, &std))
				note(&serverDone, s.Tick(now, &std))
			case 4:
				note(&serverDone, s.Request())
			case 5:
				note(&serverDone, s.Respond(status, now, &std))
			case 6:
				note(&serverDone, s.Ack(now, &std))
			}
		}
		note(&clientDone, c.Response(503, now, &std))
		note(&serverDone, s.Respond(503, now, &std))
		limit := now + std.Patience() + std.T4
		for _, m := range []struct {
			deadline func() time.Duration
			tick     func(time.Duration, *Timers) Do
			done     *int
		}{{c.Deadline, c.Tick, &clientDone}, {s.Deadline, s.Tick, &serverDone}} {
			for at := m.deadline(); at != Never; at = m.deadline() {
				if at > limit {
					t.Fatalf("still waits for %v at %v", at, now)
				}
				note(m.done, m.tick(max(at, now), &std))
			}
			if *m.done != 1 {
				t.Fatalf("ended %d times", *m.done)
			}
		}
	})
}
