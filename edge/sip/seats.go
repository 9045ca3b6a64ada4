package sip

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/internal/fair"
	"ringfence/edge/sip/transport"
	"ringfence/flow/door"
	"ringfence/flow/gate"
)

// seatKind says which calls a call counts with.
type seatKind uint8

const (
	noSeat   seatKind = iota // not counted, or no longer
	ordinary                 // placed by a line
	helpSeat                 // an emergency call
	inbound                  // came in over a trunk
)

// seat is a call's place among those that share a bound. It belongs to seats.mu.
type seat struct {
	kind     seatKind
	line     string       // helpSeat: who calls, "" is not logged in; inbound: who is rung, while that lasts
	at       netip.Prefix // helpSeat: from where (IPv6: the /64)
	trunk    string       // inbound
	unproven *list.Element
}

// seats share out the calls that this node carries, so that no kind of call can displace the others: emergency calls have
// their own, each trunk has a share for inbound calls, and each line a number of calls that may ring it. There is one lock: it is held
// for a few map look-ups, when a call begins and when it ends.
type seats struct {
	e *Edge

	mu    sync.Mutex
	calls int // guarded by mu, as is all below: calls without emergency calls
	in    int // of these, inbound ones

	help   int                  // emergency calls
	helpBy map[string]int       // by line
	helpAt map[netip.Prefix]int // by address, all of them

	trunks  map[string]*trunkSeats
	ringing map[string]int // by called line: inbound calls that are not answered
}

type trunkSeats struct {
	n        int
	unproven list.List // of *bridge: neither confirmed by the carrier nor acknowledged, the longest-ringing first
}

func newSeats(e *Edge) *seats {
	return &seats{e: e, helpBy: map[string]int{}, helpAt: map[netip.Prefix]int{}, trunks: map[string]*trunkSeats{}, ringing: map[string]int{}}
}

// full says whether there is no room for ordinary calls: the gate then refuses them; far beyond that, the edge does.
func (t *seats) full() (full, farBeyond bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	most := t.e.o.MaxCalls
	return t.calls >= most, t.calls > most+most/10
}

// takeOrdinary enters a call placed by a line.
func (t *seats) takeOrdinary(b *bridge) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	b.seat = seat{kind: ordinary}
}

// leave gives a call's seat back, once.
func (t *seats) leave(b *bridge) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(b)
}

// drop is leave with mu held.
func (t *seats) drop(b *bridge) {
	k := &b.seat
	switch k.kind {
	case noSeat:
		return
	case ordinary:
		t.calls--
	case helpSeat:
		t.help--
		less(t.helpBy, k.line)
		less(t.helpAt, k.at)
	case inbound:
		t.calls--
		t.in--
		t.stopRinging(b)
		if of := t.trunks[k.trunk]; of != nil {
			of.n--
		}
	}
	*k = seat{}
}

func less[K comparable](m map[K]int, k K) {
	if m[k]--; m[k] <= 0 {
		delete(m, k)
	}
}

// stopRinging takes a call out of those that ring. The caller holds mu.
func (t *seats) stopRinging(b *bridge) {
	k := &b.seat
	if of := t.trunks[k.trunk]; of != nil && k.unproven != nil {
		of.unproven.Remove(k.unproven)
		k.unproven = nil
	}
	if k.line != "" {
		less(t.ringing, k.line)
		k.line = ""
	}
}

// Rules of emergency calls. Up to nine tenths of MaxEmergency every one is taken. From there on callers that are not logged
// in are refused first, then the line with the most; when all is full, also every line that has its even share. But never a
// line below its own max-calls, nor an address with fewer than three: they are taken even beyond the capacity.
const (
	freeOfAddress = 3
	unusual       = 10 // concurrent emergency calls of one line or address at which staff are notified, and at each doubling
)

// takeHelp enters an emergency call, or says that there is no room for it. line is "" when the caller has not logged in; most is
// the line's own max-calls.
func (t *seats) takeHelp(b *bridge, line string, from netip.Addr, most int) bool {
	at := fair.Address(from)
	t.mu.Lock()
	ok := t.mayHelp(line, at, most)
	if ok {
		t.enterHelp(b, line, at)
	}
	c := gate.Crowd{Line: line, Source: from, Open: t.helpAt[at], All: t.help, Most: t.e.o.MaxEmergency, Refused: !ok}
	byLine, byAddress := t.helpBy[line], t.helpAt[at]
	tight := t.help >= t.tight()
	t.mu.Unlock()
	if line != "" {
		c.Open = byLine
	}
	if !ok || doubled(c.Open) || doubled(byAddress) || tight && ok && c.All == t.tight() {
		t.e.door.Notify("", c)
	}
	return ok
}

