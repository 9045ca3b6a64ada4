package voice

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"ringfence/core/money"
)

// Session is one question to one caller. Its methods return immediately.
type Session struct {
	v    *Voice
	q    Question
	done func(Result)
	conn net.PacketConn
	here netip.AddrPort
	peer netip.Addr // where the caller's signalling comes from
	quit chan struct{}
	once sync.Once

	mu      sync.Mutex // owns all below
	h       heard
	talks   bool           // h is known
	to      netip.AddrPort // where its audio comes from; zero: none has come
	began   bool
	ended   bool // there is an outcome, or the session is closed
	closed  bool
	version int
	id      uint64

	queue  []byte // µ-law that is still to be sent
	asked  bool   // the digits have been spoken, so that the caller can know them
	said   int    // how often the question was put
	quiet  int    // frames since the end of speech, or the last key
	frames int    // since the beginning
	last   *Result

	typed   string
	byEvent bool   // keys come as events, or by signalling: tones are not listened to
	event   uint32 // timestamp of the event that was taken last
	events  bool   // there was one
	ears    listener
	result  Result
	budget  int // packets that may still be read in this frame

	ringing bool
	tone    int // sample of the ringing tone

	seq         uint16
	stamp, ssrc uint32
	speaking    bool // the last frame was sent
	out         []byte
}

const (
	frameTime = 20 * time.Millisecond
	pause     = 5 * 50 // frames of silence before the question is put again
	most      = 3      // times
	maxReads  = 10     // packets a frame: beyond that they are dropped
)

// takes reads where to send, and what.
func (s *Session) takes(h heard) {
	if a := h.to.Addr(); a != s.peer && (nowhere(a) || a.IsPrivate() && !s.peer.IsPrivate() && !s.peer.IsLoopback()) { // behind a router that translates addresses: its audio will show where it is
		h.to = netip.AddrPortFrom(s.peer, h.to.Port())
	}
	s.h, s.talks = h, true
}

// nowhere says that no caller is at an address: audio that goes there would reach this machine's own services, or many others.
func nowhere(a netip.Addr) bool {
	return a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// Answer takes the answer to our offer.
func (s *Session) Answer(sdp []byte) error {
	h, err := readSDP(sdp)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes(h)
	return nil
}

// Reoffer takes an offer of the caller inside the dialog, and returns the answer.
func (s *Session) Reoffer(offer []byte) (sdp []byte, err error) {
	h, err := readSDP(offer)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.to != s.h.to {
		s.to = netip.AddrPort{} // audio will come from elsewhere
	}
	s.takes(h)
	s.version++
	return ours(&h, s.here, s.id, s.version), nil
}

// Begin begins to speak.
func (s *Session) Begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began || s.closed {
		return
	}
	s.began, s.budget = true, maxReads
	s.put(s.q.price(money.Billing().Code))
	go s.speak()
}

// Press takes a key that came by signalling.
func (s *Session) Press(key byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byEvent = true
	s.pressed(key)
}

// Wrong is how many wrong answers there were so far.
func (s *Session) Wrong() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.result.Wrong
}

// Ring plays the ringing tone until Close: the call goes on, and the callee has not answered yet.
func (s *Session) Ring() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ringing, s.queue = true, nil
}

// Close ends the session.
func (s *Session) Close() {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed, s.ended = true, true
		s.mu.Unlock()
		close(s.quit)
		_ = s.conn.Close()
		s.v.leave(s)
	})
}

// put puts the question: what it says first, and then what to press. With mu.
func (s *Session) put(first []string) {
	s.queue = s.queue[:0]
	s.say(first)
	s.say(s.q.press())
	s.typed, s.quiet = "", 0
	s.said++
}

// say appends words to what is to be sent. With mu.
func (s *Session) say(words []string) {
	for _, word := range words {
		s.queue = append(s.queue, s.v.clips[word]...)
	}
}

// speak sends a frame every 20 ms, and lets the time of the question pass.
func (s *Session) speak() {
	next := time.Now()
	for {
		next = next.Add(frameTime)
		if wait := time.Until(next); wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-s.quit:
				timer.Stop()
				return
			case <-timer.C:
			}
		} else if wait < -time.Second { // the process stood still: what is missing is not made up for
			next = time.Now()
		}
		select {
		case <-s.quit:
			return
		default:
		}
		if r := s.step(); r != nil {
			s.done(*r)
		}
	}
}

