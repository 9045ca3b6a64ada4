package sip

import (
	"context"
	"crypto/rand"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/account"
	"ringfence/edge/sip/locate"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
)

// A carrier's server that does not answer at all costs each call the time of sip.trunk-silence. So it is left out for a while, longer each time,
// and asked by OPTIONS meanwhile, which is the only time that a carrier is asked unless the operator wants it: whatever it answers, it is back.
// It is called nevertheless when nothing else is left: once by an ordinary call, always by an emergency call. A server that asks for a pause (503 with
// Retry-After) gets it, is not asked meanwhile, and is called by emergency calls alone.

// LeftOut is a server of a trunk that calls pass over.
type LeftOut struct {
	Trunk string // identity
	At    netip.AddrPort
	Over  transport.Proto
	Since time.Time // when it failed to answer the first time
	Until time.Time // when calls try it again, if it does not answer before
	Asked bool      // it asked for that time itself
}

// How long a server is left out: twice as long each time, until it answers. Between questions the pauses grow too.
const (
	leastLeftOut, mostLeftOut = 30 * time.Second, 10 * time.Minute
	firstProbe, longestProbe  = 2 * time.Second, time.Minute
	maxLeftOut                = 1024 // servers that are remembered
)

// probeID begins the Call-IDs of our questions.
const probeID = "opt-"

// avoided are the servers that did not answer. Safe for concurrent use.
type avoided struct {
	e    *Edge
	some atomic.Bool // there is one: calls need no lock while there is none

	mu   sync.Mutex // owns all below
	all  map[locate.Target]*silence
	asks map[string]*silence // by Call-ID
}

// silence is a server that does not answer, from its first failure until it answers. The lock of avoided owns it.
type silence struct {
	is      LeftOut
	to      transport.Dest
	uri     string
	times   int // it failed
	probing bool
	callID  string
	branch  string // of the latest question
	stop    context.CancelFunc
}

func newAvoided(e *Edge) *avoided {
	return &avoided{e: e, all: map[locate.Target]*silence{}, asks: map[string]*silence{}}
}

