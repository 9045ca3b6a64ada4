package transaction

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ms = time.Millisecond

var rfc = Timers{}.Defaults()

// run ticks a machine at each of its deadlines and says what it wanted, and when.
func run(deadline func() time.Duration, tick func(time.Duration, *Timers) Do) (all []string) {
	for deadline() != Never && len(all) < 50 {
		at := deadline()
		all = append(all, fmt.Sprint(at, " ", name(tick(at, &rfc))))
	}
	return all
}

func name(d Do) (s string) {
	for i, n := range []string{"send", "ack", "pass", "timeout", "done"} {
		if d&(1<<i) != 0 {
			s += n + " "
		}
	}
	if s == "" {
		return "nothing"
	}
	return s[:len(s)-1]
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// Timers A and B, E and F, G and H, and the repeats of a 2xx, in the figures of RFC 3261 17.
func TestSchedules(t *testing.T) {
	ict := NewClient(true, false, 0, &rfc)
	same(t, "INVITE client", run(ict.Deadline, ict.Tick), []string{
		"500ms send", "1.5s send", "3.5s send", "7.5s send", "15.5s send", "31.5s send", "32s timeout done",
	})
	nict := NewClient(false, false, 0, &rfc)
	same(t, "other client", run(nict.Deadline, nict.Tick), []string{
		"500ms send", "1.5s send", "3.5s send", "7.5s send", "11.5s send", "15.5s send", "19.5s send", "23.5s send", "27.5s send", "31.5s send", "32s timeout done",
	})
	for _, invite := range []bool{true, false} {
		c := NewClient(invite, true, 0, &rfc)
		same(t, "client on TCP", run(c.Deadline, c.Tick), []string{"32s timeout done"})
	}
	refused := NewServer(true, false)
	if do := refused.Respond(486, 0, &rfc); do != Send {
		t.Errorf("respond: %s", name(do))
	}
	finals := []string{"500ms send", "1.5s send", "3.5s send", "7.5s send", "11.5s send", "15.5s send", "19.5s send", "23.5s send", "27.5s send", "31.5s send", "32s timeout done"}
	same(t, "INVITE server refused", run(refused.Deadline, refused.Tick), finals)
	for _, reliable := range []bool{false, true} { // a 2xx is repeated on every transport
		answered := NewServer(true, reliable)
		answered.Respond(200, 0, &rfc)
		same(t, "INVITE server answered", run(answered.Deadline, answered.Tick), finals)
	}
	tcp := NewServer(true, true)
	tcp.Respond(486, 0, &rfc)
	same(t, "INVITE server refused on TCP", run(tcp.Deadline, tcp.Tick), []string{"32s timeout done"})
	bye := NewServer(false, false)
	bye.Respond(200, 0, &rfc)
	same(t, "other server", run(bye.Deadline, bye.Tick), []string{"32s done"})
}

// The ways through the machines: events in order, what each asks for, and where they end.
func TestClientPaths(t *testing.T) {
	for _, c := range []struct {
		name     string
		invite   bool
		reliable bool
		status   []int
		want     []string
		state    State
		left     time.Duration // until the state ends; Never
	}{
		{"rings for ever", true, false, []int{100, 180, 180}, []string{"pass", "pass", "pass"}, Proceeding, Never},
		{"answered", true, false, []int{180, 200, 200, 486}, []string{"pass", "pass", "pass", "nothing"}, Accepted, 32 * time.Second},
		{"refused", true, false, []int{100, 486, 486, 200}, []string{"pass", "ack pass", "ack", "pass"}, Completed, 32 * time.Second},
		{"refused on TCP", true, true, []int{486, 486}, []string{"ack pass done", "nothing"}, Terminated, Never},
		{"plain", false, false, []int{100, 200, 200}, []string{"pass", "pass", "nothing"}, Completed, 5 * time.Second},
		{"plain on TCP", false, true, []int{200, 200}, []string{"pass done", "nothing"}, Terminated, Never},
		{"plain, slow", false, false, []int{100}, []string{"pass"}, Proceeding, 4 * time.Second},
	} {
		m := NewClient(c.invite, c.reliable, 0, &rfc)
		for i, status := range c.status {
			if got := name(m.Response(status, 0, &rfc)); got != c.want[i] {
				t.Errorf("%s: %d asks for %s, want %s", c.name, status, got, c.want[i])
			}
		}
		if m.State() != c.state || m.Deadline() != c.left {
			t.Errorf("%s: state %d until %v", c.name, m.State(), m.Deadline())
		}
	}
}

func TestServerPaths(t *testing.T) {
	s := NewServer(true, false)
	if do := s.Request(); do != Send {
		t.Errorf("a repeat before the answer: %s", name(do))
	}
	if s.Respond(180, 0, &rfc) != Send || s.Deadline() != Never || s.Respond(200, 0, &rfc) != Send || s.Respond(486, 0, &rfc) != 0 {
		t.Error("one final answer only")
	}
	if do := s.Request(); do != 0 {
		t.Errorf("a repeat after a 2xx: %s", name(do))
	}
	if s.Ack(ms, &rfc) != Pass || s.Ack(2*ms, &rfc) != 0 || !s.Acked() || s.Deadline() != 32*time.Second {
		t.Error("the ACK of a 2xx is news once, and repeats end")
	}
	if s.Tick(32*time.Second, &rfc) != Done {
		t.Error("timer L")
	}

	s = NewServer(true, false)
	s.Respond(404, 0, &rfc)
	if s.Request() != Send || s.Ack(ms, &rfc) != 0 || s.State() != Confirmed || s.Request() != 0 || s.Tick(ms+5*time.Second, &rfc) != Done {
		t.Error("timer I")
	}
	s = NewServer(true, true)
	s.Respond(404, 0, &rfc)
	if s.Ack(ms, &rfc) != Done {
		t.Error("an ACK on TCP ends it")
	}
	s = NewServer(false, false)
	if s.Request() != 0 || s.Respond(200, 0, &rfc) != Send || s.Request() != Send {
		t.Error("another server repeats its answer")
	}
	s = NewServer(false, true)
	if s.Respond(200, 0, &rfc) != Send|Done {
		t.Error("timer J on TCP")
	}
}

// Limit ends an INVITE that rings for ever, takes late answers until then, and repeats nothing.
func TestLimit(t *testing.T) {
	c := NewClient(true, false, 0, &rfc)
	c.Response(180, 0, &rfc)
	c.Limit(time.Minute, &rfc)
	if c.Deadline() != time.Minute+32*time.Second || c.Response(200, time.Minute, &rfc) != Pass {
		t.Errorf("until %v", c.Deadline())
	}
	c.Limit(time.Minute, &rfc)
	if c.State() != Accepted {
		t.Error("a limit ends nothing that is answered")
	}
	c = NewClient(true, false, 0, &rfc)
	c.Limit(0, &rfc)
	same(t, "limited", run(c.Deadline, c.Tick), []string{"32s timeout done"})
}

// Whatever comes, and however late the ticks: a machine that was left alone for 64·T1 after its last final event ends,
// ends once, and never asks to be ticked in the past for ever.
func TestMachinesEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		invite, reliable := rapid.Bool().Draw(t, "invite"), rapid.Bool().Draw(t, "reliable")
		c, s := NewClient(invite, reliable, 0, &rfc), NewServer(invite, reliable)
		now, done := time.Duration(0), 0
		note := func(d Do) {
			if d.Has(Done) {
				done++
			}
		}
		for range rapid.IntRange(0, 20).Draw(t, "events") {
			now += time.Duration(rapid.IntRange(0, 20_000).Draw(t, "gap")) * ms
			status := rapid.SampledFrom([]int{100, 180, 200, 299, 300, 401, 486, 503, 699}).Draw(t, "status")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				note(c.Response(status, now, &rfc))
			case 1:
				note(c.Tick(now, &rfc))
			case 2:
				note(s.Respond(status, now, &rfc))
			case 3:
				note(s.Ack(now, &rfc))
			case 4:
				note(s.Tick(now, &rfc))
			case 5:
				note(s.Request())
			}
		}
		c.Limit(now, &rfc)
		note(s.Respond(500, now, &rfc))
		for range 40 {
			for _, at := range []time.Duration{c.Deadline(), s.Deadline()} {
				if at != Never {
					now = max(now, at)
				}
			}
			note(c.Tick(now, &rfc))
			note(s.Tick(now, &rfc))
		}
		if c.State() != Terminated || s.State() != Terminated || done != 2 {
			t.Fatalf("client %d, server %d, %d ends", c.State(), s.State(), done)
		}
	})
}