// step is one frame. It returns the result once there is one.
func (s *Session) step() *Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames++
	s.budget = maxReads
	s.frame()
	if s.ended {
		return nil
	}
	if !s.asked && len(s.queue) == 0 {
		s.asked = true
	}
	switch limit := int(s.q.Limit / frameTime); {
	case s.last != nil && len(s.queue) == 0: // its last words are spoken
		s.ended = true
		return s.last
	case s.last != nil:
		return nil
	case s.frames >= limit:
		return s.ends(Silent)
	case len(s.queue) > 0:
		return nil
	}
	if s.quiet++; s.quiet < pause {
		return nil
	}
	if s.said >= most {
		return s.ends(Silent)
	}
	s.put(s.q.price(money.Billing().Code))
	return nil
}

// ends has an outcome at once. With mu.
func (s *Session) ends(o Outcome) *Result {
	if o == Silent && s.result.Wrong > 0 {
		o = Wrong
	}
	s.result.Outcome = o
	s.ended = true
	r := s.result
	return &r
}

// pressed takes a key. With mu.
func (s *Session) pressed(key byte) {
	if s.ended || s.last != nil || !s.began {
		return
	}
	if !s.asked && len(s.q.Press) > 1 {
		s.result.Hasty++
		return
	}
	s.quiet = 0
	switch {
	case key == '*':
		s.typed = ""
		return
	case key < '0' || key > '9':
		return
	}
	s.queue = s.queue[:0]
	if s.typed += string(key); len(s.typed) < len(s.q.Press) {
		return
	}
	switch right := s.typed == s.q.Press; {
	case right:
		s.result.Outcome = Passed
		r := s.result
		s.last = &r
	case s.result.Wrong+1 >= s.q.Tries:
		s.result.Wrong++
		s.result.Outcome = Wrong
		r := s.result
		s.last = &r
		s.say([]string{"wrong", "goodbye"})
	default:
		s.result.Wrong++
		s.put([]string{"wrong"})
		s.said--
	}
}

// frame sends 20 ms of audio, if there is something to say and somebody to hear it. With mu.
func (s *Session) frame() {
	s.stamp += frame
	if !s.talks || s.h.silent() {
		s.speaking = false
		return
	}
	to := s.h.to
	if s.to.IsValid() {
		to = s.to
	}
	s.out = appendRTP(s.out[:0], s.h.codec, !s.speaking, s.seq, s.stamp, s.ssrc)
	s.seq++
	s.speaking = true
	for range frame {
		u := byte(0xff) // silence
		switch {
		case s.ringing:
			u = ringingTone[s.tone]
			s.tone = (s.tone + 1) % len(ringingTone)
		case len(s.queue) > 0:
			u, s.queue = s.queue[0], s.queue[1:]
		}
		if s.h.alaw {
			u = toALaw[u]
		}
		s.out = append(s.out, u)
	}
	_, _ = s.conn.WriteTo(s.out, net.UDPAddrFromAddrPort(to))
}

// read takes packets until the socket is closed.
func (s *Session) read() {
	room := make([]byte, 2048)
	for {
		n, from, err := s.conn.ReadFrom(room)
		if err != nil {
			return
		}
		a, ok := from.(*net.UDPAddr)
		if !ok {
			continue
		}
		at := a.AddrPort()
		s.take(room[:n], netip.AddrPortFrom(at.Addr().Unmap(), at.Port()))
	}
}

// take takes a packet. Only the caller is listened to: who sends from where its session description or its signalling is, and then from one port.
func (s *Session) take(b []byte, from netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := parseRTP(b)
	if !ok || !s.talks || s.ended || p.payload != s.h.codec && (s.h.keys == 0 || p.payload != s.h.keys) {
		return
	}
	switch {
	case s.to.IsValid() && from != s.to:
		return
	case from.Addr() != s.h.to.Addr() && from.Addr() != s.peer:
		return
	}
	if s.budget--; s.budget < 0 && s.began {
		return
	}
	s.to, s.result.Heard = from, true
	if p.payload == s.h.keys && s.h.keys != 0 {
		s.eventCame(&p)
		return
	}
	s.audioCame(p.body)
}

// eventCame takes a telephone event. It is repeated while the key is down, always with the same timestamp.
func (s *Session) eventCame(p *packetIn) {
	key, ok := parseEvent(p.body)
	if !ok || s.events && int32(p.timestamp-s.event) <= 0 {
		return
	}
	s.events, s.byEvent, s.event = true, true, p.timestamp
	s.pressed(key)
}

// audioCame listens for keys in audio, unless they come otherwise.
func (s *Session) audioCame(body []byte) {
	if s.byEvent || !s.began {
		return
	}
	table := &fromULaw
	if s.h.alaw {
		table = &fromALaw
	}
	var samples [frame]int16
	for len(body) > 0 {
		n := min(len(body), frame)
		for i, b := range body[:n] {
			samples[i] = table[b]
		}
		s.ears.hear(samples[:n], s.pressed)
		body = body[n:]
	}
}
