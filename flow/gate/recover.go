package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/state/store"
)

// recover takes back the calls that a previous process of this node left open. Answered ones go on: their edge is given the
// dialogs, the meter goes on by a clock that outlived the process. Those that were being set up or were ending are not up for
// their parties any more, but a leg of theirs may be, or may yet be answered: the edge ends what there is, and then they are
// settled.
func (g *Gate) recover(ctx context.Context, m store.Money) error {
	if err := m.Renew(ctx, g.o.Node, g.o.Lease); err != nil { // before another node claims what is being taken back
		return err
	}
	open, err := m.OpenCalls(ctx, g.o.Node)
	if err != nil {
		return fmt.Errorf("open calls of the previous process: %w", err)
	}
	g.before = g.readopt(open, false)
	if n := len(open); n > 0 {
		g.o.Log.Info("open calls of the previous process", "calls", n)
	}
	return nil
}

// readopt makes calls this gate's own, as the store has them, and says what their edge must know.
func (g *Gate) readopt(calls []call.Open, moved bool) []Recovered {
	now := clock()
	var all []Recovered
	for i := range calls {
		c := calls[i]
		if !g.forgetStale(&c) {
			continue
		}
		all = append(all, Recovered{ID: c.ID, State: c.State, Snapshot: c.Snapshot, Begun: c.Begun, ALeg: c.ALeg, Why: endedWhy(&c), Moved: moved})
		l := g.revive(c, now)
		g.put(l)
		if c.State == call.Answered {
			g.meter.add(c.ID, now)
		}
		if moved {
			l.moved = now
			g.o.Ledger.Record(l.TakenOver(g.o.Node, now))
		}
	}
	return all
}

// forgetStale drops what is known here of a call that comes from another node: that node has gone on with it. It says no if the
// end of the call was heard here, which is being written.
func (g *Gate) forgetStale(c *call.Open) bool {
	l := g.get(c.ID)
	if l == nil {
		return true
	}
	if l.news() {
		g.concede(l, c)
		go g.until(func(ctx context.Context) error { return g.keep(ctx, l) })
		return false
	}
	g.letGo(l)
	return true
}

// endedWhy is why a call ended, for the phones that are told again; OK while it has not.
func endedWhy(c *call.Open) policy.Reason {
	switch why, err := policy.ParseReason(c.End.Reason); {
	case c.State == call.Answered:
		return policy.OK
	case c.State == call.Ending && err == nil:
		return why
	}
	return policy.NodeLost
}

// revive is a call as it goes on in this process.
func (g *Gate) revive(c call.Open, now time.Time) *live {
	l := &live{shared: true}
	c.Node = g.o.Node
	var doubt bool
	if l.Call, doubt = engine.Revive(c, g.anchor(), now, g.o.terms()); doubt {
		g.o.Ledger.Post(g.update(&l.Open))
	}
	if l.Open.State != call.Answered {
		return l
	}
	l.counted = c.Direction != call.In
	class, _ := phone.ParseClass(c.Class)
	l.Dest, _ = g.o.Plan.Parse(c.Number)
	l.Dest.Class = class
	l.abroad = l.counted && class >= phone.IntlFixed && class <= phone.Satellite
	if l.counted {
		g.counts.Put(openKey(c.Line))
	}
	if l.abroad {
		g.counts.Put(abroadKey(c.Line))
	}
	if l.tight = engine.ProbationOf(c.Purses); l.tight != "" {
		g.counts.Put(tightKey(l.tight))
	}
	return l
}

// Recovered gives the calls of the previous process to the edge that owns them, once.
func (g *Gate) Recovered() []Recovered {
	r := g.before
	g.before = nil
	return r
}

// Claimed takes over calls of a node that died, or notes that it is not known which ones were claimed.
func (g *Gate) Claimed(calls []call.Open, err error) {
	if err != nil {
		g.inDoubt()
	}
	g.Adopt(calls)
}

// Adopt takes over calls of a node that died: they go on, metered here, or are hung up from here.
func (g *Gate) Adopt(calls []call.Open) {
	all := g.readopt(calls, true)
	if len(all) > 0 && g.edge.TakeOver != nil {
		g.edge.TakeOver(all)
	}
	for i := range all {
		if l := g.get(all[i].ID); l != nil && l.Open.Direction != call.In && !l.Always {
			g.heed(l)
		}
	}
}

