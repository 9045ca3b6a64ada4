package sip

import (
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
)

// pulse notices that the process stood still: it, or its machine, was suspended. Packets wait in the sockets meanwhile, and when they are
// read it is unknown when they arrived. The monotonic clock continues while a process is stopped.
type pulse struct {
	mu         sync.Mutex // owns all below
	last       time.Time  // when the process was last known to run
	from, woke time.Time  // the latest time that it stood still
}

const (
	beat       = 250 * time.Millisecond
	standstill = 2 * time.Second // a beat that is late by less is a busy machine's
	catchUp    = time.Second     // until the sockets have been read
)

// beats keeps the pulse until the edge stops.
func (e *Edge) beats() {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.pulse.age(time.Now())
		case <-e.ctx.Done():
			return
		}
	}
}

// age is for how long what is read now may have waited: since the process stood still, when it has only just woken; else 0.
func (p *pulse) age(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.last) > standstill {
		p.from, p.woke = p.last, now
	}
	if now.After(p.last) {
		p.last = now
	}
	if now.Sub(p.woke) > catchUp {
		return 0
	}
	return now.Sub(p.from)
}

// wokeAt is when the process last woke.
func (p *pulse) wokeAt() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.woke
}

// afterStandstill gives each BYE that waits for its answer some time again: while the process stood still it sent none, and a peer that would have
// taken the next one kept its leg up. A restart gives as much.
func (s *shard) afterStandstill() {
	woke := s.e.pulse.wokeAt()
	if woke.Equal(s.woke) {
		return
	}
	s.woke = woke
	for _, b := range s.timers {
		for _, l := range b.all {
			l.byeLonger()
		}
	}
}

// doubt is for how long before now a party may have been ending the call: not since it answered what we sent it.
func (b *bridge) doubt(end *ending) time.Duration {
	if end.by == call.System && end.why != policy.PeerGone { // we do
		return 0
	}
	age := b.s.e.pulse.age(b.s.wall)
	for _, l := range b.all {
		if end.by != call.System && b.party(l) == end.by {
			age = min(age, b.s.wall.Sub(l.thereAt))
		}
	}
	return age
}
