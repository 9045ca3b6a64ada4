package gate

import (
	"context"
	"fmt"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/state/store"
)

// recover takes back this node's calls of before a restart. Answered ones go on: their edge is given the dialogs, the
// meter runs on by the wall clock. Calls that were still being set up are voided: the phones never heard an answer.
func (g *Gate) recover(ctx context.Context, m store.Money) error {
	open, err := m.OpenCalls(ctx, g.o.Node)
	if err != nil {
		return fmt.Errorf("open calls of before the restart: %w", err)
	}
	for i := range open {
		g.readopt(open[i])
	}
	if n := len(open); n > 0 {
		g.o.Log.Info("open calls of before the restart", "calls", n, "answered", len(g.before))
	}
	return nil
}

func (g *Gate) readopt(c call.Open) {
	l := &live{call: c, always: c.Class == phone.Emergency.String(), counted: c.Direction != call.In}
	class, _ := phone.ParseClass(c.Class)
	l.abroad = l.counted && class >= phone.IntlFixed && class <= phone.Satellite
	l.holds = g.holdsOf(&c)
	if c.State != call.Answered {
		g.void(l, policy.NodeLost)
		return
	}
	l.call.Quote.Start, l.call.Cost.Start = c.AnsweredAt, c.AnsweredAt // as Answered priced it
	if len(l.holds) > 0 {
		l.call.PaidFor = l.call.Quote.Affords(c.Held, c.Longest)
	}
	if l.counted {
		g.counts.Put(openKey(c.Line))
	}
	if l.abroad {
		g.counts.Put(abroadKey(c.Line))
	}
	g.put(l)
	g.before = append(g.before, Recovered{ID: c.ID, State: c.State, Snapshot: c.Snapshot})
	l.call.Snapshot = nil
	l.mu.Lock()
	at := l.nextLook(g.o.Ahead)
	l.mu.Unlock()
	g.meter.add(c.ID, at)
}

// holdsOf are a recovered call's purses with the caps in force now.
func (g *Gate) holdsOf(c *call.Open) []store.Hold {
	if len(c.Purses) == 0 {
		return nil
	}
	caps := account.Effective{}
	if line, ok := g.o.Book.Line(c.Line); ok {
		caps = *line.Effective(time.Now())
	}
	holds := make([]store.Hold, len(c.Purses))
	for i, id := range c.Purses {
		holds[i] = store.Hold{Purse: id, Cap: capNow(&caps, id)}
	}
	return holds
}

// Recovered gives the answered calls of before the restart to the edge that owns them, once.
func (g *Gate) Recovered() []Recovered {
	r := g.before
	g.before = nil
	return r
}

// Adopt ends calls of a node that died and did not come back: nobody can hang them up any more. They are billed as far
// as they were paid, at most.
func (g *Gate) Adopt(calls []call.Open) {
	for i := range calls {
		c := calls[i]
		if g.get(c.ID) != nil {
			continue // ours after all: a late renewal
		}
		l := &live{call: c}
		cdr := record(&l.call, End{By: call.System, Reason: policy.NodeLost, Status: 200, At: time.Now()}, policy.Figures{})
		g.stats.ended(policy.NodeLost)
		g.o.Ledger.Post(store.Op{Kind: store.OpSettle, ID: c.ID, CDR: &cdr, Facts: settled(&cdr)})
	}
}