// Seek takes over a call, by its id or the SIP Call-ID of a leg, if another node has it: its peer speaks to this one. answered says that
// what it speaks of is an answer, and not an end, of which a node that is ending the call needs no news. A
// bounded number of questions a second reaches the store. It reports whether there was such a call; an error says that it could
// not ask, or that the other node is ending it.
func (g *Gate) Seek(id call.ID, leg string, answered bool) (bool, error) {
	if !g.limits.pass(&g.limits.seeking, clock()) {
		return false, errTooMany
	}
	ctx, cancel := context.WithTimeout(context.Background(), lateWait)
	defer cancel()
	calls, err := g.takeOver(ctx, id, leg, answered)
	if errors.Is(err, errEnding) {
		return false, err
	}
	if err != nil {
		g.o.Log.Warn("another node's call could not be looked for", "err", err)
		g.inDoubt()
		return false, err
	}
	g.Adopt(calls)
	return len(calls) > 0, nil
}

// takeOver takes calls from another node. One that the other node is ending stays there, unless somebody answered: its record is written by the node
// that hangs it up, which alone knows when each leg was over. That the call was being set up when its node died is no such end.
func (g *Gate) takeOver(ctx context.Context, id call.ID, leg string, answered bool) ([]call.Open, error) {
	calls, err := g.money.Take(ctx, g.o.Node, g.o.Lease, id, leg, answered)
	for i := range calls {
		switch c := &calls[i]; {
		case c.Node == g.o.Node:
		case told(c):
			return nil, errEnding
		default:
			return g.money.Take(ctx, g.o.Node, g.o.Lease, id, leg, true)
		}
	}
	return calls, err
}

var errEnding = errors.New("another node is ending the call")

var errTooMany = errors.New("too many questions about calls of other nodes in this second")

// vanished is a call that the store does not have open. If another node settled it, it is let go of; else it is hung up.
func (g *Gate) vanished(l *live) {
	ctx, cancel := context.WithTimeout(context.Background(), lateWait)
	defer cancel()
	if _, err := g.money.CDR(ctx, l.Open.ID); err == nil {
		g.letGo(l)
		return
	}
	g.extendLater(l, nil)
	g.Cut(l.Open.ID, policy.Fault, policy.Figures{}, "the store does not know the call")
}

// Returned is told that this node had lost its lease: others may have taken over its calls. What is not this node's any more
// is let go without a word, since another node hangs it up; what is gone altogether is hung up here.
func (g *Gate) Returned(ctx context.Context) error {
	open, err := g.money.OpenCalls(ctx, "")
	if err != nil {
		return fmt.Errorf("open calls after the lease was lost: %w", err)
	}
	node := make(map[call.ID]string, len(open))
	for i := range open {
		node[open[i].ID] = open[i].Node
	}
	now := clock()
	for _, c := range g.list(func(l *live) bool { return now.Sub(l.Open.Begun) > returnedGrace }) {
		switch owner, ok := node[c.ID]; {
		case !ok:
			if l := g.get(c.ID); l != nil {
				g.vanished(l)
			}
		case owner != g.o.Node:
			if l := g.get(c.ID); l != nil {
				g.letGo(l)
			}
		}
	}
	return nil
}

// returnedGrace is how old a call must be for its row to be missed: a free call's may still be on its way to the store.
const returnedGrace = 5 * time.Second

// letGo forgets a call that another node has, unless its end is known here: then the end is written, and the call is taken
// back for that.
func (g *Gate) letGo(l *live) {
	id := l.Open.ID
	if l.news() || g.take(id) == nil {
		return
	}
	g.uncount(l)
	g.o.Log.Warn("another node has taken over a call", "call", id)
	if g.edge.Forget != nil {
		g.edge.Forget([]call.ID{id})
	}
}

// audit holds the books and the edge together: every call in the books has legs at the edge, and every leg at the edge is of
// a call in the books. What is missed twice in a row is taken back from the store, or settled when the store has nothing to
// take it back from.
func (g *Gate) audit(now time.Time) {
	if g.edge.Audit == nil {
		return
	}
	var ids []call.ID
	for _, c := range g.list(func(l *live) bool { return !l.settling && now.Sub(l.Open.Begun) > housekeeping }) {
		ids = append(ids, c.ID)
	}
	missing := map[call.ID]bool{}
	for _, id := range g.edge.Audit(ids, func(id call.ID) bool { return g.get(id) != nil }) {
		missing[id] = true
	}
	var lost []*live
	for _, id := range ids {
		l := g.get(id)
		if l == nil {
			continue
		}
		l.mu.Lock()
		if l.missed++; !missing[id] {
			l.missed = 0
		}
		if l.missed >= 2 {
			lost = append(lost, l)
		}
		l.mu.Unlock()
	}
	g.stats.adrift.Store(int64(len(lost)))
	if len(lost) > 0 {
		g.o.Log.Error("calls without a leg at the edge are taken back", "calls", len(lost))
		go g.takeBack(lost)
	}
}

