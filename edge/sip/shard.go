package sip

import (
	"container/heap"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	crand "crypto/rand"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
)

// maxQueue bounds what waits for a shard: beyond it packets are dropped as the network would.
const maxQueue = 4096

// shard is a mailbox with the calls it owns. A goroutine that brings work to an idle shard does it itself, immediately; meanwhile
// others only queue theirs. So at most one goroutine is inside at any time, work is done in order of arrival, and a lightly loaded
// edge never switches goroutines.
type shard struct {
	e     *Edge
	index int

	mu     sync.Mutex // owns queue, busy, closed
	queue  []job
	busy   bool // a goroutine is inside
	closed bool

	// All below belongs to the goroutine that is inside.

	spare    []job
	now      time.Duration // since Edge.began
	wall     time.Time
	random   *rand.ChaCha8
	uas      map[string]*leg // by Call-ID: they sent the INVITE
	uac      map[string]*leg // by Call-ID: we sent it
	byID     map[call.ID]*bridge
	tokens   map[uint64]*client // requests on connections, whose failure the transport reports
	asking   int                // questions to the gate without an answer yet
	early    map[call.ID]earlyCut
	sought   map[string]bool // Call-IDs that other nodes were asked for
	waiters  []func()        // called when no call is being set up and no question is open
	timers   timers
	armed    time.Duration // what timer is set to
	woke     time.Time     // the last standstill that deadlines were moved for
	resumes  time.Duration // no deadline is kept before this: the process stood still, and has yet to read what waited
	timer    *time.Timer
	accepted accepted
	w        message.Writer
	msg      message.Message // our own requests, parsed again
	room     []byte          // scratch for messages that are sent once
	lines    []byte          // scratch for header lines of such a message
	cur      *bridge
	kept     atomic.Int64
}

// job is a packet, or something to do.
type job struct {
	p *transport.Packet
	f func()
}

// earlyCut is a cut that came before the shard knew the call: the gate admits and cuts on other goroutines.
type earlyCut struct {
	why policy.Reason
	f   policy.Figures
}

func newShard(e *Edge, index int) *shard {
	var seed [32]byte
	crand.Read(seed[:]) // never fails, by its documentation
	s := &shard{
		e: e, index: index, random: rand.NewChaCha8(seed), armed: transaction.Never,
		uas: map[string]*leg{}, uac: map[string]*leg{}, byID: map[call.ID]*bridge{}, tokens: map[uint64]*client{},
		early: map[call.ID]earlyCut{}, sought: map[string]bool{}, room: make([]byte, 0, 2048),
	}
	return s
}

// packet takes a packet from its reader.
func (s *shard) packet(p *transport.Packet) { s.take(job{p: p}) }

// post takes something to do. It is never dropped: the number of calls bounds how much is posted.
func (s *shard) post(f func()) { s.take(job{f: f}) }

// take runs a job immediately if the shard is idle, and queues it otherwise.
func (s *shard) take(j job) {
	s.mu.Lock()
	if s.busy || s.closed {
		if !s.closed && (j.p == nil || len(s.queue) < maxQueue) {
			if j.p != nil {
				j.p.Keep()
			}
			s.queue = append(s.queue, j)
		}
		s.mu.Unlock()
		return
	}
	s.busy = true
	s.mu.Unlock()
	s.work(j)
	s.drain()
}

// drain works until the queue is empty and leaves the shard.
func (s *shard) drain() {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.arm()
			s.busy = false
			s.mu.Unlock()
			return
		}
		batch := s.queue
		s.queue = s.spare[:0]
		s.mu.Unlock()
		for i := range batch {
			s.work(batch[i])
			if p := batch[i].p; p != nil {
				p.Release()
			}
			batch[i] = job{}
		}
		s.spare = batch
		if cap(batch) > 1024 {
			s.spare = nil
		}
	}
}

