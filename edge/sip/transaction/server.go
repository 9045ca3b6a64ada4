package transaction

import "time"

// Server is a server transaction: INVITE (RFC 3261 figure 7, RFC 6026 section 8.5) or not (figure 8). The owner keeps
// the latest response and sends it when told to. The zero Server is not usable.
//
// Repeating the 2xx until the ACK comes (RFC 3261 section 13.3.1.4) is the task of the transaction's user by the letter;
// it is done in here because every user needs it and it is the same timer as for other finals.
type Server struct {
	clock
	state    State
	invite   bool
	reliable bool
	acked    bool // Accepted: the ACK came
}

// NewServer starts a server transaction for a request that just arrived.
func NewServer(invite, reliable bool) Server {
	s := Server{state: Trying, invite: invite, reliable: reliable}
	if invite {
		s.state = Proceeding
	}
	s.stop(Never)
	return s
}

// State is where the machine is.
func (s *Server) State() State { return s.state }

// Acked says that the ACK of a 2xx has come.
func (s *Server) Acked() bool { return s.acked }

// Request takes a repeat of the request. Send means that the latest response goes out again, if there is one.
func (s *Server) Request() Do {
	switch s.state {
	case Proceeding, Completed:
		return Send
	}
	return 0
}

// Respond takes a response that the owner wants to send. Send is set unless the transaction has had its final answer.
func (s *Server) Respond(status int, now time.Duration, t *Timers) Do {
	if s.state != Trying && s.state != Proceeding {
		return 0
	}
	if status < 200 {
		s.state = Proceeding
		return Send
	}
	if s.invite {
		return s.answer(status, now, t)
	}
	s.state = Completed
	s.stop(now + t.Patience()) // timer J
	if s.reliable {
		return s.over(Send)
	}
	return Send
}

func (s *Server) answer(status int, now time.Duration, t *Timers) Do {
	end := now + t.Patience() // timers H and L
	if status < 300 {
		s.state = Accepted
		s.start(now, t.T1, end) // also on reliable transports: a proxy may lose it
		return Send
	}
	s.state = Completed
	gap := t.T1 // timer G
	if s.reliable {
		gap = 0
	}
	s.start(now, gap, end)
	return Send
}

// Ack takes an ACK. Pass is set once, for the first ACK of a 2xx.
func (s *Server) Ack(now time.Duration, t *Timers) Do {
	switch s.state {
	case Accepted:
		if s.acked {
			return 0
		}
		s.acked = true
		s.stop(s.end)
		return Pass
	case Completed:
		s.state = Confirmed
		s.stop(now + t.T4) // timer I
		if s.reliable {
			return s.over(0)
		}
	}
	return 0
}

// Tick does what is due at now.
func (s *Server) Tick(now time.Duration, t *Timers) Do {
	if now >= s.end {
		if s.state == Completed && s.invite || s.state == Accepted && !s.acked {
			return s.over(Timeout) // timer H, or no ACK for the 2xx
		}
		return s.over(0)
	}
	if now < s.repeat {
		return 0
	}
	s.backOff(now, t.T2)
	return Send
}

func (s *Server) over(d Do) Do {
	s.state = Terminated
	s.stop(Never)
	return d | Done
}