// takeBack gives calls that the edge has lost to it again, with their dialogs as the store has them.
func (g *Gate) takeBack(lost []*live) {
	ctx, cancel := context.WithTimeout(context.Background(), housekeeping)
	defer cancel()
	open, err := g.money.OpenCalls(ctx, g.o.Node)
	if err != nil {
		return // the next audit tries again
	}
	stored := make(map[call.ID][]byte, len(open))
	for i := range open {
		stored[open[i].ID] = open[i].Snapshot
	}
	var back []Recovered
	for _, l := range lost {
		l.mu.Lock()
		r := Recovered{ID: l.Open.ID, State: l.Open.State, Begun: l.Open.Begun, ALeg: l.Open.ALeg, Why: endedWhy(&l.Open), Snapshot: stored[l.Open.ID]}
		tried := l.missed > 3
		l.mu.Unlock()
		if len(r.Snapshot) == 0 || tried || g.edge.TakeOver == nil {
			g.Ended(r.ID, End{By: call.System, Reason: policy.Fault, Status: 200, At: clock()})
			g.Over(r.ID, nil)
			continue
		}
		back = append(back, r)
	}
	if len(back) > 0 {
		g.edge.TakeOver(back)
	}
}

// Proved says that both ends of a call of a previous process, or of another node, are still there.
func (g *Gate) Proved(id call.ID) {
	l := g.get(id)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Call.Proved() {
		g.o.Ledger.Post(g.update(&l.Open))
	}
}

// retake takes a call back of whose end something could not be written since another node has taken the call over
// meanwhile, if there is news of it here: then its ends have spoken to this node. A call that the other node is ending, too, is left to it, and so
// is what is known of it here. again writes what was not written.
func (g *Gate) retake(l *live, again func() store.Op) {
	if l.news() {
		g.until(func(ctx context.Context) error { return g.retook(ctx, l, again) })
	}
}

// retaking is retake for what the edge knows of a call's dialogs; nil leaves those that are stored.
func (g *Gate) retaking(l *live, snapshot []byte) func() {
	return func() {
		g.retake(l, func() store.Op {
			l.mu.Lock()
			defer l.mu.Unlock()
			c := l.Open
			c.Snapshot = snapshot
			return g.update(&c)
		})
	}
}

// until does what must come to the store, again until it has.
func (g *Gate) until(do func(context.Context) error) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), housekeeping)
		err := do(ctx)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-g.meter.quit:
			return
		case <-time.After(retakeAgain):
		}
	}
}

// retakeAgain is how long after a failure of the store a call is taken back again.
const retakeAgain = time.Second

// news says that this node knows how a call ended, or that somebody answered of whom the caller never heard. That it was being set up when its
// node died is none.
func (l *live) news() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return told(&l.Open) || engine.LateAnswer(&l.Open, l.legs) != nil
}

func told(c *call.Open) bool {
	return c.State == call.Ending && c.End.Reason != policy.NodeLost.Code()
}

func (g *Gate) retook(ctx context.Context, l *live, again func() store.Op) error {
	taken, err := g.takeOver(ctx, l.Open.ID, "", false)
	if errors.Is(err, errEnding) {
		return g.leave(ctx, l)
	}
	if err != nil {
		return err
	}
	for i := range taken {
		g.concede(l, &taken[i])
	}
	if err := g.keep(ctx, l); err != nil {
		return err
	}
	out, err := g.o.Ledger.Do(ctx, again())
	if err == nil && out.Moved {
		return errEnding
	}
	return err
}

// heard is what a node knows of the end of a call that another one is ending, too, and settles.
type heard struct {
	End  call.End
	Legs []heardLeg
}

// heardLeg has its instants on clocks that nodes have in common.
type heardLeg struct {
	Leg
	Answered, OverAt *call.Anchor
}

// leave leaves what is known here of a call's end to the node that settles it. That node may have done so already.
func (g *Gate) leave(ctx context.Context, l *live) error {
	l.mu.Lock()
	end, legs, who := l.Open.End, l.legs, g.who(l)
	l.mu.Unlock()
	return g.hear(ctx, l.Open.ID, who, end, legs)
}

