package gate

import (
	"time"

	"ringfence/core/account"
	"ringfence/core/phone"
	"ringfence/core/policy"
)

// routing says how trunks are chosen at present.
func (g *Gate) routing() policy.Routing {
	if g.o.Routing == nil {
		return policy.Routing{}
	}
	return g.o.Routing()
}

// chosen lists the trunks for a call in room, the best first, and with the reason for the place of each. A trunk that is full is listed
// nevertheless: the edge passes over it if it still is when its turn comes.
func (g *Gate) chosen(room []Route, s *subject, by policy.Routing, number string) ([]Route, []policy.Chosen, *Refusal) {
	trunks := g.o.Book.Trunks()
	ways := make([]policy.Way, len(trunks))
	format := make(map[string]string, len(trunks))
	for i := range trunks {
		ways[i] = g.way(&trunks[i], s)
		format[trunks[i].Name] = trunks[i].Format
	}
	sale := policy.Sale{Emergency: s.Dest.Class == phone.Emergency}
	if s.Priced {
		sale.First, sale.Hour = s.Quote.Cost(time.Minute), s.Quote.Cost(time.Hour)
	}
	all := by.Order(ways, sale)
	for _, x := range all {
		if x.Why != policy.NoMargin {
			room = append(room, Route{Trunk: x.Trunk, User: sendAs(format[x.Trunk], number)})
		}
	}
	switch {
	case len(all) == 0:
		return nil, nil, &Refusal{Reason: policy.NoTrunk}
	case len(room) == 0:
		return nil, all, &Refusal{Reason: policy.NoMargin}
	}
	return room, all, nil
}

// way is what is known of a trunk before a call.
func (g *Gate) way(t *account.Trunk, s *subject) policy.Way {
	w := policy.Way{Trunk: t.Name, Priority: t.Priority, Emergency: t.Emergency, Full: g.o.Full != nil && g.o.Full(t)}
	deck, ok := g.o.Book.Cost(t)
	if !ok {
		return w
	}
	n, problem := g.o.Plan.Parse(s.Text.Number)
	if problem != 0 {
		return w
	}
	p, ok := deck.Find(n.Number, s.Quote.Start)
	if !ok {
		return w
	}
	q := p.Quote(s.Quote.Calendar, s.Quote.Start)
	w.Priced, w.First, w.Hour = true, q.Cost(time.Minute), q.Cost(time.Hour)
	return w
}
