//go:build e2e

package soak

import (
	"slices"
	"time"

	"ringfence/core/money"
)

// Tolerances of the watch.
const (
	// grace is how long the books may lag behind what the carrier sees: the transaction of an answer, a group of them.
	grace = time.Second
	// awake is how long a node may take, once it can act, until it has acted on every call that waits for it.
	awake = 3 * time.Second
	// takeover is how long after a node's death another one may take to act on its calls.
	takeover = lease + lease/3 + 2*time.Second
)

// watched is what the watch remembers of a call.
type watched struct {
	owner   string
	owned   time.Duration   // since when
	owners  map[string]bool // all there were
	moves   []time.Duration // when it was seen to have another one
	paid    time.Duration   // the talk time last seen to be paid for
	history []payment       // how it grew
	missing time.Duration   // since when a leg was up that the books did not know
	seen    bool
	said    map[string]bool
}

// payment is talk time that was seen to be paid for, from an instant on.
type payment struct{ at, paid time.Duration }

// paidBy is the talk time that was paid for at an instant.
func (k *watched) paidBy(at time.Duration) (paid time.Duration) {
	for _, p := range k.history {
		if p.at <= at {
			paid = p.paid
		}
	}
	return paid
}

// watch looks at the carrier's legs and the books again and again until it is told to stop.
func (w *world) watch(stop <-chan struct{}) {
	w.calls = map[string]*watched{}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		w.look()
		w.checkPurses(n % len(w.phones))
	}
}

// look compares the legs that are up with the calls that the books have.
func (w *world) look() {
	before := w.now()
	open, ok := w.openCalls() // first the books: a call that is not there any more does not come back
	if !ok {
		return
	}
	w.count.looks.Add(1)
	legs := w.carrier.up()
	now := w.now()
	calls := map[string]openCall{}
	for _, c := range open {
		calls[c.Number] = c
		k := w.known(c.Number)
		if k.owner != c.Node {
			k.owner, k.owned, k.moves = c.Node, now, append(k.moves, now)
			k.owners[c.Node] = true
		}
		if c.Answered {
			if c.Paid > k.paid {
				k.history = append(k.history, payment{now, c.Paid})
			}
			k.paid, k.seen = c.Paid, true
		}
	}
	for i := range legs {
		l := &legs[i]
		if l.offered > before {
			continue
		}
		k := w.known(l.number)
		c, there := calls[l.number]
		if !there {
			w.unbooked(l, k, now)
			continue
		}
		k.missing = 0
		if c.Answered && l.acked > 0 && l.theirBye == 0 {
			w.overshoot(l, k, c, now)
		}
	}
}

func (w *world) known(number string) *watched {
	k := w.calls[number]
	if k == nil {
		k = &watched{said: map[string]bool{}, owners: map[string]bool{}}
		w.calls[number] = k
	}
	return k
}

// unbooked is a leg that is up although the books have no such call.
func (w *world) unbooked(l *leg, k *watched, now time.Duration) {
	switch {
	case l.told == 0: // no answer of the carrier has got to a node that runs: nobody can know
		return
	case l.acked == 0 && l.theirBye == 0 && now-l.told < awake: // it is being taken in
		return
	case l.theirBye > 0 && (l.plan.stubborn || now-l.theirBye >= timerB-time.Second): // its end was asked for as long as one does
		return
	case k.missing == 0:
		k.missing = now
	}
	if now-k.missing < grace {
		return
	}
	w.say(l, k, "the leg is up at the carrier, and the books have no call in progress")
}

// overshoot is how far a leg has gone beyond what is paid for, while a node lives that can act on it.
func (w *world) overshoot(l *leg, k *watched, c openCall, now time.Duration) {
	over := now - l.acked - c.Paid
	if over <= 0 || now < w.actsBy(k) {
		return
	}
	w.mu.Lock()
	w.farthest = max(w.farthest, over)
	w.mu.Unlock()
	if over > slice+grace {
		w.say(l, k, "the leg has talked more than a slice beyond what is paid for, and is not hung up")
	}
}

// actsBy is from when on a call's node, or another one in its place, must have acted on it.
func (w *world) actsBy(k *watched) time.Duration {
	w.mu.Lock()
	thawed, chilled := w.thawed, w.chilled
	w.mu.Unlock()
	if chilled {
		return never
	}
	best := never
	lost := time.Duration(0) // when the owner was last seen to go
	for _, n := range w.allNodes() {
		if state, since := n.is(); n.name == k.owner {
			if state == running {
				best = max(since, k.owned) + awake
			}
			lost = since
		}
	}
	for _, n := range w.allNodes() {
		if state, since := n.is(); n.name != k.owner && state == running {
			best = min(best, max(since, lost, k.owned)+takeover+awake)
		}
	}
	return max(best, thawed+awake)
}