func (t *seats) tight() int { return t.e.o.MaxEmergency - t.e.o.MaxEmergency/10 }

// doubled says that a number is unusual, or twice the last such number.
func doubled(n int) bool {
	for ; n > unusual && n%2 == 0; n /= 2 {
	}
	return n == unusual
}

// enterHelp counts an emergency call. The caller holds mu.
func (t *seats) enterHelp(b *bridge, line string, at netip.Prefix) {
	t.help++
	t.helpBy[line]++
	t.helpAt[at]++
	b.seat = seat{kind: helpSeat, line: line, at: at}
}

// mayHelp is the rule. The caller holds mu.
func (t *seats) mayHelp(line string, at netip.Prefix, most int) bool {
	switch {
	case t.help < t.tight(), t.helpAt[at] < freeOfAddress, line != "" && t.helpBy[line] < most:
		return true
	case line == "":
		return false
	}
	busiest, lines := 0, 0
	for l, n := range t.helpBy {
		if l != "" {
			busiest, lines = max(busiest, n), lines+1
		}
	}
	mine := t.helpBy[line]
	return mine < busiest && (t.help < t.e.o.MaxEmergency || mine*lines < t.e.o.MaxEmergency)
}

// takeInbound enters a call from a trunk. When its share, or that of all trunks, is full, the call is ended that has rung longest
// without its carrier's confirmation; when all are confirmed, the new one is refused.
func (t *seats) takeInbound(b *bridge, trunk string, from netip.AddrPort, proven bool) bool {
	most := t.e.trunkShare(trunk)
	t.mu.Lock()
	of := t.of(trunk)
	var gone *bridge
	var lost string // whose call it was
	ok, met := true, false
	if of.n >= most || t.in >= t.e.inboundShare() || t.calls >= t.e.o.MaxCalls {
		met = true
		if gone = t.weakest(of, of.n >= most); gone != nil {
			lost = gone.seat.trunk
			t.drop(gone)
		} else {
			ok = false
		}
	}
	if ok {
		t.enterInbound(b, trunk)
		if !proven {
			b.seat.unproven = of.unproven.PushBack(b)
		}
	}
	c := gate.Crowd{Trunk: trunk, Source: from.Addr(), Open: of.n, All: t.in, Most: most, Refused: !ok}
	t.mu.Unlock()
	if met {
		t.e.stats.inboundMet.Add(1)
		t.e.door.Notify("", c)
	}
	if gone != nil {
		gone.s.post(func() { gone.makesRoom(lost) })
	}
	return ok
}

// weakest is the call that has rung longest without its carrier's confirmation: of this trunk, or else of the one that has the most
// such calls; nil when there is none, or when only one of this trunk would make room. The caller holds mu.
func (t *seats) weakest(trunk *trunkSeats, own bool) *bridge {
	if trunk.unproven.Len() == 0 && !own {
		for _, o := range t.trunks {
			if o.unproven.Len() > trunk.unproven.Len() {
				trunk = o
			}
		}
	}
	if first := trunk.unproven.Front(); first != nil {
		return first.Value.(*bridge)
	}
	return nil
}

// makesRoom ends a call whose seat another has taken, unless its carrier has confirmed it meanwhile.
func (b *bridge) makesRoom(trunk string) {
	if b.state == asking || b.state == calling || b.state == talking && !b.a.acked {
		b.s.cur = b
		b.finish(ending{by: call.System, why: policy.Overloaded})
		b.s.settle(b)
		return
	}
	if b.state != over {
		b.s.e.seats.back(b, trunk)
	}
}

// back counts a call in progress over a trunk, regardless of the limits.
func (t *seats) back(b *bridge, trunk string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b.seat.kind != noSeat {
		return
	}
	t.enterInbound(b, trunk)
}

// of are the seats of a trunk. The caller holds mu.
func (t *seats) of(trunk string) *trunkSeats {
	of := t.trunks[trunk]
	if of == nil {
		of = &trunkSeats{}
		t.trunks[trunk] = of
	}
	return of
}