// who is whose entry this process makes beside a call. A process that had the call before it, or this one when it had the call before, may have known
// more: its entry stays. l.mu is held.
func (g *Gate) who(l *live) string {
	since := l.moved
	if since.IsZero() {
		since = g.began
	}
	return g.o.Node + " " + since.UTC().Format(time.RFC3339Nano)
}

// hear stores beside a call what is known of its end; who has an entry of his own.
func (g *Gate) hear(ctx context.Context, id call.ID, who string, end call.End, legs []Leg) error {
	at, now := g.anchor(), clock()
	h := heard{End: end}
	for _, leg := range legs {
		h.Legs = append(h.Legs, heardLeg{Leg: leg, Answered: at.Of(leg.Answered, now), OverAt: at.Of(leg.OverAt, now)})
	}
	text, err := json.Marshal(h)
	if err == nil {
		_, err = g.money.Hear(ctx, who, id, text)
	}
	return err
}

// keep stores beside a call what the row said of its legs when it came back, before what this node knows of them takes its place.
func (g *Gate) keep(ctx context.Context, l *live) error {
	l.mu.Lock()
	end, left, who := l.Open.End, l.left, "before "+g.who(l)
	l.mu.Unlock()
	if len(left) == 0 {
		return nil
	}
	err := g.hear(ctx, l.Open.ID, who, end, left)
	if err == nil {
		l.mu.Lock()
		l.left = nil
		l.mu.Unlock()
	}
	return err
}

// listen adds to what is known of a call that another process has had what that has left of it.
func (g *Gate) listen(l *live) {
	if !l.shared {
		return
	}
	g.until(func(ctx context.Context) error {
		all, err := g.money.Hear(ctx, g.o.Node, l.Open.ID, nil)
		at, now := g.anchor(), clock()
		for _, text := range all {
			var h heard
			if err := json.Unmarshal(text, &h); err != nil {
				g.o.Log.Error("what another node has heard of a call cannot be read", "call", l.Open.ID, "err", err)
				continue
			}
			legs := make([]Leg, 0, len(h.Legs))
			for _, leg := range h.Legs {
				leg.Leg.Answered, leg.Leg.OverAt = at.Instant(leg.Answered, now), at.Instant(leg.OverAt, now)
				legs = append(legs, leg.Leg)
			}
			l.mu.Lock()
			l.endedBy(h.End)
			l.legs = engine.Merge(l.legs, legs)
			l.mu.Unlock()
		}
		return err
	})
}

// concede lets stand what the node that had the call meanwhile has held for it, its end if that was earlier, and what it had stored of its legs.
func (g *Gate) concede(l *live, c *call.Open) {
	var left []Leg
	if g.edge.Legs != nil {
		left = g.edge.Legs(c.Snapshot)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Open.Held, l.Open.PaidFor, l.shared, l.moved = c.Held, c.PaidFor, true, clock()
	l.left, l.legs = append(l.left, left...), engine.Merge(l.legs, left)
	if c.State == call.Ending {
		l.endedBy(c.End)
	}
}

// endedBy takes the end that another node knows if it was earlier. l.mu is held.
func (l *live) endedBy(end call.End) {
	if ours := l.Open.End; end.Reason != policy.NodeLost.Code() && end.Talk < ours.Talk {
		end.Doubt = max(end.Doubt, ours.Talk+ours.Doubt-end.Talk)
		l.Open.End = end
	}
}

// inDoubt notes that calls may have become this node's without its knowing: the answer of the store was lost.
func (g *Gate) inDoubt() { g.doubt.Store(true) }

// reclaim takes up calls that are this node's in the store and unknown here, when that may have come about. What is seen so
// twice in a row is no call whose settlement is on its way.
func (g *Gate) reclaim() {
	g.reclaiming.Lock()
	defer g.reclaiming.Unlock()
	if !g.doubt.Swap(false) && len(g.unknown) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), housekeeping)
	defer cancel()
	open, err := g.money.OpenCalls(ctx, g.o.Node)
	if err != nil {
		g.inDoubt()
		return
	}
	now, before := clock(), g.unknown
	g.unknown = map[call.ID]bool{}
	var lost []call.Open
	for i := range open {
		switch id := open[i].ID; {
		case g.get(id) != nil || now.Sub(open[i].Begun) < returnedGrace:
		case before[id]:
			lost = append(lost, open[i])
		default:
			g.unknown[id] = true
		}
	}
	if len(lost) > 0 {
		g.o.Log.Warn("calls that had become this node's unnoticed are taken up", "calls", len(lost))
		g.Adopt(lost)
	}
}