// watchNodes notes when it could not be asked that every call is acted on.
func (w *world) watchNodes(stop <-chan struct{}) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := w.now()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		now := w.now()
		if now < w.allAct() {
			w.mu.Lock()
			if n := len(w.unables); n > 0 && w.unables[n-1].to == last {
				w.unables[n-1].to = now
			} else {
				w.unables = append(w.unables, span{last, now})
			}
			w.mu.Unlock()
		}
		last = now
	}
}

// allAct is from when on every call must have been acted on, whosever it is.
func (w *world) allAct() time.Duration {
	all, best := time.Duration(0), never
	for _, n := range w.allNodes() {
		state, since := n.is()
		if state != running {
			all = never
			continue
		}
		all = max(all, since)
		best = min(best, since+takeover)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.chilled {
		return never
	}
	if all != never {
		best = min(best, all)
	}
	if best == never {
		return never
	}
	return max(best, w.thawed) + awake
}

// unable is how much of a time nobody could act on every call.
func (w *world) unable(from, to time.Duration) (sum time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.unables {
		sum += max(min(s.to, to)-max(s.from, from), 0)
	}
	return sum
}

// outageAfter is when, after an instant, a node first went away for a while; never if none did.
func (w *world) outageAfter(from time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := never
	for _, s := range w.unables {
		if s.to > from {
			at = max(s.from, from)
			break
		}
	}
	for _, d := range w.exits {
		if d > from {
			return min(d, at)
		}
	}
	return at
}

// backAfter is when, after an instant, a process first began that may take a call back, or another node was seen to have it; never if none did.
func (w *world) backAfter(from time.Duration, k *watched) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := never
	for _, back := range slices.Concat(w.starts, k.moves) {
		if back > from {
			at = min(at, back)
		}
	}
	return at
}

// begins notes that a process of a node begins.
func (w *world) begins() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.starts = append(w.starts, w.now())
}

// leaves notes that a node goes away.
func (w *world) leaves() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exits = append(w.exits, w.now())
}

// died notes that what a node has seen and not written is lost, or comes late: it is dead, or away for so long that another has its calls.
func (w *world) died(n *node, kill bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaths = append(w.deaths, death{w.now(), n.name, kill})
}

// unwritten says whether the node that saw something of a leg at an instant was killed before it can have written it: just afterwards, or while
// the database was frozen from about that instant on. Nobody else knows it then. frozen counts a node too that was frozen for so long that another
// one took its calls over: what it knows comes to light when it wakes, which may be after the other has settled the call.
func (w *world) unwritten(l *leg, at time.Duration, frozen bool) bool {
	const moment = 500 * time.Millisecond
	had := w.nodesOf(l)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.deaths {
		if d.at <= at-moment/5 || !had(d.node) || !d.kill && !frozen {
			continue
		}
		if d.at < at+moment {
			return true
		}
		for _, c := range w.chills {
			if c.from < at+moment && c.to > d.at-moment {
				return true
			}
		}
	}
	return false
}

// nodesOf says which nodes had the call of a leg.
func (w *world) nodesOf(l *leg) func(node string) bool {
	k := w.calls[l.number]
	from, to := w.nameOf(l.invite.from), w.nameOf(l.target)
	return func(node string) bool {
		return from == "node "+node || to == "node "+node || k != nil && k.owners[node]
	}
}

// stood notes that a node stands still since an instant, and is about to go on.
func (w *world) stood(n *node, from time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stops = append(w.stops, stop{span{from, w.now()}, n.name})
}

// stopped finds the stop of a node that had the call of a leg, in which an instant falls, or which had ended so long before.
func (w *world) stopped(l *leg, at, after time.Duration) (s stop, ok bool) {
	had := w.nodesOf(l)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.stops {
		if had(s.node) && at >= s.from && at <= s.to+after {
			return s, true
		}
	}
	return stop{}, false
}

const never = time.Duration(1<<63 - 1)

// say reports a violation of a call once.
func (w *world) say(l *leg, k *watched, text string) {
	if !k.said[text] {
		k.said[text] = true
		w.failf(l.number, "%s (paid for %.1f s)\n%v", text, k.paid.Seconds(), l)
	}
}

// checkPurses looks whether a line's money, spent and held, is within its caps to the micro-unit.
func (w *world) checkPurses(of int) {
	id := w.phones[of].line
	d, ok := w.lineOf(id)
	if !ok {
		return
	}
	w.mu.Lock()
	day := w.caps[id] // as it is or will be in a moment: it only grows
	w.mu.Unlock()
	for _, p := range d.Purses {
		limit := money.Micro(p.Cap)
		if p.Owner == "line" && p.Period == "day" {
			limit = day
		}
		if used := money.Micro(p.Spent + p.Held); used > limit {
			w.failf("", "the purse %s %s %s of line %s has %s spent or held, and its cap is %s", p.Owner, p.Period, p.Which, id, used, limit)
		}
	}
}
