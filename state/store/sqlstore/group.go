package sqlstore

import (
	"errors"
	"slices"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/state/store"
)

// Balance is what a purse has in it as an engine read it; a purse that is not there is empty.
type Balance struct {
	Spent, Held money.Micro
	Missing     bool // no row yet
}

// Held is the part of an open call's row that money depends on.
type Held struct {
	Node    string
	Purses  []string
	Amount  money.Micro
	PaidFor time.Duration
}

// Known is what an engine has read before a group is judged. It may be out of date, and purses may be unread (blind):
// it only guesses which ops pass. Every write of the Plan repeats its condition, and if one does not hold the engine
// rolls back, reads and plans again. So no balance that a process believes in can ever overspend a purse.
type Known struct {
	Now    time.Time           // of the store's clock: leases count from it
	Purses map[string]Balance  // those not in here are assumed to have room
	Calls  map[call.ID]Held    // open calls that Extend, Update or Settle name, and (unless blind) Open
	Done   map[call.ID]bool    // those ids that have a CDR already
	purses map[string]*PurseOp // working state
}

// PurseOp is the sum of a group's changes to one purse. It may be written only where Spent + Held ≤ Bound: then, and
// only then, every hold of the group has room in the order of the ops.
type PurseOp struct {
	ID                string
	Spent, Held       money.Micro // changes
	Bound             money.Micro
	known, Missing    bool
	baseSpent, baseHl money.Micro
}

// CallOp is the sum of a group's changes to one call that was open before the group.
type CallOp struct {
	ID       call.ID
	Was      Held
	Now      Held
	Extended bool
	Lease    time.Time  // when Extended, by the store's clock
	Update   *call.Open // the last OpUpdate
	Settled  bool
}

// Plan is what a group writes, as Go values. An engine writes all of it or nothing.
type Plan struct {
	Outcomes []store.Outcome
	Purses   []*PurseOp   // sorted by ID, so that several nodes lock them in one order
	Born     []*call.Open // opened in the group and still open at its end
	Calls    []*CallOp
	CDRs     []*call.CDR
	Facts    []store.Fact
	Refused  bool // some op was refused or repeated: the next group should be read first

	keyed  []keyed // facts with a key
	unread bool
	k      *Known
	calls  map[call.ID]*CallOp
	born   map[call.ID]*call.Open
}

// keyed is a fact of a plan that may be there already.
type keyed struct{ fact, op int }

// Keyed says that a fact of the plan may be there already, so that an engine looks whether it was written.
func (p *Plan) Keyed() bool { return len(p.keyed) > 0 }

// Wrote tells the outcomes which facts with a key were not written. wrote is asked once for each, in their order.
func (p *Plan) Wrote(wrote func(fact int) bool) {
	for _, k := range p.keyed {
		if !wrote(k.fact) {
			p.Outcomes[k.op].Repeated++
		}
	}
}

// ErrUnread says that a blind group cannot be judged without reading its purses and calls first.
var ErrUnread = errors.New("the group must be read first")

// Judge runs ops in order against what is known. It fails with a *store.OpError, or ErrUnread when blind.
func Judge(k *Known, ops []store.Op) (*Plan, error) {
	p := &Plan{Outcomes: make([]store.Outcome, len(ops)), k: k, calls: map[call.ID]*CallOp{}, born: map[call.ID]*call.Open{}}
	k.purses = make(map[string]*PurseOp, len(ops))
	for i := range ops {
		out, why := p.judge(&ops[i])
		if why != "" {
			return nil, &store.OpError{Index: i, Why: why}
		}
		if p.unread {
			return nil, ErrUnread
		}
		p.Outcomes[i] = out
		if out == (store.Outcome{}) {
			for j := range ops[i].Facts {
				if ops[i].Facts[j].Key != "" {
					p.keyed = append(p.keyed, keyed{fact: len(p.Facts) + j, op: i})
				}
			}
			p.Facts = append(p.Facts, ops[i].Facts...)
		} else {
			p.Refused = true
		}
	}
	p.finish()
	return p, nil
}

