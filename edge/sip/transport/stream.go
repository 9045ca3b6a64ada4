package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"ringfence/edge/sip/message"
)

// stream cuts what a connection sends into messages. It belongs to the connection's reader goroutine.
type stream struct {
	c       *conn
	buf     []byte // read and not yet handled
	scanned int    // how much of buf is known to hold no end of headers
	need    int    // bytes that the message at the start of buf takes, once its headers are there
	slot    *Packet
	any     bool // a whole message has been read, or the connection is one that we dialled
	half    bool // the last thing read was one half of a ping

	until time.Time // when waiting ends
	alarm time.Time // when the connection's deadline wakes the reader: not after until. To set it for each message costs more than to wake up for nothing now and then
}

var (
	errFraming = errors.New("transport: the stream could not be followed")
	errSlow    = errors.New("transport: message not complete in time")
	errIdle    = errors.New("transport: idle")
	errBanned  = errors.New("transport: source banned")
)

// run reads until the connection ends. begun is the start of the present message, or of the wait for it.
func (s *stream) run(begun time.Time) error {
	for {
		s.deadline(begun)
		before := len(s.buf)
		if err := s.fill(); err != nil {
			if s.loose() && errors.Is(err, os.ErrDeadlineExceeded) {
				n := len(s.buf)
				s.buf, s.scanned, s.any, begun = s.buf[:0], 0, true, time.Now()
				if err := s.deliver(s.buf[:n]); err != nil {
					return err
				}
				continue
			}
			s.lastWord()
			return s.explain(err)
		}
		came := len(s.buf)
		if err := s.cut(); err != nil {
			return err
		}
		// Another message has begun, or nothing is under way. Before the first message the clock runs on: line breaks
		// alone do not keep a connection without a login open.
		if s.any && (before == 0 || len(s.buf) < came) {
			begun = time.Now()
		}
	}
}

// deadline allows MessageTimeout for a message that has begun and for the first one, IdleTimeout for the next to begin.
func (s *stream) deadline(begun time.Time) {
	d := s.c.t.cfg.MessageTimeout
	if s.any && len(s.buf) == 0 {
		d = s.c.t.cfg.IdleTimeout
	}
	if s.loose() {
		begun, d = time.Now(), loosePause
	}
	if s.until = begun.Add(d); s.alarm.IsZero() || s.until.Before(s.alarm) {
		s.wakeAt(s.until)
	}
}

func (s *stream) wakeAt(t time.Time) {
	s.alarm = t
	_ = s.c.nc.SetReadDeadline(t)
}

// loose says that what has come looks like a whole message, except for line ends of both kinds: it is one when nothing follows it. What does
// follow is not a message of its own, because an attacker may have smuggled a line break into a value.
func (s *stream) loose() bool {
	return s.need == 0 && len(s.buf) > 0 && s.buf[len(s.buf)-1] == '\n' && message.Cut(s.buf) == len(s.buf)
}

const loosePause = 500 * time.Millisecond

// lastWord delivers a message of which no more will come: the end of a call, although it is shorter than its Content-Length, and a message
// with line ends of both kinds, so that its sender gets an answer.
func (s *stream) lastWord() {
	n := 0
	switch {
	case message.Ends(s.buf):
		n = len(s.buf)
	case s.need == 0:
		n = message.Cut(s.buf)
	}
	if n > 0 && s.deliver(s.buf[:n]) == nil {
		s.c.flush()
	}
}

func (s *stream) explain(err error) error {
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		return err
	}
	if s.any && len(s.buf) == 0 {
		return errIdle
	}
	return errSlow
}

// fill reads once, making room for the message under way: its full length when that is known.
func (s *stream) fill() error {
	if len(s.buf) == cap(s.buf) {
		bigger := make([]byte, len(s.buf), min(max(2*cap(s.buf), s.need), message.MaxSize+smallBuf))
		if cap(bigger) == len(s.buf) {
			return errFraming
		}
		copy(bigger, s.buf)
		s.buf = bigger
	}
	n, err := s.c.nc.Read(s.buf[len(s.buf):cap(s.buf)])
	for n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(s.until) {
		s.wakeAt(s.until)
		n, err = s.c.nc.Read(s.buf[len(s.buf):cap(s.buf)])
	}
	s.buf = s.buf[:len(s.buf)+n]
	if n > 0 {
		if s.c.unheard.Load() != 0 {
			s.c.unheard.Store(0)
		}
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// cut handles all whole messages in the buffer.
func (s *stream) cut() error {
	at := 0
	for {
		at += s.keepAlives(s.buf[at:])
		rest := s.buf[at:]
		n, err := s.frame(rest)
		if err != nil {
			if n > 0 && s.deliver(rest[:n]) == nil {
				s.c.flush()
				s.c.linger()
			}
			return err
		}
		if n == 0 {
			break
		}
		s.any, s.scanned, s.need = true, 0, 0
		at += n
		if err := s.deliver(rest[:n]); err != nil {
			return err
		}
	}
	if at > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[at:])]
		s.shrink()
		if len(s.buf) == 0 {
			s.slot = rest(s.slot)
		}
	}
	return nil
}

// shrink lets a large buffer go once the message that needed it is through.
func (s *stream) shrink() {
	if cap(s.buf) > 4*smallBuf && len(s.buf) <= smallBuf {
		s.buf = append(make([]byte, 0, smallBuf), s.buf...)
	}
}

// keepAlives skips what stands between messages: line breaks, and the NULs and blanks that some phones send to keep a connection open.
// It answers each pair of line breaks, a ping, with one (RFC 5626 section 4.4.1).
func (s *stream) keepAlives(b []byte) int {
	at := 0
	for s.need == 0 && s.scanned == 0 && at < len(b) {
		switch b[at] {
		case '\r':
			if at+1 == len(b) {
				return at // a line feed may follow
			}
			if b[at+1] == '\n' {
				at += 2
				s.lineBreak()
				continue
			}
		case '\n', 0, ' ', '\t':
		default:
			s.half = false
			return at
		}
		at++
		s.half = false
	}
	return at
}

// lineBreak counts one between messages: every second one in a row is a ping.
func (s *stream) lineBreak() {
	if s.half = !s.half; !s.half {
		_ = s.c.send(outgoing{b: pong, quiet: true})
	}
}

var pong = []byte("\r\n")

// frame returns the length of the message at the start of b, 0 when it is not all there. It looks at no byte twice
// before the end of the headers is found, so that a sender of single bytes costs no more than their number.
func (s *stream) frame(b []byte) (int, error) {
	if len(b) < 2 && s.scanned == 0 {
		return 0, nil // may yet be a line break
	}
	if s.need == 0 {
		if _, end := message.HeadEnd(b, s.scanned); end < 0 {
			s.scanned = len(b)
			if len(b) > message.MaxSize {
				return 0, errFraming
			}
			return 0, nil
		}
		n, need, fault := message.Frame(b)
		if fault != nil {
			return n, errFraming
		}
		if s.need = need; n > 0 {
			return n, nil
		}
	}
	if len(b) < s.need {
		return 0, nil
	}
	n, _, fault := message.Frame(b)
	if fault != nil {
		return n, errFraming
	}
	return n, nil
}

func (s *stream) deliver(b []byte) error { return s.c.deliver(&s.slot, b) }