// enterInbound counts a call from a trunk. The caller holds mu.
func (t *seats) enterInbound(b *bridge, trunk string) {
	t.calls++
	t.in++
	t.of(trunk).n++
	b.seat = seat{kind: inbound, trunk: trunk}
}

// mayRing enters an inbound call among those that ring a line, unless the maximum number already do.
func (t *seats) mayRing(b *bridge, line string) bool {
	most := max(min(t.e.lineCalls(line), t.e.o.MaxRinging), 2)
	t.mu.Lock()
	if b.seat.kind != inbound {
		t.mu.Unlock()
		return true
	}
	n := t.ringing[line]
	if n < most {
		t.ringing[line]++
		b.seat.line = line
		t.mu.Unlock()
		return true
	}
	c := gate.Crowd{Line: line, Trunk: b.seat.trunk, Source: b.a.dest.Addr.Addr(), Open: n, All: t.in, Most: most, Refused: true}
	t.mu.Unlock()
	t.e.stats.inboundMet.Add(1)
	t.e.door.Notify("", c)
	return false
}

// answered takes an inbound call out of those that ring. Its ACK is the carrier's confirmation; until then it is the last to be ended for
// another.
func (t *seats) answered(b *bridge) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b.seat.kind != inbound {
		return
	}
	waits := b.seat.unproven
	b.seat.unproven = nil
	t.stopRinging(b)
	if waits != nil {
		t.trunks[b.seat.trunk].unproven.MoveToBack(waits)
		b.seat.unproven = waits
	}
}

// proven notes that a carrier has confirmed its call, which is not ended for another any more.
func (t *seats) proven(b *bridge) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if of := t.trunks[b.seat.trunk]; b.seat.kind == inbound && of != nil && b.seat.unproven != nil {
		of.unproven.Remove(b.seat.unproven)
		b.seat.unproven = nil
	}
}

// counts are the calls of each kind.
func (t *seats) counts() (help, in int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.help, t.in
}

// seatFor finds a seat for a new call, before the gate is asked; otherwise it has answered.
func (s *shard) seatFor(b *bridge, a *gate.Attempt, p *transport.Packet) bool {
	e := s.e
	switch {
	case a.Trunk != "":
		return e.seats.takeInbound(b, a.Trunk, p.Src, p.Proto != transport.UDP)
	case e.emergency(a):
		line := a.Line
		if a.Restricted {
			line = ""
		}
		return e.seats.takeHelp(b, line, p.Src.Addr(), e.lineCalls(line))
	}
	full, farBeyond := e.seats.full()
	if full {
		e.stats.full.Add(1)
	}
	if a.Full = full; farBeyond {
		return false
	}
	e.seats.takeOrdinary(b)
	return true
}

// leave gives the seat of a call that is over back.
func (b *bridge) leave() {
	b.s.e.calls.Add(-1)
	b.s.e.seats.leave(b)
}

// sitDown gives a restored call its seat regardless of the limits, because the call is up.
func (b *bridge) sitDown(a *legRecord) {
	t := b.s.e.seats
	switch {
	case a.Trunk != "":
		t.back(b, a.Trunk)
	case a.Help:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.enterHelp(b, a.HelpLine, fair.Address(a.Addr.Addr()))
	default:
		t.takeOrdinary(b)
	}
}

// isHelp says that a call is an emergency call, and of which line.
func (b *bridge) isHelp() (line string, yes bool) {
	t := b.s.e.seats
	t.mu.Lock()
	defer t.mu.Unlock()
	if b.seat.kind != helpSeat {
		return "", false
	}
	return b.seat.line, true
}

// trunkShare is how many calls may come in over a trunk: as configured, else half of all calls.
func (e *Edge) trunkShare(trunk string) int {
	if n, ok := e.o.TrunkCalls[trunk]; ok {
		return n
	}
	if e.o.MaxInbound > 0 {
		return e.o.MaxInbound
	}
	return max(e.o.MaxCalls/2, 1)
}

// inboundShare bounds what comes in over all trunks: a quarter of all calls is left for what goes out.
func (e *Edge) inboundShare() int { return max(e.o.MaxCalls-(e.o.MaxCalls+3)/4, 1) }

// lineCalls is a line's own max-calls.
func (e *Edge) lineCalls(line string) int {
	if line == "" {
		return 10
	}
	return e.door.Reach(door.Party{Line: line}, time.Now()).Calls
}