// leavesOut says whether calls are to pass over a server now, and whether it has asked for that itself.
func (a *avoided) leavesOut(t locate.Target, now time.Time) (yes, asked bool) {
	if !a.some.Load() {
		return false, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.all[t]
	if s == nil || !now.Before(s.is.Until) {
		return false, false
	}
	return true, s.is.Asked
}

// silent takes note that a server did not answer an INVITE at all.
func (a *avoided) silent(trunk string, to transport.Dest, uri string, now time.Time) {
	t := locate.Target{Addr: to.Addr, Proto: to.Proto}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.all[t]
	switch {
	case s == nil && len(a.all) >= maxLeftOut:
		return
	case s == nil || s.is.Asked && !now.Before(s.is.Until):
		s = &silence{is: LeftOut{Trunk: trunk, At: to.Addr, Over: to.Proto, Since: now}, to: to, uri: uri}
		a.all[t] = s
		a.some.Store(true)
	case now.Before(s.is.Until): // calls that began together
		return
	}
	s.is.Until = now.Add(min(leastLeftOut<<min(s.times, 8), mostLeftOut))
	s.times++
	a.e.log.Warn("a carrier's server does not answer, and is left out", "trunk", account.Handle(trunk), "address", to.Addr.String(), "until", s.is.Until.UTC().Format(time.RFC3339))
	if !s.probing {
		s.probing, s.callID = true, probeID+rand.Text()
		a.asks[s.callID] = s
		var ctx context.Context
		ctx, s.stop = context.WithCancel(a.e.ctx)
		go a.probe(ctx, s)
	}
}

// hears takes note that a carrier's server has answered something, and with a 503 perhaps for how long it wants no calls (RFC 3261 section 21.5.4).
func (a *avoided) hears(c *client, m *message.Message, now time.Time) {
	to := c.to
	if c.udp.Addr.IsValid() { // whatever carried it
		to = c.udp
	}
	if after, ok := m.RetryAfter(); ok && after > 0 && m.Status() == 503 && c.why == forInvite {
		a.pauses(c.leg.trunk, to, min(time.Duration(after)*time.Second, mostLeftOut), now)
		return
	}
	a.answers(to, now)
}

// pauses leaves a server out for as long as it asks for.
func (a *avoided) pauses(trunk string, to transport.Dest, pause time.Duration, now time.Time) {
	t := locate.Target{Addr: to.Addr, Proto: to.Proto}
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.all[t]
	if was == nil && len(a.all) >= maxLeftOut || was.pausesUntil(now.Add(pause)) {
		return
	}
	if was != nil {
		a.forget(was)
	}
	s := &silence{is: LeftOut{Trunk: trunk, At: to.Addr, Over: to.Proto, Since: now, Until: now.Add(pause), Asked: true}, to: to}
	a.all[t] = s
	a.some.Store(true)
	a.e.log.Warn("a carrier's server asks for no calls, and is left out", "trunk", account.Handle(trunk), "address", to.Addr.String(), "until", s.is.Until.UTC().Format(time.RFC3339))
}

// pausesUntil says that a server has asked for a pause that lasts at least until then.
func (s *silence) pausesUntil(then time.Time) bool {
	return s != nil && s.is.Asked && !s.is.Until.Before(then)
}

// answers takes a server back: it has answered something, and has not asked for a pause.
func (a *avoided) answers(to transport.Dest, now time.Time) {
	if !a.some.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.all[locate.Target{Addr: to.Addr, Proto: to.Proto}]; s != nil && !s.pausesUntil(now) {
		a.takeBack(s)
	}
}

// takeBack is answers with mu held.
func (a *avoided) takeBack(s *silence) {
	a.forget(s)
	a.e.log.Info("a carrier's server answers again", "trunk", account.Handle(s.is.Trunk), "address", s.is.At.String())
}

// forget takes a server out of the memory, with mu held.
func (a *avoided) forget(s *silence) {
	delete(a.all, locate.Target{Addr: s.is.At, Proto: s.is.Over})
	delete(a.asks, s.callID)
	a.some.Store(len(a.all) > 0)
	if s.stop != nil {
		s.stop()
	}
}

// probe asks a server while it is left out.
func (a *avoided) probe(ctx context.Context, s *silence) {
	for wait, seq := firstProbe, uint32(1); ; wait, seq = min(2*wait, longestProbe), seq+1 {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		a.mu.Lock()
		over := !time.Now().Before(s.is.Until)
		if over { // the next call tries it
			s.probing = false
			delete(a.asks, s.callID)
			a.mu.Unlock()
			return
		}
		s.branch = branchPrefix + rand.Text()
		out := a.e.question(s, seq)
		a.mu.Unlock()
		a.e.send(s.to, out, 0)
	}
}

// question is OPTIONS outside of any dialog (RFC 3261 11).
func (e *Edge) question(s *silence, seq uint32) []byte {
	here, over := e.localAddr(s.to)
	us := "sip:ringfence@" + here.String()
	contact := us
	if over != transport.UDP {
		contact += ";transport=" + over.Small()
	}
	var w message.Writer
	w.Begin(nil)
	w.Request(message.OPTIONS, []byte(s.uri))
	w.Via(s.to.Proto.String(), here.String(), []byte(s.branch))
	w.AddInt(message.HMaxForwards, 70)
	w.Addr(message.HFrom, nil, []byte(us), []byte(rand.Text()[:16]))
	w.Addr(message.HTo, nil, []byte(s.uri), nil)
	w.AddString(message.HCallID, s.callID)
	w.CSeq(seq, message.OPTIONS)
	w.Addr(message.HContact, nil, []byte(contact), nil)
	w.AddString(message.HAccept, "application/sdp")
	w.AddString(message.HUserAgent, agent)
	return w.End("", nil)
}

// take takes an answer to a question. One that says that nobody is behind the server, or that it is overloaded, changes nothing.
func (a *avoided) take(p *transport.Packet) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.asks[string(p.Msg.CallID())]
	if s == nil || p.Src.Addr() != s.is.At.Addr() || string(p.Msg.Via().Branch) != s.branch {
		return
	}
	if status := p.Msg.Status(); status < 200 || status == 408 || status == 503 {
		return
	}
	a.takeBack(s)
}

// isProbe says that a response is to a question of ours.
func isProbe(m *message.Message) bool {
	return m.CSeqMethod() == message.OPTIONS && strings.HasPrefix(string(m.CallID()), probeID)
}

// LeftOut are the servers of carriers that calls pass over at the moment, by trunk.
func (e *Edge) LeftOut() map[string][]LeftOut {
	out := map[string][]LeftOut{}
	now := time.Now()
	e.avoided.mu.Lock()
	defer e.avoided.mu.Unlock()
	for _, s := range e.avoided.all {
		if now.Before(s.is.Until) {
			out[s.is.Trunk] = append(out[s.is.Trunk], s.is)
		}
	}
	for _, all := range out {
		slices.SortFunc(all, func(x, y LeftOut) int { return x.At.Compare(y.At) })
	}
	return out
}