func (p *Plan) judge(op *store.Op) (store.Outcome, string) {
	switch op.Kind {
	case store.OpOpen:
		return p.open(op), ""
	case store.OpExtend:
		return p.extend(op)
	case store.OpUpdate:
		return p.update(op), ""
	case store.OpSettle:
		return p.settle(op)
	case store.OpRecord:
		return p.record(op), ""
	}
	return store.Outcome{}, ""
}

// record adds the record of a call that was refused.
func (p *Plan) record(op *store.Op) store.Outcome {
	if op.CDR == nil {
		return store.Outcome{}
	}
	if p.k.Done[op.ID] {
		return store.Outcome{Duplicate: true}
	}
	p.CDRs = append(p.CDRs, op.CDR)
	p.k.done(op.ID)
	return store.Outcome{}
}

func (p *Plan) open(op *store.Op) store.Outcome {
	if p.isOpen(op.ID) || p.k.Done[op.ID] {
		return store.Outcome{Duplicate: true}
	}
	if out := p.hold(op); out.Refused {
		return out
	}
	c := *op.Call
	c.Held, c.Purses, c.Lease = op.Amount, make([]string, len(op.Holds)), p.k.Now.Add(op.Lease)
	for i, h := range op.Holds {
		c.Purses[i] = h.Purse
	}
	p.born[op.ID] = &c
	p.Born = append(p.Born, &c)
	return store.Outcome{}
}

func (p *Plan) extend(op *store.Op) (store.Outcome, string) {
	b, c, h := p.born[op.ID], (*CallOp)(nil), Held{}
	if b != nil {
		h = Held{Node: store.Clean(b.Node), Purses: b.Purses, Amount: b.Held, PaidFor: b.PaidFor}
	} else if c = p.touch(op.ID); c != nil {
		h = c.Now
	} else {
		return store.Outcome{Missing: true}, ""
	}
	if op.Elsewhere(h.Node) {
		return store.Outcome{Moved: true}, ""
	}
	if op.Repeats(h.Amount, h.PaidFor) {
		return store.Outcome{Duplicate: true}, ""
	}
	if !op.HoldsOf(h.Purses) {
		return store.Outcome{}, "the holds are not the purses of the call"
	}
	out := p.hold(op)
	if out.Refused {
		return out, ""
	}
	if b != nil {
		b.Held, b.PaidFor, b.Lease = h.Amount.Add(op.Amount), op.Call.PaidFor, p.k.Now.Add(op.Lease)
		return out, ""
	}
	c.Now.Amount, c.Now.PaidFor, c.Lease, c.Extended = h.Amount.Add(op.Amount), op.Call.PaidFor, p.k.Now.Add(op.Lease), true
	return out, ""
}

func (p *Plan) update(op *store.Op) store.Outcome {
	if b := p.born[op.ID]; b != nil {
		if op.Elsewhere(store.Clean(b.Node)) {
			return store.Outcome{Moved: true}
		}
		u := op.Call
		b.State, b.Trunk, b.BLeg, b.Cost = u.State, u.Trunk, u.BLeg, u.Cost
		b.Ringing, b.AnsweredAt, b.Anchor, b.End, b.Unproven = u.Ringing, u.AnsweredAt, u.Anchor, u.End, u.Unproven
		if len(u.Snapshot) > 0 {
			b.Snapshot = u.Snapshot
		}
		return store.Outcome{}
	}
	c := p.touch(op.ID)
	switch {
	case c == nil:
		return store.Outcome{Missing: true}
	case op.Elsewhere(c.Now.Node):
		return store.Outcome{Moved: true}
	}
	if old := c.Update; old != nil && len(op.Call.Snapshot) == 0 { // of two updates in a group only the last is written
		u := *op.Call
		u.Snapshot = old.Snapshot
		c.Update = &u
		return store.Outcome{}
	}
	c.Update = op.Call
	return store.Outcome{}
}

