package gate

import (
	"context"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/state/store"
)

// holds are the purses that must have room, in the verdict's order, and their ids.
func (s *subject) holds() ([]store.Hold, []string) {
	if !s.Costs() {
		return nil, nil
	}
	var room struct { // one piece of memory: this is done for every call
		holds [policy.Probation]store.Hold // and further room in the rare case of one, or of a reseller's
		ids   [policy.Probation]string
	}
	holds, ids := room.holds[:0], room.ids[:0]
	of := engine.PurseIDs(s.Line, s.Account, s.Zone, s.Now)
	for i := range s.Verdict.Conditions[:s.Verdict.N] {
		c := &s.Verdict.Conditions[i]
		if c.Kind != policy.CondPurse {
			continue
		}
		var id string
		switch {
		case c.Purse == policy.Probation:
			id = s.probation()
		case c.Purse > policy.Probation:
			id = engine.PoolID(s.Settings.Pool, c.Purse, s.Now)
		default:
			id = of[c.Purse]
		}
		holds, ids = append(holds, store.Hold{Purse: id, Cap: money.Micro(c.Limit)}), append(ids, id)
	}
	return holds, ids
}

// probation is the id of the purse of the attempt's login.
func (s *subject) probation() string { return engine.ProbationID(s.Line, s.Tight) }

// whichPurse names the purse that refused the least that was asked: its cap, what is spent or held of it already, and
// the cap that would pass, and what calls other than id hold of it that are not up. Purses are told apart by their ids alone,
// so that a recovered call can too.
func (g *Gate) whichPurse(id call.ID, holds []store.Hold, out store.Outcome, least money.Micro) *Refusal {
	for _, h := range holds {
		if h.Purse == out.Purse {
			used := money.Micro(0)
			if out.Room <= 0 { // perhaps more than the cap: it was lowered since
				used = g.used(h.Purse)
			}
			r := engine.Spent(engine.PurseOf(h.Purse), h.Cap, out.Room, used, least)
			r.Figures.Waiting = g.Waiting(h.Purse, id)
			return r
		}
	}
	return &Refusal{Reason: policy.LineDaySpent}
}

// Waiting is what the calls of this node other than one hold of a purse while they have no talk: they ring, or are ending.
func (g *Gate) Waiting(purse string, other call.ID) (w policy.Waiting) {
	for i := range g.calls {
		s := &g.calls[i]
		s.mu.Lock()
		for id, l := range s.m {
			if l.Costs && id != other {
				l.addWaiting(&w, purse)
			}
		}
		s.mu.Unlock()
	}
	return w
}

func (l *live) addWaiting(w *policy.Waiting, purse string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &l.Open
	if c.State == call.Answered || c.Held <= 0 || !slices.Contains(c.Purses, purse) {
		return
	}
	w.Amount += int64(c.Held)
	if c.State == call.Ending {
		w.Ending++
	} else {
		w.Ringing++
	}
}

// used is what is spent and held of a purse now; 0 when the store does not say.
func (g *Gate) used(purse string) money.Micro {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	p, err := g.money.Purses(ctx, []string{purse})
	if err != nil || len(p) != 1 {
		return 0
	}
	return p[0].Spent + p[0].Held
}

// holdsOf are a call's purses with the caps in force now: a cap lowered or raised during a call counts from its next slice.
func (g *Gate) holdsOf(c *call.Open) (holds []store.Hold, settings string) {
	caps, now := &account.Effective{}, clock()
	if line, ok := g.o.Book.Line(c.Line); ok {
		caps = line.Effective(now)
		settings = g.settingsNow(caps, now)
	}
	holds = make([]store.Hold, len(c.Purses))
	for i, id := range c.Purses {
		holds[i] = store.Hold{Purse: id, Cap: engine.CapNow(caps, id)}
		if reseller := engine.PoolOf(id); reseller != "" { // the one the call began under, though the customer may be another's by now
			holds[i].Cap = engine.PoolCap(g.o.Book.Pool(reseller), engine.PurseOf(id))
		}
	}
	return holds, settings
}

// newLive is the call as it will be remembered, with nothing held yet.
func (g *Gate) newLive(s *subject) *live {
	l := &live{abroad: s.farTaken, counted: s.openTaken, tight: s.tight}
	s.Begin(&l.Call)
	s.Name(&l.Open)
	l.Open.Node = g.o.Node
	return l
}

// opening is the op that lets a call out. It shares the call, which does not change before the ledger has answered.
func (g *Gate) opening(s *subject, c *call.Open, holds []store.Hold) store.Op {
	return store.Op{Kind: store.OpOpen, ID: c.ID, Holds: holds, Amount: c.Held, Call: c, Lease: g.o.Lease, Facts: g.opened(s, c)}
}