// work does one job. A panic ends the call that was being handled, and nothing else.
func (s *shard) work(j job) {
	s.cur = nil
	defer s.guard()
	s.wall = time.Now()
	s.now = s.wall.Sub(s.e.began)
	switch {
	case j.f != nil:
		j.f()
	case j.p.Msg.IsRequest():
		s.request(j.p)
	default:
		s.response(j.p)
	}
	if b := s.cur; b != nil {
		s.settle(b)
	}
}

func (s *shard) guard() {
	what := recover()
	if what == nil {
		return
	}
	s.e.stats.panics.Add(1)
	s.e.log.Error("panic in a call", "panic", what, "stack", string(debug.Stack()))
	b := s.cur
	if b == nil {
		return
	}
	defer func() {
		if recover() != nil { // hanging up panicked too
			s.abandon(b)
		}
	}()
	if b.state == over { // it has been hung up already, and must not panic again and again
		s.abandon(b)
		return
	}
	b.finish(ending{by: call.System, why: policy.Fault, status: 500})
	s.settle(b)
}

// abandon forgets a call and sends nothing more for it. The gate learns that it ended, but not that its legs are over: its
// audit returns the call to be hung up.
func (s *shard) abandon(b *bridge) {
	defer func() { _ = recover() }()
	if b.state != over {
		b.state = over
		b.leave()
		s.kept.Add(1)
	}
	s.forget(b)
	b.reportEnd()
}

// close ends the shard: nothing is done after it.
func (s *shard) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, j := range s.queue {
		if j.p != nil {
			j.p.Release()
		}
	}
	s.queue = nil
	if s.timer != nil {
		s.timer.Stop()
	}
}

// arm sets the one timer of the shard to the first deadline. Called inside, with mu held.
func (s *shard) arm() {
	next := max(s.timers.first(), s.resumes)
	if next == s.armed || s.closed {
		return
	}
	s.armed = next
	if next == transaction.Never {
		s.timer.Stop()
		return
	}
	wait := max(next-time.Since(s.e.began), 0)
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, func() { s.post(s.tick) })
		return
	}
	s.timer.Reset(wait)
}

// tick does what is due. After a standstill it first lets what waited in the sockets be read: a peer that seems to have been silent for
// too long may have spoken, and another node may have the calls.
func (s *shard) tick() {
	s.armed = transaction.Never
	waits := s.e.pulse.age(s.wall) > 0
	s.afterStandstill()
	if waits || s.e.o.Away != nil && s.e.o.Away() {
		s.resumes = s.now + beat
		return
	}
	for len(s.timers) > 0 && s.timers[0].at <= s.now {
		b := s.timers[0]
		s.cur = b
		if b.deadline() <= s.now {
			b.tick()
		}
		s.settle(b)
	}
	s.cur = nil
}

// settle is done after each event of a call: it plans the call's next deadline, and forgets the call when all is over.
func (s *shard) settle(b *bridge) {
	if b.gone {
		return
	}
	b.sweep()
	b.reportOver()
	b.reportPriced()
	if b.state == over && !b.busy && (b.clear || b.id == "") && (b.idle() || s.kept.Load() > s.e.mayKeep()) {
		s.forget(b)
	} else {
		s.timers.plan(b, s.e.coarse(b.deadline(), s.now), s.now)
	}
	if b.state >= talking {
		s.wake()
	}
}

// coarse moves a deadline to the next of few instants, so that one wake-up serves many calls: waking costs more than what
// is done then. Deadlines far off are moved further.
func (e *Edge) coarse(at, now time.Duration) time.Duration {
	grain := e.o.Grain
	if grain <= 0 || at == transaction.Never {
		return at
	}
	if at-now > 40*grain {
		grain *= 10
	}
	return (at + grain - 1) / grain * grain
}

// mayKeep bounds the calls of a shard that are over and kept for repeats of their last packets, some 30 s each.
func (e *Edge) mayKeep() int64 { return int64(1024 + 2*e.o.MaxCalls/len(e.shards)) }