func (p *Plan) settle(op *store.Op) (store.Outcome, string) {
	var h Held
	b, c := p.born[op.ID], (*CallOp)(nil)
	if b != nil {
		h = Held{Node: store.Clean(b.Node), Purses: b.Purses, Amount: b.Held}
	} else if c = p.touch(op.ID); c != nil {
		h = c.Now
	} else {
		return store.Outcome{Duplicate: p.k.Done[op.ID], Missing: !p.k.Done[op.ID]}, ""
	}
	if op.Elsewhere(h.Node) {
		return store.Outcome{Moved: true}, ""
	}
	if op.CDR.Retail > h.Amount {
		return store.Outcome{Overspend: true}, ""
	}
	for _, id := range h.Purses {
		if why := p.purse(id).release(h.Amount, op.CDR.Retail); why != "" {
			return store.Outcome{}, why + ": " + id
		}
	}
	if b != nil {
		delete(p.born, op.ID)
	} else {
		c.Settled = true
	}
	p.CDRs = append(p.CDRs, op.CDR)
	p.k.done(op.ID)
	return store.Outcome{}, ""
}

// hold takes Amount from every purse of op, or from none.
func (p *Plan) hold(op *store.Op) store.Outcome {
	out := store.Outcome{Room: money.Max}
	blind := false
	for _, h := range op.Holds {
		q := p.purse(h.Purse)
		room := store.Room(h.Cap, q.total())
		out.Room = min(out.Room, room)
		blind = blind || !q.known
		if !out.Refused && (q.total() > h.Cap || op.Amount > room) {
			out.Refused, out.Purse = true, h.Purse
		}
	}
	p.unread = p.unread || out.Refused && blind
	if out.Refused {
		return out
	}
	for _, h := range op.Holds {
		p.purse(h.Purse).hold(op.Amount, h.Cap)
	}
	return store.Outcome{}
}

func (p *Plan) isOpen(id call.ID) bool {
	if p.born[id] != nil {
		return true
	}
	c := p.touch(id)
	return c != nil
}

// touch gives the working state of a call that was open before the group and still is, or nil.
func (p *Plan) touch(id call.ID) *CallOp {
	if c := p.calls[id]; c != nil {
		if c.Settled {
			return nil
		}
		return c
	}
	h, ok := p.k.Calls[id]
	if !ok {
		return nil
	}
	c := &CallOp{ID: id, Was: h, Now: h}
	p.calls[id] = c
	return c
}

func (p *Plan) purse(id string) *PurseOp {
	if q := p.k.purses[id]; q != nil {
		return q
	}
	q := &PurseOp{ID: id, Bound: money.Max}
	if b, ok := p.k.Purses[id]; ok {
		q.known, q.Missing, q.baseSpent, q.baseHl = true, b.Missing, b.Spent, b.Held
	}
	p.k.purses[id] = q
	return q
}

// finish keeps what has an effect, in an order that does not depend on maps.
func (p *Plan) finish() {
	p.Born = slices.DeleteFunc(p.Born, func(c *call.Open) bool { return p.born[c.ID] != c })
	for _, q := range p.k.purses {
		if q.Spent != 0 || q.Held != 0 || q.Bound != money.Max {
			p.Purses = append(p.Purses, q)
		}
	}
	slices.SortFunc(p.Purses, func(a, b *PurseOp) int { return strings.Compare(a.ID, b.ID) })
	for _, c := range p.calls {
		if c.Extended || c.Update != nil || c.Settled {
			p.Calls = append(p.Calls, c)
		}
	}
	slices.SortFunc(p.Calls, func(a, b *CallOp) int { return strings.Compare(string(a.ID), string(b.ID)) })
}

func (k *Known) done(id call.ID) {
	if k.Done == nil {
		k.Done = map[call.ID]bool{}
	}
	k.Done[id] = true
}

// total is what is in the purse at this point of the group; of one that was not read, the least it can be.
func (q *PurseOp) total() money.Micro { return q.baseSpent + q.baseHl + q.Spent + q.Held }

// hold adds what fits under limit, and lowers the bound to what must have been in the purse at most for that.
func (q *PurseOp) hold(x, limit money.Micro) {
	q.Held += x
	q.Bound = min(q.Bound, limit.Add(-(q.Spent + q.Held)))
}

func (q *PurseOp) release(held, cost money.Micro) string {
	if q.known && q.baseHl+q.Held < held {
		return "the purse holds less than the call says"
	}
	q.Held -= held
	q.Spent += cost
	return ""
}