// ask runs a question to the gate, which may block, outside the shard, and brings the answer back.
func (s *shard) ask(b *bridge, question func() (answer func())) {
	s.asking++
	b.busy = true
	s.e.beside(func() {
		answer := s.e.guarded(b, question)
		s.post(func() {
			s.asking--
			b.busy = false
			s.cur = b
			defer func() {
				if s.asking == 0 {
					clear(s.early)
				}
				s.wake()
			}()
			answer()
		})
	})
}

// askGate asks the gate: outside the shard when the gate may wait for a disk, inside it otherwise.
func (s *shard) askGate(b *bridge, question func() (answer func())) {
	if !s.e.o.Prompt {
		s.ask(b, question)
		return
	}
	s.e.guarded(b, question)()
}

// maxSpare bounds the goroutines that wait for the next question.
const maxSpare = 64

// beside runs f on another goroutine: one that has just answered, whose stack has grown already, or a new one.
func (e *Edge) beside(f func()) {
	select {
	case e.work <- f:
	default:
		go e.worker(f)
	}
}

func (e *Edge) worker(f func()) {
	for f != nil {
		f()
		if e.spare.Add(1) > maxSpare {
			f = nil
		} else {
			select {
			case f = <-e.work:
			case <-e.ctx.Done():
				f = nil
			}
		}
		e.spare.Add(-1)
	}
}

// guarded asks, and turns a panic in the gate into the end of this call.
func (e *Edge) guarded(b *bridge, question func() (answer func())) (answer func()) {
	defer func() {
		if what := recover(); what != nil {
			e.stats.panics.Add(1)
			e.log.Error("panic in a question to the gate", "panic", what, "stack", string(debug.Stack()))
			answer = func() {
				b.finish(ending{by: call.System, why: policy.Fault, status: 500})
				b.reportEnd()
			}
		}
	}()
	return question()
}

// wake calls those who wait for the shard to be idle.
func (s *shard) wake() {
	if len(s.waiters) == 0 || !s.idle() {
		return
	}
	for _, f := range s.waiters {
		f()
	}
	s.waiters = nil
}

// idle says that no question is open and no call is being set up.
func (s *shard) idle() bool {
	if s.asking > 0 {
		return false
	}
	for _, l := range s.uas {
		if l.b.state < talking {
			return false
		}
	}
	return true
}

// whenIdle calls f once the shard is idle.
func (s *shard) whenIdle(f func()) {
	s.waiters = append(s.waiters, f)
	s.wake()
}

// timers is a heap of calls by deadline. A deadline that moves later is not moved in the heap: it is looked at again
// when the old one comes.
type timers []*bridge

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at < t[j].at }

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].slot, t[j].slot = i+1, j+1
}

// Push is heap.Interface's.
func (t *timers) Push(x any) {
	b := x.(*bridge)
	*t = append(*t, b)
	b.slot = len(*t)
}

// Pop takes the last one off.
func (t *timers) Pop() any {
	h, last := *t, len(*t)-1
	b := h[last]
	h[last], b.slot = nil, 0
	*t = h[:last]
	return b
}

func (t timers) first() time.Duration {
	if len(t) == 0 {
		return transaction.Never
	}
	return t[0].at
}

// plan sets b's deadline to at. What lies in the past is left for tick to find.
func (t *timers) plan(b *bridge, at, now time.Duration) {
	switch {
	case b.slot == 0 && at == transaction.Never:
	case b.slot == 0:
		b.at = at
		heap.Push(t, b)
	case at < b.at:
		b.at = at
		heap.Fix(t, b.slot-1)
	case b.at <= now: // its deadline has passed
		if at == transaction.Never {
			t.remove(b)
			return
		}
		b.at = max(at, now+time.Millisecond) // always later: tick must come to an end
		heap.Fix(t, b.slot-1)
	}
}

func (t *timers) remove(b *bridge) {
	if b.slot > 0 {
		heap.Remove(t, b.slot-1)
	}
}

// unconfirmed says that a call which is over still waits for an answer to something that was sent for it.
func (s *shard) unconfirmed() bool {
	for _, b := range s.byID {
		if b.state == over && !b.clear && b.lingers <= s.now {
			return true
		}
	}
	return false
}
